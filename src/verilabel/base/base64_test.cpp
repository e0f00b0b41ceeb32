#include "verilabel/base/base64.h"

#include <random>

#include <gtest/gtest.h>

namespace verilabel {
namespace {

std::vector<std::uint8_t> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

TEST(Base64, IsThatOfRfc4648Section10) {
  const std::pair<std::string_view, std::string_view> examples[] = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, coded] : examples) {
    EXPECT_EQ(base64_from_bytes(bytes_of(text)), coded);
    EXPECT_EQ(bytes_from_base64(coded), bytes_of(text));
  }
}

TEST(Base64, AnyBytesComeBack) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 70; ++size) {
    std::vector<std::uint8_t> bytes(size);
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(random());
    }
    EXPECT_EQ(bytes_from_base64(base64_from_bytes(bytes)), bytes);
  }
}

TEST(Base64, WhatIsNoneIsNothing) {
  for (const char* text :
       {"A", "AB", "AB=", "A===", "AB=C", "AB*=", "Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "Zm9v!", "====", "Zm9v="}) {
    EXPECT_FALSE(bytes_from_base64(text)) << text;
  }
  EXPECT_EQ(bytes_from_base64("Zm9v\nYmFy\r\n"), bytes_of("foobar")) << "line breaks are no part of it";
}

}  // namespace
}  // namespace verilabel
