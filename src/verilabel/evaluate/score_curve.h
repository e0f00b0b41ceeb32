#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/operating_point.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

/// What is right and wrong at every score threshold: of one class, or of all together. Asking it costs a search, not a pass.
class ScoreCurve {
 public:
  /// Distinct scores of the predictions that count, from high to low: the thresholds at which anything changes.
  const std::vector<double>& thresholds() const { return thresholds_; }
  std::int64_t truths() const { return truths_; }  ///< those that count
  std::size_t size() const { return thresholds_.size(); }
  /// With every prediction of at least `thresholds()[i]`.
  Counts counts(std::size_t i) const { return {true_positives_[i], false_positives_[i], truths_ - true_positives_[i]}; }
  /// With every prediction of at least `threshold`; nothing means all of them.
  Counts at(std::optional<double> threshold) const;

 private:
  friend class ScoreCurveBuilder;
  std::vector<double> thresholds_;
  std::vector<std::int64_t> true_positives_;  ///< summed from the highest score down, like what follows
  std::vector<std::int64_t> false_positives_;
  std::int64_t truths_ = 0;
};

struct ScoreCurves {
  ScoreCurve overall;  ///< counts summed over the classes
  std::vector<ScoreCurve> per_class;
};

/// From the outcomes of one matching pass. `threads` as in `MatchOptions`. Throws `wrong_use` for other outcomes; `bad_data`,
/// naming the sample, for a score that is not finite.
ScoreCurves score_curves(const EvaluationInput& input, const Outcomes& outcomes, unsigned threads = 0);

/// What is right and wrong at every score threshold of several curves, no prediction being in two of them.
ScoreCurve sum_of(const std::vector<const ScoreCurve*>& curves);

/// What a threshold is to achieve.
struct ThresholdGoal {
  enum class Kind : std::uint8_t {
    f_beta,     ///< the greatest F-beta; `value` is beta: above 1 recall weighs more, below 1 precision
    precision,  ///< the most recall with a precision of at least `value`
    recall,     ///< the highest threshold with a recall of at least `value`
  };
  Kind kind = Kind::f_beta;
  double value = 1;

  /// Throws `wrong_use` for a beta outside (0, 1000], a precision or recall outside (0, 1].
  void validate() const;
};

/// (1 + β²) tp / ((1 + β²) tp + β² fn + fp); nothing when all three are 0.
std::optional<double> f_beta(const Counts& counts, double beta);

/// Looks for the threshold that achieves a goal, from the highest down.
class ThresholdSearch {
 public:
  ThresholdSearch(const ThresholdGoal& goal, std::int64_t truths) : goal_(goal), truths_(truths) {}
  /// The next lower threshold and its counts. True when none below it can be better.
  bool offer(const OperatingPoint& point);
  const std::optional<OperatingPoint>& best() const { return best_; }

 private:
  ThresholdGoal goal_;
  std::int64_t truths_;
  std::optional<OperatingPoint> best_;
  double greatest_ = 0;
};

/// The threshold that achieves the goal. Exact: every score is tried. Of equal F-beta the highest threshold wins; for a wanted
/// precision the lowest threshold that has it; for a wanted recall the highest. Nothing when no threshold achieves it, or, for
/// F-beta, when nothing is right whatever one chooses.
std::optional<OperatingPoint> point_for(const ScoreCurve& curve, const ThresholdGoal& goal);

}  // namespace verilabel
