#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/cli/choice.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/workflow/fuse.h"

namespace verilabel::cli {
namespace {

int answer(const Invocation& invocation, const FuseReport& report) {
  Console& console = invocation.console;
  console.end_progress();
  for (const std::string& note : report.notes) {
    console.note(note);
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("set", report.set).field("samples", report.samples).field("input_labels", report.input_labels);
  json.field("labels", report.labels).field("agreed", report.agreed).field("missed", report.missed);
  json.field("other_class", report.other_class).field("replaced", report.replaced);
  json.field("superseded", report.superseded);
  json.key("notes").begin_array();
  for (const std::string& note : report.notes) {
    json.value(note);
  }
  json.end_array().end_object();
  console.write_json(out + "\n");
  console.say(fmt::format("{} labels of {} samples became {} in the set '{}'", report.input_labels, report.samples, report.labels,
                          report.set));
  console.say(fmt::format("  every set has {}; {} are missed by a set, {} have another class in one", report.agreed, report.missed,
                          report.other_class));
  if (report.replaced > 0) {
    console.say(fmt::format("  {} labels of an earlier fusion gave way", report.replaced));
  }
  if (report.superseded > 0) {
    console.say(fmt::format("  {} repeat what was decided on before, and do not count", report.superseded));
  }
  if (report.missed + report.other_class > 0) {
    const std::string view = fmt::format("set:{} label_tag:missed", view_value(report.set));
    console.say("  look at them with: verilabel labels --where " + shell_line({&view, 1}));
  }
  return 0;
}

constexpr Choices<FusionMethod, 3> kMethods{
    {{"wbf", FusionMethod::wbf}, {"nms", FusionMethod::nms}, {"soft_nms", FusionMethod::soft_nms}}};

Action configure(CLI::App& app) {
  auto options = std::make_shared<FuseOptions>();
  app.add_option("SETS", options->sets, "The label sets, two or more")->required()->expected(2, 1000);
  app.add_option("--into", options->into, "The set that the answer goes into")->type_name("SET")->required();
  add_choice(app, "--method", options->fusion.method, kMethods,
             "wbf: weighted mean of boxes; nms: the best of them; soft_nms: all, lowered where they are covered");
  app.add_option("--iou", options->fusion.iou, "Boxes that overlap by more are one object")->capture_default_str();
  app.add_option("--weights", options->fusion.weights_of_model, "How much each set counts, in their order (default: alike)")
      ->type_name("N,N,…")
      ->delimiter(',');
  const CLI::Option* const floor =
      app.add_option("--floor", options->fusion.floor, "With soft_nms: lowest confidence kept")->capture_default_str();
  app.add_option("--where", options->where, "Only these samples (default: all that a set has labelled)")->type_name("VIEW");
  return [options, floor](const Invocation& invocation) {
    if (floor->count() > 0 && options->fusion.method != FusionMethod::soft_nms) {
      throw Error(ErrorCode::wrong_use, "--floor is for --method soft_nms and has no part in the others: leave it out");
    }
    options->validate();
    Project project = Project::open(invocation.project_dir);
    return answer(invocation, fuse_sets(project, *options, invocation.console.progress(), invocation.cancel));
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel fuse yolo dino --into fused",
    "verilabel fuse yolo dino owl --into fused --weights 2,1,1 --iou 0.6",
    "verilabel labels --where 'set:fused label_tag:other_class'",
};

}  // namespace

const Command kFuseCommand{
    "fuse",
    "Make one answer of several models' labels, and keep where they disagree",
    "Each label says in its attributes which sets have it (found_by), which looked and have not (missed_by), and which call it "
    "otherwise\n"
    "(other_class); the label tags `missed` and `other_class` find them. With wbf an object that only one of three sets has "
    "counts\n"
    "a third, unless that set has it twice; sets that have not labelled the image, or were not asked for the class, do not count.\n"
    "A fusion into the same set gives way on the images that are fused again; what was decided stays. `imports undo` brings the "
    "earlier one back.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
