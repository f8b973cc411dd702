"""`inspect capability`: what the built-in engine, in TensorRT's place, does not support; the parts of the model."""

import json
import os
import subprocess
import unittest

from support import Case, model, node, relu_model, value_info

PEER = os.environ.get("PG_PEER_PYTHON")


def mixed():
    """Good, good, bad, bad, good, bad, good; 'b' is used within the first part and behind it."""
    return model([node("Relu", ["x"], ["a"], "n0"), node("Abs", ["a"], ["b"], "n1"), node("Nonsense", ["b"], ["c"], "n2"),
                  node("Other", ["b"], ["d"], "n3"), node("Add", ["a", "x"], ["e"], "n4"), node("Nonsense", ["e"], ["f"], "n5"),
                  node("Relu", ["e"], ["g"], "n6")],
                 [value_info("x", (1, 3))], [value_info(name, (1, 3)) for name in ("b", "c", "d", "f", "g")])


class Capability(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(mixed())

    def lines(self, folder="polygraphy_capability_dumps"):
        return (self.folder / folder / "results.txt").read_text().splitlines()

    def test_supported(self):
        (self.folder / "m.onnx").write_bytes(relu_model())
        out = self.run_it("inspect", "capability", "m.onnx").out
        self.assertIn("[I] Graph is fully supported by the built-in engine; Will not report errors.\n", out)
        out = self.run_it("inspect", "capability", "m.onnx", "--with-partitioning").out
        self.assertIn("Will not generate subgraphs.\n", out)
        self.assertFalse((self.folder / "polygraphy_capability_dumps").exists())

    def test_nodes(self):
        out = self.run_it("inspect", "capability", "m.onnx").out
        self.assertIn("[W] No TensorRT was found: the built-in engine stands in for it.\n", out)
        self.assertIn("[I] Saving results to polygraphy_capability_dumps/results.txt\n", out)
        lines = self.lines()
        self.assertEqual(lines[0], "===== Summary =====")
        self.assertRegex(lines[1], r"^Stack trace  \| Operator  \| Node  \| Reason +$")
        self.assertEqual(lines[2], "-" * (len(lines[1]) + 1))
        self.assertEqual([[cell.strip() for cell in line.split("|")][1:3] for line in lines[3:]],
                         [["Nonsense", "n2"], ["Other", "n3"], ["Nonsense", "n5"]])
        self.assertIn("[I] " + "\n    ".join(lines) + "\n", out)

    def test_parts(self):
        self.run_it("inspect", "capability", "m.onnx", "--with-partitioning", "-o", "parts")
        self.assertEqual(sorted(path.name for path in (self.folder / "parts").iterdir()),
                         ["results.txt", *(f"supported_subgraph-nodes-{r}.onnx" for r in ("0-1", "4-4", "6-6")),
                          *(f"unsupported_subgraph-nodes-{r}.onnx" for r in ("2-3", "5-5"))])
        rows = [[cell.strip() for cell in line.split("| ")] for line in self.lines("parts")[3:]]
        self.assertEqual([(row[0], row[1], row[-1]) for row in rows], [("Nonsense", "1", "[[2, 4]]"), ("Nonsense", "1", "[[5, 6]]")])
        for part, inputs, outputs in (("0-1", "{x", "{a [dtype=0, shape=()],\n     b"), ("4-4", "{a", "{e")):
            path = f"parts/supported_subgraph-nodes-{part}.onnx"
            text = self.run_it("inspect", "model", path).out
            self.assertIn(f"Graph Input(s) ----\n    {inputs}", text)
            self.assertIn(f"Graph Output(s) ----\n    {outputs.split(' ')[0]}", text)
        self.run_it("run", "parts/supported_subgraph-nodes-0-1.onnx", "--native")

    @unittest.skipUnless(PEER, "no peer")
    def test_tables_as_the_peer_lays_them_out(self):
        script = ("import sys; from polygraphy.tools.inspect.subtool import capability as c; "
                  "d = c.UnsupportedNodeDict(); r = eval(sys.argv[1]); "
                  "[d.add(*row) for row in r] if len(r[0]) == 3 and isinstance(r[0][2], list) else None; "
                  "sys.stdout.write(c.gen_results_summary(d) if d else c.gen_results_summary_no_partitioning({'': r}))")
        for words, row in ((["--with-partitioning"], lambda cells: (cells[0], " | ".join(cells[2:-1]), json.loads(cells[-1])[0])),
                           ([], lambda cells: (cells[1], cells[2], cells[3]))):
            with self.subTest(words=words):
                self.run_it("inspect", "capability", "m.onnx", *words)
                mine = "\n".join(self.lines()) + "\n"
                rows = [row([cell.strip() for cell in line.split("|")]) for line in mine.splitlines()[3:]]
                theirs = subprocess.run([PEER, "-c", script, repr(rows)], capture_output=True, text=True, check=True)
                self.assertEqual(mine, theirs.stdout)

    def test_bad_targets(self):
        (self.folder / "file").write_text("")
        err = self.run_it("inspect", "capability", "m.onnx", "-o", "file", rc=1).err
        self.assertIn("'file' is a file", err)
        err = self.run_it("inspect", "capability", "m.onnx", "--with-partitioning", "--save-external-data", "w.bin", rc=1).err
        self.assertIn("--save-external-data", err)


if __name__ == "__main__":
    unittest.main()
