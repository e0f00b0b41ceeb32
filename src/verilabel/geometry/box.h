#pragma once

namespace verilabel {

/// An axis-aligned box in pixels of the upright image: left, top, width, height. The pixel in row r and column c covers
/// [c, c+1) × [r, r+1).
struct Box {
  double x = 0;
  double y = 0;
  double w = 0;
  double h = 0;

  friend bool operator==(const Box&, const Box&) = default;
};

/// w · h; negative sides are the caller's mistake.
double area(const Box& box_xywh_px);

/// Area of the intersection; 0 when the boxes only touch.
double intersection_area(const Box& a_xywh_px, const Box& b_xywh_px);

/// Intersection over union without the "+1" of integer boxes; 0 when both areas are 0. Computed in the order of operations of
/// pycocotools' `bbIou`, with the first box in the place of the detection, so that the results are the same doubles.
double iou(const Box& a_xywh_px, const Box& b_xywh_px);

/// Intersection over the area of the detection: what COCO takes for the overlap with a crowd. Same doubles as `bbIou` with
/// `iscrowd`.
double intersection_over_detection(const Box& detection_xywh_px, const Box& crowd_xywh_px);

/// Whether all four numbers are finite and neither side is negative.
bool is_valid(const Box& box_xywh_px);

}  // namespace verilabel
