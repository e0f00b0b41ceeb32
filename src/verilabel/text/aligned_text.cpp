#include "verilabel/text/aligned_text.h"

#include <algorithm>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr std::size_t kMaxBytes = 128 << 20;

void require_sensible_growth(std::size_t bytes) {
  if (bytes > kMaxBytes) {
    throw Error(ErrorCode::unsupported, "the tokenizer's replacements let the text grow beyond 128 MiB");
  }
}

}  // namespace

AlignedText::AlignedText(std::string_view original) : text_(original), original_{0, static_cast<std::uint32_t>(original.size())} {
  spans_.reserve(original.size());
  unicode::for_each_character(original, [&](char32_t, std::size_t begin, std::size_t size) {
    spans_.insert(spans_.end(), size, Span{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(begin + size)});
  });
}

AlignedText AlignedText::slice(std::size_t begin, std::size_t end) const {
  AlignedText part;
  part.text_ = text_.substr(begin, end - begin);
  part.spans_.assign(spans_.begin() + static_cast<std::ptrdiff_t>(begin), spans_.begin() + static_cast<std::ptrdiff_t>(end));
  if (!part.spans_.empty()) {
    part.original_ = {part.spans_.front().begin, part.spans_.back().end};
  }
  return part;
}

TokenSpan AlignedText::original_span(std::size_t begin, std::size_t end) const {
  if (begin >= end || begin >= spans_.size()) {
    return {original_.end, original_.end};
  }
  return {spans_[begin].begin, spans_[std::min(end, spans_.size()) - 1].end};
}

void AlignedText::require_whole() const {
  if (!spans_.empty() && spans_.front().begin == spans_.front().end) {
    throw Error(
        ErrorCode::unsupported,
        "the tokenizer's steps do not fit each other: one puts text before the beginning by a pattern that matches nothing, "
        "another changes characters after that");
  }
}

void AlignedText::push(std::string& text, std::vector<Span>& spans, char32_t code, Span span) const {
  const std::size_t before = text.size();
  unicode::append(text, code);
  spans.insert(spans.end(), text.size() - before, span);
}

void AlignedText::apply(std::span<const unicode::Change> changes) {
  require_whole();
  std::string text;
  std::vector<Span> spans;
  text.reserve(text_.size());
  spans.reserve(spans_.size());
  std::size_t place = 0;  // in the text before
  const auto pass = [&](int characters) {
    for (int i = 0; i < characters && place < text_.size(); ++i) {
      place += unicode::character_at(text_, place).size;
    }
  };
  for (const unicode::Change& change : changes) {
    if (change.change > 0) {
      push(text, spans, change.code, place == 0 ? Span{original_.begin, original_.begin} : spans_[place - 1]);
    } else {
      push(text, spans, change.code, spans_[std::min(place, spans_.size() - 1)]);
      pass(1 - change.change);
    }
  }
  require_sensible_growth(text.size());
  text_ = std::move(text);
  spans_ = std::move(spans);
}

void AlignedText::trim(std::size_t begin, std::size_t end) {
  if (begin == 0 && end == text_.size()) {
    return;
  }
  require_whole();
  text_ = text_.substr(begin, end - begin);
  spans_ = {spans_.begin() + static_cast<std::ptrdiff_t>(begin), spans_.begin() + static_cast<std::ptrdiff_t>(end)};
}

void AlignedText::prepend(std::string_view front) {
  if (text_.empty()) {
    return;
  }
  require_sensible_growth(text_.size() + front.size());
  text_.insert(0, front);
  const Span first = spans_.front();
  spans_.insert(spans_.begin(), front.size(), first);
}

void AlignedText::replace(std::span<const PatternRange> ranges, std::string_view content) {
  std::size_t size = 0;
  for (const PatternRange& range : ranges) {
    size += range.is_match ? content.size() : range.end - range.begin;
  }
  require_sensible_growth(size);
  std::string text;
  std::vector<Span> spans;
  text.reserve(size);
  spans.reserve(size);
  for (const PatternRange& range : ranges) {
    if (range.is_match) {
      text += content;
      spans.insert(spans.end(), content.size(), range.end == 0 ? Span{original_.begin, original_.begin} : spans_[range.end - 1]);
    } else {
      text.append(text_, range.begin, range.end - range.begin);
      spans.insert(spans.end(), spans_.begin() + static_cast<std::ptrdiff_t>(range.begin),
                   spans_.begin() + static_cast<std::ptrdiff_t>(range.end));
    }
  }
  text_ = std::move(text);
  spans_ = std::move(spans);
}

}  // namespace verilabel
