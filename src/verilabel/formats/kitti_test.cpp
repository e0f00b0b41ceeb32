#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/kitti.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

RecordingSink read(const fs::path& path, ReadCounts* counts = nullptr, const ReadOptions& options = {}) {
  return recorded(read_kitti, path, counts, options);
}

RecordingSink read_lines(std::string_view lines) {
  const TemporaryFolder folder;
  folder.write("image_2/000001.png", "");
  folder.write("label_2/000001.txt", lines);
  return read(folder.path());
}

TEST(KittiReader, ReadsBoxesDegreesThe3dBoxAndTheScore) {
  const RecordingSink sink = read_lines(
      "Pedestrian 0.25 2 -0.20 712.40 143.00 810.73 307.92 1.89 0.48 1.20 1.84 1.47 8.41 0.01\r\n"
      "\n"
      "Car 0 0 -1.5 10 20 30.5 40 1 2 3 4 5 6 7 0.875  \n"
      "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10");
  ASSERT_EQ(sink.rejections.size(), 0U) << sink.rejections[0].message;
  ASSERT_EQ(sink.labels.size(), 3U);
  const Label& pedestrian = sink.labels[0].label;
  EXPECT_EQ(pedestrian.kind, LabelKind::box);
  EXPECT_EQ(pedestrian.box_xywh_px, (Box{712.4, 143, 810.73 - 712.4, 307.92 - 143}));
  EXPECT_EQ(pedestrian.attributes_json, R"({"truncated":0.25,"occluded":2})");
  EXPECT_EQ(pedestrian.source_json, R"({"alpha":-0.2,"dimensions":[1.89,0.48,1.2],"location":[1.84,1.47,8.41],"rotation_y":0.01})");
  EXPECT_EQ(pedestrian.confidence, std::nullopt);
  EXPECT_EQ(sink.labels[1].label.confidence, 0.875);
  EXPECT_EQ(sink.labels[1].label.attributes_json, R"({"truncated":0,"occluded":0})");
  EXPECT_EQ(sink.labels[2].label.attributes_json, "");
  EXPECT_EQ(sink.labels[2].label.source_json, "");
  ASSERT_EQ(sink.classes.size(), 3U);
  EXPECT_EQ(sink.classes[2].name, "DontCare");
  EXPECT_EQ(sink.images.at(0).name, "000001.png");
}

TEST(KittiReader, TakesAByteOrderMark) {
  const RecordingSink sink = read_lines(
      "\xEF\xBB\xBF"
      "Car 0 0 -1.5 10 20 30.5 40 1 2 3 4 5 6 7\n");
  EXPECT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.classes.at(0).name, "Car");
}

TEST(KittiReader, RejectsLinesOneByOne) {
  const std::tuple<const char*, RejectionReason, const char*> cases[] = {
      {"Car 0 0 0 1 2 3 4 1 1 1 1 1 1", RejectionReason::malformed, ""},
      {"Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1 1 1", RejectionReason::malformed, ""},
      {"Person sitting 0 0 0 1 2 3 4 1 1 1 1 1 1 1 1", RejectionReason::malformed, ""},
      {"Person sitting 0 0 0 1 2 3 4 1 1 1 1 1 1 1", RejectionReason::malformed, "column 2 (truncated)"},
      {"Car 0 0 0 3 2 1 4 1 1 1 1 1 1 1", RejectionReason::out_of_range, "column 7 (right)"},
      {"Car 0 0 0 1 4 3 2 1 1 1 1 1 1 1", RejectionReason::out_of_range, "column 8 (bottom)"},
      {"Car 0 0 0 nan 2 3 4 1 1 1 1 1 1 1", RejectionReason::not_finite, "column 5 (left)"},
      {"Car 0 0 0 1 2 3 inf 1 1 1 1 1 1 1", RejectionReason::not_finite, "column 8 (bottom)"},
      {"Car 0 0 0 1 2 3 1e400 1 1 1 1 1 1 1", RejectionReason::out_of_range, "column 8 (bottom)"},
      {"Car 0 0 0 -1e308 2 1e308 4 1 1 1 1 1 1 1", RejectionReason::out_of_range, "column 7 (right)"},
      {"Car 1.5 0 0 1 2 3 4 1 1 1 1 1 1 1", RejectionReason::out_of_range, "column 2 (truncated)"},
      {"Car 0 4 0 1 2 3 4 1 1 1 1 1 1 1", RejectionReason::out_of_range, "column 3 (occluded)"},
      {"Car 0 0.5 0 1 2 3 4 1 1 1 1 1 1 1", RejectionReason::out_of_range, "column 3 (occluded)"},
      {"Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1 high", RejectionReason::malformed, "column 16 (score)"},
      {"Car 0 0 0 1 2 3 4 1,5 1 1 1 1 1 1", RejectionReason::malformed, "column 9 (height)"},
      {"C\xE4r 0 0 0 1 2 3 4 1 1 1 1 1 1 1", RejectionReason::malformed, "column 1 (type)"},
      {"Car 0 0 0 -100 -2 1e6 4 1 1 1 1 1 1 1", RejectionReason::malformed, nullptr},  // outside the image is taken as it is
  };
  const std::string good = "Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1";
  for (const auto& [line, reason, field] : cases) {
    const RecordingSink sink = read_lines(fmt::format("{}\n{}\n{}\n", good, line, good));
    if (field == nullptr) {
      EXPECT_EQ(sink.labels.size(), 3U) << line;
      EXPECT_EQ(sink.labels.at(1).label.box_xywh_px, (Box{-100, -2, 1e6 + 100, 6}));
      continue;
    }
    EXPECT_EQ(sink.labels.size(), 2U) << line;
    ASSERT_EQ(sink.rejections.size(), 1U) << line;
    EXPECT_EQ(name_of(sink.rejections[0].reason), name_of(reason)) << line;
    EXPECT_EQ(sink.rejections[0].field, field) << line;
    EXPECT_EQ(sink.rejections[0].line, 2U);
    EXPECT_THAT(sink.rejections[0].file, testing::EndsWith("label_2/000001.txt"));
    EXPECT_EQ(sink.rejections[0].image, "000001.png");
  }
}

TEST(KittiReader, TellsNoLabelFileFromAnEmptyOneInEachLayout) {
  const std::string line = "Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1\n";
  const std::pair<const char*, const char*> layouts[] = {
      {"label_2", "image_2"}, {"labels", "images"}, {"training/label_2", "training/image_2"}, {".", "images"}};
  for (const auto& [labels, images] : layouts) {
    const TemporaryFolder folder;
    for (const char* const name : {"none.png", "empty.png", "deep/car.jpg"}) {
      folder.write(fs::path(images) / name, "");
    }
    folder.write(fs::path(images) / "notes.txt", "no labels");
    folder.write(fs::path(labels) / "empty.txt", "");
    folder.write(fs::path(labels) / "deep/car.txt", line);
    folder.write(fs::path(labels) / "elsewhere.txt", line + line);
    ReadCounts counts;
    const RecordingSink sink = read(folder.path() / "", &counts);
    std::vector<std::string> told;
    for (const SourceImage& image : sink.images) {
      told.push_back(
          fmt::format("{}{}{}", image.name, image.form == NameForm::stem ? " stem" : "", image.is_labelled ? "" : " not labelled"));
    }
    EXPECT_THAT(told, ElementsAre("deep/car.jpg", "empty.png", "none.png not labelled", "elsewhere stem")) << labels;
    EXPECT_EQ(counts.images_labelled, 3);
    EXPECT_EQ(counts.labels, 3);
    EXPECT_EQ(sink.rejections.size(), 0U);
    EXPECT_THAT(sink.images[0].path, testing::EndsWith(fmt::format("{}/deep/car.jpg", images)));
  }
  const TemporaryFolder folder;
  folder.write("image_2/a.png", "");
  folder.write("label_2/a.txt", line);
  EXPECT_THAT(read(folder.path() / "label_2").images.at(0).path, testing::EndsWith("image_2/a.png"));
}

TEST(KittiReader, ReadsSplitsFromImageSets) {
  const TemporaryFolder folder;
  for (const char* const name : {"a", "b", "c"}) {
    folder.write(fmt::format("image_2/{}.png", name), "");
    folder.write(fmt::format("label_2/{}.txt", name), "");
  }
  folder.write("ImageSets/train.txt", "a\r\n\n");
  folder.write("ImageSets/val.txt", "b\na\nnot here\n");
  folder.write("ImageSets/trainval.txt", "a\nb\n");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.images.at(0).split, "train");
  EXPECT_EQ(sink.images.at(1).split, "val");
  EXPECT_EQ(sink.images.at(2).split, "");
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].line, 2U);
  ReadOptions options;
  options.split = "val";
  EXPECT_EQ(read(folder.path(), nullptr, options).images.size(), 1U);
  options.split = "test";
  EXPECT_THROW(read(folder.path(), nullptr, options), Error);
}

TEST(KittiReader, TheTestListBesideTrainingIsAboutOtherImages) {
  const TemporaryFolder folder;
  folder.write("training/image_2/000000.png", "");
  folder.write("training/label_2/000000.txt", "");
  folder.write("ImageSets/train.txt", "000000\n");
  folder.write("ImageSets/test.txt", "000000\n");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.images.at(0).split, "train");
  EXPECT_EQ(sink.rejections.size(), 0U);
}

TEST(KittiReader, AFolderOfImagesMayBeCalledImageSets) {
  const TemporaryFolder folder;
  folder.write("image_2/ImageSets/1.png", "");
  folder.write("label_2/ImageSets/1.txt", "Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1\n");
  EXPECT_EQ(read(folder.path()).labels.size(), 1U);
}

TEST(KittiWriter, CountsSplitsThatAListCannotTell) {
  MemorySource source;
  source.class_list = {{"Car", ""}};
  for (const char* const name : {"a .png", "b.png"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.split = "train";
    Label label;
    label.box_xywh_px = {1, 2, 3, 4};
    sample.image.state = SampleState::labelled;
    sample.labels.push_back({0, label, {}});
    source.samples.push_back(std::move(sample));
  }
  const std::vector<Loss> losses = losses_of_kitti(source, {});
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_THAT(losses[0].what, HasSubstr("white space"));
  EXPECT_EQ(losses[0].count, 1);
  const TemporaryFolder folder;
  EXPECT_EQ(write_kitti(folder.path() / "out", source, {}).labels, 2);
  EXPECT_EQ(read_file(folder.path() / "out/ImageSets/train.txt", 100), "b\n");
}

TEST(KittiReader, RefusesWhatIsNoDataset) {
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
  EXPECT_EQ(code_of(folder.write("a.txt", "")), ErrorCode::wrong_use);
  folder.write("image_2/a.png", "");
  folder.write("image_2/a.jpg", "");
  folder.write("label_2/a.txt", "");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.images.size(), 0U);
  ASSERT_EQ(sink.rejections.size(), 2U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::ambiguous_image);
}

MemorySource source_with(const TemporaryFolder& folder) {
  MemorySource source;
  source.class_list = {{"Car", ""}, {"DontCare", ""}};
  for (const char* const name : {"a.png", "sub/a.png", "image_2/b.jpg", "c.png"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.path = folder.write(fs::path("photos") / name, name);
    source.samples.push_back(sample);
  }
  Label car;
  car.box_xywh_px = {1.0 / 3, 2.7, 100.1, 400.123456789};
  car.confidence = 0.1234567890123;
  car.attributes_json = R"({"occluded":3,"truncated":0.1})";
  car.source_json = R"({"location":[1, 2.5,-3e-7],"dimensions":[1,2,3],"alpha":0.5,"rotation_y":-1})";
  Label nothing;
  nothing.box_xywh_px = {0, 0, 10, 0};
  source.samples[0].labels = {{0, car, {}}, {1, nothing, {}}};
  source.samples[1].image.split = "val";
  source.samples[1].labels = {{1, nothing, {}}};
  source.samples[2].image.state = SampleState::labelled_empty;
  source.samples[3].image.state = SampleState::not_labelled;
  return source;
}

class KittiRoundTrip : public testing::TestWithParam<ImageTransfer> {};

TEST_P(KittiRoundTrip, KeepsBoxesDegrees3dBoxesSplitsAndStates) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  WriteOptions options;
  options.images = GetParam();
  options.with_unlabelled = true;
  options.with_confidence = true;
  const bool has_images = GetParam() != ImageTransfer::reference;
  const fs::path out = folder.path() / "out";
  const WriteReport report = write_kitti(out, source, options);
  EXPECT_EQ(report.images, has_images ? 4 : 3);
  EXPECT_EQ(report.images_left_out, has_images ? 0 : 1);
  EXPECT_EQ(report.images_unlabelled, has_images ? 1 : 0);
  EXPECT_EQ(report.labels, 3);
  EXPECT_EQ(report.losses.size(), has_images ? 0U : 1U);
  EXPECT_EQ(fs::exists(out / "image_2/sub/a.png"), has_images);
  EXPECT_EQ(read_file(out / "ImageSets/val.txt"), "sub/a\n");
  EXPECT_THAT(read_file(out / "label_2/a.txt"), HasSubstr("\nDontCare -1 -1 -10 0 0 10 0 -1 -1 -1 -1000 -1000 -1000 -10\n"));

  ReadCounts counts;
  const RecordingSink sink = read(out, &counts);
  EXPECT_EQ(sink.rejections.size(), 0U);
  EXPECT_EQ(counts.images, has_images ? 4 : 3);
  EXPECT_EQ(counts.images_labelled, 3);
  ASSERT_EQ(sink.labels.size(), 3U);
  const Label& car = sink.labels[0].label;
  EXPECT_EQ(car.attributes_json, R"({"truncated":0.1,"occluded":3})");
  EXPECT_EQ(car.source_json, R"({"alpha":0.5,"dimensions":[1,2,3],"location":[1,2.5,-3e-07],"rotation_y":-1})");
  EXPECT_EQ(car.confidence, 0.1234567890123);
  EXPECT_EQ(car.box_xywh_px.x, 1.0 / 3);
  EXPECT_NEAR(car.box_xywh_px.h, 400.123456789, 1e-12);
  EXPECT_EQ(sink.labels[1].label, source.samples[0].labels[1].label);
  for (const SourceImage& image : sink.images) {
    EXPECT_EQ(image.split, image.name.starts_with("sub/") ? "val" : "");
  }
}

INSTANTIATE_TEST_SUITE_P(, KittiRoundTrip,
                         testing::Values(ImageTransfer::reference, ImageTransfer::copy, ImageTransfer::hard_link,
                                         ImageTransfer::symbolic_link, ImageTransfer::relative_link),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(KittiLabels, StayThemselvesWithinTheLastBitOfTheFarCorner) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> number(-2e3, 2e3);
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"Car", ""}, {"Van", ""}};
  for (int i = 0; i < 50; ++i) {
    MemorySource::Sample sample;
    sample.image.name = fmt::format("{:06}.png", i);
    for (int k = 0; k < 20; ++k) {
      Label label;
      label.box_xywh_px = {number(random), number(random), std::abs(number(random)), std::abs(number(random))};
      label.confidence = k % 2 == 0 ? std::nullopt : std::optional(number(random));
      label.attributes_json = k % 3 == 0 ? "" : fmt::format(R"({{"truncated":{},"occluded":{}}})", 1.0 / (k + 1), k % 4);
      label.source_json =
          k % 4 == 0 ? "" : fmt::format(R"({{"dimensions":[{},{},{}],"rotation_y":{}}})", number(random), -1, -1, number(random));
      sample.labels.push_back({static_cast<std::int32_t>(random() % 2), label, {}});
    }
    source.samples.push_back(std::move(sample));
  }
  WriteOptions options;
  options.with_confidence = true;
  const WriteReport report = write_kitti(folder.path() / "out", source, options);
  EXPECT_EQ(report.losses.size(), 0U);
  EXPECT_EQ(losses_of_kitti(source, options).size(), 0U);
  const RecordingSink sink = read(folder.path() / "out");
  ASSERT_EQ(sink.rejections.size(), 0U);
  ASSERT_EQ(sink.labels.size(), 1000U);
  for (std::size_t i = 0; i < sink.labels.size(); ++i) {
    const ExportLabel& want = source.samples[i / 20].labels[i % 20];
    Label got = sink.labels[i].label;
    EXPECT_NEAR(got.box_xywh_px.w, want.label.box_xywh_px.w, 1e-12);
    EXPECT_NEAR(got.box_xywh_px.h, want.label.box_xywh_px.h, 1e-12);
    got.box_xywh_px.w = want.label.box_xywh_px.w;
    got.box_xywh_px.h = want.label.box_xywh_px.h;
    EXPECT_EQ(got, want.label);
    EXPECT_EQ(sink.classes[static_cast<std::size_t>(sink.labels[i].class_index)].name,
              source.class_list[static_cast<std::size_t>(want.class_index)].name);
  }
}

TEST(KittiWriter, CountsWhatItCannotHoldBeforeWriting) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  source.class_list.push_back({"Van", ""});
  Label classification;
  classification.kind = LabelKind::classification;
  Label crowd;
  crowd.is_crowd = true;
  Label mask;
  mask.kind = LabelKind::mask;
  mask.mask = Mask{std::vector<Polygon>{{0, 0, 4, 0, 4, 4}}};
  mask.attributes_json = R"({"occluded":true,"colour":"red"})";
  mask.source_json = R"({"id":3,"alpha":1})";
  Label wrong;
  wrong.attributes_json = R"({"occluded":7})";
  wrong.source_json = R"({"location":"Berlin"})";
  source.samples[0].labels = {{0, classification, {}}, {0, crowd, {}}, {1, mask, {"odd"}}, {0, wrong, {}}};
  source.samples[0].image.tags = {"night"};
  const std::vector<Loss> losses = losses_of_kitti(source, {});
  std::vector<std::string> told;
  for (const Loss& loss : losses) {
    told.push_back(fmt::format("{} {}", loss.count, loss.what.substr(0, 34)));
  }
  EXPECT_THAT(told, testing::UnorderedElementsAre("1 images lose their tags", "1 labels that are classifications, w",
                                                  "1 crowd labels, which the format can", "1 masks become their boxes",
                                                  "2 labels lose their attributes", "2 labels lose the id and the fields ",
                                                  "1 labels lose their tags", "1 labels get KITTI's degree 1 or 0 f",
                                                  "1 classes without a label are lost, "));
  const WriteReport report = write_kitti(folder.path() / "out", source, {});
  EXPECT_EQ(report.labels, 3);
  EXPECT_EQ(report.labels_left_out, 2);
  EXPECT_EQ(report.images_left_out, 1);
  ASSERT_EQ(report.losses.size(), losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(report.losses[i].what, losses[i].what);
    EXPECT_EQ(report.losses[i].count, losses[i].count);
  }
  EXPECT_EQ(read_file(folder.path() / "out/label_2/a.txt"),
            "DontCare -1 1 1 0 0 0 0 -1 -1 -1 -1000 -1000 -1000 -10\nCar -1 -1 -10 0 0 0 0 -1 -1 -1 -1000 -1000 -1000 -10\n");
}

TEST(KittiWriter, CountsImagesThatAnImportCannotTellApart) {
  const TemporaryFolder folder;
  MemorySource source;
  for (const auto& [name, state] :
       {std::pair("d/1.jpg", SampleState::labelled_empty), std::pair("d/1.png", SampleState::not_labelled),
        std::pair("d/2.jpg", SampleState::labelled_empty), std::pair("2.png", SampleState::not_labelled)}) {
    MemorySource::Sample& sample = source.samples.emplace_back();
    sample.image.name = name;
    sample.image.path = folder.write(fs::path("images") / name, "x");
    sample.image.state = state;
  }
  WriteOptions options;
  for (const std::vector<Loss>& losses :
       {losses_of_kitti(source, options), write_kitti(folder.path() / "out", source, options).losses}) {
    ASSERT_EQ(losses.size(), 1U);
    EXPECT_THAT(losses[0].what, HasSubstr("share their name without extension"));
    EXPECT_EQ(losses[0].count, 1);
  }
  // With the images there is nothing to look for.
  options.images = ImageTransfer::copy;
  EXPECT_EQ(losses_of_kitti(source, options).size(), 0U);
}

TEST(KittiWriter, LinesHaveNoScoreUnlessItIsAskedFor) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  const std::vector<Loss> losses = losses_of_kitti(source, {});
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].count, 1);
  EXPECT_THAT(losses[0].what, HasSubstr("--with-confidence"));
  write_kitti(folder.path() / "out", source, {});
  EXPECT_THAT(read_file(folder.path() / "out/label_2/a.txt"), testing::StartsWith("Car 0.1 3 0.5 "));
  const RecordingSink sink = read(folder.path() / "out");
  ASSERT_EQ(sink.labels.size(), 3U);
  for (const auto& read_back : sink.labels) {
    EXPECT_EQ(read_back.label.confidence, std::nullopt);
  }
}

TEST(KittiWriter, RefusesRatherThanMix) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  const auto expect_refused = [&](const char* word) {
    try {
      write_kitti(folder.path() / "out", source, {});
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      EXPECT_THAT(error.message(), HasSubstr(word));
    }
    EXPECT_THROW(losses_of_kitti(source, {}), Error);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);  // the photographs: nothing is left behind
  };
  source.class_list.push_back({"not used", ""});
  EXPECT_NO_THROW(losses_of_kitti(source, {}));
  source.class_list[0].name = "traffic light";
  expect_refused("--classes-map");
  source.class_list[0].name = "";
  expect_refused("--classes-map");
  source.class_list[0].name =
      "\xEF\xBB\xBF"
      "Car";  // would be read back as `Car`
  expect_refused("--classes-map");
  source.class_list[0].name = "Car";
  source.samples[0].image.split = "../up";
  expect_refused("../up");
  source.samples[0].image.split = "";
  source.samples[1].image.name = "a.jpg";
  expect_refused("share one label file");
  source.samples[1].image.name = "sub/a.jpg";
  folder.write("photos/full/file", "mine");
  try {
    write_kitti(folder.path() / "photos/full", source, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::conflict);
  }
}

TEST(KittiWriter, ReportsImagesThatCannotBeBrought) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder);
  fs::remove(source.samples[0].image.path);
  source.samples[0].image.is_missing = true;
  source.samples[1].image.name = "line\nbreak.png";
  source.samples[2].image.name = "photo.2";
  WriteOptions options;
  options.images = ImageTransfer::copy;
  const std::vector<Loss> losses = losses_of_kitti(source, options);
  const WriteReport report = write_kitti(folder.path() / "out", source, options);
  EXPECT_EQ(report.failures.size(), 3U);
  EXPECT_EQ(report.images + report.images_left_out + static_cast<std::int64_t>(report.failures.size()), 4);
  EXPECT_FALSE(fs::exists(folder.path() / "out/label_2/a.txt"));
  ASSERT_EQ(report.losses.size(), losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(report.losses[i].count, losses[i].count);
  }
}

}  // namespace
}  // namespace verilabel
