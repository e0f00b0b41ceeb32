#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/json_scan.h"
#include "verilabel/formats/line_stream.h"
#include "verilabel/formats/metadata_row.h"

namespace verilabel {
namespace {

class Reader {
 public:
  Reader(const std::filesystem::path& path, const MetadataOptions& options, const MetadataSink& sink)
      : path_(path), options_(options), sink_(sink), stream_(path), image_key_(options.key) {}

  void read() {
    while (stream_.next()) {
      if (stream_.line() % kMetadataRowsBetweenReports == 1) {
        report_metadata_progress(path_, options_, stream_.bytes_consumed(), stream_.file_bytes());
      }
      if (stream_.is_too_large()) {
        reject(RejectedKind::row, "", {RejectionReason::too_large, "", "a line of more than 16 MB cannot be read"});
        continue;
      }
      const char* const begin = stream_.text().data();
      const char* const end = begin + stream_.text().size();
      const char* const first = skip_json_space(begin, end);
      if (first == end) {
        continue;
      }
      if (!has_met_line_ && *first == '[') {
        throw Error(ErrorCode::bad_data, "this is a JSON list; metadata is read from one object a line",
                    {{"file", path_.native()}, {"line", fmt::to_string(stream_.line())}});
      }
      has_met_line_ = true;
      read_line({first, static_cast<std::size_t>(end - first)});
    }
    report_metadata_progress(path_, options_, stream_.bytes_consumed(), stream_.file_bytes());
  }

 private:
  void read_line(std::string_view line) {
    std::string image;
    rejected_.clear();
    keys_of_roles_.clear();
    try {
      if (!is_utf8(line)) {
        throw ElementFault{RejectionReason::malformed, "", "the line is not UTF-8; save the file in that encoding"};
      }
      JsonObject object(JsonValue(line, ""));
      if (image_key_.empty()) {
        find_image_key(object);
      }
      const auto name = object.take(image_key_);
      if (!name) {
        throw ElementFault{RejectionReason::missing_field, image_key_, "the row names no image"};
      }
      image = name->text();
      if (image.empty()) {
        throw ElementFault{RejectionReason::missing_field, image_key_, "the row names no image"};
      }
      MetadataRow row{path_.native(), stream_.line(), image_named(image)};
      MetadataFields fields;
      for (const JsonObject::Field& field : object.fields()) {
        if (!field.is_taken) {
          take(field, row, fields);
        }
      }
      fields.finish(row);
      for (const ElementFault& fault : rejected_) {
        reject(RejectedKind::field, image, fault);
      }
      sink_.on_row(std::move(row));
    } catch (const ElementFault& fault) {
      reject(RejectedKind::row, image, fault);
    }
  }

  /// The first object of the file decides for all of it.
  void find_image_key(JsonObject& object) {
    std::vector<std::string> found;
    std::vector<std::string> keys;
    for (const JsonObject::Field& field : object.fields()) {
      keys.push_back(fmt::format("`{}`", printable(field.key)));
      if (metadata_role(field.key) == MetadataRole::image) {
        found.emplace_back(field.key);
      }
    }
    const ErrorContext place = {{"file", path_.native()}, {"line", fmt::to_string(stream_.line())}};
    if (found.empty()) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("no key names the image (path, file_name, filename, filepath, image…); pass --metadata-key with the "
                              "one that does: {}",
                              fmt::join(keys, ", ")),
                  place);
    }
    if (found.size() > 1) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("the keys `{}` all name the image; pass --metadata-key with the one that does, and the others become "
                              "fields",
                              fmt::join(found, "`, `")),
                  place);
    }
    image_key_ = found[0];
  }

  void take(const JsonObject::Field& field, MetadataRow& row, MetadataFields& fields) {
    const JsonValue& value = field.value;
    const std::string key = key_of(field);
    const MetadataRole role = metadata_role(key);
    try {
      if (role == MetadataRole::tags || role == MetadataRole::split) {
        if (const auto [earlier, is_first] = keys_of_roles_.try_emplace(role, key); !is_first) {
          throw ElementFault{RejectionReason::malformed, key,
                             fmt::format("the row has both `{}` and `{}`; leave one out", earlier->second, key)};
        }
      }
      if (role == MetadataRole::tags) {
        row.image.tags = tags_from(value);
      } else if (role == MetadataRole::split) {
        row.image.split = split_from(value);
      } else {
        fields.add(key, value, rejected_);
      }
    } catch (const ElementFault& fault) {
      keep_unless_broken(fault);
    }
  }

  /// A list of texts, or one text.
  static std::vector<std::string> tags_from(const JsonValue& value) {
    std::vector<std::string> tags;
    if (value.kind() == JsonKind::text) {
      tags.push_back(value.text());
    } else if (!value.is_null()) {
      if (value.kind() != JsonKind::array) {
        value.fail(RejectionReason::unsupported, fmt::format("tags are a list of texts, not {}", value.shown()));
      }
      for (const JsonValue& element : value.elements()) {
        if (element.kind() != JsonKind::text) {
          element.fail(RejectionReason::unsupported, fmt::format("a tag is a text, not {}", element.shown()));
        }
        tags.push_back(element.text());
      }
    }
    std::erase(tags, "");
    return tags;
  }

  static std::string split_from(const JsonValue& value) {
    if (value.is_null()) {
      return {};
    }
    if (value.kind() != JsonKind::text) {
      value.fail(RejectionReason::unsupported, fmt::format("a split is a text, not {}", value.shown()));
    }
    return value.text();
  }

  /// What is no JSON costs the row.
  void keep_unless_broken(const ElementFault& fault) {
    if (fault.reason == RejectionReason::malformed) {
      throw ElementFault(fault);
    }
    rejected_.push_back(fault);
  }

  void reject(RejectedKind kind, const std::string& image, const ElementFault& fault) {
    sink_.on_rejected({.kind = kind,
                       .reason = fault.reason,
                       .file = path_.native(),
                       .line = stream_.line(),
                       .byte_offset = {},
                       .field = fault.field,
                       .image = image,
                       .message = fault.message});
  }

  const std::filesystem::path& path_;
  const MetadataOptions& options_;
  const MetadataSink& sink_;
  LineStream stream_;
  std::string image_key_;
  bool has_met_line_ = false;
  std::vector<ElementFault> rejected_;                 ///< of the row
  std::map<MetadataRole, std::string> keys_of_roles_;  ///< in the row, of roles that are there once
};

}  // namespace

void read_metadata_json_lines(const std::filesystem::path& path, const MetadataOptions& options, const MetadataSink& sink) {
  Reader(path, options, sink).read();
}

}  // namespace verilabel
