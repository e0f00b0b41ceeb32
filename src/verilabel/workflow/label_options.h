#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "verilabel/geometry/tiling.h"
#include "verilabel/models/prompts.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/pipeline/object_crop.h"
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

/// How a run cuts images into tiles; nothing when it does not.
std::optional<TilingOptions> tiling_of(const RunRequest& request);

/// What a run keeps of its options, of the hashes of the models in its stages, and of where its boxes come from (a JSON value, null
/// without), in its `options_json`.
std::string options_json_from(const LabelOptions& options, const LabelStages& stages, const std::string& boxes_from);
LabelOptions options_from(const RunRequest& request);
/// Where its boxes come from; null when it has none, or comes from a version that did not keep it.
std::string boxes_from(const RunRequest& request);

/// Throws `conflict` when the files of a model are not those that the run began with.
void require_same_weights(const RunRequest& request);

}  // namespace verilabel
