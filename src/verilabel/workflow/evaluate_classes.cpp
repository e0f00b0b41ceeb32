#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/evaluate/subset.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/evaluate.h"
#include "verilabel/workflow/judged.h"
#include "verilabel/workflow/project_sets.h"

namespace verilabel {
namespace {

std::string json_from(const EvaluateSetsOptions& options, const ClassificationResult& result) {
  const Counts& counts = result.at_threshold.counts;
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("protocol", options.protocol).field("where", options.where);
  json.field("threshold", result.at_threshold.threshold);
  json.field("accuracy", result.accuracy()).field("exact_match", result.exact_match());
  for (std::size_t k = 1; k <= ClassificationResult::kLargestK; ++k) {
    json.field(fmt::format("top_{}", k), result.top_k(k));
  }
  json.field("precision", counts.precision()).field("recall", counts.recall()).field("f1", counts.f1()).end_object();
  return out;
}

bool is_multi_label(const EvaluateSetsOptions& options) {
  return protocol_from(options.protocol) == Protocol::multi_label;
}

void validate_for_classes(const EvaluateSetsOptions& options) {
  options.validate();
  if (!options.is_classification()) {
    throw Error(ErrorCode::wrong_use, "classes of whole images are compared by the protocols classification and multi_label");
  }
  if (options.truth_is_file()) {
    throw Error(ErrorCode::wrong_use, "a COCO file holds no classes of whole images: import the labels into two sets");
  }
}

/// One set of predictions beside the truth.
struct ClassesOfProject {
  ColumnsInput built;
  ClassificationResult result;

  ResampledMetrics metrics() const { return {built.input, result.of_every_score, result.at_threshold.threshold, result.of_images}; }
};

ClassesOfProject classes_of(const Project& project, const Columns& columns, const std::string& predictions,
                            const EvaluateSetsOptions& options, std::span<const std::uint32_t> sample_rows) {
  ClassesOfProject classes;
  classes.built = build_classification_from(columns, set_index(project, columns, predictions),
                                            set_index(project, columns, options.truth), sample_rows, is_multi_label(options));
  count_cut_off_imports(project, columns, {predictions, options.truth}, classes.built, classes.built.coverage);
  classes.result =
      evaluate_classification(classes.built.input, {.is_multi_label = is_multi_label(options), .threshold = options.threshold});
  return classes;
}

ScenarioEvaluation evaluate_scenario(const ScenarioPart& part, const ClassesOfProject& classes,
                                     const EvaluateSetsOptions& options) {
  ScenarioEvaluation scenario = part.counted;
  if (!part.has_both_sides()) {
    return scenario;
  }
  const std::optional<double>& threshold = classes.result.at_threshold.threshold;
  const auto measure = [&](const ResampledMetrics& metrics) {
    scenario.metrics = metrics.once().overall;
    scenario.intervals = bootstrap_metrics(metrics, options.bootstrap);
  };
  if (part.is_of_samples) {
    const ClassificationInput images = images_of(classes.built.input, part.images);
    const ClassificationResult result = evaluate_classification(
        images,
        {.is_multi_label = is_multi_label(options), .threshold = threshold.value_or(-std::numeric_limits<double>::infinity())});
    measure({images, result.of_every_score, threshold, result.of_images});
  } else {
    const ClassificationOutcomes labels = labels_of(classes.result.of_every_score, part.truths, part.predictions);
    measure({classes.built.input, labels, threshold, {}});
  }
  return scenario;
}

SetClassification named(const ClassesOfProject& classes) {
  SetClassification classification;
  classification.result = classes.result;
  classification.class_names = classes.built.input.classes.name;
  classification.names_alike = names_alike(classes.built.input);
  classification.coverage = classes.built.coverage;
  return classification;
}

}  // namespace

std::int64_t SetClassification::truths_counted() const {
  const Counts& counts = result.at_threshold.counts;
  return counts.true_positives + counts.false_negatives;
}

JudgedClasses judge_classes_of_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options) {
  validate_for_classes(options);
  const Project project = Project::open(project_dir, Project::Access::read_only);
  const ReadScope one_moment(project);
  const View view = view_of_samples(project, options);
  const Columns columns = project.columns_for(view);
  ClassesOfProject classes = classes_of(project, columns, options.predictions, options, select_samples(view, columns));
  SetClassification result = named(classes);
  return {std::move(classes.built.input), std::move(result)};
}

SetClassification evaluate_classes_of_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options) {
  validate_for_classes(options);
  const Project project = Project::open(project_dir, Project::Access::read_only);
  const ReadScope one_moment(project);
  const View view = view_of_samples(project, options);
  Columns columns = project.columns_for(view);
  const std::vector<std::uint32_t> sample_rows = select_samples(view, columns);
  const ClassesOfProject classes = classes_of(project, columns, options.predictions, options, sample_rows);
  const ClassificationInput& input = classes.built.input;
  SetClassification classification = named(classes);
  if (options.with_intervals) {
    const ResampledMetrics metrics = classes.metrics();
    classification.intervals = {metrics.once(), bootstrap_metrics_by_class(metrics, options.bootstrap)};
  }
  for (const Scenario& scenario : options.scenarios) {
    const ScenarioPart part = part_of(project, columns, scenario, classes.built);
    classification.scenarios.push_back(evaluate_scenario(part, classes, options));
  }
  if (!options.compare.empty()) {
    const ClassesOfProject other = classes_of(project, columns, options.compare, options, sample_rows);
    SetComparison& comparison = classification.comparison.emplace();
    comparison.other_predictions = options.compare;
    comparison.other_threshold = other.result.at_threshold.threshold;
    comparison.numbers = compared_numbers(classes.metrics(), other.metrics(), options.bootstrap);
  }
  if (options.with_details) {
    classification.details = classification_details(input, classes.result, is_multi_label(options));
    classification.worst = worst_images(input, classes.result.outcomes, {});
    name_images(project, classification.worst);
  }
  StoredEvaluation stored{options.key(), options.predictions, options.truth, json_from(options, classes.result), {}, {}};
  add_outcomes(columns, classes.built, classes.result.outcomes, {}, stored);
  classification.reason_not_kept = keep(project_dir, stored);
  return classification;
}

}  // namespace verilabel
