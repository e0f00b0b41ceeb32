#include "verilabel/geometry/box.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace verilabel {
namespace {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

TEST(Box, OverlapsWorkedByHand) {
  struct Row {
    const char* what;
    Box a;
    Box b;
    double intersection;
    double iou;
    double over_a;
  };
  const Row rows[] = {
      {"the same", {1, 2, 3, 4}, {1, 2, 3, 4}, 12, 1, 1},
      {"5 × 10 of 100 + 100 - 50", {0, 0, 10, 10}, {5, 0, 10, 10}, 50, 50. / 150, 50. / 100},
      {"one inside the other", {2, 2, 2, 2}, {0, 0, 8, 8}, 4, 4. / 64, 1},
      {"touching at an edge", {0, 0, 4, 4}, {4, 0, 4, 4}, 0, 0, 0},
      {"touching at a corner", {0, 0, 4, 4}, {4, 4, 4, 4}, 0, 0, 0},
      {"apart", {0, 0, 1, 1}, {7, 7, 1, 1}, 0, 0, 0},
      {"a line", {0, 0, 0, 4}, {0, 0, 4, 4}, 0, 0, 0},
      {"two points", {1, 1, 0, 0}, {1, 1, 0, 0}, 0, 0, 0},
      {"outside the image", {-4, -4, 6, 6}, {-2, -2, 6, 6}, 16, 16. / 56, 16. / 36},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(intersection_area(row.a, row.b), row.intersection) << row.what;
    EXPECT_EQ(iou(row.a, row.b), row.iou) << row.what;
    EXPECT_EQ(iou(row.b, row.a), row.iou) << row.what;
    EXPECT_EQ(intersection_over_detection(row.a, row.b), row.over_a) << row.what;
  }
}

TEST(Box, AreasThatVanishGiveZeroInsteadOfNotANumber) {
  const Box speck{0, 0, 1e-200, 1e-200};  // its area is 0 in double
  EXPECT_EQ(iou(speck, speck), 0);
  EXPECT_EQ(intersection_over_detection(speck, speck), 0);
}

TEST(Box, IsValidOnlyWithFiniteNumbersAndNoNegativeSide) {
  EXPECT_TRUE(is_valid({0, 0, 0, 0}));
  EXPECT_TRUE(is_valid({-5, -5, 1, 1}));
  EXPECT_FALSE(is_valid({0, 0, -1, 1}));
  EXPECT_FALSE(is_valid({0, 0, 1, -1e-9}));
  EXPECT_FALSE(is_valid({kNotANumber, 0, 1, 1}));
  EXPECT_FALSE(is_valid({0, kInfinite, 1, 1}));
  EXPECT_FALSE(is_valid({0, 0, kNotANumber, 1}));
  EXPECT_FALSE(is_valid({0, 0, 1, kInfinite}));
}

}  // namespace
}  // namespace verilabel
