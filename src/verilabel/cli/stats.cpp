#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/workflow/inspect.h"

namespace verilabel::cli {
namespace {

void write_counts(JsonWriter& json, std::string_view name, const std::map<std::string, std::int64_t>& counts) {
  json.key(name).begin_object();
  for (const auto& [key, count] : counts) {
    json.field(key, count);
  }
  json.end_object();
}

std::string json_of(const ProjectStats& stats) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("samples", stats.samples).field("samples_missing", stats.samples_missing).field("labels", stats.labels);
  json.key("sets").begin_object();
  for (const auto& set : stats.sets) {
    json.key(set.name).begin_object().field("samples_labelled", set.samples_labelled).field("samples_empty", set.samples_empty);
    json.field("labels", set.labels);
    write_counts(json, "by_verdict", set.by_verdict);
    write_counts(json, "by_class", set.by_class);
    json.end_object();
  }
  json.end_object();
  write_counts(json, "sample_tags", stats.sample_tags);
  write_counts(json, "label_tags", stats.label_tags);
  json.end_object();
  return out + "\n";
}

void say_counts(Console& console, std::string_view title, const std::map<std::string, std::int64_t>& counts) {
  if (!counts.empty()) {
    Table table({std::string(title), "count"});
    for (const auto& [key, count] : counts) {
      table.add({key, std::to_string(count)});
    }
    console.say("\n" + table.text());
  }
}

void say_stats(Console& console, const ProjectStats& stats) {
  console.say(fmt::format("{} samples ({} without a file), {} labels", stats.samples, stats.samples_missing, stats.labels));
  if (stats.samples == 0) {
    console.say("Nothing here yet. Take images in with: verilabel import --images DIR");
  }
  for (const auto& set : stats.sets) {
    console.say(fmt::format("\nset {}: {} labels on {} samples, {} of them empty", set.name, set.labels, set.samples_labelled,
                            set.samples_empty));
    say_counts(console, "verdict", set.by_verdict);
    say_counts(console, "class", set.by_class);
  }
  say_counts(console, "sample tag", stats.sample_tags);
  say_counts(console, "label tag", stats.label_tags);
}

Action configure(CLI::App& app) {
  auto text = std::make_shared<std::string>();
  app.add_option("--where", *text, "Only these samples and labels (default: all)")->type_name("VIEW");
  return [text](const Invocation& invocation) {
    const View view = View::parse(*text);
    const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
    const ProjectStats stats = stats_of(project.columns(), view);
    invocation.console.write_json(json_of(stats));
    say_stats(invocation.console, stats);
    return 0;
  };
}

constexpr std::string_view kExamples[] = {"verilabel stats", "verilabel stats --where 'set:auto confidence>=0.5'"};

}  // namespace

const Command kStatsCommand{
    "stats", "Count samples and labels by set, verdict, class and tag", "", kExamples, &configure,
};

}  // namespace verilabel::cli
