"""The segmenter, with the interface of SAM: a box or a point prompts a mask. And the recipe that trains it.

    python training/segmenter.py WORLD… --detector CHECKPOINT

The encoder looks with the detector's network, which stays as it is, and gives one map of all that a drawing needs, from pixels to
the box of the object at each place. The decoder looks at it through a window around the box that is asked for, finds there what
belongs to the object, draws that over the finer features, and puts the drawing back into its place: small objects are drawn as
finely as large ones. What the boxes at the places say tells the object from those that hide it, and makes a box of a point that is
given instead of one.
"""

from pathlib import Path

import cv2
import detector
import numpy as np
import torch
import torch.nn.functional as F
from layers import Conv, Split, doubled, parameter_count
from loop import Muon, Run, Schedule, arguments, load
from torch import nn
from world import World, padded_size

SIDE = 384
SCHEDULE = Schedule(steps=4200, batch=8, rate=1.5e-2)
FINE, COARSE = 16, 40  # features of the map's quarter places and of its places
# What the map tells of each place, 4 pixels across and down: the pixels, features of its quarters, its own, and the box of the
# object there, which the detector sees, as corners in parts of the input from -1 to 1.
PARTS = (3 * 16, FINE * 4, COARSE, 4)
MARGIN = 0.15  # of the box's sides, that the window reaches beyond it
WINDOW = 64  # places that the window looks at, across and down; as many pixels has the drawing
MASKS = 3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OUTSIDE = -12.0  # logit of pixels outside of the window


class Encoder(nn.Module):
    """[B, 3, SIDE, SIDE] -> [B, sum(PARTS), SIDE / 4, SIDE / 4]."""

    def __init__(self):
        super().__init__()
        self.detector = detector.Detector().requires_grad_(False)
        self.from_8, self.from_4 = Conv(80, 48), Conv(32, 48)
        self.at_4 = Split(48, 48, 1)
        self.coarse = nn.Conv2d(48, COARSE, 1)
        self.up, self.from_2 = Conv(48, FINE), Conv(16 + 12, FINE, 3)
        self.at_2 = nn.Sequential(Conv(FINE, FINE, 3), nn.Conv2d(FINE, FINE, 1))
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1))

    def train(self, mode=True):
        super().train(mode)
        self.detector.eval()
        return self

    @torch.no_grad()
    def seen_by_detector(self, pixel_values):
        """The detector's maps at strides 2, 4 and 8, and the boxes that it sees at places 8 pixels apart: [B, 4, …]."""
        x2 = self.detector.to_4[0](pixel_values * self.std + self.mean)
        x4 = self.detector.to_4[1:](x2)
        y8, _ = self.detector.down_and_up(x4)
        return x2, x4, y8, self.detector.heads[0].boxes(y8).transpose(1, 2).unflatten(2, y8.shape[-2:])

    def forward(self, pixel_values):
        x2, x4, y8, boxes = self.seen_by_detector(pixel_values)
        y4 = self.at_4(doubled(self.from_8(y8)) + self.from_4(x4))
        y2 = self.at_2(doubled(self.up(y4)) + self.from_2(torch.cat([x2, F.pixel_unshuffle(pixel_values, 2)], 1)))
        boxes = doubled(boxes * (2 / SIDE) - 1)
        return torch.cat([F.pixel_unshuffle(pixel_values, 4), F.pixel_unshuffle(y2, 2), self.coarse(y4), boxes], 1)


def windows_of(boxes):
    """Boxes [B, P, 4] as corners in pixels of the input -> centres and half sides of their windows [B, P, 2], in parts of the input
    from -1 to 1."""
    low, high = boxes[..., :2], boxes[..., 2:]
    half = (high - low).clamp(min=2.0) / 2 * (1 + 2 * MARGIN)
    return (low + high) / SIDE - 1, half * 2 / SIDE


def cut_out(maps, centres, halves, count):
    """What a window shows of maps [B, C, H, W]: [B · P, C, count, count], linear between places."""
    batch, channels = maps.shape[:2]
    prompts = centres.shape[1]
    places = (torch.arange(count, device=maps.device) + 0.5) * (2 / count) - 1
    x = centres[..., 0:1] + halves[..., 0:1] * places
    y = centres[..., 1:2] + halves[..., 1:2] * places
    grid = torch.stack([x[:, :, None, :].expand(-1, -1, count, -1), y[:, :, :, None].expand(-1, -1, -1, count)], -1)
    seen = F.grid_sample(maps, grid.reshape(batch, prompts * count, count, 2), padding_mode="border", align_corners=False)
    seen = seen.view(batch, channels, prompts, count, count).transpose(1, 2).reshape(batch * prompts, channels, count, count)
    return seen.contiguous(memory_format=torch.channels_last)


def shares(centres, halves, count):
    """How much each place of the window takes part in each of `count` pixels along an axis of the input, linear between places; and
    whether the pixel lies in the window: [B, P, count, WINDOW], [B, P, count]."""
    pixels = (torch.arange(count, device=centres.device) + 0.5) * (2 / count) - 1
    within = (pixels - centres[..., None]) / halves[..., None]
    at = ((within + 1) * (WINDOW / 2) - 0.5).clamp(0, WINDOW - 1)
    return (1 - (at[..., None] - torch.arange(WINDOW, device=centres.device)).abs()).clamp(min=0), within.abs() <= 1


def expected_overlaps(logits):
    """The IoU that each drawing has if its pixels are as sure as they say: [N, MASKS]."""
    sure = logits.sigmoid()
    drawn = (logits > 0).to(sure.dtype)
    within = (sure * drawn).sum((2, 3))
    return within / (drawn.sum((2, 3)) + sure.sum((2, 3)) - within).clamp(min=1)


class Decoder(nn.Module):
    """What belongs to the object is found in half of the window's places, where all of it is in view; the drawing has them all."""

    def __init__(self):
        super().__init__()
        self.enter = Conv(COARSE + 4 + 3, 32, 3)
        self.at_half = nn.Sequential(Conv(32, 48, 3, 2), Split(48, 48, 1))
        self.at_quarter = nn.Sequential(Conv(48, 64, 3, 2), Split(64, 64, 2), Conv(64, 48))
        self.join_half = nn.Sequential(Conv(48, 48, 3), Conv(48, 32))
        self.join = nn.Sequential(Conv(32, 32, 3), Conv(32, 16))
        self.draw = nn.Sequential(Conv(16 + FINE + 3, 16, 3), nn.Conv2d(16, MASKS, 1))
        self.judge = nn.Sequential(nn.Linear(48 + 16 + MASKS, 64), nn.ReLU(), nn.Linear(64, MASKS))

    def boxes_of_points(self, image_embeddings, points):
        """Points [B, P, 2] in pixels of the input -> boxes [B, P, 4]."""
        grid = (points * (2 / SIDE) - 1)[:, :, None]
        boxes = image_embeddings.split(PARTS, 1)[-1]
        boxes = F.grid_sample(boxes, grid, mode="nearest", padding_mode="border", align_corners=False)
        return (boxes[..., 0].transpose(1, 2) + 1) * (SIDE / 2)

    def drawings(self, image_embeddings, boxes):
        """Logits in the window [B · P, MASKS, WINDOW, WINDOW], estimated IoU of each [B · P, MASKS]."""
        centres, halves = windows_of(boxes)
        pixels, fine, *coarse = image_embeddings.split(PARTS, 1)
        pixels = cut_out(F.pixel_shuffle(pixels, 4), centres, halves, WINDOW)
        fine = cut_out(F.pixel_shuffle(fine, 2), centres, halves, WINDOW)
        seen, boxes = cut_out(torch.cat(coarse, 1), centres, halves, WINDOW // 2).split(PARTS[2:], 1)
        # How far the box of the object at a place lies from the one that is asked for, in sides.
        inner = halves / (1 + 2 * MARGIN)
        asked = torch.cat([centres - inner, centres + inner], -1).view(-1, 4, 1, 1)
        apart = ((boxes - asked) / (2 * inner).repeat(1, 1, 2).view(-1, 4, 1, 1)).clamp(-1, 1)
        # Where in the window a place lies, and how large the window is.
        line = (torch.arange(WINDOW // 2, device=seen.device) + 0.5) * (4 / WINDOW) - 1
        y, x = (one[None, None] for one in torch.meshgrid(line, line, indexing="ij"))
        size = halves.mean(-1).view(-1, 1, 1, 1)
        where = torch.cat([one + 0 * size for one in (x.abs(), y.abs(), size + 0 * x)], 1)
        whole = self.enter(torch.cat([seen, apart, where], 1))
        half = self.at_half(whole)
        quarter = self.at_quarter(half)
        half = self.join_half(half + doubled(quarter))
        whole = self.join(whole + doubled(half))
        logits = self.draw(torch.cat([doubled(whole), fine, pixels], 1))
        pooled = torch.cat([quarter.mean((2, 3)), whole.mean((2, 3)), expected_overlaps(logits.detach())], 1)
        return logits, self.judge(pooled).sigmoid()

    def forward(self, image_embeddings, input_points, input_labels, input_boxes):
        """Points [B, P, N, 2] with labels [B, P, N] (1 inside, others are not looked at) and boxes [B, P, 4] as corners, in pixels
        of the input; where there are no boxes, points stand for them. -> iou_scores [B, P, MASKS], pred_masks [B, P, MASKS, SIDE,
        SIDE]."""
        batch, prompts = input_points.shape[:2]
        inside = (input_labels == 1).to(input_points.dtype)[..., None]
        points = (input_points * inside).sum(2) / inside.sum(2).clamp(min=1)
        boxes = torch.cat([input_boxes, self.boxes_of_points(image_embeddings, points)], 1)[:, :prompts]
        logits, scores = self.drawings(image_embeddings, boxes)
        centres, halves = windows_of(boxes)
        across, is_across = shares(centres[..., 0], halves[..., 0], SIDE)
        down, is_down = shares(centres[..., 1], halves[..., 1], SIDE)
        logits = logits.view(batch, prompts, MASKS, WINDOW, WINDOW)
        masks = down[:, :, None] @ logits @ across[:, :, None].transpose(-1, -2)
        is_inside = (is_down[..., :, None] & is_across[..., None, :])[:, :, None]
        masks = torch.where(is_inside, masks, torch.full_like(masks, OUTSIDE))
        return scores.view(batch, prompts, MASKS), masks


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()


def make(_):
    return Segmenter()


# ---- Training ----

PROMPTS = 12  # of an image, in a batch
JITTER = 0.25  # share of the boxes that are a little off


class Batches:
    """Draws images, boxes around some of their objects, and what is in the windows of the boxes."""

    def __init__(self, world):
        self.world = world
        self.images = world.padded(SIDE)
        self.rows = [i for i, things in enumerate(world.things_of) if things]

    def draw(self, rng, batch):
        """Images, boxes [B, PROMPTS, 4] as detectors give them in pixels of the input, masks in their windows [B · PROMPTS, WINDOW,
        WINDOW] from 0 to 1."""
        rows = [self.rows[i] for i in rng.integers(len(self.rows), size=batch)]
        boxes, masks = np.zeros((batch, PROMPTS, 4), np.float32), np.zeros((batch, PROMPTS, WINDOW, WINDOW), np.float32)
        for i, row in enumerate(rows):
            picture = self.world.pictures[row]
            wide, high = padded_size(picture.width, picture.height, SIDE)
            scale = np.array([wide / picture.width, high / picture.height])
            things = self.world.things_of[row]
            for j, thing in enumerate(rng.choice(things, PROMPTS, replace=len(things) < PROMPTS)):
                thing = self.world.things[thing]
                mask = thing.mask()
                x1, y1, x2, y2 = thing.box_xyxy()
                # True boxes are asked for, and those of detectors, which are a little off.
                sides = np.tile([x2 - x1, y2 - y1], 2)
                off = rng.normal(0, 0.06, 4).clip(-0.15, 0.15) * sides if rng.random() < JITTER else 0
                box = np.array([x1, y1, x2, y2]) + off
                box[2:] = np.maximum(box[2:], box[:2] + 1)
                boxes[i, j] = box * np.tile(scale, 2)
                masks[i, j] = in_window(mask, boxes[i, j] / np.tile(scale, 2), 1 / scale)
        images = self.images.take(rows)
        pixels = (detector.in_some_light(images, rng) - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        for i, row in enumerate(rows):
            picture = self.world.pictures[row]
            wide, high = padded_size(picture.width, picture.height, SIDE)
            pixels[i, :, high:], pixels[i, :, :, wide:] = 0, 0
        return pixels, torch.from_numpy(boxes), torch.from_numpy(masks).flatten(0, 1)


def in_window(mask, box_xyxy_px, pixel_of_input):
    """How much of each place of the window is mask, 0 to 1. A box of less than two pixels of the input has a window as of two."""
    low, high = box_xyxy_px[:2], box_xyxy_px[2:]
    half = np.maximum(high - low, 2 * pixel_of_input) / 2 * (1 + 2 * MARGIN)
    corner, step = (low + high) / 2 - half, 2 * half / WINDOW
    affine = np.array([[step[0], 0, corner[0] + step[0] / 2 - 0.5], [0, step[1], corner[1] + step[1] / 2 - 0.5]])
    # Places that cover several pixels average them: the mask is made smaller first.
    if (shrink := int(min(step))) > 1:
        mask = cv2.resize(mask.astype(np.float32), None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        affine[:, :2] /= shrink
        affine[:, 2] = (affine[:, 2] + 0.5) / shrink - 0.5
    return cv2.warpAffine(
        mask.astype(np.float32), affine, (WINDOW, WINDOW), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=0
    )  # fmt: skip


def losses_of(model, pixels, boxes, masks):
    seen = model.encoder(pixels.contiguous(memory_format=torch.channels_last))
    logits, scores = model.decoder.drawings(seen, boxes)
    target = masks[:, None].expand_as(logits)
    crossed = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((2, 3))
    drawn = logits.sigmoid()
    dice = 1 - (2 * (drawn * target).sum((2, 3)) + 1) / (drawn.square().sum((2, 3)) + target.square().sum((2, 3)) + 1)
    each = crossed + dice
    with torch.no_grad():
        ours, theirs = logits > 0, target > 0.5
        overlap = (ours & theirs).sum((2, 3)) / (ours | theirs).sum((2, 3)).clamp(min=1)
    return {
        # The best of the masks learns most, so that they may differ.
        "masks": 0.7 * each.amin(1).mean() + 0.3 * each.mean(),
        "scores": F.mse_loss(scores, overlap),
    }


def main():
    parser = arguments(__doc__.split("\n")[0], "checkpoints/segmenter", SCHEDULE)
    parser.add_argument("--detector", type=Path, required=True, help="folder of the detector's checkpoint")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    world = World(options.worlds)
    torch.manual_seed(options.seed)
    model = make({})
    sight, saved = load(options.detector, detector.make)
    model.encoder.detector.load_state_dict(sight.state_dict())
    facts = {"detector": [saved["settings"], saved["step"]]}
    batches = Batches(world)
    run = Run(options, SCHEDULE, model.to(memory_format=torch.channels_last), facts, Muon)
    run.say(f"{len(world.pictures):,} images, {len(world.things):,} things; {parameter_count(model):,} weights")
    run.go(lambda rng: losses_of(model, *batches.draw(rng, run.batch)))


if __name__ == "__main__":
    main()
