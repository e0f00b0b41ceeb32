#include "verilabel/image/header.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/image/header_bytes.h"
#include "verilabel/image/tiff_block.h"

namespace verilabel {
namespace {

constexpr std::uint64_t kMaxJpegGarbageBytes = 1 << 20;

struct StoredSize {
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  std::optional<ExifPlace> exif = {};
};

/// The last entry of a tag that is an integer counts.
struct TiffHead {
  std::optional<std::uint64_t> width;
  std::optional<std::uint64_t> height;
  std::uint64_t orientation = 1;
};

TiffHead read_tiff_head(TiffBlock block) {
  TiffHead head;
  const std::uint64_t directory = block.first_directory();
  const std::uint64_t entry_count = block.entry_count(directory);
  for (std::uint64_t i = 0; i < entry_count; ++i) {
    const std::uint32_t tag = block.tag(directory, i);
    if (tag != 256 && tag != 257 && tag != 274) {
      continue;
    }
    const std::optional<std::uint64_t> value = block.integer(block.entry(directory, i));
    if (!value) {
      continue;
    }
    if (tag == 256) {
      head.width = value;
    } else if (tag == 257) {
      head.height = value;
    } else if (*value >= 1 && *value <= 8) {
      head.orientation = *value;
    }
  }
  return head;
}

/// EXIF is a hint beside the image: a damaged block means "not stated" and never fails the file.
std::uint64_t read_orientation(HeaderBytes& bytes, const ExifPlace& exif) {
  try {
    return read_tiff_head(TiffBlock(bytes, exif.offset, exif.bytes)).orientation;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::bad_data) {
      return 1;
    }
    throw;
  }
}

/// ITU T.81, annex B.
StoredSize read_jpeg(HeaderBytes& bytes) {
  std::uint64_t position = 2;
  std::uint64_t garbage_bytes = 0;
  StoredSize size;
  for (;;) {
    if (bytes.big(position, 1) != 0xFF) {  // decoders skip what stands between segments
      if (++garbage_bytes > kMaxJpegGarbageBytes) {
        fail(ErrorCode::bad_data, "no JPEG frame header is found");
      }
      ++position;
      continue;
    }
    const std::uint32_t marker = bytes.big(position + 1, 1);
    if (marker == 0xFF) {
      ++position;
      continue;
    }
    position += 2;
    if (marker == 0x00 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) {
      continue;
    }
    if (marker == 0xD8 || marker == 0xD9 || marker == 0xDA) {
      fail(ErrorCode::bad_data, "the JPEG file has no frame header in front of its pixels");
    }
    const std::uint32_t length = bytes.big(position, 2);
    if (length < 2) {
      fail(ErrorCode::bad_data, "a JPEG segment states an impossible length");
    }
    const bool is_frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      const std::uint32_t precision = bytes.big(position + 2, 1);
      const std::uint32_t components = bytes.big(position + 7, 1);
      const bool is_decoded = marker <= 0xC2 || marker == 0xC9 || marker == 0xCA;
      if (!is_decoded || precision != 8 || (components != 1 && components != 3 && components != 4)) {
        fail(ErrorCode::unsupported,
             fmt::format(
                 "JPEG of kind SOF{} with {} bits and {} components is not decoded; convert the file to baseline JPEG or PNG",
                 marker - 0xC0, precision, components));
      }
      size.height = bytes.big(position + 3, 2);
      size.width = bytes.big(position + 5, 2);
      return size;
    }
    if (marker == 0xE1 && !size.exif && length > 8 && bytes.starts_with(position + 2, std::string_view("Exif\0\0", 6))) {
      size.exif = ExifPlace{position + 2, std::min<std::uint64_t>(length - 2, bytes.size() - position - 2)};
    }
    position += length;
  }
}

/// PNG specification, third edition: IHDR first, eXIf before the pixels.
StoredSize read_png(HeaderBytes& bytes) {
  if (bytes.big(8, 4) != 13 || !bytes.starts_with(12, "IHDR")) {
    fail(ErrorCode::bad_data, "the PNG file does not begin with its header chunk");
  }
  StoredSize size{bytes.big(16, 4), bytes.big(20, 4)};
  std::uint64_t position = 8 + 12 + 13;
  while (bytes.has(position, 8)) {
    const std::uint32_t length = bytes.big(position, 4);
    if (length > 0x7FFFFFFF || bytes.starts_with(position + 4, "IDAT")) {
      break;
    }
    if (bytes.starts_with(position + 4, "eXIf")) {
      size.exif = ExifPlace{position + 8, std::min<std::uint64_t>(length, bytes.size() - position - 8)};
      break;
    }
    position += 12 + std::uint64_t{length};
  }
  return size;
}

StoredSize read_bmp(HeaderBytes& bytes) {
  const std::uint32_t header_bytes = bytes.little(14, 4);
  if (header_bytes == 12) {
    return {bytes.little(18, 2), bytes.little(20, 2)};
  }
  const auto width = static_cast<std::int32_t>(bytes.little(18, 4));
  const auto height = static_cast<std::int32_t>(bytes.little(22, 4));
  if (header_bytes < 36 || width <= 0 || height == std::numeric_limits<std::int32_t>::min()) {
    fail(ErrorCode::bad_data, "the BMP header makes no sense");
  }
  return {static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height < 0 ? -height : height)};
}

/// RFC 9649.
StoredSize read_webp(HeaderBytes& bytes) {
  if (bytes.starts_with(12, "VP8 ")) {
    if (bytes.big(23, 3) != 0x9D012A) {
      fail(ErrorCode::bad_data, "the WebP file has no start code in its first frame");
    }
    return {bytes.little(26, 2) & 0x3FFF, bytes.little(28, 2) & 0x3FFF};
  }
  if (bytes.starts_with(12, "VP8L")) {
    if (bytes.little(20, 1) != 0x2F) {
      fail(ErrorCode::bad_data, "the WebP file has no signature in its lossless frame");
    }
    const std::uint32_t bits = bytes.little(21, 4);
    return {(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1};
  }
  if (!bytes.starts_with(12, "VP8X")) {
    fail(ErrorCode::bad_data, "the WebP file begins with an unknown chunk");
  }
  const std::uint32_t flags = bytes.little(20, 1);
  StoredSize size{bytes.little(24, 3) + 1, bytes.little(27, 3) + 1};
  if ((flags & 0x02) != 0) {
    fail(ErrorCode::unsupported, "an animated WebP is not decoded; convert its first frame to PNG or JPEG");
  }
  if ((flags & 0x08) != 0) {
    std::uint64_t position = 12;
    while (bytes.has(position, 8)) {
      const std::uint32_t length = bytes.little(position + 4, 4);
      if (bytes.starts_with(position, "EXIF")) {
        size.exif = ExifPlace{position + 8, std::min<std::uint64_t>(length, bytes.size() - position - 8)};
        break;
      }
      position += 8 + std::uint64_t{length} + (length & 1);
    }
  }
  return size;
}

/// ISO 15444-1: annex A.5.1 (SIZ) for a bare codestream, annex I.5.3.1 (ihdr) for a JP2 file.
StoredSize read_jpeg2000(HeaderBytes& bytes) {
  if (bytes.big(0, 4) == 0xFF4FFF51) {
    const std::uint64_t right = bytes.big(8, 4);
    const std::uint64_t bottom = bytes.big(12, 4);
    const std::uint64_t left = bytes.big(16, 4);
    const std::uint64_t top = bytes.big(20, 4);
    if (left >= right || top >= bottom) {
      fail(ErrorCode::bad_data, "the JPEG 2000 header states an empty image");
    }
    return {right - left, bottom - top};
  }
  std::uint64_t position = 0;
  for (;;) {
    std::uint64_t length = bytes.big(position, 4);
    std::uint64_t head = 8;
    if (bytes.starts_with(position + 4, "jp2h")) {  // a box of boxes whose first one is the image header
      position += 8;
      continue;
    }
    if (bytes.starts_with(position + 4, "ihdr")) {
      return {bytes.big(position + 12, 4), bytes.big(position + 8, 4)};
    }
    if (length == 1) {
      length = std::uint64_t{bytes.big(position + 8, 4)} << 32 | bytes.big(position + 12, 4);
      head = 16;
    }
    if (length < head || length > bytes.size()) {
      fail(ErrorCode::bad_data, "the JPEG 2000 file has no image header box");
    }
    position += length;
  }
}

/// Netpbm: two numbers in text after the magic; a comment runs from # to the end of its line.
StoredSize read_pnm(HeaderBytes& bytes) {
  std::uint64_t position = 2;
  const auto read_number = [&] {
    std::uint32_t byte = bytes.big(position, 1);
    while (byte == '#' || byte == ' ' || (byte >= '\t' && byte <= '\r')) {
      if (byte == '#') {
        while (byte != '\n' && byte != '\r') {
          byte = bytes.big(++position, 1);
        }
      }
      byte = bytes.big(++position, 1);
    }
    std::uint64_t value = 0;
    if (byte < '0' || byte > '9') {
      fail(ErrorCode::bad_data, "the PNM header states no size");
    }
    while (byte >= '0' && byte <= '9') {
      value = std::min<std::uint64_t>(value * 10 + (byte - '0'), UINT32_MAX);
      byte = bytes.big(++position, 1);
    }
    return value;
  };
  const std::uint64_t width = read_number();
  return {width, read_number()};
}

StoredSize read_tiff(HeaderBytes& bytes) {
  const ExifPlace whole{0, bytes.size()};
  const TiffHead head = read_tiff_head(TiffBlock(bytes, whole.offset, whole.bytes));
  if (!head.width || !head.height) {
    fail(ErrorCode::bad_data, "the TIFF file states no width or height");
  }
  return {*head.width, *head.height, whole};
}

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  ImageFormat format;
  std::string_view name;
};

constexpr std::string_view operator""_b(const char* text, std::size_t size) {
  return {text, size};
}

constexpr Signature kSignatures[] = {
    {0, "\xFF\xD8\xFF"_b, ImageFormat::jpeg, "JPEG"},
    {0, "\x89PNG\r\n\x1A\n"_b, ImageFormat::png, "PNG"},
    {0, "II*\0"_b, ImageFormat::tiff, "TIFF"},
    {0, "MM\0*"_b, ImageFormat::tiff, "TIFF"},
    {0, "II+\0"_b, ImageFormat::tiff, "TIFF"},
    {0, "MM\0+"_b, ImageFormat::tiff, "TIFF"},
    {8, "WEBP"_b, ImageFormat::webp, "WebP"},
    {0, "\0\0\0\x0CjP  \r\n\x87\n"_b, ImageFormat::jpeg2000, "JPEG 2000"},
    {0, "\xFF\x4F\xFF\x51"_b, ImageFormat::jpeg2000, "JPEG 2000"},
    {0, "GIF87a"_b, ImageFormat::gif, "GIF"},
    {0, "GIF89a"_b, ImageFormat::gif, "GIF"},
    {0, "\0\0\1\0"_b, ImageFormat::other, "ICO"},
    {0, "qoif"_b, ImageFormat::other, "QOI"},
    {0, "8BPS"_b, ImageFormat::other, "PSD"},
    {0, "DDS "_b, ImageFormat::other, "DDS"},
    {0, "\x76\x2F\x31\x01"_b, ImageFormat::other, "OpenEXR"},
    {0, "#?RADIANCE"_b, ImageFormat::other, "Radiance HDR"},
    {0, "\x59\xA6\x6A\x95"_b, ImageFormat::other, "Sun raster"},
    {0, "\0\0\0\x0CJXL \r\n\x87\n"_b, ImageFormat::other, "JPEG XL"},
    {0, "\xFF\x0A"_b, ImageFormat::other, "JPEG XL"},
    {4, "ftypavif"_b, ImageFormat::other, "AVIF"},
    {4, "ftypheic"_b, ImageFormat::other, "HEIC"},
    {4, "ftypheix"_b, ImageFormat::other, "HEIC"},
    {4, "ftypmif1"_b, ImageFormat::other, "HEIF"},
};

/// Endings of files that claim to be images, whatever they hold.
constexpr std::string_view kExtensions[] = {"jpg", "jpeg", "jpe",  "jfif", "mpo", "png", "apng", "bmp",  "dib",
                                            "tif", "tiff", "webp", "jp2",  "j2k", "j2c", "jpx",  "jpf",  "pnm",
                                            "pbm", "pgm",  "ppm",  "pam",  "pfm", "gif", "ico",  "tga",  "qoi",
                                            "psd", "dds",  "exr",  "hdr",  "ras", "jxl", "avif", "heic", "heif"};

struct Sniffed {
  ImageFormat format;
  std::string_view name;
};

std::optional<Sniffed> sniff(std::string_view head) {
  for (const Signature& signature : kSignatures) {
    if (head.size() >= signature.offset + signature.bytes.size() &&
        head.substr(signature.offset, signature.bytes.size()) == signature.bytes &&
        (signature.format != ImageFormat::webp || head.starts_with("RIFF"))) {
      return Sniffed{signature.format, signature.name};
    }
  }
  // Two letters alone would take in text files: BMP must also state one of its header sizes, Netpbm go on with white space.
  if (head.size() >= 18 && head.starts_with("BM")) {
    const auto header_bytes = static_cast<std::uint8_t>(head[14]);
    if (header_bytes >= 12 && header_bytes <= 124 && head.substr(15, 3) == "\0\0\0"_b) {
      return Sniffed{ImageFormat::bmp, "BMP"};
    }
  }
  if (head.size() >= 3 && head[0] == 'P' && (head[2] == '\n' || head[2] == '\r' || head[2] == ' ' || head[2] == '\t')) {
    if (head[1] >= '1' && head[1] <= '6') {
      return Sniffed{ImageFormat::pnm, "PNM"};
    }
    if (head[1] == '7') {
      return Sniffed{ImageFormat::other, "PAM"};
    }
    if (head[1] == 'f' || head[1] == 'F') {
      return Sniffed{ImageFormat::other, "PFM"};
    }
  }
  return std::nullopt;
}

StoredSize read_stored_size(HeaderBytes& bytes, ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return read_jpeg(bytes);
    case ImageFormat::png:
      return read_png(bytes);
    case ImageFormat::bmp:
      return read_bmp(bytes);
    case ImageFormat::tiff:
      return read_tiff(bytes);
    case ImageFormat::webp:
      return read_webp(bytes);
    case ImageFormat::jpeg2000:
      return read_jpeg2000(bytes);
    case ImageFormat::pnm:
      return read_pnm(bytes);
    case ImageFormat::gif:
    case ImageFormat::other:
      break;
  }
  fail(ErrorCode::internal, "a format without a header reader");
}

}  // namespace

std::string_view name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "jpeg";
    case ImageFormat::png:
      return "png";
    case ImageFormat::bmp:
      return "bmp";
    case ImageFormat::tiff:
      return "tiff";
    case ImageFormat::webp:
      return "webp";
    case ImageFormat::jpeg2000:
      return "jpeg2000";
    case ImageFormat::pnm:
      return "pnm";
    case ImageFormat::gif:
      return "gif";
    case ImageFormat::other:
      break;
  }
  return "other";
}

bool is_image_candidate(const std::filesystem::path& path, std::span<const std::byte> first_bytes) {
  const std::string_view first(reinterpret_cast<const char*>(first_bytes.data()), first_bytes.size());
  if (sniff(first)) {
    return true;
  }
  // macOS keeps what it says of photo.jpg in ._photo.jpg on disks of other systems.
  constexpr std::string_view kAppleDouble("\x00\x05\x16\x07", 4);
  if (path.filename().native().starts_with("._") && first.starts_with(kAppleDouble)) {
    return false;
  }
  std::string extension = path.extension().native();
  if (extension.empty()) {
    return false;
  }
  extension.erase(0, 1);
  for (char& letter : extension) {
    if (letter >= 'A' && letter <= 'Z') {
      letter = static_cast<char>(letter - 'A' + 'a');
    }
  }
  return std::ranges::find(kExtensions, extension) != std::end(kExtensions);
}

ImageHeader read_header(HeaderBytes& bytes) {
  if (bytes.size() == 0) {
    fail(ErrorCode::bad_data, "the file is empty");
  }
  const std::size_t head_bytes = std::min<std::uint64_t>(bytes.size(), kSniffBytes);
  const std::string head(reinterpret_cast<const char*>(bytes.at(0, head_bytes)), head_bytes);
  const std::optional<Sniffed> sniffed = sniff(head);
  if (!sniffed) {
    fail(ErrorCode::bad_data, "the file does not begin like an image of any known format");
  }
  if (sniffed->format == ImageFormat::other || sniffed->format == ImageFormat::gif) {
    fail(ErrorCode::unsupported, fmt::format("{} images are not decoded; convert the file to PNG or JPEG", sniffed->name));
  }
  const StoredSize size = read_stored_size(bytes, sniffed->format);
  constexpr std::uint64_t kMaxSide = std::numeric_limits<std::int32_t>::max();
  if (size.width == 0 || size.height == 0 || size.width > kMaxSide || size.height > kMaxSide) {
    fail(ErrorCode::bad_data,
         fmt::format("the {} header states the impossible size {} x {}", sniffed->name, size.width, size.height));
  }
  ImageHeader header;
  header.format = sniffed->format;
  header.exif = size.exif;
  header.orientation = static_cast<std::uint8_t>(size.exif ? read_orientation(bytes, *size.exif) : 1);
  header.width = static_cast<std::int32_t>(size.width);
  header.height = static_cast<std::int32_t>(size.height);
  header.file_bytes = bytes.size();
  if (header.orientation >= 5) {
    std::swap(header.width, header.height);
  }
  return header;
}

ImageHeader read_header(std::span<const std::byte> file_content) {
  HeaderBytes bytes(file_content);
  return read_header(bytes);
}

ImageHeader read_header(const std::filesystem::path& path) {
  ImageHeader header;
  with_header_bytes(path, [&](HeaderBytes& bytes) { header = read_header(bytes); });
  return header;
}

}  // namespace verilabel
