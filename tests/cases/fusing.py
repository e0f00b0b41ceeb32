"""Several models, one answer: what `fuse` makes of label sets, and what it keeps of their disagreement."""

from harness import ProgramCase, write_bitmap, write_json


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
        answer = self.run_program("fuse", "a", "b", "--into", "fused", "--method", "nms", "--weights", "1,3").json
        self.assertEqual(answer["replaced"], 4)
        scores = sorted(label["confidence"] for label in self.labels("set:fused path:*1.bmp status:active"))
        self.assertEqual(len(scores), 1)
        self.assertAlmostEqual(scores[0], 0.4, msg="0.4 · 3 beats 0.8 · 1")
        self.assertTrue(any(label["verdict"] == "accepted" for label in self.labels("set:fused path:*2.bmp")))
        newest = self.run_program("imports").json["imports"][-1]
        self.assertEqual((newest["format"], newest["source"]), ("fuse", "a + b by nms"))
        self.run_program("imports", "undo", newest["import"])
        self.assertEqual(self.labels("set:fused path:*1.bmp status:active"), [])

    def test_wrong_use(self):
        for words, reason in [
            (["a", "a", "--into", "c"], "named twice"),
            (["a", "b", "--into", "a"], "named twice"),
            (["a", "b", "--into", "c", "--iou", "2"], "IoU from 0 to 1"),
            (["a", "b", "--into", "c", "--weights", "1"], "1 weights for 2 sets"),
            (["a", "b", "--into", "c", "--floor", "0.1"], "--floor is for --method soft_nms"),
            (["a", "b", "--into", "c", "--weights", "1,-1"], "above 0"),
        ]:
            self.assertIn(reason, self.error("fuse", *words, status=2)["message"])
        self.error("fuse", "a", "--into", "c", status=2)
        self.assertIn("no label set 'x'", self.error("fuse", "a", "x", "--into", "c", status=3)["message"])
        self.add("other", {1: [("car", 0.5, [1, 1, 2, 2])]})
        self.assertIn("come from no fusion", self.error("fuse", "a", "b", "--into", "other", status=None)["message"])
