"""`run` with the built-in engine on models made here: log lines, files, verdicts."""

import json
import re
import signal
import subprocess
import time
import unittest

from support import PROGRAM, Case, model, node, relu_model, value_info, weight

STAMP = r"\d\d/\d\d/\d\d-\d\d:\d\d:\d\d"


def plain(text):
    """Log lines without what changes from run to run."""
    return re.sub(STAMP, "STAMP", text)


class Run(Case):
    def setUp(self):
        super().setUp()
        self.save("m.onnx", relu_model())

    def save(self, name, payload):
        (self.folder / name).write_bytes(payload)

    def json(self, name):
        return json.loads((self.folder / name).read_text())


class OneRunner(Run):
    def test_log_lines(self):
        out = plain(self.run_it("run", "m.onnx", "--native").out)
        lines = out.splitlines()
        self.assertRegex(lines[0], r"^\[I\] RUNNING \| Command: \S+ run m\.onnx --native$")
        self.assertEqual(lines[2:5] + lines[6:8], [
            "[I] Streaming iteration 0",
            "    ---- Inference Input(s) ----",
            "    {x [dtype=float32, shape=(1, 3)]}",
            "    ---- Inference Output(s) ----",
            "    {y [dtype=float32, shape=(1, 3)]}"])
        self.assertRegex(lines[1], r"^\[I\] native-runner-N0-STAMP +\| Activating and starting inference$")
        self.assertRegex(lines[5], r"^\[I\] native-runner-N0-STAMP +$")
        self.assertEqual(lines[8], "[I] Iteration: 0")
        self.assertRegex(lines[9], r"^\[I\] PASSED \| Runtime: ")

    def test_names_are_padded_to_35_columns(self):
        out = self.run_it("run", "m.onnx", "--native").out
        head = next(line for line in out.splitlines() if "Activating" in line)
        self.assertEqual(head.index(" | "), len("[I] ") + 35)

    def test_iterations_and_latency(self):
        out = self.run_it("run", "m.onnx", "--native", "--iterations", "5", "--warm-up", "2").out
        self.assertIn("| Running 2 warm-up run(s)", out)
        self.assertIn("| Finished 2 warm-up run(s)", out)
        self.assertEqual(out.count("Streaming iteration"), 5)
        self.assertEqual(out.count("---- Inference Output(s) ----"), 1)
        self.assertRegex(out, r"\| Latency of 5 iterations: min=\S+ ms, mean=\S+ ms, p50=\S+ ms, p90=\S+ ms, p99=\S+ ms")

    def test_values_at_extra_verbose(self):
        out = self.run_it("run", "m.onnx", "--native", "-vv").out
        self.assertRegex(out, r"\[X\] native-runner-N0\S+ +\| Inference Time: \d+\.\d{3} ms \| Received outputs:\n"
                              r"        y:\n            \[\[\S+ +\S+ +\S+\]\]\n")

    def test_no_iterations(self):
        out = self.run_it("run", "m.onnx", "--native", "--iterations", "0").out
        self.assertNotIn("Streaming iteration", out)

    def test_seeds_name_for_the_engine(self):
        self.assertIn("native-runner-N0", self.run_it("run", "m.onnx", "--onnx").out)

    def test_trt_without_tensorrt(self):
        out = self.run_it("run", "m.onnx", "--trt").out
        self.assertIn("[W] No TensorRT was found: the built-in engine stands in for it.\n", out)
        self.assertIn("trt-native-runner-N0", out)

    def test_missing_model(self):
        result = self.run_it("run", "nope.onnx", "--native", rc=1)
        self.assertIn("[W] Model path does not exist: nope.onnx\n", result.out)
        self.assertIn("'nope.onnx'", result.err)

    def test_broken_model(self):
        self.save("bad.onnx", b"\xff\xff\xff\xff")
        self.assertTrue(self.run_it("run", "bad.onnx", "--native", rc=1).err.startswith("[!] "))

    def test_sequential(self):
        out = plain(self.run_it("run", "m.onnx", "--native", "--native", "--sequential-runners", "--iters", "2").out)
        self.assertRegex(out, r"native-runner-N0-STAMP +\| Completed 2 iteration\(s\) in \S+ ms \| "
                              r"Average inference time: \S+ ms\.\n")
        self.assertEqual(out.count("| Completed 2 iteration(s)"), 2)
        self.assertNotIn("Streaming", out)
        self.assertLess(out.rindex("| Completed"), out.index("Accuracy Comparison"))


    def test_options_of_runners_that_do_not_run(self):
        out = self.run_it("run", "m.onnx", "--onnx", "--providers", "cpu").out
        self.assertIn("[W] Option: --providers/--execution-providers does nothing here: none of the runners it is for was "
                      "selected (--onnxrt).\n", out)
        self.assertNotIn("does nothing here", self.run_it("run", "m.onnx", "--trt", "--no-onednn").out)

    def test_save_onnx_without_runner(self):
        self.run_it("run", "m.onnx", "--save-onnx", "s.onnx")
        self.assertTrue((self.folder / "s.onnx").exists())


class Precision(Run):
    """y = ((1 + x) - 1) with x = 2^-30: float32 loses x."""

    def setUp(self):
        super().setUp()
        self.save("m.onnx", model([node("Add", ["x", "one"], ["s"]), node("Sub", ["s", "one"], ["y"])],
                                  [value_info("x", [3])], [value_info("y", [3])], [weight("one", [3], [1, 1, 1])]))

    def test_reference_mode_keeps_what_float32_loses(self):
        words = ["--val-range", "[9.3e-10,9.4e-10]", "-vv"]
        self.assertIn("[0. 0. 0.]", self.run_it("run", "m.onnx", "--native", *words).out)
        self.assertIn("[0. 0. 0.]", self.run_it("run", "m.onnx", "--native", "--native-precision", "float32", *words).out)
        self.assertIn("e-10", self.run_it("run", "m.onnx", "--native", "--native-precision", "float64", *words).out)

    def test_unknown_precision(self):
        err = self.run_it("run", "m.onnx", "--native", "--native-precision", "float16", rc=2).err
        self.assertIn("invalid choice: 'float16' (choose from", err)


class Outputs(Run):
    def test_mark_all_spellings(self):
        for words in (["--mark-all"], ["--onnx-outputs", "*"], ["--onnx-outputs", "mark", "all"],
                      ["--onnx-outputs", "mark all"]):
            out = self.run_it("run", "m.onnx", "--native", *words).out
            self.assertIn("{s [dtype=float32, shape=(1, 3)],\n     y [dtype=float32, shape=(1, 3)]}", out, words)

    def test_selection(self):
        out = self.run_it("run", "m.onnx", "--native", "--onnx-outputs", "s").out
        self.assertIn("    {s [dtype=float32, shape=(1, 3)]}", out)
        out = self.run_it("run", "m.onnx", "--native", "--mark-all", "--exclude-outputs", "y").out
        self.assertIn("    {s [dtype=float32, shape=(1, 3)]}", out)
        self.assertIn("'nope'", self.run_it("run", "m.onnx", "--native", "--onnx-outputs", "nope", rc=1).err)

    def test_save_onnx(self):
        self.run_it("run", "m.onnx", "--native", "--onnx-outputs", "s", "--save-onnx", "deep/s.onnx")
        out = self.run_it("run", "deep/s.onnx", "--native").out
        self.assertIn("    {s [dtype=float32, shape=(1, 3)]}", out)


class Comparing(Run):
    def shifted(self, by):
        """The same model with another bias."""
        return model([node("Add", ["x", "b"], ["s"]), node("Relu", ["s"], ["y"])], [value_info("x", [1, 3])],
                     [value_info("y", [1, 3])], [weight("b", [3], [-0.5 + by, 0.25 + by, 1.0 + by])])

    def test_two_runners_agree(self):
        out = plain(self.run_it("run", "m.onnx", "--native", "--native").out)
        for line in ("[I] Accuracy Comparison | native-runner-N0-STAMP vs. native-runner-N1-STAMP",
                     "[I] Iteration: 0",
                     "[I]     simple | Comparing Output: 'y' (dtype=float32, shape=(1, 3)) with 'y' (dtype=float32, "
                     "shape=(1, 3))",
                     "[I]         PASSED | Output: 'y' | Difference is within tolerance (rel=1e-05, abs=1e-05)",
                     "[I]     PASSED | simple | All outputs matched | Outputs: ['y']",
                     "[I] Accuracy Summary | native-runner-N0-STAMP vs. native-runner-N1-STAMP | Passed: 1/1 iterations "
                     "| Pass Rate: 100.00%"):
            self.assertIn(line + "\n", out)

    def test_save_and_load(self):
        self.run_it("run", "m.onnx", "--native", "--save-inputs", "in.json", "--save-outputs", "out.json", "--iters",
                    "2")
        self.assertEqual(len(self.json("in.json")), 2)
        self.assertEqual(self.json("out.json")["polygraphy_class"], "RunResults")
        out = self.run_it("run", "m.onnx", "--native", "--load-inputs", "in.json", "--load-outputs", "out.json").out
        self.assertIn("[I] Loading inference results from out.json\n", out)
        self.assertIn("| Passed: 2/2 iterations | Pass Rate: 100.00%", out)

    def test_mismatch(self):
        self.run_it("run", "m.onnx", "--native", "--save-outputs", "out.json")
        self.save("other.onnx", self.shifted(0.25))
        result = self.run_it("run", "other.onnx", "--native", "--load-outputs", "out.json", rc=1)
        self.assertIn("[E]         FAILED | Output: 'y' | Difference exceeds tolerance (rel=1e-05, abs=1e-05)\n",
                      result.out)
        self.assertIn("[E]     FAILED | simple | Mismatched outputs: ['y']\n", result.out)
        self.assertRegex(result.out.splitlines()[-1], r"^\[E\] FAILED \| Runtime: ")
        self.assertEqual(result.err, "")
        self.run_it("run", "other.onnx", "--native", "--load-outputs", "out.json", "--atol", "y:0.5")

    def test_loaded_outputs_only(self):
        self.run_it("run", "m.onnx", "--native", "--save-outputs", "a.json", "--iters", "2")
        self.run_it("run", "m.onnx", "--native", "--save-outputs", "b.json")
        out = self.run_it("run", "--load-outputs", "a.json", "a.json").out
        self.assertIn("| Passed: 2/2 iterations | Pass Rate: 100.00%", out)
        out = self.run_it("run", "--load-outputs", "a.json", "b.json").out
        self.assertIn("[W] The provided streams have different numbers of iterations. Only the first 1 iteration(s) -- "
                      "present in all 2 streams -- were compared; stream(s) at index [1] ran out first.\n", out)

    def test_live_run_ends_first(self):
        self.run_it("run", "m.onnx", "--native", "--save-outputs", "a.json", "--iters", "3")
        out = self.run_it("run", "m.onnx", "--native", "--load-outputs", "a.json").out
        self.assertIn("stream(s) at index [0] ran out first", out)
        self.assertIn("Passed: 1/1 iterations", out)

    def test_top_k_and_indices(self):
        out = self.run_it("run", "m.onnx", "--native", "--native", "--postprocess", "top-2", "--compare", "indices").out
        self.assertIn("[I]     indices | Comparing Output: 'y' (dtype=int64, shape=(1, 2)) with 'y' (dtype=int64, "
                      "shape=(1, 2))\n", out)

    def test_postprocessing_leaves_saved_outputs_alone(self):
        self.run_it("run", "m.onnx", "--native", "--postprocess", "top-1", "--save-outputs", "a.json")
        self.run_it("run", "m.onnx", "--native", "--load-outputs", "a.json")

    def test_option_of_another_function(self):
        out = self.run_it("run", "m.onnx", "--native", "--native", "--index-tolerance", "1").out
        self.assertIn("[W] Option: --index-tolerance is only valid for comparison function(s): ['indices']. The selected "
                      "comparison functions are: ['simple'], so this option will be ignored.\n", out)

    def test_report(self):
        self.run_it("run", "m.onnx", "--native", "--save-outputs", "out.json")
        self.save("other.onnx", self.shifted(0.25))
        self.run_it("run", "other.onnx", "--native", "--load-outputs", "out.json", "--save-report", "r.json", rc=1)
        row = self.json("r.json")["comparison_results"]["y"]
        self.assertFalse(row["passed"])
        self.assertAlmostEqual(row["max_error"], 0.25, places=5)

    def test_validate(self):
        self.save("log.onnx", model([node("Log", ["x"], ["y"])], [value_info("x", [4])], [value_info("y", [4])]))
        self.run_it("run", "log.onnx", "--native", "--validate", "--val-range", "[1,2]")
        result = self.run_it("run", "log.onnx", "--native", "--validate", "--val-range", "[-2,-1]", rc=1)
        self.assertIn("NaN Detected", result.out)
        self.assertEqual(result.err, "[!] Output validation failed: iteration 0 contains invalid values (NaNs/Infs). See "
                                     "the errors above.\n")
        result = self.run_it("run", "log.onnx", "--native", "--validate", "--val-range", "[-2,-1]",
                             "--sequential-runners", rc=1)
        self.assertIn("[E]     FAILED | Output Validation\n", result.out)
        self.assertEqual(result.err, "")


class Files(Run):
    def test_load_and_save_must_not_overlap(self):
        self.run_it("run", "m.onnx", "--native", "--save-inputs", "in.json")
        before = (self.folder / "in.json").read_bytes()
        err = self.run_it("run", "m.onnx", "--native", "--load-inputs", "in.json", "--save-inputs", "./in.json",
                          rc=1).err
        self.assertIn("The load path 'in.json' overlaps the save path './in.json'", err)
        self.assertEqual((self.folder / "in.json").read_bytes(), before)
        self.assertIn("Use distinct paths", self.run_it("run", "m.onnx", "--native", "--save-inputs", "a.json",
                                                        "--save-outputs", "x/../a.json", rc=1).err)

    def test_unwritable_path_is_found_before_the_work(self):
        (self.folder / "file").write_text("")
        result = self.run_it("run", "m.onnx", "--native", "--save-outputs", "file/out.json", rc=1)
        self.assertIn("file", result.err)
        self.assertNotIn("Inference Output", result.out)

    def test_folder_must_be_empty(self):
        (self.folder / "d").mkdir()
        (self.folder / "d" / "x").write_text("")
        for option in ("--save-outputs", "--save-inputs"):
            self.assertIn("the directory is not empty", self.run_it("run", "m.onnx", "--native", option, "d", rc=1).err)

    def test_folders(self):
        self.run_it("run", "m.onnx", "--native", "--save-outputs", "o", "--save-inputs", "i", "--iters", "2")
        self.assertEqual(sorted(p.name for p in (self.folder / "o").iterdir()), ["0000000000.json", "0000000001.json"])
        out = self.run_it("run", "m.onnx", "--native", "--load-inputs", "i", "--load-outputs", "o").out
        self.assertIn("Passed: 2/2 iterations", out)

    def test_raw_inputs(self):
        self.run_it("run", "m.onnx", "--native", "--save-input-blob", "raw", "--iters", "2")
        self.assertEqual((self.folder / "raw" / "0000000001" / "x.bin").stat().st_size, 12)
        self.run_it("run", "m.onnx", "--native", "--save-input-blob")
        self.assertTrue((self.folder / "0000000000" / "x.bin").exists())

    def test_options_that_loaded_inputs_make_useless(self):
        self.run_it("run", "m.onnx", "--native", "--save-inputs", "in.json")
        out = self.run_it("run", "m.onnx", "--native", "--load-inputs", "in.json", "--seed", "3").out
        self.assertIn("[W] Argument: '--seed' will be ignored since a custom data loader was provided.\n    This argument "
                      "is only valid when using the default data loader.\n", out)

    def test_interrupt(self):
        child = subprocess.Popen([PROGRAM, "run", "m.onnx", "--native", "--iterations", "100000000", "-qqqq"],
                                 cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130, err)


if __name__ == "__main__":
    unittest.main()
