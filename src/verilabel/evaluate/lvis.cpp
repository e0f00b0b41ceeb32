#include "verilabel/evaluate/lvis.h"

#include <algorithm>
#include <limits>
#include <span>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/coco.h"
#include "verilabel/evaluate/coco_curves.h"
#include "verilabel/evaluate/image_groups.h"
#include "verilabel/evaluate/input_check.h"

namespace verilabel {
namespace {

void check(const EvaluationInput& input, const Federation& federation) {
  check_labels(input);
  const auto knows = [&](const std::vector<std::vector<std::uint32_t>>& lists) {
    return lists.size() == input.images.size() && std::all_of(lists.begin(), lists.end(), [&](const auto& list) {
             return std::all_of(list.begin(), list.end(), [&](std::uint32_t k) { return k < input.classes.size(); });
           });
  };
  if (!knows(federation.absent) || !knows(federation.not_exhaustive) || federation.frequency.size() != input.classes.size()) {
    throw Error(ErrorCode::wrong_use,
                "LVIS needs for each image the classes that are absent and those not exhaustively labelled, and for each class its "
                "frequency");
  }
}

enum class Use : std::uint8_t { counts, beyond_limit, without_area, not_looked_for };

/// What becomes of each truth.
std::vector<Use> uses_of_truths(const EvaluatedTruths& truths) {
  std::vector<Use> uses;
  for (const double area_px : truths.area_px) {
    uses.push_back(lvis_looks_at(area_px) ? Use::counts : Use::without_area);
  }
  return uses;
}

/// What becomes of each prediction.
std::vector<Use> uses_of_predictions(const EvaluationInput& input, const Federation& federation, std::uint32_t max_detections) {
  const ImageGroups truths(input.truths.image, input.images.size());
  const ImageGroups predictions(input.predictions.image, input.images.size());
  std::vector<Use> uses(input.predictions.size(), Use::counts);
  std::vector<std::uint8_t> is_looked_for(input.classes.size(), 0);
  std::vector<std::uint32_t> order;
  for (std::size_t image = 0; image < input.images.size(); ++image) {
    const std::span<const std::uint32_t> here = predictions.of(image);
    if (here.size() > max_detections) {
      const std::vector<double>& score = input.predictions.score;
      order.assign(here.begin(), here.end());
      std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return score[a] > score[b]; });
      for (const std::uint32_t prediction : std::span(order).subspan(max_detections)) {
        uses[prediction] = Use::beyond_limit;
      }
    }
    for (const std::uint32_t prediction : here) {
      if (uses[prediction] == Use::counts && !lvis_looks_at(input.predictions.area_px_of(prediction))) {
        uses[prediction] = Use::without_area;
      }
    }
    const auto mark = [&](std::uint8_t value) {
      for (const std::uint32_t truth : truths.of(image)) {
        if (lvis_looks_at(input.truths.area_px[truth])) {
          is_looked_for[input.truths.category[truth]] = value;
        }
      }
      for (const std::uint32_t category : federation.absent[image]) {
        is_looked_for[category] = value;
      }
    };
    mark(1);
    for (const std::uint32_t prediction : here) {
      if (uses[prediction] == Use::counts && is_looked_for[input.predictions.category[prediction]] == 0) {
        uses[prediction] = Use::not_looked_for;
      }
    }
    mark(0);
  }
  return uses;
}

std::vector<std::uint32_t> counting_rows(const std::vector<Use>& uses) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < uses.size(); ++i) {
    if (uses[i] == Use::counts) {
      rows.push_back(i);
    }
  }
  return rows;
}

template <typename T>
std::vector<T> rows_of(const std::vector<T>& column, const std::vector<std::uint32_t>& rows) {
  std::vector<T> some;
  if (!column.empty()) {
    for (const std::uint32_t row : rows) {
      some.push_back(column[row]);
    }
  }
  return some;
}

RleColumn rows_of(const RleColumn& column, const std::vector<std::uint32_t>& rows) {
  return column.empty() ? RleColumn() : column.rows(rows);
}

/// No truth is a crowd.
EvaluatedTruths only(const EvaluatedTruths& all, const std::vector<Use>& uses) {
  const std::vector<std::uint32_t> rows = counting_rows(uses);
  return {.image = rows_of(all.image, rows),
          .category = rows_of(all.category, rows),
          .box_xywh_px = rows_of(all.box_xywh_px, rows),
          .area_px = rows_of(all.area_px, rows),
          .is_crowd = std::vector<std::uint8_t>(rows.size(), 0),
          .mask = rows_of(all.mask, rows)};
}

EvaluatedPredictions only(const EvaluatedPredictions& all, const std::vector<Use>& uses) {
  const std::vector<std::uint32_t> rows = counting_rows(uses);
  return {.image = rows_of(all.image, rows),
          .category = rows_of(all.category, rows),
          .box_xywh_px = rows_of(all.box_xywh_px, rows),
          .score = rows_of(all.score, rows),
          .area_px = rows_of(all.area_px, rows),
          .mask = rows_of(all.mask, rows)};
}

/// Takes those of classes that are not exhaustively labelled out of every area range: they then count where they have a partner,
/// and nowhere else.
void excuse_not_exhaustive(const EvaluationInput& input, const Federation& federation, Matching& matching) {
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    const std::vector<std::uint32_t>& list = federation.not_exhaustive[input.predictions.image[i]];
    if (std::find(list.begin(), list.end(), input.predictions.category[i]) != list.end()) {
      matching.prediction_ranges[i] = 0;
    }
  }
}

std::optional<double> mean_of_group(const EvaluationInput& input, const std::vector<ClassCurves>& curves,
                                    const Federation& federation, ClassFrequency frequency) {
  std::vector<const ClassCurves*> group;
  for (const ClassCurves* const one : by_class_id(input, curves)) {
    if (federation.frequency[static_cast<std::size_t>(one - curves.data())] == frequency) {
      group.push_back(one);
    }
  }
  return mean_precision(group, 0, 0, kCocoThresholds);
}

}  // namespace

std::optional<ClassFrequency> class_frequency_from(std::string_view letter) {
  if (letter == "r") {
    return ClassFrequency::rare;
  }
  if (letter == "c") {
    return ClassFrequency::common;
  }
  return letter == "f" ? std::optional(ClassFrequency::frequent) : std::nullopt;
}

std::array<std::pair<std::string_view, std::optional<double>>, 13> LvisMetrics::named() const {
  return {{{"AP", ap},
           {"AP50", ap_50},
           {"AP75", ap_75},
           {"APs", ap_small},
           {"APm", ap_medium},
           {"APl", ap_large},
           {"APr", ap_rare},
           {"APc", ap_common},
           {"APf", ap_frequent},
           {"AR@300", ar},
           {"ARs@300", ar_small},
           {"ARm@300", ar_medium},
           {"ARl@300", ar_large}}};
}

LvisResult lvis_metrics(const EvaluationInput& input, const Federation& federation, const LvisOptions& options) {
  check(input, federation);
  const std::vector<Use> truth_uses = uses_of_truths(input.truths);
  const std::vector<Use> uses = uses_of_predictions(input, federation, options.max_detections);
  LvisResult result;
  result.truths_without_area = std::count(truth_uses.begin(), truth_uses.end(), Use::without_area);
  result.predictions_without_area = std::count(uses.begin(), uses.end(), Use::without_area);
  result.predictions_beyond_limit = std::count(uses.begin(), uses.end(), Use::beyond_limit);
  result.predictions_not_looked_for = std::count(uses.begin(), uses.end(), Use::not_looked_for);

  EvaluationInput looked_at;
  looked_at.images = input.images;
  looked_at.classes = input.classes;
  looked_at.truths = only(input.truths, truth_uses);
  looked_at.predictions = only(input.predictions, uses);

  MatchOptions match_options = coco_match_options(options.iou_type);
  match_options.threads = options.threads;
  match_options.max_detections = std::numeric_limits<std::uint32_t>::max();  // the image's limit is enough
  Matching matching = match(looked_at, match_options);
  excuse_not_exhaustive(looked_at, federation, matching);
  const std::vector<ClassCurves> curves = class_curves(looked_at, matching);
  const std::vector<const ClassCurves*> by_id = by_class_id(looked_at, curves);

  LvisMetrics& metrics = result.metrics;
  metrics.ap = mean_precision(by_id, 0, 0, kCocoThresholds);
  metrics.ap_50 = mean_precision(by_id, 0, 0, 1);
  metrics.ap_75 = mean_precision(by_id, 0, 5, 6);
  metrics.ap_small = mean_precision(by_id, 1, 0, kCocoThresholds);
  metrics.ap_medium = mean_precision(by_id, 2, 0, kCocoThresholds);
  metrics.ap_large = mean_precision(by_id, 3, 0, kCocoThresholds);
  metrics.ap_rare = mean_of_group(looked_at, curves, federation, ClassFrequency::rare);
  metrics.ap_common = mean_of_group(looked_at, curves, federation, ClassFrequency::common);
  metrics.ap_frequent = mean_of_group(looked_at, curves, federation, ClassFrequency::frequent);
  using Recall = std::array<double, kCocoThresholds>;
  const auto recall = [&](std::size_t range) {
    return mean_recall(by_id, range, [](const ClassCurves& one, std::size_t at) -> const Recall& { return one.recall[at]; });
  };
  metrics.ar = recall(0);
  metrics.ar_small = recall(1);
  metrics.ar_medium = recall(2);
  metrics.ar_large = recall(3);
  for (const ClassCurves& one : curves) {
    const ClassCurves* const alone = &one;
    result.ap_per_class.push_back(mean_precision({&alone, 1}, 0, 0, kCocoThresholds));
  }
  return result;
}

}  // namespace verilabel
