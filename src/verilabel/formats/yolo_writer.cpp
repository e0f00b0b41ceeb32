#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/yolo.h"
#include "verilabel/geometry/mask_outline.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kClassifications = "labels that are classifications, which YOLO detection cannot hold, are left out";
constexpr std::string_view kCrowds = "crowd labels, which YOLO cannot tell from single objects, are left out";
constexpr std::string_view kEmptyMasks = "labels whose mask has no pixels are left out";
constexpr std::string_view kOutside = "labels that lie wholly outside their image are left out";
constexpr std::string_view kSizeUnknown = "labels of images whose size is not known are left out";
constexpr std::string_view kConfidence = "labels lose their confidence; ask for the confidence column to keep it";
constexpr std::string_view kAttributes = "labels lose their attributes";
constexpr std::string_view kSourceFields = "labels lose the id and the fields of the file they came from";
constexpr std::string_view kBoxesOfMasks = "masks lose the box that was stated for them: YOLO takes the box around the outline";
constexpr std::string_view kOutlines = "run-length masks become outlines";
constexpr std::string_view kHoles = "masks have their holes filled";
constexpr std::string_view kBridges = "masks of several parts become one outline, its parts joined by lines without width";
constexpr std::string_view kClipped = "labels that reach beyond their image are cut at its border";
constexpr std::string_view kUnlabelled = "images that are not labelled look like images without objects to a trainer";
constexpr std::string_view kMissing = "images without a file, which cannot be copied or linked, are left out with their labels";
constexpr std::string_view kImageFields = "images lose the id and the fields of the file they came from";
constexpr std::string_view kDatasetFields = "fields about the dataset as a whole (info, licenses) are lost";

std::string_view name_of_entry(const fs::path& path) {
  return path.native();
}

double squared_distance(const Polygon& a, std::size_t i, const Polygon& b, std::size_t j) {
  const double dx = a[2 * i] - b[2 * j];
  const double dy = a[2 * i + 1] - b[2 * j + 1];
  return dx * dx + dy * dy;
}

/// One outline for several, each joined to what is there by a line to and fro between the nearest points, which has no area.
Polygon joined(std::span<const Polygon> parts) {
  Polygon outline = parts.front();
  for (const Polygon& part : parts.subspan(1)) {
    std::size_t from = 0;
    std::size_t to = 0;
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < outline.size() / 2; ++i) {
      for (std::size_t j = 0; j < part.size() / 2; ++j) {
        if (const double distance = squared_distance(outline, i, part, j); distance < nearest) {
          nearest = distance;
          from = i;
          to = j;
        }
      }
    }
    // … from | to … round the part … to | from …
    Polygon detour(part.begin() + static_cast<std::ptrdiff_t>(2 * to), part.end());
    detour.insert(detour.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(2 * to + 2));
    detour.push_back(outline[2 * from]);
    detour.push_back(outline[2 * from + 1]);
    outline.insert(outline.begin() + static_cast<std::ptrdiff_t>(2 * from + 2), detour.begin(), detour.end());
  }
  return outline;
}

class YoloWriter {
 public:
  YoloWriter(ExportSource& source, const WriteOptions& options) : source_(source), options_(options), classes_(source.classes()) {}

  std::vector<Loss> losses() {
    plan();
    std::string text;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "checking", index, count);
      const ExportImage image = source_.image(index);
      if (!is_left_out(image, options_) && image.state == SampleState::labelled) {
        text.clear();
        append_labels(index, image, text);
      }
    }
    return losses_.list();
  }

  /// Everything into `folder`, which exists and is empty. `place` is where it will be.
  WriteReport write(const fs::path& folder, const std::string& yaml_name, const fs::path& place) {
    plan();
    std::map<std::string, std::string> lists;
    std::string text;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image, options_)) {
        ++report_.images_left_out;
        continue;
      }
      const fs::path& name = names_[static_cast<std::size_t>(index)];
      const std::string split = split_of(image);
      if (const std::optional<std::string> failure =
              bring_image(image, folder / "images" / split / name, place / "images" / split / name)) {
        report_.failures.push_back({image.name, *failure});
        continue;
      }
      std::string& list = lists[split];
      if (options_.images == ImageTransfer::reference) {
        list.append(name_of_entry(image.path)).push_back('\n');
      }
      text.clear();
      if (image.state == SampleState::labelled) {
        append_labels(index, image, text);
      }
      if (image.state == SampleState::not_labelled) {
        ++report_.images_unlabelled;
      } else {
        fs::path file = folder / "labels" / split / name;
        file.replace_extension(".txt");
        make_folder(file.parent_path());
        write_new_file(file, text);
      }
      ++report_.images;
    }
    for (const auto& [split, list] : lists) {
      if (options_.images == ImageTransfer::reference) {
        write_new_file(folder / (split + ".txt"), list);
      }
    }
    write_new_file(folder / yaml_name, yaml(lists));
    report_image(options_, "writing", count, count);
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  std::string split_of(const ExportImage& image) const { return image.split.empty() ? options_.default_split : image.split; }

  /// Where each image goes under `images/<split>`, and what is lost with images. Throws when two would share a label file.
  void plan() {
    std::unordered_map<std::string, std::string> taken;
    const std::int64_t count = source_.image_count();
    names_.reserve(static_cast<std::size_t>(count));
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      names_.push_back(relative_name(image));
      if (is_left_out(image, options_)) {
        continue;
      }
      check_split(image);
      fs::path label_file = fs::path(split_of(image)) / names_.back();
      label_file.replace_extension(".txt");
      if (const auto [at, is_new] = taken.emplace(label_file.native(), image.name); !is_new) {
        throw Error(
            ErrorCode::wrong_use,
            fmt::format("the images `{}` and `{}` would share one label file; leave one of them out, or export to another format",
                        printable(at->second), printable(image.name)),
            {{"file", "labels/" + printable(label_file.native())}});
      }
      losses_.add(kUnlabelled, image.state == SampleState::not_labelled ? 1 : 0);
      losses_.add(kMissing, image.is_missing && options_.images != ImageTransfer::reference ? 1 : 0);
      losses_.add(kImageFields, image.source_json.empty() ? 0 : 1);
    }
    losses_.add(kDatasetFields, source_.dataset_json().empty() ? 0 : 1);
  }

  static void check_split(const ExportImage& image) {
    if (image.split.find('/') != std::string::npos || image.split == "." || image.split == "..") {
      throw Error(ErrorCode::wrong_use, fmt::format("the split `{}` cannot be the name of a folder", printable(image.split)),
                  {{"image", printable(image.name)}});
    }
  }

  /// The image's name without what would lead outside, and without folders called `images`: the last of those is what trainers
  /// replace by `labels`.
  static fs::path relative_name(const ExportImage& image) {
    fs::path result;
    for (const fs::path& part : fs::path(image.name).relative_path()) {
      if (part != ".." && part != "." && part != "images") {
        result /= part;
      }
    }
    return result.has_filename() ? result : fs::path("images_" + std::to_string(image.name.size()));
  }

  void append_labels(std::int64_t index, const ExportImage& image, std::string& text) {
    for (const ExportLabel& exported : source_.labels(index)) {
      if (append_label(exported, image, text)) {
        ++report_.labels;
      } else {
        ++report_.labels_left_out;
      }
    }
  }

  /// False when the label is left out.
  bool append_label(const ExportLabel& exported, const ExportImage& image, std::string& text) {
    const Label& label = exported.label;
    const auto leave_out = [&](std::string_view why) {
      losses_.add(why);
      return false;
    };
    if (label.kind == LabelKind::classification) {
      return leave_out(kClassifications);
    }
    if (label.is_crowd) {
      return leave_out(kCrowds);
    }
    if (image.width <= 0 || image.height <= 0) {
      return leave_out(kSizeUnknown);
    }
    std::optional<std::vector<double>> coordinates = label.mask ? outline(label, image) : box(label, image);
    if (!coordinates) {
      return leave_out(label.mask ? kEmptyMasks : kOutside);
    }
    losses_.add(kAttributes, label.attributes_json.empty() ? 0 : 1);
    losses_.add(kSourceFields, label.source_json.empty() ? 0 : 1);
    fmt::format_to(std::back_inserter(text), "{}", exported.class_index);
    for (const double coordinate : *coordinates) {
      fmt::format_to(std::back_inserter(text), " {}", coordinate);
    }
    if (label.confidence && options_.with_confidence) {
      fmt::format_to(std::back_inserter(text), " {}", *label.confidence);
    } else {
      losses_.add(kConfidence, label.confidence ? 1 : 0);
    }
    text += '\n';
    return true;
  }

  /// Centre and size as fractions. Trainers refuse the whole image when one of the four is not between 0 and 1, so that a box which
  /// would have such a number is cut at the border of the image; one that merely crosses the border is kept.
  std::optional<std::vector<double>> box(const Label& label, const ExportImage& image) {
    const auto fractions = [&](const Box& box) {
      return std::vector<double>{(box.x + box.w / 2) / image.width, (box.y + box.h / 2) / image.height, box.w / image.width,
                                 box.h / image.height};
    };
    std::vector<double> result = fractions(label.box_xywh_px);
    if (std::all_of(result.begin(), result.end(), [](double value) { return value >= 0 && value <= 1; })) {
      return result;
    }
    const Box& box = label.box_xywh_px;
    const double left = std::max(box.x, 0.0);
    const double top = std::max(box.y, 0.0);
    const double right = std::min<double>(box.x + box.w, image.width);
    const double bottom = std::min<double>(box.y + box.h, image.height);
    if (right <= left || bottom <= top) {
      return std::nullopt;
    }
    losses_.add(kClipped);
    return fractions({left, top, right - left, bottom - top});
  }

  /// One closed outline as fractions; nothing for a mask without pixels.
  std::optional<std::vector<double>> outline(const Label& label, const ExportImage& image) {
    std::vector<Polygon> parts;
    if (const auto* rle = std::get_if<Rle>(&label.mask->shape)) {
      MaskOutline traced = outline_of(*rle);
      if (traced.polygons.empty()) {
        return std::nullopt;
      }
      losses_.add(kOutlines);
      losses_.add(kHoles, traced.hole_count > 0 ? 1 : 0);
      parts = std::move(traced.polygons);
    } else {
      parts = std::get<std::vector<Polygon>>(label.mask->shape);
      losses_.add(kBoxesOfMasks, mask_box(*label.mask) == label.box_xywh_px ? 0 : 1);
    }
    losses_.add(kBridges, parts.size() > 1 ? 1 : 0);
    Polygon outline = joined(parts);
    bool is_clipped = false;
    for (std::size_t i = 0; i < outline.size(); ++i) {
      outline[i] /= i % 2 == 0 ? image.width : image.height;
      is_clipped |= outline[i] < 0 || outline[i] > 1;
      outline[i] = std::clamp(outline[i], 0.0, 1.0);
    }
    losses_.add(kClipped, is_clipped ? 1 : 0);
    return outline;
  }

  /// Why the image cannot be brought, or nothing. `final_file` is where `file` will be once the whole export is in place.
  std::optional<std::string> bring_image(const ExportImage& image, const fs::path& file, const fs::path& final_file) {
    if (options_.images == ImageTransfer::reference) {
      const std::string& name = image.path.native();
      if (name.find('\n') != std::string::npos || !is_utf8(name)) {
        return "a list of images cannot hold this path (a line break, or bytes that are not UTF-8); copy or link the images "
               "instead";
      }
      return std::nullopt;
    }
    if (image.is_missing || !fs::exists(image.path)) {
      return "there is no such file";
    }
    make_folder(file.parent_path());
    std::error_code error;
    switch (options_.images) {
      case ImageTransfer::copy:
        fs::copy_file(image.path, file, error);
        break;
      case ImageTransfer::hard_link:
        fs::create_hard_link(fs::canonical(image.path, error), file, error);
        break;
      case ImageTransfer::symbolic_link:
        fs::create_symlink(fs::absolute(image.path), file, error);
        break;
      case ImageTransfer::relative_link:
        fs::create_symlink(fs::absolute(image.path).lexically_relative(fs::absolute(final_file).parent_path().lexically_normal()),
                           file, error);
        break;
      case ImageTransfer::reference:
        break;
    }
    if (error == std::errc::no_space_on_device || error == std::errc::read_only_file_system) {
      throw io_error("cannot write the file", file.native(), error.value());
    }
    if (error == std::errc::cross_device_link) {
      throw Error(ErrorCode::wrong_use, "hard links cannot lead to another file system; copy the images or link them symbolically",
                  {{"image", printable(image.path.native())}});
    }
    return error ? std::optional(error.message()) : std::nullopt;
  }

  static void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
      throw io_error("cannot create the folder", folder.native(), error.value());
    }
  }

  /// No care for what happens half-way: the folder is not in place yet.
  static void write_new_file(const fs::path& path, std::string_view content) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
      throw io_error("cannot create the file", path.native(), errno);
    }
    try {
      write_all(descriptor, std::as_bytes(std::span(content)), path);
    } catch (...) {
      ::close(descriptor);
      throw;
    }
    if (::close(descriptor) != 0) {
      throw io_error("cannot write the file", path.native(), errno);
    }
  }

  /// Trainers ask for both `train` and `val`; the one that is not there is the other.
  std::string yaml(const std::map<std::string, std::string>& lists) const {
    std::string out;
    const auto place = [&](const std::string& split) {
      return quoted(options_.images == ImageTransfer::reference ? split + ".txt" : "images/" + split);
    };
    for (const auto& [split, list] : lists) {
      fmt::format_to(std::back_inserter(out), "{}: {}\n", quoted_key(split), place(split));
    }
    if (lists.contains("train") != lists.contains("val")) {
      const bool has_train = lists.contains("train");
      fmt::format_to(std::back_inserter(out), "{}: {}  # no image is in this split\n", has_train ? "val" : "train",
                     place(has_train ? "train" : "val"));
    }
    fmt::format_to(std::back_inserter(out), "nc: {}\nnames:\n", classes_.size());
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      fmt::format_to(std::back_inserter(out), "  {}: {}\n", i, quoted(classes_[i].name));
    }
    if (classes_.empty()) {
      out.replace(out.rfind("names:\n"), std::string::npos, "names: []\n");
    }
    return out;
  }

  /// A JSON string is a YAML string.
  static std::string quoted(std::string_view text) {
    std::string out;
    JsonWriter(out).value(text);
    return out;
  }
  static std::string quoted_key(const std::string& key) {
    return key == "train" || key == "val" || key == "test" ? key : quoted(key);
  }

  ExportSource& source_;
  const WriteOptions& options_;
  std::vector<ExportClass> classes_;
  std::vector<fs::path> names_;
  LossCounts losses_;
  WriteReport report_;
};

/// A folder beside its final place, removed with all in it unless it is put in place.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& place) : place_(place) {
    std::error_code error;
    if (fs::exists(place) && (!fs::is_directory(place) || !fs::is_empty(place))) {
      throw Error(ErrorCode::conflict, "there is something already; name a folder that does not exist or is empty",
                  {{"path", place.native()}});
    }
    fs::create_directories(place.parent_path(), error);
    std::string name = place.native() + ".XXXXXX";
    if (error || ::mkdtemp(name.data()) == nullptr) {
      throw io_error("cannot create a folder", place.native(), error ? error.value() : errno);
    }
    path_ = name;
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::chmod(path_.c_str(), 0777 & ~mask);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    if (!path_.empty()) {
      fs::remove_all(path_, ignored);
    }
  }

  const fs::path& path() const { return path_; }

  void put_in_place() {
    const int descriptor = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || ::syncfs(descriptor) != 0) {
      const int reason = errno;
      ::close(descriptor);
      throw io_error("cannot write the folder", path_.native(), reason);
    }
    ::close(descriptor);
    if (::rename(path_.c_str(), place_.c_str()) != 0) {
      throw io_error("cannot put the new folder in place", place_.native(), errno);
    }
    path_.clear();
  }

 private:
  fs::path place_;
  fs::path path_;
};

}  // namespace

std::vector<Loss> losses_of_yolo(ExportSource& source, const WriteOptions& options) {
  return YoloWriter(source, options).losses();
}

WriteReport write_yolo(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  fs::path place = fs::absolute(path).lexically_normal();
  std::string yaml_name = "data.yaml";
  if (place.extension() == ".yaml" || place.extension() == ".yml") {
    yaml_name = place.filename().native();
    place = place.parent_path();
  } else if (!place.has_filename()) {
    place = place.parent_path();
  }
  NewFolder folder(place);
  WriteReport report = YoloWriter(source, options).write(folder.path(), yaml_name, place);
  folder.put_in_place();
  return report;
}

}  // namespace verilabel
