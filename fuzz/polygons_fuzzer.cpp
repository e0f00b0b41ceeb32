// Polygons of any coordinates onto small grids: memory and time follow the grid, and outlines lead back to the pixels.

#include <cmath>
#include <vector>

#include "fuzz/fuzzing.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/geometry/mask_blob.h"
#include "verilabel/geometry/mask_outline.h"

namespace verilabel {
namespace {

/// One coordinate in a form that its first byte picks: a pixel, a fraction of one, or any double at all.
double coordinate(InputBytes& input) {
  const auto form = input.take<std::uint8_t>();
  switch (form % 4) {
    case 0:
      return input.take<std::uint8_t>();
    case 1:
      return input.take<std::int16_t>() / 8.0;
    case 2:
      return input.take<float>();
    default:
      return input.take<double>();
  }
}

}  // namespace
}  // namespace verilabel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  InputBytes input({data, size});
  const std::uint32_t height = input.take<std::uint8_t>();
  const std::uint32_t width = input.take<std::uint8_t>();
  std::vector<Polygon> polygons;
  while (!input.empty() && polygons.size() < 16) {
    Polygon& polygon = polygons.emplace_back();
    const std::size_t numbers = input.take<std::uint8_t>() % 32;
    for (std::size_t i = 0; i < numbers && !input.empty(); ++i) {
      polygon.push_back(coordinate(input));
    }
  }
  const auto rle = unless_refused([&] { return rle_from_polygons(polygons, height, width); });
  const bool is_mask = !fault_of(Mask{polygons});
  require(is_mask == rle.has_value(), "polygons are a mask, or are refused");
  if (!rle) {
    return 0;
  }
  require(!fault_of(Mask{*rle}), "runs of polygons make a mask");
  require(rle->counts.size() <= std::size_t{height} * width + 1, "no more runs than pixels");
  const Box box = mask_box(Mask{polygons});
  require(box.w >= 0 && box.h >= 0, "a box has sides");
  const Mask same = mask_from_blob(blob_from_mask(Mask{polygons}));
  require(same == Mask{polygons}, "every coordinate comes back from the store");

  const MaskOutline outline = outline_of(*rle);
  require(outline.polygons.empty() == (area(*rle) == 0), "a mask with pixels has an outline");
  if (!outline.polygons.empty()) {
    const Rle filled = rle_from_polygons(outline.polygons, height, width);
    require(outline.hole_count > 0 ? area(filled) > area(*rle) : bitmap_from_rle(filled) == bitmap_from_rle(*rle),
            "the outline of a mask without holes has its pixels");
  }
  return 0;
}
