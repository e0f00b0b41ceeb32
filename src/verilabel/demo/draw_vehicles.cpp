#include "verilabel/demo/kind.h"

namespace verilabel::demo {
namespace {

constexpr Rgb kTyre{34, 34, 38};
constexpr Rgb kRim{186, 190, 196};
constexpr Rgb kGlass{120, 162, 188};
constexpr Rgb kChrome{196, 200, 206};
constexpr Rgb kHeadlight{255, 246, 206};
constexpr Rgb kTaillight{214, 30, 30};
constexpr Rgb kUnderside{42, 42, 48};

void wheel(Canvas& c, double x, double y, double radius) {
  c.disc(x, y, radius).fill(kTyre);
  c.disc(x, y, 0.58 * radius).shade(kRim, Shading::vertical);
  c.disc(x, y, 0.2 * radius).fill(kTyre);
}

void glass(Canvas& c) {
  c.fill_down(lighter(kGlass, 0.35), darker(kGlass, 0.35));
}

void car_side(Canvas& c, const Look& look) {
  c.round(-0.46, -0.14, 0.92, 0.07, 0.03).fill(kUnderside);
  if (look.variant == 0) {  // a saloon
    c.blob({{-0.5, -0.12},
            {-0.49, -0.22},
            {-0.34, -0.26},
            {-0.22, -0.39},
            {-0.05, -0.425},
            {0.12, -0.40},
            {0.26, -0.27},
            {0.46, -0.225},
            {0.5, -0.13},
            {0.3, -0.09},
            {-0.3, -0.09}});
    c.body(look.paint, Shading::vertical);
    c.poly({{-0.25, -0.265}, {-0.17, -0.375}, {-0.02, -0.39}, {-0.02, -0.265}});
    glass(c);
    c.poly({{0.015, -0.265}, {0.015, -0.39}, {0.11, -0.37}, {0.2, -0.265}});
    glass(c);
  } else if (look.variant == 1) {  // a hatchback
    c.blob({{-0.45, -0.11},
            {-0.46, -0.27},
            {-0.4, -0.40},
            {-0.28, -0.47},
            {0.0, -0.475},
            {0.15, -0.44},
            {0.29, -0.29},
            {0.45, -0.25},
            {0.48, -0.13},
            {0.3, -0.09},
            {-0.3, -0.09}});
    c.body(look.paint, Shading::vertical);
    c.poly({{-0.38, -0.29}, {-0.33, -0.41}, {-0.11, -0.43}, {-0.11, -0.29}});
    glass(c);
    c.poly({{-0.075, -0.29}, {-0.075, -0.43}, {0.1, -0.415}, {0.22, -0.29}});
    glass(c);
  } else {  // a pickup
    c.poly({{-0.5, -0.11},
            {-0.5, -0.28},
            {-0.08, -0.28},
            {-0.04, -0.46},
            {0.14, -0.46},
            {0.26, -0.29},
            {0.47, -0.26},
            {0.5, -0.12},
            {0.3, -0.09},
            {-0.3, -0.09}});
    c.body(look.paint, Shading::vertical);
    c.poly({{-0.02, -0.29}, {0.01, -0.425}, {0.12, -0.425}, {0.21, -0.29}});
    glass(c);
    c.rect(-0.48, -0.30, 0.4, 0.025).fill(darker(look.paint.color, 0.45));
  }
  c.line({{-0.02, -0.25}, {-0.02, -0.12}});
  c.stroke(darker(look.paint.color, 0.5), 0.01, 0.7);
  c.round(0.02, -0.235, 0.06, 0.014, 0.007).fill(kChrome);
  c.oval(0.455, -0.2, 0.03, 0.022).fill(kHeadlight);
  c.round(-0.49, -0.225, 0.035, 0.045, 0.01).fill(kTaillight);
  wheel(c, -0.28, -0.085, 0.085);
  wheel(c, 0.29, -0.085, 0.085);
}

/// Seen from ahead or from behind: how wide, how high, where the roof begins.
void car_end(Canvas& c, const Look& look, bool is_front) {
  c.round(-0.29, -0.12, 0.1, 0.12, 0.03).round(0.19, -0.12, 0.1, 0.12, 0.03).fill(kTyre);
  c.blob({{-0.31, -0.08},
          {-0.325, -0.26},
          {-0.26, -0.31},
          {-0.2, -0.46},
          {0, -0.49},
          {0.2, -0.46},
          {0.26, -0.31},
          {0.325, -0.26},
          {0.31, -0.08},
          {0, -0.06}});
  c.body(look.paint, Shading::vertical);
  c.poly({{-0.22, -0.31}, {-0.17, -0.445}, {0.17, -0.445}, {0.22, -0.31}});
  glass(c);
  c.poly({{-0.08, -0.31}, {0.0, -0.445}, {0.07, -0.445}, {0.0, -0.31}}).fill({255, 255, 255}, 0.25);
  const Rgb lamp = is_front ? kHeadlight : kTaillight;
  c.oval(-0.245, -0.235, 0.05, 0.035).oval(0.245, -0.235, 0.05, 0.035).fill(lamp);
  if (is_front) {
    c.round(-0.15, -0.25, 0.3, 0.06, 0.02).fill(kUnderside);
    c.line({{-0.13, -0.22}, {0.13, -0.22}});
    c.stroke(kChrome, 0.012);
  }
  c.round(-0.3, -0.145, 0.6, 0.045, 0.02).fill(darker(look.paint.color, 0.55));
  c.round(-0.09, -0.165, 0.18, 0.05, 0.01).fill({240, 240, 232});
}

}  // namespace

void draw_car(Canvas& c, const Look& look) {
  if (look.pose == 0) {
    car_side(c, look);
  } else {
    car_end(c, look, look.pose == 1);
  }
}

void draw_van(Canvas& c, const Look& look) {
  c.round(-0.46, -0.13, 0.92, 0.07, 0.03).fill(kUnderside);
  if (look.variant == 0) {  // a delivery van: closed sides
    c.poly({{-0.48, -0.1},
            {-0.48, -0.53},
            {-0.45, -0.56},
            {0.2, -0.56},
            {0.27, -0.53},
            {0.38, -0.33},
            {0.48, -0.28},
            {0.49, -0.12},
            {0.46, -0.09},
            {-0.46, -0.09}});
    c.body(look.paint, Shading::vertical);
    c.round(-0.4, -0.45, 0.46, 0.16, 0.02).fill(lighter(look.accent, 0.1), 0.85);
  } else {  // a camper with windows all along
    c.round(-0.48, -0.56, 0.95, 0.47, 0.1).body(look.paint, Shading::vertical);
    c.rect(-0.478, -0.29, 0.945, 0.05).fill(lighter(look.accent, 0.2), 0.9);
    for (const double x : {-0.43, -0.24, -0.05}) {
      c.round(x, -0.5, 0.16, 0.16, 0.025);
      glass(c);
    }
  }
  c.poly({{0.14, -0.33}, {0.14, -0.5}, {0.24, -0.5}, {0.34, -0.33}});
  glass(c);
  c.line({{0.11, -0.53}, {0.11, -0.12}});
  c.stroke(darker(look.paint.color, 0.5), 0.01, 0.7);
  c.oval(0.455, -0.21, 0.025, 0.03).fill(kHeadlight);
  c.round(-0.485, -0.25, 0.03, 0.07, 0.01).fill(kTaillight);
  wheel(c, -0.29, -0.085, 0.085);
  wheel(c, 0.28, -0.085, 0.085);
}

void draw_bus(Canvas& c, const Look& look) {
  const bool is_double_decker = look.variant == 1;
  const double top = is_double_decker ? -0.56 : -0.36;
  c.round(-0.49, -0.1, 0.98, 0.06, 0.02).fill(kUnderside);
  c.round(-0.5, top, 1.0, -0.06 - top, 0.035).body(look.paint, Shading::vertical);
  c.rect(-0.498, -0.145, 0.996, 0.03).fill(darker(look.accent, 0.1), 0.9);
  for (int deck = 0; deck < (is_double_decker ? 2 : 1); ++deck) {
    for (int i = 0; i < 6; ++i) {
      c.round(-0.465 + 0.135 * i, top + 0.045 + 0.2 * deck, 0.115, 0.1, 0.012);
      glass(c);
    }
  }
  c.round(0.36, -0.315, 0.12, 0.15, 0.015);
  glass(c);
  c.rect(0.3, -0.3, 0.045, 0.235);
  glass(c);
  c.line({{0.3225, -0.3}, {0.3225, -0.065}});
  c.stroke(kUnderside, 0.008);
  c.oval(0.485, -0.115, 0.012, 0.02).fill(kHeadlight);
  c.round(-0.5, -0.14, 0.015, 0.05, 0.005).fill(kTaillight);
  for (const double x : {-0.3, 0.22}) {
    wheel(c, x, -0.062, 0.062);
  }
}

void draw_truck(Canvas& c, const Look& look) {
  c.round(-0.48, -0.15, 0.95, 0.05, 0.02).fill(kUnderside);
  if (look.variant == 0) {  // a box
    c.round(-0.5, -0.53, 0.7, 0.4, 0.015).shade({226, 226, 220}, Shading::vertical);
    for (int i = 1; i < 7; ++i) {
      c.line({{-0.5 + 0.1 * i, -0.52}, {-0.5 + 0.1 * i, -0.14}});
    }
    c.stroke({150, 150, 150}, 0.006);
    c.rect(-0.5, -0.2, 0.7, 0.035).fill(look.paint.color);
  } else if (look.variant == 1) {  // a tipper with a load
    c.blob({{-0.46, -0.3}, {-0.35, -0.42}, {-0.16, -0.47}, {0.02, -0.44}, {0.14, -0.3}}).shade({142, 112, 78}, Shading::vertical);
    c.poly({{-0.5, -0.34}, {0.2, -0.34}, {0.17, -0.14}, {-0.44, -0.14}});
    c.shade({132, 136, 142}, Shading::vertical);
    for (int i = 0; i < 5; ++i) {
      c.line({{-0.4 + 0.13 * i, -0.33}, {-0.38 + 0.13 * i, -0.15}});
    }
    c.stroke({90, 92, 98}, 0.012);
  } else {  // a tanker
    c.round(-0.5, -0.45, 0.7, 0.3, 0.14).shade({192, 198, 204}, Shading::vertical);
    c.rect(-0.46, -0.33, 0.62, 0.04).fill(look.paint.color);
    c.round(-0.2, -0.48, 0.1, 0.04, 0.01).fill({120, 124, 130});
  }
  c.blob({{0.22, -0.11}, {0.21, -0.3}, {0.23, -0.46}, {0.38, -0.47}, {0.46, -0.3}, {0.5, -0.24}, {0.49, -0.11}, {0.35, -0.1}});
  c.body(look.paint, Shading::vertical);
  c.poly({{0.29, -0.28}, {0.29, -0.42}, {0.38, -0.42}, {0.43, -0.28}});
  glass(c);
  c.oval(0.475, -0.18, 0.018, 0.025).fill(kHeadlight);
  for (const double x : {-0.36, -0.2, 0.33}) {
    wheel(c, x, -0.078, 0.078);
  }
}

void draw_bicycle(Canvas& c, const Look& look) {
  const Rgb frame = look.paint.color;
  for (const double x : {-0.3, 0.3}) {
    for (int i = 0; i < 4; ++i) {
      c.turned({x, -0.2}, 0.785 * i, [&] { c.line({{x - 0.18, -0.2}, {x + 0.18, -0.2}}); });
    }
    c.stroke({170, 172, 176}, 0.008);
    c.disc(x, -0.2, 0.18).stroke(kTyre, 0.035);
  }
  const Point hub{-0.04, -0.2};
  const Point head{0.22, -0.5};
  const Point seat{-0.14, -0.5};
  if (look.variant == 0) {
    c.line({{-0.3, -0.2}, hub, head, seat, {-0.3, -0.2}});
    c.line({hub, {seat.x - 0.02, -0.58}});
  } else {  // stepping through is easy
    c.curve(head, {0.1, -0.3}, {0.02, -0.22}, hub);
    c.line({{-0.3, -0.2}, hub, {-0.16, -0.58}});
    c.line({{-0.3, -0.2}, {-0.13, -0.44}});
  }
  c.line({{0.3, -0.2}, head, {0.2, -0.6}});
  c.stroke(darker(frame, 0.45), 0.058);
  if (look.variant == 0) {
    c.line({{-0.3, -0.2}, hub, head, seat, {-0.3, -0.2}});
    c.line({hub, {seat.x - 0.02, -0.58}});
  } else {
    c.curve(head, {0.1, -0.3}, {0.02, -0.22}, hub);
    c.line({{-0.3, -0.2}, hub, {-0.16, -0.58}});
    c.line({{-0.3, -0.2}, {-0.13, -0.44}});
  }
  c.line({{0.3, -0.2}, head, {0.2, -0.6}});
  c.stroke(frame, 0.042);
  c.line({{0.2, -0.6}, {0.1, -0.63}});
  c.stroke(kTyre, 0.035);
  c.oval(-0.17, -0.6, 0.085, 0.028).fill(kTyre);
  c.disc(hub.x, hub.y, 0.05).fill({90, 92, 96});
  if (look.variant == 1) {
    c.round(0.26, -0.56, 0.17, 0.13, 0.02).shade({160, 118, 66}, Shading::vertical);
  }
}

void draw_scooter(Canvas& c, const Look& look) {
  wheel(c, -0.29, -0.12, 0.12);
  wheel(c, 0.32, -0.12, 0.12);
  c.line({{0.32, -0.13}, {0.22, -0.6}});
  c.stroke({92, 94, 100}, 0.04);
  c.blob({{-0.46, -0.22},
          {-0.42, -0.4},
          {-0.2, -0.44},
          {-0.04, -0.36},
          {0.0, -0.2},
          {0.16, -0.19},
          {0.19, -0.4},
          {0.2, -0.56},
          {0.28, -0.55},
          {0.3, -0.32},
          {0.24, -0.11},
          {-0.08, -0.1},
          {-0.14, -0.24},
          {-0.3, -0.28},
          {-0.42, -0.2}});
  c.body(look.paint, Shading::vertical);
  c.blob({{-0.44, -0.43}, {-0.36, -0.5}, {-0.1, -0.48}, {-0.02, -0.42}, {-0.2, -0.41}}).shade({56, 44, 40}, Shading::vertical);
  c.line({{0.22, -0.6}, {0.1, -0.68}});
  c.stroke(kTyre, 0.04);
  c.disc(0.255, -0.565, 0.05).fill(kHeadlight);
  c.disc(0.255, -0.565, 0.05).stroke(kChrome, 0.015);
  c.blob({{0.2, -0.26}, {0.32, -0.28}, {0.45, -0.2}, {0.46, -0.13}, {0.33, -0.2}}).body(look.paint, Shading::vertical);
  if (look.variant == 1) {
    c.round(-0.56, -0.62, 0.22, 0.18, 0.03).body(look.paint, Shading::vertical);
  }
  c.round(-0.48, -0.34, 0.04, 0.06, 0.015).fill(kTaillight);
}

}  // namespace verilabel::demo
