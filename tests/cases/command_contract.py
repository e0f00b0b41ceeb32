"""Exit statuses, JSON answers, errors and help of the command line itself."""

import os
import stat
import subprocess

from harness import PROGRAM, ProgramCase, write_bitmap


class CommandContract(ProgramCase):
    def test_help_lists_every_command_and_each_explains_itself(self):
        top = self.run_program("--help", as_json=False).out.decode()
        commands = """
            quickstart init import label runs evaluate evaluations threshold review export stats samples labels models
            tag views demo
        """.split()
        for name in commands:
            self.assertIn(name, top)
            text = self.run_program(name, "--help", as_json=False).out.decode()
            self.assertIn("verilabel", text, f"{name} --help has no example")
            options = text[: text.index("\n\n", text.index("Options:"))]
            self.assertLessEqual(max(map(len, options.splitlines())), 120, f"{name} --help")

    def test_help_and_version_are_json_where_json_is_asked_for(self):
        for words in ([], ["views"], ["views", "save"], ["evaluate"]):
            text = self.run_program(*words, "--help", as_json=False).out.decode()
            self.assertEqual(self.run_program(*words, "--help").json, {"help": text}, words)
            self.assertEqual(self.run_program(*words, "-h").json, {"help": text}, words)
        version = self.run_program("--version", as_json=False).out.decode()
        self.assertEqual(self.run_program("--version").json, {"version": version})

    def test_wrong_use_is_status_2_and_one_json_error(self):
        self.init()
        for words in (
            ["import", "--no-such-option"],
            ["nonsense-command"],
            ["review", "accept"],
            ["views", "-list"],
            ["-x"],
            [],
        ):
            error = self.error(*words, status=2)
            self.assertEqual(error["code"], "wrong_use", words)
            self.assertTrue(error["message"])

    def test_an_empty_name_is_not_taken_for_none(self):
        # What `--thresholds "$UNSET"` comes to: all labels would be accepted.
        self.init()
        evaluated = ("--predictions", "auto", "--truth", "ground_truth")
        for words in (
            ["review", "accept", "--where", "", "--thresholds"],
            ["export", "--set", "auto", "--format", "coco", "--output", "x.json", "--thresholds"],
            ["import", "--classes-map"],
            ["threshold", *evaluated, "--output"],
            ["evaluate", *evaluated, "--report"],
            ["evaluate", *evaluated, "--compare"],
        ):
            error = self.error(*words, "", status=2)
            self.assertIn(f"{words[-1]}: needs a name", error["message"])

    def test_a_name_that_is_not_utf_8_is_refused(self):
        self.init()
        name = os.fsdecode(b"a\xff")
        for words in (
            ["tag", "add", name, "--where", ""],
            ["views", "save", name, ""],
            ["import", "--images", ".", "--split", name],
            ["label", "--model", "m", "--set", name],
        ):
            error = self.error(*words, status=2)
            self.assertIn("must be UTF-8: a\\xff", error["message"], words)
        self.assertEqual(self.run_program("stats").json["samples"], 0)

    def test_unknown_command_runs_a_program_of_that_name(self):
        self.init()
        tool = self.scratch / "verilabel-shout"
        tool.write_text('#!/bin/sh\necho "$VERILABEL_PROJECT|$1"\nexit 7\n')
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        env = dict(os.environ, PATH=f"{self.scratch}:{os.environ['PATH']}")
        answer = self.run_program("shout", "loud", status=7, as_json=False, env=env)
        self.assertEqual(answer.out.decode().strip(), f"{self.project}|loud")

    def test_no_project_is_not_found_and_says_how_to_make_one(self):
        error = self.error("stats", status=3)
        self.assertEqual(error["code"], "not_found")
        self.assertIn("init", error["message"])

    def test_init_twice_changes_nothing(self):
        self.init()
        write_bitmap(self.scratch / "images" / "a.bmp")
        self.run_program("import", "--images", self.scratch / "images")
        self.error("init", status=7)
        self.assertEqual(self.run_program("stats").json["samples"], 1)

    def test_empty_project_answers_empty_not_wrong(self):
        self.init()
        self.assertEqual(self.run_program("runs", "list").json, {"runs": []})
        self.assertEqual(self.run_program("evaluations").json, {"evaluations": []})
        self.assertEqual(self.run_program("samples").json["samples"], [])
        self.assertEqual(self.run_program("labels").json["labels"], [])
        for words in (["stats"], ["runs"], ["evaluations"], ["samples"], ["labels"]):
            self.assertTrue(self.run_program(*words, as_json=False).out.strip(), f"{words} says nothing at all")

    def test_project_of_a_newer_version_is_refused_and_left_alone(self):
        self.init()
        database = self.project / "verilabel.db"
        import sqlite3

        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA user_version = 99999")
        connection.close()
        error = self.error("stats", status=8)
        self.assertEqual(error["code"], "newer_version")

    def test_output_pipe_that_closes_early_is_no_crash(self):
        self.init()
        for i in range(300):
            write_bitmap(self.scratch / "images" / f"{i}.bmp", 2, 2)
        self.run_program("import", "--images", self.scratch / "images")
        reader = subprocess.run(
            ["sh", "-c", f'"{PROGRAM}" --project "{self.project}" samples | head -n 1'],
            capture_output=True,
            check=True,
        )
        self.assertTrue(reader.stdout)
