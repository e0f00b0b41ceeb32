#include "verilabel/image/jpeg.h"

#include <fmt/format.h>

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// jpeglib.h needs FILE and size_t from in front of it, jerror.h what jpeglib.h configures.
#include <jpeglib.h>

#include <jerror.h>

#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/image/decode.h"

namespace verilabel {
namespace {

/// Progressive files may state any number of scans, each of which costs a pass over the image; real encoders use about ten.
constexpr int kMaxScans = 500;

/// libjpeg leaves by longjmp, so nothing between setjmp and it may own anything.
struct JpegErrors {
  jpeg_error_mgr manager{};
  std::jmp_buf leave{};
  char message[JMSG_LENGTH_MAX]{};
};

[[noreturn]] void leave_with_message(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->leave, 1);
}

/// libjpeg only warns about missing or damaged pixel data and fills in grey; for us that is a failure. The other warnings (bytes
/// between segments, an odd Adobe or JFIF marker) leave the pixels whole.
void fail_on_damage(j_common_ptr info, int level) {
  if (level >= 0) {
    return;
  }
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_ARITH_BAD_CODE:
      leave_with_message(info);
    default:
      break;
  }
}

void stay_silent(j_common_ptr) {}

void limit_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
    auto* errors = reinterpret_cast<JpegErrors*>(info->err);
    std::snprintf(errors->message, sizeof(errors->message), "more than %d scans", kMaxScans);
    std::longjmp(errors->leave, 1);
  }
}

void set_up(JpegErrors& errors) {
  jpeg_std_error(&errors.manager);
  errors.manager.error_exit = leave_with_message;
  errors.manager.emit_message = fail_on_damage;
  errors.manager.output_message = stay_silent;
}

/// As OpenCV: inverted CMYK, as Adobe writes it, with black multiplied in.
void bgr_from_cmyk(const std::uint8_t* cmyk, int width, std::uint8_t* bgr) {
  for (int x = 0; x < width; ++x) {
    const int key = cmyk[4 * x + 3];
    for (int channel = 0; channel < 3; ++channel) {
      bgr[3 * x + 2 - channel] = static_cast<std::uint8_t>(key - ((255 - cmyk[4 * x + channel]) * key >> 8));
    }
  }
}

/// False with a message in `errors`. `cmyk_row` holds 4 bytes a pixel.
bool decompress(jpeg_decompress_struct& jpeg, JpegErrors& errors, std::span<const std::byte> content, Image& image,
                std::uint8_t* cmyk_row) {
  if (setjmp(errors.leave) != 0) {
    return false;
  }
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(content.data()), content.size());
  jpeg_progress_mgr progress{};
  progress.progress_monitor = limit_scans;
  jpeg.progress = &progress;
  jpeg_read_header(&jpeg, TRUE);
  const bool is_cmyk = jpeg.num_components == 4;
  jpeg.out_color_space = is_cmyk ? JCS_CMYK : JCS_EXT_BGR;
  jpeg_start_decompress(&jpeg);
  if (static_cast<int>(jpeg.output_width) != image.width() || static_cast<int>(jpeg.output_height) != image.height()) {
    std::snprintf(errors.message, sizeof(errors.message), "two frame headers disagree about the size");
    return false;
  }
  while (jpeg.output_scanline < jpeg.output_height) {
    const int y = static_cast<int>(jpeg.output_scanline);
    JSAMPROW row = is_cmyk ? cmyk_row : image.row(y);
    jpeg_read_scanlines(&jpeg, &row, 1);
    if (is_cmyk) {
      bgr_from_cmyk(cmyk_row, image.width(), image.row(y));
    }
  }
  jpeg_finish_decompress(&jpeg);
  return true;
}

bool compress(jpeg_compress_struct& jpeg, JpegErrors& errors, const Image& image, int quality, unsigned char*& buffer,
              unsigned long& size) {
  if (setjmp(errors.leave) != 0) {
    return false;
  }
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, &buffer, &size);
  jpeg.image_width = static_cast<JDIMENSION>(image.width());
  jpeg.image_height = static_cast<JDIMENSION>(image.height());
  jpeg.input_components = Image::kChannels;
  jpeg.in_color_space = JCS_EXT_BGR;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    auto* row = const_cast<std::uint8_t*>(image.row(static_cast<int>(jpeg.next_scanline)));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  return true;
}

}  // namespace

void decode_jpeg(std::span<const std::byte> content, Image& image) {
  JpegErrors errors;
  set_up(errors);
  jpeg_decompress_struct jpeg{};
  jpeg.err = &errors.manager;
  std::vector<std::uint8_t> cmyk_row(static_cast<std::size_t>(image.width()) * 4);
  const bool is_whole = decompress(jpeg, errors, content, image, cmyk_row.data());
  jpeg_destroy_decompress(&jpeg);
  if (!is_whole) {
    throw Error(ErrorCode::bad_data, fmt::format("the JPEG pixels are damaged or cut off: {}", errors.message));
  }
}

std::string encode_jpeg(const Image& image, int quality) {
  if (quality < 1 || quality > 100) {
    throw Error(ErrorCode::wrong_use, fmt::format("the JPEG quality {} is not between 1 and 100", quality));
  }
  JpegErrors errors;
  set_up(errors);
  jpeg_compress_struct jpeg{};
  jpeg.err = &errors.manager;
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const bool is_done = compress(jpeg, errors, image, quality, buffer, size);
  jpeg_destroy_compress(&jpeg);
  std::string content;
  if (is_done) {
    content.assign(reinterpret_cast<const char*>(buffer), size);
  }
  std::free(buffer);
  if (!is_done) {
    throw Error(ErrorCode::io, fmt::format("the image cannot be written as JPEG: {}", errors.message));
  }
  return content;
}

}  // namespace verilabel
