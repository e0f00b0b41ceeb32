#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/number_text.h"

namespace verilabel {
namespace {

constexpr std::pair<std::string_view, CsvRole> kRoles[] = {
    {"image", CsvRole::image},
    {"filename", CsvRole::image},
    {"file_name", CsvRole::image},
    {"path", CsvRole::image},
    {"image_path", CsvRole::image},
    {"image_id", CsvRole::image},
    {"image_width", CsvRole::image_width},
    {"image_height", CsvRole::image_height},
    {"split", CsvRole::split},
    {"tags", CsvRole::tags},
    {"labelled", CsvRole::labelled},
    {"label", CsvRole::label},
    {"class", CsvRole::label},
    {"category", CsvRole::label},
    {"name", CsvRole::label},
    {"x", CsvRole::x},
    {"bbox_x", CsvRole::x},
    {"y", CsvRole::y},
    {"bbox_y", CsvRole::y},
    {"w", CsvRole::w},
    {"bbox_w", CsvRole::w},
    {"bbox_width", CsvRole::w},
    {"h", CsvRole::h},
    {"bbox_h", CsvRole::h},
    {"bbox_height", CsvRole::h},
    {"xmin", CsvRole::xmin},
    {"x1", CsvRole::xmin},
    {"ymin", CsvRole::ymin},
    {"y1", CsvRole::ymin},
    {"xmax", CsvRole::xmax},
    {"x2", CsvRole::xmax},
    {"ymax", CsvRole::ymax},
    {"y2", CsvRole::ymax},
    {"width", CsvRole::size_width},
    {"height", CsvRole::size_height},
    {"segmentation", CsvRole::segmentation},
    {"confidence", CsvRole::confidence},
    {"score", CsvRole::confidence},
    {"crowd", CsvRole::crowd},
    {"area", CsvRole::area},
    {"label_tags", CsvRole::label_tags},
};

/// As other programs write what JSON has in small letters.
constexpr std::pair<std::string_view, std::string_view> kFlags[] = {
    {"True", "true"}, {"TRUE", "true"}, {"False", "false"}, {"FALSE", "false"}};

std::optional<std::string_view> flag_from(std::string_view text) {
  const auto* const at = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const auto& flag) { return flag.first == text; });
  return at == std::end(kFlags) ? std::nullopt : std::optional(at->second);
}

/// Whether the text stands for itself, as opposed to a text in quotes.
bool is_json_value(std::string_view text, bool may_nest) {
  if (text == "true" || text == "false" || text == "null" || is_json_number(text)) {
    return true;
  }
  const bool is_closed =
      text.size() >= 2 && ((text.front() == '"' && text.back() == '"') || (may_nest && text.front() == '{' && text.back() == '}') ||
                           (may_nest && text.front() == '[' && text.back() == ']'));
  if (!is_closed || first_too_large(text).empty()) {
    return is_closed && nlohmann::json::accept(text);
  }
  // The parser takes a number that no double holds for a fault of the text.
  std::string within_bounds;
  std::string_view rest = text;
  for (std::string_view number = first_too_large(rest); !number.empty(); number = first_too_large(rest)) {
    const auto before = static_cast<std::size_t>(number.data() - rest.data());
    within_bounds.append(rest.substr(0, before)).append("0");
    rest.remove_prefix(before + number.size());
  }
  return nlohmann::json::accept(within_bounds.append(rest));
}

}  // namespace

std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

std::vector<std::string> parts_from_csv(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    const std::string_view part = trimmed(text.substr(begin, end - begin));
    if (!part.empty()) {
      parts.emplace_back(part);
    }
    begin = end + 1;
  }
  return parts;
}

CsvRole csv_role(std::string_view column) {
  const std::string name = lowered(column);
  if (name.starts_with(kCsvAttributePrefix)) {
    return CsvRole::attribute;
  }
  if (name.starts_with(kCsvFieldPrefix)) {
    return CsvRole::field;
  }
  const auto* const at =
      std::find_if(std::begin(kRoles), std::end(kRoles), [&](const auto& known) { return known.first == trimmed(name); });
  return at == std::end(kRoles) ? CsvRole::unknown : at->second;
}

std::string json_from_csv(std::string_view text, bool may_nest) {
  if (const auto flag = flag_from(text)) {
    return std::string(*flag);
  }
  if (is_json_value(text, may_nest)) {
    return std::string(text);
  }
  std::string out;
  JsonWriter(out).value(text);
  return out;
}

std::string csv_from_json(std::string_view json, bool may_nest) {
  const std::optional<std::string> text = text_from_json(json);
  const bool stands_bare =
      text && !text->empty() && text->find('\0') == std::string::npos && !flag_from(*text) && !is_json_value(*text, may_nest);
  return stands_bare ? *text : std::string(json);
}

std::optional<std::string> text_from_json(std::string_view json) {
  if (!json.starts_with('"')) {
    return std::nullopt;
  }
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, false);
  return parsed.is_string() ? std::optional(parsed.get<std::string>()) : std::nullopt;
}

}  // namespace verilabel
