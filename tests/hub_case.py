"""What the cases about models from a hub share: a hub with one model, and a machine that has none."""

import json
import os
import random
import subprocess

from harness import PROGRAM, SOURCE, ProgramCase
from hub_server import Hub, Repository

FIXTURES = SOURCE / "tests" / "parity" / "fixtures"

VIT = "org/vit"
COMMIT = "c" * 40
BIG = 3_000_000  # bytes: some seconds for a slow hub, none for a quick one


def vit_files():
    """A small classifier in Hugging Face's layout, as fp32 and fp16."""
    files = {
        name: (FIXTURES / "vit" / name).read_bytes() for name in ("config.json", "preprocessor_config.json", "onnx/model.onnx")
    }
    files["onnx/model_fp16.onnx"] = (FIXTURES / "vit-fp16" / "onnx" / "model.onnx").read_bytes()
    return files | {
        "README.md": b"---\nlicense: mit\n---\n",
        ".gitattributes": b"*.onnx filter=lfs\n",
        "model.safetensors": b"x" * 100,
    }


def vit(**options):
    return Repository(vit_files(), large={"onnx/model.onnx", "onnx/model_fp16.onnx", "model.safetensors"}, **options)


def noise(size=BIG):
    return random.Random(size).randbytes(size)


class HubCase(ProgramCase):
    """A hub with one model, and a machine that has none."""

    def setUp(self):
        super().setUp()
        self.hub = self.open_hub()
        self.hub.repositories[VIT] = vit()
        self.cache = self.scratch / "hf" / "hub"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "HUGGING", "TRANSFORMERS", "SSL_CERT"))
            and not name.lower().endswith(("_proxy", "_ca_bundle"))
        }
        self.environment |= {"HOME": str(self.scratch), "HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.scratch / "hf")}

    def open_hub(self, tls=None):
        hub = Hub(tls)
        self.addCleanup(hub.close)
        return hub

    def models(self, *words, status=0, **environment):
        return self.run_program("models", *words, status=status, env=self.environment | environment).json

    def pull(self, *words, **environment):
        return self.models("pull", *words, **environment)

    def models_as_other(self, *words, status=0):
        """As somebody who may read the scratch folder and write nothing there."""
        folders = [self.scratch, *(path for path in self.scratch.rglob("*") if not path.is_symlink())]
        modes = {path: path.stat().st_mode for path in folders}
        for path, mode in modes.items():
            path.chmod((mode | 0o555) & ~0o222 if path.is_dir() else mode & ~0o222)
        try:
            other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
            done = subprocess.run(
                [PROGRAM, "--json", "models", *words], env=self.environment, capture_output=True, timeout=60, check=False, **other
            )
        finally:
            for path, mode in modes.items():
                path.chmod(mode)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def refused(self, code, *words, **environment):
        """The error of a pull that must fail so; nothing may be left of it that somebody could take for a model."""
        statuses = {"wrong_use": 2, "not_found": 3, "bad_data": 4, "bad_model": 5, "conflict": 7, "io": 9, "interrupted": 130}
        error = self.pull(*words, status=statuses[code], **environment)["error"]
        self.assertEqual(error["code"], code, error)
        self.assertEqual(self.references(), {})
        self.assertEqual([path for path in self.snapshot_files() if path.name.endswith(".onnx")], [])
        return error

    def repository_folder(self, name=VIT):
        return self.cache / ("models--" + name.replace("/", "--"))

    def snapshot(self, name=VIT):
        return self.repository_folder(name) / "snapshots" / COMMIT

    def snapshot_files(self):
        return [path for path in self.cache.glob("models--*/snapshots/**/*") if path.is_file() or path.is_symlink()]

    def references(self):
        found = {}
        for folder in self.cache.glob("models--*/refs"):
            found |= {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
        return found

    def blobs(self, name=VIT):
        return {path.name: path for path in (self.repository_folder(name) / "blobs").glob("*")}

    def assert_cached(self, repository, paths, name=VIT):
        """Each path shows the right bytes through a relative link to a blob of the right name."""
        for path in paths:
            place = self.snapshot(name) / path
            self.assertTrue(place.is_symlink(), path)
            self.assertEqual(os.readlink(place), "../" * (2 + path.count("/")) + "blobs/" + repository.hash_of(path))
            self.assertEqual(place.read_bytes(), repository.files[path], path)

    def add_big(self, content=None, **options):
        """A model whose only graph is large enough to be interrupted."""
        self.big = Repository({"config.json": b"{}", "net.onnx": content or noise()}, large={"net.onnx"}, **options)
        self.hub.repositories["org/big"] = self.big
        return self.big

    def ranges(self, text="/store/"):
        return [asked.headers.get("range") for asked in self.hub.asked if text in asked.path]
