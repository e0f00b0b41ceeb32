#include "verilabel/geometry/polygon_rasteriser.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "verilabel/geometry/mask_fault.h"

namespace verilabel {
namespace {

// The reference walks the outline in steps of a fifth of a pixel and keeps the places where it passes the middle between two of
// these steps at a pixel's centre column. Only those places matter, so they are computed directly, one a column, with the very
// expressions of the walk: the same result, and no memory that grows with the coordinates.

constexpr double kStepsPerPixel = 5;
constexpr double kFarthest = 1e12;

std::int64_t step_of(double coordinate) {
  return static_cast<std::int64_t>(kStepsPerPixel * std::clamp(coordinate, -kFarthest, kFarthest) + .5);
}

// Columns whose centre lies between the two steps: step 5c + 2 is left of the centre of column c, step 5c + 3 right of it.
struct ColumnRange {
  std::int64_t first;
  std::int64_t end;
};

ColumnRange columns_between(std::int64_t left_step, std::int64_t right_step, std::uint32_t width) {
  if (right_step < 3) {
    return {0, 0};
  }
  const std::int64_t first = left_step <= 2 ? 0 : (left_step - 2 + 4) / 5;
  const std::int64_t end = (right_step - 3) / 5 + 1;
  return {first, std::min<std::int64_t>(end, width)};
}

std::int64_t rounded_up(double number) {
  const auto towards_zero = static_cast<std::int64_t>(number);
  return towards_zero + (static_cast<double>(towards_zero) < number ? 1 : 0);
}

}  // namespace

RleView PolygonRasteriser::rasterise(std::span<const double> xy_px, std::span<const std::uint32_t> ends, std::uint32_t height,
                                     std::uint32_t width) {
  if (ends.empty()) {
    refuse("the mask has no polygon");
  }
  refuse(fault_of_size(height, width));
  const auto polygon = [&](std::size_t i) {
    const std::uint32_t begin = i == 0 ? 0 : ends[i - 1];
    return xy_px.subspan(begin, ends[i] - begin);
  };
  for (std::size_t i = 0; i < ends.size(); ++i) {
    refuse(fault_of_polygon(polygon(i), i));
  }
  height_ = height;
  width_ = width;
  rasterise_one(polygon(0));
  if (ends.size() > 1) {
    std::vector<Rle> parts = {{height, width, counts_}};
    for (std::size_t i = 1; i < ends.size(); ++i) {
      rasterise_one(polygon(i));
      parts.push_back({height, width, counts_});
    }
    counts_ = union_of(parts).counts;
  }
  return {height, width, counts_};
}

void PolygonRasteriser::rasterise_one(std::span<const double> xy_px) {
  constexpr std::size_t kCompactAt = std::size_t{1} << 22;
  double left = xy_px[0];
  double right = left;
  for (std::size_t i = 2; i < xy_px.size(); i += 2) {
    left = std::min(left, xy_px[i]);
    right = std::max(right, xy_px[i]);
  }
  // A closed line crosses each of these columns, so that the table is no larger than what is put into it.
  const ColumnRange columns = columns_between(step_of(left), step_of(right), width_);
  counts_.clear();
  more_.clear();
  std::uint32_t end = 0;
  if (columns.first < columns.end) {
    first_column_ = static_cast<std::uint32_t>(columns.first);
    const std::size_t count = static_cast<std::size_t>(columns.end - columns.first) + 1;
    if (columns_.size() < count) {
      columns_.resize(count);
    }
    used_columns_ = std::span(columns_).first(count);
    compact_at_ = kCompactAt;
    std::int64_t xs = step_of(xy_px[xy_px.size() - 2]);
    std::int64_t ys = step_of(xy_px[xy_px.size() - 1]);
    for (std::size_t i = 0; i < xy_px.size(); i += 2) {
      const std::int64_t xe = step_of(xy_px[i]);
      const std::int64_t ye = step_of(xy_px[i + 1]);
      add_segment(xs, ys, xe, ye);
      xs = xe;
      ys = ye;
    }
    end = more_.empty() ? take_runs_by_column() : take_runs_of_all();
  }
  const std::uint32_t rest = height_ * width_ - end;
  if (rest > 0 || counts_.empty()) {
    counts_.push_back(rest);
  }
}

inline void PolygonRasteriser::add_crossing(std::uint32_t column, std::int64_t y_step) {
  // The reference's ceil((y_step + .5) / 5 - .5): its divisions never round across a whole number.
  const std::uint64_t below_top = static_cast<std::uint64_t>(std::max<std::int64_t>(y_step + 2, 0)) / 5;
  auto row = static_cast<std::uint32_t>(std::min(below_top, std::uint64_t{height_}));
  if (row == height_) {
    ++column;
    row = 0;
  }
  Column& into = columns_[column - first_column_];
  if (into.crossings < Column::kRoom) [[likely]] {
    into.rows[into.crossings++] = row;
  } else {
    add_to_full_column(column, row);
  }
}

void PolygonRasteriser::add_segment(std::int64_t xs, std::int64_t ys, std::int64_t xe, std::int64_t ye) {
  const std::int64_t dx = std::abs(xe - xs);
  const std::int64_t dy = std::abs(ye - ys);
  const ColumnRange columns = columns_between(std::min(xs, xe), std::max(xs, xe), width_);
  if (columns.first >= columns.end) {
    return;
  }
  const auto first = static_cast<std::uint32_t>(columns.first);
  const auto end = static_cast<std::uint32_t>(columns.end);
  if (dx >= dy) {
    if (xs > xe) {
      std::swap(xs, xe);
      std::swap(ys, ye);
    }
    const double slope = static_cast<double>(ye - ys) / static_cast<double>(dx);
    const auto from = static_cast<double>(ys);
    const std::int64_t upper = ys <= ye ? 0 : 1;  // which of the two steps beside the centre is the upper one
    auto t = static_cast<double>(5 * columns.first + 2 - xs + upper);
    for (std::uint32_t column = first; column < end; ++column) {
      add_crossing(column, static_cast<std::int64_t>(from + slope * t + .5));
      t += 5;
    }
    return;
  }
  if (ys > ye) {
    std::swap(xs, xe);
    std::swap(ys, ye);
  }
  const double slope = static_cast<double>(xe - xs) / static_cast<double>(dy);
  const double steps_of_y = 1 / slope;
  const auto from = static_cast<double>(xs);
  const auto x_at = [&](std::int64_t t) { return static_cast<std::int64_t>(from + slope * static_cast<double>(t) + .5); };
  for (std::uint32_t column = first; column < end; ++column) {
    // The walk goes down; x_at is monotone. The first step on the far side of the centre:
    const std::int64_t left_step = 5 * std::int64_t{column} + 2;
    std::int64_t near = 0;
    std::int64_t far = dy;
    const auto is_across = [&](std::int64_t t) { return xs < xe ? x_at(t) > left_step : x_at(t) <= left_step; };
    // It is nearly always where the line is; the search is for what rounding does far out.
    const std::int64_t guess = rounded_up((static_cast<double>(left_step - xs) + .5) * steps_of_y);
    for (const std::int64_t t : {guess - 1, guess}) {
      if (near < t && t < far) {
        (is_across(t) ? far : near) = t;
      }
    }
    while (far - near > 1) {
      const std::int64_t middle = near + (far - near) / 2;
      (is_across(middle) ? far : near) = middle;
    }
    add_crossing(column, ys + far - 1);
  }
}

void PolygonRasteriser::add_to_full_column(std::uint32_t column, std::uint32_t row) {
  more_.push_back({column, row});
  if (more_.size() >= compact_at_) {
    cancel_pairs_of_more();
    compact_at_ = std::max(compact_at_, more_.size() * 2);
  }
}

/// Two crossings at one pixel undo each other. What is left is sorted and never more than one a pixel.
void PolygonRasteriser::cancel_pairs_of_more() {
  std::sort(more_.begin(), more_.end());
  std::size_t kept = 0;
  for (const Crossing& crossing : more_) {
    if (kept > 0 && more_[kept - 1] == crossing) {
      --kept;
    } else {
      more_[kept++] = crossing;
    }
  }
  more_.resize(kept);
}

std::uint32_t PolygonRasteriser::take_runs_by_column() {
  counts_.resize(Column::kRoom * used_columns_.size());
  std::uint32_t* count = counts_.data();
  std::uint32_t begin = 0;
  const auto end_run = [&](std::uint32_t pixel) {
    *count++ = pixel - begin;
    begin = pixel;
  };
  std::uint32_t top = first_column_ * height_;
  for (Column& column : used_columns_) {
    std::uint32_t* const rows = column.rows;
    const std::uint32_t crossings = std::exchange(column.crossings, 0);
    if (crossings == 2) {
      const std::uint32_t upper = std::min(rows[0], rows[1]);
      const std::uint32_t lower = std::max(rows[0], rows[1]);
      if (upper != lower) {
        end_run(top + upper);
        end_run(top + lower);
      }
    } else {
      std::sort(rows, rows + crossings);
      for (std::uint32_t i = 0; i < crossings; ++i) {
        if (i + 1 < crossings && rows[i] == rows[i + 1]) {
          ++i;
        } else {
          end_run(top + rows[i]);
        }
      }
    }
    top += height_;
  }
  counts_.resize(static_cast<std::size_t>(count - counts_.data()));
  return begin;
}

std::uint32_t PolygonRasteriser::take_runs_of_all() {
  std::uint32_t number = first_column_;
  for (Column& column : used_columns_) {
    for (std::uint32_t i = 0; i < column.crossings; ++i) {
      more_.push_back({number, column.rows[i]});
    }
    column.crossings = 0;
    ++number;
  }
  cancel_pairs_of_more();
  std::uint32_t begin = 0;
  for (const Crossing& crossing : more_) {
    const std::uint32_t pixel = crossing.column * height_ + crossing.row;
    counts_.push_back(pixel - begin);
    begin = pixel;
  }
  return begin;
}

}  // namespace verilabel
