#include "verilabel/evaluate/score_index.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

namespace verilabel {
namespace {

/// Whether `narrow` keeps its promise for `score`.
void expect_narrows(const ScoreIndex& index, const std::vector<double>& scores, double score) {
  const auto [begin, end] = index.narrow(score);
  ASSERT_LE(begin, end);
  ASSERT_LE(end, scores.size());
  EXPECT_TRUE(
      std::all_of(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(begin), [&](double s) { return s > score; }));
  EXPECT_TRUE(std::all_of(scores.begin() + static_cast<std::ptrdiff_t>(end), scores.end(), [&](double s) { return s < score; }));
}

TEST(ScoreIndex, narrows_to_a_stretch_that_holds_every_equal_score) {
  constexpr double most = std::numeric_limits<double>::max();
  constexpr double least = std::numeric_limits<double>::denorm_min();
  std::vector<std::vector<double>> lists = {{},         {.5}, {.5, .5, .5}, {most, 0, -most}, {least, 0}, {1e300, 1, 1 - 1e-16, 0},
                                            {0.0, -0.0}};
  std::mt19937_64 random(3);
  for (int i = 0; i < 50; ++i) {
    std::vector<double>& list = lists.emplace_back();
    for (auto left = random() % 200; left > 0; --left) {
      const double score = std::uniform_real_distribution<double>(-1, 1)(random);
      list.push_back(i % 3 == 0 ? std::round(score * 10) / 10 : score * score * score);
    }
    std::sort(list.begin(), list.end(), std::greater<>());
  }
  for (const std::vector<double>& scores : lists) {
    const ScoreIndex index(scores);
    for (const double score : {most, 2.0, 1.0, .5, least, 0.0, -0.0, -least, -.5, -most}) {
      expect_narrows(index, scores, score);
    }
    for (const double score : scores) {
      expect_narrows(index, scores, score);
      expect_narrows(index, scores, std::nextafter(score, most));
      expect_narrows(index, scores, std::nextafter(score, -most));
    }
  }
}

}  // namespace
}  // namespace verilabel
