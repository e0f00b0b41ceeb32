"""Small SAM and SAM 2 graphs with random weights, in both forms in which they are published, and the masks that transformers and
segment_anything make of boxes and points on made-up images: export_segment_anything.py OUT [CASE …].

Writes to OUT, which is tests/parity/fixtures in the repository:
    images/*                  made-up images: tall, wide, tiny, grey, with alpha, turned by EXIF
    segment_anything/CASE/    a model folder as such models are published: two graphs, configurations where the form has them
    segment_anything/CASE/expected.json
                              for each image hashes of its pixels in the input, every so many values of the tensor, `input_wh` that
                              it fills, and `prompts`: `box_xyxy_px` or `points_xy_px` with `point_labels`, the model's `iou_scores`
                              of three masks, which is `best`, and that one's `mask` (COCO's compressed runs) in the upright image
    segment_anything/CASE/everything.json
                              for each image the `masks` and their `score`, best first, that points on a grid of `points_per_side`
                              find, without suppression (`nms_iou` 1) and with the usual one, and the thresholds that it was done
                              with: near usual values, and away from those of all candidates, for engines sum in other orders

Needs the environment that README.md describes. The reference is PyTorch on the CPU; images are resized by Pillow.
"""

from unittest import mock

import numpy as np
import segment_anything
import torch
import torch.nn.functional as F
import transformers
from fixture import (
    coco_counts,
    export,
    report_faults,
    require_same_answers,
    rounded,
    run_cases,
    samples,
    sha256,
    spread,
    stir,
    write_json,
)
from PIL import Image
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.utils.amg import build_point_grid, calculate_stability_score
from segment_anything.utils.onnx import SamOnnxModel
from torch import nn
from transformers.image_utils import load_image
from transformers.models.sam2 import image_processing_sam2

SIDE = 128  # of the input; the published models have 1024, with patches of 16 as here
SAMPLED = 331


def boxes_of(rng, width, height, count=4):
    """Boxes of many sizes, in tenths of pixels; the first is the image."""
    corners = rng.uniform((0, 0), (width, height), (count, 2, 2))
    low, high = corners.min(1), corners.max(1)
    boxes = np.concatenate([low, np.maximum(high, low + 1)], 1).round(1)
    return [[0.0, 0.0, float(width), float(height)], *boxes[1:].tolist()]


def prompt_entry(prompt, iou_scores, masks):
    """`masks`: three of them, in the image."""
    scores = torch.as_tensor(iou_scores)
    best = int(scores.argmax())
    return prompt | {"iou_scores": rounded(scores), "best": best, "mask": coco_counts(masks[best])}


def is_clear(iou_scores):
    """The best mask is so whatever the order of sums."""
    first, second = torch.as_tensor(iou_scores).topk(2).values
    return first - second > 2e-3


def write_masks(folder, images, **content):
    scores = np.array([one["iou_scores"] for image in images for one in image["prompts"]])
    counts = [len(image["prompts"]) for image in images]
    areas = [area for image in images for area in image.pop("areas")]
    bests = [one["best"] for image in images for one in image["prompts"]]
    print(
        f"{folder.name}: {min(counts)} to {max(counts)} prompts an image; scores deviate by {scores.std(0).min():.3f};"
        f" a mask has {np.mean(areas):.2f} ± {np.std(areas):.2f} of the image; the first, second, third is the best"
        f" {np.bincount(bests, minlength=3).tolist()} times",
        flush=True,
    )
    assert min(counts) >= 2 and scores.std(0).min() >= 0.05 and 0.1 <= np.mean(areas) <= 0.9
    write_json(folder / "expected.json", {"kind": "prompted_masks"} | content | {"images": images})


def vary(model):
    """Fresh weights tell neither images nor prompts apart."""
    stir(model)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "rel_pos" in name or "pos_embed" in name or "no_memory" in name:
                weights.normal_(0, 0.3)
        for module in model.modules():
            if isinstance(module, nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight)


# ---- Everything: points on a grid ----

POINTS_PER_SIDE = 5


def clear_limit(values, wanted, margin, least=-np.inf):
    """The number from `least` on nearest to `wanted` that is further than `margin` from all values."""
    values = np.asarray(values, np.float64)
    candidates = [wanted] + [value + side for value in values for side in (-1.01 * margin, 1.01 * margin)]
    candidates = [one for one in candidates if one >= least]
    return min((one for one in candidates if not (np.abs(values - one) < margin).any()), key=lambda one: abs(one - wanted))


def write_everything(folder, paths, images, ask, generate):
    """`ask(image, points)`: scores [points, masks] and logits [points, masks, height, width] of the image's size.
    `generate(image, min_iou, min_stability, offset, nms_iou)`: pairs of score and mask, by the reference."""
    entries = []
    for path, image in zip(paths, images):
        scores, logits = ask(image, build_point_grid(POINTS_PER_SIDE) * [image.width, image.height])
        offset = round(float(logits.abs().quantile(0.1)), 4)
        stable = calculate_stability_score(logits.flatten(0, 1), 0.0, offset)
        stable = stable[~stable.isnan()].numpy()
        min_iou = round(float(clear_limit(scores.flatten().numpy(), np.quantile(scores.numpy(), 0.7), 1e-3)), 5)
        min_stability = round(float(clear_limit(stable, np.quantile(stable, 0.3), 2e-3, 0)), 5)
        for nms_iou in (1.0, 0.7):
            found = generate(image, min_iou, min_stability, offset, nms_iou)
            entries.append({
                "file": path.name, "min_iou": min_iou, "min_stability": min_stability, "stability_offset": offset,
                "nms_iou": nms_iou,
                "masks": [{"score": round(float(score), 6), "mask": coco_counts(mask)} for score, mask in found],
            })  # fmt: skip
    counts = {nms_iou: [len(one["masks"]) for one in entries if one["nms_iou"] == nms_iou] for nms_iou in (1.0, 0.7)}
    print(f"{folder.name}: everything is so many masks an image: {counts}", flush=True)
    assert np.median(counts[1.0]) >= 5 and sum(counts[0.7]) < sum(counts[1.0]) and max(counts[0.7]) > 1, counts
    write_json(folder / "everything.json", {"points_per_side": POINTS_PER_SIDE, "images": entries})


def write_everything_of_transformers(folder, paths, images, model, processor):
    pipeline = transformers.pipeline("mask-generation", model=model, image_processor=processor.image_processor)

    def ask(image, points):
        points = [[[[float(x), float(y)]] for x, y in points]]
        encoded = processor(images=image, input_points=points, input_labels=[[[1]] * len(points[0])], return_tensors="pt")
        sizes = {name: encoded[name] for name in ("original_sizes", "reshaped_input_sizes") if name in encoded}
        found = model(
            pixel_values=encoded["pixel_values"], input_points=encoded["input_points"].float(), input_labels=encoded["input_labels"]
        )
        return found.iou_scores[0], processor.post_process_masks(found.pred_masks, binarize=False, **sizes)[0]

    def generate(image, min_iou, min_stability, offset, nms_iou):
        found = pipeline(
            image, points_per_crop=POINTS_PER_SIDE, pred_iou_thresh=min_iou, stability_score_thresh=min_stability,
            stability_score_offset=offset, crops_nms_thresh=nms_iou,
        )  # fmt: skip
        return list(zip(found["scores"].tolist(), found["masks"]))

    write_everything(folder, paths, images, ask, generate)


def stretched_coordinates(target_size, coords, original_size, is_bounding_box=False):
    """What SAM 2's own generator of masks does: each axis has its own scale, as images are stretched. That of transformers 5.24
    gives points as if images kept their shape, so that a grid covers only a part of an oblong image."""
    height, width = original_size
    return coords.float() * torch.tensor([target_size / width, target_size / height])


class PillowSam2Processor(transformers.Sam2ImageProcessor):
    """Resizes with Pillow; there is none such."""

    def preprocess(self, images, **_):
        images = [self.process_image(image) for image in (images if isinstance(images, list) else [images])]
        size = (self.size["width"], self.size["height"])
        tensors = []
        for image in images:
            pixels = Image.fromarray(image.permute(1, 2, 0).numpy()).resize(size, Image.Resampling.BILINEAR)
            tensors.append(normalised(np.asarray(pixels), self))
        return transformers.BatchFeature(
            {"pixel_values": torch.cat(tensors), "original_sizes": [list(image.shape[-2:]) for image in images]}, tensor_type="pt"
        )


def normalised(pixels, image_processor):
    mean, std = torch.tensor(image_processor.image_mean), torch.tensor(image_processor.image_std)
    return ((torch.from_numpy(pixels.copy()).float() / 255 - mean) / std).permute(2, 0, 1)[None]


# ---- SAM, the form of transformers ----


def sam_model():
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32, "output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE,
            "patch_size": 16, "window_size": 5, "global_attn_indexes": [1], "num_pos_feats": 16, "mlp_dim": 64,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32,
        },
        attn_implementation="eager",
    )  # fmt: skip
    return transformers.SamModel(config).eval()


class SamEncoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        positions = self.model.get_image_wide_positional_embeddings()
        return self.model.vision_encoder(pixel_values).last_hidden_state, positions.repeat(pixel_values.shape[0], 1, 1, 1)


class SamDecoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image_embeddings, image_positional_embeddings, input_points, input_labels, input_boxes=None):
        sparse, dense = self.model.prompt_encoder(
            input_points=input_points, input_labels=input_labels, input_boxes=input_boxes, input_masks=None
        )
        masks, scores = self.model.mask_decoder(
            image_embeddings=image_embeddings, image_positional_embeddings=image_positional_embeddings,
            sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense, multimask_output=True,
        )[:2]  # fmt: skip
        return scores, masks


IOU_SPREAD = (torch.full((4,), 0.7), torch.full((4,), 0.15))
POINT_AXES = {0: "batch_size", 1: "point_batch_size", 2: "nb_points_per_image"}
BOX_AXES = {0: "batch_size", 1: "nb_boxes_per_image"}
OF_PROMPTS = {0: "batch_size", 1: "point_batch_size"}


def sam(out, paths, with_boxes):
    folder = out / ("sam-boxes" if with_boxes else "sam")
    model = sam_model()
    image_processor = transformers.SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE},
    )  # fmt: skip
    processor = transformers.SamProcessor(image_processor)
    images = [load_image(str(path)) for path in paths]
    rng = np.random.default_rng(11)
    inputs, prompts = [], []
    for image in images:
        boxes = boxes_of(rng, image.width, image.height)
        if with_boxes:
            encoded = processor(images=image, input_boxes=[boxes], return_tensors="pt")
            prompts.append([{"box_xyxy_px": box} for box in boxes])
        else:
            # Inside, and for every other image also one outside.
            count = 1 + len(inputs) % 2
            points = [[[(x1 + x2) / 2, (y1 + y2) / 2], [x1, y1]][:count] for x1, y1, x2, y2 in boxes]
            labels = [[1, 0][:count]] * len(boxes)
            encoded = processor(images=image, input_points=[points], input_labels=[labels], return_tensors="pt")
            prompts.append([{"points_xy_px": point, "point_labels": label} for point, label in zip(points, labels)])
        inputs.append({name: value.float() if value.dtype == torch.float64 else value for name, value in encoded.items()})

    def run(item):
        named = {name: value for name, value in item.items() if not name.endswith("_sizes")}
        return model(**named, multimask_output=True)

    vary(model)
    spread(model.mask_decoder.iou_prediction_head.proj_out, run, inputs, *IOU_SPREAD)
    answers = [run(item) for item in inputs]
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    image_processor.save_pretrained(folder)

    encoder, decoder = SamEncoder(model), SamDecoder(model)
    graph = folder / "onnx" / "vision_encoder.onnx"
    embeddings = {"image_embeddings": {0: "batch_size"}, "image_positional_embeddings": {0: "batch_size"}}
    export(
        encoder, (inputs[0]["pixel_values"],), graph, ["pixel_values"], list(embeddings),
        {"pixel_values": {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}} | embeddings,
    )  # fmt: skip
    encoded = [encoder(item["pixel_values"]) for item in inputs]
    require_same_answers(graph, [(item["pixel_values"],) for item in inputs], encoded)
    graph = folder / "onnx" / "prompt_encoder_mask_decoder.onnx"
    axes = embeddings | {"input_points": POINT_AXES, "input_labels": POINT_AXES, "iou_scores": OF_PROMPTS, "pred_masks": OF_PROMPTS}
    names = ["image_embeddings", "image_positional_embeddings", "input_points", "input_labels"]
    if with_boxes:
        names.append("input_boxes")
        axes["input_boxes"] = BOX_AXES
        count = [item["input_boxes"].shape[1] for item in inputs]
        given = [
            (*embedded, torch.zeros(1, n, 0, 2), torch.zeros(1, n, 0, dtype=torch.int64), item["input_boxes"])
            for embedded, item, n in zip(encoded, inputs, count)
        ]
    else:
        given = [(*embedded, item["input_points"], item["input_labels"]) for embedded, item in zip(encoded, inputs)]
    export(decoder, given[0], graph, names, ["iou_scores", "pred_masks"], axes)
    require_same_answers(graph, given, [(answer.iou_scores, answer.pred_masks) for answer in answers])

    expected = []
    for path, image, item, answer, asked in zip(paths, images, inputs, answers, prompts):
        masks = processor.post_process_masks(answer.pred_masks, item["original_sizes"], item["reshaped_input_sizes"])[0]
        height, width = item["reshaped_input_sizes"][0].tolist()
        raw = image_processor(image, return_tensors="np", do_rescale=False, do_normalize=False)["pixel_values"][0]
        pixels = raw[:, :height, :width].astype(np.uint8).transpose(1, 2, 0)
        expected.append(image_entry(path, item["pixel_values"][0], pixels, answer.iou_scores[0], masks, asked))
    write_masks(folder, expected, input_side=SIDE)
    if not with_boxes:
        write_everything_of_transformers(folder, paths, images, model, processor)

    others = inputs[0]
    image_processor.resample = 3
    resampled = [image_processor(image, return_tensors="pt")["pixel_values"] for image in images]
    report_faults(
        folder.name, lambda tensor: run(others | {"pixel_values": tensor}).iou_scores, [item["pixel_values"] for item in inputs],
        resampled,
    )  # fmt: skip


def image_entry(path, tensor, pixels, iou_scores, masks, asked):
    clear = [i for i in range(len(asked)) if is_clear(iou_scores[i])]
    return {
        "file": path.name, "input_wh": [pixels.shape[1], pixels.shape[0]], "pixels_sha256": sha256(pixels),
        **samples(tensor, SAMPLED),
        "prompts": [prompt_entry(asked[i], iou_scores[i], masks[i]) for i in clear],
        "areas": [float(masks[i][int(iou_scores[i].argmax())].float().mean()) for i in clear],
    }  # fmt: skip


# ---- SAM, the form of its repository ----


def meta_model():
    """The parts that segment_anything.build_sam puts together, narrow."""
    encoder = ImageEncoderViT(
        depth=2, embed_dim=32, img_size=SIDE, mlp_ratio=2, norm_layer=lambda width: nn.LayerNorm(width, eps=1e-6), num_heads=2,
        patch_size=16, qkv_bias=True, use_rel_pos=True, global_attn_indexes=[1], window_size=5, out_chans=32,
    )  # fmt: skip
    side = SIDE // 16
    prompts = PromptEncoder(embed_dim=32, image_embedding_size=(side, side), input_image_size=(SIDE, SIDE), mask_in_chans=4)
    decoder = MaskDecoder(
        num_multimask_outputs=3, transformer=TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=64, num_heads=2),
        transformer_dim=32, iou_head_depth=3, iou_head_hidden_dim=32,
    )  # fmt: skip
    return Sam(encoder, prompts, decoder, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]).eval()


class MetaDecoder(SamOnnxModel):
    """The original makes whole numbers of sizes in Python, so that a trace keeps those of its first image."""

    def mask_postprocessing(self, masks, orig_im_size):
        masks = F.interpolate(masks, size=(self.img_size, self.img_size), mode="bilinear", align_corners=False)
        inside = self.resize_longest_image_size(orig_im_size, self.img_size).to(torch.int64)
        masks = masks[..., : inside[0], : inside[1]]
        size = orig_im_size.to(torch.int64)
        return F.interpolate(masks, size=(size[0], size[1]), mode="bilinear", align_corners=False)


class MetaEncoder(nn.Module):
    def __init__(self, model, is_raw):
        super().__init__()
        self.model, self.is_raw = model, is_raw

    def forward(self, input_image):
        """Numbers from 0 to 255, rows of red, green, blue, of any size up to the input's; or what preprocessing makes of them."""
        if self.is_raw:
            image = (input_image - self.model.pixel_mean.flatten()) / self.model.pixel_std.flatten()
            image = image.permute(2, 0, 1)[None]
            input_image = F.pad(image, (0, SIDE - image.shape[3], 0, SIDE - image.shape[2]))
        return self.model.image_encoder(input_image)


def sam_meta(out, paths, is_raw):
    """`is_raw`: the encoder prepares pixels itself, and the decoder chooses one mask."""
    folder = out / ("sam-meta-raw" if is_raw else "sam-meta")
    model = meta_model()
    predictor = segment_anything.SamPredictor(model)
    images = [np.asarray(load_image(str(path))) for path in paths]
    resized = [predictor.transform.apply_image(image) for image in images]
    tensors = [model.preprocess(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()) for image in resized]
    rng = np.random.default_rng(12)
    boxes = [boxes_of(rng, image.shape[1], image.shape[0]) for image in images]

    def run(item):
        """All boxes of an image."""
        tensor, image, asked = item
        predictor.reset_image()
        predictor.features = model.image_encoder(tensor)
        predictor.original_size, predictor.is_image_set = image.shape[:2], True
        height, width = predictor.transform.get_preprocess_shape(*image.shape[:2], SIDE)
        predictor.input_size = (height, width)
        corners = predictor.transform.apply_boxes_torch(torch.tensor(asked), predictor.original_size)
        return *predictor.predict_torch(None, None, corners, multimask_output=True, return_logits=True), corners

    items = list(zip(tensors, images, boxes))
    vary(model)
    spread(model.mask_decoder.iou_prediction_head.layers[-1], run, items, *IOU_SPREAD)
    answers = [run(item) for item in items]

    folder.mkdir(parents=True, exist_ok=True)
    encoder = MetaEncoder(model, is_raw)
    given = [(torch.from_numpy(image.copy()).float(),) for image in resized] if is_raw else [(tensor,) for tensor in tensors]
    graph = folder / "sam.encoder.onnx"
    axes = {"input_image": {0: "image_height", 1: "image_width"}} if is_raw else {}
    export(encoder, given[0], graph, ["input_image"], ["image_embeddings"], axes)
    features = [model.image_encoder(tensor) for tensor in tensors]
    require_same_answers(graph, given, [(feature,) for feature in features])

    decoder = MetaDecoder(model, return_single_mask=is_raw)
    names = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"]
    graph = folder / "sam.decoder.onnx"
    side = 4 * SIDE // 16
    given = [
        (feature, corners.reshape(-1, 2, 2)[i : i + 1].float(), torch.tensor([[2.0, 3.0]]), torch.zeros(1, 1, side, side),
         torch.zeros(1), torch.tensor(image.shape[:2]).float())
        for feature, image, (*_, corners) in zip(features, images, answers) for i in range(len(corners))
    ]  # fmt: skip
    export(
        decoder, given[0], graph, names, ["masks", "iou_predictions", "low_res_masks"],
        {"point_coords": {1: "num_points"}, "point_labels": {1: "num_points"}},
    )  # fmt: skip
    found = [decoder(*item) for item in given]
    require_same_answers(graph, given, found)
    # The graph says what the predictor says.
    flat = [(scores[i], masks[i]) for masks, scores, _, corners in answers for i in range(len(corners))]
    for (masks, scores, _), (their_scores, their_masks) in zip(found, flat):
        best = their_scores.argmax()
        ours = (scores[0, 0], masks[0, 0]) if is_raw else (scores[0, 1:][best], masks[0, 1:][best])
        assert torch.allclose(ours[0], their_scores[best], atol=1e-5) and torch.allclose(ours[1], their_masks[best], atol=1e-3)

    expected = [
        image_entry(path, tensor[0], pixels, scores, masks > 0, [{"box_xyxy_px": box} for box in asked])
        for path, tensor, pixels, asked, (masks, scores, *_) in zip(paths, tensors, resized, boxes, answers)
    ]
    write_masks(folder, expected, input_side=SIDE)
    if not is_raw:

        def ask(image, points):
            image = np.asarray(image)
            predictor.set_image(image)
            coordinates = torch.as_tensor(predictor.transform.apply_coords(points[:, None], image.shape[:2])).float()
            labels = torch.ones(len(points), 1, dtype=torch.int32)
            logits, scores, _ = predictor.predict_torch(coordinates, labels, multimask_output=True, return_logits=True)
            return scores, logits

        def generate(image, min_iou, min_stability, offset, nms_iou):
            generator = segment_anything.SamAutomaticMaskGenerator(
                model, points_per_side=POINTS_PER_SIDE, pred_iou_thresh=min_iou, stability_score_thresh=min_stability,
                stability_score_offset=offset, box_nms_thresh=nms_iou,
            )  # fmt: skip
            return [(one["predicted_iou"], one["segmentation"]) for one in generator.generate(np.asarray(image))]

        write_everything(folder, paths, [load_image(str(path)) for path in paths], ask, generate)
    report_faults(folder.name, lambda tensor: run((tensor, *items[0][1:]))[1], tensors)


# ---- SAM 2 ----


def sam2_model():
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=16, num_attention_heads=1, image_size=[SIDE, SIDE], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[16, 24, 32, 48], num_attention_heads_per_stage=[1, 1, 2, 2], window_size_per_stage=[8, 4, 4, 2],
        global_attention_blocks=[3], window_positional_embedding_background_size=[4, 4], mlp_ratio=2.0,
    )  # fmt: skip
    sizes = [[SIDE // 4, SIDE // 4], [SIDE // 8, SIDE // 8], [SIDE // 16, SIDE // 16]]
    config = transformers.Sam2Config(
        vision_config=transformers.Sam2VisionConfig(
            backbone_config=backbone, backbone_channel_list=[48, 32, 24, 16], backbone_feature_sizes=sizes, fpn_hidden_size=32
        ),
        prompt_encoder_config={"hidden_size": 32, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32,
        },
        attn_implementation="eager",
    )  # fmt: skip
    return transformers.Sam2Model(config).eval()


class Sam2Encoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return tuple(self.model.get_image_embeddings(pixel_values))


class Sam2Decoder(nn.Module):
    """Points and boxes together; any of them may be none."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_points, input_labels, input_boxes, fine, middle, coarse):
        sparse, dense = self.model.prompt_encoder(
            input_points=input_points, input_labels=input_labels, input_boxes=input_boxes, input_masks=None
        )
        masks, scores, _, is_object = self.model.mask_decoder(
            image_embeddings=coarse,
            image_positional_embeddings=self.model.get_image_wide_positional_embeddings().repeat(coarse.shape[0], 1, 1, 1),
            sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense, multimask_output=True,
            high_resolution_features=[fine, middle],
        )  # fmt: skip
        return scores, masks, is_object


class SamexporterDecoder(nn.Module):
    """Prompts are images of a batch, corners of boxes are points with labels 2 and 3."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image_embed, fine, middle, point_coords, point_labels, mask_input, has_mask_input):
        encoder = self.model.prompt_encoder
        count = point_coords.shape[0]
        sparse = encoder._embed_points(point_coords[:, None], point_labels[:, None].long(), pad=True)
        given = has_mask_input.reshape(-1, 1, 1, 1)
        none = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = given * encoder.mask_embed(mask_input) + (1 - given) * none
        masks, scores, _, _ = self.model.mask_decoder(
            image_embeddings=image_embed.expand(count, -1, -1, -1),
            image_positional_embeddings=self.model.get_image_wide_positional_embeddings().expand(count, -1, -1, -1),
            sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense, multimask_output=True,
            high_resolution_features=[fine.expand(count, -1, -1, -1), middle.expand(count, -1, -1, -1)],
        )  # fmt: skip
        return masks[:, 0].clamp(-32, 32), scores[:, 0]


def sam2(out, paths, is_samexporter):
    folder = out / ("sam2-samexporter" if is_samexporter else "sam2")
    model = sam2_model()
    image_processor = transformers.Sam2ImageProcessor(size={"height": SIDE, "width": SIDE})
    processor = transformers.Sam2Processor(image_processor)
    images = [load_image(str(path)) for path in paths]
    rng = np.random.default_rng(13)
    boxes = [boxes_of(rng, image.width, image.height) for image in images]
    inputs = [processor(images=image, input_boxes=[asked], return_tensors="pt") for image, asked in zip(images, boxes)]
    inputs = [{"pixel_values": item["pixel_values"], "input_boxes": item["input_boxes"].float()} for item in inputs]
    resized = [np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for image in images]
    std = torch.tensor(image_processor.image_std)
    for item, pixels in zip(inputs, resized):
        # The only processor that there is resizes with torchvision, which now and then is a level off.
        pillow = normalised(pixels, image_processor)
        levels = (pillow - item["pixel_values"]).abs() * std[:, None, None] * 255
        assert levels.max() < 1.001 and (levels > 0.1).float().mean() < 0.005
        item["pixel_values"] = pillow

    def run(item):
        return model(**item, multimask_output=True)

    vary(model)
    # A sigmoid follows.
    spread(model.mask_decoder.iou_prediction_head.proj_out, run, inputs, torch.full((4,), 0.8), torch.full((4,), 0.8))
    answers = [run(item) for item in inputs]
    folder.mkdir(parents=True, exist_ok=True)
    encoder = Sam2Encoder(model)
    encoded = [encoder(item["pixel_values"]) for item in inputs]
    if is_samexporter:
        graph = folder / "sam2.encoder.onnx"

        names = ["high_res_feats_0", "high_res_feats_1", "image_embed"]
        export(encoder, (inputs[0]["pixel_values"],), graph, ["image"], names, {})
        require_same_answers(graph, [(item["pixel_values"],) for item in inputs], encoded)
        graph = folder / "sam2.decoder.onnx"
        given = []
        for (fine, middle, coarse), item in zip(encoded, inputs):
            corners = item["input_boxes"][0].reshape(-1, 2, 2)
            count = len(corners)
            side = 4 * SIDE // 16
            given.append((
                coarse, fine, middle, corners, torch.tensor([[2.0, 3.0]]).repeat(count, 1), torch.zeros(count, 1, side, side),
                torch.zeros(1),
            ))  # fmt: skip
        of_labels = {0: "num_labels"}
        export(
            SamexporterDecoder(model), given[0], graph,
            ["image_embed", "high_res_feats_0", "high_res_feats_1", "point_coords", "point_labels", "mask_input", "has_mask_input"],
            ["masks", "iou_predictions"],
            {
                "point_coords": {0: "num_labels", 1: "num_points"}, "point_labels": {0: "num_labels", 1: "num_points"},
                "mask_input": of_labels, "masks": of_labels, "iou_predictions": of_labels,
            },
        )  # fmt: skip
        require_same_answers(graph, given, [(answer.pred_masks[0].clamp(-32, 32), answer.iou_scores[0]) for answer in answers])
    else:
        model.config.save_pretrained(folder)
        image_processor.save_pretrained(folder)
        graph = folder / "onnx" / "vision_encoder.onnx"
        names = [f"image_embeddings.{i}" for i in range(3)]
        axes = {name: {0: "batch_size"} for name in ["pixel_values", *names]}
        export(encoder, (inputs[0]["pixel_values"],), graph, ["pixel_values"], names, axes)
        require_same_answers(graph, [(item["pixel_values"],) for item in inputs], encoded)
        graph = folder / "onnx" / "prompt_encoder_mask_decoder.onnx"
        given = []
        for embedded, item in zip(encoded, inputs):
            count = item["input_boxes"].shape[1]
            given.append((torch.zeros(1, count, 0, 2), torch.zeros(1, count, 0, dtype=torch.int64), item["input_boxes"], *embedded))
        outputs = ["iou_scores", "pred_masks", "object_score_logits"]
        export(
            Sam2Decoder(model), given[0], graph, ["input_points", "input_labels", "input_boxes", *names], outputs,
            {name: {0: "batch_size"} for name in names} | {name: OF_PROMPTS for name in outputs}
            | {"input_points": POINT_AXES, "input_labels": POINT_AXES, "input_boxes": BOX_AXES},
        )  # fmt: skip
        require_same_answers(
            graph, given, [(answer.iou_scores, answer.pred_masks, answer.object_score_logits) for answer in answers]
        )
    expected = []
    for path, image, item, pixels, answer, asked in zip(paths, images, inputs, resized, answers, boxes):
        masks = processor.post_process_masks(answer.pred_masks, [(image.height, image.width)])[0]
        expected.append(
            image_entry(path, item["pixel_values"][0], pixels, answer.iou_scores[0], masks, [{"box_xyxy_px": box} for box in asked])
        )
    write_masks(folder, expected, input_side=SIDE)
    pillow = transformers.Sam2Processor(PillowSam2Processor(size={"height": SIDE, "width": SIDE}))
    with mock.patch.object(image_processing_sam2, "_normalize_coordinates", stretched_coordinates):
        write_everything_of_transformers(folder, paths, images, model, pillow)
    report_faults(
        folder.name, lambda tensor: run(inputs[0] | {"pixel_values": tensor}).iou_scores, [item["pixel_values"] for item in inputs]
    )


CASES = {
    "sam": lambda out, paths: sam(out, paths, False),
    "sam-boxes": lambda out, paths: sam(out, paths, True),
    "sam-meta": lambda out, paths: sam_meta(out, paths, False),
    "sam-meta-raw": lambda out, paths: sam_meta(out, paths, True),
    "sam2": lambda out, paths: sam2(out, paths, False),
    "sam2-samexporter": lambda out, paths: sam2(out, paths, True),
}


if __name__ == "__main__":
    run_cases(CASES, "segment_anything")
