"""What the exporters of this folder share: made-up images, weights with which answers vary, the export, and engines compared."""

import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import PIL
import torch
from PIL import Image
from pycocotools import mask as mask_utils
from torch import nn

assert tuple(map(int, PIL.__version__.split(".")[:2])) < (12, 3), "newer Pillow resizes tall images in another order"

torch.set_num_threads(1)  # sums in one order, whatever the machine

IMAGE_SIZES_WH = [
    (64, 64), (32, 32), (96, 64), (64, 97), (33, 31), (120, 30), (25, 110), (5, 7), (3, 40), (200, 9),
    (107, 80), (81, 107), (150, 150), (47, 48),
]  # fmt: skip


def made_up_pixels(rng, width, height):
    """Large and small structure in every channel, and some flat boxes."""
    image = np.zeros((height, width, 3), np.float32)
    for cells in (2, 5, 13):
        coarse = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        planes = [Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(3)]
        image += np.stack([np.asarray(plane) for plane in planes], -1)
    image += rng.normal(size=3).astype(np.float32)
    for _ in range(3):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        image[y : y + height // 3 + 1, x : x + width // 3 + 1] = rng.normal(size=3)
    return np.clip(128 + 55 * image, 0, 255).astype(np.uint8)


def write_images(folder):
    """Tall, wide and tiny images, of odd sizes and of those of the models' inputs, a grey one, one with alpha, and one for each
    orientation of EXIF."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    for width, height in IMAGE_SIZES_WH:
        Image.fromarray(made_up_pixels(rng, width, height)).save(folder / f"{width}x{height}.png")
    Image.fromarray(made_up_pixels(rng, 70, 50)[..., 0]).save(folder / "grey.png")
    alpha = np.concatenate([made_up_pixels(rng, 51, 77), rng.integers(0, 256, (77, 51, 1), dtype=np.uint8)], -1)
    Image.fromarray(alpha).save(folder / "alpha.png")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = folder / f"exif{orientation}.jpg"
        Image.fromarray(made_up_pixels(rng, 60, 44)).save(path, quality=95, subsampling=0, exif=exif)
    return sorted(folder.iterdir())


def run_cases(cases, folder):
    """Does what a command line `EXPORTER OUT [CASE …]` asks for: all cases when it names none, each from the same seed."""
    out = Path(sys.argv[1]).resolve()
    paths = write_images(out / "images")
    for name in sys.argv[2:] or cases:
        torch.manual_seed(3)
        np.random.seed(3)
        with torch.no_grad():
            cases[name](out / folder, paths)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def rounded(values, digits=6):
    return [round(float(value), digits) for value in values]


def write_json(path, content):
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n")


# ---- Weights ----


def condition(model, run, batch):
    """Weights and statistics that keep features of the images at about 1 through all layers.

    Fresh ones are so small, those of RT-DETR's normalisations too, that features shrink a hundredfold a layer: all proposals of its
    encoder then score the same to the last bit, and which of them the decoder gets is chance."""
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear) and not name.endswith(("sampling_offsets", "attention_weights")):
                nn.init.xavier_normal_(module.weight)
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
            norm.weight.fill_(1)
            norm.train()
        run(batch)
        model.eval()


def stir(model):
    """Weights of about 1 a feature, for fresh ones hardly look at their input."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_normal_(module.weight)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight)


def spread(module, run, images, mean, deviation):
    """Gives each column of what the linear module puts out this mean and deviation over all images."""
    seen = []
    hook = module.register_forward_hook(lambda _, __, output: seen.append(output.detach().flatten(0, -2)))
    with torch.no_grad():
        for image in images:
            run(image)
        hook.remove()
        values = torch.cat(seen)
        scale = torch.as_tensor(deviation) / values.std(0).clamp(min=1e-6)
        module.bias.copy_(torch.as_tensor(mean) - scale * (values.mean(0) - module.bias))
        module.weight *= scale[:, None]


def spread_heads(model, run, images, columns):
    """Spreads what linear modules of so many columns put out, layer by layer in the order in which they run; `columns` gives mean
    and deviation by number of columns."""
    heads = []
    ends = [module for module in model.modules() if isinstance(module, nn.Linear) and module.out_features in columns]
    hooks = [end.register_forward_hook(lambda module, *_: heads.append(module)) for end in ends]
    with torch.no_grad():
        run(images[0])
    for hook in hooks:
        hook.remove()
    for head in dict.fromkeys(heads):
        spread(head, run, images, *columns[head.out_features])


def gather_embeddings(embed, inputs, bias, ratio, projection=None):
    """Moves the bias that embeddings begin from so that what they have in common is `ratio` times as long as what tells them
    apart: small angles between them, as trained towers have, instead of next to none."""
    with torch.no_grad():
        found = torch.cat([embed(item) for item in inputs])
        common = found.mean(0)
        length = (found - common).square().sum(1).mean().sqrt()
        direction = nn.functional.normalize(torch.randn(common.shape), dim=0)
        move = ratio * length * direction - common
        bias += move if projection is None else torch.linalg.pinv(projection) @ move


# ---- Graphs ----


def export(module, inputs, path, input_names, output_names, axes):
    """`axes`: by name of an input or output, its dimensions that may vary and what they are called, as Optimum has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    module.eval()  # the exporter puts a module that is in training back into it, with all that is in it
    torch.onnx.export(
        module, inputs, str(path), input_names=input_names, output_names=output_names, dynamic_axes=axes, dynamo=False,
        opset_version=17,
    )  # fmt: skip
    shorten_names(path)


def shorten_names(path):
    """Of all but inputs and outputs: those that a trace gives can take more room than the weights."""
    model = onnx.load(path)
    kept = {value.name for value in [*model.graph.input, *model.graph.output]} | {""}
    names = {}

    def short(name):
        return name if name in kept else names.setdefault(name, f"v{len(names)}")

    def shorten(graph):
        for node in graph.node:
            node.name = node.doc_string = ""
            node.input[:] = map(short, node.input)
            node.output[:] = map(short, node.output)
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    shorten(attribute.g)
        for value in [*graph.initializer, *graph.input, *graph.output]:
            value.name = short(value.name)
        del graph.value_info[:]

    shorten(model.graph)
    onnx.save(model, path)


class Engines:
    """A graph in ONNX Runtime and in OpenVINO, both in single precision on the CPU."""

    def __init__(self, graph):
        self.graph = graph
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        precise = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_NUM_THREADS": 1}
        self.compiled = openvino.Core().compile_model(str(graph), "CPU", precise)
        self.names = [declared.name for declared in self.session.get_inputs()]
        self.worst = {"onnxruntime": 0.0, "openvino": 0.0}

    def compare(self, tensors, answers):
        """Of the inputs in the graph's order, and the outputs that PyTorch had."""
        fed = {name: tensor.numpy() for name, tensor in zip(self.names, tensors, strict=True)}
        found = self.compiled(fed)
        both = {
            "onnxruntime": self.session.run(None, fed),
            "openvino": [found[output] for output in self.compiled.outputs],
        }
        for engine, outputs in both.items():
            for ours, theirs in zip(outputs, answers, strict=True):
                theirs = theirs.numpy()
                assert ours.shape == theirs.shape, (self.graph, engine, ours.shape, theirs.shape)
                finite = np.isfinite(theirs)
                assert (finite == np.isfinite(ours)).all(), (self.graph, engine, "other numbers are infinite")
                if finite.any():
                    greatest = max(1.0, float(np.abs(theirs[finite]).max()))
                    self.worst[engine] = max(self.worst[engine], float(np.abs(ours[finite] - theirs[finite]).max()) / greatest)


def require_same_answers(graph, inputs, answers, limit=1e-4):
    """That both engines find in the graph what PyTorch found, far within what the tests allow: an ill-conditioned network shows
    here."""
    engines = Engines(graph)
    for tensors, answer in zip(inputs, answers, strict=True):
        engines.compare(tensors, answer)
    differences = ", ".join(f"{engine} {worst:.1e}" for engine, worst in engines.worst.items())
    print(f"{'/'.join(graph.parts[-3:])}: from PyTorch, of the greatest value: {differences}", flush=True)
    assert max(engines.worst.values()) <= limit, (graph, engines.worst)


# ---- Images and what is found in them ----


def processed(processor, image):
    """The tensor, and the 8-bit pixels that it was made of, rows of red, green, blue."""
    tensor = processor(image, return_tensors="np")["pixel_values"][0]
    raw = processor(image, return_tensors="np", **unscaled(processor))["pixel_values"][0]
    return tensor, np.asarray(raw).round().astype(np.uint8).transpose(1, 2, 0)


def unscaled(processor):
    flags = {"do_rescale": False, "do_normalize": False}
    if hasattr(processor, "include_top"):
        flags["include_top"] = False
    return flags


def image_entry(path, tensor, pixels):
    entry = {"file": path.name, "tensor_sha256": sha256(np.asarray(tensor, np.float32))}
    return entry if pixels is None else entry | {"pixels_sha256": sha256(pixels)}


def coco_counts(mask):
    return mask_utils.encode(np.asfortranarray(np.asarray(mask).astype(np.uint8)))["counts"].decode()


def detections(result, width, height):
    """As in the reference, with edges cut at the borders of the image; without those that then have no area, which a model saw in
    padding, and without those whose mask is empty."""
    found = []
    masks = [mask[0].numpy() for mask in result["masks"]] if "masks" in result else [None] * len(result["scores"])
    for score, label, box, mask in zip(result["scores"].tolist(), result["labels"].tolist(), result["boxes"].tolist(), masks):
        x1, y1, x2, y2 = (min(max(v, 0.0), limit) for v, limit in zip(box, (width, height, width, height)))
        if x1 >= x2 or y1 >= y2 or (mask is not None and not mask.any()):
            continue
        one = {"class": int(label), "score": round(score, 6), "box_xyxy_px": rounded((x1, y1, x2, y2), 4)}
        found.append(one if mask is None else one | {"mask": coco_counts(mask)})
    return sorted(found, key=lambda one: -one["score"])


def write_detections(folder, images, scores, **content):
    """`scores`: of every place that the model looks at, image by image. They must differ from image to image, and leave a number of
    detections that tests something."""
    counts = [len(image["detections"]) for image in images]
    kept = [one["score"] for image in images for one in image["detections"]]
    varying = float(np.stack([np.asarray(found, np.float64).ravel() for found in scores]).std(0).mean())
    classes = sorted({one["class"] for image in images for one in image["detections"]})
    print(
        f"{folder.name}: {min(counts)} to {max(counts)} detections an image, half the images {int(np.median(counts))} or more;"
        f" scores of a place deviate by {varying:.3f} from image to image, of detections by {np.std(kept):.3f}; classes {classes}",
        flush=True,
    )
    assert sum(count > 0 for count in counts) >= 20 and 5 <= np.median(counts) <= 50 and max(counts) <= 100, (folder.name, counts)
    assert varying >= 0.05 and np.std(kept) >= 0.05 and len(classes) > 1
    write_json(folder / "expected.json", {"kind": "detection"} | content | {"images": images})


def samples(tensor, every=37):
    """Some values of a tensor that no hash can pin, in its order: where the reference resizes in floating point."""
    return {"tensor_every": every, "tensor_samples": rounded(np.asarray(tensor).ravel()[::every], 5)}


def raw_outputs(names, answer, limit=700):
    """Some values of what the graph puts out, in their order, from the first on; null where one is infinite."""
    raw = {}
    for name, tensor in zip(names, answer, strict=True):
        every = -(-tensor.numel() // limit)
        values = [value if math.isfinite(value) else None for value in rounded(tensor.ravel()[::every], 5)]
        raw[name] = {"shape": list(tensor.shape), "every": every, "values": values}
    return raw


def shifted(tensor):
    """By a pixel: what an image that lies wrongly in the input looks like."""
    return torch.roll(tensor, 1, -1)


def report_faults(name, score, tensors, other_kernel=None):
    """How far the scores go when the images are brought to the input wrongly: tests must see it, at a tolerance of 1e-3.
    `other_kernel`: the images as another way to resize makes them."""
    faults = {
        "red and blue swapped": lambda tensor: tensor.flip(1),
        "shifted by a pixel": shifted,
        "another mean": lambda tensor: tensor + 0.05,
    }
    with torch.no_grad():
        right = [score(tensor) for tensor in tensors]
        moved = {
            fault: max(float((score(change(tensor)) - scores).abs().max()) for tensor, scores in zip(tensors, right))
            for fault, change in faults.items()
        }
        if other_kernel is not None:
            moved["another kernel"] = max(
                float((score(tensor) - scores).abs().max()) for tensor, scores in zip(other_kernel, right)
            )
    print(f"{name}: scores move by", ", ".join(f"{move:.3f} ({fault})" for fault, move in moved.items()), flush=True)
    assert all(move > 0.005 and not math.isnan(move) for move in moved.values()), (name, moved)
