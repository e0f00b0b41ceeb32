#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "verilabel/geometry/mask.h"

namespace verilabel {

/// `rle_from_coco_string` for many masks, one after the other, in memory that is used again.
class CocoStringReader {
 public:
  /// Valid until the next call. Throws as `rle_from_coco_string`.
  RleView read(std::string_view text, std::uint32_t height, std::uint32_t width);

 private:
  std::vector<std::uint32_t> counts_;  ///< of the longest string so far, not of the last one
};

/// What a run takes at most.
inline constexpr std::size_t kMostCocoCharacters = 7;

/// `coco_string_from_rle` into memory with room for the most; the place behind the last character.
char* write_coco_string(std::span<const std::uint32_t> counts, char* at);

}  // namespace verilabel
