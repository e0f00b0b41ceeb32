#include <algorithm>
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

void write_histogram(JsonWriter& json, const Histogram& histogram) {
  json.begin_object().field("values", histogram.values).field("absent", histogram.absent);
  json.key("edges").begin_array();
  for (const double edge : histogram.edges) {
    json.value(edge);
  }
  json.end_array().key("counts").begin_array();
  for (const std::int64_t count : histogram.counts) {
    json.value(count);
  }
  json.end_array().end_object();
}

void write_properties(JsonWriter& json, std::string_view name, const std::vector<ProjectStats::OfProperty>& properties) {
  json.key(name).begin_object();
  for (const auto& property : properties) {
    json.key(property.name).begin_object().field("rows", property.rows);
    json.key("values").begin_array();
    for (const auto& [text, count] : property.values) {
      json.begin_object().field("value", text).field("count", count).end_object();
    }
    json.end_array();
    json.field("other_values", property.other_values).field("rows_of_other_values", property.rows_of_other_values);
    json.key("numbers");
    write_histogram(json, property.numbers);
    json.end_object();
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
    json.field("samples_hidden", set.samples_hidden);
    json.field("labels", set.labels);
    write_counts(json, "by_verdict", set.by_verdict);
    write_counts(json, "by_class", set.by_class);
    json.end_object();
  }
  json.end_object();
  write_counts(json, "sample_tags", stats.sample_tags);
  write_counts(json, "label_tags", stats.label_tags);
  write_counts(json, "by_split", stats.by_split);
  write_counts(json, "by_class", stats.by_class);
  write_counts(json, "by_verdict", stats.by_verdict);
  write_counts(json, "by_kind", stats.by_kind);
  write_properties(json, "fields", stats.fields);
  write_properties(json, "attributes", stats.attributes);
  json.key("histograms").begin_object();
  for (const auto& [name, histogram] : stats.histograms) {
    json.key(name);
    write_histogram(json, histogram);
  }
  json.end_object();
  json.end_object();
  return out + "\n";
}

void say_counts(Console& console, std::string_view title, const std::map<std::string, std::int64_t>& counts) {
  if (!counts.empty()) {
    Table table({std::string(title), "count"});
    for (const auto& [key, count] : counts) {
      table.add({key.empty() ? "(none)" : printable(key), std::to_string(count)});
    }
    console.say("\n" + table.text());
  }
}

/// As many signs as the count has of the largest, and at least one for what is there.
std::string bar(std::int64_t count, std::int64_t largest) {
  constexpr std::int64_t longest = 40;
  const std::int64_t length = largest == 0 ? 0 : (count * longest + largest - 1) / largest;
  return std::string(static_cast<std::size_t>(length), '#');
}

/// As few as tell neighbours apart, and not less than five.
int digits_that_tell_apart(const std::vector<double>& edges) {
  int digits = 5;
  const auto look_alike = [&](double a, double b) {
    return a != b && fmt::format("{:.{}g}", a, digits) == fmt::format("{:.{}g}", b, digits);
  };
  while (digits < 17 && std::ranges::adjacent_find(edges, look_alike) != edges.end()) {
    ++digits;
  }
  return digits;
}

void say_histogram(Console& console, std::string_view name, const Histogram& histogram) {
  if (histogram.counts.empty()) {
    return;
  }
  console.say(fmt::format("\n{}: {} values{}", name, histogram.values,
                          histogram.absent > 0 ? fmt::format(", {} without one", histogram.absent) : ""));
  const std::int64_t largest = *std::ranges::max_element(histogram.counts);
  const int digits = digits_that_tell_apart(histogram.edges);
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    console.say(fmt::format("  {:>10.{}g} – {:<10.{}g} {:>9} {}", histogram.edges[i], digits, histogram.edges[i + 1], digits,
                            histogram.counts[i], bar(histogram.counts[i], largest)));
  }
}

void say_properties(Console& console, std::string_view what, const std::vector<ProjectStats::OfProperty>& properties) {
  for (const auto& property : properties) {
    const std::string name = fmt::format("{} {}", what, printable(property.name));
    if (!property.values.empty()) {
      Table table({name, "count"});
      for (const auto& [text, count] : property.values) {
        table.add({printable(text), std::to_string(count)});
      }
      console.say("\n" + table.text());
      if (property.other_values > 0) {
        console.say(fmt::format("… and {} other values on {}", property.other_values, property.rows_of_other_values));
      }
    }
    say_histogram(console, name, property.numbers);
  }
}

void say_stats(Console& console, const ProjectStats& stats, bool is_of_all) {
  console.say(fmt::format("{} samples ({} without a file), {} labels", stats.samples, stats.samples_missing, stats.labels));
  if (stats.samples == 0) {
    console.say(is_of_all ? "Nothing here yet. Take images in with: verilabel import --images DIR" : "Nothing fits the view.");
  }
  for (const auto& set : stats.sets) {
    console.say(fmt::format("\nset {}: {} labels on {} samples, {} of them empty{}", printable(set.name), set.labels,
                            set.samples_labelled, set.samples_empty,
                            set.samples_hidden > 0 ? fmt::format(", {} with labels that the view hides", set.samples_hidden) : ""));
    say_counts(console, "verdict", set.by_verdict);
    say_counts(console, "class", set.by_class);
  }
  say_counts(console, "sample tag", stats.sample_tags);
  say_counts(console, "label tag", stats.label_tags);
  say_counts(console, "split", stats.by_split);
  say_counts(console, "kind", stats.by_kind);
  say_properties(console, "field", stats.fields);
  say_properties(console, "attribute", stats.attributes);
  for (const auto& [name, histogram] : stats.histograms) {
    say_histogram(console, name, histogram);
  }
}

Action configure(CLI::App& app) {
  auto text = std::make_shared<std::string>();
  auto bins = std::make_shared<int>(10);
  app.add_option("--where", *text, "Only these samples and labels (default: all)")->type_name("VIEW");
  app.add_option("--bins", *bins, "Bins of a histogram, 1 to 1000")->capture_default_str()->check(CLI::Range(1, 1000));
  return [text, bins](const Invocation& invocation) {
    const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
    const View view = View::parse(*text, project.saved_views());
    const ProjectStats stats = stats_of(project.columns_for(view), view, *bins);
    invocation.console.write_json(json_of(stats));
    say_stats(invocation.console, stats, text->empty());
    return 0;
  };
}

constexpr std::string_view kExamples[] = {"verilabel stats", "verilabel stats --where 'set:auto confidence>=0.5' --bins 20"};

}  // namespace

const Command kStatsCommand{
    "stats", "Count samples and labels by set, verdict, class, tag, split and field, with histograms", "", kExamples, &configure,
};

}  // namespace verilabel::cli
