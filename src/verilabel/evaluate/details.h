#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "verilabel/evaluate/calibration.h"
#include "verilabel/evaluate/confusion.h"
#include "verilabel/evaluate/error_kind.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/score_curve.h"

namespace verilabel {

/// Right and wrong predictions by some number of theirs between 0 and 1: parts of equal width, the last with 1.
struct Distribution {
  static constexpr std::size_t kParts = 20;

  std::array<std::int64_t, kParts> right{};
  std::array<std::int64_t, kParts> wrong{};
  std::int64_t outside = 0;  ///< below 0 or above 1: in no part

  void add(double value, bool is_right);
};

/// How many labels are wrong for one reason.
struct ErrorCount {
  std::int64_t predictions = 0;
  std::int64_t truths = 0;
};

/// What an evaluation says of each label at its threshold.
struct JudgedLabels {
  Outcomes outcomes;
  LabelErrors errors;
};

/// `evaluation` comes from `input` and `options`.
JudgedLabels judge_labels(const EvaluationInput& input, const Evaluation& evaluation, const EvaluateOptions& options);

/// How predictions go wrong: what stands behind the numbers of an evaluation.
struct EvaluationDetails {
  std::optional<double> threshold;                     ///< that of the evaluation
  JudgedLabels labels;                                 ///< at the threshold
  std::array<ErrorCount, kErrorKinds> error_counts{};  ///< likewise, by `ErrorKind`; nothing under `none`
  ErrorAnalysis errors;                                ///< over predictions of every score
  ConfusionMatrix confusion{0};                        ///< at the threshold, of what counts there
  Calibration calibration;
  ScoreCurves curves;
  Distribution scores;
  Distribution overlaps;  ///< with the partner, or with what the error is about
};

/// Likewise.
EvaluationDetails evaluation_details(const EvaluationInput& input, const Evaluation& evaluation, const EvaluateOptions& options);

}  // namespace verilabel
