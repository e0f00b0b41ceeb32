#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/pipeline/label_run.h"

namespace verilabel {

/// How quick a graph was with so many images an inference.
struct BatchMeasure {
  int images = 1;
  double images_per_second = 0;
};

/// The number of images an inference that suits a graph and a device.
struct BatchChoice {
  int images = 1;
  std::vector<BatchMeasure> measured = {};  ///< what was tried, in the order of trying; empty where there was no choice
  int wrong_at = 0;  ///< so many images together gave something else than one; nothing from there on was tried; 0: never
};

struct BatchTuningOptions {
  int max_images = 32;                                      ///< an inference
  std::size_t max_bytes = std::size_t{512} << 20;           ///< that inputs and outputs of all requests in flight may take together
  std::chrono::duration<double> window{0.4};                ///< of measuring, three times for each number
  std::chrono::duration<double> slow{2};                    ///< a number whose window takes longer is the last that is tried
  std::function<std::chrono::duration<double>()> now = {};  ///< the clock; that of the machine when empty
};

/// Whether there is anything to choose: the graph takes any number, and `options.batch` leaves it open.
bool is_batch_open(const GraphUse& graph, const LabelRunOptions& options);

/// Tries 1, 2, 4, … images an inference on made-up inputs, with as many requests in flight as the device wants, until three
/// doublings in a row gained nothing, a limit of `tuning` is met, the graph refuses more, or it gives something else for an image
/// among others than for the same image alone, as some graphs do in some engines. Chooses the smallest that is within 5 % of the
/// quickest: more images at a time cost memory, and a busy machine measures badly. Only the time of the engine counts; what comes
/// before and after it does not depend on the number. Throws what compiling and inference throw for a single image, and
/// `interrupted`.
BatchChoice choose_batch(Engine& engine, const GraphUse& graph, const LabelRunOptions& options, const BatchTuningOptions& tuning,
                         const ProgressSink& progress, const CancelToken& cancel);

}  // namespace verilabel
