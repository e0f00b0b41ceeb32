#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/operating_point.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

/// Classes of whole images, as they are and as they are proposed: boxes, areas, crowds and masks of the columns are not looked at.
/// Every image has at least one truth.
struct ClassificationInput {
  EvaluatedImages images;
  EvaluatedClasses classes;
  EvaluatedTruths truths;
  EvaluatedPredictions predictions;
};

/// Of one class, where an image counts for the class of its best prediction alone. True positives: images for which that is right.
/// False positives: images for which it is wrong. False negatives: images of the class, proposed as another or not at all; an image
/// with several truths misses all of them then, and none when its best prediction is one of them.
struct ClassificationOfClass {
  Counts counts;
  std::int64_t truths = 0;       ///< images of that class
  std::int64_t predictions = 0;  ///< images for which it is the best prediction
};

struct ClassificationResult {
  static constexpr std::size_t kLargestK = 5;

  std::int64_t images = 0;
  std::int64_t images_without_prediction = 0;          ///< counted as wrong
  std::array<std::int64_t, kLargestK> right_within{};  ///< images with a truth among their best 1, 2, … 5 classes
  std::vector<ClassificationOfClass> per_class;        ///< in the order of `input.classes`
  /// Of the best prediction of each image tp or fp, of other predictions ignored. Of a truth tp when the best prediction of its
  /// image is of its class, fn when the image's best prediction is wrong or there is none, otherwise ignored.
  Outcomes outcomes;

  /// Share of the images with a truth among their `k` best classes, k from 1 to 5; nothing without images.
  std::optional<double> top_k(std::size_t k) const;
  std::optional<double> accuracy() const { return top_k(1); }
};

/// Ranks the classes of each image by their best score, equal scores in the order of the predictions; a class that is proposed
/// twice counts once. Throws `bad_data`, naming the image, for an image without truth or a score that is not finite; `internal` for
/// columns of unequal length or indices out of range.
ClassificationResult evaluate_classification(const ClassificationInput& input);

}  // namespace verilabel
