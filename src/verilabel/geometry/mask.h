#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "verilabel/geometry/box.h"

namespace verilabel {

/// One closed ring as x0, y0, x1, y1, … in pixels of the upright image. COCO has no holes: parts are united.
using Polygon = std::vector<double>;

/// COCO run-length encoding: runs of 0 and 1 in turn, starting with 0, in column-major order over `height` × `width` pixels. The
/// runs add up to height · width, which is less than 2^32. A run of length 0 may stand anywhere.
struct Rle {
  std::uint32_t height = 0;
  std::uint32_t width = 0;
  std::vector<std::uint32_t> counts;

  friend bool operator==(const Rle&, const Rle&) = default;
};

/// The runs of an `Rle` that somebody else keeps.
struct RleView {
  std::uint32_t height = 0;
  std::uint32_t width = 0;
  std::span<const std::uint32_t> counts;

  RleView() = default;
  RleView(std::uint32_t height_px, std::uint32_t width_px, std::span<const std::uint32_t> runs)
      : height(height_px), width(width_px), counts(runs) {}
  RleView(const Rle& rle) : RleView(rle.height, rle.width, rle.counts) {}

  friend bool operator==(const RleView& a, const RleView& b) {
    return a.height == b.height && a.width == b.width && std::ranges::equal(a.counts, b.counts);
  }
};

/// A mask in the form it came in; rasterised only when needed.
struct Mask {
  std::variant<std::vector<Polygon>, Rle> shape;
  bool is_compressed = true;  ///< for an Rle: written as COCO's character string, as opposed to a list of counts

  friend bool operator==(const Mask&, const Mask&) = default;
};

/// What keeps the polygons or the runs from being a mask, to be completed by where; nothing when there is no such thing.
std::optional<std::string> fault_of(const Mask& mask);

/// The runs of a list of counts, checked: throws `bad_data` unless they add up to height · width.
Rle rle_from_counts(std::vector<std::uint32_t> counts, std::uint32_t height, std::uint32_t width);

/// The character string of COCO (`rleToString` of pycocotools): groups of 5 bits, from the fourth on differences to the count two
/// before. Decoding throws `bad_data` for a character outside the alphabet, a number that breaks off, a count that is negative or
/// too large, and counts that do not add up to height · width. Who decodes many takes `CocoStringReader`.
std::string coco_string_from_rle(RleView rle);
Rle rle_from_coco_string(std::string_view text, std::uint32_t height, std::uint32_t width);

/// The union of the polygons on a grid of pixels, in the same runs as pycocotools' `frPyObjects` and `merge` give. What lies
/// outside the grid is cut off. Time and memory follow the grid, not the coordinates: beyond ±10^12 they count as that. Throws
/// `bad_data` for a polygon with an odd count of numbers, fewer than three points or a number that is not finite, for no polygon at
/// all, and for a grid of 2^32 pixels or more. Who rasterises many takes `PolygonRasteriser`.
Rle rle_from_polygons(std::span<const Polygon> polygons, std::uint32_t height, std::uint32_t width);

/// One byte a pixel, column by column: the pixel in row r and column c is `bitmap[c * height + r]`; not 0 is inside. The size must
/// be height · width.
Rle rle_from_bitmap(std::span<const std::uint8_t> bitmap, std::uint32_t height, std::uint32_t width);
/// The same layout; 1 is inside. Takes height · width bytes, so look at the size first when it comes from a file.
std::vector<std::uint8_t> bitmap_from_rle(RleView rle);

/// Pixels inside.
std::uint64_t area(RleView rle);

/// The smallest box around the pixels inside; all zero when there are none. Equal to pycocotools' `toBbox`, except where that is
/// misled by a run of length 0.
Box tight_box(RleView rle);

/// The columns that its pixels lie in, as high as the grid: a box that holds `tight_box` and costs two looks at the runs.
Box columns_around(RleView rle);

/// The pixels of any of them. Throws `bad_data` when the sizes differ or there is none.
Rle union_of(std::span<const Rle> rles);

/// The mask of a window on the pixels of its image of `height` × `width`, of which the window's first pixel is in row `y` and
/// column `x`. Time and memory follow the runs and the window's columns, not the image. Throws `bad_data` when the window does not
/// lie in the image, and for an image of 2^32 pixels or more.
Rle placed(RleView window, std::uint32_t x, std::uint32_t y, std::uint32_t height, std::uint32_t width);

/// As `iou` and `intersection_over_detection` of boxes, counted in pixels. The same doubles as pycocotools' `iou`; the sizes must
/// be equal (throws `bad_data`).
double iou(RleView a, RleView b);
double intersection_over_detection(RleView detection, RleView crowd);

/// The mask on the pixels of its image: polygons are rasterised, runs must have the size of the image. Throws `bad_data`.
Rle rasterised(const Mask& mask, std::uint32_t height, std::uint32_t width);

/// Pixels inside, counted on the pixels of the image, as COCO states it.
double mask_area(const Mask& mask, std::uint32_t height, std::uint32_t width);

/// The box that COCO and Ultralytics take for the mask: around all points of the polygons, or `tight_box` of the runs. Polygons are
/// not cut at the image.
Box mask_box(const Mask& mask);
/// Around the points x0, y0, x1, y1, …
Box box_around(std::span<const double> xy_px);

}  // namespace verilabel
