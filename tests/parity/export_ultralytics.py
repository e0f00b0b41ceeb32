"""Small Ultralytics graphs with random weights, and what Ultralytics itself predicts with them:
export_ultralytics.py [--seed N] OUT [CASE …].

Writes to OUT, for `models_test` run with VERILABEL_PARITY_MODELS=OUT:
    images/*.png         made-up photographs of odd sizes
    CASE.onnx            one graph a case
    CASE.expected.json   floor, nms_iou, max_detections, class_names and, for each image, its detections: class (an index), score,
                         box_xyxy_px in the image and, from a segmenting graph, mask (COCO's compressed runs)

Needs torch, torchvision, ultralytics (8.4), onnx, onnxruntime, onnxslim, pycocotools and opencv-python below 5 in an environment of
its own. Ultralytics predicts through ONNX Runtime, with every class of an anchor a candidate as its validation has it, native masks
and whole (not minimal) letterboxes.

The YOLOv5 repository has no package: its layout is exported from a network of our own, and decoded here as that repository does.
"""

import argparse
import contextlib
import functools
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_OFFLINE", "true")

import cv2
import numpy as np
import onnx
import torch
import torchvision
from pycocotools import mask as mask_utils
from torch import nn
from ultralytics import RTDETR, YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.utils import nms, ops

FLOOR = 0.3
NMS_IOU = 0.7
MAX_DETECTIONS = 300
SIDE = 160
# What Python's repr does to names: quotes of either kind, both in one name, backslashes, letters beyond ASCII.
NAMES = ["person", "d'og", 'a "large" cat', 'it\'s "both"', "back\\slash", "日本 café"]
IMAGE_SIZES_WH = [(160, 160), (320, 240), (240, 321), (97, 61), (500, 40), (31, 200)]


@dataclass
class Case:
    """One graph: where it comes from and how it is exported."""

    config: str  # of an architecture that Ultralytics knows; empty for the layout of the YOLOv5 repository
    task: str = "detect"
    imgsz: tuple[int, int] = (SIDE, SIDE)  # height, width
    export: dict = field(default_factory=dict)


CASES = {
    "yolov5nu": Case("yolov5n.yaml"),
    "yolov8n": Case("yolov8n.yaml"),
    "yolov9t": Case("yolov9t.yaml"),
    "yolo11n": Case("yolo11n.yaml"),
    "yolo11n-wide": Case("yolo11n.yaml", imgsz=(96, 160)),
    "yolo11n-dynamic": Case("yolo11n.yaml", export={"dynamic": True}),
    "yolo11n-dynamic-wide": Case("yolo11n.yaml", imgsz=(96, 160), export={"dynamic": True}),
    "yolo12n": Case("yolo12n.yaml"),
    "yolov8n-seg": Case("yolov8n-seg.yaml", "segment"),
    "yolo11n-seg": Case("yolo11n-seg.yaml", "segment"),
    "yolo11n-seg-wide": Case("yolo11n-seg.yaml", "segment", imgsz=(96, 160)),
    "yolov10n": Case("yolov10n.yaml", export={"nms": False}),
    "yolo26n": Case("yolo26n.yaml", export={"nms": False}),
    "yolo26n-one-to-many": Case("yolo26n.yaml"),
    "yolo26n-seg": Case("yolo26n-seg.yaml", "segment", export={"nms": False}),
    "yolo11n-nms": Case("yolo11n.yaml", export={"nms": True, "conf": FLOOR, "iou": NMS_IOU}),
    "yolo11n-seg-nms": Case("yolo11n-seg.yaml", "segment", export={"nms": True, "conf": FLOOR, "iou": NMS_IOU}),
    "rtdetr": Case("yolov8n-rtdetr.yaml"),
    "rtdetr-wide": Case("yolov8n-rtdetr.yaml", imgsz=(96, 160), export={"dynamic": True}),
    "yolov5-repository": Case(""),
    "yolov5-repository-seg": Case("", "segment"),
}


def made_up_image(rng, width, height):
    """Large and small structure in every channel, so that neighbouring anchors see different things."""
    image = np.zeros((height, width, 3), np.float32)
    for cells in (3, 9, 27):
        coarse = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        corner = (x + int(rng.integers(1, width)), y + int(rng.integers(1, height)))
        cv2.rectangle(image, (x, y), corner, rng.normal(size=3).tolist(), -1)
    return np.clip(128 + 50 * image, 0, 255).astype(np.uint8)


def calibration_batch(rng):
    images = [made_up_image(rng, SIDE, SIDE) for _ in range(8)]
    return torch.from_numpy(np.stack(images)[..., ::-1].copy()).permute(0, 3, 1, 2).float() / 255


def spread_outputs(model, convolution, batch, mean, deviation):
    """Gives each channel of the convolution's output this mean and deviation over the batch."""
    seen = []
    hook = convolution.register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        model(batch)
        hook.remove()
        values = seen[0].transpose(0, 1).flatten(1)
        scale = deviation / values.std(1).clamp(min=1e-6)
        old_bias = convolution.bias.clone()
        convolution.weight *= scale[:, None, None, None]
        convolution.bias.copy_(mean - scale * (values.mean(1) - old_bias))


def calibrate_norms(model, batch):
    """Statistics of the normalisations from a batch, and an output around the mildly bent part of SiLU.

    Random weights with the usual weight 1 and bias 0 multiply a difference, and so a rounding, by about 1.2 a layer, and by 10,000
    in the deepest networks: float32 is then up to 2 pixels from float64."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    old_momenta = [norm.momentum for norm in norms]
    model.train()
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
            norm.weight.fill_(0.5)
            norm.bias.fill_(0.5)
        model(batch)
    for norm, momentum in zip(norms, old_momenta):
        norm.momentum = momentum
    model.eval()


def make_random(model, rng):
    """Weights with which an untrained network tells its anchors apart: calibrated normalisations, heads with scores on both sides
    of the floor and boxes of many sizes."""
    batch = calibration_batch(rng)
    calibrate_norms(model, batch)
    head = model.model[-1]
    bins = head.reg_max
    # Distances: 16 bins that get less likely, or one number, in strides.
    box_mean = torch.tensor([-0.35 * b for b in range(bins)] * 4) if bins > 1 else torch.full((4,), 2.0)
    for name in ("cv2", "cv3", "one2one_cv2", "one2one_cv3"):
        for branch in getattr(head, name, None) or []:
            if name.endswith("cv2"):
                spread_outputs(model, branch[-1], batch, box_mean, 1.2 if bins > 1 else 0.5)
            else:
                spread_outputs(model, branch[-1], batch, torch.full((head.nc,), -3.0), 1.5)


def make_random_rtdetr(model, rng):
    """The same of RT-DETR: layers that keep what tells places apart, scores on both sides of the floor, boxes of many sizes."""
    calibrate_norms(model, calibration_batch(rng))
    head = model.model[-1]
    with torch.no_grad():
        for name, module in head.named_modules():
            if isinstance(module, nn.Linear) and "sampling" not in name and "attention_weights" not in name:
                nn.init.xavier_normal_(module.weight)
        for last in [head.enc_bbox_head.layers[-1], *(branch.layers[-1] for branch in head.dec_bbox_head)]:
            last.weight.mul_(0.5)
            last.bias.normal_(0, 0.3)
        for scores in [head.enc_score_head, *head.dec_score_head]:
            scores.bias.fill_(-2)


def is_rtdetr(case):
    return "rtdetr" in case.config


def export_known(name, case, folder, rng):
    yolo = RTDETR(case.config) if is_rtdetr(case) else YOLO(case.config, task=case.task)
    fresh = type(yolo.model)(case.config, nc=len(NAMES), verbose=False)
    fresh.args, fresh.task = yolo.model.args, case.task
    fresh.names = dict(enumerate(NAMES))
    (make_random_rtdetr if is_rtdetr(case) else make_random)(fresh, rng)
    yolo.model = fresh
    with (
        tempfile.TemporaryDirectory(dir=folder) as workplace,
        contextlib.chdir(workplace),
    ):  # it names the file after the architecture
        written = yolo.export(format="onnx", imgsz=list(case.imgsz), max_det=MAX_DETECTIONS, verbose=False, **case.export)
        Path(written).rename(folder / f"{name}.onnx")


class RepositoryLayout(nn.Module):
    """Outputs as the export of the YOLOv5 repository lays them out: three anchors a cell, each with box, objectness and classes."""

    STRIDES = (8, 16, 32)
    ANCHORS_WH = ([(10, 13), (16, 30), (33, 23)], [(30, 61), (62, 45), (59, 119)], [(116, 90), (156, 198), (373, 326)])

    def __init__(self, mask_coefficients):
        super().__init__()
        self.mask_coefficients = mask_coefficients
        widths = [3, 16, 32, 48, 64, 96]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.SiLU()) for a, b in zip(widths, widths[1:])
        )
        self.columns = 5 + len(NAMES) + mask_coefficients
        self.heads = nn.ModuleList(nn.Conv2d(width, 3 * self.columns, 1) for width in widths[3:])
        self.prototypes = nn.Sequential(nn.Conv2d(widths[2], max(mask_coefficients, 1), 3, 1, 1), nn.SiLU())

    def forward(self, images):
        maps = []
        for stage in self.stages:
            images = stage(images)
            maps.append(images)
        levels = []
        for stride, anchors, head, features in zip(self.STRIDES, self.ANCHORS_WH, self.heads, maps[2:]):
            height, width = features.shape[2:]
            raw = head(features).view(-1, 3, self.columns, height, width).permute(0, 1, 3, 4, 2)
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            corner = torch.stack((x, y), -1).float() - 0.5
            anchor = torch.tensor(anchors).float().view(1, 3, 1, 1, 2)
            unit = raw[..., : 5 + len(NAMES)].sigmoid()
            centre = (unit[..., :2] * 2 + corner) * stride
            size = (unit[..., 2:4] * 2) ** 2 * anchor * 0.5
            level = torch.cat((centre, size, unit[..., 4:], raw[..., 5 + len(NAMES) :]), -1)
            levels.append(level.flatten(1, 3))
        rows = torch.cat(levels, 1)
        return (rows, self.prototypes(maps[1])) if self.mask_coefficients else rows


def export_repository_layout(name, case, folder, rng):
    model = RepositoryLayout(32 if case.task == "segment" else 0)
    batch = calibration_batch(rng)
    calibrate_norms(model, batch)
    for head in model.heads:
        mean = torch.tensor([0.0] * 4 + [0.5] + [-2.0] * len(NAMES) + [0.0] * model.mask_coefficients).repeat(3)
        spread_outputs(model, head, batch, mean, 1.5)
    path = folder / f"{name}.onnx"
    outputs = ["output0", "output1"][: 2 if model.mask_coefficients else 1]
    torch.onnx.export(
        model,
        torch.zeros(1, 3, *case.imgsz),
        str(path),
        input_names=["images"],
        output_names=outputs,
        dynamo=False,
        opset_version=17,
    )
    graph = onnx.load(path)
    names = dict(enumerate(NAMES)) if model.mask_coefficients else NAMES  # newer and older versions
    onnx.helper.set_model_props(graph, {"stride": "32", "names": str(names)})
    onnx.save(graph, path)


def detection(box_xyxy, score, class_index, mask):
    found = {"class": int(class_index), "score": float(score), "box_xyxy_px": [float(v) for v in box_xyxy]}
    if mask is not None:
        found["mask"] = mask_utils.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    return found


def predict_known(path, case, image_paths):
    every_class = functools.partial(nms.non_max_suppression, multi_label=True)
    original, nms.non_max_suppression = nms.non_max_suppression, every_class
    try:
        yolo = RTDETR(str(path)) if is_rtdetr(case) else YOLO(str(path), task=case.task)
        for image_path in image_paths:
            result = yolo.predict(
                str(image_path), imgsz=list(case.imgsz), conf=FLOOR, iou=NMS_IOU, max_det=MAX_DETECTIONS,
                retina_masks=True, rect=False, device="cpu", verbose=False, save=False,
            )[0]  # fmt: skip
            boxes = result.boxes
            height, width = result.orig_shape
            # RT-DETR's alone reach beyond the image.
            corners = boxes.xyxy.clamp(min=0).minimum(torch.tensor([width, height, width, height])).tolist()
            masks = result.masks.data.cpu().numpy() if result.masks is not None else [None] * len(boxes)
            yield [detection(*found) for found in zip(corners, boxes.conf.tolist(), boxes.cls.tolist(), masks)]
    finally:
        nms.non_max_suppression = original


def predict_repository_layout(path, case, image_paths):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    first_mask = 5 + len(NAMES)
    for image_path in image_paths:
        image = cv2.imread(str(image_path))
        letterboxed = LetterBox(case.imgsz, auto=False, stride=32)(image=image)
        tensor = letterboxed[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
        outputs = [torch.from_numpy(output[0]) for output in session.run(None, {"images": tensor})]
        rows = outputs[0]
        scores = rows[:, 4:5] * rows[:, 5:first_mask]
        anchor, class_index = torch.where(scores > FLOOR)
        boxes, score = ops.xywh2xyxy(rows[anchor, :4]), scores[anchor, class_index]
        kept = torchvision.ops.nms(boxes + class_index[:, None] * 7680, score, NMS_IOU)[:MAX_DETECTIONS]
        boxes = ops.scale_boxes(letterboxed.shape[:2], boxes[kept], image.shape)
        masks = [None] * len(kept)
        keep = [True] * len(kept)
        if len(outputs) == 2:
            masks = ops.process_mask_native(outputs[1], rows[anchor[kept], first_mask:], boxes, image.shape[:2]).numpy()
            keep = [mask.any() for mask in masks]
        found = zip(boxes.tolist(), score[kept].tolist(), class_index[kept].tolist(), masks)
        yield [detection(*one) for one, is_kept in zip(found, keep) if is_kept]


def main():
    parser = argparse.ArgumentParser(description="Ultralytics graphs with random weights and Ultralytics' predictions with them.")
    parser.add_argument("folder", metavar="OUT", type=Path)
    parser.add_argument("cases", metavar="CASE", nargs="*", help="by default all")
    parser.add_argument("--seed", type=int, default=7, help="of images and weights")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(asked.seed)
    image_paths = []
    for width, height in IMAGE_SIZES_WH:
        image_paths.append(folder / "images" / f"{width}x{height}.png")
        cv2.imwrite(str(image_paths[-1]), made_up_image(rng, width, height))
    for name in asked.cases or CASES:
        case = CASES[name]
        torch.manual_seed(asked.seed)
        export, predict = (export_known, predict_known) if case.config else (export_repository_layout, predict_repository_layout)
        export(name, case, folder, np.random.default_rng(asked.seed + 1))
        detections = list(predict(folder / f"{name}.onnx", case, image_paths))
        expected = {
            "floor": FLOOR,
            "nms_iou": NMS_IOU,
            "max_detections": MAX_DETECTIONS,
            "class_names": NAMES,
            "input_wh": [case.imgsz[1], case.imgsz[0]],
            "images": [{"file": path.name, "detections": found} for path, found in zip(image_paths, detections)],
        }
        (folder / f"{name}.expected.json").write_text(json.dumps(expected, ensure_ascii=False))
        print(name, [len(found) for found in detections], flush=True)


if __name__ == "__main__":
    main()
