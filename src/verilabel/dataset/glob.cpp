#include "verilabel/dataset/glob.h"

#include <algorithm>

namespace verilabel {
namespace {

constexpr std::uint16_t kAnyRun = 256;
constexpr std::uint16_t kAnyCharacter = 257;
constexpr std::uint16_t kNothing = 258;

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80;
}

/// Bytes of the character at `at`; 1 for bytes that are no UTF-8.
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t length = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 1;
  if (at + length > text.size()) {
    return 1;
  }
  const std::string_view rest = text.substr(at + 1, length - 1);
  return std::ranges::all_of(rest, is_continuation) ? length : 1;
}

}  // namespace

Glob::Glob(std::string_view pattern, std::string_view is_literal) : pieces_(1) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool stands_for_itself = i < is_literal.size() && is_literal[i] != 0;
    if (pattern[i] == '*' && !stands_for_itself) {
      if (elements_.empty() || elements_.back() != kAnyRun) {
        elements_.push_back(kAnyRun);
        pieces_.emplace_back();
      }
      continue;
    }
    if (pattern[i] == '?' && !stands_for_itself) {
      elements_.push_back(kAnyCharacter);
      has_any_character_ = true;
    } else {
      elements_.push_back(static_cast<unsigned char>(pattern[i]));
      pieces_.back() += pattern[i];
    }
    ++shortest_match_;
  }
}

bool Glob::matches_pieces(std::string_view text) const {
  const std::string& first = pieces_.front();
  const std::string& last = pieces_.back();
  if (pieces_.size() == 1) {
    return text == first;
  }
  if (text.size() < shortest_match_ || !text.starts_with(first) || !text.ends_with(last)) {
    return false;
  }
  text.remove_prefix(first.size());
  text.remove_suffix(last.size());
  for (std::size_t piece = 1; piece + 1 < pieces_.size(); ++piece) {
    const std::size_t found = text.find(pieces_[piece]);
    if (found == std::string_view::npos) {
      return false;
    }
    text.remove_prefix(found + pieces_[piece].size());
  }
  return true;
}

bool Glob::matches_elements(std::string_view text) const {
  if (text.size() < shortest_match_) {
    return false;
  }
  // Only the last `*` ever needs to be tried again: whatever an earlier one could take, it can take too.
  constexpr auto none = std::string_view::npos;
  std::size_t element = 0;
  std::size_t at = 0;
  std::size_t last_run = none;
  std::size_t run_end = 0;
  while (at < text.size()) {
    const std::uint16_t wanted = element < elements_.size() ? elements_[element] : kNothing;
    if (wanted == kAnyRun) {
      last_run = element++;
      run_end = at;
    } else if (wanted == kAnyCharacter) {
      at += character_length(text, at);
      ++element;
    } else if (wanted == static_cast<unsigned char>(text[at])) {
      ++at;
      ++element;
    } else if (last_run != none) {
      run_end += character_length(text, run_end);
      at = run_end;
      element = last_run + 1;
    } else {
      return false;
    }
  }
  return element == elements_.size() || (element + 1 == elements_.size() && elements_[element] == kAnyRun);
}

}  // namespace verilabel
