#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "verilabel/evaluate/input.h"

namespace verilabel {

enum class IouType : std::uint8_t { box, mask };

/// Areas from `least_px` to `greatest_px`, both included.
struct AreaRange {
  double least_px = 0;
  double greatest_px = std::numeric_limits<double>::infinity();

  bool contains(double area_px) const { return area_px >= least_px && area_px <= greatest_px; }
};

struct MatchOptions {
  IouType iou_type = IouType::box;
  /// A prediction may match a truth that it overlaps by at least this much (by 1 − 1e-10 at most).
  std::vector<double> iou_thresholds = {0.5};
  /// A truth outside the range, like a crowd, may be matched but does not count. Thresholds times ranges: 64 at most.
  std::vector<AreaRange> area_ranges = {AreaRange{}};
  std::uint32_t max_detections = 100;         ///< predictions of one class on one image, best scores first
  std::uint32_t max_detections_of_image = 0;  ///< likewise of all classes together; 0 for all
  unsigned threads = 0;                       ///< 0: one for each processor. The result does not depend on it.
};

/// A set of (area range, IoU threshold) pairs: bit `range · number of thresholds + threshold`.
using CellMask = std::uint64_t;

/// A prediction matched with a truth in at least one cell. A prediction may have one partner in one cell and another in the next;
/// a crowd may be the partner of several predictions.
struct Match {
  std::uint32_t prediction = 0;
  std::uint32_t truth = 0;
  std::uint32_t rank = 0;  ///< of the prediction, by score, among those of its class on its image; from 0
  double iou = 0;          ///< of a crowd: intersection over the prediction's area
  CellMask cells = 0;
};

/// The outcome of one matching pass, from which every metric at every score threshold follows. Most predictions overlap no truth of
/// their class and have no entry here.
struct Matching {
  MatchOptions options;
  std::vector<Match> matches;  ///< by image id, then class, then descending score
  /// Predictions by ascending image id, then in the order of their file: ranks equal scores.
  std::vector<std::uint32_t> prediction_order;
  std::vector<std::uint8_t> is_within_limit;     ///< one a prediction: 0 when cut off by one of the limits
  std::vector<CellMask> truth_ignored;           ///< one a truth: cells in which it does not count
  std::vector<std::uint16_t> prediction_ranges;  ///< one a prediction: bit r when its area is within range r

  std::size_t cell(std::size_t range, std::size_t threshold) const { return range * options.iou_thresholds.size() + threshold; }
};

/// Matches greedily as pycocotools 2.0 does (`COCOeval.evaluateImg`): for each image, class, threshold and range, predictions take
/// in turn, by descending score (ties: the order of their file), the counting truth that they overlap most (ties: the later one),
/// failing that the ignored one; each truth once, except crowds. Cutting the predictions off at a score leaves the matches above it
/// unchanged. Time grows with predictions × truths of one class on one image, memory with predictions + truths.
///
/// Throws `bad_data`, naming the image, for a score, box or area that is not finite and for ids that repeat; `wrong_use` for
/// options out of range, and for masks that are wanted and not there; `bad_data`, too, when two masks on one image are of different
/// sizes; `internal` for columns of unequal length or indices out of range.
Matching match(const EvaluationInput& input, const MatchOptions& options);

}  // namespace verilabel
