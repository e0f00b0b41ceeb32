#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"

namespace verilabel {

/// IoU thresholds .50, .55, … .95; areas all, small (to 32²), medium (32² to 96²), large (from 96²); 100 detections.
/// Predictions of one class on one image that COCO looks at.
inline constexpr std::uint32_t kCocoMaxDetections = 100;

MatchOptions coco_match_options(IouType iou_type = IouType::box);

/// The twelve numbers of COCO in the order of pycocotools' `stats`. Nothing where no class has a truth in the area range.
struct CocoMetrics {
  std::optional<double> map;
  std::optional<double> map_50;
  std::optional<double> map_75;
  std::optional<double> map_small;
  std::optional<double> map_medium;
  std::optional<double> map_large;
  std::optional<double> ar_1;
  std::optional<double> ar_10;
  std::optional<double> ar_100;
  std::optional<double> ar_small;
  std::optional<double> ar_medium;
  std::optional<double> ar_large;

  /// Name as in JSON (`mAP`, `mAP_50`, … `AR_large`) and value, in the order above.
  std::array<std::pair<std::string_view, std::optional<double>>, 12> named() const;
};

struct CocoClassMetrics {
  std::optional<double> ap;  ///< mean over the ten thresholds; nothing without truth
  std::optional<double> ap_50;
};

struct CocoResult {
  CocoMetrics metrics;
  std::vector<CocoClassMetrics> per_class;  ///< in the order of `input.classes`
};

/// COCO average precision and recall, the same doubles as pycocotools 2.0 (`COCOeval.accumulate`, `summarize`; sums in NumPy's
/// pairwise order). `matching` comes from `input` with `coco_match_options`, further thresholds after its ten allowed.
CocoResult coco_metrics(const EvaluationInput& input, const Matching& matching);

}  // namespace verilabel
