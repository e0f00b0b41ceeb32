#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/demo/color.h"
#include "verilabel/demo/random.h"

namespace verilabel::demo {

enum class Scene : std::uint8_t { street, park, harbour, kitchen, shelf };
enum class Light : std::uint8_t { day, dusk, night };
enum class Weather : std::uint8_t { clear, rain, fog, snow };
enum class Blur : std::uint8_t { sharp, soft, blurred };  ///< the last one is a planted fault
enum class Noise : std::uint8_t { clean, noisy };
enum class Exposure : std::uint8_t { normal, over, under, dark };  ///< likewise

constexpr bool is_outdoors(Scene scene) {
  return scene <= Scene::harbour;
}

/// What a picture was taken under: the fields of its sample.
struct Conditions {
  Scene scene = Scene::street;
  Light light = Light::day;
  Weather weather = Weather::clear;  ///< means nothing indoors
  Blur blur = Blur::sharp;
  Noise noise = Noise::clean;
  Exposure exposure = Exposure::normal;
  double blur_sigma_px = 0;  ///< of the Gaussian
  double noise_sigma = 0;    ///< in values of 0 to 255
  double exposure_gain = 1;
  int jpeg_quality = 0;  ///< 0: the picture is a PNG

  friend bool operator==(const Conditions&, const Conditions&) = default;
};

/// A condition that can be asked for; its field and how often it comes.
struct ConditionInfo {
  std::string_view field;
  std::string_view name;
  double weight;
  bool is_rare = false;
};

/// All values of a field stand together, in the order of its enumeration.
std::span<const ConditionInfo> condition_table();

/// (field, value) pairs as they are written down; the weather only outdoors.
std::vector<std::pair<std::string_view, std::string_view>> names_of(const Conditions& conditions);

/// "bus", "red bus".
struct ColoredKind {
  std::size_t kind = 0;
  std::optional<ColorName> color;  ///< none: in any
};
/// Nothing for other texts. Throws `wrong_use` for a color that the kind never has.
std::optional<ColoredKind> colored_kind_from(std::string_view text);

/// Which conditions, kinds and colored kinds a world may have. The default is everything.
class Selection {
 public:
  /// `only` and `without` are names of conditions; `without` also takes kinds ("bus") and kinds in a color ("red car"). A field of
  /// which `only` names values has no others, and where weather is named scenes indoors are left out. Throws `wrong_use` for an
  /// unknown name, naming those that exist, and when nothing is left to draw.
  Selection(const std::vector<std::string>& only, const std::vector<std::string>& without);
  Selection() : Selection({}, {}) {}

  bool allows_kind(std::size_t kind) const { return kind_colors_[kind] != 0; }
  /// The colors that objects of a kind may have.
  ColorSet colors_of(std::size_t kind) const { return kind_colors_[kind]; }
  Conditions draw(Random& random, int long_side_px) const;

 private:
  std::uint8_t draw_field(std::string_view field, Random& random) const;
  void leave_out(const std::string& name);

  std::vector<double> weights_;  ///< a row of the table each
  std::vector<ColorSet> kind_colors_;
};

}  // namespace verilabel::demo
