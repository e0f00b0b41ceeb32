#include "verilabel/pipeline/inference_stage.h"

#include <cassert>
#include <utility>

namespace verilabel {

using Clock = std::chrono::steady_clock;

InferenceStage::InferenceStage(CompiledModel& compiled, std::size_t requests, std::size_t images_per_inference,
                               std::vector<InputPart> inputs)
    : images_per_inference_(images_per_inference), inputs_(std::move(inputs)), idle_since_(Clock::now()) {
  for (std::size_t i = 0; i < requests; ++i) {
    inferences_.push_back(std::make_unique<Inference>());
    inferences_.back()->request = compiled.create_request();
    inferences_.back()->images.resize(images_per_inference);
    free_.push_back(inferences_.back().get());
  }
  finished_.reserve(requests);
}

InferenceStage::~InferenceStage() {
  std::unique_lock lock(mutex_);
  is_quiet_.wait(lock, [&] { return running_ == 0; });
}

std::optional<InferenceSlot> InferenceStage::take() {
  std::unique_lock lock(mutex_);
  has_free_.wait(lock, [&] { return is_abandoned_ || open_ != nullptr || !free_.empty(); });
  if (is_abandoned_) {
    return std::nullopt;
  }
  if (open_ == nullptr) {
    open_ = free_.back();
    free_.pop_back();
    open_->taken = 0;
    open_->written = 0;
    // Others may be waiting for the parts that are left.
    if (images_per_inference_ > 1) {
      has_free_.notify_all();
    }
  }
  const InferenceSlot slot{open_, open_->taken++};
  if (open_->taken == images_per_inference_) {
    open_ = nullptr;
  }
  slot.image() = {};
  return slot;
}

std::vector<InputView> InferenceStage::inputs_of(const InferenceSlot& slot) const {
  std::vector<InputView> views;
  views.reserve(inputs_.size());
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    InferRequest& request = *slot.inference->request;
    const std::size_t size = inputs_[i].size();
    const std::size_t begin = slot.index * size;
    views.push_back(inputs_[i].is_i64 ? InputView{{}, request.input_i64(i).subspan(begin, size)}
                                      : InputView{request.input(i).subspan(begin, size), {}});
  }
  return views;
}

void InferenceStage::put(const InferenceSlot& slot) {
  {
    const std::lock_guard lock(mutex_);
    if (++slot.inference->written < images_per_inference_) {
      return;
    }
    count_as_running();
  }
  start(slot.inference);
}

void InferenceStage::finish() {
  Inference* partly_filled = nullptr;
  {
    const std::lock_guard lock(mutex_);
    is_finishing_ = true;
    std::swap(partly_filled, open_);
    // The other parts hold older images. The inference keeps its size, so that the engine sees one shape only.
    if (partly_filled != nullptr) {
      assert(partly_filled->written == partly_filled->taken);
      for (std::size_t i = partly_filled->taken; i < images_per_inference_; ++i) {
        partly_filled->images[i].is_void = true;
      }
      count_as_running();
    }
  }
  if (partly_filled != nullptr) {
    start(partly_filled);
  }
  has_finished_.notify_all();
}

// With the lock held and before it starts, so that nobody takes the stage for empty in between.
void InferenceStage::count_as_running() {
  if (running_++ == 0) {
    idle_ += Clock::now() - idle_since_;
  }
}

void InferenceStage::start(Inference* inference) {
  try {
    inference->request->start([this, inference](const std::exception_ptr& error) { on_done(inference, error); });
  } catch (...) {
    on_done(inference, std::current_exception());
  }
}

void InferenceStage::on_done(Inference* inference, const std::exception_ptr& error) {
  // Under the lock to the end: the destructor may only go on once nothing here is touched any more.
  const std::lock_guard lock(mutex_);
  if (--running_ == 0) {
    idle_since_ = Clock::now();
    is_quiet_.notify_all();
  }
  if (error) {
    if (!failure_) {
      failure_ = error;
    }
    has_finished_.notify_all();
    return;
  }
  finished_.push_back(inference);
  has_finished_.notify_one();
}

Inference* InferenceStage::next_finished() {
  std::unique_lock lock(mutex_);
  const auto is_over = [&] { return is_abandoned_ || (is_finishing_ && running_ == 0 && finished_.empty()); };
  has_finished_.wait(lock, [&] { return is_over() || !finished_.empty(); });
  if (is_over()) {
    has_finished_.notify_all();
    return nullptr;
  }
  Inference* oldest = finished_.front();
  finished_.erase(finished_.begin());
  return oldest;
}

void InferenceStage::recycle(Inference* inference) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(inference);
  }
  has_free_.notify_one();
}

void InferenceStage::abandon() {
  {
    const std::lock_guard lock(mutex_);
    is_abandoned_ = true;
  }
  has_free_.notify_all();
  has_finished_.notify_all();
}

std::exception_ptr InferenceStage::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

Clock::duration InferenceStage::idle_time() const {
  const std::lock_guard lock(mutex_);
  return running_ == 0 ? idle_ + (Clock::now() - idle_since_) : idle_;
}

}  // namespace verilabel
