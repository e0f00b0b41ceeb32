#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "verilabel/dataset/label.h"
#include "verilabel/engine/engine.h"
#include "verilabel/geometry/box.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/image/image.h"

namespace verilabel {

/// How pixels of the model's input and of the upright image correspond: image = (input − offset) / scale, axis by axis.
struct InputTransform {
  double scale_x = 1;  ///< input pixels an image pixel
  double scale_y = 1;
  double offset_x = 0;  ///< input pixels of padding at the left
  double offset_y = 0;
  int image_width = 0;  ///< pixels of the upright image
  int image_height = 0;
};

/// A label that a model proposes.
struct Candidate {
  std::int32_t class_index = 0;  ///< into `Labeller::class_names`
  Box box_xywh_px;               ///< in the upright image; all zero for a classification
  double score = 0;
  std::optional<Mask> mask = std::nullopt;  ///< in the upright image; present if and only if kind is mask
  LabelKind kind = LabelKind::box;
};

/// Which candidates are kept.
struct CandidateOptions {
  double floor = 0.05;                             ///< those with a score above it
  double nms_iou = 0.65;                           ///< not looked at by models that leave nothing to suppress
  int max_detections = 100;                        ///< the best so many of an image
  std::vector<std::uint8_t> is_class_wanted = {};  ///< one a class; empty for all
};

/// One image's share of one input of the graph: its shape, without the batch dimension.
struct InputPart {
  std::vector<std::int64_t> shape;
  bool is_i64 = false;  ///< otherwise f32

  std::size_t size() const;
};

/// Where one image's share of an input is written: one of the two, the other is empty.
struct InputView {
  std::span<float> f32;
  std::span<std::int64_t> i64;
};

/// One output tensor of one image: its batch dimension is gone.
struct OutputView {
  std::span<const float> values;
  std::span<const std::int64_t> shape;
};

/// What a run keeps to say where its labels came from.
struct ModelCard {
  std::string family;
  std::string layout;         ///< which of the family's output layouts
  std::string class_source;   ///< where the class names come from
  std::string preprocessing;  ///< size, resizing, colour order and scaling, in words
  std::string weights_sha256;
};

/// A model that proposes labels of fixed classes for one image: objects, or classes of the whole. Immutable; safe from any number
/// of threads.
class Labeller {
 public:
  virtual ~Labeller() = default;

  virtual const ModelCard& card() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  /// What the model left open and how that was filled in; for people.
  virtual const std::vector<std::string>& notes() const = 0;
  /// The family's way of evaluating, as defaults.
  virtual CandidateOptions default_options() const = 0;
  /// Of the input tensor that takes the image.
  virtual int input_width() const = 0;
  virtual int input_height() const = 0;
  /// What one image takes, an entry an input of the graph, in its order.
  virtual const std::vector<InputPart>& inputs() const = 0;
  /// Images that one inference takes; 0 when any number will do.
  virtual int fixed_batch() const = 0;

  /// Writes one image's share of every input. `scratch` is working memory that is reused. Throws `bad_data` for an image that
  /// cannot be brought to the input.
  virtual InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch) const = 0;
  /// Candidates by descending score.
  virtual std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const = 0;
};

/// Reads the graph, what lies beside it (`find_model_files`) and its manifest, and finds the family that fits. Throws `bad_model`
/// when none does, listing the graph's real inputs and outputs and what the families expect; `bad_data` for a faulty manifest or
/// configuration, naming file and key; `not_found`.
std::unique_ptr<Labeller> load_labeller(Engine& engine, const std::filesystem::path& model,
                                        const std::optional<std::filesystem::path>& manifest);

/// The input shapes to compile the detector's graph with, for inferences of `batch` images.
std::vector<std::vector<std::int64_t>> input_shapes_of(const Labeller& detector, int batch);

/// One line a family: name and how its graphs are recognised.
struct ModelFamily {
  std::string_view name;
  std::string_view signature;
};
std::span<const ModelFamily> model_families();

}  // namespace verilabel
