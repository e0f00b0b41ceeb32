#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "verilabel/demo/picture.h"

namespace verilabel::demo {
namespace {

constexpr double kRadPerDegree = std::numbers::pi / 180;
constexpr double kLeastUnitPart = 0.048;  ///< of the image's longer side: smaller things cannot be told apart
constexpr double kLeastUnitPx = 17;
constexpr double kSociable = 0.95;
constexpr int kMostCompanions = 2;

std::vector<std::size_t> set_bits(std::uint32_t bits) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; bits >> i != 0; ++i) {
    if ((bits >> i & 1U) != 0) {
      found.push_back(i);
    }
  }
  return found;
}

/// A color that is seen on the other one.
Rgb contrast(ColorName color, Random& random) {
  constexpr std::array kOnDark = {Rgb{244, 240, 230}, Rgb{250, 224, 130}, Rgb{206, 222, 240}};
  constexpr std::array kOnLight = {Rgb{48, 56, 92}, Rgb{150, 44, 48}, Rgb{40, 92, 70}, Rgb{44, 44, 48}};
  const bool is_light = color == ColorName::white || color == ColorName::yellow;
  return jittered(is_light ? random.pick(kOnLight) : random.pick(kOnDark), random, 0.5);
}

void choose_look(PlacedObject& object, const Kind& kind, ColorSet colors, Random& random) {
  const std::vector<std::size_t> choices = set_bits(colors);
  object.color = static_cast<ColorName>(choices[random.below(choices.size())]);
  Look& look = object.look;
  look.paint.color = jittered(named(object.color).rgb, random);
  look.paint.second = contrast(object.color, random);
  const bool is_plain = (kind.patterns & ~kPlain) == 0 || random.chance(0.6);
  const std::vector<std::size_t> patterns = set_bits(is_plain ? kPlain : kind.patterns & ~kPlain);
  look.paint.pattern = static_cast<Pattern>(patterns[random.below(patterns.size())]);
  look.paint.pitch = random.uniform(0.13, 0.19);
  look.paint.stripe_angle = random.pick(std::array{0.0, 0.5 * std::numbers::pi, 0.7, -0.7});
  look.accent = jittered(random.pick(kNamedColors).rgb, random);
  look.variant = static_cast<int>(random.below(static_cast<std::size_t>(kind.variants)));
  look.pose = kind.poses.empty() ? 0 : static_cast<int>(random.below(kind.poses.size()));
  look.detail = random.next();
  object.is_mirrored = random.chance(0.5) && !kind.has_writing;
  object.turn_rad = kRadPerDegree * kind.max_turn_deg * random.uniform(-1, 1);
}

std::vector<double> weights_in(const Zone& zone, const Selection& selection) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < kinds().size(); ++i) {
    weights.push_back((kinds()[i].places & zone.places) != 0 && selection.allows_kind(i) ? kinds()[i].weight : 0);
  }
  return weights;
}

/// Where in the zone a thing stands that would have its foot in the pond: on the near bank.
double beside_pond(const Ellipse& pond, const Zone& zone, double x, double part) {
  const double dx = (x - pond.x) / pond.rx;
  const double dy = (zone.top + part * (zone.bottom - zone.top) - pond.y) / pond.ry;
  return dx * dx + dy * dy >= 1 ? part : std::clamp((pond.y + pond.ry - zone.top) / (zone.bottom - zone.top), 0.0, 1.0);
}

/// Birds in the air fly, others do not.
void fit_to_place(PlacedObject& object, const Kind& kind, const Zone& zone) {
  if (kind.name == "bird") {
    object.look.pose = (zone.places & place::kSky) != 0 ? 1 : 0;
  }
}

}  // namespace

std::vector<PlacedObject> place_objects(const Backdrop& backdrop, int width_px, int height_px, const Selection& selection,
                                        Random& random) {
  std::vector<double> zone_weights;
  std::vector<std::vector<double>> kind_weights;
  for (const Zone& zone : backdrop.zones) {
    kind_weights.push_back(weights_in(zone, selection));
    const bool has_any = std::ranges::any_of(kind_weights.back(), [](double weight) { return weight > 0; });
    zone_weights.push_back(has_any ? zone.weight : 0);
  }
  std::vector<PlacedObject> objects;
  if (std::ranges::all_of(zone_weights, [](double weight) { return weight == 0; })) {
    return objects;
  }
  const double side = std::max(width_px, height_px);
  const double squareness = static_cast<double>(std::min(width_px, height_px)) / side;
  const int count = static_cast<int>(std::lround(random.integer(9, 20) * (0.45 + 0.75 * squareness) * backdrop.density));
  std::vector<std::size_t> zones_of;
  std::vector<int> companions;
  for (int i = 0; i < count; ++i) {
    const std::size_t zone_index = random.weighted(zone_weights);
    const Zone& zone = backdrop.zones[zone_index];
    PlacedObject object;
    object.kind = random.weighted(kind_weights[zone_index]);
    const Kind& kind = kinds()[object.kind];
    choose_look(object, kind, selection.colors_of(object.kind), random);
    fit_to_place(object, kind, zone);
    double part = random.uniform();
    double x = random.uniform(zone.left, zone.right);
    // Most stand close to another one, partly before it or behind it, but no more than two by each, which would make heaps.
    const std::size_t other = objects.empty() ? 0 : random.below(objects.size());
    const double distance = random.uniform(0.3, 0.72);
    const double offset = random.chance(0.5) ? distance : -distance;
    const double step = random.uniform(-0.09, 0.09);
    const bool is_sociable = random.chance(kSociable);
    if (is_sociable && !objects.empty() && zones_of[other] == zone_index && companions[other] < kMostCompanions) {
      ++companions[other];
      x = std::clamp(objects[other].base_px.x + offset * objects[other].unit_px, zone.left, zone.right);
      const double height = std::max(1.0, zone.bottom - zone.top);
      part = std::clamp((objects[other].base_px.y - zone.top) / height + step, 0.0, 1.0);
    }
    if (backdrop.pond && (zone.places & place::kGrass) != 0) {
      part = beside_pond(*backdrop.pond, zone, x, part);
    }
    const double unit = (zone.unit_top + (zone.unit_bottom - zone.unit_top) * part) * kind.size * random.uniform(0.86, 1.16);
    object.unit_px = std::max({unit, kLeastUnitPart * side, kLeastUnitPx});
    object.base_px = {x, zone.top + part * (zone.bottom - zone.top)};
    object.nearness =
        std::clamp((object.base_px.y - backdrop.horizon_px) / std::max(1.0, height_px - backdrop.horizon_px), 0.0, 1.0);
    object.underneath = zone.underneath;
    objects.push_back(object);
    zones_of.push_back(zone_index);
    companions.push_back(0);
  }
  // Nearer things are painted later; what flies comes first.
  std::ranges::stable_sort(objects, {}, [](const PlacedObject& object) {
    return object.underneath == Underneath::nothing ? object.base_px.y - 1e6 : object.base_px.y;
  });
  return objects;
}

}  // namespace verilabel::demo
