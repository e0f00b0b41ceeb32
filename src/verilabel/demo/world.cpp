#include "verilabel/demo/world.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/new_folder.h"
#include "verilabel/base/parallel.h"
#include "verilabel/demo/planted.h"
#include "verilabel/demo/world_files.h"
#include "verilabel/image/brightness.h"
#include "verilabel/image/decode.h"
#include "verilabel/image/png.h"

namespace verilabel {

namespace fs = std::filesystem;
using namespace demo;

namespace {

constexpr std::uint64_t kChangeStream = 101;
constexpr std::uint64_t kHumanStream = 102;
constexpr std::uint64_t kSplitStream = 103;
constexpr double kMostOfOneFault = 0.2;
constexpr std::int64_t kMostImages = 1'000'000;
constexpr int kLeastLongSidePx = 160;
constexpr int kMostLongSidePx = 2048;
constexpr auto kBetweenReports = std::chrono::milliseconds(100);

void check_share(std::string_view name, double share, double most) {
  if (!(share >= 0 && share <= most)) {
    throw Error(ErrorCode::wrong_use, fmt::format("the share of {} is {}; it must be from 0 to {}", name, share, most));
  }
}

/// Counts images from any thread and reports some ten times a second.
class Report {
 public:
  Report(const ProgressSink& sink, std::int64_t total)
      : sink_(sink), status_{.stage = "drawing", .total = total, .unit = "images"} {}

  void add_image() {
    if (!sink_) {
      return;
    }
    const std::scoped_lock lock(mutex_);
    ++status_.done;
    const auto now = std::chrono::steady_clock::now();
    if (status_.done == status_.total || now - last_ >= kBetweenReports) {
      last_ = now;
      sink_(status_);
    }
  }

 private:
  const ProgressSink& sink_;
  std::mutex mutex_;
  Progress status_;
  std::chrono::steady_clock::time_point last_;
};

/// An image before it is written.
struct Made {
  WorldImage image;
  std::string content;
};

Made make_image(std::uint64_t index, const DemoOptions& options, const Selection& selection) {
  Made made;
  WorldImage& image = made.image;
  image.plan = plan_of(options.seed, index, options.faults);
  const bool is_copy = image.plan.role == Role::exact_duplicate || image.plan.role == Role::near_duplicate;
  Picture picture = draw_picture(options.seed, is_copy ? image.plan.source : index,
                                 {.long_side_px = options.long_side_px,
                                  .selection = selection,
                                  .is_dark = image.plan.role == Role::dark,
                                  .is_blurred = image.plan.role == Role::blurred});
  if (image.plan.role == Role::near_duplicate) {
    Random random(options.seed, index, kChangeStream);
    image.change = change_picture(picture, image.plan.change, random);
  }
  const int quality = picture.conditions.jpeg_quality;
  made.content = quality == 0 ? encode_png(picture.image) : encode_jpeg(picture.image, quality);
  if (image.plan.role == Role::dark) {
    Image decoded;
    decode(std::as_bytes(std::span(made.content)), decoded);
    image.mean_luma = mean_luma(decoded);
  }
  image.file_name = fmt::format("{:05}.{}", index, quality == 0 ? "png" : "jpg");
  image.width = picture.image.width();
  image.height = picture.image.height();
  image.is_val = Random(options.seed, index, kSplitStream).chance(options.val_share);
  image.conditions = picture.conditions;
  image.objects = std::move(picture.objects);
  Random random(options.seed, index, kHumanStream);
  image.human = label_as_human(image.objects, image.width, image.height, options.faults, random);
  return made;
}

}  // namespace

void DemoFaults::validate() const {
  check_share("exact duplicates", exact_duplicates, kMostOfOneFault);
  check_share("near duplicates", near_duplicates, kMostOfOneFault);
  check_share("dark images", dark, kMostOfOneFault);
  check_share("blurred images", blurred, kMostOfOneFault);
  check_share("mislabelled objects", mislabelled, kMostOfOneFault);
  check_share("missing labels", missing, kMostOfOneFault);
  check_share("shifted boxes", shifted, kMostOfOneFault);
  check_share("doubled boxes", doubled, kMostOfOneFault);
}

void DemoOptions::validate() const {
  if (images < 1 || images > kMostImages) {
    throw Error(ErrorCode::wrong_use, fmt::format("a world has 1 to {} images, not {}", kMostImages, images));
  }
  if (long_side_px < kLeastLongSidePx || long_side_px > kMostLongSidePx) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("the longer side is {} to {} pixels, not {}", kLeastLongSidePx, kMostLongSidePx, long_side_px));
  }
  check_share("images in the split val", val_share, 1);
  for (auto name = classes.begin(); name != classes.end(); ++name) {
    if (!colored_kind_from(*name)) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("\"{}\" is no class of this world; there are {}, each also in a color, as \"red car\"", *name,
                              fmt::join(demo_kinds(), ", ")));
    }
    if (std::find(classes.begin(), name, *name) != name) {
      throw Error(ErrorCode::wrong_use, fmt::format("the class \"{}\" is named twice", *name));
    }
  }
  faults.validate();
}

DemoReport create_demo(const fs::path& folder, const DemoOptions& options, const ProgressSink& progress,
                       const CancelToken& cancel) {
  options.validate();
  const Selection selection(options.only, options.without);
  NewFolder place(folder);
  const fs::path images_folder = place.path() / "images";
  make_folder(images_folder);
  std::vector<WorldImage> images(static_cast<std::size_t>(options.images));
  Report report(progress, options.images);
  for_each_in_parallel(images.size(), options.threads, [&](std::size_t i) {
    if (cancel.is_requested()) {
      throw Error(ErrorCode::interrupted, "stopped; nothing is left of the world that was being drawn");
    }
    Made made = make_image(i, options, selection);
    write_new_file(images_folder / made.image.file_name, made.content);
    images[i] = std::move(made.image);
    report.add_image();
  });
  DemoReport done;
  done.folder = place.place();
  done.images = options.images;
  for (const WorldImage& image : images) {
    done.labels += static_cast<std::int64_t>(image.objects.size());
    done.human_labels += image.written_human_labels();
  }
  write_new_file(place.path() / "truth.json", truth_json(images));
  if (!options.classes.empty()) {
    const AskedTruth asked = asked_json(images, options.classes);
    write_new_file(place.path() / "asked.json", asked.json);
    done.asked_labels = asked.labels;
  }
  write_new_file(place.path() / "human.json", human_json(images));
  write_new_file(place.path() / "metadata.csv", metadata_csv(images));
  write_new_file(place.path() / "README.txt", readme_text(options));
  Manifest manifest = planted_json(images, options);
  write_new_file(place.path() / "planted.json", manifest.json);
  done.planted = std::move(manifest.counts);
  place.put_in_place();
  return done;
}

std::vector<std::string_view> demo_kinds() {
  std::vector<std::string_view> names;
  for (const Kind& kind : kinds()) {
    names.push_back(kind.name);
  }
  return names;
}

std::vector<std::string> demo_conditions() {
  std::vector<std::string> lines;
  std::string_view field;
  for (const ConditionInfo& condition : condition_table()) {
    if (condition.field != field) {
      lines.push_back(fmt::format("{}: {}", condition.field, condition.name));
      field = condition.field;
    } else {
      lines.back() += fmt::format(", {}", condition.name);
    }
  }
  return lines;
}

}  // namespace verilabel
