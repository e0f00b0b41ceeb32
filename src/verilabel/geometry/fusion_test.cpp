#include "verilabel/geometry/fusion.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

/// Of models that all have looked.
std::vector<FusedBox> fuse_all(std::span<const FusionBox> boxes, std::size_t models, const FusionOptions& options) {
  return fuse(boxes, std::vector<std::uint8_t>(models, 1), options);
}

Box box_from(std::istringstream& words) {
  double x1 = 0;
  double y1 = 0;
  double x2 = 0;
  double y2 = 0;
  words >> x1 >> y1 >> x2 >> y2;
  return {x1, y1, x2 - x1, y2 - y1};
}

struct Case {
  FusionOptions options;
  std::size_t models = 0;
  std::vector<FusionBox> boxes;
  std::vector<FusedBox> expected;
};

Case case_from(std::istringstream& words) {
  Case one;
  std::string method;
  words >> method >> one.models >> one.options.iou >> one.options.sigma >> one.options.floor;
  one.options.method = method == "nms" ? FusionMethod::nms : (method == "wbf" ? FusionMethod::wbf : FusionMethod::soft_nms);
  one.options.weights_of_model.resize(one.models);
  for (double& weight : one.options.weights_of_model) {
    words >> weight;
  }
  return one;
}

TEST(Fusion, EqualsEnsembleBoxesOnRandomBoxes) {
  std::ifstream file(std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/geometry/fusion_reference.txt");
  Case now;
  int cases = 0;
  int objects = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    if (what == "case") {
      now = case_from(words);
    } else if (what == "in") {
      FusionBox box;
      words >> box.model >> box.class_id >> box.score;
      box.box_xywh_px = box_from(words);
      now.boxes.push_back(box);
    } else if (what == "out") {
      FusedBox box;
      words >> box.class_id >> box.score;
      box.box_xywh_px = box_from(words);
      now.expected.push_back(box);
    } else {
      ++cases;
      SCOPED_TRACE(cases);
      std::vector<FusedBox> fused = fuse_all(now.boxes, now.models, now.options);
      if (now.options.method == FusionMethod::soft_nms) {
        // The package chooses by the lowered scores and gives those from before.
        const double greatest = std::ranges::max(now.options.weights_of_model);
        for (FusedBox& one : fused) {
          const FusionBox& member = now.boxes[one.members.front()];
          one.score = member.score * now.options.weights_of_model[member.model] / greatest;
        }
        std::ranges::sort(fused, std::ranges::greater{}, &FusedBox::score);
      }
      ASSERT_EQ(fused.size(), now.expected.size());
      for (std::size_t i = 0; i < fused.size(); ++i) {
        ++objects;
        const FusedBox& other = now.expected[i];
        EXPECT_EQ(fused[i].class_id, other.class_id);
        EXPECT_NEAR(fused[i].score, other.score, 1e-6);
        EXPECT_NEAR(fused[i].box_xywh_px.x, other.box_xywh_px.x, 1e-6);
        EXPECT_NEAR(fused[i].box_xywh_px.y, other.box_xywh_px.y, 1e-6);
        EXPECT_NEAR(fused[i].box_xywh_px.w, other.box_xywh_px.w, 2e-6);
        EXPECT_NEAR(fused[i].box_xywh_px.h, other.box_xywh_px.h, 2e-6);
      }
    }
  }
  EXPECT_EQ(cases, 90);
  EXPECT_GT(objects, 300);
}

// Two models, weights 2 and 1. Both see one object: scores 0.8 · 2 = 1.6 and 0.5 · 1 = 0.5 from x = 0 and x = 1.
// x = (1.6 · 0 + 0.5 · 1) / 2.1 = 0.238095…; score = (1.6 + 0.5) / 2 · min(2, 2) / 3 = 0.7.
// The second sees another alone: 0.9 · 1 / 1 · 1 / 3 = 0.3.
TEST(Fusion, WeightedByHand) {
  const std::vector<FusionBox> boxes = {
      {{0, 0, 10, 10}, 0.8, 0, 0}, {{1, 0, 10, 10}, 0.5, 0, 1}, {{50, 50, 10, 10}, 0.9, 0, 1}, {{0, 0, 10, 10}, 0.4, 1, 1}};
  FusionOptions options;
  options.weights_of_model = {2, 1};
  const std::vector<FusedBox> fused = fuse_all(boxes, 2, options);
  ASSERT_THAT(fused, SizeIs(3));
  EXPECT_NEAR(fused[0].score, 0.7, 1e-12);
  EXPECT_NEAR(fused[0].box_xywh_px.x, 0.5 / 2.1, 1e-12);
  EXPECT_NEAR(fused[0].box_xywh_px.w, 10, 1e-12);
  EXPECT_THAT(fused[0].members, ElementsAre(0, 1));
  EXPECT_NEAR(fused[1].score, 0.3, 1e-12);
  EXPECT_EQ(fused[1].box_xywh_px, (Box{50, 50, 10, 10})) << "a box alone stays as it was, to the last bit";
  EXPECT_EQ(fused[2].class_id, 1) << "classes never meet";
}

// 0.9 of the one model that looked stays 0.9: 0.9 · 3 / 1 · min(1, 1) / 3.
TEST(Fusion, AModelThatNeverLookedHasNoPartInTheShare) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> part(0, 1);
  for (int round = 0; round < 200; ++round) {
    FusionOptions three;
    three.weights_of_model = {1 + part(random), 1 + part(random), 1 + part(random)};
    const std::size_t absent = random() % 3;
    FusionOptions two = three;
    two.weights_of_model.erase(two.weights_of_model.begin() + static_cast<std::ptrdiff_t>(absent));
    std::vector<FusionBox> of_three;
    std::vector<FusionBox> of_two;
    for (int i = 0; i < 8; ++i) {
      const FusionBox box = {{5 * part(random), 5 * part(random), 20, 20}, part(random), 0, random() % 2};
      of_two.push_back(box);
      of_three.push_back(box);
      of_three.back().model += box.model >= absent ? 1 : 0;
    }
    std::vector<std::uint8_t> has_looked(3, 1);
    has_looked[absent] = 0;
    const std::vector<FusedBox> fused = fuse(of_three, has_looked, three);
    const std::vector<FusedBox> expected = fuse_all(of_two, 2, two);
    ASSERT_EQ(fused.size(), expected.size());
    for (std::size_t i = 0; i < fused.size(); ++i) {
      EXPECT_EQ(fused[i].score, expected[i].score);
      EXPECT_EQ(fused[i].box_xywh_px, expected[i].box_xywh_px);
      EXPECT_EQ(fused[i].members, expected[i].members);
    }
  }
  const std::vector<FusionBox> alone = {{{1, 2, 3, 4}, 0.9, 0, 1}};
  FusionOptions options;
  options.weights_of_model = {2, 3};
  EXPECT_NEAR(fuse(alone, std::vector<std::uint8_t>{0, 1}, options).front().score, 0.9, 1e-12);
  options.method = FusionMethod::nms;
  options.weights_of_model = {4, 1};
  EXPECT_NEAR(fuse(alone, std::vector<std::uint8_t>{0, 1}, options).front().score, 0.9 / 4, 1e-12)
      << "how far a model is trusted does not hang on who else looked";
}

// Boxes from x = 0 and x = 2 of score 0 have their middle; one of score 0.5 that is there first stays where it is.
TEST(Fusion, BoxesOfScoreZeroHaveTheirPlainMean) {
  std::vector<FusionBox> boxes = {{{0, 0, 10, 10}, 0, 0, 0}, {{2, 0, 12, 10}, 0, 0, 1}};
  const std::vector<FusedBox> fused = fuse_all(boxes, 2, {});
  ASSERT_THAT(fused, SizeIs(1));
  EXPECT_EQ(fused[0].box_xywh_px, (Box{1, 0, 11, 10}));
  EXPECT_EQ(fused[0].score, 0);
  boxes[0].score = 0.5;
  EXPECT_EQ(fuse_all(boxes, 2, {}).front().box_xywh_px, (Box{0, 0, 10, 10}));
}

// IoU = 5 / 15; the weaker is left 0.5 · exp(−(1/3)² / 0.5) = 0.400…
TEST(Fusion, SoftNmsLowersWhatIsCovered) {
  const std::vector<FusionBox> boxes = {{{0, 0, 10, 1}, 0.5, 0, 0}, {{5, 0, 10, 1}, 0.9, 0, 1}};
  FusionOptions options;
  options.method = FusionMethod::soft_nms;
  const std::vector<FusedBox> fused = fuse_all(boxes, 2, options);
  ASSERT_THAT(fused, SizeIs(2));
  EXPECT_EQ(fused[0].score, 0.9);
  EXPECT_NEAR(fused[1].score, 0.5 * std::exp(-2.0 / 9), 1e-12);
  options.floor = 0.41;
  EXPECT_THAT(fuse_all(boxes, 2, options), SizeIs(1));
}

TEST(Fusion, NothingAndEqualBoxes) {
  for (const FusionMethod method : {FusionMethod::nms, FusionMethod::soft_nms, FusionMethod::wbf}) {
    FusionOptions options;
    options.method = method;
    EXPECT_TRUE(fuse_all({}, 2, options).empty());
    const std::vector<FusionBox> equal(3, {{1, 2, 3, 4}, 0.5, 0, 0});
    const std::vector<FusedBox> fused = fuse_all(equal, 1, options);
    EXPECT_EQ(fused.size(), method == FusionMethod::soft_nms ? 3U : 1U);
    EXPECT_NEAR(fused.front().score, 0.5, 1e-12) << "a model that doubles its boxes gains nothing";
  }
}

TEST(Fusion, OptionsThatMakeNoSenseAreRefused) {
  const auto with = [](auto change) {
    FusionOptions options;
    change(options);
    return options;
  };
  EXPECT_THROW(with([](auto& options) { options.iou = 1.1; }).validate(2), Error);
  EXPECT_THROW(with([](auto& options) { options.sigma = 0; }).validate(2), Error);
  EXPECT_THROW(with([](auto& options) { options.floor = -1; }).validate(2), Error);
  EXPECT_THROW(with([](auto& options) { options.weights_of_model = {1}; }).validate(2), Error);
  EXPECT_THROW(with([](auto& options) { options.weights_of_model = {1, 0}; }).validate(2), Error);
  EXPECT_NO_THROW(FusionOptions().validate(2));
}

}  // namespace
}  // namespace verilabel
