"""`inspect model --shape-inference` and `run --shape-inference --save-onnx` against the peer with onnx.shape_inference: the same
text, but for the numbers in names of open dims, on every model of which both know the same."""

import contextlib
import io
import os
import re
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
SHOW = ["--shape-inference", "--no-onnxruntime-shape-inference", "--show", "layers"]

# Models of which more is known here, and what.
MORE = {
    "magika": "Reshape, BroadcastTo and Where keep the batch",
    "nmp": "Reshape and Slice keep the batch",
    "ocrcls": "dims stated as -1 are open: they get names",
    "ocrdet": "Resize by scales keeps batch and channels",
    "ocrrec": "Reshape of a shape that is computed",
    "vadhalf": "Slice of full length keeps dims",
    "vadop15": "ConstantOfShape of a computed shape",
    "light_bvlc_alexnet": "Dropout's mask",
    "light_inception_v1": "Dropout's mask",
    "light_squeezenet": "Dropout's mask",
    "light_vgg19": "Dropout's mask",
    "test_sequence_model1": "dims stated as -1 are open: they get names",
}
TENSOR = re.compile(r"([^\s{,]+) \[dtype=(\S+), shape=\((.*?)\)\]")


def theirs(path):
    G_LOGGER.once_logged = set()
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(SystemExit):
            peer.main(["inspect", "model", str(path), *SHOW])
    return out.getvalue()


def ours(path):
    done = subprocess.run([PROGRAM, "inspect", "model", str(path), *SHOW], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def lines(text):
    """Without the lines on the peer's environment and temporary files; open dims numbered as they come."""
    names = {}
    text = re.sub(r"unk__\d+", lambda found: names.setdefault(found[0], f"unk__{len(names)}"), text)
    return [line for line in text.splitlines() if not line.startswith(("[W]", "[I] Loading"))]


def types(text):
    return {name: (dtype, [d.strip() for d in dims.split(",") if d.strip()]) for name, dtype, dims in TENSOR.findall(text)}


class InferredShapes(unittest.TestCase):
    def check_types(self, mine, other):
        """Whatever the peer knows as a type or a number is the same here."""
        mine, other = types(mine), types(other)
        for name, (dtype, dims) in other.items():
            self.assertIn(name, mine)
            self.assertEqual(mine[name][0], dtype, name)
            for a, b in zip(mine[name][1], dims):
                if b.isdigit():
                    self.assertEqual(a, b, name)

    def compare(self, paths):
        for path in paths:
            name = path.parent.name if path.name == "model.onnx" else path.stem
            with self.subTest(model=name):
                other, mine = theirs(path), ours(path)
                self.check_types(mine, other)
                if name in MORE:
                    self.assertNotEqual(lines(mine), lines(other), "the same now: take it off the list")
                else:
                    self.assertEqual(lines(mine), lines(other))

    def test_real_models(self):
        paths = sorted((CACHE / "models").glob("*.onnx"))
        if not paths:
            self.skipTest("the real models were not fetched (scripts/fetch.py models)")
        self.compare(paths)

    def test_models_of_the_standard(self):
        data = Path(onnx.__file__).parent / "backend" / "test" / "data"
        paths = sorted(data.glob("light/*.onnx"))
        for folder in ("simple", "pytorch-operator", "pytorch-converted"):
            paths += sorted(data.glob(f"{folder}/*/model.onnx"))
        self.assertGreater(len(paths), 100)
        self.compare(paths)

    def test_saved_models_are_valid(self):
        data = Path(onnx.__file__).parent / "backend" / "test" / "data"
        paths = sorted((CACHE / "models").glob("*.onnx")) + sorted(data.glob("light/*.onnx"))
        with tempfile.TemporaryDirectory() as folder:
            for path in paths:
                with self.subTest(model=path.stem):
                    saved = Path(folder) / "saved.onnx"
                    done = subprocess.run([PROGRAM, "run", str(path), "--shape-inference", "--save-onnx", str(saved)],
                                          capture_output=True, text=True, check=False)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    before, after = onnx.load(path), onnx.load(saved)
                    onnx.checker.check_model(after)
                    self.assertGreaterEqual(len(after.graph.value_info), len(before.graph.value_info))
                    self.assertEqual([i.name for i in after.graph.output], [i.name for i in before.graph.output])
                    for model in (before, after):
                        del model.graph.value_info[:], model.graph.output[:]
                    self.assertEqual(after.SerializeToString(deterministic=True),
                                     before.SerializeToString(deterministic=True))


if __name__ == "__main__":
    unittest.main()
