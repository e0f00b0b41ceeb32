#pragma once

#include <optional>
#include <string>

#include "verilabel/base/json_writer.h"
#include "verilabel/cli/command.h"
#include "verilabel/dataset/lifecycle.h"
#include "verilabel/workflow/label.h"

namespace verilabel::cli {

/// Shows notes as they come, which is before the first image is looked at.
NoteSink run_notes(const Invocation& invocation);

/// "tiles of 640 pixels, 0.2 of them shared, scales 1, 0.5, and the whole image".
std::string tiling_text(const TilingOptions& tiling);

/// "undecided labels of at least 0.3 stay; 12 candidates repeat one that stays (IoU of at least 0.5), and are in the background".
std::string bound_text(const ReplacementBound& bound, std::int64_t repeats);
/// `replaces_below` and `same_iou`, both null for a run without a bound.
void write_bound(JsonWriter& json, const std::optional<ReplacementBound>& bound);

/// Tells how a run went and gives the exit status: 1 with failures; throws `interrupted`, saying how to go on, when it was stopped.
int answer_run(const Invocation& invocation, const RunReport& report);

}  // namespace verilabel::cli
