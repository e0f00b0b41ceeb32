#include "verilabel/evaluate/score_curve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

using Kind = ThresholdGoal::Kind;

/// Two classes with ties, right and wrong predictions, truths that nothing finds.
EvaluationInput random_input(std::mt19937_64& random) {
  EvaluationInput input = input_of({1, 2, 3, 4, 5}, 2);
  for (std::uint32_t image = 0; image < 5; ++image) {
    for (int i = 0; i < 6; ++i) {
      const double x = 50.0 * i;
      const auto category = static_cast<std::uint32_t>(random() % 2);
      if (random() % 4 != 0) {
        add(input, TruthRow{image, category, {x, 0, 20, 20}, random() % 12 == 0});
      }
      if (random() % 4 != 0) {
        add(input,
            PredictionRow{
                image, category, {x + static_cast<double>(random() % 20), 0, 20, 20}, static_cast<double>(random() % 8) / 8});
      }
    }
  }
  return input;
}

TEST(ScoreCurve, CountsAtAnyThresholdAreThoseOfAPass) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    const EvaluationInput input = random_input(random);
    const Outcomes outcomes = evaluate(input, {}).outcomes;
    const ScoreCurves curves = score_curves(input, outcomes, 2);
    for (const std::optional<double> threshold : {std::optional<double>(), std::optional(-1.0), std::optional(0.25),
                                                  std::optional(0.3), std::optional(0.875), std::optional(2.0)}) {
      const OperatingPoints points = operating_points_at(input, outcomes, threshold);
      EXPECT_EQ(curves.overall.at(threshold), points.overall.counts);
      for (std::size_t k = 0; k < 2; ++k) {
        EXPECT_EQ(curves.per_class[k].at(threshold), points.per_class[k].counts);
      }
    }
  }
}

TEST(ScoreCurve, TheSumOfAllClassesIsTheCurveOfAll) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    const EvaluationInput input = random_input(random);
    const ScoreCurves curves = score_curves(input, evaluate(input, {}).outcomes, 2);
    const ScoreCurve sum = sum_of({&curves.per_class[0], &curves.per_class[1]});
    EXPECT_EQ(sum.truths(), curves.overall.truths());
    ASSERT_EQ(sum.thresholds(), curves.overall.thresholds());
    for (std::size_t i = 0; i < sum.size(); ++i) {
      EXPECT_EQ(sum.counts(i), curves.overall.counts(i));
    }
  }
  EXPECT_EQ(sum_of({}).size(), 0U);
}

TEST(ScoreCurve, ThresholdsAchieveTheirGoalAsABruteForceScanSays) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 100; ++round) {
    const EvaluationInput input = random_input(random);
    const Outcomes outcomes = evaluate(input, {}).outcomes;
    const ScoreCurve curve = score_curves(input, outcomes).overall;
    std::set<double, std::greater<>> scores(input.predictions.score.begin(), input.predictions.score.end());
    for (const double beta : {0.5, 1.0, 2.0}) {
      std::optional<double> best;
      double greatest = 0;
      for (const double score : scores) {
        const Counts counts = operating_points_at(input, outcomes, score).overall.counts;
        const double p = counts.precision().value_or(0);
        const double r = counts.recall().value_or(0);
        const double f = p + r == 0 ? 0 : (1 + beta * beta) * p * r / (beta * beta * p + r);
        if (f > greatest + 1e-12) {
          greatest = f;
          best = score;
        }
      }
      const auto point = point_for(curve, {Kind::f_beta, beta});
      ASSERT_EQ(point.has_value(), best.has_value());
      if (point) {
        EXPECT_NEAR(*f_beta(point->counts, beta), greatest, 1e-12);
        EXPECT_EQ(*point->threshold, *best);
      }
    }
    for (const double wanted : {0.3, 0.6, 0.9, 1.0}) {
      std::optional<double> lowest;
      std::optional<double> highest;
      for (const double score : scores) {
        const Counts counts = operating_points_at(input, outcomes, score).overall.counts;
        if (counts.true_positives > 0 && *counts.precision() >= wanted) {
          lowest = score;
        }
        if (!highest && counts.recall().value_or(0) >= wanted) {
          highest = score;
        }
      }
      const auto precise = point_for(curve, {Kind::precision, wanted});
      const auto complete = point_for(curve, {Kind::recall, wanted});
      EXPECT_EQ(precise ? precise->threshold : std::nullopt, lowest);
      EXPECT_EQ(complete ? complete->threshold : std::nullopt, highest);
    }
  }
}

TEST(ScoreCurve, SaysNothingWhereNothingCanBeAchieved) {
  EvaluationInput input = input_of({1});
  const Outcomes nothing = evaluate(input, {}).outcomes;
  const ScoreCurve empty = score_curves(input, nothing).overall;
  EXPECT_EQ(empty.size(), 0U);
  EXPECT_EQ(empty.at(0.5), (Counts{0, 0, 0}));
  for (const Kind kind : {Kind::f_beta, Kind::precision, Kind::recall}) {
    EXPECT_FALSE(point_for(empty, {kind, 0.5}));
  }
  add(input, PredictionRow{0, 0, {0, 0, 5, 5}, 0.5});
  const ScoreCurve wrong = score_curves(input, evaluate(input, {}).outcomes).overall;
  EXPECT_EQ(wrong.at(0.5), (Counts{0, 1, 0}));
  EXPECT_FALSE(point_for(wrong, {Kind::f_beta, 1}));
  EXPECT_FALSE(point_for(wrong, {Kind::precision, 0.1}));
  for (const ThresholdGoal& goal :
       {ThresholdGoal{Kind::f_beta, 0}, ThresholdGoal{Kind::f_beta, 1e200}, ThresholdGoal{Kind::precision, 1.5},
        ThresholdGoal{Kind::recall, 0}, ThresholdGoal{Kind::recall, std::numeric_limits<double>::quiet_NaN()}}) {
    EXPECT_THROW(point_for(wrong, goal), Error);
  }
}

}  // namespace
}  // namespace verilabel
