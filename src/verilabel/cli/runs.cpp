#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/run_answer.h"
#include "verilabel/cli/text.h"
#include "verilabel/store/run_ledger.h"

namespace verilabel::cli {
namespace {

std::string_view state_of(const RunRow& run, bool is_live) {
  if (run.is_undone) {
    return "undone";
  }
  if (is_live) {
    return "running";
  }
  return run.done + run.failed < run.samples ? "stopped" : "finished";
}

void write_run(JsonWriter& json, const RunRow& run, bool is_live) {
  json.field("run", run.id.value)
      .field("set", run.request.set)
      .field("model", run.request.model)
      .field("state", state_of(run, is_live));
  json.field("samples", run.samples).field("done", run.done).field("failed", run.failed);
  json.field("labels", run.labels)
      .field("superseded", run.superseded)
      .field("repeats", run.repeats)
      .field("floor", run.request.floor)
      .field("where", run.request.view);
  write_bound(json, run.request.bound);
  json.field("engine", run.engine).field("device", run.device);
  json.field("started_at", run.started_at)
      .field("finished_at", run.finished_at.empty() ? std::nullopt : std::optional(run.finished_at));
  json.field("weights_sha256", run.request.weights_sha256);
  json.key("options").raw(run.request.options_json);
  json.key("model_card");
  run.model_json.empty() ? json.null() : json.raw(run.model_json);
}

/// The engine with its version: "openvino 2026.4.1". Runs of earlier versions of this program do not know theirs.
std::string engine_of(const RunRow& run) {
  const auto card = nlohmann::json::parse(run.model_json, nullptr, false);
  const std::string version = card.is_object() ? card.value("engine_version", "") : "";
  return version.empty() ? run.engine : fmt::format("{} {}", run.engine, version);
}

int list(const Invocation& invocation) {
  const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
  const std::vector<RunRow> rows = runs(project);
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("runs").begin_array();
  Table table({"run", "state", "set", "done", "failed", "of", "labels", "replaces", "started", "model"});
  for (const RunRow& run : rows) {
    const bool live = is_live(project, run.id);
    json.begin_object();
    write_run(json, run, live);
    json.end_object();
    table.add({std::to_string(run.id.value), std::string(state_of(run, live)), run.request.set, std::to_string(run.done),
               std::to_string(run.failed), std::to_string(run.samples), std::to_string(run.labels),
               run.request.bound ? fmt::format("below {}", run.request.bound->confidence) : "all", run.started_at.substr(0, 19),
               printable(run.request.model)});
  }
  json.end_array().end_object();
  invocation.console.write_json(out + "\n");
  invocation.console.say(rows.empty() ? "No runs yet. Start one with: verilabel label --model FILE.onnx" : table.text());
  return 0;
}

int show(const Invocation& invocation, RunId id) {
  const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
  const RunRow run = run_row(project, id);
  const bool live = is_live(project, id);
  const std::vector<RunFailure> failures = run_failures(project, id);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_run(json, run, live);
  json.key("failures").begin_array();
  for (const RunFailure& failure : failures) {
    json.begin_object().field("sample", failure.sample.value).field("name", failure.name).field("path", failure.path);
    json.field("code", failure.code).field("message", failure.message).end_object();
  }
  json.end_array().end_object();
  Console& console = invocation.console;
  console.write_json(out + "\n");
  console.say(fmt::format("run {} ({}): {} into set {}", run.id.value, state_of(run, live), printable(run.request.model),
                          printable(run.request.set)));
  console.say(fmt::format("  {} of {} images done, {} failed, {} left", run.done, run.samples, run.failed,
                          run.samples - run.done - run.failed));
  console.say(fmt::format("  {} labels, {} of them repeat what a person has decided on", run.labels, run.superseded));
  const std::string device = run.device.empty() ? "no inference yet" : fmt::format("on {} ({})", run.device, engine_of(run));
  console.say(fmt::format("  floor {}, {}, started {}, {}", run.request.floor, device, run.started_at,
                          run.finished_at.empty() ? "not finished" : "finished " + run.finished_at));
  if (const std::optional<TilingOptions> tiling = tiling_of(run.request)) {
    console.say(fmt::format("  {}", tiling_text(*tiling)));
  }
  if (run.request.bound) {
    console.say(fmt::format("  {}", bound_text(*run.request.bound, run.repeats)));
  }
  console.say(fmt::format("  weights {}", run.request.weights_sha256));
  for (const RunFailure& failure : failures) {
    console.say(fmt::format("  failed {}: {}", printable(failure.path), failure.message));
  }
  return 0;
}

int undo(const Invocation& invocation, RunId id) {
  Project project = Project::open(invocation.project_dir);
  const std::int64_t labels = undo_run(project, id);
  std::string out;
  JsonWriter(out).begin_object().field("run", id.value).field("labels", labels).end_object();
  invocation.console.write_json(out + "\n");
  invocation.console.say(fmt::format("run {} undone: {} undecided labels are inactive; decided ones stay", id.value, labels));
  return 0;
}

int retry(const Invocation& invocation, RunId id) {
  Project project = Project::open(invocation.project_dir);
  return answer_run(invocation, retry_run(project, id, invocation.console.progress(), invocation.cancel, run_notes(invocation)));
}

Action configure(CLI::App& app) {
  auto run = std::make_shared<std::int64_t>(0);
  app.require_subcommand(0, 1);
  app.add_subcommand("list", "All runs, oldest first (what `runs` alone does)");
  const auto add = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("RUN", *run, "Number of the run")->required();
    return sub;
  };
  CLI::App* show_app = add("show", "One run whole, with the images that failed and why");
  CLI::App* undo_app = add("undo", "Make the run's undecided labels inactive, and those it replaced active again");
  CLI::App* retry_app = add("retry", "Try the failed images again, and those that are left");
  return [=](const Invocation& invocation) {
    if (show_app->parsed()) {
      return show(invocation, RunId{*run});
    }
    if (undo_app->parsed()) {
      return undo(invocation, RunId{*run});
    }
    if (retry_app->parsed()) {
      return retry(invocation, RunId{*run});
    }
    return list(invocation);
  };
}

constexpr std::string_view kExamples[] = {"verilabel runs", "verilabel runs show 3", "verilabel runs undo 3",
                                          "verilabel runs retry 3"};

}  // namespace

const Command kRunsCommand{
    "runs",
    "List, show, undo and retry the runs of models",
    "A run keeps its model, the hash of its weights, what it was asked for, the device that ran, and the outcome of every image.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
