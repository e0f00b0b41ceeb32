#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verilabel/evaluate/input.h"

namespace verilabel {

/// What Open Images knows beside its boxes. A list that is left empty as a whole stands for one empty list each.
struct OpenImagesContext {
  std::vector<std::vector<std::uint32_t>> parents = {};  ///< one list a class: the classes directly above it
  std::vector<std::vector<std::uint32_t>> present = {};  ///< one list an image: classes that a person has seen in it
  std::vector<std::vector<std::uint32_t>> absent = {};   ///< likewise: classes that a person has looked for in vain
};

struct OpenImagesOptions {
  double iou = 0.5;  ///< least overlap; with a group: least part of the prediction that lies in it; in (0, 1]
  /// A prediction counts for the classes above its own as well, at the same score. The challenge's evaluator takes predictions as
  /// they come and leaves that to whoever hands them in.
  bool expands_predictions = false;
  std::uint32_t max_detections = 10'000;  ///< predictions of one class on one image, best scores first
  unsigned threads = 0;                   ///< 0: one for each processor. The result does not depend on it.
};

struct OpenImagesClass {
  std::optional<double> ap;  ///< nothing without a truth
  std::int64_t truths = 0;   ///< groups included, each as one
  std::int64_t true_positives = 0;
  std::int64_t false_positives = 0;
};

/// Every prediction, and every one that the hierarchy adds, is right, wrong or in one of the four last counts.
struct OpenImagesResult {
  std::optional<double> map;               ///< mean over the classes that have one
  std::vector<OpenImagesClass> per_class;  ///< in the order of `input.classes`
  std::int64_t truths_added = 0;           ///< by the hierarchy
  std::int64_t predictions_added = 0;
  std::int64_t predictions_not_verified = 0;  ///< of a class that nobody has looked for in their image: left out
  std::int64_t predictions_without_area = 0;  ///< left out
  std::int64_t predictions_beyond_limit = 0;  ///< past the best of their class on their image: left out
  std::int64_t predictions_in_group = 0;      ///< in a group that a better one has found, or at a score not above 0: left out
};

/// Average precision of the Open Images detection challenge, as `OpenImagesDetectionChallengeEvaluator` of the TensorFlow Object
/// Detection API computes it (weight of groups 1), after the challenge's expansion of its annotations. `is_crowd` marks groups.
/// - A truth is one of every class above its own, too; so is a class that is present, and one that is absent takes those below it
///   along. A prediction counts only where its class has a truth or is present or absent.
/// - Of each class on each image, predictions in descending order of score look at the truth that is no group and that they overlap
///   most (ties: the first). With at least `iou`, and if it is free, they are right and take it.
/// - Those that are not right look at the group that the greatest part of them lies in, likewise. A group that holds at least one
///   is found by the best of them, once, if its score is above 0; the others in it count neither way. What is left is wrong.
/// - The area is that under the falling envelope, as in VOC; equal scores rank by image id, then in the order of their file.
///
/// A class that hangs under another by several ways is added to it once. Boxes only.
///
/// Throws `wrong_use` for options out of range and lists that do not fit the images and classes; `bad_data` for a hierarchy that
/// goes round in a circle, naming a class, and, naming the sample, for a score, box or area that is not finite; `internal` for
/// columns of unequal length or indices out of range.
OpenImagesResult open_images_metrics(const EvaluationInput& input, const OpenImagesContext& context,
                                     const OpenImagesOptions& options);

}  // namespace verilabel
