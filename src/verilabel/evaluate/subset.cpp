#include "verilabel/evaluate/subset.h"

#include <limits>
#include <vector>

#include "verilabel/evaluate/outcome.h"

namespace verilabel {
namespace {

constexpr double kBeyondAllRanges = std::numeric_limits<double>::max();

/// Elements of the wanted rows; nothing from a column that is not filled.
template <typename T>
std::vector<T> rows_of(const std::vector<T>& column, std::span<const std::uint32_t> rows) {
  std::vector<T> picked;
  if (!column.empty()) {
    picked.reserve(rows.size());
    for (const std::uint32_t row : rows) {
      picked.push_back(column[row]);
    }
  }
  return picked;
}

RleColumn rows_of(const RleColumn& column, std::span<const std::uint32_t> rows) {
  return column.empty() ? RleColumn() : column.rows(rows);
}

/// Rows whose image is wanted; `image` becomes the new index of each.
std::vector<std::uint32_t> rows_on(const std::vector<std::uint32_t>& image_of_row, std::span<const std::uint32_t> new_image,
                                   std::vector<std::uint32_t>& image) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < image_of_row.size(); ++row) {
    if (new_image[image_of_row[row]] != kNoPartner) {
      rows.push_back(row);
      image.push_back(new_image[image_of_row[row]]);
    }
  }
  return rows;
}

}  // namespace

EvaluationInput images_of(const EvaluationInput& input, std::span<const std::uint8_t> is_image_wanted) {
  EvaluationInput part;
  part.classes = input.classes;
  std::vector<std::uint32_t> new_image(input.images.size(), kNoPartner);
  std::vector<std::uint32_t> images;
  for (std::uint32_t image = 0; image < input.images.size(); ++image) {
    if (is_image_wanted[image] != 0) {
      new_image[image] = static_cast<std::uint32_t>(images.size());
      images.push_back(image);
    }
  }
  part.images.id = rows_of(input.images.id, images);
  part.images.rank = rows_of(input.images.rank, images);
  part.images.name = rows_of(input.images.name, images);
  const std::vector<std::uint32_t> truths = rows_on(input.truths.image, new_image, part.truths.image);
  part.truths.category = rows_of(input.truths.category, truths);
  part.truths.box_xywh_px = rows_of(input.truths.box_xywh_px, truths);
  part.truths.area_px = rows_of(input.truths.area_px, truths);
  part.truths.is_crowd = rows_of(input.truths.is_crowd, truths);
  part.truths.is_unseen = rows_of(input.truths.is_unseen, truths);
  part.truths.mask = rows_of(input.truths.mask, truths);
  const std::vector<std::uint32_t> predictions = rows_on(input.predictions.image, new_image, part.predictions.image);
  part.predictions.category = rows_of(input.predictions.category, predictions);
  part.predictions.box_xywh_px = rows_of(input.predictions.box_xywh_px, predictions);
  part.predictions.score = rows_of(input.predictions.score, predictions);
  part.predictions.area_px = rows_of(input.predictions.area_px, predictions);
  part.predictions.is_unseen = rows_of(input.predictions.is_unseen, predictions);
  part.predictions.mask = rows_of(input.predictions.mask, predictions);
  return part;
}

EvaluationInput labels_of(EvaluationInput input, std::span<const std::uint8_t> is_truth_wanted,
                          std::span<const std::uint8_t> is_prediction_wanted) {
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    if (is_truth_wanted[i] == 0) {
      input.truths.area_px[i] = kBeyondAllRanges;
    }
  }
  EvaluatedPredictions& predictions = input.predictions;
  if (predictions.area_px.empty()) {
    predictions.area_px.reserve(predictions.size());
    for (const Box& box : predictions.box_xywh_px) {
      predictions.area_px.push_back(area(box));
    }
  }
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    if (is_prediction_wanted[i] == 0) {
      predictions.area_px[i] = kBeyondAllRanges;
    }
  }
  return input;
}

ClassificationOutcomes labels_of(ClassificationOutcomes outcomes, std::span<const std::uint8_t> is_truth_wanted,
                                 std::span<const std::uint8_t> is_prediction_wanted) {
  for (Outcomes* const all : {&outcomes.calls, &outcomes.one_against_all}) {
    for (std::size_t i = 0; i < all->predictions.size(); ++i) {
      LabelOutcome& prediction = all->predictions[i];
      const bool counts =
          prediction.outcome == Outcome::tp ? is_truth_wanted[prediction.partner] != 0 : is_prediction_wanted[i] != 0;
      if (!counts) {
        prediction = {};
      }
    }
    for (std::size_t i = 0; i < all->truths.size(); ++i) {
      if (is_truth_wanted[i] == 0) {
        all->truths[i] = {};
      }
    }
  }
  return outcomes;
}

}  // namespace verilabel
