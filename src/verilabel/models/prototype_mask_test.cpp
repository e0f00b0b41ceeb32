#include "verilabel/models/prototype_mask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace verilabel {
namespace {

struct Prototypes {
  std::vector<float> values;
  std::vector<std::int64_t> shape;

  OutputView view() const { return {values, shape}; }
};

/// Rows of '.' and '#', for people.
std::vector<std::string> picture(const Rle& mask) {
  const std::vector<std::uint8_t> bitmap = bitmap_from_rle(mask);
  std::vector<std::string> rows(mask.height);
  for (std::size_t y = 0; y < mask.height; ++y) {
    for (std::size_t x = 0; x < mask.width; ++x) {
      rows[y] += bitmap[x * mask.height + y] != 0 ? '#' : '.';
    }
  }
  return rows;
}

using Rows = std::vector<std::string>;

// An input of 8 x 8 has prototypes of 2 x 2, and shows an image of 4 x 4 at twice its size. Bilinear enlargement by 2 takes the
// weights 1, 3/4 + 1/4, 1/4 + 3/4, 1.
const InputTransform kWholeInput{2, 2, 0, 0, 4, 4};

TEST(PrototypeMask, EnlargesTheWeightedSumOfThePrototypes) {
  // 2 · [1 0; 0 0] − 1 · [0 1; 1 1] = [2 −1; −1 −1]. Rows 0 and 1 of a column before the vertical step: at weights (1, 0) 2, (3/4,
  // 1/4) 1.25, (1/4, 3/4) −0.25, (0, 1) −1; row 1 is −1 everywhere. Vertically: 2 → 2, 1.25, −0.25; 1.25 → 1.25, 0.6875, −0.4375.
  const Prototypes prototypes{{1, 0, 0, 0, 0, 1, 1, 1}, {2, 2, 2}};
  const std::vector<float> coefficients = {2, -1};
  const Rle mask = mask_from_prototypes(coefficients, prototypes.view(), {0, 0, 4, 4}, kWholeInput);
  EXPECT_EQ(picture(mask), (Rows{"##..", "##..", "....", "...."}));
  EXPECT_EQ(mask.counts, (std::vector<std::uint32_t>{0, 2, 2, 2, 10}));
}

TEST(PrototypeMask, ZeroIsOutside) {
  const Prototypes prototypes{{0, 0, 0, 0}, {1, 2, 2}};
  const Rle mask = mask_from_prototypes(std::vector<float>{1}, prototypes.view(), {0, 0, 4, 4}, kWholeInput);
  EXPECT_EQ(mask.counts, (std::vector<std::uint32_t>{16}));
}

TEST(PrototypeMask, APixelIsInsideTheBoxByItsIndex) {
  // x: 0.5 ≤ index < 3, so 1 and 2; y: 1 ≤ index < 2.01, so 1 and 2.
  const Prototypes prototypes{{1, 1, 1, 1}, {1, 2, 2}};
  const Rle mask = mask_from_prototypes(std::vector<float>{1}, prototypes.view(), {0.5, 1, 2.5, 1.01}, kWholeInput);
  EXPECT_EQ(picture(mask), (Rows{"....", ".##.", ".##.", "...."}));
}

TEST(PrototypeMask, FullImageIsOneRun) {
  const Prototypes prototypes{{1, 1, 1, 1}, {1, 2, 2}};
  const Rle mask = mask_from_prototypes(std::vector<float>{1}, prototypes.view(), {0, 0, 4, 4}, kWholeInput);
  EXPECT_EQ(mask.counts, (std::vector<std::uint32_t>{0, 16}));
}

TEST(PrototypeMask, EmptyBoxHasAnEmptyMaskOfTheImagesSize) {
  const Prototypes prototypes{{1, 1, 1, 1}, {1, 2, 2}};
  for (const Box& box : {Box{1.2, 1, 0.5, 2}, Box{-5, -5, 2, 2}, Box{9, 0, 2, 2}}) {
    const Rle mask = mask_from_prototypes(std::vector<float>{1}, prototypes.view(), box, kWholeInput);
    EXPECT_EQ(mask.counts, (std::vector<std::uint32_t>{16}));
    EXPECT_EQ(mask.height, 4U);
    EXPECT_EQ(mask.width, 4U);
  }
}

TEST(PrototypeMask, PaddingOfWholePrototypePixelsIsCutOff) {
  // An image of 8 x 4 in an input of 8 x 12: 4 pixels of padding above and below are one row of prototypes each. Their great values
  // must not reach into the image.
  const Prototypes prototypes{{9, 9, 1, -1, 9, 9}, {1, 3, 2}};
  const InputTransform transform{1, 1, 0, 4, 8, 4};
  const Rle mask = mask_from_prototypes(std::vector<float>{1}, prototypes.view(), {0, 0, 8, 4}, transform);
  // From 2 to 8 columns: 1, 1, .75, .25, −.25, −.75, −1, −1.
  EXPECT_EQ(picture(mask), (Rows{"####....", "####....", "####....", "####...."}));
}

TEST(PrototypeMask, PaddingThatEndsInsideAPrototypePixelIsCutAfterEnlarging) {
  // An image of 4 x 2 in an input of 4 x 8, 3 pixels of padding above and below: enlarged 4 times, the column of prototypes −1, 1
  // is −1 −1 −.75 [−.25 .25] .75 1 1, and the two in brackets are the image.
  const Prototypes prototypes{{-1, 1}, {1, 2, 1}};
  const InputTransform transform{1, 1, 0, 3, 4, 2};
  const Rle mask = mask_from_prototypes(std::vector<float>{1}, prototypes.view(), {0, 0, 4, 2}, transform);
  EXPECT_EQ(picture(mask), (Rows{"....", "####"}));
}

// The same, step by step as the definition has it, on random prototypes: enlarge, cut, resize.
TEST(PrototypeMask, EqualsTheDefinitionStepByStep) {
  struct Fit {
    int image_width;
    int image_height;
    int left;
    int top;
    int content_width;
    int content_height;
    int enlargement;
  };
  constexpr int kInputWidth = 48;
  constexpr int kInputHeight = 32;
  const auto sample = [](const std::vector<double>& map, int width, int height, double x, double y) {
    const auto clamped = [](double at, int size) { return std::min(std::max(at, 0.0), size - 1.0); };
    x = clamped(x, width);
    y = clamped(y, height);
    const int x0 = static_cast<int>(x);
    const int y0 = static_cast<int>(y);
    const int x1 = std::min(x0 + 1, width - 1);
    const int y1 = std::min(y0 + 1, height - 1);
    const auto at = [&](int row, int column) { return map[static_cast<std::size_t>(row * width + column)]; };
    return (at(y0, x0) * (1 - (x - x0)) + at(y0, x1) * (x - x0)) * (1 - (y - y0)) +
           (at(y1, x0) * (1 - (x - x0)) + at(y1, x1) * (x - x0)) * (y - y0);
  };
  std::uint32_t state = 12345;
  const auto random = [&] {
    state = state * 1664525U + 1013904223U;
    return static_cast<float>(state >> 8) / static_cast<float>(1U << 24) - 0.5F;
  };
  for (const Fit& fit : {Fit{96, 64, 0, 0, 48, 32, 1}, Fit{30, 40, 12, 0, 24, 32, 1}, Fit{200, 100, 0, 4, 48, 24, 1},
                         Fit{100, 60, 0, 2, 48, 28, 2}, Fit{31, 20, 0, 1, 48, 31, 4}, Fit{17, 5, 0, 9, 48, 14, 4}}) {
    constexpr int kWidth = kInputWidth / kPrototypeStride;
    constexpr int kHeight = kInputHeight / kPrototypeStride;
    Prototypes prototypes{{}, {3, kHeight, kWidth}};
    for (int i = 0; i < 3 * kHeight * kWidth; ++i) {
      prototypes.values.push_back(random());
    }
    const std::vector<float> coefficients = {random(), random(), random()};
    std::vector<double> logits(kWidth * kHeight, 0);
    for (std::size_t i = 0; i < prototypes.values.size(); ++i) {
      logits[i % logits.size()] += static_cast<double>(coefficients[i / logits.size()]) * static_cast<double>(prototypes.values[i]);
    }
    const int width = fit.content_width * fit.enlargement / kPrototypeStride;
    const int height = fit.content_height * fit.enlargement / kPrototypeStride;
    const int left = fit.left * fit.enlargement / kPrototypeStride;
    const int top = fit.top * fit.enlargement / kPrototypeStride;
    std::vector<double> cut;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        cut.push_back(
            sample(logits, kWidth, kHeight, (x + left + 0.5) / fit.enlargement - 0.5, (y + top + 0.5) / fit.enlargement - 0.5));
      }
    }
    const InputTransform transform{static_cast<double>(fit.content_width) / fit.image_width,
                                   static_cast<double>(fit.content_height) / fit.image_height,
                                   static_cast<double>(fit.left),
                                   static_cast<double>(fit.top),
                                   fit.image_width,
                                   fit.image_height};
    const Box box{2.5, 1, fit.image_width - 4.0, fit.image_height - 2.0};
    const Rle mask = mask_from_prototypes(coefficients, prototypes.view(), box, transform);
    const std::vector<std::uint8_t> bitmap = bitmap_from_rle(mask);
    for (int y = 0; y < fit.image_height; ++y) {
      for (int x = 0; x < fit.image_width; ++x) {
        const double logit =
            sample(cut, width, height, (x + 0.5) * width / fit.image_width - 0.5, (y + 0.5) * height / fit.image_height - 0.5);
        if (std::abs(logit) < 1e-5) {
          continue;  // rounding decides
        }
        const bool is_in_box = x >= box.x && x < box.x + box.w && y >= box.y && y < box.y + box.h;
        ASSERT_EQ(bitmap[static_cast<std::size_t>(x * fit.image_height + y)] != 0, is_in_box && logit > 0)
            << "x " << x << " y " << y << " of " << fit.image_width << " x " << fit.image_height;
      }
    }
  }
}

}  // namespace
}  // namespace verilabel
