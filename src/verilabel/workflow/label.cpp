#include "verilabel/workflow/label.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/dataset/view.h"
#include "verilabel/engine/engine.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/model_files.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/workflow/set_name.h"

namespace verilabel {
namespace {

using nlohmann::json;

/// Outcomes are stored together up to this many or this long: a transaction costs more than the rows in it.
constexpr std::size_t kOutcomesOfATransaction = 64;
constexpr std::chrono::milliseconds kLongestUnstored{100};

std::string json_from(const LabelOptions& options) {
  json document;
  document["prompts"] = json::parse(json_from(options.prompts));
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
  options.model = request.model;
  options.set = request.set;
  options.where = request.view;
  options.floor = request.floor;
  // Runs of versions before models were asked in words have a list of names.
  options.prompts = document.contains("prompts") ? prompts_from_json(document.at("prompts").dump())
                                                 : prompts_of_names(document.at("classes").get<std::vector<std::string>>());
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

std::string json_from(const ModelCard& card, const CandidateOptions& options, const Engine& engine) {
  json document;
  document["engine_version"] = engine.version();
  document["family"] = card.family;
  document["layout"] = card.layout;
  document["class_source"] = card.class_source;
  document["preprocessing"] = card.preprocessing;
  document["weights_sha256"] = card.weights_sha256;
  document["nms_iou"] = options.nms_iou;
  document["max_detections"] = options.max_detections;
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
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

CandidateOptions candidate_options(const Labeller& labeller, const LabelOptions& options) {
  CandidateOptions candidates = labeller.default_options();
  candidates.floor = options.floor;
  candidates.nms_iou = options.nms_iou.value_or(candidates.nms_iou);
  candidates.max_detections = options.max_detections.value_or(candidates.max_detections);
  candidates.is_class_wanted = wanted_classes(labeller, options.prompts);
  return candidates;
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
    if (const auto [width, height] = size_wh_.at(outcome.sample);
        width > 0 && height > 0 && (width != outcome.image_width || height != outcome.image_height)) {
      return SampleFailure{
          ErrorCode::conflict,
          fmt::format("the image is {} × {} now and was {} × {} when it was imported, so that boxes would not fit its "
                      "other labels; nothing was stored for it",
                      outcome.image_width, outcome.image_height, width, height)};
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
  report.engine = row.engine;
  report.device = row.device;
  return report;
}

LoadOptions load_options(const Project& project, const LabelOptions& options) {
  return {.manifest = options.manifest,
          .prompts = options.prompts,
          .device = options.device,
          .text_cache = project.directory() / "vectors" / "texts"};
}

/// Works on the samples that the run has left.
RunReport work_on(Project& project, RunId run, bool retry_failed, std::vector<std::string> notes, const ProgressSink& progress,
                  const CancelToken& cancel) {
  RunWriter writer = RunWriter::open(project, run);
  const RunRow row = run_row(project, run);
  const LabelOptions options = options_from(row.request);
  const ModelFiles files = find_model_files(options.model);
  if (sha256_of_weights(files) != row.request.weights_sha256) {
    throw Error(ErrorCode::conflict, "the model file is not the one that the run began with; start a new run",
                {{"model", options.model.native()}});
  }
  const std::vector<Sample> samples = writer.samples_left(retry_failed);
  if (samples.empty()) {
    writer.finish();
    RunReport report = report_of(project, run);
    report.notes.emplace_back("no image is left to be labelled");
    return report;
  }

  const std::unique_ptr<Engine> engine = open_engine(options.engine);
  const std::unique_ptr<Labeller> labeller = load_labeller(*engine, options.model, load_options(project, options));
  LabelRunOptions run_options;
  run_options.candidates = candidate_options(*labeller, options);
  run_options.device = options.device;
  run_options.batch = options.batch;
  run_options.total = static_cast<std::int64_t>(samples.size());
  const std::unique_ptr<CompiledModel> compiled = compile_for_run(*engine, labeller->graph(), run_options);

  std::vector<ClassId> class_ids;
  std::vector<ClassId> asked;
  for (std::size_t i = 0; i < labeller->class_names().size(); ++i) {
    class_ids.push_back(project.ensure_class(labeller->class_names()[i]));
    if (run_options.candidates.is_class_wanted.empty() || run_options.candidates.is_class_wanted[i] != 0) {
      asked.push_back(class_ids.back());
    }
  }
  writer.set_model(json_from(labeller->card(), run_options.candidates, *engine), engine->name(), compiled->device(), asked);

  StoringSink sink(writer, std::move(class_ids), samples);
  std::size_t next = 0;
  const auto source = [&]() -> std::optional<LabelTask> {
    if (next == samples.size()) {
      return std::nullopt;
    }
    const Sample& sample = samples[next++];
    return LabelTask{sample.id, sample.path};
  };
  const LabelRunReport worked = run_labelling(
      {.proposer = labeller.get(), .proposer_graph = compiled.get()}, run_options, source,
      [&](TaskOutcome&& outcome) { sink.take(std::move(outcome)); }, progress, cancel);
  sink.store();
  writer.finish();

  RunReport report = report_of(project, run);
  report.images_per_second = worked.images_per_second();
  report.notes = std::move(notes);
  report.notes.insert(report.notes.end(), labeller->notes().begin(), labeller->notes().end());
  report.is_interrupted = worked.is_cancelled && report.left() > 0;
  return report;
}

}  // namespace

void LabelOptions::validate() const {
  const auto require = [](bool holds, const char* message) {
    if (!holds) {
      throw Error(ErrorCode::wrong_use, message);
    }
  };
  check_set_name(set);
  require(std::isfinite(floor) && floor >= 0 && floor <= 1, "--floor must be between 0 and 1");
  require(!nms_iou || (*nms_iou >= 0 && *nms_iou <= 1), "--nms must be between 0 and 1");
  require(!max_detections || *max_detections > 0, "--max-detections must be at least 1");
  require(batch >= 0, "--batch must be at least 1, or 0 for what suits the model");
}

RunReport start_run(Project& project, const LabelOptions& options, const ProgressSink& progress, const CancelToken& cancel) {
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
  RunRequest request;
  request.set = options.set;
  request.model = options.model.native();
  request.weights_sha256 = sha256_of_weights(find_model_files(options.model));
  request.view = options.where;
  request.floor = options.floor;
  request.options_json = json_from(options);
  const RunId run = add_run(project, request, samples);
  return work_on(project, run, false, std::move(notes), progress, cancel);
}

RunReport resume_run(Project& project, RunId run, const ProgressSink& progress, const CancelToken& cancel) {
  return work_on(project, run, false, {}, progress, cancel);
}

RunReport retry_run(Project& project, RunId run, const ProgressSink& progress, const CancelToken& cancel) {
  return work_on(project, run, true, {}, progress, cancel);
}

}  // namespace verilabel
