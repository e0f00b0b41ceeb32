#include "verilabel/text/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/text/testing_text.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The parts, matches between brackets.
std::vector<std::string> parts(const Pattern& pattern, std::string_view text) {
  std::vector<std::string> result;
  for (const PatternRange& range : find_all(pattern, text)) {
    const std::string part(text.substr(range.begin, range.end - range.begin));
    result.push_back(range.is_match ? "[" + part + "]" : part);
  }
  return result;
}

std::vector<std::string> parts_of_regex(const std::string& pattern, std::string_view text) {
  return parts(Regex::compile(pattern), text);
}

TEST(Pattern, CoversTheTextWithMatchesAndWhatLiesBetween) {
  EXPECT_THAT(parts(std::string("ab"), "xababy"), ElementsAre("x", "[ab]", "[ab]", "y"));
  EXPECT_THAT(parts(std::string("."), "abc"), ElementsAre("abc"));
  EXPECT_THAT(parts(std::string("a"), ""), ElementsAre(""));
  EXPECT_THAT(parts_of_regex(R"(\s+)", " a \t b"), ElementsAre("[ ]", "a", "[ \t ]", "b"));
  EXPECT_THAT(parts_of_regex("a", ""), ElementsAre(""));
}

TEST(Pattern, EmptyMatchesAreTakenOnceAPlace) {
  EXPECT_THAT(parts_of_regex("b*", "abé"), ElementsAre("[]", "a", "[b]", "é", "[]"));
  EXPECT_THAT(parts_of_regex("$", "ab"), ElementsAre("ab", "[]"));
  EXPECT_THAT(parts_of_regex("^", "é"), ElementsAre("[]", "é"));
}

TEST(Pattern, CategoriesDoNotDependOnTheInstalledLibrary) {
  // Of Unicode 16: a letter, a digit; of Unicode 15: a letter.
  const std::string letter = "\U00010D4A";
  const std::string digit = "\U00010D40";
  const std::string ideograph = "\U00031350";
  EXPECT_THAT(parts_of_regex(R"(\p{L})", letter + ideograph), ElementsAre("[" + letter + "]", "[" + ideograph + "]"));
  EXPECT_THAT(parts_of_regex(R"(\p{N}|\d)", digit), ElementsAre("[" + digit + "]"));
  EXPECT_THAT(parts_of_regex(R"([^\s\p{L}\p{N}]+)", letter + "!" + digit), ElementsAre(letter, "[!]", digit));
  EXPECT_THAT(parts_of_regex(R"(\w)", letter), ElementsAre("[" + letter + "]"));
  EXPECT_THAT(parts_of_regex(R"([\w])", letter), ElementsAre("[" + letter + "]"));
  EXPECT_THAT(parts_of_regex(R"(\W|[^\w]|\D{2})", letter), ElementsAre(letter));
  EXPECT_THAT(parts_of_regex(R"(\p{Lu}(?i:É))", "Aéé"), ElementsAre("[Aé]", "é"));
}

TEST(Pattern, OnlyClassesAreReplacedInAPattern) {
  EXPECT_THAT(parts_of_regex(R"(\\w)", R"(a\wb)"), ElementsAre("a", R"([\w])", "b"));
  EXPECT_THAT(parts_of_regex(R"([]\d]+)", "a]7"), ElementsAre("a", "[]7]"));
  EXPECT_THAT(parts_of_regex(R"([^]\w]+)", "a]!7"), ElementsAre("a]", "[!]", "7"));
  EXPECT_THAT(parts_of_regex(R"([[:upper:]\d]+)", "aA7"), ElementsAre("a", "[A7]"));
  EXPECT_THAT(parts_of_regex(R"(²[\w]|\w)", "²a²"), ElementsAre("[²a]", "[²]")) << "outside of brackets \\w has ², within not";
}

TEST(Pattern, RefusesWhatTheEngineCannotRead) {
  const Error error = error_from([] { Regex::compile("(a"); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.message(), HasSubstr("(a"));
  EXPECT_THAT(error.message(), HasSubstr("parenthesis"));
  EXPECT_EQ(error_from([] { Regex::compile(R"(\p{NoSuchThing})"); }).code(), ErrorCode::bad_data);
}

TEST(Pattern, GivesUpOnWhatWouldTakeForEver) {
  const Regex hopeless = Regex::compile("^(a|aa)+$");
  const Error error = error_from([&] { hopeless.ranges(std::string(60, 'a') + "b"); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.message(), HasSubstr("gives up"));
}

}  // namespace
}  // namespace verilabel
