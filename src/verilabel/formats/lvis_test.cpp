#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/file.h"
#include "verilabel/formats/coco.h"
#include "verilabel/formats/coco_element.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kDataset =
    R"({"info":{"version":"1.0"},"licenses":[],)"
    R"("categories":[{"id":3,"name":"aerosol_can","frequency":"c","synset":"aerosol.n.02","synonyms":["spray_can"],"def":"a can"}],)"
    R"("images":[{"id":397133,"coco_url":"http://images.cocodataset.org/val2017/000000397133.jpg","width":640,"height":427,)"
    R"("neg_category_ids":[7,9],"not_exhaustive_category_ids":[3]},{"id":2,"coco_url":"9.jpg","width":4,"height":4},)"
    R"({"id":5,"file_name":"COCO_val2014_5.jpg","coco_url":"http://x/val2014/5.jpg","width":4,"height":4}],)"
    R"("annotations":[{"id":1,"image_id":397133,"category_id":3,"bbox":[1,2,3,4],"area":9.5,"segmentation":[[1,2,4,2,4,6]]}]})";

TEST(Lvis, NamesImagesByTheEndOfTheirUrl) {
  EXPECT_EQ(name_from_coco_url("http://images.cocodataset.org/val2017/000000397133.jpg"), "val2017/000000397133.jpg");
  EXPECT_EQ(name_from_coco_url("val2017/1.jpg"), "1.jpg");
  EXPECT_EQ(name_from_coco_url("/1.jpg"), "1.jpg");
  EXPECT_EQ(name_from_coco_url("1.jpg"), "1.jpg");
  EXPECT_EQ(name_from_coco_url(""), "");
  const TemporaryFolder folder;
  RecordingSink sink;
  const ReadCounts counts = read_lvis(folder.write("l.json", kDataset), {}, sink);
  EXPECT_EQ(counts.images, 3);
  EXPECT_EQ(counts.labels, 1);
  ASSERT_EQ(sink.images.size(), 3U);
  EXPECT_EQ(sink.images[0].name, "val2017/000000397133.jpg");
  EXPECT_EQ(sink.images[1].name, "9.jpg");
  EXPECT_EQ(sink.images[2].name, "COCO_val2014_5.jpg");
}

TEST(Lvis, GivesBackWhatCocoHasNoWordFor) {
  const TemporaryFolder folder;
  RecordingSink first;
  read_lvis(folder.write("l.json", kDataset), {}, first);
  MemorySource source(first);
  EXPECT_THAT(losses_of_lvis(source, {}), testing::IsEmpty());
  write_lvis(folder.path() / "again.json", source, {});
  const std::string text = read_file(folder.path() / "again.json");
  EXPECT_THAT(text, HasSubstr(R"("frequency":"c","synset":"aerosol.n.02","synonyms":["spray_can"],"def":"a can")"));
  EXPECT_THAT(text, HasSubstr(R"("neg_category_ids":[7,9],"not_exhaustive_category_ids":[3])"));
  EXPECT_THAT(text, Not(HasSubstr(R"("file_name":"val2017)")));
  EXPECT_THAT(text, HasSubstr(R"("file_name":"COCO_val2014_5.jpg")"));
  RecordingSink second;
  read_lvis(folder.path() / "again.json", {}, second);
  ASSERT_EQ(second.images.size(), 3U);
  EXPECT_EQ(second.images[0].source_json, first.images[0].source_json);
  EXPECT_EQ(second.images[0].name, first.images[0].name);
  ASSERT_EQ(second.labels.size(), 1U);
  EXPECT_EQ(second.labels[0].label, first.labels[0].label);
  EXPECT_EQ(second.classes[0].source_json, first.classes[0].source_json);
}

TEST(Lvis, FrequencyIsThatOfTheLabelsWritten) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"crowded", ""}};
  Label crowd;
  crowd.box_xywh_px = {0, 0, 1, 1};
  crowd.is_crowd = true;
  for (int i = 0; i < 11; ++i) {
    MemorySource::Sample& sample = source.samples.emplace_back();
    sample.image.name = std::to_string(i) + ".jpg";
    sample.labels = {{0, crowd, {}}};
  }
  EXPECT_EQ(write_lvis(folder.path() / "l.json", source, {}).labels_left_out, 11);
  EXPECT_THAT(read_file(folder.path() / "l.json"), HasSubstr(R"({"id":1,"name":"crowded","frequency":"r"})"));
}

TEST(Lvis, FillsInWhatItsReadersAskForAndLeavesCrowdsOut) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"rare", ""}, {"common", ""}};
  Label box;
  box.box_xywh_px = {0, 0, 1, 1};
  for (int i = 0; i < 11; ++i) {
    MemorySource::Sample sample;
    sample.image.name = std::to_string(i) + ".jpg";
    sample.image.width = sample.image.height = 8;
    sample.labels = {{1, box}, {1, box}};
    source.samples.push_back(sample);
  }
  source.samples[0].labels.push_back({0, box});
  source.samples[0].labels.back().label.is_crowd = true;
  Label classification;
  classification.kind = LabelKind::classification;
  source.samples[1].labels.push_back({0, classification});
  const std::vector<Loss> losses = losses_of_lvis(source, {});
  const WriteReport report = write_lvis(folder.path() / "l.json", source, {});
  ASSERT_EQ(losses.size(), 2U);
  ASSERT_EQ(report.losses.size(), 2U);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(losses[i].what, report.losses[i].what);
    EXPECT_EQ(losses[i].count, 1);
    EXPECT_EQ(report.losses[i].count, 1);
  }
  EXPECT_EQ(report.labels, 22);
  EXPECT_EQ(report.labels_left_out, 2);
  const std::string text = read_file(folder.path() / "l.json");
  EXPECT_THAT(text, HasSubstr(R"({"id":1,"name":"rare","frequency":"r"})"));
  EXPECT_THAT(text, HasSubstr(R"({"id":2,"name":"common","frequency":"c"})"));
  EXPECT_THAT(text, HasSubstr(R"("neg_category_ids":[],"not_exhaustive_category_ids":[])"));
}

TEST(Lvis, RejectsAnImageWithoutAnyName) {
  const TemporaryFolder folder;
  RecordingSink sink;
  const ReadCounts counts = read_lvis(
      folder.write("l.json", R"({"categories":[],"images":[{"id":1},{"id":2,"coco_url":7}],"annotations":[]})"), {}, sink);
  EXPECT_EQ(counts.images_rejected, 2);
  ASSERT_EQ(sink.rejections.size(), 2U);
  EXPECT_THAT(sink.rejections[0].message, HasSubstr("neither coco_url nor file_name"));
  EXPECT_EQ(sink.rejections[1].field, "images[1].coco_url");
}

}  // namespace
}  // namespace verilabel
