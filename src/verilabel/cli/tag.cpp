#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/cli/commands.h"
#include "verilabel/dataset/view.h"
#include "verilabel/store/project.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::string tag;
  std::string view;
  bool is_for_labels = false;
};

template <typename IdType>
std::vector<IdType> ids_of(const Column<std::int64_t>& column, const std::vector<std::uint32_t>& rows) {
  std::vector<IdType> ids;
  ids.reserve(rows.size());
  for (const std::uint32_t row : rows) {
    ids.push_back({column[row]});
  }
  return ids;
}

struct Change {
  std::size_t selected = 0;
  std::int64_t changed = 0;
};

Change tag_samples(Project& project, const Columns& columns, const View& view, const std::string& tag, bool is_adding) {
  const auto samples = ids_of<SampleId>(columns.samples.id, select_samples(view, columns));
  return {samples.size(), is_adding ? project.tag_samples(samples, tag) : project.untag_samples(samples, tag)};
}

Change tag_labels(Project& project, const Columns& columns, const View& view, const std::string& tag, bool is_adding) {
  const auto labels = ids_of<LabelId>(columns.labels.id, select_labels(view, columns));
  return {labels.size(), is_adding ? project.tag_labels(labels, tag) : project.untag_labels(labels, tag)};
}

Action configure(CLI::App& app) {
  auto words = std::make_shared<Words>();
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("TAG", words->tag, "The tag")->required();
    sub->add_option("--where", words->view, "Which samples, or with --labels which labels (a view)")->required()->type_name("VIEW");
    sub->add_flag("--labels", words->is_for_labels, "Tag the labels of the view, not their samples");
    return sub;
  };
  CLI::App* add_app = add("add", "Give the samples or labels of a view a tag");
  add("remove", "Take a tag from the samples or labels of a view");
  return [=](const Invocation& invocation) {
    if (words->tag.empty()) {
      throw Error(ErrorCode::wrong_use, "a tag needs at least one character");
    }
    Project project = Project::open(invocation.project_dir);
    const View view = View::parse(words->view, project.saved_views());
    const Columns columns = project.columns_for(view);
    const bool is_adding = add_app->parsed();
    const Change change = words->is_for_labels ? tag_labels(project, columns, view, words->tag, is_adding)
                                               : tag_samples(project, columns, view, words->tag, is_adding);
    const std::string_view what = words->is_for_labels ? "labels" : "samples";
    std::string out;
    JsonWriter(out).begin_object().field(what, change.selected).field("changed", change.changed).end_object();
    invocation.console.write_json(out + "\n");
    invocation.console.say(
        fmt::format("{} {}, {} {}", change.selected, what, change.changed, is_adding ? "newly tagged" : "no longer tagged"));
    return 0;
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel tag add night --where 'path:*/night/*'",
    "verilabel tag add ask --labels --where 'set:auto confidence<0.3'",
    "verilabel tag remove night --where 'tag:night count(auto,car)=0'",
};

}  // namespace

const Command kTagCommand{
    "tag", "Give tags to samples or labels and take them away", "", kExamples, &configure,
};

}  // namespace verilabel::cli
