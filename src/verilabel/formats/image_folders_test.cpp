#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/image_folders.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

RecordingSink read(const fs::path& path, ReadCounts* counts = nullptr, const ReadOptions& options = {}) {
  return recorded(read_image_folders, path, counts, options);
}

/// Images with their split and class, as a reader told them.
std::vector<std::string> told(const RecordingSink& sink) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < sink.images.size(); ++i) {
    std::string line = fmt::format("{} [{}]", sink.images[i].name, sink.images[i].split);
    for (const ImportedLabel& label : sink.labels) {
      if (label.image == static_cast<std::int64_t>(i)) {
        line += " " + sink.classes.at(static_cast<std::size_t>(label.class_index)).name;
      }
    }
    lines.push_back(line + (sink.images[i].is_labelled ? "" : " (not labelled)"));
  }
  return lines;
}

TEST(ImageFoldersReader, TakesTheFirstFolderForTheClass) {
  const TemporaryFolder folder;
  for (const char* const name : {"cat/1.jpg", "cat/deep/er/2.PNG", "cat/.hidden.jpg", "traffic light/1.jpg", "loose.jpg",
                                 ".loose.jpg", "README.txt", "cat/Thumbs.db", "cat/.DS_Store", ".thumbnails/1.jpg"}) {
    folder.write(name, "");
  }
  folder.write("cat/._1.jpg", std::string_view("\0\5\x16\7\0\2", 6));  // what macOS keeps attributes in
  fs::create_directory(folder.path() / "empty");
  ReadCounts counts;
  const RecordingSink sink = read(folder.path(), &counts);
  EXPECT_THAT(told(sink), ElementsAre(".loose.jpg [] (not labelled)", "loose.jpg [] (not labelled)", "cat/.hidden.jpg [] cat",
                                      "cat/1.jpg [] cat", "cat/deep/er/2.PNG [] cat", "traffic light/1.jpg [] traffic light"));
  EXPECT_EQ(sink.images[3].path, (folder.path() / "cat/1.jpg").native());
  EXPECT_EQ(sink.labels[0].label.kind, LabelKind::classification);
  EXPECT_EQ(sink.labels[0].label.confidence, std::nullopt);
  EXPECT_EQ(sink.classes.size(), 3U);  // `empty` is a class as well
  EXPECT_EQ(counts.images, 6);
  EXPECT_EQ(counts.images_labelled, 4);
  EXPECT_EQ(counts.labels, 4);
  EXPECT_EQ(sink.rejections.size(), 0U);
}

TEST(ImageFoldersReader, TakesTheFirstFoldersForSplitsOnlyWhenAllAre) {
  const TemporaryFolder folder;
  for (const char* const name : {"train/cat/1.jpg", "train/2.jpg", "validation/cat/1.jpg", "test/dog/3.jpg", "4.jpg"}) {
    folder.write(name, "");
  }
  EXPECT_THAT(told(read(folder.path())),
              ElementsAre("4.jpg [] (not labelled)", "test/dog/3.jpg [test] dog", "train/2.jpg [train] (not labelled)",
                          "train/cat/1.jpg [train] cat", "validation/cat/1.jpg [val] cat"));
  ReadOptions options;
  options.split = "valid";
  EXPECT_THAT(told(read(folder.path(), nullptr, options)), ElementsAre("validation/cat/1.jpg [val] cat"));
  options.split = "fold1";
  EXPECT_THROW(read(folder.path(), nullptr, options), Error);

  folder.write("airport/5.jpg", "");  // now train, test and validation are classes
  EXPECT_THAT(told(read(folder.path())),
              ElementsAre("4.jpg [] (not labelled)", "airport/5.jpg [] airport", "test/dog/3.jpg [] test", "train/2.jpg [] train",
                          "train/cat/1.jpg [] train", "validation/cat/1.jpg [] validation"));
  options.split = "train";
  EXPECT_THROW(read(folder.path(), nullptr, options), Error);
}

TEST(ImageFoldersReader, FoldersWithoutFilesAreNoClassesBesideSplits) {
  const TemporaryFolder folder;
  for (const char* const name : {"train/cat/1.jpg", "val/cat/2.jpg", "__MACOSX/train/cat/x.jpg", "train/__MACOSX/x.jpg"}) {
    folder.write(name, "");
  }
  folder.write("__MACOSX/train/cat/._1.jpg", std::string_view("\0\5\x16\7\0\2", 6));
  fs::create_directories(folder.path() / "empty/er");
  const RecordingSink sink = read(folder.path());
  EXPECT_THAT(told(sink), ElementsAre("train/cat/1.jpg [train] cat", "val/cat/2.jpg [val] cat"));
  EXPECT_EQ(sink.classes.size(), 1U);
  EXPECT_EQ(sink.images[0].name_in_layout, "1.jpg");
  EXPECT_EQ(sink.rejections.size(), 0U);
}

TEST(ImageFoldersReader, ReportsWhatIsNoImageAndWhatCannotBeAClass) {
  const TemporaryFolder folder;
  folder.write("cat/notes.txt", "");
  folder.write("cat/1.jpg", "");
  folder.write("c\xE9/2.jpg", "");
  fs::create_directory_symlink(folder.path() / "cat", folder.path() / "cat/again");
  ReadCounts counts;
  const RecordingSink sink = read(folder.path(), &counts);
  EXPECT_EQ(counts.images, 2);
  EXPECT_EQ(counts.labels, 1);
  EXPECT_EQ(counts.labels_rejected, 1);
  EXPECT_EQ(counts.images_rejected, 1);
  EXPECT_EQ(counts.others_rejected, 1);
  std::vector<std::string> files;
  for (const Rejection& rejection : sink.rejections) {
    files.push_back(fmt::format("{} {}", name_of(rejection.kind), fs::path(rejection.file).filename().native()));
  }
  EXPECT_THAT(files, UnorderedElementsAre("image notes.txt", "class c\xE9", "label 2.jpg"));
}

TEST(ImageFoldersReader, RefusesAFolderWithoutClasses) {
  const TemporaryFolder folder;
  const auto code_of = [&](const fs::path& path) {
    try {
      read(path);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  folder.write("1.jpg", "");
  EXPECT_EQ(code_of(folder.path()), ErrorCode::bad_data);
  EXPECT_EQ(code_of(folder.path() / "1.jpg"), ErrorCode::wrong_use);
  EXPECT_EQ(code_of(folder.path() / "nothing"), ErrorCode::not_found);
}

TEST(ImageFoldersReader, RejectsAmbiguousImages) {
  const TemporaryFolder folder;
  folder.write("cat/1.jpg", "");
  RecordingSink sink;
  sink.answers = {{"cat/1.jpg", Resolution::ambiguous}};
  const ReadCounts counts = read_image_folders(folder.path(), {}, sink);
  EXPECT_EQ(counts.labels_rejected, 1);
  EXPECT_EQ(sink.rejections.at(0).reason, RejectionReason::ambiguous_image);
}

ExportLabel classification(std::int32_t class_index, std::optional<double> confidence = {}, std::string attributes = "") {
  Label label;
  label.kind = LabelKind::classification;
  label.confidence = confidence;
  label.attributes_json = std::move(attributes);
  return {class_index, label, {}};
}

MemorySource source_with(const TemporaryFolder& folder, const std::vector<std::string>& names) {
  MemorySource source;
  source.class_list = {{"cat", ""}, {"traffic light", ""}};
  for (const std::string& name : names) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.path = folder.write("photos/" + name, name);
    sample.labels = {classification(0)};
    source.samples.push_back(std::move(sample));
  }
  return source;
}

class ImageFoldersRoundTrip : public testing::TestWithParam<ImageTransfer> {};

TEST_P(ImageFoldersRoundTrip, KeepsClassesSplitsAndTheFoldersOfImagesOfOneName) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder, {"a.jpg", "x/1.jpg", "y/1.jpg", "z/1.jpg", "deep/er/b.png"});
  source.samples[3].labels = {classification(1)};
  source.samples[4].image.split = "val";
  WriteOptions options;
  options.images = GetParam();
  const fs::path out = folder.path() / "out";
  const WriteReport report = write_image_folders(out, source, options);
  EXPECT_EQ(report.images, 5);
  EXPECT_EQ(report.labels, 5);
  EXPECT_EQ(report.losses.size(), 0U);
  EXPECT_EQ(report.failures.size(), 0U);
  EXPECT_EQ(read_file(out / "train/cat/x/1.jpg"), "x/1.jpg");
  EXPECT_EQ(fs::is_symlink(out / "train/cat/a.jpg"),
            GetParam() == ImageTransfer::symbolic_link || GetParam() == ImageTransfer::relative_link);
  EXPECT_THAT(told(read(out)),
              ElementsAre("train/cat/a.jpg [train] cat", "train/cat/x/1.jpg [train] cat", "train/cat/y/1.jpg [train] cat",
                          "train/traffic light/1.jpg [train] traffic light", "val/cat/b.png [val] cat"));
}

INSTANTIATE_TEST_SUITE_P(, ImageFoldersRoundTrip,
                         testing::Values(ImageTransfer::copy, ImageTransfer::hard_link, ImageTransfer::symbolic_link,
                                         ImageTransfer::relative_link),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(ImageFoldersWriter, CountsWhatItCannotHoldBeforeWriting) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder, {"1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg"});
  source.class_list.push_back({"unused", ""});
  Label box;
  box.box_xywh_px = {1, 2, 3, 4};
  source.samples[0].labels = {classification(0, 0.5), classification(1, 0.75), classification(1, 0.25), {0, box, {}}};
  source.samples[1].labels = {classification(0, 0.9), classification(1)};  // one that a person made comes first
  source.samples[2].labels = {classification(1, 0.0, R"({"present":false})")};
  source.samples[3].image.state = SampleState::labelled_empty;
  source.samples[3].labels.clear();
  source.samples[4].image.state = SampleState::not_labelled;
  source.samples[4].labels.clear();
  source.samples[5].image.is_missing = true;
  fs::remove(source.samples[5].image.path);
  WriteOptions options;
  options.images = ImageTransfer::copy;
  options.with_unlabelled = true;
  const std::vector<Loss> losses = losses_of_image_folders(source, options);
  std::vector<std::string> lines;
  for (const Loss& loss : losses) {
    lines.push_back(fmt::format("{} {}", loss.count, loss.what.substr(0, 33)));
  }
  EXPECT_THAT(lines, UnorderedElementsAre("2 labels beside a more confident or", "1 labels that repeat the class of t",
                                          "1 labels that are boxes or masks, w", "1 labels lose their confidence",
                                          "1 labels that say that a class is a", "3 images without a class, which hav",
                                          "1 classes without an image are lost", "1 images without a file, which cann"));
  const WriteReport report = write_image_folders(folder.path() / "out", source, options);
  ASSERT_EQ(report.losses.size(), losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(report.losses[i].what, losses[i].what);
    EXPECT_EQ(report.losses[i].count, losses[i].count);
  }
  EXPECT_EQ(report.images, 2);
  EXPECT_EQ(report.images_left_out, 3);
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.labels, 2);
  EXPECT_EQ(report.labels_left_out, 6);
  EXPECT_THAT(told(read(folder.path() / "out")),
              ElementsAre("train/traffic light/1.jpg [train] traffic light", "train/traffic light/2.jpg [train] traffic light"));
}

TEST(ImageFoldersWriter, RefusesWhatCannotBeAFolder) {
  const TemporaryFolder folder;
  MemorySource source = source_with(folder, {"1.jpg", "2.jpg"});
  WriteOptions options;
  const auto expect_refused = [&](const char* word) {
    try {
      write_image_folders(folder.path() / "out", source, options);
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      EXPECT_THAT(error.message(), HasSubstr(word));
    }
    EXPECT_THROW(losses_of_image_folders(source, options), Error);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);  // the photographs: nothing is left behind
  };
  expect_refused("symbolic_link");
  options.images = ImageTransfer::copy;
  for (const char* const name : {"a/b", "..", ".cat", ""}) {
    source.class_list[0].name = name;
    expect_refused("--classes-map");
  }
  source.class_list[0].name = "cat";
  source.samples[0].image.split = "fold1";
  expect_refused("fold1");
  source.samples[0].image.split = "train";
  source.samples[1].image.name = "../1.jpg";
  expect_refused("share one place");
  source.samples[0].image.name = "a";
  source.samples[1].image.name = "a/b/c.jpg";
  source.samples.push_back(source.samples[1]);
  source.samples[2].image.name = "d/c.jpg";
  expect_refused("share one place");
  source.samples.resize(1);
  folder.write("photos/full/file", "mine");
  try {
    write_image_folders(folder.path() / "photos/full", source, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::conflict);
  }
}

TEST(ImageFoldersWriter, ReportsImagesThatReadersWouldPassOver) {
  const TemporaryFolder folder;
  folder.write("cat/1.jpg", "");
  MemorySource source(read(folder.path()));
  source.samples[0].image.name = "1";
  WriteOptions options;
  options.images = ImageTransfer::copy;
  const WriteReport report = write_image_folders(folder.path() / "out", source, options);
  EXPECT_EQ(report.images, 0);
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.failures[0].name, "1");
}

TEST(ImageFolders, KeepTheSharedPhotographs) {
  const char* const data = std::getenv("VERILABEL_TEST_DATA");
  if (data == nullptr) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set";
  }
  ReadCounts counts;
  const RecordingSink sink = read(fs::path(data) / "hymenoptera-val", &counts);
  EXPECT_EQ(counts.images, 152);
  EXPECT_EQ(counts.labels, 152);
  EXPECT_EQ(sink.rejections.size(), 0U);
  ASSERT_EQ(sink.classes.size(), 2U);
  EXPECT_EQ(sink.classes[0].name, "ants");
  EXPECT_EQ(sink.classes[1].name, "bees");

  const TemporaryFolder folder;
  MemorySource source(sink);
  WriteOptions options;
  options.images = ImageTransfer::symbolic_link;
  const WriteReport report = write_image_folders(folder.path() / "out", source, options);
  EXPECT_EQ(report.images, 152);
  EXPECT_EQ(report.losses.size(), 0U);
  const RecordingSink back = read(folder.path() / "out");
  ASSERT_EQ(back.images.size(), 152U);
  for (std::size_t i = 0; i < back.images.size(); ++i) {
    EXPECT_EQ(back.images[i].name, "train/" + sink.images[i].name);
    EXPECT_EQ(back.labels[i].class_index, sink.labels[i].class_index);
  }
}

}  // namespace
}  // namespace verilabel
