"""Models from a hub: what is fetched, what the cache looks like, what happens when the hub, the network or the machine fails."""

import contextlib
import json
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

from harness import PROGRAM, write_bitmap
from hub_case import BIG, COMMIT, FIXTURES, VIT, HubCase, noise, vit, vit_files
from hub_server import Fault, Hub, Repository, git_hash


class Pulling(HubCase):
    WANTED = ("README.md", "config.json", "onnx/model.onnx", "preprocessor_config.json")

    def test_a_model_is_fetched_into_the_cache_of_hugging_face(self):
        report = self.pull(VIT)
        self.assertEqual((report["repository"], report["revision"], report["commit"]), (VIT, "main", COMMIT))
        self.assertEqual(report["model"], f"{VIT}@{COMMIT}")
        self.assertEqual(report["licence"], "apache-2.0")
        self.assertEqual([file["path"] for file in report["files"]], sorted(self.WANTED))
        self.assertEqual(report["bytes"], sum(file["bytes"] for file in report["files"]))
        self.assertEqual(report["bytes_fetched"], report["bytes"])
        self.assertEqual(pathlib.Path(report["folder"]), self.snapshot())
        self.assert_cached(self.hub.repositories[VIT], self.WANTED)
        self.assertEqual(sorted(self.blobs()), sorted(self.hub.repositories[VIT].hash_of(path) for path in self.WANTED))
        self.assertEqual(self.references(), {"main": COMMIT})
        absent = self.repository_folder() / ".no_exist" / COMMIT
        self.assertEqual(
            sorted(path.name for path in absent.iterdir()), ["processor_config.json", "tokenizer.json", "tokenizer_config.json"]
        )
        locks = self.cache / ".locks" / self.repository_folder().name
        self.assertEqual(sorted(path.stem for path in locks.iterdir()), sorted(self.blobs()))
        self.assertTrue((self.cache / "CACHEDIR.TAG").is_file())

    def test_nothing_is_fetched_twice(self):
        self.pull(VIT)
        before = len(self.hub.contents())
        report = self.pull(VIT)
        self.assertEqual(report["bytes_fetched"], 0)
        self.assertTrue(all(file["was_cached"] for file in report["files"]))
        self.assertEqual(len(self.hub.contents()), before)
        # Another commit with other words in its model card: only those come.
        newer = vit(commit="d" * 40)
        newer.files["README.md"] = b"new"
        self.hub.repositories[VIT] = newer
        self.assertEqual(self.pull(VIT)["bytes_fetched"], 3)
        self.assertEqual(self.references(), {"main": "d" * 40})
        self.assertTrue(self.snapshot().is_dir())

    def test_a_pulled_model_labels_by_its_name(self):
        self.pull(VIT)
        self.hub.close()  # everything that follows does without it
        for i in range(3):
            write_bitmap(self.scratch / "images" / f"{i}.bmp", 40, 30)
        self.init()
        self.run_program("import", "--images", self.scratch / "images")
        run = self.run_program("label", "--model", VIT, "--floor", "0", env=self.environment).json
        self.assertEqual((run["samples"], run["done"], run["failed"]), (3, 3, 0))
        self.assertGreater(run["labels"], 0)
        row = self.run_program("runs", "show", str(run["run"])).json
        self.assertEqual(row["model"], f"{VIT}@{COMMIT}")
        by_path = self.run_program("label", "--model", self.snapshot(), "--floor", "0", "--set", "by_path").json
        self.assertEqual(by_path["labels"], run["labels"])
        self.assertEqual(self.exported("auto"), self.exported("by_path"))
        # A branch that moves on does not change what a run means.
        (self.repository_folder() / "refs" / "main").write_text("d" * 40)
        self.run_program("label", "--resume", str(run["run"]), env=self.environment)
        info = self.models("info", f"{VIT}@{COMMIT}")
        self.assertEqual((info["model"], info["family"]), (f"{VIT}@{COMMIT}", "transformers_classifier"))
        file = f"{VIT}@{COMMIT}/onnx/model.onnx"
        self.assertEqual(self.models("info", file)["model"], file)

    def test_a_model_that_was_not_pulled_is_not_fetched(self):
        self.init()
        for words in (["label", "--model", VIT], ["models", "info", VIT], ["models", "verify", VIT]):
            error = self.run_program(*words, status=3, env=self.environment).json["error"]
            self.assertEqual(error["code"], "not_found")
            self.assertIn(f"verilabel models pull {VIT}", error["message"])
        self.assertEqual(self.hub.asked, [])
        self.assertFalse(self.cache.exists())

    def test_a_path_that_exists_comes_before_the_hub(self):
        self.pull(VIT)
        shutil.copytree(FIXTURES / "vit-multilabel", self.scratch / "here" / "org" / "vit")
        words = ("models", "info", VIT)
        info = self.run_program(*words, cwd=self.scratch / "here", env=self.environment).json
        self.assertEqual(info["model"], str(self.scratch / "here" / "org" / "vit"))

    def test_dtypes_and_files_choose_graphs(self):
        report = self.pull(VIT, "--dtype", "fp16")
        paths = [file["path"] for file in report["files"]]
        self.assertIn("onnx/model_fp16.onnx", paths)
        self.assertNotIn("onnx/model.onnx", paths)
        self.assertEqual(self.models("info", VIT)["family"], "transformers_classifier")
        error = self.pull(VIT, "--dtype", "q4", status=3)["error"]
        self.assertEqual(error["context"]["dtypes"], "fp32, fp16")
        report = self.pull(VIT, "--file", "*.onnx", "--file", "model.safe*")
        self.assertEqual(sum(file["path"].endswith(".onnx") for file in report["files"]), 2)
        self.assertIn("model.safetensors", [file["path"] for file in report["files"]])
        self.assertEqual(self.pull(VIT, "--file", "nothing*", status=3)["error"]["context"]["file"], "nothing*")
        for words in (["--dtype", "fp64"], ["--dtype", "fp16", "--file", "x"], ["--file", ""]):
            self.pull(VIT, *words, status=2)
        self.assertIn("--dtype", self.pull(f"{VIT}/onnx/model.onnx", "--dtype", "fp16", status=2)["error"]["message"])
        for name in ("vit", "a/b/c", "org/../vit", "org/vit@../x", "https://huggingface.co/org/vit"):
            self.assertEqual(self.pull(name, status=2)["error"]["code"], "wrong_use", name)

    def test_the_name_to_use_a_model_by_means_what_was_pulled(self):
        def told(*words):
            out = self.run_program("models", "pull", *words, as_json=False, env=self.environment).out.decode()
            return [line.rpartition(" ")[2] for line in out.splitlines() if line.startswith("use it with:")]

        fp16 = "onnx/model_fp16.onnx"
        self.assertEqual(told(VIT, "--dtype", "fp16"), [VIT])  # the only graph there
        self.assertEqual(told(VIT), [VIT])
        self.assertEqual(told(VIT, "--dtype", "fp16"), [f"{VIT}/{fp16}"])
        self.assertEqual(self.pull(VIT, "--dtype", "fp16")["model"], f"{VIT}@{COMMIT}/{fp16}")
        self.assertEqual(self.models("info", f"{VIT}/{fp16}")["model"], f"{VIT}@{COMMIT}/{fp16}")
        self.assertEqual(told(f"{VIT}/onnx/model.onnx"), [VIT])
        self.assertEqual(told(VIT, "--file", "*.onnx"), [VIT])
        self.assertEqual(told(VIT, "--file", "config.json"), [VIT])
        graph = vit_files()["onnx/model.onnx"]
        self.hub.repositories["org/two"] = Repository({"a.onnx": graph, "sub/b.onnx": graph}, revisions=("main", "refs/pr/1"))
        self.assertEqual(told("org/two", "--file", "sub/*"), ["org/two/sub/b.onnx"])
        self.assertEqual(told("org/two@refs/pr/1", "--file", "sub/*"), [f"org/two@{COMMIT}/sub/b.onnx"])
        self.hub.repositories["org/top"] = Repository({"a.onnx": graph, "b.onnx": graph})
        self.assertEqual(told("org/top", "--file", "*.onnx"), ["org/top/a.onnx", "org/top/b.onnx"])

    def test_a_dry_run_fetches_nothing(self):
        report = self.pull(VIT, "--dry-run")
        self.assertTrue(report["is_dry_run"])
        self.assertEqual(report["bytes_fetched"], 0)
        self.assertEqual([file["path"] for file in report["files"]], sorted(self.WANTED))
        self.assertEqual(self.hub.contents(), [])
        self.assertFalse(self.cache.exists())

    def test_revisions_are_branches_tags_and_commits(self):
        self.hub.repositories[VIT] = vit(revisions=("main", "v1.0", "refs/pr/1"))
        for revision in ("v1.0", "refs/pr/1", COMMIT):
            report = self.pull(f"{VIT}@{revision}")
            self.assertEqual((report["revision"], report["commit"]), (revision, COMMIT))
            self.assertEqual(self.models("info", f"{VIT}@{revision}")["model"], f"{VIT}@{COMMIT}")
        self.assertEqual(self.references(), {"v1.0": COMMIT, "refs/pr/1": COMMIT})
        self.models("info", VIT, status=3)  # main was not asked for

    def test_weights_beside_a_graph_come_with_it(self):
        for name in ("model.onnx_data", "odd name.bin"):
            with self.subTest(weights=name):
                repository = f"org/{name.partition('.')[0].replace(' ', '-')}"
                files = self.with_external_weights(name)
                self.hub.repositories[repository] = Repository(files, large={"onnx/model.onnx", f"onnx/{name}"})
                report = self.pull(repository)
                self.assertIn(f"onnx/{name}", [file["path"] for file in report["files"]])
                verified = self.models("verify", repository, "--seconds", "0.1")
                self.assertTrue(verified["is_good"], verified)
        files = self.with_external_weights("lost.bin")
        del files["onnx/lost.bin"]
        self.hub.repositories["org/lost"] = Repository(files, large={"onnx/model.onnx"})
        error = self.pull("org/lost", status=5)["error"]
        self.assertEqual((error["code"], error["context"]["file"]), ("bad_model", "onnx/lost.bin"))
        self.assertFalse(self.snapshot("org/lost").exists())

    def with_external_weights(self, name):
        import onnx

        folder = self.scratch / "external"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        model = onnx.load(FIXTURES / "vit" / "onnx" / "model.onnx")
        onnx.save_model(model, folder / "model.onnx", save_as_external_data=True, location=name, size_threshold=64)
        files = vit_files()
        return {
            "config.json": files["config.json"],
            "preprocessor_config.json": files["preprocessor_config.json"],
            "onnx/model.onnx": (folder / "model.onnx").read_bytes(),
            f"onnx/{name}": (folder / name).read_bytes(),
        }

    def test_the_licence_is_what_the_hub_says(self):
        cases = (
            ({"card": {"license": "mit"}}, "mit", None),
            ({"card": {"license": "other", "license_name": "sam", "license_link": "LICENSE"}}, "sam", "LICENSE"),
            ({"card": {}, "tags": ("onnx", "license:agpl-3.0")}, "agpl-3.0", None),
            ({"card": {"license": ["mit", "other"], "license_name": "sam"}}, "mit, sam", None),
            ({"card": {}, "tags": ("license:mit", "onnx", "license:openrail")}, "mit, openrail", None),
            ({"card": {}}, None, None),
        )
        for options, licence, link in cases:
            self.hub.repositories[VIT] = vit(**options)
            report = self.pull(VIT, "--dry-run")
            self.assertEqual((report["licence"], report["licence_link"]), (licence, link))
        told = self.run_program("models", "pull", VIT, as_json=False, env=self.environment).out.decode()
        self.assertIn("licence: the authors name none", told)
        self.assertIn("label --model org/vit", told)

    def test_long_listings_come_in_pages(self):
        self.hub.page = 2
        self.assertEqual([file["path"] for file in self.pull(VIT)["files"]], sorted(self.WANTED))
        self.assertGreater(sum("/tree/" in asked.path for asked in self.hub.asked), 3)

    def test_the_list_says_what_is_recommended_and_what_is_there(self):
        listed = self.models("list")
        self.assertEqual(listed["cache"], str(self.cache))
        self.assertTrue(all(not model["cached"] for model in listed["models"]))
        first = listed["models"][0]
        for field in ("repository", "task", "family", "size_mb", "speed_class", "licence", "default_floor", "files", "unverified"):
            self.assertIn(field, first)
        self.hub.repositories[first["repository"]] = vit()
        self.pull(first["repository"])
        self.pull(VIT)
        listed = self.models("list")
        cached = {model["repository"]: model for model in listed["models"] if model["cached"]}
        self.assertEqual(sorted(cached), sorted([VIT, first["repository"]]))
        self.assertFalse(cached[VIT]["is_recommended"])
        snapshot = cached[VIT]["cached"][0]
        self.assertEqual((snapshot["commit"], snapshot["revisions"], snapshot["graphs"]), (COMMIT, ["main"], ["onnx/model.onnx"]))
        told = self.run_program("models", as_json=False, env=self.environment).out.decode()
        self.assertIn(VIT, told)
        self.assertIn(first["repository"], told)

    def test_a_catalogue_that_has_fallen_behind_is_said(self):
        named = next(model for model in self.models("list")["models"] if len(model["files"]) > 1)
        self.hub.repositories[named["repository"]] = vit()
        report = self.pull(named["repository"])
        self.assertIn("catalogue", " ".join(report["notes"]))
        self.assertIn("onnx/model.onnx", [file["path"] for file in report["files"]])

    def test_what_a_cache_has_that_cannot_be_written_to_is_pulled(self):
        self.pull(VIT)
        shutil.rmtree(self.cache / ".locks")  # as others leave it
        shutil.rmtree(self.repository_folder() / ".no_exist")
        report = self.models_as_other("pull", VIT)
        self.assertEqual((report["bytes_fetched"], report["notes"]), (0, []))
        self.assertEqual(self.models_as_other("info", VIT)["model"], f"{VIT}@{COMMIT}")
        (self.repository_folder() / "refs" / "main").write_text("d" * 40)
        (note,) = self.models_as_other("pull", VIT)["notes"]
        self.assertIn("name the commit", note)
        self.models_as_other("pull", VIT, "--dtype", "fp16", status=9)  # this has to be fetched

    def test_references_that_cannot_be_read_are_passed_over(self):
        self.pull(VIT)
        references = self.repository_folder() / "refs"
        (references / "private").write_text(COMMIT)
        (references / "private").chmod(0)
        self.assertEqual(self.models_as_other("info", VIT)["model"], f"{VIT}@{COMMIT}")
        cached = [snapshot for model in self.models_as_other("list")["models"] for snapshot in model["cached"]]
        self.assertEqual([snapshot["revisions"] for snapshot in cached], [["main"]])

    def test_a_cache_without_links_holds_files(self):
        self.pull(VIT, HF_HUB_DISABLE_SYMLINKS="1")
        place = self.snapshot() / "onnx" / "model.onnx"
        self.assertFalse(place.is_symlink())
        self.assertEqual(place.read_bytes(), self.hub.repositories[VIT].files["onnx/model.onnx"])
        self.assertEqual(self.pull(VIT, HF_HUB_DISABLE_SYMLINKS="1")["bytes_fetched"], 0)
        self.assertEqual(self.models("info", VIT)["family"], "transformers_classifier")


class Verifying(HubCase):
    def checks(self, report):
        return {check["name"]: check["is_good"] for check in report["checks"]}

    def test_a_good_model_is_tried_and_measured(self):
        self.pull(VIT)
        report = self.models("verify", VIT, "--seconds", "0.5")
        self.assertTrue(report["is_good"], report)
        names = ("files", "load", "device", "run", "answer", "repeat")
        self.assertEqual(self.checks(report), dict.fromkeys(names, True))
        self.assertEqual((report["model"], report["family"]), (f"{VIT}@{COMMIT}", "transformers_classifier"))
        self.assertEqual(report["device"].lower(), "cpu")
        self.assertGreater(report["images"], 1)
        self.assertGreater(report["images_per_second"], 0)
        self.assertGreater(report["peak_memory_bytes"], 10_000_000)
        told = self.run_program("models", "verify", FIXTURES / "vit", "--seconds", "0.1", as_json=False).out.decode()
        self.assertIn("images a second", told)
        self.assertIn("memory:", told)

    def test_models_of_every_kind_are_tried(self):
        tower = self.scratch / "tower"
        shutil.copytree(FIXTURES / "embedding" / "clip-towers", tower)
        (tower / "onnx" / "text_model.onnx").unlink()
        kinds = (
            (FIXTURES / "d-fine", "transformers_detr", "candidates"),
            (FIXTURES / "embedding" / "clip-towers", "clip", "candidates"),
            (tower / "onnx" / "vision_model.onnx", "embedder", "a vector of 24 numbers"),
            (FIXTURES / "segment_anything" / "sam-boxes", "sam_transformers", "of 2 boxes"),
            (FIXTURES / "segment_anything" / "sam2", "sam2_transformers", "of 2 boxes"),
        )
        for model, family, words in kinds:
            with self.subTest(model=model.name):
                report = self.models("verify", model, "--seconds", "0.1")
                self.assertTrue(report["is_good"], report)
                self.assertEqual(report["family"], family)
                answer = next(check for check in report["checks"] if check["name"] == "answer")
                self.assertIn(words, answer["message"])

    def test_a_damaged_file_is_found_and_mended(self):
        self.pull(VIT)
        blob = self.blobs()[self.hub.repositories[VIT].hash_of("onnx/model.onnx")]
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 1
        blob.write_bytes(content)
        report = self.models("verify", VIT, status=1)
        self.assertEqual(self.checks(report), {"files": False})
        self.assertIn("--check", report["checks"][0]["message"])
        self.assertIsNone(report["images_per_second"])
        self.assertEqual(self.pull(VIT)["bytes_fetched"], 0)  # its size is right
        self.assertEqual(self.pull(VIT, "--check")["bytes_fetched"], len(content))
        self.assertTrue(self.models("verify", VIT, "--seconds", "0.1")["is_good"])

    def test_a_truncated_file_is_fetched_again(self):
        self.pull(VIT)
        blob = self.blobs()[self.hub.repositories[VIT].hash_of("onnx/model.onnx")]
        blob.write_bytes(blob.read_bytes()[:-10])
        self.assertEqual(self.pull(VIT)["bytes_fetched"], len(self.hub.repositories[VIT].files["onnx/model.onnx"]))
        self.assert_cached(self.hub.repositories[VIT], ["onnx/model.onnx"])

    def test_what_is_no_model_fails_its_check(self):
        self.add_big()
        self.pull("org/big")
        report = self.models("verify", "org/big", status=1)
        self.assertEqual(self.checks(report), {"files": True, "load": False})
        self.assertFalse(report["is_good"])
        report = self.models("verify", FIXTURES / "vit", "--device", "npu", status=1)
        self.assertEqual(self.checks(report), {"load": True, "device": False})
        self.models("verify", self.scratch / "nothing.onnx", status=3)
        self.models("verify", FIXTURES / "vit", "--seconds", "0", status=2)


class Access(HubCase):
    RIGHT = {"HF_TOKEN": Hub.token}

    def test_the_token_goes_to_the_hub_and_nowhere_else(self):
        self.hub.repositories[VIT] = vit(private=True)
        self.pull(VIT, **self.RIGHT)
        hub = [asked for asked in self.hub.asked if not asked.store]
        store = [asked for asked in self.hub.asked if asked.store]
        self.assertTrue(hub and store)
        self.assertEqual({asked.headers.get("authorization") for asked in hub}, {"Bearer " + Hub.token})
        self.assertEqual({asked.headers.get("authorization") for asked in store}, {None})

    def test_a_hub_that_sends_elsewhere_does_not_give_the_token_away(self):
        other = self.open_hub()
        other.repositories[VIT] = vit()
        for text in ("/revision/", "/tree/", "/resolve/"):
            self.hub.faults = [Fault(text, status=307, headers={"Location": other.url + "/elsewhere"})]
            self.refused("not_found", VIT, **self.RIGHT)
        self.assertEqual(len(other.asked), 3)
        self.assertEqual({asked.headers.get("authorization") for asked in other.asked}, {None})

    def test_the_token_comes_from_its_file_and_can_be_held_back(self):
        self.hub.repositories[VIT] = vit(private=True)
        (self.scratch / "hf").mkdir()
        (self.scratch / "hf" / "token").write_text(Hub.token + "\n")
        self.refused("not_found", VIT, HF_HUB_DISABLE_IMPLICIT_TOKEN="1")
        self.pull(VIT)
        elsewhere = self.scratch / "my token"
        elsewhere.write_text("hf_wrong")
        error = self.pull(VIT, status=7, HF_TOKEN_PATH=str(elsewhere))["error"]
        self.assertIn("does not take the token", error["message"])
        self.assertNotIn("hf_wrong", json.dumps(error))

    def test_terms_that_have_to_be_accepted_are_said(self):
        self.hub.repositories[VIT] = vit(gated=True)
        error = self.refused("conflict", VIT)
        self.assertIn(f"{self.hub.url}/{VIT}", error["message"])
        self.assertIn("HF_TOKEN", error["message"])
        self.hub.is_refusing = True
        error = self.refused("conflict", VIT, **self.RIGHT)
        self.assertIn("ask for access", error["message"])
        self.hub.is_refusing = False
        report = self.pull(VIT, **self.RIGHT)
        self.assertTrue(report["is_gated"])

    def test_what_is_not_there_is_said(self):
        error = self.refused("not_found", "org/unknown")
        self.assertIn("check the name", error["message"])
        error = self.refused("not_found", "org/unknown", **self.RIGHT)
        self.assertIn("HF_TOKEN", error["message"])
        error = self.refused("not_found", f"{VIT}@v9")
        self.assertIn("v9", error["message"])
        self.hub.repositories["org/torch"] = Repository({"config.json": b"{}", "model.safetensors": b"x"})
        self.assertIn(".onnx", self.refused("not_found", "org/torch")["message"])
        # Listed, and gone when it is asked for.
        self.hub.faults.append(Fault("/resolve/", status=404, headers={"X-Error-Code": "EntryNotFound"}))
        error = self.refused("not_found", VIT)
        self.assertIn("file", error["context"])

    def test_other_refusals_are_said(self):
        self.hub.faults = [Fault("/api/", status=403, headers={"X-Error-Message": "Not\tfor you."})]
        self.assertIn("Not\\x09for you.", self.refused("conflict", VIT)["message"])
        self.hub.faults = [Fault("/api/", status=418)]
        self.assertIn("418", self.refused("bad_data", VIT)["message"])
        self.hub.faults = [Fault("/api/", status=407)]
        self.assertIn("proxy", self.refused("conflict", VIT)["message"])

    def test_offline_asks_nothing(self):
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            error = self.refused("conflict", VIT, **{name: "1"})
            self.assertIn(name, error["message"])
        self.assertEqual(self.hub.asked, [])
        self.pull(VIT)
        self.assertEqual(self.models("info", VIT, HF_HUB_OFFLINE="1")["family"], "transformers_classifier")

    def test_proxies_are_gone_through(self):
        report = self.pull(VIT, HF_ENDPOINT="http://hub.invalid", http_proxy=self.hub.url, no_proxy="localhost")
        self.assertEqual(report["commit"], COMMIT)
        self.assertTrue(all(asked.path.startswith("http://hub.invalid/") for asked in self.hub.asked if not asked.store))

    def open_refusing_proxy(self, status):
        """A proxy that makes no connections; its URL, and what it was asked for."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        asked = []

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        asked.append(connection.recv(65536))
                        lines = (f"HTTP/1.1 {status} No", "Proxy-Authenticate: Basic realm=x", "Content-Length: 0", "", "")
                        connection.sendall("\r\n".join(lines).encode())

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}", asked

    def test_a_proxy_that_makes_no_connection_is_said_at_once(self):
        for status, code, advice in ((407, "conflict", "NAME:PASSWORD"), (403, "io", "https_proxy")):
            with self.subTest(status=status):
                proxy, asked = self.open_refusing_proxy(status)
                error = self.refused(code, VIT, HF_ENDPOINT="https://hub.invalid", https_proxy=proxy)
                self.assertIn(advice, error["message"])
                self.assertEqual([line.split()[0] for line in asked], [b"CONNECT"])

    def test_a_hub_that_cannot_be_reached_is_said_at_once(self):
        begun = time.monotonic()
        for endpoint in ("http://127.0.0.1:1", "http://hub.invalid"):
            error = self.refused("io", VIT, HF_ENDPOINT=endpoint)
            self.assertIn("HF_ENDPOINT", error["message"])
        self.assertLess(time.monotonic() - begun, 20)
        for endpoint in ("localhost", "ftp://localhost"):
            self.refused("wrong_use", VIT, HF_ENDPOINT=endpoint)

    def test_an_address_that_never_answers_is_said_after_one_wait(self):
        listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listening.close)
        for _ in range(4):  # connections that nobody takes: further ones are not answered
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        time.sleep(0.5)
        begun = time.monotonic()
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        error = self.refused("io", VIT, HF_ENDPOINT=endpoint, HF_HUB_ETAG_TIMEOUT="1")
        self.assertIn("HF_ENDPOINT", error["message"])
        self.assertLess(time.monotonic() - begun, 5)

    def test_certificates_are_looked_at(self):
        if shutil.which("openssl") is None:
            self.skipTest("no openssl to make certificates with")
        key, certificate = self.scratch / "key.pem", self.scratch / "certificate.pem"
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
        subprocess.run(words, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        hub = self.open_hub(context)
        hub.repositories[VIT] = vit()
        error = self.refused("io", VIT, HF_ENDPOINT=hub.url)
        self.assertIn("SSL_CERT_FILE", error["message"])
        hub.faults = [Fault("/api/", status=307, headers={"Location": self.hub.url + "/api/models/org/vit"})]
        error = self.refused("bad_data", VIT, HF_ENDPOINT=hub.url, SSL_CERT_FILE=str(certificate))
        self.assertIn("without encryption", error["message"])
        hub.faults = []
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            self.pull(VIT, HF_ENDPOINT=hub.url, **{name: str(certificate)})
        folder = self.scratch / "certificates"
        folder.mkdir()
        self.pull(VIT, HF_ENDPOINT=hub.url, SSL_CERT_DIR=str(folder), status=9)
        words = ["openssl", "x509", "-hash", "-noout", "-in", certificate]
        name = subprocess.run(words, check=True, capture_output=True).stdout.decode().strip()
        shutil.copy(certificate, folder / f"{name}.0")
        for variable, value in (("SSL_CERT_DIR", f"{folder}:{self.scratch}"), ("REQUESTS_CA_BUNDLE", str(folder))):
            self.pull(VIT, HF_ENDPOINT=hub.url, **{variable: value})


class BadLines(HubCase):
    """Connections that end, hubs that are busy, machines that stop."""

    def test_a_connection_that_is_cut_is_gone_on_with(self):
        self.add_big()
        self.hub.faults.append(Fault("/store/", cut_after=BIG // 3, times=2))
        report = self.pull("org/big")
        # Each time a third of what was left came.
        first, second = BIG // 3, 2 * (BIG // 3)
        self.assertEqual(self.ranges(), [None, f"bytes={first}-", f"bytes={second}-"])
        self.assertEqual(report["bytes_fetched"], report["bytes"])
        self.assert_cached(self.big, ["net.onnx"], "org/big")

    def test_a_line_that_is_cut_again_and_again_gets_there(self):
        self.add_big()
        self.hub.faults.append(Fault("/store/", cut_after=BIG // 10))
        self.pull("org/big")
        self.assertGreaterEqual(len(self.ranges()), 10)
        self.assert_cached(self.big, ["net.onnx"], "org/big")

    def test_a_line_that_brings_nothing_is_given_up_and_its_part_kept(self):
        self.add_big()
        self.hub.faults.append(Fault("/store/", cut_after=BIG // 2, times=1))
        self.hub.faults.append(Fault("/resolve/", skip=2, status=503, headers={"Retry-After": "0"}))
        error = self.refused("io", "org/big")
        self.assertIn("503", error["message"])
        part = self.blobs("org/big")[self.big.hash_of("net.onnx") + ".incomplete"]
        self.assertEqual(part.stat().st_size, BIG // 2)
        self.hub.faults = []
        self.assertEqual(self.pull("org/big")["bytes_fetched"], BIG - BIG // 2)
        self.assertEqual(sorted(self.blobs("org/big")), sorted(map(self.big.hash_of, self.big.files)))

    def test_a_store_that_knows_no_ranges_sends_all(self):
        self.add_big()
        self.hub.faults.append(Fault("/store/", cut_after=BIG // 2, times=1))
        self.hub.faults.append(Fault("/store/", ignore_range=True))
        self.assertEqual(self.pull("org/big")["bytes_fetched"], len(b"{}") + BIG // 2 + BIG)
        self.assert_cached(self.big, ["net.onnx"], "org/big")

    def test_lines_that_get_no_further_are_given_up(self):
        # One store sends from the beginning each time, now more, now less; one has less than its listing says.
        self.add_big()
        short = Repository({"config.json": b"{}", "net.onnx": noise(BIG // 2)}, large={"net.onnx"})
        self.hub.repositories["org/short"] = short
        entry = short.entry("net.onnx")
        entry["lfs"]["size"] += 100
        cuts = [BIG // 3, BIG // 2] * 20
        self.hub.faults = [
            *(Fault(self.big.hash_of("net.onnx"), ignore_range=True, cut_after=cut, times=1) for cut in cuts),
            Fault("org/short/tree/", body=json.dumps([short.entry("config.json"), entry]).encode()),
            Fault("org/short/resolve/", without=("X-Linked-Size",)),
        ]
        words = [PROGRAM, "--json", "models", "pull"]
        pulls = {
            name: subprocess.Popen([*words, name], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for name in ("org/big", "org/short")
        }
        for pull in pulls.values():
            self.addCleanup(pull.kill)
        for name, code, attempts in (("org/big", "io", 7), ("org/short", "bad_data", 6)):
            with self.subTest(name=name):
                out, _ = pulls[name].communicate(timeout=60)  # some 16 s of waits in between
                self.assertEqual(json.loads(out)["error"]["code"], code)
                self.assertEqual(len(self.ranges("/store/" + self.hub.repositories[name].hash_of("net.onnx"))), attempts)

    def test_a_part_that_is_none_is_thrown_away(self):
        self.add_big()
        name = self.big.hash_of("net.onnx") + ".incomplete"
        for garbage in (b"no part of it" * 100, bytes(BIG), bytes(BIG + 1)):
            with self.subTest(bytes=len(garbage)):
                shutil.rmtree(self.cache, ignore_errors=True)
                blobs = self.repository_folder("org/big") / "blobs"
                blobs.mkdir(parents=True)
                (blobs / name).write_bytes(garbage)
                self.pull("org/big")
                self.assert_cached(self.big, ["net.onnx"], "org/big")
                self.assertNotIn(name, self.blobs("org/big"))

    def test_a_part_that_leads_elsewhere_is_replaced_and_that_left_alone(self):
        self.add_big()
        blobs = self.repository_folder("org/big") / "blobs"
        blobs.mkdir(parents=True)
        mine = self.scratch / "mine.txt"
        mine.write_bytes(b"mine")
        (blobs / (self.big.hash_of("net.onnx") + ".incomplete")).symlink_to(mine)
        self.pull("org/big")
        self.assertEqual(mine.read_bytes(), b"mine")
        self.assertFalse((blobs / self.big.hash_of("net.onnx")).is_symlink())
        self.assert_cached(self.big, ["net.onnx"], "org/big")

    def test_a_part_of_huggingface_hub_is_gone_on_with(self):
        self.add_big()
        blobs = self.repository_folder("org/big") / "blobs"
        blobs.mkdir(parents=True)
        (blobs / (self.big.hash_of("net.onnx") + ".incomplete")).write_bytes(self.big.files["net.onnx"][: BIG // 2])
        self.pull("org/big")
        self.assertEqual(self.ranges(), [f"bytes={BIG // 2}-"])

    def test_a_busy_hub_is_asked_again(self):
        for status in (408, 429, 500, 502, 503, 504):
            with self.subTest(status=status):
                shutil.rmtree(self.cache, ignore_errors=True)
                quick = {"Retry-After": "0"}
                self.hub.faults = [
                    Fault(text, status=status, headers=quick, times=2) for text in ("/api/models", "/resolve/", "/store/")
                ]
                self.assertEqual(self.pull(VIT)["commit"], COMMIT)
        self.hub.faults = [Fault("/api/models", status=500, times=1)]  # without a word on when: after half a second
        self.pull(VIT)

    def test_a_store_whose_name_is_not_known_for_a_moment_is_asked_again(self):
        self.hub.faults = [Fault("/resolve/", status=302, headers={"Location": "http://store.invalid/x"}, times=1)]
        self.assertEqual(self.pull(VIT)["commit"], COMMIT)

    def test_a_hub_is_left_alone_for_as_long_as_it_asks(self):
        for headers in ({"Retry-After": "2"}, {"RateLimit": '"api";r=0;t=2'}):
            self.hub.faults = [Fault("/api/models", status=429, headers=headers, times=1)]
            begun = time.monotonic()
            self.pull(VIT)
            self.assertGreaterEqual(time.monotonic() - begun, 2)
        self.hub.faults = [Fault("/api/models", status=429, headers={"Retry-After": "7200"})]
        error = self.pull(VIT, status=9)["error"]
        self.assertEqual(error["context"]["retry_after_seconds"], "7200")

    def test_a_hub_that_stays_broken_is_given_up(self):
        for status in (429, 500):
            self.hub.faults = [Fault("/api/models", status=status, headers={"Retry-After": "0"})]
            self.hub.asked.clear()
            self.refused("io", VIT)
            self.assertEqual(len(self.hub.asked), 6)

    def test_silence_is_not_waited_out(self):
        self.hub.faults = [Fault("/store/", silence=30, times=1), Fault("/api/models", silence=30, times=1)]
        begun = time.monotonic()
        self.pull(VIT, HF_HUB_DOWNLOAD_TIMEOUT="1", HF_HUB_ETAG_TIMEOUT="1")
        self.assertLess(time.monotonic() - begun, 20)
        self.pull(VIT, status=2, HF_HUB_DOWNLOAD_TIMEOUT="soon")

    def start_slow_pull(self, name="org/big"):
        self.hub.faults.append(Fault("/store/", bytes_per_second=BIG // 6))
        words = [PROGRAM, "--json", "models", "pull", name]
        return subprocess.Popen(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_for_part(self, least=BIG // 20):
        path = self.repository_folder("org/big") / "blobs" / (self.big.hash_of("net.onnx") + ".incomplete")
        for _ in range(600):
            if path.is_file() and path.stat().st_size >= least:
                return path
            time.sleep(0.05)
        self.fail("the download did not begin")

    def test_a_killed_pull_leaves_nothing_half_written_and_is_gone_on_with(self):
        self.add_big()
        for round_ in range(3):
            process = self.start_slow_pull()
            part = self.wait_for_part((round_ + 1) * BIG // 10)
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=60)
            process.communicate()
            have = part.stat().st_size
            self.assertEqual(self.references(), {})
            self.assertEqual(self.snapshot_files(), [])
            for name, path in self.blobs("org/big").items():
                if not name.endswith(".incomplete"):
                    self.assertEqual(name, git_hash(path.read_bytes()))
            self.assertEqual(self.big.files["net.onnx"][:have], part.read_bytes())
        self.hub.faults = []
        self.hub.asked.clear()
        self.assertEqual(self.pull("org/big")["bytes_fetched"], BIG - have)
        self.assertEqual(self.ranges(), [f"bytes={have}-"])
        self.assert_cached(self.big, self.big.files, "org/big")

    def test_an_interrupted_pull_says_so(self):
        self.add_big()
        for round_, signal_ in enumerate((signal.SIGINT, signal.SIGTERM)):
            process = self.start_slow_pull()
            self.wait_for_part(BIG // 20 + round_ * BIG // 2)
            process.send_signal(signal_)
            out, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130)
            self.assertEqual(json.loads(out)["error"]["code"], "interrupted")
        self.assertEqual(self.references(), {})

    def test_two_pulls_at_once_fetch_once(self):
        self.add_big()
        processes = [self.start_slow_pull() for _ in range(3)]
        for process in processes:
            process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0)
        self.assertEqual(len(self.ranges()), 1)
        self.assertEqual(len(self.hub.contents("config.json")), 1)
        self.assert_cached(self.big, self.big.files, "org/big")

    def test_progress_is_told_beside_the_answer(self):
        self.add_big(noise(4 * BIG))
        self.hub.faults = [Fault("/store/", bytes_per_second=4 * BIG // 7)]
        done = subprocess.run(
            [PROGRAM, "--json", "models", "pull", "org/big"], env=self.environment, capture_output=True, check=True
        )
        json.loads(done.stdout)
        self.assertRegex(done.stderr.decode(), r"downloading: \d.* MB done of 12.0 MB, .* MB/s, \d+ s left")


class Lies(HubCase):
    """A hub that is none, or not an honest one."""

    def test_content_with_another_hash_is_not_kept(self):
        for path in ("/store/", "/api/resolve-cache/"):
            with self.subTest(path=path):
                shutil.rmtree(self.cache, ignore_errors=True)
                self.hub.faults = [Fault(path, change=lambda body: bytes([body[0] ^ 1]) + body[1:])]
                error = self.refused("bad_data", VIT)
                self.assertIn("another hash", error["message"])
                self.assertIn("expected", error["context"])
                self.assertEqual([name for name in self.blobs() if name.endswith(".incomplete")], [])
        self.hub.faults = []
        self.pull(VIT)
        self.assert_cached(self.hub.repositories[VIT], Pulling.WANTED)

    def test_content_of_another_size_is_not_kept(self):
        self.hub.faults = [Fault("/store/", body=b"x" * 10_000_000)]
        self.assertIn("more bytes", self.refused("bad_data", VIT)["message"])
        self.hub.faults = [Fault("/store/", body=b"")]
        self.assertIn("fewer bytes", self.refused("bad_data", VIT)["message"])

    def test_headers_that_contradict_the_listing_are_noticed(self):
        cases = (
            ({"X-Linked-Size": "7"}, "two sizes"),
            ({"X-Linked-Etag": '"' + "0" * 64 + '"'}, "two hashes"),
            ({"X-Repo-Commit": "e" * 40}, "another commit"),
        )
        for headers, words in cases:
            self.hub.faults = [Fault("/resolve/", replace=headers), Fault("/resolve-cache/", replace=headers)]
            self.assertIn(words, self.refused("bad_data", VIT)["message"])
        self.add_big()
        self.hub.faults = [
            Fault("/store/", cut_after=BIG // 2, times=1),
            Fault("/store/", replace={"Content-Range": "bytes 0-1/2"}),
        ]
        self.assertIn("another part", self.refused("bad_data", "org/big")["message"])

    def test_a_server_that_is_no_hub_is_told(self):
        page = b"<!DOCTYPE html><html><body>Sign in to this network</body></html>"
        for body in (page, b"[]", b"", b'{"sha": "main"}', b'{"sha": 7}', b'{"sha": "../../../../etc"}', b"[" * 1_000_000):
            self.hub.faults = [Fault("/revision/", body=body)]
            self.assertIn("HF_ENDPOINT", self.refused("bad_data", VIT)["message"])
        self.hub.faults = [Fault("/tree/", body=page)]
        self.assertIn("HF_ENDPOINT", self.refused("bad_data", VIT)["message"])
        without = ("X-Repo-Commit",)
        self.hub.faults = [Fault("/resolve/", without=without), Fault("/resolve-cache/", without=without)]
        self.assertIn("X-Repo-Commit", self.refused("bad_data", VIT)["message"])

    def test_redirects_end(self):
        endless = Fault("/api/models", status=302, headers={"Location": "/api/models/again"})
        for fault in (endless, Fault("/resolve/", status=302, headers={"Location": "?again"})):
            self.hub.faults = [fault]
            self.assertIn("redirects", self.refused("bad_data", VIT)["message"])
        for location in ("file:///etc/passwd", "ftp://localhost/x", "", "gopher://x"):
            self.hub.faults = [Fault("/resolve/", status=302, headers={"Location": location})]
            self.assertIn("redirects", self.refused("bad_data", VIT)["message"])

    def test_names_that_lead_out_of_the_cache_are_refused(self):
        good = vit().entry("config.json")
        for path in (
            "../../../../evil",
            "/etc/cron.d/evil",
            "onnx/../../evil",
            "..\\evil",
            "a//b",
            "",
            "nul\0l",
            "config.json/evil",
        ):
            with self.subTest(path=path):
                body = json.dumps([good, good | {"path": path}]).encode()
                self.hub.faults = [Fault("/tree/", body=body)]
                self.assertIn("listing", self.refused("bad_data", VIT)["message"])
        self.assertFalse(self.cache.exists())
        self.hub.faults = [Fault("/tree/", body=json.dumps([good, good]).encode())]
        self.assertIn("twice", self.refused("bad_data", VIT)["message"])

    def test_sizes_and_hashes_that_cannot_be_are_refused(self):
        good = vit().entry("onnx/model.onnx")
        for change in ({"size": -1}, {"size": "7"}, {"size": 1e300}, {"size": 2**63}, {"oid": "../../x"}, {"oid": None}):
            body = json.dumps([good | {"lfs": good["lfs"] | change}]).encode()
            self.hub.faults = [Fault("/tree/", body=body)]
            self.assertIn("listing", self.refused("bad_data", VIT)["message"])

    def test_a_model_larger_than_the_disk_is_refused_before_it_is_fetched(self):
        entry = vit().entry("onnx/model.onnx")
        entry["lfs"]["size"] = 2**49
        self.hub.faults = [Fault("/tree/", body=json.dumps([entry]).encode())]
        error = self.refused("io", VIT)
        self.assertIn("too little room", error["message"])
        self.assertEqual(self.hub.contents(), [])
        self.assertFalse(self.cache.exists())
        self.assertEqual(self.pull(VIT, "--dry-run", status=9)["error"]["code"], "io")

    def test_a_listing_without_end_is_left(self):
        body = json.dumps([vit().entry("config.json")]).encode()
        link = f'<{self.hub.url}/api/models/{VIT}/tree/{COMMIT}?cursor=1>; rel="next"'
        self.hub.faults = [Fault("/tree/", status=200, headers={"Link": link}, body=body)]
        self.assertIn("does not end", self.refused("bad_data", VIT)["message"])
