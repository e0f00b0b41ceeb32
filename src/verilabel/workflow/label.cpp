#include "verilabel/workflow/label.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/dataset/view.h"
#include "verilabel/engine/engine.h"
#include "verilabel/hub/locate.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/model_files.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/workflow/given_boxes.h"
#include "verilabel/workflow/image_size.h"
#include "verilabel/workflow/ready_graph.h"
#include "verilabel/workflow/set_name.h"

namespace verilabel {
namespace {

using nlohmann::json;

/// Outcomes are stored together up to this many or this long: a transaction costs more than the rows in it.
constexpr std::size_t kOutcomesOfATransaction = 64;
constexpr std::chrono::milliseconds kLongestUnstored{100};

/// A model beside the first with the hash of its files, so that a run goes on with the same.
template <typename Model>
json json_of_model(const std::string& name, const Model* model) {
  return model == nullptr ? json() : json{{"model", locate_model(name).name}, {"weights_sha256", model->card().weights_sha256}};
}

std::string model_from(const json& document, const char* key) {
  const json model = document.value(key, json());
  return model.is_null() ? std::string() : model.at("model").get<std::string>();
}

std::string json_from(const LabelOptions& options, const LabelStages& stages, const std::string& boxes_from) {
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

json json_from(const ModelCard& card) {
  return {{"family", card.family},
          {"layout", card.layout},
          {"class_source", card.class_source},
          {"preprocessing", card.preprocessing},
          {"weights_sha256", card.weights_sha256}};
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

/// Throws `conflict` where files beside a model changed, so that it would not do what it did: `before` and `now` are what
/// `json_from` made of it. Runs of earlier versions do not say all of it.
void require_same_settings(const std::string& model, const json& before, const json& now) {
  for (const char* key : {"family", "layout", "preprocessing", "class_names_sha256"}) {
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

/// The models of a run: loaded when it is made, so that what is to be said of them can be said before `make_ready`, which takes
/// longest.
class RunModels {
 public:
  RunModels(Project& project, const LabelOptions& options) : engine_(open_engine(options.engine)) {
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
      LoadOptions load = load_options(project, options, first_prompts);
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
      boxes_ = std::make_unique<GivenBoxes>(
          project, options.boxes, view,
          GivenBoxes::Options{.lowest = options.classify_with.empty() ? run_options.candidates.floor : 0,
                              .with_masks = options.segment_with.empty()});
    }
    if (!options.segment_with.empty()) {
      segmenter_ = load_segmenter(*engine_, locate_model(options.segment_with).path, load_options(project, options, {}));
      stages.segmenter = segmenter_.get();
    }
    if (!options.classify_with.empty()) {
      classifier_ =
          load_labeller(*engine_, locate_model(options.classify_with).path, load_options(project, options, options.prompts));
      run_options.is_name_wanted = wanted_classes(*classifier_, options.prompts);
      stages.classifier = classifier_.get();
    }
  }

  /// Compiles for a run over so many images; gives what was found out by that, for people.
  std::vector<std::string> make_ready(std::int64_t images, const ProgressSink& progress, const CancelToken& cancel) {
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

  const std::vector<std::string>& class_names() const {
    static const std::vector<std::string> kObject = {"object"};
    if (classifier_) {
      return classifier_->class_names();
    }
    return proposer_ ? proposer_->class_names() : (boxes_ ? boxes_->class_names() : kObject);
  }
  /// Whether labels of the class can come out.
  bool is_asked(std::size_t class_index) const {
    const std::vector<std::uint8_t>& wanted = classifier_ ? run_options.is_name_wanted : run_options.candidates.is_class_wanted;
    return wanted.empty() || wanted[class_index] != 0;
  }
  /// Else labels are of whole images.
  bool finds_objects() const { return !proposer_ || proposer_->finds_objects(); }
  std::vector<Candidate> given(SampleId sample) const { return boxes_ ? boxes_->of(sample) : std::vector<Candidate>(); }
  /// Whether the run can say of the sample which objects it has: without boxes from a set, of any.
  bool knows(SampleId sample) const { return !boxes_ || boxes_->knows(sample); }
  Origins origins(std::span<const SampleId> samples) const { return boxes_ ? boxes_->origins(samples) : Origins(); }
  std::string_view engine_name() const { return engine_->name(); }
  std::string device() const { return graphs_.front().compiled->device(); }

  /// What the models left open, and what a run with them costs; for people.
  std::vector<std::string> notes() const {
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

  /// What the run keeps of its models: the first one's description, and those of the others by what they do.
  std::string provenance() const {
    json document = proposer_ ? json_from(*proposer_) : json::object();
    if (proposer_) {
      document["nms_iou"] = run_options.candidates.nms_iou;
      document["max_detections"] = run_options.candidates.max_detections;
    }
    document["engine_version"] = engine_->version();
    for (const auto& [name, graph] :
         {std::pair("proposer", stages.proposer_graph), std::pair("encoder", stages.encoder_graph),
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

  /// Throws `conflict` where files beside the models changed since another run with them kept its `provenance`.
  void require_same(const std::string& provenance_json) const {
    const json before = json::parse(provenance_json);
    if (proposer_) {
      require_same_settings("proposer", before, json_from(*proposer_));
    }
    if (segmenter_) {
      require_same_settings("segmenter", before.value("segmenter", json::object()), json_from(segmenter_->card()));
    }
    if (classifier_) {
      require_same_settings("classifier", before.value("classifier", json::object()), json_from(*classifier_));
    }
  }

  LabelStages stages;
  LabelRunOptions run_options;

 private:
  static LoadOptions load_options(const Project& project, const LabelOptions& options, const Prompts& prompts) {
    LoadOptions load;
    load.prompts = prompts;
    load.device = options.device;
    load.text_cache = project.directory() / "vectors" / "texts";
    return load;
  }

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Labeller> proposer_;
  std::unique_ptr<GivenBoxes> boxes_;
  std::unique_ptr<Segmenter> segmenter_;
  std::unique_ptr<Labeller> classifier_;
  std::vector<ReadyGraph> graphs_;
};

/// Throws `conflict` when a model is not the one that the run began with.
void require_same_models(const RunRow& row, const LabelOptions& options) {
  const json document = json::parse(row.request.options_json);
  const auto require_same = [](const std::string& model, const std::string& sha256) {
    if (sha256_of_weights(find_model_files(locate_model(model).path)) != sha256) {
      throw Error(ErrorCode::conflict, "the model file is not the one that the run began with; start a new run",
                  {{"model", model}});
    }
  };
  if (!options.model.empty()) {
    require_same(options.model, row.request.weights_sha256);
  }
  for (const auto& [model, key] :
       {std::pair(options.segment_with, "segment_with"), std::pair(options.classify_with, "classify_with")}) {
    if (!model.empty()) {
      require_same(model, document.at(key).at("weights_sha256").get<std::string>());
    }
  }
}

/// Gathers outcomes and stores them some at a time.
class StoringSink {
 public:
  StoringSink(RunWriter& writer, std::vector<ClassId> class_ids, const std::vector<Sample>& samples)
      : writer_(writer), class_ids_(std::move(class_ids)) {
    for (const Sample& sample : samples) {
      size_wh_.emplace(sample.id, std::pair(sample.width, sample.height));
    }
  }

  void take(TaskOutcome&& outcome) {
    pending_.push_back({outcome.sample, result_from(std::move(outcome))});
    const auto now = std::chrono::steady_clock::now();
    if (pending_.size() >= kOutcomesOfATransaction || now - last_stored_ >= kLongestUnstored) {
      store();
      last_stored_ = now;
    }
  }

  void store() {
    if (!pending_.empty()) {
      writer_.write(pending_);
      pending_.clear();
    }
  }

 private:
  std::variant<std::vector<Label>, SampleFailure> result_from(TaskOutcome&& outcome) const {
    if (outcome.failure) {
      return SampleFailure{outcome.failure->code, std::move(outcome.failure->message)};
    }
    const auto [width, height] = size_wh_.at(outcome.sample);
    if (auto failure = fault_of_size(outcome, width, height)) {
      return SampleFailure{failure->code, std::move(failure->message)};
    }
    std::vector<Label> labels;
    labels.reserve(outcome.candidates.size());
    for (Candidate& candidate : outcome.candidates) {
      Label label;
      label.kind = candidate.kind;
      label.class_id = class_ids_[static_cast<std::size_t>(candidate.class_index)];
      label.box_xywh_px = candidate.box_xywh_px;
      label.confidence = candidate.score;
      if (candidate.mask) {
        label.area_px = mask_area(*candidate.mask, static_cast<std::uint32_t>(outcome.image_height),
                                  static_cast<std::uint32_t>(outcome.image_width));
        label.mask = std::move(candidate.mask);
      }
      labels.push_back(std::move(label));
    }
    return labels;
  }

  RunWriter& writer_;
  std::vector<ClassId> class_ids_;
  std::unordered_map<SampleId, std::pair<std::int32_t, std::int32_t>> size_wh_;  ///< as imported
  std::vector<SampleOutcome> pending_;
  std::chrono::steady_clock::time_point last_stored_ = std::chrono::steady_clock::now();
};

RunReport report_of(const Project& project, RunId run) {
  const RunRow row = run_row(project, run);
  RunReport report;
  report.run = run;
  report.samples = row.samples;
  report.done = row.done;
  report.failed = row.failed;
  report.labels = row.labels;
  report.superseded = row.superseded;
  report.repeats = row.repeats;
  report.tiling = tiling_of(row.request);
  report.bound = row.request.bound;
  report.engine = row.engine;
  report.device = row.device;
  return report;
}

/// What to do about a run that looked at images and has no label.
std::string why_without_labels(const LabelOptions& options, double floor) {
  if (!options.boxes.empty()) {
    return fmt::format("no label: the set '{}' has no boxes on these images{}", options.boxes,
                       floor > 0 ? fmt::format(", or none that reaches the floor of {}", floor) : "");
  }
  return fmt::format("no label: nothing was found above the floor of {}; a lower --floor keeps more{}", floor,
                     options.prompts.empty() ? "" : ", other words in --classes may find more");
}

/// Works on the samples that the run has left, with its models where they are loaded already.
RunReport work_on(Project& project, RunId run, std::unique_ptr<RunModels> models, bool retry_failed, std::vector<std::string> notes,
                  const ProgressSink& progress, const CancelToken& cancel, const NoteSink& on_note) {
  const auto say = [&on_note](const std::vector<std::string>& said) {
    if (on_note) {
      std::ranges::for_each(said, on_note);
    }
  };
  RunWriter writer = RunWriter::open(project, run);
  const RunRow row = run_row(project, run);
  const LabelOptions options = options_from(row.request);
  if (!models) {
    require_same_models(row, options);
  }
  const std::vector<Sample> samples = writer.samples_left(retry_failed);
  if (samples.empty()) {
    writer.finish();
    RunReport report = report_of(project, run);
    report.notes.emplace_back(row.samples > 0 ? "no image is left to be labelled"
                                              : "the view selects no image, so that there is nothing to be labelled");
    say(report.notes);
    return report;
  }

  if (!models) {
    models = std::make_unique<RunModels>(project, options);
    std::vector<SampleId> left;
    for (const Sample& sample : samples) {
      left.push_back(sample.id);
    }
    require_same_origins(project, json::parse(row.request.options_json).value("boxes_from", json()).dump(), models->origins(left));
  }
  if (!row.model_json.empty()) {
    models->require_same(row.model_json);
  }
  const std::vector<std::string> of_models = models->notes();
  notes.insert(notes.end(), of_models.begin(), of_models.end());
  say(notes);
  const std::vector<std::string> found_out = models->make_ready(static_cast<std::int64_t>(samples.size()), progress, cancel);
  say(found_out);
  notes.insert(notes.end(), found_out.begin(), found_out.end());
  models->run_options.total = static_cast<std::int64_t>(samples.size());

  std::vector<ClassId> class_ids;
  std::vector<ClassId> asked;
  for (std::size_t i = 0; i < models->class_names().size(); ++i) {
    class_ids.push_back(project.ensure_class(models->class_names()[i]));
    if (models->is_asked(i)) {
      asked.push_back(class_ids.back());
    }
  }
  writer.set_model(models->provenance(), models->engine_name(), models->device(), asked);

  StoringSink sink(writer, std::move(class_ids), samples);
  std::size_t next = 0;
  const auto source = [&]() -> std::optional<LabelTask> {
    if (next == samples.size()) {
      return std::nullopt;
    }
    const Sample& sample = samples[next++];
    return LabelTask{sample.id, sample.path, models->given(sample.id)};
  };
  const LabelRunReport worked = run_labelling(
      models->stages, models->run_options, source, [&](TaskOutcome&& outcome) { sink.take(std::move(outcome)); }, progress, cancel);
  sink.store();
  writer.finish();

  RunReport report = report_of(project, run);
  report.images_per_second = worked.images_per_second();
  report.windows = worked.windows;
  report.notes = std::move(notes);
  report.is_interrupted = worked.is_cancelled && report.left() > 0;
  if (report.done > 0 && report.labels == 0 && !report.is_interrupted) {
    report.notes.push_back(why_without_labels(options, row.request.floor));
    say({report.notes.back()});
  }
  return report;
}

/// What a new run has to say of the undecided labels that its set holds on these samples.
std::vector<std::string> notes_of_set(const Columns& columns, const std::string& set, const std::vector<SampleId>& samples,
                                      const RunModels& models) {
  const std::optional<std::int32_t> index = columns.set_index(set);
  if (!index) {
    return {};
  }
  std::unordered_set<std::string_view> asked;
  for (std::size_t i = 0; i < models.class_names().size(); ++i) {
    if (models.is_asked(i)) {
      asked.insert(models.class_names()[i]);
    }
  }
  const std::unordered_set<SampleId> wanted(samples.begin(), samples.end());
  const LabelColumns& labels = columns.labels;
  std::int64_t imported = 0;
  std::int64_t of_other_kind = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels.set[row] != *index || labels.status[row] != LabelStatus::active || labels.verdict[row] != Verdict::unreviewed ||
        !wanted.contains({columns.samples.id[static_cast<std::size_t>(labels.sample[row])]})) {
      continue;
    }
    if (labels.run[row] == 0) {
      ++imported;
    } else if (has_box(labels.kind[row]) != models.finds_objects() &&
               asked.contains(columns.classes[static_cast<std::size_t>(labels.class_index[row])].name)) {
      ++of_other_kind;
    }
  }
  std::vector<std::string> notes;
  if (imported > 0) {
    notes.push_back(
        fmt::format("the set '{}' holds {} imported labels of these images: what the run finds stands beside them, also "
                    "where both are the same object; name another set with --set",
                    set, imported));
  }
  if (of_other_kind > 0) {
    notes.push_back(
        fmt::format("the set '{}' holds {} undecided {} of these classes, which give way to {}: name another set with "
                    "--set to have both; `runs undo` brings them back",
                    set, of_other_kind, models.finds_objects() ? "labels of whole images" : "objects",
                    models.finds_objects() ? "objects" : "labels of whole images"));
  }
  return notes;
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
  require(!floor || (*floor >= 0 && *floor <= 1), "--floor must be between 0 and 1");
  require(!replace_below || (*replace_below >= 0 && *replace_below <= 1), "--replace-below must be between 0 and 1");
  require(!nms_iou || (*nms_iou >= 0 && *nms_iou <= 1), "--nms must be between 0 and 1");
  require(!max_detections || *max_detections > 0, "--max-detections must be at least 1");
  require(batch >= 0, "--batch must be at least 1, or 0 for what suits the model");
}

std::optional<TilingOptions> tiling_of(const RunRequest& request) {
  return tiling_from(json::parse(request.options_json));
}

RunReport start_run(Project& project, const LabelOptions& options, const ProgressSink& progress, const CancelToken& cancel,
                    const NoteSink& on_note) {
  options.validate();
  const View view = View::parse(options.where, project.saved_views());
  const Columns columns = project.columns_for(view);
  std::vector<SampleId> samples;
  std::int64_t missing = 0;
  for (const std::uint32_t row : select_samples(view, columns)) {
    if (columns.samples.is_missing[row] != 0) {
      ++missing;
    } else {
      samples.push_back({columns.samples.id[row]});
    }
  }
  std::vector<std::string> notes;
  if (missing > 0) {
    notes.push_back(fmt::format("{} samples without a file are left out; import their folder to bring them in", missing));
  }
  // Before the run is stored: one whose models or classes cannot be used is none.
  auto models = std::make_unique<RunModels>(project, options);
  if (const auto unknown = std::erase_if(samples, [&](SampleId sample) { return !models->knows(sample); }); unknown > 0) {
    notes.push_back(
        fmt::format("{} images are left out, whose objects the set '{}' does not tell: it has not labelled them, has "
                    "only crowds and labels of the whole image there, or --where selects none of its boxes",
                    unknown, options.boxes));
  }
  if (!options.replace_below) {
    std::ranges::move(notes_of_set(columns, options.set, samples, *models), std::back_inserter(notes));
  }
  RunRequest request;
  request.set = options.set;
  if (!options.model.empty()) {
    request.model = locate_model(options.model).name;
    request.weights_sha256 = models->stages.proposer->card().weights_sha256;
  } else {
    request.model = options.everything ? "everything" : fmt::format("boxes of {}", options.boxes);
  }
  request.view = options.where;
  request.floor = models->run_options.candidates.floor;
  request.options_json =
      json_from(options, models->stages, options.boxes.empty() ? "null" : json_from(models->origins(samples), project));
  if (options.replace_below) {
    request.bound = {.confidence = *options.replace_below, .same_iou = options.nms_iou.value_or(kSameObjectIou)};
  }
  const RunId run = add_run(project, request, samples);
  return work_on(project, run, std::move(models), false, std::move(notes), progress, cancel, on_note);
}

RunReport resume_run(Project& project, RunId run, const ProgressSink& progress, const CancelToken& cancel,
                     const NoteSink& on_note) {
  return work_on(project, run, nullptr, false, {}, progress, cancel, on_note);
}

RunReport retry_run(Project& project, RunId run, const ProgressSink& progress, const CancelToken& cancel, const NoteSink& on_note) {
  return work_on(project, run, nullptr, true, {}, progress, cancel, on_note);
}

}  // namespace verilabel
