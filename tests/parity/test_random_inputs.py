"""Random inputs against the peer's data loader: see random_oracle.py."""
import os
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEER_PYTHON = os.environ.get("PG_PEER_PYTHON")
TOOLS = os.environ.get("PG_TEST_TOOLS", os.path.join(ROOT, "build", "release", "tests", "tools"))


@unittest.skipIf(PEER_PYTHON is None, "PG_PEER_PYTHON names no Python with numpy and polygraphy")
class RandomInputs(unittest.TestCase):
    def test_random_feeds(self):
        tool = os.path.join(TOOLS, "random_tool")
        oracle = os.path.join(ROOT, "tests", "parity", "random_oracle.py")
        done = subprocess.run([PEER_PYTHON, oracle, tool], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
