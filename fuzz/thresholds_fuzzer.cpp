// Files of lowest confidences.

#include <cmath>

#include "fuzz/fuzzing.h"
#include "verilabel/workflow/thresholds.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  static const ScratchFolder scratch;
  const std::filesystem::path path = scratch.write("thresholds.json", {reinterpret_cast<const char*>(data), size});
  const auto thresholds = unless_refused([&] { return read_thresholds(path); });
  if (thresholds) {
    require(std::isfinite(thresholds->global.value_or(0)), "a threshold is a number");
    for (const Thresholds::OfClass& row : thresholds->per_class) {
      require(std::isfinite(row.threshold), "a threshold is a number");
    }
  }
  return 0;
}
