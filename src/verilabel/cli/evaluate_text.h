#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "verilabel/cli/console.h"
#include "verilabel/workflow/evaluate.h"

namespace verilabel::cli {

// What `evaluate` and `threshold` share: the sets that they compare, and how it is told. Private to the module.

void add_set_options(CLI::App& app, EvaluateSetsOptions& options);

/// How far the numbers reach.
void say_coverage(Console& console, const SetEvaluation& result);
void say_coverage(Console& console, const SetClassification& classification);

/// With `has_details` also how predictions go wrong, where the result has that.
void say_evaluation(Console& console, const SetEvaluation& result, const EvaluateSetsOptions& options, bool has_details);
void say_classification(Console& console, const SetClassification& classification, const EvaluateSetsOptions& options,
                        bool has_details);

/// That classes may be meant as one whose names differ in little; `are_files` says how that is mended.
void note_names_alike(Console& console, const std::vector<NamesAlike>& names_alike, bool are_files);

/// "0.4000 (0.3500 to 0.4500)".
std::string number_text(const std::optional<double>& number, const std::optional<Interval>& interval);

}  // namespace verilabel::cli
