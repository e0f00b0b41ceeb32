#include "verilabel/geometry/mask.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/geometry/coco_string.h"
#include "verilabel/geometry/polygon_rasteriser.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Counts = std::vector<std::uint32_t>;

template <typename Call>
void expect_bad_data(Call call, const char* part_of_message) {
  try {
    call();
    ADD_FAILURE() << "no error; expected one about " << part_of_message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    EXPECT_THAT(error.message(), HasSubstr(part_of_message));
  }
}

TEST(Mask, RunsGoColumnByColumnFromOutside) {
  // Rows of the picture below, 3 high and 4 wide; the columns read 0 0 1 | 0 1 1 | 0 0 0 | 1 0 0.
  //   . . . #
  //   . # . .
  //   # # . .
  const Counts bits = {0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0};
  const std::vector<std::uint8_t> bitmap(bits.begin(), bits.end());
  const Rle rle = rle_from_bitmap(bitmap, 3, 4);
  EXPECT_THAT(rle.counts, ElementsAre(2, 1, 1, 2, 3, 1, 2));
  EXPECT_EQ(bitmap_from_rle(rle), bitmap);
  EXPECT_EQ(area(rle), 4U);
  EXPECT_EQ(tight_box(rle), (Box{0, 0, 4, 3}));
}

TEST(Mask, TightBoxOfRunsThatSpanColumnsIsAsHighAsTheGrid) {
  EXPECT_EQ(tight_box(Rle{4, 4, {6, 3, 7}}), (Box{1, 0, 2, 4}));
  EXPECT_EQ(tight_box(Rle{4, 4, {5, 2, 9}}), (Box{1, 1, 1, 2}));
  EXPECT_EQ(tight_box(Rle{4, 4, {16}}), Box{});
  EXPECT_EQ(tight_box(Rle{0, 5, {0, 0}}), Box{});
  EXPECT_EQ(tight_box(Rle{3, 4, {2, 0, 1, 7, 2}}), (Box{1, 0, 3, 3})) << "a run of length 0 is no pixel";
  EXPECT_EQ(tight_box(Rle{4, 4, {0, 16}}), (Box{0, 0, 4, 4}));
  EXPECT_EQ(tight_box(Rle{4, 4, {2, 0, 3, 1, 10}}), (Box{1, 1, 1, 1})) << "an empty run has no place";
  EXPECT_EQ(tight_box(Rle{}), Box{});
  EXPECT_EQ(tight_box(Rle{4, 4, {2, 2, 4, 4, 4}}), (Box{0, 0, 3, 4})) << "to the bottom of one column, and all of another";
}

TEST(Mask, TightBoxIsThatOfThePixels) {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t height = 1 + random() % 9;
    const std::uint32_t width = 1 + random() % 9;
    std::vector<std::uint32_t> counts;
    for (std::uint32_t left = height * width; left > 0;) {
      counts.push_back(std::min<std::uint32_t>(left, random() % 3 == 0 ? 0 : random() % (2 * height)));
      left -= counts.back();
    }
    const Rle rle{height, width, counts};
    const std::vector<std::uint8_t> bitmap = bitmap_from_rle(rle);
    Box box;
    for (std::uint32_t pixel = 0; pixel < bitmap.size(); ++pixel) {
      if (bitmap[pixel] != 0) {
        const std::uint32_t column = pixel / height;
        const Box one{static_cast<double>(column), static_cast<double>(pixel % height), 1, 1};
        const double left = box.w == 0 ? one.x : std::min(box.x, one.x);
        const double top = box.w == 0 ? one.y : std::min(box.y, one.y);
        box = {left, top, std::max(box.x + box.w, one.x + 1) - left, std::max(box.y + box.h, one.y + 1) - top};
      }
    }
    ASSERT_EQ(tight_box(rle), box) << testing::PrintToString(counts);
  }
}

TEST(Mask, ColumnsAroundHoldTheTightBox) {
  EXPECT_EQ(columns_around(Rle{4, 4, {5, 2, 9}}), (Box{1, 0, 1, 4}));
  EXPECT_EQ(columns_around(Rle{4, 4, {3, 5, 8}}), (Box{0, 0, 2, 4}));
  EXPECT_EQ(columns_around(Rle{4, 4, {5, 2, 4, 5}}), (Box{1, 0, 3, 4}));
  for (const Rle& none : {Rle{4, 4, {16}}, Rle{4, 4, {16, 0}}, Rle{4, 4, {0, 0, 16}}, Rle{0, 5, {0, 0}}, Rle{}}) {
    EXPECT_EQ(columns_around(none), Box{});
  }
}

TEST(Mask, RectangleCoversThePixelsWithinIt) {
  // Corners on pixel edges: columns 1 and 2, rows 1 to 3 of a grid 5 high and 4 wide.
  const std::vector<Polygon> rectangle = {{1, 1, 3, 1, 3, 4, 1, 4}};
  EXPECT_THAT(rle_from_polygons(rectangle, 5, 4).counts, ElementsAre(6, 3, 2, 3, 6));
}

TEST(Mask, PolygonsAreUnitedAndCutAtTheImage) {
  const std::vector<Polygon> two = {{-50, -50, 2, -50, 2, 2, -50, 2}, {1, 1, 90, 1, 90, 90, 1, 90}};
  // Columns: rows 0-1 | rows 0-2 | rows 1-2.
  EXPECT_THAT(rle_from_polygons(two, 3, 3).counts, ElementsAre(0, 2, 1, 3, 1, 2));
}

TEST(Mask, HugeCoordinatesTakeNoMemory) {
  const std::vector<Polygon> sheet = {{-1e300, -1e300, 1e300, -1e300, 1e300, 1e300, -1e300, 1e300}};
  EXPECT_THAT(rle_from_polygons(sheet, 3, 3).counts, ElementsAre(0, 9));
  const std::vector<Polygon> elsewhere = {{1e9, 1e9, 2e9, 1e9, 2e9, 2e9}};
  EXPECT_THAT(rle_from_polygons(elsewhere, 3, 3).counts, ElementsAre(9));
}

TEST(Mask, ManyCrossingsOfOneColumnCancel) {
  // A saw of 300,000 teeth over a strip of 40 columns: more crossings than are kept at a time.
  Polygon saw;
  for (int i = 0; i < 300000; ++i) {
    saw.insert(saw.end(), {i % 2 == 0 ? 0. : 40., 10});
  }
  const Rle rle = rle_from_polygons(std::vector<Polygon>{saw}, 20, 40);
  EXPECT_THAT(rle.counts, ElementsAre(800)) << "an even number of passes over the same row leaves nothing";
}

TEST(Mask, RasterisingMasksOneAfterTheOtherIsLikeRasterisingEachAlone) {
  std::mt19937 random(8);
  const auto coordinate = [&] { return static_cast<double>(random() % 4000) / 20 - 30; };
  PolygonRasteriser rasteriser;
  for (int i = 0; i < 2000; ++i) {
    const std::uint32_t height = random() % 150;
    const std::uint32_t width = random() % 150;
    std::vector<Polygon> polygons(1 + random() % 3);
    std::vector<double> xy_px;
    std::vector<std::uint32_t> ends;
    for (Polygon& polygon : polygons) {
      polygon.resize(6 + 2 * (random() % (i % 10 == 0 ? 200 : 20)));
      std::ranges::generate(polygon, coordinate);
      xy_px.insert(xy_px.end(), polygon.begin(), polygon.end());
      ends.push_back(static_cast<std::uint32_t>(xy_px.size()));
    }
    ASSERT_EQ(rasteriser.rasterise(xy_px, ends, height, width), RleView(rle_from_polygons(polygons, height, width)));
  }
  EXPECT_THROW(rasteriser.rasterise({}, {}, 4, 4), Error);
}

TEST(Mask, FaultyPolygonsAreRefused) {
  const auto rasterise = [](std::vector<Polygon> polygons) { rle_from_polygons(polygons, 4, 4); };
  expect_bad_data([&] { rasterise({}); }, "no polygon");
  expect_bad_data([&] { rasterise({{0, 0, 1, 1}}); }, "polygon 0 of the mask has 4 numbers");
  expect_bad_data([&] { rasterise({{0, 0, 1, 1, 0, 1}, {0, 0, 1, 1, 0, 1, 2}}); }, "polygon 1 of the mask has 7 numbers");
  expect_bad_data([&] { rasterise({{0, 0, std::numeric_limits<double>::quiet_NaN(), 1, 0, 1}}); }, "not a finite number");
  expect_bad_data([&] { rle_from_polygons(std::vector<Polygon>{{0, 0, 1, 1, 0, 1}}, 65536, 65536); }, "too large");
}

TEST(Mask, CountsMustAddUp) {
  EXPECT_EQ(rle_from_counts({3, 1}, 2, 2).counts, (Counts{3, 1}));
  expect_bad_data([] { rle_from_counts({3, 2}, 2, 2); }, "add up to 5 pixels, but its size is 2 × 2 = 4");
  expect_bad_data([] { rle_from_counts({}, 2, 2); }, "add up to 0");
  expect_bad_data([] { rle_from_counts({4294967295U, 5}, 2, 2); }, "add up to 4294967300");
  expect_bad_data([] { rle_from_bitmap(std::vector<std::uint8_t>(5), 2, 2); }, "bitmap of 5 bytes");
}

TEST(Mask, CocoStringWorkedByHand) {
  // 5 -> '5'; 16 needs two groups, 0x10 with the bit for more 0x20 -> '`', then 0 -> '0'; 3 -> '3'; the fourth is 12 - 16 = -4 ->
  // 0x1c -> 'L'.
  const Rle rle{6, 6, {5, 16, 3, 12}};
  EXPECT_EQ(coco_string_from_rle(rle), "5`03L");
  EXPECT_EQ(rle_from_coco_string("5`03L", 6, 6), rle);
  EXPECT_EQ(rle_from_coco_string("", 0, 0), Rle{});
}

TEST(Mask, HostileCocoStringsAreRefused) {
  const auto read = [](std::string_view text) { rle_from_coco_string(text, 6, 6); };
  expect_bad_data([&] { read("5`03"); }, "add up to 24 pixels");
  expect_bad_data([&] { read("5`03LP"); }, "breaks off inside the number that begins at character 6");
  expect_bad_data([&] { read("5`0/L"); }, "character that COCO's encoding does not use at character 4");
  expect_bad_data([&] { read("5`0pL"); }, "does not use at character 4");
  expect_bad_data([&] { read("5`0\xff"); }, "does not use");
  expect_bad_data([&] { read("PPPPPPPPPPPP0"); }, "too large at character 1");
  expect_bad_data([&] { read("oooooo0"); }, "more runs than its size");
  expect_bad_data([&] { read("O"); }, "negative run at character 1");
  expect_bad_data([] { rle_from_coco_string("0", 4294967295U, 4294967295U); }, "too large");
}

TEST(Mask, RandomBytesNeverGetThroughUnchecked) {
  std::mt19937 random(5);
  std::size_t accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string text(random() % 8, '\0');
    for (char& c : text) {
      c = static_cast<char>(random() % 100 == 0 ? random() : '0' + random() % 64);
    }
    const std::uint32_t height = random() % 8;
    const std::uint32_t width = random() % 8;
    try {
      const Rle rle = rle_from_coco_string(text, height, width);
      ++accepted;
      EXPECT_EQ(fault_of(Mask{rle}), std::nullopt);
      EXPECT_EQ(rle_from_coco_string(coco_string_from_rle(rle), height, width), rle);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
    }
  }
  EXPECT_GT(accepted, 1000U);
}

/// The string as pycocotools' `rleFrString` reads it, one group after the other; nothing when it is none.
std::optional<Counts> counts_one_by_one(std::string_view text, std::uint64_t pixels) {
  Counts counts;
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::int64_t number = 0;
    bool has_more = true;
    for (int group = 0; has_more; ++group) {
      if (at == text.size() || group > 7) {
        return std::nullopt;
      }
      const int value = static_cast<unsigned char>(text[at++]) - '0';
      if (value < 0 || value > 63) {
        return std::nullopt;
      }
      number |= std::int64_t{value & 31} << (5 * group);
      has_more = (value & 32) != 0;
      number -= !has_more && (value & 16) != 0 ? std::int64_t{1} << (5 * group + 5) : 0;
    }
    number += counts.size() > 2 ? std::int64_t{counts[counts.size() - 2]} : 0;
    sum += static_cast<std::uint64_t>(number);
    if (number < 0 || sum > pixels) {
      return std::nullopt;
    }
    counts.push_back(static_cast<std::uint32_t>(number));
  }
  return sum == pixels ? std::optional(counts) : std::nullopt;
}

TEST(Mask, CocoStringsOfAnyLengthAreReadAsOneByOne) {
  std::mt19937 random(6);
  CocoStringReader reader;
  std::size_t accepted = 0;
  for (int i = 0; i < 100'000; ++i) {
    // Mostly runs that are like the one two before, as along an outline; now and then a jump, and something broken.
    Counts counts;
    std::uint32_t pixels = 0;
    const std::uint32_t jumps = 1 + random() % 30;
    for (std::uint32_t run = 0, runs = random() % 60; run < runs; ++run) {
      const std::uint32_t before = run < 2 ? random() % 40 : counts[run - 2];
      counts.push_back(random() % jumps == 0 ? random() % 3000 : std::max<std::size_t>(before + random() % 9, 4U) - 4);
      pixels += counts.back();
    }
    std::string text = coco_string_from_rle({1, pixels, counts});
    const auto breaks = [&] { return !text.empty() && random() % 4 == 0; };
    if (breaks()) {
      text[random() % text.size()] = static_cast<char>(random() % 10 == 0 ? random() : '0' + random() % 64);
    }
    pixels += random() % 20 == 0 ? 1 : 0;
    const std::optional<Counts> expected = counts_one_by_one(text, pixels);
    try {
      const RleView read = reader.read(text, 1, pixels);
      ASSERT_TRUE(expected) << text;
      ASSERT_EQ(Counts(read.counts.begin(), read.counts.end()), *expected) << text;
      ++accepted;
    } catch (const Error&) {
      ASSERT_FALSE(expected) << text;
    }
  }
  EXPECT_GT(accepted, 50'000U);
}

TEST(Mask, FaultsOfLongCocoStringsAreNamedWhereTheyAre) {
  const std::string ones = "5`0" + std::string(40, '0');  // 5, 16, 0, then as two before: 16 and 0 in turn
  expect_bad_data([&] { rle_from_coco_string(ones + "O0000000000", 1, 4000); }, "negative run at character 44");
  expect_bad_data([&] { rle_from_coco_string(ones + "0/0000000000", 1, 4000); }, "does not use at character 45");
  expect_bad_data([&] { rle_from_coco_string(ones + "0000000000", 1, 100); }, "more runs than its size of 100 × 1 pixels holds");
}

TEST(Mask, LargestCountsSurviveTheString) {
  const Rle rle{1, 4294967295U, {0, 4294967294U, 0, 0, 1}};
  EXPECT_EQ(rle_from_coco_string(coco_string_from_rle(rle), 1, 4294967295U), rle);
}

TEST(Mask, OverlapsWorkedByHand) {
  const Rle left{2, 4, {0, 4, 4}};    // columns 0-1
  const Rle middle{2, 4, {2, 4, 2}};  // columns 1-2
  const Rle empty{2, 4, {8}};
  EXPECT_EQ(iou(left, middle), 2. / 6);
  EXPECT_EQ(intersection_over_detection(left, middle), 2. / 4);
  EXPECT_EQ(iou(left, empty), 0);
  EXPECT_EQ(iou(empty, empty), 0);
  EXPECT_EQ(union_of(std::vector{left, middle, empty}).counts, (Counts{0, 6, 2}));
  expect_bad_data([&] { iou(left, Rle{4, 2, {8}}); }, "different sizes");
  expect_bad_data([&] { union_of(std::vector{left, Rle{4, 2, {8}}}); }, "different sizes");
  expect_bad_data([] { union_of({}); }, "no masks");
}

TEST(Mask, EmptyRunsInsideChangeNothing) {
  const Rle plain{2, 4, {2, 4, 2}};
  const Rle seamed{2, 4, {2, 1, 0, 0, 0, 3, 2, 0}};
  EXPECT_EQ(iou(plain, seamed), 1);
  EXPECT_EQ(iou(seamed, seamed), 1);
  EXPECT_EQ(union_of(std::vector{seamed, plain}).counts, plain.counts);
  EXPECT_EQ(area(seamed), 4U);
  EXPECT_EQ(bitmap_from_rle(seamed), bitmap_from_rle(plain));
}

TEST(Mask, AreaAndBoxOfEitherForm) {
  const Mask polygons{std::vector<Polygon>{{1, 1, 3, 1, 3, 4, 1, 4}, {-2.5, 0, 1, 0, 1, 1}}};
  EXPECT_EQ(mask_area(polygons, 5, 4), 7);  // 2 × 3, and the pixel (0, 0)
  EXPECT_EQ(mask_box(polygons), (Box{-2.5, 0, 5.5, 4}));
  const Mask runs{Rle{5, 4, {6, 3, 11}}};
  EXPECT_EQ(mask_area(runs, 5, 4), 3);
  EXPECT_EQ(mask_box(runs), (Box{1, 1, 1, 3}));
  expect_bad_data([&] { mask_area(runs, 4, 5); }, "the mask has 4 × 5 pixels, but its image 5 × 4");
  EXPECT_EQ(mask_box(Mask{}), Box{});
}

TEST(Mask, AWindowIsPlacedInItsImage) {
  // A window 2 high and 3 wide, columns # . | # # | . #, in row 1 and column 1 of an image 4 high and 5 wide. Before it lie column
  // 0 and a pixel; two pixels lie between its columns.
  const Rle window{2, 3, {0, 1, 1, 2, 1, 1}};
  const Rle image = placed(window, 1, 1, 4, 5);
  EXPECT_THAT(image.counts, ElementsAre(5, 1, 3, 2, 3, 1, 5));
  EXPECT_EQ(tight_box(image), (Box{1, 1, 3, 2}));
  EXPECT_EQ(placed(window, 0, 0, 2, 3), window);
  EXPECT_THAT(placed(Rle{2, 3, {6}}, 1, 1, 4, 5).counts, ElementsAre(20));
  EXPECT_THAT(placed(Rle{4, 2, {0, 8}}, 3, 0, 4, 5).counts, ElementsAre(12, 8)) << "as high as the image: one run";
  EXPECT_THAT(placed(Rle{2, 2, {1, 0, 2, 1}}, 0, 0, 2, 2).counts, ElementsAre(3, 1)) << "a run of length 0 is no pixel";
  EXPECT_THAT(placed(Rle{}, 2, 2, 4, 5).counts, ElementsAre(20));
}

TEST(Mask, PlacingIsThatOfPixels) {
  std::mt19937 random(3);
  const auto number = [&](std::uint32_t from, std::uint32_t to) { return std::uniform_int_distribution(from, to)(random); };
  for (int round = 0; round < 2000; ++round) {
    const std::uint32_t height = number(1, 12);
    const std::uint32_t width = number(1, 12);
    const std::uint32_t h = number(1, height);
    const std::uint32_t w = number(1, width);
    const std::uint32_t y = number(0, height - h);
    const std::uint32_t x = number(0, width - w);
    std::vector<std::uint8_t> window(std::size_t{h} * w);
    std::vector<std::uint8_t> image(std::size_t{height} * width);
    for (std::uint32_t c = 0; c < w; ++c) {
      for (std::uint32_t r = 0; r < h; ++r) {
        window[c * h + r] = static_cast<std::uint8_t>(number(0, 1));
        image[(x + c) * height + y + r] = window[c * h + r];
      }
    }
    ASSERT_EQ(placed(rle_from_bitmap(window, h, w), x, y, height, width), rle_from_bitmap(image, height, width));
  }
}

TEST(Mask, AWindowOutsideOfItsImageIsRefused) {
  const Rle window{2, 3, {6}};
  expect_bad_data([&] { placed(window, 3, 0, 4, 5); }, "3 × 2 pixels at column 3 and row 0 does not lie in an image of 5 × 4");
  expect_bad_data([&] { placed(window, 0, 3, 4, 5); }, "row 3");
  expect_bad_data([&] { placed(window, std::numeric_limits<std::uint32_t>::max(), 0, 4, 5); }, "does not lie");
  expect_bad_data([&] { placed(window, 0, 0, 1U << 16, 1U << 16); }, "too large");
  expect_bad_data([&] { placed(Rle{2, 3, {5}}, 0, 0, 4, 5); }, "add up to 5");
}

}  // namespace
}  // namespace verilabel
