#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include <fmt/format.h>

#include "verilabel/base/base64.h"
#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/fiftyone.h"
#include "verilabel/formats/numpy_mask.h"
#include "verilabel/formats/testing_comparison.h"
#include "verilabel/image/png.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What `fiftyone.core.utils.serialize_numpy_array(…, ascii=True)` does to 0 1 0 / 1 1 0: as bool, as int64 by columns; and to an
// array of three dimensions.
constexpr const char* kMask =
    "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBek2SorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOgrGmjoKtQpkAy4GRgZGRgYAFEUbqA==";
constexpr const char* kMaskByColumns =
    "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChIPKSpNBQoXZyQWpAK5GkY6CsaaOgq1CuQDLgYoYMRBowMAbM0bSw==";
constexpr const char* kCube =
    "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBek2SorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOgogpKmjUKtAHuBigAIAUhUbwg==";

RecordingSink read(const std::filesystem::path& path, const ReadOptions& options = {}) {
  return recorded(read_fiftyone, path, nullptr, options, sink_of_size({}));
}

/// A dataset of one sample of 100 × 50 pixels with these labels in `ground_truth`.
void write_dataset(const TemporaryFolder& folder, std::string_view ground_truth) {
  folder.write("samples.json",
               fmt::format(R"({{"samples":[{{"_id":{{"$oid":"64a000000000000000000001"}},"filepath":"data/a.jpg","tags":[],)"
                           R"("metadata":{{"_cls":"ImageMetadata","width":100,"height":50}},"ground_truth":{}}}]}})",
                           ground_truth));
}

TEST(NumpyMask, ReadsWhatNumpyWrites) {
  for (const char* const text : {kMask, kMaskByColumns}) {
    const MaskCrop crop = crop_from_numpy(*bytes_from_base64(text));
    EXPECT_EQ(crop.height, 2U);
    EXPECT_EQ(crop.width, 3U);
    EXPECT_THAT(crop.pixels, ElementsAre(0, 1, 0, 1, 1, 0));
    const MaskCrop again = crop_from_numpy(numpy_from_crop(crop));
    EXPECT_EQ(again.pixels, crop.pixels);
    EXPECT_EQ(again.width, crop.width);
  }
  EXPECT_THROW(crop_from_numpy(*bytes_from_base64(kCube)), Error);
  const std::vector<std::uint8_t> whole = *bytes_from_base64(kMask);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(crop_from_numpy(std::span(whole).first(size)), Error) << size;
  }
}

TEST(FiftyOne, ReadsDetectionsTheirMasksAndWhatIsSaidAboutThem) {
  const TemporaryFolder folder;
  folder.write("metadata.json", R"({"name":"d","version":"1.0.0","media_type":"image","sample_fields":[)"
                                R"({"name":"filepath","ftype":"fiftyone.core.fields.StringField","embedded_doc_type":null},)"
                                R"({"name":"other","ftype":"x","embedded_doc_type":"fiftyone.core.labels.Detections"},)"
                                R"({"name":"ground_truth","ftype":"x","embedded_doc_type":"fiftyone.core.labels.Detections"}]})");
  folder.write(
      "samples.json",
      fmt::format(
          R"({{"samples":[{{"_id":{{"$oid":"64a000000000000000000001"}},"filepath":"data/s/a.jpg","tags":["val","x"],)"
          R"("metadata":{{"_cls":"ImageMetadata","width":100,"height":{{"$numberLong":"50"}}}},"scene":"street","lux":{{"$numberLong":"7"}},)"
          R"("taken":{{"$date":"2026-01-01T00:00:00Z"}},"none":null,"other":{{"_cls":"Detections","detections":[]}},)"
          R"("ground_truth":{{"_cls":"Detections","detections":[)"
          R"({{"_id":{{"$oid":"1"}},"_cls":"Detection","attributes":{{}},"tags":["hard"],"label":"cat","bounding_box":[0.1,0.2,0.5,0.5],"confidence":0.5,"index":3,"occluded":true,"area":{{"$numberDouble":"2.5"}},"iscrowd":1}},)"
          R"({{"_id":{{"$oid":"2"}},"_cls":"Detection","attributes":{{"pose":{{"_cls":"CategoricalAttribute","value":"up"}}}},"label":"dog","bounding_box":[0.1,0.2,0.03,0.04],"mask":{{"$binary":{{"base64":"{}","subType":"00"}}}},"tags":[]}}]}}}},)"
          R"({{"filepath":"/elsewhere/b.jpg","tags":["train","test"],"ground_truth":null}}]}})",
          kMask));
  const RecordingSink sink = read(folder.path());
  EXPECT_THAT(sink.rejections, IsEmpty());
  ASSERT_EQ(sink.images.size(), 2U);
  EXPECT_EQ(sink.images[0].name, "s/a.jpg");
  EXPECT_EQ(sink.images[0].height, 50);
  EXPECT_EQ(sink.images[0].split, "val");
  EXPECT_THAT(sink.images[0].tags, ElementsAre("x"));
  EXPECT_EQ(sink.images[0].fields_json, R"({"scene":"street","lux":7,"taken":"2026-01-01T00:00:00Z"})");
  EXPECT_THAT(sink.images[0].source_json, HasSubstr(R"("other":{"_cls":"Detections","detections":[]})"));
  EXPECT_EQ(sink.images[1].name, "elsewhere/b.jpg");
  EXPECT_EQ(sink.images[1].split, "");
  EXPECT_THAT(sink.images[1].tags, ElementsAre("train", "test"));
  EXPECT_FALSE(sink.images[1].is_labelled);
  ASSERT_EQ(sink.labels.size(), 2U);
  const Label& cat = sink.labels[0].label;
  EXPECT_EQ(cat.box_xywh_px, (Box{10, 10, 50, 25}));
  EXPECT_EQ(cat.confidence, 0.5);
  EXPECT_TRUE(cat.is_crowd);
  EXPECT_EQ(cat.attributes_json, R"({"occluded":true,"area":2.5})");
  EXPECT_EQ(cat.source_json, R"({"_id":{"$oid":"1"},"index":3})");
  EXPECT_THAT(sink.labels[0].tags, ElementsAre("hard"));
  const Label& dog = sink.labels[1].label;
  EXPECT_EQ(dog.attributes_json, R"({"pose":"up"})");
  // Three columns from 10 and two rows from 10: (11, 10), (10, 11), (11, 11).
  const std::vector<std::uint8_t> bitmap = bitmap_from_rle(std::get<Rle>(dog.mask->shape));
  EXPECT_EQ(std::count(bitmap.begin(), bitmap.end(), 1), 3);
  EXPECT_EQ(bitmap[11 * 50 + 10] + bitmap[10 * 50 + 11] + bitmap[11 * 50 + 11], 3);
  EXPECT_THAT(sink.dataset_json, HasSubstr(R"("verilabel_field":"ground_truth")"));
}

TEST(FiftyOne, ReadsClassificationsAndClosedPolylinesWithoutMetadata) {
  const TemporaryFolder folder;
  write_dataset(folder, R"({"_cls":"Polylines","polylines":[{"_cls":"Polyline","label":"a","closed":true,"filled":true,)"
                        R"("points":[[[0,0],[0.5,0],[0.5,1]],[[0.6,0],[0.7,0],[0.7,1]]]},)"
                        R"({"_cls":"Polyline","label":"a","closed":true,"filled":false,"points":[[[0,0],[0.5,0],[0.5,1]]]}]})");
  RecordingSink sink = read(folder.path() / "samples.json");
  ASSERT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(std::get<std::vector<Polygon>>(sink.labels[0].label.mask->shape),
            (std::vector<Polygon>{{0, 0, 50, 0, 50, 50}, {60, 0, 70, 0, 70, 50}}));
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].field, "samples[0].ground_truth.polylines[1].filled");
  write_dataset(folder, R"({"_cls":"Classification","label":"sunny","confidence":0.9,"logits":null})");
  sink = read(folder.path());
  ASSERT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.labels[0].label.kind, LabelKind::classification);
  EXPECT_EQ(sink.labels[0].label.confidence, 0.9);
  write_dataset(folder, R"({"_cls":"Keypoints","keypoints":[{"_cls":"Keypoint","label":"a"},{"_cls":"Keypoint","label":"b"}]})");
  sink = read(folder.path());
  EXPECT_EQ(sink.rejections.size(), 2U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::unsupported);
}

TEST(FiftyOne, GivesLogitsBackByteForByte) {
  for (const char* const logits : {"[0.10,2e0]", R"({"$binary":{"base64":"eJw=","subType":"00"}})"}) {
    const TemporaryFolder folder;
    write_dataset(folder, fmt::format(R"({{"_id":{{"$oid":"1"}},"_cls":"Classification","label":"sunny","logits":{}}})", logits));
    MemorySource source(read(folder.path()));
    EXPECT_EQ(source.samples.at(0).labels.at(0).label.source_json, fmt::format(R"({{"_id":{{"$oid":"1"}},"logits":{}}})", logits));
    EXPECT_THAT(write_fiftyone(folder.path() / "again", source, {}).losses, IsEmpty());
    EXPECT_THAT(read_file(folder.path() / "again/samples.json"), HasSubstr(fmt::format(R"("logits":{})", logits)));
  }
}

TEST(FiftyOne, ReadsMasksFromFiles) {
  const TemporaryFolder folder;
  const std::uint8_t pixels[] = {0, 255, 0, 1, 255, 0};
  folder.write("labels/1.png", encode_gray_png(pixels, 3, 2));
  write_dataset(folder, R"({"_cls":"Detections","detections":[{"_cls":"Detection","label":"dog",)"
                        R"("bounding_box":[0.1,0.2,0.03,0.04],"mask_path":"labels/1.png"}]})");
  const RecordingSink sink = read(folder.path());
  EXPECT_THAT(sink.rejections, IsEmpty());
  ASSERT_EQ(sink.labels.size(), 1U);
  // Three columns from 10 and two rows from 10: (11, 10), (10, 11), (11, 11).
  const std::vector<std::uint8_t> bitmap = bitmap_from_rle(std::get<Rle>(sink.labels[0].label.mask->shape));
  EXPECT_EQ(std::count(bitmap.begin(), bitmap.end(), 1), 3);
  EXPECT_EQ(bitmap[11 * 50 + 10] + bitmap[10 * 50 + 11] + bitmap[11 * 50 + 11], 3);
}

TEST(FiftyOne, ChoosesTheFieldThatIsMeant) {
  const TemporaryFolder folder;
  const auto labels = [](const char* name) { return fmt::format(R"({{"_cls":"Classification","label":"{}"}})", name); };
  folder.write("samples.json",
               fmt::format(R"({{"samples":[{{"filepath":"data/a.jpg","one":{},"two":{}}}]}})", labels("x"), labels("y")));
  const auto name_with = [&](const ReadOptions& options) { return read(folder.path(), options).classes.at(0).name; };
  EXPECT_EQ(name_with({.split = "", .field = "two", .set = "one", .progress = {}}), "y");
  EXPECT_EQ(name_with({.split = "", .field = "", .set = "one", .progress = {}}), "x");
  for (const ReadOptions& options :
       {ReadOptions{.split = "", .progress = {}}, ReadOptions{.split = "", .field = "three", .progress = {}}}) {
    try {
      read(folder.path(), options);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      EXPECT_THAT(error.message(), HasSubstr("one, two"));
    }
  }
}

TEST(FiftyOne, NamesOfItsOwnAreNoFieldsOfLabels) {
  const TemporaryFolder folder;
  folder.write("samples.json", R"({"samples":[{"filepath":"data/a.jpg","tags":{"_cls":"Classification","label":"street"}}]})");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.labels.size(), 0U);
  EXPECT_FALSE(sink.images.at(0).is_labelled);
}

TEST(FiftyOne, RejectsWhatItCannotTakeByByteAndField) {
  const auto detection = [](std::string_view fields) {
    return fmt::format(R"({{"_cls":"Detections","detections":[{{"_cls":"Detection",{}}}]}})", fields);
  };
  const std::string mask = fmt::format(R"("mask":{{"$binary":{{"base64":"{}","subType":"00"}}}})", kMask);
  const std::tuple<std::string, RejectionReason, const char*> cases[] = {
      {R"("label":"a")", RejectionReason::missing_field, ".bounding_box"},
      {R"("bounding_box":[0,0,1,1])", RejectionReason::missing_field, ".label"},
      {R"("label":null,"bounding_box":[0,0,1,1])", RejectionReason::missing_field, ".label"},
      {R"("label":"a","bounding_box":[0,0,1,1],"label":"b")", RejectionReason::malformed, ".label"},
      {R"("label":"a","bounding_box":[0,0,1,1],"bounding_box":[0,0,1,1])", RejectionReason::malformed, ".bounding_box"},
      {R"("label":"a","bounding_box":[0,0,1])", RejectionReason::malformed, ".bounding_box"},
      {R"("label":"a","bounding_box":[0,0,-1,1])", RejectionReason::out_of_range, ".bounding_box"},
      {R"("label":"a","bounding_box":[0,NaN,1,1])", RejectionReason::not_finite, ".bounding_box[1]"},
      {R"("label":"a","bounding_box":[0,0,1e308,1])", RejectionReason::out_of_range, ""},
      {R"("label":"a","bounding_box":[0,0,1,1],"mask":{"$binary":"!"})", RejectionReason::malformed, ".mask"},
      {R"("label":"a","bounding_box":[0,0,1,1],"mask":7)", RejectionReason::malformed, ".mask"},
      {R"("label":"a","bounding_box":[0.9,0,0.5,1],)" + mask, RejectionReason::out_of_range, ".mask"},
      {R"("label":"a","bounding_box":[0,0,1,1],"mask_path":"none.png")", RejectionReason::unreadable_file, ".mask_path"},
      {"\"label\":\"\xFF\",\"bounding_box\":[0,0,1,1]", RejectionReason::malformed, ".label"},
  };
  for (const auto& [fields, reason, field] : cases) {
    const TemporaryFolder folder;
    write_dataset(folder, detection(fields));
    const RecordingSink sink = read(folder.path());
    EXPECT_EQ(sink.images.size(), 1U) << fields;
    EXPECT_THAT(sink.labels, IsEmpty()) << fields;
    ASSERT_EQ(sink.rejections.size(), 1U) << fields;
    EXPECT_EQ(sink.rejections[0].reason, reason) << fields << sink.rejections[0].message;
    EXPECT_EQ(sink.rejections[0].field, std::string("samples[0].ground_truth.detections[0]") + field) << fields;
    EXPECT_EQ(sink.rejections[0].byte_offset, 12U);
  }
}

TEST(FiftyOne, RefusesWhatIsNoDataset) {
  const TemporaryFolder folder;
  EXPECT_THROW(read(folder.path()), Error);
  EXPECT_THROW(read(folder.path() / "none"), Error);
  for (const char* const bad : {"", "[]", "{}", R"({"samples":3})", R"({"samples":[{"a":1)", R"({"samples":[]} x)"}) {
    folder.write("samples.json", bad);
    EXPECT_THROW(read(folder.path()), Error) << bad;
  }
  folder.write("samples.json", R"({"samples":[{"filepath":"data/a.jpg"},{"filepath":"data/a.jpg"},{},7,{"filepath":""}]})");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.rejections.size(), 4U);
  folder.write("metadata.json", R"({"media_type":"video"})");
  EXPECT_THROW(read(folder.path()), Error);
  folder.write("metadata.json", "{");
  EXPECT_THROW(read(folder.path()), Error);
}

TEST(FiftyOne, GivesBackRandomDatasets) {
  std::mt19937 random(17);
  const auto real = [&](double limit) { return limit * static_cast<double>(random()) / 4294967296.0; };
  for (int round = 0; round < 20; ++round) {
    MemorySource source;
    source.class_list = {{"cat", ""}, {"a \"b\"", ""}};
    for (int i = 0; i < 5; ++i) {
      MemorySource::Sample sample;
      sample.image.name = fmt::format("d/{}.jpg", i);
      sample.image.path = "/nowhere/" + sample.image.name;
      sample.image.width = 641;
      sample.image.height = 37;
      sample.image.state = i == 0 ? SampleState::not_labelled : i == 1 ? SampleState::labelled_empty : SampleState::labelled;
      sample.image.split = i % 3 == 0 ? "val" : "";
      sample.image.tags = i % 2 == 0 ? std::vector<std::string>{"t"} : std::vector<std::string>{};
      sample.image.fields_json = i % 2 == 0 ? R"({"lux":1.5,"night":true,"scene":"x"})" : "";
      for (int j = 0; i > 1 && j < 8; ++j) {
        ExportLabel exported;
        exported.class_index = j % 2;
        Label& label = exported.label;
        if (round % 2 == 1) {
          label.kind = LabelKind::classification;
        } else if (j % 2 == 0) {
          label.box_xywh_px = {real(700) - 50, real(40), real(641), real(37)};
        } else {
          const Polygon polygon = {10 + real(600), 5 + real(20), 10 + real(600), 5 + real(20), 300, 20, 304, 24, 300, 24};
          label.kind = LabelKind::mask;
          label.mask = Mask{rle_from_polygons(std::vector<Polygon>{polygon}, 37, 641)};
          label.box_xywh_px = mask_box(*label.mask);
        }
        label.is_crowd = label.kind != LabelKind::classification && j == 4;
        label.confidence = i % 2 == 0 ? std::optional(real(1)) : std::nullopt;
        label.attributes_json = j % 3 == 0 ? R"({"occluded":true,"n":2})" : "";
        exported.tags = j % 5 == 0 ? std::vector<std::string>{"hard"} : std::vector<std::string>{};
        sample.labels.push_back(exported);
      }
      source.samples.push_back(sample);
    }
    WriteOptions options;
    options.with_unlabelled = true;
    EXPECT_THAT(losses_of_fiftyone(source, options), IsEmpty());
    const TemporaryFolder folder;
    EXPECT_THAT(write_fiftyone(folder.path() / "out", source, options).losses, IsEmpty());
    const RecordingSink sink = read(folder.path() / "out");
    for (const Rejection& rejection : sink.rejections) {
      ADD_FAILURE() << rejection.field << ": " << rejection.message;
    }
    MemorySource again(sink);
    ASSERT_EQ(again.samples.size(), source.samples.size());
    for (std::size_t i = 0; i < source.samples.size(); ++i) {
      const MemorySource::Sample& before = source.samples[i];
      const MemorySource::Sample& after = again.samples[i];
      expect_same_image(before.image, after.image);
      ASSERT_EQ(after.labels.size(), before.labels.size());
      for (std::size_t j = 0; j < before.labels.size(); ++j) {
        expect_same_label(source, before.labels[j], again, after.labels[j]);
        EXPECT_EQ(after.labels[j].label.mask, before.labels[j].label.mask);
        // Fractions and back: two roundings of numbers below 1000.
        expect_near(before.labels[j].label.box_xywh_px, after.labels[j].label.box_xywh_px, 1e-12);
      }
    }
    // What was read is given back with its ids and, the second time, byte for byte.
    EXPECT_THAT(losses_of_fiftyone(again, options), IsEmpty());
    write_fiftyone(folder.path() / "again", again, options);
    MemorySource third(read(folder.path() / "again"));
    write_fiftyone(folder.path() / "third", third, options);
    EXPECT_EQ(read_file(folder.path() / "third/samples.json"), read_file(folder.path() / "again/samples.json"));
  }
}

TEST(FiftyOne, CountsTagsThatPassForSplits) {
  MemorySource source;
  source.class_list = {{"cat", ""}};
  for (const auto& [split, tags] :
       {std::pair{"", std::vector<std::string>{"train"}}, std::pair{"val", std::vector<std::string>{"test", "x"}},
        std::pair{"val", std::vector<std::string>{"val", "y"}}, std::pair{"", std::vector<std::string>{"train", "test"}},
        std::pair{"", std::vector<std::string>{"z"}}}) {
    MemorySource::Sample sample;
    sample.image.name = fmt::format("{}.jpg", source.samples.size());
    sample.image.path = "/n/" + sample.image.name;
    sample.image.width = sample.image.height = 10;
    sample.image.split = split;
    sample.image.tags = tags;
    source.samples.push_back(sample);
  }
  const std::vector<Loss> losses = losses_of_fiftyone(source, {});
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].count, 3);
  EXPECT_THAT(losses[0].what, HasSubstr("a tag like a split"));
}

std::vector<std::string> names_of(const RecordingSink& sink) {
  std::vector<std::string> names;
  for (const SourceClass& item : sink.classes) {
    names.push_back(item.name);
  }
  return names;
}

TEST(FiftyOne, ReadsTheListsOfClasses) {
  const TemporaryFolder folder;
  write_dataset(folder, R"({"_cls":"Classification","label":"sun"})");
  const auto names_with = [&](std::string_view metadata) {
    folder.write("metadata.json", metadata);
    const RecordingSink sink = read(folder.path());
    EXPECT_THAT(sink.rejections, IsEmpty()) << metadata;
    return names_of(sink);
  };
  EXPECT_THAT(names_with(R"({"classes":{"other":["x"],"ground_truth":["rain","sun","rain"]},"default_classes":["y"]})"),
              ElementsAre("rain", "sun"));
  EXPECT_THAT(names_with(R"({"classes":{"ground_truth":[]},"default_classes":["y"]})"), ElementsAre("sun"));
  EXPECT_THAT(names_with(R"({"classes":{"other":["x"]},"default_classes":["y"],"info":{"classes":["z"]}})"),
              ElementsAre("y", "sun"));
  EXPECT_THAT(names_with(R"({"classes":null,"default_classes":null,"info":{"classes":["z"]}})"), ElementsAre("z", "sun"));
  EXPECT_THAT(names_with(R"({"info":{"classes":{"z":1}}})"), ElementsAre("sun"));
  EXPECT_THAT(names_with("{}"), ElementsAre("sun"));
}

TEST(FiftyOne, RejectsMalformedListsOfClassesByTheirField) {
  const TemporaryFolder folder;
  write_dataset(folder, R"({"_cls":"Classification","label":"sun"})");
  const std::tuple<const char*, std::vector<std::string>, std::vector<std::string>> cases[] = {
      {R"({"classes":["rain"]})", {"classes"}, {"sun"}},
      {R"({"classes":{"ground_truth":"rain"}})", {"classes.ground_truth"}, {"sun"}},
      {R"({"classes":{"ground_truth":["rain",3,"",null,"fog"]}})",
       {"classes.ground_truth[1]", "classes.ground_truth[2]", "classes.ground_truth[3]"},
       {"rain", "fog", "sun"}},
      {R"({"default_classes":{"a":1}})", {"default_classes"}, {"sun"}},
  };
  for (const auto& [metadata, fields, names] : cases) {
    folder.write("metadata.json", metadata);
    const RecordingSink sink = read(folder.path());
    EXPECT_EQ(names_of(sink), names) << metadata;
    EXPECT_EQ(sink.labels.size(), 1U);
    std::vector<std::string> told;
    for (const Rejection& rejection : sink.rejections) {
      EXPECT_EQ(rejection.kind, RejectedKind::label_class);
      EXPECT_THAT(rejection.file, testing::EndsWith("/metadata.json"));
      told.push_back(rejection.field);
    }
    EXPECT_EQ(told, fields) << metadata;
  }
}

TEST(FiftyOne, KeepsClassesWithoutLabels) {
  const TemporaryFolder folder;
  write_dataset(folder, R"({"_cls":"Classification","label":"sun"})");
  folder.write("metadata.json",
               R"({"classes":{"ground_truth":["rain","sun","a \"b\""],"other":["x"]},"default_classes":["y"],"mask_targets":{}})");
  MemorySource source(read(folder.path()));
  EXPECT_THAT(losses_of_fiftyone(source, {}), IsEmpty());
  EXPECT_THAT(write_fiftyone(folder.path() / "again", source, {}).losses, IsEmpty());
  const RecordingSink again = read(folder.path() / "again");
  EXPECT_THAT(names_of(again), ElementsAre("rain", "sun", "a \"b\""));
  const std::string metadata = read_file(folder.path() / "again/metadata.json");
  EXPECT_THAT(metadata, HasSubstr(R"("classes":{"ground_truth":["rain","sun","a \"b\""],"other":["x"]})"));
  EXPECT_THAT(metadata, HasSubstr(R"("default_classes":["y"])"));
  EXPECT_THAT(metadata, HasSubstr(R"("mask_targets":{})"));
  // Those of another format, whose set may have any name.
  source.dataset = R"({"info":{},"classes":["no"]})";
  write_fiftyone(folder.path() / "other", source, {});
  EXPECT_THAT(names_of(read(folder.path() / "other")), ElementsAre("rain", "sun", "a \"b\""));
}

TEST(FiftyOne, CountsItsLossesBeforeItWritesAndSaysItsSchema) {
  MemorySource source;
  source.class_list = {{"cat", R"({"id":1})"}};
  Label box;
  box.box_xywh_px = {1, 1, 2, 2};
  box.area_px = 5;
  box.source_json = R"({"id":5})";
  box.attributes_json = R"({"ok":1,"label":"x","deep":{"a":1}})";
  Label outline;
  outline.kind = LabelKind::mask;
  outline.mask = Mask{std::vector<Polygon>{{1, 1, 4, 1, 4, 4}}};
  outline.box_xywh_px = {0, 0, 9, 9};
  Label classification;
  classification.kind = LabelKind::classification;
  MemorySource::Sample sample;
  sample.image.name = "a.jpg";
  sample.image.path = "/n/a.jpg";
  sample.image.width = sample.image.height = 10;
  sample.image.split = "fold3";
  sample.image.source_json = R"({"id":3})";
  sample.image.fields_json = R"({"lux":2,"a.b":1})";
  sample.labels = {{0, box, {}}, {0, outline, {}}, {0, classification, {}}};
  source.samples = {sample};
  const TemporaryFolder folder;
  const std::vector<Loss> losses = losses_of_fiftyone(source, {});
  const WriteReport report = write_fiftyone(folder.path() / "out", source, {});
  EXPECT_EQ(report.labels, 2);
  EXPECT_EQ(report.labels_left_out, 1);
  ASSERT_EQ(losses.size(), report.losses.size());
  std::vector<std::string> told;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(losses[i].what, report.losses[i].what);
    EXPECT_EQ(losses[i].count, report.losses[i].count);
    told.push_back(fmt::format("{} {}", losses[i].count, losses[i].what.substr(0, 20)));
  }
  EXPECT_THAT(told,
              ElementsAre("1 images lose the id a", "1 images have their sp", "1 classes lose the id ", "1 fields of images are",
                          "1 labels lose the id a", "1 labels lose the area", "2 attributes are lost ", "1 outlines become pixe",
                          "1 masks lose the box t", "1 classifications of a"));
  const std::string metadata = read_file(folder.path() / "out/metadata.json");
  EXPECT_THAT(metadata, HasSubstr(R"("embedded_doc_type":"fiftyone.core.labels.Detections")"));
  EXPECT_THAT(metadata, HasSubstr(R"({"name":"lux","ftype":"fiftyone.core.fields.IntField")"));
  EXPECT_THROW(write_fiftyone(folder.path() / "out", source, {}), Error);
}

TEST(FiftyOne, AFieldHasOneNameAndOneType) {
  const TemporaryFolder folder;
  MemorySource source;
  source.dataset = R"({"verilabel_field":"ground_truth","sample_fields":[)"
                   R"({"name":"iso","ftype":"fiftyone.core.fields.IntField"},)"
                   R"({"name":"other","ftype":"fiftyone.core.fields.EmbeddedDocumentField"}]})";
  for (const char* const fields : {R"({"mood":5,"iso":100,"other":"x","empty":1,"share":1})",
                                   R"({"mood":"good","iso":"fast","share":0.5,"is_wet":true})", R"({"mood":true})"}) {
    MemorySource::Sample& sample = source.samples.emplace_back();
    sample.image.name = fmt::format("{}.jpg", source.samples.size());
    sample.image.path = "/n/" + sample.image.name;
    sample.image.state = SampleState::labelled_empty;
    sample.image.fields_json = fields;
  }
  source.samples[0].image.source_json =
      R"({"_id":{"$oid":"6566a1b2c3d4e5f601234567"},"other":{"_cls":"Detections","detections":[]},"empty":null})";
  const std::vector<Loss> losses = losses_of_fiftyone(source, {});
  std::vector<std::string> told;
  for (const Loss& loss : losses) {
    told.push_back(fmt::format("{} {}", loss.count, loss.what));
  }
  EXPECT_THAT(told,
              testing::UnorderedElementsAre("1 fields of images are lost whose name FiftyOne has for labels, lists or the like",
                                            "1 fields of images are lost whose value is of another kind than FiftyOne's field",
                                            "2 fields of images become text, because the same field has values of several kinds"));
  EXPECT_EQ(write_fiftyone(folder.path() / "out", source, {}).losses.size(), losses.size());
  const std::string samples = read_file(folder.path() / "out/samples.json");
  EXPECT_THAT(samples, HasSubstr(R"("mood":"5","iso":100,"empty":1,"share":1,)"));
  EXPECT_THAT(samples, HasSubstr(R"("other":{"_cls":"Detections","detections":[]})"));
  EXPECT_THAT(samples, testing::Not(HasSubstr(R"("other":"x")")));
  EXPECT_THAT(samples, testing::Not(HasSubstr(R"("empty":null)")));
  EXPECT_THAT(samples, HasSubstr(R"("mood":"true")"));
  const std::string metadata = read_file(folder.path() / "out/metadata.json");
  EXPECT_THAT(metadata, HasSubstr(R"({"name":"mood","ftype":"fiftyone.core.fields.StringField")"));
  EXPECT_THAT(metadata, HasSubstr(R"({"name":"share","ftype":"fiftyone.core.fields.FloatField")"));
  EXPECT_THAT(metadata, HasSubstr(R"({"name":"is_wet","ftype":"fiftyone.core.fields.BooleanField")"));
}

TEST(FiftyOne, ReportsImagesInFoldersThatJsonCannotName) {
  const TemporaryFolder folder;
  MemorySource source;
  MemorySource::Sample& sample = source.samples.emplace_back();
  sample.image.name = "\xFF\xFE/a.jpg";
  sample.image.path = folder.write("photos/a.jpg", "");
  sample.image.state = SampleState::labelled_empty;
  const WriteReport report = write_fiftyone(folder.path() / "out", source, {.images = ImageTransfer::copy, .progress = {}});
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_THAT(report.failures[0].message, HasSubstr("not UTF-8"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out/data/\xFF\xFE"));
}

}  // namespace
}  // namespace verilabel
