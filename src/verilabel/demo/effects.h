#pragma once

#include <span>

#include "verilabel/demo/color.h"
#include "verilabel/demo/conditions.h"
#include "verilabel/demo/random.h"
#include "verilabel/image/image.h"

// What light, weather and camera do to finished pixels, in integers. Private to the module.
namespace verilabel::demo {

/// A light in the dark, in pixels.
struct Glow {
  double x = 0;
  double y = 0;
  double radius = 0;
  Rgb color;
  double strength = 1;
};

/// Multiplies by the light of the hour and what the glows add to it.
void light_up(Image& image, Light light, bool is_outdoors, std::span<const Glow> glows);
/// `opacity` of 0 to 256 of the color over the pixels of a row.
void veil_row(Image& image, int y, Rgb color, int opacity);
void add_rain(Image& image, Random& random);
void add_snowflakes(Image& image, Random& random);
void blur(Image& image, double sigma_px);
void add_noise(Image& image, double sigma, Random& random);
void expose(Image& image, double gain);

/// The mean of the squares of the four-neighbour Laplacian of the luma, less the square of its mean: low where nothing is sharp.
double laplacian_variance(const Image& image);

}  // namespace verilabel::demo
