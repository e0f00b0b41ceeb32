#include "verilabel/pipeline/batch_tuning.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "verilabel/base/bounded_queue.h"
#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using Seconds = std::chrono::duration<double>;
using Clock = std::function<Seconds()>;

constexpr int kWindows = 3;
constexpr int kIdleDoublings = 3;
constexpr double kGain = 1.03;        // of a doubling that was worth it
constexpr double kGoodEnough = 0.95;  // of the quickest

void require_going_on(const CancelToken& cancel) {
  if (cancel.is_requested()) {
    throw Error(ErrorCode::interrupted, "the command was interrupted");
  }
}

/// Keeps a graph as busy as a run does, on inputs that do not change.
class Load {
 public:
  Load(CompiledModel& compiled, const GraphUse& graph, int images, const Clock& now)
      : now_(now), images_(images), finished_(static_cast<std::size_t>(std::max(1, compiled.optimal_requests())) + 1) {
    for (int i = 0; i < std::max(1, compiled.optimal_requests()) + 1; ++i) {
      requests_.push_back(compiled.create_request());
      for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
        if (graph.inputs[k].is_i64) {
          std::ranges::fill(requests_.back()->input_i64(k), 0);
        } else {
          // Neither all alike nor of a size that a normalised image has not.
          std::ranges::generate(requests_.back()->input(k), [value = 0]() mutable {
            value = (value + 37) % 201;
            return static_cast<float>(value - 100) / 100;
          });
        }
      }
    }
  }

  /// Bytes of inputs and outputs of one request; after `run_for`.
  std::size_t bytes_of_request(const GraphUse& graph, std::size_t outputs) {
    std::size_t numbers = 0;
    for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
      numbers += graph.inputs[k].is_i64 ? 2 * requests_.front()->input_i64(k).size() : requests_.front()->input(k).size();
    }
    for (std::size_t k = 0; k < outputs; ++k) {
      numbers += requests_.front()->output(k).size();
    }
    return numbers * sizeof(float);
  }
  std::size_t requests() const { return requests_.size(); }

  /// Images a second, over at least so long and at least one inference of each request. Whatever happens, nothing is running when
  /// it returns.
  double run_for(Seconds least) {
    const Seconds begin = now_();
    std::size_t done = 0;
    std::size_t running = 0;
    std::exception_ptr failure;
    const auto start = [&](InferRequest& request) {
      try {
        request.start([this, &request](const std::exception_ptr& error) { finished_.push(std::pair(&request, error)); });
        ++running;
      } catch (...) {
        failure = std::current_exception();
      }
    };
    for (const auto& request : requests_) {
      start(*request);
    }
    Seconds passed{0};
    while (running > 0) {
      const auto [request, error] = finished_.pop().value();
      --running;
      ++done;
      failure = failure ? failure : error;
      passed = now_() - begin;
      if (!failure && passed < least) {
        start(*request);
      }
    }
    if (failure) {
      std::rethrow_exception(failure);
    }
    return static_cast<double>(done) * images_ / std::max(passed.count(), 1e-9);
  }

 private:
  const Clock& now_;
  int images_;
  std::vector<std::unique_ptr<InferRequest>> requests_;
  BoundedQueue<std::pair<InferRequest*, std::exception_ptr>> finished_;
};

struct Trial {
  double images_per_second = 0;
  Seconds longest_window{0};
  std::size_t bytes = 0;  ///< of inputs and outputs in flight
};

Trial try_images(Engine& engine, const GraphUse& graph, LabelRunOptions options, int images, Seconds window, const Clock& now,
                 const CancelToken& cancel) {
  options.batch = images;
  const std::unique_ptr<CompiledModel> compiled = compile_for_run(engine, graph, options);
  Load load(*compiled, graph, images, now);
  load.run_for(Seconds(0));  // the first inferences allocate
  Trial trial;
  trial.bytes = load.bytes_of_request(graph, compiled->output_count()) * load.requests();
  for (int i = 0; i < kWindows; ++i) {
    require_going_on(cancel);
    const Seconds begin = now();
    trial.images_per_second = std::max(trial.images_per_second, load.run_for(window));
    trial.longest_window = std::max(trial.longest_window, now() - begin);
  }
  return trial;
}

}  // namespace

bool is_batch_open(const GraphUse& graph, const LabelRunOptions& options) {
  return options.batch == 0 && graph.fixed_batch == 0 && graph.outputs_have_batch;
}

BatchChoice choose_batch(Engine& engine, const GraphUse& graph, const LabelRunOptions& options, const BatchTuningOptions& tuning,
                         const ProgressSink& progress, const CancelToken& cancel) {
  BatchChoice choice;
  if (!is_batch_open(graph, options)) {
    choice.images = images_per_inference(graph, options);
    return choice;
  }
  const Clock now = tuning.now ? tuning.now : [] { return Seconds(std::chrono::steady_clock::now().time_since_epoch()); };
  double best = 0;
  int idle_doublings = 0;
  for (int images = 1; images <= tuning.max_images && idle_doublings < kIdleDoublings; images *= 2) {
    require_going_on(cancel);
    if (progress) {
      progress({"trying batch sizes", static_cast<std::int64_t>(choice.measured.size()), 0, 0, "sizes"});
    }
    std::optional<Trial> trial;
    try {
      trial = try_images(engine, graph, options, images, tuning.window, now, cancel);
    } catch (const Error& error) {
      if (images == 1 || error.code() == ErrorCode::interrupted) {
        throw;
      }
      break;  // a graph that says it takes any number and does not, or a device whose memory is full
    }
    choice.measured.push_back({images, trial->images_per_second});
    idle_doublings = trial->images_per_second > kGain * best ? 0 : idle_doublings + 1;
    best = std::max(best, trial->images_per_second);
    if (trial->longest_window > std::max<Seconds>(tuning.slow, tuning.window) || 2 * trial->bytes > tuning.max_bytes) {
      break;
    }
  }
  choice.images = std::ranges::find_if(choice.measured, [&](const BatchMeasure& one) {
                    return one.images_per_second >= kGoodEnough * best;
                  })->images;
  return choice;
}

}  // namespace verilabel
