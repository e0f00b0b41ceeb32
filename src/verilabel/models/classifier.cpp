// Models that say what a whole image shows: one output [B, classes]. Which processor prepares the image, and whether the outputs
// are logits, comes from config.json and preprocessor_config.json (Hugging Face, timm), from the metadata (Ultralytics), or from a
// manifest.

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/model_config.h"
#include "verilabel/models/pillow_labeller.h"
#include "verilabel/models/python_literal.h"

namespace verilabel {
namespace {

/// What Hugging Face's pipelines give of an image.
constexpr int kUsualClasses = 5;

std::string_view name_of(Activation activation) {
  switch (activation) {
    case Activation::softmax:
      return "softmax";
    case Activation::sigmoid:
      return "sigmoid";
    case Activation::none:
      return "scores as they are";
  }
  return "";
}

std::vector<double> scores_of(std::span<const float> outputs, Activation activation) {
  std::vector<double> scores(outputs.begin(), outputs.end());
  switch (activation) {
    case Activation::softmax: {
      const double greatest = *std::ranges::max_element(scores);
      double sum = 0;
      for (double& score : scores) {
        score = std::exp(score - greatest);
        sum += score;
      }
      for (double& score : scores) {
        score /= sum;
      }
      break;
    }
    case Activation::sigmoid:
      for (double& score : scores) {
        score = 1 / (1 + std::exp(-score));
      }
      break;
    case Activation::none:
      require_scores(outputs);
      break;
  }
  return scores;
}

class Classifier final : public PillowLabeller {
 public:
  struct Parts {
    std::string family;
    ImageProcessor processor;
    InputSize canvas;
    Activation activation = Activation::softmax;
    std::optional<std::vector<std::string>> class_names;
    std::string class_origin;
    std::size_t classes = 0;
  };

  Classifier(const ModelSource& source, Parts parts)
      : PillowLabeller(source, parts.family, source.graph.inputs.front(), std::move(parts.processor), parts.canvas),
        activation_(parts.activation),
        classes_(parts.classes) {
    max_detections_ = kUsualClasses;
    take_output_names(source, std::move(parts.class_names), parts.class_origin, classes_);
    card_.layout = fmt::format("classes of the whole image, {}", name_of(activation_));
  }

  std::vector<std::vector<std::int64_t>> output_shapes() const override { return {{static_cast<std::int64_t>(classes_)}}; }
  bool finds_objects() const override { return false; }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform&,
                                        const CandidateOptions& options) const override {
    const std::vector<double> scores = scores_of(outputs[0].values, activation_);
    std::vector<std::size_t> order;
    for (std::size_t output = 0; output < scores.size(); ++output) {
      const std::int32_t class_index = class_of_output(output);
      if (scores[output] > options.floor && class_index >= 0 && is_wanted(options, static_cast<std::size_t>(class_index))) {
        order.push_back(output);
      }
    }
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t output) { return scores[output]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(options.max_detections)));
    std::vector<Candidate> candidates;
    for (const std::size_t output : order) {
      candidates.push_back({class_of_output(output), {}, scores[output], std::nullopt, LabelKind::classification});
    }
    return candidates;
  }

 private:
  Activation activation_;
  std::size_t classes_;
};

/// [B, classes], the number of them perhaps dynamic.
bool gives_classes(const GraphInfo& graph) {
  return graph.outputs.size() == 1 && graph.outputs[0].shape.size() == 2;
}

Activation activation_of(const ModelConfig& config, std::size_t classes) {
  if (config.problem_type == "multi_label_classification") {
    return Activation::sigmoid;
  }
  if (config.problem_type.empty() || config.problem_type == "single_label_classification") {
    return classes == 1 ? Activation::sigmoid : Activation::softmax;
  }
  throw Error(ErrorCode::bad_model,
              fmt::format("the problem_type is '{}', whose outputs are no scores of classes", config.problem_type),
              {{"file", config.path.native()}, {"key", "problem_type"}});
}

/// Names that Ultralytics' exporter wrote into the graph, unless the manifest has some.
void take_names_of_metadata(Classifier::Parts& parts, const ModelSource& source) {
  if (source.manifest.class_names) {
    return;
  }
  if (const auto names = source.graph.metadata.find("names"); names != source.graph.metadata.end()) {
    parts.class_names = class_names_from_python(names->second);
  }
  parts.class_origin = "the graph's metadata";
}

/// As the output says, else one a name, of which the manifest's come first; 0 when nothing says it.
std::size_t count_classes(const ModelSource& source, const Classifier::Parts& parts) {
  if (const std::int64_t stated = source.graph.outputs[0].shape[1]; stated > 0) {
    return static_cast<std::size_t>(stated);
  }
  const auto& names = source.manifest.class_names ? source.manifest.class_names : parts.class_names;
  return names ? names->size() : 0;
}

constexpr std::array<std::string_view, 5> kConfiguredKeys = {"family", "class_names", "class_names_file", "max_detections", "task"};

}  // namespace

std::unique_ptr<FamilyLabeller> make_transformers_classifier(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  if (graph.inputs.size() != 1 || graph.inputs[0].name != "pixel_values" || !takes_image(graph.inputs[0]) ||
      !gives_classes(graph) || graph.outputs[0].name != "logits" || source.manifest.has("resize")) {
    return nullptr;
  }
  if (source.files.config.empty()) {
    throw Error(
        ErrorCode::bad_model,
        "the graph is an image classifier of Hugging Face's form, and its config.json and preprocessor_config.json are missing: "
        "put them beside it or one folder up, or describe the preprocessing in a manifest");
  }
  const ModelConfig config = read_model_config(source.files.config);
  if (!config.is_timm && source.files.preprocessor.empty()) {
    throw Error(ErrorCode::bad_model, "there is a config.json, but no preprocessor_config.json, which says how images are prepared",
                {{"file", source.files.config.native()}});
  }
  require_keys(source.manifest, "transformers_classifier", kConfiguredKeys);
  const bool is_timm = config.is_timm && source.files.preprocessor.empty();
  const std::filesystem::path& stated_by = is_timm ? source.files.config : source.files.preprocessor;
  Classifier::Parts parts;
  parts.family = "transformers_classifier";
  parts.processor = is_timm ? read_timm_processor(stated_by) : read_image_processor(stated_by);
  parts.canvas = canvas_of(parts.processor, source.graph.inputs.front(), stated_by);
  parts.class_names = config.class_names;
  parts.class_origin = source.files.config.native();
  parts.classes = count_classes(source, parts);
  parts.activation = activation_of(config, parts.classes);
  return std::make_unique<Classifier>(source, std::move(parts));
}

std::unique_ptr<FamilyLabeller> make_ultralytics_classifier(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  const auto task = graph.metadata.find("task");
  if (!takes_one_image(graph) || task == graph.metadata.end() || task->second != "classify" || !gives_classes(graph)) {
    return nullptr;
  }
  require_keys(
      source.manifest, "ultralytics_classifier",
      std::array<std::string_view, 6>{"family", "class_names", "class_names_file", "max_detections", "task", "input_size"});
  Classifier::Parts parts;
  parts.family = "ultralytics_classifier";
  const InputSize stated = ultralytics_size_of(graph);
  parts.canvas = input_size_of(source, stated);
  // A transform of torchvision: the shorter side to that of the input, its centre cut out; other shapes are stretched.
  parts.processor = centre_of_shortest_edge(parts.canvas.height, parts.canvas, PillowFilter::bilinear);
  if (parts.canvas.height != parts.canvas.width) {
    parts.processor.rule = ImageProcessor::SizeRule::exact;
    parts.processor.size = parts.canvas;
  }
  ValueScaling scaling;
  scaling.rescale = ValueScaling::Rescale::divided;
  scaling.is_normalised = false;
  parts.processor.tables = tables_of(scaling);
  parts.processor.scaling = text_of(scaling);
  parts.activation = Activation::none;  // the export ends with its softmax
  take_names_of_metadata(parts, source);
  parts.classes = count_classes(source, parts);
  return std::make_unique<Classifier>(source, std::move(parts));
}

std::unique_ptr<FamilyLabeller> make_classifier(const ModelSource& source) {
  const Manifest& manifest = source.manifest;
  if (!manifest.is_classification && manifest.family != "classifier") {
    return nullptr;
  }
  const GraphInfo& graph = source.graph;
  if (graph.inputs.size() != 1 || !takes_image(graph.inputs[0]) || !gives_classes(graph)) {
    return nullptr;
  }
  constexpr std::array<std::string_view, 14> kKeys = {"family", "task", "class_names", "class_names_file", "channel_order",
                                                      "mean",   "std",  "input_size",  "max_detections",   "resize",
                                                      "filter", "crop", "scale",       "activation"};
  require_keys(manifest, "classifier", kKeys);
  if (!manifest.resize) {
    throw Error(
        ErrorCode::bad_data,
        R"(the manifest of a classifier must say how images are resized, as {"resize": {"shortest_edge": 256}, "crop": [224, 224]})",
        {{"file", manifest.path.native()}, {"key", "resize"}});
  }
  Classifier::Parts parts;
  parts.family = "classifier";
  const bool keeps_shape = manifest.resize->shortest_edge > 0;
  const TensorInfo& input = graph.inputs.front();
  if (manifest.crop) {
    parts.canvas = *manifest.crop;
  } else if (!keeps_shape) {
    parts.canvas = manifest.resize->exact;
  } else if (manifest.input_size || (input.shape[2] > 0 && input.shape[3] > 0)) {
    parts.canvas = input_size_of(source, {});
  } else {
    throw Error(ErrorCode::bad_data, "the graph takes images of any size; say in the manifest which part is cut out, as crop",
                {{"file", manifest.path.native()}, {"key", "crop"}});
  }
  parts.processor =
      centre_of_shortest_edge(manifest.resize->shortest_edge, parts.canvas, manifest.filter.value_or(PillowFilter::bilinear));
  if (!keeps_shape) {
    parts.processor.rule = ImageProcessor::SizeRule::exact;
    parts.processor.size = manifest.resize->exact;
  }
  canvas_of(parts.processor, input, manifest.path);
  ValueScaling scaling;
  scaling.rescale = manifest.scale ? ValueScaling::Rescale::factor : ValueScaling::Rescale::none;
  scaling.factor = manifest.scale.value_or(1);
  scaling.is_normalised = manifest.mean || manifest.std;
  scaling.mean = manifest.mean.value_or(scaling.mean);
  scaling.std = manifest.std.value_or(scaling.std);
  scaling.order = manifest.channel_order.value_or(ChannelOrder::rgb);
  parts.processor.tables = tables_of(scaling);
  parts.processor.scaling = text_of(scaling);
  parts.activation = manifest.activation.value_or(Activation::softmax);
  take_names_of_metadata(parts, source);
  parts.classes = count_classes(source, parts);
  return std::make_unique<Classifier>(source, std::move(parts));
}

}  // namespace verilabel
