#include "verilabel/workflow/evaluate_files.h"

#include <algorithm>
#include <future>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/formats/coco_detections.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/geometry/polygon_rasteriser.h"

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

/// Polygons on the pixels of their images.
RleColumn rasterised(const CocoPolygons& polygons, const RowSource& source, const CocoTruth& truth,
                     const std::vector<std::uint32_t>& image) {
  RleColumn masks;
  masks.reserve(polygons.size());
  PolygonRasteriser rasteriser;
  for (std::size_t i = 0; i < polygons.size(); ++i) {
    const std::uint32_t row = polygons.rows()[i];
    const CocoImage& on = truth.images[image[row]];
    if (on.width <= 0 || on.height <= 0) {
      throw mask_error("comparing polygons needs the width and height of the image", source, row, on);
    }
    masks.push_back(rasteriser.rasterise(polygons.xy_px(i), polygons.ends(i), static_cast<std::uint32_t>(on.height),
                                         static_cast<std::uint32_t>(on.width)));
  }
  return masks;
}

/// Runs as they are, polygons on the pixels of their image; `image` names the image of each row.
RleColumn masks_on_images(CocoDetections& rows, const RowSource& source, const CocoTruth& truth,
                          const std::vector<std::uint32_t>& image) {
  std::vector<RleColumn> of_polygons(rows.polygons.size());
  for_each_in_parallel(of_polygons.size(), 0,
                       [&](std::size_t part) { of_polygons[part] = rasterised(rows.polygons[part], source, truth, image); });
  RleColumn masks = std::move(rows.mask);
  for (std::size_t part = 0; part < of_polygons.size(); ++part) {
    masks.replace(rows.polygons[part].rows(), std::move(of_polygons[part]));
  }
  rows.polygons.clear();
  for (std::uint32_t row = 0; row < masks.size(); ++row) {
    if (masks.is_none(row)) {
      throw mask_error("comparing masks needs a segmentation on every annotation", source, row, truth.images[image[row]]);
    }
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

/// The images and classes of rows; their ids are not needed any more.
struct PlacesOfRows {
  std::vector<std::uint32_t> image;
  std::vector<std::uint32_t> category;

  PlacesOfRows(CocoDetections& rows, const IndexOfId& image_index, const IndexOfId& class_index)
      : image(indices_of(std::exchange(rows.image_id, {}), image_index)),
        category(indices_of(std::exchange(rows.category_id, {}), class_index)) {}
};

EvaluatedTruths truths_from(CocoDetections&& rows, const RowSource& source, const CocoTruth& truth, const IndexOfId& image_index,
                            const IndexOfId& class_index, bool with_masks) {
  PlacesOfRows places(rows, image_index, class_index);
  EvaluatedTruths truths;
  truths.image = std::move(places.image);
  truths.category = std::move(places.category);
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
  for (std::size_t i = 0; i < rows.size(); ++i) {
    column[i] = column[rows[i]];
  }
  column.resize(rows.size());
}

/// Leaves out the rows whose image or class the truth does not list, or whose image is not labelled there (from `images` on), and
/// counts them. Gives where those that stay stood, or nothing when all stay.
std::vector<std::uint32_t> drop_unknown(CocoDetections& rows, PlacesOfRows& places, std::size_t images, SetEvaluation& result) {
  const std::size_t count = places.image.size();
  const auto is_known = [&](std::size_t row) { return places.image[row] < images && places.category[row] != IndexOfId::kUnknown; };
  std::size_t first_unknown = 0;
  while (first_unknown < count && is_known(first_unknown)) {
    ++first_unknown;
  }
  if (first_unknown == count) {
    return {};
  }
  std::vector<std::uint32_t> known;
  std::unordered_set<std::uint32_t> unlabelled_images;
  for (std::uint32_t row = 0; row < count; ++row) {
    if (is_known(row)) {
      known.push_back(row);
    } else if (places.image[row] == IndexOfId::kUnknown) {
      ++result.predictions_of_unknown_images;
    } else if (places.image[row] >= images) {
      ++result.coverage.predictions_outside;
      unlabelled_images.insert(places.image[row]);
    } else {
      ++result.predictions_of_unknown_classes;
    }
  }
  result.coverage.samples_only_predicted = static_cast<std::int64_t>(unlabelled_images.size());
  keep_rows(places.image, known);
  keep_rows(places.category, known);
  keep_rows(rows.box_xywh_px, known);
  keep_rows(rows.score, known);
  if (rows.mask.empty()) {
    return known;
  }
  rows.mask = rows.mask.rows(known);
  for (CocoPolygons& polygons : rows.polygons) {
    polygons.keep_rows(known);
  }
  std::vector<std::uint32_t> boxless_rows;
  for (const std::uint32_t row : rows.boxless_rows) {
    if (const auto at = std::ranges::lower_bound(known, row); at != known.end() && *at == row) {
      boxless_rows.push_back(static_cast<std::uint32_t>(at - known.begin()));
    }
  }
  rows.boxless_rows = std::move(boxless_rows);
  return known;
}

EvaluatedPredictions predictions_from(CocoDetections&& rows, RowSource& source, const CocoTruth& truth,
                                      const IndexOfId& image_index, const IndexOfId& class_index, bool with_masks,
                                      SetEvaluation& result) {
  PlacesOfRows places(rows, image_index, class_index);
  source.kept = drop_unknown(rows, places, truth.images.size(), result);
  EvaluatedPredictions predictions;
  predictions.image = std::move(places.image);
  predictions.category = std::move(places.category);
  if (with_masks) {
    predictions.mask = masks_on_images(rows, source, truth, predictions.image);
    if (!rows.boxless_rows.empty()) {
      for (const Box& box : rows.box_xywh_px) {
        predictions.area_px.push_back(box.w * box.h);
      }
    }
    CocoStringReader reader;
    for (const std::uint32_t row : rows.boxless_rows) {
      predictions.area_px[row] = static_cast<double>(area(predictions.mask.read(row, reader)));
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
  std::vector<std::string> category_names;  ///< as they stand in the file, where several may be the same
  SetEvaluation counted;                    ///< names and coverage only
};

/// Puts images that the file says nobody has labelled (and that have no annotation, which would be a label) behind the others, and
/// gives the number of these.
std::size_t put_unlabelled_last(CocoTruth& truth) {
  if (std::ranges::all_of(truth.images, &CocoImage::is_labelled)) {
    return truth.images.size();
  }
  const std::unordered_set<std::int64_t> annotated(truth.detections.image_id.begin(), truth.detections.image_id.end());
  const auto unlabelled = std::ranges::stable_partition(
      truth.images, [&](const CocoImage& image) { return image.is_labelled || annotated.contains(image.id); });
  return static_cast<std::size_t>(unlabelled.begin() - truth.images.begin());
}

/// Gives each of several classes of one name its id too, and their number. A name so made may be one that there is: then again.
std::int64_t make_names_distinct(EvaluatedClasses& classes) {
  std::int64_t classes_of_shared_name = 0;
  while (true) {
    std::unordered_map<std::string, std::vector<std::size_t>> classes_of_name;
    for (std::size_t k = 0; k < classes.size(); ++k) {
      classes_of_name[classes.name[k]].push_back(k);
    }
    if (classes_of_name.size() == classes.size()) {
      return classes_of_shared_name;
    }
    std::int64_t shared = 0;
    for (const auto& [name, of_name] : classes_of_name) {
      for (const std::size_t k : of_name) {
        if (of_name.size() > 1) {
          ++shared;
          classes.name[k] = fmt::format("{} (category {})", name, classes.id[k]);
        }
      }
    }
    classes_of_shared_name = std::max(classes_of_shared_name, shared);
  }
}

/// Makes the categories of one name, which were compared apart, one class, as a project has them.
void merge_classes_of_one_name(EvaluationInput& input, const std::vector<std::string>& category_names) {
  std::unordered_map<std::string, std::uint32_t> class_of_name;
  std::vector<std::uint32_t> class_of_category;
  EvaluatedClasses classes;
  for (std::size_t k = 0; k < category_names.size(); ++k) {
    const auto [at, is_new] = class_of_name.try_emplace(category_names[k], static_cast<std::uint32_t>(classes.size()));
    if (is_new) {
      classes.id.push_back(input.classes.id[k]);
      classes.name.push_back(category_names[k]);
    }
    class_of_category.push_back(at->second);
  }
  input.classes = std::move(classes);
  for (std::vector<std::uint32_t>* const categories : {&input.truths.category, &input.predictions.category}) {
    for (std::uint32_t& category : *categories) {
      category = class_of_category[category];
    }
  }
}

ProtocolContext context_of(const CocoTruth& truth, const EvaluateSetsOptions& options) {
  ProtocolContext context;
  if (protocol_from(options.protocol) == Protocol::lvis) {
    SourceJson images;
    std::vector<std::string> image_names;
    for (const CocoImage& image : truth.images) {
      images.push_back(image.source_json);
      image_names.push_back(image.name);
    }
    SourceJson classes;
    std::vector<std::string> class_names;
    for (const CocoCategory& category : truth.categories) {
      classes.push_back(category.source_json);
      class_names.push_back(category.name);
    }
    try {
      context.federation = federation_from(images, image_names, classes, class_names);
    } catch (const Error& error) {
      throw error.with("file", options.truth);
    }
  }
  return context;
}

FileInput input_of(const std::string& predictions, const EvaluateSetsOptions& options) {
  const bool with_masks = options.overlap_type() == IouType::mask;
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
  EvaluationInput& input = files.input;
  const std::size_t labelled_images = put_unlabelled_last(truth);
  for (const CocoImage& image : truth.images) {
    input.images.id.push_back(image.id);
  }
  const IndexOfId image_index(input.images.id);
  Coverage& coverage = files.counted.coverage;
  coverage.samples_without_truth = static_cast<std::int64_t>(truth.images.size() - labelled_images);
  truth.images.resize(labelled_images);
  input.images.id.resize(labelled_images);
  for (const CocoImage& image : truth.images) {
    input.images.name.push_back(image.name);
  }
  files.context = context_of(truth, options);
  for (CocoCategory& category : truth.categories) {
    input.classes.id.push_back(category.id);
    input.classes.name.push_back(std::move(category.name));
  }
  files.category_names = input.classes.name;
  files.counted.classes_of_shared_name = make_names_distinct(input.classes);
  const IndexOfId class_index(input.classes.id);
  input.truths = truths_from(std::move(truth.detections), files.truth_source, truth, image_index, class_index, with_masks);
  input.predictions =
      predictions_from(std::move(rows), files.prediction_source, truth, image_index, class_index, with_masks, files.counted);
  files.images = std::move(truth.images);
  files.counted.class_names = input.classes.name;
  coverage.samples = static_cast<std::int64_t>(input.images.size());
  coverage.truths = static_cast<std::int64_t>(input.truths.size());
  coverage.predictions = static_cast<std::int64_t>(input.predictions.size());
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
  sets.result.names_alike = names_alike(sets.input);
  return sets;
}

}  // namespace

JudgedSets judge_files(const EvaluateSetsOptions& options) {
  FileInput files = input_of(options.predictions, options);
  const std::vector<std::string> category_names = std::move(files.category_names);
  JudgedSets sets = judged(std::move(files), options);
  merge_classes_of_one_name(sets.input, category_names);
  sets.result.class_names = sets.input.classes.name;
  sets.result.names_alike = names_alike(sets.input);
  sets.categories_of_shared_name = std::exchange(sets.result.classes_of_shared_name, 0);
  return sets;
}

SetEvaluation evaluate_files(const EvaluateSetsOptions& options) {
  FileInput files = input_of(options.predictions, options);
  const std::vector<CocoImage> images = std::move(files.images);
  JudgedSets sets = judged(std::move(files), options);
  SetEvaluation& result = sets.result;
  if (options.with_details) {
    result.details = evaluation_details(sets.input, result.evaluation, evaluate_options_of(options));
    result.worst = worst_images(sets.input, result.details->labels.outcomes, result.details->labels.errors);
    for (JudgedImage& image : result.worst) {
      const auto listed = std::ranges::find(images, image.id, &CocoImage::id);
      image.width = listed->width;
      image.height = listed->height;
    }
  }
  if (options.with_intervals) {
    result.intervals = evaluation_intervals(sets.input, result.evaluation, options.bootstrap);
  }
  if (!options.compare.empty()) {
    const JudgedSets other = judged(input_of(options.compare, options), options);
    result.comparison = compare_predictions({sets.input, result.evaluation, result.numbers},
                                            {other.input, other.result.evaluation, other.result.numbers}, options);
  }
  return std::move(result);
}

}  // namespace verilabel
