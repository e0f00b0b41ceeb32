#include "verilabel/evaluate/nearby_truths.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace verilabel {
namespace {

constexpr std::size_t kFewTruths = 64;
constexpr std::size_t kManyCells = 16;
constexpr double kTruthsOfACell = 4;

bool has_area(const Box& box) {
  return box.w > 0 && box.h > 0;  // any other is apart from everything
}

}  // namespace

void NearbyTruths::Axis::place_lines(std::vector<double> centres, std::size_t cells) {
  std::sort(centres.begin(), centres.end());
  for (std::size_t i = 1; i < cells; ++i) {
    lines_.push_back(centres[i * centres.size() / cells]);
  }
}

std::size_t NearbyTruths::Axis::cell_of(double coordinate) const {
  return static_cast<std::size_t>(std::upper_bound(lines_.begin(), lines_.end(), coordinate) - lines_.begin());
}

NearbyTruths::NearbyTruths(std::span<const Box> boxes, std::span<const std::uint32_t> truths) : truths_(truths) {
  std::vector<double> x;
  std::vector<double> y;
  if (truths.size() > kFewTruths) {
    for (const std::uint32_t truth : truths) {
      if (const Box& box = boxes[truth]; has_area(box)) {
        x.push_back(box.x + box.w / 2);
        y.push_back(box.y + box.h / 2);
      }
    }
  }
  if (x.size() <= kFewTruths) {
    return;
  }
  side_ = static_cast<std::size_t>(std::sqrt(static_cast<double>(x.size()) / kTruthsOfACell));
  columns_.place_lines(std::move(x), side_);
  rows_.place_lines(std::move(y), side_);
  begin_.assign(side_ * side_ + 1, 0);
  const auto for_each_place = [&](const auto& take) {
    for (const std::uint32_t truth : truths) {
      if (!has_area(boxes[truth])) {
        continue;
      }
      const Cells cells = cells_of(boxes[truth]);
      if (cells.count() > kManyCells) {
        continue;
      }
      for (std::size_t row = cells.first_row; row <= cells.last_row; ++row) {
        for (std::size_t column = cells.first_column; column <= cells.last_column; ++column) {
          take(truth, row * side_ + column);
        }
      }
    }
  };
  for_each_place([&](std::uint32_t, std::size_t cell) { ++begin_[cell + 1]; });
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  in_cells_.resize(begin_.back());
  std::vector<std::size_t> next(begin_.begin(), begin_.end() - 1);
  for_each_place([&](std::uint32_t truth, std::size_t cell) { in_cells_[next[cell]++] = truth; });
  for (const std::uint32_t truth : truths) {
    if (has_area(boxes[truth]) && cells_of(boxes[truth]).count() > kManyCells) {
      in_many_cells_.push_back(truth);
    }
  }
}

NearbyTruths::Cells NearbyTruths::cells_of(const Box& box) const {
  return {columns_.cell_of(box.x), columns_.cell_of(box.x + box.w), rows_.cell_of(box.y), rows_.cell_of(box.y + box.h)};
}

std::span<const std::uint32_t> NearbyTruths::around(const Box& box) {
  if (side_ == 0) {
    return truths_;
  }
  found_.clear();
  if (!has_area(box)) {
    return found_;
  }
  const Cells cells = cells_of(box);
  if (cells.count() > side_ * side_ / 8) {
    return truths_;
  }
  found_ = in_many_cells_;
  for (std::size_t row = cells.first_row; row <= cells.last_row; ++row) {
    const std::size_t first = begin_[row * side_ + cells.first_column];
    const std::size_t end = begin_[row * side_ + cells.last_column + 1];
    found_.insert(found_.end(), in_cells_.begin() + static_cast<std::ptrdiff_t>(first),
                  in_cells_.begin() + static_cast<std::ptrdiff_t>(end));
  }
  std::sort(found_.begin(), found_.end());
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  return found_;
}

}  // namespace verilabel
