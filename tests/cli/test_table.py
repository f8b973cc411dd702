"""Bad input and missing systems for every row of the option table, generated from it: each option is given a word that it
cannot take, left without its word, shortened by a letter, pointed at a place that cannot be written; each option whose system
is not there must say so; each other one must be read by something."""

import re
import unittest
from collections import defaultdict
from difflib import SequenceMatcher
from pathlib import Path

from support import ROOT, Case, polygraphy, relu_model

# What a command needs before its options are looked at; files are there.
BASES = {
    "run": ["run", "model.onnx", "--native"],
    "convert": ["convert", "model.onnx", "-o", "converted.onnx"],
    "inspect model": ["inspect", "model", "model.onnx"],
    "inspect sparsity": ["inspect", "sparsity", "model.onnx"],
    "inspect data": ["inspect", "data", "outputs.json"],
    "inspect tactics": ["inspect", "tactics", "replay.json"],
    "inspect diff": ["inspect", "diff", "outputs.json", "outputs.json"],
    "check accuracy": ["check", "accuracy", "accuracy.json", "--check-error-stat", "max"],
    "check compatibility": ["check", "compatibility", "model.onnx", "--native"],
    "debug diff-tactics": ["debug", "diff-tactics", "replay.json", "replay.json"],
    "data concat": ["data", "concat", "outputs.json", "-o", "joined.json"],
    "data merge": ["data", "merge", "outputs.json", "-o", "joined.json"],
}
GOOD = {"": "word", "shapes": "x:[1,3]", "bytes": "16M", "named bytes": "pool:16M", "named": "name:value", "share": "50%",
        "path": "some.file"}
BAD = {"shapes": ("x:[1,b]", "'b'"), "bytes": ("16MB", "K, M, G"), "named bytes": ("16M", "name:size"),
       "named": ("value", "name:value"), "share": ("150%", "0% to 100%")}
# Options that are read by nothing else than their own row, with the reason.
UNREAD = {
    "--no-onnxruntime-shape-inference": "its inference is never used, so it holds in any case",
    "--statistics": "statistics are always shown",
}


class Row:
    def __init__(self, fields):
        self.tool, self.type, self.nargs = fields["tool"], fields["type"], fields["nargs"] or "1"
        self.names = fields["flags"].split()
        self.choices = [c for c in fields["choices"].split("|") if c]
        self.required, self.exclusive = fields["required"] == "yes", fields["mutex"]
        self.group = fields["group"]
        self.missing, self.ours, self.syntax = fields["missing"], fields["origin"] == "ours", fields["syntax"]

    @property
    def positional(self):
        return not self.names[0].startswith("-")

    @property
    def label(self):
        return "/".join(self.names)

    @property
    def long(self):
        return next((name for name in self.names if name.startswith("--")), self.names[0])

    def words(self):
        """The option with words that it takes."""
        if self.nargs == "0":
            return [self.long]
        word = self.choices[0] if self.choices else {"int": "1", "float": "0.5"}.get(self.type, GOOD[self.syntax])
        return [self.long, word]


def read_table():
    lines = polygraphy("--dump-options").out.splitlines()
    rows = defaultdict(list)
    for line in lines[1:]:
        fields = dict(zip(lines[0].split("\t"), line.split("\t")))
        rows[fields["tool"]].append(Row(fields))
    return rows


TABLE = read_table()
GROUPS = {"(root)", "inspect", "check", "surgeon", "template", "debug", "data", "plugin", "multi-device"}
LEAVES = sorted(set(TABLE) - GROUPS)


def required_words(rows, but=None):
    """What a command cannot do without."""
    words = []
    for row in rows:
        if row.required and row is not but:
            words += ["model.onnx"] if row.positional else row.words()
    return words


class Table(Case):
    def answer(self, tool, words, but=None):
        """A command line of a tool with what it requires before the words."""
        return polygraphy(*tool.split(), *required_words(TABLE[tool], but), *words, cwd=self.folder)

    def rows(self, wanted):
        found = [(tool, row) for tool in LEAVES for row in TABLE[tool] if not row.positional and wanted(row)]
        self.assertTrue(found)
        return found

    def refused(self, result, row, *parts):
        """A usage error that names the option."""
        self.assertEqual(result.rc, 2, result.out + result.err)
        self.assertIn(f"error: argument {row.label}: ", result.err)
        for part in parts:
            self.assertIn(part, result.err)

    def test_choices(self):
        for tool, row in self.rows(lambda row: row.choices):
            with self.subTest(tool=tool, option=row.long):
                near = row.choices[0][:-1] + row.choices[0][-1:] * 2 if len(row.choices[0]) > 3 else row.choices[0] + "x"
                if row.type == "int":
                    self.refused(self.answer(tool, [row.long, "7"], row), row, "invalid choice: '7'", f"'{row.choices[0]}'")
                    continue
                result = self.answer(tool, [row.long, near], row)
                self.refused(result, row, f"invalid choice: '{near}' (choose from ", "; did you mean '",
                             *[f"'{choice}'" for choice in row.choices])
                self.refused(self.answer(tool, [row.long, "no such word"], row), row, "invalid choice: 'no such word'")

    def test_numbers(self):
        for tool, row in self.rows(lambda row: row.type in ("int", "float") and not row.choices):
            with self.subTest(tool=tool, option=row.long):
                for word in ("many", "0x10", "1.5.2", "", "99999999999999999999" if row.type == "int" else "1e"):
                    self.refused(self.answer(tool, [f"{row.long}={word}"], row), row, f"invalid {row.type} value: '{word}'")

    def test_words_that_are_not_there(self):
        for tool, row in self.rows(lambda row: row.nargs in "1+"):
            with self.subTest(tool=tool, option=row.long):
                self.refused(self.answer(tool, [row.long], row), row, "expected one argument" if row.nargs == "1"
                             else "expected at least one argument")

    def test_words_that_do_not_belong(self):
        for tool, row in self.rows(lambda row: row.nargs == "0"):
            with self.subTest(tool=tool, option=row.long):
                self.refused(self.answer(tool, [f"{row.long}=word"], row), row, "ignored explicit argument 'word'")

    def test_empty_paths(self):
        for tool, row in self.rows(lambda row: row.syntax == "path" and row.nargs != "R"):
            with self.subTest(tool=tool, option=row.long):
                self.refused(self.answer(tool, [f"{row.long}="], row), row, "the path is empty")

    def test_values_of_a_kind(self):
        for tool, row in self.rows(lambda row: row.syntax in BAD):
            with self.subTest(tool=tool, option=row.long):
                word, part = BAD[row.syntax]
                result = self.answer(tool, [row.long, word], row)
                self.assertEqual(result.rc, 1, result.out + result.err)
                self.assertRegex(result.err, rf"^\[!\] option '{row.long}': ")
                self.assertIn(part, result.err)

    def test_exclusive_options(self):
        count = 0
        for tool in LEAVES:
            groups = defaultdict(list)
            for row in TABLE[tool]:
                if row.exclusive:
                    groups[row.exclusive].append(row)
            for first, second in ((a, b) for rows in groups.values() for a in rows for b in rows if a is not b):
                count += 1
                with self.subTest(tool=tool, options=(first.long, second.long)):
                    self.refused(self.answer(tool, [*first.words(), *second.words()], second), second,
                                 f"not allowed with argument {first.label}")
        self.assertGreater(count, 20)

    def test_required_words(self):
        for tool in LEAVES:
            for row in TABLE[tool]:
                if row.required:
                    with self.subTest(tool=tool, word=row.label):
                        result = polygraphy(*tool.split(), *required_words(TABLE[tool], row), cwd=self.folder)
                        self.assertEqual(result.rc, 2, result.err)
                        self.assertIn(f"the following arguments are required: {row.label}\n", result.err)

    def test_misspelt_options(self):
        """A letter too few in the middle: nothing is done, and the right name is offered."""
        for tool, row in self.rows(lambda row: row.long.startswith("--") and len(row.long) > 7):
            with self.subTest(tool=tool, option=row.long):
                name = row.long[:4] + row.long[5:]
                if row.long[4] == row.long[5] or any(other.startswith(name) for r in TABLE[tool] for other in r.names):
                    continue
                result = self.answer(tool, [name, *row.words()[1:]], row)
                if row.required:
                    self.assertEqual(result.rc, 2)
                    continue
                self.assertEqual(result.rc, 1, result.err)
                offered = re.search(rf"Did you mean '(.*)' instead of '{name}'\?", result.out)
                self.assertTrue(offered, result.out)
                # Another name may be as near: --tf-outputs and --trt-outputs.
                self.assertGreater(SequenceMatcher(None, name, offered.group(1)).ratio(), 0.9)
                self.assertIn(offered.group(1), {other for r in TABLE[tool] for other in r.names})

    # ---- Systems that are not there ----

    def test_missing_systems(self):
        """Neither an option nor a command whose system is not there is passed over in silence."""
        for tool, row in self.rows(lambda row: row.missing):
            with self.subTest(tool=tool, option=row.long):
                result = self.answer(tool, row.words(), row)
                self.assertEqual(result.rc, 1, result.out + result.err)
                line = result.err.splitlines()[-1]
                if line.startswith("[!] 'polygraphy "):  # the command as a whole is missing
                    self.assertRegex(line, rf"^\[!\] 'polygraphy {tool}' is not available in this version: it needs .")
                else:
                    self.assertEqual(line, f"[!] option '{row.long}' is not available in this version: it needs {row.missing}")

    def test_options_of_tensorrt(self):
        """With --trt and no TensorRT they are an error; without --trt they are said to do nothing; with a library that is none the
        error names it."""
        self.make_files()
        rows = [row for row in TABLE["run"] if re.search(r"TensorRT|ONNX-TRT", row.group) and not row.missing]
        rows = [row for row in rows if "[UNTESTED]" not in row.group]
        for row in rows:
            words = row.words()
            if row.long in ("--trt-engine", "--trt-library"):
                continue
            with self.subTest(option=row.long):
                idle = polygraphy("run", "model.onnx", "--native", *words, cwd=self.folder)
                self.assertIn(row.long, "\n".join(line for line in (idle.out + idle.err).splitlines()
                                                  if line.startswith(("[W]", "[!]"))))
                result = polygraphy("run", "model.onnx", "--trt", *words, cwd=self.folder, env={"POLYGRAPHY_TENSORRT": "blocker"})
                self.assertEqual(result.rc, 1, result.out)
                self.assertRegex(result.err, rf"{row.long}\b|blocker")
        self.assertGreater(len(rows), 40)

    def test_no_row_is_dead(self):
        """The field of every row is used somewhere besides the row, the struct and the reset."""
        sources = {path: re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
                   for path in sorted(Path(ROOT, "src").rglob("*.[ch]"))}
        everything = "\n".join(sources.values())
        count = 0
        for path, text in sources.items():
            for names, member in re.findall(r'\{\s*"([^"]+)",\s*PG_FIELD\(\w+,\s*(\w+)\)', text):
                count += 1
                if names.split()[0] in UNREAD:
                    continue
                with self.subTest(file=path.name, option=names):
                    self.assertRegex(everything, rf"(?:->|\.)(?:\w+\.)?{member}\b")
        self.assertGreater(count, 80)

    def test_exceptions_are_rows(self):
        names = {name for rows in TABLE.values() for row in rows for name in row.names}
        self.assertLessEqual(set(UNREAD), names)

    # ---- Targets ----

    def make_files(self):
        (self.folder / "model.onnx").write_bytes(relu_model())
        (self.folder / "blocker").write_text("a file where a folder is needed")
        self.run_it("run", "model.onnx", "--native", "--native", "--save-outputs", "outputs.json", "--save-accuracy-results",
                    "accuracy.json", "--check-error-stat", "max")
        (self.folder / "replay.json").write_text('{"replay": {}, "polygraphy_class": "TacticReplayData"}')

    def test_targets_that_cannot_be_written(self):
        """Found before a model is loaded into a runtime, and named with the option; nothing else is written."""
        self.make_files()
        before = sorted(self.folder.rglob("*"))
        count = 0
        for tool, base in BASES.items():
            rows = {row.long: row for row in TABLE[tool] if row.syntax == "path" and not row.missing and not row.positional}
            for row in rows.values():
                if not re.match(r"--(save|output|report|junit|sarif|json|log-file|svg|dot)\b", row.long):
                    continue
                if row.long in ("--save-external-data",):  # a name beside the model, not a path
                    continue
                count += 1
                with self.subTest(tool=tool, option=row.long):
                    words = [w for i, w in enumerate(base) if row.long != "--output" or "-o" not in base[max(i - 1, 0):i + 1]]
                    result = polygraphy(*words, row.long, "blocker/out.json", cwd=self.folder)
                    if f"Option: {row.long} does nothing here" in result.out or row.long in ("--save-timing-cache", "--save-tactics"):
                        continue  # told, or for engines only
                    self.assertEqual(result.rc, 1, result.out + result.err)
                    self.assertIn("blocker", result.err)
                    self.assertRegex(result.err, r"\[!\] ")
                    self.assertNotIn("Activating", result.out)
                    self.assertEqual(sorted(self.folder.rglob("*")), before)
        self.assertGreater(count, 25)

    def test_empty_folders_are_taken(self):
        self.make_files()
        for name in ("out", "in"):
            (self.folder / name).mkdir()
        self.run_it("run", "model.onnx", "--native", "--save-outputs", "out", "--save-inputs", "in")
        self.assertEqual([path.name for path in (self.folder / "out").iterdir()], ["0000000000.json"])
        self.assertIn("is not empty", self.run_it("run", "model.onnx", "--native", "--save-outputs", "out", rc=1).err)

    def test_sources_that_are_not_there(self):
        """Named with the option before anything runs."""
        self.make_files()
        for words in (["--load-inputs", "none.json"], ["--load-inputs", "outputs.json", "x:none.npy"], ["--load-outputs", "none"],
                      ["--load-outputs", "outputs.json", "none.json"], ["--external-data-dir", "blocker"],
                      ["--onednn-library", "none.so", "--threads", "1"]):
            with self.subTest(words=words):
                result = self.run_it("run", "model.onnx", "--native", *words, rc=1)
                self.assertRegex(result.err, rf"{words[0]}\b")
                self.assertRegex(result.err, "none|blocker")
                self.assertNotIn("Activating", result.out)
        for line in ("inspect data none.json", "inspect diff outputs.json none.json", "check accuracy none.json",
                     "inspect tactics none.json", "debug diff-tactics replay.json none.json", "convert none.onnx -o x.onnx",
                     "data concat outputs.json none.json -o x.json", "data merge none.json outputs.json -o x.json"):
            with self.subTest(line=line):
                self.assertRegex(self.run_it(*line.split(), rc=1).err, r"none\.\w+")
                self.assertFalse(list(self.folder.glob("x.*")))

    # ---- Names and words that no row lists ----

    def test_words_with_a_list_of_their_own(self):
        self.make_files()
        for words, wrong, near, others in (
                (["--graph-optimization-level"], "ORT_ENABLE_BASC", "ORT_ENABLE_BASIC", ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"]),
                (["--check-error-stat"], "mediam", "median", ["elemwise", "max", "mean", "quantile"]),
                (["--range-report"], "fp17", "fp16", ["bf16", "fp8", "int8"]),
                (["--verbosity"], "infos", "info", ["warning", "critical", "extra_verbose"])):
            with self.subTest(option=words[0]):
                err = self.run_it("run", "model.onnx", "--native", *words, wrong, rc=1).err
                self.assertIn(f"option '{words[0]}': '{wrong}' is not one of ", err)
                self.assertIn(f"; did you mean '{near}'?", err)
                for other in others:
                    self.assertIn(other, err)
        self.assertIn("'fishh' is not one of bash, zsh, fish; did you mean 'fish'?",
                      self.run_it("--completion", "fishh", rc=1).err)

    def test_names_of_tensors(self):
        self.make_files()
        result = self.run_it("run", "model.onnx", "--native", "--input-shapes", "xx:[1,3]", rc=1)
        self.assertIn("option '--input-shapes': no input matches 'xx'; the model's inputs are: 'x'; did you mean 'x'?", result.err)
        self.assertNotIn("Activating", result.out)
        self.assertIn("the model has: 's', 'y', 'x'",
                      self.run_it("run", "model.onnx", "--native", "--onnx-outputs", "q", rc=1).err)
        for words, part in ((["--val-range", "z:[0,1]"], "Extra items in val_range: {'z'}"),
                            (["--rtol", "z:1", "--onnx"], "Extra items in the rtol dictionary: {'z'}"),
                            (["--onnx-outputs-by-type", "Rel"], "No ONNX nodes of op type 'Rel'"),
                            (["--postprocess", "z:top-1"], "--postprocess names 'z', but the model has no such output")):
            with self.subTest(words=words):
                self.assertIn(part, self.run_it("run", "model.onnx", "--native", *words).out)


if __name__ == "__main__":
    unittest.main()
