// samples and labels: the rows that a view selects.

#include <cmath>
#include <ctime>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/dataset/view.h"
#include "verilabel/store/project.h"

namespace verilabel::cli {
namespace {

constexpr std::size_t kFlushBytes = 1 << 20;
constexpr std::size_t kRowsShown = 100;

std::optional<double> defined(double number) {
  return std::isnan(number) ? std::nullopt : std::optional(number);
}

/// A side of an image in pixels, if it is known.
std::optional<std::int32_t> known(std::int32_t pixels) {
  return is_known_side(pixels) ? std::optional(pixels) : std::nullopt;
}

/// One JSON document with the rows under `name`, written in pieces. `write_row` adds one object.
template <typename WriteRow>
void write_rows(Console& console, std::string_view name, const std::vector<std::uint32_t>& rows, const WriteRow& write_row) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("count", rows.size()).key(name).begin_array();
  for (const std::uint32_t row : rows) {
    write_row(json, row);
    if (out.size() > kFlushBytes) {
      console.write_json(out);
      out.clear();
    }
  }
  json.end_array().end_object();
  console.write_json(out + "\n");
}

/// The tags of each row that has some.
class TagsOfRows {
 public:
  TagsOfRows(const TagColumns& tags, const std::vector<std::string>& names) : names_(names) {
    for (std::size_t i = 0; i < tags.row.size(); ++i) {
      tags_[static_cast<std::uint32_t>(tags.row[i])].push_back(tags.tag[i]);
    }
  }
  void write(JsonWriter& json, std::uint32_t row) const {
    json.key("tags").begin_array();
    const auto found = tags_.find(row);
    if (found != tags_.end()) {
      for (const std::int32_t tag : found->second) {
        json.value(names_[static_cast<std::size_t>(tag)]);
      }
    }
    json.end_array();
  }

 private:
  const std::vector<std::string>& names_;
  std::unordered_map<std::uint32_t, std::vector<std::int32_t>> tags_;
};

/// One flag for each row that has properties: only for those is the store asked.
std::vector<std::uint8_t> rows_with(const PropertyColumns& properties, std::size_t row_count) {
  std::vector<std::uint8_t> flags(row_count, 0);
  for (const std::int32_t row : properties.row) {
    flags[static_cast<std::size_t>(row)] = 1;
  }
  return flags;
}

/// A moment as ISO 8601 in UTC, nothing for none.
std::optional<std::string> time_text(double seconds) {
  if (std::isnan(seconds)) {
    return std::nullopt;
  }
  const auto whole = static_cast<std::time_t>(std::floor(seconds));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(whole));
}

void write_sample(JsonWriter& json, const Columns& columns, std::uint32_t row) {
  const SampleColumns& samples = columns.samples;
  json.begin_object().field("sample", samples.id[row]).field("name", samples.name[row]).field("path", samples.path[row]);
  json.field("width", known(samples.width[row]))
      .field("height", known(samples.height[row]))
      .field("missing", samples.is_missing[row] != 0);
  const std::string& split = columns.splits[static_cast<std::size_t>(samples.split[row])];
  json.field("split", split.empty() ? std::nullopt : std::optional(split)).field("modified", time_text(samples.modified[row]));
}

void write_label(JsonWriter& json, const Columns& columns, std::uint32_t row) {
  const LabelColumns& labels = columns.labels;
  const auto sample = static_cast<std::size_t>(labels.sample[row]);
  json.begin_object()
      .field("label", labels.id[row])
      .field("sample", columns.samples.id[sample])
      .field("name", columns.samples.name[sample]);
  json.field("set", columns.sets[static_cast<std::size_t>(labels.set[row])].name);
  json.field("class", columns.classes[static_cast<std::size_t>(labels.class_index[row])].name)
      .field("kind", name_of(labels.kind[row]));
  const bool is_boxed = has_box(labels.kind[row]);
  if (is_boxed) {
    json.key("bbox").begin_array().value(labels.x[row]).value(labels.y[row]).value(labels.w[row]).value(labels.h[row]).end_array();
  } else {
    json.field("bbox", std::optional<double>());
  }
  json.field("area", is_boxed ? std::optional(labels.area[row]) : std::nullopt)
      .field("confidence", defined(labels.confidence[row]))
      .field("crowd", labels.is_crowd[row] != 0);
  json.field("verdict", name_of(labels.verdict[row]))
      .field("decided", time_text(labels.decided[row]))
      .field("status", name_of(labels.status[row]));
  json.field("run", labels.run[row] != 0 ? std::optional(labels.run[row]) : std::nullopt);
  json.field("import", labels.import[row] != 0 ? std::optional(labels.import[row]) : std::nullopt);
}

/// What the evaluation that the view asks about says of the row; nothing without one.
void write_judgement_of_label(JsonWriter& json, const Columns& columns, std::uint32_t row) {
  if (const auto& evaluation = columns.evaluation) {
    const std::uint8_t outcome = evaluation->outcome[row];
    const bool is_judged = outcome != EvaluationColumns::kNoOutcome;
    const bool is_error = evaluation->error[row] != ErrorKind::none;
    json.field("outcome", is_judged ? std::optional(name_of(static_cast<Outcome>(outcome))) : std::nullopt);
    json.field("error", is_error ? std::optional(name_of(evaluation->error[row])) : std::nullopt);
    json.field("iou", defined(evaluation->iou[row]));
  }
}

void write_judgement_of_sample(JsonWriter& json, const Columns& columns, std::uint32_t row) {
  if (const auto& evaluation = columns.evaluation) {
    json.field("tp", defined(evaluation->tp[row])).field("fp", defined(evaluation->fp[row]));
    json.field("fn", defined(evaluation->fn[row])).field("f1", defined(evaluation->f1[row]));
  }
}

std::string pixels_text(std::int32_t pixels) {
  return known(pixels) ? std::to_string(pixels) : "-";
}

std::string count_text(double count) {
  return std::isnan(count) ? "-" : fmt::format("{:.0f}", count);
}

void say_more(Console& console, std::size_t count, std::string_view what) {
  console.say(count > kRowsShown ? fmt::format("… {} {} in all; --json or limit: shows others", count, what)
                                 : fmt::format("{} {}", count, what));
}

void say_samples(Console& console, const Columns& columns, const std::vector<std::uint32_t>& rows) {
  std::vector<std::string> header = {"name", "sample", "width", "height"};
  if (columns.evaluation) {
    header.insert(header.end(), {"tp", "fp", "fn", "F1"});
  }
  Table table(header);
  for (std::size_t i = 0; i < std::min(rows.size(), kRowsShown); ++i) {
    const std::uint32_t row = rows[i];
    const bool is_missing = columns.samples.is_missing[row] != 0;
    std::vector<std::string> cells = {printable(columns.samples.name[row]) + (is_missing ? " (missing)" : ""),
                                      std::to_string(columns.samples.id[row]), pixels_text(columns.samples.width[row]),
                                      pixels_text(columns.samples.height[row])};
    if (const auto& evaluation = columns.evaluation) {
      cells.insert(cells.end(), {count_text(evaluation->tp[row]), count_text(evaluation->fp[row]), count_text(evaluation->fn[row]),
                                 number_text(defined(evaluation->f1[row]))});
    }
    table.add(std::move(cells));
  }
  if (!rows.empty()) {
    console.say(table.text());
  }
  say_more(console, rows.size(), "samples");
}

void say_labels(Console& console, const Columns& columns, const std::vector<std::uint32_t>& rows) {
  std::vector<std::string> header = {"image", "label", "set", "class", "confidence", "verdict", "x", "y", "w", "h"};
  if (columns.evaluation) {
    header.insert(header.end(), {"outcome", "error", "IoU"});
  }
  Table table(header);
  const LabelColumns& labels = columns.labels;
  for (std::size_t i = 0; i < std::min(rows.size(), kRowsShown); ++i) {
    const std::uint32_t row = rows[i];
    const Box box = labels.box_xywh_px(row);
    const auto side = [&](double pixels) { return has_box(labels.kind[row]) ? fmt::format("{:.1f}", pixels) : std::string("-"); };
    std::vector<std::string> cells = {printable(columns.samples.name[static_cast<std::size_t>(labels.sample[row])]),
                                      std::to_string(labels.id[row]),
                                      printable(columns.sets[static_cast<std::size_t>(labels.set[row])].name),
                                      printable(columns.classes[static_cast<std::size_t>(labels.class_index[row])].name),
                                      number_text(defined(labels.confidence[row])),
                                      std::string(name_of(labels.verdict[row])),
                                      side(box.x),
                                      side(box.y),
                                      side(box.w),
                                      side(box.h)};
    if (const auto& evaluation = columns.evaluation) {
      const std::uint8_t outcome = evaluation->outcome[row];
      const bool is_judged = outcome != EvaluationColumns::kNoOutcome;
      const bool is_error = evaluation->error[row] != ErrorKind::none;
      cells.insert(cells.end(),
                   {is_judged ? std::string(name_of(static_cast<Outcome>(outcome))) : "-",
                    is_error ? std::string(name_of(evaluation->error[row])) : "-", number_text(defined(evaluation->iou[row]))});
    }
    table.add(std::move(cells));
  }
  if (!rows.empty()) {
    console.say(table.text());
  }
  say_more(console, rows.size(), "labels");
}

std::shared_ptr<std::string> add_view_option(CLI::App& app) {
  auto text = std::make_shared<std::string>();
  app.add_option("--where", *text, "Only these (a view; default: all)")->type_name("VIEW");
  return text;
}

Action configure_samples(CLI::App& app) {
  const auto text = add_view_option(app);
  return [text](const Invocation& invocation) {
    const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
    const View view = View::parse(*text, project.saved_views());
    const Columns columns = project.columns_for(view);
    const auto rows = select_samples(view, columns);
    if (invocation.console.is_json()) {
      const TagsOfRows tags(columns.sample_tags, columns.sample_tag_names);
      const auto has_fields = rows_with(columns.sample_fields, columns.samples.size());
      write_rows(invocation.console, "samples", rows, [&](JsonWriter& json, std::uint32_t row) {
        write_sample(json, columns, row);
        tags.write(json, row);
        write_judgement_of_sample(json, columns, row);
        const std::string fields = has_fields[row] != 0 ? project.fields_of({columns.samples.id[row]}) : "";
        json.key("fields").raw(fields.empty() ? "{}" : fields).end_object();
      });
    } else {
      say_samples(invocation.console, columns, rows);
    }
    return 0;
  };
}

Action configure_labels(CLI::App& app) {
  const auto text = add_view_option(app);
  return [text](const Invocation& invocation) {
    const Project project = Project::open(invocation.project_dir, Project::Access::read_only);
    const View view = View::parse(*text, project.saved_views());
    const Columns columns = project.columns_for(view);
    const auto rows = select_labels(view, columns);
    if (invocation.console.is_json()) {
      const TagsOfRows tags(columns.label_tags, columns.label_tag_names);
      write_rows(invocation.console, "labels", rows, [&](JsonWriter& json, std::uint32_t row) {
        write_label(json, columns, row);
        tags.write(json, row);
        write_judgement_of_label(json, columns, row);
        // The columns have no lists among them.
        const std::string attributes = project.attributes_of({columns.labels.id[row]});
        json.key("attributes").raw(attributes.empty() ? "{}" : attributes).end_object();
      });
    } else {
      say_labels(invocation.console, columns, rows);
    }
    return 0;
  };
}

constexpr std::string_view kSamplesExamples[] = {
    "verilabel samples --where 'class:car confidence>=0.3 tag:night'",
    "verilabel samples --where 'count(auto,person)>3 limit:20'",
};
constexpr std::string_view kLabelsExamples[] = {
    "verilabel labels --where 'set:auto verdict:unreviewed -sort:confidence limit:50'",
    "verilabel --json labels --where 'class:car,\"traffic light\" area<1024'",
};

}  // namespace

const Command kSamplesCommand{
    "samples",          "List the samples (images) of a view", "docs/views.md has the language of views.", kSamplesExamples,
    &configure_samples,
};

const Command kLabelsCommand{
    "labels", "List the labels of a view", "docs/views.md has the language of views.", kLabelsExamples, &configure_labels,
};

}  // namespace verilabel::cli
