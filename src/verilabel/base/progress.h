#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

namespace verilabel {

/// Where a long operation stands. Counts are of the operation's own items (files, labels, samples).
struct Progress {
  std::string_view stage;   ///< what is being done now, as a verb: "reading", "labelling"
  std::int64_t done = 0;    ///< finished well
  std::int64_t failed = 0;  ///< finished with a recorded failure
  std::int64_t total = 0;   ///< 0 when unknown
  std::string_view unit;    ///< plural noun of an item: "images"
};

/// Called from the thread that does the work, at most some ten times a second. Must not throw. May be empty.
using ProgressSink = std::function<void(const Progress&)>;

/// A request to stop, set from a signal handler or another thread and polled by the work. Lock-free.
class CancelToken {
 public:
  void request() { requested_.store(true, std::memory_order_relaxed); }
  bool is_requested() const { return requested_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> requested_{false};
};

}  // namespace verilabel
