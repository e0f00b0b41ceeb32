#include "verilabel/models/mask_upsampling.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace verilabel {
namespace {

/// Where a pixel of a bilinearly resized row lies between two pixels of the row it came from.
struct Tap {
  int low = 0;
  int high = 0;
  float weight = 0;  ///< of `high`
};

Tap tap_at(int target, float pixels_per_target, int size) {
  const float at = std::max(0.0F, (static_cast<float>(target) + 0.5F) * pixels_per_target - 0.5F);
  const int low = std::min(static_cast<int>(at), size - 1);
  return {low, std::min(low + 1, size - 1), at - static_cast<float>(low)};
}

/// The image's pixels [begin, end) along an axis that see any of the cells [first, last].
struct Reach {
  int begin = 0;
  int end = 0;
};

Reach reach_of(const std::vector<Blend>& blends, int first, int last) {
  const auto begin = std::ranges::find_if(blends, [&](const Blend& blend) { return blend.first + blend.count > first; });
  const auto end = std::find_if(begin, blends.end(), [&](const Blend& blend) { return blend.first > last; });
  return {static_cast<int>(begin - blends.begin()), static_cast<int>(end - blends.begin())};
}

void add_column(const std::vector<float>& logits, std::uint32_t first_pixel, RleBuilder& builder) {
  for (std::size_t y = 0; y < logits.size();) {
    if (!(logits[y] > 0)) {
      ++y;
      continue;
    }
    const std::size_t begin = y;
    while (y < logits.size() && logits[y] > 0) {
      ++y;
    }
    builder.add(first_pixel + static_cast<std::uint32_t>(begin), first_pixel + static_cast<std::uint32_t>(y));
  }
}

}  // namespace

std::vector<Blend> blends_of(const UpsamplingAxis& axis, int begin, int end) {
  const float enlarged_per_pixel = static_cast<float>(axis.content) / static_cast<float>(axis.image_size);
  const float cells_per_enlarged = static_cast<float>(axis.map_size) / static_cast<float>(axis.enlarged_size);
  std::vector<Blend> blends;
  blends.reserve(static_cast<std::size_t>(end - begin));
  for (int pixel = begin; pixel < end; ++pixel) {
    const Tap outer = tap_at(pixel, enlarged_per_pixel, axis.content);
    Blend blend;
    blend.first = tap_at(axis.cut + outer.low, cells_per_enlarged, axis.map_size).low;
    const auto add = [&](int cell, float weight) {
      if (weight > 0) {
        blend.weights[static_cast<std::size_t>(cell - blend.first)] += weight;
        blend.count = std::max(blend.count, cell - blend.first + 1);
      }
    };
    for (const auto& [enlarged, share] : {std::pair(outer.low, 1 - outer.weight), std::pair(outer.high, outer.weight)}) {
      const Tap inner = tap_at(axis.cut + enlarged, cells_per_enlarged, axis.map_size);
      add(inner.low, share * (1 - inner.weight));
      add(inner.high, share * inner.weight);
    }
    blends.push_back(blend);
  }
  return blends;
}

Rle RleBuilder::finish() {
  close();
  if (const std::uint32_t pixels = rle_.height * rle_.width; end_ < pixels) {
    rle_.counts.push_back(pixels - end_);
  }
  return std::move(rle_);
}

MaskUpsampling::MaskUpsampling(const UpsamplingAxis& down, const UpsamplingAxis& across)
    : down_(down), across_(across), rows_(blends_of(down, 0, down.image_size)), columns_(blends_of(across, 0, across.image_size)) {}

MaskUpsampling MaskUpsampling::stretched(int map_height, int map_width, int image_height, int image_width) {
  return {{map_height, map_height, 0, map_height, image_height}, {map_width, map_width, 0, map_width, image_width}};
}

// Calls `found(logits, first_pixel)` for the columns, and of each the rows, where anything may be above `lowest`: a weighted mean
// is above it only where one of the cells is.
template <typename Column>
void MaskUpsampling::for_each_column(std::span<const float> map, float lowest, const Column& found) const {
  const auto stride = static_cast<std::size_t>(across_.map_size);
  int left = across_.map_size;
  int right = -1;
  int top = down_.map_size;
  int bottom = -1;
  for (int row = 0; row < down_.map_size; ++row) {
    const float* cells = map.data() + static_cast<std::size_t>(row) * stride;
    const float* const end = cells + stride;
    const float* const first = std::find_if(cells, end, [&](float logit) { return logit > lowest; });
    if (first == end) {
      continue;
    }
    const float* last = end - 1;
    while (!(*last > lowest)) {
      --last;
    }
    left = std::min(left, static_cast<int>(first - cells));
    right = std::max(right, static_cast<int>(last - cells));
    top = std::min(top, row);
    bottom = row;
  }
  const Reach across = reach_of(columns_, left, right);
  const Reach down = reach_of(rows_, top, bottom);
  if (right < 0 || across.begin >= across.end || down.begin >= down.end) {
    return;
  }

  // First every column of the map that is needed is enlarged downwards, then they are mixed: both loops run along memory.
  const int first_column = columns_[static_cast<std::size_t>(across.begin)].first;
  const Blend& last = columns_[static_cast<std::size_t>(across.end - 1)];
  const auto height = static_cast<std::size_t>(down.end - down.begin);
  std::vector<float> enlarged(height * static_cast<std::size_t>(last.first + last.count - first_column));
  for (int column = first_column; column < last.first + last.count; ++column) {
    float* const to = enlarged.data() + static_cast<std::size_t>(column - first_column) * height;
    for (std::size_t y = 0; y < height; ++y) {
      const Blend& row = rows_[static_cast<std::size_t>(down.begin) + y];
      const float* const from = map.data() + static_cast<std::size_t>(row.first) * stride + static_cast<std::size_t>(column);
      float sum = row.weights[0] * from[0];
      for (int i = 1; i < row.count; ++i) {
        sum += row.weights[static_cast<std::size_t>(i)] * from[static_cast<std::size_t>(i) * stride];
      }
      to[y] = sum;
    }
  }
  std::vector<float> logits(height);
  for (int x = across.begin; x < across.end; ++x) {
    const Blend& column = columns_[static_cast<std::size_t>(x)];
    const float* const from = enlarged.data() + static_cast<std::size_t>(column.first - first_column) * height;
    const float weight = column.weights[0];
    for (std::size_t y = 0; y < height; ++y) {
      logits[y] = weight * from[y];
    }
    for (int i = 1; i < column.count; ++i) {
      const float share = column.weights[static_cast<std::size_t>(i)];
      const float* const next = from + static_cast<std::size_t>(i) * height;
      for (std::size_t y = 0; y < height; ++y) {
        logits[y] += share * next[y];
      }
    }
    found(logits,
          static_cast<std::uint32_t>(x) * static_cast<std::uint32_t>(down_.image_size) + static_cast<std::uint32_t>(down.begin));
  }
}

Rle MaskUpsampling::mask(std::span<const float> map) const {
  RleBuilder builder(down_.image_size, across_.image_size);
  for_each_column(map, 0,
                  [&](const std::vector<float>& logits, std::uint32_t first_pixel) { add_column(logits, first_pixel, builder); });
  return builder.finish();
}

MaskUpsampling::Graded MaskUpsampling::graded(std::span<const float> map, float offset) const {
  Graded graded;
  RleBuilder builder(down_.image_size, across_.image_size);
  for_each_column(map, -offset, [&](const std::vector<float>& logits, std::uint32_t first_pixel) {
    std::uint32_t above = 0;
    std::uint32_t above_minus = 0;
    for (const float logit : logits) {
      above += static_cast<std::uint32_t>(logit > offset);
      above_minus += static_cast<std::uint32_t>(logit > -offset);
    }
    graded.above_offset += above;
    graded.above_minus_offset += above_minus;
    add_column(logits, first_pixel, builder);
  });
  graded.mask = builder.finish();
  return graded;
}

}  // namespace verilabel
