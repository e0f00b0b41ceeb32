#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "verilabel/geometry/coco_string.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {

/// Many masks, each as COCO's character string, which takes about a byte a run. They lie in few large blocks, written once and
/// shared by copies and by columns that took rows of this one.
class RleColumn {
 public:
  RleColumn() = default;
  RleColumn(std::initializer_list<Rle> masks);
  RleColumn(const RleColumn& other) : masks_(other.masks_), blocks_(other.blocks_) {}
  RleColumn(RleColumn&&) = default;
  RleColumn& operator=(RleColumn other) noexcept;
  ~RleColumn() = default;

  std::size_t size() const { return masks_.size(); }
  bool empty() const { return masks_.empty(); }

  /// Whether the row is the empty `RleView`, which stands for no mask.
  bool is_none(std::size_t row) const;
  std::uint32_t height(std::size_t row) const { return masks_[row].height; }
  std::uint32_t width(std::size_t row) const { return masks_[row].width; }
  /// `columns_around` the mask, without a look at its runs.
  Box columns_around(std::size_t row) const;
  /// The mask, valid until the next call of the reader.
  RleView read(std::size_t row, CocoStringReader& reader) const;
  /// Likewise for one alone.
  Rle operator[](std::size_t row) const;

  void reserve(std::size_t rows) { masks_.reserve(rows); }
  void push_back(RleView mask);
  /// What `rle_from_coco_string` would give, with its errors.
  void push_back_coco_string(std::string_view text, std::uint32_t height, std::uint32_t width, CocoStringReader& reader);
  void clear();
  /// Afterwards `other` is empty and may be filled again, for which it keeps what is left of its last block.
  void take_from(RleColumn& other);
  /// Row i of `by` takes the place of row `rows[i]`.
  void replace(std::span<const std::uint32_t> rows, RleColumn&& by);

  RleColumn rows(std::span<const std::uint32_t> rows) const;

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t capacity = 0;
    std::size_t size = 0;
  };
  struct Entry {
    const char* at;  ///< a header, and behind it the characters
    std::uint32_t height;
    std::uint32_t width;
  };
  /// At any address.
  struct Header {
    std::uint32_t left;   ///< column of the first pixel inside
    std::uint32_t right;  ///< behind that of the last one; 0 when there is none
    std::uint32_t characters;
  };

  Header header(std::size_t row) const;
  std::string_view text(std::size_t row) const;
  /// Adds the mask; where its characters go.
  char* begin_mask(RleView mask, std::size_t characters);
  char* room_for(std::size_t bytes);

  std::vector<Entry> masks_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<Block> open_;  ///< where the next mask goes while there is room; of no other column
};

}  // namespace verilabel
