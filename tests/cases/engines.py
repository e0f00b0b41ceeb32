"""The same run in either engine, and what is said of an engine or a device that is not there."""

import importlib.metadata
import importlib.util
import os
import unittest

from harness import SOURCE, ProgramCase

FIXTURES = SOURCE / "tests" / "parity" / "fixtures"
ENGINE_ERROR = 10
# Of scores, and of edges in pixels: the engines sum in different orders.
SCORE_TOLERANCE = 1e-3
EDGE_TOLERANCE_PX = 0.5
FLOOR = 0.05


@unittest.skipIf(importlib.util.find_spec("onnxruntime") is None, "the package onnxruntime is not installed")
class Engines(ProgramCase):
    def setUp(self):
        super().setUp()
        self.init()
        self.run_program("import", "--images", FIXTURES / "images")

    def label(self, model, label_set, *words, **how):
        return self.run_program("label", "--model", FIXTURES / model, "--set", label_set, "--floor", FLOOR, *words, **how)

    def test_the_same_labels_from_either(self):
        for model, kinds in (("rt-detr", "boxes"), ("rf-detr-seg", "masks"), ("vit", "classes")):
            with self.subTest(kinds):
                counts = [self.label(model, f"{kinds}_{name}", "--engine", name).json for name in ("openvino", "onnxruntime")]
                self.assertEqual([run["done"] for run in counts], [24, 24])
                self.assertEqual([run["engine"] for run in counts], ["openvino", "onnxruntime"])
                ours, theirs = (self.labels(f"{kinds}_{name}") for name in ("onnxruntime", "openvino"))
                self.assertGreater(len(ours), 24)
                self.assertEqual(self.without_partner(ours, theirs), [])
                self.assertEqual(self.without_partner(theirs, ours), [])

    def labels(self, label_set):
        """(image, class, score, edges) of each label."""
        rows = self.run_program("labels", "--where", f"set:{label_set}").json["labels"]
        return [(row["sample"], row["class"], row["confidence"], self.edges(row)) for row in rows]

    def edges(self, row):
        x, y, w, h = row["bbox"]
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
            and all(abs(a - b) <= EDGE_TOLERANCE_PX for a, b in zip(one[3], other[3], strict=True))
        )

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
