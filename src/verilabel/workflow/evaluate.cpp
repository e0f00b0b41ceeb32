#include "verilabel/workflow/evaluate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <compare>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/dataset/property_rows.h"
#include "verilabel/evaluate/subset.h"
#include "verilabel/formats/import.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/evaluate_files.h"
#include "verilabel/workflow/judged.h"
#include "verilabel/workflow/project_sets.h"
#include "verilabel/workflow/set_name.h"

namespace verilabel {
namespace {

/// The masks of `label_rows`, in their order, on the pixels of their images.
RleColumn masks_of(const Project& project, const Columns& columns, std::int32_t set, const std::vector<std::uint32_t>& label_rows) {
  const SetId set_id{columns.sets[static_cast<std::size_t>(set)].id};
  std::unordered_map<std::int64_t, std::vector<StoredLabel>> labels_of_sample;
  RleColumn masks;
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

std::string json_from(const EvaluateSetsOptions& options, const SetEvaluation& result) {
  const Evaluation& evaluation = result.evaluation;
  std::string out;
  JsonWriter json(out);
  json.begin_object()
      .field("protocol", options.protocol)
      .field("iou_type", options.overlap_type() == IouType::mask ? "mask" : "box");
  json.field("iou", options.least_iou()).field("where", options.where).field("threshold", evaluation.at_threshold.threshold);
  for (const auto& [name, value] : result.numbers.metrics) {
    json.field(name, value);
  }
  const Counts& counts = evaluation.at_threshold.counts;
  json.field("precision", counts.precision()).field("recall", counts.recall()).field("f1", counts.f1());
  json.end_object();
  return out;
}

/// The id that an image came with, as a tool that reads its file sorts ids: numbers by value, before texts.
struct SourceRank {
  bool is_text;
  std::int64_t number;
  std::string text;

  explicit SourceRank(std::string id_json) : is_text(false), number(0) {
    const char* const end = id_json.data() + id_json.size();
    const auto read = std::from_chars(id_json.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end) {
      is_text = true;
      number = 0;
      text = std::move(id_json);
    }
  }
  auto operator<=>(const SourceRank&) const = default;
};

/// The rank of each image (its sample id) by the id that it was imported with, of equals by sample; empty unless every one has such
/// an id.
std::vector<std::int64_t> ranks_by_source(const Project& project, const std::vector<std::int64_t>& sample_ids) {
  std::vector<std::pair<SourceRank, std::size_t>> order;
  project.for_each_source([&](SampleId sample, std::string_view source_json) {
    const std::size_t next = order.size();
    if (next == sample_ids.size() || sample.value != sample_ids[next]) {
      return next < sample_ids.size();
    }
    std::string id = source_id_of(source_json);
    const bool has_id = !id.empty();
    if (has_id) {
      order.emplace_back(SourceRank(std::move(id)), next);
    }
    return has_id;
  });
  if (order.size() < sample_ids.size()) {
    return {};
  }
  std::ranges::sort(order);
  std::vector<std::int64_t> ranks(order.size());
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    ranks[order[rank].second] = static_cast<std::int64_t>(rank);
  }
  return ranks;
}

/// Two label sets of a project, side by side.
struct SetsOfProject {
  ColumnsInput built;
  std::int32_t predictions;
  std::int32_t truth;
};

SetsOfProject input_of(const Project& project, const Columns& columns, const std::string& predictions,
                       const EvaluateSetsOptions& options, std::span<const std::uint32_t> sample_rows) {
  SetsOfProject sets{{}, set_index(project, columns, predictions), set_index(project, columns, options.truth)};
  sets.built = build_from(columns, sets.predictions, sets.truth, sample_rows);
  sets.built.input.images.rank = ranks_by_source(project, sets.built.input.images.id);
  count_cut_off_imports(project, columns, {predictions, options.truth}, sets.built, sets.built.coverage);
  if (options.iou_type == IouType::mask) {
    EvaluationInput& input = sets.built.input;
    input.truths.mask = masks_of(project, columns, sets.truth, sets.built.truth_label);
    input.predictions.mask = masks_of(project, columns, sets.predictions, sets.built.prediction_label);
    CocoStringReader reader;
    for (std::size_t i = 0; i < input.predictions.mask.size(); ++i) {
      input.predictions.area_px.push_back(static_cast<double>(area(input.predictions.mask.read(i, reader))));
    }
  }
  return sets;
}

/// Labels whose attribute `difficult` says so.
std::vector<std::uint32_t> difficult_labels(const Columns& columns) {
  return rows_where(columns.label_attributes, "difficult",
                    [](std::optional<std::string_view> text, double number) { return text ? *text == "true" : number != 0; });
}

/// Classes of whole images in the truth set, as Open Images states them: of confidence 1, or none, a person has seen the class; of
/// confidence 0 looked for it in vain; what lies between is a machine's guess and says nothing.
void add_verified_classes(const Columns& columns, const SetsOfProject& sets, OpenImagesContext& context) {
  const std::size_t images = sets.built.input.images.size();
  context.present.resize(images);
  context.absent.resize(images);
  std::vector<std::uint32_t> image_of(columns.samples.size(), kNoPartner);
  for (std::uint32_t image = 0; image < images; ++image) {
    image_of[sets.built.image_sample[image]] = image;
  }
  const LabelColumns& labels = columns.labels;
  for (std::uint32_t row = 0; row < labels.size(); ++row) {
    if (labels.set[row] != sets.truth || labels.kind[row] != LabelKind::classification ||
        labels.status[row] != LabelStatus::active || labels.verdict[row] == Verdict::rejected) {
      continue;
    }
    const std::uint32_t image = image_of[static_cast<std::size_t>(labels.sample[row])];
    const double confidence = labels.confidence[row];
    if (image != kNoPartner && (std::isnan(confidence) || confidence == 0 || confidence == 1)) {
      (confidence == 0 ? context.absent : context.present)[image].push_back(static_cast<std::uint32_t>(labels.class_index[row]));
    }
  }
}

/// What the truth set knows beside its boxes.
ProtocolContext context_of(const Project& project, const Columns& columns, const SetsOfProject& sets,
                           const EvaluateSetsOptions& options) {
  const ColumnsInput& built = sets.built;
  ProtocolContext context;
  const Protocol protocol = protocol_from(options.protocol);
  if (protocol == Protocol::voc_2007 || protocol == Protocol::voc_2010) {
    context.is_difficult = flags_of(difficult_labels(columns), columns.labels.size(), built.truth_label);
    return context;
  }
  if (protocol != Protocol::lvis && protocol != Protocol::open_images) {
    return context;
  }
  const std::vector<ClassRow> class_rows = project.classes();
  std::unordered_map<std::int64_t, std::string_view> source_of_class;
  for (const ClassRow& row : class_rows) {
    source_of_class.emplace(row.id.value, row.source_json);
  }
  SourceJson classes;
  for (const std::int64_t id : built.input.classes.id) {
    classes.push_back(source_of_class.at(id));
  }
  if (protocol == Protocol::lvis) {
    std::vector<std::string> sources;
    std::vector<std::string> names;
    for (const std::int64_t id : built.input.images.id) {
      Sample sample = project.sample(SampleId{id});
      sources.push_back(std::move(sample.source_json));
      names.push_back(std::move(sample.name));
    }
    context.federation = federation_from({sources.begin(), sources.end()}, names, classes, built.input.classes.name);
    return context;
  }
  if (!options.hierarchy.empty()) {
    context.open_images.parents = hierarchy_from(options.hierarchy, classes, built.input.classes.name);
  }
  add_verified_classes(columns, sets, context.open_images);
  return context;
}

/// Errors name the label and its sample, where the evaluation knows indices.
ProtocolEvaluation judge(const Columns& columns, ColumnsInput& built, const ProtocolContext& context,
                         const EvaluateSetsOptions& options) {
  try {
    return evaluate_by(protocol_from(options.protocol), std::move(built.input), context, evaluate_options_of(options));
  } catch (const Error& error) {
    ErrorContext named;
    for (const auto& [name, value] : error.context()) {
      if (name == "truth" || name == "prediction") {
        const std::uint32_t row = (name == "truth" ? built.truth_label : built.prediction_label).at(std::stoull(value));
        named.emplace_back("label", std::to_string(columns.labels.id[row]));
        named.emplace_back("sample", columns.samples.name[static_cast<std::size_t>(columns.labels.sample[row])]);
      } else {
        named.emplace_back(name, value);
      }
    }
    throw Error(error.code(), error.message(), std::move(named));
  }
}

ScenarioEvaluation evaluate_scenario(const ScenarioPart& part, const ColumnsInput& built, const EvaluateOptions& evaluate_options,
                                     const EvaluateSetsOptions& options) {
  ScenarioEvaluation result = part.counted;
  if (!part.has_both_sides()) {
    return result;
  }
  const EvaluationInput input =
      part.is_of_samples ? images_of(built.input, part.images) : labels_of(built.input, part.truths, part.predictions);
  const Evaluation evaluation = evaluate(input, evaluate_options);
  const ResampledMetrics metrics(input, evaluation.outcomes, evaluate_options.threshold);
  if (protocol_from(options.protocol) == Protocol::coco) {
    result.map = evaluation.coco.map;
  }
  result.metrics = metrics.once().overall;
  result.intervals = bootstrap_metrics(metrics, options.bootstrap);
  return result;
}

SetEvaluation evaluate_project(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options) {
  const Project project = Project::open(project_dir, Project::Access::read_only);
  const ReadScope one_moment(project);
  const View view = view_of_samples(project, options);
  Columns columns = project.columns_for(view);
  const std::vector<std::uint32_t> sample_rows = select_samples(view, columns);
  SetsOfProject sets = input_of(project, columns, options.predictions, options, sample_rows);
  ColumnsInput& built = sets.built;
  EvaluateOptions evaluate_options = evaluate_options_of(options);
  const ProtocolContext context = context_of(project, columns, sets, options);
  ProtocolEvaluation judged = judge(columns, built, context, options);
  built.input = std::move(judged.input);
  SetEvaluation result;
  result.evaluation = std::move(judged.evaluation);
  result.numbers = std::move(judged.numbers);
  result.coverage = built.coverage;
  result.class_names = built.input.classes.name;
  result.names_alike = names_alike(built.input);
  evaluate_options.threshold = result.evaluation.at_threshold.threshold;
  if (options.with_intervals) {
    result.intervals = evaluation_intervals(built.input, result.evaluation, options.bootstrap);
  }
  for (const Scenario& scenario : options.scenarios) {
    result.scenarios.push_back(evaluate_scenario(part_of(project, columns, scenario, built), built, evaluate_options, options));
  }
  if (!options.compare.empty()) {
    SetsOfProject other = input_of(project, columns, options.compare, options, sample_rows);
    const ProtocolEvaluation other_judged = judge(columns, other.built, context, options);
    result.comparison = compare_predictions({built.input, result.evaluation, result.numbers},
                                            {other_judged.input, other_judged.evaluation, other_judged.numbers}, options);
  }
  if (options.with_details) {
    result.details = evaluation_details(built.input, result.evaluation, evaluate_options);
    result.worst = worst_images(built.input, result.details->labels.outcomes, result.details->labels.errors);
    name_images(project, result.worst);
  }
  StoredEvaluation stored{options.key(), options.predictions, options.truth, json_from(options, result), {}, {}};
  std::optional<JudgedLabels> judged_alone;
  const JudgedLabels& labels = result.details
                                   ? result.details->labels
                                   : judged_alone.emplace(judge_labels(built.input, result.evaluation, evaluate_options));
  add_outcomes(columns, built, labels.outcomes, labels.errors, stored);
  result.reason_not_kept = keep(project_dir, stored);
  return result;
}

void validate_for_overlaps(const EvaluateSetsOptions& options) {
  options.validate();
  if (options.is_classification()) {
    throw Error(ErrorCode::wrong_use, "classes of whole images have no overlaps to compare; take a protocol of boxes or masks");
  }
}

}  // namespace

Scenario scenario_from(std::string_view text) {
  // What stands before the first `=` of a view is the name of a term, or holds one of these.
  constexpr std::string_view signs_of_views = ":()<>!|\",";
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::string_view term_name = name.substr(name.starts_with('-') ? 1 : 0);
  const bool is_term = std::ranges::any_of(view_terms(), [&](const ViewTerm& term) { return term.name == term_name; });
  if (equals == std::string_view::npos || is_term || name.find_first_of(signs_of_views) != std::string_view::npos) {
    return {std::string(text), std::string(text)};
  }
  return {std::string(name), std::string(text.substr(equals + 1))};
}

bool EvaluateSetsOptions::is_classification() const {
  const Protocol rules = protocol_from(protocol);
  return rules == Protocol::classification || rules == Protocol::multi_label;
}
std::string EvaluateSetsOptions::ap_name() const {
  return is_classification() ? "average_precision" : ap_name_at(protocol_from(protocol), least_iou());
}
bool EvaluateSetsOptions::predictions_are_file() const {
  return means_file(predictions);
}
bool EvaluateSetsOptions::truth_is_file() const {
  return means_file(truth);
}

void EvaluateSetsOptions::validate() const {
  const Protocol rules = protocol_from(protocol);
  if (!hierarchy.empty() && rules != Protocol::open_images) {
    throw Error(ErrorCode::wrong_use, "--hierarchy is for the protocol open_images");
  }
  if ((iou || iou_type) && is_classification()) {
    throw Error(
        ErrorCode::wrong_use,
        fmt::format("{} is for boxes and masks, and the protocol {} compares classes of whole images, which do not overlap; "
                    "leave it out",
                    iou ? "--iou" : "--iou-type", protocol));
  }
  if (iou_type == IouType::mask && rules != Protocol::coco && rules != Protocol::lvis) {
    throw Error(ErrorCode::wrong_use, fmt::format("the protocol {} does not compare masks", protocol));
  }
  if (truth_is_file() && rules != Protocol::coco && rules != Protocol::lvis) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("COCO files do not say what the protocol {} asks for; import the labels into a project", protocol));
  }
  if (predictions_are_file() != truth_is_file()) {
    throw Error(ErrorCode::wrong_use,
                "a file and a label set cannot be compared: import the file into a set first, or give two files");
  }
  if (truth_is_file() && !where.empty()) {
    throw Error(ErrorCode::wrong_use, "--where needs a project: files have no samples to choose from");
  }
  if (truth_is_file() && name) {
    throw Error(ErrorCode::wrong_use, "--name needs a project to keep the evaluation in, and files have none");
  }
  if (name && name->empty()) {
    throw Error(ErrorCode::wrong_use, "--name must not be empty");
  }
  if (truth_is_file() && !scenarios.empty()) {
    throw Error(ErrorCode::wrong_use, "--scenario needs a project: files have no samples to choose from");
  }
  if (!compare.empty() && means_file(compare) != truth_is_file()) {
    throw Error(ErrorCode::wrong_use, "--compare takes what --predictions takes: a set beside a set, a file beside a file");
  }
  if (!compare.empty() && (compare == predictions || compare == truth)) {
    throw Error(ErrorCode::wrong_use, "--compare takes other predictions than those that are judged, and not the truth");
  }
  if (threshold && !std::isfinite(*threshold)) {
    throw Error(ErrorCode::wrong_use, fmt::format("--threshold must be a finite number, not {}", *threshold));
  }
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    if (scenarios[i].name.find_first_not_of(" \t\n") == std::string::npos) {
      throw Error(ErrorCode::wrong_use, "a scenario needs a name: --scenario takes a view, or NAME=VIEW");
    }
    const auto is_same = [&](const Scenario& other) { return other.name == scenarios[i].name; };
    if (std::any_of(scenarios.begin(), scenarios.begin() + static_cast<std::ptrdiff_t>(i), is_same)) {
      throw Error(ErrorCode::wrong_use,
                  fmt::format("two scenarios are called '{}'; give each a name of its own", scenarios[i].name));
    }
  }
  bootstrap.validate();
  if (!truth_is_file() && predictions == truth) {
    throw Error(ErrorCode::wrong_use, "a set compared with itself is always right: give two sets");
  }
}

std::int64_t SetEvaluation::truths_counted() const {
  const Counts& counts = evaluation.at_threshold.counts;
  return counts.true_positives + counts.false_negatives;
}

SetEvaluation evaluate_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options) {
  validate_for_overlaps(options);
  return options.truth_is_file() ? evaluate_files(options) : evaluate_project(project_dir, options);
}

JudgedSets judge_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options) {
  validate_for_overlaps(options);
  if (options.truth_is_file()) {
    return judge_files(options);
  }
  const Project project = Project::open(project_dir, Project::Access::read_only);
  const ReadScope one_moment(project);
  const View view = view_of_samples(project, options);
  const Columns columns = project.columns_for(view);
  SetsOfProject sets = input_of(project, columns, options.predictions, options, select_samples(view, columns));
  const ProtocolContext context = context_of(project, columns, sets, options);
  ProtocolEvaluation by_protocol = judge(columns, sets.built, context, options);
  JudgedSets judged{std::move(by_protocol.input), {}};
  judged.result.evaluation = std::move(by_protocol.evaluation);
  judged.result.numbers = std::move(by_protocol.numbers);
  judged.result.class_names = judged.input.classes.name;
  judged.result.names_alike = names_alike(judged.input);
  judged.result.coverage = sets.built.coverage;
  return judged;
}

}  // namespace verilabel
