"""`inspect model` against the peer: the same bytes for every model of the onnx wheel, the real models and the generated ones, in
every mode of --show."""

import contextlib
import io
import os
import subprocess
import tempfile
import unittest
import warnings
from pathlib import Path

try:
    import onnx
    from polygraphy.logger import G_LOGGER
    from polygraphy import tools as peer
except ImportError as error:
    raise unittest.SkipTest(f"needs the peer's environment ({error})") from error

CACHE = Path(os.environ.get("PG_CACHE") or Path.home() / ".cache" / "polygraphy-c")
PROGRAM = os.environ.get("POLYGRAPHY_BIN", "build/polygraphy")
TOOLS = Path(os.environ.get("PG_BUILD", "build/release")) / "tests" / "tools"
GENERATED = ("identity", "mlp", "convnet", "lstm_gru", "control", "sequence", "qdq", "types", "alltypes", "function", "nodes20000")
MODES = ([], ["layers"], ["weights"], ["layers", "attrs"], ["layers", "weights"], ["layers", "attrs", "weights"])
# What the peer alone says about its own environment.
NOISE = ("'colored' module",)


def theirs(path, show):
    G_LOGGER.once_logged = set()
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = peer.main(["inspect", "model", str(path)] + (["--show", *show] if show else []))
        except SystemExit as stop:
            code = stop.code
    lines = out.getvalue().splitlines(keepends=True)
    return code or 0, "".join(line for line in lines if not any(noise in line for noise in NOISE))


def ours(path, show):
    command = [PROGRAM, "inspect", "model", str(path)] + (["--show", *show] if show else [])
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def first_difference(mine, other):
    mine, other = mine.splitlines(), other.splitlines()
    for i, (a, b) in enumerate(zip(mine, other)):
        if a != b:
            return f"line {i + 1}\n  ours: {a!r}\n  peer: {b!r}"
    return f"{len(mine)} lines, the peer prints {len(other)}"


class InspectModel(unittest.TestCase):
    def compare(self, paths):
        for path in paths:
            for show in MODES:
                with self.subTest(model=path.name, folder=path.parent.name, show=" ".join(show)):
                    expected, found = theirs(path, show), ours(path, show)
                    self.assertEqual(found[0], expected[0], found[1][-500:])
                    if found[1] != expected[1]:
                        self.fail(first_difference(found[1], expected[1]))

    def test_models_of_the_standard(self):
        data = Path(onnx.__file__).parent / "backend" / "test" / "data"
        paths = sorted(data.glob("**/*.onnx"))
        self.assertGreater(len(paths), 100)
        self.compare(paths)

    def test_real_models(self):
        paths = sorted((CACHE / "models").glob("*.onnx"))
        if not paths:
            self.skipTest("the real models were not fetched (scripts/fetch.py models)")
        self.compare(paths)

    def test_generated_models(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([TOOLS / "make_models", folder, *GENERATED], check=True, capture_output=True)
            self.compare(sorted(Path(folder).glob("*.onnx")))


if __name__ == "__main__":
    unittest.main()
