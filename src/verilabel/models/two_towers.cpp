// Models that compare an image with texts: CLIP, whose classes compete (a softmax), SigLIP, whose classes do not (a sigmoid). The
// two towers may be two graphs or lie in one, of which only the outputs that are needed are computed.
//
// Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021; Zhai et al., Sigmoid Loss for
// Language Image Pre-Training, 2023. Scores are those of transformers' zero-shot-image-classification pipeline.

#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/model_config.h"
#include "verilabel/models/pillow_labeller.h"
#include "verilabel/models/prompt_passes.h"
#include "verilabel/models/text_tower.h"

namespace verilabel {
namespace {

/// What Hugging Face's pipelines give of an image.
constexpr int kUsualClasses = 5;
/// The sentence of transformers' pipeline.
constexpr std::string_view kUsualTemplate = "This is a photo of {}.";
/// What CLIP's logits are multiplied by once it is trained: its authors keep the learned factor from growing beyond.
constexpr double kClipScale = 100;

enum class Kind : std::uint8_t { clip, siglip };

/// logit = scale · cosine + bias
struct Calibration {
  double scale = 0;
  double bias = 0;
};

class TwoTowerLabeller final : public PillowLabeller {
 public:
  struct Parts {
    Kind kind = Kind::clip;
    ImageProcessor processor;
    InputSize canvas;
    const TensorInfo* image = nullptr;
    std::size_t image_output = 0;
    std::optional<TextTower> tower;
    Calibration calibration;
    std::string layout;
  };

  TwoTowerLabeller(const ModelSource& source, Parts parts)
      : PillowLabeller(source, parts.kind == Kind::clip ? "clip" : "siglip", *parts.image, std::move(parts.processor),
                       parts.canvas),
        kind_(parts.kind),
        calibration_(parts.calibration) {
    read_only({parts.image_output});
    for (const TensorInfo& input : source.graph.inputs) {
      if (&input != parts.image) {
        set_whole_input(source, input.name,
                        {input.shape[0] > 0 ? input.shape[0] : 1, input.shape[1] > 0 ? input.shape[1] : parts.tower->max_tokens});
      }
    }
    max_detections_ = kUsualClasses;
    card_.layout = std::move(parts.layout);
    ask(source, *parts.tower);
    const std::vector<std::int64_t>& image_shape = source.graph.outputs[parts.image_output].shape;
    const std::int64_t of_image = image_shape.empty() ? -1 : image_shape.back();
    const auto of_texts = static_cast<std::int64_t>(texts_.dimensions);
    if (of_image > 0 && of_texts > 0 && of_image != of_texts) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the towers are not of one model: images become {} numbers and texts {}, which cannot be compared",
                              of_image, of_texts),
                  {{"image", source.files.graph.native()}, {"text", parts.tower->graph.native()}});
    }
  }

  std::vector<std::vector<std::int64_t>> output_shapes() const override {
    return {{texts_.dimensions > 0 ? static_cast<std::int64_t>(texts_.dimensions) : -1}};
  }
  bool finds_objects() const override { return false; }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform&,
                                        const CandidateOptions& options) const override {
    const std::vector<double> scores = scores_of(outputs[0].values);
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < class_names().size(); ++i) {
      if (scores[i] > options.floor && is_wanted(options, i)) {
        order.push_back(i);
      }
    }
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return scores[i]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(options.max_detections)));
    std::vector<Candidate> candidates;
    for (const std::size_t i : order) {
      candidates.push_back({static_cast<std::int32_t>(i), {}, scores[i], std::nullopt, LabelKind::classification});
    }
    return candidates;
  }

 private:
  void ask(const ModelSource& source, const TextTower& tower) {
    const Prompts& prompts = source.options.prompts;
    take_prompts(source);
    if (prompts.classes.empty()) {
      return;
    }
    if (kind_ == Kind::clip && prompts.classes.size() + prompts.negatives.size() < 2) {
      throw Error(
          ErrorCode::wrong_use,
          fmt::format("CLIP says which of several texts fits best, so that a single one fits every image; name what else there "
                      "could be with --negatives, or more classes than '{}'",
                      prompts.classes.front().name));
    }
    Phrasings phrasings = phrasings_of(prompts);
    const std::vector<std::string> templates =
        prompts.templates.empty() ? std::vector{std::string(kUsualTemplate)} : prompts.templates;
    std::vector<std::vector<std::int64_t>> tokens;
    for (const std::string& phrasing : phrasings.texts) {
      tokens.push_back(tokens_of(tower, filled_in(templates.front(), phrasing)));
    }
    if (auto note = note_of_twins(prompts, tokens)) {
      add_note(*std::move(note));
    }
    texts_ = encode_phrasings(source, tower, phrasings, templates);
    class_of_text_ = std::move(phrasings.class_of_text);
  }

  /// Of the classes, and of nothing else: negatives take their share of a softmax, and take off what fits less than they do.
  std::vector<double> scores_of(std::span<const float> image) const {
    double square = 0;
    for (const float value : image) {
      square += static_cast<double>(value) * value;
    }
    if (!(square > 0) || !std::isfinite(square)) {
      throw Error(ErrorCode::bad_model, "the model made nothing of this image that can be compared");
    }
    const double scale = calibration_.scale / std::sqrt(square);
    std::vector<double> logits(class_names().size(), -std::numeric_limits<double>::infinity());
    std::vector<double> negatives;
    for (std::size_t text = 0; text < class_of_text_.size(); ++text) {
      const std::span<const float> row = texts_.row(text);
      const double logit = std::inner_product(row.begin(), row.end(), image.begin(), 0.0) * scale + calibration_.bias;
      if (class_of_text_[text] < 0) {
        negatives.push_back(logit);
      } else {
        double& best = logits[static_cast<std::size_t>(class_of_text_[text])];
        best = std::max(best, logit);
      }
    }
    return kind_ == Kind::clip ? shares_of(logits, negatives) : sigmoids_of(logits, negatives);
  }

  /// What the best negative scores; without one nothing does.
  static double rival_of(const std::vector<double>& negatives) {
    return negatives.empty() ? -std::numeric_limits<double>::infinity() : *std::ranges::max_element(negatives);
  }

  /// A class that a negative outdoes has no score at all.
  static std::vector<double> shares_of(std::vector<double> logits, const std::vector<double>& negatives) {
    const double rival = rival_of(negatives);
    const double greatest = std::max(rival, *std::ranges::max_element(logits));
    double sum = 0;
    for (const double logit : logits) {
      sum += std::exp(logit - greatest);
    }
    for (const double logit : negatives) {
      sum += std::exp(logit - greatest);
    }
    for (double& logit : logits) {
      logit = logit < rival ? -1 : std::exp(logit - greatest) / sum;
    }
    return logits;
  }

  /// Likewise.
  static std::vector<double> sigmoids_of(std::vector<double> logits, const std::vector<double>& negatives) {
    const double rival = rival_of(negatives);
    for (double& logit : logits) {
      logit = logit < rival ? -1 : 1 / (1 + std::exp(-logit));
    }
    return logits;
  }

  Kind kind_;
  Calibration calibration_;
  TextFeatures texts_;
  std::vector<std::int32_t> class_of_text_;
};

std::optional<std::size_t> index_named(const std::vector<TensorInfo>& tensors, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (const TensorInfo* tensor = tensor_named(tensors, name)) {
      return static_cast<std::size_t>(tensor - tensors.data());
    }
  }
  return std::nullopt;
}

bool reads_texts(const GraphInfo& graph) {
  return std::ranges::any_of(graph.inputs, is_of_texts);
}

const TensorInfo* image_input_of(const GraphInfo& graph) {
  const auto found = std::ranges::find_if(graph.inputs, takes_image);
  return found == graph.inputs.end() ? nullptr : &*found;
}

/// What the graphs are, whatever they are called.
struct Towers {
  bool are_one = false;
  const TensorInfo* image = nullptr;
  std::size_t image_output = 0;
  std::size_t text_output = 0;
};

/// One output of a tower: the named one, else the only one of rank 2.
std::optional<std::size_t> features_of(const GraphInfo& graph, std::initializer_list<std::string_view> names) {
  if (const auto named = index_named(graph.outputs, names)) {
    return named;
  }
  const bool is_only = graph.outputs.size() == 1 && graph.outputs[0].shape.size() == 2;
  return is_only ? std::optional<std::size_t>(0) : std::nullopt;
}

std::optional<Towers> towers_of(const ModelSource& source) {
  Towers towers;
  towers.image = image_input_of(source.graph);
  if (towers.image == nullptr) {
    return std::nullopt;
  }
  if (reads_texts(source.graph)) {
    const auto image = index_named(source.graph.outputs, {"image_embeds"});
    const auto text = index_named(source.graph.outputs, {"text_embeds"});
    if (!image || !text || !index_named(source.graph.outputs, {"logits_per_image"})) {
      return std::nullopt;
    }
    towers.are_one = true;
    towers.image_output = *image;
    towers.text_output = *text;
    return towers;
  }
  if (!reads_texts(source.companion) || source.graph.inputs.size() != 1) {
    return std::nullopt;
  }
  const auto image = features_of(source.graph, {"image_embeds", "pooler_output"});
  const auto text = features_of(source.companion, {"text_embeds", "pooler_output"});
  if (!image || !text) {
    return std::nullopt;
  }
  towers.image_output = *image;
  towers.text_output = *text;
  return towers;
}

/// What CLIP's towers pool is compared after a projection only, which exports of `CLIPTextModel` and `CLIPVisionModel` lack.
void require_projection(const GraphInfo& graph, std::size_t output, const std::filesystem::path& file) {
  if (graph.outputs[output].name == "pooler_output") {
    throw Error(ErrorCode::bad_model,
                "this tower ends before its projection (pooler_output), so that images and texts cannot be compared; export it as "
                "CLIPTextModelWithProjection or CLIPVisionModelWithProjection",
                {{"file", file.native()}});
  }
}

std::span<const float> row_of(std::span<const float> rows, std::size_t row, std::size_t count) {
  const std::size_t size = rows.size() / count;
  return rows.subspan(row * size, size);
}

/// Whatever a graph of both towers takes besides the image has to be about the texts.
void require_known_inputs(const GraphInfo& graph, const std::filesystem::path& file) {
  for (const TensorInfo& input : graph.inputs) {
    if (!is_of_texts(input) && &input != image_input_of(graph)) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the graph has an input {}, which is neither an image nor whole numbers of the shape [texts, tokens]",
                              text_of(input)),
                  {{"file", file.native()}});
    }
  }
}

/// Factor and offset of the logits of a graph of both towers, from what it makes of some texts and an image: a straight line
/// through the pairs of cosine and logit.
Calibration calibrated(const ModelSource& source, const std::filesystem::path& file, const GraphInfo& graph, const TextTower& tower,
                       InputSize canvas) {
  require_known_inputs(graph, file);
  const std::array<std::string, 6> texts = {"cat", "a photo of a dog", "red", "sky", "x", "street at night"};
  std::vector<std::vector<std::int64_t>> tokens;
  std::size_t longest = 0;
  for (const std::string& text : texts) {
    tokens.push_back(tokens_of(tower, text));
    longest = std::max(longest, tokens.back().size());
  }
  const auto [count, length] = text_batch_of(tower, graph, texts.size(), longest);
  CompileOptions options;
  options.device = source.options.device;
  options.outputs = {*index_named(graph.outputs, {"logits_per_image"}), *index_named(graph.outputs, {"text_embeds"}),
                     *index_named(graph.outputs, {"image_embeds"})};
  for (const TensorInfo& input : graph.inputs) {
    options.input_shapes.push_back(
        input.shape.size() == 2
            ? std::vector{static_cast<std::int64_t>(count), static_cast<std::int64_t>(length)}
            : std::vector<std::int64_t>{std::max<std::int64_t>(input.shape[0], 1), 3, canvas.height, canvas.width});
  }
  const auto compiled = source.engine.compile(file, options);
  const auto request = compiled->create_request();
  const TensorInfo* mask = tensor_named(graph.inputs, "attention_mask");
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (graph.inputs[i].shape.size() != 2) {
      // Any picture will do.
      const std::span<float> pixels = request->input(i);
      for (std::size_t at = 0; at < pixels.size(); ++at) {
        pixels[at] = static_cast<float>(at % 97) / 48 - 1;
      }
    }
  }
  std::vector<double> cosines;
  std::vector<double> logits;
  for (std::size_t begin = 0; begin < texts.size(); begin += count) {
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
      const TensorInfo& input = graph.inputs[i];
      if (input.shape.size() != 2 || &input == mask) {
        continue;  // the picture; the mask is filled with the texts
      }
      for (std::size_t at = 0; at < count; ++at) {
        const std::size_t text = std::min(begin + at, texts.size() - 1);  // the last one again where there are no more
        std::span<std::int64_t> mask_of_text;
        if (mask != nullptr) {
          mask_of_text = request->input_i64(static_cast<std::size_t>(mask - graph.inputs.data())).subspan(at * length, length);
        }
        write_tokens(tower, tokens[text], request->input_i64(i).subspan(at * length, length), mask_of_text);
      }
    }
    request->run();
    const std::span<const float> rows = request->output(1);
    const std::size_t dimensions = rows.size() / count;
    if (dimensions == 0 || rows.size() != count * dimensions || request->output(2).size() < dimensions ||
        request->output(2).size() % dimensions != 0 || request->output(0).size() < count) {
      throw Error(
          ErrorCode::bad_model,
          fmt::format("the graph gave {} numbers for {} texts, {} for the image and {} logits, which do not belong together",
                      rows.size(), count, request->output(2).size(), request->output(0).size()),
          {{"file", file.native()}});
    }
    // The first picture, where a graph takes several.
    const std::span<const float> image = request->output(2).first(dimensions);
    for (std::size_t at = 0; at < std::min(count, texts.size() - begin); ++at) {
      const std::span<const float> row = row_of(rows, at, count);
      const double dot = std::inner_product(row.begin(), row.end(), image.begin(), 0.0);
      const double lengths = std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0) *
                                       std::inner_product(image.begin(), image.end(), image.begin(), 0.0));
      cosines.push_back(dot / lengths);
      logits.push_back(request->output(0)[at]);
    }
  }
  const auto many = static_cast<double>(texts.size());
  const double mean_cosine = std::accumulate(cosines.begin(), cosines.end(), 0.0) / many;
  const double mean_logit = std::accumulate(logits.begin(), logits.end(), 0.0) / many;
  double covariance = 0;
  double variance = 0;
  for (std::size_t text = 0; text < texts.size(); ++text) {
    covariance += (cosines[text] - mean_cosine) * (logits[text] - mean_logit);
    variance += (cosines[text] - mean_cosine) * (cosines[text] - mean_cosine);
  }
  Calibration calibration;
  calibration.scale = covariance / variance;
  calibration.bias = mean_logit - calibration.scale * mean_cosine;
  if (!std::isfinite(calibration.scale) || calibration.scale <= 0) {
    throw Error(ErrorCode::bad_model, "the logits of the graph do not grow with the likeness of image and text",
                {{"file", file.native()}});
  }
  return calibration;
}

constexpr std::array<std::string_view, 4> kKeys = {"family", "max_detections", "logit_scale", "logit_bias"};

Calibration calibration_of(const ModelSource& source, const Towers& towers, Kind kind, const TextTower& tower, InputSize canvas,
                           std::vector<std::string>& notes) {
  const Manifest& manifest = source.manifest;
  if (manifest.logit_bias.has_value() != manifest.logit_scale.has_value() && (manifest.logit_bias || kind == Kind::siglip)) {
    const std::string missing = manifest.logit_bias ? "logit_scale" : "logit_bias";
    throw Error(ErrorCode::bad_data,
                fmt::format("the manifest has {}, which means nothing without {}: give both",
                            manifest.logit_bias ? "logit_bias" : "SigLIP's logit_scale", missing),
                {{"file", manifest.path.native()}, {"key", missing}});
  }
  if (manifest.logit_scale) {
    return {*manifest.logit_scale, manifest.logit_bias.value_or(0)};
  }
  if (source.options.prompts.classes.empty()) {
    return {};
  }
  if (towers.are_one) {
    return calibrated(source, source.files.graph, source.graph, tower, canvas);
  }
  // A graph of both towers beside the two knows the numbers that neither tower has.
  const std::filesystem::path both = source.files.graph.parent_path() / "model.onnx";
  if (std::filesystem::is_regular_file(both)) {
    const GraphInfo graph = source.engine.inspect(both);
    if (index_named(graph.outputs, {"logits_per_image"}) && index_named(graph.outputs, {"text_embeds"}) &&
        index_named(graph.outputs, {"image_embeds"})) {
      return calibrated(source, both, graph, tower, canvas);
    }
  }
  if (kind == Kind::clip) {
    notes.push_back(
        fmt::format("the factor of the logits is in neither tower and taken to be {}, as in the published weights; another "
                    "can be given as logit_scale in a manifest",
                    kClipScale));
    return {kClipScale, 0};
  }
  throw Error(ErrorCode::bad_model,
              "factor and offset of SigLIP's logits are in neither tower: put the model.onnx of both towers beside them, or give "
              "logit_scale and logit_bias in a manifest",
              {{"file", source.files.graph.native()}});
}

/// CLIP's usual preprocessing, where no file states it.
ImageProcessor usual_processor(int side) {
  ImageProcessor processor = centre_of_shortest_edge(side, {side, side}, PillowFilter::bicubic);
  ValueScaling scaling;
  scaling.mean = {0.48145466, 0.4578275, 0.40821073};
  scaling.std = {0.26862954, 0.26130258, 0.27577711};
  processor.tables = tables_of(scaling);
  processor.scaling = text_of(scaling);
  processor.crop_rounding = ImageProcessor::CropRounding::down;
  return processor;
}

}  // namespace

std::unique_ptr<FamilyLabeller> make_two_towers(const ModelSource& source) {
  const std::optional<Towers> towers = towers_of(source);
  if (!towers) {
    return nullptr;
  }
  ModelConfig config;
  if (!source.files.config.empty()) {
    config = read_model_config(source.files.config);
  }
  const bool is_siglip = config.model_type.starts_with("siglip");
  if (!is_siglip && !config.model_type.empty() && config.model_type != "clip" && !source.manifest.family) {
    return nullptr;
  }
  require_keys(source.manifest, is_siglip ? "siglip" : "clip", kKeys);
  TwoTowerLabeller::Parts parts;
  parts.kind = is_siglip ? Kind::siglip : Kind::clip;
  if (!is_siglip) {
    require_projection(source.graph, towers->image_output, source.files.graph);
    require_projection(towers->are_one ? source.graph : source.companion, towers->text_output,
                       towers->are_one ? source.files.graph : source.files.companion);
  }
  if (towers->are_one) {
    require_known_inputs(source.graph, source.files.graph);
  }
  parts.image = towers->image;
  parts.image_output = towers->image_output;
  if (!source.files.preprocessor.empty()) {
    parts.processor = read_image_processor(source.files.preprocessor);
  } else if (towers->image->shape[2] > 0 && towers->image->shape[2] == towers->image->shape[3] && !is_siglip) {
    parts.processor = usual_processor(static_cast<int>(towers->image->shape[2]));
  } else {
    throw Error(ErrorCode::bad_model, "there is no preprocessor_config.json, which says how images are prepared",
                {{"file", source.files.graph.native()}});
  }
  parts.canvas = canvas_of(parts.processor, *towers->image, source.files.preprocessor);
  parts.tower = text_tower_of(source, towers->are_one ? source.files.graph : source.files.companion,
                              towers->are_one ? source.graph : source.companion, towers->text_output, config);
  // A manifest may name this family for a model of another type, which reads in its own way.
  if (config.model_type == "clip" || (config.model_type.empty() && !source.manifest.family)) {
    require_clip_tokens(source, *parts.tower);
  }
  parts.tower->image = parts.canvas;
  std::vector<std::string> notes;
  parts.calibration = calibration_of(source, *towers, parts.kind, *parts.tower, parts.canvas, notes);
  parts.layout = fmt::format("{}, {}", towers->are_one ? "both towers in one graph" : "two graphs",
                             is_siglip ? "sigmoid of each class" : "softmax over the best text of each class");
  if (source.manifest.logit_scale) {
    parts.layout += fmt::format(", logits by the manifest {:g} x + {:g}", parts.calibration.scale, parts.calibration.bias);
  }
  auto labeller = std::make_unique<TwoTowerLabeller>(source, std::move(parts));
  for (std::string& note : notes) {
    labeller->add_note(std::move(note));
  }
  return labeller;
}

}  // namespace verilabel
