"""Tests of check_layers.py on small trees, each with one fault."""

import pathlib
import tempfile
import unittest

import check_layers

TABLE = """
| row | module | holds |
|---|---|---|
| 0 | `base` | errors |
| 1 | `geometry` | boxes |
| 1 | `image` | pixels |
| 2 | `store` | rows |
"""
ROOT_CMAKE = "foreach(module IN ITEMS base geometry image store)\nendforeach()\n"
GOOD = {
    "ARCHITECTURE.md": TABLE,
    "CMakeLists.txt": ROOT_CMAKE,
    "src/verilabel/base/CMakeLists.txt": "verilabel_module(base SOURCES error.cpp)\n",
    "src/verilabel/base/error.h": "#pragma once\n#include <string>\n#include <fmt/format.h>\n",
    "src/verilabel/base/error.cpp": '#include "verilabel/base/error.h"\n#include <openssl/evp.h>\n',
    "src/verilabel/geometry/CMakeLists.txt": "verilabel_module(geometry SOURCES box.cpp USES base TESTS box_test.cpp)\n",
    "src/verilabel/geometry/box.h": "#pragma once\n",
    "src/verilabel/geometry/box.cpp": '#include "verilabel/geometry/box.h"\n\n#include "verilabel/base/error.h"\n',
    "src/verilabel/geometry/box_test.cpp": '#include "verilabel/geometry/box.h"\n#include <gtest/gtest.h>\n',
    "src/verilabel/image/CMakeLists.txt": "verilabel_module(image\n  SOURCES decode.cpp  # pixels\n  USES base\n)\n",
    "src/verilabel/image/decode.h": '#pragma once\n#include "verilabel/base/error.h"\n',
    "src/verilabel/image/decode.cpp": '#include "verilabel/image/decode.h"\n#include <opencv2/core.hpp>\n',
    "src/verilabel/store/CMakeLists.txt": "verilabel_module(store SOURCES project.cpp USES geometry)\n",
    "src/verilabel/store/database.h": "#pragma once\n// Private to the module.\n#include <sqlite3.h>\n",
    "src/verilabel/store/project.h": '#pragma once\n#include "verilabel/geometry/box.h"\n',
    "src/verilabel/store/project.cpp": '#include "verilabel/store/database.h"\n#include <unistd.h>\n',
}


def violations(changes):
    """What the check says of the good tree with some files changed (None: left out)."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**GOOD, **changes}.items():
            if text is not None:
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        return check_layers.check(pathlib.Path(folder))


class CheckLayers(unittest.TestCase):
    def assert_only(self, changes, *parts):
        """The changes cause one violation, and its text holds all the parts."""
        found = violations(changes)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_a_tree_in_order_passes(self):
        self.assertEqual(violations({}), [])

    def test_an_arrow_up_names_file_line_and_rows(self):
        self.assert_only(
            {
                "src/verilabel/base/error.cpp": '#include "verilabel/base/error.h"\n#include "verilabel/geometry/box.h"\n',
                "src/verilabel/base/CMakeLists.txt": "verilabel_module(base SOURCES error.cpp USES geometry)\n",
            },
            "src/verilabel/base/error.cpp:2: base (row 0) must not include geometry (row 1)",
        )

    def test_modules_of_one_row_do_not_include_each_other(self):
        self.assert_only(
            {
                "src/verilabel/image/decode.h": (
                    '#pragma once\n#include "verilabel/base/error.h"\n#include "verilabel/geometry/box.h"\n'
                ),
                "src/verilabel/image/CMakeLists.txt": "verilabel_module(image SOURCES decode.cpp USES base geometry)\n",
            },
            "src/verilabel/image/decode.h:3: image and geometry share row 1",
        )

    def test_an_include_of_an_unknown_folder(self):
        found = violations({"src/verilabel/geometry/box.h": '#include "verilabel/misc/all.h"\n'})
        self.assertEqual(found[0], "src/verilabel/geometry/box.h:1: verilabel/misc/all.h: there is no module misc")

    def test_a_library_outside_of_its_module(self):
        self.assert_only(
            {"src/verilabel/geometry/box_test.cpp": "#include <sqlite3.h>\n"},
            "src/verilabel/geometry/box_test.cpp:1: SQLite is seen by store only, not by geometry",
        )

    def test_json_stays_out_of_headers(self):
        self.assert_only(
            {"src/verilabel/store/project.h": '#include "verilabel/geometry/box.h"\n#include <nlohmann/json.hpp>\n'},
            "src/verilabel/store/project.h:2: nlohmann-json is for .cpp files only",
        )

    def test_a_public_header_shows_no_library_but_fmt(self):
        self.assert_only(
            {"src/verilabel/store/database.h": "#pragma once\n#include <sqlite3.h>\n"},
            "src/verilabel/store/database.h:2: a public header must not show SQLite",
        )

    def test_a_private_header_stays_in_its_module(self):
        self.assert_only(
            {
                "ARCHITECTURE.md": TABLE + "| 3 | `cli` | commands |\n",
                "CMakeLists.txt": ROOT_CMAKE.replace("store", "store cli"),
                "src/verilabel/cli/CMakeLists.txt": "verilabel_module(cli SOURCES run.cpp USES store)\n",
                "src/verilabel/cli/run.cpp": '#include "verilabel/store/database.h"\n',
            },
            "src/verilabel/cli/run.cpp:1: verilabel/store/database.h is private to store",
        )

    def test_what_serves_tests_stays_in_tests(self):
        self.assert_only(
            {
                "src/verilabel/geometry/testing_boxes.h": "#pragma once\n#include <gtest/gtest.h>\n",
                "src/verilabel/geometry/box_test.cpp": '#include "verilabel/geometry/testing_boxes.h"\n',
                "src/verilabel/geometry/box.cpp": (
                    '#include "verilabel/base/error.h"\n#include "verilabel/geometry/testing_boxes.h"\n'
                ),
            },
            "src/verilabel/geometry/box.cpp:2: verilabel/geometry/testing_boxes.h is for tests only",
        )

    def test_an_unknown_library_is_asked_about(self):
        self.assert_only(
            {"src/verilabel/geometry/box.h": "#include <Eigen/Dense>\n"},
            "src/verilabel/geometry/box.h:1: <Eigen/Dense> belongs to no library",
        )

    def test_test_libraries_stay_in_tests(self):
        self.assert_only(
            {"src/verilabel/geometry/box.h": "#include <gtest/gtest.h>\n"},
            "src/verilabel/geometry/box.h:1: <gtest/gtest.h> is for *_test.cpp and testing_*.h only",
        )

    def test_our_headers_are_named_from_src(self):
        self.assert_only(
            {"src/verilabel/geometry/box_test.cpp": '#include "box.h"\n'},
            'src/verilabel/geometry/box_test.cpp:1: "box.h": our headers are included as',
        )

    def test_uses_that_lack_an_included_module(self):
        self.assert_only(
            {"src/verilabel/geometry/CMakeLists.txt": "verilabel_module(geometry SOURCES box.cpp TESTS box_test.cpp)\n"},
            "src/verilabel/geometry/box.cpp:3: geometry includes base, which USES",
        )

    def test_uses_that_nobody_includes(self):
        self.assert_only(
            {"src/verilabel/store/CMakeLists.txt": "verilabel_module(store SOURCES project.cpp USES base geometry)\n"},
            "src/verilabel/store/CMakeLists.txt:1: USES names base, which nothing in store includes",
        )

    def test_a_file_that_is_not_built(self):
        self.assert_only(
            {"src/verilabel/geometry/CMakeLists.txt": "verilabel_module(geometry SOURCES box.cpp USES base)\n"},
            "src/verilabel/geometry/box_test.cpp:1: is not named in",
        )

    def test_a_folder_without_cmake(self):
        self.assert_only({"src/verilabel/store/CMakeLists.txt": None}, "src/verilabel/store/CMakeLists.txt: is missing")

    def test_a_module_under_another_name(self):
        self.assert_only(
            {"src/verilabel/base/CMakeLists.txt": "verilabel_module(basis SOURCES error.cpp)\n"},
            "src/verilabel/base/CMakeLists.txt:1: the module is called basis, its folder base",
        )

    def test_a_program_links_what_it_includes(self):
        program = {
            "ARCHITECTURE.md": TABLE + "| 3 | `app` | main |\n",
            "CMakeLists.txt": ROOT_CMAKE.replace("store", "store app"),
            "src/verilabel/app/CMakeLists.txt": (
                "add_executable(verilabel main.cpp)\ntarget_link_libraries(verilabel PRIVATE verilabel::store)\n"
            ),
            "src/verilabel/app/main.cpp": '#include "verilabel/store/project.h"\n',
        }
        self.assertEqual(violations(program), [])
        program["src/verilabel/app/main.cpp"] += '#include "verilabel/base/error.h"\n'
        self.assert_only(program, "src/verilabel/app/main.cpp:2: app includes base, which USES in src/verilabel/app/CMakeLists.txt")

    def test_the_table_lists_exactly_the_folders(self):
        self.assert_only({"ARCHITECTURE.md": TABLE + "| 2 | `hub` | downloads |\n"}, "ARCHITECTURE.md:8: the table names hub")
        found = violations({"ARCHITECTURE.md": TABLE.replace("| 2 | `store` | rows |\n", "")})
        self.assertEqual(found, ["ARCHITECTURE.md:1: the table of layers lacks src/verilabel/store"])

    def test_the_root_adds_each_module_once_and_bottom_to_top(self):
        self.assert_only({"CMakeLists.txt": ROOT_CMAKE.replace("image ", "")}, "CMakeLists.txt:1: the list of modules lacks image")
        self.assert_only(
            {"CMakeLists.txt": ROOT_CMAKE.replace("base geometry", "geometry base")},
            "CMakeLists.txt:1: the list of modules does not go from the lowest row",
        )


if __name__ == "__main__":
    unittest.main()
