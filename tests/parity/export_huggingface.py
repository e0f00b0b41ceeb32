"""Small graphs of Hugging Face's, timm's and kindred forms with random weights, and what the reference makes of made-up images:
export_huggingface.py OUT [CASE …].

Writes to OUT, which is tests/parity/fixtures in the repository, for `models_test`:
    images/*                  made-up images: tall, wide, tiny, grey, with alpha, turned by EXIF
    CASE/                     a model folder as such models are published: graph, config.json, preprocessor_config.json, or what
                              else the form has (a manifest, metadata in the graph)
    CASE/expected.json        for each image the SHA-256 of its 8-bit pixels before rescaling and of the float tensor, or some
                              numbers of a tensor that was resized in floating point, and either the scores of all classes
                              or the detections above `floor`, with COCO's compressed runs of masks
    processors/NAME.json      only the preprocessing of one more processor: its configuration, hashes and sizes

Needs torch, torchvision, transformers (5), timm, rfdetr (1), onnx, onnxruntime, onnxscript, pycocotools and Pillow below 12.3 in an
environment of its own. The reference is the Pillow backend of the processors and PyTorch on the CPU.
"""

import dataclasses
import json
from unittest import mock

import numpy as np
import onnx
import rfdetr.config
import timm
import torch
import torchvision.transforms as T
import transformers
from fixture import (
    condition,
    detections,
    export,
    processed,
    require_same_answers,
    run_cases,
    sha256,
    spread,
    spread_heads,
    write_json,
)
from rfdetr.export._runtime.preprocess import preprocess_to_nchw
from rfdetr.models import lwdetr
from rfdetr.models.backbone import dinov2
from rfdetr.models.postprocess import PostProcess
from timm.models import efficientnet
from torch import nn
from transformers.image_utils import load_image
from transformers.models.rf_detr.configuration_rf_detr import RfDetrDinov2Config

FLOOR = 0.2
CLASSES = 10
NAMES = {i: f"class {i}" for i in range(CLASSES)}


def axes_of(names):
    """What may vary of inputs and outputs of these names, by what Optimum calls it."""
    axes = {name: {0: "batch_size", 2: "height", 3: "width"} for name in names if name in ("pixel_values", "images")}
    axes |= {name: {0: "batch_size", 1: "height", 2: "width"} for name in names if name == "pixel_mask"}
    return axes | {name: {0: "batch_size"} for name in names if name not in axes}


class Outputs(nn.Module):
    """A model of transformers whose outputs are the tensors of these names."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, pixel_values, pixel_mask=None):
        mask = {} if pixel_mask is None else {"pixel_mask": pixel_mask}
        output = self.model(pixel_values=pixel_values, **mask)
        return tuple(getattr(output, name) for name in self.names)


# ---- Classifiers ----


def classifier_folder(folder, model, processor, paths, problem_type=None, half=False, static_batch=False):
    head = [
        module for module in model.modules() if isinstance(module, nn.Linear) and module.out_features == model.config.num_labels
    ][-1]
    model.eval()
    if problem_type:
        model.config.problem_type = problem_type
    images = [load_image(str(path)) for path in paths]
    tensors = [torch.from_numpy(processed(processor, image)[0])[None] for image in images]
    with torch.no_grad():
        spread(head, lambda tensor: model(pixel_values=tensor), tensors, 0.0, 1.5)
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    expected = []
    if half:
        model.half().float()  # engines round the weights and still compute in single precision
    for path, image, tensor in zip(paths, images, tensors):
        float_tensor, pixels = processed(processor, image)
        with torch.no_grad():
            logits = model(pixel_values=tensor).logits[0]
        scores = logits.sigmoid() if problem_type == "multi_label_classification" else logits.softmax(-1)
        expected.append(expected_scores(path, pixels, float_tensor, scores))
    dtype = torch.float16 if half else torch.float32
    model.to(dtype)
    export(
        Outputs(model, ["logits"]), (tensors[0].to(dtype),), folder / "onnx" / "model.onnx", ["pixel_values"], ["logits"],
        {} if static_batch else axes_of(["pixel_values", "logits"]),
    )  # fmt: skip
    finish_scores(folder, expected)


def expected_scores(path, pixels, tensor, scores):
    return {
        "file": path.name,
        "pixels_sha256": sha256(pixels),
        "tensor_sha256": sha256(np.asarray(tensor, np.float32)),
        "scores": [round(float(score), 6) for score in scores],
    }


def finish_scores(folder, expected):
    scores = np.array([item["scores"] for item in expected])
    deviation = scores.std(0).max()
    assert deviation >= 0.05, (folder.name, deviation)
    write_json(folder / "expected.json", {"kind": "classification", "images": expected})
    print(folder.name, f"scores deviate by {deviation:.3f}", flush=True)


def labels(count=CLASSES):
    return {"id2label": {i: f"class {i}" for i in range(count)}, "label2id": {f"class {i}": i for i in range(count)}}


def vit(out, paths, name="vit", **more):
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8,
        attn_implementation="eager", **labels(),
    )  # fmt: skip
    processor = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})
    classifier_folder(out / name, transformers.ViTForImageClassification(config), processor, paths, **more)


def deit(out, paths):
    config = transformers.DeiTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8,
        attn_implementation="eager", **labels(),
    )  # fmt: skip
    processor = transformers.DeiTImageProcessorPil(size={"height": 41, "width": 40}, crop_size={"height": 32, "width": 32})
    classifier_folder(out / "deit", transformers.DeiTForImageClassification(config), processor, paths)


def bit(out, paths):
    config = transformers.BitConfig(
        embedding_size=16, hidden_sizes=[32, 64], depths=[1, 1], num_groups=4, layer_type="preactivation", **labels()
    )
    processor = transformers.BitImageProcessorPil(size={"shortest_edge": 40}, crop_size={"height": 33, "width": 33})
    classifier_folder(out / "bit", transformers.BitForImageClassification(config), processor, paths)


def resnet(out, paths):
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", **labels())
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": 48}, resample=2)
    classifier_folder(out / "resnet", transformers.ResNetForImageClassification(config), processor, paths)


def convnext(out, paths, name="convnext", side=48):
    config = transformers.ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2, **labels())
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": side}, crop_pct=0.9)
    classifier_folder(out / name, transformers.ConvNextForImageClassification(config), processor, paths)


def swin(out, paths):
    config = transformers.SwinConfig(
        image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=4, attn_implementation="eager",
        **labels(),
    )  # fmt: skip
    processor = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}, resample=3)
    classifier_folder(out / "swin", transformers.SwinForImageClassification(config), processor, paths, static_batch=True)


def timm_mobilenet(out, paths):
    folder = out / "timm-mobilenetv2"
    model = efficientnet._gen_mobilenet_v2("mobilenetv2_035", channel_multiplier=0.1, num_classes=CLASSES).eval()
    pretrained = {
        "input_size": [3, 48, 48], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
        "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    config = {
        "architecture": "mobilenetv2_035", "num_classes": CLASSES, "label_names": [f"n{i}" for i in range(CLASSES)],
        "label_descriptions": {f"n{i}": f"class {i}" for i in range(CLASSES)}, "pretrained_cfg": pretrained,
    }  # fmt: skip
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained), is_training=False)
    images = [load_image(str(path)) for path in paths]
    tensors = [transform(image)[None] for image in images]
    with torch.no_grad():
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        model.train()
        model(torch.cat(tensors))
        model.eval()
        spread(model.classifier, model, tensors, 0.0, 1.5)
        expected = []
        for path, image, tensor in zip(paths, images, tensors):
            pixels = np.asarray(T.Compose(transform.transforms[:2])(image))
            expected.append(expected_scores(path, pixels, tensor[0].numpy(), model(tensor)[0].softmax(-1)))
    export(model, (tensors[0],), folder / "onnx" / "model.onnx", ["pixel_values"], ["logits"], axes_of(["pixel_values", "logits"]))
    write_json(folder / "config.json", config)
    finish_scores(folder, expected)


class SoftmaxAtTheEnd(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(pixel_values=images).logits.softmax(-1)


def ultralytics_classifier(out, paths):
    """The form of `yolo export` of a classifier: metadata, the softmax within, torchvision's transforms."""
    folder = out / "ultralytics-classify"
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", **labels())
    model = transformers.ResNetForImageClassification(config).eval()
    transform = T.Compose([T.Resize(48, T.InterpolationMode.BILINEAR), T.CenterCrop(48)])
    images = [transform(load_image(str(path))) for path in paths]
    tensors = [T.ToTensor()(image)[None] for image in images]
    spread(model.classifier[-1], lambda tensor: model(pixel_values=tensor), tensors, 0.0, 1.5)
    whole = SoftmaxAtTheEnd(model)
    with torch.no_grad():
        expected = [
            expected_scores(path, np.asarray(image), tensor[0].numpy(), whole(tensor)[0])
            for path, image, tensor in zip(paths, images, tensors)
        ]
    export(whole, (tensors[0],), folder / "model.onnx", ["images"], ["output0"], {})
    graph = onnx.load(folder / "model.onnx")
    onnx.helper.set_model_props(graph, {"task": "classify", "imgsz": "[48, 48]", "names": str(NAMES)})
    onnx.save(graph, folder / "model.onnx")
    finish_scores(folder, expected)


# ---- Detectors ----


def detector_names(count):
    names = {i: f"thing {i}" for i in range(count)}
    names[2] = "N/A"
    return {"id2label": names, "label2id": {name: i for i, name in names.items()}}


def heads_of(columns):
    """Means and deviations of the boxes, and of the logits of this many classes."""
    return {4: (0.0, 0.4), columns: (-3.5, 1.4)}


def finish_detections(folder, expected, names):
    counts = [len(item["detections"]) for item in expected]
    scores = [one["score"] for item in expected for one in item["detections"]]
    print(folder.name, counts, f"scores deviate by {np.std(scores):.3f}", flush=True)
    assert sum(count > 0 for count in counts) >= 20 and 4 <= np.median(counts) <= 50, (folder.name, counts)
    assert np.std(scores) >= 0.05
    write_json(folder / "expected.json", {"kind": "detection", "floor": FLOOR, "class_names": names, "images": expected})


def detr_folder(folder, paths, mask_shape=None):
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic", out_features=["stage4"]
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone, d_model=32,
        encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=48,
        decoder_ffn_dim=48, num_queries=20, dropout=0.0, attn_implementation="eager", **detector_names(6),
    )  # fmt: skip
    model = transformers.DetrForObjectDetection(config).eval()
    processor = transformers.DetrImageProcessorPil(
        size={"shortest_edge": 80, "longest_edge": 107}, pad_size={"height": 128, "width": 107}
    )
    if mask_shape is None:
        processor.pad_size = {"height": 107, "width": 107}
    images = [load_image(str(path)) for path in paths]
    encoded = [processor(image, return_tensors="pt") for image in images]

    def run(item):
        return model(pixel_values=item["pixel_values"], pixel_mask=item["pixel_mask"])

    condition(model, run, {name: torch.cat([item[name] for item in encoded]) for name in ("pixel_values", "pixel_mask")})
    with torch.no_grad():
        # Fresh queries are all but equal and look everywhere: let each look somewhere else.
        model.model.query_position_embeddings.weight.normal_(0, 3)
        for name, weight in model.named_parameters():
            if "decoder" in name and "attn.q_proj.weight" in name:
                weight *= 8
    spread(model.class_labels_classifier, run, encoded, [0.0] * 6 + [1.0], 1.5)
    spread(model.bbox_predictor.layers[-1], run, encoded, [0.0, 0.0, -0.5, -0.5], [1.2, 1.2, 0.7, 0.7])
    expected = []
    for path, image, item in zip(paths, images, encoded):
        with torch.no_grad():
            result = processor.post_process_object_detection(
                run(item), threshold=FLOOR, target_sizes=torch.tensor([[image.height, image.width]])
            )[0]
        raw = processor(image, return_tensors="np", do_rescale=False, do_normalize=False)
        mask = item["pixel_mask"][0].numpy()
        height, width = int(mask[:, 0].sum()), int(mask[0].sum())
        pixels = np.asarray(raw["pixel_values"][0])[:, :height, :width].astype(np.uint8).transpose(1, 2, 0)
        expected.append({
            "file": path.name, "pixels_sha256": sha256(pixels), "tensor_sha256": sha256(item["pixel_values"][0].numpy()),
            "detections": detections(result, image.width, image.height),
        })  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    processor.save_pretrained(folder)
    mask = encoded[0]["pixel_mask"] if mask_shape is None else torch.ones(mask_shape, dtype=torch.int64)
    dynamic = (
        ("pixel_values", "pixel_mask", "logits", "pred_boxes") if mask_shape is None else ("pixel_values", "logits", "pred_boxes")
    )
    export(
        Outputs(model, ["logits", "pred_boxes"]), (encoded[0]["pixel_values"], mask), folder / "onnx" / "model.onnx",
        ["pixel_values", "pixel_mask"], ["logits", "pred_boxes"], axes_of(dynamic),
    )  # fmt: skip
    names = [name for name in detector_names(6)["id2label"].values() if name != "N/A"]
    finish_detections(folder, without_unused(expected), names)
    return model, encoded


def without_unused(expected, unused=2):
    """Class numbers as verilabel counts them: those that stand for no class are left out."""
    for item in expected:
        item["detections"] = [
            one | {"class": one["class"] - (one["class"] > unused)} for one in item["detections"] if one["class"] != unused
        ]
    return expected


def detr(out, paths):
    detr_folder(out / "detr", paths)


def detr_coarse_mask(out, paths):
    """pixel_mask [batch, 64, 64], whatever the image, as many published graphs have it."""
    detr_folder(out / "detr-coarse-mask", paths, (1, 64, 64))


def rt_detr_model(kind, columns):
    names = {"id2label": {i: f"thing {i}" for i in range(columns)}, "label2id": {f"thing {i}": i for i in range(columns)}}
    small = dict(
        d_model=16, encoder_hidden_dim=16, encoder_in_channels=[8, 12, 16], feat_strides=[8, 16, 32], encoder_layers=1,
        encoder_ffn_dim=24, encoder_attention_heads=2, decoder_in_channels=[16, 16, 16], decoder_ffn_dim=24, num_queries=30,
        decoder_layers=2, decoder_attention_heads=2, num_denoising=0, hidden_expansion=0.5, dropout=0.0, **names,
    )  # fmt: skip
    resnet = dict(
        embedding_size=8, hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    if kind == "rt_detr":
        config = transformers.RTDetrConfig(backbone_config=transformers.RTDetrResNetConfig(**resnet), **small)
        return transformers.RTDetrForObjectDetection(config).eval()
    if kind == "rt_detr_v2":
        config = transformers.RTDetrV2Config(backbone_config=transformers.RTDetrResNetConfig(**resnet), **small)
        return transformers.RTDetrV2ForObjectDetection(config).eval()
    config = transformers.DFineConfig(backbone_config=transformers.RTDetrResNetConfig(**resnet), **small)
    return transformers.DFineForObjectDetection(config).eval()


def prepare_rt_detr(model, processor, paths, columns):
    images = [load_image(str(path)) for path in paths]
    tensors = [processor(image, return_tensors="pt")["pixel_values"] for image in images]

    def run(tensor):
        return model(pixel_values=tensor)

    condition(model, run, torch.cat(tensors))
    spread_heads(model, run, tensors, heads_of(columns))
    return images, tensors, run


def expected_detections(path, image, processor, tensor, result):
    pixels = processed(processor, image)[1]
    return {
        "file": path.name, "pixels_sha256": sha256(pixels), "tensor_sha256": sha256(tensor[0].numpy()),
        "detections": detections(result, image.width, image.height),
    }  # fmt: skip


def rt_detr(out, paths, kind="rt_detr"):
    folder = out / kind.replace("_", "-")
    model = rt_detr_model(kind, 6)
    processor = transformers.RTDetrImageProcessorPil(size={"height": 64, "width": 96})
    images, tensors, run = prepare_rt_detr(model, processor, paths, 6)
    with torch.no_grad():
        answers = [run(tensor) for tensor in tensors]
    expected = []
    for path, image, tensor, answer in zip(paths, images, tensors, answers):
        sizes = torch.tensor([[image.height, image.width]])
        result = processor.post_process_object_detection(answer, threshold=FLOOR, target_sizes=sizes)[0]
        expected.append(expected_detections(path, image, processor, tensor, result))
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    graph = folder / "onnx" / "model.onnx"
    export(Outputs(model, ["logits", "pred_boxes"]), (tensors[0],), graph, ["pixel_values"], ["logits", "pred_boxes"], {})
    require_same_answers(graph, [[tensor] for tensor in tensors], [(answer.logits, answer.pred_boxes) for answer in answers])
    finish_detections(folder, expected, [f"thing {i}" for i in range(6)])


class OriginalForm(nn.Module):
    """Inputs and outputs of the exports of the RT-DETR and D-FINE repositories."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images, orig_target_sizes):
        output = self.model(pixel_values=images)
        columns = output.logits.shape[-1]
        scores, index = torch.topk(output.logits.sigmoid().flatten(1), output.logits.shape[1], dim=-1)
        query = index // columns
        cx, cy, w, h = output.pred_boxes.unbind(-1)
        boxes = torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), -1)
        boxes = boxes * orig_target_sizes.repeat(1, 2).unsqueeze(1)
        return index - query * columns, boxes.gather(1, query.unsqueeze(-1).repeat(1, 1, 4)), scores


def original_form(out, paths):
    folder = out / "rt-detr-original"
    model = rt_detr_model("rt_detr", 6)
    processor = transformers.RTDetrImageProcessorPil(size={"height": 64, "width": 64})
    images = [load_image(str(path)) for path in paths]
    prepare_rt_detr(model, processor, paths, 6)
    transform = T.Compose([T.Resize((64, 64)), T.ToTensor()])
    whole = OriginalForm(model).eval()
    inputs = [(transform(image)[None], torch.tensor([[image.width, image.height]])) for image in images]
    with torch.no_grad():
        answers = [whole(*item) for item in inputs]
    expected = []
    for path, image, (tensor, _), (found, boxes, scores) in zip(paths, images, inputs, answers):
        kept = scores[0] > FLOOR
        result = {"scores": scores[0][kept], "labels": found[0][kept], "boxes": boxes[0][kept]}
        expected.append(expected_detections(path, image, processor, tensor, result))
    graph = folder / "model.onnx"
    export(whole, inputs[0], graph, ["images", "orig_target_sizes"], ["labels", "boxes", "scores"], {})
    require_same_answers(graph, inputs, answers)
    write_json(folder / "model.verilabel.json", {"class_names": [f"thing {i}" for i in range(6)]})
    finish_detections(folder, expected, [f"thing {i}" for i in range(6)])


STEP = 211  # every so many numbers of a tensor


def narrow_rf_detr(config):
    """RF-DETR's own network with a backbone of 16 channels in place of DINOv2's 384, in the form that it exports."""
    published = dinov2.get_config
    narrow = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 4, "mlp_ratio": 2}
    with (
        mock.patch.object(dinov2, "get_config", lambda *size: published(*size) | narrow),
        mock.patch.dict(dinov2.size_to_width, {"small": 16}),
    ):
        settings = config(
            pretrain_weights=None, patch_size=16, resolution=64, positional_encoding_size=4, num_windows=2,
            out_feature_indexes=[1, 2, 3, 4], hidden_dim=16, sa_nheads=2, ca_nheads=2, dec_layers=2, num_queries=30, num_select=30,
            group_detr=1, num_classes=6, device="cpu",
        )  # fmt: skip
        defaults = dataclasses.replace(lwdetr.MODEL_DEFAULTS, dim_feedforward=32)
        model = lwdetr.build_model_from_config(settings, defaults=defaults).eval()
    model.export()
    return model


def rf_detr(out, paths, name="rf-detr", config=rfdetr.config.RFDETRNanoConfig):
    """Preprocessing, network and what follows it are RF-DETR's. It resizes floats, whose last bits are the processor's."""
    folder = out / name
    outputs = ["dets", "labels", "masks"] if config.model_fields["segmentation_head"].default else ["dets", "labels"]
    model = narrow_rf_detr(config)
    images = [load_image(str(path)) for path in paths]
    tensors = [torch.from_numpy(preprocess_to_nchw(image, 64, 64)) for image in images]
    condition(model, model, torch.cat(tensors))
    spread_heads(model, model, tensors, heads_of(7))
    with torch.no_grad():
        answers = [model(tensor) for tensor in tensors]
    expected = []
    for path, image, tensor, answer in zip(paths, images, tensors, answers):
        named = dict(zip(("pred_boxes", "pred_logits", "pred_masks"), answer))
        result = PostProcess(num_select=30)(named, torch.tensor([[image.height, image.width]]))[0]
        kept = result["scores"] > FLOOR
        result = {key: values[kept] for key, values in result.items()}
        some = [round(float(value), 6) for value in tensor.flatten()[::STEP]]
        expected.append({
            "file": path.name, "tensor_step": STEP, "tensor": some, "detections": detections(result, image.width, image.height),
        })  # fmt: skip
    graph = folder / "model.onnx"
    export(model, (tensors[0],), graph, ["input"], outputs, {})
    require_same_answers(graph, [[tensor] for tensor in tensors], answers)
    names = ["N/A"] + [f"thing {i}" for i in range(6)]
    write_json(folder / "model.verilabel.json", {"class_names": names})
    finish_detections(folder, without_unused(expected, 0), names[1:])


def plain_graph(exporter_result, path):
    """What PyTorch's newer exporter made, without where in the source each node comes from: four fifths of the file."""
    graph = exporter_result.model_proto
    for part in [graph, graph.graph, *graph.graph.node, *graph.functions, *graph.graph.value_info]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, str(path))


def with_masks(boxes, segments):
    """The masks of the detections in `boxes`; the reference leaves out those that are empty, and says which are left by class and
    score."""
    left = list(zip(segments["segments_info"], segments["segmentation"]))
    masks = []
    for score, label in zip(boxes["scores"].tolist(), boxes["labels"].tolist()):
        is_next = left and (left[0][0]["label_id"], left[0][0]["score"]) == (label, round(score, 6))
        masks.append(left.pop(0)[1] if is_next else torch.zeros_like(segments["segmentation"][0]))
    assert not left
    return boxes | {"masks": [mask[None] for mask in masks]}


def rf_detr_transformers(out, paths):
    """RF-DETR as transformers has it. It resizes floats, as the package `rfdetr` does. Only the newer exporter knows its
    operations."""
    folder = out / "rf-detr-transformers"
    side = {"height": 96, "width": 96}
    names = {i: f"thing {i}" for i in range(6)}
    backbone = RfDetrDinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=96, patch_size=16, num_windows=2,
        out_indices=[1, 2, 3, 4], drop_path_rate=0.0,
    )  # fmt: skip
    config = transformers.RfDetrConfig(
        backbone_config=backbone, d_model=16, dropout=0.0, decoder_ffn_dim=32, decoder_layers=2, decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2, num_queries=30, group_detr=1, c2f_num_blocks=1, id2label=names,
        label2id={name: i for i, name in names.items()},
    )  # fmt: skip
    model = transformers.RfDetrForInstanceSegmentation(config).eval()
    processor = transformers.RfDetrImageProcessor(size=side)
    images, tensors, run = prepare_rt_detr(model, processor, paths, 6)
    with torch.no_grad():
        answers = [run(tensor) for tensor in tensors]
    expected = []
    for path, image, tensor, answer in zip(paths, images, tensors, answers):
        settings = {"threshold": FLOOR, "target_sizes": torch.tensor([[image.height, image.width]])}
        boxes = processor.post_process_object_detection(answer, **settings)[0]
        segments = processor.post_process_instance_segmentation(answer, **settings, return_binary_maps=True)[0]
        some = [round(float(value), 6) for value in tensor.flatten()[::STEP]]
        expected.append({
            "file": path.name, "tensor_step": STEP, "tensor": some,
            "detections": detections(with_masks(boxes, segments), image.width, image.height),
        })  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    processor.save_pretrained(folder)
    graph = folder / "onnx" / "model.onnx"
    outputs = ["logits", "pred_boxes", "pred_masks"]
    program = torch.onnx.export(
        Outputs(model, outputs).eval(), (tensors[0],), input_names=["pixel_values"], output_names=outputs, dynamo=True
    )
    plain_graph(program, graph)
    require_same_answers(
        graph, [[tensor] for tensor in tensors], [tuple(getattr(answer, name) for name in outputs) for answer in answers]
    )
    finish_detections(folder, expected, list(names.values()))


# ---- Processors alone ----


def sides(height, width):
    return {"height": height, "width": width}


def shortest(side):
    return {"shortest_edge": side}


OFFSET = {"rescale_factor": 1 / 127.5, "rescale_offset": True, "include_top": False}
PROCESSORS = {
    "beit-crop": ("Beit", {"size": sides(40, 44), "do_center_crop": True, "crop_size": sides(31, 37)}),
    "bit-enlarging-crop": ("Bit", {"size": shortest(20), "crop_size": sides(33, 28)}),
    "clip": ("CLIP", {"size": shortest(32), "crop_size": sides(32, 32)}),
    "efficientnet": ("EfficientNet", {"size": sides(40, 40), "resample": 0}),
    "efficientnet-offset": ("EfficientNet", {"size": sides(40, 40), "do_center_crop": True, "crop_size": sides(36, 35)} | OFFSET),
    "mobilevit": ("MobileViT", {"size": shortest(36), "crop_size": sides(32, 32)}),
    "mobilenet-v1": ("MobileNetV1", {"size": shortest(36), "crop_size": sides(32, 32)}),
    "mobilenet-v2": ("MobileNetV2", {"size": shortest(37), "crop_size": sides(32, 32)}),
    "levit": ("Levit", {"size": shortest(32), "crop_size": sides(32, 32)}),
    "poolformer": ("PoolFormer", {"size": shortest(32), "crop_size": sides(32, 32)}),
    "pvt": ("Pvt", {"size": sides(32, 32)}),
    "segformer": ("Segformer", {"size": sides(48, 40)}),
    "siglip": ("Siglip", {"size": sides(48, 48)}),
    "vit-lanczos": ("ViT", {"size": sides(33, 29), "resample": 1}),
    "vit-box": ("ViT", {"size": sides(33, 29), "resample": 4}),
    "vit-hamming": ("ViT", {"size": sides(33, 29), "resample": 5, "do_rescale": False}),
    "vit-plain": ("ViT", {"size": sides(33, 29), "do_normalize": False}),
    "detr-bounded": ("Detr", {"size": shortest(80) | {"longest_edge": 100}, "do_pad": False}),
}


def processors(out, paths):
    folder = out / "processors"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (kind, settings) in PROCESSORS.items():
        processor = getattr(transformers, kind + "ImageProcessorPil")(**settings)
        expected = []
        for path in paths:
            image = load_image(str(path))
            tensor, pixels = processed(processor, image)
            if kind == "MobileViT":
                pixels = pixels[..., ::-1]  # hashed as red, green, blue
            expected.append({
                "file": path.name, "size_wh": [tensor.shape[2], tensor.shape[1]], "pixels_sha256": sha256(pixels),
                "tensor_sha256": sha256(np.asarray(tensor, np.float32)),
            })  # fmt: skip
        config = json.loads(processor.to_json_string())
        write_json(folder / f"{name}.json", {"preprocessor_config": config, "images": expected})
        print(name, flush=True)


CASES = {
    "vit": vit,
    "vit-multilabel": lambda out, paths: vit(out, paths, "vit-multilabel", problem_type="multi_label_classification"),
    "vit-fp16": lambda out, paths: vit(out, paths, "vit-fp16", half=True),
    "deit": deit,
    "bit": bit,
    "resnet": resnet,
    "convnext": convnext,
    "convnext-384": lambda out, paths: convnext(out, paths, "convnext-384", 384),
    "swin": swin,
    "timm-mobilenetv2": timm_mobilenet,
    "ultralytics-classify": ultralytics_classifier,
    "detr": detr,
    "detr-coarse-mask": detr_coarse_mask,
    "rt-detr": rt_detr,
    "rt-detr-v2": lambda out, paths: rt_detr(out, paths, "rt_detr_v2"),
    "d-fine": lambda out, paths: rt_detr(out, paths, "d_fine"),
    "rt-detr-original": original_form,
    "rf-detr": rf_detr,
    "rf-detr-seg": lambda out, paths: rf_detr(out, paths, "rf-detr-seg", rfdetr.config.RFDETRSegNanoConfig),
    "rf-detr-transformers": rf_detr_transformers,
    "processors": processors,
}


if __name__ == "__main__":
    run_cases(CASES, "")
