#include "verilabel/pipeline/object_crop.h"

#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

Image numbered(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.row(y)[3 * x + c] = static_cast<std::uint8_t>(10 * y + x + 100 * (c == 2 ? 1 : 0));
      }
    }
  }
  return image;
}

TEST(ObjectCrop, TakesEveryPixelThatTheBoxTouches) {
  const Image image = numbered(9, 7);
  Image object;
  crop_object(image, {2.5, 1, 3, 2.25}, std::nullopt, {}, object);
  EXPECT_EQ(object.width(), 4) << "columns 2 to 5";
  EXPECT_EQ(object.height(), 3) << "rows 1 to 3";
  EXPECT_EQ(object.row(0)[0], image.row(1)[3 * 2]);
  EXPECT_EQ(object.row(2)[3 * 3 + 2], image.row(3)[3 * 5 + 2]);
}

TEST(ObjectCrop, StaysInsideTheImageAndHasAPixel) {
  const Image image = numbered(9, 7);
  Image object;
  const auto size_of = [&](const Box& box, double margin) {
    crop_object(image, box, std::nullopt, {.margin = margin}, object);
    return std::pair(object.width(), object.height());
  };
  EXPECT_EQ(size_of({-5, -5, 100, 100}, 0), std::pair(9, 7));
  EXPECT_EQ(size_of({4, 4, 0, 0}, 0), std::pair(1, 1));
  EXPECT_EQ(size_of({9, 7, 0, 0}, 0), std::pair(1, 1));
  EXPECT_EQ(size_of({20, 20, 3, 3}, 0), std::pair(1, 1));
  EXPECT_EQ(size_of({4, 3, 2, 2}, 0.5), std::pair(4, 4)) << "a pixel more on each side";
  EXPECT_EQ(size_of({4, 3, 2, 2}, 10), std::pair(9, 7));
}

TEST(ObjectCrop, PixelsOutsideTheMaskBecomeGrey) {
  std::mt19937 random(4);
  const Image image = numbered(9, 7);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<std::uint8_t> inside(9 * 7);
    for (auto& pixel : inside) {
      pixel = static_cast<std::uint8_t>(random() % 2);
    }
    Rle rle{7, 9, {0}};
    std::uint8_t last = 0;
    for (int x = 0; x < 9; ++x) {
      for (int y = 0; y < 7; ++y) {
        if (inside[static_cast<std::size_t>(y * 9 + x)] != last) {
          rle.counts.push_back(0);
          last ^= 1;
        }
        ++rle.counts.back();
      }
    }
    Mask mask;
    mask.shape = rle;
    const Box box{static_cast<double>(random() % 6), static_cast<double>(random() % 5), 3, 2};
    Image object;
    crop_object(image, box, mask, {}, object);
    Image whole;
    crop_object(image, box, mask, {.is_masked = false}, whole);
    for (int y = 0; y < object.height(); ++y) {
      for (int x = 0; x < object.width(); ++x) {
        const bool is_inside =
            inside[static_cast<std::size_t>((y + static_cast<int>(box.y)) * 9 + x + static_cast<int>(box.x))] != 0;
        EXPECT_EQ(object.row(y)[3 * x], is_inside ? whole.row(y)[3 * x] : 104);
        EXPECT_EQ(object.row(y)[3 * x + 2], is_inside ? whole.row(y)[3 * x + 2] : 124);
      }
    }
  }
}

TEST(ObjectCrop, AMarginThatMakesNoSenseIsRefused) {
  EXPECT_THROW(CropOptions{.margin = -1}.validate(), Error);
  EXPECT_THROW(CropOptions{.margin = std::nan("")}.validate(), Error);
  EXPECT_NO_THROW(CropOptions{.margin = 0.2}.validate());
}

}  // namespace
}  // namespace verilabel
