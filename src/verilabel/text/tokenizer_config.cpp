#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/text/tokenizer.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxFileBytes = 64 << 20;

[[noreturn]] void refuse(const char* key, const std::string& message) {
  throw Error(ErrorCode::bad_data, message, {{"field", key}});
}

/// The value of a key; null when it is missing.
json value_of(const json& document, const char* key) {
  return document.value(key, json());
}

std::optional<std::size_t> length_of(const json& document, const char* key) {
  const json length = value_of(document, key);
  if (length.is_null()) {
    return {};
  }
  // transformers writes 10 to the power of 30 for "no limit".
  constexpr double no_limit = 1e9;
  const double number = length.is_number() ? length.get<double>() : 0;
  if (number >= no_limit) {
    return {};
  }
  if (!(number >= 1) || number != static_cast<double>(static_cast<std::uint64_t>(number))) {
    refuse(key, fmt::format("{} must be a whole number of tokens", key));
  }
  return static_cast<std::size_t>(number);
}

std::optional<std::string> text_of(const json& document, const char* key) {
  const json text = value_of(document, key);
  if (text.is_null()) {
    return {};
  }
  if (!text.is_string()) {
    refuse(key, fmt::format("{} must be text", key));
  }
  return text.get<std::string>();
}

/// A token, which may be an object with its text as `content`.
std::optional<std::string> token_of(const json& document, const char* key) {
  const json token = value_of(document, key);
  return token.is_object() ? text_of(token, "content") : text_of(document, key);
}

std::optional<TextSide> side_of(const json& document, const char* key) {
  const auto side = text_of(document, key);
  if (side && side != "left" && side != "right") {
    refuse(key, fmt::format("{} must be one of: left, right", key));
  }
  return side ? std::optional(side == "left" ? TextSide::left : TextSide::right) : std::nullopt;
}

std::optional<bool> flag_of(const json& document, const char* key) {
  const json flag = value_of(document, key);
  if (!flag.is_null() && !flag.is_boolean()) {
    refuse(key, fmt::format("{} must be true or false", key));
  }
  return flag.is_null() ? std::nullopt : std::optional(flag.get<bool>());
}

TokenizerConfig config_from(const json& document) {
  if (!document.is_object()) {
    throw Error(ErrorCode::bad_data, "a tokenizer_config.json is a JSON object");
  }
  TokenizerConfig config;
  config.model_max_length = length_of(document, "model_max_length");
  config.tokenizer_class = text_of(document, "tokenizer_class");
  config.pad_token = token_of(document, "pad_token");
  config.padding_side = side_of(document, "padding_side");
  config.truncation_side = side_of(document, "truncation_side");
  config.lowercases = flag_of(document, "do_lower_case");
  config.strips_accents = flag_of(document, "strip_accents");
  config.spaces_out_ideographs = flag_of(document, "tokenize_chinese_chars");
  return config;
}

}  // namespace

TokenizerConfig TokenizerConfig::load(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxFileBytes);
  const std::string name = printable(path.native());
  try {
    return config_from(json::parse(text));
  } catch (const json::exception& error) {
    throw Error(ErrorCode::bad_data, fmt::format("this is not a JSON document: {}", printable(error.what())), {{"file", name}});
  } catch (const Error& error) {
    throw error.with("file", name);
  }
}

}  // namespace verilabel
