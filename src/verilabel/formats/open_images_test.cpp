#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/open_images.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kHeader =
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n";

RecordingSink read(const fs::path& path, ReadCounts* counts = nullptr, const ReadOptions& options = {}) {
  ReadCounts read_counts;
  RecordingSink sink = recorded(read_open_images, path, &read_counts, options, sink_of_size({{200, 100}}));
  if (counts != nullptr) {
    *counts = read_counts;
  }
  EXPECT_EQ(read_counts.labels, static_cast<std::int64_t>(sink.labels.size()));
  return sink;
}

RecordingSink read_rows(std::string_view rows) {
  const TemporaryFolder folder;
  return read(folder.write("train-annotations-bbox.csv", std::string(kHeader).append(rows)));
}

TEST(OpenImagesReader, ReadsBoxesImageLabelsAndNamesOfClasses) {
  const TemporaryFolder folder;
  folder.write("class-descriptions-boxable.csv", "/m/01g317,Person\n/m/0k4j,\"Car, all\"\n/m/0jbk,Animal\n");
  folder.write("oidv6-train-annotations-bbox.csv",
               std::string(kHeader) +
                   "000a,xclick,/m/01g317,1,0.1,0.6,0.25,0.75,1,0,0,-1,1\n000a,activemil,/m/0k4j,1,0,1,0,1,-1,-1,-1,-1,-1\n"
                   "000b,,/m/0zzz,0.5,0.5,0.5,0,1,0,0,1,1,0\n");
  folder.write("validation-annotations-human-imagelabels-boxable.csv",
               "ImageID,Source,LabelName,Confidence\n000c,verification,/m/0jbk,1\n000c,verification,/m/01g317,0\n"
               "000d.jpg,machine,/m/0jbk,0.7\n");
  ReadCounts counts;
  const RecordingSink sink = read(folder.path(), &counts);
  ASSERT_EQ(sink.rejections.size(), 0U) << sink.rejections[0].message;
  ASSERT_EQ(sink.classes.size(), 4U);
  EXPECT_EQ(sink.classes[0].name, "Person");
  EXPECT_EQ(sink.classes[0].source_id, "\"/m/01g317\"");
  EXPECT_EQ(sink.classes[1].name, "Car, all");
  EXPECT_EQ(sink.classes[1].source_json, R"({"id":"/m/0k4j"})");
  EXPECT_EQ(sink.classes[3].name, "/m/0zzz");  // no table describes it
  ASSERT_EQ(sink.labels.size(), 6U);
  const Label& person = sink.labels[0].label;
  EXPECT_DOUBLE_EQ(person.box_xywh_px.x, 20);
  EXPECT_DOUBLE_EQ(person.box_xywh_px.y, 25);
  EXPECT_DOUBLE_EQ(person.box_xywh_px.w, 100);
  EXPECT_DOUBLE_EQ(person.box_xywh_px.h, 50);
  EXPECT_EQ(person.attributes_json, R"({"occluded":true,"truncated":false,"inside":true})");
  EXPECT_EQ(person.source_json, R"({"Source":"xclick"})");
  EXPECT_EQ(person.confidence, 1);
  EXPECT_EQ(sink.labels[1].label.attributes_json, "");
  EXPECT_EQ(sink.labels[1].label.source_json, R"({"Source":"activemil","IsGroupOf":"-1"})");
  EXPECT_TRUE(sink.labels[2].label.is_crowd);
  EXPECT_EQ(sink.labels[2].label.box_xywh_px.w, 0);
  const Label& animal = sink.labels[3].label;
  EXPECT_EQ(animal.kind, LabelKind::classification);
  EXPECT_EQ(animal.confidence, 1);
  EXPECT_EQ(animal.attributes_json, "");
  EXPECT_EQ(sink.labels[4].label.confidence, 0);
  EXPECT_EQ(sink.labels[4].label.attributes_json, R"({"present":false})");
  EXPECT_EQ(sink.labels[5].label.confidence, 0.7);
  ASSERT_EQ(sink.images.size(), 4U);
  EXPECT_EQ(sink.images[0].name, "000a");
  EXPECT_EQ(sink.images[0].form, NameForm::stem);
  EXPECT_EQ(sink.images[0].split, "train");
  EXPECT_EQ(sink.images[2].split, "val");
  EXPECT_EQ(sink.images[3].form, NameForm::whole);
  EXPECT_EQ(counts.images_labelled, 4);

  ReadOptions options;
  options.split = "validation";
  EXPECT_EQ(read(folder.path(), nullptr, options).labels.size(), 3U);
  options.split = "test";
  EXPECT_THROW(read(folder.path(), nullptr, options), Error);
}

TEST(OpenImagesReader, ReadsATableThatIsNamedWithWhatBelongsToIt) {
  const TemporaryFolder folder;
  const std::string row = "000a,,/m/1,1,0,1,0,1,0,0,0,0,0\n";
  const fs::path train = folder.write("train-annotations-bbox.csv", std::string(kHeader) + row);
  folder.write("test-annotations-bbox.csv", std::string(kHeader) + row + row);
  const fs::path labels =
      folder.write("train-annotations-human-imagelabels.csv", "ImageID,LabelName,Confidence\n000a,/m/1,1\n000b,/m/2,0\n");
  folder.write("test-annotations-human-imagelabels.csv", "ImageID,LabelName,Confidence\n000c,/m/1,1\n");
  folder.write("oidv7-class-descriptions.csv", "LabelName,DisplayName\n/m/1,Cat\n/m/2,Dog\n");
  const RecordingSink sink = read(train);
  EXPECT_EQ(sink.labels.size(), 3U);
  EXPECT_EQ(sink.images.size(), 2U);
  EXPECT_EQ(sink.classes.at(1).name, "Dog");
  EXPECT_EQ(read(labels).labels.size(), 2U);
}

TEST(OpenImagesReader, RejectsRowsOneByOne) {
  const std::tuple<std::string_view, RejectionReason, const char*> cases[] = {
      {"000a,x,/m/1,1,0,1,0,1,0,0,0,0", RejectionReason::malformed, ""},
      {"000a,x,/m/1,1,0.6,0.5,0,1,0,0,0,0,0", RejectionReason::out_of_range, "column 6 (XMax)"},
      {"000a,x,/m/1,1,0,1,0.6,0.5,0,0,0,0,0", RejectionReason::out_of_range, "column 8 (YMax)"},
      {"000a,x,/m/1,1,0,320,0,1,0,0,0,0,0", RejectionReason::out_of_range, "column 6 (XMax)"},
      {"000a,x,/m/1,1,-0.1,1,0,1,0,0,0,0,0", RejectionReason::out_of_range, "column 5 (XMin)"},
      {"000a,x,/m/1,1,nan,1,0,1,0,0,0,0,0", RejectionReason::not_finite, "column 5 (XMin)"},
      {"000a,x,/m/1,1,0,1e999,0,1,0,0,0,0,0", RejectionReason::out_of_range, "column 6 (XMax)"},
      {"000a,x,/m/1,1,0,,0,1,0,0,0,0,0", RejectionReason::malformed, "column 6 (XMax)"},
      {"000a,x,/m/1,high,0,1,0,1,0,0,0,0,0", RejectionReason::malformed, "column 4 (Confidence)"},
      {"000a,x,/m/1,1,0,1,0,1,2,0,0,0,0", RejectionReason::malformed, "column 9 (IsOccluded)"},
      {"000a,x,/m/1,1,0,1,0,1,0,0,yes,0,0", RejectionReason::malformed, "column 11 (IsGroupOf)"},
      {",x,/m/1,1,0,1,0,1,0,0,0,0,0", RejectionReason::missing_field, "column 1 (ImageID)"},
      {"000a,x,,1,0,1,0,1,0,0,0,0,0", RejectionReason::missing_field, "column 3 (LabelName)"},
      {"000\xE9,x,/m/1,1,0,1,0,1,0,0,0,0,0", RejectionReason::malformed, "column 1 (ImageID)"},
  };
  const std::string good = "000a,x,/m/1,1,0,1.0000001,0,1,,,0,0,0\n";
  for (const auto& [row, reason, field] : cases) {
    const RecordingSink sink = read_rows(good + std::string(row) + "\n" + good);
    EXPECT_EQ(sink.labels.size(), 2U) << row;
    ASSERT_EQ(sink.rejections.size(), 1U) << row;
    EXPECT_EQ(name_of(sink.rejections[0].reason), name_of(reason)) << row;
    EXPECT_EQ(sink.rejections[0].field, field) << row;
    EXPECT_EQ(sink.rejections[0].line, 3U) << row;
    EXPECT_THAT(sink.rejections[0].file, testing::EndsWith("train-annotations-bbox.csv"));
  }
}

TEST(OpenImagesReader, HandsRowsOverInBatches) {
  std::string rows;
  for (int i = 0; i < 30'000; ++i) {
    rows += fmt::format("{:04x},x,/m/{},1,0,1,0,1,0,0,0,0,0\n", i / 3, i % 7);
  }
  const RecordingSink sink = read_rows(rows);
  EXPECT_EQ(sink.labels.size(), 30'000U);
  EXPECT_EQ(sink.images.size(), 10'000U);
  EXPECT_LE(sink.largest_batch, 4096U);
  EXPECT_EQ(sink.labels.back().image, 9'999);
  EXPECT_EQ(sink.labels.back().class_index, 29'999 % 7);
}

TEST(OpenImagesReader, NamesTablesThatItDoesNotRead) {
  const TemporaryFolder folder;
  folder.write("train-annotations-bbox.csv", std::string(kHeader));
  folder.write("train-annotations-object-segmentation.csv", "MaskPath,ImageID,LabelName\na.png,000a,/m/1\nb.png,000a,/m/1\n");
  folder.write("image_ids_and_rotation.csv", "ImageID,Subset\n000a,train\n");
  const RecordingSink sink = read(folder.path());
  ASSERT_EQ(sink.rejections.size(), 2U);
  EXPECT_THAT(sink.rejections[1].message, HasSubstr("2 segmentations"));
  EXPECT_THAT(sink.rejections[1].file, testing::EndsWith("segmentation.csv"));
  EXPECT_EQ(sink.rejections[1].field, "MaskPath");
  EXPECT_THAT(sink.rejections[0].message, HasSubstr("1 rows"));
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::unreadable_file);
}

TEST(OpenImagesReader, TellsDoubtfulNamesOfClasses) {
  const TemporaryFolder folder;
  folder.write("train-annotations-bbox.csv", std::string(kHeader) + "000a,,/m/2,1,0,1,0,1,0,0,0,0,0\n");
  folder.write("class-descriptions.csv", "/m/1,Cat\n/m/2,Cat\n/m/1,Dog\n/m/1,Cat\n/m/3,\n/m/4\n/m/5,Caf\xE9\n");
  ReadCounts counts;
  const RecordingSink sink = read(folder.path(), &counts);
  EXPECT_EQ(counts.others_rejected, 5);
  std::vector<std::string> told;
  for (const Rejection& rejection : sink.rejections) {
    told.push_back(fmt::format("{} {} {}", *rejection.line, name_of(rejection.kind), name_of(rejection.reason)));
  }
  EXPECT_THAT(told, ElementsAre("2 class duplicate_name", "3 class duplicate_id", "5 class missing_field", "6 class malformed",
                                "7 class malformed"));
  EXPECT_EQ(sink.labels.size(), 1U);
}

TEST(OpenImagesReader, NamesOfClassesMayHoldAnySeparator) {
  for (const char* names : {"/m/1,a;b\n/m/2,Dog\n", "/m/1,a;b;c\n/m/2,Dog\n", "/m/1,\ta\n/m/2,Dog\n", "/m/1;a,b\n/m/2;Dog\n"}) {
    const TemporaryFolder folder;
    folder.write("train-annotations-bbox.csv", std::string(kHeader) + "000a,,/m/2,1,0,1,0,1,0,0,0,0,0\n");
    folder.write("class-descriptions.csv", names);
    ReadCounts counts;
    const RecordingSink sink = read(folder.path(), &counts);
    EXPECT_EQ(counts.others_rejected, 0) << names;
    EXPECT_EQ(sink.labels.size(), 1U) << names;
  }
}

TEST(OpenImagesReader, NeedsTheImageAndItsSize) {
  const TemporaryFolder folder;
  const fs::path file =
      folder.write("a.csv", std::string(kHeader) + "000a,,/m/1,1,0,1,0,1,0,0,0,0,0\n000b,,/m/1,1,0,1,0,1,0,0,0,0,0\n");
  RecordingSink sink;
  sink.size_wh.reset();
  sink.answers = {{"000a", Resolution::unknown}};
  read_open_images(file, {}, sink);
  ASSERT_EQ(sink.rejections.size(), 2U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::unknown_image);
  EXPECT_EQ(sink.rejections[1].reason, RejectionReason::image_size_unknown);
  EXPECT_EQ(sink.rejections[1].image, "000b");
  EXPECT_EQ(sink.rejections[1].line, 3U);
}

TEST(OpenImagesReader, RefusesWhatIsNoTable) {
  const TemporaryFolder folder;
  const auto code_of = [&](const fs::path& path) {
    try {
      read(path);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code_of(folder.path()), ErrorCode::bad_data);
  EXPECT_EQ(code_of(folder.path() / "nothing"), ErrorCode::not_found);
  EXPECT_EQ(code_of(folder.write("a.csv", "image,label\na,b\n")), ErrorCode::bad_data);
  EXPECT_EQ(code_of(folder.write("b.csv", "")), ErrorCode::bad_data);
  EXPECT_EQ(code_of(folder.write("c.csv", "ImageID,ImageID,LabelName\n")), ErrorCode::bad_data);
}

MemorySource random_source(std::mt19937& random) {
  MemorySource source;
  source.class_list = {{"Person", R"({"id":"/m/01g317"})"}, {"Car, all", ""}, {"\"Cat\"", ""}};
  std::uniform_real_distribution<double> fraction(0, 1);
  const char* const flags[] = {"true", "false"};
  const char* const splits[] = {"", "train", "val", "fold-1"};
  for (int i = 0; i < 60; ++i) {
    MemorySource::Sample sample;
    sample.image.name = fmt::format("{}/{:04}.jpg", i % 2 == 0 ? "a" : "b", i);
    sample.image.width = 641;
    sample.image.height = 479;
    sample.image.split = splits[i % 4];
    for (std::size_t count = 1 + random() % 5; count > 0; --count) {
      Label label;
      label.kind = random() % 3 == 0 ? LabelKind::classification : LabelKind::box;
      label.confidence = 0.01 + fraction(random);
      if (label.kind == LabelKind::box) {
        const double x = fraction(random) * 641;
        const double y = fraction(random) * 479;
        label.box_xywh_px = {x, y, fraction(random) * (641 - x), fraction(random) * (479 - y)};
        label.is_crowd = random() % 4 == 0;
        label.attributes_json =
            random() % 2 == 0 ? "" : fmt::format(R"({{"occluded":{},"depiction":{}}})", flags[random() % 2], flags[random() % 2]);
      } else if (random() % 2 == 0) {
        label.confidence = 0;
        label.attributes_json = R"({"present":false})";
      }
      label.source_json = random() % 2 == 0 ? "" : R"({"Source":"xclick","XClick1X":"0.5"})";
      sample.labels.push_back({static_cast<std::int32_t>(random() % 3), label, {}});
    }
    source.samples.push_back(std::move(sample));
  }
  return source;
}

TEST(OpenImagesRoundTrip, KeepsBoxesFlagsNegativesAndSplitsOnRandomData) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    const TemporaryFolder folder;
    MemorySource source = random_source(random);
    const WriteReport report = write_open_images(folder.path() / "out", source, {});
    EXPECT_EQ(report.images, 60);
    ASSERT_EQ(report.losses.size(), 0U) << report.losses[0].what;
    EXPECT_EQ(losses_of_open_images(source, {}).size(), 0U);
    RecordingSink sink;
    sink.size_wh = {641, 479};
    read_open_images(folder.path() / "out", {}, sink);
    ASSERT_EQ(sink.rejections.size(), 0U) << sink.rejections[0].message;
    ASSERT_EQ(sink.classes.size(), 3U);
    EXPECT_EQ(sink.classes[0].source_json, R"({"id":"/m/01g317"})");
    EXPECT_EQ(sink.classes[2].name, "\"Cat\"");
    std::map<std::string, MemorySource::Sample> back;
    for (MemorySource::Sample& sample : MemorySource(sink).samples) {
      back[sample.image.name] = sample;
    }
    for (const MemorySource::Sample& want : source.samples) {
      const MemorySource::Sample& got = back.at(fs::path(want.image.name).stem().native());
      EXPECT_EQ(got.image.split, want.image.split);
      ASSERT_EQ(got.labels.size(), want.labels.size());
      std::vector<ExportLabel> boxes_first = want.labels;
      std::stable_sort(boxes_first.begin(), boxes_first.end(), [](const ExportLabel& a, const ExportLabel& b) {
        return a.label.kind == LabelKind::box && b.label.kind != LabelKind::box;
      });
      for (std::size_t i = 0; i < got.labels.size(); ++i) {
        Label label = got.labels[i].label;
        const Label& wanted = boxes_first[i].label;
        EXPECT_NEAR(label.box_xywh_px.x, wanted.box_xywh_px.x, 1e-9);
        EXPECT_NEAR(label.box_xywh_px.y, wanted.box_xywh_px.y, 1e-9);
        EXPECT_NEAR(label.box_xywh_px.w, wanted.box_xywh_px.w, 1e-9);
        EXPECT_NEAR(label.box_xywh_px.h, wanted.box_xywh_px.h, 1e-9);
        label.box_xywh_px = wanted.box_xywh_px;
        EXPECT_EQ(label, wanted);
        EXPECT_EQ(got.labels[i].class_index, boxes_first[i].class_index);
      }
    }
  }
}

TEST(OpenImagesWriter, CountsWhatItCannotHoldBeforeWriting) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  MemorySource::Sample sample;
  sample.image.width = 100;
  sample.image.height = 100;
  source.samples.assign(5, sample);
  for (std::size_t i = 0; i < source.samples.size(); ++i) {
    source.samples[i].image.name = fmt::format("{}.jpg", i);
  }
  Label clipped;
  clipped.box_xywh_px = {-10, 50, 20, 20};
  clipped.attributes_json = R"({"occluded":2,"colour":"red"})";
  clipped.source_json = R"({"id":3,"IsGroupOf":"-1"})";
  Label outside;
  outside.box_xywh_px = {-10, 50, 5, 5};
  Label present;
  present.kind = LabelKind::classification;
  Label zero = present;
  zero.confidence = 0;
  Label absent = present;
  absent.attributes_json = R"({"present":false})";
  absent.confidence = 0.25;
  Label mask;
  mask.kind = LabelKind::mask;
  mask.mask = Mask{std::vector<Polygon>{{0, 0, 4, 0, 4, 4}}};
  mask.box_xywh_px = {0, 0, 4, 4};
  mask.confidence = 1;
  source.samples[0].labels = {{0, clipped, {}}, {0, outside, {}}, {0, present, {}}, {0, zero, {}}, {0, absent, {}}, {0, mask, {}}};
  source.samples[1].image.state = SampleState::labelled_empty;
  source.samples[2].image.state = SampleState::not_labelled;
  source.samples[3].image.width = 0;
  source.samples[3].labels = {{0, clipped, {}}};
  source.samples[4].labels = {{0, mask, {"odd"}}};
  WriteOptions options;
  options.with_unlabelled = true;
  const std::vector<Loss> losses = losses_of_open_images(source, options);
  std::vector<std::string> told;
  for (const Loss& loss : losses) {
    told.push_back(fmt::format("{} {}", loss.count, loss.what.substr(0, 28)));
  }
  EXPECT_THAT(told, testing::UnorderedElementsAre(
                        "1 boxes that reach beyond thei", "1 boxes that lie wholly outsid", "2 labels without a confidence ",
                        "1 classifications with a confi", "1 labels that say that a class", "2 masks become their boxes",
                        "1 labels lose the degree of `o", "1 labels lose their attributes", "1 labels lose the id and the f",
                        "3 images without labels, label", "1 boxes of images whose size i", "1 labels lose their tags"));
  const WriteReport report = write_open_images(folder.path() / "out", source, options);
  EXPECT_EQ(report.images, 2);
  EXPECT_EQ(report.images_left_out, 3);
  EXPECT_EQ(report.labels, 5);
  EXPECT_EQ(report.labels_left_out, 3);
  ASSERT_EQ(report.losses.size(), losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(report.losses[i].what, losses[i].what);
    EXPECT_EQ(report.losses[i].count, losses[i].count);
  }
  EXPECT_EQ(read_file(folder.path() / "out/annotations-bbox.csv"),
            std::string(kHeader) +
                "0,,cat,1,0,0.1,0.5,0.7,1,-1,-1,-1,-1\n0,,cat,1,0,0.04,0,0.04,-1,-1,0,-1,-1\n"
                "4,,cat,1,0,0.04,0,0.04,-1,-1,0,-1,-1\n");
  EXPECT_EQ(read_file(folder.path() / "out/annotations-human-imagelabels.csv"),
            "ImageID,Source,LabelName,Confidence\n0,,cat,1\n0,,cat,0\n");
  EXPECT_EQ(read_file(folder.path() / "out/class-descriptions-boxable.csv"), "cat,cat\n");
}

TEST(OpenImagesWriter, CountsIdsOfClassesThatAreNumbers) {
  MemorySource source;
  source.class_list = {{"cat", R"({"id":7})"}, {"dog", R"({"id":"/m/0bt9lr"})"}, {"cow", ""}};
  const std::vector<Loss> losses = losses_of_open_images(source, {});
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].what, "classes lose their id, because it is no text, as LabelName is");
  EXPECT_EQ(losses[0].count, 1);
}

TEST(OpenImagesWriter, GivesImagesOfOneNameTheirFolders) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  Label label;
  label.kind = LabelKind::classification;
  label.confidence = 1;
  for (const char* const name : {"a/1.jpg", "b/1.jpg", "b/2.jpg"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.labels = {{0, label, {}}};
    source.samples.push_back(std::move(sample));
  }
  write_open_images(folder.path() / "out", source, {});
  EXPECT_EQ(read_file(folder.path() / "out/annotations-human-imagelabels.csv"),
            "ImageID,Source,LabelName,Confidence\na/1,,cat,1\nb/1,,cat,1\n2,,cat,1\n");
}

TEST(OpenImagesWriter, TellsAnImageFromAllOthersOfTheSource) {
  Label label;
  label.kind = LabelKind::classification;
  label.confidence = 1;
  const auto source_of = [&](const std::vector<std::pair<const char*, SampleState>>& images) {
    MemorySource source;
    source.class_list = {{"cat", ""}};
    for (const auto& [name, state] : images) {
      MemorySource::Sample sample;
      sample.image.name = name;
      sample.image.state = state;
      if (state == SampleState::labelled) {
        sample.labels = {{0, label, {}}};
      }
      source.samples.push_back(std::move(sample));
    }
    return source;
  };
  const SampleState labelled = SampleState::labelled;
  const auto ids_of = [&](MemorySource source) {
    const TemporaryFolder folder;
    EXPECT_THAT(losses_of_open_images(source, {}), testing::IsEmpty());
    write_open_images(folder.path() / "out", source, {});
    std::vector<std::string> ids;
    for (const SourceImage& image : read(folder.path() / "out").images) {
      ids.push_back(image.name + (image.form == NameForm::stem ? " without extension" : ""));
    }
    return ids;
  };
  // Nothing is written of the namesakes, which an import finds all the same.
  EXPECT_THAT(ids_of(source_of({{"a/1.jpg", labelled}, {"b/1.jpg", SampleState::not_labelled}, {"b/2.jpg", labelled}})),
              ElementsAre("a/1 without extension", "2 without extension"));
  EXPECT_THAT(ids_of(source_of({{"a/1.jpg", labelled}, {"a/1.png", SampleState::not_labelled}})), ElementsAre("a/1.jpg"));
  EXPECT_THAT(ids_of(source_of({{"a/1.jpg", labelled}, {"a/1.png", labelled}, {"1.jpg", labelled}})),
              ElementsAre("a/1.jpg", "a/1.png", "1 without extension"));
  // Without its extension, the name would be that of another file.
  EXPECT_THAT(ids_of(source_of({{"a/1.tif.jpg", labelled}})), ElementsAre("a/1.tif.jpg"));
  MemorySource untold = source_of({{"a/1", labelled}, {"a/1.png", SampleState::not_labelled}});
  const TemporaryFolder folder;
  EXPECT_THROW(losses_of_open_images(untold, {}), Error);
  EXPECT_THROW(write_open_images(folder.path() / "out", untold, {}), Error);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(OpenImagesWriter, RefusesWhatCannotBeTold) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", R"({"id":"dog"})"}, {"dog", ""}};
  EXPECT_THROW(losses_of_open_images(source, {}), Error);
  source.class_list.pop_back();
  WriteOptions options;
  options.images = ImageTransfer::copy;
  EXPECT_THROW(write_open_images(folder.path() / "out", source, options), Error);
  EXPECT_TRUE(fs::is_empty(folder.path()));
  write_open_images(folder.path() / "out", source, {});
  EXPECT_EQ(read(folder.path() / "out").labels.size(), 0U);
}

}  // namespace
}  // namespace verilabel
