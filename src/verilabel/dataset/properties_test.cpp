#include "verilabel/dataset/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace verilabel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FlatObject, JoinsTheNamesOfNestedObjects) {
  const auto flat = flat_object(R"({"scene":"night","gps":{"lat":1.5,"lon":-2},"day":true,"none":null,"list":[1,2],"empty":{}})");
  ASSERT_TRUE(flat);
  EXPECT_THAT(flat->properties, ElementsAre(Property{"day", "true"}, Property{"gps.lat", "1.5"}, Property{"gps.lon", "-2"},
                                            Property{"scene", "\"night\""}));
  EXPECT_THAT(flat->nulls, ElementsAre("none"));
  EXPECT_THAT(flat->lists, ElementsAre("list"));
  EXPECT_EQ(object_from(flat->properties), R"({"day":true,"gps.lat":1.5,"gps.lon":-2,"scene":"night"})");
}

TEST(FlatObject, KeepsWholeNumbersThatFloat64DoesNot) {
  EXPECT_THAT(flat_object(R"({"id":9007199254740993})")->properties, ElementsAre(Property{"id", "9007199254740993"}));
}

TEST(FlatObject, OfANameThatOccursTwiceTheLastCounts) {
  EXPECT_THAT(flat_object(R"({"a":1,"a":2})")->properties, ElementsAre(Property{"a", "2"}));
}

TEST(FlatObject, OfAnythingElseThereIsNone) {
  EXPECT_THAT(flat_object("")->properties, IsEmpty());
  std::string deep = "1";
  for (int i = 0; i < 100; ++i) {
    deep = R"({"a":)" + deep + "}";
  }
  for (const std::string& text : {std::string("[]"), std::string("1"), std::string("{"), std::string(R"({"a":1}x)"),
                                  std::string(R"({"a":1e999})"), std::string("{\"a\":\"\xff\"}"), deep}) {
    EXPECT_FALSE(flat_object(text)) << text;
  }
}

TEST(PropertyValue, IsANumberOrAText) {
  EXPECT_EQ(property_value("3.5"), PropertyValue(3.5));
  EXPECT_EQ(property_value("\"a\\u00e9\""), PropertyValue("aé"));
  EXPECT_EQ(property_value("true"), PropertyValue("true"));
  for (const char* text : {"null", "[1]", "{}", "", "nan", "1e999"}) {
    EXPECT_EQ(property_value(text), std::nullopt) << text;
  }
}

TEST(PropertyBuilder, SortsByNameThenRow) {
  PropertyBuilder builder;
  builder.add(4, "scene", PropertyValue("night"));
  builder.add(1, "scene", PropertyValue("day"));
  builder.add(2, "iso", PropertyValue(100.0));
  builder.add(3, "scene", PropertyValue("night"));
  builder.add(3, "iso", PropertyValue("auto"));
  builder.add(1, "scene", PropertyValue("dusk"));  // the last one stays
  const PropertyColumns columns = builder.build();
  EXPECT_THAT(columns.names, ElementsAre("iso", "scene"));
  EXPECT_THAT(columns.name, ElementsAre(0, 0, 1, 1, 1));
  EXPECT_THAT(columns.row, ElementsAre(2, 3, 1, 3, 4));
  EXPECT_THAT(columns.number, ElementsAre(100, 0, 0, 0, 0));
  EXPECT_EQ(columns.text[0], -1);
  EXPECT_EQ(columns.texts[static_cast<std::size_t>(columns.text[2])], "dusk");
  EXPECT_EQ(columns.text[3], columns.text[4]);
  const auto entries = columns.entries_of("scene");
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->begin, 2U);
  EXPECT_EQ(entries->end, 5U);
  EXPECT_FALSE(columns.entries_of("scen"));
  EXPECT_FALSE(columns.entries_of("zebra"));
}

TEST(PropertyBuilder, LeavesRowsOutOfWhatItTakesOver) {
  PropertyBuilder first;
  first.add(0, "only", PropertyValue(1.0));
  first.add(1, "scene", PropertyValue("night"));
  const PropertyColumns before = first.build();
  PropertyBuilder second;
  second.add_all(before, {1});
  second.add(0, "fresh", PropertyValue("new"));
  const PropertyColumns after = second.build();
  EXPECT_THAT(after.names, ElementsAre("fresh", "scene"));
  EXPECT_THAT(after.row, ElementsAre(0, 1));
  EXPECT_EQ(after.texts.size(), 2U);
}

}  // namespace
}  // namespace verilabel
