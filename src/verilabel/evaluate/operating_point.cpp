#include "verilabel/evaluate/operating_point.h"

#include <algorithm>
#include <functional>
#include <span>

#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/input_check.h"
#include "verilabel/evaluate/score_index.h"

namespace verilabel {
namespace {

std::optional<double> ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) {
    return std::nullopt;
  }
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// Truths that count, by class, and the sum over all classes after them.
std::vector<std::int64_t> count_truths(const EvaluationInput& input, const Outcomes& outcomes) {
  std::vector<std::int64_t> truths(input.classes.size() + 1);
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    if (outcomes.truths[i].outcome != Outcome::ignored) {
      ++truths[input.truths.category[i]];
      ++truths.back();
    }
  }
  return truths;
}

/// Right and wrong predictions that a threshold lets in and the next higher one does not.
struct Step {
  std::uint32_t true_positives = 0;
  std::uint32_t false_positives = 0;
};

/// For each class, and for all together after them, the scores of its true positives: each once, best first. F1 rises only where a
/// true positive is added, so that no other score can be the best threshold; what lies between two of them only has to be counted.
struct Thresholds {
  std::vector<double> scores;
  std::vector<std::size_t> begin;   ///< of each class in `scores`, of all, and the end
  std::vector<ScoreIndex> indices;  ///< of each class, and of all

  /// The index in `scores` of the highest threshold of the class that lets the score in; the end of the class if none does.
  std::size_t find(std::size_t category, double score) const {
    const auto [from, to] = indices[category].narrow(score);
    const auto first = scores.begin() + static_cast<std::ptrdiff_t>(begin[category] + from);
    const auto last = scores.begin() + static_cast<std::ptrdiff_t>(begin[category] + to);
    return static_cast<std::size_t>(std::lower_bound(first, last, score, std::greater<>()) - scores.begin());
  }
};

Thresholds collect_thresholds(const EvaluationInput& input, const Outcomes& outcomes) {
  std::vector<std::vector<double>> scores(input.classes.size() + 1);
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    if (outcomes.predictions[i].outcome == Outcome::tp) {
      scores[input.predictions.category[i]].push_back(input.predictions.score[i]);
      scores.back().push_back(input.predictions.score[i]);
    }
  }
  Thresholds thresholds;
  for (std::vector<double>& of_class : scores) {
    std::sort(of_class.begin(), of_class.end(), std::greater<>());
    of_class.erase(std::unique(of_class.begin(), of_class.end()), of_class.end());
    thresholds.begin.push_back(thresholds.scores.size());
    thresholds.scores.insert(thresholds.scores.end(), of_class.begin(), of_class.end());
    thresholds.indices.emplace_back(of_class);
  }
  thresholds.begin.push_back(thresholds.scores.size());
  return thresholds;
}

/// One step for each threshold; predictions below the lowest threshold of their class are in none.
std::vector<Step> count_steps(const EvaluationInput& input, const Outcomes& outcomes, const Thresholds& thresholds,
                              unsigned threads) {
  const std::size_t overall = input.classes.size();
  // Each thread counts a stretch of the predictions for itself; whole numbers add up the same in any order.
  const std::size_t stretch = std::max<std::size_t>(16384, input.predictions.size() / thread_count(threads) + 1);
  const std::vector<std::size_t> ends = range_ends(input.predictions.size(), stretch);
  std::vector<std::vector<Step>> parts(ends.size());
  for_each_in_parallel(ends.size(), threads, [&](std::size_t part) {
    std::vector<Step>& steps = parts[part];
    steps.resize(thresholds.scores.size());
    for (std::size_t i = part == 0 ? 0 : ends[part - 1]; i < ends[part]; ++i) {
      const Outcome outcome = outcomes.predictions[i].outcome;
      if (outcome == Outcome::ignored) {
        continue;
      }
      for (const std::size_t category : {std::size_t{input.predictions.category[i]}, overall}) {
        const std::size_t at = thresholds.find(category, input.predictions.score[i]);
        if (at < thresholds.begin[category + 1]) {
          (outcome == Outcome::tp ? steps[at].true_positives : steps[at].false_positives) += 1;
        }
      }
    }
  });
  std::vector<Step> sum(thresholds.scores.size());
  for (const std::vector<Step>& steps : parts) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i].true_positives += steps[i].true_positives;
      sum[i].false_positives += steps[i].false_positives;
    }
  }
  return sum;
}

/// Whether the F1 of `a` is greater. Compares the fractions 2 tp / (2 tp + fp + fn) in whole numbers, so that equal is equal; they
/// stay below 2^63 for up to 10^9 labels.
bool has_greater_f1(const Counts& a, const Counts& b) {
  const auto divisor = [](const Counts& counts) {
    return 2 * counts.true_positives + counts.false_positives + counts.false_negatives;
  };
  return a.true_positives * divisor(b) > b.true_positives * divisor(a);
}

OperatingPoint best_point(std::span<const double> scores, std::span<const Step> steps, std::int64_t truths) {
  OperatingPoint best;
  Counts counts{0, 0, truths};
  for (std::size_t i = 0; i < scores.size(); ++i) {
    counts.true_positives += steps[i].true_positives;
    counts.false_positives += steps[i].false_positives;
    counts.false_negatives = truths - counts.true_positives;
    // Thresholds fall, so that the higher of two equally good ones is there first.
    if (!best.threshold || has_greater_f1(counts, best.counts)) {
      best = {scores[i], counts};
    }
  }
  return best;
}

}  // namespace

std::optional<double> Counts::precision() const {
  return ratio(true_positives, true_positives + false_positives);
}

std::optional<double> Counts::recall() const {
  return ratio(true_positives, true_positives + false_negatives);
}

std::optional<double> Counts::f1() const {
  return ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives);
}

Counts& Counts::operator+=(const Counts& other) {
  true_positives += other.true_positives;
  false_positives += other.false_positives;
  false_negatives += other.false_negatives;
  return *this;
}

OperatingPoints operating_points_at(const EvaluationInput& input, const Outcomes& outcomes, std::optional<double> threshold) {
  check_outcomes(input, outcomes);
  const std::vector<std::int64_t> truths = count_truths(input, outcomes);
  OperatingPoints points;
  points.overall.threshold = threshold;
  points.per_class.assign(input.classes.size(), {threshold, {}});
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    if (threshold && input.predictions.score[i] < *threshold) {
      continue;
    }
    Counts& counts = points.per_class[input.predictions.category[i]].counts;
    counts.true_positives += outcomes.predictions[i].outcome == Outcome::tp ? 1 : 0;
    counts.false_positives += outcomes.predictions[i].outcome == Outcome::fp ? 1 : 0;
  }
  for (std::size_t k = 0; k < points.per_class.size(); ++k) {
    Counts& counts = points.per_class[k].counts;
    counts.false_negatives = truths[k] - counts.true_positives;
    points.overall.counts += counts;
  }
  return points;
}

OperatingPoints best_f1_points(const EvaluationInput& input, const Outcomes& outcomes, unsigned threads) {
  check_outcomes(input, outcomes);
  const std::vector<std::int64_t> truths = count_truths(input, outcomes);
  const Thresholds thresholds = collect_thresholds(input, outcomes);
  const std::vector<Step> steps = count_steps(input, outcomes, thresholds, threads);
  const auto best_of = [&](std::size_t category) {
    const std::size_t first = thresholds.begin[category];
    const std::size_t count = thresholds.begin[category + 1] - first;
    return best_point(std::span(thresholds.scores).subspan(first, count), std::span(steps).subspan(first, count), truths[category]);
  };
  const OperatingPoints everything = operating_points_at(input, outcomes, std::nullopt);
  OperatingPoints points;
  points.overall = best_of(input.classes.size());
  if (!points.overall.threshold) {
    points.overall = everything.overall;
  }
  for (std::size_t k = 0; k < input.classes.size(); ++k) {
    points.per_class.push_back(best_of(k));
    if (!points.per_class.back().threshold) {
      points.per_class.back() = everything.per_class[k];
    }
  }
  return points;
}

}  // namespace verilabel
