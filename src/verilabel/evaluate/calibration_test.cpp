#include "verilabel/evaluate/calibration.h"

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

TEST(Calibration, GapsAreThoseOfTheTable) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {0, 0, 10, 10}});
  add(input, TruthRow{0, 0, {50, 0, 10, 10}});
  add(input, PredictionRow{0, 0, {0, 0, 10, 10}, 0.9});    // right
  add(input, PredictionRow{0, 0, {200, 0, 10, 10}, 0.8});  // wrong, in the same bin of 2
  add(input, PredictionRow{0, 0, {50, 0, 10, 10}, 0.2});   // right
  add(input, PredictionRow{0, 0, {300, 0, 10, 10}, 1.5});  // in no bin
  const Calibration result = calibration(input, evaluate(input, {}).outcomes, 2);
  // Upper bin: mean score 0.85, accuracy 0.5; lower bin: 0.2 and 1. (2 · 0.35 + 1 · 0.8) / 3
  ASSERT_EQ(result.bins.size(), 2U);
  EXPECT_EQ(result.bins[1].count, 2);
  EXPECT_DOUBLE_EQ(*result.bins[1].mean_score, 0.85);
  EXPECT_DOUBLE_EQ(*result.bins[1].accuracy, 0.5);
  EXPECT_DOUBLE_EQ(*result.expected_error, 0.5);
  EXPECT_DOUBLE_EQ(*result.greatest_error, 0.8);
  EXPECT_EQ(result.predictions, 4);
  EXPECT_EQ(result.scores_outside, 1);
}

TEST(Calibration, IsUndefinedWithoutPredictions) {
  const EvaluationInput input = input_of({1});
  const Calibration result = calibration(input, evaluate(input, {}).outcomes);
  EXPECT_FALSE(result.expected_error);
  EXPECT_FALSE(result.greatest_error);
  EXPECT_FALSE(result.bins.front().accuracy);
  EXPECT_THROW(calibration(input, evaluate(input, {}).outcomes, 0), Error);
}

}  // namespace
}  // namespace verilabel
