#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/image_folders.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWithoutClass = "images without a class, which have no folder to be in, are left out";
constexpr std::string_view kOtherClasses =
    "labels beside a more confident or earlier one of another class are left out: an image is in one folder";
constexpr std::string_view kRepeated = "labels that repeat the class of their image are left out";
constexpr std::string_view kAbsent = "labels that say that a class is absent from the image are left out";
constexpr std::string_view kUnusedClasses = "classes without an image are lost, since a class is a folder of images";

/// Where an image goes.
struct Place {
  std::string split;
  std::int32_t class_index = -1;  ///< none: it is left out
  fs::path name;                  ///< below the class folder
};

bool says_absent(const Label& label) {
  for (const SourceField& field : source_fields(label.attributes_json)) {
    if (field.key == "present" && field.json == "false") {
      return true;
    }
  }
  return false;
}

class ImageFoldersWriter {
 public:
  ImageFoldersWriter(ExportSource& source, const WriteOptions& options)
      : source_(source), options_(options), holds_(format("image_folders").holds), classes_(source.classes()) {
    if (options.images == ImageTransfer::reference) {
      throw Error(ErrorCode::wrong_use,
                  "class folders are made of the images themselves; say how they get there: copy, hard_link, symbolic_link or "
                  "relative_link");
    }
  }

  std::vector<Loss> losses() {
    plan();
    return losses_.list();
  }

  /// Everything into `folder`, which exists and is empty. `place` is where it will be.
  WriteReport write(const fs::path& folder, const fs::path& final_folder) {
    plan();
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      const Place& place = places_[static_cast<std::size_t>(index)];
      if (place.class_index < 0) {
        ++report_.images_left_out;
        continue;
      }
      const ExportImage image = source_.image(index);
      const fs::path file = relative_path(place);
      std::optional<std::string> failure = would_be_passed_over(image, options_.images);
      if (!failure) {
        failure = bring_image(image, options_.images, folder / file, final_folder / file);
      }
      if (failure) {
        report_.failures.push_back({image.name, *failure});
        ++report_.labels_left_out;  // the others already are
        continue;
      }
      ++report_.images;
      ++report_.labels;
    }
    report_image(options_, "writing", count, count);
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  /// The folder and the name of each image, and all that is lost, before anything is written.
  void plan() {
    const std::int64_t count = source_.image_count();
    places_.reserve(static_cast<std::size_t>(count));
    std::vector<bool> is_used(classes_.size());
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      Place place;
      if (!is_left_out(image, options_)) {
        place.class_index = chosen_class(index, image);
        if (place.class_index >= 0) {
          check_class(classes_[static_cast<std::size_t>(place.class_index)].name);
          is_used[static_cast<std::size_t>(place.class_index)] = true;
          place.split = checked_split_of(image);
          place.name = safe_relative_name(image);
          count_image_losses(holds_, image, options_, losses_);
        } else {
          losses_.add(kWithoutClass);
        }
      }
      places_.push_back(std::move(place));
    }
    for (const bool used : is_used) {
      losses_.add(kUnusedClasses, used ? 0 : 1);
    }
    count_dataset_losses(holds_, source_, losses_);
    count_class_losses(classes_, losses_);
    shorten_names();
    check_names();
  }

  /// The class of the most confident label, of the first among equals; a label without confidence was made by a person and comes
  /// before all others. −1 for none.
  std::int32_t chosen_class(std::int64_t index, const ExportImage& image) {
    if (image.state != SampleState::labelled) {
      return -1;
    }
    const std::vector<ExportLabel> labels = source_.labels(index);
    const ExportLabel* chosen = nullptr;
    const auto rank = [](const ExportLabel& exported) {
      return exported.label.confidence.value_or(std::numeric_limits<double>::infinity());
    };
    const auto why_not = [&](const ExportLabel& exported) -> std::optional<std::string_view> {
      if (const auto reason = reason_to_leave_out(holds_, exported.label)) {
        return reason;
      }
      return says_absent(exported.label) ? std::optional(kAbsent) : std::nullopt;
    };
    for (const ExportLabel& exported : labels) {
      if (!why_not(exported) && (chosen == nullptr || rank(exported) > rank(*chosen))) {
        chosen = &exported;
      }
    }
    for (const ExportLabel& exported : labels) {
      if (&exported == chosen) {
        count_label_losses(holds_, exported, image, losses_);
        continue;
      }
      ++report_.labels_left_out;
      if (const auto reason = why_not(exported)) {
        losses_.add(*reason);
      } else if (chosen != nullptr) {
        losses_.add(exported.class_index == chosen->class_index ? kRepeated : kOtherClasses);
      }
    }
    return chosen == nullptr ? -1 : chosen->class_index;
  }

  std::string checked_split_of(const ExportImage& image) const {
    std::string split = split_of(image, options_);
    if (split_of_folder(split).empty()) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("the folder of the split `{}` would be taken for a class; the splits of class folders are train, val "
                              "and test",
                              printable(split)),
                  {{"image", printable(image.name)}});
    }
    return split;
  }

  static void check_class(const std::string& name) {
    constexpr std::size_t kLongestName = 255;
    if (name.empty() || name.starts_with('.') || name.size() > kLongestName || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos) {
      throw Error(
          ErrorCode::wrong_use,
          fmt::format("the class `{}` cannot be the name of a folder; give it another with --classes-map", printable(name)));
    }
  }

  fs::path relative_path(const Place& place) const {
    return fs::path(place.split) / classes_[static_cast<std::size_t>(place.class_index)].name / place.name;
  }

  /// Images lie directly in their class folder, except those of one name, which keep the folders that tell them apart.
  void shorten_names() {
    const auto short_path = [&](const Place& place) {
      return relative_path({place.split, place.class_index, place.name.filename()}).native();
    };
    std::unordered_map<std::string, int> uses;
    for (const Place& place : places_) {
      if (place.class_index >= 0) {
        ++uses[short_path(place)];
      }
    }
    for (Place& place : places_) {
      if (place.class_index >= 0 && uses[short_path(place)] == 1) {
        place.name = place.name.filename();
      }
    }
  }

  void check_names() const {
    std::unordered_set<std::string> taken;
    for (const Place& place : places_) {
      if (place.class_index >= 0 && !taken.insert(relative_path(place).native()).second) {
        throw_shared(relative_path(place));
      }
    }
    for (const Place& place : places_) {
      // A file may not be where another needs a folder.
      for (fs::path folder = place.name.parent_path(); !folder.empty(); folder = folder.parent_path()) {
        if (taken.contains(relative_path({place.split, place.class_index, folder}).native())) {
          throw_shared(relative_path(place));
        }
      }
    }
  }

  [[noreturn]] static void throw_shared(const fs::path& file) {
    throw Error(ErrorCode::wrong_use, "two images would share one place; leave one of them out, or export to another format",
                {{"file", printable(file.native())}});
  }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::vector<Place> places_;
  LossCounts losses_;
  WriteReport report_;
};

}  // namespace

std::vector<Loss> losses_of_image_folders(ExportSource& source, const WriteOptions& options) {
  return ImageFoldersWriter(source, options).losses();
}

WriteReport write_image_folders(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  ImageFoldersWriter writer(source, options);
  NewFolder folder(path);
  WriteReport report = writer.write(folder.path(), folder.place());
  folder.put_in_place();
  return report;
}

}  // namespace verilabel
