#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "verilabel/text/added_tokens.h"
#include "verilabel/text/normalizer.h"
#include "verilabel/text/post_processor.h"
#include "verilabel/text/pre_tokenizer.h"
#include "verilabel/text/subword_model.h"
#include "verilabel/text/tokenizer.h"

// Private to the module.

namespace verilabel {

struct TokenizerParts {
  AddedTokens added;
  std::vector<Normalizer> normalizers;
  std::vector<PreTokenizer> pre_tokenizers;
  std::unique_ptr<SubwordModel> model;
  PostProcessor post_processor;
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;
};

// Each throws `bad_data` or `unsupported`, naming the field of the JSON or the line of the list.

/// A `tokenizer.json`.
TokenizerParts parts_from_json(std::string_view json);
/// BERT's `vocab.txt`, one token a line.
TokenizerParts parts_from_bert_vocabulary(std::string_view lines, const TokenizerConfig& config);
/// CLIP's `vocab.json` and `merges.txt`.
TokenizerParts parts_from_clip_files(std::string_view vocabulary_json, std::string_view merges);
/// OpenAI's `bpe_simple_vocab_16e6.txt`.
TokenizerParts parts_from_openai_merges(std::string_view lines);

/// An object of tokens and ids.
Vocabulary::Entries vocabulary_from_json(std::string_view json);

/// The number as Rust's serde_json reads it by default, with which the reference reads scores: the digits as a whole number, then
/// one multiplication or division by a power of ten. That is the nearest double or one beside it. The text is a JSON number.
double number_as_in_reference(std::string_view text);

constexpr std::uint32_t kMaxTokenId = (1 << 24) - 1;

}  // namespace verilabel
