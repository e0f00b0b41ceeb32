#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/text/tokenizer.h"
#include "verilabel/text/unicode.h"

// Private to the module.

namespace verilabel {

/// A range of bytes, of which `is_match` says whether a pattern matched it.
struct PatternRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool is_match = false;
};

/// A piece of a text as the steps so far left it, and for each of its bytes which bytes of the original text it stands for.
/// A step that would let it grow beyond 128 MiB throws `unsupported`.
///
/// What becomes of those ranges when characters are added, dropped, joined or put into another order is what becomes of them in
/// Hugging Face's `tokenizers`.
class AlignedText {
 public:
  /// The whole of an original text, which is well-formed UTF-8.
  explicit AlignedText(std::string_view original);

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  /// Where in the original text this piece begins.
  std::size_t original_begin() const { return original_.begin; }

  /// A part of it, which begins and ends between characters.
  AlignedText slice(std::size_t begin, std::size_t end) const;
  /// What the bytes from `begin` to `end` stand for.
  TokenSpan original_span(std::size_t begin, std::size_t end) const;

  /// Replaces every character by those that `rewrite(code, emit)` emits, none to drop it; they stand for what it stood for.
  template <typename Rewrite>
  void rewrite(Rewrite&& rewrite);
  /// Replaces the whole text by that of the changes.
  void apply(std::span<const unicode::Change> changes);
  /// Keeps only the bytes from `begin` to `end`.
  void trim(std::size_t begin, std::size_t end);
  /// Puts text in front, unless this is empty; it stands for what the first character stands for.
  void prepend(std::string_view front);
  /// Puts `content` in the place of every match; it stands for what the last character of the match stood for. `ranges` cover the
  /// text.
  void replace(std::span<const PatternRange> ranges, std::string_view content);

 private:
  struct Span {
    std::uint32_t begin;
    std::uint32_t end;
  };

  AlignedText() = default;
  /// Throws `unsupported` when a step has put text in front that stands for nothing, after which the reference loses its place.
  void require_whole() const;
  void push(std::string& text, std::vector<Span>& spans, char32_t code, Span span) const;

  std::string text_;
  std::vector<Span> spans_;  ///< one a byte of `text_`
  Span original_{0, 0};
};

template <typename Rewrite>
void AlignedText::rewrite(Rewrite&& rewrite) {
  require_whole();
  std::string text;
  std::vector<Span> spans;
  text.reserve(text_.size());
  spans.reserve(spans_.size());
  unicode::for_each_character(text_, [&](char32_t code, std::size_t begin, std::size_t) {
    rewrite(code, [&](char32_t emitted) { push(text, spans, emitted, spans_[begin]); });
  });
  text_ = std::move(text);
  spans_ = std::move(spans);
}

}  // namespace verilabel
