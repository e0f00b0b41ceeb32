#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <string>
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
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/image_folders.h"
#include "verilabel/formats/joined_outline.h"
#include "verilabel/formats/yolo.h"
#include "verilabel/geometry/mask_outline.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnlabelled = "images that are not labelled look like images without objects to a trainer";
constexpr std::string_view kHidden = "images whose names or folders begin with a dot are passed over by Ultralytics";
constexpr std::string_view kOtherImages =
    "images whose names do not end as Ultralytics knows them (.pgm, .ppm, .gif and others) are passed over by it";
constexpr std::string_view kValidation = "images of the split `valid` or `validation` come back in `val`, as trainers call it";
constexpr std::string_view kEmptyMasks = "labels whose mask has no pixels are left out";
constexpr std::string_view kMaskSizes = "labels whose mask is of another size than their image are left out";
constexpr std::string_view kOutside = "labels that lie wholly outside their image are left out";
constexpr std::string_view kSizeUnknown = "labels of images whose size is not known are left out";
constexpr std::string_view kConfidence = "labels lose their confidence; --with-confidence keeps it";
constexpr std::string_view kBoxesOfMasks = "masks lose the box that was stated for them: YOLO takes the box around the outline";
constexpr std::string_view kBoxesAsOutlines =
    "boxes become outlines of four corners, because trainers refuse datasets that mix boxes and outlines";
constexpr std::string_view kHoles = "masks have their holes filled";
constexpr std::string_view kBridges = "masks of several parts become one outline, its parts joined by lines without width";
constexpr std::string_view kClipped = "labels that reach beyond their image are cut at its border";

/// Whether Ultralytics (8.4) takes a file of this name for an image, in a folder or in a list.
bool is_ultralytics_image(const fs::path& path) {
  constexpr std::string_view kExtensions[] = {".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg",
                                              ".jpg",  ".mpo", ".png", ".tif",  ".tiff", ".webp"};
  return std::ranges::any_of(kExtensions, [&](std::string_view extension) { return has_extension(path, extension); });
}

/// Whether nothing of the box lies in the image, not even on its border.
bool is_outside(const Box& box_xywh_px, const ExportImage& image) {
  const Box& box = box_xywh_px;
  const double right = box.x + box.w;
  const double bottom = box.y + box.h;
  return (box.x < 0 && right <= 0) || (box.y < 0 && bottom <= 0) || (right > image.width && box.x >= image.width) ||
         (bottom > image.height && box.y >= image.height);
}

/// Why a mask cannot become an outline in its image, whose size is known; nothing when it can.
std::optional<std::string_view> reason_against_outline(const Mask& mask, const ExportImage& image) {
  const Box box = mask_box(mask);
  if (const auto* rle = std::get_if<Rle>(&mask.shape)) {
    return !is_of_size(*rle, image)   ? std::optional(kMaskSizes)
           : box.w == 0 || box.h == 0 ? std::optional(kEmptyMasks)
                                      : std::nullopt;
  }
  return is_outside(box, image) ? std::optional(kOutside) : std::nullopt;
}

class YoloWriter {
 public:
  YoloWriter(ExportSource& source, const WriteOptions& options)
      : source_(source), options_(options), holds_(format("yolo").holds), classes_(source.classes()) {}

  std::vector<Loss> losses() {
    plan();
    std::string text;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "checking", index, count);
      const ExportImage image = source_.image(index);
      if (!is_left_out(image, options_) && image.state == SampleState::labelled && !cannot_be_brought(image)) {
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
      const std::string split = known_split_of(image);
      std::optional<std::string> failure = cannot_be_brought(image);
      if (!failure) {
        failure = bring_image(image, options_.images, folder / "images" / split / name, place / "images" / split / name);
      }
      if (failure) {
        add_failure(report_, source_, index, image, *failure);
        continue;
      }
      std::string& list = lists[split];
      if (options_.images == ImageTransfer::reference) {
        list.append(image.path.native()).push_back('\n');
      }
      text.clear();
      if (image.state == SampleState::labelled) {
        append_labels(index, image, text);
      }
      if (image.state == SampleState::not_labelled) {
        ++report_.images_unlabelled;
      } else {
        const fs::path file = folder / "labels" / label_file_of(image, name);
        make_folder(file.parent_path());
        write_new_file(file, text);
      }
      ++report_.images;
    }
    if (lists.empty()) {
      // A data.yaml that names no place for images is none, and the classes are still worth having.
      const std::string split = known_split_of({});
      lists.emplace(split, "");
      if (options_.images != ImageTransfer::reference) {
        make_folder(folder / "images" / split);
      }
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
  /// Where each image goes under `images/<split>`, and what is lost with images. Throws when two would share a label file.
  void plan() {
    ExportedFiles taken;
    const std::int64_t count = source_.image_count();
    names_.reserve(static_cast<std::size_t>(count));
    known_split_of({});  // that of a dataset without images
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      names_.push_back(relative_name(image));
      if (is_left_out(image, options_)) {
        continue;
      }
      const fs::path label_file = "labels" / label_file_of(image, names_.back());
      if (const auto [at, is_new] = taken.emplace(label_file.native(), image.name); !is_new) {
        throw Error(
            ErrorCode::wrong_use,
            fmt::format("the images `{}` and `{}` would share one label file; leave one of them out, or export to another format",
                        printable(at->second), printable(image.name)),
            {{"file", printable(label_file.native())}});
      }
      if (options_.images != ImageTransfer::reference) {
        taken.emplace(("images" / (known_split_of(image) / names_.back())).native(), image.name);
      }
      count_image_losses(holds_, image, options_, losses_);
      losses_.add(kValidation, split_of(image, options_) == known_split_of(image) ? 0 : 1);
      losses_.add(kUnlabelled, image.state == SampleState::not_labelled ? 1 : 0);
      // Those that a list names it finds.
      const bool is_in_folder = options_.images != ImageTransfer::reference;
      losses_.add(kHidden, is_in_folder && std::any_of(names_.back().begin(), names_.back().end(), is_hidden) ? 1 : 0);
      const bool is_known = is_ultralytics_image(is_in_folder ? names_.back() : image.path);
      losses_.add(kOtherImages, is_known || would_be_passed_over(image, options_.images) ? 0 : 1);
      has_outlines_ = has_outlines_ || has_outline(index, image);
    }
    check_folders(taken);
    count_dataset_losses(holds_, source_, losses_);
    count_class_losses(classes_, losses_);
  }

  bool has_outline(std::int64_t index, const ExportImage& image) const {
    const std::vector<ExportLabel> labels = source_.labels(index);
    return image.width > 0 && image.height > 0 && std::any_of(labels.begin(), labels.end(), [&](const ExportLabel& exported) {
             return exported.label.mask && !reason_to_leave_out(holds_, exported.label) &&
                    !reason_against_outline(*exported.label.mask, image);
           });
  }

  /// One of those that trainers look for: images of any other would be in no training, and `val` would be the images of `train`.
  std::string known_split_of(const ExportImage& image) const {
    const std::string split = split_of(image, options_);
    const std::string_view known = split_of_folder(split);
    if (known.empty()) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("trainers of YOLO know the splits train, val and test, and not `{}`; give the images another with "
                              "`import --metadata`, or export to another format",
                              printable(split)),
                  image.name.empty() ? ErrorContext{} : ErrorContext{{"image", printable(image.name)}});
    }
    return std::string(known);
  }

  /// Below `labels`. Images that are only referred to are told apart by their whole paths, since a list gives nothing else.
  fs::path label_file_of(const ExportImage& image, const fs::path& name) const {
    const bool is_listed = options_.images == ImageTransfer::reference;
    fs::path file = fs::path(known_split_of(image)) / (is_listed ? image.path.lexically_normal().relative_path() : name);
    return file.replace_extension(".txt");
  }

  /// Without folders called `images`: the last of those is what trainers replace by `labels`.
  static fs::path relative_name(const ExportImage& image) {
    fs::path result;
    for (const fs::path& part : safe_relative_name(image)) {
      if (part != "images") {
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
    if (const auto reason = reason_to_leave_out(holds_, label)) {
      return leave_out(*reason);
    }
    if (image.width <= 0 || image.height <= 0) {
      return leave_out(kSizeUnknown);
    }
    std::optional<std::vector<double>> coordinates;
    if (label.mask) {
      if (const auto reason = reason_against_outline(*label.mask, image)) {
        return leave_out(*reason);
      }
      coordinates = outline(label, image);
    } else {
      coordinates = has_outlines_ ? corners(label.box_xywh_px, image) : box(label.box_xywh_px, image);
    }
    if (!coordinates) {
      return leave_out(kOutside);
    }
    count_label_losses(holds_, exported, image, losses_);
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
  std::optional<std::vector<double>> box(const Box& box, const ExportImage& image) {
    const auto fractions = [&](const Box& whole) {
      return std::vector<double>{(whole.x + whole.w / 2) / image.width, (whole.y + whole.h / 2) / image.height,
                                 whole.w / image.width, whole.h / image.height};
    };
    std::vector<double> result = fractions(box);
    if (std::all_of(result.begin(), result.end(), [](double value) { return value >= 0 && value <= 1; })) {
      return result;
    }
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

  /// The box as an outline in fractions; nothing when it lies outside.
  std::optional<std::vector<double>> corners(const Box& box, const ExportImage& image) {
    if (is_outside(box, image)) {
      return std::nullopt;
    }
    losses_.add(kBoxesAsOutlines);
    const double right = box.x + box.w;
    const double bottom = box.y + box.h;
    return fractions_of({box.x, box.y, right, box.y, right, bottom, box.x, bottom}, image);
  }

  /// One closed outline as fractions, of a mask that can become one.
  std::vector<double> outline(const Label& label, const ExportImage& image) {
    std::vector<Polygon> parts;
    if (const auto* rle = std::get_if<Rle>(&label.mask->shape)) {
      MaskOutline traced = outline_of(*rle);
      losses_.add(kHoles, traced.hole_count > 0 ? 1 : 0);
      parts = std::move(traced.polygons);
    } else {
      parts = std::get<std::vector<Polygon>>(label.mask->shape);
      losses_.add(kBoxesOfMasks, mask_box(*label.mask) == label.box_xywh_px ? 0 : 1);
    }
    losses_.add(kBridges, parts.size() > 1 ? 1 : 0);
    return fractions_of(joined_outline(parts, options_), image);
  }

  Polygon fractions_of(Polygon outline, const ExportImage& image) {
    bool is_clipped = false;
    for (std::size_t i = 0; i < outline.size(); ++i) {
      outline[i] /= i % 2 == 0 ? image.width : image.height;
      is_clipped |= outline[i] < 0 || outline[i] > 1;
      outline[i] = std::clamp(outline[i], 0.0, 1.0);
    }
    losses_.add(kClipped, is_clipped ? 1 : 0);
    return outline;
  }

  /// What is known before a file is touched.
  std::optional<std::string> cannot_be_brought(const ExportImage& image) const {
    const std::string& name = image.path.native();
    const bool is_line =
        name.find('\n') == std::string::npos && name.find_last_not_of(" \t\r\f\v") == name.size() - 1 && is_utf8(name);
    if (options_.images == ImageTransfer::reference && !is_line) {
      return "a list of images cannot hold this path (a line break, white space at its end, or bytes that are not UTF-8); copy or "
             "link the images instead";
    }
    return lacks_file(image, options_) ? "there is no such file" : would_be_passed_over(image, options_.images);
  }

  /// Trainers ask for both `train` and `val`; the one that is not there is the other.
  std::string yaml(const std::map<std::string, std::string>& lists) const {
    std::string out;
    const auto place = [&](const std::string& split) {
      return quoted(options_.images == ImageTransfer::reference ? split + ".txt" : "images/" + split);
    };
    for (const auto& [split, list] : lists) {
      fmt::format_to(std::back_inserter(out), "{}: {}\n", split, place(split));
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

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::vector<fs::path> names_;
  bool has_outlines_ = false;  ///< some label is written as one, so all are: Ultralytics takes the lines of a dataset for one kind
  LossCounts losses_;
  WriteReport report_;
};

struct Places {
  fs::path folder;
  std::string yaml_name;
};

Places places_of(const fs::path& path) {
  fs::path place = fs::absolute(path).lexically_normal();
  if (place.extension() == ".yaml" || place.extension() == ".yml") {
    return {place.parent_path(), place.filename().native()};
  }
  return {std::move(place), "data.yaml"};
}

}  // namespace

void check_yolo(const fs::path& path, const WriteOptions& /*options*/) {
  check_new_folder(places_of(path).folder);
}

std::vector<Loss> losses_of_yolo(ExportSource& source, const WriteOptions& options) {
  return YoloWriter(source, options).losses();
}

WriteReport write_yolo(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  const auto [place, yaml_name] = places_of(path);
  NewFolder folder(place);
  WriteReport report = YoloWriter(source, options).write(folder.path(), yaml_name, folder.place());
  folder.put_in_place();
  return report;
}

}  // namespace verilabel
