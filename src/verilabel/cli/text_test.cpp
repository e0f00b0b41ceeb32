#include "verilabel/cli/text.h"

#include <gtest/gtest.h>

namespace verilabel::cli {
namespace {

TEST(Text, TablesAlign) {
  Table table({"class", "AP"});
  table.add({"Zürich", "0.5"});
  table.add({"a", "-"});
  EXPECT_EQ(table.text(), "class    AP\nZürich  0.5\na         -");
}

TEST(Text, UndefinedNumbersAreADash) {
  EXPECT_EQ(number_text(0.12344), "0.1234");
  EXPECT_EQ(number_text(std::nullopt), "-");
}

TEST(Text, NamesAreTrimmedAndMayBeQuoted) {
  EXPECT_EQ(names_from("a, b c ,\"x, y\",, d"), (std::vector<std::string>{"a", "b c", "x, y", "d"}));
  EXPECT_TRUE(names_from(" , ").empty());
}

}  // namespace
}  // namespace verilabel::cli
