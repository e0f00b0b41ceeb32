#include <algorithm>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/choice.h"
#include "verilabel/cli/commands.h"
#include "verilabel/formats/format.h"
#include "verilabel/workflow/export.h"

namespace verilabel::cli {
namespace {

constexpr Choices<ImageTransfer, 5> kTransfers = {{{"reference", ImageTransfer::reference},
                                                   {"copy", ImageTransfer::copy},
                                                   {"hard_link", ImageTransfer::hard_link},
                                                   {"symbolic_link", ImageTransfer::symbolic_link},
                                                   {"relative_link", ImageTransfer::relative_link}}};

void write_losses(JsonWriter& json, const std::vector<Loss>& losses) {
  json.key("losses").begin_array();
  for (const Loss& loss : losses) {
    json.begin_object().field("what", loss.what).field("count", loss.count).end_object();
  }
  json.end_array();
}

void write_hidden(JsonWriter& json, const HiddenByView& hidden) {
  json.field("images_hidden", hidden.images.size()).field("labels_hidden", hidden.labels);
  json.key("hidden").begin_array();
  for (const std::string& name : hidden.images) {
    json.value(name);
  }
  json.end_array();
}

void write_withheld(JsonWriter& json, const WithheldLabels& withheld) {
  json.key("labels_withheld").begin_object();
  json.field("rejected", withheld.rejected)
      .field("below_threshold", withheld.below_threshold)
      .field("unsure", withheld.unsure)
      .end_object();
}

std::string json_of(const ExportReport& report, bool is_dry_run) {
  const WriteReport& written = report.written;
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  if (!is_dry_run) {
    json.field("images", written.images)
        .field("images_unlabelled", written.images_unlabelled)
        .field("images_left_out", written.images_left_out);
    json.field("labels", written.labels).field("labels_left_out", written.labels_left_out);
    json.key("failures").begin_array();
    for (const ImageFailure& failure : written.failures) {
      json.begin_object().field("name", failure.name).field("message", failure.message).end_object();
    }
    json.end_array();
  }
  write_hidden(json, report.hidden);
  write_withheld(json, report.withheld);
  write_losses(json, written.losses);
  json.end_object();
  return out + "\n";
}

void note_hidden(Console& console, const HiddenByView& hidden) {
  constexpr std::size_t names_shown = 20;
  if (hidden.labels > 0) {
    console.note(fmt::format("the view hides {} labels of its images", hidden.labels));
  }
  if (hidden.images.empty()) {
    return;
  }
  console.note(
      fmt::format("{} images are left out, because the view hides all of their labels, without which they would pass for images "
                  "without objects. To write them with all labels, tag them (verilabel tag) and ask for the tag in --where:",
                  hidden.images.size()));
  for (std::size_t i = 0; i < std::min(hidden.images.size(), names_shown); ++i) {
    console.note(fmt::format("  {}", printable(hidden.images[i])));
  }
  if (hidden.images.size() > names_shown) {
    console.note(fmt::format("  … and {} more; --json lists all", hidden.images.size() - names_shown));
  }
}

void note_withheld(Console& console, const WithheldLabels& withheld) {
  std::string counts;
  for (const auto& [count, what] :
       {std::pair(withheld.rejected, "rejected"), std::pair(withheld.below_threshold, "below the threshold"),
        std::pair(withheld.unsure, "unsure (--include-unsure writes them)")}) {
    if (count > 0) {
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, what);
    }
  }
  if (!counts.empty()) {
    console.note(fmt::format("labels that are not written: {}; images with no others are written as ones without objects", counts));
  }
}

void say_report(Console& console, const ExportOptions& options, const WriteReport& report) {
  console.say(fmt::format("{} labels on {} images in {}", report.labels, report.images, printable(options.output.native())));
  if (report.images_left_out > 0 || report.labels_left_out > 0) {
    console.say(fmt::format("  left out: {} images, {} labels", report.images_left_out, report.labels_left_out));
  }
  for (const ImageFailure& failure : report.failures) {
    console.note(fmt::format("  {}: {}", printable(failure.name), failure.message));
  }
}

struct Words {
  std::string output;
  std::string thresholds;
  std::string classes_map;
};

Action configure(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  auto words = std::make_shared<Words>();
  std::string names;
  for (const Format& format : formats()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format.name);
  }
  app.add_option("--set", options->set, "The label set to write")->required();
  app.add_option("--format", options->format, "Its form: " + names)->required()->type_name("NAME");
  app.add_option("--output", words->output, "The file or folder to write")->required()->type_name("PATH");
  app.add_option("--where", options->where, "Only these samples and labels")->type_name("VIEW");
  auto* threshold = app.add_option("--threshold", options->threshold,
                                   "Lowest confidence of an undecided label, 1 where it has none (default: all that are stored)");
  app.add_option("--thresholds", words->thresholds, "The same by class, from `threshold --output`")
      ->type_name("FILE")
      ->excludes(threshold);
  app.add_option("--classes-map", words->classes_map, "A JSON object of other names for classes; two that get one name become one")
      ->type_name("FILE");
  app.add_flag("--dry-run", options->is_dry_run, "Say what the format cannot hold, and write nothing");
  app.add_flag("--include-unsure", options->include_unsure, "Also write labels marked unsure");
  add_choice(app, "--images", options->write.images, kTransfers, "How image files get into an export that has a folder for them");
  app.add_flag("--with-unlabelled", options->write.with_unlabelled, "Also list images that are not labelled");
  app.add_flag("--with-confidence", options->write.with_confidence,
               "Write confidences where the format leaves the choice (yolo, kitti), which trainers do not expect");
  app.add_option("--default-split", options->write.default_split, "Split of images without one, where the format needs it")
      ->default_str(std::string(kDefaultSplit));
  return [options, words](const Invocation& invocation) {
    if (words->output.empty()) {
      throw Error(ErrorCode::wrong_use, "--output needs the name of a file or folder");
    }
    const std::filesystem::path place = std::filesystem::absolute(words->output).lexically_normal();
    options->output = place.has_filename() ? place : place.parent_path();  // a folder may be written as dataset/
    if (!words->thresholds.empty()) {
      options->thresholds = words->thresholds;
    }
    if (!words->classes_map.empty()) {
      options->class_map = ClassMap::read(words->classes_map);
    }
    options->validate();
    options->before_writing = [&](const ExportReport& report) {
      note_hidden(invocation.console, report.hidden);
      note_withheld(invocation.console, report.withheld);
      for (const Loss& loss : report.written.losses) {
        invocation.console.note(fmt::format("{} cannot hold: {} {}", options->format, loss.count, loss.what));
      }
    };
    options->write.progress = invocation.console.progress();
    options->write.cancel = &invocation.cancel;
    const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
    const ExportReport report = export_set(project, *options);
    invocation.console.end_progress();
    invocation.console.write_json(json_of(report, options->is_dry_run));
    if (options->is_dry_run) {
      invocation.console.say(report.written.losses.empty()
                                 ? fmt::format("{} can hold all of it; nothing was written", options->format)
                                 : "nothing was written");
    } else {
      say_report(invocation.console, *options, report.written);
    }
    return report.written.failures.empty() ? 0 : 1;
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel export --set auto --format coco --output auto.json --threshold 0.4",
    "verilabel export --set auto --format yolo --output dataset/ --images copy --thresholds thresholds.json",
};

}  // namespace

const Command kExportCommand{
    "export",
    "Write a label set in a format that others read",
    "Accepted and edited labels are written whatever their confidence, undecided ones at or above the threshold, rejected ones\n"
    "never. What the format cannot hold is counted and named before anything is written.\n"
    "An image whose labels are all rejected or below the threshold is written as one without objects; one whose labels are hidden "
    "by\n"
    "--where is left out, and named.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
