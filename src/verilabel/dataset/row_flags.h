#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace verilabel {

/// One flag each for `count` rows (or classes): 1 for those that `rows` names, once or more often.
inline std::vector<std::uint8_t> flags_of(std::span<const std::uint32_t> rows, std::size_t count) {
  std::vector<std::uint8_t> flags(count, 0);
  for (const std::uint32_t row : rows) {
    flags[row] = 1;
  }
  return flags;
}

}  // namespace verilabel
