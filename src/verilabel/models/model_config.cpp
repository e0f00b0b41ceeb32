#include "verilabel/models/model_config.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 64 << 20;
constexpr std::size_t kMaxClasses = 1'000'000;
constexpr double kMaxCount = 1 << 24;

[[noreturn]] void refuse(const std::string& key, const std::string& message) {
  throw Error(ErrorCode::bad_data, message, {{"key", key}});
}

std::string text_at(const json& document, const char* key) {
  const json value = document.value(key, json());
  if (!value.is_null() && !value.is_string()) {
    refuse(key, fmt::format("{} must be a string", key));
  }
  return value.is_null() ? std::string() : value.get<std::string>();
}

/// A number of things; 0 when it is not there or makes no sense.
int count_at(const json& document, const char* key) {
  const json value = document.is_object() ? document.value(key, json()) : json();
  return value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() <= kMaxCount ? value.get<int>() : 0;
}

/// `id2label`: numbers as strings, in any order. Numbers without a name may be left out or be called N/A.
std::vector<std::string> names_by_number(const json& value) {
  if (!value.is_object() || value.empty()) {
    refuse("id2label", "id2label must give each number of a class its name");
  }
  std::map<std::size_t, std::string> names;
  for (const auto& [key, name] : value.items()) {
    std::size_t number = 0;
    const auto [end, failure] = std::from_chars(key.data(), key.data() + key.size(), number);
    if (failure != std::errc{} || end != key.data() + key.size() || number >= kMaxClasses) {
      refuse("id2label", fmt::format("id2label has the key '{}', which is no number of a class", key));
    }
    if (!name.is_string()) {
      refuse("id2label", fmt::format("id2label gives {} no string as its name", key));
    }
    if (!names.emplace(number, name == "N/A" ? std::string() : name.get<std::string>()).second) {
      refuse("id2label", fmt::format("id2label has the number {} twice", number));
    }
  }
  std::vector<std::string> in_order(names.rbegin()->first + 1);
  for (auto& [number, name] : names) {
    in_order[number] = std::move(name);
  }
  return in_order;
}

/// timm names classes by `label_names`, each perhaps described in other words.
std::vector<std::string> names_of_timm(const json& document) {
  const json& names = document.at("label_names");
  if (!names.is_array() || !std::ranges::all_of(names, [](const json& name) { return name.is_string(); })) {
    refuse("label_names", "label_names must be a list of names");
  }
  const json descriptions = document.value("label_descriptions", json());
  std::vector<std::string> in_order;
  for (const json& name : names) {
    const json described = descriptions.is_object() ? descriptions.value(name.get<std::string>(), json()) : json();
    in_order.push_back(described.is_string() ? described.get<std::string>() : name.get<std::string>());
  }
  return in_order;
}

}  // namespace

ModelConfig read_model_config(const std::filesystem::path& file) {
  const std::string text = read_file(file, kMaxBytes);
  try {
    const json document = json::parse(text);
    if (!document.is_object()) {
      throw Error(ErrorCode::bad_data, "the configuration is not a JSON object");
    }
    ModelConfig config;
    config.path = file;
    config.model_type = text_at(document, "model_type");
    config.problem_type = text_at(document, "problem_type");
    config.is_timm = document.contains("pretrained_cfg");
    const json of_texts = document.value("text_config", json());
    config.text_positions = count_at(of_texts, "max_position_embeddings");
    config.text_vocabulary = count_at(of_texts, "vocab_size");
    config.max_text_tokens = count_at(document, "max_text_len");
    config.register_tokens = count_at(document, "num_register_tokens");
    config.patch_px = count_at(document, "patch_size");
    config.is_dilated = document.value("dilation", json(false)) == true;
    if (document.contains("id2label")) {
      config.class_names = names_by_number(document.at("id2label"));
    } else if (document.contains("label_names")) {
      config.class_names = names_of_timm(document);
    }
    return config;
  } catch (const json::parse_error& error) {
    throw Error(ErrorCode::bad_data, "the configuration is not JSON",
                {{"file", file.native()}, {"byte", std::to_string(error.byte)}});
  } catch (const json::exception& error) {
    throw Error(ErrorCode::bad_data, fmt::format("the configuration cannot be read: {}", error.what()), {{"file", file.native()}});
  } catch (const Error& error) {
    throw error.with("file", file.native());
  }
}

}  // namespace verilabel
