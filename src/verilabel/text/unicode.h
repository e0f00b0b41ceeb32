#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/text/unicode_tables.h"

// Private to the module: characters as Hugging Face's `tokenizers` 0.23.3 sees them, which see unicode_tables.py. Texts are
// well-formed UTF-8.

namespace verilabel::unicode {

struct Character {
  char32_t code;
  std::size_t size;  ///< bytes of its UTF-8 form
};

/// The character that begins at this byte.
Character character_at(std::string_view text, std::size_t begin);
/// The character that ends before this byte, which is not the first.
Character character_before(std::string_view text, std::size_t end);
void append(std::string& text, char32_t code);

/// Calls `visit(code, begin, size)` for each character.
template <typename Visit>
void for_each_character(std::string_view text, Visit&& visit) {
  for (std::size_t begin = 0; begin < text.size();) {
    const Character character = character_at(text, begin);
    visit(character.code, begin, character.size);
    begin += character.size;
  }
}

/// Bits of `PropertyRange`.
std::uint32_t properties(char32_t code);
inline bool has(char32_t code, std::uint32_t property) {
  return (properties(code) & property) != 0;
}
/// White_Space, the same in all versions since 6.3.
bool is_white_space(char32_t code);
/// Ideographs as BERT counts them.
bool is_bert_ideograph(char32_t code);

/// One or two characters.
struct Lowercase {
  std::array<char32_t, 2> codes;
  std::size_t count;
};
Lowercase lowercase(char32_t code);

/// A character of a text that was changed, and how it lies to the text before: 0, it stands for the next character of that; above
/// 0, it was added; below 0, it stands for the next one and as many following it.
struct Change {
  char32_t code;
  int change;
};

enum class NormalizationForm : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// UAX 15. Decomposed characters count as added behind their first, composed ones stand for their parts, and marks that change
/// places keep the change that they came with.
std::vector<Change> normalize(std::string_view text, NormalizationForm form);

/// Where the extended grapheme clusters of UAX 29 end, in ascending order; the last is the size of the text.
std::vector<std::size_t> grapheme_ends(std::string_view text);

using CharacterRanges = std::vector<std::array<char32_t, 2>>;  ///< first and last of each, ascending
CharacterRanges ranges_of(std::span<const GeneralCategory> categories);
CharacterRanges ranges_with(std::uint32_t property);

}  // namespace verilabel::unicode
