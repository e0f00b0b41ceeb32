#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/store/project.h"

namespace verilabel {

enum class StoredOutcome : std::uint8_t { tp, fp, fn, ignored };

/// What an evaluation says of one label.
struct EvaluatedLabel {
  LabelId label;
  StoredOutcome outcome = StoredOutcome::ignored;
  LabelId partner;  ///< none without one
  double iou = 0;   ///< with the partner

  friend bool operator==(const EvaluatedLabel&, const EvaluatedLabel&) = default;
};

/// A stored comparison of two label sets.
struct EvaluationRecord {
  EvaluationId id;  ///< given by the store; ids grow with time, so the newest evaluation has the greatest
  std::string key;  ///< unique
  SetId predictions;
  SetId truth;
  std::string options_json;  ///< protocol, IoU, view…, as a JSON object
  std::string result_json;   ///< metrics, per class, coverage, as a JSON object
  std::string created_at;    ///< given by the store
};

/// Stores an evaluation with its outcomes in one transaction; an earlier one of that key is replaced. At most one outcome a label.
EvaluationId store_evaluation(Project& project, const EvaluationRecord& evaluation, std::span<const EvaluatedLabel> outcomes);
/// Oldest first.
std::vector<EvaluationRecord> evaluations(const Project& project);
/// The newest of that key, or the newest of all without one; nothing when there is none.
std::optional<EvaluationRecord> find_evaluation(const Project& project, std::optional<std::string_view> key = std::nullopt);
/// In the order of label ids.
std::vector<EvaluatedLabel> outcomes_of(const Project& project, EvaluationId evaluation);

}  // namespace verilabel
