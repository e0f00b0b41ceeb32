#pragma once

#include <optional>
#include <span>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/dataset/label.h"
#include "verilabel/geometry/box.h"

namespace verilabel {

/// What a label without confidence counts as wherever a score is asked for: in evaluation, and at every threshold. It was made by a
/// person, or by something that did not say how sure it was.
inline constexpr double kScoreWithoutConfidence = 1;

/// A new candidate that overlaps a decided label of its class by at least this IoU is superseded by it.
inline constexpr double kSupersedingIou = 0.7;

/// What decides whether one label counts. A label is *decided* when its verdict is anything but `unreviewed`.
struct LabelOrigin {
  LabelId id;
  RunId run;                      ///< none when imported or drawn by hand
  bool is_import_undone = false;  ///< for imported labels
  ClassId class_id;               ///< as written, before any edit
  Verdict verdict = Verdict::unreviewed;
  LabelId superseded_by;  ///< the decided label that it was stored as superseded by, or none
};

/// A run that finished a sample in a set, with or without labels.
struct FinishedRun {
  RunId run;
  std::optional<std::span<const ClassId>> asked_classes;  ///< in increasing order; absent when it was asked for every class
  bool is_undone = false;
};

/// The status of each of `labels`, in their order. `labels` are all labels of one sample in one set, in any order; `runs` are the
/// runs that finished this sample in this set, oldest first, among them each run that a label names. In order of precedence:
/// - a decided label is `active`;
/// - a label whose run or import was undone is `undone`;
/// - a label whose `superseded_by` is decided now is `superseded`;
/// - a run's label is `replaced` when a later run that is not undone was asked for its class, even if that run found nothing;
/// - any other is `active`. Imported labels are never replaced.
std::vector<LabelStatus> label_statuses(std::span<const LabelOrigin> labels, std::span<const FinishedRun> runs);

/// What a label claims: this class, here.
struct LabelClaim {
  LabelKind kind = LabelKind::box;
  ClassId class_id;
  Box box_xywh_px;  ///< the mask's box for a mask; not looked at for a classification
};

struct DecidedLabel {
  LabelId id;
  LabelClaim written;
  LabelClaim effective;  ///< differs from `written` only when the decision was an edit
};

/// The label of `decided` that a new candidate repeats: of the same class as it was written or as it was edited, and at that place.
/// Boxes and masks are at the same place when their boxes overlap by IoU ≥ `kSupersedingIou`; classifications always are; a
/// classification and a box never. The greatest IoU wins, among equals the first. Nothing when the candidate is new.
std::optional<LabelId> find_superseding(const LabelClaim& candidate, std::span<const DecidedLabel> decided);

}  // namespace verilabel
