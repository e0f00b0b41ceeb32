#include "verilabel/workflow/thresholds.h"

#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_keys.h"
#include "verilabel/dataset/lifecycle.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 64 << 20;

/// The number under `key`, null and absent being the same.
std::optional<double> number_from(const json& value, const std::string& key) {
  if (value.is_null()) {
    return std::nullopt;
  }
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    throw Error(ErrorCode::bad_data, "a threshold must be a number, or null for none", {{"field", key}});
  }
  return value.get<double>();
}

bool flag_from(const json& object, const char* name, const std::string& key) {
  const json flag = object.value(name, json(false));
  if (!flag.is_boolean()) {
    throw Error(ErrorCode::bad_data, fmt::format("`{}` must be true or false", name), {{"field", key}});
  }
  return flag.get<bool>();
}

/// Of an object with `threshold`, or of the whole document.
std::optional<double> threshold_from(const json& object, const std::string& key) {
  const auto threshold = number_from(object.value("threshold", json()), key);
  return !threshold && flag_from(object, "unattainable", key) ? std::optional(std::numeric_limits<double>::infinity()) : threshold;
}

Thresholds thresholds_from(const json& document) {
  if (!document.is_object()) {
    throw Error(ErrorCode::bad_data, "a thresholds file is a JSON object with `threshold` and `per_class`");
  }
  if (!document.contains("threshold") && !document.contains("per_class")) {
    throw Error(
        ErrorCode::bad_data,
        "this is no thresholds file: it has neither `threshold` nor `per_class`; `verilabel threshold --output` writes one");
  }
  Thresholds thresholds;
  thresholds.global = threshold_from(document, "threshold");
  const json per_class = document.value("per_class", json::object());
  if (!per_class.is_object()) {
    throw Error(ErrorCode::bad_data, "`per_class` must be an object of class names", {{"field", "per_class"}});
  }
  const json shared = document.value("shared", json::object());
  if (!shared.is_object()) {
    throw Error(ErrorCode::bad_data, "`shared` must be an object with `threshold`", {{"field", "shared"}});
  }
  const std::optional<double> shared_threshold = threshold_from(shared, "shared");
  for (const auto& [name, value] : per_class.items()) {
    const std::string key = fmt::format("per_class.{}", name);
    const bool is_sharing = value.is_object() && flag_from(value, "few_truths", key);
    const auto own = [&] { return value.is_object() ? threshold_from(value, key) : number_from(value, key); };
    if (const auto threshold = is_sharing ? shared_threshold : own()) {
      thresholds.per_class.push_back({name, *threshold});
    }
  }
  return thresholds;
}

}  // namespace

ClassThresholds::ClassThresholds(const Columns& columns, std::optional<double> threshold)
    : threshold_of_class_(columns.classes.size(), threshold) {}

ClassThresholds::ClassThresholds(const Columns& columns, const std::filesystem::path& file) {
  const Thresholds thresholds = read_thresholds(file);
  threshold_of_class_.assign(columns.classes.size(), thresholds.global);
  for (const Thresholds::OfClass& of_class : thresholds.per_class) {
    const auto index = columns.class_index(of_class.class_name);
    if (!index) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("the thresholds name a class '{}' that the project does not have", of_class.class_name),
                  {{"file", file.native()}, {"field", "per_class." + of_class.class_name}});
    }
    threshold_of_class_[static_cast<std::size_t>(*index)] = of_class.threshold;
  }
}

bool ClassThresholds::reaches(const LabelColumns& labels, std::uint32_t row) const {
  const auto& threshold = threshold_of_class_[static_cast<std::size_t>(labels.class_index[row])];
  const double confidence = labels.confidence[row];
  return !threshold || (std::isnan(confidence) ? kScoreWithoutConfidence : confidence) >= *threshold;
}

Thresholds read_thresholds(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxBytes);
  try {
    require_single_json_keys(text);
    return thresholds_from(json::parse(text));
  } catch (const json::parse_error& error) {
    throw Error(ErrorCode::bad_data, "the thresholds file is not JSON",
                {{"file", path.native()}, {"byte", std::to_string(error.byte)}});
  } catch (const json::out_of_range& error) {
    throw Error(ErrorCode::bad_data, "the thresholds file holds a number beyond ±1.8e308, which no double can be",
                {{"file", path.native()}, {"reason", error.what()}});
  } catch (const Error& error) {
    throw error.with("file", path.native());
  }
}

}  // namespace verilabel
