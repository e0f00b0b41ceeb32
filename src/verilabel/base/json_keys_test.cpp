#include "verilabel/base/json_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

std::string field_of(std::string_view text) {
  try {
    require_single_json_keys(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    return error.context().at(0).second;
  }
  return "";
}

TEST(JsonKeys, TheSecondOfTwoIsNamedByItsPlace) {
  EXPECT_EQ(field_of(R"({"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]})"), "");
  EXPECT_EQ(field_of(R"({"a": 1, "b": 2, "a": 1})"), "a");
  EXPECT_EQ(field_of(R"({"a": 1, "\u0061": 1})"), "a");
  EXPECT_EQ(field_of(R"({"b": {"a": {}, "c": [], "a": null}})"), "b.a");
  EXPECT_EQ(field_of(R"({"b": [1, "x", {"d": [[], {}]}, {"a": 1, "c": 2.5, "a": true}]})"), "b[3].a");
  EXPECT_EQ(field_of(R"([[{}, {"é": 1, "é": 1}]])"), "[0][1].é");
}

TEST(JsonKeys, WhatIsNoJsonIsLeftToTheParser) {
  for (const char* const text : {"", "{", "[1,", "{\"a\" 1}", "nul", "\xff", "1e999"}) {
    EXPECT_EQ(field_of(text), "") << text;
  }
  EXPECT_EQ(field_of(std::string(100000, '[')), "");
}

}  // namespace
}  // namespace verilabel
