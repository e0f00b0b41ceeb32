#include <algorithm>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/text/tokenizer_parts.h"

// Tokenizers from before tokenizer.json, as `transformers` makes them of their lists.

namespace verilabel {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kClipBegin = "<|startoftext|>";
constexpr std::string_view kClipEnd = "<|endoftext|>";
constexpr std::string_view kEndOfWord = "</w>";

std::vector<std::string_view> lines_of(std::string_view text) {
  if (const std::size_t good = utf8_prefix_size(text); good != text.size()) {
    throw Error(ErrorCode::bad_data,
                text.starts_with("\x1f\x8b") ? "the file is compressed: unpack it with gunzip first" : "the file is not UTF-8",
                {{"byte", std::to_string(good)}});
  }
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.push_back(line);
    begin = end + 1;
  }
  return lines;
}

/// `lines[first]` and on, up to `count`.
Merges merges_from(const std::vector<std::string_view>& lines, std::size_t first, std::size_t count) {
  Merges merges;
  for (std::size_t i = first; i < lines.size() && merges.size() < count; ++i) {
    const std::string_view line = lines[i];
    const std::size_t space = line.find(' ');
    if (space == 0 || space >= line.size() - 1 || line.find(' ', space + 1) != std::string_view::npos) {
      throw Error(ErrorCode::bad_data, "a merge is two tokens with one space between them", {{"line", std::to_string(i + 1)}});
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

AddedToken special(std::string_view content, std::uint32_t id) {
  AddedToken token;
  token.id = id;
  token.content = content;
  token.is_normalized = false;
  token.is_special = true;
  return token;
}

std::uint32_t required_id(const Vocabulary& vocabulary, std::string_view token) {
  const auto id = vocabulary.id_of(token);
  if (!id) {
    throw Error(ErrorCode::bad_data, fmt::format("the vocabulary holds no token '{}'", token));
  }
  return *id;
}

PostProcessor between(std::uint32_t first, std::uint32_t last) {
  PostProcessor result;
  result.parts = {{false, 0, {first}}, {true}, {false, 0, {last}}};
  return result;
}

TokenizerParts clip_parts(const Vocabulary::Entries& entries, const Merges& merges) {
  TokenizerParts parts;
  Vocabulary vocabulary(entries);
  const std::uint32_t begin = required_id(vocabulary, kClipBegin);
  const std::uint32_t end = required_id(vocabulary, kClipEnd);
  BpeOptions options;
  options.unknown_token = kClipEnd;
  options.end_of_word_suffix = kEndOfWord;
  parts.model = make_bpe(std::move(vocabulary), merges, std::move(options));
  parts.normalizers = {UnicodeNormalizer{unicode::NormalizationForm::nfc}, ReplaceNormalizer{Regex::compile(R"(\s+)"), " "},
                       LowercaseNormalizer{}};
  const Regex words =
      Regex::compile(R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)");
  parts.pre_tokenizers = {SplitPreTokenizer{words, SplitBehavior::removed, true}, ByteLevelPreTokenizer{false, byte_level_words()}};
  parts.added = AddedTokens({special(kClipBegin, begin), special(kClipEnd, end)}, parts.model->vocabulary(), parts.normalizers);
  parts.post_processor = between(begin, end);
  return parts;
}

/// The characters that stand for bytes, in CLIP's order: those that stand for themselves first.
std::vector<std::string> byte_symbols() {
  std::vector<std::string> plain;
  std::vector<std::string> moved;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char32_t character = byte_character(static_cast<unsigned char>(byte));
    unicode::append((character == byte ? plain : moved).emplace_back(), character);
  }
  plain.insert(plain.end(), moved.begin(), moved.end());
  return plain;
}

}  // namespace

TokenizerParts parts_from_bert_vocabulary(std::string_view text, const TokenizerConfig& config) {
  Vocabulary::Entries entries;
  for (const std::string_view line : lines_of(text)) {
    entries.emplace_back(line, static_cast<std::uint32_t>(entries.size()));
  }
  if (entries.size() > kMaxTokenId) {
    throw Error(ErrorCode::bad_data, "these are more tokens than there may be");
  }
  TokenizerParts parts;
  parts.model = make_word_piece(Vocabulary(entries), {});
  const Vocabulary& vocabulary = parts.model->vocabulary();
  const bool lowercases = config.lowercases.value_or(true);
  parts.normalizers = {
      BertNormalizer{true, config.spaces_out_ideographs.value_or(true), config.strips_accents.value_or(lowercases), lowercases}};
  parts.pre_tokenizers = {BertPreTokenizer{}};
  std::vector<AddedToken> added;
  for (const std::string_view token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    added.push_back(special(token, required_id(vocabulary, token)));
  }
  parts.added = AddedTokens(std::move(added), vocabulary, parts.normalizers);
  parts.post_processor = between(required_id(vocabulary, "[CLS]"), required_id(vocabulary, "[SEP]"));
  return parts;
}

TokenizerParts parts_from_clip_files(std::string_view vocabulary_json, std::string_view merges) {
  const Vocabulary::Entries entries = vocabulary_from_json(vocabulary_json);
  const bool ends_words = std::ranges::any_of(entries, [](const auto& entry) { return entry.first.ends_with(kEndOfWord); });
  if (!ends_words) {
    throw Error(
        ErrorCode::unsupported,
        "vocab.json holds no tokens that end in </w>, so it is not CLIP's, and what else goes with such files cannot be known "
        "from them: a tokenizer.json is needed");
  }
  const std::vector<std::string_view> lines = lines_of(merges);
  const std::size_t first = !lines.empty() && lines[0].starts_with("#version") ? 1 : 0;
  return clip_parts(entries, merges_from(lines, first, SIZE_MAX));
}

TokenizerParts parts_from_openai_merges(std::string_view text) {
  constexpr std::size_t merge_count = 48'894;  // of the 262,144 in the file
  const std::vector<std::string_view> lines = lines_of(text);
  const Merges merges = merges_from(lines, 1, merge_count);
  if (merges.size() != merge_count) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the file holds {} merges, CLIP's first {} are needed", merges.size(), merge_count));
  }
  std::vector<std::string> tokens = byte_symbols();
  for (std::size_t i = 0; i < 256; ++i) {
    tokens.push_back(tokens[i] + std::string(kEndOfWord));
  }
  for (const auto& [left, right] : merges) {
    tokens.push_back(left + right);
  }
  tokens.emplace_back(kClipBegin);
  tokens.emplace_back(kClipEnd);
  Vocabulary::Entries entries;
  for (std::string& token : tokens) {
    entries.emplace_back(std::move(token), static_cast<std::uint32_t>(entries.size()));
  }
  return clip_parts(entries, merges);
}

}  // namespace verilabel
