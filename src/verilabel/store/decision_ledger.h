#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "verilabel/store/project.h"

namespace verilabel {

/// A new class or geometry for one label. What is absent stays as it is, an earlier edit included.
struct LabelEdit {
  std::optional<ClassId> class_id;
  std::optional<Box> box_xywh_px;  ///< without a mask, a mask label becomes a box
  std::optional<double> area_px;   ///< of a new geometry; absent means that of the box
  std::optional<Mask> mask;        ///< only together with its box
};

struct DecisionNote {
  std::string who;
  std::string reason;
  std::string view;  ///< that selected the labels; empty when they were picked one by one
};

struct DecisionCounts {
  std::int64_t labels = 0;             ///< decided otherwise than before
  std::int64_t unchanged = 0;          ///< decided so already: nothing is recorded for them
  std::int64_t decided_meanwhile = 0;  ///< no longer decided as they were seen: left as they are
};

/// A label, and what was decided of it when it was chosen.
struct SeenLabel {
  LabelId label;
  Verdict verdict = Verdict::unreviewed;
};

// Each function is one transaction, on disk when it returns.

/// Appends one group of decisions: one unit of undo. `verdict` is accepted, rejected or unsure; an edit that is in force stays, so
/// that accepting an edited label accepts what it was made into. When nothing changes there is no group. Throws `not_found` for a
/// label that does not exist; nothing is decided then.
DecisionCounts decide_labels(Project& project, std::span<const LabelId> labels, Verdict verdict, const DecisionNote& note);
/// Likewise, of labels that were chosen by what was decided of them: somebody else's decision since then stays.
DecisionCounts decide_labels(Project& project, std::span<const SeenLabel> labels, Verdict verdict, const DecisionNote& note);
/// Likewise, for one label, with the verdict `edited`. Throws `wrong_use` for an edit that would leave the label with a fault, and
/// `not_found` for a class that does not exist.
DecisionCounts edit_label(Project& project, LabelId label, const LabelEdit& edit, const DecisionNote& note);

/// Takes back the newest group that stands. Returns the number of its labels; throws `conflict` when there is none.
std::int64_t undo_decisions(Project& project, const std::string& who);
/// Makes the group stand again that was taken back last. Throws `conflict` when there is none, or something was decided since.
std::int64_t redo_decisions(Project& project, const std::string& who);

}  // namespace verilabel
