#include "verilabel/formats/number_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <system_error>

namespace verilabel {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// What follows `e`, cut off where no text is long enough to outweigh it.
std::int64_t exponent_of(std::string_view digits) {
  constexpr std::int64_t kBound = std::int64_t{1} << 60;
  const bool is_negative = digits.starts_with('-');
  digits.remove_prefix(is_negative || digits.starts_with('+') ? 1 : 0);
  std::int64_t exponent = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  exponent = error == std::errc() ? std::min(exponent, kBound) : kBound;
  return is_negative ? -exponent : exponent;
}

/// Whether a number that is not zero is at least 1.
bool is_at_least_one(std::string_view number) {
  std::int64_t places = 0;  // from the point to the left of the first digit that is not zero
  bool is_behind_point = false;
  bool is_behind_zeros = false;
  std::size_t at = number.starts_with('-') ? 1 : 0;
  for (; at < number.size() && (is_digit(number[at]) || number[at] == '.'); ++at) {
    if (number[at] == '.') {
      is_behind_point = true;
      continue;
    }
    is_behind_zeros |= number[at] != '0';
    if (is_behind_zeros && !is_behind_point) {
      ++places;
    } else if (!is_behind_zeros && is_behind_point) {
      --places;
    }
  }
  return places + (at < number.size() ? exponent_of(number.substr(at + 1)) : 0) > 0;
}

}  // namespace

NumberText read_number(std::string_view text) {
  NumberText number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number.value);
  number.size = static_cast<std::size_t>(end - text.data());
  // Both what is too large and what is too small come back so, with the value as it was.
  if (error == std::errc::result_out_of_range) {
    number.is_too_large = is_at_least_one(text.substr(0, number.size));
    number.value = std::copysign(number.is_too_large ? std::numeric_limits<double>::infinity() : 0.0, text.front() == '-' ? -1 : 1);
  }
  return number;
}

bool is_json_number(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const auto skip_digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    return at - begin;
  };
  const std::size_t first = at;
  const std::size_t whole = skip_digits();
  if (whole == 0 || (whole > 1 && text[first] == '0')) {
    return false;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (skip_digits() == 0) {
      return false;
    }
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    at += at < text.size() && (text[at] == '+' || text[at] == '-') ? 1 : 0;
    if (skip_digits() == 0) {
      return false;
    }
  }
  return at == text.size();
}

std::string_view first_too_large(std::string_view json) {
  constexpr std::string_view kInNumbers = "+-.0123456789Ee";
  for (std::size_t at = 0; at < json.size(); ++at) {
    if (json[at] == '"') {
      for (++at; at < json.size() && json[at] != '"'; ++at) {
        at += json[at] == '\\' ? 1 : 0;
      }
    } else if (is_digit(json[at]) || json[at] == '-') {
      const std::size_t end = std::min(json.find_first_not_of(kInNumbers, at), json.size());
      const std::string_view token = json.substr(at, end - at);
      if (is_json_number(token) && read_number(token).is_too_large) {
        return token;
      }
      at = end - 1;
    }
  }
  return {};
}

}  // namespace verilabel
