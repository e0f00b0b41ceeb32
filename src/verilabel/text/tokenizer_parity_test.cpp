// Against what Hugging Face's tokenizers make of the same texts: tests/parity/export_tokenizers.py writes the fixtures.

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <simdjson.h>

#include "verilabel/text/testing_text.h"
#include "verilabel/text/tokenizer.h"

namespace verilabel {
namespace {

using simdjson::dom::element;

std::filesystem::path fixtures() {
  return std::filesystem::path(VERILABEL_SOURCE_DIR) / "tests/parity/fixtures/tokenizers";
}

std::vector<std::string> texts_of(const element& list) {
  std::vector<std::string> texts;
  for (const element text : list.get_array()) {
    texts.emplace_back(std::string_view(text.get_string()));
  }
  return texts;
}

std::vector<std::int64_t> numbers_of(const element& list) {
  std::vector<std::int64_t> numbers;
  for (const element number : list.get_array()) {
    numbers.push_back(number.get_int64());
  }
  return numbers;
}

constexpr std::int64_t kSameAgain = 999;

/// As the exporter's docstring describes them.
std::vector<TokenSpan> spans_of(const element& list) {
  const std::vector<std::int64_t> numbers = numbers_of(list);
  std::vector<TokenSpan> spans;
  TokenSpan last;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] == kSameAgain) {
      spans.push_back(last);
      continue;
    }
    const auto begin = static_cast<std::size_t>(static_cast<std::int64_t>(last.end) + numbers[i]);
    const auto size = static_cast<std::size_t>(numbers.at(++i));
    spans.push_back(size == 0 ? TokenSpan{} : TokenSpan{begin, begin + size});
    last = size == 0 ? last : spans.back();
  }
  return spans;
}

std::vector<TokenSpan> without_empty(std::vector<TokenSpan> spans) {
  for (TokenSpan& span : spans) {
    span = span.begin == span.end ? TokenSpan{} : span;
  }
  return spans;
}

std::string shown(const std::vector<TokenSpan>& spans) {
  std::string text;
  for (const TokenSpan& span : spans) {
    text += fmt::format(" {}-{}", span.begin, span.end);
  }
  return text;
}

class TokenizerParity : public testing::TestWithParam<std::string> {};

TEST_P(TokenizerParity, IdsAndSpansAreTheReferences) {
  simdjson::dom::parser text_parser;
  const std::vector<std::string> texts = texts_of(text_parser.load((fixtures() / "texts.json").native()));
  simdjson::dom::parser parser;
  const simdjson::dom::array rows = parser.load((fixtures() / (GetParam() + ".ids.json")).native()).get_array();
  ASSERT_EQ(rows.size(), texts.size());
  ASSERT_GE(texts.size(), 100U);
  const Tokenizer tokenizer = Tokenizer::load(fixtures() / (GetParam() + ".json"));
  std::size_t place = 0;
  for (const element row : rows) {
    const std::string& text = texts[place++];
    const Encoding encoding = tokenizer.encode(text);
    EXPECT_EQ(encoding.ids, numbers_of(row.at(0))) << text;
    const std::vector<TokenSpan> expected = spans_of(row.at(1));
    EXPECT_EQ(without_empty(encoding.spans), expected) << text << "\n" << shown(encoding.spans) << "\n" << shown(expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TokenizerParity,
                         testing::Values("clip", "bert-uncased", "bert-cased", "unigram", "gemma", "roberta", "gpt4", "gapped-bpe",
                                         "words"),
                         [](const auto& family) {
                           std::string name = family.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(TokenizerParity, ManyThreadsMayShareOne) {
  simdjson::dom::parser parser;
  const std::vector<std::string> texts = texts_of(parser.load((fixtures() / "texts.json").native()));
  for (const char* family : {"clip", "unigram"}) {
    const Tokenizer tokenizer = Tokenizer::load(fixtures() / (std::string(family) + ".json"));
    std::vector<std::vector<std::int64_t>> expected;
    for (const std::string& text : texts) {
      expected.push_back(tokenizer.encode(text).ids);
    }
    std::atomic<int> differences = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (std::size_t k = 0; k < texts.size(); ++k) {
          differences += tokenizer.encode(texts[k]).ids == expected[k] ? 0 : 1;
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(differences, 0);
  }
}

/// A tokenizer whose tokens are the bytes of what the part leaves of a text.
Tokenizer spelling(std::string_view kind, std::string_view part) {
  std::string vocabulary;
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary += fmt::format("{}\"<0x{:02X}>\": {}", byte == 0 ? "" : ", ", byte, byte);
  }
  const std::string_view suffix = kind == "normalizer" ? "null" : "\"|\"";
  return Tokenizer::parse(fmt::format(
      R"({{"{}": {}, "model": {{"type": "BPE", "vocab": {{{}}}, "merges": [], "byte_fallback": true, "end_of_word_suffix": {}}}}})",
      kind, part, vocabulary, suffix));
}

TEST(TokenizerParity, EveryPartByItselfDoesWhatTheReferenceDoes) {
  simdjson::dom::parser parser;
  const simdjson::dom::object document = parser.load((fixtures() / "parts.json").native()).get_object();
  const std::vector<std::string> texts = texts_of(document.at_key("texts"));
  std::size_t count = 0;
  for (const auto& [name, part] : simdjson::dom::object(document.at_key("parts"))) {
    const std::string_view kind = part.at_key("normalizer").error() == simdjson::SUCCESS ? "normalizer" : "pre_tokenizer";
    const Tokenizer tokenizer = spelling(kind, simdjson::minify(element(part.at_key(kind))));
    const std::vector<std::string> expected = texts_of(part.at_key("results"));
    ASSERT_EQ(expected.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::string spelled;
      for (const std::int64_t id : tokenizer.encode(texts[i]).ids) {
        spelled.push_back(static_cast<char>(id));
      }
      EXPECT_EQ(spelled, expected[i]) << name << " of " << texts[i];
    }
    ++count;
  }
  EXPECT_GE(count, 50U);
}

}  // namespace
}  // namespace verilabel
