"""Tokenizers of every kind and part with small vocabularies of our own, and made-up texts for them.

Shared by export_tokenizers.py, which writes some of it as fixtures, and check_tokenizers.py, which compares any number of texts.
"""

import collections
import io
import math
import random
import re
import tempfile
import unicodedata

import sentencepiece
import vocabulary
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

CORPUS = (
    vocabulary.CORPUS
    + """
μια φωτογραφία μιας γάτας. фотография собаки и кошки. صورة قطة. תמונה של כלב. एक बिल्ली की तस्वीर. ภาพถ่ายของแมว.
一张猫的照片。犬の写真。고양이 사진. một bức ảnh về con mèo. istanbul'da kedi fotoğrafı. ein großes straßenschild.
"""
)
WORDS = re.findall(r"\w+|[^\w\s]", CORPUS)

# ---- Vocabularies ----


def word_pieces(count=260):
    """BERT's kind: characters, characters within words, the words that are most frequent, and ends of them."""
    words = collections.Counter(re.findall(r"\w+|[^\w\s]", CORPUS + CORPUS.title()))
    characters = sorted(set("".join(words)))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *("##" + c for c in characters)]
    ends = collections.Counter("##" + word[i:] for word in words for i in range(1, len(word) - 1))
    for found in (words, ends):
        pieces += sorted(found, key=lambda word: (-found[word], word))[:count]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def bert(*, lowercase=True, strip_accents=None, chinese=True):
    tokenizer = Tokenizer(models.WordPiece(word_pieces(), unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=chinese, strip_accents=strip_accents, lowercase=lowercase
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))],
    )
    return tokenizer


def small_charsmap():
    """A charsmap of some hundred rules: compatibility forms, composed letters, deletions, and one rule of several characters."""
    sources = [chr(code) for code in [*range(0xA0, 0x180), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFF5F), *range(0x2460, 0x2474)]]
    rules = {source: form for source in sources if (form := unicodedata.normalize("NFKC", source)) != source}
    rules |= {base + mark: unicodedata.normalize("NFC", base + mark) for base in "aeiouAEIOU" for mark in "\u0300\u0301\u0308"}
    rules |= {"\u200b": "", "\u00ad": "", "\t": " ", "\n": " ", "\u3000": " ", "\u1100\u1161": "\uac00"}
    rules["\ufdfa"] = "\u0635\u0644\u0649"
    rules["\u30b9\u3099"] = "\u30ba"
    lines = ["\t".join(" ".join(f"{ord(c):X}" for c in text) for text in rule) for rule in sorted(rules.items())]
    return charsmap(normalization_rule_tsv=lines)


def charsmap(normalization_rule_tsv=None, **settings):
    """The table that SentencePiece compiles of rules."""
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        if normalization_rule_tsv:
            rules.write("\n".join(normalization_rule_tsv) + "\n")
            rules.flush()
            settings["normalization_rule_tsv"] = rules.name
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS.splitlines()), model_writer=model, vocab_size=300, hard_vocab_limit=False,
            minloglevel=2, num_threads=1, **settings,
        )  # fmt: skip
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def unigram_pieces(byte_fallback=False):
    """Pieces of words with logarithms of frequencies as scores, written in single precision as SentencePiece does."""
    words = collections.Counter("▁" + word for word in re.findall(r"\S+", CORPUS))
    found = collections.Counter()
    for word, count in words.items():
        for begin in range(len(word)):
            for end in range(begin + 1, min(begin + 9, len(word) + 1)):
                found[word[begin:end]] += count
    total = sum(found.values())
    kept = sorted((piece for piece in found if len(piece) == 1 or found[piece] > 1), key=lambda piece: (-found[piece], piece))
    scores = {piece: math.log(found[piece] / total) * (0.6 if len(piece) > 2 else 1) for piece in kept}
    specials = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    if byte_fallback:
        specials += [(f"<0x{byte:02X}>", 0.0) for byte in range(256)]
    return [*specials, *((piece, score) for piece, score in scores.items())]


def sentencepiece_like(precompiled, *, byte_fallback=False):
    """T5's and SigLIP's kind."""
    tokenizer = Tokenizer(models.Unigram(unigram_pieces(byte_fallback), unk_id=2, byte_fallback=byte_fallback))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(precompiled), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([AddedToken("<extra_id_0>", lstrip=True, rstrip=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return tokenizer


def byte_names():
    return [f"<0x{byte:02X}>" for byte in range(256)]


def fallback_bpe(specials, merge_count=200, **settings):
    """Gemma's and Llama's kind of model: characters, merges, and bytes for the rest."""
    words = ["▁" + word for word in re.findall(r"\S+", CORPUS)] + ["▁▁", "▁▁▁▁", "▁▁▁▁▁▁▁▁"]
    merges = vocabulary.merges_of(words, merge_count)
    characters = sorted(set("".join(words)))
    pieces = dict.fromkeys([*specials, *byte_names(), *characters, *("".join(merge) for merge in merges)])
    return models.BPE(
        {piece: i for i, piece in enumerate(pieces)}, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True, **settings
    )


def gemma(*, lowercase=True):
    """SigLIP 2's, as transformers makes it."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(fallback_bpe(specials))
    steps = [normalizers.Lowercase()] if lowercase else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous", invert=False)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in specials])
    tokenizer.add_tokens([AddedToken("▁▁▁", normalized=False), AddedToken("Photo", normalized=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 <eos>:0", pair="$A:0 <eos>:0 $B:1 <eos>:1", special_tokens=[("<eos>", 1)]
    )
    return tokenizer


def llama():
    specials = ["<unk>", "<s>", "</s>"]
    tokenizer = Tokenizer(fallback_bpe(specials))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.add_special_tokens(specials)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return tokenizer


def byte_level_vocabulary(specials, merge_count=160):
    split = pre_tokenizers.ByteLevel(add_prefix_space=True)
    merges = vocabulary.merges_of([word for word, _ in split.pre_tokenize_str(CORPUS)], merge_count)
    pieces = dict.fromkeys([*specials, *vocabulary.byte_symbols(), *("".join(merge) for merge in merges)])
    return {piece: i for i, piece in enumerate(pieces)}, merges


def roberta():
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE(*byte_level_vocabulary(specials)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.add_special_tokens([*specials[:-1], AddedToken("<mask>", lstrip=True, normalized=True)])
    tokenizer.add_tokens([AddedToken("cat", single_word=True), AddedToken("Zebra", rstrip=True, normalized=False)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    return tokenizer


WORDS_OF_GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def gpt4():
    vocab, merges = byte_level_vocabulary(["<|end|>"])
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS_OF_GPT4), "isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(single="$A <|end|>", pair="$A $B", special_tokens=[("<|end|>", 0)]),
        ]
    )
    return tokenizer


def gapped_bpe():
    """Prefixes and suffixes, unknown characters that are left out or stand in the way of bytes."""
    words = re.findall(r"\w+", vocabulary.CORPUS)
    characters = sorted(set("".join(words)) - set("qxz"))
    some_bytes = [f"<0x{byte:02X}>" for byte in range(0x80, 0x100) if byte not in (0xE9, 0x9F)]
    pieces = ["?", *(form.format(c) for form in ("{}", "##{}", "{}$", "##{}$") for c in characters)]
    merges = [("c", "##a"), ("ca", "##t$"), ("##a", "##t$"), ("p", "##h"), ("##o", "##t"), ("##ot", "##o$"), ("ph", "##oto$")]
    pieces += ["ca", "cat$", "##at$", "ph", "##ot", "##oto$", "photo$", *some_bytes]
    return models.BPE(
        {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}, merges, unk_token="?", fuse_unk=False, byte_fallback=True,
        continuing_subword_prefix="##", end_of_word_suffix="$",
    )  # fmt: skip


def gapped():
    tokenizer = Tokenizer(gapped_bpe())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    return tokenizer


def words_only():
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(dict.fromkeys(["[?]", *WORDS]))}, unk_token="[?]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def families(precompiled):
    """The kinds that models come with, by name."""
    return {
        "clip": vocabulary.clip_tokenizer().backend_tokenizer,
        "bert-uncased": bert(),
        "bert-cased": bert(lowercase=False, chinese=False),
        "unigram": sentencepiece_like(precompiled),
        "unigram-bytes": sentencepiece_like(precompiled, byte_fallback=True),
        "gemma": gemma(),
        "llama": llama(),
        "roberta": roberta(),
        "gpt4": gpt4(),
        "gapped-bpe": gapped(),
        "words": words_only(),
    }


# ---- Parts ----


def spelling(normalizer=None, pre_tokenizer=None, *, marks_ends=False):
    """A tokenizer whose tokens are the bytes of what its parts leave of a text; with `marks_ends` also where pieces end, but then
    spans mean nothing."""
    suffix = {"end_of_word_suffix": "|"} if marks_ends else {}
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(byte_names())}, [], byte_fallback=True, **suffix))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


BEHAVIORS = ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous")


def normalizer_parts(precompiled):
    return {
        "NFC": normalizers.NFC(),
        "NFD": normalizers.NFD(),
        "NFKC": normalizers.NFKC(),
        "NFKD": normalizers.NFKD(),
        "Lowercase": normalizers.Lowercase(),
        "Strip": normalizers.Strip(),
        "StripLeft": normalizers.Strip(left=True, right=False),
        "StripAccents": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
        "ReplaceString": normalizers.Replace("a", "ß▁"),
        "ReplaceRegex": normalizers.Replace(Regex(r"\p{N}+|[aeiou](?=\w)|\s*$"), "#"),
        "ReplaceWords": normalizers.Sequence(
            [normalizers.Replace(Regex(r"[^\w\s]+"), "#"), normalizers.Replace(Regex(r"\d\W*|\w(?=\D)"), "&")]
        ),
        "Prepend": normalizers.Sequence([normalizers.Prepend("▁x"), normalizers.NFKC()]),
        "BertKeepAccents": normalizers.BertNormalizer(lowercase=True, strip_accents=False),
        "BertStripAccents": normalizers.BertNormalizer(lowercase=False, strip_accents=True, clean_text=False),
        "Precompiled": normalizers.Precompiled(precompiled),
        "Nmt": normalizers.Nmt(),
        "ByteLevel": normalizers.ByteLevel(),
    }


def pre_tokenizer_parts():
    parts = {
        "Whitespace": pre_tokenizers.Whitespace(),
        "WhitespaceSplit": pre_tokenizers.WhitespaceSplit(),
        "BertPreTokenizer": pre_tokenizers.BertPreTokenizer(),
        "ByteLevel": pre_tokenizers.ByteLevel(add_prefix_space=True),
        "ByteLevelBare": pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        "MetaspaceAlways": pre_tokenizers.Metaspace(prepend_scheme="always"),
        "MetaspaceFirst": pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
        "MetaspaceNever": pre_tokenizers.Metaspace(prepend_scheme="never"),
        "Digits": pre_tokenizers.Digits(individual_digits=False),
        "IndividualDigits": pre_tokenizers.Digits(individual_digits=True),
        "CharDelimiterSplit": pre_tokenizers.CharDelimiterSplit("a"),
        "Sequence": pre_tokenizers.Sequence(
            [
                pre_tokenizers.WhitespaceSplit(),
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.Punctuation("contiguous"),
            ]
        ),
    }
    for behavior in BEHAVIORS:
        parts[f"Punctuation-{behavior}"] = pre_tokenizers.Punctuation(behavior)
        for inverted in (False, True):
            name = behavior + ("-inverted" if inverted else "")
            parts[f"SplitRegex-{name}"] = pre_tokenizers.Split(Regex(r"\p{L}+|\p{Nd}|\p{M}\p{P}*"), behavior, invert=inverted)
            parts[f"SplitString-{name}"] = pre_tokenizers.Split("a", behavior, invert=inverted)
    return parts


def parts(precompiled):
    """Each part by itself, spelled out; those whose names begin with `ends/` have no spans to compare."""
    cases = {f"normalizer/{name}": spelling(normalizer=part) for name, part in normalizer_parts(precompiled).items()}
    for name, part in pre_tokenizer_parts().items():
        cases[f"pre_tokenizer/{name}"] = spelling(pre_tokenizer=part)
        cases[f"ends/{name}"] = spelling(pre_tokenizer=part, marks_ends=True)
    return cases


# ---- Texts ----

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
INVISIBLE = (
    "\x00\x01\x1b\x7f\x80\x9f\xad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u202e\u2060\ufe0f\ufeff\ufff9\ufffd\uffff"
    "\U000e0001\U000e0100"
)
CASED = "İıßẞΣσςǅǆᲀᏸꭰᾳΐŉǰﬀŸÅKΩĲ\u0345ͅⅣⅳⒶⓐＡａ𝐀ꙊꙋჀⴠᲐა"
COMPATIBLE = "ﬁﬃ①②⑳½¼㎏㌔㌀ﷺﷲ™℃ℵΩ…‥․㈱㍻ªº¨´˚ﾞﾟｶﾞ＂＇ｈ４﹫︰⁴₂ℌ𝔄🄰🈁"
SPECIALS = (
    "[CLS] [SEP] [PAD] [MASK] [UNK] [mask] <|startoftext|> <|endoftext|> <|ENDOFTEXT|> <|end|> <s> </s> <pad> <eos> <bos> <unk> "
    "<mask> <extra_id_0> ▁▁▁ Photo photo PHOTO cat Zebra <0x41> <0xE2> ## ##ing </w> </ <| |> [ ]"
).split()
PICTURES = "👍🏽 👩‍👩‍👧 🏴‍☠️ 🇩🇪🇫🇷🇯 ❤️‍🔥 👁️‍🗨️ 1️⃣ क्षि ന്ത്യ স্ত্রী 각 \u1100\u1161\u11a8 นี้ ဝှ ក្ស 𑄜𑄳𑄠".split()
JOINERS = ["\u200d", "\ufe0f", "🏽", "🇦", "a", " ", "\u094d", "क"]
MARKS = [*map(chr, range(0x300, 0x370)), *"\u05b0\u064b\u094d\u09be\u3099\u302a\U0001d165\U00011347"]
HANGUL = [chr(code) for code in [*range(0x1100, 0x1200), *range(0xA960, 0xA980), *range(0xD7B0, 0xD800), *range(0xAC00, 0xAC80)]]
HAND = [*vocabulary.LABELS, *vocabulary.ODD_TEXTS, "a" * 101, "a" * 100, "ab" * 400]
HAND += ["\ufffd", "▁", "▁▁a", "é", "e\u0301", "\u1e9b\u0323", "\r\n", "\u0600a"]


class Texts:
    """Made-up texts: of every plane, controls, accents in any order, words too long, marks of models, all kinds of spaces."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.makers = (
            self.any_characters, self.one_block, self.words, self.words, self.marks, self.hangul, self.invisible, self.long_word,
            self.specials, self.specials, self.pictures, self.spaces, self.cased, self.compatible, self.mixed, self.mixed,
        )  # fmt: skip

    def take(self, count):
        """The texts written by hand, then made-up ones."""
        made = (self.random.choice(self.makers)() for _ in range(max(count - len(HAND), 0)))
        return [*HAND, *made][:count]

    def character(self):
        code = self.random.randrange(0x110000 - 0x800)
        return chr(code if code < 0xD800 else code + 0x800)

    def some(self, choices, most):
        return "".join(self.random.choice(choices) for _ in range(self.random.randint(1, most)))

    def several(self, most, *makers, separator=""):
        """Up to so many parts, each by any of the makers, which are functions or texts."""
        made = (self.random.choice(makers) for _ in range(self.random.randint(1, most)))
        return separator.join(maker if isinstance(maker, str) else maker() for maker in made)

    def word(self):
        return self.random.choice(WORDS)

    def any_characters(self):
        return self.several(24, self.character)

    def one_block(self):
        """Characters of one row of 64; rows of the lower planes, where most that is assigned lies."""
        row = self.random.choice((range(0x340), range(0x3C0, 0x400), range(0x400, 0x7D0)))
        characters = [chr(self.random.choice(row) * 64 + i) for i in range(64)]
        return self.several(20, lambda: self.random.choice(characters), separator=self.random.choice(["", " ", "a"]))

    def words(self):
        style = self.random.choice([str, str.upper, str.title, str.swapcase])
        separator = self.random.choice([" ", " ", "  ", ", ", "-", "_", "'s ", ""])
        return self.several(8, lambda: style(self.word()), separator=separator)

    def marks(self):
        bases = "aeiouAEIOUsdnñÅかक्កแ\u0f40\u1100あ "
        return self.several(8, lambda: self.random.choice(bases) + "".join(self.random.choices(MARKS, k=self.random.randint(0, 5))))

    def hangul(self):
        return self.some(HANGUL, 12)

    def invisible(self):
        return self.several(8, lambda: self.some(INVISIBLE, 3), self.word, " ")

    def long_word(self):
        makers = (self.word, lambda: self.random.choice("aebtx1é漢🙂▁-"), lambda: self.some("abt", 4), self.character)
        return self.several(1, *makers) * self.random.randint(20, 150)

    def specials(self):
        separator = self.random.choice(["", "", " ", "."])
        return self.several(
            9, lambda: self.random.choice(SPECIALS), self.word, lambda: self.some(SPACES, 2), "", separator=separator
        )

    def pictures(self):
        return self.some([*PICTURES, *JOINERS], 8)

    def spaces(self):
        return self.several(8, lambda: self.some(SPACES, 4), self.word, "")

    def cased(self):
        return self.several(10, lambda: self.random.choice(CASED), lambda: self.random.choice("ΑΣΑΣ. aI"))

    def compatible(self):
        return self.several(10, lambda: self.random.choice(COMPATIBLE), lambda: self.random.choice("aか\u0301\u0323 \u3099"))

    def mixed(self):
        makers = [maker for maker in self.makers if maker not in (self.mixed, self.long_word)]
        return self.several(5, *(lambda maker=maker: maker()[:12] for maker in makers), separator=self.random.choice(["", " "]))
