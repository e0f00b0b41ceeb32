#include <array>

#include "verilabel/demo/kind.h"

namespace verilabel::demo {
namespace {

constexpr Rgb kStalk{98, 70, 40};
constexpr Rgb kLeaf{70, 142, 52};
constexpr Rgb kInside{46, 34, 30};

/// The opening of a vessel, seen from a little above.
void opening(Canvas& c, double y, double rx, double ry, Rgb wall, Rgb inside) {
  c.oval(0, y, rx, ry).shade(lighter(wall, 0.15), Shading::cylinder);
  c.oval(0, y + 0.012, 0.86 * rx, 0.76 * ry).fill(inside);
}

void gleam(Canvas& c, double x, double y, double rx, double ry) {
  c.oval(x, y, rx, ry).fill({255, 255, 255}, 0.55);
}

}  // namespace

void draw_mug(Canvas& c, const Look& look) {
  // Straight, tall, with a large handle; a cup is low, wide and has a saucer.
  c.round(0.22, -0.68, 0.28, 0.44, 0.16).stroke(darker(look.paint.color, 0.5), 0.115);
  c.round(0.22, -0.68, 0.28, 0.44, 0.16).stroke(look.paint.color, 0.09);
  if (look.variant == 0) {
    c.round(-0.4, -0.88, 0.68, 0.88, 0.07);
  } else {
    c.blob({{-0.38, -0.88}, {0.26, -0.88}, {0.27, -0.5}, {0.25, -0.12}, {0.14, 0.0}, {-0.26, 0.0}, {-0.37, -0.12}, {-0.39, -0.5}});
  }
  c.body(look.paint, Shading::cylinder);
  c.oval(-0.06, -0.88, 0.34, 0.09).shade(lighter(look.paint.color, 0.2), Shading::cylinder);
  c.oval(-0.06, -0.87, 0.28, 0.062).fill(look.pose == 0 ? kInside : darker(look.paint.color, 0.3));
  gleam(c, -0.27, -0.5, 0.025, 0.17);
}

void draw_cup(Canvas& c, const Look& look) {
  c.oval(0, -0.07, 0.5, 0.075).body({.color = lighter(look.paint.color, 0.1), .second = look.paint.second}, Shading::vertical);
  c.oval(0, -0.09, 0.28, 0.035).fill(darker(look.paint.color, 0.35));
  c.oval(0.36, -0.36, 0.11, 0.1).stroke(darker(look.paint.color, 0.5), 0.07);
  c.oval(0.36, -0.36, 0.11, 0.1).stroke(look.paint.color, 0.05);
  if (look.variant == 0) {
    c.blob({{-0.37, -0.5}, {0, -0.48}, {0.37, -0.5}, {0.32, -0.28}, {0.16, -0.1}, {0, -0.08}, {-0.16, -0.1}, {-0.32, -0.28}});
  } else {
    c.poly({{-0.36, -0.5}, {0.36, -0.5}, {0.2, -0.09}, {-0.2, -0.09}});
  }
  c.body(look.paint, Shading::cylinder);
  opening(c, -0.5, 0.37, 0.08, look.paint.color, look.pose == 0 ? Rgb{122, 66, 26} : darker(look.paint.color, 0.25));
  gleam(c, -0.22, -0.34, 0.03, 0.08);
}

void draw_bowl(Canvas& c, const Look& look) {
  c.round(-0.18, -0.05, 0.36, 0.05, 0.015).fill(darker(look.paint.color, 0.45));
  if (look.pose == 1) {  // filled
    constexpr std::array kFruit = {Rgb{210, 52, 40}, Rgb{238, 150, 36}, Rgb{236, 208, 66}};
    for (int i = 0; i < 5; ++i) {
      c.disc(-0.26 + 0.13 * i, -0.44 - 0.05 * (i % 2), 0.11).shade(kFruit[static_cast<std::size_t>(i) % 3], Shading::ball);
    }
  }
  if (look.variant == 0) {
    c.blob({{-0.5, -0.42}, {0, -0.4}, {0.5, -0.42}, {0.42, -0.2}, {0.2, -0.04}, {0, -0.03}, {-0.2, -0.04}, {-0.42, -0.2}});
  } else {
    c.poly({{-0.5, -0.4}, {0.5, -0.4}, {0.26, -0.03}, {-0.26, -0.03}});
  }
  c.body(look.paint, Shading::cylinder);
  if (look.pose == 1) {
    c.round(-0.5, -0.43, 1.0, 0.045, 0.02).shade(lighter(look.paint.color, 0.2), Shading::cylinder);
  } else {
    opening(c, -0.415, 0.49, 0.085, look.paint.color, darker(look.paint.color, 0.3));
  }
  gleam(c, -0.32, -0.25, 0.03, 0.06);
}

void draw_kettle(Canvas& c, const Look& look) {
  const Rgb dark{40, 40, 44};
  if (look.variant == 0) {  // for the stove, with a bow on top
    c.blob({{0.3, -0.34}, {0.4, -0.5}, {0.52, -0.64}, {0.56, -0.58}, {0.46, -0.42}, {0.36, -0.2}})
        .body(look.paint, Shading::vertical);
    c.arc(0, -0.56, 0.28, 3.24, 6.18).stroke(dark, 0.06);
    c.blob({{-0.42, -0.06}, {-0.4, -0.34}, {-0.24, -0.56}, {0.24, -0.56}, {0.4, -0.34}, {0.42, -0.06}, {0.3, 0.0}, {-0.3, 0.0}});
    c.body(look.paint, Shading::ball);
    c.oval(0, -0.565, 0.22, 0.05).shade(darker(look.paint.color, 0.2), Shading::vertical);
    c.disc(0, -0.635, 0.045).fill(dark);
  } else {  // tall, electric
    c.poly({{0.2, -0.8}, {0.38, -0.86}, {0.27, -0.58}}).body(look.paint, Shading::vertical);
    c.round(-0.47, -0.84, 0.26, 0.66, 0.12).stroke(dark, 0.075);
    c.poly({{-0.24, -0.88}, {0.24, -0.88}, {0.34, -0.06}, {-0.34, -0.06}}).body(look.paint, Shading::cylinder);
    c.round(-0.36, -0.07, 0.72, 0.07, 0.02).fill(dark);
    c.blob({{-0.24, -0.88}, {0, -0.96}, {0.24, -0.88}}).fill(dark);
    c.round(0.1, -0.6, 0.06, 0.34, 0.03).fill({170, 208, 226}, 0.9);
  }
  gleam(c, -0.2, -0.34, 0.03, 0.1);
}

void draw_bottle(Canvas& c, const Look& look) {
  if (look.variant == 0) {  // of wine
    c.blob({{-0.055, -0.93},
            {0.055, -0.93},
            {0.06, -0.7},
            {0.15, -0.56},
            {0.155, -0.06},
            {0.12, 0.0},
            {-0.12, 0.0},
            {-0.155, -0.06},
            {-0.15, -0.56},
            {-0.06, -0.7}});
    c.body(look.paint, Shading::cylinder);
    c.round(-0.06, -1.0, 0.12, 0.13, 0.02).shade(look.accent, Shading::cylinder);
    c.rect(-0.15, -0.45, 0.3, 0.25).shade({244, 238, 220}, Shading::cylinder);
    c.rect(-0.1, -0.39, 0.2, 0.03).rect(-0.08, -0.32, 0.16, 0.02).rect(-0.08, -0.27, 0.16, 0.02).fill({110, 90, 80});
  } else if (look.variant == 1) {  // of milk, with a wide neck
    c.blob({{-0.1, -0.9},
            {0.1, -0.9},
            {0.11, -0.72},
            {0.21, -0.54},
            {0.22, -0.06},
            {0.17, 0.0},
            {-0.17, 0.0},
            {-0.22, -0.06},
            {-0.21, -0.54},
            {-0.11, -0.72}});
    c.body(look.paint, Shading::cylinder);
    c.round(-0.13, -0.97, 0.26, 0.09, 0.025).shade(look.accent, Shading::cylinder);
  } else {  // for sport
    c.round(-0.17, -0.78, 0.34, 0.78, 0.06).body(look.paint, Shading::cylinder);
    c.poly({{-0.17, -0.75}, {0.17, -0.75}, {0.11, -0.88}, {-0.11, -0.88}}).shade({54, 56, 62}, Shading::cylinder);
    c.round(-0.05, -0.98, 0.1, 0.11, 0.02).shade(look.accent, Shading::cylinder);
    c.round(-0.17, -0.46, 0.34, 0.05, 0.02).fill(darker(look.paint.color, 0.4));
  }
  gleam(c, -0.085, -0.42, 0.016, 0.22);
}

void draw_apple(Canvas& c, const Look& look) {
  // A dent at the top and a waist below it, a stalk and one leaf; a tomato is flat and has a star of green.
  c.blob({{-0.06, -0.76},
          {-0.28, -0.84},
          {-0.47, -0.62},
          {-0.42, -0.26},
          {-0.2, -0.01},
          {0, -0.05},
          {0.2, -0.01},
          {0.42, -0.26},
          {0.47, -0.62},
          {0.28, -0.84},
          {0.06, -0.76},
          {0, -0.72}});
  c.body(look.paint, Shading::ball);
  c.oval(0, -0.755, 0.11, 0.035).fill(darker(look.paint.color, 0.45));
  c.curve({0, -0.74}, {0.0, -0.86}, {0.04, -0.92}, {0.08, -0.98});
  c.stroke(kStalk, 0.055);
  if (look.variant == 0) {
    c.blob({{0.06, -0.87}, {0.2, -1.0}, {0.38, -0.98}, {0.26, -0.86}}).shade(kLeaf, Shading::vertical);
  }
  gleam(c, -0.22, -0.58, 0.06, 0.09);
}

void draw_tomato(Canvas& c, const Look& look) {
  if (look.variant == 0) {
    c.blob({{0, -0.74},
            {-0.3, -0.74},
            {-0.49, -0.5},
            {-0.47, -0.22},
            {-0.26, -0.02},
            {0, 0.0},
            {0.26, -0.02},
            {0.47, -0.22},
            {0.49, -0.5},
            {0.3, -0.74}});
  } else {  // a ribbed one
    c.blob({{0, -0.7},
            {-0.16, -0.76},
            {-0.34, -0.7},
            {-0.5, -0.48},
            {-0.46, -0.2},
            {-0.28, -0.04},
            {0, 0.0},
            {0.28, -0.04},
            {0.46, -0.2},
            {0.5, -0.48},
            {0.34, -0.7},
            {0.16, -0.76}});
  }
  c.body(look.paint, Shading::ball);
  if (look.variant == 1) {
    c.curve({-0.1, -0.7}, {-0.3, -0.5}, {-0.28, -0.2}, {-0.14, -0.04}).curve({0.1, -0.7}, {0.3, -0.5}, {0.28, -0.2}, {0.14, -0.04});
    c.stroke(darker(look.paint.color, 0.3), 0.02, 0.6);
  }
  for (int i = 0; i < 5; ++i) {
    c.turned({0, -0.7}, -1.5 + 0.75 * i, [&] { c.blob({{-0.045, -0.7}, {0.0, -0.92}, {0.045, -0.7}}).fill(kLeaf); });
  }
  c.line({{0, -0.72}, {0.03, -0.84}});
  c.stroke(darker(kLeaf, 0.3), 0.04);
  gleam(c, -0.24, -0.5, 0.07, 0.07);
}

void draw_banana(Canvas& c, const Look& look) {
  const auto one = [&](double shift) {
    c.blob({{-0.46, -0.44 + shift},
            {-0.34, -0.2 + shift},
            {-0.06, -0.02 + shift},
            {0.26, -0.08 + shift},
            {0.46, -0.34 + shift},
            {0.48, -0.46 + shift},
            {0.4, -0.44 + shift},
            {0.22, -0.28 + shift},
            {-0.04, -0.24 + shift},
            {-0.3, -0.38 + shift},
            {-0.4, -0.5 + shift}});
    c.body(look.paint, Shading::vertical);
    c.curve({-0.38, -0.3 + shift}, {-0.14, -0.06 + shift}, {0.2, -0.1 + shift}, {0.42, -0.38 + shift});
    c.stroke(darker(look.paint.color, 0.3), 0.016, 0.6);
  };
  if (look.variant == 1) {
    one(-0.12);
  }
  one(0);
  c.round(0.4, -0.56, 0.09, 0.14, 0.02).fill(kStalk);
  c.disc(-0.44, -0.46, 0.035).fill(kStalk);
}

void draw_lemon(Canvas& c, const Look& look) {
  c.blob({{-0.5, -0.3},
          {-0.42, -0.38},
          {-0.24, -0.56},
          {0.02, -0.61},
          {0.28, -0.54},
          {0.42, -0.38},
          {0.51, -0.3},
          {0.42, -0.2},
          {0.26, -0.05},
          {0.0, 0.0},
          {-0.26, -0.05},
          {-0.42, -0.22}});
  c.body(look.paint, Shading::ball);
  if (look.variant == 1) {  // cut
    c.oval(0.12, -0.29, 0.25, 0.27).shade(lighter(look.paint.color, 0.55), Shading::flat);
    for (int i = 0; i < 4; ++i) {
      c.turned({0.12, -0.29}, 0.785 * i, [&] { c.line({{-0.1, -0.29}, {0.34, -0.29}}); });
    }
    c.stroke(look.paint.color, 0.03);
    c.oval(0.12, -0.29, 0.25, 0.27).stroke(look.paint.color, 0.05);
  } else {
    c.oval(0.46, -0.3, 0.03, 0.03).fill(darker(look.paint.color, 0.4));
    gleam(c, -0.14, -0.42, 0.07, 0.05);
  }
}

}  // namespace verilabel::demo
