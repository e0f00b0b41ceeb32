#include "verilabel/formats/joined_outline.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "verilabel/formats/export_pass.h"

namespace verilabel {
namespace {

/// A ring of points that grows, with its points in a grid of about as many cells.
class GrowingOutline {
 public:
  explicit GrowingOutline(std::span<const Polygon> parts) {
    double right = -std::numeric_limits<double>::infinity();
    double bottom = right;
    std::size_t count = 0;
    for (const Polygon& part : parts) {
      count += part.size() / 2;
      for (std::size_t i = 0; i + 1 < part.size(); i += 2) {
        left_ = std::min(left_, part[i]);
        right = std::max(right, part[i]);
        top_ = std::min(top_, part[i + 1]);
        bottom = std::max(bottom, part[i + 1]);
      }
    }
    const double width = right - left_;
    const double height = bottom - top_;
    const auto points = static_cast<double>(count);
    const double side = std::max(std::sqrt(width) * std::sqrt(height / points), std::max(width, height) / points);
    if (side > 0 && std::isfinite(side)) {
      side_ = side;
      columns_ = static_cast<std::int64_t>(width / side) + 1;
      rows_ = static_cast<std::int64_t>(height / side) + 1;
    }
    cells_.assign(static_cast<std::size_t>(columns_ * rows_), kNone);
    nodes_.reserve(count + 2 * parts.size());
    begin(parts.front());
  }

  void add(const Polygon& part) {
    find_nearest(part);
    // … from | to … round the part … to | from …
    const std::size_t points = part.size() / 2;
    std::size_t last = from_;
    const std::size_t after = nodes_[from_].next;
    for (std::size_t i = 0; i < points; ++i) {
      const std::size_t at = (to_ + i) % points;
      last = append(part[2 * at], part[2 * at + 1], last);
      enter(last);
    }
    last = append(part[2 * to_], part[2 * to_ + 1], last);
    last = append(nodes_[from_].x, nodes_[from_].y, last);
    nodes_[last].next = after;
    newest_ = last;
  }

  Polygon points() const {
    Polygon outline;
    outline.reserve(2 * nodes_.size());
    for (std::size_t at = 0; at != kNone; at = nodes_[at].next) {
      outline.push_back(nodes_[at].x);
      outline.push_back(nodes_[at].y);
    }
    return outline;
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;
  /// Cells and points that are looked at in all.
  static constexpr std::int64_t kMaxSteps = std::int64_t{1} << 27;

  struct Node {
    double x;
    double y;
    std::size_t next;          ///< in the ring, which begins with the first
    std::size_t next_in_cell;  ///< of those entered
  };

  void begin(const Polygon& part) {
    std::size_t last = kNone;
    for (std::size_t i = 0; i + 1 < part.size(); i += 2) {
      last = append(part[i], part[i + 1], last);
      enter(last);
    }
    newest_ = last;
  }

  std::size_t append(double x, double y, std::size_t behind) {
    nodes_.push_back({x, y, kNone, kNone});
    if (behind != kNone) {
      nodes_[behind].next = nodes_.size() - 1;
    }
    return nodes_.size() - 1;
  }

  void enter(std::size_t node) {
    std::size_t& first = cell(row_of(nodes_[node].y), column_of(nodes_[node].x));
    nodes_[node].next_in_cell = first;
    first = node;
  }

  std::int64_t column_of(double x) const {
    return static_cast<std::int64_t>(std::clamp((x - left_) / side_, 0.0, static_cast<double>(columns_ - 1)));
  }
  std::int64_t row_of(double y) const {
    return static_cast<std::int64_t>(std::clamp((y - top_) / side_, 0.0, static_cast<double>(rows_ - 1)));
  }
  std::size_t& cell(std::int64_t row, std::int64_t column) { return cells_[static_cast<std::size_t>(row * columns_ + column)]; }

  /// Sets `from_`, of the ring, and `to_`, of the part.
  void find_nearest(const Polygon& part) {
    nearest_ = std::numeric_limits<double>::infinity();
    from_ = newest_;
    to_ = 0;
    for (std::size_t i = 0; i < part.size() / 2 && steps_left_ > 0; ++i) {
      find_nearest(part[2 * i], part[2 * i + 1], i);
    }
  }

  /// Looks at the cells around the point, in rings of them, until those that follow are further away than what was found.
  void find_nearest(double x, double y, std::size_t point) {
    const std::int64_t row = row_of(y);
    const std::int64_t column = column_of(x);
    for (std::int64_t ring = 0; ring <= std::max(rows_, columns_); ++ring) {
      const double reach = static_cast<double>(ring - 1) * side_;
      if ((ring > 0 && nearest_ <= reach * reach) || steps_left_ <= 0) {
        return;
      }
      for (std::int64_t r = std::max<std::int64_t>(row - ring, 0); r <= std::min(row + ring, rows_ - 1); ++r) {
        const bool is_whole = r == row - ring || r == row + ring;
        const std::int64_t first = is_whole ? std::max<std::int64_t>(column - ring, 0) : column - ring;
        const std::int64_t last = is_whole ? std::min(column + ring, columns_ - 1) : column + ring;
        for (std::int64_t c = first; c <= last; c += is_whole ? 1 : 2 * ring) {
          --steps_left_;
          if (c >= 0 && c < columns_) {
            look_at(cell(r, c), x, y, point);
          }
        }
      }
    }
  }

  void look_at(std::size_t first, double x, double y, std::size_t point) {
    for (std::size_t node = first; node != kNone; node = nodes_[node].next_in_cell) {
      --steps_left_;
      const double dx = nodes_[node].x - x;
      const double dy = nodes_[node].y - y;
      if (const double distance = dx * dx + dy * dy; distance < nearest_) {
        nearest_ = distance;
        from_ = node;
        to_ = point;
      }
    }
  }

  double left_ = std::numeric_limits<double>::infinity();
  double top_ = std::numeric_limits<double>::infinity();
  double side_ = 1;  ///< of a cell
  std::int64_t columns_ = 1;
  std::int64_t rows_ = 1;
  std::vector<std::size_t> cells_;  ///< the newest node of each
  std::vector<Node> nodes_;
  std::size_t newest_ = kNone;
  std::int64_t steps_left_ = kMaxSteps;
  double nearest_ = 0;  ///< squared
  std::size_t from_ = kNone;
  std::size_t to_ = 0;
};

}  // namespace

Polygon joined_outline(std::span<const Polygon> parts, const WriteOptions& options) {
  if (parts.size() == 1) {
    return parts.front();
  }
  GrowingOutline outline(parts);
  for (const Polygon& part : parts.subspan(1)) {
    throw_if_stopped(options);
    outline.add(part);
  }
  return outline.points();
}

}  // namespace verilabel
