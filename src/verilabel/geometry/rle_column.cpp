#include "verilabel/geometry/rle_column.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <utility>

namespace verilabel {
namespace {

constexpr std::size_t kFirstBlockBytes = std::size_t{64} << 10;
constexpr std::size_t kMostBlockBytes = std::size_t{4} << 20;

}  // namespace

RleColumn::RleColumn(std::initializer_list<Rle> masks) {
  reserve(masks.size());
  for (const Rle& mask : masks) {
    push_back(mask);
  }
}

RleColumn::Header RleColumn::header(std::size_t row) const {
  Header header{};
  std::memcpy(&header, masks_[row].at, sizeof header);
  return header;
}

std::string_view RleColumn::text(std::size_t row) const {
  return {masks_[row].at + sizeof(Header), header(row).characters};
}

bool RleColumn::is_none(std::size_t row) const {
  return masks_[row].height == 0 && masks_[row].width == 0 && header(row).characters == 0;
}

Box RleColumn::columns_around(std::size_t row) const {
  const Header mask = header(row);
  return mask.right == 0 ? Box{}
                         : Box{static_cast<double>(mask.left), 0, static_cast<double>(mask.right - mask.left),
                               static_cast<double>(masks_[row].height)};
}

RleView RleColumn::read(std::size_t row, CocoStringReader& reader) const {
  return reader.read(text(row), masks_[row].height, masks_[row].width);
}

Rle RleColumn::operator[](std::size_t row) const {
  return rle_from_coco_string(text(row), masks_[row].height, masks_[row].width);
}

char* RleColumn::room_for(std::size_t bytes) {
  if (!open_ || open_->capacity - open_->size < bytes) {
    const std::size_t usual = open_ ? std::min(2 * open_->capacity, kMostBlockBytes) : kFirstBlockBytes;
    const std::size_t capacity = std::max(bytes, usual);
    open_ = std::make_shared<Block>(std::make_unique_for_overwrite<char[]>(capacity), capacity);
  }
  if (blocks_.empty() || blocks_.back() != open_) {
    blocks_.push_back(open_);
  }
  char* const room = open_->bytes.get() + open_->size;
  open_->size += bytes;
  return room;
}

char* RleColumn::begin_mask(RleView mask, std::size_t characters) {
  const Box columns = verilabel::columns_around(mask);
  const Header header{static_cast<std::uint32_t>(columns.x), static_cast<std::uint32_t>(columns.x + columns.w),
                      static_cast<std::uint32_t>(characters)};
  char* const room = room_for(sizeof header + characters);
  std::memcpy(room, &header, sizeof header);
  masks_.push_back({room, mask.height, mask.width});
  return room + sizeof header;
}

void RleColumn::push_back(RleView mask) {
  const std::size_t most = mask.counts.size() * kMostCocoCharacters;
  char* const text = begin_mask(mask, most);
  const auto characters = static_cast<std::uint32_t>(write_coco_string(mask.counts, text) - text);
  std::memcpy(text - sizeof(Header) + offsetof(Header, characters), &characters, sizeof characters);
  open_->size -= most - characters;
}

void RleColumn::push_back_coco_string(std::string_view text, std::uint32_t height, std::uint32_t width, CocoStringReader& reader) {
  std::ranges::copy(text, begin_mask(reader.read(text, height, width), text.size()));
}

void RleColumn::clear() {
  masks_.clear();
  blocks_.clear();
}

void RleColumn::take_from(RleColumn& other) {
  masks_.insert(masks_.end(), other.masks_.begin(), other.masks_.end());
  std::ranges::move(other.blocks_, std::back_inserter(blocks_));
  other.clear();
}

void RleColumn::replace(std::span<const std::uint32_t> rows, RleColumn&& by) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    masks_[rows[i]] = by.masks_[i];
  }
  std::ranges::move(by.blocks_, std::back_inserter(blocks_));
  by = {};
}

RleColumn& RleColumn::operator=(RleColumn other) noexcept {
  masks_.swap(other.masks_);
  blocks_.swap(other.blocks_);
  open_.swap(other.open_);
  return *this;
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
