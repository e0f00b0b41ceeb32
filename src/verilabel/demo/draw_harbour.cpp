#include "verilabel/demo/kind.h"

namespace verilabel::demo {
namespace {

constexpr Rgb kWood{156, 108, 62};
constexpr Rgb kIron{62, 64, 70};
constexpr Rgb kWindow{118, 164, 192};
constexpr Rgb kWhite{240, 240, 236};

}  // namespace

void draw_boat(Canvas& c, const Look& look) {
  if (look.variant == 0) {  // a motor boat with a cabin
    c.poly({{-0.2, -0.2}, {-0.16, -0.42}, {0.08, -0.42}, {0.2, -0.2}}).shade(kWhite, Shading::vertical);
    c.poly({{-0.13, -0.26}, {-0.11, -0.37}, {-0.02, -0.37}, {-0.02, -0.26}})
        .poly({{0.01, -0.26}, {0.01, -0.37}, {0.06, -0.37}, {0.12, -0.26}});
    c.fill(kWindow);
    c.line({{-0.06, -0.42}, {-0.06, -0.6}});
    c.stroke(kIron, 0.014);
    c.poly({{-0.06, -0.6}, {-0.18, -0.565}, {-0.06, -0.53}}).fill(look.accent);
  } else if (look.variant == 1) {  // a fishing boat
    c.round(-0.36, -0.46, 0.26, 0.28, 0.02).shade(kWhite, Shading::vertical);
    c.round(-0.33, -0.42, 0.09, 0.1, 0.01).round(-0.21, -0.42, 0.09, 0.1, 0.01).fill(kWindow);
    c.rect(-0.39, -0.49, 0.32, 0.035).fill(look.accent);
    c.line({{0.08, -0.2}, {0.08, -0.7}, {-0.2, -0.49}}).line({{0.08, -0.68}, {0.44, -0.24}});
    c.stroke(kIron, 0.016);
  } else {  // rowed
    c.line({{-0.1, -0.14}, {-0.34, -0.34}}).line({{0.02, -0.14}, {0.26, -0.36}});
    c.stroke(kWood, 0.028);
    c.rect(-0.24, -0.2, 0.12, 0.05).rect(0.06, -0.2, 0.12, 0.05).fill(kWood);
  }
  const double rise = look.variant == 2 ? 0.03 : 0.0;
  c.blob({{-0.49, -0.22},
          {-0.3, -0.2 + rise},
          {0.1, -0.2 + rise},
          {0.36, -0.25},
          {0.53, -0.32},
          {0.46, -0.14},
          {0.34, -0.02},
          {0.0, 0.0},
          {-0.34, -0.01},
          {-0.45, -0.08}});
  c.body(look.paint, Shading::vertical);
  c.curve({-0.47, -0.18}, {-0.1, -0.15}, {0.2, -0.17}, {0.49, -0.27});
  c.stroke(kWhite, 0.022, 0.9);
  if (look.variant == 0) {
    c.disc(0.2, -0.1, 0.022).disc(0.3, -0.12, 0.022).fill(kWindow);
  }
}

void draw_sailboat(Canvas& c, const Look& look) {
  c.line({{0.0, -0.1}, {0.0, -0.99}});
  c.stroke({130, 96, 60}, 0.024);
  if (look.variant == 0) {
    c.blob({{-0.03, -0.95}, {-0.03, -0.2}, {-0.38, -0.2}, {-0.24, -0.52}}).body(look.paint, Shading::vertical);
    c.blob({{0.03, -0.88}, {0.16, -0.5}, {0.34, -0.22}, {0.03, -0.22}}).shade(kWhite, Shading::vertical);
  } else {  // one square of cloth
    c.blob({{-0.34, -0.82}, {0.0, -0.8}, {0.34, -0.82}, {0.4, -0.5}, {0.32, -0.26}, {0.0, -0.3}, {-0.32, -0.26}, {-0.28, -0.5}});
    c.body(look.paint, Shading::cylinder);
    c.line({{-0.36, -0.83}, {0.36, -0.83}});
    c.stroke({130, 96, 60}, 0.022);
  }
  c.poly({{0.0, -1.0}, {-0.11, -0.97}, {0.0, -0.94}}).fill(look.accent);
  c.blob({{-0.42, -0.16}, {-0.1, -0.13}, {0.24, -0.14}, {0.46, -0.19}, {0.36, -0.04}, {0.1, 0.0}, {-0.26, 0.0}, {-0.38, -0.06}});
  c.shade(look.variant == 0 ? kWhite : kWood, Shading::vertical);
  c.curve({-0.4, -0.12}, {-0.1, -0.08}, {0.2, -0.09}, {0.43, -0.15});
  c.stroke(look.paint.color, 0.03);
}

void draw_buoy(Canvas& c, const Look& look) {
  if (look.variant == 0) {  // a cone with a lamp
    c.poly({{-0.08, -0.84}, {0.08, -0.84}, {0.22, -0.26}, {-0.22, -0.26}}).body(look.paint, Shading::cylinder);
    c.poly({{-0.118, -0.68}, {0.118, -0.68}, {0.168, -0.48}, {-0.168, -0.48}}).shade(kWhite, Shading::cylinder);
    c.round(-0.06, -0.92, 0.12, 0.09, 0.02).fill(kIron);
    c.disc(0, -0.95, 0.05).fill({255, 232, 130});
  } else {  // a ball with a ring on it
    c.line({{0, -0.6}, {0, -0.86}});
    c.stroke(kIron, 0.04);
    c.disc(0, -0.91, 0.07).stroke(kIron, 0.035);
    c.disc(0, -0.42, 0.28).body(look.paint, Shading::ball);
  }
  c.blob({{-0.34, -0.22}, {0, -0.28}, {0.34, -0.22}, {0.3, -0.04}, {0, 0.0}, {-0.3, -0.04}});
  c.body({.color = darker(look.paint.color, 0.2), .second = look.paint.second}, Shading::cylinder);
}

void draw_barrel(Canvas& c, const Look& look) {
  if (look.pose == 1) {  // lying
    c.blob({{-0.48, -0.1}, {-0.48, -0.52}, {-0.2, -0.62}, {0.2, -0.62}, {0.44, -0.54}, {0.44, -0.08}, {0.2, 0.0}, {-0.2, 0.0}});
    c.body(look.paint, Shading::vertical);
    for (const double x : {-0.26, 0.12}) {
      c.rect(x, -0.612, 0.06, 0.605).shade(kIron, Shading::vertical);
    }
    c.oval(0.42, -0.31, 0.09, 0.235).shade(darker(look.paint.color, 0.2), Shading::vertical);
    c.oval(0.42, -0.31, 0.09, 0.235).stroke(kIron, 0.03);
    return;
  }
  c.blob(
      {{-0.26, -0.92}, {0.26, -0.92}, {0.34, -0.64}, {0.34, -0.34}, {0.26, -0.02}, {-0.26, -0.02}, {-0.34, -0.34}, {-0.34, -0.64}});
  c.body(look.paint, Shading::cylinder);
  if (look.variant == 0) {  // of wood, with hoops
    for (const double x : {-0.16, -0.05, 0.06, 0.17}) {
      c.curve({x, -0.9}, {x * 1.3, -0.65}, {x * 1.3, -0.3}, {x, -0.04});
    }
    c.stroke(darker(look.paint.color, 0.45), 0.014, 0.7);
    c.rect(-0.32, -0.8, 0.64, 0.055).rect(-0.32, -0.22, 0.64, 0.055).shade(kIron, Shading::cylinder);
  } else {  // a drum
    for (const double y : {-0.7, -0.48, -0.26}) {
      c.round(-0.35, y, 0.7, 0.045, 0.02).shade(look.paint.color, Shading::cylinder);
    }
  }
  c.oval(0, -0.92, 0.27, 0.075).shade(darker(look.paint.color, 0.25), Shading::vertical);
  c.oval(0, -0.92, 0.27, 0.075).stroke(look.variant == 0 ? kIron : look.paint.color, 0.03);
}

void draw_crate(Canvas& c, const Look& look) {
  const Rgb dark = darker(look.paint.color, 0.55);
  c.rect(-0.46, -0.86, 0.92, 0.86).fill(dark);
  if (look.variant == 0) {  // nailed up
    for (int i = 0; i < 4; ++i) {
      c.rect(-0.45, -0.845 + 0.21 * i, 0.9, 0.19).body(look.paint, Shading::vertical);
    }
    c.turned({0, -0.43}, 0.75, [&] { c.rect(-0.52, -0.5, 1.04, 0.13).shade(darker(look.paint.color, 0.12), Shading::vertical); });
    for (const double x : {-0.46, 0.31}) {
      c.rect(x, -0.86, 0.15, 0.86).body({.color = darker(look.paint.color, 0.1), .second = dark}, Shading::vertical);
    }
    c.rect(-0.46, -0.86, 0.92, 0.13).rect(-0.46, -0.13, 0.92, 0.13).shade(darker(look.paint.color, 0.05), Shading::vertical);
  } else {  // open, with gaps
    for (int i = 0; i < 3; ++i) {
      c.round(-0.47, -0.78 + 0.27 * i, 0.94, 0.2, 0.02).body(look.paint, Shading::vertical);
    }
    for (const double x : {-0.44, 0.34}) {
      c.rect(x, -0.84, 0.1, 0.84).shade(darker(look.paint.color, 0.15), Shading::vertical);
    }
    c.round(-0.12, -0.71, 0.24, 0.07, 0.03).fill(dark);
  }
}

}  // namespace verilabel::demo
