#include "verilabel/workflow/protocol.h"

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/evaluate/resampled_metrics.h"

namespace verilabel {
namespace {

constexpr std::uint32_t kImages = 12;
constexpr std::uint32_t kClasses = 4;

struct Federated {
  EvaluationInput input;
  ProtocolContext context;
};

/// Truths and predictions, some of them of no area, on images that were looked through for some classes only.
Federated random_federated(std::mt19937& random) {
  const auto between = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); };
  Federated data;
  EvaluationInput& input = data.input;
  Federation& federation = data.context.federation;
  for (std::uint32_t k = 0; k < kClasses; ++k) {
    input.classes.id.push_back(k + 1);
    input.classes.name.push_back(fmt::format("c{}", k));
    federation.frequency.push_back(ClassFrequency::common);
  }
  federation.absent.resize(kImages);
  federation.not_exhaustive.resize(kImages);
  for (std::uint32_t image = 0; image < kImages; ++image) {
    input.images.id.push_back(100 - image);
    for (std::uint32_t k = 0; k < kClasses; ++k) {
      if (random() % 4 == 0) {
        (random() % 2 == 0 ? federation.absent : federation.not_exhaustive)[image].push_back(k);
      }
    }
    for (int i = 0; i < 12; ++i) {
      const Box box{between(0, 60), between(0, 60), between(8, 30), between(8, 30)};
      const auto category = static_cast<std::uint32_t>(random() % kClasses);
      if (i % 3 != 0) {
        input.truths.image.push_back(image);
        input.truths.category.push_back(category);
        input.truths.box_xywh_px.push_back(box);
        input.truths.area_px.push_back(random() % 3 == 0 ? 0 : box.w * box.h);
        input.truths.is_crowd.push_back(random() % 5 == 0 ? 1 : 0);
      }
      input.predictions.image.push_back(image);
      input.predictions.category.push_back(random() % 5 == 0 ? (category + 1) % kClasses : category);
      input.predictions.box_xywh_px.push_back({box.x + between(-3, 3), box.y + between(-3, 3), box.w, box.h});
      input.predictions.score.push_back(static_cast<double>(random() % 30) / 30);
      input.predictions.area_px.push_back(random() % 6 == 0 ? 0 : box.w * box.h);
    }
  }
  return data;
}

// The mean average precision that the outcomes give at IoU 0.5 is lvis-api's AP50: nothing is right or excused that it does not
// see.
TEST(Protocol, OutcomesOfLvisGiveItsAveragePrecision) {
  std::mt19937 random(17);
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const Federated data = random_federated(random);
    EvaluateOptions options;
    options.max_detections = std::numeric_limits<std::uint32_t>::max();
    options.max_detections_of_image = 300;
    const ProtocolEvaluation result = evaluate_by(Protocol::lvis, data.input, data.context, options);
    const ResampledMetrics metrics(result.input, result.evaluation.outcomes, std::nullopt);
    const auto named = [&](std::string_view name) {
      for (const auto& [metric, value] : result.numbers.metrics) {
        if (metric == name) {
          return value;
        }
      }
      return std::optional<double>();
    };
    ASSERT_TRUE(named("AP50"));
    EXPECT_NEAR(*metrics.once().overall.ap, *named("AP50"), 1e-9);
    for (std::size_t i = 0; i < data.input.truths.size(); ++i) {
      if (data.input.truths.area_px[i] == 0) {
        EXPECT_EQ(result.evaluation.outcomes.truths[i].outcome, Outcome::ignored);
        EXPECT_EQ(result.evaluation.outcomes.truths[i].partner, kNoPartner);
      }
    }
  }
}

}  // namespace
}  // namespace verilabel
