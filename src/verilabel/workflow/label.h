#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/base/progress.h"
#include "verilabel/geometry/tiling.h"
#include "verilabel/models/prompts.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/pipeline/object_crop.h"
#include "verilabel/store/project.h"
#include "verilabel/store/run_ledger.h"

namespace verilabel {

/// What a new run shall do; kept with the run, so that resuming it does the same. The one that is given of model, `boxes` and
/// `everything` finds the objects, `segment_with` outlines them, `classify_with` names them.
struct LabelOptions {
  std::string model;  ///< as `locate_model` takes it: a file, a folder, or a name on the hub; empty with `boxes` or `everything`
  std::optional<std::filesystem::path> manifest;  ///< instead of the one beside the model
  /// A label set whose labels that stand take the place of the model's, or those of them that `where` selects when it has label
  /// terms; empty for none.
  std::string boxes;
  std::string segment_with;  ///< likewise, a model that outlines boxes; empty for none
  /// `segment_with` finds whatever there is, by points on a grid. Without `classify_with` it is all of the class "object".
  /// `nms_iou` and `max_detections` take the place of its own.
  std::optional<EverythingOptions> everything;
  /// The model looks at images through tiles, and `nms_iou` and `max_detections` are of each of them. Absent: at whole images.
  std::optional<TilingOptions> tiles;
  std::string classify_with;  ///< likewise, a model that says what a picture shows; empty for none
  CropOptions crop;           ///< what that one sees of an object
  /// The classes of the labels: what a model that reads is asked for; of one with classes of its own, those wanted; empty for all
  /// of them. Of `classify_with` where that is given.
  Prompts prompts;
  /// With `classify_with`: the same of the model that finds the objects.
  Prompts propose;
  std::string set = "auto";     ///< the label set that the candidates go into; made when it does not exist
  std::optional<double> floor;  ///< what scores above it is stored; by default 0.05, and of boxes that are only outlined all
  /// Undecided labels of this confidence or more stay, and what the run finds of their class at the same place does not count:
  /// where boxes overlap by `nms_iou`, by default `kSameObjectIou`. Absent: all undecided labels of the classes give way.
  std::optional<double> replace_below;
  std::optional<double> nms_iou;      ///< by default that of the model's family
  std::optional<int> max_detections;  ///< best candidates kept of an image; by default that of the model's family
  std::string where;                  ///< which samples; empty for all that have a file
  std::string engine = "openvino";
  std::string device = "cpu";
  int batch = 0;  ///< images that go through the model together; 0 for what suits model and device

  /// Throws `wrong_use`.
  void validate() const;
};

/// Where a run stands after it was worked on: whole-run counts, samples = done + failed + left.
struct RunReport {
  RunId run;
  std::int64_t samples = 0;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t labels = 0;       ///< stored, superseded ones included
  std::int64_t superseded = 0;   ///< of those: a person had decided on the same object before
  std::int64_t repeats = 0;      ///< likewise, the run keeps an undecided label of the same object
  double images_per_second = 0;  ///< of this call
  std::int64_t windows = 0;      ///< of this call, through which the model looked at the images
  std::optional<TilingOptions> tiling;
  std::optional<ReplacementBound> bound;
  std::string engine;
  std::string device;              ///< that really ran
  std::vector<std::string> notes;  ///< what the model left open and how it was filled in
  bool is_interrupted = false;

  std::int64_t left() const { return samples - done - failed; }
};

/// How a run cuts images into tiles; nothing when it does not.
std::optional<TilingOptions> tiling_of(const RunRequest& request);

/// Takes a note for people, before the first image is looked at; the report has all of them, too. May be empty.
using NoteSink = std::function<void(const std::string&)>;

/// Labels the samples of a view in a new run. The run is stored once its models are loaded; each image's labels are stored together
/// with its outcome, so that whatever happens, `resume_run` goes on where it stopped. Throws for a model, class or view that cannot
/// be used.
RunReport start_run(Project& project, const LabelOptions& options, const ProgressSink& progress, const CancelToken& cancel,
                    const NoteSink& on_note = {});

/// Goes on with the samples that have no outcome yet. Throws `not_found`; `conflict` while another process works on the run, when
/// it was undone, and when the model file is not the one it began with.
RunReport resume_run(Project& project, RunId run, const ProgressSink& progress, const CancelToken& cancel,
                     const NoteSink& on_note = {});

/// As `resume_run`, with the failed samples tried again.
RunReport retry_run(Project& project, RunId run, const ProgressSink& progress, const CancelToken& cancel,
                    const NoteSink& on_note = {});

}  // namespace verilabel
