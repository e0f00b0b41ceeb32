"""COCO evaluation against its peers on the same random data in one run:
evaluate_bench.py BUILD_DIR [IMAGES] [--pycocotools] [--boxes | --masks].

Peers are those of hotcoco, faster-coco-eval and pycocotools (only with the flag: it takes over a minute) that this Python can
import. Two ratios, peer divided by ours, each from the fastest of several rounds: everything after loading, where ours is
BUILD_DIR/bench/evaluate_bench and includes outcomes and thresholds; and from JSON files to numbers as a whole process, where ours
is BUILD_DIR/verilabel (left out when it is not built), first with boxes, then with masks: polygons for truths, runs for
predictions. Ours and the peer take turns. The twelve numbers are compared as well: exit status 1 when they differ by more than
1e-9.

Printed beside: what another threshold costs after one matching pass (confusion matrix, precision, recall and F1 of each class), in
parts of the 50 ms that a slider has; and for files of twenty times the size the time for each prediction as a ratio to that of the
files themselves, and the most memory that the whole process has in use at a time, divided by the predictions: in all, as a ratio to
the 48 bytes of an image, a class, a box and a score, which an evaluation cannot do without, and as what there is of it above the
bytes of the two files.
"""

import argparse
import contextlib
import importlib
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

NAMES = [
    "mAP",
    "mAP_50",
    "mAP_75",
    "mAP_small",
    "mAP_medium",
    "mAP_large",
    "AR_1",
    "AR_10",
    "AR_100",
    "AR_small",
    "AR_medium",
    "AR_large",
]
PEERS = {
    "hotcoco": ("hotcoco", "COCO", "hotcoco", "COCOeval", 5),
    "faster-coco-eval": ("faster_coco_eval", "COCO", "faster_coco_eval", "COCOeval_faster", 1),
    "pycocotools": ("pycocotools.coco", "COCO", "pycocotools.cocoeval", "COCOeval", 1),
}


def generate(image_count, rng):
    """About 7 truths and 46 predictions an image, in 80 classes: near and far ones, ties, crowds, empty images, class mistakes."""
    image_ids = rng.permutation(image_count) + 1
    truths, predictions = [], []
    for image_id in image_ids.tolist():
        count = int(rng.poisson(7.3)) if rng.random() > 0.02 else 0
        for _ in range(count):
            w, h = np.exp(rng.normal(3.8, 0.9, 2)).clip(4, 400)
            x, y = rng.uniform(0, 640 - w), rng.uniform(0, max(480 - h, 1))
            class_id = int(rng.integers(1, 79))
            box = [round(float(v), 2) for v in (x, y, w, h)]
            area = round(float(w * h * rng.uniform(0.5, 1)), 2)
            crowd = int(rng.random() < 0.01)
            truths.append(
                {"id": len(truths) + 1, "image_id": image_id, "category_id": class_id, "bbox": box, "area": area, "iscrowd": crowd}
            )
            if rng.random() < 0.8:
                j = rng.normal(0, 0.12, 4)
                near = (x + j[0] * w, y + j[1] * h, max(w * (1 + j[2]), 1), max(h * (1 + j[3]), 1))
                score = round(float(rng.beta(4, 3)), int(rng.choice([2, 5])))
                guess = class_id if rng.random() < 0.9 else int(rng.integers(1, 81))
                box = [round(float(v), 2) for v in near]
                predictions.append({"image_id": image_id, "category_id": guess, "bbox": box, "score": score})
        for _ in range(int(rng.poisson(40))):
            w, h = np.exp(rng.normal(3.8, 0.9, 2)).clip(4, 400)
            box = [round(float(v), 2) for v in (rng.uniform(0, 600), rng.uniform(0, 440), w, h)]
            score = round(float(rng.beta(1, 6)), int(rng.choice([2, 5])))
            predictions.append({"image_id": image_id, "category_id": int(rng.integers(1, 81)), "bbox": box, "score": score})
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "width": 640, "height": 480} for i in image_ids.tolist()]
    categories = [{"id": k, "name": f"c{k}"} for k in range(1, 81)]
    return {"images": images, "annotations": truths, "categories": categories}, predictions


def outline(box, rng):
    """A polygon of 16 to 40 points near the ellipse in the box: round things with dents, as masks of objects are."""
    x, y, w, h = box
    turns = np.linspace(0, 2 * np.pi, int(rng.integers(16, 41)), endpoint=False)
    waves = rng.normal(0, 0.06, 3) @ np.sin(np.outer([2, 3, 5], turns) + rng.uniform(0, 6, (3, 1)))
    radius = (1 + waves).clip(0.5, 1)
    ring = np.stack([x + w / 2 * (1 + radius * np.cos(turns)), y + h / 2 * (1 + radius * np.sin(turns))], 1)
    return [np.round(ring, 2).ravel().tolist()]


def add_masks(truth, predictions, rng):
    """Gives truths polygons (crowds runs, as COCO has them) and predictions compressed runs beside their boxes, as detectors do."""
    from pycocotools import mask as mask_utils

    def runs(polygons):
        rle = mask_utils.merge(mask_utils.frPyObjects(polygons, 480, 640))
        return rle, {"size": [480, 640], "counts": rle["counts"].decode()}

    for one in truth["annotations"]:
        polygons = outline(one["bbox"], rng)
        rle, compressed = runs(polygons)
        one["segmentation"] = compressed if one["iscrowd"] else polygons
        one["area"] = float(mask_utils.area(rle))
    for one in predictions:
        one["segmentation"] = runs(outline(one["bbox"], rng))[1]


def write_columns(path, truth, predictions):
    image_of = {image["id"]: i for i, image in enumerate(truth["images"])}
    class_of = {category["id"]: i for i, category in enumerate(truth["categories"])}
    annotations = truth["annotations"]

    def column(rows, field, dtype, index=None):
        return np.array([index[row[field]] if index else row[field] for row in rows], dtype)

    with open(path, "wb") as out:
        np.array([len(image_of), len(class_of), len(annotations), len(predictions)], np.int64).tofile(out)
        np.array(list(image_of), np.int64).tofile(out)
        np.array(list(class_of), np.int64).tofile(out)
        for rows in (annotations, predictions):
            column(rows, "image_id", np.uint32, image_of).tofile(out)
            column(rows, "category_id", np.uint32, class_of).tofile(out)
            column(rows, "bbox", np.float64).tofile(out)
            if rows is annotations:
                column(rows, "area", np.float64).tofile(out)
                column(rows, "iscrowd", np.uint8).tofile(out)
            else:
                column(rows, "score", np.float64).tofile(out)


def run_peer(coco_class, eval_class, iou_type):
    """Seconds from the files, seconds after loading, the twelve numbers."""
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_class("gt.json")
        results = (getattr(truth, "load_res", None) or truth.loadRes)("dt.json")
        loaded = time.perf_counter()
        evaluation = eval_class(truth, results, {"box": "bbox", "mask": "segm"}[iou_type])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    end = time.perf_counter()
    return end - start, end - loaded, [float(v) for v in evaluation.stats[:12]]


def run_columns(program, rounds):
    """Milliseconds of each stage, the fastest round; other numbers by name."""
    output = subprocess.run([program, "columns.bin", str(rounds)], capture_output=True, check=True, text=True).stdout
    rows = [line.split() for line in output.splitlines()]
    return {row[0]: float(row[1]) for row in rows if len(row) == 3}, {row[0]: float(row[1]) for row in rows if len(row) == 2}


def command_for(program, iou_type, truth="./gt.json", predictions="./dt.json"):
    return [program, "--json", "evaluate", "--truth", truth, "--predictions", predictions, "--iou-type", iou_type]


def run_program(program, iou_type):
    start = time.perf_counter()
    output = subprocess.run(command_for(program, iou_type), capture_output=True, check=True).stdout
    seconds = time.perf_counter() - start
    metrics = json.loads(output)["metrics"]
    return seconds, [-1.0 if metrics[name] is None else metrics[name] for name in NAMES]


def run_measured(command):
    """Seconds, those of processors, and the bytes in use at the peak. By way of a small process: memory of this one would count for
    its child."""
    code = (
        "import resource, subprocess, sys, time; start = time.perf_counter();"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "seconds = time.perf_counter() - start; used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)"
    )
    words = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=True, text=True).stdout.split()
    return float(words[0]), float(words[1]), int(words[2])


def peers(wanted):
    for name, (coco_module, coco_class, eval_module, eval_class, rounds) in PEERS.items():
        if name not in wanted:
            continue
        try:
            found = (
                getattr(importlib.import_module(coco_module), coco_class),
                getattr(importlib.import_module(eval_module), eval_class),
            )
        except ImportError:
            print(f"{name}: not installed here, left out")
            continue
        yield name, found, rounds


def write_files(truth, predictions):
    for name, content in (("gt.json", truth), ("dt.json", predictions)):
        with open(name, "w") as out:
            json.dump(content, out)


def write_many_files(truth, predictions, times):
    """The same labels again and again, on further images."""
    images, labels = len(truth["images"]), len(truth["annotations"])

    def write_list(out, rows, pattern, replaced):
        text = json.dumps(rows)[1:-1]
        out.write("[")
        for k in range(times):
            out.write(", " * (k > 0) + re.sub(pattern, lambda found, k=k: replaced(int(found[1]), k), text))
        out.write("]")

    with open("many_gt.json", "w") as out:
        out.write('{"images": ')
        write_list(out, truth["images"], r'"id": (\d+)', lambda i, k: f'"id": {i + k * images}')
        out.write(', "annotations": ')
        numbers = itertools.count(1)
        without_ids = [{key: value for key, value in one.items() if key != "id"} for one in truth["annotations"]]
        write_list(out, without_ids, r'"image_id": (\d+)', lambda i, k: f'"id": {next(numbers)}, "image_id": {i + k * images}')
        out.write(f', "categories": {json.dumps(truth["categories"])}}}')
    assert next(numbers) == times * labels + 1
    with open("many_dt.json", "w") as out:
        write_list(out, predictions, r'"image_id": (\d+)', lambda i, k: f'"image_id": {i + k * images}')


def bench_growth(program, truth, predictions, iou_type, times=20):
    """Files of `times` the size against those that are there."""
    write_many_files(truth, predictions, times)
    many_files = ["./many_gt.json", "./many_dt.json"]
    once, many = [], []
    for _ in range(4):
        once += [run_measured(command_for(program, iou_type)) for _ in range(2)]
        many.append(run_measured(command_for(program, iou_type, *many_files)))
    count = times * len(predictions)
    wall, processors = (min(run[i] for run in many) / times / min(run[i] for run in once) for i in (0, 1))
    peak = max(memory for *_, memory in many) / count
    in_files = sum(os.path.getsize(name) for name in many_files) / count
    print(
        f"{iou_type}, from files of {times} times the size, {count} predictions: {wall:.2f} times as long for each"
        f" ({processors:.2f} times the processors' time); at the peak"
        f" {peak:.0f} bytes of memory for each, ratio to what it takes {peak / 48:.2f}; {max(0, peak - in_files):.0f} bytes above"
        f" the {in_files:.0f} of the files"
    )
    for name in many_files:
        os.remove(name)


def compare_with_peers(iou_type, program, wanted, columns=None):
    """Prints a line for each peer; the largest difference to one that is a reference. `columns`: what `bench_columns` gives."""
    worst = 0.0
    for name, (coco_class, eval_class), rounds in peers(wanted):
        ours, theirs = [], []
        for _ in range(rounds):
            ours += [run_program(program, iou_type)] if program else []
            theirs.append(run_peer(coco_class, eval_class, iou_type))
        parts, numbers = [], [run[1] for run in ours[:1]]
        if columns:
            numbers.append([columns[1][metric] for metric in NAMES])
            after_loading = 1000 * min(run[1] for run in theirs)
            parts.append(f"after loading {after_loading:.0f} ms, ratio {after_loading / columns[0]['evaluate']:.1f}")
        if ours:
            from_files = min(run[0] for run in theirs)
            parts.append(f"from files {1000 * from_files:.0f} ms, ratio {from_files / min(run[0] for run in ours):.2f}")
        difference = max(abs(a - b) for mine in numbers for a, b in zip(mine, theirs[0][2]))
        print(f"{iou_type}, {name}: {'; '.join(parts)}; largest difference {difference:.1e}")
        worst = max(worst, difference if name != "hotcoco" else 0.0)  # hotcoco's own numbers are not the reference
    return worst


def bench_columns(program, truth, predictions):
    write_columns("columns.bin", truth, predictions)
    stages, numbers = run_columns(program, 15)
    print("ours, after loading: " + ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in stages.items()))
    print(f"another threshold: {stages['other_threshold'] / 50:.3f} of 50 ms")
    return stages, numbers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="folder of the release build")
    parser.add_argument("images", nargs="?", type=int, default=5000)
    parser.add_argument("--pycocotools", action="store_true", help="compare with pycocotools, too")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--boxes", action="store_true", help="boxes alone")
    kinds.add_argument("--masks", action="store_true", help="masks alone")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    wanted = set(PEERS) if options.pycocotools else set(PEERS) - {"pycocotools"}
    program = os.path.join(build, "verilabel")
    program = program if os.path.exists(program) else None
    rng = np.random.default_rng(0)
    truth, predictions = generate(options.images, rng)
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print(
            f"{options.images} images, {len(truth['annotations'])} truths, {len(predictions)} predictions, "
            f"{os.cpu_count()} processors"
        )
        if not options.masks:
            columns = bench_columns(os.path.join(build, "bench", "evaluate_bench"), truth, predictions)
            write_files(truth, predictions)
            worst = compare_with_peers("box", program, wanted, columns)
            if program:
                bench_growth(program, truth, predictions, "box")
        if not options.boxes and program:
            add_masks(truth, predictions, rng)
            write_files(truth, predictions)
            worst = max(worst, compare_with_peers("mask", program, wanted))
            bench_growth(program, truth, predictions, "mask")
        os.chdir("/")
    return worst > 1e-9


if __name__ == "__main__":
    sys.exit(main())
