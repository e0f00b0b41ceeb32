#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "verilabel/geometry/box.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/image/image.h"
#include "verilabel/models/labeller.h"

namespace verilabel {

/// What a segmenter's encoder made of one image.
struct EncodedImage {
  InputTransform transform;
  std::vector<std::vector<float>> outputs;  ///< of the encoder, in its order, without the batch dimension
};

/// A model that outlines objects whose boxes are known. It has two graphs: the encoder runs once an image, the decoder takes some
/// boxes of one image at a time. Immutable; safe from any number of threads.
class Segmenter {
 public:
  virtual ~Segmenter() = default;

  virtual const ModelCard& card() const = 0;
  /// What the model left open and how that was filled in; for people.
  virtual const std::vector<std::string>& notes() const = 0;
  virtual const GraphUse& encoder() const = 0;
  virtual const GraphUse& decoder() const = 0;
  /// Boxes that one inference of the decoder takes.
  virtual std::size_t boxes_per_inference() const = 0;

  /// Writes the image into the encoder's input.
  virtual InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch) const = 0;
  /// Writes the decoder's inputs: what the encoder gave, and at least one box in pixels of the upright image, at most
  /// `boxes_per_inference`.
  virtual void write_boxes(const EncodedImage& image, std::span<const Box> boxes_xywh_px,
                           std::span<const InputView> inputs) const = 0;
  /// The mask of each of those boxes, in the upright image's size; nothing where the model sees no object.
  virtual std::vector<std::optional<Mask>> decode(std::span<const OutputView> outputs, const EncodedImage& image,
                                                  std::size_t boxes) const = 0;
};

}  // namespace verilabel
