#include "verilabel/image/decode.h"

#include <fmt/format.h>

#include <opencv2/core.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/image/codecs.h"
#include "verilabel/image/header.h"
#include "verilabel/image/jpeg.h"
#include "verilabel/image/png.h"

namespace verilabel {
namespace {

constexpr std::size_t kMessageBytes = 512;

cv::Mat view_of(Image& image) {
  return {image.height(), image.width(), CV_8UC3, image.pixels().data()};
}

/// Turns stored pixels upright (EXIF 2.32, tag 274).
void make_upright(Image& image, int orientation) {
  if (orientation >= 5) {
    // One buffer a thread that changes places with the caller's, so that a folder of portraits allocates nothing either.
    thread_local Image transposed;
    transposed.resize(image.height(), image.width());
    cv::Mat target = view_of(transposed);
    cv::transpose(view_of(image), target);
    image.swap(transposed);
  }
  cv::Mat pixels = view_of(image);
  constexpr int kUpsideDown = 0;
  constexpr int kMirrored = 1;
  constexpr int kBoth = -1;
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(pixels, pixels, kMirrored);
      break;
    case 3:
    case 7:
      cv::flip(pixels, pixels, kBoth);
      break;
    case 4:
    case 8:
      cv::flip(pixels, pixels, kUpsideDown);
      break;
    default:
      break;
  }
}

void decode_with_plugin(std::span<const std::byte> content, ImageFormat format, Image& image) {
  char message[kMessageBytes];
  if (!codecs().decode(reinterpret_cast<const std::uint8_t*>(content.data()), content.size(), image.width(), image.height(),
                       image.pixels().data(), message, sizeof(message))) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the {} pixels cannot be decoded; the file is damaged, cut off or of a rare kind{}{}", name_of(format),
                            message[0] == '\0' ? "" : ": ", message));
  }
}

/// No camera's or scanner's image is so long, and what is worked out a column must stay small.
constexpr int kMaxSide = 1 << 20;

void check_size(const ImageHeader& header, const DecodeOptions& options) {
  const std::uint64_t pixels = static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(header.height);
  if (pixels > options.max_pixels) {
    throw Error(ErrorCode::bad_data, fmt::format("the image has {} x {} pixels, which is more than the limit of {}", header.width,
                                                 header.height, options.max_pixels));
  }
  if (std::max(header.width, header.height) > kMaxSide) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the image has {} x {} pixels, and the limit of a side is {}", header.width, header.height, kMaxSide));
  }
}

void decode_checked(std::span<const std::byte> content, const ImageHeader& header, Image& image) {
  // TIFF states the orientation among its own fields, and OpenCV always applies it there.
  const bool is_upright = header.format == ImageFormat::tiff || header.orientation == 1;
  const bool is_turned = !is_upright && header.orientation >= 5;
  image.resize(is_turned ? header.height : header.width, is_turned ? header.width : header.height);
  switch (header.format) {
    case ImageFormat::jpeg:
      decode_jpeg(content, image);
      break;
    case ImageFormat::png:
      decode_png(content, image);
      break;
    default:
      decode_with_plugin(content, header.format, image);
      break;
  }
  if (!is_upright) {
    make_upright(image, header.orientation);
  }
}

}  // namespace

void decode(std::span<const std::byte> file_content, Image& image, const DecodeOptions& options) {
  const ImageHeader header = read_header(file_content);
  check_size(header, options);
  decode_checked(file_content, header, image);
}

void decode(const std::filesystem::path& path, Image& image, const DecodeOptions& options) {
  // The header first: it turns away pipes, directories and huge files that are no images before they are read.
  const ImageHeader header = read_header(path);
  try {
    check_size(header, options);
    const std::string content = read_file(path);
    decode(std::as_bytes(std::span(content)), image, options);
  } catch (const Error& error) {
    throw error.context().empty() ? error.with("path", path.native()) : error;
  }
}

}  // namespace verilabel
