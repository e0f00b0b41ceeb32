#include "verilabel/image/brightness.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

TEST(Brightness, OfOneColourIsItsLuma) {
  const auto luma = [](std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    Image image(3, 2);
    for (std::size_t i = 0; i < image.pixels().size(); i += 3) {
      image.pixels()[i] = blue;
      image.pixels()[i + 1] = green;
      image.pixels()[i + 2] = red;
    }
    return mean_luma(image);
  };
  EXPECT_EQ(luma(0, 0, 0), 0);
  EXPECT_DOUBLE_EQ(luma(255, 255, 255), 255);
  EXPECT_DOUBLE_EQ(luma(100, 0, 0), 29.9);
  EXPECT_DOUBLE_EQ(luma(0, 100, 0), 58.7);
  EXPECT_DOUBLE_EQ(luma(0, 0, 100), 11.4);
}

TEST(Brightness, IsTheMeanOverAllPixels) {
  std::mt19937 random(3);
  Image image(301, 77);
  double sum = 0;
  for (std::size_t i = 0; i < image.pixels().size(); ++i) {
    image.pixels()[i] = static_cast<std::uint8_t>(random());
    sum += (i % 3 == 0 ? 0.114 : i % 3 == 1 ? 0.587 : 0.299) * image.pixels()[i];
  }
  EXPECT_NEAR(mean_luma(image), sum / (301 * 77), 1e-9);
}

TEST(Brightness, OfNothingIsAnError) {
  EXPECT_THROW(mean_luma(Image()), Error);
}

}  // namespace
}  // namespace verilabel
