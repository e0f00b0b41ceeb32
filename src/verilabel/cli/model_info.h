#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "verilabel/cli/command.h"

namespace verilabel::cli {

/// What `models info` says of a model that labels or outlines. Gives the exit status.
int show_model(const Invocation& invocation, const std::string& model, const std::optional<std::filesystem::path>& manifest);

}  // namespace verilabel::cli
