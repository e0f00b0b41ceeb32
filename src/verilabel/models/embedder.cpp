#include "verilabel/models/embedder.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/family.h"
#include "verilabel/models/model_config.h"
#include "verilabel/models/pillow_labeller.h"

namespace verilabel {
namespace {

/// The vector of a picture, among a graph's outputs.
struct Choice {
  std::size_t output = 0;
  bool is_of_tokens = false;      ///< [B, tokens, features]; otherwise [B, features]
  std::size_t prefix_tokens = 0;  ///< class and register tokens, which are no part of the picture
  bool takes_mean = false;        ///< of the other tokens; otherwise the first
  std::string method;
};

std::optional<std::size_t> output_named(const GraphInfo& graph, std::string_view name, std::size_t rank) {
  const TensorInfo* output = tensor_named(graph.outputs, name);
  return output != nullptr && output->shape.size() == rank ? std::optional(static_cast<std::size_t>(output - graph.outputs.data()))
                                                           : std::nullopt;
}

std::optional<Choice> choice_of(const GraphInfo& graph, const ModelConfig& config, Pooling pooling) {
  const bool is_siglip = config.model_type.starts_with("siglip");
  const auto tokens = output_named(graph, "last_hidden_state", 3);
  const std::size_t prefix = is_siglip ? 0 : 1 + static_cast<std::size_t>(config.register_tokens);
  if (pooling == Pooling::tokens) {
    return tokens ? std::optional<Choice>({*tokens, true, prefix, true, "mean of the tokens of the picture"}) : std::nullopt;
  }
  if (const auto projected = output_named(graph, "image_embeds", 2)) {
    return Choice{*projected, false, 0, false, "image_embeds"};
  }
  const auto pooled = output_named(graph, "pooler_output", 2);
  if (tokens && !is_siglip) {
    return Choice{*tokens, true, prefix, false, "class token of last_hidden_state"};
  }
  return pooled ? std::optional<Choice>({*pooled, false, 0, false, "pooler_output"}) : std::nullopt;
}

class PillowEmbedder final : public Embedder {
 public:
  PillowEmbedder(const ModelSource& source, const TensorInfo& image, ImageProcessor processor, InputSize canvas, Choice choice)
      : processor_(std::move(processor)),
        canvas_(canvas),
        choice_(std::move(choice)),
        image_input_(static_cast<std::size_t>(&image - source.graph.inputs.data())) {
    card_.family = "embedder";
    card_.layout = choice_.method;
    card_.preprocessing = processor_.text();
    card_.weights_sha256 = source.weights_sha256;
    graph_.file = source.files.graph;
    graph_.fixed_batch = image.shape[0] > 0 ? static_cast<int>(image.shape[0]) : 0;
    graph_.outputs = {choice_.output};
    for (const TensorInfo& input : source.graph.inputs) {
      if (&input == &image) {
        graph_.inputs.push_back({{Image::kChannels, canvas.height, canvas.width}});
        continue;
      }
      // The texts of a graph of both towers, on which the picture's vector does not depend.
      InputPart idle{{}, takes_i64(input.type), false};
      for (const std::int64_t side : input.shape) {
        idle.shape.push_back(side > 0 ? side : 1);
      }
      graph_.inputs.push_back(std::move(idle));
    }
  }

  const ModelCard& card() const override { return card_; }
  const std::vector<std::string>& notes() const override { return notes_; }
  const GraphUse& graph() const override { return graph_; }
  const std::string& method() const override { return choice_.method; }

  InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch) const override {
    write_image(processor_, image, canvas_, inputs[image_input_].f32, scratch);
    return {.image_width = image.width(), .image_height = image.height()};
  }

  std::vector<float> decode(std::span<const OutputView> outputs) const override {
    const OutputView& output = outputs[0];
    const std::size_t rank = choice_.is_of_tokens ? 2 : 1;
    const std::size_t features = output.shape.size() == rank ? static_cast<std::size_t>(output.shape.back()) : 0;
    const std::size_t first = choice_.takes_mean ? choice_.prefix_tokens : 0;
    if (features == 0 || output.values.size() < (first + 1) * features || output.values.size() % features != 0) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the model gave {} numbers for a picture, which is no {}", output.values.size(), choice_.method));
    }
    const std::size_t tokens = choice_.takes_mean ? output.values.size() / features : 1;
    std::vector<double> sum(features, 0);
    for (std::size_t token = first; token < std::max(tokens, first + 1); ++token) {
      for (std::size_t i = 0; i < features; ++i) {
        sum[i] += output.values[token * features + i];
      }
    }
    double square = 0;
    for (const double value : sum) {
      square += value * value;
    }
    if (!(square > 0) || !std::isfinite(square)) {
      throw Error(ErrorCode::bad_model, "the model made nothing of this picture that can be compared");
    }
    std::vector<float> vector(features);
    std::ranges::transform(sum, vector.begin(), [&](double value) { return static_cast<float>(value / std::sqrt(square)); });
    return vector;
  }

 private:
  ImageProcessor processor_;
  InputSize canvas_;
  Choice choice_;
  std::size_t image_input_;
  ModelCard card_;
  std::vector<std::string> notes_;
  GraphUse graph_;
};

}  // namespace

std::unique_ptr<Embedder> load_embedder(Engine& engine, const std::filesystem::path& model, const LoadOptions& options,
                                        Pooling pooling) {
  ModelFiles files = find_model_files(model);
  const ModelSource source{.engine = engine,
                           .options = options,
                           .graph = engine.inspect(files.graph),
                           .companion = {},
                           .manifest = {},
                           .files = files,
                           .weights_sha256 = sha256_of_weights(files)};
  const ModelConfig config = files.config.empty() ? ModelConfig() : read_model_config(files.config);
  const auto image = std::ranges::find_if(source.graph.inputs, takes_image);
  const std::optional<Choice> choice = choice_of(source.graph, config, pooling);
  if (image == source.graph.inputs.end() || !choice) {
    std::string outputs;
    for (const TensorInfo& output : source.graph.outputs) {
      outputs += (outputs.empty() ? "" : "; ") + text_of(output);
    }
    throw Error(ErrorCode::bad_model,
                pooling == Pooling::tokens
                    ? "the model gives no tokens of a picture: last_hidden_state [B, tokens, features] is needed"
                    : "the model makes no vector of a picture: image_embeds, last_hidden_state or pooler_output is needed",
                {{"model", model.native()}, {"outputs", outputs}});
  }
  if (files.preprocessor.empty()) {
    throw Error(ErrorCode::bad_model, "there is no preprocessor_config.json, which says how images are prepared",
                {{"model", model.native()}});
  }
  ImageProcessor processor = read_image_processor(files.preprocessor);
  const InputSize canvas = canvas_of(processor, *image, files.preprocessor);
  return std::make_unique<PillowEmbedder>(source, *image, std::move(processor), canvas, *choice);
}

}  // namespace verilabel
