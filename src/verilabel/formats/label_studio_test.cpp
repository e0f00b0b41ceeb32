#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/label_studio.h"
#include "verilabel/formats/testing_comparison.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

RecordingSink read(const std::filesystem::path& path, ReadCounts* counts = nullptr) {
  return recorded(read_label_studio, path, counts, {}, sink_of_size({}));
}

/// A file of one task with this `result` in one annotation.
std::string task_with(std::string_view regions) {
  return fmt::format(R"([{{"id":1,"data":{{"image":"/data/upload/1/0123abcd-a.jpg"}},"annotations":[{{"result":[{}]}}]}}])",
                     regions);
}

/// A region of an image of 200 × 100 pixels.
std::string region(std::string_view type, std::string_view value, std::string_view more = R"("id":"r")") {
  return fmt::format(
      R"({{"type":"{}","from_name":"f","to_name":"image","original_width":200,"original_height":100,"value":{{{}}},{}}})", type,
      value, more);
}

Rle rle_of_rows(std::vector<std::uint8_t> rows, std::uint32_t height, std::uint32_t width) {
  std::vector<std::uint8_t> columns(rows.size());
  for (std::uint32_t y = 0; y < height; ++y) {
    for (std::uint32_t x = 0; x < width; ++x) {
      columns[std::size_t{x} * height + y] = rows[std::size_t{y} * width + x];
    }
  }
  return rle_from_bitmap(columns, height, width);
}

// The bytes are those of label-studio-converter 0.0.59, `mask2rle`.
TEST(LabelStudioBrush, WritesTheBytesOfTheConverter) {
  EXPECT_THAT(brush_from_rle(rle_of_rows({0, 1, 0, 1, 1, 0}, 2, 3)),
              ElementsAre(0, 0, 0, 24, 57, 27, 252, 96, 17, 255, 198, 1, 63, 252, 96, 0));
  EXPECT_THAT(brush_from_rle(rle_of_rows({1}, 1, 1)), ElementsAre(0, 0, 0, 4, 57, 27, 252, 127, 224));
  EXPECT_THAT(brush_from_rle(rle_of_rows(std::vector<std::uint8_t>(40'000, 1), 200, 200)),
              ElementsAre(0, 2, 113, 0, 57, 27, 255, 255, 255, 255, 255, 255, 255, 253, 195, 255, 252));
  // Runs for each width of the length field, up to one that is just not cut in two.
  std::vector<std::uint8_t> rows;
  for (const std::size_t run : {1, 1, 2, 3, 4, 5, 64, 65, 16384, 2, 4269}) {
    rows.insert(rows.end(), run, rows.empty() || rows.back() == 1 ? 0 : 1);
  }
  const Rle mask = rle_of_rows(rows, 160, 130);
  const std::vector<std::uint8_t> expected = {0,   1,   69,  0,  57, 27, 252, 96,  17,  255, 206, 1,   111, 254, 248, 6, 19,
                                              255, 223, 224, 28, 4,  15, 255, 255, 255, 128, 79,  255, 208, 172, 192, 0};
  EXPECT_EQ(brush_from_rle(mask), expected);
  EXPECT_EQ(rle_from_brush(expected, 160, 130), mask);
}

TEST(LabelStudioBrush, ReadsSingleValuesAndLooksAtAlphaOnly) {
  // 1 2 3 0 0 as single values, then three times 9, as the converter decodes it: two pixels, the second with an alpha of 9.
  const std::vector<std::uint8_t> packed = {0, 0, 0, 8, 57, 27, 248, 128, 32, 64, 96, 0, 17, 4, 128};
  EXPECT_EQ(bitmap_from_rle(rle_from_brush(packed, 1, 2)), (std::vector<std::uint8_t>{0, 1}));
}

TEST(LabelStudioBrush, RefusesWhatBreaksOffOrDoesNotFit) {
  const std::vector<std::uint8_t> packed = brush_from_rle(rle_of_rows({0, 1, 0, 1, 1, 0}, 2, 3));
  EXPECT_THROW(rle_from_brush(packed, 3, 3), Error);
  for (std::size_t size = 0; size + 2 < packed.size(); ++size) {
    EXPECT_THROW(rle_from_brush(std::span(packed).first(size), 2, 3), Error) << size;
  }
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint8_t> broken = packed;
    broken[6 + random() % (broken.size() - 6)] = static_cast<std::uint8_t>(random());
    try {
      EXPECT_EQ(bitmap_from_rle(rle_from_brush(broken, 2, 3)).size(), 6U);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
    }
  }
}

TEST(LabelStudioBrush, GivesBackRandomMasks) {
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    const std::uint32_t height = 1 + random() % 40;
    const std::uint32_t width = 1 + random() % 40;
    std::vector<std::uint8_t> bitmap(std::size_t{height} * width);
    for (std::uint8_t& pixel : bitmap) {
      pixel = random() % 8 == 0 ? 1 : 0;
    }
    const Rle rle = rle_from_bitmap(bitmap, height, width);
    EXPECT_EQ(rle_from_brush(brush_from_rle(rle), height, width), rle);
  }
}

TEST(LabelStudio, NamesImagesByTheirUrl) {
  const std::pair<const char*, const char*> cases[] = {
      {"/data/upload/3/0123abcd-cat%20one.jpg", "0123abcd-cat one.jpg"},
      {"/data/upload/3/cat.jpg", "cat.jpg"},
      {"https://host/data/upload/3/0123abcd-x.jpg", "0123abcd-x.jpg"},
      {"/data/local-files/?d=set/a.jpg", "set/a.jpg"},
      {"/data/local-files/?d=home/u/a%2Bb.jpg&x=1", "home/u/a+b.jpg"},
      {"s3://bucket/a/b.jpg", "a/b.jpg"},
      {"gs://bucket/b.jpg", "b.jpg"},
      {"https://host/a/b.jpg?sig=1#top", "a/b.jpg"},
      {"file:///home/u/b.jpg", "home/u/b.jpg"},
      {"b.jpg", "b.jpg"},
      {"https://host", ""},
      {"/data/local-files/", ""},
      {"", ""},
      {"100%.jpg", "100%.jpg"},
      {"a%zz.jpg", "a%zz.jpg"},
  };
  for (const auto& [url, name] : cases) {
    EXPECT_EQ(image_name_of_url(url), name) << url;
  }
  EXPECT_EQ(name_before_upload("0123abcd-cat one.jpg"), "cat one.jpg");
  EXPECT_EQ(name_before_upload("cat-one.jpg"), "");
  EXPECT_EQ(name_before_upload("0123abcd-"), "");
}

TEST(LabelStudio, ReadsRectanglesPolygonsBrushesAndChoices) {
  const TemporaryFolder folder;
  const auto file = folder.write(
      "e.json",
      task_with(region("rectanglelabels", R"("x":10,"y":20,"width":50,"height":25,"rotation":0,"rectanglelabels":["cat"])",
                       R"("id":"a","score":0.5,"readonly":true)") +
                "," + region("choices", R"("choices":["yes"])", R"("id":"a")") + "," +
                region("polygonlabels", R"("points":[[0,0],[50,0],[50,100]],"closed":true,"polygonlabels":["dog"],"extra":1)",
                       R"("id":"b")") +
                "," +
                R"({"type":"brushlabels","id":"c","from_name":"f","to_name":"image","original_width":3,"original_height":2,)"
                R"("value":{"format":"rle","rle":[0,0,0,24,57,27,252,96,17,255,198,1,63,252,96,0],"brushlabels":["cat"]}},)"
                R"({"type":"choices","id":"d","from_name":"kind","to_name":"image","value":{"choices":["indoor","night"]}},)" +
                region("rectangle", R"("x":0,"y":0,"width":50,"height":50)", R"("id":"e")") + "," +
                region("labels", R"("x":0,"y":0,"width":50,"height":50,"labels":["bird"])", R"("id":"e")")));
  ReadCounts counts;
  const RecordingSink sink = read(file, &counts);
  EXPECT_THAT(sink.rejections, IsEmpty());
  ASSERT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.images[0].name, "0123abcd-a.jpg");
  EXPECT_EQ(sink.images[0].name_in_layout, "a.jpg");
  EXPECT_TRUE(sink.images[0].is_only);
  EXPECT_EQ(sink.images[0].source_id, "1");
  EXPECT_EQ(sink.images[0].width, 200);
  ASSERT_EQ(sink.labels.size(), 6U);
  EXPECT_EQ(counts.images_labelled, 1);
  const auto name = [&](std::size_t i) { return sink.classes[static_cast<std::size_t>(sink.labels[i].class_index)].name; };
  EXPECT_EQ(sink.labels[0].label.box_xywh_px, (Box{20, 20, 100, 25}));
  EXPECT_EQ(sink.labels[0].label.confidence, std::nullopt);  // of an annotation: a person has looked
  EXPECT_EQ(sink.labels[0].label.attributes_json, R"({"f":"yes"})");
  EXPECT_EQ(sink.labels[0].label.source_json, R"({"from_name":"f","to_name":"image","id":"a","score":0.5,"readonly":true})");
  EXPECT_EQ(std::get<std::vector<Polygon>>(sink.labels[1].label.mask->shape), (std::vector<Polygon>{{0, 0, 100, 0, 100, 100}}));
  EXPECT_THAT(sink.labels[1].label.source_json, HasSubstr(R"("value":{"extra":1})"));
  EXPECT_EQ(area(std::get<Rle>(sink.labels[2].label.mask->shape)), 3U);
  EXPECT_EQ(sink.labels[3].label.kind, LabelKind::classification);
  EXPECT_EQ(name(3), "indoor");
  EXPECT_EQ(name(4), "night");
  EXPECT_EQ(name(5), "bird");
}

TEST(LabelStudio, TakesTheNewestAnnotationThatWasNotCancelledElsePredictions) {
  const std::string box = region("rectanglelabels", R"("x":0,"y":0,"width":50,"height":50,"rectanglelabels":["%"])");
  const auto named = [&](const char* name) {
    std::string text = box;
    return text.replace(text.find('%'), 1, name);
  };
  const TemporaryFolder folder;
  const auto file = folder.write(
      "e.json",
      fmt::format(
          R"([{{"id":1,"data":{{"image":"1.jpg"}},"annotations":[{{"id":5,"updated_at":"2026-02-01T00:00:00Z","result":[{0}]}},)"
          R"({{"id":6,"updated_at":"2026-01-01T00:00:00Z","result":[{1}]}},)"
          R"({{"id":7,"updated_at":"2026-03-01T00:00:00Z","was_cancelled":true,"result":[{1}]}}],"predictions":[{{"result":[{1}]}}]}},)"
          R"({{"id":2,"data":{{"image":"2.jpg"}},"annotations":[],"predictions":[{{"score":0.75,"model_version":"m","result":[{0},{2}]}}]}},)"
          R"({{"id":3,"data":{{"image":"3.jpg"}},"annotations":[{{"was_cancelled":true,"result":[{1}]}}],"predictions":[{{"result":[{1}]}}]}},)"
          R"({{"id":4,"data":{{"image":"4.jpg"}},"annotations":[{{"result":[]}}]}},)"
          R"({{"id":5,"data":{{"picture":"5.jpg","n":4}}}}])",
          named("new"), named("old"),
          region("rectanglelabels", R"("x":0,"y":0,"width":1,"height":1,"rectanglelabels":["new"])", R"("id":"q","score":0.25)")));
  ReadCounts counts;
  const RecordingSink sink = read(file, &counts);
  ASSERT_EQ(sink.images.size(), 5U);
  EXPECT_EQ(counts.images_labelled, 3);
  EXPECT_TRUE(sink.images[1].is_labelled);
  EXPECT_FALSE(sink.images[2].is_labelled);
  EXPECT_TRUE(sink.images[3].is_labelled);
  EXPECT_FALSE(sink.images[4].is_labelled);
  EXPECT_EQ(sink.images[4].name, "5.jpg");
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].kind, RejectedKind::field);
  EXPECT_EQ(sink.rejections[0].field, "[0].annotations[1]");
  ASSERT_EQ(sink.labels.size(), 3U);
  ASSERT_EQ(sink.classes.size(), 1U);
  EXPECT_EQ(sink.labels[0].label.confidence, std::nullopt);
  EXPECT_EQ(sink.labels[1].label.confidence, 0.75);
  EXPECT_EQ(sink.labels[2].label.confidence, 0.25);
  EXPECT_THAT(sink.images[0].source_json, HasSubstr(R"("annotation":{"id":5,"updated_at":"2026-02-01T00:00:00Z"})"));
  EXPECT_THAT(sink.images[1].source_json, HasSubstr(R"("prediction":{"model_version":"m"})"));
}

TEST(LabelStudio, RejectsWhatItCannotTakeByByteAndField) {
  struct Case {
    std::string region;
    RejectionReason reason;
    const char* field;
  };
  const auto rect = [](std::string_view value) { return region("rectanglelabels", value); };
  const Case cases[] = {
      {region("ellipselabels", R"("x":1,"y":1,"radiusX":1,"radiusY":1,"ellipselabels":["a"])"), RejectionReason::unsupported, ""},
      {region("keypointlabels", R"("x":1,"y":1,"keypointlabels":["a"])"), RejectionReason::unsupported, ""},
      {R"({"type":"relation","from_id":"a","to_id":"b"})", RejectionReason::unsupported, ""},
      {rect(R"("x":1,"y":1,"width":1,"height":1,"rotation":45,"rectanglelabels":["a"])"), RejectionReason::unsupported,
       ".value.rotation"},
      {rect(R"("x":1,"y":1,"width":1,"height":1,"x":2,"rectanglelabels":["a"])"), RejectionReason::malformed, ".value.x"},
      {region("polygonlabels", R"("points":[[1,1],[2,2],[3,1]],"points":[[1,1],[2,2],[3,3]],"polygonlabels":["a"])"),
       RejectionReason::malformed, ".value.points"},
      {rect(R"("x":1,"y":1,"width":1,"height":1)"), RejectionReason::missing_field, ""},
      {rect(R"("x":1,"y":1,"width":1,"height":1,"rectanglelabels":[])"), RejectionReason::missing_field, ""},
      {rect(R"("x":1,"y":1,"width":1,"height":1,"rectanglelabels":"a")"), RejectionReason::malformed, ".value.rectanglelabels"},
      {rect(R"("x":1,"y":1,"width":-1,"height":1,"rectanglelabels":["a"])"), RejectionReason::out_of_range, ".value"},
      {rect(R"("x":1,"y":NaN,"width":1,"height":1,"rectanglelabels":["a"])"), RejectionReason::not_finite, ".value.y"},
      {rect(R"("x":1e308,"y":1,"width":1,"height":1,"rectanglelabels":["a"])"), RejectionReason::out_of_range, ""},
      {rect(R"("y":1,"width":1,"height":1,"rectanglelabels":["a"])"), RejectionReason::missing_field, ".value.x"},
      {region("polygonlabels", R"("points":[[1,1],[2,2]],"polygonlabels":["a"])"), RejectionReason::malformed, ".value.points"},
      {region("polygonlabels", R"("points":[[1,1],[2,2],[3,1]],"closed":false,"polygonlabels":["a"])"),
       RejectionReason::unsupported, ".value.closed"},
      {region("brushlabels", R"("format":"rle","rle":[0,0],"brushlabels":["a"])"), RejectionReason::malformed, ".value.rle"},
      {region("brushlabels", R"("format":"rle","rle":[0,-1],"brushlabels":["a"])"), RejectionReason::malformed, ".value.rle"},
      {R"({"type":"brushlabels","value":{"rle":[0],"brushlabels":["a"]}})", RejectionReason::image_size_unknown, ".value.rle"},
      {R"({"type":"rectanglelabels","original_width":0,"original_height":1,"value":{"x":1,"y":1,"width":1,"height":1,"rectanglelabels":["a"]}})",
       RejectionReason::out_of_range, ".original_width"},
      {R"({"type":"rectanglelabels","value":{"x":1,"y":1,"width":1,"height":1,"rectanglelabels":["a"]}})",
       RejectionReason::image_size_unknown, ""},
      {R"({"value":{}})", RejectionReason::missing_field, ".type"},
      {R"({"type":"rectanglelabels"})", RejectionReason::missing_field, ".value"},
      {"[]", RejectionReason::malformed, ""},
      {"{\"type\":\"\xFF\"}", RejectionReason::malformed, ".type"},
  };
  for (const Case& item : cases) {
    const TemporaryFolder folder;
    ReadCounts counts;
    const RecordingSink sink = read(folder.write("e.json", task_with(item.region)), &counts);
    EXPECT_EQ(counts.images, 1) << item.region;
    EXPECT_EQ(counts.labels, 0) << item.region;
    EXPECT_EQ(counts.labels_rejected, 1) << item.region;
    ASSERT_EQ(sink.rejections.size(), 1U) << item.region;
    EXPECT_EQ(sink.rejections[0].reason, item.reason) << item.region << sink.rejections[0].message;
    EXPECT_EQ(sink.rejections[0].field, std::string("[0].annotations[0].result[0]") + item.field) << item.region;
    EXPECT_EQ(sink.rejections[0].byte_offset, 1U);
  }
}

TEST(LabelStudio, RejectsTasksOneByOneAndRefusesOtherFiles) {
  const TemporaryFolder folder;
  ReadCounts counts;
  const RecordingSink sink =
      read(folder.write("e.json", R"([{"id":1},{"id":1,"data":{"image":"a.jpg"}},{"id":1,"data":{"image":"b.jpg"}},)"
                                  R"({"id":2,"data":{"image":7,"n":1}},{"data":[]},7,{"id":3,"data":{"image":""}},)"
                                  R"({"id":4,"data":{"image":"d.jpg"},"annotations":3}])"),
           &counts);
  EXPECT_EQ(counts.images, 1);
  EXPECT_EQ(counts.images_rejected, 7);
  EXPECT_EQ(sink.rejections[0].field, "[0].data");
  EXPECT_EQ(sink.rejections.size(), 7U);
  for (const char* const bad : {"", "{}", "3", "[", "[{\"id\":1}", "[{}]]", "[{}] x", "\xFF\xFE["}) {
    EXPECT_THROW(read(folder.write("bad.json", bad)), Error) << bad;
  }
  for (const char* const other : {R"([{"image":"a.jpg","label":[{"x":1}],"annotator":1,"annotation_id":2}])",
                                  R"([{"data":{"image":"a.jpg"},"completions":[]}])"}) {
    try {
      read(folder.write("other.json", other));
      ADD_FAILURE() << other;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported);
      EXPECT_THAT(error.message(), testing::AnyOf(HasSubstr("export from Label Studio as JSON"), HasSubstr("export as JSON")));
    }
  }
  EXPECT_THROW(read(folder.path() / "none.json"), Error);
}

TEST(LabelStudio, GivesBackItsOwnFilesFieldByField) {
  const TemporaryFolder folder;
  const auto file = folder.write(
      "e.json",
      R"([{"id":17,"data":{"image":"s3://b/a.jpg","text":"t"},"meta":{"m":1},"file_upload":null,"annotations":[{"id":3,"completed_by":2,"result":[)" +
          region("rectanglelabels", R"("x":10,"y":20,"width":50,"height":25,"rotation":0,"rectanglelabels":["cat"])",
                 R"("id":"a","origin":"manual","meta":{"text":["n"]},"image_rotation":0)") +
          R"(,{"type":"choices","id":"d","from_name":"kind","to_name":"image","value":{"choices":["indoor","night"]}}]}]}])");
  const RecordingSink first = read(file);
  MemorySource source(first);
  EXPECT_THAT(losses_of_label_studio(source, {}), IsEmpty());
  write_label_studio(folder.path() / "again.json", source, {});
  const RecordingSink second = read(folder.path() / "again.json");
  EXPECT_THAT(second.rejections, IsEmpty());
  ASSERT_EQ(second.images.size(), 1U);
  EXPECT_EQ(second.images[0].name, first.images[0].name);
  EXPECT_EQ(second.images[0].source_json.size(), first.images[0].source_json.size());
  for (const char* const part : {R"("id":17)", R"("file_upload":null)", R"("meta":{"m":1})",
                                 R"("annotation":{"id":3,"completed_by":2})", R"("data":{"image":"s3://b/a.jpg","text":"t"})"}) {
    EXPECT_THAT(second.images[0].source_json, HasSubstr(part));
  }
  ASSERT_EQ(second.labels.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(second.labels[i].label.box_xywh_px, first.labels[i].label.box_xywh_px);
    EXPECT_EQ(second.labels[i].class_index, first.labels[i].class_index);
    EXPECT_EQ(second.labels[i].label.source_json.size(), first.labels[i].label.source_json.size());
  }
  const std::string text = read_file(folder.path() / "again.json");
  EXPECT_THAT(text, HasSubstr(R"("choices":["indoor","night"])"));
  const std::string interface = read_file(folder.path() / "again.config.xml");
  EXPECT_THAT(interface, HasSubstr(R"(<Image name="image" value="$image"/>)"));
  EXPECT_THAT(interface, HasSubstr(R"(<RectangleLabels name="f" toName="image">)"));
  EXPECT_THAT(interface, HasSubstr(R"(<Choices name="kind" toName="image" choice="multiple">)"));
  EXPECT_THAT(interface, HasSubstr(R"(<Label value="cat"/>)"));
}

TEST(LabelStudio, GivesBackRandomDatasets) {
  std::mt19937 random(13);
  const auto real = [&](double limit) { return limit * static_cast<double>(random()) / 4294967296.0; };
  for (int round = 0; round < 20; ++round) {
    MemorySource source;
    source.class_list = {{"cat", ""}, {"a \"b\" <\xC3\xA9>", ""}};
    for (int i = 0; i < 5; ++i) {
      MemorySource::Sample sample;
      sample.image.name = fmt::format("d {}/{}.jpg", i % 2, i);
      sample.image.path = "/nowhere else/" + sample.image.name;
      sample.image.width = 641;
      sample.image.height = 37;
      sample.image.state = i == 0 ? SampleState::not_labelled : i == 1 ? SampleState::labelled_empty : SampleState::labelled;
      sample.image.split = i % 3 == 0 ? "val" : "";
      sample.image.tags = i % 2 == 0 ? std::vector<std::string>{"t"} : std::vector<std::string>{};
      sample.image.fields_json = i % 2 == 0 ? R"({"lux":1.5})" : "";
      for (int j = 0; i > 1 && j < 8; ++j) {
        ExportLabel exported;
        exported.class_index = j % 2;
        Label& label = exported.label;
        if (j % 4 == 0) {
          label.box_xywh_px = {real(700) - 50, real(40), real(641), real(37)};
        } else if (j % 4 == 3) {
          label.kind = LabelKind::classification;
        } else {
          label.kind = LabelKind::mask;
          std::vector<Polygon> parts = {{real(641), real(37), real(641), real(37), real(641), real(37)}};
          label.mask = j % 4 == 1 ? Mask{parts} : Mask{rle_from_polygons(parts, 37, 641)};
          label.box_xywh_px = mask_box(*label.mask);
        }
        label.confidence = i % 2 == 0 ? std::optional(real(1)) : std::nullopt;
        label.attributes_json = j % 3 == 0 ? R"({"occluded":true})" : "";
        exported.tags = j % 5 == 0 ? std::vector<std::string>{"hard"} : std::vector<std::string>{};
        sample.labels.push_back(exported);
      }
      source.samples.push_back(sample);
    }
    WriteOptions options;
    options.with_unlabelled = true;
    EXPECT_THAT(losses_of_label_studio(source, options), IsEmpty());
    const TemporaryFolder folder;
    EXPECT_THAT(write_label_studio(folder.path() / "e.json", source, options).losses, IsEmpty());
    const RecordingSink sink = read(folder.path() / "e.json");
    EXPECT_THAT(sink.rejections, IsEmpty());
    MemorySource again(sink);
    ASSERT_EQ(again.samples.size(), source.samples.size());
    for (std::size_t i = 0; i < source.samples.size(); ++i) {
      const MemorySource::Sample& before = source.samples[i];
      const MemorySource::Sample& after = again.samples[i];
      expect_same_image(before.image, after.image);
      ASSERT_EQ(after.labels.size(), before.labels.size());
      for (std::size_t j = 0; j < before.labels.size(); ++j) {
        const Label& a = before.labels[j].label;
        const Label& b = after.labels[j].label;
        expect_same_label(source, before.labels[j], again, after.labels[j]);
        // Percent and back: two roundings of numbers below 1000.
        expect_near(a.box_xywh_px, b.box_xywh_px, 1e-12);
        if (a.mask && std::holds_alternative<Rle>(a.mask->shape)) {
          EXPECT_EQ(b.mask, a.mask);
        } else if (a.mask) {
          EXPECT_THAT(std::get<std::vector<Polygon>>(b.mask->shape).at(0),
                      testing::Pointwise(testing::DoubleNear(1e-12), std::get<std::vector<Polygon>>(a.mask->shape).at(0)));
        }
      }
    }
  }
}

TEST(LabelStudio, CountsItsLossesBeforeItWrites) {
  MemorySource source;
  source.dataset = R"({"info":{}})";
  source.class_list = {{"cat", R"({"id":1})"}};
  Label box;
  box.box_xywh_px = {1, 1, 2, 2};
  box.area_px = 5;
  box.source_json = R"({"id":5})";
  Label crowd = box;
  crowd.is_crowd = true;
  Label parts;
  parts.kind = LabelKind::mask;
  parts.mask = Mask{std::vector<Polygon>{{1, 1, 4, 1, 4, 4}, {5, 5, 8, 5, 8, 8}}};
  parts.box_xywh_px = {0, 0, 9, 9};
  Label none;
  none.kind = LabelKind::mask;
  none.mask = Mask{Rle{0, 0, {}}};
  MemorySource::Sample sample;
  sample.image.name = "\xFF.jpg";
  sample.image.path = "/n/\xFF.jpg";
  sample.image.width = sample.image.height = 10;
  sample.image.source_json = R"({"id":"x"})";
  sample.labels = {{0, box, {}}, {0, crowd, {}}, {0, parts, {}}, {0, none, {}}};
  MemorySource::Sample sizeless;
  sizeless.image.name = "b.jpg";
  sizeless.image.source_json = R"({"annotation":{"id":1}})";
  sizeless.labels = {{0, box, {}}};
  sizeless.labels[0].label.confidence = 0.5;
  source.samples = {sample, sizeless};
  const TemporaryFolder folder;
  const std::vector<Loss> losses = losses_of_label_studio(source, {});
  const WriteReport report = write_label_studio(folder.path() / "e.json", source, {});
  EXPECT_EQ(report.labels, 2);
  EXPECT_EQ(report.labels_left_out, 3);
  ASSERT_EQ(losses.size(), report.losses.size());
  std::vector<std::string> told;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(losses[i].what, report.losses[i].what);
    EXPECT_EQ(losses[i].count, report.losses[i].count);
    told.push_back(fmt::format("{} {}", losses[i].count, losses[i].what.substr(0, 24)));
  }
  EXPECT_THAT(told, ElementsAre("1 fields about the dataset", "1 classes lose the id and ", "1 images lose their id, be",
                                "1 image names and paths th", "1 labels lose the area tha", "1 labels get a new id, bec",
                                "1 crowd labels, which the ", "1 outlines of several part", "1 masks lose the box that ",
                                "1 labels whose mask is of ", "1 images lose what was sai", "1 labels of images whose s"));
  const RecordingSink sink = read(folder.path() / "e.json");
  ASSERT_EQ(sink.labels.size(), 2U);
  // The pixels of both parts.
  EXPECT_EQ(std::get<Rle>(sink.labels[1].label.mask->shape), rasterised(*parts.mask, 10, 10));
}

TEST(LabelStudio, CountsClassesThatNoWrittenLabelHas) {
  MemorySource source;
  source.class_list = {{"cat", ""}, {"dog", ""}, {"bird", ""}};
  MemorySource::Sample sample;
  sample.image.name = "a.jpg";
  sample.image.path = "/n/a.jpg";
  sample.image.width = sample.image.height = 10;
  Label box;
  box.box_xywh_px = {1, 1, 2, 2};
  Label crowd = box;
  crowd.is_crowd = true;
  sample.labels = {{1, box, {}}, {2, crowd, {}}};
  source.samples = {sample};
  const TemporaryFolder folder;
  const std::vector<Loss> losses = losses_of_label_studio(source, {});
  const WriteReport report = write_label_studio(folder.path() / "e.json", source, {});
  for (const std::vector<Loss>& told : {losses, report.losses}) {
    ASSERT_EQ(told.size(), 2U);
    EXPECT_THAT(told[1].what, HasSubstr("classes without a label are lost"));
    EXPECT_EQ(told[1].count, 2);
  }
}

TEST(LabelStudio, LeavesOutWhatIsBeyondAllNumbersAsPercent) {
  MemorySource source;
  source.class_list = {{"cat", ""}};
  MemorySource::Sample sample;
  sample.image.name = "a.jpg";
  sample.image.path = "/n/a.jpg";
  sample.image.width = 1000;
  sample.image.height = 10;
  const auto box = [](Box box_xywh_px) {
    Label label;
    label.box_xywh_px = box_xywh_px;
    return ExportLabel{0, label, {}};
  };
  Label outline;
  outline.kind = LabelKind::mask;
  outline.mask = Mask{std::vector<Polygon>{{0, 0, 1e308, 0, 0, 1}}};
  outline.box_xywh_px = mask_box(*outline.mask);
  Label far_down = outline;
  far_down.mask = Mask{std::vector<Polygon>{{0, 0, 1, 0, 0, 1e308}}};
  far_down.box_xywh_px = mask_box(*far_down.mask);
  // 1e308 px are 1e307 % of a side of 1000 px, and 1e309 % of one of 10 px. 0.1 + 0.2 shows the order of operations.
  sample.labels = {
      box({1e308, 0, 1, 1}), box({0, -1e308, 1, 1}), {0, outline, {}}, {0, far_down, {}}, box({1.1, 0.1 + 0.2, 7, 0.7})};
  source.samples = {sample};
  const TemporaryFolder folder;
  const std::vector<Loss> losses = losses_of_label_studio(source, {});
  const WriteReport report = write_label_studio(folder.path() / "e.json", source, {});
  for (const std::vector<Loss>& told : {losses, report.losses}) {
    ASSERT_EQ(told.size(), 1U);
    EXPECT_THAT(told[0].what, HasSubstr("beyond all numbers"));
    EXPECT_EQ(told[0].count, 2);
  }
  EXPECT_EQ(report.labels_left_out, 2);
  const RecordingSink sink = read(folder.path() / "e.json");
  EXPECT_THAT(sink.rejections, IsEmpty());
  ASSERT_EQ(sink.labels.size(), 3U);
  EXPECT_NEAR(sink.labels[0].label.box_xywh_px.x / 1e308, 1, 1e-12);
  EXPECT_NEAR(sink.labels[1].label.box_xywh_px.w / 1e308, 1, 1e-12);
  EXPECT_THAT(read_file(folder.path() / "e.json"),
              HasSubstr(fmt::format(R"("x":{},"y":{},"width":{},"height":{})", 100 * 1.1 / 1000, 100 * (0.1 + 0.2) / 10,
                                    100.0 * 7 / 1000, 100 * 0.7 / 10)));
}

TEST(LabelStudio, RefusesFoldersAndCopiesAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  MemorySource source;
  WriteOptions options;
  options.images = ImageTransfer::copy;
  EXPECT_THROW(write_label_studio(folder.path() / "e.json", source, options), Error);
  EXPECT_THROW(write_label_studio(folder.path(), source, {}), Error);
  const auto file = folder.write("e.json", "old");
  CancelToken cancel;
  cancel.request();
  options = {};
  options.cancel = &cancel;
  EXPECT_THROW(write_label_studio(file, source, options), Error);
  EXPECT_EQ(read_file(file), "old");
}

TEST(LabelStudio, ReplacesNoFileThatIsNoInterfaceAndWritesBothOrNone) {
  const TemporaryFolder folder;
  MemorySource source;
  const auto file = folder.write("e.json", "old");
  const auto other = folder.write("e.config.xml", "<project>mine</project>");
  try {
    write_label_studio(file, source, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::conflict);
    EXPECT_THAT(error.what(), HasSubstr("e.config.xml"));
  }
  EXPECT_EQ(read_file(other), "<project>mine</project>");
  EXPECT_EQ(read_file(file), "old");
  std::filesystem::remove(other);
  std::filesystem::create_directory(other);
  EXPECT_THROW(write_label_studio(file, source, {}), Error);
  EXPECT_EQ(read_file(file), "old");
  std::filesystem::remove(other);
  for (int i = 0; i < 2; ++i) {  // what is there the second time is ours
    write_label_studio(file, source, {});
    EXPECT_THAT(read_file(other), testing::StartsWith("<View>"));
  }
}

}  // namespace
}  // namespace verilabel
