#include "verilabel/geometry/mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

std::uint64_t pixel_count(std::uint32_t height, std::uint32_t width) {
  return std::uint64_t{height} * width;
}

std::optional<std::string> fault_of_size(std::uint32_t height, std::uint32_t width) {
  if (pixel_count(height, width) > std::numeric_limits<std::uint32_t>::max()) {
    return fmt::format("a mask of {} × {} pixels is too large: less than 2^32 pixels are possible", width, height);
  }
  return std::nullopt;
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
    if (polygons[i].size() < 6 || polygons[i].size() % 2 != 0) {
      return fmt::format("polygon {} of the mask has {} numbers; an even count of at least 6 is needed", i, polygons[i].size());
    }
    for (const double coordinate : polygons[i]) {
      if (!std::isfinite(coordinate)) {
        return fmt::format("polygon {} of the mask holds {}, not a finite number", i, coordinate);
      }
    }
  }
  return std::nullopt;
}

void refuse(std::optional<std::string> fault) {
  if (fault) {
    throw Error(ErrorCode::bad_data, std::move(*fault));
  }
}

// ---- polygons to runs ----
//
// The reference walks the outline in steps of a fifth of a pixel and keeps the places where it passes the middle between two of
// these steps at a pixel's centre column. Only those places matter, so they are computed directly, one a column, with the very
// expressions of the walk: the same result, and no memory that grows with the coordinates.

constexpr double kStepsPerPixel = 5;
constexpr double kFarthest = 1e12;

std::int64_t step_of(double coordinate) {
  return static_cast<std::int64_t>(kStepsPerPixel * std::clamp(coordinate, -kFarthest, kFarthest) + .5);
}

/// Where the inside of one polygon begins or ends. Memory is used again for the next one.
class Crossings {
 public:
  Crossings(std::uint32_t height, std::uint32_t width) : height_(height), width_(width) {
    constexpr std::size_t kUsual = 256;
    crossings_.reserve(kUsual);
    pixels_.reserve(kUsual);
  }

  std::uint32_t height() const { return height_; }
  std::uint32_t width() const { return width_; }

  void add(std::int64_t column, std::int64_t y_step) {
    // The reference's ceil((y_step + .5) / 5 - .5): its divisions never round across a whole number.
    const std::int64_t row = y_step <= 2 ? 0 : std::min<std::int64_t>((y_step + 2) / 5, height_);
    const bool is_below = row == height_;
    crossings_.push_back({static_cast<std::uint32_t>(column) + (is_below ? 1 : 0), static_cast<std::uint32_t>(is_below ? 0 : row)});
    if (crossings_.size() >= compact_at_) {
      sort();
      cancel_pairs();
      compact_at_ = std::max(compact_at_, crossings_.size() * 2);
    }
  }

  /// The pixels of all that were added, in column-major order and none twice; then there are none.
  std::span<const std::uint32_t> take_pixels() {
    sort();
    cancel_pairs();
    pixels_.clear();
    for (const Crossing& crossing : crossings_) {
      pixels_.push_back(crossing.column * height_ + crossing.row);
    }
    crossings_.clear();
    return pixels_;
  }

 private:
  struct Crossing {
    std::uint32_t column;
    std::uint32_t row;

    friend auto operator<=>(const Crossing&, const Crossing&) = default;
  };

  /// Most columns are crossed twice: once the crossings are put into their columns, little is left to sort.
  void sort() {
    if (crossings_.empty()) {
      return;
    }
    const auto [left, right] = std::minmax_element(crossings_.begin(), crossings_.end(),
                                                   [](const Crossing& a, const Crossing& b) { return a.column < b.column; });
    const std::uint32_t first = left->column;
    const std::size_t columns = std::size_t{right->column} - first + 1;
    if (columns > crossings_.size()) {
      std::sort(crossings_.begin(), crossings_.end());
      return;
    }
    column_ends_.assign(columns + 1, 0);
    for (const Crossing& crossing : crossings_) {
      ++column_ends_[crossing.column - first + 1];
    }
    std::partial_sum(column_ends_.begin(), column_ends_.end(), column_ends_.begin());
    sorted_.resize(crossings_.size());
    for (const Crossing& crossing : crossings_) {
      sorted_[column_ends_[crossing.column - first]++] = crossing;
    }
    std::size_t begin = 0;
    for (std::size_t column = 0; column < columns; ++column) {
      const std::size_t end = column_ends_[column];
      if (end - begin > 2) {
        std::sort(sorted_.begin() + static_cast<std::ptrdiff_t>(begin), sorted_.begin() + static_cast<std::ptrdiff_t>(end));
      } else if (end - begin == 2 && sorted_[begin + 1].row < sorted_[begin].row) {
        std::swap(sorted_[begin], sorted_[begin + 1]);
      }
      begin = end;
    }
    crossings_.swap(sorted_);
  }

  /// Two crossings at one pixel undo each other. What is left is sorted and never more than one a pixel.
  void cancel_pairs() {
    std::size_t kept = 0;
    for (const Crossing& crossing : crossings_) {
      if (kept > 0 && crossings_[kept - 1] == crossing) {
        --kept;
      } else {
        crossings_[kept++] = crossing;
      }
    }
    crossings_.resize(kept);
  }

  std::uint32_t height_;
  std::uint32_t width_;
  std::vector<Crossing> crossings_;
  std::size_t compact_at_ = std::size_t{1} << 22;
  std::vector<Crossing> sorted_;            ///< only while sorting
  std::vector<std::uint32_t> column_ends_;  ///< likewise
  std::vector<std::uint32_t> pixels_;
};

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

void add_segment(std::int64_t xs, std::int64_t ys, std::int64_t xe, std::int64_t ye, Crossings& crossings) {
  const std::int64_t dx = std::abs(xe - xs);
  const std::int64_t dy = std::abs(ye - ys);
  const ColumnRange columns = columns_between(std::min(xs, xe), std::max(xs, xe), crossings.width());
  if (columns.first >= columns.end) {
    return;
  }
  if (dx >= dy) {
    if (xs > xe) {
      std::swap(xs, xe);
      std::swap(ys, ye);
    }
    const double slope = static_cast<double>(ye - ys) / static_cast<double>(dx);
    const auto y_at = [&](std::int64_t t) {
      return static_cast<std::int64_t>(static_cast<double>(ys) + slope * static_cast<double>(t) + .5);
    };
    const std::int64_t upper = ys <= ye ? 0 : 1;  // which of the two steps beside the centre is the upper one
    for (std::int64_t column = columns.first; column < columns.end; ++column) {
      crossings.add(column, y_at(5 * column + 2 - xs + upper));
    }
    return;
  }
  if (ys > ye) {
    std::swap(xs, xe);
    std::swap(ys, ye);
  }
  const double slope = static_cast<double>(xe - xs) / static_cast<double>(dy);
  const auto x_at = [&](std::int64_t t) {
    return static_cast<std::int64_t>(static_cast<double>(xs) + slope * static_cast<double>(t) + .5);
  };
  for (std::int64_t column = columns.first; column < columns.end; ++column) {
    // The walk goes down; x_at is monotone. The first step on the far side of the centre:
    const std::int64_t left_step = 5 * column + 2;
    std::int64_t near = 0;
    std::int64_t far = dy;
    const auto is_across = [&](std::int64_t t) { return xs < xe ? x_at(t) > left_step : x_at(t) <= left_step; };
    // It is nearly always where the line is; the search is for what rounding does far out.
    const auto guess = static_cast<std::int64_t>(std::ceil((static_cast<double>(left_step - xs) + .5) / slope));
    for (const std::int64_t t : {guess - 1, guess}) {
      if (near < t && t < far) {
        (is_across(t) ? far : near) = t;
      }
    }
    while (far - near > 1) {
      const std::int64_t middle = near + (far - near) / 2;
      (is_across(middle) ? far : near) = middle;
    }
    crossings.add(column, ys + far - 1);
  }
}

/// `room` is memory to use again.
Rle rle_from_polygon(const Polygon& polygon, Crossings& crossings, std::vector<std::uint32_t> room) {
  const std::size_t points = polygon.size() / 2;
  std::int64_t xs = step_of(polygon[2 * points - 2]);
  std::int64_t ys = step_of(polygon[2 * points - 1]);
  for (std::size_t i = 0; i < points; ++i) {
    const std::int64_t xe = step_of(polygon[2 * i]);
    const std::int64_t ye = step_of(polygon[2 * i + 1]);
    add_segment(xs, ys, xe, ye, crossings);
    xs = xe;
    ys = ye;
  }
  const std::span<const std::uint32_t> pixels = crossings.take_pixels();

  Rle rle{crossings.height(), crossings.width(), std::move(room)};
  rle.counts.clear();
  rle.counts.reserve(pixels.size() + 1);
  std::uint32_t begin = 0;
  for (const std::uint32_t pixel : pixels) {
    rle.counts.push_back(pixel - begin);
    begin = pixel;
  }
  const std::uint32_t rest = static_cast<std::uint32_t>(pixel_count(rle.height, rle.width)) - begin;
  if (rest > 0 || rle.counts.empty()) {
    rle.counts.push_back(rest);
  }
  return rle;
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

struct SharedPixels {
  std::uint64_t both = 0;
  std::uint64_t either = 0;
};

SharedPixels shared_pixels(RleView a, RleView b) {
  require_same_size(a, b);
  SharedPixels shared;
  RunCursor in_a(a);
  RunCursor in_b(b);
  while (in_a.left() > 0) {
    const std::uint32_t step = std::min(in_a.left(), in_b.left());
    shared.both += in_a.is_inside() && in_b.is_inside() ? step : 0;
    shared.either += in_a.is_inside() || in_b.is_inside() ? step : 0;
    in_a.advance(step);
    in_b.advance(step);
  }
  return shared;
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return part == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// ---- COCO's character string ----

constexpr char kFirstCharacter = '0';
constexpr int kGroupBits = 5;
constexpr std::int64_t kGroupMask = 0x1f;
constexpr std::int64_t kSignBit = 0x10;
constexpr unsigned kMoreBit = 0x20;
constexpr int kMaxGroups = 7;  // 33 bits and a sign are the most that differences of 32-bit counts need

}  // namespace

std::optional<std::string> fault_of(const Mask& mask) {
  return std::visit([](const auto& shape) { return fault_of(shape); }, mask.shape);
}

Rle rle_from_counts(std::vector<std::uint32_t> counts, std::uint32_t height, std::uint32_t width) {
  Rle rle{height, width, std::move(counts)};
  refuse(fault_of(rle));
  return rle;
}

std::string coco_string_from_rle(RleView rle) {
  std::string text;
  text.reserve(rle.counts.size() * 2);
  for (std::size_t i = 0; i < rle.counts.size(); ++i) {
    std::int64_t number = std::int64_t{rle.counts[i]} - (i > 2 ? std::int64_t{rle.counts[i - 2]} : 0);
    bool has_more = true;
    while (has_more) {
      auto group = static_cast<unsigned>(number & kGroupMask);
      number >>= kGroupBits;
      has_more = (group & kSignBit) != 0 ? number != -1 : number != 0;
      group |= has_more ? kMoreBit : 0;
      text.push_back(static_cast<char>(unsigned{kFirstCharacter} + group));
    }
  }
  return text;
}

Rle rle_from_coco_string(std::string_view text, std::uint32_t height, std::uint32_t width, std::vector<std::uint32_t> room) {
  refuse(fault_of_size(height, width));
  Rle rle{height, width, std::move(room)};
  rle.counts.resize(text.size());  // every run has a character
  std::size_t runs = 0;
  const std::uint64_t pixels = pixel_count(height, width);
  const auto fault_at = [&](std::size_t position, std::string_view what) {
    return Error(ErrorCode::bad_data, fmt::format("the run-length string of the mask {} at character {}", what, position + 1));
  };
  std::uint64_t sum = 0;
  std::size_t position = 0;
  std::int64_t one_before = 0;
  std::int64_t two_before = 0;
  const auto next_group = [&] {
    const unsigned group = static_cast<unsigned char>(text[position]) - unsigned{kFirstCharacter};
    if (group > 0x3f) {
      throw fault_at(position, "has a character that COCO's encoding does not use");
    }
    ++position;
    return group;
  };
  const auto long_number = [&](std::size_t start) {
    unsigned group = next_group();
    std::int64_t number = group & kGroupMask;
    int shift = kGroupBits;
    for (; (group & kMoreBit) != 0; shift += kGroupBits) {
      if (position == text.size()) {
        throw fault_at(start, "breaks off inside the number that begins");
      }
      if (shift == kMaxGroups * kGroupBits) {
        throw fault_at(start, "has a number that is too large");
      }
      group = next_group();
      number |= (group & kGroupMask) << shift;
    }
    return (group & kSignBit) != 0 ? number - (std::int64_t{1} << shift) : number;
  };
  while (position < text.size()) {
    const std::size_t start = position;
    // Nearly all numbers have one or two groups, in no order that could be foreseen: both are read without asking which.
    const unsigned first = static_cast<unsigned char>(text[position]) - unsigned{kFirstCharacter};
    const unsigned second =
        position + 1 < text.size() ? static_cast<unsigned char>(text[position + 1]) - unsigned{kFirstCharacter} : kMoreBit;
    const bool has_second = (first & kMoreBit) != 0;
    std::int64_t number = 0;
    if (first <= 0x3f && (!has_second || second < kMoreBit)) [[likely]] {
      const std::int64_t one = (first & kGroupMask) - ((first & kSignBit) << 1);
      const std::int64_t two =
          ((first & kGroupMask) | (second & kGroupMask) << kGroupBits) - ((second & kSignBit) << (kGroupBits + 1));
      number = has_second ? two : one;
      position += has_second ? 2 : 1;
    } else {
      number = long_number(start);
    }
    if (runs > 2) {
      number += two_before;
    }
    if (number < 0) {
      throw fault_at(start, "has a negative run");
    }
    sum += static_cast<std::uint64_t>(number);
    if (sum > pixels) {
      throw fault_at(start, fmt::format("has more runs than its size of {} × {} pixels holds", width, height));
    }
    rle.counts[runs++] = static_cast<std::uint32_t>(number);
    two_before = std::exchange(one_before, number);
  }
  rle.counts.resize(runs);
  if (sum != pixels) {
    refuse(fault_of(rle));
  }
  return rle;
}

Rle rle_from_polygons(std::span<const Polygon> polygons, std::uint32_t height, std::uint32_t width,
                      std::vector<std::uint32_t> room) {
  refuse(fault_of(polygons));
  refuse(fault_of_size(height, width));
  Crossings crossings(height, width);
  Rle united = rle_from_polygon(polygons[0], crossings, std::move(room));
  for (const Polygon& polygon : polygons.subspan(1)) {
    united = union_of_two(united, rle_from_polygon(polygon, crossings, {}));
  }
  return united;
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
  std::uint32_t left = rle.width;
  std::uint32_t top = rle.height;
  std::uint32_t right = 0;
  std::uint32_t bottom = 0;
  bool is_empty = true;
  // Runs go on from column to column, so that what is left of the division is mostly a subtraction.
  std::uint64_t column = 0;
  std::uint64_t row = 0;
  const auto advance = [&](std::uint64_t pixels) {
    row += pixels;
    if (row >= rle.height) {
      const std::uint64_t columns = row < 2 * std::uint64_t{rle.height} ? 1 : row / rle.height;
      column += columns;
      row -= columns * rle.height;
    }
  };
  for (std::size_t i = 0; i < rle.counts.size(); ++i) {
    const std::uint32_t run = rle.counts[i];
    if (run == 0) {
      continue;
    }
    if (i % 2 == 0) {
      advance(run);
      continue;
    }
    const auto first_column = static_cast<std::uint32_t>(column);
    const auto first_row = static_cast<std::uint32_t>(row);
    advance(run - 1);
    const bool spans_columns = column != first_column;
    left = std::min(left, first_column);
    right = std::max(right, static_cast<std::uint32_t>(column));
    top = std::min(top, spans_columns ? 0 : first_row);
    bottom = std::max(bottom, spans_columns ? rle.height - 1 : static_cast<std::uint32_t>(row));
    is_empty = false;
    advance(1);
  }
  if (is_empty) {
    return {};
  }
  return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right - left + 1),
          static_cast<double>(bottom - top + 1)};
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

double iou(RleView a, RleView b) {
  const SharedPixels shared = shared_pixels(a, b);
  return ratio(shared.both, shared.either);
}

double intersection_over_detection(RleView detection, RleView crowd) {
  return ratio(shared_pixels(detection, crowd).both, area(detection));
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
  return rle != nullptr ? tight_box(*rle) : box_around(std::get<std::vector<Polygon>>(mask.shape));
}

Box box_around(std::span<const Polygon> polygons) {
  double left = std::numeric_limits<double>::infinity();
  double top = left;
  double right = -left;
  double bottom = -left;
  for (const Polygon& polygon : polygons) {
    for (std::size_t i = 0; i + 1 < polygon.size(); i += 2) {
      left = std::min(left, polygon[i]);
      right = std::max(right, polygon[i]);
      top = std::min(top, polygon[i + 1]);
      bottom = std::max(bottom, polygon[i + 1]);
    }
  }
  return left > right ? Box{} : Box{left, top, right - left, bottom - top};
}

}  // namespace verilabel
