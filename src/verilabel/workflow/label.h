#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/base/progress.h"
#include "verilabel/geometry/tiling.h"
#include "verilabel/store/project.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/workflow/label_options.h"

namespace verilabel {

/// Where a run stands after it was worked on: whole-run counts, samples = done + failed + left.
struct RunReport {
  RunId run;
  std::int64_t samples = 0;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t labels = 0;       ///< stored, superseded ones included
  std::int64_t superseded = 0;   ///< of those: a person had decided on the same object before
  std::int64_t repeats = 0;      ///< likewise, the run keeps an undecided label of the same object
  double images_per_second = 0;  ///< of this call
  std::int64_t windows = 0;      ///< of this call, through which the model looked at the images
  std::optional<TilingOptions> tiling;
  std::optional<ReplacementBound> bound;
  std::string engine;
  std::string device;              ///< that really ran
  std::vector<std::string> notes;  ///< what the model left open and how it was filled in
  bool is_interrupted = false;

  std::int64_t left() const { return samples - done - failed; }
};

/// Takes a note for people, before the first image is looked at; the report has all of them, too. May be empty.
using NoteSink = std::function<void(const std::string&)>;

/// Labels the samples of a view in a new run. The run is stored once its models are loaded; each image's labels are stored together
/// with its outcome, so that whatever happens, `resume_run` goes on where it stopped. Throws for a model, class or view that cannot
/// be used.
RunReport start_run(Project& project, const LabelOptions& options, const ProgressSink& progress, const CancelToken& cancel,
                    const NoteSink& on_note = {});

/// Goes on with the samples that have no outcome yet. Throws `not_found`; `conflict` while another process works on the run, when
/// it was undone, and when the model file is not the one it began with.
RunReport resume_run(Project& project, RunId run, const ProgressSink& progress, const CancelToken& cancel,
                     const NoteSink& on_note = {});

/// As `resume_run`, with the failed samples tried again.
RunReport retry_run(Project& project, RunId run, const ProgressSink& progress, const CancelToken& cancel,
                    const NoteSink& on_note = {});

}  // namespace verilabel
