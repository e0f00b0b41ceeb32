#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/store/project.h"

namespace verilabel::cli {
namespace {

Action configure(CLI::App& app) {
  auto dir = std::make_shared<std::string>();
  app.add_option("DIR", *dir, "The folder of the new project, made when missing (default: that of --project)");
  return [dir](const Invocation& invocation) {
    const std::filesystem::path folder = dir->empty() ? invocation.project_dir : std::filesystem::absolute(*dir).lexically_normal();
    Project::create(folder);
    std::string out;
    JsonWriter(out).begin_object().field("project", folder.native()).end_object();
    invocation.console.write_json(out + "\n");
    const std::string shown = printable(folder.native());
    invocation.console.say(fmt::format("A new project in {}", shown));
    invocation.console.hint(fmt::format("Next: verilabel --project {} import --images DIR", shown));
    return 0;
  };
}

constexpr std::string_view kExamples[] = {"verilabel init", "verilabel init ~/projects/streets"};

}  // namespace

const Command kInitCommand{
    "init", "Make a project: a folder with a database; images stay where they are", "", kExamples, &configure,
};

}  // namespace verilabel::cli
