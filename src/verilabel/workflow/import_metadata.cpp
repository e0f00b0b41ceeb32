#include "verilabel/workflow/import_metadata.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/parallel.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/formats/metadata.h"
#include "verilabel/image/brightness.h"
#include "verilabel/image/decode.h"
#include "verilabel/image/exif.h"
#include "verilabel/store/import_writer.h"
#include "verilabel/workflow/sample_finder.h"

namespace verilabel {
namespace {

constexpr std::size_t kImagesOfABlock = 256;

/// Puts rows onto samples, one row a sample.
class Describing {
 public:
  Describing(Project& project, const ImportOptions& options, ImportReport& report)
      : report_(report), finder_(options.images ? *options.images : options.metadata->parent_path()), writer_(project) {
    project.for_each_sample([&](const Sample& sample) { finder_.add(sample); });
  }

  void take(const MetadataRow& row) {
    SourceImage image = row.image;
    finder_.turn_separators(image);
    SampleIndex::Found found = finder_.find_exact(image);
    if (found.match == SampleIndex::Match::none) {
      found = finder_.find_namesake(image);
    }
    if (found.match != SampleIndex::Match::found) {
      const bool is_ambiguous = found.match == SampleIndex::Match::ambiguous;
      reject(row, is_ambiguous ? RejectionReason::ambiguous_image : RejectionReason::unknown_image,
             is_ambiguous ? "the name of the image fits several images of the project; name it with its folders"
                          : "the project has no such image; import the images first");
      return;
    }
    SampleIndex::Entry& entry = finder_.entry(found.entry);
    if (entry.announced >= 0) {
      reject(row, RejectionReason::duplicate_id,
             fmt::format("line {} is about this image already, and stays; keep one row an image", entry.announced));
      return;
    }
    entry.announced = static_cast<std::int64_t>(row.line);
    ++report_.metadata_rows;
    report_.fields += row.field_values;
    const SourceImage& said = row.image;
    ++(writer_.describe_sample(entry.sample, {said.split, {}, said.tags, said.fields_json}) ? report_.metadata_changed
                                                                                            : report_.metadata_unchanged);
  }

  void take_rejection(Rejection&& rejection) {
    if (rejection.kind == RejectedKind::row) {
      ++report_.metadata_rows;
      ++report_.metadata_rejected;
    } else {
      ++report_.fields_rejected;
    }
    if (report_.rejections.size() < kMaxRejectionsKept) {
      report_.rejections.push_back(std::move(rejection));
    }
  }

  void finish() { writer_.finish(); }

 private:
  void reject(const MetadataRow& row, RejectionReason reason, std::string message) {
    take_rejection({.kind = RejectedKind::row,
                    .reason = reason,
                    .file = row.file,
                    .line = row.line,
                    .byte_offset = {},
                    .field = "",
                    .image = row.image.name,
                    .message = std::move(message)});
  }

  ImportReport& report_;
  SampleFinder finder_;
  ImportWriter writer_;
};

/// Under the names that docs/formats.md tells.
std::vector<Property> fields_of(const Exif& exif) {
  std::vector<Property> fields;
  const auto add = [&](std::string_view name, const auto& value) {
    if (value) {
      std::string json;
      JsonWriter(json).value(*value);
      fields.push_back({std::string(name), json});
    }
  };
  add("camera_make", exif.make);
  add("camera", exif.model);
  add("lens", exif.lens);
  add("software", exif.software);
  add("captured_at", exif.captured_at);
  add("exposure_s", exif.exposure_s);
  add("f_number", exif.f_number);
  add("iso", exif.iso);
  add("focal_length_mm", exif.focal_length_mm);
  add("flash", exif.flash);
  add("orientation", exif.orientation);
  add("gps.latitude", exif.latitude_deg);
  add("gps.longitude", exif.longitude_deg);
  add("gps.altitude_m", exif.altitude_m);
  return fields;
}

struct AskedImage {
  SampleId sample;
  std::filesystem::path path;
};

struct ExifAnswer {
  Exif exif = {};
  std::optional<FileFailure> failure = {};
};

ExifAnswer ask(const AskedImage& image) {
  try {
    return {read_exif(image.path), {}};
  } catch (const Error& error) {
    return {{}, FileFailure{image.path.native(), error.code(), error.message()}};
  }
}

struct BrightnessAnswer {
  double mean = 0;
  std::optional<FileFailure> failure = {};
};

BrightnessAnswer measure(const AskedImage& image) {
  thread_local Image pixels;
  try {
    decode(image.path, pixels);
    return {mean_luma(pixels), {}};
  } catch (const Error& error) {
    return {0, FileFailure{image.path.native(), error.code(), error.message()}};
  }
}

/// `missing` counts the samples without a file, which are left out.
std::vector<AskedImage> images_to_ask(const Project& project, const std::vector<SampleId>* samples, std::int64_t& missing) {
  std::unordered_set<SampleId> wanted;
  if (samples != nullptr) {
    wanted.insert(samples->begin(), samples->end());
  }
  std::vector<AskedImage> images;
  project.for_each_sample([&](const Sample& sample) {
    if (samples != nullptr && !wanted.contains(sample.id)) {
      return;
    }
    if (sample.is_missing) {
      ++missing;
    } else {
      images.push_back({sample.id, sample.path});
    }
  });
  return images;
}

void keep(const AskedImage& image, ExifAnswer&& answer, ImportWriter& writer, ImportReport& report) {
  ++report.exif_images;
  if (answer.failure) {
    report.exif_failures.push_back(std::move(*answer.failure));
    return;
  }
  report.exif_noted += answer.exif.notes.empty() ? 0 : 1;
  for (std::string& note : answer.exif.notes) {
    if (report.exif_notes.size() < kMaxRejectionsKept) {
      report.exif_notes.push_back({image.path.native(), std::move(note)});
    }
  }
  const std::vector<Property> fields = fields_of(answer.exif);
  if (!fields.empty()) {
    ++report.exif_found;
    report.fields += static_cast<std::int64_t>(fields.size());
    writer.describe_sample(image.sample, {{}, {}, {}, object_from(fields)});
  }
}

void keep(const AskedImage& image, BrightnessAnswer&& answer, ImportWriter& writer, ImportReport& report) {
  ++report.brightness_images;
  if (answer.failure) {
    report.brightness_failures.push_back(std::move(*answer.failure));
    return;
  }
  // More digits would only look exact.
  constexpr double kSteps = 1000;
  const std::vector<Property> fields = {
      {std::string(kBrightnessField), fmt::format("{}", std::round(answer.mean * kSteps) / kSteps)}};
  ++report.fields;
  writer.describe_sample(image.sample, {{}, {}, {}, object_from(fields)});
}

/// Asks all images, some side by side, and keeps the answers in their order.
template <typename Ask>
void ask_images(Project& project, const std::vector<AskedImage>& images, std::string_view doing, const Ask& ask_one,
                const ProgressSink& progress, const CancelToken& cancel, ImportReport& report) {
  ImportWriter writer(project);
  Progress status{.stage = doing, .total = static_cast<std::int64_t>(images.size()), .unit = "images"};
  for (std::size_t begin = 0; begin < images.size(); begin += kImagesOfABlock) {
    if (cancel.is_requested()) {
      writer.finish();
      throw Error(ErrorCode::interrupted,
                  fmt::format("stopped while {}; what was done so far is kept. Repeat the command to go on", doing));
    }
    writer.pause();
    std::vector<decltype(ask_one(images[0]))> answers(std::min(kImagesOfABlock, images.size() - begin));
    for_each_in_parallel(answers.size(), 0, [&](std::size_t i) { answers[i] = ask_one(images[begin + i]); });
    for (std::size_t i = 0; i < answers.size(); ++i) {
      ++(answers[i].failure ? status.failed : status.done);
      keep(images[begin + i], std::move(answers[i]), writer, report);
    }
    if (progress) {
      progress(status);
    }
  }
  writer.finish();
}

}  // namespace

void import_metadata(Project& project, const ImportOptions& options, const ProgressSink& progress, const CancelToken& cancel,
                     ImportReport& report) {
  const MetadataFormat& format = metadata_format(options.metadata_format, *options.metadata);
  Describing describing(project, options, report);
  bool is_storing = false;
  try {
    format.read(*options.metadata, {.key = options.metadata_key, .progress = progress, .cancel = &cancel},
                {[&](MetadataRow&& row) {
                   is_storing = true;
                   describing.take(row);
                   is_storing = false;
                 },
                 [&](Rejection&& rejection) { describing.take_rejection(std::move(rejection)); }});
  } catch (const Error& error) {
    if (is_storing) {
      throw;  // the rows before are in the project but for those of the last moment, and this one is not by halves
    }
    describing.finish();
    throw error.with("rows taken", fmt::to_string(report.metadata_changed + report.metadata_unchanged));
  }
  describing.finish();
}

void import_exif(Project& project, const std::vector<SampleId>* samples, const ProgressSink& progress, const CancelToken& cancel,
                 ImportReport& report) {
  ask_images(project, images_to_ask(project, samples, report.exif_missing), "reading EXIF", ask, progress, cancel, report);
}

void import_brightness(Project& project, const std::vector<SampleId>* samples, const ProgressSink& progress,
                       const CancelToken& cancel, ImportReport& report) {
  ask_images(project, images_to_ask(project, samples, report.brightness_missing), "measuring brightness", measure, progress, cancel,
             report);
}

}  // namespace verilabel
