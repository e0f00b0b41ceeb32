#include "verilabel/demo/effects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace verilabel::demo {
namespace {

constexpr int kOne = 256;
constexpr int kBrightest = 300;  ///< of 256: what lamps can make of a pixel

struct LightOf {
  int r, g, b;  ///< of 256
};

LightOf ambient(Light light, bool is_outdoors) {
  switch (light) {
    case Light::dusk:
      return is_outdoors ? LightOf{226, 184, 168} : LightOf{232, 196, 158};
    case Light::night:
      return is_outdoors ? LightOf{104, 110, 154} : LightOf{124, 112, 108};
    default:
      return {kOne, kOne, kOne};
  }
}

std::uint8_t clamped(int value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0, 255));
}

void blend(std::uint8_t* pixel, Rgb color, int opacity) {
  const auto mix = [opacity](int from, int to) { return static_cast<std::uint8_t>(from + (((to - from) * opacity) >> 8)); };
  pixel[0] = mix(pixel[0], color.b);
  pixel[1] = mix(pixel[1], color.g);
  pixel[2] = mix(pixel[2], color.r);
}

/// One pass of the separable blur: `step` apart along the line, `count` pixels of it, mirrored at its ends.
void blur_line(std::uint8_t* line, std::ptrdiff_t step, int count, std::span<const int> kernel, std::vector<std::uint8_t>& copy) {
  const int reach = static_cast<int>(kernel.size()) - 1;
  const std::size_t size = static_cast<std::size_t>(count + 2 * reach) * Image::kChannels;
  copy.resize(size);
  for (int i = -reach; i < count + reach; ++i) {
    const int mirrored = i < 0 ? std::min(-i, count - 1) : i >= count ? std::max(2 * count - 2 - i, 0) : i;
    std::copy_n(line + mirrored * step, Image::kChannels, copy.data() + static_cast<std::ptrdiff_t>(i + reach) * Image::kChannels);
  }
  for (int i = 0; i < count; ++i) {
    for (int channel = 0; channel < Image::kChannels; ++channel) {
      const std::uint8_t* const at = copy.data() + static_cast<std::ptrdiff_t>(i + reach) * Image::kChannels + channel;
      int sum = kernel[0] * *at;
      for (int k = 1; k <= reach; ++k) {
        sum += kernel[static_cast<std::size_t>(k)] * (at[k * Image::kChannels] + at[-k * Image::kChannels]);
      }
      line[i * step + channel] = static_cast<std::uint8_t>((sum + 2048) >> 12);
    }
  }
}

/// 4096 in the sum of both sides: the middle first.
std::vector<int> gaussian_kernel(double sigma_px) {
  const int reach = std::max(1, static_cast<int>(std::ceil(3 * sigma_px)));
  std::vector<double> weights;
  double total = 0;
  for (int i = 0; i <= reach; ++i) {
    weights.push_back(std::exp(-0.5 * i * i / (sigma_px * sigma_px)));
    total += i == 0 ? weights.back() : 2 * weights.back();
  }
  std::vector<int> kernel;
  int rest = 4096;
  for (int i = 1; i <= reach; ++i) {
    kernel.push_back(static_cast<int>(std::lround(4096 * weights[static_cast<std::size_t>(i)] / total)));
    rest -= 2 * kernel.back();
  }
  kernel.insert(kernel.begin(), rest);
  return kernel;
}

int luma(const std::uint8_t* pixel) {
  return (29 * pixel[0] + 150 * pixel[1] + 77 * pixel[2]) >> 8;
}

}  // namespace

void light_up(Image& image, Light light, bool is_outdoors, std::span<const Glow> glows) {
  if (light == Light::day) {
    return;
  }
  const LightOf base = ambient(light, is_outdoors);
  const std::size_t width = static_cast<std::size_t>(image.width());
  std::vector<std::array<std::int16_t, 3>> map(
      width * static_cast<std::size_t>(image.height()),
      {static_cast<std::int16_t>(base.b), static_cast<std::int16_t>(base.g), static_cast<std::int16_t>(base.r)});
  const double part = light == Light::night ? 1.0 : 0.4;
  for (const Glow& glow : glows) {
    const int cx = static_cast<int>(std::lround(glow.x));
    const int cy = static_cast<int>(std::lround(glow.y));
    const int radius = std::max(2, static_cast<int>(std::lround(glow.radius)));
    const int strength = static_cast<int>(std::lround(kOne * glow.strength * part));
    const int square = radius * radius;
    for (int y = std::max(0, cy - radius); y < std::min(image.height(), cy + radius); ++y) {
      for (int x = std::max(0, cx - radius); x < std::min(image.width(), cx + radius); ++x) {
        const int distance = (x - cx) * (x - cx) + (y - cy) * (y - cy);
        if (distance < square) {
          const int near = (square - distance) * kOne / square;
          const int added = ((near * near) >> 8) * strength >> 8;
          auto& at = map[static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)];
          at[0] = static_cast<std::int16_t>(std::min(kBrightest, at[0] + ((added * glow.color.b) >> 8)));
          at[1] = static_cast<std::int16_t>(std::min(kBrightest, at[1] + ((added * glow.color.g) >> 8)));
          at[2] = static_cast<std::int16_t>(std::min(kBrightest, at[2] + ((added * glow.color.r) >> 8)));
        }
      }
    }
  }
  std::uint8_t* pixel = image.pixels().data();
  for (const auto& at : map) {
    for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
      pixel[channel] = static_cast<std::uint8_t>(std::min(255, (pixel[channel] * at[channel]) >> 8));
    }
    pixel += Image::kChannels;
  }
}

void veil_row(Image& image, int y, Rgb color, int opacity) {
  std::uint8_t* pixel = image.row(y);
  for (int x = 0; x < image.width(); ++x, pixel += Image::kChannels) {
    blend(pixel, color, opacity);
  }
}

void add_rain(Image& image, Random& random) {
  const int streaks = image.width() * image.height() / 700;
  const int slant = random.integer(-5, 5);
  const int longest = std::max(8, image.height() / 22);
  for (int i = 0; i < streaks; ++i) {
    const int length = random.integer(longest / 2, longest);
    const int left = random.integer(-8, image.width() + 8);
    const int top = random.integer(-length, image.height());
    const int opacity = random.integer(30, 95);
    for (int step = 0; step < length; ++step) {
      const int x = left + slant * step / 16;
      const int y = top + step;
      if (x >= 0 && x < image.width() && y >= 0 && y < image.height()) {
        blend(image.row(y) + static_cast<std::ptrdiff_t>(x) * Image::kChannels, {214, 222, 232}, opacity);
      }
    }
  }
}

void add_snowflakes(Image& image, Random& random) {
  const int flakes = image.width() * image.height() / 900;
  for (int i = 0; i < flakes; ++i) {
    const int radius = random.chance(0.12) ? 3 : random.integer(1, 2);
    const int cx = random.integer(0, image.width());
    const int cy = random.integer(0, image.height());
    const int opacity = random.integer(120, 230);
    for (int y = std::max(0, cy - radius); y < std::min(image.height(), cy + radius); ++y) {
      for (int x = std::max(0, cx - radius); x < std::min(image.width(), cx + radius); ++x) {
        if ((x - cx) * (x - cx) + (y - cy) * (y - cy) < radius * radius) {
          blend(image.row(y) + static_cast<std::ptrdiff_t>(x) * Image::kChannels, {248, 250, 255}, opacity);
        }
      }
    }
  }
}

void blur(Image& image, double sigma_px) {
  if (sigma_px <= 0) {
    return;
  }
  const std::vector<int> kernel = gaussian_kernel(sigma_px);
  std::vector<std::uint8_t> copy;
  for (int y = 0; y < image.height(); ++y) {
    blur_line(image.row(y), Image::kChannels, image.width(), kernel, copy);
  }
  for (int x = 0; x < image.width(); ++x) {
    blur_line(image.row(0) + static_cast<std::ptrdiff_t>(x) * Image::kChannels, static_cast<std::ptrdiff_t>(image.stride_bytes()),
              image.height(), kernel, copy);
  }
}

void add_noise(Image& image, double sigma, Random& random) {
  if (sigma <= 0) {
    return;
  }
  constexpr std::size_t kTable = 4096;
  std::array<std::int8_t, kTable> table;
  for (std::int8_t& value : table) {
    value = static_cast<std::int8_t>(std::clamp(std::floor(random.normal() * sigma + 0.5), -127.0, 127.0));
  }
  std::uint64_t bits = 0;
  int left = 0;
  for (std::uint8_t& value : image.pixels()) {
    if (left == 0) {
      bits = random.next();
      left = 5;
    }
    value = clamped(value + table[bits % kTable]);
    bits /= kTable;
    --left;
  }
}

void expose(Image& image, double gain) {
  if (gain == 1) {
    return;
  }
  std::array<std::uint8_t, kOne> table;
  const int factor = static_cast<int>(std::lround(gain * 1024));
  for (int i = 0; i < kOne; ++i) {
    table[static_cast<std::size_t>(i)] = clamped((i * factor + 512) >> 10);
  }
  for (std::uint8_t& value : image.pixels()) {
    value = table[value];
  }
}

double laplacian_variance(const Image& image) {
  double sum = 0;
  double squares = 0;
  for (int y = 1; y + 1 < image.height(); ++y) {
    for (int x = 1; x + 1 < image.width(); ++x) {
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(x) * Image::kChannels;
      const int value = 4 * luma(image.row(y) + at) - luma(image.row(y) + at - Image::kChannels) -
                        luma(image.row(y) + at + Image::kChannels) - luma(image.row(y - 1) + at) - luma(image.row(y + 1) + at);
      sum += value;
      squares += static_cast<double>(value) * value;
    }
  }
  const double count = std::max(1.0, static_cast<double>(image.width() - 2) * (image.height() - 2));
  return squares / count - (sum / count) * (sum / count);
}

}  // namespace verilabel::demo
