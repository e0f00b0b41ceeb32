#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/engine/engine.h"
#include "verilabel/geometry/nms.h"
#include "verilabel/models/detector.h"
#include "verilabel/models/manifest.h"

// What the families of detectors share. Private to the module.
namespace verilabel {

/// What a family is made from.
struct ModelSource {
  GraphInfo graph;
  Manifest manifest;
};

/// Fits an image into the input without changing its shape.
struct LetterboxStyle {
  bool is_centred = false;  ///< padding on both sides, otherwise right and below
  bool is_rounded = false;  ///< sides rounded half to even, otherwise truncated
  std::uint8_t padding = 0;
  OpencvInterpolation when_shrinking = OpencvInterpolation::linear;
  OpencvInterpolation when_growing = OpencvInterpolation::linear;
};

/// Behind the interface, what every family here has: names, card, and an input that is letterboxed and scaled.
class LetterboxDetector : public Detector {
 public:
  const ModelCard& card() const final { return card_; }
  const std::vector<std::string>& class_names() const final { return class_names_; }
  const std::vector<std::string>& notes() const final { return notes_; }
  DetectOptions default_options() const final;
  int input_width() const final { return input_width_; }
  int input_height() const final { return input_height_; }
  int fixed_batch() const final { return fixed_batch_; }
  InputTransform preprocess(const Image& image, std::span<float> input_chw, Image& scratch) const final;

  ModelCard& card_to_complete() { return card_; }

 protected:
  /// Takes size and batch from the graph's only input, [batch, 3, height, width]; a dynamic height or width becomes `dynamic_side`.
  LetterboxDetector(const ModelSource& source, std::string family, LetterboxStyle style, PixelScaling scaling, int dynamic_side);
  /// Names from the manifest, else from the graph, else COCO's where 80 classes allow it. Throws `bad_model` when their number is wrong.
  void take_class_names(const ModelSource& source, std::optional<std::vector<std::string>> graph_names, std::size_t count);

  ModelCard card_;
  double nms_iou_ = 0.65;
  int max_detections_ = 100;

 private:
  LetterboxStyle style_;
  PixelScaling scaling_;
  int input_width_ = 0;
  int input_height_ = 0;
  int fixed_batch_ = 1;
  std::vector<std::string> class_names_;
  std::vector<std::string> notes_;
};

/// Candidates before suppression, in pixels of the model's input.
struct RawCandidates {
  std::vector<float> boxes_xyxy;
  std::vector<float> scores;
  std::vector<std::int32_t> classes;
  std::vector<std::uint32_t> anchors;  ///< where each came from

  void add(float x1, float y1, float x2, float y2, float score, std::int32_t class_index, std::uint32_t anchor);
  std::size_t size() const { return scores.size(); }
};

bool is_wanted(const DetectOptions& options, std::size_t class_index);

/// Cuts boxes where the image ends and the padding begins.
void clip_to_image(RawCandidates& raw, const InputTransform& transform);

/// The survivors of class-aware suppression, best first.
std::vector<std::uint32_t> suppress(const RawCandidates& raw, const DetectOptions& options);

/// A candidate's box in the upright image, cut at its borders.
Box box_in_image(const RawCandidates& raw, std::size_t index, const InputTransform& transform);

/// A box that is empty after cutting lies outside the image: the model saw it in the padding.
bool has_area(const Box& box);

/// Each returns nothing when the graph is none of its family's.
std::unique_ptr<LetterboxDetector> make_yolox(const ModelSource& source);
std::unique_ptr<LetterboxDetector> make_nanodet(const ModelSource& source);
std::unique_ptr<LetterboxDetector> make_ultralytics(const ModelSource& source);

/// The 80 classes of COCO in the order in which detectors number them.
const std::vector<std::string>& coco_class_names();

}  // namespace verilabel
