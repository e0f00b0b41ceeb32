#pragma once

#include <cstdint>
#include <string>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"

// What those who compare label with label share. Private to the module.
namespace verilabel {

/// How much a prediction overlaps a truth of its image: IoU, or, of a crowd, intersection over the prediction's area; the doubles
/// of pycocotools. Masks must be there when they are asked for; throws `bad_data` when they are of different sizes.
double overlap_of(const EvaluationInput& input, IouType iou_type, std::uint32_t prediction, std::uint32_t truth);

/// A `bad_data` error about a label on that image.
Error label_error(const EvaluationInput& input, std::string message, std::uint32_t image, const ErrorContext& more);

}  // namespace verilabel
