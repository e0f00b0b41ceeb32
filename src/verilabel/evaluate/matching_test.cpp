#include "verilabel/evaluate/matching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/outcome.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

using testing::HasSubstr;

constexpr Box kHere = {100, 100, 100, 100};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Outcomes outcomes_of(const EvaluationInput& input, const MatchOptions& options = {}) {
  return outcomes(input, match(input, options), 0);
}

TEST(Matching, better_score_takes_the_truth) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, kHere, .5});                // overlap 1
  add(input, PredictionRow{0, 0, {100, 100, 100, 60}, .9});  // overlap .6
  const Outcomes result = outcomes_of(input);
  EXPECT_EQ(result.predictions[0].outcome, Outcome::fp);
  EXPECT_EQ(result.predictions[0].partner, kNoPartner);
  EXPECT_EQ(result.predictions[1].outcome, Outcome::tp);
  EXPECT_EQ(result.predictions[1].partner, 0U);
  EXPECT_EQ(result.predictions[1].iou, .6);
  EXPECT_EQ(result.truths[0].outcome, Outcome::tp);
  EXPECT_EQ(result.truths[0].partner, 1U);
  EXPECT_EQ(result.truths[0].iou, .6);
}

TEST(Matching, of_equal_overlaps_the_later_truth_is_taken) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, kHere, .5});
  const Outcomes result = outcomes_of(input);
  EXPECT_EQ(result.truths[0].outcome, Outcome::fn);
  EXPECT_EQ(result.truths[1].outcome, Outcome::tp);
  EXPECT_EQ(result.predictions[0].partner, 1U);
}

TEST(Matching, partner_may_change_with_the_threshold) {
  // Two predictions, two truths. A (.9) overlaps both truths, the left one by 80/120 = .667 and the right one by 90/110 = .818. B
  // (.8) is equal to the right one, which A has taken; it overlaps the left one by 70/130 = .538. At .5 both are right; at .7 A
  // still takes the right truth and B is left without.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {0, 0, 100, 10}});
  add(input, TruthRow{0, 0, {30, 0, 100, 10}});
  add(input, PredictionRow{0, 0, {20, 0, 100, 10}, .9});
  add(input, PredictionRow{0, 0, {30, 0, 100, 10}, .8});
  MatchOptions options;
  options.iou_thresholds = {.5, .7, .9};
  const Matching matching = match(input, options);
  const Outcomes at_50 = outcomes(input, matching, 0);
  EXPECT_EQ(at_50.predictions[0].partner, 1U);
  EXPECT_EQ(at_50.predictions[1].partner, 0U);
  const Outcomes at_70 = outcomes(input, matching, 1);
  EXPECT_EQ(at_70.predictions[0].partner, 1U);
  EXPECT_EQ(at_70.predictions[1].outcome, Outcome::fp);
  EXPECT_EQ(at_70.truths[0].outcome, Outcome::fn);
  // At .9 nothing but B overlaps enough, and the right truth is free.
  const Outcomes at_90 = outcomes(input, matching, 2);
  EXPECT_EQ(at_90.predictions[0].outcome, Outcome::fp);
  EXPECT_EQ(at_90.predictions[1].partner, 1U);
  EXPECT_THROW(outcomes(input, matching, 3), Error);
}

TEST(Matching, crowd_may_have_several_predictions_and_counts_neither_way) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {0, 0, 400, 400}, true});
  add(input, PredictionRow{0, 0, kHere, .5});
  add(input, PredictionRow{0, 0, {200, 200, 50, 50}, .9});
  add(input, PredictionRow{0, 0, {500, 0, 50, 50}, .9});
  const Outcomes result = outcomes_of(input);
  EXPECT_EQ(result.truths[0].outcome, Outcome::ignored);
  EXPECT_EQ(result.truths[0].partner, 1U);  // the best of them
  EXPECT_EQ(result.predictions[0].outcome, Outcome::ignored);
  EXPECT_EQ(result.predictions[0].partner, 0U);
  EXPECT_EQ(result.predictions[1].outcome, Outcome::ignored);
  EXPECT_EQ(result.predictions[2].outcome, Outcome::fp);
}

TEST(Matching, classes_and_images_do_not_mix) {
  EvaluationInput input = input_of({1, 2}, 2);
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 1, kHere, .9});
  add(input, PredictionRow{1, 0, kHere, .9});
  const Outcomes result = outcomes_of(input);
  EXPECT_EQ(result.predictions[0].outcome, Outcome::fp);
  EXPECT_EQ(result.predictions[1].outcome, Outcome::fp);
  EXPECT_EQ(result.truths[0].outcome, Outcome::fn);
}

TEST(Matching, boxes_without_area_match_nothing) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {10, 10, 0, 0}});
  add(input, TruthRow{0, 0, {10, 10, -5, 5}});
  add(input, PredictionRow{0, 0, {10, 10, 0, 0}, .9});
  add(input, PredictionRow{0, 0, {10, 10, -5, 5}, .9});
  EXPECT_TRUE(match(input, {}).matches.empty());
}

TEST(Matching, predictions_beyond_the_limit_are_ignored) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, kHere, .1});
  add(input, PredictionRow{0, 0, {300, 300, 10, 10}, .9});
  MatchOptions options;
  options.max_detections = 1;
  const Outcomes result = outcomes_of(input, options);
  EXPECT_EQ(result.predictions[0].outcome, Outcome::ignored);
  EXPECT_EQ(result.predictions[1].outcome, Outcome::fp);
  EXPECT_EQ(result.truths[0].outcome, Outcome::fn);
}

TEST(Matching, the_limit_of_an_image_is_for_all_its_classes_together) {
  EvaluationInput input = input_of({1, 2}, 2);
  for (const std::uint32_t image : {0U, 1U}) {
    add(input, TruthRow{image, 0, {0, 0, 10, 10}});
    add(input, TruthRow{image, 1, {50, 0, 10, 10}});
  }
  add(input, PredictionRow{0, 0, {0, 0, 10, 10}, 0.5});
  add(input, PredictionRow{0, 1, {50, 0, 10, 10}, 0.5});  // as good, but later in the file
  add(input, PredictionRow{0, 1, {90, 0, 10, 10}, 0.9});
  add(input, PredictionRow{1, 1, {50, 0, 10, 10}, 0.1});
  MatchOptions options;
  options.max_detections_of_image = 2;
  const Matching matching = match(input, options);
  EXPECT_EQ(matching.is_within_limit, (std::vector<std::uint8_t>{1, 0, 1, 1}));
  ASSERT_EQ(matching.matches.size(), 2u);
  EXPECT_EQ(matching.matches[0].prediction, 0u);
  EXPECT_EQ(matching.matches[1].prediction, 3u);
}

TEST(Matching, perfect_overlap_is_enough_for_a_threshold_of_one) {
  // In doubles .1 + .2 − .1 is not .2: the overlap of a box with itself may stay below 1.
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, {.1, .1, .2, .7}});
  add(input, PredictionRow{0, 0, {.1, .1, .2, .7}, .9});
  MatchOptions options;
  options.iou_thresholds = {1};
  EXPECT_EQ(outcomes_of(input, options).predictions[0].outcome, Outcome::tp);
}

/// The error that `action` ends with.
Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::internal, ""};
}

TEST(Matching, numbers_that_are_not_finite_are_refused_with_the_sample) {
  EvaluationInput good = input_of({41, 42});
  good.images.name = {"a.jpg", "b.jpg"};
  add(good, TruthRow{1, 0, kHere});
  add(good, PredictionRow{1, 0, kHere, .5});
  EXPECT_NO_THROW(match(good, {}));
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    std::vector<EvaluationInput> inputs(5, good);
    inputs[0].predictions.score[0] = bad;
    inputs[1].predictions.box_xywh_px[0].x = bad;
    inputs[2].predictions.area_px = {bad};
    inputs[3].truths.box_xywh_px[0].h = bad;
    inputs[4].truths.area_px[0] = bad;
    for (const EvaluationInput& input : inputs) {
      const Error error = error_of([&] { match(input, {}); });
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
      EXPECT_THAT(error.what(), HasSubstr("sample: b.jpg"));
      EXPECT_THAT(error.what(), HasSubstr("image_id: 42"));
    }
  }
}

TEST(Matching, first_image_with_a_fault_is_named_whatever_the_threads) {
  EvaluationInput input = input_of({});
  for (std::int64_t id = 0; id < 20000; ++id) {
    input.images.id.push_back(id);
    add(input, PredictionRow{static_cast<std::uint32_t>(id), 0, kHere, id >= 9000 ? kNan : .5});
  }
  for (int round = 0; round < 20; ++round) {
    MatchOptions options;
    options.threads = 4;
    EXPECT_THAT(error_of([&] { match(input, options); }).what(), HasSubstr("image_id: 9000,"));
  }
}

TEST(Matching, repeated_ids_are_refused) {
  EXPECT_EQ(error_of([] { match(input_of({3, 5, 3}), {}); }).code(), ErrorCode::bad_data);
  EvaluationInput input = input_of({1}, 2);
  input.classes.id = {4, 4};
  EXPECT_EQ(error_of([&] { match(input, {}); }).code(), ErrorCode::bad_data);
}

TEST(Matching, masks_must_be_there_and_of_one_size) {
  EvaluationInput input = input_of({8});
  add(input, TruthRow{0, 0, kHere});
  add(input, PredictionRow{0, 0, kHere, .5});
  MatchOptions options;
  options.iou_type = IouType::mask;
  EXPECT_EQ(error_of([&] { match(input, options); }).code(), ErrorCode::wrong_use);
  input.truths.mask = {{4, 4, {0, 16}}};
  input.predictions.mask = {{2, 8, {0, 16}}};
  const Error error = error_of([&] { match(input, options); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.what(), HasSubstr("image_id: 8"));
}

TEST(Matching, options_out_of_range_are_refused) {
  const auto refused = [](const MatchOptions& options) {
    EXPECT_EQ(error_of([&] { match(input_of({1}), options); }).code(), ErrorCode::wrong_use);
  };
  for (const double threshold : {0.0, -.5, 1.5, kNan}) {
    MatchOptions options;
    options.iou_thresholds = {threshold};
    refused(options);
  }
  MatchOptions options;
  options.iou_thresholds = {};
  refused(options);
  options = {};
  options.max_detections = 0;
  refused(options);
  options = {};
  options.iou_thresholds.assign(17, .5);
  options.area_ranges.assign(4, {});
  refused(options);
  options.iou_thresholds.assign(16, .5);
  EXPECT_NO_THROW(match(input_of({1}), options));
  options.iou_thresholds.assign(64, .5);
  options.area_ranges.assign(1, {});
  EXPECT_NO_THROW(match(input_of({1}), options));
}

TEST(Matching, broken_columns_are_our_own_fault) {
  EvaluationInput input = input_of({1});
  add(input, PredictionRow{0, 0, kHere, .5});
  input.predictions.score.push_back(.5);
  EXPECT_EQ(error_of([&] { match(input, {}); }).code(), ErrorCode::internal);
  input.predictions.score.pop_back();
  input.predictions.image[0] = 1;
  EXPECT_EQ(error_of([&] { match(input, {}); }).code(), ErrorCode::internal);
  input.predictions.image[0] = 0;
  input.predictions.category[0] = 1;
  EXPECT_EQ(error_of([&] { match(input, {}); }).code(), ErrorCode::internal);
}

TEST(Matching, hundred_thousand_boxes_on_one_image_need_no_table_of_pairs) {
  // Truths and predictions of one class in one place: as many overlaps as there can be. A table of all pairs would take 80 GB.
  constexpr std::uint32_t count = 100'000;
  EvaluationInput input = input_of({1});
  std::mt19937 random(1);
  for (std::uint32_t i = 0; i < count; ++i) {
    add(input, TruthRow{0, 0, kHere});
    add(input, PredictionRow{0, 0, kHere, static_cast<double>(random() % 1000)});
  }
  const Matching matching = match(input, {});
  ASSERT_EQ(matching.matches.size(), 100U);
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(matching.matches[i].truth, count - 1 - i);  // the last is taken first
    EXPECT_EQ(matching.matches[i].rank, i);
  }
}

}  // namespace
}  // namespace verilabel
