#include "verilabel/text/charsmap.h"

#include <algorithm>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

// A grapheme of as many bytes is looked up character by character.
constexpr std::size_t kLongGrapheme = 6;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::bad_data, "the precompiled charsmap is damaged: " + why);
}

// The fields of a unit, by the file format.
bool has_leaf(std::uint32_t unit) {
  return (unit >> 8 & 1) == 1;
}
std::uint32_t label(std::uint32_t unit) {
  return unit & (1U << 31 | 0xFF);
}
std::size_t offset(std::uint32_t unit) {
  return std::size_t{unit >> 10} << ((unit & 1U << 9) >> 6);
}
std::size_t value(std::uint32_t unit) {
  return unit & ~(1U << 31);
}

/// Puts a replacement in the place of `old_count` characters.
void replace(std::vector<unicode::Change>& changes, int old_count, std::string_view replacement) {
  const std::size_t begin = changes.size();
  unicode::for_each_character(replacement, [&](char32_t code, std::size_t, std::size_t) { changes.push_back({code, 0}); });
  const int more = static_cast<int>(changes.size() - begin) - old_count;
  if (more > 0) {
    for (auto change = changes.end() - more; change != changes.end(); ++change) {
      change->change = 1;
    }
  } else if (more < 0 && !changes.empty()) {
    changes.back().change += more;
  }
}

int count_of(std::string_view text) {
  int count = 0;
  unicode::for_each_character(text, [&](char32_t, std::size_t, std::size_t) { ++count; });
  return count;
}

}  // namespace

Charsmap Charsmap::from_bytes(std::span<const std::uint8_t> bytes) {
  const auto number_at = [&](std::size_t begin) {
    return static_cast<std::uint32_t>(bytes[begin] | bytes[begin + 1] << 8 | bytes[begin + 2] << 16) |
           static_cast<std::uint32_t>(bytes[begin + 3]) << 24;
  };
  if (bytes.size() < 4) {
    refuse("it is too short");
  }
  const std::size_t trie_bytes = number_at(0);
  if (trie_bytes < 4 || trie_bytes > bytes.size() - 4) {
    refuse(fmt::format("it has {} bytes and says that {} of them are its trie", bytes.size(), trie_bytes));
  }
  Charsmap map;
  map.units_.reserve(trie_bytes / 4);
  for (std::size_t i = 0; i < trie_bytes / 4; ++i) {
    map.units_.push_back(number_at(4 + 4 * i));
  }
  map.replacements_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(4 + trie_bytes / 4 * 4), bytes.end());
  if (!is_utf8(map.replacements_)) {
    refuse("its replacements are not UTF-8");
  }
  return map;
}

std::string_view Charsmap::replacement_at(std::size_t begin) const {
  const auto is_inside_character = [&] { return (static_cast<unsigned char>(replacements_[begin]) & 0xC0) == 0x80; };
  if (begin > replacements_.size() || (begin < replacements_.size() && is_inside_character())) {
    refuse(fmt::format("it points to byte {} of its replacements", begin));
  }
  return std::string_view(replacements_).substr(begin, std::min(replacements_.find('\0', begin), replacements_.size()) - begin);
}

std::optional<std::string_view> Charsmap::replacement_of(std::string_view chunk) const {
  const auto unit_at = [&](std::size_t place) {
    if (place >= units_.size()) {
      refuse(fmt::format("it points to unit {} of {}", place, units_.size()));
    }
    return units_[place];
  };
  std::size_t place = offset(unit_at(0));
  for (const char byte : chunk) {
    if (byte == '\0') {
      return {};
    }
    place ^= static_cast<unsigned char>(byte);
    const std::uint32_t unit = unit_at(place);
    if (label(unit) != static_cast<unsigned char>(byte)) {
      return {};
    }
    place ^= offset(unit);
    if (has_leaf(unit)) {
      return replacement_at(value(unit_at(place)));
    }
  }
  return {};
}

std::optional<std::vector<unicode::Change>> Charsmap::changes_of(std::string_view text) const {
  std::vector<unicode::Change> changes;
  changes.reserve(text.size());
  bool is_changed = false;
  std::size_t begin = 0;
  for (const std::size_t end : unicode::grapheme_ends(text)) {
    const std::string_view grapheme = text.substr(begin, end - begin);
    begin = end;
    const auto whole = grapheme.size() < kLongGrapheme ? replacement_of(grapheme) : std::nullopt;
    if (whole) {
      is_changed = true;
      replace(changes, count_of(grapheme), *whole);
      continue;
    }
    unicode::for_each_character(grapheme, [&](char32_t code, std::size_t place, std::size_t size) {
      if (const auto one = replacement_of(grapheme.substr(place, size))) {
        is_changed = true;
        replace(changes, 1, *one);
      } else {
        changes.push_back({code, 0});
      }
    });
  }
  return is_changed ? std::optional(std::move(changes)) : std::nullopt;
}

}  // namespace verilabel
