#include "verilabel/formats/export_pass.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

/// Whether the area that the source states is not the one that a reader would take: of the mask, else of the box.
bool has_stated_area(const Label& label, const ExportImage& image) {
  if (!label.area_px) {
    return false;
  }
  if (!label.mask) {
    return *label.area_px != area(label.box_xywh_px);
  }
  if (const auto* rle = std::get_if<Rle>(&label.mask->shape)) {
    return *label.area_px != static_cast<double>(area(*rle));
  }
  return !has_countable_pixels(image) || *label.area_px != mask_area(*label.mask, static_cast<std::uint32_t>(image.height),
                                                                     static_cast<std::uint32_t>(image.width));
}

}  // namespace

void LossCounts::add(std::string_view what, std::int64_t count) {
  if (count == 0) {
    return;
  }
  const auto at = std::find_if(losses_.begin(), losses_.end(), [&](const Loss& loss) { return loss.what == what; });
  if (at == losses_.end()) {
    losses_.push_back({std::string(what), count});
  } else {
    at->count += count;
  }
}

std::optional<std::string_view> reason_to_leave_out(const FormatHolds& holds, const Label& label) {
  if (label.is_crowd && !holds.crowds) {
    return "crowd labels, which the format cannot tell from single objects, are left out";
  }
  switch (label.kind) {
    case LabelKind::classification:
      return holds.classifications
                 ? std::nullopt
                 : std::optional<std::string_view>("labels that are classifications, which the format cannot hold, are left out");
    case LabelKind::box:
    case LabelKind::mask:
      break;
  }
  return holds.boxes || (holds.masks && label.kind == LabelKind::mask)
             ? std::nullopt
             : std::optional<std::string_view>("labels that are boxes or masks, which the format cannot hold, are left out");
}

bool has_sound_corners(const Box& box_xywh_px) {
  const Box& box = box_xywh_px;
  return !fault_of(Box{box.x, box.y, box.x + box.w - box.x, box.y + box.h - box.y});
}

bool has_countable_pixels(const ExportImage& image) {
  return image.width > 0 && image.height > 0 && static_cast<std::int64_t>(image.width) * image.height <= UINT32_MAX;
}

bool is_of_size(const Rle& rle, const ExportImage& image) {
  return static_cast<std::int64_t>(rle.width) == image.width && static_cast<std::int64_t>(rle.height) == image.height;
}

void count_dataset_losses(const FormatHolds& holds, ExportSource& source, LossCounts& losses) {
  losses.add("fields about the dataset as a whole (info, licenses) are lost",
             holds.ids_and_unknown_fields || source.dataset_json().empty() ? 0 : 1);
}

void count_class_losses(std::span<const ExportClass> classes, LossCounts& losses) {
  losses.add("classes lose the id and the fields of the file they came from",
             std::count_if(classes.begin(), classes.end(),
                           [](const ExportClass& item) { return !source_fields(item.source_json).empty(); }));
}

void count_image_losses(const FormatHolds& holds, const ExportImage& image, const WriteOptions& options, LossCounts& losses) {
  const auto lose = [&](std::string_view what, bool is_there, bool is_held) { losses.add(what, is_there && !is_held ? 1 : 0); };
  lose("images that are not labelled become images without objects", image.state == SampleState::not_labelled,
       holds.unlabelled_images);
  lose("images without a file, which cannot be copied or linked, are left out with their labels", image.is_missing,
       options.images == ImageTransfer::reference);
  lose("images lose the id and the fields of the file they came from", !image.source_json.empty(), holds.ids_and_unknown_fields);
  lose("images lose their split", !image.split.empty(), holds.splits);
  lose("images lose their tags", !image.tags.empty(), holds.sample_tags);
  lose("images lose their fields", !image.fields_json.empty(), holds.sample_fields);
}

void count_label_losses(const FormatHolds& holds, const ExportLabel& exported, const ExportImage& image, LossCounts& losses) {
  const Label& label = exported.label;
  const auto lose = [&](std::string_view what, bool is_there, bool is_held) { losses.add(what, is_there && !is_held ? 1 : 0); };
  const bool is_rle = label.mask && std::holds_alternative<Rle>(label.mask->shape);
  lose("masks become their boxes", label.mask.has_value(), holds.masks);
  lose("run-length masks become outlines", is_rle && holds.masks, holds.run_length_masks);
  lose("labels lose their confidence", label.confidence.has_value(), holds.confidence);
  lose("labels lose their attributes", !label.attributes_json.empty(), holds.attributes);
  lose("labels lose the id and the fields of the file they came from", !label.source_json.empty(), holds.ids_and_unknown_fields);
  lose("labels lose the area that was stated for them", !holds.areas && has_stated_area(label, image), false);
  lose("labels lose their tags", !exported.tags.empty(), holds.label_tags);
}

void check_export_file(const std::filesystem::path& path, const WriteOptions& options, std::string_view what,
                       std::string_view extension) {
  if (options.images != ImageTransfer::reference) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("{} is one file and has no place for images; leave them where they are (`reference`)", what));
  }
  if (std::filesystem::is_directory(path)) {
    throw Error(ErrorCode::wrong_use, fmt::format("{} is one file and this is a folder; name a {} file", what, extension),
                {{"path", path.native()}});
  }
}

std::string split_of(const ExportImage& image, const WriteOptions& options) {
  return image.split.empty() ? options.default_split.value_or(std::string(kDefaultSplit)) : image.split;
}

void add_failure(WriteReport& report, ExportSource& source, std::int64_t index, const ExportImage& image, std::string message) {
  report.failures.push_back({image.name, std::move(message)});
  report.labels_left_out += image.state == SampleState::labelled ? std::ssize(source.labels(index)) : 0;
}

void throw_if_stopped(const WriteOptions& options) {
  if (options.cancel != nullptr && options.cancel->is_requested()) {
    throw Error(ErrorCode::interrupted, "the export was stopped; nothing was left behind");
  }
}

void report_image(const WriteOptions& options, std::string_view stage, std::int64_t done, std::int64_t total) {
  constexpr std::int64_t kImagesBetweenReports = 256;
  throw_if_stopped(options);
  if (options.progress && (done % kImagesBetweenReports == 0 || done == total)) {
    options.progress({.stage = stage, .done = done, .failed = 0, .total = total, .unit = "images"});
  }
}

}  // namespace verilabel
