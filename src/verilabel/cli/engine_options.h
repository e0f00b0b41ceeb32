#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace verilabel::cli {

// Private to the module.

/// --engine and --device of a command that runs a model; what the two hold is the default.
void add_engine_options(CLI::App& app, std::string& engine, std::string& device);

}  // namespace verilabel::cli
