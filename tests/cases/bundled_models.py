"""The models under models/ on a world that none of them saw: the figures that their cards promise, with room for a small world."""

import json

from harness import ProgramCase, bundled_models

IMAGES = 60
SEED = 90210  # training takes 1001


class BundledModels(ProgramCase):
    def setUp(self):
        super().setUp()
        self.models = bundled_models()
        world = self.scratch / "world"
        # Training never saw dusk.
        self.run_program("demo", "create", world, "--images", IMAGES, "--seed", SEED, "--only", "dusk", "--no-faults")
        self.init()
        self.run_program("import", "--images", world / "images", "--labels", world / "truth.json", "--format", "coco")
        self.truth = json.loads((world / "truth.json").read_text())
        self.kinds = ", ".join(sorted(category["name"] for category in self.truth["categories"]))

    def exported(self, name):
        """Boxes of a set as they stand in a COCO file: (image, box rounded) to class."""
        file = self.scratch / f"{name}.json"
        self.run_program("export", "--set", name, "--format", "coco", "--output", file)
        document = json.loads(file.read_text())
        images = {image["id"]: image["file_name"] for image in document["images"]}
        names = {category["id"]: category["name"] for category in document["categories"]}
        return {
            (images[one["image_id"]], *(round(side, 2) for side in one["bbox"])): names[one["category_id"]]
            for one in document["annotations"]
        }

    def test_the_detector_finds_kinds(self):
        self.run_program("label", "--model", self.models / "detector", "--classes", self.kinds, "--floor", 0.01)
        metrics = self.run_program("evaluate", "--predictions", "auto", "--truth", "ground_truth").json["metrics"]
        self.assertGreater(metrics["mAP_50"], 0.76)

    def test_the_segmenter_outlines_boxes(self):
        self.run_program("label", "--boxes", "ground_truth", "--segment-with", self.models / "segmenter", "--set", "masks")
        metrics = self.run_program(
            "evaluate", "--predictions", "masks", "--truth", "ground_truth", "--iou-type", "mask", "--iou", 0.7
        ).json["metrics"]  # fmt: skip
        self.assertGreater(metrics["recall"], 0.86)

    def test_the_embedder_names_crops(self):
        self.run_program(
            "label", "--boxes", "ground_truth", "--classify-with", self.models / "embedder", "--classes", self.kinds,
            "--set", "named", "--floor", 0,
        )  # fmt: skip
        truth, named = self.exported("ground_truth"), self.exported("named")
        self.assertEqual(set(truth), set(named))
        right = sum(truth[box] == name for box, name in named.items())
        self.assertGreater(right / len(truth), 0.85)
