"""Reads what `verilabel demo create` wrote, and keeps images as each model takes them in files beside it, so that a second pass
over them costs nothing.

Images are brought to the inputs as the program does it: the letterbox of YOLO-World by OpenCV, CLIP's and SAM's resizing by Pillow.
"""

import dataclasses
import functools
import json
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow
from prompts import ATTRIBUTES, CONDITIONS
from pycocotools import mask as mask_utils

LETTERBOX_VALUE = 114
CROP_MARGIN = 0.125  # of the box's sides, on each side, that a kept crop shows beyond the box
CROP_SIDE = 80  # of a kept crop; the box itself is 64 of them
assert CROP_SIDE / (1 + 2 * CROP_MARGIN) == 64


@dataclasses.dataclass(frozen=True)
class Thing:
    """One object of the truth. `facts`: its kind, and its color, size and pattern where it has one."""

    image: int
    box_xywh_px: tuple
    facts: dict
    segmentation: dict

    def box_xyxy(self):
        x, y, w, h = self.box_xywh_px
        return x, y, x + w, y + h

    def mask(self):
        """[height, width] of 0 and 1."""
        return mask_utils.decode(self.segmentation)


@dataclasses.dataclass(frozen=True)
class Picture:
    path: Path
    width: int
    height: int
    scene: str
    conditions: tuple


class World:
    """Pictures and things of some worlds, one after the other."""

    def __init__(self, folders):
        self.folders = [Path(folder) for folder in folders]
        self.pictures, self.things, kinds, values = [], [], set(), {}
        for folder in self.folders:
            self.read(folder, kinds, values)
        self.kinds = sorted(kinds)
        self.values = {name: sorted(found) for name, found in sorted(values.items())}
        self.things_of = [[] for _ in self.pictures]
        for number, thing in enumerate(self.things):
            self.things_of[thing.image].append(number)

    def read(self, folder, kinds, values):
        truth = json.loads((folder / "truth.json").read_text())
        names = {category["id"]: category["name"] for category in truth["categories"]}
        number_of = {}
        for image in truth["images"]:
            number_of[image["id"]] = len(self.pictures)
            said = scene_and_conditions(image["fields"])
            self.pictures.append(Picture(folder / "images" / image["file_name"], image["width"], image["height"], *said))
        kinds.update(names.values())
        for one in truth["annotations"]:
            facts = {"kind": names[one["category_id"]]}
            for name in ATTRIBUTES:
                if value := one.get("attributes", {}).get(name):
                    facts[name] = value
                    values.setdefault(name, set()).add(value)
            segmentation = one["segmentation"]
            if isinstance(segmentation["counts"], list):
                segmentation = mask_utils.frPyObjects(segmentation, *segmentation["size"])
            self.things.append(Thing(number_of[one["image_id"]], tuple(one["bbox"]), facts, segmentation))

    def words(self):
        """What the tokenizer must know as whole words."""
        scenes = {picture.scene for picture in self.pictures} | {one for p in self.pictures for one in p.conditions}
        return sorted({*self.kinds, *(value for found in self.values.values() for value in found), *scenes} - {""})

    def kept(self, name, shape, count, make):
        """An array [count, *shape] of bytes that `make(array, folder_number)` fills where no earlier call did."""
        parts = []
        for number, folder in enumerate(self.folders):
            path = folder / "prepared" / f"{name}.npy"
            if not path.is_file():
                path.parent.mkdir(exist_ok=True)
                temporary = path.with_suffix(f".{os.getpid()}.partial")
                array = np.lib.format.open_memmap(temporary, "w+", np.uint8, (count(number), *shape))
                make(array, number)
                array.flush()
                del array
                temporary.replace(path)
            parts.append(np.load(path, mmap_mode="r"))
        return Rows(parts)

    @functools.cached_property
    def pictures_of_folder(self):
        return [[i for i, p in enumerate(self.pictures) if p.path.parent.parent == folder] for folder in self.folders]

    @functools.cached_property
    def things_of_folder(self):
        return [[t for i in numbers for t in self.things_of[i]] for numbers in self.pictures_of_folder]

    def letterboxed(self, side):
        """[pictures, side, side, 3], the detector's input."""

        def make(array, folder):
            for row, number in enumerate(self.pictures_of_folder[folder]):
                array[row] = letterboxed(read_rgb(self.pictures[number].path), side)

        return self.kept(f"letterboxed-{side}", (side, side, 3), lambda folder: len(self.pictures_of_folder[folder]), make)

    def padded(self, side):
        """[pictures, side, side, 3], the segmenter's input; black where there is no image."""

        def make(array, folder):
            for row, number in enumerate(self.pictures_of_folder[folder]):
                array[row] = padded(read_rgb(self.pictures[number].path), side)

        return self.kept(f"padded-{side}", (side, side, 3), lambda folder: len(self.pictures_of_folder[folder]), make)

    def crops(self):
        """[things, CROP_SIDE, CROP_SIDE, 3] in the order of `row_of_crop`, each stretched; in the middle of each lies its box."""

        def make(array, folder):
            row = 0
            for number in self.pictures_of_folder[folder]:
                image = read_rgb(self.pictures[number].path)
                for thing in self.things_of[number]:
                    array[row] = crop(image, self.things[thing].box_xywh_px)
                    row += 1

        return self.kept("crops", (CROP_SIDE, CROP_SIDE, 3), lambda folder: len(self.things_of_folder[folder]), make)

    @functools.cached_property
    def row_of_crop(self):
        """Where in `crops` a thing is."""
        order = [thing for of_folder in self.things_of_folder for thing in of_folder]
        rows = np.empty(len(order), np.int64)
        rows[order] = np.arange(len(order))
        return rows

    def wholes(self):
        """[pictures, CROP_SIDE, CROP_SIDE, 3], whole images, stretched."""

        def make(array, folder):
            for row, number in enumerate(self.pictures_of_folder[folder]):
                image = Pillow.fromarray(read_rgb(self.pictures[number].path))
                array[row] = np.asarray(image.resize((CROP_SIDE, CROP_SIDE), Pillow.Resampling.BILINEAR))

        return self.kept("wholes", (CROP_SIDE, CROP_SIDE, 3), lambda folder: len(self.pictures_of_folder[folder]), make)


def scene_and_conditions(fields):
    """The scene, and the conditions that `prompts.CONDITIONS` has words for."""
    return fields.get("scene", ""), tuple(fields[name] for name in ("light", "weather") if fields.get(name) in CONDITIONS)


class Rows:
    """Several arrays as one after the other."""

    def __init__(self, parts):
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self):
        return int(self.ends[-1])

    def __getitem__(self, row):
        part = int(np.searchsorted(self.ends, row, side="right"))
        return self.parts[part][row - (self.ends[part - 1] if part else 0)]

    def take(self, rows):
        return np.stack([self[int(row)] for row in rows])


def read_rgb(path):
    return np.asarray(Pillow.open(path).convert("RGB"))


def letterbox_of(width, height, side):
    """Factor, and what is left free at the left and at the top, in pixels of the input."""
    scale = side / max(width, height)
    return scale, (side - int(width * scale)) // 2, (side - int(height * scale)) // 2


def letterboxed(image, side):
    height, width = image.shape[:2]
    scale, left, top = letterbox_of(width, height, side)
    wide, high = int(width * scale), int(height * scale)
    canvas = np.full((side, side, 3), LETTERBOX_VALUE, np.uint8)
    canvas[top : top + high, left : left + wide] = cv2.resize(image, (wide, high), interpolation=cv2.INTER_LINEAR)
    return canvas


def padded_size(width, height, side):
    scale = side / max(width, height)
    return int(width * scale + 0.5), int(height * scale + 0.5)


def padded(image, side):
    height, width = image.shape[:2]
    size = padded_size(width, height, side)
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[: size[1], : size[0]] = np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BILINEAR))
    return canvas


def crop(image, box_xywh_px):
    """The box with its margin; beyond the border the image's outermost pixels go on."""
    x, y, w, h = box_xywh_px
    low = np.floor([x - CROP_MARGIN * w, y - CROP_MARGIN * h]).astype(int)
    high = np.maximum(np.ceil([x + w + CROP_MARGIN * w, y + h + CROP_MARGIN * h]).astype(int), low + 1)
    rows = np.arange(low[1], high[1]).clip(0, image.shape[0] - 1)
    columns = np.arange(low[0], high[0]).clip(0, image.shape[1] - 1)
    seen = Pillow.fromarray(np.ascontiguousarray(image[rows[:, None], columns]))
    return np.asarray(seen.resize((CROP_SIDE, CROP_SIDE), Pillow.Resampling.BILINEAR))
