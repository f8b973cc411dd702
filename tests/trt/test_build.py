"""Networks and engines through TensorRT-RTX's own libraries, without a GPU."""
import os
import re
import signal
import subprocess
import time
import unittest

import rtx
from rtx import cli

DYNAMIC = cli.relu_model(("N", 3))
PROFILE = ("--trt-min-shapes", "x:[1,3]", "--trt-opt-shapes", "x:[4,3]", "--trt-max-shapes", "x:[8,3]")


def convolution(channels=8, size=32):
    """y = Conv(x, w): with room for several tactics and a workspace."""
    weights = [((i * 7) % 11 - 5) / 10 for i in range(channels * 3 * 9)]
    return cli.model([cli.node("Conv", ["x", "w"], ["y"], "n_conv")], [cli.value_info("x", [1, 3, size, size])],
                     [cli.value_info("y", [1, channels, size - 2, size - 2])], [cli.weight("w", [channels, 3, 3, 3], weights)])


def two_products():
    """y = Relu(x a) b"""
    weights = [((i * 5) % 13 - 6) / 20 for i in range(16 * 16)]
    return cli.model([cli.node("MatMul", ["x", "a"], ["p"], "n_one"), cli.node("Relu", ["p"], ["r"], "n_relu"),
                      cli.node("MatMul", ["r", "b"], ["y"], "n_two")], [cli.value_info("x", [4, 16])],
                     [cli.value_info("y", [4, 16])], [cli.weight("a", [16, 16], weights), cli.weight("b", [16, 16], weights)])


class Network(rtx.RtxCase):
    def setUp(self):
        super().setUp()
        self.save("m.onnx", cli.relu_model())

    def test_layers(self):
        out = self.rtx_run("inspect", "model", "m.onnx", "--display-as", "trt", "--show", "layers").out
        self.assertIn("[I] ==== TensorRT Network ====\n"
                      "    Name: Unnamed Network 0 | Explicit Batch Strongly Typed Network\n"
                      "    \n"
                      "    ---- 1 Network Input(s) ----\n"
                      "    {x [dtype=float32, shape=(1, 3)]}\n"
                      "    \n"
                      "    ---- 1 Network Output(s) ----\n"
                      "    {y [dtype=float32, shape=(1, 3)]}\n"
                      "    \n", out)
        self.assertIn(" | n_relu [Op: ActivationType.RELU]\n"
                      "        {s [dtype=float32, shape=(1, 3)]}\n"
                      "         -> {y [dtype=float32, shape=(1, 3)]}\n", out)
        self.assertRegex(out, r"\[Op: LayerType\.CONSTANT\]\n        \{\} -> \{b")

    def test_attributes(self):
        """As the peer prints them with the Python classes of the same library."""
        self.save("c.onnx", convolution(1, 4))
        out = self.rtx_run("inspect", "model", "c.onnx", "--display-as", "trt", "--show", "layers", "attrs", "weights").out
        text = """
        ---- Attributes ----
        n_conv.bias = []
        n_conv.dilation_nd = (1, 1)
        n_conv.kernel = [-0.5  0.2 -0.2  0.5  0.1 -0.3  0.4  0.  -0.4  0.3 -0.1 -0.5  0.2 -0.2
          0.5  0.1 -0.3  0.4  0.  -0.4  0.3 -0.1 -0.5  0.2 -0.2  0.5  0.1]
        n_conv.kernel_size_nd = (3, 3)
        n_conv.num_groups = 1
        n_conv.num_output_maps = 1
        n_conv.padding_mode = PaddingMode.EXPLICIT_ROUND_DOWN
        n_conv.padding_nd = (0, 0)
        n_conv.post_padding = (0, 0)
        n_conv.pre_padding = (0, 0)
        n_conv.stride_nd = (1, 1)
"""
        self.assertIn(text, out)
        out = self.rtx_run("inspect", "model", "c.onnx", "--display-as", "trt", "--show", "layers", "attrs").out
        self.assertIn("".join(line for line in text.splitlines(True) if ".kernel =" not in line and ".bias" not in line
                              and "0.5" not in line), out)

    def test_attributes_of_many_layers(self):
        """A loop's layers have one more part than others."""
        model = rtx.fetched("vadstatic", "models")
        out = self.rtx_run("inspect", "model", model, "--display-as", "trt", "--show", "layers", "attrs").out
        for line in ("(Unnamed Layer* 589) [TripLimit].kind = TripLimit.COUNT", "(Unnamed Layer* 590) [Iterator].axis = 0",
                     "(Unnamed Layer* 590) [Iterator].reverse = False", "(Unnamed Layer* 590) [Iterator].loop = (Unnamed Loop* 0)",
                     "(Unnamed Layer* 623) [LoopOutput].kind = LoopOutput.LAST_VALUE"):
            self.assertIn(f"        {line}\n", out)
        self.assertNotIn("[W]", out)

    def test_decomposable_attentions(self):
        """ONNX's Attention is an attention of the library from opset 23 on."""
        names = ["q", "k", "v"]
        self.save("a.onnx", cli.model([cli.node("Attention", names, ["y"], "n_att")], [cli.value_info(name, [1, 4, 16, 32]) for name in names],
                                      [cli.value_info("y", [1, 4, 16, 32])], opset=23))
        words = ("inspect", "model", "--display-as", "trt", "--decomposable-attentions")
        self.assertIn("[I] 1 attention(s) may be decomposed.\n", self.rtx_run(*words, "a.onnx").out)
        self.assertIn("[W] Option: --decomposable-attentions does nothing: the network has no attention layers.\n",
                      self.rtx_run(*words, "m.onnx").out)
        self.assertIn("        n_att_AttentionInput.attention = n_att\n", self.rtx_run(*words, "a.onnx", "--show", "layers", "attrs").out)

    def test_counts_only(self):
        out = self.rtx_run("inspect", "model", "m.onnx", "--display-as", "trt").out
        self.assertRegex(out, r"---- \d+ Layer\(s\) ----\n$")
        self.assertNotIn("Layer 0 ", out)

    def test_like_onnx(self):
        self.rtx_run("convert", "m.onnx", "-o", "like.onnx", "--convert-to", "onnx-like-trt-network")
        out = self.run_it("inspect", "model", "like.onnx", "--show", "layers").out
        self.assertIn("n_relu [Op: ACTIVATION]\n        {s [dtype=float32, shape=(1, 3)]}\n", out)
        self.assertIn("{x [dtype=float32, shape=(1, 3)]}", out)

    def test_model_it_cannot_parse(self):
        self.save("bad.onnx", cli.model([cli.node("Nonsense", ["x"], ["y"], "n")], [cli.value_info("x", [1])],
                                        [cli.value_info("y", [1])]))
        err = self.rtx_run("inspect", "model", "bad.onnx", "--display-as", "trt", rc=1).err
        self.assertRegex(err, r"TensorRT-RTX 1\.6\.1 cannot parse 'bad\.onnx':\n.*node 0 'n' \(Nonsense\): ")

    def test_options_for_networks_alone(self):
        err = self.rtx_run("inspect", "model", "m.onnx", "--mark-debug", "s", rc=1).err
        self.assertIn("--mark-debug: for networks and engines of TensorRT", err)


class Engine(rtx.RtxCase):
    def setUp(self):
        super().setUp()
        self.save("m.onnx", cli.relu_model())
        self.save("d.onnx", DYNAMIC)
        self.save("c.onnx", convolution())

    def convert(self, *words, rc=0):
        return self.rtx_run("convert", *words, "-o", "x.engine", rc=rc)

    def test_static(self):
        out = self.convert("m.onnx", "--trt-library", "tensorrt-rtx").out
        self.assertIn("Flags                  | [STRONGLY_TYPED]\n", out)
        self.assertRegex(out, r"\[I\] Finished engine building in \d+\.\d{3} seconds\n\[I\] Saving engine to x\.engine\n")
        self.assertGreater((self.folder / "x.engine").stat().st_size, 1000)

    def test_same_bytes_each_time(self):
        self.convert("m.onnx")
        first = (self.folder / "x.engine").read_bytes()
        self.convert("m.onnx")
        self.assertEqual((self.folder / "x.engine").read_bytes(), first)

    def test_target_by_default_name(self):
        self.rtx_run("convert", "m.onnx", "--convert-to", "trt")
        self.assertTrue((self.folder / "m_converted.engine").exists())

    def test_profiles(self):
        out = self.convert("d.onnx", *PROFILE, "--trt-min-shapes", "x:[2,3]", "--trt-opt-shapes", "x:[2,3]",
                           "--trt-max-shapes", "x:[2,3]").out
        self.assertIn("[I] Configuring with profiles:[\n"
                      "        Profile 0:\n            {x [min=[1, 3], opt=[4, 3], max=[8, 3]]},\n"
                      "        Profile 1:\n            {x [min=[2, 3], opt=[2, 3], max=[2, 3]]}\n    ]\n", out)

    def test_profile_from_input_shapes(self):
        out = self.convert("d.onnx", "--input-shapes", "x:[5,3]").out
        self.assertIn("{x [min=[5, 3], opt=[5, 3], max=[5, 3]]}", out)
        self.assertNotIn("[W]", out)

    def test_profile_without_shapes(self):
        self.assertIn("[W] Input tensor: x | No shapes were given for it: the profile uses (1, 3)",
                      self.convert("d.onnx").out)

    def test_wrong_profiles(self):
        for words, part in (
                (("--trt-min-shapes", "x:[1,4]"), "option '--trt-min-shapes': shape (1, 4) does not fit the input 'x' of "
                                                  "shape (-1, 3)"),
                (("--trt-max-shapes", "z:[1,3]"), "option '--trt-max-shapes': the model has no input 'z'; it has 'x'"),
                (("--trt-min-shapes", "x:[9,3]", "--trt-opt-shapes", "x:[2,3]"),
                 "profile 0 of the input 'x': the min shape (9, 3) is not within the opt shape (2, 3)"),
                (("--trt-opt-shapes", "x:[batch,3]"), "dim 'batch'")):
            with self.subTest(part):
                self.assertIn(part, self.convert("d.onnx", *words, rc=1).err)
                self.assertFalse((self.folder / "x.engine").exists())

    def test_workspace_too_small(self):
        self.save("c.onnx", convolution(64, 256))
        err = self.convert("c.onnx", "--pool-limit", "workspace:1", rc=1).err
        self.assertIn("TensorRT-RTX 1.6.1 could not build the engine: ", err)
        self.assertIn("workspace", err)
        self.assertEqual(sorted(os.listdir(self.folder)), ["c.onnx", "d.onnx", "m.onnx"])

    def test_memory_pools(self):
        for words in (("--pool-limit", "workspace:32M"), ("--workspace", "32M")):
            self.assertIn("[WORKSPACE: 32.00 MiB, ", self.convert("c.onnx", *words).out)

    def test_compute_capabilities(self):
        self.convert("c.onnx", "--compute-capabilities", "8.6")
        one = (self.folder / "x.engine").read_bytes()
        self.convert("c.onnx", "--compute-capabilities", "8.6", "12.0")
        self.assertNotEqual((self.folder / "x.engine").read_bytes(), one)
        err = self.convert("c.onnx", "--compute-capabilities", "9.9", rc=1).err
        self.assertIn("has no ComputeCapability 'SM99': there are NONE, CURRENT, SM75, ", err)
        self.assertIn("is not major.minor", self.convert("c.onnx", "--compute-capabilities", "sm86", rc=1).err)

    def test_flags_show(self):
        out = self.convert("c.onnx", "--tf32", "--sparse-weights", "--profiling-verbosity", "none",
                           "--preview-features").out
        self.assertIn("| [TF32, SPARSE_WEIGHTS, STRONGLY_TYPED]\n", out)
        self.assertIn("| ProfilingVerbosity.NONE\n    Preview Features       | []\n", out)

    def test_what_strongly_typed_networks_refuse(self):
        err = self.convert("c.onnx", "--tensor-dtypes", "x:float16", rc=1).err
        self.assertRegex(err, r"option '--tensor-dtypes': TensorRT-RTX 1\.6\.1 has no .*strongly typed")
        self.assertIn("--fp8 and --int8 exclude each other", self.convert("c.onnx", "--fp8", "--int8", rc=1).err)

    def types(self, *words):
        """Type of the first output of each layer in the network."""
        told = self.rtx_run("convert", "two.onnx", "-o", "view.onnx", "--convert-to", "onnx-like-trt-network", *words).out
        out = self.run_it("inspect", "model", "view.onnx", "--show", "layers").out
        layers = re.split(r"\n +Node \d+ +\| ", out)[1:]
        return told, {layer.split()[0]: re.search(r"-> \{\S+ \[dtype=(\w+)", layer)[1] for layer in layers}

    def test_types_are_written_into_the_model(self):
        self.save("two.onnx", two_products())
        for words, first, second in (((), "float32", "float32"), (("--fp16",), "float16", "float16"), (("--bf16",), "bfloat16", "bfloat16"),
                                     (("--precision-constraints", "obey", "--layer-precisions", "n_one:fp16"), "float16", "float32"),
                                     (("--precision-constraints", "n_two:bf16"), "float32", "bfloat16"),
                                     (("--fp16", "--precision-constraints", "prefer", "--layer-precisions", "n_two:float32"), "float16",
                                      "float32")):
            with self.subTest(words):
                out, types = self.types(*words)
                self.assertEqual((types["n_one"], types["n_two"]), (first, second), out)
                self.rtx_run("convert", "two.onnx", "-o", "x.engine", *words)
        self.assertIn("[W] The precisions of layers have no effect without", self.convert("two.onnx", "--layer-precisions", "n_one:fp16").out)
        err = self.convert("two.onnx", "--precision-constraints", "obey", "--layer-precisions", "n_onn:fp16", rc=1).err
        self.assertIn("n_one", err)

    def test_fp8_is_written_into_the_model(self):
        self.save("two.onnx", two_products())
        out, types = self.types("--fp8")
        self.assertIn("[I] 2 layers read fp8; 2 weights are stored as fp8.\n", out)
        self.assertIn("float8e4m3fn", types.values())
        for model in ("two.onnx", "c.onnx"):
            for words in (["--fp8"], ["--fp8", "--fp16"]):
                self.assertIn("the types are written into the model: float8e4m3fn", self.convert(model, *words).out)

    def test_int8_is_written_into_the_model(self):
        self.save("two.onnx", two_products())
        out, types = self.types("--int8")
        self.assertIn("[I] 2 layers read int8; 2 weights are stored as int8.\n", out)
        self.assertIn("int8", types.values())
        out = self.rtx_run("convert", "two.onnx", "-o", "x.engine", "--int8", "--calibration-cache", "c.cache", "--iterations", "3").out
        self.assertIn("the types are written into the model: int8 (TensorRT-RTX has no convolutions in int8)\n", out)
        first = (self.folder / "c.cache").read_bytes()
        self.assertTrue(first.startswith(b"TRT-"))
        out = self.convert("two.onnx", "--int8", "--fp16", "--calibration-cache", "c.cache").out
        self.assertIn("of the calibration cache 'c.cache'", out)
        self.assertIn("the types are written into the model: int8+float16", out)
        self.assertEqual((self.folder / "c.cache").read_bytes(), first)
        out = self.convert("c.onnx", "--int8").out  # stays in floating point
        self.assertIn("[I] 0 layers read int8", out)
        self.assertIn("[W] Option: --calibration-cache does nothing without --int8.", self.convert("c.onnx", "--calibration-cache", "x").out)

    def test_what_the_library_refuses(self):
        for words, part in ((["--tactic-sources", "cublas"], "has no TacticSource 'cublas': there are EDGE_MASK_CONV"),
                            (["--onnx-flags", "zz"], "has no OnnxParserFlag 'zz'"),
                            (["--quantization-flags", "x"], "has no flags of quantization"),
                            (["--hardware-compatibility-level", "ampere_plus"], "does not take it"),
                            (["--use-dla"], "finds no deep learning accelerator"),
                            (["--save-tactics", "t.json"], "has no algorithm selector: only TensorRT 10 has one"),
                            (["--plugins", "./no.so"], "could not load the library './no.so'"),
                            (["--builder-optimization-level", "6"], "6 is not between 0 and 5"),
                            (["--exclude-lean-runtime"], "needs --version-compatible")):
            with self.subTest(words):
                err = self.convert("c.onnx", *words, rc=1).err
                self.assertIn(words[0], err)
                self.assertIn(part, err)

    def test_fp16_converts_the_model(self):
        out = self.convert("c.onnx", "--fp16").out
        self.assertIn("The network is strongly typed, so the types are written into the model: float16\n", out)
        self.convert("c.onnx", "--fp-to-fp16")

    def test_outputs(self):
        out = self.convert("m.onnx", "--trt-outputs", "nothing", rc=1).err
        self.assertIn("option '--trt-outputs': the network has no tensor 'nothing'", out)
        self.convert("m.onnx", "--trt-outputs", "s", "y")
        self.convert("m.onnx", "--trt-outputs", "*")
        err = self.convert("m.onnx", "--trt-outputs", "s", "--trt-exclude-outputs", "s", rc=1).err
        self.assertIn("leave the network without outputs", err)
        err = self.convert("m.onnx", "--trt-outputs-by-type", "relu", rc=1).err
        self.assertIn("has no LayerType 'relu'", err)

    def test_timing_cache(self):
        self.convert("c.onnx", "--timing-cache", "t.cache")
        self.assertGreater((self.folder / "t.cache").stat().st_size, 0)
        # This library keeps no timings: it says so of every cache, and builds.
        out = self.convert("c.onnx", "--load-timing-cache", "t.cache").out
        self.assertIn("[W] The timing cache will not be used!\n", out)
        out = self.convert("c.onnx", "--load-timing-cache", "absent.cache").out
        self.assertIn("[W] Timing cache: 'absent.cache' does not exist: starting with an empty one.\n", out)
        err = self.convert("c.onnx", "--timing-cache", "a", "--load-timing-cache", "b", rc=1).err
        self.assertIn("option '--timing-cache' reads and writes one file", err)

    def test_options_without_an_engine(self):
        for words in (["--fp16"], ["--pool-limit", "workspace:1M"], ["--use-gpu"], ["--engine-capability", "standard"]):
            err = self.rtx_run("convert", "m.onnx", "-o", "c.onnx", *words, rc=1).err
            self.assertIn(f"{words[0]}: for TensorRT engines", err)

    def test_killing_a_build_leaves_nothing(self):
        self.save("big.onnx", convolution(512, 512))
        before = sorted(os.listdir(self.folder))
        for delay in (0.05, 0.15, 0.3):
            process = subprocess.Popen([cli.PROGRAM, "convert", "big.onnx", "-o", "x.engine"], cwd=self.folder,
                                       env={**os.environ, **self.rtx}, stdout=subprocess.DEVNULL)
            time.sleep(delay)
            children = _children(process.pid)
            process.send_signal(signal.SIGKILL)
            process.wait()
            for _ in range(100):
                if not any(_alive(child) for child in children):
                    break
                time.sleep(0.05)
            self.assertFalse([child for child in children if _alive(child)])
            if (self.folder / "x.engine").exists():
                os.unlink(self.folder / "x.engine")  # it was done already
            self.assertEqual(sorted(os.listdir(self.folder)), before)


def _children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Library(rtx.RtxCase):
    def setUp(self):
        super().setUp()
        self.save("m.onnx", cli.relu_model())

    def test_missing(self):
        out = self.run_it("convert", "m.onnx", "-o", "x.engine", env={"POLYGRAPHY_TENSORRT": "", "VIRTUAL_ENV": ""}).out
        self.assertIn("No TensorRT was found: the built-in engine stands in for it", out)
        for library, part in (("tensorrt", "TensorRT was not found: install TensorRT 10 or 11"),
                              ("tensorrt-rtx", "TensorRT-RTX was not found: install it with 'python3 -m pip install")):
            err = self.run_it("convert", "m.onnx", "-o", "x.engine", "--trt-library", library, rc=1,
                              env={"POLYGRAPHY_TENSORRT": "", "VIRTUAL_ENV": ""}).err
            self.assertIn(part, err)
        err = self.run_it("convert", "m.onnx", "-o", "x.engine", rc=1,
                          env={"POLYGRAPHY_TENSORRT": "", "POLYGRAPHY_USE_TENSORRT_RTX": "1"}).err
        self.assertIn("TensorRT-RTX was not found", err)

    def test_native(self):
        self.rtx_run("convert", "m.onnx", "-o", "x.engine", "--trt-library", "native")
        self.assertEqual((self.folder / "x.engine").read_bytes()[:8], b"\x89PGPLAN\n")

    def test_named_wrongly(self):
        for path, part in (("/nowhere/libnvinfer.so.10", "does not exist"), ("m.onnx", "is no library of TensorRT"),
                           (".", "has no library of TensorRT")):
            err = self.rtx_run("convert", "m.onnx", "-o", "x.engine", rc=1, env={"POLYGRAPHY_TENSORRT": path}).err
            self.assertIn(f"'{path}' in POLYGRAPHY_TENSORRT {part}", err.replace("the folder ", ""))
        err = self.rtx_run("convert", "m.onnx", "-o", "x.engine", "--trt-library", "tensorrt", rc=1).err
        self.assertIn("is TensorRT-RTX, but TensorRT is asked for", err)


if __name__ == "__main__":
    unittest.main()
