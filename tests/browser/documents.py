"""Evaluation documents that a report can show: a believable one of any number of classes, an empty one, one with hostile names."""

import base64
import random

BINS = 20
CURVE_POINTS = 256
OWN_THRESHOLD = 0.31
# 1 x 1 pixel, the smallest picture there is.
PIXEL = "data:image/png;base64," + base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
).decode("ascii")

EVALUATION = {
    "predictions": "auto",
    "truth": "ground_truth",
    "protocol": "coco",
    "iou_type": "box",
    "iou": 0.5,
    "where": "",
    "name": "latest",
    "made_at": "2026-05-17T18:00:00Z",
}
HOSTILE_NAMES = [
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    "<!--<script>",
    "\"'`{{script}}${window.hacked = 3}",
    "javascript:window.hacked=4",
    "__proto__",
    "constructor",
    "line\u2028and\u2029paragraph",
    "😀 \u202eright to left",
    "x" * 200,
    "",
]


def ratio(part, whole):
    return part / whole if whole else None


def ratios(tp, fp, fn):
    return {"precision": ratio(tp, tp + fp), "recall": ratio(tp, tp + fn), "f1": ratio(2 * tp, 2 * tp + fp + fn)}


def predictions_of(rng, truths, skill):
    """(score, is right) of one class, best first."""
    right = [(rng.betavariate(4 * skill, 1.6), True) for _ in range(round(truths * (0.5 + skill / 2)))]
    wrong = [(rng.betavariate(1, 4), False) for _ in range(rng.randint(0, 3 * truths + 2))]
    return sorted(((max(0.001, round(score, 6)), is_right) for score, is_right in right + wrong), reverse=True)


def curve_of(predictions, truths):
    """Counts at each distinct score, thinned to what a document holds."""
    points, tp, fp = {}, 0, 0
    for score, is_right in predictions:
        tp, fp = tp + is_right, fp + (not is_right)
        points[score] = (tp, fp)
    rows = [(score, *counts) for score, counts in points.items()]
    if len(rows) > CURVE_POINTS:
        rows = [rows[i * (len(rows) - 1) // (CURVE_POINTS - 1)] for i in range(CURVE_POINTS)]
    return {"truths": truths, "threshold": [r[0] for r in rows], "tp": [r[1] for r in rows], "fp": [r[2] for r in rows]}


def counts_at(predictions, truths, threshold):
    tp = sum(is_right for score, is_right in predictions if score >= threshold)
    fp = sum(not is_right for score, is_right in predictions if score >= threshold)
    return tp, fp, truths - tp


def class_numbers(predictions, truths, skill):
    tp, fp, fn = counts_at(predictions, truths, OWN_THRESHOLD)
    best = max(({**ratios(*counts_at(predictions, truths, t / 20)), "t": t / 20} for t in range(20)), key=lambda p: p["f1"] or 0)
    return {
        "AP": 0.6 * skill if truths else None,
        "AP_50": 0.85 * skill if truths else None,
        **ratios(tp, fp, fn),
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "truths": truths,
        "predictions": len(predictions),
        "best_threshold": best["t"] if predictions else None,
        "best_f1": best["f1"],
    }


def histogram(values):
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    return counts


def calibration_of(predictions):
    bins = []
    for i in range(10):
        inside = [p for p in predictions if min(9, int(p[0] * 10)) == i]
        bins.append(
            {
                "from": i / 10,
                "to": (i + 1) / 10,
                "predictions": len(inside),
                "mean_score": ratio(sum(score for score, _ in inside), len(inside)),
                "accuracy": ratio(sum(is_right for _, is_right in inside), len(inside)),
            }
        )
    gaps = [(b["predictions"], abs(b["mean_score"] - b["accuracy"])) for b in bins if b["predictions"]]
    return {
        "bins": bins,
        "expected_error": ratio(sum(n * gap for n, gap in gaps), sum(n for n, _ in gaps)),
        "greatest_error": max((gap for _, gap in gaps), default=None),
        "scores_outside": 0,
    }


def confusion_of(rng, per_class):
    names = list(per_class)
    background = len(names)
    cells = {}
    for i, numbers in enumerate(per_class.values()):
        cells[i, i] = numbers["tp"]
        for part, is_predicted in ((numbers["fp"], True), (numbers["fn"], False)):
            for _ in range(part):
                near = (i + rng.choice((-2, -1, 1, 2, 3))) % len(names)
                other = background if rng.random() < 0.6 or near == i else near
                at = (other, i) if is_predicted else (i, other)
                cells[at] = cells.get(at, 0) + 1
    return {
        "threshold": OWN_THRESHOLD,
        "iou": 0.5,
        "classes": names,
        "cells": [[t, p, n] for (t, p), n in sorted(cells.items()) if n],
    }


def worst_of(rng, names, images):
    outcomes = [
        ("prediction", "tp", None),
        ("truth", "tp", None),
        ("prediction", "fp", "localization"),
        ("prediction", "fp", "background"),
        ("truth", "fn", "missed"),
        ("truth", "ignored", None),
    ]
    worst = []
    for n, (name, width, height, thumbnail) in enumerate(images):
        labels = []
        for _ in range(rng.randint(0, 9)):
            role, outcome, error = rng.choice(outcomes)
            w, h = rng.uniform(0.08, 0.5) * width, rng.uniform(0.08, 0.5) * height
            labels.append(
                {
                    "role": role,
                    "class": rng.choice(names),
                    "box": [rng.uniform(0, width - w), rng.uniform(0, height - h), w, h],
                    "score": round(rng.random(), 3) if role == "prediction" else None,
                    "outcome": outcome,
                    "error": error,
                    "iou": round(rng.random(), 3),
                }
            )
        of = {key: sum(label["outcome"] == key for label in labels) for key in ("tp", "fp", "fn")}
        f1 = ratios(**of)["f1"]
        picture = {"sample": n + 1, "name": name, "width": width, "height": height, "thumbnail": thumbnail}
        worst.append({**picture, **of, "f1": f1, "labels": labels})
    return worst


def scenario(name, where, metrics, spread):
    return {
        "name": name,
        "where": where,
        "samples": 30,
        "truths": 50,
        "predictions": 200,
        "metrics": metrics,
        "intervals": {
            key: None if spread is None or metrics[key] is None else [metrics[key] - spread, metrics[key] + spread / 2]
            for key in ("precision", "recall", "f1")
        },
    }


POINT_METRICS = ("AP_50", "precision", "recall", "f1")


def intervals_of(metrics, per_class):
    """Whiskers of each class's numbers, and of all together."""

    def whiskers(numbers, keys):
        between = {k: None if numbers[k] is None else [max(0, numbers[k] - 0.1), min(1, numbers[k] + 0.05)] for k in keys}
        return {"metrics": {key: numbers[key] for key in keys}, "intervals": between}

    return {
        "threshold": OWN_THRESHOLD,
        "confidence": 0.95,
        "resamples": 1000,
        "overall": whiskers(metrics | {"AP_50": metrics["mAP_50"]}, POINT_METRICS),
        "per_class": {name: whiskers(numbers, POINT_METRICS) for name, numbers in per_class.items()},
    }


def comparison_of(rng, metrics, per_class):
    def pair(value, interval=False):
        other = None if value is None else max(0.0, value + rng.uniform(-0.08, 0.05))
        difference = None if value is None else value - other
        between = None if difference is None else [difference - 0.02, difference + 0.02]
        return {"this": value, "other": other, "difference": difference, **({"interval": between} if interval else {})}

    return {
        "predictions": "auto-before",
        "metrics": {
            "mAP": pair(metrics["mAP"]),
            "AP_50": pair(metrics["mAP_50"], interval=True),
            **{key: pair(metrics[key], interval=True) for key in ("precision", "recall", "f1")},
        },
        "per_class": {
            name: {key: pair(numbers[key], interval=key != "AP") for key in ("AP", "AP_50", "f1")}
            for name, numbers in per_class.items()
        },
    }


def shown_classes(document):
    """Names of the classes that have a row: those with truths or predictions."""
    return [name for name, numbers in document["per_class"].items() if numbers["truths"] or numbers["predictions"]]


def document(names, seed=1, images=()):
    """A whole document of an invented detector; every tenth class has neither truths nor predictions, the next no predictions."""
    rng = random.Random(seed)
    every, per_class, curves, total = [], {}, {}, 0
    for n, name in enumerate(names):
        truths = 0 if n % 10 == 8 else rng.choice((1, 3, 8, 20, 60, 150))
        skill = rng.uniform(0.3, 0.98)
        predictions = [] if n % 10 in (8, 9) else predictions_of(rng, truths, skill)
        every += predictions
        total += truths
        per_class[name] = class_numbers(predictions, truths, skill)
        curves[name] = curve_of(predictions, truths)
    every.sort(reverse=True)
    tp, fp, fn = counts_at(every, total, OWN_THRESHOLD)
    coco = "mAP mAP_50 mAP_75 mAP_small mAP_medium mAP_large AR_1 AR_10 AR_100 AR_small AR_medium AR_large".split()
    metrics = {key: rng.uniform(0.3, 0.8) for key in coco}
    metrics |= {"mAP_small": None, **ratios(tp, fp, fn), "threshold": OWN_THRESHOLD}
    missing = {"mAP": None, "AP_50": None, "precision": None, "recall": None, "f1": None}
    right, wrong = ([score for score, is_right in every if is_right is kind] for kind in (True, False))
    kinds = ("classification", "localization", "both", "duplicate", "background", "missed")
    return {
        "evaluation": EVALUATION | {"where": "tag:night width>=640"},
        "metrics": metrics,
        "per_class": per_class,
        "coverage": {
            "samples": 128,
            "samples_reviewed": 3,
            "truths": total,
            "truths_counted": total - 4,
            "predictions": len(every),
            "not_labelled_in_truth": 0,
            "not_labelled_in_predictions": 2,
            "predictions_beyond_limit": 41,
            "new_kind_of_count": 7,
        },
        "errors": {
            "AP_50": 0.52,
            "threshold": OWN_THRESHOLD,
            "kinds": {
                kind: {"predictions": rng.randint(0, 90), "truths": rng.randint(0, 40), "ap_cost": rng.uniform(0, 0.08)}
                for kind in kinds
            },
            "false_positive_cost": 0.11,
            "false_negative_cost": 0.19,
        },
        "confusion": confusion_of(rng, per_class),
        "calibration": calibration_of(every),
        "curves": {"overall": curve_of(every, total), "per_class": curves},
        "distributions": {
            "confidence": {"from": 0, "to": 1, "tp": histogram(right), "fp": histogram(wrong)},
            "iou": {
                "from": 0,
                "to": 1,
                "tp": histogram([0.5 + rng.betavariate(3, 1.3) / 2 for _ in right]),
                "fp": histogram([rng.betavariate(0.7, 2.5) for _ in wrong]),
            },
        },
        "intervals": intervals_of(metrics, per_class),
        "scenarios": [
            scenario("small", "area<1024", {"mAP": 0.21, "AP_50": 0.4, "precision": 0.55, "recall": 0.31, "f1": 0.4}, 0.09),
            scenario("night", "tag:night", {"mAP": 0.41, "AP_50": 0.6, "precision": 0.75, "recall": 0.61, "f1": 0.67}, None),
            scenario("nothing there", "tag:none", missing, 0.1),
        ],
        "comparison": comparison_of(rng, metrics, per_class),
        "worst": worst_of(rng, list(names), images or [("street/a b.jpg", 640, 480, PIXEL), ("lost.jpg", 480, 640, None)]),
    }


def document_of_images(names, seed=2):
    """The same of classes of whole images, one an image."""
    made = document(names, seed)
    metrics = made["metrics"]
    made["evaluation"] = {k: v for k, v in EVALUATION.items() if k not in ("iou_type", "iou")} | {
        "protocol": "classification",
        "threshold": OWN_THRESHOLD,
    }
    micro = {key: metrics[key] for key in ("precision", "recall", "f1")} | {"roc_auc": 0.91, "average_precision": 0.7}
    made["averages"] = {name: dict(micro) for name in ("micro", "macro", "weighted")}
    made["metrics"] = {"accuracy": 0.625} | {f"top_{k}": 0.6 + k / 20 for k in range(2, 6)}
    made["exact_match"] = 0.5
    for numbers in made["per_class"].values():
        del numbers["AP"]
        numbers |= {"average_precision": numbers.pop("AP_50"), "roc_auc": 0.8}
    points = [made["intervals"]["overall"], *made["intervals"]["per_class"].values(), *made["scenarios"]]
    for point in points:
        for numbers in (point["metrics"], point["intervals"]):
            numbers.pop("mAP", None)
            if "AP_50" in numbers:
                numbers["average_precision"] = numbers.pop("AP_50")
    for point in (made["intervals"]["overall"], *made["scenarios"]):
        point["metrics"]["accuracy"], point["intervals"]["accuracy"] = 0.625, [0.5, 0.75]
    comparison = made["comparison"]
    comparison["metrics"]["accuracy"] = comparison["metrics"].pop("mAP") | {"interval": [-0.01, 0.03]}
    for numbers in (comparison["metrics"], *comparison["per_class"].values()):
        numbers["average_precision"] = numbers.pop("AP_50")
        numbers.pop("AP", None)
    del made["errors"], made["distributions"]["iou"]
    return made


def empty_document():
    """An evaluation of nothing: what can be empty is, what can be undefined is."""
    metrics = dict.fromkeys("mAP mAP_50 precision recall f1 threshold".split())
    return {
        "evaluation": dict(EVALUATION),
        "metrics": metrics,
        "per_class": {},
        "coverage": {"samples": 0, "samples_reviewed": 0},
        "errors": {"AP_50": None, "threshold": None, "kinds": {}, "false_positive_cost": None, "false_negative_cost": None},
        "confusion": {"threshold": None, "iou": 0.5, "classes": [], "cells": []},
        "calibration": {"bins": [], "expected_error": None, "greatest_error": None, "scores_outside": 0},
        "curves": {"overall": {"truths": 0, "threshold": [], "tp": [], "fp": []}, "per_class": {}},
        "distributions": {
            "confidence": {"from": 0, "to": 1, "tp": [0] * BINS, "fp": [0] * BINS},
            "iou": {"from": 0, "to": 1, "tp": [0] * BINS, "fp": [0] * BINS},
        },
        "scenarios": [],
        "comparison": None,
        "worst": [],
    }


def without_predictions():
    """Truths that nothing was predicted for."""
    made = empty_document()
    numbers = {"AP": 0.0, "AP_50": 0.0, "precision": None, "recall": 0.0, "f1": 0.0, "tp": 0, "fp": 0, "fn": 5, "truths": 5}
    curve = {"truths": 5, "threshold": [], "tp": [], "fp": []}
    made["metrics"] |= {"mAP": 0.0, "mAP_50": 0.0, "recall": 0.0, "f1": 0.0}
    made["per_class"] = {"car": {**numbers, "predictions": 0, "best_threshold": None, "best_f1": None}}
    made["coverage"] = {"samples": 1, "samples_reviewed": 0, "truths": 5, "predictions": 0}
    made["confusion"] |= {"classes": ["car"], "cells": [[0, 1, 5]]}
    made["curves"] = {"overall": curve, "per_class": {"car": curve}}
    return made


def hostile_document():
    """Names that would do harm wherever they became markup or a key of an object."""
    made = document(HOSTILE_NAMES, seed=3, images=[(name, 640, 480, PIXEL) for name in HOSTILE_NAMES])
    name = HOSTILE_NAMES[0]
    made["evaluation"] |= {"predictions": name, "truth": HOSTILE_NAMES[1], "where": HOSTILE_NAMES[2], "name": HOSTILE_NAMES[3]}
    made["scenarios"][0] |= {"name": name, "where": HOSTILE_NAMES[1]}
    made["comparison"]["predictions"] = name
    made["errors"]["kinds"][name] = {"predictions": 1, "truths": 1, "ap_cost": 0.5}
    made["coverage"][name] = 1
    made["metrics"][name] = 0.5
    made["worst"][0]["thumbnail"] = "javascript:window.hacked=5"
    made["worst"][0]["labels"] = [
        {"role": "truth", "class": name, "box": [1, 2, 300, 200], "score": None, "outcome": name, "error": name, "iou": None}
    ]
    return made
