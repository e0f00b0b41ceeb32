#include "verilabel/dataset/lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace verilabel {
namespace {

using enum LabelStatus;
using ::testing::ElementsAre;

constexpr ClassId kCar{1};
constexpr ClassId kBus{2};

/// Labels lie apart from each other.
Box box_of_its_own(int id) {
  return {1000.0 * id, 0, 100, 100};
}

LabelOrigin of_run(int id, int run, ClassId class_id = kCar, Verdict verdict = Verdict::unreviewed, int superseded_by = 0) {
  return {.id = {id},
          .run = {run},
          .written = {LabelKind::box, class_id, box_of_its_own(superseded_by != 0 ? superseded_by : id)},
          .verdict = verdict,
          .superseded_by = {superseded_by}};
}

LabelOrigin imported(int id, bool is_undone, Verdict verdict = Verdict::unreviewed) {
  return {.id = {id}, .is_import_undone = is_undone, .written = {LabelKind::box, kCar, box_of_its_own(id)}, .verdict = verdict};
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

// The first run found the object, the second one again, and that was decided on: whatever is undone, the object is there once.
TEST(LabelStatuses, WhatRepeatsADecidedLabelOfAnotherAnswerIsSupersededWheneverThatWasDecided) {
  const auto here = [](LabelOrigin label, double x) {
    label.written.box_xywh_px = {x, 0, 100, 100};
    return label;
  };
  const std::vector<FinishedRun> undone = {{RunId{1}, {}, false}, {RunId{2}, {}, true}};
  const std::vector<FinishedRun> both = {{RunId{1}, {}, false}, {RunId{2}, {}, false}};
  for (const Verdict verdict : {Verdict::accepted, Verdict::rejected, Verdict::unsure}) {
    // IoU of labels 1 and 3: 90 / 110; of 2 and 3: 80 / 120.
    const std::vector<LabelOrigin> labels = {here(of_run(1, 1), 0), here(of_run(2, 1), -10), here(of_run(3, 2, kCar, verdict), 10),
                                             here(of_run(4, 2), 12), here(of_run(5, 1, kBus), 10)};
    EXPECT_THAT(label_statuses(labels, undone), ElementsAre(superseded, active, active, LabelStatus::undone, active));
    EXPECT_THAT(label_statuses(labels, both), ElementsAre(replaced, replaced, active, active, replaced));
  }
  // A decision that is done again after another run.
  const std::vector<LabelOrigin> redone = {here(of_run(1, 1, kCar, Verdict::accepted), 0), here(of_run(2, 2), 10)};
  EXPECT_THAT(label_statuses(redone, both), ElementsAre(active, superseded));
  // An edit says where the object is, too.
  std::vector<LabelOrigin> edited = {here(of_run(1, 1, kBus, Verdict::edited), 500), here(of_run(2, 2), 0),
                                     here(of_run(3, 2, kBus), 510)};
  edited[0].edited = LabelClaim{LabelKind::box, kCar, {5, 0, 100, 100}};
  EXPECT_THAT(label_statuses(edited, both), ElementsAre(active, superseded, superseded));
  // Of a fusion that was undone; what people have imported stays.
  std::vector<LabelOrigin> fused = {here(imported(1, false), 0), here(imported(2, true, Verdict::accepted), 0),
                                    here(imported(3, false), 0)};
  fused[0].import = {1};
  fused[0].is_fusion = true;
  fused[1].import = {2};
  fused[2].import = {3};
  EXPECT_THAT(label_statuses(fused, {}), ElementsAre(superseded, active, active));
  fused[1].import = {1};
  EXPECT_THAT(label_statuses(fused, {}), ElementsAre(active, active, active)) << "side by side in one answer";
}

TEST(LabelStatuses, AnEqualLabelOfUndoneImportsStandsForAllThatWereAfterIt) {
  for (const int decided : {0, 1, 2}) {
    std::vector<LabelOrigin> labels = {imported(1, true), imported(2, true), imported(3, false)};
    labels[1].superseded_by = {1};
    labels[2].superseded_by = {2};
    if (decided > 0) {
      labels[static_cast<std::size_t>(decided - 1)].verdict = Verdict::accepted;
    }
    EXPECT_EQ(label_statuses(labels, {})[2], decided > 0 ? superseded : active);
  }
}

// Beside an accepted label a run with a bound wants less overlap than beside a rejected one: what holds is what it is now.
TEST(LabelStatuses, AVerdictThatChangesBringsBackWhatDoesNotRepeatItAnyMore) {
  const auto statuses = [](Verdict verdict) {
    std::vector<LabelOrigin> labels = {of_run(1, 1, kCar, verdict), of_run(2, 2)};
    labels[0].written.box_xywh_px = {0, 0, 100, 100};
    labels[1].written.box_xywh_px = {25, 0, 100, 100};  // IoU 0.6
    labels[1].superseded_by = {1};
    return label_statuses(labels, std::vector{FinishedRun{RunId{1}}, FinishedRun{RunId{2}, {}, false, ReplacementBound{0.3, 0.5}}});
  };
  EXPECT_THAT(statuses(Verdict::accepted), ElementsAre(active, superseded));
  EXPECT_THAT(statuses(Verdict::rejected), ElementsAre(active, active));
}

LabelClaim car_at(double x, double w = 100) {
  return {LabelKind::box, kCar, {x, 0, w, 100}};
}

LabelOrigin at(const LabelClaim& claim, int id, int run, double score, Verdict verdict = Verdict::unreviewed) {
  return {.id = {id}, .run = {run}, .written = claim, .score = score, .verdict = verdict};
}

FinishedRun bounded(int run, double confidence, double same_iou = kSameObjectIou, bool is_undone = false) {
  return {RunId{run}, {}, is_undone, ReplacementBound{confidence, same_iou}};
}

TEST(LabelStatuses, ABoundedRunReplacesWhatIsBelowItsBound) {
  const std::vector<LabelOrigin> labels = {at(car_at(0), 1, 1, 0.29), at(car_at(500), 2, 1, 0.3), at(car_at(1000), 3, 1, 0.31)};
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}}, bounded(2, 0.3)}), ElementsAre(replaced, active, active));
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}}, bounded(2, 0)}), ElementsAre(active, active, active));
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}}, bounded(2, 0.3, 0.5, true)}),
              ElementsAre(active, active, active));
}

TEST(LabelStatuses, ALabelWithoutConfidenceStaysUnderAnyBound) {
  const std::vector<LabelOrigin> labels = {of_run(1, 1)};
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}}, bounded(2, 1)}), ElementsAre(active));
}

TEST(LabelStatuses, ABoundedRunLeavesOtherClassesThanItWasAskedFor) {
  const std::vector<ClassId> only_bus = {kBus};
  const std::vector<LabelOrigin> labels = {at(car_at(0), 1, 1, 0.1), at({LabelKind::box, kBus, {0, 0, 9, 9}}, 2, 1, 0.1)};
  const std::vector<FinishedRun> runs = {{RunId{1}}, {RunId{2}, only_bus, false, ReplacementBound{0.3}}};
  EXPECT_THAT(label_statuses(labels, runs), ElementsAre(active, replaced));
}

TEST(LabelStatuses, WhatRepeatsAKeptLabelIsSuperseded) {
  // 50 × 100 inside 100 × 100: IoU 0.5; 49 × 100: 0.49.
  const std::vector<FinishedRun> runs = {{RunId{1}}, bounded(2, 0.3)};
  const LabelOrigin kept = at(car_at(0), 1, 1, 0.3);
  const auto status_of = [&](const LabelOrigin& kept_label, const LabelClaim& claim) {
    return label_statuses(std::vector{kept_label, at(claim, 2, 2, 0.9)}, runs)[1];
  };
  EXPECT_EQ(status_of(kept, car_at(0, 50)), superseded);
  EXPECT_EQ(status_of(kept, car_at(50, 50)), superseded) << "at the far end";
  EXPECT_EQ(status_of(at(car_at(50, 50), 1, 1, 0.3), car_at(0)), superseded);
  EXPECT_EQ(status_of(kept, car_at(0, 49)), active);
  EXPECT_EQ(status_of(kept, {LabelKind::mask, kCar, {0, 0, 100, 100}}), superseded);
  EXPECT_EQ(status_of(kept, {LabelKind::box, kBus, {0, 0, 100, 100}}), active) << "another class";
  EXPECT_EQ(status_of(kept, {LabelKind::classification, kCar, {}}), active) << "an image is no object";
  EXPECT_EQ(status_of(at({LabelKind::classification, kCar, {}}, 1, 1, 0.3), {LabelKind::classification, kCar, {}}), superseded);
  EXPECT_EQ(status_of(at(car_at(0), 1, 1, 0.29), car_at(0)), active) << "what gives way is not in the way";
  EXPECT_EQ(status_of(at(car_at(0), 1, 0, 0.1), car_at(0)), superseded) << "imported labels always stay";
  EXPECT_EQ(status_of(at(car_at(0), 3, 0, 0.9), car_at(0)), active) << "imported later";
  EXPECT_EQ(status_of(at(car_at(0), 1, 2, 0.9), car_at(0)), active) << "labels of one run are its own to tell apart";
}

TEST(LabelStatuses, TheOverlapThatCountsIsTheRuns) {
  const std::vector<LabelOrigin> labels = {at(car_at(0), 1, 1, 0.3), at(car_at(0, 60), 2, 2, 0.9), at(car_at(900), 3, 2, 0.9)};
  const std::vector<LabelOrigin> small = {at(car_at(0), 1, 1, 0.3), at(car_at(80, 20), 2, 2, 0.9), at(car_at(81, 19), 3, 2, 0.9)};
  EXPECT_THAT(label_statuses(small, std::vector{FinishedRun{RunId{1}}, bounded(2, 0.3, 0.2)}),
              ElementsAre(active, superseded, active));
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}}, bounded(2, 0.3, 0.65)}),
              ElementsAre(active, active, active));
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}}, bounded(2, 0.3, 0)}),
              ElementsAre(active, superseded, active))
      << "what does not touch is elsewhere";
}

TEST(LabelStatuses, ARejectedBoxIsInTheWayOfItsLikeOnly) {
  const std::vector<FinishedRun> runs = {{RunId{1}}, bounded(2, 0.3)};
  for (const auto& [verdict, near] : {std::pair(Verdict::rejected, active), std::pair(Verdict::accepted, superseded),
                                      std::pair(Verdict::unsure, superseded), std::pair(Verdict::edited, superseded)}) {
    const std::vector<LabelOrigin> labels = {at(car_at(0), 1, 1, 0.1, verdict), at(car_at(0, 60), 2, 2, 0.9),
                                             at(car_at(0, 70), 3, 2, 0.9)};
    EXPECT_THAT(label_statuses(labels, runs), ElementsAre(active, near, superseded)) << name_of(verdict);
  }
}

TEST(LabelStatuses, UndoOfTheRunWhoseLabelWasKeptBringsUpWhatRepeatsIt) {
  const std::vector<LabelOrigin> labels = {at(car_at(0), 1, 1, 0.8), at(car_at(0), 2, 2, 0.9)};
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}, {}, true}, bounded(2, 0.3)}), ElementsAre(undone, active));
}

TEST(LabelStatuses, WhatWasInTheBackgroundStaysThereWhenALaterRunReplacesWhatItRepeats) {
  const std::vector<LabelOrigin> labels = {at(car_at(0), 1, 1, 0.8), at(car_at(0), 2, 2, 0.9), at(car_at(0), 3, 3, 0.7)};
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}}, bounded(2, 0.5), bounded(3, 0.85)}),
              ElementsAre(replaced, superseded, active));
  EXPECT_THAT(label_statuses(labels, std::vector{FinishedRun{RunId{1}}, bounded(2, 0.5), FinishedRun{RunId{3}}}),
              ElementsAre(replaced, superseded, active));
}

// ---- Any history, against the rules as they read, each label by itself.

struct History {
  std::vector<LabelOrigin> labels;
  std::vector<FinishedRun> runs;
};

/// Whether the label counts once the runs up to and including `last` are done.
bool counts_after(const History& history, const LabelOrigin& label, RunId last);

bool is_undone(const History& history, const LabelOrigin& label) {
  return label.is_import_undone ||
         std::ranges::any_of(history.runs, [&](const FinishedRun& run) { return run.run == label.run && run.is_undone; });
}

/// By the measure of what is stored.
bool repeats_decided(const History& history, const LabelOrigin& label, const LabelOrigin& decided) {
  const auto own = std::ranges::find(history.runs, label.run, &FinishedRun::run);
  const std::vector<DecidedLabel> one = {{decided.id, decided.written, decided.edited.value_or(decided.written), decided.verdict}};
  return find_superseding(label.written, one, label.run ? own->bound : std::nullopt).has_value();
}

/// Or what that one has before it in turn.
bool has_decided_before_it(const History& history, const LabelOrigin& label) {
  const auto other = std::ranges::find(history.labels, label.superseded_by, &LabelOrigin::id);
  return label.superseded_by && other != history.labels.end() &&
         (other->verdict != Verdict::unreviewed || has_decided_before_it(history, *other));
}

bool was_decided_before(const History& history, const LabelOrigin& label) {
  if (!label.run && !label.is_fusion) {
    return has_decided_before_it(history, label);
  }
  const auto other = std::ranges::find(history.labels, label.superseded_by, &LabelOrigin::id);
  return label.superseded_by && other != history.labels.end() && other->verdict != Verdict::unreviewed &&
         repeats_decided(history, label, *other);
}

bool repeats_what_was_kept(const History& history, const LabelOrigin& label) {
  const auto own = std::ranges::find(history.runs, label.run, &FinishedRun::run);
  if (!label.run || !own->bound) {
    return false;
  }
  return std::ranges::any_of(history.labels, [&](const LabelOrigin& kept) {
    const bool is_before = kept.run ? kept.run < label.run : kept.id < label.id;
    const bool is_close = kept.written.kind == LabelKind::classification ||
                          iou(kept.written.box_xywh_px, label.written.box_xywh_px) >=
                              (kept.verdict == Verdict::rejected ? std::max(0.7, own->bound->same_iou) : own->bound->same_iou);
    return is_before && is_close && kept.written.class_id == label.written.class_id &&
           (kept.written.kind == LabelKind::classification) == (label.written.kind == LabelKind::classification) &&
           counts_after(history, kept, label.run);
  });
}

bool repeats_what_is_decided(const History& history, const LabelOrigin& label) {
  return (label.run || label.is_fusion) && std::ranges::any_of(history.labels, [&](const LabelOrigin& other) {
           const bool is_of_another = label.run ? other.run != label.run : other.import != label.import;
           return other.verdict != Verdict::unreviewed && is_of_another && repeats_decided(history, label, other);
         });
}

/// As far as runs are concerned.
bool is_kept_after(const History& history, const LabelOrigin& label, RunId last) {
  if (is_undone(history, label) || was_decided_before(history, label) || label.is_import_replaced ||
      repeats_what_was_kept(history, label)) {
    return false;
  }
  return !label.run || std::ranges::none_of(history.runs, [&](const FinishedRun& later) {
    return label.run < later.run && later.run <= last && !later.is_undone &&
           (!later.asked_classes || std::ranges::count(*later.asked_classes, label.written.class_id) > 0) &&
           (!later.bound || label.score < later.bound->confidence);
  });
}

bool counts_after(const History& history, const LabelOrigin& label, RunId last) {
  return label.verdict != Verdict::unreviewed || (is_kept_after(history, label, last) && !repeats_what_is_decided(history, label));
}

LabelStatus status_by_the_rules(const History& history, const LabelOrigin& label) {
  if (label.verdict != Verdict::unreviewed) {
    return active;
  }
  if (is_undone(history, label)) {
    return undone;
  }
  if (was_decided_before(history, label) || repeats_what_was_kept(history, label)) {
    return superseded;
  }
  if (!is_kept_after(history, label, history.runs.back().run)) {
    return replaced;
  }
  return repeats_what_is_decided(history, label) ? superseded : active;
}

TEST(LabelStatuses, FollowTheRulesInAnyHistory) {
  constexpr std::array kAsked = {std::array<ClassId, 2>{kCar, kBus}, std::array<ClassId, 2>{kCar, kCar},
                                 std::array<ClassId, 2>{kBus, kBus}};
  std::mt19937 random(7);
  const auto pick = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  std::map<LabelStatus, int> seen;
  int repeats = 0;
  for (int round = 0; round < 3000; ++round) {
    History history;
    for (int run = 1, count = 1 + pick(5); run <= count; ++run) {
      FinishedRun& one = history.runs.emplace_back(RunId{run});
      if (pick(2) == 0) {
        one.asked_classes = kAsked[static_cast<std::size_t>(pick(3))];
      }
      one.is_undone = pick(5) == 0;
      if (pick(3) > 0) {
        one.bound = ReplacementBound{0.1 * pick(11), std::array{0.0, 0.3, 0.5, 0.8, 1.0}[static_cast<std::size_t>(pick(5))]};
      }
    }
    for (int id = 1, count = 1 + pick(12); id <= count; ++id) {
      LabelOrigin& label = history.labels.emplace_back();
      label.id = {id};
      label.run = {pick(static_cast<int>(history.runs.size()) + 1)};
      label.import = {label.run ? 0 : pick(4)};
      label.is_fusion = label.import && label.import.value % 2 == 0;
      label.is_import_undone = label.import && pick(4) == 0;
      label.is_import_replaced = label.is_fusion && pick(4) == 0;
      label.written = {pick(6) == 0 ? LabelKind::classification : LabelKind::box,
                       pick(3) == 0 ? kBus : kCar,
                       {10.0 * pick(6), 0, 60.0 + 10 * pick(3), 100}};
      label.score = 0.1 * pick(11);
      if (pick(4) == 0) {
        label.verdict = std::array{Verdict::accepted, Verdict::rejected, Verdict::edited}[static_cast<std::size_t>(pick(3))];
        if (label.verdict == Verdict::edited) {
          label.edited = label.written;
          label.edited->class_id = pick(2) == 0 ? kBus : kCar;
          label.edited->box_xywh_px.x = 10.0 * pick(6);
        }
      }
      if (id > 1 && pick(4) == 0) {
        const LabelOrigin& other = history.labels[static_cast<std::size_t>(pick(id - 1))];
        if (!other.run || other.run < label.run) {
          label.superseded_by = other.id;
        }
      }
    }
    std::ranges::shuffle(history.labels, random);
    const std::vector<LabelStatus> statuses = label_statuses(history.labels, history.runs);
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      const LabelOrigin& label = history.labels[i];
      ASSERT_EQ(statuses[i], status_by_the_rules(history, label)) << "round " << round << ", label " << label.id.value;
      ++seen[statuses[i]];
      repeats += statuses[i] == superseded && repeats_what_was_kept(history, label) ? 1 : 0;
    }

    // Without the run that came last everything is as before it, and what that run kept is as before, too, unless a decision on a
    // label of the run says otherwise.
    History before = history;
    const FinishedRun last = history.runs.back();
    before.runs.pop_back();
    std::erase_if(before.labels, [&](const LabelOrigin& label) { return label.run == last.run; });
    History taken_back = history;
    taken_back.runs.back().is_undone = true;
    bool has_decided = false;
    for (LabelOrigin& label : taken_back.labels) {
      if (label.run == last.run && label.verdict != Verdict::unreviewed) {
        has_decided = true;
        label.verdict = Verdict::unreviewed;
      }
    }
    const std::vector<LabelStatus> then = label_statuses(before.labels, before.runs);
    const std::vector<LabelStatus> again = label_statuses(taken_back.labels, taken_back.runs);
    for (std::size_t i = 0, k = 0; i < history.labels.size(); ++i) {
      const LabelOrigin& label = history.labels[i];
      if (label.run == last.run) {
        continue;
      }
      const bool was_dropped_with_it = label.superseded_by && std::ranges::none_of(before.labels, [&](const auto& one) {
                                         return one.id == label.superseded_by;
                                       });
      if (!was_dropped_with_it) {
        ASSERT_EQ(again[i], then[k]) << "round " << round;
      }
      if (!was_dropped_with_it && !has_decided && then[k] == active && last.bound && label.score >= last.bound->confidence) {
        ASSERT_EQ(statuses[i], active) << "round " << round;
      }
      ++k;
    }
  }
  for (const LabelStatus status : {active, replaced, superseded, undone}) {
    EXPECT_GT(seen[status], 1000) << name_of(status);
  }
  EXPECT_GT(repeats, 500);
}

DecidedLabel decided(int id, const LabelClaim& claim, Verdict verdict = Verdict::accepted) {
  return {LabelId{id}, claim, claim, verdict};
}

std::optional<LabelId> find_superseding(const LabelClaim& candidate, std::span<const DecidedLabel> labels) {
  return find_superseding(candidate, labels, std::nullopt);
}

TEST(FindSuperseding, TheBoundOfARunBringsItsOwnOverlapButForRejectedLabels) {
  const ReplacementBound bound{0.3, 0.5};
  const std::vector<DecidedLabel> accepted = {decided(1, car_at(0))};
  const std::vector<DecidedLabel> rejected = {decided(1, car_at(0), Verdict::rejected)};
  EXPECT_EQ(find_superseding(car_at(0, 50), accepted, bound), LabelId{1});
  EXPECT_EQ(find_superseding(car_at(0, 49), accepted, bound), std::nullopt);
  EXPECT_EQ(find_superseding(car_at(0, 69), rejected, bound), std::nullopt);
  EXPECT_EQ(find_superseding(car_at(0, 70), rejected, bound), LabelId{1});
  EXPECT_EQ(find_superseding(car_at(0, 70), accepted, ReplacementBound{0.3, 0.9}), LabelId{1}) << "no less than without a bound";
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
