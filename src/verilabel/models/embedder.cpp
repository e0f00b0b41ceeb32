#include "verilabel/models/embedder.h"

#include <algorithm>
#include <array>
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

/// The tokens of transformers' backbones.
struct TokenLayout {
  std::string_view model_type;   ///< empty where no config.json states it
  std::size_t marks = 0;         ///< tokens before those of the picture, without registers
  bool is_vector_first = false;  ///< the class token stands for the picture; otherwise `pooler_output` does
};
constexpr std::array kTokenLayouts = {
    TokenLayout{"", 1, true},
    TokenLayout{"vit", 1, true},
    TokenLayout{"vit_msn", 1, true},
    TokenLayout{"deit", 2, true},
    TokenLayout{"dinov2", 1, true},
    TokenLayout{"dinov2_with_registers", 1, true},
    TokenLayout{"dinov3_vit", 1, true},
    TokenLayout{"beit", 1},
    TokenLayout{"data2vec-vision", 1},
    TokenLayout{"clip", 1},
    TokenLayout{"clip_vision_model", 1},
    TokenLayout{"siglip"},
    TokenLayout{"siglip_vision_model"},
};

std::optional<Choice> choice_of(const GraphInfo& graph, const ModelConfig& config, Pooling pooling) {
  const auto* const layout = std::ranges::find(kTokenLayouts, config.model_type, &TokenLayout::model_type);
  const bool is_known = layout != kTokenLayouts.end();
  const auto tokens = is_known ? output_named(graph, "last_hidden_state", 3) : std::nullopt;
  if (pooling == Pooling::tokens) {
    return tokens ? std::optional<Choice>({*tokens, true, layout->marks + static_cast<std::size_t>(config.register_tokens), true,
                                           "mean of the tokens of the picture"})
                  : std::nullopt;
  }
  if (const auto projected = output_named(graph, "image_embeds", 2)) {
    return Choice{*projected, false, 0, false, "image_embeds"};
  }
  if (tokens && layout->is_vector_first) {
    return Choice{*tokens, true, 0, false, "class token of last_hidden_state"};
  }
  const auto pooled = output_named(graph, "pooler_output", 2);
  return pooled ? std::optional<Choice>({*pooled, false, 0, false, "pooler_output"}) : std::nullopt;
}

class PillowEmbedder final : public Embedder {
 public:
  /// `patch_px`: side of the part of the picture that a token stands for; 0 when that is not known.
  PillowEmbedder(const ModelSource& source, const TensorInfo& image, ImageProcessor processor, InputSize canvas, Choice choice,
                 int patch_px)
      : processor_(std::move(processor)),
        canvas_(canvas),
        choice_(std::move(choice)),
        picture_tokens_(patch_px > 0 ? static_cast<std::size_t>((canvas.height / patch_px) * (canvas.width / patch_px)) : 0),
        image_input_(static_cast<std::size_t>(&image - source.graph.inputs.data())) {
    card_.family = "embedder";
    card_.layout = choice_.method;
    card_.preprocessing = processor_.text();
    card_.weights_sha256 = source.weights_sha256;
    graph_.file = source.files.graph;
    graph_.fixed_batch = image.shape[0] > 0 ? static_cast<int>(image.shape[0]) : 0;
    graph_.scales_over_batch = source.graph.scales_over_batch;
    require_values_of(image, processor_.tables);
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
    if (choice_.takes_mean && picture_tokens_ > 0 && tokens != choice_.prefix_tokens + picture_tokens_) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the model gave {} tokens; {} of the picture and {} before them were expected, by patch_size and "
                              "num_register_tokens of config.json",
                              tokens, picture_tokens_, choice_.prefix_tokens));
    }
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
  std::size_t picture_tokens_;
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
  require_whole_images(source.graph, files.graph);
  const ModelConfig config = files.config.empty() ? ModelConfig() : read_model_config(files.config);
  const auto image = std::ranges::find_if(source.graph.inputs, takes_image);
  const std::optional<Choice> choice = choice_of(source.graph, config, pooling);
  if (image == source.graph.inputs.end() || !choice) {
    std::string outputs;
    for (const TensorInfo& output : source.graph.outputs) {
      outputs += (outputs.empty() ? "" : "; ") + text_of(output);
    }
    throw Error(
        ErrorCode::bad_model,
        pooling == Pooling::tokens
            ? "the model gives no tokens that are known to be parts of a picture: last_hidden_state [B, tokens, features] of a "
              "ViT, DeiT, DINO, BEiT, CLIP or SigLIP is needed"
            : "the model makes no vector of a picture: image_embeds, last_hidden_state or pooler_output is needed",
        {{"model", model.native()}, {"outputs", outputs}});
  }
  if (files.preprocessor.empty()) {
    throw Error(ErrorCode::bad_model, "there is no preprocessor_config.json, which says how images are prepared",
                {{"model", model.native()}});
  }
  ImageProcessor processor = read_image_processor(files.preprocessor);
  const InputSize canvas = canvas_of(processor, *image, files.preprocessor);
  return std::make_unique<PillowEmbedder>(source, *image, std::move(processor), canvas, *choice, config.patch_px);
}

}  // namespace verilabel
