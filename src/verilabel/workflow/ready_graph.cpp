#include "verilabel/workflow/ready_graph.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/parallel.h"
#include "verilabel/hub/settings.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What is measured for less is not known well enough for runs to come.
constexpr std::chrono::duration<double> kWindowWorthRemembering{0.2};
constexpr int kMostImages = 1024;
constexpr std::size_t kKeyDigits = 32;

std::string key_of(Engine& engine, const GraphUse& graph, const std::string& weights_sha256, const LabelRunOptions& options) {
  const unsigned processors = thread_count(static_cast<unsigned>(options.threads));
  std::string key = fmt::format("{}|{}|{} {}|{}|{}", weights_sha256, graph.file.filename().string(), engine.name(),
                                engine.version(), options.device, processors);
  for (const auto& shape : input_shapes_of(graph, 1)) {
    key += "|";
    for (const std::int64_t size : shape) {
      key += fmt::format("{},", size);
    }
  }
  return key;
}

std::string note_on(const GraphUse& graph, const BatchChoice& choice) {
  std::string tried;
  for (const BatchMeasure& one : choice.measured) {
    tried += fmt::format("{}{}: {:.1f}", tried.empty() ? "" : ", ", one.images, one.images_per_second);
  }
  return fmt::format("{}: {} image{} at a time, which is remembered (images a second that the engine alone did: {}{})",
                     graph.file.filename().string(), choice.images, choice.images == 1 ? "" : "s", tried,
                     choice.wrong_at == 0 ? "" : fmt::format("; {} together gave something else than one", choice.wrong_at));
}

}  // namespace

BatchMemory BatchMemory::of_this_user() {
  const auto folder = [](const char* name) { return fs::path(process_environment(name).value_or("")); };
  const fs::path cache = folder("XDG_CACHE_HOME");
  if (cache.is_absolute()) {
    return BatchMemory(cache / "verilabel" / "batches");
  }
  const fs::path home = folder("HOME");
  return BatchMemory(home.is_absolute() ? home / ".cache" / "verilabel" / "batches" : fs::path());
}

BatchMemory BatchMemory::anew() const {
  BatchMemory memory = *this;
  memory.is_anew_ = true;
  return memory;
}

fs::path BatchMemory::file_of(const std::string& key) const {
  return folder_ / (sha256_of(key).substr(0, kKeyDigits) + ".json");
}

std::optional<int> BatchMemory::find(const std::string& key) const {
  if (folder_.empty() || is_anew_) {
    return std::nullopt;
  }
  try {
    const json document = json::parse(read_file(file_of(key)));
    const int images = document.at("images").get<int>();
    return document.at("key") == key && images >= 1 && images <= kMostImages ? std::optional(images) : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void BatchMemory::remember(const std::string& key, const BatchChoice& choice) const {
  if (folder_.empty()) {
    return;
  }
  json measured = json::array();
  for (const BatchMeasure& one : choice.measured) {
    measured.push_back({{"images", one.images}, {"images_per_second", one.images_per_second}});
  }
  try {
    fs::create_directories(folder_);
    replace_file(file_of(key), json{{"images", choice.images}, {"key", key}, {"measured", measured}}.dump(2) + "\n");
  } catch (const std::exception&) {
    return;
  }
}

ReadyGraph ready_graph(Engine& engine, const GraphUse& graph, const std::string& weights_sha256, const LabelRunOptions& options,
                       std::int64_t images, const BatchMemory& memory, const BatchTuningOptions& tuning,
                       const ProgressSink& progress, const CancelToken& cancel) {
  LabelRunOptions chosen = options;
  ReadyGraph ready;
  if (is_batch_open(graph, options)) {
    const std::string key = key_of(engine, graph, weights_sha256, options);
    if (const std::optional<int> known = memory.find(key)) {
      chosen.batch = std::min(*known, tuning.max_images);
    } else if (images >= kImagesWorthTuning) {
      const BatchChoice choice = choose_batch(engine, graph, options, tuning, progress, cancel);
      if (tuning.window >= kWindowWorthRemembering) {
        memory.remember(key, choice);
      }
      chosen.batch = choice.images;
      ready.note = note_on(graph, choice);
    }
  }
  ready.images = images_per_inference(graph, chosen);
  ready.compiled = compile_for_run(engine, graph, chosen);
  return ready;
}

}  // namespace verilabel
