"""Segmenters: boxes that a detector finds or a set has are outlined, everything is found, a classifier says what it is."""

import json
import shutil
import signal
import subprocess
import time

from harness import FIXTURES, FixtureCase, write_bitmap, write_json

DETECTOR = FIXTURES / "rt-detr"
CLIP = FIXTURES / "embedding" / "clip-towers"
SEGMENTERS = FIXTURES / "segment_anything"


def runs_of(segmentation):
    """Where the runs of a mask in COCO's list of counts, or its string, end."""
    counts = segmentation["counts"]
    if isinstance(counts, str):
        numbers, at = [], 0
        while at < len(counts):
            value, shift, more = 0, 0, True
            while more:
                bits = ord(counts[at]) - 48
                value |= (bits & 0x1F) << shift
                more, at, shift = bits & 0x20, at + 1, shift + 5
                if not more and bits & 0x10:
                    value |= -1 << shift
            numbers.append(value + numbers[-2] if len(numbers) > 2 else value)
        counts = numbers
    ends, position = [], 0
    for count in counts:
        position += count
        ends.append(position)
    return ends


def pixels_of(segmentation):
    ends = runs_of(segmentation)
    return {pixel for begin, end in zip(ends[0::2], ends[1::2]) for pixel in range(begin, end)}


class Segmenting(FixtureCase):
    def annotations(self, name):
        """Annotations of a set by image, as COCO has them."""
        file = self.scratch / f"{name}.json"
        self.run_program("export", "--set", name, "--format", "coco", "--output", file)
        document = json.loads(file.read_text())
        names = {image["id"]: image["file_name"].rsplit("/", 1)[-1] for image in document["images"]}
        found = {}
        for annotation in document["annotations"]:
            found.setdefault(names[annotation["image_id"]], []).append(annotation)
        return found

    def give_boxes(self, expected, name):
        """The boxes of a fixture as a set, each with its place as its class."""
        sizes = {sample["name"]: sample for sample in self.run_program("samples").json["samples"]}
        images, annotations = [], []
        for number, image in enumerate(expected["images"]):
            sample = sizes[image["file"]]
            images.append({"id": number, "file_name": image["file"], "width": sample["width"], "height": sample["height"]})
            for place, prompt in enumerate(image["prompts"]):
                x1, y1, x2, y2 = prompt["box_xyxy_px"]
                annotations.append({
                    "id": len(annotations) + 1, "image_id": number, "category_id": place + 1, "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1), "iscrowd": 0,
                })  # fmt: skip
        categories = [{"id": place + 1, "name": f"box {place}"} for place in range(8)]
        document = {"images": images, "annotations": annotations, "categories": categories}
        file = write_json(self.scratch / f"{name}.json", document)
        self.run_program("import", "--labels", file, "--format", "coco", "--set", name)

    def test_boxes_of_a_set_get_the_masks_of_the_reference(self):
        for name in ("sam-boxes", "sam-meta", "sam2"):
            with self.subTest(name):
                expected = json.loads((SEGMENTERS / name / "expected.json").read_text())
                self.give_boxes(expected, f"given-{name}")
                run = self.label("--boxes", f"given-{name}", "--segment-with", SEGMENTERS / name, "--set", f"masks-{name}")
                self.assertEqual((run["done"], run["failed"]), (self.count, 0))
                found = self.annotations(f"masks-{name}")
                compared = 0
                for image in expected["images"]:
                    ours = {one["category_id"]: one for one in found.get(image["file"], [])}
                    self.assertEqual(len(ours), len(image["prompts"]))
                    for annotation in ours.values():
                        if not isinstance(annotation.get("segmentation"), dict):
                            continue  # the model saw nothing in it
                        theirs = [pixels_of({"counts": prompt["mask"]}) for prompt in image["prompts"]]
                        mask = pixels_of(annotation["segmentation"])
                        overlap = max(len(mask & other) / len(mask | other) for other in theirs)
                        self.assertTrue(overlap >= 0.99 or len(mask) < 200, (image["file"], overlap))
                        compared += 1
                self.assertGreater(compared, 60)
                self.run_program("runs", "undo", run["run"])

    def test_found_outlined_named_and_taken_back_as_one_run(self):
        words = [
            "--model", DETECTOR, "--floor", "0.01", "--segment-with", SEGMENTERS / "sam-boxes", "--classify-with", CLIP,
            "--classes", "cat,remote control,fire hydrant",
        ]  # fmt: skip
        run = self.label(*words, "--set", "masks")
        self.assertEqual((run["done"], run["failed"]), (self.count, 0))
        found = self.labels("set:masks")
        self.assertEqual(len(found), run["labels"])
        self.assertGreater(sum(label["kind"] == "mask" for label in found), len(found) / 2)
        self.assertEqual({label["class"] for label in found}, {"cat", "remote control", "fire hydrant"})
        shown = self.run_program("runs", "show", run["run"]).json
        card = shown["model_card"]
        self.assertEqual(card["segmenter"]["family"], "sam_transformers")
        self.assertEqual(
            len({card["weights_sha256"], card["segmenter"]["weights_sha256"], card["classifier"]["weights_sha256"]}), 3
        )
        self.assertTrue(any("iou_scores" in note for note in run["notes"]))
        # What the classifier sees of an object is its mask: with the background it says something else.
        self.label(*words, "--keep-background", "--set", "with-background")
        of_masks = {(one["name"], *one["bbox"]): one["confidence"] for one in found if one["kind"] == "mask"}
        with_background = {(one["name"], *one["bbox"]): one["confidence"] for one in self.labels("set:with-background")}
        common = of_masks.keys() & with_background.keys()
        self.assertTrue(any(abs(of_masks[key] - with_background[key]) > 1e-3 for key in common))
        self.run_program("runs", "undo", run["run"])
        self.assertEqual(self.labels("set:masks"), [])

    def test_only_the_boxes_of_a_view_are_outlined(self):
        self.label("--model", DETECTOR, "--floor", "0.1", "--set", "auto")
        accepted = self.run_program("review", "accept", "--where", "set:auto confidence>=0.2").json["labels"]
        self.assertTrue(0 < accepted < len(self.labels("set:auto")))
        words = ["--boxes", "auto", "--segment-with", SEGMENTERS / "sam-boxes", "--floor", "0", "--set", "masks"]
        self.label(*words, "--where", "verdict:accepted")
        place = lambda label: (label["name"], label["class"], round(label["confidence"], 6))  # noqa: E731
        self.assertEqual(sorted(map(place, self.labels("set:masks"))), sorted(map(place, self.labels("set:auto verdict:accepted"))))
        # A view about samples alone takes all of their boxes.
        self.label(*words, "--where", "width>=1")
        self.assertEqual(len(self.labels("set:masks")), len(self.labels("set:auto")))

    def give(self, name, labels, **beside):
        """A set with these labels by image; of an image without any it says that it shows nothing."""
        document = {
            "images": [{"id": number, "file_name": image} for number, image in enumerate(labels)],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [
                {"id": 100 * number + at, "image_id": number, "category_id": 1, **label}
                for number, of_image in enumerate(labels.values())
                for at, label in enumerate(of_image)
            ],
            **beside,
        }
        self.run_program(
            "import", "--labels", write_json(self.scratch / f"{name}.json", document), "--format", "coco", "--set", name
        )

    def test_images_whose_objects_a_set_does_not_tell_are_left_out(self):
        names = [sample["name"] for sample in self.run_program("samples").json["samples"]]
        box = {"bbox": [1, 1, 5, 5]}
        self.give("human", {names[0]: [box], names[1]: [], names[2]: [{**box, "iscrowd": 1}],
                            names[3]: [box, {**box, "iscrowd": 1}]})  # fmt: skip
        words = ("--boxes", "human", "--segment-with", SEGMENTERS / "sam-boxes", "--set", "masks")
        run = self.label(*words)
        self.assertEqual((run["samples"], run["done"], run["labels"]), (3, 3, 2))
        self.assertTrue(any(note.startswith(f"{self.count - 3} images are left out") for note in run["notes"]), run["notes"])
        self.assertTrue(any(note.startswith("2 crowds are passed over") for note in run["notes"]), run["notes"])
        labelled = {sample["name"] for sample in self.run_program("samples", "--where", "labelled:masks").json["samples"]}
        self.assertEqual(labelled, {names[0], names[1], names[3]})
        # A view about other labels selects none of the boxes.
        run = self.label(*words[:-1], "more", "--where", "set:masks")
        self.assertEqual((run["samples"], run["labels"]), (0, 0))

    def test_boxes_of_one_class_leave_the_masks_of_others(self):
        """A run gives way to a later one of the classes that it was asked for, which are those of the boxes."""
        name = self.run_program("samples").json["samples"][0]["name"]
        categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
        boxes = [{"bbox": [1, 1, 5, 5]}, {"bbox": [2, 2, 5, 5], "category_id": 2}, {"bbox": [3, 3, 6, 6], "category_id": 2}]
        self.give("human", {name: boxes}, categories=categories)
        words = ("--boxes", "human", "--segment-with", SEGMENTERS / "sam-boxes", "--set", "masks")
        self.label(*words)
        for view in ("set:human class:cat", "set:human class:dog"):
            self.label(*words, "--where", view)
            self.assertEqual(sorted(label["class"] for label in self.labels("set:masks")), ["cat", "dog", "dog"])

    def test_an_image_without_the_boxes_that_were_asked_for_is_not_empty(self):
        samples = self.run_program("samples").json["samples"]
        image = self.scratch / "photo.jpg"
        image.write_bytes((FIXTURES / "images" / next(s["name"] for s in samples if s["name"].endswith(".jpg"))).read_bytes())
        self.run_program("import", "--images", image.parent)
        self.give("human", {"photo.jpg": [{"bbox": [1, 1, 5, 5]}], samples[0]["name"]: [{"bbox": [2, 2, 5, 5]}]})
        self.run_program("review", "accept", "--where", "set:human")
        content = image.read_bytes()
        image.write_bytes(b"")
        words = ("--boxes", "human", "--where", "set:human verdict:accepted")
        run = self.label(*words, "--segment-with", SEGMENTERS / "sam-boxes", "--set", "masks", status=None)
        self.assertEqual((run["done"], run["failed"]), (1, 1))
        image.write_bytes(content)
        self.run_program("review", "reject", "--where", "set:human path:*photo.jpg")
        run = self.run_program("runs", "retry", run["run"], status=None).json
        self.assertEqual((run["done"], run["failed"], run["labels"]), (1, 1, 1))
        labelled = [sample["name"] for sample in self.run_program("samples", "--where", "labelled:masks").json["samples"]]
        self.assertEqual(labelled, [samples[0]["name"]])

    def test_a_run_goes_on_only_with_the_boxes_that_it_began_with(self):
        samples = self.run_program("samples").json["samples"]
        broken = next(sample for sample in samples if sample["name"].endswith(".jpg"))
        image = self.scratch / "photo.jpg"
        shutil.copyfile(FIXTURES / "images" / broken["name"], image)
        self.run_program("import", "--images", image.parent)
        self.give("human", {"photo.jpg": [{"bbox": [1, 1, 5, 5]}], samples[0]["name"]: [{"bbox": [2, 2, 5, 5]}]})
        content = image.read_bytes()
        image.write_bytes(b"")
        run = self.label("--boxes", "human", "--segment-with", SEGMENTERS / "sam-boxes", "--set", "masks", status=None)
        self.assertEqual((run["done"], run["failed"]), (1, 1))
        image.write_bytes(content)
        shown = self.run_program("runs", "show", run["run"]).json["options"]["boxes_from"]
        self.assertEqual((shown["runs"], [one["import"] for one in shown["imports"]]), ([], [1]))
        # What a person has decided is taken as it is now; labels that came since are not those of the run.
        self.give("human", {"photo.jpg": [{"bbox": [3, 3, 5, 5]}]})
        refused = self.error("runs", "retry", run["run"], status=None)
        self.assertEqual(refused["code"], "conflict")
        self.assertIn("import 2 has put others there", refused["message"])
        self.run_program("imports", "undo", 2)
        self.run_program("imports", "undo", 1)
        self.assertIn("import 1 was undone", self.error("runs", "retry", run["run"], status=None)["message"])

    def test_outlines_that_are_there_are_named_one_by_one(self):
        words = ("--model", DETECTOR, "--floor", "0.01", "--segment-with", SEGMENTERS / "sam-boxes", "--set", "masks")
        self.label(*words)
        given = self.labels("set:masks")
        self.assertTrue(0 < sum(label["kind"] == "mask" for label in given) <= len(given))
        words = ("--boxes", "masks", "--classify-with", CLIP, "--classes", "cat,remote control", "--floor", "0")
        self.label(*words, "--set", "named")
        # Each keeps its outline, also where several have one box, and is seen on grey.
        masks, named = self.annotations("masks"), self.annotations("named")
        for name, annotations in masks.items():
            outlines = {json.dumps([one["bbox"], one.get("segmentation")]) for one in annotations}
            self.assertEqual(outlines, {json.dumps([one["bbox"], one.get("segmentation")]) for one in named[name]})
            self.assertEqual(len(outlines), len(named[name]))
        self.label(*words, "--keep-background", "--set", "with-background")
        confidences = [sorted(label["confidence"] for label in self.labels(f"set:{name}")) for name in ("named", "with-background")]
        self.assertGreater(max(abs(a - b) for a, b in zip(*confidences)), 1e-3)

    def test_a_floor_is_one_for_boxes_that_are_there_too(self):
        self.label("--model", DETECTOR, "--floor", "0.01", "--set", "auto")
        given = self.labels("set:auto")
        words = ("--boxes", "auto", "--classify-with", CLIP, "--classes", "cat,remote control")
        run = self.label(*words, "--floor", "0", "--set", "all")
        self.assertEqual(run["labels"], len({(label["name"], *label["bbox"]) for label in given}))
        confidences = sorted(label["confidence"] for label in self.labels("set:all"))
        for floor in (None, confidences[len(confidences) // 2]):
            self.label(*words, *(("--floor", floor) if floor else ()), "--set", "some")
            self.assertEqual(sorted(label["confidence"] for label in self.labels("set:some")),
                             [one for one in confidences if one > (floor or 0.05)])  # fmt: skip
        # What is only outlined keeps its confidence: all of it, unless asked.
        words = ("--boxes", "auto", "--segment-with", SEGMENTERS / "sam-boxes")
        self.assertEqual(self.label(*words, "--set", "outlined")["labels"], len(given))
        self.label(*words, "--floor", "0.2", "--set", "sure")
        self.assertEqual(len(self.labels("set:sure")), sum(label["confidence"] >= 0.2 for label in given))
        self.assertLess(len(self.labels("set:sure")), len(given))

    def test_a_run_goes_on_only_with_the_same_files_beside_the_model(self):
        model = self.scratch / "clip"
        shutil.copytree(CLIP, model)
        images = self.scratch / "broken"
        write_bitmap(images / "whole.bmp", 30, 20)
        write_bitmap(images / "cut.bmp", 30, 20)
        self.run_program("import", "--images", images)
        whole = (images / "cut.bmp").read_bytes()
        (images / "cut.bmp").write_bytes(whole[:300])
        words = ("--model", model, "--classes", "cat,dog", "--set", "auto", "--where", "name:whole.bmp,cut.bmp")
        done = self.run_program("label", *words, status=1).json
        self.assertEqual((done["done"], done["failed"]), (1, 1))
        run = done["run"]
        (images / "cut.bmp").write_bytes(whole)
        config = model / "preprocessor_config.json"
        kept = config.read_text()
        settings = json.loads(kept)
        settings["image_mean"] = [0.1, 0.2, 0.3]
        config.write_text(json.dumps(settings))
        error = self.error("runs", "retry", run, status=None)
        self.assertEqual((error["code"], error["context"]["changed"]), ("conflict", "preprocessing"))
        config.write_text(kept)
        tokenizer = model / "tokenizer.json"
        kept = tokenizer.read_text()
        tokenizer.write_text(kept + "\n")
        error = self.error("runs", "retry", run, status=None)
        self.assertEqual((error["code"], error["context"]["changed"]), ("conflict", "tokenizer_sha256"))
        tokenizer.write_text(kept)
        (manifest,) = (graph.with_suffix(".verilabel.json") for graph in model.rglob("vision_model.onnx"))
        for key, value in (("max_detections", 1), ("logit_scale", 7)):
            manifest.write_text(json.dumps({key: value}))
            error = self.error("runs", "retry", run, status=None)
            changed = key if key == "max_detections" else "layout"
            self.assertEqual((error["code"], error["context"]["changed"]), ("conflict", changed))
        manifest.unlink()
        self.assertEqual(self.run_program("runs", "retry", run).json["failed"], 0)

    def test_a_run_with_a_segmenter_survives_kills(self):
        words = ["--model", DETECTOR, "--segment-with", SEGMENTERS / "sam-boxes", "--floor", "0.1"]
        whole = self.label(*words, "--set", "whole")
        for _ in range(5):
            process = subprocess.Popen(
                self.command("label", *words, "--set", "killed"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            known = len(self.run_program("runs").json["runs"])
            while process.poll() is None:
                runs = self.run_program("runs").json["runs"]
                if len(runs) > known - 1 and runs[-1]["done"] > 0 and runs[-1]["set"] == "killed":
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.005)
            process.communicate()
            if process.returncode == -signal.SIGKILL:
                break
        else:
            self.skipTest("every run was done before it could be killed")
        run = self.label("--resume", str(self.run_program("runs").json["runs"][-1]["run"]))
        self.assertEqual((run["done"], run["failed"]), (self.count, 0))
        content = lambda name: sorted(  # noqa: E731
            (label["name"], label["class"], label["kind"], label["confidence"], *label["bbox"])
            for label in self.labels(f"set:{name}")
        )
        self.assertEqual(content("killed"), content("whole"))
        self.assertEqual(len(content("whole")), whole["labels"])

    def test_everything_and_what_it_is(self):
        expected = json.loads((SEGMENTERS / "sam" / "everything.json").read_text())
        words = ["--everything", "--segment-with", SEGMENTERS / "sam", "--points-per-side", "5", "--min-iou", "0.75"]
        run = self.label(*words, "--min-stability", "0", "--nms", "0.7", "--set", "things")
        self.assertEqual((run["done"], run["failed"]), (self.count, 0))
        things = self.labels("set:things")
        self.assertGreater(len(things), self.count / 2)
        self.assertEqual({(label["class"], label["kind"]) for label in things}, {("object", "mask")})
        self.assertTrue(all(label["confidence"] > 0.75 for label in things))
        options = self.run_program("runs", "show", run["run"]).json["options"]
        self.assertEqual(
            options["everything"], {"points_per_side": 5, "min_iou": 0.75, "min_stability": 0.0, "stability_offset": 1.0}
        )
        # With the thresholds of one image, that image has the masks of the reference.
        image = next(one for one in expected["images"] if one["nms_iou"] == 1 and len(one["masks"]) > 5)
        limits = {"--min-iou": "min_iou", "--min-stability": "min_stability", "--stability-offset": "stability_offset"}
        chosen = [word for option, key in limits.items() for word in (option, str(image[key]))]
        one = ["--nms", "1", "--floor", "0", "--where", f"path:*{image['file']}", "--set", "one"]
        self.label(*words[:-2], *chosen, *one)
        ours = sorted(label["confidence"] for label in self.labels("set:one"))
        theirs = sorted(mask["score"] for mask in image["masks"])
        self.assertEqual(len(ours), len(theirs))
        for our, their in zip(ours, theirs):
            self.assertAlmostEqual(our, their, delta=1e-3)
        named = self.label(
            *words, "--classify-with", CLIP, "--classes", "cat,fire hydrant", "--max-detections", "2", "--set", "named"
        )
        self.assertLessEqual(named["labels"], 2 * self.count)
        self.assertLessEqual({label["class"] for label in self.labels("set:named")}, {"cat", "fire hydrant"})

    def test_what_does_not_go_together_is_said(self):
        for words, reason in [
            (["--everything"], "name it with --segment-with"),
            (["--everything", "--segment-with", SEGMENTERS / "sam", "--classes", "cat"], "--classify-with"),
            (["--everything", "--segment-with", SEGMENTERS / "sam", "--model", DETECTOR], "one of a model"),
            (["--everything", "--segment-with", SEGMENTERS / "sam", "--points-per-side", "0"], "0 points a side"),
            (["--boxes", "a", "--classify-with", CLIP, "--classes", "cat,dog", "--propose", "cat"], "leave --propose out"),
            (["--model", DETECTOR, "--segment-with", DETECTOR], "two graphs"),
            (["--model", CLIP, "--classes", "cat,dog", "--segment-with", SEGMENTERS / "sam-boxes"], "leave --segment-with out"),
            (
                ["--model", CLIP, "--propose", "cat,dog", "--classes", "cat,dog", "--classify-with", CLIP],
                "leave --classify-with out",
            ),
        ]:
            self.assertIn(reason, self.error("label", *words, status=2)["message"])
        self.error("label", "--model", DETECTOR, "--points-per-side", "3", status=2)
        self.assertEqual(self.run_program("runs").json["runs"], [], "what cannot be used is no run")
        self.assertEqual(self.run_program("stats").json["sets"], {})
        refused = self.error("label", "--model", DETECTOR, "--segment-with", SEGMENTERS / "sam", status=None)
        self.assertEqual(refused["code"], "bad_model")
        self.assertIn("takes points and no boxes", refused["message"])
        refused = self.error("label", "--model", SEGMENTERS / "sam", status=None)
        self.assertIn("--segment-with", refused["message"])

    def test_models_info_tells_what_a_segmenter_is(self):
        for name, family, boxes, points in [
            ("sam", "sam_transformers", False, True),
            ("sam-boxes", "sam_transformers", True, True),
            ("sam-meta-raw", "sam", True, True),
            ("sam2", "sam2_transformers", True, True),
            ("sam2-samexporter", "sam2", True, True),
        ]:
            info = self.run_program("models", "info", SEGMENTERS / name).json
            self.assertEqual((info["family"], info["takes_boxes"], info["takes_points"]), (family, boxes, points))
            self.assertTrue(info["decoder_inputs"] and info["decoder_outputs"] and info["inputs"] and info["preprocessing"])

    def test_models_verify_tries_a_segmenter(self):
        for name in ("sam", "sam-boxes", "sam2-samexporter"):
            report = self.run_program("models", "verify", SEGMENTERS / name, "--seconds", "0.1").json
            self.assertTrue(all(check["is_good"] for check in report["checks"]), report["checks"])
            self.assertGreater(report["images_per_second"], 0)

    def test_models_verify_says_what_is_wrong_with_a_segmenter(self):
        folder = self.scratch / "sam-boxes"
        shutil.copytree(SEGMENTERS / "sam-boxes", folder)
        (folder / "preprocessor_config.json").unlink()
        report = self.run_program("models", "verify", folder, status=1).json
        self.assertEqual([check["name"] for check in report["checks"]], ["load"])
        self.assertIn("preprocessor_config.json is missing", report["checks"][0]["message"])

    def test_models_lists_the_families_of_segmenters(self):
        families = {family["name"] for family in self.run_program("models").json["families"]}
        self.assertLessEqual({"sam", "sam2", "sam_transformers", "sam2_transformers"}, families)
