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

template <typename Metrics>
PointMetricIntervals intervals_of(std::size_t resamples, double confidence, const Metrics& metrics_of) {
  PointMetricIntervals intervals;
  for (std::size_t number = 0; number < kPointNumbers<std::optional<double>>.size(); ++number) {
    std::vector<double> values;
    for (std::size_t i = 0; i < resamples; ++i) {
      if (const std::optional<double>& value = metrics_of(i).*kPointNumbers<std::optional<double>>[number]) {
        values.push_back(*value);
      }
    }
    intervals.*kPointNumbers<std::optional<Interval>>[number] = percentile_interval(std::move(values), confidence);
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
  for (const auto number : kPointNumbers<std::optional<double>>) {
    std::optional<double>& value = metrics.*number;
    value = value && subtracted.*number ? std::optional(*value - *(subtracted.*number)) : std::nullopt;
  }
}

/// Over those that are defined.
struct Mean {
  double sum = 0;
  int count = 0;

  void add(const std::optional<double>& value) {
    sum += value.value_or(0);
    count += value ? 1 : 0;
  }
  std::optional<double> value() const { return count == 0 ? std::nullopt : std::optional(sum / count); }
};

}  // namespace

ResampledMetrics::ResampledMetrics(const EvaluationInput& input, const Outcomes& outcomes, std::optional<double> threshold)
    : images_(input.images.size()), threshold_(threshold), classes_(rows_of(input, outcomes)) {}

ResampledMetrics::ResampledMetrics(const ClassificationInput& input, const ClassificationOutcomes& outcomes,
                                   std::optional<double> threshold, ClassifiedImages of_images)
    : images_(input.images.size()),
      threshold_(threshold),
      classes_(rows_of(input, outcomes.calls)),
      one_against_all_(rows_of(input, outcomes.one_against_all)),
      of_images_(std::move(of_images)) {}

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

/// Of a class against all others.
ResampledMetrics::Areas ResampledMetrics::one_against_all(const Rows& rows, std::span<const std::uint32_t> times_of_image) {
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
  return {areas.roc_auc(), areas.average_precision()};
}

void ResampledMetrics::add_shares(std::span<const std::uint32_t> times_of_image, PointMetrics& overall) const {
  std::array<std::int64_t, ClassificationResult::kLargestK + 1> at_place{};
  std::int64_t exact = 0;
  std::int64_t images = 0;
  for (std::size_t image = 0; image < of_images_.is_exact.size(); ++image) {
    at_place[of_images_.right_place[image]] += times_of_image[image];
    exact += of_images_.is_exact[image] != 0 ? times_of_image[image] : 0;
    images += times_of_image[image];
  }
  if (images == 0) {
    return;
  }
  const auto share = [&](std::int64_t part) { return static_cast<double>(part) / static_cast<double>(images); };
  std::int64_t within = 0;
  std::size_t place = 0;
  for (const auto number :
       {&PointMetrics::accuracy, &PointMetrics::top_2, &PointMetrics::top_3, &PointMetrics::top_4, &PointMetrics::top_5}) {
    within += at_place[++place];
    overall.*number = share(within);
  }
  overall.exact_match = share(exact);
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
  Mean ap_mean;
  Mean roc_auc_mean;
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
    PointMetrics& of_class = metrics.per_class[k];
    if (!one_against_all_.empty()) {
      const Areas areas = one_against_all(one_against_all_[k], times_of_image);
      of_class.ap = areas.average_precision;
      of_class.roc_auc = areas.roc_auc;
    } else if (truths > 0) {
      of_class.ap = average_precision_of(precision_at_hit, truths);
    }
    ap_mean.add(of_class.ap);
    roc_auc_mean.add(of_class.roc_auc);
  }
  set_ratios(all, metrics.overall);
  metrics.overall.ap = ap_mean.value();
  metrics.overall.roc_auc = roc_auc_mean.value();
  add_shares(times_of_image, metrics.overall);
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
