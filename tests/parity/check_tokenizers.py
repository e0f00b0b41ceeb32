"""Compares our tokenizers with Hugging Face's on made-up texts: check_tokenizers.py TOOL [--texts N] [--seed N] [CASE …].

TOOL is the program tokenizer_answers of the build. Every case is compared in ids, with and without marks, and in spans. The cases
are the families of tokenizer_cases.py, its parts one by one, and, where VERILABEL_TEST_DATA has them, the vocabularies of CLIP and
BERT in full. Ends with 1 when any text differs, and shows the first.

Needs tokenizers, transformers, sentencepiece and NumPy.
"""

import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import tokenizer_cases
import transformers
from tokenizers import Tokenizer

REFUSED = 2**32 - 1
SHOWN = 3  # differences of a case


def answers(tool, path, texts, *, marks):
    """For each text the ids and spans, the latter in bytes, or the words of an error."""
    asked = b"".join(len(data).to_bytes(4, "little") + data for data in (text.encode() for text in texts))
    done = subprocess.run([tool, path, *([] if marks else ["--no-marks"])], input=asked, capture_output=True, check=True)
    rest = done.stdout
    place = 0
    for _ in texts:
        count = int.from_bytes(rest[place : place + 4], "little")
        place += 4
        if count == REFUSED:
            size = int.from_bytes(rest[place : place + 4], "little")
            yield rest[place + 4 : place + 4 + size].decode()
            place += 4 + size
        else:
            rows = np.frombuffer(rest, np.uint32, 3 * count, place).reshape(count, 3)
            yield rows[:, 0].tolist(), [(int(begin), int(end)) for begin, end in rows[:, 1:]]
            place += 12 * count


def in_bytes(text, spans):
    """Spans in characters as spans in bytes; those that stand for nothing as (0, 0)."""
    sizes = [len(char.encode()) for char in text]
    places = [0]
    for size in sizes:
        places.append(places[-1] + size)
    return [(places[begin], places[end]) if begin < end else (0, 0) for begin, end in spans]


def without_empty(spans):
    return [span if span[0] < span[1] else (0, 0) for span in spans]


def compare(tool, name, reference, path, texts):
    """How many texts differ; prints the first."""
    wrong = 0
    has_spans = not name.startswith("ends/")
    for marks in (True, False):
        compares_spans = marks and has_spans
        expected = reference.encode_batch(texts, add_special_tokens=marks)
        for text, want, got in zip(texts, expected, answers(tool, path, texts, marks=marks), strict=True):
            if isinstance(got, str):
                problem = f"refused: {got}"
            elif got[0] != want.ids:
                problem = f"ids {got[0]} instead of {want.ids} {want.tokens}"
            elif compares_spans and without_empty(got[1]) != in_bytes(text, want.offsets):
                problem = f"spans {without_empty(got[1])} instead of {in_bytes(text, want.offsets)} of {want.tokens}"
            else:
                continue
            wrong += 1
            if wrong <= SHOWN:
                print(f"  {text!r}\n    {problem}"[:1500])
    return wrong


def real_cases(folder):
    """CLIP's and BERT's vocabularies in full: (name, reference, what we load)."""
    data = pathlib.Path(os.environ.get("VERILABEL_TEST_DATA", "")) / "text"
    if not data.is_dir():
        print("the real vocabularies are left out: VERILABEL_TEST_DATA is not set")
        return
    bert = data / "bert_base_uncased_tokenizer.json"
    yield "real/bert tokenizer.json", Tokenizer.from_file(str(bert)), bert
    (folder / "bert").mkdir()
    (folder / "bert" / "vocab.txt").write_bytes((data / "vocab.txt").read_bytes())
    yield "real/bert vocab.txt", transformers.BertTokenizer(vocab=str(data / "vocab.txt")).backend_tokenizer, folder / "bert"

    lines = gzip.decompress((data / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode().split("\n")
    openai = folder / "bpe_simple_vocab_16e6.txt"
    openai.write_text("\n".join(lines))
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    symbols = tokenizer_cases.vocabulary.byte_symbols()
    pieces = symbols + [symbol + "</w>" for symbol in symbols] + ["".join(merge) for merge in merges]
    vocab = {piece: i for i, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    clip = transformers.CLIPTokenizer(vocab=vocab, merges=merges).backend_tokenizer
    clip.save(str(folder / "real-clip.json"))
    yield "real/clip tokenizer.json", clip, folder / "real-clip.json"
    yield "real/clip bpe_simple_vocab", clip, openai
    files = folder / "clip"
    files.mkdir()
    (files / "vocab.json").write_text(json.dumps(vocab))
    (files / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    yield "real/clip vocab.json and merges.txt", clip, files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool", type=pathlib.Path)
    parser.add_argument("cases", nargs="*", help="names, or beginnings of names; all by default")
    parser.add_argument("--texts", type=int, default=100_000, help="how many a case")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_intermixed_args()

    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        full = tokenizer_cases.charsmap(normalization_rule_name="nmt_nfkc")
        folded = tokenizer_cases.charsmap(normalization_rule_name="nmt_nfkc_cf")
        cases = tokenizer_cases.families(full) | tokenizer_cases.parts(folded)
        loaded = []
        for case, tokenizer in cases.items():
            path = folder / f"{case.replace('/', '-')}.json"
            tokenizer.save(str(path))
            loaded.append((case, Tokenizer.from_file(str(path)), path))
        loaded += real_cases(folder)
        for case, reference, path in loaded:
            if options.cases and not any(case.startswith(wanted) for wanted in options.cases):
                continue
            start = time.monotonic()
            texts = tokenizer_cases.Texts(f"{options.seed} {case}").take(options.texts)
            wrong = compare(options.tool, case, reference, path, texts)
            print(f"{case}: {wrong} of {2 * len(texts)} differ ({time.monotonic() - start:.0f} s)", flush=True)
            failed += [case] if wrong else []
    print(f"{len(failed)} cases differ" + (f": {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
