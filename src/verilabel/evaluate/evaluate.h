#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verilabel/evaluate/coco.h"
#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/operating_point.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

struct EvaluateOptions {
  IouType iou_type = IouType::box;
  double iou = 0.5;                 ///< for outcomes, precision, recall, F1; in (0, 1]
  std::optional<double> threshold;  ///< lowest score that counts in precision, recall, F1; by default the one of greatest F1
  /// Best predictions of a class on an image that count in outcomes, precision, recall and F1. COCO's numbers always take 100.
  std::uint32_t max_detections = kCocoMaxDetections;
  std::uint32_t max_detections_of_image = 0;  ///< likewise, of all classes together; 0 for all
  unsigned threads = 0;                       ///< 0: one for each processor. Results do not depend on it.
};

struct ClassEvaluation {
  CocoClassMetrics coco;
  OperatingPoint at_threshold;  ///< at the threshold of the whole evaluation
  OperatingPoint best_f1;       ///< at the threshold that suits this class best
  std::int64_t truths = 0;      ///< crowds included
  std::int64_t predictions = 0;
};

struct Evaluation {
  CocoMetrics coco;
  OperatingPoint at_threshold;  ///< micro-averaged, at the threshold asked for or else `best_f1`'s
  OperatingPoint best_f1;
  std::vector<ClassEvaluation> per_class;     ///< in the order of `input.classes`
  Outcomes outcomes;                          ///< at `options.iou`, whatever the score
  std::int64_t predictions_beyond_limit = 0;  ///< of one of the two: not counted
};

/// The COCO protocol and the operating points from one matching pass. Throws as `match` does, and `wrong_use` for options out of
/// range.
Evaluation evaluate(const EvaluationInput& input, const EvaluateOptions& options);

}  // namespace verilabel
