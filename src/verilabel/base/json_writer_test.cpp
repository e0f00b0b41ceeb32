#include "verilabel/base/json_writer.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace verilabel {
namespace {

TEST(JsonWriter, NestsAndSeparates) {
  std::string out;
  JsonWriter(out)
      .begin_object()
      .field("a", 1)
      .key("b")
      .begin_array()
      .value(1.5)
      .value(true)
      .value("x")
      .begin_object()
      .end_object()
      .end_array();
  EXPECT_EQ(out, R"({"a":1,"b":[1.5,true,"x",{}])");
}

TEST(JsonWriter, UndefinedNumbersAreNull) {
  std::string out;
  JsonWriter json(out);
  json.begin_array()
      .value(std::nan(""))
      .value(std::numeric_limits<double>::infinity())
      .value(std::optional<double>{})
      .value(std::optional<int>{3});
  json.end_array();
  EXPECT_EQ(out, "[null,null,null,3]");
}

TEST(JsonWriter, NumbersReadBackAsTheSameDouble) {
  for (const double number : {0.1, 1.0 / 3, 1e300, -2.5e-310, 123456789.125, 0.0}) {
    std::string out;
    JsonWriter(out).value(number);
    EXPECT_EQ(std::strtod(out.c_str(), nullptr), number) << out;
  }
}

TEST(JsonWriter, EscapesTextAndSurvivesBytesThatAreNotUtf8) {
  std::string out;
  JsonWriter(out).value("a\"b\\c\nd\x01 é");
  EXPECT_EQ(out, "\"a\\\"b\\\\c\\nd\\u0001 é\"");
  out.clear();
  JsonWriter(out).value("x\xff");
  EXPECT_EQ(out, R"("x\\xff")");
}

}  // namespace
}  // namespace verilabel
