"""The drawn world: what is written, that the project takes it in whole, and what is refused."""

import json
import signal
import time

from harness import ProgramCase


class Demo(ProgramCase):
    def create(self, *words, status=0):
        return self.run_program("demo", "create", self.scratch / "world", "--long-side", 320, *words, status=status).json

    def document(self, name):
        return json.loads((self.scratch / "world" / name).read_text())

    def test_a_world_is_written_imported_and_asked_about(self):
        report = self.create("--images", 40, "--seed", 3)
        world = self.scratch / "world"
        self.assertEqual(report["folder"], str(world))
        self.assertEqual(report["images"], 40)
        self.assertEqual(
            sorted(path.name for path in world.iterdir()),
            ["README.txt", "human.json", "images", "metadata.csv", "planted.json", "truth.json"],
        )
        truth, human, planted = (self.document(name) for name in ("truth.json", "human.json", "planted.json"))
        self.assertEqual(len(list((world / "images").iterdir())), 40)
        self.assertEqual(len(truth["annotations"]), report["labels"])
        self.assertEqual(len(human["annotations"]), report["human_labels"])
        self.assertEqual({name: len(planted[name]) for name in report["planted"]}, report["planted"])

        self.init()
        taken = self.run_program("import", "--images", world / "images", "--labels", world / "truth.json", "--format", "coco").json
        self.assertEqual((taken["added"], taken["labels"], taken["labels_rejected"]), (40, report["labels"], 0))
        taken = self.run_program("import", "--labels", world / "human.json", "--format", "coco", "--set", "human").json
        self.assertEqual((taken["labels"], taken["labels_rejected"]), (report["human_labels"], 0))
        # The table says of the conditions what the truth has said already.
        taken = self.run_program("import", "--metadata", world / "metadata.csv").json
        self.assertEqual((taken["metadata_unchanged"], taken["metadata_rejected"], taken["fields_rejected"]), (40, 0, 0))

        night = [image["file_name"] for image in truth["images"] if image["fields"]["light"] == "night"]
        samples = self.run_program("samples", "--where", "field:light=night").json["samples"]
        self.assertEqual([sample["name"] for sample in samples], night)
        red = [label for label in truth["annotations"] if label["attributes"]["color"] == "red"]
        labels = self.run_program("labels", "--where", "set:ground_truth attribute:color=red").json["labels"]
        self.assertEqual(len(labels), len(red))
        metrics = self.run_program("evaluate", "--predictions", "human", "--truth", "ground_truth").json["metrics"]
        self.assertGreater(metrics["mAP_50"], 0.7)
        self.assertLess(metrics["mAP_50"], 1)

    def test_conditions_kinds_and_colors_can_be_left_out(self):
        self.create("--images", 25, "--seed", 4, "--only", "fog, night, dusk", "--without", "dusk, person, red car", "--no-faults")
        truth = self.document("truth.json")
        self.assertEqual({image["fields"]["light"] for image in truth["images"]}, {"night"})
        self.assertEqual({image["fields"]["weather"] for image in truth["images"]}, {"fog"})
        names = {category["id"]: category["name"] for category in truth["categories"]}
        drawn = {(label["attributes"]["color"], names[label["category_id"]]) for label in truth["annotations"]}
        self.assertNotIn("person", {name for _, name in drawn})
        self.assertNotIn(("red", "car"), drawn)
        self.assertEqual(len(self.document("human.json")["annotations"]), len(truth["annotations"]))

    def test_truth_of_classes_that_a_project_has(self):
        report = self.create("--images", 30, "--seed", 5, "--classes", "person, yellow duck, duck, book")
        truth, asked = self.document("truth.json"), self.document("asked.json")
        self.assertEqual([one["name"] for one in asked["categories"]], ["person", "yellow duck", "duck", "book"])
        self.assertEqual(asked["images"], truth["images"])
        self.assertEqual(len(asked["annotations"]), report["asked_labels"])
        kinds = {one["id"]: one["name"] for one in truth["categories"]}
        names = {one["id"]: one["name"] for one in asked["categories"]}

        def places(labels, classes, wanted, color=None):
            return sorted(
                (label["image_id"], *label["bbox"], label["segmentation"]["counts"])
                for label in labels
                if classes[label["category_id"]] == wanted and color in (None, label["attributes"]["color"])
            )

        for name, kind, color in (("person", "person", None), ("duck", "duck", None), ("yellow duck", "duck", "yellow")):
            wanted = places(truth["annotations"], kinds, kind, color)
            self.assertEqual(places(asked["annotations"], names, name), wanted, name)
            self.assertGreater(len(wanted), 0, name)
        self.assertEqual(self.document("planted.json")["options"]["classes"], ["person", "yellow duck", "duck", "book"])
        self.assertIn("asked.json", (self.scratch / "world" / "README.txt").read_text())

    def test_what_is_wrong_is_said_and_nothing_is_written(self):
        for words in (
            ["--only", "hail"],
            ["--classes", "red"],
            ["--classes", "blue tomato"],
            ["--classes", "car,car"],
            ["--without", "blue tomato"],
            ["--images", 0],
            ["--missing", 0.5],
            ["--long-side", 9],
        ):
            error = self.error("demo", "create", self.scratch / "world", *words, status=2)
            self.assertEqual(error["code"], "wrong_use", words)
        self.assertFalse((self.scratch / "world").exists())
        self.create("--images", 2)
        before = (self.scratch / "world" / "planted.json").read_bytes()
        error = self.run_program("demo", "create", self.scratch / "world", status=None).json["error"]
        self.assertEqual(error["code"], "conflict")
        self.assertEqual((self.scratch / "world" / "planted.json").read_bytes(), before)

    def test_an_interrupt_leaves_nothing(self):
        process = self.start_program("demo", "create", self.scratch / "world", "--images", 100000)
        for _ in range(200):
            if list(self.scratch.glob("world.*/images/*")):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), 130)
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_people_are_told_what_was_planted_and_what_comes_next(self):
        answer = self.run_program("demo", "create", self.scratch / "world", "--images", 3, as_json=False)
        text = answer.out.decode()
        self.assertIn("3 images with", text)
        self.assertIn("planted.json", text)
        self.assertIn("verilabel init", text)
