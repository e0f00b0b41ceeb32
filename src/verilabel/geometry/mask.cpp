#include "verilabel/geometry/mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/geometry/mask_fault.h"
#include "verilabel/geometry/polygon_rasteriser.h"

namespace verilabel {
namespace {

std::uint64_t pixel_count(std::uint32_t height, std::uint32_t width) {
  return std::uint64_t{height} * width;
}

std::optional<std::string> fault_of(RleView rle) {
  if (auto fault = fault_of_size(rle.height, rle.width)) {
    return fault;
  }
  std::uint64_t sum = 0;
  for (const std::uint32_t count : rle.counts) {
    sum += count;
  }
  if (sum != pixel_count(rle.height, rle.width)) {
    return fmt::format("the runs of the mask add up to {} pixels, but its size is {} × {} = {}", sum, rle.width, rle.height,
                       pixel_count(rle.height, rle.width));
  }
  return std::nullopt;
}

std::optional<std::string> fault_of(std::span<const Polygon> polygons) {
  if (polygons.empty()) {
    return "the mask has no polygon";
  }
  for (std::size_t i = 0; i < polygons.size(); ++i) {
    if (auto fault = fault_of_polygon(polygons[i], i)) {
      return fault;
    }
  }
  return std::nullopt;
}

// ---- walking two masks side by side ----

class RunCursor {
 public:
  explicit RunCursor(RleView rle) : counts_(rle.counts) { skip_empty(); }

  bool is_inside() const { return is_inside_; }
  std::uint32_t left() const { return left_; }
  void advance(std::uint32_t pixels) {
    left_ -= pixels;
    skip_empty();
  }

 private:
  void skip_empty() {
    while (left_ == 0 && next_ < counts_.size()) {
      is_inside_ = next_ % 2 == 1;
      left_ = counts_[next_++];
    }
  }

  std::span<const std::uint32_t> counts_;
  std::size_t next_ = 0;
  std::uint32_t left_ = 0;
  bool is_inside_ = false;
};

void require_same_size(RleView a, RleView b) {
  if (a.height != b.height || a.width != b.width) {
    throw Error(ErrorCode::bad_data, fmt::format("masks of different sizes cannot be compared: {} × {} and {} × {} pixels", a.width,
                                                 a.height, b.width, b.height));
  }
}

Rle union_of_two(RleView a, RleView b) {
  Rle united{a.height, a.width, {}};
  RunCursor in_a(a);
  RunCursor in_b(b);
  bool is_inside = false;
  std::uint32_t run = 0;
  while (in_a.left() > 0) {
    const bool is_now_inside = in_a.is_inside() || in_b.is_inside();
    if (is_now_inside != is_inside) {
      united.counts.push_back(run);
      run = 0;
      is_inside = is_now_inside;
    }
    const std::uint32_t step = std::min(in_a.left(), in_b.left());
    run += step;
    in_a.advance(step);
    in_b.advance(step);
  }
  united.counts.push_back(run);
  return united;
}

std::uint64_t intersection(RleView a, RleView b) {
  require_same_size(a, b);
  // The stretches inside, one of each mask at a time; the one that ends first cannot meet anything further.
  struct Inside {
    std::span<const std::uint32_t> counts;
    std::size_t next = 0;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    bool advance() {
      if (next + 1 >= counts.size()) {
        return false;
      }
      begin = end + counts[next];
      end = begin + counts[next + 1];
      next += 2;
      return true;
    }
  };
  Inside in_a{a.counts};
  Inside in_b{b.counts};
  std::uint64_t both = 0;
  bool has_more = in_a.advance() && in_b.advance();
  while (has_more) {
    const std::uint32_t begin = std::max(in_a.begin, in_b.begin);
    const std::uint32_t end = std::min(in_a.end, in_b.end);
    both += end > begin ? end - begin : 0;
    has_more = in_a.end <= in_b.end ? in_a.advance() : in_b.advance();
  }
  return both;
}

/// How far points reach.
struct Extent {
  double left = std::numeric_limits<double>::infinity();
  double top = left;
  double right = -left;
  double bottom = -left;

  void add(std::span<const double> xy_px) {
    for (std::size_t i = 0; i + 1 < xy_px.size(); i += 2) {
      left = std::min(left, xy_px[i]);
      right = std::max(right, xy_px[i]);
      top = std::min(top, xy_px[i + 1]);
      bottom = std::max(bottom, xy_px[i + 1]);
    }
  }
  Box box() const { return left > right ? Box{} : Box{left, top, right - left, bottom - top}; }
};

double ratio(std::uint64_t part, std::uint64_t whole) {
  return part == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::optional<std::string> fault_of_size(std::uint32_t height, std::uint32_t width) {
  if (pixel_count(height, width) > std::numeric_limits<std::uint32_t>::max()) {
    return fmt::format("a mask of {} × {} pixels is too large: less than 2^32 pixels are possible", width, height);
  }
  return std::nullopt;
}

std::optional<std::string> fault_of_polygon(std::span<const double> xy_px, std::size_t index) {
  if (xy_px.size() < 6 || xy_px.size() % 2 != 0) {
    return fmt::format("polygon {} of the mask has {} numbers; an even count of at least 6 is needed", index, xy_px.size());
  }
  for (const double coordinate : xy_px) {
    if (!std::isfinite(coordinate)) {
      return fmt::format("polygon {} of the mask holds {}, not a finite number", index, coordinate);
    }
  }
  return std::nullopt;
}

void refuse(std::optional<std::string> fault) {
  if (fault) {
    throw Error(ErrorCode::bad_data, std::move(*fault));
  }
}

std::optional<std::string> fault_of(const Mask& mask) {
  return std::visit([](const auto& shape) { return fault_of(shape); }, mask.shape);
}

Rle rle_from_counts(std::vector<std::uint32_t> counts, std::uint32_t height, std::uint32_t width) {
  Rle rle{height, width, std::move(counts)};
  refuse(fault_of(rle));
  return rle;
}

Rle rle_from_polygons(std::span<const Polygon> polygons, std::uint32_t height, std::uint32_t width) {
  std::vector<double> xy_px;
  std::vector<std::uint32_t> ends;
  for (const Polygon& polygon : polygons) {
    xy_px.insert(xy_px.end(), polygon.begin(), polygon.end());
    ends.push_back(static_cast<std::uint32_t>(xy_px.size()));
  }
  PolygonRasteriser rasteriser;
  const RleView runs = rasteriser.rasterise(xy_px, ends, height, width);
  return {height, width, {runs.counts.begin(), runs.counts.end()}};
}

Rle rle_from_bitmap(std::span<const std::uint8_t> bitmap, std::uint32_t height, std::uint32_t width) {
  refuse(fault_of_size(height, width));
  if (bitmap.size() != pixel_count(height, width)) {
    throw Error(ErrorCode::bad_data,
                fmt::format("a bitmap of {} bytes does not have {} × {} pixels", bitmap.size(), width, height));
  }
  Rle rle{height, width, {}};
  bool is_inside = false;
  std::uint32_t run = 0;
  for (const std::uint8_t pixel : bitmap) {
    if ((pixel != 0) != is_inside) {
      rle.counts.push_back(run);
      run = 0;
      is_inside = !is_inside;
    }
    ++run;
  }
  rle.counts.push_back(run);
  return rle;
}

std::vector<std::uint8_t> bitmap_from_rle(RleView rle) {
  refuse(fault_of(rle));
  std::vector<std::uint8_t> bitmap;
  bitmap.reserve(pixel_count(rle.height, rle.width));
  std::uint8_t value = 0;
  for (const std::uint32_t count : rle.counts) {
    bitmap.insert(bitmap.end(), count, value);
    value = value == 0 ? 1 : 0;
  }
  return bitmap;
}

std::uint64_t area(RleView rle) {
  std::uint64_t sum = 0;
  for (std::size_t i = 1; i < rle.counts.size(); i += 2) {
    sum += rle.counts[i];
  }
  return sum;
}

Box tight_box(RleView rle) {
  const std::uint64_t height = rle.height;
  std::uint64_t first = 0;  // pixels inside, counted along the columns: from here on
  std::uint64_t end = 0;    // and before here
  std::uint64_t top = height;
  std::uint64_t bottom = 0;
  std::uint64_t at = 0;
  std::uint64_t column_begin = 0;  // of the column of the run at hand
  for (std::size_t i = 1; i < rle.counts.size(); i += 2) {
    const std::uint64_t begin = at + rle.counts[i - 1];
    const std::uint32_t inside = rle.counts[i];
    at = begin + inside;
    if (inside == 0) {
      continue;
    }
    first = end == 0 ? begin : first;
    end = at;
    // Runs go on from column to column, so that what would be a division is mostly one step.
    column_begin += begin - column_begin >= height ? height : 0;
    if (begin - column_begin >= height) {
      column_begin = begin - begin % height;
    }
    const std::uint64_t bottom_row = end - column_begin;
    top = bottom_row > height ? 0 : std::min(top, begin - column_begin);
    bottom = std::max(bottom, std::min(bottom_row, height));
  }
  if (end == 0) {
    return {};
  }
  const std::uint64_t left = first / height;
  const std::uint64_t right = (end - 1) / height + 1;
  return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right - left),
          static_cast<double>(bottom - top)};
}

Box columns_around(RleView rle) {
  if (rle.counts.size() < 2 || rle.height == 0) {
    return {};
  }
  const std::uint64_t begin = rle.counts.front();
  const std::uint64_t end = pixel_count(rle.height, rle.width) - (rle.counts.size() % 2 == 1 ? rle.counts.back() : 0);
  if (begin >= end) {
    return {};
  }
  const std::uint64_t left = begin / rle.height;
  const std::uint64_t right = (end - 1) / rle.height;
  return {static_cast<double>(left), 0, static_cast<double>(right - left + 1), static_cast<double>(rle.height)};
}

Rle union_of(std::span<const Rle> rles) {
  if (rles.empty()) {
    throw Error(ErrorCode::bad_data, "the union of no masks has no size");
  }
  for (const Rle& rle : rles) {
    require_same_size(rles[0], rle);
  }
  Rle united = rles[0];
  for (const Rle& rle : rles.subspan(1)) {
    united = union_of_two(united, rle);
  }
  return united;
}

Rle placed(RleView window, std::uint32_t x, std::uint32_t y, std::uint32_t height, std::uint32_t width) {
  refuse(fault_of(window));
  refuse(fault_of_size(height, width));
  if (std::uint64_t{x} + window.width > width || std::uint64_t{y} + window.height > height) {
    throw Error(ErrorCode::bad_data,
                fmt::format("a mask of {} × {} pixels at column {} and row {} does not lie in an image of {} × {}", window.width,
                            window.height, x, y, width, height));
  }
  Rle image{height, width, {0}};
  bool is_inside = false;
  const auto append = [&](bool is_now_inside, std::uint32_t pixels) {
    if (pixels == 0) {
      return;
    }
    if (is_now_inside != is_inside) {
      image.counts.push_back(0);
      is_inside = is_now_inside;
    }
    image.counts.back() += pixels;
  };
  append(false, x * height + (window.width > 0 ? y : 0));
  const std::uint32_t between = height - window.height;  // from the end of the window's column to the beginning of the next one
  std::uint32_t row = 0;
  bool is_run_inside = false;
  for (std::uint32_t run : window.counts) {
    while (run > 0) {
      if (row == window.height) {
        append(false, between);
        row = 0;
      }
      const std::uint32_t step = std::min(run, window.height - row);
      append(is_run_inside, step);
      row += step;
      run -= step;
    }
    is_run_inside = !is_run_inside;
  }
  std::uint64_t done = 0;
  for (const std::uint32_t count : image.counts) {
    done += count;
  }
  append(false, static_cast<std::uint32_t>(pixel_count(height, width) - done));
  return image;
}

double iou(RleView a, RleView b) {
  const std::uint64_t both = intersection(a, b);
  return ratio(both, area(a) + area(b) - both);
}

double intersection_over_detection(RleView detection, RleView crowd) {
  return ratio(intersection(detection, crowd), area(detection));
}

Rle rasterised(const Mask& mask, std::uint32_t height, std::uint32_t width) {
  if (const auto* polygons = std::get_if<std::vector<Polygon>>(&mask.shape)) {
    return rle_from_polygons(*polygons, height, width);
  }
  const Rle& rle = std::get<Rle>(mask.shape);
  if (rle.height != height || rle.width != width) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the mask has {} × {} pixels, but its image {} × {}", rle.width, rle.height, width, height));
  }
  return rle;
}

double mask_area(const Mask& mask, std::uint32_t height, std::uint32_t width) {
  return static_cast<double>(area(rasterised(mask, height, width)));
}

Box mask_box(const Mask& mask) {
  const auto* const rle = std::get_if<Rle>(&mask.shape);
  if (rle != nullptr) {
    return tight_box(*rle);
  }
  Extent extent;
  for (const Polygon& polygon : std::get<std::vector<Polygon>>(mask.shape)) {
    extent.add(polygon);
  }
  return extent.box();
}

Box box_around(std::span<const double> xy_px) {
  Extent extent;
  extent.add(xy_px);
  return extent.box();
}

}  // namespace verilabel
