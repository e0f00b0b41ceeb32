// Run-length masks from COCO's character string and from counts: what is taken adds up, and goes round.

#include <vector>

#include "fuzz/fuzzing.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/geometry/mask_blob.h"
#include "verilabel/geometry/mask_outline.h"

namespace verilabel {
namespace {

constexpr std::uint64_t kMaxBitmapPixels = 1 << 12;

/// The same pixels without runs of length 0 but the first.
Rle canonical(const Rle& rle) {
  const Rle runs[] = {rle};
  return union_of(runs);
}

void check(const Rle& rle) {
  const std::uint64_t pixels = std::uint64_t{rle.height} * rle.width;
  require(!fault_of(Mask{rle}), "runs that are taken make a mask");
  require(rle_from_coco_string(coco_string_from_rle(rle), rle.height, rle.width) == rle, "the character string says the runs");
  require(mask_from_blob(blob_from_mask(Mask{rle})) == Mask{rle}, "the stored form says the runs");
  const std::uint64_t inside = area(rle);
  const Box box = tight_box(rle);
  require(inside <= pixels && box.x >= 0 && box.y >= 0 && box.x + box.w <= rle.width && box.y + box.h <= rle.height,
          "no mask is larger than its image");
  require(static_cast<double>(inside) <= box.w * box.h && (inside > 0) == (box.w * box.h > 0), "the tight box holds all pixels");
  require(area(canonical(rle)) == inside, "a union of one has its pixels");
  const double overlap = iou(rle, rle);
  require(overlap == (inside > 0 ? 1.0 : 0.0), "a mask overlaps itself");
  if (pixels <= kMaxBitmapPixels) {
    const Rle from_bitmap = rle_from_bitmap(bitmap_from_rle(rle), rle.height, rle.width);
    require(bitmap_from_rle(from_bitmap) == bitmap_from_rle(rle) && area(from_bitmap) == inside, "a bitmap says the same pixels");
    const MaskOutline outline = outline_of(rle);
    require(outline.polygons.empty() == (inside == 0), "a mask with pixels has an outline");
    if (inside > 0) {
      const Rle filled = rle_from_polygons(outline.polygons, rle.height, rle.width);
      require(outline.hole_count > 0 ? area(filled) > inside : bitmap_from_rle(filled) == bitmap_from_rle(rle),
              "the outline of a mask without holes has its pixels");
    }
  }
}

}  // namespace
}  // namespace verilabel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  InputBytes input({data, size});
  const bool is_text = input.take<std::uint8_t>() % 2 == 1;
  const std::uint32_t height = input.take<std::uint16_t>();
  const std::uint32_t width = input.take<std::uint16_t>();
  const auto rle = unless_refused([&] {
    if (is_text) {
      return rle_from_coco_string(input.text(), height, width);
    }
    std::vector<std::uint32_t> counts;
    while (!input.empty()) {
      counts.push_back(input.take<std::uint16_t>());
    }
    // The last run takes what is left, without which hardly any input would add up.
    std::uint64_t sum = 0;
    for (const std::uint32_t count : counts) {
      sum += count;
    }
    if (!counts.empty() && sum < std::uint64_t{height} * width) {
      counts.back() += static_cast<std::uint32_t>(std::uint64_t{height} * width - sum);
    }
    return rle_from_counts(std::move(counts), height, width);
  });
  if (rle) {
    check(*rle);
  }
  return 0;
}
