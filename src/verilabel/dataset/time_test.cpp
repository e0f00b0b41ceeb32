#include "verilabel/dataset/time.h"

#include <gtest/gtest.h>

namespace verilabel {
namespace {

TEST(TimeSpan, IsOfWhatWasNamed) {
  struct Case {
    const char* text;
    double begin;
    double length;
  };
  // 2024-05-01 is day 19,844 since 1970: 54 years with 13 leap days are 19,723, and 121 days of 2024 precede it.
  constexpr double day = 19'844 * 86'400.0;
  for (const Case& c : {Case{"2024-05-01", day, 86'400}, Case{"1970-01-01", 0, 86'400}, Case{"1969-12-31", -86'400, 86'400},
                        Case{"2024-05-01T10:30", day + 37'800, 60}, Case{"2024-05-01 10:30:15", day + 37'815, 1},
                        Case{"2024-05-01T10:30:15Z", day + 37'815, 1}, Case{"2024-05-01T10:30:15+02:00", day + 30'615, 1},
                        Case{"2024-05-01T10:30:15-0530", day + 57'615, 1}, Case{"2024-05-01T10:30:15.25Z", day + 37'815.25, 0.01},
                        Case{"2024-02-29", day - 62 * 86'400, 86'400}}) {
    const auto time = time_span_from(c.text);
    ASSERT_TRUE(time) << c.text;
    EXPECT_NEAR(time->begin, c.begin, 1e-6) << c.text;
    EXPECT_NEAR(time->end - time->begin, c.length, 1e-6) << c.text;
  }
}

TEST(TimeSpan, IsNeverEmpty) {
  for (const char* text : {"9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00.000001"}) {
    const auto time = time_span_from(text);
    ASSERT_TRUE(time) << text;
    EXPECT_LT(time->begin, time->end) << text;
  }
}

TEST(TimeSpan, OfOtherTextsThereIsNone) {
  for (const char* text : {"", "2024", "2024-05", "2024-5-1", "2024-02-30", "2023-02-29", "2024-13-01", "2024-05-01T",
                           "2024-05-01T24:00", "2024-05-01T10:60", "2024-05-01T10:30:15.", "2024-05-01T10:30:15+2",
                           "2024-05-01T10:30:15Zx", "2024-05-01x", "x2024-05-01", "20240501", "-024-05-01", "2024-05-01T10"}) {
    EXPECT_FALSE(time_span_from(text)) << text;
  }
}

}  // namespace
}  // namespace verilabel
