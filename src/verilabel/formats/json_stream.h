#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/input_file.h"

namespace verilabel {

/// One JSON value cut out of a file.
struct JsonSlice {
  std::string_view text;          ///< valid until the next call on the stream; `JsonStream::kPaddingBytes` more bytes may be read
  std::uint64_t byte_offset = 0;  ///< of its first byte in the file
  bool is_too_large = false;      ///< it was skipped, and `text` is empty
};

/// Walks a JSON file of any size front to back and cuts it into values, without a tree and in constant memory. Looks at strings and
/// brackets only: whether a value is valid inside is for its parser to say, so that one bad value does not cost the rest.
///
/// Every function that reads throws `bad_data` with context file and byte when the file ends too early or a bracket, a comma or a
/// colon is not where it must be, and `io`.
class JsonStream {
 public:
  static constexpr std::size_t kPaddingBytes = 64;
  static constexpr std::size_t kMaxValueBytes = std::size_t{64} << 20;

  /// Opens the file and skips a byte order mark. Throws `not_found`, `io`, and `bad_data` for an empty file and for UTF-16.
  explicit JsonStream(const std::filesystem::path& path);

  /// The first byte of the next value, which stays where it is.
  char peek();
  /// Where the next value begins.
  std::uint64_t byte_offset();
  std::uint64_t bytes_consumed() const { return buffer_offset_ + begin_; }
  std::uint64_t file_bytes() const { return file_.bytes(); }
  /// Continues at a place that `byte_offset` named.
  void seek(std::uint64_t byte_offset);

  /// Steps over `{`, after which `next_key` walks the fields.
  void enter_object();
  /// The next key as it stands between its quotes, with the stream before its value; nothing after the last field.
  std::optional<std::string> next_key();
  /// Steps over `[`, after which `next_element` walks the elements.
  void enter_array();
  std::optional<JsonSlice> next_element();
  /// The next value, skipped when it is larger than `max_bytes`.
  JsonSlice value(std::size_t max_bytes = kMaxValueBytes);
  void skip_value();
  /// Throws `bad_data` unless only white space is left.
  void finish();

  /// A `bad_data` error about this file.
  [[noreturn]] void fail(std::uint64_t byte_offset, std::string message) const;

 private:
  bool refill();
  bool skip_space();
  void expect(char wanted, std::string_view what);
  bool step_to_next(char closing);

  InputFile file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;            // of what is not consumed yet, in buffer_
  std::size_t end_ = 0;              // of what was read
  std::uint64_t buffer_offset_ = 0;  // of buffer_[0] in the file
  bool is_first_ = false;            // directly after an opening bracket
};

}  // namespace verilabel
