#include "verilabel/evaluate/classification_details.h"

#include "verilabel/evaluate/image_groups.h"

namespace verilabel {
namespace {

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
                                             bool is_multi_label) {
  const Outcomes& calls = result.of_every_score.calls;
  ClassificationDetails details;
  details.confusion = confusion_of(input, result.outcomes, is_multi_label);
  details.curves = score_curves(input, calls);
  details.calibration = calibration(input, calls);
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    if (calls.predictions[i].outcome != Outcome::ignored) {
      details.scores.add(input.predictions.score[i], calls.predictions[i].outcome == Outcome::tp);
    }
  }
  return details;
}

}  // namespace verilabel
