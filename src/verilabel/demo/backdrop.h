#pragma once

#include <optional>
#include <vector>

#include "verilabel/demo/canvas.h"
#include "verilabel/demo/conditions.h"
#include "verilabel/demo/effects.h"
#include "verilabel/demo/kind.h"
#include "verilabel/demo/random.h"

// What is behind the objects, and where they may stand on it. Private to the module.
namespace verilabel::demo {

/// What lies beneath a thing that stands there.
enum class Underneath : std::uint8_t { shadow, reflection, nothing };

/// An area that objects stand in, in pixels. Between `top` and `bottom` things come nearer.
struct Zone {
  Places places;
  double left, right, top, bottom;
  double unit_top, unit_bottom;  ///< of objects that stand there
  double weight;
  Underneath underneath = Underneath::shadow;
};

struct Ellipse {
  double x, y, rx, ry;
};

struct Backdrop {
  std::vector<Zone> zones;
  std::vector<Glow> glows;      ///< lamps and windows, for the dark
  std::optional<Ellipse> pond;  ///< nobody stands in it
  double density = 1;           ///< how many things there are, compared with other scenes
  double horizon_px = 0;        ///< where fog is thickest; outdoors
  double ground_px = 0;         ///< what is below lies in the snow
};

/// Places along a line from `from` on, each `step()` behind the one before, as long as they are below `to`.
template <typename Step>
std::vector<double> places_along(double from, double to, Step step) {
  std::vector<double> places;
  double at = from;
  while (at < to) {
    places.push_back(at);
    at += step();
  }
  return places;
}

/// Draws onto the whole canvas. Its frame must be that of pixels.
Backdrop draw_backdrop(Canvas& c, const Conditions& conditions, Random& random);

// One file each for outdoors and indoors.
Backdrop draw_street(Canvas& c, const Conditions& conditions, Random& random);
Backdrop draw_park(Canvas& c, const Conditions& conditions, Random& random);
Backdrop draw_harbour(Canvas& c, const Conditions& conditions, Random& random);
Backdrop draw_kitchen(Canvas& c, const Conditions& conditions, Random& random);
Backdrop draw_shelf(Canvas& c, const Conditions& conditions, Random& random);

}  // namespace verilabel::demo
