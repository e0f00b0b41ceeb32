#include "verilabel/geometry/coco_string.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/geometry/mask_fault.h"

namespace verilabel {
namespace {

constexpr unsigned kFirstCharacter = '0';
constexpr unsigned kGroups = 64;  // what a character can say
constexpr int kGroupBits = 5;
constexpr std::int64_t kGroupMask = 0x1f;
constexpr std::int64_t kSignBit = 0x10;
constexpr unsigned kMoreBit = 0x20;
constexpr int kMaxGroups = kMostCocoCharacters;  // 33 bits and a sign are the most that differences of 32-bit counts need

/// Groups of 5 bits, the lowest first, as many as the sign needs.
char* write_number(char* at, std::int64_t number) {
  bool has_more = true;
  while (has_more) {
    auto group = static_cast<unsigned>(number & kGroupMask);
    number >>= kGroupBits;
    has_more = (group & kSignBit) != 0 ? number != -1 : number != 0;
    group |= has_more ? kMoreBit : 0;
    *at++ = static_cast<char>(kFirstCharacter + group);
  }
  return at;
}

// ---- eight characters at a time, the first one lowest ----

constexpr std::size_t kEight = 8;
constexpr bool kHasFirstCharacterLowest = std::endian::native == std::endian::little;

constexpr std::uint64_t every_byte(std::uint64_t byte) {
  return byte * 0x0101010101010101;
}

/// Those at `at`, and zeros where the text has ended.
std::uint64_t eight_characters(std::string_view text, std::size_t at) {
  std::uint64_t characters = 0;
  const std::size_t left = text.size() - at;
  if (left >= kEight) [[likely]] {
    std::memcpy(&characters, text.data() + at, kEight);
  } else if (left > 0 && text.size() >= kEight) {
    std::memcpy(&characters, text.data() + text.size() - kEight, kEight);
    characters >>= 8 * (kEight - left);
  } else if (left > 0) {
    std::memcpy(&characters, text.data() + at, left);
  }
  return characters;
}

/// How many numbers of one group stand at the front, 0 to 8.
unsigned count_short(std::uint64_t characters) {
  // No byte borrows from the next one; those of numbers of one group become 100 and five bits.
  const std::uint64_t values = (characters | every_byte(0x80)) - every_byte(kFirstCharacter);
  const std::uint64_t others = ((values ^ every_byte(0x80)) & every_byte(0xe0)) | (characters & every_byte(0x80));
  return static_cast<unsigned>(std::countr_zero(others)) / 8;
}

using FourCounts = std::uint32_t __attribute__((vector_size(16)));

/// Makes eight differences of one group eight runs. `before` are the two runs before them, twice; what it is for the next eight is
/// given back.
FourCounts add_up_short(std::uint64_t characters, FourCounts before, std::uint32_t* counts) {
  using Bytes = std::uint8_t __attribute__((vector_size(16)));
  using Words = std::int16_t __attribute__((vector_size(16)));
  using Longs = std::uint64_t __attribute__((vector_size(16)));
  const Longs longs = {characters, 0};
  const auto bytes = std::bit_cast<Bytes>(longs);
  const Bytes none = {};
  const Words zero = {};
  const auto groups =
      std::bit_cast<Words>(__builtin_shufflevector(bytes, none, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
  Words sums = ((groups - static_cast<short>(kFirstCharacter)) ^ 0x10) - 0x10;
  // Each with all that stand an even number of places before it.
  sums += __builtin_shufflevector(zero, sums, 0, 0, 8, 9, 10, 11, 12, 13);
  sums += __builtin_shufflevector(zero, sums, 0, 0, 0, 0, 8, 9, 10, 11);
  const auto signs = sums < zero;
  const FourCounts first = before + std::bit_cast<FourCounts>(__builtin_shufflevector(sums, signs, 0, 8, 1, 9, 2, 10, 3, 11));
  const FourCounts second = before + std::bit_cast<FourCounts>(__builtin_shufflevector(sums, signs, 4, 12, 5, 13, 6, 14, 7, 15));
  std::memcpy(counts, &first, sizeof first);
  std::memcpy(counts + 4, &second, sizeof second);
  return __builtin_shufflevector(second, second, 2, 3, 2, 3);
}

/// The number that stands at the front, and how many groups it has, 1 to 7; 0 when it is none.
struct FirstNumber {
  std::int64_t number = 0;
  unsigned groups = 0;
};

FirstNumber first_number(std::uint64_t characters) {
  // As above; those that COCO uses become 10 and six bits.
  const std::uint64_t values = (characters | every_byte(0x80)) - every_byte(kFirstCharacter);
  const std::uint64_t others = ((values ^ every_byte(0x80)) & every_byte(0xc0)) | (characters & every_byte(0x80));
  const unsigned groups = static_cast<unsigned>(std::countr_zero(~values & every_byte(kMoreBit))) / 8 + 1;
  if (groups > kMaxGroups) {
    return {};
  }
  const std::uint64_t used = (std::uint64_t{1} << (8 * groups)) - 1;
  if ((others & used) != 0) {
    return {};
  }
  // Two groups become ten bits, two of those twenty, and so on.
  std::uint64_t bits = values & every_byte(kGroupMask) & used;
  bits = (bits & 0x001f001f001f001f) | (bits & 0x1f001f001f001f00) >> 3;
  bits = (bits & 0x000003ff000003ff) | (bits & 0x03ff000003ff0000) >> 6;
  bits = (bits & 0xfffff) | (bits & 0x000fffff00000000) >> 12;
  const unsigned unused = 64 - kGroupBits * groups;
  return {static_cast<std::int64_t>(bits << unused) >> unused, groups};
}

constexpr std::size_t kAbsolute = 3;  ///< runs at the front that are no differences

/// Runs as fast as may be: their number, or nothing when something is wrong or unusual. They are right when they add up to less
/// than 2^31: one that had to be negative or too large is at least as large itself. `counts` has room for eight more runs than the
/// string has characters.
std::optional<std::size_t> decode_usual(std::string_view text, std::uint32_t* counts) {
  std::size_t at = 0;
  std::size_t runs = 0;
  while (at < text.size()) {
    std::uint64_t characters = eight_characters(text, at);
    if (runs >= kAbsolute) {
      unsigned count = count_short(characters);
      FourCounts before = {counts[runs - 2], counts[runs - 1], counts[runs - 2], counts[runs - 1]};
      while (count == kEight) {
        before = add_up_short(characters, before, counts + runs);
        runs += kEight;
        at += kEight;
        characters = eight_characters(text, at);
        count = count_short(characters);
      }
      if (count > 0) {
        add_up_short(characters, before, counts + runs);
        runs += count;
        at += count;
        continue;
      }
      if (at == text.size()) {
        break;
      }
    }
    const auto [number, groups] = first_number(characters);
    const std::int64_t count = number + (runs >= kAbsolute ? std::int64_t{counts[runs - 2]} : 0);
    if (groups == 0 || groups > text.size() - at || count < 0 || count > std::numeric_limits<std::uint32_t>::max()) {
      return std::nullopt;
    }
    counts[runs++] = static_cast<std::uint32_t>(count);
    at += groups;
  }
  return runs;
}

/// The same one group after the other, to say what is wrong and where.
std::size_t decode_any(std::string_view text, std::uint32_t height, std::uint32_t width, std::uint32_t* counts) {
  const auto fault_at = [](std::size_t position, std::string_view what) {
    return Error(ErrorCode::bad_data, fmt::format("the run-length string of the mask {} at character {}", what, position + 1));
  };
  const std::uint64_t pixels = std::uint64_t{height} * width;
  std::uint64_t sum = 0;
  std::size_t runs = 0;
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t start = position;
    std::int64_t number = 0;
    unsigned group = kMoreBit;
    int shift = 0;
    for (; (group & kMoreBit) != 0; shift += kGroupBits) {
      if (position == text.size()) {
        throw fault_at(start, "breaks off inside the number that begins");
      }
      if (shift == kMaxGroups * kGroupBits) {
        throw fault_at(start, "has a number that is too large");
      }
      group = static_cast<unsigned char>(text[position]) - kFirstCharacter;
      if (group >= kGroups) {
        throw fault_at(position, "has a character that COCO's encoding does not use");
      }
      ++position;
      number |= (group & kGroupMask) << shift;
    }
    number -= (group & kSignBit) != 0 ? std::int64_t{1} << shift : 0;
    number += runs >= kAbsolute ? std::int64_t{counts[runs - 2]} : 0;
    if (number < 0) {
      throw fault_at(start, "has a negative run");
    }
    sum += static_cast<std::uint64_t>(number);
    if (sum > pixels) {
      throw fault_at(start, fmt::format("has more runs than its size of {} × {} pixels holds", width, height));
    }
    counts[runs++] = static_cast<std::uint32_t>(number);
  }
  if (sum != pixels) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the runs of the mask add up to {} pixels, but its size is {} × {} = {}", sum, width, height, pixels));
  }
  return runs;
}

}  // namespace

RleView CocoStringReader::read(std::string_view text, std::uint32_t height, std::uint32_t width) {
  refuse(fault_of_size(height, width));
  const std::size_t room = text.size() + kEight;  // every run has a character
  if (counts_.size() < room) {
    counts_.resize(2 * room);
  }
  const std::uint64_t pixels = std::uint64_t{height} * width;
  if (kHasFirstCharacterLowest && pixels < std::uint64_t{1} << 31) {
    if (const auto runs = decode_usual(text, counts_.data())) {
      const std::span<const std::uint32_t> counts = std::span(counts_).first(*runs);
      if (std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) == pixels) [[likely]] {
        return {height, width, counts};
      }
    }
  }
  return {height, width, std::span(counts_).first(decode_any(text, height, width, counts_.data()))};
}

Rle rle_from_coco_string(std::string_view text, std::uint32_t height, std::uint32_t width) {
  CocoStringReader reader;
  const RleView runs = reader.read(text, height, width);
  return {height, width, {runs.counts.begin(), runs.counts.end()}};
}

char* write_coco_string(std::span<const std::uint32_t> counts, char* at) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::int64_t number = std::int64_t{counts[i]} - (i > 2 ? std::int64_t{counts[i - 2]} : 0);
    if (number >= -kSignBit && number < kSignBit) [[likely]] {
      *at++ = static_cast<char>(kFirstCharacter + static_cast<unsigned>(number & kGroupMask));
    } else {
      at = write_number(at, number);
    }
  }
  return at;
}

std::string coco_string_from_rle(RleView rle) {
  std::string text(rle.counts.size() * kMostCocoCharacters, '\0');
  text.resize(static_cast<std::size_t>(write_coco_string(rle.counts, text.data()) - text.data()));
  text.shrink_to_fit();
  return text;
}

}  // namespace verilabel
