#include "verilabel/workflow/review.h"

#include <cstdlib>
#include <vector>

#include "verilabel/dataset/view.h"
#include "verilabel/store/decision_ledger.h"
#include "verilabel/workflow/thresholds.h"

namespace verilabel {
namespace {

/// Who decides: VERILABEL_USER, else the login name.
std::string current_user() {
  for (const char* variable : {"VERILABEL_USER", "USER", "LOGNAME"}) {
    const char* name = std::getenv(variable);
    if (name != nullptr && *name != '\0') {
      return name;
    }
  }
  return "unknown";
}

}  // namespace

ReviewReport decide(Project& project, const std::string& view, Verdict verdict, const std::string& reason,
                    const std::optional<std::filesystem::path>& thresholds) {
  const View parsed = View::parse(view, project.saved_views());
  const Columns columns = project.columns_for(parsed);
  const auto filter = thresholds ? std::optional(ClassThresholds(columns, *thresholds)) : std::nullopt;
  ReviewReport report;
  std::vector<SeenLabel> labels;
  for (const std::uint32_t row : select_labels(parsed, columns)) {
    const bool is_sure =
        !filter || (filter->has_threshold(columns.labels.class_index[row]) && filter->reaches(columns.labels, row));
    if (!is_sure) {
      ++report.below;
    } else if (columns.labels.verdict[row] == verdict) {
      ++report.unchanged;
    } else {
      labels.push_back({{columns.labels.id[row]}, columns.labels.verdict[row]});
    }
  }
  const DecisionCounts counts = decide_labels(project, labels, verdict, {current_user(), reason, view});
  report.labels = counts.labels;
  report.unchanged += counts.unchanged;
  report.decided_meanwhile = counts.decided_meanwhile;
  return report;
}

ReviewReport undo_decision(Project& project) {
  return {.labels = undo_decisions(project, current_user())};
}
ReviewReport redo_decision(Project& project) {
  return {.labels = redo_decisions(project, current_user())};
}

}  // namespace verilabel
