#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/json_writer.h"
#include "verilabel/cli/command.h"
#include "verilabel/workflow/model_list.h"
#include "verilabel/workflow/model_pull.h"
#include "verilabel/workflow/model_verify.h"

namespace verilabel::cli {

// How the answers of `models` are shown. Private to the module. Each gives the exit status.

/// A field that is a list.
void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts);

int answer_models(const Invocation& invocation, const HubCache& cache);
int answer_pull(const Invocation& invocation, const PullReport& report, bool is_dry_run);
int answer_verify(const Invocation& invocation, const VerifyReport& report);

}  // namespace verilabel::cli
