#include "verilabel/image/thumbnail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/image/decode.h"
#include "verilabel/image/testing_data.h"

namespace verilabel {
namespace {

/// Smooth, so that JPEG keeps it; another colour in each corner, so that a turned image is told from an upright one.
Image gradient(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<std::uint8_t>(255 * x / width);
      pixel[1] = static_cast<std::uint8_t>(255 * y / height);
      pixel[2] = 40;
    }
  }
  return image;
}

Image decoded(const std::string& content) {
  Image image;
  decode(std::as_bytes(std::span(content)), image);
  return image;
}

ErrorCode code_of(const std::filesystem::path& path, const ThumbnailOptions& options) {
  try {
    thumbnail_jpeg(path, options);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

TEST(Thumbnail, PixelsAreMeansOfWhatTheyCover) {
  Image source(4, 2);
  for (int i = 0; i < 8; ++i) {
    for (int channel = 0; channel < 3; ++channel) {
      source.pixels()[static_cast<std::size_t>(3 * i + channel)] = static_cast<std::uint8_t>(10 * i + 100 * (channel == 2));
    }
  }
  // Rows 0 10 20 30 and 40 50 60 70: means (0 + 10 + 40 + 50) / 4 = 25 and (20 + 30 + 60 + 70) / 4 = 45, red 100 more.
  Image small;
  shrink_to_fit(source, 2, small);
  ASSERT_EQ(small.width(), 2);
  ASSERT_EQ(small.height(), 1);
  const std::uint8_t expected[] = {25, 25, 125, 45, 45, 145};
  EXPECT_TRUE(std::equal(std::begin(expected), std::end(expected), small.pixels().begin()));
}

TEST(Thumbnail, FitsAndKeepsTheRatioOfTheSides) {
  struct Case {
    int width, height, side, to_width, to_height;
  };
  for (const Case& c :
       {Case{640, 480, 320, 320, 240}, Case{480, 640, 320, 240, 320}, Case{333, 1000, 100, 33, 100}, Case{1000, 1, 100, 100, 1},
        Case{30, 20, 320, 30, 20}, Case{320, 320, 320, 320, 320}, Case{5, 9, 1, 1, 1}}) {
    Image small;
    shrink_to_fit(gradient(c.width, c.height), c.side, small);
    EXPECT_EQ(small.width(), c.to_width) << c.width << " x " << c.height;
    EXPECT_EQ(small.height(), c.to_height) << c.width << " x " << c.height;
  }
}

TEST(Thumbnail, LooksLikeTheImage) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "large.jpg";
  replace_file(path, encode_jpeg(gradient(1200, 900), 95));
  const std::string content = thumbnail_jpeg(path, {.max_side_px = 300, .quality = 90});
  const Image small = decoded(content);
  ASSERT_EQ(small.width(), 300);
  ASSERT_EQ(small.height(), 225);
  EXPECT_GE(psnr_db(small, gradient(300, 225)), 35);
  EXPECT_LT(thumbnail_jpeg(path, {.max_side_px = 300, .quality = 20}).size(), content.size());
}

TEST(Thumbnail, IsUprightWhateverTheOrientationInTheFile) {
  const auto data = test_data();
  if (!data) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set";
  }
  for (const std::string series : {"Landscape", "Portrait"}) {
    const auto file = [&](int orientation) { return *data / "exif" / (series + "_" + std::to_string(orientation) + ".jpg"); };
    const ThumbnailOptions options{.max_side_px = 200, .quality = 95};
    const Image upright = decoded(thumbnail_jpeg(file(1), options));
    ASSERT_EQ(std::max(upright.width(), upright.height()), 200);
    EXPECT_EQ(upright.width() > upright.height(), series == "Landscape");
    for (int orientation = 2; orientation <= 8; ++orientation) {
      const Image turned = decoded(thumbnail_jpeg(file(orientation), options));
      ASSERT_EQ(turned.width(), upright.width()) << file(orientation);
      ASSERT_EQ(turned.height(), upright.height()) << file(orientation);
      EXPECT_GE(psnr_db(turned, upright), 25) << file(orientation);
    }
  }
}

TEST(Thumbnail, RefusesWhatItCannotMake) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "image.jpg";
  const std::string content = encode_jpeg(gradient(64, 48), 90);
  replace_file(path, content);
  EXPECT_EQ(code_of(path, {.max_side_px = 0}), ErrorCode::wrong_use);
  EXPECT_EQ(code_of(path, {.quality = 0}), ErrorCode::wrong_use);
  EXPECT_EQ(code_of(path, {.quality = 101}), ErrorCode::wrong_use);
  EXPECT_EQ(code_of(folder.path() / "none.jpg", {}), ErrorCode::not_found);
  replace_file(path, std::string_view(content).substr(0, content.size() / 2));
  EXPECT_EQ(code_of(path, {}), ErrorCode::bad_data);
  Image small;
  EXPECT_THROW(shrink_to_fit(Image(), 10, small), Error);
}

}  // namespace
}  // namespace verilabel
