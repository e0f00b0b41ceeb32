#include "verilabel/models/family.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

/// Python's round: half to even.
int rounded(double value) {
  return static_cast<int>(std::nearbyint(value));
}

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

std::string text_of(const FitStyle& style) {
  switch (style.fit) {
    case Fit::letterbox_corner:
      return fmt::format("letterbox (top left, padded with {})", style.padding);
    case Fit::letterbox_centre:
      return fmt::format("letterbox (centred, padded with {})", style.padding);
    case Fit::stretch:
      return "stretched";
  }
  return "";
}

std::string text_of(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t size : shape) {
    text += text.empty() ? "" : ", ";
    text += size < 0 ? "?" : std::to_string(size);
  }
  return fmt::format("[{}]", text);
}

bool is_of_shape(const OutputView& output, std::span<const std::int64_t> wanted) {
  std::size_t values = 1;
  for (const std::int64_t size : output.shape) {
    values *= static_cast<std::size_t>(size);
  }
  return values == output.values.size() && std::ranges::equal(output.shape, wanted, [](std::int64_t size, std::int64_t expected) {
           return expected < 0 || size == expected;
         });
}

}  // namespace

bool takes_one_image(const GraphInfo& graph) {
  return graph.inputs.size() == 1 && graph.inputs[0].shape.size() == 4 && graph.inputs[0].shape[1] == 3;
}

InputSize input_size_of(const ModelSource& source, InputSize usual) {
  const std::vector<std::int64_t>& shape = source.graph.inputs.front().shape;
  const InputSize wanted = source.manifest.input_size.value_or(usual);
  const auto side = [&](std::int64_t of_graph, int otherwise) {
    if (of_graph > 0 && source.manifest.input_size && of_graph != otherwise) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("the manifest says input_size [{}, {}], but the graph takes {}", wanted.height, wanted.width,
                              text_of(source.graph.inputs.front())),
                  {{"file", source.manifest.path.native()}, {"key", "input_size"}});
    }
    return of_graph > 0 ? static_cast<int>(of_graph) : otherwise;
  };
  return {side(shape[2], wanted.height), side(shape[3], wanted.width)};
}

ImageDetector::ImageDetector(const ModelSource& source, std::string family, FitStyle style, PixelScaling scaling, InputSize size)
    : style_(style), scaling_(scaling), input_width_(size.width), input_height_(size.height) {
  const TensorInfo& input = source.graph.inputs.front();
  fixed_batch_ = input.shape[0] > 0 ? static_cast<int>(input.shape[0]) : 0;
  if ((input.shape[2] <= 0 || input.shape[3] <= 0) && !source.manifest.input_size) {
    add_note(fmt::format("the graph takes images of any size; {} x {} is used. Another can be given as input_size in a manifest",
                         input_width_, input_height_));
  }
  const Manifest& manifest = source.manifest;
  scaling_.order = manifest.channel_order.value_or(scaling_.order);
  for (std::size_t channel = 0; channel < 3; ++channel) {
    scaling_.mean[channel] = manifest.mean ? (*manifest.mean)[channel] : scaling_.mean[channel];
    scaling_.scale[channel] = manifest.std ? 1 / (*manifest.std)[channel] : scaling_.scale[channel];
  }
  style_.when_shrinking = manifest.interpolation.value_or(style_.when_shrinking);
  style_.when_growing = manifest.interpolation.value_or(style_.when_growing);
  style_.fit = manifest.fit.value_or(style_.fit);
  style_.padding = manifest.padding.value_or(style_.padding);
  card_.family = std::move(family);
  card_.preprocessing =
      fmt::format("{} x {} {}, {} when shrinking, {} when growing, {}, mean {:.6g} {:.6g} {:.6g}, scale {:.6g} {:.6g} {:.6g}",
                  input_width_, input_height_, text_of(style_), name_of(style_.when_shrinking), name_of(style_.when_growing),
                  scaling_.order == ChannelOrder::rgb ? "RGB" : "BGR", scaling_.mean[0], scaling_.mean[1], scaling_.mean[2],
                  scaling_.scale[0], scaling_.scale[1], scaling_.scale[2]);
}

void ImageDetector::take_class_names(const ModelSource& source, std::optional<std::vector<std::string>> graph_names,
                                     std::size_t count) {
  if (source.manifest.class_names) {
    class_names_ = *source.manifest.class_names;
    card_.class_source = fmt::format("manifest {}", source.manifest.path.native());
  } else if (graph_names) {
    class_names_ = std::move(*graph_names);
    card_.class_source = "the graph's metadata";
  } else if (count == coco_class_names().size()) {
    class_names_ = coco_class_names();
    card_.class_source = "COCO, by its number of classes";
    notes_.push_back(
        fmt::format("the {} graph names no classes; its {} are taken to be COCO's. If they are others, list them under class_names "
                    "in a manifest",
                    card_.family, count));
  } else {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph has {} classes and does not name them; list them as {{\"class_names\": […]}} in "
                            "NAME.verilabel.json beside the model",
                            count));
  }
  if (class_names_.size() != count) {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph has {} classes, but {} names are given for them", count, class_names_.size()),
                {{"names from", card_.class_source}});
  }
  nms_iou_ = source.manifest.nms_iou.value_or(nms_iou_);
  max_detections_ = source.manifest.max_detections.value_or(max_detections_);
}

DetectOptions ImageDetector::default_options() const {
  DetectOptions options;
  options.nms_iou = nms_iou_;
  options.max_detections = max_detections_;
  return options;
}

InputTransform ImageDetector::preprocess(const Image& image, std::span<float> input_chw, Image& scratch) const {
  const double ratio =
      std::min(static_cast<double>(input_width_) / image.width(), static_cast<double>(input_height_) / image.height());
  const auto side = [&](int pixels, int limit) {
    if (style_.fit == Fit::stretch) {
      return limit;
    }
    const double exact = pixels * ratio;
    return std::clamp(style_.is_rounded ? rounded(exact) : static_cast<int>(exact), 1, limit);
  };
  const int width = side(image.width(), input_width_);
  const int height = side(image.height(), input_height_);
  // Of an odd padding the smaller half goes left and above.
  const int left = style_.fit == Fit::letterbox_centre ? (input_width_ - width) / 2 : 0;
  const int top = style_.fit == Fit::letterbox_centre ? (input_height_ - height) / 2 : 0;
  const Image* resized = &image;
  if (width != image.width() || height != image.height()) {
    const bool is_shrinking = width < image.width() || height < image.height();
    resize_opencv(image, width, height, is_shrinking ? style_.when_shrinking : style_.when_growing, scratch);
    resized = &scratch;
  }
  write_planar(*resized, scaling_, input_width_, input_height_, left, top, style_.padding, input_chw);
  const bool has_one_ratio = style_.fit == Fit::letterbox_corner;
  return {has_one_ratio ? ratio : static_cast<double>(width) / image.width(),
          has_one_ratio ? ratio : static_cast<double>(height) / image.height(),
          static_cast<double>(left),
          static_cast<double>(top),
          image.width(),
          image.height()};
}

std::vector<Candidate> ImageDetector::decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                             const DetectOptions& options) const {
  const auto wanted = output_shapes();
  bool is_fitting = outputs.size() >= wanted.size();
  for (std::size_t i = 0; is_fitting && i < wanted.size(); ++i) {
    is_fitting = is_of_shape(outputs[i], wanted[i]);
  }
  if (!is_fitting) {
    std::string found;
    std::string expected;
    for (const OutputView& output : outputs) {
      found += (found.empty() ? "" : "; ") + text_of(output.shape);
    }
    for (const auto& shape : wanted) {
      expected += (expected.empty() ? "" : "; ") + text_of(shape);
    }
    throw Error(ErrorCode::bad_model,
                fmt::format("the model gave outputs of the shapes {} for an image; {} was expected", found, expected));
  }
  return decode_checked(outputs, transform, options);
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

float float_floor(double floor) {
  const auto nearest = static_cast<float>(floor);
  return nearest > floor ? std::nextafter(nearest, -std::numeric_limits<float>::infinity()) : nearest;
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
  const auto x = [&](float value) {
    return std::clamp((value - transform.offset_x) / transform.scale_x, 0.0, static_cast<double>(transform.image_width));
  };
  const auto y = [&](float value) {
    return std::clamp((value - transform.offset_y) / transform.scale_y, 0.0, static_cast<double>(transform.image_height));
  };
  const double x1 = x(box[0]);
  const double y1 = y(box[1]);
  return {x1, y1, std::max(0.0, x(box[2]) - x1), std::max(0.0, y(box[3]) - y1)};
}

bool has_area(const Box& box) {
  return box.w > 0 && box.h > 0;
}

std::vector<Candidate> suppressed_in_image(RawCandidates raw, const InputTransform& transform, const DetectOptions& options) {
  clip_to_image(raw, transform);
  std::vector<Candidate> candidates;
  for (const std::uint32_t i : suppress(raw, options)) {
    const Box box = box_in_image(raw, i, transform);
    if (has_area(box)) {
      candidates.push_back({raw.classes[i], box, raw.scores[i], std::nullopt});
    }
  }
  return candidates;
}

}  // namespace verilabel
