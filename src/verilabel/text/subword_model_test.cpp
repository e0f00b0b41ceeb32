#include "verilabel/text/subword_model.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/text/testing_text.h"
#include "verilabel/text/tokenizer_parts.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Vocabulary vocabulary(const std::vector<std::string>& tokens) {
  Vocabulary::Entries entries;
  for (const std::string& token : tokens) {
    entries.emplace_back(token, static_cast<std::uint32_t>(entries.size()));
  }
  return Vocabulary(entries);
}

/// Each token with the bytes of the word that it stands for.
std::vector<std::string> tokens(const SubwordModel& model, std::string_view word) {
  std::vector<std::string> result;
  for (const WordToken& token : model.tokens_of(word)) {
    result.push_back(fmt::format("{} {}-{}", *model.vocabulary().token_of(token.id), token.begin, token.end));
  }
  return result;
}

TEST(Vocabulary, RefusesDoubles) {
  EXPECT_THAT(error_from([] { vocabulary({"a", "b", "a"}); }).message(), HasSubstr("'a' twice"));
  EXPECT_THAT(error_from([] { Vocabulary({{"a", 4}, {"b", 4}}); }).message(), HasSubstr("4 to 'a' and to 'b'"));
}

TEST(Vocabulary, MayHaveGaps) {
  const Vocabulary gapped({{"b", 9}, {"a", 2}});
  EXPECT_EQ(gapped.size(), 2U);
  EXPECT_EQ(gapped.token_of(9), "b");
  EXPECT_EQ(gapped.token_of(0), std::nullopt);
  EXPECT_EQ(gapped.token_of(10), std::nullopt);
}

TEST(NumberMap, FindsWhatWasPutInAmongManyAlike) {
  NumberMap map;
  std::unordered_map<std::uint64_t, std::uint64_t> expected;
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t key = random() % 5000 << (i % 2 == 0 ? 0 : 40);
    const bool replaces = i % 3 == 0;
    map.insert(key, static_cast<std::uint64_t>(i), replaces);
    replaces ? void(expected[key] = static_cast<std::uint64_t>(i)) : void(expected.emplace(key, i));
  }
  for (const auto& [key, value] : expected) {
    EXPECT_EQ(map.find(key), value);
  }
  EXPECT_EQ(map.find(5001), NumberMap::kNone);
  EXPECT_EQ(NumberMap().find(0), NumberMap::kNone);
}

TEST(Bpe, JoinsTheFirstOfTheMergesAndTheLeftmostOfEqualPairs) {
  // abab: of (b, a), (a, b), (ab, ab) the first leaves a ba b, and ab is no neighbour of ab any more.
  const std::vector<std::string> all = {"a", "b", "ba", "ab", "abab", "aa"};
  EXPECT_THAT(tokens(*make_bpe(vocabulary(all), {{"b", "a"}, {"a", "b"}, {"ab", "ab"}}, {}), "abab"),
              ElementsAre("a 0-1", "ba 1-3", "b 3-4"));
  EXPECT_THAT(tokens(*make_bpe(vocabulary(all), {{"a", "b"}, {"b", "a"}, {"ab", "ab"}}, {}), "abab"), ElementsAre("abab 0-4"));
  EXPECT_THAT(tokens(*make_bpe(vocabulary(all), {{"a", "a"}}, {}), "aaa"), ElementsAre("aa 0-2", "a 2-3"));
  // Of one merge that is there twice the last counts.
  EXPECT_THAT(tokens(*make_bpe(vocabulary(all), {{"b", "a"}, {"a", "b"}, {"b", "a"}}, {}), "bab"), ElementsAre("b 0-1", "ab 1-3"));
}

TEST(Bpe, EndsWordsWithASuffixAndGoesOnWithAPrefix) {
  BpeOptions options;
  options.end_of_word_suffix = "$";
  options.continuing_prefix = "#";
  const auto model = make_bpe(vocabulary({"a", "#a$", "a$", "aa$", "#a"}), {{"a", "#a$"}}, options);
  EXPECT_THAT(tokens(*model, "aa"), ElementsAre("aa$ 0-2"));
  EXPECT_THAT(tokens(*model, "a"), ElementsAre("a$ 0-1"));
  EXPECT_THAT(tokens(*model, "aaa"), ElementsAre("a 0-1", "#a 1-2", "#a$ 2-3"));
}

TEST(Bpe, UnknownCharactersBecomeBytesOrTheUnknownTokenOrNothing) {
  BpeOptions options;
  EXPECT_THAT(tokens(*make_bpe(vocabulary({"a"}), {}, options), "aéa"), ElementsAre("a 0-1", "a 1-2"))
      << "left out, as in the reference";
  options.unknown_token = "?";
  EXPECT_THAT(tokens(*make_bpe(vocabulary({"a", "?"}), {}, options), "éüa"), ElementsAre("? 0-2", "? 2-4", "a 4-5"));
  options.fuses_unknown = true;
  EXPECT_THAT(tokens(*make_bpe(vocabulary({"a", "?"}), {}, options), "éüa"), ElementsAre("? 0-4", "a 4-5"));
  options.byte_fallback = true;
  const auto model = make_bpe(vocabulary({"a", "?", "<0xC3>", "<0xA9>"}), {}, options);
  EXPECT_THAT(tokens(*model, "éa"), ElementsAre("<0xC3> 0-1", "<0xA9> 1-2", "a 2-3"));
  EXPECT_THAT(tokens(*model, "üa"), ElementsAre("? 0-2", "a 2-3")) << "not all of its bytes are there";
  options.unknown_token = "!";
  const Error error = error_from([&] { make_bpe(vocabulary({"a"}), {}, options)->tokens_of("é"); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.message(), HasSubstr("neither 'é' nor the tokenizer's unknown token '!'"));
}

TEST(Bpe, AWordThatIsATokenMayIgnoreTheMerges) {
  BpeOptions options;
  const std::vector<std::string> all = {"a", "b", "c", "ab", "abc"};
  EXPECT_THAT(tokens(*make_bpe(vocabulary(all), {{"a", "b"}}, options), "abc"), ElementsAre("ab 0-2", "c 2-3"));
  options.ignores_merges = true;
  EXPECT_THAT(tokens(*make_bpe(vocabulary(all), {{"a", "b"}}, options), "abc"), ElementsAre("abc 0-3"));
}

TEST(Bpe, EqualsJoiningPairByPairOnRandomWords) {
  std::mt19937 random(5);
  const std::vector<std::string> letters = {"a", "b", "c"};
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::string> all = letters;
    std::vector<std::pair<std::string, std::string>> merges;
    while (merges.size() < 12) {
      const std::pair merge(all[random() % all.size()], all[random() % all.size()]);
      if (std::ranges::find(all, merge.first + merge.second) == all.end()) {
        all.push_back(merge.first + merge.second);
        merges.push_back(merge);
      }
    }
    std::string word;
    for (std::size_t i = 0; i < 1 + random() % 30; ++i) {
      word += letters[random() % letters.size()];
    }
    std::vector<std::string> expected;
    for (const char letter : word) {
      expected.emplace_back(1, letter);
    }
    // The definition: all occurrences of the first merge that occurs, from the left, until none does.
    for (bool joined = true; joined;) {
      joined = false;
      for (const auto& [left, right] : merges) {
        for (std::size_t i = 0; i + 1 < expected.size(); ++i) {
          if (expected[i] == left && expected[i + 1] == right) {
            expected[i] += right;
            expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(i) + 1);
            joined = true;
          }
        }
        if (joined) {
          break;
        }
      }
    }
    std::vector<std::string> got;
    const auto model = make_bpe(vocabulary(all), merges, {});
    for (const WordToken& token : model->tokens_of(word)) {
      got.emplace_back(*model->vocabulary().token_of(token.id));
    }
    EXPECT_EQ(got, expected) << word;
  }
}

TEST(WordPiece, TakesTheLongestPieceFromTheLeftOrNothing) {
  WordPieceOptions options;
  options.max_characters = 5;
  const auto model = make_word_piece(vocabulary({"[UNK]", "un", "una", "##aff", "##able", "##a", "##ble", "é"}), options);
  EXPECT_THAT(tokens(*model, "unaff"), ElementsAre("[UNK] 0-5")) << "una leaves ff, and there is no way back";
  EXPECT_THAT(tokens(*model, "unble"), ElementsAre("un 0-2", "##ble 2-5"));
  EXPECT_THAT(tokens(*model, "éa"), ElementsAre("é 0-2", "##a 2-3"));
  EXPECT_THAT(tokens(*model, "unaaaa"), ElementsAre("[UNK] 0-6")) << "six characters";
  EXPECT_THAT(error_from([] { make_word_piece(vocabulary({"a"}), {})->tokens_of("b"); }).message(), HasSubstr("'[UNK]'"));
}

TEST(Unigram, TakesTheMostProbableWay) {
  // ab c: -1 - 2 = -3; a bc: -1.5 - 1 = -2.5.
  const auto model = make_unigram(vocabulary({"?", "a", "b", "c", "ab", "bc"}), {0, -1.5, -3, -2, -1, -1}, 0, false);
  EXPECT_THAT(tokens(*model, "abc"), ElementsAre("a 0-1", "bc 1-3"));
  EXPECT_THAT(tokens(*model, "ab"), ElementsAre("ab 0-2"));
  EXPECT_THAT(tokens(*model, "aéüb"), ElementsAre("a 0-1", "? 1-5", "b 5-6")) << "neighbours that are unknown are one";
  EXPECT_THAT(error_from([] { make_unigram(vocabulary({"a"}), {0}, {}, false)->tokens_of("é"); }).message(), HasSubstr("unk_id"));
}

TEST(Unigram, OfEquallyProbableWaysTheFirstOneFoundStays) {
  // a, aa and aa, a sum up to the same; at the end of aaa the one whose last piece begins first was there first.
  const auto model = make_unigram(vocabulary({"?", "a", "aa"}), {0, -1, -1.5}, 0, false);
  EXPECT_THAT(tokens(*model, "aaa"), ElementsAre("a 0-1", "aa 1-3"));
}

TEST(Unigram, UnknownCharactersMayBecomeBytes) {
  const auto model = make_unigram(vocabulary({"?", "a", "<0xC3>", "<0xA9>"}), {0, -1, 0, 0}, 0, true);
  EXPECT_THAT(tokens(*model, "aé"), ElementsAre("a 0-1", "<0xC3> 1-3", "<0xA9> 1-3"));
  EXPECT_THAT(tokens(*model, "éü"), ElementsAre("? 0-4"));
}

TEST(WordLevel, KnowsWholeWords) {
  const auto model = make_word_level(vocabulary({"?", "cat"}), "?");
  EXPECT_THAT(tokens(*model, "cat"), ElementsAre("cat 0-3"));
  EXPECT_THAT(tokens(*model, "cats"), ElementsAre("? 0-4"));
}

TEST(ReferenceNumber, IsTheNearestDoubleOrItsNeighbour) {
  EXPECT_EQ(number_as_in_reference("0"), 0);
  EXPECT_EQ(number_as_in_reference("-12"), -12);
  EXPECT_EQ(number_as_in_reference("2.5e3"), 2500);
  EXPECT_EQ(number_as_in_reference("25E-1 "), 2.5);
  EXPECT_EQ(number_as_in_reference("1e-400"), 0);
  EXPECT_EQ(number_as_in_reference("123456789012345678901234"), 12345678901234567890.0 * 1e4);
  // 17 digits: 34538281199371274 is rounded to a double before it is divided by ten to the power of 16.
  EXPECT_EQ(number_as_in_reference("-3.4538281199371274"), -(34538281199371274.0 / 1e16));
  std::mt19937 random(8);
  std::uniform_real_distribution<double> scores(-20, 0);
  int neighbours = 0;
  for (int i = 0; i < 1000; ++i) {
    const double score = scores(random);
    const double read = number_as_in_reference(fmt::format("{}", score));
    EXPECT_TRUE(read == score || read == std::nextafter(score, 0) || read == std::nextafter(score, -30)) << score;
    neighbours += read == score ? 0 : 1;
  }
  EXPECT_GT(neighbours, 50);
}

}  // namespace
}  // namespace verilabel
