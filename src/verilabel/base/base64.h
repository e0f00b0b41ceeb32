#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

/// With padding, without line breaks (RFC 4648, section 4).
std::string base64_from_bytes(std::span<const std::uint8_t> bytes);
/// Nothing for a character outside the alphabet, line breaks excepted, or a length that no bytes have.
std::optional<std::vector<std::uint8_t>> bytes_from_base64(std::string_view text);

}  // namespace verilabel
