"""What goes in and out of engines of the built-in engine, and how its networks and engines are shown."""

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
        self.assertIn("'--trt-library native'",
                      self.run_it("inspect", "model", "t.onnx", "--display-as", "trt", "--show", "layers", "attrs",
                                  "--trt-library", "tensorrt", rc=1).err)

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
