#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/outcome.h"
#include "verilabel/evaluate/score_curve.h"

namespace verilabel {

/// How sure a number is, by drawing the images anew with replacement: labels of one image belong together, images do not (Efron,
/// "Bootstrap Methods: Another Look at the Jackknife", 1979; percentile intervals).
struct BootstrapOptions {
  int resamples = 200;
  double confidence = 0.95;  ///< in (0, 1)
  std::uint64_t seed = 0;
  unsigned threads = 0;  ///< 0: one for each processor. The result does not depend on it.

  /// Throws `wrong_use`.
  void validate() const;
};

/// How often each image stands in one resample: as many draws as there are images. SplitMix64 from seed and number, the same on
/// every machine.
std::vector<std::uint32_t> resample_counts(std::size_t images, std::uint64_t seed, std::uint64_t resample);

struct Interval {
  double low = 0;
  double high = 0;
};

/// The middle part of `values` that holds `confidence` of them, between the two nearest where it falls between (`numpy.quantile`,
/// linear). Nothing without values.
std::optional<Interval> percentile_interval(std::vector<double> values, double confidence);

/// Of one class, or of all together.
struct PointIntervals {
  std::optional<Interval> threshold;
  std::optional<Interval> precision;
  std::optional<Interval> recall;
  std::optional<Interval> f1;
  int resamples = 0;  ///< in which the goal was achieved: what the intervals are made of
};

struct ThresholdIntervals {
  PointIntervals overall;
  std::vector<PointIntervals> per_class;
};

/// Chooses the threshold again on each resample, and says between which values it and what it yields fall. Throws `wrong_use`.
ThresholdIntervals bootstrap_thresholds(const EvaluationInput& input, const Outcomes& outcomes, const ThresholdGoal& goal,
                                        const BootstrapOptions& options);

}  // namespace verilabel
