"""What an export writes of a set, and what it says of the rest."""

import json

from harness import ProgramCase, write_bitmap, write_json


def annotation(number, image, category, **more):
    return {"id": number, "image_id": image, "category_id": category, "bbox": [number, 1, 10, 10], **more}


class Exporting(ProgramCase):
    """Four images. `auto` has a cat and a dog, a cat, a cat, nothing; `ground_truth` a cat and a dog, a dog, nothing, nothing."""

    def setUp(self):
        super().setUp()
        for number in range(1, 5):
            write_bitmap(self.scratch / "images" / f"{number}.bmp", 100, 50)
        self.init()
        self.import_set(
            "auto",
            [
                annotation(1, 1, 1, score=0.9),
                annotation(2, 1, 2, score=0.4),
                annotation(3, 2, 1, score=0.1),
                annotation(4, 3, 1, score=0.6),
            ],
        )
        self.import_set("ground_truth", [annotation(1, 1, 1), annotation(2, 1, 2), annotation(3, 2, 2)])

    def import_set(self, name, annotations):
        images = [{"id": i, "file_name": f"{i}.bmp", "width": 100, "height": 50} for i in range(1, 5)]
        document = {
            "images": images,
            "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
            "annotations": annotations,
        }
        path = write_json(self.scratch / f"{name}.json", document)
        words = ("--images", self.scratch / "images", "--labels", path, "--format", "coco", "--set", name)
        self.run_program("import", *words)

    def written(self, label_set, *words):
        """The report, and how many labels each image of the export has."""
        path = self.scratch / "written.json"
        report = self.run_program("export", "--set", label_set, "--format", "coco", "--output", path, *words).json
        document = json.loads(path.read_text())
        images = {image["id"]: image["file_name"][0] for image in document["images"]}
        counts = dict.fromkeys(images.values(), 0)
        for item in document["annotations"]:
            counts[images[item["image_id"]]] += 1
        self.assertEqual(report["images"], len(counts))
        self.assertEqual(report["images_hidden"], len(report["hidden"]))
        return report, counts

    def test_images_whose_labels_the_view_hides_do_not_become_empty(self):
        report, counts = self.written("ground_truth", "--where", "set:auto class:cat")
        self.assertEqual(counts, {"3": 0})  # labelled, empty: that the view hides nothing of
        self.assertEqual((report["hidden"], report["labels_hidden"]), (["1.bmp", "2.bmp"], 3))

        self.run_program("review", "reject", "--where", "set:auto class:dog")
        report, counts = self.written("auto", "--where", "set:auto verdict:rejected")
        self.assertEqual((counts, report["hidden"], report["labels_hidden"]), ({}, ["1.bmp"], 1))

        folder = self.scratch / "yolo"
        words = ("--where", "set:auto class:cat", "--format", "yolo", "--output", folder)
        report = self.run_program("export", "--set", "ground_truth", *words, "--dry-run").json
        self.assertEqual((report["hidden"], report["labels_hidden"]), (["1.bmp", "2.bmp"], 3))
        self.assertFalse(folder.exists())
        answer = self.run_program("export", "--set", "ground_truth", *words, as_json=False)
        self.assertEqual([file.name for file in folder.rglob("?.txt")], ["3.txt"])
        for line in ("the view hides 3 labels", "2 images are left out", "  1.bmp", "  2.bmp"):
            self.assertIn(line, answer.err.decode())

    def test_labels_of_an_image_that_the_view_hides_are_counted(self):
        report, counts = self.written("auto", "--where", "set:auto class:dog")
        self.assertEqual((counts, report["hidden"], report["labels_hidden"]), ({"1": 1}, [], 1))
        report, counts = self.written("auto", "--where", "class:dog")  # the second image has one in ground_truth
        self.assertEqual((counts, report["hidden"], report["labels_hidden"]), ({"1": 1}, ["2.bmp"], 2))
        report, counts = self.written("auto", "--where", "class:cat", "--threshold", "0.5")
        self.assertEqual((counts, report["hidden"], report["labels_hidden"]), ({"1": 1, "2": 0, "3": 1}, [], 0))

    def test_a_threshold_and_a_rejection_leave_images_empty(self):
        report, counts = self.written("auto", "--threshold", "0.5")
        self.assertEqual((counts, report["hidden"]), ({"1": 1, "2": 0, "3": 1, "4": 0}, []))
        self.run_program("review", "reject", "--where", "set:auto")
        report, counts = self.written("auto")
        self.assertEqual((counts, report["hidden"]), ({"1": 0, "2": 0, "3": 0, "4": 0}, []))

    def test_a_dry_run_refuses_what_the_export_would(self):
        (self.scratch / "full").mkdir()
        (self.scratch / "full" / "file").write_text("")
        for words, status in (
            (("coco", "--images", "copy", "--output", self.scratch / "a.json"), 2),
            (("csv", "--output", self.scratch / "full"), 2),
            (("voc", "--output", self.scratch / "a.xml"), 2),
            (("cvat", "--output", self.scratch / "a.json"), 2),
            (("yolo", "--output", self.scratch / "full"), 7),
            (("kitti", "--output", self.scratch / "full"), 7),
        ):
            for dry in ((), ("--dry-run",)):
                self.error("export", "--set", "auto", "--format", *words, *dry, status=status)

    def test_what_is_withheld_is_counted_by_reason(self):
        self.run_program("review", "reject", "--where", "set:auto class:dog")
        self.run_program("review", "unsure", "--where", "set:auto path:*/3.bmp")
        report, counts = self.written("auto", "--threshold", "0.5")
        self.assertEqual(counts, {"1": 1, "2": 0, "3": 0, "4": 0})
        self.assertEqual(report["labels_withheld"], {"rejected": 1, "below_threshold": 1, "unsure": 1})
        answer = self.run_program(
            "export", "--set", "auto", "--format", "coco", "--output", self.scratch / "some.json", as_json=False
        )
        self.assertIn("1 rejected, 1 unsure (--include-unsure writes them)", answer.err.decode())
        report, counts = self.written("auto", "--include-unsure")
        self.assertEqual(report["labels_withheld"], {"rejected": 1, "below_threshold": 0, "unsure": 0})

    def test_labels_that_do_not_count_are_not_written_whatever_the_view(self):
        self.import_set("more", [annotation(1, 1, 1), annotation(2, 2, 2)])
        self.run_program("imports", "undo", "3")
        for view in ("status:undone", "-status:active", ""):
            report, counts = self.written("more", "--where", view)
            self.assertEqual(report["labels"], 0, view)

    def test_a_view_of_samples_keeps_all_their_labels_whatever_its_limit(self):
        for view, wanted in (
            ("limit:1", {"1": 2}),
            ("-sort:name limit:2", {"3": 1, "4": 0}),
            ("path:*/1.bmp", {"1": 2}),
        ):
            report, counts = self.written("auto", "--where", view)
            self.assertEqual((counts, report["labels_hidden"]), (wanted, 0), view)

    def test_statistics_tell_hidden_from_empty(self):
        def of_set(name, view):
            stats = self.run_program("stats", "--where", view).json["sets"][name]
            return stats["samples_labelled"], stats["samples_empty"], stats["samples_hidden"], stats["labels"]

        self.assertEqual(of_set("auto", ""), (4, 1, 0, 4))
        self.assertEqual(of_set("ground_truth", "set:auto class:cat"), (3, 1, 2, 0))
        self.assertEqual(of_set("auto", "class:dog"), (2, 0, 1, 1))  # the other image has a dog in ground_truth
        self.assertEqual(of_set("auto", "limit:1"), (1, 0, 0, 2))
        self.run_program("review", "reject", "--where", "set:auto class:cat")
        self.assertEqual(of_set("auto", "class:cat,dog"), (3, 2, 0, 4))
        text = self.run_program("stats", "--where", "set:auto class:cat", as_json=False).out.decode()
        self.assertIn("set ground_truth: 0 labels on 3 samples, 1 of them empty, 2 with labels that the view hides", text)

    def test_options_that_mean_nothing_in_the_format_are_refused(self):
        for format_name, words in (
            ("coco", ["--with-confidence"]),
            ("voc", ["--with-confidence"]),
            ("kitti", ["--default-split", "val"]),
        ):
            path = self.scratch / "refused"
            error = self.error("export", "--set", "auto", "--format", format_name, "--output", path, *words, status=2)
            self.assertEqual((error["code"], error["context"]["format"]), ("wrong_use", format_name))
            self.assertIn(f"leave {words[0]} out", error["message"])
            self.assertFalse(path.exists())
        words = ("--set", "auto", "--format", "yolo", "--output", self.scratch / "yolo", "--default-split", "val")
        self.run_program("export", *words, "--with-confidence")
        self.assertTrue((self.scratch / "yolo" / "val.txt").is_file())

    def test_a_label_without_confidence_counts_as_1_everywhere(self):
        self.import_set("mixed", [annotation(1, 1, 1), annotation(2, 1, 2, score=0.4)])
        words = ("evaluate", "--predictions", "mixed", "--truth", "ground_truth")
        for threshold, label_count in (("0.4", 2), ("0.5", 1), ("1", 1), ("1.5", 0)):
            answer = self.run_program(*words, "--threshold", threshold).json
            cat, dog = answer["per_class"]["cat"], answer["per_class"]["dog"]
            self.assertEqual(cat["tp"] + cat["fp"] + dog["tp"] + dog["fp"], label_count, threshold)
            self.assertEqual(answer["coverage"]["predictions_without_score"], 1)
            self.assertEqual(self.written("mixed", "--threshold", threshold)[1]["1"], label_count, threshold)
            file = write_json(self.scratch / "thresholds.json", {"threshold": float(threshold)})
            self.assertEqual(self.written("mixed", "--thresholds", file)[1]["1"], label_count, threshold)
            accepted = self.run_program("review", "accept", "--where", "set:mixed", "--thresholds", file).json
            self.assertEqual((accepted["labels"], accepted["below"]), (label_count, 2 - label_count), threshold)
            if label_count > 0:
                self.run_program("review", "undo")
        nothing = write_json(self.scratch / "nothing.json", {"threshold": None, "unattainable": True})
        self.assertEqual(self.written("mixed", "--thresholds", nothing)[1]["1"], 0)
        self.assertEqual(self.run_program("labels", "--where", "set:mixed confidence<=1").json["count"], 1)
