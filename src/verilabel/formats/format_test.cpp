#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

TEST(Formats, AreFoundByNameAndWhole) {
  EXPECT_GE(formats().size(), 2U);
  for (const Format& row : formats()) {
    EXPECT_EQ(&format(row.name), &row);
    EXPECT_FALSE(row.summary.empty());
    EXPECT_FALSE(row.path.empty());
    EXPECT_NE(row.read, nullptr);
    EXPECT_NE(row.losses, nullptr);
    EXPECT_NE(row.write, nullptr);
  }
}

TEST(Formats, AnswerAnUnknownNameWithThoseThatExist) {
  try {
    format("voc2");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    EXPECT_THAT(error.message(), testing::HasSubstr("voc2"));
    EXPECT_THAT(error.message(), testing::HasSubstr("coco, yolo"));
  }
}

TEST(Formats, CountTheIdsAndFieldsOfClassesAndTheAreasThatTheyLose) {
  MemorySource source;
  source.class_list = {{"cat", R"({"id":7,"hue":"red"})"}};
  MemorySource::Sample& sample = source.samples.emplace_back();
  sample.image.name = "a.jpg";
  sample.image.path = "/nowhere/a.jpg";
  sample.image.width = sample.image.height = 10;
  for (const Format& row : formats()) {
    Label label;
    label.kind = row.holds.boxes ? LabelKind::box : LabelKind::classification;
    if (row.holds.boxes) {
      label.box_xywh_px = {1, 1, 2, 3};
      label.area_px = 5;
    }
    sample.labels = {{0, label, {}}};
    const bool needs_images = row.name == "image_folders";
    const std::vector<Loss> losses =
        row.losses(source, {.images = needs_images ? ImageTransfer::copy : ImageTransfer::reference, .progress = {}});
    const auto is_told = [&](std::string_view what) {
      return std::ranges::any_of(losses, [&](const Loss& loss) { return loss.what.starts_with(what) && loss.count == 1; });
    };
    EXPECT_EQ(is_told("classes lose the "), row.name != "coco" && row.name != "lvis") << row.name;
    EXPECT_EQ(is_told("labels lose the area that was stated for them"), row.holds.boxes && !row.holds.areas) << row.name;
  }
}

}  // namespace
}  // namespace verilabel
