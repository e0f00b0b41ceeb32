"""Fields of samples from tables, lines of JSON and EXIF: in, through views and statistics, out again; and what can be wrong."""

import json
import pathlib
import shutil
import struct
import subprocess

from harness import ProgramCase, write_bitmap, write_json


def write_photograph(
    path, *, make="Canon", model="Canon EOS 5D", iso=400, date="2024:05:01 22:00:00", latitude=(33, 51, 36), cut=0
):
    """A JPEG file up to its frame header, which is all that an import reads, with EXIF in it; `cut` bytes of which are missing."""

    def directory(at, fields):
        entries, values = b"", b""
        behind = at + 2 + 12 * len(fields) + 4
        for tag, kind, count, value in fields:
            entries += struct.pack(">HHI", tag, kind, count)
            entries += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(">I", behind + len(values))
            values += value if len(value) > 4 else b""
        return struct.pack(">H", len(fields)) + entries + bytes(4) + values

    def text(tag, value):
        return (tag, 2, len(value) + 1, value.encode() + b"\0")

    place = [text(1, "S"), (2, 5, 3, struct.pack(">6I", *[n for part in latitude for n in (part, 1)]))]
    camera = [(0x8827, 3, 1, struct.pack(">H", iso)), text(0x9003, date), (0x829A, 5, 1, struct.pack(">2I", 1, 250))]
    exif = b"MM\0*" + struct.pack(">I", 8)
    main = [text(0x010F, make), text(0x0110, model), (0x8769, 4, 1, bytes(4)), (0x8825, 4, 1, bytes(4))]
    camera_at = 8 + len(directory(8, main))
    place_at = camera_at + len(directory(camera_at, camera))
    main[2] = (0x8769, 4, 1, struct.pack(">I", camera_at))
    main[3] = (0x8825, 4, 1, struct.pack(">I", place_at))
    exif += directory(8, main) + directory(camera_at, camera) + directory(place_at, place)
    exif = exif[: len(exif) - cut]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\xff\xd8\xff\xe1"
        + struct.pack(">H", 8 + len(exif))
        + b"Exif\0\0"
        + exif
        + b"\xff\xc0\0\x11\x08\0\x05\0\x04\x03"
        + bytes(9)
    )


class Metadata(ProgramCase):
    def setUp(self):
        super().setUp()
        self.images = self.scratch / "images"
        for name in ("1.bmp", "2.bmp", "a/3.bmp", "b/3.bmp"):
            write_bitmap(self.images / name)
        self.init()

    def test_the_whole_name_comes_before_the_name_without_extension(self):
        for name in ("photo", "photo.bmp"):
            write_bitmap(self.images / name)
        self.run_program("import", "--images", self.images)
        for name, content in (("m.csv", "path,n\nphoto,1\nphoto.bmp,2\n2,3\n"), ("m.jsonl", '{"path": "photo", "n": 1}\n')):
            path = self.scratch / name
            path.write_text(content)
            self.run_program("import", "--metadata", path)
        samples = self.run_program("samples").json["samples"]
        values = {sample["name"]: sample["fields"]["n"] for sample in samples if sample["fields"]}
        self.assertEqual(values, {"photo": 1, "photo.bmp": 2, "2.bmp": 3})

    def take(self, name, content, *words, status=0):
        path = self.scratch / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.run_program("import", "--metadata", path, *words, status=status).json

    def fields(self, project=None):
        samples = self.run_program("samples", project=project).json["samples"]
        return {sample["name"]: sample["fields"] for sample in samples if sample["fields"]}

    def names(self, view):
        return [sample["name"] for sample in self.run_program("samples", "--where", view).json["samples"]]

    def test_a_table_becomes_fields_tags_and_splits_which_views_and_statistics_see(self):
        report = self.take(
            "weather.csv",
            "file_name,scene,iso,wet,taken,camera,tags,split\n"
            "1.bmp,night,1600,true,2024-05-01T22:00,Canon EOS 5D,dark; wet,val\n"
            "2.bmp,day,100,false,2024-06-01,,,\n"
            "a/3.bmp,,,,,,,\n",
            "--images",
            self.images,
        )
        self.assertEqual((report["files"], report["added"]), (4, 4))
        self.assertEqual([report[k] for k in ("metadata_rows", "metadata_changed", "metadata_unchanged")], [3, 2, 1])
        self.assertEqual([report[k] for k in ("metadata_rejected", "fields", "fields_rejected", "labels")], [0, 9, 0, 0])
        self.assertEqual(
            self.fields()["1.bmp"],
            {"scene": "night", "iso": 1600, "wet": True, "taken": "2024-05-01T22:00", "camera": "Canon EOS 5D"},
        )
        for view, names in (
            ('field:camera="Canon EOS 5D"', ["1.bmp"]),
            ("field:iso>800", ["1.bmp"]),
            ("field:iso>=100 -sort:field:iso", ["1.bmp", "2.bmp"]),
            ("field:taken>=2024-05-02 field:taken<2024-07-01", ["2.bmp"]),
            ("field:taken=2024-05-01", ["1.bmp"]),
            ("field:wet=false", ["2.bmp"]),
            ("-field:scene", ["a/3.bmp", "b/3.bmp"]),
            ("tag:dark,wet", ["1.bmp"]),
            ("split:val", ["1.bmp"]),
        ):
            self.assertEqual(self.names(view), names, view)
        fields = self.run_program("stats").json["fields"]
        self.assertEqual(fields["scene"]["values"], [{"value": "day", "count": 1}, {"value": "night", "count": 1}])
        self.assertEqual(fields["iso"]["numbers"]["values"], 2)

    def test_again_changes_nothing_and_later_rows_replace_what_they_name(self):
        self.run_program("import", "--images", self.images)
        table = "path,scene,iso\n1.bmp,night,1600\n"
        self.assertEqual(self.take("m.csv", table)["metadata_changed"], 1)
        again = self.take("m.csv", table)
        self.assertEqual((again["metadata_changed"], again["metadata_unchanged"], again["fields"]), (0, 1, 2))
        self.take("m.jsonl", '{"path":"1.bmp","iso":200,"scene":null,"gps":{"lat":1.5}}\n')
        self.assertEqual(self.fields(), {"1.bmp": {"iso": 200, "gps.lat": 1.5}})
        self.assertEqual(self.take("m.csv", "path,scene,iso\n1.bmp,,300\n")["fields"], 1)
        self.assertEqual(self.fields(), {"1.bmp": {"iso": 300, "gps.lat": 1.5}})

    def test_rows_find_their_image_as_labels_do(self):
        self.run_program("import", "--images", self.images)
        report = self.take(
            "m.jsonl",
            "\n".join(
                json.dumps({"path": path, "n": number})
                for number, path in enumerate(
                    ["elsewhere/1.bmp", "a/3.bmp", "3.bmp", str(self.images / "b" / "3.bmp"), "2", "2.bmp", "9.bmp"], 1
                )
            ),
            status=1,
        )
        self.assertEqual(self.fields(), {"1.bmp": {"n": 1}, "a/3.bmp": {"n": 2}, "b/3.bmp": {"n": 4}, "2.bmp": {"n": 5}})
        self.assertEqual((report["metadata_rows"], report["metadata_changed"], report["metadata_rejected"]), (7, 4, 3))
        self.assertEqual(
            [(r["kind"], r["reason"], r["line"], r["image"]) for r in report["rejections"]],
            [
                ("row", "ambiguous_image", 3, "3.bmp"),
                ("row", "duplicate_id", 6, "2.bmp"),
                ("row", "unknown_image", 7, "9.bmp"),
            ],
        )
        self.assertIn("line 5", report["rejections"][1]["message"])
        self.assertEqual(len(self.run_program("samples").json["samples"]), 4)

    def test_another_file_where_the_table_says_is_another_image(self):
        self.run_program("import", "--images", self.images)
        write_bitmap(self.scratch / "other" / "1.bmp", width=3)
        (self.scratch / "other" / "m.csv").write_text("path,n\n1.bmp,1\n")
        for name in ("1.bmp", "../other/1.bmp"):
            (self.scratch / "other" / "m.csv").write_text(f"path,n\n{name},2\n")
            report = self.run_program("import", "--metadata", self.scratch / "other" / "m.csv", status=1).json
            self.assertEqual(report["rejections"][0]["reason"], "unknown_image")
        (self.scratch / "other" / "1.bmp").unlink()
        (self.scratch / "other" / "m.csv").write_text("path,n\n1.bmp,1\n")
        report = self.run_program("import", "--metadata", self.scratch / "other" / "m.csv").json
        self.assertEqual(report["metadata_changed"], 1)

    def test_bad_values_and_rows_are_counted_with_their_place_and_the_rest_is_taken(self):
        self.run_program("import", "--images", self.images)
        report = self.take(
            "m.csv",
            b'\xef\xbb\xbfimage;a;b;\r\n1.bmp;nan;"two\r\nlines";\r\n2.bmp;1e999;\xff;\r\na/3.bmp;1;2\r\nb/3.bmp;1;;x\r\n',
            status=1,
        )
        self.assertEqual(self.fields(), {"1.bmp": {"b": "two\r\nlines"}, "b/3.bmp": {"a": 1}})
        self.assertEqual((report["metadata_rows"], report["metadata_rejected"], report["fields_rejected"]), (4, 2, 2))
        self.assertEqual(
            [(r["kind"], r["reason"], r["line"], r["field"]) for r in report["rejections"]],
            [
                ("field", "not_finite", 2, "column 2 (a)"),
                ("row", "malformed", 4, "column 3 (b)"),
                ("row", "malformed", 5, ""),
                ("field", "unsupported", 6, "column 4"),
            ],
        )
        for rejection in report["rejections"]:
            self.assertIn("m.csv", rejection["file"])
            self.assertTrue(rejection["message"])
        text = self.run_program("import", "--metadata", self.scratch / "m.csv", status=1, as_json=False)
        self.assertIn(b"4 rows of metadata: 0 changed something, 2 said what was known, 2 rejected; 2 values rejected", text.out)
        self.assertIn(b"m.csv:5", text.err)

    def test_what_cannot_be_meant_is_an_error(self):
        self.run_program("import", "--images", self.images)
        for name, content, words, status, says in (
            ("m.json", "{}", (), 2, "--metadata-format"),
            ("m.csv", "path,n\n1.bmp,1\n", ("--metadata-format", "yaml"), 2, "json-lines"),
            ("m.csv", "path,n\n1.bmp,1\n", ("--metadata-key", "uid"), 2, "`path`, `n`"),
            ("m.csv", "path,n\n1.bmp,1\n", ("--split", "val"), 2, "split"),
            ("m.csv", "path,n,n\n1.bmp,1,2\n", (), 4, "both called `n`"),
            ("m.csv", "scene,n\n1.bmp,1\n", (), 4, "--metadata-key"),
            ("m.csv", "", (), 4, "empty"),
            ("m.jsonl", '[{"path":"1.bmp"}]', (), 4, "list"),
        ):
            error = self.take(name, content, *words, status=status)["error"]
            self.assertIn(says, error["message"], content)
        self.error("import", "--metadata", self.scratch / "none.csv", status=3)
        self.error("import", "--metadata-key", "path", status=2)
        self.assertEqual(self.fields(), {})
        error = self.take("m.csv", 'path,n\n1.bmp,1\n2.bmp,"2\n', status=4)["error"]
        self.assertEqual((str(error["context"]["rows taken"]), str(error["context"]["line"])), ("1", "3"))
        self.assertEqual(self.fields(), {"1.bmp": {"n": 1}})

    def test_a_killed_import_is_completed_by_its_repetition(self):
        count = 20000
        images = [{"id": n, "file_name": f"{n}.jpg", "width": 4, "height": 4} for n in range(count)]
        path = write_json(self.scratch / "many.json", {"images": images, "categories": [], "annotations": []})
        self.run_program("import", "--labels", path, "--format", "coco")
        for generation in (1, 2):
            rows = (f"{n}.jpg,{generation},{generation}\n" for n in range(count))
            (self.scratch / "m.csv").write_text("image,one,two\n" + "".join(rows))
            words = ("import", "--metadata", self.scratch / "m.csv")
            if generation == 2:
                for delay in (0.2, 0.4, 0.8):
                    process = self.start_program(*words)
                    try:
                        process.wait(delay)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.wait()
                    pairs = {(fields["one"], fields["two"]) for fields in self.fields().values()}
                    self.assertLessEqual(pairs, {(1, 1), (2, 2)})
            self.run_program(*words)
            self.assertEqual([*self.fields().values()], [{"one": generation, "two": generation}] * count)

    def test_brightness_is_measured_and_asked_for(self):
        refused = self.error("samples", "--where", "brightness<40", status=2)
        self.assertIn("import --brightness", refused["message"])
        write_bitmap(self.images / "dark.bmp", value=7)
        write_bitmap(self.images / "bright.bmp", value=250)
        report = self.run_program("import", "--images", self.images, "--brightness").json
        self.assertEqual((report["added"], report["brightness_images"], report["brightness_failures"]), (6, 6, []))
        self.assertEqual(self.fields()["dark.bmp"], {"brightness": 7})
        self.assertEqual(self.fields()["1.bmp"], {"brightness": 90})
        self.assertEqual(self.names("brightness<40"), ["dark.bmp"])
        self.assertEqual(self.names("-sort:brightness limit:1"), ["bright.bmp"])
        told = self.run_program("import", "--brightness", as_json=False).out.decode()
        self.assertIn("brightness of 6 images measured; 0 cannot be decoded", told)
        # A broken file is a failure by its path, and keeps nothing else from being measured.
        (self.images / "1.bmp").write_bytes((self.images / "1.bmp").read_bytes()[:60])
        write_bitmap(self.images / "2.bmp", value=20)
        report = self.run_program("import", "--brightness", status=1).json
        self.assertEqual([pathlib.Path(one["path"]).name for one in report["brightness_failures"]], ["1.bmp"])
        self.assertEqual(sorted(self.names("brightness<40")), ["2.bmp", "dark.bmp"])

    def test_exif_becomes_fields_and_damage_is_a_note(self):
        write_photograph(self.images / "p.jpg")
        write_photograph(self.images / "q.jpg", model="X100", iso=3200, date="2025:01:01 00:00:00", latitude=(95, 0, 0))
        write_photograph(self.images / "cut.jpg", cut=70)
        report = self.run_program("import", "--images", self.images, "--exif").json
        self.assertEqual((report["files"], report["added"]), (7, 7))
        self.assertEqual([report[k] for k in ("exif_images", "exif_found", "exif_noted", "exif_missing")], [7, 3, 2, 0])
        self.assertEqual((report["exif_failed"], report["exif_failures"]), (0, []))
        self.assertTrue(all(note["path"].endswith(("q.jpg", "cut.jpg")) and note["message"] for note in report["exif_notes"]))
        photograph = self.fields()["p.jpg"]
        self.assertAlmostEqual(photograph.pop("gps.latitude"), -33.86, places=12)
        want = {
            "camera_make": "Canon",
            "camera": "Canon EOS 5D",
            "iso": 400,
            "captured_at": "2024-05-01T22:00:00",
            "exposure_s": 0.004,
        }
        self.assertEqual(photograph, want)
        for view, names in (
            ('field:camera="Canon EOS 5D" field:iso<800', ["p.jpg"]),
            ("field:captured_at>=2024-06-01", ["q.jpg"]),
            ("field:captured_at=2024-05-01 field:gps.latitude<-33 field:gps.latitude>-34", ["p.jpg"]),
        ):
            self.assertEqual([name for name in self.names(view) if name != "cut.jpg"], names, view)

    def test_exif_without_images_is_that_of_every_sample_and_metadata_comes_after_it(self):
        shutil.rmtree(self.images)
        write_photograph(self.images / "p.jpg")
        write_photograph(self.images / "q.jpg")
        self.run_program("import", "--images", self.images)
        self.assertEqual(self.fields(), {})
        (self.images / "q.jpg").unlink()
        report = self.take("m.csv", "path,iso\np.jpg,50\n", "--exif", status=1)
        self.assertEqual((report["exif_images"], report["exif_found"], report["exif_failed"]), (2, 1, 1))
        self.assertEqual(report["exif_failures"][0]["code"], "not_found")
        self.assertEqual((self.fields()["p.jpg"]["iso"], self.fields()["p.jpg"]["camera"]), (50, "Canon EOS 5D"))

    def test_fields_go_out_with_the_formats_that_hold_them_and_come_back(self):
        self.run_program("import", "--images", self.images)
        self.take("m.jsonl", '{"path":"1.bmp","gps":{"lat":1.5},"wet":true,"scene":"12","tags":["x"],"split":"val"}')
        want = {"1.bmp": {"gps.lat": 1.5, "wet": True, "scene": "12"}}
        labels = write_json(
            self.scratch / "l.json",
            {
                "images": [{"id": 1, "file_name": "1.bmp", "width": 8, "height": 8}],
                "categories": [{"id": 1, "name": "cat"}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]}],
            },
        )
        self.run_program("import", "--labels", labels, "--format", "coco")
        self.assertEqual(self.fields(), want)
        for name, output in (("coco", "out.json"), ("csv", "out.csv"), ("fiftyone", "fiftyone"), ("labelme", "labelme")):
            path = self.scratch / output
            losses = self.run_program("export", "--set", "ground_truth", "--format", name, "--output", path).json["losses"]
            project = self.scratch / f"from-{name}"
            self.init(project)
            self.run_program("import", "--images", self.images, project=project)
            self.run_program("import", "--labels", path, "--format", name, project=project)
            got = {field: value for field, value in self.fields(project)["1.bmp"].items() if field != "file_name"}
            if name == "fiftyone":  # whose fields have no dots in their names
                self.assertIn({"what": "fields of images are lost whose name FiftyOne cannot use", "count": 1}, losses)
                got["gps.lat"] = 1.5
            self.assertEqual(got, want["1.bmp"], name)
