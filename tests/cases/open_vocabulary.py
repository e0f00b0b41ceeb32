"""Detectors that are asked in words: scores of the reference, long lists in the memory of one part, kills, bad input."""

import json
import os
import shutil
import signal
import subprocess
import time

from harness import FIXTURES, FixtureCase, write_json

ASKED = ["owlvit", "owlv2", "grounding-dino", "grounding-dino-idea", "yolo-world"]
# YOLO-World with its texts in the graph.
BAKED = ["yolo-world-mmyolo", "yolo-world-ultralytics"]
# As many as LVIS has.
MANY = 1203
# Peak memory of runs over lists of 60 to 1,203 names may differ by so much: what a full part has more than a small one, and chance.
SLACK_KIB = 32 << 10


def expected_of(name):
    return json.loads((FIXTURES / "open_vocabulary" / name / "expected.json").read_text())


def overlap(a, b):
    """IoU of two boxes x, y, w, h."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inside = max(0, width) * max(0, height)
    return inside / max(1e-9, a[2] * a[3] + b[2] * b[3] - inside)


class OpenVocabulary(FixtureCase):
    def model(self, name):
        return FIXTURES / "open_vocabulary" / name

    def names_file(self, names):
        file = self.scratch / f"names-{len(names)}.txt"
        file.write_text("".join(f"{name}\n" for name in names))
        return file

    def many_names(self, count):
        return self.names_file([f"{('cat', 'red bus', 'dent')[i % 3]} {i}" for i in range(count)])

    def boxes_of(self, label_set):
        found = {}
        for label in self.run_program("labels", "--where", f"set:{label_set} limit:100000").json["labels"]:
            found.setdefault(label["name"], []).append(label)
        return found

    def test_every_family_finds_what_its_reference_finds(self):
        for name in ASKED + BAKED:
            with self.subTest(name):
                expected = expected_of(name)
                words = [] if name in BAKED else ["--classes-file", self.names_file(expected["labels"])]
                if expected.get("template", "{}") != "{}":
                    words += ["--template", expected["template"]]
                run = self.run_program(
                    "label", "--model", self.model(name), "--set", name, "--floor", expected["floor"], "--max-detections", 1000,
                    *words,
                ).json  # fmt: skip
                self.assertEqual((run["done"], run["failed"]), (self.count, 0))
                found = self.boxes_of(name)
                for image in expected["images"]:
                    # Engine and reference sum in different orders, so that what is near the floor may be on either side.
                    near = [one for one in image["detections"] if one["score"] < expected["floor"] + 1e-3]
                    ours = found.get(image["file"], [])
                    self.assertLessEqual(abs(len(ours) - len(image["detections"])), len(near) + 1, image["file"])
                    for one in image["detections"]:
                        if one in near:
                            continue
                        x1, y1, x2, y2 = one["box_xyxy_px"]
                        partners = [
                            label for label in ours
                            if label["class"] == expected["labels"][one["class"]]
                            and abs(label["confidence"] - one["score"]) <= 1e-3
                            and max(abs(a - b) for a, b in zip(label["bbox"], (x1, y1, x2 - x1, y2 - y1))) <= 0.5
                        ]  # fmt: skip
                        self.assertTrue(partners, (image["file"], one))

    def test_one_word_changes_the_model(self):
        for name in ASKED:
            run = self.run_program(
                "label", "--model", self.model(name), "--classes", "cat,traffic light", "--set", name, "--floor", "0.01"
            ).json
            self.assertEqual(run["done"], self.count)
            found = {label["class"] for labels in self.boxes_of(name).values() for label in labels}
            self.assertLessEqual(found, {"cat", "traffic light"})
            self.assertTrue(found)

    def test_the_cost_of_a_long_list_is_said_before_the_run(self):
        command = self.command("label", "--model", self.model("owlv2"), "--classes-file", self.many_names(MANY), "--set", "many")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            said = ""
            for line in process.stderr:
                said += line
                if "each image takes" in line:
                    break
            self.assertIn("1,203 classes are asked in 3 parts: each image takes 3 inferences", said)
            self.assertNotIn("labelling", said)
            process.stderr.read()
        self.assertEqual(process.returncode, 0)

    def test_the_cost_is_said_before_anything_is_made_ready(self):
        words = ("--model", self.model("owlv2"), "--classes-file", self.many_names(MANY), "--device", "npu")
        answer = self.run_program("label", *words, status=None)
        self.assertEqual(answer.json["error"]["code"], "engine")
        self.assertIn(b"each image takes 3 inferences", answer.err)

    def test_memory_does_not_grow_with_the_list(self):
        for name in ["owlv2", "grounding-dino", "yolo-world"]:
            with self.subTest(name):
                peaks = {count: self.peak_memory_kib(name, count) for count in (60, 300, MANY)}
                print(f"\n{name}: " + ", ".join(f"{count} names {kib >> 10} MiB" for count, kib in peaks.items()))
                self.assertLess(max(peaks.values()), min(peaks.values()) + SLACK_KIB)

    def peak_memory_kib(self, name, count):
        """VmHWM of a run over one image."""
        command = self.command(
            "label", "--model", self.model(name), "--classes-file", self.many_names(count), "--set", f"{name}-{count}",
            "--where", "path:*/107x80.png",
        )  # fmt: skip
        # AddressSanitizer would keep what was freed.
        environment = os.environ | {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}
        with open(self.scratch / "said.txt", "w+", encoding="utf-8") as said:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            self.assertEqual(process.returncode, 0, said.read())
        return usage.ru_maxrss

    def test_texts_are_encoded_once(self):
        words = ["label", "--model", self.model("yolo-world"), "--classes-file", self.many_names(MANY)]
        self.run_program(*words, "--set", "first")
        files = list((self.project / "vectors" / "texts").iterdir())
        self.assertEqual(len(files), 1)
        written, features = files[0].stat().st_mtime_ns, files[0].read_bytes()
        # Each text is its tokens and 32 numbers: of all names, and of the background.
        self.assertGreater(len(features), (MANY + 1) * 4 * 32)
        self.run_program(*words, "--set", "second")
        self.assertEqual(files[0].stat().st_mtime_ns, written, "nothing new was encoded")
        self.assertEqual(self.exported("second"), self.exported("first"))
        self.assertGreater(len(self.exported("first")), self.count)

    def test_a_killed_run_over_a_long_list_goes_on(self):
        words = ["label", "--model", self.model("grounding-dino"), "--classes-file", self.many_names(200), "--floor", "0.2"]
        whole = self.run_program(*words, "--set", "whole").json
        self.assertGreater(whole["labels"], self.count)
        for attempt in range(10):  # until a kill falls inside a run
            label_set = f"killed{attempt}"
            process = self.start_program(*words, "--set", label_set)
            while process.poll() is None and not any(run["done"] > 0 for run in self.runs_into(label_set)):
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            run = self.runs_into(label_set)[0]
            if run["done"] < self.count:
                break
        self.assertLess(run["done"], self.count, "no kill fell inside a run")
        resumed = self.run_program("label", "--resume", run["run"])
        self.assertIn(b"parts: each image takes", resumed.err)
        self.assertEqual((resumed.json["done"], resumed.json["failed"]), (self.count, 0))
        self.assertEqual(self.exported(label_set), self.exported("whole"))

    def runs_into(self, label_set):
        return [run for run in self.run_program("runs", "list").json["runs"] if run["set"] == label_set]

    def test_nms_leaves_the_best_of_each_class(self):
        words = ["--model", self.model("owlv2"), "--classes", "cat,remote control", "--floor", "0.05"]
        plain = self.run_program("label", *words, "--set", "plain").json["labels"]
        kept = self.run_program("label", *words, "--set", "kept", "--nms", "0.3").json["labels"]
        self.assertLess(kept, plain)
        for labels in self.boxes_of("kept").values():
            for i, one in enumerate(labels):
                for other in labels[:i]:
                    if one["class"] == other["class"]:
                        self.assertLessEqual(overlap(one["bbox"], other["bbox"]), 0.3 + 1e-6)

    def test_images_that_go_together_do_not_change_each_other(self):
        for name in ASKED + BAKED:
            words = ["--classes-file", self.names_file(expected_of(name)["labels"][:3])] if name in ASKED else []
            words = ["label", "--model", self.model(name), "--floor", "0.25", *words]
            self.run_program(*words, "--set", f"{name}-alone", "--batch", 1)
            together = self.run_program(*words, "--set", f"{name}-together", "--batch", 4, status=None)
            if name == "yolo-world":
                alone = self.exported(f"{name}-alone")
                self.assertEqual(len(self.exported(f"{name}-together")), len(alone))
                for one, other in zip(alone, self.exported(f"{name}-together")):
                    self.assertEqual(one[:2], other[:2])
                    for a, b in zip(one[2:], other[2:]):
                        self.assertAlmostEqual(a, b, delta=1e-3)
            else:
                # Graphs of one image, and families of which an engine makes something else when several go together.
                self.assertIn("1 image at a time", together.json["error"]["message"], name)

    def test_any_text_can_be_asked_for(self):
        names = ["🙂", "🚲", "日本", "naïve café", "42", "a & b; c", "[MASK]", "<|endoftext|>", "it's"]
        for name in ASKED:
            run = self.run_program(
                "label", "--model", self.model(name), "--classes-file", self.names_file(names), "--set", name, "--floor", "0.01"
            )
            self.assertEqual((run.json["done"], run.json["failed"]), (self.count, 0))
            found = {label["class"] for labels in self.boxes_of(name).values() for label in labels}
            self.assertLessEqual(found, set(names))
            if name.startswith("grounding"):
                self.assertIn("the model knows no part of these and cannot find them: '🙂', '🚲'".encode(), run.err)

    def test_ten_thousand_classes_are_asked(self):
        file = self.names_file([f"c{i}" for i in range(10000)])
        for name in ["owlv2", "grounding-dino", "yolo-world"]:
            run = self.run_program(
                "label", "--model", self.model(name), "--classes-file", file, "--set", name, "--where", "path:*/107x80.png",
                "--floor", "0.01", "--max-detections", 20000,
            )  # fmt: skip
            self.assertIn(b"10,000 classes are asked in", run.err)
            self.assertEqual((run.json["done"], run.json["failed"]), (1, 0))
            found = {int(label["class"][1:]) for labels in self.boxes_of(name).values() for label in labels}
            self.assertGreater(max(found), 5000, "of later parts, too")

    def test_what_cannot_be_asked_is_wrong_use(self):
        unnamed = write_json(self.scratch / "unnamed.json", {"classes": ["cat", ""]})
        for name in ASKED:
            for status, words, reason in [
                (2, [], "say what with --classes"),
                (2, ["--classes", ""], "--classes has an empty name"),
                (2, ["--classes", "cat,,dog"], "--classes has an empty name"),
                (2, ["--classes", "cat,"], "--classes has an empty name"),
                (2, ["--classes", "cat", "--negatives", ",sky"], "--negatives has an empty name"),
                (4, ["--classes-file", self.names_file([])], "names none"),
                (4, ["--classes-file", unnamed], "classes[1] has an empty name"),
                (2, ["--classes", "cat,cat"], "named twice"),
                (2, ["--classes", "very " * 300 + "long"], "the model reads"),
            ]:
                error = self.error("label", "--model", self.model(name), *words, status=status)
                self.assertIn(reason, error["message"], name)
        for name in ["owlvit", "grounding-dino"]:
            error = self.error(
                "label", "--model", self.model(name), "--classes", "cat", "--template", "a {}", "--template", "the {}", status=2
            )
            self.assertIn("cannot average", error["message"])
        error = self.error("label", "--model", self.model("grounding-dino"), "--classes", "???", status=2)
        self.assertIn("no phrase to this model", error["message"])
        for name in BAKED:
            for names, reason in [
                ("zebra", "the model has no class 'zebra'"),
                ("", "an empty name"),
                ("cat,,cat", "an empty name"),
            ]:
                error = self.error("label", "--model", self.model(name), "--classes", names, status=2)
                self.assertIn(reason, error["message"])
            error = self.error("label", "--model", self.model(name), "--classes", "cat,cat", status=2)
            self.assertIn("named twice", error["message"])
            words = ("--classify-with", self.model(name), "--classes", "cat", "--propose", "cat,")
            error = self.error("label", "--model", self.model(name), *words, status=2)
            self.assertIn("--propose has an empty name", error["message"])
        self.assertEqual(self.run_program("labels").json["labels"], [])

    def test_files_that_do_not_belong_together_are_refused(self):
        for name, other in [
            ("owlv2", "grounding-dino"), ("grounding-dino", "owlv2"), ("yolo-world", "grounding-dino"), ("owlvit", None),
            ("grounding-dino-idea", None), ("yolo-world", None),
        ]:  # fmt: skip
            folder = self.scratch / f"{name}-{other}"
            shutil.copytree(self.model(name), folder)
            if other is None:
                (folder / "tokenizer.json").unlink()
            else:
                shutil.copy(self.model(other) / "tokenizer.json", folder / "tokenizer.json")
            answer = self.run_program("label", "--model", folder, "--classes", "cat", status=None)
            error = answer.json["error"]
            self.assertEqual(error["code"], "bad_model" if other is None else "bad_data")
            self.assertIn("there is no tokenizer.json" if other is None else "it belongs to another model", error["message"])
