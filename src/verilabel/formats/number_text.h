#pragma once

#include <cstddef>
#include <string_view>

// Numbers as texts have them, read alike in every format. Private to the module.
namespace verilabel {

/// The number that a text begins with, in decimals with a sign `-` or none, or `nan`, `inf`, `infinity` in any case.
struct NumberText {
  double value = 0;           ///< the nearest double: zero, with its sign, for what is too small for one, however it is spelled
  std::size_t size = 0;       ///< bytes of the number; 0 when there is none
  bool is_too_large = false;  ///< no double comes near, and `value` is infinite
};
NumberText read_number(std::string_view text);

/// Whether the text is a number as JSON spells it (RFC 8259, section 6), of any size.
bool is_json_number(std::string_view text);

/// The first number in a JSON text that is too large for a double; empty without one. What is no JSON has none that counts.
std::string_view first_too_large(std::string_view json);

}  // namespace verilabel
