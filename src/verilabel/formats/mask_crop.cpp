#include "verilabel/formats/mask_crop.h"

#include <algorithm>
#include <cstddef>

namespace verilabel {

MaskCrop crop_of(const Rle& rle) {
  const Box box = tight_box(rle);
  MaskCrop crop{static_cast<std::uint32_t>(box.x),
                static_cast<std::uint32_t>(box.y),
                std::max(1U, static_cast<std::uint32_t>(box.w)),
                std::max(1U, static_cast<std::uint32_t>(box.h)),
                {}};
  crop.pixels.assign(std::size_t{crop.width} * crop.height, 0);
  std::uint64_t at = 0;
  bool is_inside = false;
  for (const std::uint32_t count : rle.counts) {
    for (std::uint64_t i = is_inside ? at : at + count; i < at + count; ++i) {
      const std::size_t column = static_cast<std::size_t>(i / rle.height) - crop.x;
      const std::size_t row = static_cast<std::size_t>(i % rle.height) - crop.y;
      crop.pixels[row * crop.width + column] = 1;
    }
    at += count;
    is_inside = !is_inside;
  }
  return crop;
}

Rle rle_from_crop(const MaskCrop& crop, std::uint32_t height, std::uint32_t width) {
  std::vector<std::uint8_t> columns(crop.pixels.size());
  for (std::size_t row = 0; row < crop.height; ++row) {
    for (std::size_t column = 0; column < crop.width; ++column) {
      columns[column * crop.height + row] = crop.pixels[row * crop.width + column];
    }
  }
  return placed(rle_from_bitmap(columns, crop.height, crop.width), crop.x, crop.y, height, width);
}

}  // namespace verilabel
