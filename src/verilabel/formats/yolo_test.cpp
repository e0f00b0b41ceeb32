#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>

#include <sys/resource.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/testing_dataset.h"
#include "verilabel/formats/yolo.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

RecordingSink read(const fs::path& path, ReadCounts* counts = nullptr, const ReadOptions& options = {}) {
  return recorded(read_yolo, path, counts, options, sink_of_size({{200, 100}}));
}

const RecordingSink read_lines(std::string_view lines) {
  const TemporaryFolder folder;
  folder.write("data.yaml", "train: images\nnames: [cat, dog]\n");
  folder.write("images/a.jpg", "");
  folder.write("labels/a.txt", lines);
  return read(folder.path());
}

TEST(YoloReader, ReadsBoxesPolygonsAndConfidence) {
  const RecordingSink sink = read_lines("0 0.5 0.5 0.5 0.2\r\n1 .25 .25 0.1 0.1 0.75\n\n0 0 0 1 0 1 1\n1 0 0 1 0 1 1 0.5\n");
  ASSERT_EQ(sink.rejections.size(), 0U) << sink.rejections[0].message;
  ASSERT_EQ(sink.labels.size(), 4U);
  EXPECT_EQ(sink.labels[0].label.box_xywh_px, (Box{50, 40, 100, 20}));
  EXPECT_EQ(sink.labels[0].label.confidence, std::nullopt);
  EXPECT_EQ(sink.labels[1].class_index, 1);
  EXPECT_EQ(sink.labels[1].label.confidence, 0.75);
  EXPECT_EQ(sink.labels[2].label.kind, LabelKind::mask);
  EXPECT_THAT(std::get<0>(sink.labels[2].label.mask->shape), ElementsAre(Polygon{0, 0, 200, 0, 200, 100}));
  EXPECT_EQ(sink.labels[2].label.box_xywh_px, (Box{0, 0, 200, 100}));
  EXPECT_EQ(sink.labels[3].label.confidence, 0.5);
}

TEST(YoloReader, RejectsLinesOneByOne) {
  const std::tuple<const char*, RejectionReason, const char*> cases[] = {
      {"0 0.5 0.5 0.2 0.2 0.", RejectionReason::malformed, nullptr},  // five and a half numbers: `0.` is one
      {"0 0.5 0.5 0.2", RejectionReason::malformed, ""},
      {"0 0.5 0.5 0.2 0.2x", RejectionReason::malformed, "column 5"},
      {"0 0.5 0.5 0.2 -", RejectionReason::malformed, "column 5"},
      {"cat 0.5 0.5 0.2 0.2", RejectionReason::malformed, "column 1"},
      {"2 0.5 0.5 0.2 0.2", RejectionReason::unknown_class, "column 1"},
      {"-1 0.5 0.5 0.2 0.2", RejectionReason::malformed, "column 1"},
      {"0.5 0.5 0.5 0.2 0.2", RejectionReason::malformed, "column 1"},
      {"0 nan 0.5 0.2 0.2", RejectionReason::not_finite, "column 2"},
      {"0 0.5 inf 0.2 0.2", RejectionReason::not_finite, "column 3"},
      {"0 0.5 1e999 0.2 0.2", RejectionReason::out_of_range, "column 3"},
      {"0 1.5 0.5 0.2 0.2", RejectionReason::out_of_range, "column 2"},
      {"0 0.5 -0.1 0.2 0.2", RejectionReason::out_of_range, "column 3"},
      {"0 0.5 0.5 -1e-7 0.2", RejectionReason::out_of_range, "column 4"},
      {"0 0.1 0.1 0.5 0.5 0.2 1.1", RejectionReason::out_of_range, "column 7"},
      {"\xFF\xFE", RejectionReason::malformed, "column 1"},
  };
  for (const auto& [line, reason, field] : cases) {
    const RecordingSink sink = read_lines(fmt::format("0 0.5 0.5 0.1 0.1\n{}\n0 0.5 0.5 0.1 0.1", line));
    if (field == nullptr) {
      EXPECT_EQ(sink.labels.size(), 3U) << line;
      continue;
    }
    EXPECT_EQ(sink.labels.size(), 2U) << line;
    ASSERT_EQ(sink.rejections.size(), 1U) << line;
    EXPECT_EQ(name_of(sink.rejections[0].reason), name_of(reason)) << line;
    EXPECT_EQ(sink.rejections[0].field, field) << line;
    EXPECT_EQ(sink.rejections[0].line, 2U);
    EXPECT_THAT(sink.rejections[0].file, testing::EndsWith("labels/a.txt"));
    EXPECT_EQ(sink.rejections[0].image, "images/a.jpg");
  }
}

TEST(YoloReader, TellsNoLabelFileFromAnEmptyOne) {
  const TemporaryFolder folder;
  folder.write("data.yaml", "path: .\ntrain: images/train\nval: [images/val]\nnames: {0: cat, 1: dog}\nnc: 2\n");
  folder.write("images/train/none.jpg", "");
  folder.write("images/train/empty.PNG", "");
  folder.write("images/train/notes.md", "");
  folder.write("labels/train/empty.txt", "");
  folder.write("labels/train/elsewhere.txt", "0 0.5 0.5 0.1 0.1\n");
  folder.write("images/val/x/deep.jpg", "");
  folder.write("labels/val/x/deep.txt", "1 0.5 0.5 0.1 0.1\n");
  ReadCounts counts;
  const RecordingSink sink = read(folder.path() / "data.yaml", &counts);
  ASSERT_EQ(sink.images.size(), 4U);
  EXPECT_EQ(sink.images[0].name, "images/train/empty.PNG");
  EXPECT_TRUE(sink.images[0].is_labelled);
  EXPECT_EQ(sink.images[0].split, "train");
  EXPECT_FALSE(sink.images[1].is_labelled);
  EXPECT_EQ(sink.images[2].name, "elsewhere");
  EXPECT_EQ(sink.images[2].form, NameForm::stem);
  EXPECT_EQ(sink.images[3].name, "images/val/x/deep.jpg");
  EXPECT_EQ(sink.images[3].path, (folder.path() / "images/val/x/deep.jpg").native());
  EXPECT_EQ(sink.images[3].name_in_layout, "x/deep.jpg");
  EXPECT_EQ(sink.images[3].split, "val");
  EXPECT_EQ(sink.labels.at(1).image, 3);
  EXPECT_EQ(counts.images, 4);
  EXPECT_EQ(counts.images_labelled, 3);

  ReadOptions options;
  options.split = "val";
  EXPECT_EQ(read(folder.path(), nullptr, options).images.size(), 1U);
  options.split = "test";
  EXPECT_THROW(read(folder.path(), nullptr, options), Error);
}

TEST(YoloReader, NeedsTheSizeOfTheImage) {
  const TemporaryFolder folder;
  folder.write("classes.txt", "cat\ndog\n");
  folder.write("a.txt", "0 0.5 0.5 0.1 0.1\nbroken\n");
  folder.write("b.txt", "1 0.5 0.5 0.1 0.1\n");
  RecordingSink sink;
  sink.size_wh.reset();
  const ReadCounts counts = read_yolo(folder.path(), {}, sink);
  EXPECT_EQ(counts.labels, 0);
  EXPECT_EQ(counts.labels_rejected, 3);
  ASSERT_EQ(sink.rejections.size(), 3U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::image_size_unknown);
  EXPECT_EQ(sink.rejections[1].reason, RejectionReason::malformed);
  EXPECT_EQ(sink.images.at(0).name, "a");
}

TEST(YoloReader, ReadsListsOfImages) {
  const TemporaryFolder folder;
  folder.write("data.yaml", "train: lists/train.txt\nnames: [cat]\n");
  folder.write("lists/train.txt", "./images/a.jpg\nimages/b.jpg\n./images/a.jpg\n");
  folder.write("lists/images/a.jpg", "");
  folder.write("lists/labels/a.txt", "0 0.5 0.5 0.1 0.1\n");
  folder.write("images/b.jpg", "");
  folder.write("labels/b.txt", "0 0.5 0.5 0.1 0.1\n");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.labels.size(), 2U);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::duplicate_id);
  EXPECT_THAT(sink.rejections[0].file, testing::EndsWith("lists/train.txt"));
  EXPECT_EQ(sink.rejections[0].line, 3U);
}

TEST(YoloReader, TakesPathsAsWindowsWritesThem) {
  const TemporaryFolder folder;
  folder.write("images/train/a.jpg", "");
  folder.write("labels/train/a.txt", "0 0.5 0.5 0.1 0.1\n");
  for (const char* const train : {R"(images\train)", R"(.\images\train)", "list.txt"}) {
    folder.write("data.yaml", fmt::format("train: {}\nnames: [cat, dog]\n", train));
    for (const char* const line : {R"(images\train\a.jpg)", R"(.\images\train\a.jpg)", R"(C:\data\images\train\a.jpg)"}) {
      folder.write("list.txt", line);
      const RecordingSink sink = read(folder.path());
      EXPECT_EQ(sink.labels.size(), 1U) << train << " " << line;
      ASSERT_EQ(sink.classes.size(), 2U);
      EXPECT_EQ(sink.classes[1].source_json, kOnlyListed);
    }
  }
}

// As CVAT exports "YOLO 1.1", with images and without.
TEST(YoloReader, ReadsDarknetsFolders) {
  for (const bool has_images : {true, false}) {
    const TemporaryFolder folder;
    folder.write("obj.data",
                 "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n");
    folder.write("obj.names", "cat\ndog\n");
    folder.write("train.txt", "data/obj_train_data/sub/a.jpg\n");
    folder.write("valid.txt", "data/obj_valid_data/b.jpg\n");
    folder.write("obj_train_data/sub/a.txt", "0 0.5 0.5 0.1 0.1\n");
    folder.write("obj_valid_data/b.txt", "1 0.5 0.5 0.1 0.1\n");
    if (has_images) {
      folder.write("obj_train_data/sub/a.jpg", "");
      folder.write("obj_valid_data/b.jpg", "");
    }
    const RecordingSink sink = read(folder.path());
    EXPECT_TRUE(sink.rejections.empty());
    ASSERT_EQ(sink.images.size(), 2U);
    EXPECT_EQ(sink.images[0].name, "obj_train_data/sub/a.jpg");
    EXPECT_EQ(sink.images[0].split, "train");
    EXPECT_EQ(sink.images[1].split, "val");
    ASSERT_EQ(sink.labels.size(), 2U);
    EXPECT_EQ(sink.labels[1].class_index, 1);
    EXPECT_EQ(sink.labels[1].image, 1);
    EXPECT_EQ(read(folder.path() / "obj.data").labels.size(), 2U);
    folder.write("obj.names", "");
    EXPECT_THROW(read(folder.path()), Error);
    folder.write("obj.names", "cat\n");
    folder.write("obj.data", fmt::format("names = obj.names\ntrain = {}\n", std::string(5000, 'x')));
    EXPECT_THAT(read(folder.path()).rejections.at(0).message, HasSubstr("neither a folder nor a list"));
  }
}

TEST(YoloReader, LabelsOfTheFolderComeBeforeThoseBesideAnImageElsewhere) {
  const TemporaryFolder folder;
  folder.write("photos/images/a.jpg", "");
  folder.write("photos/labels/a.txt", "0 0.5 0.5 0.1 0.1\n0 0.1 0.1 0.1 0.1\n");
  folder.write("photos/images/b.jpg", "");
  folder.write("photos/labels/b.txt", "0 0.5 0.5 0.1 0.1\n");
  folder.write("mine/data.yaml", "train: train.txt\nnames: [cat, dog]\n");
  folder.write("mine/train.txt", fmt::format("{0}/photos/images/a.jpg\n{0}/photos/images/b.jpg\n", folder.path().native()));
  folder.write("mine/labels/train/images/a.txt", "1 0.5 0.5 0.1 0.1\n");
  const RecordingSink sink = read(folder.path() / "mine");
  ASSERT_EQ(sink.labels.size(), 2U);
  EXPECT_EQ(sink.labels[0].class_index, 1);
  EXPECT_EQ(sink.labels[1].class_index, 0) << "beside its image, because there is none here";
}

TEST(YoloReader, TakesAByteOrderMark) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  const TemporaryFolder folder;
  folder.write("data.yaml", fmt::format("{}train: train.txt\nnames: [cat]\n", kMark));
  folder.write("train.txt", fmt::format("{}images/a.jpg\n", kMark));
  folder.write("images/a.jpg", "");
  folder.write("labels/a.txt", fmt::format("{}0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.2 {}0.2\n", kMark, kMark));
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.images.at(0).name, "images/a.jpg");
  EXPECT_EQ(sink.labels.size(), 1U);
  ASSERT_EQ(sink.rejections.size(), 1U) << "a mark within a file is none";
  EXPECT_EQ(sink.rejections[0].field, "column 5");
  folder.write("bare/classes.txt", fmt::format("{}cat\n", kMark));
  folder.write("bare/a.txt", "");
  EXPECT_EQ(read(folder.path() / "bare").classes.at(0).name, "cat");
}

// A path with a zero byte would end there, and one that is too long is that of no image.
TEST(YoloReader, NamesThatNoFileCanHaveAreReported) {
  const std::string zero("images\0\0sing.jpg", 16);
  const std::string too_long = std::string(300, 'x') + ".jpg";
  const TemporaryFolder folder;
  folder.write("images/a.jpg", "");
  folder.write("labels/a.txt", "0 0.5 0.5 0.1 0.1\n");
  folder.write("data.yaml", "train: list.txt\nnames: [cat]\n");
  folder.write("list.txt", zero + "\n" + too_long + "\nimages/a.jpg\n");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.labels.size(), 1U);
  ASSERT_EQ(sink.images.size(), 2U);
  EXPECT_EQ(sink.images[0].name, too_long);
  EXPECT_FALSE(sink.images[0].is_labelled);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].kind, RejectedKind::image);
  EXPECT_EQ(sink.rejections[0].line, 1U);
  EXPECT_THAT(sink.rejections[0].message, HasSubstr("zero byte"));

  const auto fault = [&](const std::string& name, const std::string& content) {
    const fs::path file = folder.write(name, content);
    try {
      read(file.filename() == "classes.txt" ? file.parent_path() : file);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(fault("a.yaml", "train: \"a\\0b\"\nnames: [cat]\n"), AllOf(HasSubstr("zero byte"), HasSubstr("field: train")));
  EXPECT_THAT(fault("a.yaml", "train: a\nnames: [\"a\\0b\"]\n"), AllOf(HasSubstr("zero byte"), HasSubstr("field: names[0]")));
  EXPECT_THAT(fault("a.data", "train = a\nnames = " + zero), AllOf(HasSubstr("zero byte"), HasSubstr("line: 2")));
  EXPECT_THAT(fault("c/classes.txt", "cat\n" + zero), AllOf(HasSubstr("zero byte"), HasSubstr("line: 2")));
  const fs::path file = folder.write("a.yaml", "path: " + too_long + "\ntrain: " + std::string(300, 'x') + "\nnames: [cat]\n");
  EXPECT_THAT(read(file).rejections.at(0).message, HasSubstr("neither a folder nor a list"));
}

TEST(YoloReader, AListOfImagesIsATextFile) {
  const TemporaryFolder folder;
  folder.write("a.jpg", "\n");
  folder.write("data.yaml", "train: data.yaml\nval: a.jpg\nnames: [cat]\n");
  ReadCounts counts;
  const RecordingSink sink = read(folder.path(), &counts);
  EXPECT_THAT(sink.images, IsEmpty());
  EXPECT_EQ(counts.others_rejected, 2);
  ASSERT_EQ(sink.rejections.size(), 2U);
  EXPECT_EQ(sink.rejections[0].field, "train");
  EXPECT_THAT(sink.rejections[0].message, HasSubstr("`data.yaml` is no list of images"));
  EXPECT_EQ(sink.rejections[1].field, "val");
}

TEST(YoloReader, ChecksAListOfClassNames) {
  const TemporaryFolder folder;
  folder.write("labels/a.txt", "2 0.5 0.5 0.1 0.1\n");
  folder.write("classes.txt", "cat\ndog\ncat\n\n");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.classes.size(), 3U);
  EXPECT_EQ(sink.labels.size(), 1U);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::duplicate_name);
  EXPECT_THAT(sink.rejections[0].file, testing::EndsWith("classes.txt"));
  folder.write("classes.txt", "cat\n\ndog\n");
  try {
    read(folder.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    EXPECT_THAT(error.what(), HasSubstr("classes.txt, line: 2"));
  }
}

TEST(YoloReader, RefusesAFileThatIsNoDataset) {
  const TemporaryFolder folder;
  const std::pair<const char*, ErrorCode> cases[] = {
      {"names: [cat\n", ErrorCode::bad_data},
      {"just text", ErrorCode::bad_data},
      {"", ErrorCode::bad_data},
      {"train: images\n", ErrorCode::bad_data},
      {"train: images\nnames: cat\n", ErrorCode::bad_data},
      {"train: images\nnames: {0: a, 2: b}\n", ErrorCode::bad_data},
      {"train: images\nnames: {0: a, 0: b}\n", ErrorCode::bad_data},
      {"train: images\nnames: [a, '']\n", ErrorCode::bad_data},
      {"train: images\nnames: [a, [b]]\n", ErrorCode::bad_data},
      {"train: images\nnames: [a]\nnc: 2\n", ErrorCode::bad_data},
      {"names: [a]\n", ErrorCode::bad_data},
      {"train: images\nnames: [a]\nkpt_shape: [17, 3]\n", ErrorCode::unsupported},
  };
  for (const auto& [yaml, code] : cases) {
    try {
      read(folder.write("data.yaml", yaml));
      ADD_FAILURE() << yaml;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << yaml << error.what();
      EXPECT_EQ(error.context().at(0).first, "file");
    }
  }
  EXPECT_THROW(read(folder.path() / "nothing"), Error);
  EXPECT_THROW(read(folder.write("labels.zip", "")), Error);
  fs::create_directory(folder.path() / "bare");
  EXPECT_THROW(read(folder.path() / "bare"), Error);
  const std::string deep = "train: images\nnames: " + std::string(100'000, '[');
  EXPECT_THROW(read(folder.write("data.yaml", deep)), Error);
}

TEST(YoloReader, ReadsTheSharedPhotographs) {
  const char* const data = std::getenv("VERILABEL_TEST_DATA");
  if (data == nullptr) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set";
  }
  ReadCounts counts;
  const RecordingSink sink = read(fs::path(data) / "coco128-val", &counts);
  EXPECT_EQ(counts.images, 128);
  EXPECT_EQ(counts.labels, 898);
  EXPECT_EQ(sink.rejections.size(), 0U);
  EXPECT_EQ(sink.classes.size(), 80U);
}

MemorySource source_with(const TemporaryFolder& folder) {
  MemorySource source;
  source.class_list = {{"cat", ""}, {"a: \"dog\"", ""}};
  for (const char* const name : {"a.jpg", "sub/a.jpg", "images/b.png", "c.jpg"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.path = folder.write(fs::path("photos") / name, name);
    sample.image.width = 641;
    sample.image.height = 479;
    source.samples.push_back(sample);
  }
  Label box;
  box.box_xywh_px = {1.0 / 3, 2.7, 100.1, 400.123456789};
  box.confidence = 0.1234567890123;
  Label polygon;
  polygon.kind = LabelKind::mask;
  polygon.mask = Mask{std::vector<Polygon>{{10, 10, 20.5, 10, 20.5, 30.25}}};
  polygon.box_xywh_px = mask_box(*polygon.mask);
  source.samples[0].labels = {{0, box}, {1, polygon}};
  source.samples[1].image.split = "val";
  source.samples[1].labels = {{1, box}};
  source.samples[2].image.state = SampleState::labelled_empty;
  source.samples[3].image.state = SampleState::not_labelled;
  return source;
}

void expect_near(const Box& a, const Box& b) {
  EXPECT_NEAR(a.x, b.x, 1e-9);
  EXPECT_NEAR(a.y, b.y, 1e-9);
  EXPECT_NEAR(a.w, b.w, 1e-9);
  EXPECT_NEAR(a.h, b.h, 1e-9);
}

TEST(YoloWriter, NamesakesThatAreOnlyReferredToKeepTheirLabelsAndStates) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  // Each is the end of another's path; the labels beside the last are those of another dataset.
  const char* const names[] = {"photos/sub/a.jpg", "a.jpg", "photos/a.jpg", "photos/images/a.jpg"};
  for (std::size_t i = 0; i < source.samples.size(); ++i) {
    ExportImage& image = source.samples[i].image;
    image.name = names[i];
    image.path = folder.write(names[i], "");
    image.split = "train";
    image.state = i == 1 ? SampleState::labelled : SampleState::not_labelled;
  }
  folder.write("photos/labels/a.txt", "0 0.5 0.5 0.1 0.1\n");
  source.samples[1].labels.resize(1);
  write_yolo(folder.path() / "out", source, {.with_unlabelled = true, .progress = {}});
  RecordingSink sink;
  const ReadCounts counts = read_yolo(folder.path() / "out", {}, sink);
  EXPECT_THAT(sink.rejections, IsEmpty());
  EXPECT_EQ(counts.images, 4);
  EXPECT_EQ(counts.images_labelled, 1);
  ASSERT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.images.at(static_cast<std::size_t>(sink.labels[0].image)).path, source.samples[1].image.path);
}

TEST(YoloWriter, CountsWhatClassesAndAreasLose) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  source.class_list[1].source_json = R"({"id":7})";
  source.samples[0].labels[0].label.area_px = 12;
  source.samples[1].labels[0].label.area_px = area(source.samples[1].labels[0].label.box_xywh_px);  // nothing is lost with it
  const auto told = [](const std::vector<Loss>& losses) {
    std::vector<std::pair<std::string, std::int64_t>> out;
    for (const Loss& loss : losses) {
      out.emplace_back(loss.what, loss.count);
    }
    return out;
  };
  const auto expected = testing::UnorderedElementsAre(std::pair("classes lose the id and the fields of the file they came from", 1),
                                                      std::pair("boxes become outlines of four corners, because trainers refuse "
                                                                "datasets that mix boxes and outlines",
                                                                2),
                                                      std::pair("labels lose the area that was stated for them", 1),
                                                      std::pair("labels lose their confidence; --with-confidence keeps it", 2));
  EXPECT_THAT(told(losses_of_yolo(source, {})), expected);
  EXPECT_THAT(told(write_yolo(folder.path() / "out", source, {}).losses), expected);
}

class YoloRoundTrip : public testing::TestWithParam<ImageTransfer> {};

TEST_P(YoloRoundTrip, KeepsBoxesConfidenceSplitsAndStates) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  source.samples[0].labels.pop_back();
  WriteOptions options;
  options.images = GetParam();
  options.with_confidence = true;
  options.with_unlabelled = true;
  const fs::path out = folder.path() / "out" / "dataset";
  const WriteReport report = write_yolo(out, source, options);
  EXPECT_EQ(report.failures.size(), 0U);
  EXPECT_EQ(report.images, 4);
  EXPECT_EQ(report.images_unlabelled, 1);
  EXPECT_EQ(report.labels, 2);
  ASSERT_EQ(report.losses.size(), 1U);
  EXPECT_THAT(report.losses[0].what, HasSubstr("not labelled"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path() / "out"), {}), 1);
  if (GetParam() != ImageTransfer::reference) {
    EXPECT_EQ(read_file(out / "images/train/b.png"), "images/b.png");
    EXPECT_EQ(fs::is_symlink(out / "images/train/b.png"),
              GetParam() == ImageTransfer::symbolic_link || GetParam() == ImageTransfer::relative_link);
  }

  RecordingSink sink;
  sink.size_wh = {641, 479};
  const ReadCounts counts = read_yolo(out, {}, sink);
  EXPECT_EQ(sink.rejections.size(), 0U);
  EXPECT_EQ(sink.classes.at(1).name, "a: \"dog\"");
  EXPECT_EQ(counts.images, 4);
  EXPECT_EQ(counts.images_labelled, 3);
  ASSERT_EQ(sink.labels.size(), 2U);
  const auto image_of = [&](std::size_t label) { return sink.images.at(static_cast<std::size_t>(sink.labels[label].image)); };
  EXPECT_THAT(image_of(0).name, testing::EndsWith("a.jpg"));
  EXPECT_EQ(image_of(1).split, "val");
  EXPECT_THAT(image_of(1).name, testing::EndsWith("sub/a.jpg"));
  expect_near(sink.labels[0].label.box_xywh_px, source.samples[0].labels[0].label.box_xywh_px);
  EXPECT_EQ(sink.labels[0].label.confidence, 0.1234567890123);
  EXPECT_EQ(sink.labels[0].label.kind, LabelKind::box);
}

INSTANTIATE_TEST_SUITE_P(, YoloRoundTrip,
                         testing::Values(ImageTransfer::reference, ImageTransfer::copy, ImageTransfer::hard_link,
                                         ImageTransfer::symbolic_link, ImageTransfer::relative_link),
                         [](const auto& param) { return std::string(name_of(param.param)); });

// Ultralytics drops an image whose file has lines of both kinds, and refuses to train masks on a dataset that has both.
TEST(YoloWriter, WritesNoBoxesBesideOutlines) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  WriteOptions options;
  options.with_confidence = true;
  const std::vector<Loss> losses = losses_of_yolo(source, options);
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].count, 2);
  EXPECT_THAT(losses[0].what, HasSubstr("boxes become outlines"));
  EXPECT_EQ(write_yolo(folder.path() / "out", source, options).labels, 3);
  RecordingSink sink;
  sink.size_wh = {641, 479};
  read_yolo(folder.path() / "out", {}, sink);
  ASSERT_EQ(sink.labels.size(), 3U);
  const std::vector<Label> written = {source.samples[0].labels[0].label, source.samples[0].labels[1].label,
                                      source.samples[1].labels[0].label};
  for (std::size_t i = 0; i < written.size(); ++i) {
    EXPECT_EQ(sink.labels[i].label.kind, LabelKind::mask);
    EXPECT_EQ(sink.labels[i].label.confidence, written[i].confidence);
    expect_near(sink.labels[i].label.box_xywh_px, written[i].box_xywh_px);
  }
}

TEST(YoloWriter, CountsWhatItCannotHoldBeforeWriting) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  Label classification;
  classification.kind = LabelKind::classification;
  Label crowd;
  crowd.is_crowd = true;
  Label runs;
  runs.kind = LabelKind::mask;
  runs.mask = Mask{rle_from_counts({0, 1, 641 * 479 - 2, 1}, 479, 641)};  // two corners
  runs.box_xywh_px = {0, 0, 641, 479};
  runs.attributes_json = R"({"wet":true})";
  Label empty;
  empty.kind = LabelKind::mask;
  empty.mask = Mask{rle_from_counts({641 * 479}, 479, 641)};
  Label other_size = runs;
  other_size.mask = Mask{rle_from_counts({0, 1, 14, 1}, 4, 4)};
  Label beside;
  beside.kind = LabelKind::mask;
  beside.mask = Mask{std::vector<Polygon>{{700, 10, 710, 10, 710, 20}}};
  beside.box_xywh_px = {700, 10, 10, 10};
  Label wide;
  wide.box_xywh_px = {-10, 0, 700, 100};
  Label outside;
  outside.box_xywh_px = {-100, 0, 50, 100};
  source.samples[0].labels = {{0, classification}, {0, crowd},   {0, runs},       {0, empty},
                              {0, wide},           {0, outside}, {0, other_size}, {0, beside}};
  const std::vector<Loss> losses = losses_of_yolo(source, {});
  std::vector<std::string> told;
  for (const Loss& loss : losses) {
    told.push_back(fmt::format("{} {}", loss.count,
                               loss.what.substr(0, loss.what.find(',') == std::string::npos ? 200 : loss.what.find(','))));
  }
  EXPECT_THAT(told, testing::UnorderedElementsAre(
                        "1 labels that are classifications", "1 crowd labels", "1 run-length masks become outlines",
                        "1 masks of several parts become one outline", "1 labels lose their attributes",
                        "1 labels whose mask has no pixels are left out", "2 boxes become outlines of four corners",
                        "1 labels that reach beyond their image are cut at its border",
                        "2 labels that lie wholly outside their image are left out",
                        "1 labels whose mask is of another size than their image are left out",
                        "1 labels lose their confidence; --with-confidence keeps it"));
  const WriteReport report = write_yolo(folder.path() / "out", source, {.images = ImageTransfer::copy, .progress = {}});
  EXPECT_EQ(report.labels, 3);
  EXPECT_EQ(report.labels_left_out, 6);
  EXPECT_EQ(report.images_left_out, 1);
  ASSERT_EQ(report.losses.size(), losses.size());
  EXPECT_EQ(read_file(folder.path() / "out/labels/train/a.txt").substr(0, 2), "0 ");
  RecordingSink sink;
  sink.size_wh = {641, 479};
  read_yolo(folder.path() / "out", {}, sink);
  EXPECT_EQ(sink.rejections.size(), 0U);
  ASSERT_EQ(sink.labels.size(), 3U);
  expect_near(sink.labels[1].label.box_xywh_px, {0, 0, 641, 100});
}

TEST(YoloWriter, OutlinesThatAreLeftOutMakeNoOutlinesOfBoxes) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  source.samples[0].labels[1].label.mask = Mask{std::vector<Polygon>{{-20, 10, -10, 10, -10, 20}}};
  const WriteReport report = write_yolo(folder.path() / "out", source, {});
  EXPECT_EQ(report.labels, 2);
  EXPECT_EQ(report.labels_left_out, 1);
  for (const ImportedLabel& item : read(folder.path() / "out").labels) {
    EXPECT_EQ(item.label.kind, LabelKind::box);
  }
}

TEST(YoloWriter, CountsImagesThatUltralyticsPassesOver) {
  MemorySource source;
  for (const char* const name : {".a.jpg", ".b/c.jpg", "d.jpg"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.path = fs::path("/nowhere") / name;
    sample.image.state = SampleState::labelled_empty;
    source.samples.push_back(std::move(sample));
  }
  EXPECT_EQ(losses_of_yolo(source, {}).size(), 0U);  // a list names them
  WriteOptions options;
  options.images = ImageTransfer::copy;
  const std::vector<Loss> losses = losses_of_yolo(source, options);
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].what, "images whose names or folders begin with a dot are passed over by Ultralytics");
  EXPECT_EQ(losses[0].count, 2);
}

TEST(YoloWriter, CountsImagesOfFormatsThatUltralyticsDoesNotRead) {
  MemorySource source;
  for (const char* const name : {"a.pgm", "b.PPM", "c.gif", "d.pbm", "e.pfm", "f.JPG", "g.tiff"}) {
    MemorySource::Sample& sample = source.samples.emplace_back();
    sample.image.name = name;
    sample.image.path = fs::path("/nowhere") / name;
    sample.image.state = SampleState::labelled_empty;
  }
  for (const ImageTransfer transfer : {ImageTransfer::reference, ImageTransfer::copy}) {
    const std::vector<Loss> losses = losses_of_yolo(source, {.images = transfer, .progress = {}});
    ASSERT_EQ(losses.size(), 1U);
    EXPECT_THAT(losses[0].what, HasSubstr("are passed over by it"));
    EXPECT_EQ(losses[0].count, 5);
  }
}

TEST(YoloWriter, RefusesRatherThanMix) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  folder.write("full/file", "mine");
  try {
    write_yolo(folder.path() / "full", source, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::conflict);
  }
  source.samples[3].image.name = "a.png";
  source.samples[3].image.path = folder.path() / "photos/a.png";
  source.samples[3].image.state = SampleState::labelled_empty;
  for (const ImageTransfer transfer : {ImageTransfer::reference, ImageTransfer::copy}) {
    const WriteOptions options = {.images = transfer, .progress = {}};
    EXPECT_THROW(losses_of_yolo(source, options), Error);
    EXPECT_THROW(write_yolo(folder.path() / "out", source, options), Error);
  }
  source.samples.pop_back();
  // Trainers look for none of these, and some would be other keys of data.yaml.
  for (const char* const split : {"../up", "fold0", "names", "nc", "path", "images", "Val", "."}) {
    source.samples[0].image.split = split;
    EXPECT_THROW(losses_of_yolo(source, {}), Error) << split;
    EXPECT_THROW(write_yolo(folder.path() / "out", source, {}), Error) << split;
  }
  source.samples[0].image.split.clear();
  EXPECT_THROW(write_yolo(folder.path() / "out", source, {.default_split = "", .progress = {}}), Error);
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2);  // photos and full: nothing was left behind
  source.samples[0].image.split = "train";
  fs::create_directory(folder.path() / "empty");
  write_yolo(folder.path() / "empty" / "mine.yaml", source, {});
  EXPECT_TRUE(fs::exists(folder.path() / "empty" / "mine.yaml"));
}

TEST(YoloWriter, AnOnlySplitComesBackUnderItsName) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  source.samples.resize(1);
  source.samples[0].image.split = "val";
  for (const ImageTransfer transfer : {ImageTransfer::reference, ImageTransfer::copy}) {
    const fs::path place = folder.path() / name_of(transfer);
    write_yolo(place, source, {.images = transfer, .progress = {}});
    const RecordingSink sink = read(place);
    ASSERT_EQ(sink.images.size(), 1U);
    EXPECT_EQ(sink.images[0].split, "val");
    EXPECT_EQ(sink.labels.size(), 2U);
  }
}

TEST(YoloWriter, ValidationImagesAreWhereTrainersLook) {
  for (const char* const split : {"valid", "validation"}) {
    const TemporaryFolder folder;
    MemorySource source = source_with(folder);
    source.samples[1].image.split = split;
    const WriteReport report = write_yolo(folder.path() / "out", source, {.images = ImageTransfer::copy, .progress = {}});
    EXPECT_THAT(report.losses, testing::Contains(testing::Field(&Loss::what, HasSubstr("come back in `val`"))));
    const std::string yaml = read_file(folder.path() / "out/data.yaml");
    EXPECT_THAT(yaml, testing::StartsWith("train: \"images/train\"\nval: \"images/val\"\nnc: 2\n"));
    EXPECT_TRUE(fs::exists(folder.path() / "out/labels/val/sub/a.txt"));
  }
}

TEST(YoloWriter, WithoutImagesThereAreStillClasses) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"car", {}}, {"bus", {}}};
  for (const ImageTransfer transfer : {ImageTransfer::reference, ImageTransfer::copy}) {
    const fs::path place = folder.path() / name_of(transfer);
    write_yolo(place, source, {.images = transfer, .progress = {}});
    RecordingSink sink;
    const ReadCounts counts = read_yolo(place, {}, sink);
    EXPECT_EQ(counts.classes, 2);
    EXPECT_EQ(counts.images, 0);
    EXPECT_THAT(sink.rejections, IsEmpty());
  }
}

TEST(YoloWriter, ReportsImagesThatCannotBeBrought) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  fs::remove(source.samples[0].image.path);
  WriteOptions options;
  options.images = ImageTransfer::copy;
  WriteReport report = write_yolo(folder.path() / "out", source, options);
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.failures[0].name, "a.jpg");
  EXPECT_EQ(report.images + report.images_left_out + static_cast<std::int64_t>(report.failures.size()), 4);
  EXPECT_FALSE(fs::exists(folder.path() / "out/labels/train/a.txt"));
  source.samples[1].image.path = "/photos/line\nbreak.jpg";
  report = write_yolo(folder.path() / "out2", source, {});
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.failures[0].name, "sub/a.jpg");
}

TEST(YoloWriter, ImagesThatCannotBeReadLeaveNothingBehind) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  fs::create_symlink("loop.jpg", folder.path() / "loop.jpg");
  source.samples[0].image.path = folder.path() / "loop.jpg";
  source.samples[1].image.path = "/proc/self/mem";  // a regular file whose first byte cannot be read
  for (const ImageTransfer transfer : {ImageTransfer::copy, ImageTransfer::symbolic_link}) {
    const fs::path place = folder.path() / name_of(transfer);
    const WriteReport report = write_yolo(place, source, {.images = transfer, .progress = {}});
    ASSERT_EQ(report.failures.size(), transfer == ImageTransfer::copy ? 2U : 1U);
    EXPECT_EQ(report.failures[0].message, "Too many levels of symbolic links");
    EXPECT_FALSE(fs::exists(place / "images/train/a.jpg"));
    EXPECT_EQ(fs::exists(fs::symlink_status(place / "images/val/sub/a.jpg")), transfer != ImageTransfer::copy);
  }
}

TEST(YoloWriter, ACopyThatCannotBeWrittenEndsTheExport) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  source.samples[0].image.path = folder.write("photos/large.jpg", std::string(100'000, 'x'));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 10'000, .rlim_max = before.rlim_max};
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::optional<ErrorCode> code;
  try {
    write_yolo(folder.path() / "out", source, {.images = ImageTransfer::copy, .progress = {}});
  } catch (const Error& error) {
    code = error.code();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(code, ErrorCode::io);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);  // photos: nothing was left behind
}

TEST(YoloWriter, RelativeLinksLeadToTheImagesThroughALinkToTheFolder) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  fs::create_directories(folder.path() / "deep/er/real");
  fs::create_directory_symlink(folder.path() / "deep/er/real", folder.path() / "link");
  write_yolo(folder.path() / "link/out", source, {.images = ImageTransfer::relative_link, .progress = {}});
  EXPECT_EQ(read_file(folder.path() / "deep/er/real/out/images/val/sub/a.jpg"), "sub/a.jpg");
  EXPECT_TRUE(fs::read_symlink(folder.path() / "link/out/images/train/a.jpg").is_relative());
}

TEST(YoloWriter, ReportsImagesThatTrainersWouldPassOver) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  source.samples[0].image.name = "photo.2";
  WriteOptions options;
  options.images = ImageTransfer::copy;
  const WriteReport report = write_yolo(folder.path() / "out", source, options);
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.failures[0].name, "photo.2");
  EXPECT_THAT(report.failures[0].message, HasSubstr("does not end like that of an image"));
  EXPECT_FALSE(fs::exists(folder.path() / "out/labels/train/photo.txt"));
  // A list names what it names.
  EXPECT_EQ(write_yolo(folder.path() / "out2", source, {}).failures.size(), 0U);
}

}  // namespace
}  // namespace verilabel
