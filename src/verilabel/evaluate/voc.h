#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "verilabel/evaluate/input.h"

namespace verilabel {

/// How the area under precision and recall is taken.
enum class VocYear : std::uint8_t {
  voc_2007,  ///< mean of the greatest precision from each of the recalls 0, 0.1, … 1 on
  voc_2010,  ///< the whole area under the falling envelope, in every year from 2010 on
};

struct VocOptions {
  VocYear year = VocYear::voc_2010;
  double iou = 0.5;              ///< an overlap must exceed it; in [0, 1)
  bool has_whole_pixels = true;  ///< corners name pixels that belong to the box: sides are longer by one, as in the devkit
  unsigned threads = 0;          ///< 0: one for each processor. The result does not depend on it.
};

struct VocClass {
  std::optional<double> ap;  ///< nothing without a truth that counts
  std::int64_t truths = 0;   ///< difficult ones not counted
  std::int64_t true_positives = 0;
  std::int64_t false_positives = 0;
};

struct VocResult {
  std::optional<double> map;        ///< mean over the classes that have one
  std::vector<VocClass> per_class;  ///< in the order of `input.classes`
};

/// Average precision of the PASCAL VOC challenges (Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV
/// 2010; development kit, `VOCevaldet.m`). Of each class, predictions of all images in descending order of score (ties: by image,
/// then the order of their file) look at the truth of their image that they overlap most (ties: the first): a difficult one makes
/// them count neither way, a free one makes them right and is taken, one that is taken makes them wrong, as does an overlap that
/// does not exceed `iou`. Boxes only. `is_difficult` has one flag a truth. Throws `wrong_use`; `bad_data`, naming the sample, for a
/// score, box or area that is not finite; `internal` for columns of unequal length or indices out of range.
VocResult voc_average_precision(const EvaluationInput& input, std::span<const std::uint8_t> is_difficult,
                                const VocOptions& options);

}  // namespace verilabel
