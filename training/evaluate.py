"""Measures exported models on a world that they were not trained on.

    python training/evaluate.py embedder FOLDER WORLD [--json FILE]
    python training/evaluate.py detector FOLDER WORLD
    python training/evaluate.py segmenter FOLDER WORLD

The graphs are run by ONNX Runtime, images prepared and answers read as the program does it. Figures go to standard output, and with
`--json` to a file:

embedder   the share of objects whose kind is the best of all kinds (top-1); of those with a color, the share whose color is the
           best of all colors of their kind, apart for combinations that training named and those that it did not
detector   the mean over phrases of the average precision at an IoU of 0.5 (COCO's), where every phrase is a class of its own:
           kinds, combinations that training named, and those that it did not. A red car found for "blue car" is a mistake of
           "blue car".
segmenter  the mean over objects of the IoU of the mask that the true box prompts, at the image's size

With `--program` the detector is run by verilabel itself, in the engine of its `--engine`: the figures must be the same.
"""

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from matching import Matching
from PIL import Image as Pillow
from prompts import TEMPLATES, UNSPOKEN, Phrase, pairs
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tokenizers import Tokenizer
from world import World, letterbox_of, letterboxed, padded, padded_size, read_rgb

IOU = 0.5
FLOOR = 0.01
NMS_IOU = 0.7
MAX_DETECTIONS = 100  # of a phrase in an image
FEWEST = 5  # objects that a phrase must fit to be measured


class Graph:
    def __init__(self, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, outputs, **inputs):
        return self.session.run(outputs, inputs)


class Texts:
    """Features of texts by a graph with `input_ids`."""

    def __init__(self, folder, graph, **others):
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_padding(pad_id=self.tokenizer.token_to_id("<|endoftext|>"), pad_token="<|endoftext|>")
        self.graph, self.others = graph, others

    def __call__(self, texts):
        ids = np.array([one.ids for one in self.tokenizer.encode_batch(list(texts))], np.int64)
        (found,) = self.graph(["text_embeds"], input_ids=ids, **self.others)
        return found / np.linalg.norm(found, axis=-1, keepdims=True)


def normalised(images, folder):
    """[B, side, side, 3] of bytes, as preprocessor_config.json says."""
    config = json.loads((folder / "preprocessor_config.json").read_text())
    mean, std = (np.array(config[name], np.float32) for name in ("image_mean", "image_std"))
    return ((images.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)


def share(values):
    return float(np.mean(values)) if len(values) else None


# ---- Embedder ----


def cut(image, box_xywh_px, side):
    """The pixels that the box touches, stretched."""
    x, y, w, h = box_xywh_px
    low = np.floor([x, y]).astype(int).clip(0)
    high = np.maximum(np.ceil([x + w, y + h]).astype(int), low + 1)
    seen = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    return np.asarray(Pillow.fromarray(seen).resize((side, side), Pillow.Resampling.BILINEAR))


def embedder(folder, world, threads):
    side = json.loads((folder / "config.json").read_text())["vision_config"]["image_size"]
    graph = Graph(folder / "onnx" / "model.onnx", threads)
    texts = Texts(folder, graph, pixel_values=np.zeros((1, 3, side, side), np.float32))
    features = []
    for number, picture in enumerate(world.pictures):
        image = read_rgb(picture.path)
        crops = [cut(image, world.things[thing].box_xywh_px, side) for thing in world.things_of[number]]
        if crops:
            pixels = normalised(np.stack(crops), folder)
            features.append(graph(["image_embeds"], input_ids=np.zeros((1, 2), np.int64), pixel_values=pixels)[0])
    order = [thing for things in world.things_of for thing in things]
    things = [world.things[thing].facts for thing in order]
    features = np.concatenate(features)
    kinds = texts([TEMPLATES[1].replace("{}", kind) for kind in world.kinds])
    found = [world.kinds[i] for i in (features @ kinds.T).argmax(1)]
    right = np.array([kind == thing["kind"] for kind, thing in zip(found, things)])
    by_kind = {kind: share(right[[thing["kind"] == kind for thing in things]]) for kind in world.kinds}
    colors = {"seen": [], "held_out": []}
    for kind in world.kinds:
        of_kind = [i for i, thing in enumerate(things) if thing["kind"] == kind and thing.get("color")]
        known = sorted({things[i]["color"] for i in of_kind})
        if len(known) < 2:
            continue
        phrases = [Phrase(kind=kind, color=color) for color in known]
        best = (features[of_kind] @ texts([TEMPLATES[1].replace("{}", p.text()) for p in phrases]).T).argmax(1)
        for i, choice in zip(of_kind, best):
            is_out = Phrase(kind=kind, color=things[i]["color"]).is_held_out()
            colors["held_out" if is_out else "seen"].append(known[choice] == things[i]["color"])
    mistakes = {}
    for kind, thing in zip(found, things):
        if kind != thing["kind"]:
            mistakes[f"{thing['kind']} taken for {kind}"] = mistakes.get(f"{thing['kind']} taken for {kind}", 0) + 1
    return {
        "objects": len(things), "top_1": share(right), "color_seen": share(colors["seen"]),
        "color_held_out": share(colors["held_out"]), "top_1_by_kind": by_kind,
        "mistakes": dict(sorted(mistakes.items(), key=lambda one: -one[1])[:12]),
    }  # fmt: skip


# ---- Detector ----


def kept_after_nms(boxes, scores):
    """Places of the boxes that stay, best first."""
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1)
    kept = []
    while len(order) and len(kept) < MAX_DETECTIONS:
        first, order = order[0], order[1:]
        kept.append(first)
        low, high = np.maximum(boxes[first, :2], boxes[order, :2]), np.minimum(boxes[first, 2:], boxes[order, 2:])
        inside = (high - low).clip(0).prod(1)
        order = order[inside <= NMS_IOU * (areas[first] + areas[order] - inside)]
    return kept


def measured_phrases(world, matching, facts):
    """Kinds and combinations that enough objects fit, by the group that they are measured in."""
    phrases = [Phrase(kind=kind) for kind in world.kinds] + pairs(world.kinds, world.values)
    counts = matching.fits(facts, matching.phrases(phrases)).sum(0)
    groups = {"kind": [], "seen": [], "held_out": []}
    for phrase, count in zip(phrases, counts):
        if count >= FEWEST:
            groups["kind" if not phrase.attributes() else ("held_out" if phrase.is_held_out() else "seen")].append(phrase)
    return groups


def detections(folder, world, phrases, threads):
    """Of every image, rows of COCO's results, whose category is the place of the phrase counted from 1."""
    side = json.loads((folder / "config.json").read_text())["image_size"]
    graph = Graph(folder / "onnx" / "model.onnx", threads)
    features = Texts(folder, Graph(folder / "onnx" / "text_model.onnx", threads))([phrase.text() for phrase in phrases])[None]
    rows = []
    for number, picture in enumerate(world.pictures):
        pixels = letterboxed(read_rgb(picture.path), side).astype(np.float32).transpose(2, 0, 1)[None] / 255
        scores, boxes = graph(["scores", "boxes"], images=pixels, text_features=features)
        scale, left, top = letterbox_of(picture.width, picture.height, side)
        boxes = (boxes[0] - [left, top, left, top]) / scale
        boxes = boxes.clip(0, [picture.width, picture.height] * 2)
        for column in np.flatnonzero(scores[0].max(0) > FLOOR):
            places = np.flatnonzero(scores[0, :, column] > FLOOR)
            found, sure = boxes[places], scores[0, places, column]
            for i in kept_after_nms(found, sure):
                x1, y1, x2, y2 = found[i].tolist()
                rows.append({
                    "image_id": number + 1, "category_id": int(column) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": float(sure[i]),
                })  # fmt: skip
    return rows


def detections_of_program(program, engine, folder, world, phrases):
    """The same by the program itself."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        (scratch / "classes.txt").write_text("".join(phrase.text() + "\n" for phrase in phrases))

        def run(*words):
            subprocess.run([program, "--project", scratch, *words], check=True, stdout=subprocess.DEVNULL)

        run("init")
        for images in {picture.path.parent for picture in world.pictures}:
            run("import", "--images", images)
        run(
            "label", "--model", folder, "--classes-file", scratch / "classes.txt", "--engine", engine, "--floor", str(FLOOR),
            "--nms", str(NMS_IOU), "--max-detections", str(MAX_DETECTIONS * len(phrases)),
        )  # fmt: skip
        run("export", "--set", "auto", "--format", "coco", "--output", scratch / "found.json")
        found = json.loads((scratch / "found.json").read_text())
    number = {picture.path.resolve(): i + 1 for i, picture in enumerate(world.pictures)}
    folders = {picture.path.parent for picture in world.pictures}
    images = {}
    for image in found["images"]:
        (images[image["id"]],) = {number[p] for f in folders if (p := (f / image["file_name"]).resolve()) in number}
    column = {phrase.text(): i + 1 for i, phrase in enumerate(phrases)}
    names = {category["id"]: column[category["name"]] for category in found["categories"]}
    return [
        {"image_id": images[one["image_id"]], "category_id": names[one["category_id"]], "bbox": one["bbox"], "score": one["score"]}
        for one in found["annotations"]
    ]


def average_precisions(world, phrases, fits, rows):
    """Of each phrase, by pycocotools."""
    truth = {"images": [{"id": i + 1} for i in range(len(world.pictures))], "annotations": [], "categories": []}
    truth["categories"] = [{"id": i + 1, "name": phrase.text()} for i, phrase in enumerate(phrases)]
    for thing, column in np.argwhere(fits):
        x, y, w, h = world.things[thing].box_xywh_px
        truth["annotations"].append({
            "id": len(truth["annotations"]) + 1, "image_id": world.things[thing].image + 1, "category_id": int(column) + 1,
            "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0,
        })  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        measure = COCOeval(coco, coco.loadRes(rows) if rows else COCO(), "bbox")
        measure.params.iouThrs = np.array([IOU])
        measure.params.maxDets = [MAX_DETECTIONS]
        measure.params.areaRng, measure.params.areaRngLbl = [[0, 1e10]], ["all"]
        measure.evaluate()
        measure.accumulate()
    precision = measure.eval["precision"][0, :, :, 0, 0]
    return precision.mean(0)


def detector(folder, world, threads, program=None, engine="openvino"):
    matching = Matching(world.kinds, world.values)
    facts = matching.facts([thing.facts for thing in world.things])
    groups = measured_phrases(world, matching, facts)
    phrases = [phrase for group in groups.values() for phrase in group]
    if program is None:
        rows = detections(folder, world, phrases, threads)
    else:
        rows = detections_of_program(program, engine, folder, world, phrases)
    found = dict(zip(phrases, average_precisions(world, phrases, matching.fits(facts, matching.phrases(phrases)), rows)))
    figures = {"images": len(world.pictures), "objects": len(world.things)}
    for name, group in groups.items():
        figures[f"phrases_{name}"] = len(group)
        figures[f"mAP50_{name}"] = share([found[phrase] for phrase in group])
    # The "seen prompts" are all that training named, with and without attribute.
    figures["mAP50_trained"] = share([found[phrase] for phrase in groups["kind"] + groups["seen"]])
    for name in ("size", "pattern", "color"):
        for group in ("seen", "held_out"):
            some = [found[phrase] for phrase in groups[group] if getattr(phrase, name) not in UNSPOKEN | {None}]
            figures[f"mAP50_{group}_{name}"] = share(some)
    figures["AP50"] = {phrase.text(): round(float(value), 4) for phrase, value in found.items()}
    return figures


# ---- Segmenter ----


def segmenter(folder, world, threads):
    side = json.loads((folder / "config.json").read_text())["vision_config"]["image_size"]
    encoder = Graph(folder / "onnx" / "vision_encoder.onnx", threads)
    decoder = Graph(folder / "onnx" / "prompt_encoder_mask_decoder.onnx", threads)
    overlaps, estimates, sizes = [], [], []
    for number, picture in enumerate(world.pictures):
        things = [world.things[thing] for thing in world.things_of[number]]
        if not things:
            continue
        wide, high = padded_size(picture.width, picture.height, side)
        pixels = normalised(padded(read_rgb(picture.path), side)[None], folder)
        pixels[:, :, high:], pixels[:, :, :, wide:] = 0, 0
        (seen,) = encoder(["image_embeddings"], pixel_values=pixels)
        scale = np.tile([wide / picture.width, high / picture.height], 2)
        boxes = np.array([thing.box_xyxy() for thing in things]) * scale
        scores, masks = decoder(
            ["iou_scores", "pred_masks"], image_embeddings=seen, input_points=np.zeros((1, len(things), 0, 2), np.float32),
            input_labels=np.zeros((1, len(things), 0), np.int64), input_boxes=boxes[None].astype(np.float32),
        )  # fmt: skip
        for i, thing in enumerate(things):
            best = int(scores[0, i].argmax())
            logits = cv2.resize(masks[0, i, best, :high, :wide], (picture.width, picture.height), interpolation=cv2.INTER_LINEAR)
            ours, theirs = logits > 0, thing.mask() > 0
            overlaps.append((ours & theirs).sum() / max(1, (ours | theirs).sum()))
            estimates.append(scores[0, i, best])
            sizes.append(np.sqrt(thing.box_xywh_px[2] * thing.box_xywh_px[3]) / max(picture.width, picture.height))
    overlaps, sizes = np.array(overlaps), np.array(sizes)
    limits = [0, 0.04, 0.08, 0.16, 1]
    return {
        "objects": len(overlaps), "mean_iou": share(overlaps), "share_above_0.75": share(overlaps > 0.75),
        "mean_error_of_estimate": share(np.abs(np.array(estimates) - overlaps)),
        "mean_iou_by_side": {
            f"{low:g} to {high:g} of the image": share(overlaps[(sizes >= low) & (sizes < high)])
            for low, high in zip(limits, limits[1:])
        },
    }  # fmt: skip


MODELS = {"embedder": embedder, "detector": detector, "segmenter": segmenter}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=list(MODELS))
    parser.add_argument("folder", type=Path, help="an exported model")
    parser.add_argument("world", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--program", type=Path, help="a verilabel that detects in place of ONNX Runtime")
    parser.add_argument("--engine", choices=["openvino", "onnxruntime"], default="openvino", help="of that program")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    others = {"program": options.program, "engine": options.engine} if options.program else {}
    if others and options.model != "detector":
        parser.error("--program is for the detector")
    figures = MODELS[options.model](options.folder, World(options.world), options.threads, **others)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        if isinstance(value, float | int):
            print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value:,}")
        elif isinstance(value, dict) and name != "AP50":
            print(f"{name}: " + ", ".join(f"{key} {one if one is None else round(one, 3)}" for key, one in value.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
