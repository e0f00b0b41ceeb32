#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

/// What an evaluation says of one label.
enum class Outcome : std::uint8_t {
  tp,       ///< a prediction or a truth that has its partner
  fp,       ///< a prediction without a partner
  fn,       ///< a truth without a partner
  ignored,  ///< counts neither way: a crowd, a prediction matched with one, beyond the limit for its image or below the threshold
};
inline constexpr std::size_t kOutcomes = 4;

std::string_view name_of(Outcome outcome);

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

/// A stored evaluation, by the rows of the columns that it stands in.
struct EvaluationColumns {
  static constexpr std::uint8_t kNoOutcome = 0xFF;

  std::string key;
  std::vector<std::uint8_t> outcome;  ///< one a label: an `Outcome`, or `kNoOutcome` where the evaluation did not look at it
  std::vector<ErrorKind> error;       ///< one a label
  std::vector<double> iou;            ///< one a label: with its partner, or with what the error is about; NaN without either
  std::vector<double> tp;             ///< one a sample: truths that were found; NaN where the evaluation did not look at it
  std::vector<double> fp;             ///< likewise: predictions without a partner
  std::vector<double> fn;             ///< likewise: truths without one
  std::vector<double> f1;             ///< 2 tp / (2 tp + fp + fn); NaN where all three are 0 as well
};

}  // namespace verilabel
