#include "verilabel/workflow/project_sets.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/dataset/row_flags.h"
#include "verilabel/workflow/judged.h"

namespace verilabel {

std::int32_t set_index(const Project& project, const Columns& columns, const std::string& name) {
  const auto index = columns.set_index(name);
  if (!index) {
    throw Error(ErrorCode::wrong_use, fmt::format("there is no label set '{}'; a file is meant by a name with / or .json", name),
                {{"sets", project.set_names()}});
  }
  return *index;
}

View view_of_samples(const Project& project, const EvaluateSetsOptions& options) {
  View view = View::parse(options.where, project.saved_views());
  if (!view.has_only_sample_terms()) {
    throw Error(ErrorCode::wrong_use,
                "--where of an evaluation chooses samples: use terms about samples only (tag, path, width, count(…), …)");
  }
  return view;
}

void count_cut_off_imports(const Project& project, const Columns& columns, std::initializer_list<std::string_view> sets,
                           const ColumnsInput& built, Coverage& coverage) {
  std::unordered_set<std::int64_t> cut_off;
  for (const ImportRow& import : project.imports()) {
    if (import.finished_at.empty() && !import.is_undone && std::ranges::find(sets, import.set) != sets.end()) {
      cut_off.insert(import.id.value);
    }
  }
  coverage.imports_cut_off = static_cast<std::int64_t>(cut_off.size());
  for (const std::vector<std::uint32_t>* rows : {&built.truth_label, &built.prediction_label}) {
    coverage.labels_of_cut_off_imports +=
        std::ranges::count_if(*rows, [&](std::uint32_t row) { return cut_off.contains(columns.labels.import[row]); });
  }
}

std::vector<std::uint8_t> flags_of(std::span<const std::uint32_t> wanted_rows, std::size_t row_count,
                                   std::span<const std::uint32_t> rows) {
  const std::vector<std::uint8_t> is_wanted = flags_of(wanted_rows, row_count);
  std::vector<std::uint8_t> flags;
  for (const std::uint32_t row : rows) {
    flags.push_back(is_wanted[row]);
  }
  return flags;
}

ScenarioPart part_of(const Project& project, Columns& columns, const Scenario& scenario, const ColumnsInput& built) {
  ScenarioPart part;
  ScenarioEvaluation& counted = part.counted;
  counted.scenario = scenario;
  try {
    const View view = View::parse(scenario.where, project.saved_views());
    project.take_evaluation(view, columns);
    part.is_of_samples = view.has_only_sample_terms();
    if (part.is_of_samples) {
      part.images = flags_of(select_samples(view, columns), columns.samples.size(), built.image_sample);
    } else {
      const std::vector<std::uint32_t> selected = select_labels(view, columns);
      part.truths = flags_of(selected, columns.labels.size(), built.truth_label);
      part.predictions = flags_of(selected, columns.labels.size(), built.prediction_label);
    }
  } catch (const Error& error) {
    throw error.with("scenario", scenario.name);
  }
  const auto count = [&](const std::vector<std::uint32_t>& image_of, const std::vector<std::uint8_t>& is_wanted) {
    std::int64_t wanted = 0;
    for (std::size_t i = 0; i < image_of.size(); ++i) {
      if (part.is_of_samples) {
        wanted += part.images[image_of[i]];
      } else if (is_wanted[i] != 0) {
        ++wanted;
        part.images[image_of[i]] = 1;
      }
    }
    return wanted;
  };
  part.images.resize(built.input.images.size(), 0);
  counted.truths = count(built.input.truths.image, part.truths);
  counted.predictions = count(built.input.predictions.image, part.predictions);
  counted.samples = std::ranges::count(part.images, 1);
  return part;
}

namespace {

void add_outcomes(const Columns& columns, const std::vector<std::uint32_t>& rows, const std::vector<std::uint32_t>& partner_rows,
                  const std::vector<LabelOutcome>& outcomes, const std::vector<LabelError>& errors,
                  std::vector<StoredOutcome>& stored) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    StoredOutcome row{.label = {columns.labels.id[rows[i]]}, .outcome = outcomes[i].outcome, .iou = outcomes[i].iou};
    std::uint32_t partner = outcomes[i].partner;
    if (!errors.empty() && errors[i].kind != ErrorKind::none) {
      row.error = errors[i].kind;
      partner = errors[i].about;
      row.iou = errors[i].iou;
    }
    if (partner != kNoPartner) {
      row.partner = LabelId{columns.labels.id[partner_rows[partner]]};
    }
    stored.push_back(row);
  }
}

}  // namespace

void add_outcomes(const Columns& columns, const ColumnsInput& built, const Outcomes& outcomes, const LabelErrors& errors,
                  StoredEvaluation& stored) {
  const EvaluationInput& input = built.input;
  add_outcomes(columns, built.prediction_label, built.truth_label, outcomes.predictions, errors.predictions, stored.outcomes);
  add_outcomes(columns, built.truth_label, built.prediction_label, outcomes.truths, errors.truths, stored.outcomes);
  std::ranges::sort(stored.outcomes, {}, [](const StoredOutcome& outcome) { return outcome.label.value; });
  const std::vector<Counts> counts = counts_of_images(input.images.size(), input.truths.image, input.predictions.image, outcomes);
  for (std::size_t image = 0; image < counts.size(); ++image) {
    stored.samples.push_back({SampleId{input.images.id[image]}, counts[image].true_positives, counts[image].false_positives,
                              counts[image].false_negatives});
  }
}

std::string keep(const std::filesystem::path& project_dir, const StoredEvaluation& evaluation) {
  if (evaluation.samples.empty()) {
    return fmt::format("no sample was evaluated, so that what '{}' says stays as it was", evaluation.key);
  }
  try {
    Project::open(project_dir).save_evaluation(evaluation);
    return "";
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io && error.code() != ErrorCode::conflict) {
      throw;  // the numbers are worth more than their place in the project
    }
    return error.message();
  }
}

void name_images(const Project& project, std::vector<JudgedImage>& images) {
  for (JudgedImage& image : images) {
    const Sample sample = project.sample(SampleId{image.id});
    image.name = sample.name;
    image.path = sample.path;
    image.width = sample.width;
    image.height = sample.height;
  }
}

}  // namespace verilabel
