#include "verilabel/base/utf8.h"

#include <cstddef>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

bool is_continuation(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

/// Bytes of the well-formed character at the front, 0 when there is none.
std::size_t length_of_first(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
  const unsigned first = at(0);
  const unsigned second = at(1);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF) {
    return is_continuation(second) ? 2 : 0;
  }
  if (first >= 0xE0 && first <= 0xEF) {
    const bool good =
        is_continuation(second) && is_continuation(at(2)) && !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second > 0x9F);
    return good ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool good = is_continuation(second) && is_continuation(at(2)) && is_continuation(at(3)) &&
                      !(first == 0xF0 && second < 0x90) && !(first == 0xF4 && second > 0x8F);
    return good ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::size_t utf8_prefix_size(std::string_view bytes) {
  std::size_t size = 0;
  while (size < bytes.size()) {
    const std::size_t length = length_of_first(bytes.substr(size));
    if (length == 0) {
      break;
    }
    size += length;
  }
  return size;
}

bool is_utf8(std::string_view bytes) {
  return utf8_prefix_size(bytes) == bytes.size();
}

void require_utf8(std::string_view what, std::string_view name) {
  if (!is_utf8(name)) {
    throw Error(ErrorCode::wrong_use, fmt::format("the name of {} must be UTF-8: {}", what, printable(name)));
  }
}

std::string printable(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = length_of_first(bytes);
    const auto first = static_cast<unsigned char>(bytes.front());
    if (length == 0 || first < 0x20 || first == 0x7F) {
      text += fmt::format("\\x{:02x}", first);
      bytes.remove_prefix(1);
    } else {
      text += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return text;
}

}  // namespace verilabel
