#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/csv_stream.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/number_text.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/row_fault.h"
#include "verilabel/formats/row_names.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatch = 1024;
constexpr std::size_t kRoles = static_cast<std::size_t>(CsvRole::unknown) + 1;

/// What boxes are called elsewhere: in fractions, from the centre, by their edges, all in one.
constexpr std::string_view kBoxWords[] = {"xmin",  "xmax", "ymin",     "ymax",     "x_min",   "x_max",  "y_min",
                                          "y_max", "bbox", "x_center", "y_center", "xcenter", "ycenter"};
constexpr std::string_view kBoxBeginnings[] = {"x1", "x2", "y1", "y2"};
constexpr std::string_view kBoxNames[] = {"left", "right", "top", "bottom", "cx", "cy", "box", "xc", "yc"};

bool looks_like_box(std::string_view column) {
  const std::string name = lowered(trimmed(column));
  return std::any_of(std::begin(kBoxWords), std::end(kBoxWords),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; }) ||
         std::any_of(std::begin(kBoxBeginnings), std::end(kBoxBeginnings),
                     [&](std::string_view word) { return name.starts_with(word); }) ||
         std::find(std::begin(kBoxNames), std::end(kBoxNames), name) != std::end(kBoxNames);
}

/// A column whose name is part of it.
struct NamedColumn {
  std::size_t column = 0;
  std::string name;
};

/// Which column means what.
struct Header {
  std::array<std::optional<std::size_t>, kRoles> columns;  ///< by role; the sizes are settled into box or image
  std::vector<NamedColumn> attributes;
  std::vector<NamedColumn> fields;
  std::vector<NamedColumn> unknown;
  std::vector<std::size_t> nameless;  ///< beyond the first, as spreadsheets leave them behind: nothing may stand there
  std::vector<std::size_t> of_image;  ///< what is said of the image, on each of its rows

  std::optional<std::size_t> operator[](CsvRole role) const { return columns[static_cast<std::size_t>(role)]; }
};

class HeaderReader {
 public:
  explicit HeaderReader(const CsvStream& stream) : stream_(stream) {}

  Header read() {
    for (std::size_t column = 0; column < stream_.header().size(); ++column) {
      take(column);
    }
    settle_sizes();
    check_boxes();
    for (const CsvRole role : {CsvRole::image, CsvRole::label}) {
      if (!header_[role]) {
        fail(fmt::format("no column names the {}; its columns are {}",
                         role == CsvRole::image ? "image (image, filename, file_name, path, image_path or image_id)"
                                                : "class (label, class, category or name)",
                         fmt::join(quoted_names(), ", ")));
      }
    }
    for (const CsvRole role : {CsvRole::image_width, CsvRole::image_height, CsvRole::split, CsvRole::tags, CsvRole::labelled}) {
      if (header_[role]) {
        header_.of_image.push_back(*header_[role]);
      }
    }
    for (const NamedColumn& field : header_.fields) {
      header_.of_image.push_back(field.column);
    }
    return std::move(header_);
  }

 private:
  [[noreturn]] void fail(std::string message) const { stream_.fail(1, std::move(message)); }

  std::string quoted_name(std::size_t column) const { return fmt::format("`{}`", printable(stream_.header()[column])); }
  std::vector<std::string> quoted_names() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < stream_.header().size(); ++i) {
      names.push_back(quoted_name(i));
    }
    return names;
  }

  void take(std::size_t column) {
    const std::string& name = stream_.header()[column];
    const CsvRole role = csv_role(name);
    if (role == CsvRole::attribute) {
      take_named(header_.attributes, column, name.substr(kCsvAttributePrefix.size()));
    } else if (role == CsvRole::field) {
      if (name.size() == kCsvFieldPrefix.size()) {
        fail(fmt::format("column {} is {}, without the name of the field; write it behind the dot, or rename the column",
                         column + 1, quoted_name(column)));
      }
      take_named(header_.fields, column, name.substr(kCsvFieldPrefix.size()));
    } else if (role == CsvRole::unknown && name.empty() && has_nameless_) {
      header_.nameless.push_back(column);
    } else if (role == CsvRole::unknown) {
      has_nameless_ |= name.empty();
      take_named(header_.unknown, column, name);
    } else {
      set(role, column);
    }
  }

  void take_named(std::vector<NamedColumn>& list, std::size_t column, std::string name) {
    const auto at = std::find_if(list.begin(), list.end(), [&](const NamedColumn& known) { return known.name == name; });
    if (at != list.end()) {
      fail(fmt::format("the columns {} and {} are both called {}; rename one of them", at->column + 1, column + 1,
                       quoted_name(column)));
    }
    list.push_back({column, std::move(name)});
  }

  void set(CsvRole role, std::size_t column) {
    std::optional<std::size_t>& place = header_.columns[static_cast<std::size_t>(role)];
    if (place) {
      fail(fmt::format("the columns {} and {} say the same thing; rename or remove one of them", quoted_name(*place),
                       quoted_name(column)));
    }
    place = column;
  }

  /// `width` and `height` are the box's beside `x` and `y` without sizes of their own, and the image's otherwise.
  void settle_sizes() {
    const bool is_of_box = header_[CsvRole::x] && header_[CsvRole::y] && !header_[CsvRole::w] && !header_[CsvRole::h];
    for (const auto& [size, of_box, of_image] : {std::tuple(CsvRole::size_width, CsvRole::w, CsvRole::image_width),
                                                 std::tuple(CsvRole::size_height, CsvRole::h, CsvRole::image_height)}) {
      if (const auto column = header_[size]) {
        set(is_of_box ? of_box : of_image, *column);
      }
    }
  }

  std::vector<std::size_t> present(std::initializer_list<CsvRole> roles) const {
    std::vector<std::size_t> columns;
    for (const CsvRole role : roles) {
      if (header_[role]) {
        columns.push_back(*header_[role]);
      }
    }
    return columns;
  }

  void check_boxes() const {
    const std::vector<std::size_t> sides = present({CsvRole::x, CsvRole::y, CsvRole::w, CsvRole::h});
    const std::vector<std::size_t> corners = present({CsvRole::xmin, CsvRole::ymin, CsvRole::xmax, CsvRole::ymax});
    if (!sides.empty() && !corners.empty()) {
      fail(fmt::format("the columns {} and {} belong to two forms of a box; keep xmin, ymin, xmax, ymax or x, y, w, h",
                       quoted_name(corners.back()), quoted_name(sides.back())));
    }
    const std::vector<std::size_t>& given = sides.empty() ? corners : sides;
    if (!given.empty() && given.size() < 4) {
      std::vector<std::string> names;
      for (const std::size_t column : given) {
        names.push_back(quoted_name(column));
      }
      fail(fmt::format("the box is not whole: {} without the rest of {}; width and height alone are those of the image",
                       fmt::join(names, ", "), sides.empty() ? "xmin, ymin, xmax, ymax" : "x, y, w, h"));
    }
    for (const NamedColumn& column : header_.unknown) {
      if (given.empty() && looks_like_box(column.name)) {
        fail(
            fmt::format("{} looks like part of a box, which is read only in pixels and from columns called xmin, ymin, xmax, ymax "
                        "or x, y, w, h; rename the column",
                        quoted_name(column.column)));
      }
    }
  }

  const CsvStream& stream_;
  Header header_;
  bool has_nameless_ = false;
};

bool flag_of(std::string_view text, const RowField& field) {
  for (const auto& [word, value] :
       {std::pair("1", true), std::pair("true", true), std::pair("TRUE", true), std::pair("True", true), std::pair("0", false),
        std::pair("false", false), std::pair("FALSE", false), std::pair("False", false)}) {
    if (text == word) {
      return value;
    }
  }
  throw RowFault{RejectionReason::malformed, name_of(field), fmt::format("`{}` is not true or false", shown(text))};
}

std::int32_t size_of(std::string_view text, const RowField& field) {
  const double size = finite_number(trimmed(text), field);
  if (size < 1 || size > std::numeric_limits<std::int32_t>::max() || size != static_cast<double>(static_cast<std::int32_t>(size))) {
    throw RowFault{RejectionReason::out_of_range, name_of(field),
                   fmt::format("`{}` is not a size of an image in whole pixels", shown(text))};
  }
  return static_cast<std::int32_t>(size);
}

/// `x y x y …; x y …`.
std::vector<Polygon> polygons_of(std::string_view text, const RowField& field) {
  std::vector<Polygon> polygons;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    Polygon polygon;
    for (std::size_t at = text.find_first_not_of(' ', begin); at < end; at = text.find_first_not_of(' ', at)) {
      const std::size_t number_end = std::min(text.find(' ', at), end);
      polygon.push_back(finite_number(text.substr(at, number_end - at), field));
      at = number_end;
    }
    if (polygon.size() < 6 || polygon.size() % 2 != 0) {
      throw RowFault{
          RejectionReason::malformed, name_of(field),
          fmt::format("polygon {} has {} numbers; an even count of at least 6 is needed", polygons.size() + 1, polygon.size())};
    }
    polygons.push_back(std::move(polygon));
    begin = end + 1;
  }
  return polygons;
}

/// `[n,n,…]`, as opposed to a string of COCO's: none ends with this character, which would announce another.
bool is_list_of_runs(std::string_view text) {
  return text.starts_with('[') && text.ends_with(']');
}

/// COCO's character string, or `[n,n,…]`.
Mask runs_from(std::string_view text, std::int32_t width, std::int32_t height, const RowField& field) {
  const auto rows = static_cast<std::uint32_t>(height);
  const auto columns = static_cast<std::uint32_t>(width);
  try {
    if (!is_list_of_runs(text)) {
      return Mask{rle_from_coco_string(text, rows, columns), true};
    }
    std::vector<std::uint32_t> counts;
    const std::string_view list = text.substr(1, text.size() - 2);
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t end = std::min(list.find(',', begin), list.size());
      std::uint32_t count = 0;
      const std::string_view number = trimmed(list.substr(begin, end - begin));
      const auto [parsed, error] = std::from_chars(number.data(), number.data() + number.size(), count);
      if (error != std::errc() || parsed != number.data() + number.size()) {
        throw Error(ErrorCode::bad_data, fmt::format("`{}` is not a run length", shown(number)));
      }
      counts.push_back(count);
      begin = end + 1;
    }
    return Mask{rle_from_counts(std::move(counts), rows, columns), false};
  } catch (const Error& error) {
    throw RowFault{RejectionReason::malformed, name_of(field), error.message()};
  }
}

/// A label whose image may not be announced yet.
struct PendingLabel {
  std::uint64_t line = 0;
  ImportedLabel imported;
  std::string runs;        ///< of a mask, which need the size of the image
  bool has_box = false;    ///< beside `runs`
  std::int32_t width = 0;  ///< of the image as the row states it, or 0
  std::int32_t height = 0;
};

class CsvReader {
 public:
  CsvReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : path_(path), options_(options), sink_(sink), stream_(path), header_(HeaderReader(stream_).read()), names_(sink, counts_) {}

  ReadCounts read() {
    if (!options_.split.empty() && !header_[CsvRole::split]) {
      throw Error(ErrorCode::wrong_use, fmt::format("there is no split `{}`; the file has no column `split`", options_.split),
                  {{"file", path_.native()}});
    }
    std::uint64_t rows = 0;
    while (stream_.next()) {
      if (rows++ % kBatch == 0) {
        report_bytes_read(options_, path_, stream_.bytes_consumed(), stream_.file_bytes());
      }
      read_row();
      if (pending_.size() >= kBatch || rows % (4 * kBatch) == 0) {
        hand_over();
      }
    }
    if (!options_.split.empty() && images_.empty()) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("there is no split `{}`; there is {}", options_.split, fmt::join(other_splits_, ", ")),
                  {{"file", path_.native()}});
    }
    hand_over();
    report_bytes_read(options_, path_, stream_.bytes_consumed(), stream_.file_bytes());
    return counts_;
  }

 private:
  /// What the first row of an image said of it.
  struct Stated {
    std::uint64_t line = 0;
    std::size_t hash = 0;
    bool is_labelled = true;
  };

  std::string_view text(CsvRole role) const {
    const auto column = header_[role];
    return column ? stream_.fields()[*column] : std::string_view();
  }
  RowField place(CsvRole role) const { return place(header_[role].value_or(0)); }
  RowField place(std::size_t column) const { return {column + 1, stream_.header()[column]}; }

  void read_row() {
    if (stream_.fault()) {
      reject_row(RejectedKind::label, "", *stream_.fault());
      return;
    }
    const std::span<const std::string_view> fields = stream_.fields();
    if (std::all_of(fields.begin(), fields.end(), [](std::string_view field) { return field.empty(); })) {
      return;  // a blank line, as spreadsheets write it
    }
    const std::string_view name = text(CsvRole::image);
    if (!options_.split.empty() && text(CsvRole::split) != options_.split) {
      constexpr std::size_t kSplitsNamed = 20;
      if (other_splits_.size() < kSplitsNamed) {
        other_splits_.emplace(text(CsvRole::split));
      }
      return;
    }
    try {
      if (name.empty()) {
        throw RowFault{RejectionReason::missing_field, name_of(place(CsvRole::image)), "the row names no image"};
      }
      for (const std::size_t column : header_.nameless) {
        if (!fields[column].empty()) {
          throw RowFault{RejectionReason::malformed, name_of(place(column)), "there is a value in a column without a name"};
        }
      }
      const std::int64_t image = image_of(name);
      if (is_of_image_only()) {
        keep_source_of_image(image, name);
        return;
      }
      if (text(CsvRole::label).empty()) {
        throw RowFault{RejectionReason::missing_field, name_of(place(CsvRole::label)), "the label has no class"};
      }
      if (!images_[static_cast<std::size_t>(image)].is_labelled) {
        throw RowFault{RejectionReason::malformed, header_[CsvRole::labelled] ? name_of(place(CsvRole::labelled)) : "",
                       fmt::format("line {} says that the image is not labelled", images_[static_cast<std::size_t>(image)].line)};
      }
      PendingLabel pending = label_of_row();
      pending.imported.image = image;
      pending.imported.class_index = static_cast<std::int32_t>(names_.class_named(text(CsvRole::label)).index);
      pending_.push_back(std::move(pending));
    } catch (const RowFault& fault) {
      reject_row(RejectedKind::label, std::string(name), fault);
    }
  }

  /// Nothing is said of a label.
  bool is_of_image_only() const {
    for (const CsvRole role :
         {CsvRole::label, CsvRole::x, CsvRole::y, CsvRole::w, CsvRole::h, CsvRole::xmin, CsvRole::ymin, CsvRole::xmax,
          CsvRole::ymax, CsvRole::segmentation, CsvRole::confidence, CsvRole::crowd, CsvRole::area, CsvRole::label_tags}) {
      if (!text(role).empty()) {
        return false;
      }
    }
    return std::all_of(header_.attributes.begin(), header_.attributes.end(),
                       [&](const NamedColumn& attribute) { return stream_.fields()[attribute.column].empty(); });
  }

  /// The image of the row; on its first row, with all that is said of it. What later rows say otherwise is rejected.
  std::int64_t image_of(std::string_view name) {
    const RowNames::Found found = names_.image(name);
    std::size_t hash = 0;
    bool says_something = false;
    for (const std::size_t column : header_.of_image) {
      const std::string_view field = stream_.fields()[column];
      says_something |= !field.empty();
      hash = hash * 1'000'003 + std::hash<std::string_view>()(field);
    }
    if (found.is_new) {
      fill_image(names_.new_image());
      images_.push_back({stream_.line(), hash, names_.new_image().is_labelled});
    } else if (const Stated& stated = images_[static_cast<std::size_t>(found.index)]; says_something && stated.hash != hash) {
      reject_row(RejectedKind::field, std::string(name),
                 {RejectionReason::duplicate_id, "",
                  fmt::format("what the row says of its image ({}) is not what line {} says, which is kept",
                              fmt::join(image_columns(), ", "), stated.line)});
    }
    return found.index;
  }

  std::vector<std::string_view> image_columns() const {
    std::vector<std::string_view> names;
    for (const std::size_t column : header_.of_image) {
      names.emplace_back(stream_.header()[column]);
    }
    return names;
  }

  void fill_image(SourceImage& image) {
    const fs::path path(image.name);
    image.form = path.extension().empty() ? NameForm::whole_or_stem : NameForm::whole;
    if (path.is_absolute()) {
      image.path = image.name;
    }
    image.split = text(CsvRole::split);
    image.tags = parts_from_csv(text(CsvRole::tags));
    const auto optional_part = [&](auto&& take) {
      try {
        take();
      } catch (const RowFault& fault) {
        reject_row(RejectedKind::field, image.name, fault);
      }
    };
    optional_part([&] {
      if (!text(CsvRole::image_width).empty() || !text(CsvRole::image_height).empty()) {
        const std::int32_t width = size_of(text(CsvRole::image_width), place(CsvRole::image_width));
        image.height = size_of(text(CsvRole::image_height), place(CsvRole::image_height));
        image.width = width;
      }
    });
    optional_part([&] {
      if (!text(CsvRole::labelled).empty()) {
        image.is_labelled = flag_of(text(CsvRole::labelled), place(CsvRole::labelled));
      }
    });
    image.fields_json = object_of(header_.fields, [&](std::string_view value, std::size_t column) {
      std::optional<std::string> json;
      optional_part([&] { json = value_of(value, column, false); });
      return json;
    });
  }

  /// The JSON of a value. Throws `RowFault` when no double holds a number in it, and for a key that stands twice.
  std::string value_of(std::string_view text, std::size_t column, bool may_nest) const {
    std::string json = json_from_csv(text, may_nest);
    if (const std::string_view number = first_too_large(json); !number.empty()) {
      throw RowFault{RejectionReason::out_of_range, name_of(place(column)),
                     fmt::format("`{}` is not a number that can be represented; a text stands in JSON's quotes", shown(number))};
    }
    try {
      require_single_keys(JsonValue(json, name_of(place(column))));
    } catch (const ElementFault& fault) {
      throw RowFault{fault.reason, fault.field, fault.message};
    }
    return json;
  }

  /// The columns that are not empty, and have a value, as a JSON object, or an empty text.
  template <typename ToJson>
  std::string object_of(const std::vector<NamedColumn>& columns, ToJson&& to_json) const {
    std::string out;
    JsonWriter json(out);
    for (const NamedColumn& column : columns) {
      const std::string_view text = stream_.fields()[column.column];
      if (const std::optional<std::string> value = text.empty() ? std::nullopt : to_json(text, column.column)) {
        if (out.empty()) {
          json.begin_object();
        }
        json.key(column.name).raw(*value);
      }
    }
    if (!out.empty()) {
      json.end_object();
    }
    return out;
  }

  std::string unknown_columns() const {
    return object_of(header_.unknown, [](std::string_view value, std::size_t) {
      std::string out;
      JsonWriter(out).value(value);
      return std::optional(std::move(out));
    });
  }

  void keep_source_of_image(std::int64_t image, std::string_view name) {
    std::string source = unknown_columns();
    if (source.empty()) {
      return;
    }
    if (images_[static_cast<std::size_t>(image)].line == stream_.line()) {
      names_.new_image().source_json = std::move(source);
    } else {
      reject_row(RejectedKind::field, std::string(name),
                 {RejectionReason::duplicate_id, "",
                  fmt::format("the row has no label, and line {} has described its image; its other columns are not kept",
                              images_[static_cast<std::size_t>(image)].line)});
    }
  }

  PendingLabel label_of_row() {
    PendingLabel pending;
    pending.line = stream_.line();
    Label& label = pending.imported.label;
    label.kind = LabelKind::classification;
    if (const std::optional<Box> box = box_of_row()) {
      label.kind = LabelKind::box;
      label.box_xywh_px = *box;
      pending.has_box = true;
    }
    if (const std::string_view segmentation = trimmed(text(CsvRole::segmentation)); !segmentation.empty()) {
      label.kind = LabelKind::mask;
      if (!is_list_of_runs(segmentation) && segmentation.find(' ') != std::string_view::npos) {
        label.mask = Mask{polygons_of(segmentation, place(CsvRole::segmentation))};
        label.box_xywh_px = pending.has_box ? label.box_xywh_px : mask_box(*label.mask);
      } else {
        pending.runs = segmentation;
        state_size(pending);
      }
    }
    if (const std::string_view confidence = trimmed(text(CsvRole::confidence)); !confidence.empty()) {
      label.confidence = finite_number(confidence, place(CsvRole::confidence));
    }
    if (const std::string_view crowd = trimmed(text(CsvRole::crowd)); !crowd.empty()) {
      label.is_crowd = flag_of(crowd, place(CsvRole::crowd));
    }
    if (const std::string_view area = trimmed(text(CsvRole::area)); !area.empty()) {
      label.area_px = finite_number(area, place(CsvRole::area));
      if (*label.area_px < 0) {
        throw RowFault{RejectionReason::out_of_range, name_of(place(CsvRole::area)),
                       fmt::format("the area {} is negative", *label.area_px)};
      }
    }
    label.attributes_json = object_of(header_.attributes, [&](std::string_view value, std::size_t column) {
      return std::optional(value_of(value, column, true));
    });
    label.source_json = unknown_columns();
    pending.imported.tags = parts_from_csv(text(CsvRole::label_tags));
    return pending;
  }

  void state_size(PendingLabel& pending) const {
    try {
      const std::int32_t width = size_of(text(CsvRole::image_width), place(CsvRole::image_width));
      pending.height = size_of(text(CsvRole::image_height), place(CsvRole::image_height));
      pending.width = width;
    } catch (const RowFault&) {
      return;  // the row states no size, or one that was rejected with the image: the project's is asked for
    }
  }

  /// Nothing when all four columns are empty or there are none.
  std::optional<Box> box_of_row() const {
    const bool has_corners = header_[CsvRole::xmin].has_value();
    if (!has_corners && !header_[CsvRole::x]) {
      return std::nullopt;
    }
    const std::array<CsvRole, 4> roles = has_corners ? std::array{CsvRole::xmin, CsvRole::ymin, CsvRole::xmax, CsvRole::ymax}
                                                     : std::array{CsvRole::x, CsvRole::y, CsvRole::w, CsvRole::h};
    std::array<double, 4> numbers{};
    std::size_t given = 0;
    for (const CsvRole role : roles) {
      given += trimmed(text(role)).empty() ? 0 : 1;
    }
    if (given == 0) {
      return std::nullopt;
    }
    for (std::size_t i = 0; i < roles.size(); ++i) {
      const std::string_view number = trimmed(text(roles[i]));
      if (number.empty()) {
        throw RowFault{RejectionReason::missing_field, name_of(place(roles[i])), "this number of the box is missing"};
      }
      numbers[i] = finite_number(number, place(roles[i]));
      if (!has_corners && i >= 2 && numbers[i] < 0) {
        throw RowFault{RejectionReason::out_of_range, name_of(place(roles[i])),
                       fmt::format("the {} {} is negative", i == 2 ? "width" : "height", numbers[i])};
      }
    }
    if (has_corners) {
      return box_from_corners(numbers[0], numbers[1], numbers[2], numbers[3], place(CsvRole::xmax), place(CsvRole::ymax));
    }
    return Box{numbers[0], numbers[1], numbers[2], numbers[3]};
  }

  void hand_over() {
    names_.announce();
    std::vector<ImportedLabel> labels;
    labels.reserve(pending_.size());
    for (PendingLabel& pending : pending_) {
      try {
        const ResolvedImage resolved = names_.resolved(pending.imported.image);
        check_resolved(resolved);
        if (!pending.runs.empty()) {
          complete_runs(pending, resolved);
        }
        if (auto fault = fault_of(pending.imported.label)) {
          throw RowFault{RejectionReason::malformed, "", std::move(*fault)};
        }
        labels.push_back(std::move(pending.imported));
      } catch (const RowFault& fault) {
        reject(sink_, counts_, RejectedKind::label, {path_.native(), pending.line, names_.name_of_image(pending.imported.image)},
               fault);
      }
    }
    pending_.clear();
    if (!labels.empty()) {
      counts_.labels += static_cast<std::int64_t>(labels.size());
      sink_.on_labels(std::move(labels));
    }
  }

  void complete_runs(PendingLabel& pending, const ResolvedImage& resolved) const {
    Label& label = pending.imported.label;
    const bool is_stated = pending.width > 0;
    if (!is_stated && (!resolved.width || !resolved.height)) {
      throw RowFault{RejectionReason::image_size_unknown, name_of(place(CsvRole::segmentation)),
                     "run lengths need the size of the image: import the image first, or add image_width and image_height"};
    }
    label.mask = runs_from(pending.runs, is_stated ? pending.width : *resolved.width, is_stated ? pending.height : *resolved.height,
                           place(CsvRole::segmentation));
    if (!pending.has_box) {
      label.box_xywh_px = mask_box(*label.mask);
    }
  }

  void reject_row(RejectedKind kind, std::string image, RowFault fault) {
    reject(sink_, counts_, kind, {path_.native(), stream_.line(), std::move(image)}, fault);
  }

  fs::path path_;
  const ReadOptions& options_;
  ImportSink& sink_;
  CsvStream stream_;
  Header header_;
  ReadCounts counts_;
  RowNames names_;
  std::vector<Stated> images_;
  std::vector<PendingLabel> pending_;
  std::set<std::string> other_splits_;
};

}  // namespace

ReadCounts read_csv(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  if (fs::is_directory(path)) {
    throw Error(ErrorCode::wrong_use, "a table is one file and this is a folder; name a .csv file", {{"path", path.native()}});
  }
  return CsvReader(path, options, sink).read();
}

}  // namespace verilabel
