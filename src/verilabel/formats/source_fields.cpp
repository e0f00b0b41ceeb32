#include "verilabel/formats/source_fields.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "verilabel/formats/json_scan.h"

namespace verilabel {

std::vector<SourceField> source_fields(std::string_view object) {
  std::vector<SourceField> fields;
  const char* at = object.data();
  const char* const end = at + object.size();
  const auto step = [&](char wanted) {
    at = skip_json_space(at, end);
    return at != end && *at == wanted ? (++at, true) : false;
  };
  const auto value = [&]() -> std::string_view {
    const char* const begin = skip_json_space(at, end);
    const char* const value_end = JsonValueScan().run(begin, end);
    if (value_end == nullptr) {
      return {};
    }
    at = value_end;
    return {begin, static_cast<std::size_t>(value_end - begin)};
  };

  if (!step('{')) {
    return fields;
  }
  do {
    const std::string_view key = value();
    if (key.size() < 2 || key.front() != '"' || !step(':')) {
      break;
    }
    const std::string_view json = value();
    if (json.empty()) {
      break;
    }
    fields.push_back({key.substr(1, key.size() - 2), json});
  } while (step(','));
  return fields;
}

std::optional<std::int64_t> integer_id(const std::vector<SourceField>& fields) {
  for (const SourceField& field : fields) {
    if (field.key == "id") {
      std::int64_t id = 0;
      const auto [end, error] = std::from_chars(field.json.data(), field.json.data() + field.json.size(), id);
      return error == std::errc() && end == field.json.data() + field.json.size() ? std::optional(id) : std::nullopt;
    }
  }
  return std::nullopt;
}

void add_source_fields(std::string& out, std::string_view source_json, std::span<const std::string_view> ours) {
  for (const SourceField& field : source_fields(source_json)) {
    if (std::find(ours.begin(), ours.end(), field.key) != ours.end()) {
      continue;
    }
    out.append(",\"").append(field.key).append("\":");
    // White space that JSON allows between tokens may be newlines; inside strings there are none.
    std::replace_copy(field.json.begin(), field.json.end(), std::back_inserter(out), '\n', ' ');
  }
}

std::string_view source_field(std::string_view source_json, std::string_view key) {
  const std::vector<SourceField> fields = source_fields(source_json);
  const auto at = std::find_if(fields.begin(), fields.end(), [&](const SourceField& field) { return field.key == key; });
  return at == fields.end() ? std::string_view() : at->json;
}

}  // namespace verilabel
