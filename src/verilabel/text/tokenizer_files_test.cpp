#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/text/testing_text.h"
#include "verilabel/text/tokenizer.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr std::string_view kBertLists = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n##s\nCat\nca\n##fe\n##f\xc3\xa9\n";
constexpr std::string_view kClipVocabulary =
    R"({"c": 0, "a": 1, "t</w>": 2, "at</w>": 3, "cat</w>": 4, "<|startoftext|>": 5, "<|endoftext|>": 6})";
constexpr std::string_view kClipMerges = "#version: 0.2\na t</w>\nc at</w>\n";

TEST(TokenizerFiles, ReadsBertsList) {
  const TextFolder folder;
  folder.write("vocab.txt", kBertLists);
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.model(), "WordPiece");
  EXPECT_THAT(tokenizer.encode("Cats [MASK] caf\xc3\xa9").ids, ElementsAre(2, 5, 6, 4, 8, 9, 3));
  EXPECT_TRUE(tokenizer.is_special(4));
  EXPECT_THAT(Tokenizer::load(folder.path() / "vocab.txt").encode("dog").ids, ElementsAre(2, 1, 3));
  folder.write("tokenizer_config.json", R"({"do_lower_case": false, "model_max_length": 512})");
  EXPECT_THAT(Tokenizer::load(folder.path()).encode("Cats caf\xc3\xa9").ids, ElementsAre(2, 7, 6, 8, 10, 3));
  folder.write("tokenizer_config.json", R"({"do_lower_case": "no"})");
  const Error error = error_from([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(context_value(error, "field"), "do_lower_case");
  EXPECT_THAT(context_value(error, "file"), HasSubstr("tokenizer_config.json"));
}

TEST(TokenizerFiles, ReadsClipsLists) {
  const TextFolder folder;
  folder.write("vocab.json", kClipVocabulary);
  folder.write("merges.txt", kClipMerges);
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.model(), "BPE");
  EXPECT_THAT(tokenizer.encode(" CAT  cat").ids, ElementsAre(5, 4, 4, 6));
}

TEST(TokenizerFiles, TokenizerJsonComesFirst) {
  const TextFolder folder;
  folder.write("vocab.txt", kBertLists);
  folder.write("tokenizer.json", R"({"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}})");
  EXPECT_EQ(Tokenizer::load(folder.path()).model(), "WordLevel");
}

TEST(TokenizerFiles, SaysWhatIsWrongAndWhere) {
  const TextFolder folder;
  Error error = error_from([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.message(), HasSubstr("vocab.json with merges.txt"));
  EXPECT_EQ(error_from([&] { Tokenizer::load(folder.path() / "none.json"); }).code(), ErrorCode::not_found);

  folder.write("spiece.model", "");
  error = error_from([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.message(), HasSubstr("save_pretrained"));

  folder.write("vocab.json", R"({"a": 0, "\u0120a": 1})");
  folder.write("merges.txt", "");
  error = error_from([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.message(), HasSubstr("is not CLIP's"));
  EXPECT_THAT(context_value(error, "file"), HasSubstr("merges.txt"));

  folder.write("vocab.json", kClipVocabulary);
  folder.write("merges.txt", "#version: 0.2\na t</w>\nc at</w> x\n");
  error = error_from([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_EQ(context_value(error, "line"), "3");

  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
  error = error_from([&] { Tokenizer::load(folder.path()); });
  EXPECT_THAT(error.message(), HasSubstr("no token '[MASK]'"));
  folder.write("vocab.txt", "[PAD]\n[PAD]\n");
  EXPECT_THAT(error_from([&] { Tokenizer::load(folder.path()); }).message(), HasSubstr("twice"));
  folder.write("vocab.txt", "a\n\xff\n");
  error = error_from([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(context_value(error, "byte"), "2");

  const auto openai = folder.write("bpe_simple_vocab_16e6.txt", "\x1f\x8b\x08");
  EXPECT_THAT(error_from([&] { Tokenizer::load(openai); }).message(), HasSubstr("gunzip"));
  folder.write("bpe_simple_vocab_16e6.txt", "#version\ni n\nt h\n");
  EXPECT_THAT(error_from([&] { Tokenizer::load(openai); }).message(), HasSubstr("2 merges"));

  folder.write("tokenizer.json", "{");
  error = error_from([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(context_value(error, "file"), HasSubstr("tokenizer.json"));
}

TEST(TokenizerFiles, ConfigurationsSayWhatTokenizersDoNot) {
  const TextFolder folder;
  const auto path = folder.write("tokenizer_config.json", R"({
    "model_max_length": 77, "tokenizer_class": "CLIPTokenizer", "pad_token": {"content": "!", "lstrip": false},
    "padding_side": "left", "truncation_side": "right", "do_lower_case": true, "strip_accents": null, "unheard_of": [1]})");
  TokenizerConfig config = TokenizerConfig::load(path);
  EXPECT_EQ(config.model_max_length, 77U);
  EXPECT_EQ(config.tokenizer_class, "CLIPTokenizer");
  EXPECT_EQ(config.pad_token, "!");
  EXPECT_EQ(config.padding_side, TextSide::left);
  EXPECT_EQ(config.truncation_side, TextSide::right);
  EXPECT_EQ(config.lowercases, true);
  EXPECT_EQ(config.strips_accents, std::nullopt);
  folder.write("tokenizer_config.json", R"({"model_max_length": 1000000000000000019884624838656, "pad_token": "x"})");
  config = TokenizerConfig::load(path);
  EXPECT_EQ(config.model_max_length, std::nullopt) << "no limit";
  EXPECT_EQ(config.pad_token, "x");
  for (const std::string_view wrong : {"0", "-3", "7.5", "\"long\""}) {
    folder.write("tokenizer_config.json", fmt::format(R"({{"model_max_length": {}}})", wrong));
    EXPECT_EQ(context_value(error_from([&] { TokenizerConfig::load(path); }), "field"), "model_max_length") << wrong;
  }
  folder.write("tokenizer_config.json", R"({"padding_side": "above"})");
  EXPECT_THAT(error_from([&] { TokenizerConfig::load(path); }).message(), HasSubstr("left, right"));
}

TEST(TokenizerFiles, BertsVocabularyGivesPublishedIds) {
  const auto folder = real_vocabularies();
  if (!folder) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set: no real vocabularies";
  }
  // Of the published bert-base-uncased.
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> expected = {
      {"a cat.", {101, 1037, 4937, 1012, 102}},
      {"a cat. a remote control.", {101, 1037, 4937, 1012, 1037, 6556, 2491, 1012, 102}},
      {"traffic light. person. fire hydrant.", {101, 4026, 2422, 1012, 2711, 1012, 2543, 26018, 3372, 1012, 102}},
      {"cell phone. hair drier.", {101, 3526, 3042, 1012, 2606, 2852, 3771, 1012, 102}},
  };
  for (const auto& file : {*folder / "bert_base_uncased_tokenizer.json", *folder / "vocab.txt"}) {
    const Tokenizer tokenizer = Tokenizer::load(file);
    EXPECT_EQ(tokenizer.vocabulary_size(), 30522U);
    for (const auto& [text, ids] : expected) {
      EXPECT_THAT(tokenizer.encode(text).ids, ElementsAreArray(ids)) << file << " " << text;
    }
  }
}

TEST(TokenizerFiles, ClipsVocabularyGivesPublishedIds) {
  const auto data = real_vocabularies();
  if (!data) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set: no real vocabularies";
  }
  const TextFolder folder;
  const auto unpacked = folder.path() / "bpe_simple_vocab_16e6.txt";
  const std::string command =
      fmt::format("gzip -dc '{}' > '{}'", (*data / "bpe_simple_vocab_16e6.txt.gz").native(), unpacked.native());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(bugprone-command-processor,cert-env33-c)
  const Tokenizer tokenizer = Tokenizer::load(unpacked);
  EXPECT_EQ(tokenizer.vocabulary_size(), 49408U);
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> expected = {
      {"a photo of a cat", {320, 1125, 539, 320, 2368}},
      {"This is a photo of traffic light.", {589, 533, 320, 1125, 539, 3399, 1395, 269}},
      {" ", {}},
      {"a photo of a person's dog!!", {320, 1125, 539, 320, 2533, 568, 1929, 748}},
      {"yolov8 2024", {586, 21229, 279, 273, 271, 273, 275}},
      {"caf\xc3\xa9", {15304}},
      {"remote control", {9687, 3366}},
      {"hello_world", {3306, 318, 1002}},
  };
  for (auto [text, ids] : expected) {
    ids.insert(ids.begin(), 49406);
    ids.push_back(49407);
    EXPECT_THAT(tokenizer.encode(text).ids, ElementsAreArray(ids)) << text;
  }
}

}  // namespace
}  // namespace verilabel
