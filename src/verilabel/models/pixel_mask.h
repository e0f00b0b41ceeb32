#pragma once

#include <cstddef>
#include <string>

#include "verilabel/models/family.h"

// Private to the module.
namespace verilabel {

/// The input that says where on the canvas the image is, where images of any shape are padded to one that is the same for all.
struct PixelMask {
  std::size_t input = 0;  ///< of the graph
  InputSize size;         ///< of the mask itself
  InputSize canvas;
  int stride = 32;  ///< pixels of a cell of the features that a mask smaller than the canvas is brought to
};

/// Of an input [B, height, width]; dynamic sides are those of the canvas.
PixelMask pixel_mask_of(const ModelSource& source, const TensorInfo& mask, InputSize canvas, int stride);

/// Marks the upper left `content` of the canvas.
void write_pixel_mask(const PixelMask& mask, InputSize content, const InputView& view);

/// The canvas that images are padded to on the right and below, the same for all so that the graph runs at one size: what the
/// processor makes of them, unless the manifest stretches them (`fit`, `input_size`), which changes the processor. Throws
/// `bad_data` for a processor that no detector has, `bad_model` for images of different shapes without a mask, or with one that is
/// too coarse.
InputSize padded_canvas_of(const ModelSource& source, const TensorInfo& image, const TensorInfo* mask, ImageProcessor& processor,
                           const std::string& model_type, int stride);

}  // namespace verilabel
