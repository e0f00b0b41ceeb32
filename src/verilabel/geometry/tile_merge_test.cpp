#include "verilabel/geometry/tile_merge.h"

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Two tiles of 100 pixels in an image of 180: the left one ends at 100, the right one begins at 80. Cut is what ends within 2
// pixels of these.
constexpr int kWidth = 180;
constexpr int kHeight = 100;
constexpr std::array<Tile, 2> kTwo = {{{0, 0, 100, 100}, {80, 0, 100, 100}}};

// As high as 50 pixels.
TileBox across(std::size_t tile, double left, double right, double score, std::int32_t class_id = 0) {
  return {{left, 20, right - left, 50}, score, class_id, tile};
}

std::vector<TileObject> merged(const std::vector<TileBox>& boxes) {
  return merge_tiles(boxes, kTwo, kWidth, kHeight);
}

std::vector<double> edges(const TileObject& object) {
  return {object.box_xywh_px.x, object.box_xywh_px.x + object.box_xywh_px.w};
}

TEST(TileMerge, NothingGivesNothing) {
  EXPECT_THAT(merged({}), IsEmpty());
}

TEST(TileMerge, AnObjectThatTwoTilesSeeWholeIsOne) {
  // [82, 97] and [83, 98]: IoU 14/16.
  const auto objects = merged({across(0, 82, 97, 0.6), across(1, 83, 98, 0.7)});
  ASSERT_THAT(objects, SizeIs(1));
  EXPECT_THAT(edges(objects[0]), ElementsAre(83, 98));
  EXPECT_EQ(objects[0].score, 0.7);
  EXPECT_THAT(objects[0].members, ElementsAre(1));
}

TEST(TileMerge, WholeBoxesThatOverlapByHalfAreTwo) {
  // [82, 91] and [85, 94]: IoU 6/12.
  EXPECT_THAT(merged({across(0, 82.5, 91.5, 0.6), across(1, 85.5, 94.5, 0.7)}), SizeIs(2));
  EXPECT_THAT(merged({across(0, 82.5, 91.5, 0.6), across(1, 85, 94, 0.7)}), SizeIs(1));
}

TEST(TileMerge, APieceOfWhatAnotherTileSeesWholeGoesAndLendsItsScore) {
  // The left tile sees [90, 100] of [90, 150]: alone an IoU of 1/6.
  const auto objects = merged({across(0, 90, 100, 0.8), across(1, 90, 150, 0.6)});
  ASSERT_THAT(objects, SizeIs(1));
  EXPECT_THAT(edges(objects[0]), ElementsAre(90, 150));
  EXPECT_EQ(objects[0].score, 0.8);
  EXPECT_THAT(objects[0].members, ElementsAre(1));
}

TEST(TileMerge, TwoHalvesOfWhichNeitherIsWholeAreUnited) {
  // [50, 130]: the left tile sees [50, 99], a pixel short of its edge, the right one [80, 130]. In [80, 100] both say the same.
  const auto objects = merged({across(0, 50, 99, 0.5), across(1, 80, 130, 0.9)});
  ASSERT_THAT(objects, SizeIs(1));
  EXPECT_THAT(edges(objects[0]), ElementsAre(50, 130));
  EXPECT_EQ(objects[0].score, 0.9);
  EXPECT_THAT(objects[0].members, ElementsAre(0, 1));
}

TEST(TileMerge, HalvesOfDifferentHeightStayTwo) {
  // In [80, 100] the one is in rows 20 to 70, the other in rows 60 to 95: 10 of 75.
  EXPECT_THAT(merged({across(0, 50, 100, 0.5), {{80, 60, 50, 35}, 0.9, 0, 1}}), SizeIs(2));
}

TEST(TileMerge, ACutBoxOfWhichNobodySawTheRestStays) {
  const auto objects = merged({across(0, 50, 100, 0.5)});
  ASSERT_THAT(objects, SizeIs(1));
  EXPECT_THAT(edges(objects[0]), ElementsAre(50, 100));
}

TEST(TileMerge, NeighboursSideBySideStayTwo) {
  // [60, 95] and [96, 150]; the right tile sees [80, 95] of the first, the left one [96, 100] of the second.
  const auto objects = merged({across(0, 60, 95, 0.9), across(0, 96, 100, 0.3), across(1, 80, 95, 0.4), across(1, 96, 150, 0.8)});
  ASSERT_THAT(objects, SizeIs(2));
  EXPECT_THAT(edges(objects[0]), ElementsAre(60, 95));
  EXPECT_THAT(edges(objects[1]), ElementsAre(96, 150));
}

TEST(TileMerge, NeighboursThatCoverEachOtherInPartStayTwo) {
  // [60, 92] is whole at the left, and [80, 92] of it at the right. [75, 120] is cut in both: [75, 100] and [80, 120].
  // The first against the pieces of the second: 17/40 and, beyond the left tile, 12/40. The pieces of the second: all of [80, 100].
  const auto objects = merged({across(0, 60, 92, 0.9), across(0, 75, 100, 0.8), across(1, 80, 92, 0.7), across(1, 80, 120, 0.6)});
  ASSERT_THAT(objects, SizeIs(2));
  EXPECT_THAT(edges(objects[0]), ElementsAre(60, 92));
  EXPECT_THAT(edges(objects[1]), ElementsAre(75, 120));
  EXPECT_EQ(objects[1].score, 0.8);
}

TEST(TileMerge, TwoObjectsAcrossTheSameSeamAreUnitedEachWithItsOwnHalf) {
  // Rows 20 to 70 and 35 to 85: in [80, 100] an IoU of 35/65 with the wrong half, 1 with the right one.
  const auto lower = [](std::size_t tile, double left, double right, double score) {
    return TileBox{{left, 35, right - left, 50}, score, 0, tile};
  };
  const auto objects = merged({across(0, 50, 100, 0.9), lower(0, 40, 100, 0.8), lower(1, 80, 140, 0.7), across(1, 80, 130, 0.6)});
  ASSERT_THAT(objects, SizeIs(2));
  EXPECT_EQ(objects[0].box_xywh_px, (Box{50, 20, 80, 50}));
  EXPECT_EQ(objects[1].box_xywh_px, (Box{40, 35, 100, 50}));
}

TEST(TileMerge, FourTilesThatMeetInACornerGiveOneObject) {
  const std::vector<Tile> four = {{0, 0, 100, 100}, {80, 0, 100, 100}, {0, 80, 100, 100}, {80, 80, 100, 100}};
  // [65, 120] across and [70, 115] down: no tile sees it whole.
  const std::vector<TileBox> boxes = {
      {{65, 70, 35, 30}, 0.5, 3, 0},
      {{80, 70, 40, 30}, 0.6, 3, 1},
      {{65, 80, 35, 35}, 0.7, 3, 2},
      {{80, 80, 40, 35}, 0.4, 3, 3},
  };
  const auto objects = merge_tiles(boxes, four, 180, 180);
  ASSERT_THAT(objects, SizeIs(1));
  EXPECT_EQ(objects[0].box_xywh_px, (Box{65, 70, 55, 45}));
  EXPECT_EQ(objects[0].score, 0.7);
  EXPECT_THAT(objects[0].members, ElementsAre(0, 1, 2, 3));
}

class LargeObject : public testing::Test {
 protected:
  // The whole image, which sees the object, and a tile inside of it.
  const std::vector<Tile> tiles_ = {{0, 0, 300, 300}, {100, 100, 100, 100}};
  const TileBox whole_ = {{20, 20, 250, 250}, 0.8, 0, 0};

  std::vector<TileObject> with(const TileBox& piece) const { return merge_tiles(std::vector{whole_, piece}, tiles_, 300, 300); }
};

TEST_F(LargeObject, ThePieceThatFillsATileGoes) {
  const auto objects = with({{100, 100, 100, 100}, 0.9, 0, 1});
  ASSERT_THAT(objects, SizeIs(1));
  EXPECT_EQ(objects[0].box_xywh_px, whole_.box_xywh_px);
  EXPECT_EQ(objects[0].score, 0.9);
}

TEST_F(LargeObject, WhatATileTakesForAnObjectOfItsOwnGoesWhenItIsNotSurer) {
  // A fifth of the tile, cut at its lower edge.
  const Box leg = {120, 150, 40, 50};
  auto objects = with({leg, 0.8, 0, 1});
  ASSERT_THAT(objects, SizeIs(1));
  EXPECT_EQ(objects[0].score, 0.8) << "a piece that looks otherwise lends nothing";
  EXPECT_THAT(with({leg, 0.81, 0, 1}), SizeIs(2));
}

TEST_F(LargeObject, WhatIsWholeInFrontOfItStays) {
  EXPECT_THAT(with({{120, 120, 40, 50}, 0.2, 0, 1}), SizeIs(2));
}

TEST(TileMerge, ClassesNeverMeet) {
  EXPECT_THAT(merged({across(0, 82, 97, 0.6, 1), across(1, 82, 97, 0.7, 2)}), SizeIs(2));
  EXPECT_THAT(merged({across(0, 50, 100, 0.6, 1), across(1, 80, 130, 0.7, 2)}), SizeIs(2));
}

TEST(TileMerge, WhatOneWindowSaysIsDifferentStaysSo) {
  EXPECT_THAT(merged({across(0, 20, 60, 0.6), across(0, 22, 62, 0.7)}), SizeIs(2));
  EXPECT_THAT(merged({across(0, 60, 100, 0.6), across(0, 62, 100, 0.7)}), SizeIs(2));
}

TEST(TileMerge, AnEdgeOfTheImageCutsNothing) {
  // Both begin at the image's left edge, so neither is compared with a part of the other: IoU 30/80.
  const std::vector<Tile> tiles = {{0, 0, 100, 100}, {0, 0, 180, 100}};
  const std::vector<TileBox> boxes = {across(0, 0, 30, 0.5), across(1, 0, 80, 0.6)};
  EXPECT_THAT(merge_tiles(boxes, tiles, kWidth, kHeight), SizeIs(2));
}

TEST(TileMerge, EqualScoresKeepTheOrderGiven) {
  const auto objects = merged({across(1, 140, 150, 0.5), across(0, 10, 20, 0.5), across(0, 40, 50, 0.5)});
  ASSERT_THAT(objects, SizeIs(3));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_THAT(objects[i].members, ElementsAre(i));
  }
}

TEST(TileMerge, ObjectsSeenThroughAnyTilesComeOutOnceAndAsTheyAre) {
  std::mt19937 random(11);
  const auto number = [&](int from, int to) { return std::uniform_int_distribution(from, to)(random); };
  for (int round = 0; round < 200; ++round) {
    const int width = number(300, 900);
    const int height = number(300, 900);
    const std::vector<Tile> tiles =
        plan_tiles(width, height, 64, 64, {.side = number(120, 300), .overlap = number(20, 50) / 100., .scales = {1, 0.5}});
    // One object a cell of 60 pixels, so that they do not touch.
    std::vector<Box> truth;
    for (int x = 0; x + 60 <= width; x += 60) {
      for (int y = 0; y + 60 <= height; y += 60) {
        if (number(0, 2) == 0) {
          const int w = number(20, 50);
          const int h = number(20, 50);
          truth.push_back({static_cast<double>(x + number(2, 58 - w)), static_cast<double>(y + number(2, 58 - h)),
                           static_cast<double>(w), static_cast<double>(h)});
        }
      }
    }
    std::vector<TileBox> boxes;
    for (std::size_t i = 0; i < tiles.size(); ++i) {
      const Tile& tile = tiles[i];
      for (const Box& object : truth) {
        const double left = std::max(object.x, static_cast<double>(tile.x));
        const double top = std::max(object.y, static_cast<double>(tile.y));
        const double right = std::min(object.x + object.w, static_cast<double>(tile.x) + tile.w);
        const double bottom = std::min(object.y + object.h, static_cast<double>(tile.y) + tile.h);
        if (right > left && bottom > top) {
          boxes.push_back({{left, top, right - left, bottom - top}, number(1, 100) / 100., 0, i});
        }
      }
    }
    std::ranges::shuffle(boxes, random);
    std::multiset<std::pair<double, double>> wanted;
    std::multiset<std::pair<double, double>> found;
    for (const Box& object : truth) {
      wanted.emplace(object.x, object.y);
    }
    for (const TileObject& object : merge_tiles(boxes, tiles, width, height)) {
      found.emplace(object.box_xywh_px.x, object.box_xywh_px.y);
    }
    ASSERT_EQ(found, wanted) << "round " << round;
  }
}

TEST(TileMerge, WhateverComesNoTwoObjectsOfDifferentWindowsAreTheSame) {
  std::mt19937 random(12);
  const auto number = [&](int from, int to) { return std::uniform_int_distribution(from, to)(random); };
  const std::vector<Tile> tiles = plan_tiles(500, 400, 64, 64, {.side = 150, .overlap = 0.3, .scales = {1, 0.5}});
  for (int round = 0; round < 200; ++round) {
    std::vector<TileBox> boxes;
    for (int i = 0; i < 200; ++i) {
      const auto index = static_cast<std::size_t>(number(0, static_cast<int>(tiles.size()) - 1));
      const Tile& tile = tiles[index];
      const int x = number(0, tile.w - 10);
      const int y = number(0, tile.h - 10);
      boxes.push_back({{static_cast<double>(tile.x + x), static_cast<double>(tile.y + y),
                        static_cast<double>(number(10, tile.w - x)), static_cast<double>(number(10, tile.h - y))},
                       number(1, 100) / 100.,
                       number(0, 1),
                       index});
    }
    const std::vector<TileObject> objects = merge_tiles(boxes, tiles, 500, 400);
    std::set<std::size_t> members;
    for (std::size_t i = 0; i < objects.size(); ++i) {
      ASSERT_TRUE(i == 0 || objects[i].score <= objects[i - 1].score);
      for (const std::size_t member : objects[i].members) {
        ASSERT_TRUE(members.insert(member).second) << "in two objects";
      }
      for (std::size_t j = 0; j < i; ++j) {
        const TileBox& a = boxes[objects[i].members[0]];
        const TileBox& b = boxes[objects[j].members[0]];
        const bool is_of_one_window = objects[i].members.size() == 1 && objects[j].members.size() == 1 && a.tile == b.tile;
        ASSERT_TRUE(a.class_id != b.class_id || is_of_one_window || iou(objects[i].box_xywh_px, objects[j].box_xywh_px) <= 0.5);
      }
    }
  }
}

}  // namespace
}  // namespace verilabel
