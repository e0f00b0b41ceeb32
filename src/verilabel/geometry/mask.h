#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "verilabel/geometry/box.h"

namespace verilabel {

/// One closed ring as x0, y0, x1, y1, … in pixels of the upright image. COCO has no holes: parts are united.
using Polygon = std::vector<double>;

/// COCO run-length encoding: runs of 0 and 1 in turn, starting with 0, in column-major order over `height` × `width` pixels. The
/// runs add up to height · width.
struct Rle {
  std::uint32_t height = 0;
  std::uint32_t width = 0;
  std::vector<std::uint32_t> counts;

  friend bool operator==(const Rle&, const Rle&) = default;
};

/// A mask in the form it came in; rasterised only when needed.
struct Mask {
  std::variant<std::vector<Polygon>, Rle> shape;
  bool is_compressed = true;  ///< for an Rle: written as COCO's character string, as opposed to a list of counts

  friend bool operator==(const Mask&, const Mask&) = default;
};

}  // namespace verilabel
