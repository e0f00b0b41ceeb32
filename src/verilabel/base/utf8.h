#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace verilabel {

/// How many bytes at the front are well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms); where the first
/// broken character begins.
std::size_t utf8_prefix_size(std::string_view bytes);
/// Whether all bytes are.
bool is_utf8(std::string_view bytes);
/// Throws `wrong_use` when the name of `what` is not: names are asked for in views, which are text.
void require_utf8(std::string_view what, std::string_view name);

/// The bytes as UTF-8 that is safe to print on one line and to put into JSON: well-formed text stays, every other byte and every
/// control character becomes `\xNN`. For paths, which on Linux are bytes; not reversible when the name itself holds `\x`.
std::string printable(std::string_view bytes);

}  // namespace verilabel
