#pragma once

#include "verilabel/workflow/judged.h"

namespace verilabel {

// The parts of `evaluate_sets` and `judge_sets` that compare two files and need no project.

SetEvaluation evaluate_files(const EvaluateSetsOptions& options);
JudgedSets judge_files(const EvaluateSetsOptions& options);

}  // namespace verilabel
