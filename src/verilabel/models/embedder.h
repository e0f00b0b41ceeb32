#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "verilabel/models/labeller.h"

namespace verilabel {

/// A model that makes a vector of a picture: what looks alike lies close together. Immutable; safe from any number of threads.
class Embedder {
 public:
  virtual ~Embedder() = default;

  virtual const ModelCard& card() const = 0;
  virtual const std::vector<std::string>& notes() const = 0;
  virtual const GraphUse& graph() const = 0;
  /// Which of the model's outputs it is, and what is done with it, in words.
  virtual const std::string& method() const = 0;

  virtual InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch) const = 0;
  /// A vector of length 1, so that the product of two is their cosine. Throws `bad_model` for outputs of another shape or without
  /// length.
  virtual std::vector<float> decode(std::span<const OutputView> outputs) const = 0;
};

/// Which vector is made of a model that gives one for each part of the picture.
enum class Pooling : std::uint8_t {
  usual,   ///< of a model of two towers what is compared with texts, otherwise the class token
  tokens,  ///< mean of the parts, without class and register tokens
};

/// Loads the image tower of CLIP or SigLIP, or a backbone (DINOv2, DINOv3, ViT). Throws as `load_labeller`.
std::unique_ptr<Embedder> load_embedder(Engine& engine, const std::filesystem::path& model, const LoadOptions& options = {},
                                        Pooling pooling = Pooling::usual);

}  // namespace verilabel
