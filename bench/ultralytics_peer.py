"""The label run against Ultralytics' own prediction on the same ONNX graph.

    ultralytics_peer.py BUILD_DIR GRAPH.onnx FOLDER… [--images N]

Run it with a Python that has ultralytics and onnxruntime; they are no part of the environment of the project. GRAPH is a
detection export of Ultralytics. In each of three rounds the peer predicts the photographs of the folders one after the other at the
default lowest score of our runs, and then the library labels the same photographs; loading and the first inferences are left out on
both sides. Prints the ratio of the medians, peer / ours.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

from ultralytics import YOLO

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("build", type=Path)
parser.add_argument("graph", type=Path)
parser.add_argument("folders", type=Path, nargs="+")
parser.add_argument("--images", type=int, default=256)
args = parser.parse_args()

found = sorted(p for folder in args.folders for p in folder.rglob("*") if p.suffix in (".jpg", ".jpeg", ".png"))
paths = [str(found[i % len(found)]) for i in range(args.images)]


def peer_ms(model):
    begin = time.perf_counter()
    # One path a call: a list is decoded as a whole before the first prediction.
    boxes = sum(len(model.predict(path, conf=0.05, verbose=False)[0].boxes) for path in paths)
    return 1e3 * (time.perf_counter() - begin) / len(paths), boxes


def our_ms():
    command = [args.build / "bench" / "label_run_bench", "openvino", "run", args.graph, str(args.images), *args.folders]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert result["images"] == args.images, result
    return 1e3 * result["seconds"] / args.images, result["candidates"]


model = YOLO(args.graph, task="detect")
for path in paths[:5]:
    model.predict(path, conf=0.05, verbose=False)
rounds = []
for _ in range(3):
    (peer, peer_boxes), (ours, our_boxes) = peer_ms(model), our_ms()
    rounds.append((peer, ours))
    print(f"  ultralytics {peer:.1f} ms an image ({peer_boxes} boxes), ours {ours:.1f} ms ({our_boxes} boxes)", flush=True)
peer, ours = (statistics.median(r[i] for r in rounds) for i in (0, 1))
print(f"{args.graph.stem}: ultralytics {peer:.1f} ms an image, ours {ours:.1f} ms: ratio {peer / ours:.2f}")
