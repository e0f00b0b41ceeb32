#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/cli/commands.h"
#include "verilabel/workflow/review.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::string view;
  std::string reason;
  std::string thresholds;
};

int answer(const Invocation& invocation, const ReviewReport& report, std::string_view done) {
  std::string out;
  JsonWriter(out)
      .begin_object()
      .field("labels", report.labels)
      .field("unchanged", report.unchanged)
      .field("decided_meanwhile", report.decided_meanwhile)
      .field("below", report.below)
      .end_object();
  invocation.console.write_json(out + "\n");
  invocation.console.say(report.unchanged == 0
                             ? fmt::format("{} labels {}", report.labels, done)
                             : fmt::format("{} labels {}, {} were so already", report.labels, done, report.unchanged));
  if (report.decided_meanwhile > 0) {
    invocation.console.say(
        fmt::format("  {} labels were decided otherwise by somebody else meanwhile, and stay so", report.decided_meanwhile));
  }
  if (report.below > 0) {
    invocation.console.say(
        fmt::format("  {} labels do not reach the threshold of their class and stay as they were", report.below));
  }
  return 0;
}

Action configure(CLI::App& app) {
  auto words = std::make_shared<Words>();
  app.require_subcommand(1);
  const auto add_decision = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("--where", words->view, "Which labels (a view)")->required()->type_name("VIEW");
    sub->add_option("--reason", words->reason, "Why, kept with the decision");
    return sub;
  };
  CLI::App* accept = add_decision("accept", "The labels are right: exported whatever their confidence");
  accept
      ->add_option(
          "--thresholds", words->thresholds,
          "Only labels whose confidence, 1 where they have none, reaches the threshold of their class, from `threshold --output`")
      ->type_name("FILE");
  CLI::App* reject = add_decision("reject", "The labels are wrong: never exported");
  add_decision("unsure", "To be looked at again: exported only with --include-unsure");
  CLI::App* undo = app.add_subcommand("undo", "Take back the last decision, bulk or single; again for the one before");
  CLI::App* redo = app.add_subcommand("redo", "Make the decision stand again that was taken back last");
  return [=](const Invocation& invocation) {
    Project project = Project::open(invocation.project_dir);
    if (undo->parsed()) {
      return answer(invocation, undo_decision(project), "are what they were before");
    }
    if (redo->parsed()) {
      return answer(invocation, redo_decision(project), "decided again");
    }
    const Verdict verdict = accept->parsed() ? Verdict::accepted : reject->parsed() ? Verdict::rejected : Verdict::unsure;
    const auto thresholds = words->thresholds.empty() ? std::nullopt : std::optional<std::filesystem::path>(words->thresholds);
    return answer(invocation, decide(project, words->view, verdict, words->reason, thresholds),
                  fmt::format("are now {}", name_of(verdict)));
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel review accept --where 'set:auto class:person confidence>=0.7'",
    "verilabel review accept --where set:auto --thresholds accept.json --reason 'precision 0.95'",
    "verilabel review reject --where 'set:auto area<100'",
    "verilabel review undo",
};

}  // namespace

const Command kReviewCommand{
    "review",
    "Accept, reject or mark unsure the labels of a view; undo and redo",
    "A decision on many labels is one unit of undo. Decisions outlive later runs and their undo.",
    kExamples,
    &configure,
};

}  // namespace verilabel::cli
