#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "verilabel/base/base64.h"
#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/text/tokenizer_parts.h"

namespace verilabel {
namespace {

using simdjson::dom::element;

[[noreturn]] void refuse(ErrorCode code, const std::string& path, const std::string& message) {
  throw Error(code, message, path.empty() ? ErrorContext{} : ErrorContext{{"field", path}});
}

/// A value of the document and where it stands.
class Field {
 public:
  Field(element value, std::string path) : value_(value), path_(std::move(path)) {}

  [[noreturn]] void refuse_as(ErrorCode code, const std::string& message) const { refuse(code, path_, message); }
  [[noreturn]] void refuse_as_bad(const std::string& message) const { refuse_as(ErrorCode::bad_data, message); }

  bool is_null() const { return value_.is_null(); }
  bool is_object() const { return value_.is_object(); }
  bool is_array() const { return value_.is_array(); }

  /// The member of an object; nothing when it is missing or null.
  std::optional<Field> find(std::string_view name) const {
    std::optional<Field> found;
    for (const auto& [key, value] : object()) {
      if (key == name) {
        if (found) {
          found->refuse_as_bad("the key is there twice");
        }
        found = member(name, value);
      }
    }
    return found && found->is_null() ? std::nullopt : found;
  }

  Field at(std::string_view name) const {
    if (const auto found = find(name)) {
      return *found;
    }
    refuse(ErrorCode::bad_data, path_of(name), "the field is missing");
  }

  std::vector<Field> elements() const {
    std::vector<Field> list;
    for (const element one : array()) {
      list.push_back(element_at(list.size(), one));
    }
    return list;
  }

  // For what there may be hundreds of thousands of: values without their places, which are made where one is needed.
  simdjson::dom::array array() const {
    if (!value_.is_array()) {
      refuse_as_bad("this must be a list");
    }
    return value_.get_array();
  }
  simdjson::dom::object object() const {
    if (!value_.is_object()) {
      refuse_as_bad("this must be an object");
    }
    return value_.get_object();
  }
  Field element_at(std::size_t index, element value) const { return {value, fmt::format("{}[{}]", path_, index)}; }
  Field member(std::string_view name, element value) const { return {value, path_of(name)}; }

  std::string text() const {
    if (!value_.is_string()) {
      refuse_as_bad("this must be text");
    }
    return std::string(std::string_view(value_.get_string()));
  }

  /// Text that is one character.
  std::string character() const {
    std::string result = text();
    if (result.empty() || unicode::character_at(result, 0).size != result.size()) {
      refuse_as_bad("this must be one character");
    }
    return result;
  }

  bool boolean() const {
    if (!value_.is_bool()) {
      refuse_as_bad("this must be true or false");
    }
    return value_.get_bool();
  }

  std::uint64_t whole_number(std::uint64_t max) const {
    std::uint64_t number = 0;
    if (value_.get_uint64().get(number) != simdjson::SUCCESS || number > max) {
      refuse_as_bad(fmt::format("this must be a whole number from 0 to {}", max));
    }
    return number;
  }

  double number() const {
    double result = 0;
    if (value_.get_double().get(result) != simdjson::SUCCESS) {
      refuse_as_bad("this must be a number");
    }
    return result;
  }

  std::uint32_t token_id() const { return static_cast<std::uint32_t>(whole_number(kMaxTokenId)); }

  /// The value that belongs to the text.
  template <typename T, std::size_t Count>
  T one_of(const std::array<std::pair<std::string_view, T>, Count>& choices, ErrorCode code = ErrorCode::bad_data) const {
    const std::string word = text();
    std::string names;
    for (const auto& [name, choice] : choices) {
      if (name == word) {
        return choice;
      }
      names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    }
    refuse_as(code, fmt::format("'{}' is none of those that are known: {}", printable(word), names));
  }

 private:
  std::string path_of(std::string_view name) const { return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name); }

  element value_;
  std::string path_;
};

/// A document and its parser, which owns what it holds.
class Document {
 public:
  explicit Document(std::string_view json) {
    if (const auto error = parser_.parse(json.data(), json.size()).get(root_); error != simdjson::SUCCESS) {
      throw Error(ErrorCode::bad_data, fmt::format("this is not a JSON document: {}", simdjson::error_message(error)));
    }
  }

  Field root() const { return {root_, ""}; }

 private:
  simdjson::dom::parser parser_;
  element root_;
};

bool flag(const Field& object, std::string_view name, bool otherwise) {
  const auto found = object.find(name);
  return found ? found->boolean() : otherwise;
}

std::optional<std::string> optional_text(const Field& object, std::string_view name) {
  const auto found = object.find(name);
  return found ? std::optional(found->text()) : std::nullopt;
}

Pattern pattern_from(const Field& field) {
  if (const auto wanted = field.find("String")) {
    std::string text = wanted->text();
    if (text.empty()) {
      wanted->refuse_as_bad("an empty text cannot be looked for");
    }
    return text;
  }
  const Field expression = field.at("Regex");
  try {
    return Regex::compile(expression.text());
  } catch (const Error& error) {
    expression.refuse_as(error.code(), error.message());
  }
}

// ---- Normalizers ----

enum class NormalizerKind : std::uint8_t {
  sequence,
  nfc,
  nfd,
  nfkc,
  nfkd,
  lowercase,
  strip,
  strip_accents,
  replace,
  prepend,
  bert,
  precompiled,
  nmt,
  byte_level,
};

constexpr std::array<std::pair<std::string_view, NormalizerKind>, 14> kNormalizers = {{
    {"Sequence", NormalizerKind::sequence},
    {"NFC", NormalizerKind::nfc},
    {"NFD", NormalizerKind::nfd},
    {"NFKC", NormalizerKind::nfkc},
    {"NFKD", NormalizerKind::nfkd},
    {"Lowercase", NormalizerKind::lowercase},
    {"Strip", NormalizerKind::strip},
    {"StripAccents", NormalizerKind::strip_accents},
    {"Replace", NormalizerKind::replace},
    {"Prepend", NormalizerKind::prepend},
    {"BertNormalizer", NormalizerKind::bert},
    {"Precompiled", NormalizerKind::precompiled},
    {"Nmt", NormalizerKind::nmt},
    {"ByteLevel", NormalizerKind::byte_level},
}};

Charsmap charsmap_from(const Field& field) {
  const auto bytes = bytes_from_base64(field.text());
  if (!bytes) {
    field.refuse_as_bad("this is not Base64");
  }
  try {
    return Charsmap::from_bytes(*bytes);
  } catch (const Error& error) {
    field.refuse_as(error.code(), error.message());
  }
}

void add_normalizers(const Field& field, std::vector<Normalizer>& steps) {
  const auto unicode_form = [&](unicode::NormalizationForm form) { steps.emplace_back(UnicodeNormalizer{form}); };
  switch (field.at("type").one_of(kNormalizers, ErrorCode::unsupported)) {
    case NormalizerKind::sequence:
      for (const Field& step : field.at("normalizers").elements()) {
        add_normalizers(step, steps);
      }
      break;
    case NormalizerKind::nfc:
      unicode_form(unicode::NormalizationForm::nfc);
      break;
    case NormalizerKind::nfd:
      unicode_form(unicode::NormalizationForm::nfd);
      break;
    case NormalizerKind::nfkc:
      unicode_form(unicode::NormalizationForm::nfkc);
      break;
    case NormalizerKind::nfkd:
      unicode_form(unicode::NormalizationForm::nfkd);
      break;
    case NormalizerKind::lowercase:
      steps.emplace_back(LowercaseNormalizer{});
      break;
    case NormalizerKind::strip:
      steps.emplace_back(StripNormalizer{field.at("strip_left").boolean(), field.at("strip_right").boolean()});
      break;
    case NormalizerKind::strip_accents:
      steps.emplace_back(StripAccentsNormalizer{});
      break;
    case NormalizerKind::replace:
      steps.emplace_back(ReplaceNormalizer{pattern_from(field.at("pattern")), field.at("content").text()});
      break;
    case NormalizerKind::prepend:
      steps.emplace_back(PrependNormalizer{field.at("prepend").text()});
      break;
    case NormalizerKind::bert: {
      const bool lowercases = field.at("lowercase").boolean();
      steps.emplace_back(BertNormalizer{field.at("clean_text").boolean(), field.at("handle_chinese_chars").boolean(),
                                        flag(field, "strip_accents", lowercases), lowercases});
      break;
    }
    case NormalizerKind::precompiled:
      steps.emplace_back(PrecompiledNormalizer{charsmap_from(field.at("precompiled_charsmap"))});
      break;
    case NormalizerKind::nmt:
      steps.emplace_back(NmtNormalizer{});
      break;
    case NormalizerKind::byte_level:
      steps.emplace_back(ByteLevelNormalizer{});
      break;
  }
}

// ---- Pre-tokenizers ----

enum class PreTokenizerKind : std::uint8_t {
  sequence,
  whitespace,
  whitespace_split,
  bert,
  byte_level,
  metaspace,
  split,
  punctuation,
  digits,
  char_delimiter,
};

constexpr std::array<std::pair<std::string_view, PreTokenizerKind>, 10> kPreTokenizers = {{
    {"Sequence", PreTokenizerKind::sequence},
    {"Whitespace", PreTokenizerKind::whitespace},
    {"WhitespaceSplit", PreTokenizerKind::whitespace_split},
    {"BertPreTokenizer", PreTokenizerKind::bert},
    {"ByteLevel", PreTokenizerKind::byte_level},
    {"Metaspace", PreTokenizerKind::metaspace},
    {"Split", PreTokenizerKind::split},
    {"Punctuation", PreTokenizerKind::punctuation},
    {"Digits", PreTokenizerKind::digits},
    {"CharDelimiterSplit", PreTokenizerKind::char_delimiter},
}};

constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kBehaviors = {{
    {"Removed", SplitBehavior::removed},
    {"Isolated", SplitBehavior::isolated},
    {"MergedWithPrevious", SplitBehavior::merged_with_previous},
    {"MergedWithNext", SplitBehavior::merged_with_next},
    {"Contiguous", SplitBehavior::contiguous},
}};

constexpr std::array<std::pair<std::string_view, PrependScheme>, 3> kSchemes = {{
    {"first", PrependScheme::first},
    {"always", PrependScheme::always},
    {"never", PrependScheme::never},
}};

MetaspacePreTokenizer metaspace_from(const Field& field) {
  const auto scheme_field = field.find("prepend_scheme");
  const PrependScheme scheme = scheme_field ? scheme_field->one_of(kSchemes) : PrependScheme::always;
  if (!flag(field, "add_prefix_space", true) && scheme != PrependScheme::never) {
    field.refuse_as_bad("add_prefix_space is false, but prepend_scheme is not \"never\"");
  }
  return {field.at("replacement").character(), scheme, flag(field, "split", true)};
}

void add_pre_tokenizers(const Field& field, std::vector<PreTokenizer>& steps) {
  switch (field.at("type").one_of(kPreTokenizers, ErrorCode::unsupported)) {
    case PreTokenizerKind::sequence:
      for (const Field& step : field.at("pretokenizers").elements()) {
        add_pre_tokenizers(step, steps);
      }
      break;
    case PreTokenizerKind::whitespace:
      steps.emplace_back(WhitespacePreTokenizer{});
      break;
    case PreTokenizerKind::whitespace_split:
      steps.emplace_back(WhitespaceSplitPreTokenizer{});
      break;
    case PreTokenizerKind::bert:
      steps.emplace_back(BertPreTokenizer{});
      break;
    case PreTokenizerKind::byte_level:
      steps.emplace_back(ByteLevelPreTokenizer{field.at("add_prefix_space").boolean(),
                                               flag(field, "use_regex", true) ? std::optional(byte_level_words()) : std::nullopt});
      break;
    case PreTokenizerKind::metaspace:
      steps.emplace_back(metaspace_from(field));
      break;
    case PreTokenizerKind::split:
      steps.emplace_back(SplitPreTokenizer{pattern_from(field.at("pattern")), field.at("behavior").one_of(kBehaviors),
                                           field.at("invert").boolean()});
      break;
    case PreTokenizerKind::punctuation: {
      const auto behavior = field.find("behavior");
      steps.emplace_back(PunctuationPreTokenizer{behavior ? behavior->one_of(kBehaviors) : SplitBehavior::isolated});
      break;
    }
    case PreTokenizerKind::digits:
      steps.emplace_back(DigitsPreTokenizer{field.at("individual_digits").boolean()});
      break;
    case PreTokenizerKind::char_delimiter:
      steps.emplace_back(CharDelimiterPreTokenizer{field.at("delimiter").character()});
      break;
  }
}

// ---- Models ----

enum class ModelKind : std::uint8_t { bpe, word_piece, word_level, unigram };

constexpr std::array<std::pair<std::string_view, ModelKind>, 4> kModels = {{
    {"BPE", ModelKind::bpe},
    {"WordPiece", ModelKind::word_piece},
    {"WordLevel", ModelKind::word_level},
    {"Unigram", ModelKind::unigram},
}};

Vocabulary::Entries vocabulary_entries(const Field& field) {
  Vocabulary::Entries entries;
  for (const auto& [token, id] : field.object()) {
    std::uint64_t number = 0;
    if (id.get_uint64().get(number) != simdjson::SUCCESS || number > kMaxTokenId) {
      number = field.member(token, id).token_id();  // which says what is wrong
    }
    entries.emplace_back(token, static_cast<std::uint32_t>(number));
  }
  return entries;
}

/// What makes of it `make`; complaints name the field.
template <typename Make>
auto naming(const Field& field, Make&& make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& error) {
    if (!error.context().empty()) {
      throw;
    }
    field.refuse_as(error.code(), error.message());
  }
}

Vocabulary vocabulary_from(const Field& field) {
  return naming(field, [&] { return Vocabulary(vocabulary_entries(field)); });
}

/// A pair of texts, if that is what the value is.
std::optional<std::pair<std::string_view, std::string_view>> pair_from(element value) {
  simdjson::dom::array pair;
  std::string_view first;
  std::string_view second;
  if (value.get_array().get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
      pair.at(0).get_string().get(first) != simdjson::SUCCESS || pair.at(1).get_string().get(second) != simdjson::SUCCESS) {
    return {};
  }
  return std::pair(first, second);
}

/// Two texts with one space between them.
std::optional<std::pair<std::string_view, std::string_view>> pair_from(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
    return {};
  }
  return std::pair(line.substr(0, space), line.substr(space + 1));
}

std::vector<std::pair<std::string, std::string>> merges_from(const Field& field) {
  std::vector<std::pair<std::string, std::string>> merges;
  std::size_t index = 0;
  for (const element value : field.array()) {
    std::string_view line;
    const bool is_line = value.get_string().get(line) == simdjson::SUCCESS;
    const auto pair = is_line ? pair_from(line) : pair_from(value);
    if (pair) {
      merges.emplace_back(*pair);
    } else if (!is_line || !line.starts_with("#version")) {
      field.element_at(index, value).refuse_as_bad("a merge is a list of two tokens, or two tokens with one space between them");
    }
    ++index;
  }
  return merges;
}

std::unique_ptr<SubwordModel> bpe_from(const Field& field) {
  if (const auto dropout = field.find("dropout"); dropout && dropout->number() != 0) {
    dropout->refuse_as(ErrorCode::unsupported, "dropout would give other tokens each time; take it out of the file");
  }
  BpeOptions options;
  options.unknown_token = optional_text(field, "unk_token");
  options.continuing_prefix = optional_text(field, "continuing_subword_prefix").value_or("");
  options.end_of_word_suffix = optional_text(field, "end_of_word_suffix").value_or("");
  options.fuses_unknown = flag(field, "fuse_unk", false);
  options.byte_fallback = flag(field, "byte_fallback", false);
  options.ignores_merges = flag(field, "ignore_merges", false);
  Vocabulary vocabulary = vocabulary_from(field.at("vocab"));
  const Field merges = field.at("merges");
  return naming(merges, [&] { return make_bpe(std::move(vocabulary), merges_from(merges), std::move(options)); });
}

std::unique_ptr<SubwordModel> word_piece_from(const Field& field) {
  WordPieceOptions options;
  options.unknown_token = field.at("unk_token").text();
  options.continuing_prefix = field.at("continuing_subword_prefix").text();
  options.max_characters = field.at("max_input_chars_per_word").whole_number(SIZE_MAX);
  return make_word_piece(vocabulary_from(field.at("vocab")), std::move(options));
}

/// The scores as the document writes them: model.vocab[…][1].
std::vector<double> unigram_scores(std::string_view json) {
  simdjson::ondemand::parser parser;
  const simdjson::padded_string padded(json);
  std::vector<double> scores;
  simdjson::ondemand::document document = parser.iterate(padded);
  for (auto piece : document["model"]["vocab"].get_array()) {
    auto pair = piece.get_array();
    auto item = pair.begin();
    ++item;
    scores.push_back(number_as_in_reference(std::string_view((*item).raw_json_token())));
  }
  return scores;
}

std::unique_ptr<SubwordModel> unigram_from(const Field& field, std::string_view json) {
  const Field vocabulary_field = field.at("vocab");
  Vocabulary::Entries entries;
  for (const element piece : vocabulary_field.array()) {
    simdjson::dom::array pair;
    std::string_view text;
    double score = 0;
    if (piece.get_array().get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
        pair.at(0).get_string().get(text) != simdjson::SUCCESS || pair.at(1).get_double().get(score) != simdjson::SUCCESS) {
      vocabulary_field.element_at(entries.size(), piece).refuse_as_bad("a piece is a list of its text and its score");
    }
    entries.emplace_back(text, static_cast<std::uint32_t>(entries.size()));
  }
  if (entries.size() > kMaxTokenId) {
    vocabulary_field.refuse_as_bad("these are more pieces than there may be");
  }
  std::optional<std::uint32_t> unknown_id;
  if (const auto unknown = field.find("unk_id")) {
    unknown_id = unknown->token_id();
    if (*unknown_id >= entries.size()) {
      unknown->refuse_as_bad(fmt::format("the id is not one of the {} pieces", entries.size()));
    }
  }
  return naming(vocabulary_field, [&] {
    return make_unigram(Vocabulary(entries), unigram_scores(json), unknown_id, flag(field, "byte_fallback", false));
  });
}

ModelKind kind_of_model(const Field& field) {
  if (const auto type = field.find("type")) {
    return type->one_of(kModels, ErrorCode::unsupported);
  }
  // Old files say nothing, and are told apart by what only one of the kinds has.
  if (field.find("merges")) {
    return ModelKind::bpe;
  }
  if (field.at("vocab").is_array()) {
    return ModelKind::unigram;
  }
  return field.find("max_input_chars_per_word") ? ModelKind::word_piece : ModelKind::word_level;
}

std::unique_ptr<SubwordModel> model_from(const Field& field, std::string_view json) {
  switch (kind_of_model(field)) {
    case ModelKind::bpe:
      return bpe_from(field);
    case ModelKind::word_piece:
      return word_piece_from(field);
    case ModelKind::word_level:
      return make_word_level(vocabulary_from(field.at("vocab")), field.at("unk_token").text());
    case ModelKind::unigram:
      return unigram_from(field, json);
  }
  return nullptr;
}

// ---- Added tokens, post-processing, truncation and padding ----

std::vector<AddedToken> added_tokens_from(const Field& field) {
  std::vector<AddedToken> tokens;
  for (const Field& token : field.elements()) {
    tokens.push_back({token.at("id").token_id(), token.at("content").text(), token.at("single_word").boolean(),
                      token.at("lstrip").boolean(), token.at("rstrip").boolean(), token.at("normalized").boolean(),
                      token.at("special").boolean()});
  }
  return tokens;
}

/// What post-processing needs to check its marks against.
struct KnownTokens {
  const AddedTokens& added;
  const Vocabulary& vocabulary;

  bool has(const std::string& token, std::uint32_t id) const {
    const auto added_id = added.id_of(token);
    return (added_id ? added_id : vocabulary.id_of(token)) == id;
  }
};

std::int64_t checked_mark(const Field& field, const std::string& token, const Field& id, const KnownTokens& known) {
  const std::uint32_t number = id.token_id();
  if (!known.has(token, number)) {
    field.refuse_as_bad(fmt::format("the tokenizer has no token '{}' of id {}", printable(token), number));
  }
  return number;
}

enum class PostProcessorKind : std::uint8_t { sequence, template_processing, bert, roberta, byte_level };

constexpr std::array<std::pair<std::string_view, PostProcessorKind>, 5> kPostProcessors = {{
    {"Sequence", PostProcessorKind::sequence},
    {"TemplateProcessing", PostProcessorKind::template_processing},
    {"BertProcessing", PostProcessorKind::bert},
    {"RobertaProcessing", PostProcessorKind::roberta},
    {"ByteLevel", PostProcessorKind::byte_level},
}};

std::vector<TemplatePart> template_parts(const Field& field, const KnownTokens& known) {
  const Field marks = field.at("special_tokens");
  std::vector<TemplatePart> parts;
  for (const Field& piece : field.at("single").elements()) {
    TemplatePart part;
    if (const auto sequence = piece.find("Sequence")) {
      if (sequence->at("id").text() != "A") {
        sequence->refuse_as_bad("the template for single texts has only the text A");
      }
      part.is_text = true;
      part.type_id = static_cast<std::int64_t>(sequence->at("type_id").whole_number(UINT32_MAX));
    } else {
      const Field special = piece.at("SpecialToken");
      part.type_id = static_cast<std::int64_t>(special.at("type_id").whole_number(UINT32_MAX));
      const Field mark = marks.at(special.at("id").text());
      const auto ids = mark.at("ids").elements();
      const auto tokens = mark.at("tokens").elements();
      if (ids.size() != tokens.size()) {
        mark.refuse_as_bad("there must be as many ids as tokens");
      }
      for (std::size_t i = 0; i < ids.size(); ++i) {
        part.mark_ids.push_back(checked_mark(mark, tokens[i].text(), ids[i], known));
      }
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

/// [token, id]
std::int64_t mark_of_pair(const Field& field, const KnownTokens& known) {
  const auto pair = field.elements();
  if (pair.size() != 2) {
    field.refuse_as_bad("this must be a token and its id");
  }
  return checked_mark(field, pair[0].text(), pair[1], known);
}

void add_post_processor(const Field& field, const KnownTokens& known, PostProcessor& result, bool& has_marks) {
  const PostProcessorKind kind = field.at("type").one_of(kPostProcessors, ErrorCode::unsupported);
  if (kind == PostProcessorKind::sequence) {
    for (const Field& step : field.at("processors").elements()) {
      add_post_processor(step, known, result, has_marks);
    }
    return;
  }
  if (kind == PostProcessorKind::byte_level || kind == PostProcessorKind::roberta) {
    const bool adds_prefix_space = field.at("add_prefix_space").boolean();
    if (field.at("trim_offsets").boolean()) {
      result.trims_spaces.push_back(adds_prefix_space);
    }
  }
  if (kind == PostProcessorKind::byte_level) {
    return;
  }
  if (has_marks) {
    field.refuse_as(ErrorCode::unsupported, "a second step that adds tokens around the text");
  }
  has_marks = true;
  if (kind == PostProcessorKind::template_processing) {
    result.parts = template_parts(field, known);
  } else {
    const std::int64_t first = mark_of_pair(field.at("cls"), known);
    const std::int64_t last = mark_of_pair(field.at("sep"), known);
    result.parts = {{false, 0, {first}}, {true}, {false, 0, {last}}};
  }
}

constexpr std::array<std::pair<std::string_view, TextSide>, 2> kSides = {{{"Left", TextSide::left}, {"Right", TextSide::right}}};

Truncation truncation_from(const Field& field) {
  Truncation truncation;
  truncation.max_length = field.at("max_length").whole_number(UINT32_MAX);
  const auto direction = field.find("direction");
  truncation.side = direction ? direction->one_of(kSides) : TextSide::right;
  const Field strategy = field.at("strategy");
  constexpr std::array<std::pair<std::string_view, bool>, 2> of_single_texts = {{{"LongestFirst", true}, {"OnlyFirst", true}}};
  strategy.one_of(of_single_texts, ErrorCode::unsupported);
  return truncation;
}

Padding padding_from(const Field& field) {
  Padding padding;
  const Field strategy = field.at("strategy");
  if (strategy.is_object()) {
    padding.length = strategy.at("Fixed").whole_number(UINT32_MAX);
  } else if (strategy.text() != "BatchLongest") {
    strategy.refuse_as(ErrorCode::unsupported, "padding is \"BatchLongest\" or {\"Fixed\": length}");
  }
  padding.side = field.at("direction").one_of(kSides);
  if (const auto multiple = field.find("pad_to_multiple_of")) {
    padding.multiple_of = multiple->whole_number(UINT32_MAX);
  }
  padding.id = field.at("pad_id").token_id();
  padding.type_id = static_cast<std::int64_t>(field.at("pad_type_id").whole_number(UINT32_MAX));
  return padding;
}

}  // namespace

TokenizerParts parts_from_json(std::string_view json) {
  const Document document(json);
  const Field root = document.root();
  if (!root.is_object() || !root.find("model")) {
    throw Error(ErrorCode::bad_data, "this is not a tokenizer.json: it is no JSON object with a \"model\"");
  }
  if (const auto version = root.find("version"); version && version->text() != "1.0") {
    version->refuse_as(ErrorCode::unsupported, fmt::format("version '{}' of the format is not known", printable(version->text())));
  }
  TokenizerParts parts;
  parts.model = model_from(root.at("model"), json);
  if (const auto normalizer = root.find("normalizer")) {
    add_normalizers(*normalizer, parts.normalizers);
  }
  if (const auto pre_tokenizer = root.find("pre_tokenizer")) {
    add_pre_tokenizers(*pre_tokenizer, parts.pre_tokenizers);
  }
  if (const auto added = root.find("added_tokens")) {
    std::vector<AddedToken> tokens = added_tokens_from(*added);
    parts.added = naming(*added, [&] { return AddedTokens(std::move(tokens), parts.model->vocabulary(), parts.normalizers); });
  }
  if (const auto post_processor = root.find("post_processor")) {
    bool has_marks = false;
    add_post_processor(*post_processor, {parts.added, parts.model->vocabulary()}, parts.post_processor, has_marks);
  }
  if (const auto truncation = root.find("truncation")) {
    parts.truncation = truncation_from(*truncation);
  }
  if (const auto padding = root.find("padding")) {
    parts.padding = padding_from(*padding);
  }
  return parts;
}

Vocabulary::Entries vocabulary_from_json(std::string_view json) {
  const Document document(json);
  return vocabulary_entries(document.root());
}

}  // namespace verilabel
