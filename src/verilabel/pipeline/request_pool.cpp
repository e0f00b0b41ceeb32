#include "verilabel/pipeline/request_pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace verilabel {

RequestPool::RequestPool(CompiledModel& compiled, const GraphUse& graph, std::size_t stage, std::size_t requests,
                         std::size_t images_per_inference)
    : graph_(graph), images_per_inference_(images_per_inference) {
  for (std::size_t i = 0; i < requests; ++i) {
    auto inference = std::make_unique<Inference>();
    inference->request = compiled.create_request();
    inference->stage = stage;
    inference->parts.resize(images_per_inference);
    // What belongs to no image is written by nobody, or by the one image that there is.
    for (std::size_t input = 0; input < graph.inputs.size(); ++input) {
      if (graph.inputs[input].has_batch) {
        continue;
      }
      if (graph.inputs[input].is_i64) {
        std::ranges::fill(inference->request->input_i64(input), 0);
      } else {
        std::ranges::fill(inference->request->input(input), 0.F);
      }
    }
    inferences_.push_back(std::move(inference));
    free_.push_back(inferences_.back().get());
  }
}

InferenceSlot RequestPool::take() {
  assert(has_slot());
  if (open_ == nullptr) {
    open_ = free_.back();
    free_.pop_back();
    open_->taken = 0;
    open_->written = 0;
    open_->is_closed = false;
  }
  const InferenceSlot slot{open_, open_->taken++};
  slot.part() = {};
  if (open_->taken == images_per_inference_) {
    open_->is_closed = true;
    open_ = nullptr;
  }
  return slot;
}

std::vector<InputView> RequestPool::inputs_of(const InferenceSlot& slot) const {
  std::vector<InputView> views;
  views.reserve(graph_.inputs.size());
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
    const InputPart& part = graph_.inputs[i];
    InferRequest& request = *slot.inference->request;
    const std::size_t size = part.size();
    const std::size_t begin = part.has_batch ? slot.index * size : 0;
    views.push_back(part.is_i64 ? InputView{{}, request.input_i64(i).subspan(begin, size)}
                                : InputView{request.input(i).subspan(begin, size), {}});
  }
  return views;
}

bool RequestPool::put(const InferenceSlot& slot) {
  Inference& inference = *slot.inference;
  return ++inference.written == inference.taken && inference.is_closed;
}

Inference* RequestPool::close_open() {
  Inference* partly_filled = std::exchange(open_, nullptr);
  if (partly_filled == nullptr) {
    return nullptr;
  }
  // The other shares hold older images. The inference keeps its size, so that the engine sees one shape only.
  for (std::size_t i = partly_filled->taken; i < images_per_inference_; ++i) {
    partly_filled->parts[i] = {};
  }
  partly_filled->is_closed = true;
  return partly_filled->written == partly_filled->taken ? partly_filled : nullptr;
}

}  // namespace verilabel
