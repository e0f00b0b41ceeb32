#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/kitti.h"
#include "verilabel/formats/label_files.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfidence = "labels lose their confidence; --with-confidence keeps it";
constexpr std::string_view kFlags = "labels get KITTI's degree 1 or 0 for an `occluded` or `truncated` that is true or false";
constexpr std::string_view kUnlabelledWithoutFile =
    "images that are not labelled are left out: only label files are written; copy or link the images to keep them";
constexpr std::string_view kNamesakes =
    "images share their name without extension with one of which nothing is written, so that an import cannot tell which is meant";
constexpr std::string_view kBlankEnds =
    "images lose their split, because a list of its images cannot hold a name without extension that ends in white space";
constexpr std::string_view kUnusedClasses = "classes without a label are lost, since KITTI has no list of classes";

std::optional<double> number_from(std::string_view json) {
  double value = 0;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), value);
  return error == std::errc() && end == json.data() + json.size() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// The numbers of a JSON number, or of an array of them; nothing when it is something else or has another count.
std::optional<std::vector<double>> numbers_from(std::string_view json, std::size_t count) {
  if (count > 1) {
    if (json.size() < 2 || json.front() != '[' || json.back() != ']') {
      return std::nullopt;
    }
    json = json.substr(1, json.size() - 2);
  }
  std::vector<double> numbers;
  for (std::size_t begin = 0; begin <= json.size();) {
    const std::size_t end = std::min(json.find(',', begin), json.size());
    std::string_view text = json.substr(begin, end - begin);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    const std::optional<double> number = number_from(text);
    if (!number) {
      return std::nullopt;
    }
    numbers.push_back(*number);
    begin = end + 1;
  }
  return numbers.size() == count ? std::optional(numbers) : std::nullopt;
}

/// What KITTI can tell of the attributes and the source of a label.
struct Extras {
  double truncated = -1;
  double occluded = -1;
  std::vector<double> numbers;  ///< alpha, dimensions, location, rotation_y
  bool has_flags = false;
  bool holds_attributes = true;  ///< all of them
  bool holds_source = true;
};

Extras extras_of(const Label& label) {
  Extras extras;
  for (const SourceField& field : source_fields(label.attributes_json)) {
    const bool is_truncated = field.key == "truncated";
    const bool is_flag = field.json == "true" || field.json == "false";
    const std::optional<double> number = is_flag ? std::optional(field.json == "true" ? 1.0 : 0.0) : number_from(field.json);
    const bool is_degree =
        number && (is_truncated ? *number >= 0 && *number <= 1 : *number == 0 || *number == 1 || *number == 2 || *number == 3);
    if ((is_truncated || field.key == "occluded") && is_degree) {
      (is_truncated ? extras.truncated : extras.occluded) = *number;
      extras.has_flags |= is_flag;
    } else {
      extras.holds_attributes = false;
    }
  }
  const std::vector<SourceField> source = source_fields(label.source_json);
  std::size_t held = 0;
  for (const KittiField& known : kitti_fields()) {
    const auto at = std::find_if(source.begin(), source.end(), [&](const SourceField& field) { return field.key == known.name; });
    const auto numbers = at == source.end() ? std::nullopt : numbers_from(at->json, known.count);
    held += numbers ? 1 : 0;
    const std::vector<double> written = numbers.value_or(std::vector<double>(known.count, known.unknown));
    extras.numbers.insert(extras.numbers.end(), written.begin(), written.end());
  }
  extras.holds_source = held == source.size();
  return extras;
}

class KittiWriter {
 public:
  KittiWriter(ExportSource& source, const WriteOptions& options)
      : source_(source), options_(options), holds_(format("kitti").holds), classes_(source.classes()), is_used_(classes_.size()) {}

  std::vector<Loss> losses() {
    plan();
    std::string text;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "checking", index, count);
      const ExportImage image = source_.image(index);
      if (is_written(image) && !cannot_be_brought(image)) {
        text.clear();
        append_labels(index, image, text);
      }
    }
    count_unused_classes();
    return losses_.list();
  }

  /// Everything into `folder`, which exists and is empty. `place` is where it will be.
  WriteReport write(const fs::path& folder, const fs::path& place) {
    plan();
    std::map<std::string, std::string> splits;
    std::string text;
    make_folder(folder / "label_2");
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      const ExportImage image = source_.image(index);
      if (!is_written(image)) {
        ++report_.images_left_out;
        continue;
      }
      const fs::path name = relative_name(image);
      std::optional<std::string> failure = cannot_be_brought(image);
      if (!failure) {
        failure = bring_image(image, options_.images, folder / "image_2" / name, place / "image_2" / name);
      }
      if (failure) {
        add_failure(report_, source_, index, image, *failure);
        continue;
      }
      if (image.state == SampleState::not_labelled) {
        ++report_.images_unlabelled;
      } else {
        text.clear();
        append_labels(index, image, text);
        fs::path file = folder / "label_2" / name;
        file.replace_extension(".txt");
        make_folder(file.parent_path());
        write_new_file(file, text);
      }
      if (!image.split.empty() && can_be_listed(image)) {
        splits[image.split].append(fs::path(name).replace_extension().native()).push_back('\n');
      }
      ++report_.images;
    }
    for (const auto& [split, list] : splits) {
      make_folder(folder / "ImageSets");
      write_new_file(folder / "ImageSets" / (split + ".txt"), list);
    }
    count_unused_classes();
    report_image(options_, "writing", count, count);
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  /// What is lost with images and what cannot be told at all, before anything is written.
  void plan() {
    ExportedFiles files;
    std::unordered_set<std::string> not_written;
    const bool has_unusable_class =
        std::any_of(classes_.begin(), classes_.end(), [](const ExportClass& item) { return !is_one_word(item.name); });
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      if (!is_written(image)) {
        losses_.add(kUnlabelledWithoutFile, is_left_out(image, options_) ? 0 : 1);
        not_written.insert(label_file_of(image));
        continue;
      }
      check_split(image);
      const std::string file = label_file_of(image);
      if (const auto [at, is_new] = files.emplace(file, image.name); !is_new) {
        throw Error(
            ErrorCode::wrong_use,
            fmt::format("the images `{}` and `{}` would share one label file; leave one of them out, or export to another format",
                        printable(at->second), printable(image.name)),
            {{"file", printable(file)}});
      }
      if (options_.images != ImageTransfer::reference) {
        files.emplace(("image_2" / relative_name(image)).native(), image.name);
      }
      if (has_unusable_class) {
        check_classes(index, image);
      }
      count_image_losses(holds_, image, options_, losses_);
      losses_.add(kBlankEnds, image.split.empty() || can_be_listed(image) ? 0 : 1);
    }
    check_folders(files);
    if (options_.images == ImageTransfer::reference) {
      losses_.add(kNamesakes,
                  std::ranges::count_if(files, [&](const auto& written) { return not_written.contains(written.first); }));
    }
    count_dataset_losses(holds_, source_, losses_);
    count_class_losses(classes_, losses_);
  }

  bool is_written(const ExportImage& image) const {
    return !is_left_out(image, options_) &&
           (image.state != SampleState::not_labelled || options_.images != ImageTransfer::reference);
  }

  /// Readers of lists take off the white space at the ends of lines.
  static bool can_be_listed(const ExportImage& image) {
    const std::string stem = relative_name(image).replace_extension().native();
    return stem.find_last_not_of(" \t\r\f\v") + 1 == stem.size();
  }

  static bool is_one_word(std::string_view name) {
    return !name.empty() && !name.starts_with(kByteOrderMark) &&
           name.find_first_of(std::string_view(" \t\r\n\f\v\0", 7)) == std::string_view::npos;
  }

  void check_classes(std::int64_t index, const ExportImage& image) {
    for (const ExportLabel& exported : source_.labels(index)) {
      const std::string& name = classes_[static_cast<std::size_t>(exported.class_index)].name;
      if (!reason_to_leave_out(holds_, exported.label) && !is_one_word(name)) {
        throw Error(ErrorCode::wrong_use,
                    fmt::format("KITTI cannot tell the class `{}`, whose name is not one word; give it another with --classes-map",
                                printable(name)),
                    {{"image", printable(image.name)}});
      }
    }
  }

  static void check_split(const ExportImage& image) {
    if (image.split.find('/') != std::string::npos || image.split == "." || image.split == ".." || image.split == "trainval") {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("the split `{}` cannot be the name of a list in ImageSets/", printable(image.split)),
                  {{"image", printable(image.name)}});
    }
  }

  /// Relative to the export's folder.
  static std::string label_file_of(const ExportImage& image) {
    return ("label_2" / relative_name(image).replace_extension(".txt")).native();
  }

  /// Without the folders that the layout has of its own, so that writing and reading again does not make names longer.
  static fs::path relative_name(const ExportImage& image) {
    fs::path result;
    for (const fs::path& part : safe_relative_name(image)) {
      if (part != "image_2" && part != "images") {
        result /= part;
      }
    }
    return result.has_filename() ? result : fs::path("images_" + std::to_string(image.name.size()));
  }

  /// What is known before a file is touched.
  std::optional<std::string> cannot_be_brought(const ExportImage& image) const {
    if (!image.split.empty() && image.name.find_first_of("\r\n") != std::string::npos) {
      return "a list of the images of a split cannot hold a name with a line break; rename the image";
    }
    if (lacks_file(image, options_)) {
      return "there is no such file";
    }
    return would_be_passed_over(image, options_.images);
  }

  void append_labels(std::int64_t index, const ExportImage& image, std::string& text) {
    if (image.state != SampleState::labelled) {
      return;
    }
    for (const ExportLabel& exported : source_.labels(index)) {
      std::optional<std::string_view> reason = reason_to_leave_out(holds_, exported.label);
      if (!reason && !has_sound_corners(exported.label.box_xywh_px)) {
        reason = kBeyondNumbers;
      }
      if (reason) {
        losses_.add(*reason);
        ++report_.labels_left_out;
        continue;
      }
      append_label(exported, image, text);
      is_used_[static_cast<std::size_t>(exported.class_index)] = true;
      ++report_.labels;
    }
  }

  void append_label(const ExportLabel& exported, const ExportImage& image, std::string& text) {
    const Label& label = exported.label;
    const Extras extras = extras_of(label);
    FormatHolds holds = holds_;
    holds.attributes = extras.holds_attributes;
    holds.ids_and_unknown_fields = extras.holds_source;
    count_label_losses(holds, exported, image, losses_);
    losses_.add(kFlags, extras.has_flags ? 1 : 0);
    const Box& box = label.box_xywh_px;
    fmt::format_to(std::back_inserter(text), "{} {} {} {} {} {} {} {}",
                   classes_[static_cast<std::size_t>(exported.class_index)].name, extras.truncated, extras.occluded,
                   extras.numbers.front(), box.x, box.y, box.x + box.w, box.y + box.h);
    for (std::size_t i = 1; i < extras.numbers.size(); ++i) {
      fmt::format_to(std::back_inserter(text), " {}", extras.numbers[i]);
    }
    if (label.confidence && options_.with_confidence) {
      fmt::format_to(std::back_inserter(text), " {}", *label.confidence);
    } else {
      losses_.add(kConfidence, label.confidence ? 1 : 0);
    }
    text += '\n';
  }

  void count_unused_classes() { losses_.add(kUnusedClasses, std::count(is_used_.begin(), is_used_.end(), false)); }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::vector<bool> is_used_;
  LossCounts losses_;
  WriteReport report_;
};

}  // namespace

std::vector<Loss> losses_of_kitti(ExportSource& source, const WriteOptions& options) {
  return KittiWriter(source, options).losses();
}

WriteReport write_kitti(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  KittiWriter writer(source, options);
  NewFolder folder(path);
  WriteReport report = writer.write(folder.path(), folder.place());
  folder.put_in_place();
  return report;
}

}  // namespace verilabel
