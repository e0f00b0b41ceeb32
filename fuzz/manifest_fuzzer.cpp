// Manifests of models: what is taken is something to compute with.

#include <cmath>

#include "fuzz/fuzzing.h"
#include "verilabel/models/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  static const ScratchFolder scratch;
  const std::filesystem::path path = scratch.write("model.verilabel.json", {reinterpret_cast<const char*>(data), size});
  const auto manifest = unless_refused([&] { return manifest_of(scratch.path() / "model.onnx", path); });
  if (!manifest) {
    return 0;
  }
  for (const auto& three : {manifest->mean, manifest->std}) {
    for (const double number : three.value_or(std::array<double, 3>{1, 1, 1})) {
      require(std::isfinite(number), "mean and deviation are finite");
    }
  }
  for (const double number : manifest->std.value_or(std::array<double, 3>{1, 1, 1})) {
    require(number > 0, "nothing is divided by 0");
  }
  require(!manifest->class_names || !manifest->class_names->empty(), "class names name something");
  require(!manifest->input_size || (manifest->input_size->height > 0 && manifest->input_size->width > 0), "a size has sides");
  require(manifest->max_detections.value_or(1) > 0, "a limit lets something through");
  require(std::isfinite(manifest->nms_iou.value_or(0)), "an overlap is a number");
  return 0;
}
