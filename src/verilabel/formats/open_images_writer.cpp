#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/csv_stream.h"
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/open_images.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNoRows = "images without labels, labelled as empty or not, are left out: each row is a label";
constexpr std::string_view kSizeUnknown = "boxes of images whose size is not known are left out";
constexpr std::string_view kOutside = "boxes that lie wholly outside their image are left out";
constexpr std::string_view kClipped = "boxes that reach beyond their image are cut at its border";
constexpr std::string_view kNoConfidence = "labels without a confidence get 1, or 0 for a class that is absent from the image";
constexpr std::string_view kAbsentConfidence = "labels that say that a class is absent lose their confidence";
constexpr std::string_view kZeroConfidence =
    "classifications with a confidence of 0, which would say that the class is absent, are left out";
constexpr std::string_view kDegrees = "labels lose the degree of `occluded` or `truncated`: above 0 becomes true";
constexpr std::string_view kClassFields = "classes lose the fields of the file they came from, other than the id";
constexpr std::string_view kClassIds = "classes lose their id, because it is no text, as LabelName is";
constexpr std::string_view kNames = "image names that are not UTF-8 are written with \\xNN for a byte";

bool is_our_column(std::string_view name) {
  return name == "MaskPath" ||  // which makes another table of it
         std::find(std::begin(kOpenImagesColumns), std::end(kOpenImagesColumns), name) != std::end(kOpenImagesColumns);
}

/// One row of either table.
struct Row {
  bool is_box = false;
  std::int32_t class_index = 0;
  double confidence = 1;
  std::array<double, 4> x0_x1_y0_y1{};  ///< fractions
  std::array<int, std::size(kOpenImagesFlags)> flags{-1, -1, -1, -1};
  int group = 0;
  std::string source;
  std::map<std::string, std::string> more;  ///< columns that came with the label
};

/// A table in the folder of the export.
class OpenTable {
 public:
  explicit OpenTable(const fs::path& file) : descriptor_(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) {
      throw io_error("cannot create the file", file.native(), errno);
    }
    writer_ = std::make_unique<CsvWriter>(descriptor_, file);
  }
  OpenTable(const OpenTable&) = delete;
  OpenTable& operator=(const OpenTable&) = delete;
  ~OpenTable() { ::close(descriptor_); }
  CsvWriter& rows() { return *writer_; }

 private:
  int descriptor_;
  std::unique_ptr<CsvWriter> writer_;
};

class OpenImagesWriter {
 public:
  OpenImagesWriter(ExportSource& source, const WriteOptions& options)
      : source_(source), options_(options), holds_(format("open_images").holds), classes_(source.classes()) {
    if (options.images != ImageTransfer::reference) {
      throw Error(ErrorCode::wrong_use,
                  "the tables of Open Images have no place for images; leave them where they are (`reference`)");
    }
  }

  /// Names of images and classes, the columns that are needed, and all that is lost, before anything is written.
  void plan() {
    name_classes();
    std::vector<std::int64_t> written;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      // Those that are left out too: a reader looks for ids among all images of a project.
      ++uses_of_short_id_[short_id(image)];
      ++uses_of_long_id_[long_id(image)];
      if (is_left_out(image, options_)) {
        continue;
      }
      const std::vector<Row> rows = rows_of(index, image, losses_);
      if (rows.empty()) {
        losses_.add(kNoRows);
        continue;
      }
      check_split(image);
      count_image_losses(holds_, image, options_, losses_);
      losses_.add(kNames, is_utf8(image.name) ? 0 : 1);
      written.push_back(index);
      for (const Row& row : rows) {
        for (const auto& [name, value] : row.more) {
          (row.is_box ? box_columns_ : label_columns_).insert(name);
        }
      }
    }
    for (const std::int64_t index : written) {
      id_of(source_.image(index));  // throws when there is none
    }
    count_dataset_losses(holds_, source_, losses_);
  }

  std::vector<Loss> losses() {
    plan();
    return losses_.list();
  }

  WriteReport write(const fs::path& folder) {
    write_classes(folder);
    LossCounts counted_already;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      const ExportImage image = source_.image(index);
      const std::vector<Row> rows =
          is_left_out(image, options_) ? std::vector<Row>() : rows_of(index, image, counted_already, &report_);
      if (rows.empty()) {
        ++report_.images_left_out;
        continue;
      }
      const std::string id = id_of(image);
      for (const Row& row : rows) {
        write_row(table(folder, image.split, row.is_box), id, row);
      }
      report_.labels += static_cast<std::int64_t>(rows.size());
      ++report_.images;
    }
    if (tables_.empty()) {
      table(folder, "", true);  // which says that there is nothing
    }
    for (auto& [name, open] : tables_) {
      open->rows().flush();
    }
    report_image(options_, "writing", count, count);
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  /// The id that a class came with, else its name.
  void name_classes() {
    std::unordered_map<std::string, std::string> taken;
    for (const ExportClass& exported : classes_) {
      std::optional<std::string> id;
      bool has_other_fields = false;
      for (const SourceField& field : source_fields(exported.source_json)) {
        if (field.key == "id") {
          id = text_from_json(field.json);
          losses_.add(kClassIds, id ? 0 : 1);
        } else {
          has_other_fields = true;
        }
      }
      losses_.add(kClassFields, has_other_fields ? 1 : 0);
      label_names_.push_back(id && !id->empty() ? *id : exported.name);
      if (const auto [at, is_new] = taken.emplace(label_names_.back(), exported.name); !is_new) {
        throw Error(
            ErrorCode::wrong_use,
            fmt::format("the classes `{}` and `{}` would both be called {}; give one of them another name with --classes-map",
                        printable(at->second), printable(exported.name), printable(label_names_.back())));
      }
    }
  }

  static void check_split(const ExportImage& image) {
    if (image.split.find('/') != std::string::npos) {
      throw Error(ErrorCode::wrong_use, fmt::format("the split `{}` cannot begin the name of a file", printable(image.split)),
                  {{"image", printable(image.name)}});
    }
  }

  /// Without its extension.
  static std::string long_id(const ExportImage& image) {
    const std::string id = fs::path(image.name).replace_extension().native();
    return is_utf8(id) ? id : printable(id);
  }
  static std::string short_id(const ExportImage& image) { return fs::path(long_id(image)).filename().native(); }

  /// Ids have no extension; images of one name keep the folders that tell them apart, and where those do not, or the name ends like
  /// that of an image without its extension too, the extension. Throws when that is none of an image's, so that a reader would take
  /// it for a name without one.
  std::string id_of(const ExportImage& image) const {
    if (std::string id = short_id(image); uses_of_short_id_.at(id) == 1 && !is_image_name(id)) {
      return id;
    }
    if (std::string id = long_id(image); uses_of_long_id_.at(id) == 1 && !is_image_name(id)) {
      return id;
    }
    if (!is_image_name(image.name)) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("the id `{}` would fit several images; give the image another name, or export to another format",
                              printable(long_id(image))),
                  {{"image", printable(image.name)}});
    }
    return is_utf8(image.name) ? image.name : printable(image.name);
  }

  std::vector<Row> rows_of(std::int64_t index, const ExportImage& image, LossCounts& losses, WriteReport* report = nullptr) {
    std::vector<Row> rows;
    if (image.state != SampleState::labelled) {
      return rows;
    }
    for (const ExportLabel& exported : source_.labels(index)) {
      std::optional<Row> row;
      if (const auto reason = reason_to_leave_out(holds_, exported.label)) {
        losses.add(*reason);
      } else {
        row = exported.label.kind == LabelKind::classification ? label_row(exported, image, losses)
                                                               : box_row(exported, image, losses);
      }
      if (row) {
        rows.push_back(std::move(*row));
      } else if (report != nullptr) {
        ++report->labels_left_out;
      }
    }
    return rows;
  }

  /// Nothing when it is left out, which is counted.
  std::optional<Row> label_row(const ExportLabel& exported, const ExportImage& image, LossCounts& losses) const {
    const Label& label = exported.label;
    FormatHolds holds = holds_;
    holds.attributes = true;
    bool is_absent = false;
    for (const SourceField& field : source_fields(label.attributes_json)) {
      const bool is_presence = field.key == "present" && field.json == "false";
      is_absent |= is_presence;
      holds.attributes &= is_presence;
    }
    if (!is_absent && label.confidence == 0.0) {
      losses.add(kZeroConfidence);
      return std::nullopt;
    }
    Row row;
    row.class_index = exported.class_index;
    row.confidence = is_absent ? 0 : label.confidence.value_or(1);
    losses.add(kNoConfidence, label.confidence ? 0 : 1);
    losses.add(kAbsentConfidence, is_absent && label.confidence.value_or(0) != 0 ? 1 : 0);
    holds.ids_and_unknown_fields = take_source(label, row);
    count_label_losses(holds, exported, image, losses);
    return row;
  }

  std::optional<Row> box_row(const ExportLabel& exported, const ExportImage& image, LossCounts& losses) const {
    const Label& label = exported.label;
    if (image.width <= 0 || image.height <= 0) {
      losses.add(kSizeUnknown);
      return std::nullopt;
    }
    Row row;
    row.is_box = true;
    row.class_index = exported.class_index;
    const Box& box = label.box_xywh_px;
    row.x0_x1_y0_y1 = {box.x / image.width, (box.x + box.w) / image.width, box.y / image.height, (box.y + box.h) / image.height};
    bool is_clipped = false;
    for (double& edge : row.x0_x1_y0_y1) {
      is_clipped |= edge < 0 || edge > 1;
      edge = std::clamp(edge, 0.0, 1.0);
    }
    if (is_clipped && (row.x0_x1_y0_y1[0] >= row.x0_x1_y0_y1[1] || row.x0_x1_y0_y1[2] >= row.x0_x1_y0_y1[3])) {
      losses.add(kOutside);
      return std::nullopt;
    }
    losses.add(kClipped, is_clipped ? 1 : 0);
    row.confidence = label.confidence.value_or(1);
    losses.add(kNoConfidence, label.confidence ? 0 : 1);
    row.group = label.is_crowd ? 1 : 0;
    FormatHolds holds = holds_;
    holds.attributes = take_flags(label, row, losses);
    holds.ids_and_unknown_fields = take_source(label, row);
    count_label_losses(holds, exported, image, losses);
    return row;
  }

  /// Whether these are all attributes.
  static bool take_flags(const Label& label, Row& row, LossCounts& losses) {
    bool holds_all = true;
    bool has_degree = false;
    for (const SourceField& field : source_fields(label.attributes_json)) {
      const auto* const flag = std::find_if(std::begin(kOpenImagesFlags), std::end(kOpenImagesFlags),
                                            [&](const OpenImagesFlag& known) { return known.attribute == field.key; });
      if (flag == std::end(kOpenImagesFlags)) {
        holds_all = false;
        continue;
      }
      int& value = row.flags[static_cast<std::size_t>(flag - std::begin(kOpenImagesFlags))];
      double degree = 0;
      const std::string_view json = field.json;
      if (json == "true" || json == "false") {
        value = json == "true" ? 1 : 0;
      } else if (const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), degree);
                 error == std::errc() && end == json.data() + json.size()) {
        value = degree > 0 ? 1 : 0;
        has_degree = true;
      } else {
        holds_all = false;
      }
    }
    losses.add(kDegrees, has_degree ? 1 : 0);
    return holds_all;
  }

  /// The columns that the label came with; whether that is all it came with.
  static bool take_source(const Label& label, Row& row) {
    bool holds_all = true;
    for (const SourceField& field : source_fields(label.source_json)) {
      std::string key = text_from_json(fmt::format("\"{}\"", field.key)).value_or(std::string(field.key));
      std::optional<std::string> text = text_from_json(field.json);
      if (!text || text->empty() || text->find('\0') != std::string::npos || key.find('\0') != std::string::npos) {
        holds_all = false;
      } else if (key == "Source") {
        row.source = std::move(*text);
      } else if (key == "IsGroupOf" && row.is_box && row.group == 0 && *text == "-1") {
        row.group = -1;
      } else {
        holds_all &= !is_our_column(key) && row.more.emplace(std::move(key), std::move(*text)).second;
      }
    }
    return holds_all;
  }

  void write_classes(const fs::path& folder) const {
    if (classes_.empty()) {
      return;
    }
    OpenTable table(folder / kOpenImagesClasses);
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      table.rows().text(label_names_[i]).text(classes_[i].name).end_row();
    }
    table.rows().flush();
  }

  CsvWriter& table(const fs::path& folder, const std::string& split, bool is_box) {
    std::string name = split.empty() ? "" : (split == "val" ? "validation" : split) + "-";
    name += is_box ? kOpenImagesBoxes : kOpenImagesLabels;
    std::unique_ptr<OpenTable>& open = tables_[name];
    if (open == nullptr) {
      open = std::make_unique<OpenTable>(folder / name);
      const std::size_t columns = is_box ? std::size(kOpenImagesColumns) : 4;
      for (std::size_t i = 0; i < columns; ++i) {
        open->rows().text(kOpenImagesColumns[i]);
      }
      for (const std::string& column : is_box ? box_columns_ : label_columns_) {
        open->rows().text(column);
      }
      open->rows().end_row();
    }
    return open->rows();
  }

  void write_row(CsvWriter& table, const std::string& id, const Row& row) const {
    table.text(id).text(row.source).text(label_names_[static_cast<std::size_t>(row.class_index)]).number(row.confidence);
    if (row.is_box) {
      for (const double edge : row.x0_x1_y0_y1) {
        table.number(edge);
      }
      table.integer(row.flags[0]).integer(row.flags[1]).integer(row.group).integer(row.flags[2]).integer(row.flags[3]);
    }
    for (const std::string& column : row.is_box ? box_columns_ : label_columns_) {
      const auto at = row.more.find(column);
      table.text(at == row.more.end() ? std::string_view() : at->second);
    }
    table.end_row();
  }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::vector<std::string> label_names_;
  std::unordered_map<std::string, int> uses_of_short_id_;
  std::unordered_map<std::string, int> uses_of_long_id_;
  std::set<std::string> box_columns_;  ///< beside those of Open Images
  std::set<std::string> label_columns_;
  std::map<std::string, std::unique_ptr<OpenTable>> tables_;
  LossCounts losses_;
  WriteReport report_;
};

}  // namespace

std::vector<Loss> losses_of_open_images(ExportSource& source, const WriteOptions& options) {
  return OpenImagesWriter(source, options).losses();
}

WriteReport write_open_images(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  OpenImagesWriter writer(source, options);
  writer.plan();
  NewFolder folder(path);
  WriteReport report = writer.write(folder.path());
  folder.put_in_place();
  return report;
}

}  // namespace verilabel
