"""Evaluation and thresholds through the command line: files without a project, coverage, undefined numbers."""

import contextlib
import json
import random
import sqlite3

from harness import ProgramCase, test_data, write_bitmap, write_json


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

    def test_files_have_no_place_for_a_name(self):
        gt, dt = self.files([(1, 5, [10, 10, 40, 40])], [])
        error = self.error("evaluate", "--truth", gt, "--predictions", dt, "--name", "first", status=2)
        self.assertIn("--name", error["message"])

    def test_threshold_is_the_score_where_f1_is_best(self):
        box, other = [10, 10, 40, 40], [60, 60, 30, 30]
        answer = self.evaluate(
            [(1, 5, box), (2, 9, box)],
            [result(1, 5, box, 0.6), result(2, 9, box, 0.5), result(1, 9, other, 0.3), result(2, 5, other, 0.2)],
            "--per-class",
            command="threshold",
        )
        self.assertEqual((answer["threshold"], answer["f1"]), (0.5, 1.0))
        for name, threshold in (("cat", 0.6), ("dog", 0.5)):
            of_class = answer["per_class"][name]
            self.assertEqual((of_class["threshold"], of_class["f1"]), (threshold, 1.0))
            self.assertEqual((of_class["truths"], of_class["few_truths"]), (1, True))
        self.assertLessEqual(answer["intervals"]["threshold"][0], answer["threshold"])
        self.assertGreaterEqual(answer["intervals"]["threshold"][1], answer["threshold"])

    def test_what_is_wanted_holds_for_all_that_the_file_lets_through(self):
        # Each prediction is a truth's box or in an empty place, so that what is right needs no matching.
        rng = random.Random(4)
        names = [f"class {i}" for i in range(12)]
        annotations, results, right = [], [], []
        for number in range(12):
            skill = rng.uniform(0.2, 0.9)
            for _ in range(rng.choice((60, 90)) if number < 5 else rng.randint(1, 20)):
                place = [10 * (len(annotations) % 50), 10 * (len(annotations) // 50), 8, 8]
                annotations.append((1, number, place))
                results.append(result(1, number, place, round(rng.betavariate(4 * skill, 2), 3)))
                right.append(True)
        for i in range(500):
            number = rng.randrange(12)
            results.append(result(1, number, [10 * (i % 50), 500 + 10 * (i // 50), 8, 8], round(rng.betavariate(1.5, 3), 3)))
            right.append(False)
        # COCO looks at 100 of a class and image: spread over images.
        document = truth(annotations, images=40)
        document["categories"] = [{"id": i, "name": name} for i, name in enumerate(names)]
        for one in (*document["annotations"], *results):
            one["image_id"] = 1 + (one["bbox"][0] + one["bbox"][1]) // 10 % 40
        for image in document["images"]:
            image |= {"width": 600, "height": 700}
        gt, dt = write_json(self.scratch / "gt.json", document), write_json(self.scratch / "dt.json", results)

        def best(numbers, at_least):
            """The lowest threshold with that precision over some classes: a plain scan."""
            rows = [(r["score"], is_right) for r, is_right in zip(results, right, strict=True) if r["category_id"] in numbers]
            good = None
            for threshold in sorted({score for score, _ in rows}, reverse=True):
                kept = [is_right for score, is_right in rows if score >= threshold]
                good = threshold if any(kept) and sum(kept) / len(kept) >= at_least else good
            return good

        for wanted in (0.6, 0.8, 0.95):
            words = ("threshold", "--truth", gt, "--predictions", dt, "--precision", str(wanted), "--resamples", "0")
            answer = self.run_program(*words).json
            few = {i for i, name in enumerate(names) if answer["per_class"][name]["few_truths"]}
            self.assertTrue(few and len(few) < 12)
            self.assertEqual(answer["shared"]["threshold"], best(few, wanted))
            of_class = [answer["shared" if i in few else "per_class"] for i in range(12)]
            of_class = [one if i in few else one[names[i]] for i, one in enumerate(of_class)]
            limits = [2 if one["threshold"] is None else one["threshold"] for one in of_class]
            kept = [is_right for r, is_right in zip(results, right, strict=True) if r["score"] >= limits[r["category_id"]]]
            self.assertEqual((len(kept), sum(kept)), (answer["by_class"]["kept"], answer["by_class"]["right"]))
            self.assertEqual(answer["by_class"]["missed"], len(annotations) - sum(kept))
            self.assertGreaterEqual(answer["by_class"]["precision"], wanted)

    def test_errors_cost_of_the_average_precision_that_is_reported(self):
        # One truth, on image 2; of equal scores the prediction on image 1 counts first, though it stands later in its file.
        box = [10, 10, 40, 40]
        answer = self.evaluate([(2, 5, box)], [result(2, 5, box, 0.5), result(1, 5, box, 0.5)], "--details")
        self.assertAlmostEqual(answer["metrics"]["mAP_50"], 0.5)
        self.assertAlmostEqual(answer["errors"]["AP_50"], 0.5)
        self.assertAlmostEqual(answer["errors"]["kinds"]["background"]["ap_cost"], 0.5)
        self.assertAlmostEqual(answer["errors"]["false_positive_cost"], 0.5)

    def test_confusion_counts_what_precision_and_recall_count(self):
        box, other = [10, 10, 40, 40], [60, 60, 30, 30]
        answer = self.evaluate(
            [(1, 5, box)], [result(1, 5, other, 0.9)] * 100 + [result(1, 5, box, 0.1)], "--details", "--threshold", "0"
        )
        self.assertEqual([answer["per_class"]["cat"][key] for key in ("tp", "fp", "fn")], [0, 100, 1])
        self.assertEqual(answer["confusion"]["cells"], [[0, 1, 1], [1, 0, 100]], "the right one is the 101st")

    def test_chosen_threshold_is_used_and_inclusive(self):
        box = [10, 10, 40, 40]
        answer = self.evaluate([(1, 5, box)], [result(1, 5, box, 0.6)], "--threshold", "0.6")
        self.assertEqual(answer["metrics"]["recall"], 1)
        answer = self.evaluate([(1, 5, box)], [result(1, 5, box, 0.6)], "--threshold", "0.61")
        self.assertEqual(answer["metrics"]["recall"], 0)
        self.assertIsNone(answer["metrics"]["precision"])

    def test_masks_are_compared_in_whatever_form_they_stand(self):
        document = truth([(1, 5, [10, 20, 40, 40]), (2, 5, [0, 0, 50, 100])])
        left, square = [[0, 0, 50, 0, 50, 100, 0, 100]], [[10, 20, 50, 20, 50, 60, 10, 60]]
        for annotation, polygons in zip(document["annotations"], (square, left)):
            annotation["segmentation"] = polygons
        gt = write_json(self.scratch / "gt.json", document)
        # Columns 0 to 29 of the left half, without a box: IoU 0.6. The square as it is, in a box that says nothing of it.
        part = {"size": [100, 100], "counts": [0, 3000, 7000]}
        results = [
            {"image_id": 2, "category_id": 5, "score": 0.9, "segmentation": part},
            {**result(1, 5, [0, 0, 1, 1], 0.8), "segmentation": square},
        ]
        words = ("evaluate", "--truth", gt, "--iou-type", "mask", "--predictions")
        metrics = self.run_program(*words, write_json(self.scratch / "dt.json", results)).json["metrics"]
        self.assertEqual(metrics["mAP_50"], 1)
        # At .65 and above a false positive comes before the one that is right: precision 1/2 up to recall 1/2
        self.assertAlmostEqual(metrics["mAP"], (3 * 1 + 7 * 0.5 * 51 / 101) / 10, places=12)
        results[0]["segmentation"] = {"size": [50, 50], "counts": [0, 2500]}
        error = self.error(*words, write_json(self.scratch / "dt.json", results), status=4)
        self.assertIn("50 × 50", error["message"])
        self.assertEqual(error["context"]["image_id"], "2")
        self.assertEqual((error["context"]["file"], error["context"]["field"]), (str(self.scratch / "dt.json"), "[0].segmentation"))

    def test_errors_about_masks_name_the_file_and_the_annotation(self):
        document = truth([(1, 5, [0, 0, 10, 10]), (2, 5, [0, 0, 10, 10]), (2, 9, [0, 0, 10, 10])])
        corner = [[0, 0, 10, 0, 10, 10, 0, 10]]
        for number, annotation in enumerate(document["annotations"]):
            annotation.update(id=70 + number, segmentation=corner)
        good = [{**result(image, 5, [0, 0, 10, 10], 0.5), "segmentation": corner} for image in (77, 1, 2)]
        gt, dt = self.scratch / "gt.json", self.scratch / "dt.json"
        words = ("evaluate", "--truth", gt, "--iou-type", "mask", "--predictions", dt)

        def context(truths, predictions):
            write_json(gt, {**document, **truths})
            write_json(dt, predictions)
            error = self.error(*words, status=4)["context"]
            self.assertGreater(int(error["byte"]), 0)
            return [error.get(key) for key in ("file", "field", "annotation_id", "image_id")]

        # The first of the results is on an image that the truth does not list, and left out: places are those of the file.
        half = [good[0], good[1], {**good[2], "segmentation": {"size": [50, 50], "counts": [0, 2500]}}]
        self.assertEqual(context({}, half), [str(dt), "[2].segmentation", None, "2"])
        bare = [good[0], {**good[1], "id": 8}, {**result(2, 9, [0, 0, 10, 10], 0.5), "id": 9}]
        self.assertEqual(context({}, bare), [str(dt), "[2].segmentation", "9", "2"])
        no_mask = [*document["annotations"][:2], {**document["annotations"][2], "segmentation": []}]
        self.assertEqual(context({"annotations": no_mask}, good), [str(gt), "annotations[2].segmentation", "72", "2"])
        other_size = [*document["annotations"][:2], {**no_mask[2], "segmentation": {"size": [9, 9], "counts": [0, 81]}}]
        self.assertEqual(context({"annotations": other_size}, good), [str(gt), "annotations[2].segmentation", "72", "2"])
        no_size = [document["images"][0], {"id": 2, "file_name": "2.bmp"}]
        self.assertEqual(context({"images": no_size}, good), [str(gt), "annotations[1].segmentation", "71", "2"])

    def test_an_import_that_was_cut_off_is_told(self):
        write_bitmap(self.scratch / "images" / "1.bmp", 100, 100)
        self.init()
        box = [10, 10, 40, 40]
        whole = write_json(self.scratch / "gt.json", truth([(1, 5, box)], images=1))
        words = ("import", "--images", self.scratch / "images", "--format", "coco", "--labels")
        self.run_program(*words, whole, "--set", "ground_truth")
        self.run_program(*words, write_json(self.scratch / "auto.json", truth([(1, 5, box)], images=1)), "--set", "auto")
        evaluate = ("evaluate", "--predictions", "auto", "--truth", "ground_truth")
        coverage = self.run_program(*evaluate).json["coverage"]
        self.assertEqual((coverage["imports_cut_off"], coverage["labels_of_cut_off_imports"]), (0, 0))

        more = truth([(1, 9, box), (1, 9, [50, 50, 9, 9])], images=1)
        for annotation in more["annotations"]:
            annotation["id"] += 100
        self.run_program(*words, write_json(self.scratch / "more.json", more), "--set", "ground_truth")
        with contextlib.closing(sqlite3.connect(self.project / "verilabel.db")) as database, database:
            database.execute("UPDATE imports SET finished_at = NULL WHERE id = 3")  # what a kill just before its end leaves
        self.assertEqual([row["state"] for row in self.run_program("imports").json["imports"]], ["finished", "finished", "cut off"])
        answer = self.run_program(*evaluate).json
        self.assertEqual((answer["coverage"]["imports_cut_off"], answer["coverage"]["labels_of_cut_off_imports"]), (1, 2))
        self.assertEqual(answer["coverage"]["truths"], 3)
        self.assertIn("1 import into these sets was cut off", self.run_program(*evaluate, as_json=False).out.decode())
        self.run_program("imports", "undo", 3)
        self.assertEqual(self.run_program(*evaluate).json["coverage"]["imports_cut_off"], 0)

    def test_people_read_how_much_was_compared_and_that_nobody_verified_it(self):
        gt, dt = self.files([(1, 5, [10, 10, 40, 40])], [result(1, 5, [60, 60, 30, 30], 0.5)])
        document = json.loads(gt.read_text())
        document["images"] = document["images"][:1]
        write_json(gt, document)
        told = self.run_program("evaluate", "--truth", gt, "--predictions", dt, "--details", as_json=False).out.decode()
        self.assertIn("1 sample evaluated, 1 truth, 1 prediction\n  none of the samples was verified by a person", told)
        self.assertIn("\nErrors: counts at threshold -; costs, over predictions of every score, are what AP_50 (now 0.0000) ", told)
        self.assertRegex(told, r"error +wrong predictions +lost truths +AP_50 cost")

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


class Judged(ProgramCase):
    """A project of four images: what is right and wrong on them is known by hand."""

    # (image, class, box) and (image, class, box, score)
    TRUTHS = [
        (1, 5, [10, 10, 40, 40]),
        (1, 9, [60, 60, 30, 30]),
        (2, 5, [10, 10, 40, 40]),
        (3, 9, [20, 20, 50, 50]),
        (4, 5, [5, 5, 20, 20]),
    ]
    PREDICTIONS = [
        (1, 5, [10, 10, 40, 40], 0.9),  # right
        (1, 5, [60, 60, 30, 30], 0.8),  # a dog taken for a cat
        (2, 5, [30, 10, 40, 40], 0.7),  # half beside: IoU 1/3
        (2, 9, [70, 70, 20, 20], 0.6),  # on nothing
        (3, 9, [20, 20, 50, 50], 0.5),  # right
        (3, 9, [22, 20, 50, 50], 0.4),  # a duplicate
        (4, 5, [5, 5, 20, 20], 0.1),  # right, and below the threshold
    ]

    def setUp(self):
        super().setUp()
        images = self.scratch / "images"
        for number in range(1, 5):
            write_bitmap(images / f"{number}.bmp", 100, 100)
        self.init()
        self.add_set("ground_truth", [(*row, None) for row in self.TRUTHS])
        self.add_set("auto", self.PREDICTIONS)

    def add_set(self, name, rows):
        document = truth([row[:3] for row in rows], images=4)
        for annotation, row in zip(document["annotations"], rows):
            if row[3] is not None:
                annotation["score"] = row[3]
        labels = write_json(self.scratch / f"{name}.json", document)
        self.run_program("import", "--images", self.scratch / "images", "--labels", labels, "--format", "coco", "--set", name)

    def evaluate(self, *words):
        threshold = () if "--threshold" in words else ("--threshold", "0.3")
        return self.run_program("evaluate", "--predictions", "auto", "--truth", "ground_truth", *threshold, *words).json

    def labels(self, view):
        return [(row["set"], row["name"], row["confidence"]) for row in self.run_program("labels", "--where", view).json["labels"]]

    def samples(self, view):
        return [row["name"] for row in self.run_program("samples", "--where", view).json["samples"]]

    def test_an_evaluation_of_no_sample_does_not_replace_another(self):
        self.evaluate()
        before = self.run_program("evaluations", "show", "latest").json
        for words in (("--where", "width>1000"), ("--where", "width>1000", "--protocol", "multi_label")):
            done = self.run_program("evaluate", "--predictions", "auto", "--truth", "ground_truth", *words, status=1)
            self.assertEqual(done.json["coverage"]["samples"], 0)
            self.assertIn("no sample was evaluated", done.err.decode())
        self.assertEqual(self.run_program("evaluations", "show", "latest").json, before)
        self.assertEqual(self.labels("outcome:tp set:auto"), [("auto", "1.bmp", 0.9), ("auto", "3.bmp", 0.5)])

    def test_names_of_classes_that_differ_in_case_only_are_told_with_what_to_do(self):
        labels = self.scratch / "shouting.csv"
        labels.write_text("image,label,x,y,w,h,confidence\n1.bmp,CAT,10,10,40,40,0.9\n")
        words = ("import", "--images", self.scratch / "images", "--labels", labels, "--format", "csv", "--set", "shouting")
        self.run_program(*words)
        sets = ("evaluate", "--predictions", "shouting", "--truth", "ground_truth")
        done = self.run_program(*sets)
        self.assertEqual(done.json["coverage"]["names_alike"], [["cat", "CAT"]])
        self.assertIn("'cat' of the truth and 'CAT' of the predictions; where they mean the same, import", done.err.decode())
        self.assertIn("--classes-map", done.err.decode())

    def test_evaluations_are_listed_shown_and_forgotten(self):
        details = self.evaluate("--name", "first", "--details")
        self.evaluate("--name", "second", "--where", "name:1.bmp")
        listed = self.run_program("evaluations", "list").json
        self.assertEqual(listed, self.run_program("evaluations").json)
        first, second = listed["evaluations"]
        self.assertEqual([first[key] for key in ("evaluation", "predictions", "truth")], ["first", "auto", "ground_truth"])
        self.assertEqual((first["result"]["mAP"], first["result"]["threshold"]), (details["metrics"]["mAP"], 0.3))
        self.assertEqual((second["evaluation"], second["result"]["where"]), ("second", "name:1.bmp"))
        text = self.run_program("evaluations", as_json=False).out.decode()
        self.assertRegex(text, r"first +auto +ground_truth +coco")

        text = self.run_program("evaluations", "show", "first", as_json=False).out.decode()
        self.assertEqual(
            [line.split(":")[0].strip() for line in text.splitlines()[2:8]],
            ["protocol", "iou_type", "iou", "where", "threshold", "mAP"],
        )
        self.assertIn("  where: all samples\n", text)

        shown = self.run_program("evaluations", "show", "first").json
        self.assertEqual({key: shown[key] for key in first}, first)
        self.assertEqual([shown[key] for key in ("samples", "tp", "fp", "fn")], [4, 2, 4, 3])
        kinds = {
            kind: {"predictions": row["predictions"], "truths": row["truths"]} for kind, row in details["errors"]["kinds"].items()
        }
        self.assertEqual(shown["errors"], {kind: counts for kind, counts in kinds.items() if any(counts.values())})
        self.assertIn("2 truths found, 3 missed", self.run_program("evaluations", "show", "first", as_json=False).out.decode())

        self.run_program("evaluations", "remove", "first")
        self.assertEqual([row["evaluation"] for row in self.run_program("evaluations").json["evaluations"]], ["second"])
        for words in (("show", "first"), ("remove", "first")):
            self.assertEqual(self.error("evaluations", *words, status=2)["context"], {"evaluations": "second"})
        self.error("labels", "--where", "outcome:fp eval:first", status=2)

    def test_details_say_how_predictions_go_wrong(self):
        answer = self.evaluate("--details")
        kinds = answer["errors"]["kinds"]
        counts = {kind: (row["predictions"], row["truths"]) for kind, row in kinds.items()}
        self.assertEqual(
            counts,
            {
                "classification": (1, 1),
                "localization": (1, 1),
                "both": (0, 0),
                "duplicate": (1, 0),
                "background": (1, 0),
                "missed": (0, 1),
            },
        )
        wrong = answer["per_class"]["cat"]["fp"] + answer["per_class"]["dog"]["fp"]
        self.assertEqual(sum(row["predictions"] for row in kinds.values()), wrong)
        self.assertGreater(kinds["classification"]["ap_cost"], 0)
        confusion = answer["confusion"]
        self.assertEqual(confusion["classes"], ["cat", "dog"])
        # cat found, dog taken for cat; two cats missed; two wrong dogs and a wrong cat on nothing; dog found
        self.assertEqual(sorted(map(tuple, confusion["cells"])), [(0, 0, 1), (0, 2, 2), (1, 0, 1), (1, 1, 1), (2, 0, 1), (2, 1, 2)])
        curve = answer["curves"]["overall"]
        self.assertEqual(curve["truths"], 5)
        self.assertEqual(curve["threshold"], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.1])
        self.assertEqual(curve["tp"], [1, 1, 1, 1, 2, 2, 3])
        self.assertEqual(curve["fp"], [0, 1, 2, 3, 3, 4, 4])
        self.assertEqual(sum(answer["distributions"]["confidence"]["tp"]), 3)
        self.assertEqual(sum(row["predictions"] for row in answer["calibration"]["bins"]), 7)
        worst = answer["worst"]
        self.assertEqual([(row["name"], row["fp"], row["fn"]) for row in worst][:2], [("2.bmp", 2, 1), ("1.bmp", 1, 1)])
        self.assertEqual(
            [(label["role"], label["outcome"], label["error"]) for label in worst[0]["labels"]],
            [("truth", "fn", "localization"), ("prediction", "fp", "localization"), ("prediction", "fp", "background")],
        )

    def test_views_ask_the_newest_evaluation_or_one_by_name(self):
        self.error("labels", "--where", "outcome:fp", status=2)
        self.evaluate("--name", "low")
        self.assertEqual(self.labels("set:auto outcome:tp"), [("auto", "1.bmp", 0.9), ("auto", "3.bmp", 0.5)])
        self.assertEqual(self.labels("set:auto outcome:ignored"), [("auto", "4.bmp", 0.1)])
        self.assertEqual(self.labels("outcome:fn error:missed"), [("ground_truth", "4.bmp", None)])
        self.assertEqual(self.labels("outcome:fp error:localization iou<0.5"), [("auto", "2.bmp", 0.7)])
        self.assertEqual(self.samples("-sort:fp limit:1"), ["2.bmp"])
        self.assertEqual(self.samples("fn>=1 sort:name"), ["1.bmp", "2.bmp", "4.bmp"])
        row = self.run_program("samples", "--where", "f1<0.5 limit:1").json["samples"][0]
        self.assertEqual((row["tp"], row["fp"], row["fn"], row["f1"]), (0, 2, 1, 0))

        self.evaluate("--name", "high", "--threshold", "0.85")
        self.assertEqual(self.labels("set:auto outcome:tp"), [("auto", "1.bmp", 0.9)])
        self.assertEqual(len(self.labels("set:auto outcome:tp eval:low")), 2)
        self.error("labels", "--where", "outcome:tp eval:middle", status=2)
        self.error("samples", "--where", "eval:middle", status=2)

        self.evaluate("--name", "low", "--threshold", "0.05")
        self.assertEqual(len(self.labels("set:auto outcome:tp")), 3, "replaced, and the newest again")

    def test_scenarios_are_parts_with_intervals(self):
        answer = self.evaluate("--scenario", "big=area>=1000", "--scenario", "name:1.bmp,2.bmp", "--scenario", "nothing=width>1000")
        big, two, nothing = answer["scenarios"]
        self.assertEqual((big["name"], big["where"], big["truths"], big["samples"]), ("big", "area>=1000", 3, 3))
        # of the big ones: two right, one beside its truth, and one duplicate
        self.assertEqual((big["metrics"]["precision"], big["metrics"]["recall"]), (0.5, 2 / 3))
        self.assertEqual((two["name"], two["samples"], two["predictions"]), ("name:1.bmp,2.bmp", 2, 4))
        self.assertEqual((two["metrics"]["precision"], two["metrics"]["recall"]), (0.25, 1 / 3))
        low, high = two["intervals"]["precision"]
        self.assertTrue(low <= 0.25 <= high)
        self.assertEqual((nothing["samples"], nothing["metrics"]["f1"], nothing["intervals"]["f1"]), (0, None, None))
        self.error("evaluate", "--predictions", "auto", "--truth", "ground_truth", "--scenario", "x=clas:cat", status=2)

    def test_intervals_say_how_sure_the_numbers_of_each_class_are(self):
        self.assertNotIn("intervals", self.evaluate())
        words = ("--intervals", "--resamples", "300")
        answer = self.evaluate(*words)
        intervals = answer["intervals"]
        self.assertEqual([intervals[key] for key in ("iou", "threshold", "confidence", "resamples")], [0.5, 0.3, 0.95, 300])
        self.assertEqual(list(intervals["per_class"]), list(answer["per_class"]))
        for name in ("precision", "recall", "f1"):
            self.assertEqual(intervals["overall"]["metrics"][name], answer["metrics"][name])
        self.assertAlmostEqual(intervals["overall"]["metrics"]["AP_50"], answer["metrics"]["mAP_50"])
        for name, numbers in intervals["per_class"].items():
            of_class = answer["per_class"][name]
            self.assertAlmostEqual(numbers["metrics"]["AP_50"], of_class["AP_50"])
            for key, value in numbers["metrics"].items():
                low, high = numbers["intervals"][key]
                self.assertTrue(low <= value <= high, (name, key))
                self.assertLess(low, high)
                self.assertEqual(value, value if key == "AP_50" else of_class[key])
        # Each cat is on an image of its own, two of the three are found at any score: all of them or none may be drawn.
        self.assertEqual(intervals["per_class"]["cat"]["intervals"]["recall"], [0, 1])
        report = self.scratch / "report.html"
        self.evaluate(*words, "--report", report)
        self.assertIn('"resamples":300', report.read_text())
        told = self.run_program(
            "evaluate", "--predictions", "auto", "--truth", "ground_truth", "--threshold", "0.3", *words, as_json=False
        ).out.decode()
        self.assertIn("95 % intervals from 300 draws", told)
        self.assertRegex(told, r"\n *cat .*\(0\.0000 to 1\.0000\)")

    def test_comparison_has_differences_by_class(self):
        self.add_set("before", self.PREDICTIONS[:1])
        comparison = self.evaluate("--compare", "before")["comparison"]
        self.assertEqual(comparison["predictions"], "before")
        recall = comparison["metrics"]["recall"]
        self.assertEqual((recall["this"], recall["other"]), (0.4, 0.2))
        self.assertAlmostEqual(recall["difference"], 0.2)
        self.assertTrue(recall["interval"][0] <= 0.2 <= recall["interval"][1])
        self.assertEqual(comparison["per_class"]["dog"]["f1"]["other"], 0)
        for name, numbers in comparison["per_class"].items():
            self.assertIsNone(numbers["AP"]["interval"])
            for key in ("AP_50", "f1"):
                low, high = numbers[key]["interval"]
                self.assertTrue(low <= numbers[key]["difference"] <= high, (name, key))
        answer = self.evaluate("--compare", "before", "--iou", "0.75", "--details")
        compared = answer["comparison"]["metrics"]
        self.assertEqual(list(compared), ["mAP", "AP_75", "precision", "recall", "f1"])
        self.assertEqual(compared["mAP"]["this"], answer["metrics"]["mAP"])
        self.assertAlmostEqual(compared["AP_75"]["this"], answer["metrics"]["mAP_75"])
        self.assertAlmostEqual(answer["errors"]["AP_75"], answer["metrics"]["mAP_75"])
        self.assertEqual(answer["comparison"]["per_class"]["cat"]["AP"]["this"], answer["per_class"]["cat"]["AP"])
        words = ("evaluate", "--predictions", "auto", "--truth", "ground_truth")
        self.error(*words, "--compare", "auto", status=2)
        self.error(*words, "--compare", "nothing", status=2)
        self.error(*words, "--compare", "a/file.json", status=2)

    def test_goals_and_the_file_that_others_read(self):
        words = ("threshold", "--predictions", "auto", "--truth", "ground_truth", "--resamples", "20")
        answer = self.run_program(*words, "--recall", "0.6").json
        self.assertEqual((answer["goal"], answer["threshold"], answer["recall"]), ("recall 0.6", 0.1, 0.6))
        self.assertEqual(self.run_program(*words, "--recall", "0.9").json["threshold"], None)
        choices = self.run_program(*words).json["choices"]
        self.assertEqual([row["goal"] for row in choices][:3], ["f2", "f1", "f0.5"])
        self.assertTrue(all(row["kept"] == row["right"] + row["wrong"] for row in choices if row["threshold"] is not None))
        self.error(*words, "--metric", "f0", status=2)
        self.error(*words, "--metric", "f1", "--recall", "0.5", status=2)
        self.error(*words, "--precision", "1.5", status=2)

        # Precision 1: cats at 0.9; no dog threshold has it... down to 0.6 a wrong one comes first.
        accept = self.scratch / "accept.json"
        answer = self.run_program(*words, "--precision", "1", "--output", accept).json
        self.assertEqual(answer["per_class"]["cat"]["threshold"], 0.9)
        self.assertEqual((answer["per_class"]["dog"]["threshold"], answer["per_class"]["dog"]["unattainable"]), (None, True))
        kept = self.exported("auto", "--thresholds", accept)
        self.assertEqual([row[-1] for row in kept], [0.9], "nothing passes where nothing is sure enough")
        done = self.run_program("review", "accept", "--where", "set:auto", "--thresholds", accept).json
        self.assertEqual((done["labels"], done["below"]), (1, 6))
        self.assertEqual(self.labels("verdict:accepted"), [("auto", "1.bmp", 0.9)])

    def test_without_evidence_nothing_is_accepted_and_what_is_read_is_not_overwritten(self):
        self.add_set("none", [])
        file = self.scratch / "t.json"
        answer = self.run_program("threshold", "--predictions", "auto", "--truth", "none", "--output", file).json
        self.assertEqual((answer["threshold"], answer["unattainable"]), (None, True))
        done = self.run_program("review", "accept", "--where", "set:auto", "--thresholds", file).json
        self.assertEqual((done["labels"], done["below"]), (0, 7))
        write_json(file, {"per_class": {"cat": 0.5}})
        done = self.run_program("review", "accept", "--where", "set:auto", "--thresholds", file).json
        self.assertEqual(done["labels"], 3, "cats from 0.5 on; of dogs the file says nothing")

        gt = write_json(self.scratch / "gt.json", truth([(1, 5, [1, 1, 9, 9])]))
        dt = write_json(self.scratch / "dt.json", [])
        before = gt.read_bytes()
        self.error("evaluate", "--predictions", dt, "--truth", gt, "--report", gt, status=None)
        self.error("threshold", "--predictions", dt, "--truth", gt, "--output", gt, status=None)
        self.assertEqual(gt.read_bytes(), before)
        self.error("evaluate", "--predictions", dt, "--truth", gt, "--report", self.scratch / "none" / "r.html", status=3)

    def test_scenarios_of_one_side_say_nothing(self):
        answer = self.evaluate("--scenario", "sure=set:auto confidence>=0.5", "--scenario", "über=name:1.bmp")
        sure, one = answer["scenarios"]
        self.assertEqual((sure["truths"], sure["predictions"], sure["metrics"]["precision"]), (0, 5, None))
        self.assertEqual((one["name"], one["intervals"]["precision"]), ("über", None), "of one image nothing can be drawn anew")
        words = ("evaluate", "--predictions", "auto", "--truth", "ground_truth")
        self.error(*words, "--scenario", "a=width>1", "--scenario", "a=width>2", status=2)

    def test_recommending_stores_nothing(self):
        self.evaluate()
        self.run_program("threshold", "--predictions", "auto", "--truth", "ground_truth")
        self.assertEqual(self.labels("set:auto outcome:ignored"), [("auto", "4.bmp", 0.1)])

    def test_people_are_told_the_same(self):
        told = self.run_program(
            "evaluate", "--predictions", "auto", "--truth", "ground_truth", "--threshold", "0.3", "--details",
            "--scenario", "big=area>=1000", as_json=False,
        ).out.decode()  # fmt: skip
        for piece in ("localization", "taken for", "expected calibration error", "2.bmp", "big"):
            self.assertIn(piece, told)
        told = self.run_program("threshold", "--predictions", "auto", "--truth", "ground_truth", as_json=False).out.decode()
        for piece in ("to train on", "to accept unseen", "precision 0.95"):
            self.assertIn(piece, told)


class Protocols(ProgramCase):
    """What each protocol looks at and what it leaves out, from files and from a project."""

    BOX, OTHER = [10, 10, 40, 40], [60, 60, 30, 30]

    def images(self, count):
        for number in range(1, count + 1):
            write_bitmap(self.scratch / "images" / f"{number}.bmp", 100, 100)

    def results(self, rows):
        return write_json(self.scratch / "dt.json", rows)

    def add_predictions(self, rows, categories=None, label_set="auto"):
        document = truth([row[:3] for row in rows])
        document["categories"] = categories or document["categories"]
        for annotation, row in zip(document["annotations"], rows):
            annotation["score"] = row[3]
        labels = write_json(self.scratch / "auto.json", document)
        self.run_program("import", "--images", self.scratch / "images", "--labels", labels, "--format", "coco", "--set", label_set)

    def lvis_truth(self):
        document = truth([(1, 5, self.BOX), (2, 9, self.BOX)])
        for image, absent, not_exhaustive in zip(document["images"], ([9], []), ([], [9])):
            image["neg_category_ids"] = absent
            image["not_exhaustive_category_ids"] = not_exhaustive
        for category, frequency in zip(document["categories"], "rf"):
            category["frequency"] = frequency
        return document

    LVIS_ROWS = [
        (1, 5, BOX, 0.9),  # right
        (1, 9, OTHER, 0.8),  # looked for, and not there: wrong
        (2, 9, BOX, 0.7),  # right
        (2, 9, OTHER, 0.6),  # not all of them are labelled: says nothing
        (2, 5, OTHER, 0.5),  # nobody looked for it: says nothing
    ]

    def check_lvis(self, answer):
        self.assertAlmostEqual(answer["metrics"]["APr"], 1)
        self.assertAlmostEqual(answer["metrics"]["APf"], 0.5)
        self.assertIsNone(answer["metrics"]["APc"])
        self.assertAlmostEqual(answer["per_class"]["dog"]["AP"], 0.5)
        self.assertEqual((answer["per_class"]["cat"]["fp"], answer["per_class"]["dog"]["fp"]), (0, 1))
        self.assertEqual(answer["coverage"]["predictions_not_looked_for"], 1)

    def test_lvis_from_files_and_from_a_project(self):
        gt = write_json(self.scratch / "gt.json", self.lvis_truth())
        dt = self.results([result(*row) for row in self.LVIS_ROWS])
        words = ("--protocol", "lvis", "--threshold", "0.1")
        self.check_lvis(self.run_program("evaluate", "--truth", gt, "--predictions", dt, *words).json)

        self.images(2)
        self.init()
        self.run_program("import", "--images", self.scratch / "images", "--labels", gt, "--format", "lvis")
        self.add_predictions(self.LVIS_ROWS)
        self.check_lvis(self.run_program("evaluate", "--truth", "ground_truth", "--predictions", "auto", *words).json)
        labels = self.run_program("labels", "--where", "set:auto outcome:ignored").json["labels"]
        self.assertEqual([row["confidence"] for row in labels], [0.6, 0.5])

    def test_lvis_counts_the_best_300_of_an_image_and_no_crowds(self):
        document = self.lvis_truth()
        document["annotations"][1]["iscrowd"] = 1
        gt = write_json(self.scratch / "gt.json", document)
        # On image 1 the right one is the 301st; the others are of the class that is known not to be there.
        rows = [(1, 9, self.OTHER, 0.9)] * 300 + [(1, 5, self.BOX, 0.5), (2, 9, self.BOX, 0.4)]
        words = ("--protocol", "lvis", "--threshold", "0.1", "--details")
        dt = self.results([result(*row) for row in rows])
        answer = self.run_program("evaluate", "--truth", gt, "--predictions", dt, *words).json
        self.assertEqual(answer["coverage"]["predictions_beyond_limit"], 1)
        self.assertEqual((answer["per_class"]["cat"]["tp"], answer["per_class"]["cat"]["fn"]), (0, 1))
        self.assertEqual((answer["per_class"]["dog"]["tp"], answer["per_class"]["dog"]["fp"]), (1, 300))
        self.assertAlmostEqual(answer["metrics"]["AP50"], 1 / 301 / 2)
        self.assertAlmostEqual(answer["errors"]["AP_50"], 1 / 301 / 2)

    def test_what_nobody_looked_for_is_not_confused(self):
        gt = write_json(self.scratch / "gt.json", self.lvis_truth())
        dt = self.results([result(*row) for row in [(1, 5, self.BOX, 0.9), (2, 5, self.BOX, 0.8), (2, 9, self.BOX, 0.7)]])
        answer = self.run_program("evaluate", "--truth", gt, "--predictions", dt, "--protocol", "lvis", "--details").json
        self.assertEqual(answer["metrics"]["f1"], 1)
        self.assertEqual(answer["confusion"]["cells"], [[0, 0, 1], [1, 1, 1]])

    def test_lvis_without_its_lists_is_refused(self):
        gt = write_json(self.scratch / "gt.json", truth([(1, 5, self.BOX)]))
        dt = self.results([])
        error = self.error("evaluate", "--truth", gt, "--predictions", dt, "--protocol", "lvis", status=4)
        self.assertIn("neg_category_ids", error["message"])
        self.assertEqual(error["context"], {"image": "1.bmp", "file": str(gt)})
        document = self.lvis_truth()
        del document["categories"][1]["frequency"]
        gt = write_json(self.scratch / "gt.json", document)
        error = self.error("evaluate", "--truth", gt, "--predictions", dt, "--protocol", "lvis", status=4)
        self.assertEqual(error["context"], {"class": "dog", "file": str(gt)})

        # In a project the image has a name, whether or not it came with an id.
        self.images(2)
        self.init()
        table = self.scratch / "gt.csv"
        table.write_text("image,label,x,y,w,h\n1.bmp,cat,1,1,9,9\n2.bmp,cat,1,1,9,9\n")
        self.run_program("import", "--images", self.scratch / "images", "--labels", table, "--format", "csv")
        self.add_predictions([(1, 5, self.BOX, 0.9)])
        words = ("evaluate", "--truth", "ground_truth", "--predictions", "auto", "--protocol", "lvis")
        self.assertEqual(self.error(*words, status=4)["context"], {"image": "1.bmp"})

    def test_voc_does_not_ask_for_what_is_difficult(self):
        self.images(2)
        folder = self.scratch / "voc"
        folder.mkdir()
        for number in (1, 2):
            objects = "".join(
                f"<object><name>cat</name><difficult>{difficult}</difficult><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
                f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
                for (x, y, w, h), difficult in ((self.BOX, 0), (self.OTHER, 1))
            )
            (folder / f"{number}.xml").write_text(
                f"<annotation><filename>{number}.bmp</filename><size><width>100</width><height>100</height><depth>3</depth></size>"
                f"{objects}</annotation>"
            )
        self.init()
        self.run_program("import", "--images", self.scratch / "images", "--labels", folder, "--format", "voc")
        self.add_predictions([(1, 5, self.OTHER, 0.9), (1, 5, self.BOX, 0.8), (2, 5, [0, 0, 5, 5], 0.7)])
        words = ("evaluate", "--truth", "ground_truth", "--predictions", "auto", "--threshold", "0.1", "--protocol")
        answer = self.run_program(*words, "voc2010", "--details").json
        # One of two is found, by the best prediction that counts.
        self.assertEqual(answer["metrics"]["mAP"], 0.5)
        self.assertEqual(answer["per_class"]["cat"]["AP"], 0.5)
        self.assertNotIn("AP_50", answer["per_class"]["cat"])
        self.assertEqual([answer["per_class"]["cat"][key] for key in ("tp", "fp", "fn")], [1, 1, 1])
        self.assertEqual([answer["coverage"][key] for key in ("truths", "truths_counted")], [4, 2])
        self.assertEqual(answer["confusion"]["cells"], [[0, 0, 1], [0, 1, 1], [1, 0, 1]])
        # 2007: the recalls 0, 0.1, … 0.5 of eleven are reached.
        self.assertAlmostEqual(self.run_program(*words, "voc2007").json["metrics"]["mAP"], 6 / 11)
        self.assertLess(self.run_program(*words, "coco").json["metrics"]["recall"], 1)
        self.error(*words, "voc2010", "--iou-type", "mask", status=2)
        # The right one behind a hundred wrong ones: COCO does not look so far, VOC does.
        self.add_predictions([(1, 5, [0, 0, 5, 5], 0.9)] * 100 + [(1, 5, self.BOX, 0.8)], label_set="many")
        words = ("evaluate", "--truth", "ground_truth", "--predictions", "many", "--threshold", "0.1", "--protocol")
        for protocol, limit, counts in (("voc2010", None, [1, 100, 1]), ("coco", 100, [0, 100, 4])):
            answer = self.run_program(*words, protocol).json
            self.assertEqual(answer["evaluation"]["max_detections"], limit)
            self.assertEqual([answer["per_class"]["cat"][key] for key in ("tp", "fp", "fn")], counts, protocol)
        gt = write_json(self.scratch / "gt.json", truth([]))
        self.error("evaluate", "--truth", gt, "--predictions", self.results([]), "--protocol", "voc2010", status=2)

        # Every number says by whose rules it is: 51 of COCO's 101 points of recall, half of VOC's whole area.
        words = ("evaluate", "--truth", "ground_truth", "--predictions", "auto", "--threshold", "0.1", "--protocol", "voc2010")
        words += ("--details", "--intervals", "--scenario", "width>1", "--compare", "many")
        answer = self.run_program(*words).json
        compared = answer["comparison"]["metrics"]
        self.assertEqual(list(compared), ["mAP", "coco_AP_50", "precision", "recall", "f1"])
        self.assertEqual(compared["mAP"]["this"], answer["metrics"]["mAP"])
        self.assertAlmostEqual(compared["mAP"]["other"], 0.5 / 101)
        self.assertEqual(answer["comparison"]["per_class"]["cat"]["AP"]["this"], answer["per_class"]["cat"]["AP"])
        for numbers in (answer["errors"], answer["intervals"]["overall"]["metrics"], answer["scenarios"][0]["metrics"]):
            self.assertAlmostEqual(numbers["coco_AP_50"], 51 / 101)
            self.assertFalse({"AP", "AP_50", "mAP"} & set(numbers))
        told = self.run_program(*words, as_json=False).out.decode()
        self.assertIn("coco_AP_50 below is COCO's average precision at IoU 0.5", told)
        self.assertNotRegex(told, r"\bAP_50")
        self.assertIn("2 samples evaluated, 4 truths (2 of them count; ", told)

    def test_open_images_looks_at_verified_classes_and_up_the_hierarchy(self):
        self.images(2)
        folder = self.scratch / "oi"
        folder.mkdir()
        (folder / "class-descriptions-boxable.csv").write_text("/m/cat,cat\n/m/dog,dog\n/m/animal,animal\n")
        (folder / "validation-annotations-bbox.csv").write_text(
            "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
            "1,x,/m/cat,1,0.1,0.5,0.1,0.5,0,0,0,0,0\n"
        )
        (folder / "validation-annotations-human-imagelabels.csv").write_text(
            "ImageID,Source,LabelName,Confidence\n1,verification,/m/cat,1\n2,verification,/m/animal,0\n"
        )
        self.init()
        self.run_program("import", "--images", self.scratch / "images", "--labels", folder, "--format", "open_images", status=None)
        categories = [{"id": 5, "name": "cat"}, {"id": 9, "name": "dog"}, {"id": 11, "name": "animal"}]
        self.add_predictions(
            [(1, 5, self.BOX, 0.9), (1, 11, self.BOX, 0.8), (2, 5, self.BOX, 0.7), (1, 9, self.OTHER, 0.6)], categories
        )
        words = ("evaluate", "--truth", "ground_truth", "--predictions", "auto", "--protocol", "open_images", "--threshold", "0.1")
        answer = self.run_program(*words).json
        # Without the hierarchy: the cat is found; nobody has looked for dogs, nor for a cat on the second image.
        self.assertEqual((answer["metrics"]["mAP"], answer["coverage"]["predictions_not_verified"]), (1, 3))
        tree = {"LabelName": "/m/0bl9f", "Subcategory": [
            {"LabelName": "/m/animal", "Subcategory": [{"LabelName": "/m/cat"}, {"LabelName": "/m/dog"}]}]}  # fmt: skip
        hierarchy = write_json(self.scratch / "tree.json", tree)
        answer = self.run_program(*words, "--hierarchy", hierarchy).json
        # The cat is an animal too; where no animal is there is no cat: the second one is wrong, after the right one.
        self.assertEqual((answer["per_class"]["cat"]["AP"], answer["per_class"]["animal"]["AP"]), (1, 1))
        self.assertEqual(answer["coverage"]["predictions_not_verified"], 1)
        self.error(*words, "--hierarchy", write_json(self.scratch / "bad.json", [1]), status=4)
        coco = (*words[:5], "--protocol", "coco")
        self.error(*coco, "--hierarchy", hierarchy, status=2)

    def test_unknown_protocols_are_named(self):
        error = self.error("evaluate", "--truth", "a", "--predictions", "b", "--protocol", "kitti", status=2)
        self.assertIn("open_images", error["context"]["protocols"])


def overlap(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def matched_from_scratch(truths, predictions, threshold):
    """How many predictions are right at a threshold: matched anew each time, the best first, each truth once."""
    right = 0
    for key, boxes in predictions.items():
        free = list(truths.get(key, []))
        ranked = sorted((row for row in boxes if row[1] >= threshold), key=lambda row: -row[1])[:100]
        for box, _ in ranked:
            best = max(free, key=lambda truth_box: overlap(box, truth_box), default=None)
            if best is not None and overlap(box, best) >= 0.5:
                free.remove(best)
                right += 1
    return right


class OnPhotographs(ProgramCase):
    """Real photographs, a real detector: what the program recommends is found again by trying every score."""

    def setUp(self):
        super().setUp()
        data = test_data()
        photographs = data / "coco128-val"
        self.init()
        self.run_program(
            "import", "--images", photographs / "images", "--labels", photographs, "--format", "yolo", "--set", "ground_truth"
        )
        self.run_program("label", "--model", data / "models" / "nanodet_m_320.onnx", "--floor", "0.1", "--set", "auto")

    def by_image_and_class(self, label_set):
        rows = {}
        for row in self.run_program("labels", "--where", f"set:{label_set}").json["labels"]:
            rows.setdefault((row["sample"], row["class"]), []).append((row["bbox"], row["confidence"]))
        return rows

    def test_the_recommended_threshold_is_that_of_a_brute_force_scan(self):
        truths = {key: [box for box, _ in rows] for key, rows in self.by_image_and_class("ground_truth").items()}
        predictions = self.by_image_and_class("auto")
        wanted = sum(map(len, truths.values()))
        scores = sorted({score for rows in predictions.values() for _, score in rows}, reverse=True)
        self.assertGreater(len(scores), 500)
        answer = self.run_program("threshold", "--predictions", "auto", "--truth", "ground_truth", "--resamples", "0").json
        # Every fifth score, and all of those around the best one.
        near = scores.index(answer["threshold"])
        tried = set(scores[::5]) | set(scores[max(0, near - 40) : near + 40])

        def f1_at(threshold):
            kept = sum(score >= threshold for rows in predictions.values() for _, score in rows)
            return 2 * matched_from_scratch(truths, predictions, threshold) / (kept + wanted)

        best = max(sorted(tried, reverse=True), key=f1_at)
        self.assertEqual(answer["threshold"], best)
        self.assertAlmostEqual(answer["f1"], f1_at(best), places=12)

    def test_a_report_of_them_is_one_page(self):
        report = self.scratch / "report.html"
        words = ("evaluate", "--predictions", "auto", "--truth", "ground_truth")
        self.run_program(*words, "--report", report, "--scenario", "small=area<1024")
        page = report.read_text()
        self.assertGreater(page.count("data:image/jpeg;base64,"), 20)
        self.assertNotIn("http://", page.replace("http://www.w3.org", ""))
        document = self.scratch / "report.json"
        answer = self.run_program(*words, "--report", document).json
        self.assertEqual(json.loads(document.read_text())["metrics"], answer["metrics"])
        self.assertEqual(answer["errors"]["threshold"], answer["metrics"]["threshold"])
        self.error(*words, "--report", self.project / "verilabel.db", status=None)
