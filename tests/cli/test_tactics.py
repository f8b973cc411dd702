"""Tactic replay files: what is refused, and the comparison of two."""

import json
import unittest

from support import Case


def algorithm(implementation, tactic):
    tensor = {"dtype": "DataType.FLOAT", "strides": [4, 1], "polygraphy_class": "TensorInfo"}
    return {"implementation": implementation, "tactic": tactic, "inputs": [tensor], "outputs": [],
            "polygraphy_class": "Algorithm"}


class Tactics(Case):
    def save(self, name, layers, **changes):
        content = {"replay": layers, "polygraphy_class": "TacticReplayData", **changes}
        (self.folder / name).write_text(json.dumps(content))

    def test_old_files_without_vectorized_dim(self):
        self.save("old.json", {"conv": algorithm(1, -2)})
        out = self.run_it("inspect", "tactics", "old.json").out
        self.assertEqual(out, "[I] Loading tactic replay file from old.json\n[I] Layer: conv\n"
                              "        Algorithm: (Implementation: 1, Tactic: -2) | Inputs: "
                              "(TensorInfo(DataType.FLOAT, (4, 1), None, None),) | Outputs: ()\n")

    def test_refused(self):
        cases = {
            "list": ("[]", "found a list"),
            "other": ('{"polygraphy_class": "RunResults"}', "of class 'RunResults'"),
            "number": ('{"replay": 3, "polygraphy_class": "TacticReplayData"}', "an object of layers was expected"),
            "cut": ('{"replay": {"a"', "cut.json"),
        }
        for key, (text, words) in cases.items():
            with self.subTest(key):
                (self.folder / f"{key}.json").write_text(text)
                self.assertIn(words, self.run_it("inspect", "tactics", f"{key}.json", rc=1).err)
        members = {
            "implementation": 1.5, "tactic": 2**70, "inputs": "none", "outputs": [3],
        }
        for key, value in members.items():
            with self.subTest(key):
                self.save("bad.json", {"conv": {**algorithm(1, 2), key: value}})
                err = self.run_it("inspect", "tactics", "bad.json", rc=1).err
                self.assertRegex(err, rf"^\[!\] .*({key}|TensorInfo).* \('bad.json': replay.conv.* at byte \d+")
        self.assertIn("no such file", self.run_it("inspect", "tactics", "nope.json", rc=1).err)

    def test_two_files(self):
        self.save("a.json", {"conv": algorithm(1, 1), "fc": algorithm(2, 2), "old": algorithm(3, 3)})
        self.save("b.json", {"conv": algorithm(1, 5), "fc": algorithm(2, 2)})
        out = self.run_it("debug", "diff-tactics", "a.json", "b.json").out
        self.assertRegex(out, r"Layer: conv\n        Only in a.json: \['\(Implementation: 1, Tactic: 1\).*"
                              r"\n        Only in b.json: \['\(Implementation: 1, Tactic: 5\)")
        self.assertRegex(out, r"Layer: old\n        Only in a.json: ")
        self.assertNotIn("Layer: fc", out)
        self.assertTrue(out.endswith("[I] 2 layer(s) differ in their tactics.\n"))
        self.assertIn("two tactic replay files", self.run_it("debug", "diff-tactics", "a.json", rc=1).err)
        self.assertIn("no such file", self.run_it("debug", "diff-tactics", "a.json", "c.json", rc=1).err)

    def test_folders_that_are_not_there(self):
        out = self.run_it("inspect", "diff-tactics", "--dir", "nope").out
        self.assertIn("[W] There is no file or folder 'nope/good'", out)
        self.assertIn("Could not determine potentially bad tactics", out)

    def test_link_that_leads_back(self):
        (self.folder / "good").mkdir()
        (self.folder / "good" / "again").symlink_to(self.folder / "good")
        self.assertIn("[I] Loaded 0 good tactic replays.", self.run_it("inspect", "diff-tactics").out)


if __name__ == "__main__":
    unittest.main()
