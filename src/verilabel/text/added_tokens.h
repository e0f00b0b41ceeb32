#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "verilabel/text/normalizer.h"
#include "verilabel/text/pre_tokenizer.h"
#include "verilabel/text/vocabulary.h"

// Private to the module.

namespace verilabel {

/// A token that is found in the text before anything else cuts it.
struct AddedToken {
  std::uint32_t id = 0;
  std::string content;
  bool is_single_word = false;  ///< not beside a character of a word
  bool strips_left = false;     ///< takes spaces before it, and
  bool strips_right = false;    ///< behind it along
  bool is_normalized = true;    ///< found in the normalised text in its own normalised form; else in the text as given
  bool is_special = false;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  /// Throws `bad_data` for a token whose id is another's or not the one that the vocabulary gives it, one that normalisation leaves
  /// nothing of, and two that it makes the same.
  AddedTokens(std::vector<AddedToken> tokens, const Vocabulary& vocabulary, const std::vector<Normalizer>& normalizers);

  /// The text as pieces, normalised but for those that are tokens.
  std::vector<Piece> extract(std::string_view text, const std::vector<Normalizer>& normalizers) const;

  std::optional<std::uint32_t> id_of(std::string_view content) const;
  const AddedToken* with_id(std::uint32_t id) const;
  /// How many of them the vocabulary does not hold.
  std::size_t beyond_vocabulary() const { return beyond_vocabulary_; }

 private:
  void split(AlignedText text, const ByteTrie& trie, std::vector<Piece>& pieces) const;

  std::map<std::uint32_t, AddedToken> by_id_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::size_t beyond_vocabulary_ = 0;
  ByteTrie as_given_;
  ByteTrie normalized_;
};

}  // namespace verilabel
