#include "verilabel/geometry/box.h"

#include <cmath>

namespace verilabel {
namespace {

// Width and height are the ends' differences, as in bbIou: x + w first, then minus. Another order gives other doubles.
double intersection_of(const Box& a, const Box& b) {
  const double w = std::fmin(a.w + a.x, b.w + b.x) - std::fmax(a.x, b.x);
  if (w <= 0) {
    return 0;
  }
  const double h = std::fmin(a.h + a.y, b.h + b.y) - std::fmax(a.y, b.y);
  return h <= 0 ? 0 : w * h;
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

}  // namespace

double area(const Box& box_xywh_px) {
  return box_xywh_px.w * box_xywh_px.h;
}

double intersection_area(const Box& a_xywh_px, const Box& b_xywh_px) {
  return intersection_of(a_xywh_px, b_xywh_px);
}

double iou(const Box& a_xywh_px, const Box& b_xywh_px) {
  const double shared = intersection_of(a_xywh_px, b_xywh_px);
  return ratio(shared, area(a_xywh_px) + area(b_xywh_px) - shared);
}

double intersection_over_detection(const Box& detection_xywh_px, const Box& crowd_xywh_px) {
  return ratio(intersection_of(detection_xywh_px, crowd_xywh_px), area(detection_xywh_px));
}

bool is_valid(const Box& box_xywh_px) {
  return std::isfinite(box_xywh_px.x) && std::isfinite(box_xywh_px.y) && std::isfinite(box_xywh_px.w) &&
         std::isfinite(box_xywh_px.h) && box_xywh_px.w >= 0 && box_xywh_px.h >= 0;
}

}  // namespace verilabel
