#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

/// An object that a model proposes.
struct Candidate {
  std::int32_t class_index = 0;  ///< into `Detector::class_names`
  Box box_xywh_px;               ///< in the upright image
  double score = 0;
  std::optional<Mask> mask;  ///< in the upright image
};

struct DetectOptions {
  double floor = 0.05;  ///< candidates with a score above it are kept
  double nms_iou = 0.65;
  int max_detections = 100;
  std::vector<std::uint8_t> is_class_wanted = {};  ///< one a class; empty for all
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

/// A model that proposes objects of fixed classes in one image. Immutable; safe from any number of threads.
class Detector {
 public:
  virtual ~Detector() = default;

  virtual const ModelCard& card() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  /// What the model left open and how that was filled in; for people.
  virtual const std::vector<std::string>& notes() const = 0;
  /// The family's way of evaluating, as defaults.
  virtual DetectOptions default_options() const = 0;
  virtual int input_width() const = 0;
  virtual int input_height() const = 0;
  /// Images that one inference takes; 0 when any number will do.
  virtual int fixed_batch() const = 0;

  /// Writes the image into one image's part of the input tensor, 3 × height × width floats. `scratch` is working memory that is
  /// reused.
  virtual InputTransform preprocess(const Image& image, std::span<float> input_chw, Image& scratch) const = 0;
  /// Candidates by descending score.
  virtual std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const DetectOptions& options) const = 0;
};

/// Reads the graph and its manifest and finds the family that fits. Throws `bad_model` when none does, listing the graph's real
/// inputs and outputs and what the families expect; `bad_data` for a faulty manifest, naming the key; `not_found`.
std::unique_ptr<Detector> load_detector(Engine& engine, const std::filesystem::path& model,
                                        const std::optional<std::filesystem::path>& manifest);

/// The input shapes to compile the detector's graph with, for inferences of `batch` images.
std::vector<std::vector<std::int64_t>> input_shapes_of(const Detector& detector, int batch);

/// One line a family: name and how its graphs are recognised.
struct ModelFamily {
  std::string_view name;
  std::string_view signature;
};
std::span<const ModelFamily> model_families();

}  // namespace verilabel
