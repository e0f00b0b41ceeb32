#pragma once

#include <string>
#include <string_view>

namespace verilabel {

/// Base64 of RFC 4648, section 4, with padding.
std::string base64_of(std::string_view bytes);

}  // namespace verilabel
