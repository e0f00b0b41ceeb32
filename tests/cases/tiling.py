"""Large images through tiles: what is found on single photographs is found on a canvas of them, once; runs that were killed."""

import json
import random
import shutil
import signal
import time
import unittest

from harness import SOURCE, ProgramCase, test_data

CANVAS = (4000, 3000)
CELL = 660


def edges(row):
    return row[2], row[3], row[2] + row[4], row[3] + row[5]


def shared(a, b):
    """Pixels that two rows of `exported` have in common, and their IoU."""
    a, b = edges(a), edges(b)
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h, w * h / either if either > 0 else 0


class Tiling(ProgramCase):
    def setUp(self):
        super().setUp()
        self.data = test_data()
        self.init()

    def model(self, name):
        return self.data / "models" / name

    def photographs(self, count):
        return sorted((self.data / "coco128-val" / "images").glob("*.jpg"))[:count]

    def label(self, label_set, *words, model="yolox_nano.onnx", project=None):
        return self.run_program("label", "--model", self.model(model), "--set", label_set, *words, project=project).json

    def paste(self):
        """A canvas of photographs, and where each lies on it."""
        try:
            from PIL import Image
        except ImportError as missing:
            raise unittest.SkipTest("Pillow is not installed") from missing
        chance = random.Random(5)
        canvas = Image.new("RGB", CANVAS, (114, 114, 114))
        columns, rows = CANVAS[0] // CELL, CANVAS[1] // CELL
        singles, places = self.scratch / "singles", {}
        singles.mkdir()
        for number, path in enumerate(self.photographs(columns * rows)):
            photograph = Image.open(path).convert("RGB")
            x = number % columns * CELL + chance.randint(0, CELL - photograph.width)
            y = number // columns * CELL + chance.randint(0, CELL - photograph.height)
            canvas.paste(photograph, (x, y))
            places[path.name] = (x, y)
            shutil.copy(path, singles / path.name)
        (self.scratch / "large").mkdir()
        canvas.save(self.scratch / "large" / "canvas.png")
        return singles, places

    def test_a_canvas_gives_what_its_photographs_give_and_nothing_twice(self):
        singles, places = self.paste()
        single_project = self.scratch / "single"
        self.init(single_project)
        self.run_program("import", "--images", singles, project=single_project)
        self.label("auto", "--floor", "0.4", "--nms", "0.5", project=single_project)
        wanted = []
        for name, class_name, x, y, w, h, score in self.exported("auto", project=single_project):
            dx, dy = places[name]
            wanted.append((name, class_name, x + dx, y + dy, w, h, score))
        self.assertGreater(len(wanted), 60)

        def recall(found):
            hits = [row for row in wanted if any(row[1] == one[1] and shared(row, one)[1] > 0.5 for one in found)]
            return len(hits) / len(wanted)

        self.run_program("import", "--images", self.scratch / "large")
        plain = self.label("plain", "--floor", "0.25", "--nms", "0.5")
        self.assertEqual((plain["windows"], plain["tiles"]), (1, None))
        words = ("--floor", "0.25", "--nms", "0.5", "--tile", "640")
        tiled = self.label("tiled", *words)
        # Tiles go on by 512: 7 steps over 3360 pixels, 5 over 2360; and the whole.
        self.assertEqual(tiled["windows"], 8 * 6 + 1)
        self.assertEqual(tiled["tiles"], {"side": 640, "overlap": 0.2, "scales": [1], "whole": True})
        scaled = self.label("scaled", *words, "--scales", "1,0.5")
        self.assertEqual(scaled["windows"], 8 * 6 + 4 * 3 + 1)

        figures = {name: recall(self.exported(name)) for name in ("plain", "tiled", "scaled")}
        print(f"\n{len(wanted)} objects; found on the canvas:", {name: round(part, 3) for name, part in figures.items()})
        self.assertLess(figures["plain"], 0.2)
        self.assertGreater(figures["tiled"], 0.9)
        self.assertGreater(figures["scaled"], 0.9)
        for name in ("tiled", "scaled"):
            found = self.exported(name)
            sure = [row for row in found if row[-1] > 0.4]
            beside = [row for row in sure if not any(row[1] == one[1] and shared(row, one)[1] > 0.5 for one in wanted)]
            pieces = [a for a in sure for b in found if a is not b and a[1] == b[1] and shared(a, b)[0] > 0.8 * a[4] * a[5]]
            print(f"{name}: {len(sure)} sure ones, {len(beside)} not on the photographs, {len(pieces)} inside of another")
            pairs = [(a, b) for i, a in enumerate(found) for b in found[:i] if a[1] == b[1]]
            self.assertEqual([pair for pair in pairs if shared(*pair)[1] > 0.5], [], name)
            for row in found:
                left, top, right, bottom = edges(row)
                self.assertTrue(left >= 0 and top >= 0 and right <= CANVAS[0] and bottom <= CANVAS[1], row)

        shown = self.run_program("runs", "show", str(scaled["run"])).json["options"]["tiles"]
        self.assertEqual(shown, {"side": 640, "overlap": 0.2, "scales": [1, 0.5], "whole": True})
        text = self.run_program("runs", "show", str(scaled["run"]), as_json=False).out.decode()
        self.assertIn("tiles of 640 pixels, 0.2 of them shared, scales 1, 0.5, and the whole image", text)

    def test_by_size_small_images_are_looked_at_once(self):
        self.paste()
        shutil.copy(self.photographs(1)[0], self.scratch / "large")
        self.run_program("import", "--images", self.scratch / "large")
        # The input is 416: tiles go on by 332, in 11 steps over 3584 pixels and 8 over 2584.
        run = self.label("auto", "--tile", "auto", "--tiles-only")
        self.assertEqual(run["windows"], 12 * 9 + 1)
        self.assertEqual(run["tiles"], {"side": "auto", "overlap": 0.2, "scales": [1], "whole": False})

    def test_a_killed_run_resumed_leaves_the_labels_of_an_uninterrupted_one(self):
        folder = self.scratch / "images"
        folder.mkdir()
        for path in self.photographs(24):
            shutil.copy(path, folder)
        words = ("--tile", "250", "--tile-overlap", "0.3", "--scales", "1,0.5")
        self.run_program("import", "--images", folder)
        whole = self.label("auto", *words, model="nanodet_m_320.onnx")
        self.assertGreater(whole["windows"], 10 * 24)
        want = self.exported("auto")
        self.assertGreater(len(want), 100)

        project = self.scratch / "killed"
        self.init(project)
        self.run_program("import", "--images", folder, project=project)
        kills = 0
        process = self.start_program("label", "--model", self.model("nanodet_m_320.onnx"), *words, project=project)
        done = 0
        while kills < 2:
            while process.poll() is None:
                runs = self.run_program("runs", "list", project=project).json["runs"]
                if any(run["done"] > done for run in runs):
                    break
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            run = self.run_program("runs", "list", project=project).json["runs"][0]
            self.assertTrue(0 < run["done"] < run["samples"], "the kill fell outside of the run")
            kills += 1
            done = run["done"]
            if kills < 2:
                process = self.start_program("label", "--resume", "1", project=project)
        resumed = self.run_program("label", "--resume", "1", project=project).json
        self.assertEqual((resumed["done"], resumed["failed"]), (24, 0))
        self.assertEqual(resumed["tiles"], whole["tiles"])
        self.assertEqual(self.exported("auto", project=project), want)

    def test_what_makes_no_sense_is_refused(self):
        self.run_program("import", "--images", self.data / "exif")
        model = ("--model", self.model("nanodet_m_320.onnx"))
        for words, part in (
            ((*model, "--tile", "31"), "side of a tile is 31"),
            ((*model, "--tile", "0"), "--tile is '0'"),
            ((*model, "--tile", "big"), "--tile is 'big'"),
            ((*model, "--tile", "640", "--tile-overlap", "0.95"), "overlap of tiles is 0.95"),
            ((*model, "--tile", "640", "--scales", "1,0"), "a scale of tiles is 0"),
            ((*model, "--tile", "640", "--scales", "1,1"), "stands twice"),
            ((*model, "--tile-overlap", "0.5"), "--tile"),
            ((*model, "--scales", "0.5"), "--tile"),
            ((*model, "--tiles-only"), "--tile"),
            (("--boxes", "human", "--segment-with", "sam", "--tile", "640"), "--tile goes with --model"),
            (("--everything", "--segment-with", "sam", "--tile", "640"), "--tile goes with --model"),
        ):
            with self.subTest(words=words):
                self.assertIn(part, self.error("label", *words, status=2)["message"])
        self.assertEqual(self.run_program("runs", "list").json["runs"], [])


class TilingFixtures(ProgramCase):
    def setUp(self):
        super().setUp()
        self.fixtures = SOURCE / "tests" / "parity" / "fixtures"
        self.init()
        self.run_program("import", "--images", self.fixtures / "images")

    def test_masks_lie_where_their_boxes_are(self):
        model = self.fixtures / "yolo" / "yoloe-seg" / "model.onnx"
        run = self.run_program("label", "--model", model, "--floor", "0.2", "--tile", "64").json
        self.assertEqual(run["failed"], 0)
        self.assertGreater(run["windows"], 2 * run["samples"])
        path = self.scratch / "masks.json"
        self.run_program("export", "--set", "auto", "--format", "coco", "--output", path)
        document = json.loads(path.read_text())
        sizes = {image["id"]: [image["height"], image["width"]] for image in document["images"]}
        self.assertGreater(len(document["annotations"]), 100)
        for label in document["annotations"]:
            self.assertEqual(label["segmentation"]["size"], sizes[label["image_id"]])
            _, _, w, h = label["bbox"]
            self.assertTrue(0 < label["area"] <= (w + 2) * (h + 2), label)

    def test_a_classifier_takes_no_tiles(self):
        error = self.error("label", "--model", self.fixtures / "vit", "--tile", "64", status=2)
        self.assertIn("leave --tile out", error["message"])
