#pragma once

#include "verilabel/cli/command.h"
#include "verilabel/workflow/label.h"

namespace verilabel::cli {

/// Tells how a run went and gives the exit status: 1 with failures; throws `interrupted`, saying how to go on, when it was stopped.
int answer_run(const Invocation& invocation, const RunReport& report);

}  // namespace verilabel::cli
