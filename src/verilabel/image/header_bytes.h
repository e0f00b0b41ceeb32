#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/image/header.h"

// What readers of the bytes in front of the pixels share. Private to the module.
namespace verilabel {

[[noreturn]] void fail(ErrorCode code, std::string message);
[[noreturn]] void fail_cut_off();

/// Bytes by offset, from memory or through one small window onto a file.
class HeaderBytes {
 public:
  explicit HeaderBytes(std::span<const std::byte> content) : window_(content), size_(content.size()) {}
  HeaderBytes(int descriptor, std::uint64_t size, const std::filesystem::path& path)
      : descriptor_(descriptor), path_(&path), size_(size) {}

  std::uint64_t size() const { return size_; }

  bool has(std::uint64_t offset, std::size_t count) const { return offset <= size_ && count <= size_ - offset; }

  /// `count` bytes, valid until the next call. Throws `bad_data` when the file ends before.
  const std::uint8_t* at(std::uint64_t offset, std::size_t count) {
    if (!has(offset, count)) {
      fail_cut_off();
    }
    if (offset < window_offset_ || offset - window_offset_ + count > window_.size()) {
      refill(offset, count);
    }
    return reinterpret_cast<const std::uint8_t*>(window_.data()) + (offset - window_offset_);
  }

  std::uint32_t number(std::uint64_t offset, int byte_count, bool is_little_endian) {
    const std::uint8_t* bytes = at(offset, static_cast<std::size_t>(byte_count));
    std::uint32_t value = 0;
    for (int i = 0; i < byte_count; ++i) {
      value = value << 8 | bytes[is_little_endian ? byte_count - 1 - i : i];
    }
    return value;
  }
  std::uint32_t big(std::uint64_t offset, int byte_count) { return number(offset, byte_count, false); }
  std::uint32_t little(std::uint64_t offset, int byte_count) { return number(offset, byte_count, true); }

  bool starts_with(std::uint64_t offset, std::string_view text) {
    return has(offset, text.size()) && std::memcmp(at(offset, text.size()), text.data(), text.size()) == 0;
  }

 private:
  void refill(std::uint64_t offset, std::size_t count);

  std::span<const std::byte> window_;
  std::uint64_t window_offset_ = 0;
  std::vector<std::byte> buffer_;
  int descriptor_ = -1;
  const std::filesystem::path* path_ = nullptr;
  std::uint64_t size_ = 0;
};

/// As `read_header` of a file.
ImageHeader read_header(HeaderBytes& bytes);

/// Opens the file for `read`. Throws `not_found`, `io`; what `read` throws gets the path as its context.
void with_header_bytes(const std::filesystem::path& path, const std::function<void(HeaderBytes&)>& read);

}  // namespace verilabel
