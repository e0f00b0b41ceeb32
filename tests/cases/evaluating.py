"""Evaluation and thresholds through the command line: files without a project, coverage, undefined numbers."""

import json

from harness import ProgramCase, write_bitmap, write_json


def truth(annotations, images=2):
    return {
        "images": [{"id": i + 1, "file_name": f"{i + 1}.bmp", "width": 100, "height": 100} for i in range(images)],
        "categories": [{"id": 5, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"id": n + 1, "image_id": i, "category_id": c, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
            for n, (i, c, b) in enumerate(annotations)
        ],
    }


def result(image, category, box, score):
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


class Evaluating(ProgramCase):
    def files(self, annotations, results):
        return (
            write_json(self.scratch / "gt.json", truth(annotations)),
            write_json(self.scratch / "dt.json", results),
        )

    def evaluate(self, annotations, results, *words, command="evaluate", status=0):
        gt, dt = self.files(annotations, results)
        return self.run_program(command, "--truth", gt, "--predictions", dt, *words, status=status).json

    def test_files_need_no_project(self):
        box = [10, 10, 40, 40]
        answer = self.evaluate(
            [(1, 5, box), (2, 5, box)],
            [result(1, 5, box, 0.9), result(2, 5, [50, 50, 40, 40], 0.8), result(2, 5, box, 0.7)],
        )
        metrics = answer["metrics"]
        # tp, fp, tp: at every IoU the precision envelope is 1 up to recall 0.5, then 2/3: (51 + 50 · 2/3) / 101
        self.assertAlmostEqual(metrics["mAP"], (51 + 50 * 2 / 3) / 101, places=12)
        self.assertEqual(metrics["threshold"], 0.7)
        self.assertAlmostEqual(metrics["precision"], 2 / 3)
        self.assertEqual(metrics["recall"], 1)
        self.assertAlmostEqual(metrics["f1"], 0.8)
        self.assertIsNone(metrics["mAP_large"])
        self.assertIsNone(answer["per_class"]["dog"]["AP"])
        self.assertFalse(self.project.exists())

    def test_threshold_is_the_score_where_f1_is_best(self):
        box, other = [10, 10, 40, 40], [60, 60, 30, 30]
        answer = self.evaluate(
            [(1, 5, box), (2, 9, box)],
            [result(1, 5, box, 0.6), result(2, 9, box, 0.5), result(1, 9, other, 0.3), result(2, 5, other, 0.2)],
            "--per-class",
            command="threshold",
        )
        self.assertEqual((answer["threshold"], answer["f1"]), (0.5, 1.0))
        self.assertEqual(answer["per_class"]["cat"], {"threshold": 0.6, "f1": 1.0})
        self.assertEqual(answer["per_class"]["dog"], {"threshold": 0.5, "f1": 1.0})

    def test_chosen_threshold_is_used_and_inclusive(self):
        box = [10, 10, 40, 40]
        answer = self.evaluate([(1, 5, box)], [result(1, 5, box, 0.6)], "--threshold", "0.6")
        self.assertEqual(answer["metrics"]["recall"], 1)
        answer = self.evaluate([(1, 5, box)], [result(1, 5, box, 0.6)], "--threshold", "0.61")
        self.assertEqual(answer["metrics"]["recall"], 0)
        self.assertIsNone(answer["metrics"]["precision"])

    def test_undefined_is_null_never_zero_or_minus_one(self):
        answer = self.evaluate([], [])
        self.assertTrue(all(answer["metrics"][key] is None for key in ("mAP", "mAP_50", "AR_100", "precision", "recall")))
        answer = self.evaluate([(1, 5, [1, 1, 9, 9])], [])
        self.assertEqual(answer["metrics"]["mAP"], 0)

    def test_bad_files_say_what_is_wrong_and_where(self):
        gt, dt = self.files([(1, 5, [1, 1, 9, 9])], [result(1, 5, [1, 1, 9, 9], 0.5)])
        dt.write_text('[{"image_id": 1, "category_id": 5, "bbox": [1, 1, 9, 9], "score": NaN}]')
        self.error("evaluate", "--truth", gt, "--predictions", dt, status=4)
        self.error("evaluate", "--truth", gt, "--predictions", self.scratch / "none.json", status=3)
        self.error("evaluate", "--truth", gt, "--predictions", gt, "--protocol", "mystery", status=2)

    def test_coverage_counts_what_was_not_labelled(self):
        images = self.scratch / "images"
        for number in (1, 2):
            write_bitmap(images / f"{number}.bmp", 100, 100)
        self.init()
        box = [10, 10, 40, 40]
        gt = write_json(self.scratch / "gt.json", truth([(1, 5, box)]))
        self.run_program("import", "--images", images, "--labels", gt, "--format", "coco", "--set", "ground_truth")
        document = truth([(1, 5, box)])
        document["images"] = document["images"][:1]
        document["annotations"][0]["score"] = 0.5
        part = write_json(self.scratch / "part.json", document)
        self.run_program("import", "--images", images, "--labels", part, "--format", "coco", "--set", "auto")
        answer = self.run_program("evaluate", "--predictions", "auto", "--truth", "ground_truth").json
        self.assertEqual(answer["coverage"]["samples"], 2)
        self.assertEqual(answer["coverage"]["not_labelled_in_predictions"], 1)
        self.assertAlmostEqual(answer["metrics"]["mAP"], 1)
        self.error("evaluate", "--predictions", "auto", "--truth", "nothing", status=2)

    def test_rejected_predictions_are_no_predictions(self):
        images = self.scratch / "images"
        write_bitmap(images / "1.bmp", 100, 100)
        self.init()
        box = [10, 10, 40, 40]
        document = truth([(1, 5, box)], images=1)
        gt = write_json(self.scratch / "gt.json", document)
        self.run_program("import", "--images", images, "--labels", gt, "--format", "coco", "--set", "ground_truth")
        for row in document["annotations"]:
            row["score"] = 0.5
        document["annotations"].append({**document["annotations"][0], "id": 7, "bbox": [60, 60, 20, 20], "score": 0.9})
        dt = write_json(self.scratch / "p.json", document)
        self.run_program("import", "--images", images, "--labels", dt, "--format", "coco", "--set", "auto")
        words = ("evaluate", "--predictions", "auto", "--truth", "ground_truth")
        self.assertAlmostEqual(self.run_program(*words).json["metrics"]["mAP"], 0.5)
        self.run_program("review", "reject", "--where", "set:auto confidence>0.8")
        self.assertAlmostEqual(self.run_program(*words).json["metrics"]["mAP"], 1)
        self.assertEqual(json.loads(json.dumps(self.run_program(*words).json["coverage"]))["samples"], 1)
