"""Label runs with real detectors: figures, crash and resume, human work kept, odd files, live runs refused."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from harness import SOURCE, ProgramCase, test_data

NANODET = "nanodet_m_320.onnx"


class Labelling(ProgramCase):
    def setUp(self):
        super().setUp()
        self.data = test_data()
        self.init()

    def model(self, name):
        return self.data / "models" / name

    def import_photographs(self, project=None):
        self.run_program("import", "--images", self.data / "coco128-val" / "images", project=project)

    def runs(self, project=None):
        return self.run_program("runs", "list", project=project).json["runs"]

    def test_real_detectors_reach_their_figures(self):
        figures = (
            ("yolox_nano.onnx", 0.65, 0.3416, 0.5029),
            ("nanodet_m_416.onnx", 0.6, 0.2906, 0.4584),
            ("nanodet_m_320.onnx", 0.6, 0.2871, 0.4508),
        )
        photographs = self.data / "coco128-val"
        for name, nms, wanted, wanted_50 in figures:
            with self.subTest(model=name):
                project = self.scratch / name
                self.init(project)
                self.run_program(
                    "import", "--images", photographs / "images", "--labels", photographs, "--format", "yolo", project=project
                )
                words = ("--floor", 0.001, "--nms", nms, "--max-detections", 100, "--set", "auto")
                run = self.run_program("label", "--model", self.model(name), *map(str, words), project=project).json
                self.assertEqual((run["samples"], run["done"], run["failed"]), (128, 128, 0))
                self.assertEqual(run["device"].lower(), "cpu")
                words = ("evaluate", "--predictions", "auto", "--truth", "ground_truth", "--protocol", "coco")
                metrics = self.run_program(*words, project=project).json["metrics"]
                self.assertAlmostEqual(metrics["mAP"], wanted, delta=0.005)
                self.assertAlmostEqual(metrics["mAP_50"], wanted_50, delta=0.005)
                self.assert_equals_pycocotools(project, metrics)

    def assert_equals_pycocotools(self, project, metrics):
        try:
            from pycocotools.coco import COCO
            from pycocotools.cocoeval import COCOeval
        except ImportError:
            self.skipTest("pycocotools is not installed")
        truth, predictions = self.scratch / "truth.json", self.scratch / "predictions.json"
        self.run_program("export", "--set", "ground_truth", "--format", "coco", "--output", truth, project=project)
        self.run_program(
            "export", "--set", "auto", "--format", "coco", "--threshold", "0", "--output", predictions, project=project
        )
        predicted = json.loads(predictions.read_text())
        reference = COCO(str(truth))
        image_ids = {image["file_name"]: image["id"] for image in reference.dataset["images"]}
        category_ids = {category["name"]: category["id"] for category in reference.dataset["categories"]}
        image_names = {image["id"]: image["file_name"] for image in predicted["images"]}
        names = {category["id"]: category["name"] for category in predicted["categories"]}
        results = [
            {
                "image_id": image_ids[image_names[row["image_id"]]],
                "category_id": category_ids[names[row["category_id"]]],
                "bbox": row["bbox"],
                "score": row["score"],
            }
            for row in predicted["annotations"]
            if names[row["category_id"]] in category_ids
        ]
        evaluator = COCOeval(reference, reference.loadRes(results), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        keys = "mAP mAP_50 mAP_75 mAP_small mAP_medium mAP_large AR_1 AR_10 AR_100 AR_small AR_medium AR_large".split()
        for key, want in zip(keys, evaluator.stats, strict=True):
            self.assertAlmostEqual(metrics[key], want, delta=1e-9, msg=key)

    def test_killed_runs_resumed_leave_the_labels_of_an_uninterrupted_one(self):
        wanted_kills = int(os.environ.get("VERILABEL_KILLS", "4"))
        random.seed(wanted_kills)
        words = ("label", "--model", self.model(NANODET), "--floor", "0.05", "--set", "auto")
        self.import_photographs()
        self.run_program(*words)
        want = self.exported("auto")
        self.assertGreater(len(want), 100)
        kills = 0
        for round_number in range(50 * wanted_kills):
            if kills >= wanted_kills:
                break
            project = self.scratch / f"killed-{round_number}"
            self.init(project)
            self.import_photographs(project)
            process = self.start_program(*words, project=project)
            done = 0
            while True:
                # Each gets something done before it is killed, or there would be no end on a busy machine.
                while process.poll() is None and not any(run["done"] > done for run in self.runs(project)):
                    time.sleep(0.01)
                time.sleep(random.uniform(0, 0.4))
                process.send_signal(signal.SIGKILL)
                process.wait()
                run = self.runs(project)[0]
                if not 0 < run["done"] < run["samples"]:
                    break
                kills += 1
                done = run["done"]
                process = self.start_program("label", "--resume", str(run["run"]), project=project)
            self.run_program("label", "--resume", str(run["run"]), project=project, status=None)
            self.assertEqual(self.exported("auto", project=project), want)
            run = self.runs(project)[0]
            self.assertEqual((run["done"], run["failed"]), (run["samples"], 0))
        self.assertGreaterEqual(kills, wanted_kills, "too few kills fell inside a run")

    def test_a_live_run_cannot_be_resumed_and_ctrl_c_stops_cleanly(self):
        self.import_photographs()
        process = subprocess.Popen(
            self.command("label", "--model", self.model("nanodet_m_416.onnx"), "--set", "auto"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while process.poll() is None and not any(run["done"] > 0 for run in self.runs()):
            time.sleep(0.01)
        error = self.error("label", "--resume", "1", status=7)
        self.assertEqual(error["code"], "conflict")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertIn(b"--resume 1", err)
        stopped = self.runs()[0]
        self.assertGreater(stopped["done"], 0)
        self.assertLess(stopped["done"], stopped["samples"])
        report = self.run_program("label", "--resume", "1").json
        self.assertEqual((report["done"], report["failed"]), (report["samples"], 0))

    def test_decisions_survive_a_second_run_and_the_undo_of_both(self):
        self.import_photographs()
        words = ("--floor", "0.3", "--set", "auto")
        first = self.run_program("label", "--model", self.model("yolox_nano.onnx"), *words).json["run"]
        everything = self.exported("auto")
        accepted = self.run_program("review", "accept", "--where", "set:auto class:person confidence>=0.7").json["labels"]
        self.run_program("review", "reject", "--where", "set:auto class:chair")
        decided = self.exported("auto")
        self.assertLess(len(decided), len(everything))
        second = self.run_program("label", "--model", self.model("nanodet_m_416.onnx"), *words).json
        persons = [row for row in self.exported("auto") if row[1] == "person"]
        self.assertGreaterEqual(len(persons), accepted)
        self.assertGreater(second["superseded"], 0)
        self.run_program("runs", "undo", str(second["run"]))
        self.assertEqual(self.exported("auto"), decided)
        self.run_program("runs", "undo", str(first))
        kept = self.exported("auto")
        self.assertEqual(len(kept), accepted)
        self.run_program("review", "undo")
        self.run_program("review", "undo")
        self.assertEqual(self.exported("auto"), [])
        self.run_program("review", "redo")
        self.assertEqual(self.exported("auto"), kept)

    def test_every_odd_file_is_accounted_for(self):
        folder = self.data / "odd-images"
        files = sum(len(names) for _, _, names in os.walk(folder))
        imported = self.run_program("import", "--images", folder, status=1).json
        self.assertEqual(imported["files"], files)
        self.assertEqual(imported["added"] + imported["unchanged"] + imported["ignored"] + imported["failed"], imported["files"])
        self.assertEqual(len(imported["failures"]), imported["failed"])
        run = self.run_program("label", "--model", self.model(NANODET), "--set", "auto", status=None).json
        self.assertEqual(run["samples"], imported["added"])
        self.assertEqual(run["done"] + run["failed"], run["samples"])
        self.assertGreater(run["done"], 300)
        shown = self.run_program("runs", "show", str(run["run"])).json
        self.assertEqual(len(shown["failures"]), run["failed"])
        for failure in shown["failures"]:
            self.assertTrue(failure["message"])

    def test_retry_takes_up_what_failed_once_its_file_is_mended(self):
        images = self.scratch / "images"
        images.mkdir()
        names = sorted(os.listdir(self.data / "coco128-val" / "images"))[:3]
        for name in names:
            (images / name).write_bytes((self.data / "coco128-val" / "images" / name).read_bytes())
        self.run_program("import", "--images", images)
        whole = (images / names[1]).read_bytes()
        (images / names[1]).write_bytes(whole[: len(whole) // 2])
        run = self.run_program("label", "--model", self.model(NANODET), "--set", "auto", status=1).json
        self.assertEqual((run["done"], run["failed"]), (2, 1))
        (images / names[1]).write_bytes(whole)
        again = self.run_program("runs", "retry", str(run["run"])).json
        self.assertEqual((again["run"], again["done"], again["failed"]), (run["run"], 3, 0))

    def test_exif_boxes_and_sizes_are_upright(self):
        self.run_program("import", "--images", self.data / "exif")
        output = self.scratch / "out.json"
        self.run_program("label", "--model", self.model(NANODET), "--set", "auto", "--floor", "0.2")
        self.run_program("export", "--set", "auto", "--format", "coco", "--output", output)
        try:
            from PIL import Image, ImageOps
        except ImportError as missing:
            raise unittest.SkipTest("Pillow is not installed") from missing
        document = json.loads(output.read_text())
        self.assertEqual(len(document["images"]), 18)
        boxes = {}
        for image in document["images"]:
            upright = ImageOps.exif_transpose(Image.open(self.data / "exif" / image["file_name"]))
            self.assertEqual((image["width"], image["height"]), upright.size, image["file_name"])
            boxes[image["file_name"]] = [a["bbox"] for a in document["annotations"] if a["image_id"] == image["id"]]
        # The standing person of the portraits is what the model is surest of; the files were compressed one by one.
        first = boxes["Portrait_1.jpg"][0]
        self.assertGreater(first[3], first[2], "the person stands upright")
        for number in range(9):
            for want, got in zip(first, boxes[f"Portrait_{number}.jpg"][0], strict=True):
                self.assertAlmostEqual(want, got, delta=12, msg=f"Portrait_{number}")

    def test_wrong_models_are_refused_with_their_real_inputs_and_outputs(self):
        self.import_photographs()
        text = self.scratch / "text.onnx"
        text.write_text("this is no model")
        self.assertEqual(self.error("label", "--model", text, status=5)["code"], "bad_model")
        error = json.dumps(self.error("label", "--model", self.model("mobilenet_v2_int8.onnx"), status=5))
        self.assertIn("1000", error)
        self.assertIn("output", error)
        error = self.error("label", "--model", self.model(NANODET), "--classes", "person, unicorn", status=2)
        self.assertIn("unicorn", json.dumps(error))
        self.error("label", "--model", self.scratch / "none.onnx", status=3)
        self.error("label", "--model", self.model(NANODET), "--device", "toaster", status=10)
        self.error("label", "--resume", "77", status=3)

    def test_chosen_classes_replace_only_their_own(self):
        self.import_photographs()
        words = ("--model", self.model(NANODET), "--set", "auto", "--floor", "0.3")
        self.run_program("label", *words)
        before = self.exported("auto")
        self.run_program("label", *words[:-1], "0.6", "--classes", "person")
        after = self.exported("auto")
        self.assertEqual([row for row in after if row[1] != "person"], [row for row in before if row[1] != "person"])
        self.assertEqual(
            [row for row in after if row[1] == "person"], [row for row in before if row[1] == "person" and row[-1] > 0.6]
        )

    def test_labels_of_runs_and_imported_ones_in_one_set_are_told(self):
        self.import_photographs()
        words = ("label", "--model", self.model(NANODET), "--where", "limit:3", "--floor", "0.3")
        run = self.run_program(*words).json
        self.run_program("export", "--set", "auto", "--format", "coco", "--output", self.scratch / "auto.json")
        again = ("import", "--labels", self.scratch / "auto.json", "--format", "coco")
        answer = self.run_program(*again, "--set", "auto").json
        self.assertEqual((answer["labels"], answer["beside_runs"]), (run["labels"], [run["run"]]))
        self.assertEqual(self.run_program(*again, "--set", "other").json["beside_runs"], [])
        notes = self.run_program(*words).json["notes"]
        self.assertTrue(any(f"holds {run['labels']} imported labels" in note for note in notes), notes)
        self.run_program("imports", "undo", answer["import"])
        self.assertFalse(any("imported labels" in note for note in self.run_program(*words).json["notes"]))

    def test_a_run_without_any_label_says_why(self):
        self.import_photographs()
        words = ("label", "--model", self.model(NANODET), "--where", "limit:3", "--floor", "0.999")
        answer = self.run_program(*words).json
        self.assertEqual((answer["done"], answer["labels"]), (3, 0))
        self.assertIn("no label: nothing was found above the floor of 0.999; a lower --floor keeps more", answer["notes"])
        answer = self.run_program(*words, "--classes", "person, dog").json
        self.assertIn("other words in --classes", answer["notes"][-1])
        answer = self.run_program("label", "--model", self.model(NANODET), "--where", "path:*nowhere*").json
        self.assertEqual(answer["samples"], 0)
        self.assertEqual(answer["notes"], ["the view selects no image, so that there is nothing to be labelled"])

    def test_a_reader_follows_a_writer(self):
        self.import_photographs()
        process = self.start_program("label", "--model", self.model("nanodet_m_416.onnx"), "--set", "auto")
        seen = []
        while process.poll() is None:
            stats = self.run_program("labels", "--where", "limit:1000000").json["labels"]
            done = self.runs()[0]["done"] if self.runs() else 0
            seen.append((len(stats), done))
        self.assertEqual(process.returncode, 0)
        counts = [count for count, _ in seen]
        self.assertEqual(counts, sorted(counts), "a reader went back in time")
        self.assertTrue(any(0 < done < 128 for _, done in seen), "no reading fell inside the run")
        fresh = len(self.run_program("labels", "--where", "limit:1000000").json["labels"])
        self.assertEqual(fresh, len(self.exported("auto")))

    def labels(self, view, project=None):
        return self.run_program("labels", "--where", f"{view} limit:1000000", project=project).json["labels"]

    def test_a_stronger_model_replaces_only_what_is_doubtful_whatever_befalls_it(self):
        photographs = self.data / "coco128-val"
        self.run_program("import", "--images", photographs / "images", "--labels", photographs, "--format", "yolo")
        self.run_program("label", "--model", self.model(NANODET), "--floor", "0.2")
        self.run_program("review", "accept", "--where", "set:auto class:person confidence>=0.75")
        self.run_program("review", "reject", "--where", "set:auto class:chair confidence>=0.3 confidence<0.33")
        before, shown_before = self.exported("auto"), self.labels("set:auto")
        other = self.scratch / "uninterrupted"
        shutil.copytree(self.project, other)
        words = ("label", "--model", self.model("yolox_nano.onnx"), "--classes", "person, chair", "--replace-below", "0.4")
        words += ("--where", "set:auto class:person,chair confidence<0.4")

        whole = self.run_program(*words, project=other).json
        self.assertEqual((whole["replaces_below"], whole["same_iou"]), (0.4, 0.5))
        process = self.start_program(*words)
        while process.poll() is None and not any(run["run"] == 2 and run["done"] > 0 for run in self.runs()):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        stopped = self.runs()[1]
        self.assertLess(stopped["done"], stopped["samples"], "the kill fell outside the run")
        resumed = self.run_program("label", "--resume", "2").json
        counts = ("samples", "done", "failed", "labels", "superseded", "repeats", "replaces_below", "same_iou")
        self.assertEqual([resumed[key] for key in counts], [whole[key] for key in counts])
        self.assertGreater(resumed["repeats"], 10)
        self.assertGreater(resumed["superseded"], 10)
        for run in (self.runs()[1], self.run_program("runs", "show", "2").json):
            self.assertEqual([run[key] for key in counts], [whole[key] for key in counts])
        self.assertIsNone(self.runs()[0]["replaces_below"])
        self.assertIn(b"at least 0.4 stay", self.run_program("runs", "show", "2", as_json=False).out)
        after = self.exported("auto")
        self.assertEqual(after, self.exported("auto", project=other))

        self.check_what_stayed(shown_before, resumed)
        self.check_that_all_see_the_same(after)
        self.run_program("runs", "undo", "2")
        self.assertEqual(self.exported("auto"), before)
        self.assertEqual(self.labels("set:auto"), shown_before)

    def check_what_stayed(self, before, run):
        """Every label of before stands unless it was doubtful, and no new one lies on one of its class that stands."""
        looked_at = {one["sample"] for one in before if one["class"] in ("person", "chair") and one["confidence"] < 0.4}
        self.assertEqual(len(looked_at), run["samples"])
        gone, stays = [], []
        for one in before:
            is_doubtful = one["class"] in ("person", "chair") and one["confidence"] < 0.4 and one["verdict"] == "unreviewed"
            (gone if is_doubtful else stays).append(one)
        self.assertGreater(len(gone), 10)
        shown = self.labels("set:auto")
        self.assertEqual([one for one in shown if one["run"] == 1], stays)
        self.assertEqual([one["label"] for one in self.labels("status:replaced")], [one["label"] for one in gone])

        def overlap(a, b):
            if (a["sample"], a["class"]) != (b["sample"], b["class"]):
                return 0
            (ax, ay, aw, ah), (bx, by, bw, bh) = a["bbox"], b["bbox"]
            both = max(0, min(ax + aw, bx + bw) - max(ax, bx)) * max(0, min(ay + ah, by + bh) - max(ay, by))
            return both / (aw * ah + bw * bh - both)

        def is_in_the_way(old, new):
            return overlap(old, new) >= (0.7 if old["verdict"] == "rejected" else 0.5)

        new = [one for one in shown if one["run"] == 2]
        hidden = self.labels("status:superseded")
        self.assertGreater(len(new), 10)
        self.assertEqual(len(new) + len(hidden), run["labels"])
        self.assertEqual(len(hidden), run["superseded"] + run["repeats"])
        for one in new:
            self.assertFalse([old for old in stays if is_in_the_way(old, one)], one)
        for one in hidden:
            self.assertTrue([old for old in stays if is_in_the_way(old, one)], one)

    def check_that_all_see_the_same(self, exported):
        """Views and evaluation see the labels that an export writes."""
        self.assertEqual(len(self.labels("set:auto -verdict:rejected")), len(exported))
        truth, predictions = self.scratch / "truth.json", self.scratch / "predictions.json"
        self.run_program("export", "--set", "ground_truth", "--format", "coco", "--output", truth)
        document = json.loads(truth.read_text())
        images = {image["file_name"]: image["id"] for image in document["images"]}
        categories = {category["name"]: category["id"] for category in document["categories"]}
        rows = [
            {"image_id": images[name], "category_id": categories[class_name], "bbox": box, "score": score}
            for name, class_name, *box, score in exported
            if class_name in categories
        ]
        predictions.write_text(json.dumps(rows))
        of_files = self.run_program("evaluate", "--predictions", predictions, "--truth", truth).json
        of_project = self.run_program("evaluate", "--predictions", "auto", "--truth", "ground_truth").json
        for key, want in of_files["metrics"].items():
            self.assertAlmostEqual(of_project["metrics"][key], want, delta=1e-6, msg=key)

    def test_a_bound_that_is_none_is_wrong_use(self):
        for bound in ("-0.1", "1.1", "nan"):
            error = self.error("label", "--model", self.model(NANODET), f"--replace-below={bound}", status=2)
            self.assertIn("--replace-below", error["message"])
        self.error("label", "--resume", "1", "--replace-below", "0.3", status=2)


class LabellingFixtures(ProgramCase):
    def setUp(self):
        super().setUp()
        self.init()

    def test_a_stronger_model_replaces_whatever_was_not_decided_on(self):
        fixtures = SOURCE / "tests" / "parity" / "fixtures"
        self.run_program("import", "--images", fixtures / "images")
        self.run_program("label", "--model", fixtures / "rt-detr", "--floor", "0.2")
        before = self.exported("auto")
        again = ("--floor", "0.2", "--where", "set:auto confidence<0.5")

        def runs_of(view):
            return [label["run"] for label in self.run_program("labels", "--where", f"{view} limit:1000").json["labels"]]

        confident = len(runs_of("set:auto confidence>=0.5"))
        self.assertGreater(confident, 10)
        self.run_program("label", "--model", fixtures / "rt-detr-v2", *again)
        self.assertEqual(runs_of("set:auto confidence>=0.5 status:replaced"), [1] * confident)
        self.run_program("runs", "undo", "2")
        self.assertEqual(self.exported("auto"), before)

        self.run_program("review", "accept", "--where", "set:auto confidence>=0.5")
        run = self.run_program("label", "--model", fixtures / "rt-detr", *again).json
        self.assertEqual(run["superseded"], confident)
        self.assertEqual(runs_of("set:auto confidence>=0.5"), [1] * confident)
        self.assertEqual(set(runs_of("set:auto confidence<0.5")), {3})

    def test_a_segmenting_yolo_outlines_what_ultralytics_does(self):
        fixtures = SOURCE / "tests" / "parity" / "fixtures"
        model = fixtures / "yolo" / "yoloe-seg"
        expected = json.loads((model / "expected.json").read_text())
        self.run_program("import", "--images", fixtures / "images")
        run = self.run_program("label", "--model", model / "model.onnx", "--floor", str(expected["floor"])).json
        self.assertEqual((run["done"], run["failed"]), (len(expected["images"]), 0))
        wanted = {}
        for image in expected["images"]:
            for one in image["detections"]:
                key = (image["file"], expected["class_names"][one["class"]])
                wanted.setdefault(key, []).append((one["score"], one["mask"]))
        same = 0
        coco = self.scratch / "masks.json"
        self.run_program("export", "--set", "auto", "--format", "coco", "--output", coco)
        coco = json.loads(coco.read_text())
        files = {image["id"]: os.path.basename(image["file_name"]) for image in coco["images"]}
        names = {category["id"]: category["name"] for category in coco["categories"]}
        for label in coco["annotations"]:
            found = wanted.get((files[label["image_id"]], names[label["category_id"]]), [])
            near = [mask for score, mask in found if abs(score - label["score"]) < 1e-3]
            self.assertTrue(near or label["score"] < expected["floor"] + 1e-3, label)
            same += label["segmentation"]["counts"] in near
        self.assertGreater(len(coco["annotations"]), 500)
        self.assertGreater(same, 0.8 * len(coco["annotations"]), "a logit near 0 may fall on either side")
