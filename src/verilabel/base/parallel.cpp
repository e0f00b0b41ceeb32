#include "verilabel/base/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

namespace verilabel {

unsigned thread_count(unsigned threads) {
  return threads != 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
}

void for_each_in_parallel(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> has_failed{false};
  std::mutex mutex;
  std::size_t failed_at = std::numeric_limits<std::size_t>::max();
  std::exception_ptr failure;
  const auto run = [&] {
    // Calls are handed out in order, so that every call before the first failure is on its way when that failure happens.
    while (!has_failed.load(std::memory_order_relaxed)) {
      const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= count) {
        return;
      }
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        has_failed.store(true, std::memory_order_relaxed);
        if (i < failed_at) {
          failed_at = i;
          failure = std::current_exception();
        }
      }
    }
  };
  const std::size_t wanted = std::min<std::size_t>(thread_count(threads), count);
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < wanted; ++i) {
      others.emplace_back(run);
    }
    run();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

std::vector<std::size_t> range_ends(std::size_t count, std::size_t size) {
  std::vector<std::size_t> ends;
  for (std::size_t end = 0; end < count;) {
    end = std::min(count, end + size);
    ends.push_back(end);
  }
  return ends;
}

}  // namespace verilabel
