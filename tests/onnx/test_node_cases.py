"""The standard's node test cases and the onnx wheel's models with data pass: optimised and as written.

A case may be unsupported only when tests/onnx/unsupported.txt names it, and what is named there must be unsupported. The cases are
generated once, with the onnx package of the peer's environment, into the cache."""

import fnmatch
import os
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("PG_CACHE") or Path.home() / ".cache" / "polygraphy-c")
NODE_CASES = Path(os.environ.get("PG_BUILD", ROOT / "build" / "release")) / "tests" / "tools" / "node_cases"
ONNX = "1.23.2"
# folder in the cache, its generator, how many cases there are
NODES = (f"node-cases-{ONNX}", "gen_node_cases.py", 1884)
DATA = (f"data-cases-{ONNX}", "gen_data_cases.py", 149)
TITLES = {NODES[0]: f"node test cases of onnx {ONNX}", DATA[0]: f"models with data of onnx {ONNX}"}


def listed():
    """Patterns of cases that may be unsupported."""
    lines = (HERE / "unsupported.txt").read_text(encoding="utf-8").splitlines()
    return [line.split(":", 1)[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def cases(name, script, count):
    folder = CACHE / name
    if not folder.is_dir() or len(list(folder.iterdir())) < count:
        try:
            import onnx
        except ImportError as error:
            raise unittest.SkipTest(f"needs the packages of the peer's environment ({error})") from error
        if onnx.__version__ != ONNX:
            raise unittest.SkipTest(f"needs onnx {ONNX}, found {onnx.__version__}")
        subprocess.run([sys.executable, ROOT / "scripts" / script, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


class NodeCases(unittest.TestCase):
    def check(self, which, *flags):
        folder = cases(*which)
        done = subprocess.run([NODE_CASES, *flags, "-d", folder], capture_output=True, text=True, errors="replace", check=False)
        *lines, counts = done.stdout.splitlines() or [""]
        unsupported = [line.split()[1].rstrip(":") for line in lines if line.startswith("unsupported")]
        patterns = listed()
        unexpected = [line for line in lines if not line.startswith("unsupported")]
        unexpected += [line for line in lines if line.startswith("unsupported") and
                       not any(fnmatch.fnmatch(line.split()[1].rstrip(":"), pattern) for pattern in patterns)]
        self.assertEqual(unexpected, [], f"{len(unexpected)} cases")
        self.assertEqual(done.returncode, 0, done.stderr)
        passed = int(counts.split()[0])
        print(f"= {TITLES[which[0]]}, {'as written' if flags else 'optimised'}: {passed} of {passed + len(unsupported)} pass, "
              f"{len(unsupported)} listed with reasons")
        self.assertGreaterEqual(passed + len(unsupported), which[2])
        return unsupported

    def test_optimised(self):
        unsupported = self.check(NODES) + self.check(DATA)
        for pattern in listed():
            with self.subTest(pattern=pattern):
                self.assertTrue(fnmatch.filter(unsupported, pattern), "passes now: take it off the list")

    def test_as_written(self):
        self.check(NODES, "-x")
        self.check(DATA, "-x")


if __name__ == "__main__":
    unittest.main()
