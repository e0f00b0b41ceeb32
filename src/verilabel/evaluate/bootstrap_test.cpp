#include "verilabel/evaluate/bootstrap.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

EvaluationInput random_input(int images) {
  std::mt19937_64 random(9);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(images));
  std::iota(ids.begin(), ids.end(), 1);
  EvaluationInput input = input_of(std::move(ids));
  for (std::uint32_t image = 0; image < static_cast<std::uint32_t>(images); ++image) {
    for (std::uint64_t i = random() % 6; i > 0; --i) {
      const double x = 40.0 * static_cast<double>(i);
      add(input, TruthRow{image, 0, {x, 0, 20, 20}});
      if (random() % 3 != 0) {
        add(input, PredictionRow{image, 0, {x + 2, 0, 20, 20}, static_cast<double>(random() % 50 + 30) / 80});
      }
      if (random() % 2 != 0) {
        add(input, PredictionRow{image, 0, {x, 300, 20, 20}, static_cast<double>(random() % 60) / 80});
      }
    }
  }
  return input;
}

TEST(Bootstrap, ResamplesDrawAsManyImagesAsThereAreAndAreAlwaysTheSame) {
  std::vector<std::uint64_t> sum(50, 0);
  for (std::uint64_t resample = 0; resample < 2000; ++resample) {
    const std::vector<std::uint32_t> counts = resample_counts(50, 7, resample);
    ASSERT_EQ(std::accumulate(counts.begin(), counts.end(), 0U), 50U);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] += counts[i];
    }
  }
  for (const std::uint64_t drawn : sum) {
    EXPECT_NEAR(static_cast<double>(drawn), 2000, 5 * 44.3);  // a binomial of deviation √(2000 · 49/50)
  }
  EXPECT_EQ(resample_counts(50, 7, 3), resample_counts(50, 7, 3));
  EXPECT_NE(resample_counts(50, 7, 3), resample_counts(50, 7, 4));
  EXPECT_NE(resample_counts(50, 7, 3), resample_counts(50, 8, 3));
  EXPECT_EQ(resample_counts(8, 1, 0), (std::vector<std::uint32_t>{1, 2, 1, 0, 0, 1, 2, 1}));  // worked out in Python
  EXPECT_TRUE(resample_counts(0, 1, 0).empty());
}

TEST(Bootstrap, IntervalsAreThoseOfNumpyOnTheSameResamples) {
  constexpr int kResamples = 150;
  const EvaluationInput input = random_input(30);
  const Outcomes outcomes = evaluate(input, {}).outcomes;
  const auto stem = std::filesystem::temp_directory_path() / fmt::format("verilabel_bootstrap_{}", ::getpid());
  const std::string data = stem.string() + ".txt";
  const std::string answer = stem.string() + ".out";
  {
    std::ofstream out(data);
    out << fmt::format("{} {} {} {} 0.9\n", input.images.size(), input.truths.size(), input.predictions.size(), kResamples);
    for (const std::uint32_t image : input.truths.image) {
      out << image << '\n';
    }
    for (std::size_t i = 0; i < input.predictions.size(); ++i) {
      out << fmt::format("{} {} {}\n", input.predictions.image[i], input.predictions.score[i],
                         outcomes.predictions[i].outcome == Outcome::tp ? 1 : 0);
    }
    for (std::uint64_t resample = 0; resample < kResamples; ++resample) {
      for (const std::uint32_t count : resample_counts(input.images.size(), 3, resample)) {
        out << count << ' ';
      }
    }
  }
  const std::string python = std::string(VERILABEL_VENV) + "/bin/python";
  const std::string script = std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/evaluate/reference_bootstrap.py";
  const int status = std::system(fmt::format("'{}' '{}' '{}' > '{}'", python, script, data, answer).c_str());
  if (!std::filesystem::exists(python) || (WIFEXITED(status) && WEXITSTATUS(status) == 3)) {
    GTEST_SKIP() << "NumPy is not installed in " << VERILABEL_VENV << ": nothing to compare with";
  }
  ASSERT_EQ(status, 0);
  const ThresholdIntervals intervals =
      bootstrap_thresholds(input, outcomes, {}, {.resamples = kResamples, .confidence = 0.9, .seed = 3, .threads = 2});
  std::ifstream in(answer);
  for (const auto& interval :
       {intervals.overall.threshold, intervals.overall.precision, intervals.overall.recall, intervals.overall.f1}) {
    Interval expected;
    in >> expected.low >> expected.high;
    ASSERT_TRUE(interval);
    EXPECT_NEAR(interval->low, expected.low, 1e-12);
    EXPECT_NEAR(interval->high, expected.high, 1e-12);
    EXPECT_LT(interval->low, interval->high);
  }
  int defined = 0;
  in >> defined;
  EXPECT_EQ(intervals.overall.resamples, defined);
  // Of one class, so that it says the same.
  EXPECT_EQ(intervals.per_class.front().f1->low, intervals.overall.f1->low);
  std::filesystem::remove(data);
  std::filesystem::remove(answer);
}

// One image has a right prediction at .9, the other a wrong one at .5. Whenever the first is drawn, .9 is the lowest threshold with
// a precision of .8: where the other is not, .5 is no threshold.
TEST(Bootstrap, AScoreThatIsNotDrawnIsNoThreshold) {
  EvaluationInput input = input_of({1, 2});
  add(input, TruthRow{0, 0, {0, 0, 20, 20}});
  add(input, PredictionRow{0, 0, {0, 0, 20, 20}, 0.9});
  add(input, PredictionRow{1, 0, {0, 0, 20, 20}, 0.5});
  const ThresholdGoal goal{ThresholdGoal::Kind::precision, 0.8};
  const ThresholdIntervals intervals = bootstrap_thresholds(input, evaluate(input, {}).outcomes, goal, {.resamples = 40});
  EXPECT_LT(intervals.overall.resamples, 40);
  EXPECT_EQ(intervals.overall.threshold->low, 0.9);
  EXPECT_EQ(intervals.overall.threshold->high, 0.9);
}

TEST(Bootstrap, DoesNotDependOnThreadsAndSaysWhenThereIsNothing) {
  const EvaluationInput input = random_input(12);
  const Outcomes outcomes = evaluate(input, {}).outcomes;
  const auto low = [&](unsigned threads) {
    return bootstrap_thresholds(input, outcomes, {}, {.resamples = 20, .threads = threads}).overall.threshold->low;
  };
  EXPECT_EQ(low(1), low(3));
  const EvaluationInput nothing = input_of({1, 2});
  const PointIntervals none = bootstrap_thresholds(nothing, evaluate(nothing, {}).outcomes, {}, {}).overall;
  EXPECT_FALSE(none.threshold);
  EXPECT_EQ(none.resamples, 0);
  EXPECT_THROW(bootstrap_thresholds(input, outcomes, {}, {.resamples = 0}), Error);
  EXPECT_THROW(bootstrap_thresholds(input, outcomes, {}, {.confidence = 1}), Error);
  EXPECT_FALSE(percentile_interval({}, 0.9));
}

}  // namespace
}  // namespace verilabel
