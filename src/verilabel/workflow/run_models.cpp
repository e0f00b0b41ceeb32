#include "verilabel/workflow/run_models.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/dataset/view.h"
#include "verilabel/hub/locate.h"

namespace verilabel {
namespace {

using nlohmann::json;

json json_from(const ModelCard& card) {
  return {{"family", card.family},
          {"layout", card.layout},
          {"class_source", card.class_source},
          {"preprocessing", card.preprocessing},
          {"weights_sha256", card.weights_sha256},
          {"tokenizer_sha256", card.tokenizer_sha256}};
}

json json_from(const Labeller& labeller) {
  json document = json_from(labeller.card());
  std::string names;
  for (const std::string& name : labeller.class_names()) {
    names.append(name).push_back('\0');
  }
  document["class_names_sha256"] = sha256_of(names);
  return document;
}

json json_from(const Labeller& labeller, const CandidateOptions& options) {
  json document = json_from(labeller);
  document["nms_iou"] = options.nms_iou;
  document["max_detections"] = options.max_detections;
  return document;
}

/// Throws `conflict` where files beside a model changed, so that it would not do what it did: `before` and `now` are what
/// `json_from` made of it. Runs of earlier versions do not say all of it.
void require_same_settings(const std::string& model, const json& before, const json& now) {
  for (const char* key :
       {"family", "layout", "preprocessing", "class_names_sha256", "tokenizer_sha256", "nms_iou", "max_detections"}) {
    if (before.contains(key) && now.contains(key) && before.at(key) != now.at(key)) {
      throw Error(ErrorCode::conflict,
                  "the files beside the model are not those that the run began with; bring them back, or start a new run",
                  {{"model", model}, {"changed", key}, {"before", before.at(key).dump()}, {"now", now.at(key).dump()}});
    }
  }
}

/// One flag a class of the model; all when none is named.
std::vector<std::uint8_t> wanted_classes(const Labeller& labeller, const Prompts& prompts) {
  if (labeller.card().takes_prompts) {
    if (prompts.classes.empty()) {
      throw Error(ErrorCode::wrong_use, "this model finds what it is asked for; say what with --classes or --classes-file");
    }
    return {};
  }
  if (prompts.has_phrasings()) {
    throw Error(ErrorCode::wrong_use,
                "this model has classes of its own and does not read: phrasings, negatives and templates mean nothing to it");
  }
  const std::vector<std::string>& known = labeller.class_names();
  if (prompts.classes.empty()) {
    return {};
  }
  std::vector<std::uint8_t> wanted(known.size(), 0);
  for (const std::string& name : prompts.names()) {
    const auto found = std::ranges::find(known, name);
    if (found == known.end()) {
      throw Error(ErrorCode::wrong_use, fmt::format("the model has no class '{}'", name),
                  {{"classes", fmt::format("{}", fmt::join(known, ", "))}});
    }
    wanted[static_cast<std::size_t>(found - known.begin())] = 1;
  }
  return wanted;
}

CandidateOptions candidate_options(const Labeller& labeller, const LabelOptions& options, const Prompts& prompts) {
  CandidateOptions candidates = labeller.default_options();
  candidates.floor = options.floor.value_or(candidates.floor);
  candidates.nms_iou = options.nms_iou.value_or(candidates.nms_iou);
  candidates.max_detections = options.max_detections.value_or(candidates.max_detections);
  candidates.is_class_wanted = wanted_classes(labeller, prompts);
  return candidates;
}

/// Images that go together where a later model looks at them too: until then they stay in memory as pixels.
constexpr int kMostOfManyStages = 8;

LoadOptions load_options(const Project& project, const LabelOptions& options, const Prompts& prompts, const ProgressSink& progress,
                         const CancelToken& cancel) {
  LoadOptions load;
  load.progress = progress;
  load.cancel = &cancel;
  load.prompts = prompts;
  load.device = options.device;
  load.text_cache = project.directory() / "vectors" / "texts";
  return load;
}

}  // namespace

RunModels::RunModels(Project& project, const LabelOptions& options, const ProgressSink& progress, const CancelToken& cancel)
    : engine_(open_engine(options.engine)) {
  run_options.device = options.device;
  run_options.batch = options.batch;
  run_options.crop = options.crop;
  const Prompts& first_prompts = options.classify_with.empty() ? options.prompts : options.propose;
  if (options.everything) {
    run_options.everything = options.everything;
    run_options.everything->nms_iou = options.nms_iou.value_or(run_options.everything->nms_iou);
    run_options.everything->max_masks = options.max_detections;
    run_options.candidates.floor = options.floor.value_or(run_options.candidates.floor);
  } else if (options.boxes.empty()) {
    LoadOptions load = load_options(project, options, first_prompts, progress, cancel);
    load.manifest = options.manifest;
    proposer_ = load_labeller(*engine_, locate_model(options.model).path, load);
    run_options.candidates = candidate_options(*proposer_, options, first_prompts);
    if (!proposer_->finds_objects() && (options.tiles || !options.segment_with.empty() || !options.classify_with.empty())) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("this model says what a whole image shows; leave {} out, which is for models that find objects",
                              options.tiles                   ? "--tile"
                              : !options.segment_with.empty() ? "--segment-with"
                                                              : "--classify-with"));
    }
    run_options.tiles = options.tiles;
    stages.proposer = proposer_.get();
  } else {
    const View view = View::parse(options.where, project.saved_views());
    // Boxes that are only outlined keep their confidences: all of them, unless a floor is asked for.
    run_options.candidates.floor = options.floor.value_or(options.classify_with.empty() ? 0 : run_options.candidates.floor);
    boxes_ =
        std::make_unique<GivenBoxes>(project, options.boxes, view,
                                     GivenBoxes::Options{.lowest = options.classify_with.empty() ? run_options.candidates.floor : 0,
                                                         .with_masks = options.segment_with.empty()});
  }
  if (!options.segment_with.empty()) {
    segmenter_ =
        load_segmenter(*engine_, locate_model(options.segment_with).path, load_options(project, options, {}, progress, cancel));
    stages.segmenter = segmenter_.get();
  }
  if (!options.classify_with.empty()) {
    classifier_ = load_labeller(*engine_, locate_model(options.classify_with).path,
                                load_options(project, options, options.prompts, progress, cancel));
    if (classifier_->finds_objects()) {
      throw Error(ErrorCode::wrong_use,
                  "--classify-with needs a model that says what a whole image shows, and this one finds objects: leave it out, or "
                  "name a classifier or CLIP",
                  {{"model", options.classify_with}});
    }
    run_options.is_name_wanted = wanted_classes(*classifier_, options.prompts);
    stages.classifier = classifier_.get();
  }
}

void RunModels::require_batch() const {
  if (proposer_) {
    images_per_inference(proposer_->graph(), run_options);
  }
  if (segmenter_) {
    images_per_inference(segmenter_->encoder(), run_options);
    images_per_inference(segmenter_->decoder(run_options.everything ? PromptKind::point : PromptKind::box).graph, run_options);
  }
  if (classifier_) {
    images_per_inference(classifier_->graph(), run_options);
  }
}

std::vector<std::string> RunModels::make_ready(std::int64_t images, const ProgressSink& progress, const CancelToken& cancel) {
  BatchTuningOptions tuning;
  if (segmenter_ || classifier_) {
    tuning.max_images = kMostOfManyStages;
  }
  const BatchMemory memory = BatchMemory::of_this_user();
  const auto ready = [&](const GraphUse& graph, const ModelCard& card) {
    graphs_.push_back(ready_graph(*engine_, graph, card.weights_sha256, run_options, images, memory, tuning, progress, cancel));
    return graphs_.back().in_stage();
  };
  if (proposer_) {
    stages.proposer_graph = ready(proposer_->graph(), proposer_->card());
  }
  if (segmenter_) {
    stages.encoder_graph = ready(segmenter_->encoder(), segmenter_->card());
    stages.decoder_graph =
        ready(segmenter_->decoder(run_options.everything ? PromptKind::point : PromptKind::box).graph, segmenter_->card());
  }
  if (classifier_) {
    stages.classifier_graph = ready(classifier_->graph(), classifier_->card());
  }
  std::vector<std::string> notes;
  for (const ReadyGraph& graph : graphs_) {
    if (!graph.note.empty()) {
      notes.push_back(graph.note);
    }
  }
  return notes;
}

const std::vector<std::string>& RunModels::class_names() const {
  static const std::vector<std::string> kObject = {"object"};
  if (classifier_) {
    return classifier_->class_names();
  }
  return proposer_ ? proposer_->class_names() : (boxes_ ? boxes_->class_names() : kObject);
}

bool RunModels::is_asked(std::size_t class_index) const {
  if (boxes_ && !classifier_) {
    return boxes_->is_asked(class_index);
  }
  const std::vector<std::uint8_t>& wanted = classifier_ ? run_options.is_name_wanted : run_options.candidates.is_class_wanted;
  return wanted.empty() || wanted[class_index] != 0;
}

std::vector<std::string> RunModels::notes() const {
  std::vector<std::string> all;
  const auto add = [&](const std::vector<std::string>& notes) { all.insert(all.end(), notes.begin(), notes.end()); };
  if (boxes_ && boxes_->without_box() > 0) {
    add({fmt::format("{} labels of whole images have no box and are passed over", boxes_->without_box())});
  }
  if (boxes_ && boxes_->crowds() > 0) {
    add({fmt::format("{} crowds are passed over: a model would take each for one object", boxes_->crowds())});
  }
  if (proposer_) {
    add(proposer_->notes());
  }
  if (segmenter_) {
    add(segmenter_->notes());
  }
  if (classifier_) {
    add(classifier_->notes());
  }
  return all;
}

std::string RunModels::provenance() const {
  json document = proposer_ ? json_from(*proposer_, run_options.candidates) : json::object();
  document["engine_version"] = engine_->version();
  for (const auto& [name, graph] : {std::pair("proposer", stages.proposer_graph), std::pair("encoder", stages.encoder_graph),
                                    std::pair("decoder", stages.decoder_graph), std::pair("classifier", stages.classifier_graph)}) {
    if (graph.compiled != nullptr) {
      document["images_per_inference"][name] = graph.images;
    }
  }
  if (segmenter_) {
    document["segmenter"] = json_from(segmenter_->card());
  }
  if (classifier_) {
    document["classifier"] = json_from(*classifier_);
  }
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

void RunModels::require_same(const std::string& provenance_json) const {
  const json before = json::parse(provenance_json);
  if (proposer_) {
    require_same_settings("proposer", before, json_from(*proposer_, run_options.candidates));
  }
  if (segmenter_) {
    require_same_settings("segmenter", before.value("segmenter", json::object()), json_from(segmenter_->card()));
  }
  if (classifier_) {
    require_same_settings("classifier", before.value("classifier", json::object()), json_from(*classifier_));
  }
}

}  // namespace verilabel
