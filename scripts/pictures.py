#!/usr/bin/env python3
"""Makes the pictures of docs/pictures from the real program: runs `verilabel quickstart` and shows its report to a Chromium.

    report.png      the head of the report
    labelled.jpg    images on which the bundled detector was mostly right
    worst.jpg       those on which it was not, as the report shows them

Called by `make pictures`, which builds first and gets Playwright and Chromium.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "release" / "verilabel"
CHROMIUM = os.environ.get("VERILABEL_CHROMIUM") or shutil.which("chromium")
MAX_BYTES = 300_000
WIDTH = 1280
HEAD_HEIGHT = 1228  # numbers and curves
ROWS = 3
# What is mostly right and has something to see; by the evaluation that the quickstart kept last.
GOOD = "eval:pictures tp>=5 f1>=0.85"


def run(folder, *words):
    subprocess.run([PROGRAM, "--project", folder, *words], check=True, stdout=subprocess.DEVNULL)


def report_of_good_images(folder):
    """A report on images of the whole world that the detector understood, by truth of all of them."""
    run(folder, "import", "--labels", folder / "world" / "asked.json", "--format", "coco", "--set", "all_truth")
    sets = ("--predictions", "auto", "--truth", "all_truth")
    run(folder, "evaluate", *sets, "--name", "pictures")
    report = folder / "pictures.html"
    run(folder, "evaluate", *sets, "--where", GOOD, "--name", "pictures_good", "--report", report)
    return report


def save(page, path, clip):
    """As small as it must be: a PNG as it is, a JPEG at the best quality that fits."""
    for quality in (None,) if path.suffix == ".png" else range(88, 40, -8):
        kind = {"type": "png"} if quality is None else {"type": "jpeg", "quality": quality}
        page.screenshot(path=path, clip=clip, full_page=True, **kind)
        if path.stat().st_size <= MAX_BYTES:
            print(f"{path}: {path.stat().st_size:,} bytes")
            return
    sys.exit(f"{path} has {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are wanted")


def open_page(browser, report):
    page = browser.new_page(viewport={"width": WIDTH, "height": 900})
    page.goto(report.as_uri())
    # What stays in sight while a person scrolls would lie over the picture.
    page.locator(".operating").evaluate("bar => { bar.style.position = 'static'; }")
    return page


def grid_clip(page):
    """The first rows of the images of a report."""
    figures = [figure.bounding_box() for figure in page.locator("#worst figure").all()]
    if not figures:
        sys.exit("the report shows no images: the detector was right, or wrong, everywhere")
    tops = sorted({round(box["y"]) for box in figures})[:ROWS]
    shown = [box for box in figures if round(box["y"]) <= tops[-1]]
    top, bottom = tops[0], max(box["y"] + box["height"] for box in shown)
    left, right = min(box["x"] for box in shown), max(box["x"] + box["width"] for box in shown)
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("no chromium on the PATH: scripts/bootstrap browser, or set VERILABEL_CHROMIUM")
    with tempfile.TemporaryDirectory(prefix="verilabel-pictures-") as scratch:
        folder = pathlib.Path(scratch) / "quickstart"
        subprocess.run([PROGRAM, "quickstart", folder], check=True)
        options.output.mkdir(parents=True, exist_ok=True)
        good = report_of_good_images(folder)
        with sync_playwright() as playwright:
            # As in tests/browser: containers lack what the sandbox needs, and the pages are ours.
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
            page = open_page(browser, folder / "report.html")
            save(page, options.output / "report.png", {"x": 0, "y": 0, "width": WIDTH, "height": HEAD_HEIGHT})
            save(page, options.output / "worst.jpg", grid_clip(page))
            page = open_page(browser, good)
            save(page, options.output / "labelled.jpg", grid_clip(page))
            browser.close()


if __name__ == "__main__":
    main()
