"""The model cache, shared with huggingface_hub itself: all skipped where the package is not installed.

VERILABEL_READERS_PYTHON names a Python that has it (tests/readers/requirements.txt), by default the one that runs this.
"""

import json
import os
import subprocess
import sys
import time
import unittest

from harness import PROGRAM
from hub_case import COMMIT, VIT, HubCase, vit

READERS_PYTHON = os.environ.get("VERILABEL_READERS_PYTHON") or sys.executable

WANTED = ("README.md", "config.json", "onnx/model.onnx", "preprocessor_config.json")


class SharedCache(HubCase):
    """Both programs over one cache."""

    @classmethod
    def setUpClass(cls):
        found = [READERS_PYTHON, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('huggingface_hub') is None)"]
        if subprocess.run(found, check=False).returncode != 0:
            raise unittest.SkipTest(f"no huggingface_hub in {READERS_PYTHON}: see tests/readers/requirements.txt")

    def python(self, program, **environment):
        environment = self.environment | {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"} | environment
        words = [
            READERS_PYTHON,
            "-c",
            "import json, sys\nfrom huggingface_hub import *\nfrom huggingface_hub.file_download import *\n" + program,
        ]
        done = subprocess.run(words, env=environment, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode()[-3000:])
        return json.loads(done.stdout.decode().splitlines()[-1])

    def test_it_reads_what_was_pulled_without_the_network(self):
        self.hub.repositories[VIT] = vit(revisions=("main", "v1.0"))
        self.pull(VIT)
        (self.repository_folder() / "refs" / "main.a1B2c3").touch()  # as a pull that was killed left it
        self.pull(f"{VIT}@v1.0", "--dtype", "fp16")
        paths = [*WANTED, "onnx/model_fp16.onnx"]
        program = f"""
paths = {paths!r}
files = [hf_hub_download({VIT!r}, path) for path in paths] + [hf_hub_download({VIT!r}, paths[0], revision="v1.0")]
absent = try_to_load_from_cache({VIT!r}, "tokenizer.json")
found = scan_cache_dir()
print(json.dumps({{
    "files": files,
    "snapshot": snapshot_download({VIT!r}),
    "is_known_absent": absent is _CACHED_NO_EXIST,
    "warnings": [str(warning) for warning in found.warnings],
    "repositories": [(repo.repo_id, repo.nb_files, sorted(repo.refs)) for repo in found.repos],
}}))
"""
        seen = self.python(program, HF_HUB_OFFLINE="1")
        expected = [str(self.snapshot() / path) for path in [*paths, paths[0]]]
        self.assertEqual(seen["files"], expected)
        self.assertEqual(seen["snapshot"], str(self.snapshot()))
        self.assertTrue(seen["is_known_absent"])
        self.assertEqual(seen["warnings"], [])
        self.assertEqual(seen["repositories"], [[VIT, len(paths), ["main", "v1.0"]]])

    def test_it_finds_every_hash_right(self):
        self.pull(VIT)
        checked = self.python(
            f"""
found = HfApi().verify_repo_checksums({VIT!r})
print(json.dumps([found.revision, found.checked_count, [str(m) for m in found.mismatches], found.extra_paths]))
"""
        )
        self.assertEqual(checked, [COMMIT, len(WANTED), [], []])

    def test_what_it_fetched_is_used_and_not_fetched_again(self):
        self.hub.repositories["org/whole"] = vit()
        snapshot = self.python("print(json.dumps(snapshot_download('org/whole')))")
        fetched = len(self.hub.contents())
        self.assertGreater(fetched, 0)
        report = self.pull("org/whole")
        self.assertEqual((report["bytes_fetched"], report["folder"]), (0, snapshot))
        self.assertEqual(len(self.hub.contents()), fetched)
        info = self.models("info", "org/whole", HF_HUB_OFFLINE="1")
        self.assertEqual((info["model"], info["family"]), (f"org/whole@{COMMIT}", "transformers_classifier"))
        self.assertTrue(self.models("verify", "org/whole", "--seconds", "0.1")["is_good"])
        # And the other way round, over one file that was pulled.
        self.pull(VIT, "--dtype", "fp16")
        fetched = len(self.hub.contents("/store/"))
        self.python(f"print(json.dumps(hf_hub_download({VIT!r}, 'onnx/model_fp16.onnx')))")
        self.assertEqual(len(self.hub.contents("/store/")), fetched)

    def test_its_cache_without_links_is_used(self):
        self.python("print(json.dumps(snapshot_download('org/vit')))", HF_HUB_DISABLE_SYMLINKS="1")
        self.assertFalse((self.snapshot() / "config.json").is_symlink())
        self.assertEqual(self.pull(VIT)["bytes_fetched"], 0)
        self.assertEqual(self.models("info", VIT)["family"], "transformers_classifier")

    def test_its_shared_store_is_used_without_links_too(self):
        model = self.hub.repositories[VIT]
        blobs, store = self.repository_folder() / "blobs", self.cache / "blobs" / "ab"
        blobs.mkdir(parents=True)
        store.mkdir(parents=True)
        graph = store / ("ab" + "0" * 62)
        graph.write_bytes(model.files["onnx/model.onnx"])
        (blobs / model.hash_of("onnx/model.onnx")).symlink_to(f"../../blobs/ab/{graph.name}")
        self.pull(VIT, HF_HUB_DISABLE_SYMLINKS="1")
        self.assertEqual((self.snapshot() / "onnx" / "model.onnx").read_bytes(), graph.read_bytes())
        self.assertEqual(self.models("info", VIT)["family"], "transformers_classifier")

    def test_a_lock_that_it_holds_is_waited_for(self):
        lock = (
            self.cache
            / ".locks"
            / self.repository_folder().name
            / (self.hub.repositories[VIT].hash_of("onnx/model.onnx") + ".lock")
        )
        lock.parent.mkdir(parents=True)
        program = f"""
import sys, time
from huggingface_hub.utils import WeakFileLock
with WeakFileLock({str(lock)!r}):
    print("held", flush=True)
    sys.stdin.readline()
"""
        holder = subprocess.Popen(
            [READERS_PYTHON, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment
        )
        self.addCleanup(holder.wait)
        self.assertEqual(holder.stdout.readline().strip(), b"held")
        words = [PROGRAM, "--json", "models", "pull", VIT]
        puller = subprocess.Popen(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(1.5)
        self.assertIsNone(puller.poll())
        self.assertEqual(self.hub.contents("/store/"), [])
        holder.communicate(b"\n")
        puller.communicate(timeout=60)
        self.assertEqual(puller.returncode, 0)
        self.assertEqual(len(self.hub.contents("/store/")), 1)
