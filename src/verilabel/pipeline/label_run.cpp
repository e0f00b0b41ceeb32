#include "verilabel/pipeline/label_run.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <span>
#include <thread>
#include <utility>

#include "verilabel/base/bounded_queue.h"
#include "verilabel/pipeline/inference_stage.h"

namespace verilabel {
namespace {

using Clock = std::chrono::steady_clock;

// How often the calling thread looks at the cancel token while nothing arrives, and at most how often it reports progress.
constexpr auto kTick = std::chrono::milliseconds(100);
// Outcomes that may wait while the sink is busy (a transaction that is synchronised to disk), so that the engine goes on meanwhile.
constexpr std::size_t kWaitingOutcomes = 64;

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Splits a thread's processor time between the stages it works for.
class StageClock {
 public:
  // Adds the time since the last call to `stage`.
  void charge(std::atomic<double>& stage) {
    const double now = thread_cpu_seconds();
    stage.fetch_add(now - last_, std::memory_order_relaxed);
    last_ = now;
  }

 private:
  double last_ = thread_cpu_seconds();
};

struct StageTimes {
  std::atomic<double> decode{0};
  std::atomic<double> preprocess{0};
  std::atomic<double> output{0};
  std::atomic<double> sink{0};
};

// An outcome on its way to the sink, or a task that a cancelled run gave up.
struct Delivery {
  TaskOutcome outcome;
  bool is_dropped = false;
};

// The failure that one image's work threw. Never fatal: other images may be fine.
TaskFailure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.message()};
  } catch (const std::bad_alloc&) {
    return {ErrorCode::io, "there is not enough memory for this image"};
  } catch (const std::exception& error) {
    return {ErrorCode::internal, fmt::format("unexpected failure, please report it: {}", error.what())};
  }
}

std::size_t processors(const LabelRunOptions& options) {
  return options.threads > 0 ? static_cast<std::size_t>(options.threads) : std::max(1U, std::thread::hardware_concurrency());
}

// The threads of a run and what connects them:
//
//     tasks → [decode, preprocess] → InferenceStage → [decode outputs] → deliveries
//
// Both queues hold every task in flight, so that only `InferenceStage::take` makes a thread wait for a slower one.
class Stages {
 public:
  Stages(const Labeller& labeller, CompiledModel& compiled, const LabelRunOptions& options)
      : labeller_(labeller),
        options_(options),
        images_per_inference_(static_cast<std::size_t>(images_per_inference(labeller, options))),
        output_count_(compiled.output_count()),
        // One more than the device works on for each processor: an inference that ends always finds the next one waiting.
        request_count_(static_cast<std::size_t>(std::max(1, compiled.optimal_requests())) + processors(options)),
        capacity_(images_per_inference_ * (request_count_ + 1) + 2 * processors(options) + kWaitingOutcomes),
        tasks_(capacity_),
        deliveries_(capacity_),
        inference_(compiled, request_count_, images_per_inference_, labeller.inputs()) {
    // Waiting threads cost nothing. With one decoding thread a processor, a slow engine leaves most of them waiting for a slot, and
    // a fast one gets all the help there is.
    const std::size_t decoders = processors(options);
    const std::size_t readers = std::max<std::size_t>(1, processors(options) / 2);
    decoding_ = decoders;
    try {
      for (std::size_t i = 0; i < decoders; ++i) {
        threads_.emplace_back([this] { guarded([this] { decode_images(); }); });
      }
      for (std::size_t i = 0; i < readers; ++i) {
        threads_.emplace_back([this] { guarded([this] { decode_outputs(); }); });
      }
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Stages() { stop(); }
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;

  std::size_t capacity() const { return capacity_; }
  void add(LabelTask task) { tasks_.push(std::move(task)); }
  void no_more_tasks() { tasks_.close(); }
  // Takes back the tasks that nobody has begun; those that have no inference yet come back as dropped deliveries.
  std::size_t give_up_waiting_tasks() {
    is_giving_up_ = true;
    std::size_t count = 0;
    while (tasks_.try_pop()) {
      ++count;
    }
    tasks_.close();
    return count;
  }
  std::optional<Delivery> next_delivery() { return deliveries_.pop_within(kTick); }
  void throw_failure() const {
    if (const std::exception_ptr failure = inference_.failure()) {
      std::rethrow_exception(failure);
    }
    const std::lock_guard lock(failure_mutex_);
    if (failure_) {
      std::rethrow_exception(failure_);
    }
  }
  StageTimes& times() { return times_; }
  double idle_seconds() const { return std::chrono::duration<double>(inference_.idle_time()).count(); }

 private:
  void stop() {
    give_up_waiting_tasks();
    inference_.abandon();
    deliveries_.close();
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threads_.clear();
  }

  // What gets here is no failure of one image; it ends the run.
  template <typename Body>
  void guarded(Body body) {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      failure_ = std::current_exception();
    }
  }

  void decode_images() {
    Image image;
    Image scratch;
    while (std::optional<LabelTask> task = tasks_.pop()) {
      decode_image(*task, image, scratch);
    }
    if (--decoding_ == 0) {
      inference_.finish();
    }
  }

  void decode_image(const LabelTask& task, Image& image, Image& scratch) {
    StageClock clock;
    try {
      decode(task.path, image, options_.decode);
    } catch (...) {
      deliver_failure(task.sample);
      clock.charge(times_.decode);
      return;
    }
    clock.charge(times_.decode);
    const std::optional<InferenceSlot> slot = is_giving_up_ ? std::nullopt : inference_.take();
    if (!slot) {
      Delivery dropped;
      dropped.is_dropped = true;
      deliveries_.push(std::move(dropped));
      return;
    }
    InferenceImage& part = slot->image();
    try {
      part.sample = task.sample;
      part.transform = labeller_.preprocess(image, inference_.inputs_of(*slot), scratch);
    } catch (...) {
      part.is_void = true;
      deliver_failure(task.sample);
    }
    clock.charge(times_.preprocess);
    inference_.put(*slot);
  }

  void decode_outputs() {
    std::vector<std::vector<std::int64_t>> shapes(output_count_);
    std::vector<OutputView> outputs(output_count_);
    while (Inference* inference = inference_.next_finished()) {
      StageClock clock;
      for (std::size_t i = 0; i < output_count_; ++i) {
        shapes[i] = inference->request->output_shape(i);
        require_batch_dimension(shapes[i]);
      }
      for (std::size_t index = 0; index < images_per_inference_; ++index) {
        const InferenceImage& image = inference->images[index];
        if (image.is_void) {
          continue;
        }
        for (std::size_t i = 0; i < output_count_; ++i) {
          const std::span<const float> all = inference->request->output(i);
          const std::size_t size = all.size() / images_per_inference_;
          outputs[i] = {all.subspan(index * size, size), std::span(shapes[i]).subspan(1)};
        }
        deliver_candidates(image, outputs);
      }
      clock.charge(times_.output);
      inference_.recycle(inference);
    }
  }

  void require_batch_dimension(const std::vector<std::int64_t>& shape) const {
    if (shape.empty() || shape[0] != static_cast<std::int64_t>(images_per_inference_)) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("an output of the model has the shape [{}] for {} images: its first dimension should "
                              "be the image; export the model with a batch dimension on every output",
                              fmt::join(shape, ", "), images_per_inference_));
    }
  }

  void deliver_candidates(const InferenceImage& image, std::span<const OutputView> outputs) {
    Delivery delivery;
    delivery.outcome.sample = image.sample;
    delivery.outcome.image_width = image.transform.image_width;
    delivery.outcome.image_height = image.transform.image_height;
    try {
      delivery.outcome.candidates = labeller_.decode(outputs, image.transform, options_.candidates);
    } catch (...) {
      delivery.outcome.failure = current_failure();
    }
    deliveries_.push(std::move(delivery));
  }

  void deliver_failure(SampleId sample) {
    Delivery delivery;
    delivery.outcome.sample = sample;
    delivery.outcome.failure = current_failure();
    deliveries_.push(std::move(delivery));
  }

  const Labeller& labeller_;
  const LabelRunOptions& options_;
  const std::size_t images_per_inference_;
  const std::size_t output_count_;
  const std::size_t request_count_;
  const std::size_t capacity_;
  BoundedQueue<LabelTask> tasks_;
  BoundedQueue<Delivery> deliveries_;
  InferenceStage inference_;
  StageTimes times_;
  std::atomic<std::size_t> decoding_{0};  // threads that may still put something into the inference stage
  std::atomic<bool> is_giving_up_{false};
  mutable std::mutex failure_mutex_;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

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
  require(batch >= 0, fmt::format("the batch is {}; 0 lets the model decide", batch));
  require(threads >= 0, fmt::format("the number of threads is {}; 0 takes all processors", threads));
}

int images_per_inference(const Labeller& labeller, const LabelRunOptions& options) {
  const int fixed = labeller.fixed_batch();
  if (fixed > 0) {
    require(options.batch == 0 || options.batch == fixed,
            fmt::format("the model was exported for {} image{} at a time and cannot take {}; leave the batch out", fixed,
                        fixed == 1 ? "" : "s", options.batch));
    return fixed;
  }
  return std::max(1, options.batch);
}

std::unique_ptr<CompiledModel> compile_for_run(Engine& engine, const std::filesystem::path& model, const Labeller& labeller,
                                               const LabelRunOptions& options) {
  options.validate();
  return engine.compile(model, {.device = options.device,
                                .input_shapes = input_shapes_of(labeller, images_per_inference(labeller, options)),
                                .threads = options.threads});
}

LabelRunReport run_labelling(const Labeller& labeller, CompiledModel& compiled, const LabelRunOptions& options,
                             const LabelSource& source, const LabelSink& sink, const ProgressSink& progress,
                             const CancelToken& cancel) {
  options.validate();
  const std::size_t wanted = options.candidates.is_class_wanted.size();
  require(wanted == 0 || wanted == labeller.class_names().size(),
          fmt::format("{} classes are marked as wanted or not, but the model has {}", wanted, labeller.class_names().size()));

  LabelRunReport report;
  report.device = compiled.device();
  const Clock::time_point begin = Clock::now();
  Stages stages(labeller, compiled, options);
  ProgressTicker ticker(progress, options.total);
  StageClock clock;
  std::size_t in_flight = 0;
  bool is_ended = false;
  while (true) {
    if (!report.is_cancelled && cancel.is_requested()) {
      report.is_cancelled = true;
      in_flight -= stages.give_up_waiting_tasks();
    }
    while (!report.is_cancelled && !is_ended && in_flight < stages.capacity()) {
      if (std::optional<LabelTask> task = source()) {
        stages.add(std::move(*task));
        ++in_flight;
      } else {
        is_ended = true;
        stages.no_more_tasks();
      }
    }
    if (in_flight == 0) {
      break;
    }
    std::optional<Delivery> delivery = stages.next_delivery();
    stages.throw_failure();
    if (delivery) {
      --in_flight;
      if (!delivery->is_dropped) {
        (delivery->outcome.failure ? report.failed : report.done) += 1;
        report.candidates += static_cast<std::int64_t>(delivery->outcome.candidates.size());
        sink(std::move(delivery->outcome));
      }
    }
    clock.charge(stages.times().sink);
    ticker.tick(report);
  }
  report.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  report.idle_seconds = stages.idle_seconds();
  report.stages = {stages.times().decode, stages.times().preprocess, stages.times().output, stages.times().sink};
  ticker.show(report);
  return report;
}

}  // namespace verilabel
