#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "verilabel/image/image.h"

namespace verilabel {

/// Decodes a PNG as stored (EXIF not applied) into `image`, which has the size that the header states. Throws `bad_data` for a file
/// that is broken or ends before its last chunk.
void decode_png(std::span<const std::byte> content, Image& image);

/// A PNG of the image. Throws `wrong_use` for one without pixels.
std::string encode_png(const Image& image);

/// A PNG of one channel of 8 bits, from rows top to bottom without padding; `pixels` has width · height bytes.
std::string encode_gray_png(std::span<const std::uint8_t> pixels, std::uint32_t width, std::uint32_t height);

}  // namespace verilabel
