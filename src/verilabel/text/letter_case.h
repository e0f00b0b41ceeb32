#pragma once

#include <string>
#include <string_view>

namespace verilabel {

/// Well-formed UTF-8 with every character as its lower case, whatever stands around it, by the tables of the tokenizers (Unicode
/// 16).
std::string lowercase(std::string_view text);

}  // namespace verilabel
