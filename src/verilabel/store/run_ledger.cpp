#include "verilabel/store/run_ledger.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "verilabel/dataset/lifecycle.h"
#include "verilabel/store/changes.h"
#include "verilabel/store/database.h"
#include "verilabel/store/label_rows.h"

namespace verilabel {

using store::ChangeKind;
using store::Database;
using store::Statement;
using store::Transaction;

namespace {

enum class OutcomeState : std::uint8_t { pending, done, failed };

std::filesystem::path lock_path(const Project& project, RunId run) { return project.directory() / "runs" / fmt::format("{}.lock", run.value); }

constexpr std::string_view kRunColumns =
    "r.id, s.name, r.model, r.weights_sha256, r.view, r.floor, r.options_json, r.model_json, r.engine, r.device, r.started_at, r.finished_at, "
    "(SELECT 1 FROM run_undos u WHERE u.run_id = r.id)";

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
  }
  count.reset();
}

constexpr std::string_view kCountOutcomes =
    "SELECT outcome, count(*), sum(labels), sum(superseded) FROM run_samples WHERE run_id = ? GROUP BY outcome";

RunRow run_from(const Statement& row) {
  RunRow run;
  run.id = {row.integer(0)};
  run.request = {std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3)), std::string(row.text(4)), row.real(5),
                 std::string(row.text(6))};
  run.model_json = row.text(7);
  run.engine = row.text(8);
  run.device = row.text(9);
  run.started_at = row.text(10);
  run.finished_at = row.text(11);
  run.is_undone = !row.is_null(12);
  return run;
}

}  // namespace

std::vector<RunRow> runs(const Project& project) {
  Transaction reading(project.database(), Transaction::Kind::read);
  std::vector<RunRow> found;
  Statement rows = project.database().prepare(fmt::format("SELECT {} FROM runs r JOIN sets s ON s.id = r.set_id ORDER BY r.id", kRunColumns));
  Statement count = project.database().prepare(kCountOutcomes);
  while (rows.step()) {
    found.push_back(run_from(rows));
    add_counts(count, found.back());
  }
  return found;
}

RunRow run_row(const Project& project, RunId run) {
  Transaction reading(project.database(), Transaction::Kind::read);
  Statement find = project.database().prepare(fmt::format("SELECT {} FROM runs r JOIN sets s ON s.id = r.set_id WHERE r.id = ?", kRunColumns));
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
    failures.push_back({{rows.integer(0)}, std::string(rows.text(1)), std::string(rows.text(2)), std::string(rows.text(3)), std::string(rows.text(4))});
  }
  return failures;
}

bool is_live(const Project& project, RunId run) {
  const auto path = lock_path(project, run);
  return std::filesystem::exists(path) && !FileLock::try_acquire(path);
}

std::int64_t undo_run(Project& project, RunId run) {
  const RunRow row = run_row(project, run);
  if (row.is_undone) {
    throw Error(ErrorCode::conflict, fmt::format("run {} was undone before", run.value));
  }
  if (is_live(project, run)) {
    throw Error(ErrorCode::conflict, fmt::format("run {} is being worked on by another process; stop that first", run.value));
  }
  const Columns before = project.columns();
  Database& database = project.database();
  Transaction transaction(database, Transaction::Kind::write);
  database.prepare("INSERT INTO run_undos VALUES (?, ?)").run_with(run.value, store::timestamp());
  store::record_change(database, ChangeKind::run, run.value, run.value);
  transaction.commit();
  std::int64_t labels = 0;
  for (std::size_t i = 0; i < before.labels.size(); ++i) {
    labels += before.labels.run[i] == run.value && before.labels.status[i] == LabelStatus::active && before.labels.verdict[i] == Verdict::unreviewed ? 1 : 0;
  }
  return labels;
}

RunId add_run(Project& project, const RunRequest& request, std::span<const SampleId> samples) {
  Database& database = project.database();
  Transaction transaction(database, Transaction::Kind::write);
  const SetId set = project.ensure_set(request.set);
  database.prepare("INSERT INTO runs (set_id, model, weights_sha256, view, floor, options_json, started_at) VALUES (?, ?, ?, ?, ?, ?, ?)")
      .run_with(set.value, request.model, request.weights_sha256, request.view, request.floor, request.options_json, store::timestamp());
  const RunId run{database.last_id()};
  Statement insert = database.prepare("INSERT INTO run_samples (run_id, sample_id) VALUES (?, ?)");
  for (const SampleId sample : samples) {
    insert.run_with(run.value, sample.value);
  }
  transaction.commit();
  return run;
}

struct RunWriter::Statements {
  explicit Statements(Database& database)
      : insert_label(database),
        select_decided(database.prepare("SELECT l.id, l.kind, l.class_id, l.x, l.y, l.w, l.h, d.class_id, d.x, d.y, d.w, d.h FROM labels l "
                                        "JOIN standing_decisions d ON d.label_id = l.id WHERE l.sample_id = ? AND l.set_id = ? ORDER BY l.id")),
        any_decision(database.prepare("SELECT 1 FROM decisions LIMIT 1")),
        set_outcome(database.prepare("UPDATE run_samples SET outcome = ?, labels = ?, superseded = ?, code = ?, message = ? "
                                     "WHERE run_id = ? AND sample_id = ? AND outcome <> 1")) {}

  store::LabelInserter insert_label;
  Statement select_decided;
  Statement any_decision;
  Statement set_outcome;
};

RunWriter::RunWriter(Project& project, RunId run, SetId set, FileLock lock)
    : project_(&project), run_(run), set_(set), lock_(std::move(lock)), statements_(std::make_shared<Statements>(project.database())) {}

RunWriter RunWriter::open(Project& project, RunId run) {
  const RunRow row = run_row(project, run);
  if (row.is_undone) {
    throw Error(ErrorCode::conflict, fmt::format("run {} was undone; start a new one", run.value));
  }
  const auto path = lock_path(project, run);
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  if (failure) {
    throw io_error("cannot make a folder", path.parent_path().native(), failure.value());
  }
  auto lock = FileLock::try_acquire(path);
  if (!lock) {
    throw Error(ErrorCode::conflict, fmt::format("run {} is being worked on by another process", run.value), {{"run", std::to_string(run.value)}});
  }
  return {project, run, *project.find_set(row.request.set), std::move(*lock)};
}

std::vector<Sample> RunWriter::samples_left(bool retry_failed) const {
  std::vector<Sample> samples;
  Statement rows = project_->database().prepare(
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

void RunWriter::set_model(std::string_view model_json, std::string_view engine, std::string_view device, std::span<const ClassId> asked_classes) {
  Database& database = project_->database();
  Transaction transaction(database, Transaction::Kind::write);
  database.prepare("UPDATE runs SET model_json = ?, engine = ?, device = ? WHERE id = ?").run_with(model_json, engine, device, run_.value);
  Statement insert = database.prepare("INSERT INTO run_classes VALUES (?, ?) ON CONFLICT DO NOTHING");
  for (const ClassId id : asked_classes) {
    insert.run_with(run_.value, id.value);
  }
  transaction.commit();
}

void RunWriter::write(std::span<const SampleOutcome> outcomes) {
  Database& database = project_->database();
  Statements& statements = *statements_;
  Transaction transaction(database, Transaction::Kind::write);
  const bool has_decisions = statements.any_decision.bind().step();
  statements.any_decision.reset();
  for (const SampleOutcome& outcome : outcomes) {
    if (const auto* failure = std::get_if<SampleFailure>(&outcome.result)) {
      statements.set_outcome.run_with(static_cast<int>(OutcomeState::failed), 0, 0, info(failure->code).name, failure->message, run_.value,
                                      outcome.sample.value);
      continue;
    }
    std::vector<DecidedLabel> decided;
    if (has_decisions) {
      Statement& row = statements.select_decided;
      row.bind(outcome.sample.value, set_.value);
      while (row.step()) {
        const auto kind = static_cast<LabelKind>(row.integer(1));
        const LabelClaim written{kind, {row.integer(2)}, {row.real(3), row.real(4), row.real(5), row.real(6)}};
        LabelClaim effective = written;
        effective.class_id = row.is_null(7) ? effective.class_id : ClassId{row.integer(7)};
        effective.box_xywh_px = row.is_null(8) ? effective.box_xywh_px : Box{row.real(8), row.real(9), row.real(10), row.real(11)};
        decided.push_back({{row.integer(0)}, written, effective});
      }
      row.reset();
    }
    const auto& labels = std::get<std::vector<Label>>(outcome.result);
    std::int64_t superseded = 0;
    for (const Label& label : labels) {
      const auto superseding = find_superseding({label.kind, label.class_id, label.box_xywh_px}, decided);
      superseded += superseding ? 1 : 0;
      statements.insert_label.insert(outcome.sample, set_, label, run_, {}, superseding.value_or(LabelId{}));
    }
    statements.set_outcome.run_with(static_cast<int>(OutcomeState::done), static_cast<std::int64_t>(labels.size()), superseded, nullptr, nullptr,
                                    run_.value, outcome.sample.value);
    store::record_change(database, ChangeKind::sample_state, outcome.sample.value, outcome.sample.value);
  }
  transaction.commit();
}

void RunWriter::finish() {
  project_->database()
      .prepare("UPDATE runs SET finished_at = ?1 WHERE id = ?2 AND NOT EXISTS (SELECT 1 FROM run_samples WHERE run_id = ?2 AND outcome = 0)")
      .run_with(store::timestamp(), run_.value);
}

}  // namespace verilabel
