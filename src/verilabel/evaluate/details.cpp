#include "verilabel/evaluate/details.h"

#include <algorithm>
#include <utility>

namespace verilabel {
namespace {

/// Errors are told apart by what overlaps less than a hit but more than nothing: a tenth as TIDE has it, less where hits are easy.
ErrorOptions error_options_of(const EvaluateOptions& options) {
  return {options.iou_type, options.iou, std::min(ErrorOptions{}.background_iou, options.iou / 2), options.threads};
}

}  // namespace

void Distribution::add(double value, bool is_right) {
  if (!(value >= 0 && value <= 1)) {
    ++outside;
    return;
  }
  const std::size_t part = std::min(kParts - 1, static_cast<std::size_t>(value * static_cast<double>(kParts)));
  ++(is_right ? right : wrong)[part];
}

JudgedLabels judge_labels(const EvaluationInput& input, const Evaluation& evaluation, const EvaluateOptions& options) {
  const std::optional<double>& threshold = evaluation.at_threshold.threshold;
  JudgedLabels labels;
  labels.outcomes = threshold ? outcomes_at(input, evaluation.outcomes, *threshold) : evaluation.outcomes;
  labels.errors = label_errors(input, labels.outcomes, error_options_of(options));
  return labels;
}

EvaluationDetails evaluation_details(const EvaluationInput& input, const Evaluation& evaluation, const EvaluateOptions& options) {
  const Outcomes& all = evaluation.outcomes;
  EvaluationDetails details;
  details.threshold = evaluation.at_threshold.threshold;
  details.labels = judge_labels(input, evaluation, options);
  for (const LabelError& error : details.labels.errors.predictions) {
    details.error_counts[static_cast<std::size_t>(error.kind)].predictions += error.kind == ErrorKind::none ? 0 : 1;
  }
  for (const LabelError& error : details.labels.errors.truths) {
    details.error_counts[static_cast<std::size_t>(error.kind)].truths += error.kind == ErrorKind::none ? 0 : 1;
  }
  details.errors = analyse_errors(input, all, error_options_of(options));
  const Pairing pairing =
      pair_across_classes(input, all, {.iou_type = options.iou_type, .iou = options.iou, .threads = options.threads});
  details.confusion = confusion_at(input, pairing, details.threshold);
  details.calibration = calibration(input, all);
  details.curves = score_curves(input, all, options.threads);
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    const LabelOutcome& prediction = all.predictions[i];
    if (prediction.outcome != Outcome::ignored) {
      const bool is_right = prediction.outcome == Outcome::tp;
      details.scores.add(input.predictions.score[i], is_right);
      details.overlaps.add(is_right ? prediction.iou : details.errors.labels.predictions[i].iou, is_right);
    }
  }
  return details;
}

}  // namespace verilabel
