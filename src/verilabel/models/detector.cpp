#include "verilabel/models/detector.h"

#include <array>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/models/family.h"

namespace verilabel {
namespace {

struct Family {
  ModelFamily description;
  std::unique_ptr<ImageDetector> (*make)(const ModelSource& source);
};

/// In the order in which they are tried: the surest signature first.
constexpr std::array kFamilies = {
    Family{{"ultralytics", "metadata with names; images [B, 3, H, W] -> output0 (+ output1 for masks)"}, &make_ultralytics},
    Family{{"nanodet", "data [B, 3, H, W] -> [B, anchors, classes + 32], or scores and distances of three strides as six outputs"},
           &make_nanodet},
    Family{{"yolox", "images [B, 3, H, W] -> [B, anchors, 5 + classes], one anchor a cell of strides 8, 16, 32"}, &make_yolox},
};

std::string list_of(const std::vector<TensorInfo>& tensors) {
  std::string list;
  for (const TensorInfo& tensor : tensors) {
    list += fmt::format("{}{}", list.empty() ? "" : "; ", text_of(tensor));
  }
  return list.empty() ? "none" : list;
}

[[noreturn]] void refuse(const ModelSource& source, const std::string& message) {
  ErrorContext context{{"inputs", list_of(source.graph.inputs)}, {"outputs", list_of(source.graph.outputs)}};
  for (const ModelFamily& family : model_families()) {
    context.emplace_back(fmt::format("family {}", family.name), family.signature);
  }
  throw Error(ErrorCode::bad_model, message, std::move(context));
}

std::unique_ptr<ImageDetector> detector_from(const ModelSource& source) {
  for (const Family& family : kFamilies) {
    if (source.manifest.family && *source.manifest.family != family.description.name) {
      continue;
    }
    if (auto detector = family.make(source)) {
      return detector;
    }
  }
  if (source.manifest.family) {
    refuse(source, fmt::format("the graph is no model of the family '{}' that the manifest names", *source.manifest.family));
  }
  refuse(source, "the graph fits none of the families of detectors that are known");
}

}  // namespace

std::span<const ModelFamily> model_families() {
  static const std::array<ModelFamily, kFamilies.size()> kDescriptions = [] {
    std::array<ModelFamily, kFamilies.size()> descriptions;
    for (std::size_t i = 0; i < kFamilies.size(); ++i) {
      descriptions[i] = kFamilies[i].description;
    }
    return descriptions;
  }();
  return kDescriptions;
}

std::unique_ptr<Detector> load_detector(Engine& engine, const std::filesystem::path& model,
                                        const std::optional<std::filesystem::path>& manifest) {
  try {
    const ModelSource source{engine.inspect(model), manifest_of(model, manifest)};
    auto detector = detector_from(source);
    detector->card_to_complete().weights_sha256 = sha256_of_file(model);
    return detector;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_model) {
      throw;
    }
    throw error.with("model", model.native());
  }
}

std::vector<std::vector<std::int64_t>> input_shapes_of(const Detector& detector, int batch) {
  return {{batch, 3, detector.input_height(), detector.input_width()}};
}

}  // namespace verilabel
