#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "verilabel/store/project.h"

namespace verilabel {

/// A new class or geometry for one label.
struct LabelEdit {
  std::optional<ClassId> class_id;
  std::optional<Box> box_xywh_px;
  std::optional<double> area_px;
  std::optional<Mask> mask;  ///< only together with its box
};

struct DecisionNote {
  std::string who;
  std::string reason;
  std::string view;  ///< that selected the labels; empty when they were picked one by one
};

/// Appends one group of decisions: one unit of undo, on disk when this returns. `verdict` is accepted, rejected or unsure. Throws
/// `not_found` for a label that does not exist.
void decide_labels(Project& project, std::span<const LabelId> labels, Verdict verdict, const DecisionNote& note);
/// Likewise, for one label, with the verdict `edited`.
void edit_label(Project& project, LabelId label, const LabelEdit& edit, const DecisionNote& note);

/// Takes back the newest group that stands. Returns the number of its labels; throws `conflict` when there is none.
std::int64_t undo_decisions(Project& project, const std::string& who);
/// Makes the group stand again that was taken back last. Throws `conflict` when there is none, or something was decided since.
std::int64_t redo_decisions(Project& project, const std::string& who);

}  // namespace verilabel
