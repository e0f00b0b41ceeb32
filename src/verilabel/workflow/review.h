#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "verilabel/dataset/label.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// One bulk decision, or the taking back of one.
struct ReviewReport {
  std::int64_t labels = 0;             ///< decided, or given back what they were before
  std::int64_t unchanged = 0;          ///< of the view, but decided so already
  std::int64_t decided_meanwhile = 0;  ///< of the view, but decided otherwise by somebody else since: left
  std::int64_t below = 0;              ///< of the view, but below the threshold of their class, or of a class without one: left
};

/// Decides every label that the view selects, as one undoable unit; with a thresholds file, those that reach the threshold of their
/// class. A view that selects nothing records nothing. Throws `wrong_use` for a mistake in the view, and what `ClassThresholds`
/// does.
ReviewReport decide(Project& project, const std::string& view, Verdict verdict, const std::string& reason,
                    const std::optional<std::filesystem::path>& thresholds = std::nullopt);

/// Takes back the newest decision that stands, bulk or single; again for the one before it. Throws `conflict` when there is none.
ReviewReport undo_decision(Project& project);
/// Makes the decision stand again that was taken back last. Throws `conflict` when there is none, or one was made since.
ReviewReport redo_decision(Project& project);

}  // namespace verilabel
