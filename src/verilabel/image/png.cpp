#include "verilabel/image/png.h"

#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

struct PngState {
  std::span<const std::byte> rest;
  char message[256]{};
};

[[noreturn]] void leave_with_message(png_structp png, png_const_charp message) {
  auto* state = static_cast<PngState*>(png_get_error_ptr(png));
  std::snprintf(state->message, sizeof(state->message), "%s", message);
  png_longjmp(png, 1);
}

void stay_silent(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep data, std::size_t count) {
  auto* state = static_cast<PngState*>(png_get_io_ptr(png));
  if (count > state->rest.size()) {
    png_error(png, "the file ends too early");
  }
  std::memcpy(data, state->rest.data(), count);
  state->rest = state->rest.subspan(count);
}

/// libpng leaves by longjmp, so this function owns nothing. The transformations are those of OpenCV's IMREAD_COLOR.
bool read_pixels(png_structp png, png_infop info, PngState& state, png_bytepp rows, const Image& image) {
  if (setjmp(png_jmpbuf(png)) != 0) {
    return false;
  }
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);  // the caller has checked the size
  png_set_read_fn(png, &state, read_bytes);
  png_read_info(png, info);
  if (static_cast<int>(png_get_image_width(png, info)) != image.width() ||
      static_cast<int>(png_get_image_height(png, info)) != image.height()) {
    png_error(png, "two headers disagree about the size");
  }
  const png_byte color_type = png_get_color_type(png, info);
  if (png_get_bit_depth(png, info) == 16) {
    png_set_strip_16(png);
  }
  png_set_strip_alpha(png);
  if (color_type == PNG_COLOR_TYPE_PALETTE) {
    png_set_palette_to_rgb(png);
  }
  if ((color_type & PNG_COLOR_MASK_COLOR) == 0) {
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_gray_to_rgb(png);
  }
  png_set_bgr(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != image.stride_bytes()) {
    png_error(png, "the colour type is not handled");
  }
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

std::string encode(std::span<const std::uint8_t> pixels, std::uint32_t width, std::uint32_t height, png_uint_32 format) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string content(size, '\0');
  if (png_image_write_to_memory(&image, content.data(), &size, 0, pixels.data(), 0, nullptr) == 0) {
    throw Error(ErrorCode::internal, fmt::format("a PNG of {} × {} pixels cannot be written: {}", width, height, image.message));
  }
  content.resize(size);
  return content;
}

}  // namespace

void decode_png(std::span<const std::byte> content, Image& image) {
  PngState state{content};
  std::vector<png_bytep> rows(static_cast<std::size_t>(image.height()));
  for (int y = 0; y < image.height(); ++y) {
    rows[static_cast<std::size_t>(y)] = image.row(y);
  }
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, leave_with_message, stay_silent);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr) {
    png_destroy_read_struct(&png, nullptr, nullptr);
    throw std::bad_alloc();
  }
  const bool is_whole = read_pixels(png, info, state, rows.data(), image);
  png_destroy_read_struct(&png, &info, nullptr);
  if (!is_whole) {
    throw Error(ErrorCode::bad_data, fmt::format("the PNG file is damaged or cut off: {}", state.message));
  }
}

std::string encode_png(const Image& image) {
  if (image.empty()) {
    throw Error(ErrorCode::wrong_use, "an image without pixels cannot be written as PNG");
  }
  return encode(image.pixels(), static_cast<std::uint32_t>(image.width()), static_cast<std::uint32_t>(image.height()),
                PNG_FORMAT_BGR);
}

std::string encode_gray_png(std::span<const std::uint8_t> pixels, std::uint32_t width, std::uint32_t height) {
  return encode(pixels, width, height, PNG_FORMAT_GRAY);
}

}  // namespace verilabel
