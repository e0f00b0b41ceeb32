#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace verilabel {

/// Candidates of one image, column by column; three spans of matching length.
struct NmsCandidates {
  std::span<const float> boxes_xyxy;  ///< x1, y1, x2, y2 of each, in any unit
  std::span<const float> scores;
  std::span<const std::int32_t> class_ids;  ///< not looked at when suppression ignores classes; may then be empty
};

struct NmsOptions {
  double iou_threshold = 0.65;            ///< a candidate is suppressed by a better one it overlaps by more than this
  bool is_class_aware = true;             ///< suppress only within a class
  std::size_t max_detections = SIZE_MAX;  ///< how many of the best survivors to keep, over all classes
};

/// Greedy non-maximum suppression as torchvision's `nms` does it: by descending score, equal scores in the order given, area
/// (x2 - x1)(y2 - y1) without "+1", all in float32, suppressed when IoU > threshold. Class-aware suppression compares classes
/// directly, without the offset trick and its rounding. Indices of the survivors by descending score; a score that is not a number
/// ranks last. The cost follows what must be looked at to find `max_detections` survivors, not a sort of everything.
std::vector<std::uint32_t> nms(const NmsCandidates& candidates, const NmsOptions& options);

}  // namespace verilabel
