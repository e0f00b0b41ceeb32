"""Random data of the Open Images kind and what others make of it: reference_open_images.py tensorflow|hotcoco OUT [COUNT].

`tensorflow` wrote open_images_reference.txt with `OpenImagesDetectionChallengeEvaluator` of the TensorFlow Object Detection API
(on PyPI as tensorflow-object-detection-api 0.1.1) after expanding the annotations as the challenge does. It is kept, because that
evaluator asks for TensorFlow, which it does not use and which is stubbed here, and for names
that Python and NumPy took away.

`hotcoco` runs in the test. It knows no verified classes, cuts at 100 predictions, and lets a prediction take its second best truth;
so here every class is verified, images are small, and truths of one class lie apart. Exit status 3 when it is not installed.

Both are read by open_images_test.cpp: words and numbers separated by white space.
"""

import builtins
import contextlib
import io
import sys
import types
import warnings

import numpy as np


def dataset(seed, is_apart):
    rng = np.random.default_rng(seed)
    images, classes = int(rng.integers(1, 7)), int(rng.integers(1, 8))
    parents = [[]]
    for k in range(1, classes):
        parents.append([int(rng.integers(k))] if rng.random() < 0.6 else [])
    if not is_apart and classes > 3 and rng.random() < 0.5:
        parents[3] = sorted({*parents[3], *(int(p) for p in rng.choice(3, 2))})  # under several
    present, absent, truths, predictions = [], [], [], []
    for image in range(images):
        places = rng.permutation(16) if is_apart else rng.integers(0, 5, 16)
        here = []
        for place in places[: int(rng.poisson(4))]:
            corner = np.array([place % 4, place // 4]) * 200.0
            box = [*(corner + rng.uniform(0, 20, 2)), *rng.uniform(60, 170, 2)]
            here.append((box, int(rng.integers(classes)), int(rng.random() < 0.3)))
        truths += [(image, k, [float(v) for v in box], group) for box, k, group in here]
        found = []
        for box, k, group in here:
            x, y, w, h = box
            for _ in range(int(rng.integers(0, 4 if group else 3))):
                if group and rng.random() < 0.8:
                    inner = [x + rng.uniform(-0.2, 0.7) * w, y + rng.uniform(-0.2, 0.7) * h, *(rng.uniform(0.1, 0.5, 2) * (w, h))]
                    found.append((inner, k))
                else:
                    j = rng.normal(0, 0.12, 4)
                    moved = [x + j[0] * w, y + j[1] * h, w * np.exp(j[2]), h * np.exp(j[3])]
                    found.append((moved, k if rng.random() < 0.8 else int(rng.integers(classes))))
        for _ in range(int(rng.poisson(3))):
            found.append(([*rng.uniform(0, 700, 2), *rng.uniform(5, 150, 2)], int(rng.integers(classes))))
        if not is_apart and found and rng.random() < 0.3:
            found.append(([*found[0][0][:2], 0.0, 50.0], found[0][1]))
        predictions += [(image, k, [float(v) for v in box]) for box, k in found]
        chosen = rng.random(classes)
        present.append([k for k in range(classes) if not is_apart and chosen[k] < 0.15])
        absent.append([k for k in range(classes) if is_apart or chosen[k] > 0.7])
    scores = rng.permutation(np.linspace(0.01, 0.99, len(predictions)))
    return images, parents, present, absent, truths, [(*p, float(s)) for p, s in zip(predictions, scores)]


def ancestors(parents):
    above = []
    for own in parents:
        above.append(sorted({*own, *(a for p in own for a in above[p])}))
    return above


def tensorflow_values(images, parents, present, absent, truths, predictions):
    """Mean and AP of each class, NaN where there is none."""
    from object_detection.core import standard_fields
    from object_detection.utils import object_detection_evaluation

    above = ancestors(parents)
    below = [[k for k in range(len(parents)) if a in above[k]] for a in range(len(parents))]
    truth, found = standard_fields.InputDataFields, standard_fields.DetectionResultFields
    classes = [{"id": k + 1, "name": f"c{k}"} for k in range(len(parents))]
    evaluator = object_detection_evaluation.OpenImagesDetectionChallengeEvaluator(classes)

    def corners(boxes):
        return np.array([[y, x, y + h, x + w] for x, y, w, h in boxes], float).reshape(-1, 4)

    for image in range(images):
        here = [(k, box, group) for i, own, box, group in truths if i == image for k in [own, *above[own]]]
        verified = {k for own in present[image] for k in [own, *above[own]]}
        verified |= {k for own in absent[image] for k in [own, *below[own]]}
        evaluator.add_single_ground_truth_image_info(
            image,
            {
                truth.groundtruth_boxes: corners([box for _, box, _ in here]),
                truth.groundtruth_classes: np.array([k + 1 for k, _, _ in here], int),
                truth.groundtruth_group_of: np.array([group for _, _, group in here], bool),
                truth.groundtruth_image_classes: np.array([k + 1 for k in sorted(verified)], int),
            },
        )
        mine = [(k, box, score) for i, k, box, score in predictions if i == image]
        evaluator.add_single_detected_image_info(
            image,
            {
                found.detection_boxes: corners([box for _, box, _ in mine]),
                found.detection_classes: np.array([k + 1 for k, _, _ in mine], int),
                found.detection_scores: np.array([score for _, _, score in mine], float),
            },
        )
    result = evaluator.evaluate()
    per_class = [
        next((float(v) for name, v in result.items() if name.endswith((f"/c{k}", f"/b'c{k}'"))), np.nan)
        for k in range(len(parents))
    ]
    return [float(next(v for name, v in result.items() if "mAP" in name)), *per_class]


def hotcoco_values(images, parents, _present, _absent, truths, predictions):
    import hotcoco

    def annotation(number, image, k, box, **more):
        return {"id": number, "image_id": image + 1, "category_id": k + 1, "bbox": box, "area": box[2] * box[3], **more}

    above = ancestors(parents)
    expanded = [(i, k, box, group) for i, own, box, group in truths for k in [own, *above[own]]]
    truth = hotcoco.COCO(
        {
            "images": [{"id": i + 1, "width": 900, "height": 900, "file_name": str(i)} for i in range(images)],
            "categories": [{"id": k + 1, "name": f"c{k}"} for k in range(len(parents))],
            "annotations": [
                annotation(n + 1, i, k, box, iscrowd=0, is_group_of=bool(group)) for n, (i, k, box, group) in enumerate(expanded)
            ],
        }
    )
    found = truth.load_res([annotation(n + 1, i, k, box, score=score) for n, (i, k, box, score) in enumerate(predictions)])
    evaluation = hotcoco.COCOeval(truth, found, "bbox", oid_style=True)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it knows no verified classes
        evaluation.run()
    results = evaluation.results(per_class=True)
    per_class = [results["per_class"].get(f"c{k}") for k in range(len(parents))]
    has_truth = {k for _, k, _, _ in expanded}
    return [results["metrics"]["AP"], *(v if k in has_truth else np.nan for k, v in enumerate(per_class))]


def write(out, name, data, values):
    images, parents, present, absent, truths, predictions = data

    def line(*words):
        out.write(" ".join(repr(float(w)) if isinstance(w, float) else str(w) for w in words) + "\n")

    line(name, images, len(parents), len(truths), len(predictions))
    for listed in (*parents, *present, *absent):
        line(len(listed), *listed)
    for image, k, box, group in truths:
        line(image, k, *box, group)
    for image, k, box, score in predictions:
        line(image, k, *box, score)
    line(*map(float, values))


def differing():
    """Where hotcoco is not the challenge's evaluator: the name of the reason and the data."""
    box, far = [0.0, 0.0, 100.0, 100.0], [500.0, 500.0, 100.0, 100.0]
    # Both predictions overlap the first truth most; the second, 0.6 of which the better one covers too, is only second best.
    near = [25.0, 0.0, 100.0, 100.0]
    truths = [(0, 0, box, 0), (0, 0, near, 0)]
    yield "second_best", (1, [[]], [[]], [[]], truths, [(0, 0, box, 0.9), (0, 0, [5.0, 0.0, 100.0, 100.0], 0.8)])
    # On the second image nobody has looked for the class.
    yield "not_verified", (2, [[]], [[], []], [[], []], [(0, 0, box, 0)], [(1, 0, far, 0.9), (0, 0, box, 0.8)])
    yield "without_area", (1, [[]], [[]], [[]], [(0, 0, box, 0)], [(0, 0, [0.0, 0.0, 0.0, 50.0], 0.9), (0, 0, box, 0.8)])
    many = [(0, 0, far, 0.9 - i / 1000) for i in range(100)]
    yield "beyond_100", (1, [[]], [[]], [[]], [(0, 0, box, 0)], [*many, (0, 0, box, 0.1)])


def stub_tensorflow():
    builtins.unicode = lambda text, _: text
    for name, value in {"float": float, "int": int, "NAN": np.nan}.items():
        setattr(np, name, value)
    for name in ("tensorflow", "tensorflow.compat", "tensorflow.compat.v1", "object_detection.utils.label_map_util"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["object_detection.utils.label_map_util"].create_category_index = lambda rows: {one["id"]: one for one in rows}


def main():
    peer, path = sys.argv[1:3]
    if peer == "hotcoco":
        try:
            import hotcoco  # noqa: F401
        except ImportError as error:
            print(error, file=sys.stderr)
            sys.exit(3)
    else:
        stub_tensorflow()
    values = hotcoco_values if peer == "hotcoco" else tensorflow_values
    with open(path, "w") as out:
        for seed in range(int(sys.argv[3]) if len(sys.argv) > 3 else 120):
            data = dataset(seed, is_apart=peer == "hotcoco")
            if data[4] and data[5]:
                write(out, "dataset", data, values(*data))
        for name, data in differing():
            write(out, name, data, values(*data))


if __name__ == "__main__":
    main()
