#pragma once

#include "verilabel/workflow/evaluate.h"

namespace verilabel {

/// The part of `evaluate_sets` that compares two files and needs no project.
SetEvaluation evaluate_files(const EvaluateSetsOptions& options);

}  // namespace verilabel
