#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "verilabel/image/resize.h"

namespace verilabel {
namespace {

constexpr int kPrecisionBits = 22;
constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);
/// How many times as tall as wide an image may be before its height is brought down first.
constexpr std::int64_t kTallest = 100;

double sinc(double x) {
  return x == 0.0 ? 1.0 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi);
}

double weight_at(PillowFilter filter, double x) {
  switch (filter) {
    case PillowFilter::box:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case PillowFilter::bilinear:
      x = std::abs(x);
      return x < 1.0 ? 1.0 - x : 0.0;
    case PillowFilter::hamming:
      x = std::abs(x);
      if (x == 0.0) {
        return 1.0;
      }
      if (x >= 1.0) {
        return 0.0;
      }
      x *= std::numbers::pi;
      return std::sin(x) / x * (0.54F + 0.46F * std::cos(x));  // Pillow's constants are single precision
    case PillowFilter::bicubic: {
      constexpr double a = -0.5;
      x = std::abs(x);
      if (x < 1.0) {
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
      }
      return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
    }
    case PillowFilter::lanczos:
      return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
    case PillowFilter::nearest:
      break;
  }
  return 0.0;
}

double support_of(PillowFilter filter) {
  switch (filter) {
    case PillowFilter::box:
      return 0.5;
    case PillowFilter::bilinear:
    case PillowFilter::hamming:
      return 1.0;
    case PillowFilter::bicubic:
      return 2.0;
    case PillowFilter::lanczos:
      return 3.0;
    case PillowFilter::nearest:
      break;
  }
  return 0.0;
}

/// One axis: output i is the sum of `count` inputs from `first` with the weights from i * `stride` on.
template <typename Weight>
struct Taps {
  struct Window {
    int first;
    int count;
  };
  std::vector<Window> windows;
  std::vector<Weight> weights;
  int stride = 0;
};

Taps<double> exact_taps(int input_size, int output_size, PillowFilter filter) {
  const double scale = static_cast<double>(input_size) / output_size;
  const double stretch = std::max(scale, 1.0);
  const double support = support_of(filter) * stretch;
  const double shrink = 1.0 / stretch;
  Taps<double> taps;
  taps.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.windows.resize(static_cast<std::size_t>(output_size));
  taps.weights.resize(static_cast<std::size_t>(output_size) * static_cast<std::size_t>(taps.stride));
  for (int i = 0; i < output_size; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int count = std::min(input_size, static_cast<int>(center + support + 0.5)) - first;
    double* const weights = taps.weights.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(taps.stride);
    double sum = 0.0;
    for (int k = 0; k < count; ++k) {
      weights[k] = weight_at(filter, (k + first - center + 0.5) * shrink);
      sum += weights[k];
    }
    for (int k = 0; k < count && sum != 0.0; ++k) {
      weights[k] /= sum;
    }
    taps.windows[static_cast<std::size_t>(i)] = {first, count};
  }
  return taps;
}

Taps<std::int32_t> make_taps(int input_size, int output_size, PillowFilter filter) {
  const Taps<double> exact = exact_taps(input_size, output_size, filter);
  Taps<std::int32_t> taps;
  taps.stride = exact.stride;
  for (const Taps<double>::Window& window : exact.windows) {
    taps.windows.push_back({window.first, window.count});
  }
  taps.weights.resize(exact.weights.size());
  std::ranges::transform(exact.weights, taps.weights.begin(), [](double weight) {
    return static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
  });
  return taps;
}

std::uint8_t clip(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

void resize_rows(const Image& source, const Taps<std::int32_t>& taps, Image& result) {
  for (int y = 0; y < result.height(); ++y) {
    const std::uint8_t* from = source.row(y);
    std::uint8_t* to = result.row(y);
    const std::int32_t* weights = taps.weights.data();
    for (const Taps<std::int32_t>::Window& window : taps.windows) {
      const std::uint8_t* pixel = from + static_cast<std::size_t>(window.first) * Image::kChannels;
      std::int32_t blue = kHalf;
      std::int32_t green = kHalf;
      std::int32_t red = kHalf;
      for (int k = 0; k < window.count; ++k, pixel += Image::kChannels) {
        blue += pixel[0] * weights[k];
        green += pixel[1] * weights[k];
        red += pixel[2] * weights[k];
      }
      to[0] = clip(blue);
      to[1] = clip(green);
      to[2] = clip(red);
      to += Image::kChannels;
      weights += taps.stride;
    }
  }
}

/// Channels do not matter along y: a row is one run of bytes, summed in blocks that stay in registers and the first cache.
void resize_columns(const Image& source, const Taps<std::int32_t>& taps, Image& result) {
  constexpr std::size_t kBlock = 256;
  const std::size_t row_bytes = source.stride_bytes();
  const std::int32_t* weights = taps.weights.data();
  for (int y = 0; y < result.height(); ++y, weights += taps.stride) {
    const auto [first, count] = taps.windows[static_cast<std::size_t>(y)];
    std::uint8_t* to = result.row(y);
    for (std::size_t start = 0; start < row_bytes; start += kBlock) {
      const std::size_t size = std::min(kBlock, row_bytes - start);
      std::array<std::int32_t, kBlock> sums;
      sums.fill(kHalf);
      for (int k = 0; k < count; ++k) {
        const std::uint8_t* from = source.row(first + k) + start;
        const std::int32_t weight = weights[k];
        for (std::size_t x = 0; x < size; ++x) {
          sums[x] += from[x] * weight;
        }
      }
      for (std::size_t x = 0; x < size; ++x) {
        to[start + x] = clip(sums[x]);
      }
    }
  }
}

/// Pillow walks by adding the step, so the rounding errors of the sum are part of the result.
std::vector<int> nearest_indices(int input_size, int output_size) {
  const double step = static_cast<double>(input_size) / output_size;
  std::vector<int> indices(static_cast<std::size_t>(output_size));
  double position = step * 0.5;
  for (int& index : indices) {
    index = std::min(static_cast<int>(position), input_size - 1);
    position += step;
  }
  return indices;
}

void resize_nearest(const Image& source, Image& result) {
  const std::vector<int> columns = nearest_indices(source.width(), result.width());
  const std::vector<int> rows = nearest_indices(source.height(), result.height());
  for (int y = 0; y < result.height(); ++y) {
    const std::uint8_t* from = source.row(rows[static_cast<std::size_t>(y)]);
    std::uint8_t* to = result.row(y);
    for (const int column : columns) {
      std::memcpy(to, from + static_cast<std::size_t>(column) * Image::kChannels, Image::kChannels);
      to += Image::kChannels;
    }
  }
}

}  // namespace

void resize_pillow(const Image& source, int width, int height, PillowFilter filter, Image& result) {
  const bool has_width = source.width() == width;
  const bool has_height = source.height() == height;
  if (has_width && has_height) {
    result = source;
    return;
  }
  result.resize(width, height);
  if (filter == PillowFilter::nearest) {
    resize_nearest(source, result);
    return;
  }
  if (has_height) {
    resize_rows(source, make_taps(source.width(), width, filter), result);
    return;
  }
  const Taps<std::int32_t> vertical = make_taps(source.height(), height, filter);
  if (has_width) {
    resize_columns(source, vertical, result);
    return;
  }
  thread_local Image between;
  if (source.height() > kTallest * std::int64_t{source.width()} && height < source.height()) {
    between.resize(source.width(), height);
    resize_columns(source, vertical, between);
    resize_rows(between, make_taps(source.width(), width, filter), result);
    return;
  }
  between.resize(width, source.height());
  resize_rows(source, make_taps(source.width(), width, filter), between);
  resize_columns(between, vertical, result);
}

void write_planar_antialiased(const Image& image, const PixelTables& tables, PillowFilter filter, int width, int height,
                              std::span<float> chw) {
  constexpr std::size_t kChannels = Image::kChannels;
  const std::size_t plane = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  assert(chw.size() == plane * kChannels && filter != PillowFilter::nearest);
  const Taps<double> down = exact_taps(image.height(), height, filter);
  const Taps<double> across = exact_taps(image.width(), width, filter);
  std::vector<float> row(image.stride_bytes());
  for (int y = 0; y < height; ++y) {
    const auto [first, count] = down.windows[static_cast<std::size_t>(y)];
    std::ranges::fill(row, 0.0F);
    for (int k = 0; k < count; ++k) {
      const auto weight = static_cast<float>(
          down.weights[static_cast<std::size_t>(y) * static_cast<std::size_t>(down.stride) + static_cast<std::size_t>(k)]);
      const std::uint8_t* const pixels = image.row(first + k);
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] += weight * static_cast<float>(pixels[i]);
      }
    }
    for (int x = 0; x < width; ++x) {
      const Taps<double>::Window& window = across.windows[static_cast<std::size_t>(x)];
      const double* const weights = across.weights.data() + static_cast<std::size_t>(x) * static_cast<std::size_t>(across.stride);
      const float* values = row.data() + static_cast<std::size_t>(window.first) * kChannels;
      std::array<double, kChannels> sums{};
      for (int k = 0; k < window.count; ++k, values += kChannels) {
        for (std::size_t channel = 0; channel < kChannels; ++channel) {
          sums[channel] += weights[k] * static_cast<double>(values[channel]);
        }
      }
      for (std::size_t channel = 0; channel < kChannels; ++channel) {
        const std::size_t position = tables.order == ChannelOrder::bgr ? channel : 2 - channel;
        const std::array<float, 256>& table = tables.values[position];
        const double slope = (static_cast<double>(table[255]) - table[0]) / 255;
        chw[position * plane + static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)] =
            static_cast<float>(table[0] + sums[channel] * slope);
      }
    }
  }
}

}  // namespace verilabel
