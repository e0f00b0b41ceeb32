#include "verilabel/base/utf8.h"

#include <gtest/gtest.h>

namespace verilabel {
namespace {

TEST(Utf8, WellFormedAndNot) {
  for (const char* good : {"", "plain", "Zürich", "東京", "😀", "\xEF\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "a\x80z"}) {
    EXPECT_FALSE(is_utf8(bad)) << printable(bad);
  }
}

TEST(Utf8, PrintableKeepsTextAndEscapesTheRest) {
  EXPECT_EQ(printable("Zürich 1.jpg"), "Zürich 1.jpg");
  EXPECT_EQ(printable("a\nb\xff"
                      "c\x7f"),
            "a\\x0ab\\xffc\\x7f");
  EXPECT_TRUE(is_utf8(printable("\xed\xa0\x80\xf0")));
}

}  // namespace
}  // namespace verilabel
