"""The program around its commands: help, versions, errors, exit statuses, logging."""

import re
import unittest

from support import ROOT, Case


class Help(Case):
    def test_root(self):
        out = self.run_it("--help").out
        self.assertTrue(out.startswith("usage: polygraphy "))
        for command in ("run", "convert", "inspect", "check", "surgeon", "template", "debug", "data", "plugin",
                        "multi-device"):
            self.assertRegex(out, rf"(?m)^  {command} ")
        self.assertRegex(out, r"(?m)^  130 +stopped by Ctrl-C")

    def test_run_groups_in_order(self):
        out = self.run_it("run", "--help").out
        titles = re.findall(r"(?m)^([A-Z].*):$", out)
        self.assertEqual(titles[:3], ["Logging", "Runners", "Model"])
        self.assertIn("  --input-shapes, --inputs NAME:SHAPE ...\n", out)

    def test_help_wins_over_what_follows(self):
        self.assertIn("usage: polygraphy run", self.run_it("run", "--seed", "3", "-h", "--bogus").out)

    def test_lines_fit(self):
        out = self.run_it("run", "--help", env={"COLUMNS": "100"}).out
        for line in out.splitlines():
            self.assertTrue(len(line) <= 98 or line.startswith("  -"), line)

    def test_version(self):
        out = self.run_it("--version").out
        self.assertRegex(out, r"^Polygraphy \| Version: \d+\.\d+\.\d+ ")
        self.assertEqual(out, self.run_it("-v").out)


class Errors(Case):
    def test_no_command(self):
        err = self.run_it(rc=2).err
        self.assertTrue(err.endswith("polygraphy: error: the following arguments are required: tools\n"))

    def test_no_subcommand(self):
        err = self.run_it("inspect", rc=2).err
        self.assertTrue(err.endswith("polygraphy inspect: error: the following arguments are required: subtool\n"))

    def test_unknown_command(self):
        err = self.run_it("rnu", rc=2).err
        self.assertIn("argument tools: invalid choice: 'rnu' (choose from 'run', ", err)
        self.assertIn("did you mean 'run'?", err)

    def test_unknown_option(self):
        result = self.run_it("run", "m.onnx", "--bogus", "3", "--sed", "4", rc=1)
        self.assertEqual(result.out.splitlines()[0], "[E] Unrecognized Options: ['--bogus', '3', '--sed', '4']")
        self.assertIn("    Did you mean '--seed' instead of '--sed'?", result.out)
        self.assertEqual(result.err, "")

    def test_ambiguous_option(self):
        err = self.run_it("run", "--iter", "3", rc=2).err
        self.assertIn("error: ambiguous option: --iter could match --iterations, --iters\n", err)

    def test_bad_choice(self):
        err = self.run_it("run", "--compare", "simpel", rc=2).err
        self.assertIn("argument --compare/--compare-func: invalid choice: 'simpel' (choose from 'simple', 'indices', ",
                      err)
        self.assertIn("did you mean 'simple'?", err)

    def test_exclusive_options(self):
        err = self.run_it("run", "--load-inputs", "a", "--data-loader-script", "b", rc=2).err
        self.assertIn("argument --data-loader-script: not allowed with argument --load-inputs/--load-input-data", err)

    def test_bad_number(self):
        self.assertIn("argument --seed: invalid int value: 'x'", self.run_it("run", "--seed", "x", rc=2).err)

    def test_missing_systems_are_named(self):
        for words, needs in ((["--tf"], "the TensorFlow runtime"),
                             (["--data-loader-script", "a.py"], "Python scripts, which are not supported yet")):
            result = self.run_it("run", *words, rc=1)
            self.assertIn(f"'{words[0]}' is not available in this version: it needs {needs}", result.err)
            self.assertEqual(result.out, "")

    def test_missing_commands_say_so(self):
        err = self.run_it("surgeon", "extract", "m.onnx", rc=1).err
        self.assertEqual(err, "[!] 'polygraphy surgeon extract' is not available in this version: it needs model "
                              "editing\n")

    def test_missing_command_still_has_help(self):
        self.assertIn("usage: polygraphy convert", self.run_it("convert", "--help").out)

    def test_values(self):
        for words, part in (
                (["--input-shapes", "x:[batch,3]"], "dim 'batch' of 'x:[batch,3]' is not a number"),
                (["--input-shapes", "x:[1]", "x:[2]"], "has two values for 'x'"),
                (["--rtol", "1e-5", "1e-4"], "option '--rtol' has two values that are not for a name"),
                (["--atol", "y:abc"], "'abc' of 'y:abc' is not a number"),
                (["--check-error-stat", "maxi"], "'maxi' is not one of max, mean"),
                (["--error-quantile", "1.5"], "'1.5' is not between 0 and 1"),
                (["--index-tolerance", "0.5"], "is not an integer"),
                (["--val-range", "[0,x]"], "'x' of '[0,x]' is not a number"),
                (["--val-range", "[0,1,2]"], "is not 'name:[low,high]'"),
                (["--postprocess", "bottom-3"], "is not '[output:]top-<K>[,axis=<axis>]'"),
                (["--iterations", "-1"], "is negative"),
                (["--seed", "-1"], "is not between 0 and 4294967295"),
                (["--threads", "-1"], "is not between 0 and 4096"),
                (["--verbosity", "loud"], "'loud' is not one of ultra_verbose"),
                (["--external-data-size-threshold", "16MB"], "is not a number of bytes"),
                (["--graph-optimization-level", "max"], "is not one of ORT_DISABLE_ALL"),
                (["--data-loader-backend-module", "torch"], "use numpy"),
                (["model.bin"], "state it with --model-type")):
            result = self.run_it("run", *words, rc=1)
            self.assertTrue(result.err.startswith("[!] "), result.err)
            self.assertIn(part, result.err)


class Logging(Case):
    def test_brackets(self):
        out = self.run_it("run").out.splitlines()
        self.assertRegex(out[0], r"^\[I\] RUNNING \| Command: \S*polygraphy run$")
        self.assertEqual(out[1], "[W] No runners have been selected. Inference will not be run!")
        self.assertRegex(out[2], r"^\[I\] PASSED \| Runtime: \d+\.\d{3}s \| Command: \S*polygraphy run$")

    def test_failure(self):
        result = self.run_it("run", "--onnxrt", rc=1)
        self.assertRegex(result.out.splitlines()[-1], r"^\[E\] FAILED \| Runtime: \d+\.\d{3}s \| Command: ")
        self.assertTrue(result.err.startswith("[!] One or more runners was specified, but no model file"))

    def test_quieter(self):
        self.assertEqual([line[:12] for line in self.run_it("run", "-qq").out.splitlines()],
                         ["[W] No runne", "[I] PASSED |"])
        self.assertEqual(self.run_it("run", "-qqqq").out, "")
        self.assertEqual(self.run_it("run", "--silent").out, "")

    def test_critical_goes_to_stderr_even_when_silent(self):
        result = self.run_it("run", "--onnxrt", "--silent", rc=1)
        self.assertEqual(result.out, "")
        self.assertTrue(result.err.startswith("[!] "))

    def test_levels_by_path(self):
        out = self.run_it("run", "--verbosity", "error", "tools/run:info").out
        self.assertEqual(out, "[W] No runners have been selected. Inference will not be run!\n")
        out = self.run_it("run", "--verbosity", "comparator/comparator.py:error").out
        self.assertNotIn("No runners", out)

    def test_log_file_and_format(self):
        result = self.run_it("run", "--log-file", "deep/log.txt", "--log-format", "line-info", "timestamp",
                             "no-colors")
        text = (self.folder / "deep" / "log.txt").read_text()
        self.assertEqual(text, result.out)
        self.assertRegex(text, r"(?m)^\[W\] \(\d\d:\d\d:\d\d\) \[tools/run/rules\.c:\d+\] No runners")

    def test_options_before_the_subcommand(self):
        (self.folder / "x").write_text("")
        self.assertIn("not available", self.run_it("surgeon", "-v", "extract", "x", rc=1).err)


class Tables(Case):
    def test_dump(self):
        lines = self.run_it("--dump-options").out.splitlines()
        header, rows = lines[0].split("\t"), [line.split("\t") for line in lines[1:]]
        self.assertEqual(header[:2], ["tool", "flags"])
        self.assertTrue(all(len(row) == len(header) for row in rows))
        names = [name for row in rows if row[0] == "run" for name in row[1].split()]
        self.assertEqual(len(names), len(set(names)), "a spelling is taken twice")

    def test_every_option_has_help(self):
        out = self.run_it("run", "--help").out
        for line, below in zip(out.splitlines(), out.splitlines()[1:] + [""]):
            if line.startswith("  -"):
                self.assertTrue(re.search(r"\S  +\S", line.strip()) or below.startswith(" " * 24), line)

    def test_exit_statuses_are_documented(self):
        page = (ROOT / "docs" / "exit-codes.md").read_text()
        rows = re.findall(r"(?m)^  (\d+) +(.*)$", self.run_it("--help").out.split("exit statuses:")[1])
        self.assertEqual(rows, re.findall(r"(?m)^\| (\d+) \| (.*) \|$", page))

    def test_completion(self):
        self.assertEqual(self.run_it("--complete", "ru").out, "run\n")
        self.assertEqual(self.run_it("--complete", "inspect", "d").out, "data\ndiff-tactics\ndiff\n")
        self.assertIn("--iterations\n", self.run_it("--complete", "run", "--it").out)
        self.assertEqual(self.run_it("--complete", "run", "--compare", "in").out, "indices\n")
        self.assertEqual(self.run_it("--complete", "run", "--load-inputs", "").out, "")
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("--complete", self.run_it("--completion", shell).out)
        self.assertIn("'tcsh'", self.run_it("--completion", "tcsh", rc=1).err)


if __name__ == "__main__":
    unittest.main()
