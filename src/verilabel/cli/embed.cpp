#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/engine_options.h"
#include "verilabel/workflow/embed.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::string model;
  bool is_masked = false;
  bool takes_tokens = false;
};

int answer(const Invocation& invocation, const EmbedReport& report) {
  constexpr std::size_t kShown = 5;
  Console& console = invocation.console;
  console.end_progress();
  for (const std::string& note : report.notes) {
    console.note(note);
  }
  if (report.is_interrupted) {
    throw Error(ErrorCode::interrupted,
                fmt::format("stopped with {} of {} vectors made; they are stored, and the same command goes on",
                            report.unchanged + report.added, report.asked),
                {{"vectors", report.name}});
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("vectors", report.name).field("subject", report.subject).field("dimensions", report.dimensions);
  json.field("asked", report.asked)
      .field("unchanged", report.unchanged)
      .field("added", report.added)
      .field("failed", report.failed);
  json.key("failures").begin_array();
  for (const EmbedFailure& failure : report.failures) {
    json.begin_object()
        .field("path", failure.path)
        .field("code", info(failure.code).name)
        .field("message", failure.message)
        .end_object();
  }
  json.end_array().field("images_per_second", report.images_per_second).field("device", report.device);
  json.key("notes").begin_array();
  for (const std::string& note : report.notes) {
    json.value(note);
  }
  json.end_array().end_object();
  console.write_json(out + "\n");
  const std::string speed = report.images_per_second > 0
                                ? fmt::format("; {:.1f} images/s on {}", report.images_per_second, report.device)
                                : std::string();
  console.say(fmt::format("vectors '{}' of {} {}: {} added, {} were there, {} failed; {} dimensions{}", report.name, report.asked,
                          report.subject, report.added, report.unchanged, report.failed, report.dimensions, speed));
  for (std::size_t i = 0; i < std::min(report.failures.size(), kShown); ++i) {
    console.say(fmt::format("  {}: {}", printable(report.failures[i].path), report.failures[i].message));
  }
  if (report.failures.size() > kShown) {
    console.say(fmt::format("  and {} more images; --json lists all", report.failures.size() - kShown));
  }
  return report.failed > 0 ? 1 : 0;
}

Action configure(CLI::App& app) {
  auto options = std::make_shared<EmbedOptions>();
  auto words = std::make_shared<Words>();
  app.add_option("--model", words->model, "An .onnx file, or a folder in Hugging Face's layout: CLIP, SigLIP, DINOv2, DINOv3, ViT")
      ->type_name("MODEL")
      ->required();
  app.add_option("--name", options->name, "What the vectors are called (default: the model's name)")->type_name("KEY");
  app.add_option("--set", options->set, "A vector of each object of this label set, instead of one of each image")
      ->type_name("SET");
  app.add_option("--where", options->where, "Only these samples, or with --set these labels (default: all)")->type_name("VIEW");
  app.add_option("--crop-margin", options->crop.margin, "With --set: what is seen around a box, in parts of its sides")
      ->capture_default_str();
  app.add_flag("--masked", words->is_masked, "With --set: show an outlined object on grey");
  app.add_flag("--mean-of-tokens", words->takes_tokens, "The mean over the parts of the picture, instead of the usual vector");
  add_engine_options(app, options->engine, options->device);
  app.add_option("--batch", options->batch, "Images that go through the model together (default: what suits it, found out once)")
      ->type_name("N");
  return [options, words](const Invocation& invocation) {
    options->model = words->model;
    if (options->name.empty()) {
      // The name of a folder or file, or what is behind the organisation on the hub.
      std::string named = words->model.substr(0, words->model.find('@'));
      while (named.ends_with('/')) {
        named.pop_back();
      }
      options->name = std::filesystem::path(named).stem().native() + (options->set.empty() ? "" : "-" + options->set);
      std::ranges::replace_if(options->name, [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_'; }, '_');
    }
    options->crop.is_masked = words->is_masked;
    options->pooling = words->takes_tokens ? Pooling::tokens : Pooling::usual;
    Project project = Project::open(invocation.project_dir);
    return answer(invocation, embed(project, *options, invocation.console.progress(), invocation.cancel));
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel embed --model clip-vit-base-patch32",
    "verilabel embed --model dinov2-small --set human --crop-margin 0.1 --name crops",
};

}  // namespace

const Command kEmbedCommand{
    "embed",
    "Make a vector of each image or object, for likeness, duplicates and maps",
    "Vectors are added to vectors/NAME.vectors in the project; those that are there stay, so that a command which was stopped goes "
    "on\n"
    "when it is given again. A name holds vectors of one model only.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
