#include "verilabel/dataset/lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace verilabel {
namespace {

using enum LabelStatus;
using ::testing::ElementsAre;

constexpr ClassId kCar{1};
constexpr ClassId kBus{2};

LabelOrigin of_run(int id, int run, ClassId class_id = kCar, Verdict verdict = Verdict::unreviewed, int superseded_by = 0) {
  return {LabelId{id}, RunId{run}, false, class_id, verdict, LabelId{superseded_by}};
}

LabelOrigin imported(int id, bool is_undone, Verdict verdict = Verdict::unreviewed) {
  return {LabelId{id}, RunId{}, is_undone, kCar, verdict, LabelId{}};
}

TEST(LabelStatuses, OfNothingAreNothing) {
  EXPECT_TRUE(label_statuses({}, {}).empty());
}

TEST(LabelStatuses, ALaterRunReplacesAnEarlierOne) {
  const std::vector<LabelOrigin> labels = {of_run(1, 1), of_run(2, 2)};
  const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}, {RunId{2}, {}, false}};
  EXPECT_THAT(label_statuses(labels, runs), ElementsAre(replaced, active));
}

TEST(LabelStatuses, ALaterRunThatFoundNothingReplacesToo) {
  const std::vector<LabelOrigin> labels = {of_run(1, 1)};
  const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}, {RunId{2}, {}, false}};
  EXPECT_THAT(label_statuses(labels, runs), ElementsAre(replaced));
}

TEST(LabelStatuses, ARunReplacesOnlyTheClassesItWasAskedFor) {
  const std::vector<ClassId> only_bus = {kBus};
  const std::vector<LabelOrigin> labels = {of_run(1, 1, kCar), of_run(2, 1, kBus), of_run(3, 2, kBus)};
  const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}, {RunId{2}, only_bus, false}};
  EXPECT_THAT(label_statuses(labels, runs), ElementsAre(active, replaced, active));
}

TEST(LabelStatuses, ARunAskedForNoClassReplacesNothing) {
  const std::vector<ClassId> none;
  const std::vector<LabelOrigin> labels = {of_run(1, 1)};
  const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}, {RunId{2}, std::span<const ClassId>(none), false}};
  EXPECT_THAT(label_statuses(labels, runs), ElementsAre(active));
}

TEST(LabelStatuses, UndoOfEachOfTwoRuns) {
  const std::vector<LabelOrigin> labels = {of_run(1, 1), of_run(2, 2)};
  struct Case {
    bool first_undone;
    bool second_undone;
    LabelStatus first;
    LabelStatus second;
  };
  for (const Case& c : {Case{false, false, replaced, active}, Case{false, true, active, undone}, Case{true, false, undone, active},
                        Case{true, true, undone, undone}}) {
    const std::vector<FinishedRun> runs = {{RunId{1}, {}, c.first_undone}, {RunId{2}, {}, c.second_undone}};
    EXPECT_THAT(label_statuses(labels, runs), ElementsAre(c.first, c.second)) << c.first_undone << c.second_undone;
  }
}

TEST(LabelStatuses, OfThreeRunsTheNewestThatIsNotUndoneCounts) {
  const std::vector<LabelOrigin> labels = {of_run(1, 1), of_run(2, 2), of_run(3, 3)};
  const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}, {RunId{2}, {}, false}, {RunId{3}, {}, true}};
  EXPECT_THAT(label_statuses(labels, runs), ElementsAre(replaced, active, undone));
}

TEST(LabelStatuses, DecidedLabelsStayWhateverHappensToTheirRun) {
  for (const Verdict verdict : {Verdict::accepted, Verdict::rejected, Verdict::unsure, Verdict::edited}) {
    const std::vector<LabelOrigin> labels = {of_run(1, 1, kCar, verdict), of_run(2, 2, kCar, verdict), imported(3, true, verdict)};
    const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}, {RunId{2}, {}, true}};
    EXPECT_THAT(label_statuses(labels, runs), ElementsAre(active, active, active)) << name_of(verdict);
  }
}

TEST(LabelStatuses, ImportedLabelsAreUndoneButNeverReplaced) {
  const std::vector<LabelOrigin> labels = {imported(1, false), imported(2, true)};
  const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}};
  EXPECT_THAT(label_statuses(labels, runs), ElementsAre(active, undone));
}

TEST(LabelStatuses, ASupersededCandidateComesBackWhenTheDecisionIsUndone) {
  const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}, {RunId{2}, {}, false}};
  const std::vector<LabelOrigin> decided = {of_run(1, 1, kCar, Verdict::rejected), of_run(2, 2, kCar, Verdict::unreviewed, 1)};
  EXPECT_THAT(label_statuses(decided, runs), ElementsAre(active, superseded));
  const std::vector<LabelOrigin> undecided = {of_run(1, 1), of_run(2, 2, kCar, Verdict::unreviewed, 1)};
  EXPECT_THAT(label_statuses(undecided, runs), ElementsAre(replaced, active));
}

TEST(LabelStatuses, ASupersededCandidateThatIsItselfDecidedCounts) {
  const std::vector<LabelOrigin> labels = {of_run(1, 1, kCar, Verdict::accepted), of_run(2, 2, kCar, Verdict::accepted, 1)};
  const std::vector<FinishedRun> runs = {{RunId{1}, {}, false}, {RunId{2}, {}, false}};
  EXPECT_THAT(label_statuses(labels, runs), ElementsAre(active, active));
}

TEST(LabelStatuses, UndoneComesBeforeSupersededAndThatBeforeReplaced) {
  const std::vector<LabelOrigin> labels = {of_run(1, 1, kCar, Verdict::accepted), of_run(2, 2, kCar, Verdict::unreviewed, 1)};
  const std::vector<FinishedRun> undone_run = {{RunId{1}, {}, false}, {RunId{2}, {}, true}, {RunId{3}, {}, false}};
  EXPECT_THAT(label_statuses(labels, undone_run), ElementsAre(active, undone));
  const std::vector<FinishedRun> later_run = {{RunId{1}, {}, false}, {RunId{2}, {}, false}, {RunId{3}, {}, false}};
  EXPECT_THAT(label_statuses(labels, later_run), ElementsAre(active, superseded));
}

LabelClaim car_at(double x, double w = 100) {
  return {LabelKind::box, kCar, {x, 0, w, 100}};
}

DecidedLabel decided(int id, const LabelClaim& claim) {
  return {LabelId{id}, claim, claim};
}

TEST(FindSuperseding, NeedsTheClassAndThePlace) {
  // Two boxes of 100 × 100 shifted by s overlap by (100 - s) / (100 + s): 0.7 is reached at s = 17.64….
  const std::vector<DecidedLabel> labels = {decided(1, car_at(0))};
  EXPECT_EQ(find_superseding(car_at(0), labels), LabelId{1});
  EXPECT_EQ(find_superseding(car_at(17.6), labels), LabelId{1});
  EXPECT_EQ(find_superseding(car_at(17.7), labels), std::nullopt);
  EXPECT_EQ(find_superseding({LabelKind::box, kBus, {0, 0, 100, 100}}, labels), std::nullopt);
  EXPECT_EQ(find_superseding(car_at(0), {}), std::nullopt);
}

TEST(FindSuperseding, SevenTenthsExactlyIsEnough) {
  // 70 × 100 inside 100 × 100: 7000 / 10000.
  EXPECT_EQ(find_superseding(car_at(0, 70), std::vector{decided(1, car_at(0))}), LabelId{1});
}

TEST(FindSuperseding, TakesTheGreatestOverlapAndAmongEqualsTheFirst) {
  EXPECT_EQ(find_superseding(car_at(0), std::vector{decided(1, car_at(10)), decided(2, car_at(5)), decided(3, car_at(12))}),
            LabelId{2});
  EXPECT_EQ(find_superseding(car_at(0), std::vector{decided(1, car_at(5)), decided(2, car_at(5))}), LabelId{1});
}

TEST(FindSuperseding, AnEditedLabelCountsAsItWasAndAsItIs) {
  const DecidedLabel edited{LabelId{1}, car_at(0), {LabelKind::box, kBus, {500, 0, 100, 100}}};
  const std::vector<DecidedLabel> labels = {edited};
  EXPECT_EQ(find_superseding(car_at(0), labels), LabelId{1});
  EXPECT_EQ(find_superseding({LabelKind::box, kBus, {500, 0, 100, 100}}, labels), LabelId{1});
  EXPECT_EQ(find_superseding(car_at(500), labels), std::nullopt) << "the old class at the new place is nothing that anybody said";
  EXPECT_EQ(find_superseding({LabelKind::box, kBus, {0, 0, 100, 100}}, labels), std::nullopt);
}

TEST(FindSuperseding, BoxesAndMasksShareAPlaceAndClassificationsHaveNone) {
  const LabelClaim mask{LabelKind::mask, kCar, {0, 0, 100, 100}};
  const LabelClaim whole_image{LabelKind::classification, kCar, {}};
  EXPECT_EQ(find_superseding(mask, std::vector{decided(1, car_at(0))}), LabelId{1});
  EXPECT_EQ(find_superseding(whole_image, std::vector{decided(1, whole_image)}), LabelId{1});
  EXPECT_EQ(find_superseding(whole_image, std::vector{decided(1, car_at(0))}), std::nullopt);
  EXPECT_EQ(find_superseding(car_at(0), std::vector{decided(1, whole_image)}), std::nullopt);
  EXPECT_EQ(find_superseding({LabelKind::classification, kBus, {}}, std::vector{decided(1, whole_image)}), std::nullopt);
}

}  // namespace
}  // namespace verilabel
