// The program: the table of commands, what they share, and the one place where errors become exit statuses.

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/progress.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/console.h"

namespace {

using verilabel::Error;
using verilabel::ErrorCode;
using verilabel::cli::Action;
using verilabel::cli::Command;
using verilabel::cli::Console;

constexpr std::string_view kVersion = "0.1.0";

/// In the order of the loop; help and dispatch follow it.
const std::array kCommands = {
    &verilabel::cli::kInitCommand,     &verilabel::cli::kImportCommand,      &verilabel::cli::kImportsCommand,
    &verilabel::cli::kLabelCommand,    &verilabel::cli::kRunsCommand,        &verilabel::cli::kFuseCommand,
    &verilabel::cli::kEvaluateCommand, &verilabel::cli::kEvaluationsCommand, &verilabel::cli::kThresholdCommand,
    &verilabel::cli::kReviewCommand,   &verilabel::cli::kTagCommand,         &verilabel::cli::kViewsCommand,
    &verilabel::cli::kExportCommand,   &verilabel::cli::kStatsCommand,       &verilabel::cli::kSamplesCommand,
    &verilabel::cli::kLabelsCommand,   &verilabel::cli::kEmbedCommand,       &verilabel::cli::kModelsCommand,
    &verilabel::cli::kDemoCommand,
};

verilabel::CancelToken g_cancel;  // NOLINT(readability-identifier-naming): the handler can reach nothing else

bool g_is_json = false;  // NOLINT(readability-identifier-naming): likewise

/// For commands that have nothing to finish. What they write is one transaction, which the database takes back.
void end_at_once(int /*signal*/) {
  constexpr std::string_view kJson =
      "{\"error\":{\"code\":\"interrupted\",\"message\":\"the command was interrupted\",\"context\":{}}}\n";
  constexpr std::string_view kText = "verilabel: the command was interrupted\n";
  if (g_is_json) {
    static_cast<void>(!::write(STDOUT_FILENO, kJson.data(), kJson.size()));
  }
  static_cast<void>(!::write(STDERR_FILENO, kText.data(), kText.size()));
  ::_exit(verilabel::info(ErrorCode::interrupted).exit_status);
}

void request_stop(int /*signal*/) {
  g_cancel.request();
  std::signal(SIGINT, SIG_DFL);  // the second Ctrl-C ends the program at once
}

std::string footer_of(const Command& command) {
  std::string text(command.details);
  if (!command.examples.empty()) {
    text += text.empty() ? "Examples:" : "\n\nExamples:";
    for (const auto example : command.examples) {
      text += fmt::format("\n  {}", example);
    }
  }
  return text;
}

/// The first word that is no option of the program itself; where a command must stand.
int index_of_command_word(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--project") {
      ++i;
    } else if (!word.starts_with("-")) {
      return i;
    }
  }
  return argc;
}

bool takes_value(std::string_view option, const std::vector<CLI::App*>& apps) {
  return std::ranges::any_of(apps, [&](const CLI::App* app) {
    const CLI::Option* const found = app->get_option_no_throw(std::string(option));
    return found != nullptr && found->get_items_expected_max() > 0;
  });
}

/// The words behind the program's name as CLI11 is to see them. A word with one dash is an option there, but of those there is only
/// -h: any other that stands where no option waits for its value is a value itself, as the view -tag:night is. It goes behind `--`,
/// and so does every such word after it, which keeps their order. `apps` may take the options.
std::vector<std::string> words_to_parse(int argc, char** argv, const std::vector<CLI::App*>& apps) {
  std::vector<std::string> words;
  std::vector<std::string> values;
  bool is_value = false;
  bool has_ended = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--" && !has_ended && !is_value) {
      has_ended = true;
      continue;
    }
    const bool is_option = word.starts_with("--") || word == "-h";
    const bool stays = !has_ended && (is_value || is_option || (values.empty() && !word.starts_with('-')));
    (stays ? words : values).emplace_back(word);
    is_value = stays && !is_value && is_option && takes_value(word, apps);
  }
  if (!values.empty()) {
    words.emplace_back("--");
    words.insert(words.end(), values.begin(), values.end());
  }
  return words;
}

/// `verilabel foo …` runs the program `verilabel-foo` when there is no such command, as git does. Returns only when there is none.
void run_external(int argc, char** argv, int word_index, const std::filesystem::path& project_dir) {
  const std::string program = fmt::format("verilabel-{}", argv[word_index]);
  if (program.find('/') != std::string::npos) {
    return;
  }
  ::setenv("VERILABEL_PROJECT", project_dir.c_str(), 1);
  std::vector<char*> arguments{const_cast<char*>(program.c_str())};
  for (int i = 1; i < word_index; ++i) {
    if (std::string_view(argv[i]) == "--json") {
      arguments.push_back(argv[i]);
    }
  }
  arguments.insert(arguments.end(), argv + word_index + 1, argv + argc);
  arguments.push_back(nullptr);
  ::execvp(program.c_str(), arguments.data());
  if (errno != ENOENT) {
    throw verilabel::io_error("cannot run the program", program, errno);
  }
}

/// What is asked for about the program itself, which is an answer like others.
int answer(Console& console, std::string_view what, std::string text) {
  std::string out;
  verilabel::JsonWriter(out).begin_object().field(what, text).end_object();
  console.write_json(out + "\n");
  text.pop_back();
  console.say(text);
  console.finish();
  return 0;
}

int run(int argc, char** argv, Console& console) {
  CLI::App app("Turns a folder of unlabelled images into a verified, training-ready dataset.", "verilabel");
  std::string project_dir = ".";
  bool is_json = false;
  app.add_option("--project", project_dir, "The project's folder")->type_name("DIR")->capture_default_str();
  app.add_flag("--json", is_json,
               "Answer with one JSON document on standard output, help and version too; progress and diagnostics go to standard "
               "error");
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "`verilabel COMMAND --help` explains one command. An unknown COMMAND runs the program verilabel-COMMAND from the PATH.");

  struct Configured {
    const Command* command;
    CLI::App* app;
    Action action;
  };
  std::vector<Configured> configured;
  for (const Command* command : kCommands) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    sub->footer(footer_of(*command));
    configured.push_back({command, sub, command->configure(*sub)});
  }

  const int word = index_of_command_word(argc, argv);
  const bool is_known =
      word == argc || std::ranges::any_of(kCommands, [&](const Command* command) { return command->name == argv[word]; });
  if (!is_known) {
    for (int i = 1; i < word; ++i) {
      const std::string_view option = argv[i];
      if (option == "--project" && i + 1 < word) {
        project_dir = argv[++i];
      } else if (option.starts_with("--project=")) {
        project_dir = option.substr(option.find('=') + 1);
      } else if (option != "--json") {
        throw Error(ErrorCode::wrong_use, fmt::format("there is no option {} (see verilabel --help)", option));
      }
    }
    run_external(argc, argv, word, std::filesystem::absolute(project_dir));
    std::string names;
    for (const Command* command : kCommands) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", command->name);
    }
    throw Error(ErrorCode::wrong_use, fmt::format("there is no command '{0}' and no program verilabel-{0} on the PATH", argv[word]),
                {{"commands", names}});
  }

  std::vector<CLI::App*> apps{&app};
  for (const auto& [command, sub, action] : configured) {
    if (word < argc && command->name == argv[word]) {
      apps.push_back(sub);
      const auto inner = sub->get_subcommands({});
      apps.insert(apps.end(), inner.begin(), inner.end());
    }
  }
  std::vector<std::string> words = words_to_parse(argc, argv, apps);
  std::ranges::reverse(words);  // as CLI11 takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    return answer(console, "help", app.help());
  } catch (const CLI::CallForVersion& error) {
    return answer(console, "version", std::string(error.what()) + "\n");
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorCode::wrong_use, fmt::format("{} (see verilabel{} --help)", error.what(),
                                                  is_known && word < argc ? fmt::format(" {}", argv[word]) : ""));
  }
  for (const auto& [command, sub, action] : configured) {
    if (sub->parsed()) {
      if (!command->polls_cancel) {
        std::signal(SIGINT, end_at_once);
        std::signal(SIGTERM, end_at_once);
      }
      const int status = action({std::filesystem::absolute(project_dir).lexically_normal(), console, g_cancel});
      console.finish();
      return status;
    }
  }
  throw Error(ErrorCode::internal, "a command was parsed and not found");
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a failed write, with a message, like a full disk
  // Known before parsing, because a mistake in the options must be answered in the form that was asked for.
  const bool is_json = std::any_of(argv + 1, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
  g_is_json = is_json;
  Console console(is_json);
  const auto end_with = [&](const Error& error) {
    console.fail(error);
    return verilabel::info(error.code()).exit_status;
  };
  try {
    return run(argc, argv, console);
  } catch (const Error& error) {
    return end_with(error);
  } catch (const std::bad_alloc&) {
    return end_with(Error(ErrorCode::io, "the machine has not enough free memory for this"));
  } catch (const std::filesystem::filesystem_error& error) {
    return end_with(verilabel::io_error("the file system refused", error.path1().native(), error.code().value()));
  } catch (const std::exception& error) {
    return end_with(Error(ErrorCode::internal, error.what()));
  }
}
