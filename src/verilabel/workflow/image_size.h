#pragma once

#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "verilabel/pipeline/label_run.h"

// Private to the module.
namespace verilabel {

/// `conflict` when the image is not of the size that it was imported with, in pixels, so that boxes do not fit it; sizes of 0 are
/// not known.
inline std::optional<TaskFailure> fault_of_size(const TaskOutcome& outcome, std::int32_t width, std::int32_t height) {
  if (width <= 0 || height <= 0 || (width == outcome.image_width && height == outcome.image_height)) {
    return std::nullopt;
  }
  return TaskFailure{ErrorCode::conflict,
                     fmt::format("the image is {} × {} now and was {} × {} when it was imported, so that boxes would not fit; "
                                 "nothing was stored for it",
                                 outcome.image_width, outcome.image_height, width, height)};
}

}  // namespace verilabel
