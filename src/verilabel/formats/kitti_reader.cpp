#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/kitti.h"
#include "verilabel/formats/label_files.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/row_fault.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatch = 1024;
constexpr std::uint64_t kMaxListBytes = std::uint64_t{1} << 30;

constexpr std::size_t kColumns = 15;  // without the score
constexpr std::array<std::string_view, kColumns + 1> kColumnNames = {"type",  "truncated", "occluded",   "alpha", "left",   "top",
                                                                     "right", "bottom",    "height",     "width", "length", "x",
                                                                     "y",     "z",         "rotation_y", "score"};
constexpr std::size_t kType = 0;
constexpr std::size_t kTruncated = 1;
constexpr std::size_t kOccluded = 2;
constexpr std::size_t kAlpha = 3;
constexpr std::size_t kLeft = 4;
constexpr std::size_t kTop = 5;
constexpr std::size_t kRight = 6;
constexpr std::size_t kBottom = 7;
constexpr std::size_t kScore = kColumns;

constexpr KittiField kFields[] = {
    {"alpha", -10, 1, kAlpha}, {"dimensions", -1, 3, 8}, {"location", -1000, 3, 11}, {"rotation_y", -10, 1, 14}};

using Numbers = std::array<double, kColumns + 1>;

RowField field_of(std::size_t column) {
  return {column + 1, kColumnNames[column]};
}

void split_columns(std::string_view line, std::vector<std::string_view>& columns) {
  constexpr std::string_view kSpace = " \t\r\f\v";
  columns.clear();
  for (std::size_t begin = line.find_first_not_of(kSpace); begin != std::string_view::npos;
       begin = line.find_first_not_of(kSpace, begin)) {
    const std::size_t end = std::min(line.find_first_of(kSpace, begin), line.size());
    columns.push_back(line.substr(begin, end - begin));
    begin = end;
  }
}

/// KITTI's degrees, or −1 for a box of which they are not known.
void check_degrees(const Numbers& numbers) {
  const double truncated = numbers[kTruncated];
  if (truncated != -1 && !(truncated >= 0 && truncated <= 1)) {
    throw RowFault{RejectionReason::out_of_range, name_of(field_of(kTruncated)),
                   fmt::format("{} is not a part between 0 and 1, nor -1 for unknown", truncated)};
  }
  const double occluded = numbers[kOccluded];
  if (occluded != -1 && occluded != 0 && occluded != 1 && occluded != 2 && occluded != 3) {
    throw RowFault{RejectionReason::out_of_range, name_of(field_of(kOccluded)),
                   fmt::format("{} is not one of the degrees 0, 1, 2 and 3, nor -1 for unknown", occluded)};
  }
}

std::string attributes_of(const Numbers& numbers) {
  std::string out;
  if (numbers[kTruncated] == -1 && numbers[kOccluded] == -1) {
    return out;
  }
  JsonWriter json(out);
  json.begin_object();
  for (const std::size_t column : {kTruncated, kOccluded}) {
    if (numbers[column] != -1) {
      json.field(kColumnNames[column], numbers[column]);
    }
  }
  json.end_object();
  return out;
}

std::string source_of(const Numbers& numbers) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const KittiField& field : kFields) {
    const auto values = std::span(numbers).subspan(field.first_column, field.count);
    if (std::all_of(values.begin(), values.end(), [&](double value) { return value == field.unknown; })) {
      continue;
    }
    json.key(field.name);
    if (field.count == 1) {
      json.value(values.front());
      continue;
    }
    json.begin_array();
    for (const double value : values) {
      json.value(value);
    }
    json.end_array();
  }
  json.end_object();
  return out == "{}" ? "" : out;
}

Label label_of(std::span<const std::string_view> columns) {
  if (columns.size() != kColumns && columns.size() != kColumns + 1) {
    throw RowFault{
        RejectionReason::malformed, "",
        fmt::format("a line has 15 columns, or 16 with a score; this has {}: names of classes cannot hold spaces", columns.size())};
  }
  if (!is_utf8(columns[kType]) || columns[kType].find('\0') != std::string_view::npos) {
    throw RowFault{RejectionReason::malformed, name_of(field_of(kType)), "the name of the class is not UTF-8"};
  }
  Numbers numbers{};
  for (std::size_t i = kTruncated; i < columns.size(); ++i) {
    numbers[i] = finite_number(columns[i], field_of(i));
  }
  check_degrees(numbers);
  Label label;
  label.box_xywh_px =
      box_from_corners(numbers[kLeft], numbers[kTop], numbers[kRight], numbers[kBottom], field_of(kRight), field_of(kBottom));
  label.attributes_json = attributes_of(numbers);
  label.source_json = source_of(numbers);
  if (columns.size() > kScore) {
    label.confidence = numbers[kScore];
  }
  return label;
}

struct Folders {
  fs::path root;
  fs::path labels;
  fs::path images;  ///< empty when there is none
};

class KittiReader {
 public:
  KittiReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : options_(options), sink_(sink), folders_(find_folders(path)) {}

  ReadCounts read() {
    read_splits();
    const std::vector<ImageWithLabelFile> items = collect();
    total_ = static_cast<std::int64_t>(items.size());
    read_label_files(
        items, sink_, counts_, [this] { report_images_read(options_, folders_.root, counts_.images, total_); },
        [this](const ImageWithLabelFile& item, const ResolvedImage& resolved, std::string_view text) {
          take_labels(item, resolved, text);
        });
    hand_over();
    report_images_read(options_, folders_.root, counts_.images, total_);
    return counts_;
  }

 private:
  static fs::path first_folder(const fs::path& root, std::initializer_list<const char*> names) {
    for (const char* const name : names) {
      if (fs::is_directory(root / name)) {
        return root / name;
      }
    }
    return {};
  }

  static Folders find_folders(const fs::path& path) {
    fs::path root = fs::absolute(path).lexically_normal();
    if (!root.has_filename()) {
      root = root.parent_path();
    }
    if (!fs::exists(root)) {
      throw Error(ErrorCode::not_found, "there is no such folder", {{"path", path.native()}});
    }
    if (!fs::is_directory(root)) {
      throw Error(ErrorCode::wrong_use, "KITTI labels are named by their folder, and this is a file", {{"path", path.native()}});
    }
    for (const fs::path& place : {root, root / "training"}) {
      if (const fs::path labels = first_folder(place, {"label_2", "labels"}); !labels.empty()) {
        return {place, labels, first_folder(place, {"image_2", "images"})};
      }
    }
    const std::vector<fs::path> entries = entries_of(root);
    if (std::none_of(entries.begin(), entries.end(), is_label_file)) {
      throw Error(ErrorCode::bad_data, "the folder has no label_2/, no labels/ and no label files (.txt)",
                  {{"path", path.native()}});
    }
    const bool is_labels = root.filename() == "label_2" || root.filename() == "labels";
    const fs::path above = is_labels ? root.parent_path() : root;
    return {above, root, first_folder(above, {"image_2", "images"})};
  }

  static bool is_label_file(const fs::path& path) { return path.extension() == ".txt"; }

  /// `ImageSets/NAME.txt` lists the images of a split, by their names without extension. `trainval` names what others name better,
  /// and beside `training` the numbers of `test` are those of `testing`, which begin at 0 as well.
  void read_splits() {
    fs::path folder = folders_.root / "ImageSets";
    if (!fs::is_directory(folder)) {
      folder = folders_.root.parent_path() / "ImageSets";
    }
    std::vector<std::string> names;
    if (fs::is_directory(folder)) {
      for (const fs::path& entry : entries_of(folder)) {
        const bool is_of_testing = entry.stem() == "test" && folders_.root.filename() == "training";
        if (is_label_file(entry) && entry.stem() != "trainval" && !is_of_testing) {
          names.push_back(entry.stem().native());
        }
      }
      if (names.empty() && fs::exists(folder / "trainval.txt")) {
        names.emplace_back("trainval");
      }
    }
    for (const std::string& name : names) {
      for_each_line(read_file(folder / (name + ".txt"), kMaxListBytes), [&](std::uint64_t number, std::string_view line) {
        if (line.empty()) {
          return;
        }
        const auto [at, is_new] = split_of_.emplace(line, name);
        if (!is_new && at->second != name) {
          reject(sink_, counts_, RejectedKind::field, {(folder / (name + ".txt")).native(), number, std::string(line)},
                 {RejectionReason::duplicate_id, "",
                  fmt::format("the image is in the split `{}` already, where it stays", printable(at->second))});
        }
      });
    }
    if (!options_.split.empty() && std::find(names.begin(), names.end(), options_.split) == names.end()) {
      throw Error(ErrorCode::wrong_use,
                  names.empty() ? fmt::format("there is no split `{}`; the folder has no ImageSets/", options_.split)
                                : fmt::format("there is no split `{}`; there is {}", options_.split, fmt::join(names, ", ")),
                  {{"path", folders_.root.native()}});
    }
  }

  std::string split_of(const std::string& stem) const {
    const auto found = split_of_.find(stem);
    return found == split_of_.end() ? std::string() : found->second;
  }

  /// Images with the label file that fits them, then label files whose image is elsewhere.
  std::vector<ImageWithLabelFile> collect() {
    std::unordered_map<std::string, fs::path> label_files;
    std::vector<std::string> stems;
    for (const fs::path& file : files_under(folders_.labels)) {
      const bool is_elsewhere = folders_.labels == folders_.root && !folders_.images.empty() &&
                                fs::path(file).lexically_relative(folders_.images).native().rfind("..", 0) != 0;
      const fs::path relative = file.lexically_relative(folders_.labels);
      const std::string stem = fs::path(relative).replace_extension().native();
      const bool is_of_a_program =
          folders_.labels == folders_.root && (is_in_hidden_folder(relative) || stem.starts_with("ImageSets/"));
      if (is_label_file(file) && !is_elsewhere && !is_of_a_program) {
        label_files.emplace(stem, file);
        stems.push_back(stem);
      }
    }
    std::vector<ImageWithLabelFile> items;
    std::unordered_set<std::string> used;
    if (!folders_.images.empty()) {
      for (const fs::path& file : files_under(folders_.images)) {
        if (!is_image_name(file)) {
          continue;
        }
        ImageWithLabelFile item;
        const fs::path name = file.lexically_relative(folders_.images);
        const std::string stem = fs::path(name).replace_extension().native();
        item.image.name = name.native();
        item.image.path = file.native();
        item.image.split = split_of(stem);
        const auto found = label_files.find(stem);
        item.image.is_labelled = found != label_files.end();
        if (item.image.is_labelled) {
          item.label_path = found->second;
          used.insert(stem);
        }
        items.push_back(std::move(item));
      }
    }
    for (const std::string& stem : stems) {
      if (!used.contains(stem)) {
        ImageWithLabelFile item;
        item.image.name = stem;
        item.image.form = NameForm::stem;
        item.image.split = split_of(stem);
        item.label_path = label_files.at(stem);
        items.push_back(std::move(item));
      }
    }
    std::erase_if(items,
                  [&](const ImageWithLabelFile& item) { return !options_.split.empty() && item.image.split != options_.split; });
    reject_shared_label_files(items, sink_, counts_);
    return items;
  }

  void take_labels(const ImageWithLabelFile& item, const ResolvedImage& resolved, std::string_view text) {
    for_each_line(text, [&](std::uint64_t number, std::string_view line) {
      split_columns(line, columns_);
      if (columns_.empty()) {
        return;
      }
      try {
        Label label = label_of(columns_);
        check_resolved(resolved);
        labels_.push_back({counts_.images, class_index(columns_[kType]), std::move(label), {}});
      } catch (const RowFault& fault) {
        reject(sink_, counts_, RejectedKind::label, {item.label_path.native(), number, item.image.name}, fault);
      }
    });
    if (labels_.size() >= kBatch) {
      hand_over();
    }
  }

  std::int32_t class_index(std::string_view name) {
    const auto [at, is_new] = class_index_.emplace(name, static_cast<std::int32_t>(class_index_.size()));
    if (is_new) {
      new_classes_.push_back({at->first, {}, {}});
    }
    return at->second;
  }

  void hand_over() {
    if (!new_classes_.empty()) {
      counts_.classes += static_cast<std::int64_t>(new_classes_.size());
      sink_.on_classes(std::exchange(new_classes_, {}));
    }
    if (!labels_.empty()) {
      counts_.labels += static_cast<std::int64_t>(labels_.size());
      sink_.on_labels(std::exchange(labels_, {}));
    }
  }

  const ReadOptions& options_;
  ImportSink& sink_;
  Folders folders_;
  ReadCounts counts_;
  std::int64_t total_ = 0;
  std::unordered_map<std::string, std::string> split_of_;  ///< by the image's name without extension
  std::unordered_map<std::string, std::int32_t> class_index_;
  std::vector<SourceClass> new_classes_;  ///< not announced yet
  std::vector<ImportedLabel> labels_;
  std::vector<std::string_view> columns_;
};

}  // namespace

std::span<const KittiField> kitti_fields() {
  return kFields;
}

ReadCounts read_kitti(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return KittiReader(path, options, sink).read();
}

}  // namespace verilabel
