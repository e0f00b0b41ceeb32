#include <cmath>

#include "verilabel/demo/kind.h"
#include "verilabel/demo/random.h"

namespace verilabel::demo {
namespace {

constexpr Rgb kInk{30, 30, 34};
constexpr Rgb kPaper{242, 236, 218};
constexpr Rgb kLeaf{58, 132, 58};

}  // namespace

void draw_vase(Canvas& c, const Look& look) {
  Random random(look.detail);
  if (look.pose == 1) {  // with flowers
    for (int i = 0; i < 5; ++i) {
      const double x = -0.24 + 0.12 * i;
      const double y = -0.84 - 0.1 * (2 - std::abs(i - 2)) + random.uniform(-0.03, 0.03);
      c.curve({0, -0.5}, {0, -0.65}, {x, -0.7}, {x, y});
      c.stroke(kLeaf, 0.022);
      for (int petal = 0; petal < 5; ++petal) {
        c.turned({x, y}, 1.2566 * petal, [&] { c.oval(x, y - 0.055, 0.033, 0.045); });
      }
      c.fill(look.accent);
      c.disc(x, y, 0.03).fill({250, 214, 70});
    }
  }
  const double scale = look.pose == 1 ? 0.62 : 0.96;
  const auto at = [&](double x, double y) { return Point{x * (0.3 + 0.7 * scale), y * scale}; };
  if (look.variant == 0) {
    c.blob({at(-0.13, -1), at(0.13, -1), at(0.1, -0.78), at(0.3, -0.5), at(0.28, -0.2), at(0.14, 0), at(-0.14, 0), at(-0.28, -0.2),
            at(-0.3, -0.5), at(-0.1, -0.78)});
  } else if (look.variant == 1) {
    c.blob(
        {at(-0.24, -1), at(0.24, -1), at(0.15, -0.6), at(0.1, -0.25), at(0.16, 0), at(-0.16, 0), at(-0.1, -0.25), at(-0.15, -0.6)});
  } else {
    c.blob({at(-0.1, -1), at(0.1, -1), at(0.09, -0.6), at(0.26, -0.36), at(0.26, -0.12), at(0.16, 0), at(-0.16, 0),
            at(-0.26, -0.12), at(-0.26, -0.36), at(-0.09, -0.6)});
  }
  c.body(look.paint, Shading::cylinder);
  const Point lip = at(look.variant == 1 ? 0.21 : 0.1, -0.97);
  c.oval(0, lip.y, lip.x, 0.03).fill(darker(look.paint.color, 0.55));
}

void draw_book(Canvas& c, const Look& look) {
  if (look.pose == 1) {  // lying
    c.round(-0.48, -0.2, 0.96, 0.2, 0.03).body(look.paint, Shading::vertical);
    c.rect(-0.42, -0.165, 0.91, 0.13).shade(kPaper, Shading::flat);
    for (int i = 0; i < 3; ++i) {
      c.line({{-0.4, -0.135 + 0.035 * i}, {0.48, -0.135 + 0.035 * i}});
    }
    c.stroke({190, 182, 160}, 0.008);
    c.round(-0.48, -0.2, 0.07, 0.2, 0.03).shade(look.paint.color, Shading::vertical);
  } else if (look.pose == 2) {  // open
    c.poly({{-0.5, -0.07}, {-0.48, -0.62}, {0.48, -0.62}, {0.5, -0.07}}).body(look.paint, Shading::vertical);
    for (const double side : {-1.0, 1.0}) {
      c.poly({{0, -0.08}, {0, -0.6}, {side * 0.2, -0.66}, {side * 0.44, -0.62}, {side * 0.46, -0.1}, {side * 0.2, -0.13}});
      c.shade(kPaper, Shading::cylinder);
      for (int i = 0; i < 6; ++i) {
        c.line({{side * 0.06, -0.53 + 0.07 * i}, {side * (i == 5 ? 0.26 : 0.39), -0.55 + 0.07 * i}});
      }
      c.stroke({130, 124, 116}, 0.014);
    }
    c.line({{0, -0.08}, {0, -0.6}});
    c.stroke({120, 110, 92}, 0.014);
  } else if (look.variant == 0) {  // its spine
    c.round(-0.13, -1.0, 0.26, 1.0, 0.03).body(look.paint, Shading::cylinder);
    c.rect(-0.13, -0.9, 0.26, 0.03).rect(-0.13, -0.12, 0.26, 0.03).fill({226, 196, 110});
    c.round(-0.075, -0.78, 0.15, 0.4, 0.02).fill(lighter(look.accent, 0.3), 0.9);
    c.line({{0, -0.74}, {0, -0.44}});
    c.stroke(kInk, 0.028, 0.75);
  } else {  // its cover
    c.round(-0.34, -1.0, 0.7, 1.0, 0.02).fill(kPaper);
    c.round(-0.36, -1.0, 0.68, 1.0, 0.02).body(look.paint, Shading::vertical);
    c.rect(-0.36, -1.0, 0.07, 1.0).fill(darker(look.paint.color, 0.3), 0.7);
    c.round(-0.2, -0.86, 0.42, 0.2, 0.01).fill(lighter(look.accent, 0.35));
    c.rect(-0.14, -0.8, 0.3, 0.025).rect(-0.1, -0.74, 0.22, 0.025).fill(kInk);
    c.disc(0.01, -0.38, 0.13).fill(look.accent);
  }
}

void draw_clock(Canvas& c, const Look& look) {
  Random random(look.detail);
  const double y = -0.48;
  if (look.variant == 1) {  // an alarm clock: bells and feet
    c.line({{-0.2, -0.12}, {-0.3, 0.0}}).line({{0.2, -0.12}, {0.3, 0.0}});
    c.stroke(darker(look.paint.color, 0.4), 0.06);
    c.disc(-0.25, -0.86, 0.13).disc(0.25, -0.86, 0.13).body(look.paint, Shading::ball);
    c.line({{0, -0.88}, {0, -0.98}}).line({{-0.06, -0.98}, {0.06, -0.98}});
    c.stroke({90, 90, 96}, 0.04);
  } else {
    c.round(-0.24, -0.09, 0.48, 0.09, 0.03).shade(darker(look.paint.color, 0.35), Shading::vertical);
  }
  if (look.variant == 2) {
    c.round(-0.43, -0.93, 0.86, 0.88, 0.1).body(look.paint, Shading::vertical);
  } else {
    c.disc(0, y, 0.43).body(look.paint, Shading::ball);
  }
  c.disc(0, y, 0.34).fill({250, 248, 240});
  for (int i = 0; i < 12; ++i) {
    c.turned({0, y}, 0.5236 * i, [&] { c.line({{0, y - 0.31}, {0, y - (i % 3 == 0 ? 0.24 : 0.27)}}); });
  }
  c.stroke(kInk, 0.026);
  const double hour = random.uniform(0, 6.28);
  c.turned({0, y}, hour, [&] { c.line({{0, y}, {0, y - 0.17}}); });
  c.stroke(kInk, 0.045);
  c.turned({0, y}, random.uniform(0, 6.28), [&] { c.line({{0, y}, {0, y - 0.26}}); });
  c.stroke(kInk, 0.03);
  c.disc(0, y, 0.03).fill({200, 40, 36});
}

void draw_teddy_bear(Canvas& c, const Look& look) {
  const Rgb light = lighter(look.paint.color, 0.45);
  const Paint plain{.color = look.paint.color, .second = look.paint.color};
  for (const double side : {-1.0, 1.0}) {
    c.oval(side * 0.23, -0.1, 0.15, 0.1).body(plain, Shading::ball);
    c.oval(side * 0.25, -0.1, 0.08, 0.06).fill(light);
    c.turned({side * 0.2, -0.44}, side * (look.pose == 1 ? -2.2 : -0.55),
             [&] { c.oval(side * 0.2, -0.34, 0.075, 0.15).body(plain, Shading::vertical); });
    c.disc(side * 0.18, -0.93, 0.085).body(plain, Shading::ball);
    c.disc(side * 0.18, -0.93, 0.045).fill(light);
  }
  c.oval(0, -0.3, 0.24, 0.26).body(look.paint, Shading::ball);
  c.oval(0, -0.27, 0.13, 0.15).fill(light, 0.75);
  c.oval(0, -0.74, 0.25, 0.22).body(plain, Shading::ball);
  c.oval(0, -0.67, 0.11, 0.085).fill(light);
  c.oval(0, -0.7, 0.04, 0.028).fill(kInk);
  c.line({{0, -0.68}, {0, -0.64}, {-0.04, -0.62}}).line({{0, -0.64}, {0.04, -0.62}});
  c.stroke(kInk, 0.014);
  c.disc(-0.095, -0.78, 0.026).disc(0.095, -0.78, 0.026).fill(kInk);
  if (look.variant == 1) {  // a bow
    c.poly({{0, -0.52}, {-0.13, -0.58}, {-0.13, -0.46}}).poly({{0, -0.52}, {0.13, -0.58}, {0.13, -0.46}}).fill(look.accent);
    c.disc(0, -0.52, 0.03).fill(darker(look.accent, 0.3));
  }
}

void draw_lamp(Canvas& c, const Look& look) {
  const bool is_lit = look.pose == 1;
  Paint shade = look.paint;
  if (is_lit) {
    shade.color = mixed(shade.color, {255, 236, 170}, 0.3);
  }
  if (look.variant == 0) {  // with a shade of cloth
    c.oval(0, -0.04, 0.2, 0.04).shade({112, 84, 58}, Shading::cylinder);
    c.blob({{-0.05, -0.5}, {0.05, -0.5}, {0.1, -0.22}, {0.06, -0.04}, {-0.06, -0.04}, {-0.1, -0.22}})
        .shade({176, 148, 108}, Shading::cylinder);
    c.poly({{-0.17, -1.0}, {0.17, -1.0}, {0.36, -0.48}, {-0.36, -0.48}}).body(shade, is_lit ? Shading::flat : Shading::cylinder);
    if (is_lit) {
      c.glow(0, -0.7, 0.22, {255, 250, 214}, 0.85);
      c.oval(0, -0.48, 0.34, 0.025).fill({255, 248, 210});
    }
  } else {  // for a desk, with an arm
    c.oval(-0.08, -0.04, 0.22, 0.04).shade(look.paint.color, Shading::cylinder);
    c.line({{-0.08, -0.05}, {-0.22, -0.48}, {0.1, -0.84}});
    c.stroke({110, 112, 118}, 0.045);
    c.disc(-0.22, -0.48, 0.04).fill({60, 60, 66});
    c.turned({0.14, -0.86}, -0.5, [&] {
      if (is_lit) {
        c.oval(0.14, -0.62, 0.2, 0.06).fill({255, 248, 210});
      }
      c.blob({{0.06, -0.96}, {0.22, -0.96}, {0.28, -0.8}, {0.36, -0.64}, {0.14, -0.61}, {-0.08, -0.64}, {0.0, -0.8}});
      c.body(shade, Shading::vertical);
    });
  }
}

void draw_plant(Canvas& c, const Look& look) {
  Random random(look.detail);
  const Rgb leaf = jittered(kLeaf, random);
  if (look.variant == 2) {  // a cactus
    c.round(-0.12, -0.94, 0.24, 0.64, 0.12).shade(leaf, Shading::cylinder);
    c.round(-0.32, -0.76, 0.12, 0.28, 0.06).round(0.2, -0.84, 0.12, 0.28, 0.06).shade(leaf, Shading::cylinder);
    c.round(-0.3, -0.54, 0.24, 0.09, 0.04).round(0.06, -0.62, 0.24, 0.09, 0.04).fill(leaf);
    for (int i = 0; i < 10; ++i) {
      const Point at{random.uniform(-0.09, 0.09), random.uniform(-0.9, -0.4)};
      c.disc(at.x, at.y, 0.012);
    }
    c.fill(lighter(leaf, 0.7));
  } else {
    const int leaves = look.variant == 0 ? 9 : 7;
    for (int i = 0; i < leaves; ++i) {
      const double turn = (i - (leaves - 1) / 2.0) * (look.variant == 0 ? 0.26 : 0.34) + random.uniform(-0.08, 0.08);
      const double reach = random.uniform(0.46, 0.64);
      const double wide = look.variant == 0 ? 0.05 : 0.1;
      c.turned({0, -0.36}, turn, [&] {
        c.blob({{0, -0.34}, {-wide, -0.36 - 0.6 * reach}, {0, -0.36 - reach}, {wide, -0.36 - 0.6 * reach}});
        c.shade(i % 2 == 0 ? leaf : darker(leaf, 0.25), Shading::vertical);
        c.line({{0, -0.36}, {0, -0.36 - 0.85 * reach}});
        c.stroke(darker(leaf, 0.4), 0.012, 0.7);
      });
    }
  }
  c.poly({{-0.24, -0.34}, {0.24, -0.34}, {0.18, 0.0}, {-0.18, 0.0}}).body(look.paint, Shading::cylinder);
  c.round(-0.27, -0.4, 0.54, 0.1, 0.02).body({.color = look.paint.color, .second = look.paint.color}, Shading::cylinder);
}

void draw_ball(Canvas& c, const Look& look) {
  c.disc(0, -0.5, 0.49).body(look.paint, Shading::ball);
  if (look.paint.pattern != Pattern::plain) {
    return;
  }
  if (look.variant == 0) {  // for the beach: slices
    c.blob({{0, -0.99}, {0.2, -0.7}, {0.22, -0.4}, {0.08, -0.02}, {-0.1, -0.4}, {-0.1, -0.75}}).fill({250, 250, 246}, 0.85);
    c.blob({{-0.12, -0.97}, {-0.36, -0.7}, {-0.38, -0.36}, {-0.3, -0.12}, {-0.44, -0.3}, {-0.47, -0.6}}).fill({250, 250, 246}, 0.8);
  } else if (look.variant == 1) {  // for basket: seams
    c.curve({0, -0.99}, {0.1, -0.7}, {0.1, -0.3}, {0, -0.01}).line({{-0.49, -0.5}, {0.49, -0.5}});
    c.curve({-0.34, -0.85}, {-0.1, -0.65}, {-0.1, -0.35}, {-0.34, -0.15})
        .curve({0.38, -0.81}, {0.2, -0.65}, {0.2, -0.35}, {0.38, -0.19});
    c.stroke(darker(look.paint.color, 0.7), 0.035);
  }
  c.oval(-0.19, -0.72, 0.1, 0.07).fill({255, 255, 255}, 0.5);
}

void draw_kite(Canvas& c, const Look& look) {
  c.curve({0, -0.28}, {-0.14, -0.18}, {0.14, -0.12}, {0.0, 0.0});
  c.stroke({80, 80, 84}, 0.018);
  for (const double y : {-0.2, -0.1}) {
    c.poly({{0, y}, {-0.09, y - 0.045}, {-0.09, y + 0.045}}).poly({{0, y}, {0.09, y - 0.045}, {0.09, y + 0.045}}).fill(look.accent);
  }
  if (look.variant == 0) {
    c.poly({{0, -1.0}, {0.3, -0.68}, {0, -0.26}, {-0.3, -0.68}}).body(look.paint, Shading::vertical);
    c.poly({{0, -1.0}, {0.3, -0.68}, {0, -0.68}}).poly({{0, -0.26}, {-0.3, -0.68}, {0, -0.68}}).fill(look.accent, 0.85);
  } else {
    c.poly({{0, -0.98}, {0.46, -0.5}, {0.1, -0.56}, {0, -0.36}, {-0.1, -0.56}, {-0.46, -0.5}}).body(look.paint, Shading::vertical);
  }
  c.line({{0, -0.98}, {0, -0.32}});
  c.stroke({90, 70, 50}, 0.016);
}

}  // namespace verilabel::demo
