"""What the models are asked for: phrases of attribute and kind, the sentences around them, and the combinations that no training
names.

Needs nothing but Python, so that tests can run it anywhere.
"""

import dataclasses
import functools
import hashlib
import itertools

# Attributes that a phrase may name, in the order in which English has them. A value in `UNSPOKEN` is what nobody would say.
ATTRIBUTES = ("size", "pattern", "color")
UNSPOKEN = frozenset({"medium", "plain", "none", ""})

# Of a hundred combinations of attribute and kind, so many are kept out of all training.
HELD_OUT_PERCENT = 25

# Sentences around a phrase. The first is the phrase as a detector is asked for it, the second the program's sentence for CLIP.
TEMPLATES = (
    "{}",
    "This is a photo of {}.",
    "a {}",
    "a photo of a {}",
    "a photo of a {}.",
    "the {}",
    "a picture of the {}",
    "one {}",
    "a drawing of a {}.",
    "there is a {} in the picture",
)
SCENE_TEMPLATES = ("{}", "This is a photo of {}.", "a {}", "a photo of a {}", "a picture of a {}.", "the {}")
# Phrases of an attribute without a kind.
THINGS = ("thing", "object")

# How conditions are said of a scene.
CONDITIONS = {
    "day": ("by day", "in daylight"),
    "dusk": ("at dusk", "in the evening"),
    "night": ("at night", "in the dark"),
    "rain": ("in the rain", "in rain"),
    "fog": ("in the fog", "in fog"),
    "snow": ("in the snow", "in snow"),
}


@functools.cache
def is_held_out(attribute, kind):
    """Whether "attribute kind" is kept out of training: by the hash of the words, so that the rule needs no list and no seed."""
    digest = hashlib.sha256(f"{attribute} {kind}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


@dataclasses.dataclass(frozen=True)
class Phrase:
    """A kind, attributes, or both; None where the phrase does not say it."""

    kind: str | None = None
    size: str | None = None
    pattern: str | None = None
    color: str | None = None

    def attributes(self):
        return [(name, value) for name in ATTRIBUTES if (value := getattr(self, name)) is not None]

    def text(self, thing=THINGS[0]):
        return " ".join([*(value for _, value in self.attributes()), self.kind or thing])

    def is_held_out(self):
        """Of several attributes, one that is held out with the kind is enough."""
        return self.kind is not None and any(is_held_out(value, self.kind) for _, value in self.attributes())

    def fits(self, thing):
        """Whether an object, a mapping of `kind` and attributes, is what the phrase says."""
        if self.kind is not None and thing["kind"] != self.kind:
            return False
        return all(thing.get(name) == value for name, value in self.attributes())

    def may_judge(self, thing):
        """Whether training may use the object as an example or a counterexample of the phrase. An attribute without a kind would
        name a held-out combination on the object that has it."""
        return self.kind is not None or not any(thing.get(n) == v and is_held_out(v, thing["kind"]) for n, v in self.attributes())


def spoken(thing):
    """The attributes of an object that a phrase may name."""
    return {name: thing[name] for name in ATTRIBUTES if thing.get(name) and thing[name] not in UNSPOKEN}


def phrases_of(thing):
    """All that training may say of an object: its kind, one or two attributes with it, one attribute alone."""
    named = spoken(thing)
    found = [Phrase(kind=thing["kind"])]
    for count in (1, 2):
        found += [Phrase(kind=thing["kind"], **dict(some)) for some in itertools.combinations(named.items(), count)]
    found += [Phrase(**{name: value}) for name, value in named.items()]
    return [phrase for phrase in found if not phrase.is_held_out() and phrase.may_judge(thing)]


def rivals_of(phrase, kinds, values):
    """Phrases that differ from one of kind and attribute in one word, as training may name them. `values`: attribute to its
    values."""
    if phrase.kind is None or not phrase.attributes():
        return []
    (name, value), *_ = phrase.attributes()
    others = [dataclasses.replace(phrase, **{name: other}) for other in values[name] if other != value and other not in UNSPOKEN]
    others += [dataclasses.replace(phrase, kind=kind) for kind in kinds if kind != phrase.kind]
    return [other for other in others if not other.is_held_out()]


def pairs(kinds, values):
    """Every phrase of one attribute and one kind."""
    return [
        Phrase(kind=kind, **{name: value})
        for kind in kinds
        for name in ATTRIBUTES
        for value in values.get(name, ())
        if value not in UNSPOKEN
    ]


def scene_phrases(scene, conditions):
    """What may be said of a whole image."""
    said = [scene]
    for condition in conditions:
        said += [f"{scene} {words}" for words in CONDITIONS.get(condition, ())]
    return said


def sentences(text, is_scene=False):
    """The text in every sentence."""
    return [template.replace("{}", text) for template in (SCENE_TEMPLATES if is_scene else TEMPLATES)]
