#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/dataset/label.h"
#include "verilabel/engine/engine.h"
#include "verilabel/geometry/box.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/image/image.h"
#include "verilabel/models/prompts.h"

namespace verilabel {

/// How pixels of the model's input and of the upright image correspond: image = (input − offset) / scale, axis by axis.
struct InputTransform {
  double scale_x = 1;  ///< input pixels an image pixel
  double scale_y = 1;
  double offset_x = 0;  ///< input pixels of padding at the left
  double offset_y = 0;
  int image_width = 0;  ///< pixels of the upright image
  int image_height = 0;
  int pass = 0;  ///< of `Labeller::passes`, the one that the input was written for
};

/// A label that a model proposes.
struct Candidate {
  std::int32_t class_index = 0;  ///< into `Labeller::class_names`
  Box box_xywh_px;               ///< in the upright image; all zero for a classification
  double score = 0;
  std::optional<Mask> mask = std::nullopt;  ///< in the upright image; present if and only if kind is mask
  LabelKind kind = LabelKind::box;
  std::int32_t place = -1;  ///< where the model saw it, for `Labeller::merge`; −1 where that does not matter
};

/// By descending score; of equal ones the earlier first.
std::vector<Candidate> best_first(std::vector<Candidate> candidates);

/// Which candidates are kept.
struct CandidateOptions {
  double floor = 0.05;                             ///< those with a score above it
  double nms_iou = 0.65;                           ///< not looked at by models that leave nothing to suppress
  int max_detections = 100;                        ///< the best so many of an image
  std::vector<std::uint8_t> is_class_wanted = {};  ///< one a class; empty for all
};

/// One image's share of one input of the graph.
struct InputPart {
  std::vector<std::int64_t> shape;  ///< without the batch dimension
  bool is_i64 = false;              ///< otherwise f32
  /// False: one tensor for all images of an inference, with its whole shape in `shape`; zero unless it is written. A model that
  /// writes it takes one image at a time.
  bool has_batch = true;

  std::size_t size() const;
};

/// How a model uses one of its graphs.
struct GraphUse {
  std::filesystem::path file = {};
  std::vector<InputPart> inputs = {};     ///< an entry an input of the graph, in its order
  std::vector<std::size_t> outputs = {};  ///< which of the graph's outputs are read, in this order; empty for all
  int fixed_batch = 1;                    ///< images that one inference takes; 0 when any number will do
  bool scales_over_batch = false;         ///< as the graph (`GraphInfo`): one image an inference unless more are asked for
  bool outputs_have_batch = true;         ///< false: an inference is of one image, and its outputs are given as they are
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
  std::string tokenizer_sha256;  ///< of the tokenizer.json that texts are read by; empty for a model that reads none
  bool takes_prompts = false;    ///< its classes are what it is asked for; otherwise it has its own
};

/// A model that proposes labels of some classes for one image: objects, or classes of the whole. The classes are the model's own,
/// or what it was asked for when it was loaded. Immutable; safe from any number of threads.
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
  virtual const GraphUse& graph() const = 0;
  /// Whether its candidates are objects, which have a place; false when they are classes of the whole image.
  virtual bool finds_objects() const { return true; }
  /// Inferences that one image takes: more than one where the prompts do not fit into one. `merge` puts together what they give.
  virtual int passes() const { return 1; }

  /// Writes one image's share of every input, for one of its `passes`. `scratch` is working memory that is reused. Throws
  /// `bad_data` for an image that cannot be brought to the input.
  virtual InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch, int pass) const = 0;
  /// Candidates by descending score: of one pass, which are those of the image when there is one.
  virtual std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const = 0;
  /// The candidates of an image, by descending score, from those of all of its passes.
  virtual std::vector<Candidate> merge(std::vector<std::vector<Candidate>> passes, const CandidateOptions& options) const;
};

/// How a model is loaded.
struct LoadOptions {
  std::optional<std::filesystem::path> manifest = std::nullopt;  ///< instead of the one beside the graph
  /// What a model that reads is asked for; without classes it is loaded and described, and proposes nothing. A model with classes
  /// of its own is not asked.
  Prompts prompts = {};
  std::string device = "cpu";             ///< where texts are encoded
  std::size_t texts_per_pass = 0;         ///< of a model that reads, at most so many an inference; 0 for what suits it
  std::filesystem::path text_cache = {};  ///< folder where encoded texts are kept; empty for nowhere
  ProgressSink progress = {};             ///< told of the texts that are encoded
  const CancelToken* cancel = nullptr;    ///< looked at between texts: what is encoded by then is kept
};

/// Reads the graph, what lies beside it (`find_model_files`) and its manifest, and finds the family that fits; encodes the prompts
/// of a model that reads. Throws `bad_model` when none fits, listing the graph's real inputs and outputs and what the families
/// expect; `bad_data` for a faulty manifest, configuration or tokenizer, naming file and key; `wrong_use` for prompts that the
/// model cannot be asked, an over-long one among them; `not_found`; `interrupted`.
std::unique_ptr<Labeller> load_labeller(Engine& engine, const std::filesystem::path& model, const LoadOptions& options = {});

/// The input shapes to compile the graph with, for inferences of `batch` images.
std::vector<std::vector<std::int64_t>> input_shapes_of(const GraphUse& graph, int batch);

/// One line a family: name and how its graphs are recognised.
struct ModelFamily {
  std::string_view name;
  std::string_view signature;
};
std::span<const ModelFamily> model_families();

}  // namespace verilabel
