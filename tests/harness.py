"""What the whole-program cases share: a scratch folder, the real binary, and the shared photographs when they are there."""

import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(os.environ["VERILABEL_PROGRAM"])
SOURCE = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = SOURCE / "tests" / "parity" / "fixtures"

# What the program remembers of this machine is neither read nor written by tests.
MEMORY = pathlib.Path(tempfile.mkdtemp(prefix="verilabel-cache-"))
atexit.register(shutil.rmtree, MEMORY, ignore_errors=True)
os.environ["XDG_CACHE_HOME"] = str(MEMORY)


def test_data():
    """The folder of shared photographs and models, or a skip that says how to give it."""
    named = os.environ.get("VERILABEL_TEST_DATA")
    folder = pathlib.Path(named) if named else SOURCE.parent / "shared" / "data"
    if not folder.is_dir():
        raise unittest.SkipTest(f"no test data: set VERILABEL_TEST_DATA (looked in {folder})")
    return folder.resolve()


def bundled_models():
    """The folder of the models that come with the program, or a skip."""
    named = os.environ.get("VERILABEL_MODELS")
    folder = pathlib.Path(named) if named else SOURCE / "models"
    if not all((folder / name).is_dir() for name in ("detector", "embedder", "segmenter")):
        raise unittest.SkipTest(f"no bundled models: detector, embedder and segmenter are not in {folder}")
    return folder.resolve()


class Answer:
    """One finished call: exit status, both streams, and the JSON document when there was one."""

    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def json(self):
        return json.loads(self.out)


class ProgramCase(unittest.TestCase):
    """A test case with a scratch folder and the program."""

    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="verilabel-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.project = self.scratch / "project"

    def command(self, *words, project=None, as_json=True):
        line = [PROGRAM, "--project", project or self.project]
        return [
            str(word) if isinstance(word, int | float) else os.fspath(word)
            for word in [*line, *(["--json"] if as_json else []), *words]
        ]

    def run_program(self, *words, status=0, project=None, as_json=True, cwd=None, env=None):
        """Runs to the end; fails the test when the exit status is another one (None: any)."""
        done = subprocess.run(
            self.command(*words, project=project, as_json=as_json),
            capture_output=True,
            cwd=cwd,
            env=env,
            timeout=300,
            check=False,
        )
        if status is not None:
            self.assertEqual(done.returncode, status, f"{words}: {done.stderr.decode(errors='replace')[-2000:]}")
        return Answer(done)

    def start_program(self, *words, project=None):
        return subprocess.Popen(self.command(*words, project=project), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def init(self, project=None):
        self.run_program("init", project=project)

    def error(self, *words, status, project=None, cwd=None):
        """The error object of a call that must fail with `status`."""
        return self.run_program(*words, status=status, project=project, cwd=cwd).json["error"]

    def exported(self, label_set, *words, project=None):
        """The project's labels of a set as a list that can be compared: image, class, box, score."""
        path = self.scratch / "exported.json"
        self.run_program("export", "--set", label_set, "--format", "coco", "--output", path, *words, project=project)
        document = json.loads(path.read_text())
        names = {image["id"]: image["file_name"] for image in document["images"]}
        classes = {category["id"]: category["name"] for category in document["categories"]}
        return sorted(
            (names[a["image_id"]], classes[a["category_id"]], *a["bbox"], a.get("score", -1.0)) for a in document["annotations"]
        )


def write_json(path, document):
    path.write_text(json.dumps(document))
    return path


class FixtureCase(ProgramCase):
    """A project with the made-up images that the fixtures of models are about."""

    def setUp(self):
        super().setUp()
        self.init()
        self.count = self.run_program("import", "--images", FIXTURES / "images").json["added"]
        self.assertGreaterEqual(self.count, 20)

    def label(self, *words, status=0):
        return self.run_program("label", *words, status=status).json

    def labels(self, view):
        return self.run_program("labels", "--where", view).json["labels"]


def write_bitmap(path, width=8, height=8, value=90):
    """A valid 24-bit BMP of one grey: an image that needs no library to make."""
    row = (3 * width + 3) // 4 * 4
    size = 54 + row * height
    header = b"BM" + size.to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    header += (40).to_bytes(4, "little") + width.to_bytes(4, "little") + height.to_bytes(4, "little")
    header += (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + bytes([value]) * (row * height))
    return path
