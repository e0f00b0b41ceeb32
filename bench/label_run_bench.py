"""The label run against its bound, in one run: label_run_bench.py BUILD_DIR DATA_DIR [--help].

DATA_DIR is the folder of VERILABEL_TEST_DATA. For each model and engine, R rounds (15 by default) of these measurements in turn,
each of them a few seconds long, so that a machine whose clock moves is as fast for one as for the other:
  engine   the engine alone on the same graph, by its own Python package: inputs in memory, all processors, float32. OpenVINO by
           benchmark_app -hint throughput -infer_precision f32 (left to itself it computes in bfloat16 where the processor can, and
           gives other scores); ONNX Runtime by onnxruntime_bound.py, the better of its two ways
  decode   reading, decoding and resizing the same images with the model's kernel, all processors
  loop     the least that does the same: threads that take one image after another from its file to its labels, without a pipeline
  run      the library's label run of these images
The bound is what engine and decode take an image together; the ratio is run / bound of each round, of which the median and the
quartiles are printed, and run / loop beside it: what the loop, too, takes beyond the bound (writing tensors, reading outputs, and
an engine whose caches others use) is no cost of the pipeline. Processor time is compared as well, with an engine loop of our own
for the engine's: it says the same on a machine that has other things to do, where the ratio of wall times only says how busy the
machine was. Then the resident memory of a run over 1,000 and over 10,000 images.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

ENGINE_SECONDS = 2
KERNELS = {"yolox": "linear", "nanodet": "area"}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("build", type=Path)
parser.add_argument("data", type=Path)
parser.add_argument("--images", type=int, default=256)
parser.add_argument("--rounds", type=int, default=15)
parser.add_argument("--no-memory", action="store_true")
parser.add_argument("--engine", action="append", choices=("openvino", "onnxruntime"), help="default: both")
parser.add_argument("--model", action="append", help="a file name without .onnx under DATA_DIR/models")
args = parser.parse_args()
folders = [args.data / "coco128-val" / "images", args.data / "bccd"]


def benchmark_app_ms(model):
    command = [
        Path(sys.executable).parent / "benchmark_app",
        "-m",
        model,
        "-d",
        "CPU",
        "-hint",
        "throughput",
        "-infer_precision",
        "f32",
        "-t",
        str(ENGINE_SECONDS),
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    return 1e3 / float(re.search(r"Throughput:\s+([\d.]+) FPS", out.stdout).group(1))


def onnxruntime_ms(model):
    command = [sys.executable, Path(__file__).parent / "onnxruntime_bound.py", model, str(ENGINE_SECONDS)]
    ways = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(
        "  onnxruntime alone, inferences a second: {streams:.1f} side by side, {together:.1f} together".format(**ways),
        file=sys.stderr,
    )
    return 1e3 / max(ways.values())


ENGINES = {"openvino": benchmark_app_ms, "onnxruntime": onnxruntime_ms}


def ours(engine, mode, model, images):
    command = [args.build / "bench" / "label_run_bench", engine, mode, model, str(images), *folders]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert result["images"] == images, result
    return result


def an_image(result, field):
    return 1e3 * result[field] / result["images"]


def compare(model, engine_name):
    kernel = KERNELS[model.stem.split("_")[0]]
    rounds = []
    for _ in range(args.rounds):
        engine = ENGINES[engine_name](model)
        inferences = ours(engine_name, "engine", model, args.images // 2)
        decode = ours(engine_name, f"decode-{kernel}", model, args.images)
        loop = ours(engine_name, "loop", model, args.images)
        run = ours(engine_name, "run", model, args.images)
        wall = (engine, *(an_image(r, "seconds") for r in (decode, loop, run)))
        processor = tuple(an_image(r, "cpu_seconds") for r in (inferences, decode, loop, run))
        rounds.append((wall, processor, run))
        print("  wall ms {:.3f} + {:.3f}, loop {:.3f}, run {:.3f}".format(*wall), end="; ", file=sys.stderr)
        print("processor ms {:.3f} + {:.3f}, loop {:.3f}, run {:.3f}".format(*processor), file=sys.stderr)
    for name, k in (("wall", 0), ("processor", 1)):
        engine, decode, _, run = (statistics.median(r[k][i] for r in rounds) for i in range(4))
        low, ratio, high = statistics.quantiles((r[k][3] / (r[k][0] + r[k][1]) for r in rounds), method="inclusive")
        of_loop = statistics.median(r[k][3] / r[k][2] for r in rounds)
        print(
            f"{model.stem}, {engine_name}, {name} time: engine {engine:.3f} + decode {decode:.3f} ms an image, run {run:.3f} ms",
            end=": ",
        )
        print(f"run / bound {ratio:.3f} (quartiles {low:.3f} to {high:.3f}), run / loop {of_loop:.3f}")
    run = rounds[-1][2]
    stages = ", ".join(f"{k} {an_image(run, k):.2f}" for k in ("decode", "preprocess", "output", "sink"))
    idle = 100 * run["idle_seconds"] / run["seconds"]
    print(f"  processor ms an image by stage: {stages}; no inference running {idle:.1f} % of the time")


for name in args.model or ("yolox_nano", "nanodet_m_416"):
    model = args.data / "models" / f"{name}.onnx"
    for engine_name in args.engine or ENGINES:
        compare(model, engine_name)
        if not args.no_memory:
            small, large = (ours(engine_name, "run", model, count)["peak_mb"] for count in (1000, 10000))
            print(f"  peak resident memory {small:.0f} MB over 1,000 images, {large:.0f} MB over 10,000: ratio {large / small:.3f}")
