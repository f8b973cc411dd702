"""What the built-in engine tells beside outputs: profiles, ranges, origins of NaN, noise floors."""

import json
import re
import unittest

from seed_models import ints_attribute
from support import ROOT, Case, model, node, relu_model, value_info, weight


class Engine(Case):
    def setUp(self):
        super().setUp()
        self.save("m.onnx", relu_model())

    def save(self, name, payload):
        (self.folder / name).write_bytes(payload)

    def json(self, name):
        return json.loads((self.folder / name).read_text())


class Profile(Engine):
    def test_tables(self):
        out = self.run_it("run", "m.onnx", "--native", "--profile", "--iterations", "3", "--no-native-optimization").out
        self.assertRegex(out, r"\| Profile \| [\d.]+ ms per inference, [\d.]+ ms of it in 2 nodes\n")
        self.assertRegex(out, r"---- Nodes ----\n.*operator +node\n(.*\n)*.* Add +n_add\n")
        self.assertRegex(out, r"---- Operators ----\n.*operator +nodes\n(.*\n)*.* Relu +1\n")

    def test_number_of_rows(self):
        out = self.run_it("run", "m.onnx", "--native", "--profile", "1", "--no-native-optimization").out
        self.assertRegex(out, r"\.\.\. and 1 more nodes with [\d.]+ ms\n")
        for bad in ("0", "-3", "many"):
            err = self.run_it("run", "m.onnx", "--native", f"--profile={bad}", rc=1).err
            self.assertIn(f"option '--profile': '{bad}' is not a number of rows above 0", err)

    def test_file(self):
        for words in ([], ["--sequential-runners"]):
            out = self.run_it("run", "m.onnx", "--native", "--native", "--save-profile", "p.json", "--iterations", "3",
                              "--warm-up", "2", "--no-native-optimization", *words).out
            self.assertIn("[I] Saving the profile to p.json\n", out)
            self.assertNotIn("---- Nodes ----", out)
            profile = self.json("p.json")
            self.assertEqual((profile["format"], profile["version"], profile["model"]), ("polygraphy-profile", 1,
                                                                                       "m.onnx"))
            self.assertEqual(len(profile["runners"]), 2)
            for runner in profile["runners"]:
                self.assertEqual(runner["inferences"], 3)
                self.assertEqual({n["node"]: n["calls"] for n in runner["nodes"]}, {"n_add": 3, "n_relu": 3})
                self.assertLess(sum(n["self_seconds"] for n in runner["nodes"]), runner["seconds"])
                self.assertEqual({n["op_type"]: n["nodes"] for n in runner["operators"]}, {"Add": 1, "Relu": 1})

    def test_without_the_engine(self):
        self.run_it("run", "m.onnx", "--native", "--save-outputs", "a.json")
        out = self.run_it("run", "--load-outputs", "a.json", "a.json", "--profile").out
        self.assertIn("[W] Option: --profile does nothing here", out)

    def test_memory(self):
        self.assertRegex(self.run_it("run", "m.onnx", "--native", "-v").out,
                         r"\[V\] native-runner-N0\S+ +\| Peak memory of tensors, without weights: [\d.]+ MiB\n")


class Ranges(Engine):
    """x in [1000, 2000]: x * x is beyond fp16 and fp8, 1 / (x * x) / 1e6 is below them."""

    RANGE = ["--val-range", "[1000,2000]"]

    def setUp(self):
        super().setUp()
        self.save("r.onnx", model([node("Mul", ["x", "x"], ["square"], "n_square"),
                                   node("Reciprocal", ["square"], ["inverse"]),
                                   node("Mul", ["inverse", "small"], ["y"], "n_small")], [value_info("x", [8])],
                                  [value_info("y", [8])], [weight("small", [1], [1e-6])]))

    def test_table(self):
        out = self.run_it("run", "r.onnx", "--native", "--range-report", *self.RANGE).out
        for line in ("[I] Range Report | 5 floating-point tensors of a float32 run of the built-in engine",
                     "[I]     fp16: 1 tensor(s) overflow, 1 lose more than 10% of their elements to 0",
                     "[I]     bf16: 0 tensor(s) overflow, 0 lose more than 10% of their elements to 0"):
            self.assertIn(line + "\n", out)
        self.assertRegex(out, r"\n +1e\+06 +\S+e\+06 +1e\+06  over 8 .* square \(Mul 'n_square'\)\n")
        self.assertRegex(out, r"\n .*zero 100%.* inverse \(Reciprocal\)\n")
        self.assertRegex(out, r"\n .*zero 100%.* small \(input or weight\)\n")

    def test_types(self):
        out = self.run_it("run", "r.onnx", "--native", "--range-report", "fp8", *self.RANGE).out
        self.assertIn("fp8-e4m3: ", out)
        self.assertIn("fp8-e5m2: ", out)
        self.assertNotIn("fp16", out.replace("--range-report fp8", ""))
        self.assertIn("'fp61' is not one of fp16, bf16, fp8, fp8-e4m3, fp8-e5m2, int8; did you mean 'fp16'?",
                      self.run_it("run", "r.onnx", "--native", "--range-report", "fp61", rc=1).err)

    def test_file(self):
        out = self.run_it("run", "r.onnx", "--save-range-report", "r.json", *self.RANGE).out
        self.assertNotIn("Range Report |", out)
        report = self.json("r.json")
        self.assertEqual((report["format"], report["version"]), ("polygraphy-range-report", 1))
        rows = {row["tensor"]: row for row in report["tensors"]}
        self.assertEqual(list(rows), ["x", "square", "inverse", "small", "y"])
        self.assertEqual(rows["square"]["overflow"], {"fp16": 8, "bf16": 0, "fp8-e4m3": 8, "fp8-e5m2": 8, "int8": 0})
        self.assertEqual(rows["y"]["underflow"]["fp16"], 8)
        self.assertEqual((rows["square"]["node"], rows["square"]["count"]), ("n_square", 8))
        self.assertGreater(rows["square"]["min"], 9e5)
        self.assertTrue(rows["y"]["at_risk"])

    def test_needs_a_model(self):
        self.assertIn("--range-report needs a model", self.run_it("run", "--range-report", rc=1).err)

    def test_unwritable(self):
        (self.folder / "file").write_text("")
        self.run_it("run", "r.onnx", "--save-range-report", "file/r.json", rc=1)


class Origins(Engine):
    """y = log(x) * 0 with x < 0: the NaN is Log's."""

    def setUp(self):
        super().setUp()
        self.save("n.onnx", model([node("Neg", ["x"], ["a"], "n_neg"), node("Log", ["a"], ["b"], "n_log"),
                                   node("Mul", ["b", "b"], ["y"], "n_mul")], [value_info("x", [4])],
                                  [value_info("y", [4])]))

    def test_first_bad_node(self):
        for words in ([], ["--sequential-runners"]):
            result = self.run_it("run", "n.onnx", "--native", "--validate", "--val-range", "[1,2]", *words, rc=1)
            line = ("[E] First NaN or Inf from finite inputs: Log 'n_log', in tensor 'b' | 4 NaN and 0 Inf among 4 "
                    "elements\n")
            self.assertIn(line, result.out)
            self.assertLess(result.out.index("NaN Detected"), result.out.index(line))

    def test_valid_outputs_say_nothing(self):
        self.assertNotIn("First NaN", self.run_it("run", "n.onnx", "--native", "--validate", "--val-range", "[-2,-1]").out)

    def test_inf_that_becomes_nan(self):
        self.save("i.onnx", model([node("Reciprocal", ["zero"], ["inf"], "n_inf"), node("Sub", ["inf", "inf"], ["d"], "n_sub"),
                                   node("Add", ["x", "d"], ["y"], "n_add")], [value_info("x", [1])],
                                  [value_info("y", [1])], [weight("zero", [1], [0])]))
        out = self.run_it("run", "i.onnx", "--native", "--validate", rc=1).out
        self.assertIn("[E] First NaN or Inf from finite inputs: Reciprocal 'n_inf', in tensor 'inf' | 0 NaN and 1 Inf among 1 "
                      "elements\n", out)
        self.assertIn("[E] First NaN: Sub 'n_sub', in tensor 'd' | 1 NaN and 0 Inf among 1 elements\n", out)

    def test_convolution_is_watched_by_its_definition(self):
        """One pixel that overflows: Winograd's sums would spread NaN over its whole tile of 4x4 results."""
        taps = [10.0 if i // 9 % 16 == 0 and i % 9 == 4 else 0.0 for i in range(16 * 16 * 9)]
        pixels = [3e38 if i == 5 * 12 + 6 else 1.0 for i in range(16 * 144)]
        conv = node("Conv", ["s", "w"], ["c"], "wide") + ints_attribute("pads", [1, 1, 1, 1])
        self.save("w.onnx", model([node("Mul", ["x", "p"], ["s"], "bright"), conv, node("Relu", ["c"], ["y"], "last")],
                                  [value_info("x", [1, 16, 12, 12])], [value_info("y", [1, 16, 12, 12])],
                                  [weight("w", [16, 16, 3, 3], taps), weight("p", [1, 16, 12, 12], pixels)]))
        for words in ([], ["--native-precision", "float64"]):
            out = self.run_it("run", "w.onnx", "--native", "--validate", "--val-range", "[0.9,1]", *words, rc=1).out
            self.assertIn("First NaN or Inf from finite inputs: Conv 'wide', in tensor 'c' | 0 NaN and 16 Inf among 2304 elements", out)

    def test_weight_with_nan(self):
        self.save("w.onnx", model([node("Add", ["x", "w"], ["y"])], [value_info("x", [1])], [value_info("y", [1])],
                                  [weight("w", [1], [float("nan")])]))
        out = self.run_it("run", "w.onnx", "--native", "--validate", rc=1).out
        self.assertIn("[E] The input or weight 'w' has 1 NaN and 0 Inf itself\n", out)


class Tolerance(Engine):
    """y = x w + b, 4 in 1000 out: rounding moves it by some 1e-7."""

    def matrix(self, shift=0.0):
        values = [((i * 7919) % 2000 - 1000) / 1000 for i in range(4000)]
        values[17] += shift
        return model([node("MatMul", ["x", "w"], ["y"], "n_mm")], [value_info("x", [2, 4])], [value_info("y", [2, 1000])],
                     [weight("w", [4, 1000], values)])

    def setUp(self):
        super().setUp()
        self.save("a.onnx", self.matrix())

    def test_finds_what_the_default_tolerance_hides(self):
        self.save("b.onnx", self.matrix(8e-6))
        self.run_it("run", "a.onnx", "--native", "--save-outputs", "a.json")
        self.run_it("run", "b.onnx", "--native", "--load-outputs", "a.json")
        self.run_it("run", "a.onnx", "--native", "--load-outputs", "a.json", "--tolerance", "auto")
        out = self.run_it("run", "b.onnx", "--native", "--load-outputs", "a.json", "--tolerance", "auto", rc=1).out
        self.assertRegex(out, r"\[I\] Tolerance \| Measured with the built-in engine: float32 \(optimised, as written, "
                              r"portable\) against float64, 1 iteration\(s\) \| noise floor: abs=\S+e-0[678] \(output 'y'\)\n")
        self.assertRegex(out, r"\n\[I\]     Output: 'y' \| rtol=\S+, atol=\S+ \| noise abs=\S+, rel=\S+ of its largest value "
                              r"\S+ \| 4 times (that|one unit in the last place)\n")
        self.assertRegex(out, r"Tolerance: \[abs=\S+e-0[67], rel=\S+e-0[67]\]")

    def test_given_tolerances_count(self):
        self.save("b.onnx", self.matrix(8e-6))
        self.run_it("run", "a.onnx", "--native", "--save-outputs", "a.json")
        out = self.run_it("run", "b.onnx", "--native", "--load-outputs", "a.json", "--tolerance", "auto", "--atol", "1e-4").out
        self.assertIn("atol=", out)
        self.assertIn(" (not used: --atol is given) | ", out)
        self.assertNotIn("--rtol is given", out)
        self.assertIn("Tolerance: [abs=0.0001, rel=", out)
        out = self.run_it("run", "b.onnx", "--native", "--load-outputs", "a.json", "--tolerance", "auto", "--rtol", "y:1",
                          "--atol", "other:1").out
        self.assertIn(" (not used: --rtol is given), ", out)
        self.assertNotIn("--atol is given", out)

    def test_iterations_and_names_of_runners(self):
        out = self.run_it("run", "a.onnx", "--native", "--native", "--tolerance", "auto", "--iterations", "5").out
        self.assertIn("against float64, 3 iteration(s)", out)
        self.assertIn("native-runner-N0-", out)
        self.assertIn("Passed: 5/5 iterations", out)

    def test_integers_must_be_equal(self):
        self.save("i.onnx", model([node("ArgMax", ["x"], ["y"])], [value_info("x", [9, 3])], [value_info("y", [1, 3], 7)]))
        out = self.run_it("run", "i.onnx", "--native", "--native", "--tolerance", "auto").out
        self.assertIn("Output: 'y' | rtol=0, atol=0 | rounding does not change it: must be equal\n", out)

    def test_nan_is_not_measured(self):
        self.save("n.onnx", model([node("Add", ["x", "one"], ["s"]), node("Sub", ["s", "one"], ["d"]),
                                   node("Div", ["one", "d"], ["y"])], [value_info("x", [1])], [value_info("y", [1])],
                                  [weight("one", [1], [1])]))
        out = self.run_it("run", "n.onnx", "--native", "--native", "--tolerance", "auto", "--val-range", "[1e-10,2e-10]",
                          "--infinities-compare-equal").out
        self.assertIn("[W]     Output: 'y' | No tolerance measured: rounding changes which elements are NaN or infinite; the "
                      "given or default ones hold\n", out)

    def test_bad_use(self):
        self.assertIn("invalid choice: 'none'", self.run_it("run", "a.onnx", "--native", "--tolerance", "none", rc=2).err)
        self.run_it("run", "a.onnx", "--native", "--save-outputs", "a.json")
        self.assertIn("--tolerance auto needs the ONNX model", self.run_it(
            "run", "--load-outputs", "a.json", "a.json", "--tolerance", "auto", rc=1).err)
        out = self.run_it("run", "a.onnx", "--native", "--native", "--tolerance", "auto", "--compare", "indices",
                          "--postprocess", "top-1").out
        self.assertIn("[W] Option: --tolerance is only valid for comparison function(s): ['simple'].", out)
        self.assertNotIn("noise floor", out)
        self.save("odd.onnx", model([node("Frobnicate", ["x"], ["y"], "odd")], [value_info("x", [1])],
                                    [value_info("y", [1])]))
        err = self.run_it("run", "odd.onnx", "--tolerance", "auto", rc=1).err
        self.assertIn("'Frobnicate'", err)
        self.assertIn("while measuring tolerances with the built-in engine", err)


class ShapeInference(Engine):
    def test_inspect(self):
        plain = self.run_it("inspect", "model", "m.onnx", "--show", "layers").out
        self.assertNotIn("s [dtype", plain)
        out = self.run_it("inspect", "model", "m.onnx", "--show", "layers", "--shape-inference").out
        self.assertIn("-> {s [dtype=float32, shape=(1, 3)]}\n", out)
        both = self.run_it("inspect", "model", "m.onnx", "--show", "layers", "--do-shape-inference",
                           "--no-onnxruntime-shape-inference").out
        self.assertEqual(both, out)

    def test_save(self):
        self.run_it("run", "m.onnx", "--shape-inference", "--save-onnx", "s.onnx")
        self.assertIn("-> {s [dtype=float32, shape=(1, 3)]}\n",
                      self.run_it("inspect", "model", "s.onnx", "--show", "layers").out)
        self.run_it("run", "m.onnx", "--save-onnx", "p.onnx")
        self.assertEqual((self.folder / "p.onnx").read_bytes(), (self.folder / "m.onnx").read_bytes())

    def test_before_outputs_are_chosen(self):
        self.run_it("run", "m.onnx", "--shape-inference", "--onnx-outputs", "s", "--save-onnx", "s.onnx", "--native")
        self.assertIn("---- 1 Graph Output(s) ----\n    {s [dtype=float32, shape=(1, 3)]}\n",
                      self.run_it("inspect", "model", "s.onnx").out)

    def test_open_dims_have_names_and_wrong_declarations_stay(self):
        self.save("d.onnx", model([node("NonZero", ["x"], ["i"]), node("Neg", ["i"], ["y"])], [value_info("x", [2, 2])],
                                  [value_info("y", [2, "K"], 7)]))
        out = self.run_it("inspect", "model", "d.onnx", "--show", "layers", "--shape-inference").out
        self.assertIn("-> {i [dtype=int64, shape=(2, 'unk__0')]}\n", out)
        self.assertIn("{y [dtype=int64, shape=(2, 'K')]}\n", out)


class Page(Case):
    def test_flags_exist(self):
        page = (ROOT / "docs" / "engine-modes.md").read_text()
        flags = set(re.findall(r"(--[a-z][a-z0-9-]+)", page))
        self.assertGreater(len(flags), 15)
        known = set(re.findall(r"(--[a-z][a-z0-9-]+)", self.run_it("run", "--help").out))
        self.assertEqual(flags - known, set())


if __name__ == "__main__":
    unittest.main()
