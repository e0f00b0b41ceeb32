#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"

// What those who compare label with label share. Private to the module.
namespace verilabel {

/// Whether two boxes of finite numbers share nothing: then geometry's `iou` is 0. The same comparisons, without a call.
inline bool is_apart(const Box& a, const Box& b) {
  return std::min(a.x + a.w, b.x + b.w) <= std::max(a.x, b.x) || std::min(a.y + a.h, b.y + b.h) <= std::max(a.y, b.y);
}

/// How much a prediction overlaps a truth of its image: IoU, or, of a crowd, intersection over the prediction's area; the doubles
/// of pycocotools. Masks must have passed `check_masks` when they are asked for.
double overlap_of(const EvaluationInput& input, IouType iou_type, std::uint32_t prediction, std::uint32_t truth);

/// `overlap_of` for many pairs, most of which are apart. The input must outlive it.
class Overlaps {
 public:
  Overlaps(const EvaluationInput& input, IouType iou_type, unsigned threads);

  double of(std::uint32_t prediction, std::uint32_t truth) const {
    return is_apart(prediction_boxes_[prediction], truth_boxes_[truth]) ? 0 : overlap_of(input_, iou_type_, prediction, truth);
  }

 private:
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
