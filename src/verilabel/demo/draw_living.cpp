#include <array>

#include "verilabel/demo/kind.h"
#include "verilabel/demo/random.h"

namespace verilabel::demo {
namespace {

constexpr Rgb kEye{24, 22, 24};
constexpr std::array kSkins = {Rgb{244, 204, 172}, Rgb{226, 172, 132}, Rgb{176, 120, 82}, Rgb{118, 76, 52}, Rgb{82, 54, 40}};
constexpr std::array kHairs = {Rgb{44, 32, 28}, Rgb{92, 60, 36}, Rgb{186, 142, 78}, Rgb{130, 128, 126}, Rgb{146, 62, 32}};
constexpr std::array kTrousers = {Rgb{46, 58, 92}, Rgb{62, 62, 66}, Rgb{120, 104, 82}, Rgb{84, 92, 70}, Rgb{36, 36, 44}};
constexpr Rgb kShoe{52, 40, 36};
constexpr Rgb kBeak{240, 152, 34};

void limb(Canvas& c, std::initializer_list<Point> points, Rgb color, double width) {
  c.line(points);
  c.stroke(darker(color, 0.45), width + 0.014);
  c.line(points);
  c.stroke(color, width);
}

void legs(Canvas& c, int pose, Rgb trousers) {
  if (pose == 1) {  // walking
    limb(c, {{-0.02, -0.44}, {-0.07, -0.24}, {-0.15, -0.04}}, darker(trousers, 0.2), 0.085);
    c.round(-0.19, -0.05, 0.12, 0.05, 0.02).fill(kShoe);
    limb(c, {{0.02, -0.44}, {0.08, -0.24}, {0.12, -0.03}}, trousers, 0.085);
    c.round(0.08, -0.05, 0.14, 0.05, 0.02).fill(kShoe);
  } else {
    limb(c, {{-0.055, -0.44}, {-0.06, -0.04}}, trousers, 0.085);
    limb(c, {{0.055, -0.44}, {0.06, -0.04}}, trousers, 0.085);
    c.round(-0.12, -0.05, 0.11, 0.05, 0.02).round(0.01, -0.05, 0.11, 0.05, 0.02).fill(kShoe);
  }
}

}  // namespace

void draw_person(Canvas& c, const Look& look) {
  Random random(look.detail);
  const Rgb skin = random.pick(kSkins);
  const Rgb hair = random.pick(kHairs);
  const Rgb trousers = random.pick(kTrousers);
  const Rgb shirt = look.paint.color;
  const bool is_waving = look.pose == 2;
  limb(c, {{0.1, -0.74}, {0.16, -0.6}, {look.pose == 1 ? 0.2 : 0.15, -0.46}}, darker(shirt, 0.12), 0.065);
  c.disc(look.pose == 1 ? 0.2 : 0.15, -0.45, 0.035).fill(skin);
  legs(c, look.pose, trousers);
  if (look.variant == 1) {  // a dress
    c.blob({{-0.1, -0.8}, {0.1, -0.8}, {0.09, -0.6}, {0.19, -0.3}, {0, -0.27}, {-0.19, -0.3}, {-0.09, -0.6}});
  } else if (look.variant == 2) {  // a coat
    c.blob({{-0.12, -0.8}, {0, -0.82}, {0.12, -0.8}, {0.14, -0.5}, {0.16, -0.28}, {0, -0.26}, {-0.16, -0.28}, {-0.14, -0.5}});
  } else {
    c.blob({{-0.12, -0.79}, {0, -0.82}, {0.12, -0.79}, {0.13, -0.6}, {0.11, -0.41}, {0, -0.4}, {-0.11, -0.41}, {-0.13, -0.6}});
  }
  c.body(look.paint, Shading::cylinder);
  const Point hand = is_waving ? Point{-0.24, -0.98} : Point{look.pose == 1 ? -0.2 : -0.15, -0.46};
  limb(c, {{-0.11, -0.74}, {is_waving ? -0.2 : -0.17, is_waving ? -0.8 : -0.6}, hand}, shirt, 0.065);
  c.disc(hand.x, hand.y, 0.035).fill(skin);
  c.rect(-0.03, -0.85, 0.06, 0.06).fill(darker(skin, 0.15));
  c.oval(0, -0.905, 0.08, 0.095).shade(skin, Shading::ball);
  if (random.chance(0.25)) {  // a hat
    c.oval(0, -0.955, 0.125, 0.025).fill(darker(look.accent, 0.2));
    c.round(-0.07, -1.02, 0.14, 0.07, 0.04).shade(look.accent, Shading::vertical);
  } else {
    c.blob({{-0.09, -0.88}, {-0.085, -0.97}, {0, -1.0}, {0.085, -0.97}, {0.09, -0.88}, {0.05, -0.95}, {-0.04, -0.955}}).fill(hair);
    if (look.variant == 1) {
      c.blob({{-0.09, -0.95}, {-0.11, -0.84}, {-0.08, -0.78}, {-0.06, -0.88}})
          .blob({{0.09, -0.95}, {0.11, -0.84}, {0.08, -0.78}, {0.06, -0.88}});
      c.fill(hair);
    }
  }
  c.disc(-0.028, -0.905, 0.011).disc(0.034, -0.905, 0.011).fill(kEye);
}

void draw_dog(Canvas& c, const Look& look) {
  const Rgb coat = look.paint.color;
  const Rgb dark = darker(coat, 0.3);
  if (look.pose == 1) {  // sitting
    c.curve({-0.22, -0.08}, {-0.38, -0.06}, {-0.42, -0.2}, {-0.38, -0.3});
    c.stroke(dark, 0.06);
    c.blob({{-0.24, -0.02}, {-0.28, -0.2}, {-0.12, -0.44}, {0.02, -0.62}, {0.16, -0.56}, {0.16, -0.3}, {0.14, 0.0}, {-0.1, 0.0}});
    c.body(look.paint, Shading::vertical);
    limb(c, {{0.1, -0.34}, {0.12, -0.03}}, coat, 0.075);
    c.oval(0.14, -0.02, 0.06, 0.025).fill(dark);
    c.oval(-0.1, -0.12, 0.12, 0.11).shade(coat, Shading::vertical);
  } else {
    const double stride = look.pose == 2 ? 0.12 : 0.02;
    c.curve({-0.36, -0.42}, {-0.46, -0.5}, {-0.48, -0.6}, {-0.44, -0.68});
    c.stroke(dark, 0.06);
    limb(c, {{-0.24, -0.3}, {-0.24 - stride, -0.03}}, dark, 0.07);
    limb(c, {{0.16, -0.3}, {0.16 + stride, -0.03}}, dark, 0.07);
    c.blob({{-0.38, -0.42}, {-0.2, -0.5}, {0.1, -0.5}, {0.26, -0.56}, {0.3, -0.36}, {0.16, -0.24}, {-0.1, -0.26}, {-0.34, -0.26}});
    c.body(look.paint, Shading::vertical);
    limb(c, {{-0.3, -0.32}, {-0.32 + stride, -0.03}}, coat, 0.075);
    limb(c, {{0.22, -0.32}, {0.24 - stride, -0.03}}, coat, 0.075);
  }
  const double x = look.pose == 1 ? -0.16 : 0;
  const double y = look.pose == 1 ? -0.04 : 0;
  c.blob({{0.18 + x, -0.58 + y},
          {0.22 + x, -0.72 + y},
          {0.36 + x, -0.74 + y},
          {0.42 + x, -0.66 + y},
          {0.54 + x, -0.6 + y},
          {0.53 + x, -0.53 + y},
          {0.36 + x, -0.52 + y},
          {0.26 + x, -0.5 + y}});
  c.body({.color = coat, .second = coat}, Shading::vertical);
  if (look.variant == 0) {  // hanging ears
    c.blob({{0.2 + x, -0.72 + y}, {0.28 + x, -0.7 + y}, {0.27 + x, -0.54 + y}, {0.2 + x, -0.5 + y}, {0.15 + x, -0.6 + y}})
        .fill(dark);
  } else {  // pointed ears
    c.poly({{0.2 + x, -0.7 + y}, {0.2 + x, -0.88 + y}, {0.31 + x, -0.74 + y}}).fill(dark);
  }
  c.disc(0.525 + x, -0.59 + y, 0.028).fill(kEye);
  c.disc(0.37 + x, -0.66 + y, 0.02).fill(kEye);
  c.line({{0.16 + x, -0.52 + y}, {0.28 + x, -0.47 + y}});
  c.stroke(look.accent, 0.035);
}

void draw_cat(Canvas& c, const Look& look) {
  const Rgb coat = look.paint.color;
  const Rgb dark = darker(coat, 0.35);
  Point head{0.0, -0.72};
  if (look.pose == 0) {  // sitting, seen from ahead
    c.curve({0.16, -0.06}, {0.42, 0.0}, {0.42, -0.2}, {0.34, -0.32});
    c.stroke(dark, 0.07);
    c.blob({{-0.22, -0.02}, {-0.24, -0.22}, {-0.13, -0.52}, {0.13, -0.52}, {0.24, -0.22}, {0.22, -0.02}, {0, 0.0}});
    c.body(look.paint, Shading::vertical);
    c.oval(-0.08, -0.03, 0.065, 0.035).oval(0.08, -0.03, 0.065, 0.035).fill(lighter(coat, 0.3));
    c.line({{0.0, -0.24}, {0.0, -0.04}});
    c.stroke(dark, 0.016);
  } else {  // walking
    c.curve({-0.34, -0.34}, {-0.52, -0.4}, {-0.48, -0.7}, {-0.36, -0.74});
    c.stroke(dark, 0.065);
    limb(c, {{-0.22, -0.2}, {-0.18, -0.02}}, dark, 0.065);
    limb(c, {{0.16, -0.2}, {0.1, -0.02}}, dark, 0.065);
    c.blob({{-0.38, -0.34}, {-0.2, -0.42}, {0.1, -0.38}, {0.28, -0.44}, {0.3, -0.24}, {0.1, -0.16}, {-0.2, -0.17}, {-0.36, -0.2}});
    c.body(look.paint, Shading::vertical);
    limb(c, {{-0.3, -0.24}, {-0.32, -0.02}}, coat, 0.07);
    limb(c, {{0.22, -0.24}, {0.26, -0.02}}, coat, 0.07);
    head = {0.33, -0.5};
  }
  const double x = head.x;
  const double y = head.y;
  for (const double side : {-1.0, 1.0}) {
    c.poly({{x + side * 0.06, y - 0.12}, {x + side * 0.17, y - 0.27}, {x + side * 0.18, y - 0.02}}).fill(dark);
    c.poly({{x + side * 0.1, y - 0.12}, {x + side * 0.155, y - 0.21}, {x + side * 0.155, y - 0.06}}).fill({226, 160, 156});
  }
  c.oval(x, y, 0.19, 0.16).body({.color = coat, .second = coat}, Shading::ball);
  c.oval(x - 0.075, y - 0.02, 0.035, 0.045).oval(x + 0.075, y - 0.02, 0.035, 0.045).fill({170, 204, 92});
  c.oval(x - 0.075, y - 0.02, 0.012, 0.04).oval(x + 0.075, y - 0.02, 0.012, 0.04).fill(kEye);
  c.poly({{x - 0.025, y + 0.045}, {x + 0.025, y + 0.045}, {x, y + 0.075}}).fill({214, 120, 124});
  for (const double side : {-1.0, 1.0}) {
    c.line({{x + side * 0.07, y + 0.07}, {x + side * 0.25, y + 0.04}});
    c.line({{x + side * 0.07, y + 0.085}, {x + side * 0.24, y + 0.11}});
  }
  c.stroke(lighter(coat, 0.7), 0.012);
}

void draw_duck(Canvas& c, const Look& look) {
  const Rgb head = look.variant == 0 ? look.paint.color : Rgb{24, 92, 58};
  c.blob({{-0.5, -0.42}, {-0.38, -0.34}, {-0.1, -0.4}, {0.14, -0.34}, {0.34, -0.26}, {0.32, -0.08}, {0.05, 0.0}, {-0.28, -0.04}});
  c.body(look.paint, Shading::vertical);
  c.blob({{-0.36, -0.28}, {-0.1, -0.34}, {0.12, -0.24}, {0.0, -0.1}, {-0.24, -0.14}})
      .shade(darker(look.paint.color, 0.25), Shading::vertical);
  c.blob({{0.12, -0.28}, {0.18, -0.48}, {0.34, -0.46}, {0.36, -0.24}, {0.24, -0.18}}).fill(head);
  if (look.variant == 1) {
    c.line({{0.13, -0.35}, {0.37, -0.35}});
    c.stroke({244, 244, 240}, 0.035);
  }
  c.disc(0.25, -0.54, 0.135).shade(head, Shading::ball);
  c.blob({{0.35, -0.58}, {0.44, -0.54}, {0.54, -0.52}, {0.52, -0.47}, {0.36, -0.48}}).shade(kBeak, Shading::vertical);
  c.disc(0.29, -0.58, 0.025).fill(kEye);
}

void draw_bird(Canvas& c, const Look& look) {
  const Rgb color = look.paint.color;
  if (look.pose == 1) {  // flying
    c.blob({{-0.06, -0.4}, {-0.2, -0.62}, {-0.5, -0.74}, {-0.3, -0.5}, {-0.12, -0.32}}).body(look.paint, Shading::vertical);
    c.blob({{0.02, -0.42}, {0.14, -0.66}, {0.42, -0.84}, {0.3, -0.54}, {0.12, -0.32}}).body(look.paint, Shading::vertical);
    c.blob({{-0.34, -0.26}, {-0.14, -0.4}, {0.14, -0.42}, {0.24, -0.34}, {0.08, -0.22}, {-0.14, -0.2}});
    c.body(look.paint, Shading::vertical);
    c.disc(0.25, -0.4, 0.085).shade(color, Shading::ball);
    c.poly({{0.32, -0.43}, {0.46, -0.38}, {0.32, -0.36}}).fill(kBeak);
    c.disc(0.27, -0.42, 0.018).fill(kEye);
    return;
  }
  c.line({{-0.02, -0.24}, {-0.03, -0.02}, {0.05, -0.02}});
  c.line({{0.08, -0.24}, {0.09, -0.02}, {0.17, -0.02}});
  c.stroke(darker(kBeak, 0.25), 0.03);
  c.poly({{-0.26, -0.36}, {-0.52, -0.28}, {-0.48, -0.4}}).fill(darker(color, 0.4));
  c.blob({{-0.32, -0.34}, {-0.16, -0.54}, {0.1, -0.66}, {0.26, -0.5}, {0.2, -0.28}, {-0.02, -0.2}});
  c.body(look.paint, Shading::ball);
  c.blob({{-0.36, -0.32}, {-0.1, -0.5}, {0.1, -0.42}, {-0.04, -0.28}}).shade(darker(color, 0.35), Shading::vertical);
  c.disc(0.18, -0.68, 0.13).shade(color, Shading::ball);
  c.poly({{0.29, -0.72}, {0.46, -0.66}, {0.29, -0.62}}).fill(kBeak);
  c.disc(0.22, -0.71, 0.024).fill(kEye);
}

}  // namespace verilabel::demo
