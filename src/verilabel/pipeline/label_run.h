#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/base/ids.h"
#include "verilabel/base/progress.h"
#include "verilabel/engine/engine.h"
#include "verilabel/geometry/tiling.h"
#include "verilabel/image/decode.h"
#include "verilabel/models/embedder.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/pipeline/object_crop.h"

namespace verilabel {

/// An image to be labelled.
struct LabelTask {
  SampleId sample;
  std::filesystem::path path;
  std::vector<Candidate> given = {};  ///< where no model proposes: boxes in pixels of the upright image
};

/// Why one image got no labels.
struct TaskFailure {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

/// What became of one image: labelled, perhaps with no candidate at all, or failed.
struct TaskOutcome {
  SampleId sample;
  std::optional<TaskFailure> failure;
  std::vector<Candidate> candidates;        ///< by descending score; empty after a failure
  std::vector<std::vector<float>> vectors;  ///< of an embedder: one of the image, or one a candidate that came with the task
  int image_width = 0;                      ///< pixels of the upright image that the model saw; 0 when it never did
  int image_height = 0;
  std::int64_t windows = 0;  ///< through which the proposer looked at it; 0 without a proposer
};

/// A graph of a run, from `compile_for_run`.
struct StageGraph {
  StageGraph() = default;
  StageGraph(CompiledModel* ready, int images_an_inference = 0) : compiled(ready), images(images_an_inference) {}

  CompiledModel* compiled = nullptr;
  int images = 0;  ///< that it was compiled for, a batch of its own; 0 for the batch of the run's options
};

/// The models of a run, one after the other: each looks at what the one before found. Whatever is named outlives the run.
struct LabelStages {
  const Labeller* proposer = nullptr;  ///< nothing: the tasks give the candidates, or the segmenter finds everything
  StageGraph proposer_graph = {};
  const Segmenter* segmenter = nullptr;  ///< outlines the boxes, or finds everything
  StageGraph encoder_graph = {};
  StageGraph decoder_graph = {};         ///< for boxes, or for points when everything is to be found
  const Labeller* classifier = nullptr;  ///< names each object anew, from its pixels alone; its scores are multiplied
  StageGraph classifier_graph = {};
  const Embedder* embedder = nullptr;  ///< makes vectors
  StageGraph embedder_graph = {};
};

struct LabelRunOptions {
  CandidateOptions candidates{};  ///< of what is proposed
  /// The proposer looks at images through the windows of `plan_tiles`, `candidates` being those of each, and `merge_tiles` makes
  /// one answer of them; a mask that is united is the union of its pieces' masks. Absent: it looks at whole images.
  std::optional<TilingOptions> tiles = {};
  CropOptions crop{};  ///< what the classifier sees of an object
  /// With a segmenter and without a proposer: the segmenter's points on a grid are what finds the candidates, those above the
  /// floor, all of class 0. Absent: it outlines boxes.
  std::optional<EverythingOptions> everything = {};
  bool embeds_objects = false;  ///< the embedder looks at each candidate that came with the task; otherwise at the image
  std::vector<std::uint8_t> is_name_wanted = {};  ///< of the classifier's classes, which it may give; empty for all
  DecodeOptions decode{};
  std::string device = "cpu";
  int batch = 0;           ///< images that go through the model together; 0 for what the graph asks for, else 1; see `choose_batch`
  int threads = 0;         ///< processors to use; 0 for all
  std::int64_t total = 0;  ///< how many tasks will come, for the progress; 0 when unknown

  /// Throws `wrong_use`.
  void validate() const;
};

/// The next image, or nothing when there are no more.
using LabelSource = std::function<std::optional<LabelTask>()>;
/// Takes one outcome.
using LabelSink = std::function<void(TaskOutcome&&)>;

/// Processor seconds that the threads of each stage spent working, waiting not counted: where the time goes.
struct StageSeconds {
  double decode = 0;      ///< reading files, decoding them
  double preprocess = 0;  ///< resizing, writing the input tensor
  double output = 0;      ///< candidates from output tensors
  double sink = 0;        ///< source and sink
};

struct LabelRunReport {
  std::int64_t done = 0;    ///< outcomes without a failure that the sink took
  std::int64_t failed = 0;  ///< outcomes with one
  std::int64_t candidates = 0;
  std::int64_t windows = 0;  ///< through which the proposer looked at images
  double seconds = 0;
  StageSeconds stages;
  double idle_seconds = 0;  ///< of `seconds`: no inference was running, because the stages before were behind or nothing was left
  std::string device;       ///< that really ran
  bool is_cancelled = false;

  double images_per_second() const { return seconds > 0 ? static_cast<double>(done + failed) / seconds : 0; }
};

/// Images that one inference will take: what `options.batch` and the graph agree on, and 1 for a graph that works on what belongs
/// to one image (`outputs_have_batch`). Throws `wrong_use` when they do not agree.
int images_per_inference(const GraphUse& graph, const LabelRunOptions& options);

/// Requests that a run keeps of a graph: those that the device works on, and one more for each processor, so that an inference that
/// ends always finds the next one waiting.
std::size_t requests_for_run(const CompiledModel& compiled, const LabelRunOptions& options);

/// Makes a graph of the run ready. Throws what `Engine::compile` throws.
std::unique_ptr<CompiledModel> compile_for_run(Engine& engine, const GraphUse& graph, const LabelRunOptions& options);

/// Labels every image that `source` names. Decoding, inference and the decoding of outputs run side by side on threads of their
/// own; `source`, `sink` and `progress` are called on the calling thread only, one at a time. The sink gets every task's outcome
/// once, in no particular order; what it gets does not depend on the timing. Memory depends on the model and the largest images,
/// not on how many there are.
///
/// A file that cannot be read or decoded is an outcome with a failure. Whatever `source` or `sink` throw, and a failure of the
/// engine, ends the run and is thrown; images in flight then have no outcome. A cancelled run returns: inferences that have begun
/// are finished and delivered, other tasks that the source gave out have no outcome.
///
/// Class indices of candidates count the class names of the last model that names classes.
LabelRunReport run_labelling(const LabelStages& models, const LabelRunOptions& options, const LabelSource& source,
                             const LabelSink& sink, const ProgressSink& progress, const CancelToken& cancel);

}  // namespace verilabel
