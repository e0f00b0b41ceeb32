#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "verilabel/demo/canvas.h"

// What there is to draw. Private to the module.
namespace verilabel::demo {

/// Where things stand, one bit each.
using Places = std::uint16_t;
namespace place {
inline constexpr Places kRoad = 1U << 0U;
inline constexpr Places kPavement = 1U << 1U;  ///< of streets and quays
inline constexpr Places kGrass = 1U << 2U;
inline constexpr Places kWater = 1U << 3U;
inline constexpr Places kPond = 1U << 4U;
inline constexpr Places kSky = 1U << 5U;
inline constexpr Places kQuay = 1U << 6U;
inline constexpr Places kWorktop = 1U << 7U;  ///< of the kitchen
inline constexpr Places kBoard = 1U << 8U;    ///< of the shelf
}  // namespace place

using Patterns = std::uint8_t;
inline constexpr Patterns kPlain = 1;
inline constexpr Patterns kStriped = 2;
inline constexpr Patterns kSpotted = 4;
inline constexpr Patterns kAnyPattern = kPlain | kStriped | kSpotted;

/// How one object looks.
struct Look {
  Paint paint;
  Rgb accent;       ///< of a part that has another color
  int variant = 0;  ///< below the kind's `variants`
  int pose = 0;     ///< index into the kind's `poses`
  std::uint64_t detail = 0;
};

/// A kind of object. `draw` works in a frame whose unit is about the longer side: x from -0.5 to 0.5, y from -1 to 0, which is
/// where the object stands.
struct Kind {
  std::string_view name;
  void (*draw)(Canvas& canvas, const Look& look);
  Places places;
  double size;  ///< of the unit, relative to that of a car
  ColorSet colors;
  Patterns patterns = kPlain;
  int variants = 1;
  std::span<const std::string_view> poses = {};  ///< empty: it has none to speak of
  double max_turn_deg = 0;
  double weight = 1;
  std::string_view look_alike = {};
  bool has_writing = false;  ///< that can be read in one direction only
};

/// All of them; the place in this list, counted from 1, is the number of the class.
std::span<const Kind> kinds();
/// The place in `kinds()`.
std::optional<std::size_t> find_kind(std::string_view name);

/// The kind that a world has few of.
inline constexpr std::string_view kRareKind = "kite";

// One file a theme; the table is in kind.cpp.
void draw_car(Canvas& c, const Look& look);
void draw_van(Canvas& c, const Look& look);
void draw_bus(Canvas& c, const Look& look);
void draw_truck(Canvas& c, const Look& look);
void draw_bicycle(Canvas& c, const Look& look);
void draw_scooter(Canvas& c, const Look& look);

void draw_person(Canvas& c, const Look& look);
void draw_dog(Canvas& c, const Look& look);
void draw_cat(Canvas& c, const Look& look);
void draw_duck(Canvas& c, const Look& look);
void draw_bird(Canvas& c, const Look& look);

void draw_traffic_light(Canvas& c, const Look& look);
void draw_stop_sign(Canvas& c, const Look& look);
void draw_hydrant(Canvas& c, const Look& look);
void draw_bench(Canvas& c, const Look& look);
void draw_bin(Canvas& c, const Look& look);
void draw_mailbox(Canvas& c, const Look& look);
void draw_umbrella(Canvas& c, const Look& look);

void draw_boat(Canvas& c, const Look& look);
void draw_sailboat(Canvas& c, const Look& look);
void draw_buoy(Canvas& c, const Look& look);
void draw_barrel(Canvas& c, const Look& look);
void draw_crate(Canvas& c, const Look& look);

void draw_mug(Canvas& c, const Look& look);
void draw_cup(Canvas& c, const Look& look);
void draw_bowl(Canvas& c, const Look& look);
void draw_kettle(Canvas& c, const Look& look);
void draw_bottle(Canvas& c, const Look& look);
void draw_apple(Canvas& c, const Look& look);
void draw_tomato(Canvas& c, const Look& look);
void draw_banana(Canvas& c, const Look& look);
void draw_lemon(Canvas& c, const Look& look);

void draw_vase(Canvas& c, const Look& look);
void draw_book(Canvas& c, const Look& look);
void draw_clock(Canvas& c, const Look& look);
void draw_teddy_bear(Canvas& c, const Look& look);
void draw_lamp(Canvas& c, const Look& look);
void draw_plant(Canvas& c, const Look& look);
void draw_ball(Canvas& c, const Look& look);
void draw_kite(Canvas& c, const Look& look);

}  // namespace verilabel::demo
