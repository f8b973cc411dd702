"""docs/operators.md is what scripts/operator_coverage.py makes, and every operator of the standard has a kernel."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from test_node_cases import NODES, ROOT, cases

BUILD = Path(os.environ.get("PG_BUILD", ROOT / "build" / "release"))


class OperatorPage(unittest.TestCase):
    def test_page_is_fresh(self):
        folder = cases(*NODES)
        with tempfile.TemporaryDirectory(prefix="pg-operators-") as scratch:
            page = Path(scratch) / "operators.md"
            done = subprocess.run([sys.executable, ROOT / "scripts" / "operator_coverage.py", "--tools", BUILD / "tests" / "tools",
                                   "--cases", folder, "--markdown", page], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            made = page.read_text(encoding="utf-8")
        kept = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
        changed = [line for line in made.splitlines() if line not in kept.splitlines()]
        self.assertEqual(made, kept, f"docs/operators.md is old, run 'make docs'; first changed line: {changed[:1]}")


if __name__ == "__main__":
    unittest.main()
