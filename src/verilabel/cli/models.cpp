#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/engine/engine.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/model_files.h"

namespace verilabel::cli {
namespace {

int list(const Invocation& invocation) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("families").begin_array();
  Table table({"family", "recognised by"});
  for (const ModelFamily& family : model_families()) {
    json.begin_object().field("name", family.name).field("signature", family.signature).end_object();
    table.add({std::string(family.name), std::string(family.signature)});
  }
  json.end_array().end_object();
  invocation.console.write_json(out + "\n");
  invocation.console.say(
      "Any .onnx file of these families, or a folder in Hugging Face's layout, can be given to `label --model`:\n\n" +
      table.text());
  return 0;
}

void write_tensors(JsonWriter& json, std::string_view name, const std::vector<TensorInfo>& tensors) {
  json.key(name).begin_array();
  for (const TensorInfo& tensor : tensors) {
    json.value(text_of(tensor));
  }
  json.end_array();
}

int show(const Invocation& invocation, const std::string& model, const std::string& manifest) {
  const auto engine = open_engine("openvino");
  const GraphInfo graph = engine->inspect(find_model_files(model).graph);
  LoadOptions options;
  if (!manifest.empty()) {
    options.manifest = manifest;
  }
  const auto labeller = load_labeller(*engine, model, options);
  const ModelCard& card = labeller->card();
  const CandidateOptions defaults = labeller->default_options();
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("family", card.family).field("layout", card.layout).field("preprocessing", card.preprocessing);
  json.field("class_source", card.class_source).field("takes_prompts", card.takes_prompts);
  json.field("weights_sha256", card.weights_sha256);
  json.field("nms_iou", defaults.nms_iou).field("max_detections", defaults.max_detections);
  write_tensors(json, "inputs", graph.inputs);
  write_tensors(json, "outputs", graph.outputs);
  json.key("classes").begin_array();
  for (const std::string& name : labeller->class_names()) {
    json.value(name);
  }
  json.end_array().key("notes").begin_array();
  for (const std::string& note : labeller->notes()) {
    json.value(note);
  }
  json.end_array().end_object();
  Console& console = invocation.console;
  console.write_json(out + "\n");
  const std::string classes = card.takes_prompts
                                  ? "classes as they are asked for"
                                  : fmt::format("{} classes ({})", labeller->class_names().size(), card.class_source);
  console.say(fmt::format("{} ({}), {}", card.family, card.layout, classes));
  console.say(fmt::format("  {}", card.preprocessing));
  for (const TensorInfo& tensor : graph.inputs) {
    console.say("  input  " + text_of(tensor));
  }
  for (const TensorInfo& tensor : graph.outputs) {
    console.say("  output " + text_of(tensor));
  }
  console.say(fmt::format("  by default NMS at IoU {}, {} detections an image", defaults.nms_iou, defaults.max_detections));
  console.say(fmt::format("  weights {}", card.weights_sha256));
  for (const std::string& note : labeller->notes()) {
    console.say("  " + note);
  }
  return 0;
}

struct Words {
  std::string model;
  std::string manifest;
};

Action configure(CLI::App& app) {
  auto words = std::make_shared<Words>();
  app.require_subcommand(0, 1);
  app.add_subcommand("list", "The families of models that can be used (what `models` alone does)");
  CLI::App* info_app = app.add_subcommand("info", "What a model file is: family, inputs and outputs, classes, preprocessing");
  info_app->add_option("MODEL", words->model, "An .onnx file, or a folder in Hugging Face's layout")->required();
  info_app->add_option("--manifest", words->manifest, "What the graph does not say about itself")->type_name("FILE");
  return [=](const Invocation& invocation) {
    return info_app->parsed() ? show(invocation, words->model, words->manifest) : list(invocation);
  };
}

constexpr std::string_view kExamples[] = {"verilabel models", "verilabel models info yolox_nano.onnx"};

}  // namespace

const Command kModelsCommand{
    "models",   "Which models can be used, and what a model file is", "docs/models.md tells more, manifests among it.", kExamples,
    &configure,
};

}  // namespace verilabel::cli
