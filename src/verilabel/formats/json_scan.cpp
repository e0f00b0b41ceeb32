#include "verilabel/formats/json_scan.h"

#include <algorithm>
#include <cstddef>

namespace verilabel {
namespace {

constexpr std::ptrdiff_t kBlockBytes = 32;

/// Whether one of the next 32 bytes is a quote or a bracket. No branch inside, so that the compiler makes it a few vector compares:
/// most of a large file is numbers between brackets that are far apart.
bool has_structure(const char* bytes) {
  unsigned char found = 0;
  for (std::ptrdiff_t i = 0; i < kBlockBytes; ++i) {
    const char lowered = static_cast<char>(bytes[i] | 0x20);  // [ and { differ in this bit, and so do ] and }
    found |= static_cast<unsigned char>(bytes[i] == '"') | static_cast<unsigned char>(lowered == '{') |
             static_cast<unsigned char>(lowered == '}');
  }
  return found != 0;
}

bool has_string_end(const char* bytes) {
  unsigned char found = 0;
  for (std::ptrdiff_t i = 0; i < kBlockBytes; ++i) {
    found |= static_cast<unsigned char>(bytes[i] == '"') | static_cast<unsigned char>(bytes[i] == '\\');
  }
  return found != 0;
}

}  // namespace

const char* JsonValueScan::run(const char* at, const char* end) {
  while (at < end) {
    if (in_string_) {
      at = run_string(at, end);
      if (!in_string_ && depth_ == 0) {
        return at;
      }
      continue;
    }
    if (in_scalar_) {
      at = std::find_if(at, end, [](char c) { return is_json_space(c) || c == ',' || c == ']' || c == '}' || c == ':'; });
      return at == end ? nullptr : at;
    }
    if (depth_ > 0 && end - at >= kBlockBytes && !has_structure(at)) {
      at += kBlockBytes;
      continue;
    }
    // A block with something in it, byte by byte.
    const char* const block_end = at + std::min(end - at, kBlockBytes);
    for (; at < block_end && !in_string_ && !in_scalar_; ++at) {
      const char c = *at;
      if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if (c == '}' || c == ']') {
        if (depth_ == 0) {
          return at;
        }
        if (--depth_ == 0) {
          return at + 1;
        }
      } else if (depth_ == 0) {
        if (c == ',' || c == ':') {
          return at;
        }
        in_scalar_ = true;
      }
    }
  }
  return nullptr;
}

const char* JsonValueScan::run_string(const char* at, const char* end) {
  while (at < end) {
    if (!is_escaped_ && end - at >= kBlockBytes && !has_string_end(at)) {
      at += kBlockBytes;
      continue;
    }
    const char* const block_end = at + std::min(end - at, kBlockBytes);
    while (at < block_end) {
      const char c = *at++;
      if (is_escaped_) {
        is_escaped_ = false;
      } else if (c == '"') {
        in_string_ = false;
        return at;
      } else {
        is_escaped_ = c == '\\';
      }
    }
  }
  return at;
}

}  // namespace verilabel
