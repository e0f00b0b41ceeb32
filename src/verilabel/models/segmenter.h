#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
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

  /// Writes the image into the encoder's input. Throws `bad_data` for an image that cannot be brought to it.
  virtual InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch) const = 0;
  /// Writes the decoder's inputs: what the encoder gave, and at least one box in pixels of the upright image, at most
  /// `boxes_per_inference`. Throws `bad_model` when the encoder gave something else than the decoder takes.
  virtual void write_boxes(const EncodedImage& image, std::span<const Box> boxes_xywh_px,
                           std::span<const InputView> inputs) const = 0;
  /// The mask of each of those boxes, in the upright image's size; nothing where the model sees no object. Throws `bad_model` for
  /// outputs that are none of the decoder's.
  virtual std::vector<std::optional<Mask>> decode(std::span<const OutputView> outputs, const EncodedImage& image,
                                                  std::size_t boxes) const = 0;
};

/// Reads both graphs (`find_model_files`: either of the two files, or their folder) and finds the family that fits. Of `options`
/// only the manifest counts: there must be none. Throws `bad_model` when no family fits, listing the inputs and outputs of both
/// graphs and what the families expect, and for an export that takes no boxes; `wrong_use` when there is only one graph; `bad_data`
/// for a manifest, and for a faulty configuration, naming file and key; `not_found`.
std::unique_ptr<Segmenter> load_segmenter(Engine& engine, const std::filesystem::path& model, const LoadOptions& options = {});

/// One line a family of segmenters.
std::span<const ModelFamily> segmenter_families();

}  // namespace verilabel
