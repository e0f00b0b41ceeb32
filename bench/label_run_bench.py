"""The label run against its bound, in one run: label_run_bench.py BUILD_DIR DATA_DIR [--images N] [--rounds R] [--memory] [--model NAME…].

DATA_DIR is the folder of VERILABEL_TEST_DATA. For each model, R rounds (median of 5 by default) of three measurements in turn:
  engine   benchmark_app -hint throughput on the same graph: inputs in memory, all processors
  decode   reading, decoding and resizing the same images, all processors
  run      the library's label run of these images
The bound is what engine and decode cost an image together; the ratio is run / bound. --memory adds the resident memory of a run over
1,000 and over 10,000 images. Run it on an otherwise idle machine: the three share all processors with whatever else there is.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("build", type=Path)
parser.add_argument("data", type=Path)
parser.add_argument("--images", type=int, default=984)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--memory", action="store_true")
parser.add_argument("--model", action="append", help="a file name without .onnx under DATA_DIR/models")
args = parser.parse_args()
folders = [args.data / "coco128-val" / "images", args.data / "bccd"]


def engine_ms(model):
    """Milliseconds an image, from the middle of benchmark_app's own measurement."""
    app = Path(sys.executable).parent / "benchmark_app"
    out = subprocess.run([app, "-m", model, "-d", "CPU", "-hint", "throughput", "-t", "10"], capture_output=True, text=True, check=True)
    return 1e3 / float(re.search(r"Throughput:\s+([\d.]+) FPS", out.stdout).group(1))


def ours(mode, model, images):
    command = [args.build / "bench" / "label_run_bench", mode, model, str(images), *folders]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def compare(model):
    rows = []
    for _ in range(args.rounds):
        engine = engine_ms(model)
        decode = ours("decode", model, args.images)
        run = ours("run", model, args.images)
        assert run["images"] == args.images, run
        decode_ms, run_ms = (1e3 * r["seconds"] / args.images for r in (decode, run))
        rows.append((run_ms / (engine + decode_ms), engine, decode_ms, run_ms, run))
        print(f"  engine {engine:.3f} ms, decode {decode_ms:.3f} ms, run {run_ms:.3f} ms, run / bound {rows[-1][0]:.3f}", file=sys.stderr)
    engine, decode, run = (statistics.median(row[k] for row in rows) for k in (1, 2, 3))
    last = rows[-1][4]
    stages = ", ".join(f"{k} {1e3 * last[k] / args.images:.2f}" for k in ("decode", "preprocess", "output", "sink", "cpu_seconds"))
    print(f"{model.stem}: engine {engine:.3f} + decode {decode:.3f} = {engine + decode:.3f} ms an image, run {run:.3f} ms", end="; ")
    print(f"run / bound {run / (engine + decode):.3f} (median of the rounds' ratios {statistics.median(r[0] for r in rows):.3f})")
    print(f"  processor ms an image: {stages}; engine idle {100 * last['idle_seconds'] / last['seconds']:.1f} % of the time")


for name in args.model or ("yolox_nano", "nanodet_m_416"):
    model = args.data / "models" / f"{name}.onnx"
    compare(model)
    if args.memory:
        small, large = (ours("run", model, count)["peak_mb"] for count in (1000, 10000))
        print(f"  peak resident memory {small:.0f} MB over 1,000 images, {large:.0f} MB over 10,000: ratio {large / small:.3f}")
