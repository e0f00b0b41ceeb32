#include "verilabel/store/evaluation_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/store/changes.h"

namespace verilabel::store {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// The rows of ascending ids in an ascending column, each found from where the one before was.
class RowsInOrder {
 public:
  explicit RowsInOrder(std::span<const std::int64_t> ids) : ids_(ids) {}

  std::optional<std::size_t> find(std::int64_t id) {
    while (at_ < ids_.size() && ids_[at_] < id) {
      ++at_;
    }
    return at_ < ids_.size() && ids_[at_] == id ? std::optional(at_) : std::nullopt;
  }

 private:
  std::span<const std::int64_t> ids_;
  std::size_t at_ = 0;
};

Error no_evaluation(Database& database, std::string_view key) {
  std::string keys;
  for (const EvaluationSummary& evaluation : read_evaluations(database)) {
    keys += (keys.empty() ? "" : ", ") + evaluation.key;
  }
  return {ErrorCode::wrong_use, fmt::format("there is no evaluation '{}'", key), {{"evaluations", keys}}};
}

Error unknown_outcome(std::string_view key, ErrorContext more = {}) {
  return Error(ErrorCode::bad_data, "the project holds an outcome that no evaluation writes; evaluate again", std::move(more))
      .with("evaluation", std::string(key));
}

std::int64_t id_of(Database& database, std::string_view key) {
  Statement find = database.prepare("SELECT id FROM evaluations WHERE key = ?");
  find.bind(key);
  if (!find.step()) {
    throw no_evaluation(database, key);
  }
  return find.integer(0);
}

void read_outcomes(Database& database, std::int64_t id, const Columns& columns, EvaluationColumns& evaluation) {
  const std::size_t labels = columns.labels.size();
  evaluation.outcome.assign(labels, EvaluationColumns::kNoOutcome);
  evaluation.error.assign(labels, ErrorKind::none);
  evaluation.iou.assign(labels, kNone);
  Statement rows = database.prepare(
      "SELECT label_id, outcome, error, partner IS NULL, iou FROM evaluation_outcomes WHERE evaluation_id = ? ORDER BY label_id");
  rows.bind(id);
  RowsInOrder row_of(columns.labels.id.rows());
  while (rows.step()) {
    const auto row = row_of.find(rows.integer(0));
    const std::int64_t outcome = rows.integer(1);
    const std::int64_t error = rows.integer(2);
    if (outcome < 0 || outcome >= static_cast<std::int64_t>(kOutcomes) || error < 0 ||
        error >= static_cast<std::int64_t>(kErrorKinds)) {
      throw unknown_outcome(evaluation.key, {{"label", std::to_string(rows.integer(0))}});
    }
    if (row) {
      evaluation.outcome[*row] = static_cast<std::uint8_t>(outcome);
      evaluation.error[*row] = static_cast<ErrorKind>(error);
      evaluation.iou[*row] = rows.integer(3) != 0 ? kNone : rows.real(4);
    }
  }
}

void read_samples(Database& database, std::int64_t id, const Columns& columns, EvaluationColumns& evaluation) {
  for (std::vector<double>* column : {&evaluation.tp, &evaluation.fp, &evaluation.fn, &evaluation.f1}) {
    column->assign(columns.samples.size(), kNone);
  }
  Statement rows =
      database.prepare("SELECT sample_id, tp, fp, fn FROM evaluation_samples WHERE evaluation_id = ? ORDER BY sample_id");
  rows.bind(id);
  RowsInOrder row_of(columns.samples.id.rows());
  while (rows.step()) {
    if (const auto row = row_of.find(rows.integer(0))) {
      const double tp = evaluation.tp[*row] = static_cast<double>(rows.integer(1));
      const double fp = evaluation.fp[*row] = static_cast<double>(rows.integer(2));
      const double fn = evaluation.fn[*row] = static_cast<double>(rows.integer(3));
      evaluation.f1[*row] = 2 * tp / (2 * tp + fp + fn);
    }
  }
}

}  // namespace

void save_evaluation(Database& database, const StoredEvaluation& evaluation) {
  database.prepare("DELETE FROM evaluations WHERE key = ?").run_with(evaluation.key);
  database.prepare("INSERT INTO evaluations (key, prediction_set, truth_set, options_json, made_at) VALUES (?, ?, ?, ?, ?)")
      .run_with(evaluation.key, evaluation.prediction_set, evaluation.truth_set, evaluation.options_json, timestamp());
  const std::int64_t id = database.last_id();
  Statement insert_outcome = database.prepare(
      "INSERT INTO evaluation_outcomes (evaluation_id, label_id, outcome, error, partner, iou) VALUES (?, ?, ?, ?, ?, ?)");
  for (const StoredOutcome& outcome : evaluation.outcomes) {
    insert_outcome.run_with(id, outcome.label.value, static_cast<int>(outcome.outcome), static_cast<int>(outcome.error),
                            outcome.partner ? std::optional(outcome.partner.value) : std::nullopt, outcome.iou);
  }
  Statement insert_sample = database.prepare("INSERT INTO evaluation_samples VALUES (?, ?, ?, ?, ?)");
  for (const StoredSampleOutcome& sample : evaluation.samples) {
    insert_sample.run_with(id, sample.sample.value, sample.tp, sample.fp, sample.fn);
  }
}

std::vector<EvaluationSummary> read_evaluations(Database& database) {
  std::vector<EvaluationSummary> evaluations;
  Statement rows =
      database.prepare("SELECT key, prediction_set, truth_set, options_json, made_at FROM evaluations ORDER BY id DESC");
  while (rows.step()) {
    evaluations.push_back({std::string(rows.text(0)), std::string(rows.text(1)), std::string(rows.text(2)),
                           std::string(rows.text(3)), std::string(rows.text(4))});
  }
  return evaluations;
}

EvaluationTotals read_evaluation_totals(Database& database, std::string_view key) {
  const std::int64_t id = id_of(database, key);
  EvaluationTotals totals;
  std::vector<EvaluationSummary> summaries = read_evaluations(database);
  totals.summary = std::move(*std::ranges::find(summaries, key, &EvaluationSummary::key));
  Statement sums = database.prepare("SELECT count(*), sum(tp), sum(fp), sum(fn) FROM evaluation_samples WHERE evaluation_id = ?");
  sums.bind(id);
  sums.step();
  totals.samples = sums.integer(0);
  totals.tp = sums.integer(1);
  totals.fp = sums.integer(2);
  totals.fn = sums.integer(3);
  Statement errors = database.prepare(
      "SELECT error, sum(outcome = ?1), sum(outcome = ?2) FROM evaluation_outcomes WHERE evaluation_id = ?3 AND error <> 0 "
      "GROUP BY error ORDER BY error");
  errors.bind(static_cast<int>(Outcome::fp), static_cast<int>(Outcome::fn), id);
  while (errors.step()) {
    const std::int64_t kind = errors.integer(0);
    if (kind < 0 || kind >= static_cast<std::int64_t>(kErrorKinds)) {
      throw unknown_outcome(key);
    }
    totals.errors.push_back({static_cast<ErrorKind>(kind), errors.integer(1), errors.integer(2)});
  }
  return totals;
}

void remove_evaluation(Database& database, std::string_view key) {
  database.prepare("DELETE FROM evaluations WHERE id = ?").run_with(id_of(database, key));
}

std::optional<EvaluationColumns> read_evaluation(Database& database, const std::optional<std::string>& key,
                                                 const Columns& columns) {
  Statement find = database.prepare("SELECT id, key FROM evaluations WHERE ?1 IS NULL OR key = ?1 ORDER BY id DESC LIMIT 1");
  if (key) {
    find.bind(*key);
  } else {
    find.bind(std::optional<std::int64_t>());
  }
  if (!find.step()) {
    return std::nullopt;
  }
  const std::int64_t id = find.integer(0);
  EvaluationColumns evaluation;
  evaluation.key = find.text(1);
  read_outcomes(database, id, columns, evaluation);
  read_samples(database, id, columns, evaluation);
  return evaluation;
}

}  // namespace verilabel::store
