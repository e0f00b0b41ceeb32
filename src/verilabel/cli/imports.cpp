#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/store/project.h"

namespace verilabel::cli {
namespace {

std::string_view state_of(const ImportRow& row) {
  if (row.is_undone) {
    return "undone";
  }
  if (row.is_running) {
    return "running";
  }
  return row.finished_at.empty() ? "cut off" : "finished";
}

int list(const Invocation& invocation) {
  const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
  const std::vector<ImportRow> rows = project.imports();
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("imports").begin_array();
  Table table({"import", "state", "set", "format", "labels", "started", "source"});
  for (const ImportRow& row : rows) {
    json.begin_object()
        .field("import", row.id.value)
        .field("state", state_of(row))
        .field("set", row.set)
        .field("format", row.format);
    json.field("labels", row.labels).field("started_at", row.started_at);
    json.field("finished_at", row.finished_at.empty() ? std::nullopt : std::optional(row.finished_at))
        .field("source", row.source)
        .end_object();
    table.add({std::to_string(row.id.value), std::string(state_of(row)), printable(row.set), row.format, std::to_string(row.labels),
               row.started_at.substr(0, 19), printable(row.source)});
  }
  json.end_array().end_object();
  invocation.console.write_json(out + "\n");
  invocation.console.say(
      rows.empty() ? "No labels were imported yet. Import some with: verilabel import --labels PATH --format NAME" : table.text());
  return 0;
}

/// What an undo takes from others: a label that several imports named is stored once, by the first.
std::vector<std::string> notes_of_undo(const Project& project, ImportId import) {
  const std::vector<ImportRow> rows = project.imports();
  const auto undone = std::ranges::find(rows, import, &ImportRow::id);
  std::vector<std::string> later;
  for (const ImportRow& row : rows) {
    if (undone != rows.end() && row.id > import && row.set == undone->set && !row.is_undone && undone->format != kFusionFormat &&
        row.format != kFusionFormat) {
      later.push_back(std::to_string(row.id.value));
    }
  }
  if (later.empty()) {
    return {};
  }
  return {
      fmt::format("labels that import {} named as well were stored once, under import {}, and are inactive with it; import those "
                  "files again to bring them back",
                  fmt::join(later, ", "), import.value)};
}

Action configure(CLI::App& app) {
  auto import = std::make_shared<std::int64_t>(0);
  app.require_subcommand(0, 1);
  app.add_subcommand("list", "All imports of labels, oldest first (what `imports` alone does)");
  CLI::App* undo = app.add_subcommand(
      "undo", "Make the undecided labels of an import inactive; of a fusion, those of the one before active again");
  undo->add_option("IMPORT", *import, "Number of the import")->required();
  return [=](const Invocation& invocation) {
    if (!undo->parsed()) {
      return list(invocation);
    }
    Project project = Project::open(invocation.project_dir);
    const std::int64_t labels = project.undo_import(ImportId{*import});
    std::string out;
    JsonWriter json(out);
    json.begin_object().field("import", *import).field("labels", labels).key("notes").begin_array();
    for (const std::string& note : notes_of_undo(project, {*import})) {
      invocation.console.note(note);
      json.value(note);
    }
    json.end_array().end_object();
    invocation.console.write_json(out + "\n");
    invocation.console.say(fmt::format("import {} undone: {} undecided labels are inactive; decided ones stay", *import, labels));
    return 0;
  };
}

constexpr std::string_view kExamples[] = {"verilabel imports", "verilabel imports undo 2"};

}  // namespace

const Command kImportsCommand{
    "imports", "List and undo imports of labels", "", kExamples, &configure,
};

}  // namespace verilabel::cli
