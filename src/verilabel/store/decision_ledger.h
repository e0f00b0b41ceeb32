#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/dataset/label.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// Class and geometry that a person gave to a label instead of those it came with.
struct LabelEdit {
  LabelKind kind = LabelKind::box;
  ClassId class_id;
  Box box_xywh_px;
  std::optional<Mask> mask;  ///< present if and only if kind is mask

  friend bool operator==(const LabelEdit&, const LabelEdit&) = default;
};

/// What somebody decides about one label. Accepting, rejecting or doubting an edited label keeps the edit: the label stays what the
/// person made of it until it is edited again or the edit is undone.
struct Decision {
  LabelId label;
  Verdict verdict = Verdict::accepted;  ///< not `unreviewed`: a decision is taken back by undo
  std::optional<LabelEdit> edit;        ///< present if and only if the verdict is `edited`
};

struct Author {
  std::string name;    ///< who decides
  std::string reason;  ///< why, or empty
};

struct DecisionCounts {
  DecisionGroupId group;       ///< of the decision made, taken back or made again; none when nothing was to be done
  std::int64_t labels = 0;     ///< whose verdict or edit is another than before
  std::int64_t unchanged = 0;  ///< decided so already; nothing is recorded for them
};

// Every function here is one transaction, on disk when it returns.

/// Decides on all of them as one undoable unit. What could be redone is forgotten. Throws `not_found` for a label that does not
/// exist, `wrong_use` for one that occurs twice and for an edit with a fault; nothing is decided then.
DecisionCounts decide(Project& project, std::span<const Decision> decisions, const Author& author);
/// The same with one verdict (accepted, rejected or unsure) for all.
DecisionCounts decide(Project& project, std::span<const LabelId> labels, Verdict verdict, const Author& author);

/// Takes back the newest unit that stands; again for the one before it. Throws `conflict` when there is none.
DecisionCounts undo_decision(Project& project, const Author& author);
/// Makes the unit stand again that was taken back last. Throws `conflict` when there is none, or a decision was made since.
DecisionCounts redo_decision(Project& project, const Author& author);

/// A row of the ledger.
struct DecisionGroup {
  enum class Kind : std::uint8_t { decide, undo, redo };
  DecisionGroupId id;
  Kind kind = Kind::decide;
  DecisionGroupId target;  ///< of an undo or redo: the unit
  std::string at;
  Author author;
  std::int64_t labels = 0;
  bool stands = true;  ///< of a decision: not taken back
};
/// Oldest first.
std::vector<DecisionGroup> decision_groups(const Project& project);

/// Every decision ever made on a label, oldest first, those taken back included.
struct LabelDecision {
  DecisionGroupId group;
  Decision decision;
  std::string at;
  Author author;
};
std::vector<LabelDecision> decisions_on(const Project& project, LabelId label);

}  // namespace verilabel
