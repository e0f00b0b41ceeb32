#pragma once

#include <cstdint>
#include <span>

// Private to the module. What unicode_tables.cpp holds, which unicode_tables.py makes; everything is sorted by its first members.

namespace verilabel::unicode {

/// Bits of `PropertyRange::bits`; above them four bits of `GraphemeClass`, from bit 12 two of `ConjunctClass`, from bit 16 the
/// `GeneralCategory`.
constexpr std::uint32_t kNumeric = 1U << 0;           ///< Unicode 17, category N
constexpr std::uint32_t kRemovedByBert = 1U << 1;     ///< what BERT's text cleaning drops
constexpr std::uint32_t kPunctuation = 1U << 2;       ///< Unicode 8, category P, and the symbols of ASCII
constexpr std::uint32_t kNonspacingMark = 1U << 3;    ///< Unicode 8, category Mn
constexpr std::uint32_t kCombiningMark = 1U << 4;     ///< Unicode 9, category M
constexpr std::uint32_t kWord = 1U << 5;              ///< Unicode 16, \w of UTS 18
constexpr std::uint32_t kPatternWord = 1U << 6;       ///< Unicode 16, \w of Oniguruma between brackets
constexpr std::uint32_t kPatternWordAlone = 1U << 7;  ///< likewise elsewhere, where it has a few characters of Latin-1 more

/// Unicode 17, UAX 29. `consonant` are those of Indic conjuncts, `pictograph` Extended_Pictographic.
enum class GraphemeClass : std::uint8_t {
  other,
  cr,
  lf,
  control,
  extend,
  zwj,
  regional_indicator,
  prepend,
  spacing_mark,
  l,
  v,
  t,
  lv,
  lvt,
  consonant,
  pictograph,
};

enum class ConjunctClass : std::uint8_t { none, linker, extend };

/// Unicode 16.
enum class GeneralCategory : std::uint8_t {
  cn,
  cc,
  cf,
  co,
  lu,
  ll,
  lt,
  lm,
  lo,
  mn,
  mc,
  me,
  nd,
  nl,
  no,
  pc,
  pd,
  ps,
  pe,
  pi,
  pf,
  po,
  sm,
  sc,
  sk,
  so,
  zs,
  zl,
  zp,
};

/// From `first` to the next range's.
struct PropertyRange {
  char32_t first;
  std::uint32_t bits;
};
struct CombiningRange {
  char32_t first;
  std::uint8_t combining_class;
};
/// Each character's own; U+0130 alone becomes two, of which the first is here.
struct LowercasePair {
  char32_t upper;
  char32_t lower;
};
/// The whole decomposition, `size` characters of `decomposed()` from `begin`. Hangul syllables are not among them.
struct Decomposition {
  char32_t composed;
  std::uint32_t begin : 24;
  std::uint32_t size : 8;
};
/// Without Hangul.
struct Composition {
  char32_t first;
  char32_t second;
  char32_t composed;
};

std::span<const PropertyRange> property_ranges();
std::span<const CombiningRange> combining_ranges();
std::span<const LowercasePair> lowercase_pairs();
std::span<const char32_t> decomposed();
std::span<const Decomposition> canonical_decompositions();
/// Only of characters whose compatibility decomposition differs from the canonical one.
std::span<const Decomposition> compatibility_decompositions();
std::span<const Composition> compositions();

}  // namespace verilabel::unicode
