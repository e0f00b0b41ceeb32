#include "verilabel/formats/numpy_mask.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <zlib.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr std::uint64_t kMaxPixels = std::uint64_t{1} << 28;
constexpr std::size_t kMaxItemBytes = 8;
constexpr std::size_t kMaxHeaderBytes = 1 << 16;
constexpr std::string_view kMagic = "\x93NUMPY";

[[noreturn]] void fail(std::string message) {
  throw Error(ErrorCode::bad_data, std::move(message));
}

/// Never more than an array of the most pixels allowed can have.
std::vector<std::uint8_t> inflated(std::span<const std::uint8_t> compressed) {
  if (compressed.size() > std::numeric_limits<uInt>::max()) {
    fail("the array is too large");
  }
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) {
    fail("the array cannot be unpacked");
  }
  stream.next_in = const_cast<Bytef*>(compressed.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast): zlib only reads it
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::vector<std::uint8_t> content;
  std::array<std::uint8_t, std::size_t{1} << 16> piece{};
  int status = Z_OK;
  while (status == Z_OK && content.size() <= kMaxPixels * kMaxItemBytes + kMaxHeaderBytes) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    status = inflate(&stream, Z_NO_FLUSH);
    content.insert(content.end(), piece.begin(), piece.end() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) {
    fail(status == Z_OK ? "the array is too large" : "the array's compressed bytes are broken or end too early");
  }
  return content;
}

/// What stands behind a key of the header, which is the text of a Python dictionary.
std::string_view value_of(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) {
    fail(fmt::format("the header of the array has no `{}`", key));
  }
  const std::string_view rest = header.substr(at + key.size() + 3);
  return rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
}

std::uint32_t side_from(std::string_view& text) {
  std::uint32_t side = 0;
  text.remove_prefix(std::min(text.find_first_not_of(" (,"), text.size()));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  if (error != std::errc() || side == 0) {
    fail("a mask is an array of two dimensions");
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return side;
}

}  // namespace

MaskCrop crop_from_numpy(std::span<const std::uint8_t> compressed) {
  const std::vector<std::uint8_t> content = inflated(compressed);
  const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  constexpr std::size_t kVersionAt = 6;
  if (!text.starts_with(kMagic) || text.size() < 12) {
    fail("the bytes are no NumPy array");
  }
  const std::size_t length_bytes = content[kVersionAt] == 1 ? 2 : 4;
  std::size_t header_bytes = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) {
    header_bytes |= std::size_t{content[kVersionAt + 2 + i]} << (8 * i);
  }
  const std::size_t data_at = kVersionAt + 2 + length_bytes + header_bytes;
  if (header_bytes > kMaxHeaderBytes || data_at > text.size()) {
    fail("the header of the array ends too early");
  }
  const std::string_view header = text.substr(kVersionAt + 2 + length_bytes, header_bytes);

  const std::string_view descr = value_of(header, "descr");
  if (descr.size() < 4 || std::string_view("'\"").find(descr[0]) == std::string_view::npos ||
      std::string_view("|<=>").find(descr[1]) == std::string_view::npos ||
      std::string_view("biuf").find(descr[2]) == std::string_view::npos ||
      std::string_view("1248").find(descr[3]) == std::string_view::npos) {
    fail("a mask is an array of bool, integers or numbers");
  }
  const auto item_bytes = static_cast<std::size_t>(descr[3] - '0');
  std::string_view shape = value_of(header, "shape");
  MaskCrop crop;
  crop.height = side_from(shape);
  crop.width = side_from(shape);
  if (!shape.starts_with(')') && !shape.starts_with(",)")) {
    fail("a mask is an array of two dimensions");
  }
  const std::uint64_t pixels = std::uint64_t{crop.width} * crop.height;
  if (pixels > kMaxPixels || content.size() - data_at != pixels * item_bytes) {
    fail(fmt::format("an array of {} × {} does not have {} bytes", crop.height, crop.width, content.size() - data_at));
  }
  const bool is_by_columns = value_of(header, "fortran_order").starts_with("True");
  crop.pixels.resize(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    const auto item = content.begin() + static_cast<std::ptrdiff_t>(data_at + i * item_bytes);
    const bool is_inside =
        std::any_of(item, item + static_cast<std::ptrdiff_t>(item_bytes), [](std::uint8_t byte) { return byte != 0; });
    const std::size_t at = is_by_columns ? i % crop.height * crop.width + i / crop.height : i;
    crop.pixels[at] = is_inside ? 1 : 0;
  }
  return crop;
}

std::vector<std::uint8_t> numpy_from_crop(const MaskCrop& crop) {
  constexpr std::size_t kAlignment = 64;  // of the data, as NumPy has it
  std::string header = fmt::format("{{'descr': '|b1', 'fortran_order': False, 'shape': ({}, {}), }}", crop.height, crop.width);
  header.append(kAlignment - (kMagic.size() + 4 + header.size() + 1) % kAlignment, ' ').push_back('\n');
  std::string content(kMagic);
  content.append({'\x01', '\x00', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)});
  content += header;
  content.append(crop.pixels.begin(), crop.pixels.end());
  uLongf size = compressBound(content.size());
  std::vector<std::uint8_t> compressed(size);
  if (compress(compressed.data(), &size, reinterpret_cast<const Bytef*>(content.data()), content.size()) != Z_OK) {
    throw Error(ErrorCode::internal, "an array cannot be compressed");
  }
  compressed.resize(size);
  return compressed;
}

}  // namespace verilabel
