#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "verilabel/base/bounded_queue.h"
#include "verilabel/base/ids.h"
#include "verilabel/engine/engine.h"
#include "verilabel/models/labeller.h"

namespace verilabel {

/// One image's part of an inference.
struct InferenceImage {
  SampleId sample;
  InputTransform transform;
  bool is_void = false;  ///< nothing was written here: the output of this part means nothing
};

/// Images that go through the model together, and the request whose memory holds them.
struct Inference {
  std::unique_ptr<InferRequest> request;
  std::vector<InferenceImage> images;  ///< as many as the graph takes
  std::size_t taken = 0;               ///< parts given out to be written
  std::size_t written = 0;             ///< of those: parts that were given back
};

/// The part of an inference that one thread writes.
struct InferenceSlot {
  Inference* inference = nullptr;
  std::size_t index = 0;

  InferenceImage& image() const { return inference->images[index]; }
};

/// The requests of a compiled model, going round: free → being written, part by part → running → finished → free. Whoever writes
/// the last part starts the inference. Safe from any thread, as long as every slot taken is written once.
class InferenceStage {
 public:
  /// `inputs`: what one image takes of each. Throws what `create_request` throws.
  InferenceStage(CompiledModel& compiled, std::size_t requests, std::size_t images_per_inference, std::vector<InputPart> inputs);
  /// Waits for running inferences.
  ~InferenceStage();
  InferenceStage(const InferenceStage&) = delete;
  InferenceStage& operator=(const InferenceStage&) = delete;

  /// A part to write; waits while every request is in use. Nothing after `abandon`.
  std::optional<InferenceSlot> take();
  /// Where the slot's image goes, an entry an input.
  std::vector<InputView> inputs_of(const InferenceSlot& slot) const;
  /// The slot's part and its `image()` are written.
  void put(const InferenceSlot& slot);
  /// No more slots will be taken: starts what is partly filled, and lets `next_finished` end. Every slot must have been put.
  void finish();

  /// An inference whose outputs are there; waits. Nothing when all is over: after `finish` once all have been handed out, and after
  /// `abandon`.
  Inference* next_finished();
  /// The outputs were read; the request may be used again.
  void recycle(Inference* inference);

  /// Gives up: everyone who waits here wakes with nothing. Running inferences go on until they are done.
  void abandon();
  /// What the engine failed with, if it did.
  std::exception_ptr failure() const;
  /// Wall time since the construction in which no inference was running.
  std::chrono::steady_clock::duration idle_time() const;

 private:
  void count_as_running();
  void start(Inference* inference);
  void on_done(Inference* inference, const std::exception_ptr& error);

  std::size_t images_per_inference_;
  std::vector<InputPart> inputs_;
  std::vector<std::unique_ptr<Inference>> inferences_;

  mutable std::mutex mutex_;
  std::condition_variable has_free_;
  std::condition_variable has_finished_;
  std::condition_variable is_quiet_;
  std::vector<Inference*> free_;
  std::vector<Inference*> finished_;  // oldest first; never more than there are requests
  Inference* open_ = nullptr;         // being written, with parts left to take
  std::size_t running_ = 0;
  bool is_finishing_ = false;
  bool is_abandoned_ = false;
  std::exception_ptr failure_;
  std::chrono::steady_clock::time_point idle_since_;
  std::chrono::steady_clock::duration idle_{};
};

}  // namespace verilabel
