// Ultralytics exports, which say in their metadata what they are. Layouts of `output0`, with nc classes and nm mask coefficients:
//   v8 to v12, v5u        [B, 4 + nc + nm, A]    box as centre and size in input pixels, class scores
//   YOLOv5 repository     [B, A, 5 + nc + nm]    the same with objectness, A = 3 · cells
//   one-to-one, nms=True  [B, N, 6 + nm]         corners, score, class; nothing left to suppress
//   RT-DETR               [B, N, 6]              centre and size as parts of the stretched image, score, class
//   RT-DETR before 8.4    [B, N, 4 + nc]         the same with class scores, of which the best counts
// and of `output1`, for masks, [B, nm, H/4, W/4]: prototypes that the coefficients mix into logits.

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/family.h"
#include "verilabel/models/prototype_mask.h"
#include "verilabel/models/python_literal.h"

namespace verilabel {
namespace {

/// Anchors are many, rows of numbers about one are few; tells [columns, anchors] from [anchors, columns].
enum class Layout : std::uint8_t { columns_first, with_objectness, final_boxes, final_parts, best_class_parts };

/// Whether a tensor can have so many rows, one a cell of the strides of some Ultralytics model, `times` over: 8 to 32, with one
/// more below for small objects or above for large images, or without the 8. A dynamic number may be any.
bool is_cells(std::int64_t rows, std::int64_t height, std::int64_t width, std::int64_t times) {
  const auto cells = [&](std::int64_t stride) { return (height / stride) * (width / stride); };
  const std::int64_t usual = cells(8) + cells(16) + cells(32);
  return rows <= 0 || rows == times * usual || rows == times * (usual - cells(8)) || rows == times * (usual + cells(64)) ||
         rows == times * (usual + cells(4));
}

std::string metadata_of(const GraphInfo& graph, const std::string& key) {
  const auto found = graph.metadata.find(key);
  return found == graph.metadata.end() ? std::string() : found->second;
}

bool is_rtdetr(const GraphInfo& graph) {
  std::string description = metadata_of(graph, "description");
  std::ranges::transform(description, description.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return metadata_of(graph, "head") == "RTDETRDecoder" || description.find("rtdetr") != std::string::npos ||
         description.find("rt-detr") != std::string::npos;
}

struct Shape {
  Layout layout = Layout::columns_first;
  std::size_t classes = 0;
  std::size_t mask_coefficients = 0;
};

/// What the metadata, the shapes and the number of names allow; nothing when they fit no layout. Without names, or when their
/// number is wrong, the shapes alone decide where they can.
std::optional<Shape> shape_of(const GraphInfo& graph, std::optional<std::size_t> name_count, std::int64_t height,
                              std::int64_t width) {
  const auto& first = graph.outputs[0].shape;
  const bool has_prototypes = graph.outputs.size() == 2 && graph.outputs[1].shape.size() == 4 && graph.outputs[1].shape[1] > 0;
  if (first.size() != 3 || (graph.outputs.size() == 2 && !has_prototypes)) {
    return std::nullopt;
  }
  const std::int64_t coefficients = has_prototypes ? graph.outputs[1].shape[1] : 0;
  const auto shape = [&](Layout layout, std::int64_t classes) {
    return Shape{layout, static_cast<std::size_t>(classes), static_cast<std::size_t>(coefficients)};
  };
  if (is_rtdetr(graph)) {
    if (has_prototypes || !name_count) {
      return std::nullopt;
    }
    const auto names = static_cast<std::int64_t>(*name_count);
    if (metadata_of(graph, "head") == "RTDETRDecoder" && (first[2] == 6 || first[2] <= 0)) {
      return shape(Layout::final_parts, names);
    }
    return first[2] == 4 + names ? std::optional(shape(Layout::best_class_parts, names)) : std::nullopt;
  }
  const bool says_final =
      metadata_of(graph, "end2end") == "True" || metadata_of(graph, "args").find("'nms': True") != std::string::npos;
  // The YOLOv5 repository states no task.
  const bool may_have_objectness = !says_final && !graph.metadata.contains("task") && is_cells(first[1], height, width, 3);
  const bool may_be_columns = !says_final && is_cells(first[2], height, width, 1);
  if (name_count) {
    const auto names = static_cast<std::int64_t>(*name_count);
    // Where the number of anchors depends on the image, the graph may state no shape at all.
    const bool is_column_count_open = first[1] <= 0 && graph.metadata.contains("task");
    if (may_be_columns && (first[1] == 4 + names + coefficients || is_column_count_open)) {
      return shape(Layout::columns_first, names);
    }
    if (may_have_objectness && first[2] == 5 + names + coefficients) {
      return shape(Layout::with_objectness, names);
    }
    if (first[2] == 6 + coefficients || (says_final && first[2] <= 0)) {
      return shape(Layout::final_boxes, names);
    }
  }
  if (may_be_columns && first[2] > 0 && first[1] > 4 + coefficients) {
    return shape(Layout::columns_first, first[1] - 4 - coefficients);
  }
  if (may_have_objectness && first[1] > 0 && first[2] > 5 + coefficients) {
    return shape(Layout::with_objectness, first[2] - 5 - coefficients);
  }
  return std::nullopt;
}

/// What YOLO-World is asked beside its classes, so that all else goes there.
bool is_blank(std::string_view name) {
  return name.find_first_not_of(' ') == std::string_view::npos;
}

/// RT-DETR's: boxes are centre and size as parts of the image, which fills the input, and nothing is left to suppress.
bool has_parts(Layout layout) {
  return layout == Layout::final_parts || layout == Layout::best_class_parts;
}

std::string_view name_of(Layout layout) {
  switch (layout) {
    case Layout::columns_first:
      return "[4 + classes, anchors]";
    case Layout::with_objectness:
      return "[anchors, 5 + classes]";
    case Layout::final_boxes:
      return "[boxes, 6], nothing left to suppress";
    case Layout::final_parts:
      return "[queries, 6], parts of the image";
    case Layout::best_class_parts:
      return "[queries, 4 + classes], parts of the image";
  }
  return "";
}

class Ultralytics final : public LetterboxDetector {
 public:
  Ultralytics(const ModelSource& source, std::optional<std::vector<std::string>> names, Shape shape)
      : LetterboxDetector(source, "ultralytics",
                          {has_parts(shape.layout) ? Fit::stretch : Fit::letterbox_centre, true, 114, OpencvInterpolation::linear,
                           OpencvInterpolation::linear},
                          {ChannelOrder::rgb, {0, 0, 0}, {255, 255, 255}},
                          input_size_of(source, ultralytics_size_of(source.graph))),
        shape_(shape) {
    nms_iou_ = 0.7;
    max_detections_ = 300;
    const bool has_background = names && !source.manifest.class_names && std::ranges::any_of(*names, is_blank);
    if (has_background) {
      take_output_names(source, std::move(names), "the graph's metadata", shape_.classes);
    } else {
      take_class_names(source, std::move(names), shape_.classes);
    }
    if (shape_.layout == Layout::final_boxes) {
      add_note("the graph chooses the final boxes itself: no other NMS threshold and no lower floor than its own has an effect");
    }
    card_.layout = fmt::format("{}{}", name_of(shape_.layout), shape_.mask_coefficients > 0 ? ", masks" : "");
  }

  std::vector<std::vector<std::int64_t>> output_shapes() const override {
    const auto classes = static_cast<std::int64_t>(shape_.classes);
    const auto coefficients = static_cast<std::int64_t>(shape_.mask_coefficients);
    std::vector<std::vector<std::int64_t>> shapes;
    switch (shape_.layout) {
      case Layout::columns_first:
        shapes.push_back({4 + classes + coefficients, -1});
        break;
      case Layout::with_objectness:
        shapes.push_back({-1, 5 + classes + coefficients});
        break;
      case Layout::final_boxes:
        shapes.push_back({-1, 6 + coefficients});
        break;
      case Layout::final_parts:
        shapes.push_back({-1, 6});
        break;
      case Layout::best_class_parts:
        shapes.push_back({-1, 4 + classes});
        break;
    }
    if (coefficients > 0) {
      shapes.push_back({coefficients, input_height() / kPrototypeStride, input_width() / kPrototypeStride});
    }
    return shapes;
  }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    const OutputView& rows = outputs[0];
    RawCandidates raw = candidates_above(rows, options);
    std::vector<std::uint32_t> kept;
    if (shape_.layout == Layout::final_boxes || has_parts(shape_.layout)) {
      kept = best_of(raw, static_cast<std::size_t>(options.max_detections));
    } else {
      kept = suppress(raw, options);
    }
    std::vector<Candidate> candidates;
    for (const std::uint32_t i : kept) {
      Candidate candidate{raw.classes[i], box_in_image(raw, i, transform), raw.scores[i]};
      if (!has_area(candidate.box_xywh_px)) {
        continue;
      }
      if (shape_.mask_coefficients > 0) {
        Rle mask = mask_from_prototypes(coefficients_of(rows, raw.anchors[i]), outputs[1], candidate.box_xywh_px, transform);
        if (area(mask) == 0) {
          continue;  // as Ultralytics' own predictor does
        }
        candidate.mask = Mask{std::move(mask), true};
        candidate.kind = LabelKind::mask;
      }
      candidates.push_back(std::move(candidate));
    }
    return candidates;
  }

 private:
  bool is_asked(std::size_t output, const CandidateOptions& options) const {
    const std::int32_t class_index = class_of_output(output);
    return class_index >= 0 && is_wanted(options, static_cast<std::size_t>(class_index));
  }

  /// One number about an anchor, whichever way the tensor lies.
  float value(const OutputView& rows, std::size_t anchor, std::size_t column) const {
    const auto second = static_cast<std::size_t>(rows.shape[1]);
    return shape_.layout == Layout::columns_first ? rows.values[column * second + anchor] : rows.values[anchor * second + column];
  }

  void require_scores_of(const OutputView& rows) const {
    const auto second = static_cast<std::size_t>(rows.shape[1]);
    if (shape_.layout == Layout::columns_first) {
      require_scores(rows.values.subspan(4 * second, shape_.classes * second));
      return;
    }
    const bool is_one = shape_.layout == Layout::final_boxes || shape_.layout == Layout::final_parts;
    const std::size_t scores = is_one ? 1 : second - 4 - shape_.mask_coefficients;
    for (std::size_t first = 0; first < rows.values.size(); first += second) {
      require_scores(rows.values.subspan(first + 4, scores));
    }
  }

  RawCandidates candidates_above(const OutputView& rows, const CandidateOptions& options) const {
    RawCandidates raw;
    const float floor = float_floor(options.floor);
    require_scores_of(rows);
    const auto rows_in_memory = static_cast<std::size_t>(rows.shape[0]);
    const auto columns_in_memory = static_cast<std::size_t>(rows.shape[1]);
    const float* values = rows.values.data();
    const auto add_centred = [&](std::size_t anchor, std::size_t output, float score) {
      const float cx = value(rows, anchor, 0);
      const float cy = value(rows, anchor, 1);
      const float half_w = value(rows, anchor, 2) / 2;
      const float half_h = value(rows, anchor, 3) / 2;
      raw.add(cx - half_w, cy - half_h, cx + half_w, cy + half_h, score, class_of_output(output),
              static_cast<std::uint32_t>(anchor));
    };
    switch (shape_.layout) {
      case Layout::columns_first:
        // A class's scores lie side by side.
        for (std::size_t c = 0; c < shape_.classes; ++c) {
          if (is_asked(c, options)) {
            const float* scores = values + (4 + c) * columns_in_memory;
            for_each_above(
                columns_in_memory, floor, [&](std::size_t a) { return scores[a]; },
                [&](std::size_t a, float score) { add_centred(a, c, score); });
          }
        }
        break;
      case Layout::with_objectness:
        for (std::size_t a = 0; a < rows_in_memory; ++a) {
          const float* row = values + a * columns_in_memory;
          if (row[4] > floor) {
            for_each_above(
                shape_.classes, floor, [&](std::size_t c) { return row[4] * row[5 + c]; },
                [&](std::size_t c, float score) {
                  if (is_asked(c, options)) {
                    add_centred(a, c, score);
                  }
                });
          }
        }
        break;
      case Layout::final_boxes:
        for (std::size_t a = 0; a < rows_in_memory; ++a) {
          const float* row = values + a * columns_in_memory;
          // Rows without an object are padding, all zero.
          if (!(row[4] > floor) || row[4] == 0) {
            continue;
          }
          if (const std::size_t output = class_number_of(row[5], shape_.classes); is_asked(output, options)) {
            raw.add(row[0], row[1], row[2], row[3], row[4], class_of_output(output), static_cast<std::uint32_t>(a));
          }
        }
        break;
      case Layout::final_parts:
        for (std::size_t a = 0; a < rows_in_memory; ++a) {
          const float* row = values + a * columns_in_memory;
          if (!(row[4] > floor)) {
            continue;
          }
          if (const std::size_t output = class_number_of(row[5], shape_.classes); is_asked(output, options)) {
            add_parts(raw, row, row[4], output, a);
          }
        }
        break;
      case Layout::best_class_parts:
        for (std::size_t a = 0; a < rows_in_memory; ++a) {
          const float* row = values + a * columns_in_memory;
          const auto output = static_cast<std::size_t>(std::max_element(row + 4, row + columns_in_memory) - (row + 4));
          if (row[4 + output] > floor && is_asked(output, options)) {
            add_parts(raw, row, row[4 + output], output, a);
          }
        }
        break;
    }
    return raw;
  }

  /// In pixels of the input, from where a box leads back into the image as others do.
  void add_parts(RawCandidates& raw, const float* row, float score, std::size_t output, std::size_t anchor) const {
    const auto width = static_cast<float>(input_width());
    const auto height = static_cast<float>(input_height());
    raw.add((row[0] - row[2] / 2) * width, (row[1] - row[3] / 2) * height, (row[0] + row[2] / 2) * width,
            (row[1] + row[3] / 2) * height, score, class_of_output(output), static_cast<std::uint32_t>(anchor));
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

  /// The numbers about an anchor that weigh the prototypes.
  std::vector<float> coefficients_of(const OutputView& rows, std::size_t anchor) const {
    std::size_t first = 6;
    if (shape_.layout != Layout::final_boxes) {
      first = (shape_.layout == Layout::columns_first ? 4 : 5) + shape_.classes;
    }
    std::vector<float> coefficients(shape_.mask_coefficients);
    for (std::size_t i = 0; i < coefficients.size(); ++i) {
      coefficients[i] = value(rows, anchor, first + i);
    }
    return coefficients;
  }

  Shape shape_;
};

}  // namespace

InputSize ultralytics_size_of(const GraphInfo& graph) {
  // "[height, width]" or one number.
  const std::string text = metadata_of(graph, "imgsz");
  std::vector<int> sides;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    int side = 0;
    const auto [end, failure] = std::from_chars(at, text.data() + text.size(), side);
    const bool is_side = failure == std::errc{} && side > 0;
    if (is_side) {
      sides.push_back(side);
    }
    at = is_side ? end : at + 1;
  }
  return sides.empty() || sides.size() > 2 ? InputSize{640, 640} : InputSize{sides.front(), sides.back()};
}

std::unique_ptr<FamilyLabeller> make_ultralytics(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  const auto& inputs = graph.inputs;
  if (!takes_one_image(graph) || graph.outputs.empty() || graph.outputs.size() > 2) {
    return nullptr;
  }
  // Tools that simplify graphs drop the metadata; the names of the tensors stay.
  const bool has_names = graph.metadata.contains("names");
  if (!has_names && source.manifest.family != "ultralytics" && (inputs[0].name != "images" || graph.outputs[0].name != "output0")) {
    return nullptr;
  }
  const std::string task = metadata_of(graph, "task");
  if (task == "classify") {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph says that its task is 'classify', where one output [B, classes] is expected; it gives {}",
                            text_of(graph.outputs[0])));
  }
  if (!task.empty() && task != "detect" && task != "segment") {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph says that its task is '{}'; detect, segment and classify can be used", task));
  }
  std::optional<std::vector<std::string>> names;
  std::optional<std::size_t> name_count;
  if (source.manifest.class_names) {
    name_count = source.manifest.class_names->size();
  } else if (has_names) {
    names = class_names_from_python(metadata_of(graph, "names"));
    name_count = names->size();
  }
  const auto [height, width] = input_size_of(source, ultralytics_size_of(graph));
  std::optional<Shape> shape = shape_of(graph, name_count, height, width);
  // The background's channel stays where some versions take its name away.
  if (names && shape && shape->classes == *name_count + 1 && std::ranges::none_of(*names, is_blank) &&
      metadata_of(graph, "description").find("orld") != std::string::npos) {
    names->emplace_back(" ");
  }
  return shape ? std::make_unique<Ultralytics>(source, std::move(names), *shape) : nullptr;
}

}  // namespace verilabel
