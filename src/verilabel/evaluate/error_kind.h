#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "verilabel/dataset/evaluation.h"
#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

struct ErrorOptions {
  IouType iou_type = IouType::box;
  double iou = 0.5;             ///< that the outcomes were made with
  double background_iou = 0.1;  ///< up to here a prediction lies on nothing
  unsigned threads = 0;         ///< 0: one for each processor. The result does not depend on it.
};

/// What is wrong with one label.
struct LabelError {
  ErrorKind kind = ErrorKind::none;
  std::uint32_t about = kNoPartner;  ///< index of the truth that a prediction is about, of the prediction that a truth is lost to
  double iou = 0;                    ///< with it; 0 without one
};

struct LabelErrors {
  std::vector<LabelError> predictions;  ///< of a false positive its kind; of every other prediction `none`
  /// Of a false negative `missed`, or the kind of the best prediction that would have been right on it, had it been of its class or
  /// better placed; of every other truth `none`.
  std::vector<LabelError> truths;
};

/// The kind of each error. `outcomes` come from `input` at `options.iou` and the same kind of overlap, at any threshold of score.
/// Throws `wrong_use` for options out of range, for other outcomes and for masks that are wanted and not there; `bad_data`, naming
/// the sample, for a score, box or area that is not finite and for masks of different sizes.
LabelErrors label_errors(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options);

struct ErrorAnalysis {
  LabelErrors labels;
  /// COCO's average precision at `iou` (at 0.5 its mAP_50), mean over the classes with truth; nothing without truth. By the
  /// outcomes: what counts in them, and nothing else, has a part in it.
  std::optional<double> ap;
  struct Cost {
    std::int64_t count = 0;
    double ap = 0;  ///< that average precision would gain if all errors of the kind, and no others, were mended; not below 0
  };
  std::array<Cost, kErrorKinds> costs;  ///< by `ErrorKind`
  double false_positive_cost = 0;       ///< gain without any false positive
  double false_negative_cost = 0;       ///< gain without any false negative

  const Cost& cost(ErrorKind kind) const { return costs[static_cast<std::size_t>(kind)]; }
};

/// What each kind of error costs, over predictions of every score. To mend an error means: a wrong class or place becomes right
/// where its truth has no partner, once a truth, by the prediction of highest score, and all others of the kind are taken away, as
/// are duplicates and what lies on background or is wrong in both ways; a missed truth is no longer asked for. Equal scores rank as
/// in COCO, what comes from another class behind them. Takes and throws what `label_errors` does.
ErrorAnalysis analyse_errors(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options);

}  // namespace verilabel
