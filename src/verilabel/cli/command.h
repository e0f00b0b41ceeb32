#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "verilabel/base/progress.h"
#include "verilabel/cli/console.h"

namespace CLI {
class App;
}

namespace verilabel::cli {

/// Runs a command line of the program, whose name is left out, as if it had been typed; where to talk is said by the caller. Gives
/// the exit status of `Action`; errors are thrown.
using RunLine = std::function<int(std::span<const std::string> words, Console& console)>;

/// What every command gets: which project, where to talk, when to stop, and how to run other commands.
struct Invocation {
  std::filesystem::path project_dir;
  Console& console;
  const CancelToken& cancel;
  const RunLine& run_line;
};

/// Runs a configured command and gives the exit status: 0, or 1 when failures were reported. Errors are thrown.
using Action = std::function<int(const Invocation&)>;

/// One row of the table of commands. Help texts are made from it.
struct Command {
  std::string_view name;
  std::string_view summary;                    ///< one line, for the list
  std::string_view details;                    ///< what the one line cannot say; may be empty
  std::span<const std::string_view> examples;  ///< whole command lines
  Action (*configure)(CLI::App& app);          ///< adds the options to `app`, whose callback is not used
  bool polls_cancel = false;                   ///< whether it ends cleanly when it is asked to; others are ended at once
};

}  // namespace verilabel::cli
