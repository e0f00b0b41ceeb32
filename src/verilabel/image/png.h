#pragma once

#include <cstddef>
#include <span>

#include "verilabel/image/image.h"

namespace verilabel {

/// Decodes a PNG as stored (EXIF not applied) into `image`, which has the size that the header states. Throws `bad_data` for a file
/// that is broken or ends before its last chunk.
void decode_png(std::span<const std::byte> content, Image& image);

}  // namespace verilabel
