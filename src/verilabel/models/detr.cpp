// Detectors that answer with a fixed number of queries, each a box and scores of classes; nothing is left to suppress. In the form
// of Hugging Face's exporters (DETR, RT-DETR v1 and v2, D-FINE and their kin), in the form of the original exports of RT-DETR and
// D-FINE, whose graph chooses and scales the boxes itself, and RF-DETR's own.

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/model_config.h"
#include "verilabel/models/pillow_labeller.h"
#include "verilabel/models/pixel_mask.h"
#include "verilabel/models/prototype_mask.h"

namespace verilabel {
namespace {

constexpr InputSize kUsualSize{640, 640};

/// How the logits of a query become scores.
enum class Head : std::uint8_t {
  softmax,  ///< the last class is "no object"; a query proposes its best other class
  sigmoid,  ///< the best pairs of a query and a class, so that a query may propose several
};

struct ModelType {
  std::string_view name;  ///< `model_type` in config.json
  Head head = Head::softmax;
  std::size_t pairs = 0;   ///< that a sigmoid head keeps; 0 for as many as there are queries
  bool has_masks = false;  ///< `pred_masks`, where the graph has it, are logits of each query's mask, stretched to the image
};

constexpr std::array kModelTypes = {
    ModelType{"detr", Head::softmax},
    ModelType{"table-transformer", Head::softmax},
    ModelType{"conditional_detr", Head::sigmoid, 100},
    ModelType{"deformable_detr", Head::sigmoid, 100},
    ModelType{"rt_detr", Head::sigmoid},
    ModelType{"rt_detr_v2", Head::sigmoid},
    ModelType{"d_fine", Head::sigmoid},
    ModelType{"rf_detr", Head::sigmoid, 0, true},
};

/// A query's answer that is a candidate.
struct Pair {
  std::size_t query = 0;
  std::size_t output = 0;  ///< the column of its class
  float score = 0;
};

std::vector<Pair> softmax_pairs(std::span<const float> logits, std::size_t columns, float floor) {
  std::vector<Pair> pairs;
  for (std::size_t query = 0; query * columns < logits.size(); ++query) {
    const std::span<const float> row = logits.subspan(query * columns, columns);
    const auto best = std::max_element(row.begin(), row.end() - 1);
    const float greatest = std::max(*best, row.back());
    float sum = 0;
    for (const float logit : row) {
      sum += std::exp(logit - greatest);
    }
    if (const float score = std::exp(*best - greatest) / sum; score > floor) {
      pairs.push_back({query, static_cast<std::size_t>(best - row.begin()), score});
    }
  }
  return pairs;
}

/// The `kept` greatest of all logits, equal ones in their order, of which those above the floor are candidates.
std::vector<Pair> sigmoid_pairs(std::span<const float> logits, std::size_t columns, std::size_t kept, float floor) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (sigmoid(logits[i]) > floor) {
      order.push_back(i);
    }
  }
  const auto is_before = [&](std::size_t a, std::size_t b) { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); };
  const std::size_t count = std::min(kept, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(), is_before);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    pairs.push_back({order[i] / columns, order[i] % columns, sigmoid(logits[order[i]])});
  }
  return pairs;
}

void sort_best_first(std::vector<Pair>& pairs) {
  std::ranges::stable_sort(pairs, std::ranges::greater{}, &Pair::score);
}

bool is_full(const std::vector<Candidate>& candidates, const CandidateOptions& options) {
  return candidates.size() == static_cast<std::size_t>(options.max_detections);
}

/// Outputs about the same queries, whose number a graph may leave open.
void require_same_queries(std::span<const OutputView> outputs) {
  for (const OutputView& output : outputs) {
    if (output.shape[0] != outputs[0].shape[0]) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the model gave outputs about {} queries and others about {}", outputs[0].shape[0], output.shape[0]));
    }
  }
}

/// Hugging Face's form: pixel_values (+ pixel_mask) -> logits, pred_boxes. RF-DETR's own has the same content under other names,
/// and masks when it segments.
class QueryDetector final : public PillowLabeller {
 public:
  struct Parts {
    std::string family;
    const TensorInfo* image = nullptr;
    const TensorInfo* mask = nullptr;  ///< the input that says where the image is; none where it fills the canvas
    std::size_t logits = 0;            ///< of the outputs
    std::size_t boxes = 0;
    std::optional<std::size_t> masks;
    ImageProcessor processor;
    InputSize canvas;
    Head head = Head::sigmoid;
    std::size_t pairs = 0;
    int stride = 32;                                      ///< pixels of a cell of the features that the mask is brought to
    std::optional<std::vector<std::string>> class_names;  ///< of every column that stands for a class
    std::string class_origin;
    std::string layout;
  };

  QueryDetector(const ModelSource& source, Parts parts)
      : PillowLabeller(source, parts.family, *parts.image, std::move(parts.processor), parts.canvas),
        has_masks_(parts.masks.has_value()),
        head_(parts.head),
        pairs_(parts.pairs) {
    const std::vector<std::int64_t>& shape = source.graph.outputs[parts.logits].shape;
    columns_ = static_cast<std::size_t>(shape[2]);
    std::vector<std::size_t> outputs = {parts.logits, parts.boxes};
    shapes_ = {{shape[1], shape[2]}, {shape[1], 4}};
    if (parts.masks) {
      outputs.push_back(*parts.masks);
      shapes_.push_back({shape[1], -1, -1});
    }
    read_only(std::move(outputs));
    if (parts.mask != nullptr) {
      mask_ = pixel_mask_of(source, *parts.mask, parts.canvas, parts.stride);
      set_input(source, parts.mask->name, {mask_->size.height, mask_->size.width});
    }
    max_detections_ = 300;
    const std::size_t classes = columns_ - (head_ == Head::softmax ? 1 : 0);
    take_output_names(source, std::move(parts.class_names), parts.class_origin, classes);
    card_.layout = std::move(parts.layout);
    add_note("the model gives final boxes: an NMS threshold has no effect");
  }

  std::vector<std::vector<std::int64_t>> output_shapes() const override { return shapes_; }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    require_same_queries(outputs);
    const std::span<const float> logits = outputs[0].values;
    const std::span<const float> boxes = outputs[1].values;
    const float floor = float_floor(options.floor);
    const std::size_t queries = logits.size() / columns_;
    std::vector<Pair> pairs = head_ == Head::softmax ? softmax_pairs(logits, columns_, floor)
                                                     : sigmoid_pairs(logits, columns_, pairs_ == 0 ? queries : pairs_, floor);
    sort_best_first(pairs);
    std::vector<Candidate> candidates;
    for (const Pair& pair : pairs) {
      if (is_full(candidates, options)) {
        break;
      }
      const std::int32_t class_index = class_of_output(pair.output);
      if (class_index < 0 || !is_wanted(options, static_cast<std::size_t>(class_index))) {
        continue;
      }
      Candidate candidate{class_index, box_of_shares(boxes.subspan(4 * pair.query, 4), transform), pair.score};
      if (!has_area(candidate.box_xywh_px)) {
        continue;  // seen in padding, or beyond the image
      }
      if (has_masks_) {
        Rle mask = mask_of_logits(outputs[2], pair.query, transform);
        if (area(mask) == 0) {
          continue;
        }
        candidate.mask = Mask{std::move(mask), true};
        candidate.kind = LabelKind::mask;
      }
      candidates.push_back(std::move(candidate));
    }
    return candidates;
  }

 protected:
  void write_other_inputs(std::span<const InputView> inputs, InputSize content, const Image& /*image*/,
                          int /*pass*/) const override {
    if (mask_) {
      write_pixel_mask(*mask_, content, inputs[mask_->input]);
    }
  }

 private:
  bool has_masks_;
  Head head_;
  std::size_t pairs_;
  std::size_t columns_ = 0;
  std::vector<std::vector<std::int64_t>> shapes_;
  std::optional<PixelMask> mask_;
};

/// images, orig_target_sizes -> labels, boxes, scores: the graph chooses the pairs and scales the boxes to the sizes it is given.
class DetrExport final : public PillowLabeller {
 public:
  DetrExport(const ModelSource& source, const TensorInfo& image, const TensorInfo& sizes, ImageProcessor processor,
             InputSize canvas)
      : PillowLabeller(source, "detr_export", image, std::move(processor), canvas),
        sizes_(static_cast<std::size_t>(&sizes - source.graph.inputs.data())),
        outputs_(source.graph.outputs.size()) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const TensorInfo& output = source.graph.outputs[i];
      const std::int64_t queries = output.shape[1];
      outputs_[i] = output.name == "boxes" ? std::vector<std::int64_t>{queries, 4} : std::vector<std::int64_t>{queries};
      (output.name == "boxes" ? boxes_ : output.name == "labels" ? labels_ : scores_) = i;
    }
    set_input(source, sizes.name, {2});
    max_detections_ = 300;
    if (!source.manifest.class_names) {
      throw Error(
          ErrorCode::bad_model,
          "the graph does not say how many classes it has, and how they are called; name them in NAME.verilabel.json beside it "
          "as {\"class_names\": […]}, or {\"class_names\": \"coco\"} for COCO's 80");
    }
    take_output_names(source, std::nullopt, "", source.manifest.class_names->size());
    card_.layout = "labels, boxes, scores";
    add_note("the graph chooses the final boxes itself: an NMS threshold has no effect");
  }

  std::vector<std::vector<std::int64_t>> output_shapes() const override { return outputs_; }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    require_same_queries(outputs);
    const std::span<const float> boxes = outputs[boxes_].values;
    const std::span<const float> scores = outputs[scores_].values;
    require_scores(scores);
    const float floor = float_floor(options.floor);
    std::vector<Pair> pairs;
    for (std::size_t query = 0; query < scores.size(); ++query) {
      if (!(scores[query] > floor)) {
        continue;
      }
      pairs.push_back({query, class_number_of(outputs[labels_].values[query], output_count()), scores[query]});
    }
    sort_best_first(pairs);
    std::vector<Candidate> candidates;
    for (const Pair& pair : pairs) {
      if (is_full(candidates, options)) {
        break;
      }
      const std::int32_t class_index = class_of_output(pair.output);
      if (class_index < 0 || !is_wanted(options, static_cast<std::size_t>(class_index))) {
        continue;
      }
      const auto edge = [&](std::size_t i, int side) {
        return std::clamp(static_cast<double>(boxes[4 * pair.query + i]), 0.0, static_cast<double>(side));
      };
      const double x = edge(0, transform.image_width);
      const double y = edge(1, transform.image_height);
      const Box box{x, y, edge(2, transform.image_width) - x, edge(3, transform.image_height) - y};
      if (has_area(box)) {
        candidates.push_back({class_index, box, pair.score});
      }
    }
    return candidates;
  }

 protected:
  void write_other_inputs(std::span<const InputView> inputs, InputSize /*content*/, const Image& image,
                          int /*pass*/) const override {
    if (const InputView& view = inputs[sizes_]; !view.i64.empty()) {
      view.i64[0] = image.width();
      view.i64[1] = image.height();
    } else {
      view.f32[0] = static_cast<float>(image.width());
      view.f32[1] = static_cast<float>(image.height());
    }
  }

 private:
  std::size_t sizes_;
  std::size_t labels_ = 0;
  std::size_t boxes_ = 0;
  std::size_t scores_ = 0;
  std::vector<std::vector<std::int64_t>> outputs_;
};

const ModelType& model_type_of(const ModelConfig& config) {
  std::string known;
  for (const ModelType& type : kModelTypes) {
    if (type.name == config.model_type) {
      return type;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", type.name);
  }
  throw Error(
      ErrorCode::bad_model,
      fmt::format("how a detector of the model_type '{}' scores its queries is not known; known are {}", config.model_type, known),
      {{"file", config.path.native()}, {"key", "model_type"}});
}

std::size_t index_of(const std::vector<TensorInfo>& tensors, const TensorInfo* tensor) {
  return static_cast<std::size_t>(tensor - tensors.data());
}

/// Where a manifest may replace what an export without configuration leaves open.
ImageProcessor stretched(const Manifest& manifest, InputSize canvas, bool is_normalised) {
  ImageProcessor processor;
  processor.rule = ImageProcessor::SizeRule::exact;
  processor.size = canvas;
  processor.filter = manifest.filter.value_or(PillowFilter::bilinear);
  ValueScaling scaling;
  scaling.rescale = manifest.scale ? ValueScaling::Rescale::factor : ValueScaling::Rescale::divided;
  scaling.factor = manifest.scale.value_or(scaling.factor);
  scaling.is_normalised = is_normalised || manifest.mean || manifest.std;
  scaling.mean = manifest.mean.value_or(is_normalised ? std::array{0.485, 0.456, 0.406} : std::array{0.0, 0.0, 0.0});
  scaling.std = manifest.std.value_or(is_normalised ? std::array{0.229, 0.224, 0.225} : std::array{1.0, 1.0, 1.0});
  scaling.order = manifest.channel_order.value_or(ChannelOrder::rgb);
  processor.tables = tables_of(scaling);
  processor.scaling = text_of(scaling);
  return processor;
}

constexpr std::array<std::string_view, 10> kExportKeys = {"family", "class_names", "class_names_file", "channel_order",  "mean",
                                                          "std",    "input_size",  "filter",           "max_detections", "scale"};

}  // namespace

std::unique_ptr<FamilyLabeller> make_transformers_detr(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  const TensorInfo* image = tensor_named(graph.inputs, "pixel_values");
  const TensorInfo* mask = tensor_named(graph.inputs, "pixel_mask");
  const TensorInfo* logits = tensor_named(graph.outputs, "logits");
  const TensorInfo* boxes = tensor_named(graph.outputs, "pred_boxes");
  if (image == nullptr || !takes_image(*image) || logits == nullptr || logits->shape.size() != 3 || boxes == nullptr ||
      boxes->shape.size() != 3 || graph.inputs.size() != (mask == nullptr ? 1U : 2U)) {
    return nullptr;
  }
  if (source.files.config.empty() || source.files.preprocessor.empty()) {
    throw Error(
        ErrorCode::bad_model,
        "the graph is a detector of Hugging Face's form, and its config.json or preprocessor_config.json is missing: put both "
        "beside it or one folder up");
  }
  constexpr std::array<std::string_view, 7> kKeys = {"family", "class_names", "class_names_file", "max_detections", "input_size",
                                                     "fit",    "task"};
  require_keys(source.manifest, "transformers_detr", kKeys);
  const ModelConfig config = read_model_config(source.files.config);
  const ModelType& type = model_type_of(config);
  QueryDetector::Parts parts;
  parts.family = "transformers_detr";
  parts.image = image;
  parts.mask = mask;
  parts.logits = index_of(graph.outputs, logits);
  parts.boxes = index_of(graph.outputs, boxes);
  parts.head = type.head;
  parts.pairs = type.pairs;
  parts.stride = config.is_dilated ? 16 : 32;
  parts.processor = read_image_processor(source.files.preprocessor);
  parts.canvas = padded_canvas_of(source, *image, mask, parts.processor, config.model_type, parts.stride);
  parts.processor.tables.padding = {0, 0, 0};  // after normalising
  parts.class_names = config.class_names;
  parts.class_origin = source.files.config.native();
  parts.layout = fmt::format("{}: queries by {}", config.model_type, type.head == Head::softmax ? "softmax" : "sigmoid");
  if (const TensorInfo* masks = tensor_named(graph.outputs, "pred_masks");
      masks != nullptr && masks->shape.size() == 4 && type.has_masks) {
    parts.masks = index_of(graph.outputs, masks);
    parts.layout += ", masks";
  }
  if (logits->shape[2] <= 0) {
    throw Error(ErrorCode::bad_model, fmt::format("the graph leaves the number of classes open: {}", text_of(*logits)));
  }
  // Numbers at the end that have no name are not listed.
  if (parts.class_names && !source.manifest.class_names) {
    const std::size_t classes = static_cast<std::size_t>(logits->shape[2]) - (type.head == Head::softmax ? 1 : 0);
    if (parts.class_names->size() < classes) {
      parts.class_names->resize(classes);
    }
  }
  return std::make_unique<QueryDetector>(source, std::move(parts));
}

std::unique_ptr<FamilyLabeller> make_detr_export(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  const TensorInfo* image = tensor_named(graph.inputs, "images");
  const TensorInfo* sizes = tensor_named(graph.inputs, "orig_target_sizes");
  if (graph.inputs.size() != 2 || image == nullptr || !takes_image(*image) || sizes == nullptr || sizes->shape.size() != 2 ||
      graph.outputs.size() != 3) {
    return nullptr;
  }
  for (const auto& [name, rank] : {std::pair{"labels", 2U}, {"boxes", 3U}, {"scores", 2U}}) {
    const TensorInfo* output = tensor_named(graph.outputs, name);
    if (output == nullptr || output->shape.size() != rank) {
      return nullptr;
    }
  }
  require_keys(source.manifest, "detr_export", kExportKeys);
  const InputSize canvas = input_size_of(source, *image, kUsualSize);
  return std::make_unique<DetrExport>(source, *image, *sizes, stretched(source.manifest, canvas, false), canvas);
}

std::unique_ptr<FamilyLabeller> make_rf_detr(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  const TensorInfo* boxes = tensor_named(graph.outputs, "dets");
  const TensorInfo* logits = tensor_named(graph.outputs, "labels");
  if (!takes_one_image(graph) || graph.inputs[0].name != "input" || boxes == nullptr || boxes->shape.size() != 3 ||
      logits == nullptr || logits->shape.size() != 3 || logits->shape[2] <= 0 || graph.outputs.size() > 3) {
    return nullptr;
  }
  QueryDetector::Parts parts;
  parts.family = "rf_detr";
  parts.image = graph.inputs.data();
  parts.logits = index_of(graph.outputs, logits);
  parts.boxes = index_of(graph.outputs, boxes);
  parts.layout = "dets, labels: queries by sigmoid";
  if (graph.outputs.size() == 3) {
    parts.masks = 3 - parts.logits - parts.boxes;
    if (graph.outputs[*parts.masks].shape.size() != 4) {
      return nullptr;
    }
    parts.layout += ", masks";
  }
  require_keys(source.manifest, parts.family, kExportKeys);
  parts.canvas = input_size_of(source, graph.inputs[0], {});
  if (parts.canvas.width == 0 || parts.canvas.height == 0) {
    throw Error(
        ErrorCode::bad_model,
        fmt::format("the graph leaves the size of images open, {}; give it as input_size in a manifest", text_of(graph.inputs[0])));
  }
  parts.processor = stretched(source.manifest, parts.canvas, true);
  parts.processor.resizes_tensor = !source.manifest.filter;  // as the package `rfdetr` does (`predict`, 1.11)
  if (logits->shape[2] == static_cast<std::int64_t>(coco_names_by_category().size())) {
    parts.class_names = coco_names_by_category();
    parts.class_origin = "COCO's category numbers, by how many there are";
  }
  return std::make_unique<QueryDetector>(source, std::move(parts));
}

}  // namespace verilabel
