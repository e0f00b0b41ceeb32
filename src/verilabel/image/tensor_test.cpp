#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "verilabel/image/resize.h"

namespace verilabel {
namespace {

Image numbered_image(int width, int height) {
  Image image(width, height);
  std::uint8_t value = 0;
  for (std::uint8_t& pixel : image.pixels()) {
    pixel = value++;
  }
  return image;
}

TEST(Tensor, PixelsAndPaddingLandWhereTheyShould) {
  const Image image = numbered_image(2, 1);  // bgr 0 1 2, 3 4 5
  PixelScaling scaling;
  scaling.order = ChannelOrder::rgb;
  for (int channel = 0; channel < 3; ++channel) {
    scaling.mean[channel] = static_cast<float>(channel);
    scaling.std[channel] = 0.5F;
  }
  std::vector<float> chw(3 * 3 * 4, -1);
  write_planar(image, tables_of(scaling, 10), 4, 3, 1, 1, chw);
  // Red: (2 - 0) / 0.5 and (5 - 0) / 0.5; green: (1 - 1) / 0.5 and (4 - 1) / 0.5; blue: (0 - 2) / 0.5 and (3 - 2) / 0.5.
  const std::vector<float> expected = {20, 20, 20, 20, 20, 4,  10, 20, 20, 20, 20, 20, 18, 18, 18, 18, 18, 0,
                                       6,  18, 18, 18, 18, 18, 16, 16, 16, 16, 16, -4, 2,  16, 16, 16, 16, 16};
  EXPECT_EQ(chw, expected);
  scaling = {};
  scaling.order = ChannelOrder::bgr;
  std::vector<float> tight(6);
  write_planar(image, tables_of(scaling, 0), 2, 1, 0, 0, tight);
  EXPECT_EQ(tight, (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

TEST(Tensor, WhatLiesOutsideTheCanvasIsCutOff) {
  const Image image = numbered_image(4, 3);  // blue of row y and column x: 12 y + 3 x
  PixelTables tables = tables_of({.order = ChannelOrder::bgr}, 0);
  tables.padding = {-1, -2, -3};
  std::vector<float> chw(3 * 2 * 3);
  write_planar(image, tables, 3, 2, -2, 1, chw);  // columns 2 and 3 of row 0 below a row of padding
  EXPECT_EQ(chw, (std::vector<float>{-1, -1, -1, 6, 9, -1, -2, -2, -2, 7, 10, -2, -3, -3, -3, 8, 11, -3}));
  std::vector<float> inside(3);
  write_planar(image, tables, 1, 1, -1, -2, inside);
  EXPECT_EQ(inside, (std::vector<float>{27, 28, 29}));
  write_planar(image, tables, 1, 1, 5, 0, inside);
  EXPECT_EQ(inside, (std::vector<float>{-1, -2, -3}));
}

TEST(Tensor, CropTakesTheNamedPixels) {
  const Image image = numbered_image(4, 3);
  Image part;
  crop(image, 1, 2, 2, 1, part);
  ASSERT_EQ(part.width(), 2);
  ASSERT_EQ(part.height(), 1);
  EXPECT_EQ(std::vector<std::uint8_t>(part.pixels().begin(), part.pixels().end()),
            (std::vector<std::uint8_t>{27, 28, 29, 30, 31, 32}));
}

TEST(Tensor, ReusingAnImageAllocatesNothing) {
  Image image(100, 80);
  const std::uint8_t* const first = image.pixels().data();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % Image::kAlignment, 0U);
  image.resize(10, 7);
  EXPECT_EQ(image.pixels().size(), 210U);
  image.resize(80, 100);
  EXPECT_EQ(image.pixels().data(), first);
}

}  // namespace
}  // namespace verilabel
