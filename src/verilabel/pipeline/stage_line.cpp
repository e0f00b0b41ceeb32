#include "verilabel/pipeline/stage_line.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <time.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

using Clock = std::chrono::steady_clock;

std::size_t optimal_requests(const CompiledModel& compiled) {
  return static_cast<std::size_t>(std::max(1, compiled.optimal_requests()));
}

// Outcomes that may wait while the sink is busy (a transaction that is synchronised to disk), so that the engine goes on meanwhile.
constexpr std::size_t kWaitingOutcomes = 64;

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

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

template <typename Work>
std::optional<TaskFailure> failure_of(const Work& work) {
  try {
    work();
    return std::nullopt;
  } catch (...) {
    return current_failure();
  }
}

std::size_t processors(const LabelRunOptions& options) {
  return options.threads > 0 ? static_cast<std::size_t>(options.threads) : std::max(1U, std::thread::hardware_concurrency());
}

// Waiting threads cost nothing: with one a processor and some more, a slow engine leaves most of them waiting, and a fast one gets
// all the help there is. Where they compute themselves, more than processors would only drive each other out of the caches.
std::size_t workers_for(const std::vector<LineStage>& stages, const LabelRunOptions& options) {
  std::size_t computing = 0;
  for (const LineStage& stage : stages) {
    computing = std::max(computing, stage.compiled->computes_in_caller() ? optimal_requests(*stage.compiled) : 0);
  }
  return computing > 0 ? std::max(computing, processors(options))
                       : processors(options) + std::max<std::size_t>(1, processors(options) / 2);
}

}  // namespace

std::size_t requests_for_run(const CompiledModel& compiled, const LabelRunOptions& options) {
  // A thread that computes holds one request, and one more may be filled in part. Else there are those that the device works on,
  // and some to write and read meanwhile.
  return compiled.computes_in_caller() ? std::max(optimal_requests(compiled), processors(options)) + 1
                                       : optimal_requests(compiled) + processors(options);
}

// Splits a thread's processor time between the stages it works for.
class StageLine::StageClock {
 public:
  // Adds the time since the last call to `stage`.
  void charge(std::atomic<double>& stage) {
    const double now = thread_cpu_seconds();
    stage.fetch_add(now - last_, std::memory_order_relaxed);
    last_ = now;
  }
  // Leaves out the time since the last call.
  void skip() { last_ = thread_cpu_seconds(); }

 private:
  double last_ = thread_cpu_seconds();
};

StageLine::StageLine(std::vector<LineStage> stages, const LabelRunOptions& options)
    : options_(options),
      // Every task in flight, so that no thread ever waits for room.
      capacity_([&] {
        std::size_t capacity = 2 * processors(options) + kWaitingOutcomes;
        for (const LineStage& stage : stages) {
          capacity += static_cast<std::size_t>(stage.images_per_inference) * (requests_for_run(*stage.compiled, options) + 1);
        }
        return capacity;
      }()),
      deliveries_(capacity_),
      idle_since_(Clock::now()) {
  assert(!stages.empty());
  const std::size_t workers = workers_for(stages, options);
  most_images_ = workers;
  steps_.reserve(stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    LineStage& stage = stages[i];
    const std::size_t requests = requests_for_run(*stage.compiled, options);
    const auto images = static_cast<std::size_t>(stage.images_per_inference);
    const std::size_t outputs = stage.compiled->output_count();
    RequestPool pool(*stage.compiled, stage.stage->graph(), i, requests, images);
    if (i > 0 && stage.stage->looks_at_image()) {
      last_image_stage_ = i;
    }
    if (stage.stage->looks_at_encoding()) {
      last_encoding_stage_ = i;
    }
    steps_.push_back({std::move(stage), std::move(pool), {}, 0, outputs});
  }
  // An image that a later stage looks at stays decoded while the stages before work on it.
  const auto images_at_work = [&](std::size_t first, std::size_t end) {
    std::size_t images = 0;
    for (std::size_t i = first; i < end; ++i) {
      images += steps_[i].pool.images_per_inference() * optimal_requests(*steps_[i].line.compiled);
    }
    return images;
  };
  most_images_ += images_at_work(0, last_image_stage_);
  // Likewise what is encoded, while the stage that looks at it works.
  most_encoded_ = last_encoding_stage_ > 0 ? workers + images_at_work(0, last_encoding_stage_ + 1) : capacity_;
  try {
    for (std::size_t i = 0; i < workers; ++i) {
      threads_.emplace_back([this] { work(); });
    }
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    has_work_.notify_all();
    for (std::thread& thread : threads_) {
      thread.join();
    }
    throw;
  }
}

StageLine::~StageLine() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  has_work_.notify_all();
  deliveries_.close();
  for (std::thread& thread : threads_) {
    thread.join();
  }
  std::unique_lock lock(mutex_);
  is_quiet_.wait(lock, [&] { return running_ == 0; });
}

void StageLine::add(LabelTask task) {
  read_ahead(task.path);
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  wake_for_more();
}

void StageLine::no_more_tasks() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  has_work_.notify_all();
}

std::size_t StageLine::give_up_waiting_tasks() {
  std::size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    is_giving_up_ = true;
    is_closed_ = true;
    count = tasks_.size();
    tasks_.clear();
    for (Step& step : steps_) {
      for (const auto& [job, part] : step.unwritten) {
        job->is_dropped = true;
      }
    }
  }
  has_work_.notify_all();
  return count;
}

void StageLine::throw_failure() const {
  const std::lock_guard lock(mutex_);
  if (failure_) {
    std::rethrow_exception(failure_);
  }
}

StageSeconds StageLine::stage_seconds() const {
  return {.decode = times_.decode, .preprocess = times_.preprocess, .output = times_.output};
}

double StageLine::idle_seconds() const {
  const std::lock_guard lock(mutex_);
  return std::chrono::duration<double>(running_ == 0 ? idle_ + (Clock::now() - idle_since_) : idle_).count();
}

void StageLine::work() {
  Image scratch;
  StageClock clock;
  std::unique_lock lock(mutex_);
  ++busy_;
  try {
    while (!is_stopping_ && !failure_ && !is_over()) {
      if (read_one(lock, clock) || compute_one(lock, clock) || write_one(lock, clock, scratch) || decode_one(lock, clock)) {
        continue;
      }
      --busy_;
      if (!start_partly_filled(lock)) {
        has_work_.wait(lock);
      }
      ++busy_;
    }
  } catch (...) {
    // What gets here is no failure of one image; it ends the run.
    if (!lock.owns_lock()) {
      lock.lock();
    }
    if (!failure_) {
      failure_ = std::current_exception();
    }
  }
  --busy_;
  has_work_.notify_all();
}

// A thread that makes work looks for some itself before it waits. So it is enough that whoever takes some wakes one more when
// there is more, and who brings work from outside wakes one.
void StageLine::wake_for_more() {
  if (!finished_.empty() || !filled_.empty() || may_decode() ||
      std::ranges::any_of(steps_, [](const Step& step) { return !step.unwritten.empty() && step.pool.has_slot(); })) {
    has_work_.notify_one();
  }
}

bool StageLine::read_one(std::unique_lock<std::mutex>& lock, StageClock& clock) {
  if (finished_.empty()) {
    return false;
  }
  Inference& inference = *finished_.front();
  finished_.pop_front();
  Step& step = steps_[inference.stage];
  wake_for_more();
  lock.unlock();
  const std::vector<OutputTensor> outputs = outputs_of(step, inference);
  lock.lock();
  for (std::size_t share = 0; share < inference.parts.size(); ++share) {
    const InferencePart part = inference.parts[share];
    if (part.job == nullptr) {
      continue;
    }
    if (share > 0) {
      wake_for_more();
    }
    lock.unlock();
    std::optional<TaskFailure> failure = failure_of([&] {
      std::vector<OutputView> views;
      views.reserve(outputs.size());
      for (const OutputTensor& output : outputs) {
        const std::size_t size = output.values.size() / inference.parts.size();
        views.push_back({output.values.subspan(share * size, size), output.shape_of_share});
      }
      step.line.stage->read(*part.job, part.index, views);
    });
    lock.lock();
    if (failure) {
      fail_job(*part.job, std::move(*failure));
    }
    count_read(*part.job, lock);
  }
  step.pool.recycle(&inference);
  clock.charge(times_.output);
  return true;
}

bool StageLine::compute_one(std::unique_lock<std::mutex>& lock, StageClock& clock) {
  if (filled_.empty()) {
    return false;
  }
  Inference* const inference = filled_.front();
  filled_.pop_front();
  wake_for_more();
  begin_running();
  lock.unlock();
  std::exception_ptr error;
  try {
    inference->request->run();
  } catch (...) {
    error = std::current_exception();
  }
  clock.skip();
  lock.lock();
  end_running(inference, error);
  return true;
}

std::vector<StageLine::OutputTensor> StageLine::outputs_of(const Step& step, const Inference& inference) {
  const bool has_batch = step.line.stage->graph().outputs_have_batch;
  std::vector<OutputTensor> outputs(step.outputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].values = inference.request->output(i);
    outputs[i].shape_of_share = inference.request->output_shape(i);
    if (!has_batch) {
      continue;
    }
    std::vector<std::int64_t>& shape = outputs[i].shape_of_share;
    if (shape.empty() || shape[0] != static_cast<std::int64_t>(inference.parts.size())) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("an output of the model has the shape [{}] for {} images: its first dimension should "
                              "be the image; export the model with a batch dimension on every output",
                              fmt::join(shape, ", "), inference.parts.size()));
    }
    shape.erase(shape.begin());
  }
  return outputs;
}

bool StageLine::write_one(std::unique_lock<std::mutex>& lock, StageClock& clock, Image& scratch) {
  for (std::size_t i = steps_.size(); i-- > 0;) {
    Step& step = steps_[i];
    // What belongs to an image that has failed meanwhile, or was given up, needs no inference.
    while (!step.unwritten.empty() && (step.unwritten.front().first->failure || step.unwritten.front().first->is_dropped)) {
      ImageJob& job = *step.unwritten.front().first;
      step.unwritten.pop_front();
      count_written(job);
      count_read(job, lock);
    }
    if (step.unwritten.empty() || !step.pool.has_slot()) {
      continue;
    }
    const auto [job, part] = step.unwritten.front();
    step.unwritten.pop_front();
    const InferenceSlot slot = step.pool.take();
    wake_for_more();
    lock.unlock();
    std::optional<TaskFailure> failure =
        failure_of([&, job = job, part = part] { step.line.stage->write(*job, part, step.pool.inputs_of(slot), scratch); });
    clock.charge(times_.preprocess);
    lock.lock();
    if (failure) {
      fail_job(*job, std::move(*failure));
    } else {
      slot.part() = {job, part};
    }
    count_written(*job);
    const bool is_complete = step.pool.put(slot);
    if (failure) {
      count_read(*job, lock);
    }
    if (is_complete) {
      start(slot.inference, lock);
    }
    return true;
  }
  return false;
}

bool StageLine::may_decode() const {
  return !tasks_.empty() && images_held_ < most_images_ && places_held_ < most_encoded_;
}

bool StageLine::decode_one(std::unique_lock<std::mutex>& lock, StageClock& clock) {
  if (!may_decode()) {
    return false;
  }
  LabelTask task = std::move(tasks_.front());
  tasks_.pop_front();
  if (spare_jobs_.empty()) {
    jobs_.push_back(std::make_unique<ImageJob>());
    spare_jobs_.push_back(jobs_.back().get());
  }
  ImageJob& job = *spare_jobs_.back();
  spare_jobs_.pop_back();
  ++jobs_in_line_;
  ++images_held_;
  ++places_held_;
  ++decoding_;
  if (!spare_images_.empty()) {
    job.image.swap(spare_images_.back());
    spare_images_.pop_back();
  }
  job.holds_image = true;
  job.holds_place = true;
  wake_for_more();
  lock.unlock();
  job.candidates = std::move(task.given);
  job.task = std::move(task);
  std::optional<TaskFailure> failure = failure_of([&] {
    decode(job.task.path, job.image, options_.decode);
    job.width = job.image.width();
    job.height = job.image.height();
  });
  clock.charge(times_.decode);
  lock.lock();
  --decoding_;
  if (failure) {
    fail_job(job, std::move(*failure));
    leave(job, false);
  } else if (is_giving_up_) {
    leave(job, true);
  } else {
    enter(job, 0, lock);
  }
  return true;
}

// Brings an image to the first stage, from that one on, that has work for it, or to the end.
void StageLine::enter(ImageJob& job, std::size_t stage, std::unique_lock<std::mutex>& lock) {
  for (; stage < steps_.size() && !job.failure && !job.is_dropped; ++stage) {
    if (stage > last_encoding_stage_) {
      give_place_back(job);
    }
    Step& step = steps_[stage];
    ++step.jobs;
    job.stage = stage;
    ++moving_;
    lock.unlock();
    std::size_t parts = 0;
    std::optional<TaskFailure> failure = failure_of([&] {
      parts = step.line.stage->begin(job);
      job.parts.assign(parts, {});
    });
    lock.lock();
    --moving_;
    if (failure) {
      fail_job(job, std::move(*failure));
    } else if (parts > 0) {
      job.unwritten = parts;
      job.unread = parts;
      for (std::size_t part = 0; part < parts; ++part) {
        step.unwritten.emplace_back(&job, part);
      }
      return;
    }
    --step.jobs;
  }
  leave(job, job.is_dropped);
}

void StageLine::count_written(ImageJob& job) {
  if (--job.unwritten == 0 && job.stage >= last_image_stage_) {
    give_image_back(job);
  }
}

void StageLine::count_read(ImageJob& job, std::unique_lock<std::mutex>& lock) {
  if (--job.unread > 0) {
    return;
  }
  Step& step = steps_[job.stage];
  if (!job.failure && !job.is_dropped) {
    ++moving_;
    lock.unlock();
    std::optional<TaskFailure> failure = failure_of([&] { step.line.stage->finish(job); });
    lock.lock();
    --moving_;
    if (failure) {
      fail_job(job, std::move(*failure));
    }
  }
  --step.jobs;
  job.is_dropped |= is_giving_up_ && job.stage + 1 < steps_.size();
  enter(job, job.stage + 1, lock);
}

void StageLine::fail_job(ImageJob& job, TaskFailure failure) {
  if (!job.failure) {
    job.failure = std::move(failure);
  }
}

void StageLine::leave(ImageJob& job, bool is_dropped) {
  give_image_back(job);
  give_place_back(job);
  Delivery delivery;
  delivery.is_dropped = is_dropped;
  TaskOutcome& outcome = delivery.outcome;
  outcome.sample = job.task.sample;
  outcome.image_width = job.width;
  outcome.image_height = job.height;
  outcome.windows = static_cast<std::int64_t>(job.tiles.size());
  if (job.failure) {
    outcome.failure = std::move(job.failure);
  } else {
    outcome.candidates = std::move(job.candidates);
    outcome.vectors = std::move(job.vectors);
  }
  job = ImageJob();
  spare_jobs_.push_back(&job);
  --jobs_in_line_;
  deliveries_.push(std::move(delivery));
}

void StageLine::give_image_back(ImageJob& job) {
  if (std::exchange(job.holds_image, false)) {
    spare_images_.emplace_back().swap(job.image);
    --images_held_;
  }
}

void StageLine::give_place_back(ImageJob& job) {
  if (std::exchange(job.holds_place, false)) {
    --places_held_;
  }
}

void StageLine::start(Inference* inference, std::unique_lock<std::mutex>& lock) {
  if (steps_[inference->stage].line.compiled->computes_in_caller()) {
    filled_.push_back(inference);
    return;
  }
  begin_running();  // before it starts, so that nobody takes the line for quiet in between
  lock.unlock();
  try {
    inference->request->start([this, inference](const std::exception_ptr& error) { on_done(inference, error); });
  } catch (...) {
    on_done(inference, std::current_exception());
  }
  lock.lock();
}

void StageLine::on_done(Inference* inference, const std::exception_ptr& error) {
  // Under the lock to the end: the destructor may only go on once nothing here is touched any more.
  const std::lock_guard lock(mutex_);
  end_running(inference, error);
  has_work_.notify_one();
}

void StageLine::begin_running() {
  if (running_++ == 0) {
    idle_ += Clock::now() - idle_since_;
  }
}

void StageLine::end_running(Inference* inference, const std::exception_ptr& error) {
  if (--running_ == 0) {
    idle_since_ = Clock::now();
    is_quiet_.notify_all();
  }
  if (error) {
    failure_ = failure_ ? failure_ : error;
    has_work_.notify_all();
    return;
  }
  finished_.push_back(inference);
}

bool StageLine::start_partly_filled(std::unique_lock<std::mutex>& lock) {
  const bool is_stuck_now = is_stuck();
  for (std::size_t i = steps_.size(); i-- > 0;) {
    if (!steps_[i].unwritten.empty() || !(is_stuck_now || is_quiet_before(i))) {
      continue;
    }
    if (Inference* inference = steps_[i].pool.close_open()) {
      start(inference, lock);
      return true;
    }
  }
  return false;
}

// Whether no image will reach the stage any more.
bool StageLine::is_quiet_before(std::size_t stage) const {
  const bool nothing_comes = is_closed_ && tasks_.empty() && decoding_ == 0 && moving_ == 0;
  return nothing_comes && std::all_of(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(stage),
                                      [](const Step& step) { return step.jobs == 0; });
}

// Whether nothing moves and no task can be added, because all that are in flight wait for more of their kind.
bool StageLine::is_stuck() const {
  const bool more_may_come = !is_closed_ && tasks_.empty() && tasks_.size() + jobs_in_line_ < capacity_;
  return busy_ == 0 && running_ == 0 && finished_.empty() && filled_.empty() && !more_may_come;
}

bool StageLine::is_over() const {
  return is_closed_ && tasks_.empty() && jobs_in_line_ == 0;
}

}  // namespace verilabel
