#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/text/subword_model.h"
#include "verilabel/text/unicode.h"

namespace verilabel {
namespace {

WordToken unknown(const Vocabulary& vocabulary, const std::string& unknown_token, std::string_view word) {
  const auto id = vocabulary.id_of(unknown_token);
  if (!id) {
    throw Error(ErrorCode::bad_data, fmt::format("the vocabulary holds neither '{}' nor the tokenizer's unknown token '{}'",
                                                 printable(word), printable(unknown_token)));
  }
  return {*id, 0, word.size()};
}

class WordPiece final : public SubwordModel {
 public:
  WordPiece(Vocabulary vocabulary, WordPieceOptions options) : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
    for (const auto& [id, token] : vocabulary_.by_id()) {
      trie_.insert(token, id);
    }
    continuing_ = trie_.walk(ByteTrie::kRoot, options_.continuing_prefix);
  }

  std::string_view name() const override { return "WordPiece"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

  std::vector<WordToken> tokens_of(std::string_view word) const override {
    std::size_t characters = 0;
    unicode::for_each_character(word, [&](char32_t, std::size_t, std::size_t) { ++characters; });
    std::vector<WordToken> tokens;
    for (std::size_t begin = 0; characters <= options_.max_characters;) {
      const auto token = longest_from(word, begin);
      if (!token) {
        break;
      }
      tokens.push_back(*token);
      begin = token->end;
      if (begin == word.size()) {
        return tokens;
      }
    }
    return {unknown(vocabulary_, options_.unknown_token, word)};
  }

 private:
  std::optional<WordToken> longest_from(std::string_view word, std::size_t begin) const {
    std::optional<ByteTrie::Node> node = begin == 0 ? ByteTrie::kRoot : continuing_;
    std::optional<WordToken> longest;
    for (std::size_t end = begin; node && end < word.size();) {
      node = trie_.next(*node, word[end++]);
      if (node && trie_.value(*node) != ByteTrie::kNoValue) {
        longest = WordToken{trie_.value(*node), begin, end};
      }
    }
    return longest;
  }

  Vocabulary vocabulary_;
  WordPieceOptions options_;
  ByteTrie trie_;
  std::optional<ByteTrie::Node> continuing_;  // where the prefix of what continues a word leads
};

class WordLevel final : public SubwordModel {
 public:
  WordLevel(Vocabulary vocabulary, std::string unknown_token)
      : vocabulary_(std::move(vocabulary)), unknown_token_(std::move(unknown_token)) {}

  std::string_view name() const override { return "WordLevel"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

  std::vector<WordToken> tokens_of(std::string_view word) const override {
    const auto id = vocabulary_.id_of(word);
    return {id ? WordToken{*id, 0, word.size()} : unknown(vocabulary_, unknown_token_, word)};
  }

 private:
  Vocabulary vocabulary_;
  std::string unknown_token_;
};

}  // namespace

std::unique_ptr<SubwordModel> make_word_piece(Vocabulary vocabulary, WordPieceOptions options) {
  return std::make_unique<WordPiece>(std::move(vocabulary), std::move(options));
}

std::unique_ptr<SubwordModel> make_word_level(Vocabulary vocabulary, std::string unknown_token) {
  return std::make_unique<WordLevel>(std::move(vocabulary), std::move(unknown_token));
}

}  // namespace verilabel
