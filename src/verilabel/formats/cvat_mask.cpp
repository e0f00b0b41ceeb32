#include <algorithm>
#include <cassert>
#include <numeric>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/cvat.h"

namespace verilabel {
namespace {

/// Collects runs that begin with one of 0.
class Runs {
 public:
  void add(bool is_inside, std::uint32_t count) {
    if (count == 0) {
      return;
    }
    if (is_inside != is_inside_) {
      counts_.push_back(0);
      is_inside_ = is_inside;
    }
    counts_.back() += count;
  }
  std::vector<std::uint32_t> take() { return std::move(counts_); }

 private:
  std::vector<std::uint32_t> counts_{0};
  bool is_inside_ = false;
};

/// Calls `mark(index)` for each pixel of the runs that is inside.
template <typename Mark>
void for_each_inside(std::span<const std::uint32_t> counts, Mark&& mark) {
  std::uint64_t at = 0;
  bool is_inside = false;
  for (const std::uint32_t count : counts) {
    for (std::uint64_t i = at; is_inside && i < at + count; ++i) {
      mark(i);
    }
    at += count;
    is_inside = !is_inside;
  }
}

}  // namespace

Rle rle_from_cvat(const CvatMask& mask, std::uint32_t image_height, std::uint32_t image_width) {
  const std::uint64_t pixels = std::uint64_t{mask.width} * mask.height;
  if (pixels == 0 || std::uint64_t{mask.left} + mask.width > image_width || std::uint64_t{mask.top} + mask.height > image_height) {
    throw Error(ErrorCode::bad_data, fmt::format("the box of the mask ({} × {} at {}, {}) is empty or leaves the image of {} × {}",
                                                 mask.width, mask.height, mask.left, mask.top, image_width, image_height));
  }
  if (pixels > kMaxCvatMaskPixels) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the box of the mask has {} pixels; at most {} are read", pixels, kMaxCvatMaskPixels));
  }
  const std::uint64_t sum = std::accumulate(mask.counts.begin(), mask.counts.end(), std::uint64_t{0});
  if (sum != pixels) {
    throw Error(ErrorCode::bad_data, fmt::format("the runs add up to {} pixels, and the box of the mask has {}", sum, pixels));
  }
  std::vector<std::uint8_t> columns(pixels);
  for_each_inside(mask.counts, [&](std::uint64_t i) { columns[i % mask.width * mask.height + i / mask.width] = 1; });

  Runs runs;
  runs.add(false, mask.left * image_height);
  for (std::uint32_t column = 0; column < mask.width; ++column) {
    runs.add(false, mask.top);
    const auto begin = columns.begin() + static_cast<std::ptrdiff_t>(std::uint64_t{column} * mask.height);
    const auto end = begin + mask.height;
    for (auto at = begin; at != end;) {
      const auto next = std::find_if(at, end, [&](std::uint8_t value) { return value != *at; });
      runs.add(*at != 0, static_cast<std::uint32_t>(next - at));
      at = next;
    }
    runs.add(false, image_height - mask.top - mask.height);
  }
  runs.add(false, (image_width - mask.left - mask.width) * image_height);
  return rle_from_counts(runs.take(), image_height, image_width);
}

CvatMask cvat_mask_from(const Rle& rle) {
  const Box box = tight_box(rle);
  CvatMask mask{static_cast<std::uint32_t>(box.x),
                static_cast<std::uint32_t>(box.y),
                static_cast<std::uint32_t>(box.w),
                static_cast<std::uint32_t>(box.h),
                {}};
  assert(mask.width > 0 && std::uint64_t{mask.width} * mask.height <= kMaxCvatMaskPixels);
  std::vector<std::uint8_t> rows(std::size_t{mask.width} * mask.height);
  for_each_inside(rle.counts,
                  [&](std::uint64_t i) { rows[(i % rle.height - mask.top) * mask.width + i / rle.height - mask.left] = 1; });
  Runs runs;
  for (auto at = rows.begin(); at != rows.end();) {
    const auto next = std::find_if(at, rows.end(), [&](std::uint8_t value) { return value != *at; });
    runs.add(*at != 0, static_cast<std::uint32_t>(next - at));
    at = next;
  }
  mask.counts = runs.take();
  return mask;
}

}  // namespace verilabel
