#pragma once

#include <cstddef>
#include <cstdint>
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

/// In pixels of the upright image, from its upper left corner.
struct Point {
  double x = 0;
  double y = 0;
};

/// What a segmenter is asked for: the object in a box, or what lies at a point.
enum class PromptKind : std::uint8_t { box, point };

/// How a segmenter uses its second graph for prompts of one kind.
struct DecoderUse {
  GraphUse graph;
  std::size_t prompts_per_inference = 0;  ///< of one image
};

/// Which masks are kept of all that a model proposes for points. The defaults are those of segment_anything's
/// `SamAutomaticMaskGenerator` and of transformers' mask generation, without their crops.
struct EverythingOptions {
  int points_per_side = 32;           ///< of the grid, its points in the middle of equal cells of the image
  double min_iou = 0.88;              ///< the model's own estimate of how well a mask fits must be above it
  double min_stability = 0.95;        ///< and the IoU of the masks at the two logits ±`stability_offset` above this
  double stability_offset = 1;        ///< see `min_stability`
  double nms_iou = 0.7;               ///< of two masks whose boxes overlap by more, the one with the better estimate stays
  std::optional<int> max_masks = {};  ///< the best so many of an image; all of them when absent

  /// Throws `wrong_use`.
  void validate() const;
};

/// A mask that a model proposes for a point.
struct MaskProposal {
  Rle mask;        ///< in the upright image's size, not empty
  double iou = 0;  ///< the model's own estimate of how well it fits; may exceed 1
};

/// A model that outlines objects. It has two graphs: the encoder runs once an image, the decoder takes some prompts of one image at
/// a time, all boxes or all points. Immutable; safe from any number of threads.
class Segmenter {
 public:
  virtual ~Segmenter() = default;

  virtual const ModelCard& card() const = 0;
  /// What the model left open and how that was filled in; for people.
  virtual const std::vector<std::string>& notes() const = 0;
  virtual const GraphUse& encoder() const = 0;
  virtual bool takes(PromptKind kind) const = 0;
  /// Throws `bad_model` for prompts that the export does not take, saying what to do.
  virtual const DecoderUse& decoder(PromptKind kind) const = 0;

  /// Writes the image into the encoder's input. Throws `bad_data` for an image that cannot be brought to it.
  virtual InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch) const = 0;
  /// Writes the decoder's inputs: what the encoder gave, and at least one prompt, at most `prompts_per_inference`. Throws
  /// `bad_model` when the encoder gave something else than the decoder takes.
  virtual void write_boxes(const EncodedImage& image, std::span<const Box> boxes_xywh_px,
                           std::span<const InputView> inputs) const = 0;
  virtual void write_points(const EncodedImage& image, std::span<const Point> points_px,
                            std::span<const InputView> inputs) const = 0;
  /// The mask of each of those boxes, in the upright image's size; nothing where it would be empty. Throws `bad_model` for outputs
  /// that are none of the decoder's.
  virtual std::vector<std::optional<Mask>> masks_of_boxes(std::span<const OutputView> outputs, const EncodedImage& image,
                                                          std::size_t boxes) const = 0;
  /// All masks for those points that pass `min_iou` and `min_stability`, point by point. Throws likewise.
  virtual std::vector<MaskProposal> masks_of_points(std::span<const OutputView> outputs, const EncodedImage& image,
                                                    std::size_t points, const EverythingOptions& options) const = 0;
};

/// Reads both graphs (`find_model_files`: either of the two files, or their folder) and finds the family that fits. Of `options`
/// only the manifest counts: there must be none. Throws `bad_model` when no family fits, listing the inputs and outputs of both
/// graphs and what the families expect; `wrong_use` when there is only one graph; `bad_data` for a manifest, and for a faulty
/// configuration, naming file and key; `not_found`.
std::unique_ptr<Segmenter> load_segmenter(Engine& engine, const std::filesystem::path& model, const LoadOptions& options = {});

/// Whether the model lies in two graphs that a family of segmenters fits. Throws what reading them throws.
bool is_segmenter(Engine& engine, const std::filesystem::path& model);

/// One line a family of segmenters.
std::span<const ModelFamily> segmenter_families();

}  // namespace verilabel
