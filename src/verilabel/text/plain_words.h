#pragma once

#include <string>
#include <string_view>

namespace verilabel {

/// A text as the first SigLIP was given it (`canonicalize_text` of transformers' SiglipTokenizer): lower case, without ASCII
/// punctuation, with one space where there was white space of any kind, and none at its ends. The text is well-formed UTF-8.
std::string plain_words(std::string_view text);

}  // namespace verilabel
