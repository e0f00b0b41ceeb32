#include "verilabel/demo/color.h"

#include <algorithm>
#include <cmath>

namespace verilabel::demo {
namespace {

std::uint8_t channel(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
}

}  // namespace

Rgb mixed(Rgb a, Rgb b, double part) {
  const auto mix = [part](int from, int to) { return channel(from + (to - from) * part); };
  return {mix(a.r, b.r), mix(a.g, b.g), mix(a.b, b.b)};
}

Rgb lighter(Rgb color, double part) {
  return mixed(color, {255, 255, 255}, part);
}

Rgb darker(Rgb color, double part) {
  return mixed(color, {12, 12, 20}, part);
}

Rgb jittered(Rgb color, Random& random, double amount) {
  const double brightness = 1 + 0.12 * amount * random.uniform(-1, 1);
  const auto move = [&](int value) { return channel(value * brightness + 11 * amount * random.uniform(-1, 1)); };
  const std::uint8_t r = move(color.r);
  const std::uint8_t g = move(color.g);
  return {r, g, move(color.b)};
}

}  // namespace verilabel::demo
