#include "verilabel/dataset/glob.h"

#include <gtest/gtest.h>

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

TEST(Glob, StaysPolynomialOnPatternsMadeToHurt) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) {
    pattern += "*a";
  }
  EXPECT_FALSE(Glob(pattern + "b").matches(std::string(4000, 'a')));
  EXPECT_TRUE(Glob(pattern).matches(std::string(4000, 'a')));
}

}  // namespace
}  // namespace verilabel
