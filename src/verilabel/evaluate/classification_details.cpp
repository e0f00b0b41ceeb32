#include "verilabel/evaluate/classification_details.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "verilabel/evaluate/image_groups.h"

namespace verilabel {
namespace {

/// A class that is stated twice of an image is missed once.
Outcomes without_repetitions(const ClassificationInput& input, Outcomes outcomes) {
  const ImageGroups truths(input.truths.image, input.images.size());
  for (std::size_t image = 0; image < truths.size(); ++image) {
    const std::span<const std::uint32_t> of_image = truths.of(image);
    for (std::size_t i = 1; i < of_image.size(); ++i) {
      const auto is_same = [&](std::uint32_t other) { return input.truths.category[other] == input.truths.category[of_image[i]]; };
      if (std::ranges::any_of(of_image.first(i), is_same)) {
        outcomes.truths[of_image[i]] = {};
      }
    }
  }
  return outcomes;
}

ConfusionMatrix confusion_of(const ClassificationInput& input, const Outcomes& outcomes, bool is_multi_label) {
  ConfusionMatrix matrix(input.classes.size());
  const ImageGroups truths(input.truths.image, input.images.size());
  const ImageGroups predictions(input.predictions.image, input.images.size());
  for (std::size_t image = 0; image < input.images.size(); ++image) {
    std::size_t called = matrix.background();
    for (const std::uint32_t i : predictions.of(image)) {
      const std::uint32_t category = input.predictions.category[i];
      if (outcomes.predictions[i].outcome == Outcome::tp) {
        matrix.add(category, category);
      } else if (outcomes.predictions[i].outcome == Outcome::fp && is_multi_label) {
        matrix.add(matrix.background(), category);
      } else if (outcomes.predictions[i].outcome == Outcome::fp) {
        called = category;
      }
    }
    for (const std::uint32_t i : truths.of(image)) {
      if (outcomes.truths[i].outcome == Outcome::fn) {
        matrix.add(input.truths.category[i], called);
      }
    }
  }
  return matrix;
}

}  // namespace

ClassificationDetails classification_details(const ClassificationInput& input, const ClassificationResult& result,
                                             const ClassificationOptions& options) {
  ClassificationDetails details;
  const Outcomes called = without_repetitions(input, result.outcomes);
  details.confusion = confusion_of(input, called, options.is_multi_label);
  ClassificationOptions every_score = options;
  every_score.threshold = -std::numeric_limits<double>::infinity();
  const Outcomes all =
      options.is_multi_label ? without_repetitions(input, evaluate_classification(input, every_score).outcomes) : called;
  details.curves = score_curves(input, all);
  details.calibration = calibration(input, all);
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    if (all.predictions[i].outcome != Outcome::ignored) {
      details.scores.add(input.predictions.score[i], all.predictions[i].outcome == Outcome::tp);
    }
  }
  return details;
}

}  // namespace verilabel
