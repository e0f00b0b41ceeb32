// The program: the table of commands, what they share, and the one place where errors become exit statuses.

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/new_folder.h"
#include "verilabel/base/progress.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/console.h"
#include "verilabel/cli/help.h"

namespace {

using verilabel::Error;
using verilabel::ErrorCode;
using verilabel::cli::Action;
using verilabel::cli::Command;
using verilabel::cli::Console;

constexpr std::string_view kVersion = "0.1.0";

/// In the order of the loop; help and dispatch follow it.
const std::array kCommands = {
    &verilabel::cli::kQuickstartCommand, &verilabel::cli::kInitCommand,     &verilabel::cli::kImportCommand,
    &verilabel::cli::kImportsCommand,    &verilabel::cli::kLabelCommand,    &verilabel::cli::kRunsCommand,
    &verilabel::cli::kFuseCommand,       &verilabel::cli::kEvaluateCommand, &verilabel::cli::kEvaluationsCommand,
    &verilabel::cli::kThresholdCommand,  &verilabel::cli::kReviewCommand,   &verilabel::cli::kTagCommand,
    &verilabel::cli::kViewsCommand,      &verilabel::cli::kExportCommand,   &verilabel::cli::kStatsCommand,
    &verilabel::cli::kSamplesCommand,    &verilabel::cli::kLabelsCommand,   &verilabel::cli::kEmbedCommand,
    &verilabel::cli::kModelsCommand,     &verilabel::cli::kDemoCommand,
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

void catch_signals(bool polls_cancel) {
  std::signal(SIGINT, polls_cancel ? request_stop : end_at_once);
  std::signal(SIGTERM, polls_cancel ? request_stop : end_at_once);
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

/// The words of a command line behind the program's name.
using Line = std::span<const std::string>;

/// The first word that is no option of the program itself; where a command must stand.
std::size_t index_of_command_word(Line line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == "--project") {
      ++i;
    } else if (!line[i].starts_with("-")) {
      return i;
    }
  }
  return line.size();
}

bool takes_value(std::string_view option, const std::vector<CLI::App*>& apps) {
  return std::ranges::any_of(apps, [&](const CLI::App* app) {
    const CLI::Option* const found = app->get_option_no_throw(std::string(option));
    return found != nullptr && found->get_items_expected_max() > 0;
  });
}

/// A command line as CLI11 is to see it. A word with one dash is an option there, but of those there is only
/// -h: any other that stands where no option waits for its value is a value itself, as the view -tag:night is. It goes behind `--`,
/// and so does every such word after it, which keeps their order. `apps` may take the options.
std::vector<std::string> words_to_parse(Line line, const std::vector<CLI::App*>& apps) {
  std::vector<std::string> words;
  std::vector<std::string> values;
  bool is_value = false;
  bool has_ended = false;
  for (const std::string& word : line) {
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
void run_external(Line line, std::size_t word_index, const std::filesystem::path& project_dir) {
  const std::string program = fmt::format("verilabel-{}", line[word_index]);
  if (program.find('/') != std::string::npos) {
    return;
  }
  ::setenv("VERILABEL_PROJECT", project_dir.c_str(), 1);
  std::vector<char*> arguments{const_cast<char*>(program.c_str())};
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (i > word_index || (i < word_index && line[i] == "--json")) {
      arguments.push_back(const_cast<char*>(line[i].c_str()));
    }
  }
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

/// Commands take an empty text for an option that was not given, and a script's unset variable would pass for that.
void refuse_empty_names(CLI::App& app) {
  constexpr std::array kinds = {"DIR", "FILE", "FOLDER", "MODEL", "PATH", "SET"};
  for (CLI::Option* option : app.get_options()) {
    if (std::ranges::find(kinds, option->get_type_name()) != kinds.end()) {
      option->check(CLI::Validator(
          [](const std::string& name) { return std::string(name.empty() ? "needs a name, and this one is empty" : ""); }, ""));
    }
  }
  for (CLI::App* inner : app.get_subcommands({})) {
    refuse_empty_names(*inner);
  }
}

int run(Line line, Console& console) {
  CLI::App app("Turns a folder of unlabelled images into a verified, training-ready dataset.", "verilabel");
  app.formatter(verilabel::cli::help_formatter());  // before there are subcommands, which take it over
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
    refuse_empty_names(*sub);
  }

  const std::size_t word = index_of_command_word(line);
  const bool has_word = word < line.size();
  if (has_word && std::ranges::none_of(kCommands, [&](const Command* command) { return command->name == line[word]; })) {
    for (std::size_t i = 0; i < word; ++i) {
      if (line[i] == "--project" && i + 1 < word) {
        project_dir = line[++i];
      } else if (line[i].starts_with("--project=")) {
        project_dir = line[i].substr(line[i].find('=') + 1);
      } else if (line[i] != "--json") {
        throw Error(ErrorCode::wrong_use, fmt::format("there is no option {} (see verilabel --help)", line[i]));
      }
    }
    run_external(line, word, std::filesystem::absolute(project_dir));
    std::string names;
    for (const Command* command : kCommands) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", command->name);
    }
    throw Error(ErrorCode::wrong_use, fmt::format("there is no command '{0}' and no program verilabel-{0} on the PATH", line[word]),
                {{"commands", names}});
  }

  std::vector<CLI::App*> apps{&app};
  for (const auto& [command, sub, action] : configured) {
    if (has_word && command->name == line[word]) {
      apps.push_back(sub);
      const auto inner = sub->get_subcommands({});
      apps.insert(apps.end(), inner.begin(), inner.end());
    }
  }
  std::vector<std::string> words = words_to_parse(line, apps);
  std::ranges::reverse(words);  // as CLI11 takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    return answer(console, "help", app.help());
  } catch (const CLI::CallForVersion& error) {
    return answer(console, "version", std::string(error.what()) + "\n");
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorCode::wrong_use, fmt::format("{} (see verilabel{} --help)", error.what(), has_word ? " " + line[word] : ""));
  }
  for (const auto& [command, sub, action] : configured) {
    if (sub->parsed()) {
      catch_signals(command->polls_cancel);
      const verilabel::cli::RunLine run_line = run;
      const int status = action({verilabel::place_of_folder(project_dir), console, g_cancel, run_line});
      console.finish();
      return status;
    }
  }
  throw Error(ErrorCode::internal, "a command was parsed and not found");
}

}  // namespace

int main(int argc, char** argv) {
  catch_signals(true);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a failed write, with a message, like a full disk
  // Known before parsing, because a mistake in the options must be answered in the form that was asked for.
  const std::vector<std::string> line(argv + 1, argv + argc);
  const bool is_json = std::ranges::find(line, "--json") != line.end();
  g_is_json = is_json;
  Console console(is_json);
  const auto end_with = [&](const Error& error) {
    console.fail(error);
    return verilabel::info(error.code()).exit_status;
  };
  try {
    return run(line, console);
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
