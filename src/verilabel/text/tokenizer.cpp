#include "verilabel/text/tokenizer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/text/tokenizer_parts.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTextBytes = 16 << 20;
constexpr std::uint64_t kMaxFileBytes = 512 << 20;

constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kOpenaiFile = "bpe_simple_vocab_16e6.txt";

/// A token of the text with what post-processing wants to know of it.
struct TextToken {
  std::uint32_t id;
  TokenSpan span;
  std::size_t leading_spaces;
  std::size_t trailing_spaces;
};

std::string read(const fs::path& path) {
  return read_file(path, kMaxFileBytes);
}

/// What `make` gives back; complaints about content name the file, as those of reading it do already.
template <typename Make>
auto naming(const fs::path& path, Make&& make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& error) {
    const bool is_about_content = error.code() == ErrorCode::bad_data || error.code() == ErrorCode::unsupported;
    throw is_about_content ? error.with("file", printable(path.native())) : error;
  }
}

bool is_token_space(char32_t code) {
  constexpr char32_t byte_level_space = 0x120;
  return code == byte_level_space || unicode::is_white_space(code);
}

std::pair<std::size_t, std::size_t> spaces_around(std::string_view token) {
  std::size_t leading = 0;
  std::size_t trailing = 0;
  bool is_leading = true;
  unicode::for_each_character(token, [&](char32_t code, std::size_t, std::size_t) {
    const bool is_space = is_token_space(code);
    is_leading = is_leading && is_space;
    leading += is_leading ? 1 : 0;
    trailing = is_space ? trailing + 1 : 0;
  });
  return {leading, trailing};
}

std::vector<TextToken> tokens_of(const TokenizerParts& parts, std::string_view text) {
  std::vector<Piece> pieces = parts.added.extract(text, parts.normalizers);
  pieces = pre_tokenized(std::move(pieces), parts.pre_tokenizers);
  const bool wants_spaces = !parts.post_processor.trims_spaces.empty();
  std::vector<TextToken> tokens;
  const auto add = [&](const AlignedText& piece, const WordToken& token, std::string_view value) {
    const auto [leading, trailing] = wants_spaces ? spaces_around(value) : std::pair<std::size_t, std::size_t>();
    tokens.push_back({token.id, piece.original_span(token.begin, token.end), leading, trailing});
  };
  for (const Piece& piece : pieces) {
    const std::string& piece_text = piece.text.text();
    if (piece.token_id) {
      add(piece.text, {*piece.token_id, 0, piece_text.size()}, piece_text);
    } else if (!piece_text.empty()) {
      for (const WordToken& token : parts.model->tokens_of(piece_text)) {
        add(piece.text, token, wants_spaces ? *parts.model->vocabulary().token_of(token.id) : std::string_view());
      }
    }
  }
  return tokens;
}

/// The span without so many characters at its ends.
TokenSpan trimmed(std::string_view text, TokenSpan span, std::size_t leading, std::size_t trailing) {
  for (std::size_t i = 0; i < leading && span.begin < span.end; ++i) {
    span.begin += unicode::character_at(text, span.begin).size;
  }
  std::size_t end = span.end;
  for (std::size_t i = 0; i < trailing; ++i) {
    if (end == 0) {
      return span;  // there is no such end, and then it stays
    }
    end -= unicode::character_before(text, end).size;
  }
  span.end = std::max(end, span.begin);
  return span;
}

void trim_spaces(std::string_view text, std::vector<TextToken>& tokens, bool was_space_added) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    TextToken& token = tokens[i];
    const bool is_first = i == 0 || token.span.begin == 0;
    const bool keeps_space = is_first && was_space_added && token.leading_spaces == 1;
    token.span = trimmed(text, token.span, keeps_space ? 0 : token.leading_spaces, token.trailing_spaces);
  }
}

std::size_t mark_count_of(const TokenizerParts& parts) {
  std::size_t count = 0;
  for (const TemplatePart& part : parts.post_processor.parts) {
    count += part.mark_ids.size();
  }
  return count;
}

/// Leaves out tokens so that no more than the limit stay; how many.
std::size_t cut(std::vector<TextToken>& tokens, const Truncation& truncation, std::size_t marks) {
  if (truncation.max_length < marks) {
    throw Error(ErrorCode::wrong_use, fmt::format("a length of {} tokens does not hold the {} marks that the tokenizer adds",
                                                  truncation.max_length, marks));
  }
  const std::size_t room = truncation.max_length - marks;
  if (tokens.size() <= room) {
    return 0;
  }
  const std::size_t count = tokens.size() - room;
  if (truncation.side == TextSide::right) {
    tokens.resize(room);
  } else {
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return count;
}

void push(Encoding& encoding, std::int64_t id, std::int64_t type_id, TokenSpan span, bool is_mark) {
  encoding.ids.push_back(id);
  encoding.attention_mask.push_back(1);
  encoding.type_ids.push_back(type_id);
  encoding.spans.push_back(span);
  encoding.is_mark.push_back(is_mark ? 1 : 0);
}

Encoding unpadded(const TokenizerParts& parts, std::string_view text, const EncodeOptions& options) {
  if (text.size() > kMaxTextBytes) {
    throw Error(ErrorCode::wrong_use, fmt::format("the text has {} bytes, a tokenizer takes up to {}", text.size(), kMaxTextBytes));
  }
  if (const std::size_t good = utf8_prefix_size(text); good != text.size()) {
    throw Error(ErrorCode::wrong_use, "the text is not UTF-8", {{"byte", std::to_string(good)}});
  }
  std::vector<TextToken> tokens = tokens_of(parts, text);
  Encoding encoding;
  if (options.truncation) {
    encoding.cut_tokens = cut(tokens, *options.truncation, options.add_marks ? mark_count_of(parts) : 0);
  }
  for (const bool was_space_added : parts.post_processor.trims_spaces) {
    trim_spaces(text, tokens, was_space_added);
  }
  for (const TemplatePart& part : parts.post_processor.parts) {
    if (part.is_text) {
      for (const TextToken& token : tokens) {
        push(encoding, token.id, part.type_id, token.span, false);
      }
    } else if (options.add_marks) {
      for (const std::int64_t id : part.mark_ids) {
        push(encoding, id, part.type_id, {}, true);
      }
    }
  }
  return encoding;
}

template <typename T>
void fill(std::vector<T>& list, std::size_t count, T value, TextSide side) {
  list.insert(side == TextSide::right ? list.end() : list.begin(), count, value);
}

void pad(Encoding& encoding, std::size_t length, const Padding& padding) {
  if (encoding.ids.size() >= length) {
    return;
  }
  const std::size_t count = length - encoding.ids.size();
  fill<std::int64_t>(encoding.ids, count, padding.id, padding.side);
  fill<std::int64_t>(encoding.attention_mask, count, 0, padding.side);
  fill<std::int64_t>(encoding.type_ids, count, padding.type_id, padding.side);
  fill<TokenSpan>(encoding.spans, count, {}, padding.side);
  fill<std::uint8_t>(encoding.is_mark, count, 1, padding.side);
}

void pad(std::span<Encoding> encodings, const Padding& padding) {
  std::size_t length = padding.length;
  for (const Encoding& encoding : encodings) {
    length = padding.length == 0 ? std::max(length, encoding.ids.size()) : length;
  }
  if (padding.multiple_of > 1 && length % padding.multiple_of != 0) {
    length += padding.multiple_of - length % padding.multiple_of;
  }
  for (Encoding& encoding : encodings) {
    pad(encoding, length, padding);
  }
}

TokenizerConfig config_in(const fs::path& folder) {
  const fs::path path = folder / kConfigFile;
  return fs::exists(path) ? TokenizerConfig::load(path) : TokenizerConfig{};
}

TokenizerParts parts_of_folder(const fs::path& folder) {
  if (fs::exists(folder / kTokenizerFile)) {
    return naming(folder / kTokenizerFile, [&] { return parts_from_json(read(folder / kTokenizerFile)); });
  }
  if (const fs::path path = folder / "vocab.txt"; fs::exists(path)) {
    const TokenizerConfig config = config_in(folder);
    return naming(path, [&] { return parts_from_bert_vocabulary(read(path), config); });
  }
  const fs::path vocabulary = folder / "vocab.json";
  const fs::path merges = folder / "merges.txt";
  if (fs::exists(vocabulary) && fs::exists(merges)) {
    return naming(merges, [&] { return parts_from_clip_files(read(vocabulary), read(merges)); });
  }
  if (fs::exists(folder / kOpenaiFile)) {
    return naming(folder / kOpenaiFile, [&] { return parts_from_openai_merges(read(folder / kOpenaiFile)); });
  }
  for (const char* name : {"spiece.model", "tokenizer.model", "sentencepiece.bpe.model"}) {
    if (fs::exists(folder / name)) {
      throw Error(ErrorCode::unsupported,
                  "a model of SentencePiece is not read as it is; write a tokenizer.json with transformers: "
                  "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)",
                  {{"file", printable((folder / name).native())}});
    }
  }
  throw Error(ErrorCode::not_found,
              fmt::format("the folder holds no tokenizer: neither {}, nor vocab.txt, nor vocab.json with merges.txt, nor {}",
                          kTokenizerFile, kOpenaiFile),
              {{"folder", printable(folder.native())}});
}

TokenizerParts parts_of_file(const fs::path& path) {
  if (path.filename() == "vocab.txt") {
    const TokenizerConfig config = config_in(path.parent_path());
    return naming(path, [&] { return parts_from_bert_vocabulary(read(path), config); });
  }
  if (path.filename() == kOpenaiFile) {
    return naming(path, [&] { return parts_from_openai_merges(read(path)); });
  }
  return naming(path, [&] { return parts_from_json(read(path)); });
}

}  // namespace

Tokenizer::Tokenizer(TokenizerParts parts) : parts_(std::make_shared<const TokenizerParts>(std::move(parts))) {}

Tokenizer Tokenizer::load(const fs::path& file_or_folder) {
  return Tokenizer(fs::is_directory(file_or_folder) ? parts_of_folder(file_or_folder) : parts_of_file(file_or_folder));
}

Tokenizer Tokenizer::parse(std::string_view json) {
  return Tokenizer(parts_from_json(json));
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  Encoding encoding = unpadded(*parts_, text, options);
  if (options.padding) {
    pad(std::span(&encoding, 1), *options.padding);
  }
  return encoding;
}

std::vector<Encoding> Tokenizer::encode_all(std::span<const std::string> texts, const EncodeOptions& options) const {
  std::vector<Encoding> encodings;
  encodings.reserve(texts.size());
  for (const std::string& text : texts) {
    encodings.push_back(unpadded(*parts_, text, options));
  }
  if (options.padding) {
    pad(encodings, *options.padding);
  }
  return encodings;
}

std::string_view Tokenizer::model() const {
  return parts_->model->name();
}

std::size_t Tokenizer::vocabulary_size() const {
  return parts_->model->vocabulary().size() + parts_->added.beyond_vocabulary();
}

std::optional<std::int64_t> Tokenizer::id_of(std::string_view token) const {
  const auto added = parts_->added.id_of(token);
  return added ? added : parts_->model->vocabulary().id_of(token);
}

std::optional<std::string> Tokenizer::token_of(std::int64_t id) const {
  if (id < 0 || id > kMaxTokenId) {
    return {};
  }
  if (const AddedToken* added = parts_->added.with_id(static_cast<std::uint32_t>(id))) {
    return added->content;
  }
  const auto token = parts_->model->vocabulary().token_of(static_cast<std::uint32_t>(id));
  return token ? std::optional<std::string>(*token) : std::nullopt;
}

bool Tokenizer::is_special(std::int64_t id) const {
  const AddedToken* added = id >= 0 && id <= kMaxTokenId ? parts_->added.with_id(static_cast<std::uint32_t>(id)) : nullptr;
  return added != nullptr && added->is_special;
}

std::size_t Tokenizer::mark_count() const {
  return mark_count_of(*parts_);
}

const std::optional<Truncation>& Tokenizer::truncation() const {
  return parts_->truncation;
}

const std::optional<Padding>& Tokenizer::padding() const {
  return parts_->padding;
}

}  // namespace verilabel
