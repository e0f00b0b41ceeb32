#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"
#include "verilabel/geometry/coco_string.h"

// What those who compare label with label share. Private to the module.
namespace verilabel {

/// Whether two boxes of finite numbers share nothing: then geometry's `iou` is 0. The same comparisons, without a call.
inline bool is_apart(const Box& a, const Box& b) {
  return std::min(a.x + a.w, b.x + b.w) <= std::max(a.x, b.x) || std::min(a.y + a.h, b.y + b.h) <= std::max(a.y, b.y);
}

/// One mask of a column, read when it is first asked for, in memory that is used again.
class LazyMask {
 public:
  void choose(const RleColumn& masks, std::uint32_t row);
  /// Valid until another is chosen.
  RleView runs();
  /// `tight_box` of it.
  const Box& box();

 private:
  const RleColumn* masks_ = nullptr;
  std::uint32_t row_ = 0;
  CocoStringReader reader_;
  std::optional<RleView> runs_;
  std::optional<Box> box_;
};

struct MaskPair {
  LazyMask prediction;
  LazyMask truth;
};

/// How much a prediction overlaps a truth: IoU, or, of a crowd, intersection over the prediction's area; the doubles of
/// pycocotools.
double mask_overlap(LazyMask& prediction, LazyMask& truth, bool is_crowd);
inline double box_overlap(const Box& prediction, const Box& truth, bool is_crowd) {
  return is_crowd ? intersection_over_detection(prediction, truth) : iou(prediction, truth);
}

/// The overlaps of many pairs on one image each, most of which are apart. Masks must have passed `check_masks` when they are asked
/// for. The input must outlive it.
class Overlaps {
 public:
  Overlaps(const EvaluationInput& input, IouType iou_type, unsigned threads);

  /// `masks` belongs to the caller's thread: what was read last need not be read again.
  double of(std::uint32_t prediction, std::uint32_t truth, MaskPair& masks) const {
    return is_apart(prediction_boxes_[prediction], truth_boxes_[truth]) ? 0 : of_near(prediction, truth, masks);
  }

  /// Of masks the boxes around their pixels: what overlaps is not apart from each other.
  std::span<const Box> prediction_boxes() const { return prediction_boxes_; }
  std::span<const Box> truth_boxes() const { return truth_boxes_; }

 private:
  double of_near(std::uint32_t prediction, std::uint32_t truth, MaskPair& masks) const;

  const EvaluationInput& input_;
  IouType iou_type_;
  std::vector<Box> around_predictions_;  ///< of masks only, the boxes around their pixels
  std::vector<Box> around_truths_;
  std::span<const Box> prediction_boxes_;
  std::span<const Box> truth_boxes_;
};

/// A `bad_data` error about a label on that image.
Error label_error(const EvaluationInput& input, std::string message, std::uint32_t image, const ErrorContext& more);

}  // namespace verilabel
