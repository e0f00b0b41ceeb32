#include "verilabel/evaluate/subset.h"

#include <random>

#include <gtest/gtest.h>

#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

EvaluationInput random_input(unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> place(0, 300);
  std::uniform_real_distribution<double> side(4, 150);
  EvaluationInput input = input_of({4, 2, 9, 7, 5}, 3);
  input.images.name = {"a", "b", "c", "d", "e"};
  for (int i = 0; i < 40; ++i) {
    const auto image = static_cast<std::uint32_t>(random() % 5);
    const auto category = static_cast<std::uint32_t>(random() % 3);
    const Box box{place(random), place(random), side(random), side(random)};
    add(input, TruthRow{image, category, box});
    add(input, PredictionRow{image, category, {box.x + 1, box.y + 1, box.w, box.h}, place(random) / 300});
    add(input, PredictionRow{image, category, {place(random), place(random), side(random), side(random)}, place(random) / 300});
  }
  return input;
}

TEST(Subset, ImagesKeepTheirLabelsAndNothingElse) {
  const EvaluationInput input = random_input(1);
  const EvaluationInput part = images_of(input, std::vector<std::uint8_t>{0, 1, 0, 0, 1});
  EXPECT_EQ(part.images.id, (std::vector<std::int64_t>{2, 5}));
  EXPECT_EQ(part.images.name, (std::vector<std::string>{"b", "e"}));
  std::size_t at = 0;
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    if (input.truths.image[i] == 1 || input.truths.image[i] == 4) {
      ASSERT_LT(at, part.truths.size());
      EXPECT_EQ(part.truths.image[at], input.truths.image[i] == 1 ? 0u : 1u);
      EXPECT_EQ(part.truths.box_xywh_px[at], input.truths.box_xywh_px[i]);
      ++at;
    }
  }
  EXPECT_EQ(at, part.truths.size());
  EXPECT_TRUE(part.predictions.area_px.empty()) << "a column that was not filled stays so";
  EXPECT_EQ(images_of(input, std::vector<std::uint8_t>(5, 0)).images.size(), 0u);

  // Counts of disjoint parts add up to those of the whole.
  const auto counts = [](const EvaluationInput& of) { return evaluate(of, {.threshold = 0.2}).at_threshold.counts; };
  const Counts one = counts(part);
  const Counts other = counts(images_of(input, std::vector<std::uint8_t>{1, 0, 1, 1, 0}));
  EXPECT_EQ(counts(input), (Counts{one.true_positives + other.true_positives, one.false_positives + other.false_positives,
                                   one.false_negatives + other.false_negatives}));
}

TEST(Subset, LabelsOfAnAreaAreCocosRangeOfAreas) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const EvaluationInput input = random_input(seed);
    const auto is_medium = [](double area_px) { return static_cast<std::uint8_t>(area_px >= 32 * 32 && area_px <= 96 * 96); };
    std::vector<std::uint8_t> truths;
    std::vector<std::uint8_t> predictions;
    for (const Box& box : input.truths.box_xywh_px) {
      truths.push_back(is_medium(area(box)));
    }
    for (const Box& box : input.predictions.box_xywh_px) {
      predictions.push_back(is_medium(area(box)));
    }
    const Evaluation whole = evaluate(input, {});
    const Evaluation part = evaluate(labels_of(input, truths, predictions), {});
    EXPECT_EQ(part.coco.map, whole.coco.map_medium);
    EXPECT_EQ(part.coco.ar_100, whole.coco.ar_medium);
    EXPECT_FALSE(part.coco.map_small);
  }
}

}  // namespace
}  // namespace verilabel
