#include "verilabel/text/pattern.h"

#include <deque>
#include <mutex>
#include <optional>

#include <fmt/format.h>
#include <oniguruma.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using unicode::GeneralCategory;

struct NamedCategories {
  const char* name;
  std::vector<GeneralCategory> categories;
};

std::vector<NamedCategories> named_categories() {
  using enum GeneralCategory;
  return {{"L", {lu, ll, lt, lm, lo}},
          {"Lu", {lu}},
          {"Ll", {ll}},
          {"Lt", {lt}},
          {"Lm", {lm}},
          {"Lo", {lo}},
          {"M", {mn, mc, me}},
          {"Mn", {mn}},
          {"Mc", {mc}},
          {"Me", {me}},
          {"N", {nd, nl, no}},
          {"Nd", {nd}},
          {"Nl", {nl}},
          {"No", {no}},
          {"P", {pc, pd, ps, pe, pi, pf, po}},
          {"S", {sm, sc, sk, so}},
          {"Z", {zs, zl, zp}},
          {"C", {cc, cf, co, cn}}};
}

constexpr const char* kWordName = "VerilabelWord";
constexpr const char* kWordAloneName = "VerilabelWordAlone";

/// The engine looks for a property among those defined here before its own.
void define_property(const char* name, const unicode::CharacterRanges& ranges) {
  static std::deque<std::vector<OnigCodePoint>> tables;  // the engine keeps pointers to them
  std::vector<OnigCodePoint>& table = tables.emplace_back();
  table.push_back(static_cast<OnigCodePoint>(ranges.size()));
  for (const auto& [first, last] : ranges) {
    table.push_back(first);
    table.push_back(last);
  }
  if (const int result = onig_unicode_define_user_property(name, table.data()); result != ONIG_NORMAL) {
    throw Error(ErrorCode::internal, fmt::format("Oniguruma refuses to define \\p{{{}}}: {}", name, result));
  }
}

/// The pattern with \w, \W, \d and \D as properties that are defined here.
std::string with_defined_classes(std::string_view pattern) {
  std::string result;
  std::size_t depth = 0;  // of brackets
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (c == '\\') {
      if (next == 'w' || next == 'W') {
        result += fmt::format("\\{}{{{}}}", next == 'w' ? 'p' : 'P', depth > 0 ? kWordName : kWordAloneName);
      } else if (next == 'd' || next == 'D') {
        result += next == 'd' ? "\\p{Nd}" : "\\P{Nd}";
      } else {
        result += pattern.substr(i, 2);
      }
      ++i;
      continue;
    }
    if (c == '[') {
      if (const std::size_t end = pattern.find(":]", i); depth > 0 && next == ':' && end != std::string_view::npos) {
        result += pattern.substr(i, end + 2 - i);
        i = end + 1;
        continue;
      }
      ++depth;
      const std::size_t size = next == '^' ? 2 : 1;  // behind which ] is a character
      if (i + size < pattern.size() && pattern[i + size] == ']') {
        result += pattern.substr(i, size + 1);
        i += size;
        continue;
      }
    } else if (c == ']' && depth > 0) {
      --depth;
    }
    result += c;
  }
  return result;
}

void begin_to_use_engine() {
  static std::once_flag once;
  std::call_once(once, [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    for (const NamedCategories& named : named_categories()) {
      define_property(named.name, unicode::ranges_of(named.categories));
    }
    define_property(kWordName, unicode::ranges_with(unicode::kPatternWord));
    define_property(kWordAloneName, unicode::ranges_with(unicode::kPatternWordAlone));
  });
}

const OnigUChar* bytes_of(std::string_view text) {
  return reinterpret_cast<const OnigUChar*>(text.data());
}

std::string words_of(int result, OnigErrorInfo* info) {
  OnigUChar buffer[ONIG_MAX_ERROR_MESSAGE_LEN];
  const int size = info != nullptr ? onig_error_code_to_str(buffer, result, info) : onig_error_code_to_str(buffer, result);
  return {reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(size)};
}

class MatchLimits {
 public:
  explicit MatchLimits(std::size_t text_bytes) : raw_(onig_new_match_param()) {
    onig_initialize_match_param(raw_);
    // Between a pattern that is slow and one that never ends: some seconds.
    onig_set_retry_limit_in_search_of_match_param(raw_, 50'000'000 + 100 * text_bytes);
  }
  MatchLimits(const MatchLimits&) = delete;
  MatchLimits& operator=(const MatchLimits&) = delete;
  ~MatchLimits() { onig_free_match_param(raw_); }

  OnigMatchParam* raw() const { return raw_; }

 private:
  OnigMatchParam* raw_;
};

std::vector<PatternRange> ranges_of_string(const std::string& wanted, std::string_view text) {
  std::vector<PatternRange> ranges;
  std::size_t begin = 0;
  for (std::size_t found = 0; !wanted.empty() && (found = text.find(wanted, begin)) != std::string_view::npos;) {
    if (begin < found) {
      ranges.push_back({begin, found, false});
    }
    begin = found + wanted.size();
    ranges.push_back({found, begin, true});
  }
  if (begin < text.size() || text.empty()) {
    ranges.push_back({begin, text.size(), false});
  }
  return ranges;
}

}  // namespace

struct Regex::Compiled {
  explicit Compiled(OnigRegex given) : raw(given) {}
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { onig_free(raw); }
  OnigRegex raw;
};

Regex Regex::compile(const std::string& pattern) {
  begin_to_use_engine();
  OnigRegex raw = nullptr;
  OnigErrorInfo info{};
  const std::string defined = with_defined_classes(pattern);
  const OnigUChar* const begin = bytes_of(defined);
  const int result =
      onig_new(&raw, begin, begin + defined.size(), ONIG_OPTION_NONE, ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
  if (result != ONIG_NORMAL) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the regular expression '{}' cannot be read: {}", pattern, words_of(result, &info)));
  }
  return Regex(std::make_shared<const Compiled>(raw));
}

std::vector<PatternRange> Regex::ranges(std::string_view text) const {
  if (text.empty()) {
    return {{0, 0, false}};
  }
  const std::unique_ptr<OnigRegion, void (*)(OnigRegion*)> region(onig_region_new(), [](OnigRegion* r) { onig_region_free(r, 1); });
  const MatchLimits limits(text.size());
  const OnigUChar* const begin = bytes_of(text);
  const OnigUChar* const end = begin + text.size();
  std::vector<PatternRange> ranges;
  std::size_t covered = 0;
  std::optional<std::size_t> last_match_end;
  for (std::size_t from = 0; from <= text.size();) {
    const int place =
        onig_search_with_param(compiled_->raw, begin, end, begin + from, end, region.get(), ONIG_OPTION_NONE, limits.raw());
    if (place == ONIG_MISMATCH) {
      break;
    }
    if (place < 0) {
      throw Error(ErrorCode::unsupported,
                  fmt::format("a regular expression of the tokenizer gives up on this text: {}", words_of(place, nullptr)));
    }
    const auto match_begin = static_cast<std::size_t>(region->beg[0]);
    const auto match_end = static_cast<std::size_t>(region->end[0]);
    if (match_begin == match_end && last_match_end == match_end) {
      from += from < text.size() ? unicode::character_at(text, from).size : 1;
      continue;
    }
    if (match_begin < covered || match_end < match_begin) {
      throw Error(ErrorCode::unsupported, "a regular expression of the tokenizer matches text that it has passed");
    }
    if (covered < match_begin) {
      ranges.push_back({covered, match_begin, false});
    }
    ranges.push_back({match_begin, match_end, true});
    covered = from = match_end;
    last_match_end = match_end;
  }
  if (covered < text.size()) {
    ranges.push_back({covered, text.size(), false});
  }
  return ranges;
}

std::vector<PatternRange> find_all(const Pattern& pattern, std::string_view text) {
  if (const auto* wanted = std::get_if<std::string>(&pattern)) {
    return ranges_of_string(*wanted, text);
  }
  return std::get<Regex>(pattern).ranges(text);
}

}  // namespace verilabel
