"""What the package ensemble-boxes makes of random boxes of several models:
export_fusion.py > src/verilabel/geometry/fusion_reference.txt

For fusion_test.cpp. A case is a line `case METHOD MODELS IOU SIGMA FLOOR WEIGHT…`, lines `in MODEL CLASS SCORE X1 Y1 X2 Y2`, lines
`out CLASS SCORE X1 Y1 X2 Y2` by descending score, and `end`. Needs ensemble-boxes 1.0.9 and NumPy.
"""

import numpy as np
from ensemble_boxes import nms_method, soft_nms, weighted_boxes_fusion

rng = np.random.default_rng(3)


def boxes_of(objects):
    """Some of the objects, each seen a little aside, and some that are not there."""
    seen = objects[rng.random(len(objects)) < 0.7]
    seen = seen + rng.normal(scale=0.02, size=seen.shape)
    extra = rng.random((rng.integers(0, 3), 4)) * 0.5
    extra[:, 2:] = extra[:, :2] + 0.1 + extra[:, 2:] / 2
    found = np.clip(np.concatenate([seen, extra]), 0, 1)
    return found[(found[:, 2] > found[:, 0] + 0.01) & (found[:, 3] > found[:, 1] + 0.01)]


def numbers(values):
    return " ".join(repr(float(value)) for value in values)


for case in range(90):
    method = ("nms", "soft_nms", "wbf")[case % 3]
    models = int(rng.integers(1, 5))
    weights = [1.0] * models if case % 2 else [float(w) for w in rng.integers(1, 5, models)]
    iou, sigma, floor = float(rng.choice([0.4, 0.55, 0.7])), 0.5, 0.01
    corner = rng.random((rng.integers(0, 6), 2)) * 0.6
    objects = np.concatenate([corner, corner + 0.1 + rng.random(corner.shape) * 0.3], 1)
    every = [boxes_of(objects) for _ in range(models)]
    boxes = [found.copy() for found in every]
    scores = [rng.uniform(0.05, 1, len(found)) for found in every]
    labels = [rng.integers(0, 2, len(found)) for found in every]
    given = [score.tolist() for score in scores]
    # NMS divides by the sum of the weights there, by the greatest here.
    factor = sum(weights) / max(weights)
    if not any(map(len, boxes)):
        out = ([], [], [])
    elif method == "wbf":
        factor = 1
        out = weighted_boxes_fusion(boxes, scores, labels, weights=weights, iou_thr=iou, skip_box_thr=0)
    elif method == "nms":
        out = nms_method(boxes, scores, labels, method=3, iou_thr=iou, weights=weights)
    else:
        out = soft_nms(boxes, scores, labels, method=2, iou_thr=iou, sigma=sigma, thresh=floor / factor, weights=weights)
    print("case", method, models, iou, sigma, floor, numbers(weights))
    for model in range(models):
        for box, score, label in zip(every[model], given[model], labels[model]):
            print("in", model, int(label), repr(score), numbers(box))
    rows = sorted(zip(*out), key=lambda row: -row[1])
    for box, score, label in rows:
        print("out", int(label), repr(float(score * factor)), numbers(box))
    print("end")
