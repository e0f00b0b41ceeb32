#pragma once

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/outcome.h"

// What every protocol asks of its input. Private to the module.
namespace verilabel {

/// Throws `internal` for columns of unequal length, `bad_data` for two classes or two images of one id.
void check_columns(const EvaluationInput& input);

/// Throws `bad_data`, naming the sample, for a score that is not finite; `internal` for columns of unequal length.
void check_scores(const EvaluationInput& input);

/// Likewise for boxes and areas too, and `internal` for the index of an image or a class that is not listed.
void check_labels(const EvaluationInput& input);

/// Throws `wrong_use` for outcomes that are not one a truth and one a prediction of the input.
void check_outcomes(const EvaluationInput& input, const Outcomes& outcomes);

/// For masks that are to be compared: throws `wrong_use` when one is missing, `bad_data`, naming the sample and the index of the
/// later one (`truth` or `prediction`), when two on one image are of different sizes, whether or not they would be compared with
/// each other.
void check_masks(const EvaluationInput& input);

}  // namespace verilabel
