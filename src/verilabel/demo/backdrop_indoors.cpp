#include <algorithm>
#include <array>

#include "verilabel/demo/backdrop.h"

namespace verilabel::demo {
namespace {

constexpr Rgb kBulb{255, 224, 170};

/// Boards of wood with grain, from the top of a surface to its bottom.
void wood(Canvas& c, double left, double top, double w, double h, Rgb color, int grains, Random& random) {
  c.rect(left, top, w, h).fill_down(lighter(color, 0.12), darker(color, 0.1));
  for (int i = 0; i < grains; ++i) {
    const double y = top + random.uniform(0.02, 0.98) * h;
    const double x = left + random.uniform(-0.1, 0.8) * w;
    const double length = random.uniform(0.15, 0.5) * w;
    const double bow = random.uniform(-0.04, 0.04) * h;
    c.curve({std::max(x, left), y}, {x + 0.3 * length, y + bow}, {x + 0.6 * length, y - bow}, {std::min(x + length, left + w), y});
  }
  c.stroke(darker(color, 0.35), 1.0, 0.4);
}

void window_with_a_view(Canvas& c, double x, double y, double w, double h, Light light) {
  c.rect(x - 6, y - 6, w + 12, h + 12).shade({236, 234, 226}, Shading::vertical);
  const Rgb top = light == Light::day ? Rgb{140, 190, 232} : light == Light::dusk ? Rgb{110, 96, 150} : Rgb{24, 30, 60};
  const Rgb bottom = light == Light::day ? Rgb{226, 240, 246} : light == Light::dusk ? Rgb{250, 176, 116} : Rgb{60, 66, 104};
  c.rect(x, y, w, h).fill_down(top, bottom);
  c.blob({{x, y + h},
          {x, y + 0.75 * h},
          {x + 0.3 * w, y + 0.62 * h},
          {x + 0.6 * w, y + 0.74 * h},
          {x + w, y + 0.66 * h},
          {x + w, y + h}});
  c.fill(light == Light::night ? Rgb{26, 36, 36} : Rgb{104, 148, 92});
  c.rect(x + 0.5 * w - 2, y, 4, h).rect(x, y + 0.5 * h - 2, w, 4).fill({240, 238, 230});
  c.poly({{x, y}, {x + 0.3 * w, y}, {x, y + 0.5 * h}}).fill({255, 255, 255}, 0.18);
}

/// Ladles, spatulas and pans that hang from a bar.
void rail(Canvas& c, double left, double right, double y, double side, Random& random) {
  constexpr Rgb kSteel{150, 154, 160};
  if (right - left < 0.1 * side) {
    return;
  }
  c.line({{left, y}, {right, y}});
  c.stroke({110, 112, 118}, 3);
  for (const double x : places_along(left + 0.03 * side, right - 0.02 * side, [&] { return random.uniform(0.05, 0.09) * side; })) {
    const double length = random.uniform(0.08, 0.12) * side;
    const int what = random.integer(0, 2);
    c.line({{x, y}, {x, y + length}});
    c.stroke(what == 1 ? Rgb{150, 104, 64} : kSteel, 3);
    if (what == 0) {
      c.oval(x, y + length, 0.013 * side, 0.017 * side).shade(kSteel, Shading::ball);
    } else if (what == 1) {
      c.round(x - 0.011 * side, y + length - 0.01 * side, 0.022 * side, 0.036 * side, 3).shade({166, 118, 74}, Shading::vertical);
    } else {
      c.disc(x, y + length, 0.028 * side).shade({72, 74, 80}, Shading::ball);
      c.disc(x, y + length, 0.02 * side).fill({46, 48, 52});
    }
  }
}

void cupboards(Canvas& c, double w, double bottom, double side, Random& random) {
  constexpr std::array kDoors = {Rgb{226, 222, 212}, Rgb{150, 178, 168}, Rgb{176, 132, 88}, Rgb{122, 140, 164}};
  const Rgb door = jittered(random.pick(kDoors), random);
  const int count = std::max(2, static_cast<int>(w / (0.17 * side)));
  const double step = w / count;
  for (int i = 0; i < count; ++i) {
    c.rect(i * step, 0, step, bottom).shade(door, Shading::vertical);
    c.rect(i * step, 0, step, bottom).stroke(darker(door, 0.4), 1.5);
    c.round(i * step + 0.14 * step, -10, 0.72 * step, bottom + 10 - 0.14 * step, 4).stroke(darker(door, 0.25), 2);
    c.round((i + (i % 2 == 0 ? 0.84 : 0.1)) * step, 0.68 * bottom, 0.05 * step, 0.16 * bottom, 3).fill({120, 112, 100});
  }
  c.rect(0, bottom, w, 0.02 * side).fill_down({0, 0, 0}, {0, 0, 0}, 0.18);
}

}  // namespace

Backdrop draw_kitchen(Canvas& c, const Conditions& conditions, Random& random) {
  const double w = c.width();
  const double h = c.height();
  const double side = std::max(w, h);
  Backdrop backdrop;
  backdrop.density = 1.15;
  const double back = h * random.uniform(0.46, 0.54);
  const double front = h * random.uniform(0.9, 0.95);
  constexpr std::array kTiles = {Rgb{226, 232, 228}, Rgb{188, 212, 214}, Rgb{236, 220, 190}, Rgb{200, 216, 190},
                                 Rgb{222, 204, 200}};
  const Rgb tile = jittered(random.pick(kTiles), random);
  c.rect(0, 0, w, h).fill_down(darker(tile, 0.2), lighter(tile, 0.2));
  const double step = random.uniform(0.07, 0.1) * side;
  const double shift = random.uniform(0, step);
  const double height = random.chance(0.5) ? step : 0.5 * step;
  for (int row = 0; row * height < back; ++row) {
    for (const double x : places_along(-shift - (row % 2) * (height < step ? 0.5 : 0.0) * step, w, [&] { return step; })) {
      const Rgb glaze = jittered(tile, random, 0.3);
      c.round(x + 1, row * height + 1, step - 2, height - 2, 2).fill_down(lighter(glaze, 0.12), darker(glaze, 0.06));
      c.line({{x + 3, row * height + 3}, {x + step - 5, row * height + 3}});
      c.stroke(lighter(glaze, 0.6), 1.2, 0.6);
    }
  }
  if (random.chance(0.6)) {
    const double ww = random.uniform(0.26, 0.36) * side;
    const double x = random.uniform(0.05, 0.95) * (w - ww);
    window_with_a_view(c, x, 0.05 * h, ww, 0.3 * h, conditions.light);
    rail(c, x > 0.45 * w ? 0.04 * w : x + ww + 0.05 * w, x > 0.45 * w ? x - 0.05 * w : 0.96 * w, 0.14 * h, side, random);
  } else {
    cupboards(c, w, 0.2 * h, side, random);
    rail(c, 0.08 * w, 0.92 * w, 0.27 * h, side, random);
  }
  constexpr std::array kTops = {Rgb{178, 128, 82}, Rgb{204, 164, 118}, Rgb{126, 88, 60}, Rgb{168, 168, 170}};
  const Rgb top = jittered(random.pick(kTops), random);
  wood(c, 0, back, w, front - back, top, 36, random);
  for (int i = 1; i < 5; ++i) {
    const double part = i / 5.0;
    c.line({{0, back + part * part * (front - back)}, {w, back + part * part * (front - back)}});
  }
  c.stroke(darker(top, 0.45), 1.4, 0.5);
  c.rect(0, back - 0.012 * h, w, 0.016 * h).fill_down(darker(tile, 0.4), darker(tile, 0.15));
  c.rect(0, front, w, h - front).fill_down(darker(top, 0.3), darker(top, 0.6));
  c.rect(0, front - 2, w, 4).fill(lighter(top, 0.35));
  if (random.chance(0.4)) {  // a cloth
    const double x = random.uniform(0.1, 0.6) * w;
    const double y = back + 0.3 * (front - back);
    const Rgb cloth = jittered(random.pick(kNamedColors).rgb, random);
    c.poly({{x, y}, {x + 0.34 * w, y}, {x + 0.4 * w, y + 0.5 * (front - back)}, {x - 0.05 * w, y + 0.5 * (front - back)}});
    c.body({.color = mixed(cloth, {236, 230, 220}, 0.55),
            .second = {244, 242, 236},
            .pattern = Pattern::striped,
            .pitch = 0.05 * w,
            .edge_width = 1},
           Shading::flat);
  }
  const double lamp = random.uniform(0.25, 0.75) * w;
  c.line({{lamp, 0}, {lamp, 0.07 * h}});
  c.stroke({50, 50, 54}, 2);
  backdrop.glows.push_back({lamp, 0.1 * h, 0.3 * side, kBulb, 0.8});
  backdrop.glows.push_back({lamp, back + 0.4 * (front - back), 0.55 * side, kBulb, 0.75});
  backdrop.zones = {
      {place::kWorktop, 0, w, back + 0.12 * (front - back), front - 0.02 * h, 0.1 * side, 0.16 * side, 1},
  };
  return backdrop;
}

Backdrop draw_shelf(Canvas& c, const Conditions& conditions, Random& random) {
  const double w = c.width();
  const double h = c.height();
  const double side = std::max(w, h);
  Backdrop backdrop;
  backdrop.density = 1.35;
  constexpr std::array kWalls = {Rgb{214, 206, 190}, Rgb{176, 192, 196}, Rgb{206, 188, 196}, Rgb{188, 200, 176},
                                 Rgb{228, 214, 176}};
  const Rgb wall = jittered(random.pick(kWalls), random);
  c.rect(0, 0, w, h).fill_down(lighter(wall, 0.12), darker(wall, 0.15));
  const double stripe = random.uniform(0.03, 0.06) * side;
  if (random.chance(0.6)) {  // wallpaper
    for (const double x : places_along(0, w, [&] { return 2 * stripe; })) {
      c.rect(x, 0, stripe, h);
    }
    c.fill(darker(wall, 0.2), 0.25);
  }
  constexpr std::array kWoods = {Rgb{166, 116, 70}, Rgb{206, 170, 126}, Rgb{104, 70, 48}, Rgb{226, 222, 214}};
  const Rgb board = jittered(random.pick(kWoods), random);
  const int boards = h > w ? random.integer(3, 4) : random.integer(2, 3);
  const double thick = 0.026 * side;
  const double gap = h / boards;
  const double unit = std::min(0.155 * side, 0.72 * gap);
  const double frame = random.chance(0.6) ? 0.03 * side : 0;
  for (int i = 0; i < boards; ++i) {
    const double y = gap * (i + 1) - 1.4 * thick;
    c.rect(frame, y - 0.85 * gap, w - 2 * frame, 0.85 * gap).fill_down({0, 0, 0}, {0, 0, 0}, 0.06);
    c.rect(0, y + thick, w, 0.16 * gap).fill_down(darker(wall, 0.75), darker(wall, 0.2), 0.4);
    c.poly({{frame, y - 0.9 * thick}, {w - frame, y - 0.9 * thick}, {w, y + 1}, {0, y + 1}})
        .shade(lighter(board, 0.1), Shading::flat);
    wood(c, 0, y, w, thick, darker(board, 0.12), 10, random);
    backdrop.zones.push_back(
        {place::kBoard, frame + 0.01 * w, w - frame - 0.01 * w, y - 0.7 * thick, y - 1, 0.97 * unit, 1.02 * unit, 1});
  }
  if (frame > 0) {
    c.rect(0, 0, frame, h).rect(w - frame, 0, frame, h).shade(darker(board, 0.2), Shading::cylinder);
  }
  if (conditions.light != Light::day) {
    backdrop.glows.push_back({random.uniform(0.2, 0.8) * w, random.uniform(0.1, 0.5) * h, 0.6 * side, kBulb, 0.85});
    backdrop.glows.push_back({random.uniform(0.2, 0.8) * w, 0.9 * h, 0.4 * side, kBulb, 0.5});
  }
  return backdrop;
}

Backdrop draw_backdrop(Canvas& c, const Conditions& conditions, Random& random) {
  switch (conditions.scene) {
    case Scene::street:
      return draw_street(c, conditions, random);
    case Scene::park:
      return draw_park(c, conditions, random);
    case Scene::harbour:
      return draw_harbour(c, conditions, random);
    case Scene::kitchen:
      return draw_kitchen(c, conditions, random);
    case Scene::shelf:
      break;
  }
  return draw_shelf(c, conditions, random);
}

}  // namespace verilabel::demo
