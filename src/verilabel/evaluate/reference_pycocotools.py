"""Random truth and predictions and what pycocotools makes of them: reference_pycocotools.py OUT [COUNT].

Written for reference_test.cpp, which reads OUT: words and numbers separated by white space, doubles in the shortest form that reads
back the same. Exit status 3 when pycocotools is not installed.
"""

import contextlib
import io
import sys

try:
    import numpy as np
    from pycocotools import mask as mask_utils
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)


def runs_of(bitmap):
    """COCO's uncompressed counts: runs of 0 and 1 in turn, column by column, starting with 0."""
    flat = bitmap.flatten(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return ([0] if flat[0] else []) + runs


class Dataset:
    def __init__(self, seed):
        rng = self.rng = np.random.default_rng(seed)
        self.is_mask = seed % 3 == 2
        self.width, self.height = (48, 40) if self.is_mask else (640, 480)
        image_count = int(rng.integers(1, 9))
        class_count = 1 if seed % 7 == 0 else int(rng.integers(1, 6))
        self.image_ids = [int(v) for v in rng.permutation(image_count * 3)[:image_count]]
        self.class_ids = [int(v) for v in rng.permutation(class_count * 2)[:class_count]]
        if seed % 5 == 0:  # ids count from 0, in order
            self.image_ids, self.class_ids = list(range(image_count)), list(range(class_count))
        self.has_coarse_boxes = rng.random() < 0.5  # many equal overlaps
        self.score_digits = int(rng.choice([0, 1, 2, 15]))  # from all equal to all different
        self.crowd_rate = float(rng.choice([0, 0.1, 0.5]))
        crowded_image = image_count > 1 and seed % 6 == 1
        true_classes = self.class_ids[: max(1, class_count - int(rng.integers(0, 2)))]  # the last may be only predicted
        self.truths, self.predictions = [], []
        for image_id in rng.permutation(self.image_ids):
            truths = []
            if rng.random() < 0.85 and seed % 41 != 0:
                for _ in range(int(rng.poisson(5))):
                    truths.append(self.truth(int(image_id), int(rng.choice(true_classes))))
            self.truths += truths
            if rng.random() < 0.1 or seed % 43 == 0:
                continue
            count = 260 if crowded_image and image_id == self.image_ids[0] else int(rng.poisson(9))
            for _ in range(count):
                near = truths[int(rng.integers(len(truths)))] if truths and rng.random() < 0.7 else None
                self.predictions.append(self.prediction(int(image_id), near))
        # Files need not keep the labels of an image together.
        self.truths = [self.truths[i] for i in rng.permutation(len(self.truths))]
        if rng.random() < 0.5:
            self.predictions = [self.predictions[i] for i in rng.permutation(len(self.predictions))]
        for number, one in enumerate(self.truths, 1):
            one["id"] = number
        for number, one in enumerate(self.predictions, 1):
            one["id"] = number

    def box(self):
        rng = self.rng
        if self.has_coarse_boxes:
            w, h = (int(v) for v in rng.choice([8, 16, 24, 32, 96, 128], 2))
            return [float(8 * rng.integers(0, 30)), float(8 * rng.integers(0, 20)), float(w), float(h)]
        w, h = np.exp(rng.normal(3.6, 1.0, 2)).clip(1, 300)
        if rng.random() < 0.05:  # on the edge of an area range
            w = h = float(rng.choice([32, 96]))
        if rng.random() < 0.03:
            w = 0.0
        return [round(float(v), 3) for v in (rng.uniform(0, 500), rng.uniform(0, 400), w, h)]

    def bitmap(self, near=None):
        rng = self.rng
        if near is not None:
            return np.roll(near, rng.integers(-2, 3, 2), (0, 1)).astype(np.uint8)
        bitmap = np.zeros((self.height, self.width), np.uint8)
        if rng.random() < 0.05:
            return bitmap
        for _ in range(int(rng.integers(1, 3))):
            y, x = int(rng.integers(0, 30)), int(rng.integers(0, 38))
            bitmap[y : y + int(rng.integers(2, 36)), x : x + int(rng.integers(2, 36))] = 1
        return bitmap

    def truth(self, image_id, category_id):
        rng = self.rng
        one = {"image_id": image_id, "category_id": category_id, "iscrowd": int(rng.random() < self.crowd_rate)}
        if self.is_mask:
            one["bitmap"] = self.bitmap()
            one["segmentation"] = mask_utils.encode(np.asfortranarray(one["bitmap"]))
            one["bbox"] = [float(v) for v in mask_utils.toBbox(one["segmentation"])]
            # pycocotools reads areas from the file: here over all ranges
            one["area"] = float(rng.choice([mask_utils.area(one["segmentation"]), 1024, 9216, 50000, 12.5]))
        else:
            one["bbox"] = self.box()
            one["area"] = one["bbox"][2] * one["bbox"][3] * (1 if rng.random() < 0.5 else float(rng.uniform(0.5, 1)))
            if rng.random() < 0.1:
                one["area"] = float(rng.choice([1024.0, 9216.0, np.nextafter(1024.0, 0), np.nextafter(9216.0, 1e9)]))
        return one

    def prediction(self, image_id, near):
        rng = self.rng
        category_id = int(rng.choice(self.class_ids)) if near is None or rng.random() < 0.1 else near["category_id"]
        one = {
            "image_id": image_id,
            "category_id": category_id,
            "iscrowd": 0,
            "score": round(float(rng.random()), self.score_digits),
        }
        if rng.random() < 0.02:
            one["score"] = -one["score"]  # ranks like any other; a negative zero equals zero
        if self.is_mask:
            one["bitmap"] = self.bitmap(None if near is None else near["bitmap"])
            one["segmentation"] = mask_utils.encode(np.asfortranarray(one["bitmap"]))
            one["bbox"] = [float(v) for v in mask_utils.toBbox(one["segmentation"])]
            one["area"] = float(mask_utils.area(one["segmentation"]))
            return one
        if near is None:
            one["bbox"] = self.box()
        elif self.has_coarse_boxes:
            x, y, w, h = near["bbox"]
            one["bbox"] = [x + float(rng.choice([0, 0, 4, 8])), y + float(rng.choice([0, 0, 4])), w, h]
        else:
            x, y, w, h = near["bbox"]
            j = rng.normal(0, 0.08, 4)
            one["bbox"] = [round(float(v), 3) for v in (x + j[0] * w, y + j[1] * h, w * (1 + j[2]), h * (1 + j[3]))]
        one["area"] = one["bbox"][2] * one["bbox"][3]
        return one

    def evaluated(self):
        def coco(annotations):
            api = COCO()
            api.dataset = {
                "images": [{"id": i, "width": self.width, "height": self.height} for i in self.image_ids],
                "categories": [{"id": i, "name": f"c{i}"} for i in self.class_ids],
                "annotations": [{k: v for k, v in one.items() if k != "bitmap"} for one in annotations],
            }
            api.createIndex()
            return api

        evaluation = COCOeval(coco(self.truths), coco(self.predictions), "segm" if self.is_mask else "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return evaluation

    def write(self, out):
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = self.evaluated()

        def number(value):
            return repr(float(value))

        def line(*words):
            out.write(" ".join(str(word) for word in words) + "\n")

        def label_words(one, *more):
            words = [self.image_ids.index(one["image_id"]), self.class_ids.index(one["category_id"])]
            words += [number(v) for v in (*one["bbox"], *more)]
            if self.is_mask:
                runs = runs_of(one["bitmap"])
                words += [len(runs), *runs]
            return words

        line("dataset", "mask" if self.is_mask else "box", self.width, self.height)
        line(len(self.image_ids), *self.image_ids)
        line(len(self.class_ids), *self.class_ids)
        line(len(self.truths))
        for one in self.truths:
            line(one["iscrowd"], *label_words(one, one["area"]))
        line(len(self.predictions))
        for one in self.predictions:
            line(*label_words(one, one["area"], one["score"]))
        line(*[number(v) for v in evaluation.stats])
        precision = evaluation.eval["precision"]
        for class_id in self.class_ids:
            k = sorted(self.class_ids).index(class_id)
            means = []
            for part in (precision[:, :, k, 0, 2], precision[0, :, k, 0, 2]):
                part = part[part > -1]
                means.append(np.mean(part) if part.size else -1)
            line(*[number(v) for v in means])
        # At IoU 0.5 and any area: the truth (1, 2, …) that each prediction was matched with, or 0, and whether it was ignored.
        matched, ignored = [0] * len(self.predictions), [1] * len(self.predictions)
        for one in evaluation.evalImgs:
            if one is None or one["aRng"][1] != 1e10 or one["aRng"][0] != 0:
                continue
            for d, prediction_id in enumerate(one["dtIds"]):
                matched[prediction_id - 1] = int(one["dtMatches"][0][d]) if one["dtMatches"].size else 0
                ignored[prediction_id - 1] = int(one["dtIgnore"][0][d])
        line(*matched)
        line(*ignored)


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 240
    with open(sys.argv[1], "w") as out:
        for seed in range(count):
            Dataset(seed).write(out)


if __name__ == "__main__":
    main()
