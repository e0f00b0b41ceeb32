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

#include "verilabel/base/error.h"
#include "verilabel/dataset/view.h"
#include "verilabel/hub/locate.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/workflow/given_boxes.h"
#include "verilabel/workflow/image_size.h"
#include "verilabel/workflow/run_models.h"

namespace verilabel {
namespace {

/// Outcomes are stored together up to this many or this long: a transaction costs more than the rows in it.
constexpr std::size_t kOutcomesOfATransaction = 64;
constexpr std::chrono::milliseconds kLongestUnstored{100};

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
    require_same_weights(row.request);
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
    models = std::make_unique<RunModels>(project, options, progress, cancel);
    std::vector<SampleId> left;
    for (const Sample& sample : samples) {
      left.push_back(sample.id);
    }
    require_same_origins(project, boxes_from(row.request), models->origins(left));
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
    for (; next < samples.size(); ++next) {
      const Sample& sample = samples[next];
      if (models->knows(sample.id)) {
        ++next;
        return LabelTask{sample.id, sample.path, models->given(sample.id)};
      }
      // As of a run that goes on when what its view asked for was taken back: an image without boxes would be one without objects.
      TaskOutcome unknown;
      unknown.sample = sample.id;
      unknown.failure = TaskFailure{ErrorCode::conflict, fmt::format("the view no longer selects a box of the set '{}' here, or "
                                                                     "the set no longer says which objects there are",
                                                                     options.boxes)};
      sink.take(std::move(unknown));
    }
    return std::nullopt;
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
  auto models = std::make_unique<RunModels>(project, options, progress, cancel);
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
      options_json_from(options, models->stages, options.boxes.empty() ? "null" : json_from(models->origins(samples), project));
  if (options.replace_below) {
    request.bound = {.confidence = *options.replace_below, .same_iou = options.nms_iou.value_or(kSameObjectIou)};
  }
  models->require_batch();
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
