#include "verilabel/demo/conditions.h"

#include <set>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/demo/kind.h"

namespace verilabel::demo {
namespace {

std::set<std::string> values_drawn(const Selection& selection) {
  std::set<std::string> values;
  Random random(1);
  for (int i = 0; i < 600; ++i) {
    for (const auto& [field, value] : names_of(selection.draw(random, 640))) {
      values.emplace(value);
    }
  }
  return values;
}

TEST(Selection, WithoutWordsEveryConditionComesAndWeatherOnlyOutdoors) {
  EXPECT_EQ(values_drawn(Selection()).size(), condition_table().size());
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    const Conditions drawn = Selection().draw(random, 640);
    bool has_weather = false;
    for (const auto& [field, value] : names_of(drawn)) {
      has_weather = has_weather || field == "weather";
    }
    EXPECT_EQ(has_weather, is_outdoors(drawn.scene));
  }
}

TEST(Selection, OnlyNamesAllThatAFieldMayHaveAndLeavesOtherFieldsAlone) {
  const std::set<std::string> values = values_drawn(Selection({"night", "fog", "snow"}, {}));
  for (const char* gone : {"day", "dusk", "clear", "rain", "kitchen", "shelf"}) {
    EXPECT_FALSE(values.contains(gone)) << gone;
  }
  for (const char* left : {"night", "fog", "snow", "street", "park", "harbour", "noisy", "over"}) {
    EXPECT_TRUE(values.contains(left)) << left;
  }
}

TEST(Selection, WithoutTakesConditionsKindsAndKindsInAColor) {
  const Selection selection({}, {"fog", "bus", "red car", "black teddy bear"});
  EXPECT_FALSE(values_drawn(selection).contains("fog"));
  EXPECT_FALSE(selection.allows_kind(*find_kind("bus")));
  EXPECT_EQ(selection.colors_of(*find_kind("car")), kAnyColor & ~only(ColorName::red));
  EXPECT_EQ(selection.colors_of(*find_kind("teddy bear")), kinds()[*find_kind("teddy bear")].colors & ~only(ColorName::black));
}

TEST(Selection, RefusesWhatItDoesNotKnowAndWhatLeavesNothing) {
  const auto message_of = [](const std::vector<std::string>& only_words, const std::vector<std::string>& without) -> std::string {
    try {
      const Selection selection(only_words, without);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      return error.message();
    }
    return "";
  };
  EXPECT_NE(message_of({"hail"}, {}).find("day, dusk, night"), std::string::npos);
  EXPECT_NE(message_of({"bus"}, {}).find("\"bus\""), std::string::npos);
  EXPECT_NE(message_of({}, {"red tram"}).find("\"red tram\""), std::string::npos);
  EXPECT_NE(message_of({}, {"blue tomato"}).find("never blue"), std::string::npos);
  EXPECT_NE(message_of({}, {"day", "dusk", "night"}).find("no light"), std::string::npos);
  EXPECT_NE(message_of({"kitchen", "fog"}, {}).find("no scene"), std::string::npos);
}

}  // namespace
}  // namespace verilabel::demo
