#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"

namespace verilabel {

/// How often a class occurs in the training set, as LVIS groups its classes.
enum class ClassFrequency : std::uint8_t { rare, common, frequent };
/// "r", "c" or "f"; nothing for anything else.
std::optional<ClassFrequency> class_frequency_from(std::string_view letter);

/// What a federated data set knows beside its truths: an image was looked through for some classes only.
struct Federation {
  std::vector<std::vector<std::uint32_t>> absent;          ///< one list an image: classes that were looked for and are not there
  std::vector<std::vector<std::uint32_t>> not_exhaustive;  ///< likewise: classes of which some truths may be missing
  std::vector<ClassFrequency> frequency;                   ///< one a class
};

/// The thirteen numbers of LVIS; nothing where no class of the group has a truth in the area range.
struct LvisMetrics {
  std::optional<double> ap;
  std::optional<double> ap_50;
  std::optional<double> ap_75;
  std::optional<double> ap_small;
  std::optional<double> ap_medium;
  std::optional<double> ap_large;
  std::optional<double> ap_rare;
  std::optional<double> ap_common;
  std::optional<double> ap_frequent;
  std::optional<double> ar;
  std::optional<double> ar_small;
  std::optional<double> ar_medium;
  std::optional<double> ar_large;

  /// Name as in lvis-api (`AP`, `AP50`, … `APr`, `AR@300`, …) and value, in the order above.
  std::array<std::pair<std::string_view, std::optional<double>>, 13> named() const;
};

struct LvisOptions {
  IouType iou_type = IouType::box;
  std::uint32_t max_detections = 300;  ///< best predictions of an image, of all classes together
  unsigned threads = 0;                ///< 0: one for each processor. The result does not depend on it.
};

struct LvisResult {
  LvisMetrics metrics;
  std::vector<std::optional<double>> ap_per_class;
  std::int64_t truths_without_area = 0;         ///< an area of 0 or less: left out
  std::int64_t predictions_beyond_limit = 0;    ///< past the best 300 of their image: left out
  std::int64_t predictions_without_area = 0;    ///< of the others likewise: left out
  std::int64_t predictions_not_looked_for = 0;  ///< of classes that their image was not looked through for: left out
};

/// Whether lvis-api takes notice of a truth or a prediction of this area: its range of areas begins above 0.
inline bool lvis_looks_at(double area_px) {
  return area_px > 0;
}

/// LVIS average precision (Gupta et al., "LVIS: A Dataset for Large Vocabulary Instance Segmentation", CVPR 2019), the same doubles
/// as lvis-api 0.5: predictions of classes that are neither among an image's truths nor known to be absent are left out, and one
/// without a partner does not count where its class is not exhaustively labelled. Truths and predictions without an area are left
/// out too: the truth says nothing of what its image was looked through for. No truth is a crowd. Throws as `match` does, and
/// `wrong_use` for lists that do not fit the images and classes.
LvisResult lvis_metrics(const EvaluationInput& input, const Federation& federation, const LvisOptions& options);

}  // namespace verilabel
