"""The embedder, a small CLIP: a convolutional network for images, gated words for texts, and the recipe that trains both.

    python training/embedder.py WORLD…

The text tower is made to be compositional: a text is the sum of its words, each weighted by how much it says, and a small network
on top; there is no order. So "red boat" is read as well as "red car" even if nobody ever showed one.
"""

import numpy as np
import torch
import torch.nn.functional as F
from layers import Conv, Residual, parameter_count
from loop import Run, Schedule, arguments
from matching import ANYTHING, COLUMNS, Matching
from prompts import ATTRIBUTES, THINGS, Phrase, phrases_of, rivals_of, scene_phrases, sentences
from tokenizer import Tokenizer
from torch import nn
from world import CROP_SIDE, World

SIDE = 64
FEATURES = 128
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCHEDULE = Schedule(steps=4000, batch=128, rate=2e-3)
TEXTS = 192  # of a batch
SCENES = 16  # whole images in a batch


class ImageTower(nn.Module):
    def __init__(self, widths=(32, 64, 112, 160)):
        super().__init__()
        layers, inputs = [], 3
        for i, width in enumerate(widths):
            layers += [Conv(inputs, width, 3, 2), Residual(width)] if i < 3 else [Conv(inputs, width, 3, 2)]
            inputs = width
        self.layers = nn.Sequential(*layers)
        self.project = nn.Linear(2 * inputs, FEATURES)

    def forward(self, pixel_values):
        x = self.layers(pixel_values)
        return self.project(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))


class TextTower(nn.Module):
    """input_ids [texts, tokens] -> [texts, FEATURES]. Marks and padding are told by their numbers, the two greatest."""

    def __init__(self, tokens, width=96):
        super().__init__()
        self.marks = tokens - 2
        self.words = nn.Embedding(tokens, width)
        self.weights = nn.Embedding(tokens, 1)
        self.nothing = nn.Parameter(torch.zeros(width))
        self.straight = nn.Linear(width, FEATURES)
        self.bent = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, FEATURES))
        nn.init.normal_(self.words.weight, std=0.3)
        nn.init.zeros_(self.weights.weight)
        nn.init.normal_(self.nothing, std=0.05)
        nn.init.normal_(self.bent[3].weight, std=0.02)

    def forward(self, input_ids):
        is_word = (input_ids < self.marks).to(self.words.weight.dtype)[..., None]
        gates = torch.sigmoid(self.weights(input_ids)) * is_word
        said = (self.words(input_ids) * gates).sum(1) + self.nothing
        return self.straight(said) + self.bent(said)


class Embedder(nn.Module):
    def __init__(self, tokens):
        super().__init__()
        self.image = ImageTower()
        self.text = TextTower(tokens)
        self.logit_scale = nn.Parameter(torch.tensor(2.66))

    def scale(self):
        return self.logit_scale.clamp(max=4.6052).exp()

    def forward(self, input_ids, pixel_values):
        """logits_per_image, logits_per_text, text_embeds, image_embeds; the last two of length 1."""
        texts = F.normalize(self.text(input_ids), dim=-1)
        images = F.normalize(self.image(pixel_values), dim=-1)
        logits = self.scale() * images @ texts.T
        return logits, logits.T, texts, images


class Readings(nn.Module):
    """What a text says, told from its features alone: keeps words apart of which a crop shows nothing, such as sizes."""

    def __init__(self, facts):
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(FEATURES, len(words) + 1) for name, words in facts.items()})

    def forward(self, features):
        return {name: head(features) for name, head in self.heads.items()}


class Trained(nn.Module):
    """The embedder and what only its training needs."""

    def __init__(self, tokens, choices):
        super().__init__()
        self.embedder = Embedder(tokens)
        self.readings = Readings(choices)


def make(facts):
    """The network of a checkpoint, without what only training needs."""
    return Trained(len(Tokenizer(facts["words"])), facts["choices"])


def normalised(pixels):
    """[…, 3, height, width] of bytes -> as preprocessor_config.json says."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std


def looked_at(crops, rng):
    """Kept crops [B, CROP_SIDE, CROP_SIDE, 3] as boxes that are a little off see them, some mirrored: [B, 3, SIDE, SIDE]."""
    count = len(crops)
    scale = torch.from_numpy(rng.uniform(0.88, 1.2, (count, 2))) * (64 / CROP_SIDE)
    scale = scale.clamp(max=1.0)
    shift = (torch.from_numpy(rng.uniform(-1, 1, (count, 2))) * (1 - scale).clamp(max=0.15)).clamp(-0.12, 0.12)
    mirrored = torch.from_numpy(rng.choice([-1.0, 1.0], count))
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = scale[:, 0] * mirrored, scale[:, 1]
    affine[:, :, 2] = shift
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    grid = F.affine_grid(affine, (count, 3, SIDE, SIDE), align_corners=False)
    return normalised(F.grid_sample(pixels, grid, padding_mode="border", align_corners=False))


def contrast(logits, fits, counts):
    """Each right answer against all wrong ones that count, not against other right ones. [rows, columns] of logits and booleans."""
    wrong = torch.where(counts & ~fits, logits, torch.full_like(logits, -1e4)).logsumexp(1, keepdim=True)
    losses = F.softplus(wrong - logits)
    right = fits & counts
    return ((losses * right).sum(1) / right.sum(1).clamp(min=1))[right.any(1)].mean()


class Batches:
    """Draws things, whole images and texts, and says which fit each other."""

    def __init__(self, world, tokenizer, choices):
        self.world, self.tokenizer, self.choices = world, tokenizer, choices
        self.crops, self.wholes = world.crops(), world.wholes()
        self.matching = Matching(world.kinds, world.values)
        self.facts = self.matching.facts([thing.facts for thing in world.things])
        counts = {}
        for thing in world.things:
            counts[thing.facts["kind"]] = counts.get(thing.facts["kind"], 0) + 1
        weights = np.array([counts[thing.facts["kind"]] ** -0.5 for thing in world.things])
        self.chances = np.cumsum(weights / weights.sum())
        self.phrases = [phrases_of(thing.facts) for thing in world.things]
        self.scene_phrases = [scene_phrases(p.scene, p.conditions) for p in world.pictures]

    def draw(self, rng, batch):
        things = np.searchsorted(self.chances, rng.random(batch - SCENES)).clip(max=len(self.chances) - 1)
        pictures = rng.integers(len(self.world.pictures), size=SCENES)
        phrases = [Phrase(kind=kind) for kind in self.world.kinds]
        for thing in things:
            mine = self.phrases[thing]
            phrases.append(mine[rng.integers(len(mine))])
            if rng.random() < 0.4 and (rivals := rivals_of(phrases[-1], self.world.kinds, self.world.values)):
                phrases.append(rivals[rng.integers(len(rivals))])
        phrases = list(dict.fromkeys(phrases))[:TEXTS]
        scenes = list(dict.fromkeys(said[rng.integers(len(said))] for said in (self.scene_phrases[p] for p in pictures)))
        # Whole images fit what is said of them, crops what is said of things; neither fits the other's.
        fits = torch.zeros(batch, len(phrases) + len(scenes), dtype=torch.bool)
        counts = torch.ones_like(fits)
        facts, asked = self.facts[things], self.matching.phrases(phrases)
        seen = asked.copy()
        seen[:, COLUMNS.index("size")] = ANYTHING  # a crop does not show it
        says_something = (seen != ANYTHING).any(1)
        fits[: len(things), : len(phrases)] = torch.from_numpy(self.matching.fits(facts, seen))
        counts[: len(things), : len(phrases)] = torch.from_numpy(self.matching.may_judge(facts, asked) & says_something)
        for row, picture in enumerate(pictures, len(things)):
            for column, said in enumerate(scenes, len(phrases)):
                fits[row, column] = said in self.scene_phrases[picture]
        texts = [self.sentence(phrase.text(THINGS[rng.integers(len(THINGS))]), rng) for phrase in phrases]
        texts += [self.sentence(said, rng, True) for said in scenes]
        pixels = looked_at(np.concatenate([self.crops.take(self.world.row_of_crop[things]), self.wholes.take(pictures)]), rng)
        return pixels, self.tokens(texts), fits, counts, self.read(phrases, len(scenes))

    def sentence(self, text, rng, is_scene=False):
        said = sentences(text, is_scene)
        return said[0 if rng.random() < 0.3 else rng.integers(len(said))]

    def tokens(self, texts):
        rows = [self.tokenizer.ids(text) for text in texts]
        longest = max(map(len, rows))
        return torch.tensor([row + [self.tokenizer.end] * (longest - len(row)) for row in rows])

    def read(self, phrases, scenes):
        """What each text says, by number; 0 where it says nothing."""
        said = {}
        for name, words in self.choices.items():
            numbers = [words.index(word) + 1 if (word := getattr(phrase, name)) in words else 0 for phrase in phrases]
            said[name] = torch.tensor(numbers + [0] * scenes)
        return said


def main():
    options = arguments(__doc__.split("\n")[0], "checkpoints/embedder", SCHEDULE).parse_args()
    torch.set_num_threads(options.threads)
    world = World(options.worlds)
    choices = {"kind": world.kinds} | {name: world.values.get(name, []) for name in ATTRIBUTES}
    facts = {"words": world.words(), "choices": choices}
    tokenizer = Tokenizer(facts["words"])
    torch.manual_seed(options.seed)
    model = make(facts)
    batches = Batches(world, tokenizer, choices)

    def losses_of(rng):
        pixels, tokens, fits, counts, said = batches.draw(rng, run.batch)
        logits, _, texts, _ = model.embedder(tokens, pixels.contiguous(memory_format=torch.channels_last))
        read = model.readings(texts * 8)
        return {
            "image to text": 0.5 * contrast(logits, fits, counts),
            "text to image": 0.5 * contrast(logits.T, fits.T, counts.T),
            "reading": 0.1 * sum(F.cross_entropy(read[name], said[name]) for name in said),
        }

    run = Run(options, SCHEDULE, model.to(memory_format=torch.channels_last), facts)
    run.say(f"{len(world.pictures):,} images, {len(world.things):,} things; {parameter_count(model.embedder):,} weights")
    run.go(losses_of)


if __name__ == "__main__":
    main()
