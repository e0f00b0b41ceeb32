#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "verilabel/image/image.h"

namespace verilabel {

struct DecodeOptions {
  std::uint64_t max_pixels = std::uint64_t{1} << 28;  ///< larger images are refused before anything is allocated
};

/// Decodes into `image`, upright as EXIF says: the pixels of OpenCV's `imread(IMREAD_COLOR)`. Of an animation the first frame;
/// alpha is dropped; 16 bits become 8. Throws `bad_data` for an empty, broken or truncated file (never half an image) and for one
/// beyond `max_pixels`; `unsupported`, `not_found`, `io`. Safe from any number of threads.
void decode(const std::filesystem::path& path, Image& image, const DecodeOptions& options = {});
void decode(std::span<const std::byte> file_content, Image& image, const DecodeOptions& options = {});

/// A JPEG of the image, quality 1 to 100. Throws `io` when the codec refuses.
std::string encode_jpeg(const Image& image, int quality);

}  // namespace verilabel
