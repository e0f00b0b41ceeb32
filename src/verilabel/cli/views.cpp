#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/store/project.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::string name;
  std::string view;
};

int list(const Invocation& invocation) {
  const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
  const SavedViews views = project.saved_views();
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("views").begin_array();
  for (const SavedView& view : views) {
    json.begin_object().field("name", view.name).field("view", view.text).field("saved_at", view.saved_at).end_object();
    invocation.console.say(fmt::format("{}: {}", printable(view.name), printable(view.text)));
  }
  json.end_array().end_object();
  invocation.console.write_json(out + "\n");
  if (views.empty()) {
    invocation.console.say("No view is saved yet. Save one with: verilabel views save NAME VIEW");
  }
  return 0;
}

int save(const Invocation& invocation, const Words& words) {
  Project project = Project::open(invocation.project_dir);
  project.save_view(words.name, words.view);
  std::string out;
  JsonWriter(out).begin_object().field("name", words.name).field("view", words.view).end_object();
  invocation.console.write_json(out + "\n");
  const std::string use = "view:" + view_value(words.name);
  invocation.console.say(fmt::format("saved as {}; use it as {}", printable(words.name), printable(shell_line({&use, 1}))));
  return 0;
}

int remove(const Invocation& invocation, const Words& words) {
  Project project = Project::open(invocation.project_dir);
  project.remove_view(words.name);
  std::string out;
  JsonWriter(out).begin_object().field("name", words.name).end_object();
  invocation.console.write_json(out + "\n");
  invocation.console.say(fmt::format("{} is no saved view any more", printable(words.name)));
  return 0;
}

Action configure(CLI::App& app) {
  auto words = std::make_shared<Words>();
  app.require_subcommand(0, 1);
  app.add_subcommand("list", "All saved views by name (what `views` alone does)");
  CLI::App* save_app = app.add_subcommand("save", "Give a view a name; one of that name is replaced");
  save_app->add_option("NAME", words->name, "The name")->required();
  save_app->add_option("VIEW", words->view, "The view")->required();
  CLI::App* remove_app = app.add_subcommand("remove", "Forget a saved view");
  remove_app->add_option("NAME", words->name, "The name")->required();
  return [=](const Invocation& invocation) {
    return save_app->parsed() ? save(invocation, *words) : remove_app->parsed() ? remove(invocation, *words) : list(invocation);
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel views",
    "verilabel views save unsure_cars 'set:auto class:car confidence<0.5'",
    "verilabel views save by_day -tag:night",
    "verilabel labels --where 'view:unsure_cars tag:night'",
    "verilabel views remove unsure_cars",
};

}  // namespace

const Command kViewsCommand{
    "views",    "Save views under names, list and remove them", "A saved view is used inside others as view:NAME.", kExamples,
    &configure,
};

}  // namespace verilabel::cli
