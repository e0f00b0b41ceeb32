#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "verilabel/base/bounded_queue.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/pipeline/request_pool.h"
#include "verilabel/pipeline/run_stage.h"

// Private to the module.
namespace verilabel {

/// A stage and the graph that was made ready for it.
struct LineStage {
  std::unique_ptr<RunStage> stage;
  CompiledModel* compiled = nullptr;  ///< outlives the line
  int images_per_inference = 1;
};

/// An outcome on its way to the sink, or a task that a cancelled run gave up.
struct Delivery {
  TaskOutcome outcome;
  bool is_dropped = false;
};

/// Takes images through the stages of a run, on threads of its own.
///
///     tasks → decode → [write parts → inference → read parts] a stage → deliveries
///
/// Each thread takes the work that is furthest along: outputs to be read, then inferences that compute in these threads, then parts
/// to be written for the last stage that has a request free, then a new image. So nothing piles up, and however many stages there
/// are, memory holds few images. Work that has to wait (for a request, for an inference) waits in a list, never in a thread.
class StageLine {
 public:
  /// Throws what `create_request` throws.
  StageLine(std::vector<LineStage> stages, const LabelRunOptions& options);
  /// Gives up what is waiting and ends once running inferences have.
  ~StageLine();
  StageLine(const StageLine&) = delete;
  StageLine& operator=(const StageLine&) = delete;

  /// Tasks that may be in flight: added, and not yet taken from the deliveries.
  std::size_t capacity() const { return capacity_; }
  void add(LabelTask task);
  void no_more_tasks();
  /// Takes back the tasks that nobody has begun, and says how many. Images with work left beyond the inferences that run, or that
  /// are filled by then, come back as dropped deliveries.
  std::size_t give_up_waiting_tasks();
  /// Waits a little; nothing when nothing came.
  std::optional<Delivery> next_delivery(std::chrono::steady_clock::duration timeout) { return deliveries_.pop_within(timeout); }
  /// Throws what ended the line, if something did.
  void throw_failure() const;

  StageSeconds stage_seconds() const;
  /// Wall time since the construction in which no inference was running.
  double idle_seconds() const;

 private:
  struct Step {  // a stage, with what waits for it
    LineStage line;
    RequestPool pool;
    std::deque<std::pair<ImageJob*, std::size_t>> unwritten;  // parts
    std::size_t jobs = 0;                                     // images that are in this stage
    std::size_t outputs = 0;                                  // of the graph, that are read
  };
  struct OutputTensor {
    std::span<const float> values;             // of all shares
    std::vector<std::int64_t> shape_of_share;  // without the batch dimension, where there is one
  };
  struct Times {
    std::atomic<double> decode{0};
    std::atomic<double> preprocess{0};
    std::atomic<double> output{0};
  };
  class StageClock;

  // Each with the lock held, which it gives back while it works. False when there was nothing to do.
  bool read_one(std::unique_lock<std::mutex>& lock, StageClock& clock);
  bool compute_one(std::unique_lock<std::mutex>& lock, StageClock& clock);
  bool write_one(std::unique_lock<std::mutex>& lock, StageClock& clock, Image& scratch);
  bool decode_one(std::unique_lock<std::mutex>& lock, StageClock& clock);
  bool start_partly_filled(std::unique_lock<std::mutex>& lock);

  void work();
  static std::vector<OutputTensor> outputs_of(const Step& step, const Inference& inference);
  // With the lock held: wakes a thread when there is work.
  void wake_for_more();
  // With the lock held, which is given back while an engine with threads of its own takes the inference.
  void start(Inference* inference, std::unique_lock<std::mutex>& lock);
  void on_done(Inference* inference, const std::exception_ptr& error);
  // With the lock held.
  void begin_running();
  void end_running(Inference* inference, const std::exception_ptr& error);
  // With the lock held: one part less to write, one less to read. The last one moves the image on, without the lock.
  void count_written(ImageJob& job);
  void count_read(ImageJob& job, std::unique_lock<std::mutex>& lock);
  void enter(ImageJob& job, std::size_t stage, std::unique_lock<std::mutex>& lock);
  void leave(ImageJob& job, bool is_dropped);
  void give_image_back(ImageJob& job);
  void give_place_back(ImageJob& job);
  void fail_job(ImageJob& job, TaskFailure failure);

  bool may_decode() const;
  bool is_over() const;
  bool is_quiet_before(std::size_t stage) const;
  bool is_stuck() const;

  LabelRunOptions options_;
  std::size_t capacity_ = 0;
  std::size_t most_images_ = 0;       // decoded at a time
  std::size_t last_image_stage_ = 0;  // no later one looks at pixels
  std::size_t most_encoded_ = 0;      // at a time, or on the way there; without a stage that looks at encodings, no bound
  std::size_t last_encoding_stage_ = 0;
  BoundedQueue<Delivery> deliveries_;
  Times times_;

  mutable std::mutex mutex_;
  std::condition_variable has_work_;
  std::condition_variable is_quiet_;
  std::vector<Step> steps_;
  std::deque<LabelTask> tasks_;
  std::deque<Inference*> filled_;  // of graphs that compute in these threads
  std::deque<Inference*> finished_;
  std::vector<Image> spare_images_;
  std::vector<std::unique_ptr<ImageJob>> jobs_;
  std::vector<ImageJob*> spare_jobs_;
  std::size_t jobs_in_line_ = 0;  // not spare
  std::size_t decoding_ = 0;      // images that are being decoded
  std::size_t moving_ = 0;        // images between two stages
  std::size_t images_held_ = 0;
  std::size_t places_held_ = 0;  // of those for what is encoded
  std::size_t busy_ = 0;         // threads that are not waiting
  std::size_t running_ = 0;
  bool is_closed_ = false;  // no more tasks will come
  bool is_giving_up_ = false;
  bool is_stopping_ = false;
  std::exception_ptr failure_;
  std::chrono::steady_clock::time_point idle_since_;
  std::chrono::steady_clock::duration idle_{};
  std::vector<std::thread> threads_;
};

}  // namespace verilabel
