"""Pascal VOC and CVAT: the shared blood cells in and out of both, files with faults, what a format cannot hold."""

import collections
import xml.etree.ElementTree
import zipfile

from harness import ProgramCase, test_data, write_bitmap, write_json

VOC = """<annotation><filename>{name}</filename><size><width>8</width><height>8</height></size>{objects}</annotation>"""


def voc_object(name, xmin, ymin, xmax, ymax, more=""):
    return (
        f"<object><name>{name}</name><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
        f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>{more}</object>"
    )


class FormatsXml(ProgramCase):
    def setUp(self):
        super().setUp()
        self.init()

    def reimported(self, path, label_format, *words):
        """The labels of an export, read into a project of its own."""
        project = self.scratch / f"from {path.name}"
        self.init(project)
        report = self.run_program("import", *words, "--labels", path, "--format", label_format, project=project).json
        self.assertEqual(report["labels_rejected"], 0)
        return self.exported("ground_truth", project=project)

    def test_blood_cells_go_through_voc_and_cvat_unchanged(self):
        data = test_data() / "bccd"
        words = ("import", "--images", data / "JPEGImages", "--labels", data, "--format", "voc")
        report = self.run_program(*words, status=1).json
        self.assertEqual((report["labels"], report["labels_rejected"]), (4886, 2))
        faulty = sorted(rejection["file"].rpartition("/")[2] for rejection in report["rejections"])
        self.assertEqual(faulty, ["BloodImage_00338.xml", "BloodImage_00343.xml"])
        labels = self.exported("ground_truth")
        classes = collections.Counter(label[1] for label in labels)
        self.assertEqual(classes, {"RBC": 4153, "WBC": 372, "Platelets": 361})

        # The same boxes as another reader of XML finds.
        want = []
        for path in (data / "Annotations").iterdir():
            root = xml.etree.ElementTree.parse(path).getroot()
            for element in root.iter("object"):
                corners = [float(element.find("bndbox").find(name).text) for name in ("xmin", "ymin", "xmax", "ymax")]
                size = (corners[2] - corners[0], corners[3] - corners[1])
                if all(size):
                    want.append((root.find("filename").text, element.find("name").text, *corners[:2], *size, -1.0))
        self.assertEqual(labels, sorted(want))
        self.assertEqual(self.run_program(*words, status=1).json["labels_unchanged"], 4886)

        for label_format, name in (("voc", "voc"), ("cvat", "cvat.xml"), ("cvat", "cvat.zip")):
            output = self.scratch / name
            report = self.run_program("export", "--set", "ground_truth", "--format", label_format, "--output", output).json
            self.assertEqual((report["images"], report["labels"], report["failures"]), (364, 4886, []))
            self.assertEqual(self.reimported(output, label_format, "--images", data / "JPEGImages"), labels)
        # Without the folder of images, a VOC export leads to them by itself.
        self.assertEqual(len(self.reimported(self.scratch / "voc" / "Annotations", "voc")), 4886)

    def test_an_export_with_its_images_stands_alone(self):
        for name in ("a.bmp", "sub/a.bmp", "sub/b.bmp"):
            write_bitmap(self.scratch / "images" / name)
        document = {
            "images": [{"id": i + 1, "file_name": name} for i, name in enumerate(("a.bmp", "sub/a.bmp", "sub/b.bmp"))],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0.1, 0.2, 3.3, 1e-3], "attributes": {"wet": True, "n": "1"}},
                {"id": 2, "image_id": 2, "category_id": 2, "bbox": [1 / 3, 1, 2, 3], "segmentation": [[1, 1, 3, 1, 3, 4.5]]},
                {"id": 3, "image_id": 2, "category_id": 2, "bbox": [0, 0, 8, 8], "iscrowd": 1},
            ],
            "categories": [{"id": 1, "name": "cat & <dog>"}, {"id": 2, "name": "東京"}],
        }
        labels = write_json(self.scratch / "labels.json", document)
        self.run_program("import", "--images", self.scratch / "images", "--labels", labels, "--format", "coco")
        want = [label for label in self.exported("ground_truth") if label[2:6] != (0, 0, 8, 8)]
        self.assertEqual(len(want), 2)
        words = ("export", "--set", "ground_truth", "--images", "copy")
        report = self.run_program(*words, "--format", "voc", "--output", self.scratch / "voc").json
        self.assertEqual((report["labels"], report["labels_left_out"]), (2, 1))
        self.assertTrue(any("crowd" in loss["what"] for loss in report["losses"]))
        self.assertEqual(self.reimported(self.scratch / "voc", "voc", "--images", self.scratch / "voc" / "JPEGImages"), want)
        self.assertTrue((self.scratch / "voc" / "JPEGImages" / "sub" / "a.bmp").is_file())

        output = self.scratch / "cvat.zip"
        report = self.run_program(*words, "--format", "cvat", "--output", output).json
        # CVAT takes the box around an outline.
        self.assertTrue(any("lose the box" in loss["what"] for loss in report["losses"]))
        with zipfile.ZipFile(output) as archive:
            self.assertIsNone(archive.testzip())
            self.assertIn("images/sub/a.bmp", archive.namelist())
            root = xml.etree.ElementTree.fromstring(archive.read("annotations.xml"))
        self.assertEqual([image.get("name") for image in root.iter("image")], ["a.bmp", "sub/a.bmp", "sub/b.bmp"])
        self.assertEqual([label.findtext("name") for label in root.iter("label")], ["cat & <dog>", "東京"])
        self.assertEqual([box.get("xbr") for box in root.iter("box")], ["3.4"])
        back = self.reimported(output, "cvat", "--images", self.scratch / "images")
        self.assertEqual([label[:2] for label in back], [label[:2] for label in want])
        self.assertEqual(back[0], want[0])
        self.assertEqual(back[1][2:6], (1, 1, 2, 3.5))

    def test_names_are_looked_for_as_they_are_and_then_without_their_extension(self):
        names = ("a.jfif", "b.JPE", "pic.2", "noext.", "v1.0", "v1.0.jpg", "x.dat", "h.jpg~", "photo", "photo.jpg")
        for name in names:
            write_bitmap(self.scratch / "images" / name)
        table = self.scratch / "labels.csv"
        rows = [f"{name},c,{i},0,1,1" for i, name in enumerate(names)]
        table.write_text("\n".join(["image,label,x,y,w,h", *rows, ""]))
        report = self.run_program("import", "--images", self.scratch / "images", "--labels", table, "--format", "csv").json
        self.assertEqual((report["labels"], report["labels_rejected"]), (len(names), 0))
        want = self.exported("ground_truth")
        self.assertEqual(sorted(label[0] for label in want), sorted(names))
        # VOC's files are named without extension: some of these would share one.
        output = self.scratch / "labels.xml"
        self.run_program("export", "--set", "ground_truth", "--format", "cvat", "--output", output)
        self.assertEqual(self.reimported(output, "cvat", "--images", self.scratch / "images"), want)
        folder = self.scratch / "voc"
        folder.mkdir()
        for i, name in enumerate(names):
            (folder / f"{i}.xml").write_text(VOC.format(name=name, objects=voc_object("c", i, 0, i + 1, 1)))
        self.assertEqual(self.reimported(folder, "voc", "--images", self.scratch / "images"), want)

        (folder / "10.xml").write_text(VOC.format(name="pic", objects=voc_object("c", 5, 5, 6, 6)))
        self.run_program("import", "--labels", folder / "10.xml", "--format", "voc", "--set", "stems")
        self.assertEqual([label[0] for label in self.exported("stems")], ["pic.2"])

    def test_a_second_file_about_one_image_is_rejected(self):
        write_bitmap(self.scratch / "images" / "w.bmp")
        folder = self.scratch / "voc"
        for name, x in (("backup/w.xml", 3), ("w.xml", 1)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(VOC.format(name="../images/w.bmp", objects=voc_object("c", x, 1, 4, 4)))
        (folder / "w2.xml").write_text(VOC.format(name="w", objects=voc_object("c", 2, 1, 4, 4)))
        words = ("import", "--images", self.scratch / "images", "--labels", folder, "--format", "voc")
        report = self.run_program(*words, status=1).json
        self.assertEqual((report["labels"], report["labels_rejected"], report["others_rejected"]), (1, 2, 2))
        self.assertEqual([label[2] for label in self.exported("ground_truth")], [1])
        self.assertEqual({rejection["reason"] for rejection in report["rejections"]}, {"duplicate_id"})

    def test_faults_name_their_file_and_line(self):
        for name in ("a.bmp", "b.bmp", "c.bmp"):
            write_bitmap(self.scratch / "images" / name)
        folder = self.scratch / "voc"
        folder.mkdir()
        objects = ["", voc_object("cat", 1, 1, 4, 4), voc_object("cat", 4, 1, 1, 4), voc_object("cat", "nan", 1, 4, 4)]
        (folder / "a.xml").write_text(VOC.format(name="a.bmp", objects="\n".join(objects)))
        (folder / "b.xml").write_text(VOC.format(name="b.bmp", objects=""))
        (folder / "c.xml").write_text(VOC.format(name="c.bmp", objects="")[:-5])
        words = ("import", "--images", self.scratch / "images", "--format", "voc", "--labels")
        report = self.run_program(*words, folder, status=1).json
        self.assertEqual((report["labels"], report["labels_rejected"]), (1, 2))
        places = [(rejection["file"].rpartition("/")[2], rejection["line"]) for rejection in report["rejections"]]
        self.assertEqual(sorted(places), [("a.xml", 3), ("a.xml", 4), ("c.xml", 1)])
        labelled = self.run_program("samples", "--where", "labelled:ground_truth").json["samples"]
        self.assertEqual(sorted(sample["name"] for sample in labelled), ["a.bmp", "b.bmp"])

        bomb = self.scratch / "bomb.xml"
        bomb.write_text('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<annotation><filename>&x;</filename></annotation>')
        for label_format in ("voc", "cvat"):
            error = self.error("import", "--labels", bomb, "--format", label_format, status=4)
            self.assertIn("entit", error["message"])
            self.assertEqual(error["context"]["line"], "1")
