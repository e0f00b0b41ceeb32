#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "verilabel/text/vocabulary.h"

// Private to the module.

namespace verilabel {

/// A token of a word, and the bytes of the word that it stands for.
struct WordToken {
  std::uint32_t id;
  std::size_t begin;
  std::size_t end;
};

/// What cuts a word, as pre-tokenisation left it, into tokens of a vocabulary. Immutable.
class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  virtual std::string_view name() const = 0;  ///< as `type` in the file
  virtual const Vocabulary& vocabulary() const = 0;
  /// Throws `bad_data` when the word needs an unknown token and the model has none.
  virtual std::vector<WordToken> tokens_of(std::string_view word) const = 0;
};

struct BpeOptions {
  std::optional<std::string> unknown_token;
  std::string continuing_prefix;  ///< in front of each symbol but the first of a word
  std::string end_of_word_suffix;
  bool fuses_unknown = false;   ///< neighbouring unknown characters are one token
  bool byte_fallback = false;   ///< an unknown character becomes the tokens <0xNN> of its bytes, where all of them exist
  bool ignores_merges = false;  ///< a word that is a token is that token, whatever the merges say
};

/// Byte pair encoding (arXiv 1508.07909): of all pairs of neighbours the one whose merge comes first is joined, the leftmost of
/// several, until none is left. `merges` are pairs of tokens in ascending order of rank; of equal ones the last counts.
std::unique_ptr<SubwordModel> make_bpe(Vocabulary vocabulary, const std::vector<std::pair<std::string, std::string>>& merges,
                                       BpeOptions options);

struct WordPieceOptions {
  std::string unknown_token = "[UNK]";
  std::string continuing_prefix = "##";
  std::size_t max_characters = 100;  ///< a longer word is unknown
};

/// Greedily the longest token from the left; a word that cannot be cut like that is unknown as a whole.
std::unique_ptr<SubwordModel> make_word_piece(Vocabulary vocabulary, WordPieceOptions options);

/// The most probable segmentation (arXiv 1804.10959); neighbouring unknown characters are one token. Ids are the places in
/// `pieces`, `scores` their logarithmic probabilities.
std::unique_ptr<SubwordModel> make_unigram(Vocabulary vocabulary, std::vector<double> scores,
                                           std::optional<std::uint32_t> unknown_id, bool byte_fallback);

/// Whole words only.
std::unique_ptr<SubwordModel> make_word_level(Vocabulary vocabulary, std::string unknown_token);

}  // namespace verilabel
