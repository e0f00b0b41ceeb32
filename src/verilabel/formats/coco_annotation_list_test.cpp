#include "verilabel/formats/coco_annotation_list.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/plain_decimal.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(PlainDecimal, IsTheNearestDoubleInEveryForm) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200'000; ++round) {
    const double magnitude = std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 40) - 70);
    const double number = (random() % 2 == 0 ? -1 : 1) * magnitude;
    for (const std::string& text : {fmt::format("{:f}", number), fmt::format("{:.20f}", number), fmt::format("{:.2f}", number),
                                    fmt::format("{:.0f}", number)}) {
      double read = -7;
      const char* const end = read_plain_decimal(text.c_str(), read);
      ASSERT_EQ(end, text.c_str() + text.size()) << text;
      ASSERT_EQ(read, std::strtod(text.c_str(), nullptr)) << text;
      ASSERT_EQ(std::signbit(read), text.front() == '-') << text;
    }
  }
}

TEST(PlainDecimal, LeavesEverythingElseToAParser) {
  double number = 0;
  for (const char* text : {"", "-", ".5", "5.", "05", "-05", "1e5", "1.5E3", "NaN", "+1", "x"}) {
    EXPECT_EQ(read_plain_decimal(text, number), nullptr) << text;
  }
  std::int64_t whole = 0;
  for (const char* text : {"", "-", "1.0", "1e5", "01", "1234567890123456789", "9999999999999999999", "x"}) {
    EXPECT_EQ(read_plain_integer(text, whole), nullptr) << text;
  }
  EXPECT_NE(read_plain_integer("-123456789012345678,", whole), nullptr);
  EXPECT_EQ(whole, -123456789012345678);
  EXPECT_NE(read_plain_integer("0]", whole), nullptr);
  EXPECT_EQ(whole, 0);
}

/// A list of detections in every form that JSON allows, and what stands in it.
struct RandomList {
  CocoDetections expected;
  std::string json;

  RandomList(std::mt19937_64& random, int count, bool is_truth) {
    const auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
    const auto space = [&] { return std::string(chance(80) ? "" : chance(50) ? " " : "\n\t "); };
    json = space() + "[" + space();
    for (int i = 0; i < count; ++i) {
      const auto number = [&](double limit) { return limit * static_cast<double>(random() % 1'000'000) / 1e6; };
      const auto text_of = [&](double value) { return fmt::format(fmt::runtime(chance(70) ? "{}" : "{:.17e}"), value); };
      const Box box{number(600) - 20, number(400), chance(5) ? 0 : number(99), number(1)};
      expected.image_id.push_back(static_cast<std::int64_t>(random() % 100) - 5);
      expected.category_id.push_back(static_cast<std::int64_t>(random() % 9));
      expected.box_xywh_px.push_back(box);
      std::vector<std::string> fields = {
          fmt::format("\"image_id\":{}{}", space(), expected.image_id.back()),
          fmt::format("\"category_id\":{}{}", expected.category_id.back(), chance(5) ? ".0" : ""),
          fmt::format("\"bbox\":{0}[{0}{1},{0}{2},{3},{4}{0}]", space(), text_of(box.x), text_of(box.y), text_of(box.w),
                      text_of(box.h)),
      };
      if (is_truth) {
        expected.is_crowd.push_back(chance(10) ? 1 : 0);
        fields.push_back(fmt::format("\"id\":{}", i + 1));
        fields.push_back(fmt::format("\"iscrowd\" : {}", expected.is_crowd.back()));
      } else {
        expected.score.push_back(number(1));
        fields.push_back(fmt::format("\"{}\":{}", chance(95) ? "score" : "confidence", text_of(expected.score.back())));
      }
      const bool has_area = chance(50);
      const double area = has_area ? number(1000) : box.w * box.h;
      if (is_truth) {
        expected.area_px.push_back(area);
      }
      if (has_area) {
        fields.push_back(fmt::format("\"area\":{}", text_of(area)));
      }
      if (chance(30)) {
        fields.push_back("\"segmentation\":[[1.5,2,3,4,5,6],[7,8,9,10,11,-12]]");
      }
      if (chance(3)) {
        fields.push_back(R"("note":"a},{\"image_id\":1},{\\","nested":[{"a":1},{"b":2}] )");
      }
      std::shuffle(fields.begin(), fields.end(), random);
      json += (i > 0 ? "," + space() : "") + "{" + space();
      for (std::size_t k = 0; k < fields.size(); ++k) {
        json += (k > 0 ? "," + space() : "") + fields[k];
      }
      json += space() + "}" + space();
    }
    json += "]";
  }
};

void expect_equal(const CocoDetections& read, const CocoDetections& expected) {
  EXPECT_EQ(read.image_id, expected.image_id);
  EXPECT_EQ(read.category_id, expected.category_id);
  EXPECT_EQ(read.box_xywh_px, expected.box_xywh_px);
  EXPECT_EQ(read.area_px, expected.area_px);
  EXPECT_EQ(read.score, expected.score);
  EXPECT_EQ(read.is_crowd, expected.is_crowd);
}

TEST(CocoAnnotationList, ReadsWhatStandsThereHoweverItIsCut) {
  const TemporaryFolder folder;
  std::mt19937_64 random(11);
  for (int round = 0; round < 60; ++round) {
    const bool is_truth = round % 2 == 0;
    const RandomList list(random, static_cast<int>(random() % 400), is_truth);
    const std::size_t bracket = list.json.find('[');
    const auto file = folder.write("list.json", list.json + " , \"more\": [1]}");
    for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{100}, std::size_t{3000}, std::size_t{1} << 20}) {
      const auto read = read_coco_annotation_list(
          file, bracket,
          {.kind = is_truth ? CocoListKind::truth : CocoListKind::results, .threads = 3, .piece_bytes = piece_bytes});
      ASSERT_TRUE(read) << list.json;
      expect_equal(read->detections, list.expected);
      EXPECT_EQ(read->end_byte_offset, list.json.size());
      ASSERT_EQ(read->ids.size(), is_truth ? list.expected.size() : 0);
      for (std::size_t i = 0; i < read->ids.size(); ++i) {
        EXPECT_EQ(read->ids[i], static_cast<std::int64_t>(i) + 1);
      }
    }
  }
}

TEST(CocoAnnotationList, ReadsElementsAndGapsThatAreLongerThanManyPieces) {
  const TemporaryFolder folder;
  const std::string good = R"({"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":0.5})";
  const std::string longer(std::size_t{5} << 20, 'x');
  const std::string gap(std::size_t{5} << 20, ' ');
  const std::string json = "[" + gap + good + R"(,{"note":")" + longer +
                           R"(","image_id":3,"category_id":2,"bbox":[0,0,1,1],"score":1},)" + gap + good + gap + "," + good + gap +
                           "]";
  const auto file = folder.write("list.json", json + " and more");
  for (const std::size_t piece_bytes : {std::size_t{100'000}, std::size_t{1} << 20, std::size_t{1} << 30}) {
    const auto read = read_coco_annotation_list(file, 0, {.threads = 2, .piece_bytes = piece_bytes});
    ASSERT_TRUE(read) << piece_bytes;
    EXPECT_THAT(read->detections.image_id, ElementsAre(1, 3, 1, 1));
    EXPECT_EQ(read->end_byte_offset, json.size());
  }
}

/// Of all rows, by row.
std::map<std::uint32_t, std::vector<Polygon>> polygons_of(const CocoDetections& rows) {
  std::map<std::uint32_t, std::vector<Polygon>> polygons;
  for (const CocoPolygons& part : rows.polygons) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      std::uint32_t begin = 0;
      for (const std::uint32_t end : part.ends(i)) {
        polygons[part.rows()[i]].emplace_back(part.xy_px(i).begin() + begin, part.xy_px(i).begin() + end);
        begin = end;
      }
    }
  }
  return polygons;
}

TEST(CocoAnnotationList, ReadsMasksWhenAsked) {
  const TemporaryFolder folder;
  const auto file =
      folder.write("list.json", R"([{"image_id":1,"category_id":2,"score":0.5,"segmentation":{"size":[2,3],"counts":"123"}},
    {"image_id":1,"category_id":2,"score":0.5,"bbox":[0,0,1,1],"segmentation":[[0,0,2,0,2,2]]}])");
  const auto read = read_coco_annotation_list(file, 0, {.masks = CocoMasks::read, .piece_bytes = 10});
  ASSERT_TRUE(read);
  ASSERT_EQ(read->detections.mask.size(), 2U);
  EXPECT_EQ(read->detections.mask[0], (Rle{2, 3, {1, 2, 3}}));
  EXPECT_TRUE(read->detections.mask.is_none(1));
  EXPECT_THAT(polygons_of(read->detections), ElementsAre(Pair(1, ElementsAre(Polygon{0, 0, 2, 0, 2, 2}))));
}

/// A backslash twice, as in JSON.
std::string escaped(std::string_view text) {
  std::string doubled;
  for (const char c : text) {
    doubled += c == '\\' ? "\\\\" : std::string(1, c);
  }
  return doubled;
}

std::string with_segmentation(std::string_view segmentation) {
  return fmt::format(R"([{{"image_id":1,"category_id":2,"score":0.5,"bbox":[0,0,3,2],"area":7,"segmentation":{}}}])", segmentation);
}

TEST(CocoAnnotationList, ReadsMasksInEveryForm) {
  const TemporaryFolder folder;
  const auto rows_of = [&](std::string_view segmentation) {
    const auto read =
        read_coco_annotation_list(folder.write("list.json", with_segmentation(segmentation)), 0, {.masks = CocoMasks::read});
    EXPECT_TRUE(read) << segmentation;
    return read.value().detections;
  };
  for (const char* const text : {R"({"size":[1,44],"counts":"\\1"})", R"( { "counts" : "\\1" , "size" : [ 1 , 44 ] } )",
                                 R"({"size":[1,44],"counts":"\u005c1"})"}) {
    EXPECT_EQ(rows_of(text).mask[0], (Rle{1, 44, {44}})) << text;
  }
  EXPECT_EQ(rows_of(R"({"size":[1,90],"counts":"\\1\\12"})").mask[0], rle_from_coco_string("\\1\\12", 1, 90));
  EXPECT_EQ(rows_of(R"({"size":[2,3],"counts":[1,2,3]})").mask[0], (Rle{2, 3, {1, 2, 3}}));
  const CocoDetections polygons = rows_of("[ [ 0, 1.5 ,2e0,3, 4,5],[9,8,7,6,5,-4 ] ]");
  EXPECT_TRUE(polygons.mask.is_none(0));
  EXPECT_THAT(polygons_of(polygons), ElementsAre(Pair(0, ElementsAre(Polygon{0, 1.5, 2, 3, 4, 5}, Polygon{9, 8, 7, 6, 5, -4}))));
  EXPECT_TRUE(rows_of("[]").mask.is_none(0));
  EXPECT_THAT(rows_of("[]").polygons, IsEmpty());
}

TEST(CocoAnnotationList, GivesUpOnBrokenMasks) {
  const TemporaryFolder folder;
  for (const char* const text :
       {"[[1,2,3,4]]", "[[1,2,3,4,5,6,7]]", "[[1,2,3,4,5,6]", "[[1,2,3,4,5,6],]", "[1,2]", "[[1,2,3,4,5,6]]]", "7", "[[]]",
        R"({"size":[2,3]})", R"({"size":[2,3],"counts":"12"})", R"({"size":[2,3],"counts":"123","x":1})",
        R"({"size":[2],"counts":"123"})", R"({"size":[2,-3],"counts":"123"})", R"({"counts":"123","counts":"123"})",
        R"({"size":[2,3],"counts":"12 3"})", R"({"size":[2,3],"counts":"123)", R"({"size":[2,99999999999],"counts":"123"})"}) {
    EXPECT_FALSE(read_coco_annotation_list(folder.write("list.json", with_segmentation(text)), 0, {.masks = CocoMasks::read}))
        << text;
  }
}

TEST(CocoAnnotationList, TheAreaOfATruthIsTheStatedOneAndThatOfAResultItsBoxOrItsPixels) {
  const TemporaryFolder folder;
  const std::string mask_only =
      R"([{"image_id":1,"category_id":2,"score":1,"area":5,"segmentation":{"size":[2,3],"counts":"123"}}])";
  const auto read = [&](const std::string& json, CocoListKind kind) {
    return read_coco_annotation_list(folder.write("list.json", json), 0, {.kind = kind, .masks = CocoMasks::read})
        .value()
        .detections;
  };
  EXPECT_THAT(read(with_segmentation("[]"), CocoListKind::truth).area_px, ElementsAre(7));
  EXPECT_THAT(read(mask_only, CocoListKind::truth).area_px, ElementsAre(5));
  for (const std::string& json : {with_segmentation("[]"), mask_only}) {
    EXPECT_THAT(read(json, CocoListKind::results).area_px, IsEmpty());
  }
  EXPECT_THAT(read(with_segmentation("[]"), CocoListKind::results).boxless_rows, IsEmpty());
  EXPECT_THAT(read(mask_only, CocoListKind::results).boxless_rows, ElementsAre(0));
  EXPECT_THAT(read(mask_only, CocoListKind::results).box_xywh_px, ElementsAre(Box{0, 0, 2, 2}));
}

TEST(CocoAnnotationList, MasksKeepTheirRowsHoweverTheListIsCut) {
  const TemporaryFolder folder;
  std::string json;
  std::map<std::uint32_t, std::vector<Polygon>> polygons;
  std::vector<std::uint32_t> boxless;
  std::vector<Rle> masks;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const bool has_runs = i % 3 != 0;
    const bool has_box = i % 5 != 0;
    masks.push_back(has_runs ? Rle{2, 100, {i % 100, i % 7, 200 - i % 100 - i % 7}} : Rle{});
    if (!has_runs) {
      polygons[i] = {{i + 0.5, 0, i + 2.0, 0, i + 2.0, 2}, {0, 0, 2, 0, 2, static_cast<double>(i)}};
    }
    if (!has_box) {
      boxless.push_back(i);
    }
    const std::string segmentation =
        has_runs ? fmt::format(R"({{"size":[2,100],"counts":"{}"}})", escaped(coco_string_from_rle(masks.back())))
                 : fmt::format("[[{0}.5,0,{1},0,{1},2],[0,0,2,0,2,{0}]]", i, i + 2);
    json += fmt::format(R"({}{{"image_id":{},"category_id":2,"score":0.5,{}"segmentation":{}}})", i == 0 ? "[" : ",\n", i,
                        has_box ? R"("bbox":[0,0,3,2],)" : "", segmentation);
  }
  const auto file = folder.write("list.json", json + "]");
  for (const std::size_t piece_bytes : {std::size_t{50}, std::size_t{700}, std::size_t{9000}, std::size_t{1} << 20}) {
    const auto read = read_coco_annotation_list(file, 0, {.masks = CocoMasks::read, .threads = 3, .piece_bytes = piece_bytes});
    ASSERT_TRUE(read);
    EXPECT_EQ(polygons_of(read->detections), polygons);
    EXPECT_EQ(read->detections.boxless_rows, boxless);
    ASSERT_EQ(read->detections.mask.size(), masks.size());
    for (std::uint32_t i = 0; i < masks.size(); ++i) {
      EXPECT_EQ(read->detections.image_id[i], i);
      EXPECT_EQ(read->detections.mask[i], masks[i]) << i;
    }
  }
}

TEST(CocoAnnotationList, GivesUpOnWhatIsNotAsItMustBe) {
  const TemporaryFolder folder;
  const std::string good = R"({"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":0.5})";
  for (const std::string& json :
       {std::string("{}"), std::string("["), "[" + good, "[" + good + ",", "[" + good + ",]", "[" + good + " " + good + "]",
        "[" + good + ",7]", std::string("[,]"), std::string(R"([{"image_id":1,"category_id":2,"bbox":[0,0,1,1]}])"),
        std::string(R"([{"image_id":1,"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":1}])"),
        std::string(R"([{"image_id":1,"category_id":2,"bbox":[0,0,-1,1],"score":1}])"),
        std::string(R"([{"image_id":"a","category_id":2,"bbox":[0,0,1,1],"score":1}])"),
        std::string(R"([{"image_id":1,"category_id":2,"bbox":[0,0,1,NaN],"score":1}])"),
        std::string(R"([{"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":1,}])"),
        std::string(R"([{"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":1},{"image_id":1)")}) {
    EXPECT_FALSE(read_coco_annotation_list(folder.write("list.json", json), 0, {.piece_bytes = 8})) << json;
  }
  const auto empty = read_coco_annotation_list(folder.write("list.json", "[ ]"), 0, {});
  ASSERT_TRUE(empty);
  EXPECT_THAT(empty->detections.image_id, IsEmpty());
  EXPECT_EQ(empty->end_byte_offset, 3U);
  const std::string mixed =
      R"([{"id":1,"image_id":1,"category_id":2,"bbox":[0,0,1,1]},{"image_id":1,"category_id":2,"bbox":[0,0,1,1]}])";
  EXPECT_FALSE(read_coco_annotation_list(folder.write("list.json", mixed), 0, {.kind = CocoListKind::truth}));
  EXPECT_THROW(read_coco_annotation_list(folder.path() / "none.json", 0, {}), Error);
}

}  // namespace
}  // namespace verilabel
