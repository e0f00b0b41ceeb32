#include "verilabel/demo/kind.h"

#include <algorithm>
#include <array>

namespace verilabel::demo {
namespace {

using enum ColorName;

constexpr std::string_view kSideFrontBack[] = {"side", "front", "back"};
constexpr std::string_view kPersonPoses[] = {"standing", "walking", "waving"};
constexpr std::string_view kDogPoses[] = {"standing", "sitting", "running"};
constexpr std::string_view kCatPoses[] = {"sitting", "walking"};
constexpr std::string_view kBirdPoses[] = {"standing", "flying"};
constexpr std::string_view kLampColors[] = {"red light", "amber light", "green light"};
constexpr std::string_view kClosedOpen[] = {"closed", "open"};
constexpr std::string_view kOpenClosed[] = {"open", "closed"};
constexpr std::string_view kStandingLying[] = {"standing", "lying"};
constexpr std::string_view kFullEmpty[] = {"full", "empty"};
constexpr std::string_view kEmptyFull[] = {"empty", "full"};
constexpr std::string_view kBookPoses[] = {"standing", "lying", "open"};
constexpr std::string_view kBearPoses[] = {"sitting", "waving"};
constexpr std::string_view kUnlitLit[] = {"unlit", "lit"};

constexpr Places kOutdoors = place::kPavement | place::kGrass | place::kQuay;
constexpr Places kGround = place::kPavement | place::kGrass;
constexpr Places kIndoors = place::kWorktop | place::kBoard;
constexpr ColorSet kCoats = only(brown, white, black, orange);
constexpr ColorSet kNotWhite = kAnyColor & static_cast<ColorSet>(~only(white));

constexpr std::array kKinds = {
    Kind{"car", draw_car, place::kRoad, 1.0, kAnyColor, kPlain, 3, kSideFrontBack, 0, 1.6, "van"},
    Kind{"van", draw_van, place::kRoad, 1.1, kAnyColor, kPlain, 2, {}, 0, 0.9, "bus"},
    Kind{"bus", draw_bus, place::kRoad, 1.5, kAnyColor, kPlain, 2, {}, 0, 0.8, "van"},
    Kind{"truck", draw_truck, place::kRoad, 1.35, kAnyColor, kPlain, 3, {}, 0, 0.8, "van"},
    Kind{"bicycle", draw_bicycle, place::kRoad | kOutdoors, 0.8, kAnyColor, kPlain, 2, {}, 3, 0.9, "scooter"},
    Kind{"scooter", draw_scooter, place::kRoad | place::kPavement, 0.75, kAnyColor, kPlain, 2, {}, 3, 0.8, "bicycle"},
    Kind{"traffic light", draw_traffic_light, place::kPavement, 0.95, only(black), kPlain, 1, kLampColors, 0, 1.1},
    Kind{"stop sign", draw_stop_sign, place::kPavement, 0.8, only(red), kPlain, 1, {}, 3, 1.1, {}, true},
    Kind{"hydrant", draw_hydrant, place::kPavement, 0.55, only(red, yellow, blue, orange), kPlain, 1, {}, 0, 1.1},
    Kind{"mailbox", draw_mailbox, kGround, 0.7, only(red, blue, green, yellow, white, black), kPlain, 2, {}, 0, 0.6, "bin"},
    Kind{"bin", draw_bin, kOutdoors, 0.65, only(green, blue, black, brown, red, yellow), kPlain, 2, kClosedOpen, 2, 0.8, "mailbox"},
    Kind{"bench", draw_bench, kOutdoors, 0.9, only(brown, green, red, blue, white, black), kPlain, 2, {}, 0, 0.9},
    Kind{"person", draw_person, kOutdoors, 0.9, kAnyColor, kAnyPattern, 3, kPersonPoses, 2, 1.6},
    Kind{"dog", draw_dog, kOutdoors, 0.62, kCoats, kPlain | kSpotted, 2, kDogPoses, 3, 0.9, "cat"},
    Kind{"cat", draw_cat, kOutdoors, 0.52, kCoats, kPlain | kStriped, 1, kCatPoses, 3, 0.7, "dog"},
    Kind{"duck",
         draw_duck,
         place::kPond | place::kWater | place::kGrass,
         0.5,
         only(white, brown, yellow),
         kPlain,
         2,
         {},
         3,
         0.9,
         "bird"},
    Kind{"bird", draw_bird, place::kSky | kOutdoors, 0.5, only(white, black, brown, blue, red, yellow), kPlain, 1, kBirdPoses, 6,
         0.4, "duck"},
    Kind{"umbrella", draw_umbrella, kOutdoors, 0.85, kAnyColor, kAnyPattern, 2, kOpenClosed, 8, 0.7},
    Kind{"boat", draw_boat, place::kWater, 1.2, kAnyColor, kPlain, 3, {}, 3, 1.5, "sailboat"},
    Kind{"sailboat", draw_sailboat, place::kWater | place::kPond, 1.2, kAnyColor, kPlain | kStriped, 2, {}, 4, 1.2, "boat"},
    Kind{"buoy", draw_buoy, place::kWater, 0.62, only(red, orange, yellow, green), kPlain | kStriped, 2, {}, 8, 1.0},
    Kind{"barrel", draw_barrel, place::kQuay, 0.65, only(brown, blue, red, green, yellow), kPlain, 2, kStandingLying, 0, 1.8},
    Kind{"crate", draw_crate, place::kQuay, 0.65, only(brown, orange, blue, green, red), kPlain, 2, {}, 2, 1.8},
    Kind{"mug", draw_mug, kIndoors, 0.72, kAnyColor, kAnyPattern, 2, kFullEmpty, 0, 1.2, "cup"},
    Kind{"cup", draw_cup, kIndoors, 0.85, kAnyColor, kAnyPattern, 2, kFullEmpty, 0, 1.2, "mug"},
    Kind{"bowl", draw_bowl, kIndoors, 0.95, kAnyColor, kAnyPattern, 2, kEmptyFull, 0, 1.0, "cup"},
    Kind{"kettle", draw_kettle, place::kWorktop, 1.0, kAnyColor, kPlain, 2, {}, 0, 0.9},
    Kind{"bottle", draw_bottle, kIndoors, 1.1, kAnyColor, kPlain, 3, {}, 0, 1.1, "vase"},
    Kind{"apple", draw_apple, place::kWorktop, 0.55, only(red, green, yellow), kPlain, 2, {}, 14, 1.5, "tomato"},
    Kind{"tomato", draw_tomato, place::kWorktop, 0.55, only(red, orange, yellow, green), kPlain, 2, {}, 10, 1.5, "apple"},
    Kind{"lemon", draw_lemon, place::kWorktop, 0.55, only(yellow, green), kPlain, 2, {}, 10, 1.4},
    Kind{"banana", draw_banana, place::kWorktop, 0.75, only(yellow, green, brown), kPlain, 2, {}, 6, 1.5},
    Kind{"vase", draw_vase, kIndoors, 1.05, kAnyColor, kAnyPattern, 3, kEmptyFull, 0, 1.0, "bottle"},
    Kind{"book", draw_book, place::kBoard, 0.95, kAnyColor, kPlain | kStriped, 2, kBookPoses, 0, 2.0},
    Kind{"clock", draw_clock, kIndoors, 0.75, kAnyColor, kPlain, 3, {}, 0, 0.8},
    Kind{"teddy bear", draw_teddy_bear, place::kBoard, 0.95, only(brown, white, black, yellow, blue), kPlain, 2, kBearPoses, 3,
         0.9},
    Kind{"lamp", draw_lamp, place::kBoard, 1.1, kAnyColor, kPlain | kStriped, 2, kUnlitLit, 0, 0.8},
    Kind{"plant", draw_plant, kIndoors, 1.1, kNotWhite, kPlain | kStriped, 3, {}, 0, 0.9, "vase"},
    Kind{"ball", draw_ball, place::kGrass | place::kPavement | place::kBoard, 0.45, kAnyColor, kAnyPattern, 3, {}, 40, 0.9},
    Kind{kRareKind, draw_kite, place::kSky, 0.8, kAnyColor, kPlain | kStriped, 2, {}, 30, 0.05},
};

}  // namespace

std::span<const Kind> kinds() {
  return kKinds;
}

std::optional<std::size_t> find_kind(std::string_view name) {
  const auto found = std::ranges::find(kKinds, name, &Kind::name);
  return found == kKinds.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - kKinds.begin()));
}

}  // namespace verilabel::demo
