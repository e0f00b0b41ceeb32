#include "verilabel/store/run_ledger.h"

#include <fmt/format.h>

#include "verilabel/store/changes.h"
#include "verilabel/store/database.h"
#include "verilabel/store/label_rows.h"
#include "verilabel/store/label_sources.h"
#include "verilabel/store/locks.h"

namespace verilabel {

using store::ChangeKind;
using store::Database;
using store::ResetAtEnd;
using store::Statement;
using store::Transaction;

namespace {

enum class OutcomeState : std::uint8_t { pending, done, failed };

constexpr std::string_view kRunColumns =
    "r.id, s.name, r.model, r.weights_sha256, r.view, r.floor, r.options_json, r.model_json, r.engine, r.device, r.started_at, "
    "r.finished_at, "
    "(SELECT 1 FROM run_undos u WHERE u.run_id = r.id), r.replaces_below, r.same_iou";

/// Counts of the run's samples by outcome.
void add_counts(Statement& count, RunRow& row) {
  count.bind(row.id.value);
  while (count.step()) {
    const std::int64_t samples = count.integer(1);
    row.samples += samples;
    const auto state = static_cast<OutcomeState>(count.integer(0));
    (state == OutcomeState::done ? row.done : row.failed) += state == OutcomeState::pending ? 0 : samples;
    row.labels += count.integer(2);
    row.superseded += count.integer(3);
    row.repeats += count.integer(4);
  }
  count.reset();
}

constexpr std::string_view kCountOutcomes =
    "SELECT outcome, count(*), sum(labels), sum(superseded), sum(repeats) FROM run_samples WHERE run_id = ? GROUP BY outcome";

RunRow run_from(const Statement& row) {
  RunRow run;
  run.id = {row.integer(0)};
  run.request = {.set = std::string(row.text(1)),
                 .model = std::string(row.text(2)),
                 .weights_sha256 = std::string(row.text(3)),
                 .view = std::string(row.text(4)),
                 .floor = row.real(5),
                 .options_json = std::string(row.text(6)),
                 .bound = row.is_null(13) ? std::nullopt : std::optional(ReplacementBound{row.real(13), row.real(14)})};
  run.model_json = row.text(7);
  run.engine = row.text(8);
  run.device = row.text(9);
  run.started_at = row.text(10);
  run.finished_at = row.text(11);
  run.is_undone = !row.is_null(12);
  return run;
}

FileLock lock_of(const Project& project, RunId run) {
  auto lock = store::acquire_lock(store::run_lock(project.directory(), run));
  if (!lock) {
    throw Error(ErrorCode::conflict,
                fmt::format("run {} is being worked on by another process; wait for it, or stop it first", run.value),
                {{"run", std::to_string(run.value)}});
  }
  return std::move(*lock);
}

}  // namespace

std::vector<Look> looks_into(const Project& project, SetId set) {
  const Database& database = project.database();
  Transaction reading(project.database(), Transaction::Kind::read);
  std::vector<Look> looks;
  Statement classes = database.prepare("SELECT class_id FROM run_classes WHERE run_id = ? ORDER BY class_id");
  Statement done = database.prepare("SELECT sample_id FROM run_samples WHERE run_id = ? AND outcome = 1");
  Statement runs =
      database.prepare("SELECT id FROM runs WHERE set_id = ? AND id NOT IN (SELECT run_id FROM run_undos) ORDER BY id");
  runs.bind(set.value);
  while (runs.step()) {
    Look& look = looks.emplace_back();
    look.asked_classes.emplace();
    classes.bind(runs.integer(0));
    while (classes.step()) {
      look.asked_classes->push_back({classes.integer(0)});
    }
    classes.reset();
    done.bind(runs.integer(0));
    while (done.step()) {
      look.samples.push_back({done.integer(0)});
    }
    done.reset();
  }
  Statement imported = database.prepare(
      "SELECT s.sample_id FROM import_samples s JOIN imports i ON i.id = s.import_id WHERE i.set_id = ? AND i.finished_at IS NOT "
      "NULL AND i.id NOT IN (SELECT import_id FROM import_undos)");
  imported.bind(set.value);
  Look of_imports;
  while (imported.step()) {
    of_imports.samples.push_back({imported.integer(0)});
  }
  looks.push_back(std::move(of_imports));
  return looks;
}

std::vector<RunRow> runs(const Project& project) {
  Transaction reading(project.database(), Transaction::Kind::read);
  std::vector<RunRow> found;
  Statement rows =
      project.database().prepare(fmt::format("SELECT {} FROM runs r JOIN sets s ON s.id = r.set_id ORDER BY r.id", kRunColumns));
  Statement count = project.database().prepare(kCountOutcomes);
  while (rows.step()) {
    found.push_back(run_from(rows));
    add_counts(count, found.back());
  }
  return found;
}

RunRow run_row(const Project& project, RunId run) {
  Transaction reading(project.database(), Transaction::Kind::read);
  Statement find =
      project.database().prepare(fmt::format("SELECT {} FROM runs r JOIN sets s ON s.id = r.set_id WHERE r.id = ?", kRunColumns));
  if (!find.bind(run.value).step()) {
    throw Error(ErrorCode::not_found, fmt::format("there is no run {}; `verilabel runs` lists those that exist", run.value));
  }
  RunRow row = run_from(find);
  Statement count = project.database().prepare(kCountOutcomes);
  add_counts(count, row);
  return row;
}

std::vector<RunFailure> run_failures(const Project& project, RunId run) {
  std::vector<RunFailure> failures;
  Statement rows = project.database().prepare(
      "SELECT s.id, s.name, s.path, r.code, r.message FROM run_samples r JOIN samples s ON s.id = r.sample_id "
      "WHERE r.run_id = ? AND r.outcome = ? ORDER BY s.id");
  rows.bind(run.value, static_cast<int>(OutcomeState::failed));
  while (rows.step()) {
    failures.push_back({{rows.integer(0)},
                        std::string(rows.text(1)),
                        std::string(rows.text(2)),
                        std::string(rows.text(3)),
                        std::string(rows.text(4))});
  }
  return failures;
}

bool is_live(const Project& project, RunId run) {
  return FileLock::is_held(store::run_lock(project.directory(), run));
}

std::int64_t undo_run(Project& project, RunId run) {
  run_row(project, run);
  const FileLock lock = lock_of(project, run);
  if (run_row(project, run).is_undone) {
    throw Error(ErrorCode::conflict, fmt::format("run {} was undone before", run.value));
  }
  const Columns before = project.columns();
  Database& database = project.database();
  Transaction transaction(database, Transaction::Kind::write);
  database.prepare("INSERT INTO run_undos VALUES (?, ?)").run_with(run.value, store::timestamp());
  store::record_change(database, ChangeKind::run, run.value, run.value);
  transaction.commit();
  std::int64_t labels = 0;
  for (std::size_t i = 0; i < before.labels.size(); ++i) {
    labels += before.labels.run[i] == run.value && before.labels.status[i] == LabelStatus::active &&
                      before.labels.verdict[i] == Verdict::unreviewed
                  ? 1
                  : 0;
  }
  return labels;
}

RunId add_run(Project& project, const RunRequest& request, std::span<const SampleId> samples) {
  Database& database = project.database();
  Transaction transaction(database, Transaction::Kind::write);
  const SetId set = project.ensure_set(request.set);
  database
      .prepare(
          "INSERT INTO runs (set_id, model, weights_sha256, view, floor, options_json, started_at, replaces_below, same_iou) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .run_with(set.value, request.model, request.weights_sha256, request.view, request.floor, request.options_json,
                store::timestamp(), request.bound ? std::optional(request.bound->confidence) : std::nullopt,
                request.bound ? std::optional(request.bound->same_iou) : std::nullopt);
  const RunId run{database.last_id()};
  Statement insert = database.prepare("INSERT INTO run_samples (run_id, sample_id) VALUES (?, ?) ON CONFLICT DO NOTHING");
  for (const SampleId sample : samples) {
    insert.run_with(run.value, sample.value);
  }
  transaction.commit();
  return run;
}

struct RunWriter::Statements {
  explicit Statements(Database& database)
      : insert_label(database),
        decided(database),
        select_origins(database.prepare("SELECT l.id, l.run_id, l.import_id, l.kind, l.class_id, l.x, l.y, l.w, l.h, l.confidence, "
                                        "d.verdict, l.superseded_by, e.kind, e.class_id, e.x, e.y, e.w, e.h FROM labels l " +
                                        std::string(store::kStandingDecision) +
                                        " WHERE l.sample_id = ? AND l.set_id = ? ORDER BY l.id")),
        select_finished(
            database.prepare("SELECT run_id FROM run_samples WHERE sample_id = ? AND (outcome = 1 OR run_id = ?) ORDER BY run_id")),
        set_outcome(
            database.prepare("UPDATE run_samples SET outcome = ?, labels = ?, superseded = ?, repeats = ?, code = ?, message = ? "
                             "WHERE run_id = ? AND sample_id = ? AND outcome <> 1")) {}

  store::LabelInserter insert_label;
  store::DecidedLabels decided;
  Statement select_origins;
  Statement select_finished;
  Statement set_outcome;
};

RunWriter::RunWriter(Database& database, RunId run, SetId set, std::optional<ReplacementBound> bound, FileLock lock)
    : database_(&database),
      run_(run),
      set_(set),
      bound_(bound),
      lock_(std::move(lock)),
      statements_(std::make_shared<Statements>(database)) {}

RunWriter RunWriter::open(Project& project, RunId run) {
  run_row(project, run);  // no lock file for a run that does not exist
  FileLock lock = lock_of(project, run);
  const RunRow row = run_row(project, run);
  if (row.is_undone) {
    throw Error(ErrorCode::conflict, fmt::format("run {} was undone; start a new one", run.value),
                {{"run", std::to_string(run.value)}});
  }
  return {project.database(), run, *project.find_set(row.request.set), row.request.bound, std::move(lock)};
}

std::vector<Sample> RunWriter::samples_left(bool retry_failed) const {
  std::vector<Sample> samples;
  Statement rows = database_->prepare(
      "SELECT s.id, s.path, s.name, s.width, s.height FROM run_samples r JOIN samples s ON s.id = r.sample_id "
      "WHERE r.run_id = ? AND (r.outcome = 0 OR (? AND r.outcome = 2)) ORDER BY s.id");
  rows.bind(run_.value, retry_failed);
  while (rows.step()) {
    Sample sample;
    sample.id = {rows.integer(0)};
    sample.path = std::string(rows.text(1));
    sample.name = rows.text(2);
    sample.width = static_cast<std::int32_t>(rows.integer(3));
    sample.height = static_cast<std::int32_t>(rows.integer(4));
    samples.push_back(std::move(sample));
  }
  return samples;
}

void RunWriter::set_model(std::string_view model_json, std::string_view engine, std::string_view device,
                          std::span<const ClassId> asked_classes) {
  Database& database = *database_;
  Transaction transaction(database, Transaction::Kind::write);
  database.prepare("UPDATE runs SET model_json = ?, engine = ?, device = ? WHERE id = ?")
      .run_with(model_json, engine, device, run_.value);
  Statement insert = database.prepare("INSERT INTO run_classes VALUES (?, ?) ON CONFLICT DO NOTHING");
  for (const ClassId id : asked_classes) {
    insert.run_with(run_.value, id.value);
  }
  transaction.commit();
}

/// Labels of the run, stored in this transaction, that are superseded by what the run keeps.
std::int64_t RunWriter::repeats_on(SampleId sample, const store::LabelSources& sources) {
  Statement& rows = statements_->select_origins;
  const ResetAtEnd reset_rows(rows);
  rows.bind(sample.value, set_.value);
  std::vector<LabelOrigin> origins;
  while (rows.step()) {
    origins.push_back({.id = {rows.integer(0)},
                       .run = {rows.integer(1)},
                       .import = {rows.integer(2)},
                       .is_fusion = sources.is_fusion({rows.integer(2)}),
                       .is_import_undone = sources.is_import_undone({rows.integer(2)}),
                       .is_import_replaced = sources.is_import_replaced({rows.integer(2)}, sample),
                       .written = store::claim_from(rows, 3),
                       .edited = rows.is_null(12) ? std::nullopt : std::optional(store::claim_from(rows, 12)),
                       .score = rows.maybe_real(9).value_or(kScoreWithoutConfidence),
                       .verdict = store::verdict_of(rows.integer(10)),
                       .superseded_by = {rows.integer(11)}});
  }
  Statement& finished_rows = statements_->select_finished;
  const ResetAtEnd reset_finished(finished_rows);
  finished_rows.bind(sample.value, run_.value);
  std::vector<RunId> finished;
  while (finished_rows.step()) {
    finished.push_back({finished_rows.integer(0)});
  }
  const std::vector<LabelStatus> statuses = label_statuses(origins, sources.runs_into(set_, finished));
  std::int64_t repeats = 0;
  for (std::size_t i = 0; i < origins.size(); ++i) {
    repeats += origins[i].run == run_ && !origins[i].superseded_by && statuses[i] == LabelStatus::superseded ? 1 : 0;
  }
  return repeats;
}

void RunWriter::write(std::span<const SampleOutcome> outcomes) {
  Database& database = *database_;
  Statements& statements = *statements_;
  Transaction transaction(database, Transaction::Kind::write);
  const auto sources = bound_ ? store::LabelSources::read(database) : store::LabelSources();
  std::string blob;
  for (const SampleOutcome& outcome : outcomes) {
    const auto set_outcome = [&](OutcomeState state, std::int64_t labels, std::int64_t superseded, std::int64_t repeats,
                                 std::optional<std::string_view> code, std::optional<std::string_view> message) {
      statements.set_outcome.run_with(static_cast<int>(state), labels, superseded, repeats, code, message, run_.value,
                                      outcome.sample.value);
      if (database.changed_rows() == 0) {
        throw Error(ErrorCode::internal,
                    fmt::format("run {} has sample {} done already, or was not asked for it", run_.value, outcome.sample.value));
      }
    };
    if (const auto* failure = std::get_if<SampleFailure>(&outcome.result)) {
      set_outcome(OutcomeState::failed, 0, 0, 0, info(failure->code).name, failure->message);
      continue;
    }
    const auto& labels = std::get<std::vector<Label>>(outcome.result);
    const std::vector<DecidedLabel> decided = statements.decided.of(outcome.sample, set_);
    std::int64_t superseded = 0;
    for (const Label& label : labels) {
      const auto superseding = find_superseding({label.kind, label.class_id, label.box_xywh_px}, decided, bound_);
      superseded += superseding ? 1 : 0;
      statements.insert_label.insert(outcome.sample, set_, label, store::mask_blob_of(label, blob), run_, {},
                                     superseding.value_or(LabelId{}));
    }
    const std::int64_t repeats = bound_ ? repeats_on(outcome.sample, sources) : 0;
    set_outcome(OutcomeState::done, static_cast<std::int64_t>(labels.size()), superseded, repeats, {}, {});
    store::record_change(database, ChangeKind::sample_state, outcome.sample.value, outcome.sample.value);
  }
  transaction.commit();
}

void RunWriter::finish() {
  database_
      ->prepare(
          "UPDATE runs SET finished_at = ?1 WHERE id = ?2 AND NOT EXISTS (SELECT 1 FROM run_samples WHERE run_id = ?2 AND outcome "
          "= 0)")
      .run_with(store::timestamp(), run_.value);
}

}  // namespace verilabel
