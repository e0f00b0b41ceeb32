"""Several models, one answer: what `fuse` makes of label sets, and what it keeps of their disagreement."""

import collections
import signal
import sqlite3
import time

from harness import FIXTURES, ProgramCase, write_bitmap, write_json


class Fusing(ProgramCase):
    def setUp(self):
        super().setUp()
        self.init()
        images = self.scratch / "images"
        images.mkdir()
        for number in range(1, 5):
            write_bitmap(images / f"{number}.bmp", 100, 100)
        self.run_program("import", "--images", images)
        # Image 1: both see the same car; image 2: only a; image 3: another class; image 4: b never looked.
        self.add("a", {1: [("car", 0.8, [10, 10, 40, 40])], 2: [("car", 0.6, [0, 0, 20, 20])], 3: [("car", 0.9, [5, 5, 50, 50])],
                       4: [("car", 0.5, [1, 1, 9, 9])]})  # fmt: skip
        self.add("b", {1: [("car", 0.4, [12, 10, 40, 40])], 2: [], 3: [("bus", 0.7, [5, 5, 50, 50])]})

    def add(self, name, labels):
        names = ["car", "bus"]
        coco = {
            "images": [{"id": n, "file_name": f"{n}.bmp", "width": 100, "height": 100} for n in labels],
            "categories": [{"id": i, "name": n} for i, n in enumerate(names, 1)],
            "annotations": [
                {
                    "id": 100 * n + i,
                    "image_id": n,
                    "category_id": names.index(c) + 1,
                    "bbox": box,
                    "score": s,
                    "area": box[2] * box[3],
                }
                for n, of_image in labels.items()
                for i, (c, s, box) in enumerate(of_image)
            ],
        }
        file = write_json(self.scratch / f"{name}.json", coco)
        self.run_program("import", "--labels", file, "--format", "coco", "--set", name)

    def labels(self, view):
        return self.run_program("labels", "--where", view).json["labels"]

    def shown(self, view):
        keys = ("label", "name", "class", "confidence", "bbox", "verdict", "status")
        return [[label[key] for key in keys] for label in self.labels(view)]

    def counts(self, answer, *names):
        return tuple(answer[name] for name in names)

    def test_boxes_become_one_answer_that_says_who_disagrees(self):
        answer = self.run_program("fuse", "a", "b", "--into", "fused").json
        self.assertEqual(
            {key: answer[key] for key in ("samples", "input_labels", "labels", "agreed", "missed", "other_class", "replaced")},
            {"samples": 4, "input_labels": 6, "labels": 5, "agreed": 1, "missed": 1, "other_class": 2, "replaced": 0},
        )
        found = {(label["name"], label["class"]): label for label in self.labels("set:fused")}
        both = found["1.bmp", "car"]
        self.assertAlmostEqual(both["confidence"], (0.8 + 0.4) / 2)
        self.assertAlmostEqual(both["bbox"][0], (0.8 * 10 + 0.4 * 12) / 1.2)
        self.assertEqual(both["attributes"], {"found_by": "a, b"})
        alone = found["2.bmp", "car"]
        self.assertAlmostEqual(alone["confidence"], 0.6 / 2)
        self.assertEqual(alone["attributes"], {"found_by": "a", "missed_by": "b"})
        self.assertEqual(found["3.bmp", "car"]["attributes"], {"found_by": "a", "other_class": "b: bus"})
        self.assertEqual(found["3.bmp", "bus"]["attributes"], {"found_by": "b", "other_class": "a: car"})
        self.assertEqual(found["4.bmp", "car"]["attributes"], {"found_by": "a"}, "b never looked at it")
        self.assertEqual([label["name"] for label in self.labels("set:fused label_tag:missed")], ["2.bmp"])
        self.assertEqual(len(self.labels("set:fused label_tag:other_class")), 2)

    def test_another_fusion_gives_way_and_decided_labels_stay(self):
        self.run_program("fuse", "a", "b", "--into", "fused")
        self.run_program("review", "accept", "--where", "set:fused path:*2.bmp")
        before = self.shown("set:fused")
        answer = self.run_program("fuse", "a", "b", "--into", "fused", "--method", "nms", "--weights", "1,3").json
        self.assertEqual(answer["replaced"], 4)
        scores = sorted(label["confidence"] for label in self.labels("set:fused path:*1.bmp status:active"))
        self.assertEqual(len(scores), 1)
        self.assertAlmostEqual(scores[0], 0.4, msg="0.4 · 3 beats 0.8 · 1")
        self.assertTrue(any(label["verdict"] == "accepted" for label in self.labels("set:fused path:*2.bmp")))
        newest = self.run_program("imports").json["imports"][-1]
        self.assertEqual((newest["format"], newest["source"]), ("fuse", "a + b by nms"))
        self.run_program("imports", "undo", newest["import"])
        self.assertEqual(self.shown("set:fused"), before, "the earlier fusion is back")

    def test_every_method_says_the_same_of_sets_that_agree(self):
        same = {1: [("car", 0.8, [10, 10, 40, 40])], 2: [("car", 0.6, [0, 0, 20, 20])], 3: [("bus", 0.9, [5, 5, 50, 50])]}
        self.add("c", same)
        self.add("d", same)
        for method, labels in (("wbf", 3), ("nms", 3), ("soft_nms", 6)):
            with self.subTest(method):
                answer = self.run_program("fuse", "c", "d", "--into", method, "--method", method).json
                self.assertEqual(self.counts(answer, "labels", "agreed", "missed", "other_class"), (labels, labels, 0, 0))
                for label in self.labels(f"set:{method}"):
                    self.assertEqual((label["attributes"], label["tags"]), ({"found_by": "c, d"}, []))

    def test_what_was_decided_is_not_proposed_again(self):
        fuse = ("fuse", "a", "b", "--into", "fused")
        self.run_program(*fuse)
        self.run_program("review", "accept", "--where", "set:fused path:*1.bmp")
        self.run_program("review", "reject", "--where", "set:fused path:*2.bmp")
        before = self.shown("set:fused")
        answer = self.run_program(*fuse).json
        self.assertEqual(self.counts(answer, "labels", "replaced", "superseded"), (5, 3, 2))
        after = self.shown("set:fused")
        self.assertEqual([label[1:] for label in after], [label[1:] for label in before])
        self.assertEqual(len(self.labels("set:fused status:superseded")), 2)
        self.run_program("review", "undo")
        (again,) = self.shown("set:fused path:*2.bmp")
        self.assertEqual((again[0] > 5, again[-2]), (True, "unreviewed"), "without the decision the newer fusion's label counts")
        self.run_program("review", "redo")
        self.run_program("imports", "undo", self.run_program("imports").json["imports"][-1]["import"])
        self.assertEqual(self.shown("set:fused"), before)

    def test_labels_without_any_confidence_have_their_plain_mean(self):
        self.add("c", {1: [("car", 0, [10, 10, 40, 40])]})
        self.add("d", {1: [("car", 0, [12, 10, 40, 44])]})
        self.run_program("fuse", "c", "d", "--into", "fused")
        (label,) = self.labels("set:fused")
        self.assertEqual((label["confidence"], label["bbox"]), (0, [11, 10, 40, 42]))

    def test_a_set_that_never_looked_has_no_part_in_the_share(self):
        self.run_program("fuse", "a", "b", "--into", "fused", "--weights", "2,5")
        (label,) = self.labels("set:fused path:*4.bmp")
        self.assertEqual(label["confidence"], 0.5)
        (label,) = self.labels("set:fused path:*2.bmp")
        self.assertAlmostEqual(label["confidence"], 0.6 * 2 / (2 + 5), msg="b looked, and has nothing")

    def test_a_set_misses_only_what_it_was_asked_for(self):
        # Two runs of one model, one of them asked for one class alone.
        words = ("label", "--model", FIXTURES / "rt-detr", "--floor", "0.05", "--set")
        images = self.run_program("import", "--images", FIXTURES / "images").json["added"]
        self.assertGreater(images, 10)
        where = ("--where", "path:*fixtures*")
        self.run_program(*words, "all", *where)
        everything = self.labels("set:all")
        classes = collections.Counter(label["class"] for label in everything)
        wanted = classes.most_common()[0][0]
        self.assertGreater(len(classes), 1)
        self.run_program(*words, "one", "--classes", wanted, *where)
        self.run_program("fuse", "all", "one", "--into", "fused", "--iou", "1")
        fused = self.labels("set:fused")
        self.assertTrue(all("missed_by" not in label["attributes"] for label in fused if label["class"] != wanted))
        others = lambda labels: sorted(round(one["confidence"], 6) for one in labels if one["class"] != wanted)  # noqa: E731
        self.assertEqual(others(fused), others(everything), "nothing is halved by a set that was not asked")

    def test_labels_of_whole_images_miss_no_objects(self):
        self.give_classes("c", {"1.bmp": "car", "2.bmp": "car", "3.bmp": "bus"})
        answer = self.run_program("fuse", "a", "c", "--into", "fused").json
        self.assertEqual(self.counts(answer, "samples", "labels", "missed"), (4, 4, 0))
        self.assertEqual({label["attributes"]["found_by"] for label in self.labels("set:fused")}, {"a"})
        self.assertEqual(sorted(label["confidence"] for label in self.labels("set:fused")), [0.5, 0.6, 0.8, 0.9])
        self.give_classes("d", {"1.bmp": "car"})
        answer = self.run_program("fuse", "c", "d", "--into", "none").json
        self.assertEqual(self.counts(answer, "samples", "labels"), (0, 0))
        self.assertEqual(self.run_program("samples", "--where", "labelled:none").json["samples"], [])

    def test_a_crowd_tells_no_objects_and_misses_none(self):
        file = self.scratch / "crowds.csv"
        rows = [f"{image},{name},0,0,50,50,{crowd}" for image, name, crowd in
                (("1.bmp", "car", 1), ("3.bmp", "bus", 1), ("4.bmp", "bus", 0), ("4.bmp", "bus", 1))]  # fmt: skip
        file.write_text("\n".join(["image,label,x,y,w,h,crowd", *rows, "2.bmp,,,,,,"]) + "\n")
        self.run_program("import", "--labels", file, "--format", "csv", "--set", "c")
        self.run_program("fuse", "a", "c", "--into", "fused")
        missed = {label["name"]: label["attributes"].get("missed_by") for label in self.labels("set:fused class:car")}
        # Of image 1, c does not tell its cars apart; on image 2 it saw none, on image 3 only buses that it does not tell apart.
        self.assertEqual(missed, {"1.bmp": None, "2.bmp": "c", "3.bmp": "c", "4.bmp": "c"})
        self.assertEqual([label["confidence"] for label in self.labels("set:fused class:car name:1.bmp")], [0.8])
        # What is nothing but crowds is not known to be empty.
        self.run_program("import", "--labels", file, "--format", "csv", "--set", "d")
        self.run_program("fuse", "c", "d", "--into", "crowds")
        labelled = [sample["name"] for sample in self.run_program("samples", "--where", "labelled:crowds").json["samples"]]
        self.assertEqual(labelled, ["2.bmp", "4.bmp"])

    def give_classes(self, name, classes):
        file = self.scratch / f"{name}.csv"
        file.write_text("image,class\n" + "".join(f"{image},{label}\n" for image, label in classes.items()))
        self.run_program("import", "--labels", file, "--format", "csv", "--set", name)

    def test_a_weighted_mean_above_1_is_told(self):
        self.add("c", {1: [("car", 0.9, [10, 10, 40, 40]), ("car", 0.8, [11, 10, 40, 40])], 2: [("car", 1, [0, 0, 20, 20])]})
        self.add("d", {1: [], 2: [("car", 1, [0, 0, 20, 20])]})
        answer = self.run_program("fuse", "c", "d", "--into", "fused", "--weights", "3,1").json
        (label,) = self.labels("set:fused path:*1.bmp")
        self.assertEqual(label["confidence"], 1, "(0.9 · 3 + 0.8 · 3) / 2 · 2 / (3 + 1) = 1.275")
        (note,) = answer["notes"]
        self.assertIn("1 labels got the confidence 1", note)

    def test_a_view_leaves_the_other_images_as_they_are(self):
        self.run_program("fuse", "a", "b", "--into", "fused")
        before = {label[1]: label for label in self.shown("set:fused path:*1.bmp,*2.bmp,*4.bmp")}
        answer = self.run_program("fuse", "a", "b", "--into", "fused", "--method", "nms", "--where", "path:*1.bmp").json
        self.assertEqual(self.counts(answer, "samples", "labels", "replaced"), (1, 1, 1))
        self.assertIn("4 labels of an earlier fusion stay", answer["notes"][0])
        after = {label[1]: label for label in self.shown("set:fused path:*1.bmp,*2.bmp,*4.bmp")}
        self.assertEqual((after["2.bmp"], after["4.bmp"]), (before["2.bmp"], before["4.bmp"]))
        self.assertEqual(after["1.bmp"][4], [10, 10, 40, 40])
        self.assertEqual(len(self.labels("set:fused")), 5)

    def test_a_fusion_that_fails_leaves_the_earlier_one(self):
        self.run_program("fuse", "a", "b", "--into", "fused")
        before = self.shown("set:fused")
        self.add("c", {1: [("car", -0.5, [10, 10, 40, 40])]})
        error = self.error("fuse", "a", "c", "--into", "fused", status=4)
        self.assertIn("'1.bmp' in the set 'c' has the confidence -0.5", error["message"])
        self.assertEqual(self.shown("set:fused"), before)

    def test_a_killed_fusion_leaves_the_earlier_one_whole(self):
        boxes = [[x, y, 9, 9] for x in range(0, 90, 10) for y in range(0, 90, 10)]
        images = self.scratch / "images"
        for number in range(5, 601):
            write_bitmap(images / f"{number}.bmp", 100, 100)
        self.run_program("import", "--images", images)
        for name, score in (("c", 0.5), ("d", 0.3)):
            self.add(name, dict.fromkeys(range(1, 601), [("car", score, box) for box in boxes]))
        self.run_program("fuse", "c", "d", "--into", "fused", "--method", "nms")
        before = self.exported("fused")
        self.assertEqual(len(before), 600 * len(boxes))
        database = sqlite3.connect(self.project / "verilabel.db")
        self.addCleanup(database.close)
        known = 0
        kills = 0
        for _ in range(20):
            process = self.start_program("fuse", "c", "d", "--into", "fused")
            while process.poll() is None:
                (written,) = database.execute(
                    f"SELECT total(labels) FROM imports WHERE id > {known} AND source LIKE '%wbf'"
                ).fetchone()
                if written > 0:
                    break
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.wait()
            newest = self.run_program("imports").json["imports"][-1]
            if newest["state"] == "finished":
                self.run_program("imports", "undo", newest["import"])
            else:
                self.assertEqual((newest["state"], newest["labels"] > 0), ("cut off", True))
                kills += 1
            self.assertTrue(self.exported("fused") == before, "other labels count than before")
            known = newest["import"]
            if kills == 2:
                break
        self.assertEqual(kills, 2, "too few kills fell inside a fusion")
        answer = self.run_program("fuse", "c", "d", "--into", "fused").json
        self.assertEqual(self.counts(answer, "labels", "replaced"), (len(before), len(before)))
        after = self.exported("fused")
        self.assertEqual(len(after), len(before))
        self.assertTrue(all(label[-1] == 0.4 for label in after))

    def test_wrong_use(self):
        for words, reason in [
            (["a", "a", "--into", "c"], "named twice"),
            (["a", "b", "--into", "a"], "named twice"),
            (["a", "b", "--into", "c", "--iou", "2"], "IoU from 0 to 1"),
            (["a", "b", "--into", "c", "--weights", "1"], "1 weights for 2 sets"),
            (["a", "b", "--into", "c", "--floor", "0.1"], "--floor is for --method soft_nms"),
            (["a", "b", "--into", "c", "--weights", "1,-1"], "from 0.000001 to 1000000"),
            (["a", "b", "--into", "c", "--weights", "1,1e308"], "from 0.000001 to 1000000"),
        ]:
            self.assertIn(reason, self.error("fuse", *words, status=2)["message"])
        self.error("fuse", "a", "--into", "c", status=2)
        self.assertIn("no label set 'x'", self.error("fuse", "a", "x", "--into", "c", status=3)["message"])
        self.add("other", {1: [("car", 0.5, [1, 1, 2, 2])]})
        self.assertIn("come from no fusion", self.error("fuse", "a", "b", "--into", "other", status=None)["message"])
