"""Every real model gives the same answers on ONNX Runtime and on the built-in engine: its outputs, and every inner tensor."""

import os
import subprocess
import unittest
from pathlib import Path

CACHE = Path(os.environ.get("PG_CACHE") or Path.home() / ".cache" / "polygraphy-c")
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
    "nmp": ["--input-shapes", "serving_default_input_2:0:[1,43844,1]"],
    "pnet": ["--input-shapes", "*:[1,60,80,3]"],
    "rnet": ["--input-shapes", "*:[2,24,24,3]"],
    "onet": ["--input-shapes", "*:[2,48,48,3]"],
}
TOLERANCE = ["--atol", "1e-4", "--rtol", "1e-4"]


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
    setattr(RealModels, f"test_{name}_all_tensors", lambda self: check(self, "--onnx-outputs", "mark", "all"))


for model, model_args in MODELS.items():
    add_test(model, model_args)

if __name__ == "__main__":
    unittest.main()
