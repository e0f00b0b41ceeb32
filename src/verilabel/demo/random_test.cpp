#include "verilabel/demo/random.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace verilabel::demo {
namespace {

TEST(Random, GivesTheNumbersOfThePublishedAlgorithms) {
  // SplitMix64 from 0 begins with e220a8397b1dcdaf; two words go into the seed, and its next four outputs are the state, of which
  // xoshiro256** makes rotl(s1 · 5, 7) · 9.
  const auto mix = [](std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  };
  std::uint64_t state = 0;
  EXPECT_EQ(mix(state), 0xe220a8397b1dcdaf);
  state = 0;
  state = mix(state) ^ 5;
  state = mix(state) ^ 7;
  mix(state);
  const std::uint64_t times_five = mix(state) * 5;
  EXPECT_EQ(Random(0, 5, 7).next(), ((times_five << 7) | (times_five >> 57)) * 9);
}

TEST(Random, StaysWithinItsLimitsAndReachesThem) {
  Random random(3);
  int lowest = 9;
  int highest = 0;
  for (int i = 0; i < 1000; ++i) {
    const double uniform = random.uniform();
    EXPECT_GE(uniform, 0);
    EXPECT_LT(uniform, 1);
    const int integer = random.integer(2, 5);
    lowest = std::min(lowest, integer);
    highest = std::max(highest, integer);
  }
  EXPECT_EQ(lowest, 2);
  EXPECT_EQ(highest, 5);
}

TEST(Random, NormalNumbersHaveMeanZeroAndDeviationOne) {
  Random random(4);
  constexpr int kCount = 20000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = random.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.03);  // four standard errors
  EXPECT_NEAR(squares / kCount, 1, 0.04);
}

TEST(Random, WeightsAreSharesAndNothingIsPickedThatWeighsNothing) {
  Random random(5);
  const double weights[] = {1, 0, 3, 0};
  int counts[4] = {};
  for (int i = 0; i < 8000; ++i) {
    ++counts[random.weighted(weights)];
  }
  EXPECT_EQ(counts[1] + counts[3], 0);
  EXPECT_NEAR(counts[0] / 8000.0, 0.25, 0.02);
}

}  // namespace
}  // namespace verilabel::demo
