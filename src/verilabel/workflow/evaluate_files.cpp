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

/// The file that rows were read from.
struct RowSource {
  std::string path;
  std::vector<std::uint32_t> kept;  ///< where each row stands in the file; empty when they are all there

  ErrorContext place_of(std::size_t row) const { return place_of_coco_annotation(path, kept.empty() ? row : kept[row]); }
};

Error mask_error(std::string message, const RowSource& source, std::size_t row, const CocoImage& image) {
  ErrorContext context = source.place_of(row);
  context.emplace_back("image_id", std::to_string(image.id));
  return {ErrorCode::bad_data, std::move(message), std::move(context)};
}

/// Runs as they are, polygons on the pixels of their image; `image` names the image of each row.
RleColumn masks_on_images(CocoDetections& rows, const RowSource& source, const CocoTruth& truth,
                          const std::vector<std::uint32_t>& image) {
  constexpr std::size_t kMasksOfABlock = 512;
  std::vector<std::uint32_t> outlined;
  for (std::uint32_t row = 0; row < rows.mask.size(); ++row) {
    if (rows.polygons[row].empty() && rows.mask[row] == RleView()) {
      throw mask_error("comparing masks needs a segmentation on every annotation", source, row, truth.images[image[row]]);
    }
    if (!rows.polygons[row].empty()) {
      outlined.push_back(row);
    }
  }
  const std::vector<std::size_t> ends = range_ends(outlined.size(), kMasksOfABlock);
  std::vector<RleColumn> filled(ends.size());
  const auto rows_of_block = [&](std::size_t block) {
    const std::size_t begin = block == 0 ? 0 : ends[block - 1];
    return std::span(outlined).subspan(begin, ends[block] - begin);
  };
  for_each_in_parallel(ends.size(), 0, [&](std::size_t block) {
    Rle rle;
    for (const std::uint32_t row : rows_of_block(block)) {
      const CocoImage& on = truth.images[image[row]];
      if (on.width <= 0 || on.height <= 0) {
        throw mask_error("comparing polygons needs the width and height of the image", source, row, on);
      }
      rle = rle_from_polygons(std::exchange(rows.polygons[row], {}), static_cast<std::uint32_t>(on.height),
                              static_cast<std::uint32_t>(on.width), std::move(rle.counts));
      filled[block].push_back(rle);
    }
  });
  RleColumn masks = std::move(rows.mask);
  for (std::size_t block = 0; block < ends.size(); ++block) {
    masks.replace(rows_of_block(block), std::move(filled[block]));
  }
  return masks;
}

std::vector<std::uint32_t> indices_of(const std::vector<std::int64_t>& ids, const IndexOfId& index) {
  std::vector<std::uint32_t> indices;
  indices.reserve(ids.size());
  for (const std::int64_t id : ids) {
    indices.push_back(index.find(id));
  }
  return indices;
}

EvaluatedTruths truths_from(CocoDetections&& rows, const RowSource& source, const CocoTruth& truth, const IndexOfId& image_index,
                            const IndexOfId& class_index, bool with_masks) {
  EvaluatedTruths truths;
  truths.image = indices_of(rows.image_id, image_index);
  truths.category = indices_of(rows.category_id, class_index);
  if (with_masks) {
    truths.mask = masks_on_images(rows, source, truth, truths.image);
  }
  truths.box_xywh_px = std::move(rows.box_xywh_px);
  truths.area_px = std::move(rows.area_px);
  truths.is_crowd = std::move(rows.is_crowd);
  return truths;
}

template <typename T>
void keep_rows(std::vector<T>& column, std::span<const std::uint32_t> rows) {
  if (!column.empty()) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      column[i] = std::exchange(column[rows[i]], {});
    }
    column.resize(rows.size());
  }
}

/// Leaves out the rows whose image or class the truth does not list, and counts them. Gives where those that stay stood, or nothing
/// when all stay.
std::vector<std::uint32_t> drop_unknown(CocoDetections& rows, const IndexOfId& image_index, const IndexOfId& class_index,
                                        SetEvaluation& result) {
  std::vector<std::uint32_t> known;
  known.reserve(rows.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    const bool has_image = image_index.find(rows.image_id[i]) != IndexOfId::kUnknown;
    const bool has_class = class_index.find(rows.category_id[i]) != IndexOfId::kUnknown;
    if (has_image && has_class) {
      known.push_back(i);
    } else {
      ++(has_image ? result.predictions_of_unknown_classes : result.predictions_of_unknown_images);
    }
  }
  if (known.size() == rows.size()) {
    return {};
  }
  if (!rows.mask.empty()) {
    rows.mask = rows.mask.rows(known);
  }
  keep_rows(rows.image_id, known);
  keep_rows(rows.category_id, known);
  keep_rows(rows.box_xywh_px, known);
  keep_rows(rows.score, known);
  keep_rows(rows.area_px, known);
  keep_rows(rows.polygons, known);
  return known;
}

EvaluatedPredictions predictions_from(CocoDetections&& rows, const RowSource& source, const CocoTruth& truth,
                                      const IndexOfId& image_index, const IndexOfId& class_index, bool with_masks) {
  EvaluatedPredictions predictions;
  predictions.image = indices_of(std::exchange(rows.image_id, {}), image_index);
  predictions.category = indices_of(std::exchange(rows.category_id, {}), class_index);
  if (with_masks) {
    predictions.mask = masks_on_images(rows, source, truth, predictions.image);
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
  RowSource truth_source;
  RowSource prediction_source;
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
    context.federation = federation_from(images, {}, classes, class_names);
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
  files.truth_source.path = options.truth;
  files.prediction_source.path = predictions;
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
  input.truths = truths_from(std::move(truth.detections), files.truth_source, truth, image_index, class_index, with_masks);
  files.prediction_source.kept = drop_unknown(rows, image_index, class_index, files.counted);
  input.predictions = predictions_from(std::move(rows), files.prediction_source, truth, image_index, class_index, with_masks);
  files.images = std::move(truth.images);
  files.counted.class_names = input.classes.name;
  files.counted.coverage.samples = static_cast<std::int64_t>(input.images.size());
  files.counted.coverage.truths = static_cast<std::int64_t>(input.truths.size());
  files.counted.coverage.predictions = static_cast<std::int64_t>(input.predictions.size());
  return files;
}

/// The error of an evaluation, which knows rows by their index, with the place of the row in its file.
Error placed_in_files(const Error& error, const RowSource& truths, const RowSource& predictions) {
  ErrorContext context;
  for (const auto& [name, value] : error.context()) {
    if (name == "truth" || name == "prediction") {
      const ErrorContext place = (name == "truth" ? truths : predictions).place_of(std::stoull(value));
      context.insert(context.end(), place.begin(), place.end());
    } else {
      context.emplace_back(name, value);
    }
  }
  return {error.code(), error.message(), std::move(context)};
}

JudgedSets judged(FileInput files, const EvaluateSetsOptions& options) {
  ProtocolEvaluation by_protocol;
  try {
    by_protocol = evaluate_by(protocol_from(options.protocol), std::move(files.input), files.context, evaluate_options_of(options));
  } catch (const Error& error) {
    throw placed_in_files(error, files.truth_source, files.prediction_source);
  }
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
    result.details = evaluation_details(sets.input, result.evaluation, evaluate_options_of(options));
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
