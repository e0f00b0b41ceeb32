"""Decisions, views and exports: what goes out under which verdict and threshold, undo and redo, tags."""

import json

from harness import ProgramCase, write_bitmap, write_json


class Reviewing(ProgramCase):
    def setUp(self):
        super().setUp()
        images = self.scratch / "images"
        for number in range(1, 4):
            write_bitmap(images / f"{number}.bmp", 100, 50)
        self.init()
        annotations = [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 10, 10], "score": 0.9},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [5, 5, 10, 10], "score": 0.5},
            {"id": 3, "image_id": 2, "category_id": 1, "bbox": [2, 2, 20, 20], "score": 0.1},
        ]
        document = {
            "images": [{"id": i, "file_name": f"{i}.bmp", "width": 100, "height": 50} for i in (1, 2, 3)],
            "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "traffic light"}],
            "annotations": annotations,
        }
        path = write_json(self.scratch / "p.json", document)
        self.run_program("import", "--images", images, "--labels", path, "--format", "coco", "--set", "auto")

    def scores(self, *words):
        return sorted((row[-1] for row in self.exported("auto", *words)), reverse=True)

    def test_export_follows_verdict_and_threshold(self):
        self.assertEqual(self.scores(), [0.9, 0.5, 0.1])
        self.assertEqual(self.scores("--threshold", "0.5"), [0.9, 0.5])
        self.run_program("review", "accept", "--where", "set:auto confidence<0.2")
        self.run_program("review", "reject", "--where", "set:auto confidence>0.8")
        self.assertEqual(self.scores("--threshold", "0.6"), [0.1])
        self.run_program("review", "unsure", "--where", 'set:auto class:"traffic light"')
        self.assertEqual(self.scores(), [0.1])
        self.assertEqual(self.scores("--include-unsure"), [0.5, 0.1])

    def test_thresholds_file_speaks_per_class(self):
        path = write_json(self.scratch / "t.json", {"threshold": 0.05, "per_class": {"cat": {"threshold": 0.6}}})
        self.assertEqual(self.scores("--thresholds", path), [0.9, 0.5])
        path.write_text('{"per_class": {"cat": 0.6, "cat": 0.1}}')
        output = self.scratch / "o.json"
        words = ("export", "--set", "auto", "--format", "coco", "--output", output, "--thresholds", path)
        error = self.error(*words, status=4)
        self.assertEqual(error["context"], {"file": str(path), "field": "per_class.cat"})
        self.assertFalse(output.exists())
        path.write_text('{"per_class": {"unicorn": {"threshold": 0.6}}}')
        self.error(
            "export", "--set", "auto", "--format", "coco", "--output", self.scratch / "o.json", "--thresholds", path, status=4
        )

    def test_undo_and_redo_walk_over_bulk_decisions(self):
        first = self.run_program("review", "reject", "--where", "set:auto class:cat").json
        self.assertEqual(first["labels"], 2)
        self.run_program("review", "accept", "--where", "set:auto confidence>0.8")
        self.assertEqual(self.scores(), [0.9, 0.5])
        self.run_program("review", "undo")
        self.assertEqual(self.scores(), [0.5])
        self.run_program("review", "undo")
        self.assertEqual(self.scores(), [0.9, 0.5, 0.1])
        self.assertEqual(self.error("review", "undo", status=7)["code"], "conflict")
        self.run_program("review", "redo")
        self.run_program("review", "redo")
        self.assertEqual(self.scores(), [0.9, 0.5])
        self.run_program("review", "undo")
        self.run_program("review", "unsure", "--where", "set:auto confidence<0.2")
        self.error("review", "redo", status=7)

    def test_a_view_that_selects_nothing_decides_nothing(self):
        answer = self.run_program("review", "accept", "--where", "set:auto confidence>0.99").json
        self.assertEqual(answer["labels"], 0)
        self.error("review", "undo", status=7)

    def test_mistakes_in_views_name_the_position(self):
        for text, position in (
            ("set:auto confidense>1", 10),
            ("(set:auto", 1),
            ("set:nothing", 5),
            ("confidence>", 12),
            ("class:cat |", 12),
        ):
            error = self.error("labels", "--where", text, status=2)
            self.assertEqual(str(error["context"]["position"]), str(position), text)

    def test_samples_and_labels_answer_the_same_view(self):
        self.assertEqual(
            [s["name"] for s in self.run_program("samples", "--where", "class:cat confidence>0.5").json["samples"]], ["1.bmp"]
        )
        self.assertEqual(
            [s["name"] for s in self.run_program("samples", "--where", "count(auto,cat)=0").json["samples"]], ["3.bmp"]
        )
        labels = self.run_program("labels", "--where", "set:auto -sort:confidence limit:2").json["labels"]
        self.assertEqual([label["confidence"] for label in labels], [0.9, 0.5])
        self.assertEqual(labels[0]["bbox"], [1, 1, 10, 10])

    def test_tags_come_and_go(self):
        self.run_program("tag", "add", "night", "--where", "path:*/2.bmp")
        self.assertEqual([s["name"] for s in self.run_program("samples", "--where", "tag:night").json["samples"]], ["2.bmp"])
        self.assertEqual(len(self.run_program("samples", "--where", "-tag:night").json["samples"]), 2)
        self.run_program("tag", "remove", "night", "--where", "tag:night")
        self.assertEqual(self.run_program("stats").json["sample_tags"], {})

    def test_a_view_limits_what_is_exported(self):
        output = self.scratch / "part.json"
        self.run_program("export", "--set", "auto", "--format", "coco", "--output", output, "--where", "class:cat")
        document = json.loads(output.read_text())
        self.assertEqual(len(document["annotations"]), 2)

    def test_yolo_export_is_read_back(self):
        output = self.scratch / "yolo"
        self.run_program("export", "--set", "auto", "--format", "yolo", "--output", output)
        again = self.scratch / "again"
        self.init(again)
        report = self.run_program(
            "import", "--images", output, "--labels", output, "--format", "yolo", "--set", "auto", project=again
        ).json
        self.assertEqual((report["labels"], report["labels_rejected"]), (3, 0))
        error = self.error("export", "--set", "auto", "--format", "yolo", "--output", output, status=7)
        self.assertIn("yolo", json.dumps(error))

    def test_full_disk_and_read_only_folders_lose_nothing(self):
        import resource
        import subprocess

        line = self.command("export", "--set", "auto", "--format", "coco", "--output", self.scratch / "big.json")

        def small_files_only():
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))

        done = subprocess.run(line, capture_output=True, preexec_fn=small_files_only, check=False)
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertFalse((self.scratch / "big.json").exists())
        line = self.command("review", "accept", "--where", "set:auto")
        done = subprocess.run(line, capture_output=True, preexec_fn=small_files_only, check=False)
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertEqual(self.scores(), [0.9, 0.5, 0.1])
        self.assertEqual(self.run_program("labels", "--where", "verdict:unreviewed").json["labels"].__len__(), 3)
