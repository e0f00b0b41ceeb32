#include "verilabel/evaluate/coco.h"

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

// The reference adds the machine epsilon to tp + fp, so that a perfect precision of 1 becomes 1 − 2.2e-16.
constexpr double kTolerance = 1e-15;

constexpr Box kHere = {100, 100, 100, 100};  // 10,000 px²: large
constexpr Box kThere = {300, 100, 100, 100};
constexpr Box kNowhere = {500, 300, 100, 100};

CocoMetrics metrics_of(const EvaluationInput& input) {
  return coco_metrics(input, match(input, coco_match_options())).metrics;
}

TEST(Coco, perfect_prediction_scores_one) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, kHere, .5});
  const CocoMetrics metrics = metrics_of(input);
  for (const auto& value : {metrics.map, metrics.map_50, metrics.map_75, metrics.map_large, metrics.ar_1, metrics.ar_10,
                            metrics.ar_100, metrics.ar_large}) {
    EXPECT_NEAR(value.value(), 1, kTolerance);
  }
  // No truth is small or medium: those means are over nothing.
  for (const auto& value : {metrics.map_small, metrics.map_medium, metrics.ar_small, metrics.ar_medium}) {
    EXPECT_EQ(value, std::nullopt);
  }
}

TEST(Coco, false_positive_costs_precision_only_when_it_ranks_above) {
  // One truth. Wrong (.9) then right (.5): the only true positive has precision 1/2, at every recall point: AP 1/2.
  EvaluationInput above = input_of({1});
  add(above, TruthRow{0, 0, kHere});
  add(above, PredictionRow{0, 0, kNowhere, .9});
  add(above, PredictionRow{0, 0, kHere, .5});
  EXPECT_NEAR(metrics_of(above).map.value(), .5, kTolerance);
  // Right (.9) then wrong (.5): recall 1 is reached at precision 1.
  EvaluationInput below = input_of({1});
  add(below, TruthRow{0, 0, kHere});
  add(below, PredictionRow{0, 0, kHere, .9});
  add(below, PredictionRow{0, 0, kNowhere, .5});
  EXPECT_NEAR(metrics_of(below).map.value(), 1, kTolerance);
}

TEST(Coco, duplicate_is_a_false_positive_between_two_truths) {
  // Right, duplicate, right on two truths: precision 1 at recall 1/2, then 2/3 at recall 1. The recall points 0 … .50 are 51, those
  // from .51 on 50: AP = (51 · 1 + 50 · 2/3) / 101.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, TruthRow{0, 0, kThere});
  add(input, PredictionRow{0, 0, kHere, .9});
  add(input, PredictionRow{0, 0, kHere, .8});
  add(input, PredictionRow{0, 0, kThere, .7});
  EXPECT_NEAR(metrics_of(input).map.value(), (51 + 50 * 2. / 3) / 101, kTolerance);
}

TEST(Coco, precision_is_made_to_fall) {
  // Wrong, right, right on two truths: precision 1/2 at recall 1/2, then 2/3 at recall 1. Made non-increasing: 2/3 at both.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, TruthRow{0, 0, kThere});
  add(input, PredictionRow{0, 0, kNowhere, .9});
  add(input, PredictionRow{0, 0, kHere, .8});
  add(input, PredictionRow{0, 0, kThere, .7});
  EXPECT_NEAR(metrics_of(input).map.value(), 2. / 3, kTolerance);
}

TEST(Coco, missed_truth_leaves_recall_points_at_zero) {
  // One of two truths found: 51 of 101 recall points (0 … .50) have precision 1. AR = 1/2.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, TruthRow{0, 0, kThere});
  add(input, PredictionRow{0, 0, kHere, .9});
  const CocoMetrics metrics = metrics_of(input);
  EXPECT_NEAR(metrics.map.value(), 51. / 101, kTolerance);
  EXPECT_EQ(metrics.ar_100, .5);
}

TEST(Coco, loose_box_counts_at_low_thresholds_only) {
  // Overlap 62 · 100 / (100 · 100) = .62: right at .50, .55, .60 of the ten thresholds, wrong at the others.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, {100, 100, 100, 62}, .9});
  const CocoMetrics metrics = metrics_of(input);
  EXPECT_NEAR(metrics.map.value(), .3, kTolerance);
  EXPECT_NEAR(metrics.map_50.value(), 1, kTolerance);
  EXPECT_EQ(metrics.map_75, 0.0);
  EXPECT_NEAR(metrics.ar_100.value(), .3, kTolerance);
}

TEST(Coco, overlap_of_exactly_one_half_is_enough) {
  // 50 · 100 / (100 · 100).
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, {100, 100, 100, 50}, .9});
  EXPECT_NEAR(metrics_of(input).map_50.value(), 1, kTolerance);
}

TEST(Coco, predictions_within_a_crowd_count_neither_way) {
  // Two predictions lie within the crowd: their overlap is intersection / own area = 1. Without it they would be wrong and, being
  // ranked above, leave the true positive a precision of 1/3.
  for (const bool has_crowd : {true, false}) {
    EvaluationInput input = input_of({1});
    add(input, TruthRow{0, 0, kHere});
    if (has_crowd) {
      add(input, TruthRow{0, 0, {250, 50, 350, 400}, true});
    }
    add(input, PredictionRow{0, 0, kThere, .9});
    add(input, PredictionRow{0, 0, kNowhere, .8});
    add(input, PredictionRow{0, 0, kHere, .7});
    const CocoMetrics metrics = metrics_of(input);
    EXPECT_NEAR(metrics.map.value(), has_crowd ? 1 : 1. / 3, kTolerance);
    EXPECT_EQ(metrics.ar_100, 1.0);  // the crowd is nothing to be found
  }
}

TEST(Coco, truth_that_counts_is_preferred_to_a_crowd_of_greater_overlap) {
  // The prediction lies within the crowd (overlap 1) and overlaps the truth by 80 · 100 / (100 · 100) = .8: a true positive up to
  // .80, which is seven of ten thresholds; above, the crowd takes it and the truth is missed.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {0, 0, 600, 400}, true});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, {100, 100, 100, 80}, .9});
  EXPECT_NEAR(metrics_of(input).map.value(), .7, kTolerance);
}

TEST(Coco, area_ranges_ignore_what_lies_outside) {
  // A small truth (30² = 900 px²), found at .5; a wrong prediction of 2,500 px² at .9. Over all areas: precision 1/2. Among small
  // ones the wrong prediction is outside and has no partner: ignored, precision 1. Medium and large have no truth.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {10, 10, 30, 30}});
  add(input, PredictionRow{0, 0, {300, 300, 50, 50}, .9});
  add(input, PredictionRow{0, 0, {10, 10, 30, 30}, .5});
  const CocoMetrics metrics = metrics_of(input);
  EXPECT_NEAR(metrics.map.value(), .5, kTolerance);
  EXPECT_NEAR(metrics.map_small.value(), 1, kTolerance);
  EXPECT_EQ(metrics.map_medium, std::nullopt);
}

TEST(Coco, area_of_the_file_decides_and_edges_belong_to_both_ranges) {
  // The box has 10,000 px², the file says 32² = 1024: small and medium. A prediction in a range where its truth is ignored counts
  // as nothing, so large stays undefined.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere, false, 1024.0});
  add(input, PredictionRow{0, 0, kHere, .9});
  const CocoMetrics metrics = metrics_of(input);
  EXPECT_NEAR(metrics.map_small.value(), 1, kTolerance);
  EXPECT_NEAR(metrics.map_medium.value(), 1, kTolerance);
  EXPECT_EQ(metrics.map_large, std::nullopt);
  EvaluationInput edge = input_of({1});
  add(edge, TruthRow{0, 0, kHere, false, 9216.0});
  add(edge, PredictionRow{0, 0, kHere, .9});
  EXPECT_EQ(metrics_of(edge).map_small, std::nullopt);
  EXPECT_NEAR(metrics_of(edge).map_medium.value(), 1, kTolerance);
  EXPECT_NEAR(metrics_of(edge).map_large.value(), 1, kTolerance);
}

TEST(Coco, equal_scores_rank_in_the_order_of_the_file) {
  // Wrong before right: precision 1/2. Right before wrong: 1.
  for (const bool is_wrong_first : {true, false}) {
    EvaluationInput input = input_of({1});
    add(input, TruthRow{0, 0, kHere});
    add(input, PredictionRow{0, 0, is_wrong_first ? kNowhere : kHere, .5});
    add(input, PredictionRow{0, 0, is_wrong_first ? kHere : kNowhere, .5});
    EXPECT_NEAR(metrics_of(input).map.value(), is_wrong_first ? .5 : 1, kTolerance);
  }
}

TEST(Coco, equal_scores_on_different_images_rank_by_image_id) {
  // The file has the right prediction, on image 7, first. Image 3 comes before image 7, and with it the wrong one: precision 1/2.
  EvaluationInput input = input_of({7, 3});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, kHere, .5});
  add(input, PredictionRow{1, 0, kHere, .5});
  EXPECT_NEAR(metrics_of(input).map.value(), .5, kTolerance);
}

TEST(Coco, recall_at_one_and_ten_takes_the_best_of_each_image) {
  // Image 1 has two truths, image 2 one. The best prediction of image 1 is right and that of image 2 wrong: AR_1 = 1/3. Within ten
  // all three are found.
  EvaluationInput input = input_of({1, 2});
  add(input, TruthRow{0, 0, kHere});
  add(input, TruthRow{0, 0, kThere});
  add(input, TruthRow{1, 0, kHere});
  add(input, PredictionRow{0, 0, kThere, .4});
  add(input, PredictionRow{0, 0, kHere, .6});
  add(input, PredictionRow{1, 0, kNowhere, .3});
  add(input, PredictionRow{1, 0, kHere, .2});
  const CocoMetrics metrics = metrics_of(input);
  EXPECT_NEAR(metrics.ar_1.value(), 1. / 3, kTolerance);
  EXPECT_EQ(metrics.ar_10, 1.0);
}

TEST(Coco, hundred_detections_of_a_class_on_an_image_count) {
  // 100 wrong ones above, the right one is the 101st; with 99 above it is the 100th, of precision 1/100.
  for (const int wrong : {100, 99}) {
    EvaluationInput input = input_of({1}, 2);
    add(input, TruthRow{0, 0, kHere});
    for (int i = 0; i < wrong; ++i) {
      add(input, PredictionRow{0, 0, kNowhere, .9});
      add(input, PredictionRow{0, 1, kNowhere, .9});  // of another class: does not use up the limit
    }
    add(input, PredictionRow{0, 0, kHere, .1});
    EXPECT_NEAR(metrics_of(input).map.value(), wrong == 100 ? 0 : .01, kTolerance);
  }
}

TEST(Coco, means_leave_out_classes_without_truth) {
  // Class 0: AP 1. Class 1: nothing predicted, AP 0. Class 2: predicted, no truth: undefined. Mean: 1/2.
  EvaluationInput input = input_of({1}, 3);
  add(input, TruthRow{0, 0, kHere});
  add(input, TruthRow{0, 1, kHere});
  add(input, PredictionRow{0, 0, kHere, .5});
  add(input, PredictionRow{0, 2, kHere, .5});
  const CocoResult result = coco_metrics(input, match(input, coco_match_options()));
  EXPECT_NEAR(result.metrics.map.value(), .5, kTolerance);
  EXPECT_NEAR(result.per_class[0].ap.value(), 1, kTolerance);
  EXPECT_EQ(result.per_class[1].ap, 0.0);
  EXPECT_EQ(result.per_class[1].ap_50, 0.0);
  EXPECT_EQ(result.per_class[2].ap, std::nullopt);
  EXPECT_EQ(result.per_class[2].ap_50, std::nullopt);
}

TEST(Coco, nothing_at_all_is_undefined) {
  for (const EvaluationInput& input : {EvaluationInput{}, input_of({1, 2}), input_of({}, 3)}) {
    for (const auto& [name, value] : metrics_of(input).named()) {
      EXPECT_EQ(value, std::nullopt) << name;
    }
  }
}

TEST(Coco, false_positives_on_images_without_truth_count) {
  EvaluationInput input = input_of({1, 2});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{1, 0, kHere, .9});
  add(input, PredictionRow{0, 0, kHere, .5});
  EXPECT_NEAR(metrics_of(input).map.value(), .5, kTolerance);
}

TEST(Coco, masks_are_compared_pixel_by_pixel) {
  // 4 × 4 pixels in columns. Truth: columns 0 and 1 (8 pixels). Prediction: columns 0 to 2 without one pixel (11): intersection 8,
  // union 11, overlap .727: right at .50 … .70, five of ten thresholds. Their boxes have .667, which would be four.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {0, 0, 2, 4}});
  add(input, PredictionRow{0, 0, {0, 0, 3, 4}, .9});
  input.truths.mask = {{4, 4, {0, 8, 8}}};
  input.predictions.mask = {{4, 4, {0, 11, 5}}};
  const CocoMetrics metrics = coco_metrics(input, match(input, coco_match_options(IouType::mask))).metrics;
  EXPECT_NEAR(metrics.map.value(), .5, kTolerance);
  EXPECT_NEAR(metrics_of(input).map.value(), .4, kTolerance);
}

TEST(Coco, matching_pass_of_another_protocol_is_refused) {
  const EvaluationInput input = input_of({1});
  EXPECT_THROW(coco_metrics(input, match(input, {})), Error);
  EvaluationInput more = input;
  add(more, TruthRow{0, 0, kHere});
  EXPECT_THROW(coco_metrics(more, match(input, coco_match_options())), Error);
}

}  // namespace
}  // namespace verilabel
