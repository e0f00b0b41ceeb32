#include "verilabel/engine/element_conversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace verilabel {
namespace {

using ::testing::ElementsAre;

std::vector<float> f32_of(const std::vector<std::uint16_t>& halves) {
  std::vector<float> values(halves.size());
  convert_to_f32(ElementType::f16, reinterpret_cast<const std::byte*>(halves.data()), values);
  return values;
}

std::vector<std::uint16_t> halves_of(const std::vector<float>& values) {
  std::vector<std::uint16_t> halves(values.size());
  EXPECT_FALSE(convert_from_f32(values, ElementType::f16, reinterpret_cast<std::byte*>(halves.data())));
  return halves;
}

// A half by its definition: sign, five bits of exponent from -14, ten bits after the point; exponent 0 is subnormal.
double half_by_definition(std::uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int fraction = half & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Half, EveryOneIsReadAndWrittenBack) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<std::uint16_t>(i);
  }
  const std::vector<float> values = f32_of(all);
  const std::vector<std::uint16_t> back = halves_of(values);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_finite = (i & 0x7c00) != 0x7c00;
    if (is_finite) {
      ASSERT_EQ(values[i], half_by_definition(all[i])) << i;
      ASSERT_EQ(std::signbit(values[i]), i >= 0x8000) << i;
      ASSERT_EQ(back[i], all[i]) << i;
    } else if ((i & 0x3ff) == 0) {
      ASSERT_TRUE(std::isinf(values[i])) << i;
      ASSERT_EQ(back[i], all[i]) << i;
    } else {
      ASSERT_TRUE(std::isnan(values[i])) << i;
      ASSERT_TRUE(std::isnan(f32_of({back[i]})[0])) << i;
    }
  }
}

// Between two neighbours: below the middle the lower, above it the upper, in it the even one.
TEST(Half, RoundsToTheNearestTiesToEven) {
  for (std::uint16_t half = 0; half < 0x7bff; ++half) {
    const double low = half_by_definition(half);
    const double high = half_by_definition(static_cast<std::uint16_t>(half + 1));
    const auto middle = static_cast<float>((low + high) / 2);
    const float below = std::nextafter(middle, 0.0F);
    const float above = std::nextafter(middle, 1e9F);
    const std::uint16_t even = half % 2 == 0 ? half : static_cast<std::uint16_t>(half + 1);
    ASSERT_THAT(halves_of({below, middle, above, -middle}),
                ElementsAre(half, even, half + 1, static_cast<std::uint16_t>(even | 0x8000)))
        << half;
  }
  // 65504 is the largest; 65520 lies in the middle to 2^16 and rounds up, beyond the range.
  EXPECT_THAT(halves_of({65504, 65519, 65520, 1e10F, -1e10F, std::numeric_limits<float>::infinity()}),
              ElementsAre(0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00, 0x7c00));
  EXPECT_THAT(halves_of({0.0F, -0.0F, 1e-10F}), ElementsAre(0, 0x8000, 0));
}

TEST(Elements, OfOtherTypes) {
  std::array<std::byte, 32> memory{};
  const std::vector<float> values = {0, 1.75F, 100, 0.5F};
  std::vector<float> back(values.size());
  const auto round_trip = [&](ElementType type) {
    EXPECT_FALSE(convert_from_f32(values, type, memory.data()));
    convert_to_f32(type, memory.data(), back);
    return back;
  };
  EXPECT_EQ(round_trip(ElementType::f32), values);
  EXPECT_EQ(round_trip(ElementType::f64), values);
  EXPECT_THAT(round_trip(ElementType::u8), ElementsAre(0, 1, 100, 0));
  EXPECT_THAT(round_trip(ElementType::i8), ElementsAre(0, 1, 100, 0));
  EXPECT_THAT(round_trip(ElementType::boolean), ElementsAre(0, 1, 1, 1));
  const std::array<std::int64_t, 2> wide = {-3, std::int64_t{1} << 40};
  convert_to_f32(ElementType::i64, reinterpret_cast<const std::byte*>(wide.data()), std::span(back).first(2));
  EXPECT_THAT(std::span(back).first(2), ElementsAre(-3.0F, 0x1p40F));
}

TEST(Elements, WhatDoesNotFitIsNamedByItsIndex) {
  std::array<std::byte, 32> memory{};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(convert_from_f32(std::vector<float>{0, 255, 256}, ElementType::u8, memory.data()), 2U);
  EXPECT_EQ(convert_from_f32(std::vector<float>{-1}, ElementType::u8, memory.data()), 0U);
  EXPECT_EQ(convert_from_f32(std::vector<float>{-128, 127, nan}, ElementType::i8, memory.data()), 2U);
  std::array<std::int32_t, 3> narrow{};
  constexpr std::int64_t k31 = std::int64_t{1} << 31;
  EXPECT_FALSE(convert_to_i32(std::vector<std::int64_t>{-k31, k31 - 1, 0}, narrow.data()));
  EXPECT_EQ(narrow[0], std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(convert_to_i32(std::vector<std::int64_t>{0, k31}, narrow.data()), 1U);
}

TEST(Elements, HaveSizes) {
  EXPECT_EQ(element_size(ElementType::f64), 8U);
  EXPECT_EQ(element_size(ElementType::f16), 2U);
  EXPECT_EQ(element_size(ElementType::boolean), 1U);
  EXPECT_EQ(element_size(ElementType::other), 0U);
}

}  // namespace
}  // namespace verilabel
