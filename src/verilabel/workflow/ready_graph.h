#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "verilabel/base/progress.h"
#include "verilabel/pipeline/batch_tuning.h"

namespace verilabel {

/// A graph compiled for a run, with the number of images an inference that suits it.
struct ReadyGraph {
  std::unique_ptr<CompiledModel> compiled;
  int images = 1;
  std::string note;  ///< for people, when the number was found out just now; else empty

  StageGraph in_stage() const { return {compiled.get(), images}; }
};

/// Batch sizes that were found out, one small file for each graph, engine, device and number of processors.
class BatchMemory {
 public:
  /// In that folder; an empty one keeps nothing. What cannot be written is found out again, what is damaged counts as absent.
  explicit BatchMemory(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// $XDG_CACHE_HOME/verilabel/batches, else ~/.cache/verilabel/batches; keeps nothing where neither is set.
  static BatchMemory of_this_user();
  /// The same, which has forgotten everything but remembers what is found out from now on.
  BatchMemory anew() const;

  /// What was found out, or nothing. `key` tells apart all that the number depends on.
  std::optional<int> find(const std::string& key) const;
  void remember(const std::string& key, const BatchChoice& choice) const;

 private:
  std::filesystem::path file_of(const std::string& key) const;

  std::filesystem::path folder_;
  bool is_anew_ = false;
};

/// Runs of fewer images take less time than finding out how many go best together.
inline constexpr std::int64_t kImagesWorthTuning = 500;

/// Compiles a graph for a run over `images` images. Where the graph takes any number at a time and the options leave it open, it is
/// the one that is remembered for this graph, engine and device; else, for a long run, the one that `choose_batch` finds, which is
/// then remembered; else 1. `weights_sha256` is the model's. Throws what `choose_batch` and `compile_for_run` throw.
ReadyGraph ready_graph(Engine& engine, const GraphUse& graph, const std::string& weights_sha256, const LabelRunOptions& options,
                       std::int64_t images, const BatchMemory& memory, const BatchTuningOptions& tuning,
                       const ProgressSink& progress, const CancelToken& cancel);

}  // namespace verilabel
