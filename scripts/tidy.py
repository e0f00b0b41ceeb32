#!/usr/bin/env python3
"""Runs clang-tidy over what CMake compiles, and skips every file that passed before and has not changed since.

A file has changed when its own text, that of any of our headers it includes, its command line, .clang-tidy or a pinned tool or
library version has. What passed is remembered in the build folder. Prints what clang-tidy says; exits with 1 if that is anything.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUOTED_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# What every answer depends on, beside the file itself.
COMMON = (".clang-tidy", "scripts/tidy.py", "scripts/packages.txt", "scripts/requirements.txt", "scripts/requirements-dev.txt")
# The static analyser takes most of the time and finds nothing in straight-line tests, which may use fixed seeds, constants that are
# computed before main, thrown copies, and programs to compare with.
TEST_CHECKS = ",".join(
    (
        "-clang-analyzer-*",
        "-bugprone-command-processor",
        "-bugprone-exception-copy-constructor-throws",
        "-bugprone-random-generator-seed",
        "-bugprone-throwing-static-initialization",
    )
)


def is_test(path):
    return path.stem.endswith("_test") or path.is_relative_to(ROOT / "bench")


class Sources:
    """Reads every file once; knows what a file includes of ours, directly and indirectly."""

    def __init__(self):
        self._digests = {}
        self._includes = {}

    def _read(self, path):
        if path not in self._digests:
            text = path.read_bytes()
            self._digests[path] = hashlib.sha256(text).digest()
            candidates = [ROOT / "src" / name for name in QUOTED_INCLUDE.findall(text.decode())]
            self._includes[path] = [candidate for candidate in candidates if candidate.is_file()]

    def closure(self, path):
        """The file and all our headers that it sees, sorted."""
        seen, waiting = set(), [path]
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                self._read(at)
                waiting += self._includes[at]
        return sorted(seen)

    def digest(self, path):
        self._read(path)
        return self._digests[path]


def key_of(entry, path, sources, common):
    digest = hashlib.sha256(common)
    digest.update(entry["command"].encode())
    for seen in sources.closure(path):
        digest.update(seen.relative_to(ROOT).as_posix().encode() + b"\0" + sources.digest(seen))
    return digest.hexdigest()


def tidy(program, build, path):
    # GCC 12's own stable_sort calls what GCC 12 deprecates.
    quiet = ("-Wno-unknown-warning-option", "-Wno-deprecated-declarations")
    command = [program, "--quiet", "-p", build, *(f"--extra-arg={word}" for word in quiet)]
    if is_test(path):
        command.append(f"--checks={TEST_CHECKS}")
    done = subprocess.run([*map(os.fspath, command), os.fspath(path)], capture_output=True, text=True, check=False)
    # What clang-tidy writes to standard error is a count of suppressed warnings, unless it failed itself.
    return done.returncode == 0, done.stdout if done.stdout else done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="clang-tidy")
    parser.add_argument(
        "--build", required=True, type=pathlib.Path, help="folder with compile_commands.json; what passed is remembered there"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    common = b"".join((ROOT / name).read_bytes() for name in COMMON)
    sources = Sources()
    entries = {pathlib.Path(entry["file"]): entry for entry in json.loads((options.build / "compile_commands.json").read_text())}
    remembered = options.build / "tidy"
    todo = []
    for path, entry in entries.items():
        stamp = remembered / f"{path.relative_to(ROOT).as_posix()}.passed"
        key = key_of(entry, path, sources, common)
        if not stamp.is_file() or stamp.read_text() != key:
            todo.append((path, stamp, key))
    # Long files first, so that no core waits for the last one.
    todo.sort(key=lambda item: -item[0].stat().st_size)
    print(f"clang-tidy: {len(entries) - len(todo)} files passed before, {len(todo)} to check", flush=True)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(tidy, options.program, options.build, path): (path, stamp, key) for path, stamp, key in todo}
        for future in concurrent.futures.as_completed(running):
            path, stamp, key = running[future]
            passed, said = future.result()
            if passed:
                stamp.parent.mkdir(parents=True, exist_ok=True)
                stamp.write_text(key)
            else:
                failed += 1
                print(f"{path.relative_to(ROOT)}:\n{said}", flush=True)
    if failed:
        print(f"clang-tidy: {failed} files have findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
