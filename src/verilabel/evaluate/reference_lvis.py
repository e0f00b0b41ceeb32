"""Random federated data sets and what lvis-api 0.5 makes of them: reference_lvis.py OUT [COUNT].

Wrote lvis_reference.txt, which lvis_test.cpp reads: words and numbers separated by white space. It is kept, because lvis-api asks
for a name that NumPy 1.24 took away, which is given back here, and for plotting libraries that nothing here uses.
"""

import logging
import sys
import types

import numpy as np

np.float = float
for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.collections", "matplotlib.patches"):
    module = sys.modules.setdefault(name, types.ModuleType(name))
    for wanted in ("PatchCollection", "Polygon"):
        setattr(module, wanted, None)
from lvis import LVIS, LVISEval, LVISResults  # noqa: E402

logging.disable(logging.CRITICAL)
METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf", "AR@300", "ARs@300", "ARm@300", "ARl@300")


class Memory(LVIS):
    """LVIS from a document in memory."""

    def __init__(self, document):
        self.logger = logging.getLogger("memory")
        self.dataset = document
        self._create_index()


def dataset(seed):
    rng = np.random.default_rng(seed)
    images, classes = int(rng.integers(1, 7)), int(rng.integers(2, 8))
    crowded = seed % 7 == 0

    def box():
        side = np.exp(rng.normal(3.8, 1, 2)).clip(3, 300)
        if rng.random() < 0.1:
            side[:] = rng.choice([32, 96])
        return [round(float(v), 2) for v in (*rng.uniform(0, 300, 2), *side)]

    document = {"images": [], "annotations": [], "categories": []}
    for k in range(classes):
        document["categories"].append({"id": 3 * k + 1, "name": f"c{k}", "frequency": "rcf"[int(rng.integers(3))]})
    ids = [one["id"] for one in document["categories"]]
    results = []
    for i in rng.permutation(images) + 1:
        i = int(i)
        here = [(box(), int(rng.choice(ids))) for _ in range(int(rng.poisson(5)))]
        for b, k in here:
            area = b[2] * b[3] * float(rng.choice([1, 0.7]))
            annotation = {"id": len(document["annotations"]) + 1, "image_id": i, "category_id": k, "bbox": b, "area": area}
            document["annotations"].append(annotation | {"segmentation": []})
        present = {k for _, k in here}
        absent = [k for k in ids if k not in present and rng.random() < 0.5]
        partly = [k for k in ids if rng.random() < 0.3]
        document["images"].append({"id": i, "neg_category_ids": absent, "not_exhaustive_category_ids": partly})
        digits = int(rng.choice([1, 6]))
        for b, k in here * (40 if crowded else 1):
            j = rng.normal(0, 0.1, 4)
            moved = [b[0] + j[0] * b[2], b[1] + j[1] * b[3], b[2] * (1 + j[2] / 2), b[3] * (1 + j[3] / 2)]
            k = k if rng.random() < 0.8 else int(rng.choice(ids))
            results.append((i, k, [round(float(v), 3) for v in moved], round(float(rng.random()), digits)))
        for _ in range(int(rng.poisson(6))):
            results.append((i, int(rng.choice(ids)), box(), round(float(rng.random()), digits)))
    if seed % 3 == 1:  # things without an area, of which lvis-api takes no notice
        for annotation in document["annotations"]:
            if rng.random() < 0.2:
                annotation["area"] = float(rng.choice([0, -1]))
        for _, _, b, _ in results:
            if rng.random() < 0.2:
                b[int(rng.integers(2, 4))] = 0.0
    order = rng.permutation(len(results)) if seed % 2 else range(len(results))
    return document, [results[n] for n in order]


def write(seed, out):
    document, results = dataset(seed)
    if not results or not document["annotations"]:
        return
    truth = Memory(document)
    found = LVISResults(truth, [{"image_id": i, "category_id": k, "bbox": list(b), "score": s} for i, k, b, s in results])
    evaluation = LVISEval(truth, found, "bbox")
    evaluation.run()

    def line(*words):
        out.write(" ".join(repr(float(w)) if isinstance(w, float) else str(w) for w in words) + "\n")

    image_index = {one["id"]: n for n, one in enumerate(document["images"])}
    class_index = {one["id"]: n for n, one in enumerate(document["categories"])}
    line("dataset", len(image_index), len(class_index), len(document["annotations"]), len(results))
    for one in document["categories"]:
        line(one["id"], one["frequency"])
    for one in document["images"]:
        lists = [[class_index[k] for k in one[key]] for key in ("neg_category_ids", "not_exhaustive_category_ids")]
        line(one["id"], *(w for listed in lists for w in (len(listed), *listed)))
    for one in document["annotations"]:
        line(image_index[one["image_id"]], class_index[one["category_id"]], *map(float, one["bbox"]), float(one["area"]))
    for i, k, b, s in results:
        line(image_index[i], class_index[k], *b, s)
    line(sum(one["area"] <= 0 for one in document["annotations"]))
    line(*(float(evaluation.results[name]) for name in METRICS))


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    with open(sys.argv[1], "w") as out:
        for seed in range(count):
            write(seed, out)


if __name__ == "__main__":
    main()
