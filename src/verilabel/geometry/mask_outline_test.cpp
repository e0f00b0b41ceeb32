#include "verilabel/geometry/mask_outline.h"

#include <random>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using testing::ElementsAre;

Rle drawn(std::initializer_list<std::string_view> rows) {
  const auto height = static_cast<std::uint32_t>(rows.size());
  const auto width = static_cast<std::uint32_t>(rows.begin()->size());
  std::vector<std::uint8_t> bitmap;
  for (std::size_t column = 0; column < width; ++column) {
    for (const std::string_view row : rows) {
      bitmap.push_back(row[column] == '#' ? 1 : 0);
    }
  }
  return rle_from_bitmap(bitmap, height, width);
}

// Background that cannot be left by steps to the eight neighbours: the definition of a hole, by flooding instead of walking.
std::size_t holes_by_flooding(const std::vector<std::uint8_t>& bitmap, int height, int width) {
  std::vector<std::uint8_t> seen(bitmap);
  const auto flood = [&](int row, int column) {
    bool reaches_border = false;
    std::vector<std::pair<int, int>> open = {{row, column}};
    seen[static_cast<std::size_t>(column * height + row)] = 1;
    while (!open.empty()) {
      const auto [r, c] = open.back();
      open.pop_back();
      reaches_border |= r == 0 || c == 0 || r == height - 1 || c == width - 1;
      for (int dr = -1; dr <= 1; ++dr) {
        for (int dc = -1; dc <= 1; ++dc) {
          const int nr = r + dr;
          const int nc = c + dc;
          if (nr >= 0 && nc >= 0 && nr < height && nc < width && seen[static_cast<std::size_t>(nc * height + nr)] == 0) {
            seen[static_cast<std::size_t>(nc * height + nr)] = 1;
            open.emplace_back(nr, nc);
          }
        }
      }
    }
    return reaches_border;
  };
  std::size_t holes = 0;
  for (int column = 0; column < width; ++column) {
    for (int row = 0; row < height; ++row) {
      if (seen[static_cast<std::size_t>(column * height + row)] == 0 && !flood(row, column)) {
        ++holes;
      }
    }
  }
  return holes;
}

TEST(MaskOutline, CornersOnlyAndClockwise) {
  EXPECT_THAT(outline_of(drawn({"....", ".##.", ".##."})).polygons, ElementsAre(ElementsAre(1, 1, 3, 1, 3, 3, 1, 3)));
  EXPECT_THAT(outline_of(drawn({"#.", "##"})).polygons, ElementsAre(ElementsAre(0, 0, 1, 0, 1, 1, 2, 1, 2, 2, 0, 2)));
  EXPECT_THAT(outline_of(drawn({"#.#", "###", "#.#"})).polygons,
              ElementsAre(ElementsAre(0, 0, 1, 0, 1, 1, 2, 1, 2, 0, 3, 0, 3, 3, 2, 3, 2, 2, 1, 2, 1, 3, 0, 3)));
}

TEST(MaskOutline, CornersThatTouchSeparateParts) {
  const MaskOutline outline = outline_of(drawn({"#.", ".#"}));
  EXPECT_THAT(outline.polygons, ElementsAre(ElementsAre(0, 0, 1, 0, 1, 1, 0, 1), ElementsAre(1, 1, 2, 1, 2, 2, 1, 2)));
  const MaskOutline ring = outline_of(drawn({".#.", "#.#", ".#."}));
  EXPECT_EQ(ring.polygons.size(), 4U);
  EXPECT_EQ(ring.hole_count, 0U);
}

TEST(MaskOutline, HolesAreCountedAndFilled) {
  const MaskOutline outline = outline_of(drawn({"#####", "#.#.#", "#####"}));
  EXPECT_EQ(outline.hole_count, 2U);
  EXPECT_THAT(outline.polygons, ElementsAre(ElementsAre(0, 0, 5, 0, 5, 3, 0, 3)));
  EXPECT_EQ(area(rle_from_polygons(outline.polygons, 3, 5)), 15U);
}

TEST(MaskOutline, EmptyAndFull) {
  EXPECT_TRUE(outline_of(Rle{}).polygons.empty());
  EXPECT_TRUE(outline_of(Rle{3, 3, {9}}).polygons.empty());
  EXPECT_THAT(outline_of(Rle{3, 3, {0, 9}}).polygons, ElementsAre(ElementsAre(0, 0, 3, 0, 3, 3, 0, 3)));
  EXPECT_THAT(outline_of(Rle{60000, 60000, {0, 3600000000U}}).polygons,
              ElementsAre(ElementsAre(0, 0, 60000, 0, 60000, 60000, 0, 60000)));
  EXPECT_THAT(outline_of(Rle{4, 1, {1, 1, 0, 1, 1}}).polygons, ElementsAre(ElementsAre(0, 1, 1, 1, 1, 3, 0, 3))) << "no seam";
  EXPECT_THROW(outline_of(Rle{3, 3, {8}}), Error);
}

TEST(MaskOutline, RasterisedAgainItIsTheSameMaskUnlessItHasHoles) {
  std::mt19937 random(23);
  std::size_t without_holes = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto height = static_cast<std::uint32_t>(1 + random() % 24);
    const auto width = static_cast<std::uint32_t>(1 + random() % 24);
    std::vector<std::uint8_t> bitmap(height * width);
    if (round % 2 == 0) {  // salt and pepper of every density
      const auto density = random() % 100;
      for (std::uint8_t& pixel : bitmap) {
        pixel = random() % 100 < density ? 1 : 0;
      }
    } else {  // a few discs
      for (std::size_t discs = 1 + random() % 4; discs-- > 0;) {
        const double row = random() % height;
        const double column = random() % width;
        const double radius = 1 + random() % 7;
        for (std::uint32_t c = 0; c < width; ++c) {
          for (std::uint32_t r = 0; r < height; ++r) {
            if ((r - row) * (r - row) + (c - column) * (c - column) < radius * radius) {
              bitmap[c * height + r] = 1;
            }
          }
        }
      }
    }
    const Rle rle = rle_from_bitmap(bitmap, height, width);
    const MaskOutline outline = outline_of(rle);
    EXPECT_EQ(outline.hole_count, holes_by_flooding(bitmap, static_cast<int>(height), static_cast<int>(width)));
    if (outline.polygons.empty()) {
      EXPECT_EQ(area(rle), 0U);
      continue;
    }
    const Rle again = rle_from_polygons(outline.polygons, height, width);
    if (outline.hole_count == 0) {
      ++without_holes;
      EXPECT_EQ(again, rle);
    } else {
      EXPECT_GT(area(again), area(rle));
      EXPECT_EQ(iou(again, rle), static_cast<double>(area(rle)) / static_cast<double>(area(again))) << "it only adds";
    }
  }
  EXPECT_GT(without_holes, 1000U);
}

}  // namespace
}  // namespace verilabel
