"""Import: files that are no images, odd paths, COCO and YOLO with faults, idempotence, undo."""

import json
import os
import subprocess
from pathlib import Path

from harness import ProgramCase, write_bitmap, write_json


def coco(images, annotations, categories=("cat", "dog"), **more):
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(categories)],
        **more,
    }


def image(number, name=None, **more):
    return {"id": number, "file_name": name or f"{number}.bmp", "width": 8, "height": 8, **more}


def annotation(number, image_id, box=(1, 1, 4, 4), category=1, **more):
    return {"id": number, "image_id": image_id, "category_id": category, "bbox": list(box), **more}


class Importing(ProgramCase):
    def setUp(self):
        super().setUp()
        self.images = self.scratch / "images"
        self.images.mkdir()
        self.init()

    def import_labels(self, document, label_format="coco", status=0, label_set="ground_truth"):
        path = write_json(self.scratch / "labels.json", document)
        return self.run_program(
            "import", "--images", self.images, "--labels", path, "--format", label_format, "--set", label_set, status=status
        ).json

    def test_counts_add_up_and_each_failure_has_its_reason(self):
        write_bitmap(self.images / "good.bmp")
        (self.images / "empty.jpg").write_bytes(b"")
        (self.images / "notes.txt").write_text("no image")
        (self.images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
        write_bitmap(self.images / "really a bitmap.jpg")
        report = self.run_program("import", "--images", self.images, status=1).json
        self.assertEqual(report["files"], 5)
        self.assertEqual((report["added"], report["ignored"], report["failed"]), (2, 1, 2))
        self.assertEqual(sorted(os.path.basename(failure["path"]) for failure in report["failures"]), ["broken.png", "empty.jpg"])
        for failure in report["failures"]:
            self.assertTrue(failure["message"])
        again = self.run_program("import", "--images", self.images, status=1).json
        self.assertEqual((again["added"], again["unchanged"], again["failed"]), (0, 2, 2))

    def test_paths_are_bytes(self):
        names = [b"with space.bmp", b"quote'\".bmp", b"new\nline.bmp", b"latin-\xe9.bmp", "東京.bmp".encode()]
        template = write_bitmap(self.scratch / "t.bmp").read_bytes()
        for name in names:
            with open(os.path.join(os.fsencode(self.images), name), "wb") as file:
                file.write(template)
        report = self.run_program("import", "--images", self.images).json
        self.assertEqual(report["added"], len(names))
        self.assertEqual(len(self.run_program("samples").json["samples"]), len(names))
        output = self.scratch / "out.json"
        self.run_program("import", "--images", self.images)
        self.import_labels(coco([image(1, "with space.bmp")], [annotation(1, 1)]))
        self.run_program("export", "--set", "ground_truth", "--format", "coco", "--output", output)
        self.assertEqual(json.loads(output.read_text())["images"][0]["file_name"], "with space.bmp")

    def test_faulty_annotations_are_counted_with_place_and_reason_and_the_rest_is_kept(self):
        for number in (1, 2):
            write_bitmap(self.images / f"{number}.bmp")
        path = self.scratch / "labels.json"
        rows = [
            annotation(1, 1),
            annotation(2, 1, box=(1, 1, -4, 4)),
            annotation(3, 99),
            annotation(4, 1, category=77),
            annotation(5, 2, box=(1, 1, 4)),
            annotation(1, 2),
            {**annotation(6, 2), "bbox": "wide"},
        ]
        text = json.dumps(coco([image(1), image(2)], rows))
        text = text.replace(
            '"annotations": [', '"annotations": [{"id": 8, "image_id": 1, "category_id": 1, "bbox": [NaN, 0, 1, 1]}, '
        )
        path.write_text(text)
        report = self.run_program("import", "--images", self.images, "--labels", path, "--format", "coco", status=1).json
        self.assertEqual(report["labels"], 1)
        self.assertEqual(report["labels_rejected"], 7)
        self.assertEqual(len(report["rejections"]), 7)
        for rejection in report["rejections"]:
            self.assertTrue(rejection["message"])
            self.assertIn("labels.json", rejection["file"])

    def test_missing_images_are_stored_as_missing_and_counted(self):
        write_bitmap(self.images / "1.bmp")
        report = self.import_labels(coco([image(1), image(2)], [annotation(1, 1), annotation(2, 2)]))
        self.assertEqual(report["images_missing"], 1)
        self.assertEqual(report["labels"], 2)
        missing = self.run_program("samples", "--where", "missing:yes").json["samples"]
        self.assertEqual([sample["name"] for sample in missing], ["2.bmp"])

    def test_unreadable_images_that_labels_name_are_failures(self):
        labels = write_json(self.images.parent / "labels.json", coco([image(n) for n in (1, 2, 3)], [annotation(1, 1)]))
        write_bitmap(labels.parent / "1.bmp")
        whole = (labels.parent / "1.bmp").read_bytes()
        (labels.parent / "2.bmp").write_bytes(whole[:20])
        report = self.run_program("import", "--labels", labels, "--format", "coco", status=1).json
        self.assertEqual((report["labels"], report["images_missing"], report["failures"]), (1, 2, []))
        (failure,) = report["image_failures"]
        self.assertTrue(failure["path"].endswith("/2.bmp"), failure)
        self.assertEqual(failure["code"], "bad_data")
        # What --images has found is told once.
        self.init(self.scratch / "other")
        words = ("import", "--images", labels.parent, "--labels", labels, "--format", "coco")
        report = self.run_program(*words, project=self.scratch / "other", status=1).json
        self.assertEqual((len(report["failures"]), report["image_failures"], report["images_missing"]), (1, [], 2))

    def test_the_same_labels_twice_are_there_once_and_twins_in_one_file_stay_twins(self):
        write_bitmap(self.images / "1.bmp")
        document = coco([image(1)], [annotation(1, 1), annotation(2, 1), annotation(3, 1, box=(0, 0, 2, 2))])
        self.assertEqual(self.import_labels(document)["labels"], 3)
        again = self.import_labels(document)
        self.assertEqual((again["labels"], again["labels_unchanged"]), (0, 3))
        self.assertEqual(len(self.exported("ground_truth")), 3)

    def test_an_ambiguous_name_is_an_error_per_image_not_a_guess(self):
        write_bitmap(self.images / "a" / "1.bmp")
        write_bitmap(self.images / "b" / "1.bmp")
        report = self.import_labels(coco([image(1, "1.bmp")], [annotation(1, 1)]), status=1)
        self.assertEqual((report["labels"], report["labels_rejected"]), (0, 1))
        report = self.import_labels(coco([image(1, "a/1.bmp")], [annotation(1, 1)]))
        self.assertEqual(report["labels"], 1)

    def test_a_namesake_is_not_the_image_that_a_file_means(self):
        write_bitmap(self.images / "1.bmp")
        self.run_program("import", "--images", self.images)
        # The same photograph elsewhere is the image.
        copy = self.scratch / "copy"
        write_bitmap(copy / "1.bmp")
        document = write_json(copy / "labels.json", coco([image(1, "x/../1.bmp")], [annotation(1, 1)]))
        report = self.run_program("import", "--labels", document, "--format", "coco", "--set", "copy").json
        self.assertEqual((report["labels"], report["images_missing"]), (1, 0))
        self.assertEqual(len(self.run_program("samples").json["samples"]), 1)
        other = self.scratch / "other"
        write_bitmap(other / "images" / "1.bmp", width=4)
        (other / "labels").mkdir()
        (other / "labels" / "1.txt").write_text("0 0.5 0.5 0.5 0.5\n")
        (other / "data.yaml").write_text("names: [cat]\ntrain: images\n")
        self.run_program("import", "--labels", other, "--format", "yolo")
        labelled = [s["name"] for s in self.run_program("samples", "--where", "set:ground_truth").json["samples"]]
        self.assertEqual(labelled, ["images/1.bmp"])

    def test_a_namesake_is_known_as_one_however_far_apart_the_names_stand(self):
        write_bitmap(self.images / "a.bmp")
        far = [image(number, f"other/{number}.bmp") for number in range(10, 5010)]
        annotations = [annotation(1, 1), annotation(2, 2, (2, 2, 3, 3))]
        self.import_labels(coco([image(1, "sub/a.bmp"), *far, image(2, "a.bmp")], annotations))
        found = sorted((name, x) for name, _, x, *_ in self.exported("ground_truth"))
        self.assertEqual(found, [("a.bmp", 2), ("sub/a.bmp", 1)])

    def test_folders_with_images_of_the_same_names_are_kept_apart(self):
        for number, split in enumerate(("train", "val")):
            folder = self.scratch / split
            write_bitmap(folder / "1.bmp", width=20 + number)
            document = coco([image(1)], [annotation(1, 1, box=(number, 0, 4, 4))])
            document = write_json(folder / "labels.json", document)
            self.run_program("import", "--labels", document, "--format", "coco")
        labels = self.run_program("labels").json["labels"]
        self.assertEqual([(label["sample"], label["bbox"][0]) for label in labels], [(1, 0), (2, 1)])
        samples = self.run_program("samples").json["samples"]
        self.assertEqual([Path(s["path"]).parent.name for s in samples], ["train", "val"])
        # A table beside the second is about the second; what it says of others that are not here is told.
        table = self.scratch / "val" / "m.csv"
        table.write_text("file_name,weather\n1.bmp,fog\n")
        self.run_program("import", "--metadata", table)
        fields = [s["fields"] for s in self.run_program("samples").json["samples"]]
        self.assertEqual(fields, [{}, {"weather": "fog"}])

    def test_separators_of_windows_lead_to_images_here(self):
        write_bitmap(self.images / "sub" / "1.bmp")
        document = coco([image(1, "sub\\1.bmp"), image(2, "C:\\x\\2.bmp")], [annotation(1, 1), annotation(2, 2)])
        report = self.import_labels(document)
        self.assertEqual((report["labels"], report["images_missing"]), (2, 1))
        labelled = [s["name"] for s in self.run_program("samples", "--where", "set:ground_truth").json["samples"]]
        self.assertEqual(sorted(labelled), ["C:/x/2.bmp", "sub/1.bmp"])

    def test_classes_of_a_list_keep_their_numbers_without_labels(self):
        write_bitmap(self.scratch / "set" / "images" / "1.bmp")
        (self.scratch / "set" / "labels").mkdir()
        (self.scratch / "set" / "labels" / "1.txt").write_text("2 0.5 0.5 0.5 0.5\n")
        (self.scratch / "set" / "data.yaml").write_text("names: [cat, dog, cow, hen]\ntrain: images\n")
        self.run_program("import", "--labels", self.scratch / "set", "--format", "yolo")
        out = self.scratch / "out"
        losses = self.run_program("export", "--set", "ground_truth", "--format", "yolo", "--output", out).json["losses"]
        self.assertEqual(losses, [])
        self.assertTrue(next((out / "labels").rglob("1.txt")).read_text().startswith("2 "))
        self.assertIn("nc: 4", (out / "data.yaml").read_text())

    def test_two_names_in_one_file_are_two_images(self):
        write_bitmap(self.images / "1.bmp")
        report = self.import_labels(coco([image(1, "a/1.bmp"), image(2, "b/1.bmp")], [annotation(1, 1), annotation(2, 2)]))
        self.assertEqual((report["labels"], report["images_missing"]), (2, 1))
        labelled = [s["name"] for s in self.run_program("samples", "--where", "set:ground_truth").json["samples"]]
        self.assertEqual(sorted(labelled), ["1.bmp", "b/1.bmp"])

    def test_classes_are_renamed_and_folded_on_the_way_in_and_out(self):
        write_bitmap(self.images / "1.bmp")
        labels = write_json(self.scratch / "labels.json", coco([image(1)], [annotation(1, 1), annotation(2, 1, category=2)]))
        fold = write_json(self.scratch / "fold.json", {"cat": "animal", "dog": "animal", "cow": "animal"})
        words = ("import", "--images", self.images, "--labels", labels, "--format", "coco")
        report = self.run_program(*words, "--set", "folded", "--classes-map", fold).json
        self.assertEqual((report["labels"], report["classes_map_unused"]), (2, ["cow"]))
        self.assertEqual([label["class"] for label in self.run_program("labels").json["labels"]], ["animal", "animal"])
        again = self.run_program(*words, "--set", "folded", "--classes-map", fold).json
        self.assertEqual((again["labels"], again["labels_unchanged"]), (0, 2))
        self.run_program(*words, "--set", "plain")
        out = self.scratch / "out.json"
        export = ("export", "--set", "plain", "--format", "coco", "--output", out, "--classes-map")
        error = self.error(*export, fold, status=2)
        self.assertIn("cow", error["message"])
        self.run_program(*export, write_json(self.scratch / "one.json", {"cat": "dog"}))
        document = json.loads(out.read_text())
        names = {category["id"]: category["name"] for category in document["categories"]}
        self.assertEqual([names[a["category_id"]] for a in document["annotations"]], ["dog", "dog"])
        self.assertEqual(list(names.values()).count("dog"), 1)

    def test_a_set_without_labels_is_refused(self):
        error = self.error("import", "--images", self.images, "--set", "mine", status=2)
        self.assertEqual(error["code"], "wrong_use")
        self.assertIn("--labels", error["message"])

    def test_a_map_of_classes_that_is_broken_changes_nothing(self):
        write_bitmap(self.images / "1.bmp")
        labels = write_json(self.scratch / "labels.json", coco([image(1)], [annotation(1, 1)]))
        words = ("import", "--images", self.images, "--labels", labels, "--format", "coco", "--classes-map")
        broken = self.scratch / "map.json"
        for text in ("", "[]", "{", '{"cat": 1}', '{"cat": ""}', '{"cat": "a", "cat": "b"}'):
            broken.write_text(text)
            error = self.error(*words, broken, status=4)
            self.assertIn("map.json", json.dumps(error["context"]))
        self.error(*words, self.scratch / "none.json", status=3)
        self.assertEqual(self.run_program("samples").json["samples"], [])

    def test_classes_come_back_by_the_opposite_map(self):
        write_bitmap(self.images / "1.bmp")
        document = coco([image(1)], [annotation(1, 1), annotation(2, 1, category=2)])
        labels = write_json(self.scratch / "labels.json", document)
        there = write_json(self.scratch / "there.json", {"cat": "Katze", "dog": "cat"})
        back = write_json(self.scratch / "back.json", {"Katze": "cat", "cat": "dog"})
        self.run_program("import", "--images", self.images, "--labels", labels, "--format", "coco", "--classes-map", there)
        self.assertEqual([label["class"] for label in self.run_program("labels").json["labels"]], ["Katze", "cat"])
        out = self.scratch / "out.json"
        self.run_program("export", "--set", "ground_truth", "--format", "coco", "--output", out, "--classes-map", back)
        written = json.loads(out.read_text())
        self.assertEqual(written["categories"], document["categories"])
        self.assertEqual([row["category_id"] for row in written["annotations"]], [1, 2])

    def test_results_find_folded_classes_when_the_map_names_their_ids(self):
        write_bitmap(self.images / "1.bmp")
        document = coco([image(1)], [annotation(1, 1), annotation(2, 1, category=2)])
        labels = write_json(self.scratch / "labels.json", document)
        fold = write_json(self.scratch / "fold.json", {"cat": "animal", "dog": "animal"})
        report = self.run_program(
            "import", "--images", self.images, "--labels", labels, "--format", "coco", "--classes-map", fold
        ).json
        self.assertEqual(report["class_ids_not_kept"], [{"class": "animal", "id": 2}])
        results = write_json(self.scratch / "results.json", [annotation(n, 1, category=n, score=0.5) for n in (1, 2)])
        words = ("import", "--labels", results, "--format", "coco", "--set", "auto")
        report = self.run_program(*words, status=1).json
        self.assertEqual((report["labels"], report["labels_rejected"]), (1, 1))
        self.assertIn("--classes-map", report["rejections"][0]["message"])
        ids = write_json(self.scratch / "ids.json", {"2": "animal"})
        report = self.run_program(*words, "--classes-map", ids).json
        self.assertEqual((report["labels"], report["labels_unchanged"], report["class_ids_not_kept"]), (1, 1, []))

    def test_an_id_of_two_files_is_not_guessed_at(self):
        for folder in ("a", "b"):
            (self.images / folder).mkdir()
            write_bitmap(self.images / folder / "1.bmp")
        for folder, classes in (("a", ("cat", "dog")), ("b", ("dog", "cow"))):
            document = coco([image(1, f"{folder}/1.bmp")], [annotation(1, 1)], classes)
            self.import_labels(document, label_set=folder)
        results = write_json(self.scratch / "results.json", [annotation(1, 1, score=0.5)])
        words = ("import", "--labels", results, "--format", "coco", "--set", "auto")
        report = self.run_program(*words, status=1).json
        self.assertEqual((report["labels"], report["labels_rejected"]), (0, 1))
        self.assertEqual(report["rejections"][0]["reason"], "ambiguous_image")

    def test_images_whose_labels_were_all_rejected_are_not_labelled(self):
        for number in (1, 2, 3, 4):
            write_bitmap(self.images / f"{number}.bmp")
        broken = annotation(1, 1, box=(1, 1, -4, 4))
        document = coco([image(n) for n in (1, 2, 3)], [broken, annotation(2, 2), annotation(3, 2, category=9)])
        report = self.import_labels(document, status=1)
        self.assertEqual((report["images_left_unlabelled"], report["left_unlabelled"]), (1, ["1.bmp"]))
        self.assertEqual({row["image"] for row in report["rejections"]}, {"1.bmp", "2.bmp"})
        labelled = self.run_program("samples", "--where", "labelled:ground_truth").json["samples"]
        self.assertEqual(sorted(sample["name"] for sample in labelled), ["2.bmp", "3.bmp"])
        # A results list names its images by their ids only.
        results = write_json(self.scratch / "results.json", [annotation(1, 1), annotation(2, 2, score=0.5)])
        report = self.run_program("import", "--labels", results, "--format", "coco", "--set", "auto", status=1).json
        self.assertEqual(report["left_unlabelled"], [])
        labelled = self.run_program("samples", "--where", "labelled:auto").json["samples"]
        self.assertEqual([sample["name"] for sample in labelled], ["2.bmp"])
        # These readers know of a rejection before the image is announced, or after.
        point = {"label": "cat", "points": [[1, 1]], "shape_type": "point"}
        write_json(self.images / "4.json", {"imagePath": "4.bmp", "shapes": [point], "imageWidth": 8, "imageHeight": 8})
        words = ("import", "--images", self.images, "--labels")
        report = self.run_program(*words, self.images / "4.json", "--format", "labelme", "--set", "mine", status=1).json
        self.assertEqual(report["left_unlabelled"], ["4.bmp"])
        self.assertEqual(self.run_program("samples", "--where", "labelled:mine").json["samples"], [])
        for name, text, label_format in (
            ("4.xml", "<annotation><filename>4.bmp</filename><object><name>cat</name></object></annotation>", "voc"),
            ("table.csv", "image,label,xmin,ymin,xmax,ymax\n4.bmp,cat,5,5,1,1\n", "csv"),
        ):
            path = self.scratch / name
            path.write_text(text)
            report = self.run_program(*words, path, "--format", label_format, "--set", label_format, status=1).json
            self.assertEqual(report["left_unlabelled"], ["4.bmp"], label_format)

    def test_an_export_says_what_it_loses_before_it_writes(self):
        write_bitmap(self.images / "1.bmp")
        self.import_labels(coco([image(1)], [annotation(1, 1, attributes={"occluded": True})]))
        out = self.scratch / "yolo"
        answer = self.run_program("export", "--set", "ground_truth", "--format", "yolo", "--output", out, "--dry-run").json
        self.assertIn({"what": "labels lose their attributes", "count": 1}, answer["losses"])
        self.assertFalse(out.exists())
        written = self.run_program("export", "--set", "ground_truth", "--format", "yolo", "--output", out).json
        self.assertEqual(written["losses"], answer["losses"])

    def test_undo_of_an_import_says_which_later_ones_named_its_labels(self):
        write_bitmap(self.images / "1.bmp")
        part, whole = (coco([image(1)], [annotation(i, 1, (i, 0, 2, 2)) for i in range(count)]) for count in (2, 5))
        self.import_labels(part)
        self.import_labels(whole)
        (note,) = self.run_program("imports", "undo", 1).json["notes"]
        self.assertIn("import 2 named as well", note)
        self.assertEqual(self.run_program("imports", "undo", 2).json["notes"], [])
        answer = self.import_labels(whole)
        self.assertEqual((answer["labels"], answer["labels_unchanged"]), (5, 0))
        self.assertEqual(len(self.exported("ground_truth")), 5)

    def test_decided_labels_that_are_imported_anew_stay_one_each(self):
        write_bitmap(self.images / "1.bmp")
        labels = coco([image(1)], [annotation(i, 1, (i, 0, 2, 2)) for i in range(4)])
        self.import_labels(labels)
        self.run_program("review", "accept", "--where", "set:ground_truth limit:2")
        self.run_program("imports", "undo", 1)
        self.assertEqual(len(self.exported("ground_truth")), 2)
        self.run_program("review", "undo")
        self.run_program("review", "redo")
        answer = self.import_labels(labels)
        self.assertEqual((answer["labels"], answer["labels_unchanged"]), (2, 2))
        for what in ("undo", "redo"):
            self.assertEqual(len(self.exported("ground_truth")), 4)
            self.run_program("review", what)
        self.assertEqual(len(self.exported("ground_truth")), 4)

    def test_undo_of_an_import_takes_its_labels_back(self):
        write_bitmap(self.images / "1.bmp")
        self.import_labels(coco([image(1)], [annotation(1, 1)]))
        imports = self.run_program("imports", "list").json["imports"]
        self.run_program("imports", "undo", imports[-1]["import"])
        self.assertEqual(self.exported("ground_truth"), [])
        self.assertEqual(self.import_labels(coco([image(1)], [annotation(1, 1)]))["labels"], 1)

    def test_files_that_are_not_what_they_claim(self):
        for content in (b"", b"not json", b'{"images": [', b"[1, 2", b'{"images": 3}', b"\xff\xfe{}", b"[" * 100000):
            path = self.scratch / "labels.json"
            path.write_bytes(content)
            error = self.error("import", "--images", self.images, "--labels", path, "--format", "coco", status=4)
            self.assertIn("labels.json", json.dumps(error["context"]))
        self.error("import", "--labels", self.scratch / "none.json", "--format", "coco", status=3)
        error = self.error("import", "--labels", path, "--format", "cocoa", status=2)
        self.assertIn("coco", json.dumps(error))

    def test_a_file_that_breaks_off_late_takes_its_labels_back_and_says_so(self):
        write_bitmap(self.images / "1.bmp")
        path = write_json(self.scratch / "labels.json", coco([image(1)], [annotation(n + 1, 1) for n in range(30_000)]))
        path.write_bytes(
            path.read_bytes()
            .replace(b'"categories"', b'"later"')
            .replace(b'"annotations"', b'"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}], "annotations"')[:-100]
        )
        error = self.error("import", "--images", self.images, "--labels", path, "--format", "coco", status=4)
        (row,) = self.run_program("imports").json["imports"]
        self.assertEqual((int(error["context"]["import"]), row["state"]), (row["import"], "undone"))
        self.assertEqual(int(error["context"]["labels_undone"]), row["labels"])
        self.assertGreater(row["labels"], 0)
        self.assertEqual(int(error["context"]["images_listed"]), 1)
        self.assertEqual(self.exported("ground_truth"), [])

    def test_ids_and_unknown_fields_come_back(self):
        write_bitmap(self.images / "1.bmp")
        document = coco(
            [image(17, "1.bmp", flickr_url="http://x/é", license=4)],
            [
                annotation(900, 17, track={"id": 3}, iscrowd=0, area=15.5),
                annotation(901, 17, box=(0.1, 0.2, 3.3, 1e-3), area=0.5, iscrowd=1),
            ],
            info={"year": 2017},
            licenses=[{"id": 4, "name": "by"}],
        )
        document["categories"] = [{"id": 44, "name": "cat", "supercategory": "animal"}]
        for row in document["annotations"]:
            row["category_id"] = 44
        self.import_labels(document)
        output = self.scratch / "out.json"
        self.run_program("export", "--set", "ground_truth", "--format", "coco", "--output", output)
        back = json.loads(output.read_text())
        for key in ("images", "categories", "info", "licenses"):
            self.assertEqual(back[key], document[key], key)
        for want, got in zip(document["annotations"], back["annotations"], strict=True):
            self.assertLessEqual(want.items(), got.items())

    def test_yolo_no_file_is_not_an_empty_file_and_faults_name_their_line(self):
        folder = self.scratch / "yolo"
        for name in ("a", "b", "c"):
            write_bitmap(folder / "images" / f"{name}.bmp", 10, 20)
        (folder / "labels").mkdir()
        (folder / "labels" / "a.txt").write_text(
            "0 0.5 0.5 0.2 0.1\n1 0.5 0.5 0.2\n1 0.5 0.5 0.2 0.1 0.75\nx 1 2 3 4\n7 0.5 0.5 0.1 0.1\n0 0.5 0.5 nan 0.1\n"
        )
        (folder / "labels" / "b.txt").write_text("")
        (folder / "data.yaml").write_text("path: .\ntrain: images\nval: images\nnames: [cat, 'traffic light']\n")
        report = self.run_program("import", "--images", folder / "images", "--labels", folder, "--format", "yolo", status=1).json
        self.assertEqual((report["labels"], report["labels_rejected"]), (2, 4))
        self.assertEqual(sorted(rejection["line"] for rejection in report["rejections"]), [2, 4, 5, 6])
        labelled = self.run_program("samples", "--where", "labelled:ground_truth").json["samples"]
        self.assertEqual(sorted(sample["name"] for sample in labelled), ["a.bmp", "b.bmp"])
        boxes = self.exported("ground_truth")
        self.assertEqual([box[1] for box in boxes], ["cat", "traffic light"])
        for got, want in zip(boxes[0][2:6], (4, 9, 2, 2), strict=True):
            self.assertAlmostEqual(got, want)

    def test_killed_and_repeated_import_equals_an_uninterrupted_one(self):
        count = 30000
        for number in range(1, 41):
            write_bitmap(self.images / f"{number}.bmp", 2, 2)
        document = coco(
            [image(number) for number in range(1, 41)],
            [annotation(i, i % 40 + 1, box=(i % 5, 1, 2, 3 + i % 3)) for i in range(1, count + 1)],
        )
        path = write_json(self.scratch / "labels.json", document)
        words = ("import", "--images", self.images, "--labels", path, "--format", "coco", "--set", "ground_truth")
        whole = self.scratch / "whole"
        self.init(whole)
        self.run_program(*words, project=whole)
        want = self.exported("ground_truth", project=whole)
        self.assertEqual(len(want), count)
        for delay in (0.02, 0.05, 0.08, 0.12, 0.2):
            process = self.start_program(*words)
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.run_program(*words)
        self.assertEqual(self.exported("ground_truth"), want)
