#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "verilabel/workflow/evaluate.h"

// What evaluations of sets and of files have in common. Private to the module.
namespace verilabel {

/// Two sets or files, compared, before anything is made of it.
struct JudgedSets {
  EvaluationInput input;
  SetEvaluation result;                        ///< the evaluation with names and coverage
  std::int64_t categories_of_shared_name = 0;  ///< of files
};

/// Compares boxes or masks and stores nothing; `result.evaluation.per_class` is of the categories of a file, of which those of one
/// name, that were compared apart, are one class of `input` and of `result.class_names` afterwards: thresholds go by names. Throws
/// what `evaluate_sets` does.
JudgedSets judge_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options);

EvaluateOptions evaluate_options_of(const EvaluateSetsOptions& options);

/// What the outcomes count on each image; truths that were found are the true positives.
std::vector<Counts> counts_of_images(std::size_t images, std::span<const std::uint32_t> image_of_truth,
                                     std::span<const std::uint32_t> image_of_prediction, const Outcomes& outcomes);

/// The images with most errors at the threshold, the worst first (of equals the one that is most surely wrong), with the labels
/// that count there; names and sizes are left to the caller, but for names that the input has. `errors` may be empty, and so may
/// the boxes of the input.
std::vector<JudgedImage> worst_images(const EvaluationInput& input, const Outcomes& outcomes, const LabelErrors& errors);

EvaluationIntervals evaluation_intervals(const EvaluationInput& input, const Evaluation& evaluation,
                                         const BootstrapOptions& bootstrap);

/// Likewise of classes of whole images.
struct JudgedClasses {
  ClassificationInput input;
  SetClassification result;
};
JudgedClasses judge_classes_of_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options);

/// One side of a comparison.
struct ComparedPredictions {
  const EvaluationInput& input;
  const Evaluation& evaluation;
  const ProtocolNumbers& numbers;
};

/// Both have the same images, truths and classes.
SetComparison compare_predictions(const ComparedPredictions& first, const ComparedPredictions& other,
                                  const EvaluateSetsOptions& options);

/// The numbers of both on the same images and classes. Throws what `bootstrap_differences` does.
PointNumbersByClass<ComparedNumber> compared_numbers(const ResampledMetrics& first, const ResampledMetrics& other,
                                                     const BootstrapOptions& bootstrap);

}  // namespace verilabel
