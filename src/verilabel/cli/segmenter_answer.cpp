#include "verilabel/cli/segmenter_answer.h"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/json_writer.h"
#include "verilabel/models/model_files.h"
#include "verilabel/models/segmenter.h"

namespace verilabel::cli {
namespace {

void write_list(JsonWriter& json, std::string_view name, const std::vector<TensorInfo>& tensors) {
  json.key(name).begin_array();
  for (const TensorInfo& tensor : tensors) {
    json.value(text_of(tensor));
  }
  json.end_array();
}

void say_tensors(Console& console, std::string_view graph, const GraphInfo& info) {
  for (const TensorInfo& tensor : info.inputs) {
    console.say(fmt::format("  {} input  {}", graph, text_of(tensor)));
  }
  for (const TensorInfo& tensor : info.outputs) {
    console.say(fmt::format("  {} output {}", graph, text_of(tensor)));
  }
}

}  // namespace

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
  write_list(json, "inputs", encoder.inputs);
  write_list(json, "outputs", encoder.outputs);
  write_list(json, "decoder_inputs", decoder.inputs);
  write_list(json, "decoder_outputs", decoder.outputs);
  json.key("notes").begin_array();
  for (const std::string& note : segmenter->notes()) {
    json.value(note);
  }
  json.end_array().end_object();
  Console& console = invocation.console;
  console.write_json(out + "\n");
  console.say(fmt::format("{} ({}): outlines objects, as `label --segment-with`", card.family, card.layout));
  console.say("  " + card.preprocessing);
  say_tensors(console, "encoder", encoder);
  say_tensors(console, "decoder", decoder);
  console.say(fmt::format("  weights {}", card.weights_sha256));
  for (const std::string& note : segmenter->notes()) {
    console.say("  " + note);
  }
  return 0;
}

}  // namespace verilabel::cli
