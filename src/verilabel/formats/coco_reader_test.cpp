#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/coco.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kHead =
    R"({"categories":[{"id":0,"name":"cat"},{"id":7,"name":"dog","supercategory":"pet"}],)"
    R"("images":[{"id":3,"file_name":"a.jpg","width":640,"height":480,"license":1},{"id":9,"file_name":"b.jpg"}],)";

RecordingSink read(const TemporaryFolder& folder, std::string_view content, ReadCounts* counts = nullptr) {
  return recorded(read_coco, folder.write("labels.json", content), counts);
}

RecordingSink read_annotations(std::string_view annotations) {
  const TemporaryFolder folder;
  return read(folder, fmt::format("{}\"annotations\":[{}]}}", kHead, annotations));
}

Error error_of(std::string_view content) {
  const TemporaryFolder folder;
  try {
    read(folder, content);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error for " << content.substr(0, 200);
  return {ErrorCode::internal, ""};
}

TEST(CocoReader, ReadsBoxesMasksAndWhatIsUnknown) {
  const TemporaryFolder folder;
  ReadCounts counts;
  const RecordingSink sink = read(folder,
                                  fmt::format(R"({}"annotations":[
        {{"id":1,"image_id":3,"category_id":7,"bbox":[1.5,2,30,40.25],"area":600.5,"iscrowd":0,"segmentation":[],"note":{{"by" : "x"}}}},
        {{"id":2,"image_id":3,"category_id":0,"bbox":[0,0,4,4],"segmentation":[[0,0,4,0,4,4],[1,1,2,1,2,2.5]],"score":0.25,"attributes":{{"wet":true}}}},
        {{"id":5,"image_id":9,"category_id":0,"bbox":[0,0,2,2],"iscrowd":1,"segmentation":{{"size":[2,3],"counts":[1,2,3]}}}},
        {{"image_id":9.0,"category_id":0,"segmentation":{{"counts":"123","size":[2,3]}}}}
      ],"info":{{"year":2026}},"licenses":[ ]}})",
                                              kHead),
                                  &counts);

  ASSERT_EQ(sink.rejections.size(), 0U) << sink.rejections[0].message;
  EXPECT_EQ(sink.dataset_json, R"({"info":{"year":2026},"licenses":[ ]})");
  ASSERT_EQ(sink.classes.size(), 2U);
  EXPECT_EQ(sink.classes[1].name, "dog");
  EXPECT_EQ(sink.classes[1].source_json, R"({"id":7,"supercategory":"pet"})");
  ASSERT_EQ(sink.images.size(), 2U);
  EXPECT_EQ(sink.images[0].name, "a.jpg");
  EXPECT_EQ(sink.images[0].width, 640);
  EXPECT_EQ(sink.images[0].source_json, R"({"id":3,"license":1})");
  EXPECT_EQ(sink.images[1].width, std::nullopt);
  EXPECT_TRUE(sink.images[1].is_labelled);

  ASSERT_EQ(sink.labels.size(), 4U);
  const Label& box = sink.labels[0].label;
  EXPECT_EQ(sink.labels[0].image, 0);
  EXPECT_EQ(sink.labels[0].class_index, 1);
  EXPECT_EQ(box.kind, LabelKind::box);
  EXPECT_EQ(box.box_xywh_px, (Box{1.5, 2, 30, 40.25}));
  EXPECT_EQ(box.area_px, 600.5);
  EXPECT_EQ(box.confidence, std::nullopt);
  EXPECT_EQ(box.source_json, R"({"id":1,"note":{"by" : "x"}})");
  const Label& polygons = sink.labels[1].label;
  EXPECT_EQ(polygons.kind, LabelKind::mask);
  EXPECT_EQ(polygons.confidence, 0.25);
  EXPECT_EQ(polygons.attributes_json, R"({"wet":true})");
  EXPECT_THAT(std::get<0>(polygons.mask->shape), ElementsAre(Polygon{0, 0, 4, 0, 4, 4}, Polygon{1, 1, 2, 1, 2, 2.5}));
  const Label& runs = sink.labels[2].label;
  EXPECT_TRUE(runs.is_crowd);
  EXPECT_FALSE(runs.mask->is_compressed);
  EXPECT_EQ(std::get<Rle>(runs.mask->shape), (Rle{2, 3, {1, 2, 3}}));
  EXPECT_EQ(sink.labels[3].label.mask->shape, runs.mask->shape);
  EXPECT_TRUE(sink.labels[3].label.mask->is_compressed);
  // Column-major, two rows: pixels 1 and 2 are row 1 of column 0 and row 0 of column 1.
  EXPECT_EQ(sink.labels[3].label.box_xywh_px, (Box{0, 0, 2, 2}));
  for (const ImportedLabel& label : sink.labels) {
    EXPECT_EQ(fault_of(label.label), std::nullopt);
  }
  EXPECT_EQ(counts.labels, 4);
  EXPECT_EQ(counts.images, 2);
  EXPECT_EQ(counts.images_labelled, 2);
  EXPECT_EQ(counts.classes, 2);
}

TEST(CocoReader, TakesTheListsInAnyOrder) {
  const TemporaryFolder folder;
  const RecordingSink sink =
      read(folder,
           "\xEF\xBB\xBF\n"
           R"({"annotations":[{"id":1,"image_id":"x","category_id":1,"bbox":[0,0,1,1]}],)"
           R"("images":[{"file_name":"a.jpg","id":"x","labelled":false,"split":"val"}],"categories":[{"name":"c","id":1}]})");
  ASSERT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.images[0].source_id, "\"x\"");
  EXPECT_EQ(sink.images[0].split, "val");
  EXPECT_FALSE(sink.images[0].is_labelled);
}

TEST(CocoReader, ReadsResultsListsByTheIdsThatTheProjectKnows) {
  const TemporaryFolder folder;
  RecordingSink sink;
  sink.answers = {{"4", Resolution::unknown}, {"90", Resolution::unknown}};
  const ReadCounts counts = read_coco(folder.write("results.json", R"([
      {"image_id":3,"category_id":1,"bbox":[0,0,1,1],"score":0.5},
      {"image_id":4,"category_id":1,"bbox":[0,0,1,1],"score":0.5},
      {"image_id":3,"category_id":90,"bbox":[0,0,1,1],"score":0.5},
      {"image_id":3,"category_id":1,"bbox":[0,0,1,1]},
      {"image_id":3,"category_id":1,"segmentation":{"size":[2,3],"counts":"123"},"score":1}])"),
                                      {}, sink);
  EXPECT_EQ(counts.labels, 2);
  EXPECT_EQ(counts.labels_rejected, 3);
  EXPECT_EQ(counts.images_labelled, 1);
  ASSERT_EQ(sink.images.size(), 2U);
  EXPECT_EQ(sink.images[0].source_id, "3");
  EXPECT_EQ(sink.images[0].name, "");
  ASSERT_EQ(sink.rejections.size(), 3U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::unknown_image);
  EXPECT_EQ(sink.rejections[0].field, "[1].image_id");
  EXPECT_EQ(sink.rejections[1].reason, RejectionReason::unknown_class);
  EXPECT_EQ(sink.rejections[2].reason, RejectionReason::missing_field);
}

struct BadAnnotation {
  const char* name;
  const char* json;
  RejectionReason reason;
  const char* field;
};

class CocoReaderRejects : public testing::TestWithParam<BadAnnotation> {};

TEST_P(CocoReaderRejects, OneAnnotationAndGoesOn) {
  constexpr const char* kGood = R"({"id":100,"image_id":3,"category_id":7,"bbox":[0,0,1,1]})";
  const BadAnnotation& bad = GetParam();
  const TemporaryFolder folder;
  ReadCounts counts;
  const std::string content = fmt::format("{}\"annotations\":[{},{},{}]}}", kHead,
                                          R"({"id":99,"image_id":3,"category_id":7,"bbox":[0,0,1,1]})", bad.json, kGood);
  const RecordingSink sink = read(folder, content, &counts);
  EXPECT_EQ(sink.labels.size(), 2U);
  EXPECT_EQ(counts.labels, 2);
  EXPECT_EQ(counts.labels_rejected, 1);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(name_of(sink.rejections[0].reason), name_of(bad.reason)) << sink.rejections[0].message;
  EXPECT_EQ(sink.rejections[0].field, std::string("annotations[1]") + bad.field);
  EXPECT_EQ(sink.rejections[0].byte_offset, content.rfind(bad.json));
  EXPECT_EQ(sink.rejections[0].file, (folder.path() / "labels.json").native());
  EXPECT_NE(sink.rejections[0].message, "");
}

INSTANTIATE_TEST_SUITE_P(
    , CocoReaderRejects,
    testing::Values(
        BadAnnotation{"UnknownCategory", R"({"id":1,"image_id":3,"category_id":8,"bbox":[0,0,1,1]})",
                      RejectionReason::unknown_class, ".category_id"},
        BadAnnotation{"UnknownImage", R"({"id":1,"image_id":4,"category_id":7,"bbox":[0,0,1,1]})", RejectionReason::unknown_image,
                      ".image_id"},
        BadAnnotation{"DuplicateId", R"({"id":99,"image_id":3,"category_id":7,"bbox":[0,0,1,1]})", RejectionReason::duplicate_id,
                      ".id"},
        BadAnnotation{"NoImage", R"({"id":1,"category_id":7,"bbox":[0,0,1,1]})", RejectionReason::missing_field, ".image_id"},
        BadAnnotation{"NoCategory", R"({"id":1,"image_id":3,"bbox":[0,0,1,1]})", RejectionReason::missing_field, ".category_id"},
        BadAnnotation{"NoBox", R"({"id":1,"image_id":3,"category_id":7})", RejectionReason::missing_field, ".bbox"},
        BadAnnotation{"NanBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":[NaN,0,1,1]})", RejectionReason::not_finite,
                      ".bbox"},
        BadAnnotation{"InfiniteBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,-Infinity,1,1]})",
                      RejectionReason::not_finite, ".bbox"},
        BadAnnotation{"HugeBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,1e999,1,1]})", RejectionReason::out_of_range,
                      ".bbox"},
        BadAnnotation{"AttributeTwice", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"attributes":{"a":1,"a":1}})",
                      RejectionReason::malformed, ".attributes.a"},
        BadAnnotation{"InnerAttributeTwice",
                      R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"attributes":{"a":{"b":1,"b":1}}})",
                      RejectionReason::malformed, ".attributes.a.b"},
        BadAnnotation{"HugeAttribute", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"attributes":{"a":1e999}})",
                      RejectionReason::out_of_range, ".attributes"},
        BadAnnotation{"HugeUnknown", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"other":1e999})",
                      RejectionReason::out_of_range, ".other"},
        BadAnnotation{"NegativeBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,-1,1]})", RejectionReason::out_of_range,
                      ".bbox"},
        BadAnnotation{"FarBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":[1e308,0,1e308,1]})", RejectionReason::out_of_range,
                      ".bbox"},
        BadAnnotation{"VastBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1e200,1e200]})", RejectionReason::out_of_range,
                      ".bbox"},
        BadAnnotation{"FarOutline", R"({"id":1,"image_id":3,"category_id":7,"segmentation":[[-1e308,0,1e308,0,1e308,9]]})",
                      RejectionReason::out_of_range, ".segmentation"},
        BadAnnotation{"TextInBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":["0",0,1,1]})", RejectionReason::malformed,
                      ".bbox"},
        BadAnnotation{"ShortBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1]})", RejectionReason::malformed, ".bbox"},
        BadAnnotation{"LongBox", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1,1]})", RejectionReason::malformed,
                      ".bbox"},
        BadAnnotation{"BoxIsNoList", R"({"id":1,"image_id":3,"category_id":7,"bbox":5})", RejectionReason::malformed, ".bbox"},
        BadAnnotation{"OddPolygon", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1,2,2,3]]})",
                      RejectionReason::malformed, ".segmentation"},
        BadAnnotation{"ShortPolygon", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1]]})",
                      RejectionReason::malformed, ".segmentation"},
        BadAnnotation{"FlatPolygon", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[0,0,1,1,2,2]})",
                      RejectionReason::malformed, ".segmentation"},
        BadAnnotation{"NanPolygon", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1,2,NaN]]})",
                      RejectionReason::not_finite, ".segmentation"},
        BadAnnotation{"TextPolygon", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1,2,"2"]]})",
                      RejectionReason::malformed, ".segmentation"},
        BadAnnotation{"HugePolygon", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1,2,1e400]]})",
                      RejectionReason::out_of_range, ".segmentation"},
        BadAnnotation{"BrokenNumbers",
                      R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1,2,01.5]]})",
                      RejectionReason::malformed, ".segmentation"},
        BadAnnotation{"PointWithoutDigits",
                      R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1,2,1.]]})",
                      RejectionReason::malformed, ".segmentation"},
        BadAnnotation{"EmptyCoordinate", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1,2,]]})",
                      RejectionReason::malformed, ".segmentation"},
        BadAnnotation{"MissingComma", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1 1,2,1]]})",
                      RejectionReason::malformed, ".segmentation"},
        BadAnnotation{"RunsDoNotAddUp", R"({"id":1,"image_id":3,"category_id":7,"segmentation":{"size":[2,3],"counts":[1,2,4]}})",
                      RejectionReason::malformed, ".segmentation.counts"},
        BadAnnotation{"NegativeRun", R"({"id":1,"image_id":3,"category_id":7,"segmentation":{"size":[2,3],"counts":[-1,2,5]}})",
                      RejectionReason::out_of_range, ".segmentation.counts"},
        BadAnnotation{"BadRunString", R"({"id":1,"image_id":3,"category_id":7,"segmentation":{"size":[2,3],"counts":"\u0001z"}})",
                      RejectionReason::malformed, ".segmentation.counts"},
        BadAnnotation{"NoRunSize", R"({"id":1,"image_id":3,"category_id":7,"segmentation":{"counts":"123"}})",
                      RejectionReason::missing_field, ".segmentation"},
        BadAnnotation{"NegativeArea", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"area":-3})",
                      RejectionReason::out_of_range, ".area"},
        BadAnnotation{"NanScore", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"score":NaN})",
                      RejectionReason::not_finite, ".score"},
        BadAnnotation{"CrowdIsTwo", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"iscrowd":2})",
                      RejectionReason::out_of_range, ".iscrowd"},
        BadAnnotation{"HugeId", R"({"id":99999999999999999999,"image_id":3,"category_id":7,"bbox":[0,0,1,1]})",
                      RejectionReason::out_of_range, ".id"},
        BadAnnotation{"FractionalId", R"({"id":1,"image_id":3.5,"category_id":7,"bbox":[0,0,1,1]})", RejectionReason::malformed,
                      ".image_id"},
        BadAnnotation{"TwoBoxes", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"bbox":[0,0,2,2]})",
                      RejectionReason::malformed, ".bbox"},
        BadAnnotation{"NoObject", R"([1,2,3])", RejectionReason::malformed, ""},
        BadAnnotation{"NotUtf8", "{\"id\":1,\"image_id\":3,\"category_id\":7,\"bbox\":[0,0,1,1],\"note\":\"\xFF\"}",
                      RejectionReason::malformed, ""},
        BadAnnotation{"BrokenEscape", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"note":"\x"})",
                      RejectionReason::malformed, ".note"},
        BadAnnotation{"BrokenInside", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"note":{"a" 1}})",
                      RejectionReason::malformed, ".note"},
        BadAnnotation{"BrokenWord", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"note":nuII})",
                      RejectionReason::malformed, ".note"},
        BadAnnotation{"WrongBracket", R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1}])", RejectionReason::malformed, ""}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(CocoReader, RejectsDeepNestingInAFieldAndGoesOn) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const RecordingSink sink = read_annotations(fmt::format(
      R"({{"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"note":{}}},{{"id":2,"image_id":3,"category_id":7,"bbox":[0,0,1,1]}})",
      deep));
  EXPECT_EQ(sink.labels.size(), 1U);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::malformed);
}

TEST(CocoReader, SkipsAnElementThatIsTooLargeWithoutKeepingIt) {
  const std::string huge(std::size_t{70} << 20, 'x');
  const RecordingSink sink = read_annotations(fmt::format(
      R"({{"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"note":"{}"}},{{"id":2,"image_id":3,"category_id":7,"bbox":[0,0,1,1]}})",
      huge));
  EXPECT_EQ(sink.labels.size(), 1U);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::too_large);
}

TEST(CocoReader, ReportsAFieldAboutTheDatasetThatIsTooLargeOrBroken) {
  const TemporaryFolder folder;
  const RecordingSink sink =
      read(folder, fmt::format(R"({{"junk":"{}","bad":nope,"images":[],"good":[1, 2]}})", std::string(std::size_t{20} << 20, 'x')));
  ASSERT_EQ(sink.rejections.size(), 2U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::too_large);
  EXPECT_EQ(sink.rejections[0].field, "junk");
  EXPECT_EQ(sink.rejections[1].reason, RejectionReason::malformed);
  EXPECT_EQ(sink.dataset_json, R"({"good":[1, 2]})");
}

TEST(CocoReader, RejectsImagesAndCategories) {
  const TemporaryFolder folder;
  ReadCounts counts;
  const RecordingSink sink =
      read(folder,
           R"({"images":[{"id":1,"file_name":"a"},{"id":1,"file_name":"b"},{"id":2},{"file_name":"c"},)"
           R"({"id":3,"file_name":"d","width":-4,"height":2},{"id":4,"file_name":"e\u0000f"},{"id":5,"file_name":7}],)"
           R"("categories":[{"id":1,"name":"x"},{"id":1,"name":"y"},{"id":2},{"id":3,"name":"x"}]})",
           &counts);
  EXPECT_EQ(counts.images, 1);
  EXPECT_EQ(counts.images_rejected, 6);
  EXPECT_EQ(counts.classes, 2);
  EXPECT_EQ(counts.others_rejected, 3);
  std::vector<std::string> reasons;
  for (const Rejection& rejection : sink.rejections) {
    reasons.emplace_back(name_of(rejection.reason));
  }
  EXPECT_THAT(reasons, ElementsAre("duplicate_id", "missing_field", "duplicate_name", "duplicate_id", "missing_field",
                                   "missing_field", "out_of_range", "malformed", "malformed"));
}

// As `image_info_test2017.json` has it: images that are to be labelled.
TEST(CocoReader, ImagesOfAFileWithoutAListOfAnnotationsAreNotLabelled) {
  const TemporaryFolder folder;
  const std::string images = R"({"images":[{"id":1,"file_name":"a.jpg"}],"categories":[{"id":1,"name":"x"}])";
  EXPECT_FALSE(read(folder, images + "}").images.at(0).is_labelled);
  EXPECT_TRUE(read(folder, images + R"(,"annotations":[]})").images.at(0).is_labelled);
  EXPECT_TRUE(read(folder, R"({"annotations":[],)" + images.substr(1) + "}").images.at(0).is_labelled);
}

TEST(CocoReader, RejectsLabelsOfAmbiguousImages) {
  const TemporaryFolder folder;
  RecordingSink sink;
  sink.answers = {{"a.jpg", Resolution::ambiguous}, {"b.jpg", Resolution::missing}};
  read_coco(folder.write("labels.json", fmt::format("{}\"annotations\":[{},{}]}}", kHead,
                                                    R"({"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1]})",
                                                    R"({"id":2,"image_id":9,"category_id":7,"bbox":[0,0,1,1]})")),
            {}, sink);
  EXPECT_EQ(sink.labels.size(), 1U);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::ambiguous_image);
}

TEST(CocoReader, SaysOfWhichImageALabelWasRejected) {
  const RecordingSink sink = read_annotations(
      R"({"segmentation":[[1]],"image_id":9,"category_id":0,"bbox":[0,0,1,1]},{"image_id":3,"category_id":5,"bbox":[0,0,1,1]},)"
      R"({"image_id":4,"category_id":0,"bbox":[0,0,1,1]},{"category_id":0},7,{"image_id":9,"category_id":0,"bbox":[0,0,1,1],"x":)"
      "\"\xFF\"}");
  std::vector<std::pair<std::string, std::optional<std::int64_t>>> told;
  for (const Rejection& rejection : sink.rejections) {
    told.emplace_back(rejection.image, rejection.image_index);
  }
  EXPECT_THAT(told, ElementsAre(std::pair("b.jpg", 1), std::pair("a.jpg", 0), std::pair("", std::nullopt),
                                std::pair("", std::nullopt), std::pair("", std::nullopt), std::pair("", std::nullopt)))
      << "what is no UTF-8 is not looked into";

  const TemporaryFolder folder;
  const RecordingSink results = read(folder, R"([{"image_id":"x","category_id":1,"bbox":[0,0,1,1],"score":1},)"
                                             R"({"image_id":"x","category_id":1,"bbox":[0,0,1,1]}])");
  ASSERT_EQ(results.rejections.size(), 1U);
  EXPECT_EQ(results.rejections[0].image_index, 0) << "images of a results list have no names";
}

TEST(CocoReader, ReadsTheSplitThatIsAskedFor) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.write(
      "labels.json",
      R"({"categories":[{"id":1,"name":"cat"}],"images":[{"id":1,"file_name":"a.jpg","split":"train"},)"
      R"({"id":2,"file_name":"b.jpg","split":"val"},{"id":2,"file_name":"c.jpg","split":"train"}],"annotations":[)"
      R"({"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,1]},{"id":2,"image_id":2,"category_id":1,"bbox":[0,0,2,2]},)"
      R"({"id":3,"image_id":1,"category_id":9,"bbox":[0,0,1,1]},{"id":4,"image_id":2,"bbox":[0,0,1,1]}]})");
  RecordingSink sink;
  const ReadCounts counts = read_coco(file, {.split = "val", .progress = {}}, sink);
  EXPECT_EQ(counts.images, 1);
  EXPECT_EQ(sink.images.at(0).name, "b.jpg");
  ASSERT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.labels[0].image, 0);
  EXPECT_EQ(sink.labels[0].label.box_xywh_px.w, 2);
  EXPECT_EQ(counts.labels_rejected, 1) << "annotation 4; what is wrong with other splits is not looked at";
  EXPECT_EQ(counts.images_rejected, 1) << "an id stands twice, in whatever splits";
  try {
    read_coco(file, {.split = "test", .progress = {}}, sink);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    EXPECT_THAT(error.message(), HasSubstr("there is train, val"));
  }
  // A file that says nothing of splits may be that of one.
  const std::filesystem::path plain = folder.write("plain.json", fmt::format("{}\"annotations\":[]}}", kHead));
  EXPECT_EQ(read_coco(plain, {.split = "val", .progress = {}}, sink).images, 2);
}

TEST(CocoReader, SaysWhatIsWrongWithAFileAsAWhole) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "empty"},
      {" \n", "empty"},
      {"hello", "neither"},
      {"\xFF\xFE{", "UTF-16"},
      {R"({"categories":[]})", "`images`"},
      {R"({"images":[],"annotations":[]})", "`categories`"},
      {R"({"images":[],"images":[]})", "twice"},
      {R"({"images":{}})", "must be a list"},
      {R"({"images":[]} x)", "goes on"},
      {R"({"images":[],})", "after the comma"},
      {R"({"images":[] "annotations":[]})", "`,`"},
      {R"({"images" []})", "`:`"},
      {R"({images:[]})", "quotes"},
      {R"({"images":[{"id":1,"file_name":"a")", "truncated"},
      {R"({"images":[{"id":1,"file_name":"a"}])", "truncated"},
      {R"({"images":[{"id":1,"file_name":"a"},)", "truncated"},
      {R"({"images":[{"id":1,"file_name":"a"}{"id":2}]})", "`,`"},
      {R"([{"image_id":1},)", "truncated"},
  };
  for (const auto& [content, message] : cases) {
    const Error error = error_of(content);
    EXPECT_EQ(error.code(), ErrorCode::bad_data) << content;
    EXPECT_THAT(error.message(), HasSubstr(message)) << content;
    EXPECT_EQ(error.context().at(0).first, "file");
    EXPECT_EQ(error.context().at(1).first, "byte");
  }
}

TEST(CocoReader, EndsWellOrWithAnErrorForEveryTruncation) {
  const std::string whole = fmt::format(
      R"({}"annotations":[{{"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[0,0,1,1,2,"\u00e9"]]}}]}})",
      kHead);
  const TemporaryFolder folder;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(read(folder, whole.substr(0, size)), Error) << size;
  }
}

TEST(CocoReader, HandsOverBatchesAndFindsElementsAcrossReads) {
  // 12 MB: elements straddle the ends of what is read at once, and are surrounded by all sorts of white space.
  std::string annotations;
  const int count = 100'000;
  for (int i = 0; i < count; ++i) {
    annotations += fmt::format("{}\r\n\t{{\"id\":{},\"image_id\":{},\"category_id\":7,\"bbox\":[{},0,1,1],\"note\":\"{}\\\"]}}\"}}",
                               i == 0 ? "" : " ,", i, i % 2 == 0 ? 3 : 9, i, std::string(static_cast<std::size_t>(i % 80), 'y'));
  }
  const RecordingSink sink = read_annotations(annotations);
  ASSERT_EQ(sink.labels.size(), static_cast<std::size_t>(count));
  EXPECT_LE(sink.largest_batch, 8192U);
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(sink.labels[static_cast<std::size_t>(i)].label.box_xywh_px.x, i);
  }
}

TEST(CocoReader, ReadsEveryCoordinateAsTheNearestDouble) {
  std::mt19937_64 random(7);
  std::vector<std::string> written = {
      "0", "-0", "-0.0", "9007199254740993", "1e3", "1E-2", "123456789012345", "0.123456789012345", "1.7976931348623157e308"};
  while (written.size() < 20'000) {
    const int decimals = static_cast<int>(random() % 18);
    written.push_back(fmt::format("{:.{}f}", (static_cast<double>(random() % 2'000'001) - 1e6) / 777, decimals));
  }
  const RecordingSink sink = read_annotations(fmt::format(
      R"({{"id":1,"image_id":3,"category_id":7,"bbox":[0,0,1,1],"segmentation":[[ {} ]]}})", fmt::join(written, " , ")));
  ASSERT_EQ(sink.labels.size(), 1U);
  const Polygon& read = std::get<0>(sink.labels[0].label.mask->shape).at(0);
  ASSERT_EQ(read.size(), written.size());
  for (std::size_t i = 0; i < written.size(); ++i) {
    ASSERT_EQ(read[i], std::strtod(written[i].c_str(), nullptr)) << written[i];
  }
}

TEST(CocoReader, StopsWhenAskedTo) {
  const TemporaryFolder folder;
  CancelToken cancel;
  cancel.request();
  ReadOptions options;
  options.cancel = &cancel;
  RecordingSink sink;
  try {
    read_coco(folder.write("labels.json", R"({"images":[]})"), options, sink);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
}

TEST(SourceId, IsFoundInWhatAReaderKept) {
  EXPECT_EQ(source_id_of(R"({"id":17,"a":{"id":3}})"), "17");
  EXPECT_EQ(source_id_of(R"({"a":[1,{"id":3}],"id":"x y"})"), "\"x y\"");
  EXPECT_EQ(source_id_of(R"({"a":1})"), "");
  EXPECT_EQ(source_id_of(""), "");
  EXPECT_EQ(source_id_of("{\"id"), "");
}

}  // namespace
}  // namespace verilabel
