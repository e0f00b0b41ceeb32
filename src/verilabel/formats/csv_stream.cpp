#include "verilabel/formats/csv_stream.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::size_t kWriteBytes = std::size_t{1} << 20;

bool is_ascii(std::string_view text) {
  unsigned char bits = 0;
  for (const char c : text) {
    bits |= static_cast<unsigned char>(c);
  }
  return bits < 0x80;
}

}  // namespace

CsvStream::CsvStream(const std::filesystem::path& path, Separator rule) : file_(path) {
  read_header(rule);
}

void CsvStream::fail(std::uint64_t line, std::string message) const {
  throw Error(ErrorCode::bad_data, std::move(message), {{"file", file_.path().native()}, {"line", fmt::to_string(line)}});
}

void CsvStream::read_header(Separator rule) {
  if (!refill()) {
    throw Error(ErrorCode::bad_data, "the file is empty", {{"file", file_.path().native()}});
  }
  const std::string_view text(buffer_.data(), end_);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    fail(1, "the file is UTF-16; save it as UTF-8");
  }
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  at_ = text.starts_with(kMark) ? kMark.size() : 0;

  // The separator is whichever the first line that is not blank has most of, outside quotes.
  constexpr std::string_view kSeparators = ",;\t";
  std::array<std::size_t, kSeparators.size()> counts{};
  std::optional<std::size_t> first;
  bool is_quoted = false;
  for (std::size_t i = std::min(text.find_first_not_of("\r\n", at_), end_); i < end_; ++i) {
    if (!is_quoted && (text[i] == '\n' || text[i] == '\r')) {
      break;
    }
    is_quoted ^= text[i] == '"';
    if (const std::size_t kind = kSeparators.find(text[i]); !is_quoted && kind != std::string_view::npos) {
      ++counts[kind];
      first = first.value_or(kind);
    }
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  const bool is_first = rule == Separator::first && first;
  if (!is_first && *most > 0 && std::count(counts.begin(), counts.end(), *most) > 1) {
    fail(1, "the header has as many of one separator as of another, so that its columns cannot be told; use commas");
  }
  separator_ = kSeparators[is_first ? *first : static_cast<std::size_t>(most - counts.begin())];
  for (const char c : {separator_, '\n', '\r', '"'}) {
    ends_run_[static_cast<unsigned char>(c)] = true;
  }

  if (!read_row()) {
    fail(1, "the file has no header: the first row names the columns");
  }
  check_text();
  if (fault_) {
    fail(line_,
         fmt::format("the header cannot be read: {}{}{}", fault_->field, fault_->field.empty() ? "" : ": ", fault_->message));
  }
  header_.assign(fields_.begin(), fields_.end());
}

bool CsvStream::next() {
  if (!read_row()) {
    return false;
  }
  check_text();
  if (!fault_ && fields_.size() != header_.size()) {
    fault_ = RowFault{RejectionReason::malformed, "",
                      fmt::format("the row has {} columns and the header {}", fields_.size(), header_.size())};
  }
  return true;
}

/// A row that is not blank.
bool CsvStream::read_row() {
  for (;;) {
    begin_ = at_;
    state_ = State::field_start;
    field_begin_ = 0;
    field_count_ = 0;
    is_skipping_ = false;
    line_ = next_line_;
    spans_.clear();
    fields_.clear();
    fault_.reset();
    while (!scan()) {
      if (refill()) {
        continue;
      }
      if (state_ == State::quoted) {
        fail(quote_line_, "a quote opens a field here and is never closed");
      }
      if (field_count_ == 0 && at_ == begin_ && !is_skipping_) {
        return false;
      }
      end_field(at_ - (state_ == State::quote_in_quoted ? 1 : 0));
      break;
    }
    const bool is_blank = field_count_ == 1 && !is_skipping_ && spans_[0].begin == spans_[0].end && !was_quoted_;
    if (!is_blank) {
      take_fields();
      return true;
    }
  }
}

/// Looks at what was read; true behind the end of the row, false when there is more to read.
bool CsvStream::scan() {
  while (at_ < end_) {
    const char c = buffer_[at_];
    const bool completes_return = std::exchange(is_behind_return_, false) && c == '\n';
    switch (state_) {
      case State::field_start:
        if (completes_return && field_count_ == 0) {
          begin_ = ++at_;
          break;
        }
        has_doubled_quotes_ = false;
        was_quoted_ = c == '"';
        field_begin_ = at_ - begin_ + (was_quoted_ ? 1 : 0);
        state_ = was_quoted_ ? State::quoted : State::unquoted;
        if (was_quoted_) {
          quote_line_ = next_line_;
          ++at_;
        }
        break;
      case State::quoted:
        if (c == '"') {
          state_ = State::quote_in_quoted;
        } else if (c == '\r' || (c == '\n' && !completes_return)) {
          end_line(c);
        }
        ++at_;
        break;
      case State::quote_in_quoted:
        if (c == '"') {
          has_doubled_quotes_ = true;
          state_ = State::quoted;
          ++at_;
          break;
        }
        if (!ends_run_[static_cast<unsigned char>(c)]) {
          set_fault(RejectionReason::malformed, "there is text behind the closing quote; quotes inside a field are doubled");
          state_ = State::behind_quote;
          ++at_;
          break;
        }
        [[fallthrough]];
      case State::unquoted:
      case State::behind_quote: {
        const char* const bytes = buffer_.data();
        while (at_ < end_ && !ends_run_[static_cast<unsigned char>(bytes[at_])]) {
          ++at_;
        }
        if (at_ == end_) {
          return false;
        }
        const char stop = bytes[at_];
        if (stop == '"') {
          set_fault(RejectionReason::malformed,
                    "a quote stands inside a field; put the field in quotes and double the quote inside it");
          ++at_;
          break;
        }
        end_field(at_ - (state_ == State::quote_in_quoted ? 1 : 0));
        state_ = State::field_start;
        ++at_;
        if (stop != separator_) {
          end_line(stop);
          return true;
        }
        field_begin_ = at_ - begin_;
        was_quoted_ = false;
        break;
      }
    }
  }
  return false;
}

void CsvStream::end_line(char c) {
  ++next_line_;
  is_behind_return_ = c == '\r';
}

void CsvStream::end_field(std::size_t end) {
  if (!is_skipping_) {
    const std::size_t bytes = end - begin_ - std::min(field_begin_, end - begin_);
    if (bytes > kMaxFieldBytes) {
      set_fault(RejectionReason::too_large, "a field of more than 1 MB cannot be read");
    }
    spans_.push_back(
        {static_cast<std::uint32_t>(field_begin_), static_cast<std::uint32_t>(field_begin_ + bytes), has_doubled_quotes_});
    has_doubled_quotes_ = false;
  }
  ++field_count_;
}

RowField CsvStream::current_field() const {
  return {field_count_ + 1, field_count_ < header_.size() ? std::string_view(header_[field_count_]) : std::string_view()};
}

void CsvStream::set_fault(RejectionReason reason, std::string message) {
  if (!fault_) {
    fault_ = RowFault{reason, name_of(current_field()), std::move(message)};
  }
}

/// More bytes behind what was read; false at the end of the file.
bool CsvStream::refill() {
  const std::size_t row_bytes = at_ - begin_;
  const bool is_field_too_large = state_ != State::field_start && row_bytes - field_begin_ > kMaxFieldBytes + 1;
  if (!is_skipping_ && (is_field_too_large || row_bytes > kMaxRowBytes)) {
    set_fault(RejectionReason::too_large,
              is_field_too_large ? "a field of more than 1 MB cannot be read" : "a row of more than 16 MB cannot be read");
    is_skipping_ = true;
    spans_.clear();
  }
  if (is_skipping_) {
    begin_ = at_;
    field_begin_ = 0;
  }
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    buffer_offset_ += begin_;
    at_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  buffer_.resize(std::max(buffer_.size(), end_ + kReadBytes));
  const std::size_t got = file_.read(buffer_.data() + end_, buffer_.size() - end_);
  end_ += got;
  return got > 0;
}

void CsvStream::take_fields() {
  for (const Span& span : spans_) {
    char* const begin = buffer_.data() + begin_ + span.begin;
    char* end = buffer_.data() + begin_ + span.end;
    if (span.has_doubled_quotes) {
      // The first quote of a pair goes.
      char* to = begin;
      for (const char* from = begin; from < end; ++from) {
        from += *from == '"' && from + 1 < end ? 1 : 0;
        *to++ = *from;
      }
      end = to;
    }
    fields_.emplace_back(begin, static_cast<std::size_t>(end - begin));
  }
}

void CsvStream::check_text() {
  if (fault_ || spans_.empty()) {
    return;
  }
  const std::string_view row(buffer_.data() + begin_, spans_.back().end);
  if (is_ascii(row) && row.find('\0') == std::string_view::npos) {
    return;
  }
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const bool has_nul = fields_[i].find('\0') != std::string_view::npos;
    if (has_nul || !is_utf8(fields_[i])) {
      const RowField field = {i + 1, i < header_.size() ? std::string_view(header_[i]) : std::string_view()};
      fault_ = RowFault{RejectionReason::malformed, name_of(field),
                        has_nul ? "the field holds a NUL byte" : "the field is not UTF-8; save the file in that encoding"};
      return;
    }
  }
}

void CsvWriter::separate() {
  if (!std::exchange(is_first_, false)) {
    text_ += ',';
  }
}

CsvWriter& CsvWriter::text(std::string_view field) {
  separate();
  // Semicolons and tabs too, so that no header is taken for one of theirs.
  if (field.find_first_of(",\"\r\n;\t") == std::string_view::npos) {
    text_ += field;
    return *this;
  }
  text_ += '"';
  for (const char c : field) {
    text_.append(c == '"' ? 2 : 1, c);
  }
  text_ += '"';
  return *this;
}

CsvWriter& CsvWriter::number(std::optional<double> field) {
  separate();
  if (field) {
    fmt::format_to(std::back_inserter(text_), "{}", *field);
  }
  return *this;
}

CsvWriter& CsvWriter::integer(std::int64_t field) {
  separate();
  fmt::format_to(std::back_inserter(text_), "{}", field);
  return *this;
}

void CsvWriter::end_row() {
  // A row that is one empty field would be a blank line.
  if (text_.size() == row_begin_) {
    text_ += "\"\"";
  }
  text_ += '\n';
  is_first_ = true;
  row_begin_ = text_.size();
  if (text_.size() >= kWriteBytes) {
    flush();
  }
}

void CsvWriter::flush() {
  write_all(descriptor_, std::as_bytes(std::span(text_)), path_);
  text_.clear();
  row_begin_ = 0;
}

}  // namespace verilabel
