#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace verilabel {

/// Reads a number as JSON has it, without an exponent: the nearest double, and the place behind it. Null for anything else, valid
/// or not. There must be a byte behind the number that cannot be part of it. Up to 15 digits over a power of ten are two doubles
/// whose quotient is the nearest one (W. D. Clinger, "How to read floating point numbers accurately", 1990).
inline const char* read_plain_decimal(const char* at, double& value) {
  constexpr double kPowersOfTen[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  constexpr std::ptrdiff_t kMaxDigits = 15;  // 10^15 < 2^53
  const char* const begin = at;
  const bool is_negative = *at == '-';
  at += is_negative ? 1 : 0;
  const char* const first = at;
  std::uint64_t digits = 0;  // wraps around beyond 19 digits, and is not used then
  for (; *at >= '0' && *at <= '9'; ++at) {
    digits = 10 * digits + static_cast<std::uint64_t>(*at - '0');
  }
  const std::ptrdiff_t whole = at - first;
  if (whole == 0 || (whole > 1 && *first == '0')) {
    return nullptr;
  }
  std::ptrdiff_t decimals = 0;
  if (*at == '.') {
    const char* const point = at++;
    for (; *at >= '0' && *at <= '9'; ++at) {
      digits = 10 * digits + static_cast<std::uint64_t>(*at - '0');
    }
    decimals = at - point - 1;
    if (decimals == 0) {
      return nullptr;
    }
  }
  if (*at == 'e' || *at == 'E') {
    return nullptr;
  }
  if (whole + decimals > kMaxDigits) {
    return std::from_chars(begin, at, value).ec == std::errc() ? at : nullptr;
  }
  const double magnitude = static_cast<double>(digits) / kPowersOfTen[decimals];
  value = is_negative ? -magnitude : magnitude;
  return at;
}

/// Likewise a whole number of at most 18 digits, without a point.
inline const char* read_plain_integer(const char* at, std::int64_t& value) {
  constexpr std::ptrdiff_t kMaxDigits = 18;  // 10^18 < 2^63
  const bool is_negative = *at == '-';
  at += is_negative ? 1 : 0;
  const char* const first = at;
  std::uint64_t digits = 0;  // one more than are taken is read, to see that it is too many, and fits
  for (; *at >= '0' && *at <= '9' && at - first <= kMaxDigits; ++at) {
    digits = 10 * digits + static_cast<std::uint64_t>(*at - '0');
  }
  const std::ptrdiff_t count = at - first;
  if (count == 0 || count > kMaxDigits || (count > 1 && *first == '0') || *at == '.' || *at == 'e' || *at == 'E') {
    return nullptr;
  }
  value = is_negative ? -static_cast<std::int64_t>(digits) : static_cast<std::int64_t>(digits);
  return at;
}

}  // namespace verilabel
