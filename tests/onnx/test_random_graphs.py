"""Random small graphs give the same results on the built-in engine, optimised and as written, as node by node on ONNX Runtime.

By hand: PG_RANDOM_GRAPHS=5000 PG_RANDOM_SEED=100000 tests/run.py --only random_graphs"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy  # noqa: F401
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
except ImportError as error:
    raise unittest.SkipTest(f"needs the packages of the peer's environment ({error})") from error

HERE = Path(__file__).resolve().parent
NODE_CASES = Path(os.environ.get("PG_BUILD", HERE.parent.parent / "build" / "release")) / "tests" / "tools" / "node_cases"
COUNT = int(os.environ.get("PG_RANDOM_GRAPHS", "600"))
SEED = int(os.environ.get("PG_RANDOM_SEED", "0"))


class RandomGraphs(unittest.TestCase):
    def run_cases(self, folder, *flags):
        done = subprocess.run([NODE_CASES, *flags, "-d", folder], capture_output=True, text=True, errors="replace", check=False)
        *lines, counts = done.stdout.splitlines() or [""]
        print(f"= random graphs beside ONNX Runtime, {'as written' if flags else 'optimised'}: {counts}")
        self.assertEqual(lines, [])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(int(counts.split()[0]), COUNT * 9 // 10)

    def test_agree_with_onnxruntime(self):
        with tempfile.TemporaryDirectory(prefix="pg-random-") as folder:
            command = [sys.executable, HERE / "random_graphs.py", folder, "--seed", str(SEED), "--count", str(COUNT)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            print(f"= random graphs: {done.stdout.strip()}")
            for kind in ("that broadcast", "of zero-size tensors", "of rank-0 tensors"):
                nodes = re.search(rf"(\d+) {kind}", done.stdout)
                self.assertGreater(int(nodes[1]) if nodes else 0, COUNT // 10, f"nodes {kind}")
            self.run_cases(folder)
            self.run_cases(folder, "-x")


if __name__ == "__main__":
    unittest.main()
