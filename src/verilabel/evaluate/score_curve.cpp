#include "verilabel/evaluate/score_curve.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/input_check.h"

namespace verilabel {

class ScoreCurveBuilder {
 public:
  /// One prediction.
  struct Scored {
    double threshold;
    bool is_right;
    std::int64_t right() const { return is_right ? 1 : 0; }
    std::int64_t wrong() const { return is_right ? 0 : 1; }
  };
  /// All predictions of a curve that a threshold lets in and the next higher one does not.
  struct Step {
    double threshold;
    Counts counts;
    std::int64_t right() const { return counts.true_positives; }
    std::int64_t wrong() const { return counts.false_positives; }
  };

  template <typename Part>
  static ScoreCurve build(std::vector<Part> parts, std::int64_t truths) {
    std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.threshold > b.threshold; });
    ScoreCurve curve;
    curve.truths_ = truths;
    std::int64_t right = 0;
    std::int64_t wrong = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      right += parts[i].right();
      wrong += parts[i].wrong();
      const bool is_last_of_threshold = i + 1 == parts.size() || parts[i + 1].threshold != parts[i].threshold;
      if (is_last_of_threshold) {
        curve.thresholds_.push_back(parts[i].threshold);
        curve.true_positives_.push_back(right);
        curve.false_positives_.push_back(wrong);
      }
    }
    return curve;
  }
};

Counts ScoreCurve::at(std::optional<double> threshold) const {
  const auto end =
      threshold ? std::upper_bound(thresholds_.begin(), thresholds_.end(), *threshold, std::greater<>()) : thresholds_.end();
  return end == thresholds_.begin() ? Counts{0, 0, truths_} : counts(static_cast<std::size_t>(end - thresholds_.begin()) - 1);
}

ScoreCurves score_curves(const EvaluationInput& input, const Outcomes& outcomes, unsigned threads) {
  check_outcomes(input, outcomes);
  check_scores(input);
  const std::size_t classes = input.classes.size();
  std::vector<std::vector<ScoreCurveBuilder::Scored>> scored(classes + 1);  // the last is that of all
  std::vector<std::int64_t> truths(classes + 1, 0);
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    const Outcome outcome = outcomes.predictions[i].outcome;
    if (outcome != Outcome::ignored) {
      const ScoreCurveBuilder::Scored one{input.predictions.score[i], outcome == Outcome::tp};
      scored[input.predictions.category[i]].push_back(one);
      scored.back().push_back(one);
    }
  }
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    const std::int64_t counts = outcomes.truths[i].outcome == Outcome::ignored ? 0 : 1;
    truths[input.truths.category[i]] += counts;
    truths.back() += counts;
  }
  std::vector<ScoreCurve> curves(classes + 1);
  // The largest first.
  for_each_in_parallel(classes + 1, threads, [&](std::size_t i) {
    const std::size_t k = classes - i;
    curves[k] = ScoreCurveBuilder::build(std::move(scored[k]), truths[k]);
  });
  ScoreCurves result;
  result.overall = std::move(curves.back());
  curves.pop_back();
  result.per_class = std::move(curves);
  return result;
}

ScoreCurve sum_of(const std::vector<const ScoreCurve*>& curves) {
  std::vector<ScoreCurveBuilder::Step> steps;
  std::int64_t truths = 0;
  for (const ScoreCurve* curve : curves) {
    truths += curve->truths();
    Counts before;
    for (std::size_t i = 0; i < curve->size(); ++i) {
      const Counts counts = curve->counts(i);
      steps.push_back({curve->thresholds()[i],
                       {counts.true_positives - before.true_positives, counts.false_positives - before.false_positives, 0}});
      before = counts;
    }
  }
  return ScoreCurveBuilder::build(std::move(steps), truths);
}

void ThresholdGoal::validate() const {
  constexpr double greatest_beta = 1000;  // far beyond use, and far from where its square takes the rest of a sum with it
  const bool is_good = value > 0 && value <= (kind == Kind::f_beta ? greatest_beta : 1);
  if (!is_good) {
    throw Error(ErrorCode::wrong_use,
                kind == Kind::f_beta ? fmt::format("beta must be above 0 and at most {}, not {}", greatest_beta, value)
                                     : fmt::format("a wanted precision or recall must be above 0 and at most 1, not {}", value));
  }
}

std::optional<double> f_beta(const Counts& counts, double beta) {
  const double weight = beta * beta;
  const double right = (1 + weight) * static_cast<double>(counts.true_positives);
  const double divisor = right + weight * static_cast<double>(counts.false_negatives) + static_cast<double>(counts.false_positives);
  return divisor == 0 ? std::nullopt : std::optional(right / divisor);
}

bool ThresholdSearch::offer(const OperatingPoint& point) {
  const Counts& counts = point.counts;
  switch (goal_.kind) {
    case ThresholdGoal::Kind::f_beta:
      // A quotient of whole numbers is rounded once, so that equal F1 are equal doubles.
      if (const double f = f_beta(counts, goal_.value).value_or(0); f > greatest_) {
        greatest_ = f;
        best_ = point;
      }
      return false;
    case ThresholdGoal::Kind::precision:
      if (counts.true_positives > 0 && *counts.precision() >= goal_.value) {
        best_ = point;
      }
      return false;
    case ThresholdGoal::Kind::recall:
      if (truths_ > 0 && *counts.recall() >= goal_.value) {
        best_ = point;
      }
      return best_.has_value();
  }
  return false;
}

std::optional<OperatingPoint> point_for(const ScoreCurve& curve, const ThresholdGoal& goal) {
  goal.validate();
  ThresholdSearch search(goal, curve.truths());
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (search.offer({curve.thresholds()[i], curve.counts(i)})) {
      break;
    }
  }
  return search.best();
}

}  // namespace verilabel
