#include "verilabel/geometry/mask_blob.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using testing::HasSubstr;

Mask through_blob(const Mask& mask) {
  return mask_from_blob(blob_from_mask(mask));
}

// == on doubles does not tell -0 from 0; the bits do.
void expect_same_bits(const Mask& a, const Mask& b) {
  ASSERT_EQ(a, b);
  if (const auto* polygons = std::get_if<std::vector<Polygon>>(&a.shape)) {
    for (std::size_t i = 0; i < polygons->size(); ++i) {
      for (std::size_t j = 0; j < (*polygons)[i].size(); ++j) {
        EXPECT_EQ(std::bit_cast<std::uint64_t>((*polygons)[i][j]),
                  std::bit_cast<std::uint64_t>(std::get<std::vector<Polygon>>(b.shape)[i][j]));
      }
    }
  }
}

TEST(MaskBlob, LayoutIsAsDocumented) {
  // 17 = polygons | compressed; 1 polygon; 6 numbers; scale 1 (tenths); 15 25 +10 0 -10 +5 as zigzag 30 50 20 0 19 10.
  const Mask polygon{std::vector<Polygon>{{1.5, 2.5, 2.5, 2.5, 1.5, 3}}};
  EXPECT_EQ(blob_from_mask(polygon), std::string("\x11\x01\x06\x01\x1e\x32\x14\x00\x13\x0a", 10));
  // 2 = runs, not compressed; 2 high; 300 = 0xac 0x02 wide; 2 runs, 0 and 600 = 0xd8 0x04.
  const Mask runs{Rle{2, 300, {0, 600}}, false};
  EXPECT_EQ(blob_from_mask(runs), std::string("\x02\x02\xac\x02\x02\x00\xd8\x04", 8));
}

TEST(MaskBlob, EveryDoubleComesBack) {
  const double largest = std::numeric_limits<double>::max();
  const double smallest = std::numeric_limits<double>::denorm_min();
  const std::vector<Polygon> shapes = {
      {0, 1, 2, 3, 4, 5},
      {0.1, 0.2, 0.30000000000000004, 640.55, 1e-7, 3},
      {-0., 1, 2, 3, 4, 5},
      {-0.01, -100.25, 3.141, -2.718, 1, 2},
      {largest, -largest, smallest, -smallest, 9007199254740993., 1e15},
      {9007199254740991., -9007199254740991., 9007199254740991., 0, -9007199254740991., 1},
      {90071992547409.91, 1, 2, 3, 4, 5},
  };
  for (const Polygon& polygon : shapes) {
    expect_same_bits(Mask{std::vector<Polygon>{polygon}}, through_blob(Mask{std::vector<Polygon>{polygon}}));
  }
  expect_same_bits(Mask{shapes, false}, through_blob(Mask{shapes, false}));
}

TEST(MaskBlob, RandomMasksComeBack) {
  std::mt19937 random(11);
  for (int round = 0; round < 3000; ++round) {
    std::vector<Polygon> polygons(1 + random() % 4);
    for (Polygon& polygon : polygons) {
      const double scale = std::pow(10, random() % 6);
      polygon.resize(6 + 2 * (random() % 40));
      for (double& number : polygon) {
        number = std::round(std::uniform_real_distribution<>(-50, 700)(random) * scale) / scale;
      }
    }
    expect_same_bits(Mask{polygons}, through_blob(Mask{polygons}));
    Rle rle{0, 1, {}};
    for (std::size_t i = random() % 50; i-- > 0;) {
      rle.counts.push_back(static_cast<std::uint32_t>(random() % (1U << (random() % 25))));
      rle.height += rle.counts.back();
    }
    expect_same_bits(Mask{rle, round % 2 == 0}, through_blob(Mask{rle, round % 2 == 0}));
  }
}

TEST(MaskBlob, TwoDecimalsTakeTwoToThreeBytesANumber) {
  std::mt19937 random(3);
  std::size_t bytes = 0;
  std::size_t numbers = 0;
  for (int round = 0; round < 200; ++round) {
    Polygon polygon;
    const double radius = std::uniform_real_distribution<>(4, 70)(random);
    for (int i = 0; i < 26; ++i) {
      polygon.push_back(std::round((300 + radius * std::cos(i * .2416)) * 100) / 100);
      polygon.push_back(std::round((200 + radius * std::sin(i * .2416)) * 100) / 100);
    }
    bytes += blob_from_mask(Mask{std::vector<Polygon>{polygon}}).size();
    numbers += polygon.size();
  }
  EXPECT_LT(static_cast<double>(bytes) / static_cast<double>(numbers), 2.3);
}

TEST(MaskBlob, DamageIsRefusedWithItsKind) {
  const auto message = [](std::string blob) -> std::string {
    try {
      mask_from_blob(blob);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
      return error.message();
    }
    return "accepted";
  };
  const std::string good = blob_from_mask(Mask{std::vector<Polygon>{{0, 0, 4, 0, 4, 4}}});
  EXPECT_EQ(message(good), "accepted");
  EXPECT_THAT(message(""), HasSubstr("breaks off"));
  EXPECT_THAT(message(good + "x"), HasSubstr("1 bytes are left over"));
  EXPECT_THAT(message("\x07"), HasSubstr("no form 7"));
  EXPECT_THAT(message("\x01\x01\x06\x05" + good.substr(4)), HasSubstr("no scale 5"));
  EXPECT_THAT(message(std::string("\x02\x02\x02\x01\x03", 5)), HasSubstr("add up to 3"));
  EXPECT_THAT(message("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), HasSubstr("too long"));
  EXPECT_THAT(message("\x02\xff\xff\xff\xff\x7f"), HasSubstr("too large"));
  EXPECT_THAT(message("\x01\xff\xff\xff\xff\xff\x0f"), HasSubstr("breaks off"));
  EXPECT_THAT(message(std::string("\x01\x00", 2)), HasSubstr("no polygon"));
}

TEST(MaskBlob, NoCutAndNoFlippedBitGetsThroughUnchecked) {
  std::mt19937 random(17);
  const Mask masks[] = {Mask{std::vector<Polygon>{{0, 0, 400.25, 0, 400.25, 300.5}, {1e-9, 2, 3, 4, 5, 6}}},
                        Mask{Rle{300, 400, {1000, 2000, 117000}}}};
  for (const Mask& mask : masks) {
    const std::string good = blob_from_mask(mask);
    for (std::size_t length = 0; length < good.size(); ++length) {
      EXPECT_THROW(mask_from_blob(good.substr(0, length)), Error) << length;
    }
    for (int round = 0; round < 50000; ++round) {
      std::string bad = good;
      for (std::size_t flips = 1 + random() % 4; flips-- > 0;) {
        bad[random() % bad.size()] ^= static_cast<char>(1U << (random() % 8));
      }
      try {
        EXPECT_EQ(fault_of(mask_from_blob(bad)), std::nullopt);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::bad_data);
      }
    }
  }
}

}  // namespace
}  // namespace verilabel
