#pragma once

#include <optional>
#include <string_view>

namespace verilabel {

/// A stretch of time as it was written: a day when only the date is there, else the minute, second or part of a second that was
/// named. In seconds since 1970 in UTC; `end` is no longer part of it.
struct TimeSpan {
  double begin = 0;
  double end = 0;
};

/// Reads the dates and date-times of ISO 8601 in its extended form: `2024-05-01`, `2024-05-01T10:30`, `2024-05-01 10:30:15.25Z`,
/// `2024-05-01T10:30:15+02:00`; UTC where no zone is stated. Nothing for any other text, and for days that no calendar has.
std::optional<TimeSpan> time_span_from(std::string_view text);

}  // namespace verilabel
