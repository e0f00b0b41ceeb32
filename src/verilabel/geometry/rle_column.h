#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "verilabel/geometry/mask.h"

namespace verilabel {

/// Many masks. Their runs lie in few large blocks, written once and shared by copies and by columns that took rows of this one: a
/// view lives as long as any of them.
class RleColumn {
 public:
  RleColumn() = default;
  RleColumn(std::initializer_list<Rle> masks);

  std::size_t size() const { return masks_.size(); }
  bool empty() const { return masks_.empty(); }
  RleView operator[](std::size_t row) const { return masks_[row]; }
  auto begin() const { return masks_.begin(); }
  auto end() const { return masks_.end(); }

  void reserve(std::size_t rows) { masks_.reserve(rows); }
  /// Copies the runs.
  void push_back(RleView mask);
  void append(RleColumn&& other);
  /// Row i of `by` takes the place of row `rows[i]`.
  void replace(std::span<const std::uint32_t> rows, RleColumn&& by);

  RleColumn rows(std::span<const std::uint32_t> rows) const;

 private:
  using Block = std::vector<std::uint32_t>;

  std::vector<RleView> masks_;
  std::vector<std::shared_ptr<Block>> blocks_;  ///< each filled up to what it reserved, never beyond: views point into them
};

}  // namespace verilabel
