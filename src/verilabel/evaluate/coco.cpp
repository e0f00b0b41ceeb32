#include "verilabel/evaluate/coco.h"

#include "verilabel/base/error.h"
#include "verilabel/evaluate/coco_curves.h"

namespace verilabel {
namespace {

CocoMetrics summarise(std::span<const ClassCurves* const> classes) {
  using Recall = std::array<double, kCocoThresholds>;
  const auto recall = [&](std::size_t range) {
    return mean_recall(classes, range,
                       [](const ClassCurves& curves, std::size_t at) -> const Recall& { return curves.recall[at]; });
  };
  return {
      .map = mean_precision(classes, 0, 0, kCocoThresholds),
      .map_50 = mean_precision(classes, 0, 0, 1),
      .map_75 = mean_precision(classes, 0, 5, 6),
      .map_small = mean_precision(classes, 1, 0, kCocoThresholds),
      .map_medium = mean_precision(classes, 2, 0, kCocoThresholds),
      .map_large = mean_precision(classes, 3, 0, kCocoThresholds),
      .ar_1 = mean_recall(classes, 0, [](const ClassCurves& curves, std::size_t) -> const Recall& { return curves.recall_1; }),
      .ar_10 = mean_recall(classes, 0, [](const ClassCurves& curves, std::size_t) -> const Recall& { return curves.recall_10; }),
      .ar_100 = recall(0),
      .ar_small = recall(1),
      .ar_medium = recall(2),
      .ar_large = recall(3),
  };
}

}  // namespace

MatchOptions coco_match_options(IouType iou_type) {
  MatchOptions options;
  options.iou_type = iou_type;
  options.iou_thresholds.clear();
  for (std::size_t i = 0; i < kCocoThresholds; ++i) {
    options.iou_thresholds.push_back(linspace(.5, .95, kCocoThresholds, i));
  }
  constexpr double small = 32 * 32;
  constexpr double large = 96 * 96;
  constexpr double everything = 1e5 * 1e5;
  options.area_ranges = {{0, everything}, {0, small}, {small, large}, {large, everything}};
  options.max_detections = kCocoMaxDetections;
  return options;
}

std::array<std::pair<std::string_view, std::optional<double>>, 12> CocoMetrics::named() const {
  return {{{"mAP", map},
           {"mAP_50", map_50},
           {"mAP_75", map_75},
           {"mAP_small", map_small},
           {"mAP_medium", map_medium},
           {"mAP_large", map_large},
           {"AR_1", ar_1},
           {"AR_10", ar_10},
           {"AR_100", ar_100},
           {"AR_small", ar_small},
           {"AR_medium", ar_medium},
           {"AR_large", ar_large}}};
}

CocoResult coco_metrics(const EvaluationInput& input, const Matching& matching) {
  if (matching.options.max_detections != kCocoMaxDetections) {
    throw Error(ErrorCode::wrong_use, "COCO metrics take a matching pass made with coco_match_options");
  }
  const std::vector<ClassCurves> curves = class_curves(input, matching);
  CocoResult result;
  result.metrics = summarise(by_class_id(input, curves));
  for (const ClassCurves& one : curves) {
    const ClassCurves* const alone = &one;
    result.per_class.push_back({mean_precision({&alone, 1}, 0, 0, kCocoThresholds), mean_precision({&alone, 1}, 0, 0, 1)});
  }
  return result;
}

}  // namespace verilabel
