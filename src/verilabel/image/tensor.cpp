#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <vector>

#include "verilabel/image/resize.h"

namespace verilabel {
namespace {

/// The two neighbours that a place lies between, and the share of the second.
struct Taps {
  int first = 0;
  int second = 0;
  float share = 0;
};

/// In single precision, as PyTorch works them out: pixels are squares, and beyond the outermost centres nothing changes any more.
std::vector<Taps> linear_taps(int source, int target) {
  std::vector<Taps> taps;
  const float step = static_cast<float>(source) / static_cast<float>(target);
  for (int i = 0; i < target; ++i) {
    const float place = std::max(0.0F, step * (static_cast<float>(i) + 0.5F) - 0.5F);
    const int first = std::min(static_cast<int>(place), source - 1);
    taps.push_back({first, std::min(first + 1, source - 1), std::clamp(place - static_cast<float>(first), 0.0F, 1.0F)});
  }
  return taps;
}

}  // namespace

void crop(const Image& source, int x, int y, int width, int height, Image& result) {
  assert(x >= 0 && y >= 0 && width >= 0 && height >= 0 && width <= source.width() - x && height <= source.height() - y);
  result.resize(width, height);
  for (int row = 0; row < height; ++row) {
    std::memcpy(result.row(row), source.row(y + row) + static_cast<std::size_t>(x) * Image::kChannels, result.stride_bytes());
  }
}

PixelTables tables_of(const PixelScaling& scaling, std::uint8_t padding) {
  PixelTables tables;
  tables.order = scaling.order;
  for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
    for (std::size_t value = 0; value < 256; ++value) {
      tables.values[channel][value] = (static_cast<float>(value) - scaling.mean[channel]) / scaling.std[channel];
    }
    tables.padding[channel] = tables.values[channel][padding];
  }
  return tables;
}

void write_planar(const Image& image, const PixelTables& tables, int canvas_width, int canvas_height, int left, int top,
                  std::span<float> chw) {
  const auto canvas = static_cast<std::size_t>(canvas_width);
  const std::size_t plane = canvas * static_cast<std::size_t>(canvas_height);
  assert(chw.size() == plane * Image::kChannels);
  // The part of the canvas that the image covers, and the pixel of the image that comes first there.
  const int begin_x = std::clamp(left, 0, canvas_width);
  const int end_x = std::clamp(left + image.width(), begin_x, canvas_width);
  const int begin_y = std::clamp(top, 0, canvas_height);
  const int end_y = std::clamp(top + image.height(), begin_y, canvas_height);
  const auto width = static_cast<std::size_t>(end_x - begin_x);
  const std::size_t first = width == 0 ? 0 : static_cast<std::size_t>(begin_x - left) * Image::kChannels;
  std::array<std::size_t, Image::kChannels> position_of{};  // of blue, green, red
  std::array<const float*, Image::kChannels> table_of{};
  for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
    position_of[channel] = tables.order == ChannelOrder::bgr ? channel : 2 - channel;
    table_of[channel] = tables.values[position_of[channel]].data();
    float* const to = chw.data() + channel * plane;
    std::fill(to, to + static_cast<std::size_t>(begin_y) * canvas, tables.padding[channel]);
    std::fill(to + static_cast<std::size_t>(end_y) * canvas, to + plane, tables.padding[channel]);
  }
  for (int y = begin_y; y < end_y; ++y) {
    std::array<float*, Image::kChannels> inside{};  // of blue, green, red
    for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
      const std::size_t position = position_of[channel];
      float* const row = chw.data() + position * plane + static_cast<std::size_t>(y) * canvas;
      inside[channel] = row + begin_x;
      std::fill(row, inside[channel], tables.padding[position]);
      std::fill(inside[channel] + width, row + canvas, tables.padding[position]);
    }
    const auto [blue, green, red] = inside;
    const std::uint8_t* pixel = image.row(y - top) + first;
    for (std::size_t x = 0; x < width; ++x, pixel += Image::kChannels) {
      blue[x] = table_of[0][pixel[0]];
      green[x] = table_of[1][pixel[1]];
      red[x] = table_of[2][pixel[2]];
    }
  }
}

void write_planar_linear(const Image& image, const PixelTables& tables, int width, int height, std::span<float> chw) {
  const std::size_t plane = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  assert(chw.size() == plane * Image::kChannels);
  const std::vector<Taps> columns = linear_taps(image.width(), width);
  const std::vector<Taps> rows = linear_taps(image.height(), height);
  for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
    const std::size_t position = tables.order == ChannelOrder::bgr ? channel : 2 - channel;
    const std::array<float, 256>& table = tables.values[position];
    float* out = chw.data() + position * plane;
    for (const Taps& row : rows) {
      const std::uint8_t* const upper = image.row(row.first) + channel;
      const std::uint8_t* const lower = image.row(row.second) + channel;
      for (const Taps& column : columns) {
        const std::size_t left = static_cast<std::size_t>(column.first) * Image::kChannels;
        const std::size_t right = static_cast<std::size_t>(column.second) * Image::kChannels;
        const auto across = [&](const std::uint8_t* pixels) {
          return (1 - column.share) * table[pixels[left]] + column.share * table[pixels[right]];
        };
        *out++ = (1 - row.share) * across(upper) + row.share * across(lower);
      }
    }
  }
}

}  // namespace verilabel
