#include "verilabel/geometry/tiling.h"

#include <algorithm>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Tiling, TilesAreEvenlySpacedAndFlushWithTheEdges) {
  // A tile of 400 may go on by 320. The last of 1000 begins at 600, which takes two steps: 300 each. The last of 500 begins at 100.
  const std::vector<Tile> tiles = plan_tiles(1000, 500, 640, 640, {.side = 400});
  EXPECT_THAT(tiles, ElementsAre(Tile{0, 0, 1000, 500}, Tile{0, 0, 400, 400}, Tile{300, 0, 400, 400}, Tile{600, 0, 400, 400},
                                 Tile{0, 100, 400, 400}, Tile{300, 100, 400, 400}, Tile{600, 100, 400, 400}));
}

TEST(Tiling, AnImageThatIsNotLargerThanATileIsLookedAtOnce) {
  for (const bool has_whole : {true, false}) {
    EXPECT_THAT(plan_tiles(400, 300, 64, 64, {.side = 400, .has_whole = has_whole}), ElementsAre(Tile{0, 0, 400, 300}));
    EXPECT_THAT(plan_tiles(1, 1, 64, 64, {.side = 400, .scales = {2, 1, 0.5}, .has_whole = has_whole}),
                ElementsAre(Tile{0, 0, 1, 1}));
  }
}

TEST(Tiling, ATileIsAsHighAsAnImageThatIsLower) {
  EXPECT_THAT(plan_tiles(700, 50, 64, 64, {.side = 400, .has_whole = false}),
              ElementsAre(Tile{0, 0, 400, 50}, Tile{300, 0, 400, 50}));
}

TEST(Tiling, AScaleMakesTilesLargerOrSmaller) {
  EXPECT_THAT(plan_tiles(800, 400, 64, 64, {.side = 400, .overlap = 0, .scales = {1, 0.5}, .has_whole = false}),
              ElementsAre(Tile{0, 0, 400, 400}, Tile{400, 0, 400, 400}, Tile{0, 0, 800, 400}));
  EXPECT_THAT(plan_tiles(400, 200, 64, 64, {.side = 400, .overlap = 0, .scales = {2}}),
              ElementsAre(Tile{0, 0, 400, 200}, Tile{0, 0, 200, 200}, Tile{200, 0, 200, 200}));
}

TEST(Tiling, BySizeImagesUpToTwiceTheInputAreLookedAtOnceAndOthersUnshrunk) {
  EXPECT_THAT(plan_tiles(1280, 700, 640, 384, {}), ElementsAre(Tile{0, 0, 1280, 700}));
  EXPECT_THAT(plan_tiles(1281, 384, 640, 384, {.overlap = 0}),
              ElementsAre(Tile{0, 0, 1281, 384}, Tile{0, 0, 384, 384}, Tile{299, 0, 384, 384}, Tile{598, 0, 384, 384},
                          Tile{897, 0, 384, 384}));
}

TEST(Tiling, TilesCoverTheImageAndOverlapByWhatWasAskedFor) {
  std::mt19937 random(7);
  const auto number = [&](int from, int to) { return std::uniform_int_distribution(from, to)(random); };
  for (int round = 0; round < 2000; ++round) {
    const int width = number(1, 3000);
    const int height = number(1, 300);
    const TilingOptions options = {.side = number(150, 900), .overlap = number(0, 90) / 100., .has_whole = false};
    const std::vector<Tile> tiles = plan_tiles(width, height, 64, 64, options);
    int end_of_last = 0;
    for (const Tile& tile : tiles) {
      ASSERT_EQ(tile.w, std::min(width, options.side));
      ASSERT_EQ(tile.h, std::min(height, options.side));
      ASSERT_TRUE(tile.x >= 0 && tile.y >= 0 && tile.x + tile.w <= width && tile.y + tile.h <= height);
      if (tile.y == 0) {
        const bool is_first = tile.x == 0;
        ASSERT_TRUE(is_first || end_of_last - tile.x >= options.overlap * options.side - 1e-9)
            << end_of_last - tile.x << " of " << options.side << ", wanted " << options.overlap;
        end_of_last = tile.x + tile.w;
      }
    }
    ASSERT_EQ(end_of_last, width);
    ASSERT_EQ(tiles.back().x + tiles.back().w, width);
    ASSERT_EQ(tiles.back().y + tiles.back().h, height);
  }
}

TEST(Tiling, WhatMakesNoSenseIsRefused) {
  const auto message_of = [](const TilingOptions& options) -> std::string {
    try {
      options.validate();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      return error.message();
    }
    return "";
  };
  EXPECT_EQ(message_of({}), "");
  EXPECT_EQ(message_of({.side = 32, .overlap = 0.9, .scales = {0.01, 10}}), "");
  EXPECT_THAT(message_of({.side = 31}), HasSubstr("31 pixels; 32 to 65536"));
  EXPECT_THAT(message_of({.side = -1}), HasSubstr("-1 pixels"));
  EXPECT_THAT(message_of({.side = 65537}), HasSubstr("65537 pixels"));
  EXPECT_THAT(message_of({.overlap = 0.91}), HasSubstr("overlap of tiles is 0.91"));
  EXPECT_THAT(message_of({.overlap = -0.1}), HasSubstr("overlap"));
  EXPECT_THAT(message_of({.overlap = std::numeric_limits<double>::quiet_NaN()}), HasSubstr("overlap"));
  EXPECT_THAT(message_of({.scales = {}}), HasSubstr("at least one scale"));
  EXPECT_THAT(message_of({.scales = {1, 0}}), HasSubstr("a scale of tiles is 0"));
  EXPECT_THAT(message_of({.scales = {11}}), HasSubstr("a scale of tiles is 11"));
  EXPECT_THAT(message_of({.scales = {1, 0.5, 1}}), HasSubstr("the scale 1 of tiles stands twice"));
}

TEST(Tiling, TooManyTilesAreRefusedBeforeTheyAreMade) {
  try {
    plan_tiles(60'000, 60'000, 640, 640, {.side = 32, .overlap = 0.9});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    EXPECT_THAT(error.message(), HasSubstr("at most 10000"));
  }
}

}  // namespace
}  // namespace verilabel
