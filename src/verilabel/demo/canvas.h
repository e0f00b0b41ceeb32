#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include <cairo.h>

#include "verilabel/demo/color.h"

// A small vocabulary for drawing over Cairo. Private to the module.
namespace verilabel::demo {

struct Point {
  double x;
  double y;
};

/// How light falls on a surface: from the upper left, always.
enum class Shading : std::uint8_t { flat, vertical, cylinder, ball };

enum class Pattern : std::uint8_t { plain, striped, spotted };

/// What covers the part of an object that has its color.
struct Paint {
  Rgb color;
  Rgb second;  ///< of stripes and spots
  Pattern pattern = Pattern::plain;
  double pitch = 0.14;      ///< from one stripe to the next, in units
  double stripe_angle = 0;  ///< radians
  double edge_width = 0.012;
};

/// A transparent picture and a path on it. Shapes are added to the path; what paints uses it up. Coordinates are units of the frame
/// and end up on Cairo's grid of 1/256 pixels, so that the last bit of a sine does not matter.
class Canvas {
 public:
  Canvas(int width_px, int height_px);

  /// From now on the point (0, 0) is at `origin_px` and a unit is `unit_px` long, mirrored if wanted; turned around `pivot` then.
  void set_frame(Point origin_px, double unit_px, bool is_mirrored = false, double turn_rad = 0, Point pivot = {0, 0});
  /// The frame turned around a point, for what `draw` does.
  template <typename Draw>
  void turned(Point pivot, double turn_rad, Draw draw) {
    cairo_save(cairo());
    turn(pivot, turn_rad);
    draw();
    cairo_restore(cairo());
  }

  Canvas& rect(double x, double y, double w, double h);
  Canvas& round(double x, double y, double w, double h, double radius);
  Canvas& oval(double x, double y, double rx, double ry);
  Canvas& disc(double x, double y, double radius) { return oval(x, y, radius, radius); }
  /// A part of a circle, angles clockwise from the right; open.
  Canvas& arc(double x, double y, double radius, double from_rad, double to_rad);
  Canvas& poly(std::initializer_list<Point> points) { return poly(std::span(points.begin(), points.size())); }
  Canvas& poly(std::span<const Point> points);
  /// A smooth closed curve through the points.
  Canvas& blob(std::initializer_list<Point> points) { return blob(std::span(points.begin(), points.size())); }
  Canvas& blob(std::span<const Point> points);
  /// An open line of straight pieces.
  Canvas& line(std::initializer_list<Point> points);
  /// An open curve from `a` to `d`.
  Canvas& curve(Point a, Point b, Point c, Point d);

  void fill(Rgb color, double opacity = 1);
  /// From one color at the top of the path to another at its bottom.
  void fill_down(Rgb top, Rgb bottom, double opacity = 1);
  void shade(Rgb color, Shading shading);
  /// The paint with its pattern, shaded, with a thin dark edge.
  void body(const Paint& paint, Shading shading);
  void stroke(Rgb color, double width, double opacity = 1);
  /// A soft round light whose middle is brightest.
  void glow(double x, double y, double radius, Rgb color, double opacity);

  int width() const;
  int height() const;
  /// Premultiplied, alpha in the highest byte, then red, green, blue; rows top to bottom without padding.
  std::span<const std::uint32_t> pixels() const;

 private:
  struct Release {
    void operator()(cairo_t* cairo) const { cairo_destroy(cairo); }
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  };

  cairo_t* cairo() const { return cairo_.get(); }
  void turn(Point pivot, double turn_rad);
  void draw_pattern(const Paint& paint, const struct Extents& extents);

  std::unique_ptr<cairo_surface_t, Release> surface_;
  std::unique_ptr<cairo_t, Release> cairo_;
};

}  // namespace verilabel::demo
