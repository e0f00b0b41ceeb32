#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/input_file.h"
#include "verilabel/formats/row_fault.h"

namespace verilabel {

/// Walks a table of text front to back, in memory that does not grow with the file: RFC 4180 (fields in quotes may hold separators,
/// line breaks and doubled quotes), with lines that end in LF, CRLF or CR, a byte order mark, and commas, semicolons or tabs
/// between fields, whichever the header has most of. The first row is the header; blank lines are passed over.
class CsvStream {
 public:
  static constexpr std::size_t kMaxFieldBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMaxRowBytes = std::size_t{16} << 20;

  /// Which character of the first row separates its fields.
  enum class Separator : std::uint8_t {
    most_frequent,
    first,  ///< where the first field cannot hold one
  };

  /// Opens the file and reads the header. Throws `not_found`, `io`, and `bad_data` for an empty file, for UTF-16 and for a header
  /// that is no row of UTF-8 text or has as many of one separator as of another.
  explicit CsvStream(const std::filesystem::path& path, Separator rule = Separator::most_frequent);

  const std::vector<std::string>& header() const { return header_; }
  char separator() const { return separator_; }

  /// Steps to the next row; false at the end. Throws `io`, and `bad_data` for a quote that is never closed: what follows it cannot
  /// be told from what it quotes.
  bool next();
  /// As many as the header has, unless there is a fault. Valid until the next call.
  std::span<const std::string_view> fields() const { return fields_; }
  /// On which the row begins, from 1.
  std::uint64_t line() const { return line_; }
  /// What is wrong with the row as such: its quotes, its count of fields, a NUL byte, bytes that are not UTF-8, more than 1 MB in
  /// a field or 16 MB in the row.
  const std::optional<RowFault>& fault() const { return fault_; }

  std::uint64_t bytes_consumed() const { return buffer_offset_ + at_; }
  std::uint64_t file_bytes() const { return file_.bytes(); }
  /// A `bad_data` error about this file.
  [[noreturn]] void fail(std::uint64_t line, std::string message) const;

 private:
  enum class State : std::uint8_t { field_start, unquoted, quoted, quote_in_quoted, behind_quote };
  /// A field of the row, counted from its first byte.
  struct Span {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool has_doubled_quotes = false;
  };

  bool read_row();
  bool scan();
  bool refill();
  void end_field(std::size_t end);
  void end_line(char c);
  void set_fault(RejectionReason reason, std::string message);
  void take_fields();
  void check_text();
  void read_header(Separator rule);
  RowField current_field() const;

  InputFile file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;            // of the row, in buffer_
  std::size_t at_ = 0;               // what was looked at
  std::size_t end_ = 0;              // of what was read
  std::uint64_t buffer_offset_ = 0;  // of buffer_[0] in the file

  char separator_ = ',';
  std::array<bool, 256> ends_run_{};  // bytes that matter outside quotes
  State state_ = State::field_start;
  std::size_t field_begin_ = 0;  // from begin_
  std::size_t field_count_ = 0;  // of the row, ended
  bool has_doubled_quotes_ = false;
  bool was_quoted_ = false;        // the last field that ended
  bool is_skipping_ = false;       // a row too large to be kept
  bool is_behind_return_ = false;  // the byte before was a CR, which a LF may complete
  std::uint64_t line_ = 1;
  std::uint64_t next_line_ = 1;
  std::uint64_t quote_line_ = 1;
  std::vector<Span> spans_;
  std::vector<std::string_view> fields_;
  std::optional<RowFault> fault_;
  std::vector<std::string> header_;
};

/// Writes rows to an open file in large pieces. Fields are put in quotes where a reader needs them; rows end in LF.
class CsvWriter {
 public:
  CsvWriter(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}

  CsvWriter& text(std::string_view field);
  /// The shortest form that reads back as the same double; empty for none.
  CsvWriter& number(std::optional<double> field);
  CsvWriter& integer(std::int64_t field);
  void end_row();
  /// After the last row. Throws `io`, as the others may.
  void flush();

 private:
  void separate();

  int descriptor_;
  std::filesystem::path path_;
  std::string text_;
  std::size_t row_begin_ = 0;
  bool is_first_ = true;
};

}  // namespace verilabel
