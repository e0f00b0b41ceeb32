#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "verilabel/text/tokenizer_parts.h"

namespace verilabel {
namespace {

constexpr int kMaxPower = 308;
constexpr int kMaxExponent = 1'000'000;  // far beyond what leaves anything but 0

/// The double nearest to a power of ten up to `kMaxPower`.
double power_of_ten(int power) {
  static const auto powers = [] {
    std::array<double, kMaxPower + 1> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
      const std::string text = fmt::format("1e{}", i);
      std::from_chars(text.data(), text.data() + text.size(), table[i]);
    }
    return table;
  }();
  return powers[static_cast<std::size_t>(power)];
}

double scaled(std::uint64_t digits, int exponent) {
  auto value = static_cast<double>(digits);
  for (; exponent < -kMaxPower && value != 0; exponent += kMaxPower) {
    value /= power_of_ten(kMaxPower);
  }
  if (value == 0) {
    return 0;
  }
  return exponent < 0 ? value / power_of_ten(-exponent) : value * power_of_ten(std::min(exponent, kMaxPower));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

double number_as_in_reference(std::string_view text) {
  std::size_t place = text.starts_with('-') ? 1 : 0;
  const bool is_negative = place == 1;
  std::uint64_t digits = 0;
  int exponent = 0;
  // Digits that no longer fit into 64 bits are left out.
  const auto fits = [&](char digit) { return digits <= (UINT64_MAX - static_cast<std::uint64_t>(digit - '0')) / 10; };
  const auto take = [&](char digit) { digits = digits * 10 + static_cast<std::uint64_t>(digit - '0'); };
  bool is_full = false;
  for (; place < text.size() && is_digit(text[place]); ++place) {
    is_full = is_full || !fits(text[place]);
    if (is_full) {
      ++exponent;
    } else {
      take(text[place]);
    }
  }
  if (place < text.size() && text[place] == '.') {
    is_full = false;
    for (++place; place < text.size() && is_digit(text[place]); ++place) {
      is_full = is_full || !fits(text[place]);
      if (!is_full) {
        take(text[place]);
        --exponent;
      }
    }
  }
  if (place < text.size() && (text[place] == 'e' || text[place] == 'E')) {
    ++place;
    const bool is_below_one = place < text.size() && text[place] == '-';
    place += place < text.size() && (text[place] == '-' || text[place] == '+') ? 1 : 0;
    int given = 0;
    for (; place < text.size() && is_digit(text[place]); ++place) {
      given = std::min(given * 10 + (text[place] - '0'), kMaxExponent);
    }
    exponent += is_below_one ? -given : given;
  }
  const double value = scaled(digits, exponent);
  return is_negative ? -value : value;
}

}  // namespace verilabel
