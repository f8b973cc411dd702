"""What goes in and out of engines of the built-in engine, and how its networks and engines are shown."""

import json
import re
import unittest

from seed_models import conv, custom_model, kernel, picture_model
from support import Case, model, node, value_info, weight


def types_model():
    """Inputs that are weights, an operator without a layer type, a node with two outputs."""
    return model([conv(["x", "k"], "a", "first"), node("Add", ["a", "c"], ["b"], "plus"),
                  node("Hardmax", ["b"], ["h"], "hard"), node("Sigmoid", ["h"], ["s"], "gate"),
                  node("Split", ["s"], ["y", "z"], "halves")],
                 [value_info("x", ["N", 3, 4, 4])], [value_info("y", ["N", 4, 4, 4]), value_info("z", ["N", 4, 4, 4])],
                 [kernel("k", 4, 3), weight("c", [1, 4, 1, 1], [1, 2, 3, 4])], opset=13)


class Engines(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(picture_model())
        (self.folder / "t.onnx").write_bytes(types_model())


class Network(Engines):
    def show(self, *words, rc=0, source="t.onnx"):
        return self.run_it("inspect", "model", source, "--display-as", "trt", *words, rc=rc)

    def test_layers(self):
        out = self.show("--show", "layers").out
        self.assertIn("the built-in engine stands in for it", out)
        text = "\n".join(line[4:] for line in out[out.index("[I] ==== TensorRT Network ===="):].splitlines())
        self.assertIn("""==== TensorRT Network ====
Name: g | Explicit Batch Network

---- 1 Network Input(s) ----
{x [dtype=float32, shape=(-1, 3, 4, 4)]}

---- 2 Network Output(s) ----
{y [dtype=float32, shape=(-1, 4, 4, 4)],
 z [dtype=float32, shape=(-1, 4, 4, 4)]}

---- 6 Layer(s) ----
Layer 0    | first [Op: LayerType.CONVOLUTION]
    {x [dtype=float32, shape=(-1, 3, 4, 4)]}
     -> {a [dtype=float32, shape=(-1, 4, 4, 4)]}

Layer 1    | c [Op: LayerType.CONSTANT]
    {} -> {c [dtype=float32, shape=(1, 4, 1, 1)]}

Layer 2    | plus [Op: LayerType.ELEMENTWISE]
    {a [dtype=float32, shape=(-1, 4, 4, 4)],
     c [dtype=float32, shape=(1, 4, 1, 1)]}
     -> {b [dtype=float32, shape=(-1, 4, 4, 4)]}

Layer 3    | hard [Op: Hardmax]
""", text)
        self.assertIn("gate [Op: ActivationType.SIGMOID]", text)
        self.assertIn("         z [dtype=", out)

    def test_counts_only(self):
        out = self.show().out
        self.assertIn("---- 6 Layer(s) ----", out)
        self.assertNotIn("Layer 0", out)

    def test_attributes_and_weights(self):
        out = self.show("--show", "layers", "attrs").out
        for line in ("first.kernel_shape = [1, 1]", "plus.op = ElementWiseOperation.SUM", "c.shape = (1, 4, 1, 1)",
                     "gate.type = ActivationType.SIGMOID"):
            self.assertIn(f"        {line}\n", out)
        self.assertNotIn("first.kernel = ", out)
        out = self.show("--show", "layers", "attrs", "weights").out
        self.assertIn("first.kernel = [[[[-0.625]]", out)
        self.assertIn("c.weights = [[[[1.]]", out)

    def test_strongly_typed(self):
        self.assertIn("| Explicit Batch Strongly Typed Network\n", self.show("--strongly-typed").out)

    def test_options_that_need_the_library(self):
        self.assertIn("option '--plugins': for TensorRT", self.show("--plugins", "p.so", rc=1).err)

    def test_picture(self):
        self.show("--save-visual", "v.html")
        self.assertIn("ELEMENTWISE", (self.folder / "v.html").read_text())

    def test_as_onnx(self):
        self.run_it("convert", "t.onnx", "--convert-to", "onnx-like-trt-network", "-o", "v.onnx", "--trt-outputs", "b", "y")
        out = self.run_it("inspect", "model", "v.onnx", "--show", "layers", "attrs").out
        self.assertIn("---- 2 Graph Output(s) ----", out)
        for part in ("first [Op: CONVOLUTION]", "c [Op: CONSTANT]", "plus [Op: ELEMENTWISE]", "hard [Op: Hardmax]",
                     "plus.op = ElementWiseOperation.SUM", "first.kernel = Tensor: [dtype=float32, shape=[4, 3, 1, 1]]",
                     "{b [dtype=float32, shape=('N', 4, 4, 4)]"):
            self.assertIn(part, out)
        err = self.run_it("convert", "t.onnx", "--convert-to", "onnx-like-trt-network", "-o", "w.onnx", "--use-gpu", rc=1).err
        self.assertIn("option '--use-gpu' needs TensorRT", err)
        self.assertFalse((self.folder / "w.onnx").exists())


class OutputsByType(Engines):
    def outputs(self, *words, rc=0):
        result = self.run_it("run", "m.onnx", "--trt", "--trt-outputs-by-type", *words, rc=rc)
        return result.err if rc else re.findall(r"(\w+) \[dtype=float32, shape=\S+ \d+, \d+, \d+\)\]",
                                                result.out.split("Inference Output(s)")[1])

    def test_types(self):
        self.assertEqual(self.outputs("convolution"), ["conv1_output", "conv2_output"])
        self.assertEqual(self.outputs("ACTIVATION", "Reduce"), ["relu1_output", "relu2_output", "intermediate"])
        self.assertEqual(self.outputs("UNARY", "--trt-outputs", "conv1_output", "--trt-exclude-outputs", "output2"),
                         ["conv1_output", "output1"])

    def test_values_are_those_of_the_model(self):
        out = self.run_it("run", "m.onnx", "--native", "--trt", "--trt-outputs-by-type", "CONVOLUTION", "--onnx-outputs",
                          "mark", "all", "--atol", "0", "--rtol", "0").out
        self.assertIn("Pass Rate: 100.00%", out)

    def test_names_that_are_none(self):
        self.assertRegex(self.outputs("CONVOLUTON", rc=1), r"'--trt-outputs-by-type': 'CONVOLUTON' is not one of CONVOLUTION, "
                         r"CAST, .*; did you mean 'CONVOLUTION'\?")
        out = self.run_it("run", "m.onnx", "--trt", "--trt-outputs-by-type", "TOPK").out
        self.assertIn("the network has no layer of type 'TOPK'", out)


class DebugTensors(Engines):
    SHAPE = ["--input-shapes", "input:[2,3,8,8]"]

    def results(self, out):
        return re.findall(r"(\w+) \[dtype=(\w+), shape", out.split("Inference Output(s)")[1].split("\n[")[0])

    def test_values_are_those_of_the_model(self):
        self.run_it("run", "m.onnx", "--native", *self.SHAPE, "--onnx-outputs", "mark", "all", "--save-outputs", "all.json")
        out = self.run_it("run", "m.onnx", "--trt", *self.SHAPE, "--mark-debug", "relu1_output", "conv1_output", "--load-outputs",
                          "all.json", "--atol", "0", "--rtol", "0").out
        self.assertEqual([name for name, _ in self.results(out)], ["final_output", "relu1_output", "conv1_output"])
        for name in ("relu1_output", "conv1_output", "final_output"):
            self.assertRegex(out, rf"PASSED \| Output: '{name}'")
        self.assertIn("no layer makes are computed beside the engine: 'conv1_output'\n", out)

    def test_fusion_is_not_disturbed(self):
        self.run_it("convert", "m.onnx", "-o", "a.engine", *self.SHAPE)
        self.run_it("convert", "m.onnx", "-o", "b.engine", *self.SHAPE, "--mark-debug", "conv1_output", "conv2_output", "input")
        layers = [re.findall(r"Layer \d+ .*\]\n", self.run_it("inspect", "model", name, "--show", "layers").out)
                  for name in ("a.engine", "b.engine")]
        self.assertGreater(len(layers[0]), 3)
        self.assertEqual(*layers)
        out = self.run_it("run", "b.engine", "--trt", "--iterations", "3", "--profile").out
        self.assertEqual([name for name, _ in self.results(out)], ["final_output", "conv1_output", "conv2_output", "input"])
        self.assertIn("---- Nodes ----", out)

    def test_all_that_is_not_fused(self):
        self.run_it("convert", "m.onnx", "-o", "a.engine", *self.SHAPE, "--mark-unfused-tensors-as-debug-tensors")
        out = self.run_it("run", "a.engine", "--trt").out
        shown = self.run_it("inspect", "model", "a.engine", "--show", "layers").out
        between = [name for name in re.findall(r"-> \{(\w+)", shown) if name != "final_output"]
        self.assertEqual([name for name, _ in self.results(out)], ["final_output", *between])
        self.assertIn("relu1_output", between)
        self.assertNotIn("conv1_output", between)
        self.assertNotIn("beside the engine", out)
        out = self.run_it("run", "m.onnx", "--trt", *self.SHAPE, "--mark-unfused-tensors-as-debug-tensors",
                          "--builder-optimization-level", "0").out
        self.assertIn(("conv1_output", "float32"), self.results(out))

    def test_types_of_the_engine(self):
        for flag, dtype in (("--fp16", "float16"), ("--bf16", "bfloat16"), ("--int8", "float32")):
            with self.subTest(flag):
                out = self.run_it("run", "m.onnx", "--trt", *self.SHAPE, flag, "--mark-debug", "relu1_output",
                                  "conv2_output").out
                self.assertEqual(self.results(out), [("final_output", "float32"), ("relu1_output", dtype),
                                                     ("conv2_output", dtype)])

    def test_unknown_names(self):
        for words, part in ((["relu3_output"], "the network has no tensor 'relu3_output'; did you mean 'relu1_output'?"),
                            (["input", "w1"], "the network has no tensor 'w1'"),
                            (["nothing_like_any_tensor"], "--display-as trt --show layers' lists them")):
            self.assertIn(part, self.run_it("convert", "m.onnx", "-o", "a.engine", "--mark-debug", *words, rc=1).err)
        self.assertFalse((self.folder / "a.engine").exists())


class Borders(Engines):
    SHAPE = ["--trt-min-shapes", "input:[2,3,8,8]"]

    def build(self, *words, rc=0):
        return self.run_it("convert", "m.onnx", "-o", "m.engine", *self.SHAPE, *words, rc=rc)

    def test_types(self):
        self.build("--tensor-dtypes", "input:float16", "final_output:bf16")
        self.assertIn("{input [dtype=float16, shape=(-1, 3, -1, -1)]}", self.run_it("inspect", "model", "m.engine").out)
        out = self.run_it("run", "m.engine", "--trt").out
        self.assertIn("{input [dtype=float16, shape=(2, 3, 8, 8)]}", out)
        self.assertIn("{final_output [dtype=bfloat16, shape=(2, 5, 1, 1)]}", out)

    def test_values_of_types(self):
        """Inputs that float16 holds give the same results; outputs are rounded once."""
        words = ("run", "m.onnx", "--native", "--trt", "--input-shapes", "input:[2,3,8,8]", "--val-range", "[2,2]")
        for more, atol in ((["--tensor-dtypes", "input:fp16"], "0"), (["--all-tensor-dtypes", "half"], "1e-3")):
            out = self.run_it(*words, *more, "--atol", atol, "--rtol", "0").out
            self.assertIn("Pass Rate: 100.00%", out)
        self.run_it(*words, "--all-tensor-dtypes", "half", "--atol", "0", "--rtol", "0", rc=1)

    def test_integers(self):
        (self.folder / "i.onnx").write_bytes(model([node("Add", ["x", "x"], ["y"])], [value_info("x", [3], 7)],
                                                   [value_info("y", [3], 7)]))
        out = self.run_it("run", "i.onnx", "--native", "--trt", "--tensor-dtypes", "x:int32", "y:int32").out
        self.assertIn("y [dtype=int32", out)
        self.assertIn("Pass Rate: 100.00%", out)
        self.assertIn("input 'x' is int64 in the network: its arrays can be int32 or int64, not float32",
                      self.run_it("run", "i.onnx", "--trt", "--tensor-dtypes", "x:float32", rc=1).err)

    def test_refused_types(self):
        for words, part in ((["input:int8"], "its arrays can be float32, float16 or bfloat16, not int8 (that needs a scale"),
                            (["inptu:float16"], "the network has no input or output 'inptu'; did you mean 'input'?"),
                            (["input:float17"], "'float17' is no element type"),
                            (["input:fp16", "--strongly-typed"], "--strongly-typed takes the types from the model")):
            self.assertIn(part, self.build("--tensor-dtypes", *words, rc=1).err)

    def test_channels_last(self):
        (self.folder / "f.onnx").write_bytes(picture_model(dims=(2, 3, 8, 6)))
        for words in (["--all-tensor-formats", "hwc"], ["--tensor-formats", "input:[chw32,HWC]"],
                      ["--tensor-formats", "relu2_output:[hwc]"], ["--all-tensor-formats", "hwc", "--fp16", "--atol", "1e-2"],
                      ["--all-tensor-formats", "linear"]):
            with self.subTest(words):
                out = self.run_it("run", "f.onnx", "--native", "--trt", "--no-shape-check", "--onnx-outputs", "relu2_output", *words).out
                self.assertIn("Pass Rate: 100.00%", out)
                self.assertEqual("relu2_output [dtype=float32, shape=(2, 8, 6, 5)]" in out,
                                 "--tensor" in words[0] and "relu2" in words[1] or words[1] == "hwc")
        out = self.run_it("convert", "f.onnx", "-o", "f.engine", "--all-tensor-formats", "hwc").out
        self.assertIn("{input [dtype=float32, shape=(2, 8, 6, 3), Format: HWC]}", self.run_it("inspect", "model", "f.engine").out)
        self.assertIn("input [dtype=float32, shape=(2, 8, 6, 3)]", self.run_it("run", "f.engine", "--trt").out)

    def test_volumes_and_multiples(self):
        (self.folder / "v.onnx").write_bytes(model([node("Relu", ["x"], ["y"])], [value_info("x", [1, 8, 2, 3, 4])],
                                                   [value_info("y", [1, 8, 2, 3, 4])]))
        out = self.run_it("run", "v.onnx", "--native", "--trt", "--no-shape-check", "--tensor-formats", "x:[dhwc8]",
                          "y:[dhwc]").out
        self.assertIn("y [dtype=float32, shape=(1, 2, 3, 4, 8)]", out)
        self.assertIn("Pass Rate: 100.00%", out)

    def test_refused_formats(self):
        for word, part in (("input:[chw4]", "has no arrays of the format CHW4, which packs channels"),
                           ("input:[hwc8]", "the format HWC8 is for multiples of 8 channels here"),
                           ("input:[dhwc]", "the format DHWC is for tensors of 5 dimensions"),
                           ("input:[HWCC]", "'HWCC' is not one of LINEAR, HWC, HWC8, HWC16, DHWC, DHWC8; did you mean 'HWC'?"),
                           ("input:[]", "no format is named")):
            self.assertIn(part, self.build("--tensor-formats", word, rc=1).err)

    def test_direct_io(self):
        for words, part in ((["--direct-io"], "input 'input' would be rearranged for layer 'conv1'; give it the format hwc"),
                            (["--direct-io", "--all-tensor-formats", "hwc", "--tensor-dtypes", "input:fp16"],
                             "input 'input' would be cast"),
                            (["--direct-io", "--all-tensor-formats", "hwc", "--fp16"], "input 'input' would be cast")):
            self.assertIn(part, self.build(*words, rc=1).err)
        self.build("--direct-io", "--tensor-formats", "input:[hwc]")
        err = self.build("--direct-io", "--tensor-formats", "input:[hwc]", "--trt-outputs", "relu2_output", rc=1).err
        self.assertIn("output 'relu2_output' would be rearranged; give it the format hwc", err)

    def test_wrong_arrays(self):
        self.build("--tensor-dtypes", "input:float16")
        self.run_it("run", "m.onnx", "--native", "--input-shapes", "input:[2,3,8,8]", "--save-inputs", "in.json")
        out = self.run_it("run", "m.engine", "--trt", "--load-inputs", "in.json").out
        self.assertIn("Buffer dtype (float32) does not match expected input dtype (float16)", out)


class BuildOptions(Engines):
    """Options that change nothing here say so in the engine."""

    def build(self, *words, rc=0):
        return self.run_it("convert", "m.onnx", "-o", "m.engine", "--trt-min-shapes", "input:[2,3,8,8]", *words, rc=rc)

    def test_notes(self):
        self.build("--max-aux-streams", "4", "--preview-features", "profile_sharing_0806", "--quantization-flags",
                   "CALIBRATE_BEFORE_FUSION", "--onnx-flags", "native_instancenorm", "--tiling-optimization-level", "full")
        out = self.run_it("inspect", "model", "m.engine").out
        self.assertIn("---- Build Options ----\n", out)
        for part in ("--preview-features PROFILE_SHARING_0806: always so, every runner of an engine can use every profile",
                     "--quantization-flags CALIBRATE_BEFORE_FUSION: always so, the model is calibrated as it is written",
                     "--onnx-flags NATIVE_INSTANCENORM: always so, InstanceNormalization is a layer, no plugin",
                     "--tiling-optimization-level FULL: no effect, each tactic has one way of tiling",
                     "--max-aux-streams 4: none is used, one layer runs at a time on all threads"):
            self.assertIn(f"    {part}\n", out)
        self.build()
        self.assertNotIn("Build Options", self.run_it("inspect", "model", "m.engine").out)

    def test_what_cannot_be(self):
        for words, part in ((["--preview-features", "ALIASED_PLUGIN_IO_10_03"], "cannot follow ALIASED_PLUGIN_IO_10_03: it has no"),
                            (["--preview-features", "PROFILE_SHARING"], "is not one of PROFILE_SHARING_0806, "),
                            (["--onnx-flags", "REPORT_CAPABILITY_DLA"], "cannot follow REPORT_CAPABILITY_DLA: it runs on the"),
                            (["--quantization-flags", "nothing"], "'nothing' is not one of CALIBRATE_BEFORE_FUSION"),
                            (["--tiling-optimization-level", "most"], "'most' is not one of NONE, FAST, MODERATE, FULL"),
                            (["--profiling-verbosity", "loud"], "'loud' is not one of DETAILED, LAYER_NAMES_ONLY, NONE")):
            self.assertIn(part, self.build(*words, rc=1).err)
        self.assertIn("cannot follow ENABLE_PLUGIN_OVERRIDE", self.run_it(
            "inspect", "model", "m.onnx", "--display-as", "trt", "--onnx-flags", "ENABLE_PLUGIN_OVERRIDE", rc=1).err)

    def test_verbosity(self):
        shown = {}
        for level in ("detailed", "layer_names_only", "none"):
            self.build("--profiling-verbosity", level)
            shown[level] = self.run_it("inspect", "model", "m.engine", "--show", "layers", "attrs").out
            self.assertIn("PASSED | Runtime", self.run_it("run", "m.engine", "--trt").out)
        counts = {level: re.search(r"---- (\d+) Layer\(s\) ----", out).group(1) for level, out in shown.items()}
        self.assertEqual(len(set(counts.values())), 1)
        self.assertIn("Tactic = ", shown["detailed"])
        self.assertIn("Layer 0    | conv1 [Op: Unknown]\n        {} -> {}\n", shown["layer_names_only"])
        self.assertNotIn("Tactic = ", shown["layer_names_only"])
        self.assertNotIn("Layer 0", shown["none"])
        self.assertIn("[W] The engine was built with --profiling-verbosity none", shown["none"])

    def test_profile_of_a_loaded_engine(self):
        self.build()
        out = self.run_it("run", "m.engine", "--trt", "--iterations", "3", "--profile", "--save-profile", "p.json").out
        self.assertIn("---- Nodes ----", out)
        profile = json.loads((self.folder / "p.json").read_text())["runners"][0]
        self.assertEqual((profile["inferences"], {n["calls"] for n in profile["nodes"]}), (3, {3}))
        self.assertIn("conv1", {n["node"] for n in profile["nodes"]})
        self.assertIn("trt-native-runner", profile["name"])


class Capability(Engines):
    """`inspect capability` where the built-in engine decides."""

    def setUp(self):
        super().setUp()
        (self.folder / "c.onnx").write_bytes(custom_model())

    def test_all_supported(self):
        self.assertIn("Graph is fully supported by the built-in engine",
                      self.run_it("inspect", "capability", "m.onnx").out)
        self.assertFalse((self.folder / "polygraphy_capability_dumps").exists())

    def test_parts_run_where_they_are_supported(self):
        out = self.run_it("inspect", "capability", "c.onnx", "--with-partitioning", "-o", "parts").out
        self.assertIn("CustomOp", out)
        names = sorted(path.name for path in (self.folder / "parts").iterdir())
        self.assertEqual(names, ["results.txt", "supported_subgraph-nodes-0-0.onnx", "supported_subgraph-nodes-2-2.onnx",
                                 "unsupported_subgraph-nodes-1-1.onnx"])
        self.run_it("convert", f"parts/{names[1]}", "-o", "p.engine")
        self.assertIn("PASSED | Runtime", self.run_it("run", "p.engine", "--trt").out)
        self.assertIn("CustomOp", self.run_it("convert", f"parts/{names[3]}", "-o", "q.engine", "--trt-min-shapes",
                                              "a:[1,3]", rc=1).err)


if __name__ == "__main__":
    unittest.main()
