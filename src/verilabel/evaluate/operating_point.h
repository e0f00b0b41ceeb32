#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

/// What is right and wrong at one score threshold and one IoU. Labels that do not count (crowds, predictions matched with them,
/// predictions beyond the limit) are in none of the three.
struct Counts {
  std::int64_t true_positives = 0;
  std::int64_t false_positives = 0;
  std::int64_t false_negatives = 0;

  std::optional<double> precision() const;  ///< tp / (tp + fp); nothing without predictions
  std::optional<double> recall() const;     ///< tp / (tp + fn); nothing without truths
  std::optional<double> f1() const;         ///< 2 tp / (2 tp + fp + fn); nothing when all three are 0

  Counts& operator+=(const Counts& other);
  friend bool operator==(const Counts&, const Counts&) = default;
};

/// A score threshold and what it yields: predictions with a score at or above it count.
struct OperatingPoint {
  std::optional<double> threshold;  ///< nothing: every prediction counts
  Counts counts;
};

struct OperatingPoints {
  OperatingPoint overall;  ///< counts summed over the classes
  std::vector<OperatingPoint> per_class;
};

/// Counts at one threshold for all classes; nothing means that every prediction counts.
OperatingPoints operating_points_at(const EvaluationInput& input, const Outcomes& outcomes, std::optional<double> threshold);

/// The thresholds of greatest F1: one for all classes together, and one for each class on its own. Exact: every score is tried,
/// with all predictions of that score or above; of equal F1 the higher threshold wins. No threshold where nothing was matched: F1
/// is 0 or undefined whatever one chooses, and the counts are those of all predictions. `threads` as in `MatchOptions`.
OperatingPoints best_f1_points(const EvaluationInput& input, const Outcomes& outcomes, unsigned threads = 0);

}  // namespace verilabel
