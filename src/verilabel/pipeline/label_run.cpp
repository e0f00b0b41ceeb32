#include "verilabel/pipeline/label_run.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <time.h>

#include "verilabel/pipeline/run_stage.h"
#include "verilabel/pipeline/stage_line.h"

namespace verilabel {
namespace {

using Clock = std::chrono::steady_clock;

// How often the calling thread looks at the cancel token while nothing arrives, and at most how often it reports progress.
constexpr auto kTick = std::chrono::milliseconds(100);

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Calls the sink of progress some ten times a second.
class ProgressTicker {
 public:
  ProgressTicker(const ProgressSink& sink, std::int64_t total) : sink_(sink), total_(total) {}

  void tick(const LabelRunReport& report) {
    if (Clock::now() - last_ >= kTick) {
      show(report);
    }
  }
  void show(const LabelRunReport& report) {
    if (sink_) {
      sink_({.stage = "labelling", .done = report.done, .failed = report.failed, .total = total_, .unit = "images"});
    }
    last_ = Clock::now();
  }

 private:
  const ProgressSink& sink_;
  std::int64_t total_;
  Clock::time_point last_ = Clock::now();
};

void require(bool holds, std::string message) {
  if (!holds) {
    throw Error(ErrorCode::wrong_use, std::move(message));
  }
}

}  // namespace

void LabelRunOptions::validate() const {
  require(candidates.floor >= 0 && candidates.floor < 1,
          fmt::format("the floor is {}; a score from 0 to below 1 is needed", candidates.floor));
  require(candidates.nms_iou >= 0 && candidates.nms_iou <= 1,
          fmt::format("the NMS threshold is {}; an IoU from 0 to 1 is needed", candidates.nms_iou));
  require(candidates.max_detections > 0,
          fmt::format("at most {} detections an image; at least 1 is needed", candidates.max_detections));
  if (tiles) {
    tiles->validate();
  }
  crop.validate();
  if (everything) {
    everything->validate();
  }
  require(batch >= 0, fmt::format("the batch is {}; 0 lets the model decide", batch));
  require(threads >= 0, fmt::format("the number of threads is {}; 0 takes all processors", threads));
}

int images_per_inference(const GraphUse& graph, const LabelRunOptions& options) {
  if (!graph.outputs_have_batch) {
    return 1;
  }
  const int fixed = graph.fixed_batch;
  if (fixed > 0) {
    require(options.batch == 0 || options.batch == fixed,
            fmt::format("the model was exported for {} image{} at a time and cannot take {}; leave the batch out", fixed,
                        fixed == 1 ? "" : "s", options.batch));
    return fixed;
  }
  return std::max(1, options.batch);
}

std::unique_ptr<CompiledModel> compile_for_run(Engine& engine, const GraphUse& graph, const LabelRunOptions& options) {
  options.validate();
  return engine.compile(graph.file, {.device = options.device,
                                     .input_shapes = input_shapes_of(graph, images_per_inference(graph, options)),
                                     .outputs = graph.outputs,
                                     .threads = options.threads});
}

namespace {

std::vector<LineStage> line_of(const LabelStages& models, const LabelRunOptions& options) {
  std::vector<LineStage> line;
  const auto add = [&](std::unique_ptr<RunStage> stage, const StageGraph& graph) {
    const int images = graph.images > 0 ? graph.images : images_per_inference(stage->graph(), options);
    line.push_back({std::move(stage), graph.compiled, images});
  };
  if (models.proposer != nullptr) {
    add(std::make_unique<ProposeStage>(*models.proposer, options), models.proposer_graph);
  }
  if (models.segmenter != nullptr) {
    add(std::make_unique<EncodeStage>(*models.segmenter, !options.everything), models.encoder_graph);
    if (options.everything) {
      add(std::make_unique<EverythingStage>(*models.segmenter, *options.everything, options.candidates.floor),
          models.decoder_graph);
    } else {
      add(std::make_unique<OutlineStage>(*models.segmenter), models.decoder_graph);
    }
  }
  if (models.classifier != nullptr) {
    add(std::make_unique<RenameStage>(*models.classifier, options), models.classifier_graph);
  }
  if (models.embedder != nullptr) {
    add(std::make_unique<EmbedStage>(*models.embedder, options), models.embedder_graph);
  }
  require(!line.empty(), "a run needs a model");
  return line;
}

}  // namespace

LabelRunReport run_labelling(const LabelStages& models, const LabelRunOptions& options, const LabelSource& source,
                             const LabelSink& sink, const ProgressSink& progress, const CancelToken& cancel) {
  options.validate();
  const std::size_t wanted = options.candidates.is_class_wanted.size();
  require(wanted == 0 || models.proposer == nullptr || wanted == models.proposer->class_names().size(),
          fmt::format("{} classes are marked as wanted or not, but the model has another number of them", wanted));
  require(!options.everything || (models.segmenter != nullptr && models.proposer == nullptr),
          "everything is found by a segmenter alone, without a model that proposes");
  require(!options.tiles || (models.proposer != nullptr && models.proposer->finds_objects()),
          "tiles are for a model that finds objects; other models look at whole images");

  LabelRunReport report;
  const Clock::time_point begin = Clock::now();
  std::vector<LineStage> stages = line_of(models, options);
  report.device = stages.front().compiled->device();
  StageLine line(std::move(stages), options);
  ProgressTicker ticker(progress, options.total);
  double sink_seconds = 0;
  double last_seconds = thread_cpu_seconds();
  std::size_t in_flight = 0;
  bool is_ended = false;
  while (true) {
    if (!report.is_cancelled && cancel.is_requested()) {
      report.is_cancelled = true;
      in_flight -= line.give_up_waiting_tasks();
    }
    while (!report.is_cancelled && !is_ended && in_flight < line.capacity()) {
      if (std::optional<LabelTask> task = source()) {
        line.add(std::move(*task));
        ++in_flight;
      } else {
        is_ended = true;
        line.no_more_tasks();
      }
    }
    if (in_flight == 0) {
      break;
    }
    std::optional<Delivery> delivery = line.next_delivery(kTick);
    line.throw_failure();
    if (delivery) {
      --in_flight;
      if (!delivery->is_dropped) {
        (delivery->outcome.failure ? report.failed : report.done) += 1;
        report.candidates += static_cast<std::int64_t>(delivery->outcome.candidates.size());
        report.windows += delivery->outcome.windows;
        sink(std::move(delivery->outcome));
      }
    }
    const double now_seconds = thread_cpu_seconds();
    sink_seconds += now_seconds - std::exchange(last_seconds, now_seconds);
    ticker.tick(report);
  }
  report.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  report.idle_seconds = line.idle_seconds();
  report.stages = line.stage_seconds();
  report.stages.sink = sink_seconds;
  ticker.show(report);
  return report;
}

}  // namespace verilabel
