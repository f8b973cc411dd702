"""`check compatibility`: which nodes a runtime does not take, and why."""

import json
import os
import unittest

from support import Case, bytes_field, model, node, relu_model, value_info

HAS_ONNXRUNTIME = "POLYGRAPHY_ONNXRUNTIME" in os.environ


def in_domain(domain, made):
    return made + bytes_field(7, domain)


def mixed():
    """Two operators nobody knows, one behind them, one of a type without a kernel in ONNX Runtime, and good ones."""
    return model([node("Relu", ["x"], ["a"], "n_good"), in_domain("my.domain", node("Mine", ["a"], ["b"], "n_mine")),
                  node("Abs", ["b"], ["c"], "n_behind"), node("Nonsense", ["x"], ["d"], "n_nonsense"),
                  node("Relu", ["i"], ["e"], "n_typed")],
                 [value_info("x", (1, 3)), value_info("i", (2,), 5)],
                 [value_info(name, (1,), elem) for name, elem in (("c", 1), ("d", 1), ("e", 5))])


class Compatibility(Case):
    def check(self, data, *words, rc=0):
        (self.folder / "m.onnx").write_bytes(data)
        result = self.run_it("check", "compatibility", "m.onnx", *words, "-o", "report.json", rc=rc)
        return result.out, json.loads((self.folder / "report.json").read_text())["runners"]

    def test_a_model_that_loads(self):
        out, report = self.check(relu_model(), "--native")
        self.assertIn("[I] PASSED | native | built-in engine", out)
        self.assertEqual([(r["runner"], r["passed"], r["message"], r["nodes"]) for r in report], [("native", True, None, [])])

    def test_every_node_is_named(self):
        out, report = self.check(mixed(), "--native", rc=1)
        self.assertEqual([(n["index"], n["name"], n["op"], n["domain"], n["opset"]) for n in report[0]["nodes"]],
                         [(1, "n_mine", "Mine", "my.domain", 0), (3, "n_nonsense", "Nonsense", "", 17)])
        self.assertRegex(out, r"\[E\]     Node 1 \| Name: n_mine, Op: my.domain::Mine, Opset: 0 \| \S")
        self.assertRegex(out, r"\[E\]     Node 3 \| Name: n_nonsense, Op: Nonsense, Opset: 17 \| \S")
        self.assertNotIn("could not be tried alone", out)  # this engine needs no types

    @unittest.skipUnless(HAS_ONNXRUNTIME, "no ONNX Runtime")
    def test_types_and_several_runtimes(self):
        out, report = self.check(mixed(), "--onnxrt", "--native", rc=1)
        self.assertEqual([r["runner"] for r in report], ["onnxrt", "native"])
        self.assertRegex(report[0]["runtime"], r"^ONNX Runtime \d")
        self.assertEqual([n["name"] for n in report[0]["nodes"]], ["n_mine", "n_nonsense", "n_typed"])
        self.assertIn("Could not find an implementation for Relu", report[0]["nodes"][2]["message"])
        self.assertIn("[W]     1 node(s) could not be tried alone", out)
        self.assertNotIn("Creating ONNX-Runtime", out)

    def test_a_runtime_that_is_not_there_fails_alone(self):
        _, report = self.check(relu_model(), "--onnxrt", "--native", "--ort-library", "absent.so", rc=1)
        self.assertEqual([r["passed"] for r in report], [False, True])
        self.assertIn("absent.so", report[0]["message"])

    def test_target_is_checked_first(self):
        (self.folder / "m.onnx").write_bytes(relu_model())
        (self.folder / "file").write_text("")
        result = self.run_it("check", "compatibility", "m.onnx", "--native", "-o", "file/report.json", rc=1)
        self.assertIn("--output", result.err)


if __name__ == "__main__":
    unittest.main()
