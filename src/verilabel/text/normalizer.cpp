#include "verilabel/text/normalizer.h"

#include <array>

namespace verilabel {
namespace {

constexpr std::array<char32_t, 256> kByteCharacters = [] {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < characters.size(); ++byte) {
    const bool is_printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    characters[byte] = is_printable ? byte : next++;
  }
  return characters;
}();

void lowercase(AlignedText& text) {
  text.rewrite([](char32_t code, auto&& emit) {
    const unicode::Lowercase lower = unicode::lowercase(code);
    for (std::size_t i = 0; i < lower.count; ++i) {
      emit(lower.codes[i]);
    }
  });
}

void drop(AlignedText& text, std::uint32_t property) {
  text.rewrite([&](char32_t code, auto&& emit) {
    if (!unicode::has(code, property)) {
      emit(code);
    }
  });
}

void apply(AlignedText& text, const UnicodeNormalizer& step) {
  text.apply(unicode::normalize(text.text(), step.form));
}

void apply(AlignedText& text, const LowercaseNormalizer&) {
  lowercase(text);
}

void apply(AlignedText& text, const StripNormalizer& step) {
  std::size_t begin = 0;
  std::size_t end = text.text().size();
  while (step.left && begin < end) {
    const unicode::Character first = unicode::character_at(text.text(), begin);
    if (!unicode::is_white_space(first.code)) {
      break;
    }
    begin += first.size;
  }
  while (step.right && begin < end) {
    const unicode::Character last = unicode::character_before(text.text(), end);
    if (!unicode::is_white_space(last.code)) {
      break;
    }
    end -= last.size;
  }
  text.trim(begin, end);
}

void apply(AlignedText& text, const StripAccentsNormalizer&) {
  drop(text, unicode::kCombiningMark);
}

void apply(AlignedText& text, const ReplaceNormalizer& step) {
  text.replace(find_all(step.pattern, text.text()), step.content);
}

void apply(AlignedText& text, const PrependNormalizer& step) {
  text.prepend(step.front);
}

void apply(AlignedText& text, const BertNormalizer& step) {
  if (step.cleans_text) {
    text.rewrite([](char32_t code, auto&& emit) {
      if (!unicode::has(code, unicode::kRemovedByBert)) {
        emit(unicode::is_white_space(code) ? U' ' : code);
      }
    });
  }
  if (step.spaces_out_ideographs) {
    text.rewrite([](char32_t code, auto&& emit) {
      if (unicode::is_bert_ideograph(code)) {
        emit(U' ');
        emit(code);
        emit(U' ');
      } else {
        emit(code);
      }
    });
  }
  if (step.strips_accents) {
    text.apply(unicode::normalize(text.text(), unicode::NormalizationForm::nfd));
    drop(text, unicode::kNonspacingMark);
  }
  if (step.lowercases) {
    lowercase(text);
  }
}

void apply(AlignedText& text, const PrecompiledNormalizer& step) {
  if (const auto changes = step.map.changes_of(text.text())) {
    text.apply(*changes);
  }
}

void apply(AlignedText& text, const NmtNormalizer&) {
  text.rewrite([](char32_t code, auto&& emit) {
    const bool is_dropped = (code >= 0x1 && code <= 0x8) || code == 0xB || (code >= 0xE && code <= 0x1F) || code == 0x7F ||
                            code == 0x8F || code == 0x9F;
    const bool is_space = code == 0x9 || code == 0xA || code == 0xC || code == 0xD || code == 0x1680 ||
                          (code >= 0x200B && code <= 0x200F) || code == 0x2028 || code == 0x2029 || code == 0x2581 ||
                          code == 0xFEFF || code == 0xFFFD;
    if (!is_dropped) {
      emit(is_space ? U' ' : code);
    }
  });
}

void apply(AlignedText& text, const ByteLevelNormalizer&) {
  text = as_byte_characters(std::move(text));
}

}  // namespace

AlignedText normalized(AlignedText text, const std::vector<Normalizer>& steps) {
  for (const Normalizer& step : steps) {
    std::visit([&](const auto& kind) { apply(text, kind); }, step);
  }
  return text;
}

char32_t byte_character(unsigned char byte) {
  return kByteCharacters[byte];
}

AlignedText as_byte_characters(AlignedText text) {
  text.rewrite([](char32_t code, auto&& emit) {
    std::string bytes;
    unicode::append(bytes, code);
    for (const char byte : bytes) {
      emit(byte_character(static_cast<unsigned char>(byte)));
    }
  });
  return text;
}

}  // namespace verilabel
