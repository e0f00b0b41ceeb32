#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "verilabel/demo/random.h"

namespace verilabel::demo {

struct Rgb {
  std::uint8_t r = 0;
  std::uint8_t g = 0;
  std::uint8_t b = 0;

  friend bool operator==(const Rgb&, const Rgb&) = default;
};

/// `part` of `b`, the rest of `a`.
Rgb mixed(Rgb a, Rgb b, double part);
Rgb lighter(Rgb color, double part);
Rgb darker(Rgb color, double part);
/// Another tone that people call by the same name.
Rgb jittered(Rgb color, Random& random, double amount = 1);

/// The colors that objects are said to have.
enum class ColorName : std::uint8_t { red, orange, yellow, green, blue, purple, brown, white, black };

struct NamedColor {
  ColorName color;
  std::string_view name;
  Rgb rgb;
};

inline constexpr std::array kNamedColors = {
    NamedColor{ColorName::red, "red", {204, 36, 36}},        NamedColor{ColorName::orange, "orange", {240, 124, 20}},
    NamedColor{ColorName::yellow, "yellow", {246, 208, 44}}, NamedColor{ColorName::green, "green", {48, 142, 62}},
    NamedColor{ColorName::blue, "blue", {36, 92, 196}},      NamedColor{ColorName::purple, "purple", {128, 56, 164}},
    NamedColor{ColorName::brown, "brown", {122, 76, 42}},    NamedColor{ColorName::white, "white", {238, 236, 230}},
    NamedColor{ColorName::black, "black", {40, 40, 44}},
};

constexpr const NamedColor& named(ColorName color) {
  return kNamedColors[static_cast<std::size_t>(color)];
}

/// A set of named colors, one bit each.
using ColorSet = std::uint16_t;
constexpr ColorSet only(ColorName color) {
  return static_cast<ColorSet>(1U << static_cast<unsigned>(color));
}
template <typename... More>
constexpr ColorSet only(ColorName color, More... more) {
  return static_cast<ColorSet>(only(color) | only(more...));
}
inline constexpr ColorSet kAnyColor = (1U << kNamedColors.size()) - 1;

}  // namespace verilabel::demo
