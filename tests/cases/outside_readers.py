"""What we export, opened by other people's readers: one class a reader, all skipped where its package is not installed.

VERILABEL_READERS_PYTHON names a Python that has the packages (tests/readers/requirements.txt), by default the one that runs this.
"""

import collections
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import unittest
import zipfile

import numpy
import PIL.Image
from harness import SOURCE, ProgramCase, write_json
from pycocotools import mask as coco_mask

READERS_PYTHON = os.environ.get("VERILABEL_READERS_PYTHON") or sys.executable
READ = SOURCE / "tests" / "readers" / "read.py"

CLASSES = ["cat", "traffic light", "東京 & <tower>", "yes", 'a "b": #c', "never seen"]
# Where a class has to be one word, and where a name cannot have a colon.
ONE_WORD = {"traffic light": "traffic_light", "東京 & <tower>": "東京&<tower>", 'a "b": #c': '"b":#c'}
NO_COLON = {'a "b": #c': 'a "b"'}

# Name, split, what is in it. `empty` is labelled and empty, `unlabelled` not labelled.
IMAGES = [
    ("boxes.png", "train", "boxes"),
    ("night/boxes 2.png", "train", "boxes"),
    ("night/straße/polygons.png", "train", "polygons"),
    ("polygons.png", "val", "polygons"),
    ("empty.png", "train", "empty"),
    ("night/empty 2.png", "val", "empty"),
    ("night/masks.png", "val", "masks"),
    ("mixed.png", "train", "mixed"),
    ("scored.png", "val", "scored"),
    ("unlabelled.png", "train", "unlabelled"),
]

Truth = collections.namedtuple("Truth", "name box polygons mask solid crowd confidence attributes")


class Dataset:
    """Random images and labels of every kind, the same ones each time: a COCO file, and what is in it by image."""

    def __init__(self, folder, kinds, folders):
        self.random = random.Random(20260728)
        self.images = folder / "images"
        self.sizes = {}
        self.truth = {}
        self.document = {"images": [], "annotations": [], "categories": []}
        for index, name in enumerate(CLASSES):
            self.document["categories"].append({"id": 3 * index + 1, "name": name})
        for name, split, kind in IMAGES:
            if kind in kinds and (folders or "/" not in name):
                self.add_image(name, split, kind)
        self.file = write_json(folder / "labels.json", self.document)

    def add_image(self, name, split, kind):
        width, height = self.random.randint(120, 200), self.random.randint(90, 160)
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = numpy.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=numpy.uint8)
        PIL.Image.fromarray(pixels).save(path)
        image = {"id": 10 * len(self.truth) + 5, "file_name": name, "width": width, "height": height, "split": split}
        if kind == "unlabelled":
            image["labelled"] = False
        self.document["images"].append(image)
        self.sizes[name] = (width, height)
        self.truth[name] = None if kind == "unlabelled" else []
        shapes = {
            "boxes": [self.box] * 4,
            "polygons": [self.polygon, self.polygon, self.two_polygons],
            "masks": [self.mask, self.ring, self.crowd],
            "mixed": [self.box, self.polygon, self.mask],
            "scored": [self.box, self.box],
        }
        for shape in shapes.get(kind, []):
            self.add_label(image, shape(width, height), kind)

    def add_label(self, image, annotation, kind):
        number = len(self.document["annotations"]) + 1
        attributes = {"number": number} if number % 2 else {"occluded": True, "colour": 'red & "blue"'}
        annotation |= {
            "id": 2 * number,
            "image_id": image["id"],
            "category_id": self.random.choice(self.document["categories"][:-1])["id"],
            "attributes": attributes,
        }
        if kind == "scored":
            annotation["score"] = round(self.random.random(), 3)
        size = [image["height"], image["width"]]
        segmentation = annotation.get("segmentation")
        polygons = segmentation if isinstance(segmentation, list) else None
        mask = solid = None
        if segmentation:
            mask = rasterised(polygons, size) if polygons else pixels(segmentation["counts"], size)
            solid = filled(mask)
        if "bbox" not in annotation:
            annotation["bbox"] = box_around(polygons, mask)
        self.document["annotations"].append(annotation)
        name = CLASSES[(annotation["category_id"] - 1) // 3]
        self.truth[image["file_name"]].append(
            Truth(
                name,
                annotation["bbox"],
                polygons,
                mask,
                solid,
                bool(annotation.get("iscrowd")),
                annotation.get("score"),
                attributes,
            )
        )

    def box(self, width, height):
        w, h = self.number(20, 60), self.number(20, 60)
        return {"bbox": [self.number(0, width - w - 1), self.number(0, height - h - 1), w, h]}

    def number(self, low, high):
        """Never where a rasteriser rounds: a reader with single precision sees the same pixels."""
        return round(round(self.random.uniform(low, high), 2) + 0.003, 3)

    def star(self, width, height, x, y):
        """An outline around a point, which does not cross itself."""
        angles = sorted(self.random.uniform(0, 6.283) for _ in range(self.random.randint(5, 9)))
        radius = min(x, y, width - x, height - y) - 1
        points = [(angle, radius * self.random.uniform(0.6, 1)) for angle in angles]
        xy = [number for angle, r in points for number in (x + r * math.cos(angle), y + r * math.sin(angle))]
        return [round(round(number, 2) + 0.003, 3) for number in xy]

    def polygon(self, width, height):
        return {"segmentation": [self.star(width, height, width / 2, height / 2)]}

    def two_polygons(self, width, height):
        return {
            "segmentation": [self.star(width, height, width / 4, height / 2), self.star(width, height, width * 0.75, height / 2)]
        }

    def disc(self, width, height, hole):
        x, y, r = self.random.randint(45, width - 45), self.random.randint(42, height - 42), self.random.randint(25, 40)
        rows, columns = numpy.ogrid[:height, :width]
        distance = (columns - x) ** 2 + (rows - y) ** 2
        return run_lengths((distance < r * r) & (distance >= hole * hole))

    def mask(self, width, height):
        return {"segmentation": self.disc(width, height, 0)}

    def ring(self, width, height):
        return {"segmentation": self.disc(width, height, 9)}

    def crowd(self, width, height):
        return {"segmentation": self.disc(width, height, 5), "iscrowd": 1}


def rasterised(polygons, size):
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, *size))).astype(bool)


def pixels(counts, size):
    return numpy.repeat(numpy.arange(len(counts)) % 2 == 1, counts).reshape(size, order="F")


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def run_lengths(mask):
    flat = mask.ravel(order="F")
    edges = numpy.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = numpy.diff([0, *edges, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def filled(mask):
    """The mask with its holes: everything that cannot be reached from outside."""
    outside = numpy.zeros(numpy.add(mask.shape, 2), dtype=bool)
    outside[0] = outside[-1] = outside[:, 0] = outside[:, -1] = True
    free = numpy.pad(~mask, 1, constant_values=True)
    while True:
        grown = outside.copy()
        grown[1:] |= outside[:-1]
        grown[:-1] |= outside[1:]
        grown[:, 1:] |= outside[:, :-1]
        grown[:, :-1] |= outside[:, 1:]
        grown &= free
        if (grown == outside).all():
            return ~outside[1:-1, 1:-1]
        outside = grown


def box_around(polygons, mask):
    if polygons:
        x = [number for polygon in polygons for number in polygon[::2]]
        y = [number for polygon in polygons for number in polygon[1::2]]
        return [min(x), min(y), max(x) - min(x), max(y) - min(y)]
    rows, columns = numpy.flatnonzero(mask.any(axis=1)), numpy.flatnonzero(mask.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]


ALL_KINDS = ("boxes", "polygons", "masks", "mixed", "scored", "empty", "unlabelled")
BOXES = ("boxes", "scored", "empty", "unlabelled")
OUTLINES = ("boxes", "polygons", "scored", "empty", "unlabelled")


class ReaderCase(ProgramCase):
    """One reader, whose package is `package`."""

    package = None

    @classmethod
    def setUpClass(cls):
        found = [READERS_PYTHON, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({cls.package!r}) is None)"]
        if subprocess.run(found, check=False).returncode != 0:
            raise unittest.SkipTest(f"no {cls.package} in {READERS_PYTHON}: see tests/readers/requirements.txt")

    def make(self, *kinds, folders=True):
        """A project with such images, in which the program says of every label what went in."""
        self.data = Dataset(self.scratch, kinds, folders)
        self.init()
        report = self.run_program("import", "--images", self.data.images, "--labels", self.data.file, "--format", "coco").json
        self.assertEqual(report["labels_rejected"], 0)
        said = collections.defaultdict(list)
        for label in self.run_program("labels").json["labels"]:
            said[label["name"]].append(
                (label["class"], label["bbox"], label["kind"], label["crowd"], label["confidence"], label["attributes"])
            )
        for name, labels in self.data.truth.items():
            kinds = ["box" if label.mask is None else "mask" for label in labels or []]
            want = [(t.name, t.box, kind, t.crowd, t.confidence, t.attributes) for t, kind in zip(labels or [], kinds, strict=True)]
            self.assertEqual(said[name], want)

    def export(self, label_format, path, *words, classes=None):
        """Writes it with its images where the format has a place for them."""
        output = self.scratch / path
        output.parent.mkdir(parents=True, exist_ok=True)
        if classes:
            words = (*words, "--classes-map", write_json(self.scratch / "classes.json", classes))
        self.run_program("export", "--set", "ground_truth", "--format", label_format, "--output", output, *words)
        return output

    def read(self, name, path):
        """What the reader sees."""
        environment = {**os.environ, "YOLO_CONFIG_DIR": str(self.scratch), "FIFTYONE_DO_NOT_TRACK": "true", "MPLBACKEND": "Agg"}
        done = subprocess.run(
            [READERS_PYTHON, READ, self.package, name, path, self.data.images],
            capture_output=True,
            cwd=self.scratch,
            env=environment,
            timeout=300,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace")[-3000:])
        return json.loads(done.stdout)

    def expected(self, *, crowds=False, classes=None):
        """The truth by image, of the images that are labelled, with other names of classes."""
        return {
            name: [
                label._replace(name=(classes or {}).get(label.name, label.name)) for label in labels if crowds or not label.crowd
            ]
            for name, labels in self.data.truth.items()
            if labels is not None
        }

    def outlined(self, *, boxes=True):
        """What is expected where a mask is an outline without holes, and with `boxes` a box is the outline of its corners."""

        def outline(label, width, height):
            if label.mask is not None or not boxes:
                return label._replace(mask=label.solid)
            x, y, w, h = label.box
            return label._replace(mask=rasterised([[x, y, x + w, y, x + w, y + h, x, y + h]], (height, width)))

        return {name: [outline(label, *self.data.sizes[name]) for label in labels] for name, labels in self.expected().items()}

    def compare(self, seen, expected, *, box=1e-9, mask=1.0, masks=True, classes=CLASSES, suffix=True):
        """Every image and label; boxes within `box` pixels, masks with at least that overlap (unless the reader has no
        `masks`), and all else that it shows."""
        if seen["classes"] is not None:
            self.assertEqual(seen["classes"], classes)
        want = {name if suffix else name.rpartition(".")[0]: (self.data.sizes[name], labels) for name, labels in expected.items()}
        self.assertEqual(sorted(seen["images"]), sorted(want))
        for name, ((width, height), truths) in want.items():
            image = seen["images"][name]
            self.assertEqual(image.get("size", [width, height]), [width, height], name)
            self.assertEqual(len(image["labels"]), len(truths), name)
            for label, truth in matched(image["labels"], truths, (height, width)):
                with self.subTest(image=name, label=truth.name, box=truth.box):
                    self.compare_label(label, truth, (height, width), box, mask)
                    self.assertTrue(not masks or truth.mask is None or "mask" in label or "polygons" in label)

    def compare_label(self, label, truth, size, box, mask):
        self.assertEqual(label["class"], truth.name)
        if "box" in label:
            numpy.testing.assert_allclose(label["box"], truth.box, rtol=0, atol=box)
        shape = mask_of(label, size)
        if shape is not None:
            self.assertIsNotNone(truth.mask)
            self.assertGreaterEqual(overlap(shape, truth.mask), mask)
        self.assertTrue("box" in label or shape is not None)
        self.assertEqual(label.get("crowd", truth.crowd), truth.crowd)
        if label.get("confidence") is not None:
            self.assertAlmostEqual(label["confidence"], truth.confidence, delta=1e-6)
        if "attributes" in label:
            shown = {key: value for key, value in label["attributes"].items() if key in {"number", "colour", "occluded"}}
            if shown.get("occluded") is False:
                del shown["occluded"]
            self.assertEqual(shown, truth.attributes)


def mask_of(label, size):
    if "polygons" in label:
        return rasterised(label["polygons"], size)
    return pixels(label["mask"], size) if "mask" in label else None


def without_attributes(seen):
    for label in (label for image in seen["images"].values() for label in image["labels"]):
        label.pop("attributes", None)
    return seen


def matched(labels, truths, size):
    """Pairs of what was read and what was meant: of one class in the order of their places."""

    def place(label):
        if "box" in label:
            return label["box"]
        shape = mask_of(label, size)
        return box_around(None, shape) if shape is not None and shape.any() else [0, 0, 0, 0]

    left = list(labels)
    for truth in truths:
        alike = [label for label in left if label["class"] == truth.name] or left
        best = min(alike, key=lambda label: numpy.abs(numpy.subtract(place(label), truth.box)).max())
        left.remove(best)
        yield best, truth


class Pycocotools(ReaderCase):
    package = "pycocotools"

    def test_coco(self):
        self.make(*ALL_KINDS)
        seen = self.read("coco", self.export("coco", "coco.json"))
        self.compare(seen, self.expected(crowds=True), box=0)


class Lvis(ReaderCase):
    package = "lvis"

    def test_lvis(self):
        self.make(*ALL_KINDS)
        self.compare(self.read("lvis", self.export("lvis", "lvis.json")), self.expected(), box=0)


class Supervision(ReaderCase):
    """It keeps single precision and draws outlines with their border."""

    package = "supervision"

    def test_coco(self):
        self.make(*ALL_KINDS)
        seen = self.read("coco", self.export("coco", "coco.json"))
        self.compare(seen, self.expected(crowds=True), box=1e-4, mask=0.9)

    def test_yolo_boxes(self):
        self.make(*BOXES)
        self.compare(self.read("yolo", self.export("yolo", "yolo", "--images", "copy")), self.expected(), box=1e-4)

    def test_yolo_outlines(self):
        self.make(*ALL_KINDS)
        seen = self.read("yolo", self.export("yolo", "yolo", "--images", "copy"))
        self.compare(seen, self.outlined(), box=1e-4, mask=0.9)

    def test_voc(self):
        self.make(*ALL_KINDS)
        seen = self.read("voc", self.export("voc", "voc", "--images", "copy"))
        # It takes the near corner for 1-based and moves it by one pixel, and every point of an outline; the far corner it leaves.
        for image in seen["images"].values():
            for label in image["labels"]:
                x, y, w, h = label["box"]
                label["box"] = [x + 1, y + 1, w - 1, h - 1]
        self.compare(seen, self.outlined(boxes=False), box=1e-4, mask=0.85)

    def test_labelme(self):
        self.make(*OUTLINES)
        seen = self.read("labelme", self.export("labelme", "labelme", "--images", "copy"))
        self.compare(seen, self.expected(), box=1e-4, mask=0.9)


class Labelformat(ReaderCase):
    package = "labelformat"

    def test_coco(self):
        self.make(*ALL_KINDS)
        self.compare(self.read("coco", self.export("coco", "coco.json")), self.expected(crowds=True), masks=False)

    def test_coco_segmentation(self):
        self.make("polygons", "empty", "unlabelled")
        self.compare(self.read("coco_segmentation", self.export("coco", "coco.json")), self.expected())

    def test_yolo(self):
        self.make(*BOXES)
        self.compare(self.read("yolo", self.export("yolo", "yolo", "--images", "copy")), self.expected())

    def test_yolo_segmentation(self):
        self.make(*ALL_KINDS)
        seen = self.read("yolo_segmentation", self.export("yolo", "yolo", "--images", "copy"))
        self.compare(seen, self.outlined())

    def test_voc(self):
        self.make(*ALL_KINDS)
        seen = self.read("voc", self.export("voc", "voc", "--images", "copy"))
        self.compare(seen, self.expected(), masks=False)

    def test_kitti(self):
        self.make("boxes", "polygons", "masks", "mixed", "empty", "unlabelled")
        seen = self.read("kitti", self.export("kitti", "kitti", "--images", "copy", classes=ONE_WORD))
        self.compare(seen, self.expected(classes=ONE_WORD), masks=False)

    def test_cvat(self):
        self.make(*BOXES)
        self.compare(self.read("cvat", self.export("cvat", "cvat.xml")), self.expected())


class Datumaro(ReaderCase):
    """It names images without extension and rounds to hundredths of a pixel."""

    package = "datumaro"

    def test_coco(self):
        self.make(*ALL_KINDS)
        # Its place for a file of labels and for images is fixed.
        path = self.export("coco", "coco/annotations/instances_all.json").parent.parent
        (path / "images").symlink_to(self.data.images)
        self.compare(self.read("coco", path), self.expected(crowds=True), box=0.011, mask=0.98, suffix=False)

    def test_yolo(self):
        self.make(*BOXES, folders=False)  # it takes a folder below images/train for a subset
        seen = self.read("yolo", self.export("yolo", "yolo", "--images", "copy"))
        self.compare(without_attributes(seen), self.expected(), box=0.011, suffix=False)

    def test_voc(self):
        self.make(*ALL_KINDS)
        seen = self.read("voc", self.export("voc", "voc", "--images", "copy", classes=NO_COLON))
        for label in (label for image in seen["images"].values() for label in image["labels"]):
            if "number" in label["attributes"]:
                label["attributes"]["number"] = int(label["attributes"]["number"])  # all are texts to it
        classes = [NO_COLON.get(name, name) for name in CLASSES]
        self.compare(seen, self.expected(classes=NO_COLON), box=0.011, suffix=False, classes=classes, masks=False)

    def test_kitti(self):
        self.make(*ALL_KINDS)
        words = ("--images", "copy", "--with-confidence")
        seen = self.read("kitti", self.export("kitti", "kitti", *words, classes=ONE_WORD)) | {"classes": None}
        # It takes -1, which says that occlusion is not known, for true.
        self.compare(without_attributes(seen), self.expected(classes=ONE_WORD), box=0.011, suffix=False, masks=False)

    def test_cvat_zip(self):
        self.make(*ALL_KINDS)
        with zipfile.ZipFile(self.export("cvat", "cvat.zip", "--images", "copy")) as archive:
            archive.extractall(self.scratch / "cvat")
        self.compare(self.read("cvat", self.scratch / "cvat"), self.expected(), box=0.011, mask=0.98, suffix=False)

    def test_open_images(self):
        self.make(*BOXES)
        path = self.export("open_images", "open_images")
        # It needs the images, in a folder for each split and called by their ids: their names without folders.
        (path / "images" / "all").mkdir(parents=True)
        for name in self.data.truth:
            (path / "images" / "all" / pathlib.Path(name).name).symlink_to(self.data.images / name)
        labelled = {
            pathlib.Path(name).name: [label._replace(confidence=label.confidence or 1) for label in labels]
            for name, labels in self.expected().items()
            if labels
        }
        self.data.sizes = {pathlib.Path(name).name: size for name, size in self.data.sizes.items()}
        self.compare(without_attributes(self.read("open_images", path)), labelled, box=0.011, suffix=False)


class Ultralytics(ReaderCase):
    """It checks the dataset and loads it as its trainer does."""

    package = "ultralytics"

    def test_boxes(self):
        self.make(*BOXES)
        self.compare(self.read("yolo", self.export("yolo", "yolo", "--images", "copy")), self.expected(), box=1e-4)

    def test_boxes_of_a_dataset_with_outlines(self):
        self.make(*ALL_KINDS)
        seen = self.read("yolo", self.export("yolo", "yolo", "--images", "copy"))
        self.compare(seen, self.outlined(), box=1e-4, masks=False)

    def test_outlines(self):
        self.make(*ALL_KINDS)
        seen = self.read("yolo_segmentation", self.export("yolo", "yolo", "--images", "copy"))
        self.compare(seen, self.outlined(), box=1e-4)


class LabelStudio(ReaderCase):
    package = "label_studio_sdk"

    def test_label_studio(self):
        self.make("boxes", "polygons", "masks", "mixed", "empty", "unlabelled")
        seen = self.read("label_studio", self.export("label_studio", "tasks.json"))
        seen["images"] = {str(pathlib.Path(name).relative_to(self.data.images)): image for name, image in seen["images"].items()}
        self.compare(seen, self.expected())


class Labelme(ReaderCase):
    package = "labelme"

    def test_labelme(self):
        self.make(*ALL_KINDS)
        self.compare(self.read("labelme", self.export("labelme", "labelme", "--images", "copy")), self.expected())


class Torchvision(ReaderCase):
    package = "torchvision"

    def test_image_folders(self):
        self.make("empty")
        classes = {name: CLASSES[index % 2] for index, name in enumerate(self.data.truth)}
        table = self.scratch / "classes.csv"
        table.write_text("image,label\n" + "".join(f"{name},{label}\n" for name, label in classes.items()))
        self.run_program("import", "--labels", table, "--format", "csv", "--set", "kinds")
        output = self.scratch / "folders"
        self.run_program("export", "--set", "kinds", "--format", "image_folders", "--output", output, "--images", "copy")
        seen = self.read("image_folders", output)["images"]
        want = {pathlib.Path(name).name: [list(self.data.sizes[name]), label] for name, label in classes.items()}
        self.assertEqual({name: [image["size"], image["labels"][0]["class"]] for name, image in seen.items()}, want)


class FiftyOne(ReaderCase):
    package = "fiftyone"

    def test_fiftyone(self):
        self.make(*ALL_KINDS)
        seen = self.read("fiftyone", self.export("fiftyone", "fiftyone", "--images", "copy"))
        self.compare(seen, self.expected(crowds=True))
