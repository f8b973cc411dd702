"""Metrics, averages and accuracy results beside Polygraphy 0.53: the same lines, exit status and files."""

import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import PROGRAM  # noqa: E402
from test_compare import OURS_ONLY, PEER_ONLY, clean  # noqa: E402

PEER = os.environ.get("PG_PEER_PYTHON")
ORACLE = Path(__file__).resolve().parent / "metrics_oracle.py"
# NumPy's own logarithm may differ from the C library's in the last place.
DECIBELS = re.compile(r'"(psnr|snr)": ([\w.+-]+)')


def load_tests(loader, _tests, _pattern):
    return loader.loadTestsFromTestCase(SameMetrics)  # and not the imported class again


@unittest.skipUnless(PEER, "PG_PEER_PYTHON names no Python with Polygraphy 0.53")
class SameMetrics(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pg-metrics-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        done = subprocess.run([PEER, "-W", "ignore", ORACLE, cls.folder], capture_output=True, text=True, timeout=600,
                              check=False)
        line = done.stderr.splitlines()[-1] if done.stderr else ""
        if not line.startswith("["):
            raise AssertionError(f"the oracle failed:\n{done.stderr}")
        cls.answers = json.loads(line)

    def test_lines_status_and_files(self):
        self.assertGreater(len(self.answers), 90)
        for answer in self.answers:
            folder = self.folder / "ours" / answer["folder"]
            folder.mkdir(parents=True, exist_ok=True)
            done = subprocess.run([PROGRAM, *answer["words"]], cwd=folder, capture_output=True, text=True, timeout=120,
                                  check=False)
            with self.subTest(case=answer["name"], words=" ".join(answer["words"])):
                difference = difflib.unified_diff(clean(answer["text"], PEER_ONLY), clean(done.stdout, OURS_ONLY),
                                                  "peer", "ours", lineterm="", n=1)
                self.assertEqual(list(difference)[:30], [])
                self.assertEqual(done.returncode, answer["code"], done.stderr)
        self.check_files()

    def check_files(self):
        names = sorted(str(path.relative_to(self.folder / "peer")) for path in (self.folder / "peer").rglob("*.json"))
        self.assertGreater(len(names), 40)
        for name in names:
            with self.subTest(file=name):
                theirs, ours = ((self.folder / side / name).read_text() for side in ("peer", "ours"))
                for mine, other in zip(DECIBELS.findall(ours), DECIBELS.findall(theirs), strict=True):
                    if mine[1] != other[1]:
                        self.assertAlmostEqual(float(mine[1]), float(other[1]), delta=abs(float(other[1])) * 4e-16)
                self.assertEqual(DECIBELS.sub(r"\1", ours), DECIBELS.sub(r"\1", theirs))


if __name__ == "__main__":
    unittest.main()
