#include "verilabel/dataset/lifecycle.h"

#include <algorithm>

namespace verilabel {
namespace {

bool is_decided(const LabelOrigin& label) {
  return label.verdict != Verdict::unreviewed;
}

bool was_asked_for(const FinishedRun& run, ClassId class_id) {
  return !run.asked_classes || std::binary_search(run.asked_classes->begin(), run.asked_classes->end(), class_id);
}

LabelStatus status_of(const LabelOrigin& label, std::span<const LabelId> decided, std::span<const FinishedRun> runs) {
  if (is_decided(label)) {
    return LabelStatus::active;
  }
  const auto own_run = label.run ? std::ranges::find(runs, label.run, &FinishedRun::run) : runs.end();
  if (label.is_import_undone || (own_run != runs.end() && own_run->is_undone)) {
    return LabelStatus::undone;
  }
  if (label.superseded_by && std::ranges::binary_search(decided, label.superseded_by)) {
    return LabelStatus::superseded;
  }
  if (own_run != runs.end()) {
    const auto replaces = [&](const FinishedRun& later) { return !later.is_undone && was_asked_for(later, label.class_id); };
    if (std::any_of(std::next(own_run), runs.end(), replaces)) {
      return LabelStatus::replaced;
    }
  }
  return LabelStatus::active;
}

/// Negative when the two claim different things, otherwise how well their places agree.
double agreement(const LabelClaim& a, const LabelClaim& b) {
  const bool is_classification = a.kind == LabelKind::classification;
  if (a.class_id != b.class_id || is_classification != (b.kind == LabelKind::classification)) {
    return -1;
  }
  return is_classification ? 1 : iou(a.box_xywh_px, b.box_xywh_px);
}

}  // namespace

std::vector<LabelStatus> label_statuses(std::span<const LabelOrigin> labels, std::span<const FinishedRun> runs) {
  std::vector<LabelId> decided;
  for (const LabelOrigin& label : labels) {
    if (is_decided(label)) {
      decided.push_back(label.id);
    }
  }
  std::ranges::sort(decided);
  std::vector<LabelStatus> statuses;
  statuses.reserve(labels.size());
  for (const LabelOrigin& label : labels) {
    statuses.push_back(status_of(label, decided, runs));
  }
  return statuses;
}

std::optional<LabelId> find_superseding(const LabelClaim& candidate, std::span<const DecidedLabel> decided) {
  std::optional<LabelId> best;
  double best_agreement = 0;
  for (const DecidedLabel& label : decided) {
    const double found = std::max(agreement(candidate, label.written), agreement(candidate, label.effective));
    if (found >= kSupersedingIou && found > best_agreement) {
      best = label.id;
      best_agreement = found;
    }
  }
  return best;
}

}  // namespace verilabel
