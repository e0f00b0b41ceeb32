#include "verilabel/workflow/judged.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace verilabel {
namespace {

constexpr std::size_t kWorstImages = 24;

/// A truth, or a prediction at or above the threshold.
bool is_shown(const LabelOutcome& outcome) {
  return outcome.outcome != Outcome::ignored || outcome.partner != kNoPartner;
}

}  // namespace

EvaluateOptions evaluate_options_of(const EvaluateSetsOptions& options) {
  const Protocol protocol = protocol_from(options.protocol);
  const std::uint32_t limit = max_detections_of(protocol).value_or(std::numeric_limits<std::uint32_t>::max());
  return {.iou_type = options.overlap_type(),
          .iou = options.least_iou(),
          .threshold = options.threshold,
          .max_detections = limit,
          .max_detections_of_image = protocol == Protocol::lvis ? limit : 0};
}

std::vector<Counts> counts_of_images(std::size_t images, std::span<const std::uint32_t> image_of_truth,
                                     std::span<const std::uint32_t> image_of_prediction, const Outcomes& outcomes) {
  std::vector<Counts> counts(images);
  for (std::size_t i = 0; i < image_of_truth.size(); ++i) {
    const Outcome outcome = outcomes.truths[i].outcome;
    counts[image_of_truth[i]].true_positives += outcome == Outcome::tp ? 1 : 0;
    counts[image_of_truth[i]].false_negatives += outcome == Outcome::fn ? 1 : 0;
  }
  for (std::size_t i = 0; i < image_of_prediction.size(); ++i) {
    counts[image_of_prediction[i]].false_positives += outcomes.predictions[i].outcome == Outcome::fp ? 1 : 0;
  }
  return counts;
}

std::vector<JudgedImage> worst_images(const EvaluationInput& input, const Outcomes& outcomes, const LabelErrors& errors) {
  const std::vector<Counts> counts = counts_of_images(input.images.size(), input.truths.image, input.predictions.image, outcomes);
  const auto errors_on = [&](std::uint32_t image) { return counts[image].false_positives + counts[image].false_negatives; };
  std::vector<double> surest_error(counts.size(), -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    if (outcomes.predictions[i].outcome == Outcome::fp) {
      double& surest = surest_error[input.predictions.image[i]];
      surest = std::max(surest, input.predictions.score[i]);
    }
  }
  std::vector<std::uint32_t> order;
  for (std::uint32_t image = 0; image < counts.size(); ++image) {
    if (errors_on(image) > 0) {
      order.push_back(image);
    }
  }
  std::ranges::sort(order, {}, [&](std::uint32_t image) {
    return std::tuple(-errors_on(image), counts[image].f1().value_or(1), -surest_error[image], input.images.id[image]);
  });
  order.resize(std::min(order.size(), kWorstImages));

  constexpr std::uint32_t not_worst = UINT32_MAX;
  std::vector<std::uint32_t> place(counts.size(), not_worst);
  std::vector<JudgedImage> worst;
  for (const std::uint32_t image : order) {
    place[image] = static_cast<std::uint32_t>(worst.size());
    JudgedImage judged;
    judged.id = input.images.id[image];
    judged.name = input.images.name.empty() ? "" : input.images.name[image];
    judged.counts = counts[image];
    worst.push_back(std::move(judged));
  }
  const auto box_of = [](const std::vector<Box>& boxes, std::size_t i) {
    return boxes.empty() ? std::nullopt : std::optional(boxes[i]);
  };
  const auto error_of = [](const std::vector<LabelError>& of_labels, std::size_t i) {
    return of_labels.empty() ? LabelError() : of_labels[i];
  };
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    const std::uint32_t at = place[input.truths.image[i]];
    if (at != not_worst) {
      worst[at].labels.push_back({true, input.truths.category[i], box_of(input.truths.box_xywh_px, i), std::nullopt,
                                  outcomes.truths[i], error_of(errors.truths, i)});
    }
  }
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    const std::uint32_t at = place[input.predictions.image[i]];
    if (at != not_worst && is_shown(outcomes.predictions[i])) {
      worst[at].labels.push_back({false, input.predictions.category[i], box_of(input.predictions.box_xywh_px, i),
                                  input.predictions.score[i], outcomes.predictions[i], error_of(errors.predictions, i)});
    }
  }
  return worst;
}

EvaluationIntervals evaluation_intervals(const EvaluationInput& input, const Evaluation& evaluation,
                                         const BootstrapOptions& bootstrap) {
  const ResampledMetrics metrics(input, evaluation.outcomes, evaluation.at_threshold.threshold);
  return {metrics.once(), bootstrap_metrics_by_class(metrics, bootstrap)};
}

SetComparison compare_predictions(const ComparedPredictions& first, const ComparedPredictions& other,
                                  const EvaluateSetsOptions& options) {
  const auto metrics_of = [](const ComparedPredictions& side) {
    return ResampledMetrics(side.input, side.evaluation.outcomes, side.evaluation.at_threshold.threshold);
  };
  SetComparison comparison;
  comparison.other_predictions = options.compare;
  comparison.other_threshold = other.evaluation.at_threshold.threshold;
  comparison.numbers = compared_numbers(metrics_of(first), metrics_of(other), options.bootstrap);
  comparison.own = {first.numbers.metrics.front().second, other.numbers.metrics.front().second, std::nullopt};
  for (std::size_t k = 0; k < first.numbers.ap_per_class.size(); ++k) {
    comparison.own_ap_per_class.push_back({first.numbers.ap_per_class[k], other.numbers.ap_per_class[k], std::nullopt});
  }
  return comparison;
}

PointNumbersByClass<ComparedNumber> compared_numbers(const ResampledMetrics& first, const ResampledMetrics& other,
                                                     const BootstrapOptions& bootstrap) {
  const auto compare = [](const PointMetrics& a, const PointMetrics& b, const PointMetricIntervals& difference) {
    PointNumbers<ComparedNumber> numbers;
    for (std::size_t i = 0; i < kPointNumbers<ComparedNumber>.size(); ++i) {
      const auto number = kPointNumbers<std::optional<double>>[i];
      numbers.*kPointNumbers<ComparedNumber>[i] = {a.*number, b.*number, difference.*kPointNumbers<std::optional<Interval>>[i]};
    }
    return numbers;
  };
  const PointMetricsByClass a = first.once();
  const PointMetricsByClass b = other.once();
  const PointMetricIntervalsByClass differences = bootstrap_differences(first, other, bootstrap);
  PointNumbersByClass<ComparedNumber> numbers;
  numbers.overall = compare(a.overall, b.overall, differences.overall);
  for (std::size_t k = 0; k < a.per_class.size(); ++k) {
    numbers.per_class.push_back(compare(a.per_class[k], b.per_class[k], differences.per_class[k]));
  }
  return numbers;
}

}  // namespace verilabel
