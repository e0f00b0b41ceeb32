"""Tests of what needs no PyTorch: the held-out rule, phrases, the tokenizer, and of matching where NumPy is there."""

import json
import pathlib
import tempfile
import unittest

from prompts import (
    HELD_OUT_PERCENT,
    Phrase,
    is_held_out,
    pairs,
    phrases_of,
    rivals_of,
    scene_phrases,
    sentences,
    spoken,
)
from tokenizer import BEGIN, END, Tokenizer

KINDS = ["boat", "bus", "car", "mug", "umbrella", "teddy bear", "person", "bottle"]
VALUES = {
    "color": ["black", "blue", "brown", "green", "orange", "purple", "red", "white", "yellow"],
    "pattern": ["plain", "spotted", "striped"],
    "size": ["large", "medium", "small"],
}
THINGS = [
    {"kind": kind, "color": color, "pattern": pattern, "size": size}
    for kind in KINDS
    for color in VALUES["color"]
    for pattern in VALUES["pattern"]
    for size in VALUES["size"]
] + [{"kind": "bus", "color": "red"}, {"kind": "mug"}]


class HeldOut(unittest.TestCase):
    def test_rule_stays_as_it_is(self):
        """Trained weights depend on it: a combination that changes sides makes their figures meaningless."""
        out = [f"{color} {kind}" for kind in ("car", "boat", "mug") for color in VALUES["color"] if is_held_out(color, kind)]
        self.assertEqual(out, ["brown car", "green car", "purple boat", "red boat", "red mug", "white mug"])

    def test_share(self):
        combinations = pairs(KINDS, VALUES)
        share = sum(phrase.is_held_out() for phrase in combinations) / len(combinations)
        self.assertGreater(share, 0.2)
        self.assertLess(share, (HELD_OUT_PERCENT + 10) / 100)

    def test_no_phrase_of_training_names_one(self):
        for thing in THINGS:
            for phrase in phrases_of(thing):
                self.assertTrue(phrase.fits(thing))
                self.assertFalse(phrase.is_held_out())
                for name, value in phrase.attributes():
                    self.assertFalse(is_held_out(value, thing["kind"]), f"{phrase} of {thing}, by its {name}")
                for rival in rivals_of(phrase, KINDS, VALUES):
                    self.assertFalse(rival.is_held_out())


class Phrases(unittest.TestCase):
    def test_words(self):
        self.assertEqual(Phrase(kind="car", color="red", size="small").text(), "small red car")
        self.assertEqual(Phrase(pattern="striped").text("object"), "striped object")
        self.assertEqual(spoken({"kind": "mug", "color": "red", "pattern": "plain", "size": "medium"}), {"color": "red"})

    def test_fits(self):
        thing = {"kind": "car", "color": "red", "size": "small"}
        self.assertTrue(Phrase(kind="car", size="small").fits(thing))
        self.assertTrue(Phrase(color="red").fits(thing))
        self.assertFalse(Phrase(kind="car", color="blue").fits(thing))
        self.assertFalse(Phrase(kind="car", pattern="striped").fits(thing))

    def test_rivals_differ_in_one_word(self):
        phrase = Phrase(kind="car", color=next(c for c in VALUES["color"] if not is_held_out(c, "car")))
        rivals = rivals_of(phrase, KINDS, VALUES)
        self.assertTrue(any(rival.kind == "car" for rival in rivals))
        self.assertTrue(any(rival.color == phrase.color for rival in rivals))
        self.assertNotIn(phrase, rivals)
        self.assertEqual(rivals_of(Phrase(kind="car"), KINDS, VALUES), [])

    def test_scenes(self):
        self.assertEqual(scene_phrases("street", ["night"]), ["street", "street at night", "street in the dark"])
        self.assertIn("a photo of a street", sentences("street", is_scene=True))


class Words(unittest.TestCase):
    def setUp(self):
        self.tokenizer = Tokenizer([phrase.text() for phrase in pairs(KINDS, VALUES)])

    def text_of(self, ids):
        pieces = {i: piece for piece, i in self.tokenizer.vocabulary.items()}
        return "".join(pieces[i] for i in ids[1:-1]).replace("</w>", " ").strip()

    def test_words_of_the_world_are_one_piece(self):
        for phrase in pairs(KINDS, VALUES):
            ids = self.tokenizer.ids(phrase.text())
            self.assertEqual(len(ids), 2 + len(phrase.text().split()))
            self.assertEqual(self.text_of(ids), phrase.text())

    def test_any_text_can_be_read(self):
        for text in ("xylophone", "it's 42 zebras!!", "  Two\twords ", "under_score"):
            said = self.text_of(self.tokenizer.ids(text)).replace(" ", "")
            self.assertEqual(said, "".join(text.lower().split()))
        self.assertEqual(self.tokenizer.ids(" "), [self.tokenizer.begin, self.tokenizer.end])

    def test_order_of_texts_changes_nothing(self):
        again = Tokenizer([phrase.text() for phrase in reversed(pairs(KINDS, VALUES))])
        self.assertEqual(again.document(), self.tokenizer.document())

    def test_marks_are_the_last_numbers(self):
        """The text tower knows them by that."""
        count = len(self.tokenizer)
        self.assertEqual([self.tokenizer.vocabulary[mark] for mark in (BEGIN, END)], [count - 2, count - 1])

    def test_file_says_the_same(self):
        try:
            import tokenizers
        except ImportError:
            self.skipTest("no package tokenizers")
        folder = pathlib.Path(tempfile.mkdtemp())
        self.tokenizer.save(folder)
        read = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.assertEqual(json.loads((folder / "tokenizer_config.json").read_text())["pad_token"], END)
        for text in ("red car", "This is a photo of a small boat.", "it's 42 zebras!!", "", "xylophone-like"):
            self.assertEqual(read.encode(text).ids, self.tokenizer.ids(text))


class Matches(unittest.TestCase):
    def test_like_phrases_one_by_one(self):
        try:
            from matching import Matching
        except ImportError:
            self.skipTest("no NumPy")
        matching = Matching(KINDS, VALUES)
        phrases = [*pairs(KINDS, VALUES), *(Phrase(kind=kind) for kind in KINDS)]
        phrases += [Phrase(**{name: value}) for name in VALUES for value in VALUES[name]]
        phrases += [Phrase(kind="car", color="red", size="small"), Phrase(color="blue", pattern="striped")]
        facts, asked = matching.facts(THINGS), matching.phrases(phrases)
        self.assertEqual(matching.fits(facts, asked).tolist(), [[p.fits(t) for p in phrases] for t in THINGS])
        self.assertEqual(matching.may_judge(facts, asked).tolist(), [[p.may_judge(t) for p in phrases] for t in THINGS])


if __name__ == "__main__":
    unittest.main()
