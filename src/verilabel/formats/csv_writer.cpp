#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/csv_stream.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

/// A column for each name of an attribute or field, on every row: beyond this many another format serves better.
constexpr std::size_t kMaxNamedColumns = 1000;

constexpr std::string_view kNames = "image names that are not UTF-8 are written with \\xNN for a byte";
constexpr std::string_view kTags = "tags that hold a semicolon, or spaces at their ends, are lost";
constexpr std::string_view kRunSizes = "masks whose run lengths have another size than their image become their boxes";
constexpr std::string_view kLargeMasks = "masks of more than 1 MB of text become their boxes";
constexpr std::string_view kUnusedClasses = "classes without a label are lost, since the table has no list of classes";
constexpr std::string_view kImageSources =
    "images lose the id and the fields of the file they came from, of which only texts on images without labels have a place";
constexpr std::string_view kLabelSources =
    "labels lose the id or a field of the file they came from, of which only texts have a place";
constexpr std::string_view kUnusableNames =
    "labels or images lose an attribute or field whose name they have twice or cannot be a column's";

/// Values by the names of their columns.
using NamedValues = std::map<std::string, std::string>;

struct NamedColumns {
  std::set<std::string> attributes;
  std::set<std::string> fields;
  std::set<std::string> unknown;
};

/// All that a row says of a label.
struct LabelText {
  std::string segmentation;
  std::string tags;
  NamedValues attributes;
  NamedValues unknown;
};

/// And of an image.
struct ImageText {
  std::string name;
  std::string tags;
  NamedValues fields;
};

std::string decoded_key(const SourceField& field) {
  return text_from_json(fmt::format("\"{}\"", field.key)).value_or(std::string(field.key));
}

std::string text_of(const Mask& mask) {
  std::string out;
  if (const auto* polygons = std::get_if<std::vector<Polygon>>(&mask.shape)) {
    for (const Polygon& polygon : *polygons) {
      out += out.empty() ? "" : ";";
      for (std::size_t i = 0; i < polygon.size(); ++i) {
        fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "" : " ", polygon[i]);
      }
    }
    return out;
  }
  const Rle& rle = std::get<Rle>(mask.shape);
  if (mask.is_compressed) {
    return coco_string_from_rle(rle);
  }
  for (const std::uint32_t count : rle.counts) {
    fmt::format_to(std::back_inserter(out), "{}{}", out.empty() ? '[' : ',', count);
  }
  return out + (out.empty() ? "[]" : "]");
}

class CsvTableWriter {
 public:
  CsvTableWriter(ExportSource& source, const WriteOptions& options)
      : source_(source), options_(options), holds_(format("csv").holds), classes_(source.classes()), is_used_(classes_.size()) {}

  /// The columns that are needed and all that is lost, before anything is written.
  void plan() {
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image, options_)) {
        continue;
      }
      plan_image(index, image);
    }
    losses_.add(kUnusedClasses, std::count(is_used_.begin(), is_used_.end(), false));
    count_dataset_losses(holds_, source_, losses_);
    count_class_losses(classes_, losses_);
    if (columns_.attributes.size() + columns_.fields.size() + columns_.unknown.size() > kMaxNamedColumns) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("the table would need more than {} columns for attributes and fields ({}, {} and {} of files that "
                              "labels came from); export to another format",
                              kMaxNamedColumns, columns_.attributes.size(), columns_.fields.size(), columns_.unknown.size()));
    }
  }

  std::vector<Loss> losses() {
    plan();
    return losses_.list();
  }

  WriteReport write(int descriptor, const std::filesystem::path& path) {
    CsvWriter table(descriptor, path);
    write_header(table);
    LossCounts counted_already;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image, options_)) {
        ++report_.images_left_out;
        continue;
      }
      const ImageText image_text = text_of_image(image, counted_already);
      const std::vector<ExportLabel> labels = source_.labels(index);
      for (const ExportLabel& exported : labels) {
        write_row(table, image, image_text, &exported, text_of_label(image, exported, counted_already));
        ++report_.labels;
      }
      if (labels.empty()) {
        LabelText text;
        text.unknown = held_source(image.source_json).first;
        write_row(table, image, image_text, nullptr, text);
      }
      report_.images_unlabelled += image.state == SampleState::not_labelled ? 1 : 0;
      ++report_.images;
    }
    table.flush();
    report_image(options_, "writing", count, count);
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  void plan_image(std::int64_t index, const ExportImage& image) {
    has_unlabelled_ |= image.state == SampleState::not_labelled;
    for (auto& [name, value] : text_of_image(image, losses_).fields) {
      columns_.fields.insert(name);
    }
    count_image_losses(holds_, image, options_, losses_);
    const std::vector<ExportLabel> labels = source_.labels(index);
    const auto [source, holds_all] = held_source(image.source_json);
    losses_.add(kImageSources, image.source_json.empty() || (labels.empty() && holds_all) ? 0 : 1);
    if (labels.empty()) {
      for (const auto& [name, value] : source) {
        columns_.unknown.insert(name);
      }
    }
    for (const ExportLabel& exported : labels) {
      count_label_losses(holds_, exported, image, losses_);
      const LabelText text = text_of_label(image, exported, losses_);
      has_masks_ |= !text.segmentation.empty();
      has_crowds_ |= exported.label.is_crowd;
      has_areas_ |= exported.label.area_px.has_value();
      has_label_tags_ |= !text.tags.empty();
      for (const auto& [name, value] : text.attributes) {
        columns_.attributes.insert(name);
      }
      for (const auto& [name, value] : text.unknown) {
        columns_.unknown.insert(name);
      }
      is_used_[static_cast<std::size_t>(exported.class_index)] = true;
    }
  }

  static std::string joined_tags(const std::vector<std::string>& tags, LossCounts& losses) {
    std::string out;
    for (const std::string& tag : tags) {
      if (tag.empty() || tag.find(';') != std::string::npos || tag.front() == ' ' || tag.back() == ' ') {
        losses.add(kTags);
        continue;
      }
      out.append(out.empty() ? "" : ";").append(tag);
    }
    return out;
  }

  static NamedValues values_of(std::string_view object, bool may_nest, LossCounts& losses) {
    NamedValues values;
    bool holds_all = true;
    for (const SourceField& field : source_fields(object)) {
      std::string key = decoded_key(field);
      const bool is_column = key.find('\0') == std::string::npos;
      holds_all &= is_column && values.emplace(std::move(key), csv_from_json(field.json, may_nest)).second;
    }
    losses.add(kUnusableNames, holds_all ? 0 : 1);
    return values;
  }

  /// The fields that have a place in the table, and whether those are all.
  static std::pair<NamedValues, bool> held_source(std::string_view source_json) {
    NamedValues values;
    bool holds_all = true;
    for (const SourceField& field : source_fields(source_json)) {
      std::string key = decoded_key(field);
      std::optional<std::string> text = text_from_json(field.json);
      const bool is_held = text && !text->empty() && text->find('\0') == std::string::npos && key.find('\0') == std::string::npos &&
                           csv_role(key) == CsvRole::unknown;
      holds_all &= is_held && values.emplace(std::move(key), std::move(*text)).second;
    }
    return {std::move(values), holds_all};
  }

  ImageText text_of_image(const ExportImage& image, LossCounts& losses) const {
    losses.add(kNames, is_utf8(image.name) ? 0 : 1);
    return {is_utf8(image.name) ? image.name : printable(image.name), joined_tags(image.tags, losses),
            values_of(image.fields_json, false, losses)};
  }

  LabelText text_of_label(const ExportImage& image, const ExportLabel& exported, LossCounts& losses) const {
    const Label& label = exported.label;
    LabelText text;
    if (label.mask) {
      text.segmentation = segmentation_of(*label.mask, image, losses);
    }
    text.tags = joined_tags(exported.tags, losses);
    text.attributes = values_of(label.attributes_json, true, losses);
    auto [source, holds_all] = held_source(label.source_json);
    losses.add(kLabelSources, holds_all ? 0 : 1);
    text.unknown = std::move(source);
    return text;
  }

  static std::string segmentation_of(const Mask& mask, const ExportImage& image, LossCounts& losses) {
    const auto* const rle = std::get_if<Rle>(&mask.shape);
    if (rle != nullptr &&
        (static_cast<std::int64_t>(rle->width) != image.width || static_cast<std::int64_t>(rle->height) != image.height)) {
      losses.add(kRunSizes);
      return {};
    }
    std::string text = text_of(mask);
    if (text.size() > CsvStream::kMaxFieldBytes) {
      losses.add(kLargeMasks);
      return {};
    }
    return text;
  }

  void write_header(CsvWriter& table) const {
    for (const char* const name : {"image", "image_width", "image_height", "split", "tags"}) {
      table.text(name);
    }
    if (has_unlabelled_) {
      table.text("labelled");
    }
    for (const char* const name : {"label", "x", "y", "w", "h", "confidence"}) {
      table.text(name);
    }
    for (const auto& [is_needed, name] : {std::pair(has_masks_, "segmentation"), std::pair(has_crowds_, "crowd"),
                                          std::pair(has_areas_, "area"), std::pair(has_label_tags_, "label_tags")}) {
      if (is_needed) {
        table.text(name);
      }
    }
    for (const std::string& name : columns_.attributes) {
      table.text(std::string(kCsvAttributePrefix) + name);
    }
    for (const std::string& name : columns_.fields) {
      table.text(std::string(kCsvFieldPrefix) + name);
    }
    for (const std::string& name : columns_.unknown) {
      table.text(name);
    }
    table.end_row();
  }

  /// One label, or an image without any.
  void write_row(CsvWriter& table, const ExportImage& image, const ImageText& image_text, const ExportLabel* exported,
                 const LabelText& text) const {
    table.text(image_text.name);
    const bool has_size = image.width > 0 && image.height > 0;
    for (const std::int32_t size : {image.width, image.height}) {
      has_size ? table.integer(size) : table.text("");
    }
    table.text(image.split).text(image_text.tags);
    if (has_unlabelled_) {
      table.text(image.state == SampleState::not_labelled ? "false" : "true");
    }
    const Label* const label = exported == nullptr ? nullptr : &exported->label;
    table.text(label == nullptr ? std::string_view() : classes_[static_cast<std::size_t>(exported->class_index)].name);
    const bool has_box = label != nullptr && label->kind != LabelKind::classification;
    for (const double Box::* const side : {&Box::x, &Box::y, &Box::w, &Box::h}) {
      table.number(has_box ? std::optional(label->box_xywh_px.*side) : std::nullopt);
    }
    table.number(label == nullptr ? std::nullopt : label->confidence);
    if (has_masks_) {
      table.text(text.segmentation);
    }
    if (has_crowds_) {
      table.text(label != nullptr && label->is_crowd ? "1" : "");
    }
    if (has_areas_) {
      table.number(label == nullptr ? std::nullopt : label->area_px);
    }
    if (has_label_tags_) {
      table.text(text.tags);
    }
    write_named(table, columns_.attributes, text.attributes);
    write_named(table, columns_.fields, image_text.fields);
    write_named(table, columns_.unknown, text.unknown);
    table.end_row();
  }

  static void write_named(CsvWriter& table, const std::set<std::string>& columns, const NamedValues& values) {
    for (const std::string& name : columns) {
      const auto at = values.find(name);
      table.text(at == values.end() ? std::string_view() : at->second);
    }
  }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::vector<bool> is_used_;
  NamedColumns columns_;
  bool has_unlabelled_ = false;
  bool has_masks_ = false;
  bool has_crowds_ = false;
  bool has_areas_ = false;
  bool has_label_tags_ = false;
  LossCounts losses_;
  WriteReport report_;
};

}  // namespace

std::vector<Loss> losses_of_csv(ExportSource& source, const WriteOptions& options) {
  return CsvTableWriter(source, options).losses();
}

void check_csv(const std::filesystem::path& path, const WriteOptions& options) {
  check_export_file(path, options, "a table", ".csv");
}

WriteReport write_csv(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options) {
  check_csv(path, options);
  CsvTableWriter writer(source, options);
  writer.plan();
  WriteReport report;
  replace_file(path, [&](int descriptor) { report = writer.write(descriptor, path); });
  return report;
}

}  // namespace verilabel
