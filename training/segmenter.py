"""The segmenter, with the interface of SAM: a box or a point prompts a mask. And the recipe that trains it.

    python training/segmenter.py WORLD…

The encoder gives one map of features at half of the input's resolution. The decoder looks at the map through a window around the
box, draws there, and puts the drawing back into its place: small objects are drawn as finely as large ones. A point that is given
instead of a box first becomes one: the map says at each place how far the object reaches.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from layers import Conv, Split, doubled, parameter_count
from loop import Run, Schedule, arguments
from torch import nn
from world import World, padded_size

SIDE = 384
SCHEDULE = Schedule(steps=1100, batch=8, rate=2e-3)
WIDTH = 16  # of the map
MARGIN = 0.15  # of the box's sides, that the window reaches beyond it
WINDOW = 64  # places that the window looks at, across and down; as many pixels has the drawing
MASKS = 3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OUTSIDE = -12.0  # logit of pixels outside of the window


class Encoder(nn.Module):
    """[B, 3, SIDE, SIDE] -> [B, WIDTH, SIDE / 2, SIDE / 2]"""

    def __init__(self):
        super().__init__()
        self.to_2 = Conv(3, WIDTH, 3, 2)
        self.to_4 = nn.Sequential(Conv(WIDTH, 40, 3, 2), Split(40, 40, 1))
        self.to_8 = nn.Sequential(Conv(40, 72, 3, 2), Split(72, 72, 1))
        self.to_16 = nn.Sequential(Conv(72, 112, 3, 2), Split(112, 112, 2))
        self.from_16, self.at_8 = Conv(112, 72), Split(72, 72, 1)
        self.from_8, self.at_4 = Conv(72, 40), Split(40, 40, 1)
        self.from_4, self.at_2 = Conv(40, WIDTH), nn.Sequential(Conv(WIDTH, WIDTH, 3), nn.Conv2d(WIDTH, WIDTH, 1))

    def forward(self, pixel_values):
        x2 = self.to_2(pixel_values)
        x4 = self.to_4(x2)
        x8 = self.to_8(x4)
        x16 = self.to_16(x8)
        x8 = self.at_8(x8 + doubled(self.from_16(x16)))
        x4 = self.at_4(x4 + doubled(self.from_8(x8)))
        return self.at_2(x2 + doubled(self.from_4(x4)))


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


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.reach = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
        self.enter = Conv(WIDTH + 3, 32, 3, 2)
        self.body = nn.Sequential(Conv(32, 32, 3), Conv(32, 32, 3, 2), Split(32, 48, 1), Conv(48, 32))
        self.join = Conv(32, 32, 3)
        self.leave = Conv(32, 16)
        self.draw = nn.Sequential(Conv(16 + WIDTH, 16, 3), nn.Conv2d(16, MASKS, 1))
        self.judge = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, MASKS))

    def boxes_of_points(self, image_embeddings, points):
        """Points [B, P, 2] in pixels of the input -> boxes [B, P, 4]."""
        grid = (points * (2 / SIDE) - 1)[:, :, None]
        seen = F.grid_sample(image_embeddings, grid, padding_mode="border", align_corners=False)[..., 0].transpose(1, 2)
        edges = F.softplus(self.reach(seen)) * (SIDE / 8)
        return torch.cat([points - edges[..., :2], points + edges[..., 2:]], -1)

    def drawings(self, image_embeddings, boxes):
        """Logits in the window [B · P, MASKS, WINDOW, WINDOW], estimated IoU of each [B · P, MASKS]."""
        centres, halves = windows_of(boxes)
        seen = cut_out(image_embeddings, centres, halves, WINDOW)
        # Where in the window a place lies, and how large the window is.
        line = (torch.arange(WINDOW, device=seen.device) + 0.5) * (2 / WINDOW) - 1
        y, x = (one[None, None] for one in torch.meshgrid(line, line, indexing="ij"))
        size = halves.mean(-1).view(-1, 1, 1, 1)
        where = torch.cat([one + 0 * size for one in (x.abs(), y.abs(), size + 0 * x)], 1)
        half = self.enter(torch.cat([seen, where], 1))
        quarter = self.body(half)
        joined = self.join(half + doubled(quarter))
        logits = self.draw(torch.cat([doubled(self.leave(joined)), seen], 1))
        pooled = torch.cat([quarter.mean((2, 3)), joined.mean((2, 3))], 1)
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

PROMPTS = 8  # of an image, in a batch


class Batches:
    """Draws images, boxes around some of their objects, points in them, and what is in the windows of the boxes."""

    def __init__(self, world):
        self.world = world
        self.images = world.padded(SIDE)
        self.rows = [i for i, things in enumerate(world.things_of) if things]

    def draw(self, rng, batch):
        """Images, boxes [B, PROMPTS, 4] as detectors give them, masks in their windows [B · PROMPTS, WINDOW, WINDOW] from 0 to 1,
        points [B, PROMPTS, 2] and the true boxes [B, PROMPTS, 4]; all in pixels of the input."""
        rows = [self.rows[i] for i in rng.integers(len(self.rows), size=batch)]
        boxes, truths, points, masks = (np.zeros((batch, PROMPTS, n), np.float32) for n in (4, 4, 2, WINDOW * WINDOW))
        for i, row in enumerate(rows):
            picture = self.world.pictures[row]
            wide, high = padded_size(picture.width, picture.height, SIDE)
            scale = np.array([wide / picture.width, high / picture.height])
            things = self.world.things_of[row]
            for j, thing in enumerate(rng.choice(things, PROMPTS, replace=len(things) < PROMPTS)):
                thing = self.world.things[thing]
                mask = thing.mask()
                x1, y1, x2, y2 = thing.box_xyxy()
                truths[i, j] = np.array([x1, y1, x2, y2]) * np.tile(scale, 2)
                # True boxes are asked for, and those of detectors, which are a little off.
                sides = np.tile([x2 - x1, y2 - y1], 2)
                off = rng.normal(0, 0.06, 4).clip(-0.15, 0.15) * sides if rng.random() < 0.6 else 0
                box = np.array([x1, y1, x2, y2]) + off
                box[2:] = np.maximum(box[2:], box[:2] + 1)
                boxes[i, j] = box * np.tile(scale, 2)
                ys, xs = mask[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))].nonzero()
                at = rng.integers(len(xs))
                points[i, j] = (np.array([xs[at] + int(x1), ys[at] + int(y1)]) + 0.5) * scale
                masks[i, j] = in_window(mask, boxes[i, j] / np.tile(scale, 2), 1 / scale).ravel()
        images = self.images.take(rows)
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        pixels = (pixels / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        for i, row in enumerate(rows):
            picture = self.world.pictures[row]
            wide, high = padded_size(picture.width, picture.height, SIDE)
            pixels[i, :, high:], pixels[i, :, :, wide:] = 0, 0
        return pixels, *(torch.from_numpy(one) for one in (boxes, masks.reshape(-1, WINDOW, WINDOW), points, truths))


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


def losses_of(model, pixels, boxes, masks, points, truths):
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
    # Where a point's object reaches; a point says less than a box, so that large misses count no more than others.
    reached = model.decoder.boxes_of_points(seen, points)
    size = (truths[..., 2:] - truths[..., :2]).mean(-1).clamp(min=4)[..., None]
    return {
        # The best of the masks learns most, so that they may differ.
        "masks": 0.7 * each.amin(1).mean() + 0.3 * each.mean(),
        "scores": 0.5 * F.mse_loss(scores, overlap),
        "points": 0.1 * F.smooth_l1_loss(reached / size, truths / size, beta=0.1),
    }


def main():
    options = arguments(__doc__.split("\n")[0], "checkpoints/segmenter", SCHEDULE).parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    world = World(options.worlds)
    torch.manual_seed(options.seed)
    model = make({})
    print(f"{len(world.pictures):,} images, {len(world.things):,} things; {parameter_count(model):,} weights", flush=True)
    batches = Batches(world)
    schedule = Schedule(options.steps, options.batch, options.rate)
    run = Run(options, schedule, model.to(memory_format=torch.channels_last), {})
    run.go(lambda rng: losses_of(model, *batches.draw(rng, options.batch)))


if __name__ == "__main__":
    main()
