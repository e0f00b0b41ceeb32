#include <map>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/metadata.h"
#include "verilabel/workflow/import.h"

namespace verilabel::cli {
namespace {

constexpr std::size_t kFailuresShown = 20;

void write_failures(JsonWriter& json, std::string_view key, const std::vector<FileFailure>& failures) {
  json.key(key).begin_array();
  for (const FileFailure& failure : failures) {
    json.begin_object()
        .field("path", failure.path)
        .field("code", info(failure.code).name)
        .field("message", failure.message)
        .end_object();
  }
  json.end_array();
}

void write_rejections(JsonWriter& json, const std::vector<Rejection>& rejections) {
  json.key("rejections").begin_array();
  for (const Rejection& rejection : rejections) {
    json.begin_object();
    json.field("kind", name_of(rejection.kind)).field("reason", name_of(rejection.reason)).field("message", rejection.message);
    json.field("file", rejection.file).field("line", rejection.line).field("byte", rejection.byte_offset);
    json.field("field", rejection.field).field("image", rejection.image).end_object();
  }
  json.end_array();
}

std::string json_of(const ImportReport& report) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("files", report.files).field("added", report.added).field("unchanged", report.unchanged);
  json.field("ignored", report.ignored).field("failed", report.failed);
  write_failures(json, "failures", report.failures);
  json.field("import", report.import ? std::optional(report.import->value) : std::nullopt);
  json.field("images_listed", report.images_listed).field("images_missing", report.images_missing);
  json.field("images_of_other_size", report.images_of_other_size);
  write_failures(json, "image_failures", report.image_failures);
  json.field("labels", report.labels).field("labels_unchanged", report.labels_unchanged);
  json.field("labels_rejected", report.labels_rejected).field("others_rejected", report.others_rejected);
  json.key("beside_runs").begin_array();
  for (const RunId run : report.beside_runs) {
    json.value(run.value);
  }
  json.end_array();
  json.field("metadata_rows", report.metadata_rows).field("metadata_changed", report.metadata_changed);
  json.field("metadata_unchanged", report.metadata_unchanged).field("metadata_rejected", report.metadata_rejected);
  json.field("fields", report.fields).field("fields_rejected", report.fields_rejected);
  json.field("exif_images", report.exif_images).field("exif_found", report.exif_found).field("exif_missing", report.exif_missing);
  json.field("exif_failed", report.exif_failures.size());
  write_failures(json, "exif_failures", report.exif_failures);
  json.field("brightness_images", report.brightness_images).field("brightness_missing", report.brightness_missing);
  write_failures(json, "brightness_failures", report.brightness_failures);
  json.field("exif_noted", report.exif_noted);
  json.key("exif_notes").begin_array();
  for (const ExifNote& note : report.exif_notes) {
    json.begin_object().field("path", note.path).field("message", note.message).end_object();
  }
  json.end_array();
  write_rejections(json, report.rejections);
  json.field("images_left_unlabelled", static_cast<std::int64_t>(report.left_unlabelled.size()));
  json.key("left_unlabelled").begin_array();
  for (const std::string& name : report.left_unlabelled) {
    json.value(name);
  }
  json.end_array().key("class_ids_not_kept").begin_array();
  for (const ClassIdNotKept& item : report.class_ids_not_kept) {
    json.begin_object().field("class", item.class_name).key("id").raw(item.source_id).end_object();
  }
  json.end_array().key("classes_map_unused").begin_array();
  for (const std::string& name : report.class_map_unused) {
    json.value(name);
  }
  json.end_array().end_object();
  return out + "\n";
}

std::string place_of(const Rejection& rejection) {
  std::string place = printable(rejection.file);
  if (rejection.line) {
    place += fmt::format(":{}", *rejection.line);
  } else if (rejection.byte_offset) {
    place += fmt::format(", byte {}", *rejection.byte_offset);
  }
  return rejection.field.empty() ? place : fmt::format("{}, {}", place, rejection.field);
}

/// The first of them, one a line.
template <typename Items, typename Line>
void say_first(Console& console, const Items& items, const Line& line) {
  for (std::size_t i = 0; i < std::min(items.size(), kFailuresShown); ++i) {
    console.note("  " + line(items[i]));
  }
  if (items.size() > kFailuresShown) {
    console.note(fmt::format("  … and {} more; --json lists all", items.size() - kFailuresShown));
  }
}

std::string line_of(const FileFailure& failure) {
  return fmt::format("{}: {}", printable(failure.path), failure.message);
}

void say_labels(Console& console, const ImportOptions& options, const ImportReport& report) {
  console.say(fmt::format("{} labels added to {}, {} there already, {} rejected; {} images listed, {} of them new without a file",
                          report.labels, options.set, report.labels_unchanged, report.labels_rejected, report.images_listed,
                          report.images_missing));
  if (!report.image_failures.empty()) {
    console.note(fmt::format("  {} of these have one that cannot be read:", report.image_failures.size()));
    say_first(console, report.image_failures, line_of);
  }
  if (!report.beside_runs.empty()) {
    console.note(
        fmt::format("  the set holds labels of runs, too (`verilabel runs`): imported ones stand beside them, also where "
                    "both are the same object; `imports undo {}` takes these back",
                    report.import->value));
  }
  if (report.images_of_other_size > 0) {
    console.note(fmt::format("  {} images have another upright size than the labels state: look whether their boxes fit",
                             report.images_of_other_size));
  }
  if (!report.left_unlabelled.empty()) {
    console.note(fmt::format("  {} images of which labels were rejected have no other, and stay not labelled:",
                             report.left_unlabelled.size()));
  }
  for (std::size_t i = 0; i < std::min(report.left_unlabelled.size(), kFailuresShown); ++i) {
    console.note(fmt::format("    {}", printable(report.left_unlabelled[i])));
  }
  for (std::size_t i = 0; i < std::min(report.class_ids_not_kept.size(), kFailuresShown); ++i) {
    console.note(fmt::format("  the class '{}' has another id already: a results list that says {} needs it in --classes-map",
                             printable(report.class_ids_not_kept[i].class_name), report.class_ids_not_kept[i].source_id));
  }
  for (const std::string& name : report.class_map_unused) {
    console.note(fmt::format("  the labels have no class '{}', which the map of classes names", printable(name)));
  }
}

void say_report(Console& console, const ImportOptions& options, const ImportReport& report) {
  if (options.images) {
    console.say(fmt::format("{} files: {} added, {} unchanged, {} ignored (no images), {} failed", report.files, report.added,
                            report.unchanged, report.ignored, report.failed));
  }
  say_first(console, report.failures, line_of);
  if (options.labels) {
    say_labels(console, options, report);
  }
  if (options.exif) {
    console.say(
        fmt::format("EXIF of {} images: {} have it, {} have something damaged in it, {} cannot be read; {} samples have no file",
                    report.exif_images, report.exif_found, report.exif_noted, report.exif_failures.size(), report.exif_missing));
    say_first(console, report.exif_failures, line_of);
    say_first(console, report.exif_notes,
              [](const ExifNote& note) { return fmt::format("{}: {}", printable(note.path), printable(note.message)); });
  }
  if (options.brightness) {
    console.say(fmt::format("brightness of {} images measured; {} cannot be decoded; {} samples have no file",
                            report.brightness_images - static_cast<std::int64_t>(report.brightness_failures.size()),
                            report.brightness_failures.size(), report.brightness_missing));
    say_first(console, report.brightness_failures, line_of);
  }
  if (options.metadata) {
    console.say(fmt::format("{} rows of metadata: {} changed something, {} said what was known, {} rejected; {} values rejected",
                            report.metadata_rows, report.metadata_changed, report.metadata_unchanged, report.metadata_rejected,
                            report.fields_rejected));
  }
  std::map<std::string, std::int64_t> by_reason;
  for (const Rejection& rejection : report.rejections) {
    ++by_reason[fmt::format("{} {}", name_of(rejection.kind), name_of(rejection.reason))];
  }
  for (const auto& [reason, count] : by_reason) {
    console.note(fmt::format("  {} × {}", count, reason));
  }
  for (std::size_t i = 0; i < std::min(report.rejections.size(), kFailuresShown); ++i) {
    console.note(fmt::format("  {}: {}", place_of(report.rejections[i]), report.rejections[i].message));
  }
}

std::string metadata_format_names() {
  std::string names;
  for (const MetadataFormat& format : metadata_formats()) {
    names += fmt::format("\n{:<15}{}", format.name, format.summary);
  }
  return names;
}

std::string format_names() {
  std::string names;
  for (const Format& format : formats()) {
    names += fmt::format("\n{:<15}{}; PATH is {}", format.name, format.summary, format.path);
  }
  return names;
}

struct Words {
  std::string images;
  std::string labels;
  std::string classes_map;
  std::string metadata;
};

Action configure(CLI::App& app) {
  auto options = std::make_shared<ImportOptions>();
  auto words = std::make_shared<Words>();
  app.add_option("--images", words->images, "A folder of images, walked whole; the images stay where they are")->type_name("DIR");
  auto* labels = app.add_option("--labels", words->labels, "Labels for images of the project")->type_name("PATH");
  app.add_option("--format", options->format, "Format of the labels:" + format_names())->type_name("NAME");
  app.add_option("--set", options->set, "Label set that the labels go into")->needs(labels)->capture_default_str();
  app.add_option("--field", options->field,
                 "Field of labels to read, where a format has several; by default the one called like the set, else the only one")
      ->type_name("NAME");
  app.add_option("--classes-map", words->classes_map,
                 "A JSON object of other names for classes, or names for the ids of a results list; two that get one name "
                 "become one")
      ->type_name("FILE");
  app.add_option("--split", options->split, "Split of the images (train, val, …), and the only one read from the labels")
      ->type_name("NAME");
  app.add_option("--metadata", words->metadata, "Fields, tags and splits of images of the project, a row an image")
      ->type_name("FILE");
  app.add_option("--metadata-format", options->metadata_format,
                 "Format of the metadata (default: as the name of the file says):" + metadata_format_names())
      ->type_name("NAME");
  app.add_option("--metadata-key", options->metadata_key,
                 "Column that names the image; by default path, file_name, filename, filepath, image…")
      ->type_name("COLUMN");
  app.add_flag("--exif", options->exif, "What cameras wrote into the images (under --images, else of all samples) becomes fields");
  app.add_flag("--brightness", options->brightness,
               "How bright the images are, 0 to 255 on average, becomes a field; views ask brightness<40");
  return [options, words](const Invocation& invocation) {
    if (!words->images.empty()) {
      options->images = std::filesystem::absolute(words->images).lexically_normal();
    }
    if (!words->labels.empty()) {
      options->labels = std::filesystem::absolute(words->labels).lexically_normal();
    }
    if (!words->metadata.empty()) {
      options->metadata = std::filesystem::absolute(words->metadata).lexically_normal();
    }
    if (!words->classes_map.empty()) {
      options->class_map = ClassMap::read(words->classes_map);
    }
    options->validate();
    Project project = Project::open(invocation.project_dir);
    const ImportReport report = import_dataset(project, *options, invocation.console.progress(), invocation.cancel);
    invocation.console.end_progress();
    invocation.console.write_json(invocation.console.is_json() ? json_of(report) : "");
    say_report(invocation.console, *options, report);
    return report.has_failures() ? 1 : 0;
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel import --images photos/",
    "verilabel import --images val2017/ --labels instances_val2017.json --format coco",
    "verilabel import --labels results.json --format coco --set detector",
    "verilabel import --images dataset/images --labels dataset/data.yaml --format yolo --split val",
    "verilabel import --metadata weather.csv",
    "verilabel import --images photos/ --exif --metadata frames.jsonl --metadata-key uri",
};

}  // namespace

const Command kImportCommand{
    "import",
    "Take images, their labels, EXIF and metadata into the project",
    "A label or a row of metadata finds its image by where it lies, by its name in the project, else by a basename that occurs "
    "once\n"
    "unless another file lies where the file says. Importing the same again changes nothing, and completes an import that was cut\n"
    "off.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
