#include "verilabel/evaluate/overlap.h"

#include <utility>

#include <fmt/format.h>

namespace verilabel {
namespace {

double mask_overlap(const EvaluationInput& input, std::uint32_t prediction, std::uint32_t truth) {
  const Rle& a = input.predictions.mask[prediction];
  const Rle& b = input.truths.mask[truth];
  if (a.height != b.height || a.width != b.width) {
    throw label_error(input,
                      fmt::format("a predicted mask is {} × {} pixels and a true one {} × {}; bring both to the size of the image",
                                  a.width, a.height, b.width, b.height),
                      input.truths.image[truth], {{"prediction", fmt::to_string(prediction)}, {"truth", fmt::to_string(truth)}});
  }
  return input.truths.is_crowd[truth] != 0 ? intersection_over_detection(a, b) : iou(a, b);
}

}  // namespace

double overlap_of(const EvaluationInput& input, IouType iou_type, std::uint32_t prediction, std::uint32_t truth) {
  if (iou_type == IouType::mask) {
    return mask_overlap(input, prediction, truth);
  }
  const Box& a = input.predictions.box_xywh_px[prediction];
  const Box& b = input.truths.box_xywh_px[truth];
  return input.truths.is_crowd[truth] != 0 ? intersection_over_detection(a, b) : iou(a, b);
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
