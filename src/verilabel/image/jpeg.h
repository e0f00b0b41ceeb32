#pragma once

#include <cstddef>
#include <span>

#include "verilabel/image/image.h"

namespace verilabel {

/// Decodes a JPEG as stored (EXIF not applied) into `image`, which has the size that the header states. Throws `bad_data` for
/// broken or missing pixels, among them everything that libjpeg would fill with grey.
void decode_jpeg(std::span<const std::byte> content, Image& image);

}  // namespace verilabel
