#include "verilabel/evaluate/resampled_metrics.h"

#include <random>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/error_kind.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

constexpr double kTolerance = 1e-12;

EvaluationInput random_input(unsigned seed, std::size_t images, std::size_t classes) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> place(0, 60);
  std::uniform_int_distribution<int> score(1, 8);  // few scores: ties within and across images
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < images; ++i) {
    ids.push_back(static_cast<std::int64_t>(3 * i + 1));
  }
  EvaluationInput input = input_of(std::move(ids), classes);
  for (std::uint32_t image = 0; image < images; ++image) {
    for (unsigned i = 0; i < random() % 5; ++i) {
      const Box box{place(random), place(random), 20, 20};
      const auto category = static_cast<std::uint32_t>(random() % classes);
      add(input, TruthRow{image, category, box, random() % 8 == 0});
      if (random() % 3 != 0) {
        add(input, PredictionRow{image, category, {box.x + 2, box.y, 20, 20}, score(random) / 10.0});
      }
    }
    for (unsigned i = 0; i < random() % 4; ++i) {
      add(input,
          PredictionRow{
              image, static_cast<std::uint32_t>(random() % classes), {place(random), place(random), 15, 15}, score(random) / 10.0});
    }
  }
  return input;
}

/// Each image as many times as `times` says, one after the other.
EvaluationInput repeated(const EvaluationInput& input, const std::vector<std::uint32_t>& times) {
  EvaluationInput all = input_of({}, input.classes.size());
  for (std::uint32_t image = 0; image < input.images.size(); ++image) {
    for (std::uint32_t time = 0; time < times[image]; ++time) {
      const auto copy = static_cast<std::uint32_t>(all.images.size());
      all.images.id.push_back(copy);
      for (std::size_t i = 0; i < input.truths.size(); ++i) {
        if (input.truths.image[i] == image) {
          add(all, TruthRow{copy, input.truths.category[i], input.truths.box_xywh_px[i], input.truths.is_crowd[i] != 0});
        }
      }
      for (std::size_t i = 0; i < input.predictions.size(); ++i) {
        if (input.predictions.image[i] == image) {
          add(all,
              PredictionRow{copy, input.predictions.category[i], input.predictions.box_xywh_px[i], input.predictions.score[i]});
        }
      }
    }
  }
  return all;
}

void expect_near(const std::optional<double>& a, const std::optional<double>& b) {
  ASSERT_EQ(a.has_value(), b.has_value());
  if (a) {
    EXPECT_NEAR(*a, *b, kTolerance);
  }
}

TEST(ResampledMetrics, CountingAnImageTwiceIsEvaluatingItTwice) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const EvaluationInput input = random_input(seed, 1 + seed % 12, 1 + seed % 3);
    const std::optional<double> threshold = seed % 4 == 0 ? std::nullopt : std::optional(0.1 * (seed % 9));
    const ResampledMetrics metrics(input, evaluate(input, {}).outcomes, threshold);
    const std::vector<std::uint32_t> times = resample_counts(input.images.size(), seed, 1);
    const PointMetrics got = metrics.over(times);

    const EvaluationInput again = repeated(input, times);
    const Evaluation evaluation = evaluate(again, {.threshold = threshold.value_or(0)});
    const Counts& counts = evaluation.at_threshold.counts;
    expect_near(got.precision, counts.precision());
    expect_near(got.recall, counts.recall());
    expect_near(got.f1, counts.f1());
    expect_near(got.ap, evaluation.coco.map_50);
    expect_near(metrics.once().ap, evaluate(input, {}).coco.map_50);
  }
}

TEST(ResampledMetrics, IntervalsHoldWhatTheResamplesSay) {
  const EvaluationInput input = random_input(7, 30, 2);
  const Outcomes outcomes = evaluate(input, {}).outcomes;
  const ResampledMetrics metrics(input, outcomes, 0.3);
  const BootstrapOptions options{.resamples = 50, .seed = 5};
  const PointMetricIntervals intervals = bootstrap_metrics(metrics, options);
  std::vector<double> f1;
  for (std::uint64_t i = 0; i < 50; ++i) {
    f1.push_back(metrics.over(resample_counts(30, 5, i)).f1.value());
  }
  const Interval expected = percentile_interval(f1, options.confidence).value();
  EXPECT_EQ(intervals.f1->low, expected.low);
  EXPECT_EQ(intervals.f1->high, expected.high);

  const PointMetricIntervals with_itself = bootstrap_differences(metrics, metrics, options);
  EXPECT_EQ(with_itself.ap->low, 0);
  EXPECT_EQ(with_itself.ap->high, 0);
  const ResampledMetrics strict(input, outcomes, 0.75);
  const PointMetricIntervals difference = bootstrap_differences(metrics, strict, options);
  EXPECT_GT(difference.recall->low, 0) << "fewer predictions never find more, on the same images";
}

TEST(ResampledMetrics, NothingToCountIsUndefinedAndMixedUpInputsAreRefused) {
  const EvaluationInput empty = input_of({1, 2});
  const Outcomes none = evaluate(empty, {}).outcomes;
  const ResampledMetrics metrics(empty, none, std::nullopt);
  EXPECT_FALSE(metrics.once().ap);
  EXPECT_FALSE(metrics.once().f1);
  EXPECT_FALSE(bootstrap_metrics(metrics, {.resamples = 3}).precision);
  EXPECT_THROW(bootstrap_metrics(metrics, {.resamples = 0}), Error);
  const EvaluationInput other = random_input(1, 3, 1);
  EXPECT_THROW(ResampledMetrics(other, none, std::nullopt), Error);
  EXPECT_THROW(bootstrap_differences(metrics, ResampledMetrics(other, evaluate(other, {}).outcomes, 0.5), {.resamples = 3}), Error);
}

}  // namespace
}  // namespace verilabel
