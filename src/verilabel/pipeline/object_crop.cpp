#include "verilabel/pipeline/object_crop.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr double kGreatestMargin = 10;
constexpr std::array<std::uint8_t, Image::kChannels> kGreyBgr = {104, 116, 124};

struct Span {
  int begin = 0;
  int end = 0;
};

Span touched(double begin, double length, double margin, int limit) {
  const double first = std::floor(begin - margin * length);
  const double last = std::ceil(begin + length + margin * length);
  const int from = static_cast<int>(std::clamp(first, 0.0, static_cast<double>(limit - 1)));
  const int to = static_cast<int>(std::clamp(last, static_cast<double>(from + 1), static_cast<double>(limit)));
  return {from, to};
}

}  // namespace

void CropOptions::validate() const {
  if (!(margin >= 0 && margin <= kGreatestMargin)) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("the margin of a crop is {}; 0 to {} times the box is needed", margin, kGreatestMargin));
  }
}

void crop_object(const Image& image, const Box& box_xywh_px, const std::optional<Mask>& mask, const CropOptions& options,
                 Image& object) {
  const Span columns = touched(box_xywh_px.x, box_xywh_px.w, options.margin, image.width());
  const Span rows = touched(box_xywh_px.y, box_xywh_px.h, options.margin, image.height());
  object.resize(columns.end - columns.begin, rows.end - rows.begin);
  for (int y = rows.begin; y < rows.end; ++y) {
    std::memcpy(object.row(y - rows.begin), image.row(y) + static_cast<std::ptrdiff_t>(columns.begin) * Image::kChannels,
                object.stride_bytes());
  }
  if (!mask || !options.is_masked) {
    return;
  }
  const Rle rle = rasterised(*mask, static_cast<std::uint32_t>(image.height()), static_cast<std::uint32_t>(image.width()));
  // Runs go down the columns, outside first.
  std::uint64_t at = 0;
  bool is_inside = false;
  const auto height = static_cast<std::uint64_t>(image.height());
  const std::uint64_t first = static_cast<std::uint64_t>(columns.begin) * height;
  const std::uint64_t last = static_cast<std::uint64_t>(columns.end) * height;
  for (const std::uint32_t count : rle.counts) {
    const std::uint64_t end = std::min(at + count, last);
    for (std::uint64_t pixel = std::max(at, first); !is_inside && pixel < end; ++pixel) {
      const int y = static_cast<int>(pixel % height);
      if (y >= rows.begin && y < rows.end) {
        const auto x = static_cast<std::ptrdiff_t>(pixel / height) - columns.begin;
        std::ranges::copy(kGreyBgr, object.row(y - rows.begin) + x * Image::kChannels);
      }
    }
    at += count;
    is_inside = !is_inside;
  }
}

}  // namespace verilabel
