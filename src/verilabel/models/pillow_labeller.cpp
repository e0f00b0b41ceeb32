#include "verilabel/models/pillow_labeller.h"

#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {

PillowLabeller::PillowLabeller(const ModelSource& source, std::string family, const TensorInfo& input, ImageProcessor processor,
                               InputSize canvas)
    : FamilyLabeller(source, std::move(family), input, canvas), processor_(std::move(processor)) {
  card_.preprocessing = processor_.text();
  require_values_of(input, processor_.tables);
}

InputSize canvas_of(const ImageProcessor& processor, const TensorInfo& input, const std::filesystem::path& stated_by) {
  const std::optional<InputSize> size = processor.fixed_size();
  if (!size) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the image processor makes tensors of a size that depends on the image ({}), which this model cannot "
                            "take",
                            processor.text()),
                {{"file", stated_by.native()}});
  }
  if ((input.shape[2] > 0 && input.shape[2] != size->height) || (input.shape[3] > 0 && input.shape[3] != size->width)) {
    throw Error(
        ErrorCode::bad_model,
        fmt::format("images are prepared as {} x {} pixels, but the graph takes {}", size->width, size->height, text_of(input)),
        {{"prepared by", stated_by.native()}});
  }
  return *size;
}

InputTransform PillowLabeller::preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch, int pass) const {
  const InputSize canvas{input_height(), input_width()};
  const InputSize content = write_image(processor_, image, canvas, inputs[image_input()].f32, scratch);
  write_other_inputs(inputs, content, image, pass);
  return {static_cast<double>(content.width) / image.width(),
          static_cast<double>(content.height) / image.height(),
          0,
          0,
          image.width(),
          image.height(),
          pass};
}

}  // namespace verilabel
