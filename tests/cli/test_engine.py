"""Engines of the built-in engine: built, saved, looked at and run."""

import os
import struct
import subprocess
import unittest

from seed_models import big_model, picture_model
from support import Case, polygraphy

SHAPES = [word for name, batch in (("min", 1), ("opt", 2), ("max", 4))
          for word in (f"--trt-{name}-shapes", f"input:[{batch},3,8,8]")]


def largest_difference(text):
    """Of the one output that a run compared."""
    line = next(line for line in text.splitlines() if "Absolute Difference | Stats:" in line)
    return float(line.split("max=")[1].split(" ")[0])


class Engines(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(picture_model())

    def build(self, *words, rc=0):
        return self.run_it("convert", "m.onnx", "-o", "m.engine", *words, rc=rc)

    def test_runs_as_the_model_does(self):
        self.build(*SHAPES)
        small = ("--input-shapes", "input:[2,3,8,8]")
        self.run_it("run", "m.onnx", "--native", *small, "--save-inputs", "in.json", "--save-outputs", "out.json")
        out = self.run_it("run", "m.engine", "--trt", "--load-inputs", "in.json", "--load-outputs", "out.json",
                          "--atol", "0", "--rtol", "0").out
        self.assertIn("trt-native-runner", out)
        self.assertIn("Pass Rate: 100.00%", out)

    def test_random_inputs_have_the_optimal_shapes(self):
        self.build(*SHAPES)
        self.assertIn("input [dtype=float32, shape=(2, 3, 8, 8)]", self.run_it("run", "m.engine", "--trt").out)

    def test_shapes_outside_the_profile(self):
        self.build(*SHAPES)
        err = self.run_it("run", "m.engine", "--trt", "--input-shapes", "input:[5,3,8,8]", rc=1).err
        self.assertIn("input 'input': shape [5, 3, 8, 8] is outside profile 0 of the engine, [1, 3, 8, 8] to "
                      "[4, 3, 8, 8]", err)

    def test_second_profile(self):
        self.build(*SHAPES, *(word.replace("3,8,8", "3,16,16") for word in SHAPES))
        out = self.run_it("run", "m.engine", "--trt", "--optimization-profile", "1").out
        self.assertIn("shape=(2, 3, 16, 16)", out)
        err = self.run_it("run", "m.engine", "--trt", "--optimization-profile", "2", rc=1).err
        self.assertIn("the engine has 2 profiles; there is no profile 2", err)

    def test_profiles_that_contradict_the_model(self):
        for words, part in (
                (["--trt-min-shapes", "input:[1,4,8,8]"], "a dimension that the model fixes has another value"),
                (["--trt-min-shapes", "input:[4,3,8,8]", "--trt-max-shapes", "input:[2,3,8,8]"], "min <= opt <= max"),
                (["--trt-min-shapes", "other:[1,3,8,8]"], "the model has no input 'other'"),
                (["--trt-min-shapes", "input:[1,3,8]"], "another number of dimensions"),
                (["--trt-min-shapes", "input:[-1,3,8,8]"], "a profile states numbers"),
                (["--trt-max-shapes", "input:[2,3,8,8]"], "the smallest shape of input 'input' is not known")):
            with self.subTest(words):
                self.assertIn(part, self.build(*words, rc=1).err)
                self.assertFalse((self.folder / "m.engine").exists())

    def test_inspect(self):
        self.build(*SHAPES)
        out = self.run_it("inspect", "model", "m.engine", "--show", "layers").out
        for part in ("[I] ==== TensorRT Engine ====", "---- 1 Engine Input(s) ----",
                     "{input [dtype=float32, shape=(-1, 3, -1, -1)]}",
                     "(Input), Index: 0 | Shapes: min=(1, 3, 8, 8), opt=(2, 3, 8, 8), max=(4, 3, 8, 8)", "Layer 0"):
            self.assertIn(part, out)

    def test_half_precision_rounds(self):
        words = ("run", "m.onnx", "--native", "--trt", "--input-shapes", "input:[1,3,8,8]")
        self.assertEqual(largest_difference(self.run_it(*words).out), 0)
        for flag, low, high in (("--fp16", 1e-6, 1e-2), ("--bf16", 1e-5, 1e-1)):
            with self.subTest(flag):
                out = self.run_it(*words, flag, "--atol", "1").out
                self.assertTrue(low < largest_difference(out) < high, out)

    def test_layer_that_keeps_its_precision(self):
        words = ("run", "m.onnx", "--native", "--trt", "--fp16", "--input-shapes", "input:[1,3,8,8]", "--atol", "1")
        out = self.run_it(*words, "--layer-precisions", "*:float32", "--precision-constraints", "obey").out
        self.assertEqual(largest_difference(out), 0)
        err = self.run_it(*words, "--layer-precisions", "sensitive_laye:float32", "--precision-constraints", "obey", rc=1).err
        self.assertIn("no layer is called 'sensitive_laye'; did you mean 'sensitive_layer'?", err)
        out = self.run_it(*words, "--layer-precisions", "conv1:float32").out
        self.assertIn("have no effect without '--precision-constraints", out)

    def test_calibration(self):
        words = ("run", "m.onnx", "--native", "--trt", "--int8", "--calibration-cache", "c.cache", "--iterations", "3",
                 "--input-shapes", "input:[2,3,16,16]", "--atol", "1")
        for name in ("IInt8EntropyCalibrator2", "IInt8EntropyCalibrator", "IInt8MinMaxCalibrator", "IInt8LegacyCalibrator"):
            with self.subTest(name):
                out = self.run_it(*words, "--calib-base-cls", name).out
                self.assertIn(f"with {name}", out)
                self.assertTrue(0 < largest_difference(out) < 0.1, out)
                first, *rows = (self.folder / "c.cache").read_text().splitlines()
                self.assertEqual(first, f"TRT-100000-{name[5:].replace('Calibrator', 'Calibration')}")
                scales = {row.rsplit(": ", 1)[0]: struct.unpack(">f", bytes.fromhex(row.rsplit(": ", 1)[1].zfill(8)))[0]
                          for row in rows}
                self.assertTrue(0 < scales["input"] <= 1 / 127 + 1e-9, scales)
                self.assertIn("Using the", self.run_it(*words, "--calib-base-cls", name).out)
                (self.folder / "c.cache").unlink()

    def test_bad_caches(self):
        for text, part in (("nonsense\n", "its first line is not"), ("TRT-1-EntropyCalibration2\ninput 3c\n", "line 2"),
                           ("TRT-1-EntropyCalibration2\ninput: 7f800000\n", "a scale is finite"),
                           ("TRT-1-EntropyCalibration2\ninput: zz\n", "hexadecimal"),
                           ("TRT-1-EntropyCalibration2\nother: 3c000000\n", "the scales do not fit this model")):
            with self.subTest(text):
                (self.folder / "c.cache").write_text(text)
                self.assertIn(part, self.build("--int8", "--calibration-cache", "c.cache", rc=1).err)
                self.assertEqual((self.folder / "c.cache").read_text(), text)

    def test_workspace_that_is_too_small(self):
        err = self.build(*SHAPES, "--workspace", "1K", rc=1).err
        self.assertIn("with the largest shapes of profile 0", err)
        self.assertFalse((self.folder / "m.engine").exists())
        self.build(*SHAPES, "--workspace", "1M")

    def test_damaged_engines(self):
        (self.folder / "m.onnx").write_bytes(big_model())
        self.build()
        good = (self.folder / "m.engine").read_bytes()
        for name, bad, part in (("cut", good[:-40], "its header states"), ("empty", b"", "TensorRT"),
                                ("other", b"ftrt" + good[4:], "TensorRT"),
                                ("newer", good[:8] + b"\x09" + good[9:], "of format 9"),
                                ("header", good[:30] + b"\xff" + good[31:], "the checksum of its header"),
                                ("text", good[:300] + b"\x00" + good[301:], "the checksum of its description"),
                                ("weights", good[:-9999] + bytes([good[-9999] ^ 1]) + good[-9998:], "the checksum of packed weights ('matrix' of layer 0)")):
            with self.subTest(name):
                (self.folder / "bad.engine").write_bytes(bad)
                self.assertIn(part, self.run_it("run", "bad.engine", "--trt", rc=1).err)

    def test_damage_has_a_place(self):
        (self.folder / "m.onnx").write_bytes(big_model())
        self.build()
        good = (self.folder / "m.engine").read_bytes()
        for size in (0, 7, 12, 100, 300, len(good) - 1):
            with self.subTest(size):
                (self.folder / "bad.engine").write_bytes(good[:size])
                err = self.run_it("inspect", "model", "bad.engine", rc=1).err
                self.assertTrue("byte" in err or size < 8, err)

    def test_packed_for_another_processor(self):
        (self.folder / "m.onnx").write_bytes(big_model())
        self.build()
        words = ("run", "m.engine", "--trt", "--save-outputs", "o.json")
        env = {**os.environ, "POLYGRAPHY_SIMD": "base"}
        done = polygraphy(*words, cwd=self.folder, env=env)
        self.assertEqual(done.rc, 1)
        self.assertIn("and this program packs for 'base-1' here", done.err)
        self.assertEqual(polygraphy("inspect", "model", "m.engine", cwd=self.folder, env=env).rc, 0)

    def test_weights_are_not_stored_twice(self):
        (self.folder / "m.onnx").write_bytes(big_model())
        self.build()
        model, plan = (self.folder / "m.onnx").stat().st_size, (self.folder / "m.engine").stat().st_size
        self.assertTrue(plan < model * 1.1 + 20000, (model, plan))

    def test_every_damaged_byte_is_found(self):
        self.build()
        good = (self.folder / "m.engine").read_bytes()
        for at in range(0, len(good), 97):
            (self.folder / "bad.engine").write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1:])
            done = polygraphy("inspect", "model", "bad.engine", cwd=self.folder)
            padding = done.rc == 0 and good[at] == 0
            self.assertTrue(done.rc == 1 or padding, f"byte {at}")

    def test_engines_where_models_are_needed(self):
        self.build()
        for words, part in ((["run", "m.engine", "--native"], "the runner '--native' cannot run an engine"),
                            (["run", "m.engine", "--trt", "--save-onnx", "o.onnx"], "need the ONNX model"),
                            (["convert", "m.engine", "-o", "o.onnx"], "an ONNX model is needed here"),
                            (["inspect", "sparsity", "m.engine"], "m.engine")):
            with self.subTest(words):
                self.assertIn(part, self.run_it(*words, rc=1).err)

    def test_trt_outputs(self):
        out = self.run_it("run", "m.onnx", "--trt", "--trt-outputs", "conv1_output", "relu2_output").out
        self.assertIn("conv1_output [dtype=float32", out)
        self.assertNotIn("final_output [", out)

    def test_killed_builds_leave_nothing(self):
        for delay in (0.0005, 0.002, 0.005, 0.01):
            process = subprocess.Popen([str(self.program()), "convert", "m.onnx", "-o", "k.engine"], cwd=self.folder,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
            if (self.folder / "k.engine").exists():
                self.run_it("inspect", "model", "k.engine")
                (self.folder / "k.engine").unlink()

    @staticmethod
    def program():
        from support import PROGRAM
        return PROGRAM


if __name__ == "__main__":
    unittest.main()
