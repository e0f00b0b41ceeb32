#include "verilabel/formats/metadata.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/metadata_row.h"

namespace verilabel {
namespace {

constexpr std::string_view kCsvExtensions[] = {".csv", ".tsv"};
constexpr std::string_view kJsonLinesExtensions[] = {".jsonl", ".ndjson", ".jsonlines"};

constexpr MetadataFormat kFormats[] = {
    {"csv", "a table whose first row names the columns", kCsvExtensions, &read_metadata_csv},
    {"json-lines", "one JSON object a line", kJsonLinesExtensions, &read_metadata_json_lines},
};

/// As deep as fields go elsewhere.
constexpr int kDeepestObject = 64;

/// Throws `ElementFault` unless the number is one that a field can hold without losing digits before the point.
void check_number(const JsonValue& value) {
  static_cast<void>(value.number());
  const std::string_view json = value.raw();
  if (json.find_first_of(".eE") != std::string_view::npos) {
    return;
  }
  const auto fits = [&]<typename Integer>(Integer integer) {
    const char* const begin = json.data();
    return std::from_chars(begin, begin + json.size(), integer).ec == std::errc();
  };
  if (!fits(std::int64_t{}) && !fits(std::uint64_t{})) {
    value.fail(RejectionReason::out_of_range,
               fmt::format("{} has more digits than a number keeps; as a text in quotes it keeps all", value.shown()));
  }
}

/// Beside what tables of labels call it.
constexpr std::string_view kImageColumns[] = {"filepath", "file_path"};

}  // namespace

std::span<const MetadataFormat> metadata_formats() {
  return kFormats;
}

const MetadataFormat& metadata_format(std::string_view name, const std::filesystem::path& path) {
  for (const MetadataFormat& format : kFormats) {
    const bool is_meant =
        name.empty() ? std::ranges::any_of(format.extensions, [&](std::string_view ending) { return has_extension(path, ending); })
                     : format.name == name;
    if (is_meant) {
      return format;
    }
  }
  std::vector<std::string> known;
  for (const MetadataFormat& format : kFormats) {
    known.push_back(fmt::format("{} ({}; {})", format.name, format.summary, fmt::join(format.extensions, ", ")));
  }
  throw Error(ErrorCode::wrong_use,
              name.empty()
                  ? fmt::format("the name of the file does not say its format; pass --metadata-format: {}", fmt::join(known, ", "))
                  : fmt::format("there is no metadata format '{}'; there is {}", name, fmt::join(known, ", ")),
              {{"path", path.native()}});
}

MetadataRole metadata_role(std::string_view column) {
  switch (csv_role(column)) {
    case CsvRole::image:
      return MetadataRole::image;
    case CsvRole::split:
      return MetadataRole::split;
    case CsvRole::tags:
      return MetadataRole::tags;
    default: {
      const std::string name = lowered(column);
      return std::ranges::find(kImageColumns, name) != std::end(kImageColumns) ? MetadataRole::image : MetadataRole::field;
    }
  }
}

std::string key_of(const JsonObject::Field& field) {
  return JsonValue(fmt::format("\"{}\"", field.key), field.value.field()).text();
}

SourceImage image_named(std::string name) {
  SourceImage image;
  const std::filesystem::path path(name);
  image.form = path.extension().empty() ? NameForm::whole_or_stem : NameForm::whole;
  if (path.is_absolute()) {
    image.path = path.lexically_normal();
  }
  image.name = std::move(name);
  return image;
}

void MetadataFields::add_value(const std::string& name, const JsonValue& value, std::vector<ElementFault>& rejected, int depth) {
  try {
    switch (value.kind()) {
      case JsonKind::object: {
        if (depth == kDeepestObject) {
          value.fail(RejectionReason::unsupported, "objects inside objects go too deep for the name of a field");
        }
        JsonObject object(value);
        for (const JsonObject::Field& field : object.fields()) {
          add_value(name + "." + key_of(field), field.value, rejected, depth + 1);
        }
        return;
      }
      case JsonKind::array:
        value.fail(RejectionReason::unsupported, "a field holds a text, a number, true or false, and this is a list");
      case JsonKind::text:
        static_cast<void>(value.text());
        break;
      case JsonKind::flag:
      case JsonKind::null:
        if (value.raw() != "true" && value.raw() != "false" && !value.is_null()) {
          static_cast<void>(value.number());  // which says what it is instead
        }
        break;
      case JsonKind::number:
        check_number(value);
        break;
    }
    add_scalar(name, value.raw());
  } catch (const ElementFault& fault) {
    if (fault.reason == RejectionReason::malformed) {
      throw;
    }
    rejected.push_back(fault);
  }
}

void MetadataFields::add_scalar(const std::string& name, std::string_view json) {
  if (name.empty()) {
    throw ElementFault{RejectionReason::unsupported, "", "there is a value without a name; a field needs one"};
  }
  if (!names_.insert(name).second) {
    throw ElementFault{RejectionReason::malformed, name, "the field stands twice in this row"};
  }
  if (json_.empty()) {
    writer_.begin_object();
  }
  writer_.key(name).raw(json);
}

void MetadataFields::finish(MetadataRow& row) {
  if (!json_.empty()) {
    writer_.end_object();
  }
  row.field_values = static_cast<std::int64_t>(names_.size());
  row.image.fields_json = std::move(json_);
}

void report_metadata_progress(const std::filesystem::path& path, const MetadataOptions& options, std::uint64_t bytes_consumed,
                              std::uint64_t file_bytes) {
  if (options.cancel != nullptr && options.cancel->is_requested()) {
    throw Error(ErrorCode::interrupted, "the import was stopped; what was read so far is kept. Repeat the command to go on",
                {{"file", path.native()}});
  }
  if (options.progress) {
    options.progress({.stage = "reading metadata",
                      .done = static_cast<std::int64_t>(bytes_consumed),
                      .failed = 0,
                      .total = static_cast<std::int64_t>(file_bytes),
                      .unit = "bytes"});
  }
}

}  // namespace verilabel
