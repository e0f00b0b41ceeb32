#include "verilabel/evaluate/confusion.h"

#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/error_kind.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/subset.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

// Three truths in a row: class 0 at 0, class 1 at 100, class 0 at 200.
EvaluationInput three_truths() {
  EvaluationInput input = input_of({1}, 2);
  add(input, TruthRow{0, 0, {0, 0, 10, 10}});
  add(input, TruthRow{0, 1, {100, 0, 10, 10}});
  add(input, TruthRow{0, 0, {200, 0, 10, 10}});
  return input;
}

Pairing pairs_of(const EvaluationInput& input, const EvaluateOptions& options = {}) {
  return pair_across_classes(input, evaluate(input, options).outcomes, {});
}

TEST(Confusion, CountsRightConfusedMissedAndSpuriousAtAnyThreshold) {
  EvaluationInput input = three_truths();
  add(input, PredictionRow{0, 0, {0, 0, 10, 10}, 0.9});    // right
  add(input, PredictionRow{0, 0, {100, 0, 10, 10}, 0.6});  // 1 taken for 0
  add(input, PredictionRow{0, 1, {101, 0, 10, 10}, 0.5});  // right class, but the truth is taken
  add(input, PredictionRow{0, 1, {400, 0, 10, 10}, 0.4});  // nothing there
  const Pairing pairing = pairs_of(input);
  const ConfusionMatrix all = confusion_at(input, pairing, std::nullopt);
  EXPECT_EQ(all.at(0, 0), 1);
  EXPECT_EQ(all.at(1, 0), 1);
  EXPECT_EQ(all.at(0, all.background()), 1);
  EXPECT_EQ(all.at(all.background(), 1), 2);
  EXPECT_EQ(all.at(1, 1), 0);
  const ConfusionMatrix high = confusion_at(input, pairing, 0.9);
  EXPECT_EQ(high.at(0, 0), 1);
  EXPECT_EQ(high.at(1, high.background()), 1);
  EXPECT_EQ(high.at(0, high.background()), 1);
  EXPECT_EQ(high.at(high.background(), 1), 0);
}

TEST(Confusion, CrowdsAndWhatLiesOnThemCountInNoCell) {
  EvaluationInput input = input_of({1}, 2);
  add(input, TruthRow{0, 0, {0, 0, 100, 100}, true});
  add(input, PredictionRow{0, 0, {10, 10, 10, 10}, 0.9});
  add(input, PredictionRow{0, 1, {10, 10, 10, 10}, 0.9});  // a crowd of another class excuses nothing
  const ConfusionMatrix matrix = confusion_at(input, pairs_of(input), std::nullopt);
  EXPECT_EQ(matrix.at(matrix.background(), 0), 0);
  EXPECT_EQ(matrix.at(matrix.background(), 1), 1);
  EXPECT_EQ(matrix.at(0, matrix.background()), 0);
}

TEST(Confusion, WhatTheEvaluationDoesNotCountIsNeitherConfusedNorMissedNorSpurious) {
  EvaluationInput input = input_of({1}, 2);
  add(input, TruthRow{0, 0, {0, 0, 10, 10}});
  for (int i = 0; i < 3; ++i) {
    add(input, PredictionRow{0, 0, {50, 0, 10, 10}, 0.9});
  }
  add(input, PredictionRow{0, 0, {0, 0, 10, 10}, 0.5});  // right, but beyond the limit
  const ConfusionMatrix limited = confusion_at(input, pairs_of(input, {.threshold = 0, .max_detections = 2}), std::nullopt);
  EXPECT_EQ(limited.at(0, 0), 0);
  EXPECT_EQ(limited.at(limited.background(), 0), 2);
  EXPECT_EQ(limited.at(0, limited.background()), 1);

  // A truth that is not asked for, as a difficult one, with a prediction on it; one of another class that does not count either.
  EvaluationInput part = three_truths();
  add(part, PredictionRow{0, 0, {0, 0, 10, 10}, 0.9});
  add(part, PredictionRow{0, 1, {200, 0, 10, 10}, 0.8});
  part = labels_of(std::move(part), std::vector<std::uint8_t>{0, 1, 1}, std::vector<std::uint8_t>{1, 0});
  const ConfusionMatrix matrix = confusion_at(part, pairs_of(part), std::nullopt);
  EXPECT_EQ(matrix.at(0, 0), 0);
  EXPECT_EQ(matrix.at(0, 1), 0);
  EXPECT_EQ(matrix.at(0, matrix.background()), 1);
  EXPECT_EQ(matrix.at(1, matrix.background()), 1);
  EXPECT_EQ(matrix.at(matrix.background(), 0), 0);
}

TEST(Confusion, RowsSumToTheTruthsThatCountAndColumnsToThePredictions) {
  std::mt19937 random(7);
  const auto number = [&](int below) { return static_cast<std::uint32_t>(std::uniform_int_distribution(0, below - 1)(random)); };
  for (int round = 0; round < 50; ++round) {
    EvaluationInput input = input_of({3, 1, 2}, 3);
    const auto box = [&] { return Box{10.0 * number(6), 10.0 * number(3), 10.0 + 5 * number(3), 20}; };
    for (int i = 0; i < 25; ++i) {
      add(input, TruthRow{number(3), number(3), box(), number(6) == 0});
    }
    for (int i = 0; i < 60; ++i) {
      add(input, PredictionRow{number(3), number(3), box(), 0.1 * number(10)});
    }
    const Evaluation evaluation = evaluate(input, {.threshold = 0.35, .max_detections = 5});
    const ConfusionMatrix matrix = confusion_at(input, pair_across_classes(input, evaluation.outcomes, {}), 0.35);
    for (std::size_t k = 0; k < matrix.classes(); ++k) {
      std::int64_t of_truth = 0;
      std::int64_t of_predictions = 0;
      for (std::size_t other = 0; other <= matrix.background(); ++other) {
        of_truth += matrix.at(k, other);
        of_predictions += matrix.at(other, k);
      }
      const Counts& counts = evaluation.per_class[k].at_threshold.counts;
      EXPECT_EQ(of_truth, counts.true_positives + counts.false_negatives) << "round " << round << ", class " << k;
      EXPECT_EQ(of_predictions, counts.true_positives + counts.false_positives) << "round " << round << ", class " << k;
    }
  }
}

TEST(Confusion, RefusesWhatCannotBeCompared) {
  const EvaluationInput input = three_truths();
  const Outcomes all = evaluate(input, {}).outcomes;
  EXPECT_THROW(pair_across_classes(input, all, {.iou = 0}), Error);
  EXPECT_THROW(pair_across_classes(input, all, {.iou_type = IouType::mask}), Error);
  EXPECT_THROW(pair_across_classes(input, Outcomes{}, {}), Error);
}

std::vector<ErrorKind> kinds_of(const std::vector<LabelError>& errors) {
  std::vector<ErrorKind> kinds;
  for (const LabelError& error : errors) {
    kinds.push_back(error.kind);
  }
  return kinds;
}

TEST(ErrorKinds, EachErrorHasItsKindAndAMissedTruthIsOneThatNobodyCameNear) {
  EvaluationInput input = three_truths();
  add(input, PredictionRow{0, 0, {0, 0, 10, 10}, 0.9});    // right
  add(input, PredictionRow{0, 0, {1, 0, 10, 10}, 0.8});    // on the same truth: IoU 90 / 110
  add(input, PredictionRow{0, 0, {100, 0, 10, 10}, 0.7});  // on class 1
  add(input, PredictionRow{0, 0, {205, 0, 10, 10}, 0.6});  // half beside: IoU 50 / 150
  add(input, PredictionRow{0, 1, {205, 0, 10, 10}, 0.5});  // half beside and of another class
  add(input, PredictionRow{0, 1, {400, 0, 10, 10}, 0.4});  // on nothing
  add(input, TruthRow{0, 1, {600, 0, 10, 10}});
  const Outcomes all = evaluate(input, {}).outcomes;
  const LabelErrors errors = label_errors(input, all, {});
  EXPECT_EQ(kinds_of(errors.predictions), (std::vector{ErrorKind::none, ErrorKind::duplicate, ErrorKind::classification,
                                                       ErrorKind::localization, ErrorKind::both, ErrorKind::background}));
  EXPECT_EQ(kinds_of(errors.truths),
            (std::vector{ErrorKind::none, ErrorKind::classification, ErrorKind::localization, ErrorKind::missed}));
  EXPECT_EQ(errors.predictions[1].about, 0u);
  EXPECT_DOUBLE_EQ(errors.predictions[1].iou, 90.0 / 110);
  EXPECT_EQ(errors.truths[2].about, 3u) << "the prediction that it is lost to";
  EXPECT_DOUBLE_EQ(errors.truths[2].iou, 50.0 / 150);
  EXPECT_EQ(errors.predictions[5].about, kNoPartner);

  // Above a threshold: what lies below is not there, neither as an error nor to take the blame for one.
  const LabelErrors above = label_errors(input, outcomes_at(input, all, 0.65), {});
  EXPECT_EQ(kinds_of(above.predictions), (std::vector{ErrorKind::none, ErrorKind::duplicate, ErrorKind::classification,
                                                      ErrorKind::none, ErrorKind::none, ErrorKind::none}));
  EXPECT_EQ(kinds_of(above.truths),
            (std::vector{ErrorKind::none, ErrorKind::classification, ErrorKind::missed, ErrorKind::missed}));
  const Outcomes none = outcomes_at(input, all, 0.95);
  EXPECT_EQ(none.truths[0].outcome, Outcome::fn);
  EXPECT_EQ(none.truths[0].partner, kNoPartner);
  EXPECT_EQ(none.predictions[0].outcome, Outcome::ignored);

  const ErrorAnalysis analysis = analyse_errors(input, all, {});
  for (const ErrorKind kind : {ErrorKind::classification, ErrorKind::localization, ErrorKind::both, ErrorKind::duplicate,
                               ErrorKind::background, ErrorKind::missed}) {
    EXPECT_EQ(analysis.cost(kind).count, 1) << name_of(kind);
  }
  // Class 0: one of two truths is found by the first of four, precision 1 up to recall 0.5: 51 of 101 points. Class 1: nothing.
  EXPECT_DOUBLE_EQ(*analysis.ap, 51.0 / 101 / 2);
  EXPECT_THROW(analyse_errors(input, evaluate(input, {}).outcomes, {.iou = 0.1, .background_iou = 0.5}), Error);
  EXPECT_THROW(analyse_errors(input, Outcomes{}, {}), Error);
}

TEST(ErrorKinds, WithoutTruthEverythingIsBackgroundAndNothingHasAPrice) {
  EvaluationInput input = input_of({1});
  add(input, PredictionRow{0, 0, {0, 0, 10, 10}, 0.9});
  const Outcomes all = evaluate(input, {}).outcomes;
  EXPECT_EQ(label_errors(input, all, {.background_iou = 0}).predictions.front().kind, ErrorKind::background);
  const ErrorAnalysis analysis = analyse_errors(input, all, {});
  EXPECT_FALSE(analysis.ap);
  EXPECT_EQ(analysis.cost(ErrorKind::background).ap, 0);
}

}  // namespace
}  // namespace verilabel
