#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

/// A field of a `source_json`, verbatim.
struct SourceField {
  std::string_view key;   ///< as it stands between its quotes
  std::string_view json;  ///< the value
};

/// The fields of a JSON object in its order, as views into it; none for an empty string. The object comes from a reader, which
/// checked it; in anything else, fields from the first that breaks the form of an object on are not seen.
std::vector<SourceField> source_fields(std::string_view object);

/// The id among the fields when it is an integer that fits.
std::optional<std::int64_t> integer_id(const std::vector<SourceField>& fields);

/// Appends `,"key":value` for each field that came with the source, but for those that the caller writes itself, on one line.
void add_source_fields(std::string& out, std::string_view source_json, std::span<const std::string_view> ours);

/// The value of a field, verbatim; empty when there is none.
std::string_view source_field(std::string_view source_json, std::string_view key);

}  // namespace verilabel
