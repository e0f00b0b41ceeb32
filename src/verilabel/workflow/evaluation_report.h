#pragma once

#include <filesystem>

#include "verilabel/workflow/evaluate.h"

namespace verilabel {

/// Writes an evaluation that was made with details as a page for reading, small pictures of its worst images included; or, when the
/// name ends in `.json`, as the document that the page shows. A picture whose file cannot be read is left out. What is there is
/// replaced as a whole. Throws what `check_output_file` throws, `io`, and `wrong_use` for an evaluation without details.
void write_evaluation_report(const std::filesystem::path& file, const SetEvaluation& result, const EvaluateSetsOptions& options);
void write_evaluation_report(const std::filesystem::path& file, const SetClassification& result,
                             const EvaluateSetsOptions& options);

}  // namespace verilabel
