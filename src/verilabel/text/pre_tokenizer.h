#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "verilabel/text/pattern.h"

// Private to the module: the steps of a tokenizer's pre-tokeniser, named as in tokenizer.json.

namespace verilabel {

/// A piece of a text, which is a token already or still to be cut.
struct Piece {
  AlignedText text;
  std::optional<std::uint32_t> token_id = {};
};

/// What becomes of the matches when a text is split at them.
enum class SplitBehavior : std::uint8_t { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// Words and runs of what is neither word nor space.
struct WhitespacePreTokenizer {};
struct WhitespaceSplitPreTokenizer {};
/// At spaces, and each punctuation mark for itself.
struct BertPreTokenizer {};
struct ByteLevelPreTokenizer {
  bool adds_prefix_space;
  std::optional<Regex> words;  ///< GPT-2's, or nothing to leave pieces as they are
};
enum class PrependScheme : std::uint8_t { first, always, never };
/// Spaces become `replacement`, which words begin with.
struct MetaspacePreTokenizer {
  std::string replacement;  ///< one character
  PrependScheme scheme;
  bool splits;
};
struct SplitPreTokenizer {
  Pattern pattern;
  SplitBehavior behavior;
  bool is_inverted;  ///< what the pattern does not match is what the text is split at
};
struct PunctuationPreTokenizer {
  SplitBehavior behavior;
};
struct DigitsPreTokenizer {
  bool is_individual;
};
struct CharDelimiterPreTokenizer {
  std::string delimiter;  ///< one character
};

using PreTokenizer =
    std::variant<WhitespacePreTokenizer, WhitespaceSplitPreTokenizer, BertPreTokenizer, ByteLevelPreTokenizer,
                 MetaspacePreTokenizer, SplitPreTokenizer, PunctuationPreTokenizer, DigitsPreTokenizer, CharDelimiterPreTokenizer>;

/// The splitting of GPT-2.
Regex byte_level_words();

/// The pieces after all steps, in their order; those that are tokens stay, empty ones go.
std::vector<Piece> pre_tokenized(std::vector<Piece> pieces, const std::vector<PreTokenizer>& steps);

}  // namespace verilabel
