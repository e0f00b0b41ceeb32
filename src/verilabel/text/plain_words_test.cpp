#include "verilabel/text/plain_words.h"

#include <gtest/gtest.h>

namespace verilabel {
namespace {

TEST(PlainWords, AreWhatSiglipReads) {
  EXPECT_EQ(plain_words("This is a photo of a Person's dog!"), "this is a photo of a persons dog");
  EXPECT_EQ(plain_words(" \t two \u00A0\u3000 spaces\x1F- and\u2028a line \n"), "two spaces and a line");
  EXPECT_EQ(plain_words("<|end|> `x` ~ hello_world CAFÉ, 日本。"), "end x helloworld café 日本。");
  EXPECT_EQ(plain_words("?! ..."), "");
}

}  // namespace
}  // namespace verilabel
