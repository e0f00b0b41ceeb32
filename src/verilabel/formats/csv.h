#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the CSV row of the table of formats; their contracts stand in format.h, the conventions in docs/formats.md.

ReadCounts read_csv(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
void check_csv(const std::filesystem::path& path, const WriteOptions& options);
std::vector<Loss> losses_of_csv(ExportSource& source, const WriteOptions& options);
WriteReport write_csv(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

/// What a column of the table means.
enum class CsvRole : std::uint8_t {
  image,
  image_width,
  image_height,
  split,
  tags,
  labelled,
  label,
  x,
  y,
  w,
  h,
  xmin,
  ymin,
  xmax,
  ymax,
  size_width,   ///< of the box beside `x` and `y`, else of the image
  size_height,  ///< likewise
  segmentation,
  confidence,
  crowd,
  area,
  label_tags,
  attribute,  ///< `attribute.NAME`
  field,      ///< `field.NAME`, of the image
  unknown,
};

inline constexpr std::string_view kCsvAttributePrefix = "attribute.";
inline constexpr std::string_view kCsvFieldPrefix = "field.";

/// By the name of the column alone, whatever its case.
CsvRole csv_role(std::string_view column);

/// With small letters for those of ASCII.
std::string lowered(std::string_view text);
/// Without the spaces around it.
std::string_view trimmed(std::string_view text);
/// What stands between semicolons, without spaces around it and without empty parts.
std::vector<std::string> parts_from_csv(std::string_view text);

/// The JSON of a value in a table: `true`, `false` (also `True`, `TRUE` and so on), `null`, JSON's numbers and texts in quotes are
/// what they are in JSON, lists and objects too when `may_nest`, and anything else is a text. Numbers may be too large for a
/// double.
std::string json_from_csv(std::string_view text, bool may_nest);
/// What `json_from_csv` makes the value of: texts bare unless they would be taken for something else.
std::string csv_from_json(std::string_view json, bool may_nest);

/// The text that a JSON string stands for; nothing when it is no string.
std::optional<std::string> text_from_json(std::string_view json);

}  // namespace verilabel
