#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "verilabel/geometry/mask.h"

namespace verilabel {

/// `rle_from_polygons` for many masks, one after the other, in memory that is used again.
class PolygonRasteriser {
 public:
  /// The polygons of one mask one behind the other as x0, y0, x1, y1, …; `ends` says where in `xy_px` each of them ends, the last
  /// one at its end. Valid until the next call. Throws as `rle_from_polygons`.
  RleView rasterise(std::span<const double> xy_px, std::span<const std::uint32_t> ends, std::uint32_t height, std::uint32_t width);

 private:
  /// Where the inside begins or ends in one column: at these rows, in no order. Nearly all columns have two.
  struct Column {
    static constexpr std::uint32_t kRoom = 4;

    std::uint32_t crossings = 0;
    std::uint32_t rows[kRoom];
  };
  struct Crossing {
    std::uint32_t column;
    std::uint32_t row;

    friend auto operator<=>(const Crossing&, const Crossing&) = default;
  };

  /// Fills `counts_`.
  void rasterise_one(std::span<const double> xy_px);
  void add_segment(std::int64_t xs, std::int64_t ys, std::int64_t xe, std::int64_t ye);
  void add_crossing(std::uint32_t column, std::int64_t y_step);
  void add_to_full_column(std::uint32_t column, std::uint32_t row);
  void cancel_pairs_of_more();
  // Make the crossings runs and give back where the last one ends.
  std::uint32_t take_runs_by_column();
  std::uint32_t take_runs_of_all();

  std::uint32_t height_ = 0;
  std::uint32_t width_ = 0;
  std::uint32_t first_column_ = 0;  ///< what `columns_[0]` is
  std::vector<Column> columns_;     ///< without crossings between polygons
  std::span<Column> used_columns_;  ///< of the polygon at hand
  std::vector<Crossing> more_;      ///< those that found their column full
  std::size_t compact_at_ = 0;
  std::vector<std::uint32_t> counts_;
};

}  // namespace verilabel
