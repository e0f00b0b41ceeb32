"""Models that read, and one model after another: prompts, classes by a second model, boxes that are there, vectors."""

import json
import math
import os
import shutil
import signal
import struct
import subprocess
import time

from harness import FIXTURES, MEMORY, FixtureCase, write_bitmap, write_json

CLIP = FIXTURES / "embedding" / "clip-towers"
SIGLIP = FIXTURES / "embedding" / "siglip"
DETECTOR = FIXTURES / "rt-detr"


def expected_of(folder):
    return json.loads((folder / "expected.json").read_text())


class Asking(FixtureCase):
    def assert_scores_of_transformers(self, model, family):
        expected = expected_of(model)
        words = ("--classes", ",".join(expected["labels"]), "--floor", "0", "--max-detections", "100", "--set", model.name)
        run = self.label("--model", model, *words)
        self.assertEqual((run["done"], run["failed"]), (self.count, 0))
        found = {}
        for label in self.labels(f"set:{model.name}"):
            found.setdefault(label["name"], {})[label["class"]] = label["confidence"]
        for image in expected["images"]:
            scores = dict(zip(expected["labels"], image["scores"]["pipeline"]))
            for name, score in scores.items():
                self.assertAlmostEqual(found.get(image["file"], {}).get(name, 0), score, delta=1e-3)
        shown = self.run_program("runs", "show", run["run"]).json
        self.assertEqual(shown["model_card"]["family"], family)

    def test_every_image_gets_the_scores_of_transformers(self):
        self.assert_scores_of_transformers(CLIP, "clip")
        self.assert_scores_of_transformers(SIGLIP, "siglip")
        self.assert_scores_of_transformers(FIXTURES / "embedding" / "siglip2", "siglip")

    def test_a_graph_of_both_towers_may_take_so_many_texts_and_tokens_only(self):
        import onnx

        asked = ("--classes", "cat,dog,car", "--floor", "0", "--max-detections", "100", "--set")
        shapes = {"clip": [(None, 77), (4, 77)], "siglip": [(1, 64)]}
        for family in shapes:
            self.label("--model", FIXTURES / "embedding" / family, *asked, family)
            meant = {(label["name"], label["class"]): label["confidence"] for label in self.labels(f"set:{family}")}
            for texts, tokens in shapes[family]:
                folder = self.scratch / f"{family}-{texts}-{tokens}"
                shutil.copytree(FIXTURES / "embedding" / family, folder)
                graph = onnx.load(folder / "onnx" / "model.onnx")
                for tensor in graph.graph.input:
                    if tensor.name in ("input_ids", "attention_mask"):
                        for axis, size in enumerate((texts, tokens)):
                            if size:
                                tensor.type.tensor_type.shape.dim[axis].dim_value = size
                (folder / "onnx" / "model.onnx").unlink()
                onnx.save(graph, folder / "onnx" / "model.onnx")
                for engine in ("openvino", "onnxruntime"):
                    with self.subTest(folder.name, engine=engine):
                        self.label("--model", folder, *asked, f"{folder.name}-{engine}", "--engine", engine)
                        found = self.labels(f"set:{folder.name}-{engine}")
                        self.assertEqual(len(found), len(meant))
                        for label in found:
                            self.assertAlmostEqual(label["confidence"], meant[label["name"], label["class"]], delta=1e-4)

    def test_labels_of_another_kind_in_the_set_are_told(self):
        found = self.label("--model", DETECTOR, "--floor", "0.3", "--set", "mixed")
        names = sorted({label["class"] for label in self.labels("set:mixed")})
        self.assertTrue(found["labels"] and len(names) > 1, names)
        words = ("--model", CLIP, "--classes", ",".join(names[:2]), "--floor", "0")
        boxes = sum(label["class"] in names[:2] for label in self.labels("set:mixed"))
        notes = self.label(*words, "--set", "mixed")["notes"]
        self.assertTrue(any(f"holds {boxes} undecided objects" in note for note in notes), notes)
        notes = self.label(*words, "--set", "apart")["notes"]
        self.assertFalse(any("undecided" in note for note in notes), notes)

    def test_classes_that_read_the_same_are_told(self):
        for model in (CLIP, SIGLIP):
            notes = self.label("--model", model, "--classes", "Cat,cat,dog", "--set", model.name)["notes"]
            self.assertTrue(any("'Cat' and 'cat'" in note for note in notes), notes)

    def test_images_go_together_as_was_found_out_for_the_model(self):
        batches = MEMORY / "verilabel" / "batches"
        remembered = lambda: [file for file in batches.glob("*") if "|vision_model.onnx|" in file.read_text()]  # noqa: E731
        for file in remembered():
            file.unlink()
        self.run_program("models", "verify", CLIP, "--seconds", "0.1")
        self.assertEqual(remembered(), [], "so short a look says little about the model")
        self.run_program("models", "verify", CLIP, "--seconds", "2")
        files = remembered()
        self.assertTrue(files)
        for file in files:
            file.write_text(json.dumps(json.loads(file.read_text()) | {"images": 5}))
        run = self.label("--model", CLIP, "--classes", "cat,dog", "--floor", "0", "--set", "together")
        card = self.run_program("runs", "show", run["run"]).json["model_card"]
        self.assertEqual(card["images_per_inference"], {"proposer": 5})
        run = self.label("--model", CLIP, "--classes", "cat,dog", "--floor", "0", "--set", "alone", "--batch", "1")
        card = self.run_program("runs", "show", run["run"]).json["model_card"]
        self.assertEqual(card["images_per_inference"], {"proposer": 1})
        scores = [
            {(label["name"], label["class"]): label["confidence"] for label in self.labels(f"set:{name}")}
            for name in ("together", "alone")
        ]
        self.assertEqual(scores[0].keys(), scores[1].keys())
        for key, score in scores[0].items():
            self.assertAlmostEqual(score, scores[1][key], delta=1e-5)

    def test_siglip_can_be_asked_for_one_class(self):
        expected = expected_of(SIGLIP)
        index = expected["labels"].index("cat")
        self.label("--model", SIGLIP, "--classes", "cat", "--floor", "0.1")
        found = {label["name"]: label["confidence"] for label in self.labels("set:auto")}
        wanted = {image["file"]: image["scores"]["pipeline"][index] for image in expected["images"]}
        wanted = {name: score for name, score in wanted.items() if score > 0.1}
        self.assertEqual(set(found), set(wanted))
        self.assertTrue(0 < len(found) < self.count)

    def test_prompts_come_from_a_file_and_live_in_the_run(self):
        file = self.scratch / "classes.txt"
        file.write_text("# two classes\nanimal: cat | person's dog\nfruit: 42 apples\n- Traffic Light\n")
        run = self.label(
            "--model", CLIP, "--classes-file", file, "--template", "{}", "--template", "a photo of a {}.", "--floor", "0"
        )
        options = self.run_program("runs", "show", run["run"]).json["options"]
        self.assertEqual(
            options["prompts"],
            {
                "classes": [
                    {"name": "animal", "phrasings": ["cat", "person's dog"]},
                    {"name": "fruit", "phrasings": ["42 apples"]},
                ],
                "negatives": ["Traffic Light"],
                "templates": ["{}", "a photo of a {}."],
            },
        )
        self.assertEqual({label["class"] for label in self.labels("set:auto")}, {"animal", "fruit"})

    def test_classes_are_utf8(self):
        file = self.scratch / "classes.txt"
        file.write_bytes("dog\ncafé\n".encode("latin-1"))
        error = self.error("label", "--model", CLIP, "--classes-file", file, status=4)
        self.assertIn("save it as UTF-8", error["message"])
        self.assertEqual((error["context"]["file"], error["context"]["line"]), (str(file), "2"))
        latin = os.fsdecode("café,dog".encode("latin-1"))
        for words in (["--classes", latin], ["--classes", "cat,dog", "--negatives", latin], ["--classes", "a\x01b,dog"]):
            self.error("label", "--model", CLIP, *words, status=2)
        self.assertIn("UTF-8", self.error("label", "--model", CLIP, "--classes", latin, status=2)["message"])
        self.assertEqual(self.run_program("runs").json["runs"], [])

    def test_what_cannot_be_asked_is_wrong_use(self):
        for words, reason in [
            ([], "say what with --classes"),
            (["--classes", "cat"], "--negatives"),
            (["--classes", "cat,cat"], "named twice"),
            (["--classes", "cat,dog", "--template", "a photo"], "has no {}"),
            (["--classes", "cat," + "very " * 90 + "long"], "the model reads 77"),
        ]:
            error = self.error("label", "--model", CLIP, *words, status=2)
            self.assertIn(reason, error["message"])
        error = self.error("label", "--model", DETECTOR, "--negatives", "sky", "--classes", "a", status=2)
        self.assertIn("does not read", error["message"])
        self.assertIn("--segment-with or --classify-with", self.error("label", "--boxes", "auto", status=2)["message"])
        self.error("label", "--boxes", "auto", "--classify-with", CLIP, "--classes", "a,b", "--set", "auto", status=2)
        self.error("label", "--boxes", "none", "--classify-with", CLIP, "--classes", "a,b", status=3)
        told = self.error("label", "--model", DETECTOR, "--classify-with", DETECTOR, status=2)
        self.assertIn("this one finds objects", told["message"])

    def test_a_second_model_names_what_the_first_found(self):
        first = self.label("--model", DETECTOR, "--floor", "0.3", "--set", "objects")
        self.assertGreater(first["labels"], 50)
        words = ("--classify-with", CLIP, "--classes", "cat,remote control,fire hydrant", "--floor", "0")
        run = self.label("--model", DETECTOR, "--set", "together", *words)
        self.assertEqual((run["done"], run["failed"]), (self.count, 0))
        # From the boxes that are there: the same objects, the same names, the same confidences.
        again = self.label("--boxes", "objects", "--set", "apart", *words)
        key = lambda label: (label["name"], *label["bbox"])  # noqa: E731
        self.assertEqual(again["labels"], len({key(label) for label in self.labels("set:objects")}), "one box has one name")
        self.assertLess(again["labels"], first["labels"])
        self.assertEqual({label["class"] for label in self.labels("set:apart")}, {"cat", "remote control", "fire hydrant"})
        together = {key(label): label for label in self.labels("set:together")}
        before = {key(label): label for label in self.labels("set:objects sort:confidence")}
        for label in self.labels("set:apart"):
            self.assertEqual(label["class"], together[key(label)]["class"])
            self.assertAlmostEqual(label["confidence"], together[key(label)]["confidence"], places=5)
            self.assertLess(label["confidence"], before[key(label)]["confidence"])
        shown = self.run_program("runs", "show", again["run"]).json
        self.assertEqual(shown["model_card"]["classifier"]["family"], "clip")
        self.assertEqual(shown["options"]["boxes"], "objects")
        self.run_program("runs", "undo", again["run"])
        self.assertEqual(self.labels("set:apart"), [])

    def test_a_run_of_two_models_survives_kills(self):
        words = ["--model", DETECTOR, "--classify-with", CLIP, "--classes", "cat,remote control", "--floor", "0", "--batch", "1"]
        whole = self.label(*words, "--set", "whole")
        process = subprocess.Popen(self.command("label", *words, "--set", "killed"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        runs = []
        while process.poll() is None:
            runs = self.run_program("runs").json["runs"]
            if len(runs) == 2 and runs[-1]["done"] > 0:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            run = self.label("--resume", str(runs[-1]["run"]))
            self.assertEqual(run["done"], self.count)
        content = lambda name: sorted(  # noqa: E731
            (label["name"], label["class"], label["confidence"], *label["bbox"]) for label in self.labels(f"set:{name}")
        )
        self.assertEqual(content("killed"), content("whole"))
        self.assertEqual(len(content("whole")), whole["labels"])

    def vectors(self, name):
        content = (self.project / "vectors" / f"{name}.vectors").read_bytes()
        end = content.index(b"\n") + 1
        header = json.loads(content[:end])
        record = struct.Struct(f"<q{header['dimensions']}f")
        return header, {row[0]: row[1:] for row in record.iter_unpack(content[end:])}

    def test_images_and_objects_get_vectors(self):
        answer = self.run_program("embed", "--model", CLIP, "--name", "clip").json
        self.assertEqual((answer["added"], answer["unchanged"], answer["failed"]), (self.count, 0, 0))
        header, rows = self.vectors("clip")
        self.assertEqual((header["subject"], header["method"], header["dimensions"]), ("samples", "image_embeds", 24))
        names = {sample["sample"]: sample["name"] for sample in self.run_program("samples").json["samples"]}
        expected = {image["file"]: image["image_embeds"] for image in expected_of(CLIP)["images"]}
        for sample, row in rows.items():
            self.assertAlmostEqual(math.fsum(a * b for a, b in zip(row, expected[names[sample]])), 1, places=4)
        again = self.run_program("embed", "--model", CLIP, "--name", "clip").json
        self.assertEqual((again["added"], again["unchanged"]), (0, self.count))

        self.label("--model", DETECTOR, "--floor", "0.3", "--set", "objects")
        objects = self.labels("set:objects")
        answer = self.run_program("embed", "--model", CLIP, "--set", "objects", "--crop-margin", "0.1").json
        self.assertEqual((answer["vectors"], answer["subject"]), ("clip-towers-objects", "labels"))
        self.assertEqual(set(self.vectors("clip-towers-objects")[1]), {label["label"] for label in objects})
        error = self.error("embed", "--model", CLIP, "--set", "objects", "--name", "clip", status=None)
        self.assertIn("choose another name", error["message"])
        self.error("embed", "--model", CLIP, "--name", "a/b", status=2)
        self.assertIn("no vector", self.error("embed", "--model", DETECTOR, status=5)["message"])

    def test_vectors_are_those_of_transformers(self):
        names = {sample["sample"]: sample["name"] for sample in self.run_program("samples").json["samples"]}
        cases = [
            ("siglip", [], "image_embeds", "pooler_output"),
            ("dinov2", [], "image_embeds", "class token of last_hidden_state"),
            ("dinov2-registers", ["--mean-of-tokens"], "patch_mean", "mean of the tokens of the picture"),
            ("dinov3", [], "image_embeds", "class token of last_hidden_state"),
            ("dinov3", ["--mean-of-tokens"], "patch_mean", "mean of the tokens of the picture"),
        ]
        for model, words, wanted, method in cases:
            folder = FIXTURES / "embedding" / model
            name = f"{model}-{wanted}"
            answer = self.run_program("embed", "--model", folder, "--name", name, *words).json
            self.assertEqual((answer["added"], answer["failed"]), (self.count, 0))
            header, rows = self.vectors(name)
            self.assertEqual(header["method"], method)
            expected = {image["file"]: image[wanted] for image in expected_of(folder)["images"]}
            for sample, row in rows.items():
                for ours, theirs in zip(row, expected[names[sample]], strict=True):
                    self.assertAlmostEqual(ours, theirs, delta=1e-3)

    def test_an_image_that_cannot_be_read_is_a_failure_with_its_path(self):
        name = os.listdir(FIXTURES / "images")[0]
        copies = self.scratch / "copies"
        copies.mkdir()
        (copies / name).write_bytes((FIXTURES / "images" / name).read_bytes())
        self.run_program("import", "--images", copies)
        (copies / name).write_bytes(b"")
        answer = self.run_program("embed", "--model", CLIP, "--name", "clip", status=1).json
        self.assertEqual((answer["added"], answer["failed"]), (self.count, 1))
        self.assertEqual(answer["failures"][0]["path"], str(copies / name))

    def test_an_image_of_another_size_than_its_labels_gives_no_vectors_of_objects(self):
        copies = self.scratch / "copies"
        write_bitmap(copies / "one.bmp", 40, 30)
        self.run_program("import", "--images", copies)
        document = {
            "images": [{"id": 1, "file_name": "one.bmp", "width": 40, "height": 30}], "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 10, 15, 15], "area": 225, "iscrowd": 0}],
        }  # fmt: skip
        self.run_program(
            "import", "--labels", write_json(self.scratch / "l.json", document), "--format", "coco", "--set", "objects"
        )
        write_bitmap(copies / "one.bmp", 20, 15)
        answer = self.run_program("embed", "--model", CLIP, "--set", "objects", status=1).json
        self.assertEqual((answer["added"], answer["failed"]), (0, 1))
        self.assertIn("20 × 15 now and was 40 × 30", answer["failures"][0]["message"])
        write_bitmap(copies / "one.bmp", 40, 30)
        self.assertEqual(self.run_program("embed", "--model", CLIP, "--set", "objects").json["added"], 1)

    def test_vectors_of_another_preprocessing_do_not_mix(self):
        model = self.scratch / "clip"
        shutil.copytree(CLIP, model)
        self.run_program("embed", "--model", model, "--name", "clip", "--where", "limit:3")
        config = model / "preprocessor_config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"image_mean": [0.1, 0.2, 0.3]}))
        error = self.error("embed", "--model", model, "--name", "clip", status=None)
        self.assertEqual(error["code"], "conflict")
        self.assertIn("choose another name", error["message"])

    def test_a_manifest_gives_the_factor_of_the_logits(self):
        manifest = write_json(self.scratch / "m.json", {"logit_scale": 1e-9})
        self.label("--model", CLIP, "--classes", "cat,42 apples", "--floor", "0", "--manifest", manifest)
        for label in self.labels("set:auto"):
            self.assertAlmostEqual(label["confidence"], 0.5, places=6)
