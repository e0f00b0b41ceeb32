#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/dataset/columns.h"
#include "verilabel/store/database.h"
#include "verilabel/store/project.h"

// Evaluations in the database. Private to the module; `Project` is the way in.
namespace verilabel::store {

/// Within a transaction of the caller.
void save_evaluation(Database& database, const StoredEvaluation& evaluation);

std::vector<EvaluationSummary> read_evaluations(Database& database);

/// Both work within a transaction of the caller, and throw `wrong_use` for a key that does not exist.
EvaluationTotals read_evaluation_totals(Database& database, std::string_view key);
void remove_evaluation(Database& database, std::string_view key);

/// The evaluation of that key, or the newest, by the rows of `columns`; nothing when there is none. What it says of labels and
/// samples that the columns do not have yet is left out.
std::optional<EvaluationColumns> read_evaluation(Database& database, const std::optional<std::string>& key, const Columns& columns);

}  // namespace verilabel::store
