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

/// How an image is brought to the size of the input, in pixels.
struct FitStyle {
  Fit fit = Fit::letterbox_corner;
  bool is_rounded = false;  ///< sides rounded half to even, otherwise truncated
  std::uint8_t padding = 0;
  OpencvInterpolation when_shrinking = OpencvInterpolation::linear;
  OpencvInterpolation when_growing = OpencvInterpolation::linear;
};

/// Whether the graph has one input and that takes three channels: [batch, 3, height, width].
bool takes_one_image(const GraphInfo& graph);

/// The size of that input; where it is dynamic the manifest's, else `usual`. Throws `bad_data` when the manifest contradicts the
/// graph.
InputSize input_size_of(const ModelSource& source, InputSize usual);

/// Behind the interface, what every family here has: names, card, and one image as input, brought to its size and scaled.
class ImageDetector : public Detector {
 public:
  const ModelCard& card() const final { return card_; }
  const std::vector<std::string>& class_names() const final { return class_names_; }
  const std::vector<std::string>& notes() const final { return notes_; }
  DetectOptions default_options() const final;
  int input_width() const final { return input_width_; }
  int input_height() const final { return input_height_; }
  int fixed_batch() const final { return fixed_batch_; }
  InputTransform preprocess(const Image& image, std::span<float> input_chw, Image& scratch) const final;
  /// Checks the outputs' shapes, so that no family reads beyond what the graph gave. Throws `bad_model`.
  std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                const DetectOptions& options) const final;

  ModelCard& card_to_complete() { return card_; }

 protected:
  /// Takes the batch from the graph's only input, [batch, 3, height, width].
  ImageDetector(const ModelSource& source, std::string family, FitStyle style, PixelScaling scaling, InputSize size);
  /// Names from the manifest, else from the graph, else COCO's where 80 classes allow it. Throws `bad_model` when their number is
  /// wrong.
  void take_class_names(const ModelSource& source, std::optional<std::vector<std::string>> graph_names, std::size_t count);

  /// What each output must be, without its batch dimension; −1 for any size.
  virtual std::vector<std::vector<std::int64_t>> output_shapes() const = 0;
  /// As `decode`, on outputs of those shapes.
  virtual std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                                const DetectOptions& options) const = 0;

  void add_note(std::string note) { notes_.push_back(std::move(note)); }

  ModelCard card_;
  double nms_iou_ = 0.65;
  int max_detections_ = 100;

 private:
  FitStyle style_;
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

/// The greatest float that is not above the floor: a float is above the one exactly when it is above the other.
float float_floor(double floor);

/// Calls `found(i, score(i))` for i from 0 to `count` − 1 where the score is above the floor. Most are not: blocks without any are
/// passed over as fast as memory is read.
template <typename Score, typename Found>
void for_each_above(std::size_t count, float floor, const Score& score, const Found& found) {
  constexpr std::size_t kBlock = 16;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = begin + kBlock < count ? begin + kBlock : count;
    int above = 0;
    if (end - begin == kBlock) {
      for (std::size_t i = 0; i < kBlock; ++i) {
        above += static_cast<int>(score(begin + i) > floor);
      }
    } else {
      above = 1;
    }
    for (std::size_t i = begin; above != 0 && i < end; ++i) {
      if (const float value = score(i); value > floor) {
        found(i, value);
      }
    }
  }
}

/// Cuts boxes where the image ends and the padding begins.
void clip_to_image(RawCandidates& raw, const InputTransform& transform);

/// The survivors of class-aware suppression, best first.
std::vector<std::uint32_t> suppress(const RawCandidates& raw, const DetectOptions& options);

/// A candidate's box in the upright image, cut at its borders.
Box box_in_image(const RawCandidates& raw, std::size_t index, const InputTransform& transform);

/// A box that is empty after cutting lies outside the image: the model saw it in the padding. So is one that is not made of
/// numbers.
bool has_area(const Box& box);

/// Candidates without masks, cut at the image and then suppressed, best first; those without area are none.
std::vector<Candidate> suppressed_in_image(RawCandidates raw, const InputTransform& transform, const DetectOptions& options);

/// Each returns nothing when the graph is none of its family's.
std::unique_ptr<ImageDetector> make_yolox(const ModelSource& source);
std::unique_ptr<ImageDetector> make_nanodet(const ModelSource& source);
std::unique_ptr<ImageDetector> make_ultralytics(const ModelSource& source);

/// The 80 classes of COCO in the order in which detectors number them.
const std::vector<std::string>& coco_class_names();

}  // namespace verilabel
