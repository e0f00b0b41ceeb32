#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/csv_stream.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/open_images.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/row_fault.h"
#include "verilabel/formats/row_names.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatch = 4096;
/// How far a fraction may lie outside [0, 1]: what rounding to six decimals can do.
constexpr double kTolerance = 1e-6;

enum class TableKind : std::uint8_t { boxes, labels, classes, masks, other };

struct Table {
  fs::path file;
  TableKind kind = TableKind::other;
  std::string split;
};

bool has_labels(const Table& table) {
  return table.kind == TableKind::boxes || table.kind == TableKind::labels;
}

bool has_column(const CsvStream& stream, std::string_view name) {
  return std::find(stream.header().begin(), stream.header().end(), name) != stream.header().end();
}

/// The names of the classes, mostly without a header.
bool is_of_class_names(const fs::path& file) {
  return file.filename().native().find("class-descriptions") != std::string::npos;
}

/// In a first row that is no header the name of the class may hold any separator, the label's own name (/m/…) before it none.
CsvStream::Separator separator_of(const fs::path& file) {
  return is_of_class_names(file) ? CsvStream::Separator::first : CsvStream::Separator::most_frequent;
}

TableKind kind_of(const CsvStream& stream, const fs::path& file) {
  if (has_column(stream, "MaskPath")) {
    return TableKind::masks;
  }
  if (has_column(stream, "ImageID") && has_column(stream, "LabelName")) {
    const auto corners = {"XMin", "XMax", "YMin", "YMax"};
    const bool is_boxes = std::all_of(corners.begin(), corners.end(), [&](const char* name) { return has_column(stream, name); });
    return is_boxes ? TableKind::boxes : TableKind::labels;
  }
  return is_of_class_names(file) || (has_column(stream, "LabelName") && has_column(stream, "DisplayName")) ? TableKind::classes
                                                                                                           : TableKind::other;
}

/// What stands before the table's own name, as in `train-annotations-bbox.csv`; else a word of the name that is a split.
std::string split_of_file(const fs::path& file) {
  std::string name = file.stem().native();
  const auto our_name = [](std::string_view split) { return std::string(split == "validation" ? "val" : split); };
  if (name.starts_with("oidv") && name.find('-') != std::string::npos) {
    name.erase(0, name.find('-') + 1);
  }
  for (const std::string_view own : {"annotations-bbox", "annotations-human-imagelabels-boxable", "annotations-human-imagelabels",
                                     "annotations-machine-imagelabels"}) {
    if (name == own) {
      return {};
    }
    if (name.ends_with(own) && name.size() > own.size() + 1 && name[name.size() - own.size() - 1] == '-') {
      return our_name(std::string_view(name).substr(0, name.size() - own.size() - 1));
    }
  }
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find_first_of("-_.", begin), name.size());
    const std::string_view word = std::string_view(name).substr(begin, end - begin);
    if (word == "train" || word == "validation" || word == "val" || word == "test") {
      return our_name(word);
    }
    begin = end + 1;
  }
  return {};
}

/// Where the columns of one table are.
struct Columns {
  explicit Columns(const CsvStream& stream) {
    for (std::size_t i = 0; i < stream.header().size(); ++i) {
      const auto* const at = std::find(std::begin(kOpenImagesColumns), std::end(kOpenImagesColumns), stream.header()[i]);
      if (at == std::end(kOpenImagesColumns)) {
        unknown.push_back(i);
        continue;
      }
      std::optional<std::size_t>& place = known[static_cast<std::size_t>(at - std::begin(kOpenImagesColumns))];
      if (place) {
        stream.fail(1, fmt::format("the column `{}` is there twice", *at));
      }
      place = i;
    }
  }

  std::optional<std::size_t> operator[](std::string_view name) const {
    const auto* const at = std::find(std::begin(kOpenImagesColumns), std::end(kOpenImagesColumns), name);
    assert(at != std::end(kOpenImagesColumns));
    return known[static_cast<std::size_t>(at - std::begin(kOpenImagesColumns))];
  }

  std::array<std::optional<std::size_t>, std::size(kOpenImagesColumns)> known;
  std::vector<std::size_t> unknown;
};

/// The places that every row is asked for, looked up once a table.
struct RowColumns {
  explicit RowColumns(const Columns& columns)
      : image(*columns["ImageID"]),
        name(*columns["LabelName"]),
        source(columns["Source"]),
        confidence(columns["Confidence"]),
        group(columns["IsGroupOf"]),
        corners{columns["XMin"], columns["YMin"], columns["XMax"], columns["YMax"]},
        unknown(columns.unknown) {
    for (std::size_t i = 0; i < std::size(kOpenImagesFlags); ++i) {
      flags[i] = columns[kOpenImagesFlags[i].column];
    }
  }

  std::size_t image;
  std::size_t name;
  std::optional<std::size_t> source;
  std::optional<std::size_t> confidence;
  std::optional<std::size_t> group;
  std::array<std::optional<std::size_t>, 4> corners;
  std::array<std::optional<std::size_t>, std::size(kOpenImagesFlags)> flags;
  std::vector<std::size_t> unknown;
};

/// A label whose image may not be announced yet; the box of a box is still in fractions.
struct PendingLabel {
  std::uint64_t line = 0;
  ImportedLabel imported;
};

class OpenImagesReader {
 public:
  OpenImagesReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : path_(path), options_(options), sink_(sink), names_(sink, counts_) {}

  ReadCounts read() {
    find_tables();
    check_split();
    for (const Table& table : tables_) {
      if (table.kind == TableKind::classes) {
        read_classes(table.file);
      }
    }
    announce_classes();
    for (const Table& table : tables_) {
      if (has_labels(table)) {
        read_labels(table);
      }
    }
    return counts_;
  }

 private:
  static Table table_of(const fs::path& file) {
    const CsvStream stream(file, separator_of(file));
    return {file, kind_of(stream, file), split_of_file(file)};
  }

  void find_tables() {
    if (!fs::exists(path_)) {
      throw Error(ErrorCode::not_found, "there is no such file or folder", {{"path", path_.native()}});
    }
    if (fs::is_directory(path_)) {
      for (const fs::path& file : entries_of(path_)) {
        if (file.extension() == ".csv" && fs::is_regular_file(file)) {
          tables_.push_back(table_of(file));
        }
      }
    } else {
      find_tables_beside();
    }
    if (std::none_of(tables_.begin(), tables_.end(), has_labels)) {
      throw Error(
          ErrorCode::bad_data,
          "there is no table of Open Images: boxes have the columns ImageID, LabelName, XMin, XMax, YMin and YMax, labels of "
          "images ImageID, LabelName and Confidence",
          {{"path", path_.native()}});
    }
    for (const Table& table : tables_) {
      if (table.kind == TableKind::masks || table.kind == TableKind::other) {
        reject_table(table);
      }
    }
  }

  /// A table that is named brings the names of the classes, and if it has boxes the image labels of its split, from its folder.
  void find_tables_beside() {
    const fs::path own = fs::absolute(path_).lexically_normal();
    const Table named = table_of(own);
    tables_.push_back(named);
    for (const fs::path& file : entries_of(own.parent_path())) {
      const bool may_belong = is_of_class_names(file) || (named.kind == TableKind::boxes &&
                                                          file.filename().native().find("imagelabels") != std::string::npos &&
                                                          split_of_file(file) == named.split);
      if (file != own && file.extension() == ".csv" && may_belong && fs::is_regular_file(file)) {
        const Table table = table_of(file);
        if (table.kind == TableKind::classes || table.kind == TableKind::labels) {
          tables_.push_back(table);
        }
      }
    }
  }

  void reject_table(const Table& table) {
    std::uint64_t rows = 0;
    CsvStream stream(table.file);
    while (stream.next()) {
      ++rows;
      if (rows % kBatch == 0) {
        report_bytes_read(options_, path_, stream.bytes_consumed(), stream.file_bytes());
      }
    }
    reject(
        sink_, counts_, RejectedKind::field, {table.file.native(), 1, {}},
        {RejectionReason::unreadable_file, table.kind == TableKind::masks ? "MaskPath" : "",
         table.kind == TableKind::masks
             ? fmt::format("{} segmentations in files of their own (MaskPath) are not supported; they are passed over", rows)
             : fmt::format("the table holds neither boxes nor labels of images nor names of classes; its {} rows are passed over",
                           rows)});
  }

  void check_split() {
    if (options_.split.empty()) {
      return;
    }
    const std::string_view wanted = options_.split == "validation" ? std::string_view("val") : std::string_view(options_.split);
    std::vector<std::string> others;
    std::erase_if(tables_, [&](const Table& table) {
      const bool is_other = has_labels(table) && table.split != wanted;
      if (is_other && !table.split.empty()) {
        others.push_back(table.split);
      }
      return is_other;
    });
    if (std::none_of(tables_.begin(), tables_.end(), has_labels)) {
      std::sort(others.begin(), others.end());
      others.erase(std::unique(others.begin(), others.end()), others.end());
      throw Error(ErrorCode::wrong_use,
                  others.empty() ? fmt::format("there is no split `{}`; no table's name begins with one", options_.split)
                                 : fmt::format("there is no split `{}`; there is {}", options_.split, fmt::join(others, ", ")),
                  {{"path", path_.native()}});
    }
  }

  /// Two columns, the name of the label and what people call it; mostly without a header.
  void read_classes(const fs::path& file) {
    CsvStream stream(file, separator_of(file));
    if (stream.header().size() != 2) {
      stream.fail(1, "names of classes are two columns: the name of the label (/m/…) and the name of the class");
    }
    if (stream.header()[0] != "LabelName") {
      take_class(file, 1, stream.header()[0], stream.header()[1]);
    }
    while (stream.next()) {
      if (stream.fault()) {
        reject(sink_, counts_, RejectedKind::label_class, {file.native(), stream.line(), {}}, *stream.fault());
      } else {
        take_class(file, stream.line(), stream.fields()[0], stream.fields()[1]);
      }
    }
  }

  void take_class(const fs::path& file, std::uint64_t line, std::string_view label_name, std::string_view name) {
    const auto fault = [&](RejectionReason reason, std::string message) {
      reject(sink_, counts_, RejectedKind::label_class, {file.native(), line, {}}, {reason, "", std::move(message)});
    };
    if (label_name.empty() || name.empty()) {
      fault(RejectionReason::missing_field, "the name of the label or that of the class is missing");
    } else if (const auto [at, is_new] = name_of_label_.emplace(label_name, name); !is_new) {
      if (at->second != name) {
        fault(RejectionReason::duplicate_id,
              fmt::format("`{}` has the name `{}` already, which it keeps", shown(label_name), shown(at->second)));
      }
    } else {
      if (!class_names_.emplace(name).second) {
        fault(RejectionReason::duplicate_name, fmt::format("two classes have the name `{}`; they become one", shown(name)));
      }
      class_order_.emplace_back(label_name);
    }
  }

  void announce_classes() {
    for (const std::string& label_name : class_order_) {
      class_of(label_name);
    }
    names_.announce();
  }

  std::int64_t class_of(std::string_view label_name) {
    const RowNames::Found found = names_.class_named(label_name);
    if (found.is_new) {
      SourceClass& source = names_.new_class();
      JsonWriter(source.source_id).value(label_name);
      source.source_json = fmt::format("{{\"id\":{}}}", source.source_id);
      const auto described = name_of_label_.find(source.name);
      if (described != name_of_label_.end()) {
        source.name = described->second;
      }
    }
    return found.index;
  }

  void read_labels(const Table& table) {
    CsvStream stream(table.file);
    const RowColumns columns{Columns(stream)};
    std::uint64_t rows = 0;
    while (stream.next()) {
      if (rows++ % kBatch == 0) {
        report_bytes_read(options_, path_, stream.bytes_consumed(), stream.file_bytes());
        hand_over(table);
      }
      if (stream.fault()) {
        reject(sink_, counts_, RejectedKind::label, {table.file.native(), stream.line(), {}}, *stream.fault());
        continue;
      }
      const std::string_view image = stream.fields()[columns.image];
      try {
        pending_.push_back(label_of(stream, columns, table, image));
      } catch (const RowFault& fault) {
        reject(sink_, counts_, RejectedKind::label, {table.file.native(), stream.line(), std::string(image)}, fault);
      }
    }
    hand_over(table);
    report_bytes_read(options_, path_, stream.bytes_consumed(), stream.file_bytes());
  }

  std::int64_t image_of(std::string_view id, const Table& table) {
    if (id != last_image_ || last_index_ < 0) {
      const RowNames::Found found = names_.image(id);
      if (found.is_new) {
        SourceImage& image = names_.new_image();
        image.form = is_image_name(image.name) ? NameForm::whole : NameForm::stem;
        image.split = table.split;
      }
      last_image_ = id;
      last_index_ = found.index;
    }
    return last_index_;
  }

  PendingLabel label_of(const CsvStream& stream, const RowColumns& columns, const Table& table, std::string_view image) {
    const auto text = [&](std::optional<std::size_t> column) { return column ? stream.fields()[*column] : std::string_view(); };
    const auto place = [&](std::optional<std::size_t> column) {
      return RowField{column.value_or(0) + 1, stream.header()[column.value_or(0)]};
    };
    for (const std::size_t column : {columns.image, columns.name}) {
      if (stream.fields()[column].empty()) {
        throw RowFault{RejectionReason::missing_field, name_of(place(column)), "the row lacks it"};
      }
    }
    PendingLabel pending;
    pending.line = stream.line();
    Label& label = pending.imported.label;
    if (!text(columns.confidence).empty()) {
      label.confidence = finite_number(text(columns.confidence), place(columns.confidence));
    }
    std::string unknown_group;
    if (table.kind == TableKind::labels) {
      label.kind = LabelKind::classification;
      if (label.confidence == 0.0) {
        label.attributes_json = R"({"present":false})";
      }
    } else {
      std::array<double, 4> corners{};
      for (std::size_t i = 0; i < corners.size(); ++i) {
        corners[i] = fraction_of(text(columns.corners[i]), place(columns.corners[i]));
      }
      label.box_xywh_px =
          box_from_corners(corners[0], corners[1], corners[2], corners[3], place(columns.corners[2]), place(columns.corners[3]));
      label.attributes_json = attributes_of(columns, text, place);
      const std::optional<bool> is_group = flag_of(text(columns.group), place(columns.group));
      label.is_crowd = is_group.value_or(false);
      unknown_group = is_group ? std::string_view() : text(columns.group);
    }
    label.source_json = source_of(stream, columns, unknown_group);
    pending.imported.image = image_of(image, table);
    pending.imported.class_index = static_cast<std::int32_t>(class_of(stream.fields()[columns.name]));
    return pending;
  }

  static double fraction_of(std::string_view text, const RowField& field) {
    const double value = finite_number(text, field);
    if (value < -kTolerance || value > 1 + kTolerance) {
      throw RowFault{RejectionReason::out_of_range, name_of(field),
                     fmt::format("{} is not between 0 and 1: coordinates are fractions of the image's width and height", value)};
    }
    return value;
  }

  /// Nothing for −1, and where nothing stands.
  static std::optional<bool> flag_of(std::string_view text, const RowField& field) {
    if (text == "1" || text == "0") {
      return text == "1";
    }
    if (text.empty() || text == "-1") {
      return std::nullopt;
    }
    throw RowFault{RejectionReason::malformed, name_of(field), fmt::format("`{}` is not 1, 0 or -1 for unknown", shown(text))};
  }

  template <typename Text, typename Place>
  static std::string attributes_of(const RowColumns& columns, const Text& text, const Place& place) {
    std::string out;
    JsonWriter json(out);
    for (std::size_t i = 0; i < columns.flags.size(); ++i) {
      if (const std::optional<bool> flag = flag_of(text(columns.flags[i]), place(columns.flags[i]))) {
        if (out.empty()) {
          json.begin_object();
        }
        json.field(kOpenImagesFlags[i].attribute, *flag);
      }
    }
    if (!out.empty()) {
      json.end_object();
    }
    return out;
  }

  /// What has no place in a label of ours, as texts by the names of the columns.
  static std::string source_of(const CsvStream& stream, const RowColumns& columns, std::string_view unknown_group) {
    std::string out;
    JsonWriter json(out);
    const auto add = [&](std::string_view name, std::string_view value) {
      if (!value.empty()) {
        if (out.empty()) {
          json.begin_object();
        }
        json.field(name, value);
      }
    };
    add("Source", columns.source ? stream.fields()[*columns.source] : std::string_view());
    add("IsGroupOf", unknown_group);
    for (const std::size_t column : columns.unknown) {
      add(stream.header()[column], stream.fields()[column]);
    }
    if (!out.empty()) {
      json.end_object();
    }
    return out;
  }

  void hand_over(const Table& table) {
    names_.announce();
    std::vector<ImportedLabel> labels;
    labels.reserve(pending_.size());
    for (PendingLabel& pending : pending_) {
      try {
        const ResolvedImage resolved = names_.resolved(pending.imported.image);
        check_resolved(resolved);
        if (pending.imported.label.kind == LabelKind::box) {
          if (!resolved.width || !resolved.height) {
            throw RowFault{RejectionReason::image_size_unknown, "",
                           "coordinates are fractions of an image whose size is not known: import the image first"};
          }
          Box& box = pending.imported.label.box_xywh_px;
          box = {box.x * *resolved.width, box.y * *resolved.height, box.w * *resolved.width, box.h * *resolved.height};
        }
        labels.push_back(std::move(pending.imported));
      } catch (const RowFault& fault) {
        reject(sink_, counts_, RejectedKind::label,
               {table.file.native(), pending.line, names_.name_of_image(pending.imported.image)}, fault);
      }
    }
    pending_.clear();
    if (!labels.empty()) {
      counts_.labels += static_cast<std::int64_t>(labels.size());
      sink_.on_labels(std::move(labels));
    }
  }

  fs::path path_;
  const ReadOptions& options_;
  ImportSink& sink_;
  ReadCounts counts_;
  RowNames names_;
  std::vector<Table> tables_;
  std::unordered_map<std::string, std::string> name_of_label_;
  std::unordered_set<std::string> class_names_;
  std::vector<std::string> class_order_;  ///< names of labels
  std::vector<PendingLabel> pending_;
  std::string last_image_;  ///< rows of one image mostly come together
  std::int64_t last_index_ = -1;
};

}  // namespace

ReadCounts read_open_images(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return OpenImagesReader(path, options, sink).read();
}

}  // namespace verilabel
