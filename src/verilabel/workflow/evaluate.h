#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/evaluate/classification.h"
#include "verilabel/evaluate/classification_details.h"
#include "verilabel/evaluate/details.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/from_columns.h"
#include "verilabel/evaluate/resampled_metrics.h"
#include "verilabel/workflow/names_alike.h"
#include "verilabel/workflow/protocol.h"

namespace verilabel {

/// A part of the data that gets numbers of its own: the samples of a view, or, when it has label terms, its labels.
struct Scenario {
  std::string name;
  std::string where;
};

/// "NAME=VIEW", where the name has none of the signs that stand in views; or a view, which is then its own name.
Scenario scenario_from(std::string_view text);

struct EvaluateSetsOptions {
  static constexpr double kDefaultIou = 0.5;

  /// A label set of the project; or a file, when it contains `/` or ends in `.json`: COCO truth, or (predictions only) a results
  /// list.
  std::string predictions;
  std::string truth;
  std::string protocol = "coco";    ///< one of `protocol_names()`
  std::string hierarchy;            ///< file with the classes of Open Images above each other; empty for none. That protocol only.
  std::optional<IouType> iou_type;  ///< by default boxes; not of classes of whole images
  std::optional<double> iou;        ///< for precision, recall, F1 and the outcome of each label; by default 0.5; likewise
  std::optional<double> threshold;  ///< lowest score that counts there; by default the one of greatest F1, of classification every
  std::string where;                ///< a view of sample terms; empty for all samples. Not with files.
  std::optional<std::string> name;  ///< key under which a project keeps the evaluation, in place of an earlier one; not with files
  bool with_details = false;        ///< how predictions go wrong, beside the numbers
  bool with_intervals = false;      ///< how sure the numbers are, in all and by class
  std::vector<Scenario> scenarios;  ///< not with files
  std::string compare;              ///< other predictions, set or file as `predictions`, on the same truth; empty for none
  BootstrapOptions bootstrap;       ///< of intervals, scenarios and the comparison

  /// Classes of whole images: one an image, or any number of them.
  bool is_classification() const;
  bool predictions_are_file() const;
  bool truth_is_file() const;
  /// The name, or `latest`.
  std::string key() const { return name.value_or("latest"); }
  /// What the numbers of `PointNumbers` are called that have no name of their own. Average precision: by `ap_name_at` of the
  /// protocol and the IoU, or `average_precision`.
  std::string ap_name() const;
  IouType overlap_type() const { return iou_type.value_or(IouType::box); }
  double least_iou() const { return iou.value_or(kDefaultIou); }
  /// Throws `wrong_use`.
  void validate() const;
};

/// A label as an evaluation sees it, for looking at.
struct JudgedLabel {
  bool is_truth = false;
  std::uint32_t category = 0;      ///< index into `SetEvaluation::class_names`
  std::optional<Box> box_xywh_px;  ///< nothing where a class of the whole image is meant
  std::optional<double> score;
  LabelOutcome outcome;
  LabelError error;
};

/// An image with what went wrong on it.
struct JudgedImage {
  std::int64_t id = 0;  ///< of the sample, or of the image in a file
  std::string name;
  std::filesystem::path path;  ///< empty for images of files, which are not looked for
  std::int32_t width = 0;      ///< pixels of the upright image; 0 when unknown
  std::int32_t height = 0;
  Counts counts;
  std::vector<JudgedLabel> labels;
};

struct ScenarioEvaluation {
  Scenario scenario;
  std::int64_t samples = 0;  ///< evaluated ones in the view; with label terms, those that have such a label
  std::int64_t truths = 0;
  std::int64_t predictions = 0;
  std::optional<double> map;  ///< by the protocol coco only
  PointMetrics metrics;  ///< at the IoU and threshold of the whole evaluation; undefined where label terms select one side only
  PointMetricIntervals intervals;
};

/// How sure an evaluation is of its numbers, at its IoU and threshold.
struct EvaluationIntervals {
  PointMetricsByClass metrics;
  PointMetricIntervalsByClass intervals;
};

/// One number of both predictions. The difference is the first less the other.
struct ComparedNumber {
  std::optional<double> first;
  std::optional<double> other;
  std::optional<Interval> difference;  ///< from a paired bootstrap, where one was made
};

struct SetComparison {
  std::string other_predictions;
  std::optional<double> other_threshold;
  PointNumbersByClass<ComparedNumber> numbers;  ///< precision, recall and F1 of each side are at its own threshold
  /// Of overlaps: the first of the protocol's numbers, and its average precision of each class. They are not counted again on
  /// images drawn anew, as that would match them at every IoU.
  std::optional<ComparedNumber> own;
  std::vector<ComparedNumber> own_ap_per_class;
};

/// An evaluation with the names and the coverage that make its numbers readable.
struct SetEvaluation {
  Evaluation evaluation;  ///< of other protocols than coco: COCO's matching at the IoU of what the protocol looks at
  ProtocolNumbers numbers;
  std::vector<std::string> class_names;  ///< in the order of `evaluation.per_class`; distinct
  std::vector<NamesAlike> names_alike;
  std::int64_t classes_of_shared_name = 0;  ///< of files, whose classes may share names: those with the id behind the name
  Coverage coverage;
  /// Truths that are asked for: tp and fn together. Crowds and what the protocol does not ask for are none.
  std::int64_t truths_counted() const;
  std::int64_t predictions_of_unknown_images = 0;   ///< results whose image the truth file does not list: left out
  std::int64_t predictions_of_unknown_classes = 0;  ///< likewise

  std::string reason_not_kept;  ///< why the project did not keep it: see there; empty when it did, or for files

  std::optional<EvaluationDetails> details;
  std::vector<JudgedImage> worst;  ///< with details: the images with most errors at the threshold
  std::optional<EvaluationIntervals> intervals;
  std::vector<ScenarioEvaluation> scenarios;
  std::optional<SetComparison> comparison;
};

/// Compares the boxes or masks of two files, or of two label sets of the project in `project_dir`, which is opened for sets only;
/// for sets the evaluation with the outcome of each label at the threshold is stored under its name, unless the project cannot be
/// written. Throws `wrong_use` for a set, view or protocol that does not exist (naming those that do), for a file beside a set, and
/// for the protocols of classes of whole images; `bad_data` for a truth that lacks what the protocol asks for; `not_found`, `io`.
SetEvaluation evaluate_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options);

/// Likewise of classes of whole images.
struct SetClassification {
  ClassificationResult result;
  std::vector<std::string> class_names;  ///< in the order of `result.per_class`
  std::vector<NamesAlike> names_alike;
  Coverage coverage;
  /// Truths that are asked for: tp and fn together. Repeated ones are none, nor those that `ClassificationOfClass` leaves out.
  std::int64_t truths_counted() const;
  std::string reason_not_kept;

  std::optional<ClassificationDetails> details;
  std::vector<JudgedImage>
      worst;  ///< with details: the images with most errors, of as many the one that is most surely wrong first
  std::optional<EvaluationIntervals> intervals;
  std::vector<ScenarioEvaluation> scenarios;
  std::optional<SetComparison> comparison;
};

/// Compares classes of whole images of two label sets, by the protocol classification or multi_label. Stores and throws likewise;
/// files hold no classes of whole images and are refused.
SetClassification evaluate_classes_of_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options);

}  // namespace verilabel
