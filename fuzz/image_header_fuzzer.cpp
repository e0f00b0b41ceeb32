// Headers of image files of every kind: the same from memory and from a file.

#include "fuzz/fuzzing.h"
#include "verilabel/image/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  static const ScratchFolder scratch;
  const auto content = std::as_bytes(std::span(data, size));
  const std::filesystem::path path = scratch.write("image", {reinterpret_cast<const char*>(data), size});
  const auto header = unless_refused([&] { return read_header(content); });
  const auto from_file = unless_refused([&] { return read_header(path); });
  require(header.has_value() == from_file.has_value(), "a file reads as its bytes do");
  if (header) {
    require(header->width > 0 && header->height > 0 && header->orientation >= 1 && header->orientation <= 8, "a size has sides");
    require(header->format == from_file->format && header->width == from_file->width && header->height == from_file->height &&
                header->orientation == from_file->orientation && header->file_bytes == from_file->file_bytes,
            "a file reads as its bytes do");
    require(is_image_candidate("image", content.first(std::min(size, kSniffBytes))), "what has a header is seen as an image");
  }
  return 0;
}
