#pragma once

#include "verilabel/cli/command.h"
#include "verilabel/engine/engine.h"
#include "verilabel/hub/locate.h"

namespace verilabel::cli {

/// What a segmenter is, for `models info`.
int show_segmenter(const Invocation& invocation, Engine& engine, const LocatedModel& model);

}  // namespace verilabel::cli
