#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "verilabel/dataset/evaluation.h"
#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"

namespace verilabel {

inline constexpr std::uint32_t kNoPartner = std::numeric_limits<std::uint32_t>::max();

struct LabelOutcome {
  Outcome outcome = Outcome::ignored;
  std::uint32_t partner = kNoPartner;  ///< of a prediction the index of its truth and the reverse; of a crowd its first prediction
  double iou = 0;                      ///< with the partner; 0 without one
};

/// One outcome a label at one IoU, with every prediction counted whatever its score.
struct Outcomes {
  std::vector<LabelOutcome> predictions;
  std::vector<LabelOutcome> truths;
};

/// Outcomes in one (area range, threshold) cell of `matching`: see `Matching::cell`.
Outcomes outcomes(const EvaluationInput& input, const Matching& matching, std::size_t cell);

/// The same with the predictions below a threshold left out: they become `ignored`, their partners `fn`, and nothing else changes,
/// since a prediction is matched before those below it.
Outcomes outcomes_at(const EvaluationInput& input, Outcomes outcomes, double threshold);

}  // namespace verilabel
