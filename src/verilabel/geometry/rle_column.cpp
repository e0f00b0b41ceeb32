#include "verilabel/geometry/rle_column.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace verilabel {
namespace {

constexpr std::size_t kRunsOfABlock = std::size_t{1} << 17;

}  // namespace

RleColumn::RleColumn(std::initializer_list<Rle> masks) {
  reserve(masks.size());
  for (const Rle& mask : masks) {
    push_back(mask);
  }
}

void RleColumn::push_back(RleView mask) {
  const std::size_t runs = mask.counts.size();
  const auto has_room = [&](const std::shared_ptr<Block>& block) {
    return block.use_count() == 1 && block->capacity() - block->size() >= runs;
  };
  if (blocks_.empty() || !has_room(blocks_.back())) {
    blocks_.push_back(std::make_shared<Block>());
    blocks_.back()->reserve(std::max(runs, kRunsOfABlock));
  }
  Block& block = *blocks_.back();
  block.insert(block.end(), mask.counts.begin(), mask.counts.end());
  masks_.emplace_back(mask.height, mask.width, std::span<const std::uint32_t>(block).last(runs));
}

void RleColumn::append(RleColumn&& other) {
  masks_.insert(masks_.end(), other.masks_.begin(), other.masks_.end());
  std::ranges::move(other.blocks_, std::back_inserter(blocks_));
  other = {};
}

void RleColumn::replace(std::span<const std::uint32_t> rows, RleColumn&& by) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    masks_[rows[i]] = by.masks_[i];
  }
  std::ranges::move(by.blocks_, std::back_inserter(blocks_));
  by = {};
}

RleColumn RleColumn::rows(std::span<const std::uint32_t> rows) const {
  RleColumn some;
  some.reserve(rows.size());
  for (const std::uint32_t row : rows) {
    some.masks_.push_back(masks_[row]);
  }
  some.blocks_ = blocks_;
  return some;
}

}  // namespace verilabel
