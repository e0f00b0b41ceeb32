#include "verilabel/formats/line_stream.h"

#include <algorithm>
#include <cstring>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

}  // namespace

LineStream::LineStream(const std::filesystem::path& path) : file_(path) {
  if (!refill()) {
    throw Error(ErrorCode::bad_data, "the file is empty", {{"file", path.native()}});
  }
  const std::string_view text(buffer_.data(), end_);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw Error(ErrorCode::bad_data, "the file is UTF-16; save it as UTF-8", {{"file", path.native()}});
  }
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  begin_ = text.starts_with(kMark) ? kMark.size() : 0;
}

bool LineStream::next() {
  ++line_;
  is_too_large_ = false;
  const char* found = nullptr;
  for (std::size_t searched = 0;;) {
    const std::size_t from = begin_ + searched;
    found = static_cast<const char*>(std::memchr(buffer_.data() + from, '\n', end_ - from));
    if (found != nullptr) {
      break;
    }
    if (end_ - begin_ > kMaxLineBytes + 1) {
      is_too_large_ = true;
      begin_ = end_;
    }
    searched = end_ - begin_;
    if (!refill()) {
      break;
    }
  }
  const std::size_t line_end = found == nullptr ? end_ : static_cast<std::size_t>(found - buffer_.data());
  if (found == nullptr && line_end == begin_ && !is_too_large_) {
    return false;
  }
  text_ = {buffer_.data() + begin_, line_end - begin_};
  begin_ = std::min(line_end + 1, end_);
  if (text_.ends_with('\r')) {
    text_.remove_suffix(1);
  }
  is_too_large_ = is_too_large_ || text_.size() > kMaxLineBytes;
  if (is_too_large_) {
    text_ = {};
  }
  return true;
}

/// More bytes behind those that were not given out; false at the end of the file.
bool LineStream::refill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    buffer_offset_ += begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  buffer_.resize(std::max(buffer_.size(), end_ + kReadBytes));
  const std::size_t got = file_.read(buffer_.data() + end_, buffer_.size() - end_);
  end_ += got;
  return got > 0;
}

}  // namespace verilabel
