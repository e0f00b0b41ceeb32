#pragma once

#include <cstddef>
#include <vector>

#include "verilabel/geometry/mask.h"

namespace verilabel {

struct MaskOutline {
  std::vector<Polygon> polygons;  ///< one a part; none for an empty mask
  std::size_t hole_count = 0;     ///< holes that the polygons fill, because COCO and YOLO polygons cannot say them
};

/// The outer outline of each part, along the edges of its pixels, corners only: rasterised again (`rle_from_polygons`), the
/// polygons of a mask without holes give exactly its pixels. Pixels that touch at a corner only belong to different parts, and a
/// gap that is open at a corner is no hole. Clockwise as seen on the screen, from the top edge of the part's first pixel in
/// column-major order; parts in the order of their first pixels. Time and memory follow the runs and the width, not the number of
/// pixels.
MaskOutline outline_of(const Rle& rle);

}  // namespace verilabel
