#pragma once

#include <string>
#include <vector>

#include "verilabel/evaluate/input.h"

namespace verilabel {

/// Two classes that are compared as different ones, though their names differ in nothing but case, spaces, hyphens and underscores.
struct NamesAlike {
  std::string in_truth;
  std::string in_predictions;
};

/// Those of which one has truths and the other predictions, and not both have both: of two such classes nothing can be right. In
/// the order of the classes with truths.
std::vector<NamesAlike> names_alike(const EvaluationInput& input);

}  // namespace verilabel
