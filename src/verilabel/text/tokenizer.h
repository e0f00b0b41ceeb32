#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

struct TokenizerParts;

/// The bytes of a text from `begin` to `end`.
struct TokenSpan {
  std::size_t begin = 0;
  std::size_t end = 0;

  bool operator==(const TokenSpan&) const = default;
};

enum class TextSide : std::uint8_t { left, right };

struct Truncation {
  std::size_t max_length = 0;       ///< tokens, marks included
  TextSide side = TextSide::right;  ///< where tokens of the text go; marks stay
};

struct Padding {
  std::size_t length = 0;       ///< tokens to fill up to; 0: the longest of the texts that are encoded together
  std::size_t multiple_of = 1;  ///< the length is rounded up to a multiple of it
  std::int64_t id = 0;
  std::int64_t type_id = 0;
  TextSide side = TextSide::right;  ///< where padding goes
};

/// Nothing is cut and nothing is filled up unless it is asked for here: what the tokenizer's file says is at
/// `Tokenizer::truncation` and `Tokenizer::padding`.
struct EncodeOptions {
  bool add_marks = true;  ///< the tokens that the model wants around a text: [CLS], </s>, …
  std::optional<Truncation> truncation = {};
  std::optional<Padding> padding = {};
};

/// What a model is given for a text; the lists are as long as each other.
struct Encoding {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> attention_mask;  ///< 0 for padding
  std::vector<std::int64_t> type_ids;
  /// What each token stands for in the text; empty for marks and padding. A token that stands for a part of a character has all of
  /// the character.
  std::vector<TokenSpan> spans;
  std::vector<std::uint8_t> is_mark;  ///< 1 for marks and padding
  std::size_t cut_tokens = 0;         ///< how many tokens of the text truncation left out
};

/// Text to the numbers that a model was trained with, as Hugging Face's `tokenizers` 0.23 makes them of any Unicode text:
/// byte-level BPE (CLIP), WordPiece (BERT), Unigram (SentencePiece), BPE with bytes for unknown characters (Gemma), and whole
/// words. Immutable: one may be used by many threads.
class Tokenizer {
 public:
  /// A `tokenizer.json`, or a folder with one. A folder without may hold `vocab.txt` (BERT; `do_lower_case`, `strip_accents` and
  /// `tokenize_chinese_chars` from its `tokenizer_config.json`), or `vocab.json` and `merges.txt` of CLIP. OpenAI's
  /// `bpe_simple_vocab_16e6.txt`, unpacked, is taken for CLIP's, too, with Hugging Face's rules for text: no repair of broken
  /// encodings, no unescaping of HTML.
  /// Throws `not_found`, `io`, `bad_data` for what is damaged, and `unsupported` for a part that is not known or that would not
  /// give the same numbers each time (dropout); the error names file and field.
  static Tokenizer load(const std::filesystem::path& file_or_folder);
  /// The content of a `tokenizer.json`.
  static Tokenizer parse(std::string_view json);

  /// Throws `wrong_use` naming the byte when the text is not UTF-8, when it has more than 16 MiB, or when `max_length` does not
  /// hold the marks; `bad_data` when the vocabulary knows a character in no way; `unsupported` when a regular expression gives up.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  /// Several texts, with padding to the longest when `options.padding` has no length.
  std::vector<Encoding> encode_all(std::span<const std::string> texts, const EncodeOptions& options = {}) const;

  /// BPE, WordPiece, Unigram or WordLevel.
  std::string_view model() const;
  /// Tokens, added ones included.
  std::size_t vocabulary_size() const;
  std::optional<std::int64_t> id_of(std::string_view token) const;
  std::optional<std::string> token_of(std::int64_t id) const;
  /// Whether the token of this id is an added one that is called special: a mark, padding, a mask.
  bool is_special(std::int64_t id) const;
  /// How many marks `EncodeOptions::add_marks` adds to a text.
  std::size_t mark_count() const;
  /// As the file has them.
  const std::optional<Truncation>& truncation() const;
  const std::optional<Padding>& padding() const;

 private:
  explicit Tokenizer(TokenizerParts parts);

  std::shared_ptr<const TokenizerParts> parts_;
};

/// What a model's `tokenizer_config.json` says that `tokenizer.json` does not.
struct TokenizerConfig {
  std::optional<std::size_t> model_max_length;  ///< tokens, marks included; nothing where the file has a number for "no limit"
  std::optional<std::string> tokenizer_class;
  std::optional<std::string> pad_token;
  std::optional<TextSide> padding_side;
  std::optional<TextSide> truncation_side;
  std::optional<bool> lowercases;             ///< `do_lower_case`
  std::optional<bool> strips_accents;         ///< `strip_accents`
  std::optional<bool> spaces_out_ideographs;  ///< `tokenize_chinese_chars`

  /// Throws `not_found`, `io` or `bad_data`, which names the field.
  static TokenizerConfig load(const std::filesystem::path& path);
};

}  // namespace verilabel
