"""Fields, attributes, tags, splits and saved views: from a file into a project, through views and statistics, and out again."""

import json
import shlex

from harness import ProgramCase, write_bitmap, write_json


class Viewing(ProgramCase):
    def setUp(self):
        super().setUp()
        self.images = self.scratch / "images"
        for number in range(1, 5):
            write_bitmap(self.images / f"{number}.bmp", 100, 50)
        self.init()
        self.document = {
            "images": [
                {
                    "id": 1,
                    "file_name": "1.bmp",
                    "width": 100,
                    "height": 50,
                    "split": "train",
                    "tags": ["night", "wet"],
                    "fields": {"scene": "city", "iso": 100, "taken_at": "2024-05-01T22:00:00", "gps": {"lat": 1.5}},
                },
                {
                    "id": 2,
                    "file_name": "2.bmp",
                    "width": 100,
                    "height": 50,
                    "split": "val",
                    "fields": {"scene": "park", "iso": 1600},
                },
                {"id": 3, "file_name": "3.bmp", "width": 100, "height": 50, "fields": {"indoor": True}},
                {"id": 4, "file_name": "4.bmp", "width": 100, "height": 50},
            ],
            "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
            "annotations": [
                self.annotation(1, 1, 1, 0.9, attributes={"occluded": True, "truncated": 0.5}, tags=["ask"]),
                self.annotation(2, 1, 2, 0.4, attributes={"occluded": False}),
                self.annotation(3, 2, 1, 0.1),
                self.annotation(4, 3, 1, 0.6, attributes={"occluded": True, "by": {"who": "me"}}),
            ],
        }
        self.labels = write_json(self.scratch / "labels.json", self.document)
        self.import_labels(self.labels)

    def annotation(self, number, image, category, score, **more):
        box = [number, 1, 10, 10]
        return {"id": number, "image_id": image, "category_id": category, "bbox": box, "score": score, **more}

    def import_labels(self, path, project=None):
        words = ("--images", self.images, "--labels", path, "--format", "coco", "--set", "auto")
        return self.run_program("import", *words, project=project).json

    def samples(self, view):
        return [sample["name"][0] for sample in self.run_program("samples", "--where", view).json["samples"]]

    def label_ids(self, view):
        return [label["label"] for label in self.run_program("labels", "--where", view).json["labels"]]

    def test_views_ask_for_fields_attributes_splits_and_text(self):
        for view, names in (
            ("field:scene", ["1", "2"]),
            ("field:scene=city", ["1"]),
            ("field:iso>=100 -field:scene=city", ["2"]),
            ("field:indoor=true", ["3"]),
            ("field:gps.lat=1.5 field:taken_at=2024-05-01", ["1"]),
            ("field:taken_at>=2024-05-02", []),
            ("split:train,val", ["1", "2"]),
            ('split:""', ["3", "4"]),
            ("text:IMAGES/3", ["3"]),
            ("tag:wet", ["1"]),
            ("-sort:field:iso limit:2", ["2", "1"]),
            ("modified>=2020-01-01", ["1", "2", "3", "4"]),
        ):
            self.assertEqual(self.samples(view), names, view)
        self.assertEqual(self.label_ids("attribute:occluded=true"), [1, 4])
        self.assertEqual(self.label_ids("attribute:occluded=true field:scene"), [1])
        self.assertEqual(self.label_ids("attribute:by.who=me | attribute:truncated<1"), [1, 4])
        self.assertEqual(self.label_ids("label_tag:ask"), [1])
        self.assertEqual(self.label_ids("decided>=2020-01-01"), [])
        self.run_program("review", "accept", "--where", "id:2")
        self.assertEqual(self.label_ids("decided>=2020-01-01"), [2])

    def test_unknown_names_are_answered_with_those_that_exist(self):
        error = self.error("samples", "--where", "tag:wet field:scen=city", status=2)
        self.assertEqual(str(error["context"]["position"]), "15")
        self.assertIn("scene, taken_at", error["message"])
        self.assertIn("by.who, occluded, truncated", self.error("labels", "--where", "attribute:x", status=2)["message"])

    def test_rows_tell_what_they_have(self):
        first = self.run_program("samples").json["samples"][0]
        self.assertEqual(first["split"], "train")
        self.assertEqual(first["tags"], ["night", "wet"])
        self.assertEqual(first["fields"], {"scene": "city", "iso": 100, "taken_at": "2024-05-01T22:00:00", "gps.lat": 1.5})
        last = self.run_program("samples").json["samples"][3]
        self.assertEqual((last["split"], last["tags"], last["fields"]), (None, [], {}))
        label = self.run_program("labels").json["labels"][0]
        self.assertEqual((label["tags"], label["attributes"]), (["ask"], {"occluded": True, "truncated": 0.5}))
        self.assertIsNone(label["decided"])

    def test_attributes_that_no_view_can_ask_for_are_shown_too(self):
        for number, attributes in ((5, {"parts": ["a", "b"]}), (6, {"nothing": None}), (7, {"parts": [1], "x": 1})):
            self.document["annotations"].append(self.annotation(number, 4, 1, 0.5, attributes=attributes))
        self.import_labels(write_json(self.labels, self.document))
        shown = [label["attributes"] for label in self.run_program("labels", "--where", "name:4.bmp").json["labels"]]
        self.assertEqual(shown, [{"parts": ["a", "b"]}, {"nothing": None}, {"parts": [1], "x": 1}])

    def test_what_came_in_goes_out_and_comes_again(self):
        path = self.scratch / "out.json"
        self.run_program("export", "--set", "auto", "--format", "coco", "--output", path, "--with-unlabelled")
        out = json.loads(path.read_text())
        for image, wanted in zip(out["images"], self.document["images"], strict=True):
            self.assertEqual(image.get("tags"), wanted.get("tags"))
            self.assertEqual(image.get("split"), wanted.get("split"))
            fields = dict(wanted.get("fields", {}))
            if "gps" in fields:
                fields["gps.lat"] = fields.pop("gps")["lat"]
            self.assertEqual(image.get("fields", {}), fields)
        for annotation, wanted in zip(out["annotations"], self.document["annotations"], strict=True):
            self.assertEqual(annotation.get("tags"), wanted.get("tags"))
            self.assertEqual(annotation.get("attributes"), wanted.get("attributes"))
        again = self.scratch / "again"
        self.init(again)
        self.import_labels(path, project=again)
        second = self.scratch / "second.json"
        self.run_program("export", "--set", "auto", "--format", "coco", "--output", second, "--with-unlabelled", project=again)
        self.assertEqual(second.read_bytes(), path.read_bytes())

    def test_a_later_import_adds_tags_and_replaces_fields(self):
        self.document["images"][0].update(tags=["dawn"], fields={"iso": 200}, split="val")
        self.document["annotations"][0]["tags"] = ["hard"]
        report = self.import_labels(write_json(self.scratch / "later.json", self.document))
        self.assertEqual((report["labels"], report["labels_unchanged"]), (0, 4))
        first = self.run_program("samples").json["samples"][0]
        self.assertEqual((sorted(first["tags"]), first["split"]), (["dawn", "night", "wet"], "val"))
        self.assertEqual((first["fields"]["iso"], first["fields"]["scene"]), (200, "city"))
        self.assertEqual(sorted(self.run_program("labels").json["labels"][0]["tags"]), ["ask", "hard"])

    def test_labels_are_tagged(self):
        answer = self.run_program("tag", "add", "check", "--labels", "--where", "class:cat").json
        self.assertEqual(answer, {"labels": 3, "changed": 3})
        self.assertEqual(self.label_ids("label_tag:check -label_tag:ask"), [3, 4])
        answer = self.run_program("tag", "remove", "check", "--labels", "--where", "confidence<0.5").json
        self.assertEqual(answer, {"labels": 2, "changed": 1})
        self.assertEqual(self.run_program("stats").json["label_tags"], {"ask": 1, "check": 2})

    def test_a_view_may_begin_with_a_dash(self):
        for words in (("-tag:wet",), ("--", "-tag:wet"), ("--json", "--", "-tag:wet"), ("-tag:wet", "--json")):
            self.assertEqual(self.run_program("views", "save", "dry", *words).json, {"name": "dry", "view": "-tag:wet"}, words)
        saved = self.run_program("views", "save", "-odd", "-height>60").json
        self.assertEqual(saved, {"name": "-odd", "view": "-height>60"})
        for words in (("--where", "-tag:wet"), ("--where=-tag:wet",), ("--where", "view:dry"), ("--where", "-height>60 -tag:wet")):
            names = [sample["name"][0] for sample in self.run_program("samples", *words).json["samples"]]
            self.assertEqual(names, ["2", "3", "4"], words)
        self.assertEqual(self.run_program("stats", "--where", "-sort:confidence limit:1", "--bins", "2").json["labels"], 1)
        self.error("views", "save", "both", "-tag:wet", "-tag:night", status=2)
        self.error("samples", "-tag:wet", status=2)
        self.error("samples", "--where", status=2)

    def test_views_are_saved_and_used(self):
        self.assertEqual(self.run_program("views").json["views"], [])
        self.run_program("views", "save", "cats", "class:cat")
        self.run_program("views", "save", "sure cats", "view:cats confidence>=0.5 -sort:confidence")
        listed = self.run_program("views", "list").json["views"]
        self.assertEqual([view["name"] for view in listed], ["cats", "sure cats"])
        self.assertEqual(self.label_ids('view:"sure cats"'), [1, 4])
        self.assertEqual(self.label_ids("view:cats -confidence>=0.5"), [3])
        self.assertEqual(self.run_program("review", "accept", "--where", "view:cats").json["labels"], 3)
        self.assertEqual(self.run_program("tag", "add", "feline", "--where", "view:cats").json["samples"], 3)
        self.error("views", "save", "cats", 'view:"sure cats"', status=2)
        self.error("views", "save", "odd", "colour:red", status=2)
        self.error("views", "remove", "cats", status=7)
        self.error("views", "remove", "dogs", status=3)
        self.assertEqual(str(self.error("labels", "--where", "view:dogs", status=2)["context"]["position"]), "6")
        self.run_program("views", "remove", "sure cats")
        self.run_program("views", "remove", "cats")
        self.assertEqual(self.run_program("views").json["views"], [])

    def test_what_is_said_of_a_saved_view_can_be_used(self):
        for name, use in (("plain", "view:plain"), ("two words", "'view:\"two words\"'"), ('a"b', '\'view:"a\\"b"\'')):
            said = self.run_program("views", "save", name, "class:cat", as_json=False).out.decode()
            self.assertIn(f"use it as {use}", said)
            view = shlex.split(use)[0]
            self.assertEqual(self.label_ids(view), self.label_ids("class:cat"))

    def test_statistics_count_everything_a_view_can_ask(self):
        stats = self.run_program("stats", "--bins", "5").json
        self.assertEqual(stats["by_class"], {"cat": 3, "dog": 1})
        self.assertEqual(stats["by_kind"], {"box": 4})
        self.assertEqual(stats["by_verdict"], {"unreviewed": 4})
        self.assertEqual(stats["by_split"], {"": 2, "train": 1, "val": 1})
        self.assertEqual(stats["fields"]["scene"]["values"], [{"value": "city", "count": 1}, {"value": "park", "count": 1}])
        self.assertEqual(stats["fields"]["iso"]["numbers"]["values"], 2)
        self.assertEqual(stats["attributes"]["occluded"]["values"], [{"value": "true", "count": 2}, {"value": "false", "count": 1}])
        confidence = stats["histograms"]["confidence"]
        self.assertEqual(confidence["edges"], [0, 0.2, 0.4, 0.6, 0.8, 1])
        self.assertEqual(confidence["counts"], [1, 0, 1, 1, 1])
        # 2 labels on the first image, one each on the next two, none on the last.
        self.assertEqual(stats["histograms"]["labels_per_image"]["counts"], [1, 2, 1])
        self.assertEqual(stats["histograms"]["image_width"]["counts"], [4])
        for view in ("field:scene", "attribute:occluded=true"):
            part = self.run_program("stats", "--where", view).json
            self.assertEqual(sum(part["by_split"].values()), part["samples"])
            self.assertEqual(sum(part["by_class"].values()), part["labels"])
        text = self.run_program("stats", as_json=False).out.decode()
        self.assertIn("####", text)
        self.assertIn("field scene", text)
        self.error("stats", "--bins", "0", status=2)

    def test_edges_of_a_histogram_have_the_digits_that_tell_them_apart(self):
        for values, wanted in (
            ((1, 2), ("1.25", "1.5", "1.75")),
            ((1700000000, 1700000001), ("1700000000.2", "1700000000.5", "1700000000.8")),
        ):
            images = [{"id": n, "file_name": f"{n}.bmp", "fields": {"at": value}} for n, value in enumerate(values, 1)]
            self.import_labels(write_json(self.scratch / "at.json", {"images": images, "categories": [], "annotations": []}))
            lines = self.run_program("stats", "--bins", "4", as_json=False).out.decode().split("field at: 2 values")[1].splitlines()
            edges = [line.split()[0::2][:2] for line in lines[1:5]]
            self.assertEqual([low for low, _ in edges[1:]], list(wanted))
            self.assertEqual([high for _, high in edges[:-1]], list(wanted))

    def test_many_values_of_a_field_are_counted_but_not_all_listed(self):
        for number in range(5, 65):
            write_bitmap(self.images / f"{number}.bmp", 100, 50)
        images = [{"id": n, "file_name": f"{n}.bmp", "width": 100, "height": 50, "fields": {"uid": f"u{n}"}} for n in range(1, 65)]
        self.import_labels(write_json(self.scratch / "many.json", {"images": images, "categories": [], "annotations": []}))
        uid = self.run_program("stats").json["fields"]["uid"]
        self.assertEqual((len(uid["values"]), uid["other_values"], uid["rows_of_other_values"], uid["rows"]), (50, 14, 14, 64))
