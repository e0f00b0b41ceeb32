"""Narrow graphs of YOLO with masks and of YOLOE with random weights, and what their references find on made-up images:
export_yolo.py OUT [CASE …].

Writes to OUT, which is tests/parity/fixtures in the repository:
    images/*               made-up images: tall, wide, tiny, grey, with alpha, turned by EXIF
    yolo/CASE/model.onnx
    yolo/CASE/expected.json
                           `floor`, `nms_iou`, `max_detections`, `class_names`, `input_wh` and, for each image, a hash of the
                           letterboxed pixels (planes of red, green, blue) and its `detections`: `class` (an index), `score`,
                           `box_xyxy_px` cut at the borders of the image and, from a segmenting graph, `mask` in the image (COCO's
                           compressed runs)

Needs the environment that README.md describes. Ultralytics exports and predicts, as export_ultralytics.py says;
texts are encoded by a small CLIP tower in place of the one that it would fetch.
"""

import contextlib
import copy
import math
import sys
import tempfile
import types
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
import yaml
from export_ultralytics import (
    FLOOR,
    MAX_DETECTIONS,
    NMS_IOU,
    SIDE,
    Case,
    calibrate_norms,
    predict_known,
    spread_outputs,
)
from fixture import (
    Engines,
    gather_embeddings,
    report_faults,
    rounded,
    run_cases,
    sha256,
    shorten_names,
    stir,
    write_json,
)
from torch import nn
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.utils.patches import imread
from vocabulary import LABELS, clip_tokenizer

# Ultralytics' heads on a body of a few layers.
BODY = """
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, BLOCK, [16, True]]
  - [-1, 1, Conv, [24, 3, 2]]
  - [-1, 1, BLOCK, [24, True]]
  - [-1, 1, Conv, [24, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, SPPF, [32, 5]]
head:
  - [-1, 1, nn.Upsample, [None, 2, "nearest"]]
  - [[-1, 5], 1, Concat, [1]]
  - [-1, 1, NECK, [24NECK_ARGUMENTS]]
  - [-1, 1, nn.Upsample, [None, 2, "nearest"]]
  - [[-1, 4], 1, Concat, [1]]
  - [-1, 1, NECK, [24NECK_ARGUMENTS]]
  - [[13, 10, 7], 1, HEAD]
"""


def architecture(head, block="C2f", neck=None, neck_arguments="", **settings):
    text = BODY.replace("BLOCK", block).replace("NECK_ARGUMENTS", neck_arguments).replace("NECK", neck or block)
    return {"nc": len(LABELS), "reg_max": 4} | settings | yaml.safe_load(text.replace("HEAD", head))


class TextTower(nn.Module):
    """CLIP's, as the text encoder of Ultralytics and as the graph that CLIP-as-service published: 77 tokens, zeros at the end."""

    def __init__(self):
        super().__init__()
        self.tokenizer = clip_tokenizer()
        config = transformers.CLIPTextConfig(
            vocab_size=len(self.tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
            projection_dim=512, bos_token_id=self.tokenizer.bos_token_id, eos_token_id=self.tokenizer.eos_token_id,
            attn_implementation="eager",
        )  # fmt: skip
        self.model = transformers.CLIPTextModelWithProjection(config).eval()
        stir(self.model)
        final = self.model.text_model.final_layer_norm.bias
        gather_embeddings(lambda texts: self.forward(self.tokenize(texts)), [LABELS], final, 0.5, self.model.text_projection.weight)

    def tokenize(self, texts):
        ids = torch.zeros(len(texts), 77, dtype=torch.int64)
        for row, text in zip(ids, texts):
            found = self.tokenizer(text)["input_ids"]
            row[: len(found)] = torch.tensor(found)
        return ids

    def encode_text(self, ids):
        return nn.functional.normalize(self.forward(ids), dim=-1)

    def forward(self, input):
        return self.model(input_ids=input).text_embeds


def spread_contrast(model, heads, batch, mean, deviation):
    for head in heads:
        seen = []
        hook = head.register_forward_hook(lambda _, __, output, seen=seen: seen.append(output.clone()))
        model(batch)
        hook.remove()
        raw = (seen[0] - head.bias) / head.logit_scale.exp()
        head.logit_scale.copy_((deviation / raw.std()).log())
        head.bias.fill_(mean - raw.mean() * deviation / raw.std())


def letterboxed_pixels(paths):
    """[images, red green blue, height, width]"""
    images = [LetterBox((SIDE, SIDE), auto=False)(image=imread(str(path))) for path in paths]
    return np.ascontiguousarray(np.stack(images)[..., ::-1].transpose(0, 3, 1, 2))


def letterboxed(paths):
    return torch.from_numpy(letterboxed_pixels(paths)).float() / 255


def level_out(model, convolution, batch, directions=9):
    """Takes out of a convolution's weights what tells whole images apart, lest one has hundreds of detections and others none."""
    seen = []
    hook = convolution.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    model(batch)
    hook.remove()
    means = seen[0].mean((2, 3))
    common = torch.linalg.svd(means - means.mean(0)).Vh[:directions]
    weights = convolution.weight[:, :, 0, 0]
    convolution.weight.copy_((weights - weights @ common.T @ common)[:, :, None, None])


def make_random(model, batch, mean, deviation):
    """As export_ultralytics does it, for heads of texts as well."""
    calibrate_norms(model, batch)
    head = model.model[-1]
    contrastive = [head.cv4, getattr(head, "one2one_cv4", None)] if hasattr(head.cv4[0], "logit_scale") else []
    for branch in filter(None, contrastive):
        for one in branch:
            one.norm.bias.zero_()
    box_mean = torch.tensor([-0.35 * b for b in range(head.reg_max)] * 4) if head.reg_max > 1 else torch.full((4,), 2.0)
    for name in ("cv2", "one2one_cv2"):
        for branch in getattr(head, name, None) or []:
            spread_outputs(model, branch[-1], batch, box_mean, 1.2 if head.reg_max > 1 else 0.5)
    # What is exported looks at the one branch or at the other.
    for is_end_to_end in (True, False) if getattr(head, "one2one_cv2", None) is not None else (False,):
        prefix = "one2one_" if is_end_to_end else ""
        for branch in getattr(head, prefix + "cv3"):
            level_out(model, branch[-1], batch)
        if contrastive:
            spread_contrast(model, getattr(head, prefix + "cv4"), batch, mean, deviation)
        else:
            for branch in getattr(head, prefix + "cv3"):
                spread_outputs(model, branch[-1], batch, torch.full((head.nc,), mean), deviation)


@contextlib.contextmanager
def texts_encoded_by(tower):
    """In place of a module that needs OpenAI's package, and would fetch weights."""
    encoders = types.SimpleNamespace(build_text_model=lambda *_, **__: tower)
    with mock.patch.dict(sys.modules, {"ultralytics.nn.text_model": encoders}):
        yield


def known_model(name, layers, task, paths, tower=None, names=LABELS, mean=-3.9, deviation=1.2):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"{name}.yaml"
        path.write_text(yaml.safe_dump(layers))
        yolo = YOLO(str(path), task=task)
    if tower is None:
        yolo.model.names = dict(enumerate(names))
    else:
        with texts_encoded_by(tower):
            yolo.set_classes(list(names))
    yolo.model.eval()
    make_random(yolo.model, letterboxed(paths), mean, deviation)
    if tower is not None:
        with texts_encoded_by(tower):  # YOLOE's own projection of them has changed
            yolo.model.names = {}
            yolo.set_classes(list(names))
    return yolo


def make_prompt_free(yolo, tower, names, batch):
    """Names become a vocabulary of the model's own, and a dynamic graph leaves out anchors that look like nothing."""
    prompt_free = copy.deepcopy(yolo.model)
    with texts_encoded_by(tower):
        vocabulary = yolo.model.get_vocab(names)
    for branch in prompt_free.model[-1].cv3:
        channels = branch[-1].out_channels
        spread_outputs(prompt_free, branch[-1], batch, torch.full((channels,), math.log(0.001)), 2.0)
    prompt_free.set_vocab(vocabulary, names)
    yolo.model = prompt_free


def known(out, paths, name, layers, task="detect", names=LABELS, with_text=False, is_prompt_free=False, **more):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    tower = TextTower() if with_text else None
    yolo = known_model(name, layers, task, paths, tower, names, **more)
    if is_prompt_free:
        make_prompt_free(yolo, tower, names, letterboxed(paths))
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        settings = {"nms": False} if layers.get("end2end") else {"dynamic": True} if is_prompt_free else {}
        written = yolo.export(format="onnx", imgsz=[SIDE, SIDE], max_det=MAX_DETECTIONS, verbose=False, **settings)
        Path(written).rename(folder / "model.onnx")
    shorten_names(folder / "model.onnx")
    keep_metadata(folder / "model.onnx")
    require_agreement(folder / "model.onnx", letterboxed(paths), bool(layers.get("end2end")))
    found = predict_known(folder / "model.onnx", Case(name, task), paths)
    write_found(folder, paths, found, list(names))


def keep_metadata(path):
    """What says how the graph is used, without dates and names."""
    model = onnx.load(path)
    kept = {one.key: one.value for one in model.metadata_props if one.key not in ("author", "date", "docs", "license")}
    onnx.helper.set_model_props(model, kept)
    onnx.save(model, path)


def require_agreement(graph, batch, is_end_to_end):
    """That both engines find the same, and that faults of preprocessing are seen in the scores. OpenVINO 2026.4 by itself refuses
    what one-to-one heads end with; the program gives it another form."""
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    engines = None if is_end_to_end else Engines(graph)

    def run(tensor):
        return [torch.from_numpy(output) for output in session.run(None, {"images": tensor.numpy()})]

    def scores(tensor):
        rows = run(tensor)[0]
        return rows[..., 4] if is_end_to_end else rows[:, 4 : 4 + len(LABELS)].amax(-1)

    tensors = batch.split(1)
    if engines is not None:
        for tensor in tensors:
            engines.compare([tensor], run(tensor))
        worst = engines.worst["openvino"]
        print(f"{graph.parent.name}: OpenVINO from ONNX Runtime, of the greatest value: {worst:.1e}", flush=True)
        assert worst <= 1e-4
    report_faults(graph.parent.name, scores, tensors)


def write_found(folder, paths, found, class_names):
    images = []
    for path, pixels, kept in zip(paths, letterboxed_pixels(paths), found):
        kept = [
            one for one in kept if one["box_xyxy_px"][0] < one["box_xyxy_px"][2] and one["box_xyxy_px"][1] < one["box_xyxy_px"][3]
        ]
        kept = [one | {"score": round(one["score"], 6), "box_xyxy_px": rounded(one["box_xyxy_px"], 4)} for one in kept]
        images.append({"file": path.name, "pixels_sha256": sha256(pixels), "detections": kept})
    counts = [len(image["detections"]) for image in images]
    scores = [one["score"] for image in images for one in image["detections"]]
    best = [max([one["score"] for one in image["detections"]], default=0.0) for image in images]
    classes = sorted({one["class"] for image in images for one in image["detections"]})
    print(
        f"{folder.name}: {min(counts)} to {max(counts)} detections an image, half the images {int(np.median(counts))} or more;"
        f" scores deviate by {np.std(scores):.3f}, the best of an image by {np.std(best):.3f}; classes {classes};"
        f" {(folder / 'model.onnx').stat().st_size} bytes",
        flush=True,
    )
    assert sum(count > 0 for count in counts) >= 20 and 5 <= np.median(counts) <= 50 and max(counts) <= 150 and len(classes) > 2
    assert np.std(scores) >= 0.05 and np.std(best) >= 0.05
    write_json(
        folder / "expected.json",
        {
            "kind": "detection", "floor": FLOOR, "nms_iou": NMS_IOU, "max_detections": MAX_DETECTIONS, "class_names": class_names,
            "input_wh": [SIDE, SIDE], "images": images,
        },
    )  # fmt: skip


CASES = {
    "yolov8-seg": lambda *to: known(*to, "yolov8-seg", architecture("Segment, [nc, 32, 16]"), "segment"),
    "yolo11-seg": lambda *to: known(*to, "yolo11-seg", architecture("Segment, [nc, 32, 16]", "C3k2"), "segment"),
    "yolo26-seg": lambda *to: known(
        *to, "yolo26-seg", architecture("Segment26, [nc, 32, 16]", "C3k2", end2end=True, reg_max=1), "segment", mean=-4.4
    ),
    "yoloe": lambda *to: known(*to, "yoloe", architecture("YOLOEDetect, [nc, 512, True]", "C3k2"), with_text=True, mean=-3.0),
    "yoloe-seg": lambda *to: known(
        *to, "yoloe-seg", architecture("YOLOESegment, [nc, 32, 16, 512, True]", "C3k2"), "segment", with_text=True, mean=-3.2
    ),
    "yoloe-prompt-free-seg": lambda *to: known(
        *to,
        "yoloe-prompt-free-seg",
        architecture("YOLOESegment, [nc, 32, 16, 512, True]", "C3k2"),
        "segment",
        with_text=True,
        is_prompt_free=True,
        mean=-3.2,
    ),
    "yoloe-26-seg": lambda *to: known(
        *to,
        "yoloe-26-seg",
        architecture("YOLOESegment26, [nc, 32, 16, 512, True]", "C3k2", end2end=True, reg_max=1),
        "segment",
        with_text=True,
    ),
}


if __name__ == "__main__":
    run_cases(CASES, "yolo")
