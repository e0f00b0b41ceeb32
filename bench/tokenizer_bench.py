"""Loading a tokenizer of 50,000 tokens and encoding 10,000 class names, against Hugging Face's tokenizers in one run:
tokenizer_bench.py BUILD_DIR.

Prints for CLIP's and BERT's kinds the ratios, peer divided by ours, each from the quickest of some rounds and both on one thread.
The number of tokens is compared as well: exit status 1 when it differs.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
VOCABULARY = 50_000
NAMES = 10_000

os.environ["TOKENIZERS_PARALLELISM"] = "false"


def made_up_words(rng, count):
    syllables = [a + b + c for a in "bcdfghklmnprstvw" for b in "aeiou" for c in ("", "n", "r", "s")]
    return sorted({"".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(count)})


def clip_like(words):
    """Merges of prefixes of words, each with what follows, until there are enough."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    symbols = [chr(byte) for byte in plain] + [chr(0x100 + i) for i in range(256 - len(plain))]
    pieces = dict.fromkeys([*symbols, *(symbol + "</w>" for symbol in symbols)])
    merges = []
    for length in range(2, 12):
        for word in words:
            marked = [*word[:-1], word[-1] + "</w>"]
            if length <= len(word) and len(pieces) < VOCABULARY - 2:
                left, right = "".join(marked[: length - 1]), marked[length - 1]
                if left + right not in pieces:
                    pieces[left + right] = None
                    merges.append([left, right])
    vocab = {piece: i for i, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    words_of_text = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    space = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    split = {"type": "Split", "pattern": {"Regex": words_of_text}, "behavior": "Removed", "invert": True}
    marks = {"sep": ["<|endoftext|>", len(vocab) - 1], "cls": ["<|startoftext|>", len(vocab) - 2]}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, space, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": {"type": "RobertaProcessing", **marks, "trim_offsets": False, "add_prefix_space": False},
        "model": {"type": "BPE", "unk_token": "<|endoftext|>", "end_of_word_suffix": "</w>", "vocab": vocab, "merges": merges},
    }


def bert_like(words):
    letters = sorted(set("".join(words)))
    pieces = dict.fromkeys(["[UNK]", "[CLS]", "[SEP]", *letters, *("##" + letter for letter in letters)])
    pieces |= dict.fromkeys("##" + word[i:] for word in words for i in range(2, len(word), 2))
    vocab = {piece: i for i, piece in enumerate([*pieces, *words][:VOCABULARY])}
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    return {
        "version": "1.0",
        "normalizer": bert,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    }


def quickest(work):
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = work()
        best = min(best, 1000 * (time.perf_counter() - start))
    return best, result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="folder of the release build")
    options = parser.parse_args()
    try:
        from tokenizers import Tokenizer
    except ImportError:
        print("left out: tokenizers is not installed, see scripts/requirements-bench.txt")
        return 0
    rng = random.Random(4)
    words = made_up_words(rng, 60_000)
    names = [" ".join(rng.choices(words, k=rng.randint(1, 4))) for _ in range(NAMES)]
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder, "names.txt")
        texts.write_text("\n".join(names) + "\n")
        for kind, document in (("CLIP", clip_like(words)), ("BERT", bert_like(words))):
            path = Path(folder, f"{kind}.json")
            path.write_text(json.dumps(document))
            command = [Path(options.build, "bench", "tokenizer_bench"), path, texts, str(ROUNDS)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            ours = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}
            load, tokenizer = quickest(lambda path=path: Tokenizer.from_file(str(path)))
            encode, encodings = quickest(lambda tokenizer=tokenizer: tokenizer.encode_batch(names))
            tokens = sum(len(encoding.ids) for encoding in encodings)
            print(
                f"{kind}, {len(document['model']['vocab']):,} tokens: load {load / ours['load']:.2f} ({ours['load']:.0f} ms), "
                f"{NAMES:,} names {encode / ours['encode']:.2f} ({ours['encode']:.0f} ms), {tokens:,} tokens"
            )
            if tokens != ours["tokens"]:
                print(f"{kind}: {ours['tokens']:.0f} tokens are ours, {tokens} the peer's")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
