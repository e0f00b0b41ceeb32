#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace verilabel {

/// Calls `work(i)` once for each i below `count`, on `threads` threads (0: one for each processor) that take the next i in turn,
/// and returns when all are done. When calls throw, the exception of the smallest i is thrown again: the same one whatever the
/// timing.
void for_each_in_parallel(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work);

/// How many threads that is: never 0.
unsigned thread_count(unsigned threads);

/// Cuts [0, count) into ranges of about `size`: the ends of them, the last one `count`. Empty for 0.
std::vector<std::size_t> range_ends(std::size_t count, std::size_t size);

}  // namespace verilabel
