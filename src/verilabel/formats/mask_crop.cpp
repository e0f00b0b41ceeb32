#include "verilabel/formats/mask_crop.h"

#include <algorithm>
#include <cassert>
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
  assert(std::uint64_t{crop.x} + crop.width <= width && std::uint64_t{crop.y} + crop.height <= height);
  Rle rle{height, width, {0}};
  bool is_inside = false;
  const auto add = [&](bool inside, std::uint32_t count) {
    if (count == 0) {
      return;
    }
    if (inside != is_inside) {
      rle.counts.push_back(0);
      is_inside = inside;
    }
    rle.counts.back() += count;
  };
  add(false, crop.x * height);
  for (std::uint32_t column = 0; column < crop.width; ++column) {
    add(false, crop.y);
    for (std::uint32_t row = 0; row < crop.height; ++row) {
      add(crop.pixels[std::size_t{row} * crop.width + column] != 0, 1);
    }
    add(false, height - crop.y - crop.height);
  }
  add(false, (width - crop.x - crop.width) * height);
  return rle;
}

}  // namespace verilabel
