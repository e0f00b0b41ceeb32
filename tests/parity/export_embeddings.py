"""Small CLIP, SigLIP and DINO graphs with random weights, and what transformers makes of made-up images and texts:
export_embeddings.py OUT [CASE …].

Writes to OUT, which is tests/parity/fixtures in the repository:
    images/*                  made-up images: tall, wide, tiny, grey, with alpha, turned by EXIF
    embedding/CASE/           a model folder as such models are published: graphs, config.json, preprocessor_config.json, tokenizer
    embedding/CASE/expected.json
                              `texts`, each with its `input_ids`; `prompts`, each a set of `templates` with the `text_embeds` of the
                              `labels` averaged over them; `images`, each with hashes of pixels and tensor, `image_embeds` and for
                              each set of templates `logits` and `scores`. `padding`: the length that all texts must have in the
                              graph, and the token at their end; null where any length will do. Of DINO only `images`, with
                              `image_embeds` (the first token) and `patch_mean`, the mean of the tokens of patches. All embeddings
                              have length 1

Needs the environment that README.md describes. The reference is the Pillow backend of the processors and PyTorch on the CPU.
"""

import tempfile

import numpy as np
import torch
import transformers
from fixture import (
    export,
    gather_embeddings,
    image_entry,
    processed,
    report_faults,
    require_same_answers,
    rounded,
    run_cases,
    samples,
    stir,
    write_json,
)
from torch import nn
from transformers.image_utils import load_image
from vocabulary import LABELS, ODD_TEXTS, clip_tokenizer, sentencepiece_model, siglip2_tokenizer, siglip_tokenizer

PROMPTS = {
    "pipeline": ["This is a photo of {}."],  # what transformers' pipeline takes by default
    "single": ["a photo of a {}."],
    "bare": ["{}"],
    "ensemble": ["a photo of a {}.", "a blurry photo of the {}.", "{}", "a close-up photo of a {}"],
}
TEXT_AXES = {0: "text_batch_size", 1: "sequence_length"}
IMAGE_AXES = {0: "image_batch_size", 1: "num_channels", 2: "height", 3: "width"}


def unit(embeddings):
    return nn.functional.normalize(embeddings, dim=-1)


def is_read_alike(tokenizer, text):
    """To SiglipTokenizer a mark within a text is a mark, and white space before it a token, which SigLIP was never shown."""
    return not isinstance(tokenizer, transformers.SiglipTokenizer) or (text[:1].strip() and "</s>" not in text)


class Both(nn.Module):
    """The outputs of Optimum's graph of both towers."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, pixel_values, attention_mask=None):
        found = self.model(input_ids=input_ids, pixel_values=pixel_values, attention_mask=attention_mask)
        return found.logits_per_image, found.logits_per_text, found.text_embeds, found.image_embeds


class Tower(nn.Module):
    def __init__(self, model, *outputs):
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(self, one, attention_mask=None):
        inputs = {self.model.main_input_name: one}
        if attention_mask is not None:
            inputs["attention_mask"] = attention_mask
        found = self.model(**inputs)
        return tuple(getattr(found, name) for name in self.outputs)


class Reference:
    """A model of two towers with its tokenizer and image processor, and all images brought to the input."""

    def __init__(self, model, tokenizer, processor, paths, activation, padding):
        """`padding`: how the tokenizer is asked for texts."""
        self.model, self.tokenizer, self.processor, self.paths = model, tokenizer, processor, paths
        self.activation, self.padding = activation, padding
        self.images = [load_image(str(path)) for path in paths]
        prepared = [processed(processor, image) for image in self.images]
        self.pixels = [pixels for _, pixels in prepared]
        self.tensors = [torch.from_numpy(tensor)[None] for tensor, _ in prepared]

    def tokens(self, texts):
        return self.tokenizer(texts, return_tensors="pt", **self.padding)

    def of_texts(self, texts):
        return self.model.get_text_features(**self.tokens(texts)).pooler_output

    def of_image(self, tensor):
        return self.model.get_image_features(pixel_values=tensor).pooler_output

    def scores(self, logits):
        return logits.softmax(-1) if self.activation == "softmax" else logits.sigmoid()

    def logits(self, image_embeds, text_embeds):
        bias = getattr(self.model, "logit_bias", torch.tensor(0.0))
        return image_embeds @ text_embeds.T * self.model.logit_scale.exp() + bias

    def expected(self):
        """Asks the pipeline of transformers for scores where it can give them, and averages templates as CLIP's authors do."""
        pipeline = transformers.pipeline(
            "zero-shot-image-classification", model=self.model, tokenizer=self.tokenizer, image_processor=self.processor
        )
        prompts, text_embeds = [], {}
        for name, templates in PROMPTS.items():
            every = torch.stack([unit(self.of_texts([template.format(label) for label in LABELS])) for template in templates])
            text_embeds[name] = unit(every.mean(0))
            prompts.append({
                "name": name, "templates": templates, "text_embeds": [rounded(row) for row in text_embeds[name]],
            })  # fmt: skip
        images = []
        for path, image, tensor, pixels in zip(self.paths, self.images, self.tensors, self.pixels):
            image_embeds = unit(self.of_image(tensor))
            entry = image_entry(path, tensor[0], pixels) | {
                "image_embeds": rounded(image_embeds[0]), "logits": {}, "scores": {},
            }  # fmt: skip
            for name, templates in PROMPTS.items():
                logits = self.logits(image_embeds, text_embeds[name])[0]
                scores = self.scores(logits)
                if len(templates) == 1:
                    found = pipeline(image, candidate_labels=LABELS, hypothesis_template=templates[0])
                    found = {one["label"]: one["score"] for one in found}
                    assert max(abs(found[label] - score) for label, score in zip(LABELS, scores.tolist())) < 1e-5
                    scores = [found[label] for label in LABELS]
                entry["logits"][name] = rounded(logits, 5)
                entry["scores"][name] = rounded(scores)
            images.append(entry)
        texts = [template.format(label) for templates in PROMPTS.values() for template in templates for label in LABELS]
        texts = [
            {"text": text, "input_ids": self.tokenizer(text, truncation=True)["input_ids"]}
            for text in dict.fromkeys(texts + ODD_TEXTS)
            if is_read_alike(self.tokenizer, text)
        ]
        return {"texts": texts, "prompts": prompts, "images": images}

    def write_expected(self, folder):
        content = self.expected()
        for name in PROMPTS:
            scores = np.array([entry["scores"][name] for entry in content["images"]])
            print(f"{folder.name}: scores of {name} deviate by {scores.std(0).max():.3f}, at most {scores.max():.3f}", flush=True)
            assert scores.std(0).max() >= 0.05, (folder.name, name)
        embeds = unit(self.of_texts([PROMPTS["pipeline"][0].format(label) for label in LABELS]))
        report_faults(folder.name, lambda tensor: self.scores(self.logits(unit(self.of_image(tensor)), embeds)), self.tensors)
        bias = {"logit_bias": rounded(self.model.logit_bias)[0]} if hasattr(self.model, "logit_bias") else {}
        length = self.padding.get("max_length")
        write_json(
            folder / "expected.json",
            {
                "kind": "zero_shot_classification", "activation": self.activation, "labels": LABELS,
                "logit_scale": rounded([self.model.logit_scale.exp()])[0], **bias,
                "padding": {"length": length, "id": self.tokenizer.pad_token_id} if length else None,
            } | content,
        )  # fmt: skip


# ---- CLIP ----


def clip_reference(paths, scale, closeness_of_texts):
    tokenizer = clip_tokenizer()
    marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "projection_dim": 24}
    config = transformers.CLIPConfig(
        text_config=small | marks | {"vocab_size": len(tokenizer)}, vision_config=small | {"image_size": 64, "patch_size": 16},
        projection_dim=24, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.CLIPModel(config).eval()
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    reference = Reference(model, tokenizer, processor, paths, "softmax", {"padding": True, "truncation": True})
    stir(model)
    with torch.no_grad():
        model.logit_scale.fill_(np.log(scale))
    gather_embeddings(
        reference.of_image, reference.tensors, model.vision_model.post_layernorm.bias, 0.7, model.visual_projection.weight
    )
    texts = [[template.format(label) for label in LABELS] for templates in PROMPTS.values() for template in templates]
    gather_embeddings(
        reference.of_texts, texts, model.text_model.final_layer_norm.bias, closeness_of_texts, model.text_projection.weight
    )
    return reference


def write_folder(folder, reference):
    folder.mkdir(parents=True, exist_ok=True)
    reference.model.config.save_pretrained(folder)
    reference.processor.save_pretrained(folder)
    clip_tokenizer().save_pretrained(folder)


def clip(out, paths):
    """Both towers in one graph, with a scale of its own."""
    folder = out / "clip"
    reference = clip_reference(paths, 40, 4.0)
    write_folder(folder, reference)
    tokens = reference.tokens([PROMPTS["pipeline"][0].format(label) for label in LABELS])
    inputs = [(tokens["input_ids"], tensor, tokens["attention_mask"]) for tensor in reference.tensors]
    both = Both(reference.model)
    graph = folder / "onnx" / "model.onnx"
    export(
        both, inputs[0], graph, ["input_ids", "pixel_values", "attention_mask"],
        ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"],
        {
            "input_ids": TEXT_AXES, "pixel_values": IMAGE_AXES, "attention_mask": TEXT_AXES,
            "logits_per_image": {0: "image_batch_size", 1: "text_batch_size"},
            "logits_per_text": {0: "text_batch_size", 1: "image_batch_size"},
            "text_embeds": {0: "text_batch_size"}, "image_embeds": {0: "image_batch_size"},
        },
    )  # fmt: skip
    require_same_answers(graph, inputs, [both(*item) for item in inputs])
    reference.write_expected(folder)


def clip_towers(out, paths):
    """A graph each for texts and images, and the scale of OpenAI's weights: 100."""
    folder = out / "clip-towers"
    reference = clip_reference(paths, 100, 8.0)
    write_folder(folder, reference)
    text_model = transformers.CLIPTextModelWithProjection._from_config(reference.model.config.text_config).eval()
    vision_model = transformers.CLIPVisionModelWithProjection._from_config(reference.model.config.vision_config).eval()
    for tower in (text_model, vision_model):
        missing = tower.load_state_dict(reference.model.state_dict(), strict=False).missing_keys
        assert not missing, missing
        tower.set_attn_implementation("eager")
    text, vision = Tower(text_model, "text_embeds", "last_hidden_state"), Tower(vision_model, "image_embeds", "last_hidden_state")
    sequence = {0: "batch_size", 1: "sequence_length"}
    tokens = reference.tokens([PROMPTS["pipeline"][0].format(label) for label in LABELS])
    graph = folder / "onnx" / "text_model.onnx"
    export(
        text, (tokens["input_ids"], tokens["attention_mask"]), graph, ["input_ids", "attention_mask"],
        ["text_embeds", "last_hidden_state"],
        {"input_ids": sequence, "attention_mask": sequence, "text_embeds": {0: "batch_size"}, "last_hidden_state": sequence},
    )  # fmt: skip
    inputs = [(tokens["input_ids"], tokens["attention_mask"])]
    require_same_answers(graph, inputs, [text(*item) for item in inputs])
    graph = folder / "onnx" / "vision_model.onnx"
    axes = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}
    export(
        vision, (reference.tensors[0],), graph, ["pixel_values"], ["image_embeds", "last_hidden_state"],
        {"pixel_values": axes, "image_embeds": {0: "batch_size"}, "last_hidden_state": {0: "batch_size"}},
    )  # fmt: skip
    require_same_answers(graph, [(tensor,) for tensor in reference.tensors], [vision(tensor) for tensor in reference.tensors])
    reference.write_expected(folder)


# ---- SigLIP ----


def siglip_case(folder, paths, tokenizer, save_tokenizer, resample):
    """Both towers in one graph, and a graph each; texts are padded to 64 tokens, and there is no mask of them."""
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.SiglipConfig(
        text_config=small | {
            "vocab_size": len(tokenizer), "max_position_embeddings": 64, "projection_size": 32,
            "pad_token_id": tokenizer.pad_token_id, "eos_token_id": 1, "bos_token_id": 2,
        },
        vision_config=small | {"image_size": 64, "patch_size": 16}, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.SiglipModel(config).eval()
    processor = transformers.SiglipImageProcessorPil(size={"height": 64, "width": 64}, resample=resample)
    padding = {"padding": "max_length", "max_length": 64, "truncation": True}
    reference = Reference(model, tokenizer, processor, paths, "sigmoid", padding)
    stir(model)
    model.vision_model.head.probe.normal_()
    nn.init.xavier_normal_(model.vision_model.head.attention.in_proj_weight)
    model.logit_scale.fill_(np.log(30))
    model.logit_bias.fill_(-4)
    gather_embeddings(reference.of_image, reference.tensors, model.vision_model.head.mlp.fc2.bias, 0.7)
    texts = [[template.format(label) for label in LABELS] for templates in PROMPTS.values() for template in templates]
    gather_embeddings(reference.of_texts, texts, model.text_model.head.bias, 1.0)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    processor.save_pretrained(folder)
    save_tokenizer(folder)
    tokens = reference.tokens(texts[0])
    assert list(tokens) == ["input_ids"]
    ids = tokens["input_ids"]
    inputs = [(ids, tensor) for tensor in reference.tensors]
    both = Both(model)
    graph = folder / "onnx" / "model.onnx"
    export(
        both, inputs[0], graph, ["input_ids", "pixel_values"],
        ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"],
        {
            "input_ids": TEXT_AXES, "pixel_values": IMAGE_AXES,
            "logits_per_image": {0: "image_batch_size", 1: "text_batch_size"},
            "logits_per_text": {0: "text_batch_size", 1: "image_batch_size"},
            "text_embeds": {0: "text_batch_size"}, "image_embeds": {0: "image_batch_size"},
        },
    )  # fmt: skip
    require_same_answers(graph, inputs, [both(*item) for item in inputs])
    outputs = ["last_hidden_state", "pooler_output"]
    of_batch = {name: {0: "batch_size"} for name in outputs}
    text, vision = Tower(model.text_model, *outputs), Tower(model.vision_model, *outputs)
    graph = folder / "onnx" / "text_model.onnx"
    export(text, (ids,), graph, ["input_ids"], outputs, {"input_ids": {0: "batch_size", 1: "sequence_length"}} | of_batch)
    require_same_answers(graph, [(ids,)], [text(ids)])
    graph = folder / "onnx" / "vision_model.onnx"
    axes = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}
    export(vision, (reference.tensors[0],), graph, ["pixel_values"], outputs, {"pixel_values": axes} | of_batch)
    require_same_answers(graph, [(tensor,) for tensor in reference.tensors], [vision(tensor) for tensor in reference.tensors])
    reference.write_expected(folder)


def siglip(out, paths):
    """The reference reads texts with SentencePiece; of a tokenizer.json, as the published folders have one, it knows nothing."""
    model = sentencepiece_model()
    fast = siglip_tokenizer(model)
    with tempfile.NamedTemporaryFile(suffix=".model") as file:
        file.write(model)
        file.flush()
        slow = transformers.SiglipTokenizer(file.name, model_max_length=64, model_input_names=["input_ids"])
        for text in (template.format(label) for templates in PROMPTS.values() for template in templates for label in LABELS):
            assert fast(text)["input_ids"] == slow(text)["input_ids"], text
        siglip_case(out / "siglip", paths, slow, fast.save_pretrained, 3)


def siglip2(out, paths):
    tokenizer = siglip2_tokenizer()
    siglip_case(out / "siglip2", paths, tokenizer, siglip2_tokenizer().save_pretrained, 2)


# ---- DINO ----


def dino(out, paths, name, model, processor, side):
    """`side`: of the input."""
    folder = out / name
    model.eval()
    stir(model)
    for key, weights in model.named_parameters():
        if "layer_scale" in key:
            weights.fill_(0.5)
        elif any(part in key for part in ("cls_token", "register_tokens", "position_embeddings", "mask_token")):
            weights.normal_()
    images = [load_image(str(path)) for path in paths]
    tensors = [torch.as_tensor(processor(image, return_tensors="pt")["pixel_values"]) for image in images]
    norm = model.norm if hasattr(model, "norm") else model.layernorm
    gather_embeddings(lambda tensor: model(pixel_values=tensor).last_hidden_state[:, 0], tensors, norm.bias, 0.5)
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    tower = Tower(model, "last_hidden_state", "pooler_output")
    answers = [tower(tensor) for tensor in tensors]
    graph = folder / "onnx" / "model.onnx"
    axes = {"pixel_values": {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}}
    export(
        tower, (tensors[0],), graph, ["pixel_values"], ["last_hidden_state", "pooler_output"],
        axes | {"last_hidden_state": {0: "batch_size", 1: "sequence_length"}, "pooler_output": {0: "batch_size"}},
    )  # fmt: skip
    require_same_answers(graph, [(tensor,) for tensor in tensors], answers)
    patches = (side // model.config.patch_size) ** 2
    assert tensors[0].shape[2:] == (side, side)
    expected = []
    for path, image, tensor, (hidden, pooled) in zip(paths, images, tensors, answers):
        assert torch.allclose(hidden[:, 0], pooled)
        if isinstance(processor, transformers.BitImageProcessorPil):
            entry = image_entry(path, tensor[0], processed(processor, image)[1])
        else:
            entry = {"file": path.name} | samples(tensor[0])
        expected.append(entry | {
            "image_embeds": rounded(unit(pooled)[0]), "patch_mean": rounded(unit(hidden[:, -patches:].mean(1))[0]),
        })  # fmt: skip
    embeds = np.array([entry["image_embeds"] for entry in expected])
    print(f"{name}: numbers of embeddings deviate by {embeds.std(0).mean():.3f}", flush=True)
    assert embeds.std(0).mean() >= 0.05
    report_faults(name, lambda tensor: unit(tower(tensor)[1]), tensors)
    registers = getattr(model.config, "num_register_tokens", 0)
    write_json(
        folder / "expected.json",
        {"kind": "embedding", "input_side": side, "patches": patches, "registers": registers, "images": expected},
    )


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "attn_implementation": "eager"}


def dinov2(out, paths, name="dinov2"):
    """The positions of a larger input than the processor's, as in the published models."""
    processor = transformers.BitImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56}, image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    if name == "dinov2":
        model = transformers.Dinov2Model(transformers.Dinov2Config(image_size=98, patch_size=14, mlp_ratio=2, **SMALL))
    else:
        config = transformers.Dinov2WithRegistersConfig(image_size=56, patch_size=14, mlp_ratio=2, num_register_tokens=4, **SMALL)
        model = transformers.Dinov2WithRegistersModel(config)
        # Antialiased resizing has no operation in ONNX; here it would change nothing.
        model.embeddings.interpolate_pos_encoding = lambda *_: model.embeddings.position_embeddings
    dino(out, paths, name, model, processor, 56)


def dinov3(out, paths):
    config = transformers.DINOv3ViTConfig(image_size=64, patch_size=16, intermediate_size=64, num_register_tokens=4, **SMALL)
    processor = transformers.DINOv3ViTImageProcessor(size={"height": 64, "width": 64})
    dino(out, paths, "dinov3", transformers.DINOv3ViTModel(config), processor, 64)


CASES = {
    "clip": clip,
    "clip-towers": clip_towers,
    "siglip": siglip,
    "siglip2": siglip2,
    "dinov2": dinov2,
    "dinov2-registers": lambda out, paths: dinov2(out, paths, "dinov2-registers"),
    "dinov3": dinov3,
}


if __name__ == "__main__":
    run_cases(CASES, "embedding")
