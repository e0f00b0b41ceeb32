// Ultralytics exports, which say in their metadata what they are. Layouts of `output0`, with nc classes and nm mask coefficients:
//   v8 to v12, v5u        [B, 4 + nc + nm, A]    box as centre and size in input pixels, class scores
//   YOLOv5 repository     [B, A, 5 + nc + nm]    the same with objectness, A = 3 · cells
//   one-to-one, nms=True  [B, N, 6 + nm]         corners, score, class; nothing left to suppress
// and of `output1`, for masks, [B, nm, H/4, W/4]: prototypes that the coefficients mix into logits.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/family.h"
#include "verilabel/models/python_literal.h"

namespace verilabel {
namespace {

constexpr int kDefaultSide = 640;
/// Anchors are many, rows of numbers about one are few; tells [columns, anchors] from [anchors, columns].
enum class Layout : std::uint8_t { columns_first, with_objectness, final_boxes };

std::int64_t cells_of(std::int64_t height, std::int64_t width) {
  std::int64_t cells = 0;
  for (const int stride : {8, 16, 32}) {
    cells += (height / stride) * (width / stride);
  }
  return cells;
}

std::string metadata_of(const GraphInfo& graph, const std::string& key) {
  const auto found = graph.metadata.find(key);
  return found == graph.metadata.end() ? std::string() : found->second;
}

/// The side of a dynamic input: `imgsz` is "[height, width]" or a number.
int side_from(const GraphInfo& graph) {
  const std::string text = metadata_of(graph, "imgsz");
  const auto digit = text.find_first_of("0123456789");
  return digit == std::string::npos ? kDefaultSide : std::clamp(std::atoi(text.c_str() + digit), 32, 8192);
}

struct Shape {
  Layout layout = Layout::columns_first;
  std::size_t classes = 0;
  std::size_t mask_coefficients = 0;
};

/// What the shapes and the number of names allow; nothing when they fit no layout.
std::optional<Shape> shape_of(const GraphInfo& graph, std::size_t name_count, std::int64_t height, std::int64_t width) {
  const auto& first = graph.outputs[0].shape;
  if (first.size() != 3 || first[1] <= 0 || first[2] <= 0) {
    return std::nullopt;
  }
  const std::int64_t coefficients = graph.outputs.size() == 2 && graph.outputs[1].shape.size() == 4 ? graph.outputs[1].shape[1] : 0;
  const auto names = static_cast<std::int64_t>(name_count);
  const std::int64_t cells = cells_of(height, width);
  const auto make = [&](Layout layout) { return Shape{layout, name_count, static_cast<std::size_t>(coefficients)}; };
  if (first[2] == 6 + coefficients && first[1] != 4 + names + coefficients) {
    return make(Layout::final_boxes);
  }
  if (first[1] == 4 + names + coefficients && first[2] == cells) {
    return make(Layout::columns_first);
  }
  if (first[2] == 5 + names + coefficients && first[1] == 3 * cells) {
    return make(Layout::with_objectness);
  }
  return std::nullopt;
}

std::string_view name_of(Layout layout) {
  switch (layout) {
    case Layout::columns_first:
      return "[4 + classes, anchors]";
    case Layout::with_objectness:
      return "[anchors, 5 + classes]";
    case Layout::final_boxes:
      return "[boxes, 6], nothing left to suppress";
  }
  return "";
}

class Ultralytics final : public LetterboxDetector {
 public:
  Ultralytics(const ModelSource& source, std::vector<std::string> names, std::int64_t height, std::int64_t width)
      : LetterboxDetector(source, "ultralytics", {true, true, 114, OpencvInterpolation::linear, OpencvInterpolation::linear},
                          {ChannelOrder::rgb, {0, 0, 0}, {1 / 255.0F, 1 / 255.0F, 1 / 255.0F}}, side_from(source.graph)),
        shape_(*shape_of(source.graph, names.size(), height, width)) {
    nms_iou_ = 0.7;
    max_detections_ = 300;
    const std::size_t count = names.size();
    take_class_names(source, std::move(names), count);
    card_.layout = fmt::format("{}{}", name_of(shape_.layout), shape_.mask_coefficients > 0 ? ", masks" : "");
  }

  std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform, const DetectOptions& options) const override {
    const OutputView& rows = outputs[0];
    RawCandidates raw = candidates_above(rows, options);
    std::vector<std::uint32_t> kept;
    if (shape_.layout == Layout::final_boxes) {
      kept = best_of(raw, static_cast<std::size_t>(options.max_detections));
    } else {
      kept = suppress(raw, options);
    }
    std::vector<Candidate> candidates;
    for (const std::uint32_t i : kept) {
      Candidate candidate{raw.classes[i], box_in_image(raw, i, transform), raw.scores[i], std::nullopt};
      if (!has_area(candidate.box_xywh_px)) {
        continue;
      }
      if (shape_.mask_coefficients > 0) {
        Rle mask = mask_of(rows, raw.anchors[i], outputs[1], candidate.box_xywh_px, transform);
        if (area(mask) == 0) {
          continue;  // as Ultralytics' own predictor does
        }
        candidate.mask = Mask{std::move(mask), true};
      }
      candidates.push_back(std::move(candidate));
    }
    return candidates;
  }

 private:
  /// One number about an anchor, whichever way the tensor lies.
  float value(const OutputView& rows, std::size_t anchor, std::size_t column) const {
    const auto second = static_cast<std::size_t>(rows.shape[1]);
    return shape_.layout == Layout::columns_first ? rows.values[column * second + anchor] : rows.values[anchor * second + column];
  }

  RawCandidates candidates_above(const OutputView& rows, const DetectOptions& options) const {
    RawCandidates raw;
    const auto floor = static_cast<float>(options.floor);
    const auto anchors = static_cast<std::size_t>(shape_.layout == Layout::columns_first ? rows.shape[1] : rows.shape[0]);
    if (shape_.layout == Layout::final_boxes) {
      for (std::size_t a = 0; a < anchors; ++a) {
        const float score = value(rows, a, 4);
        const float class_value = value(rows, a, 5);
        if (score >= floor && score > 0 && class_value >= 0 && class_value < static_cast<float>(shape_.classes) &&
            is_wanted(options, static_cast<std::size_t>(class_value))) {
          raw.add(value(rows, a, 0), value(rows, a, 1), value(rows, a, 2), value(rows, a, 3), score, static_cast<std::int32_t>(class_value),
                  static_cast<std::uint32_t>(a));
        }
      }
      return raw;
    }
    const std::size_t first_class = shape_.layout == Layout::with_objectness ? 5 : 4;
    // Class by class where a class's scores lie side by side, so that memory is read in its order; then sorted back by anchor.
    for (std::size_t c = 0; c < shape_.classes; ++c) {
      if (!is_wanted(options, c)) {
        continue;
      }
      for (std::size_t a = 0; a < anchors; ++a) {
        float score = value(rows, a, first_class + c);
        if (shape_.layout == Layout::with_objectness) {
          score *= value(rows, a, 4);
        }
        if (!(score >= floor)) {
          continue;
        }
        const float cx = value(rows, a, 0);
        const float cy = value(rows, a, 1);
        const float half_w = value(rows, a, 2) / 2;
        const float half_h = value(rows, a, 3) / 2;
        raw.add(cx - half_w, cy - half_h, cx + half_w, cy + half_h, score, static_cast<std::int32_t>(c), static_cast<std::uint32_t>(a));
      }
    }
    return raw;
  }

  static std::vector<std::uint32_t> best_of(const RawCandidates& raw, std::size_t count) {
    std::vector<std::uint32_t> order(raw.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = static_cast<std::uint32_t>(i);
    }
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::uint32_t i) { return raw.scores[i]; });
    order.resize(std::min(order.size(), count));
    return order;
  }

  /// The mask in the upright image: coefficients times prototypes, the padding cut off, bilinearly enlarged as torch does without
  /// aligned corners, positive logits inside the box.
  Rle mask_of(const OutputView& rows, std::size_t anchor, const OutputView& prototypes, const Box& box, const InputTransform& transform) const {
    const auto height = static_cast<int>(prototypes.shape[1]);
    const auto width = static_cast<int>(prototypes.shape[2]);
    const auto pixels = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    const std::size_t first = (shape_.layout == Layout::columns_first ? 4 : shape_.layout == Layout::with_objectness ? 5 : 6) +
                              (shape_.layout == Layout::final_boxes ? 0 : shape_.classes);
    std::vector<float> logits(pixels, 0);
    for (std::size_t k = 0; k < shape_.mask_coefficients; ++k) {
      const float coefficient = value(rows, anchor, first + k);
      const float* prototype = prototypes.values.data() + k * pixels;
      for (std::size_t i = 0; i < pixels; ++i) {
        logits[i] += coefficient * prototype[i];
      }
    }
    const int image_w = transform.image_width;
    const int image_h = transform.image_height;
    const double gain = std::min(static_cast<double>(height) / image_h, static_cast<double>(width) / image_w);
    const double pad_w = (width - std::nearbyint(image_w * gain)) / 2;
    const double pad_h = (height - std::nearbyint(image_h * gain)) / 2;
    const int left = static_cast<int>(std::nearbyint(pad_w - 0.1));
    const int top = static_cast<int>(std::nearbyint(pad_h - 0.1));
    const int inner_w = width - static_cast<int>(std::nearbyint(pad_w + 0.1)) - left;
    const int inner_h = height - static_cast<int>(std::nearbyint(pad_h + 0.1)) - top;
    std::vector<std::uint8_t> bitmap(static_cast<std::size_t>(image_w) * static_cast<std::size_t>(image_h), 0);
    if (inner_w <= 0 || inner_h <= 0) {
      return rle_from_bitmap(bitmap, static_cast<std::uint32_t>(image_h), static_cast<std::uint32_t>(image_w));
    }
    const auto first_inside = [](double edge) { return static_cast<int>(std::ceil(edge)); };
    const int x_begin = std::clamp(first_inside(box.x), 0, image_w);
    const int x_end = std::clamp(first_inside(box.x + box.w), 0, image_w);
    const int y_begin = std::clamp(first_inside(box.y), 0, image_h);
    const int y_end = std::clamp(first_inside(box.y + box.h), 0, image_h);
    struct Tap {
      int low;
      int high;
      float weight;
    };
    const auto tap = [](int target, int inner, int outer) {
      const float at = std::max(0.0F, (static_cast<float>(target) + 0.5F) * (static_cast<float>(inner) / static_cast<float>(outer)) - 0.5F);
      const int low = std::min(static_cast<int>(at), inner - 1);
      return Tap{low, std::min(low + 1, inner - 1), at - static_cast<float>(low)};
    };
    std::vector<Tap> vertical;
    for (int y = y_begin; y < y_end; ++y) {
      vertical.push_back(tap(y, inner_h, image_h));
    }
    const auto logit = [&](int y, int x) { return logits[static_cast<std::size_t>(top + y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(left + x)]; };
    for (int x = x_begin; x < x_end; ++x) {
      const Tap across = tap(x, inner_w, image_w);
      std::uint8_t* column = bitmap.data() + static_cast<std::size_t>(x) * static_cast<std::size_t>(image_h);
      for (int y = y_begin; y < y_end; ++y) {
        const Tap& down = vertical[static_cast<std::size_t>(y - y_begin)];
        const float upper = logit(down.low, across.low) * (1 - across.weight) + logit(down.low, across.high) * across.weight;
        const float lower = logit(down.high, across.low) * (1 - across.weight) + logit(down.high, across.high) * across.weight;
        column[y] = upper * (1 - down.weight) + lower * down.weight > 0 ? 1 : 0;
      }
    }
    return rle_from_bitmap(bitmap, static_cast<std::uint32_t>(image_h), static_cast<std::uint32_t>(image_w));
  }

  Shape shape_;
};

}  // namespace

std::unique_ptr<LetterboxDetector> make_ultralytics(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  const auto& inputs = graph.inputs;
  if (inputs.size() != 1 || inputs[0].shape.size() != 4 || inputs[0].shape[1] != 3 || graph.outputs.empty() || graph.outputs.size() > 2 ||
      !graph.metadata.contains("names")) {
    return nullptr;
  }
  const std::string task = metadata_of(graph, "task");
  if (!task.empty() && task != "detect" && task != "segment") {
    throw Error(ErrorCode::bad_model, fmt::format("the graph says that its task is '{}'; only detect and segment can be used", task));
  }
  auto names = class_names_from_python(metadata_of(graph, "names"));
  const int side = side_from(graph);
  const std::int64_t height = inputs[0].shape[2] > 0 ? inputs[0].shape[2] : side;
  const std::int64_t width = inputs[0].shape[3] > 0 ? inputs[0].shape[3] : side;
  if (!shape_of(graph, names.size(), height, width)) {
    return nullptr;
  }
  return std::make_unique<Ultralytics>(source, std::move(names), height, width);
}

}  // namespace verilabel
