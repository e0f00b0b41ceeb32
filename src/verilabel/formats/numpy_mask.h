#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "verilabel/formats/mask_crop.h"

// Private to the module.
namespace verilabel {

/// The pixels of a two-dimensional array in NumPy's file format (`numpy.lib.format`, versions 1 to 3), compressed by zlib; what is
/// not 0 is inside. Throws `bad_data` for what is broken or of another shape, and for more than 2^28 pixels.
MaskCrop crop_from_numpy(std::span<const std::uint8_t> compressed);
/// The same as an array of bool.
std::vector<std::uint8_t> numpy_from_crop(const MaskCrop& crop);

}  // namespace verilabel
