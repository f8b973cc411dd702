"""Shape inference agrees with what runs: on the standard's node test cases, the wheel's models and the real models, every type,
rank, dimension and symbol that is inferred from the inputs' types alone is that of the value which the built-in engine computes.

Types stay unknown only where they depend on data: listed by operator below."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from test_node_cases import CACHE, DATA, NODE_CASES, NODES, cases

# Branches of different rank, shapes computed from data, sequences of tensors of any rank.
OPEN = {"If", "Reshape", "Scan", "SequenceAt", "ConcatFromSequence", "Loop"}

# Inputs of the real models: name, element type, dims, largest value.
MODELS = {
    "ocrdet": [("x", "float32", (1, 3, 64, 96), 1)], "ocrrec": [("x", "float32", (2, 3, 48, 64), 1)],
    "ocrcls": [("x", "float32", (2, 3, 48, 192), 1)],
    "vad": [("input", "float32", (1, 576), 1), ("state", "float32", (2, 1, 128), 1), ("sr", "int64", (), 16000)],
    "vadop15": [("input", "float32", (1, 576), 1), ("state", "float32", (2, 1, 128), 1), ("sr", "int64", (), 16000)],
    "magika": [("bytes", "int32", (2, 2048), 255)],
    "nmp": [("serving_default_input_2:0", "float32", (1, 43844, 1), 1)],
    "pnet": [("input_1", "float32", (1, 60, 80, 3), 1)], "rnet": [("input_2", "float32", (2, 24, 24, 3), 1)],
    "onet": [("input_3", "float32", (2, 48, 48, 3), 1)],
}


def write_case(root, name, inputs):
    import numpy as np
    from onnx import numpy_helper
    folder = Path(root) / name
    folder.mkdir()
    (folder / "model.onnx").symlink_to(CACHE / "models" / f"{name}.onnx")
    lines = []
    for k, (tensor, dtype, dims, most) in enumerate(inputs):
        if dtype.startswith("float"):
            array = np.random.default_rng(k).random(dims, np.float32)
        else:
            array = np.full(dims, most, dtype)
        (folder / f"input_{k}.pb").write_bytes(numpy_helper.from_array(np.asarray(array)).SerializeToString())
        lines.append(f"input tensor {tensor} input_{k}.pb\n")
    (folder / "case.txt").write_text("".join(lines))


class InferredTypes(unittest.TestCase):
    def check(self, label, folder, *patterns):
        done = subprocess.run([NODE_CASES, "-s", "-d", folder, *patterns], capture_output=True, text=True, errors="replace", check=False)
        *lines, counts = done.stdout.splitlines() or [""]
        print(f"= inferred types are those of the values, {label}: {counts}")
        found = [re.search(r"outputs unknown, first of (\w+)", line) for line in lines]
        wrong = [line for line, match in zip(lines, found)
                 if not (match and match[1] in OPEN) and "cannot be decoded" not in line and "has no operator" not in line]
        self.assertEqual(wrong, [])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(len(lines), 60)

    def test_standard(self):
        self.check(NODES[0], cases(*NODES))

    def test_wheel_models(self):
        self.check(DATA[0], cases(*DATA))

    def test_real_models(self):
        names = [name for name in MODELS if (CACHE / "models" / f"{name}.onnx").exists()]
        if not names:
            self.skipTest("the real models were not fetched")
        with tempfile.TemporaryDirectory(prefix="pg-types-") as folder:
            for name in names:
                write_case(folder, name, MODELS[name])
            self.check("real models", folder)


if __name__ == "__main__":
    unittest.main()
