#include "verilabel/geometry/mask_blob.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr std::uint8_t kPolygonsForm = 1;
constexpr std::uint8_t kRunsForm = 2;
constexpr std::uint8_t kCompressedBit = 16;
constexpr std::array<double, 4> kScales = {1, 10, 100, 1000};
constexpr std::uint8_t kRawScale = 8;
constexpr std::size_t kMaxVarintBytes = 10;
constexpr double kLargestExact = 9007199254740992.;  // 2^53: whole numbers up to here are doubles

static_assert(std::endian::native == std::endian::little, "raw doubles are copied as they lie in memory");

char* put_varint(char* out, std::uint64_t number) {
  while (number >= 0x80) {
    *out++ = static_cast<char>(number | 0x80);
    number >>= 7;
  }
  *out++ = static_cast<char>(number);
  return out;
}

std::uint64_t zigzag(std::int64_t number) {
  return (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63);
}

std::int64_t unzigzag(std::uint64_t number) {
  return static_cast<std::int64_t>((number >> 1) ^ (0 - (number & 1)));
}

// Grows by what may be written next and is cut to what was written at the end.
class BlobWriter {
 public:
  explicit BlobWriter(std::string& blob) : blob_(blob) { blob_.clear(); }

  void byte(std::uint8_t value) { blob_.push_back(static_cast<char>(value)); }
  void varint(std::uint64_t number) {
    char* begin = room(kMaxVarintBytes);
    cut(put_varint(begin, number));
  }
  void polygon(const Polygon& numbers) {
    varint(numbers.size());
    for (std::size_t scale = 0; scale < kScales.size(); ++scale) {
      if (scaled(numbers, static_cast<std::uint8_t>(scale))) {
        return;
      }
    }
    byte(kRawScale);
    const std::size_t bytes = numbers.size() * sizeof(double);
    char* begin = room(bytes);
    std::memcpy(begin, numbers.data(), bytes);
  }

 private:
  // False, with nothing written, when a number is no whole number of steps of this scale.
  bool scaled(const Polygon& numbers, std::uint8_t scale) {
    const std::size_t before = blob_.size();
    char* out = room(1 + numbers.size() * kMaxVarintBytes);
    *out++ = static_cast<char>(scale);
    std::array<std::int64_t, 2> last_xy = {0, 0};
    const double steps = kScales[scale];
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const double number = numbers[i];
      const double target = number * steps;
      if (!(std::abs(target) < kLargestExact)) {
        blob_.resize(before);
        return false;
      }
      const auto step = static_cast<std::int64_t>(target + std::copysign(.5, target));
      const bool is_negative_zero = step == 0 && std::signbit(number);
      if (static_cast<double>(step) / steps != number || is_negative_zero) {
        blob_.resize(before);
        return false;
      }
      out = put_varint(out, zigzag(step - last_xy[i % 2]));
      last_xy[i % 2] = step;
    }
    cut(out);
    return true;
  }

  char* room(std::size_t bytes) {
    const std::size_t used = blob_.size();
    blob_.resize(used + bytes);
    return blob_.data() + used;
  }
  void cut(const char* end) { blob_.resize(static_cast<std::size_t>(end - blob_.data())); }

  std::string& blob_;
};

class BlobReader {
 public:
  explicit BlobReader(std::string_view blob) : rest_(blob) {}

  std::uint8_t byte() {
    need(1);
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < kMaxVarintBytes; ++i) {
      const std::uint64_t group = byte();
      if (i == kMaxVarintBytes - 1 && group > 1) {
        break;
      }
      number |= (group & 0x7f) << (7 * i);
      if (group < 0x80) {
        return number;
      }
    }
    throw damaged("a number is too long");
  }

  std::uint32_t varint32() {
    const std::uint64_t number = varint();
    if (number > std::numeric_limits<std::uint32_t>::max()) {
      throw damaged("a number is too large");
    }
    return static_cast<std::uint32_t>(number);
  }

  // A count of things that take at least one byte each: a wrong one must not make us reserve more than the blob could hold.
  std::size_t count() {
    const std::uint64_t number = varint();
    need(number);
    return static_cast<std::size_t>(number);
  }

  Polygon polygon() {
    const std::size_t size = count();
    const std::uint8_t scale = byte();
    Polygon numbers;
    if (scale == kRawScale) {
      need(std::uint64_t{size} * sizeof(double));
      numbers.resize(size);
      if (size > 0) {
        std::memcpy(numbers.data(), rest_.data(), size * sizeof(double));
      }
      rest_.remove_prefix(size * sizeof(double));
      return numbers;
    }
    if (scale >= kScales.size()) {
      throw damaged(fmt::format("there is no scale {}", scale));
    }
    numbers.resize(size);
    std::array<std::uint64_t, 2> last_xy = {0, 0};  // unsigned, so that hostile differences wrap instead of overflowing
    for (std::size_t i = 0; i < size; ++i) {
      last_xy[i % 2] += static_cast<std::uint64_t>(unzigzag(varint()));
      numbers[i] = static_cast<double>(static_cast<std::int64_t>(last_xy[i % 2])) / kScales[scale];
    }
    return numbers;
  }

  void end() const {
    if (!rest_.empty()) {
      throw damaged(fmt::format("{} bytes are left over", rest_.size()));
    }
  }

  static Error damaged(std::string_view what) { return {ErrorCode::bad_data, fmt::format("a stored mask is damaged: {}", what)}; }

 private:
  void need(std::uint64_t bytes) const {
    if (bytes > rest_.size()) {
      throw damaged("it breaks off");
    }
  }

  std::string_view rest_;
};

}  // namespace

void blob_from_mask(const Mask& mask, std::string& blob) {
  BlobWriter writer(blob);
  const std::uint8_t compressed = mask.is_compressed ? kCompressedBit : 0;
  if (const auto* polygons = std::get_if<std::vector<Polygon>>(&mask.shape)) {
    writer.byte(kPolygonsForm | compressed);
    writer.varint(polygons->size());
    for (const Polygon& polygon : *polygons) {
      writer.polygon(polygon);
    }
    return;
  }
  const Rle& rle = std::get<Rle>(mask.shape);
  writer.byte(kRunsForm | compressed);
  writer.varint(rle.height);
  writer.varint(rle.width);
  writer.varint(rle.counts.size());
  for (const std::uint32_t count : rle.counts) {
    writer.varint(count);
  }
}

std::string blob_from_mask(const Mask& mask) {
  std::string blob;
  blob_from_mask(mask, blob);
  return blob;
}

Mask mask_from_blob(std::string_view blob) {
  BlobReader reader(blob);
  const std::uint8_t head = reader.byte();
  Mask mask;
  mask.is_compressed = (head & kCompressedBit) != 0;
  switch (head & ~kCompressedBit) {
    case kPolygonsForm: {
      std::vector<Polygon> polygons(reader.count());
      for (Polygon& polygon : polygons) {
        polygon = reader.polygon();
      }
      mask.shape = std::move(polygons);
      break;
    }
    case kRunsForm: {
      Rle rle;
      rle.height = reader.varint32();
      rle.width = reader.varint32();
      rle.counts.resize(reader.count());
      for (std::uint32_t& count : rle.counts) {
        count = reader.varint32();
      }
      mask.shape = std::move(rle);
      break;
    }
    default:
      throw BlobReader::damaged(fmt::format("there is no form {}", head));
  }
  reader.end();
  if (const auto fault = fault_of(mask)) {
    throw BlobReader::damaged(*fault);
  }
  return mask;
}

}  // namespace verilabel
