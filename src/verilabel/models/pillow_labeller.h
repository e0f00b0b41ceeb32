#pragma once

#include <filesystem>
#include <string>

#include "verilabel/models/family.h"

// Private to the module.
namespace verilabel {

/// The size of the tensor that the processor makes, whatever the image. Throws `bad_data` when it depends on the image, `bad_model`
/// when the graph's input takes another; both name `stated_by`.
InputSize canvas_of(const ImageProcessor& processor, const TensorInfo& input, const std::filesystem::path& stated_by);

/// A model whose image comes through an `ImageProcessor`, into the upper left of an input of one size for all images.
class PillowLabeller : public FamilyLabeller {
 public:
  InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch, int pass) const final;

 protected:
  PillowLabeller(const ModelSource& source, std::string family, const TensorInfo& input, ImageProcessor processor,
                 InputSize canvas);

  /// Writes the inputs beside the image, which fills the upper left `content` of its own.
  virtual void write_other_inputs(std::span<const InputView> /*inputs*/, InputSize /*content*/, const Image& /*image*/,
                                  int /*pass*/) const {}

 private:
  ImageProcessor processor_;
};

}  // namespace verilabel
