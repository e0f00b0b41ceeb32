#include "verilabel/models/manifest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 64 << 20;
constexpr int kMaxSide = 16384;
constexpr std::string_view kKeys =
    "family, class_names, channel_order, mean, std, input_size, fit, padding, interpolation, nms_iou, max_detections";

[[noreturn]] void refuse(const std::string& key, const std::string& message) {
  throw Error(ErrorCode::bad_data, message, {{"key", key}});
}

std::vector<std::string> names_from(const json& value) {
  if (!value.is_array() || value.empty() || !std::ranges::all_of(value, [](const json& name) { return name.is_string(); })) {
    refuse("class_names", "class_names must be a list of names in the order of the model's classes");
  }
  auto names = value.get<std::vector<std::string>>();
  if (std::ranges::find(names, "") != names.end()) {
    refuse("class_names", "class_names holds an empty name");
  }
  if (std::set<std::string>(names.begin(), names.end()).size() != names.size()) {
    refuse("class_names", "class_names holds a name twice");
  }
  return names;
}

std::array<float, 3> three_numbers(const std::string& key, const json& value) {
  // In float32, as the tensor is computed: 1e300 would be infinite there, and 1e-300 zero.
  const bool is_divisor = key == "std";
  const bool is_good = value.is_array() && value.size() == 3 && std::ranges::all_of(value, [&](const json& number) {
                         return number.is_number() && std::abs(number.get<double>()) <= std::numeric_limits<float>::max() &&
                                (!is_divisor || number.get<float>() > 0);
                       });
  if (!is_good) {
    refuse(key, fmt::format("{} must be three {}numbers, in pixel values from 0 to 255", key, is_divisor ? "positive " : ""));
  }
  return {value[0].get<float>(), value[1].get<float>(), value[2].get<float>()};
}

template <typename T>
T one_of(const std::string& key, const json& value, std::initializer_list<std::pair<const char*, T>> choices) {
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (value.is_string() && value.get<std::string>() == name) {
      return choice;
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  refuse(key, fmt::format("{} must be one of: {}", key, names));
}

void set_key(Manifest& manifest, const std::string& key, const json& value) {
  if (key == "family") {
    manifest.family = one_of<std::string>(key, value, {{"yolox", "yolox"}, {"nanodet", "nanodet"}, {"ultralytics", "ultralytics"}});
  } else if (key == "class_names") {
    manifest.class_names = names_from(value);
  } else if (key == "channel_order") {
    manifest.channel_order = one_of<ChannelOrder>(key, value, {{"rgb", ChannelOrder::rgb}, {"bgr", ChannelOrder::bgr}});
  } else if (key == "mean") {
    manifest.mean = three_numbers(key, value);
  } else if (key == "std") {
    manifest.std = three_numbers(key, value);
  } else if (key == "interpolation") {
    manifest.interpolation = one_of<OpencvInterpolation>(key, value,
                                                         {{"nearest", OpencvInterpolation::nearest},
                                                          {"linear", OpencvInterpolation::linear},
                                                          {"cubic", OpencvInterpolation::cubic},
                                                          {"area", OpencvInterpolation::area}});
  } else if (key == "input_size") {
    const auto is_side = [](const json& side) {
      return side.is_number_integer() && side.get<double>() >= 1 && side.get<double>() <= kMaxSide;
    };
    if (!value.is_array() || value.size() != 2 || !std::ranges::all_of(value, is_side)) {
      refuse(key, fmt::format("input_size must be [height, width], whole numbers from 1 to {}", kMaxSide));
    }
    manifest.input_size = InputSize{value[0].get<int>(), value[1].get<int>()};
  } else if (key == "fit") {
    manifest.fit = one_of<Fit>(
        key, value,
        {{"letterbox_corner", Fit::letterbox_corner}, {"letterbox_centre", Fit::letterbox_centre}, {"stretch", Fit::stretch}});
  } else if (key == "padding") {
    if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() > 255) {
      refuse(key, "padding must be a pixel value, a whole number from 0 to 255");
    }
    manifest.padding = value.get<std::uint8_t>();
  } else if (key == "nms_iou") {
    if (!value.is_number() || !(value.get<double>() >= 0 && value.get<double>() <= 1)) {
      refuse(key, "nms_iou must be a number from 0 to 1");
    }
    manifest.nms_iou = value.get<double>();
  } else if (key == "max_detections") {
    if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > 1'000'000) {
      refuse(key, "max_detections must be a whole number from 1 to 1000000");
    }
    manifest.max_detections = value.get<int>();
  } else {
    refuse(key, fmt::format("a manifest has no key '{}'; it may have: {}", key, kKeys));
  }
}

}  // namespace

Manifest manifest_of(const std::filesystem::path& model, const std::optional<std::filesystem::path>& given) {
  std::filesystem::path path = given ? *given : std::filesystem::path(model).replace_extension(".verilabel.json");
  if (!given && !std::filesystem::exists(path)) {
    return {};
  }
  const std::string text = read_file(path, kMaxBytes);
  try {
    const json document = json::parse(text);
    if (!document.is_object()) {
      throw Error(ErrorCode::bad_data, fmt::format("a manifest is a JSON object with any of: {}", kKeys));
    }
    Manifest manifest;
    manifest.path = path;
    for (const auto& [key, value] : document.items()) {
      set_key(manifest, key, value);
    }
    return manifest;
  } catch (const json::parse_error& error) {
    throw Error(ErrorCode::bad_data, "the manifest is not JSON", {{"file", path.native()}, {"byte", std::to_string(error.byte)}});
  } catch (const json::out_of_range& error) {
    throw Error(ErrorCode::bad_data, "the manifest holds a number beyond ±1.8e308, which no double can be",
                {{"file", path.native()}, {"reason", error.what()}});
  } catch (const Error& error) {
    throw error.with("file", path.native());
  }
}

}  // namespace verilabel
