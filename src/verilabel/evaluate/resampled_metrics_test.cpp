#include "verilabel/evaluate/resampled_metrics.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include <fmt/format.h>

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
    const PointMetricsByClass by_class = metrics.over(times);
    const PointMetrics& got = by_class.overall;

    const EvaluationInput again = repeated(input, times);
    const Evaluation evaluation = evaluate(again, {.threshold = threshold.value_or(0)});
    const Counts& counts = evaluation.at_threshold.counts;
    expect_near(got.precision, counts.precision());
    expect_near(got.recall, counts.recall());
    expect_near(got.f1, counts.f1());
    expect_near(got.ap, evaluation.coco.map_50);
    expect_near(metrics.once().overall.ap, evaluate(input, {}).coco.map_50);
    ASSERT_EQ(by_class.per_class.size(), input.classes.size());
    for (std::size_t k = 0; k < input.classes.size(); ++k) {
      const Counts& of_class = evaluation.per_class[k].at_threshold.counts;
      expect_near(by_class.per_class[k].precision, of_class.precision());
      expect_near(by_class.per_class[k].recall, of_class.recall());
      expect_near(by_class.per_class[k].f1, of_class.f1());
      expect_near(by_class.per_class[k].ap, evaluation.per_class[k].coco.ap_50);
    }
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
    f1.push_back(metrics.over(resample_counts(30, 5, i)).overall.f1.value());
  }
  const Interval expected = percentile_interval(f1, options.confidence).value();
  EXPECT_EQ(intervals.f1->low, expected.low);
  EXPECT_EQ(intervals.f1->high, expected.high);

  const PointMetricIntervals with_itself = bootstrap_differences(metrics, metrics, options).overall;
  EXPECT_EQ(with_itself.ap->low, 0);
  EXPECT_EQ(with_itself.ap->high, 0);
  const ResampledMetrics strict(input, outcomes, 0.75);
  const PointMetricIntervalsByClass differences = bootstrap_differences(metrics, strict, options);
  EXPECT_GT(differences.overall.recall->low, 0) << "fewer predictions never find more, on the same images";
  ASSERT_EQ(differences.per_class.size(), metrics.classes());
  for (std::size_t k = 0; k < metrics.classes(); ++k) {
    std::vector<double> found;
    for (int i = 0; i < options.resamples; ++i) {
      const std::vector<std::uint32_t> times = resample_counts(metrics.images(), options.seed, static_cast<std::uint64_t>(i));
      const std::optional<double> a = metrics.over(times).per_class[k].f1;
      const std::optional<double> b = strict.over(times).per_class[k].f1;
      if (a && b) {
        found.push_back(*a - *b);
      }
    }
    const std::optional<Interval> by_hand = percentile_interval(std::move(found), options.confidence);
    ASSERT_EQ(differences.per_class[k].f1.has_value(), by_hand.has_value());
    EXPECT_EQ(differences.per_class[k].f1->low, by_hand->low);
    EXPECT_EQ(differences.per_class[k].f1->high, by_hand->high);
  }
}

TEST(ResampledMetrics, IntervalsByClassAreThoseOfNumpyOnTheSameResamples) {
  constexpr int kResamples = 60;
  constexpr double kThreshold = 0.35;
  const EvaluationInput input = random_input(11, 25, 4);
  const Outcomes outcomes = evaluate(input, {}).outcomes;
  const auto stem = std::filesystem::temp_directory_path() / fmt::format("verilabel_intervals_{}", ::getpid());
  const std::string data = stem.string() + ".txt";
  const std::string answer = stem.string() + ".out";
  {
    std::ofstream out(data);
    std::string truths;
    std::string predictions;
    std::size_t truth_count = 0;
    std::size_t prediction_count = 0;
    for (std::size_t i = 0; i < input.truths.size(); ++i) {
      if (outcomes.truths[i].outcome != Outcome::ignored) {
        truths += fmt::format("{} {}\n", input.truths.image[i], input.truths.category[i]);
        ++truth_count;
      }
    }
    for (std::size_t i = 0; i < input.predictions.size(); ++i) {
      if (const Outcome outcome = outcomes.predictions[i].outcome; outcome != Outcome::ignored) {
        predictions += fmt::format("{} {} {} {}\n", input.predictions.image[i], input.predictions.category[i],
                                   input.predictions.score[i], outcome == Outcome::tp ? 1 : 0);
        ++prediction_count;
      }
    }
    out << fmt::format("{} {} {} {} {} 0.9 {}\n", input.images.size(), input.classes.size(), truth_count, prediction_count,
                       kResamples, kThreshold)
        << truths << predictions;
    for (std::uint64_t resample = 0; resample < kResamples; ++resample) {
      for (const std::uint32_t count : resample_counts(input.images.size(), 3, resample)) {
        out << count << ' ';
      }
    }
  }
  const std::string python = std::string(VERILABEL_VENV) + "/bin/python";
  const std::string script = std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/evaluate/reference_intervals.py";
  const int status = std::system(fmt::format("'{}' '{}' '{}' > '{}'", python, script, data, answer).c_str());
  if (!std::filesystem::exists(python) || (WIFEXITED(status) && WEXITSTATUS(status) == 3)) {
    GTEST_SKIP() << "NumPy is not installed in " << VERILABEL_VENV << ": nothing to compare with";
  }
  ASSERT_EQ(status, 0);
  const PointMetricIntervalsByClass intervals = bootstrap_metrics_by_class(
      ResampledMetrics(input, outcomes, kThreshold), {.resamples = kResamples, .confidence = 0.9, .seed = 3, .threads = 2});
  std::vector<PointMetricIntervals> lines = intervals.per_class;
  lines.push_back(intervals.overall);
  ASSERT_EQ(lines.size(), 5U);
  std::ifstream in(answer);
  for (const PointMetricIntervals& line : lines) {
    for (const auto& interval : {line.ap, line.precision, line.recall, line.f1}) {
      Interval expected;
      in >> expected.low >> expected.high;
      ASSERT_TRUE(in);
      ASSERT_TRUE(interval);
      EXPECT_NEAR(interval->low, expected.low, kTolerance);
      EXPECT_NEAR(interval->high, expected.high, kTolerance);
    }
  }
  EXPECT_EQ(
      bootstrap_metrics(ResampledMetrics(input, outcomes, kThreshold), {.resamples = kResamples, .confidence = 0.9, .seed = 3})
          .ap->low,
      intervals.overall.ap->low);
  std::filesystem::remove(data);
  std::filesystem::remove(answer);
}

TEST(ResampledMetrics, NothingToCountIsUndefinedAndMixedUpInputsAreRefused) {
  const EvaluationInput empty = input_of({1, 2});
  const Outcomes none = evaluate(empty, {}).outcomes;
  const ResampledMetrics metrics(empty, none, std::nullopt);
  EXPECT_FALSE(metrics.once().overall.ap);
  EXPECT_FALSE(metrics.once().overall.f1);
  EXPECT_FALSE(bootstrap_metrics(metrics, {.resamples = 3}).precision);
  const PointMetricIntervalsByClass of_nothing = bootstrap_metrics_by_class(metrics, {.resamples = 3});
  ASSERT_EQ(of_nothing.per_class.size(), empty.classes.size());
  EXPECT_FALSE(of_nothing.per_class.front().ap);
  EXPECT_THROW(bootstrap_metrics(metrics, {.resamples = 0}), Error);
  const EvaluationInput other = random_input(1, 3, 1);
  EXPECT_THROW(ResampledMetrics(other, none, std::nullopt), Error);
  EXPECT_THROW(bootstrap_differences(metrics, ResampledMetrics(other, evaluate(other, {}).outcomes, 0.5), {.resamples = 3}), Error);
}

}  // namespace
}  // namespace verilabel
