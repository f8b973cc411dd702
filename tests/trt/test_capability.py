"""`inspect capability` with TensorRT-RTX's own parser, which needs no GPU."""

import json
import unittest

from rtx import RtxCase
from support import model, node, relu_model, value_info


class Capability(RtxCase):
    def test_supported(self):
        self.save("m.onnx", relu_model())
        out = self.rtx_run("inspect", "capability", "m.onnx").out
        self.assertIn("[I] Graph is fully supported by TensorRT; Will not report errors.\n", out)
        self.assertNotIn("stands in", out)

    def test_nodes_and_parts(self):
        x, y = value_info("x", (1, 3)), value_info("y", (1, 3))
        self.save("m.onnx", model([node("Relu", ["x"], ["a"], "n_good"), node("Nonsense", ["a"], ["y"], "n_bad")], [x], [y]))
        self.rtx_run("inspect", "capability", "m.onnx", "-o", "parts", "--with-partitioning")
        self.assertEqual(sorted(path.name for path in (self.folder / "parts").iterdir()),
                         ["results.txt", "supported_subgraph-nodes-0-0.onnx", "unsupported_subgraph-nodes-1-1.onnx"])
        rows = (self.folder / "parts" / "results.txt").read_text().splitlines()[3:]
        self.assertEqual(len(rows), 1)
        self.assertRegex(rows[0], r"^Nonsense \|       1 \| .*Nonsense.* \| \[\[1, 2\]\]$")

    def test_compatibility(self):
        self.save("m.onnx", relu_model())
        out = self.rtx_run("check", "compatibility", "m.onnx", "--trt", "--native").out
        self.assertIn("[I] PASSED | trt | TensorRT-RTX 1.6.1 loads the model\n[I] PASSED | native | ", out)
        self.assertIn("[W] No TensorRT was found: the built-in engine stands in for it.",
                      self.run_it("check", "compatibility", "m.onnx", "--trt", env={"POLYGRAPHY_TENSORRT": "", "VIRTUAL_ENV": ""}).out)

    def test_incompatible_node(self):
        x, y = value_info("x", (1, 3)), value_info("y", (1, 3))
        self.save("m.onnx", model([node("Relu", ["x"], ["a"], "n_good"), node("Nonsense", ["a"], ["y"], "n_bad")], [x], [y]))
        result = self.rtx_run("check", "compatibility", "m.onnx", "--trt", "-o", "r.json", rc=1)
        self.assertIn("FAILED | trt | node 1 'n_bad' (Nonsense): Op type Nonsense is not supported in TensorRT-RTX.", result.out)
        runner, = json.loads((self.folder / "r.json").read_text())["runners"]
        self.assertEqual((runner["runtime"], runner["passed"], [row["name"] for row in runner["nodes"]]),
                         ("TensorRT-RTX 1.6.1", False, ["n_bad"]))


if __name__ == "__main__":
    unittest.main()
