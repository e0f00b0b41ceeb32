#include "verilabel/evaluate/confusion.h"

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/error_kind.h"
#include "verilabel/evaluate/evaluate.h"
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

TEST(Confusion, CountsRightConfusedMissedAndSpuriousAtAnyThreshold) {
  EvaluationInput input = three_truths();
  add(input, PredictionRow{0, 0, {0, 0, 10, 10}, 0.9});    // right
  add(input, PredictionRow{0, 0, {100, 0, 10, 10}, 0.6});  // 1 taken for 0
  add(input, PredictionRow{0, 1, {101, 0, 10, 10}, 0.5});  // right class, but the truth is taken
  add(input, PredictionRow{0, 1, {400, 0, 10, 10}, 0.4});  // nothing there
  const Pairing pairing = pair_across_classes(input, {});
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
  const ConfusionMatrix matrix = confusion_at(input, pair_across_classes(input, {}), std::nullopt);
  EXPECT_EQ(matrix.at(matrix.background(), 0), 0);
  EXPECT_EQ(matrix.at(matrix.background(), 1), 1);
  EXPECT_EQ(matrix.at(0, matrix.background()), 0);
}

TEST(Confusion, RefusesWhatCannotBeCompared) {
  const EvaluationInput input = three_truths();
  EXPECT_THROW(pair_across_classes(input, {.iou = 0}), Error);
  EXPECT_THROW(pair_across_classes(input, {.iou_type = IouType::mask}), Error);
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
