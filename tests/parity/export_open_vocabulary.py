"""Small graphs of open-vocabulary detectors with random weights, and what transformers makes of made-up images and texts:
export_open_vocabulary.py OUT [CASE …].

Writes to OUT, which is tests/parity/fixtures in the repository:
    images/*                  made-up images: tall, wide, tiny, grey, with alpha, turned by EXIF
    open_vocabulary/CASE/     a model folder as such models are published: graph, tokenizer, configurations where the form has them
    open_vocabulary/CASE/expected.json
                              `labels`; `template` or `caption`, what they were put into; `texts` with their `input_ids`; for each
                              image hashes of pixels and tensor, or samples of the tensor, and the detections above `floor`: `class`
                              (an index into the labels), `score`, `box_xyxy_px` cut at the borders of the image; for the first
                              image also `outputs` of the graph, every so many values of each. Of Grounding DINO also the tokens of
                              each label (`token_spans`: first, and one past the last), which give a detection its class, and what
                              its own processor says (`reference`)

Needs the environment that README.md describes. The reference is the Pillow backend of the processors and PyTorch on the CPU.
"""

import contextlib
from unittest import mock

import numpy as np
import torch
import transformers
from fixture import (
    condition,
    detections,
    export,
    gather_embeddings,
    image_entry,
    processed,
    raw_outputs,
    report_faults,
    require_same_answers,
    rounded,
    run_cases,
    samples,
    spread,
    spread_heads,
    stir,
    write_detections,
)
from torch import nn
from transformers.image_transforms import center_to_corners_format
from transformers.image_utils import load_image
from transformers.models.grounding_dino import modeling_grounding_dino
from vocabulary import LABELS, ODD_TEXTS, bert_tokenizer, clip_tokenizer

# ---- OWL-ViT, OWLv2 ----


class OwlOutputs(nn.Module):
    """The outputs of Optimum's graph."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, pixel_values, attention_mask):
        found = self.model(input_ids=input_ids, pixel_values=pixel_values, attention_mask=attention_mask)
        return found.logits, found.pred_boxes, found.text_embeds, found.image_embeds


def owl(out, paths, version, side, patch, template):
    folder = out / f"owl{version.lower()}"
    kind = f"Owl{version}"
    tokenizer = clip_tokenizer(length=16, pad_token="!")
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
    config = getattr(transformers, f"{kind}Config")(
        text_config=small | marks | {"vocab_size": len(tokenizer), "max_position_embeddings": 16},
        vision_config=small | {"image_size": side, "patch_size": patch}, projection_dim=32, attn_implementation="eager",
    )  # fmt: skip
    model = getattr(transformers, f"{kind}ForObjectDetection")(config).eval()
    image_processor = getattr(transformers, f"{kind}ImageProcessorPil")(size={"height": side, "width": side})
    processor = getattr(transformers, f"{kind}Processor")(image_processor=image_processor, tokenizer=tokenizer)
    texts = [template.format(label) for label in LABELS]
    images = [load_image(str(path)) for path in paths]
    encoded = [processor(text=[texts], images=image, return_tensors="pt") for image in images]
    inputs = [(item["input_ids"], item["pixel_values"], item["attention_mask"]) for item in encoded]

    def run(item):
        return model(input_ids=item[0], pixel_values=item[1], attention_mask=item[2])

    stir(model)
    towers = model.owlvit if version == "ViT" else model.owlv2
    gather_embeddings(
        lambda item: run(item).text_embeds[0],
        inputs[:1],
        towers.text_model.final_layer_norm.bias,
        1.0,
        towers.text_projection.weight,
    )
    head = model.class_head
    for module, mean, deviation in (
        (head.dense0, 0.0, 1.0), (head.logit_scale, 3.0, 0.5), (head.logit_shift, -0.6, 0.6),
        (model.box_head.dense2, [0.0, 0.0, 0.8, 0.8], [0.5, 0.5, 0.7, 0.7]),
    ):  # fmt: skip
        spread(module, run, inputs, torch.as_tensor(mean), torch.as_tensor(deviation))
    answers = [run(item) for item in inputs]
    expected = []
    for path, image, item, answer in zip(paths, images, inputs, answers):
        sizes = torch.tensor([[image.height, image.width]])
        result = processor.post_process_grounded_object_detection(answer, 0.1, sizes, [LABELS])[0]
        found = detections(result, image.width, image.height)
        if version == "ViT":
            entry = image_entry(path, item[1][0], processed(image_processor, image)[1])
        else:
            entry = {"file": path.name} | samples(item[1][0])
        expected.append(entry | {"detections": found})
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    image_processor.save_pretrained(folder)
    clip_tokenizer(length=16, pad_token="!").save_pretrained(folder)
    graph = folder / "onnx" / "model.onnx"
    text_axes = {0: "text_batch_size", 1: "sequence_length"}
    export(
        OwlOutputs(model), inputs[0], graph, ["input_ids", "pixel_values", "attention_mask"],
        ["logits", "pred_boxes", "text_embeds", "image_embeds"],
        {
            "input_ids": text_axes, "attention_mask": text_axes,
            "pixel_values": {0: "image_batch_size", 1: "num_channels", 2: "height", 3: "width"},
            "logits": {0: "image_batch_size", 2: "num_queries"}, "pred_boxes": {0: "image_batch_size", 1: "num_boxes"},
            "text_embeds": {0: "text_batch_size", 1: "max_text_queries"}, "image_embeds": {0: "image_batch_size"},
        },
    )  # fmt: skip
    outputs = OwlOutputs(model)
    require_same_answers(graph, inputs, [outputs(*item) for item in inputs])
    expected[0]["outputs"] = raw_outputs(["logits", "pred_boxes"], outputs(*inputs[0])[:2])
    fewer = [(ids[:3], pixels, mask[:3]) for ids, pixels, mask in inputs[:2]]
    require_same_answers(graph, fewer, [outputs(*item) for item in fewer])

    other_kernel = None
    if version == "ViT":
        image_processor.resample = 2
        other_kernel = [image_processor(image, return_tensors="pt")["pixel_values"] for image in images]
        image_processor.resample = 3
    report_faults(
        folder.name, lambda tensor: run((inputs[0][0], tensor, inputs[0][2])).logits.amax(-1).sigmoid(),
        [item[1] for item in inputs], other_kernel,
    )  # fmt: skip
    tokens = [
        {"text": text, "input_ids": tokenizer(text, truncation=True)["input_ids"]} for text in dict.fromkeys(texts + ODD_TEXTS)
    ]
    scores = [answer.logits.amax(-1).sigmoid() for answer in answers]
    write_detections(
        folder, expected, scores, floor=0.1, labels=LABELS, template=template, text_length=16, pad_id=0, texts=tokens,
    )  # fmt: skip


# ---- Grounding DINO ----


def exportable_masks(input_ids, special_tokens):
    """generate_masks_with_special_tokens_and_transfer_map without cumulative maxima, which ONNX lacks."""
    at = torch.arange(input_ids.shape[1])
    length = at.amax() + 1
    is_special = (input_ids[..., None] == special_tokens).any(-1)[:, None]
    before = torch.where(is_special & (at < at[:, None]), at, -1).amax(-1)
    after = torch.where(is_special & (at >= at[:, None]), at, length).amin(-1)
    is_block = (after != 0) & (after != length - 1) & (after != length)
    mask = (at == at[:, None]) | ((after[:, :, None] == after[:, None]) & is_block[:, None])
    return mask, torch.where(is_block, at - before - 1, 0).clamp(min=0)


def exportable_linspace(start, end, steps, **settings):
    """Of unit steps, as they are here; the original's number of steps is fixed when it is traced."""
    return torch.arange(steps).to(settings["dtype"]) + start


def exportable_tensor(values, **settings):
    if isinstance(values, list) and isinstance(values[0], tuple) and isinstance(values[0][0], torch.Tensor):
        return torch.stack([torch.stack(sides) for sides in values])
    return AS_TENSOR(values, **settings)


AS_TENSOR = torch.as_tensor


@contextlib.contextmanager
def traceable():
    """Replaces what a trace of Grounding DINO would freeze at the first image and caption."""
    with (
        mock.patch.object(modeling_grounding_dino, "generate_masks_with_special_tokens_and_transfer_map", exportable_masks),
        mock.patch.object(torch, "linspace", exportable_linspace),
        mock.patch.object(torch, "as_tensor", exportable_tensor),
    ):
        yield


class GroundingDinoOutputs(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values, input_ids, token_type_ids, attention_mask, pixel_mask):
        found = self.model(
            pixel_values=pixel_values, input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask,
            pixel_mask=pixel_mask,
        )  # fmt: skip
        return found.logits, found.pred_boxes


class IdeaForm(nn.Module):
    """Inputs and outputs of the exports of IDEA's repository, which leave the masks of phrases to the caller."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, img, input_ids, attention_mask, position_ids, token_type_ids, text_token_mask):
        with mock.patch.object(
            modeling_grounding_dino, "generate_masks_with_special_tokens_and_transfer_map",
            lambda *_, **__: (text_token_mask, position_ids),
        ):  # fmt: skip
            found = self.model(
                pixel_values=img, input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask.long()
            )
        return found.logits, found.pred_boxes


def grounding_dino_model(vocabulary_size):
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    text = transformers.BertConfig(
        vocab_size=vocabulary_size, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=256,
    )  # fmt: skip
    config = transformers.GroundingDinoConfig(
        backbone_config=backbone, text_config=text, num_queries=20, encoder_layers=1, encoder_ffn_dim=48, encoder_attention_heads=4,
        decoder_layers=2, decoder_ffn_dim=48, decoder_attention_heads=4, d_model=32, dropout=0.0, fusion_droppath=0.0,
        disable_custom_kernels=True, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.GroundingDinoForObjectDetection(config).eval()
    # The eager attention of BERT adds a mask of truth values as numbers, so that phrases see each other.
    model.model.text_backbone.set_attn_implementation("sdpa")
    return model


def token_spans(tokenizer, labels):
    """Of each label the tokens that it became, between the separators: first, and one past the last."""
    caption = ". ".join(label.strip().lower() for label in labels) + "."
    encoded = tokenizer(caption, return_offsets_mapping=True)
    spans, start = [], 0
    for label in labels:
        end = start + len(label.strip().lower())
        inside = [i for i, (a, b) in enumerate(encoded["offset_mapping"]) if start <= a < b <= end]
        spans.append([inside[0], inside[-1] + 1])
        start = end + 2
    return caption, spans


def spread_grounding_dino(model, run, inputs, spans):
    """Logits are products with the features of the caption: the bias of the last normalisation moves those of all tokens, and those
    of separators below."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, modeling_grounding_dino.GroundingDinoFusionLayer):
                module.vision_param.fill_(0.4)
                module.text_param.fill_(0.4)
        model.model.query_position_embeddings.weight.normal_(0, 1)
    spread_heads(model, run, inputs, {4: (0.0, 0.4)})
    norm = model.model.decoder.layer_norm
    seen = []
    hook = model.class_embed[-1].register_forward_hook(lambda _, __, given, ___: seen.append(given), with_kwargs=True)
    for _ in range(2):  # first the deviation, then the mean
        seen.clear()
        for item in inputs:
            run(item)
        vision = torch.cat([given["vision_hidden_state"] for given in seen[1::2]])
        text = torch.cat([given["text_hidden_state"] for given in seen[1::2]])
        logits = vision @ text.transpose(1, 2)
        norm.weight *= 1.6 / logits.std((0, 1)).mean()
    wanted = torch.full((text.shape[1],), -7.0)
    for first, end in spans:
        wanted[first:end] = -2.5
    norm.bias += torch.linalg.pinv(text.mean(0), rtol=1e-2) @ (wanted - logits.mean((0, 1)))
    hook.remove()


def span_detections(logits, boxes, spans, floor, width, height):
    """Class and score of a query are those of the label whose tokens hold the greatest number: no name that was not asked for."""
    probabilities = logits[0].sigmoid()
    scores, classes = torch.stack([probabilities[:, first:end].amax(-1) for first, end in spans], -1).max(-1)
    kept = scores > floor
    corners = center_to_corners_format(boxes[0][kept]) * torch.tensor([width, height, width, height])
    return detections({"scores": scores[kept], "labels": classes[kept], "boxes": corners}, width, height)


def grounding_dino_expected(processor, paths, images, tensors, input_ids, answers, spans, hashes):
    """What the processor of transformers makes of the outputs, too: its score is the greatest of all tokens, separators included,
    and its text may be part of a label, or parts of several."""
    floor, expected = 0.25, []
    for path, image, tensor, answer in zip(paths, images, tensors, answers):
        sizes = torch.tensor([[image.height, image.width]])
        result = processor.post_process_grounded_object_detection(answer, input_ids, floor, 0.25, sizes)[0]
        found = span_detections(answer.logits, answer.pred_boxes, spans, floor, image.width, image.height)
        reference = [
            {"score": round(score, 6), "text": text, "box_xyxy_px": rounded(box, 4)}
            for score, text, box in zip(result["scores"].tolist(), result["text_labels"], result["boxes"].tolist())
        ]
        whole = {one["score"] for one in reference}
        assert len(reference) >= len(found) and sum(one["score"] in whole for one in found) >= 0.8 * len(found)
        entry = image_entry(path, tensor[0], hashes(image))
        expected.append(entry | {"detections": found, "reference": sorted(reference, key=lambda one: -one["score"])})
    expected[0]["outputs"] = raw_outputs(["logits", "pred_boxes"], (answers[0].logits, answers[0].pred_boxes))
    scores = [
        torch.stack([answer.logits[0].sigmoid()[:, first:end].amax(-1) for first, end in spans], -1).amax(-1) for answer in answers
    ]
    return expected, scores


NAMES = ["pixel_values", "input_ids", "token_type_ids", "attention_mask", "pixel_mask"]
TEXT_OF_ONE = {0: "batch_size", 1: "sequence_length"}
OUTPUTS_OF_ONE = {"logits": {0: "batch_size"}, "pred_boxes": {0: "batch_size"}}


class GroundingDinoCase:
    def __init__(self, folder, paths, **settings):
        self.folder, self.paths = folder, paths
        self.tokenizer = bert_tokenizer()
        self.model = grounding_dino_model(len(self.tokenizer))
        self.image_processor = transformers.GroundingDinoImageProcessorPil(**settings)
        self.processor = transformers.GroundingDinoProcessor(self.image_processor, self.tokenizer)
        self.caption, self.spans = token_spans(self.tokenizer, LABELS)
        self.images = [load_image(str(path)) for path in paths]
        encoded = [self.processor(images=image, text=[LABELS], return_tensors="pt") for image in self.images]
        self.inputs = [tuple(item[name] for name in NAMES) for item in encoded]
        condition(self.model, lambda _: None, None)
        spread_grounding_dino(self.model, self.run, self.inputs, self.spans)
        self.answers = [self.run(item) for item in self.inputs]
        folder.mkdir(parents=True, exist_ok=True)
        bert_tokenizer().save_pretrained(folder)

    def run(self, item):
        return self.model(**dict(zip(NAMES, item)))

    def pixels(self, image):
        raw = self.image_processor(image, return_tensors="np", do_rescale=False, do_normalize=False)
        mask = raw["pixel_mask"][0]
        return raw["pixel_values"][0][:, : mask[:, 0].sum(), : mask[0].sum()].astype(np.uint8).transpose(1, 2, 0)

    def write_expected(self, **more):
        self.image_processor.resample = 3
        resampled = [self.image_processor(image, return_tensors="pt")["pixel_values"] for image in self.images]
        self.image_processor.resample = 2
        tensors = [item[0] for item in self.inputs]
        others = self.inputs[0][1:]
        report_faults(self.folder.name, lambda tensor: self.run((tensor, *others)).logits.sigmoid().amax(-1), tensors, resampled)
        input_ids = self.inputs[0][1]
        expected, scores = grounding_dino_expected(
            self.processor, self.paths, self.images, tensors, input_ids, self.answers, self.spans, self.pixels
        )
        write_detections(
            self.folder, expected, scores, floor=0.25, labels=LABELS, caption=self.caption, input_ids=input_ids[0].tolist(),
            token_spans=self.spans, **more,
            texts=[{"text": text, "input_ids": self.tokenizer(text, truncation=True)["input_ids"]} for text in LABELS + ODD_TEXTS],
        )  # fmt: skip


def grounding_dino(out, paths):
    case = GroundingDinoCase(
        out / "grounding-dino", paths, size={"shortest_edge": 80, "longest_edge": 107}, pad_size={"height": 107, "width": 107}
    )
    case.model.config.save_pretrained(case.folder)
    case.image_processor.save_pretrained(case.folder)
    graph = case.folder / "onnx" / "model.onnx"
    outputs = GroundingDinoOutputs(case.model)
    axes = {
        "pixel_values": {0: "batch_size", 2: "height", 3: "width"}, "pixel_mask": {0: "batch_size", 1: "height", 2: "width"},
        "input_ids": TEXT_OF_ONE, "token_type_ids": TEXT_OF_ONE, "attention_mask": TEXT_OF_ONE,
    }  # fmt: skip
    with traceable():
        export(outputs, case.inputs[0], graph, NAMES, ["logits", "pred_boxes"], axes | OUTPUTS_OF_ONE)
    require_same_answers(graph, case.inputs, [(answer.logits, answer.pred_boxes) for answer in case.answers])
    # Another caption, and an image of another size.
    small = transformers.GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    other = transformers.GroundingDinoProcessor(small, case.tokenizer)(
        images=case.images[1], text=[LABELS[:3]], return_tensors="pt"
    )
    other = tuple(other[name] for name in NAMES)
    require_same_answers(graph, [other], [outputs(*other)])
    case.write_expected()


def grounding_dino_idea(out, paths):
    """Images stretched to an input of one size, for the graph has no mask that says where an image ends."""
    case = GroundingDinoCase(out / "grounding-dino-idea", paths, size={"height": 96, "width": 112})
    ids = case.inputs[0][1]
    mask, positions = modeling_grounding_dino.generate_masks_with_special_tokens_and_transfer_map(
        ids, case.model.model.special_tokens
    )
    text = (ids, torch.ones_like(ids).bool(), positions, torch.zeros_like(ids), mask)
    names = ["img", "input_ids", "attention_mask", "position_ids", "token_type_ids", "text_token_mask"]
    graph = case.folder / "model.onnx"
    axes = {name: {1: "sequence_length"} for name in names[1:-1]} | {
        "text_token_mask": {1: "sequence_length", 2: "sequence_length"}
    }
    inputs = [(item[0], *text) for item in case.inputs]
    with traceable():
        export(IdeaForm(case.model), inputs[0], graph, names, ["logits", "boxes"], axes)
    require_same_answers(graph, inputs, [(answer.logits, answer.pred_boxes) for answer in case.answers])
    rows = ["".join("1" if value else "0" for value in row) for row in mask[0].tolist()]
    preprocessing = {
        "image_mean": case.image_processor.image_mean, "image_std": case.image_processor.image_std, "resample": 2,
        "size": {"height": 96, "width": 112},
    }  # fmt: skip
    case.write_expected(position_ids=positions[0].tolist(), text_token_mask=rows, preprocessing=preprocessing)


CASES = {
    "grounding-dino": grounding_dino,
    "grounding-dino-idea": grounding_dino_idea,
    "owlvit": lambda out, paths: owl(out, paths, "ViT", 96, 16, "a photo of a {}"),
    "owlv2": lambda out, paths: owl(out, paths, "v2", 64, 8, "{}"),
}


if __name__ == "__main__":
    run_cases(CASES, "open_vocabulary")
