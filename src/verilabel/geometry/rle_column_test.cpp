#include "verilabel/geometry/rle_column.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using testing::ElementsAre;

Rle left() {
  return {2, 3, {0, 2, 4}};
}
Rle right() {
  return {2, 3, {4, 2}};
}
Rle none() {
  return {};
}

std::vector<Rle> masks_of(const RleColumn& column) {
  CocoStringReader reader;
  std::vector<Rle> masks;
  for (std::size_t i = 0; i < column.size(); ++i) {
    const RleView mask = column.read(i, reader);
    masks.push_back({mask.height, mask.width, {mask.counts.begin(), mask.counts.end()}});
    EXPECT_EQ(column[i], masks.back());
    EXPECT_EQ(column.columns_around(i), columns_around(mask));
    EXPECT_EQ(column.height(i), mask.height);
    EXPECT_EQ(column.width(i), mask.width);
  }
  return masks;
}

TEST(RleColumn, KeepsMasksInTheirOrderWhereverTheirRunsLie) {
  RleColumn column = {left(), none(), right()};
  EXPECT_THAT(masks_of(column), ElementsAre(left(), none(), right()));
  EXPECT_FALSE(column.is_none(0));
  EXPECT_TRUE(column.is_none(1));
  RleColumn more = {right(), left()};
  column.take_from(more);
  EXPECT_TRUE(more.empty());
  column.push_back(left());
  EXPECT_THAT(masks_of(column), ElementsAre(left(), none(), right(), right(), left(), left()));
  column.replace(std::vector<std::uint32_t>{4, 1}, RleColumn{none(), right()});
  EXPECT_THAT(masks_of(column), ElementsAre(left(), right(), right(), right(), none(), left()));
  EXPECT_THAT(masks_of(column.rows(std::vector<std::uint32_t>{5, 4, 4})), ElementsAre(left(), none(), none()));
}

TEST(RleColumn, TakesCocosStrings) {
  CocoStringReader reader;
  RleColumn column;
  column.push_back_coco_string(coco_string_from_rle(left()), 2, 3, reader);
  EXPECT_THROW(column.push_back_coco_string("123", 2, 2, reader), Error);
  column.push_back_coco_string(coco_string_from_rle(right()), 2, 3, reader);
  column.push_back_coco_string("0", 0, 0, reader);
  EXPECT_FALSE(column.is_none(2));
  EXPECT_THAT(masks_of(column), ElementsAre(left(), right(), Rle{0, 0, {0}}));
}

TEST(RleColumn, MasksOutliveTheColumnThatTheyWereTakenFrom) {
  RleColumn taken;
  {
    RleColumn column = {left(), right()};
    taken = column.rows(std::vector<std::uint32_t>{1});
    const RleColumn copy = column;
    column.push_back(none());
    column.push_back(left());
    EXPECT_THAT(masks_of(copy), ElementsAre(left(), right()));
    taken.take_from(column);
    column.push_back(left());
    EXPECT_THAT(masks_of(column), ElementsAre(left()));
    EXPECT_THAT(masks_of(copy), ElementsAre(left(), right()));
  }
  taken.push_back(right());
  EXPECT_THAT(masks_of(taken), ElementsAre(right(), left(), right(), none(), left(), right()));
}

TEST(RleColumn, IsFilledAgainAfterItsMasksWereTaken) {
  RleColumn all;
  RleColumn part;
  for (std::uint32_t round = 0; round < 50; ++round) {
    for (std::uint32_t i = 0; i < 2000; ++i) {
      part.push_back(Rle{1, 2000, {i % 1000, round, 2000 - i % 1000 - round}});
    }
    all.take_from(part);
  }
  ASSERT_EQ(all.size(), 100'000U);
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].counts[0], i % 1000);
    ASSERT_EQ(all[i].counts[1], i / 2000);
  }
}

TEST(RleColumn, MasksOfAnySizeFit) {
  RleColumn column;
  std::vector<Rle> masks;
  for (const std::uint32_t runs : {1U, 100'000U, 100'000U, 7U, 1'000'000U, 3U, 130'000U}) {
    Rle& mask = masks.emplace_back();
    for (std::uint32_t run = 1; run <= runs; ++run) {
      mask.counts.push_back(run * run % 3001);
      mask.width += mask.counts.back();
    }
    mask.height = 1;
    column.push_back(mask);
  }
  ASSERT_EQ(column.size(), masks.size());
  for (std::size_t i = 0; i < masks.size(); ++i) {
    EXPECT_TRUE(column[i] == masks[i]) << i;
  }
}

}  // namespace
}  // namespace verilabel
