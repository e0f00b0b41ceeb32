"""COCO files, compared as they are, and in a project that they were imported into."""

import random
import unittest

from harness import ProgramCase, write_bitmap, write_json

METRICS = "mAP mAP_50 mAP_75 mAP_small mAP_medium mAP_large AR_1 AR_10 AR_100 AR_small AR_medium AR_large".split()


def truth(image_ids, annotations, categories=((5, "cat"), (9, "dog"))):
    """Of images of 100 × 100 pixels, and rows of image id, category id and box, or of more fields."""
    return {
        "images": [{"id": i, "file_name": f"{i}.bmp", "width": 100, "height": 100} for i in image_ids],
        "categories": [{"id": i, "name": name} for i, name in categories],
        "annotations": [
            {
                "id": n + 1,
                "image_id": i,
                "category_id": k,
                "bbox": b,
                "area": b[2] * b[3],
                "iscrowd": 0,
                **(rest[0] if rest else {}),
            }
            for n, (i, k, b, *rest) in enumerate(annotations)
        ],
    }


def result(image, category, box, score, **rest):
    return {"image_id": image, "category_id": category, "bbox": box, "score": score, **rest}


def mask(*boxes):
    """Runs of the pixels in any of the boxes, on 100 × 100 pixels."""
    counts, value = [], False
    for x in range(100):
        for y in range(100):
            inside = any(left <= x < left + w and top <= y < top + h for left, top, w, h in boxes)
            if not counts or inside != value:
                counts += [0] if counts or not inside else [0, 0]
                value = inside
            counts[-1] += 1
    return {"size": [100, 100], "counts": counts}


class FilesCase(ProgramCase):
    def write(self, document, results):
        return write_json(self.scratch / "gt.json", document), write_json(self.scratch / "dt.json", results)

    def of_files(self, document, results, *words):
        gt, dt = self.write(document, results)
        return self.run_program("evaluate", "--truth", gt, "--predictions", dt, *words).json

    def of_project(self, document, results, *words, name="project"):
        gt, dt = self.write(document, results)
        project = self.scratch / name
        for image in document["images"]:
            if image["file_name"]:
                write_bitmap(self.scratch / "images" / image["file_name"], 100, 100)
        self.init(project=project)
        for labels, label_set in ((gt, "ground_truth"), (dt, "auto")):
            imported = ("import", "--images", self.scratch / "images", "--labels", labels, "--format", "coco", "--set", label_set)
            self.run_program(*imported, project=project)
        return self.evaluated(project, *words)

    def evaluated(self, project, *words):
        return self.run_program("evaluate", "--predictions", "auto", "--truth", "ground_truth", *words, project=project).json


class Projects(FilesCase):
    """The numbers of a project are those of the files, and so pycocotools'."""

    def test_equal_scores_rank_by_the_ids_of_the_truth_file(self):
        box = [10, 10, 20, 20]
        # pycocotools takes image 9 first, whose prediction is wrong: precision 1/2 at every recall.
        document, results = truth([10, 9], [(10, 5, box)]), [result(10, 5, box, 0.5), result(9, 5, box, 0.5)]
        self.assertEqual(self.of_files(document, results)["metrics"]["mAP"], 0.5)
        self.run_program("init", self.scratch / "project")
        gt, dt = self.write(document, results)
        for labels, label_set in ((gt, "ground_truth"), (dt, "auto")):
            self.run_program("import", "--labels", labels, "--format", "coco", "--set", label_set)
        for protocol in ("coco", "voc2010"):
            self.assertEqual(self.evaluated(self.project, "--protocol", protocol)["metrics"]["mAP"], 0.5, protocol)
        scenario = self.evaluated(self.project, "--scenario", "all=width>0")["scenarios"][0]
        self.assertEqual((scenario["metrics"]["mAP"], scenario["metrics"]["AP_50"]), (0.5, 0.5))
        # An image of the truth without an id of its own: all rank by sample, the one that was listed first before the other.
        table = self.scratch / "more.csv"
        table.write_text("image,label,x,y,w,h\nc.bmp,dog,1,1,9,9\n")
        write_bitmap(self.scratch / "c.bmp", 100, 100)
        self.run_program("import", "--labels", table, "--format", "csv", "--set", "ground_truth")
        self.assertAlmostEqual(self.evaluated(self.project)["per_class"]["cat"]["AP"], 1)

    def test_ties_on_images_in_any_order_give_the_numbers_of_the_files(self):
        for seed in range(4):
            rng = random.Random(seed)
            ids = rng.sample(range(1, 200), 8)

            def box(rng=rng):
                return [rng.randrange(0, 50), rng.randrange(0, 50), rng.choice([8, 20, 40]), rng.choice([8, 20, 40])]

            truths = [(rng.choice(ids), rng.choice([5, 9]), box()) for _ in range(30)]
            found = [(i, k, [b[0] + rng.choice([0, 2, 9]), *b[1:]]) for i, k, b in truths * 2]
            found += [(rng.choice(ids), rng.choice([5, 9]), box()) for _ in range(30)]
            rng.shuffle(found)
            results = [result(*row, rng.choice([0.25, 0.5, 0.75])) for row in found]
            document = truth(ids, truths)
            with self.subTest(seed=seed):
                wanted = self.of_files(document, results)["metrics"]
                self.assertEqual(self.of_project(document, results, name=f"project{seed}")["metrics"], wanted)

    def test_of_masks_the_area_is_that_of_the_mask(self):
        square, beside = [10, 10, 20, 20], [50, 50, 40, 40]
        half = mask([50, 50, 40, 20])
        document = truth([1], [(1, 5, square, {"segmentation": mask(square)})])
        results = [result(1, 5, beside, 0.9, segmentation=half), result(1, 5, square, 0.5, segmentation=mask(square))]
        without_boxes = [{key: value for key, value in row.items() if key != "bbox"} for row in results]
        words = ("--iou-type", "mask")
        # The wrong mask has 800 pixels, so it is small; its box, which pycocotools asks where there is one, is not.
        self.assertAlmostEqual(self.of_files(document, results, *words)["metrics"]["mAP_small"], 1)
        wanted = self.of_files(document, without_boxes, *words)["metrics"]
        self.assertEqual(wanted["mAP_small"], 0.5)
        self.assertEqual(self.of_project(document, results, *words)["metrics"], wanted)

    def test_of_masks_the_numbers_are_those_of_pycocotools_for_results_without_boxes(self):
        try:
            from pycocotools import mask as coco_mask
            from pycocotools.coco import COCO
            from pycocotools.cocoeval import COCOeval
        except ImportError:
            raise unittest.SkipTest("pycocotools is not installed") from None
        rng = random.Random(7)

        def shape():
            x, y, w, h = rng.randrange(0, 30), rng.randrange(0, 30), rng.choice([12, 50, 70]), rng.choice([12, 50, 70])
            return [x, y, w, h], mask([x, y, w // 2, h], [x, y, w, h // 3])

        def results_near(annotation):
            x, y, w, h = annotation["bbox"]
            moved = [x + rng.randrange(0, 3), y, w, h]
            runs = mask([*moved[:2], w // 2, h], [*moved[:2], w, h // 3])
            return result(annotation["image_id"], annotation["category_id"], moved, rng.choice([0.3, 0.6, 0.9]), segmentation=runs)

        ids = [30, 4, 17]
        rows = [(rng.choice(ids), rng.choice([5, 9]), *shape()) for _ in range(16)]
        areas = [sum(runs["counts"][1::2]) for *_, runs in rows]
        document = truth(ids, [(i, k, b, {"segmentation": runs, "area": area}) for (i, k, b, runs), area in zip(rows, areas)])
        results = [results_near(annotation) for annotation in document["annotations"] * 2]
        for _ in range(20):
            box, runs = shape()
            results.append(result(rng.choice(ids), rng.choice([5, 9]), box, rng.choice([0.3, 0.6, 0.9]), segmentation=runs))
        metrics = self.of_project(document, results, "--iou-type", "mask")["metrics"]
        reference = COCO(str(self.scratch / "gt.json"))
        bare = [
            {"image_id": row["image_id"], "category_id": row["category_id"], "score": row["score"],
             "segmentation": coco_mask.frPyObjects(row["segmentation"], 100, 100)}
            for row in results
        ]  # fmt: skip
        evaluator = COCOeval(reference, reference.loadRes(bare), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        for key, want in zip(METRICS, evaluator.stats, strict=True):
            if want == -1:
                self.assertIsNone(metrics[key], key)
            else:
                self.assertAlmostEqual(metrics[key], want, delta=1e-9, msg=key)
        self.assertNotIn(-1, (evaluator.stats[3], evaluator.stats[4]), "some masks are small, some are not")


class Files(FilesCase):
    BOX = [10, 10, 20, 20]

    def refused(self, document, results, *words, status):
        gt, dt = self.write(document, results)
        return self.error("evaluate", "--truth", gt, "--predictions", dt, *words, status=status)

    def test_lvis_takes_no_notice_of_what_has_no_area(self):
        document = truth([1060], [(1060, 5, [0, 24, 8, 40], {"area": 0}), (1060, 9, self.BOX)])
        document["images"][0].update(neg_category_ids=[], not_exhaustive_category_ids=[])
        for category in document["categories"]:
            category["frequency"] = "r"
        results = [result(1060, 5, [7, 6, 24, 32], 0.5), result(1060, 9, [10, 10, 0, 20], 0.9), result(1060, 9, self.BOX, 0.5)]
        answer = self.of_files(document, results, "--protocol", "lvis", "--threshold", "0.1")
        self.assertIsNone(answer["per_class"]["cat"]["AP"])
        self.assertAlmostEqual(answer["metrics"]["APr"], 1)
        self.assertEqual((answer["metrics"]["precision"], answer["metrics"]["recall"]), (1, 1))
        left_out = ("truths_without_area", "predictions_without_area", "predictions_not_looked_for")
        self.assertEqual([answer["coverage"][key] for key in left_out], [1, 1, 1])

    def test_classes_of_one_name_are_told_apart(self):
        categories = [(7, "é"), (3, "é"), (5, "dog"), (8, "é (category 3)")]
        document = truth([1], [(1, 7, self.BOX), (1, 3, [50, 50, 20, 20]), (1, 8, [70, 10, 20, 20])], categories)
        results = [result(1, 7, self.BOX, 0.9)]
        answer = self.of_files(document, results, "--details", "--intervals", "--resamples", "2")
        once, twice = "é (category 7)", "é (category 3)"
        names = {once, f"{twice} (category 3)", "dog", f"{twice} (category 8)"}
        self.assertEqual(set(answer["per_class"]), names)
        self.assertAlmostEqual(answer["per_class"][once]["AP"], 1)
        self.assertEqual(set(answer["intervals"]["per_class"]), names)
        self.assertEqual(set(answer["confusion"]["classes"]), names - {"dog"})
        self.assertEqual(answer["coverage"]["classes_of_shared_name"], 2)
        gt, dt = self.write(document, results)
        words = ("--truth", gt, "--predictions", dt)
        text = self.run_program("evaluate", *words, as_json=False).out.decode()
        self.assertIn("2 classes share their name with another and are shown with the id of their category", text)
        self.assertIn(once, text)
        # Thresholds go by names, as classes of a project do, which reads the file.
        output = self.scratch / "thresholds.json"
        done = self.run_program("threshold", *words, "--per-class", "--resamples", "10", "--output", output)
        self.assertEqual({name: one["truths"] for name, one in done.json["per_class"].items()}, {"é": 2, twice: 1})
        self.assertEqual(done.json["per_class"]["é"]["recall"], 0.5)
        self.assertIn("2 categories share a name with another", done.err.decode())
        write_bitmap(self.scratch / "images" / "1.bmp", 100, 100)
        self.init()
        imported = ("import", "--images", self.scratch / "images", "--format", "coco", "--labels")
        self.run_program(*imported, gt, status=1)  # one of the ids of é is not kept, which is told
        self.run_program(*imported, dt, "--set", "auto")
        self.assertEqual([row[1] for row in self.exported("auto", "--thresholds", output)], ["é"])
        self.run_program("review", "accept", "--where", "set:auto", "--thresholds", output)
        self.assertEqual(self.of_files(truth([1], []), [])["coverage"]["classes_of_shared_name"], 0)

    def test_classes_whose_names_differ_in_case_only_are_named(self):
        document = truth([1], [(1, 5, self.BOX)], [(5, "Traffic Light"), (9, "traffic_light"), (3, "dog")])
        gt, dt = self.write(document, [result(1, 9, self.BOX, 0.9), result(1, 3, self.BOX, 0.8)])
        done = self.run_program("evaluate", "--truth", gt, "--predictions", dt)
        self.assertEqual(done.json["coverage"]["names_alike"], [["Traffic Light", "traffic_light"]])
        notes = [line for line in done.err.decode().splitlines() if "Traffic Light" in line]
        self.assertEqual(len(notes), 1)
        self.assertIn("'Traffic Light' of the truth and 'traffic_light' of the predictions", notes[0])
        done = self.run_program("threshold", "--truth", gt, "--predictions", dt)
        self.assertIn("'traffic_light' of the predictions", done.err.decode())
        answer = self.of_files(truth([1], [(1, 5, self.BOX)]), [result(1, 5, self.BOX, 0.9)])
        self.assertEqual(answer["coverage"]["names_alike"], [])

    def test_images_that_nobody_labelled_are_left_out(self):
        document = truth([1, 2, 3], [(1, 5, self.BOX), (3, 5, self.BOX)])
        document["images"][1]["labelled"] = False
        document["images"][2]["labelled"] = False  # it has an annotation, which says otherwise
        results = [
            result(2, 5, self.BOX, 0.95),
            result(1, 5, self.BOX, 0.9),
            result(3, 5, self.BOX, 0.8),
            result(4, 5, self.BOX, 1),
        ]
        answer = self.of_files(document, results)
        self.assertAlmostEqual(answer["metrics"]["mAP"], 1)
        coverage = answer["coverage"]
        keys = ("samples", "not_labelled_in_truth", "labelled_in_predictions_only", "predictions", "predictions_outside")
        self.assertEqual([coverage[key] for key in keys], [2, 1, 1, 2, 1])
        self.assertEqual(coverage["predictions_of_unknown_images"], 1)
        project = self.of_project(document, results[:3])
        self.assertEqual(project["metrics"], answer["metrics"])
        self.assertEqual([project["coverage"][key] for key in keys], [2, 1, 1, 2, 1])
        document["images"][2]["labelled"] = True
        self.assertEqual(self.of_files(document, results)["metrics"], answer["metrics"])

    def test_images_have_the_names_that_the_truth_file_gives_them(self):
        document = truth([7, 4], [(7, 5, self.BOX), (4, 5, self.BOX), (4, 5, [50, 50, 20, 20])])
        answer = self.of_files(document, [], "--details")
        self.assertEqual([(image["sample"], image["name"]) for image in answer["worst"]], [(4, "4.bmp"), (7, "7.bmp")])

    def test_faults_in_a_file_of_predictions_name_the_image(self):
        gt, dt = self.write(truth([7], [(7, 5, self.BOX)]), [])
        box = '"bbox": [1, 1, 9, 9]'
        faults = {
            f"{box}": "[1].score",
            f'{box}, "score": "high"': "[1].score",
            f'{box}, "score": 1e999': "[1].score",
            f'{box}, "score": NaN': "[1].score",
            '"score": 0.5': "[1].bbox",
            '"bbox": [1, 1, 9], "score": 0.5': "[1].bbox",
            '"bbox": [1, 1, -9, 9], "score": 0.5': "[1].bbox",
            '"bbox": [1, 1, 9, Infinity], "score": 0.5': "[1].bbox",
        }
        good = f'{{"image_id": 6, "category_id": 5, {box}, "score": 0.5}}'
        for fields, field in faults.items():
            dt.write_text(f'[{good}, {{"image_id": 7, "category_id": 5, {fields}}}]')
            with self.subTest(fields):
                context = self.error("evaluate", "--truth", gt, "--predictions", dt, status=4)["context"]
                self.assertEqual((context["file"], context["field"], context["image_id"]), (str(dt), field, "7"))
                self.assertEqual(context["byte"], str(len(good) + 3))

    def test_wrong_use_is_refused_before_the_work(self):
        document, results = truth([1], [(1, 5, self.BOX)]), [result(1, 5, self.BOX, 0.5)]
        for threshold in ("inf", "-inf", "nan"):
            self.assertIn("--threshold", self.refused(document, results, f"--threshold={threshold}", status=2)["message"])
        for name in ("x.pdf", "x", "x.html.zip"):
            report = self.scratch / name
            error = self.refused(document, results, "--report", report, status=2)
            self.assertIn(".html", error["message"])
            self.assertFalse(report.exists())
        for name in ("x.htm", "x.html", "x.json"):
            self.of_files(document, results, "--report", self.scratch / name)
            self.assertTrue((self.scratch / name).exists())
        self.of_project(document, results)
        for scenario in ("", " ", "=width>0", " =width>0"):
            words = ("evaluate", "--predictions", "auto", "--truth", "ground_truth", f"--scenario={scenario}")
            self.assertIn("scenario", self.error(*words, status=2)["message"])
