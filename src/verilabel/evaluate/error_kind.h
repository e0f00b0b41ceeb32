#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

/// Why a label is wrong, as TIDE tells it (Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV
/// 2020).
enum class ErrorKind : std::uint8_t {
  none,            ///< right, or counts neither way
  classification,  ///< well placed on a truth of another class
  localization,    ///< on a truth of its class, but badly placed
  both,            ///< on some truth, of the wrong class and badly placed
  duplicate,       ///< on a truth that a prediction of higher score has taken
  background,      ///< on nothing
  missed,          ///< a truth that no prediction comes near enough to be blamed for
};
inline constexpr std::size_t kErrorKinds = 7;

std::string_view name_of(ErrorKind kind);
/// Nothing when no such name exists.
std::optional<ErrorKind> error_kind_from(std::string_view name);

struct ErrorOptions {
  IouType iou_type = IouType::box;
  double iou = 0.5;             ///< that the outcomes were made with
  double background_iou = 0.1;  ///< up to here a prediction lies on nothing
  unsigned threads = 0;         ///< 0: one for each processor. The result does not depend on it.
};

struct ErrorAnalysis {
  /// Of a false positive its kind; of every other prediction `none`.
  std::vector<ErrorKind> predictions;
  /// Of a false negative `missed`, or the kind of the best prediction that would have been right on it, had it been of its class or
  /// better placed; of every other truth `none`.
  std::vector<ErrorKind> truths;

  /// Average precision at `iou`, mean over the classes with truth (101 points of recall); nothing without truth.
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

/// Finds the kind of each error and what each kind costs. To mend an error means: a wrong class or place becomes right where its
/// truth has no partner, once a truth, by the prediction of highest score, and all others of the kind are taken away, as are
/// duplicates and what lies on background or is wrong in both ways; a missed truth is no longer asked for. `outcomes` come from
/// `input` at `options.iou` and the same kind of overlap. Throws `wrong_use` for options out of range.
ErrorAnalysis analyse_errors(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options);

}  // namespace verilabel
