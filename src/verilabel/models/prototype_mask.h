#pragma once

#include <span>

#include "verilabel/geometry/box.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/models/labeller.h"

// Private to the module.
namespace verilabel {

/// Pixels of the model's input that one pixel of a prototype covers, across and down.
constexpr int kPrototypeStride = 4;

/// The mask of one object in the upright image. `prototypes` is [coefficients, height / 4, width / 4] of the model's input; their
/// sum weighted by `coefficients` is a map of logits. The map is enlarged until the padding of `transform` ends between its pixels,
/// the padding is cut off, the rest stretched to the image, and what is above 0 inside the box is the mask: a pixel is inside the
/// box when its index in each direction is at or above the box's beginning and below its end. All enlarging is bilinear between
/// pixel centres. This is how Ultralytics 8.4 makes masks at the size of the image (`retina_masks=True`).
Rle mask_from_prototypes(std::span<const float> coefficients, const OutputView& prototypes, const Box& box_xywh_px,
                         const InputTransform& transform);

/// The mask of query `index` of [queries, height, width] logits: enlarged to the image, bilinearly between pixel centres and
/// without antialiasing (PyTorch's `interpolate`), and what is above 0.
Rle mask_of_logits(const OutputView& logits, std::size_t index, const InputTransform& transform);

}  // namespace verilabel
