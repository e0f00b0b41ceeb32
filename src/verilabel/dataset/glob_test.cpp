#include "verilabel/dataset/glob.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace verilabel {
namespace {

struct Case {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(Glob, Matches) {
  for (const Case& c : std::vector<Case>{
           {"", "", true},           {"", "a", false},           {"a", "a", true},
           {"a", "A", false},        {"a", "ab", false},         {"*", "", true},
           {"*", "a/b/c", true},     {"**", "a", true},          {"a*", "a", true},
           {"a*", "ba", false},      {"*a", "bba", true},        {"*a", "ab", false},
           {"*ab*", "xaab", true},   {"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false},
           {"*aab", "aaaab", true},  {"?", "", false},           {"?", "a", true},
           {"?", "é", true},         {"?", "日", true},          {"?", "🚗", true},
           {"??", "é", false},       {"*??", "日", false},  // * takes whole characters
           {"*??", "日本", true},    {"?", "\xff", true},        {"?\xa9", "\xc3\xa9", false},
           {"??", "\xc3z", true},                           // a lead byte without its continuation is a character of its own
           {"?", "\xe6\x97", false}, {"[ab]", "a", false},  // no classes
           {"[ab]", "[ab]", true},
       }) {
    EXPECT_EQ(Glob(c.pattern).matches(c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(Glob, TakesEscapedWildcardsLiterally) {
  const Glob glob("a*?", std::string("\0\1\1", 3));
  EXPECT_TRUE(glob.matches("a*?"));
  EXPECT_FALSE(glob.matches("abc"));
  EXPECT_TRUE(glob.has_no_wildcard());
  EXPECT_TRUE(Glob("a/b.jpg").has_no_wildcard());
  EXPECT_FALSE(Glob("a*").has_no_wildcard());
  EXPECT_FALSE(Glob("a?").has_no_wildcard());
}

// `?` takes the general way, a pattern without it a shorter one: over one-byte characters both must agree.
TEST(Glob, MatchesTheSameWithAndWithoutQuestionMarks) {
  std::mt19937 random(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string pattern;
    std::string text;
    for (auto n = random() % 6; n > 0; --n) {
      pattern += "ab*"[random() % 3];
    }
    for (auto n = random() % 7; n > 0; --n) {
      text += "ab"[random() % 2];
    }
    ASSERT_EQ(Glob(pattern).matches(text), Glob(fmt::format("?{}", pattern)).matches(fmt::format("x{}", text)))
        << pattern << " on " << text;
  }
}

TEST(Glob, StaysPolynomialOnPatternsMadeToHurt) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) {
    pattern += "*a";
  }
  EXPECT_FALSE(Glob(pattern + "b").matches(std::string(4000, 'a')));
  EXPECT_FALSE(Glob(pattern + "?b").matches(std::string(4000, 'a')));
  EXPECT_TRUE(Glob(pattern).matches(std::string(4000, 'a')));
}

}  // namespace
}  // namespace verilabel
