#include "verilabel/evaluate/classification.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

std::string name_of(const EvaluatedImages& images, std::size_t image) {
  return images.name.empty() ? std::to_string(images.id[image]) : images.name[image];
}

/// Labels by image: those of image i are `labels[begin[i]]` to `labels[begin[i + 1]]`, in their order.
struct ByImage {
  std::vector<std::size_t> begin;
  std::vector<std::uint32_t> labels;

  std::span<const std::uint32_t> of(std::size_t image) const {
    return std::span(labels).subspan(begin[image], begin[image + 1] - begin[image]);
  }
};

ByImage by_image(const std::vector<std::uint32_t>& image_of, const std::vector<std::uint32_t>& category_of,
                 const ClassificationInput& input) {
  if (image_of.size() != category_of.size()) {
    throw Error(ErrorCode::internal, "columns of labels are of unequal length");
  }
  ByImage sorted;
  sorted.begin.assign(input.images.size() + 1, 0);
  for (std::size_t i = 0; i < image_of.size(); ++i) {
    if (image_of[i] >= input.images.size() || category_of[i] >= input.classes.size()) {
      throw Error(ErrorCode::internal, "a label is of an image or a class that is not listed");
    }
    ++sorted.begin[image_of[i] + 1];
  }
  for (std::size_t image = 0; image < input.images.size(); ++image) {
    sorted.begin[image + 1] += sorted.begin[image];
  }
  std::vector<std::size_t> next(sorted.begin.begin(), sorted.begin.end() - 1);
  sorted.labels.resize(image_of.size());
  for (std::uint32_t i = 0; i < image_of.size(); ++i) {
    sorted.labels[next[image_of[i]]++] = i;
  }
  return sorted;
}

/// The best predictions of an image, each of another class.
std::vector<std::uint32_t> best_of(std::span<const std::uint32_t> labels, const EvaluatedPredictions& predictions) {
  std::vector<std::uint32_t> order(labels.begin(), labels.end());
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::uint32_t i) { return predictions.score[i]; });
  std::vector<std::uint32_t> best;
  for (const std::uint32_t i : order) {
    const auto is_same = [&](std::uint32_t other) { return predictions.category[other] == predictions.category[i]; };
    if (best.size() < ClassificationResult::kLargestK && std::ranges::none_of(best, is_same)) {
      best.push_back(i);
    }
  }
  return best;
}

}  // namespace

std::optional<double> ClassificationResult::top_k(std::size_t k) const {
  return images == 0 ? std::nullopt : std::optional(static_cast<double>(right_within.at(k - 1)) / static_cast<double>(images));
}

ClassificationResult evaluate_classification(const ClassificationInput& input) {
  const EvaluatedTruths& truths = input.truths;
  const EvaluatedPredictions& predictions = input.predictions;
  if (predictions.score.size() != predictions.size()) {
    throw Error(ErrorCode::internal, "columns of labels are of unequal length");
  }
  const ByImage truths_by_image = by_image(truths.image, truths.category, input);
  const ByImage predictions_by_image = by_image(predictions.image, predictions.category, input);
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    if (!std::isfinite(predictions.score[i])) {
      throw Error(ErrorCode::bad_data, "a prediction's score is not a finite number",
                  {{"image", name_of(input.images, predictions.image[i])}});
    }
  }

  ClassificationResult result;
  result.images = static_cast<std::int64_t>(input.images.size());
  result.per_class.resize(input.classes.size());
  result.outcomes.predictions.resize(predictions.size());
  result.outcomes.truths.resize(truths.size());
  for (std::size_t image = 0; image < input.images.size(); ++image) {
    const std::span<const std::uint32_t> of_image = truths_by_image.of(image);
    if (of_image.empty()) {
      throw Error(ErrorCode::bad_data, "an image has no class", {{"image", name_of(input.images, image)}});
    }
    const auto truth_of = [&](std::uint32_t category) {
      return std::ranges::find(of_image, category, [&](std::uint32_t i) { return truths.category[i]; });
    };
    const std::vector<std::uint32_t> best = best_of(predictions_by_image.of(image), predictions);
    for (std::size_t k = 0; k < best.size(); ++k) {
      if (truth_of(predictions.category[best[k]]) != of_image.end()) {
        for (std::size_t larger = k; larger < result.right_within.size(); ++larger) {
          ++result.right_within[larger];
        }
        break;
      }
    }
    for (std::size_t i = 0; i < of_image.size(); ++i) {
      // A class that is stated twice is one truth.
      if (truth_of(truths.category[of_image[i]]) == of_image.begin() + static_cast<std::ptrdiff_t>(i)) {
        ++result.per_class[truths.category[of_image[i]]].truths;
      }
    }
    const auto right = best.empty() ? of_image.end() : truth_of(predictions.category[best.front()]);
    if (best.empty()) {
      ++result.images_without_prediction;
    } else {
      ClassificationOfClass& of_class = result.per_class[predictions.category[best.front()]];
      ++of_class.predictions;
      LabelOutcome& outcome = result.outcomes.predictions[best.front()];
      if (right == of_image.end()) {
        ++of_class.counts.false_positives;
        outcome.outcome = Outcome::fp;
      } else {
        ++of_class.counts.true_positives;
        outcome = {Outcome::tp, *right, 0};
        result.outcomes.truths[*right] = {Outcome::tp, best.front(), 0};
      }
    }
    if (right == of_image.end()) {
      for (std::size_t i = 0; i < of_image.size(); ++i) {
        const std::uint32_t category = truths.category[of_image[i]];
        result.outcomes.truths[of_image[i]].outcome = Outcome::fn;
        if (truth_of(category) == of_image.begin() + static_cast<std::ptrdiff_t>(i)) {
          ++result.per_class[category].counts.false_negatives;
        }
      }
    }
  }
  return result;
}

}  // namespace verilabel
