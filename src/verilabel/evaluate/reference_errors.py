"""Random truth and predictions and what hotcoco and TIDE make of them: reference_errors.py OUT [COUNT].

Confusion matrix, calibration, counts of the kinds of errors and what each kind costs are hotcoco's; COCO's mAP_50 is what it costs
against. The costs are worked out here by TIDE's definition as well and must be the same, but where mending leaves nothing of a
class: there hotcoco keeps it in the mean as 0, and what is written is worked out here. Where tidecv is installed (it brings
plotting libraries along) the definition is held against it too, on data without equal scores and at its points of recall, i / 100,
which are not quite COCO's. Written for reference_errors_test.cpp, which reads OUT: words and numbers separated by white space. Half
the data sets have many equal scores, on images that do not stand in the order of their ids; no two overlaps are equal, as those
ties are taken differently. Exit status 3 when hotcoco is not installed.
"""

import contextlib
import io
import sys

try:
    import hotcoco
    import numpy as np
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

try:
    from tidecv import TIDE, Data
except ImportError:
    TIDE = None

KINDS = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
COSTS = (*KINDS, "FP", "FN")
BINS = 10


def dataset(seed):
    """Truths with neighbours of other classes; predictions that are right, shifted, of another class, doubled, or on nothing."""
    rng = np.random.default_rng(seed)
    images = int(rng.integers(1, 12))
    classes = int(rng.integers(1, 6))
    shift = float(rng.choice([0.02, 0.1, 0.3]))
    truths, predictions = [], []
    for image in range(images):
        here = []
        for _ in range(int(rng.poisson(4)) if rng.random() < 0.9 else 0):
            w, h = rng.uniform(10, 120, 2)
            here.append(([*rng.uniform(0, 300, 2), w, h], int(rng.integers(classes))))
            if rng.random() < 0.3:  # another object nearly at the same place; of another size, so that no overlaps are equal
                x, y, w, h = here[-1][0]
                here.append(([x + 0.1 * w, y, 1.07 * w, 0.96 * h], int(rng.integers(classes))))
        truths += [(image, box, k) for box, k in here]
        for box, k in here:
            for _ in range(int(rng.integers(0, 4))):
                x, y, w, h = box
                j = rng.normal(0, shift, 4)
                moved = [x + j[0] * w, y + j[1] * h, w * np.exp(j[2]), h * np.exp(j[3])]
                predictions.append((image, moved, int(rng.integers(classes)) if rng.random() < 0.3 else k))
        for _ in range(int(rng.poisson(2))):
            predictions.append((image, [*rng.uniform(0, 400, 2), *rng.uniform(5, 100, 2)], int(rng.integers(classes))))
    if seed % 2 == 0:
        scores = rng.permutation(np.linspace(0.003, 0.997, len(predictions))) if predictions else []
    else:
        scores = rng.choice([0.15, 0.35, 0.55, 0.75, 0.95], len(predictions))
    predictions = [predictions[i] for i in rng.permutation(len(predictions))]
    ids = [int(i) for i in rng.permutation(images) + 1]
    return ids, classes, truths, [(*p, float(s)) for p, s in zip(predictions, scores)]


def overlap(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inside = w * h if w > 0 and h > 0 else 0
    return inside / (a[2] * a[3] + b[2] * b[3] - inside)


COCO_RECALL = np.linspace(0, 1, 101)
TIDE_RECALL = np.arange(101) / 100


def average_precision(right, truths, recall):
    """`right`: whether each prediction is, best first. 0 without truth."""
    if truths <= 0 or not right:
        return 0.0
    found = np.cumsum(np.array(right, bool))
    precision = found / (np.arange(1, len(right) + 1) + np.finfo(float).eps)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(found / truths, recall, side="left")
    return float(sum(precision[i] for i in at if i < len(precision)) / 101)


def tide_costs(ids, classes, truths, predictions, recall):
    """AP, what each of KINDS, all false positives and all false negatives cost, and those that leave nothing of a class."""
    order = sorted(range(len(predictions)), key=lambda i: (-predictions[i][3], ids[predictions[i][0]], i))
    taken_by, kind, about = {}, {}, {}
    overlaps = {
        i: {t: overlap(predictions[i][1], truths[t][1]) for t in range(len(truths)) if truths[t][0] == predictions[i][0]}
        for i in order
    }
    for i in order:
        free = {t: v for t, v in overlaps[i].items() if truths[t][2] == predictions[i][2] and t not in taken_by and v >= 0.5}
        if free:
            taken_by[max(free, key=free.get)] = i
    right = set(taken_by.values())
    for i in set(order) - right:
        same = {t: v for t, v in overlaps[i].items() if truths[t][2] == predictions[i][2]}
        other = {t: v for t, v in overlaps[i].items() if truths[t][2] != predictions[i][2]}
        if same and 0.1 <= max(same.values()) <= 0.5:
            kind[i], about[i] = "Loc", max(same, key=same.get)
        elif other and max(other.values()) >= 0.5:
            kind[i], about[i] = "Cls", max(other, key=other.get)
        elif any(v >= 0.5 for t, v in same.items() if t in taken_by):
            kind[i] = "Dupe"
        else:
            kind[i] = "Bkg" if max(overlaps[i].values(), default=0) <= 0.1 else "Both"
    blamed = {}
    for i in order:
        if i in about and about[i] not in taken_by:
            blamed.setdefault(about[i], i)
    not_found = [t for t in range(len(truths)) if t not in taken_by]
    missed = [t for t in not_found if t not in blamed]

    emptying = set()

    def mean_ap(mended=None):
        values = []
        for k in range(classes):
            count = sum(1 for t in truths if t[2] == k)
            if count == 0:
                continue
            scored = []
            # What comes from another class stands behind those of its score.
            moved = {i for i in order if mended == "Cls" and kind.get(i) == "Cls"}
            for i in sorted(order, key=lambda i: (-predictions[i][3], i in moved)):
                if i in right or kind[i] != mended:
                    if predictions[i][2] == k and not (mended == "FP" and i not in right):
                        scored.append(i in right)
                elif i in about and blamed.get(about[i]) == i and truths[about[i]][2] == k:
                    scored.append(True)
            count -= sum(1 for t in {"Miss": missed, "FN": not_found}.get(mended, []) if truths[t][2] == k)
            if scored or count > 0:  # a class of which nothing is left has no part in the mean
                values.append(average_precision(scored, count, recall))
            else:
                emptying.add(mended)
        return sum(values) / len(values) if values else 0.0

    base = mean_ap()
    return base, [max(0.0, mean_ap(mended) - base) for mended in COSTS], emptying


def tidecv_costs(images, classes, truths, predictions):
    truth, found = Data("truth"), Data("found")
    for data in (truth, found):
        for k in range(classes):
            data.add_class(k, f"c{k}")
        for i in range(images):
            data.add_image(i, str(i))
    for image, box, k in truths:
        truth.add_ground_truth(image, k, [float(v) for v in box])
    for image, box, k, score in predictions:
        found.add_detection(image, k, score, [float(v) for v in box])
    with contextlib.redirect_stdout(io.StringIO()):
        run = TIDE().evaluate(truth, found, mode=TIDE.BOX)
    costs = {kind.short_name: cost / 100 for kind, cost in run.fix_main_errors().items()}
    special = {kind.short_name: cost / 100 for kind, cost in run.fix_special_errors().items()}
    return run.ap / 100, [*(costs[kind] for kind in KINDS), special["FalsePos"], special["FalseNeg"]]


def coco(ids, classes, annotations):
    return hotcoco.COCO(
        {
            "images": [{"id": i, "width": 640, "height": 480, "file_name": str(i)} for i in ids],
            "categories": [{"id": k + 1, "name": f"c{k}"} for k in range(classes)],
            "annotations": annotations,
        }
    )


def annotation(number, image_id, box, k, **more):
    box = [float(v) for v in box]
    return {"id": number, "image_id": image_id, "category_id": k + 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0, **more}


def write(seed, out):
    ids, classes, truths, predictions = dataset(seed)

    def line(*words):
        out.write(" ".join(repr(float(w)) if isinstance(w, float) else str(w) for w in words) + "\n")

    if not predictions or not truths:
        return
    truth = coco(ids, classes, [annotation(i + 1, ids[t[0]], *t[1:]) for i, t in enumerate(truths)])
    found = truth.load_res([annotation(i + 1, ids[p[0]], *p[1:3], score=p[3]) for i, p in enumerate(predictions)])
    evaluation = hotcoco.COCOeval(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    line("dataset", len(ids), classes, len(truths), len(predictions))
    line(*ids)
    for image, box, k in truths:
        line(image, k, *map(float, box))
    for image, box, k, score in predictions:
        line(image, k, *map(float, box), score)
    for row in evaluation.confusion_matrix(iou_thr=0.5)["matrix"]:
        line(*map(int, row))
    tide = evaluation.tide_errors(pos_thr=0.5, bg_thr=0.1)
    base, costs, emptying = tide_costs(ids, classes, truths, predictions, COCO_RECALL)
    assert abs(base - tide["ap_base"]) < 1e-9, (seed, base, tide["ap_base"])
    costs = {name: cost if name in emptying else float(tide["delta_ap"][name]) for name, cost in zip(COSTS, costs)}
    # A class that is only predicted counts as 0 in tidecv's means, and not at all in ours and COCO's.
    if TIDE is not None and seed % 2 == 0 and {p[2] for p in predictions} <= {t[2] for t in truths}:
        ours = tide_costs(ids, classes, truths, predictions, TIDE_RECALL)
        theirs = tidecv_costs(len(ids), classes, truths, predictions)
        assert np.allclose([ours[0], *ours[1]], [theirs[0], *theirs[1]], rtol=0, atol=1e-9), (seed, ours, theirs)
    line(float(tide["ap_base"]), *(int(tide["counts"][kind]) for kind in KINDS))
    line(*costs.values())
    calibration = evaluation.calibration(n_bins=BINS, iou_threshold=0.5)
    line(float(calibration["ece"]), float(calibration["mce"]), *(int(one["count"]) for one in calibration["bins"]))


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 240
    with open(sys.argv[1], "w") as out:
        for seed in range(count):
            write(seed, out)


if __name__ == "__main__":
    main()
