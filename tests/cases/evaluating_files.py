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
        self.assertEqual((scenario["metrics"]["mAP"], scenario["metrics"]["AP"]), (0.5, 0.5))
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
