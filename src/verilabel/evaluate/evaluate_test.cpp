#include "verilabel/evaluate/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

constexpr Box kHere = {100, 100, 100, 100};

TEST(Evaluate, brings_everything_of_one_pass) {
  // One truth; an exact prediction at .6, one that overlaps by .62 at .9, and class 1 predicted without truth at .8.
  EvaluationInput input = input_of({1}, 2);
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, {100, 100, 100, 62}, .9});
  add(input, PredictionRow{0, 0, kHere, .6});
  add(input, PredictionRow{0, 1, kHere, .8});
  const Evaluation at_half = evaluate(input, {});
  EXPECT_EQ(at_half.outcomes.predictions[0].outcome, Outcome::tp);
  EXPECT_EQ(at_half.outcomes.predictions[1].outcome, Outcome::fp);
  EXPECT_EQ(at_half.best_f1.threshold, .9);
  EXPECT_EQ(at_half.at_threshold.counts, (Counts{1, 0, 0}));
  EXPECT_EQ(at_half.per_class[0].truths, 1);
  EXPECT_EQ(at_half.per_class[0].predictions, 2);
  EXPECT_EQ(at_half.per_class[1].predictions, 1);
  EXPECT_EQ(at_half.per_class[1].coco.ap, std::nullopt);
  EXPECT_EQ(at_half.per_class[1].best_f1.threshold, std::nullopt);

  // At .7 the exact one is right instead. .73 is none of COCO's ten thresholds, whose numbers stay as they are.
  EvaluateOptions options;
  options.iou = .73;
  options.threshold = .7;
  const Evaluation at_73 = evaluate(input, options);
  EXPECT_EQ(at_73.outcomes.predictions[0].outcome, Outcome::fp);
  EXPECT_EQ(at_73.outcomes.predictions[1].outcome, Outcome::tp);
  EXPECT_EQ(at_73.best_f1.threshold, .6);
  EXPECT_EQ(at_73.at_threshold.threshold, .7);
  EXPECT_EQ(at_73.at_threshold.counts, (Counts{0, 2, 1}));
  EXPECT_EQ(at_73.per_class[0].at_threshold.counts, (Counts{0, 1, 1}));
  EXPECT_EQ(at_73.coco.map, at_half.coco.map);
}

TEST(Evaluate, counts_predictions_beyond_the_limit) {
  EvaluationInput input = input_of({1});
  for (int i = 0; i < 103; ++i) {
    add(input, PredictionRow{0, 0, kHere, .5});
  }
  const Evaluation evaluation = evaluate(input, {});
  EXPECT_EQ(evaluation.predictions_beyond_limit, 3);
  EXPECT_EQ(evaluation.at_threshold.counts, (Counts{0, 100, 0}));
}

TEST(Evaluate, the_limit_of_predictions_is_the_callers_but_for_cocos_numbers) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  for (int i = 0; i < 103; ++i) {
    add(input, PredictionRow{0, 0, {500, 500, 10, 10}, .5});
  }
  add(input, PredictionRow{0, 0, kHere, .4});
  EvaluateOptions options;
  options.threshold = .1;
  const Evaluation of_100 = evaluate(input, options);
  EXPECT_EQ(of_100.at_threshold.counts, (Counts{0, 100, 1}));
  options.max_detections = 104;
  const Evaluation of_all = evaluate(input, options);
  EXPECT_EQ(of_all.at_threshold.counts, (Counts{1, 103, 0}));
  EXPECT_EQ(of_all.outcomes.predictions.back().outcome, Outcome::tp);
  EXPECT_EQ(of_all.predictions_beyond_limit, 0);
  EXPECT_EQ(of_all.coco.map, 0);
  EXPECT_EQ(of_all.coco.ar_100, 0);
  options.max_detections = 103;
  EXPECT_EQ(evaluate(input, options).predictions_beyond_limit, 1);
  options.max_detections = 0;
  EXPECT_THROW(evaluate(input, options), Error);
}

TEST(Evaluate, options_out_of_range_are_refused) {
  for (const double iou : {0.0, 1.1, std::nan("")}) {
    EvaluateOptions options;
    options.iou = iou;
    EXPECT_THROW(evaluate(input_of({1}), options), Error);
  }
  EvaluateOptions options;
  options.threshold = std::nan("");
  EXPECT_THROW(evaluate(input_of({1}), options), Error);
}

TEST(Evaluate, result_does_not_depend_on_the_number_of_threads) {
  EvaluationInput input = input_of({}, 5);
  std::mt19937 random(7);
  const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); };
  for (std::uint32_t image = 0; image < 400; ++image) {
    input.images.id.push_back(1000 - image);
    for (int i = 0; i < 40; ++i) {
      const Box box = {1.0 * below(300), 1.0 * below(300), 1.0 * below(150), 1.0 * below(150)};
      const Box near = {box.x + below(9), box.y, box.w, box.h};
      add(input, TruthRow{image, below(5), box, below(20) == 0});
      add(input, PredictionRow{image, below(5), near, 1.0 * below(50)});
      add(input, PredictionRow{image, input.truths.category.back(), near, 1.0 * below(50)});
    }
  }
  EvaluateOptions options;
  options.threads = 1;
  const Evaluation one = evaluate(input, options);
  for (const unsigned threads : {2U, 3U, 8U}) {
    options.threads = threads;
    const Evaluation many = evaluate(input, options);
    EXPECT_EQ(one.coco.named(), many.coco.named());
    EXPECT_EQ(one.best_f1.threshold, many.best_f1.threshold);
    EXPECT_EQ(one.best_f1.counts, many.best_f1.counts);
    for (std::size_t i = 0; i < input.predictions.size(); ++i) {
      ASSERT_EQ(one.outcomes.predictions[i].partner, many.outcomes.predictions[i].partner);
      ASSERT_EQ(one.outcomes.predictions[i].outcome, many.outcomes.predictions[i].outcome);
    }
  }
  EXPECT_GT(one.coco.map.value(), .1);
}

}  // namespace
}  // namespace verilabel
