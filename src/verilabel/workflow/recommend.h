#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "verilabel/evaluate/bootstrap.h"
#include "verilabel/evaluate/score_curve.h"
#include "verilabel/workflow/evaluate.h"

namespace verilabel {

struct RecommendOptions {
  EvaluateSetsOptions sets;
  ThresholdGoal goal;          ///< by default the greatest F1
  BootstrapOptions bootstrap;  ///< of the intervals
  bool with_intervals = true;
};

/// "f1", "f0.5", "f2"; "precision 0.95", "recall 0.9".
std::string name_of(const ThresholdGoal& goal);

/// What achieves the goal, for all classes together or for one.
struct Recommendation {
  std::optional<OperatingPoint> point;  ///< nothing where no threshold achieves it
  std::optional<Interval> threshold;    ///< where it falls when it is chosen anew on images drawn anew
  std::int64_t truths = 0;              ///< that count
  /// So few truths that the threshold says more about these images than about the class.
  bool has_few_truths() const { return truths < kFewTruths; }
  static constexpr std::int64_t kFewTruths = 30;
};

/// One of the usual goals, and what it keeps and loses of the predictions, for all classes together.
struct ThresholdChoice {
  ThresholdGoal goal;
  std::string_view use;  ///< "to train on", "to accept unseen", or empty
  std::optional<OperatingPoint> point;
};

struct ThresholdRecommendation {
  std::variant<SetEvaluation, SetClassification> sets;  ///< with the coverage; numbers at the threshold of greatest F1, or at every
  std::vector<std::string> class_names;
  std::int64_t categories_of_shared_name =
      0;                                   ///< of a file: those of one name have one threshold, as they are one class of a project
  std::vector<std::uint8_t> class_occurs;  ///< flags: the class has truths or predictions
  ThresholdGoal goal;
  Recommendation overall;
  PointMetricIntervals intervals;         ///< of what the overall threshold, as it is, yields on images drawn anew
  std::vector<Recommendation> per_class;  ///< in the order of `class_names`
  /// One threshold for all classes with few truths, found on them together, so that what holds for it and for each other class
  /// holds for the whole; the overall one where they have few truths even together. Nothing where no class has few.
  std::optional<Recommendation> shared;
  Counts by_class;  ///< what each class's threshold, its own or the shared one, keeps and loses, summed over the classes
  std::vector<ThresholdChoice> choices;  ///< from the lowest threshold to the highest: from keeping to being sure
};

/// Recommends thresholds from the comparison of two sets or files, which is not stored. Of classes of whole images, where an image
/// may have several, each pair of image and class is decided by itself, as a box is; where it has one, the threshold is the score
/// of its best class below which it gets none: precision is of the images that get one, recall of all truths. Throws what
/// `evaluate_sets` and `evaluate_classes_of_sets` do.
ThresholdRecommendation recommend_thresholds(const std::filesystem::path& project_dir, const RecommendOptions& options);

/// `{"goal", "threshold", "f1", …, "training", "acceptance", "per_class", "shared", "by_class", "choices"}`: what `threshold
/// --json` prints and what a thresholds file is. Classes that do not occur are left out.
std::string recommendation_json(const ThresholdRecommendation& recommendation);

}  // namespace verilabel
