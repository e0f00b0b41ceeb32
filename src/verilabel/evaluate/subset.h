#pragma once

#include <cstdint>
#include <span>

#include "verilabel/evaluate/classification.h"
#include "verilabel/evaluate/input.h"

namespace verilabel {

/// The images whose flag is 1, with all labels on them, as an evaluation's input of its own.
EvaluationInput images_of(const EvaluationInput& input, std::span<const std::uint8_t> is_image_wanted);

/// The labels whose flag is 1, on all images, by COCO's rule for areas: the other truths may be matched without counting, and the
/// other predictions do not count where they match none of the wanted truths. It is that rule: areas of the others lie beyond all
/// area ranges of `coco_match_options`.
EvaluationInput labels_of(EvaluationInput input, std::span<const std::uint8_t> is_truth_wanted,
                          std::span<const std::uint8_t> is_prediction_wanted);

/// Likewise of classes of whole images, where labels overlap nothing: a truth that is not wanted is ignored, and with it what its
/// image is rightly called by; so is a wrong prediction that is not wanted.
ClassificationOutcomes labels_of(ClassificationOutcomes outcomes, std::span<const std::uint8_t> is_truth_wanted,
                                 std::span<const std::uint8_t> is_prediction_wanted);

}  // namespace verilabel
