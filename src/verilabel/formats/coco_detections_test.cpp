#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/coco_detections.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

using testing::ElementsAre;

TEST(CocoDetections, ReadsATruthFileColumnByColumn) {
  const TemporaryFolder folder;
  const auto file = folder.write("truth.json", R"({"annotations":[
    {"id":1,"image_id":2,"category_id":9,"bbox":[1,2,3,4],"area":5.5,"iscrowd":1,"segmentation":{"size":[2,3],"counts":"123"}},
    {"id":2,"image_id":1,"category_id":9,"bbox":[0,0,2,3],"segmentation":[[0,0,1,0,1,1]]}],
    "images":[{"id":1,"file_name":"a","width":640,"height":480},{"id":2,"file_name":"b"}],"categories":[{"id":9,"name":"cat"}]})");
  EXPECT_FALSE(is_coco_results_list(file));
  const CocoTruth truth = read_coco_truth(file, CocoMasks::read);
  ASSERT_EQ(truth.images.size(), 2U);
  EXPECT_EQ(truth.images[0].id, 1);
  EXPECT_EQ(truth.images[0].width, 640);
  EXPECT_EQ(truth.images[1].height, 0);
  EXPECT_EQ(truth.categories.at(0).name, "cat");
  EXPECT_THAT(truth.detections.image_id, ElementsAre(2, 1));
  EXPECT_THAT(truth.detections.category_id, ElementsAre(9, 9));
  EXPECT_THAT(truth.detections.box_xywh_px, ElementsAre(Box{1, 2, 3, 4}, Box{0, 0, 2, 3}));
  EXPECT_THAT(truth.detections.area_px, ElementsAre(5.5, 6));
  EXPECT_THAT(truth.detections.is_crowd, ElementsAre(1, 0));
  EXPECT_THAT(truth.detections.score, ElementsAre());
  ASSERT_EQ(truth.detections.mask.size(), 2U);
  EXPECT_EQ(truth.detections.mask[0], (Rle{2, 3, {1, 2, 3}}));
  EXPECT_TRUE(truth.detections.mask.is_none(1));
  ASSERT_EQ(truth.detections.polygons.size(), 1U);
  EXPECT_THAT(truth.detections.polygons[0].rows(), ElementsAre(1));
  EXPECT_THAT(truth.detections.polygons[0].xy_px(0), ElementsAre(0, 0, 1, 0, 1, 1));
  EXPECT_TRUE(read_coco_truth(file).detections.mask.empty());
}

TEST(CocoDetections, ReadsAResultsList) {
  const TemporaryFolder folder;
  const auto file = folder.write("results.json", R"( [{"image_id":1,"category_id":2,"bbox":[1,2,3,4],"score":0.1},
    {"image_id":5,"category_id":2,"segmentation":{"size":[2,3],"counts":"123"},"score":1}])");
  EXPECT_TRUE(is_coco_results_list(file));
  const CocoDetections results = read_coco_results(file);
  EXPECT_THAT(results.image_id, ElementsAre(1, 5));
  EXPECT_THAT(results.score, ElementsAre(0.1, 1));
  EXPECT_THAT(results.box_xywh_px, ElementsAre(Box{1, 2, 3, 4}, Box{}));
  EXPECT_EQ(read_coco_results(folder.write("empty.json", "[]")).size(), 0U);
}

TEST(CocoDetections, PolygonsOfRowsThatAreKept) {
  CocoPolygons polygons;
  for (const std::uint32_t row : {2U, 5U, 9U}) {
    const std::vector<double> xy_px(12, row);
    polygons.push_back(row, xy_px, std::vector<std::uint32_t>{6, 12});
  }
  polygons.move_rows(100);
  EXPECT_THAT(polygons.rows(), ElementsAre(102, 105, 109));
  polygons.keep_rows(std::vector<std::uint32_t>{3, 102, 104, 109, 110});
  EXPECT_THAT(polygons.rows(), ElementsAre(1, 3));
  EXPECT_THAT(polygons.xy_px(1), testing::Each(9));
  EXPECT_THAT(polygons.ends(1), ElementsAre(6, 12));
}

TEST(CocoDetections, EndsAtTheFirstFaultAndNamesIt) {
  const TemporaryFolder folder;
  const std::pair<const char*, const char*> cases[] = {
      {R"({"id":1,"image_id":3,"category_id":1,"bbox":[0,0,1,1]})", "annotations[0].image_id"},
      {R"({"id":1,"image_id":1,"category_id":3,"bbox":[0,0,1,1]})", "annotations[0].category_id"},
      {R"({"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,NaN]})", "annotations[0].bbox"},
      {R"({"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,-1]})", "annotations[0].bbox"},
      {R"({"id":1,"image_id":1,"category_id":1})", "annotations[0].bbox"},
      {R"({"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,1]},{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,1]})",
       "annotations[1].id"},
      {R"(7)", "annotations[0]"},
  };
  for (const auto& [annotations, field] : cases) {
    const auto file = folder.write(
        "truth.json",
        fmt::format(R"({{"images":[{{"id":1,"file_name":"a"}}],"categories":[{{"id":1,"name":"c"}}],"annotations":[{}]}})",
                    annotations));
    try {
      read_coco_truth(file);
      ADD_FAILURE() << annotations;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
      const bool has_image = std::string_view(annotations) != "7";
      ASSERT_EQ(error.context().size(), has_image ? 4U : 3U) << error.what();
      EXPECT_EQ(error.context()[0], std::pair(std::string("file"), file.native()));
      EXPECT_EQ(error.context()[2], std::pair(std::string("field"), std::string(field)));
      if (has_image) {
        EXPECT_EQ(error.context()[3].first, "image_id");
      }
    }
  }
  EXPECT_THROW(read_coco_results(folder.write("r.json", R"([{"image_id":1,"category_id":1,"bbox":[0,0,1,1]}])")), Error);
  EXPECT_THROW(read_coco_results(folder.write("r.json", R"([{"image_id":"a","category_id":1,"bbox":[0,0,1,1],"score":1}])")),
               Error);
  EXPECT_THROW(read_coco_results(folder.write("r.json", "{}")), Error);
  EXPECT_THROW(read_coco_truth(folder.write("r.json", "[]")), Error);
  EXPECT_THROW(read_coco_truth(folder.write("r.json", R"({"images":[]})")), Error);
  EXPECT_THROW(is_coco_results_list(folder.write("r.json", "7")), Error);
}

}  // namespace
}  // namespace verilabel
