#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/store/project.h"

namespace verilabel::cli {
namespace {

using nlohmann::ordered_json;

void write_evaluation(JsonWriter& out, const EvaluationSummary& evaluation) {
  out.field("evaluation", evaluation.key)
      .field("predictions", evaluation.prediction_set)
      .field("truth", evaluation.truth_set)
      .field("made_at", evaluation.made_at);
  out.key("result").raw(evaluation.options_json);
}

ordered_json result_of(const EvaluationSummary& evaluation) {
  return ordered_json::parse(evaluation.options_json, nullptr, false);
}

std::string shown(const ordered_json& value) {
  if (value.is_null()) {
    return "-";
  }
  return value.is_number()   ? number_text(value.get<double>())
         : value.is_string() ? printable(value.get<std::string>())
                             : value.dump();
}

/// Of the names, the first that the result has.
std::string first_of(const ordered_json& result, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (result.contains(name)) {
      return shown(result[name]);
    }
  }
  return "-";
}

/// Oldest first, as runs and imports are listed.
std::vector<EvaluationSummary> evaluations_of(const Project& project) {
  std::vector<EvaluationSummary> rows = project.evaluations();
  std::ranges::reverse(rows);
  return rows;
}

int list(const Invocation& invocation) {
  const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
  const std::vector<EvaluationSummary> rows = evaluations_of(project);
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("evaluations").begin_array();
  Table table({"evaluation", "predictions", "truth", "protocol", "mAP", "threshold", "F1", "made", "where"});
  for (const EvaluationSummary& row : rows) {
    writer.begin_object();
    write_evaluation(writer, row);
    writer.end_object();
    const ordered_json result = result_of(row);
    table.add({printable(row.key), printable(row.prediction_set), printable(row.truth_set), first_of(result, {"protocol"}),
               first_of(result, {"mAP", "AP"}), first_of(result, {"threshold"}), first_of(result, {"f1"}),
               row.made_at.substr(0, 19), first_of(result, {"where"})});
  }
  writer.end_array().end_object();
  invocation.console.write_json(out + "\n");
  invocation.console.say(rows.empty() ? "No evaluation is kept yet. Make one with: verilabel evaluate --predictions SET --truth SET"
                                      : table.text());
  return 0;
}

int show(const Invocation& invocation, const std::string& key) {
  const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
  const EvaluationTotals totals = project.evaluation_totals(key);
  const EvaluationSummary& row = totals.summary;
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  write_evaluation(writer, row);
  writer.field("samples", totals.samples).field("tp", totals.tp).field("fp", totals.fp).field("fn", totals.fn);
  writer.key("errors").begin_object();
  Table errors({"error", "wrong predictions", "lost truths"});
  for (const auto& [kind, predictions, truths] : totals.errors) {
    writer.key(name_of(kind)).begin_object().field("predictions", predictions).field("truths", truths).end_object();
    errors.add({std::string(name_of(kind)), std::to_string(predictions), std::to_string(truths)});
  }
  writer.end_object().end_object();
  Console& console = invocation.console;
  console.write_json(out + "\n");
  console.say(fmt::format("evaluation {}: {} against {}, made {}", printable(row.key), printable(row.prediction_set),
                          printable(row.truth_set), row.made_at));
  console.say(fmt::format("  {}; {} found, {} missed; {} wrong", counted(totals.samples, "sample"), counted(totals.tp, "truth"),
                          totals.fn, counted(totals.fp, "prediction")));
  // As it was kept: what was evaluated, then its numbers.
  const ordered_json result = result_of(row);
  for (const auto& [name, value] : result.items()) {
    console.say(fmt::format("  {}: {}", name, name == "where" && value == "" ? "all samples" : shown(value)));
  }
  if (!totals.errors.empty()) {
    console.say("\n" + errors.text());
  }
  return 0;
}

int remove(const Invocation& invocation, const std::string& key) {
  Project project = Project::open(invocation.project_dir);
  project.remove_evaluation(key);
  std::string out;
  JsonWriter(out).begin_object().field("evaluation", key).end_object();
  invocation.console.write_json(out + "\n");
  invocation.console.say(fmt::format("{} is no evaluation any more", printable(key)));
  return 0;
}

Action configure(CLI::App& app) {
  auto key = std::make_shared<std::string>();
  app.require_subcommand(0, 1);
  app.add_subcommand("list", "All evaluations that are kept, oldest first (what `evaluations` alone does)");
  const auto add = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("KEY", *key, "Name of the evaluation")->required();
    return sub;
  };
  CLI::App* show_app = add("show", "One evaluation: its numbers, and what went wrong how often");
  CLI::App* remove_app = add("remove", "Forget an evaluation; the labels stay as they are");
  return [=](const Invocation& invocation) {
    return show_app->parsed() ? show(invocation, *key) : remove_app->parsed() ? remove(invocation, *key) : list(invocation);
  };
}

constexpr std::string_view kExamples[] = {"verilabel evaluations", "verilabel evaluations show latest",
                                          "verilabel labels --where 'eval:latest outcome:fp -sort:confidence'",
                                          "verilabel evaluations remove latest"};

}  // namespace

const Command kEvaluationsCommand{
    "evaluations",
    "List, show and forget the evaluations that the project keeps",
    "An evaluation is kept under the name that `evaluate --name` gave it, and is what views ask as eval:KEY. Its numbers are those "
    "of\n"
    "when it was made; decisions since then do not change them.",
    kExamples,
    &configure,
};

}  // namespace verilabel::cli
