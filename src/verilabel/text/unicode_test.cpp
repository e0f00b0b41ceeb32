#include "verilabel/text/unicode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace verilabel::unicode {
namespace {

using ::testing::ElementsAre;
using ::testing::FieldsAre;
using Form = NormalizationForm;

std::string text_of(std::string_view text, Form form) {
  std::string result;
  for (const Change& change : normalize(text, form)) {
    append(result, change.code);
  }
  return result;
}

TEST(Unicode, ReadsAndWritesCharactersOfEveryLength) {
  for (const char32_t code : {U'a', U'é', U'漢', U'🙂', char32_t{0x7F}, char32_t{0x80}, char32_t{0x7FF}, char32_t{0x800},
                              char32_t{0xFFFF}, char32_t{0x10000}, char32_t{0x10FFFF}}) {
    std::string text = "x";
    append(text, code);
    EXPECT_EQ(character_at(text, 1).code, code);
    EXPECT_EQ(character_at(text, 1).size, text.size() - 1);
    EXPECT_EQ(character_before(text, text.size()).code, code);
  }
}

TEST(Unicode, KnowsPropertiesOfSeveralVersions) {
  EXPECT_TRUE(has(U'7', kNumeric));
  EXPECT_TRUE(has(U'½', kNumeric));
  EXPECT_FALSE(has(U'x', kNumeric));
  EXPECT_TRUE(has(0x16D70, kNumeric)) << "a digit of Unicode 16";
  EXPECT_TRUE(has(U'$', kPunctuation)) << "a symbol, but of ASCII";
  EXPECT_FALSE(has(U'€', kPunctuation));
  EXPECT_TRUE(has(U'。', kPunctuation));
  EXPECT_TRUE(has(0x300, kNonspacingMark));
  EXPECT_TRUE(has(0x903, kCombiningMark)) << "a spacing mark";
  EXPECT_FALSE(has(0x903, kNonspacingMark));
  EXPECT_TRUE(has(0xAD, kRemovedByBert));
  EXPECT_TRUE(has(0xFFFD, kRemovedByBert));
  EXPECT_FALSE(has(U'\n', kRemovedByBert));
  EXPECT_TRUE(has(U'_', kWord));
  EXPECT_TRUE(has(0x200D, kWord)) << "joins what it stands between";
  EXPECT_FALSE(has(0x200D, kPatternWord));
  EXPECT_FALSE(has(U'²', kPatternWord));
  EXPECT_TRUE(has(U'²', kPatternWordAlone));
  EXPECT_FALSE(has(0x10FFFF, kWord));
}

TEST(Unicode, SpacesAreThoseOfWhiteSpace) {
  std::size_t count = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    count += is_white_space(code) ? 1 : 0;
  }
  EXPECT_EQ(count, 25U);
  EXPECT_TRUE(is_white_space(0x3000));
  EXPECT_FALSE(is_white_space(0x200B));
}

TEST(Unicode, LowercaseIsOfSingleCharacters) {
  EXPECT_EQ(lowercase(U'A').codes[0], U'a');
  EXPECT_EQ(lowercase(U'Σ').codes[0], U'σ') << "at the end of a word, too";
  EXPECT_EQ(lowercase(U'ẞ').codes[0], U'ß');
  EXPECT_EQ(lowercase(U'ß').codes[0], U'ß');
  EXPECT_EQ(lowercase(0x130).count, 2U);
  EXPECT_EQ(lowercase(0x130).codes[0], U'i');
  EXPECT_EQ(lowercase(0x130).codes[1], char32_t{0x307});
}

TEST(Unicode, NormalisesToTheFourForms) {
  EXPECT_EQ(text_of("é", Form::nfd), "e\u0301");
  EXPECT_EQ(text_of("e\u0301", Form::nfc), "é");
  EXPECT_EQ(text_of("ﬁ①", Form::nfc), "ﬁ①");
  EXPECT_EQ(text_of("ﬁ①", Form::nfkc), "fi1");
  EXPECT_EQ(text_of("각", Form::nfd), "\u1100\u1161\u11a8");
  EXPECT_EQ(text_of("\u1100\u1161\u11a8", Form::nfc), "각");
  // UAX 15, figure 6.
  EXPECT_EQ(text_of("\u1e9b\u0323", Form::nfd), "\u017f\u0323\u0307");
  EXPECT_EQ(text_of("\u1e9b\u0323", Form::nfkc), "\u1e69");
  // U+0344 is not composed again, and marks of one class stay in order.
  EXPECT_EQ(text_of("\u0344", Form::nfc), "\u0308\u0301");
  EXPECT_EQ(text_of("a\u0301\u0300", Form::nfc), "á\u0300");
}

TEST(Unicode, ChangesSayWhatStandsForWhat) {
  // é becomes two of which the second is added; the mark below sorts before the acute accent and keeps its own change.
  EXPECT_THAT(normalize("é\u0323", Form::nfd), ElementsAre(FieldsAre(U'e', 0), FieldsAre(0x323, 0), FieldsAre(0x301, 1)));
  // The composed letter stands for itself and one more.
  EXPECT_THAT(normalize("e\u0301x", Form::nfc), ElementsAre(FieldsAre(U'é', -1), FieldsAre(U'x', 0)));
  EXPECT_THAT(normalize("é", Form::nfc), ElementsAre(FieldsAre(U'é', 0)));
}

std::vector<std::string> graphemes(std::string_view text) {
  std::vector<std::string> result;
  std::size_t begin = 0;
  for (const std::size_t end : grapheme_ends(text)) {
    result.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return result;
}

TEST(Unicode, GraphemesHoldTogether) {
  EXPECT_THAT(graphemes(""), ElementsAre());
  EXPECT_THAT(graphemes("ab\r\n"), ElementsAre("a", "b", "\r\n"));
  EXPECT_THAT(graphemes("e\u0301x"), ElementsAre("e\u0301", "x"));
  EXPECT_THAT(graphemes("\n\u0301"), ElementsAre("\n", "\u0301"));
  EXPECT_THAT(graphemes("👩‍👧👍🏽"), ElementsAre("👩‍👧", "👍🏽"));
  EXPECT_THAT(graphemes("a‍👧"), ElementsAre("a\u200d", "👧"));
  EXPECT_THAT(graphemes("🇩🇪🇫🇷🇯"), ElementsAre("🇩🇪", "🇫🇷", "🇯"));
  EXPECT_THAT(graphemes("\u1100\u1161\u11a8\u1100"), ElementsAre("\u1100\u1161\u11a8", "\u1100"));
  EXPECT_THAT(graphemes("क्षि"), ElementsAre("क्षि"));
  EXPECT_THAT(graphemes("कक"), ElementsAre("क", "क"));
  EXPECT_THAT(graphemes("\u0600a"), ElementsAre("\u0600a"));
}

}  // namespace
}  // namespace verilabel::unicode
