"""Small vocabularies of our own, in the forms of those that the families were trained with."""

import collections
import io
import itertools
import re

import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

CORPUS = """
a photo of a cat. this is a photo of a dog. a blurry photo of the remote control. a person and a bicycle. traffic light, stop sign.
the fire hydrant of a person's house. hair drier and toothbrush. a bad photo of the traffic light. a cropped photo of two persons.
cell phone on the dining table. a close-up photo of a potted plant. the wine glass; a baseball bat? it's a teddy bear! café, naïve.
zebra, giraffe, elephant, horse, sheep, cow, bear. car, truck, bus, train, boat, airplane, motorcycle. knife, fork, spoon, bowl.
red, green, blue, yellow, black, white, small, large. damaged part, scratch, dent, crack, rust. 3 apples, 42 oranges, 7 lemons.
""".lower()

# What labels are in the wild: several words, upper case, accents, apostrophes, digits, other scripts, pictures.
LABELS = [
    "cat", "remote control", "Traffic Light", "fire hydrant", "person's dog", "café", "hair drier", "42 apples", "日本", "smile 🙂",
]  # fmt: skip

# What only the tokenizer is asked for.
ODD_TEXTS = [
    "", " ", "  two   spaces\tand a tab ", "UPPER lower MiXeD", "it's they've I'm", "12345 x2", "hello_world", "don't!!! stop??",
    "naïve CAFÉ", "ﬁne ①", "\N{COMBINING ACUTE ACCENT}e", "日本語 の 文", "🙂👍🏽", "a\u200bb", "<|endoftext|>", "</s> <eos>",
    "ß İ", "a very long prompt " * 30,
]  # fmt: skip


def byte_symbols():
    """The 256 characters that stand for bytes, in CLIP's order: first those that stand for themselves."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in plain] + [chr(0x100 + i) for i in range(256 - len(plain))]


def joined_pieces(pair):
    """Pieces that do not begin a word may be marked so by `##`."""
    return pair[0] + pair[1].removeprefix("##")


def merges_of(words, count):
    """The pairs that byte pair encoding joins, in order; the trainer of `tokenizers` leaves open which of equally frequent ones."""
    words = collections.Counter(tuple(word) for word in words)
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, times in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += times
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        joined = collections.Counter()
        for word, times in words.items():
            pieces, i = [], 0
            while i < len(word):
                is_pair = word[i : i + 2] == best
                pieces.append(joined_pieces(best) if is_pair else word[i])
                i += 1 + is_pair
            joined[tuple(pieces)] += times
        words = joined
    return merges


def clip_vocabulary(merge_count=120):
    """Bytes, bytes that end a word, one piece a merge, the two marks: CLIP's order."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    words = [[*word[:-1], word[-1] + "</w>"] for word, _ in split.pre_tokenize_str(CORPUS)]
    merges = merges_of(words, merge_count)
    symbols = byte_symbols()
    pieces = symbols + [symbol + "</w>" for symbol in symbols] + ["".join(merge) for merge in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    assert len(set(pieces)) == len(pieces)
    return {piece: i for i, piece in enumerate(pieces)}, merges


def clip_tokenizer(length=77, **settings):
    vocabulary, merges = clip_vocabulary()
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length, **settings)


def bert_vocabulary(merge_count=150):
    """In the order of BERT's: Grounding DINO knows [CLS], [SEP], "." and "?" by their numbers 101, 102, 1012 and 1029."""
    words = [[word[0], *("##" + letter for letter in word[1:])] for word in re.findall(r"[a-z]+", CORPUS)]
    pieces = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [f"[unused{i}]" for i in range(99, 994)]
    plain = [chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper()]
    pieces += plain + ["##" + letter for letter in plain if letter.isalnum()]
    pieces += dict.fromkeys(joined_pieces(merge) for merge in merges_of(words, merge_count))
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    assert len(vocabulary) == len(pieces) and [vocabulary[mark] for mark in ("[CLS]", "[SEP]", ".", "?")] == [101, 102, 1012, 1029]
    return vocabulary


def bert_tokenizer():
    return transformers.BertTokenizer(vocab=bert_vocabulary(), model_max_length=256)


# ---- SigLIP ----


def sentencepiece_model():
    """A unigram model with the marks of SigLIP's."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.split("\n")), model_writer=model, vocab_size=220, model_type="unigram", pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>", normalization_rule_name="identity",
        num_threads=1, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    return model.getvalue()


def siglip_tokenizer(model):
    """As the published tokenizer.json: what SiglipTokenizer does to a text in Python stands there as a normalizer."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in proto.pieces], unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Lowercase(),
        normalizers.Replace(Regex(r"""[!"\#\$%\&'\(\)\*\+,\-\.:;=\?@\[\\\]\^_`\{\|\}\~/<>]"""), ""),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>", pad_token="</s>", model_max_length=64,
        model_input_names=["input_ids"], padding_side="right",
    )  # fmt: skip


def siglip2_tokenizer(merge_count=150):
    """Gemma's kind: a whole text is one word, bytes stand for what is not in the vocabulary."""
    text = "▁".join(CORPUS.split())
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    letters = sorted(set(text))
    # Words end with the block that stands for the space after them, as where transformers splits.
    merges = merges_of(re.findall("[^▁]*▁?", text)[:-1], merge_count)
    pieces = marks + [f"<0x{byte:02X}>" for byte in range(256)] + letters + [joined_pieces(merge) for merge in merges]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    return transformers.Siglip2Tokenizer(
        vocab=vocabulary, merges=merges, add_bos_token=False, add_eos_token=True, model_max_length=64, padding_side="right",
        model_input_names=["input_ids"],
    )  # fmt: skip
