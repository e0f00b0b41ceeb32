#include "verilabel/workflow/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace verilabel {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TEST(Histogram, HasBinsThatHoldTheirLowerEdge) {
  const Histogram h = histogram_of({0, 0.25, 0.3, 0.5, 0.75, 1, kNone}, HistogramScale::unit, 4);
  EXPECT_THAT(h.edges, ElementsAre(0, 0.25, 0.5, 0.75, 1));
  EXPECT_THAT(h.counts, ElementsAre(1, 2, 1, 2));  // 1 is in the last one
  EXPECT_EQ(h.values, 6);
  EXPECT_EQ(h.absent, 1);
}

TEST(Histogram, CutsNothingOffOutsideOfOne) {
  const Histogram h = histogram_of({-1, 0.5, 3}, HistogramScale::unit, 2);
  EXPECT_THAT(h.edges, ElementsAre(-1, 1, 3));
  EXPECT_THAT(h.counts, ElementsAre(2, 1));
}

TEST(Histogram, OfCountsHasWholeEdges) {
  EXPECT_THAT(histogram_of({0, 1, 1, 3}, HistogramScale::whole, 10).counts, ElementsAre(1, 2, 0, 1));
  const Histogram h = histogram_of({0, 1, 9, 12}, HistogramScale::whole, 4);  // 13 counts in 4 bins: of 4 each
  EXPECT_THAT(h.edges, ElementsAre(0, 4, 8, 12, 16));
  EXPECT_THAT(h.counts, ElementsAre(2, 0, 1, 1));
}

TEST(Histogram, OfDecadesHasEdgesOfOneRatio) {
  const Histogram h = histogram_of({0, 1, 5, 50, 100, 1000}, HistogramScale::logarithmic, 3);
  EXPECT_THAT(h.edges, ElementsAre(0, DoubleNear(10, 1e-9), DoubleNear(100, 1e-9), 1000));
  EXPECT_EQ(h.counts[0], 3);
  EXPECT_EQ(h.counts[0] + h.counts[1] + h.counts[2], 6);
}

TEST(Histogram, OfValuesThatDifferByRoundingHasEdgesInOrder) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    const double value = std::exp(std::uniform_real_distribution<double>(-5, 12)(random));
    const double next = std::nextafter(value, 0);
    const Histogram h = histogram_of({next, value, std::nextafter(next, 0)}, HistogramScale::logarithmic, 10);
    EXPECT_TRUE(std::ranges::is_sorted(h.edges)) << value;
    EXPECT_EQ(std::accumulate(h.counts.begin(), h.counts.end(), std::int64_t{0}), 3);
  }
}

TEST(Histogram, OfOneValueOrNoneHasOneBinOrNone) {
  EXPECT_THAT(histogram_of({7, 7}, HistogramScale::linear, 5).counts, ElementsAre(2));
  EXPECT_THAT(histogram_of({0, 0}, HistogramScale::logarithmic, 5).counts, ElementsAre(2));
  EXPECT_THAT(histogram_of({0, 7}, HistogramScale::logarithmic, 2).counts, ElementsAre(1, 1));
  const Histogram none = histogram_of({kNone}, HistogramScale::linear, 5);
  EXPECT_THAT(none.edges, IsEmpty());
  EXPECT_EQ(none.absent, 1);
}

TEST(Histogram, HasEveryValueInOneBin) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> values;
    for (auto n = 1 + random() % 50; n > 0; --n) {
      values.push_back(std::ldexp(static_cast<double>(random() % 1000), static_cast<int>(random() % 40) - 20));
    }
    for (const HistogramScale scale :
         {HistogramScale::linear, HistogramScale::from_zero, HistogramScale::unit, HistogramScale::logarithmic}) {
      const Histogram h = histogram_of(values, scale, 7);
      ASSERT_EQ(h.edges.size(), h.counts.size() + 1);
      ASSERT_LE(h.counts.size(), 7U);
      ASSERT_TRUE(std::ranges::is_sorted(h.edges));
      for (std::size_t i = 0; i < h.counts.size(); ++i) {
        const bool is_last = i + 1 == h.counts.size();
        ASSERT_EQ(h.counts[i], std::ranges::count_if(values, [&](double value) {
                    return value >= h.edges[i] && (is_last ? value <= h.edges[i + 1] : value < h.edges[i + 1]);
                  }));
      }
      ASSERT_EQ(std::accumulate(h.counts.begin(), h.counts.end(), std::int64_t{0}), static_cast<std::int64_t>(values.size()));
    }
  }
}

}  // namespace
}  // namespace verilabel
