#include "verilabel/workflow/evaluation_document.h"

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/json_writer.h"
#include "verilabel/workflow/interval_json.h"

namespace verilabel {
namespace {

/// A curve is written at about this many thresholds, and at as many shares of the truths found: enough to draw it.
constexpr std::size_t kCurvePoints = 128;

void write_counts(JsonWriter& json, const Counts& counts) {
  json.field("tp", counts.true_positives).field("fp", counts.false_positives).field("fn", counts.false_negatives);
}

void write_metrics(JsonWriter& json, const SetEvaluation& result) {
  json.key("metrics").begin_object();
  for (const auto& [name, value] : result.numbers.metrics) {
    json.field(name, value);
  }
  const OperatingPoint& point = result.evaluation.at_threshold;
  json.field("precision", point.counts.precision()).field("recall", point.counts.recall()).field("f1", point.counts.f1());
  json.field("threshold", point.threshold).end_object();
}

void write_classes(JsonWriter& json, const SetEvaluation& result) {
  const Evaluation& evaluation = result.evaluation;
  json.key("per_class").begin_object();
  for (std::size_t i = 0; i < evaluation.per_class.size(); ++i) {
    const ClassEvaluation& of_class = evaluation.per_class[i];
    const Counts& counts = of_class.at_threshold.counts;
    json.key(result.class_names[i]).begin_object();
    json.field("AP", result.numbers.ap_per_class[i]);
    if (!result.numbers.ap_50_per_class.empty()) {
      json.field("AP_50", result.numbers.ap_50_per_class[i]);
    }
    json.field("precision", counts.precision()).field("recall", counts.recall()).field("f1", counts.f1());
    write_counts(json, counts);
    json.field("truths", of_class.truths).field("predictions", of_class.predictions);
    json.field("best_threshold", of_class.best_f1.threshold).field("best_f1", of_class.best_f1.counts.f1()).end_object();
  }
  json.end_object();
}

/// What boxes and classes of whole images have in common.
void write_common_coverage(JsonWriter& json, const Coverage& coverage) {
  json.field("samples", coverage.samples);
  json.field("samples_reviewed", coverage.samples_reviewed);
  json.field("not_labelled_in_truth", coverage.samples_without_truth);
  json.field("not_labelled_in_predictions", coverage.samples_not_predicted);
  json.field("labelled_in_predictions_only", coverage.samples_only_predicted);
  json.field("truths", coverage.truths);
  json.field("predictions", coverage.predictions);
  json.field("predictions_outside", coverage.predictions_outside);
  json.field("predictions_without_score", coverage.predictions_without_score);
  json.field("truths_rejected", coverage.truths_rejected);
  json.field("predictions_rejected", coverage.predictions_rejected);
  json.field("labels_of_other_kinds", coverage.labels_of_other_kinds);
  json.field("imports_cut_off", coverage.imports_cut_off);
  json.field("labels_of_cut_off_imports", coverage.labels_of_cut_off_imports);
}

/// Classes that are compared as different ones and may be meant as one: pairs of the name in the truth and that in the predictions.
void write_names_alike(JsonWriter& json, const std::vector<NamesAlike>& names_alike) {
  json.key("names_alike").begin_array();
  for (const NamesAlike& pair : names_alike) {
    json.begin_array().value(pair.in_truth).value(pair.in_predictions).end_array();
  }
  json.end_array();
}

void write_coverage(JsonWriter& json, const SetEvaluation& result) {
  json.key("coverage").begin_object();
  write_common_coverage(json, result.coverage);
  json.field("truths_counted", result.truths_counted());
  if (result.numbers.left_out.empty()) {
    json.field("predictions_beyond_limit", result.evaluation.predictions_beyond_limit);
  }
  json.field("classes_of_shared_name", result.classes_of_shared_name);
  json.field("predictions_of_unknown_images", result.predictions_of_unknown_images);
  json.field("predictions_of_unknown_classes", result.predictions_of_unknown_classes);
  for (const auto& [name, count] : result.numbers.left_out) {
    json.field(name, count);
  }
  write_names_alike(json, result.names_alike);
  json.end_object();
}

void write_errors(JsonWriter& json, const EvaluationDetails& details, std::string_view ap_name) {
  json.key("errors").begin_object();
  json.field(ap_name, details.errors.ap).field("threshold", details.threshold);
  json.key("kinds").begin_object();
  for (std::size_t kind = 1; kind < kErrorKinds; ++kind) {
    json.key(name_of(static_cast<ErrorKind>(kind))).begin_object();
    json.field("predictions", details.error_counts[kind].predictions).field("truths", details.error_counts[kind].truths);
    json.field("ap_cost", details.errors.ap ? std::optional(details.errors.costs[kind].ap) : std::nullopt).end_object();
  }
  json.end_object();
  const auto cost = [&](double value) { return details.errors.ap ? std::optional(value) : std::nullopt; };
  json.field("false_positive_cost", cost(details.errors.false_positive_cost));
  json.field("false_negative_cost", cost(details.errors.false_negative_cost)).end_object();
}

/// Classes by their place among those that occur. `iou` is nothing for classes of whole images.
template <typename OfClass>
void write_confusion(JsonWriter& json, const ConfusionMatrix& matrix, const std::vector<OfClass>& per_class,
                     const std::vector<std::string>& class_names, const std::optional<double>& threshold,
                     const std::optional<double>& iou) {
  const std::size_t background = matrix.background();
  std::vector<std::size_t> place(matrix.classes() + 1, SIZE_MAX);
  json.key("confusion").begin_object();
  json.field("threshold", threshold).field("iou", iou);
  json.key("classes").begin_array();
  std::size_t shown = 0;
  for (std::size_t k = 0; k < matrix.classes(); ++k) {
    if (per_class[k].truths > 0 || per_class[k].predictions > 0) {
      place[k] = shown++;
      json.value(class_names[k]);
    }
  }
  place[background] = shown;
  json.end_array().key("cells").begin_array();
  for (std::size_t truth = 0; truth <= background; ++truth) {
    for (std::size_t predicted = 0; predicted <= background; ++predicted) {
      if (const std::int64_t count = matrix.at(truth, predicted); count > 0) {
        json.begin_array().value(place[truth]).value(place[predicted]).value(count).end_array();
      }
    }
  }
  json.end_array().end_object();
}

void write_calibration(JsonWriter& json, const Calibration& calibration) {
  json.key("calibration").begin_object().key("bins").begin_array();
  for (const ReliabilityBin& bin : calibration.bins) {
    json.begin_object().field("from", bin.least).field("to", bin.greatest).field("predictions", bin.count);
    json.field("mean_score", bin.mean_score).field("accuracy", bin.accuracy).end_object();
  }
  json.end_array().field("expected_error", calibration.expected_error).field("greatest_error", calibration.greatest_error);
  json.field("scores_outside", calibration.scores_outside).end_object();
}

/// Where the thresholds are evenly spread, and where the truths found are: both plots of a curve stay smooth. And where the
/// threshold of the evaluation cuts, so that its own numbers can be read off.
std::vector<std::size_t> drawn_points(const ScoreCurve& curve, const std::optional<double>& threshold) {
  const std::vector<double>& thresholds = curve.thresholds();
  std::vector<std::size_t> points;
  if (thresholds.size() <= 2 * kCurvePoints) {
    for (std::size_t i = 0; i < thresholds.size(); ++i) {
      points.push_back(i);
    }
    return points;
  }
  std::set<std::size_t> chosen;
  const double highest = thresholds.front();
  const double step = (highest - thresholds.back()) / static_cast<double>(kCurvePoints - 1);
  const std::int64_t found = curve.counts(curve.size() - 1).true_positives;
  double next_threshold = highest;
  std::int64_t next_part = 0;
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    const bool is_next = thresholds[i] <= next_threshold;
    const bool finds_next = curve.counts(i).true_positives * static_cast<std::int64_t>(kCurvePoints) >= next_part * found;
    const bool is_last = i + 1 == thresholds.size();
    const bool is_chosen = threshold && thresholds[i] >= *threshold && (is_last || thresholds[i + 1] < *threshold);
    if (is_next || finds_next || is_last || is_chosen) {
      chosen.insert(i);
    }
    while (is_next && thresholds[i] <= next_threshold && step > 0) {
      next_threshold -= step;
    }
    while (curve.counts(i).true_positives * static_cast<std::int64_t>(kCurvePoints) >= next_part * found &&
           next_part <= static_cast<std::int64_t>(kCurvePoints)) {
      ++next_part;
    }
  }
  return {chosen.begin(), chosen.end()};
}

void write_curve(JsonWriter& json, const ScoreCurve& curve, const std::optional<double>& threshold) {
  const std::vector<std::size_t> points = drawn_points(curve, threshold);
  json.begin_object().field("truths", curve.truths()).key("threshold").begin_array();
  for (const std::size_t i : points) {
    json.value(curve.thresholds()[i]);
  }
  json.end_array().key("tp").begin_array();
  for (const std::size_t i : points) {
    json.value(curve.counts(i).true_positives);
  }
  json.end_array().key("fp").begin_array();
  for (const std::size_t i : points) {
    json.value(curve.counts(i).false_positives);
  }
  json.end_array().end_object();
}

void write_curves(JsonWriter& json, const ScoreCurves& curves, const std::vector<std::string>& class_names,
                  const std::optional<double>& threshold) {
  json.key("curves").begin_object().key("overall");
  write_curve(json, curves.overall, threshold);
  json.key("per_class").begin_object();
  for (std::size_t k = 0; k < curves.per_class.size(); ++k) {
    if (curves.per_class[k].truths() > 0 || curves.per_class[k].size() > 0) {
      json.key(class_names[k]);
      write_curve(json, curves.per_class[k], threshold);
    }
  }
  json.end_object().end_object();
}

void write_distribution(JsonWriter& json, std::string_view name, const Distribution& distribution) {
  const auto write = [&](std::string_view member, const std::array<std::int64_t, Distribution::kParts>& counts) {
    json.key(member).begin_array();
    for (const std::int64_t count : counts) {
      json.value(count);
    }
    json.end_array();
  };
  json.key(name).begin_object().field("from", 0).field("to", 1);
  write("tp", distribution.right);
  write("fp", distribution.wrong);
  json.field("outside", distribution.outside).end_object();
}

/// What numbers are called, and which are told.
struct PointNames {
  std::string ap;
  bool are_of_images = false;  ///< classes of whole images
  bool has_shares = false;     ///< of the images
};

PointNames names_of(const EvaluateSetsOptions& options) {
  return {options.ap_name(), options.is_classification(), options.is_classification()};
}

PointNames names_of_class(const EvaluateSetsOptions& options) {
  return {options.ap_name(), options.is_classification(), false};
}

/// Calls `write(name, number)` for each number that is told, in the order of documents.
template <typename Number, typename Write>
void for_each_number(const PointNumbers<Number>& numbers, const PointNames& names, const Write& write) {
  if (names.has_shares) {
    write("accuracy", numbers.accuracy);
    write("top_2", numbers.top_2);
    write("top_3", numbers.top_3);
    write("top_4", numbers.top_4);
    write("top_5", numbers.top_5);
    write("exact_match", numbers.exact_match);
  }
  write(names.ap, numbers.ap);
  if (names.are_of_images) {
    write("roc_auc", numbers.roc_auc);
  }
  write("precision", numbers.precision);
  write("recall", numbers.recall);
  write("f1", numbers.f1);
}

void write_point_metrics(JsonWriter& json, const PointMetrics& metrics, const PointNames& names) {
  for_each_number(metrics, names, [&](std::string_view name, const std::optional<double>& number) { json.field(name, number); });
}

void write_point_intervals(JsonWriter& json, const PointMetricIntervals& intervals, const PointNames& names) {
  json.key("intervals").begin_object();
  for_each_number(intervals, names,
                  [&](std::string_view name, const std::optional<Interval>& interval) { write_interval(json, name, interval); });
  json.end_object();
}

void write_intervals(JsonWriter& json, const EvaluationIntervals& of_evaluation, const std::vector<std::string>& class_names,
                     const std::optional<double>& threshold, const EvaluateSetsOptions& options) {
  const auto& [metrics, intervals] = of_evaluation;
  const auto write = [&](std::string_view name, const PointMetrics& numbers, const PointMetricIntervals& intervals_of_numbers,
                         const PointNames& names) {
    json.key(name).begin_object().key("metrics").begin_object();
    write_point_metrics(json, numbers, names);
    json.end_object();
    write_point_intervals(json, intervals_of_numbers, names);
    json.end_object();
  };
  json.key("intervals").begin_object();
  json.field("iou", options.is_classification() ? std::nullopt : std::optional(options.least_iou())).field("threshold", threshold);
  json.field("confidence", options.bootstrap.confidence).field("resamples", options.bootstrap.resamples);
  write("overall", metrics.overall, intervals.overall, names_of(options));
  json.key("per_class").begin_object();
  for (std::size_t k = 0; k < class_names.size(); ++k) {
    write(class_names[k], metrics.per_class[k], intervals.per_class[k], names_of_class(options));
  }
  json.end_object().end_object();
}

void write_scenarios(JsonWriter& json, const std::vector<ScenarioEvaluation>& scenarios, const EvaluateSetsOptions& options) {
  const PointNames names = names_of(options);
  const bool is_coco = protocol_from(options.protocol) == Protocol::coco;
  json.key("scenarios").begin_array();
  for (const ScenarioEvaluation& one : scenarios) {
    json.begin_object().field("name", one.scenario.name).field("where", one.scenario.where);
    json.field("samples", one.samples).field("truths", one.truths).field("predictions", one.predictions);
    json.key("metrics").begin_object();
    if (is_coco) {
      json.field("mAP", one.map);
    }
    write_point_metrics(json, one.metrics, names);
    json.end_object();
    write_point_intervals(json, one.intervals, names);
    json.end_object();
  }
  json.end_array();
}

void write_compared(JsonWriter& json, std::string_view name, const ComparedNumber& number) {
  json.key(name).begin_object().field("this", number.first).field("other", number.other);
  json.field("difference", number.first && number.other ? std::optional(*number.first - *number.other) : std::nullopt);
  write_interval(json, "interval", number.difference);
  json.end_object();
}

/// `own_name` is that of the protocol's first number, where the comparison has it.
void write_comparison(JsonWriter& json, const SetComparison& comparison, std::string_view own_name,
                      const std::vector<std::string>& class_names, const EvaluateSetsOptions& options) {
  const PointNames names = names_of(options);
  const auto& [overall, per_class] = comparison.numbers;
  json.key("comparison").begin_object().field("predictions", comparison.other_predictions);
  json.field("threshold", comparison.other_threshold);
  json.key("metrics").begin_object();
  if (comparison.own) {
    write_compared(json, own_name, *comparison.own);
  }
  for_each_number(overall, names, [&](std::string_view name, const ComparedNumber& number) { write_compared(json, name, number); });
  json.end_object().key("per_class").begin_object();
  for (std::size_t k = 0; k < per_class.size(); ++k) {
    json.key(class_names[k]).begin_object();
    if (comparison.own) {
      write_compared(json, "AP", comparison.own_ap_per_class[k]);
    }
    write_compared(json, names.ap, per_class[k].ap);
    if (names.are_of_images) {
      write_compared(json, "roc_auc", per_class[k].roc_auc);
    }
    write_compared(json, "f1", per_class[k].f1);
    json.end_object();
  }
  json.end_object().end_object();
}

void write_judged_label(JsonWriter& json, const JudgedLabel& label, const std::vector<std::string>& class_names) {
  const bool is_error = label.error.kind != ErrorKind::none;
  json.begin_object().field("role", label.is_truth ? "truth" : "prediction").field("class", class_names[label.category]);
  json.key("box");
  if (const std::optional<Box>& box = label.box_xywh_px) {
    json.begin_array().value(box->x).value(box->y).value(box->w).value(box->h).end_array();
  } else {
    json.null();
  }
  json.field("score", label.score).field("outcome", name_of(label.outcome.outcome));
  json.field("error", is_error ? std::optional(name_of(label.error.kind)) : std::nullopt);
  const bool has_iou = is_error ? label.error.about != kNoPartner : label.outcome.partner != kNoPartner;
  const double iou = is_error ? label.error.iou : label.outcome.iou;
  json.field("iou", has_iou ? std::optional(iou) : std::nullopt).end_object();
}

void write_worst(JsonWriter& json, const std::vector<JudgedImage>& worst, const std::vector<std::string>& class_names,
                 const std::function<std::string(const JudgedImage&)>& thumbnail_of) {
  json.key("worst").begin_array();
  for (const JudgedImage& image : worst) {
    json.begin_object().field("sample", image.id).field("name", image.name);
    json.field("width", image.width).field("height", image.height);
    write_counts(json, image.counts);
    json.field("f1", image.counts.f1());
    if (thumbnail_of) {
      const std::string thumbnail = thumbnail_of(image);
      json.field("thumbnail", thumbnail.empty() ? std::nullopt : std::optional(thumbnail));
    }
    json.key("labels").begin_array();
    for (const JudgedLabel& label : image.labels) {
      write_judged_label(json, label, class_names);
    }
    json.end_array().end_object();
  }
  json.end_array();
}

void write_average(JsonWriter& json, std::string_view name, const ClassificationAverage& average) {
  json.key(name).begin_object().field("precision", average.precision).field("recall", average.recall).field("f1", average.f1);
  json.field("roc_auc", average.roc_auc).field("average_precision", average.average_precision).end_object();
}

}  // namespace

std::string evaluation_json(const SetEvaluation& result, const EvaluateSetsOptions& options,
                            const std::function<std::string(const JudgedImage&)>& thumbnail_of) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("evaluation").begin_object();
  json.field("predictions", options.predictions).field("truth", options.truth).field("protocol", options.protocol);
  json.field("iou_type", options.overlap_type() == IouType::mask ? "mask" : "box").field("iou", options.least_iou());
  json.field("max_detections", max_detections_of(protocol_from(options.protocol)));
  json.field("where", options.where).field("name", options.truth_is_file() ? std::nullopt : std::optional(options.key()));
  json.end_object();
  write_metrics(json, result);
  write_classes(json, result);
  write_coverage(json, result);
  if (result.intervals) {
    write_intervals(json, *result.intervals, result.class_names, result.evaluation.at_threshold.threshold, options);
  }
  if (!options.scenarios.empty()) {
    write_scenarios(json, result.scenarios, options);
  }
  if (result.comparison) {
    write_comparison(json, *result.comparison, result.numbers.metrics.front().first, result.class_names, options);
  }
  if (result.details) {
    write_errors(json, *result.details, options.ap_name());
    write_confusion(json, result.details->confusion, result.evaluation.per_class, result.class_names, result.details->threshold,
                    options.least_iou());
    write_calibration(json, result.details->calibration);
    write_curves(json, result.details->curves, result.class_names, result.details->threshold);
    json.key("distributions").begin_object();
    write_distribution(json, "confidence", result.details->scores);
    write_distribution(json, "iou", result.details->overlaps);
    json.end_object();
    write_worst(json, result.worst, result.class_names, thumbnail_of);
  }
  json.end_object();
  return out + "\n";
}

std::string classification_json(const SetClassification& classification, const EvaluateSetsOptions& options,
                                const std::function<std::string(const JudgedImage&)>& thumbnail_of) {
  const ClassificationResult& result = classification.result;
  const std::optional<double>& threshold = result.at_threshold.threshold;
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("evaluation").begin_object();
  json.field("predictions", options.predictions).field("truth", options.truth).field("protocol", options.protocol);
  json.field("threshold", threshold).field("where", options.where).field("name", options.key()).end_object();
  json.key("metrics").begin_object().field("accuracy", result.accuracy());
  for (std::size_t k = 1; k <= ClassificationResult::kLargestK; ++k) {
    json.field(fmt::format("top_{}", k), result.top_k(k));
  }
  json.end_object().field("exact_match", result.exact_match()).key("averages").begin_object();
  write_average(json, "micro", result.micro);
  write_average(json, "macro", result.macro);
  write_average(json, "weighted", result.weighted);
  json.end_object().key("per_class").begin_object();
  for (std::size_t i = 0; i < result.per_class.size(); ++i) {
    const ClassificationOfClass& of_class = result.per_class[i];
    const Counts& counts = of_class.counts;
    json.key(classification.class_names[i]).begin_object();
    json.field("precision", counts.precision()).field("recall", counts.recall()).field("f1", counts.f1());
    write_counts(json, counts);
    json.field("roc_auc", of_class.roc_auc).field("average_precision", of_class.average_precision);
    json.field("truths", of_class.truths).field("predictions", of_class.predictions);
    json.field("best_threshold", of_class.best_f1.threshold).field("best_f1", of_class.best_f1.counts.f1()).end_object();
  }
  json.end_object().key("coverage").begin_object();
  write_common_coverage(json, classification.coverage);
  json.field("truths_counted", classification.truths_counted());
  json.field("truths_repeated", result.truths_repeated).field("predictions_repeated", result.predictions_repeated);
  json.field("predictions_not_best", result.predictions_not_best);
  json.field("without_prediction", result.images_without_prediction);
  json.field("without_class_in_truth", classification.coverage.samples_without_class);
  json.field("labels_of_absence", classification.coverage.labels_of_absence);
  write_names_alike(json, classification.names_alike);
  json.end_object();
  if (classification.intervals) {
    write_intervals(json, *classification.intervals, classification.class_names, threshold, options);
  }
  if (!options.scenarios.empty()) {
    write_scenarios(json, classification.scenarios, options);
  }
  if (classification.comparison) {
    write_comparison(json, *classification.comparison, "", classification.class_names, options);
  }
  if (const std::optional<ClassificationDetails>& details = classification.details) {
    write_confusion(json, details->confusion, result.per_class, classification.class_names, threshold, std::nullopt);
    write_calibration(json, details->calibration);
    write_curves(json, details->curves, classification.class_names, threshold);
    json.key("distributions").begin_object();
    write_distribution(json, "confidence", details->scores);
    json.end_object();
    write_worst(json, classification.worst, classification.class_names, thumbnail_of);
  }
  json.end_object();
  return out + "\n";
}

}  // namespace verilabel
