#include "verilabel/evaluate/resampled_metrics.h"

#include <algorithm>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/average_precision.h"

namespace verilabel {
namespace {

using NumberOf = std::optional<double> PointMetrics::*;
using IntervalOf = std::optional<Interval> PointMetricIntervals::*;
constexpr std::pair<NumberOf, IntervalOf> kNumbers[] = {{&PointMetrics::ap, &PointMetricIntervals::ap},
                                                        {&PointMetrics::precision, &PointMetricIntervals::precision},
                                                        {&PointMetrics::recall, &PointMetricIntervals::recall},
                                                        {&PointMetrics::f1, &PointMetricIntervals::f1}};

/// `measure` gives the numbers of one resample.
template <typename Measure>
PointMetricIntervals intervals_of(std::size_t images, const BootstrapOptions& options, const Measure& measure) {
  options.validate();
  if (images < 2) {
    return {};
  }
  std::vector<PointMetrics> resamples(static_cast<std::size_t>(options.resamples));
  for_each_in_parallel(resamples.size(), options.threads,
                       [&](std::size_t i) { resamples[i] = measure(resample_counts(images, options.seed, i)); });
  PointMetricIntervals intervals;
  for (const auto& [number, interval] : kNumbers) {
    std::vector<double> values;
    for (const PointMetrics& of_resample : resamples) {
      if (of_resample.*number) {
        values.push_back(*(of_resample.*number));
      }
    }
    intervals.*interval = percentile_interval(std::move(values), options.confidence);
  }
  return intervals;
}

}  // namespace

ResampledMetrics::ResampledMetrics(const EvaluationInput& input, const Outcomes& outcomes, std::optional<double> threshold)
    : classes_(input.classes.size()), at_threshold_(input.images.size()) {
  if (outcomes.predictions.size() != input.predictions.size() || outcomes.truths.size() != input.truths.size()) {
    throw Error(ErrorCode::wrong_use, "these outcomes are of other truths and predictions");
  }
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    if (outcomes.truths[i].outcome != Outcome::ignored) {
      classes_[input.truths.category[i]].truth_images.push_back(input.truths.image[i]);
      ++at_threshold_[input.truths.image[i]].false_negatives;
    }
  }
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    const Outcome outcome = outcomes.predictions[i].outcome;
    if (outcome == Outcome::ignored) {
      continue;
    }
    const std::uint32_t image = input.predictions.image[i];
    const double score = input.predictions.score[i];
    const bool is_right = outcome == Outcome::tp;
    classes_[input.predictions.category[i]].predictions.push_back({score, image, is_right});
    if (threshold && score < *threshold) {
      continue;
    }
    Counts& counts = at_threshold_[image];
    ++(is_right ? counts.true_positives : counts.false_positives);
    counts.false_negatives -= is_right ? 1 : 0;
  }
  const std::vector<std::int64_t>& id = input.images.id;
  for (OfClass& of_class : classes_) {
    std::stable_sort(of_class.predictions.begin(), of_class.predictions.end(), [&](const Scored& a, const Scored& b) {
      return a.score != b.score ? a.score > b.score : id[a.image] < id[b.image];
    });
  }
}

PointMetrics ResampledMetrics::over(std::span<const std::uint32_t> times_of_image) const {
  Counts all;
  for (std::size_t image = 0; image < at_threshold_.size(); ++image) {
    const std::int64_t times = times_of_image[image];
    all.true_positives += times * at_threshold_[image].true_positives;
    all.false_positives += times * at_threshold_[image].false_positives;
    all.false_negatives += times * at_threshold_[image].false_negatives;
  }
  PointMetrics metrics;
  metrics.precision = all.precision();
  metrics.recall = all.recall();
  metrics.f1 = all.f1();

  // An image that counts n times is n images side by side: of one score, all its predictions come, and then all of them again.
  double sum = 0;
  std::int64_t classes_with_truth = 0;
  std::vector<double> precision_at_hit;
  for (const OfClass& of_class : classes_) {
    std::int64_t truths = 0;
    for (const std::uint32_t image : of_class.truth_images) {
      truths += times_of_image[image];
    }
    if (truths == 0) {
      continue;
    }
    ++classes_with_truth;
    precision_at_hit.clear();
    std::int64_t seen = 0;
    const std::vector<Scored>& predictions = of_class.predictions;
    for (std::size_t begin = 0, end = 0; begin < predictions.size(); begin = end) {
      const Scored& first = predictions[begin];
      while (end < predictions.size() && predictions[end].score == first.score && predictions[end].image == first.image) {
        ++end;
      }
      for (std::uint32_t time = 0; time < times_of_image[first.image]; ++time) {
        for (std::size_t i = begin; i < end; ++i) {
          ++seen;
          if (predictions[i].is_right) {
            precision_at_hit.push_back(static_cast<double>(precision_at_hit.size() + 1) / static_cast<double>(seen));
          }
        }
      }
    }
    sum += average_precision_of(precision_at_hit, truths, coco_recall);
  }
  if (classes_with_truth > 0) {
    metrics.ap = sum / static_cast<double>(classes_with_truth);
  }
  return metrics;
}

PointMetrics ResampledMetrics::once() const {
  return over(std::vector<std::uint32_t>(images(), 1));
}

PointMetricIntervals bootstrap_metrics(const ResampledMetrics& metrics, const BootstrapOptions& options) {
  return intervals_of(metrics.images(), options, [&](const std::vector<std::uint32_t>& times) { return metrics.over(times); });
}

PointMetricIntervals bootstrap_differences(const ResampledMetrics& first, const ResampledMetrics& second,
                                           const BootstrapOptions& options) {
  if (first.images() != second.images()) {
    throw Error(ErrorCode::wrong_use, "a comparison needs the same images on both sides");
  }
  return intervals_of(first.images(), options, [&](const std::vector<std::uint32_t>& times) {
    const PointMetrics a = first.over(times);
    const PointMetrics b = second.over(times);
    PointMetrics difference;
    for (const auto& [number, interval] : kNumbers) {
      if (a.*number && b.*number) {
        difference.*number = *(a.*number) - *(b.*number);
      }
    }
    return difference;
  });
}

}  // namespace verilabel
