"""The same run in either engine, and what is said of an engine or a device that is not there."""

import importlib.metadata
import importlib.util
import os
import unittest

from harness import SOURCE, ProgramCase, bundled_models

FIXTURES = SOURCE / "tests" / "parity" / "fixtures"
ENGINE_ERROR = 10
# Of scores: the engines sum in different orders.
SCORE_TOLERANCE = 1e-3
FLOOR = 0.05


class EngineCase(ProgramCase):
    """Compares what the two engines find."""

    edge_tolerance_px = 0.5

    def setUp(self):
        super().setUp()
        self.init()

    def compare(self, kinds, samples, *words):
        """Runs `label` with each engine into a set of its own, and returns one of the two equal lists of labels."""
        runs = [
            self.run_program("label", *words, "--set", f"{kinds}_{name}", "--engine", name).json
            for name in ("openvino", "onnxruntime")
        ]
        self.assertEqual([run["done"] for run in runs], [samples, samples])
        self.assertEqual([run["engine"] for run in runs], ["openvino", "onnxruntime"])
        ours, theirs = (self.labels(f"{kinds}_{name}") for name in ("onnxruntime", "openvino"))
        self.assertEqual(self.without_partner(ours, theirs), [])
        self.assertEqual(self.without_partner(theirs, ours), [])
        return ours

    def labels(self, label_set):
        """(image, class, score, edges) of each label."""
        rows = self.run_program("labels", "--where", f"set:{label_set}").json["labels"]
        return [(row["sample"], row["class"], row["confidence"], self.edges(row)) for row in rows]

    def edges(self, row):
        x, y, w, h = row["bbox"] or (0, 0, 0, 0)  # a class of the whole image has none
        return x, y, x + w, y + h

    def without_partner(self, labels, others):
        """Labels that `others` lacks, but for scores so near the floor that they may lie on either side."""
        left = list(others)
        alone = []
        for label in labels:
            partner = next((other for other in left if self.is_same(label, other)), None)
            if partner is not None:
                left.remove(partner)
            elif label[2] > FLOOR + SCORE_TOLERANCE:
                alone.append(label)
        return alone

    def is_same(self, one, other):
        return (
            one[:2] == other[:2]
            and abs(one[2] - other[2]) <= SCORE_TOLERANCE
            and all(abs(a - b) <= self.edge_tolerance_px for a, b in zip(one[3], other[3], strict=True))
        )


@unittest.skipIf(importlib.util.find_spec("onnxruntime") is None, "the package onnxruntime is not installed")
class Engines(EngineCase):
    def setUp(self):
        super().setUp()
        self.run_program("import", "--images", FIXTURES / "images")

    def label(self, model, label_set, *words, **how):
        return self.run_program("label", "--model", FIXTURES / model, "--set", label_set, "--floor", FLOOR, *words, **how)

    def test_the_same_labels_from_either(self):
        for model, kinds in (("rt-detr", "boxes"), ("rf-detr-seg", "masks"), ("vit", "classes")):
            with self.subTest(kinds):
                self.assertGreater(len(self.compare(kinds, 24, "--model", FIXTURES / model, "--floor", FLOOR)), 24)

    def test_a_run_keeps_engine_version_and_device(self):
        run = self.label("vit", "auto", "--engine", "onnxruntime", "--device", "CPU").json
        shown = self.run_program("runs", "show", run["run"]).json
        version = importlib.metadata.version("onnxruntime")
        self.assertEqual((shown["engine"], shown["device"], shown["options"]["engine"]), ("onnxruntime", "CPU", "onnxruntime"))
        self.assertEqual(shown["model_card"]["engine_version"], version)
        text = self.run_program("runs", "show", run["run"], as_json=False).out.decode()
        self.assertIn(f"on CPU (onnxruntime {version})", text)

    def test_a_device_that_is_not_there_is_no_fallback(self):
        for device in ("cuda", "tensorrt", "gpu"):
            error = self.label("vit", "auto", "--engine", "onnxruntime", "--device", device, status=ENGINE_ERROR).json["error"]
            self.assertEqual(error["code"], "engine")
            self.assertIn(device, error["message"])
            self.assertIn("cpu", error["message"])
        self.assertEqual(self.run_program("labels", "--where", "set:auto").json["count"], 0)

    def test_a_library_that_is_none_is_named(self):
        text = self.scratch / "letter.so"
        text.write_text("no library")
        for library in (text, self.scratch / "missing.so"):
            how = {"env": os.environ | {"VERILABEL_ONNXRUNTIME": os.fspath(library)}, "status": ENGINE_ERROR}
            error = self.label("vit", "auto", "--engine", "onnxruntime", **how).json["error"]
            self.assertIn("VERILABEL_ONNXRUNTIME", error["message"])
            self.assertEqual(error["context"]["library"], os.fspath(library))
        # OpenVINO does not ask for it.
        self.label("vit", "auto", env=how["env"])


@unittest.skipIf(importlib.util.find_spec("onnxruntime") is None, "the package onnxruntime is not installed")
class BundledModels(EngineCase):
    IMAGES = 40
    edge_tolerance_px = 1.5  # boxes of masks move by whole pixels

    def setUp(self):
        super().setUp()
        self.models = bundled_models()
        world = self.scratch / "world"
        self.run_program("demo", "create", world, "--images", self.IMAGES, "--seed", 77)
        self.run_program("import", "--images", world / "images", "--labels", world / "truth.json", "--format", "coco")

    def test_the_same_words_give_the_same_boxes(self):
        prompts = "person, car, sailboat, bottle, book, white duck, brown duck, red apple"
        found = self.compare("boxes", self.IMAGES, "--model", self.models / "detector", "--classes", prompts, "--floor", FLOOR)
        self.assertGreater(len(found), self.IMAGES)

    def test_the_same_boxes_give_the_same_outlines(self):
        words = ("--boxes", "ground_truth", "--segment-with", self.models / "segmenter", "--floor", 0)
        found = self.compare("masks", self.IMAGES, *words)
        self.assertGreater(len(found), 5 * self.IMAGES)
        # A pixel on an edge may fall to either side.
        overlap = self.run_program(
            "evaluate", "--predictions", "masks_onnxruntime", "--truth", "masks_openvino", "--iou-type", "mask", "--iou", 0.95,
        ).json["metrics"]  # fmt: skip
        self.assertGreaterEqual(overlap["f1"], 0.999)
