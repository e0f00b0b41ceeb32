#include "verilabel/models/family.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

/// Python's round: half to even.
int rounded(double value) { return static_cast<int>(std::nearbyint(value)); }

std::string_view name_of(OpencvInterpolation interpolation) {
  switch (interpolation) {
    case OpencvInterpolation::nearest:
      return "nearest";
    case OpencvInterpolation::linear:
      return "linear";
    case OpencvInterpolation::cubic:
      return "cubic";
    case OpencvInterpolation::area:
      return "area";
  }
  return "";
}

}  // namespace

LetterboxDetector::LetterboxDetector(const ModelSource& source, std::string family, LetterboxStyle style, PixelScaling scaling, int dynamic_side)
    : style_(style), scaling_(scaling) {
  const TensorInfo& input = source.graph.inputs.front();
  fixed_batch_ = input.shape[0] > 0 ? static_cast<int>(input.shape[0]) : 0;
  input_height_ = input.shape[2] > 0 ? static_cast<int>(input.shape[2]) : dynamic_side;
  input_width_ = input.shape[3] > 0 ? static_cast<int>(input.shape[3]) : dynamic_side;
  const Manifest& manifest = source.manifest;
  scaling_.order = manifest.channel_order.value_or(scaling_.order);
  for (std::size_t channel = 0; channel < 3; ++channel) {
    scaling_.mean[channel] = manifest.mean ? (*manifest.mean)[channel] : scaling_.mean[channel];
    scaling_.scale[channel] = manifest.std ? 1 / (*manifest.std)[channel] : scaling_.scale[channel];
  }
  style_.when_shrinking = manifest.interpolation.value_or(style_.when_shrinking);
  style_.when_growing = manifest.interpolation.value_or(style_.when_growing);
  card_.family = std::move(family);
  card_.preprocessing = fmt::format("{} x {} letterbox ({}, padded with {}), {} when shrinking, {} when growing, {}, mean {} {} {}, scale {:.6g} {:.6g} {:.6g}",
                                    input_width_, input_height_, style_.is_centred ? "centred" : "top left", style_.padding, name_of(style_.when_shrinking),
                                    name_of(style_.when_growing), scaling_.order == ChannelOrder::rgb ? "RGB" : "BGR", scaling_.mean[0], scaling_.mean[1],
                                    scaling_.mean[2], scaling_.scale[0], scaling_.scale[1], scaling_.scale[2]);
}

void LetterboxDetector::take_class_names(const ModelSource& source, std::optional<std::vector<std::string>> graph_names, std::size_t count) {
  if (source.manifest.class_names) {
    class_names_ = *source.manifest.class_names;
    card_.class_source = fmt::format("manifest {}", source.manifest.path.native());
  } else if (graph_names) {
    class_names_ = std::move(*graph_names);
    card_.class_source = "the graph's metadata";
  } else if (count == coco_class_names().size()) {
    class_names_ = coco_class_names();
    card_.class_source = "COCO, by its number of classes";
    notes_.push_back(fmt::format("the {} graph names no classes; its {} are taken to be COCO's. If they are others, list them under class_names in a manifest",
                                 card_.family, count));
  } else {
    throw Error(ErrorCode::bad_model, fmt::format("the graph has {} classes and does not name them; list them as {{\"class_names\": […]}} in "
                                                  "NAME.verilabel.json beside the model", count));
  }
  if (class_names_.size() != count) {
    throw Error(ErrorCode::bad_model, fmt::format("the graph has {} classes, but {} names are given for them", count, class_names_.size()),
                {{"names from", card_.class_source}});
  }
  nms_iou_ = source.manifest.nms_iou.value_or(nms_iou_);
  max_detections_ = source.manifest.max_detections.value_or(max_detections_);
}

DetectOptions LetterboxDetector::default_options() const {
  DetectOptions options;
  options.nms_iou = nms_iou_;
  options.max_detections = max_detections_;
  return options;
}

InputTransform LetterboxDetector::preprocess(const Image& image, std::span<float> input_chw, Image& scratch) const {
  const double ratio = std::min(static_cast<double>(input_width_) / image.width(), static_cast<double>(input_height_) / image.height());
  const auto side = [&](int pixels, int limit) {
    const double exact = pixels * ratio;
    return std::clamp(style_.is_rounded ? rounded(exact) : static_cast<int>(exact), 1, limit);
  };
  const int width = side(image.width(), input_width_);
  const int height = side(image.height(), input_height_);
  // OpenCV's letterboxes round the half pixel of an odd padding to the right and below.
  const int left = style_.is_centred ? rounded((input_width_ - width) / 2.0 - 0.1) : 0;
  const int top = style_.is_centred ? rounded((input_height_ - height) / 2.0 - 0.1) : 0;
  const Image* resized = &image;
  if (width != image.width() || height != image.height()) {
    resize_opencv(image, width, height, ratio < 1 ? style_.when_shrinking : style_.when_growing, scratch);
    resized = &scratch;
  }
  write_planar(*resized, scaling_, input_width_, input_height_, left, top, style_.padding, input_chw);
  return {ratio, ratio, static_cast<double>(left), static_cast<double>(top), image.width(), image.height()};
}

void RawCandidates::add(float x1, float y1, float x2, float y2, float score, std::int32_t class_index, std::uint32_t anchor) {
  boxes_xyxy.insert(boxes_xyxy.end(), {x1, y1, x2, y2});
  scores.push_back(score);
  classes.push_back(class_index);
  anchors.push_back(anchor);
}

bool is_wanted(const DetectOptions& options, std::size_t class_index) {
  return options.is_class_wanted.empty() || options.is_class_wanted[class_index] != 0;
}

void clip_to_image(RawCandidates& raw, const InputTransform& transform) {
  const auto left = static_cast<float>(transform.offset_x);
  const auto top = static_cast<float>(transform.offset_y);
  const auto right = static_cast<float>(transform.offset_x + transform.image_width * transform.scale_x);
  const auto bottom = static_cast<float>(transform.offset_y + transform.image_height * transform.scale_y);
  for (std::size_t i = 0; i < raw.boxes_xyxy.size(); i += 2) {
    raw.boxes_xyxy[i] = std::clamp(raw.boxes_xyxy[i], left, right);
    raw.boxes_xyxy[i + 1] = std::clamp(raw.boxes_xyxy[i + 1], top, bottom);
  }
}

std::vector<std::uint32_t> suppress(const RawCandidates& raw, const DetectOptions& options) {
  return nms({raw.boxes_xyxy, raw.scores, raw.classes}, {options.nms_iou, true, static_cast<std::size_t>(options.max_detections)});
}

Box box_in_image(const RawCandidates& raw, std::size_t index, const InputTransform& transform) {
  const float* box = raw.boxes_xyxy.data() + 4 * index;
  const auto x = [&](float value) { return std::clamp((value - transform.offset_x) / transform.scale_x, 0.0, static_cast<double>(transform.image_width)); };
  const auto y = [&](float value) { return std::clamp((value - transform.offset_y) / transform.scale_y, 0.0, static_cast<double>(transform.image_height)); };
  const double x1 = x(box[0]);
  const double y1 = y(box[1]);
  return {x1, y1, std::max(0.0, x(box[2]) - x1), std::max(0.0, y(box[3]) - y1)};
}

bool has_area(const Box& box) { return box.w > 0 && box.h > 0; }

}  // namespace verilabel
