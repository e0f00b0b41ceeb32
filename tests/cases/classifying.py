"""Classifiers: runs that label whole images, their views and decisions, and how they are evaluated."""

import csv
import json

from harness import ProgramCase, test_data, write_bitmap, write_json

MOBILENET = "mobilenet_v2_int8.onnx"


class Classifying(ProgramCase):
    def setUp(self):
        super().setUp()
        self.data = test_data()
        self.init()
        models = self.data / "models"
        self.manifest = write_json(
            self.scratch / "mobilenet.json",
            {
                "task": "classification",
                "class_names_file": str(models / "imagenet_names.txt"),
                "resize": {"shortest_edge": 256},
                "crop": [224, 224],
                "scale": 1 / 255,
                "mean": [0.485, 0.456, 0.406],
                "std": [0.229, 0.224, 0.225],
            },
        )
        self.run_program("import", "--images", self.data / "hymenoptera-val" / "bees")
        self.samples = len(list((self.data / "hymenoptera-val" / "bees").glob("*.jpg")))

    def label(self, label_set, *words):
        model = ("--model", self.data / "models" / MOBILENET, "--manifest", self.manifest)
        return self.run_program("label", *model, "--set", label_set, *words).json

    def test_whole_images_are_labelled_and_evaluated(self):
        run = self.label("auto", "--floor", "0")
        self.assertEqual((run["samples"], run["done"], run["failed"]), (self.samples, self.samples, 0))
        self.assertEqual(run["labels"], 5 * self.samples)
        self.assertEqual(self.label("best", "--floor", "0", "--max-detections", "1")["labels"], self.samples)
        self.assertLess(self.label("sure", "--floor", "0.5")["labels"], self.samples)

        answer = self.evaluate("auto", "best")
        self.assertEqual(answer["metrics"], {"accuracy": 1.0} | {f"top_{k}": 1.0 for k in range(1, 6)})
        bee = answer["per_class"]["n02206856_bee.JPEG"]
        self.assertEqual((bee["precision"], bee["recall"], bee["f1"], bee["fp"]), (1.0, 1.0, 1.0, 0))
        self.assertGreater(bee["truths"], self.samples / 3)

        # Where the model is not sure it says nothing, which counts as wrong; what it says is right.
        answer = self.evaluate("sure", "best")
        self.assertEqual(answer["coverage"]["samples"], self.samples)
        right = self.samples - answer["coverage"]["without_prediction"]
        self.assertLess(right, self.samples)
        self.assertAlmostEqual(answer["metrics"]["accuracy"], right / self.samples)

    def evaluate(self, predictions, truth):
        words = ("--predictions", predictions, "--truth", truth, "--protocol", "classification")
        return self.run_program("evaluate", *words).json

    def test_a_class_is_chosen_and_a_second_run_replaces_the_first(self):
        for _ in range(2):
            run = self.label("auto", "--floor", "0", "--classes", "n02206856_bee.JPEG")
            self.assertEqual(run["labels"], self.samples)
        self.assertEqual(self.run_program("labels", "--where", "set:auto kind:classification").json["count"], self.samples)

    def test_what_does_not_fit_is_refused(self):
        error = self.error("label", "--model", self.data / "models" / MOBILENET, status=5)
        self.assertIn("fits none of the families", error["message"])
        self.label("auto")
        words = ("--predictions", "auto", "--truth", "auto2", "--protocol", "classification")
        self.error("evaluate", *words, status=2)
        self.label("auto2")
        self.error("evaluate", *words, "--iou-type", "mask", status=2)
        files = ("--predictions", "a.json", "--truth", "b.json", "--protocol", "classification")
        self.error("evaluate", *files, status=2)
        self.error("threshold", *files, status=2)

    def test_models_info_says_how_images_are_prepared(self):
        words = ("models", "info", self.data / "models" / MOBILENET, "--manifest", self.manifest)
        info = self.run_program(*words).json
        self.assertEqual(info["family"], "classifier")
        self.assertIn("shorter side to 256 (Pillow's bilinear), centre of 224 x 224", info["preprocessing"])
        self.assertEqual(len(info["classes"]), 1000)
        self.assertEqual(info["max_detections"], 5)
        self.assertEqual(json.loads(self.manifest.read_text())["crop"], [224, 224])


class Compared(ProgramCase):
    """Classes of images from tables: every figure is known by hand."""

    def setUp(self):
        super().setUp()
        for number in range(1, 5):
            write_bitmap(self.scratch / "images" / f"{number}.bmp")
        self.init()
        self.add_set("ground_truth", "image,class\n1.bmp,cat\n2.bmp,cat\n2.bmp,dog\n3.bmp,dog\n4.bmp,\n")
        self.add_set(
            "auto",
            "image,class,confidence\n1.bmp,cat,0.9\n1.bmp,dog,0.2\n2.bmp,dog,0.8\n2.bmp,cat,0.4\n3.bmp,cat,0.7\n4.bmp,cat,0.6\n",
        )

    def add_set(self, name, table):
        labels = self.scratch / f"{name}.csv"
        labels.write_text(table)
        self.run_program("import", "--images", self.scratch / "images", "--labels", labels, "--format", "csv", "--set", name)

    def evaluate(self, protocol, *words):
        words = ("--predictions", "auto", "--truth", "ground_truth", "--protocol", protocol, *words)
        return self.run_program("evaluate", *words).json

    def test_any_number_of_classes_an_image(self):
        # By falling score: cat .9 right, dog .8 right, cat .7 and .6 wrong, cat .4 right, dog .2 wrong; four truths. F1 is best at
        # .8 and at .4: of equals the higher.
        answer = self.evaluate("multi_label")
        self.assertEqual((answer["evaluation"]["threshold"], answer["averages"]["micro"]["f1"]), (0.8, 2 / 3))
        self.assertEqual((answer["per_class"]["cat"]["best_threshold"], answer["per_class"]["dog"]["best_threshold"]), (0.9, 0.8))
        answer = self.evaluate("multi_label", "--threshold", "0.5")
        # At 0.5: cat on 1, 3, 4, dog on 2. Right are cat on 1 and dog on 2.
        self.assertEqual(answer["coverage"]["samples"], 4)
        cat, dog = answer["per_class"]["cat"], answer["per_class"]["dog"]
        self.assertEqual([cat[key] for key in ("tp", "fp", "fn")], [1, 2, 1])
        self.assertEqual([dog[key] for key in ("tp", "fp", "fn")], [1, 0, 1])
        self.assertEqual(answer["averages"]["micro"]["precision"], 0.5)
        self.assertAlmostEqual(answer["averages"]["macro"]["precision"], (1 / 3 + 1) / 2)
        self.assertEqual(answer["exact_match"], 0.25)
        # cat: 0.9 right, 0.7 and 0.6 wrong, 0.4 right: of the four pairs of a right and a wrong one, two are in order
        self.assertEqual(cat["roc_auc"], 0.5)
        self.assertAlmostEqual(cat["average_precision"], (1 + 2 / 4) / 2)
        answer = self.evaluate("multi_label", "--threshold", "0.3")
        self.assertEqual([answer["per_class"]["cat"][key] for key in ("tp", "fp", "fn")], [2, 2, 0])
        labels = self.run_program("labels", "--where", "set:auto outcome:fp").json["labels"]
        self.assertEqual([(row["name"], row["class"]) for row in labels], [("3.bmp", "cat"), ("4.bmp", "cat")])

    def test_a_class_that_is_known_to_be_absent_is_no_truth(self):
        table = self.scratch / "train-annotations-human-imagelabels.csv"
        table.write_text("ImageID,LabelName,Confidence\n1,cat,1\n1,dog,0\n2,dog,1\n2,cat,1\n3,cat,0\n")
        self.run_program("import", "--labels", table, "--format", "open_images", "--set", "verified")
        sets = ("evaluate", "--predictions", "auto", "--truth", "verified", "--protocol")
        # By every class at .5: cat of 1 and dog of 2 are right, cat of 3 is wrong and cat of 2 is missed.
        answer = self.run_program(*sets, "multi_label", "--threshold", "0.5").json
        self.assertEqual((answer["coverage"]["truths"], answer["coverage"]["labels_of_absence"]), (3, 2))
        self.assertEqual([answer["per_class"]["cat"][key] for key in ("tp", "fp", "fn")], [1, 1, 1])
        self.assertEqual([answer["per_class"]["dog"][key] for key in ("tp", "fp", "fn")], [1, 0, 0])
        answer = self.run_program(*sets, "classification").json
        self.assertEqual((answer["coverage"]["samples"], answer["coverage"]["without_class_in_truth"]), (2, 1))
        self.assertEqual(answer["exact_match"], 0.5)
        told = self.run_program(*sets, "multi_label", as_json=False).out.decode()
        self.assertIn("2 labels say that their class is absent and are left out", told)

    def test_details_and_a_report_of_them(self):
        answer = self.evaluate("classification", "--details")
        # 1 is a cat and called so; 2 is called dog, which it is too; 3 is a dog and called cat.
        self.assertEqual(answer["evaluation"]["threshold"], None)
        self.assertEqual(answer["confusion"]["classes"], ["cat", "dog"])
        self.assertEqual(answer["confusion"]["cells"], [[0, 0, 1], [1, 0, 1], [1, 1, 1]])
        self.assertEqual(answer["curves"]["overall"], {"truths": 3, "threshold": [0.9, 0.8, 0.7], "tp": [1, 2, 2], "fp": [0, 0, 1]})
        self.assertEqual([image["name"] for image in answer["worst"]], ["3.bmp"])
        labels = answer["worst"][0]["labels"]
        self.assertEqual([(row["role"], row["class"], row["box"], row["outcome"]) for row in labels],
                         [("truth", "dog", None, "fn"), ("prediction", "cat", None, "fp")])  # fmt: skip
        report = self.scratch / "report.html"
        answer = self.evaluate("multi_label", "--threshold", "0.5", "--report", report)
        self.assertEqual(answer["evaluation"]["threshold"], 0.5)
        # At 0.5 cat is wrongly taken on 3 and 4, and cat of 2 and dog of 3 are missed.
        self.assertEqual(answer["confusion"]["cells"], [[0, 0, 1], [0, 2, 1], [1, 1, 1], [1, 2, 1], [2, 0, 2]])
        page = report.read_text()
        self.assertEqual(page.count("data:image/jpeg;base64,"), len(answer["worst"]))
        document = self.scratch / "report.json"
        self.evaluate("classification", "--report", document)
        self.assertEqual(json.loads(document.read_text())["evaluation"]["protocol"], "classification")
        words = ("evaluate", "--predictions", "auto", "--truth", "ground_truth", "--protocol", "classification", "--details")
        told = self.run_program(*words, as_json=False).out.decode()
        for piece in ("taken for", "expected calibration error", "3.bmp"):
            self.assertIn(piece, told)

    def test_one_class_an_image(self):
        answer = self.evaluate("classification")
        # The fourth image has no class and is left out; of the others two are called rightly.
        self.assertEqual((answer["coverage"]["samples"], answer["coverage"]["without_class_in_truth"]), (3, 1))
        self.assertAlmostEqual(answer["metrics"]["accuracy"], 2 / 3)
        self.assertEqual(self.run_program("samples", "--where", "fn>=1").json["samples"][0]["name"], "3.bmp")
        words = ("evaluate", "--predictions", "auto", "--truth", "ground_truth", "--protocol")
        told = self.run_program(*words, "multi_label", as_json=False).out.decode()
        for piece in ("ROC AUC", "macro", "exact match", "at threshold 0.8000"):
            self.assertIn(piece, told)

    def test_below_the_threshold_an_image_gets_no_class(self):
        # Of the best classes .9 and .8 are right, .7 is wrong; three truths count.
        answer = self.evaluate("classification", "--threshold", "0.75")
        self.assertEqual(answer["averages"]["micro"]["precision"], 1.0)
        self.assertAlmostEqual(answer["averages"]["micro"]["recall"], 2 / 3)
        self.assertAlmostEqual(answer["metrics"]["accuracy"], 2 / 3)
        self.assertEqual(answer["coverage"]["without_prediction"], 1)
        labels = self.run_program("labels", "--where", "set:auto outcome:fp").json["labels"]
        self.assertEqual(labels, [])
        kept = self.run_program("evaluations", "show", "latest").json["result"]
        self.assertEqual((kept["threshold"], kept["precision"]), (0.75, 1.0))

    def test_thresholds_are_recommended_and_read_again(self):
        words = ("threshold", "--predictions", "auto", "--truth", "ground_truth", "--protocol")
        output = self.scratch / "thresholds.json"
        answer = self.run_program(*words, "classification", "--precision", "0.9", "--output", output).json
        self.assertEqual((answer["threshold"], answer["precision"]), (0.8, 1.0))
        self.assertEqual(json.loads(output.read_text()), answer)
        self.assertEqual(answer["shared"]["threshold"], 0.8)
        answer = self.run_program(*words, "multi_label").json
        self.assertEqual((answer["threshold"], answer["f1"]), (0.8, 2 / 3))
        done = self.run_program(*words, "multi_label", "--per-class", as_json=False)
        for piece in ("4 samples evaluated", "for f1: threshold 0.8000", "\ncat"):
            self.assertIn(piece, done.out.decode())
        self.assertIn("2 classes have fewer than 30 truths", done.err.decode())
        done = self.run_program(*words, "classification", as_json=False)
        self.assertIn("2 predictions are not the best of their image", done.err.decode())
        # The file lets through what reaches it: .9 and .8.
        table = self.scratch / "exported.csv"
        self.run_program("export", "--set", "auto", "--format", "csv", "--output", table, "--thresholds", output)
        with table.open(newline="") as file:
            self.assertEqual([row["label"] for row in csv.DictReader(file) if row["label"]], ["cat", "dog"])

    def test_what_is_counted_once_is_told(self):
        # A truth that is there twice, an image of two classes that is called by one of them, a class that is proposed twice.
        self.add_set("twice", "image,class\n1.bmp,cat\n1.bmp,cat\n2.bmp,cat\n2.bmp,dog\n")
        self.add_set("again", "image,class,confidence\n1.bmp,cat,0.2\n1.bmp,cat,0.9\n2.bmp,dog,0.8\n")
        words = ("evaluate", "--predictions", "again", "--truth", "twice", "--protocol")
        for protocol, counted in (("classification", 2), ("multi_label", 3)):
            coverage = self.run_program(*words, protocol).json["coverage"]
            self.assertEqual([coverage[key] for key in ("truths", "truths_counted", "truths_repeated", "predictions_repeated")],
                             [4, counted, 1, 1])  # fmt: skip
            told = self.run_program(*words, protocol, as_json=False).out.decode()
            for piece in (f"4 truths ({counted} of them count", "1 truth repeats another of its image"):
                self.assertIn(piece, told)

    def test_thresholds_say_nothing_of_another_threshold(self):
        # At the best F1, .8, cats go without a call; the threshold that is recommended here is another one.
        self.add_set("partial", "image,class,confidence\n1.bmp,cat,0.9\n2.bmp,dog,0.8\n3.bmp,dog,0.1\n")
        sets = ("--predictions", "partial", "--truth", "ground_truth", "--protocol", "multi_label")
        told = self.run_program("threshold", *sets, "--recall", "0.7", as_json=False).out.decode()
        self.assertIn("threshold 0.1000", told)
        self.assertIn("1 sample is not labelled in the predictions and counts as empty", told)
        self.assertNotIn("not called anything", told)
        self.assertIn("not called anything", self.run_program("evaluate", *sets, as_json=False).out.decode())

    def test_what_only_boxes_have_is_refused(self):
        for command in ("evaluate", "threshold"):
            for protocol in ("classification", "multi_label"):
                for name, value in (("--iou", "0.5"), ("--iou-type", "box"), ("--iou-type", "mask"), ("--hierarchy", "h.json")):
                    words = ("--predictions", "auto", "--truth", "ground_truth", "--protocol", protocol, name, value)
                    error = self.error(command, *words, status=2)
                    self.assertEqual(error["code"], "wrong_use")
                    self.assertIn(f"{name} is for", error["message"])
        words = ("--predictions", "auto", "--truth", "ground_truth", "--resamples", "50")
        self.assertIn("--resamples is for", self.error("evaluate", *words, status=2)["message"])

    def test_parts_and_comparisons(self):
        self.add_set("before", "image,class,confidence\n1.bmp,dog,0.9\n2.bmp,dog,0.8\n3.bmp,dog,0.7\n")
        words = ("--scenario", "first=path:1.bmp", "--compare", "before", "--intervals", "--resamples", "50")
        answer = self.evaluate("classification", *words)
        # auto calls 1 and 2 rightly, before 2 and 3.
        accuracy = answer["comparison"]["metrics"]["accuracy"]
        self.assertAlmostEqual(accuracy["this"], 2 / 3)
        self.assertEqual(accuracy["difference"], 0)
        self.assertLess(accuracy["interval"][0], 0)
        self.assertEqual(answer["scenarios"][0]["metrics"]["accuracy"], 1)
        self.assertEqual(answer["scenarios"][0]["intervals"]["accuracy"], None)
        sets = ("--predictions", "auto", "--truth", "ground_truth", "--protocol", "classification")
        told = self.run_program("evaluate", *sets, *words, as_json=False).out.decode()
        for piece in ("other average precision", "first", "95 % intervals", "accuracy 0.6667 ("):
            self.assertIn(piece, told)
