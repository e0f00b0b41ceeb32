#include "verilabel/pipeline/batch_tuning.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <optional>
#include <span>
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
          fill(requests_.back()->input(k), graph.inputs[k].has_batch ? images : 1);
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

  /// What the graph gave for the first and for the last image, output by output, each in ascending order: a graph that picks the
  /// best of many may give nearly equal ones in another order. After `run_for`.
  std::vector<std::vector<float>> answers(std::size_t outputs) {
    std::vector<std::vector<float>> all;
    for (std::size_t k = 0; k < outputs; ++k) {
      const std::span<const float> values = requests_.front()->output(k);
      const std::size_t size = values.size() / static_cast<std::size_t>(images_);
      for (const std::span<const float> one : {values.first(size), values.last(size)}) {
        all.emplace_back(one.begin(), one.end());
        std::ranges::sort(all.back());
      }
    }
    return all;
  }

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
  /// The first and the last image alike, and others between them: neither of one colour nor beyond what a normalised image holds.
  static void fill(std::span<float> input, int images) {
    const std::size_t size = input.size() / static_cast<std::size_t>(images);
    for (int image = 0; image < images; ++image) {
      int value = image == 0 || image + 1 == images ? 0 : image;
      for (float& number : input.subspan(static_cast<std::size_t>(image) * size, size)) {
        value = (value + 37) % 201;
        number = static_cast<float>(value - 100) / 100;
      }
    }
  }

  const Clock& now_;
  int images_;
  BoundedQueue<std::pair<InferRequest*, std::exception_ptr>> finished_;
  std::vector<std::unique_ptr<InferRequest>> requests_;  // after the queue, which their callbacks may still be leaving
};

struct Trial {
  double images_per_second = 0;
  Seconds longest_window{0};
  std::size_t bytes = 0;  ///< of inputs and outputs in flight
  std::vector<std::vector<float>> answers;
};

/// Up to what another order of sums makes, and of the values picked by a graph nearly all. Outputs of another size are others: a
/// prompt-free YOLOE keeps what any of the images wants, and only some versions take it off the others again.
bool are_same(const std::vector<float>& a, const std::vector<float>& b) {
  constexpr float kTolerance = 1e-3F;
  constexpr std::size_t kMostOthers = 100;  // one of so many
  if (a.size() != b.size()) {
    return false;
  }
  float largest = 0;
  for (const float value : a) {
    largest = std::isfinite(value) ? std::max(largest, std::abs(value)) : largest;
  }
  std::size_t others = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool is_same = std::isfinite(a[i]) ? std::abs(a[i] - b[i]) <= kTolerance * largest : !std::isfinite(b[i]);
    others += is_same ? 0 : 1;
  }
  return others * kMostOthers <= a.size();
}

Trial try_images(Engine& engine, const GraphUse& graph, LabelRunOptions options, int images, Seconds window, const Clock& now,
                 const CancelToken& cancel) {
  options.batch = images;
  const std::unique_ptr<CompiledModel> compiled = compile_for_run(engine, graph, options);
  Load load(*compiled, graph, images, now);
  load.run_for(Seconds(0));  // the first inferences allocate
  Trial trial;
  trial.bytes = load.bytes_of_request(graph, compiled->output_count()) * requests_for_run(*compiled, options);
  trial.answers = load.answers(compiled->output_count());
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
  return options.batch == 0 && graph.fixed_batch == 0 && graph.outputs_have_batch && !graph.scales_over_batch;
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
  std::vector<std::vector<float>> alone;
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
    if (images == 1) {
      alone = trial->answers;
    } else if (!std::ranges::equal(trial->answers, alone, &are_same)) {
      choice.wrong_at = images;
      break;
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
