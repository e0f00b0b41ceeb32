#include "verilabel/workflow/evaluate.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/dataset/view.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/evaluate_files.h"
#include "verilabel/workflow/set_name.h"

namespace verilabel {
namespace {

std::int32_t set_index(const Project& project, const Columns& columns, const std::string& name) {
  const auto index = columns.set_index(name);
  if (!index) {
    throw Error(ErrorCode::wrong_use, fmt::format("there is no label set '{}'; a file is meant by a name with / or .json", name),
                {{"sets", project.set_names()}});
  }
  return *index;
}

/// The masks of `label_rows`, in their order, on the pixels of their images.
std::vector<Rle> masks_of(const Project& project, const Columns& columns, std::int32_t set,
                          const std::vector<std::uint32_t>& label_rows) {
  const SetId set_id{columns.sets[static_cast<std::size_t>(set)].id};
  std::unordered_map<std::int64_t, std::vector<StoredLabel>> labels_of_sample;
  std::vector<Rle> masks;
  for (const std::uint32_t row : label_rows) {
    const auto sample_row = static_cast<std::size_t>(columns.labels.sample[row]);
    const SampleId sample{columns.samples.id[sample_row]};
    auto [labels, is_new] = labels_of_sample.try_emplace(sample.value);
    if (is_new) {
      labels->second = project.labels_of(sample, set_id);
    }
    const auto stored =
        std::ranges::find(labels->second, columns.labels.id[row], [](const StoredLabel& label) { return label.id.value; });
    if (!stored->label.mask) {
      throw Error(ErrorCode::wrong_use, "comparing masks needs a mask on every label; this one is a box",
                  {{"label", std::to_string(stored->id.value)}, {"sample", std::string(columns.samples.name[sample_row])}});
    }
    masks.push_back(rasterised(*stored->label.mask, static_cast<std::uint32_t>(columns.samples.height[sample_row]),
                               static_cast<std::uint32_t>(columns.samples.width[sample_row])));
  }
  return masks;
}

void add_outcomes(const Columns& columns, const std::vector<std::uint32_t>& rows, const std::vector<std::uint32_t>& partner_rows,
                  const std::vector<LabelOutcome>& outcomes, std::vector<StoredOutcome>& stored) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const LabelOutcome& outcome = outcomes[i];
    const LabelId partner = outcome.partner == kNoPartner ? LabelId{} : LabelId{columns.labels.id[partner_rows[outcome.partner]]};
    stored.push_back({{columns.labels.id[rows[i]]}, static_cast<int>(outcome.outcome), partner, outcome.iou});
  }
}

std::string json_from(const EvaluateSetsOptions& options, const Evaluation& evaluation) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("protocol", options.protocol).field("iou_type", options.iou_type == IouType::mask ? "mask" : "box");
  json.field("iou", options.iou).field("where", options.where).field("threshold", evaluation.at_threshold.threshold);
  for (const auto& [name, value] : evaluation.coco.named()) {
    json.field(name, value);
  }
  json.end_object();
  return out;
}

View view_of_samples(const Project& project, const EvaluateSetsOptions& options) {
  View view = View::parse(options.where, project.saved_views());
  if (!view.has_only_sample_terms()) {
    throw Error(ErrorCode::wrong_use,
                "--where of an evaluation chooses samples: use terms about samples only (tag, path, width, count(…), …)");
  }
  return view;
}

std::string json_from(const EvaluateSetsOptions& options, const ClassificationResult& classification) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("protocol", options.protocol).field("where", options.where);
  json.field("accuracy", classification.accuracy());
  for (std::size_t k = 1; k <= ClassificationResult::kLargestK; ++k) {
    json.field(fmt::format("top_{}", k), classification.top_k(k));
  }
  json.end_object();
  return out;
}

SetEvaluation evaluate_project(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options) {
  Project project = Project::open(project_dir);
  const View view = view_of_samples(project, options);
  const Columns columns = project.columns();
  const std::int32_t predictions = set_index(project, columns, options.predictions);
  const std::int32_t truth = set_index(project, columns, options.truth);
  ColumnsInput built = build_from(columns, predictions, truth, select_samples(view, columns));
  if (options.iou_type == IouType::mask) {
    built.input.truths.mask = masks_of(project, columns, truth, built.truth_label);
    built.input.predictions.mask = masks_of(project, columns, predictions, built.prediction_label);
    for (const Rle& mask : built.input.predictions.mask) {
      built.input.predictions.area_px.push_back(static_cast<double>(area(mask)));
    }
  }
  SetEvaluation result;
  result.evaluation = evaluate(built.input, {options.iou_type, options.iou, options.threshold});
  result.coverage = built.coverage;
  for (const NamedId& row : columns.classes) {
    result.class_names.push_back(row.name);
  }
  std::vector<StoredOutcome> outcomes;
  add_outcomes(columns, built.prediction_label, built.truth_label, result.evaluation.outcomes.predictions, outcomes);
  add_outcomes(columns, built.truth_label, built.prediction_label, result.evaluation.outcomes.truths, outcomes);
  project.save_evaluation(options.name, options.predictions, options.truth, json_from(options, result.evaluation), outcomes);
  return result;
}

}  // namespace

bool EvaluateSetsOptions::predictions_are_file() const {
  return means_file(predictions);
}
bool EvaluateSetsOptions::truth_is_file() const {
  return means_file(truth);
}

void EvaluateSetsOptions::validate() const {
  if (protocol != "coco" && !is_classification()) {
    throw Error(ErrorCode::wrong_use, fmt::format("there is no protocol '{}'", protocol), {{"protocols", "coco, classification"}});
  }
  if (predictions_are_file() != truth_is_file()) {
    throw Error(ErrorCode::wrong_use,
                "a file and a label set cannot be compared: import the file into a set first, or give two files");
  }
  if (truth_is_file() && !where.empty()) {
    throw Error(ErrorCode::wrong_use, "--where needs a project: files have no samples to choose from");
  }
  if (!truth_is_file() && predictions == truth) {
    throw Error(ErrorCode::wrong_use, "a set compared with itself is always right: give two sets");
  }
}

SetEvaluation evaluate_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options) {
  options.validate();
  if (options.is_classification()) {
    throw Error(ErrorCode::wrong_use,
                "classes of whole images have no overlaps and no threshold of best F1: use the protocol coco");
  }
  return options.truth_is_file() ? evaluate_files(options) : evaluate_project(project_dir, options);
}

SetClassification evaluate_classes_of_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options) {
  options.validate();
  if (!options.is_classification()) {
    throw Error(ErrorCode::wrong_use, "classes of whole images are compared by the protocol classification");
  }
  if (options.truth_is_file()) {
    throw Error(ErrorCode::wrong_use, "a COCO file holds no classes of whole images: import the labels into two sets");
  }
  if (options.iou_type == IouType::mask || options.threshold) {
    throw Error(ErrorCode::wrong_use,
                "the protocol classification takes neither an IoU type nor a threshold: the best class counts");
  }
  Project project = Project::open(project_dir);
  const View view = view_of_samples(project, options);
  const Columns columns = project.columns();
  const std::int32_t predictions = set_index(project, columns, options.predictions);
  const std::int32_t truth = set_index(project, columns, options.truth);
  const ClassificationColumnsInput built = build_classification_from(columns, predictions, truth, select_samples(view, columns));
  SetClassification classification;
  classification.result = evaluate_classification(built.input);
  classification.coverage = built.coverage;
  for (const NamedId& row : columns.classes) {
    classification.class_names.push_back(row.name);
  }
  std::vector<StoredOutcome> outcomes;
  add_outcomes(columns, built.prediction_label, built.truth_label, classification.result.outcomes.predictions, outcomes);
  add_outcomes(columns, built.truth_label, built.prediction_label, classification.result.outcomes.truths, outcomes);
  project.save_evaluation(options.name, options.predictions, options.truth, json_from(options, classification.result), outcomes);
  return classification;
}

}  // namespace verilabel
