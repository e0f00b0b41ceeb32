#pragma once

#include <filesystem>

#include "verilabel/workflow/evaluate.h"

namespace verilabel {

/// Whether the name of a report asks for its document, by `.json`, or for the page, by `.html` or `.htm`. Throws `wrong_use` for
/// other names.
bool is_report_json(const std::filesystem::path& file);

/// Writes an evaluation that was made with details as a page for reading, small pictures of its worst images included; or as the
/// document that the page shows; see `is_report_json`. A picture whose file cannot be read is left out. What is there is
/// replaced as a whole. Throws what `check_output_file` throws, `io`, and `wrong_use` for an evaluation without details or another
/// name.
void write_evaluation_report(const std::filesystem::path& file, const SetEvaluation& result, const EvaluateSetsOptions& options);
void write_evaluation_report(const std::filesystem::path& file, const SetClassification& result,
                             const EvaluateSetsOptions& options);

}  // namespace verilabel
