#include "verilabel/evaluate/input_check.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/overlap.h"

namespace verilabel {
namespace {

template <typename... Columns>
void check_lengths(std::string_view what, std::size_t size, const Columns&... columns) {
  if (((columns.size() != size) || ...)) {
    throw Error(ErrorCode::internal, fmt::format("the columns of the {} to evaluate differ in length; please report this", what));
  }
}

void check_distinct(std::vector<std::int64_t> ids, std::string_view what, std::string_view field) {
  if (!std::is_sorted(ids.begin(), ids.end())) {
    std::sort(ids.begin(), ids.end());
  }
  if (const auto twice = std::adjacent_find(ids.begin(), ids.end()); twice != ids.end()) {
    throw Error(ErrorCode::bad_data, fmt::format("two {} have the same id; give each its own", what),
                {{std::string(field), fmt::to_string(*twice)}});
  }
}

bool is_finite(const Box& box) {
  return std::isfinite(box.x) && std::isfinite(box.y) && std::isfinite(box.w) && std::isfinite(box.h);
}

void check_indices(std::span<const std::uint32_t> indices, std::size_t count, std::string_view what) {
  if (std::any_of(indices.begin(), indices.end(), [&](std::uint32_t index) { return index >= count; })) {
    throw Error(ErrorCode::internal, fmt::format("a label to evaluate has {} that is not listed; please report this", what));
  }
}

Error not_finite(const EvaluationInput& input, std::string_view what, std::uint32_t prediction) {
  return label_error(input, fmt::format("{} is not a finite number; correct it or leave the label out", what),
                     input.predictions.image[prediction],
                     {{"prediction", fmt::to_string(prediction)}, {"score", fmt::to_string(input.predictions.score[prediction])}});
}

}  // namespace

void check_columns(const EvaluationInput& input) {
  const EvaluatedTruths& truths = input.truths;
  const EvaluatedPredictions& predictions = input.predictions;
  check_lengths("truths", truths.size(), truths.category, truths.box_xywh_px, truths.area_px, truths.is_crowd);
  check_lengths("predictions", predictions.size(), predictions.category, predictions.box_xywh_px, predictions.score);
  check_lengths("classes", input.classes.size(), input.classes.name);
  if (!input.images.name.empty()) {
    check_lengths("images", input.images.size(), input.images.name);
  }
  if (!input.images.rank.empty()) {
    check_lengths("images", input.images.size(), input.images.rank);
  }
  if (!predictions.area_px.empty()) {
    check_lengths("predictions", predictions.size(), predictions.area_px);
  }
  if (!truths.mask.empty()) {
    check_lengths("truths", truths.size(), truths.mask);
  }
  if (!predictions.mask.empty()) {
    check_lengths("predictions", predictions.size(), predictions.mask);
  }
  if (!truths.is_unseen.empty()) {
    check_lengths("truths", truths.size(), truths.is_unseen);
  }
  if (!predictions.is_unseen.empty()) {
    check_lengths("predictions", predictions.size(), predictions.is_unseen);
  }
  check_distinct(input.classes.id, "classes", "category_id");
  check_distinct(input.images.id, "images", "image_id");
}

void check_scores(const EvaluationInput& input) {
  const std::vector<double>& score = input.predictions.score;
  check_lengths("predictions", input.predictions.size(), score);
  const auto bad = std::find_if(score.begin(), score.end(), [](double s) { return !std::isfinite(s); });
  if (bad != score.end()) {
    throw not_finite(input, "the score of a prediction", static_cast<std::uint32_t>(bad - score.begin()));
  }
}

void check_labels(const EvaluationInput& input) {
  check_columns(input);
  const EvaluatedTruths& truths = input.truths;
  const EvaluatedPredictions& predictions = input.predictions;
  check_indices(truths.image, input.images.size(), "an image");
  check_indices(predictions.image, input.images.size(), "an image");
  check_indices(truths.category, input.classes.size(), "a class");
  check_indices(predictions.category, input.classes.size(), "a class");
  check_scores(input);
  for (std::uint32_t i = 0; i < truths.size(); ++i) {
    if (!is_finite(truths.box_xywh_px[i]) || !std::isfinite(truths.area_px[i])) {
      throw label_error(input, "the box or the area of a truth is not a finite number; correct it or leave the label out",
                        truths.image[i], {{"truth", fmt::to_string(i)}});
    }
  }
  for (std::uint32_t i = 0; i < predictions.size(); ++i) {
    if (!is_finite(predictions.box_xywh_px[i]) || (!predictions.area_px.empty() && !std::isfinite(predictions.area_px[i]))) {
      throw not_finite(input, "the box or the area of a prediction", i);
    }
  }
}

void check_outcomes(const EvaluationInput& input, const Outcomes& outcomes) {
  if (outcomes.predictions.size() != input.predictions.size() || outcomes.truths.size() != input.truths.size()) {
    throw Error(ErrorCode::wrong_use, "these outcomes are of other truths and predictions");
  }
}

void check_masks(const EvaluationInput& input) {
  const EvaluatedTruths& truths = input.truths;
  const EvaluatedPredictions& predictions = input.predictions;
  if (truths.mask.size() != truths.size() || predictions.mask.size() != predictions.size()) {
    throw Error(ErrorCode::wrong_use, "masks are to be compared, but not every truth and every prediction has one; compare boxes");
  }
  struct Size {
    std::uint32_t height;
    std::uint32_t width;
  };
  std::vector<std::optional<Size>> sizes(input.images.size());
  const auto check = [&](std::uint32_t image, const RleColumn& masks, std::size_t row, const char* what) {
    const std::uint32_t height = masks.height(row);
    const std::uint32_t width = masks.width(row);
    std::optional<Size>& size = sizes.at(image);
    if (!size) {
      size = {height, width};
    } else if (height != size->height || width != size->width) {
      throw label_error(input,
                        fmt::format("of two masks on one image one is {} × {} pixels and the other {} × {}; bring both to the size "
                                    "of the image",
                                    size->width, size->height, width, height),
                        image, {{what, fmt::to_string(row)}});
    }
  };
  for (std::size_t i = 0; i < truths.size(); ++i) {
    check(truths.image[i], truths.mask, i, "truth");
  }
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    check(predictions.image[i], predictions.mask, i, "prediction");
  }
}

}  // namespace verilabel
