#include "verilabel/evaluate/voc.h"

#include <limits>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

// Four truths on two images, and in descending order: right, wrong, right, a second one on a taken truth, right.
EvaluationInput five_predictions() {
  EvaluationInput input = input_of({1, 2});
  add(input, TruthRow{0, 0, {0, 0, 9, 9}});
  add(input, TruthRow{0, 0, {100, 0, 9, 9}});
  add(input, TruthRow{1, 0, {0, 0, 9, 9}});
  add(input, TruthRow{1, 0, {100, 0, 9, 9}});
  add(input, PredictionRow{0, 0, {0, 0, 9, 9}, 0.9});
  add(input, PredictionRow{0, 0, {300, 0, 9, 9}, 0.8});
  add(input, PredictionRow{0, 0, {100, 0, 9, 9}, 0.7});
  add(input, PredictionRow{0, 0, {1, 0, 9, 9}, 0.6});
  add(input, PredictionRow{1, 0, {0, 0, 9, 9}, 0.5});
  return input;
}

TEST(Voc, TheWholeAreaAndTheElevenPointsAreThoseOfTheTable) {
  const EvaluationInput input = five_predictions();
  const std::vector<std::uint8_t> easy(4, 0);
  // precision 1, 1/2, 2/3, 2/4, 3/5 at recall 1/4, 1/4, 2/4, 2/4, 3/4; envelope 1, 2/3, 2/3, 3/5, 3/5
  const VocResult all = voc_average_precision(input, easy, {});
  EXPECT_DOUBLE_EQ(*all.per_class[0].ap, 0.25 * 1 + 0.25 * 2 / 3 + 0.25 * 3 / 5);
  EXPECT_EQ(all.per_class[0].true_positives, 3);
  EXPECT_EQ(all.per_class[0].false_positives, 2);
  // recall 0, .1, .2: 1; .3, .4, .5: 2/3; .6, .7: 3/5; above: 0
  const VocResult eleven = voc_average_precision(input, easy, {.year = VocYear::voc_2007});
  EXPECT_DOUBLE_EQ(*eleven.map, (3.0 + 3 * 2.0 / 3 + 2 * 3.0 / 5) / 11);
}

TEST(Voc, DifficultTruthsAreNotAskedForAndExcuseWhatFindsThem) {
  const EvaluationInput input = five_predictions();
  const VocResult result = voc_average_precision(input, std::vector<std::uint8_t>{1, 0, 0, 0}, {});
  // The first and the fourth find the difficult one: wrong, right, right of three truths; 1/2 at 1/3, 2/3 at 2/3; envelope 2/3
  EXPECT_EQ(result.per_class[0].truths, 3);
  EXPECT_EQ(result.per_class[0].true_positives, 2);
  EXPECT_EQ(result.per_class[0].false_positives, 1);
  EXPECT_DOUBLE_EQ(*result.map, 2.0 / 3 * 2 / 3);
}

TEST(Voc, AnOverlapMustExceedTheThresholdAndSidesAreWholePixels) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {0, 0, 9, 9}});
  add(input, PredictionRow{0, 0, {0, 0, 4, 9}, 0.9});
  const std::vector<std::uint8_t> easy = {0};
  // 5 × 10 of 10 × 10 pixels: exactly a half, which is not enough
  EXPECT_EQ(voc_average_precision(input, easy, {}).per_class[0].true_positives, 0);
  // 4 · 9 / 81 without whole pixels
  EXPECT_EQ(voc_average_precision(input, easy, {.iou = 0.44, .has_whole_pixels = false}).per_class[0].true_positives, 1);
  EXPECT_EQ(voc_average_precision(input, easy, {.iou = 0.45, .has_whole_pixels = false}).per_class[0].true_positives, 0);
}

TEST(Voc, WithoutTruthThereIsNoPrecisionAndBadInputIsRefused) {
  EvaluationInput input = input_of({1});
  add(input, PredictionRow{0, 0, {0, 0, 9, 9}, 0.9});
  const VocResult result = voc_average_precision(input, {}, {});
  EXPECT_FALSE(result.map);
  EXPECT_FALSE(result.per_class[0].ap);
  EXPECT_EQ(result.per_class[0].false_positives, 1);
  EXPECT_THROW(voc_average_precision(input, std::vector<std::uint8_t>{1}, {}), Error);
  EXPECT_THROW(voc_average_precision(input, {}, {.iou = 1}), Error);
  input.predictions.score[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(voc_average_precision(input, {}, {}), Error);
}

}  // namespace
}  // namespace verilabel
