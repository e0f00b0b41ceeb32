#include "verilabel/models/pixel_mask.h"

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

/// How many cells of a map of features see the image: those whose pixel of the full mask, as nearest-neighbour interpolation takes
/// it, lies in the image.
int cells_in_image(int content, int canvas, int cells) {
  int inside = 0;
  while (inside < cells && inside * canvas / cells < content) {
    ++inside;
  }
  return inside;
}

/// Entries of the mask that stand for the image. A mask of the size of the canvas has one a pixel. A smaller one of fixed size
/// ([B, 64, 64] in many exports) only serves to be brought to the size of the features, by nearest neighbours: it gets the entries
/// that come out there as those of the full mask would.
int covered(int content, int canvas, int entries, int stride) {
  if (entries == canvas) {
    return content;
  }
  const int cells = (canvas + stride - 1) / stride;
  return cells_in_image(content, canvas, cells) * entries / cells;
}

}  // namespace

PixelMask pixel_mask_of(const ModelSource& source, const TensorInfo& mask, InputSize canvas, int stride) {
  if (mask.shape.size() != 3) {
    throw Error(ErrorCode::bad_model,
                fmt::format("the mask of padding must have the shape [images, height, width]: {}", text_of(mask)),
                {{"file", source.files.graph.native()}});
  }
  const auto side = [](std::int64_t of_graph, int of_canvas) { return of_graph > 0 ? static_cast<int>(of_graph) : of_canvas; };
  return {.input = static_cast<std::size_t>(&mask - source.graph.inputs.data()),
          .size = {side(mask.shape[1], canvas.height), side(mask.shape[2], canvas.width)},
          .canvas = canvas,
          .stride = stride};
}

void write_pixel_mask(const PixelMask& mask, InputSize content, const InputView& view) {
  const int rows = covered(content.height, mask.canvas.height, mask.size.height, mask.stride);
  const int columns = covered(content.width, mask.canvas.width, mask.size.width, mask.stride);
  const auto write = [&](auto values) {
    for (int y = 0; y < mask.size.height; ++y) {
      for (int x = 0; x < mask.size.width; ++x) {
        values[static_cast<std::size_t>(y) * static_cast<std::size_t>(mask.size.width) + static_cast<std::size_t>(x)] =
            y < rows && x < columns ? 1 : 0;
      }
    }
  };
  if (!view.i64.empty()) {
    write(view.i64);
  } else {
    write(view.f32);
  }
}

InputSize padded_canvas_of(const ModelSource& source, const TensorInfo& image, const TensorInfo* mask, ImageProcessor& processor,
                           const std::string& model_type, int stride) {
  const Manifest& manifest = source.manifest;
  if (processor.rule == ImageProcessor::SizeRule::exact) {
    return input_size_of(source, image, processor.size);
  }
  if (manifest.fit == Fit::stretch) {
    if (!manifest.input_size) {
      throw Error(ErrorCode::bad_data, "fit 'stretch' needs the input_size that images are stretched to",
                  {{"file", manifest.path.native()}, {"key", "fit"}});
    }
    processor.rule = ImageProcessor::SizeRule::exact;
    processor.size = *manifest.input_size;
    return input_size_of(source, image, processor.size);
  }
  if (processor.rule != ImageProcessor::SizeRule::bounded_edges) {
    throw Error(ErrorCode::bad_data, fmt::format("a detector cannot take images that are prepared so: {}", processor.text()),
                {{"file", source.files.preprocessor.native()}});
  }
  if (mask == nullptr) {
    throw Error(ErrorCode::bad_model,
                "images of different shapes need padding, and the graph has no input pixel_mask that says where it is: the results "
                "would change with it. Export the model with pixel_mask, or accept another preprocessing by {\"fit\": \"stretch\", "
                "\"input_size\": [height, width]} in a manifest",
                {{"model_type", model_type}});
  }
  const int side = processor.longest_edge;
  const InputSize canvas = input_size_of(source, image, processor.pad_size.value_or(InputSize{side, side}));
  const auto is_usable = [&](std::int64_t entries, int of_canvas) {
    return entries <= 0 || entries == of_canvas || entries >= (of_canvas + stride - 1) / stride;
  };
  if (mask->shape.size() != 3 || !is_usable(mask->shape[1], canvas.height) || !is_usable(mask->shape[2], canvas.width)) {
    throw Error(ErrorCode::bad_model, fmt::format("the input {} is too coarse for images of {} x {} pixels", text_of(*mask),
                                                  canvas.width, canvas.height));
  }
  return canvas;
}

}  // namespace verilabel
