#include "verilabel/evaluate/from_columns.h"

#include <cmath>
#include <optional>
#include <string_view>

#include "verilabel/dataset/lifecycle.h"
#include "verilabel/dataset/property_rows.h"
#include "verilabel/dataset/row_flags.h"

namespace verilabel {
namespace {

constexpr std::uint32_t kNotEvaluated = UINT32_MAX;

/// Which of the samples are evaluated, in the order of their ids, and how far that reaches.
std::vector<std::uint32_t> choose_samples(const Columns& columns, std::int32_t prediction_set, std::int32_t truth_set,
                                          std::span<const std::uint32_t> sample_rows, std::vector<std::uint8_t>& is_asked,
                                          Coverage& coverage) {
  const std::vector<std::uint8_t> has_truth = columns.labelled_in(truth_set);
  const std::vector<std::uint8_t> has_predictions = columns.labelled_in(prediction_set);
  is_asked = flags_of(sample_rows, columns.samples.size());
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t row = 0; row < is_asked.size(); ++row) {
    if (is_asked[row] == 0) {
      continue;
    }
    if (has_truth[row] == 0) {
      ++coverage.samples_without_truth;
      coverage.samples_only_predicted += has_predictions[row];
      continue;
    }
    coverage.samples_not_predicted += has_predictions[row] == 0 ? 1 : 0;
    chosen.push_back(row);
  }
  coverage.samples = static_cast<std::int64_t>(chosen.size());
  return chosen;
}

/// One flag a label: 1 where it says that its class is looked for in vain, as the formats have it: by the attribute `present`.
std::vector<std::uint8_t> says_absent(const Columns& columns) {
  const auto is_false = [](std::optional<std::string_view> text, double) { return text == "false"; };
  return flags_of(rows_where(columns.label_attributes, "present", is_false), columns.labels.size());
}

/// Evaluated images with truths on every one of which a person has decided.
std::int64_t count_reviewed(const Columns& columns, const std::vector<std::uint32_t>& truth_label,
                            const std::vector<std::uint32_t>& image_of_truth, std::size_t images) {
  std::vector<std::uint8_t> has_truth(images, 0);
  std::vector<std::uint8_t> has_undecided(images, 0);
  for (std::size_t i = 0; i < truth_label.size(); ++i) {
    has_truth[image_of_truth[i]] = 1;
    has_undecided[image_of_truth[i]] |= static_cast<std::uint8_t>(columns.labels.verdict[truth_label[i]] == Verdict::unreviewed);
  }
  std::int64_t reviewed = 0;
  for (std::size_t image = 0; image < images; ++image) {
    reviewed += has_truth[image] != 0 && has_undecided[image] == 0 ? 1 : 0;
  }
  return reviewed;
}

}  // namespace

ColumnsInput build_from(const Columns& columns, std::int32_t prediction_set, std::int32_t truth_set,
                        std::span<const std::uint32_t> sample_rows) {
  ColumnsInput built;
  Coverage& coverage = built.coverage;
  EvaluationInput& input = built.input;
  for (const NamedId& one : columns.classes) {
    input.classes.id.push_back(one.id);
    input.classes.name.push_back(one.name);
  }
  std::vector<std::uint8_t> is_asked;
  built.image_sample = choose_samples(columns, prediction_set, truth_set, sample_rows, is_asked, coverage);
  std::vector<std::uint32_t> image_of(columns.samples.size(), kNotEvaluated);
  for (std::uint32_t image = 0; image < built.image_sample.size(); ++image) {
    image_of[built.image_sample[image]] = image;
    input.images.id.push_back(columns.samples.id[built.image_sample[image]]);
  }

  const LabelColumns& labels = columns.labels;
  const auto set = labels.set.rows();
  const auto status = labels.status.rows();
  const auto sample = labels.sample.rows();
  for (std::uint32_t row = 0; row < set.size(); ++row) {
    // A set may be compared with itself.
    const bool is_truth = set[row] == truth_set;
    const bool is_prediction = set[row] == prediction_set;
    if ((!is_truth && !is_prediction) || status[row] != LabelStatus::active) {
      continue;
    }
    const auto sample_row = static_cast<std::size_t>(sample[row]);
    const std::uint32_t image = image_of[sample_row];
    const bool is_rejected = labels.verdict[row] == Verdict::rejected;
    if (image == kNotEvaluated) {
      coverage.predictions_outside += is_prediction && !is_rejected && is_asked[sample_row] != 0 ? 1 : 0;
      continue;
    }
    if (is_rejected) {
      coverage.truths_rejected += is_truth ? 1 : 0;
      coverage.predictions_rejected += is_prediction ? 1 : 0;
      continue;
    }
    if (labels.kind[row] == LabelKind::classification) {
      ++coverage.labels_of_other_kinds;
      continue;
    }
    const auto category = static_cast<std::uint32_t>(labels.class_index[row]);
    if (is_truth) {
      input.truths.image.push_back(image);
      input.truths.category.push_back(category);
      input.truths.box_xywh_px.push_back(labels.box_xywh_px(row));
      input.truths.area_px.push_back(labels.area[row]);
      input.truths.is_crowd.push_back(labels.is_crowd[row]);
      built.truth_label.push_back(row);
    }
    if (is_prediction) {
      const bool has_score = !std::isnan(labels.confidence[row]);
      coverage.predictions_without_score += has_score ? 0 : 1;
      input.predictions.image.push_back(image);
      input.predictions.category.push_back(category);
      input.predictions.box_xywh_px.push_back(labels.box_xywh_px(row));
      input.predictions.score.push_back(has_score ? labels.confidence[row] : kScoreWithoutConfidence);
      built.prediction_label.push_back(row);
    }
  }
  coverage.truths = static_cast<std::int64_t>(built.truth_label.size());
  coverage.predictions = static_cast<std::int64_t>(built.prediction_label.size());
  coverage.samples_reviewed = count_reviewed(columns, built.truth_label, input.truths.image, input.images.size());
  return built;
}

ColumnsInput build_classification_from(const Columns& columns, std::int32_t prediction_set, std::int32_t truth_set,
                                       std::span<const std::uint32_t> sample_rows, bool is_multi_label) {
  ColumnsInput built;
  Coverage& coverage = built.coverage;
  EvaluationInput& input = built.input;
  for (const NamedId& one : columns.classes) {
    input.classes.id.push_back(one.id);
    input.classes.name.push_back(one.name);
  }
  std::vector<std::uint8_t> is_asked;
  const std::vector<std::uint32_t> labelled = choose_samples(columns, prediction_set, truth_set, sample_rows, is_asked, coverage);
  const LabelColumns& labels = columns.labels;
  const auto set = labels.set.rows();
  const auto status = labels.status.rows();
  const auto sample = labels.sample.rows();
  const std::vector<std::uint8_t> is_absence = says_absent(columns);
  const auto counts = [&](std::uint32_t row) {
    return status[row] == LabelStatus::active && labels.verdict[row] != Verdict::rejected &&
           labels.kind[row] == LabelKind::classification && is_absence[row] == 0;
  };
  std::vector<std::uint8_t> has_class(columns.samples.size(), 0);
  for (std::uint32_t row = 0; row < set.size(); ++row) {
    if (set[row] == truth_set && counts(row)) {
      has_class[static_cast<std::size_t>(sample[row])] = 1;
    }
  }
  const std::vector<std::uint8_t> has_predictions = columns.labelled_in(prediction_set);
  std::vector<std::uint32_t> image_of(columns.samples.size(), kNotEvaluated);
  coverage.samples_not_predicted = 0;
  for (const std::uint32_t row : labelled) {
    if (has_class[row] == 0 && !is_multi_label) {
      ++coverage.samples_without_class;
      continue;
    }
    coverage.samples_not_predicted += has_predictions[row] == 0 ? 1 : 0;
    image_of[row] = static_cast<std::uint32_t>(input.images.size());
    built.image_sample.push_back(row);
    input.images.id.push_back(columns.samples.id[row]);
  }
  coverage.samples = static_cast<std::int64_t>(input.images.size());

  for (std::uint32_t row = 0; row < set.size(); ++row) {
    const bool is_truth = set[row] == truth_set;
    const bool is_prediction = set[row] == prediction_set;
    if ((!is_truth && !is_prediction) || status[row] != LabelStatus::active) {
      continue;
    }
    const auto sample_row = static_cast<std::size_t>(sample[row]);
    const std::uint32_t image = image_of[sample_row];
    const bool is_rejected = labels.verdict[row] == Verdict::rejected;
    if (image == kNotEvaluated) {
      coverage.predictions_outside += is_prediction && counts(row) && is_asked[sample_row] != 0 ? 1 : 0;
      continue;
    }
    if (is_rejected) {
      coverage.truths_rejected += is_truth ? 1 : 0;
      coverage.predictions_rejected += is_prediction ? 1 : 0;
      continue;
    }
    if (!counts(row)) {
      ++(labels.kind[row] == LabelKind::classification ? coverage.labels_of_absence : coverage.labels_of_other_kinds);
      continue;
    }
    const auto category = static_cast<std::uint32_t>(labels.class_index[row]);
    if (is_truth) {
      input.truths.image.push_back(image);
      input.truths.category.push_back(category);
      built.truth_label.push_back(row);
    }
    if (is_prediction) {
      const bool has_score = !std::isnan(labels.confidence[row]);
      coverage.predictions_without_score += has_score ? 0 : 1;
      input.predictions.image.push_back(image);
      input.predictions.category.push_back(category);
      input.predictions.score.push_back(has_score ? labels.confidence[row] : kScoreWithoutConfidence);
      built.prediction_label.push_back(row);
    }
  }
  coverage.truths = static_cast<std::int64_t>(built.truth_label.size());
  coverage.predictions = static_cast<std::int64_t>(built.prediction_label.size());
  coverage.samples_reviewed = count_reviewed(columns, built.truth_label, input.truths.image, input.images.size());
  return built;
}

}  // namespace verilabel
