#pragma once

#include <string>
#include <variant>
#include <vector>

#include "verilabel/text/charsmap.h"
#include "verilabel/text/pattern.h"

// Private to the module: the steps of a tokenizer's normaliser, named as in tokenizer.json.

namespace verilabel {

struct UnicodeNormalizer {
  unicode::NormalizationForm form;
};
struct LowercaseNormalizer {};
/// Drops White_Space at the ends.
struct StripNormalizer {
  bool left;
  bool right;
};
/// Drops combining marks.
struct StripAccentsNormalizer {};
struct ReplaceNormalizer {
  Pattern pattern;
  std::string content;
};
/// Puts text in front, unless there is none.
struct PrependNormalizer {
  std::string front;
};
/// BERT's, in the order of the members.
struct BertNormalizer {
  bool cleans_text;  ///< drops control characters, makes every space a plain one
  bool spaces_out_ideographs;
  bool strips_accents;
  bool lowercases;
};
struct PrecompiledNormalizer {
  Charsmap map;
};
/// SentencePiece's rules for spaces and control characters.
struct NmtNormalizer {};
/// Each byte becomes the character that stands for it in byte-level vocabularies.
struct ByteLevelNormalizer {};

using Normalizer = std::variant<UnicodeNormalizer, LowercaseNormalizer, StripNormalizer, StripAccentsNormalizer, ReplaceNormalizer,
                                PrependNormalizer, BertNormalizer, PrecompiledNormalizer, NmtNormalizer, ByteLevelNormalizer>;

/// The text after all steps, in their order.
AlignedText normalized(AlignedText text, const std::vector<Normalizer>& steps);

/// The character that stands for a byte in byte-level vocabularies (GPT-2's table): printable ones for themselves, the others from
/// U+0100 on.
char32_t byte_character(unsigned char byte);
/// The text with each byte as that character.
AlignedText as_byte_characters(AlignedText text);

}  // namespace verilabel
