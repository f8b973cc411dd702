"""Statistics and histograms against the peer's: see stats_oracle.py."""
import os
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEER_PYTHON = os.environ.get("PG_PEER_PYTHON")
TOOLS = os.environ.get("PG_TEST_TOOLS", os.path.join(ROOT, "build", "release", "tests", "tools"))


@unittest.skipIf(PEER_PYTHON is None, "PG_PEER_PYTHON names no Python with numpy and polygraphy")
class Stats(unittest.TestCase):
    def test_random_arrays(self):
        tool = os.path.join(TOOLS, "stats_tool")
        oracle = os.path.join(ROOT, "tests", "parity", "stats_oracle.py")
        done = subprocess.run([PEER_PYTHON, oracle, tool], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
