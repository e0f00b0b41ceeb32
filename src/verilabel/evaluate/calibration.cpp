#include "verilabel/evaluate/calibration.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/input_check.h"

namespace verilabel {
namespace {

struct Sums {
  std::int64_t count = 0;
  std::int64_t right = 0;
  double score = 0;

  double gap() const { return std::abs(score - static_cast<double>(right)) / static_cast<double>(count); }
};

std::optional<double> expected_error(std::span<const Sums> bins) {
  double gap = 0;
  std::int64_t count = 0;
  for (const Sums& bin : bins) {
    gap += std::abs(bin.score - static_cast<double>(bin.right));
    count += bin.count;
  }
  return count == 0 ? std::nullopt : std::optional(gap / static_cast<double>(count));
}

}  // namespace

Calibration calibration(const EvaluationInput& input, const Outcomes& outcomes, int bins) {
  if (bins < 1) {
    throw Error(ErrorCode::wrong_use, "calibration needs at least one bin");
  }
  if (outcomes.predictions.size() != input.predictions.size()) {
    throw Error(ErrorCode::wrong_use, "these outcomes are of other truths and predictions");
  }
  check_scores(input);
  const auto count = static_cast<std::size_t>(bins);
  std::vector<Sums> overall(count);
  std::vector<Sums> per_class(count * input.classes.size());
  Calibration result;
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    const Outcome outcome = outcomes.predictions[i].outcome;
    if (outcome == Outcome::ignored) {
      continue;
    }
    ++result.predictions;
    const double score = input.predictions.score[i];
    if (!(score >= 0 && score <= 1)) {
      ++result.scores_outside;
      continue;
    }
    const std::size_t bin = std::min(count - 1, static_cast<std::size_t>(score * static_cast<double>(bins)));
    for (Sums* const sums : {&overall[bin], &per_class[input.predictions.category[i] * count + bin]}) {
      ++sums->count;
      sums->right += outcome == Outcome::tp ? 1 : 0;
      sums->score += score;
    }
  }
  for (std::size_t bin = 0; bin < count; ++bin) {
    const Sums& sums = overall[bin];
    ReliabilityBin row{static_cast<double>(bin) / bins, static_cast<double>(bin + 1) / bins, sums.count, {}, {}};
    if (sums.count > 0) {
      row.mean_score = sums.score / static_cast<double>(sums.count);
      row.accuracy = static_cast<double>(sums.right) / static_cast<double>(sums.count);
      result.greatest_error = std::max(result.greatest_error.value_or(0), sums.gap());
    }
    result.bins.push_back(row);
  }
  result.expected_error = expected_error(overall);
  for (std::size_t k = 0; k < input.classes.size(); ++k) {
    result.expected_error_per_class.push_back(expected_error(std::span(per_class).subspan(k * count, count)));
  }
  return result;
}

}  // namespace verilabel
