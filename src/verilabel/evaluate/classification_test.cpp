#include "verilabel/evaluate/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/classification_details.h"
#include "verilabel/evaluate/score_curve.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;

ClassificationInput input_of(std::size_t images, std::size_t classes) {
  ClassificationInput input;
  for (std::size_t i = 0; i < images; ++i) {
    input.images.id.push_back(static_cast<std::int64_t>(10 * i));
  }
  for (std::size_t i = 0; i < classes; ++i) {
    input.classes.id.push_back(static_cast<std::int64_t>(i));
    input.classes.name.push_back(fmt::format("c{}", i));
  }
  return input;
}

void add_truth(ClassificationInput& input, std::uint32_t image, std::uint32_t category) {
  input.truths.image.push_back(image);
  input.truths.category.push_back(category);
}

void add_prediction(ClassificationInput& input, std::uint32_t image, std::uint32_t category, double score) {
  input.predictions.image.push_back(image);
  input.predictions.category.push_back(category);
  input.predictions.score.push_back(score);
}

// Five images of three classes:
//   image  truth  ranked predictions       best is
//   0      0      0 (.7), 1 (.2)           right
//   1      0      1 (.6), 0 (.3)           wrong, second is right
//   2      1      1 (.9)                   right
//   3      2      1 (.5), 0 (.4), 2 (.1)   wrong, third is right
//   4      2      none                     wrong
// Accuracy 2 / 5; top-2 3 / 5; top-3 4 / 5. Class 0: tp 1, fp 0, fn 1. Class 1: tp 1, fp 2, fn 0. Class 2: tp 0, fp 0, fn 2.
ClassificationInput five_images() {
  ClassificationInput input = input_of(5, 3);
  for (const auto& [image, category] : {std::pair{0U, 0U}, {1U, 0U}, {2U, 1U}, {3U, 2U}, {4U, 2U}}) {
    add_truth(input, image, category);
  }
  add_prediction(input, 3, 0, 0.4);
  add_prediction(input, 0, 1, 0.2);
  add_prediction(input, 0, 0, 0.7);
  add_prediction(input, 1, 1, 0.6);
  add_prediction(input, 1, 0, 0.3);
  add_prediction(input, 2, 1, 0.9);
  add_prediction(input, 3, 1, 0.5);
  add_prediction(input, 3, 2, 0.1);
  return input;
}

TEST(Classification, FiveImagesByHand) {
  const ClassificationResult result = evaluate_classification(five_images());
  EXPECT_EQ(result.images, 5);
  EXPECT_EQ(result.images_without_prediction, 1);
  EXPECT_EQ(result.accuracy(), 0.4);
  EXPECT_THAT(result.right_within, ElementsAre(2, 3, 4, 4, 4));
  EXPECT_EQ(result.top_k(3), 0.8);
  EXPECT_EQ(result.top_k(5), 0.8);
  EXPECT_EQ(result.per_class[0].counts, (Counts{1, 0, 1}));
  EXPECT_EQ(result.per_class[1].counts, (Counts{1, 2, 0}));
  EXPECT_EQ(result.per_class[2].counts, (Counts{0, 0, 2}));
  EXPECT_EQ(result.per_class[0].counts.precision(), 1);
  EXPECT_EQ(result.per_class[0].counts.recall(), 0.5);
  EXPECT_EQ(result.per_class[1].counts.f1(), 0.5);  // 2 / (2 + 2)
  EXPECT_EQ(result.per_class[2].counts.precision(), std::nullopt);
  EXPECT_EQ(result.per_class[1].truths, 1);
  EXPECT_EQ(result.per_class[1].predictions, 3);
}

TEST(Classification, EveryLabelHasItsOutcome) {
  const ClassificationResult result = evaluate_classification(five_images());
  std::vector<Outcome> predictions;
  for (const LabelOutcome& outcome : result.outcomes.predictions) {
    predictions.push_back(outcome.outcome);
  }
  EXPECT_THAT(predictions, ElementsAre(Outcome::ignored, Outcome::ignored, Outcome::tp, Outcome::fp, Outcome::ignored, Outcome::tp,
                                       Outcome::fp, Outcome::ignored));
  std::vector<Outcome> truths;
  for (const LabelOutcome& outcome : result.outcomes.truths) {
    truths.push_back(outcome.outcome);
  }
  EXPECT_THAT(truths, ElementsAre(Outcome::tp, Outcome::fn, Outcome::tp, Outcome::fn, Outcome::fn));
  EXPECT_EQ(result.outcomes.predictions[2].partner, 0U);
  EXPECT_EQ(result.outcomes.truths[0].partner, 2U);
  EXPECT_EQ(result.outcomes.truths[1].partner, kNoPartner);
}

// Image 0 is of classes 0 and 1 and is called 1: right, and class 0 is not missed. Image 1 is of classes 0 and 2 and is called 1:
// both are missed. A truth that is stated twice is one.
TEST(Classification, OneOfSeveralTruthsIsEnough) {
  ClassificationInput input = input_of(2, 3);
  add_truth(input, 0, 0);
  add_truth(input, 0, 1);
  add_truth(input, 1, 0);
  add_truth(input, 1, 2);
  add_truth(input, 1, 2);
  add_prediction(input, 0, 1, 0.5);
  add_prediction(input, 1, 1, 0.5);
  const ClassificationResult result = evaluate_classification(input);
  EXPECT_EQ(result.accuracy(), 0.5);
  EXPECT_EQ(result.per_class[0].counts, (Counts{0, 0, 1}));
  EXPECT_EQ(result.per_class[1].counts, (Counts{1, 1, 0}));
  EXPECT_EQ(result.per_class[2].counts, (Counts{0, 0, 1}));
  EXPECT_EQ(result.per_class[2].truths, 1);
  EXPECT_EQ(result.outcomes.truths[0].outcome, Outcome::ignored);
  EXPECT_EQ(result.outcomes.truths[1].outcome, Outcome::tp);
  EXPECT_EQ(result.outcomes.truths[3].outcome, Outcome::fn);
  EXPECT_EQ(result.outcomes.truths[4].outcome, Outcome::ignored) << "it repeats another";
}

TEST(Classification, EqualScoresRankInTheirOrderAndAClassCountsOnce) {
  ClassificationInput input = input_of(1, 3);
  add_truth(input, 0, 2);
  add_prediction(input, 0, 1, 0.5);
  add_prediction(input, 0, 1, 0.5);
  add_prediction(input, 0, 2, 0.5);
  const ClassificationResult result = evaluate_classification(input);
  EXPECT_THAT(result.right_within, ElementsAre(0, 1, 1, 1, 1));
  EXPECT_EQ(result.outcomes.predictions[0].outcome, Outcome::fp);
  EXPECT_EQ(result.outcomes.predictions[1].outcome, Outcome::ignored);
}

TEST(ClassificationDetails, FiveImagesByHand) {
  const ClassificationInput input = five_images();
  const ClassificationDetails details = classification_details(input, evaluate_classification(input), false);
  const ConfusionMatrix& matrix = details.confusion;
  const std::size_t background = matrix.background();
  std::int64_t sum = 0;
  for (std::size_t truth = 0; truth <= background; ++truth) {
    for (std::size_t called = 0; called <= background; ++called) {
      sum += matrix.at(truth, called);
    }
  }
  EXPECT_EQ(sum, 5);
  EXPECT_EQ(matrix.at(0, 0), 1);
  EXPECT_EQ(matrix.at(0, 1), 1);
  EXPECT_EQ(matrix.at(1, 1), 1);
  EXPECT_EQ(matrix.at(2, 1), 1);
  EXPECT_EQ(matrix.at(2, background), 1);
  // Called are .9 right, .7 right, .6 wrong, .5 wrong.
  EXPECT_THAT(details.curves.overall.thresholds(), ElementsAre(0.9, 0.7, 0.6, 0.5));
  EXPECT_EQ(details.curves.overall.at(0.65), (Counts{2, 0, 3}));
  EXPECT_EQ(details.curves.overall.at(std::nullopt), (Counts{2, 2, 3}));
  EXPECT_EQ(details.curves.per_class[1].at(0.6), (Counts{1, 1, 0}));
  EXPECT_EQ(details.calibration.predictions, 4);
  EXPECT_NEAR(*details.calibration.greatest_error, 0.6, 1e-12);
  EXPECT_EQ(details.scores.right[18], 1);
  EXPECT_EQ(details.scores.wrong[10], 1);
}

// Image 0 is of class 0, stated twice, and of 1; image 1 of none. At 0.5 image 0 is called 0 and 2, image 1 is called 1.
TEST(ClassificationDetails, OfSeveralClassesAnImageMissedAndWrongOnesStandWithTheBackground) {
  ClassificationInput input = input_of(2, 3);
  add_truth(input, 0, 0);
  add_truth(input, 0, 1);
  add_truth(input, 0, 1);
  add_prediction(input, 0, 0, 0.8);
  add_prediction(input, 0, 1, 0.2);
  add_prediction(input, 0, 2, 0.6);
  add_prediction(input, 1, 1, 0.7);
  const ClassificationResult result = evaluate_classification(input, {.is_multi_label = true, .threshold = 0.5});
  const ClassificationDetails details = classification_details(input, result, true);
  const std::size_t background = details.confusion.background();
  EXPECT_EQ(details.confusion.at(0, 0), 1);
  EXPECT_EQ(details.confusion.at(1, background), 1);
  EXPECT_EQ(details.confusion.at(background, 1), 1);
  EXPECT_EQ(details.confusion.at(background, 2), 1);
  EXPECT_EQ(details.confusion.at(1, 2), 0);
  EXPECT_EQ(details.curves.overall.at(0.5), (Counts{1, 2, 1}));
  EXPECT_EQ(details.curves.overall.at(0.2), (Counts{2, 2, 0}));
}

// Of the best ones .9 and .7 are right, .6 and .5 wrong. At .65 images 1 and 3 are called nothing, as is 4.
TEST(Classification, BelowTheThresholdAnImageIsCalledNothing) {
  const ClassificationResult result = evaluate_classification(five_images(), {.threshold = 0.65});
  EXPECT_EQ(result.at_threshold.counts, (Counts{2, 0, 3}));
  EXPECT_EQ(result.micro.precision, 1);
  EXPECT_EQ(result.micro.recall, 0.4);
  EXPECT_EQ(result.images_without_prediction, 3);
  EXPECT_EQ(result.images_exactly_right, 2);
  EXPECT_EQ(result.accuracy(), 0.4) << "of every score";
  EXPECT_THAT(result.right_within, ElementsAre(2, 3, 4, 4, 4));
  EXPECT_EQ(result.per_class[1].counts, (Counts{1, 0, 0}));
  EXPECT_EQ(result.per_class[1].predictions, 1);
  EXPECT_EQ(result.outcomes.predictions[3].outcome, Outcome::ignored);
  EXPECT_EQ(result.outcomes.truths[1].outcome, Outcome::fn);
  EXPECT_EQ(result.best_f1.threshold, 0.7);  // 4 / (4 + 3)
  EXPECT_EQ(evaluate_classification(five_images()).at_threshold.threshold, std::nullopt) << "every score counts by default";
}

// Image 0 is of both classes and is called 0, at .6; image 1 is of class 1 and is called 0, at .4.
TEST(Classification, WhatAnImageOfSeveralClassesCountsForDoesNotDependOnTheThreshold) {
  ClassificationInput input = input_of(2, 2);
  add_truth(input, 0, 0);
  add_truth(input, 0, 1);
  add_truth(input, 1, 1);
  add_prediction(input, 0, 0, 0.6);
  add_prediction(input, 1, 0, 0.4);
  EXPECT_EQ(evaluate_classification(input).at_threshold.counts, (Counts{1, 1, 1}));
  EXPECT_EQ(evaluate_classification(input, {.threshold = 0.5}).at_threshold.counts, (Counts{1, 0, 1}));
  EXPECT_EQ(evaluate_classification(input, {.threshold = 0.7}).at_threshold.counts, (Counts{0, 0, 2}));
}

// Pairs of image and class by score: .9 right, .8 wrong, .6 right, .2 right; one truth has no prediction. F1 by threshold: 2/5,
// 2/6, 4/7, 6/8.
TEST(Classification, OfSeveralClassesTheThresholdOfGreatestF1IsTakenByDefault) {
  ClassificationInput input = input_of(3, 2);
  add_truth(input, 0, 0);
  add_truth(input, 0, 1);
  add_truth(input, 1, 1);
  add_truth(input, 2, 0);
  add_prediction(input, 0, 0, 0.9);
  add_prediction(input, 1, 0, 0.8);
  add_prediction(input, 0, 1, 0.6);
  add_prediction(input, 1, 1, 0.2);
  const ClassificationResult result = evaluate_classification(input, {.is_multi_label = true});
  EXPECT_EQ(result.at_threshold.threshold, 0.2);
  EXPECT_EQ(result.micro.f1, 0.75);
  EXPECT_EQ(result.per_class[0].best_f1.threshold, 0.9);
  EXPECT_EQ(result.best_f1.counts, (Counts{3, 1, 1}));
}

TEST(Classification, NothingToEvaluateIsNoFigure) {
  const ClassificationResult result = evaluate_classification(input_of(0, 2));
  EXPECT_EQ(result.accuracy(), std::nullopt);
  EXPECT_EQ(result.per_class[0].counts.f1(), std::nullopt);
}

TEST(Classification, FaultyInputIsRefused) {
  ClassificationInput input = five_images();
  input.images.name = {"a", "b", "c", "d", "e"};
  input.predictions.score[3] = std::numeric_limits<double>::quiet_NaN();
  try {
    evaluate_classification(input);
    FAIL() << "a score that is no number was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    EXPECT_THAT(error.context(), ElementsAre(testing::Pair("image", "b")));
  }
  input = five_images();
  input.truths.image.back() = 3;  // image 4 is left without one
  EXPECT_THROW(evaluate_classification(input), Error);
  input = five_images();
  input.predictions.category[0] = 3;
  EXPECT_THROW(evaluate_classification(input), Error);
}

// Scores for class 0: image 0 (of the class) .9, image 1 .5, image 2 (of the class) .5; images 3 (of the class) and 4 have none.
// Levels from the top: 1 of 1 right; then 1 right and 1 wrong; then 1 and 1 that have no score.
// ROC: the wrong of the second level loses to 1 and is level with 1, that of the last loses to 2 and is level with 1: (1.5 + 2.5)
// / 6. Average precision: (1 · 1/1 + 1 · 2/3 + 1 · 3/5) / 3.
TEST(Classification, AMissingScoreRanksBelowAllThatAreThere) {
  ClassificationInput input = input_of(5, 2);
  for (const auto& [image, category] : {std::pair{0U, 0U}, {1U, 1U}, {2U, 0U}, {3U, 0U}, {4U, 1U}}) {
    add_truth(input, image, category);
  }
  add_prediction(input, 0, 0, 0.9);
  add_prediction(input, 1, 0, 0.5);
  add_prediction(input, 2, 0, 0.5);
  const ClassificationResult result = evaluate_classification(input);
  EXPECT_DOUBLE_EQ(*result.per_class[0].roc_auc, 4.0 / 6);
  EXPECT_DOUBLE_EQ(*result.per_class[0].average_precision, (1 + 2.0 / 3 + 3.0 / 5) / 3);
  // Of class 1 nothing is stored: all level.
  EXPECT_DOUBLE_EQ(*result.per_class[1].roc_auc, 0.5);
  EXPECT_DOUBLE_EQ(*result.per_class[1].average_precision, 0.4);
  EXPECT_DOUBLE_EQ(*result.macro.average_precision, ((1 + 2.0 / 3 + 3.0 / 5) / 3 + 0.4) / 2);
}

// At .5: image 0 (classes 0, 1) is called 0 and 2; image 1 (none) is called nothing; image 2 (class 2) is called 2.
TEST(Classification, AnImageMayBeOfSeveralClassesOrOfNone) {
  ClassificationInput input = input_of(3, 3);
  add_truth(input, 0, 0);
  add_truth(input, 0, 1);
  add_truth(input, 2, 2);
  add_prediction(input, 0, 0, 0.5);
  add_prediction(input, 0, 2, 0.7);
  add_prediction(input, 0, 1, 0.4);
  add_prediction(input, 1, 1, 0.3);
  add_prediction(input, 2, 2, 0.6);
  add_prediction(input, 2, 2, 0.9);
  const ClassificationResult result = evaluate_classification(input, {.is_multi_label = true, .threshold = 0.5});
  EXPECT_EQ(result.per_class[0].counts, (Counts{1, 0, 0}));
  EXPECT_EQ(result.per_class[1].counts, (Counts{0, 0, 1}));
  EXPECT_EQ(result.per_class[2].counts, (Counts{1, 1, 0}));
  EXPECT_EQ(result.images_without_prediction, 1);
  EXPECT_EQ(result.images_exactly_right, 2);
  EXPECT_DOUBLE_EQ(*result.exact_match(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(*result.micro.precision, 2.0 / 3);
  EXPECT_DOUBLE_EQ(*result.macro.precision, (1 + 0.5) / 2) << "class 1 is never called";
  EXPECT_DOUBLE_EQ(*result.macro.recall, (1 + 0 + 1) / 3.0);
  EXPECT_EQ(result.outcomes.predictions[4].outcome, Outcome::ignored) << "another of its class is better";
  EXPECT_EQ(result.outcomes.predictions[5].outcome, Outcome::tp);
  EXPECT_EQ(result.outcomes.truths[1].outcome, Outcome::fn);
  EXPECT_THROW(evaluate_classification(input), Error) << "one class an image is asked for, and image 1 has none";
  const ClassificationOptions no_number{.is_multi_label = true, .threshold = std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(evaluate_classification(input, no_number), Error);
}

/// Reads what reference_classification.py wrote.
class Reader {
 public:
  explicit Reader(const std::string& path) : in_(path) { EXPECT_TRUE(in_) << path; }
  bool has_more() { return static_cast<bool>(in_ >> std::ws) && in_.peek() != std::ifstream::traits_type::eof(); }
  std::string word() {
    std::string text;
    in_ >> text;
    EXPECT_TRUE(in_) << "the reference file breaks off";
    return text;
  }
  std::uint32_t index() { return static_cast<std::uint32_t>(std::stoul(word())); }
  double number() { return std::strtod(word().c_str(), nullptr); }

 private:
  std::ifstream in_;
};

void expect_same(Reader& reader, const std::optional<double>& actual, const char* what) {
  const double expected = reader.number();
  if (std::isnan(expected)) {
    EXPECT_FALSE(actual) << what;
  } else {
    ASSERT_TRUE(actual) << what;
    EXPECT_NEAR(*actual, expected, 1e-12) << what;
  }
}

void expect_same(Reader& reader, const ClassificationAverage& actual) {
  expect_same(reader, actual.precision, "precision");
  expect_same(reader, actual.recall, "recall");
  expect_same(reader, actual.f1, "F1");
  expect_same(reader, actual.roc_auc, "ROC AUC");
  expect_same(reader, actual.average_precision, "average precision");
}

/// The threshold that achieves each goal, and what it yields.
void expect_same_choices(Reader& reader, const ScoreCurve& curve) {
  using Kind = ThresholdGoal::Kind;
  for (const ThresholdGoal& goal :
       {ThresholdGoal{Kind::f_beta, 1}, ThresholdGoal{Kind::f_beta, 2}, ThresholdGoal{Kind::f_beta, 0.5},
        ThresholdGoal{Kind::precision, 0.8}, ThresholdGoal{Kind::recall, 0.6}}) {
    const std::optional<OperatingPoint> point = point_for(curve, goal);
    const Counts counts = point ? point->counts : Counts();
    expect_same(reader, point ? point->threshold : std::nullopt, "threshold");
    expect_same(reader, counts.precision(), "precision at the threshold");
    expect_same(reader, counts.recall(), "recall at the threshold");
    expect_same(reader, f_beta(counts, goal.kind == Kind::f_beta ? goal.value : 1), "F at the threshold");
  }
}

TEST(Classification, GivesTheFiguresOfScikitLearn) {
  Reader reader(std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/evaluate/classification_reference.txt");
  int cases = 0;
  while (reader.has_more() && !HasFailure()) {
    SCOPED_TRACE(fmt::format("data set {}", cases++));
    EXPECT_EQ(reader.word(), "dataset");
    const bool is_multi_label = reader.index() != 0;
    const std::uint32_t images = reader.index();
    ClassificationInput input = input_of(images, reader.index());
    for (std::uint32_t image = 0; image < images; ++image) {
      for (std::uint32_t left = reader.index(); left > 0; --left) {
        add_truth(input, image, reader.index());
      }
      for (std::uint32_t left = reader.index(); left > 0; --left) {
        const std::uint32_t category = reader.index();
        add_prediction(input, image, category, reader.number());
      }
    }
    const ClassificationResult result = evaluate_classification(
        input, {.is_multi_label = is_multi_label, .threshold = is_multi_label ? std::optional(0.5) : std::nullopt});
    expect_same(reader, result.exact_match(), "exact match");
    for (std::size_t k = 1; k <= ClassificationResult::kLargestK; ++k) {
      expect_same(reader, result.top_k(k), "top k");
    }
    for (const ClassificationOfClass& one : result.per_class) {
      const Counts& counts = one.counts;
      expect_same(reader, {counts.precision(), counts.recall(), counts.f1(), one.roc_auc, one.average_precision});
    }
    for (const ClassificationAverage& average : {result.micro, result.macro, result.weighted}) {
      expect_same(reader, average);
    }
    const ScoreCurves curves = score_curves(input, result.of_every_score.calls);
    expect_same_choices(reader, curves.overall);
    for (const ScoreCurve& curve : curves.per_class) {
      expect_same_choices(reader, curve);
    }
  }
  EXPECT_GE(cases, 90);
}

}  // namespace
}  // namespace verilabel
