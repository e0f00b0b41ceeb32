"""The detector, a small YOLO-World: it finds what texts ask for, whose features are an input. And the recipe that trains it.

    python training/detector.py WORLD… --texts EMBEDDER

`--texts` is the embedder's folder of a checkpoint: its text tower stays as it is. Places are assigned to objects as in TOOD (Feng
et al., 2021), boxes learn by CIoU (Zheng et al., 2020), scores by a binary cross-entropy against what was asked for.
"""

import math
from pathlib import Path

import embedder
import numpy as np
import torch
import torch.nn.functional as F
from embedder import FEATURES
from layers import Conv, Split, doubled, parameter_count
from loop import Run, Schedule, arguments, load
from matching import Matching
from prompts import TEMPLATES, THINGS, Phrase, phrases_of, rivals_of
from tokenizer import Tokenizer
from torch import nn
from world import World, letterbox_of

SIDE = 384
STRIDES = (8, 16)
SCHEDULE = Schedule(steps=5000, batch=16, rate=2e-3, again=3000)


class Head(nn.Module):
    """Of one scale: features that are compared with texts, and distances to the sides of the box in strides."""

    def __init__(self, inputs, stride):
        super().__init__()
        self.stride = stride
        self.look = nn.Sequential(Conv(inputs, 64, 3), nn.Conv2d(64, FEATURES, 1))
        self.edges = nn.Sequential(Conv(inputs, 32, 3), nn.Conv2d(32, 4, 1))
        self.scale = nn.Parameter(torch.tensor(math.log(8.0)))
        self.bias = nn.Parameter(torch.tensor(-6.0))
        nn.init.constant_(self.edges[1].bias, 1.0)

    def forward(self, x):
        """Features [B, places, FEATURES] of length 1, boxes [B, places, 4] as corners in pixels of the input."""
        return F.normalize(self.look(x).flatten(2).transpose(1, 2), dim=-1), self.boxes(x)

    def boxes(self, x):
        edges = F.softplus(self.edges(x)).flatten(2).transpose(1, 2) * self.stride
        centres = self.centres(*x.shape[-2:], x.device)
        return torch.cat([centres - edges[..., :2], centres + edges[..., 2:]], -1)

    def centres(self, rows, columns, device=None):
        y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
        return (torch.stack([x, y], -1).view(-1, 2) * self.stride).to(device)


class Detector(nn.Module):
    """Things are small in these worlds: places are 8 and 16 pixels apart, and the layer at 32 is there for what surrounds them."""

    def __init__(self):
        super().__init__()
        self.to_4 = nn.Sequential(Conv(3, 16, 3, 2), Conv(16, 32, 3, 2), Split(32, 32, 1))
        self.to_8 = nn.Sequential(Conv(32, 64, 3, 2), Split(64, 64, 2))
        self.to_16 = nn.Sequential(Conv(64, 112, 3, 2), Split(112, 112, 2))
        self.to_32 = nn.Sequential(Conv(112, 128, 3, 2), Split(128, 128, 1))
        self.squeeze, self.around = Conv(128, 64), Conv(4 * 64, 128)
        self.up_16 = Split(128 + 112, 112, 1)
        self.up_8 = Split(112 + 64, 80, 1)
        self.down_16 = Conv(80, 64, 3, 2)
        self.at_16 = Split(64 + 112, 112, 1)
        self.heads = nn.ModuleList(Head(width, stride) for width, stride in zip((80, 112), STRIDES))

    def down_and_up(self, x4):
        """Of what `to_4` gives: the maps at strides 8 and 16."""
        x8 = self.to_8(x4)
        x16 = self.to_16(x8)
        pooled = [self.squeeze(self.to_32(x16))]
        for _ in range(3):
            pooled.append(F.max_pool2d(pooled[-1], 5, 1, 2))
        x32 = self.around(torch.cat(pooled, 1))
        y16 = self.up_16(torch.cat([doubled(x32), x16], 1))
        return self.up_8(torch.cat([doubled(y16), x8], 1)), y16

    def pyramid(self, images):
        y8, y16 = self.down_and_up(self.to_4(images))
        return y8, self.at_16(torch.cat([self.down_16(y8), y16], 1))

    def look(self, images):
        """Features, boxes, and by place the factor and offset of its scale."""
        found = [head(x) for head, x in zip(self.heads, self.pyramid(images))]
        places = [features.shape[1] for features, _ in found]
        features, boxes = (torch.cat(parts, 1) for parts in zip(*found))
        scales = torch.cat([head.scale.exp().expand(count) for head, count in zip(self.heads, places)])
        biases = torch.cat([head.bias.expand(count) for head, count in zip(self.heads, places)])
        return features, boxes, scales, biases

    def logits(self, images, text_features):
        features, boxes, scales, biases = self.look(images)
        return (features * scales[:, None]) @ text_features.transpose(-1, -2) + biases[:, None], boxes

    def forward(self, images, text_features):
        """[B, 3, SIDE, SIDE] from 0 to 1 and [B, texts, FEATURES] of length 1 -> scores [B, places, texts], boxes [B, places, 4] as
        corners in pixels of the input."""
        logits, boxes = self.logits(images, text_features)
        return logits.sigmoid(), boxes


def make(_):
    return Detector()


# ---- Training ----

ALPHA, BETA = 0.5, 6.0  # how much score and overlap count when places are assigned
PLACES = 10  # assigned to an object, at most
PHRASES = 160  # of a batch, beside the kinds


def overlaps(a, b):
    """IoU of boxes [..., 4] as corners, by broadcasting."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inside = (high - low).clamp(min=0).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    return inside / (areas - inside).clamp(min=1e-6)


def complete_overlaps(a, b):
    """CIoU of pairs of boxes [N, 4]."""
    around = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    apart = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2).square().sum(1) / around.square().sum(1).clamp(min=1e-6)
    wide_a, wide_b = (torch.atan((one[:, 2] - one[:, 0]) / (one[:, 3] - one[:, 1]).clamp(min=1e-3)) for one in (a, b))
    shape = 4 / math.pi**2 * (wide_a - wide_b).square()
    overlap = overlaps(a, b)
    with torch.no_grad():
        weight = shape / (1 - overlap + shape).clamp(min=1e-6)
    return overlap - apart - weight * shape


@torch.no_grad()
def assigned(scores, boxes, truths, centres):
    """Of one image: scores [places, objects] of each object's kind, boxes [places, 4], truths [objects, 4], centres [places, 2].
    -> places, the object of each, and how well they agree, from 0 to the object's best overlap."""
    inside = torch.minimum(centres[:, None] - truths[None, :, :2], truths[None, :, 2:] - centres[:, None]).amin(-1) > 0
    # An object between the centres of places gets the one that is nearest.
    lost = ~inside.any(0)
    if lost.any():
        nearest = ((truths[lost, :2] + truths[lost, 2:]) / 2)[None].sub(centres[:, None]).square().sum(-1).argmin(0)
        inside[nearest, lost.nonzero()[:, 0]] = True
    overlap = overlaps(boxes[:, None], truths[None]) * inside
    agreement = scores.clamp(min=1e-9) ** ALPHA * (overlap + 1e-9) ** BETA * inside
    chosen = torch.zeros_like(inside)
    best = agreement.topk(min(PLACES, len(centres)), 0).indices
    chosen.scatter_(0, best, True)
    chosen &= inside
    # A place that several objects want goes to the one that it overlaps most.
    crowded = chosen.sum(1) > 1
    if crowded.any():
        winner = (overlap[crowded] + chosen[crowded] * 2).argmax(1)
        chosen[crowded] = F.one_hot(winner, chosen.shape[1]).bool()
    agreement = agreement * chosen
    strength = agreement / agreement.amax(0).clamp(min=1e-12) * (overlap * chosen).amax(0)
    place, owner = chosen.nonzero(as_tuple=True)
    return place, owner, strength[place, owner]


class Batches:
    """Draws images and phrases, and says which objects fit which phrases."""

    def __init__(self, world, texts, tokenizer):
        self.world, self.texts, self.tokenizer = world, texts, tokenizer
        self.images = world.letterboxed(SIDE)
        self.matching = Matching(world.kinds, world.values)
        self.facts = self.matching.facts([thing.facts for thing in world.things])
        self.phrases = [phrases_of(thing.facts) for thing in world.things]
        self.boxes = np.array([self.box_in_input(thing) for thing in world.things], np.float32).reshape(-1, 4)
        self.features = {}

    def box_in_input(self, thing):
        picture = self.world.pictures[thing.image]
        scale, left, top = letterbox_of(picture.width, picture.height, SIDE)
        x1, y1, x2, y2 = thing.box_xyxy()
        return x1 * scale + left, y1 * scale + top, x2 * scale + left, y2 * scale + top

    def feature(self, text):
        if text not in self.features:
            with torch.no_grad():
                self.features[text] = F.normalize(self.texts(torch.tensor([self.tokenizer.ids(text)])), dim=-1)[0]
        return self.features[text]

    def draw(self, rng, batch):
        """Images, features of texts, and of each image its boxes, kinds, which phrases they fit and which of them count."""
        rows = rng.integers(len(self.world.pictures), size=batch)
        phrases = [Phrase(kind=kind) for kind in self.world.kinds]
        for thing in rng.permutation([thing for row in rows for thing in self.world.things_of[row]]):
            mine = self.phrases[thing][1:]
            if mine and len(phrases) < len(self.world.kinds) + PHRASES:
                phrases.append(mine[rng.integers(len(mine))])
                if rivals := rivals_of(phrases[-1], self.world.kinds, self.world.values):
                    phrases.append(rivals[rng.integers(len(rivals))])
        phrases = list(dict.fromkeys(phrases))
        texts = [phrase.text(THINGS[rng.integers(len(THINGS))]) for phrase in phrases]
        texts = [text if rng.random() < 0.7 else TEMPLATES[rng.integers(len(TEMPLATES))].replace("{}", text) for text in texts]
        asked = self.matching.phrases(phrases)
        images = self.images.take(rows)
        mirrored = rng.random(batch) < 0.5
        truths = []
        for i, row in enumerate(rows):
            things = self.world.things_of[row]
            boxes, facts = self.boxes[things], self.facts[things]
            if mirrored[i]:
                images[i] = images[i, :, ::-1]
                boxes = np.stack([SIDE - boxes[:, 2], boxes[:, 1], SIDE - boxes[:, 0], boxes[:, 3]], 1)
            truths.append((
                torch.from_numpy(boxes), torch.from_numpy(facts[:, 0]),
                torch.from_numpy(self.matching.fits(facts, asked)).float(),
                torch.from_numpy(self.matching.may_judge(facts, asked)).float(),
            ))  # fmt: skip
        return in_some_light(images, rng), torch.stack([self.feature(text) for text in texts])[None], truths


def in_some_light(images, rng):
    """[B, side, side, 3] of bytes -> [B, 3, side, side] from 0 to 1, brighter or darker, and every other one in warmer or colder
    light: a red thing is red in any."""
    count = len(images)
    gains = rng.uniform(0.8, 1.15, (count, 1)) * np.exp(rng.normal(0, 0.12, (count, 3)) * (rng.random((count, 1)) < 0.5))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return (pixels * torch.from_numpy(gains)[..., None, None].float()).clamp(max=1)


def losses_of(model, pixels, texts, truths, centres):
    logits, boxes = model.logits(pixels.contiguous(memory_format=torch.channels_last), texts)
    images, places, wanted, strengths, targets, weights = ([] for _ in range(6))
    for i, (truth, kinds, fits, counts) in enumerate(truths):
        if not len(truth):
            continue
        place, owner, strength = assigned(logits[i].detach()[:, kinds].sigmoid(), boxes[i].detach(), truth, centres)
        images.append(torch.full_like(place, i))
        places.append(place)
        wanted.append(truth[owner])
        strengths.append(strength)
        targets.append(strength[:, None] * fits[owner])
        weights.append(counts[owner])
    place = torch.cat(images), torch.cat(places)
    wanted, strengths, targets, weights = (torch.cat(parts) for parts in (wanted, strengths, targets, weights))
    # The binary cross-entropy of all against 0, and its difference where there is an object.
    here = logits[place]
    scores = F.softplus(logits).sum() + ((weights - 1) * F.softplus(here) - weights * targets * here).sum()
    edges = ((1 - complete_overlaps(boxes[place], wanted)) * strengths).sum() / strengths.sum().clamp(min=1)
    return {"scores": scores / targets.sum().clamp(min=1), "boxes": 5.0 * edges}


def main():
    parser = arguments(__doc__.split("\n")[0], "checkpoints/detector", SCHEDULE)
    parser.add_argument("--texts", type=Path, required=True, help="folder of the embedder's checkpoint")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    world = World(options.worlds)
    texts, saved = load(options.texts, embedder.make)
    tokenizer = Tokenizer(saved["facts"]["words"])
    torch.manual_seed(options.seed)
    model = make({})
    batches = Batches(world, texts.embedder.text, tokenizer)
    centres = torch.cat([head.centres(SIDE // head.stride, SIDE // head.stride) for head in model.heads])
    facts = {"texts": [saved["settings"], saved["step"]]}
    run = Run(options, SCHEDULE, model.to(memory_format=torch.channels_last), facts)
    run.say(f"{len(world.pictures):,} images, {len(world.things):,} things; {parameter_count(model):,} weights")
    run.go(lambda rng: losses_of(model, *batches.draw(rng, run.batch), centres))


if __name__ == "__main__":
    main()
