#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "verilabel/image/resize.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/manifest.h"

// Private to the module.
namespace verilabel {

/// How an image becomes an input tensor where the reference resizes with Pillow: Hugging Face's image processors (their Pillow
/// backend), timm's and torchvision's transforms of Pillow images. Everything up to the tables works on 8-bit pixels, as there;
/// but for `resizes_tensor`.
struct ImageProcessor {
  enum class SizeRule : std::uint8_t {
    keep,
    exact,          ///< `size`, whatever the shape
    shortest_edge,  ///< the shorter side gets that length, the other is cut to whole pixels
    bounded_edges,  ///< as DETR: likewise, unless the longer side then passed `longest_edge`
    longest_edge,   ///< as SAM: the longer side gets that length, both are rounded half up
    square,         ///< as OWLv2: padded with black to a square, which is brought to `size` in floating point
  };
  /// Where a crop of the centre begins when an odd number of pixels is left over.
  enum class CropRounding : std::uint8_t {
    down,       ///< Hugging Face
    half_even,  ///< torchvision
  };

  SizeRule rule = SizeRule::exact;
  InputSize size;
  int shortest_edge = 0;
  int longest_edge = 0;
  PillowFilter filter = PillowFilter::bilinear;
  /// Between the numbers of the tensor instead of pixels, as torchvision resizes tensors: linearly without antialiasing, or, as it
  /// does unless it is told otherwise, antialiased by the filter. `exact` only, without a crop.
  bool resizes_tensor = false;
  bool is_antialiased = false;
  std::optional<InputSize> crop;  ///< after resizing, from the centre; what is smaller is padded with black pixels
  CropRounding crop_rounding = CropRounding::down;
  PixelTables tables;
  std::optional<InputSize> pad_size;  ///< that the reference pads to; `bounded_edges` and `longest_edge` only
  std::string scaling;                ///< what the tables do, in words

  /// The size of the tensor, when it is the same for all images.
  std::optional<InputSize> fixed_size() const;
  /// Of an image after resizing, before any crop. Throws `bad_data` for one that is too narrow for its rule.
  InputSize resized(int width, int height) const;
  std::string text() const;
};

/// How pixel values become numbers, in the arithmetic of the reference.
struct ValueScaling {
  enum class Rescale : std::uint8_t {
    none,
    factor,   ///< multiplied in double precision, then rounded to float: Hugging Face
    divided,  ///< divided by 255 in single precision: torchvision
  };
  Rescale rescale = Rescale::factor;
  double factor = 1 / 255.0;
  bool has_offset = false;  ///< one is taken off after that
  bool is_normalised = true;
  std::array<double, 3> mean = {0, 0, 0};  ///< in RGB order, or that of `order`
  std::array<double, 3> std = {1, 1, 1};
  bool is_divided_again = false;  ///< by `std` once more: EfficientNet's `include_top`
  ChannelOrder order = ChannelOrder::rgb;
};
PixelTables tables_of(const ValueScaling& scaling);
std::string text_of(const ValueScaling& scaling);

/// Reads a preprocessor_config.json. Throws `bad_data`, naming file and key, for a processor that is not known, for keys that are
/// not, since they might change pixels, and for values that make no sense.
ImageProcessor read_image_processor(const std::filesystem::path& file);

/// The evaluation transform that timm makes from the `pretrained_cfg` of a config.json. Throws as above.
ImageProcessor read_timm_processor(const std::filesystem::path& file);

/// torchvision's usual transform of a classifier: the shorter side to `shortest_edge`, the centre of `crop`, divided by 255.
ImageProcessor centre_of_shortest_edge(int shortest_edge, InputSize crop, PillowFilter filter);

/// Writes the image into the upper left of a tensor of that size; returns what the image measures there, in whole pixels. Throws
/// `bad_data` when it does not fit.
InputSize write_image(const ImageProcessor& processor, const Image& image, InputSize canvas, std::span<float> chw, Image& scratch);

std::string_view name_of(PillowFilter filter);

}  // namespace verilabel
