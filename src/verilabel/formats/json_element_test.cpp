#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "verilabel/formats/json_element.h"

namespace verilabel {
namespace {

using testing::ElementsAre;

JsonValue value(std::string_view json) {
  return {json, "at"};
}

template <typename Read>
RejectionReason reason_of(Read&& read) {
  try {
    read();
  } catch (const ElementFault& fault) {
    EXPECT_FALSE(fault.message.empty());
    return fault.reason;
  }
  ADD_FAILURE() << "no fault";
  return RejectionReason::duplicate_id;
}

TEST(JsonValue, ReadsNumbersAsJsonHasThem) {
  EXPECT_EQ(value("-12.5e1").number(), -125);
  EXPECT_EQ(value("0").number(), 0);
  EXPECT_EQ(value("1e-400").number(), 0);
  for (const char* const bad : {"01", "+1", "1.", ".5", "1e", "0x1", "-", "", "one", "\"1\"", "1 2", "[1]"}) {
    EXPECT_EQ(reason_of([&] { value(bad).number(); }), RejectionReason::malformed) << bad;
  }
  for (const char* const bad : {"NaN", "-Infinity", "nan", "inf"}) {
    EXPECT_EQ(reason_of([&] { value(bad).number(); }), RejectionReason::not_finite) << bad;
  }
  EXPECT_EQ(reason_of([&] { value("1e999").number(); }), RejectionReason::out_of_range);
}

TEST(JsonValue, ReadsIntegersWithinBounds) {
  EXPECT_EQ(value("17.0").integer(0, 100), 17);
  EXPECT_EQ(value("-9223372036854775808").integer(INT64_MIN, INT64_MAX), INT64_MIN);
  EXPECT_EQ(reason_of([&] { value("1.5").integer(0, 9); }), RejectionReason::malformed);
  EXPECT_EQ(reason_of([&] { value("10").integer(0, 9); }), RejectionReason::out_of_range);
  EXPECT_EQ(reason_of([&] { value("99999999999999999999").integer(INT64_MIN, INT64_MAX); }), RejectionReason::out_of_range);
  EXPECT_EQ(reason_of([&] { value("007").integer(0, 9); }), RejectionReason::malformed);
}

TEST(JsonValue, ReadsTextAndLists) {
  EXPECT_EQ(value(R"("a\u00e9\"\n")").text(), "a\xC3\xA9\"\n");
  EXPECT_EQ(reason_of([&] { value("\"\xFF\"").text(); }), RejectionReason::malformed);
  EXPECT_EQ(reason_of([&] { value("\"").text(); }), RejectionReason::malformed);
  EXPECT_THAT(value("[[1,2] , [3.5,-4]]").points(), ElementsAre(1, 2, 3.5, -4));
  EXPECT_EQ(reason_of([&] { value("[[1,2,3]]").points(); }), RejectionReason::malformed);
  EXPECT_EQ(reason_of([&] { value("[[1,NaN]]").points(); }), RejectionReason::not_finite);
  EXPECT_THAT(value("[0,255 ,7]").bytes(), ElementsAre(0, 255, 7));
  for (const char* const bad : {"[256]", "[-1]", "[1.0]", "[1 2]", "[1,]", "[,1]", "[1", "{}", "[1]]"}) {
    EXPECT_EQ(reason_of([&] { value(bad).bytes(); }), RejectionReason::malformed) << bad;
  }
  EXPECT_THAT(value(R"(["a","b"])").texts(), ElementsAre("a", "b"));
  EXPECT_EQ(value("[1,[2],{}]").elements().at(1).field(), "at[1]");
}

TEST(JsonObject, KeepsWhatIsNotTakenByteForByte) {
  JsonObject object{value(R"({"a": 1, "b" :[1, {"x":"\u00e9"}],"c":null,"d":1e400,"e":"t"})")};
  EXPECT_EQ(object.take("a")->number(), 1);
  EXPECT_FALSE(object.take("c"));
  EXPECT_FALSE(object.take("none"));
  EXPECT_FALSE(object.take("e", JsonKind::number));
  EXPECT_EQ(reason_of([&] { object.rest(); }),
            RejectionReason::out_of_range);  // 1e400 is no double, and some reader would stop there
  object.take("d");
  EXPECT_EQ(object.rest(), R"({"b":[1, {"x":"\u00e9"}],"e":"t"})");
  EXPECT_EQ(reason_of([&] { JsonObject(value(R"({"a":1,"a":2})")); }), RejectionReason::malformed);
  EXPECT_EQ(reason_of([&] { JsonObject(value(R"({"a":1,"\u0061":2})")); }), RejectionReason::malformed);
  for (const char* const bad : {"{", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "{\"a\":1}x", "[]", "3"}) {
    EXPECT_EQ(reason_of([&] { JsonObject(value(bad)); }), RejectionReason::malformed) << bad;
  }
}

TEST(JsonObject, TakesTagsAndFieldsOfTheRightShapeOnly) {
  JsonObject object{value(
      R"({"t":["a"],"u":[],"v":["a",1],"f":{"a":1,"b":{"d":"x"},"c":true},"g":{},"h":{"a":null},"i":{"a":[]},"j":{"":1,"a":2}})")};
  EXPECT_THAT(object.take_tags("t"), ElementsAre("a"));
  EXPECT_THAT(object.take_tags("u"), testing::IsEmpty());
  EXPECT_THAT(object.take_tags("v"), testing::IsEmpty());
  EXPECT_EQ(object.take_fields("f"), R"({"a":1,"b":{"d":"x"},"c":true})");
  for (const char* const key : {"g", "h", "i", "j", "t", "none"}) {
    EXPECT_EQ(object.take_fields(key), "") << key;
  }
  EXPECT_EQ(object.rest(), R"({"u":[],"v":["a",1],"g":{},"h":{"a":null},"i":{"a":[]},"j":{"":1,"a":2}})");
}

// They would be kept, and make files that nobody can read.
TEST(JsonObject, KeysAreTextsAsWell) {
  for (const char* const bad : {"{\"w\xff\":1}", "{\"w\n\":1}", "{\"w\\x\":1}"}) {
    EXPECT_EQ(reason_of([&] { JsonObject object(value(bad)); }), RejectionReason::malformed) << bad;
  }
  EXPECT_EQ(JsonObject(value("{\"wé\\n\":1}")).fields().size(), 1U);
}

TEST(JsonObject, SurvivesDepthAndManyKeys) {
  const std::string deep = "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_EQ(reason_of([&] { JsonObject(value(deep)).rest(); }), RejectionReason::malformed);
  std::string wide = "{";
  for (int i = 0; i < 100'000; ++i) {
    wide += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
  }
  EXPECT_EQ(JsonObject(value(wide + "}")).fields().size(), 100'000U);
}

}  // namespace
}  // namespace verilabel
