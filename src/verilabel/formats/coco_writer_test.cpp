#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/coco.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

using testing::HasSubstr;

constexpr const char* kDataset =
    R"({"info":{"year":2026,"text":"a\nb"},"licenses":[{"id":1}],"videos":[],)"
    R"("categories":[{"id":0,"name":"cat"},{"id":90,"name":"dog","supercategory":"pet","keypoints":[]}],)"
    R"("images":[{"id":7,"file_name":"z/a.jpg","width":640,"height":480,"license":1,"date_captured":"2013-11-14 11:18:45"},)"
    R"({"id":3,"file_name":"b.jpg","width":20,"height":10},{"id":5,"file_name":"empty.jpg","width":1,"height":1,"split":7}],)"
    R"("annotations":[)"
    R"({"id":900100581187,"image_id":3,"category_id":90,"bbox":[0.1,0.30000000000000004,2.5,1e-7],"area":7.75,"iscrowd":0,"segmentation":[],"note":[1, {"a":"\u00e9"}]},)"
    R"({"id":4,"image_id":7,"category_id":0,"bbox":[1,2,3,4],"area":6.5,"segmentation":[[1,2,3.25,2,3,6],[0,0,1,0,1,1.1]],"score":0.1234567890123456,"attributes":{"wet":true}},)"
    R"({"id":2,"image_id":7,"category_id":0,"bbox":[0,0,20,10],"area":3,"iscrowd":1,"segmentation":{"size":[10,20],"counts":[5,3,192]}},)"
    R"({"id":1,"image_id":3,"category_id":90,"bbox":[0,0,2,2],"area":5,"iscrowd":0,"segmentation":{"size":[2,3],"counts":"123"}}]})";

struct RoundTrip {
  RecordingSink first;
  RecordingSink second;
  WriteReport report;
  std::string text;
};

RoundTrip round_trip(const TemporaryFolder& folder, std::string_view content) {
  RoundTrip result;
  result.first.size_wh.reset();
  result.second.size_wh.reset();
  read_coco(folder.write("first.json", content), {}, result.first);
  MemorySource source(result.first);
  result.report = write_coco(folder.path() / "second.json", source, {});
  result.text = read_file(folder.path() / "second.json");
  read_coco(folder.path() / "second.json", {}, result.second);
  return result;
}

/// Labels of each image in the order of the images, as an export has them.
std::vector<std::string> told(const RecordingSink& sink) {
  std::vector<std::string> result;
  for (const ImportedLabel& item : sink.labels) {
    result.push_back(
        fmt::format("{} {} {}", sink.images[static_cast<std::size_t>(item.image)].name, item.class_index, item.label.source_json));
  }
  return result;
}

TEST(CocoWriter, GivesBackWhatWasRead) {
  const TemporaryFolder folder;
  const RoundTrip trip = round_trip(folder, kDataset);
  EXPECT_EQ(trip.report.losses.size(), 0U);
  EXPECT_EQ(trip.report.images, 3);
  EXPECT_EQ(trip.report.labels, 4);
  EXPECT_EQ(trip.second.rejections.size(), 0U);
  EXPECT_EQ(trip.second.dataset_json, trip.first.dataset_json);
  ASSERT_EQ(trip.second.images.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(trip.second.images[i].name, trip.first.images[i].name);
    EXPECT_EQ(trip.second.images[i].source_json, trip.first.images[i].source_json);
    EXPECT_EQ(trip.second.images[i].width, trip.first.images[i].width);
  }
  ASSERT_EQ(trip.second.classes.size(), 2U);
  EXPECT_EQ(trip.second.classes[1].source_json, trip.first.classes[1].source_json);
  EXPECT_THAT(told(trip.second), testing::UnorderedElementsAreArray(told(trip.first)));
  ASSERT_EQ(trip.second.labels.size(), 4U);
  for (const ImportedLabel& before : trip.first.labels) {
    const auto after = std::find_if(trip.second.labels.begin(), trip.second.labels.end(),
                                    [&](const ImportedLabel& item) { return item.label.source_json == before.label.source_json; });
    ASSERT_NE(after, trip.second.labels.end()) << before.label.source_json;
    EXPECT_EQ(after->label, before.label);
    EXPECT_EQ(after->image, before.image);
    EXPECT_EQ(after->class_index, before.class_index);
  }
}

TEST(CocoWriter, WritesTheSameBytesAgain) {
  const TemporaryFolder folder;
  const RoundTrip trip = round_trip(folder, kDataset);
  const RoundTrip again = round_trip(folder, trip.text);
  EXPECT_EQ(again.text, trip.text);
}

TEST(CocoWriter, GivesBackTagsAndFieldsAndLeavesOtherShapesAlone) {
  const TemporaryFolder folder;
  const RoundTrip trip = round_trip(
      folder,
      R"({"categories":[{"id":1,"name":"c"}],"images":[)"
      R"({"id":1,"file_name":"a.jpg","tags":["night","a\"b"],"fields":{"scene":"street","lux":1.50,"wet":true}},)"
      R"({"id":2,"file_name":"b.jpg","tags":["x",1],"fields":{"at":{"lat":[1]}}},)"
      R"({"id":3,"file_name":"c.jpg","tags":[],"fields":{"a":null}},{"id":4,"file_name":"d.jpg","tags":"one","fields":{}}],)"
      R"("annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,2,3,4],"tags":["hard"],"area":12,"iscrowd":0,"segmentation":[]},)"
      R"({"id":2,"image_id":1,"category_id":1,"bbox":[1,2,3,4],"tags":{"a":1},"area":12,"iscrowd":0,"segmentation":[]}]})");
  EXPECT_EQ(trip.report.losses.size(), 0U);
  for (const RecordingSink* sink : {&trip.first, &trip.second}) {
    EXPECT_EQ(sink->rejections.size(), 0U);
    ASSERT_EQ(sink->images.size(), 4U);
    EXPECT_THAT(sink->images[0].tags, testing::ElementsAre("night", "a\"b"));
    EXPECT_EQ(sink->images[0].fields_json, R"({"scene":"street","lux":1.50,"wet":true})");
    EXPECT_EQ(sink->images[0].source_json, R"({"id":1})");
    EXPECT_EQ(sink->images[1].source_json, R"({"id":2,"tags":["x",1],"fields":{"at":{"lat":[1]}}})");
    EXPECT_EQ(sink->images[2].source_json, R"({"id":3,"tags":[],"fields":{"a":null}})");
    EXPECT_EQ(sink->images[3].source_json, R"({"id":4,"tags":"one","fields":{}})");
    for (std::size_t i = 1; i < 4; ++i) {
      EXPECT_TRUE(sink->images[i].tags.empty());
      EXPECT_EQ(sink->images[i].fields_json, "");
    }
    ASSERT_EQ(sink->labels.size(), 2U);
    EXPECT_THAT(sink->labels[0].tags, testing::ElementsAre("hard"));
    EXPECT_EQ(sink->labels[0].label.source_json, R"({"id":1})");
    EXPECT_TRUE(sink->labels[1].tags.empty());
    EXPECT_EQ(sink->labels[1].label.source_json, R"({"id":2,"tags":{"a":1}})");
  }
}

MemorySource small_source() {
  MemorySource source;
  source.class_list = {{"cat", ""}, {"dog", R"({"id":1})"}};
  for (const char* const name : {"a.jpg", "b.jpg", "c.jpg"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.width = 100;
    sample.image.height = 50;
    source.samples.push_back(sample);
  }
  Label box;
  box.box_xywh_px = {1, 2, 3, 4};
  source.samples[0].labels = {{0, box}, {1, box}};
  source.samples[1].image.state = SampleState::labelled_empty;
  source.samples[2].image.state = SampleState::not_labelled;
  return source;
}

TEST(CocoWriter, NumbersWhatHasNoIdAboveWhatHas) {
  const TemporaryFolder folder;
  MemorySource source = small_source();
  source.samples[1].image.source_json = R"({"id":40})";
  source.samples[0].labels[1].label.source_json = R"({"id":12})";
  const WriteReport report = write_coco(folder.path() / "out.json", source, {});
  EXPECT_EQ(report.losses.size(), 0U);
  const std::string text = read_file(folder.path() / "out.json");
  EXPECT_THAT(text, HasSubstr(R"({"id":41,"file_name":"a.jpg")"));
  EXPECT_THAT(text, HasSubstr(R"({"id":40,"file_name":"b.jpg")"));
  EXPECT_THAT(text, HasSubstr(R"({"id":2,"name":"cat"})"));
  EXPECT_THAT(text, HasSubstr(R"({"id":12,"image_id":41,"category_id":1)"));
  EXPECT_THAT(text,
              HasSubstr(R"({"id":13,"image_id":41,"category_id":2,"bbox":[1,2,3,4],"area":12,"iscrowd":0,"segmentation":[]})"));
}

TEST(CocoWriter, NamesNewIdsAsALossBeforeWriting) {
  const TemporaryFolder folder;
  MemorySource source = small_source();
  source.samples[0].image.source_json = R"({"id":"text"})";
  source.samples[1].image.source_json = R"({"id":5})";
  source.samples[0].labels[0].label.source_json = R"({"id":12})";
  source.samples[0].labels[1].label.source_json = R"({"id":12})";
  Label classification;
  classification.kind = LabelKind::classification;
  source.samples[0].labels.push_back({0, classification});
  source.samples[1].image.name = "\xFF.jpg";
  const std::vector<Loss> losses = losses_of_coco(source, {});
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out.json"));
  ASSERT_EQ(losses.size(), 4U);
  const WriteReport report = write_coco(folder.path() / "out.json", source, {});
  ASSERT_EQ(report.losses.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(losses[i].what, report.losses[i].what);
    EXPECT_EQ(losses[i].count, 1);
    EXPECT_EQ(report.losses[i].count, 1);
  }
  EXPECT_EQ(report.labels, 2);
  EXPECT_EQ(report.labels_left_out, 1);
  RecordingSink sink;
  read_coco(folder.path() / "out.json", {}, sink);
  EXPECT_EQ(sink.rejections.size(), 0U);
  EXPECT_EQ(sink.images[1].name, "\\xff.jpg");
}

TEST(CocoWriter, KeepsTheThreeStatesApart) {
  const TemporaryFolder folder;
  MemorySource source = small_source();
  WriteReport report = write_coco(folder.path() / "out.json", source, {});
  EXPECT_EQ(report.images, 2);
  EXPECT_EQ(report.images_left_out, 1);
  WriteOptions options;
  options.with_unlabelled = true;
  report = write_coco(folder.path() / "out.json", source, options);
  EXPECT_EQ(report.images, 3);
  EXPECT_EQ(report.images_unlabelled, 1);
  RecordingSink sink;
  const ReadCounts counts = read_coco(folder.path() / "out.json", {}, sink);
  EXPECT_EQ(counts.images_labelled, 2);
  ASSERT_EQ(sink.images.size(), 3U);
  EXPECT_TRUE(sink.images[1].is_labelled);
  EXPECT_FALSE(sink.images[2].is_labelled);
}

TEST(CocoWriter, SpoolsManyLabelsWithoutIds) {
  const TemporaryFolder folder;
  MemorySource source = small_source();
  Label box;
  box.box_xywh_px = {0.1, 0.2, 0.3, 0.4};
  const std::size_t count = 50'000;  // more than is held in memory
  source.samples[0].labels.assign(count, {0, box});
  write_coco(folder.path() / "out.json", source, {});
  RecordingSink sink;
  const ReadCounts counts = read_coco(folder.path() / "out.json", {}, sink);
  EXPECT_EQ(counts.labels, static_cast<std::int64_t>(count));
  EXPECT_EQ(counts.labels_rejected, 0);
  EXPECT_EQ(sink.labels.back().label.source_json, fmt::format("{{\"id\":{}}}", count));
}

TEST(CocoWriter, LeavesTheOldFileWhenItFails) {
  const TemporaryFolder folder;
  const auto file = folder.write("out.json", "old");
  MemorySource source = small_source();
  CancelToken cancel;
  cancel.request();
  WriteOptions options;
  options.cancel = &cancel;
  EXPECT_THROW(write_coco(file, source, options), Error);
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  options = {};
  options.images = ImageTransfer::copy;
  EXPECT_THROW(write_coco(file, source, options), Error);
  EXPECT_THROW(write_coco(folder.path(), source, {}), Error);
  EXPECT_THROW(write_coco(folder.path() / "no" / "such" / "out.json", source, {}), Error);
}

TEST(CocoWriter, IsOpenedByPycocotools) {
  const std::string python = std::string(VERILABEL_VENV) + "/bin/python";
  if (std::system((python + " -c 'import pycocotools' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "no pycocotools in " << VERILABEL_VENV;
  }
  const TemporaryFolder folder;
  round_trip(folder, kDataset);
  const auto script = folder.write("open.py", R"(
import sys
from pycocotools.coco import COCO
coco = COCO(sys.argv[1])
assert sorted(coco.imgs) == [3, 5, 7], coco.imgs
assert sorted(coco.cats) == [0, 90]
assert sorted(coco.anns) == [1, 2, 4, 900100581187]
assert coco.anns[900100581187]['bbox'] == [0.1, 0.30000000000000004, 2.5, 1e-7]
assert coco.anns[900100581187]['note'] == [1, {'a': '\u00e9'}]
assert coco.dataset['info'] == {'year': 2026, 'text': 'a\nb'}
assert coco.annToMask(coco.anns[4]).shape == (480, 640)
assert coco.annToMask({**coco.anns[2], 'image_id': 3}).sum() == 3
)");
  EXPECT_EQ(
      std::system(fmt::format("{} {} {} >/dev/null", python, script.native(), (folder.path() / "second.json").native()).c_str()),
      0);
}

TEST(CocoWriter, AreasOnImagesOfMorePixelsThanMasksHaveAreThoseOfTheOutlines) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  MemorySource::Sample& sample = source.samples.emplace_back();
  sample.image.name = "slide.tif";
  sample.image.width = sample.image.height = 100'000;
  Label label;
  label.kind = LabelKind::mask;
  label.mask = Mask{std::vector<Polygon>{{10, 10, 20, 10, 20, 30}, {50, 50, 50, 60, 60, 60, 60, 50}}};  // 100 + 100
  label.box_xywh_px = mask_box(*label.mask);
  sample.labels = {{0, label, {}}};
  write_coco(folder.path() / "out.json", source, {});
  EXPECT_THAT(read_file(folder.path() / "out.json"), testing::HasSubstr("\"area\":200,"));
}

}  // namespace
}  // namespace verilabel
