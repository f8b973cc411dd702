"""template trt-network, trt-config, onnx-gs: what is written and what is refused. Beside the peer's: tests/parity."""

import ast
import os
import unittest

from support import Case, relu_model


class Templates(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(relu_model())

    def written(self, *words):
        self.run_it("template", *words, "-o", "t.py")
        text = (self.folder / "t.py").read_text()
        ast.parse(text)
        self.assertTrue(os.access(self.folder / "t.py", os.X_OK))
        return text

    def test_own_options(self):
        text = self.written("trt-config", "--workspace", "2G", "--timing-cache", "t.cache")
        self.assertIn("memory_pool_limits={trt.MemoryPoolType.WORKSPACE: 2147483648}", text)
        self.assertIn('load_timing_cache="t.cache"', text)
        text = self.written("trt-config", "--trt-config-script", "c.py", "--trt-config-func-name", "make")
        self.assertIn('InvokeFromScript("c.py", name="make")', text)

    def test_chosen_outputs_reach_the_network(self):
        text = self.written("trt-network", "m.onnx", "--onnx-outputs", "s")
        self.assertIn('ModifyOutputs(model, outputs=["s"])', text)

    def test_empty_network(self):
        text = self.written("trt-network", "--strongly-typed")
        self.assertIn("CreateNetwork(strongly_typed=True)", text)
        self.assertIn("def load_network(builder, network):", text)

    def test_standard_output(self):
        out = self.run_it("template", "onnx-gs", "m.onnx", "-o", "-").out
        ast.parse(out)
        self.assertIn("m_updated.onnx", out)
        self.assertEqual(list(self.folder.glob("*.py")), [])

    def refused(self, *words, rc=1):
        result = self.run_it("template", *words, "-o", "t.py", rc=rc)
        self.assertFalse((self.folder / "t.py").exists())
        return result.err

    def test_refused(self):
        self.assertIn("'--plugins' needs a model", self.refused("trt-network", "--plugins", "p.so"))
        self.assertIn("'--tf-outputs' is not available", self.refused("trt-network", "--tf-outputs", "y"))
        self.assertIn("'conv1:float16' is about a layer",
                      self.refused("trt-config", "--precision-constraints", "conv1:float16"))
        self.assertIn("'a b' is no name", self.refused("trt-config", "--tactic-sources", "a b"))
        self.assertIn("'--calibration-cache' is about calibration", self.refused("trt-config", "--calibration-cache", "c"))
        self.assertIn("'--fp16'", self.refused("trt-config", "--trt-config-script", "c.py", "--fp16"))
        self.assertIn("'--trt-config-func-name'", self.refused("trt-config", "--trt-config-func-name", "f"))
        self.assertIn("no shape for input 'y'", self.refused("trt-config", "--trt-min-shapes", "x:[1]", "y:[1]",
                                                             "--trt-opt-shapes", "x:[1]"))
        self.assertIn("3 dimensions here and 2", self.refused("trt-config", "--trt-min-shapes", "x:[1,2,3]",
                                                              "--trt-opt-shapes", "x:[1,2]"))
        self.assertIn("'--all-tensor-dtypes'", self.refused("trt-network", "m.onnx", "--tensor-dtypes", "a:float16",
                                                            "--all-tensor-dtypes", "int8"))
        self.assertIn("required: model_file", self.refused("onnx-gs", rc=2))
        self.run_it("template", "trt-config", rc=2)

    def test_unwritable(self):
        self.assertIn("/proc/no", self.run_it("template", "trt-config", "-o", "/proc/no/such", rc=1).err)


if __name__ == "__main__":
    unittest.main()
