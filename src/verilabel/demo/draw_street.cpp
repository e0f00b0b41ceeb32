#include <array>

#include "verilabel/demo/kind.h"
#include "verilabel/demo/random.h"

namespace verilabel::demo {
namespace {

constexpr Rgb kIron{58, 60, 66};
constexpr Rgb kSteel{150, 154, 160};
constexpr Rgb kHole{26, 26, 30};

}  // namespace

void draw_traffic_light(Canvas& c, const Look& look) {
  c.rect(-0.025, -0.55, 0.05, 0.55).shade(kSteel, Shading::cylinder);
  c.round(-0.07, -0.03, 0.14, 0.03, 0.01).fill(kIron);
  c.round(-0.13, -1.0, 0.26, 0.58, 0.04).shade({44, 46, 50}, Shading::cylinder);
  c.round(-0.13, -1.0, 0.26, 0.58, 0.04).stroke({20, 20, 22}, 0.014);
  // The pose says which lamp is lit.
  constexpr std::array kLit = {Rgb{255, 48, 36}, Rgb{255, 190, 30}, Rgb{40, 230, 90}};
  for (int i = 0; i < 3; ++i) {
    const double y = -0.9 + 0.185 * i;
    const bool is_lit = look.pose == i;
    const Rgb lamp = kLit[static_cast<std::size_t>(i)];
    if (is_lit) {
      c.glow(0, y, 0.13, lamp, 0.8);
    }
    c.disc(0, y, 0.07).fill(is_lit ? lamp : darker(lamp, 0.72));
    if (is_lit) {
      c.disc(-0.015, y - 0.018, 0.03).fill({255, 255, 255}, 0.6);
    }
    c.arc(0, y, 0.085, 3.3, 6.12).stroke({16, 16, 18}, 0.025);
  }
}

void draw_stop_sign(Canvas& c, const Look& look) {
  c.rect(-0.022, -0.66, 0.044, 0.66).shade(kSteel, Shading::cylinder);
  constexpr double kOuter = 0.27;
  constexpr double kCut = 0.414 * kOuter;  // tan(22.5°)
  const auto octagon = [&](double scale) {
    const double r = kOuter * scale;
    const double t = kCut * scale;
    const double y = -0.73;
    c.poly({{-t, y - r}, {t, y - r}, {r, y - t}, {r, y + t}, {t, y + r}, {-t, y + r}, {-r, y + t}, {-r, y - t}});
  };
  octagon(1);
  c.fill({244, 244, 244});
  octagon(0.9);
  c.shade(look.paint.color, Shading::vertical);
  octagon(1);
  c.stroke({60, 60, 60}, 0.01);
  // STOP
  c.line({{-0.12, -0.785}, {-0.19, -0.785}, {-0.19, -0.73}, {-0.12, -0.73}, {-0.12, -0.675}, {-0.19, -0.675}});
  c.line({{-0.095, -0.785}, {-0.015, -0.785}}).line({{-0.055, -0.785}, {-0.055, -0.675}});
  c.line({{0.01, -0.785}, {0.08, -0.785}, {0.08, -0.675}, {0.01, -0.675}, {0.01, -0.785}});
  c.line({{0.115, -0.675}, {0.115, -0.785}, {0.185, -0.785}, {0.185, -0.725}, {0.115, -0.725}});
  c.stroke({250, 250, 250}, 0.026);
}

void draw_hydrant(Canvas& c, const Look& look) {
  const Rgb dark = darker(look.paint.color, 0.35);
  c.round(-0.27, -0.1, 0.54, 0.1, 0.02).shade(dark, Shading::cylinder);
  c.round(-0.2, -0.74, 0.4, 0.66, 0.03).body(look.paint, Shading::cylinder);
  c.round(-0.25, -0.76, 0.5, 0.08, 0.02).shade(dark, Shading::cylinder);
  c.blob({{-0.2, -0.75}, {-0.16, -0.88}, {0, -0.94}, {0.16, -0.88}, {0.2, -0.75}}).body(look.paint, Shading::cylinder);
  c.round(-0.05, -1.0, 0.1, 0.09, 0.02).shade(dark, Shading::cylinder);
  for (const double side : {-1.0, 1.0}) {
    c.round(side * 0.26 - 0.07, -0.56, 0.14, 0.17, 0.02).shade(look.paint.color, Shading::vertical);
    c.round(side * 0.34 - 0.025, -0.54, 0.05, 0.13, 0.01).fill(dark);
  }
  c.disc(0, -0.46, 0.12).shade(lighter(look.paint.color, 0.15), Shading::ball);
  c.disc(0, -0.46, 0.05).fill(dark);
  c.disc(0, -0.46, 0.12).stroke(dark, 0.016);
}

void draw_bench(Canvas& c, const Look& look) {
  const auto plank = [&](double x, double y, double w, double h) {
    c.round(x, y, w, h, 0.012).body(look.paint, Shading::vertical);
  };
  for (const double x : {-0.4, 0.36}) {
    c.line({{x, -0.42}, {x + 0.02, -0.2}, {x + 0.02, 0.0}});
    c.line({{x + 0.03, -0.2}, {x - 0.06, 0.0}});
    c.stroke(kIron, 0.035);
  }
  const int planks = look.variant == 0 ? 3 : 2;
  for (int i = 0; i < planks; ++i) {
    plank(-0.48, -0.46 + 0.22 / planks * i, 0.96, 0.19 / planks);
  }
  c.poly({{-0.48, -0.22}, {0.48, -0.22}, {0.5, -0.15}, {-0.5, -0.15}}).body(look.paint, Shading::vertical);
  c.round(-0.5, -0.16, 1.0, 0.04, 0.01).fill(darker(look.paint.color, 0.4));
  if (look.variant == 1) {
    for (const double x : {-0.46, 0.42}) {
      c.line({{x, -0.17}, {x, -0.3}, {x + 0.06, -0.31}});
    }
    c.stroke(kIron, 0.03);
  }
}

void draw_bin(Canvas& c, const Look& look) {
  const Rgb dark = darker(look.paint.color, 0.4);
  if (look.variant == 0) {  // on wheels
    c.disc(-0.18, -0.06, 0.06).disc(0.18, -0.06, 0.06).fill(kHole);
    c.poly({{-0.29, -0.84}, {0.29, -0.84}, {0.22, -0.04}, {-0.22, -0.04}}).body(look.paint, Shading::cylinder);
    c.line({{-0.12, -0.76}, {-0.1, -0.14}}).line({{0.12, -0.76}, {0.1, -0.14}});
    c.stroke(dark, 0.02, 0.6);
    if (look.pose == 1) {  // the lid is up
      c.poly({{-0.29, -0.84}, {0.29, -0.84}, {0.24, -0.78}, {-0.24, -0.78}}).fill(kHole);
      c.poly({{-0.27, -0.84}, {-0.33, -1.0}, {0.31, -1.0}, {0.27, -0.84}}).shade(dark, Shading::vertical);
    } else {
      c.round(-0.34, -0.93, 0.68, 0.1, 0.04).body(look.paint, Shading::vertical);
      c.round(-0.12, -0.96, 0.24, 0.04, 0.015).fill(dark);
    }
  } else {  // a round one with a slot
    c.round(-0.25, -0.84, 0.5, 0.82, 0.03).body(look.paint, Shading::cylinder);
    c.rect(-0.25, -0.7, 0.5, 0.025).rect(-0.25, -0.14, 0.5, 0.025).fill(dark);
    c.blob({{-0.29, -0.82}, {-0.24, -0.94}, {0, -1.0}, {0.24, -0.94}, {0.29, -0.82}}).shade(dark, Shading::cylinder);
    c.round(-0.15, -0.92, 0.3, 0.07, 0.03).fill(kHole);
    c.round(-0.27, -0.03, 0.54, 0.03, 0.01).fill(kIron);
  }
}

void draw_mailbox(Canvas& c, const Look& look) {
  const Rgb dark = darker(look.paint.color, 0.4);
  if (look.variant == 0) {  // a pillar
    c.round(-0.23, -0.08, 0.46, 0.08, 0.01).fill(kHole);
    c.rect(-0.2, -0.84, 0.4, 0.78).body(look.paint, Shading::cylinder);
    c.blob({{-0.24, -0.82}, {-0.2, -0.93}, {0, -1.0}, {0.2, -0.93}, {0.24, -0.82}, {0, -0.8}}).body(look.paint, Shading::cylinder);
    c.round(-0.13, -0.74, 0.26, 0.04, 0.01).fill(kHole);
    c.round(-0.1, -0.62, 0.2, 0.16, 0.01).fill({244, 242, 232});
    c.line({{-0.06, -0.57}, {0.06, -0.57}}).line({{-0.06, -0.52}, {0.04, -0.52}});
    c.stroke(kIron, 0.012);
  } else {  // on a post, with a flag
    c.rect(-0.05, -0.5, 0.1, 0.5).shade({132, 96, 60}, Shading::cylinder);
    c.poly({{-0.36, -0.52}, {-0.36, -0.74}, {-0.28, -0.87}, {-0.12, -0.9}, {0.36, -0.9}, {0.42, -0.74}, {0.42, -0.52}});
    c.body(look.paint, Shading::vertical);
    c.round(-0.36, -0.86, 0.28, 0.34, 0.14).shade(dark, Shading::vertical);
    c.disc(-0.22, -0.68, 0.03).fill({240, 220, 140});
    c.rect(0.2, -0.98, 0.03, 0.26).fill(kIron);
    c.poly({{0.2, -1.0}, {0.36, -0.94}, {0.2, -0.88}}).fill(look.accent);
  }
}

void draw_umbrella(Canvas& c, const Look& look) {
  if (look.pose == 1) {  // closed, leaning
    c.line({{0.0, -0.98}, {0.0, -0.1}});
    c.stroke(kSteel, 0.035);
    c.blob({{-0.02, -0.95}, {0.07, -0.62}, {0.1, -0.34}, {0.0, -0.28}, {-0.1, -0.34}, {-0.07, -0.62}})
        .body(look.paint, Shading::cylinder);
    c.line({{-0.08, -0.42}, {0.08, -0.46}});
    c.stroke(darker(look.paint.color, 0.5), 0.025);
    c.curve({0.0, -0.14}, {0.0, 0.02}, {0.13, 0.02}, {0.13, -0.08});
    c.stroke({110, 70, 40}, 0.05);
    return;
  }
  c.line({{0.0, -0.82}, {0.0, -0.06}});
  c.stroke({110, 78, 52}, 0.03);
  if (look.variant == 0) {
    c.curve({0.0, -0.1}, {0.0, 0.02}, {0.11, 0.02}, {0.11, -0.07});
    c.stroke({110, 70, 40}, 0.045);
  } else {
    c.round(-0.13, -0.06, 0.26, 0.06, 0.02).fill(kIron);  // a parasol has a foot
  }
  c.blob({{-0.5, -0.52},
          {-0.4, -0.74},
          {-0.2, -0.88},
          {0, -0.92},
          {0.2, -0.88},
          {0.4, -0.74},
          {0.5, -0.52},
          {0.34, -0.58},
          {0.18, -0.53},
          {0.0, -0.58},
          {-0.18, -0.53},
          {-0.34, -0.58}});
  c.body(look.paint, Shading::vertical);
  for (const double x : {-0.18, 0.18}) {
    c.curve({0, -0.92}, {x * 0.5, -0.86}, {x, -0.7}, {x, -0.54});
  }
  c.stroke(darker(look.paint.color, 0.45), 0.012, 0.7);
  c.line({{0, -0.92}, {0, -0.97}});
  c.stroke(kIron, 0.025);
}

}  // namespace verilabel::demo
