"""Makes unicode_tables.cpp beside it: the properties of characters that the tokenizers of Hugging Face see.

Their library holds four versions of Unicode at once (9 in its normalisation forms, 8 in BERT's categories, 16 in its regular
expressions, 17 elsewhere), so the tables are not taken from Unicode's files: each character is put through the library, and what
becomes of it is written down. Only the classes of grapheme clusters, which cannot be seen from outside, come from the package
`regex`, in a version that has the same Unicode as the library. `tests/parity/check_tokenizers.py` compares the results.

Needs a Python with tokenizers==0.23.3 and regex==2025.11.3. Some minutes.
"""

import itertools
import pathlib
import unicodedata

import regex
import tokenizers
from tokenizers import normalizers, pre_tokenizers

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
assert regex.__version__ == "2025.11.3", regex.__version__

OUT = pathlib.Path(__file__).with_name("unicode_tables.cpp")
CHARS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
ALL = "".join(CHARS)

# In the order of the enumerations in unicode_tables.h.
GENERAL_CATEGORIES = (
    "Cn Cc Cf Co Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp"
).split()  # fmt: skip
GRAPHEME_CLASSES = (
    ("GCB=CR", "GCB=LF", "GCB=Control", "GCB=Extend", "GCB=ZWJ", "GCB=Regional_Indicator", "GCB=Prepend", "GCB=SpacingMark")
    + ("GCB=L", "GCB=V", "GCB=T", "GCB=LV", "GCB=LVT", "InCB=Consonant", "Extended_Pictographic")
)  # fmt: skip
CONJUNCT_CLASSES = ("InCB=Linker", "InCB=Extend")


def removed(pre_tokenizer):
    """The characters that a pre-tokenizer takes out of a text."""
    kept = set(itertools.chain.from_iterable(range(*span) for _, span in pre_tokenizer.pre_tokenize_str(ALL)))
    return {ord(char) for i, char in enumerate(CHARS) if i not in kept}


def matched(pattern):
    return removed(pre_tokenizers.Split(tokenizers.Regex(pattern), "removed"))


def deleted(normalizer):
    return {ord(char) for char in CHARS if normalizer.normalize_str("a" + char) == "a"}


def changed(normalizer):
    return {ord(char): new for char in CHARS if (new := normalizer.normalize_str(char)) != char}


def in_class(name):
    pattern = regex.compile(rf"\p{{{name}}}")
    return {ord(char) for char in CHARS if pattern.match(char)}


def bert(**flags):
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return normalizers.BertNormalizer(**off | flags)


def properties():
    """For each code point its bits, as unicode_tables.h lays them out."""
    bits = [0] * 0x110000

    def mark(codes, value):
        for code in codes:
            bits[code] |= value

    mark({ord(c) for c in CHARS if len(pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str(f"a{c}a")) == 3}, 1 << 0)
    mark(deleted(bert(clean_text=True)), 1 << 1)
    mark(removed(pre_tokenizers.Punctuation(behavior="removed")), 1 << 2)
    mark(deleted(bert(strip_accents=True)), 1 << 3)
    mark(deleted(normalizers.StripAccents()), 1 << 4)
    words = pre_tokenizers.Whitespace()
    mark({ord(c) for c in CHARS if words.pre_tokenize_str("a" + c)[0][0] == "a" + c}, 1 << 5)
    mark(matched(r"[\w]"), 1 << 6)
    mark(matched(r"\w"), 1 << 7)
    for i, name in enumerate(GRAPHEME_CLASSES, 1):
        codes = in_class(name)
        if name in ("InCB=Consonant", "Extended_Pictographic"):
            codes = {code for code in codes if bits[code] >> 8 & 15 == 0}
        mark(codes, i << 8)
    for i, name in enumerate(CONJUNCT_CLASSES, 1):
        mark(in_class(name), i << 12)
    for i, name in enumerate(GENERAL_CATEGORIES):
        mark(matched(rf"\p{{{name}}}"), i << 16)
    return bits


def combining_classes(decompose):
    """Those that the library sorts by, by code point: Unicode's, of the characters that it knows."""
    classes = {}
    for code, char in zip(map(ord, CHARS), CHARS):
        order = unicodedata.combining(char)
        # Overlays are of class 1, the acute accent of class 230.
        swapped = ("\u0301" + char, char + "\u0301") if order < 230 else (char + "\u0334", "\u0334" + char)
        if order and decompose(swapped[0]) == decompose(swapped[1]):
            classes[code] = order
    return classes


def compositions(canonical, composed):
    pairs = {}
    nfc = normalizers.NFC().normalize_str
    for code, parts in canonical.items():
        if 0xAC00 <= code < 0xD7A4 or code in composed:
            continue
        first, second = nfc(parts[:-1]), parts[-1]
        assert len(first) == 1 and nfc(first + second) == chr(code), hex(code)
        pairs[ord(first), ord(second)] = code
    return pairs


def ranges(values):
    """(first code, value) of each run of equal values."""
    starts = [(code, value) for code, value in enumerate(values) if code == 0 or values[code - 1] != value]
    return starts


def lines(items):
    line = ""
    for item in items:
        if len(line) + len(item) + 2 > 128:
            yield line.rstrip()
            line = ""
        line += item + ", "
    yield line.rstrip()


def array(declaration, items):
    return f"{declaration} = {{\n" + "\n".join("    " + line for line in lines(items)) + "\n};\n"


def main():
    canonical = changed(normalizers.NFD())
    compatible = changed(normalizers.NFKD())
    composed = changed(normalizers.NFC())
    lower = changed(normalizers.Lowercase())
    assert [code for code, text in lower.items() if len(text) > 1] == [0x130] and lower[0x130] == "i\u0307"
    hangul = range(0xAC00, 0xD7A4)
    pool, places = [], {}

    def place(text):
        if text not in places:
            places[text] = len(pool)
            pool.extend(map(ord, text))
        return places[text]

    def decompositions(table, others):
        rows = [(code, text) for code, text in table.items() if code not in hangul and others.get(code) != text]
        return [f"{{{code:#x},{place(text)},{len(text)}}}" for code, text in rows]

    canonical_rows = decompositions(canonical, {})
    compatible_rows = decompositions(compatible, canonical)
    combining = combining_classes(normalizers.NFD().normalize_str)
    pairs = compositions(canonical, composed)
    text = "\n".join([
        "// Made by unicode_tables.py, which says what from.",
        "// clang-format off",
        '#include "verilabel/text/unicode_tables.h"\n',
        "namespace verilabel::unicode {",
        "namespace {\n",
        array("constexpr PropertyRange kPropertyRanges[]", [f"{{{a:#x},{v:#x}}}" for a, v in ranges(properties())]),
        array("constexpr CombiningRange kCombiningRanges[]",
              [f"{{{a:#x},{v}}}" for a, v in ranges([combining.get(code, 0) for code in range(0x110000)])]),
        array("constexpr LowercasePair kLowercasePairs[]", [f"{{{a:#x},{ord(b[0]):#x}}}" for a, b in lower.items()]),
        array("constexpr char32_t kDecomposed[]", [f"{code:#x}" for code in pool]),
        array("constexpr Decomposition kCanonical[]", canonical_rows),
        array("constexpr Decomposition kCompatible[]", compatible_rows),
        array("constexpr Composition kCompositions[]", [f"{{{a:#x},{b:#x},{c:#x}}}" for (a, b), c in sorted(pairs.items())]),
        "}  // namespace\n",
        "std::span<const PropertyRange> property_ranges() {\n  return kPropertyRanges;\n}",
        "std::span<const CombiningRange> combining_ranges() {\n  return kCombiningRanges;\n}",
        "std::span<const LowercasePair> lowercase_pairs() {\n  return kLowercasePairs;\n}",
        "std::span<const char32_t> decomposed() {\n  return kDecomposed;\n}",
        "std::span<const Decomposition> canonical_decompositions() {\n  return kCanonical;\n}",
        "std::span<const Decomposition> compatibility_decompositions() {\n  return kCompatible;\n}",
        "std::span<const Composition> compositions() {\n  return kCompositions;\n}\n",
        "}  // namespace verilabel::unicode",
        "",
    ])  # fmt: skip
    OUT.write_text(text)
    print(f"{OUT.name}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
