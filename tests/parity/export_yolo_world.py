"""A small YOLO-World with random weights in the forms of its exports, and what osam and Ultralytics make of made-up images with it:
export_yolo_world.py OUT.

Writes to OUT, which is tests/parity/fixtures in the repository:
    images/*                made-up images: tall, wide, tiny, grey, with alpha, turned by EXIF
    open_vocabulary/CASE/   a model folder:
        yolo-world               images, text_features -> scores, boxes, as wkentaro/yolo-world-onnx exports it; beside it a small
                                 text tower of CLIP, text_model.onnx, with its tokenizer
        yolo-world-mmyolo        the same with the texts in the graph, and a manifest that names them
        yolo-world-ultralytics   likewise, exported by Ultralytics, whose metadata name them
    open_vocabulary/CASE/expected.json
                            `labels` (a blank one for the background goes beside them); `baked` where they are in the graph;
                            `floor`, `nms_iou`; for each image the hash of its tensor and the detections: `class` (an index into the
                            labels), `score`, `box_xyxy_px` cut at the borders of the image

The network is Ultralytics' YOLOv8-World, with the contrast of its first version, whose numbers stay small with random weights. What
surrounds it (letterbox, NMS, the way back) is osam's own code, and Ultralytics' own for its form. Needs the environment that
README.md describes.
"""

import contextlib
import functools
import os
import sys
import tempfile
from pathlib import Path
from unittest import mock

os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_OFFLINE", "true")

import numpy as np
import onnx
import torch
import transformers
from fixture import (
    condition,
    export,
    image_entry,
    report_faults,
    require_same_answers,
    rounded,
    shorten_names,
    stir,
    write_detections,
    write_images,
    write_json,
)
from osam import apis
from osam._models import yoloworld
from torch import nn
from transformers.image_utils import load_image
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.nn.tasks import DetectionModel, WorldModel
from ultralytics.utils import nms
from vocabulary import LABELS, clip_tokenizer

SIDE = 96
FEATURES = 32
FLOOR = 0.25
NMS_IOU = 0.7
# Ultralytics' yolov8-world with fewer channels and shorter features of texts.
CONFIG = {
    "nc": len(LABELS) + 1,
    "scales": {"n": [0.33, 1.0, 64]},
    "scale": "n",
    "reg_max": 8,
    "backbone": [
        [-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]], [-1, 3, "C2f", [8, True]], [-1, 1, "Conv", [16, 3, 2]],
        [-1, 3, "C2f", [16, True]], [-1, 1, "Conv", [16, 3, 2]], [-1, 3, "C2f", [16, True]], [-1, 1, "Conv", [24, 3, 2]],
        [-1, 3, "C2f", [24, True]], [-1, 1, "SPPF", [24, 5]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]], [[-1, 6], 1, "Concat", [1]], [-1, 3, "C2fAttn", [16, 8, 2, FEATURES]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]], [[-1, 4], 1, "Concat", [1]], [-1, 3, "C2fAttn", [16, 8, 2, FEATURES]],
        [15, 1, "Conv", [16, 3, 2]], [[-1, 12], 1, "Concat", [1]], [-1, 3, "C2fAttn", [16, 8, 2, FEATURES]],
        [-1, 1, "Conv", [16, 3, 2]], [[-1, 9], 1, "Concat", [1]], [-1, 3, "C2fAttn", [16, 8, 2, FEATURES]],
        [[15, 18, 21], 1, "WorldDetect", ["nc", FEATURES, False]],
    ],
}  # fmt: skip


class SmallWorld(WorldModel):
    def __init__(self):
        self.txt_feats, self.clip_model = torch.randn(1, CONFIG["nc"], FEATURES), None
        DetectionModel.__init__(self, CONFIG, ch=3, nc=CONFIG["nc"], verbose=False)


class TextTower(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).text_embeds


class WithTexts(nn.Module):
    """Scores and corners of all anchors for any number of texts; Ultralytics' own head knows their number when it is made."""

    def __init__(self, model):
        super().__init__()
        self.model = model.model

    def features(self, images, texts):
        kept = []
        x = images
        for layer in self.model[:-1]:
            if layer.f != -1:
                x = kept[layer.f] if isinstance(layer.f, int) else [x if j == -1 else kept[j] for j in layer.f]
            x = layer(x, texts) if type(layer).__name__ == "C2fAttn" else layer(x)
            kept.append(x)
        return [kept[j] for j in self.model[-1].f]

    def forward(self, images, text_features):
        head = self.model[-1]
        distances, scores, centres, strides = [], [], [], []
        for i, x in enumerate(self.features(images, text_features)):
            distances.append(head.cv2[i](x).flatten(2))
            scores.append(head.cv4[i](head.cv3[i](x), text_features).flatten(2))
            rows, columns = x.shape[-2:]
            y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
            centres.append(torch.stack([x, y]).flatten(1))
            strides.append(torch.full((1, rows * columns), float(2 ** (i + 3))))
        left_top, right_bottom = head.dfl(torch.cat(distances, 2)).chunk(2, 1)
        centres, strides = torch.cat(centres, 1), torch.cat(strides, 1)
        boxes = torch.cat([centres - left_top, centres + right_bottom], 1) * strides
        return torch.cat(scores, 2).sigmoid().transpose(1, 2), boxes.transpose(1, 2)


def text_tower(tokenizer):
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=77, projection_dim=FEATURES, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.CLIPTextModelWithProjection(config).eval()
    stir(model)
    return model


def tokens_of(tokenizer, texts):
    found = tokenizer(texts, padding=True, return_tensors="pt")
    return found["input_ids"], found["attention_mask"]


def spread_head(head, network, inputs):
    """So that scores differ between places and texts, and boxes have some size."""
    with torch.no_grad():
        head.dfl.conv.weight[:] = torch.arange(head.reg_max).view(1, -1, 1, 1)  # no weights, but what they stand for
        for conv in (branch[-1] for branch in head.cv2):
            conv.weight.normal_(0, 0.3)
            conv.bias.normal_(0, 1)
        for contrast in head.cv4:
            contrast.bias.fill_(0)
            contrast.logit_scale.fill_(0)
    seen = []
    hooks = [contrast.register_forward_hook(lambda _, __, output: seen.append(output.flatten())) for contrast in head.cv4]
    for item in inputs:
        network(*item)
    for hook in hooks:
        hook.remove()
    values = torch.cat(seen)
    scale = 2.2 / values.std()
    few_above = float(torch.logit(torch.tensor(FLOOR)) - scale * values.quantile(0.991))
    with torch.no_grad():
        for contrast in head.cv4:
            contrast.logit_scale.fill_(float(scale.log()))
            contrast.bias.fill_(few_above)


def yolo_world(out, paths):
    folder = out / "open_vocabulary" / "yolo-world"
    tokenizer = clip_tokenizer()
    tower = TextTower(text_tower(tokenizer))
    tokens = tokens_of(tokenizer, [*LABELS, " "])
    features = nn.functional.normalize(tower(*tokens), dim=-1)[None]

    images = [np.asarray(load_image(str(path))) for path in paths]
    prepared = [yoloworld._transform_image(image=image, input_size=SIDE) for image in images]
    inputs = [(torch.from_numpy(tensor)[None], features) for tensor, _, _ in prepared]
    model = SmallWorld().eval()
    network = WithTexts(model)
    condition(network, lambda batch: network(batch, features.expand(len(batch), -1, -1)), torch.cat([item[0] for item in inputs]))
    spread_head(model.model[-1], network, inputs)
    answers = [network(*item) for item in inputs]
    theirs = model.predict(inputs[0][0], txt_feats=features)[0]
    ours = torch.cat([answers[0][1], answers[0][0]], 2).transpose(1, 2)
    centred = torch.cat([(ours[:, :2] + ours[:, 2:4]) / 2, ours[:, 2:4] - ours[:, :2], ours[:, 4:]], 1)
    assert float((centred - theirs).abs().max()) < 1e-3, "not Ultralytics' head"

    expected = []
    for path, (tensor, size_hw, padding_hw), (scores, boxes) in zip(paths, prepared, answers):
        kept, found, classes, _ = apis.non_maximum_suppression(
            boxes=boxes[0].numpy(), scores=scores[0].numpy(), iou_threshold=NMS_IOU, score_threshold=FLOOR, max_num_detections=300
        )
        # osam rounds to whole pixels at the end, after it has cut; its array is of whole numbers only then.
        kept = kept.astype(np.float64)
        edges = kept.copy()
        edges -= np.array([padding_hw[1] // 2, padding_hw[0] // 2] * 2)
        edges /= SIDE / max(size_hw)
        edges[:, 0::2] = np.clip(edges[:, 0::2], 0, size_hw[1])
        edges[:, 1::2] = np.clip(edges[:, 1::2], 0, size_hw[0])
        whole = yoloworld._untransform_bboxes(kept, SIDE, size_hw, padding_hw)
        assert (whole == edges.round()).all()
        detections = [
            {"class": int(label), "score": round(float(score), 6), "box_xyxy_px": rounded(box, 4)}
            for label, score, box in zip(classes, found, edges)
            if label < len(LABELS) and box[0] < box[2] and box[1] < box[3]
        ]
        expected.append(image_entry(path, tensor, None) | {"detections": sorted(detections, key=lambda one: -one["score"])})

    axes = {
        "images": {0: "batch"}, "text_features": {0: "batch", 1: "classes"}, "scores": {0: "batch", 2: "classes"},
        "boxes": {0: "batch"},
    }  # fmt: skip
    export(network, inputs[0], folder / "model.onnx", ["images", "text_features"], ["scores", "boxes"], axes)
    require_same_answers(folder / "model.onnx", inputs, answers)
    fewer = [(pixels, texts[:, :3]) for pixels, texts in inputs[:2]]
    require_same_answers(folder / "model.onnx", fewer, [network(*item) for item in fewer])
    text_axes = {0: "text_batch_size", 1: "sequence_length"}
    export(
        tower, tokens, folder / "text_model.onnx", ["input_ids", "attention_mask"], ["text_embeds"],
        {"input_ids": text_axes, "attention_mask": text_axes, "text_embeds": {0: "text_batch_size"}},
    )  # fmt: skip
    require_same_answers(folder / "text_model.onnx", [tokens], [(tower(*tokens),)])
    tokenizer.save_pretrained(folder)
    report_faults(folder.name, lambda tensor: network(tensor, features)[0], [item[0] for item in inputs])
    scores = [scores[..., :-1].amax(-1) for scores, _ in answers]
    write_detections(folder, expected, scores, floor=FLOOR, nms_iou=NMS_IOU, labels=LABELS)
    mmyolo(out, network, features, inputs, answers, expected)
    ultralytics(out, paths, images, model, features)


class Baked(nn.Module):
    def __init__(self, network, features):
        super().__init__()
        self.network = network
        self.register_buffer("features", features)

    def forward(self, images):
        return self.network(images, self.features)


def mmyolo(out, network, features, inputs, answers, expected):
    """The same network and answers, with the features of the texts in the graph."""
    folder = out / "open_vocabulary" / "yolo-world-mmyolo"
    baked = Baked(network, features)
    export(baked, inputs[0][:1], folder / "model.onnx", ["images"], ["scores", "boxes"], {})
    require_same_answers(folder / "model.onnx", [item[:1] for item in inputs], answers)
    write_json(folder / "model.verilabel.json", {"class_names": [*LABELS, "N/A"]})
    scores = [scores[..., :-1].amax(-1) for scores, _ in answers]
    write_detections(folder, expected, scores, floor=FLOOR, nms_iou=NMS_IOU, labels=LABELS, baked=True)


def ultralytics(out, paths, images, model, features):
    """Exported and run by Ultralytics itself, which pads to other whole pixels than osam."""
    folder = out / "open_vocabulary" / "yolo-world-ultralytics"
    folder.mkdir(parents=True, exist_ok=True)
    yolo = YOLO("yolov8n.yaml", task="detect")
    model.txt_feats, model.args, model.task = features, yolo.model.args, "detect"
    model.names = dict(enumerate([*LABELS, " "]))
    model.yaml["yaml_file"] = "yolov8-world.yaml"
    yolo.model = model
    with tempfile.TemporaryDirectory() as workplace, contextlib.chdir(workplace):  # it names the file after the architecture
        graph = onnx.load(yolo.export(format="onnx", imgsz=SIDE, opset=17, simplify=False, verbose=False))
    dropped = {"author", "date", "docs", "license", "version"}  # of Ultralytics, not of these weights
    kept = {one.key: one.value for one in graph.metadata_props if one.key not in dropped}
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, kept)
    onnx.save(graph, folder / "model.onnx")
    shorten_names(folder / "model.onnx")

    letterbox = LetterBox((SIDE, SIDE), auto=False, stride=32)
    expected, scores = [], []
    every_class = functools.partial(nms.non_max_suppression, multi_label=True)
    with mock.patch.object(nms, "non_max_suppression", every_class):
        yolo = YOLO(str(folder / "model.onnx"), task="detect")
        for path, image in zip(paths, images):
            bgr = np.ascontiguousarray(image[..., ::-1])
            boxes = yolo.predict(
                bgr, imgsz=SIDE, conf=FLOOR, iou=NMS_IOU, max_det=1000, rect=False, device="cpu", verbose=False, save=False
            )[0].boxes  # fmt: skip
            tensor = letterbox(image=bgr)[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255
            detections = [
                {"class": int(label), "score": round(score, 6), "box_xyxy_px": rounded(box, 4)}
                for label, score, box in zip(boxes.cls.tolist(), boxes.conf.tolist(), boxes.xyxy.tolist())
                if label < len(LABELS) and box[0] < box[2] and box[1] < box[3]
            ]
            expected.append(image_entry(path, tensor, None) | {"detections": detections})
            scores.append(model(torch.from_numpy(np.ascontiguousarray(tensor))[None])[0][0, 4:-1].amax(0))
    write_detections(folder, expected, scores, floor=FLOOR, nms_iou=NMS_IOU, labels=LABELS, baked=True)


def main():
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    out = Path(sys.argv[1]).resolve()
    yolo_world(out, write_images(out / "images"))


if __name__ == "__main__":
    main()
