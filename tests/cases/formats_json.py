"""The JSON formats through the real program: out of a project and into it again, losses named first, faults counted."""

import json

from harness import ProgramCase, write_bitmap, write_json

LABELS = {
    "images": [
        {"id": 1, "file_name": "a/1.bmp", "width": 40, "height": 20},
        {"id": 2, "file_name": "b/2.bmp", "width": 40, "height": 20},
        {"id": 3, "file_name": "b/3.bmp", "width": 40, "height": 20},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": 'a "dog" <é>'}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1.25, 2.5, 10.1, 4.7], "attributes": {"occluded": True}},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [0, 0, 40, 20]},
        {"id": 3, "image_id": 2, "category_id": 2, "segmentation": {"size": [20, 40], "counts": [45, 3, 17, 3, 732]}},
    ],
}


class JsonFormats(ProgramCase):
    def setUp(self):
        super().setUp()
        self.images = self.scratch / "images"
        for image in LABELS["images"]:
            write_bitmap(self.images / image["file_name"], 40, 20)
        self.init()
        self.import_labels(write_json(self.scratch / "labels.json", LABELS), "coco", "ground_truth")

    def import_labels(self, path, label_format, label_set, *words, status=0):
        return self.run_program(
            "import", "--images", self.images, "--labels", path, "--format", label_format, "--set", label_set, *words, status=status
        ).json

    def boxes(self, label_set):
        return [(name, label, *[round(number, 9) for number in numbers]) for name, label, *numbers in self.exported(label_set)]

    def test_labelme_takes_one_file_an_image(self):
        write_bitmap(self.images / "w.bmp", 40, 20)
        shape = {"label": "c", "shape_type": "rectangle"}
        named = (("w.json", "w.bmp"), ("w2.json", "w.bmp"), (".ipynb_checkpoints/w.json", "w.bmp"), ("deep/w.json", "../w.bmp"))
        for x, (name, image) in enumerate(named):
            path = self.scratch / "labelme" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {"shapes": [{**shape, "points": [[x, 1], [9, 9]]}], "imagePath": image})
        report = self.import_labels(self.scratch / "labelme", "labelme", "again", status=1)
        self.assertEqual((report["labels"], report["labels_rejected"], report["images_missing"]), (2, 2, 1))
        boxes = [(name, x) for name, _, x, *_ in self.exported("again")]
        # What lies beside no image of its name is about another, which is missing.
        self.assertEqual(sorted(boxes), [(".ipynb_checkpoints/w.bmp", 2), ("w.bmp", 0)])

        (self.scratch / "labelme" / "w.json").unlink()
        (self.scratch / "labelme" / "w2.json").unlink()
        write_json(self.scratch / "labelme" / "v.json", {"shapes": [], "imagePath": str(self.images / "w.bmp")})
        write_json(self.scratch / "labelme" / "w.json", {"shapes": [{**shape, "points": [[5, 1], [9, 9]]}], "imagePath": "w.bmp"})
        report = self.import_labels(self.scratch / "labelme", "labelme", "third", status=1)
        self.assertIn("duplicate_id", {rejection["reason"] for rejection in report["rejections"]})

    def test_every_format_gives_back_what_it_was_given(self):
        expected = self.boxes("ground_truth")
        self.assertEqual(len(expected), 3)
        for name, output in (
            ("lvis", "lvis.json"),
            ("labelme", "labelme"),
            ("label_studio", "tasks.json"),
            ("fiftyone", "fiftyone"),
        ):
            with self.subTest(name):
                path = self.scratch / output
                self.run_program("export", "--set", "ground_truth", "--format", name, "--output", path)
                report = self.import_labels(path, name, f"from_{name}")
                self.assertEqual((report["labels"], report["labels_rejected"], report["images_missing"]), (3, 0, 0))
                self.assertEqual(self.boxes(f"from_{name}"), expected)

    def test_fields_without_a_name_are_unknown_ones(self):
        """Once they ended the import: the project takes none."""
        fields = {"": 3, "lux": 1}
        image = self.images / "a/1.bmp"
        files = {
            "coco": {"images": [{"id": 1, "file_name": "a/1.bmp", "fields": fields}], "annotations": [], "categories": []},
            "labelme": {"imagePath": str(image), "shapes": [], "flags": {"": True}, "fields": fields},
            "label_studio": [{"data": {"image": str(image)}, "meta": {"fields": fields}, "annotations": [{"result": []}]}],
        }
        for name, content in files.items():
            with self.subTest(name):
                report = self.import_labels(write_json(self.scratch / f"{name}.json", content), name, f"from_{name}")
                self.assertEqual(report["images_missing"], 0)
        (self.scratch / "fiftyone").mkdir()
        write_json(self.scratch / "fiftyone/metadata.json", {"name": "x"})
        write_json(self.scratch / "fiftyone/samples.json", {"samples": [{"filepath": str(image), **fields}]})
        self.import_labels(self.scratch / "fiftyone", "fiftyone", "from_fiftyone")
        sample = self.run_program("samples", "--where", "path:*a/1.bmp").json["samples"][0]
        self.assertEqual(sample["fields"], {"lux": 1})

    def test_label_studio_gets_its_interface(self):
        path = self.scratch / "tasks.json"
        self.run_program("export", "--set", "ground_truth", "--format", "label_studio", "--output", path)
        tasks = json.loads(path.read_text())
        self.assertTrue(tasks[0]["data"]["image"].startswith("/data/local-files/?d="))
        self.assertIn('<Label value="a &quot;dog&quot; &lt;é&gt;"/>', (self.scratch / "tasks.config.xml").read_text())

    def test_uploads_to_label_studio_are_found_by_both_of_their_names(self):
        write_bitmap(self.images / "89abcdef-3.bmp", 40, 20)
        value = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": ["cat"]}
        region = {"id": "r", "type": "rectanglelabels", "from_name": "l", "to_name": "i", "value": value}
        region |= {"original_width": 40, "original_height": 20}
        tasks = [
            {"id": number, "data": {"image": url}, "annotations": [{"id": number, "result": [region]}]}
            for number, url in enumerate(
                (
                    "/data/upload/1/01234567-1.bmp",  # of the images that are here
                    "/data/upload/1/89abcdef-3.bmp",  # itself, not b/3.bmp
                    "/data/upload/1/01234567-2.bmp",
                    "/data/upload/1/76543210-2.bmp",  # another one, which was called alike
                    "/data/upload/1/01234567-2.bmp",  # again
                ),
                1,
            )
        ]
        report = self.import_labels(write_json(self.scratch / "t.json", tasks), "label_studio", "uploads", status=1)
        self.assertEqual((report["labels"], report["labels_rejected"], report["images_missing"]), (4, 1, 1))
        self.assertEqual({rejection["reason"] for rejection in report["rejections"]}, {"duplicate_id"})
        names = sorted(name for name, *_ in self.exported("uploads"))
        self.assertEqual(names, ["76543210-2.bmp", "89abcdef-3.bmp", "a/1.bmp", "b/2.bmp"])
        write_bitmap(self.images / "c" / "1.bmp", 40, 20)
        report = self.import_labels(self.scratch / "t.json", "label_studio", "ambiguous", status=1)
        self.assertIn("ambiguous_image", {rejection["reason"] for rejection in report["rejections"]})

    def test_faulty_shapes_are_counted_by_file_and_field(self):
        folder = self.scratch / "labelme"
        folder.mkdir()
        shapes = [
            {"label": "cat", "points": [[9, 9], [1, 2]], "shape_type": "rectangle"},
            {"label": "cat", "points": [[1, 1], [2, 2]], "shape_type": "circle"},
        ]
        write_json(folder / "1.json", {"shapes": shapes, "imagePath": "1.bmp", "imageWidth": 40, "imageHeight": 20})
        (folder / "2.json").write_text("{")
        report = self.import_labels(folder, "labelme", "shapes", status=1)
        self.assertEqual((report["labels"], report["labels_rejected"], report["others_rejected"]), (1, 1, 1))
        fields = {rejection["field"]: rejection["reason"] for rejection in report["rejections"]}
        self.assertEqual(fields["shapes[1].shape_type"], "unsupported")

    def test_a_field_of_labels_is_chosen(self):
        folder = self.scratch / "dataset"
        folder.mkdir()

        def detections(label):
            return {"_cls": "Detections", "detections": [{"_cls": "Detection", "label": label, "bounding_box": [0, 0, 0.5, 0.5]}]}

        write_json(
            folder / "samples.json", {"samples": [{"filepath": "data/1.bmp", "one": detections("x"), "two": detections("y")}]}
        )
        error = self.error("import", "--labels", folder, "--format", "fiftyone", "--set", "three", status=2)
        self.assertIn("one, two", json.dumps(error))
        self.import_labels(folder, "fiftyone", "three", "--field", "two")
        self.assertEqual(self.boxes("three"), [("a/1.bmp", "y", 0, 0, 20, 10, -1.0)])
        self.import_labels(folder, "fiftyone", "one")
        self.assertEqual(self.boxes("one"), [("a/1.bmp", "x", 0, 0, 20, 10, -1.0)])
        self.error("import", "--labels", folder, "--format", "labelme", "--field", "two", status=2)

    def test_files_that_are_not_what_they_claim(self):
        for name in ("lvis", "label_studio", "labelme"):
            for content in (b"", b"not json", b'{"images": [', b"[1, 2", b"\xff\xfe{}"):
                with self.subTest(f"{name} {content}"):
                    path = self.scratch / "bad.json"
                    path.write_bytes(content)
                    error = self.error("import", "--labels", path, "--format", name, status=4)
                    self.assertIn("bad.json", json.dumps(error["context"]))
