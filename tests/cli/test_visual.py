"""`inspect model`: the page of a model, DOT and SVG, on models made from bytes."""

import re
import signal
import subprocess
import unittest
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET

from support import PROGRAM, Case, Page, bytes_field, model, node, number_field, relu_model, value_info

SVG = "{http://www.w3.org/2000/svg}"
ODD = "<y> & \"quoted\" \\ 'x'"


def if_model():
    """y = If(c) {then: Relu(x)} {else: Neg(x)}"""

    def branch(op):
        graph = bytes_field(1, node(op, ["x"], [f"{op}_y"])) + bytes_field(2, op) + bytes_field(
            12, value_info(f"{op}_y", [2]))
        return graph

    attributes = b"".join(
        bytes_field(5, bytes_field(1, name) + bytes_field(6, branch(op)) + number_field(20, 5))
        for name, op in [("then_branch", "Relu"), ("else_branch", "Neg")])
    return model([node("If", ["c"], ["y"], "choice") + attributes],
                 [value_info("c", [], 9), value_info("x", [2])], [value_info("y", [2])])


class Visual(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(relu_model())

    def page(self, name="out.html"):
        text = (self.folder / name).read_text()
        page = Page(text)
        self.assertEqual((page.open, page.outside), ([], []))
        self.assertNotIn("http", text.replace("http://www.w3.org/2000/svg", ""))
        return page, text

    def test_page(self):
        done = self.run_it("inspect", "model", "m.onnx", "--visual", "--save-visual", "out.html")
        self.assertIn("[I] Viewer HTML saved to out.html", done.out)
        self.assertNotIn("ONNX Model ====", done.out)  # instead of the text
        page, text = self.page()
        self.assertEqual(page.links, {"g0n0", "g0n1"})  # from each box to its node
        self.assertEqual(page.tags.count("svg"), 1)
        for part in ["n_add", "n_relu", "float32 [1, 3]", "float32 [3], weight", "ai.onnx 17", "12 bytes"]:
            self.assertIn(part, text)

    def test_text_and_page(self):
        done = self.run_it("inspect", "model", "m.onnx", "--save-visual", "out.html", "--show", "layers")
        self.assertIn("==== ONNX Model ====", done.out)
        self.page()

    def test_inferred_types(self):
        for words, count in [([], 0), (["--shape-inference"], 2)]:  # made by n_add, read by n_relu
            self.run_it("inspect", "model", "m.onnx", "--save-visual", "out.html", *words)
            self.assertEqual(self.page()[1].count("<td>s</td><td>float32 [1, 3]</td>"), count)

    def test_graphs_inside_nodes(self):
        (self.folder / "if.onnx").write_bytes(if_model())
        self.run_it("inspect", "model", "if.onnx", "--save-visual", "out.html", "--dot", "out.dot")
        page, text = self.page()
        self.assertEqual(page.tags.count("svg"), 3)
        self.assertEqual(page.links, {"g0n0", "g1n0", "g2n0"})
        self.assertIn("choice then_branch", text)
        dot = (self.folder / "out.dot").read_text()
        self.assertEqual(re.findall(r"(b\d) -> (b\d)", dot), [("b0", "b2"), ("b1", "b2"), ("b2", "b3")])

    def test_functions(self):
        function = (bytes_field(1, "twice") + bytes_field(4, "a") + bytes_field(5, "b") +
                    bytes_field(7, node("Add", ["a", "a"], ["b"])) + bytes_field(10, "own"))
        (self.folder / "f.onnx").write_bytes(
            model([node("twice", ["x"], ["y"]) + bytes_field(7, "own")], [value_info("x", [2])],
                  [value_info("y", [2])]) + bytes_field(25, function))
        self.run_it("inspect", "model", "f.onnx", "--save-visual", "out.html")
        page, text = self.page()
        self.assertEqual((page.tags.count("svg"), page.links), (2, {"g0n0", "g1n0"}))
        self.assertIn("function own.twice", text)

    def test_svg_and_dot(self):
        self.run_it("inspect", "model", "m.onnx", "--svg", "out.svg", "--dot", "out.dot")
        root = ET.parse(self.folder / "out.svg").getroot()
        texts = [text.text for text in root.iter(f"{SVG}text")]
        self.assertEqual(texts, ["x", "float32 [1, 3]", "Add", "Relu", "y", "float32 [1, 3]"])
        tops = [float(rect.get("y")) for rect in root.iter(f"{SVG}rect")]
        self.assertEqual(tops, sorted(tops))
        dot = (self.folder / "out.dot").read_text()
        self.assertEqual(len(re.findall(r"^  b\d+ \[label=", dot, re.M)), 4)
        self.assertEqual(re.findall(r"(b\d) -> (b\d)", dot), [("b0", "b1"), ("b1", "b2"), ("b2", "b3")])

    def test_odd_names(self):
        (self.folder / "odd.onnx").write_bytes(
            model([node("Relu", ["x"], [ODD], ODD)], [value_info("x", ["<n>"])], [value_info(ODD, [2])]))
        self.run_it("inspect", "model", "odd.onnx", "--save-visual", "out.html", "--svg", "out.svg", "--dot", "out.dot")
        self.page()
        ET.parse(self.folder / "out.svg")
        self.assertIn('<y> & \\"quoted\\" \\\\ ', (self.folder / "out.dot").read_text())

    def test_a_large_model_is_collapsed(self):
        nodes = [node("Relu", [f"t{i}"], [f"t{i + 1}"], f"/block.{i // 40}/relu_{i}") for i in range(6000)]
        (self.folder / "large.onnx").write_bytes(
            model(nodes, [value_info("t0", [2])], [value_info("t6000", [2])]))
        self.run_it("inspect", "model", "large.onnx", "--save-visual", "out.html", "--svg", "out.svg", "-q")
        page, text = self.page()
        self.assertEqual(len(page.links), 150)
        self.assertIn("dashed boxes stand for several nodes", text)
        self.assertEqual(text.count('<details class="item"'), 6000)  # the list has them all
        self.assertIn("40 \u00d7 Relu", (self.folder / "out.svg").read_text())

    def test_wrong_words(self):
        for words, part in [
            (["--visual", "--visual-port", "70000"], "'--visual-port': 70000 is not between 0 and 65535"),
            (["--visual-port", "-1"], "-1 is not between"),
            (["--dot", "m.onnx/x"], "option '--dot'"),
            (["--svg", "."], "option '--svg'"),
            (["--svg", "a", "--dot", "a"], "name the same file 'a'"),
        ]:
            with self.subTest(words=words):
                self.assertIn(part, self.run_it("inspect", "model", "m.onnx", *words, rc=1).err)
        self.assertIn("--visual-port has no effect",
                      self.run_it("inspect", "model", "m.onnx", "--visual-port", "1").out)

    # ---- The page on a port ----

    def test_served(self):
        with subprocess.Popen([PROGRAM, "inspect", "model", "m.onnx", "--visual", "--visual-port", "0"],
                              cwd=self.folder, stdout=subprocess.PIPE, text=True) as server:
            try:
                for line in server.stdout:
                    if (found := re.search(r"Viewer available at (http://127\.0\.0\.1:\d+/)", line)) is not None:
                        break
                with urllib.request.urlopen(found[1], timeout=20) as answer:
                    self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
                    self.assertEqual(Page(answer.read().decode()).links, {"g0n0", "g0n1"})
                with self.assertRaises(urllib.error.HTTPError) as missing:
                    urllib.request.urlopen(found[1] + "other", timeout=20)
                self.assertEqual(missing.exception.code, 404)
                missing.exception.close()
                taken = self.run_it("inspect", "model", "m.onnx", "--visual", "--visual-port",
                                    found[1].rsplit(":", 1)[1][:-1], rc=1)
                self.assertIn("cannot listen on port", taken.err)
            finally:
                server.send_signal(signal.SIGINT)
            self.assertEqual(server.wait(20), 0)


if __name__ == "__main__":
    unittest.main()
