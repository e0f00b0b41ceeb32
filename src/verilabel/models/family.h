#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/engine/engine.h"
#include "verilabel/geometry/nms.h"
#include "verilabel/models/image_processor.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/manifest.h"
#include "verilabel/models/model_files.h"

// What the families share. Private to the module.
namespace verilabel {

/// What a family is made from.
struct ModelSource {
  Engine& engine;
  const LoadOptions& options;
  GraphInfo graph;
  GraphInfo companion;  ///< empty when there is none
  Manifest manifest;
  ModelFiles files;
  std::string weights_sha256;
};

/// How an image is brought to the size of the input, in pixels.
struct FitStyle {
  Fit fit = Fit::letterbox_corner;
  bool is_rounded = false;  ///< sides rounded half to even, otherwise truncated
  std::uint8_t padding = 0;
  OpencvInterpolation when_shrinking = OpencvInterpolation::linear;
  OpencvInterpolation when_growing = OpencvInterpolation::linear;
  bool has_one_ratio = false;  ///< a letterbox in the centre leads back by the exact ratio, not by that of the whole pixels
};

/// Whether the input takes an image of three channels: [batch, 3, height, width]. What Hugging Face's exporters call dynamic may be
/// any of these.
bool takes_image(const TensorInfo& input);

/// Throws `unsupported` for a graph that takes pictures cut into patches, as many as their shape makes: SigLIP 2 NaFlex.
void require_whole_images(const GraphInfo& graph, const std::filesystem::path& model);
/// Whether the graph has one input and that takes an image.
bool takes_one_image(const GraphInfo& graph);

/// The input or output of that name; nothing when there is none.
const TensorInfo* tensor_named(std::span<const TensorInfo> tensors, std::string_view name);

/// The size of an input that takes an image; where it is dynamic the manifest's, else `usual`. Throws `bad_data` when the manifest
/// contradicts the graph.
InputSize input_size_of(const ModelSource& source, const TensorInfo& input, InputSize usual);
/// Of the first input.
InputSize input_size_of(const ModelSource& source, InputSize usual);

/// Throws `bad_data` for each key of the manifest that is not among `known`, which the family makes nothing of.
void require_keys(const Manifest& manifest, std::string_view family, std::span<const std::string_view> known);

/// Throws `bad_model` unless there are outputs of these shapes, −1 standing for any size, so that no family reads beyond what the
/// graph gave, and all numbers are finite; in the output `masked`, −∞ may stand for what the graph left out.
void check_outputs(std::span<const OutputView> outputs, std::span<const std::vector<std::int64_t>> wanted,
                   std::optional<std::size_t> masked = std::nullopt);

/// Throws `bad_model` unless all are from 0 to 1, but for rounding in half precision: scores that a graph made of its logits
/// itself.
void require_scores(std::span<const float> scores);
/// Likewise of a number of a class, unless it is a whole one below `classes`. Where it lies among them.
std::size_t class_number_of(float label, std::size_t classes);

/// Behind the interface, what every family has: names, card, inputs, and outputs of known shapes.
class FamilyLabeller : public Labeller {
 public:
  const ModelCard& card() const final { return card_; }
  const std::vector<std::string>& class_names() const final { return class_names_; }
  const std::vector<std::string>& notes() const final { return notes_; }
  CandidateOptions default_options() const final;
  int input_width() const final { return size_.width; }
  int input_height() const final { return size_.height; }
  const GraphUse& graph() const final { return graph_; }
  /// After `check_outputs`.
  std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                const CandidateOptions& options) const final;

  ModelCard& card_to_complete() { return card_; }
  void add_note(std::string note) { notes_.push_back(std::move(note)); }

 protected:
  /// `input` is the one that takes the image; others are declared with `set_input`. The batch comes from all of them.
  FamilyLabeller(const ModelSource& source, std::string family, const TensorInfo& input, InputSize size);

  /// What one image takes of an input, by its name in the graph.
  void set_input(const ModelSource& source, std::string_view name, std::vector<std::int64_t> shape);
  /// Of an input without a batch dimension: its whole shape.
  void set_whole_input(const ModelSource& source, std::string_view name, std::vector<std::int64_t> shape);
  /// Of the graph's outputs, those that `decode_checked` gets.
  void read_only(std::vector<std::size_t> outputs) { graph_.outputs = std::move(outputs); }
  /// Of those, one in which −∞ stands for what the graph left out.
  void allow_masked(std::size_t output) { masked_output_ = output; }
  /// For graphs that cannot take several images, whatever they declare. Throws `bad_model` for one that takes no single one.
  void take_one_at_a_time();
  std::size_t image_input() const { return image_input_; }

  /// Names from the manifest, else from the graph, else COCO's where 80 classes allow it. Throws `bad_model` when their number is
  /// wrong.
  void take_class_names(const ModelSource& source, std::optional<std::vector<std::string>> graph_names, std::size_t count);

  /// Names of `count` outputs of which some stand for no class: from the manifest, else `names` (blank where there is none) from
  /// `origin`. Names that occur more than once are told apart by their number. Throws `bad_model` when their number is wrong or
  /// there are none.
  void take_output_names(const ModelSource& source, std::optional<std::vector<std::string>> names, std::string_view origin,
                         std::size_t count);
  /// The classes that the model is asked for, in their order.
  void take_prompts(const ModelSource& source);
  /// Of an output: an index into `class_names`, or −1 when it stands for no class. After `take_class_names` or `take_output_names`.
  std::int32_t class_of_output(std::size_t output) const { return class_of_output_[output]; }
  std::size_t output_count() const { return class_of_output_.size(); }

  /// What each output must be, without its batch dimension; −1 for any size.
  virtual std::vector<std::vector<std::int64_t>> output_shapes() const = 0;
  /// As `decode`, on outputs of those shapes.
  virtual std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                                const CandidateOptions& options) const = 0;

  ModelCard card_;
  double nms_iou_ = 0.65;
  int max_detections_ = 100;

 private:
  void take_limits(const Manifest& manifest);

  GraphUse graph_;
  std::optional<std::size_t> masked_output_;
  std::size_t image_input_ = 0;
  InputSize size_;
  std::vector<std::string> class_names_;
  std::vector<std::int32_t> class_of_output_;
  std::vector<std::string> notes_;
};

/// An image that is brought to the size of its input with OpenCV's kernels and scaled.
class LetterboxDetector : public FamilyLabeller {
 public:
  InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch, int pass) const final;

 protected:
  LetterboxDetector(const ModelSource& source, std::string family, const TensorInfo& input, FitStyle style, PixelScaling scaling,
                    InputSize size);
  /// Of a graph whose only input is the image.
  LetterboxDetector(const ModelSource& source, std::string family, FitStyle style, PixelScaling scaling, InputSize size)
      : LetterboxDetector(source, std::move(family), source.graph.inputs.front(), style, scaling, size) {}

  /// Writes the inputs beside the image.
  virtual void write_other_inputs(std::span<const InputView> /*inputs*/, int /*pass*/) const {}

 private:
  FitStyle style_;
  PixelTables tables_;
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

bool is_wanted(const CandidateOptions& options, std::size_t class_index);

float sigmoid(float logit);

/// Centre and size as shares of a `unit` of pixels of the upright image, to a box in it that ends at its borders.
Box box_of_shares(std::span<const float> box, InputSize unit, const InputTransform& transform);
/// As shares of the image.
Box box_of_shares(std::span<const float> box, const InputTransform& transform);

/// Best first, of equal ones the earlier; without those that a better one of their class overlaps by more than `options.nms_iou`,
/// where that is below 1; at most `options.max_detections`.
std::vector<Candidate> best_of(std::vector<Candidate> candidates, const CandidateOptions& options);

/// Writes whole numbers into an input of either kind, which takes as many.
void write_numbers(std::span<const std::int64_t> numbers, const InputView& view);

/// The greatest float that is not above the floor: a float is above the one exactly when it is above the other.
float float_floor(double floor);

/// Calls `found(i, score(i))` for i from 0 to `count` − 1 where the score is above the floor. Most are not: blocks without any are
/// passed over as fast as memory is read.
template <typename Score, typename Found>
void for_each_above(std::size_t count, float floor, const Score& score, const Found& found) {
  constexpr std::size_t kBlock = 64;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, count);
    // Without branches and of no fixed length, so that the compiler compares several at a time.
    unsigned above = 0;
    for (std::size_t i = begin; i < end; ++i) {
      above |= static_cast<unsigned>(score(i) > floor);
    }
    for (std::size_t i = begin; above != 0 && i < end; ++i) {
      if (const float value = score(i); value > floor) {
        found(i, value);
      }
    }
  }
}

/// Throws `bad_model` when an input of 8-bit whole numbers would get others: engines cast them without a word.
void require_values_of(const TensorInfo& input, const PixelTables& tables);

/// Cuts boxes where the image ends and the padding begins.
void clip_to_image(RawCandidates& raw, const InputTransform& transform);

/// The survivors of class-aware suppression, best first.
std::vector<std::uint32_t> suppress(const RawCandidates& raw, const CandidateOptions& options);

/// A candidate's box in the upright image, cut at its borders.
Box box_in_image(const RawCandidates& raw, std::size_t index, const InputTransform& transform);

/// A box that is empty after cutting lies outside the image: the model saw it in the padding. So is one that is not made of
/// numbers.
bool has_area(const Box& box);

/// Candidates without masks that suppression leaves, best first, cut at the image; those without area then are none.
std::vector<Candidate> suppressed(const RawCandidates& raw, const InputTransform& transform, const CandidateOptions& options);
/// The same, cut at the image before they are compared.
std::vector<Candidate> suppressed_in_image(RawCandidates raw, const InputTransform& transform, const CandidateOptions& options);

/// Each returns nothing when the graph is none of its family's.
std::unique_ptr<FamilyLabeller> make_yolox(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_nanodet(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_ultralytics(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_transformers_classifier(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_ultralytics_classifier(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_classifier(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_transformers_detr(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_detr_export(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_rf_detr(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_two_towers(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_owl(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_grounding_dino(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_yolo_world(const ModelSource& source);
std::unique_ptr<FamilyLabeller> make_mmyolo(const ModelSource& source);

/// The input size that an Ultralytics graph states as `imgsz`; 640 where it does not.
InputSize ultralytics_size_of(const GraphInfo& graph);

/// The 80 classes of COCO in the order in which detectors number them.
const std::vector<std::string>& coco_class_names();
/// The same classes by their numbers in COCO's files, 0 to 90; empty where COCO has none.
std::vector<std::string> coco_names_by_category();

}  // namespace verilabel
