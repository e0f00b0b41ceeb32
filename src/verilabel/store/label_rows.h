#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verilabel/dataset/lifecycle.h"
#include "verilabel/store/database.h"
#include "verilabel/store/project.h"

// How a label is a row of the table `labels`, for writing and for reading. Private to the module.
namespace verilabel::store {

/// The label's mask as a blob in `memory`, or empty when it has none.
std::string_view mask_blob_of(const Label& label, std::string& memory);

/// Inserts labels; prepared once, used many times.
class LabelInserter {
 public:
  explicit LabelInserter(Database& database);
  /// Returns the row's id. `mask_blob` is that of the label; `superseded_by` may be none.
  LabelId insert(SampleId sample, SetId set, const Label& label, std::string_view mask_blob, RunId run, ImportId import,
                 LabelId superseded_by);

 private:
  Database& database_;
  Statement statement_;
};

/// Reads labels; prepared once, used many times.
class LabelSelector {
 public:
  enum class Form : std::uint8_t {
    effective,  ///< what the last decision made of them
    written,    ///< as a run or an import wrote them, without a verdict
  };
  LabelSelector(const Database& database, Form form);
  /// Of one sample in one set, in the order of their ids.
  std::vector<StoredLabel> select(SampleId sample, SetId set);
  std::optional<StoredLabel> find(LabelId label);

 private:
  Statement of_sample_;
  Statement of_id_;
};

/// Labels that a person has decided on; prepared once, used many times.
class DecidedLabels {
 public:
  explicit DecidedLabels(const Database& database);
  /// Of one sample in one set, in the order of their ids.
  std::vector<DecidedLabel> of(SampleId sample, SetId set);

 private:
  Statement any_;
  Statement of_sample_;
};

/// The joins that find the decision on label `l` that stands (`d`) and the edit in force (`e`), both NULL when there is none.
inline constexpr std::string_view kStandingDecision =
    "LEFT JOIN verdicts v ON v.label_id = l.id LEFT JOIN decisions d ON d.id = v.decision_id LEFT JOIN edits e ON e.id = d.edit_id";

/// The enumerator that a stored number stands for. Throws `bad_data` for a number that is none: the database is damaged.
LabelKind label_kind_of(std::int64_t number);
/// From six columns that begin at `first`: kind, class_id, x, y, w, h. Throws likewise.
LabelClaim claim_from(const Statement& row, int first);
Verdict verdict_of(std::int64_t number);

}  // namespace verilabel::store
