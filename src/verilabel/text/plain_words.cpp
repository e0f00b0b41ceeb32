#include "verilabel/text/plain_words.h"

#include "verilabel/text/letter_case.h"
#include "verilabel/text/unicode.h"

namespace verilabel {
namespace {

/// Python's `\s`: White_Space and the four separators of ASCII.
bool is_blank(char32_t code) {
  return unicode::is_white_space(code) || (code >= 0x1C && code <= 0x1F);
}

/// Python's `string.punctuation`.
bool is_punctuation(char32_t code) {
  return (code >= '!' && code <= '/') || (code >= ':' && code <= '@') || (code >= '[' && code <= '`') ||
         (code >= '{' && code <= '~');
}

}  // namespace

std::string plain_words(std::string_view text) {
  std::string words;
  bool is_after_blank = false;
  unicode::for_each_character(lowercase(text), [&](char32_t code, std::size_t, std::size_t) {
    if (is_punctuation(code)) {
      return;
    }
    if (is_blank(code)) {
      is_after_blank = true;
      return;
    }
    if (is_after_blank && !words.empty()) {
      words += ' ';
    }
    is_after_blank = false;
    unicode::append(words, code);
  });
  return words;
}

}  // namespace verilabel
