#include "verilabel/text/unicode.h"

#include <algorithm>
#include <optional>

namespace verilabel::unicode {
namespace {

constexpr char32_t kHangulL = 0x1100;
constexpr char32_t kHangulV = 0x1161;
constexpr char32_t kHangulT = 0x11A7;  // one before the first
constexpr char32_t kHangulS = 0xAC00;
constexpr char32_t kCountL = 19;
constexpr char32_t kCountV = 21;
constexpr char32_t kCountT = 28;
constexpr char32_t kCountS = kCountL * kCountV * kCountT;

/// The entry that holds for a code: the last that does not begin after it.
template <typename Range>
const Range& range_of(std::span<const Range> ranges, char32_t code) {
  return *std::prev(std::ranges::upper_bound(ranges, code, {}, &Range::first));
}

std::uint32_t properties_from_ranges(char32_t code) {
  return range_of(property_ranges(), code).bits;
}

std::uint8_t combining_class(char32_t code) {
  return code < 0x300 ? 0 : range_of(combining_ranges(), code).combining_class;
}

GraphemeClass grapheme_class(std::uint32_t bits) {
  return static_cast<GraphemeClass>(bits >> 8 & 15);
}

ConjunctClass conjunct_class(std::uint32_t bits) {
  return static_cast<ConjunctClass>(bits >> 12 & 3);
}

std::span<const char32_t> decomposition_in(std::span<const Decomposition> table, char32_t code) {
  const auto found = std::ranges::lower_bound(table, code, {}, &Decomposition::composed);
  if (found == table.end() || found->composed != code) {
    return {};
  }
  return decomposed().subspan(found->begin, found->size);
}

/// Calls `visit` with each character of the decomposition.
template <typename Visit>
void decompose(char32_t code, bool is_compatible, Visit&& visit) {
  if (code < 0xA0) {
    visit(code);
    return;
  }
  if (code >= kHangulS && code < kHangulS + kCountS) {
    const char32_t index = code - kHangulS;
    visit(kHangulL + index / (kCountV * kCountT));
    visit(kHangulV + index % (kCountV * kCountT) / kCountT);
    if (index % kCountT != 0) {
      visit(kHangulT + index % kCountT);
    }
    return;
  }
  std::span<const char32_t> parts;
  if (is_compatible) {
    parts = decomposition_in(compatibility_decompositions(), code);
  }
  if (parts.empty()) {
    parts = decomposition_in(canonical_decompositions(), code);
  }
  if (parts.empty()) {
    visit(code);
  }
  for (const char32_t part : parts) {
    visit(part);
  }
}

std::optional<char32_t> compose(char32_t first, char32_t second) {
  if (first >= kHangulL && first < kHangulL + kCountL && second >= kHangulV && second < kHangulV + kCountV) {
    return kHangulS + ((first - kHangulL) * kCountV + (second - kHangulV)) * kCountT;
  }
  if (first >= kHangulS && first < kHangulS + kCountS && (first - kHangulS) % kCountT == 0 && second > kHangulT &&
      second < kHangulT + kCountT) {
    return first + (second - kHangulT);
  }
  const auto key = [](const Composition& row) { return std::pair(row.first, row.second); };
  const auto found = std::ranges::lower_bound(compositions(), std::pair(first, second), {}, key);
  if (found == compositions().end() || key(*found) != std::pair(first, second)) {
    return {};
  }
  return found->composed;
}

struct Decomposed {
  Change change;
  std::uint8_t combining_class;
};

std::vector<Decomposed> decomposed_in_order(std::string_view text, bool is_compatible) {
  std::vector<Decomposed> parts;
  parts.reserve(text.size());
  std::size_t marks_begin = 0;  // the part before which nothing moves any more
  const auto sort_marks = [&] {
    std::stable_sort(parts.begin() + static_cast<std::ptrdiff_t>(marks_begin), parts.end(),
                     [](const Decomposed& a, const Decomposed& b) { return a.combining_class < b.combining_class; });
  };
  for_each_character(text, [&](char32_t code, std::size_t, std::size_t) {
    int change = 0;
    decompose(code, is_compatible, [&](char32_t part) {
      const std::uint8_t order = combining_class(part);
      if (order == 0) {
        sort_marks();
        marks_begin = parts.size() + 1;
      }
      parts.push_back({{part, change}, order});
      change = 1;
    });
  });
  sort_marks();
  return parts;
}

std::vector<Change> composed_again(std::span<const Decomposed> parts) {
  std::vector<Change> result;
  result.reserve(parts.size());
  std::optional<Change> starter;
  std::vector<Change> marks;  // behind the starter, and not composed with it
  int last_class = -1;        // of `marks`
  const auto flush = [&] {
    if (starter) {
      result.push_back(*starter);
    }
    result.insert(result.end(), marks.begin(), marks.end());
    marks.clear();
    last_class = -1;
  };
  for (const auto& [part, order] : parts) {
    if (!starter) {
      if (order == 0) {
        starter = part;
      } else {
        result.push_back(part);
      }
      continue;
    }
    const auto composed = last_class < order ? compose(starter->code, part.code) : std::nullopt;
    if (composed) {
      starter = Change{*composed, starter->change + part.change - 1};
    } else if (order == 0) {
      flush();
      starter = part;
    } else {
      marks.push_back(part);
      last_class = order;
    }
  }
  flush();
  return result;
}

/// Rules GB3 to GB999 of UAX 29 for what stands before and after a place, without those that look further back.
bool breaks_between(GraphemeClass before, GraphemeClass after) {
  using enum GraphemeClass;
  const auto is_end = [](GraphemeClass c) { return c == control || c == cr || c == lf; };
  if (is_end(before) || is_end(after)) {
    return !(before == cr && after == lf);
  }
  if ((before == l && (after == l || after == v || after == lv || after == lvt)) ||
      ((before == lv || before == v) && (after == v || after == t)) || ((before == lvt || before == t) && after == t)) {
    return false;
  }
  return after != extend && after != zwj && after != spacing_mark && before != prepend;
}

/// What the rules that look further back (GB9c, GB11, GB12) need to know of what was.
class GraphemeHistory {
 public:
  bool joins(GraphemeClass before, GraphemeClass after) const {
    return (after == GraphemeClass::consonant && conjunct_ == Conjunct::linked) ||
           (after == GraphemeClass::pictograph && pictograph_ == Pictograph::joined) ||
           (after == GraphemeClass::regional_indicator && before == after && indicators_ % 2 == 1);
  }

  void add(std::uint32_t bits) {
    const GraphemeClass c = grapheme_class(bits);
    const ConjunctClass conjunct = conjunct_class(bits);
    if (c == GraphemeClass::consonant) {
      conjunct_ = Conjunct::begun;
    } else if (conjunct == ConjunctClass::linker && conjunct_ != Conjunct::none) {
      conjunct_ = Conjunct::linked;
    } else if (conjunct == ConjunctClass::none) {
      conjunct_ = Conjunct::none;
    }
    if (c == GraphemeClass::pictograph) {
      pictograph_ = Pictograph::begun;
    } else if (c == GraphemeClass::zwj && pictograph_ == Pictograph::begun) {
      pictograph_ = Pictograph::joined;
    } else if (c != GraphemeClass::extend || pictograph_ != Pictograph::begun) {
      pictograph_ = Pictograph::none;
    }
    indicators_ = c == GraphemeClass::regional_indicator ? indicators_ + 1 : 0;
  }

 private:
  enum class Conjunct : std::uint8_t { none, begun, linked };
  enum class Pictograph : std::uint8_t { none, begun, joined };
  Conjunct conjunct_ = Conjunct::none;
  Pictograph pictograph_ = Pictograph::none;
  std::size_t indicators_ = 0;
};

template <typename IsWanted>
CharacterRanges ranges_where(IsWanted&& is_wanted) {
  CharacterRanges ranges;
  const auto all = property_ranges();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!is_wanted(all[i].bits)) {
      continue;
    }
    const char32_t last = (i + 1 < all.size() ? all[i + 1].first : 0x110000) - 1;
    if (!ranges.empty() && ranges.back()[1] + 1 == all[i].first) {
      ranges.back()[1] = last;
    } else {
      ranges.push_back({all[i].first, last});
    }
  }
  return ranges;
}

}  // namespace

Character character_at(std::string_view text, std::size_t begin) {
  const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[begin + i])); };
  const char32_t first = byte(0);
  if (first < 0x80) {
    return {first, 1};
  }
  if (first < 0xE0) {
    return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  }
  if (first < 0xF0) {
    return {(first & 0xF) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  }
  return {(first & 7) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

Character character_before(std::string_view text, std::size_t end) {
  std::size_t begin = end - 1;
  while ((static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) {
    --begin;
  }
  return character_at(text, begin);
}

void append(std::string& text, char32_t code) {
  const auto push = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xC0 | code >> 6);
    push(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    push(0xE0 | code >> 12);
    push(0x80 | (code >> 6 & 0x3F));
    push(0x80 | (code & 0x3F));
  } else {
    push(0xF0 | code >> 18);
    push(0x80 | (code >> 12 & 0x3F));
    push(0x80 | (code >> 6 & 0x3F));
    push(0x80 | (code & 0x3F));
  }
}

std::uint32_t properties(char32_t code) {
  static const auto of_ascii = [] {
    std::array<std::uint32_t, 128> table{};
    for (char32_t c = 0; c < table.size(); ++c) {
      table[c] = properties_from_ranges(c);
    }
    return table;
  }();
  return code < of_ascii.size() ? of_ascii[code] : properties_from_ranges(code);
}

bool is_white_space(char32_t code) {
  return code == 0x20 || (code >= 0x9 && code <= 0xD) || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

bool is_bert_ideograph(char32_t code) {
  const auto within = [&](char32_t first, char32_t last) { return code >= first && code <= last; };
  return within(0x4E00, 0x9FFF) || within(0x3400, 0x4DBF) || within(0x20000, 0x2A6DF) || within(0x2A700, 0x2B73F) ||
         within(0x2B740, 0x2B81F) || within(0x2B920, 0x2CEAF) || within(0xF900, 0xFAFF) || within(0x2F800, 0x2FA1F);
}

Lowercase lowercase(char32_t code) {
  if (code < 0x80) {
    return {{code >= 'A' && code <= 'Z' ? code + 0x20 : code}, 1};
  }
  constexpr char32_t kDottedI = 0x130;
  if (code == kDottedI) {
    return {{U'i', 0x307}, 2};
  }
  const auto pairs = lowercase_pairs();
  const auto found = std::ranges::lower_bound(pairs, code, {}, &LowercasePair::upper);
  return {{found != pairs.end() && found->upper == code ? found->lower : code}, 1};
}

std::vector<Change> normalize(std::string_view text, NormalizationForm form) {
  const bool is_compatible = form == NormalizationForm::nfkc || form == NormalizationForm::nfkd;
  const std::vector<Decomposed> parts = decomposed_in_order(text, is_compatible);
  if (form == NormalizationForm::nfc || form == NormalizationForm::nfkc) {
    return composed_again(parts);
  }
  std::vector<Change> changes;
  changes.reserve(parts.size());
  for (const Decomposed& part : parts) {
    changes.push_back(part.change);
  }
  return changes;
}

std::vector<std::size_t> grapheme_ends(std::string_view text) {
  std::vector<std::size_t> ends;
  GraphemeHistory history;
  GraphemeClass before = GraphemeClass::other;
  for_each_character(text, [&](char32_t code, std::size_t begin, std::size_t) {
    const std::uint32_t bits = properties(code);
    const GraphemeClass after = grapheme_class(bits);
    if (begin != 0 && breaks_between(before, after) && !history.joins(before, after)) {
      ends.push_back(begin);
    }
    history.add(bits);
    before = after;
  });
  if (!text.empty()) {
    ends.push_back(text.size());
  }
  return ends;
}

CharacterRanges ranges_of(std::span<const GeneralCategory> categories) {
  return ranges_where([&](std::uint32_t bits) {
    return std::ranges::find(categories, static_cast<GeneralCategory>(bits >> 16)) != categories.end();
  });
}

CharacterRanges ranges_with(std::uint32_t property) {
  return ranges_where([&](std::uint32_t bits) { return (bits & property) != 0; });
}

}  // namespace verilabel::unicode
