"""Engines that run, on a driver and libraries made for the tests: every family's tables, without a GPU."""
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import rtx
from rtx import cli

BUILD = Path(os.environ.get("PG_BUILD", rtx.ROOT / "build" / "release"))
FAKE = Path(__file__).resolve().parent / "fake"
sys.path.insert(0, str(FAKE))
import classes  # noqa: E402

# family: names of library and parser, version
FAMILIES = {"trt10": ("libnvinfer.so.10", "libnvonnxparser.so.10", 10, 16),
            "trt11": ("libnvinfer.so.11", "libnvonnxparser.so.11", 11, 1),
            "rtx14": ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1", 1, 4),
            "rtx15": ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1", 1, 6)}
RELU = cli.model([cli.node("Relu", ["x"], ["y"], "relu")], [cli.value_info("x", ["N", 3])], [cli.value_info("y", ["N", 3])])
SHAPES = ("--input-shapes", "x:[2,3]", "--val-range", "[-1,1]")
PROFILE = ("--trt-min-shapes", "x:[1,3]", "--trt-opt-shapes", "x:[2,3]", "--trt-max-shapes", "x:[4,3]")


def compile_library(source, target, *words):
    plus = source.suffix == ".cpp"
    compiler = os.environ.get("CXX", "g++") if plus else os.environ.get("CC", "gcc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-w", *(["-std=c++17"] if plus else ["-D_GNU_SOURCE"]), *words, "-o",
                    str(target), str(source)], check=True)


def compile_tensorrt(family, place, major=None, minor=None):
    """A TensorRT of a family in a folder; one library is both, core and parser."""
    name, parser, *version = FAMILIES[family]
    place.mkdir(parents=True)
    (place / "classes.h").write_text(classes.header(family), encoding="utf-8")
    compile_library(FAKE / "trt.cpp", place / name, f"-I{place}", f"-DFAKE_MAJOR={major or version[0]}",
                    f"-DFAKE_MINOR={version[1] if minor is None else minor}")
    (place / parser).symlink_to(name)


def made_libraries():
    """A folder with the driver and a TensorRT of every family, made once for each state of their sources."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise unittest.SkipTest("there is no C++ compiler to make a TensorRT with")
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(FAKE.iterdir()) if path.is_file())).hexdigest()[:16]
    done = BUILD / "tests" / "fake-tensorrt" / state
    if not done.is_dir():
        done.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="new-", dir=done.parent))
        compile_library(FAKE / "cuda.c", folder / "libcuda.so.1")
        for family in FAMILIES:
            compile_tensorrt(family, folder / family)
        try:
            folder.rename(done)
        except OSError:  # another process was faster
            shutil.rmtree(folder)
    return done


class Fake(cli.Case):
    @classmethod
    def setUpClass(cls):
        cls.libraries = made_libraries()

    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(RELU)

    def save(self, name, content):
        (self.folder / name).write_bytes(content)

    def fake(self, *words, family="trt10", rc=0, how="", env=None):
        result = self.run_it(*words, rc=rc, env={"POLYGRAPHY_TENSORRT": str(self.libraries / family), "FAKE_TRT": how,
                                                 "POLYGRAPHY_CUDA_DRIVER": str(self.libraries / "libcuda.so.1"),
                                                 **(env or {})})
        self.assertNotIn("fake", result.err.replace("fake-tensorrt", ""))
        return result


class EveryFamily(Fake):
    def test_run(self):
        for family in FAMILIES:
            with self.subTest(family):
                out = self.fake("run", "m.onnx", "--trt", "--native", *SHAPES, "--iterations", "3", family=family).out
                self.assertIn("Passed: 3/3 iterations", out)

    def test_engine_file(self):
        for family in FAMILIES:
            with self.subTest(family):
                self.fake("convert", "m.onnx", "-o", "m.engine", *PROFILE, family=family)
                out = self.fake("run", "m.onnx", "--native", "--trt-engine", "m.engine", *SHAPES, family=family).out
                self.assertIn("Passed: 1/1 iterations", out)
                out = self.fake("inspect", "model", "m.engine", family=family).out
                self.assertIn("    - Profile: 0\n        Tensor: x          (Input), Index: 0 | Shapes: min=(1, 3), opt=(2, 3), "
                              "max=(4, 3)\n        Tensor: y         (Output), Index: 1 | Shape: (-1, 3)\n", out)

    def test_outputs_sized_by_data(self):
        for family in FAMILIES:
            with self.subTest(family):
                out = self.fake("run", "m.onnx", "--trt", "--native", *SHAPES, "--iterations", "3", family=family, how="late").out
                self.assertIn("Passed: 3/3 iterations", out)

    def test_callbacks(self):
        for family in FAMILIES:
            with self.subTest(family):
                out = self.fake("run", "m.onnx", "--trt", *SHAPES, "--profile", "2", "--mark-debug", "x", "-vvvv",
                                family=family).out
                self.assertIn("x_watched [dtype=float32, shape=(2, 3)]", out)
                self.assertRegex(out, r"1 of 1 layers by mean time:\n +0\.5000 ms  100\.0%  relu\n")
                self.assertIn("[W] Option: --mark-debug: TensorRT", out)
                self.assertIn(" did not report 'x'", out)  # it reports it under another name
                self.assertIn("fake library at work", out)
                self.assertIn("[V] Building | phase: 1 step(s)\n", out)

    def test_versions_that_are_not_known(self):
        for family in ("trt10", "rtx15"):
            place = self.folder / family
            compile_tensorrt(family, place, 99, 0)
            err = self.run_it("convert", "m.onnx", "-o", "x.engine", rc=1, env={"POLYGRAPHY_TENSORRT": str(place)}).err
            self.assertRegex(err, r"99\.0\.2 in '.*' is a version whose interface is not known here: install one of (10\.16, 11\.1|1\.4, 1\.5, 1\.6)")

    def test_attributes(self):
        for family in FAMILIES:
            with self.subTest(family):
                words = ("inspect", "model", "m.onnx", "--display-as", "trt", "--show", "layers", "attrs", "weights")
                out = self.fake(*words, family=family, how="convolution").out
                self.assertIn("""
        ---- Attributes ----
        conv.bias = []
        conv.dilation_nd = (9, 10)
        conv.kernel = [1. 2. 3. 4. 5. 6.]
        conv.kernel_size_nd = (1, 3)
        conv.num_groups = 1
        conv.num_output_maps = 2
        conv.padding_mode = PaddingMode.SAME_UPPER
        conv.padding_nd = (7, 8)
        conv.post_padding = (3, 4)
        conv.pre_padding = (1, 2)
        conv.stride_nd = (5, 6)
""", out)
                self.assertIn("        relu.alpha = 0.25\n        relu.beta = 0.5\n", self.fake(*words, family=family).out)

    def test_flags_of_ten(self):
        out = self.fake("convert", "m.onnx", "-o", "x.engine", "--fp16", "--precision-constraints", "prefer", "--tensor-dtypes",
                        "x:float16", "--layer-precisions", "relu:fp16").out
        self.assertIn("| [FP16, PREFER_PRECISION_CONSTRAINTS]\n", out)
        out = self.fake("convert", "m.onnx", "-o", "x.engine", "--precision-constraints", "relu:fp16").out
        self.assertIn("| [OBEY_PRECISION_CONSTRAINTS]\n", out)
        err = self.fake("convert", "m.onnx", "-o", "x.engine", "--layer-precisions", "rel:fp16", rc=1).err
        self.assertIn("has no layer 'rel'", err)
        err = self.fake("convert", "m.onnx", "-o", "x.engine", "--compute-capabilities", "8.6", rc=1).err
        self.assertIn("option '--compute-capabilities': TensorRT 10.16.2 has no choice of compute capabilities", err)


class Calibration(Fake):
    """int8 of TensorRT 10: the library asks for batches, and writes and reads its cache."""

    def build(self, *words, rc=0, **more):
        return self.fake("convert", "m.onnx", "-o", "x.engine", "--int8", *PROFILE, *words, rc=rc, **more)

    def cache(self):
        return (self.folder / "c.cache").read_bytes()

    def feeds(self, *arrays):
        rows = [{"x": cli.array(str(array[0]), array[1])} for array in arrays]
        (self.folder / "in.json").write_text(json.dumps(rows))

    def test_generated_data(self):
        out = self.build("--calibration-cache", "c.cache", "--iterations", "4").out
        self.assertIn("[I] Calibrated with 4 batch(es) of data.\n[I] Saving calibration cache to c.cache\n", out)
        self.assertRegex(self.cache(), rb"^TRT-101602-EntropyCalibration2\nx: 3b[0-9a-f]{6}\n$")

    def test_given_data(self):
        self.feeds([(2, 3), [1, -2, 0.5, 0, 1, 1]], [(2, 3), [8, -16, 4, 0, 8, 8]])
        self.build("--calibration-cache", "c.cache", "--load-inputs", "in.json")
        bits, = struct.unpack("<I", struct.pack("<f", 16 / 127))
        self.assertEqual(self.cache(), b"TRT-101602-EntropyCalibration2\nx: %08x\n" % bits)

    def test_cache_is_used(self):
        content = b"TRT-101602-EntropyCalibration2\nx: 3c010a14\n"
        self.save("c.cache", content)
        out = self.build("--calibration-cache", "c.cache", "-vvvv").out
        self.assertIn("[I] Using the calibration cache 'c.cache'.\n", out)
        self.assertIn("fake library read the cache", out)
        self.assertNotIn("Calibrated with", out)
        self.assertEqual(self.cache(), content)

    def test_classes(self):
        for name, first in (("IInt8EntropyCalibrator2", "EntropyCalibration2"), ("IInt8EntropyCalibrator", "EntropyCalibration"),
                            ("IInt8MinMaxCalibrator", "MinMaxCalibration"), ("IInt8LegacyCalibrator", "LegacyCalibration")):
            with self.subTest(name):
                words = ["--quantile", "0.75", "--regression-cutoff", "0.25"] if "Legacy" in name else []
                out = self.build("--calibration-cache", f"{first}.cache", "--calib-base-cls", name, *words).out
                self.assertEqual("[W] 0.75 0.25\n" in out, "Legacy" in name)
                self.assertTrue((self.folder / f"{first}.cache").read_text().startswith(f"TRT-101602-{first}\n"))

    def test_other_class_and_empty_cache(self):
        self.save("c.cache", b"TRT-101602-MinMaxCalibration\nx: 3c010a14\n")
        self.assertIn("[W] The calibration cache 'c.cache' was made by IInt8MinMaxCalibrator, not IInt8EntropyCalibrator2: the "
                      "library makes it anew.\n", self.build("--calibration-cache", "c.cache").out)
        self.assertIn(b"EntropyCalibration2", self.cache())
        self.save("c.cache", b"")
        self.assertIn("is empty: it will be made anew", self.build("--calibration-cache", "c.cache").out)

    def test_bad_input(self):
        self.save("c.cache", b"TRT-1-EntropyCalibration2\nx: zz\n")
        self.assertIn("'c.cache', line 2: the scale of 'x'", self.build("--calibration-cache", "c.cache", rc=1).err)
        self.feeds([(3, 3), [0] * 9])
        self.assertIn("calibration: iteration 0 has float32 (3, 3) for the input 'x', but the engine is calibrated with float32 "
                      "(2, 3): data has to have the opt shapes", self.build("--load-inputs", "in.json", rc=1).err)
        self.assertIn("calibration has no data", self.build("--iterations", "0", rc=1).err)
        self.assertIn("the NVIDIA driver finds no GPU", self.build(rc=1, env={"FAKE_CUDA_DEVICES": "0"}).err)
        self.assertFalse((self.folder / "x.engine").exists())

    def test_in_a_run(self):
        out = self.fake("run", "m.onnx", "--native", "--trt", "--int8", *SHAPES, "--iterations", "3").out
        self.assertIn("Calibrated with 3 batch(es)", out)
        self.assertIn("Passed: 3/3 iterations", out)


class Tactics(Fake):
    """The algorithm selector of TensorRT 10."""

    def build(self, *words, rc=0, **more):
        return self.fake("convert", "m.onnx", "-o", "x.engine", *PROFILE, *words, rc=rc, **more)

    def taken(self):
        return int((self.folder / "x.engine").read_bytes().rstrip(b"\0").split()[-1])

    def replay(self, name, tactic, **changes):
        algorithm = json.loads((self.folder / "saved.json").read_text())
        algorithm["replay"]["relu"].update(tactic=tactic, **changes)
        (self.folder / name).write_text(json.dumps(algorithm))

    def test_saved(self):
        out = self.build("--save-tactics", "t.json").out
        self.assertIn("[I] Saving tactic replay file to t.json\n", out)
        self.assertIn("| [REJECT_EMPTY_ALGORITHMS]\n", out)
        self.assertEqual(self.taken(), 33)
        tensor = [{"dtype": f"DataType.{dtype}", "strides": [3, 1], "vectorized_dim": -1, "components_per_element": 1,
                   "polygraphy_class": "TensorInfo"} for dtype in ("FLOAT", "HALF")]
        self.assertEqual((self.folder / "t.json").read_text(), json.dumps(
            {"replay": {"relu": {"implementation": 0x80000001, "tactic": 33, "inputs": tensor[:1], "outputs": tensor[1:],
                                 "polygraphy_class": "Algorithm"}}, "polygraphy_class": "TacticReplayData"}, indent=4))
        self.assertIn("Layer: relu", self.run_it("inspect", "tactics", "t.json").out)

    def test_loaded(self):
        self.build("--save-tactics", "saved.json")
        self.replay("t.json", 11, outputs=json.loads((self.folder / "saved.json").read_text())["replay"]["relu"]["inputs"])
        self.build("--load-tactics", "t.json")
        self.assertEqual(self.taken(), 11)

    def test_not_offered(self):
        self.build("--save-tactics", "saved.json")
        self.replay("t.json", 11)  # its output is no half
        err = self.build("--load-tactics", "t.json", rc=1).err
        self.assertIn("option '--load-tactics': the library does not offer the tactic of the file for the layer 'relu'", err)
        self.assertIn("Offered are:\n    (Implementation: 2147483649, Tactic: 11) | Inputs: (TensorInfo(DataType.FLOAT, (3, 1), -1, "
                      "1),)", err)
        self.assertTrue((self.folder / "x.engine").exists())  # the first one

    def test_unknown_layer(self):
        self.build("--save-tactics", "saved.json")
        text = (self.folder / "saved.json").read_text().replace('"relu"', '"other"')
        (self.folder / "t.json").write_text(text)
        self.assertIn("[W] Layer: relu | It is not in the file of --load-tactics: the library chooses.\n",
                      self.build("--load-tactics", "t.json").out)
        self.assertEqual(self.taken(), 33)

    def test_excluded(self):
        self.build("--save-tactics", "saved.json")
        self.build("--exclude-tactics", "saved.json")
        self.assertEqual(self.taken(), -22)  # the next in speed

    def test_bad_input(self):
        self.save("t.json", b"{}")
        self.assertIn("'t.json'", self.build("--load-tactics", "t.json", rc=1).err)
        for option in ("--save-tactics", "--load-tactics", "--exclude-tactics"):
            self.save("t.json", b'{"replay": {}, "polygraphy_class": "TacticReplayData"}')
            self.assertIn(f"option '{option}': TensorRT 11.1.2 has no algorithm selector: only TensorRT 10 has one",
                          self.build(option, "t.json", family="trt11", rc=1).err)


class Refit(Fake):
    """Engines without weights: 'scale' of the library is 0 until it is set."""

    def setUp(self):
        super().setUp()
        self.save("s.onnx", self.scaled(("scale", [1], [0.5])))

    @staticmethod
    def scaled(*weights):
        return cli.model([cli.node("Relu", ["x"], ["r"], "relu"), cli.node("Mul", ["r", weights[0][0]], ["y"], "mul")],
                         [cli.value_info("x", ["N", 3])], [cli.value_info("y", ["N", 3])], [cli.weight(*row) for row in weights])

    def test_weights_come_from_the_model(self):
        for family in FAMILIES:
            with self.subTest(family):
                self.fake("convert", "s.onnx", "-o", "s.engine", *PROFILE, "--strip-plan", family=family)
                out = self.fake("run", "s.onnx", "--native", "--trt-engine", "s.engine", *SHAPES, family=family).out
                self.assertIn("[I] The engine got 1 weight(s) from the model.\n", out)
                self.assertIn("Passed: 1/1 iterations", out)
                out = self.fake("run", "s.onnx", "--native", "--trt", "--strip-plan", *SHAPES, family=family).out
                self.assertIn("Passed: 1/1 iterations", out)

    def test_without_a_model(self):
        self.fake("convert", "s.onnx", "-o", "s.engine", *PROFILE, "--strip-plan")
        err = self.fake("run", "s.engine", "--trt", *SHAPES, rc=1).err
        self.assertIn("the engine was built with --strip-plan and lacks 1 weight(s), 'scale' first: run its model with", err)
        self.assertIn("Refittable", self.fake("inspect", "model", "s.engine").out)

    def test_other_models(self):
        self.fake("convert", "s.onnx", "-o", "s.engine", *PROFILE, "--strip-plan")
        self.save("two.onnx", self.scaled(("scale", [2], [0.5, 0.5])))
        self.save("other.onnx", self.scaled(("gain", [1], [0.5])))
        for model, part in (("two.onnx", "takes 1 element(s) of float32 for the weight 'scale', but the model has 2 of float32"),
                            ("other.onnx", "lacks the weight 'scale', and the model has no initializer of that name")):
            self.assertIn(part, self.fake("run", model, "--native", "--trt-engine", "s.engine", *SHAPES, rc=1).err)

    def test_refittable_engines_keep_their_weights(self):
        self.fake("convert", "m.onnx", "-o", "m.engine", *PROFILE, "--refittable")
        out = self.fake("run", "m.onnx", "--native", "--trt-engine", "m.engine", *SHAPES).out
        self.assertNotIn("weight(s) from the model", out)
        self.assertIn("Passed: 1/1 iterations", out)


class Faults(Fake):
    def test_build_that_crashes(self):
        err = self.run_it("convert", "m.onnx", "-o", "x.engine", rc=1,
                          env={"POLYGRAPHY_TENSORRT": str(self.libraries / "trt10"), "FAKE_TRT": "crash"}).err
        self.assertIn("the engine builder crashed with signal 6 (Aborted); it ran in a process of its own", err)
        self.assertEqual(os.listdir(self.folder), ["m.onnx"])

    def test_library_that_lies(self):
        err = self.fake("convert", "m.onnx", "-o", "x.engine", rc=1, how="lie").err
        self.assertIn("does not answer as its version should (the builder's threads)", err)

    def test_model_that_does_not_parse(self):
        err = self.fake("convert", "m.onnx", "-o", "x.engine", rc=1, how="parse").err
        self.assertIn("TensorRT 10.16.2 cannot parse 'm.onnx':\n    node 7 'seventh' (Relu): no way", err)

    def test_engine_of_another_library(self):
        self.fake("convert", "m.onnx", "-o", "m.engine", *PROFILE)
        for words in (["run", "m.engine", "--trt"], ["inspect", "model", "m.engine"]):
            err = self.fake(*words, family="trt11", rc=1).err
            self.assertIn("TensorRT 11.1.2 could not load the engine: not a plan of this library (in 'm.engine': an engine "
                          "belongs to the library, its version and the GPU", err)
        (self.folder / "empty.engine").write_bytes(b"")
        self.assertIn("the engine 'empty.engine' is empty", self.fake("run", "empty.engine", "--trt", rc=1).err)
        self.assertIn("nope.engine", self.fake("run", "nope.engine", "--trt", rc=1).err)

    def test_shape_outside_the_profile(self):
        self.fake("convert", "m.onnx", "-o", "m.engine", *PROFILE)
        err = self.fake("run", "m.engine", "--trt", "--input-shapes", "x:[5,3]", rc=1).err
        self.assertIn("the input 'x' has shape (5, 3), which profile 0 of the engine does not hold: min=(1, 3), opt=(2, 3), "
                      "max=(4, 3)", err)
        err = self.fake("run", "m.engine", "--trt", "--optimization-profile", "1", rc=1).err
        self.assertIn("the engine has profiles 0 to 0, not 1", err)

    def test_device_memory(self):
        err = self.fake("run", "m.onnx", "--trt", "--input-shapes", "x:[1000,3]", rc=1, env={"FAKE_CUDA_BYTES": "10000"}).err
        self.assertIn("the GPU 'Fake GPU' has no 12000 bytes left: 10000 of its 10000 bytes are free", err)

    def test_no_device(self):
        err = self.fake("run", "m.onnx", "--trt", rc=1, env={"FAKE_CUDA_DEVICES": "0"}).err
        self.assertIn("the NVIDIA driver finds no GPU", err)

    def test_no_driver(self):
        env = {"POLYGRAPHY_CUDA_DRIVER": str(self.folder / "none.so")}
        self.assertIn("named in POLYGRAPHY_CUDA_DRIVER", self.fake("run", "m.onnx", "--trt", rc=1, env=env).err)
        err = self.fake("run", "m.onnx", "--trt", rc=1, env={"POLYGRAPHY_CUDA_DRIVER": ""}).err
        self.assertIn("the library 'libcuda.so.1' of the NVIDIA driver is not here", err)


class Runner(Fake):
    def test_two_runners(self):
        out = self.fake("run", "m.onnx", "--trt", "--trt", *SHAPES, "--sequential-runners").out
        self.assertIn("trt-runner-N1", out)
        self.assertIn("Passed: 1/1 iterations", out)

    def test_save_engine(self):
        self.fake("run", "m.onnx", "--trt", *SHAPES, "--save-engine", "s.engine")
        self.assertTrue((self.folder / "s.engine").read_bytes().startswith(b"FAKE 0 2 2 2"))
        err = self.fake("run", "s.engine", "--trt", "--save-engine", "t.engine", rc=1).err
        self.assertIn("'s.engine' is an engine already", err)
        self.assertIn("cannot run an engine of TensorRT: only --trt can", self.fake("run", "s.engine", "--onnxrt", rc=1).err)

    def test_allocation(self):
        for strategy in ("static", "profile", "runtime"):
            self.assertIn("PASSED", self.fake("run", "m.onnx", "--trt", *SHAPES, "--allocation-strategy", strategy).out)

    def test_streamed_weights(self):
        err = self.fake("run", "m.onnx", "--trt", *SHAPES, "--weight-streaming-budget", "10%", rc=1).err
        self.assertIn("the engine streams no weights: build it with --weight-streaming", err)

    def test_layers(self):
        self.fake("convert", "m.onnx", "-o", "m.engine", *PROFILE)
        out = self.fake("inspect", "model", "m.engine", "--show", "layers", "attrs").out
        self.assertIn("    ---- 1 Layer(s) ----\n"
                      "    Layer 0    | relu [Op: kgen]\n"
                      "        {x [dtype=float32, shape=(-1, 3), Format: Row major linear FP32]}\n"
                      "         -> {y [dtype=float16, shape=(-1, 3), Format: Half Linear]}\n"
                      "        ---- Attributes ----\n"
                      "        Origin = Unknown\n"
                      "        Tactic = 0x1\n", out)

    def test_ranges_of_tensors(self):
        self.fake("convert", "m.onnx", "-o", "m.engine", *PROFILE)
        rows = [{"outputs": {"x": cli.array("(2, 2)", [-1, 0.5, 2, 4])}, "runtime": 1, "runner_name": "r", "polygraphy_class":
                 "IterationResult"}]
        self.save("seen.json", json.dumps({"lst": [["r", rows]], "polygraphy_class": "RunResults"}).encode())
        words = ("inspect", "model", "m.engine", "--combine-tensor-info", "seen.json")
        out = self.fake(*words, "--show", "layers").out
        self.assertIn("{x [dtype=float32, shape=(-1, 3), Format: Row major linear FP32, min=-1.00, max=4.00, avg=1.38]}", out)
        self.assertIn("{y [dtype=float16, shape=(-1, 3), Format: Half Linear]}", out)
        self.assertIn("only for layers of an engine", self.fake(*words, rc=1).err)
        self.assertIn("only for layers of an engine", self.fake("inspect", "model", "m.onnx", *words[3:], rc=1).err)
        self.save("seen.json", b"{}")
        self.assertIn("option '--combine-tensor-info'", self.fake(*words, "--show", "layers", rc=1).err)

    def test_loop(self):
        loop = BUILD / "tests" / "tools" / "trt_loop"
        done = subprocess.run([str(loop), "m.onnx", "50", "x=2x3"], cwd=self.folder, capture_output=True, text=True, check=False,
                              env={**os.environ, "POLYGRAPHY_TENSORRT": str(self.libraries / "rtx15"), "FAKE_TRT": "",
                                   "POLYGRAPHY_CUDA_DRIVER": str(self.libraries / "libcuda.so.1")})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("overlapped", done.stdout)
        self.assertIn("device memory +0 KiB", done.stdout)
        self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    unittest.main()
