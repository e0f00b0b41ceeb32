#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "verilabel/dataset/columns.h"
#include "verilabel/evaluate/input.h"

namespace verilabel {

/// How far an evaluation's numbers reach.
struct Coverage {
  std::int64_t samples = 0;                 ///< evaluated: labelled, or labelled empty, in the truth set, and asked for
  std::int64_t samples_reviewed = 0;        ///< evaluated, with truths, and a person has decided on every one of them
  std::int64_t samples_without_truth = 0;   ///< asked for, but not labelled in the truth set: left out
  std::int64_t samples_not_predicted = 0;   ///< evaluated, but not labelled in the prediction set: counted as predicted empty
  std::int64_t samples_only_predicted = 0;  ///< asked for and labelled in the prediction set, but not in the truth set: left out
  std::int64_t truths = 0;
  std::int64_t predictions = 0;
  std::int64_t predictions_outside = 0;        ///< on samples asked for that are not evaluated: left out
  std::int64_t predictions_without_score = 0;  ///< drawn by hand or imported without confidence: `kScoreWithoutConfidence`
  std::int64_t truths_rejected = 0;            ///< rejected by a person, on evaluated samples: no truth
  std::int64_t predictions_rejected = 0;       ///< likewise: no prediction
  /// Active labels of the two sets on evaluated samples that the protocol does not compare: left out. Without a box, or, where
  /// classes of whole images are compared, with one.
  std::int64_t labels_of_other_kinds = 0;
  /// Likewise, where classes of whole images are compared: those that say that a class is not there (attribute `present` false).
  std::int64_t labels_of_absence = 0;
  std::int64_t samples_without_class = 0;  ///< labelled in the truth set, but with no class of the whole image: left out
  /// Imports into the two sets that were cut off, which only the caller knows: the sets may lack labels.
  std::int64_t imports_cut_off = 0;
  std::int64_t labels_of_cut_off_imports = 0;  ///< compared ones
};

struct ColumnsInput {
  EvaluationInput input;                    ///< classes in the order of `columns.classes`; image ids are sample ids
  std::vector<std::uint32_t> image_sample;  ///< row in `columns.samples` of each image
  std::vector<std::uint32_t> truth_label;   ///< row in `columns.labels` of each truth
  std::vector<std::uint32_t> prediction_label;
  Coverage coverage;
};

/// Two label sets of a project as an evaluation's input: effective, active labels that nobody rejected, in the order of their ids,
/// on those of `sample_rows` (each at most once) that are labelled or labelled empty in the truth set. Masks are not in the
/// columns: for a mask evaluation the caller fills `mask` (and `area_px` of predictions) by the label rows. Set indices and rows
/// must exist. Equal scores rank by sample id; the caller may fill `images.rank`.
ColumnsInput build_from(const Columns& columns, std::int32_t prediction_set, std::int32_t truth_set,
                        std::span<const std::uint32_t> sample_rows);

/// Likewise for classes of whole images, without boxes, on those samples that have one in the truth set; or, where an image may
/// have any number of them, on all that are labelled there.
ColumnsInput build_classification_from(const Columns& columns, std::int32_t prediction_set, std::int32_t truth_set,
                                       std::span<const std::uint32_t> sample_rows, bool is_multi_label = false);

}  // namespace verilabel
