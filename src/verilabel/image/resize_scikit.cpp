#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <vector>

#include "verilabel/image/resize.h"

namespace verilabel {
namespace {

/// Where scipy ends a Gaussian, in standard deviations.
constexpr double kTruncation = 4;

/// A pixel beyond the border is the one as far inside of it; the border itself is not repeated.
int reflected(int index, int size) {
  if (size == 1) {
    return 0;
  }
  const int period = 2 * (size - 1);
  index = std::abs(index) % period;
  return index < size ? index : period - index;
}

/// The weights of scipy's gaussian_filter, from −radius to radius.
std::vector<double> gaussian(double sigma) {
  const int radius = static_cast<int>(kTruncation * sigma + 0.5);
  std::vector<double> weights(static_cast<std::size_t>(2 * radius + 1));
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) {
    const double weight = sigma > 0 ? std::exp(-0.5 / (sigma * sigma) * i * i) : 1;
    weights[static_cast<std::size_t>(i + radius)] = weight;
    sum += weight;
  }
  for (double& weight : weights) {
    weight /= sum;
  }
  return weights;
}

/// One output of an axis: a sum over pixels of the image from `first` on, and a share of the padding.
struct Taps {
  int first = 0;
  std::vector<float> weights;
  float of_padding = 0;
};

/// Blur and interpolation are both sums with fixed weights, so that one sum does both. `content` pixels of the square are image.
std::vector<Taps> taps_of(int square, int content, int side) {
  const double shrinking = static_cast<double>(square) / side;
  const std::vector<double> blur = gaussian(std::max(0.0, (shrinking - 1) / 2));
  const int radius = static_cast<int>(blur.size() / 2);
  std::vector<Taps> taps(static_cast<std::size_t>(side));
  std::vector<double> weights;
  for (int i = 0; i < side; ++i) {
    double at = (i + 0.5) * shrinking - 0.5;
    at = at < 0 ? -at : at;  // reflected, by less than half a pixel
    at = at > square - 1 ? std::max(0.0, 2.0 * (square - 1) - at) : at;
    const int below = static_cast<int>(at);
    const int first = std::max(0, below - radius);
    const int last = std::min(square - 1, below + 1 + radius);
    weights.assign(static_cast<std::size_t>(last - first + 1), 0);
    for (const int tap : {below, below + 1}) {
      const double share = tap == below ? 1 - (at - below) : at - below;
      for (int k = -radius; share > 0 && k <= radius; ++k) {
        weights[static_cast<std::size_t>(reflected(reflected(tap, square) + k, square) - first)] +=
            share * blur[static_cast<std::size_t>(k + radius)];
      }
    }
    Taps& own = taps[static_cast<std::size_t>(i)];
    own.first = std::min(first, content);
    double of_padding = 0;
    for (int pixel = first; pixel <= last; ++pixel) {
      const double weight = weights[static_cast<std::size_t>(pixel - first)];
      if (pixel < content) {
        own.weights.push_back(static_cast<float>(weight));
      } else {
        of_padding += weight;
      }
    }
    own.of_padding = static_cast<float>(of_padding);
  }
  return taps;
}

}  // namespace

void write_square_scikit(const Image& image, const PixelScaling& scaling, std::uint8_t padding, int side, std::span<float> chw) {
  constexpr std::size_t kChannels = Image::kChannels;
  const auto plane = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  assert(chw.size() == plane * kChannels);
  const int square = std::max(image.width(), image.height());
  const std::vector<Taps> down = taps_of(square, image.height(), side);
  const std::vector<Taps> across = taps_of(square, image.width(), side);
  std::vector<float> row(image.stride_bytes());
  for (int y = 0; y < side; ++y) {
    const Taps& taps = down[static_cast<std::size_t>(y)];
    std::ranges::fill(row, taps.of_padding * static_cast<float>(padding));
    for (std::size_t k = 0; k < taps.weights.size(); ++k) {
      const std::uint8_t* pixels = image.row(taps.first + static_cast<int>(k));
      const float weight = taps.weights[k];
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] += weight * static_cast<float>(pixels[i]);
      }
    }
    for (int x = 0; x < side; ++x) {
      const Taps& window = across[static_cast<std::size_t>(x)];
      std::array<float, kChannels> sums;
      sums.fill(window.of_padding * static_cast<float>(padding));
      const float* values = row.data() + static_cast<std::size_t>(window.first) * kChannels;
      for (const float weight : window.weights) {
        for (std::size_t channel = 0; channel < kChannels; ++channel) {
          sums[channel] += weight * values[channel];
        }
        values += kChannels;
      }
      for (std::size_t channel = 0; channel < kChannels; ++channel) {
        const std::size_t position = scaling.order == ChannelOrder::bgr ? channel : 2 - channel;
        chw[position * plane + static_cast<std::size_t>(y) * static_cast<std::size_t>(side) + static_cast<std::size_t>(x)] =
            (sums[channel] - scaling.mean[position]) / scaling.std[position];
      }
    }
  }
}

}  // namespace verilabel
