"""`convert`: what it refuses, what it says about options without a use, and float16."""

import unittest

from support import Case, bytes_field, model, node, polygraphy, relu_model, value_info, weight


class Convert(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(relu_model())

    def save(self, name, payload):
        (self.folder / name).write_bytes(payload)

    def test_unchanged_model_is_copied_byte_for_byte(self):
        self.run_it("convert", "m.onnx", "-o", "copy.onnx")
        self.assertEqual((self.folder / "copy.onnx").read_bytes(), (self.folder / "m.onnx").read_bytes())

    def test_default_name(self):
        self.run_it("convert", "m.onnx", "--convert-to", "onnx")
        self.assertTrue((self.folder / "m_converted.onnx").exists())
        err = self.run_it("convert", "m.onnx", rc=2).err
        self.assertIn("error: the following arguments are required: -o/--output\n", err)

    def test_targets_that_need_a_runtime(self):
        err = self.run_it("convert", "m.onnx", "--convert-to", "onnx-like-trt-network", "-o", "x",
                          "--trt-library", "tensorrt", rc=1).err
        self.assertIn("TensorRT", err)

    def test_options_without_a_use(self):
        out = self.run_it("convert", "m.onnx", "-o", "c.onnx", "--seed", "3", "--providers", "cpu", "--pooled-outputs",
                          "--input-shapes", "x:[1,3]").out
        for option in ("--seed", "--providers/--execution-providers", "--pooled-outputs", "--input-shapes/--inputs"):
            self.assertRegex(out, rf"\[W\] Option: {option} (does nothing here|has no effect)")
        err = self.run_it("convert", "m.onnx", "-o", "c.onnx", "--exclude-tactics", "bad.json", rc=1).err
        self.assertIn("--exclude-tactics", err)
        self.assertIn("TensorRT", err)

    def test_unwritable_target_is_found_first(self):
        err = self.run_it("convert", "nope.onnx", "-o", "m.onnx/x.onnx", rc=1).err
        self.assertIn("m.onnx", err)
        self.assertNotIn("nope.onnx", err)

    def test_model_onto_itself(self):
        self.run_it("convert", "m.onnx", "-o", "m.onnx", "--onnx-outputs", "s")
        self.assertIn("1 Graph Output(s) ----\n    {s", self.run_it("inspect", "model", "m.onnx").out)

    def test_fp16(self):
        out = self.run_it("convert", "m.onnx", "-o", "h.onnx", "--fp-to-fp16", "-v").out
        self.assertIn("[I] Converting float tensors to float16\n", out)
        self.assertIn("[V] Converted 1 weights and constants; 2 casts were added, 0 nodes stay in float32.\n", out)
        text = self.run_it("inspect", "model", "h.onnx", "--show", "layers").out
        self.assertIn("b [dtype=float16, shape=(3,)]", text)
        self.assertIn("{x [dtype=float32, shape=(1, 3)]}", text)
        self.assertIn("-> {y [dtype=float32, shape=(1, 3)]}", text)

    def test_fp16_elements_out_of_range(self):
        self.save("w.onnx", model([node("Add", ["x", "b"], ["y"])], [value_info("x", [3])], [value_info("y", [3])],
                                  [weight("b", [3], [1e6, -1e-10, float("inf")])]))
        out = self.run_it("convert", "w.onnx", "-o", "h.onnx", "--fp-to-fp16").out
        self.assertIn("[W] 1 weight element(s) lie beyond the range of float16 and became +-65504.\n", out)
        self.assertIn("[W] 1 weight element(s) would vanish in float16", out)
        text = self.run_it("inspect", "model", "h.onnx", "--show", "weights").out
        self.assertIn("[ 6.55e+04 -5.96e-08       inf]", text)

    def test_fp16_refused(self):
        unknown = (b"".join(bytes_field(1, i) for i in ["x"]) + bytes_field(2, "t") + bytes_field(3, "odd") +
                   bytes_field(4, "Odd") + bytes_field(7, "my.domain"))
        self.save("odd.onnx", model([unknown, node("Relu", ["t"], ["y"])], [value_info("x", [3])], [value_info("y", [3])]))
        err = self.run_it("convert", "odd.onnx", "-o", "h.onnx", "--fp-to-fp16", rc=1).err
        self.assertIn("the type of 't', an output of node 'odd' (Odd), is not known", err)
        self.save("old.onnx", model([node("Relu", ["x"], ["y"])], [value_info("x", [3])], [value_info("y", [3])], opset=5))
        err = self.run_it("convert", "old.onnx", "-o", "h.onnx", "--fp-to-fp16", rc=1).err
        self.assertIn("opset below 6", err)
        self.assertFalse((self.folder / "h.onnx").exists())

    def test_shape_inference(self):
        self.save("s.onnx", model([node("Relu", ["x"], ["t"]), node("Neg", ["t"], ["y"])], [value_info("x", ["N", 3])],
                                  [bytes_field(1, "y")]))
        self.run_it("convert", "s.onnx", "-o", "i.onnx", "--shape-inference")
        text = self.run_it("inspect", "model", "i.onnx", "--show", "layers").out
        self.assertIn("t [dtype=float32, shape=('N', 3)]", text)
        self.assertIn("{y [dtype=float32, shape=('N', 3)]}", text)

    def test_damaged_models(self):
        whole = relu_model()
        for cut in range(0, len(whole), 7):
            self.save("cut.onnx", whole[:cut])
            for extra in (["--fp-to-fp16"], ["--shape-inference"]):
                self.folder.joinpath("c.onnx").unlink(missing_ok=True)
                result = polygraphy("convert", "cut.onnx", "-o", "c.onnx", *extra, cwd=self.folder)
                self.assertIn(result.rc, (0, 1), result.err)


if __name__ == "__main__":
    unittest.main()
