#include "verilabel/store/locks.h"

#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel::store {

std::filesystem::path run_lock(const std::filesystem::path& project, RunId run) {
  return project / "locks" / fmt::format("run-{}", run.value);
}

std::filesystem::path import_lock(const std::filesystem::path& project, SetId set) {
  return project / "locks" / fmt::format("import-{}", set.value);
}

std::optional<FileLock> acquire_lock(const std::filesystem::path& lock) {
  std::error_code failure;
  std::filesystem::create_directories(lock.parent_path(), failure);
  if (failure) {
    throw io_error("cannot make a folder", lock.parent_path().native(), failure.value());
  }
  constexpr int kTries = 5;
  for (int i = 0; i < kTries; ++i) {
    if (auto held = FileLock::try_acquire(lock)) {
      return held;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return std::nullopt;
}

}  // namespace verilabel::store
