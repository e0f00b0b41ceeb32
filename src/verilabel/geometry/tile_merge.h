#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "verilabel/geometry/box.h"
#include "verilabel/geometry/tiling.h"

namespace verilabel {

/// A box that a model found in one window of an image.
struct TileBox {
  Box box_xywh_px;  ///< in the image, inside its window
  double score = 0;
  std::int32_t class_id = 0;
  std::size_t tile = 0;  ///< which of the windows
};

/// One object of the image.
struct TileObject {
  Box box_xywh_px;
  double score = 0;
  /// Boxes that it is made of, by their place in the input: one that is whole, or pieces of which it is the union.
  std::vector<std::size_t> members;
};

/// The boxes of all windows as objects of the image without doubles, by descending score; of equal scores the one with the earlier
/// member first. Boxes of different classes never meet, and what one window says is different stays so.
///
/// A box is *cut* where it ends at an edge of its window that is no edge of the image, within a hundredth of the window's side and
/// at least 2 pixels; a box that is cut nowhere is *whole*. Windows that see one object differ in what they see of it, so boxes
/// are compared as far as both windows see: each is taken only up to the edges at which the other one is cut.
///
/// 1. Of whole boxes that overlap by an IoU of more than 0.5 the one with the better score stays.
/// 2. A cut box that overlaps a whole one in that way, by more than 0.5, is a piece of it: it goes, and the whole one has the
/// better
///    of both scores. A cut box also goes when at least 0.7 of its area lie in a whole one with a score as good that goes on beyond
///    an edge at which the first is cut: what a model takes for an object when it sees a piece of a large one.
/// 3. Of the cut boxes that are left, those of different windows that overlap in that way are pieces of one object: best overlap
///    first, at most one of a window. The object is their union with the best of their scores.
/// 4. Where an object that was made of pieces now overlaps another one by an IoU of more than 0.5, the one with the better score
///    stays.
///
/// A cut box of which nobody saw the rest stays as it is.
std::vector<TileObject> merge_tiles(std::span<const TileBox> boxes, std::span<const Tile> tiles, int image_width, int image_height);

}  // namespace verilabel
