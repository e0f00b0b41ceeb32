#include "verilabel/evaluate/from_columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int32_t kTruth = 0;
constexpr std::int32_t kAuto = 1;
constexpr std::int32_t kOther = 2;
constexpr Box kBox = {10, 20, 30, 40};

struct Row {
  std::int32_t sample = 0;
  std::int32_t set = kTruth;
  std::int32_t class_index = 0;
  std::optional<double> confidence = std::nullopt;
  Verdict verdict = Verdict::unreviewed;
  LabelStatus status = LabelStatus::active;
  LabelKind kind = LabelKind::box;
};

class FromColumns : public testing::Test {
 protected:
  FromColumns() {
    columns_.sets = {{1, "ground_truth"}, {2, "auto"}, {3, "other"}};
    columns_.classes = {{5, "cat"}, {3, "dog"}};
    for (const std::int64_t id : {101, 102, 103, 104}) {
      columns_.samples.id.append(id);
    }
  }

  void label(const Row& row) {
    LabelColumns& labels = columns_.labels;
    labels.id.append(static_cast<std::int64_t>(labels.size()) + 1);
    labels.sample.append(row.sample);
    labels.set.append(row.set);
    labels.class_index.append(row.class_index);
    labels.kind.append(row.kind);
    labels.verdict.append(row.verdict);
    labels.status.append(row.status);
    labels.is_crowd.append(0);
    labels.x.append(kBox.x);
    labels.y.append(kBox.y);
    labels.w.append(kBox.w);
    labels.h.append(kBox.h);
    labels.area.append(900);  // of a mask, as its source states it
    labels.confidence.append(row.confidence.value_or(std::numeric_limits<double>::quiet_NaN()));
  }

  void labelled(std::int32_t set, std::int32_t sample) {
    columns_.labelled_set.append(set);
    columns_.labelled_sample.append(sample);
  }

  ColumnsInput build(std::vector<std::uint32_t> rows = {0, 1, 2, 3}) const { return build_from(columns_, kAuto, kTruth, rows); }

  Columns columns_;
};

TEST_F(FromColumns, takes_active_labels_of_the_two_sets_on_samples_with_truth) {
  labelled(kTruth, 0);
  labelled(kTruth, 2);  // labelled empty
  labelled(kAuto, 0);
  labelled(kAuto, 1);
  label({.sample = 0, .set = kTruth, .class_index = 1});
  label({.sample = 0, .set = kAuto, .class_index = 1, .confidence = .5});
  label({.sample = 1, .set = kAuto, .class_index = 0, .confidence = .25});
  label({.sample = 0, .set = kOther, .class_index = 0, .confidence = .75});
  label({.sample = 0, .set = kAuto, .confidence = .9, .status = LabelStatus::replaced});
  label({.sample = 0, .set = kAuto, .confidence = .9, .status = LabelStatus::superseded});
  label({.sample = 0, .set = kAuto, .confidence = .9, .status = LabelStatus::undone});
  const ColumnsInput built = build();
  EXPECT_THAT(built.input.images.id, ElementsAre(101, 103));
  EXPECT_THAT(built.image_sample, ElementsAre(0, 2));
  EXPECT_THAT(built.input.classes.id, ElementsAre(5, 3));
  EXPECT_THAT(built.input.classes.name, ElementsAre("cat", "dog"));
  EXPECT_THAT(built.truth_label, ElementsAre(0));
  EXPECT_THAT(built.prediction_label, ElementsAre(1));
  EXPECT_THAT(built.input.truths.category, ElementsAre(1));
  EXPECT_THAT(built.input.truths.box_xywh_px, ElementsAre(kBox));
  EXPECT_THAT(built.input.truths.area_px, ElementsAre(900));
  EXPECT_THAT(built.input.predictions.score, ElementsAre(.5));
  EXPECT_THAT(built.input.predictions.image, ElementsAre(0));
  EXPECT_EQ(built.coverage.samples, 2);
  EXPECT_EQ(built.coverage.samples_without_truth, 2);
  EXPECT_EQ(built.coverage.samples_only_predicted, 1);
  EXPECT_EQ(built.coverage.samples_not_predicted, 1);
  EXPECT_EQ(built.coverage.truths, 1);
  EXPECT_EQ(built.coverage.predictions, 1);
  EXPECT_EQ(built.coverage.predictions_outside, 1);
}

TEST_F(FromColumns, rejected_labels_are_neither_truth_nor_prediction) {
  labelled(kTruth, 0);
  labelled(kAuto, 0);
  label({.sample = 0, .set = kTruth, .verdict = Verdict::rejected});
  label({.sample = 0, .set = kTruth, .verdict = Verdict::edited});
  label({.sample = 0, .set = kAuto, .confidence = .5, .verdict = Verdict::rejected});
  label({.sample = 0, .set = kAuto, .confidence = .5, .verdict = Verdict::accepted});
  label({.sample = 0, .set = kAuto, .confidence = .5, .verdict = Verdict::unsure});
  label({.sample = 1, .set = kAuto, .confidence = .5, .verdict = Verdict::rejected});
  const ColumnsInput built = build();
  EXPECT_THAT(built.truth_label, ElementsAre(1));
  EXPECT_THAT(built.prediction_label, ElementsAre(3, 4));
  EXPECT_EQ(built.coverage.truths_rejected, 1);
  EXPECT_EQ(built.coverage.predictions_rejected, 1);
  EXPECT_EQ(built.coverage.predictions_outside, 0);
}

TEST_F(FromColumns, only_the_samples_asked_for_count) {
  for (const std::int32_t sample : {0, 1, 2}) {
    labelled(kTruth, sample);
    label({.sample = sample, .set = kTruth});
    label({.sample = sample, .set = kAuto, .confidence = .5});
  }
  const ColumnsInput built = build({2, 3, 1});
  EXPECT_THAT(built.input.images.id, ElementsAre(102, 103));
  EXPECT_THAT(built.truth_label, ElementsAre(2, 4));
  EXPECT_EQ(built.coverage.samples_without_truth, 1);
  EXPECT_EQ(built.coverage.predictions_outside, 0);  // on a sample that nobody asked for
  EXPECT_THAT(build({}).input.images.id, IsEmpty());
}

TEST_F(FromColumns, what_has_no_score_or_no_box_is_counted) {
  labelled(kTruth, 0);
  labelled(kAuto, 0);
  label({.sample = 0, .set = kAuto});
  label({.sample = 0, .set = kAuto, .confidence = .5, .kind = LabelKind::classification});
  label({.sample = 0, .set = kTruth, .kind = LabelKind::classification});
  label({.sample = 0, .set = kTruth, .kind = LabelKind::mask});
  const ColumnsInput built = build();
  EXPECT_THAT(built.input.predictions.score, ElementsAre(1));
  EXPECT_EQ(built.coverage.predictions_without_score, 1);
  EXPECT_EQ(built.coverage.labels_of_other_kinds, 2);
  EXPECT_THAT(built.truth_label, ElementsAre(3));
}

// Sample 0 has a class in the truth, 1 a box only, 2 is labelled empty, 3 is not labelled.
TEST_F(FromColumns, classes_of_whole_images_are_built_from_samples_that_have_one) {
  for (const std::int32_t sample : {0, 1, 2}) {
    labelled(kTruth, sample);
  }
  labelled(kAuto, 1);
  constexpr LabelKind kClass = LabelKind::classification;
  label({.sample = 0, .set = kTruth, .class_index = 1, .kind = kClass});
  label({.sample = 1, .set = kTruth});
  label({.sample = 0, .set = kTruth, .verdict = Verdict::rejected, .kind = kClass});
  label({.sample = 0, .set = kAuto, .confidence = .5, .kind = kClass});
  label({.sample = 0, .set = kAuto, .class_index = 1, .kind = kClass});
  label({.sample = 0, .set = kAuto, .confidence = .5});
  label({.sample = 0, .set = kAuto, .confidence = .9, .status = LabelStatus::replaced, .kind = kClass});
  label({.sample = 1, .set = kAuto, .confidence = .5, .kind = kClass});
  label({.sample = 0, .set = kOther, .kind = kClass});
  const ColumnsInput built = build_classification_from(columns_, kAuto, kTruth, std::vector<std::uint32_t>{0, 1, 2, 3});
  EXPECT_THAT(built.input.images.id, ElementsAre(101));
  EXPECT_THAT(built.truth_label, ElementsAre(0));
  EXPECT_THAT(built.input.truths.category, ElementsAre(1));
  EXPECT_THAT(built.prediction_label, ElementsAre(3, 4));
  EXPECT_THAT(built.input.predictions.category, ElementsAre(0, 1));
  EXPECT_THAT(built.input.predictions.score, ElementsAre(.5, 1));
  const Coverage& coverage = built.coverage;
  EXPECT_EQ(coverage.samples, 1);
  EXPECT_EQ(coverage.samples_without_class, 2);
  EXPECT_EQ(coverage.samples_without_truth, 1);
  EXPECT_EQ(coverage.samples_not_predicted, 1);
  EXPECT_EQ(coverage.predictions_outside, 1);
  EXPECT_EQ(coverage.predictions_without_score, 1);
  EXPECT_EQ(coverage.truths_rejected, 1);
  EXPECT_EQ(coverage.labels_of_other_kinds, 1);
}

// As Open Images has it: a person has looked for the class, and it is not there.
TEST_F(FromColumns, a_label_that_says_that_its_class_is_absent_is_neither_truth_nor_prediction) {
  constexpr LabelKind kClass = LabelKind::classification;
  for (const std::int32_t sample : {0, 1}) {
    labelled(kTruth, sample);
  }
  label({.sample = 0, .set = kTruth, .kind = kClass});
  label({.sample = 0, .set = kTruth, .class_index = 1, .confidence = 0, .kind = kClass});
  label({.sample = 1, .set = kTruth, .confidence = 0, .kind = kClass});
  label({.sample = 0, .set = kAuto, .confidence = 0, .kind = kClass});
  label({.sample = 0, .set = kAuto, .class_index = 1, .confidence = .5, .kind = kClass});
  PropertyColumns& attributes = columns_.label_attributes;
  attributes.names = {"present"};
  attributes.texts.append("false");
  attributes.texts.append("true");
  for (const std::int32_t row : {0, 1, 2, 3, 4}) {
    attributes.name.append(0);
    attributes.row.append(row);
    attributes.text.append(row == 0 || row == 4 ? 1 : 0);
    attributes.number.append(0);
  }
  for (const bool is_multi_label : {false, true}) {
    const ColumnsInput built = build_classification_from(columns_, kAuto, kTruth, std::vector<std::uint32_t>{0, 1}, is_multi_label);
    EXPECT_THAT(built.truth_label, ElementsAre(0));
    EXPECT_THAT(built.prediction_label, ElementsAre(4));
    EXPECT_EQ(built.coverage.samples, is_multi_label ? 2 : 1);
    EXPECT_EQ(built.coverage.samples_without_class, is_multi_label ? 0 : 1);
    EXPECT_EQ(built.coverage.labels_of_absence, is_multi_label ? 3 : 2);
    EXPECT_EQ(built.coverage.labels_of_other_kinds, 0);
  }
}

TEST_F(FromColumns, set_may_be_compared_with_itself) {
  labelled(kTruth, 0);
  label({.sample = 0, .set = kTruth});
  const ColumnsInput built = build_from(columns_, kTruth, kTruth, std::vector<std::uint32_t>{0});
  EXPECT_THAT(built.truth_label, ElementsAre(0));
  EXPECT_THAT(built.prediction_label, ElementsAre(0));
}

}  // namespace
}  // namespace verilabel
