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

/// What a run or a fusion proposes is superseded by a decided label of its class that it overlaps by at least this IoU.
inline constexpr double kSupersedingIou = 0.7;

/// From this IoU on, boxes of one class that two models have drawn are taken for the same object, where nobody says otherwise.
/// Thresholds of NMS (0.6 to 0.7) are for boxes of one model; two models agree less. Of what YOLOX-Nano and NanoDet find on 128
/// photographs of COCO with a confidence of at least 0.3, 0.5 recognises 96 to 98 % of the objects that both find and takes 5 to 8
/// % of those that one of them finds for another object; 0.7 recognises 81 to 86 %.
inline constexpr double kSameObjectIou = 0.5;

/// Of a run that replaces only what is doubtful.
struct ReplacementBound {
  double confidence = 0;             ///< undecided labels of at least this confidence stay
  double same_iou = kSameObjectIou;  ///< what overlaps one of its class that stays by this IoU repeats it

  friend bool operator==(const ReplacementBound&, const ReplacementBound&) = default;
};

/// What a label claims: this class, here.
struct LabelClaim {
  LabelKind kind = LabelKind::box;
  ClassId class_id;
  Box box_xywh_px;  ///< the mask's box for a mask; not looked at for a classification
};

/// What decides whether one label counts. A label is *decided* when its verdict is anything but `unreviewed`.
struct LabelOrigin {
  LabelId id;
  RunId run = {};                         ///< none when imported or drawn by hand
  ImportId import = {};                   ///< none unless imported
  bool is_fusion = false;                 ///< the import is a fusion, an answer like that of a run
  bool is_import_undone = false;          ///< for imported labels
  bool is_import_replaced = false;        ///< likewise: a later fusion into the set stands on this sample
  LabelClaim written;                     ///< before any edit
  std::optional<LabelClaim> edited = {};  ///< what the edit in force makes of it
  double score = kScoreWithoutConfidence;
  Verdict verdict = Verdict::unreviewed;
  LabelId superseded_by = {};  ///< stored with it: a label decided then; of an imported one its equal in an undone import
};

/// A run that finished a sample in a set, with or without labels.
struct FinishedRun {
  RunId run;
  std::optional<std::span<const ClassId>> asked_classes = {};  ///< in increasing order; absent when it was asked for every class
  bool is_undone = false;
  std::optional<ReplacementBound> bound = {};  ///< absent when it replaces labels of any confidence
};

/// The status of each of `labels`, in their order. `labels` are all labels of one sample in one set, in any order; `runs` are the
/// runs that finished this sample in this set, by id, oldest first, among them each run that a label names. In order of precedence:
/// - a decided label is `active`;
/// - a label whose run or import was undone is `undone`;
/// - a label whose `superseded_by` is decided now is `superseded`, one of a run or a fusion only while it repeats what that claims,
///   an imported one also where its `superseded_by` has one in turn;
/// - so is a label of a run or a fusion that would be active and repeats a decided one of another run or import, whichever came
///   first, by the measure of `find_superseding`. What one run proposes side by side is its own affair;
/// - a label of a run with a bound is `superseded` when it repeats one that the run keeps: a label of an earlier run, or imported
///   before, that counts once the run has replaced what it replaces, of the same written class and place. Boxes and masks are at
///   the same place when their boxes overlap by IoU ≥ `same_iou` (beside a rejected label also ≥ `kSupersedingIou`: that this box
///   is wrong says nothing of a better one); classifications always are; a classification and a box never;
/// - a run's label is `replaced` when a later run that is not undone was asked for its class, even if that run found nothing,
///   unless its score reaches that run's bound; that of a fusion when a later fusion stands;
/// - any other is `active`. Other imported labels are never replaced.
///
/// Runs that are undone have no part in it, so that without one everything is as it would be had it never been.
std::vector<LabelStatus> label_statuses(std::span<const LabelOrigin> labels, std::span<const FinishedRun> runs);

struct DecidedLabel {
  LabelId id;
  LabelClaim written;
  LabelClaim effective;  ///< differs from `written` only when the decision was an edit
  Verdict verdict = Verdict::accepted;
};

/// The label of `decided` that a new candidate repeats: of the same class as it was written or as it was edited, and at that place.
/// Boxes and masks are at the same place when their boxes overlap by IoU ≥ `kSupersedingIou`, or, where the run has a bound and the
/// label was not rejected, ≥ its `same_iou` if that is less; classifications always are; a classification and a box never. The
/// greatest IoU wins, among equals the first. Nothing when the candidate is new.
std::optional<LabelId> find_superseding(const LabelClaim& candidate, std::span<const DecidedLabel> decided,
                                        const std::optional<ReplacementBound>& bound);

}  // namespace verilabel
