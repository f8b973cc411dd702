"""`inspect data` against the peer's: see inspect_data_oracle.py."""
import os
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEER_PYTHON = os.environ.get("PG_PEER_PYTHON")
PROGRAM = os.environ.get("POLYGRAPHY_BIN", os.path.join(ROOT, "build", "polygraphy"))


@unittest.skipIf(PEER_PYTHON is None, "PG_PEER_PYTHON names no Python with numpy and polygraphy")
class InspectData(unittest.TestCase):
    def test_files_of_the_peer(self):
        oracle = os.path.join(ROOT, "tests", "parity", "inspect_data_oracle.py")
        done = subprocess.run([PEER_PYTHON, oracle, PROGRAM], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
