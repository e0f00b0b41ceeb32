#pragma once

#include <cstdint>
#include <vector>

#include "verilabel/geometry/mask.h"

// Masks as formats have them that keep pixels of a part of the image. Private to the module.
namespace verilabel {

/// Pixels of a part of an image, row by row; not 0 is inside.
struct MaskCrop {
  std::uint32_t x = 0;  ///< of the first column
  std::uint32_t y = 0;  ///< of the first row
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::uint8_t> pixels;
};

/// The part with all pixels inside (`tight_box`), 1 for those; the first pixel of the image, outside, when there are none.
MaskCrop crop_of(const Rle& rle);
/// Throws what `placed` throws, for a crop that does not lie within `height` × `width` among others.
Rle rle_from_crop(const MaskCrop& crop, std::uint32_t height, std::uint32_t width);

}  // namespace verilabel
