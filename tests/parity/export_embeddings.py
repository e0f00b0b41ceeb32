"""Small CLIP graphs with random weights, and what transformers makes of made-up images and texts:
export_embeddings.py OUT [CASE …].

Writes to OUT, which is tests/parity/fixtures in the repository:
    images/*                  made-up images: tall, wide, tiny, grey, with alpha, turned by EXIF
    embedding/CASE/           a model folder as such models are published: graphs, config.json, preprocessor_config.json, tokenizer
    embedding/CASE/expected.json
                              `texts`, each with its `input_ids`; `prompts`, each a set of `templates` with the `text_embeds` of the
                              `labels` averaged over them; `images`, each with hashes of pixels and tensor, `image_embeds` and for
                              each set of templates `logits` and `scores`. Embeddings have length 1.

Needs the environment that README.md describes. The reference is the Pillow backend of the processors and PyTorch on the CPU.
"""

import sys
from pathlib import Path

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
    stir,
    write_images,
    write_json,
)
from torch import nn
from transformers.image_utils import load_image
from vocabulary import LABELS, ODD_TEXTS, clip_tokenizer

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
        write_json(
            folder / "expected.json",
            {
                "kind": "zero_shot_classification", "activation": self.activation, "labels": LABELS,
                "logit_scale": rounded([self.model.logit_scale.exp()])[0],
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


CASES = {"clip": clip, "clip-towers": clip_towers}


@torch.no_grad()
def main():
    out = Path(sys.argv[1]).resolve()
    paths = write_images(out / "images")
    for name in sys.argv[2:] or CASES:
        torch.manual_seed(3)
        CASES[name](out / "embedding", paths)


if __name__ == "__main__":
    main()
