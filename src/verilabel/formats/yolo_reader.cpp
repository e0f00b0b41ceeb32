#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/label_files.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/row_fault.h"
#include "verilabel/formats/yolo.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatch = 1024;
constexpr std::uint64_t kMaxListBytes = std::uint64_t{1} << 30;
/// How far a normalised coordinate may lie outside [0, 1]: what rounding to six decimals can do.
constexpr double kTolerance = 1e-6;

bool is_yaml(const fs::path& path) {
  return has_extension(path, ".yaml") || has_extension(path, ".yml");
}

/// The path with its last folder `images` turned into `labels`, as Ultralytics does; nothing when there is none.
std::optional<fs::path> in_labels(const fs::path& path) {
  std::vector<fs::path> parts(path.begin(), path.end());
  const auto last = std::find(parts.rbegin(), parts.rend(), "images");
  if (last == parts.rend()) {
    return std::nullopt;
  }
  *last = "labels";
  fs::path result;
  for (const fs::path& part : parts) {
    result /= part;
  }
  return result;
}

/// Where the labels of an image are: beside it, unless it is under a folder `images`.
fs::path label_path_of(const fs::path& image) {
  return in_labels(image.parent_path() / "").value_or(image.parent_path()) / image.filename().replace_extension(".txt");
}

void parse_numbers(std::string_view line, std::vector<double>& numbers) {
  numbers.clear();
  constexpr std::string_view kSpace = " \t\r\f\v";
  for (std::size_t begin = line.find_first_not_of(kSpace); begin != std::string_view::npos;
       begin = line.find_first_not_of(kSpace, begin)) {
    const std::size_t end = std::min(line.find_first_of(kSpace, begin), line.size());
    numbers.push_back(finite_number(line.substr(begin, end - begin), {numbers.size() + 1, {}}));
    begin = end;
  }
}

/// One line: `class x y w h`, the same with a confidence, or `class x1 y1 x2 y2 x3 y3 …` with a confidence when the count of
/// numbers is even. Coordinates are fractions of the upright image.
std::pair<std::size_t, Label> label_of(std::span<const double> numbers, std::size_t class_count, double width, double height) {
  if (numbers.size() < 5) {
    throw RowFault{RejectionReason::malformed, "",
                   fmt::format("a line has a class and four numbers, or a class and at least three points; this has {} numbers",
                               numbers.size())};
  }
  if (numbers[0] < 0 || numbers[0] != std::floor(numbers[0])) {
    throw RowFault{RejectionReason::malformed, "column 1", fmt::format("`{}` is not the number of a class", numbers[0])};
  }
  if (numbers[0] >= static_cast<double>(class_count)) {
    throw RowFault{
        RejectionReason::unknown_class, "column 1",
        fmt::format("there is no class {}: the names end with {}", numbers[0], static_cast<std::int64_t>(class_count) - 1)};
  }
  Label label;
  const bool is_polygon = numbers.size() > 6;
  const bool has_confidence = numbers.size() % 2 == 0;
  const std::size_t coordinates_end = numbers.size() - (has_confidence ? 1 : 0);
  for (std::size_t i = 1; i < coordinates_end; ++i) {
    const bool is_size = !is_polygon && i >= 3;
    if (is_size && numbers[i] < 0) {
      throw RowFault{RejectionReason::out_of_range, fmt::format("column {}", i + 1),
                     fmt::format("the {} {} is negative", i == 3 ? "width" : "height", numbers[i])};
    }
    if (numbers[i] < -kTolerance || numbers[i] > 1 + kTolerance) {
      throw RowFault{
          RejectionReason::out_of_range, fmt::format("column {}", i + 1),
          fmt::format("{} is not between 0 and 1: coordinates are fractions of the image's width and height", numbers[i])};
    }
  }
  if (has_confidence) {
    label.confidence = numbers.back();
  }
  if (is_polygon) {
    Polygon polygon;
    polygon.reserve(coordinates_end - 1);
    for (std::size_t i = 1; i < coordinates_end; ++i) {
      polygon.push_back(numbers[i] * (i % 2 == 1 ? width : height));
    }
    label.kind = LabelKind::mask;
    label.mask = Mask{std::vector<Polygon>{std::move(polygon)}};
    label.box_xywh_px = mask_box(*label.mask);
  } else {
    label.box_xywh_px = {(numbers[1] - numbers[3] / 2) * width, (numbers[2] - numbers[4] / 2) * height, numbers[3] * width,
                         numbers[4] * height};
  }
  return {static_cast<std::size_t>(numbers[0]), std::move(label)};
}

class YoloReader {
 public:
  YoloReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : options_(options), sink_(sink), data_(find_data(path)) {}

  ReadCounts read() {
    check_split();
    announce_classes();
    std::vector<ImageWithLabelFile> items;
    for (const YoloSplit& split : data_.splits) {
      if (options_.split.empty() || options_.split == split.name) {
        for (const std::string& entry : split.entries) {
          collect(split.name, entry, items);
        }
      }
    }
    find_listed_labels(items);
    reject_shared_label_files(items, sink_, counts_);
    total_ = static_cast<std::int64_t>(items.size());
    read_label_files(
        items, sink_, counts_, [this] { report_images_read(options_, data_.file, counts_.images, total_); },
        [this](const ImageWithLabelFile& item, const ResolvedImage& resolved, std::string_view text) {
          take_labels(item, resolved, text);
        });
    hand_over();
    report_images_read(options_, data_.file, counts_.images, total_);
    return counts_;
  }

 private:
  static YoloData find_data(const fs::path& path) {
    if (!fs::exists(path)) {
      throw Error(ErrorCode::not_found, "there is no such file or folder; name data.yaml or its folder", {{"path", path.native()}});
    }
    if (!fs::is_directory(path)) {
      if (has_extension(path, ".data")) {
        return read_darknet_data(path);
      }
      if (!is_yaml(path)) {
        throw Error(ErrorCode::wrong_use, "YOLO labels are named by data.yaml or its folder, and this is neither",
                    {{"path", path.native()}});
      }
      return read_yolo_data(path);
    }
    for (const char* const name : {"data.yaml", "data.yml", "dataset.yaml"}) {
      if (fs::is_regular_file(path / name)) {
        return read_yolo_data(path / name);
      }
    }
    std::vector<fs::path> candidates;
    for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file() && is_yaml(entry.path())) {
        candidates.push_back(entry.path());
      }
    }
    if (candidates.size() > 1) {
      throw Error(ErrorCode::wrong_use,
                  "the folder has several YAML files and none is called data.yaml; name the one that is meant",
                  {{"path", path.native()}});
    }
    if (candidates.empty()) {
      return fs::is_regular_file(path / "obj.data") ? read_darknet_data(path / "obj.data") : folder_without_yaml(path);
    }
    return read_yolo_data(candidates.front());
  }

  // A name that is too long is that of none.
  static bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
  }
  static bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
  }
  static bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
  }

  /// A path that was written elsewhere (`data/obj_train_data/1.jpg`): as much of its end as `is_there` below the folder; where
  /// nothing is, all of it.
  template <typename IsThere>
  static fs::path end_that_is_there(const fs::path& folder, const fs::path& said, const IsThere& is_there) {
    fs::path end = said;
    while (!is_there(folder / end)) {
      if (std::distance(end.begin(), end.end()) < 2) {
        return (folder / said).lexically_normal();
      }
      end = end.lexically_relative(*end.begin());
    }
    return (folder / end).lexically_normal();
  }

  /// Darknet's, as CVAT exports it: `names` is a file of names, `train`, `valid` and `test` are lists of images.
  static YoloData read_darknet_data(const fs::path& file) {
    YoloData data;
    data.file = file;
    data.root = fs::absolute(file).parent_path().lexically_normal();
    constexpr std::string_view kSpace = " \t\r";
    const auto trimmed = [&](std::string_view text) {
      const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
      return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
    };
    for_each_line(read_file(file, kMaxListBytes), [&](std::uint64_t line_number, std::string_view line) {
      require_text(line, file, line_number);
      const std::size_t equals = std::min(line.find('='), line.size());
      const std::string_view key = trimmed(line.substr(0, equals));
      const std::string_view value = trimmed(line.substr(std::min(equals + 1, line.size())));
      if (value.empty() || (key != "names" && key != "train" && key != "valid" && key != "test")) {
        return;
      }
      const fs::path place = end_that_is_there(data.root, with_separators_of_here(std::string(value)), is_file);
      if (key != "names") {
        data.splits.push_back({key == "valid" ? "val" : std::string(key), {place.native()}});
      } else if (is_file(place)) {
        data.class_names = class_names_of(place);
      }
    });
    if (data.class_names.empty() || data.splits.empty()) {
      throw Error(ErrorCode::bad_data,
                  data.class_names.empty() ? "`names` leads to no file of the names of classes, one a line"
                                           : "the file names no list of images: it needs `train`, `valid` or `test`",
                  {{"file", file.native()}, {"field", data.class_names.empty() ? "names" : "train"}});
    }
    return data;
  }

  /// A folder with `labels/`, or of label files, and the names of the classes one a line.
  static YoloData folder_without_yaml(const fs::path& folder) {
    YoloData data;
    data.root = fs::absolute(folder);
    for (const fs::path& place : {data.root, data.root / "labels", data.root.parent_path()}) {
      for (const char* const name : {"classes.txt", "obj.names"}) {
        if (data.class_names.empty() && fs::is_regular_file(place / name)) {
          data.file = place / name;
          data.class_names = class_names_of(data.file);
        }
      }
    }
    if (data.class_names.empty()) {
      throw Error(ErrorCode::bad_data,
                  "the folder has no data.yaml and no classes.txt, so that the classes have no names; add one of them",
                  {{"path", folder.native()}});
    }
    data.splits.push_back(
        {"", {fs::is_directory(data.root / "images") || fs::is_directory(data.root / "labels") ? "images" : "."}});
    return data;
  }

  static void require_text(std::string_view line, const fs::path& file, std::uint64_t line_number) {
    if (line.find('\0') != std::string_view::npos) {
      throw Error(ErrorCode::bad_data, "the line holds a zero byte, which no name can",
                  {{"file", file.native()}, {"line", fmt::to_string(line_number)}});
    }
  }

  static std::vector<std::string> class_names_of(const fs::path& file) {
    std::vector<std::string> names;
    for_each_line(read_file(file, kMaxListBytes), [&](std::uint64_t line_number, std::string_view line) {
      require_text(line, file, line_number);
      names.emplace_back(line);
    });
    while (!names.empty() && names.back().empty()) {
      names.pop_back();
    }
    if (const auto empty = std::find(names.begin(), names.end(), ""); empty != names.end()) {
      throw Error(ErrorCode::bad_data, "the class has an empty name: a line is empty, and those below it have names",
                  {{"file", file.native()}, {"line", fmt::to_string(empty - names.begin() + 1)}});
    }
    return names;
  }

  void check_split() const {
    if (options_.split.empty() || std::any_of(data_.splits.begin(), data_.splits.end(),
                                              [&](const YoloSplit& split) { return split.name == options_.split; })) {
      return;
    }
    std::vector<std::string_view> names;
    for (const YoloSplit& split : data_.splits) {
      names.push_back(split.name);
    }
    throw Error(ErrorCode::wrong_use, fmt::format("there is no split `{}`; there is {}", options_.split, fmt::join(names, ", ")),
                {{"file", data_.file.native()}});
  }

  void announce_classes() {
    std::vector<SourceClass> classes;
    std::unordered_set<std::string> names;
    for (const std::string& name : data_.class_names) {
      if (!names.insert(name).second) {
        reject(RejectedKind::field, data_.file, {}, {},
               {RejectionReason::duplicate_name, "names", fmt::format("two classes have the name `{}`; they become one", name)});
      }
      classes.push_back({name, {}, std::string(kOnlyListed)});
    }
    counts_.classes = static_cast<std::int64_t>(classes.size());
    sink_.on_classes(std::move(classes));
  }

  /// Where an entry is: relative to the root, and as exporters write it that mean the root by `..`.
  fs::path place_of(std::string entry) const {
    if (!is_there(data_.root / entry)) {
      entry = with_separators_of_here(entry);
    }
    const fs::path place = (data_.root / entry).lexically_normal();
    if (!is_there(place) && entry.starts_with("../")) {
      const fs::path inside = (data_.root / entry.substr(3)).lexically_normal();
      if (is_there(inside)) {
        return inside;
      }
    }
    return place;
  }

  void collect(const std::string& split, const std::string& entry, std::vector<ImageWithLabelFile>& items) {
    const fs::path place = place_of(entry);
    if (!read_places_.insert(place).second) {
      return;  // the same images under another split's name, which small data sets do: they are read once
    }
    try {
      if (is_folder(place)) {
        for (const fs::path& image : files_under(place, is_image_name)) {
          if (add_image(image, split, {data_.file, {}}, items)) {
            items.back().image.name_in_layout = image.lexically_relative(place).native();
          }
        }
      } else if (is_yaml(place) || is_image_name(place)) {
        reject(RejectedKind::field, data_.file, {}, {},
               {RejectionReason::malformed, split,
                fmt::format("`{}` is no list of images: name a folder, or a text file with the path of an image a line", entry)});
        return;
      } else if (is_file(place)) {
        collect_list(place, split, items);
        return;
      } else if (!in_labels(place / "") || !is_folder(*in_labels(place / ""))) {
        reject(RejectedKind::field, data_.file, {}, {},
               {RejectionReason::unreadable_file, split, fmt::format("`{}` is neither a folder nor a list of images", entry)});
        return;
      }
      collect_labels_without_image(place, split, items);
    } catch (const fs::filesystem_error& error) {
      throw io_error("cannot list the folder", error.path1().native(), error.code().value());
    }
  }

  /// As Windows writes paths.
  static std::string with_separators_of_here(std::string path) {
    std::ranges::replace(path, '\\', '/');
    return path;
  }

  void collect_list(const fs::path& list, const std::string& split, std::vector<ImageWithLabelFile>& items) {
    for_each_line(read_file(list, kMaxListBytes), [&](std::uint64_t line_number, std::string_view line) {
      if (line.empty()) {
        return;
      }
      if (line.find('\0') != std::string_view::npos) {
        reject(RejectedKind::image, list, line_number, printable(line),
               {RejectionReason::malformed, split, "the path holds a zero byte, which no file name can"});
        return;
      }
      const auto place_of_line = [&](const std::string& said) {
        const fs::path beside = list.parent_path() / said;
        const bool is_moved = has_extension(data_.file, ".data") && !is_there(beside) && fs::path(said).is_relative();
        if (is_moved) {
          return end_that_is_there(data_.root, said,
                                   [](const fs::path& path) { return is_file(path) || is_file(label_path_of(path)); });
        }
        return (!is_there(beside) && is_there(data_.root / said) ? data_.root / said : beside).lexically_normal();
      };
      fs::path image = place_of_line(std::string(line));
      if (!is_there(image)) {
        image = place_of_line(with_separators_of_here(std::string(line)));
      }
      // An image elsewhere may have labels of another dataset beside it: those that stand here are meant.
      const bool is_new = add_image(image, split, {list, line_number}, items);
      if (is_new && (fs::path(items.back().image.name).is_absolute() || !is_there(items.back().label_path))) {
        only_listed_.insert(items.back().image.path);
      }
    });
  }

  /// Finds the labels of images that a list only refers to, under `labels/<split>`. Where exports have put them, by the whole path
  /// of the image, an image without such a file is not labelled; else by as much of the end of the path as there is.
  void find_listed_labels(std::vector<ImageWithLabelFile>& items) const {
    const auto is_only_listed = [&](const ImageWithLabelFile& item) { return only_listed_.contains(item.image.path); };
    const bool is_by_whole_path = std::any_of(items.begin(), items.end(), [&](const ImageWithLabelFile& item) {
      return is_only_listed(item) && is_file(whole_path(item));
    });
    for (ImageWithLabelFile& item : items) {
      if (is_only_listed(item)) {
        item.label_path = is_by_whole_path ? whole_path(item) : label_by_suffix(item).value_or(item.label_path);
        item.image.is_labelled = is_there(item.label_path);
      }
    }
  }

  fs::path labels_of_split(const ImageWithLabelFile& item) const { return data_.root / "labels" / item.image.split; }
  static fs::path stem_of(const ImageWithLabelFile& item) {
    return fs::path(item.image.path).replace_extension(".txt").relative_path();
  }
  fs::path whole_path(const ImageWithLabelFile& item) const { return labels_of_split(item) / stem_of(item); }

  std::optional<fs::path> label_by_suffix(const ImageWithLabelFile& item) const {
    const fs::path stem = stem_of(item);
    for (auto begin = stem.begin(); begin != stem.end(); ++begin) {
      fs::path file = labels_of_split(item);
      for (auto part = begin; part != stem.end(); ++part) {
        file /= *part;
      }
      if (is_file(file)) {
        return file;
      }
    }
    return std::nullopt;
  }

  /// What names an image: data.yaml by its folder, or a line of a list.
  struct Listing {
    fs::path file;
    std::optional<std::uint64_t> line;
  };

  /// False when the image was there before, which is reported.
  bool add_image(const fs::path& path, const std::string& split, const Listing& listing, std::vector<ImageWithLabelFile>& items) {
    ImageWithLabelFile item;
    const fs::path relative = path.lexically_relative(data_.root);
    item.image.name = relative.empty() || *relative.begin() == ".." ? path.native() : relative.native();
    item.image.path = path.native();
    item.image.split = split;
    item.label_path = label_path_of(path);
    item.image.is_labelled = ::access(item.label_path.c_str(), R_OK) == 0;
    if (!item.image.is_labelled && is_there(item.label_path)) {
      reject(RejectedKind::image, item.label_path, {}, item.image.name,
             {RejectionReason::unreadable_file, "", "the label file cannot be read"});
    }
    if (!claimed_images_.insert(path.native()).second) {
      reject(RejectedKind::image, listing.file, listing.line, item.image.name,
             {RejectionReason::duplicate_id, split, "the image is listed twice; it stays where it is named first"});
      return false;
    }
    items.push_back(std::move(item));
    return true;
  }

  /// Label files whose image is not in the folder of images, as when the images are kept elsewhere.
  void collect_labels_without_image(const fs::path& images, const std::string& split, std::vector<ImageWithLabelFile>& items) {
    const std::optional<fs::path> mapped = in_labels(images / "");
    const fs::path labels = mapped ? mapped->parent_path() : images;
    if (!is_folder(labels)) {
      return;
    }
    std::unordered_set<std::string> claimed;
    for (const ImageWithLabelFile& item : items) {
      claimed.insert(item.label_path.native());
    }
    for (const fs::path& file : files_under(labels, [](const fs::path& path) { return path.extension() == ".txt"; })) {
      const bool is_class_list = file.filename() == "classes.txt";
      const bool is_of_a_program = !mapped && is_in_hidden_folder(file.lexically_relative(labels));
      if (is_class_list || is_of_a_program || claimed.contains(file.native()) || (!mapped && !claimed.empty())) {
        continue;  // beside images, a text file that belongs to none of them is some README
      }
      ImageWithLabelFile item;
      item.image.name = file.lexically_relative(labels).replace_extension().native();
      item.image.form = NameForm::stem;
      item.image.split = split;
      item.label_path = file;
      items.push_back(std::move(item));
    }
  }

  void take_labels(const ImageWithLabelFile& item, const ResolvedImage& resolved, std::string_view text) {
    for_each_line(text, [&](std::uint64_t line_number, std::string_view line) {
      if (line.empty()) {
        return;
      }
      try {
        parse_numbers(line, numbers_);
        check_resolved(resolved);
        // The size is asked for last, so that a line is called malformed whether or not its image is there.
        const bool has_size = resolved.width && resolved.height;
        auto [class_index, label] =
            label_of(numbers_, data_.class_names.size(), has_size ? *resolved.width : 1.0, has_size ? *resolved.height : 1.0);
        if (!has_size) {
          throw RowFault{RejectionReason::image_size_unknown, "",
                         "coordinates are fractions of an image whose size is not known: import the image first"};
        }
        labels_.push_back({counts_.images, static_cast<std::int32_t>(class_index), std::move(label)});
      } catch (const RowFault& fault) {
        reject(RejectedKind::label, item.label_path, line_number, item.image.name, fault);
      }
    });
    if (labels_.size() >= kBatch) {
      hand_over();
    }
  }

  void hand_over() {
    if (!labels_.empty()) {
      counts_.labels += static_cast<std::int64_t>(labels_.size());
      sink_.on_labels(std::exchange(labels_, {}));
    }
  }

  void reject(RejectedKind kind, const fs::path& file, std::optional<std::uint64_t> line, const std::string& image,
              RowFault fault) {
    verilabel::reject(sink_, counts_, kind, {file.native(), line, image}, std::move(fault));
  }

  const ReadOptions& options_;
  ImportSink& sink_;
  YoloData data_;
  ReadCounts counts_;
  std::int64_t total_ = 0;
  std::set<fs::path> read_places_;
  std::unordered_set<std::string> claimed_images_;
  std::unordered_set<std::string> only_listed_;  ///< paths of images whose labels are not where those of an image in the folder are
  std::vector<ImportedLabel> labels_;
  std::vector<double> numbers_;
};

}  // namespace

ReadCounts read_yolo(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return YoloReader(path, options, sink).read();
}

}  // namespace verilabel
