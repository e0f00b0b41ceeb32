"""Formats of text and folders: KITTI, Open Images, CSV and class folders, in and out of a project."""

import csv
import os
import shutil

from harness import ProgramCase, test_data, write_bitmap

OPEN_IMAGES_HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"


class FormatsText(ProgramCase):
    def setUp(self):
        super().setUp()
        self.images = self.scratch / "images"
        self.init()

    def import_labels(self, path, label_format, *words, status=0, project=None):
        return self.run_program("import", "--labels", path, "--format", label_format, *words, status=status, project=project).json

    def export_labels(self, label_format, output, *words, project=None):
        return self.run_program(
            "export", "--set", "ground_truth", "--format", label_format, "--output", output, *words, project=project
        ).json

    def labels(self, project=None):
        return self.run_program("labels", project=project).json["labels"]

    def table(self, path):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def test_a_folder_may_end_in_a_slash(self):
        write_bitmap(self.scratch / "images" / "a.bmp")
        table = self.scratch / "labels.csv"
        table.write_text("image,label,x,y,w,h\na.bmp,car,1,1,4,4\n")
        self.run_program("import", "--images", self.scratch / "images", "--labels", table, "--format", "csv")
        words = ("export", "--set", "ground_truth", "--format", "yolo", "--images", "copy", "--output")
        self.run_program(*words, f"{self.scratch}/dataset/")
        self.assertTrue((self.scratch / "dataset" / "data.yaml").is_file())
        self.error(*words, "/", status=2)

    def test_kitti_comes_back_as_it_was(self):
        folder = self.scratch / "kitti"
        for name in ("a", "b", "c"):
            write_bitmap(folder / "image_2" / f"{name}.bmp", 100, 50)
        (folder / "label_2").mkdir()
        lines = (
            "Car 0.5 1 -1.5 10 20 30.5 40 1.5 2 3 4 5 6 0.25\n"
            "DontCare -1 -1 -10 -5 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n"
            "Van 0 0 0 1 2 3 4 1 1 1 1 1 1 1 0.75\n"
        )
        (folder / "label_2" / "a.txt").write_text(lines + "Car 0 0 0 3 2 1 4 1 1 1 1 1 1 1\nCar 0 0\n")
        (folder / "label_2" / "b.txt").write_text("")
        report = self.import_labels(folder, "kitti", "--images", folder / "image_2", status=1)
        self.assertEqual((report["labels"], report["labels_rejected"]), (3, 2))
        self.assertEqual([rejection["line"] for rejection in report["rejections"]], [4, 5])
        self.assertEqual(report["rejections"][0]["field"], "column 7 (right)")
        labelled = self.run_program("samples", "--where", "labelled:ground_truth").json["samples"]
        self.assertEqual(sorted(sample["name"] for sample in labelled), ["a.bmp", "b.bmp"])

        output = self.scratch / "out"
        written = self.export_labels("kitti", output, "--images", "copy", "--with-unlabelled", "--with-confidence")
        self.assertEqual((written["images"], written["labels"], written["losses"]), (3, 3, []))
        self.assertEqual((output / "label_2" / "a.txt").read_text(), lines)
        self.assertEqual((output / "label_2" / "b.txt").read_text(), "")
        self.assertFalse((output / "label_2" / "c.txt").exists())
        self.assertTrue((output / "image_2" / "c.bmp").exists())
        plain = self.scratch / "plain"
        written = self.export_labels("kitti", plain)
        self.assertEqual([(loss["count"], "--with-confidence" in loss["what"]) for loss in written["losses"]], [(1, True)])
        self.assertTrue(all(len(line.split()) == 15 for line in (plain / "label_2" / "a.txt").read_text().splitlines()))

        table = self.scratch / "spaces.csv"
        table.write_text("image,label,x,y,w,h\na.bmp,traffic light,1,2,3,4\n")
        self.import_labels(table, "csv")
        error = self.error("export", "--set", "ground_truth", "--format", "kitti", "--output", self.scratch / "refused", status=2)
        self.assertIn("traffic light", error["message"])
        self.assertFalse((self.scratch / "refused").exists())

    def test_open_images_keeps_boxes_flags_and_negatives(self):
        for name in ("000a", "000b"):
            write_bitmap(self.images / f"{name}.bmp", 200, 100)
        folder = self.scratch / "open_images"
        folder.mkdir()
        boxes = [
            "000a,xclick,/m/01g317,1,0.25,0.75,0.5,0.75,1,0,0,-1,-1",
            "000b,xclick,/m/0k4j,1,0,1,0,1,0,0,1,1,0",
        ]
        labels = ["000a,verification,/m/0k4j,1", "000b,verification,/m/01g317,0"]
        names = "/m/01g317,Person\n/m/0k4j,Car\n"
        (folder / "train-annotations-bbox.csv").write_text("\n".join([OPEN_IMAGES_HEADER, *boxes, ""]))
        (folder / "train-annotations-human-imagelabels.csv").write_text(
            "\n".join(["ImageID,Source,LabelName,Confidence", *labels, ""])
        )
        (folder / "class-descriptions-boxable.csv").write_text(names)
        report = self.import_labels(folder, "open_images", "--images", self.images)
        self.assertEqual((report["labels"], report["labels_rejected"], report["images_listed"]), (4, 0, 2))
        self.assertEqual(
            self.exported("ground_truth"),
            [
                ("000a.bmp", "Person", 50.0, 50.0, 100.0, 25.0, 1.0),
                ("000b.bmp", "Car", 0.0, 0.0, 200.0, 100.0, 1.0),
            ],
        )

        output = self.scratch / "out"
        written = self.export_labels("open_images", output)
        self.assertEqual((written["labels"], written["losses"]), (4, []))
        for name in sorted(os.listdir(folder)):
            self.assertEqual((output / name).read_text(), (folder / name).read_text(), name)

        # Not even the images are known.
        empty = self.scratch / "empty"
        self.init(empty)
        report = self.import_labels(folder, "open_images", status=1, project=empty)
        self.assertEqual((report["labels"], report["labels_rejected"]), (0, 4))

    def test_csv_of_a_spreadsheet(self):
        for name in ("a", "b", "c"):
            write_bitmap(self.images / f"{name}.bmp", 100, 50)
        path = self.scratch / "labels.csv"
        path.write_bytes(
            b"\xef\xbb\xbfFilename;Class;XMin;YMin;XMax;YMax;attribute.occluded;Note\r\n"
            b'a.bmp;"cat; big";1;2;4.5;8;true;"two\r\nlines"\r\n'
            b"a.bmp;dog;1,5;2;4;8;;\r\n"
            b"b;;;;;;;\r\n"
            b"a.bmp;dog;4;2;1;8;;\r\n"
            b"c.bmp;dog;0;0;100;50;;\r\n"
        )
        report = self.import_labels(path, "csv", "--images", self.images, status=1)
        self.assertEqual((report["labels"], report["labels_rejected"]), (2, 2))
        self.assertEqual([rejection["line"] for rejection in report["rejections"]], [4, 6])
        self.assertIn("point", report["rejections"][0]["message"])
        labelled = self.run_program("samples", "--where", "labelled:ground_truth").json["samples"]
        self.assertEqual(len(labelled), 3)  # b is labelled, and empty

        output = self.scratch / "out.csv"
        written = self.export_labels("csv", output)
        self.assertEqual((written["images"], written["labels"], written["losses"]), (3, 2, []))
        rows = self.table(output)
        self.assertEqual([row["image"] for row in rows], ["a.bmp", "b.bmp", "c.bmp"])
        first = rows[0]
        self.assertEqual((first["label"], first["x"], first["w"]), ("cat; big", "1", "3.5"))
        self.assertEqual((first["attribute.occluded"], first["Note"]), ("true", "two\r\nlines"))
        again = self.import_labels(output, "csv")
        self.assertEqual((again["labels"], again["labels_unchanged"]), (0, 2))

        path.write_text("image,label,x1,y1,x2,w\na.bmp,cat,1,2,3,4\n")
        error = self.error("import", "--labels", path, "--format", "csv", status=4)
        self.assertIn("`x2`", error["message"])
        self.assertIn("`w`", error["message"])

    def test_null_in_a_table_takes_a_field_away(self):
        write_bitmap(self.images / "a.bmp", 100, 50)
        path = self.scratch / "labels.csv"
        path.write_text("image,label,field.scene,field.lux\na.bmp,cat,street,3\n")
        self.import_labels(path, "csv", "--images", self.images)
        path.write_text("image,label,field.scene,field.lux\na.bmp,dog,null,\n")
        self.import_labels(path, "csv")
        self.assertEqual(self.run_program("samples").json["samples"][0]["fields"], {"lux": 3})

    def test_class_folders_of_the_shared_photographs(self):
        folder = test_data() / "hymenoptera-val"
        counts = {name: len(os.listdir(folder / name)) for name in ("ants", "bees")}
        report = self.import_labels(folder, "image_folders")
        self.assertEqual((report["images_listed"], report["images_missing"]), (152, 0))
        self.assertEqual((report["labels"], report["labels_rejected"]), (152, 0))
        self.assertEqual(sum(counts.values()), 152)

        self.error("export", "--set", "ground_truth", "--format", "image_folders", "--output", self.scratch / "none", status=2)
        output = self.scratch / "out"
        written = self.export_labels("image_folders", output, "--images", "copy", "--default-split", "val")
        self.assertEqual((written["images"], written["labels"], written["losses"]), (152, 152, []))
        for name, count in counts.items():
            self.assertEqual(sorted(os.listdir(output / "val" / name)), sorted(os.listdir(folder / name)))
            self.assertEqual(len(os.listdir(output / "val" / name)), count)

        back = self.scratch / "back"
        self.init(back)
        report = self.import_labels(output, "image_folders", project=back)
        self.assertEqual((report["labels"], report["images_missing"]), (152, 0))

        def told(project):
            table = self.scratch / "told.csv"
            self.export_labels("csv", table, project=project)
            return sorted((os.path.basename(row["image"]), row["label"]) for row in self.table(table))

        self.assertEqual(told(back), told(None))
        self.assertEqual({label: sum(row[1] == label for row in told(back)) for label in counts}, counts)

    def test_copied_images_of_one_name_are_those_of_the_project(self):
        names = ("a/x.bmp", "b/x.bmp", "u.bmp")
        for value, name in enumerate(names):
            write_bitmap(self.images / name, value=value)
        rows = "".join(f"{name},c,1,1,2,2\n{name},c,,,,\n" for name in names)
        path = self.scratch / "labels.csv"
        path.write_text("image,label,x,y,w,h\n" + rows)
        self.import_labels(path, "csv", "--images", self.images)
        for label_format in ("yolo", "image_folders"):
            output = self.scratch / label_format
            self.export_labels(label_format, output, "--images", "copy", "--default-split", "train")
            project = self.scratch / f"from {label_format}"
            self.init(project)
            self.run_program("import", "--images", self.images, project=project)
            report = self.import_labels(output, label_format, project=project)
            self.assertEqual((report["labels"], report["labels_rejected"]), (3, 0), label_format)
            samples = self.run_program("samples", project=project).json["samples"]
            self.assertEqual(sorted(sample["name"] for sample in samples), sorted(names), label_format)

    def test_class_folders_of_several_classes(self):
        for name in ("1", "2"):
            write_bitmap(self.images / f"{name}.bmp")
        path = self.scratch / "labels.csv"
        path.write_text("image,label,score\n1.bmp,cat,0.5\n1.bmp,dog,0.75\n2.bmp,a/b,1\n")
        self.import_labels(path, "csv", "--images", self.images)
        output = self.scratch / "out"
        words = ("export", "--set", "ground_truth", "--format", "image_folders", "--output", output, "--images", "symbolic_link")
        error = self.error(*words, status=2)
        self.assertIn("a/b", error["message"])
        written = self.run_program(*words, "--where", "class:cat,dog").json
        self.assertEqual((written["labels"], written["labels_left_out"]), (1, 1))
        self.assertTrue((output / "train" / "dog" / "1.bmp").is_symlink())
        shutil.rmtree(output)
