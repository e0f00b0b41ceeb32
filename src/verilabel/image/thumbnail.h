#pragma once

#include <filesystem>
#include <string>

#include "verilabel/image/image.h"

namespace verilabel {

struct ThumbnailOptions {
  int max_side_px = 512;  ///< neither side is longer; what is smaller keeps its size
  int quality = 80;       ///< of the JPEG, 1 to 100

  /// Throws `wrong_use`.
  void validate() const;
};

/// Shrinks to at most `max_side_px` a side, keeping the ratio of the sides up to rounding and at least one pixel a side; each pixel
/// of the result is the mean of those it covers. Throws `wrong_use` for an empty image and a side below 1.
void shrink_to_fit(const Image& source, int max_side_px, Image& result);

/// A small JPEG of an image file, upright as EXIF says. Throws what `decode` throws, and `wrong_use`. Safe from any number of
/// threads.
std::string thumbnail_jpeg(const std::filesystem::path& path, const ThumbnailOptions& options = {});

}  // namespace verilabel
