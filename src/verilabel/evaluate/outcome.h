#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"

namespace verilabel {

/// What an evaluation says of one label.
enum class Outcome : std::uint8_t {
  tp,       ///< a prediction or a truth that has its partner
  fp,       ///< a prediction without a partner
  fn,       ///< a truth without a partner
  ignored,  ///< counts neither way: a crowd, a prediction matched with one, a prediction beyond the limit for its image and class
};

std::string_view name_of(Outcome outcome);

inline constexpr std::uint32_t kNoPartner = std::numeric_limits<std::uint32_t>::max();

struct LabelOutcome {
  Outcome outcome = Outcome::ignored;
  std::uint32_t partner = kNoPartner;  ///< of a prediction the index of its truth and the reverse; of a crowd its first prediction
  double iou = 0;                      ///< with the partner; 0 without one
};

/// One outcome a label at one IoU, with every prediction counted whatever its score. At a threshold, predictions below it drop out
/// and their partners become `fn`; nothing else changes.
struct Outcomes {
  std::vector<LabelOutcome> predictions;
  std::vector<LabelOutcome> truths;
};

/// Outcomes in one (area range, threshold) cell of `matching`: see `Matching::cell`.
Outcomes outcomes(const EvaluationInput& input, const Matching& matching, std::size_t cell);

}  // namespace verilabel
