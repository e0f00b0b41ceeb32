#include "verilabel/demo/conditions.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/demo/kind.h"

namespace verilabel::demo {
namespace {

constexpr std::array kConditions = {
    ConditionInfo{"scene", "street", 1},         ConditionInfo{"scene", "park", 1},
    ConditionInfo{"scene", "harbour", 1},        ConditionInfo{"scene", "kitchen", 1},
    ConditionInfo{"scene", "shelf", 1},          ConditionInfo{"light", "day", 0.5},
    ConditionInfo{"light", "dusk", 0.25},        ConditionInfo{"light", "night", 0.25},
    ConditionInfo{"weather", "clear", 0.7},      ConditionInfo{"weather", "rain", 0.22},
    ConditionInfo{"weather", "fog", 0.04, true}, ConditionInfo{"weather", "snow", 0.04, true},
    ConditionInfo{"blur", "sharp", 0.78},        ConditionInfo{"blur", "soft", 0.22},
    ConditionInfo{"noise", "clean", 0.7},        ConditionInfo{"noise", "noisy", 0.3},
    ConditionInfo{"exposure", "normal", 0.76},   ConditionInfo{"exposure", "over", 0.12},
    ConditionInfo{"exposure", "under", 0.12},
};

constexpr double kPngShare = 0.1;

std::size_t first_of(std::string_view field) {
  return static_cast<std::size_t>(std::ranges::find(kConditions, field, &ConditionInfo::field) - kConditions.begin());
}

template <typename Value>
std::string_view name_in(std::string_view field, Value value) {
  return kConditions.at(first_of(field) + static_cast<std::size_t>(value)).name;
}

std::string names_that_exist() {
  std::vector<std::string_view> names;
  for (const ConditionInfo& condition : kConditions) {
    names.push_back(condition.name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::span<const ConditionInfo> condition_table() {
  return kConditions;
}

std::vector<std::pair<std::string_view, std::string_view>> names_of(const Conditions& conditions) {
  // The two planted faults are in no table, because nobody can ask for them by name.
  const auto name_of_blur = conditions.blur == Blur::blurred ? "blurred" : name_in("blur", conditions.blur);
  const auto name_of_exposure = conditions.exposure == Exposure::dark ? "dark" : name_in("exposure", conditions.exposure);
  std::vector<std::pair<std::string_view, std::string_view>> names = {{"scene", name_in("scene", conditions.scene)},
                                                                      {"light", name_in("light", conditions.light)}};
  if (is_outdoors(conditions.scene)) {
    names.emplace_back("weather", name_in("weather", conditions.weather));
  }
  names.emplace_back("blur", name_of_blur);
  names.emplace_back("noise", name_in("noise", conditions.noise));
  names.emplace_back("exposure", name_of_exposure);
  return names;
}

std::optional<ColoredKind> colored_kind_from(std::string_view text) {
  if (const auto kind = find_kind(text)) {
    return ColoredKind{*kind, std::nullopt};
  }
  const std::size_t space = text.find(' ');
  const auto color = std::ranges::find(kNamedColors, text.substr(0, space), &NamedColor::name);
  const auto kind = space == std::string_view::npos ? std::nullopt : find_kind(text.substr(space + 1));
  if (color == kNamedColors.end() || !kind) {
    return std::nullopt;
  }
  if ((kinds()[*kind].colors & demo::only(color->color)) == 0) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("a {} is never {}, so there is no \"{}\"", kinds()[*kind].name, color->name, text));
  }
  return ColoredKind{*kind, color->color};
}

Selection::Selection(const std::vector<std::string>& only, const std::vector<std::string>& without) {
  for (const ConditionInfo& condition : kConditions) {
    weights_.push_back(condition.weight);
  }
  for (const Kind& kind : kinds()) {
    kind_colors_.push_back(kind.colors);
  }
  std::vector<bool> is_named(kConditions.size());
  std::vector<std::string_view> fields;
  for (const std::string& name : only) {
    const auto found = std::ranges::find(kConditions, name, &ConditionInfo::name);
    if (found == kConditions.end()) {
      throw Error(ErrorCode::wrong_use, fmt::format("there is no condition \"{}\"; there are {}", name, names_that_exist()));
    }
    is_named[static_cast<std::size_t>(found - kConditions.begin())] = true;
    fields.push_back(found->field);
  }
  for (std::size_t i = 0; i < kConditions.size(); ++i) {
    if (std::ranges::find(fields, kConditions[i].field) != fields.end() && !is_named[i]) {
      weights_[i] = 0;
    }
  }
  if (std::ranges::find(fields, "weather") != fields.end()) {
    weights_[first_of("scene") + static_cast<std::size_t>(Scene::kitchen)] = 0;
    weights_[first_of("scene") + static_cast<std::size_t>(Scene::shelf)] = 0;
  }
  for (const std::string& name : without) {
    leave_out(name);
  }
  for (const ConditionInfo& condition : kConditions) {
    double left = 0;
    for (std::size_t i = 0; i < kConditions.size(); ++i) {
      left += kConditions[i].field == condition.field ? weights_[i] : 0;
    }
    if (left == 0) {
      throw Error(ErrorCode::wrong_use, fmt::format("the conditions asked for leave no {} to draw", condition.field));
    }
  }
}

void Selection::leave_out(const std::string& name) {
  if (const auto found = std::ranges::find(kConditions, name, &ConditionInfo::name); found != kConditions.end()) {
    weights_[static_cast<std::size_t>(found - kConditions.begin())] = 0;
    return;
  }
  const std::optional<ColoredKind> named = colored_kind_from(name);
  if (!named) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("\"{}\" is no condition ({}), no kind of object, and no kind in a color, as \"red car\" is", name,
                            names_that_exist()));
  }
  kind_colors_[named->kind] &= named->color ? static_cast<ColorSet>(~demo::only(*named->color)) : ColorSet{0};
}

std::uint8_t Selection::draw_field(std::string_view field, Random& random) const {
  const std::size_t first = first_of(field);
  const auto count = static_cast<std::size_t>(std::ranges::count(kConditions, field, &ConditionInfo::field));
  return static_cast<std::uint8_t>(random.weighted(std::span(weights_).subspan(first, count)));
}

Conditions Selection::draw(Random& random, int long_side_px) const {
  Conditions drawn;
  drawn.scene = static_cast<Scene>(draw_field("scene", random));
  drawn.light = static_cast<Light>(draw_field("light", random));
  const auto weather = static_cast<Weather>(draw_field("weather", random));
  drawn.weather = is_outdoors(drawn.scene) ? weather : Weather::clear;
  drawn.blur = static_cast<Blur>(draw_field("blur", random));
  drawn.noise = static_cast<Noise>(draw_field("noise", random));
  drawn.exposure = static_cast<Exposure>(draw_field("exposure", random));
  const double blur_part = random.uniform(0.0012, 0.0022);
  drawn.blur_sigma_px = drawn.blur == Blur::soft ? blur_part * long_side_px : 0;
  const double noise_sigma = random.uniform(4, 13);
  drawn.noise_sigma = drawn.noise == Noise::noisy ? noise_sigma : 0;
  const double over = random.uniform(1.25, 1.6);
  const double under = random.uniform(0.45, 0.65);
  drawn.exposure_gain = drawn.exposure == Exposure::over ? over : drawn.exposure == Exposure::under ? under : 1;
  const bool is_png = random.chance(kPngShare);
  const int quality = random.integer(40, 95);
  drawn.jpeg_quality = is_png ? 0 : quality;
  return drawn;
}

}  // namespace verilabel::demo
