#include "verilabel/workflow/embed.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/dataset/view.h"
#include "verilabel/hub/locate.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/store/vector_file.h"
#include "verilabel/workflow/image_size.h"
#include "verilabel/workflow/ready_graph.h"

namespace verilabel {
namespace {

/// An image, and the labels on it that get a vector.
struct EmbedTask {
  LabelTask task;
  std::string path;
  std::int32_t width = 0;  ///< as imported
  std::int32_t height = 0;
  std::vector<std::int64_t> ids;  ///< one a vector
};

class Plan {
 public:
  Plan(const Project& project, const Columns& columns, const View& view, const EmbedOptions& options)
      : project_(project), columns_(columns) {
    if (options.set.empty()) {
      for (const std::uint32_t row : select_samples(view, columns)) {
        add_sample(row);
      }
      return;
    }
    const auto found = std::ranges::find(columns.sets, options.set, &NamedId::name);
    if (found == columns.sets.end()) {
      throw Error(ErrorCode::not_found, fmt::format("there is no label set '{}'; there are: {}", options.set, project.set_names()));
    }
    const auto index = static_cast<std::int32_t>(found - columns.sets.begin());
    std::map<std::uint32_t, std::vector<std::uint32_t>> rows_of_sample;
    const LabelColumns& labels = columns.labels;
    for (const std::uint32_t row : select_labels(view, columns)) {
      if (labels.set[row] == index && labels.status[row] == LabelStatus::active && labels.verdict[row] != Verdict::rejected &&
          labels.kind[row] != LabelKind::classification) {
        rows_of_sample[static_cast<std::uint32_t>(labels.sample[row])].push_back(row);
      }
    }
    set_ = SetId{found->id};
    masked_ = options.crop.is_masked;
    for (const auto& [sample, rows] : rows_of_sample) {
      add_objects(sample, rows);
    }
  }

  /// Leaves out what has a vector.
  std::int64_t forget(const VectorWriter& writer) {
    std::int64_t known = 0;
    for (EmbedTask& task : tasks_) {
      for (std::size_t i = task.ids.size(); i-- > 0;) {
        if (writer.has(task.ids[i])) {
          ++known;
          task.ids.erase(task.ids.begin() + static_cast<std::ptrdiff_t>(i));
          if (!task.task.given.empty()) {
            task.task.given.erase(task.task.given.begin() + static_cast<std::ptrdiff_t>(i));
          }
        }
      }
    }
    std::erase_if(tasks_, [](const EmbedTask& task) { return task.ids.empty(); });
    return known;
  }

  const std::vector<EmbedTask>& tasks() const { return tasks_; }
  std::int64_t vectors() const {
    std::int64_t count = 0;
    for (const EmbedTask& task : tasks_) {
      count += static_cast<std::int64_t>(task.ids.size());
    }
    return count;
  }
  std::int64_t missing() const { return missing_; }

 private:
  EmbedTask* new_task(std::uint32_t sample) {
    if (columns_.samples.is_missing[sample] != 0) {
      ++missing_;
      return nullptr;
    }
    EmbedTask task;
    task.task.sample = {columns_.samples.id[sample]};
    task.path = columns_.samples.path[sample];
    task.width = columns_.samples.width[sample];
    task.height = columns_.samples.height[sample];
    task.task.path = task.path;
    tasks_.push_back(std::move(task));
    return &tasks_.back();
  }

  void add_sample(std::uint32_t row) {
    if (EmbedTask* task = new_task(row)) {
      task->ids.push_back(task->task.sample.value);
    }
  }

  void add_objects(std::uint32_t sample, const std::vector<std::uint32_t>& rows) {
    EmbedTask* task = new_task(sample);
    if (task == nullptr) {
      return;
    }
    std::unordered_map<std::int64_t, std::optional<Mask>> masks;
    if (masked_) {
      for (const StoredLabel& label : project_.labels_of(task->task.sample, set_)) {
        masks.emplace(label.id.value, label.label.mask);
      }
    }
    for (const std::uint32_t row : rows) {
      Candidate candidate;
      candidate.box_xywh_px = columns_.labels.box_xywh_px(row);
      if (const auto mask = masks.find(columns_.labels.id[row]); mask != masks.end()) {
        candidate.mask = mask->second;
      }
      task->task.given.push_back(std::move(candidate));
      task->ids.push_back(columns_.labels.id[row]);
    }
  }

  const Project& project_;
  const Columns& columns_;
  std::vector<EmbedTask> tasks_;
  SetId set_;
  bool masked_ = false;
  std::int64_t missing_ = 0;
};

std::string method_of(const Embedder& embedder, const EmbedOptions& options) {
  if (options.set.empty()) {
    return embedder.method();
  }
  return fmt::format("{}; objects cut out with a margin of {}{}", embedder.method(), options.crop.margin,
                     options.crop.is_masked ? ", on grey where there is a mask" : "");
}

/// How many numbers the model gives, from one run on an image of a pixel.
std::size_t dimensions_of(const Embedder& embedder, CompiledModel& compiled, int batch) {
  const std::unique_ptr<InferRequest> request = compiled.create_request();
  std::vector<InputView> inputs;
  for (std::size_t i = 0; i < embedder.graph().inputs.size(); ++i) {
    const InputPart& part = embedder.graph().inputs[i];
    inputs.push_back(part.is_i64 ? InputView{{}, request->input_i64(i)} : InputView{request->input(i).first(part.size()), {}});
    std::ranges::fill(inputs.back().i64, 0);
  }
  Image pixel(1, 1);
  std::ranges::fill(pixel.pixels(), std::uint8_t{128});
  Image scratch;
  embedder.preprocess(pixel, inputs, scratch);
  request->run();
  std::vector<std::int64_t> shape = request->output_shape(0);
  const std::span<const float> all = request->output(0);
  if (shape.empty() || shape[0] != batch) {
    throw Error(ErrorCode::bad_model,
                fmt::format("an output of the model has the shape [{}] for {} images: its first dimension should be the image",
                            fmt::join(shape, ", "), batch));
  }
  shape.erase(shape.begin());
  return embedder.decode(std::array{OutputView{all.first(all.size() / static_cast<std::size_t>(batch)), shape}}).size();
}

}  // namespace

void EmbedOptions::validate() const {
  crop.validate();
  if (batch < 0) {
    throw Error(ErrorCode::wrong_use, "--batch must be at least 1, or 0 for what suits the model");
  }
}

EmbedReport embed(Project& project, const EmbedOptions& options, const ProgressSink& progress, const CancelToken& cancel) {
  options.validate();
  const View view = View::parse(options.where, project.saved_views());
  const Columns columns = project.columns_for(view);
  Plan plan(project, columns, view, options);

  const LocatedModel model = locate_model(options.model);
  const std::unique_ptr<Engine> engine = open_engine(options.engine);
  const std::unique_ptr<Embedder> embedder = load_embedder(*engine, model.path, {.device = options.device}, options.pooling);
  LabelRunOptions run_options;
  run_options.crop = options.crop;
  run_options.device = options.device;
  run_options.batch = options.batch;
  run_options.embeds_objects = !options.set.empty();
  const ReadyGraph ready = ready_graph(*engine, embedder->graph(), embedder->card().weights_sha256, run_options, plan.vectors(),
                                       BatchMemory::of_this_user(), {}, progress, cancel);

  EmbedReport report;
  report.name = options.name;
  const VectorSubject subject = options.set.empty() ? VectorSubject::samples : VectorSubject::labels;
  report.subject = name_of(subject);
  report.device = ready.compiled->device();
  report.notes = embedder->notes();
  if (!ready.note.empty()) {
    report.notes.push_back(ready.note);
  }
  if (plan.missing() > 0) {
    report.notes.push_back(fmt::format("{} samples without a file are left out", plan.missing()));
  }
  report.dimensions = dimensions_of(*embedder, *ready.compiled, ready.images);
  VectorWriter writer(project.directory(), {.key = options.name,
                                            .subject = subject,
                                            .model = model.name,
                                            .weights_sha256 = embedder->card().weights_sha256,
                                            .method = method_of(*embedder, options),
                                            .dimensions = report.dimensions,
                                            .preprocessing = embedder->card().preprocessing});
  report.asked = plan.vectors();
  report.unchanged = plan.forget(writer);
  if (plan.tasks().empty()) {
    return report;
  }
  std::unordered_map<std::int64_t, const EmbedTask*> task_of_sample;
  for (const EmbedTask& task : plan.tasks()) {
    task_of_sample.emplace(task.task.sample.value, &task);
  }
  run_options.total = static_cast<std::int64_t>(plan.tasks().size());
  std::size_t next = 0;
  const auto source = [&]() -> std::optional<LabelTask> {
    return next == plan.tasks().size() ? std::nullopt : std::optional(plan.tasks()[next++].task);
  };
  const auto sink = [&](TaskOutcome&& outcome) {
    const EmbedTask& task = *task_of_sample.at(outcome.sample.value);
    if (!outcome.failure && !options.set.empty()) {
      outcome.failure = fault_of_size(outcome, task.width, task.height);
    }
    if (outcome.failure) {
      report.failed += static_cast<std::int64_t>(task.ids.size());
      report.failures.push_back({task.path, outcome.failure->code, outcome.failure->message});
      return;
    }
    for (std::size_t i = 0; i < task.ids.size(); ++i) {
      writer.add(task.ids[i], outcome.vectors[i]);
      ++report.added;
    }
  };
  LabelRunReport worked;
  try {
    worked = run_labelling({.embedder = embedder.get(), .embedder_graph = ready.in_stage()}, run_options, source, sink, progress,
                           cancel);
  } catch (...) {
    writer.flush();  // what is done is kept, whatever has ended it
    throw;
  }
  writer.flush();
  report.images_per_second = worked.images_per_second();
  report.is_interrupted = worked.is_cancelled && worked.done + worked.failed < run_options.total;
  return report;
}

}  // namespace verilabel
