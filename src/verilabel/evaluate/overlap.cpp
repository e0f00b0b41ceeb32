#include "verilabel/evaluate/overlap.h"

#include <utility>

#include <fmt/format.h>

#include "verilabel/base/parallel.h"

namespace verilabel {
namespace {

std::vector<Box> tight_boxes(const RleColumn& masks, unsigned threads) {
  constexpr std::size_t kMasksOfABlock = 1024;
  std::vector<Box> boxes(masks.size());
  const std::vector<std::size_t> ends = range_ends(masks.size(), kMasksOfABlock);
  for_each_in_parallel(ends.size(), threads, [&](std::size_t block) {
    for (std::size_t i = block == 0 ? 0 : ends[block - 1]; i < ends[block]; ++i) {
      boxes[i] = tight_box(masks[i]);
    }
  });
  return boxes;
}

}  // namespace
double overlap_of(const EvaluationInput& input, IouType iou_type, std::uint32_t prediction, std::uint32_t truth) {
  if (iou_type == IouType::mask) {
    const RleView a = input.predictions.mask[prediction];
    const RleView b = input.truths.mask[truth];
    return input.truths.is_crowd[truth] != 0 ? intersection_over_detection(a, b) : iou(a, b);
  }
  const Box& a = input.predictions.box_xywh_px[prediction];
  const Box& b = input.truths.box_xywh_px[truth];
  return input.truths.is_crowd[truth] != 0 ? intersection_over_detection(a, b) : iou(a, b);
}

Overlaps::Overlaps(const EvaluationInput& input, IouType iou_type, unsigned threads)
    : input_(input), iou_type_(iou_type), prediction_boxes_(input.predictions.box_xywh_px), truth_boxes_(input.truths.box_xywh_px) {
  if (iou_type == IouType::mask) {
    around_predictions_ = tight_boxes(input.predictions.mask, threads);
    around_truths_ = tight_boxes(input.truths.mask, threads);
    prediction_boxes_ = around_predictions_;
    truth_boxes_ = around_truths_;
  }
}

Error label_error(const EvaluationInput& input, std::string message, std::uint32_t image, const ErrorContext& more) {
  ErrorContext context;
  if (!input.images.name.empty()) {
    context.emplace_back("sample", input.images.name[image]);
  }
  context.emplace_back("image_id", fmt::to_string(input.images.id[image]));
  context.insert(context.end(), more.begin(), more.end());
  return {ErrorCode::bad_data, std::move(message), std::move(context)};
}

}  // namespace verilabel
