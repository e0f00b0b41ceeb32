#include "verilabel/dataset/lifecycle.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace verilabel {
namespace {

constexpr double kEverywhere = std::numeric_limits<double>::infinity();
/// In parts of a width: how much further out than it can lie a box is sought.
constexpr double kRoundingAllowance = 1e-6;

bool is_decided(const LabelOrigin& label) {
  return label.verdict != Verdict::unreviewed;
}

bool was_asked_for(const FinishedRun& run, ClassId class_id) {
  return !run.asked_classes || std::binary_search(run.asked_classes->begin(), run.asked_classes->end(), class_id);
}

/// How well the places of two labels agree; 0 when they claim different things.
double agreement(const LabelClaim& a, const LabelClaim& b) {
  const bool is_classification = a.kind == LabelKind::classification;
  if (a.class_id != b.class_id || is_classification != (b.kind == LabelKind::classification)) {
    return 0;
  }
  return is_classification ? 1 : iou(a.box_xywh_px, b.box_xywh_px);
}

double left_of(const LabelClaim& claim) {
  return claim.kind == LabelKind::classification ? 0 : claim.box_xywh_px.x;
}

bool is_of_one_answer(const LabelOrigin& a, const LabelOrigin& b) {
  return a.run == b.run && a.import == b.import && (a.run || a.import);
}

bool repeats(const LabelOrigin& label, const LabelOrigin& kept, double same_iou) {
  const double wanted = kept.verdict == Verdict::rejected ? std::max(same_iou, kSupersedingIou) : same_iou;
  const double found = agreement(label.written, kept.written);
  return found > 0 && found >= wanted;
}

/// The statuses of one sample's labels, as run after run makes them.
class Statuses {
 public:
  Statuses(std::span<const LabelOrigin> labels, std::span<const FinishedRun> runs)
      : labels_(labels), runs_(runs), statuses_(labels.size(), LabelStatus::active), repeats_decided_(labels.size(), 0) {
    for (const LabelOrigin& label : labels) {
      if (is_decided(label) || label.superseded_by) {
        known_.push_back(&label);
      }
    }
    std::ranges::sort(known_, {}, &LabelOrigin::id);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const LabelOrigin& label = labels[i];
      if (is_decided(label)) {
        continue;
      }
      if (label.is_import_undone || is_of_undone_run(label)) {
        statuses_[i] = LabelStatus::undone;
      } else if (is_superseded(label)) {
        statuses_[i] = LabelStatus::superseded;
      } else if (label.is_import_replaced) {
        statuses_[i] = LabelStatus::replaced;
      }
    }
    find_repeats_of_decided();
  }

  std::vector<LabelStatus> after_all_runs() {
    for (const FinishedRun& run : runs_) {
      if (!run.is_undone) {
        replace_by(run);
        if (run.bound) {
          supersede_in(run);
        }
      }
    }
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      if (is_open(i) && repeats_decided_[i] != 0) {
        statuses_[i] = LabelStatus::superseded;
      }
    }
    return std::move(statuses_);
  }

 private:
  const LabelOrigin* known(LabelId id) const {
    const auto found = std::ranges::lower_bound(known_, id, {}, &LabelOrigin::id);
    return found != known_.end() && (*found)->id == id ? *found : nullptr;
  }

  /// By what it was stored as superseded by.
  bool is_superseded(const LabelOrigin& label) const {
    if (label.run || label.is_fusion) {
      const LabelOrigin* const by = known(label.superseded_by);
      return by != nullptr && is_decided(*by) &&
             (repeats_decided(label, *by, by->written) || (by->edited && repeats_decided(label, *by, *by->edited)));
    }
    // An equal label of an import that was undone, which may have such a one before it in turn.
    const LabelOrigin* by = known(label.superseded_by);
    while (by != nullptr && !is_decided(*by)) {
      by = by->superseded_by < by->id ? known(by->superseded_by) : nullptr;
    }
    return by != nullptr;
  }

  /// Whether a label of a run or a fusion says again what a decided one claims.
  bool repeats_decided(const LabelOrigin& label, const LabelOrigin& decided, const LabelClaim& claim) const {
    const double wanted = decided.verdict == Verdict::rejected ? kSupersedingIou : superseding_iou_of(label);
    const double found = agreement(label.written, claim);
    return found > 0 && found >= wanted;
  }

  /// The least IoU by which anything supersedes the label.
  double superseding_iou_of(const LabelOrigin& label) const {
    const FinishedRun* const own = run_of(label);
    return own != nullptr && own->bound ? std::min(own->bound->same_iou, kSupersedingIou) : kSupersedingIou;
  }

  /// One thing that a label claims.
  struct Claim {
    const LabelClaim* claim = nullptr;
    const LabelOrigin* label = nullptr;
  };

  const FinishedRun* run_of(const LabelOrigin& label) const {
    const auto own = std::ranges::find(runs_, label.run, &FinishedRun::run);
    return own == runs_.end() ? nullptr : &*own;
  }
  bool is_of_undone_run(const LabelOrigin& label) const {
    const FinishedRun* const own = run_of(label);
    return own != nullptr && own->is_undone;
  }
  /// Whether a run may still take it off.
  bool is_open(std::size_t i) const { return statuses_[i] == LabelStatus::active && !is_decided(labels_[i]); }

  void replace_by(const FinishedRun& run) {
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const LabelOrigin& label = labels_[i];
      if (is_open(i) && label.run && label.run < run.run && was_asked_for(run, label.written.class_id) &&
          (!run.bound || label.score < run.bound->confidence)) {
        statuses_[i] = LabelStatus::replaced;
      }
    }
  }

  void supersede_in(const FinishedRun& run) {
    std::vector<Claim> kept;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      if (statuses_[i] == LabelStatus::active && repeats_decided_[i] == 0 && (!labels_[i].run || labels_[i].run < run.run)) {
        kept.push_back({&labels_[i].written, &labels_[i]});
      }
    }
    std::ranges::sort(kept, {}, place_of);
    const double same_iou = run.bound->same_iou;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const LabelOrigin& label = labels_[i];
      if (label.run == run.run && is_open(i) && is_any_near(kept, label.written, same_iou, [&](const Claim& one) {
            return (one.label->run || one.label->id < label.id) && repeats(label, *one.label, same_iou);
          })) {
        statuses_[i] = LabelStatus::superseded;
      }
    }
  }

  void find_repeats_of_decided() {
    std::vector<Claim> decided;
    for (const LabelOrigin& label : labels_) {
      if (is_decided(label)) {
        decided.push_back({&label.written, &label});
        if (label.edited) {
          decided.push_back({&*label.edited, &label});
        }
      }
    }
    if (decided.empty()) {
      return;
    }
    std::ranges::sort(decided, {}, place_of);
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const LabelOrigin& label = labels_[i];
      if (is_open(i) && (label.run || label.is_fusion) &&
          is_any_near(decided, label.written, superseding_iou_of(label), [&](const Claim& one) {
            return !is_of_one_answer(label, *one.label) && repeats_decided(label, *one.label, *one.claim);
          })) {
        repeats_decided_[i] = 1;
      }
    }
  }

  static std::pair<ClassId, double> place_of(const Claim& one) { return {one.claim->class_id, left_of(*one.claim)}; }

  /// Whether `is_it` holds of one of `claims` of the class of `claim` that may overlap it by `same_iou`. They are in the order of
  /// `place_of`.
  template <typename IsIt>
  static bool is_any_near(std::span<const Claim> claims, const LabelClaim& claim, double same_iou, const IsIt& is_it) {
    // The IoU of two boxes is no more than that of their extents across, whose union is then at most w / IoU wide, so that left
    // edges are at most (1 - IoU) of that apart.
    const double width = claim.kind == LabelKind::classification ? 0 : claim.box_xywh_px.w;
    const double reach = same_iou > 0 ? width * ((1 - same_iou) / same_iou + kRoundingAllowance) : kEverywhere;
    const double left = left_of(claim);
    const auto first = std::ranges::lower_bound(claims, std::pair(claim.class_id, left - reach), {}, place_of);
    const auto last = std::ranges::upper_bound(claims, std::pair(claim.class_id, left + reach), {}, place_of);
    return std::any_of(first, last, is_it);
  }

  std::span<const LabelOrigin> labels_;
  std::span<const FinishedRun> runs_;
  std::vector<LabelStatus> statuses_;
  std::vector<const LabelOrigin*> known_;      ///< those that are decided or have something before them, by id
  std::vector<std::uint8_t> repeats_decided_;  ///< one a label: a decided label says all of it
};

}  // namespace

std::vector<LabelStatus> label_statuses(std::span<const LabelOrigin> labels, std::span<const FinishedRun> runs) {
  return Statuses(labels, runs).after_all_runs();
}

std::optional<LabelId> find_superseding(const LabelClaim& candidate, std::span<const DecidedLabel> decided,
                                        const std::optional<ReplacementBound>& bound) {
  std::optional<LabelId> best;
  double best_agreement = 0;
  for (const DecidedLabel& label : decided) {
    const double wanted =
        bound && label.verdict != Verdict::rejected ? std::min(bound->same_iou, kSupersedingIou) : kSupersedingIou;
    const double found = std::max(agreement(candidate, label.written), agreement(candidate, label.effective));
    if (found >= wanted && found > best_agreement) {
      best = label.id;
      best_agreement = found;
    }
  }
  return best;
}

}  // namespace verilabel
