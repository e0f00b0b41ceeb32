#pragma once

#include "verilabel/image/image.h"

namespace verilabel {

/// The mean of 0.299 R + 0.587 G + 0.114 B over all pixels, 0 to 255: the luma of ITU-R BT.601 of the values as they are, which are
/// sRGB's. Throws `wrong_use` for an image without pixels.
double mean_luma(const Image& image);

}  // namespace verilabel
