#include "verilabel/workflow/evaluate_files.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <string>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/formats/coco_detections.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {
namespace {

/// From an id to its place; a table where ids are not far larger than their number, which in files they mostly are not.
class IndexOfId {
 public:
  static constexpr std::uint32_t kUnknown = UINT32_MAX;

  explicit IndexOfId(const std::vector<std::int64_t>& ids) {
    const std::int64_t greatest = ids.empty() ? 0 : std::ranges::max(ids);
    if (!ids.empty() && std::ranges::min(ids) >= 0 && greatest < static_cast<std::int64_t>(kMostRoom * (ids.size() + kMostRoom))) {
      table_.assign(static_cast<std::size_t>(greatest) + 1, kUnknown);
    }
    for (std::uint32_t i = 0; i < ids.size(); ++i) {
      if (table_.empty()) {
        map_.emplace(ids[i], i);
      } else {
        table_[static_cast<std::size_t>(ids[i])] = i;
      }
    }
  }

  std::uint32_t find(std::int64_t id) const {
    if (!table_.empty()) {
      return id >= 0 && static_cast<std::size_t>(id) < table_.size() ? table_[static_cast<std::size_t>(id)] : kUnknown;
    }
    const auto at = map_.find(id);
    return at == map_.end() ? kUnknown : at->second;
  }

 private:
  static constexpr std::size_t kMostRoom = 200;  ///< times the number of ids: COCO's image ids are 581,929 at most for 5,000

  std::vector<std::uint32_t> table_;
  std::unordered_map<std::int64_t, std::uint32_t> map_;
};

/// The grid that the masks of each image are compared on.
Rle mask_on_image(Mask&& mask, const CocoImage& image) {
  if (auto* const rle = std::get_if<Rle>(&mask.shape)) {
    return std::move(*rle);
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

/// `images` names the image of each mask.
std::vector<Rle> masks_on_images(std::vector<Mask>&& masks, const CocoTruth& truth, const std::vector<std::uint32_t>& images) {
  constexpr std::size_t kMasksOfABlock = 512;
  std::vector<Rle> on_images(masks.size());
  const std::vector<std::size_t> ends = range_ends(masks.size(), kMasksOfABlock);
  for_each_in_parallel(ends.size(), 0, [&](std::size_t block) {
    for (std::size_t i = block == 0 ? 0 : ends[block - 1]; i < ends[block]; ++i) {
      on_images[i] = mask_on_image(std::move(masks[i]), truth.images[images[i]]);
    }
  });
  return on_images;
}

std::vector<std::uint32_t> indices_of(const std::vector<std::int64_t>& ids, const IndexOfId& index) {
  std::vector<std::uint32_t> indices;
  indices.reserve(ids.size());
  for (const std::int64_t id : ids) {
    indices.push_back(index.find(id));
  }
  return indices;
}

EvaluatedTruths truths_from(CocoDetections&& rows, const CocoTruth& truth, const IndexOfId& image_index,
                            const IndexOfId& class_index, bool with_masks) {
  EvaluatedTruths truths;
  truths.image = indices_of(rows.image_id, image_index);
  truths.category = indices_of(rows.category_id, class_index);
  if (with_masks) {
    truths.mask = masks_on_images(std::move(rows.mask), truth, truths.image);
  }
  truths.box_xywh_px = std::move(rows.box_xywh_px);
  truths.area_px = std::move(rows.area_px);
  truths.is_crowd = std::move(rows.is_crowd);
  return truths;
}

/// Leaves out the rows whose image or class the truth does not list, and counts them.
void drop_unknown(CocoDetections& rows, const IndexOfId& image_index, const IndexOfId& class_index, SetEvaluation& result) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool has_image = image_index.find(rows.image_id[i]) != IndexOfId::kUnknown;
    const bool has_class = class_index.find(rows.category_id[i]) != IndexOfId::kUnknown;
    if (!has_image || !has_class) {
      ++(has_image ? result.predictions_of_unknown_classes : result.predictions_of_unknown_images);
      continue;
    }
    if (kept != i) {
      rows.image_id[kept] = rows.image_id[i];
      rows.category_id[kept] = rows.category_id[i];
      rows.box_xywh_px[kept] = rows.box_xywh_px[i];
      rows.score[kept] = rows.score[i];
      if (!rows.mask.empty()) {
        rows.area_px[kept] = rows.area_px[i];
        rows.mask[kept] = std::move(rows.mask[i]);
      }
    }
    ++kept;
  }
  rows.image_id.resize(kept);
  rows.category_id.resize(kept);
  rows.box_xywh_px.resize(kept);
  rows.score.resize(kept);
  rows.area_px.resize(rows.area_px.empty() ? 0 : kept);
  rows.mask.resize(rows.mask.empty() ? 0 : kept);
}

EvaluatedPredictions predictions_from(CocoDetections&& rows, const CocoTruth& truth, const IndexOfId& image_index,
                                      const IndexOfId& class_index, bool with_masks) {
  EvaluatedPredictions predictions;
  predictions.image = indices_of(std::exchange(rows.image_id, {}), image_index);
  predictions.category = indices_of(std::exchange(rows.category_id, {}), class_index);
  if (with_masks) {
    predictions.mask = masks_on_images(std::move(rows.mask), truth, predictions.image);
    predictions.area_px = std::move(rows.area_px);
    for (std::size_t i = 0; i < predictions.size(); ++i) {
      double& area_px = predictions.area_px[i];
      area_px = std::isnan(area_px) ? static_cast<double>(area(predictions.mask[i])) : area_px;
    }
  }
  predictions.box_xywh_px = std::move(rows.box_xywh_px);
  predictions.score = std::move(rows.score);
  return predictions;
}

/// Two files as an evaluation's input, and what was left out.
struct FileInput {
  EvaluationInput input;
  ProtocolContext context;
  std::vector<CocoImage> images;
  SetEvaluation counted;  ///< names and coverage only
};

ProtocolContext context_of(const CocoTruth& truth, const EvaluateSetsOptions& options) {
  ProtocolContext context;
  if (protocol_from(options.protocol) == Protocol::lvis) {
    SourceJson images;
    for (const CocoImage& image : truth.images) {
      images.push_back(image.source_json);
    }
    SourceJson classes;
    std::vector<std::string> class_names;
    for (const CocoCategory& category : truth.categories) {
      classes.push_back(category.source_json);
      class_names.push_back(category.name);
    }
    context.federation = federation_from(images, classes, class_names);
  }
  return context;
}

FileInput input_of(const std::string& predictions, const EvaluateSetsOptions& options) {
  const bool with_masks = options.iou_type == IouType::mask;
  const CocoMasks masks = with_masks ? CocoMasks::read : CocoMasks::skip;
  // The two files are read side by side.
  auto reading = std::async(std::launch::async, [&] {
    if (!is_coco_results_list(predictions)) {
      throw Error(ErrorCode::bad_data,
                  "predictions from a file are a COCO results list: [{\"image_id\", \"category_id\", \"bbox\", \"score\"}, …]; "
                  "import a whole dataset into a project to judge it",
                  {{"file", predictions}});
    }
    return read_coco_results(predictions, masks);
  });
  CocoTruth truth = read_coco_truth(options.truth, masks);
  CocoDetections rows = reading.get();

  FileInput files;
  files.context = context_of(truth, options);
  EvaluationInput& input = files.input;
  for (const CocoImage& image : truth.images) {
    input.images.id.push_back(image.id);
  }
  for (CocoCategory& category : truth.categories) {
    input.classes.id.push_back(category.id);
    input.classes.name.push_back(std::move(category.name));
  }
  const IndexOfId image_index(input.images.id);
  const IndexOfId class_index(input.classes.id);
  input.truths = truths_from(std::move(truth.detections), truth, image_index, class_index, with_masks);
  drop_unknown(rows, image_index, class_index, files.counted);
  input.predictions = predictions_from(std::move(rows), truth, image_index, class_index, with_masks);
  files.images = std::move(truth.images);
  files.counted.class_names = input.classes.name;
  files.counted.coverage.samples = static_cast<std::int64_t>(input.images.size());
  files.counted.coverage.truths = static_cast<std::int64_t>(input.truths.size());
  files.counted.coverage.predictions = static_cast<std::int64_t>(input.predictions.size());
  return files;
}

JudgedSets judged(FileInput files, const EvaluateSetsOptions& options) {
  ProtocolEvaluation by_protocol = evaluate_by(protocol_from(options.protocol), std::move(files.input), files.context,
                                               {options.iou_type, options.iou, options.threshold});
  JudgedSets sets{std::move(by_protocol.input), std::move(files.counted)};
  sets.result.evaluation = std::move(by_protocol.evaluation);
  sets.result.numbers = std::move(by_protocol.numbers);
  return sets;
}

}  // namespace

JudgedSets judge_files(const EvaluateSetsOptions& options) {
  return judged(input_of(options.predictions, options), options);
}

SetEvaluation evaluate_files(const EvaluateSetsOptions& options) {
  FileInput files = input_of(options.predictions, options);
  const std::vector<CocoImage> images = std::move(files.images);
  JudgedSets sets = judged(std::move(files), options);
  SetEvaluation& result = sets.result;
  if (options.with_details) {
    result.details = evaluation_details(sets.input, result.evaluation, {options.iou_type, options.iou, options.threshold});
    result.worst = worst_images(sets.input, *result.details);
    for (JudgedImage& image : result.worst) {
      const auto listed = std::ranges::find(images, image.id, &CocoImage::id);
      image.width = listed->width;
      image.height = listed->height;
    }
  }
  if (!options.compare.empty()) {
    const JudgedSets other = judged(input_of(options.compare, options), options);
    result.comparison = compare_predictions(sets.input, result.evaluation, other.input, other.result.evaluation, options);
  }
  return std::move(result);
}

}  // namespace verilabel
