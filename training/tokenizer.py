"""A tokenizer of CLIP's kind with a small vocabulary of our own, written as tokenizer.json.

Every byte has a piece, so that any text can be read; the words of the world are one piece each. Needs nothing but Python.
"""

import collections
import functools
import itertools
import json
import re
import unicodedata

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
MAX_TOKENS = 77

# Words beside those of the world, so that an everyday sentence is not spelt out letter by letter.
EVERYDAY = """
a an the this that is are was in on at of by with and or no not one two three some many there it its photo picture image drawing
painting close up view scene thing object something everything nothing other small large big little tiny huge striped dotted plain
checked spotted red green blue yellow orange purple pink brown black white grey gray silver golden dark bright light day night dusk
dawn morning evening rain rainy snow fog foggy sunny blurred noisy blurry street road park garden harbour harbor beach kitchen room
table shelf shop market sky water grass wall floor window door tree person people man woman child animal dog cat bird car truck bus
boat ship house
""".split()


def byte_symbols():
    """The 256 characters that stand for bytes, in CLIP's order: first those that stand for themselves."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in plain] + [chr(0x100 + i) for i in range(256 - len(plain))]


@functools.cache
def symbol_of_byte():
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return dict(zip([*plain, *others], byte_symbols()))


def merges_for(words):
    """Pairs that byte pair encoding joins, in order, until each word is one piece. The most frequent pair comes first, of equally
    frequent ones the greatest by its letters."""
    pieces = collections.Counter(tuple([*word[:-1], word[-1] + "</w>"]) for word in words)
    merges = []
    while True:
        pairs = collections.Counter()
        for word, times in pieces.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += times
        if not pairs:
            return merges
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        joined = collections.Counter()
        for word, times in pieces.items():
            joined[merged(word, best)] += times
        pieces = joined


def merged(word, pair):
    result, i = [], 0
    while i < len(word):
        is_pair = word[i : i + 2] == pair
        result.append("".join(pair) if is_pair else word[i])
        i += 1 + is_pair
    return tuple(result)


def words_in(texts):
    return [word for text in texts for word in re.findall(r"[a-z]+", text.lower())]


class Tokenizer:
    """Reads texts as the tokenizer.json that it writes says. `texts`: whatever holds the words that shall be one piece each."""

    def __init__(self, texts):
        words = sorted({*words_in(texts), *EVERYDAY})
        self.merges = merges_for(words)
        symbols = byte_symbols()
        pieces = symbols + [symbol + "</w>" for symbol in symbols] + ["".join(merge) for merge in self.merges] + [BEGIN, END]
        self.vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
        self.ranks = {merge: i for i, merge in enumerate(self.merges)}
        self.known_words = {}

    @property
    def begin(self):
        return self.vocabulary[BEGIN]

    @property
    def end(self):
        return self.vocabulary[END]

    def __len__(self):
        return len(self.vocabulary)

    def ids(self, text):
        """With the marks around them. For texts of ASCII; of others only tokenizer.json knows how letters are told from digits."""
        text = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).lower()
        words = re.findall(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+", text)
        return [self.begin, *(number for word in words for number in self.ids_of_word(word)), self.end]

    def ids_of_word(self, word):
        if word not in self.known_words:
            symbols = symbol_of_byte()
            pieces = tuple(symbols[byte] for byte in word.encode())
            pieces = (*pieces[:-1], pieces[-1] + "</w>")
            while known := [pair for pair in itertools.pairwise(pieces) if pair in self.ranks]:
                pieces = merged(pieces, min(known, key=self.ranks.get))
            self.known_words[word] = [self.vocabulary[one] for one in pieces]
        return self.known_words[word]

    def document(self):
        """tokenizer.json."""
        marks = [
            {"id": self.vocabulary[mark], "content": mark, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for mark in (BEGIN, END)
        ]  # fmt: skip
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": marks,
            "normalizer": {
                "type": "Sequence",
                "normalizers": [
                    {"type": "NFC"},
                    {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                    {"type": "Lowercase"},
                ],
            },
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {
                        "type": "Split",
                        "pattern": {"Regex": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"},
                        "behavior": "Removed",
                        "invert": True,
                    },
                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
                ],
            },
            "post_processor": {
                "type": "RobertaProcessing",
                "sep": [END, self.end],
                "cls": [BEGIN, self.begin],
                "trim_offsets": False,
                "add_prefix_space": False,
            },
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": END,
                "continuing_subword_prefix": "",
                "end_of_word_suffix": "</w>",
                "fuse_unk": False,
                "byte_fallback": False,
                "vocab": self.vocabulary,
                "merges": [" ".join(merge) for merge in self.merges],
            },
        }

    def save(self, folder):
        """Writes tokenizer.json and tokenizer_config.json."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(json.dumps(self.document(), ensure_ascii=False, indent=1) + "\n")
        config = {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": MAX_TOKENS,
            "bos_token": BEGIN,
            "eos_token": END,
            "unk_token": END,
            "pad_token": END,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
