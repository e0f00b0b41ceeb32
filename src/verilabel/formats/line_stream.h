#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "verilabel/formats/input_file.h"

// Private to the module.
namespace verilabel {

/// Walks the lines of a file of UTF-8 front to back, in memory that does not grow with the file. Lines end in LF or CRLF, the last
/// one perhaps in neither; a byte order mark is passed over.
class LineStream {
 public:
  static constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;

  /// Throws `not_found`, `io`, and `bad_data` for an empty file and for UTF-16.
  explicit LineStream(const std::filesystem::path& path);

  /// Steps to the next line; false at the end. Throws `io`.
  bool next();
  /// Without its end; valid until the next call. Empty when it is too large.
  std::string_view text() const { return text_; }
  /// From 1.
  std::uint64_t line() const { return line_; }
  bool is_too_large() const { return is_too_large_; }

  std::uint64_t bytes_consumed() const { return buffer_offset_ + begin_; }
  std::uint64_t file_bytes() const { return file_.bytes(); }

 private:
  bool refill();

  InputFile file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;            // of what was not given out yet, in buffer_
  std::size_t end_ = 0;              // of what was read
  std::uint64_t buffer_offset_ = 0;  // of buffer_[0] in the file
  std::uint64_t line_ = 0;
  std::string_view text_;
  bool is_too_large_ = false;
};

}  // namespace verilabel
