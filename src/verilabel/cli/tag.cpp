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
};

Action configure(CLI::App& app) {
  auto words = std::make_shared<Words>();
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("TAG", words->tag, "The tag")->required();
    sub->add_option("--where", words->view, "Which samples (a view)")->required()->type_name("VIEW");
    return sub;
  };
  CLI::App* add_app = add("add", "Give the samples of a view a tag");
  add("remove", "Take a tag from the samples of a view");
  return [=](const Invocation& invocation) {
    if (words->tag.empty()) {
      throw Error(ErrorCode::wrong_use, "a tag needs at least one character");
    }
    const View view = View::parse(words->view);
    Project project = Project::open(invocation.project_dir);
    const Columns columns = project.columns();
    std::vector<SampleId> samples;
    for (const std::uint32_t row : select_samples(view, columns)) {
      samples.push_back({columns.samples.id[row]});
    }
    const bool is_adding = add_app->parsed();
    const std::int64_t changed = is_adding ? project.tag_samples(samples, words->tag) : project.untag_samples(samples, words->tag);
    std::string out;
    JsonWriter(out).begin_object().field("samples", samples.size()).field("changed", changed).end_object();
    invocation.console.write_json(out + "\n");
    invocation.console.say(
        fmt::format("{} samples, {} {}", samples.size(), changed, is_adding ? "newly tagged" : "no longer tagged"));
    return 0;
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel tag add night --where 'path:*/night/*'",
    "verilabel tag remove night --where 'tag:night count(auto,car)=0'",
};

}  // namespace

const Command kTagCommand{
    "tag", "Give tags to samples and take them away", "", kExamples, &configure,
};

}  // namespace verilabel::cli
