#include "verilabel/text/pre_tokenizer.h"

#include <algorithm>

#include "verilabel/text/normalizer.h"

namespace verilabel {
namespace {

/// Joins ranges as the behaviour says. A match joins its neighbour only when that is no match, or was joined to one before.
std::vector<PatternRange> joined(std::vector<PatternRange> ranges, SplitBehavior behavior) {
  if (behavior == SplitBehavior::removed || behavior == SplitBehavior::isolated) {
    return ranges;
  }
  const bool is_backwards = behavior == SplitBehavior::merged_with_next;
  if (is_backwards) {
    std::ranges::reverse(ranges);
  }
  std::vector<PatternRange> result;
  bool was_match = false;
  for (const PatternRange& range : ranges) {
    const bool joins = behavior == SplitBehavior::contiguous ? range.is_match == was_match : range.is_match && !was_match;
    was_match = range.is_match;
    if (!joins || result.empty()) {
      result.push_back(range);
    } else if (is_backwards) {
      result.back().begin = range.begin;
    } else {
      result.back().end = range.end;
    }
  }
  if (is_backwards) {
    std::ranges::reverse(result);
  }
  return result;
}

/// Appends the parts that the ranges leave of a text; they cover it.
void split(const AlignedText& text, std::vector<PatternRange> ranges, SplitBehavior behavior, std::vector<Piece>& pieces) {
  for (const PatternRange& range : joined(std::move(ranges), behavior)) {
    if (range.begin < range.end && !(behavior == SplitBehavior::removed && range.is_match)) {
      pieces.push_back({text.slice(range.begin, range.end)});
    }
  }
}

void invert(std::vector<PatternRange>& ranges) {
  for (PatternRange& range : ranges) {
    range.is_match = !range.is_match;
  }
}

void split_at_spaces(const AlignedText& text, std::vector<Piece>& pieces) {
  split(text, find_characters(text.text(), unicode::is_white_space), SplitBehavior::removed, pieces);
}

bool is_punctuation(char32_t code) {
  return unicode::has(code, unicode::kPunctuation);
}

void apply(const WhitespacePreTokenizer&, AlignedText text, std::vector<Piece>& pieces) {
  enum class Kind : std::uint8_t { space, word, other };
  std::vector<PatternRange> runs;
  Kind last = Kind::space;
  unicode::for_each_character(text.text(), [&](char32_t code, std::size_t begin, std::size_t size) {
    const Kind kind = unicode::has(code, unicode::kWord) ? Kind::word : unicode::is_white_space(code) ? Kind::space : Kind::other;
    if (kind != Kind::space && kind == last) {
      runs.back().end = begin + size;
    } else {
      runs.push_back({begin, begin + size, kind == Kind::space});
    }
    last = kind;
  });
  split(text, std::move(runs), SplitBehavior::removed, pieces);
}

void apply(const WhitespaceSplitPreTokenizer&, AlignedText text, std::vector<Piece>& pieces) {
  split_at_spaces(text, pieces);
}

void apply(const BertPreTokenizer&, AlignedText text, std::vector<Piece>& pieces) {
  std::vector<Piece> words;
  split_at_spaces(text, words);
  for (const Piece& word : words) {
    split(word.text, find_characters(word.text.text(), is_punctuation), SplitBehavior::isolated, pieces);
  }
}

void apply(const ByteLevelPreTokenizer& step, AlignedText text, std::vector<Piece>& pieces) {
  if (step.adds_prefix_space && !text.text().starts_with(' ')) {
    text.prepend(" ");
  }
  std::vector<Piece> words;
  if (step.words) {
    split(text, step.words->ranges(text.text()), SplitBehavior::isolated, words);
  } else {
    words.push_back({std::move(text)});
  }
  for (Piece& word : words) {
    pieces.push_back({as_byte_characters(std::move(word.text))});
  }
}

void apply(const MetaspacePreTokenizer& step, AlignedText text, std::vector<Piece>& pieces) {
  text.replace(find_characters(text.text(), [](char32_t code) { return code == U' '; }), step.replacement);
  const bool prepends = step.scheme == PrependScheme::always || (step.scheme == PrependScheme::first && text.original_begin() == 0);
  if (prepends && !text.text().starts_with(step.replacement)) {
    text.prepend(step.replacement);
  }
  if (!step.splits) {
    pieces.push_back({std::move(text)});
    return;
  }
  split(text, find_all(step.replacement, text.text()), SplitBehavior::merged_with_next, pieces);
}

void apply(const SplitPreTokenizer& step, AlignedText text, std::vector<Piece>& pieces) {
  std::vector<PatternRange> ranges = find_all(step.pattern, text.text());
  if (step.is_inverted) {
    invert(ranges);
  }
  split(text, std::move(ranges), step.behavior, pieces);
}

void apply(const PunctuationPreTokenizer& step, AlignedText text, std::vector<Piece>& pieces) {
  split(text, find_characters(text.text(), is_punctuation), step.behavior, pieces);
}

void apply(const DigitsPreTokenizer& step, AlignedText text, std::vector<Piece>& pieces) {
  split(text, find_characters(text.text(), [](char32_t code) { return unicode::has(code, unicode::kNumeric); }),
        step.is_individual ? SplitBehavior::isolated : SplitBehavior::contiguous, pieces);
}

void apply(const CharDelimiterPreTokenizer& step, AlignedText text, std::vector<Piece>& pieces) {
  split(text, find_all(step.delimiter, text.text()), SplitBehavior::removed, pieces);
}

}  // namespace

Regex byte_level_words() {
  return Regex::compile(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
}

std::vector<Piece> pre_tokenized(std::vector<Piece> pieces, const std::vector<PreTokenizer>& steps) {
  for (const PreTokenizer& step : steps) {
    std::vector<Piece> parts;
    parts.reserve(pieces.size());
    for (Piece& piece : pieces) {
      if (piece.token_id) {
        parts.push_back(std::move(piece));
      } else if (!piece.text.empty()) {
        std::visit([&](const auto& kind) { apply(kind, std::move(piece.text), parts); }, step);
      }
    }
    pieces = std::move(parts);
  }
  return pieces;
}

}  // namespace verilabel
