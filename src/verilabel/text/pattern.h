#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "verilabel/text/aligned_text.h"

// Private to the module.

namespace verilabel {

/// A regular expression in the syntax of Oniguruma, which is also the engine of Hugging Face's `tokenizers`. Of which Unicode the
/// installed library is does not matter to \w, \d, \s and the categories by their short names (\p{L}, \p{Lu}, …): they are
/// Unicode 16's, as in the reference. It does to \b, [:names:], scripts and folding of case (Unicode 14 in 6.9.8).
class Regex {
 public:
  /// Throws `bad_data` with what the engine says of the pattern.
  static Regex compile(const std::string& pattern);

  /// Covers the text with matches, leftmost first, and what lies between them. An empty match directly behind another is passed
  /// over. Throws `unsupported` when the engine gives up on the text.
  std::vector<PatternRange> ranges(std::string_view text) const;

 private:
  struct Compiled;
  explicit Regex(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

/// The text itself that is looked for, or a regular expression.
using Pattern = std::variant<std::string, Regex>;

/// Covers the text with matches and what lies between them; one empty range for an empty text. An empty string is found nowhere.
std::vector<PatternRange> find_all(const Pattern& pattern, std::string_view text);

/// Likewise with each character that `is_match(code)` likes.
template <typename IsMatch>
std::vector<PatternRange> find_characters(std::string_view text, IsMatch&& is_match) {
  std::vector<PatternRange> ranges;
  std::size_t begin = 0;
  unicode::for_each_character(text, [&](char32_t code, std::size_t place, std::size_t size) {
    if (is_match(code)) {
      if (begin < place) {
        ranges.push_back({begin, place, false});
      }
      ranges.push_back({place, place + size, true});
      begin = place + size;
    }
  });
  if (begin < text.size() || text.empty()) {
    ranges.push_back({begin, text.size(), false});
  }
  return ranges;
}

}  // namespace verilabel
