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
    "src/verilabel/store/database.h": "#pragma once\n#include <sqlite3.h>\n",
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
            "src/verilabel/base/error.cpp:2",
            "base (row 0) -> verilabel/geometry/box.h: geometry (row 1)",
        )

    def test_modules_of_one_row_do_not_include_each_other(self):
        self.assert_only(
            {
                "src/verilabel/image/decode.h": (
                    '#pragma once\n#include "verilabel/base/error.h"\n#include "verilabel/geometry/box.h"\n'
                ),
                "src/verilabel/image/CMakeLists.txt": "verilabel_module(image SOURCES decode.cpp USES base geometry)\n",
            },
            "src/verilabel/image/decode.h:3",
            "the same row",
        )

    def test_an_include_of_an_unknown_folder(self):
        found = violations({"src/verilabel/geometry/box.h": '#include "verilabel/misc/all.h"\n'})
        self.assertIn("src/verilabel/geometry/box.h:1: verilabel/misc/all.h is in no folder of src/verilabel", found)

    def test_a_library_outside_of_its_module(self):
        self.assert_only(
            {"src/verilabel/geometry/box_test.cpp": "#include <sqlite3.h>\n"},
            "src/verilabel/geometry/box_test.cpp:1: <sqlite3.h> belongs to store alone",
        )

    def test_json_stays_out_of_headers(self):
        self.assert_only(
            {"src/verilabel/store/project.h": '#include "verilabel/geometry/box.h"\n#include <nlohmann/json.hpp>\n'},
            "src/verilabel/store/project.h:2: <nlohmann/json.hpp> in a header",
        )

    def test_a_library_in_a_header_that_another_module_reaches(self):
        self.assert_only(
            {
                "ARCHITECTURE.md": TABLE + "| 3 | `cli` | commands |\n",
                "CMakeLists.txt": ROOT_CMAKE.replace("store", "store cli"),
                "src/verilabel/store/project.h": '#include "verilabel/store/database.h"\n#include "verilabel/geometry/box.h"\n',
                "src/verilabel/cli/CMakeLists.txt": "verilabel_module(cli SOURCES run.cpp USES store)\n",
                "src/verilabel/cli/run.cpp": '#include "verilabel/store/project.h"\n',
            },
            "src/verilabel/cli/run.cpp:1 -> src/verilabel/store/project.h:1 -> src/verilabel/store/database.h:2: <sqlite3.h>",
        )

    def test_an_unknown_library_is_asked_about(self):
        self.assert_only({"src/verilabel/geometry/box.h": "#include <Eigen/Dense>\n"}, "<Eigen/Dense>", "LIBRARIES")

    def test_test_libraries_stay_in_tests(self):
        self.assert_only({"src/verilabel/geometry/box.h": "#include <gtest/gtest.h>\n"}, "outside of tests")

    def test_our_headers_are_named_from_src(self):
        self.assert_only({"src/verilabel/geometry/box_test.cpp": '#include "box.h"\n'}, 'as "verilabel/geometry/…"')

    def test_uses_that_lack_an_included_module(self):
        self.assert_only(
            {"src/verilabel/geometry/CMakeLists.txt": "verilabel_module(geometry SOURCES box.cpp TESTS box_test.cpp)\n"},
            "USES lacks base, which src/verilabel/geometry/box.cpp:3 includes",
        )

    def test_uses_that_nobody_includes(self):
        self.assert_only(
            {"src/verilabel/store/CMakeLists.txt": "verilabel_module(store SOURCES project.cpp USES base geometry)\n"},
            "USES base, which no file",
        )

    def test_a_file_that_is_not_built(self):
        self.assert_only(
            {"src/verilabel/geometry/CMakeLists.txt": "verilabel_module(geometry SOURCES box.cpp USES base)\n"},
            "box_test.cpp is not built",
        )

    def test_a_folder_without_cmake(self):
        self.assert_only({"src/verilabel/store/CMakeLists.txt": None}, "src/verilabel/store/CMakeLists.txt: missing")

    def test_a_module_under_another_name(self):
        self.assert_only(
            {"src/verilabel/base/CMakeLists.txt": "verilabel_module(basis SOURCES error.cpp)\n"},
            "verilabel_module names basis, the folder is base",
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
        self.assert_only(program, "src/verilabel/app/CMakeLists.txt: USES lacks base")

    def test_the_table_lists_exactly_the_folders(self):
        self.assert_only({"ARCHITECTURE.md": TABLE + "| 2 | `hub` | downloads |\n"}, "names hub", "does not exist")
        found = violations({"ARCHITECTURE.md": TABLE.replace("| 2 | `store` | rows |\n", "")})
        self.assertEqual(found, ["ARCHITECTURE.md: the folder src/verilabel/store is not in the table of layers"])

    def test_the_root_adds_each_module_once_and_bottom_to_top(self):
        self.assert_only({"CMakeLists.txt": ROOT_CMAKE.replace("image ", "")}, "names image 0 times")
        self.assert_only(
            {"CMakeLists.txt": ROOT_CMAKE.replace("base geometry", "geometry base")}, "base (row 0) comes after geometry (row 1)"
        )


if __name__ == "__main__":
    unittest.main()
