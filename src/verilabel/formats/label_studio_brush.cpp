#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/label_studio.h"

namespace verilabel {
namespace {

constexpr std::size_t kChannels = 4;
constexpr std::size_t kAlpha = 3;

class BitReader {
 public:
  explicit BitReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::uint32_t read(unsigned count) {
    if (at_ + count > bytes_.size() * 8) {
      throw Error(ErrorCode::bad_data, "the brush's run lengths end too early");
    }
    std::uint64_t value = 0;
    for (; count > 0; --count, ++at_) {
      value = value << 1 | (bytes_[at_ / 8] >> (7 - at_ % 8) & 1U);
    }
    return static_cast<std::uint32_t>(value);
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

class BitWriter {
 public:
  void write(std::uint32_t value, unsigned count) {
    for (; count > 0; --count, ++at_) {
      if (at_ % 8 == 0) {
        bytes_.push_back(0);
      }
      bytes_.back() = static_cast<std::uint8_t>(bytes_.back() | (value >> (count - 1) & 1U) << (7 - at_ % 8));
    }
  }
  /// Whole bytes; one more of zeros when they are whole already, as label-studio-converter has it.
  std::vector<std::uint8_t> finish() {
    write(0, static_cast<unsigned>(8 - at_ % 8));
    return std::move(bytes_);
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

constexpr unsigned kWordBits = 8;
constexpr std::array<unsigned, 4> kLengthBits = {3, 4, 8, 16};

void write_run(BitWriter& bits, std::uint64_t length, std::uint8_t value) {
  // A run that is too long for one goes on in the widest field, however short its rest is.
  const auto* const at =
      std::find_if(kLengthBits.begin(), kLengthBits.end() - 1, [&](unsigned width) { return length <= std::uint64_t{1} << width; });
  while (length > 0) {
    const std::uint64_t part = std::min<std::uint64_t>(length, std::uint64_t{1} << *at);
    bits.write(1, 1);
    bits.write(static_cast<std::uint32_t>(at - kLengthBits.begin()), 2);
    bits.write(static_cast<std::uint32_t>(part - 1), *at);
    bits.write(value, kWordBits);
    length -= part;
  }
}

}  // namespace

Rle rle_from_brush(std::span<const std::uint8_t> packed, std::uint32_t height, std::uint32_t width) {
  BitReader bits(packed);
  const std::uint64_t count = bits.read(32);
  if (count != kChannels * std::uint64_t{height} * width) {
    throw Error(ErrorCode::bad_data, fmt::format("the brush has {} values; an image of {} × {} pixels has {}", count, width, height,
                                                 kChannels * std::uint64_t{height} * width));
  }
  const unsigned word_bits = bits.read(5) + 1;
  std::array<unsigned, 4> length_bits{};
  for (unsigned& width_bits : length_bits) {
    width_bits = bits.read(4) + 1;
  }
  std::vector<std::uint8_t> bitmap(std::size_t{height} * width);
  const auto set = [&](std::uint64_t value_index) {
    const std::uint64_t pixel = value_index / kChannels;
    bitmap[static_cast<std::size_t>(pixel % width) * height + static_cast<std::size_t>(pixel / width)] = 1;
  };
  for (std::uint64_t at = 0; at < count;) {
    const bool is_run = bits.read(1) == 1;
    const std::uint64_t end = at + 1 + bits.read(length_bits[bits.read(2)]);
    if (end > count) {
      throw Error(ErrorCode::bad_data, "a run of the brush goes beyond the image");
    }
    if (!is_run) {
      for (; at < end; ++at) {
        if (bits.read(word_bits) != 0 && at % kChannels == kAlpha) {
          set(at);
        }
      }
      continue;
    }
    if (bits.read(word_bits) != 0) {
      for (std::uint64_t alpha = at + (kChannels + kAlpha - at % kChannels) % kChannels; alpha < end; alpha += kChannels) {
        set(alpha);
      }
    }
    at = end;
  }
  return rle_from_bitmap(bitmap, height, width);
}

std::vector<std::uint8_t> brush_from_rle(const Rle& rle) {
  const std::vector<std::uint8_t> bitmap = bitmap_from_rle(rle);
  assert(!bitmap.empty() && bitmap.size() < std::size_t{1} << 30);
  BitWriter bits;
  bits.write(static_cast<std::uint32_t>(kChannels * bitmap.size()), 32);
  bits.write(kWordBits - 1, 5);
  for (const unsigned length_bits : kLengthBits) {
    bits.write(length_bits - 1, 4);
  }
  std::uint64_t length = 0;
  std::uint8_t value = bitmap.front();
  const auto write = [&] { write_run(bits, length, value != 0 ? 255 : 0); };
  for (std::uint32_t row = 0; row < rle.height; ++row) {
    for (std::uint32_t column = 0; column < rle.width; ++column) {
      const std::uint8_t pixel = bitmap[std::size_t{column} * rle.height + row];
      if (pixel != value) {
        write();
        length = 0;
        value = pixel;
      }
      length += kChannels;
    }
  }
  write();
  return bits.finish();
}

}  // namespace verilabel
