// Imports, runs and decisions: the life of a label as users see it.

#include <chrono>
#include <cmath>

#include <gmock/gmock.h>

#include "verilabel/store/columns_reader.h"
#include "verilabel/store/database.h"
#include "verilabel/store/decision_ledger.h"
#include "verilabel/store/locks.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/store/testing_project.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;

class LedgerTest : public StoreTest {
 protected:
  ImportId import_labels(const std::vector<Label>& labels, SampleId sample, bool finish = true, std::string_view source = "f") {
    ImportWriter writer(project_);
    const ImportId id = writer.begin(truth_, "coco", source);
    writer.mark_labelled(sample);
    added_ = 0;
    for (const Label& label : labels) {
      added_ += writer.add_label(sample, label) ? 1 : 0;
    }
    finish ? writer.finish() : writer.stop();
    return id;
  }

  RunId start_run(const std::vector<ClassId>& asked = {}) {
    const RunId run = add_run(project_, {"auto", "m.onnx", "abc", "", 0.05, "{}"}, samples_);
    RunWriter writer = RunWriter::open(project_, run);
    writer.set_model("{}", "openvino", "CPU", asked.empty() ? std::vector<ClassId>{car_, dog_} : asked);
    return run;
  }

  void write(RunId run, SampleId sample, std::vector<Label> labels) {
    RunWriter writer = RunWriter::open(project_, run);
    writer.write(std::vector<SampleOutcome>{{sample, std::move(labels)}});
    writer.finish();
  }

  std::vector<LabelStatus> statuses() {
    const Columns columns = project_.columns();
    return {columns.labels.status.begin(), columns.labels.status.end()};
  }
  std::vector<Verdict> verdicts() {
    const Columns columns = project_.columns();
    return {columns.labels.verdict.begin(), columns.labels.verdict.end()};
  }
  void decide(std::vector<LabelId> labels, Verdict verdict) { decide_labels(project_, labels, verdict, {"me", "because", ""}); }
  Label box(ClassId class_id, double x = 0) { return box_label(class_id, {x, 0, 10, 10}, 0.5); }

  Project project_ = Project::create(folder_ / "p");
  std::vector<SampleId> samples_ = add_samples(project_, 3);
  SetId truth_ = project_.ensure_set("ground_truth");
  SetId auto_ = project_.ensure_set("auto");
  ClassId car_ = project_.ensure_class("car");
  ClassId dog_ = project_.ensure_class("dog");
  int added_ = 0;
};

constexpr auto kActive = LabelStatus::active;
constexpr auto kReplaced = LabelStatus::replaced;
constexpr auto kSuperseded = LabelStatus::superseded;
constexpr auto kUndone = LabelStatus::undone;
constexpr auto kNew = Verdict::unreviewed;
constexpr auto kAccepted = Verdict::accepted;
constexpr auto kRejected = Verdict::rejected;

// ---- Imports

TEST_F(LedgerTest, ALabelComesBackAsItWasWritten) {
  Label label = mask_label(car_, {0.1, 1e-17, 12.345678901234567, 1.0 / 3});
  label.confidence = 0.1 + 0.2;
  label.area_px = 1234.5;
  label.is_crowd = true;
  label.mask = Mask{Rle{4, 3, {2, 5, 5}}, false};
  label.attributes_json = R"({"occluded":true})";
  label.source_json = R"({"id":1})";
  Label tag;
  tag.kind = LabelKind::classification;
  tag.class_id = dog_;
  import_labels({label, tag}, samples_[1]);
  const auto stored = project_.labels_of(samples_[1], truth_);
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_EQ(stored[0].label, label);
  EXPECT_EQ(stored[1].label, tag);
  EXPECT_EQ(stored[0].sample, samples_[1]);
  EXPECT_EQ(stored[0].import, ImportId{1});
  EXPECT_FALSE(stored[0].run);
}

TEST_F(LedgerTest, RepeatingAnImportAddsNothingAndTwinsStayTwo) {
  Label with_zero = box(car_);
  with_zero.box_xywh_px.y = -0.0;
  Label with_attributes = box(dog_);
  with_attributes.attributes_json = R"({"a":1})";
  const std::vector<Label> labels = {with_zero, box(car_, 1), box(car_, 1), with_attributes, mask_label(car_, {1, 2, 3, 4})};
  import_labels(labels, samples_[0]);
  EXPECT_EQ(added_, 5);
  import_labels(labels, samples_[0]);
  EXPECT_EQ(added_, 0);
  std::vector<Label> more = labels;
  more.push_back(box(car_, 1));  // a third of them
  more.push_back(box(dog_));     // without the attributes
  more.push_back(box(car_, 1.0001));
  import_labels(more, samples_[0]);
  EXPECT_EQ(added_, 3);
  import_labels(labels, samples_[1]);
  EXPECT_EQ(added_, 5) << "another sample";
}

TEST_F(LedgerTest, ALabelThatComesAgainGetsTheTagsThatItHadNot) {
  const auto import = [&](const std::vector<std::vector<std::string>>& tags_of_twins) {
    ImportWriter writer(project_);
    writer.begin(project_.ensure_set("ground_truth"), "coco", "/tags.json");
    int added = 0;
    for (const auto& tags : tags_of_twins) {
      added += writer.add_label(samples_[0], box(car_), tags) ? 1 : 0;
    }
    writer.finish();
    return added;
  };
  const auto labels_with = [&](const char* view) { return select_labels(View::parse(view), project_.columns()); };
  EXPECT_EQ(import({{"ask"}, {"hard"}}), 2);
  EXPECT_EQ(import({{"ask"}, {"hard", "new"}}), 0);
  using Rows = std::vector<std::uint32_t>;
  EXPECT_EQ(labels_with("label_tag:ask"), Rows{0});
  EXPECT_EQ(labels_with("label_tag:hard"), Rows{1});
  EXPECT_EQ(labels_with("label_tag:new"), Rows{1}) << "twins come again in their order";
}

TEST_F(LedgerTest, WhatAFileSaysOfASampleReachesTheColumns) {
  Columns columns = project_.columns();
  const std::vector<std::string> tags = {"night", "wet"};
  {
    ImportWriter writer(project_);
    writer.describe_sample(samples_[1], {"val", {}, tags, R"({"scene":"city","gps":{"lat":1.25}})"});
    writer.finish();
  }
  project_.refresh(columns);
  using Rows = std::vector<std::uint32_t>;
  for (const char* view : {"split:val", "tag:night tag:wet", "field:scene=city", "field:gps.lat=1.25"}) {
    EXPECT_EQ(select_samples(View::parse(view), columns), Rows{1}) << view;
  }
  {
    ImportWriter writer(project_);
    writer.describe_sample(samples_[1], {"train", {}, {}, R"({"scene":"park"})"});
    writer.finish();
  }
  project_.refresh(columns);
  EXPECT_EQ(select_samples(View::parse("split:train field:scene=park field:gps.lat tag:night"), columns), Rows{1});
  EXPECT_EQ(code_of([&] { select_samples(View::parse("split:val"), columns); }), ErrorCode::wrong_use) << "no sample is left in it";
  const std::int64_t change = columns.change;
  {
    ImportWriter writer(project_);
    writer.describe_sample(samples_[1], {"train", {}, tags, R"({"scene":"park"})"});
    writer.finish();
  }
  project_.refresh(columns);
  EXPECT_EQ(columns.change, change) << "what was known before is no change";
  ImportWriter writer(project_);
  EXPECT_EQ(code_of([&] { writer.describe_sample({99}, {"val", {}, {}, {}}); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { writer.describe_sample(samples_[1], {{}, {}, {}, "[1]"}); }), ErrorCode::wrong_use);
}

TEST_F(LedgerTest, ADecisionHasItsDateUntilItIsUndone) {
  ImportWriter writer(project_);
  writer.begin(project_.ensure_set("ground_truth"), "coco", "/dates.json");
  writer.add_label(samples_[0], box(car_));
  writer.finish();
  Columns columns = project_.columns();
  EXPECT_TRUE(std::isnan(columns.labels.decided[0]));
  const auto now = [] { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); };
  const double before = now();
  decide_labels(project_, std::vector<LabelId>{{1}}, Verdict::accepted, {"me", "", ""});
  project_.refresh(columns);
  EXPECT_GE(columns.labels.decided[0], before - 0.002);  // stored in milliseconds
  EXPECT_LE(columns.labels.decided[0], now());
  undo_decisions(project_, "me");
  project_.refresh(columns);
  EXPECT_TRUE(std::isnan(columns.labels.decided[0]));
}

TEST_F(LedgerTest, ADecidedOrEditedLabelIsStillTheOneThatWasImported) {
  import_labels({box(car_), box(dog_)}, samples_[0]);
  decide({{1}}, kRejected);
  LabelEdit edit;
  edit.box_xywh_px = Box{5, 5, 5, 5};
  edit_label(project_, {2}, edit, {});
  import_labels({box(car_), box(dog_)}, samples_[0]);
  EXPECT_EQ(added_, 0);
}

TEST_F(LedgerTest, LabelsOfAnUndoneImportAreImportedAnew) {
  const ImportId first = import_labels({box(car_), box(dog_)}, samples_[0]);
  decide({{1}}, kAccepted);
  EXPECT_EQ(project_.undo_import(first), 1);
  EXPECT_THAT(statuses(), ElementsAre(kActive, kUndone));
  EXPECT_EQ(code_of([&] { project_.undo_import(first); }), ErrorCode::conflict);
  EXPECT_EQ(code_of([&] { project_.undo_import({77}); }), ErrorCode::not_found);
  import_labels({box(car_), box(dog_), box(car_)}, samples_[0]);
  EXPECT_EQ(added_, 2) << "one car was decided on, the other is new";
  EXPECT_THAT(statuses(), ElementsAre(kActive, kUndone, kSuperseded, kActive, kActive));
  import_labels({box(car_), box(dog_), box(car_)}, samples_[0]);
  EXPECT_EQ(added_, 0);
  undo_decisions(project_, "me");
  EXPECT_THAT(statuses(), ElementsAre(kUndone, kUndone, kActive, kActive, kActive));
  redo_decisions(project_, "me");
  EXPECT_THAT(statuses(), ElementsAre(kActive, kUndone, kSuperseded, kActive, kActive));
}

TEST_F(LedgerTest, ADecisionThatIsDoneAgainAfterItsLabelWasImportedAnewDoesNotDoubleIt) {
  const ImportId first = import_labels({box(car_)}, samples_[0]);
  decide({{1}}, kAccepted);
  project_.undo_import(first);
  undo_decisions(project_, "me");
  import_labels({box(car_)}, samples_[0]);
  EXPECT_EQ(added_, 1) << "nothing of it was there";
  EXPECT_THAT(statuses(), ElementsAre(kUndone, kActive));
  redo_decisions(project_, "me");
  EXPECT_THAT(statuses(), ElementsAre(kActive, kSuperseded));
}

TEST_F(LedgerTest, NorDoesADecisionOnALabelOfTheImportBetween) {
  project_.undo_import(import_labels({box(car_)}, samples_[0]));
  const ImportId second = import_labels({box(car_)}, samples_[0]);
  decide({{2}}, kAccepted);
  undo_decisions(project_, "me");
  project_.undo_import(second);
  import_labels({box(car_)}, samples_[0]);
  EXPECT_THAT(statuses(), ElementsAre(kUndone, kUndone, kActive));
  redo_decisions(project_, "me");
  EXPECT_THAT(statuses(), ElementsAre(kUndone, kActive, kSuperseded));
}

TEST_F(LedgerTest, WhatWasDecidedOfARunThatIsUndoneDoesNotStandBesideThatOfTheOneBefore) {
  const RunId first = start_run();
  write(first, samples_[0], {box(car_), box(dog_, 50)});
  const RunId second = start_run();
  write(second, samples_[0], {box(car_, 1), box(dog_, 50)});
  decide({{3}}, kAccepted);
  undo_run(project_, second);
  EXPECT_THAT(statuses(), ElementsAre(kSuperseded, kActive, kActive, kUndone));
  undo_decisions(project_, "me");
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive, kUndone, kUndone));
  redo_decisions(project_, "me");
  EXPECT_THAT(statuses(), ElementsAre(kSuperseded, kActive, kActive, kUndone));
  const Columns anew = Project::open(folder_ / "p").columns();
  EXPECT_THAT(anew.labels.status, ElementsAre(kSuperseded, kActive, kActive, kUndone));
}

TEST_F(LedgerTest, AnImportThatWasCutOffIsCompletedUnderItsId) {
  const ImportId first = import_labels({box(car_), box(car_)}, samples_[0], false);
  EXPECT_THAT(project_.columns().labelled_sample, ElementsAre(0)) << "it has labels";
  const ImportId other = import_labels({box(dog_)}, samples_[1], true, "another file");
  EXPECT_NE(first, other);
  const ImportId second = import_labels({box(car_), box(car_), box(car_)}, samples_[0]);
  EXPECT_EQ(first, second);
  EXPECT_EQ(added_, 1);
  const auto imports = project_.imports();
  ASSERT_EQ(imports.size(), 2u);
  EXPECT_EQ(imports[0].labels, 3);
  EXPECT_FALSE(imports[0].finished_at.empty());
  EXPECT_EQ(project_.undo_import(first), 3);
  EXPECT_EQ(import_labels({}, samples_[0]), ImportId{3}) << "a finished or undone one is not gone on with";
}

TEST_F(LedgerTest, AnImportWithoutAnEndIsRunningWhileSomebodyImportsIntoItsSet) {
  const auto running = [&] {
    std::vector<bool> are;
    for (const ImportRow& row : project_.imports()) {
      are.push_back(row.is_running);
    }
    return are;
  };
  import_labels({box(car_)}, samples_[0], false);
  EXPECT_THAT(running(), ElementsAre(false)) << "cut off";
  {
    ImportWriter writer(project_);
    writer.begin(truth_, "coco", "another file");
    EXPECT_THAT(running(), ElementsAre(false, true));
  }
  EXPECT_THAT(running(), ElementsAre(false, false));
}

TEST_F(LedgerTest, LabelledEmptyCountsOnlyOnceTheImportIsFinished) {
  const ImportId id = import_labels({}, samples_[2], false);
  EXPECT_EQ(project_.columns().labelled_sample.size(), 0u);
  import_labels({}, samples_[2]);
  EXPECT_THAT(project_.columns().labelled_sample, ElementsAre(2));
  project_.undo_import(id);
  EXPECT_EQ(project_.columns().labelled_sample.size(), 0u);
}

// Labels 1 and 2 of a first fusion; a second one over the first sample alone, which finds the same again.
TEST_F(LedgerTest, AFusionTakesThePlaceOfTheEarlierOneOnItsSamplesAndGivesItBack) {
  const auto fuse = [&](const std::vector<SampleId>& samples, bool finish) {
    ImportWriter writer(project_);
    const ImportId id = writer.begin(truth_, kFusionFormat, "a + b");
    for (const SampleId sample : samples) {
      EXPECT_TRUE(writer.add_label(sample, box(car_)));
      writer.mark_labelled(sample);
    }
    finish ? writer.finish() : writer.stop();
    return id;
  };
  fuse({samples_[0], samples_[1]}, true);
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive));
  fuse({samples_[0], samples_[1], samples_[2]}, false);
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive, kUndone, kUndone, kUndone)) << "it was cut off";
  EXPECT_THAT(project_.columns().labelled_sample, ElementsAre(0, 1));
  const ImportId second = fuse({samples_[0]}, true);
  EXPECT_EQ(second, ImportId{3}) << "what was cut off is not gone on with";
  EXPECT_THAT(statuses(), ElementsAre(kReplaced, kActive, kUndone, kUndone, kUndone, kActive));
  import_labels({box(car_)}, samples_[0]);
  EXPECT_EQ(added_, 0) << "it is there";
  import_labels({box(car_), box(car_)}, samples_[2]);
  EXPECT_EQ(added_, 2) << "what was cut off is not";
  EXPECT_EQ(project_.undo_import(second), 1);
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive, kUndone, kUndone, kUndone, kUndone, kActive, kActive));
}

TEST_F(LedgerTest, WhatAFusionRepeatsOfDecidedLabelsIsSuperseded) {
  const auto fuse = [&](const std::vector<Label>& labels) {
    ImportWriter writer(project_);
    writer.begin(truth_, kFusionFormat, "a + b");
    for (const Label& label : labels) {
      writer.add_label(samples_[0], label);
    }
    writer.mark_labelled(samples_[0]);
    writer.finish();
    return writer.superseded();
  };
  EXPECT_EQ(fuse({box(car_), box(car_, 50), box(dog_, 100)}), 0);
  decide({{1}}, kAccepted);
  decide({{2}}, kRejected);
  // IoU with label 1: 9 / 11 ≥ 0.7; with label 2: 8 / 12 < 0.7.
  EXPECT_EQ(fuse({box(car_, 1), box(car_, 52), box(dog_)}), 1);
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive, kReplaced, kSuperseded, kActive, kActive));
  undo_decisions(project_, "me");
  undo_decisions(project_, "me");
  EXPECT_THAT(statuses(), ElementsAre(kReplaced, kReplaced, kReplaced, kActive, kActive, kActive));
}

TEST_F(LedgerTest, OneImportAtATimeWritesToASet) {
  ImportWriter writer(project_);
  const ImportId id = writer.begin(truth_, "coco", "f");
  Project other = Project::open(folder_ / "p");
  ImportWriter second(other);
  EXPECT_EQ(code_of([&] { second.begin(truth_, "coco", "g"); }), ErrorCode::conflict);
  EXPECT_EQ(code_of([&] { other.undo_import(id); }), ErrorCode::conflict);
  second.begin(auto_, "coco", "g");
  second.finish();
  writer.finish();
}

TEST_F(LedgerTest, AnImporterKnowsWhatExists) {
  ImportWriter writer(project_);
  writer.begin(truth_, "coco", "f");
  EXPECT_EQ(code_of([&] { writer.add_label({99}, box(car_)); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { writer.add_label({}, box(car_)); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { writer.add_label(samples_[0], box({99})); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { writer.mark_labelled({99}); }), ErrorCode::not_found);
  writer.add_label(samples_[0], box(project_.ensure_class("just made")));
  writer.finish();
  store::Statement check = project_.database().prepare("PRAGMA foreign_key_check");
  EXPECT_FALSE(check.step());
  store::Statement keys = project_.database().prepare("PRAGMA foreign_keys");
  keys.step();
  EXPECT_EQ(keys.integer(0), 1);
}

TEST_F(LedgerTest, WhatAnImporterHasNotCommittedIsGone) {
  {
    ImportWriter writer(project_);
    writer.begin(truth_, "coco", "f");
    writer.add_label(samples_[0], box(car_));
  }
  EXPECT_EQ(project_.columns().labels.size(), 0u);
  import_labels({box(car_)}, samples_[0]);
  EXPECT_EQ(added_, 1);
}

TEST_F(LedgerTest, AMissingSampleIsCompletedWhenItsFileTurnsUp) {
  ImportWriter writer(project_);
  Sample sample = sample_at("/images/late.jpg");
  sample.is_missing = true;
  sample.width = sample.height = 0;
  sample.source_json = R"({"id":5})";
  const SampleId id = writer.add_sample(sample).id;
  const auto found = writer.add_sample(sample_at("/images/late.jpg"));
  EXPECT_EQ(found.id, id);
  EXPECT_FALSE(found.is_new);
  EXPECT_FALSE(found.has_new_size);
  Sample larger = sample_at("/images/late.jpg");
  larger.width = 1;
  EXPECT_TRUE(writer.add_sample(larger).has_new_size);
  writer.describe_sample(id, {"val", R"({"id":6})", {}, {}});
  writer.finish();
  const Sample stored = project_.sample(id);
  EXPECT_FALSE(stored.is_missing);
  EXPECT_EQ(stored.width, 640);
  EXPECT_EQ(stored.split, "val");
  EXPECT_EQ(stored.source_json, R"({"id":5})");
}

// ---- Runs

TEST_F(LedgerTest, ARunIsStoredWithItsSamplesBeforeAnyModelIsLoaded) {
  const RunId run = add_run(project_, {"auto", "m.onnx", "abc", "tag:x", 0.05, "{}"},
                            std::vector<SampleId>{samples_[0], samples_[2], samples_[0]});
  const RunRow row = run_row(Project::open(folder_ / "p", Project::Access::read_only), run);
  EXPECT_EQ(row.samples, 2);
  EXPECT_EQ(row.done + row.failed, 0);
  EXPECT_EQ(row.request.view, "tag:x");
  EXPECT_TRUE(row.device.empty());
  RunWriter writer = RunWriter::open(project_, run);
  EXPECT_EQ(writer.samples_left(false).size(), 2u);
  EXPECT_EQ(code_of([&] { run_row(project_, {99}); }), ErrorCode::not_found);
}

TEST_F(LedgerTest, OutcomesAddUpAndFailuresAreTriedAgainOnlyWhenAsked) {
  const RunId run = start_run();
  {
    RunWriter writer = RunWriter::open(project_, run);
    writer.write(std::vector<SampleOutcome>{{samples_[0], std::vector<Label>{box(car_), box(dog_)}},
                                            {samples_[1], SampleFailure{ErrorCode::bad_data, "broken"}}});
    EXPECT_EQ(writer.samples_left(false).size(), 1u);
    EXPECT_EQ(writer.samples_left(true).size(), 2u);
    EXPECT_EQ(code_of([&] { writer.write(std::vector<SampleOutcome>{{samples_[0], std::vector<Label>{box(car_)}}}); }),
              ErrorCode::internal);
    writer.finish();
  }
  RunRow row = run_row(project_, run);
  EXPECT_EQ(std::tuple(row.samples, row.done, row.failed, row.labels), std::tuple(3, 1, 1, 2));
  EXPECT_TRUE(row.finished_at.empty());
  const auto failures = run_failures(project_, run);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, "bad_data");
  EXPECT_EQ(failures[0].path, "/images/1.jpg");
  write(run, samples_[1], {box(car_)});
  write(run, samples_[2], {});
  row = run_row(project_, run);
  EXPECT_EQ(std::tuple(row.samples, row.done, row.failed, row.labels), std::tuple(3, 3, 0, 3));
  EXPECT_FALSE(row.finished_at.empty());
  EXPECT_EQ(project_.columns().labels.size(), 3u) << "the second outcome of a sample was not stored";
}

TEST_F(LedgerTest, OneProcessWorksOnARun) {
  const RunId run = start_run();
  EXPECT_FALSE(is_live(project_, run));
  {
    const RunWriter writer = RunWriter::open(project_, run);
    EXPECT_TRUE(is_live(project_, run));
    Project other = Project::open(folder_ / "p");
    EXPECT_EQ(code_of([&] { RunWriter::open(other, run); }), ErrorCode::conflict);
    EXPECT_EQ(code_of([&] { undo_run(other, run); }), ErrorCode::conflict);
  }
  EXPECT_FALSE(is_live(project_, run));
  undo_run(project_, run);
  EXPECT_EQ(code_of([&] { undo_run(project_, run); }), ErrorCode::conflict);
  EXPECT_EQ(code_of([&] { RunWriter::open(project_, run); }), ErrorCode::conflict);
  EXPECT_EQ(code_of([&] { RunWriter::open(project_, {99}); }), ErrorCode::not_found);
}

TEST_F(LedgerTest, ALaterRunReplacesUndecidedLabelsOfTheClassesItWasAskedFor) {
  write(start_run(), samples_[0], {box(car_), box(dog_), box(car_, 50)});
  decide({{3}}, kAccepted);
  const RunId second = start_run({car_});
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive, kActive)) << "not before it finished the sample";
  write(second, samples_[0], {box(car_, 100)});
  EXPECT_THAT(statuses(), ElementsAre(kReplaced, kActive, kActive, kActive));
  EXPECT_EQ(undo_run(project_, second), 1);
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive, kActive, kUndone));
  EXPECT_EQ(undo_run(project_, {1}), 2);
  EXPECT_THAT(statuses(), ElementsAre(kUndone, kUndone, kActive, kUndone)) << "the decided one stays";
}

TEST_F(LedgerTest, ACandidateThatRepeatsADecidedLabelIsSuperseded) {
  write(start_run(), samples_[0], {box(car_), box(dog_, 50)});
  decide({{1}}, kRejected);
  LabelEdit edit;
  edit.class_id = car_;
  edit_label(project_, {2}, edit, {});
  const RunId second = start_run();
  write(second, samples_[0], {box(car_, 1), box(car_, 51), box(dog_, 50), box(dog_, 0), box(car_, 90)});
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive, kSuperseded, kSuperseded, kSuperseded, kActive, kActive));
  EXPECT_EQ(run_row(project_, second).superseded, 3);
  undo_decisions(project_, "me");  // the edit: what it superseded counts again
  EXPECT_THAT(statuses(), ElementsAre(kActive, kReplaced, kSuperseded, kActive, kActive, kActive, kActive));
}

TEST_F(LedgerTest, ABoundedRunReplacesWhatIsDoubtfulAndPutsNothingOnTopOfTheRest) {
  const auto scored = [&](ClassId class_id, double x, double confidence) {
    return box_label(class_id, {x, 0, 10, 10}, confidence);
  };
  write(start_run(), samples_[0], {scored(car_, 0, 0.2), scored(car_, 50, 0.8), scored(dog_, 100, 0.1), scored(car_, 150, 0.1)});
  decide({{4}}, kRejected);
  const std::vector<LabelStatus> before = statuses();
  const RunId run = add_run(project_, {"auto", "strong.onnx", "def", "", 0.05, "{}", ReplacementBound{0.3, 0.5}}, samples_);
  {
    RunWriter writer = RunWriter::open(project_, run);
    writer.set_model("{}", "openvino", "CPU", std::vector<ClassId>{car_});
  }
  EXPECT_EQ(statuses(), before) << "not before it finished the sample";
  // Boxes of 10 × 10 shifted by s overlap by (10 - s) / (10 + s): 3 gives 0.54, 4 gives 0.43, 1 gives 0.82.
  write(run, samples_[0],
        {scored(car_, 0, 0.9), scored(car_, 53, 0.9), scored(car_, 54, 0.9), scored(car_, 153, 0.9), scored(car_, 151, 0.9)});
  EXPECT_THAT(statuses(), ElementsAre(kReplaced, kActive, kActive, kActive, kActive, kSuperseded, kActive, kActive, kSuperseded));
  RunRow row = run_row(Project::open(folder_ / "p", Project::Access::read_only), run);
  EXPECT_EQ(row.request.bound, (ReplacementBound{0.3, 0.5}));
  EXPECT_EQ(std::tuple(row.labels, row.superseded, row.repeats), std::tuple(5, 1, 1));
  decide({{2}}, kRejected);  // its box is wrong: one that is a little elsewhere may be right
  EXPECT_EQ(statuses()[5], kActive);
  undo_decisions(project_, "me");
  EXPECT_EQ(statuses()[5], kSuperseded);
  undo_run(project_, run);
  EXPECT_THAT(statuses(), ElementsAre(kActive, kActive, kActive, kActive, kUndone, kUndone, kUndone, kUndone, kUndone));
}

TEST_F(LedgerTest, ABoundedRunKeepsImportedLabelsToo) {
  ImportWriter writer(project_);
  writer.begin(auto_, "coco", "f");
  writer.add_label(samples_[0], box_label(car_, {0, 0, 10, 10}, 0.1));
  writer.finish();
  const RunId run = add_run(project_, {"auto", "m.onnx", "abc", "", 0.05, "{}", ReplacementBound{0.3, 0.5}}, samples_);
  write(run, samples_[0], {box(car_), box(car_, 50)});
  EXPECT_THAT(statuses(), ElementsAre(kActive, kSuperseded, kActive));
  const Columns rebuilt = store::rebuild_columns(project_.database());
  EXPECT_EQ(rebuilt.labels.status[1], kSuperseded) << "also where nothing else stands in anything's way";
  EXPECT_EQ(run_row(project_, run).repeats, 1);
}

TEST_F(LedgerTest, AnEditedLabelIsInTheWayOfABoundedRunWhereItIsNow) {
  write(start_run(), samples_[0], {box(dog_)});
  LabelEdit edit;
  edit.class_id = car_;
  edit.box_xywh_px = Box{50, 0, 10, 10};
  edit_label(project_, {1}, edit, {});
  const RunId run = add_run(project_, {"auto", "m.onnx", "abc", "", 0.05, "{}", ReplacementBound{0.3, 0.5}}, samples_);
  write(run, samples_[0], {box(car_, 53), box(dog_, 3), box(car_, 0)});
  EXPECT_THAT(statuses(), ElementsAre(kActive, kSuperseded, kSuperseded, kActive));
}

// ---- Decisions

TEST_F(LedgerTest, ABulkDecisionIsTakenBackAsOne) {
  import_labels({box(car_), box(car_, 1), box(car_, 2)}, samples_[0]);
  decide({{1}, {2}}, kAccepted);
  decide({{2}, {3}}, kRejected);
  EXPECT_THAT(verdicts(), ElementsAre(kAccepted, kRejected, kRejected));
  EXPECT_EQ(undo_decisions(project_, "me"), 2);
  EXPECT_THAT(verdicts(), ElementsAre(kAccepted, kAccepted, kNew));
  EXPECT_EQ(undo_decisions(project_, "me"), 2);
  EXPECT_THAT(verdicts(), ElementsAre(kNew, kNew, kNew));
  EXPECT_EQ(code_of([&] { undo_decisions(project_, "me"); }), ErrorCode::conflict);
  EXPECT_EQ(redo_decisions(project_, "me"), 2);
  EXPECT_THAT(verdicts(), ElementsAre(kAccepted, kAccepted, kNew));
  EXPECT_EQ(redo_decisions(project_, "me"), 2);
  EXPECT_THAT(verdicts(), ElementsAre(kAccepted, kRejected, kRejected));
  EXPECT_EQ(code_of([&] { redo_decisions(project_, "me"); }), ErrorCode::conflict);
}

TEST_F(LedgerTest, ANewDecisionForgetsWhatCouldBeRedone) {
  import_labels({box(car_), box(car_, 1)}, samples_[0]);
  decide({{1}}, kAccepted);
  undo_decisions(project_, "me");
  decide({{2}}, kRejected);
  EXPECT_EQ(code_of([&] { redo_decisions(project_, "me"); }), ErrorCode::conflict);
  undo_decisions(project_, "me");
  redo_decisions(project_, "me");
  EXPECT_THAT(verdicts(), ElementsAre(kNew, kRejected));
  undo_decisions(project_, "me");
  EXPECT_EQ(code_of([&] { undo_decisions(project_, "me"); }), ErrorCode::conflict) << "the first stays taken back";
}

TEST_F(LedgerTest, WhatWasDecidedSinceALabelWasChosenStays) {
  import_labels({box(car_), box(car_, 1), box(car_, 2)}, samples_[0]);
  const std::vector<SeenLabel> chosen = {{{1}, kNew}, {{2}, kNew}, {{3}, kNew}};
  decide({{2}}, kRejected);
  decide({{3}}, kAccepted);
  const DecisionCounts counts = decide_labels(project_, chosen, kAccepted, {"other", "", ""});
  EXPECT_EQ(counts.labels, 1);
  EXPECT_EQ(counts.decided_meanwhile, 1);
  EXPECT_EQ(counts.unchanged, 1);
  EXPECT_THAT(verdicts(), ElementsAre(kAccepted, kRejected, kAccepted));
}

TEST_F(LedgerTest, DecidingTheSameAgainChangesNothingAndIsNoUnit) {
  import_labels({box(car_), box(car_, 1)}, samples_[0]);
  decide({{1}}, kAccepted);
  const DecisionCounts again = decide_labels(project_, std::vector<LabelId>{{1}, {2}, {2}}, kAccepted, {});
  EXPECT_EQ(again.labels, 1);
  EXPECT_EQ(again.unchanged, 2);
  EXPECT_EQ(decide_labels(project_, std::vector<LabelId>{{1}, {2}}, kAccepted, {}).labels, 0);
  EXPECT_EQ(decide_labels(project_, std::vector<LabelId>(), kAccepted, {}).labels, 0);
  EXPECT_EQ(undo_decisions(project_, "me"), 1);
  EXPECT_THAT(verdicts(), ElementsAre(kAccepted, kNew));
}

TEST_F(LedgerTest, AnEditStaysInForceUntilItIsUndone) {
  import_labels({mask_label(car_, {0, 0, 10, 10})}, samples_[0]);
  const Label written = project_.labels_of(samples_[0], truth_)[0].label;
  LabelEdit move;
  move.box_xywh_px = Box{5, 6, 7, 8};
  edit_label(project_, {1}, move, {});
  LabelEdit rename;
  rename.class_id = dog_;
  edit_label(project_, {1}, rename, {});
  EXPECT_EQ(edit_label(project_, {1}, rename, {}).unchanged, 1);
  decide({{1}}, kAccepted);
  StoredLabel stored = project_.labels_of(samples_[0], truth_)[0];
  EXPECT_EQ(stored.verdict, kAccepted);
  EXPECT_EQ(stored.label.class_id, dog_);
  EXPECT_EQ(stored.label.kind, LabelKind::box);
  EXPECT_EQ(stored.label.box_xywh_px, (Box{5, 6, 7, 8}));
  const Columns columns = project_.columns();
  EXPECT_EQ(columns.labels.kind[0], LabelKind::box);
  EXPECT_EQ(columns.labels.area[0], 56);
  undo_decisions(project_, "me");
  undo_decisions(project_, "me");
  EXPECT_EQ(project_.labels_of(samples_[0], truth_)[0].label.class_id, car_);
  undo_decisions(project_, "me");
  EXPECT_EQ(project_.labels_of(samples_[0], truth_)[0].label, written);
}

TEST_F(LedgerTest, AnEditThatMakesNoSenseIsRefused) {
  import_labels({box(car_)}, samples_[0]);
  LabelEdit edit;
  edit.box_xywh_px = Box{0, 0, -1, 1};
  EXPECT_EQ(code_of([&] { edit_label(project_, {1}, edit, {}); }), ErrorCode::wrong_use);
  edit = {};
  edit.mask = Mask{std::vector<Polygon>{{0, 0, 1, 0, 1, 1}}, true};
  EXPECT_EQ(code_of([&] { edit_label(project_, {1}, edit, {}); }), ErrorCode::wrong_use);
  edit = {};
  edit.class_id = ClassId{99};
  EXPECT_EQ(code_of([&] { edit_label(project_, {1}, edit, {}); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { edit_label(project_, {99}, {}, {}); }), ErrorCode::not_found);
  EXPECT_THAT(verdicts(), ElementsAre(kNew));
}

TEST_F(LedgerTest, ABulkDecisionWithAnUnknownLabelDecidesNothing) {
  import_labels({box(car_)}, samples_[0]);
  EXPECT_EQ(code_of([&] { decide({{1}, {99}}, kAccepted); }), ErrorCode::not_found);
  EXPECT_THAT(verdicts(), ElementsAre(kNew));
  EXPECT_EQ(code_of([&] { undo_decisions(project_, "me"); }), ErrorCode::conflict);
}

}  // namespace
}  // namespace verilabel
