#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "verilabel/image/image.h"

namespace verilabel {

/// Kernels of OpenCV's `resize`; no antialiasing when shrinking, except `area`.
enum class OpencvInterpolation : std::uint8_t { nearest, linear, cubic, area };
/// Kernels of Pillow's `Image.resize`; all but `nearest` antialias when shrinking.
enum class PillowFilter : std::uint8_t { nearest, box, bilinear, hamming, bicubic, lanczos };

/// The pixels of `cv::resize`. Sizes are positive.
void resize_opencv(const Image& source, int width, int height, OpencvInterpolation interpolation, Image& result);
/// The pixels of Pillow's resize of an RGB image, bit for bit (`Resample.c`: double coefficients, 22-bit fixed point, an
/// 8-bit result between the two passes). The horizontal pass comes first, but for images more than a hundred times as tall as wide
/// that lose height (`Image.resize`). That order is Pillow's up to 12; 13 starts with the vertical pass for many more that lose
/// more height than width, which moves single values by some grey levels. Sizes are positive.
void resize_pillow(const Image& source, int width, int height, PillowFilter filter, Image& result);

/// The pixels x to x + width, y to y + height, which must lie inside.
void crop(const Image& source, int x, int y, int width, int height, Image& result);

enum class ChannelOrder : std::uint8_t { bgr, rgb };

/// value = (pixel − mean) / std, channel by channel in `order`.
struct PixelScaling {
  ChannelOrder order = ChannelOrder::rgb;
  float mean[3] = {0, 0, 0};
  float std[3] = {1, 1, 1};
};

/// The image padded with `padding` on the right or below to a square and brought to `side` × `side` pixels as scikit-image's
/// `resize` does with antialiasing (order 1, reflecting at the borders): blurred by a Gaussian of σ = (shrinking − 1) / 2 that ends
/// at 4 σ, then interpolated linearly at the centres of the new pixels; scaled after that, into a planar tensor. All of it in
/// floating point.
void write_square_scikit(const Image& image, const PixelScaling& scaling, std::uint8_t padding, int side, std::span<float> chw);

/// What each pixel value becomes, whatever the function: one table a channel, in `order`.
struct PixelTables {
  ChannelOrder order = ChannelOrder::rgb;
  std::array<std::array<float, 256>, 3> values{};
  std::array<float, 3> padding{};  ///< around the image
};

/// The tables of a scaling; `padding` is a pixel value that is scaled like the others.
PixelTables tables_of(const PixelScaling& scaling, std::uint8_t padding);

/// Writes the image into a planar float tensor of 3 × `canvas_height` × `canvas_width`, its top left corner at (`left`, `top`), and
/// fills what is around it. What lies outside the canvas is cut off.
void write_planar(const Image& image, const PixelTables& tables, int canvas_width, int canvas_height, int left, int top,
                  std::span<float> chw);

/// The same for the image stretched to the whole tensor by linear interpolation of the numbers themselves, not of pixels: PyTorch's
/// `interpolate(mode="bilinear", align_corners=False)` without antialiasing, up to the rounding of a few additions. Sizes are
/// positive.
void write_planar_linear(const Image& image, const PixelTables& tables, int width, int height, std::span<float> chw);

/// The same by a filter of Pillow, antialiased, but between the numbers themselves and without rounding on the way: PyTorch's
/// `interpolate(antialias=True)` of a float tensor, up to the rounding of single precision. `filter` is not `nearest`; `tables` are
/// a factor and an offset a channel.
void write_planar_antialiased(const Image& image, const PixelTables& tables, PillowFilter filter, int width, int height,
                              std::span<float> chw);

}  // namespace verilabel
