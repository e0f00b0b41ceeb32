// Tokenizers: a tokenizer.json, a zero byte, a text. Whatever the file says, what comes out fits the text and the vocabulary.

#include "fuzz/fuzzing.h"
#include "verilabel/base/utf8.h"
#include "verilabel/text/tokenizer.h"

namespace {

bool begins_character(std::string_view text, std::size_t place) {
  return place == text.size() || (static_cast<unsigned char>(text[place]) & 0xC0) != 0x80;
}

void check(const verilabel::Tokenizer& tokenizer, std::string_view text, const verilabel::Encoding& encoding) {
  using verilabel::require;
  require(verilabel::is_utf8(text), "only UTF-8 is taken");
  const std::size_t count = encoding.ids.size();
  require(encoding.attention_mask.size() == count && encoding.type_ids.size() == count && encoding.spans.size() == count &&
              encoding.is_mark.size() == count,
          "all lists are as long as each other");
  for (std::size_t i = 0; i < count; ++i) {
    const verilabel::TokenSpan span = encoding.spans[i];
    require(encoding.attention_mask[i] == 0 || tokenizer.token_of(encoding.ids[i]).has_value(), "every id is a token's");
    require(span.begin <= span.end && span.end <= text.size(), "spans lie within the text");
    require(begins_character(text, span.begin) && begins_character(text, span.end), "spans are of whole characters");
    require(encoding.is_mark[i] == 0 || span.begin == span.end, "marks stand for nothing");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), size);
  const std::string_view text = input.substr(std::min(end + 1, size));
  const auto tokenizer = unless_refused([&] { return Tokenizer::parse(input.substr(0, end)); });
  if (!tokenizer) {
    return 0;
  }
  const auto whole = unless_refused([&] { return tokenizer->encode(text); });
  if (!whole) {
    return 0;
  }
  check(*tokenizer, text, *whole);
  EncodeOptions options;
  options.truncation = Truncation{5};
  options.padding = Padding{7};
  if (const auto cut = unless_refused([&] { return tokenizer->encode(text, options); })) {
    check(*tokenizer, text, *cut);
    require(cut->ids.size() >= 7, "short texts are filled up");
    require(whole->ids.size() <= 5 || cut->cut_tokens > 0, "what was cut is said");
  }
  return 0;
}
