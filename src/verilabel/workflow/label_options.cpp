#include "verilabel/workflow/label_options.h"

#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/hub/locate.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/model_files.h"
#include "verilabel/workflow/set_name.h"

namespace verilabel {

using nlohmann::json;

namespace {

/// A model beside the first with the hash of its files, so that a run goes on with the same.
template <typename Model>
json json_of_model(const std::string& name, const Model* model) {
  return model == nullptr ? json() : json{{"model", locate_model(name).name}, {"weights_sha256", model->card().weights_sha256}};
}

std::string model_from(const json& document, const char* key) {
  const json model = document.value(key, json());
  return model.is_null() ? std::string() : model.at("model").get<std::string>();
}

std::optional<TilingOptions> tiling_from(const json& document) {
  const json tiles = document.value("tiles", json());
  if (tiles.is_null()) {
    return std::nullopt;
  }
  const json& side = tiles.at("side");
  return TilingOptions{.side = side.is_string() ? TilingOptions::kChosenBySize : side.get<int>(),
                       .overlap = tiles.at("overlap").get<double>(),
                       .scales = tiles.at("scales").get<std::vector<double>>(),
                       .has_whole = tiles.at("whole").get<bool>()};
}

}  // namespace

void LabelOptions::validate() const {
  const auto require = [](bool holds, const char* message) {
    if (!holds) {
      throw Error(ErrorCode::wrong_use, message);
    }
  };
  check_set_name(set);
  require((model.empty() ? 0 : 1) + (boxes.empty() ? 0 : 1) + (everything ? 1 : 0) == 1,
          "a run needs one of a model that finds objects, a set whose boxes are taken, and a segmenter that finds everything");
  require(!everything || !segment_with.empty(), "everything is found by a segmenter; name it with --segment-with");
  if (everything) {
    everything->validate();
  }
  require(boxes.empty() || !segment_with.empty() || !classify_with.empty(),
          "boxes that are there need a model that works on them: --segment-with or --classify-with");
  require(boxes != set, "the labels of a run go into another set than the one its boxes come from; name it with --set");
  require(!classify_with.empty() || propose.empty(), "--propose goes with --classify-with; classes are named by --classes");
  require(!model.empty() || !manifest, "--manifest speaks of --model, which is not given");
  require(boxes.empty() || !classify_with.empty() || prompts.empty(),
          "boxes that are there keep their classes; leave --classes out");
  require(!everything || !classify_with.empty() || prompts.empty(),
          "a segmenter knows no classes; name a model that does with --classify-with");
  require(!model.empty() || propose.empty(),
          "--propose says what a model shall find, and with --everything or --boxes there is none; leave --propose out");
  require(!tiles || !model.empty(), "--tile goes with --model: boxes that are there need no tiles, and --everything takes none");
  if (tiles) {
    tiles->validate();
  }
  for (const Prompts* asked : {&prompts, &propose}) {
    if (!asked->empty()) {
      asked->validate();
    }
  }
  crop.validate();
  require(!floor || (*floor >= 0 && *floor < 1), "--floor must be at least 0 and below 1");
  require(!replace_below || (*replace_below >= 0 && *replace_below <= 1), "--replace-below must be between 0 and 1");
  require(!nms_iou || (*nms_iou >= 0 && *nms_iou <= 1), "--nms must be between 0 and 1");
  require(!max_detections || *max_detections > 0, "--max-detections must be at least 1");
  require(batch >= 0, "--batch must be at least 1, or 0 for what suits the model");
}

std::optional<TilingOptions> tiling_of(const RunRequest& request) {
  return tiling_from(json::parse(request.options_json));
}

std::string options_json_from(const LabelOptions& options, const LabelStages& stages, const std::string& boxes_from) {
  json document;
  document["prompts"] = json::parse(json_from(options.prompts));
  if (!options.propose.empty()) {
    document["propose"] = json::parse(json_from(options.propose));
  }
  document["boxes"] = options.boxes.empty() ? json() : json(options.boxes);
  document["boxes_from"] = json::parse(boxes_from);
  document["segment_with"] = json_of_model(options.segment_with, stages.segmenter);
  if (options.everything) {
    document["everything"] = {{"points_per_side", options.everything->points_per_side},
                              {"min_iou", options.everything->min_iou},
                              {"min_stability", options.everything->min_stability},
                              {"stability_offset", options.everything->stability_offset}};
  }
  if (options.tiles) {
    const int side = options.tiles->side;
    document["tiles"] = {{"side", side == TilingOptions::kChosenBySize ? json("auto") : json(side)},
                         {"overlap", options.tiles->overlap},
                         {"scales", options.tiles->scales},
                         {"whole", options.tiles->has_whole}};
  }
  document["classify_with"] = json_of_model(options.classify_with, stages.classifier);
  document["crop_margin"] = options.crop.margin;
  document["crop_masked"] = options.crop.is_masked;
  document["engine"] = options.engine;
  document["device"] = options.device;
  document["batch"] = options.batch;
  document["manifest"] = options.manifest ? json(options.manifest->native()) : json();
  document["nms_iou"] = options.nms_iou ? json(*options.nms_iou) : json();
  document["max_detections"] = options.max_detections ? json(*options.max_detections) : json();
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

LabelOptions options_from(const RunRequest& request) {
  const json document = json::parse(request.options_json);
  LabelOptions options;
  options.set = request.set;
  options.where = request.view;
  options.floor = request.floor;
  options.replace_below = request.bound ? std::optional(request.bound->confidence) : std::nullopt;
  // Runs of versions before models were asked in words have a list of names.
  options.prompts = document.contains("prompts") ? prompts_from_json(document.at("prompts").dump())
                                                 : prompts_of_names(document.at("classes").get<std::vector<std::string>>());
  if (document.contains("propose")) {
    options.propose = prompts_from_json(document.at("propose").dump());
  }
  const json boxes = document.value("boxes", json());
  options.boxes = boxes.is_null() ? std::string() : boxes.get<std::string>();
  options.segment_with = model_from(document, "segment_with");
  if (const json everything = document.value("everything", json()); !everything.is_null()) {
    options.everything = {.points_per_side = everything.at("points_per_side").get<int>(),
                          .min_iou = everything.at("min_iou").get<double>(),
                          .min_stability = everything.at("min_stability").get<double>(),
                          .stability_offset = everything.at("stability_offset").get<double>()};
  }
  options.model = options.boxes.empty() && !options.everything ? request.model : "";
  options.tiles = tiling_from(document);
  options.classify_with = model_from(document, "classify_with");
  options.crop.margin = document.value("crop_margin", options.crop.margin);
  options.crop.is_masked = document.value("crop_masked", options.crop.is_masked);
  options.engine = document.at("engine").get<std::string>();
  options.device = document.at("device").get<std::string>();
  options.batch = document.at("batch").get<int>();
  if (!document.at("manifest").is_null()) {
    options.manifest = document.at("manifest").get<std::string>();
  }
  if (!document.at("nms_iou").is_null()) {
    options.nms_iou = document.at("nms_iou").get<double>();
  }
  if (!document.at("max_detections").is_null()) {
    options.max_detections = document.at("max_detections").get<int>();
  }
  return options;
}

std::string boxes_from(const RunRequest& request) {
  return json::parse(request.options_json).value("boxes_from", json()).dump();
}

void require_same_weights(const RunRequest& request) {
  const LabelOptions options = options_from(request);
  const json document = json::parse(request.options_json);
  const auto require_same = [](const std::string& model, const std::string& sha256) {
    if (sha256_of_weights(find_model_files(locate_model(model).path)) != sha256) {
      throw Error(ErrorCode::conflict, "the model file is not the one that the run began with; start a new run",
                  {{"model", model}});
    }
  };
  if (!options.model.empty()) {
    require_same(options.model, request.weights_sha256);
  }
  for (const auto& [model, key] :
       {std::pair(options.segment_with, "segment_with"), std::pair(options.classify_with, "classify_with")}) {
    if (!model.empty()) {
      require_same(model, document.at(key).at("weights_sha256").get<std::string>());
    }
  }
}

}  // namespace verilabel
