"""Comparison of loaded results beside Polygraphy 0.53: the same files and options, the same lines and exit status."""

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

PEER = os.environ.get("PG_PEER_PYTHON")
ORACLE = Path(__file__).resolve().parent / "compare_oracle.py"

# Lines of one side only, with the reason.
OURS_ONLY = [
    r"^\[I\] +Worst Element: ",  # an addition: the element to look at, and what would let it pass
    r"^\[I\] +Output: \S+ \| \d+ (NaN|infinite)",  # an addition: how many, and where
]
PEER_ONLY = [
    r"^\[V\] +Loaded (Module|extension modules)",  # Python's own
    r"^\[V\] Will apply post-processing to streamed outputs: ",  # names a Python class
    r"'colored' module is not installed",
]
EITHER = [r"Runtime: [\d.]+s", r"RUNNING \| Command: "]


def sorted_sets(line):
    """Names in braces in the order of the alphabet: a Python set has none."""
    return re.sub(r"\{([^{}]*)\}", lambda m: "{" + ", ".join(sorted(m[1].split(", "))) + "}", line)


def clean(text, drop):
    lines, script = [], False
    for line in text.splitlines():
        if re.match(r"\[[A-Z!]\] ", line):
            script = "Created script:" in line  # the peer shows the Python program that it is about to run
        if script or any(re.search(pattern, line) for pattern in [*drop, *EITHER]):
            continue
        lines.append(sorted_sets(line))
    return lines


@unittest.skipUnless(PEER, "PG_PEER_PYTHON names no Python with Polygraphy 0.53")
class SameAsPeer(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="pg-compare-")
        cls.addClassCleanup(cls.folder.cleanup)
        done = subprocess.run([PEER, "-W", "ignore", ORACLE, cls.folder.name], capture_output=True, text=True, timeout=600,
                              check=False)
        line = done.stderr.splitlines()[-1] if done.stderr else ""
        if not line.startswith("{"):
            raise AssertionError(f"the oracle failed:\n{done.stderr}")
        cls.answers = json.loads(line)

    def test_lines_and_status(self):
        self.assertGreater(len(self.answers), 90)
        for name, answer in self.answers.items():
            with self.subTest(case=name, words=" ".join(answer["words"])):
                done = subprocess.run([PROGRAM, *answer["words"]], cwd=self.folder.name, capture_output=True, text=True,
                                      timeout=120, check=False)
                # All files are read before the first is validated; there, one by one as far as they are valid.
                loads = [r"^\[I\] Loading inference results from "] if "--validate" in answer["words"] else []
                ours, theirs = clean(done.stdout, OURS_ONLY + loads), clean(answer["text"], PEER_ONLY + loads)
                difference = list(difflib.unified_diff(theirs, ours, "peer", "ours", lineterm="", n=1))
                self.assertEqual(difference[:30], [])
                self.assertEqual(done.returncode, answer["code"], done.stderr)


if __name__ == "__main__":
    unittest.main()
