#include <filesystem>
#include <memory>
#include <string>
#include <variant>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/evaluate_text.h"
#include "verilabel/cli/text.h"
#include "verilabel/workflow/output_file.h"
#include "verilabel/workflow/recommend.h"

namespace verilabel::cli {
namespace {

struct ThresholdOptions {
  RecommendOptions recommend;
  std::string metric = "f1";
  std::optional<double> precision;
  std::optional<double> recall;
  bool is_per_class = false;
  int resamples = BootstrapOptions{}.resamples;
  std::string output;
};

/// "f1", "f0.5", "f2".
double beta_from(const std::string& metric) {
  double beta = 0;
  const bool is_number =
      metric.size() > 1 && metric.front() == 'f' && CLI::detail::lexical_cast(metric.substr(1), beta) && beta > 0;
  if (!is_number) {
    throw Error(ErrorCode::wrong_use, fmt::format("--metric is f and a number above 0, as f1, f2 or f0.5, not '{}'", metric));
  }
  return beta;
}

ThresholdGoal goal_from(const ThresholdOptions& options) {
  if (options.precision) {
    return {ThresholdGoal::Kind::precision, *options.precision};
  }
  if (options.recall) {
    return {ThresholdGoal::Kind::recall, *options.recall};
  }
  return {ThresholdGoal::Kind::f_beta, beta_from(options.metric)};
}

std::optional<double> number_of(const Recommendation& one, std::optional<double> (Counts::*of)() const) {
  return one.point ? (one.point->counts.*of)() : std::nullopt;
}

void say_overall(Console& console, const ThresholdRecommendation& recommendation) {
  const Recommendation& overall = recommendation.overall;
  const std::string goal = name_of(recommendation.goal);
  if (!overall.point) {
    console.say(overall.truths == 0 ? "there are no truths to choose a threshold by"
                                    : fmt::format("no threshold achieves {} over all classes together", goal));
    return;
  }
  console.say(fmt::format("for {}: threshold {}\n  precision {}, recall {}, F1 {}", goal,
                          number_text(overall.point->threshold, overall.threshold),
                          number_text(number_of(overall, &Counts::precision), recommendation.intervals.precision),
                          number_text(number_of(overall, &Counts::recall), recommendation.intervals.recall),
                          number_text(number_of(overall, &Counts::f1), recommendation.intervals.f1)));
}

/// What the thresholds of the file keep together, and whether that is what was wanted.
void say_by_class(Console& console, const ThresholdRecommendation& recommendation) {
  const Counts& counts = recommendation.by_class;
  const std::int64_t kept = counts.true_positives + counts.false_positives;
  if (kept == 0) {
    console.say("by class, as --output writes it: nothing is let through");
    return;
  }
  console.say(fmt::format("by class, as --output writes it: {} kept, {} wrong, {} missed\n  precision {}, recall {}, F1 {}", kept,
                          counts.false_positives, counts.false_negatives, number_text(counts.precision()),
                          number_text(counts.recall()), number_text(counts.f1())));
}

void say_choices(Console& console, const ThresholdRecommendation& recommendation) {
  Table table({"goal", "threshold", "precision", "recall", "F1", "kept", "wrong", "missed", ""});
  for (const ThresholdChoice& choice : recommendation.choices) {
    if (!choice.point) {
      table.add({name_of(choice.goal), "-", "-", "-", "-", "-", "-", "-", std::string(choice.use)});
      continue;
    }
    const Counts& counts = choice.point->counts;
    table.add({name_of(choice.goal), number_text(choice.point->threshold), number_text(counts.precision()),
               number_text(counts.recall()), number_text(counts.f1()),
               std::to_string(counts.true_positives + counts.false_positives), std::to_string(counts.false_positives),
               std::to_string(counts.false_negatives), std::string(choice.use)});
  }
  console.say("\n" + table.text());
}

void say_classes(Console& console, const ThresholdRecommendation& recommendation) {
  Table table({"class", "truths", "threshold", "precision", "recall", "F1"});
  for (std::size_t i = 0; i < recommendation.per_class.size(); ++i) {
    const Recommendation& one = recommendation.per_class[i];
    if (recommendation.class_occurs[i] != 0) {
      table.add({printable(recommendation.class_names[i]), std::to_string(one.truths),
                 number_text(one.point ? one.point->threshold : std::nullopt, one.threshold),
                 number_text(number_of(one, &Counts::precision)), number_text(number_of(one, &Counts::recall)),
                 number_text(number_of(one, &Counts::f1))});
    }
  }
  console.say("\n" + table.text());
}

/// Classes whose own threshold says little, and what holds for them instead.
void note_few_truths(Console& console, const ThresholdRecommendation& recommendation) {
  std::int64_t few = 0;
  std::string names;
  for (std::size_t i = 0; i < recommendation.per_class.size(); ++i) {
    if (recommendation.class_occurs[i] != 0 && recommendation.per_class[i].has_few_truths()) {
      names += few == 0 ? "" : few < 5 ? ", " : few == 5 ? ", …" : "";
      names += few < 5 ? printable(recommendation.class_names[i]) : "";
      ++few;
    }
  }
  if (few == 0) {
    return;
  }
  const Recommendation& shared = *recommendation.shared;
  console.note(fmt::format("{} fewer than {} truths, so that a threshold of {} own says little; in --output {} {}: {}",
                           counted(few, "class has", "classes have"), Recommendation::kFewTruths, few == 1 ? "its" : "their",
                           few == 1 ? "it has" : "they have",
                           !shared.point             ? "none that achieves it, so that nothing of them is let through"
                           : shared.has_few_truths() ? fmt::format("the overall one, {}", number_text(shared.point->threshold))
                                                     : fmt::format("one together, {}", number_text(shared.point->threshold)),
                           names));
}

/// Where an image is called by its best class alone, a file of thresholds lets more through.
void note_several_classes(Console& console, const ThresholdRecommendation& recommendation) {
  const auto* const classes = std::get_if<SetClassification>(&recommendation.sets);
  if (classes != nullptr && classes->result.predictions_not_best > 0) {
    console.note(
        fmt::format("{} not the best of {} image: export and review take every label that reaches its threshold, so that "
                    "they let more through than is said here; label with --max-detections 1",
                    counted(classes->result.predictions_not_best, "prediction is", "predictions are"),
                    classes->result.predictions_not_best == 1 ? "its" : "their"));
  }
}

Action configure(CLI::App& app) {
  auto options = std::make_shared<ThresholdOptions>();
  add_set_options(app, options->recommend.sets);
  auto* metric = app.add_option("--metric", options->metric,
                                "What the threshold maximises: f1; f2 where missing is worse than being wrong, f0.5 the reverse")
                     ->capture_default_str()
                     ->type_name("fBETA");
  auto* precision = app.add_option("--precision", options->precision, "Instead: the most recall with at least this precision")
                        ->type_name("P")
                        ->excludes(metric);
  app.add_option("--recall", options->recall, "Instead: the highest threshold with at least this recall")
      ->type_name("R")
      ->excludes(metric)
      ->excludes(precision);
  app.add_flag("--per-class", options->is_per_class, "Show the table by class as well (JSON always has it)");
  app.add_option("--resamples", options->resamples, "Bootstrap resamples behind the intervals; 0 for no intervals")
      ->capture_default_str()
      ->check(CLI::Range(0, 100'000));
  app.add_option("--output", options->output, "Also write the answer to this file, for --thresholds of export and review")
      ->type_name("FILE");
  return [options](const Invocation& invocation) {
    if (!options->output.empty()) {
      const EvaluateSetsOptions& sets = options->recommend.sets;
      check_output_file(std::filesystem::absolute(options->output), invocation.project_dir,
                        {sets.predictions, sets.truth, sets.hierarchy});
    }
    options->recommend.goal = goal_from(*options);
    options->recommend.with_intervals = options->resamples > 0;
    options->recommend.bootstrap.resamples = std::max(options->resamples, 1);
    const ThresholdRecommendation recommendation = recommend_thresholds(invocation.project_dir, options->recommend);
    const std::string document = recommendation_json(recommendation);
    if (!options->output.empty()) {
      replace_file(options->output, document);
    }
    Console& console = invocation.console;
    console.write_json(document);
    std::visit([&](const auto& sets) { say_coverage(console, sets); }, recommendation.sets);
    say_overall(console, recommendation);
    say_by_class(console, recommendation);
    say_choices(console, recommendation);
    if (options->is_per_class) {
      say_classes(console, recommendation);
    }
    note_few_truths(console, recommendation);
    note_several_classes(console, recommendation);
    if (recommendation.categories_of_shared_name > 0) {
      console.note(fmt::format("{} a name with another: those of one name have one threshold, as they are one class of a project",
                               counted(recommendation.categories_of_shared_name, "category shares", "categories share")));
    }
    std::visit([&](const auto& sets) { note_names_alike(console, sets.names_alike, options->recommend.sets.truth_is_file()); },
               recommendation.sets);
    return 0;
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel threshold --predictions auto --truth ground_truth --per-class",
    "verilabel threshold --predictions auto --truth ground_truth --metric f2 --output train.json",
    "verilabel threshold --predictions auto --truth ground_truth --precision 0.95 --output accept.json",
    "verilabel threshold --predictions auto --truth ground_truth --protocol classification --precision 0.99",
};

}  // namespace

const Command kThresholdCommand{
    "threshold",
    "Recommend confidence thresholds: of best F1, or with a wanted precision or recall; for all classes and for each",
    "Three thresholds are three different numbers. To train, take a low one (f2): models trained on proposed labels gain more "
    "from\n"
    "what is found than they lose by what is wrong, and thresholds of 0.1 to 0.2 gave the best ones. To accept labels without "
    "looking,\n"
    "take a high one (--precision 0.95). The one of best F1 is for looking at results.\n"
    "Intervals are of 95 %, over images drawn anew. The file has a threshold for each class, so that what is wanted holds for each "
    "of\n"
    "them and for all that it keeps; where no threshold achieves it, it lets nothing of the class through. Classes with fewer than "
    "30\n"
    "truths share one, found on all of them together.\n"
    "Of classes of whole images: by multi_label every image and class is a decision of its own, as a box is. By classification "
    "the\n"
    "threshold is the confidence of an image's best class below which the image gets none: precision is of the images that get\n"
    "one, recall of all truths. Its file is for sets with one class an image (label --max-detections 1): export and review take\n"
    "every label that reaches its threshold.",
    kExamples,
    &configure,
};

}  // namespace verilabel::cli
