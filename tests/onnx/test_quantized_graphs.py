"""Graphs between QuantizeLinear and DequantizeLinear nodes give what ONNX Runtime gives node by node, on codes and as
written, on every instruction set: see quantized_graphs.py."""

import os
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
COUNT = 480


class QuantizedGraphs(unittest.TestCase):
    def run_cases(self, folder, *flags, simd=None):
        environment = dict(os.environ, POLYGRAPHY_SIMD=simd) if simd else None
        done = subprocess.run([NODE_CASES, *flags, "-d", folder], capture_output=True, text=True, errors="replace", check=False,
                              env=environment)
        *lines, counts = done.stdout.splitlines() or [""]
        self.assertEqual(lines, [], simd)
        self.assertEqual(counts, f"{COUNT} passed, 0 failed, 0 crashed, 0 unsupported")

    def test_agree_with_onnxruntime(self):
        with tempfile.TemporaryDirectory(prefix="pg-quantized-") as folder:
            done = subprocess.run([sys.executable, HERE / "quantized_graphs.py", folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.run_cases(folder, "-x")
            for simd in ("base", "avx2", "avx512", "avx512bf16"):
                self.run_cases(folder, simd=simd)


if __name__ == "__main__":
    unittest.main()
