"""The report of an evaluation in a real browser: what it shows, what it asks of the network (nothing), what hostile names do to it
(nothing). Needs Playwright and a Chromium, from scripts/bootstrap browser or named by VERILABEL_CHROMIUM; skipped without.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from browser import documents

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    sync_playwright = None

CHROMIUM = os.environ.get("VERILABEL_CHROMIUM") or shutil.which("chromium")
# Containers have neither the namespaces of Chromium's sandbox nor much shared memory; the pages are ours.
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage"]
SECTIONS = ["metrics", "curves", "classes", "confusion", "errors", "scores", "intervals", "scenarios", "comparison", "worst"]
CLASSES = ["car", "person", "traffic light", "dog", "cat", "bird", "boat", "kite", "absent", "never predicted"]


def page_of(document):
    """The report of a document, made by the program's own code."""
    text = json.dumps(document, ensure_ascii=False).encode()
    return subprocess.run([os.environ["VERILABEL_REPORT_PAGE"]], input=text, capture_output=True, check=True, timeout=60).stdout


def counts_of(curve, threshold):
    """What a curve says at a threshold: a plain look at each point."""
    points = [(tp, fp) for t, tp, fp in zip(curve["threshold"], curve["tp"], curve["fp"], strict=True) if t >= threshold]
    tp, fp = points[-1] if points else (0, 0)
    return {"tp": tp, "fp": fp, "fn": curve["truths"] - tp}


def number(value):
    return "–" if value is None else f"{value:.3f}"


def operating_texts(counts):
    numbers = documents.ratios(**counts)
    return [number(numbers[key]) for key in ("precision", "recall", "f1")] + [f"{counts[key]:,}" for key in ("tp", "fp", "fn")]


@unittest.skipIf(sync_playwright is None, "Playwright is not installed: scripts/bootstrap browser")
@unittest.skipIf(CHROMIUM is None, "no chromium on the PATH: scripts/bootstrap browser, or set VERILABEL_CHROMIUM")
class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="verilabel-browser-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.playwright = cls.enterClassContext(sync_playwright())
        cls.browser = cls.playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        cls.addClassCleanup(cls.browser.close)

    def open(self, document, width=1280, sections=None, **options):
        """Opens the report; at the end of the test there must have been no request and no complaint."""
        path = self.scratch / f"{self.id()}-{width}.html"
        path.write_bytes(page_of(document))
        context = self.browser.new_context(viewport={"width": width, "height": 900}, **options)
        self.addCleanup(context.close)
        page = context.new_page()
        page.set_default_timeout(60_000)
        complaints, requests = [], []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        expect(page.locator("main > section")).to_have_count(len(SECTIONS) if sections is None else sections)

        def check():
            self.assertEqual(complaints, [])
            outside = [url for url in requests if url != path.as_uri() and not url.startswith("data:")]
            self.assertEqual(outside, [])

        self.addCleanup(check)  # before the context is closed
        return page

    def settle(self, page):
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def operating(self, page):
        return page.locator("#operating-numbers dd").all_inner_texts()

    def class_row(self, page, name):
        """The cells of one class by the heads of their columns."""
        page.locator("#classes input[type=search]").fill(name)
        heads = page.locator("#classes thead th").all_inner_texts()
        cells = page.locator("#classes tbody tr").first.locator("th, td").all_inner_texts()
        return dict(zip(heads, cells, strict=True))

    def set_threshold(self, page, threshold):
        page.locator("#threshold").evaluate(
            "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }", threshold
        )
        self.settle(page)

    def test_shows_every_part_and_the_numbers_of_the_evaluation(self):
        document = documents.document(CLASSES)
        page = self.open(document)
        self.assertEqual([s.get_attribute("id") for s in page.locator("main > section").all()], SECTIONS)
        self.assertEqual(page.title(), "auto against ground_truth")
        self.assertEqual(page.locator(".empty").count(), 0, page.locator(".empty").all_inner_texts())
        totals = {key: sum(n[key] for n in document["per_class"].values()) for key in ("tp", "fp", "fn")}
        self.assertEqual(self.operating(page), operating_texts(totals))
        head = page.locator("#head").inner_text()
        for text in (
            "tag:night width>=640",
            "128 samples compared",
            "3 of them (2.3 %) verified by a person",
            "new kind of count: 7",
            f"{document['coverage']['truths_counted']:,} of them count; crowds, difficult and ignored ones do not",
        ):
            self.assertIn(text, head)
        undefined = page.locator("#metrics .rest div", has_text="mAP small").locator(".undefined")
        self.assertEqual((undefined.inner_text(), undefined.get_attribute("title")), ("–", "undefined"))
        row = self.class_row(page, "never predicted")
        self.assertEqual((row["Precision"], row["Best threshold"], row["TP"]), ("–", "–", "0"))
        page.locator("#classes input[type=search]").fill("absent")
        self.assertEqual(page.locator("#classes tbody th", has_text="absent").count(), 0)
        self.assertIn("1 class has neither truths nor predictions and no row", page.locator("#classes .note").first.inner_text())

    def test_average_precision_at_one_iou_is_called_as_the_document_calls_it(self):
        document = documents.document(CLASSES)
        for key, protocol, name in (("AP_50", "coco", "AP 50"), ("coco_AP_50", "voc2010", "coco AP 50")):
            made = json.loads(json.dumps(document).replace('"AP_50"', f'"{key}"'))
            made["evaluation"]["protocol"] = protocol
            page = self.open(made)
            self.assertIn(f"What {name} (now 0.520), which counts", page.locator("#errors .note").inner_text())
            self.assertEqual("by COCO's rules" in page.locator("#errors .note").inner_text(), protocol != "coco")
            row = page.locator("#comparison table").nth(1).locator("tbody tr").first.inner_text()
            self.assertEqual(len(re.findall(r"[+−±]\d\.\d{3} to [+−±]\d\.\d{3}", row)), 2, row)
            for section in ("intervals", "scenarios"):
                self.assertIn(name, page.locator(f"#{section} thead").first.inner_text().splitlines()[0].split("\t"))

    def test_classes_of_whole_images_have_every_part_but_kinds_of_error(self):
        page = self.open(documents.document_of_images(CLASSES), sections=len(SECTIONS) - 1)
        self.assertEqual([s.get_attribute("id") for s in page.locator("main > section").all()],
                         [name for name in SECTIONS if name != "errors"])  # fmt: skip
        self.assertEqual(page.locator(".empty").count(), 0, page.locator(".empty").all_inner_texts())
        for section in ("intervals", "scenarios"):
            heads = page.locator(f"#{section} thead").first.inner_text().splitlines()[0].split("\t")
            self.assertEqual(heads[-5:], ["Accuracy", "average precision", "Precision", "Recall", "F1"])
            cell = page.locator(f"#{section} tbody tr").first.locator(".whisker-cell").first
            self.assertEqual(cell.get_attribute("data-tip"), "0.625, interval 0.500 to 0.750")
        tables = page.locator("#comparison table")
        self.assertIn("Accuracy", tables.first.inner_text())
        heads = tables.nth(1).locator("thead").inner_text().splitlines()[0].split("\t")
        self.assertEqual(heads, ["Class", "average precision, this", "average precision, other", "average precision, difference",
                                 "F1, this", "F1, other", "F1, difference"])  # fmt: skip
        self.assertNotIn("IoU", page.locator("#comparison .note").first.inner_text())

    def test_the_threshold_moves_all_numbers_to_those_of_the_curves(self):
        document = documents.document(CLASSES)
        curves = document["curves"]
        page = self.open(document)
        for threshold in (0.05, 0.5, 0.75, 1.0):
            self.set_threshold(page, threshold)
            self.assertEqual(self.operating(page), operating_texts(counts_of(curves["overall"], threshold)), threshold)
            for name in ("car", "person", "never predicted"):
                row = self.class_row(page, name)
                shown = [row[head] for head in ("Precision", "Recall", "F1", "TP", "FP", "FN")]
                self.assertEqual(shown, operating_texts(counts_of(curves["per_class"][name], threshold)), (name, threshold))
        page.get_by_role("button", name="as evaluated").click()
        self.settle(page)
        totals = {key: sum(n[key] for n in document["per_class"].values()) for key in ("tp", "fp", "fn")}
        self.assertEqual(self.operating(page), operating_texts(totals))
        page.get_by_role("button", name="best F1", exact=True).click()
        self.settle(page)
        overall = [documents.ratios(**counts_of(curves["overall"], t))["f1"] for t in curves["overall"]["threshold"]]
        self.assertEqual(self.operating(page)[2], number(max(document["metrics"]["f1"], *overall)))

    def test_tables_sort_with_undefined_last_and_can_be_searched(self):
        document = documents.document(CLASSES)
        page = self.open(document)
        column = page.locator("#classes thead button", has_text="Precision")
        values = [document["per_class"][name]["precision"] for name in documents.shown_classes(document)]
        defined = sorted(v for v in values if v is not None)
        tail = ["–"] * (len(values) - len(defined))
        head = page.locator("#classes thead th").all_inner_texts().index("Precision") + 1
        for order, expected in (("descending", defined[::-1]), ("ascending", defined)):
            column.click()
            self.assertEqual(page.locator(f"#classes thead th:nth-child({head})").get_attribute("aria-sort"), order)
            shown = page.locator(f"#classes tbody tr > :nth-child({head})").all_inner_texts()
            self.assertEqual(shown, [number(v) for v in expected] + tail)
        page.locator("#classes input[type=search]").fill("CA")
        names = page.locator("#classes tbody th").all_inner_texts()
        self.assertEqual(sorted(names), ["car", "cat"])

    def test_the_confusion_matrix_is_read_by_keys_and_keeps_every_count(self):
        document = documents.document([f"class {i}" for i in range(45)])
        page = self.open(document)
        size = page.locator("#confusion select").first
        choices = size.locator("option").all_inner_texts()
        self.assertEqual(choices, ["10 of 45 with most errors", "20 of 45 with most errors", "40 of 45 with most errors", "all 45"])
        cells = document["confusion"]["cells"]
        for choice, lines in (("10", 12), ("45", 46)):
            size.select_option(choice)
            counts = [int(text.split("\n")[1].split(" ")[0].replace(",", "")) for text in self.cells_by_keys(page, lines)]
            self.assertEqual(sum(counts), sum(count for _, _, count in cells))
            diagonal = sum(count for truth, predicted, count in cells if truth == predicted)
            shown = sum(counts[i * lines + i] for i in range(lines))
            self.assertGreaterEqual(shown, diagonal) if lines == 12 else self.assertEqual(shown, diagonal)

    def cells_by_keys(self, page, lines):
        """What is said of each cell, moving over all of them with the arrow keys from the first."""
        page.locator(".heat").focus()
        return page.locator(".heat").evaluate(
            """(heat, lines) => {
              const press = key => heat.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
              const texts = [];
              for (let row = 0; row < lines; ++row) {
                press(row === 0 ? "ArrowUp" : "ArrowDown");
                texts.push(document.getElementById("tip").textContent);
                for (let column = 1; column < lines; ++column) {
                  press("ArrowRight");
                  texts.push(document.getElementById("tip").textContent);
                }
                for (let column = 0; column < lines; ++column) press("ArrowLeft");
              }
              return texts;
            }""",
            lines,
        )

    def test_boxes_say_what_they_are_and_can_be_hidden(self):
        document = documents.document(CLASSES)
        kinds = [("prediction", "tp"), ("truth", "tp"), ("prediction", "fp"), ("truth", "fn"), ("truth", "ignored")]
        document["worst"][0]["labels"] = [
            {
                "role": role,
                "class": "car",
                "box": [9 * i, 9, 80, 50],
                "score": 0.25,
                "outcome": outcome,
                "error": "missed",
                "iou": 0.5,
            }
            for i, (role, outcome) in enumerate(kinds)
        ]
        document["worst"] = document["worst"][:1]
        page = self.open(document)
        images = page.locator(".images")
        shown = {kind: images.locator(f".box.{kind}:visible").count() for kind in ("tp", "truth", "fp", "fn", "ignored")}
        self.assertEqual(shown, {"tp": 1, "truth": 0, "fp": 1, "fn": 1, "ignored": 1})
        page.get_by_label("truths that were found").check()
        page.get_by_label("false positives", exact=True).uncheck()
        self.assertEqual(images.locator(".box.truth:visible").count(), 1)
        self.assertEqual(images.locator(".box.fp:visible").count(), 0)
        page.locator(".shot").first.press("Enter")
        viewer = page.locator("#viewer")
        self.assertEqual(viewer.locator("tbody tr").count(), len(kinds))
        viewer.locator(".box.fn").focus()
        self.assertEqual(page.locator("#tip").text_content(), "car – missed truth\nscore 0.250\nIoU 0.500\nerror: missed")
        self.assertTrue(page.locator("#tip").is_visible())
        page.keyboard.press("Escape")
        self.assertFalse(viewer.is_visible())

    def test_says_in_words_what_is_empty(self):
        page = self.open(documents.empty_document())
        for section in SECTIONS[1:]:
            self.assertGreater(len(page.locator(f"#{section} .empty").first.inner_text()), 10, section)
        self.assertIn("No sample was compared", page.locator("#head").inner_text())
        self.assertEqual(page.locator("#metrics dd").all_inner_texts(), ["–"] * 6)
        page = self.open(documents.without_predictions(), width=1000)
        self.assertIn("No predictions", page.locator("#curves").inner_text())
        self.assertEqual(self.class_row(page, "car")["FN"], "5")

    def test_a_part_that_is_missing_is_empty(self):
        sections = self.open({}, sections=len(SECTIONS) - 1).locator("main > section")
        for section in sections.all():
            self.assertGreater(section.locator(".empty").count(), 0, section.get_attribute("id"))

    def test_hostile_names_are_names(self):
        document = documents.hostile_document()
        page = self.open(document)
        self.assertIsNone(page.evaluate("window.hacked ?? null"))
        self.assertEqual(page.locator("h1 bdi").all_inner_texts(), documents.HOSTILE_NAMES[:2])
        self.assertEqual(page.evaluate("document.scripts.length"), 2)
        self.assertEqual(page.locator("img").count(), len(documents.HOSTILE_NAMES) - 1, "pictures come from data only")
        shown = page.locator("#classes tbody th .name").evaluate_all("names => names.map(name => name.textContent)")
        self.assertEqual(sorted(shown), sorted(name or "(no name)" for name in documents.shown_classes(document)))
        self.assertNotEqual(self.class_row(page, "__proto__")["Truths"], "–")
        page.locator("#curve-class").select_option(label="__proto__")
        self.settle(page)
        self.assertEqual(page.locator("#curves .plot").count(), 2)

    def test_serves_as_many_classes_as_lvis_has(self):
        document = documents.document([f"class number {i}" for i in range(1203)])
        with_row = documents.shown_classes(document)
        page = self.open(document)
        self.assertEqual(page.locator("#classes tbody tr").count(), 25)
        self.set_threshold(page, 0.6)
        page.locator("#confusion select").first.select_option("80")
        self.assertLess(page.evaluate("document.querySelectorAll('.heat rect').length"), 82 * 82 + 3)
        classes = page.locator("#classes")
        classes.get_by_role("button", name="Show 100 at a time").click()
        names = []
        for first in range(0, len(with_row), 100):
            last = min(len(with_row), first + 100)
            self.assertIn(f"{first + 1:,} to {last:,} of {len(with_row):,} classes", classes.locator(".more").inner_text())
            names += classes.locator("tbody th").all_inner_texts()
            if last < len(with_row):
                classes.get_by_role("button", name="Next").click()
        self.assertEqual(sorted(names), sorted(with_row))
        self.assertTrue(classes.get_by_role("button", name="Next").is_disabled())

    def test_never_scrolls_sideways(self):
        for document in (documents.document(CLASSES), documents.hostile_document(), documents.empty_document()):
            for width in (360, 800, 1920):
                page = self.open(document, width=width, color_scheme="dark")
                self.settle(page)
                self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), width)

    def test_can_be_printed(self):
        page = self.open(documents.document(CLASSES))
        page.emulate_media(media="print")
        self.assertFalse(page.locator("nav").is_visible())
        self.assertTrue(page.pdf(format="A4").startswith(b"%PDF"))


if __name__ == "__main__":
    unittest.main()
