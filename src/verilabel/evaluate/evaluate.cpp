#include "verilabel/evaluate/evaluate.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {

Evaluation evaluate(const EvaluationInput& input, const EvaluateOptions& options) {
  if (!(options.iou > 0 && options.iou <= 1)) {
    throw Error(ErrorCode::wrong_use, fmt::format("the IoU must be above 0 and at most 1, not {}", options.iou));
  }
  if (options.threshold && std::isnan(*options.threshold)) {
    throw Error(ErrorCode::wrong_use, "the score threshold must be a number");
  }
  // An IoU that is not among the ten of COCO becomes an eleventh, and one matching pass still serves all.
  MatchOptions match_options = coco_match_options(options.iou_type);
  match_options.threads = options.threads;
  match_options.max_detections = options.max_detections;
  match_options.max_detections_of_image = options.max_detections_of_image;
  std::vector<double>& thresholds = match_options.iou_thresholds;
  const auto at = static_cast<std::size_t>(std::find(thresholds.begin(), thresholds.end(), options.iou) - thresholds.begin());
  if (at == thresholds.size()) {
    thresholds.push_back(options.iou);
  }

  const Matching matching = match(input, match_options);
  CocoResult coco;
  if (options.max_detections == kCocoMaxDetections && options.max_detections_of_image == 0) {
    coco = coco_metrics(input, matching);
  } else {
    match_options.max_detections = kCocoMaxDetections;
    match_options.max_detections_of_image = 0;
    coco = coco_metrics(input, match(input, match_options));
  }
  Evaluation result;
  result.coco = coco.metrics;
  result.outcomes = outcomes(input, matching, matching.cell(0, at));
  const OperatingPoints best = best_f1_points(input, result.outcomes, options.threads);
  result.best_f1 = best.overall;
  const OperatingPoints chosen =
      operating_points_at(input, result.outcomes, options.threshold ? options.threshold : best.overall.threshold);
  result.at_threshold = chosen.overall;
  result.per_class.resize(input.classes.size());
  for (std::size_t k = 0; k < result.per_class.size(); ++k) {
    result.per_class[k].coco = coco.per_class[k];
    result.per_class[k].at_threshold = chosen.per_class[k];
    result.per_class[k].best_f1 = best.per_class[k];
  }
  for (const std::uint32_t category : input.truths.category) {
    ++result.per_class[category].truths;
  }
  for (const std::uint32_t category : input.predictions.category) {
    ++result.per_class[category].predictions;
  }
  result.predictions_beyond_limit = std::count(matching.is_within_limit.begin(), matching.is_within_limit.end(), 0);
  return result;
}

}  // namespace verilabel
