#include "verilabel/demo/canvas.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "verilabel/base/error.h"

namespace verilabel::demo {

struct Extents {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;

  double width() const { return right - left; }
  double height() const { return bottom - top; }
};

namespace {

constexpr double kMaxChannel = 255;
constexpr double kTurn = 2 * std::numbers::pi;
constexpr double kEdgeOpacity = 0.45;

struct ReleasePattern {
  void operator()(cairo_pattern_t* pattern) const { cairo_pattern_destroy(pattern); }
};
using Gradient = std::unique_ptr<cairo_pattern_t, ReleasePattern>;

void set_source(cairo_t* cairo, Rgb color, double opacity) {
  cairo_set_source_rgba(cairo, color.r / kMaxChannel, color.g / kMaxChannel, color.b / kMaxChannel, opacity);
}

void add_stop(const Gradient& gradient, double offset, Rgb color, double opacity) {
  cairo_pattern_add_color_stop_rgba(gradient.get(), offset, color.r / kMaxChannel, color.g / kMaxChannel, color.b / kMaxChannel,
                                    opacity);
}

Extents path_extents(cairo_t* cairo) {
  Extents extents;
  cairo_path_extents(cairo, &extents.left, &extents.top, &extents.right, &extents.bottom);
  return extents;
}

/// Light and shadow on whatever the path holds already; keeps the path.
void shade_path(cairo_t* cairo, const Extents& extents, Shading shading) {
  constexpr Rgb kLight{255, 255, 250};
  constexpr Rgb kDark{8, 8, 24};
  if (shading == Shading::flat) {
    return;
  }
  Gradient gradient;
  if (shading == Shading::vertical) {
    gradient.reset(cairo_pattern_create_linear(extents.left, extents.top, extents.left + 0.25 * extents.width(), extents.bottom));
    add_stop(gradient, 0, kLight, 0.30);
    add_stop(gradient, 0.45, kLight, 0.0);
    add_stop(gradient, 0.55, kDark, 0.0);
    add_stop(gradient, 1, kDark, 0.34);
  } else if (shading == Shading::cylinder) {
    gradient.reset(cairo_pattern_create_linear(extents.left, extents.top, extents.right, extents.top));
    add_stop(gradient, 0, kDark, 0.22);
    add_stop(gradient, 0.18, kLight, 0.08);
    add_stop(gradient, 0.32, kLight, 0.36);
    add_stop(gradient, 0.48, kLight, 0.02);
    add_stop(gradient, 0.56, kDark, 0.02);
    add_stop(gradient, 1, kDark, 0.42);
  } else {
    const double radius = 0.5 * std::max(extents.width(), extents.height());
    const double x = 0.5 * (extents.left + extents.right);
    const double y = 0.5 * (extents.top + extents.bottom);
    gradient.reset(cairo_pattern_create_radial(x - 0.38 * radius, y - 0.42 * radius, 0.04 * radius, x - 0.1 * radius,
                                               y - 0.12 * radius, 1.22 * radius));
    add_stop(gradient, 0, kLight, 0.62);
    add_stop(gradient, 0.28, kLight, 0.14);
    add_stop(gradient, 0.5, kDark, 0.0);
    add_stop(gradient, 1, kDark, 0.46);
  }
  cairo_set_source(cairo, gradient.get());
  cairo_fill_preserve(cairo);
}

}  // namespace

Canvas::Canvas(int width_px, int height_px)
    : surface_(cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width_px, height_px)), cairo_(cairo_create(surface_.get())) {
  if (cairo_status(cairo()) != CAIRO_STATUS_SUCCESS) {
    throw Error(ErrorCode::internal, "Cairo cannot make a picture to draw on");
  }
  cairo_set_line_cap(cairo(), CAIRO_LINE_CAP_ROUND);
  cairo_set_line_join(cairo(), CAIRO_LINE_JOIN_ROUND);
}

void Canvas::set_frame(Point origin_px, double unit_px, bool is_mirrored, double turn_rad, Point pivot) {
  cairo_identity_matrix(cairo());
  cairo_translate(cairo(), origin_px.x, origin_px.y);
  cairo_scale(cairo(), is_mirrored ? -unit_px : unit_px, unit_px);
  turn(pivot, turn_rad);
}

void Canvas::turn(Point pivot, double turn_rad) {
  if (turn_rad != 0) {
    cairo_translate(cairo(), pivot.x, pivot.y);
    cairo_rotate(cairo(), turn_rad);
    cairo_translate(cairo(), -pivot.x, -pivot.y);
  }
}

Canvas& Canvas::rect(double x, double y, double w, double h) {
  cairo_rectangle(cairo(), x, y, w, h);
  return *this;
}

Canvas& Canvas::round(double x, double y, double w, double h, double radius) {
  const double r = std::min({radius, w / 2, h / 2});
  constexpr double kQuarter = kTurn / 4;
  cairo_new_sub_path(cairo());
  cairo_arc(cairo(), x + w - r, y + r, r, -kQuarter, 0);
  cairo_arc(cairo(), x + w - r, y + h - r, r, 0, kQuarter);
  cairo_arc(cairo(), x + r, y + h - r, r, kQuarter, 2 * kQuarter);
  cairo_arc(cairo(), x + r, y + r, r, 2 * kQuarter, 3 * kQuarter);
  cairo_close_path(cairo());
  return *this;
}

Canvas& Canvas::oval(double x, double y, double rx, double ry) {
  // Four curves; the constant puts them within 0.03 % of the true circle.
  constexpr double kArm = 0.5522847498;
  cairo_new_sub_path(cairo());
  cairo_move_to(cairo(), x + rx, y);
  cairo_curve_to(cairo(), x + rx, y + kArm * ry, x + kArm * rx, y + ry, x, y + ry);
  cairo_curve_to(cairo(), x - kArm * rx, y + ry, x - rx, y + kArm * ry, x - rx, y);
  cairo_curve_to(cairo(), x - rx, y - kArm * ry, x - kArm * rx, y - ry, x, y - ry);
  cairo_curve_to(cairo(), x + kArm * rx, y - ry, x + rx, y - kArm * ry, x + rx, y);
  cairo_close_path(cairo());
  return *this;
}

Canvas& Canvas::arc(double x, double y, double radius, double from_rad, double to_rad) {
  cairo_new_sub_path(cairo());
  cairo_arc(cairo(), x, y, radius, from_rad, to_rad);
  return *this;
}

Canvas& Canvas::poly(std::span<const Point> points) {
  cairo_new_sub_path(cairo());
  for (const Point& point : points) {
    cairo_line_to(cairo(), point.x, point.y);
  }
  cairo_close_path(cairo());
  return *this;
}

Canvas& Canvas::blob(std::span<const Point> points) {
  // A closed Catmull-Rom spline as Bézier curves.
  const std::size_t count = points.size();
  cairo_new_sub_path(cairo());
  cairo_move_to(cairo(), points[0].x, points[0].y);
  for (std::size_t i = 0; i < count; ++i) {
    const Point& before = points[(i + count - 1) % count];
    const Point& from = points[i];
    const Point& to = points[(i + 1) % count];
    const Point& behind = points[(i + 2) % count];
    cairo_curve_to(cairo(), from.x + (to.x - before.x) / 6, from.y + (to.y - before.y) / 6, to.x - (behind.x - from.x) / 6,
                   to.y - (behind.y - from.y) / 6, to.x, to.y);
  }
  cairo_close_path(cairo());
  return *this;
}

Canvas& Canvas::line(std::initializer_list<Point> points) {
  cairo_new_sub_path(cairo());
  for (const Point& point : points) {
    cairo_line_to(cairo(), point.x, point.y);
  }
  return *this;
}

Canvas& Canvas::curve(Point a, Point b, Point c, Point d) {
  cairo_move_to(cairo(), a.x, a.y);
  cairo_curve_to(cairo(), b.x, b.y, c.x, c.y, d.x, d.y);
  return *this;
}

void Canvas::fill(Rgb color, double opacity) {
  set_source(cairo(), color, opacity);
  cairo_fill(cairo());
}

void Canvas::fill_down(Rgb top, Rgb bottom, double opacity) {
  const Extents extents = path_extents(cairo());
  const Gradient gradient(cairo_pattern_create_linear(0, extents.top, 0, extents.bottom));
  add_stop(gradient, 0, top, opacity);
  add_stop(gradient, 1, bottom, opacity);
  cairo_set_source(cairo(), gradient.get());
  cairo_fill(cairo());
}

void Canvas::shade(Rgb color, Shading shading) {
  const Extents extents = path_extents(cairo());
  set_source(cairo(), color, 1);
  cairo_fill_preserve(cairo());
  shade_path(cairo(), extents, shading);
  cairo_new_path(cairo());
}

void Canvas::draw_pattern(const Paint& paint, const Extents& extents) {
  cairo_save(cairo());
  cairo_clip_preserve(cairo());
  cairo_path_t* const path = cairo_copy_path(cairo());
  cairo_new_path(cairo());
  const double x = 0.5 * (extents.left + extents.right);
  const double y = 0.5 * (extents.top + extents.bottom);
  const double reach = 0.75 * std::max(extents.width(), extents.height()) + paint.pitch;
  turn({x, y}, paint.stripe_angle);
  const int steps = static_cast<int>(std::ceil(reach / paint.pitch));
  set_source(cairo(), paint.second, 0.95);
  for (int i = -steps; i <= steps; ++i) {
    if (paint.pattern == Pattern::striped) {
      rect(x + (i - 0.22) * paint.pitch, y - reach, 0.44 * paint.pitch, 2 * reach);
    } else {
      for (int j = -steps; j <= steps; ++j) {
        disc(x + (i + (j % 2 == 0 ? 0.0 : 0.5)) * paint.pitch, y + 0.85 * j * paint.pitch, 0.25 * paint.pitch);
      }
    }
  }
  cairo_fill(cairo());
  cairo_restore(cairo());
  cairo_append_path(cairo(), path);
  cairo_path_destroy(path);
}

void Canvas::body(const Paint& paint, Shading shading) {
  const Extents extents = path_extents(cairo());
  set_source(cairo(), paint.color, 1);
  cairo_fill_preserve(cairo());
  if (paint.pattern != Pattern::plain) {
    draw_pattern(paint, extents);
  }
  shade_path(cairo(), extents, shading);
  stroke(darker(paint.color, 0.6), paint.edge_width, kEdgeOpacity);
}

void Canvas::stroke(Rgb color, double width, double opacity) {
  set_source(cairo(), color, opacity);
  cairo_set_line_width(cairo(), width);
  cairo_stroke(cairo());
}

void Canvas::glow(double x, double y, double radius, Rgb color, double opacity) {
  const Gradient gradient(cairo_pattern_create_radial(x, y, 0, x, y, radius));
  add_stop(gradient, 0, color, opacity);
  add_stop(gradient, 0.4, color, 0.45 * opacity);
  add_stop(gradient, 1, color, 0);
  cairo_set_source(cairo(), gradient.get());
  disc(x, y, radius);
  cairo_fill(cairo());
}

int Canvas::width() const {
  return cairo_image_surface_get_width(surface_.get());
}

int Canvas::height() const {
  return cairo_image_surface_get_height(surface_.get());
}

std::span<const std::uint32_t> Canvas::pixels() const {
  cairo_surface_flush(surface_.get());
  // 32 bits a pixel need no padding.
  return {reinterpret_cast<const std::uint32_t*>(cairo_image_surface_get_data(surface_.get())),
          static_cast<std::size_t>(width()) * static_cast<std::size_t>(height())};
}

}  // namespace verilabel::demo
