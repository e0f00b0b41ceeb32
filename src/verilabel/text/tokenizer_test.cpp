#include "verilabel/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/text/testing_text.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Words of one letter, marks around them, one token for what is unknown.
std::string small_tokenizer(std::string_view more = "") {
  return fmt::format(R"({{
    "version": "1.0", {}
    "added_tokens": [
      {{"id": 0, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}}],
    "pre_tokenizer": {{"type": "WhitespaceSplit"}},
    "post_processor": {{"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}},
    "model": {{"type": "WordLevel", "unk_token": "?", "vocab": {{"[PAD]": 0, "<s>": 1, "</s>": 2, "?": 3, "a": 4, "b": 5, "c": 6}}}}
  }})",
                     more);
}

std::vector<std::string> words(const Tokenizer& tokenizer, std::string_view text, const EncodeOptions& options = {}) {
  std::vector<std::string> result;
  for (const std::int64_t id : tokenizer.encode(text, options).ids) {
    result.push_back(tokenizer.token_of(id).value_or("none"));
  }
  return result;
}

/// A tokenizer of words with these added tokens and this normaliser.
Tokenizer with_added(std::string_view added, std::string_view normalizer = "null") {
  return Tokenizer::parse(fmt::format(
      R"({{"added_tokens": [{}], "normalizer": {}, "pre_tokenizer": {{"type": "WhitespaceSplit"}},
           "model": {{"type": "WordLevel", "unk_token": "?", "vocab": {{"?": 0, "the": 1, "cat": 2}}}}}})",
      added, normalizer));
}

std::string added(int id, std::string_view content, std::string_view flags = "", bool is_normalized = false) {
  const auto has = [&](std::string_view flag) { return flags.find(flag) != std::string_view::npos; };
  return fmt::format(
      R"({{"id": {}, "content": "{}", "single_word": {}, "lstrip": {}, "rstrip": {}, "normalized": {}, "special": true}})", id,
      content, has("word"), has("left"), has("right"), is_normalized);
}

TEST(Tokenizer, SaysWhatATextIs) {
  const Tokenizer tokenizer = Tokenizer::parse(small_tokenizer());
  const Encoding encoding = tokenizer.encode("a  é c");
  EXPECT_THAT(encoding.ids, ElementsAre(1, 4, 3, 6, 2));
  EXPECT_THAT(encoding.attention_mask, ElementsAre(1, 1, 1, 1, 1));
  EXPECT_THAT(encoding.type_ids, ElementsAre(0, 0, 0, 0, 0));
  EXPECT_THAT(encoding.spans, ElementsAre(TokenSpan{0, 0}, TokenSpan{0, 1}, TokenSpan{3, 5}, TokenSpan{6, 7}, TokenSpan{0, 0}));
  EXPECT_THAT(encoding.is_mark, ElementsAre(1, 0, 0, 0, 1));
  EXPECT_EQ(encoding.cut_tokens, 0U);
  EXPECT_THAT(tokenizer.encode("").ids, ElementsAre(1, 2));
  EncodeOptions bare;
  bare.add_marks = false;
  EXPECT_THAT(tokenizer.encode("a b", bare).ids, ElementsAre(4, 5));
  EXPECT_THAT(tokenizer.encode(" ", bare).ids, ElementsAre());
}

TEST(Tokenizer, AnswersWhatItsVocabularyIs) {
  const Tokenizer tokenizer = Tokenizer::parse(small_tokenizer());
  EXPECT_EQ(tokenizer.model(), "WordLevel");
  EXPECT_EQ(tokenizer.vocabulary_size(), 7U);
  EXPECT_EQ(tokenizer.mark_count(), 2U);
  EXPECT_EQ(tokenizer.id_of("b"), 5);
  EXPECT_EQ(tokenizer.id_of("d"), std::nullopt);
  EXPECT_EQ(tokenizer.token_of(6), "c");
  EXPECT_EQ(tokenizer.token_of(7), std::nullopt);
  EXPECT_EQ(tokenizer.token_of(-1), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_FALSE(tokenizer.is_special(4));
  EXPECT_EQ(with_added(added(3, "x")).vocabulary_size(), 4U);
}

TEST(Tokenizer, CutsOnlyWhenAskedAndSaysHowMuch) {
  const Tokenizer tokenizer = Tokenizer::parse(small_tokenizer());
  EncodeOptions options;
  options.truncation = Truncation{4};
  Encoding encoding = tokenizer.encode("a b c a", options);
  EXPECT_THAT(encoding.ids, ElementsAre(1, 4, 5, 2)) << "marks stay";
  EXPECT_EQ(encoding.cut_tokens, 2U);
  options.truncation->side = TextSide::left;
  encoding = tokenizer.encode("a b c b", options);
  EXPECT_THAT(encoding.ids, ElementsAre(1, 6, 5, 2));
  EXPECT_THAT(encoding.spans[1], (TokenSpan{4, 5}));
  options.add_marks = false;
  EXPECT_EQ(tokenizer.encode("a b c a", options).cut_tokens, 0U);
  options.add_marks = true;
  options.truncation->max_length = 2;
  EXPECT_THAT(tokenizer.encode("a b", options).ids, ElementsAre(1, 2));
  options.truncation->max_length = 1;
  const Error error = error_from([&] { tokenizer.encode("", options); });
  EXPECT_EQ(error.code(), ErrorCode::wrong_use);
  EXPECT_THAT(error.message(), HasSubstr("does not hold the 2 marks"));
}

TEST(Tokenizer, FillsUpAsAsked) {
  const Tokenizer tokenizer = Tokenizer::parse(small_tokenizer());
  EncodeOptions options;
  options.padding = Padding{5, 1, 9, 7};
  Encoding encoding = tokenizer.encode("a", options);
  EXPECT_THAT(encoding.ids, ElementsAre(1, 4, 2, 9, 9));
  EXPECT_THAT(encoding.attention_mask, ElementsAre(1, 1, 1, 0, 0));
  EXPECT_THAT(encoding.type_ids, ElementsAre(0, 0, 0, 7, 7));
  EXPECT_THAT(encoding.is_mark, ElementsAre(1, 0, 1, 1, 1));
  EXPECT_EQ(encoding.spans.size(), 5U);
  options.padding->side = TextSide::left;
  EXPECT_THAT(tokenizer.encode("a", options).ids, ElementsAre(9, 9, 1, 4, 2));
  options.padding->length = 2;
  EXPECT_THAT(tokenizer.encode("a", options).ids, ElementsAre(1, 4, 2)) << "longer texts stay whole";
  options.padding = Padding{};
  const std::vector<Encoding> several = tokenizer.encode_all(std::vector<std::string>{"a", "a b c", ""}, options);
  EXPECT_THAT(several[0].ids, ElementsAre(1, 4, 2, 0, 0));
  EXPECT_THAT(several[1].ids, ElementsAre(1, 4, 5, 6, 2));
  EXPECT_THAT(several[2].ids, ElementsAre(1, 2, 0, 0, 0));
  options.padding->multiple_of = 4;
  EXPECT_EQ(tokenizer.encode_all(std::vector<std::string>{"a", "a b c"}, options)[0].ids.size(), 8U);
}

TEST(Tokenizer, TellsWhatItsFileSaysOfLengths) {
  const Tokenizer tokenizer = Tokenizer::parse(small_tokenizer(
      R"("truncation": {"direction": "Left", "max_length": 77, "strategy": "LongestFirst", "stride": 0},
         "padding": {"strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 1, "pad_type_id": 2,
                     "pad_token": "<s>"},)"));
  ASSERT_TRUE(tokenizer.truncation() && tokenizer.padding());
  EXPECT_EQ(tokenizer.truncation()->max_length, 77U);
  EXPECT_EQ(tokenizer.truncation()->side, TextSide::left);
  EXPECT_EQ(tokenizer.padding()->length, 64U);
  EXPECT_EQ(tokenizer.padding()->multiple_of, 8U);
  EXPECT_EQ(tokenizer.padding()->id, 1);
  EXPECT_EQ(tokenizer.padding()->type_id, 2);
  EXPECT_EQ(tokenizer.padding()->side, TextSide::left);
  EXPECT_EQ(tokenizer.encode("a").ids.size(), 3U) << "nothing is cut or filled up unasked";
  EXPECT_FALSE(Tokenizer::parse(small_tokenizer()).truncation());
}

TEST(Tokenizer, AddedTokensComeFirst) {
  const Tokenizer plain = with_added(added(3, "<x>") + "," + added(4, "<x>y"));
  EXPECT_THAT(words(plain, "the<x>cat<x>y"), ElementsAre("the", "<x>", "cat", "<x>y")) << "the longest one";
  EXPECT_THAT(words(plain, "the <X>"), ElementsAre("the", "?"));

  const Tokenizer single = with_added(added(3, "x", "word"));
  EXPECT_THAT(words(single, "the x cat"), ElementsAre("the", "x", "cat"));
  EXPECT_THAT(words(single, "thex"), ElementsAre("?"));
  EXPECT_THAT(words(single, "x-"), ElementsAre("x", "?"));

  const Tokenizer strips = with_added(added(3, "<x>", "left right"));
  const Encoding encoding = strips.encode("the \t<x>  cat");
  EXPECT_THAT(encoding.ids, ElementsAre(1, 3, 2));
  EXPECT_EQ(encoding.spans[1], (TokenSpan{3, 10}));
  EXPECT_THAT(words(strips, "<x> <x>"), ElementsAre("<x>", "<x>"));
}

TEST(Tokenizer, AddedTokensMayBeNormalised) {
  constexpr std::string_view lowercase = R"({"type": "Lowercase"})";
  EXPECT_THAT(words(with_added(added(3, "<X>", "", true), lowercase), "THE<x>CAT<X>"), ElementsAre("the", "<X>", "cat", "<X>"));
  EXPECT_THAT(words(with_added(added(3, "<X>", "", false), lowercase), "THE<x> <X>"), ElementsAre("?", "<X>"));
}

TEST(Tokenizer, SpacesMayBeTakenOffTheSpans) {
  const Tokenizer tokenizer = Tokenizer::parse(R"({
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "vocab": {"Ġ": 0, "a": 1, "Ġa": 2, "ĠĠ": 3}, "merges": ["Ġ a", "Ġ Ġ"]}})");
  const Encoding encoding = tokenizer.encode("a a   a");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 2, 3, 2));
  EXPECT_THAT(encoding.spans, ElementsAre(TokenSpan{0, 1}, TokenSpan{2, 3}, TokenSpan{5, 5}, TokenSpan{6, 7}));
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8AndSaysWhere) {
  const Tokenizer tokenizer = Tokenizer::parse(small_tokenizer());
  for (const auto& [text, byte] : std::vector<std::pair<std::string, std::string>>{
           {"ab\xff", "2"}, {"\xc3", "0"}, {"é\xed\xa0\x80", "2"}, {"a\xc0\xaf", "1"}, {std::string("a\0\xf8", 3), "2"}}) {
    const Error error = error_from([&] { tokenizer.encode(text); });
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    EXPECT_EQ(context_value(error, "byte"), byte);
  }
  EXPECT_EQ(error_from([&] { tokenizer.encode(std::string((16 << 20) + 1, 'a')); }).code(), ErrorCode::wrong_use);
}

TEST(Tokenizer, NamesTheFieldThatIsWrong) {
  struct Case {
    std::string json;
    ErrorCode code;
    std::string field;
    std::string words;
  };
  const auto with_model = [](std::string_view model) { return fmt::format(R"({{"model": {}}})", model); };
  const auto with_part = [](std::string_view part) {
    return fmt::format(R"({{"model": {{"type": "WordLevel", "unk_token": "?", "vocab": {{"?": 0, "<s>": 1}}}}, {}}})", part);
  };
  const std::vector<Case> cases = {
      {"", ErrorCode::bad_data, "", "not a JSON document"},
      {"[]", ErrorCode::bad_data, "", "not a tokenizer.json"},
      {"{}", ErrorCode::bad_data, "", "not a tokenizer.json"},
      {"null", ErrorCode::bad_data, "", "not a tokenizer.json"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "mer)", ErrorCode::bad_data, "", "not a JSON document"},
      {"{\"model\": \"\xff\"}", ErrorCode::bad_data, "", "UTF-8"},
      {with_part(R"("version": "2.0")"), ErrorCode::unsupported, "version", "2.0"},
      {with_part(R"("version": 1)"), ErrorCode::bad_data, "version", "text"},
      {R"({"model": {"type": "BPE", "vocab": {}, "merges": []}, "model": {}})", ErrorCode::bad_data, "model", "twice"},
      // Models
      {with_model(R"({"type": "Transducer"})"), ErrorCode::unsupported, "model.type", "none of those that are known: BPE"},
      {with_model(R"({"type": "BPE", "merges": []})"), ErrorCode::bad_data, "model.vocab", "missing"},
      {with_model(R"({"type": "BPE", "vocab": {}})"), ErrorCode::bad_data, "model.merges", "missing"},
      {with_model(R"({"type": "BPE", "vocab": [], "merges": []})"), ErrorCode::bad_data, "model.vocab", "object"},
      {with_model(R"({"type": "BPE", "vocab": {"a": -1}, "merges": []})"), ErrorCode::bad_data, "model.vocab.a", "whole number"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 16777216}, "merges": []})"), ErrorCode::bad_data, "model.vocab.a", "16777215"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 1.5}, "merges": []})"), ErrorCode::bad_data, "model.vocab.a", "whole number"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []})"), ErrorCode::bad_data, "model.vocab", "'a' twice"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []})"), ErrorCode::bad_data, "model.vocab", "id 0"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["ab"]})"), ErrorCode::bad_data, "model.merges[0]",
       "space"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]})"), ErrorCode::bad_data, "model.merges[0]",
       "two tokens"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]})"), ErrorCode::bad_data, "model.merges", "both in"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "a"]]})"), ErrorCode::bad_data, "model.merges",
       "whose join"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1})"), ErrorCode::unsupported, "model.dropout",
       "other tokens each time"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [], "fuse_unk": 1})"), ErrorCode::bad_data, "model.fuse_unk",
       "true"},
      {with_model(R"({"type": "BPE", "vocab": {"a": 0, "##": 1}, "merges": ["## a"], "continuing_subword_prefix": "##"})"),
       ErrorCode::bad_data, "model.merges", "shorter than the prefix"},
      {with_model(R"({"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "vocab": {}})"),
       ErrorCode::bad_data, "model.max_input_chars_per_word", "missing"},
      {with_model(R"({"type": "Unigram", "vocab": {}})"), ErrorCode::bad_data, "model.vocab", "list"},
      {with_model(R"({"type": "Unigram", "vocab": [["a", -1, 2]]})"), ErrorCode::bad_data, "model.vocab[0]", "score"},
      {with_model(R"({"type": "Unigram", "vocab": [["a", "b"]]})"), ErrorCode::bad_data, "model.vocab[0]", "its score"},
      {with_model(R"({"type": "Unigram", "vocab": [["a", 0], ["a", 0]]})"), ErrorCode::bad_data, "model.vocab", "twice"},
      {with_model(R"({"type": "Unigram", "unk_id": 1, "vocab": [["a", 0]]})"), ErrorCode::bad_data, "model.unk_id", "1 pieces"},
      // Normalisers
      {with_part(R"("normalizer": {"type": "Shout"})"), ErrorCode::unsupported, "normalizer.type", "Shout"},
      {with_part(R"("normalizer": {})"), ErrorCode::bad_data, "normalizer.type", "missing"},
      {with_part(R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip", "strip_left": true}]})"),
       ErrorCode::bad_data, "normalizer.normalizers[1].strip_right", "missing"},
      {with_part(R"("normalizer": {"type": "Replace", "pattern": {"Regex": "("}, "content": ""})"), ErrorCode::bad_data,
       "normalizer.pattern.Regex", "cannot be read"},
      {with_part(R"("normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": ""})"), ErrorCode::bad_data,
       "normalizer.pattern.String", "empty"},
      {with_part(R"("normalizer": {"type": "Replace", "pattern": "a", "content": ""})"), ErrorCode::bad_data, "normalizer.pattern",
       "object"},
      {with_part(R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": "!"})"), ErrorCode::bad_data,
       "normalizer.precompiled_charsmap", "Base64"},
      {with_part(R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAA="})"), ErrorCode::bad_data,
       "normalizer.precompiled_charsmap", "too short"},
      {with_part(R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////wAA"})"), ErrorCode::bad_data,
       "normalizer.precompiled_charsmap", "damaged"},
      // Pre-tokenisers
      {with_part(R"("pre_tokenizer": {"type": "UnicodeScripts"})"), ErrorCode::unsupported, "pre_tokenizer.type", "UnicodeScripts"},
      {with_part(R"("pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Vanish", "invert": false})"),
       ErrorCode::bad_data, "pre_tokenizer.behavior", "MergedWithNext"},
      {with_part(R"("pre_tokenizer": {"type": "Metaspace", "replacement": "ab"})"), ErrorCode::bad_data,
       "pre_tokenizer.replacement", "one character"},
      {with_part(R"("pre_tokenizer": {"type": "Metaspace", "replacement": "_", "add_prefix_space": false})"), ErrorCode::bad_data,
       "pre_tokenizer", "prepend_scheme"},
      {with_part(R"("pre_tokenizer": {"type": "Digits"})"), ErrorCode::bad_data, "pre_tokenizer.individual_digits", "missing"},
      // Post-processing
      {with_part(R"("post_processor": {"type": "Dreaming"})"), ErrorCode::unsupported, "post_processor.type", "Dreaming"},
      {with_part(R"("post_processor": {"type": "BertProcessing", "sep": ["<s>", 1], "cls": ["[CLS]", 9]})"), ErrorCode::bad_data,
       "post_processor.cls", "no token '[CLS]' of id 9"},
      {with_part(R"("post_processor": {"type": "BertProcessing", "sep": ["<s>", 0], "cls": ["<s>", 1]})"), ErrorCode::bad_data,
       "post_processor.sep", "of id 0"},
      {with_part(
           R"("post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B", "type_id": 0}}], "pair": [],
                    "special_tokens": {}})"),
       ErrorCode::bad_data, "post_processor.single[0].Sequence", "only the text A"},
      {with_part(R"("post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}],
                    "pair": [], "special_tokens": {}})"),
       ErrorCode::bad_data, "post_processor.special_tokens.<s>", "missing"},
      {with_part(
           R"("post_processor": {"type": "Sequence", "processors": [{"type": "BertProcessing", "sep": ["<s>", 1], "cls": ["<s>", 1]},
                    {"type": "BertProcessing", "sep": ["<s>", 1], "cls": ["<s>", 1]}]})"),
       ErrorCode::unsupported, "post_processor.processors[1]", "second step"},
      // Added tokens
      {with_part(R"("added_tokens": [{"id": 2, "content": "x"}])"), ErrorCode::bad_data, "added_tokens[0].single_word", "missing"},
      {with_part(R"("added_tokens": [)" + added(2, "") + "]"), ErrorCode::bad_data, "added_tokens", "is empty"},
      {with_part(R"("added_tokens": [)" + added(7, "x") + "]"), ErrorCode::bad_data, "added_tokens", "the one of id 2"},
      {with_part(R"("added_tokens": [)" + added(1, "x") + "]"), ErrorCode::bad_data, "added_tokens", "has the id of '<s>'"},
      {with_part(R"("added_tokens": [)" + added(2, "<s>") + "]"), ErrorCode::bad_data, "added_tokens",
       "has the id 1 in the vocabulary"},
      {with_part(R"("added_tokens": [)" + added(2, "x") + "," + added(2, "y") + "]"), ErrorCode::bad_data, "added_tokens",
       "of the added token 'x'"},
      {with_part(R"("added_tokens": [)" + added(2, "x") + "," + added(3, "x") + "]"), ErrorCode::bad_data, "added_tokens",
       "second time"},
      {with_part(R"("normalizer": {"type": "Strip", "strip_left": true, "strip_right": true}, "added_tokens": [)" +
                 added(2, " ", "", true) + "]"),
       ErrorCode::bad_data, "added_tokens", "is nothing"},
      {with_part(R"("normalizer": {"type": "Lowercase"}, "added_tokens": [)" + added(2, "X", "", true) + "," +
                 added(3, "x", "", true) + "]"),
       ErrorCode::bad_data, "added_tokens", "the same as 'X'"},
      // Truncation and padding
      {with_part(R"("truncation": {"max_length": 5, "strategy": "OnlySecond", "stride": 0})"), ErrorCode::unsupported,
       "truncation.strategy", "OnlySecond"},
      {with_part(R"("padding": {"strategy": "Widest", "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "x"})"),
       ErrorCode::unsupported, "padding.strategy", "BatchLongest"},
      {with_part(R"("padding": {"strategy": "BatchLongest", "direction": "Up", "pad_id": 0, "pad_type_id": 0, "pad_token": "x"})"),
       ErrorCode::bad_data, "padding.direction", "Left, Right"},
  };
  for (const Case& one : cases) {
    const Error error = error_from([&] { Tokenizer::parse(one.json); });
    EXPECT_EQ(error.code(), one.code) << one.json << "\n" << error.what();
    EXPECT_EQ(context_value(error, "field"), one.field) << one.json << "\n" << error.what();
    EXPECT_THAT(error.message(), HasSubstr(one.words)) << one.json;
  }
}

TEST(Tokenizer, ACharsmapThatLeadsOutsideItselfIsRefusedWhenItDoes) {
  // One unit whose offset leads to unit 2^20 or so.
  const Tokenizer tokenizer = Tokenizer::parse(
      R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAEA="},
          "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}})");
  const Error error = error_from([&] { tokenizer.encode("a"); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.message(), HasSubstr("charsmap is damaged"));
}

TEST(Tokenizer, AMegabyteInOneWordIsNoTrouble) {
  // With a step that is quadratic, either model would take hours.
  const std::string text = [] {
    std::string result;
    for (int i = 0; result.size() < (1 << 20); ++i) {
      result += "ab"[i * i % 3 == 0 ? 0 : 1];
    }
    return result;
  }();
  const Tokenizer bpe = Tokenizer::parse(
      R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "bab": 3, "babbab": 4}, "merges": ["a b", "b ab", "bab bab"]}})");
  EXPECT_GT(bpe.encode(text).ids.size(), 1U << 17);
  const Tokenizer unigram = Tokenizer::parse(
      R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["?", 0], ["a", -1], ["b", -1], ["ab", -1.5], ["bab", -2]]}})");
  EXPECT_GT(unigram.encode(text).ids.size(), 1U << 17);
}

}  // namespace
}  // namespace verilabel
