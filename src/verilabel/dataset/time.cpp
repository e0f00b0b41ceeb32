#include "verilabel/dataset/time.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace verilabel {
namespace {

constexpr double kDay = 86'400;
constexpr double kHour = 3'600;
constexpr double kMinute = 60;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }
  bool next_is_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  /// Just as many digits, as a number up to `largest`.
  std::optional<int> number(int digits, int largest) {
    int value = 0;
    for (int i = 0; i < digits; ++i) {
      if (!next_is_digit()) {
        return std::nullopt;
      }
      value = value * 10 + digit();
    }
    return value <= largest ? std::optional(value) : std::nullopt;
  }
  int digit() {
    const int value = rest_.front() - '0';
    rest_.remove_prefix(1);
    return value;
  }

 private:
  std::string_view rest_;
};

std::optional<double> day_from(Scanner& scanner) {
  const auto year = scanner.number(4, 9999);
  if (!year || !scanner.take('-')) {
    return std::nullopt;
  }
  const auto month = scanner.number(2, 12);
  if (!month || !scanner.take('-')) {
    return std::nullopt;
  }
  const auto day = scanner.number(2, 31);
  if (!day) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) {
    return std::nullopt;
  }
  return static_cast<double>(std::chrono::sys_days{date}.time_since_epoch().count()) * kDay;
}

/// What is to be taken away for UTC: `Z`, `+02:00`, `-0530`, or nothing.
std::optional<double> zone_from(Scanner& scanner) {
  if (scanner.take('Z') || scanner.at_end()) {
    return 0;
  }
  const bool is_west = scanner.take('-');
  if (!is_west && !scanner.take('+')) {
    return std::nullopt;
  }
  const auto hours = scanner.number(2, 23);
  if (!hours) {
    return std::nullopt;
  }
  scanner.take(':');
  const auto minutes = scanner.number(2, 59);
  if (!minutes) {
    return std::nullopt;
  }
  const double ahead = *hours * kHour + *minutes * kMinute;
  return is_west ? -ahead : ahead;
}

}  // namespace

std::optional<TimeSpan> time_span_from(std::string_view text) {
  Scanner scanner(text);
  const auto day = day_from(scanner);
  if (!day) {
    return std::nullopt;
  }
  if (scanner.at_end()) {
    return TimeSpan{*day, *day + kDay};
  }
  if (!scanner.take('T') && !scanner.take(' ')) {
    return std::nullopt;
  }
  const auto hour = scanner.number(2, 23);
  if (!hour || !scanner.take(':')) {
    return std::nullopt;
  }
  const auto minute = scanner.number(2, 59);
  if (!minute) {
    return std::nullopt;
  }
  double begin = *day + *hour * kHour + *minute * kMinute;
  double length = kMinute;
  if (scanner.take(':')) {
    const auto second = scanner.number(2, 59);
    if (!second) {
      return std::nullopt;
    }
    begin += *second;
    length = 1;
    if (scanner.take('.')) {
      double part = 0;
      if (!scanner.next_is_digit()) {
        return std::nullopt;
      }
      // A microsecond is what a double of today's dates still tells apart.
      for (int digits = 0; scanner.next_is_digit(); ++digits) {
        const int digit = scanner.digit();
        if (digits < 6) {
          part = part * 10 + digit;
          length /= 10;
        }
      }
      begin += part * length;
    }
  }
  const auto zone = zone_from(scanner);
  if (!zone || !scanner.at_end()) {
    return std::nullopt;
  }
  // Far from today a microsecond is less than a double tells apart: a moment is still equal to itself.
  const double from = begin - *zone;
  return TimeSpan{from, std::max(from + length, std::nextafter(from, std::numeric_limits<double>::infinity()))};
}

}  // namespace verilabel
