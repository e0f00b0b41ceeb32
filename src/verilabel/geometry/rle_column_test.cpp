#include "verilabel/geometry/rle_column.h"

#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

std::vector<RleView> views_of(const RleColumn& column) {
  return {column.begin(), column.end()};
}

TEST(RleColumn, KeepsMasksInTheirOrderWhereverTheirRunsLie) {
  RleColumn column = {left(), none(), right()};
  EXPECT_THAT(views_of(column), ElementsAre(left(), none(), right()));
  RleColumn more = {right(), left()};
  column.append(std::move(more));
  column.push_back(left());
  EXPECT_THAT(views_of(column), ElementsAre(left(), none(), right(), right(), left(), left()));
  column.replace(std::vector<std::uint32_t>{4, 1}, RleColumn{none(), right()});
  EXPECT_THAT(views_of(column), ElementsAre(left(), right(), right(), right(), none(), left()));
  EXPECT_THAT(views_of(column.rows(std::vector<std::uint32_t>{5, 4, 4})), ElementsAre(left(), none(), none()));
}

TEST(RleColumn, ViewsOutliveTheColumnThatTheyWereTakenFrom) {
  RleColumn taken;
  {
    RleColumn column = {left(), right()};
    taken = column.rows(std::vector<std::uint32_t>{1});
    const RleColumn copy = column;
    column.push_back(none());
    column.push_back(left());
    EXPECT_THAT(views_of(copy), ElementsAre(left(), right()));
  }
  taken.push_back(left());
  EXPECT_THAT(views_of(taken), ElementsAre(right(), left()));
}

TEST(RleColumn, MasksOfAnySizeFit) {
  RleColumn column;
  std::vector<Rle> masks;
  for (const std::uint32_t runs : {1U, 100'000U, 100'000U, 7U, 1'000'000U, 3U, 130'000U}) {
    masks.push_back({1, runs * (runs + 1) / 2, {}});
    for (std::uint32_t run = 1; run <= runs; ++run) {
      masks.back().counts.push_back(run);
    }
    column.push_back(masks.back());
  }
  ASSERT_EQ(column.size(), masks.size());
  for (std::size_t i = 0; i < masks.size(); ++i) {
    EXPECT_TRUE(column[i] == masks[i]) << i;
  }
}

}  // namespace
}  // namespace verilabel
