"""What is made from the option tables: manual pages, docs/options.md, examples and completion in real shells."""

import functools
import json
import re
import shutil
import subprocess
import unittest

from support import PROGRAM, ROOT, Case, model, node, value_info, weight
from test_tactics import algorithm


@functools.cache
def options():
    """Path of the command, names, group, what is missing, and help flags of every row."""
    done = subprocess.run([PROGRAM, "--dump-options"], capture_output=True, text=True, check=True)
    head, *lines = done.stdout.splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"))) for line in lines]


class Pages(Case):
    def test_reference_is_fresh(self):
        made = self.run_it("--dump-markdown").out
        self.assertEqual(made, (ROOT / "docs" / "options.md").read_text(), "docs/options.md is old: run 'make docs'")

    def test_every_option_is_in_its_manual_page(self):
        pages = self.run_it("--dump-man").out.split()
        self.assertIn("polygraphy-inspect-model", pages)
        texts = {page: self.run_it("--dump-man", page).out for page in pages}
        helps = {row["tool"]: self.run_it(*row["tool"].replace("(root)", "").split(), "--help").out for row in options()}
        for row in options():
            page = "polygraphy" if row["tool"] == "(root)" else "polygraphy-" + row["tool"].replace(" ", "-")
            for name in row["flags"].split():
                if name.startswith("-") and re.search(rf"(^  |, ){name}\b", helps[row["tool"]], re.M):
                    self.assertIn(f"\\fB{name}\\fR".replace("-", "\\-"), texts[page], f"{page}: {name}")
        self.assertIn("'no-such-page'", self.run_it("--dump-man", "no-such-page", rc=1).err)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_manual_pages_are_good_roff(self):
        for page in self.run_it("--dump-man").out.split():
            text = self.run_it("--dump-man", page).out
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8"], input=text, capture_output=True, text=True,
                                  check=True)
            self.assertEqual(done.stderr, "", page)
            self.assertIn("SYNOPSIS", re.sub(r"\x1b\[\d*m|.\x08", "", done.stdout))

    def test_help_names_every_group_and_example(self):
        reference = (ROOT / "docs" / "options.md").read_text()
        examples = reference.split("## Examples\n\n```\n")[1].split("\n```")[0].splitlines()
        commands = re.findall(r"^\| `([a-z -]+)` \|", reference.split("## ")[0], re.M)
        for command in commands:
            text = self.run_it(*command.split(), "--help").out
            own = [line for line in examples if line.startswith(f"polygraphy {command} ")]
            self.assertTrue(own, f"'{command}' has no example")
            for line in own:
                self.assertIn(f"\n  {line}\n", text)
            groups = {row["group"] for row in options() if row["tool"] == command}
            for group in groups - {""}:
                self.assertIn(f"\n{group}:\n", text)


class Examples(Case):
    """The examples, one after the other, in a folder with a model and tactic replays."""

    def setUp(self):
        super().setUp()
        (self.folder / "model.onnx").write_bytes(
            model([node("Add", ["x", "b"], ["s"], "n_add"), node("Relu", ["s"], ["y"], "n_relu")],
                  [value_info("x", [1, 3])], [value_info("y", [1, 3])], [weight("b", [3], [-0.5, 0.25, 1.0])]))
        for name, tactic in [("replay.json", 1), ("replays/good/1.json", 1), ("replays/bad/1.json", 2)]:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(
                json.dumps({"replay": {"conv": algorithm(1, tactic)}, "polygraphy_class": "TacticReplayData"}))

    def test_examples(self):
        onnxrt = subprocess.run([PROGRAM, "check", "compatibility", "model.onnx", "--onnxrt"], cwd=self.folder,
                                capture_output=True, check=False).returncode == 0
        text = (ROOT / "docs" / "options.md").read_text().split("## Examples\n\n```\n")[1].split("\n```")[0]
        lines = text.splitlines()
        self.assertGreater(len(lines), 15)
        for line in lines:
            if line.startswith("polygraphy plugin "):
                continue  # test_plugin.py runs them, with stand-ins for Python's packages
            needs_onnxrt = "--onnxrt" in line or "check lint" in line
            if onnxrt or not needs_onnxrt:
                with self.subTest(line):
                    result = subprocess.run([PROGRAM, *line.split()[1:]], cwd=self.folder, capture_output=True,
                                            text=True, check=False, timeout=60)
                    self.assertEqual(result.returncode, 0,
                                     result.stdout + result.stderr)


class Completion(Case):
    """Each shell asks the program; what it then offers is read from the shell itself."""

    CASES = [  # words, some of what is offered, whether files are
        (["insp"], ["inspect"], False),
        (["inspect", ""], ["model", "data", "tactics"], False),
        (["run", "--it"], ["--iterations", "--iters"], False),
        (["inspect", "model", "--show", ""], ["layers", "attrs", "weights"], False),
        (["inspect", "model", "--show", "layers", "at"], ["attrs"], False),
        (["run", "--load-inputs", ""], [], True),
        (["run", "--load-inputs", "in"], [], True),
        (["run", ""], [], True),
        (["run", "model.onnx", "--seed", ""], [], False),
        (["run", "--seed", "1", ""], [], True),
        (["run", "--trt-outputs", ""], [], False),
        (["check", "accuracy", ""], [], True),
    ]

    def test_program(self):
        for words, some, files in self.CASES:
            with self.subTest(words=words):
                done = subprocess.run([PROGRAM, "--complete", *words], capture_output=True, text=True, check=False)
                offered = done.stdout.splitlines()
                self.assertLessEqual(set(some), set(offered))
                self.assertEqual((not offered and done.returncode == 0), files)
        self.assertEqual(self.run_it("--complete", "inspect", "model", "--show=l").out, "--show=layers\n")
        self.assertEqual(self.run_it("--complete", "inspect", "model", "--show", "=", "l").out, "layers\n")

    def test_every_path_completes_to_files(self):
        text = (ROOT / "docs" / "options.md").read_text()
        paths = set(re.findall(r"^\| `(?:[^`]*, )?(--[a-z0-9-]+) \[?(?:PATH|FILE|DIR)\b(?!:)", text, re.M))
        self.assertGreater(len(paths), 15)
        for row in options():
            names = set(row["flags"].split()) & paths
            if names and row["tool"] != "(root)" and not row["choices"]:
                done = subprocess.run([PROGRAM, "--complete", *row["tool"].split(), names.pop(), ""],
                                      capture_output=True, text=True, check=False)
                self.assertEqual((done.returncode, done.stdout), (0, ""), row["flags"])

    def files(self):
        for name in ["input.json", "model.onnx"]:
            (self.folder / name).write_text("")
        (self.folder / "polygraphy").symlink_to(PROGRAM)

    def shell(self, name, script, path=True):
        done = subprocess.run([name, *(["-f"] if name == "zsh" else []), "-c", script], cwd=self.folder,
                              capture_output=True, text=True, check=False, timeout=60,
                              env={"PATH": f"{self.folder}:/usr/bin:/bin", "HOME": str(self.folder), "TERM": "dumb"})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_bash(self):
        self.files()
        for words, some, files in self.CASES:
            with self.subTest(words=words):
                line = " ".join(f"'{word}'" for word in ["polygraphy", *words])
                lines = self.shell(
                    "bash", "source <(polygraphy --completion bash)\nfiles=yes\n"
                    'compopt() { [ "$1 $2" = "+o default" ] && files=no; }\n'
                    f"COMP_WORDS=({line}); COMP_CWORD={len(words)}\n_polygraphy\n"
                    '[ ${#COMPREPLY[@]} -gt 0 ] && files=no\nprintf "%s\\n" "$files" "${COMPREPLY[@]}"; complete -p polygraphy')
                self.assertEqual(lines[0], "yes" if files else "no")
                self.assertLessEqual(set(some), set(lines[1:]))
                self.assertIn("complete -o default -F _polygraphy polygraphy", lines)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        self.files()
        for words, some, files in self.CASES:
            with self.subTest(words=words):
                line = " ".join(f"'{word}'" for word in ["polygraphy", *words])
                lines = self.shell(
                    "zsh", "compdef() { : }\ncompadd() { print -l -- ${(P)2} }\n_files() { print files }\n"
                    "source <(polygraphy --completion zsh)\n"
                    f"words=({line}); CURRENT={len(words) + 1}\n_polygraphy; true")
                self.assertEqual(lines == ["files"], files)
                self.assertLessEqual(set(some), set(lines))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        self.files()
        for words, some, files in self.CASES:
            with self.subTest(words=words):
                lines = self.shell("fish", "polygraphy --completion fish | source\n"
                                   f"complete -C 'polygraphy {' '.join(words)}'")
                offered = {line.split("\t")[0] for line in lines}
                self.assertLessEqual(set(some), offered)
                self.assertEqual("input.json" in offered, files)


if __name__ == "__main__":
    unittest.main()
