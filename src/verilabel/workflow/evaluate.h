#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/evaluate/classification.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/from_columns.h"

namespace verilabel {

struct EvaluateSetsOptions {
  /// A label set of the project; or a file, when it contains `/` or ends in `.json`: COCO truth, or (predictions only) a results
  /// list.
  std::string predictions;
  std::string truth;
  std::string protocol = "coco";  ///< or classification
  IouType iou_type = IouType::box;
  double iou = 0.5;                 ///< for precision, recall, F1 and the outcome of each label
  std::optional<double> threshold;  ///< lowest score that counts there; by default the one of greatest F1
  std::string where;                ///< a view of sample terms; empty for all samples. Not with files.
  std::string name = "latest";      ///< key under which a project keeps the evaluation; an earlier one of that key is replaced

  bool is_classification() const { return protocol == "classification"; }
  bool predictions_are_file() const;
  bool truth_is_file() const;
  /// Throws `wrong_use`.
  void validate() const;
};

/// An evaluation with the names and the coverage that make its numbers readable.
struct SetEvaluation {
  Evaluation evaluation;
  std::vector<std::string> class_names;  ///< in the order of `evaluation.per_class`
  Coverage coverage;
  std::int64_t predictions_of_unknown_images = 0;   ///< results whose image the truth file does not list: left out
  std::int64_t predictions_of_unknown_classes = 0;  ///< likewise
};

/// Compares the boxes or masks of two files, or of two label sets of the project in `project_dir`, which is opened for sets only;
/// for sets the evaluation with the outcome of each label is stored under its name. Throws `wrong_use` for a set or protocol that
/// does not exist (naming those that do), for a file beside a set, and for another protocol than coco; `bad_data`, `not_found`,
/// `io`.
SetEvaluation evaluate_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options);

/// Likewise of classes of whole images.
struct SetClassification {
  ClassificationResult result;
  std::vector<std::string> class_names;  ///< in the order of `result.per_class`
  Coverage coverage;
};

/// Compares classes of whole images of two label sets, by the protocol classification. Stores and throws likewise; files hold no
/// classes of whole images and are refused.
SetClassification evaluate_classes_of_sets(const std::filesystem::path& project_dir, const EvaluateSetsOptions& options);

}  // namespace verilabel
