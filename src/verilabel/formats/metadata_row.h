#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "verilabel/base/json_writer.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/metadata.h"

// What the readers of metadata share. Private to the module.
namespace verilabel {

enum class MetadataRole : std::uint8_t { image, split, tags, field };

/// What a column is by its name alone, whatever its case.
MetadataRole metadata_role(std::string_view column);

/// The image that a file calls by this name.
SourceImage image_named(std::string name);

/// Throws `ElementFault` unless the text is a number of JSON that a field can hold without losing digits before the point.
void check_number(std::string_view json, const std::string& field);

/// Collects the fields of one row.
class MetadataFields {
 public:
  /// Throws `ElementFault` with this reason: `malformed` for a name that stands twice, `unsupported` for an empty one.
  void add(const std::string& name, std::string_view json);
  void finish(MetadataRow& row);

 private:
  std::unordered_set<std::string> names_;
  std::string json_;
  JsonWriter writer_{json_};
};

/// Says where the reading stands, and throws `interrupted` when that was asked for.
void report_metadata_progress(const std::filesystem::path& path, const MetadataOptions& options, std::uint64_t bytes_consumed,
                              std::uint64_t file_bytes);
constexpr std::uint64_t kMetadataRowsBetweenReports = 1024;

void read_metadata_csv(const std::filesystem::path& path, const MetadataOptions& options, const MetadataSink& sink);
void read_metadata_json_lines(const std::filesystem::path& path, const MetadataOptions& options, const MetadataSink& sink);

}  // namespace verilabel
