#include "verilabel/workflow/evaluate_files.h"

#include <future>
#include <string>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/coco_detections.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {
namespace {

using IndexOfId = std::unordered_map<std::int64_t, std::uint32_t>;

/// The grid that the masks of each image are compared on.
Rle mask_on_image(const Mask& mask, const CocoImage& image) {
  if (const auto* rle = std::get_if<Rle>(&mask.shape)) {
    return *rle;
  }
  if (std::get<std::vector<Polygon>>(mask.shape).empty()) {
    throw Error(ErrorCode::bad_data, "comparing masks needs a segmentation on every annotation",
                {{"image_id", std::to_string(image.id)}});
  }
  if (image.width <= 0 || image.height <= 0) {
    throw Error(ErrorCode::bad_data, "comparing polygons needs the width and height of the image",
                {{"image_id", std::to_string(image.id)}});
  }
  return rasterised(mask, static_cast<std::uint32_t>(image.height), static_cast<std::uint32_t>(image.width));
}

EvaluationInput input_from(const CocoTruth& truth, IndexOfId& image_index, IndexOfId& class_index, bool with_masks) {
  EvaluationInput input;
  for (const CocoImage& image : truth.images) {
    image_index.emplace(image.id, static_cast<std::uint32_t>(input.images.id.size()));
    input.images.id.push_back(image.id);
  }
  for (const CocoCategory& category : truth.categories) {
    class_index.emplace(category.id, static_cast<std::uint32_t>(input.classes.id.size()));
    input.classes.id.push_back(category.id);
    input.classes.name.push_back(category.name);
  }
  const CocoDetections& rows = truth.detections;
  EvaluatedTruths& truths = input.truths;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    truths.image.push_back(image_index.at(rows.image_id[i]));
    truths.category.push_back(class_index.at(rows.category_id[i]));
  }
  truths.box_xywh_px = rows.box_xywh_px;
  truths.area_px = rows.area_px;
  truths.is_crowd = rows.is_crowd;
  for (std::size_t i = 0; with_masks && i < rows.size(); ++i) {
    truths.mask.push_back(mask_on_image(rows.mask[i], truth.images[truths.image[i]]));
  }
  return input;
}

/// Adds the results whose image and class the truth lists, and counts the others.
void add_results(const CocoDetections& rows, const CocoTruth& truth, const IndexOfId& image_index, const IndexOfId& class_index,
                 bool with_masks, SetEvaluation& result, EvaluationInput& input) {
  EvaluatedPredictions& predictions = input.predictions;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto image = image_index.find(rows.image_id[i]);
    const auto category = class_index.find(rows.category_id[i]);
    if (image == image_index.end() || category == class_index.end()) {
      ++(image == image_index.end() ? result.predictions_of_unknown_images : result.predictions_of_unknown_classes);
      continue;
    }
    predictions.image.push_back(image->second);
    predictions.category.push_back(category->second);
    predictions.box_xywh_px.push_back(rows.box_xywh_px[i]);
    predictions.score.push_back(rows.score[i]);
    if (with_masks) {
      predictions.area_px.push_back(rows.area_px[i]);
      predictions.mask.push_back(mask_on_image(rows.mask[i], truth.images[image->second]));
    }
  }
}

}  // namespace

SetEvaluation evaluate_files(const EvaluateSetsOptions& options) {
  const bool with_masks = options.iou_type == IouType::mask;
  const CocoMasks masks = with_masks ? CocoMasks::read : CocoMasks::skip;
  // The two files are read side by side: reading is most of the time that an evaluation of files takes.
  auto reading = std::async(std::launch::async, [&] {
    if (!is_coco_results_list(options.predictions)) {
      throw Error(ErrorCode::bad_data,
                  "predictions from a file are a COCO results list: [{\"image_id\", \"category_id\", \"bbox\", \"score\"}, …]; "
                  "import a whole dataset into a project to judge it",
                  {{"file", options.predictions}});
    }
    return read_coco_results(options.predictions, masks);
  });
  const CocoTruth truth = read_coco_truth(options.truth, masks);
  const CocoDetections results = reading.get();

  SetEvaluation result;
  IndexOfId image_index;
  IndexOfId class_index;
  EvaluationInput input = input_from(truth, image_index, class_index, with_masks);
  add_results(results, truth, image_index, class_index, with_masks, result, input);
  result.class_names = input.classes.name;
  result.coverage.samples = static_cast<std::int64_t>(input.images.size());
  result.coverage.truths = static_cast<std::int64_t>(input.truths.size());
  result.coverage.predictions = static_cast<std::int64_t>(input.predictions.size());
  result.evaluation = evaluate(input, {options.iou_type, options.iou, options.threshold});
  return result;
}

}  // namespace verilabel
