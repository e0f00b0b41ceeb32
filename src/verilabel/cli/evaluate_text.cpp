#include "verilabel/cli/evaluate_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/utf8.h"
#include "verilabel/cli/choice.h"
#include "verilabel/cli/text.h"

namespace verilabel::cli {
namespace {

constexpr Choices<IouType, 2> kIouTypes = {{{"box", IouType::box}, {"mask", IouType::mask}}};
constexpr std::size_t kConfusionsShown = 10;
constexpr std::size_t kWorstShown = 10;

/// Nothing of nothing.
void say_count(Console& console, std::int64_t count, std::string_view one, std::string_view many) {
  if (count > 0) {
    console.say("  " + counted(count, one, many));
  }
}

/// What boxes and classes of whole images have in common. `counting` truths count; `not_counting` says which do not.
void say_common_coverage(Console& console, const Coverage& coverage, std::int64_t counting, std::string_view not_counting) {
  const std::string those = counting != coverage.truths ? fmt::format(" ({} of them {}; {} do not)", counting,
                                                                      counting == 1 ? "counts" : "count", not_counting)
                                                        : "";
  console.say(fmt::format("{} evaluated, {}{}, {}", counted(coverage.samples, "sample"), counted(coverage.truths, "truth"), those,
                          counted(coverage.predictions, "prediction")));
  console.say(coverage.samples_reviewed == 0
                  ? "  none of the samples was verified by a person: the truth is as good as where it came from"
                  : fmt::format("  {} of the samples {} verified by a person", coverage.samples_reviewed,
                                coverage.samples_reviewed == 1 ? "was" : "were"));
  say_count(console, coverage.samples_without_truth, "sample is not labelled in the truth and is left out",
            "samples are not labelled in the truth and are left out");
  say_count(console, coverage.samples_not_predicted, "sample is not labelled in the predictions and counts as empty",
            "samples are not labelled in the predictions and count as empty");
  say_count(console, coverage.predictions_outside, "prediction on a sample without truth is left out",
            "predictions on samples without truth are left out");
  say_count(console, coverage.predictions_rejected, "prediction was rejected by a person and is left out",
            "predictions were rejected by a person and are left out");
  say_count(console, coverage.truths_rejected, "truth was rejected by a person and is left out",
            "truths were rejected by a person and are left out");
  say_count(console, coverage.predictions_without_score, "prediction has no confidence and counts as 1",
            "predictions have no confidence and count as 1");
  say_count(console, coverage.imports_cut_off,
            "import into these sets was cut off, so that labels may be missing: repeat it (verilabel imports)",
            "imports into these sets were cut off, so that labels may be missing: repeat them (verilabel imports)");
  say_count(console, coverage.labels_of_cut_off_imports, "of the labels compared is from an import that was cut off",
            "of the labels compared are from imports that were cut off");
}

/// What an error of the kind is, and so what can be done about it.
std::string_view meaning_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::classification:
      return "well placed, wrong class";
    case ErrorKind::localization:
      return "right class, badly placed";
    case ErrorKind::both:
      return "wrong class and badly placed";
    case ErrorKind::duplicate:
      return "another prediction has the truth already";
    case ErrorKind::background:
      return "nothing is there";
    case ErrorKind::missed:
      return "a truth that nothing comes near";
    case ErrorKind::none:
      break;
  }
  return "";
}

void say_errors(Console& console, const EvaluationDetails& details, const EvaluateSetsOptions& options) {
  Table table({"error", "wrong predictions", "lost truths", fmt::format("{} cost", options.ap_name()), "meaning"});
  for (std::size_t i = 1; i < kErrorKinds; ++i) {
    const auto kind = static_cast<ErrorKind>(i);
    table.add({std::string(name_of(kind)), std::to_string(details.error_counts[i].predictions),
               std::to_string(details.error_counts[i].truths),
               number_text(details.errors.ap ? std::optional(details.errors.costs[i].ap) : std::nullopt),
               std::string(meaning_of(kind))});
  }
  console.say(
      fmt::format("\nErrors: counts at threshold {}; costs, over predictions of every score, are what {} (now {}) would gain "
                  "without them:\n",
                  number_text(details.threshold), options.ap_name(), number_text(details.errors.ap)) +
      table.text());
}

void say_confusions(Console& console, const ConfusionMatrix& matrix, const std::vector<std::string>& class_names) {
  std::vector<std::tuple<std::int64_t, std::size_t, std::size_t>> pairs;
  for (std::size_t truth = 0; truth < matrix.classes(); ++truth) {
    for (std::size_t predicted = 0; predicted < matrix.classes(); ++predicted) {
      if (truth != predicted && matrix.at(truth, predicted) > 0) {
        pairs.emplace_back(-matrix.at(truth, predicted), truth, predicted);
      }
    }
  }
  std::ranges::sort(pairs);
  if (pairs.empty()) {
    console.say("\nNo truth is taken for another class.");
    return;
  }
  Table table({"truth", "taken for", "times"});
  for (std::size_t i = 0; i < std::min(pairs.size(), kConfusionsShown); ++i) {
    const auto& [count, truth, predicted] = pairs[i];
    table.add({printable(class_names[truth]), printable(class_names[predicted]), std::to_string(-count)});
  }
  console.say("\nTaken for another class, of the truths and predictions that count:\n" + table.text());
}

void say_calibration(Console& console, const Calibration& calibration) {
  console.say(fmt::format("\nScores are {} off on average from how often they are right (expected calibration error), {} at most",
                          number_text(calibration.expected_error), number_text(calibration.greatest_error)));
}

void say_worst(Console& console, const std::vector<JudgedImage>& worst) {
  if (worst.empty()) {
    return;
  }
  Table table({"image", "tp", "fp", "fn", "F1"});
  for (std::size_t i = 0; i < std::min(worst.size(), kWorstShown); ++i) {
    const JudgedImage& image = worst[i];
    table.add({image.name.empty() ? std::to_string(image.id) : printable(image.name), std::to_string(image.counts.true_positives),
               std::to_string(image.counts.false_positives), std::to_string(image.counts.false_negatives),
               number_text(image.counts.f1())});
  }
  console.say("\nMost errors:\n" + table.text());
}

/// Classes that occur at all; the others have nothing to show.
template <typename OfClass>
bool is_shown(const OfClass& of_class) {
  return of_class.truths > 0 || of_class.predictions > 0;
}

/// As a heading of a table has it.
std::string spaced(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '_', ' ');
  return text;
}

/// What average precision is called in text.
std::string ap_text(const EvaluateSetsOptions& options) {
  return options.is_classification() ? spaced(options.ap_name()) : options.ap_name();
}

/// What is told of all classes together only.
constexpr std::array<std::string_view, 6> kShareNames = {"accuracy", "exact match", "top-2", "top-3", "top-4", "top-5"};
template <typename Number>
constexpr std::array<Number PointNumbers<Number>::*, 6> kShares = {
    &PointNumbers<Number>::accuracy, &PointNumbers<Number>::exact_match, &PointNumbers<Number>::top_2,
    &PointNumbers<Number>::top_3,    &PointNumbers<Number>::top_4,       &PointNumbers<Number>::top_5};

/// `per_class` has how often each class occurs, the result's are those of the evaluation.
template <typename OfClass>
void say_intervals(Console& console, const EvaluationIntervals& of_evaluation, const std::vector<OfClass>& per_class,
                   const std::vector<std::string>& class_names, const std::optional<double>& threshold,
                   const EvaluateSetsOptions& options) {
  const auto& [metrics, intervals] = of_evaluation;
  std::vector<std::string> header = {"class", "truths", ap_text(options), "precision", "recall", "F1"};
  if (options.is_classification()) {
    header.emplace_back("ROC AUC");
  }
  Table table(header);
  const auto add = [&](std::string name, std::int64_t truths, const PointMetrics& numbers, const PointMetricIntervals& of_numbers) {
    std::vector<std::string> row = {std::move(name),
                                    std::to_string(truths),
                                    number_text(numbers.ap, of_numbers.ap),
                                    number_text(numbers.precision, of_numbers.precision),
                                    number_text(numbers.recall, of_numbers.recall),
                                    number_text(numbers.f1, of_numbers.f1)};
    if (options.is_classification()) {
      row.push_back(number_text(numbers.roc_auc, of_numbers.roc_auc));
    }
    table.add(std::move(row));
  };
  std::int64_t all_truths = 0;
  for (const OfClass& of_class : per_class) {
    all_truths += of_class.truths;
  }
  add("(all)", all_truths, metrics.overall, intervals.overall);
  for (std::size_t k = 0; k < class_names.size(); ++k) {
    if (is_shown(per_class[k])) {
      add(printable(class_names[k]), per_class[k].truths, metrics.per_class[k], intervals.per_class[k]);
    }
  }
  console.say(fmt::format("\n{:g} % intervals from {} of the images, precision to F1 at threshold {}:\n",
                          100 * options.bootstrap.confidence, counted(options.bootstrap.resamples, "draw"),
                          number_text(threshold)) +
              table.text());
  if (options.is_classification()) {
    for (std::size_t i = 0; i < kShareNames.size(); ++i) {
      console.say(fmt::format(
          "{} {}", kShareNames[i],
          number_text(metrics.overall.*kShares<std::optional<double>>[i], intervals.overall.*kShares<std::optional<Interval>>[i])));
    }
  }
}

void say_scenarios(Console& console, const std::vector<ScenarioEvaluation>& scenarios, const EvaluateSetsOptions& options) {
  const bool is_coco = protocol_from(options.protocol) == Protocol::coco;
  std::vector<std::string> header = {"scenario", "samples", "truths", "predictions"};
  if (is_coco) {
    header.emplace_back("mAP");
  }
  if (options.is_classification()) {
    header.insert(header.end(), {"accuracy", "exact match", "ROC AUC"});
  }
  header.insert(header.end(), {ap_text(options), "precision", "recall", "F1"});
  Table table(header);
  for (const ScenarioEvaluation& one : scenarios) {
    std::vector<std::string> row = {printable(one.scenario.name), std::to_string(one.samples), std::to_string(one.truths),
                                    std::to_string(one.predictions)};
    if (is_coco) {
      row.push_back(number_text(one.map));
    }
    if (options.is_classification()) {
      row.push_back(number_text(one.metrics.accuracy, one.intervals.accuracy));
      row.push_back(number_text(one.metrics.exact_match, one.intervals.exact_match));
      row.push_back(number_text(one.metrics.roc_auc, one.intervals.roc_auc));
    }
    row.push_back(number_text(one.metrics.ap, one.intervals.ap));
    row.push_back(number_text(one.metrics.precision, one.intervals.precision));
    row.push_back(number_text(one.metrics.recall, one.intervals.recall));
    row.push_back(number_text(one.metrics.f1, one.intervals.f1));
    table.add(std::move(row));
  }
  console.say("\n" + table.text());
  for (const ScenarioEvaluation& one : scenarios) {
    if ((one.truths == 0) != (one.predictions == 0)) {
      console.say(fmt::format("  {} selects {} only: nothing can be compared", printable(one.scenario.name),
                              one.truths == 0 ? "predictions" : "truths"));
    }
  }
}

template <typename OfClass>
void say_comparison(Console& console, const SetComparison& comparison, std::string_view own_name,
                    const std::vector<OfClass>& per_class, const std::vector<std::string>& class_names,
                    const std::optional<double>& threshold, const EvaluateSetsOptions& options) {
  const std::string ap_name = ap_text(options);
  const auto& [overall, of_classes] = comparison.numbers;
  Table table({"metric", options.predictions, comparison.other_predictions, "difference"});
  const auto difference_of = [](const ComparedNumber& number) {
    return number.first && number.other ? std::optional(*number.first - *number.other) : std::nullopt;
  };
  const auto add = [&](std::string name, const ComparedNumber& number) {
    table.add({std::move(name), number_text(number.first), number_text(number.other),
               number_text(difference_of(number), number.difference)});
  };
  if (comparison.own) {
    add(std::string(own_name), *comparison.own);
  }
  if (options.is_classification()) {
    for (std::size_t i = 0; i < kShareNames.size(); ++i) {
      add(std::string(kShareNames[i]), overall.*kShares<ComparedNumber>[i]);
    }
    add("ROC AUC", overall.roc_auc);
  }
  add(ap_name, overall.ap);
  add("precision", overall.precision);
  add("recall", overall.recall);
  add("F1", overall.f1);
  console.say("\n" + table.text());
  console.say(fmt::format("precision, recall and F1 of each side are at its own threshold: {} and {}", number_text(threshold),
                          number_text(comparison.other_threshold)));
  if (comparison.own) {
    console.say(fmt::format("{} has no interval: on images drawn anew only numbers at the one IoU are counted again", own_name));
  }
  std::vector<std::string> header = {"class"};
  if (comparison.own) {
    header.insert(header.end(), {"AP", "other AP", "difference"});
  }
  header.insert(header.end(), {ap_name, "other " + ap_name, "difference", "F1", "other F1", "difference"});
  Table classes(header);
  for (std::size_t k = 0; k < of_classes.size(); ++k) {
    if (is_shown(per_class[k])) {
      std::vector<std::string> row = {printable(class_names[k])};
      const auto add_number = [&](const ComparedNumber& number) {
        row.insert(row.end(),
                   {number_text(number.first), number_text(number.other), number_text(difference_of(number), number.difference)});
      };
      if (comparison.own) {
        add_number(comparison.own_ap_per_class[k]);
      }
      add_number(of_classes[k].ap);
      add_number(of_classes[k].f1);
      classes.add(std::move(row));
    }
  }
  console.say("\n" + classes.text());
}

}  // namespace

std::string number_text(const std::optional<double>& number, const std::optional<Interval>& interval) {
  return interval ? fmt::format("{} ({:.4f} to {:.4f})", number_text(number), interval->low, interval->high) : number_text(number);
}

void add_set_options(CLI::App& app, EvaluateSetsOptions& options) {
  app.add_option("--predictions", options.predictions, "The label set (or COCO file) that is judged")->required()->type_name("SET");
  app.add_option("--truth", options.truth, "The label set (or COCO file) that it is judged by")->required()->type_name("SET");
  app.add_option(
         "--protocol", options.protocol,
         fmt::format("The rules of the comparison: {}. Precision, recall and F1 are told by COCO's matching at --iou over the "
                     "best 100 predictions of a class on an image, of lvis 300, of open_images 10000, of voc all",
                     fmt::join(protocol_names(), ", ")))
      ->capture_default_str()
      ->type_name("NAME");
  app.add_option("--hierarchy", options.hierarchy, "Of the protocol open_images: its file of classes above each other")
      ->type_name("FILE");
  add_choice(app, "--iou-type", options.iou_type, kIouTypes, "Compare boxes or masks; not of classes of whole images")
      ->default_str(std::string(kIouTypes.front().first));
  app.add_option("--iou", options.iou, "Least overlap of a hit, for precision, recall and F1; not of classes of whole images")
      ->default_str(fmt::format("{}", EvaluateSetsOptions::kDefaultIou));
  app.add_option("--where", options.where, "Only these samples (a view of sample terms)")->type_name("VIEW");
}

void note_names_alike(Console& console, const std::vector<NamesAlike>& names_alike, bool are_files) {
  constexpr std::size_t most_shown = 5;
  if (names_alike.empty()) {
    return;
  }
  std::string pairs;
  for (std::size_t i = 0; i < std::min(names_alike.size(), most_shown); ++i) {
    pairs += fmt::format("{}'{}' of the truth and '{}' of the predictions", i == 0 ? "" : "; ", printable(names_alike[i].in_truth),
                         printable(names_alike[i].in_predictions));
  }
  console.note(
      fmt::format("names of classes differ in case, spaces, hyphens or underscores only, so that none of these is found: {}{}; "
                  "where they mean the same, {}",
                  pairs, names_alike.size() > most_shown ? "; …" : "",
                  are_files ? "give both files one category for it"
                            : "import one of the two sets again with one name, by import --classes-map"));
}

void say_coverage(Console& console, const SetEvaluation& result) {
  const Coverage& coverage = result.coverage;
  say_common_coverage(console, coverage, result.truths_counted(), "crowds, difficult and ignored ones");
  say_count(console, coverage.labels_of_other_kinds, "label without a box is left out", "labels without a box are left out");
  say_count(console, result.numbers.left_out.empty() ? result.evaluation.predictions_beyond_limit : 0,
            "prediction is beyond the 100 best of its class on its image and does not count",
            "predictions are beyond the 100 best of their class on their image and do not count");
  for (const auto& [name, count] : result.numbers.left_out) {
    std::string many(name);  // predictions_…
    std::ranges::replace(many, '_', ' ');
    std::string one = many;
    one.erase(one.find("s "), 1);
    say_count(console, count, one + " is left out", many + " are left out");
  }
  say_count(console, result.classes_of_shared_name, "class shares its name with another and is shown with the id of its category",
            "classes share their name with another and are shown with the id of their category");
  say_count(console, result.predictions_of_unknown_images, "prediction names an image that the truth does not list and is left out",
            "predictions name images that the truth does not list and are left out");
  say_count(console, result.predictions_of_unknown_classes, "prediction names a class that the truth does not list and is left out",
            "predictions name classes that the truth does not list and are left out");
}

void say_coverage(Console& console, const SetClassification& classification) {
  const Coverage& coverage = classification.coverage;
  say_common_coverage(console, coverage, classification.truths_counted(),
                      "repeated ones, and further classes of an image that is called by one,");
  say_count(console, classification.result.truths_repeated, "truth repeats another of its image and counts once",
            "truths repeat another of their image and count once");
  say_count(console, classification.result.predictions_repeated, "prediction is of a class that its image has with a better one",
            "predictions are of a class that their image has with a better one");
  say_count(console, classification.result.predictions_not_best,
            "prediction is not the best of its image: it counts in top-k and areas under curves only",
            "predictions are not the best of their image: they count in top-k and areas under curves only");
  say_count(console, coverage.samples_without_class, "sample has no class of the whole image in the truth and is left out",
            "samples have no class of the whole image in the truth and are left out");
  say_count(console, coverage.labels_of_other_kinds, "label with a box is left out", "labels with a box are left out");
  say_count(console, coverage.labels_of_absence, "label says that its class is absent and is left out",
            "labels say that their class is absent and are left out");
}

void say_classification(Console& console, const SetClassification& classification, const EvaluateSetsOptions& options,
                        bool has_details) {
  const ClassificationResult& result = classification.result;
  const std::optional<double>& threshold = result.at_threshold.threshold;
  say_coverage(console, classification);
  say_count(console, result.images_without_prediction, "sample is not called anything", "samples are not called anything");
  Table numbers({"metric", "value"});
  numbers.add({"accuracy", number_text(result.accuracy())});
  numbers.add({"exact match", number_text(result.exact_match())});
  for (std::size_t k = 2; k <= ClassificationResult::kLargestK; ++k) {
    numbers.add({fmt::format("top-{}", k), number_text(result.top_k(k))});
  }
  console.say("\n" + numbers.text());
  console.say(threshold ? fmt::format("precision, recall, F1 and exact match at threshold {}", number_text(threshold))
                        : "precision, recall, F1 and exact match over every confidence");
  Table averages({"mean over classes", "precision", "recall", "F1", "ROC AUC", "average precision"});
  const auto add_average = [&](std::string name, const ClassificationAverage& average) {
    averages.add({std::move(name), number_text(average.precision), number_text(average.recall), number_text(average.f1),
                  number_text(average.roc_auc), number_text(average.average_precision)});
  };
  add_average("micro", result.micro);
  add_average("macro", result.macro);
  add_average("weighted", result.weighted);
  console.say("\n" + averages.text());
  Table classes(
      {"class", "truths", "predictions", "precision", "recall", "F1", "ROC AUC", "average precision", "best threshold", "best F1"});
  for (std::size_t i = 0; i < result.per_class.size(); ++i) {
    const ClassificationOfClass& of_class = result.per_class[i];
    if (is_shown(of_class)) {
      classes.add({printable(classification.class_names[i]), std::to_string(of_class.truths), std::to_string(of_class.predictions),
                   number_text(of_class.counts.precision()), number_text(of_class.counts.recall()),
                   number_text(of_class.counts.f1()), number_text(of_class.roc_auc), number_text(of_class.average_precision),
                   number_text(of_class.best_f1.threshold), number_text(of_class.best_f1.counts.f1())});
    }
  }
  console.say("\n" + classes.text());
  if (classification.intervals) {
    say_intervals(console, *classification.intervals, result.per_class, classification.class_names, threshold, options);
  }
  if (has_details && classification.details) {
    say_confusions(console, classification.details->confusion, classification.class_names);
    say_calibration(console, classification.details->calibration);
    say_worst(console, classification.worst);
  }
  if (!classification.scenarios.empty()) {
    say_scenarios(console, classification.scenarios, options);
  }
  if (classification.comparison) {
    say_comparison(console, *classification.comparison, "", result.per_class, classification.class_names, threshold, options);
  }
}

void say_evaluation(Console& console, const SetEvaluation& result, const EvaluateSetsOptions& options, bool has_details) {
  const Evaluation& evaluation = result.evaluation;
  say_coverage(console, result);
  Table numbers({"metric", "value"});
  for (const auto& [name, value] : result.numbers.metrics) {
    numbers.add({std::string(name), number_text(value)});
  }
  console.say("\n" + numbers.text());
  const Counts& counts = evaluation.at_threshold.counts;
  console.say(fmt::format("precision {}, recall {}, F1 {} at threshold {}", number_text(counts.precision()),
                          number_text(counts.recall()), number_text(counts.f1()), number_text(evaluation.at_threshold.threshold)));
  const bool has_parts = result.intervals || has_details || !result.scenarios.empty() || result.comparison;
  if (const std::string ap_name = options.ap_name(); has_parts && ap_name.starts_with("coco")) {
    console.say(
        fmt::format("{} below is COCO's average precision at IoU {}, by the matching that precision, recall and F1 follow; the "
                    "other average precisions are those of {}",
                    ap_name, options.least_iou(), options.protocol));
  }
  const std::vector<std::optional<double>>& ap_50_per_class = result.numbers.ap_50_per_class;
  std::vector<std::string> header = {"class",  "truths", "predictions",    "AP",     "precision",
                                     "recall", "F1",     "best threshold", "best F1"};
  if (!ap_50_per_class.empty()) {
    header.insert(header.begin() + 4, "AP_50");
  }
  Table classes(header);
  for (std::size_t i = 0; i < evaluation.per_class.size(); ++i) {
    const ClassEvaluation& of_class = evaluation.per_class[i];
    if (is_shown(of_class)) {
      const Counts& at = of_class.at_threshold.counts;
      std::vector<std::string> row = {printable(result.class_names[i]), std::to_string(of_class.truths),
                                      std::to_string(of_class.predictions), number_text(result.numbers.ap_per_class[i])};
      if (!ap_50_per_class.empty()) {
        row.push_back(number_text(ap_50_per_class[i]));
      }
      for (const std::optional<double>& number :
           {at.precision(), at.recall(), at.f1(), of_class.best_f1.threshold, of_class.best_f1.counts.f1()}) {
        row.push_back(number_text(number));
      }
      classes.add(std::move(row));
    }
  }
  console.say("\n" + classes.text());
  if (result.intervals) {
    say_intervals(console, *result.intervals, evaluation.per_class, result.class_names, evaluation.at_threshold.threshold, options);
  }
  if (has_details && result.details) {
    say_errors(console, *result.details, options);
    say_confusions(console, result.details->confusion, result.class_names);
    say_calibration(console, result.details->calibration);
    say_worst(console, result.worst);
  }
  if (!result.scenarios.empty()) {
    say_scenarios(console, result.scenarios, options);
  }
  if (result.comparison) {
    say_comparison(console, *result.comparison, result.numbers.metrics.front().first, evaluation.per_class, result.class_names,
                   evaluation.at_threshold.threshold, options);
  }
}

}  // namespace verilabel::cli
