"""Engines that run, on a driver and libraries made for the tests: every family's tables, without a GPU."""
import hashlib
import os
import shutil
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
