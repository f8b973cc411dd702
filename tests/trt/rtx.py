"""What the tests of TensorRT share: the real TensorRT-RTX libraries, which build and parse without a GPU."""
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

import support as cli  # noqa: E402


def fetched(name, hint):
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "fetch.py"), "path", name], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise unittest.SkipTest(f"{name} is not fetched: scripts/fetch.py {hint}")
    return done.stdout.strip()


class RtxCase(cli.Case):
    """A test with the real libraries of TensorRT-RTX in its environment."""

    @classmethod
    def setUpClass(cls):
        cls.rtx = {"POLYGRAPHY_TENSORRT": fetched("tensorrt-rtx", "tensorrt-rtx")}

    def rtx_run(self, *words, rc=0, env=None):
        return self.run_it(*words, rc=rc, env={**self.rtx, **(env or {})})

    def save(self, name, content):
        (self.folder / name).write_bytes(content)
