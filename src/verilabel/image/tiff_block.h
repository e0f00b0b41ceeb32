#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "verilabel/image/header_bytes.h"

// Private to the module.
namespace verilabel {

struct TiffEntry {
  std::uint32_t tag = 0;
  std::uint32_t type = 0;
  std::uint64_t count = 0;
  std::uint64_t value = 0;  ///< where the first value stands, counted from the block's first byte
};

/// The directories of TIFF 6.0 (section 2) and BigTIFF, in a file of that format or in a block of EXIF, which has the same shape.
/// Nothing outside the block is read. Every function throws `bad_data` for what is cut off or makes no sense.
class TiffBlock {
 public:
  /// `size` bytes of the file from `offset` on. The words `Exif` and two zeros in front of them are passed over.
  TiffBlock(HeaderBytes& bytes, std::uint64_t offset, std::uint64_t size);

  /// Directories are named by where they stand in the block.
  std::uint64_t first_directory() const { return first_directory_; }
  std::uint64_t entry_count(std::uint64_t directory);
  std::uint32_t tag(std::uint64_t directory, std::uint64_t index);
  TiffEntry entry(std::uint64_t directory, std::uint64_t index);

  /// The first value when the entry holds integers without a sign.
  std::optional<std::uint64_t> integer(const TiffEntry& entry);
  struct Rational {
    std::int64_t numerator = 0;
    std::int64_t denominator = 1;
  };
  /// One of the values when the entry holds integers or fractions.
  std::optional<Rational> rational(const TiffEntry& entry, std::uint64_t index);
  /// Up to the first NUL, when the entry holds text.
  std::optional<std::string> text(const TiffEntry& entry);

 private:
  std::uint64_t place(std::uint64_t offset, std::uint64_t count) const;
  std::uint32_t number(std::uint64_t offset, int byte_count);
  std::uint64_t number64(std::uint64_t offset);
  std::uint64_t entry_place(std::uint64_t directory, std::uint64_t index) const;

  HeaderBytes& bytes_;
  std::uint64_t base_;
  std::uint64_t size_;
  bool is_little_ = false;
  bool is_big_tiff_ = false;
  std::uint64_t first_directory_ = 0;
};

}  // namespace verilabel
