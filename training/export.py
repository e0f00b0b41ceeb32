"""Writes trained models as folders of the form that Hugging Face's hub has, and proves that the graphs give what PyTorch gives.

    python training/export.py embedder CHECKPOINT FOLDER
    python training/export.py detector CHECKPOINT FOLDER --texts EMBEDDER_CHECKPOINT
    python training/export.py segmenter CHECKPOINT FOLDER

Each graph is run by ONNX Runtime and by OpenVINO on inputs of several sizes; the greatest difference is printed, and more than 1e-4
is a failure. With `--untrained` in place of CHECKPOINT weights are random: to try adapters without any training.
"""

import argparse
import json
import sys
from pathlib import Path

import detector
import embedder
import loop
import numpy as np
import onnx
import onnxruntime
import openvino
import segmenter
import torch
from tokenizer import MAX_TOKENS, Tokenizer
from torch import nn

LIMIT = 1e-4
OPSET = 17
UNTRAINED_WORDS = ["red car", "small boat", "striped umbrella", "a street at night"]


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def write_graph(module, inputs, path, input_names, output_names, axes):
    path.parent.mkdir(parents=True, exist_ok=True)
    module.eval()
    torch.onnx.export(
        module, inputs, str(path), input_names=input_names, output_names=output_names, dynamic_axes=axes, dynamo=False,
        opset_version=OPSET,
    )  # fmt: skip
    drop_traces(path)


def drop_traces(path):
    """What a trace leaves that holds on one machine only, or says nothing."""
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
    del model.graph.value_info[:]
    model.producer_name, model.producer_version, model.doc_string = "verilabel training", "", ""
    onnx.checker.check_model(model)
    onnx.save(model, path)


def require_same(path, module, cases):
    """That both engines find in the graph what the module finds, for inputs of every shape in `cases`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    precise = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_NUM_THREADS": 1}
    worst = {"onnxruntime": 0.0, "openvino": 0.0}
    for case in cases:
        with torch.no_grad():
            answer = module(*case)
        answer = [one.numpy() for one in (answer if isinstance(answer, tuple) else (answer,))]
        fed = {name: tensor.numpy() for name, tensor in zip(names, case, strict=True)}
        core = openvino.Core()
        graph = core.read_model(str(path))
        graph.reshape({name: openvino.PartialShape(list(value.shape)) for name, value in fed.items()})
        compiled = core.compile_model(graph, "CPU", precise)
        found = compiled(fed)
        both = {"onnxruntime": session.run(None, fed), "openvino": [found[output] for output in compiled.outputs]}
        for engine, outputs in both.items():
            for ours, theirs in zip(outputs, answer, strict=True):
                assert ours.shape == theirs.shape, (path, engine, ours.shape, theirs.shape)
                scale = max(1.0, float(np.abs(theirs).max())) if theirs.size else 1.0
                difference = float(np.abs(ours - theirs).max()) / scale if theirs.size else 0.0
                worst[engine] = max(worst[engine], difference)
    words = ", ".join(f"{engine} {value:.1e}" for engine, value in worst.items())
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB; greatest difference from PyTorch: {words}", flush=True)
    if not max(worst.values()) <= LIMIT:
        raise SystemExit(f"{path}: more than {LIMIT:g} of the greatest value")


def text_config(tokens):
    return {"vocab_size": tokens, "max_position_embeddings": MAX_TOKENS, "projection_dim": embedder.FEATURES}


def token_cases(tokenizer):
    texts = ["a red boat", " ", "This is a photo of a striped umbrella.", "42 zebras!"]
    ids = [tokenizer.ids(text) for text in texts]
    longest = max(map(len, ids))
    return torch.tensor([row + [tokenizer.end] * (longest - len(row)) for row in ids])


def export_embedder(model, facts, folder):
    tokenizer = Tokenizer(facts["words"])
    tokenizer.save(folder)
    write_json(folder / "config.json", {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": embedder.FEATURES,
        "logit_scale_init_value": 2.6592,
        "text_config": text_config(len(tokenizer)),
        "vision_config": {"image_size": embedder.SIDE, "projection_dim": embedder.FEATURES},
    })  # fmt: skip
    write_json(folder / "preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": embedder.SIDE, "width": embedder.SIDE},
        "resample": 2,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(embedder.MEAN),
        "image_std": list(embedder.STD),
    })  # fmt: skip
    ids = token_cases(tokenizer)
    path = folder / "onnx" / "model.onnx"
    images = torch.randn(3, 3, embedder.SIDE, embedder.SIDE)
    write_graph(
        model, (ids, images), path, ["input_ids", "pixel_values"],
        ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"],
        {
            "input_ids": {0: "text_batch_size", 1: "sequence_length"}, "pixel_values": {0: "image_batch_size"},
            "logits_per_image": {0: "image_batch_size", 1: "text_batch_size"},
            "logits_per_text": {0: "text_batch_size", 1: "image_batch_size"},
            "text_embeds": {0: "text_batch_size"}, "image_embeds": {0: "image_batch_size"},
        },
    )  # fmt: skip
    require_same(path, model, [(ids, images), (ids[:1, :5], images[:1])])


def write_text_tower(model, tokenizer, folder):
    ids = token_cases(tokenizer)
    path = folder / "onnx" / "text_model.onnx"
    axes = {"input_ids": {0: "text_batch_size", 1: "sequence_length"}, "text_embeds": {0: "text_batch_size"}}
    write_graph(model.text, (ids,), path, ["input_ids"], ["text_embeds"], axes)
    require_same(path, model.text, [(ids,), (ids[:1, :5],)])


def export_detector(model, texts, text_facts, folder):
    tokenizer = Tokenizer(text_facts["words"])
    tokenizer.save(folder)
    write_json(folder / "config.json", {
        "architectures": ["YOLOWorldDetector"],
        "model_type": "yolo_world",
        "image_size": detector.SIDE,
        "text_config": text_config(len(tokenizer)),
    })  # fmt: skip
    write_json(folder / "preprocessor_config.json", {
        "image_processor_type": "YolosImageProcessor",
        "do_resize": True,
        "size": {"longest_edge": detector.SIDE, "shortest_edge": detector.SIDE},
        "do_pad": True,
        "pad_size": {"height": detector.SIDE, "width": detector.SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": False,
    })  # fmt: skip
    write_text_tower(texts, tokenizer, folder)
    path = folder / "onnx" / "model.onnx"
    images = torch.rand(2, 3, detector.SIDE, detector.SIDE)
    features = nn.functional.normalize(torch.randn(2, 7, embedder.FEATURES), dim=-1)
    write_graph(
        model, (images, features), path, ["images", "text_features"], ["scores", "boxes"],
        {
            "images": {0: "batch"}, "text_features": {0: "batch", 1: "classes"}, "scores": {0: "batch", 2: "classes"},
            "boxes": {0: "batch"},
        },
    )  # fmt: skip
    require_same(path, model, [(images, features), (images[:1], features[:1, :2])])


class SegmenterWithBoxes(nn.Module):
    """The decoder as the graph calls it."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, image_embeddings, input_points, input_labels, input_boxes):
        return self.decoder(image_embeddings, input_points, input_labels, input_boxes)


def export_segmenter(model, folder):
    write_json(folder / "config.json", {
        "architectures": ["SamModel"],
        "model_type": "sam",
        "vision_config": {"image_size": segmenter.SIDE},
    })  # fmt: skip
    write_json(folder / "preprocessor_config.json", {
        "image_processor_type": "SamImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"longest_edge": segmenter.SIDE},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(segmenter.MEAN),
        "image_std": list(segmenter.STD),
        "do_pad": True,
        "pad_size": {"height": segmenter.SIDE, "width": segmenter.SIDE},
    })  # fmt: skip
    path = folder / "onnx" / "vision_encoder.onnx"
    images = torch.randn(2, 3, segmenter.SIDE, segmenter.SIDE)
    embeddings = {"image_embeddings": {0: "batch_size"}}
    write_graph(
        model.encoder, (images,), path, ["pixel_values"], ["image_embeddings"], embeddings | {"pixel_values": {0: "batch_size"}}
    )
    require_same(path, model.encoder, [(images,), (images[:1],)])
    with torch.no_grad():
        seen = model.encoder(images[:1])
    low = torch.rand(1, 4, 2) * 200
    boxes = torch.cat([low, low + 10 + 100 * torch.rand(1, 4, 2)], -1)
    no_points = (torch.zeros(1, 4, 0, 2), torch.zeros(1, 4, 0, dtype=torch.int64))
    points = (torch.rand(1, 4, 2, 2) * segmenter.SIDE, torch.tensor([[[1, -1]] * 4]))
    path = folder / "onnx" / "prompt_encoder_mask_decoder.onnx"
    of_points = {0: "batch_size", 1: "point_batch_size", 2: "nb_points_per_image"}
    of_prompts = {0: "batch_size", 1: "point_batch_size"}
    write_graph(
        model.decoder, (seen, *points, boxes[:, :0]), path,
        ["image_embeddings", "input_points", "input_labels", "input_boxes"], ["iou_scores", "pred_masks"],
        embeddings | {
            "input_points": of_points, "input_labels": of_points, "input_boxes": {0: "batch_size", 1: "nb_boxes_per_image"},
            "iou_scores": of_prompts, "pred_masks": of_prompts,
        },
    )  # fmt: skip
    one = (seen, no_points[0][:, :1], no_points[1][:, :1], boxes[:, :1])
    require_same(path, model.decoder, [(seen, *no_points, boxes), (seen, *points, boxes[:, :0]), one])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["embedder", "detector", "segmenter"])
    parser.add_argument("checkpoint", help="folder of the checkpoint, or --untrained", nargs="?", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=Path, help="the embedder's checkpoint that the detector was trained with")
    parser.add_argument("--untrained", action="store_true", help="random weights instead of a checkpoint")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)

    def loaded(path, module):
        if options.untrained:
            facts = {"words": UNTRAINED_WORDS, "choices": {}}
            return module.make(facts).eval(), {"facts": facts}
        if path is None:
            parser.error("a checkpoint is needed, or --untrained")
        return loop.load(path, module.make)

    if options.model == "embedder":
        model, saved = loaded(options.checkpoint, embedder)
        export_embedder(model.embedder, saved["facts"], options.folder)
    elif options.model == "detector":
        model, _ = loaded(options.checkpoint, detector)
        texts, saved = loaded(options.texts, embedder)
        export_detector(model, texts.embedder, saved["facts"], options.folder)
    else:
        model, _ = loaded(options.checkpoint, segmenter)
        export_segmenter(model, options.folder)
    size = sum(path.stat().st_size for path in options.folder.rglob("*") if path.is_file())
    print(f"{options.folder}: {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
