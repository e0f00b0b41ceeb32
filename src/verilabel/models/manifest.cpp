#include "verilabel/models/manifest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_keys.h"
#include "verilabel/base/utf8.h"
#include "verilabel/models/family.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 64 << 20;
constexpr int kMaxSide = 16384;
constexpr std::string_view kNoClass = "N/A";
constexpr std::string_view kNamesFile = "class_names_file";
constexpr std::string_view kKeys =
    "family, class_names, class_names_file, channel_order, mean, std, input_size, fit, padding, interpolation, nms_iou, "
    "max_detections, task, resize, filter, crop, scale, activation, logit_scale, logit_bias";

[[noreturn]] void refuse(const std::string& key, const std::string& message) {
  throw Error(ErrorCode::bad_data, message, {{"key", key}});
}

std::vector<std::string> names_from(const json& value) {
  if (value == "coco") {
    return coco_class_names();
  }
  if (!value.is_array() || value.empty() || !std::ranges::all_of(value, [](const json& name) { return name.is_string(); })) {
    refuse("class_names", "class_names must be a list of names in the order of the model's classes");
  }
  auto names = value.get<std::vector<std::string>>();
  if (const auto empty = std::ranges::find(names, ""); empty != names.end()) {
    refuse("class_names", fmt::format("class_names[{}] is an empty name", empty - names.begin()));
  }
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (name != kNoClass && !seen.insert(name).second) {
      refuse("class_names", fmt::format("class_names holds the name '{}' twice", name));
    }
  }
  return names;
}

/// One name a line; only the last line may be empty.
std::vector<std::string> names_in(const std::filesystem::path& file) {
  const std::string text = read_file(file, kMaxBytes);
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string name = text.substr(begin, end - begin);
    if (name.ends_with('\r')) {
      name.pop_back();
    }
    if (name.empty() || !is_utf8(name)) {
      throw Error(ErrorCode::bad_data,
                  name.empty() ? "the file of class names has an empty line" : "the file of class names is not UTF-8",
                  {{"file", file.native()}, {"line", std::to_string(names.size() + 1)}});
    }
    names.push_back(std::move(name));
    begin = end + 1;
  }
  if (names.empty()) {
    throw Error(ErrorCode::bad_data, "the file of class names is empty", {{"file", file.native()}});
  }
  return names;
}

bool is_side(const json& side) {
  return side.is_number_integer() && side.get<double>() >= 1 && side.get<double>() <= kMaxSide;
}

InputSize size_from(const std::string& key, const json& value) {
  if (!value.is_array() || value.size() != 2 || !std::ranges::all_of(value, is_side)) {
    refuse(key, fmt::format("{} must be [height, width], whole numbers from 1 to {}", key, kMaxSide));
  }
  return {value[0].get<int>(), value[1].get<int>()};
}

ResizeRule resize_from(const json& value) {
  if (value.is_object() && value.size() == 1 && value.contains("shortest_edge") && is_side(value["shortest_edge"])) {
    return {value["shortest_edge"].get<int>(), {}};
  }
  if (value.is_object() && value.size() == 2 && value.contains("height") && value.contains("width") && is_side(value["height"]) &&
      is_side(value["width"])) {
    return {0, {value["height"].get<int>(), value["width"].get<int>()}};
  }
  refuse("resize", R"(resize must be {"shortest_edge": pixels} or {"height": pixels, "width": pixels})");
}

// In float32, as the tensor is computed: 1e300 would be infinite there, and 1e-300 zero.
constexpr double kGreatest = std::numeric_limits<float>::max();

std::array<double, 3> three_numbers(const std::string& key, const json& value) {
  const bool is_divisor = key == "std";
  const bool is_good =
      value.is_array() && value.size() == 3 && std::ranges::all_of(value, [&](const json& number) {
        return number.is_number() && std::abs(number.get<double>()) <= kGreatest && (!is_divisor || number.get<float>() > 0);
      });
  if (!is_good) {
    refuse(key, fmt::format("{} must be three {}numbers, in pixel values from 0 to 255", key, is_divisor ? "positive " : ""));
  }
  return value.get<std::array<double, 3>>();
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

std::string family_from(const json& value) {
  std::string names;
  for (const ModelFamily& family : model_families()) {
    if (value == family.name) {
      return std::string(family.name);
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", family.name);
  }
  refuse("family", fmt::format("family must be one of: {}", names));
}

void set_key(Manifest& manifest, const std::string& key, const json& value) {
  if (key == "family") {
    manifest.family = family_from(value);
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
    manifest.input_size = size_from(key, value);
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
  } else if (key == "task") {
    manifest.is_classification = one_of<bool>(key, value, {{"classification", true}, {"detection", false}});
  } else if (key == "resize") {
    manifest.resize = resize_from(value);
  } else if (key == "filter") {
    manifest.filter = one_of<PillowFilter>(key, value,
                                           {{"nearest", PillowFilter::nearest},
                                            {"box", PillowFilter::box},
                                            {"bilinear", PillowFilter::bilinear},
                                            {"hamming", PillowFilter::hamming},
                                            {"bicubic", PillowFilter::bicubic},
                                            {"lanczos", PillowFilter::lanczos}});
  } else if (key == "crop") {
    manifest.crop = size_from(key, value);
  } else if (key == "scale") {
    if (!value.is_number() || value.get<double>() > kGreatest || value.get<float>() <= 0) {
      refuse(key, "scale must be a positive number");
    }
    manifest.scale = value.get<double>();
  } else if (key == "logit_scale") {
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() <= 0) {
      refuse(key, "logit_scale must be a positive number");
    }
    manifest.logit_scale = value.get<double>();
  } else if (key == "logit_bias") {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      refuse(key, "logit_bias must be a number");
    }
    manifest.logit_bias = value.get<double>();
  } else if (key == "activation") {
    manifest.activation = one_of<Activation>(
        key, value, {{"softmax", Activation::softmax}, {"sigmoid", Activation::sigmoid}, {"none", Activation::none}});
  } else {
    refuse(key, fmt::format("a manifest has no key '{}'; it may have: {}", key, kKeys));
  }
}

}  // namespace

bool Manifest::has(std::string_view key) const {
  return std::ranges::find(keys, key) != keys.end();
}

Manifest manifest_of(const std::filesystem::path& model, const std::optional<std::filesystem::path>& given) {
  std::filesystem::path path = given ? *given : std::filesystem::path(model).replace_extension(".verilabel.json");
  if (!given && !std::filesystem::exists(path)) {
    return {};
  }
  const std::string text = read_file(path, kMaxBytes);
  try {
    require_single_json_keys(text);
    const json document = json::parse(text);
    if (!document.is_object()) {
      throw Error(ErrorCode::bad_data, fmt::format("a manifest is a JSON object with any of: {}", kKeys));
    }
    Manifest manifest;
    manifest.path = path;
    for (const auto& [key, value] : document.items()) {
      manifest.keys.push_back(key);
      if (key != kNamesFile) {
        set_key(manifest, key, value);
      }
    }
    if (manifest.has(kNamesFile)) {
      if (manifest.class_names) {
        refuse(std::string(kNamesFile), "class_names and class_names_file are both given; one of them is to be left out");
      }
      const json& file = document.at(std::string(kNamesFile));
      if (!file.is_string()) {
        refuse(std::string(kNamesFile), "class_names_file must be the name of a file");
      }
      manifest.class_names = names_in(path.parent_path() / file.get<std::string>());
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
