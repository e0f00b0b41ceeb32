#include "verilabel/store/changes.h"

#include <chrono>

#include <fmt/chrono.h>

namespace verilabel::store {

void record_change(Database& database, ChangeKind kind, std::int64_t first_id, std::int64_t last_id) {
  database.prepare("INSERT INTO changes (kind, first_id, last_id) VALUES (?, ?, ?)")
      .run_with(static_cast<int>(kind), first_id, last_id);
}

std::string timestamp() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03d}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (now - seconds).count());
}

}  // namespace verilabel::store
