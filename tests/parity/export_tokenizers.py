"""Tokenizers with small vocabularies of our own, and what the reference makes of texts: export_tokenizers.py OUT.

Writes to OUT/tokenizers, for `text_test`:
    texts.json      made-up texts, as check_tokenizers.py makes any number of them
    NAME.json       a tokenizer.json of each family of tokenizer_cases.py
    NAME.ids.json   for each text with the marks around it: ids; and spans in bytes, for each token the distance from the end of the
                    span before and its length, 0 and 0 for what stands for nothing, or 999 for the same span again
    parts.json      each normaliser and pre-tokeniser by itself: {name: {"normalizer" or "pre_tokenizer", "results"}}; for each of
                    the texts there the bytes of the tokens of a vocabulary that is bytes only, with | behind each piece

Needs tokenizers, transformers and sentencepiece.
"""

import json
import sys
from pathlib import Path

import tokenizer_cases
from check_tokenizers import in_bytes

LENGTH = 20  # characters; longer texts are left to check_tokenizers.py, but for the ones below
LONG = ["a" * 101, "a" * 100, "漢" * 101]
BIG = ("llama", "unigram-bytes")  # families that are left to it, too: their parts are among those of others
TEXTS = 152
PART_TEXTS = 20
SAME_AGAIN = 999


def write_json(path, content):
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=True) + "\n")


def some_texts():
    made = tokenizer_cases.Texts(11).take(20 * TEXTS)
    short = [text for text in made if len(text) <= LENGTH]
    # Those written by hand, which come first, then some of every kind.
    by_hand = [text for text in tokenizer_cases.HAND if len(text) <= LENGTH]
    rest = short[len(by_hand) :]
    step = len(rest) // (TEXTS - len(by_hand) - len(LONG))
    return (by_hand + rest[::step])[: TEXTS - len(LONG)] + LONG


def answers(tokenizer, texts):
    rows = []
    for text, encoding in zip(texts, tokenizer.encode_batch(texts), strict=True):
        spans = []
        last = (0, 0)
        for begin, end in in_bytes(text, encoding.offsets):
            if end and (begin, end) == last:
                spans.append(SAME_AGAIN)
            else:
                spans += [begin - last[1], end - begin] if end else [0, 0]
            last = (begin, end) if end else last
        rows.append([encoding.ids, spans])
    return rows


def spelled(tokenizer, text):
    return bytes(tokenizer.encode(text).ids).decode()


def part_of(name, whole):
    """The JSON of the part that a case of tokenizer_cases.parts tries."""
    kind = "normalizer" if name.startswith("normalizer/") else "pre_tokenizer"
    return kind, json.loads(whole.to_str())[kind]


def main():
    out = Path(sys.argv[1]) / "tokenizers"
    out.mkdir(parents=True, exist_ok=True)
    texts = some_texts()
    write_json(out / "texts.json", texts)
    charsmap = tokenizer_cases.small_charsmap()
    for name, tokenizer in tokenizer_cases.families(charsmap).items():
        if name in BIG:
            continue
        write_json(out / f"{name}.json", json.loads(tokenizer.to_str()))
        write_json(out / f"{name}.ids.json", answers(tokenizer, texts))
    parts = {}
    part_texts = texts[:: len(texts) // PART_TEXTS][:PART_TEXTS]
    for name, tokenizer in tokenizer_cases.parts(charsmap).items():
        if name.startswith("pre_tokenizer/"):
            continue  # its twin marks the ends
        kind, part = part_of(name, tokenizer)
        parts[name] = {kind: part, "results": [spelled(tokenizer, text) for text in part_texts]}
    write_json(out / "parts.json", {"texts": part_texts, "parts": parts})
    print(f"{out}: {sum(path.stat().st_size for path in out.iterdir()):,} bytes, {len(texts)} texts")


if __name__ == "__main__":
    main()
