#include "verilabel/image/tiff_block.h"

#include <fmt/format.h>

namespace verilabel {
namespace {

constexpr std::uint64_t kMaxEntries = 65535;
/// Makers and models have some dozen bytes; what is longer is no such text.
constexpr std::uint64_t kMaxTextBytes = 65536;
constexpr std::string_view kExifMark("Exif\0\0", 6);

// Types of values.
constexpr std::uint32_t kByte = 1;
constexpr std::uint32_t kAscii = 2;
constexpr std::uint32_t kShort = 3;
constexpr std::uint32_t kLong = 4;
constexpr std::uint32_t kRational = 5;
constexpr std::uint32_t kSignedShort = 8;
constexpr std::uint32_t kSignedLong = 9;
constexpr std::uint32_t kSignedRational = 10;
constexpr std::uint32_t kDouble = 12;
constexpr std::uint32_t kDirectory = 13;
constexpr std::uint32_t kLong8 = 16;
constexpr std::uint32_t kDirectory8 = 18;
constexpr std::uint32_t kUtf8 = 129;  // EXIF 3.0

std::uint64_t bytes_of(std::uint32_t type) {
  switch (type) {
    case kShort:
    case kSignedShort:
      return 2;
    case kLong:
    case kSignedLong:
    case 11:  // float
    case kDirectory:
      return 4;
    case kRational:
    case kSignedRational:
    case kDouble:
    case kLong8:
    case 17:  // signed
    case kDirectory8:
      return 8;
    default:
      return 1;
  }
}

}  // namespace

TiffBlock::TiffBlock(HeaderBytes& bytes, std::uint64_t offset, std::uint64_t size) : bytes_(bytes), base_(offset), size_(size) {
  if (size_ >= kExifMark.size() && bytes_.starts_with(base_, kExifMark)) {
    base_ += kExifMark.size();
    size_ -= kExifMark.size();
  }
  const std::uint8_t* const order = bytes_.at(place(0, 2), 2);
  is_little_ = order[0] == 'I' && order[1] == 'I';
  if (!is_little_ && (order[0] != 'M' || order[1] != 'M')) {
    fail(ErrorCode::bad_data, "the TIFF header states no byte order");
  }
  const std::uint32_t magic = number(2, 2);
  is_big_tiff_ = magic == 43;
  if (!is_big_tiff_ && magic != 42) {
    fail(ErrorCode::bad_data, fmt::format("the TIFF header has the unknown version {}", magic));
  }
  first_directory_ = is_big_tiff_ ? number64(8) : number(4, 4);
}

std::uint64_t TiffBlock::place(std::uint64_t offset, std::uint64_t count) const {
  if (offset > size_ || count > size_ - offset) {
    fail_cut_off();
  }
  return base_ + offset;
}

std::uint32_t TiffBlock::number(std::uint64_t offset, int byte_count) {
  return bytes_.number(place(offset, static_cast<std::uint64_t>(byte_count)), byte_count, is_little_);
}

std::uint64_t TiffBlock::number64(std::uint64_t offset) {
  const std::uint64_t first = number(offset, 4);
  const std::uint64_t second = number(offset + 4, 4);
  return is_little_ ? second << 32 | first : first << 32 | second;
}

std::uint64_t TiffBlock::entry_count(std::uint64_t directory) {
  place(directory, 0);
  const std::uint64_t count = is_big_tiff_ ? number64(directory) : number(directory, 2);
  if (count > kMaxEntries) {
    fail(ErrorCode::bad_data, "the TIFF directory has more entries than the format allows");
  }
  return count;
}

std::uint64_t TiffBlock::entry_place(std::uint64_t directory, std::uint64_t index) const {
  return directory + (is_big_tiff_ ? 8 + index * 20 : 2 + index * 12);
}

std::uint32_t TiffBlock::tag(std::uint64_t directory, std::uint64_t index) {
  return number(entry_place(directory, index), 2);
}

TiffEntry TiffBlock::entry(std::uint64_t directory, std::uint64_t index) {
  const std::uint64_t at = entry_place(directory, index);
  TiffEntry entry{number(at, 2), number(at + 2, 2)};
  entry.count = is_big_tiff_ ? number64(at + 4) : number(at + 4, 4);
  entry.value = at + (is_big_tiff_ ? 12 : 8);
  const std::uint64_t room = is_big_tiff_ ? 8 : 4;
  if (entry.count > room / bytes_of(entry.type)) {
    entry.value = is_big_tiff_ ? number64(entry.value) : number(entry.value, 4);
  }
  return entry;
}

std::optional<std::uint64_t> TiffBlock::integer(const TiffEntry& entry) {
  if (entry.count == 0) {
    return std::nullopt;
  }
  switch (entry.type) {
    case kByte:
      return number(entry.value, 1);
    case kShort:
      return number(entry.value, 2);
    case kLong:
    case kDirectory:
      return number(entry.value, 4);
    case kLong8:
    case kDirectory8:
      return number64(entry.value);
    default:
      return std::nullopt;
  }
}

std::optional<TiffBlock::Rational> TiffBlock::rational(const TiffEntry& entry, std::uint64_t index) {
  if (index >= entry.count) {
    return std::nullopt;
  }
  place(entry.value, 0);
  const std::uint64_t at = entry.value + index * bytes_of(entry.type);
  switch (entry.type) {
    case kByte:
      return Rational{number(at, 1), 1};
    case kShort:
      return Rational{number(at, 2), 1};
    case kLong:
      return Rational{number(at, 4), 1};
    case kSignedShort:
      return Rational{static_cast<std::int16_t>(number(at, 2)), 1};
    case kSignedLong:
      return Rational{static_cast<std::int32_t>(number(at, 4)), 1};
    case kRational:
      return Rational{number(at, 4), number(at + 4, 4)};
    case kSignedRational:
      return Rational{static_cast<std::int32_t>(number(at, 4)), static_cast<std::int32_t>(number(at + 4, 4))};
    default:
      return std::nullopt;
  }
}

std::optional<std::string> TiffBlock::text(const TiffEntry& entry) {
  if (entry.type != kAscii && entry.type != kUtf8) {
    return std::nullopt;
  }
  if (entry.count > kMaxTextBytes) {
    fail(ErrorCode::bad_data, "the text is too long to be one");
  }
  const auto* const text = reinterpret_cast<const char*>(bytes_.at(place(entry.value, entry.count), entry.count));
  const std::string_view all(text, entry.count);
  return std::string(all.substr(0, all.find('\0')));
}

}  // namespace verilabel
