#include "verilabel/text/aligned_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/text/normalizer.h"
#include "verilabel/text/testing_text.h"

namespace verilabel {
namespace {

using ::testing::HasSubstr;

/// What the part of the text that reads like this stands for in the original.
std::string source_of(const AlignedText& text, std::string_view original, std::string_view part) {
  const std::size_t begin = text.text().find(part);
  EXPECT_NE(begin, std::string::npos) << part << " is not in " << text.text();
  const TokenSpan span = text.original_span(begin, begin + part.size());
  return std::string(original.substr(span.begin, span.end - span.begin));
}

TEST(AlignedText, StepsKeepWhatCharactersStandFor) {
  const std::string original = " Crème ﬁne";
  const AlignedText text =
      normalized(AlignedText(original), {StripNormalizer{true, true}, UnicodeNormalizer{unicode::NormalizationForm::nfkd},
                                         StripAccentsNormalizer{}, LowercaseNormalizer{}});
  EXPECT_EQ(text.text(), "creme fine");
  EXPECT_EQ(source_of(text, original, "creme"), "Crème");
  EXPECT_EQ(source_of(text, original, "fi"), "ﬁ");
  EXPECT_EQ(source_of(text, original, "i"), "ﬁ") << "a part of a character has all of it";
  EXPECT_EQ(source_of(text, original, "ne"), "ne");
}

TEST(AlignedText, SlicesOfSlicesPointIntoTheOriginal) {
  const std::string original = "one two three";
  const AlignedText part = AlignedText(original).slice(4, 13).slice(4, 9);
  EXPECT_EQ(part.text(), "three");
  EXPECT_EQ(part.original_begin(), 8U);
  EXPECT_EQ(part.original_span(0, 2), (TokenSpan{8, 10}));
  EXPECT_EQ(part.original_span(3, 99), (TokenSpan{11, 13}));
  EXPECT_EQ(part.original_span(7, 9), (TokenSpan{13, 13}));
}

TEST(AlignedText, WhatIsPutInStandsForItsNeighbour) {
  const std::string original = "né";
  AlignedText text(original);
  text.prepend("▁▁");
  EXPECT_EQ(text.text(), "▁▁né");
  EXPECT_EQ(source_of(text, original, "▁▁"), "n");
  text = normalized(AlignedText(original), {ReplaceNormalizer{std::string("é"), "xyz"}});
  EXPECT_EQ(text.text(), "nxyz");
  EXPECT_EQ(source_of(text, original, "yz"), "é");
  AlignedText empty("");
  empty.prepend("x");
  EXPECT_TRUE(empty.empty());
}

TEST(AlignedText, StepsAfterTextThatStandsForNothingAreRefused) {
  const std::vector<Normalizer> steps = {ReplaceNormalizer{Regex::compile("^"), "▁"}, LowercaseNormalizer{}};
  const Error error = error_from([&] { normalized(AlignedText("ab"), steps); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.message(), HasSubstr("do not fit each other"));
  EXPECT_EQ(normalized(AlignedText("ab"), {steps[0]}).text(), "▁ab");
}

TEST(AlignedText, GrowthHasAnEnd) {
  const std::string content(1 << 20, 'x');
  const std::vector<Normalizer> steps = {ReplaceNormalizer{std::string("a"), content}};
  const Error error = error_from([&] { normalized(AlignedText(std::string(200, 'a')), steps); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.message(), HasSubstr("128 MiB"));
}

}  // namespace
}  // namespace verilabel
