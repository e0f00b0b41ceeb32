#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "verilabel/base/json_writer.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/metadata.h"

// What the readers of metadata share. Private to the module.
namespace verilabel {

enum class MetadataRole : std::uint8_t { image, split, tags, field };

/// What a column is by its name alone, whatever its case.
MetadataRole metadata_role(std::string_view column);

/// The key without its escapes.
std::string key_of(const JsonObject::Field& field);

/// The image that a file calls by this name.
SourceImage image_named(std::string name);

/// Collects the fields of one row.
class MetadataFields {
 public:
  /// Adds a value, of an object those inside it under names with dots. What no field can hold is added to `rejected` and costs
  /// nothing else. Throws `ElementFault` with the reason `malformed` for what is no JSON and for a name that stands twice.
  void add(const std::string& name, const JsonValue& value, std::vector<ElementFault>& rejected) {
    add_value(name, value, rejected, 1);
  }
  void finish(MetadataRow& row);

 private:
  void add_value(const std::string& name, const JsonValue& value, std::vector<ElementFault>& rejected, int depth);
  void add_scalar(const std::string& name, std::string_view json);

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
