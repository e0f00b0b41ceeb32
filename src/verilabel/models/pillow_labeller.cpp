#include "verilabel/models/pillow_labeller.h"

#include <utility>

namespace verilabel {

PillowLabeller::PillowLabeller(const ModelSource& source, std::string family, const TensorInfo& input, ImageProcessor processor,
                               InputSize canvas)
    : FamilyLabeller(source, std::move(family), input, canvas), processor_(std::move(processor)) {
  card_.preprocessing = processor_.text();
}

InputTransform PillowLabeller::preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch, int pass) const {
  const InputSize canvas{input_height(), input_width()};
  const InputSize content = write_image(processor_, image, canvas, inputs[image_input()].f32, scratch);
  write_other_inputs(inputs, content, image);
  return {static_cast<double>(content.width) / image.width(),
          static_cast<double>(content.height) / image.height(),
          0,
          0,
          image.width(),
          image.height(),
          pass};
}

}  // namespace verilabel
