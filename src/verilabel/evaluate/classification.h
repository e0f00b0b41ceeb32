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

/// Classes of whole images, as they are and as they are proposed: boxes, areas, crowds and masks of the columns are not looked at
/// and may be empty.
using ClassificationInput = EvaluationInput;

struct ClassificationOptions {
  /// Not set: an image is called by its best prediction alone, and has at least one truth. Set: by every class with a prediction,
  /// and may have any number of truths.
  bool is_multi_label = false;
  /// Lowest score by which an image is called; one whose predictions are all below is called nothing. By default every score
  /// counts, and, where an image may be of several classes, those from the threshold of greatest F1 on.
  std::optional<double> threshold = std::nullopt;
};

/// Of one class. True positives: images that are rightly called so. False positives: images that are wrongly called so. False
/// negatives: images of the class that are called otherwise or not at all. Where each image is called by one class, an image of
/// several classes of which its best prediction is one counts as one of that class alone, whatever the threshold.
struct ClassificationOfClass {
  Counts counts;                 ///< at the threshold
  OperatingPoint best_f1;        ///< at the threshold that suits this class best
  std::int64_t truths = 0;       ///< images of that class
  std::int64_t predictions = 0;  ///< images that are called so, at the threshold
  /// The class against all others, by the scores of its predictions. An image that has none for the class, because none was stored
  /// below the floor, ranks after all that have one, and level with all others that have none: as if its score were any number
  /// below the lowest stored. `roc_auc` is nothing where every image is of the class or none is, `average_precision` where none is.
  std::optional<double> roc_auc;
  std::optional<double> average_precision;  ///< sum of precision × gain of recall over the distinct scores, not interpolated
};

/// What is right and wrong over predictions of every score. A truth that repeats another is ignored, and so is a prediction where
/// another of its class on its image is better.
struct ClassificationOutcomes {
  /// What images are called: predictions that an image is not called by, at any threshold, are ignored, and so are truths as under
  /// `ClassificationOfClass`. Curves, thresholds and images drawn anew are counted from these.
  Outcomes calls;
  Outcomes one_against_all;  ///< every pair of image and class is one question: of that are the areas under curves
};

/// One way of making a figure of all classes out of those of each.
struct ClassificationAverage {
  std::optional<double> precision;
  std::optional<double> recall;
  std::optional<double> f1;
  std::optional<double> roc_auc;
  std::optional<double> average_precision;
};

/// How each image fares: one row an image.
struct ClassifiedImages {
  std::vector<std::uint8_t>
      right_place;  ///< place, from 1, of its best right class, of every score; 0 where it is not among the best 5
  std::vector<std::uint8_t> is_exact;  ///< flags: called by all of its truths and nothing else, at the threshold
};

struct ClassificationResult {
  static constexpr std::size_t kLargestK = 5;

  std::int64_t images = 0;
  std::int64_t images_without_prediction = 0;  ///< that are called nothing, at the threshold
  std::int64_t images_exactly_right = 0;       ///< that are called by all of their truths and nothing else, likewise
  std::int64_t truths_repeated = 0;            ///< of a class that the image has already: they count once
  std::int64_t predictions_repeated = 0;       ///< of a class that the image has with a better score: they do not count
  std::int64_t predictions_not_best = 0;  ///< that no threshold calls their image by: in top-k and areas only; one class an image
  std::array<std::int64_t, kLargestK> right_within{};  ///< images with a truth among their best 1, 2, … 5 classes, of every score
  OperatingPoint at_threshold;                         ///< counts summed over the classes, at the threshold asked for or by default
  OperatingPoint best_f1;                              ///< likewise, at the one of greatest F1; see `best_f1_points`
  std::vector<ClassificationOfClass> per_class;        ///< in the order of `input.classes`
  ClassificationAverage micro;     ///< every pair of image and class is one question; missing scores rank after those of any class
  ClassificationAverage macro;     ///< mean over the classes for which there is a figure
  ClassificationAverage weighted;  ///< likewise, each class weighing as much as it has truths; nothing where all weigh nothing
  ClassificationOutcomes of_every_score;
  Outcomes outcomes;  ///< `of_every_score.calls` at the threshold: what is below it is ignored, and a truth called by it fn
  ClassifiedImages of_images;

  /// Share of the images with a truth among their `k` best classes, k from 1 to 5; nothing without images. Classes without a stored
  /// prediction are never among the best.
  std::optional<double> top_k(std::size_t k) const;
  std::optional<double> accuracy() const { return top_k(1); }
  std::optional<double> exact_match() const;
};

/// Ranks the classes of each image by their best score, equal scores in the order of the predictions; a class that is proposed
/// twice counts once. The figures are those of scikit-learn 1.7 (`precision_recall_fscore_support` with undefined ones left out,
/// `roc_auc_score`, `average_precision_score`, `top_k_accuracy_score`, `accuracy_score`). Throws `bad_data`, naming the image, for
/// a score that is not finite and, unless `is_multi_label`, an image without truth; `wrong_use` for a threshold that is no number;
/// `internal` for columns of unequal length or indices out of range.
ClassificationResult evaluate_classification(const ClassificationInput& input, const ClassificationOptions& options = {});

}  // namespace verilabel
