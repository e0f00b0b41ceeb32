#include <algorithm>
#include <array>

#include "verilabel/demo/backdrop.h"

namespace verilabel::demo {
namespace {

constexpr Rgb kLampLight{255, 214, 150};
constexpr Rgb kGlass{96, 124, 150};

struct Size {
  explicit Size(const Canvas& c) : w(c.width()), h(c.height()), side(std::max(w, h)) {}
  double w, h, side;
};

struct SkyColors {
  Rgb top, bottom;
};

SkyColors sky_colors(const Conditions& conditions) {
  SkyColors colors{{92, 158, 222}, {204, 228, 242}};
  if (conditions.light == Light::dusk) {
    colors = {{96, 92, 156}, {252, 176, 112}};
  } else if (conditions.light == Light::night) {
    colors = {{44, 54, 96}, {104, 116, 160}};
  }
  if (conditions.weather != Weather::clear) {
    const Rgb grey = conditions.light == Light::day ? Rgb{168, 176, 186} : Rgb{132, 134, 146};
    colors = {mixed(colors.top, grey, 0.75), mixed(colors.bottom, lighter(grey, 0.25), 0.75)};
  }
  return colors;
}

void cloud(Canvas& c, double x, double y, double size, Rgb color, double opacity, Random& random) {
  for (int i = 0; i < 5; ++i) {
    const double part = (i - 2) / 2.0;
    const double rise = (1 - part * part) * 0.25 * size * random.uniform(0.7, 1.2);
    const double rx = size * random.uniform(0.35, 0.55);
    c.oval(x + part * size, y - rise, rx, size * random.uniform(0.18, 0.28));
  }
  c.fill(color, opacity);
}

void sky(Canvas& c, const Size& size, double horizon, const Conditions& conditions, Random& random) {
  const SkyColors colors = sky_colors(conditions);
  c.rect(0, 0, size.w, horizon + 2).fill_down(colors.top, colors.bottom);
  const bool is_clear = conditions.weather == Weather::clear;
  if (is_clear && conditions.light == Light::night) {
    for (int i = 0; i < 40; ++i) {
      const Point at{random.uniform(0, size.w), random.uniform(0, horizon)};
      c.disc(at.x, at.y, random.uniform(0.4, 1.2));
    }
    c.fill({255, 255, 240}, 0.9);
    const double x = random.uniform(0.1, 0.9) * size.w;
    c.glow(x, 0.25 * horizon, 0.09 * size.side, {240, 240, 220}, 0.5);
    c.disc(x, 0.25 * horizon, 0.025 * size.side).fill({255, 252, 230});
  } else if (is_clear) {
    const double x = random.uniform(0.1, 0.9) * size.w;
    const bool is_low = conditions.light == Light::dusk;
    const double y = (is_low ? 0.8 : 0.25) * horizon;
    c.glow(x, y, 0.2 * size.side, is_low ? Rgb{255, 190, 120} : Rgb{255, 250, 220}, 0.75);
    c.disc(x, y, 0.028 * size.side).fill(is_low ? Rgb{255, 214, 150} : Rgb{255, 252, 236});
  }
  const int clouds = is_clear ? random.integer(1, 4) : 7;
  for (int i = 0; i < clouds; ++i) {
    const Point at{random.uniform(0, size.w), random.uniform(0.1, 0.75) * horizon};
    cloud(c, at.x, at.y, random.uniform(0.06, 0.14) * size.side,
          lighter(colors.bottom, conditions.light == Light::night ? 0.05 : 0.5), 0.55, random);
  }
}

void tree(Canvas& c, double x, double base, double height, Rgb leaves, Random& random) {
  c.poly({{x - 0.04 * height, base},
          {x - 0.025 * height, base - 0.5 * height},
          {x + 0.025 * height, base - 0.5 * height},
          {x + 0.04 * height, base}});
  c.shade({104, 76, 52}, Shading::cylinder);
  if (random.chance(0.3)) {  // a fir
    for (int i = 0; i < 3; ++i) {
      const double y = base - (0.22 + 0.22 * i) * height;
      const double reach = (0.26 - 0.06 * i) * height;
      c.poly({{x - reach, y}, {x, y - 0.36 * height}, {x + reach, y}}).shade(darker(leaves, 0.15), Shading::vertical);
    }
    return;
  }
  for (int i = 0; i < 6; ++i) {
    const double r = random.uniform(0.15, 0.22) * height;
    const Point at{x + random.uniform(-0.17, 0.17) * height, base - random.uniform(0.52, 0.82) * height};
    c.disc(at.x, at.y, r);
    c.shade(mixed(leaves, i % 2 == 0 ? Rgb{255, 255, 180} : Rgb{10, 40, 20}, 0.1), Shading::ball);
  }
}

void building(Canvas& c, double x, double w, double top, double base, const Conditions& conditions, Backdrop& backdrop, double unit,
              Random& random) {
  constexpr std::array kWalls = {Rgb{186, 122, 98},  Rgb{214, 196, 166}, Rgb{156, 164, 172},
                                 Rgb{204, 178, 138}, Rgb{140, 120, 116}, Rgb{192, 200, 190}};
  const Rgb wall = jittered(random.pick(kWalls), random);
  c.rect(x, top, w, base - top).shade(wall, Shading::vertical);
  if (random.chance(0.4)) {
    c.poly({{x - 0.04 * w, top}, {x + 0.5 * w, top - 0.22 * w}, {x + 1.04 * w, top}}).shade(darker(wall, 0.45), Shading::vertical);
  } else {
    c.rect(x - 0.02 * w, top, 1.04 * w, 0.05 * unit).fill(darker(wall, 0.35));
  }
  const double cell = 0.55 * unit;
  const int columns = std::max(1, static_cast<int>(w / cell));
  const int rows = std::max(1, static_cast<int>((base - top - 0.9 * unit) / (0.75 * unit)));
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const double wx = x + (column + 0.25) * w / columns;
      const double wy = top + 0.25 * unit + row * 0.75 * unit;
      const double ww = 0.5 * w / columns;
      const bool is_lit = conditions.light != Light::day && random.chance(0.4);
      c.rect(wx - 0.03 * unit, wy - 0.03 * unit, ww + 0.06 * unit, 0.46 * unit + 0.06 * unit).fill(lighter(wall, 0.4));
      c.rect(wx, wy, ww, 0.46 * unit);
      is_lit ? c.fill({255, 226, 150}) : c.fill_down(lighter(kGlass, 0.25), darker(kGlass, 0.3));
      if (is_lit) {
        backdrop.glows.push_back({wx + 0.5 * ww, wy + 0.23 * unit, 0.6 * unit, kLampLight, 0.6});
      }
    }
  }
  // A shop or a door.
  if (random.chance(0.6)) {
    c.rect(x + 0.08 * w, base - 0.62 * unit, 0.56 * w, 0.5 * unit).fill_down(lighter(kGlass, 0.3), darker(kGlass, 0.2));
    const Rgb awning = jittered(random.pick(kNamedColors).rgb, random);
    const int stripes = 7;
    for (int i = 0; i < stripes; ++i) {
      const double step = 0.62 * w / stripes;
      c.rect(x + 0.05 * w + i * step, base - 0.76 * unit, step, 0.18 * unit)
          .fill(i % 2 == 0 ? mixed(awning, wall, 0.25) : Rgb{236, 232, 222});
    }
  }
  c.rect(x + 0.72 * w, base - 0.7 * unit, std::min(0.2 * w, 0.4 * unit), 0.7 * unit).shade(darker(wall, 0.6), Shading::vertical);
}

void slabs(Canvas& c, double left, double right, double top, double bottom, Rgb color, int rows) {
  c.rect(left, top, right - left, bottom - top).fill_down(darker(color, 0.12), lighter(color, 0.1));
  for (int i = 1; i < rows; ++i) {
    const double part = static_cast<double>(i) / rows;
    c.line({{left, top + part * part * (bottom - top)}, {right, top + part * part * (bottom - top)}});
  }
  const double middle = 0.5 * (left + right);
  for (int i = -9; i <= 9; ++i) {
    const double spread = (right - left) / 14;
    c.line({{middle + i * spread, top}, {middle + i * spread * 1.5, bottom}});
  }
  c.stroke(darker(color, 0.35), 1.2, 0.35);
}

void speckle(Canvas& c, double left, double right, double top, double bottom, Rgb color, int count, double size, double opacity,
             Random& random) {
  for (int i = 0; i < count; ++i) {
    const Point at{random.uniform(left, right), random.uniform(top, bottom)};
    const double rx = size * random.uniform(0.5, 1.6);
    c.oval(at.x, at.y, rx, size * random.uniform(0.3, 0.6));
  }
  c.fill(color, opacity);
}

void street_lamp(Canvas& c, double x, double base, double height, Backdrop& backdrop) {
  c.line({{x, base}, {x, base - height}, {x + 0.16 * height, base - height}});
  c.stroke({66, 70, 76}, 0.022 * height);
  c.round(x + 0.1 * height, base - height, 0.14 * height, 0.045 * height, 0.02 * height).fill({255, 244, 206});
  backdrop.glows.push_back({x + 0.17 * height, base - 0.9 * height, 1.1 * height, kLampLight, 1.5});
  backdrop.glows.push_back({x + 0.17 * height, base, 0.8 * height, kLampLight, 1.0});
}

}  // namespace

Backdrop draw_street(Canvas& c, const Conditions& conditions, Random& random) {
  const Size size(c);
  Backdrop backdrop;
  const double far = size.h * random.uniform(0.40, 0.47);  // where the houses stand
  const double kerb = far + size.h * random.uniform(0.08, 0.1);
  const double near = size.h * random.uniform(0.80, 0.86);  // the kerb on our side
  const double unit = 0.085 * size.side;
  backdrop.horizon_px = far - 0.12 * size.h;
  backdrop.ground_px = far;
  sky(c, size, far, conditions, random);
  const Rgb leaves = jittered({72, 128, 62}, random);
  for (double x = -random.uniform(0, 60); x < size.w;) {
    const double w = random.uniform(1.6, 3.2) * unit;
    if (random.chance(0.18)) {
      tree(c, x + 0.5 * w, far, random.uniform(2.0, 3.2) * unit, leaves, random);
    } else {
      building(c, x, w, far - random.uniform(0.55, 0.95) * far, far, conditions, backdrop, unit, random);
    }
    x += w;
  }
  slabs(c, 0, size.w, far, kerb, {172, 168, 160}, 3);
  const Rgb asphalt = jittered({92, 94, 100}, random);
  c.rect(0, kerb, size.w, near - kerb).fill_down(darker(asphalt, 0.1), lighter(asphalt, 0.08));
  speckle(c, 0, size.w, kerb, near, lighter(asphalt, 0.25), 160, 1.2, 0.4, random);
  speckle(c, 0, size.w, kerb, near, darker(asphalt, 0.4), 120, 1.4, 0.35, random);
  c.rect(0, kerb - 2, size.w, 0.012 * size.h).fill({200, 198, 190});
  const double middle = kerb + 0.44 * (near - kerb);
  const double dash = 0.09 * size.side;
  for (const double x : places_along(-random.uniform(0, dash), size.w, [&] { return 1.9 * dash; })) {
    c.poly(
        {{x, middle}, {x + dash, middle}, {x + 0.96 * dash, middle + 0.014 * size.h}, {x - 0.06 * dash, middle + 0.014 * size.h}});
  }
  c.fill({232, 230, 214}, 0.9);
  if (random.chance(0.4)) {  // a crossing
    const double at = random.uniform(0.1, 0.75) * size.w;
    const int bars = 6;
    for (int i = 0; i < bars; ++i) {
      const double y = kerb + (i + 0.25) * (near - kerb) / bars;
      const double lean = 0.12 * (y - kerb);
      c.poly({{at - lean, y},
              {at + 0.15 * size.side - lean, y},
              {at + 0.15 * size.side - lean - 3, y + 0.45 * (near - kerb) / bars},
              {at - lean - 3, y + 0.45 * (near - kerb) / bars}});
    }
    c.fill({236, 234, 224}, 0.85);
  }
  slabs(c, 0, size.w, near, size.h, {186, 180, 170}, 3);
  c.rect(0, near - 0.008 * size.h, size.w, 0.018 * size.h).fill_down({214, 212, 204}, {150, 148, 142});
  for (const double x :
       places_along(random.uniform(0.05, 0.3) * size.w, size.w, [&] { return random.uniform(0.3, 0.5) * size.side; })) {
    street_lamp(c, x, kerb - 2, 2.3 * unit, backdrop);
  }
  const double road = near - kerb;
  backdrop.zones = {
      {place::kPavement, 0, size.w, far + 0.3 * (kerb - far), kerb - 3, 0.082 * size.side, 0.09 * size.side, 1.2},
      {place::kRoad, 0, size.w, kerb + 0.28 * road, kerb + 0.46 * road, 0.115 * size.side, 0.125 * size.side, 1.3},
      {place::kRoad, 0, size.w, kerb + 0.74 * road, near - 0.03 * road, 0.15 * size.side, 0.16 * size.side, 1.0},
      {place::kPavement, 0, size.w, near + 0.3 * (size.h - near), size.h - 4, 0.165 * size.side, 0.18 * size.side, 0.9},
      {place::kSky, 0, size.w, 0.09 * size.side, 0.5 * far, 0.07 * size.side, 0.09 * size.side, 0.14, Underneath::nothing},
  };
  return backdrop;
}

Backdrop draw_park(Canvas& c, const Conditions& conditions, Random& random) {
  const Size size(c);
  Backdrop backdrop;
  const double horizon = size.h * random.uniform(0.34, 0.42);
  backdrop.horizon_px = horizon;
  backdrop.ground_px = horizon;
  sky(c, size, horizon, conditions, random);
  const Rgb grass = jittered({112, 160, 72}, random);
  const Rgb leaves = jittered(random.chance(0.25) ? Rgb{196, 132, 52} : Rgb{66, 122, 58}, random);
  for (int i = 0; i < 2; ++i) {  // hills
    const double y = horizon - (0.1 - 0.05 * i) * size.h;
    c.blob({{-0.2 * size.w, horizon + 20},
            {random.uniform(0, 0.2) * size.w, y},
            {random.uniform(0.35, 0.5) * size.w, y + 0.06 * size.h},
            {random.uniform(0.65, 0.85) * size.w, y - 0.02 * size.h},
            {1.2 * size.w, horizon + 20}});
    c.shade(mixed(darker(leaves, 0.1), sky_colors(conditions).bottom, 0.5 - 0.2 * i), Shading::vertical);
  }
  c.rect(0, horizon, size.w, size.h - horizon).fill_down(darker(grass, 0.15), lighter(grass, 0.08));
  for (const double x : places_along(-10, size.w + 10, [&] { return random.uniform(0.05, 0.14) * size.side; })) {
    const double base = horizon + random.uniform(0.0, 0.03) * size.h;
    const double height = random.uniform(0.14, 0.3) * size.side;
    const Rgb color = jittered(leaves, random);
    tree(c, x, base, height, color, random);
  }
  // Hedges, some of them in bloom.
  constexpr std::array kBlossom = {Rgb{226, 110, 140}, Rgb{240, 226, 150}, Rgb{226, 226, 236}};
  for (const double x :
       places_along(random.uniform(-0.1, 0.1) * size.w, size.w, [&] { return random.uniform(0.16, 0.34) * size.side; })) {
    const double w = random.uniform(0.05, 0.12) * size.side;
    const double y = horizon + 0.045 * size.h;
    c.blob({{x, y},
            {x + 0.02 * w, y - 0.3 * w},
            {x + 0.3 * w, y - 0.42 * w},
            {x + 0.7 * w, y - 0.36 * w},
            {x + 0.98 * w, y - 0.26 * w},
            {x + w, y}});
    c.shade(darker(leaves, 0.2), Shading::vertical);
    if (random.chance(0.5)) {
      speckle(c, x + 0.1 * w, x + 0.9 * w, y - 0.3 * w, y - 0.04 * w, random.pick(kBlossom), 14, 2.2, 0.95, random);
    }
  }
  // Mown stripes, tufts and flowers.
  for (int i = 0; i < 6; ++i) {
    const double top = horizon + (size.h - horizon) * i * i / 36.0;
    const double bottom = horizon + (size.h - horizon) * (i + 0.5) * (i + 0.5) / 36.0;
    c.rect(0, top + 4, size.w, bottom - top).fill(lighter(grass, 0.25), 0.16);
  }
  speckle(c, 0, size.w, horizon + 8, size.h, darker(grass, 0.3), 220, 1.8, 0.45, random);
  const double bend = random.uniform(0.3, 0.7) * size.w;
  c.blob({{bend - 0.02 * size.w, horizon + 6},
          {bend + 0.03 * size.w, horizon + 6},
          {bend + 0.2 * size.w, 0.68 * size.h},
          {bend + 0.12 * size.w, 1.1 * size.h},
          {bend - 0.22 * size.w, 1.1 * size.h},
          {bend - 0.02 * size.w, 0.68 * size.h}});
  c.shade({206, 186, 148}, Shading::flat);
  constexpr std::array kPetals = {Rgb{240, 220, 90}, Rgb{236, 236, 240}, Rgb{214, 110, 150}};
  speckle(c, 0, size.w, horizon + 0.1 * size.h, size.h, random.pick(kPetals), 60, 1.6, 0.9, random);
  const double unit_top = 0.065 * size.side;
  const double unit_bottom = 0.17 * size.side;
  const double first = horizon + 0.06 * size.h;
  backdrop.zones = {
      {place::kGrass, 0, size.w, first, size.h - 4, unit_top, unit_bottom, 3.4},
      {place::kSky, 0, size.w, 0.1 * size.side, 0.75 * horizon, 0.07 * size.side, 0.1 * size.side, 0.22, Underneath::nothing},
  };
  if (random.chance(0.55)) {
    const double x = random.uniform(0.2, 0.8) * size.w;
    const double y = random.uniform(0.56, 0.7) * size.h;
    const double rx = random.uniform(0.2, 0.34) * size.w;
    const double ry = 0.24 * rx;
    backdrop.pond = Ellipse{x, y, 1.08 * rx, 1.2 * ry};
    c.oval(x, y, 1.06 * rx, 1.14 * ry).fill({150, 138, 104});
    c.oval(x, y, rx, ry).fill_down(mixed(sky_colors(conditions).bottom, {60, 110, 140}, 0.6), {58, 108, 142});
    for (int i = 0; i < 9; ++i) {
      const double wave = random.uniform(0.04, 0.12) * rx;
      const double wx = x + random.uniform(-0.7, 0.7) * rx;
      const double wy = y + random.uniform(-0.6, 0.6) * ry;
      c.line({{wx - wave, wy}, {wx + wave, wy}});
    }
    c.stroke({222, 236, 244}, 1.3, 0.6);
    const double unit = unit_top + (unit_bottom - unit_top) * (y - first) / (size.h - first);
    backdrop.zones.push_back({place::kPond, x - 0.75 * rx, x + 0.75 * rx, y - 0.35 * ry, y + 0.6 * ry, 0.95 * unit, 1.05 * unit,
                              1.0, Underneath::reflection});
  }
  for (const double x :
       places_along(random.uniform(0.05, 0.4) * size.w, size.w, [&] { return random.uniform(0.4, 0.6) * size.side; })) {
    street_lamp(c, x, horizon + 0.12 * size.h, 0.2 * size.side, backdrop);
  }
  return backdrop;
}

Backdrop draw_harbour(Canvas& c, const Conditions& conditions, Random& random) {
  const Size size(c);
  Backdrop backdrop;
  const double horizon = size.h * random.uniform(0.28, 0.38);
  const double quay = size.h * random.uniform(0.76, 0.83);
  backdrop.horizon_px = horizon;
  backdrop.ground_px = quay;
  sky(c, size, horizon, conditions, random);
  const SkyColors colors = sky_colors(conditions);
  // Land far away, with houses or a lighthouse.
  const double land = random.uniform(0.3, 0.7) * size.w;
  const bool is_left = random.chance(0.5);
  const double from = is_left ? -20 : size.w - land;
  const Rgb hill = mixed({92, 120, 92}, colors.bottom, 0.4);
  c.blob({{from, horizon + 4},
          {from + 0.25 * land, horizon - 0.07 * size.h},
          {from + 0.55 * land, horizon - 0.09 * size.h},
          {from + 0.8 * land, horizon - 0.04 * size.h},
          {from + land, horizon + 4}});
  c.shade(hill, Shading::vertical);
  constexpr std::array kHouses = {Rgb{230, 222, 206}, Rgb{206, 130, 104}, Rgb{224, 196, 132}, Rgb{170, 190, 204}};
  for (int i = 0; i < 9; ++i) {
    const double w = random.uniform(0.018, 0.03) * size.side;
    const double x = from + random.uniform(0.15, 0.85) * land;
    const double h = random.uniform(0.7, 1.3) * w;
    c.rect(x, horizon - h, w, h + 1).fill(mixed(random.pick(kHouses), colors.bottom, 0.25));
    c.poly({{x - 2, horizon - h}, {x + 0.5 * w, horizon - h - 0.5 * w}, {x + w + 2, horizon - h}})
        .fill(mixed({150, 84, 66}, colors.bottom, 0.25));
    if (conditions.light != Light::day) {
      c.rect(x + 0.35 * w, horizon - 0.7 * h, 0.3 * w, 0.35 * h).fill({255, 226, 150});
      backdrop.glows.push_back({x + 0.5 * w, horizon - 0.5 * h, 1.6 * w, kLampLight, 1.2});
    }
  }
  if (random.chance(0.5)) {
    const double x = is_left ? from + 0.9 * land : from + 0.1 * land;
    const double top = horizon - 0.17 * size.h;
    c.poly({{x - 5, top}, {x + 5, top}, {x + 8, horizon}, {x - 8, horizon}}).shade({236, 234, 228}, Shading::cylinder);
    c.rect(x - 6, top + 0.06 * size.h, 12, 0.035 * size.h).fill({200, 60, 50});
    c.rect(x - 5, top - 8, 10, 8).fill({255, 240, 180});
    c.poly({{x - 7, top - 8}, {x, top - 15}, {x + 7, top - 8}}).fill({150, 50, 44});
    backdrop.glows.push_back({x, top - 4, 0.12 * size.side, {255, 240, 190}, 2});
  }
  const Rgb water = conditions.light == Light::dusk ? Rgb{112, 104, 134} : Rgb{62, 118, 152};
  c.rect(0, horizon, size.w, quay - horizon + 2)
      .fill_down(mixed(water, colors.bottom, 0.45), darker(jittered(water, random), 0.12));
  for (int i = 0; i < 130; ++i) {  // ripples, longer where they are near
    const double part = random.uniform();
    const double y = horizon + part * part * (quay - horizon);
    const double x = random.uniform(0, size.w);
    const double length = (0.012 + 0.05 * part) * size.side * random.uniform(0.5, 1.2);
    c.curve({x, y}, {x + 0.3 * length, y - 0.1 * length}, {x + 0.7 * length, y + 0.1 * length}, {x + length, y});
    c.stroke(i % 2 == 0 ? lighter(mixed(water, colors.bottom, 0.5), 0.3) : darker(water, 0.4), 0.8 + 1.2 * part, 0.45);
  }
  // A wall of stone and its top.
  const double wall = quay + 0.05 * size.h;
  c.rect(0, quay, size.w, size.h - quay).fill({120, 112, 104});
  slabs(c, 0, size.w, quay, size.h, {178, 168, 152}, 3);
  c.rect(0, quay - 3, size.w, 0.022 * size.h).fill_down({206, 198, 184}, {128, 120, 110});
  for (const double x : places_along(random.uniform(0.05, 0.2) * size.w, size.w,
                                     [&] { return random.uniform(0.25, 0.4) * size.side; })) {  // bollards
    c.round(x - 6, quay - 12, 12, 14, 3).shade({70, 66, 66}, Shading::cylinder);
    c.round(x - 9, quay - 15, 18, 6, 3).shade({84, 80, 80}, Shading::cylinder);
  }
  if (random.chance(0.5)) {
    street_lamp(c, random.uniform(0.1, 0.9) * size.w, quay + 4, 0.3 * size.side, backdrop);
  } else {
    backdrop.glows.push_back({random.uniform(0.2, 0.8) * size.w, size.h, 0.5 * size.side, kLampLight, 1.1});
  }
  backdrop.glows.push_back({random.uniform(0.2, 0.8) * size.w, 0.6 * size.h, 0.35 * size.side, {190, 200, 255}, 0.5});
  const double sea = quay - horizon;
  backdrop.zones = {
      {place::kWater, 0, size.w, horizon + 0.07 * sea, quay - 0.12 * sea, 0.06 * size.side, 0.15 * size.side, 2.0,
       Underneath::reflection},
      {place::kQuay, 0, size.w, wall, size.h - 3, 0.145 * size.side, 0.17 * size.side, 1.4},
      {place::kSky, 0, size.w, 0.1 * size.side, 0.8 * horizon, 0.07 * size.side, 0.09 * size.side, 0.2, Underneath::nothing},
  };
  return backdrop;
}

}  // namespace verilabel::demo
