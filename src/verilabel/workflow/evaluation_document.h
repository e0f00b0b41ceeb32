#pragma once

#include <functional>
#include <string>

#include "verilabel/workflow/evaluate.h"

namespace verilabel {

/// What an evaluation says as one JSON object: what `evaluate --json` prints, and what the report shows. Members: `evaluation`,
/// `metrics`, `per_class`, `coverage`; `intervals`, `scenarios` and `comparison` where they were asked for; with details `errors`,
/// `confusion`, `calibration`, `curves`, `distributions` and `worst`. An undefined number is null. `thumbnail_of` gives the data
/// URL of a picture, or an empty text; without it there are none.
std::string evaluation_json(const SetEvaluation& result, const EvaluateSetsOptions& options,
                            const std::function<std::string(const JudgedImage&)>& thumbnail_of = {});

/// Likewise of classes of whole images: `evaluation`, `metrics`, `exact_match`, `averages`, `per_class`, `coverage`; `intervals`,
/// `scenarios` and `comparison` where they were asked for; with details `confusion`, `calibration`, `curves`, `distributions` and
/// `worst`.
std::string classification_json(const SetClassification& classification, const EvaluateSetsOptions& options,
                                const std::function<std::string(const JudgedImage&)>& thumbnail_of = {});

}  // namespace verilabel
