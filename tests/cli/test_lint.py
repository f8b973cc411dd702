"""`check lint`: with the built-in engine, without a runtime, on files that are no models; the report it saves."""

import json
import os
import unittest

from support import Case, bytes_field, model, node, number_field, relu_model, value_info, weight

HAS_ONNXRUNTIME = "POLYGRAPHY_ONNXRUNTIME" in os.environ
NO_RUNTIME = {"POLYGRAPHY_ONNXRUNTIME": "", "VIRTUAL_ENV": "/nowhere", "PATH": "/nowhere", "LD_LIBRARY_PATH": "", "HOME": "/nowhere"}


def chain():
    """n_mm fails, n_after needs it, n_ok does not."""
    return model([node("MatMul", ["x", "w"], ["m"], "n_mm"), node("Relu", ["m"], ["y"], "n_after"),
                  node("Relu", ["x"], ["z"], "n_ok")],
                 [value_info("x", (1, 3))], [value_info("y", (1, 2)), value_info("z", (1, 3))], [weight("w", [2, 2], [1, 2, 3, 4])])


class Lint(Case):
    def lint(self, data, *words, rc=0, env=None):
        (self.folder / "m.onnx").write_bytes(data)
        result = self.run_it("check", "lint", "m.onnx", "-o", "report.json", *words, rc=rc, env=env)
        return result, json.loads((self.folder / "report.json").read_text())

    def test_valid_model(self):
        for words in ([], ["--native"]):
            result, report = self.lint(relu_model(), *words)
            self.assertEqual(report, {"summary": {"passing": ["n_add", "n_relu"], "failing": []}, "lint_entries": []})
            self.assertIn("[I] PASSED | Runtime", result.out)

    def test_nodes_behind_a_faulty_one(self):
        result, report = self.lint(chain(), "--native", rc=1)
        self.assertEqual(report["summary"], {"passing": ["n_ok"], "failing": ["n_mm"]})
        entry, = report["lint_entries"]
        self.assertEqual((entry["level"], entry["source"], entry["nodes"]), ("exception", "native", ["n_mm"]))
        self.assertIn(f"[E] LINT | Name: n_mm, Op: MatMul | {entry['message']}\n", result.out)

    @unittest.skipUnless(HAS_ONNXRUNTIME, "no ONNX Runtime")
    def test_with_onnx_runtime(self):
        _, report = self.lint(chain(), rc=1)
        self.assertEqual(report["lint_entries"], [{
            "level": "exception", "source": "onnxruntime", "nodes": ["n_mm"],
            "message": " Incompatible dimensions for matrix multiplication"}])

    @unittest.skipUnless(HAS_ONNXRUNTIME, "no ONNX Runtime")
    def test_providers(self):
        (self.folder / "m.onnx").write_bytes(relu_model())
        self.run_it("check", "lint", "m.onnx", "--providers", "cpu")
        err = self.run_it("check", "lint", "m.onnx", "--providers", "abacus", rc=1).err
        self.assertIn("'abacus'", err)
        err = self.run_it("check", "lint", "m.onnx", "--graph-optimization-level", "most", rc=1).err
        self.assertIn("'most'", err)

    def test_without_any_runtime(self):
        result, report = self.lint(chain(), rc=1, env=NO_RUNTIME)
        self.assertEqual(report["lint_entries"][0]["source"], "native")
        self.assertRegex(result.out, r"\[W\] The built-in engine runs the nodes: ONNX Runtime is not installed")
        result = self.run_it("check", "lint", "m.onnx", "--providers", "cpu", rc=1, env=NO_RUNTIME)
        self.assertIn("ONNX Runtime is not installed", result.err)

    def test_a_named_library_must_exist(self):
        (self.folder / "m.onnx").write_bytes(relu_model())
        err = self.run_it("check", "lint", "m.onnx", "--ort-library", "absent.so", rc=1).err
        self.assertIn("absent.so", err)

    def test_unknown_operators_are_warnings(self):
        data = model([node("Nonsense", ["x"], ["y"], "n_c")], [value_info("x", (1,))], [value_info("y", (1,))])
        _, report = self.lint(data, "--native")
        self.assertEqual(report["summary"], {"passing": ["n_c"], "failing": []})
        self.assertEqual(report["lint_entries"][0]["level"], "warning")

    def test_unused(self):
        data = model([node("Relu", ["x"], ["y"], "n_used"), node("Abs", ["x"], ["z"], "n_unused")],
                     [value_info("x", (1,)), value_info("u", (1,))], [value_info("y", (1,))])
        _, report = self.lint(data, "--native")
        self.assertEqual(report["summary"]["passing"], ["n_used"])
        self.assertEqual([(e["level"], e["source"], e["message"], e.get("nodes")) for e in report["lint_entries"]],
                         [("warning", "onnx_graphsurgeon", "Input: 'u' does not affect outputs, can be removed.", None),
                          ("warning", "onnx_graphsurgeon", "Does not affect outputs, can be removed.", ["n_unused"])])

    def test_names(self):
        data = model([node("Relu", ["x"], ["a"]), node("Relu", ["a"], ["b"], "n"), node("Relu", ["b"], ["y"], "n"),
                      node("Relu", ["y"], ["q"], "polygraphy_unnamed_node_0")],
                     [value_info("x", (1,))], [value_info("q", (1,))])
        _, report = self.lint(data, "--native", rc=1)
        self.assertEqual(report["lint_entries"][0]["message"], "Duplicate node name: 'n' for nodes with topological IDs: [1, 2] found.")
        self.assertEqual(report["summary"]["failing"], ["n"])
        self.assertEqual(sorted(report["summary"]["passing"]), ["polygraphy_unnamed_node_0", "polygraphy_unnamed_node_0_0"])

    def test_the_model_as_a_whole(self):
        x, y = value_info("x", (1,)), value_info("y", (1,))
        relu = node("Relu", ["x"], ["y"], "n")
        good = model([relu], [x], [y])
        cases = {
            "'x' is made more than once": model([relu], [x, x], [y]),
            "'y' is made more than once": model([relu, relu], [x], [y]),
            "nothing makes the graph output 'q'": model([relu], [x], [value_info("q", (1,))]),
            "reads the tensor 'late'": model([node("Relu", ["late"], ["y"], "n"), node("Relu", ["x"], ["late"], "m")], [x], [y]),
            "stores 4 bytes, but its type and dimensions take 12": model(
                [node("Add", ["x", "w"], ["y"], "n")], [x], [y], [weight("w", [3], [1])]),
            "no IR version": good[2:],
            "no opset": good[:good.rindex(bytes_field(8, bytes_field(1, "") + number_field(2, 17)))],
            "the graph input 'x' has no type": model([relu], [bytes_field(1, "x")], [y]),
            "two initializers 'w'": model([relu], [x], [y], [weight("w", [1], [1])] * 2),
        }
        for text, data in cases.items():
            with self.subTest(text):
                _, report = self.lint(data, "--native", rc=1)
                said = [e for e in report["lint_entries"] if e["source"] == "onnx_checker" and text in e["message"]]
                self.assertEqual(len(said), 1, report)
                self.assertEqual(said[0]["level"], "exception")

    def test_no_model(self):
        _, report = self.lint(b"", rc=1)
        self.assertEqual(report["lint_entries"], [{"level": "exception", "source": "onnx_loader", "message": "Empty ONNX model given"}])
        result, report = self.lint(b"this is no model", rc=1)
        self.assertEqual(report["lint_entries"][0]["source"], "onnx_loader")
        self.assertIn("[E] Invalid ONNX model given: ", result.out)
        result, report = self.lint(model([], [value_info("x", (1,))], [value_info("x", (1,))]))
        self.assertEqual(report, {"summary": {"passing": [], "failing": []}, "lint_entries": [
            {"level": "warning", "source": "onnx_loader", "message": "ONNX model has no nodes"}]})
        err = self.run_it("check", "lint", "absent.onnx", rc=1).err
        self.assertIn("absent.onnx", err)
        self.run_it("check", "lint", ".", rc=1)

    def test_inputs(self):
        (self.folder / "m.onnx").write_bytes(relu_model(("N", 3)))
        out = self.run_it("check", "lint", "m.onnx", "--native", "--input-shapes", "x:[2,3]").out
        self.assertIn("{x [dtype=float32, shape=(2, 3)]}", out)
        self.run_it("run", "m.onnx", "--native", "--save-inputs", "in.json")
        self.run_it("check", "lint", "m.onnx", "--native", "--load-inputs", "in.json")
        (self.folder / "empty.json").write_text("[]")
        err = self.run_it("check", "lint", "m.onnx", "--native", "--load-inputs", "empty.json", rc=1).err
        self.assertIn("'empty.json' holds no iteration", err)

    def test_target_is_checked_first(self):
        (self.folder / "m.onnx").write_bytes(relu_model())
        (self.folder / "file").write_text("")
        result = self.run_it("check", "lint", "m.onnx", "-o", "file/report.json", rc=1)
        self.assertIn("--output", result.err)
        self.assertNotIn("Loading", result.out)


if __name__ == "__main__":
    unittest.main()
