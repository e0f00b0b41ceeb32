#include "verilabel/store/project.h"

#include <cerrno>
#include <chrono>
#include <map>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/store/changes.h"
#include "verilabel/store/columns_reader.h"
#include "verilabel/store/database.h"
#include "verilabel/store/evaluation_rows.h"
#include "verilabel/store/field_writer.h"
#include "verilabel/store/label_rows.h"
#include "verilabel/store/locks.h"
#include "verilabel/store/schema.h"

namespace verilabel {

using store::ChangeKind;
using store::Database;
using store::LabelSelector;
using store::Statement;
using store::Transaction;

namespace {

constexpr std::string_view kDatabaseName = "verilabel.db";

/// Bulk writing wants a large cache and few checkpoints; a crash of the machine may cost the last transactions, never the database.
constexpr const char* kPragmas =
    "PRAGMA foreign_keys = ON;"
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA cache_size = -65536;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA wal_autocheckpoint = 4000;"
    "PRAGMA journal_size_limit = 67108864;";

Sample sample_from(const Statement& row) {
  Sample sample;
  sample.id = {row.integer(0)};
  sample.path = std::string(row.text(1));
  sample.name = row.text(2);
  sample.width = static_cast<std::int32_t>(row.integer(3));
  sample.height = static_cast<std::int32_t>(row.integer(4));
  sample.format = row.text(5);
  sample.file_bytes = static_cast<std::uint64_t>(row.integer(6));
  sample.modified_ns = row.integer(7);
  sample.is_missing = row.integer(8) != 0;
  sample.split = row.text(9);
  sample.source_json = row.text(10);
  return sample;
}

constexpr std::string_view kSampleColumns =
    "id, path, name, width, height, format, file_bytes, modified_ns, is_missing, split, source_json";

std::string names_of(const SavedViews& views) {
  std::string names;
  for (const SavedView& view : views) {
    names += (names.empty() ? "" : ", ") + view.name;
  }
  return names;
}

/// Does also what the making or an import that was cut off has left to do.
void prepare_for_writing(Database& database) {
  database.execute(kPragmas);
  store::migrate(database);
  store::ensure_label_index(database);
}

}  // namespace

struct Project::State {
  State(std::filesystem::path folder, Database::Mode mode)
      : directory(std::move(folder)), database(directory / kDatabaseName, mode) {}

  std::filesystem::path directory;
  mutable Database database;
  std::optional<LabelSelector> label_selector;
  std::optional<Statement> field_selector;
  std::optional<Statement> attribute_selector;
};

Project::Project(std::unique_ptr<State> state) : state_(std::move(state)) {}
Project::Project(Project&&) noexcept = default;
Project& Project::operator=(Project&&) noexcept = default;
Project::~Project() = default;

namespace {

/// Makes a project of a file that a `create` which was cut off has left without anything in it. False when there is more in it, now
/// or soon: another process may be making it at this moment.
bool finish_making(const std::filesystem::path& directory) try {
  constexpr int kLooks = 20;
  constexpr std::chrono::milliseconds kBetweenLooks{50};
  for (int look = 0; look < kLooks; ++look) {
    Database database(directory / kDatabaseName, Database::Mode::read_write);
    if (!store::is_unmade(database)) {
      return false;
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
  Database database(directory / kDatabaseName, Database::Mode::read_write);
  prepare_for_writing(database);
  return true;
} catch (const Error& error) {
  if (error.code() != ErrorCode::bad_data) {
    throw;
  }
  throw Error(ErrorCode::conflict, "the folder has a file of this name that is no project; move it away, or choose another folder",
              {{"path", (directory / kDatabaseName).native()}});
}

}  // namespace

Project Project::create(const std::filesystem::path& directory) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) {
    throw io_error("cannot make the project's folder", directory.native(), failure.value());
  }
  const auto path = directory / kDatabaseName;
  // Whoever makes the file makes the project; of two at the same time one.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) {
    if (errno == EEXIST && finish_making(directory)) {
      return open(directory);
    }
    if (errno == EEXIST || std::filesystem::exists(path)) {
      throw Error(ErrorCode::conflict, "there is a project in this folder already; nothing was changed",
                  {{"path", directory.native()}});
    }
    throw io_error("cannot make the project's database", path.native(), errno);
  }
  ::close(file);
  try {
    auto state = std::make_unique<State>(directory, Database::Mode::create);
    prepare_for_writing(state->database);
    return Project(std::move(state));
  } catch (...) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
      ::unlink((path.native() + suffix).c_str());
    }
    throw;
  }
}

Project Project::open(const std::filesystem::path& directory, Access access) {
  if (!std::filesystem::exists(directory / kDatabaseName)) {
    throw Error(ErrorCode::not_found, "there is no project here; make one with: verilabel init", {{"path", directory.native()}});
  }
  const bool is_read_only = access == Access::read_only;
  try {
    auto state = std::make_unique<State>(directory, is_read_only ? Database::Mode::read_only : Database::Mode::read_write);
    if (is_read_only && store::is_of_older_version(state->database)) {
      // Who only asks must not have to know that something has to be written first.
      Database writable(directory / kDatabaseName, Database::Mode::read_write);
      prepare_for_writing(writable);
    }
    if (is_read_only) {
      state->database.execute(kPragmas);
      store::migrate(state->database);
    } else {
      prepare_for_writing(state->database);
    }
    return Project(std::move(state));
  } catch (const Error& error) {
    throw error.with("path", directory.native());
  }
}

const std::filesystem::path& Project::directory() const {
  return state_->directory;
}
Database& Project::database() const {
  return state_->database;
}

std::optional<SetId> Project::find_set(std::string_view name) const {
  Statement find = database().prepare("SELECT id FROM sets WHERE name = ?");
  find.bind(name);
  return find.step() ? std::optional(SetId{find.integer(0)}) : std::nullopt;
}

SetId Project::ensure_set(std::string_view name) {
  database().prepare("INSERT INTO sets (name) VALUES (?) ON CONFLICT DO NOTHING").run_with(name);
  return *find_set(name);
}

std::string Project::set_names() const {
  std::string names;
  Statement rows = database().prepare("SELECT name FROM sets ORDER BY id");
  while (rows.step()) {
    names += (names.empty() ? "" : ", ") + std::string(rows.text(0));
  }
  return names;
}

std::vector<ClassRow> Project::classes() const {
  std::vector<ClassRow> classes;
  Statement rows = database().prepare("SELECT id, name, source_json FROM classes ORDER BY id");
  while (rows.step()) {
    classes.push_back({{rows.integer(0)}, std::string(rows.text(1)), std::string(rows.text(2))});
  }
  return classes;
}

ClassId Project::ensure_class(std::string_view name, std::string_view source_json) {
  const std::optional<std::string_view> source = source_json.empty() ? std::nullopt : std::optional(source_json);
  database()
      .prepare(
          "INSERT INTO classes (name, source_json) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET source_json = "
          "excluded.source_json "
          "WHERE classes.source_json IS NULL AND excluded.source_json IS NOT NULL")
      .run_with(name, source);
  Statement find = database().prepare("SELECT id FROM classes WHERE name = ?");
  find.bind(name).step();
  return {find.integer(0)};
}

Sample Project::sample(SampleId id) const {
  Statement find = database().prepare(fmt::format("SELECT {} FROM samples WHERE id = ?", kSampleColumns));
  if (!find.bind(id.value).step()) {
    throw Error(ErrorCode::not_found, fmt::format("there is no sample {}", id.value));
  }
  return sample_from(find);
}

void Project::for_each_sample(const std::function<void(const Sample&)>& visit) const {
  Statement rows = database().prepare(fmt::format("SELECT {} FROM samples ORDER BY id", kSampleColumns));
  while (rows.step()) {
    visit(sample_from(rows));
  }
}

void Project::for_each_source(const std::function<bool(SampleId, std::string_view)>& visit) const {
  Statement rows = database().prepare("SELECT id, source_json FROM samples ORDER BY id");
  while (rows.step() && visit({rows.integer(0)}, rows.text(1))) {
  }
}

std::vector<StoredLabel> Project::labels_of(SampleId sample, SetId set) const {
  if (!state_->label_selector) {
    state_->label_selector.emplace(database(), LabelSelector::Form::effective);
  }
  return state_->label_selector->select(sample, set);
}

std::string Project::dataset_json(SetId set) const {
  Statement find = database().prepare(
      "SELECT dataset_json FROM imports WHERE set_id = ? AND dataset_json IS NOT NULL AND id NOT IN (SELECT import_id FROM "
      "import_undos) "
      "ORDER BY id DESC LIMIT 1");
  return find.bind(set.value).step() ? std::string(find.text(0)) : std::string();
}

Columns Project::columns() const {
  return store::read_columns(database(), directory());
}
Columns Project::columns_for(const View& view) const {
  Columns columns = this->columns();
  take_evaluation(view, columns);
  return columns;
}
void Project::take_evaluation(const View& view, Columns& columns) const {
  columns.evaluation.reset();
  if (!view.asks_evaluation()) {
    return;
  }
  columns.evaluation = store::read_evaluation(database(), view.evaluation_key(), columns);
  if (!columns.evaluation && view.evaluation_key()) {
    const std::vector<EvaluationSummary> evaluations = store::read_evaluations(database());
    std::vector<std::string_view> keys;
    for (const EvaluationSummary& evaluation : evaluations) {
      keys.emplace_back(evaluation.key);
    }
    throw view.unknown_evaluation(keys);
  }
}
void Project::refresh(Columns& columns) const {
  columns.evaluation.reset();
  store::refresh_columns(database(), directory(), columns);
}

std::vector<ImportRow> Project::imports() const {
  std::vector<ImportRow> imports;
  std::map<std::int64_t, std::size_t> last_unfinished;  // of each set
  Statement rows = database().prepare(
      "SELECT i.id, s.name, i.format, i.source, i.started_at, i.finished_at, i.labels, u.import_id, i.set_id FROM imports i "
      "JOIN sets s ON s.id = i.set_id "
      "LEFT JOIN import_undos u ON u.import_id = i.id ORDER BY i.id");
  while (rows.step()) {
    imports.push_back({{rows.integer(0)},
                       std::string(rows.text(1)),
                       std::string(rows.text(2)),
                       std::string(rows.text(3)),
                       std::string(rows.text(4)),
                       std::string(rows.text(5)),
                       rows.integer(6),
                       !rows.is_null(7)});
    if (rows.is_null(5) && rows.is_null(7)) {
      last_unfinished[rows.integer(8)] = imports.size() - 1;
    }
  }
  for (const auto& [set, place] : last_unfinished) {
    imports[place].is_running = FileLock::is_held(store::import_lock(directory(), {set}));
  }
  return imports;
}

std::int64_t Project::undo_import(ImportId import) {
  Transaction transaction(database(), Transaction::Kind::write);
  Statement find = database().prepare(
      "SELECT set_id, finished_at, (SELECT 1 FROM import_undos WHERE import_id = i.id) FROM imports i WHERE i.id = ?");
  if (!find.bind(import.value).step()) {
    throw Error(ErrorCode::not_found, fmt::format("there is no import {}", import.value));
  }
  if (!find.is_null(2)) {
    throw Error(ErrorCode::conflict, fmt::format("import {} was undone before", import.value));
  }
  if (find.is_null(1) && FileLock::is_held(store::import_lock(directory(), {find.integer(0)}))) {
    throw Error(ErrorCode::conflict,
                fmt::format("import {} is going on in another process; wait for it, or stop it first", import.value));
  }
  find.reset();
  database().prepare("INSERT INTO import_undos VALUES (?, ?)").run_with(import.value, store::timestamp());
  store::record_change(database(), ChangeKind::import, import.value, import.value);
  Statement count = database().prepare(
      "SELECT count(*) FROM labels l WHERE l.import_id = ? AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.label_id = l.id)");
  count.bind(import.value).step();
  const std::int64_t labels = count.integer(0);
  count.reset();
  transaction.commit();
  return labels;
}

namespace {

/// Runs `sql`, of a tag and an id, for each thing; how many rows that changed.
template <typename Ids>
std::int64_t change_tags(Database& database, std::string_view sql, const Ids& ids, std::string_view tag) {
  Transaction transaction(database, Transaction::Kind::write);
  Statement statement = database.prepare(sql);
  std::int64_t changed = 0;
  for (const auto id : ids) {
    statement.run_with(tag, id.value);
    changed += database.changed_rows();
  }
  store::record_change(database, ChangeKind::tags, 0, 0);
  transaction.commit();
  return changed;
}

}  // namespace

std::int64_t Project::tag_samples(std::span<const SampleId> samples, std::string_view tag) {
  require_utf8("a tag", tag);
  return change_tags(database(), "INSERT INTO sample_tags (tag, sample_id) VALUES (?, ?) ON CONFLICT DO NOTHING", samples, tag);
}
std::int64_t Project::untag_samples(std::span<const SampleId> samples, std::string_view tag) {
  return change_tags(database(), "DELETE FROM sample_tags WHERE tag = ? AND sample_id = ?", samples, tag);
}
std::int64_t Project::tag_labels(std::span<const LabelId> labels, std::string_view tag) {
  require_utf8("a tag", tag);
  return change_tags(database(), "INSERT INTO label_tags (tag, label_id) VALUES (?, ?) ON CONFLICT DO NOTHING", labels, tag);
}
std::int64_t Project::untag_labels(std::span<const LabelId> labels, std::string_view tag) {
  return change_tags(database(), "DELETE FROM label_tags WHERE tag = ? AND label_id = ?", labels, tag);
}

void Project::set_fields(SampleId sample, std::string_view json) {
  Transaction transaction(database(), Transaction::Kind::write);
  static_cast<void>(this->sample(sample));
  if (store::FieldWriter(database()).write(sample, json)) {
    store::record_change(database(), ChangeKind::fields, sample.value, sample.value);
  }
  transaction.commit();
}

std::string Project::fields_of(SampleId sample) const {
  if (!state_->field_selector) {
    state_->field_selector.emplace(database().prepare("SELECT name, value FROM sample_fields WHERE sample_id = ? ORDER BY name"));
  }
  Statement& rows = *state_->field_selector;
  const store::ResetAtEnd reset(rows);
  rows.bind(sample.value);
  std::vector<Property> properties;
  while (rows.step()) {
    properties.push_back({std::string(rows.text(0)), std::string(rows.text(1))});
  }
  return properties.empty() ? std::string() : object_from(properties);
}

std::string Project::attributes_of(LabelId label) const {
  if (!state_->attribute_selector) {
    state_->attribute_selector.emplace(database().prepare("SELECT attributes FROM labels WHERE id = ?"));
  }
  Statement& rows = *state_->attribute_selector;
  const store::ResetAtEnd reset(rows);
  return rows.bind(label.value).step() ? std::string(rows.text(0)) : std::string();
}

SavedViews Project::saved_views() const {
  SavedViews views;
  Statement rows = database().prepare("SELECT name, text, saved_at FROM saved_views ORDER BY name");
  while (rows.step()) {
    views.push_back({std::string(rows.text(0)), std::string(rows.text(1)), std::string(rows.text(2))});
  }
  return views;
}

void Project::save_view(std::string_view name, std::string_view text) {
  if (name.empty()) {
    throw Error(ErrorCode::wrong_use, "a saved view needs a name of at least one character");
  }
  require_utf8("a saved view", name);
  Transaction transaction(database(), Transaction::Kind::write);
  SavedViews views = saved_views();
  std::erase_if(views, [&](const SavedView& view) { return view.name == name; });
  views.push_back({std::string(name), std::string(text), {}});
  // Also the others: one of them may name this one, which then must not name it in turn, and must not have gained a limit.
  static_cast<void>(View::parse(text, views));
  for (const SavedView& view : views) {
    try {
      static_cast<void>(View::parse(view.text, views));
    } catch (const Error& error) {
      throw error.with("saved view", view.name);
    }
  }
  database()
      .prepare(
          "INSERT INTO saved_views VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text, saved_at = "
          "excluded.saved_at")
      .run_with(name, text, store::timestamp());
  transaction.commit();
}

void Project::remove_view(std::string_view name) {
  Transaction transaction(database(), Transaction::Kind::write);
  SavedViews views = saved_views();
  if (std::erase_if(views, [&](const SavedView& view) { return view.name == name; }) == 0) {
    throw Error(ErrorCode::not_found, fmt::format("there is no saved view '{}'", name), {{"saved views", names_of(views)}});
  }
  for (const SavedView& view : views) {
    try {
      static_cast<void>(View::parse(view.text, views));
    } catch (const Error&) {
      throw Error(ErrorCode::conflict, fmt::format("the saved view '{}' names '{}'; remove or change it first", view.name, name));
    }
  }
  database().prepare("DELETE FROM saved_views WHERE name = ?").run_with(name);
  transaction.commit();
}

void Project::save_evaluation(const StoredEvaluation& evaluation) {
  Transaction transaction(database(), Transaction::Kind::write);
  store::save_evaluation(database(), evaluation);
  transaction.commit();
}

std::vector<EvaluationSummary> Project::evaluations() const {
  return store::read_evaluations(database());
}

EvaluationTotals Project::evaluation_totals(std::string_view key) const {
  Transaction transaction(database(), Transaction::Kind::read);
  return store::read_evaluation_totals(database(), key);
}

void Project::remove_evaluation(std::string_view key) {
  Transaction transaction(database(), Transaction::Kind::write);
  store::remove_evaluation(database(), key);
  transaction.commit();
}

ReadScope::ReadScope(const Project& project)
    : transaction_(std::make_unique<store::Transaction>(project.database(), store::Transaction::Kind::read)) {}
ReadScope::~ReadScope() = default;

}  // namespace verilabel
