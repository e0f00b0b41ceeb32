#include "verilabel/text/letter_case.h"

#include "verilabel/text/unicode.h"

namespace verilabel {

std::string lowercase(std::string_view text) {
  std::string lowered;
  lowered.reserve(text.size());
  unicode::for_each_character(text, [&](char32_t code, std::size_t, std::size_t) {
    const unicode::Lowercase lower = unicode::lowercase(code);
    for (std::size_t i = 0; i < lower.count; ++i) {
      unicode::append(lowered, lower.codes[i]);
    }
  });
  return lowered;
}

}  // namespace verilabel
