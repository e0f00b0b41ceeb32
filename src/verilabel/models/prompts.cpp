#include "verilabel/models/prompts.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_keys.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 16 << 20;

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  return first == std::string_view::npos ? std::string()
                                         : std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

[[noreturn]] void refuse_line(std::size_t line, const std::string& message) {
  throw Error(ErrorCode::bad_data, message, {{"line", std::to_string(line)}});
}

[[noreturn]] void refuse_key(const std::string& key, const std::string& message) {
  throw Error(ErrorCode::bad_data, message, {{"key", key}});
}

PromptClass class_of_line(const std::string& line, std::size_t number) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string::npos && line.back() == ':') {
    refuse_line(number,
                fmt::format("'{}' has no phrasings behind its colon; they are written name: phrasing | phrasing. A name that "
                            "really ends so goes into a .json file",
                            line));
  }
  if (colon == std::string::npos) {
    return {line, {line}};
  }
  PromptClass one{trimmed(line.substr(0, colon)), {}};
  if (one.name.empty()) {
    refuse_line(number, "a class has an empty name; write name: phrasing | phrasing");
  }
  std::istringstream phrasings(line.substr(colon + 1) + '|');  // so that an empty last one counts
  for (std::string phrasing; std::getline(phrasings, phrasing, '|');) {
    one.phrasings.push_back(trimmed(phrasing));
    if (one.phrasings.back().empty()) {
      refuse_line(number, fmt::format("'{}' has an empty phrasing; write name: phrasing | phrasing", one.name));
    }
  }
  return one;
}

Prompts prompts_of_lines(const std::string& text) {
  Prompts prompts;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = trimmed(line);
    if (line.empty() || line.front() == '#') {
      continue;
    }
    if (has_control(line)) {
      refuse_line(number,
                  fmt::format("'{}' holds control characters; save the file as UTF-8 text, one class a line", printable(line)));
    }
    if (line.front() == '-') {
      prompts.negatives.push_back(trimmed(std::string_view(line).substr(1)));
      if (prompts.negatives.back().empty()) {
        refuse_line(number, "a negative is empty; write - phrasing");
      }
    } else {
      prompts.classes.push_back(class_of_line(line, number));
    }
  }
  return prompts;
}

std::vector<std::string> strings_of(const json& value, const std::string& key) {
  if (!value.is_array() || !std::ranges::all_of(value, [](const json& item) { return item.is_string(); })) {
    refuse_key(key, fmt::format("{} must be a list of strings", key));
  }
  auto texts = value.get<std::vector<std::string>>();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (trimmed(texts[i]).empty()) {
      refuse_key(fmt::format("{}[{}]", key, i), fmt::format("{}[{}] is empty", key, i));
    }
    if (has_control(texts[i])) {
      refuse_key(fmt::format("{}[{}]", key, i), fmt::format("{}[{}] holds control characters: {}", key, i, printable(texts[i])));
    }
  }
  return texts;
}

PromptClass class_of_json(const json& value, std::size_t index) {
  const std::string key = fmt::format("classes[{}]", index);
  const bool is_object = value.is_object() && value.contains("name") && value.at("name").is_string();
  if (!is_object && !value.is_string()) {
    refuse_key(key, fmt::format(R"({} must be a name, or {{"name": …, "phrasings": […]}})", key));
  }
  PromptClass one{(is_object ? value.at("name") : value).get<std::string>(), {}};
  if (trimmed(one.name).empty()) {
    refuse_key(key, fmt::format("{} has an empty name", key));
  }
  if (has_control(one.name)) {
    refuse_key(key, fmt::format("the name of {} holds control characters: {}", key, printable(one.name)));
  }
  if (!is_object) {
    one.phrasings = {one.name};
    return one;
  }
  for (const auto& [name, content] : value.items()) {
    if (name == "phrasings") {
      one.phrasings = strings_of(content, key + ".phrasings");
    } else if (name != "name") {
      refuse_key(key + "." + name, fmt::format("{}.{} means nothing; a class has name and phrasings", key, name));
    }
  }
  if (!value.contains("phrasings")) {
    one.phrasings = {one.name};
  }
  return one;
}

Prompts prompts_of(const json& document) {
  Prompts prompts;
  const json& classes = document.is_object() ? document.value("classes", json()) : document;
  if (!classes.is_array()) {
    refuse_key("classes", R"(the prompts must be a list of classes, or {"classes": […]})");
  }
  for (std::size_t i = 0; i < classes.size(); ++i) {
    prompts.classes.push_back(class_of_json(classes[i], i));
  }
  if (document.is_object()) {
    for (const auto& [key, content] : document.items()) {
      if (key == "negatives") {
        prompts.negatives = strings_of(content, key);
      } else if (key == "templates") {
        prompts.templates = strings_of(content, key);
      } else if (key != "classes") {
        refuse_key(key, fmt::format("{} means nothing; prompts have classes, negatives and templates", key));
      }
    }
  }
  return prompts;
}

/// The text behind a byte order mark, if there is one.
std::string_view utf8_text(std::string_view bytes) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  bytes.remove_prefix(bytes.starts_with(kMark) ? kMark.size() : 0);
  if (const std::size_t good = utf8_prefix_size(bytes); good < bytes.size()) {
    const std::string_view before = bytes.substr(0, good);
    refuse_line(1 + static_cast<std::size_t>(std::ranges::count(before, '\n')),
                fmt::format("the file is not UTF-8, as the byte {} shows; save it as UTF-8", printable(bytes.substr(good, 1))));
  }
  return bytes;
}

void require(bool holds, const std::string& message) {
  if (!holds) {
    throw Error(ErrorCode::wrong_use, message);
  }
}

void require_text(std::string_view what, std::string_view text) {
  require(is_utf8(text), fmt::format("{} is not UTF-8: {}", what, printable(text)));
  require(!has_control(text), fmt::format("{} holds control characters: {}", what, printable(text)));
}

/// Whatever bytes the name is made of.
bool is_json_name(const std::filesystem::path& file) {
  return std::ranges::equal(file.extension().native(), std::string_view(".json"),
                            [](unsigned char byte, char wanted) { return std::tolower(byte) == wanted; });
}

}  // namespace

bool Prompts::has_phrasings() const {
  return !negatives.empty() || !templates.empty() || std::ranges::any_of(classes, [](const PromptClass& one) {
    return one.phrasings.size() != 1 || one.phrasings.front() != one.name;
  });
}

std::vector<std::string> Prompts::names() const {
  std::vector<std::string> names;
  for (const PromptClass& one : classes) {
    names.push_back(one.name);
  }
  return names;
}

void Prompts::validate() const {
  require(!classes.empty(), "no class is named; say what to look for with --classes");
  std::map<std::string_view, std::string_view> owners;  // of phrasings
  std::map<std::string_view, int> uses;
  for (const PromptClass& one : classes) {
    require(!trimmed(one.name).empty(), "a class has an empty name");
    require_text("the name of a class", one.name);
    require(++uses[one.name] == 1, fmt::format("the class '{}' is named twice", one.name));
    require(!one.phrasings.empty(), fmt::format("the class '{}' has no phrasing", one.name));
    for (const std::string& phrasing : one.phrasings) {
      require(!trimmed(phrasing).empty(), fmt::format("the class '{}' has an empty phrasing", one.name));
      require_text(fmt::format("a phrasing of the class '{}'", one.name), phrasing);
      const auto [owner, is_new] = owners.emplace(phrasing, one.name);
      require(is_new, fmt::format("'{}' stands for '{}' and for '{}'", phrasing, owner->second, one.name));
    }
  }
  for (const std::string& negative : negatives) {
    require(!trimmed(negative).empty(), "a negative phrasing is empty");
    require_text("a negative phrasing", negative);
    const auto owner = owners.find(negative);
    require(owner == owners.end(),
            fmt::format("'{}' stands for the class '{}' and is a negative", negative, owner == owners.end() ? "" : owner->second));
  }
  for (const std::string& sentence : templates) {
    require_text("a template", sentence);
    require(sentence.find("{}") != std::string::npos, fmt::format("the template '{}' has no {{}} for the class", sentence));
  }
}

Prompts prompts_of_names(const std::vector<std::string>& names) {
  Prompts prompts;
  for (const std::string& name : names) {
    prompts.classes.push_back({name, {name}});
  }
  return prompts;
}

Prompts read_prompts(const std::filesystem::path& file) {
  const std::string bytes = read_file(file, kMaxBytes);
  try {
    const std::string_view text = utf8_text(bytes);
    const bool is_json = is_json_name(file);
    const std::string_view begin = text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (!is_json && (begin.starts_with('[') || begin.starts_with('{')) && json::accept(text)) {
      throw Error(ErrorCode::bad_data,
                  "the file of classes is JSON, which is read from a file whose name ends in .json; rename it");
    }
    const Prompts prompts = is_json ? prompts_from_json(text) : prompts_of_lines(std::string(text));
    if (prompts.classes.empty()) {
      throw Error(ErrorCode::bad_data, "the file of classes names none; give one name a line");
    }
    return prompts;
  } catch (const Error& error) {
    throw error.with("file", file.native());
  }
}

std::string json_from(const Prompts& prompts) {
  json document{{"classes", json::array()}};
  for (const PromptClass& one : prompts.classes) {
    if (one.phrasings.size() == 1 && one.phrasings.front() == one.name) {
      document["classes"].push_back(one.name);
    } else {
      document["classes"].push_back({{"name", one.name}, {"phrasings", one.phrasings}});
    }
  }
  if (!prompts.negatives.empty()) {
    document["negatives"] = prompts.negatives;
  }
  if (!prompts.templates.empty()) {
    document["templates"] = prompts.templates;
  }
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Prompts prompts_from_json(std::string_view text) {
  try {
    require_single_json_keys(text);
    return prompts_of(json::parse(text));
  } catch (const json::parse_error& error) {
    throw Error(ErrorCode::bad_data, "the prompts are not JSON", {{"byte", std::to_string(error.byte)}});
  } catch (const json::out_of_range&) {
    throw Error(ErrorCode::bad_data, "the prompts hold a number beyond ±1.8e308, and need none");
  }
}

}  // namespace verilabel
