#include "verilabel/formats/json_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/json_scan.h"

namespace verilabel {
namespace {

constexpr std::size_t kReadBytes = std::size_t{4} << 20;
constexpr std::size_t kMinReadBytes = std::size_t{4} << 10;
constexpr std::size_t kMaxKeyBytes = std::size_t{1} << 20;

}  // namespace

JsonStream::JsonStream(const std::filesystem::path& path) : file_(path) {
  if (file_.is_folder()) {
    throw Error(ErrorCode::wrong_use, "this is a folder; name the .json file in it", {{"path", path.native()}});
  }
  // For a small file, of which there may be thousands, no more than it takes; a pipe has no size.
  const std::uint64_t wanted = file_.regular_bytes() ? *file_.regular_bytes() + 1 : kReadBytes;
  buffer_.resize(std::clamp<std::uint64_t>(wanted, kMinReadBytes, kReadBytes) + kPaddingBytes);
  refill();
  const std::string_view start(buffer_.data(), end_);
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF")) {
    fail(0, "the file is UTF-16; save it as UTF-8");
  }
  if (start.starts_with("\xEF\xBB\xBF")) {
    begin_ = 3;
  }
  if (!skip_space()) {
    fail(0, "the file is empty; a JSON document is needed");
  }
}

void JsonStream::fail(std::uint64_t byte_offset, std::string message) const {
  throw Error(ErrorCode::bad_data, std::move(message), {{"file", file_.path().native()}, {"byte", fmt::to_string(byte_offset)}});
}

/// Reads on behind what is there, after moving that to the front. False at the end of the file.
bool JsonStream::refill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  buffer_offset_ += begin_;
  end_ -= begin_;
  begin_ = 0;
  const std::size_t capacity = buffer_.size() - kPaddingBytes;
  if (capacity - end_ < std::min(kReadBytes, capacity) / 2) {
    buffer_.resize(2 * buffer_.size());
  }
  const std::size_t got = file_.read(buffer_.data() + end_, buffer_.size() - kPaddingBytes - end_);
  end_ += got;
  return got > 0;
}

bool JsonStream::skip_space() {
  for (;;) {
    while (begin_ < end_) {
      if (!is_json_space(buffer_[begin_])) {
        return true;
      }
      ++begin_;
    }
    if (!refill()) {
      return false;
    }
  }
}

char JsonStream::peek() {
  if (!skip_space()) {
    fail(file_.bytes(), "the file ends where a value should begin: it is truncated");
  }
  return buffer_[begin_];
}

std::uint64_t JsonStream::byte_offset() {
  peek();
  return buffer_offset_ + begin_;
}

void JsonStream::seek(std::uint64_t byte_offset) {
  file_.seek(byte_offset);
  begin_ = end_ = 0;
  buffer_offset_ = byte_offset;
}

void JsonStream::expect(char wanted, std::string_view what) {
  const char found = peek();
  if (found != wanted) {
    fail(buffer_offset_ + begin_, fmt::format("this is not valid JSON: {} is needed here", what));
  }
  ++begin_;
}

/// In front of the next key or element, or behind the closing bracket.
bool JsonStream::step_to_next(char closing) {
  const char found = peek();
  if (found == closing) {
    ++begin_;
    is_first_ = false;
    return false;
  }
  if (!is_first_) {
    expect(',', closing == ']' ? "`,` or `]`" : "`,` or `}`");
    if (peek() == closing) {
      fail(buffer_offset_ + begin_, "this is not valid JSON: a value is needed after the comma");
    }
  }
  is_first_ = false;
  return true;
}

void JsonStream::enter_object() {
  expect('{', "`{`");
  is_first_ = true;
}

std::optional<std::string> JsonStream::next_key() {
  if (!step_to_next('}')) {
    return std::nullopt;
  }
  if (peek() != '"') {
    fail(byte_offset(), "this is not valid JSON: a key in quotes is needed here");
  }
  const JsonSlice key = value(kMaxKeyBytes);
  if (key.is_too_large) {
    fail(key.byte_offset, "this key is longer than 1 MB");
  }
  std::string name(key.text.substr(1, key.text.size() - 2));
  expect(':', "`:`");
  return name;
}

void JsonStream::enter_array() {
  expect('[', "`[`");
  is_first_ = true;
}

std::optional<JsonSlice> JsonStream::next_element() {
  if (!step_to_next(']')) {
    return std::nullopt;
  }
  return value();
}

JsonSlice JsonStream::value(std::size_t max_bytes) {
  JsonSlice slice{.text = {}, .byte_offset = byte_offset()};
  JsonValueScan scan;
  std::size_t scanned = begin_;
  for (;;) {
    const char* const start = buffer_.data() + scanned;
    const char* value_end = scan.run(start, buffer_.data() + end_);
    if (value_end == nullptr) {
      if (end_ - begin_ > max_bytes) {
        slice.is_too_large = true;
      }
      if (slice.is_too_large) {
        begin_ = end_;
      }
      const std::size_t kept = end_ - begin_;
      if (refill()) {
        scanned = kept;
        continue;
      }
      if (!scan.may_end_here()) {
        fail(slice.byte_offset, "the value that begins here has no end: the file is truncated, or a bracket or quote is missing");
      }
      value_end = buffer_.data() + end_;
    }
    const char* const value_begin = buffer_.data() + begin_;
    const auto size = static_cast<std::size_t>(value_end - value_begin);
    begin_ += size;
    if (size > max_bytes) {
      slice.is_too_large = true;
    }
    if (!slice.is_too_large) {
      slice.text = {value_begin, size};
      if (size == 0) {
        fail(slice.byte_offset, "this is not valid JSON: a value is needed here");
      }
    }
    return slice;
  }
}

void JsonStream::skip_value() {
  value(0);
}

void JsonStream::finish() {
  if (skip_space()) {
    fail(buffer_offset_ + begin_, "the JSON document has ended, but the file goes on");
  }
}

}  // namespace verilabel
