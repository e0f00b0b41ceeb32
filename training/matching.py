"""Which objects fit which phrases, for all of them at once."""

import numpy as np
from prompts import ATTRIBUTES, is_held_out

COLUMNS = ("kind", *ATTRIBUTES)
ANYTHING = -1


class Matching:
    """Facts and phrases as rows of numbers: of the kind, then of each attribute; of phrases `ANYTHING` where they say nothing."""

    def __init__(self, kinds, values):
        self.words = {"kind": list(kinds)} | {name: list(values.get(name, ())) for name in ATTRIBUTES}
        self.numbers = {name: {word: i for i, word in enumerate(words)} for name, words in self.words.items()}
        # One column more, for what has no such attribute.
        self.held_out = {
            name: np.array([[is_held_out(word, kind) for word in self.words[name]] + [False] for kind in kinds])
            for name in ATTRIBUTES
        }

    def facts(self, things):
        """[things, columns]; what a thing has not is a number that no phrase has."""
        rows = [[self.numbers[n].get(t.get(n), len(self.words[n])) for n in COLUMNS] for t in things]
        return np.array(rows).reshape(-1, len(COLUMNS))

    def phrases(self, phrases):
        rows = [[self.numbers[n][w] if (w := getattr(p, n)) is not None else ANYTHING for n in COLUMNS] for p in phrases]
        return np.array(rows).reshape(-1, len(COLUMNS))

    def fits(self, facts, phrases):
        """[things, phrases]: whether the thing is what the phrase says."""
        return ((phrases == ANYTHING) | (facts[:, None] == phrases)).all(-1)

    def may_judge(self, facts, phrases):
        """[things, phrases]: whether training may use the thing as an example or a counterexample; see Phrase.may_judge."""
        allowed = np.ones((len(facts), len(phrases)), bool)
        without_kind = phrases[:, 0] == ANYTHING
        for column, name in enumerate(ATTRIBUTES, 1):
            said = phrases[:, column]
            has_it = facts[:, None, column] == said
            is_out = self.held_out[name][facts[:, 0][:, None], np.where(said == ANYTHING, -1, said)]
            allowed &= ~(without_kind & has_it & is_out & (said != ANYTHING))
        return allowed
