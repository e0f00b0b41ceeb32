// JPEG and PNG files, header and pixels. The other kinds are OpenCV's to decode, in a plug-in that is not instrumented.

#include "fuzz/fuzzing.h"
#include "verilabel/image/decode.h"
#include "verilabel/image/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  constexpr DecodeOptions kSmall{.max_pixels = 1 << 16};
  const auto content = std::as_bytes(std::span(data, size));
  const auto header = unless_refused([&] { return read_header(content); });
  if (!header || (header->format != ImageFormat::jpeg && header->format != ImageFormat::png)) {
    return header ? -1 : 0;
  }
  static Image image;
  const auto is_whole = unless_refused([&] {
    decode(content, image, kSmall);
    return true;
  });
  if (is_whole) {
    require(image.width() == header->width && image.height() == header->height, "an image has the size that its header states");
    unsigned sum = 0;
    for (const std::uint8_t pixel : image.pixels()) {
      sum += pixel;
    }
    require(sum <= 255 * image.pixels().size(), "every pixel is there");
  }
  return 0;
}
