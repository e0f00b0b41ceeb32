#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

/// Predictions whose scores lie in one part of [0, 1].
struct ReliabilityBin {
  double least = 0;     ///< included
  double greatest = 0;  ///< excluded, except in the last bin
  std::int64_t count = 0;
  std::optional<double> mean_score;  ///< nothing in an empty bin
  std::optional<double> accuracy;    ///< part that is right
};

struct Calibration {
  std::vector<ReliabilityBin> bins;
  std::int64_t predictions = 0;          ///< that count
  std::int64_t scores_outside = 0;       ///< of those: not within [0, 1], and in no bin
  std::optional<double> expected_error;  ///< mean gap between score and accuracy over the predictions in bins (Guo et al., 2017)
  std::optional<double> greatest_error;  ///< the greatest gap of a bin
  std::vector<std::optional<double>> expected_error_per_class;
};

/// Whether scores mean what they say: of predictions with a score of 0.7, seven in ten should be right. Ignored predictions are
/// left out. Throws `wrong_use` for no bin and for other outcomes; `bad_data`, naming the sample, for a score that is not finite.
Calibration calibration(const EvaluationInput& input, const Outcomes& outcomes, int bins = 10);

}  // namespace verilabel
