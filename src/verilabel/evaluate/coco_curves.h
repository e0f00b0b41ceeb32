#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"

// From a matching pass to precision at the points of recall, class by class: what the protocols that follow COCO share. Private to
// the module.
namespace verilabel {

inline constexpr std::size_t kCocoThresholds = 10;
inline constexpr std::size_t kCocoRanges = 4;
inline constexpr std::size_t kRecallPoints = 101;

/// start + i · step as `numpy.linspace` computes it, its last value exact.
double linspace(double start, double stop, std::size_t count, std::size_t i);

/// What one class contributes. `precision` and `recall` are by range and threshold.
struct ClassCurves {
  std::array<std::int64_t, kCocoRanges> truths{};  ///< those that count
  std::array<std::array<std::array<double, kRecallPoints>, kCocoThresholds>, kCocoRanges> precision{};
  std::array<std::array<double, kCocoThresholds>, kCocoRanges> recall{};
  std::array<double, kCocoThresholds> recall_1{};  ///< of range "all", from the best detection of each image
  std::array<double, kCocoThresholds> recall_10{};
};

/// One a class, in the order of `input.classes`. `matching` comes from `input`, its first ten thresholds and its four ranges being
/// those of `coco_match_options`; throws `wrong_use` otherwise.
std::vector<ClassCurves> class_curves(const EvaluationInput& input, const Matching& matching);

/// The curves in ascending order of the classes' ids, which is the order that means are summed in.
std::vector<const ClassCurves*> by_class_id(const EvaluationInput& input, const std::vector<ClassCurves>& curves);

/// Mean precision over the thresholds [first, last), the recall points and those of `classes` with truth in the range, summed in
/// pycocotools' order.
std::optional<double> mean_precision(std::span<const ClassCurves* const> classes, std::size_t range, std::size_t first,
                                     std::size_t last);

/// Mean of the recalls that `recall_of` gives, by threshold, of those of `classes` with truth in the range; summed likewise.
std::optional<double> mean_recall(std::span<const ClassCurves* const> classes, std::size_t range,
                                  const std::array<double, kCocoThresholds>& (*recall_of)(const ClassCurves&, std::size_t range));

}  // namespace verilabel
