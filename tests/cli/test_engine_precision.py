"""Types that layers of the built-in engine's engines compute in."""

import struct
import unittest
import zipfile

from seed_models import conv, kernel, picture_model
from support import Case, bytes_field, model, node, number_field, value_info, weight

SHAPE = ("--input-shapes", "input:[1,3,8,8]")


class Precision(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(picture_model())

    def build(self, *words, rc=0):
        return self.run_it("convert", "m.onnx", "-o", "m.engine", *SHAPE, *words, rc=rc)

    def cache(self, scales):
        lines = (f"{name}: {struct.unpack('>I', struct.pack('>f', scale))[0]:x}\n" for name, scale in scales.items())
        (self.folder / "c.cache").write_text("TRT-100000-EntropyCalibration2\n" + "".join(lines))
        return "--calibration-cache", "c.cache"


class Float8(Precision):
    def test_rounds_as_e4m3(self):
        """Steps are 1/8 from 1 on, 2 from 16 on, 32 from 256 on; beyond 448 there is nothing."""
        product = model([node("MatMul", ["x", "w"], ["y"], "product")], [value_info("x", [1, 4])], [value_info("y", [1, 1])],
                        [weight("w", [4, 1], [1, 1, 1, 1])])
        (self.folder / "m.onnx").write_bytes(product)
        self.run_it("convert", "m.onnx", "-o", "m.engine", "--fp8", *self.cache({"x": 448 / 127}))
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }"
        header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
        array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack("<4f", 1.05, 17.3, 300, 1e4)
        with zipfile.ZipFile(self.folder / "in.npz", "w") as inputs:
            inputs.writestr("x.npy", array)
        self.run_it("run", "m.engine", "--trt", "--load-inputs", "in.npz", "--save-outputs", "out.npz")
        with zipfile.ZipFile(self.folder / "out.npz") as outputs:
            (value,) = struct.unpack("<f", outputs.read(outputs.namelist()[0])[-4:])
        self.assertAlmostEqual(value, 1 + 18 + 288 + 448, places=3)

    def test_needs_scales_and_excludes_others(self):
        self.assertIn("--fp8 and --int8 exclude each other", self.build("--fp8", "--int8", rc=1).err)
        self.assertIn("it excludes --fp16, --bf16, --fp8 and --int8", self.build("--fp8", "--strongly-typed", rc=1).err)
        err = self.build("--layer-precisions", "conv1:fp8", "--precision-constraints", "obey", rc=1).err
        self.assertIn("layer 'conv1' shall compute in fp8, which needs scales: add --fp8", err)

    def test_layers_of_choice(self):
        out = self.build("--fp8").out
        self.assertIn("2 layers read fp8; 2 weights are stored as fp8", out)
        out = self.build("--fp8", "--layer-precisions", "conv1:float32", "--precision-constraints", "obey").out
        self.assertIn("1 layers read fp8", out)


class Constraints(Precision):
    def test_obey_names_the_layer(self):
        words = ("--int8", "--layer-precisions", "sensitive_layer:int8", "--precision-constraints")
        err = self.build(*words, "obey", rc=1).err
        self.assertIn("layer 'sensitive_layer' cannot compute in int8: it is neither a convolution or product", err)
        self.assertIn("'--precision-constraints prefer'", err)

    def test_prefer_warns(self):
        words = ("--int8", "--layer-precisions", "sensitive_layer:int8", "--precision-constraints")
        self.assertIn("[W] Layer 'sensitive_layer' does not compute in int8: ", self.build(*words, "prefer").out)

    def test_wildcards_ask_those_that_can(self):
        out = self.build("--int8", "--layer-precisions", "*:int8", "--precision-constraints", "obey").out
        self.assertNotIn("[W] Layer", out)

    def test_the_model_s_own_quantization_decides(self):
        scale, zero = weight("s", [], [0.5]), bytes_zero("z")
        nodes = [node("QuantizeLinear", ["input", "s", "z"], ["q"], "q"), node("DequantizeLinear", ["q", "s", "z"], ["d"], "d"),
                 conv(["d", "w1"], "c", "conv1"), conv(["c", "w2"], "out", "conv2")]
        quantized = model(nodes, [value_info("input", ["N", 3, 8, 8])], [value_info("out", ["N", 5, 8, 8])],
                          [kernel("w1", 4, 3), kernel("w2", 5, 4), scale, zero])
        (self.folder / "m.onnx").write_bytes(quantized)
        words = ("--int8", "--precision-constraints", "obey", "--layer-precisions")
        self.build(*words, "conv1:int8", "conv2:float32")
        for bad, name in (("conv1:float32", "float32"), ("conv2:int8", "int8")):
            err = self.build(*words, bad, rc=1).err
            self.assertIn(f"layer '{bad.split(':')[0]}' cannot compute in {name}: the model's own QuantizeLinear", err)


class Int8(Precision):
    def test_worst_layers_are_named(self):
        out = self.build("--int8", "-v").out
        self.assertRegex(out, r"\[V\] Rounding to int8 leaves layer 'conv[12]' an expected signal-to-noise ratio of [\d.]+ dB")

    def test_batch_normalization_joins_the_weights(self):
        nodes = [conv(["input", "w1"], "c", "conv1"),
                 node("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["n"], "bn"),
                 node("HardSwish", ["n"], ["h"], "act"), conv(["h", "w2"], "out", "conv2")]
        numbers = {"gamma": [2, -1, 0.5, 3], "beta": [1, 0, -1, 2], "mean": [0.5, 1, 0, -1], "variance": [1, 4, 0.25, 9]}
        folded = model(nodes, [value_info("input", ["N", 3, 8, 8])], [value_info("out", ["N", 5, 8, 8])],
                       [kernel("w1", 4, 3), kernel("w2", 5, 4), *(weight(k, [4], v) for k, v in numbers.items())])
        (self.folder / "m.onnx").write_bytes(folded)
        out = self.build("--int8", "-v").out
        self.assertIn("[V] Folded 1 scalings and shifts into the weights", out)
        layers = self.run_it("inspect", "model", "m.engine", "--show", "layers").out
        self.assertNotIn("BatchNormalization", layers)
        self.assertNotIn("HardSwish", layers)
        self.assertEqual(layers.count("QConv"), 2, layers)


def bytes_zero(name):
    """An initializer of one int8, 0."""
    return number_field(2, 3) + bytes_field(8, name) + bytes_field(9, b"\0")


if __name__ == "__main__":
    unittest.main()
