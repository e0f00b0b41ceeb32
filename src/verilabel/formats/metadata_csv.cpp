#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/csv_stream.h"
#include "verilabel/formats/metadata_row.h"
#include "verilabel/formats/row_fault.h"

namespace verilabel {
namespace {

/// What programs write for numbers that are none.
constexpr std::string_view kNoNumbers[] = {"nan", "inf", "infinity"};

bool is_no_number(std::string_view cell) {
  if (cell.starts_with('-') || cell.starts_with('+')) {
    cell.remove_prefix(1);
  }
  return std::ranges::find(kNoNumbers, lowered(cell)) != std::end(kNoNumbers);
}

class Reader {
 public:
  Reader(const std::filesystem::path& path, const MetadataOptions& options, const MetadataSink& sink)
      : path_(path), options_(options), sink_(sink), stream_(path) {
    for (const std::string& name : stream_.header()) {
      columns_.push_back({std::string(trimmed(name)), metadata_role(trimmed(name))});
    }
    settle_columns();
  }

  void read() {
    std::uint64_t rows = 0;
    while (stream_.next()) {
      if (rows++ % kMetadataRowsBetweenReports == 0) {
        report_metadata_progress(path_, options_, stream_.bytes_consumed(), stream_.file_bytes());
      }
      read_row();
    }
    report_metadata_progress(path_, options_, stream_.bytes_consumed(), stream_.file_bytes());
  }

 private:
  struct Column {
    std::string name;
    MetadataRole role = MetadataRole::field;
  };

  std::vector<std::string> quoted_names() const {
    std::vector<std::string> names;
    for (const Column& column : columns_) {
      names.push_back(fmt::format("`{}`", printable(column.name)));
    }
    return names;
  }

  /// One column of images, and no name twice.
  void settle_columns() {
    std::optional<std::size_t> image;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      Column& column = columns_[i];
      const bool is_chosen = !options_.key.empty() && column.name == options_.key;
      if (is_chosen || (options_.key.empty() && column.role == MetadataRole::image)) {
        if (image) {
          stream_.fail(stream_.line(),
                       fmt::format("the columns `{}` and `{}` both name the image; pass --metadata-key with the one "
                                   "that does, and the other becomes a field",
                                   printable(columns_[*image].name), printable(column.name)));
        }
        image = i;
        column.role = MetadataRole::image;
      } else if (column.role == MetadataRole::image) {
        column.role = MetadataRole::field;
      }
    }
    if (!image && !options_.key.empty()) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("the file has no column `{}`; its columns are {}", options_.key, fmt::join(quoted_names(), ", ")),
                  {{"file", path_.native()}});
    }
    if (!image) {
      stream_.fail(stream_.line(), fmt::format("no column names the image (path, file_name, filename, filepath, image…); pass "
                                               "--metadata-key with the one that does: {}",
                                               fmt::join(quoted_names(), ", ")));
    }
    image_ = *image;
    std::unordered_map<std::string_view, std::size_t> of_name;
    std::map<MetadataRole, std::size_t> of_role;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Column& column = columns_[i];
      std::optional<std::size_t> earlier;
      if (column.role != MetadataRole::field) {
        if (const auto [found, is_first] = of_role.try_emplace(column.role, i); !is_first) {
          earlier = found->second;
        }
      }
      if (const auto [found, is_first] = of_name.try_emplace(column.name, i); !is_first && !column.name.empty()) {
        earlier = found->second;
      }
      if (earlier) {
        stream_.fail(stream_.line(), fmt::format("the columns {} and {} are both called `{}`; rename one of them", *earlier + 1,
                                                 i + 1, printable(column.name)));
      }
    }
  }

  void read_row() {
    if (stream_.fault()) {
      reject(RejectedKind::row, "", *stream_.fault());
      return;
    }
    const std::span<const std::string_view> cells = stream_.fields();
    if (std::all_of(cells.begin(), cells.end(), [](std::string_view cell) { return trimmed(cell).empty(); })) {
      return;  // a blank line, as spreadsheets write it
    }
    const std::string_view name = trimmed(cells[image_]);
    if (name.empty()) {
      reject(RejectedKind::row, "", {RejectionReason::missing_field, field_name(image_), "the row names no image"});
      return;
    }
    MetadataRow row{path_.native(), stream_.line(), image_named(std::string(name))};
    MetadataFields fields;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string_view cell = trimmed(cells[i]);
      if (cell.empty()) {
        continue;
      }
      switch (columns_[i].role) {
        case MetadataRole::image:
          break;
        case MetadataRole::split:
          row.image.split = cell;
          break;
        case MetadataRole::tags:
          row.image.tags = parts_from_csv(cell);
          break;
        case MetadataRole::field:
          add_field(fields, i, cell, name);
          break;
      }
    }
    fields.finish(row);
    sink_.on_row(std::move(row));
  }

  void add_field(MetadataFields& fields, std::size_t column, std::string_view cell, std::string_view image) {
    try {
      if (is_no_number(cell)) {
        throw ElementFault{
            RejectionReason::not_finite, "",
            fmt::format("{} is not a finite number; leave the cell empty, or put a text in JSON's quotes", shown(cell))};
      }
      const std::string json = json_from_csv(cell, true);
      std::vector<ElementFault> rejected;
      fields.add(columns_[column].name, JsonValue(json, ""), rejected);
      for (const ElementFault& fault : rejected) {
        reject_field(column, image, fault);
      }
    } catch (const ElementFault& fault) {
      reject_field(column, image, fault);
    }
  }

  void reject_field(std::size_t column, std::string_view image, const ElementFault& fault) {
    const std::string inside = fault.field.empty() ? "" : fmt::format(", {}", fault.field);
    reject(RejectedKind::field, image, {fault.reason, field_name(column) + inside, fault.message});
  }

  std::string field_name(std::size_t column) const { return name_of(RowField{column + 1, columns_[column].name}); }

  void reject(RejectedKind kind, std::string_view image, const RowFault& fault) {
    sink_.on_rejected({.kind = kind,
                       .reason = fault.reason,
                       .file = path_.native(),
                       .line = stream_.line(),
                       .byte_offset = {},
                       .field = fault.field,
                       .image = std::string(image),
                       .message = fault.message});
  }

  const std::filesystem::path& path_;
  const MetadataOptions& options_;
  const MetadataSink& sink_;
  CsvStream stream_;
  std::vector<Column> columns_;
  std::size_t image_ = 0;
};

}  // namespace

void read_metadata_csv(const std::filesystem::path& path, const MetadataOptions& options, const MetadataSink& sink) {
  Reader(path, options, sink).read();
}

}  // namespace verilabel
