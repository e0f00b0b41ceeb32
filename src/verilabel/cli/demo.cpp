#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/demo/world.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::string dir;
  std::string only;
  std::string without;
  std::string classes;
  bool has_no_faults = false;
  DemoOptions options;
};

int create(const Invocation& invocation, const Words& words) {
  DemoOptions options = words.options;
  if (!words.only.empty()) {
    options.only = names_from(words.only, "--only");
  }
  if (!words.without.empty()) {
    options.without = names_from(words.without, "--without");
  }
  if (!words.classes.empty()) {
    options.classes = names_from(words.classes, "--classes");
  }
  if (words.has_no_faults) {
    options.faults = {0, 0, 0, 0, 0, 0, 0, 0};
  }
  Console& console = invocation.console;
  const DemoReport report = create_demo(words.dir, options, console.progress(), invocation.cancel);
  console.end_progress();
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("folder", report.folder.native()).field("images", report.images).field("labels", report.labels);
  json.field("human_labels", report.human_labels).field("asked_labels", report.asked_labels).key("planted").begin_object();
  for (const auto& [name, count] : report.planted) {
    json.field(name, count);
  }
  json.end_object().end_object();
  console.write_json(out + "\n");
  const std::string folder = printable(report.folder.native());
  console.say(fmt::format("{} images with {} objects in {}", report.images, report.labels, folder));
  if (!options.classes.empty()) {
    console.say(fmt::format("{} of them are what --classes names (asked.json)", report.asked_labels));
  }
  std::string planted;
  for (const auto& [name, count] : report.planted) {
    planted += fmt::format("{}{} {}", planted.empty() ? "" : ", ", count, name);
  }
  std::ranges::replace(planted, '_', ' ');
  console.say(fmt::format("planted: {} (planted.json says where)", planted));
  console.hint(
      fmt::format("Next: verilabel init PROJECT && verilabel --project PROJECT import --images {}/images --labels {}/truth.json "
                  "--format coco",
                  folder, folder));
  return 0;
}

void add_faults(CLI::App& app, Words& words) {
  DemoFaults& faults = words.options.faults;
  const auto add = [&](const char* name, double& share, const char* help) {
    app.add_option(name, share, help)->type_name("SHARE")->capture_default_str()->group("Faults made on purpose");
  };
  add("--exact-duplicates", faults.exact_duplicates, "Images that are an earlier file again");
  add("--near-duplicates", faults.near_duplicates, "Images that are an earlier one recompressed, cropped, brightened or halved");
  add("--dark", faults.dark, "Images in which nearly nothing is to be seen");
  add("--blurred", faults.blurred, "Images out of focus");
  add("--mislabelled", faults.mislabelled, "Objects that the human takes for another kind, mostly one that looks alike");
  add("--missing", faults.missing, "Objects that the human has overlooked");
  add("--shifted", faults.shifted, "Boxes of the human that do not fit");
  add("--doubled", faults.doubled, "Objects that the human has drawn two boxes around");
  app.add_flag("--no-faults", words.has_no_faults, "None of these")->group("Faults made on purpose");
}

Action configure(CLI::App& app) {
  auto words = std::make_shared<Words>();
  app.require_subcommand(1);
  CLI::App* create_app = app.add_subcommand("create", "Draw a world into a new folder");
  DemoOptions& options = words->options;
  create_app->add_option("DIR", words->dir, "A folder that does not exist or is empty")->required();
  create_app->add_option("--images", options.images, "How many")->type_name("N")->capture_default_str();
  create_app->add_option("--seed", options.seed, "Another world; the same seed draws the same one")
      ->type_name("S")
      ->capture_default_str();
  create_app->add_option("--long-side", options.long_side_px, "The longest that an image has; others have half of it and more")
      ->type_name("PIXELS")
      ->capture_default_str();
  create_app->add_option("--only", words->only, "Conditions: of a field that is named, no other values")->type_name("\"a, b\"");
  create_app->add_option("--without", words->without, "Conditions, kinds, or kinds in a color (\"red car\") that are not to appear")
      ->type_name("\"a, b\"");
  create_app
      ->add_option("--classes", words->classes,
                   "Kinds, and kinds in a color (\"red car\"), of which asked.json has the truth: for a project of these classes")
      ->type_name("\"a, b\"");
  create_app->add_option("--val-share", options.val_share, "Images in the split val; the others are in train")
      ->type_name("SHARE")
      ->capture_default_str();
  add_faults(*create_app, *words);
  create_app->footer(
      fmt::format("Conditions: {}\nKinds: {}\n\nWritten are images/, truth.json (COCO, with masks), human.json (COCO, with "
                  "mistakes), metadata.csv, "
                  "planted.json\n(what was planted, and where), README.txt, and asked.json (COCO) with --classes.\n\nExamples:\n"
                  "  verilabel demo create world --images 400 --seed 1\n"
                  "  verilabel demo create train --without \"fog, snow, red car\" --no-faults\n"
                  "  verilabel demo create fog --images 100 --seed 9 --only \"fog, night\"",
                  fmt::join(demo_conditions(), " | "), fmt::join(demo_kinds(), ", ")));
  return [words](const Invocation& invocation) { return create(invocation, *words); };
}

constexpr std::string_view kExamples[] = {"verilabel demo create world", "verilabel demo create world --images 1000 --seed 7"};

}  // namespace

const Command kDemoCommand{
    "demo",
    "Draw a small world with exact truth to try everything on, offline",
    "Streets, parks, harbours, kitchens and shelves with some forty kinds of object, by day and night, in rain and fog, with "
    "faults "
    "that\nthe tools for quality are to find. Needs no project and no network.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
