#!/usr/bin/env python3
"""Proves the layer rule from the #include lines of src/verilabel: arrows point down only, in the rows of ARCHITECTURE.md's table.

Also: each folder is a CMake module that names what it includes, and the table lists just the folders. Prints one line an offence,
`file:line: rule`, and exits with 1 when there is any.
"""

import argparse
import dataclasses
import pathlib
import re
import sys


@dataclasses.dataclass(frozen=True)
class Library:
    """A third-party library: its headers, who may see it, and whether the headers that other modules read may show it."""

    name: str
    headers: str  # a regular expression for the whole name between < and >
    modules: tuple = ()  # empty: all
    in_public_headers: bool = False
    in_private_headers: bool = True


LIBRARIES = (
    Library("fmt", r"fmt/.*", in_public_headers=True),
    Library("spdlog", r"spdlog/.*", in_public_headers=True),
    Library("OpenSSL", r"openssl/.*", ("base",)),
    Library("OpenCV", r"opencv2/.*", ("image",)),
    Library("Cairo", r"cairo\.h", ("demo",)),
    Library("libjpeg", r"jpeglib\.h|jerror\.h", ("image",)),
    Library("libpng", r"png\.h", ("image",)),
    Library("Oniguruma", r"oniguruma\.h", ("text",)),
    Library("SQLite", r"sqlite3\.h", ("store",)),
    Library("OpenVINO", r"openvino/.*", ("engine",)),
    Library("yaml-cpp", r"yaml-cpp/.*", ("formats",)),
    Library("expat", r"expat\.h", ("formats",)),
    Library("libzip", r"zip\.h", ("formats",)),
    Library("zlib", r"zlib\.h", ("formats",)),
    Library("libcurl", r"curl/.*", ("hub",)),
    Library("CLI11", r"CLI/.*", ("cli", "app")),
    Library("nlohmann-json", r"nlohmann/.*", in_private_headers=False),
    Library("simdjson", r"simdjson\.h", in_private_headers=False),
)
TEST_LIBRARIES = re.compile(r"(gtest|gmock)/.*")

# Headers of the C library and of POSIX; those of C++ have neither a dot nor a slash.
SYSTEM = re.compile(
    r"[a-z_]+|(sys|linux|netinet|arpa)/[a-z_]+\.h|(dirent|dlfcn|errno|fcntl|poll|pthread|sched|signal|stdint|stdlib|string|termios|time|unistd)\.h"
)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CMAKE_KEYWORDS = {"SOURCES", "USES", "LIBRARIES", "PUBLIC_LIBRARIES", "TESTS"}


@dataclasses.dataclass(frozen=True)
class Include:
    """One #include line of a file under src/verilabel."""

    file: pathlib.Path  # relative to the root
    line: int
    is_quoted: bool
    target: str

    @property
    def module(self):
        return self.file.parts[2]

    @property
    def target_module(self):
        """The module of ours that is included, or None."""
        parts = self.target.split("/")
        return parts[1] if self.is_quoted and len(parts) > 2 and parts[0] == "verilabel" else None

    def offence(self, rule):
        return f"{self.file}:{self.line}: {rule}"


def is_test_code(file):
    return file.stem.endswith("_test") or file.stem.startswith("testing_")


def is_private(text):
    return re.search(r"^// .*[Pp]rivate to th(e|is) module", text, re.MULTILINE) is not None


class Tree:
    """A checkout: what its sources, its CMake files and its ARCHITECTURE.md say."""

    def __init__(self, root):
        self.root = root
        self.source = root / "src" / "verilabel"
        self.modules = sorted(path.name for path in self.source.iterdir() if path.is_dir())
        self.texts = {
            path.relative_to(root): path.read_text(encoding="utf-8")
            for path in sorted(self.source.rglob("*"))
            if path.suffix in (".h", ".cpp")
        }
        self.includes = [
            Include(file, number, match[1] == '"', match[2])
            for file, text in self.texts.items()
            for number, line in enumerate(text.splitlines(), 1)
            if (match := INCLUDE.match(line))
        ]

        self.row_lines = dict(self._read_rows())  # module -> (row, line in ARCHITECTURE.md)

    def _read_rows(self):
        for number, line in enumerate((self.text_of("ARCHITECTURE.md") or "").splitlines(), 1):
            match = re.match(r"\|\s*(\d+)\s*\|((?:\s*`\w+`,?)+)\s*\|", line)
            for module in re.findall(r"`(\w+)`", match[2]) if match else ():
                yield module, (int(match[1]), number)

    def row(self, module):
        """Where the module stands, 0 lowest; None when the table lacks it."""
        return self.row_lines.get(module, (None,))[0]

    def text_of(self, *parts):
        path = self.root.joinpath(*parts)
        return path.read_text(encoding="utf-8") if path.is_file() else None


def check_own_include(tree, include):
    target_module = include.target_module
    if target_module is None:
        yield include.offence(f'"{include.target}": our headers are included as "verilabel/MODULE/FILE.h"')
        return
    if target_module not in tree.modules:
        yield include.offence(f"{include.target}: there is no module {target_module}")
        return
    target_row, own_row = tree.row(target_module), tree.row(include.module)
    target = pathlib.Path("src") / include.target
    if target_module != include.module:
        if target_row is not None and own_row is not None:  # else check_map says that the table lacks it
            if target_row > own_row:
                yield include.offence(
                    f"{include.module} (row {own_row}) must not include {target_module} (row {target_row}), which is above it"
                )
            elif target_row == own_row:
                yield include.offence(f"{include.module} and {target_module} share row {own_row} and must not include each other")
        if is_private(tree.texts.get(target, "")):
            yield include.offence(f"{include.target} is private to {target_module}")
    if target.stem.startswith("testing_") and not is_test_code(include.file):
        yield include.offence(f"{include.target} is for tests only")


def check_foreign_include(tree, include):
    if TEST_LIBRARIES.fullmatch(include.target):
        if not is_test_code(include.file):
            yield include.offence(f"<{include.target}> is for *_test.cpp and testing_*.h only")
        return
    if SYSTEM.fullmatch(include.target):
        return
    library = next((library for library in LIBRARIES if re.fullmatch(library.headers, include.target)), None)
    if library is None:
        yield include.offence(f"<{include.target}> belongs to no library in the table of scripts/check_layers.py")
        return
    if library.modules and include.module not in library.modules:
        yield include.offence(f"{library.name} is seen by {', '.join(library.modules)} only, not by {include.module}")
    if include.file.suffix == ".h" and not library.in_public_headers:
        if not library.in_private_headers:
            yield include.offence(f"{library.name} is for .cpp files only")
        elif not is_private(tree.texts[include.file]):
            yield include.offence(
                f"a public header must not show {library.name}; a header for its own module says 'Private to the module'"
            )


def check_includes(tree):
    for include in tree.includes:
        if len(include.file.parts) > 3:
            check = check_own_include if include.is_quoted else check_foreign_include
            yield from check(tree, include)


def check_folders(tree):
    for file in tree.texts:
        if len(file.parts) < 4:
            yield f"{file}:1: belongs to no module; sources lie in a folder under src/verilabel"


def without_comments(cmake):
    return re.sub(r"#[^\n]*", "", cmake)


def module_uses(cmake):
    """(name, modules used), from the verilabel_module call, else (None, …) from what targets link; None without either."""
    cmake = without_comments(cmake)
    call = re.search(r"verilabel_module\(\s*(\w+)([^)]*)\)", cmake)
    if not call:
        links = re.findall(r"target_link_libraries\(([^)]*)\)", cmake)
        return (None, {name for link in links for name in re.findall(r"verilabel::(\w+)", link)}) if links else None
    uses, keyword = set(), None
    for word in call[2].split():
        if word in CMAKE_KEYWORDS:
            keyword = word
        elif keyword == "USES":
            uses.add(word)
    return call[1], uses


def line_of(text, pattern):
    """The number of the first line that matches, 1 when none does."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)), 1)


def check_module_cmake(tree, module):
    file = f"src/verilabel/{module}/CMakeLists.txt"
    cmake = tree.text_of(file)
    if cmake is None:
        yield f"{file}: is missing; every folder under src/verilabel is one CMake module"
        return
    found = module_uses(cmake)
    if found is None:
        yield f"{file}:1: makes no target with verilabel_module"
        return
    name, uses = found
    if name not in (None, module):
        yield f"{file}:{line_of(cmake, 'verilabel_module')}: the module is called {name}, its folder {module}"
    seen = {include.target_module: include for include in reversed(tree.includes) if include.module == module}
    built = {
        include.target_module: include
        for include in reversed(tree.includes)
        if include.module == module and not is_test_code(include.file)
    }
    for target, include in sorted(
        (target, include) for target, include in built.items() if target in tree.modules and target != module
    ):
        if target not in uses:
            yield include.offence(f"{module} includes {target}, which USES in {file} does not name")
    for used in sorted(uses - set(seen)):
        yield f"{file}:{line_of(cmake, rf'{used}')}: USES names {used}, which nothing in {module} includes"
    words = set(without_comments(cmake).replace(")", " ").replace("(", " ").split())
    for source in tree.texts:
        if source.parts[2] == module and source.suffix == ".cpp":
            if source.relative_to(f"src/verilabel/{module}").as_posix() not in words:
                yield f"{source}:1: is not named in {file}, so nobody builds it"


def check_root_cmake(tree):
    cmake = tree.text_of("CMakeLists.txt") or ""
    match = re.search(r"foreach\(module IN ITEMS ([^)]*)\)", cmake)
    listed = match[1].split() if match else []
    where = f"CMakeLists.txt:{line_of(cmake, 'foreach.module')}"
    for module in tree.modules:
        if module not in listed:
            yield f"{where}: the list of modules lacks {module}"
    rows = [tree.row(module) for module in listed if tree.row(module) is not None]
    if rows != sorted(rows):
        yield f"{where}: the list of modules does not go from the lowest row to the highest"


def check_map(tree):
    for module, (_, line) in tree.row_lines.items():
        if module not in tree.modules:
            yield f"ARCHITECTURE.md:{line}: the table names {module}, but there is no src/verilabel/{module}"
    for module in tree.modules:
        if module not in tree.row_lines:
            yield f"ARCHITECTURE.md:1: the table of layers lacks src/verilabel/{module}"


def check(root):
    """Every offence of the checkout at `root`, one line each."""
    tree = Tree(root)
    return [
        *check_folders(tree),
        *check_includes(tree),
        *(line for module in tree.modules for line in check_module_cmake(tree, module)),
        *check_root_cmake(tree),
        *check_map(tree),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    found = check(parser.parse_args().root)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
