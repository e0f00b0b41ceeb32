"""`verilabel embed` against the Hugging Face processor with PyTorch, from JPEG files to vectors, at the size of CLIP ViT-B/32.

    embed_peer.py PROGRAM FOLDER… [--images N] [--rounds R]

Run it with a Python that has torch and transformers; they are no part of the environment of the project. A vision tower of that
size with random weights is exported to ONNX; both sides use the same weights, in float32, on all processors, and must give the same
vectors. In each round, one after the other:
  one image at a time    the processor and the model for each image, as examples have it
  N at a time            the same for 8 and for 32 images together
  ours                   the command, in a new project, as it is by default; how many images go together was found out before
Loading, compiling and the first inferences are left out on all sides. Prints the ratio of each to ours, of the quickest rounds.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("program", type=Path)
parser.add_argument("folders", type=Path, nargs="+")
parser.add_argument("--images", type=int, default=256)
parser.add_argument("--rounds", type=int, default=3)
args = parser.parse_args()

scratch = tempfile.TemporaryDirectory(prefix="verilabel-embed-")
root = Path(scratch.name)
photographs = sorted(path for folder in args.folders for path in folder.rglob("*") if path.suffix in (".jpg", ".jpeg"))
images = root / "images"
images.mkdir()
for i in range(args.images):
    source = photographs[i % len(photographs)]
    # Linked under other names, so that there are as many files as are asked for.
    (images / f"{i:06}.jpg").symlink_to(source.resolve())
paths = sorted(images.iterdir())

torch.manual_seed(0)
model = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(projection_dim=512)).eval()
folder = root / "clip"
transformers.CLIPConfig().save_pretrained(folder)
processor = transformers.CLIPImageProcessorPil()
processor.save_pretrained(folder)
graph = folder / "onnx" / "vision_model.onnx"
graph.parent.mkdir()


class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values=pixel_values).image_embeds


axes = {"pixel_values": {0: "batch"}, "image_embeds": {0: "batch"}}
torch.onnx.export(
    Tower(), torch.zeros(1, 3, 224, 224), str(graph), input_names=["pixel_values"], output_names=["image_embeds"],
    dynamic_axes=axes, dynamo=False, opset_version=17,
)  # fmt: skip


@torch.inference_mode()
def theirs(at_a_time):
    vectors = []
    begin = time.perf_counter()
    for i in range(0, len(paths), at_a_time):
        opened = [Image.open(path).convert("RGB") for path in paths[i : i + at_a_time]]
        pixels = processor(images=opened, return_tensors="pt")["pixel_values"]
        embeds = model(pixel_values=pixels).image_embeds
        vectors.append(embeds / embeds.norm(dim=-1, keepdim=True))
    return len(paths) / (time.perf_counter() - begin), torch.cat(vectors).numpy()


def verilabel(project, *words):
    command = [str(word) for word in (args.program, "--project", project, "--json", *words)]
    environment = os.environ | {"XDG_CACHE_HOME": str(root / "cache")}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, env=environment)
    return json.loads(done.stdout)


def ours(round_number):
    project = root / f"project{round_number}"
    verilabel(project, "init")
    verilabel(project, "import", "--images", images)
    report = verilabel(project, "embed", "--model", graph, "--name", "clip")
    assert report["added"] == len(paths), report
    names = {sample["sample"]: sample["name"] for sample in verilabel(project, "samples")["samples"]}
    header, records = (project / "vectors" / "clip.vectors").read_bytes().split(b"\n", 1)
    rows = np.frombuffer(records, np.dtype([("sample", "<i8"), ("vector", "<f4", json.loads(header)["dimensions"])]))
    return report["images_per_second"], np.array(
        [rows["vector"][i] for i in np.argsort([names[int(one)] for one in rows["sample"]])]
    )


for note in verilabel(root, "models", "verify", graph)["notes"]:
    print(note, flush=True)
rates = {}
for round_number in range(args.rounds):
    for at_a_time in (1, 8, 32):
        rate, vectors = theirs(at_a_time)
        rates.setdefault(at_a_time, []).append(rate)
    rate, own = ours(round_number)
    rates.setdefault("ours", []).append(rate)
    difference = np.abs(own - vectors).max()
    assert difference < 1e-3, f"the vectors differ by {difference}"
    print({key: round(values[-1], 1) for key, values in rates.items()}, flush=True)
best = {key: max(values) for key, values in rates.items()}
for at_a_time in (1, 8, 32):
    print(
        f"PyTorch, {at_a_time} at a time: {best[at_a_time]:.1f} images a second; ours {best['ours']:.1f}: "
        f"ratio {best['ours'] / best[at_a_time]:.2f}"
    )
