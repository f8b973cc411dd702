"""Every real model gives the same answers on ONNX Runtime and on the built-in engine: its outputs, and every inner tensor.

Outputs agree within 1e-4, element by element. Inner tensors agree within 1e-4 of the tensor's largest magnitude (or of 1), and
the engine is as close to the float64 reference as the runtime is. Element by element would ask more than float32 holds where a
tensor of the OCR models reaches several hundreds (there the runtime itself is 6e-4 from the reference), or where nmp takes the
logarithm of differences that nearly cancel."""

import os
import subprocess
import unittest
from pathlib import Path

CACHE = Path(os.environ.get("PG_CACHE") or Path.home() / ".cache" / "polygraphy-c")
TOOLS = Path(os.environ.get("PG_BUILD", "build/release")) / "tests" / "tools"
PROGRAM = os.environ.get("POLYGRAPHY_BIN", "build/polygraphy")

# Arguments that give each model inputs it can run with.
MODELS = {
    "ocrdet": ["--input-shapes", "x:[1,3,320,320]"],
    "ocrrec": ["--input-shapes", "x:[2,3,48,320]"],
    "ocrcls": ["--input-shapes", "x:[2,3,48,192]"],
    "vad": ["--input-shapes", "input:[1,576]", "state:[2,1,128]", "--val-range", "sr:[16000,16000]"],
    "vadop15": ["--input-shapes", "input:[1,576]", "state:[2,1,128]", "--val-range", "sr:[16000,16000]"],
    "vadseq": ["--input-shapes", "input:[5,576]"],
    "vadhalf": ["--input-shapes", "input:[1,576]", "state:[2,1,128]"],
    "vadifless": ["--input-shapes", "input:[1,576]", "state:[2,1,128]"],
    "vadstatic": [],
    "magika": ["--input-shapes", "bytes:[2,2048]", "--val-range", "bytes:[0,256]"],
    # Sound: a constant part, as [0, 1] would have, leaves logarithms of rounding errors.
    "nmp": ["--input-shapes", "serving_default_input_2:0:[1,43844,1]", "--val-range", "[-1,1]"],
    "pnet": ["--input-shapes", "*:[1,60,80,3]"],
    "rnet": ["--input-shapes", "*:[2,24,24,3]"],
    "onet": ["--input-shapes", "*:[2,48,48,3]"],
}
TOLERANCE = ["--atol", "1e-4", "--rtol", "1e-4"]


# The same inputs for tests/tools/inner_tensors.
INNER = {
    "ocrdet": ["x=1x3x320x320"], "ocrrec": ["x=2x3x48x320"], "ocrcls": ["x=2x3x48x192"],
    "vad": ["input=1x576", "state=2x1x128", "sr=16000"], "vadop15": ["input=1x576", "state=2x1x128", "sr=16000"],
    "vadseq": ["input=5x576"], "vadhalf": ["input=1x576", "state=2x1x128"], "vadifless": ["input=1x576", "state=2x1x128"],
    "vadstatic": [], "magika": ["bytes=2x2048"], "nmp": ["serving_default_input_2:0=1x43844x1"],
    "pnet": ["input_1=1x60x80x3"], "rnet": ["input_2=2x24x24x3"], "onet": ["input_3=2x48x48x3"],
}
NOT_ELEMENTWISE = ("ocrdet", "ocrrec", "nmp")


def run(*args):
    done = subprocess.run([PROGRAM, "run", *args], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def tail(text):
    lines = [line for line in text.splitlines() if "[E]" in line or "[!]" in line]
    return "\n".join(lines[:20]) or "\n".join(text.splitlines()[-20:])


class RealModels(unittest.TestCase):
    pass


def add_test(name, args):
    def check(self, *extra):
        path = CACHE / "models" / f"{name}.onnx"
        if not path.exists():
            self.skipTest("the real models were not fetched (scripts/fetch.py models)")
        code, text = run(str(path), "--onnxrt", "--native", *args, *TOLERANCE, *extra)
        if "pip install onnxruntime" in text:
            self.skipTest("ONNX Runtime is not installed")
        self.assertEqual(code, 0, tail(text))
        self.assertIn("PASSED", text)

    setattr(RealModels, f"test_{name}", lambda self: check(self))
    setattr(RealModels, f"test_{name}_portable", lambda self: check(self, "--no-onednn"))
    if name not in NOT_ELEMENTWISE:
        setattr(RealModels, f"test_{name}_mark_all", lambda self: check(self, "--onnx-outputs", "mark", "all"))
    setattr(RealModels, f"test_{name}_inner_tensors", lambda self: check_inner(self, name))


def check_inner(self, name):
    path = CACHE / "models" / f"{name}.onnx"
    if not path.exists():
        self.skipTest("the real models were not fetched (scripts/fetch.py models)")
    done = subprocess.run([TOOLS / "inner_tensors", path, *INNER[name]], capture_output=True, text=True, check=False)
    if "pip install onnxruntime" in done.stderr:
        self.skipTest("ONNX Runtime is not installed")
    self.assertEqual(done.returncode, 0, done.stderr)
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 4]
    self.assertGreater(len(rows), 0)
    for tensor, engine, runtime, apart, magnitude in rows:
        engine, runtime, apart, magnitude = map(float, (engine, runtime, apart, magnitude))
        if engine > runtime:  # else what is between them is the runtime's own error
            self.assertLessEqual(apart, 1e-4 * max(1.0, magnitude), f"{tensor}: engine and runtime")
        self.assertLessEqual(engine, 4 * runtime + 2e-6 * max(1.0, magnitude), f"{tensor}: engine against float64")


for model, model_args in MODELS.items():
    add_test(model, model_args)

if __name__ == "__main__":
    unittest.main()
