"""`data concat` and `data merge`: other formats than JSON, and input they refuse."""

import json
import unittest

from support import Case, relu_model


class Data(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(relu_model())
        self.run_it("run", "m.onnx", "--native", "--iters", "2", "--save-inputs", "in.json", "--save-outputs", "out.json")

    def read(self, name):
        return json.loads((self.folder / name).read_text())

    def test_folders_and_archives(self):
        self.run_it("data", "concat", "in.json", "-o", "folder")
        self.assertEqual(sorted(p.name for p in (self.folder / "folder").iterdir()), ["0000000000.json", "0000000001.json"])
        self.run_it("data", "concat", "folder", "in.json", "-o", "all.npz")
        self.run_it("data", "concat", "all.npz", "-o", "all.json")
        self.assertEqual(self.read("all.json"), self.read("in.json") * 2)

    def test_merged_results_are_inputs(self):
        out = self.run_it("data", "merge", "in.json", "out.json", "-o", "both.json").out
        self.assertEqual(out, "[I] Saving input file containing 2 iteration(s) to both.json\n")
        self.assertEqual([sorted(i) for i in self.read("both.json")], [["x", "y"]] * 2)
        (self.folder / "m2.onnx").write_bytes(relu_model())
        self.run_it("run", "m2.onnx", "--native", "--load-inputs", "both.json")

    def test_one_of_the_inputs_is_the_output(self):
        want = self.read("in.json") * 2
        self.run_it("data", "concat", "in.json", "in.json", "-o", "in.json")
        self.assertEqual(self.read("in.json"), want)

    def test_bad_input(self):
        (self.folder / "broken.json").write_text('[{"x": {"array": "AAAA", "polygraphy_class": "ndarray"}}')
        (self.folder / "number.json").write_text("3")
        (self.folder / "empty.json").write_text("")
        (self.folder / "unknown.json").write_text('{"polygraphy_class": "Wizard"}')
        for tool in ("concat", "merge"):
            for name in ("broken.json", "number.json", "empty.json", "unknown.json", "absent.json"):
                with self.subTest(tool=tool, name=name):
                    result = self.run_it("data", tool, "in.json", name, "-o", "result.json", rc=1)
                    self.assertRegex(result.err, r"^\[!\] .*'" + name)
                    self.assertFalse((self.folder / "result.json").exists())
        err = self.run_it("data", "concat", "in.json", "-o", "in.json/x.json", rc=1).err
        self.assertIn("in.json", err)
        err = self.run_it("data", "concat", "in.json", "in.json", "-o", "x.npy", rc=1).err
        self.assertIn("x.npy", err)


if __name__ == "__main__":
    unittest.main()
