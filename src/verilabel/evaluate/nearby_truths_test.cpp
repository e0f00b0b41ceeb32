#include "verilabel/evaluate/nearby_truths.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "verilabel/evaluate/overlap.h"

namespace verilabel {
namespace {

Box random_box(std::mt19937& random) {
  const auto between = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); };
  switch (random() % 12) {
    case 0:
      return {between(-1e6, 1e6), between(-1e6, 1e6), between(0, 2e6), between(0, 2e6)};
    case 1:
      return {between(0, 900), between(0, 900), 0, between(0, 50)};
    case 2:
      return {between(0, 900), between(0, 900), -between(0, 50), between(0, 50)};
    case 3:
      return {-1e308, 0, 1.5e308, 1e308};
    case 4:
      return {0, between(0, 900), 1000, between(1, 5)};
    case 5:
      return {std::floor(between(0, 20)) * 50, std::floor(between(0, 20)) * 50, 50, 50};
    default:
      return {between(0, 950), between(0, 950), between(1, 40), between(1, 40)};
  }
}

TEST(NearbyTruths, EveryTruthThatIsNotApartIsFoundInOrder) {
  std::mt19937 random(3);
  for (const std::size_t count : {0U, 1U, 64U, 65U, 300U, 2000U}) {
    std::vector<Box> boxes;
    std::vector<std::uint32_t> truths;  // every other one; the rest are on other images
    for (std::uint32_t i = 0; i < 2 * count; ++i) {
      boxes.push_back(random_box(random));
      if (i % 2 == 1) {
        truths.push_back(i);
      }
    }
    NearbyTruths nearby(boxes, truths);
    for (int query = 0; query < 300; ++query) {
      const Box box = random_box(random);
      const auto found = nearby.around(box);
      ASSERT_TRUE(std::is_sorted(found.begin(), found.end(), std::less_equal<>())) << "each once";
      ASSERT_TRUE(std::includes(truths.begin(), truths.end(), found.begin(), found.end()));
      for (const std::uint32_t truth : truths) {
        ASSERT_TRUE(is_apart(box, boxes[truth]) || std::binary_search(found.begin(), found.end(), truth));
      }
    }
  }
}

TEST(NearbyTruths, EqualBoxesAreFoundEach) {
  const std::vector<Box> boxes(200, Box{5, 5, 10, 10});
  std::vector<std::uint32_t> truths(200);
  for (std::uint32_t i = 0; i < 200; ++i) {
    truths[i] = i;
  }
  NearbyTruths nearby(boxes, truths);
  EXPECT_EQ(nearby.around({14, 14, 3, 3}).size(), 200U);
}

TEST(NearbyTruths, OfManySmallOnesFewAreLookedAtWhereverOneLies) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> place(0, 4000);
  std::vector<Box> boxes = {{1e9, 1e9, 30, 30}, {-1e9, 0, 2e9, 4000}};
  std::vector<std::uint32_t> truths = {0, 1};
  while (boxes.size() < 20000) {
    truths.push_back(static_cast<std::uint32_t>(boxes.size()));
    boxes.push_back({place(random), place(random), 30, 30});
  }
  NearbyTruths nearby(boxes, truths);
  std::size_t looked_at = 0;
  for (int query = 0; query < 1000; ++query) {
    looked_at += nearby.around({place(random), place(random), 30, 30}).size();
  }
  EXPECT_LT(looked_at, 1000U * 200U);
}

}  // namespace
}  // namespace verilabel
