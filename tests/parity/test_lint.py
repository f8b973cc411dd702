"""`check lint` against the peer on models with one fault each: exit status, what the log says of nodes, the report. The
words about a model as a whole are our own; which models get such an entry is compared."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

PEER = os.environ.get("PG_PEER_PYTHON")
PROGRAM = os.environ.get("POLYGRAPHY_BIN", "build/polygraphy")
ORACLE = Path(__file__).with_name("lint_oracle.py")


def comparable(report):
    for entry in report["lint_entries"]:
        if entry["source"] == "onnx_checker":
            entry["message"] = ""
    return {"passing": sorted(report["summary"]["passing"]), "failing": sorted(report["summary"]["failing"]),
            "entries": report["lint_entries"]}


def said(log):
    """Lines about nodes, inputs and files; what the peer's own packages say goes."""
    return [line.replace("/ours/", "/peer/") for line in log.splitlines()
            if re.match(r"\[.\] (LINT \| Name|LINT \| Dup|LINT \| Input|LINT \| Rem|LINT \| ONNX|Loading|Saving|Will gen|Assuming)|     \w", line)]


@unittest.skipUnless(PEER and "POLYGRAPHY_ONNXRUNTIME" in os.environ, "needs the peer and ONNX Runtime")
class Lint(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        found = subprocess.run([PEER, "-c", "import onnx_graphsurgeon"], capture_output=True, check=False)
        if found.returncode != 0:
            raise unittest.SkipTest("the peer's Python has no onnx_graphsurgeon, which its linter needs")
        cls.folder = tempfile.TemporaryDirectory(prefix="pg-lint-")
        cls.peer, cls.ours = (Path(cls.folder.name, name) for name in ("peer", "ours"))
        cls.peer.mkdir()
        cls.ours.mkdir()
        done = subprocess.run([PEER, str(ORACLE), str(cls.peer)], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
        cls.expected = json.loads(done.stdout)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_model(self):
        self.assertGreater(len(self.expected), 25)
        for name, expected in self.expected.items():
            with self.subTest(name):
                model = self.ours / f"{name}.onnx"
                model.write_bytes((self.peer / f"{name}.onnx").read_bytes())
                report = self.ours / f"{name}.json"
                done = subprocess.run([PROGRAM, "check", "lint", str(model), "-o", str(report)], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, expected["rc"], done.stdout + done.stderr)
                self.assertEqual(said(done.stdout), said(expected["log"]))
                self.assertEqual(comparable(json.loads(report.read_text())), comparable(expected["report"]))


if __name__ == "__main__":
    unittest.main()
