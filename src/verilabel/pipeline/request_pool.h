#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "verilabel/engine/engine.h"
#include "verilabel/models/labeller.h"

// Private to the module.
namespace verilabel {

struct ImageJob;

/// What one share of an inference holds.
struct InferencePart {
  ImageJob* job = nullptr;  ///< nothing: the output of this share means nothing
  std::size_t index = 0;    ///< of the parts that the job is cut into
};

/// Images that go through a graph together, and the request whose memory holds them.
struct Inference {
  std::unique_ptr<InferRequest> request;
  std::size_t stage = 0;             ///< whose graph it is
  std::vector<InferencePart> parts;  ///< as many as the graph takes
  std::size_t taken = 0;             ///< shares given out to be written
  std::size_t written = 0;           ///< of those: shares that were given back
  bool is_closed = false;            ///< no more shares are given out
};

/// The share of an inference that one thread writes.
struct InferenceSlot {
  Inference* inference = nullptr;
  std::size_t index = 0;

  InferencePart& part() const { return inference->parts[index]; }
};

/// The requests of one compiled graph, going round: free → being written, share by share → complete → free. Not safe from several
/// threads, except for `inputs_of`.
class RequestPool {
 public:
  /// Throws what `create_request` throws.
  RequestPool(CompiledModel& compiled, const GraphUse& graph, std::size_t stage, std::size_t requests,
              std::size_t images_per_inference);

  std::size_t images_per_inference() const { return images_per_inference_; }
  bool has_slot() const { return open_ != nullptr || !free_.empty(); }
  /// A share to write. Only while `has_slot`.
  InferenceSlot take();
  /// Where the slot's share goes, an entry an input. For the thread that took it.
  std::vector<InputView> inputs_of(const InferenceSlot& slot) const;
  /// The slot's share is written. True when the inference is complete and is to be started.
  bool put(const InferenceSlot& slot);
  /// Gives out no more shares of the inference that is being written. It is returned when it is to be started; nothing when there
  /// is none, or when the last `put` will say so.
  Inference* close_open();
  /// The outputs were read.
  void recycle(Inference* inference) { free_.push_back(inference); }

 private:
  const GraphUse& graph_;
  std::size_t images_per_inference_;
  std::vector<std::unique_ptr<Inference>> inferences_;
  std::vector<Inference*> free_;
  Inference* open_ = nullptr;  // being written, with shares left to take
};

}  // namespace verilabel
