#include "verilabel/evaluate/outcome.h"

#include "verilabel/base/error.h"

namespace verilabel {

Outcomes outcomes(const EvaluationInput& input, const Matching& matching, std::size_t cell) {
  if (cell >= matching.options.iou_thresholds.size() * matching.options.area_ranges.size()) {
    throw Error(ErrorCode::wrong_use, "this matching pass has no such pair of area range and IoU threshold");
  }
  if (matching.prediction_order.size() != input.predictions.size() || matching.truth_ignored.size() != input.truths.size()) {
    throw Error(ErrorCode::wrong_use, "this matching pass was made from other truths and predictions");
  }
  const std::size_t range = cell / matching.options.iou_thresholds.size();
  const CellMask bit = CellMask{1} << cell;
  Outcomes all;
  all.predictions.resize(input.predictions.size());
  for (std::size_t i = 0; i < all.predictions.size(); ++i) {
    const bool counts = matching.is_within_limit[i] != 0 && (std::uint32_t{matching.prediction_ranges[i]} >> range & 1U) != 0;
    all.predictions[i].outcome = counts ? Outcome::fp : Outcome::ignored;
  }
  all.truths.resize(input.truths.size());
  for (std::size_t i = 0; i < all.truths.size(); ++i) {
    all.truths[i].outcome = (matching.truth_ignored[i] & bit) != 0 ? Outcome::ignored : Outcome::fn;
  }
  for (const Match& match : matching.matches) {
    if ((match.cells & bit) == 0) {
      continue;
    }
    const bool counts = (matching.truth_ignored[match.truth] & bit) == 0;
    all.predictions[match.prediction] = {counts ? Outcome::tp : Outcome::ignored, match.truth, match.iou};
    LabelOutcome& truth = all.truths[match.truth];
    if (truth.partner == kNoPartner) {
      truth = {counts ? Outcome::tp : Outcome::ignored, match.prediction, match.iou};
    }
  }
  return all;
}

Outcomes outcomes_at(const EvaluationInput& input, Outcomes outcomes, double threshold) {
  for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
    if (input.predictions.score[i] >= threshold) {
      continue;
    }
    LabelOutcome& prediction = outcomes.predictions[i];
    if (prediction.partner != kNoPartner) {
      LabelOutcome& truth = outcomes.truths[prediction.partner];
      if (truth.partner == i) {
        truth = {truth.outcome == Outcome::tp ? Outcome::fn : truth.outcome, kNoPartner, 0};
      }
    }
    prediction = {};
  }
  return outcomes;
}

}  // namespace verilabel
