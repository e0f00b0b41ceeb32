"""The whole loop in one command: on a drawn world, on photographs, offline, cut off half-way, and without its models."""

import json
import os
import shutil
import signal
import subprocess
import time

from harness import FIXTURES, PROGRAM, ProgramCase, bundled_models

DETECTOR = FIXTURES / "open_vocabulary" / "yolo-world"
SEGMENTER = FIXTURES / "segment_anything" / "sam-boxes"
OWN_DETECTOR = FIXTURES / "rt-detr"
NOT_FOUND, CONFLICT, INTERRUPTED = 3, 7, 130


class Quickstarting(ProgramCase):
    def setUp(self):
        super().setUp()
        # Graphs of the same interfaces, with random weights, in the place of the models that come along.
        self.models = self.scratch / "models"
        self.models.mkdir()
        for name, folder in (("detector", DETECTOR), ("segmenter", SEGMENTER)):
            (self.models / name).symlink_to(folder)
        self.env = os.environ | {"VERILABEL_MODELS": os.fspath(self.models)}
        self.folder = self.scratch / "quickstart"

    def quickstart(self, *words, status=0, env=None, as_json=True):
        return self.run_program("quickstart", self.folder, *words, status=status, env=env or self.env, as_json=as_json)

    def answers(self, answer):
        """The answer of each step by the words of its command that are no options."""
        steps = answer.json["steps"]
        return {step["command"].split(" --")[0].removeprefix("verilabel "): step["answer"] for step in steps}

    def refused(self, *words, status, env=None):
        error = self.quickstart(*words, status=status, env=env).json["error"]
        return error["message"] + " " + json.dumps(error["context"])

    def world(self, images):
        self.run_program("demo", "create", self.scratch / "own", "--images", images, "--long-side", 320)
        return self.scratch / "own"

    def test_the_whole_loop_on_a_drawn_world(self):
        answer = self.quickstart("--count", 24, "--seed", 3)
        found = self.answers(answer)
        self.assertEqual(found["demo create world"]["images"], 24)
        self.assertEqual(found["init"], {"project": os.fspath(self.folder)})
        imported = [step["answer"] for step in answer.json["steps"] if "import" in step["command"]]
        self.assertEqual(imported[0]["added"], 24)
        self.assertTrue(0 < imported[1]["images_listed"] < 12)
        labelled, outlined = [step["answer"] for step in answer.json["steps"] if step["command"].startswith("verilabel label")]
        self.assertEqual((labelled["done"], labelled["failed"]), (24, 0))
        self.assertGreater(labelled["labels"], 0)
        self.assertEqual(found["evaluate"]["coverage"]["samples"], imported[1]["images_listed"])
        self.assertEqual(found["review accept"]["labels"], outlined["labels"])
        self.assertEqual({step["status"] for step in answer.json["steps"]}, {0})
        for name in ("report.html", "thresholds.json", "masks.json", "yolo/data.yaml"):
            self.assertGreater((self.folder / name).stat().st_size, 0, name)
        names = [one["name"] for one in json.loads((self.folder / "world" / "asked.json").read_text())["categories"]]
        self.assertIn("yellow duck", names)
        self.assertEqual(sorted(found["evaluate"]["per_class"]), sorted(names))

    def test_every_step_is_a_line_that_a_shell_takes(self):
        lines = [step["command"] for step in self.quickstart("--count", 12, "--classes", "person, red car, book").json["steps"]]
        script = self.folder / "quickstart.sh"
        self.assertEqual([line for line in script.read_text().splitlines() if not line.startswith("#")], lines)
        again, programs = self.scratch / "again", self.scratch / "bin"
        again.mkdir()
        programs.mkdir()
        (programs / "verilabel").symlink_to(PROGRAM.resolve())
        env = self.env | {"PATH": f"{programs}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-e", script], cwd=again, env=env, check=True, capture_output=True)
        for name in ("thresholds.json", "masks.json", "world/asked.json", "yolo/data.yaml"):
            self.assertEqual((again / name).read_bytes(), (self.folder / name).read_bytes(), name)

    def test_people_see_each_line_and_what_comes_next(self):
        text = self.quickstart("--count", 10, as_json=False).out.decode()
        self.assertIn("1/11 Draw", text)
        self.assertIn("$ verilabel demo create world --images 10 --seed 1 --classes 'person, ", text)
        self.assertIn(f"$ verilabel label --model {self.models}/detector --classes", text)
        self.assertIn("yellow duck", text)
        self.assertIn(f"PATH={PROGRAM.resolve().parent}", text)
        self.assertIn("verilabel quickstart mine --images PHOTOS --model", text)
        self.assertNotIn("Next:", text)

    def test_photographs_with_truth(self):
        world = self.world(8)
        words = ("--images", world / "images", "--model", OWN_DETECTOR, "--segment-with", SEGMENTER)
        answer = self.quickstart(*words, "--labels", world / "truth.json", env=os.environ)
        found = self.answers(answer)
        self.assertNotIn("demo create world", found)
        self.assertEqual(found["evaluate"]["coverage"]["samples"], 8)
        self.assertTrue((self.folder / "report.html").is_file())
        self.assertIn("--format coco", (self.folder / "quickstart.sh").read_text())

    def test_photographs_without_truth_and_paths_as_seen_from_here(self):
        world = self.world(6)
        shutil.copytree(OWN_DETECTOR, world / "my model")
        command = ["quickstart", "new/mine", "--images", "images", "--model", "my model"]
        answer = self.run_program(*command, cwd=world, env=os.environ)
        steps = answer.json["steps"]
        self.assertEqual([step["command"].split()[1] for step in steps], ["init", "import", "label", "export", "export"])
        self.assertEqual(answer.json["folder"], os.fspath(world / "new" / "mine"))
        document = json.loads((world / "new" / "mine" / "boxes.json").read_text())
        self.assertTrue(all(label["score"] >= 0.3 for label in document["annotations"]))
        self.assertEqual(len(document["images"]), 6)
        self.assertIn("'", steps[2]["command"], "a path with a blank is quoted")

    def test_images_that_fail_are_told_and_do_not_end_it(self):
        world = self.world(4)
        (world / "images" / "broken.jpg").write_bytes((world / "images" / "00000.jpg").read_bytes()[:3000])
        answer = self.quickstart("--images", world / "images", "--model", OWN_DETECTOR, status=1, env=os.environ)
        self.assertEqual([step["status"] for step in answer.json["steps"]].count(1), 1)
        self.assertTrue((self.folder / "yolo").is_dir())

    def test_a_folder_with_something_in_it_is_left_alone(self):
        self.folder.mkdir()
        self.quickstart("--count", 3)  # an empty one is taken
        self.assertIn("complete", self.refused("--count", 3, status=CONFLICT))
        self.assertIn("other words", self.refused("--count", 4, status=CONFLICT))
        other = self.scratch / "other"
        other.mkdir()
        (other / "diary.txt").write_text("mine")
        self.folder = other
        self.assertIn("something else", self.refused("--count", 3, status=CONFLICT))
        self.assertEqual([path.name for path in other.iterdir()], ["diary.txt"])

    def test_missing_models_are_looked_for_in_named_places(self):
        text = self.refused(status=NOT_FOUND, env=os.environ | {"VERILABEL_MODELS": os.fspath(self.scratch / "none")})
        self.assertIn("VERILABEL_MODELS", text)
        self.assertIn(os.fspath(self.scratch / "none" / "detector"), text)
        self.assertFalse(self.folder.exists())

    def test_models_lie_beside_an_installed_program(self):
        prefix = self.scratch / "prefix"
        (prefix / "bin").mkdir(parents=True)
        shutil.copy2(PROGRAM, prefix / "bin" / "verilabel")
        env = {name: value for name, value in os.environ.items() if name != "VERILABEL_MODELS"}

        def run():
            command = [prefix / "bin" / "verilabel", "--json", "quickstart", self.folder, "--count", "3"]
            done = subprocess.run(command, capture_output=True, env=env, timeout=120, check=False)
            return json.loads(done.stdout)

        places = prefix / "share" / "verilabel" / "models"
        places.mkdir(parents=True)
        (places / "detector").symlink_to(DETECTOR)
        (places / "segmenter").symlink_to(SEGMENTER)
        commands = [step["command"] for step in run()["steps"]]
        self.assertIn(f"--model {places}/detector", "\n".join(commands))

    def test_wrong_use_makes_nothing(self):
        world = self.world(2)
        images = ("--images", world / "images")
        for status, words, reason in [
            (2, ("--model", OWN_DETECTOR), "--images"),
            (2, images, "--model"),
            (2, (*images, "--model", OWN_DETECTOR, "--count", 3), "--count"),
            (2, ("--images", world / "truth.json", "--model", OWN_DETECTOR), "no folder"),
            (2, (*images, "--model", OWN_DETECTOR, "--format", "coco"), "--labels"),
            (2, (*images, "--model", OWN_DETECTOR, "--labels", world / "none.json"), "does not exist"),
            (NOT_FOUND, (*images, "--model", "some/where"), "models pull"),
        ]:
            self.assertIn(reason, self.refused(*words, status=status, env=os.environ), words)
            self.assertFalse(self.folder.exists(), words)

    def test_a_step_that_is_refused_is_named_and_can_be_asked_for_otherwise(self):
        world = self.world(2)
        words = ("--images", world / "images", "--model", DETECTOR)
        text = self.refused(*words, status=2)
        self.assertIn("--classes", text)
        self.assertIn("verilabel label --model", text)
        answer = self.quickstart(*words, "--classes", "cat, dog")
        self.assertEqual([step["status"] for step in answer.json["steps"]][:3], [None, None, 0])

    def test_a_run_that_was_cut_off_is_not_taken_for_one_of_other_words(self):
        words = ("--images", self.world(120) / "images", "--model", DETECTOR)
        if self.cut_off(signal.SIGKILL, (*words, "--classes", "cat")) != -signal.SIGKILL:
            self.skipTest("it was done before it could be cut off")
        self.quickstart(*words, "--classes", "dog")
        runs = self.run_program("runs", project=self.folder).json["runs"]
        self.assertEqual(runs[-1]["done"], 120)
        self.assertEqual(len(runs), 2)

    def cut_off(self, number, words):
        """Sends the signal once some images are labelled; the exit status."""
        process = subprocess.Popen(
            self.command("quickstart", self.folder, *words), env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            if (self.folder / "verilabel.db").exists():
                runs = self.run_program("runs", project=self.folder, status=None)
                if runs.status == 0 and runs.json["runs"] and runs.json["runs"][-1]["done"] > 0:
                    process.send_signal(number)
                    break
            time.sleep(0.01)
        return process.wait(60)

    def test_killed_or_stopped_half_way_it_goes_on(self):
        words = ("--images", self.world(120) / "images", "--model", DETECTOR, "--classes", "person, car")
        for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, INTERRUPTED)):
            with self.subTest(number.name):
                self.folder = self.scratch / number.name
                if self.cut_off(number, words) != status:
                    self.skipTest("it was done before it could be cut off")
                [run] = self.run_program("runs", project=self.folder).json["runs"]
                if run["done"] == 120:
                    self.skipTest("every image was labelled before it could be cut off")
                self.assertFalse((self.folder / "yolo").exists())
                answer = self.quickstart(*words)
                self.assertEqual([step["status"] for step in answer.json["steps"]], [None, None, 0, 0, 0])
                self.assertEqual(answer.json["steps"][2]["answer"]["done"], 120)
                self.assertEqual(len(self.run_program("runs", project=self.folder).json["runs"]), 1, "no image is labelled twice")
                self.assertTrue((self.folder / "yolo" / "data.yaml").is_file())

    def test_what_came_into_being_before_a_kill_is_kept(self):
        self.quickstart("--count", 6)
        script = self.folder / "quickstart.sh"
        whole = script.read_text().splitlines(keepends=True)
        drawn = (self.folder / "world" / "truth.json").stat().st_mtime_ns
        lines = [line for line in whole if not line.startswith("#")]
        for step in (0, 1, 4, 7, 9, 10):
            with self.subTest(lines[step]):
                script.write_text("".join(whole[: step - len(lines)]) + f"# not done yet: {lines[step]}")
                answer = self.quickstart("--count", 6)
                self.assertEqual(script.read_text(), "".join(whole))
                self.assertEqual([one["status"] for one in answer.json["steps"]][:step], [None] * step)
                self.assertEqual((self.folder / "world" / "truth.json").stat().st_mtime_ns, drawn)

    def test_it_needs_no_network(self):
        alone = ["unshare", "--user", "--map-root-user", "--net"]
        if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
            alone = ["unshare", "--net"]
            if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
                self.skipTest("unshare is not permitted here")
        command = [*alone, *self.command("quickstart", self.folder, "--count", 10)]
        done = subprocess.run(command, env=self.env, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertTrue((self.folder / "masks.json").is_file())


class BundledModels(ProgramCase):
    def test_what_comes_along_finds_what_words_ask_for(self):
        models = bundled_models()
        env = os.environ | {"VERILABEL_MODELS": os.fspath(models)}
        answer = self.run_program("quickstart", self.scratch / "quickstart", "--count", 150, "--seed", 11, env=env)
        steps = {step["command"].split()[1]: step["answer"] for step in answer.json["steps"]}
        # The card of the detector has its figures; this only tells it from one that finds nothing.
        self.assertGreater(steps["evaluate"]["metrics"]["mAP_50"], 0.3)
        words = ("--predictions", "masks", "--truth", "ground_truth", "--iou-type", "mask")
        outlines = self.run_program("evaluate", *words, project=self.scratch / "quickstart").json
        self.assertGreater(outlines["metrics"]["mAP_50"], 0.25)
