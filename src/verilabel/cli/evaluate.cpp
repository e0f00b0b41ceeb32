#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/cli/choice.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/workflow/evaluate.h"
#include "verilabel/workflow/output_file.h"

namespace verilabel::cli {
namespace {

constexpr Choices<IouType, 2> kIouTypes = {{{"box", IouType::box}, {"mask", IouType::mask}}};

void add_set_options(CLI::App& app, EvaluateSetsOptions& options) {
  app.add_option("--predictions", options.predictions, "The label set (or COCO file) that is judged")->required()->type_name("SET");
  app.add_option("--truth", options.truth, "The label set (or COCO file) that it is judged by")->required()->type_name("SET");
  app.add_option("--protocol", options.protocol, "The rules of the comparison: coco, or classification for classes of whole images")
      ->capture_default_str();
  add_choice(app, "--iou-type", options.iou_type, kIouTypes, "Compare boxes or masks");
  app.add_option("--iou", options.iou, "Least overlap of a hit, for precision, recall and F1")->capture_default_str();
  app.add_option("--where", options.where, "Only these samples (a view of sample terms)")->type_name("VIEW");
}

void write_coverage(JsonWriter& json, const SetEvaluation& result) {
  const Coverage& coverage = result.coverage;
  json.key("coverage").begin_object();
  json.field("samples", coverage.samples);
  json.field("not_labelled_in_truth", coverage.samples_without_truth);
  json.field("not_labelled_in_predictions", coverage.samples_not_predicted);
  json.field("labelled_in_predictions_only", coverage.samples_only_predicted);
  json.field("truths", coverage.truths);
  json.field("predictions", coverage.predictions);
  json.field("predictions_outside", coverage.predictions_outside);
  json.field("predictions_without_score", coverage.predictions_without_score);
  json.field("predictions_beyond_limit", result.evaluation.predictions_beyond_limit);
  json.field("predictions_of_unknown_images", result.predictions_of_unknown_images);
  json.field("predictions_of_unknown_classes", result.predictions_of_unknown_classes);
  json.field("truths_rejected", coverage.truths_rejected);
  json.field("predictions_rejected", coverage.predictions_rejected);
  json.field("labels_of_other_kinds", coverage.labels_of_other_kinds);
  json.end_object();
}

std::string json_of(const SetEvaluation& result) {
  const Evaluation& evaluation = result.evaluation;
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("metrics").begin_object();
  for (const auto& [name, value] : evaluation.coco.named()) {
    json.field(name, value);
  }
  const OperatingPoint& point = evaluation.at_threshold;
  json.field("precision", point.counts.precision()).field("recall", point.counts.recall()).field("f1", point.counts.f1());
  json.field("threshold", point.threshold).end_object();
  json.key("per_class").begin_object();
  for (std::size_t i = 0; i < evaluation.per_class.size(); ++i) {
    const ClassEvaluation& of_class = evaluation.per_class[i];
    const Counts& counts = of_class.at_threshold.counts;
    json.key(result.class_names[i]).begin_object();
    json.field("AP", of_class.coco.ap).field("AP_50", of_class.coco.ap_50);
    json.field("precision", counts.precision()).field("recall", counts.recall()).field("f1", counts.f1());
    json.field("tp", counts.true_positives).field("fp", counts.false_positives).field("fn", counts.false_negatives);
    json.field("truths", of_class.truths).field("predictions", of_class.predictions);
    json.field("best_threshold", of_class.best_f1.threshold).field("best_f1", of_class.best_f1.counts.f1()).end_object();
  }
  json.end_object();
  write_coverage(json, result);
  json.end_object();
  return out + "\n";
}

/// Classes that occur at all; the others have nothing to show.
bool is_shown(const ClassEvaluation& of_class) {
  return of_class.truths > 0 || of_class.predictions > 0;
}

void say_coverage(Console& console, const SetEvaluation& result) {
  const Coverage& coverage = result.coverage;
  console.say(
      fmt::format("{} samples evaluated, {} truths, {} predictions", coverage.samples, coverage.truths, coverage.predictions));
  const auto say_if = [&](std::int64_t count, std::string_view what) {
    if (count > 0) {
      console.say(fmt::format("  {} {}", count, what));
    }
  };
  say_if(coverage.samples_not_predicted, "samples are not labelled in the predictions and count as empty");
  say_if(coverage.samples_without_truth, "samples are not labelled in the truth and are left out");
  say_if(coverage.predictions_outside, "predictions on samples without truth are left out");
  say_if(coverage.predictions_rejected, "predictions were rejected by a person and are left out");
  say_if(coverage.truths_rejected, "truths were rejected by a person and are left out");
  say_if(coverage.predictions_without_score, "predictions have no confidence and count as 1");
  say_if(coverage.labels_of_other_kinds, "labels without a box are left out");
  say_if(result.evaluation.predictions_beyond_limit,
         "predictions are beyond the 100 best of their class on their image and do not count");
  say_if(result.predictions_of_unknown_images, "predictions name images that the truth does not list and are left out");
  say_if(result.predictions_of_unknown_classes, "predictions name classes that the truth does not list and are left out");
}

std::string json_of(const SetClassification& classification) {
  const ClassificationResult& result = classification.result;
  const Coverage& coverage = classification.coverage;
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("metrics").begin_object().field("accuracy", result.accuracy());
  for (std::size_t k = 1; k <= ClassificationResult::kLargestK; ++k) {
    json.field(fmt::format("top_{}", k), result.top_k(k));
  }
  json.end_object().key("per_class").begin_object();
  for (std::size_t i = 0; i < result.per_class.size(); ++i) {
    const ClassificationOfClass& of_class = result.per_class[i];
    const Counts& counts = of_class.counts;
    json.key(classification.class_names[i]).begin_object();
    json.field("precision", counts.precision()).field("recall", counts.recall()).field("f1", counts.f1());
    json.field("tp", counts.true_positives).field("fp", counts.false_positives).field("fn", counts.false_negatives);
    json.field("truths", of_class.truths).field("predictions", of_class.predictions).end_object();
  }
  json.end_object().key("coverage").begin_object();
  json.field("samples", coverage.samples);
  json.field("without_prediction", result.images_without_prediction);
  json.field("not_labelled_in_truth", coverage.samples_without_truth);
  json.field("without_class_in_truth", coverage.samples_without_class);
  json.field("not_labelled_in_predictions", coverage.samples_not_predicted);
  json.field("labelled_in_predictions_only", coverage.samples_only_predicted);
  json.field("truths", coverage.truths);
  json.field("predictions", coverage.predictions);
  json.field("predictions_outside", coverage.predictions_outside);
  json.field("predictions_without_score", coverage.predictions_without_score);
  json.field("truths_rejected", coverage.truths_rejected);
  json.field("predictions_rejected", coverage.predictions_rejected);
  json.field("labels_of_other_kinds", coverage.labels_of_other_kinds);
  json.end_object().end_object();
  return out + "\n";
}

void say_classification(Console& console, const SetClassification& classification) {
  const ClassificationResult& result = classification.result;
  const Coverage& coverage = classification.coverage;
  console.say(
      fmt::format("{} samples evaluated, {} truths, {} predictions", coverage.samples, coverage.truths, coverage.predictions));
  const auto say_if = [&](std::int64_t count, std::string_view what) {
    if (count > 0) {
      console.say(fmt::format("  {} {}", count, what));
    }
  };
  say_if(result.images_without_prediction, "samples have no prediction and count as wrong");
  say_if(coverage.samples_without_truth, "samples are not labelled in the truth and are left out");
  say_if(coverage.samples_without_class, "samples have no class of the whole image in the truth and are left out");
  say_if(coverage.predictions_outside, "predictions on samples without truth are left out");
  say_if(coverage.predictions_rejected, "predictions were rejected by a person and are left out");
  say_if(coverage.truths_rejected, "truths were rejected by a person and are left out");
  say_if(coverage.predictions_without_score, "predictions have no confidence and count as 1");
  say_if(coverage.labels_of_other_kinds, "labels with a box are left out");
  Table numbers({"metric", "value"});
  numbers.add({"accuracy", number_text(result.accuracy())});
  for (std::size_t k = 2; k <= ClassificationResult::kLargestK; ++k) {
    numbers.add({fmt::format("top-{}", k), number_text(result.top_k(k))});
  }
  console.say("\n" + numbers.text());
  Table classes({"class", "truths", "predictions", "precision", "recall", "F1"});
  for (std::size_t i = 0; i < result.per_class.size(); ++i) {
    const ClassificationOfClass& of_class = result.per_class[i];
    if (of_class.truths > 0 || of_class.predictions > 0) {
      classes.add({classification.class_names[i], std::to_string(of_class.truths), std::to_string(of_class.predictions),
                   number_text(of_class.counts.precision()), number_text(of_class.counts.recall()),
                   number_text(of_class.counts.f1())});
    }
  }
  console.say("\n" + classes.text());
}

void say_evaluation(Console& console, const SetEvaluation& result) {
  const Evaluation& evaluation = result.evaluation;
  say_coverage(console, result);
  Table numbers({"metric", "value"});
  for (const auto& [name, value] : evaluation.coco.named()) {
    numbers.add({std::string(name), number_text(value)});
  }
  console.say("\n" + numbers.text());
  const Counts& counts = evaluation.at_threshold.counts;
  console.say(fmt::format("precision {}, recall {}, F1 {} at threshold {}", number_text(counts.precision()),
                          number_text(counts.recall()), number_text(counts.f1()), number_text(evaluation.at_threshold.threshold)));
  Table classes({"class", "truths", "predictions", "AP", "AP_50", "precision", "recall", "F1", "best threshold", "best F1"});
  for (std::size_t i = 0; i < evaluation.per_class.size(); ++i) {
    const ClassEvaluation& of_class = evaluation.per_class[i];
    if (is_shown(of_class)) {
      const Counts& at = of_class.at_threshold.counts;
      classes.add({result.class_names[i], std::to_string(of_class.truths), std::to_string(of_class.predictions),
                   number_text(of_class.coco.ap), number_text(of_class.coco.ap_50), number_text(at.precision()),
                   number_text(at.recall()), number_text(at.f1()), number_text(of_class.best_f1.threshold),
                   number_text(of_class.best_f1.counts.f1())});
    }
  }
  console.say("\n" + classes.text());
}

Action configure_evaluate(CLI::App& app) {
  auto options = std::make_shared<EvaluateSetsOptions>();
  add_set_options(app, *options);
  app.add_option("--threshold", options->threshold,
                 "Lowest confidence that counts in precision, recall and F1 (default: where F1 is best)");
  app.add_option("--name", options->name, "Key under which the project keeps the evaluation")
      ->capture_default_str()
      ->type_name("KEY");
  return [options](const Invocation& invocation) {
    if (options->is_classification()) {
      const SetClassification result = evaluate_classes_of_sets(invocation.project_dir, *options);
      if (invocation.console.is_json()) {
        invocation.console.write_json(json_of(result));
      } else {
        say_classification(invocation.console, result);
      }
      return 0;
    }
    const SetEvaluation result = evaluate_sets(invocation.project_dir, *options);
    if (invocation.console.is_json()) {
      invocation.console.write_json(json_of(result));
    } else {
      say_evaluation(invocation.console, result);
    }
    return 0;
  };
}

struct ThresholdOptions {
  EvaluateSetsOptions sets;
  std::string metric = "f1";
  bool is_per_class = false;
  std::string output;
};

std::string thresholds_json(const SetEvaluation& result) {
  const Evaluation& evaluation = result.evaluation;
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("threshold", evaluation.best_f1.threshold).field("f1", evaluation.best_f1.counts.f1());
  json.key("per_class").begin_object();
  for (std::size_t i = 0; i < evaluation.per_class.size(); ++i) {
    const OperatingPoint& best = evaluation.per_class[i].best_f1;
    if (is_shown(evaluation.per_class[i])) {
      json.key(result.class_names[i]).begin_object().field("threshold", best.threshold).field("f1", best.counts.f1()).end_object();
    }
  }
  json.end_object().end_object();
  return out + "\n";
}

Action configure_threshold(CLI::App& app) {
  auto options = std::make_shared<ThresholdOptions>();
  add_set_options(app, options->sets);
  app.add_option("--metric", options->metric, "What the threshold maximises")->check(CLI::IsMember({"f1"}))->capture_default_str();
  app.add_flag("--per-class", options->is_per_class, "Show the table by class as well (JSON always has it)");
  app.add_option("--output", options->output, "Also write the answer to this file, for export --thresholds")->type_name("FILE");
  return [options](const Invocation& invocation) {
    if (!options->output.empty()) {
      check_output_file(std::filesystem::absolute(options->output), invocation.project_dir);
    }
    const SetEvaluation result = evaluate_sets(invocation.project_dir, options->sets);
    const Evaluation& evaluation = result.evaluation;
    const std::string document = thresholds_json(result);
    if (!options->output.empty()) {
      replace_file(options->output, document);
    }
    Console& console = invocation.console;
    console.write_json(document);
    say_coverage(console, result);
    const Counts& counts = evaluation.best_f1.counts;
    console.say(fmt::format("best F1 {} at threshold {} (precision {}, recall {})", number_text(counts.f1()),
                            number_text(evaluation.best_f1.threshold), number_text(counts.precision()),
                            number_text(counts.recall())));
    if (options->is_per_class) {
      Table table({"class", "truths", "threshold", "F1", "precision", "recall"});
      for (std::size_t i = 0; i < evaluation.per_class.size(); ++i) {
        const ClassEvaluation& of_class = evaluation.per_class[i];
        if (is_shown(of_class)) {
          const Counts& best = of_class.best_f1.counts;
          table.add({result.class_names[i], std::to_string(of_class.truths), number_text(of_class.best_f1.threshold),
                     number_text(best.f1()), number_text(best.precision()), number_text(best.recall())});
        }
      }
      console.say("\n" + table.text());
    }
    return 0;
  };
}

constexpr std::string_view kEvaluateExamples[] = {
    "verilabel evaluate --predictions auto --truth ground_truth",
    "verilabel evaluate --predictions auto --truth ground_truth --threshold 0.4 --where tag:night",
    "verilabel --json evaluate --predictions results.json --truth instances_val2017.json",
    "verilabel evaluate --predictions auto --truth ground_truth --protocol classification",
};
constexpr std::string_view kThresholdExamples[] = {
    "verilabel threshold --predictions auto --truth ground_truth --per-class",
    "verilabel threshold --predictions auto --truth ground_truth --output thresholds.json",
};

}  // namespace

const Command kEvaluateCommand{
    "evaluate",
    "Compare predictions with truth: COCO's twelve numbers, or accuracy of classes; precision, recall, F1",
    "SET is a label set of the project, or a COCO file when it contains / or ends in .json; files need no project.\n"
    "Evaluated are the samples that are labelled, or labelled empty, in the truth. Rejected labels count on neither side.",
    kEvaluateExamples,
    &configure_evaluate,
};

const Command kThresholdCommand{
    "threshold",
    "Recommend the confidence threshold of best F1, for all classes and for each",
    "This is one number for looking at results. For training a lower one is usually better (recall teaches), for accepting labels\n"
    "unseen a higher one: they are three different thresholds.",
    kThresholdExamples,
    &configure_threshold,
};

}  // namespace verilabel::cli
