#include "verilabel/cli/model_info.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/json_writer.h"
#include "verilabel/cli/models_answer.h"
#include "verilabel/engine/engine.h"
#include "verilabel/hub/locate.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/model_files.h"
#include "verilabel/models/segmenter.h"

namespace verilabel::cli {
namespace {

void write_tensors(JsonWriter& json, std::string_view name, const std::vector<TensorInfo>& tensors) {
  json.key(name).begin_array();
  for (const TensorInfo& tensor : tensors) {
    json.value(text_of(tensor));
  }
  json.end_array();
}

/// `graph` stands before what is an input or an output: empty, or a word and a blank.
void say_tensors(Console& console, std::string_view graph, const GraphInfo& info) {
  for (const TensorInfo& tensor : info.inputs) {
    console.say(fmt::format("  {}input  {}", graph, text_of(tensor)));
  }
  for (const TensorInfo& tensor : info.outputs) {
    console.say(fmt::format("  {}output {}", graph, text_of(tensor)));
  }
}

void say_end(Console& console, const ModelCard& card, const std::vector<std::string>& notes) {
  console.say(fmt::format("  weights {}", card.weights_sha256));
  for (const std::string& note : notes) {
    console.say("  " + note);
  }
}

int show_labeller(const Invocation& invocation, Engine& engine, const LocatedModel& located,
                  const std::optional<std::filesystem::path>& manifest) {
  const GraphInfo graph = engine.inspect(find_model_files(located.path).graph);
  const auto labeller = load_labeller(engine, located.path, {.manifest = manifest});
  const ModelCard& card = labeller->card();
  const CandidateOptions defaults = labeller->default_options();
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("model", located.name).field("family", card.family).field("layout", card.layout);
  json.field("preprocessing", card.preprocessing).field("class_source", card.class_source);
  json.field("takes_prompts", card.takes_prompts).field("weights_sha256", card.weights_sha256);
  json.field("nms_iou", defaults.nms_iou).field("max_detections", defaults.max_detections);
  write_tensors(json, "inputs", graph.inputs);
  write_tensors(json, "outputs", graph.outputs);
  write_texts(json, "classes", labeller->class_names());
  write_texts(json, "notes", labeller->notes());
  json.end_object();
  Console& console = invocation.console;
  console.write_json(out + "\n");
  const std::string classes = card.takes_prompts
                                  ? "classes as they are asked for"
                                  : fmt::format("{} classes ({})", labeller->class_names().size(), card.class_source);
  console.say(fmt::format("{} ({}), {}", card.family, card.layout, classes));
  console.say(fmt::format("  {}", card.preprocessing));
  say_tensors(console, "", graph);
  console.say(labeller->finds_objects()
                  ? fmt::format("  by default NMS at IoU {}, {} detections an image", defaults.nms_iou, defaults.max_detections)
                  : fmt::format("  by default the best {} classes of an image", defaults.max_detections));
  say_end(console, card, labeller->notes());
  return 0;
}

int show_segmenter(const Invocation& invocation, Engine& engine, const LocatedModel& model) {
  const ModelFiles files = find_model_files(model.path);
  const GraphInfo encoder = engine.inspect(files.graph);
  const GraphInfo decoder = engine.inspect(files.companion);
  const auto segmenter = load_segmenter(engine, model.path);
  const ModelCard& card = segmenter->card();
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("model", model.name).field("family", card.family).field("layout", card.layout);
  json.field("preprocessing", card.preprocessing);
  json.field("takes_boxes", segmenter->takes(PromptKind::box)).field("takes_points", segmenter->takes(PromptKind::point));
  json.field("weights_sha256", card.weights_sha256);
  write_tensors(json, "inputs", encoder.inputs);
  write_tensors(json, "outputs", encoder.outputs);
  write_tensors(json, "decoder_inputs", decoder.inputs);
  write_tensors(json, "decoder_outputs", decoder.outputs);
  write_texts(json, "notes", segmenter->notes());
  json.end_object();
  Console& console = invocation.console;
  console.write_json(out + "\n");
  console.say(fmt::format("{} ({}): outlines objects, as `label --segment-with`", card.family, card.layout));
  console.say("  " + card.preprocessing);
  say_tensors(console, "encoder ", encoder);
  say_tensors(console, "decoder ", decoder);
  say_end(console, card, segmenter->notes());
  return 0;
}

}  // namespace

int show_model(const Invocation& invocation, const std::string& model, const std::optional<std::filesystem::path>& manifest) {
  const auto engine = open_engine("openvino");
  const LocatedModel located = locate_model(model);
  return is_segmenter(*engine, located.path) ? show_segmenter(invocation, *engine, located)
                                             : show_labeller(invocation, *engine, located, manifest);
}

}  // namespace verilabel::cli
