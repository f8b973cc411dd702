"""`diff` on real models whose tensors and nodes got other names and another order: nothing else is told; and one more node is
told as one node and the input that reads it."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

PYTHON = os.environ.get("PG_PEER_PYTHON")
PROGRAM = os.environ.get("POLYGRAPHY_BIN", "build/polygraphy")
CACHE = Path(os.environ.get("PG_CACHE") or Path.home() / ".cache" / "polygraphy-c")


@unittest.skipUnless(PYTHON, "no Python with onnx (PG_PEER_PYTHON)")
class Models(unittest.TestCase):
    def diff(self, a, b):
        report = self.folder / "diff.json"
        done = subprocess.run([PROGRAM, "diff", str(a), str(b), "--json", str(report)], capture_output=True, text=True, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        found = [d for d in json.loads(report.read_text())["differences"] if d["counts"]]
        self.assertEqual(done.returncode, 1 if found else 0)
        return [(d["section"], d["change"], d["detail"].split(":")[0]) for d in found]

    def test_renamed(self):
        models = sorted((CACHE / "models").glob("*.onnx"))
        if not models:
            self.skipTest("the real models were not fetched (scripts/fetch.py models)")
        with tempfile.TemporaryDirectory(prefix="pg-diff-") as folder:
            self.folder = Path(folder)
            script = Path(__file__).with_name("rename_models.py")
            subprocess.run([PYTHON, str(script), "1", folder, *map(str, models)], check=True)
            for model in models:
                with self.subTest(model.name):
                    self.assertEqual(self.diff(model, self.folder / model.name), [])
                    found = self.diff(model, self.folder / f"{model.stem}.one.onnx")
                    self.assertEqual([f[:2] for f in found if f[1] == "added"], [("node", "added")])
                    self.assertEqual([f for f in found if f[1] != "added"], [("node", "changed", "input 0")])


if __name__ == "__main__":
    unittest.main()
