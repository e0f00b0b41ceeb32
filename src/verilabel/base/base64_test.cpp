#include "verilabel/base/base64.h"

#include <gtest/gtest.h>

#include <string>

namespace verilabel {
namespace {

TEST(Base64, IsThatOfRfc4648Section10) {
  EXPECT_EQ(base64_of(""), "");
  EXPECT_EQ(base64_of("f"), "Zg==");
  EXPECT_EQ(base64_of("fo"), "Zm8=");
  EXPECT_EQ(base64_of("foo"), "Zm9v");
  EXPECT_EQ(base64_of("foob"), "Zm9vYg==");
  EXPECT_EQ(base64_of("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64_of("foobar"), "Zm9vYmFy");
}

TEST(Base64, TakesAnyBytes) {
  EXPECT_EQ(base64_of(std::string("\xff\xff\xfe\x00", 4)), "///+AA==");
}

}  // namespace
}  // namespace verilabel
