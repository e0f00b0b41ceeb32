#include "verilabel/evaluate/resampled_metrics.h"

#include <algorithm>
#include <numeric>
#include <type_traits>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/average_precision.h"
#include "verilabel/evaluate/input_check.h"
#include "verilabel/evaluate/ranking_areas.h"

namespace verilabel {
namespace {

using NumberOf = std::optional<double> PointMetrics::*;
using IntervalOf = std::optional<Interval> PointMetricIntervals::*;
constexpr std::pair<NumberOf, IntervalOf> kNumbers[] = {{&PointMetrics::ap, &PointMetricIntervals::ap},
                                                        {&PointMetrics::precision, &PointMetricIntervals::precision},
                                                        {&PointMetrics::recall, &PointMetricIntervals::recall},
                                                        {&PointMetrics::f1, &PointMetricIntervals::f1},
                                                        {&PointMetrics::right_images, &PointMetricIntervals::right_images}};

template <typename Metrics>
PointMetricIntervals intervals_of(std::size_t resamples, double confidence, const Metrics& metrics_of) {
  PointMetricIntervals intervals;
  for (const auto& [number, interval] : kNumbers) {
    std::vector<double> values;
    for (std::size_t i = 0; i < resamples; ++i) {
      if (const std::optional<double>& value = metrics_of(i).*number) {
        values.push_back(*value);
      }
    }
    intervals.*interval = percentile_interval(std::move(values), confidence);
  }
  return intervals;
}

/// What `measure` gives of each resample; nothing where one image says nothing of others.
template <typename Measure>
auto on_resamples(std::size_t images, const BootstrapOptions& options, const Measure& measure) {
  options.validate();
  std::vector<std::invoke_result_t<Measure, std::vector<std::uint32_t>>> resamples;
  if (images >= 2) {
    resamples.resize(static_cast<std::size_t>(options.resamples));
    for_each_in_parallel(resamples.size(), options.threads,
                         [&](std::size_t i) { resamples[i] = measure(resample_counts(images, options.seed, i)); });
  }
  return resamples;
}

PointMetricIntervalsByClass intervals_by_class(std::size_t classes, const BootstrapOptions& options,
                                               const std::vector<PointMetricsByClass>& resamples) {
  PointMetricIntervalsByClass intervals;
  intervals.overall = intervals_of(resamples.size(), options.confidence,
                                   [&](std::size_t i) -> const PointMetrics& { return resamples[i].overall; });
  for (std::size_t k = 0; k < classes; ++k) {
    intervals.per_class.push_back(intervals_of(resamples.size(), options.confidence,
                                               [&](std::size_t i) -> const PointMetrics& { return resamples[i].per_class[k]; }));
  }
  return intervals;
}

/// Undefined where one of the two is.
void subtract(PointMetrics& metrics, const PointMetrics& subtracted) {
  for (const auto& [number, interval] : kNumbers) {
    std::optional<double>& value = metrics.*number;
    value = value && subtracted.*number ? std::optional(*value - *(subtracted.*number)) : std::nullopt;
  }
}

}  // namespace

ResampledMetrics::ResampledMetrics(const EvaluationInput& input, const Outcomes& outcomes, std::optional<double> threshold)
    : images_(input.images.size()), threshold_(threshold), classes_(rows_of(input, outcomes)) {}

ResampledMetrics::ResampledMetrics(const ClassificationInput& input, const ClassificationOutcomes& outcomes,
                                   std::optional<double> threshold, std::span<const std::uint8_t> is_image_right)
    : images_(input.images.size()),
      threshold_(threshold),
      classes_(rows_of(input, outcomes.calls)),
      one_against_all_(rows_of(input, outcomes.one_against_all)),
      is_image_right_(is_image_right.begin(), is_image_right.end()) {}

std::vector<ResampledMetrics::Rows> ResampledMetrics::rows_of(const EvaluationInput& input, const Outcomes& outcomes) {
  check_outcomes(input, outcomes);
  std::vector<Rows> classes(input.classes.size());
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    if (outcomes.truths[i].outcome != Outcome::ignored) {
      classes[input.truths.category[i]].truth_images.push_back(input.truths.image[i]);
    }
  }
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    if (const Outcome outcome = outcomes.predictions[i].outcome; outcome != Outcome::ignored) {
      classes[input.predictions.category[i]].predictions.push_back(
          {input.predictions.score[i], input.predictions.image[i], outcome == Outcome::tp});
    }
  }
  const std::vector<std::int64_t>& rank = input.images.ranks();
  for (Rows& of_class : classes) {
    std::stable_sort(of_class.predictions.begin(), of_class.predictions.end(), [&](const Scored& a, const Scored& b) {
      return a.score != b.score ? a.score > b.score : rank[a.image] < rank[b.image];
    });
  }
  return classes;
}

/// Average precision of a class against all others.
std::optional<double> ResampledMetrics::one_against_all(const Rows& rows, std::span<const std::uint32_t> times_of_image) {
  RankingAreas areas;
  for (std::size_t i = 0; i < rows.predictions.size();) {
    const double score = rows.predictions[i].score;
    std::int64_t right = 0;
    std::int64_t wrong = 0;
    for (; i < rows.predictions.size() && rows.predictions[i].score == score; ++i) {
      (rows.predictions[i].is_right ? right : wrong) += times_of_image[rows.predictions[i].image];
    }
    areas.add_level(right, wrong);
  }
  std::int64_t truths = 0;
  for (const std::uint32_t image : rows.truth_images) {
    truths += times_of_image[image];
  }
  areas.add_rest(truths, std::accumulate(times_of_image.begin(), times_of_image.end(), std::int64_t{0}));
  return areas.average_precision();
}

PointMetricsByClass ResampledMetrics::over(std::span<const std::uint32_t> times_of_image) const {
  const auto set_ratios = [](const Counts& counts, PointMetrics& metrics) {
    metrics.precision = counts.precision();
    metrics.recall = counts.recall();
    metrics.f1 = counts.f1();
  };
  PointMetricsByClass metrics;
  metrics.per_class.resize(classes_.size());
  Counts all;
  double sum = 0;
  std::int64_t classes_with_truth = 0;
  std::vector<double> precision_at_hit;
  for (std::size_t k = 0; k < classes_.size(); ++k) {
    std::int64_t truths = 0;
    for (const std::uint32_t image : classes_[k].truth_images) {
      truths += times_of_image[image];
    }
    // An image that counts n times is n images side by side: of one score, all its predictions come, and then all of them again.
    Counts counts;
    precision_at_hit.clear();
    std::int64_t seen = 0;
    const std::vector<Scored>& predictions = classes_[k].predictions;
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
      if (!threshold_ || first.score >= *threshold_) {
        counts.true_positives = static_cast<std::int64_t>(precision_at_hit.size());
        counts.false_positives = seen - counts.true_positives;
      }
    }
    counts.false_negatives = truths - counts.true_positives;
    set_ratios(counts, metrics.per_class[k]);
    all += counts;
    std::optional<double>& ap = metrics.per_class[k].ap;
    if (!one_against_all_.empty()) {
      ap = one_against_all(one_against_all_[k], times_of_image);
    } else if (truths > 0) {
      ap = average_precision_of(precision_at_hit, truths);
    }
    if (ap) {
      sum += *ap;
      ++classes_with_truth;
    }
  }
  set_ratios(all, metrics.overall);
  if (classes_with_truth > 0) {
    metrics.overall.ap = sum / static_cast<double>(classes_with_truth);
  }
  std::int64_t right_images = 0;
  std::int64_t all_images = 0;
  for (std::size_t image = 0; image < is_image_right_.size(); ++image) {
    right_images += is_image_right_[image] != 0 ? times_of_image[image] : 0;
    all_images += times_of_image[image];
  }
  if (all_images > 0) {
    metrics.overall.right_images = static_cast<double>(right_images) / static_cast<double>(all_images);
  }
  return metrics;
}

PointMetricsByClass ResampledMetrics::once() const {
  return over(std::vector<std::uint32_t>(images(), 1));
}

PointMetricIntervals bootstrap_metrics(const ResampledMetrics& metrics, const BootstrapOptions& options) {
  const auto resamples =
      on_resamples(metrics.images(), options, [&](const std::vector<std::uint32_t>& times) { return metrics.over(times).overall; });
  return intervals_of(resamples.size(), options.confidence, [&](std::size_t i) -> const PointMetrics& { return resamples[i]; });
}

PointMetricIntervalsByClass bootstrap_metrics_by_class(const ResampledMetrics& metrics, const BootstrapOptions& options) {
  return intervals_by_class(metrics.classes(), options,
                            on_resamples(metrics.images(), options, [&](const auto& times) { return metrics.over(times); }));
}

PointMetricIntervalsByClass bootstrap_differences(const ResampledMetrics& first, const ResampledMetrics& second,
                                                  const BootstrapOptions& options) {
  if (first.images() != second.images() || first.classes() != second.classes()) {
    throw Error(ErrorCode::wrong_use, "a comparison needs the same images and classes on both sides");
  }
  return intervals_by_class(first.classes(), options, on_resamples(first.images(), options, [&](const auto& times) {
                              PointMetricsByClass differences = first.over(times);
                              const PointMetricsByClass subtracted = second.over(times);
                              subtract(differences.overall, subtracted.overall);
                              for (std::size_t k = 0; k < differences.per_class.size(); ++k) {
                                subtract(differences.per_class[k], subtracted.per_class[k]);
                              }
                              return differences;
                            }));
}

}  // namespace verilabel
