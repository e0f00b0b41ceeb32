#include "verilabel/geometry/mask_outline.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <optional>
#include <span>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

// The rows where a column passes from outside to inside (even places) and back (odd places), ascending. Each is one horizontal
// edge, a pixel long, of some outline: the walk below visits each exactly once.
struct ColumnEdges {
  std::vector<std::uint32_t> rows;
  std::vector<std::size_t> begin_of_column;  // width + 1 places in `rows`

  std::span<const std::uint32_t> of(std::int64_t column) const {
    if (column < 0 || column + 1 >= static_cast<std::int64_t>(begin_of_column.size())) {
      return {};
    }
    const auto index = static_cast<std::size_t>(column);
    return std::span(rows).subspan(begin_of_column[index], begin_of_column[index + 1] - begin_of_column[index]);
  }
};

ColumnEdges edges_of(const Rle& rle) {
  ColumnEdges edges;
  edges.begin_of_column.reserve(std::size_t{rle.width} + 1);
  edges.begin_of_column.push_back(0);
  const auto open_until = [&](std::uint64_t column) {
    while (edges.begin_of_column.size() <= column) {
      edges.begin_of_column.push_back(edges.rows.size());
    }
  };
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < rle.counts.size(); ++i) {
    const std::uint64_t end = begin + rle.counts[i];
    while (i % 2 == 1 && begin < end) {
      const std::uint64_t column = begin / rle.height;
      const std::uint64_t column_begin = column * rle.height;
      const std::uint64_t end_here = std::min(end, column_begin + rle.height);
      open_until(column);
      const auto top = static_cast<std::uint32_t>(begin - column_begin);
      const auto bottom = static_cast<std::uint32_t>(end_here - column_begin);
      // A run of length 0 between two runs of ones must not leave a seam.
      if (edges.rows.size() > edges.begin_of_column.back() && edges.rows.back() == top) {
        edges.rows.back() = bottom;
      } else {
        edges.rows.insert(edges.rows.end(), {top, bottom});
      }
      begin = end_here;
    }
    begin = end;
  }
  open_until(rle.width);
  return edges;
}

enum class Heading { right, left };  // along a top edge, along a bottom edge: the inside is always on the right hand

struct Step {
  std::int64_t column;
  std::size_t edge;  // index into `ColumnEdges::rows`
};

class OutlineWalk {
 public:
  explicit OutlineWalk(const ColumnEdges& edges) : edges_(edges), is_visited_(edges.rows.size()) {}

  bool is_visited(std::size_t edge) const { return is_visited_[edge]; }

  // The closed outline that contains this edge, corners only.
  Polygon from(Step start) {
    Polygon corners;
    Step step = start;
    std::optional<std::uint32_t> last_row;  // of the horizontal edge before
    do {
      is_visited_[step.edge] = true;
      const std::uint32_t row = edges_.rows[step.edge];
      const std::int64_t x = heading_of(step) == Heading::right ? step.column : step.column + 1;
      if (last_row && *last_row != row) {
        add_corner(corners, x, *last_row);
        add_corner(corners, x, row);
      }
      last_row = row;
      step = after(step);
    } while (step.edge != start.edge);
    const std::uint32_t row = edges_.rows[start.edge];
    const std::int64_t x = heading_of(start) == Heading::right ? start.column : start.column + 1;
    if (*last_row != row) {
      add_corner(corners, x, *last_row);
      add_corner(corners, x, row);
    }
    std::rotate(corners.begin(), corners.end() - 2, corners.end());  // the corner where we began was found last
    return corners;
  }

 private:
  static void add_corner(Polygon& corners, std::int64_t x, std::uint32_t y) {
    corners.push_back(static_cast<double>(x));
    corners.push_back(static_cast<double>(y));
  }

  std::size_t place_in_column(const Step& step) const {
    return step.edge - edges_.begin_of_column[static_cast<std::size_t>(step.column)];
  }
  Heading heading_of(const Step& step) const { return place_in_column(step) % 2 == 0 ? Heading::right : Heading::left; }
  std::size_t edge_at(std::int64_t column, std::size_t place) const {
    return edges_.begin_of_column[static_cast<std::size_t>(column)] + place;
  }

  // At the end of an edge the outline goes straight on, or turns up or down along the line between this column and the next one.
  // Where four pixels meet of which two at a diagonal are inside, it stays with the pixel it came along.
  Step after(const Step& step) const { return heading_of(step) == Heading::right ? after_top(step) : after_bottom(step); }

  // Moving right on top of the pixel (y, column), arriving at the line x = column + 1.
  Step after_top(const Step& step) const {
    const std::span<const std::uint32_t> here = edges_.of(step.column);
    const std::span<const std::uint32_t> next = edges_.of(step.column + 1);
    const std::size_t place = place_in_column(step);
    const std::uint32_t y = here[place];
    // The first edge of the next column below y decides whether its pixel (y) is inside.
    const auto below = static_cast<std::size_t>(std::upper_bound(next.begin(), next.end(), y) - next.begin());
    const bool is_next_inside = below % 2 == 1;
    if (!is_next_inside) {
      // Down beside our own pixels, until they end or the next column begins beside them.
      const std::uint32_t own_bottom = here[place + 1];
      if (below < next.size() && next[below] < own_bottom) {
        return {step.column + 1, edge_at(step.column + 1, below)};
      }
      return {step.column, edge_at(step.column, place + 1)};
    }
    const std::size_t top = below - 1;
    if (next[top] == y) {
      return {step.column + 1, edge_at(step.column + 1, top)};
    }
    // Up beside the pixels of the next column, until they begin or ours end beside them.
    if (place > 0 && here[place - 1] > next[top]) {
      return {step.column, edge_at(step.column, place - 1)};
    }
    return {step.column + 1, edge_at(step.column + 1, top)};
  }

  // The mirror image: moving left below the pixel (y - 1, column), arriving at the line x = column.
  Step after_bottom(const Step& step) const {
    const std::span<const std::uint32_t> here = edges_.of(step.column);
    const std::span<const std::uint32_t> next = edges_.of(step.column - 1);
    const std::size_t place = place_in_column(step);
    const std::uint32_t y = here[place];
    // Edges of the next column above y: an odd count means that its pixel (y - 1) is inside.
    const auto above = static_cast<std::size_t>(std::lower_bound(next.begin(), next.end(), y) - next.begin());
    const bool is_next_inside = above % 2 == 1;
    if (!is_next_inside) {
      const std::uint32_t own_top = here[place - 1];
      if (above > 0 && next[above - 1] > own_top) {
        return {step.column - 1, edge_at(step.column - 1, above - 1)};
      }
      return {step.column, edge_at(step.column, place - 1)};
    }
    const std::size_t bottom = above;
    if (next[bottom] == y) {
      return {step.column - 1, edge_at(step.column - 1, bottom)};
    }
    if (place + 1 < here.size() && here[place + 1] < next[bottom]) {
      return {step.column, edge_at(step.column, place + 1)};
    }
    return {step.column - 1, edge_at(step.column - 1, bottom)};
  }

  const ColumnEdges& edges_;
  std::vector<bool> is_visited_;
};

// Twice the area by the shoelace formula; positive when clockwise on the screen (y down).
double doubled_area(const Polygon& corners) {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < corners.size(); i += 2) {
    const std::size_t next = (i + 2) % corners.size();
    sum += corners[i] * corners[next + 1] - corners[next] * corners[i + 1];
  }
  return sum;
}

}  // namespace

MaskOutline outline_of(const Rle& rle) {
  if (const auto fault = fault_of(Mask{rle})) {
    throw Error(ErrorCode::bad_data, *fault);
  }
  const ColumnEdges edges = edges_of(rle);
  OutlineWalk walk(edges);
  MaskOutline outline;
  for (std::uint32_t column = 0; column < rle.width; ++column) {
    for (std::size_t edge = edges.begin_of_column[column]; edge < edges.begin_of_column[column + 1]; ++edge) {
      if (walk.is_visited(edge)) {
        continue;
      }
      Polygon corners = walk.from({column, edge});
      if (doubled_area(corners) > 0) {
        outline.polygons.push_back(std::move(corners));
      } else {
        ++outline.hole_count;
      }
    }
  }
  return outline;
}

}  // namespace verilabel
