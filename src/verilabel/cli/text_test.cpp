#include "verilabel/cli/text.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel::cli {
namespace {

TEST(Text, TablesAlign) {
  Table table({"class", "AP"});
  table.add({"Zürich", "0.5"});
  table.add({"a", "-"});
  EXPECT_EQ(table.text(), "class    AP\nZürich  0.5\na         -");
}

TEST(Text, LinesAreBrokenAtBlanks) {
  EXPECT_EQ(wrapped("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrapped("one two", 7), "one two");
  EXPECT_EQ(wrapped("Zürich is", 6), "Zürich\nis");
  EXPECT_EQ(wrapped("unbreakable it is", 5), "unbreakable\nit is");
  EXPECT_EQ(wrapped("", 5), "");
  EXPECT_EQ(wrapped("first:\n  second line", 8), "first:\n  second\n  line");
  EXPECT_EQ(wrapped("which:\ncoco  one file of boxes\nyolo  folders", 14), "which:\ncoco  one file\n      of boxes\nyolo  folders");
}

TEST(Text, UndefinedNumbersAreADash) {
  EXPECT_EQ(number_text(0.12344), "0.1234");
  EXPECT_EQ(number_text(std::nullopt), "-");
}

TEST(Text, AShellTakesALineForItsWords) {
  const std::vector<std::string> words = {"verilabel", "--where", "set:auto class:\"stop sign\"", "it's", "", "a/b.json"};
  EXPECT_EQ(shell_line(words), R"(verilabel --where 'set:auto class:"stop sign"' 'it'\''s' '' a/b.json)");
}

TEST(Text, NamesAreTrimmedAndMayBeQuoted) {
  EXPECT_EQ(names_from("a, b c ,\"x, y\", d", "--classes"), (std::vector<std::string>{"a", "b c", "x, y", "d"}));
  EXPECT_EQ(names_from("\" a\"", "--classes"), (std::vector<std::string>{" a"}));
}

TEST(Text, NamesThatAreNoneAreRefusedByTheirPlace) {
  const auto fault = [](std::string_view text) -> std::string {
    try {
      names_from(text, "--classes");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(fault("a,,b"), "--classes has an empty name; a comma too many? (name: number 2)");
  EXPECT_EQ(fault(",a"), "--classes has an empty name; a comma too many? (name: number 1)");
  EXPECT_EQ(fault("a, b, "), "--classes has an empty name; a comma too many? (name: number 3)");
  EXPECT_EQ(fault("a,\" \""), "--classes has an empty name; a comma too many? (name: number 2)");
  EXPECT_EQ(fault(""), "--classes has an empty name; a comma too many? (name: number 1)");
  EXPECT_EQ(fault("a, 5\" screen, \"b\""), "--classes has a quote that is not closed (name: number 2)");
  EXPECT_EQ(fault("a, the \"b\" c"), "--classes has a quote inside a name; put quotes around the whole name (name: number 2)");
}

}  // namespace
}  // namespace verilabel::cli
