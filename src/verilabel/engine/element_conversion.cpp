#include "verilabel/engine/element_conversion.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

namespace verilabel {

namespace {

constexpr std::uint32_t kSignF32 = 0x80000000;
constexpr std::uint32_t kInfinityF32 = 0x7f800000;
constexpr std::uint32_t kInfinityF16 = 0x7c00;

std::uint16_t half_from(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits & kSignF32) >> 16);
  const std::uint32_t magnitude = bits & ~kSignF32;
  if (magnitude >= kInfinityF32) {  // a NaN stays one, whatever bits it loses
    return static_cast<std::uint16_t>(sign | kInfinityF16 | (magnitude > kInfinityF32 ? 0x200 : 0));
  }
  std::uint32_t half = 0;
  if (magnitude < 0x38800000) {  // below 2^-14, where f16 counts in steps of 2^-24, as f32 does from 1/2 on: adding rounds
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - std::bit_cast<std::uint32_t>(0.5F);
  } else {  // 13 bits less, ties to even, and an exponent that begins at 15 instead of 127
    half = (magnitude + 0xfff + ((magnitude >> 13) & 1) - (std::uint32_t{112} << 23)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | std::min(half, kInfinityF16));
}

float f32_from(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t magnitude = half & 0x7fffU;
  // The exponent is set right by a multiplication, which is exact and takes subnormal numbers as well.
  const std::uint32_t bits = magnitude >= kInfinityF16
                                 ? kInfinityF32 | (magnitude << 13)
                                 : std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112F);
  return std::bit_cast<float>(sign | bits);
}

template <typename Element, typename Convert>
void write_all(std::span<const float> values, std::byte* elements, Convert convert) {
  std::ranges::transform(values, reinterpret_cast<Element*>(elements), convert);
}

template <typename Element, typename Value>
std::optional<std::size_t> write_whole(std::span<const Value> values, Element* elements) {
  constexpr auto kLow = static_cast<Value>(std::numeric_limits<Element>::lowest());
  constexpr auto kHigh = static_cast<Value>(std::numeric_limits<Element>::max());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] >= kLow && values[i] <= kHigh)) {
      return i;
    }
    elements[i] = static_cast<Element>(values[i]);
  }
  return std::nullopt;
}

template <typename Element>
void read_all(const std::byte* elements, std::span<float> values) {
  const auto* begin = reinterpret_cast<const Element*>(elements);
  std::transform(begin, begin + values.size(), values.begin(), [](Element element) { return static_cast<float>(element); });
}

}  // namespace

std::size_t element_size(ElementType type) {
  switch (type) {
    case ElementType::f64:
    case ElementType::i64:
      return 8;
    case ElementType::f32:
    case ElementType::i32:
      return 4;
    case ElementType::f16:
      return 2;
    case ElementType::u8:
    case ElementType::i8:
    case ElementType::boolean:
      return 1;
    case ElementType::other:
      break;
  }
  return 0;
}

std::optional<std::size_t> convert_from_f32(std::span<const float> values, ElementType type, std::byte* elements) {
  switch (type) {
    case ElementType::f32:
      write_all<float>(values, elements, [](float value) { return value; });
      break;
    case ElementType::f64:
      write_all<double>(values, elements, [](float value) { return static_cast<double>(value); });
      break;
    case ElementType::f16:
      write_all<std::uint16_t>(values, elements, half_from);
      break;
    case ElementType::boolean:
      write_all<std::uint8_t>(values, elements, [](float value) { return static_cast<std::uint8_t>(value != 0); });
      break;
    case ElementType::u8:
      return write_whole(values, reinterpret_cast<std::uint8_t*>(elements));
    case ElementType::i8:
      return write_whole(values, reinterpret_cast<std::int8_t*>(elements));
    case ElementType::i64:
    case ElementType::i32:
    case ElementType::other:
      assert(false);
  }
  return std::nullopt;
}

std::optional<std::size_t> convert_to_i32(std::span<const std::int64_t> values, std::int32_t* elements) {
  return write_whole(values, elements);
}

void convert_to_f32(ElementType type, const std::byte* elements, std::span<float> values) {
  switch (type) {
    case ElementType::f32:
      read_all<float>(elements, values);
      break;
    case ElementType::f64:
      read_all<double>(elements, values);
      break;
    case ElementType::i64:
      read_all<std::int64_t>(elements, values);
      break;
    case ElementType::i32:
      read_all<std::int32_t>(elements, values);
      break;
    case ElementType::u8:
    case ElementType::boolean:
      read_all<std::uint8_t>(elements, values);
      break;
    case ElementType::i8:
      read_all<std::int8_t>(elements, values);
      break;
    case ElementType::f16: {
      const auto* begin = reinterpret_cast<const std::uint16_t*>(elements);
      std::transform(begin, begin + values.size(), values.begin(), f32_from);
      break;
    }
    case ElementType::other:
      assert(false);
  }
}

}  // namespace verilabel
