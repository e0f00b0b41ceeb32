#include "verilabel/geometry/nms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Candidates {
  std::vector<float> boxes_xyxy;
  std::vector<float> scores;
  std::vector<std::int32_t> class_ids;

  void add(std::initializer_list<float> xyxy, float score, std::int32_t class_id = 0) {
    boxes_xyxy.insert(boxes_xyxy.end(), xyxy);
    scores.push_back(score);
    class_ids.push_back(class_id);
  }
  std::vector<std::uint32_t> nms(NmsOptions options) const { return verilabel::nms({boxes_xyxy, scores, class_ids}, options); }
};

// The definition, with nothing clever: sort all, compare each pair in the order of scores.
std::vector<std::uint32_t> nms_by_definition(const Candidates& candidates, const NmsOptions& options) {
  std::vector<std::uint32_t> order(candidates.scores.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return candidates.scores[a] > candidates.scores[b]; });
  std::vector<std::uint32_t> kept;
  for (const std::uint32_t index : order) {
    const float* b = &candidates.boxes_xyxy[index * 4];
    const bool is_suppressed = std::any_of(kept.begin(), kept.end(), [&](std::uint32_t better) {
      const float* a = &candidates.boxes_xyxy[better * 4];
      if (options.is_class_aware && candidates.class_ids[better] != candidates.class_ids[index]) {
        return false;
      }
      const float shared =
          std::max(0.F, std::min(a[2], b[2]) - std::max(a[0], b[0])) * std::max(0.F, std::min(a[3], b[3]) - std::max(a[1], b[1]));
      const float both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]);
      return static_cast<double>(shared / (both - shared)) > options.iou_threshold;
    });
    if (!is_suppressed) {
      kept.push_back(index);
    }
  }
  kept.resize(std::min(kept.size(), options.max_detections));
  return kept;
}

TEST(Nms, SuppressesStrictlyAboveTheThreshold) {
  Candidates candidates;
  candidates.add({0, 0, 10, 10}, .9F);
  candidates.add({0, 0, 10, 5}, .8F);  // IoU 50/100 exactly
  EXPECT_THAT(candidates.nms({.iou_threshold = .5}), ElementsAre(0, 1));
  EXPECT_THAT(candidates.nms({.iou_threshold = std::nextafter(.5, 0.)}), ElementsAre(0));
}

TEST(Nms, SuppressedBoxesSuppressNothing) {
  Candidates candidates;
  candidates.add({0, 0, 10, 10}, .9F);
  candidates.add({4, 0, 14, 10}, .8F);  // IoU 60/140 with the first
  candidates.add({8, 0, 18, 10}, .7F);  // 60/140 with the second, 20/180 with the first
  EXPECT_THAT(candidates.nms({.iou_threshold = .4}), ElementsAre(0, 2));
}

TEST(Nms, ClassesMatterOnlyWhenAsked) {
  Candidates candidates;
  candidates.add({0, 0, 10, 10}, .5F, 3);
  candidates.add({0, 0, 10, 10}, .9F, -7);
  candidates.add({0, 0, 10, 10}, .7F, 3);
  EXPECT_THAT(candidates.nms({.iou_threshold = .5}), ElementsAre(1, 2));
  EXPECT_THAT(candidates.nms({.iou_threshold = .5, .is_class_aware = false}), ElementsAre(1));
  EXPECT_THAT(nms({candidates.boxes_xyxy, candidates.scores, {}}, {.is_class_aware = false}), ElementsAre(1));
}

TEST(Nms, EqualScoresStayInTheOrderGivenAndTheBestAreKept) {
  Candidates candidates;
  for (int i = 0; i < 10; ++i) {
    const auto x = static_cast<float>(20 * i);
    candidates.add({x, 0, x + 10, 10}, i == 7 ? .9F : .5F);
  }
  EXPECT_THAT(candidates.nms({.max_detections = 4}), ElementsAre(7, 0, 1, 2));
  EXPECT_THAT(candidates.nms({.max_detections = 0}), IsEmpty());
  EXPECT_EQ(candidates.nms({}).size(), 10U);
  EXPECT_THAT(Candidates{}.nms({}), IsEmpty());
}

TEST(Nms, OddNumbersKeepTheOrderTotal) {
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  Candidates candidates;
  candidates.add({0, 0, 1, 1}, not_a_number);
  candidates.add({10, 0, 11, 1}, -0.F);
  candidates.add({20, 0, 21, 1}, 0.F);
  candidates.add({30, 0, 31, 1}, -std::numeric_limits<float>::infinity());
  candidates.add({40, 0, 41, 1}, std::numeric_limits<float>::infinity());
  candidates.add({50, 0, 50, 0}, .1F);
  candidates.add({50, 0, 50, 0}, .1F);  // 0/0 overlaps nothing
  EXPECT_THAT(candidates.nms({}), ElementsAre(4, 5, 6, 1, 2, 3, 0));
}

TEST(Nms, EqualsTheDefinitionOnRandomInput) {
  std::mt19937 random(31);
  const auto uniform = [&](double from, double to) {
    return static_cast<float>(std::uniform_real_distribution<>(from, to)(random));
  };
  for (int round = 0; round < 300; ++round) {
    Candidates candidates;
    const std::size_t count = random() % (round % 10 == 0 ? 6000 : 300);
    for (std::size_t i = 0; i < count; ++i) {
      const float x = std::round(uniform(0, 120));
      const float y = std::round(uniform(0, 120));
      const float score = std::round(uniform(0, 1) * 200) / 200;  // many ties
      candidates.add({x, y, x + std::round(uniform(0, 60)), y + std::round(uniform(0, 60))}, score,
                     static_cast<std::int32_t>(random() % 5));
    }
    const std::size_t limits[] = {1, 7, 100, 1000, SIZE_MAX};
    const double thresholds[] = {0, .3, .5, .65, 1};
    const NmsOptions options{
        .iou_threshold = thresholds[random() % 5], .is_class_aware = random() % 2 == 0, .max_detections = limits[random() % 5]};
    EXPECT_EQ(candidates.nms(options), nms_by_definition(candidates, options));
  }
}

}  // namespace
}  // namespace verilabel
