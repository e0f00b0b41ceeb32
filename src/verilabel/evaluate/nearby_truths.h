#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "verilabel/geometry/box.h"

namespace verilabel {

/// Finds among the truths of one image those that a box may share something with, so that an image with very many is not looked
/// through for each prediction. A grid whose lines lie where the truths do; of few truths it is all of them. Private to the module.
class NearbyTruths {
 public:
  /// `boxes` finite, one a truth of the whole input; `truths` ascending, those of the image. Both must outlive it.
  NearbyTruths(std::span<const Box> boxes, std::span<const std::uint32_t> truths);

  /// Every truth that is not apart from the box, and some that are, ascending. Valid until the next call.
  std::span<const std::uint32_t> around(const Box& box);

 private:
  /// Places along one side of the image; the cell of a coordinate never falls when the coordinate grows, which alone makes the
  /// answer right.
  class Axis {
   public:
    void place_lines(std::vector<double> centres, std::size_t cells);
    std::size_t cell_of(double coordinate) const;

   private:
    std::vector<double> lines_;  ///< between the cells, ascending
  };
  struct Cells {
    std::size_t first_column;
    std::size_t last_column;
    std::size_t first_row;
    std::size_t last_row;
    std::size_t count() const { return (last_column - first_column + 1) * (last_row - first_row + 1); }
  };

  Cells cells_of(const Box& box) const;

  std::span<const std::uint32_t> truths_;
  std::size_t side_ = 0;  ///< cells along each axis; 0 without a grid
  Axis columns_;
  Axis rows_;
  std::vector<std::size_t> begin_;  ///< of each cell in `in_cells_`, row by row, and the end
  std::vector<std::uint32_t> in_cells_;
  std::vector<std::uint32_t> in_many_cells_;  ///< truths too large to be listed in each
  std::vector<std::uint32_t> found_;
};

}  // namespace verilabel
