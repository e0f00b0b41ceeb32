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
    CocoStringReader reader;
    for (std::size_t i = block == 0 ? 0 : ends[block - 1]; i < ends[block]; ++i) {
      boxes[i] = tight_box(masks.read(i, reader));
    }
  });
  return boxes;
}

}  // namespace

void LazyMask::choose(const RleColumn& masks, std::uint32_t row) {
  if (masks_ != &masks || row_ != row) {
    masks_ = &masks;
    row_ = row;
    runs_.reset();
    box_.reset();
  }
}

RleView LazyMask::runs() {
  if (!runs_) {
    runs_ = masks_->read(row_, reader_);
  }
  return *runs_;
}

const Box& LazyMask::box() {
  if (!box_) {
    box_ = tight_box(runs());
  }
  return *box_;
}

double mask_overlap(LazyMask& prediction, LazyMask& truth, bool is_crowd) {
  const RleView a = prediction.runs();
  const RleView b = truth.runs();
  return is_crowd ? intersection_over_detection(a, b) : iou(a, b);
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

double Overlaps::of_near(std::uint32_t prediction, std::uint32_t truth, MaskPair& masks) const {
  const bool is_crowd = input_.truths.is_crowd[truth] != 0;
  if (iou_type_ == IouType::mask) {
    masks.prediction.choose(input_.predictions.mask, prediction);
    masks.truth.choose(input_.truths.mask, truth);
    return mask_overlap(masks.prediction, masks.truth, is_crowd);
  }
  return box_overlap(input_.predictions.box_xywh_px[prediction], input_.truths.box_xywh_px[truth], is_crowd);
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
