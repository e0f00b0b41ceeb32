#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "verilabel/image/resize.h"

namespace verilabel {
namespace {

/// The whole function of a pixel value, so that a value costs one load from the first cache whatever the scaling is.
using ValueTable = std::array<float, 256>;

ValueTable make_table(float mean, float scale) {
  ValueTable table;
  for (int value = 0; value < 256; ++value) {
    table[static_cast<std::size_t>(value)] = (static_cast<float>(value) - mean) * scale;
  }
  return table;
}

}  // namespace

void crop(const Image& source, int x, int y, int width, int height, Image& result) {
  assert(x >= 0 && y >= 0 && width >= 0 && height >= 0 && width <= source.width() - x && height <= source.height() - y);
  result.resize(width, height);
  for (int row = 0; row < height; ++row) {
    std::memcpy(result.row(row), source.row(y + row) + static_cast<std::size_t>(x) * Image::kChannels, result.stride_bytes());
  }
}

void write_planar(const Image& image, const PixelScaling& scaling, int canvas_width, int canvas_height, int left, int top,
                  std::uint8_t padding, std::span<float> chw) {
  const auto plane = static_cast<std::size_t>(canvas_width) * static_cast<std::size_t>(canvas_height);
  assert(chw.size() == plane * Image::kChannels);
  assert(left >= 0 && top >= 0 && image.width() <= canvas_width - left && image.height() <= canvas_height - top);
  std::array<ValueTable, Image::kChannels> tables;
  std::array<float*, Image::kChannels> planes{};
  std::array<std::size_t, Image::kChannels> plane_of_channel{};  // of blue, green, red
  for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
    plane_of_channel[channel] = scaling.order == ChannelOrder::bgr ? channel : 2 - channel;
    const std::size_t position = plane_of_channel[channel];
    tables[channel] = make_table(scaling.mean[position], scaling.scale[position]);
    planes[channel] = chw.data() + position * plane;
    const float fill = tables[channel][padding];
    const std::size_t above = static_cast<std::size_t>(top) * static_cast<std::size_t>(canvas_width);
    const std::size_t below = static_cast<std::size_t>(top + image.height()) * static_cast<std::size_t>(canvas_width);
    std::fill(planes[channel], planes[channel] + above, fill);
    std::fill(planes[channel] + below, planes[channel] + plane, fill);
  }
  const auto width = static_cast<std::size_t>(image.width());
  const auto canvas = static_cast<std::size_t>(canvas_width);
  for (int y = 0; y < image.height(); ++y) {
    const std::uint8_t* pixels = image.row(y);
    const std::size_t row = static_cast<std::size_t>(top + y) * canvas;
    for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
      float* to = planes[channel] + row;
      const ValueTable& table = tables[channel];
      std::fill(to, to + left, table[padding]);
      float* inside = to + left;
      for (std::size_t x = 0; x < width; ++x) {
        inside[x] = table[pixels[x * Image::kChannels + channel]];
      }
      std::fill(inside + width, to + canvas, table[padding]);
    }
  }
}

}  // namespace verilabel
