#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/evaluate_text.h"
#include "verilabel/workflow/evaluate.h"
#include "verilabel/workflow/evaluation_document.h"
#include "verilabel/workflow/evaluation_report.h"
#include "verilabel/workflow/output_file.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::vector<std::string> scenarios;
  std::string report;
  bool has_details = false;
};

/// An evaluation that the project did not keep is a failure that is told.
int status_of(Console& console, const std::string& reason_not_kept) {
  if (reason_not_kept.empty()) {
    return 0;
  }
  console.note(fmt::format("the project does not keep this evaluation for views: {}", reason_not_kept));
  return 1;
}

Action configure_evaluate(CLI::App& app) {
  auto options = std::make_shared<EvaluateSetsOptions>();
  auto words = std::make_shared<Words>();
  add_set_options(app, *options);
  app.add_option("--threshold", options->threshold,
                 "Lowest confidence that counts in precision, recall and F1 (default: where F1 is best; of the protocol "
                 "classification every one: below it an image gets no class)");
  app.add_option("--name", options->name, "Key under which the project keeps the evaluation (default: latest); not with files")
      ->type_name("KEY");
  app.add_flag("--details", words->has_details,
               "Also how predictions go wrong: kinds of error and what they cost, confusions, calibration, curves, worst images");
  app.add_flag("--intervals", options->with_intervals,
               "Also how sure the numbers are, of boxes and masks those at --iou, in all and by class: 95 % intervals over images "
               "drawn anew");
  app.add_option("--report", words->report, "Write all of it, with pictures of the worst images, as one HTML page; or as .json")
      ->type_name("FILE");
  app.add_option("--scenario", words->scenarios,
                 "Numbers of a part of the data: a view, or NAME=VIEW; of label terms, those labels alone. May be given again")
      ->type_name("VIEW");
  app.add_option("--compare", options->compare, "Other predictions on the same truth: the difference in all and by class")
      ->type_name("SET");
  const CLI::Option* const resamples =
      app.add_option("--resamples", options->bootstrap.resamples,
                     "Bootstrap resamples behind --intervals and the intervals of scenarios and comparison")
          ->capture_default_str()
          ->check(CLI::Range(1, 100'000));
  return [options, words, resamples](const Invocation& invocation) {
    if (resamples->count() > 0 && !options->with_intervals && words->scenarios.empty() && options->compare.empty()) {
      throw Error(ErrorCode::wrong_use,
                  "--resamples is for --intervals, --scenario and --compare: give one of them, or leave it out");
    }
    for (const std::string& text : words->scenarios) {
      options->scenarios.push_back(scenario_from(text));
    }
    options->with_details = words->has_details || !words->report.empty();
    if (!words->report.empty()) {
      is_report_json(words->report);  // before the work, not after it
      check_output_file(std::filesystem::absolute(words->report), invocation.project_dir,
                        {options->predictions, options->truth, options->compare, options->hierarchy});
    }
    const auto say_report = [&] {
      if (!words->report.empty()) {
        invocation.console.note(fmt::format("the report is in {}", words->report));
      }
    };
    if (options->is_classification()) {
      const SetClassification result = evaluate_classes_of_sets(invocation.project_dir, *options);
      if (!words->report.empty()) {
        write_evaluation_report(words->report, result, *options);
      }
      if (invocation.console.is_json()) {
        invocation.console.write_json(classification_json(result, *options));
      } else {
        say_classification(invocation.console, result, *options, words->has_details);
      }
      note_names_alike(invocation.console, result.names_alike, options->truth_is_file());
      say_report();
      return status_of(invocation.console, result.reason_not_kept);
    }
    const SetEvaluation result = evaluate_sets(invocation.project_dir, *options);
    if (!words->report.empty()) {
      write_evaluation_report(words->report, result, *options);
    }
    if (invocation.console.is_json()) {
      invocation.console.write_json(evaluation_json(result, *options));
    } else {
      say_evaluation(invocation.console, result, *options, words->has_details);
    }
    note_names_alike(invocation.console, result.names_alike, options->truth_is_file());
    say_report();
    return status_of(invocation.console, result.reason_not_kept);
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel evaluate --predictions auto --truth ground_truth",
    "verilabel evaluate --predictions auto --truth ground_truth --threshold 0.4 --where tag:night --details",
    "verilabel evaluate --predictions auto --truth ground_truth --report report.html",
    "verilabel evaluate --predictions auto --truth ground_truth --intervals --resamples 1000",
    "verilabel evaluate --predictions auto --truth ground_truth --scenario small='area<1024' --scenario tag:night",
    "verilabel evaluate --predictions auto --truth ground_truth --compare auto_before",
    "verilabel --json evaluate --predictions results.json --truth instances_val2017.json",
    "verilabel evaluate --predictions auto --truth ground_truth --protocol classification --compare auto_before",
};

}  // namespace

const Command kEvaluateCommand{
    "evaluate",
    "Compare predictions with truth: COCO's twelve numbers, or accuracy of classes; precision, recall, F1",
    "SET is a label set of the project, or a COCO file when it contains / or ends in .json; files need no project.\n"
    "Evaluated are the samples that are labelled, or labelled empty, in the truth. Rejected labels count on neither side,\n"
    "predictions without confidence as ones of confidence 1.\n"
    "Equal confidences on different images rank by the ids that the images were imported with, as pycocotools sorts the ids of\n"
    "a file, where every evaluated image has one; else in the order in which the project got the images.\n"
    "small is an area of up to 32 x 32 pixels, medium of up to 96 x 96: of a truth as its file states it, of a predicted box\n"
    "its own, of a predicted mask its pixels. For a mask that pycocotools is given with a box it takes the area of the box;\n"
    "so does this comparison of two files. Its numbers are those of a project where it is given the masks alone.\n"
    "Classes of whole images: by classification each image is called by its best class, by multi_label by every class that\n"
    "reaches the threshold. Accuracy and top-k look at every confidence; exact match, precision, recall and F1 at the threshold.\n"
    "Of one class an image, precision is of the images that are called, recall of all truths; an image of several classes that "
    "its\n"
    "best class is one of counts as one of that class alone. Average precision is that of each class against all others, its mean\n"
    "over the classes with truths.\n"
    "The project keeps what is right and wrong, at the threshold, for views: outcome:fp, error:localization, -sort:fn; of no "
    "sample\n"
    "at all it keeps nothing, and what was there stays.",
    kExamples,
    &configure_evaluate,
};

}  // namespace verilabel::cli
