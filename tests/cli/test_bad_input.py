"""Bad input of every kind: a message that names what is wrong, exit status 1, nothing written, no crash."""

import base64
import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import model, node, value_info

PROGRAM = os.environ.get("POLYGRAPHY_BIN", "build/polygraphy")
BUILD = Path(os.environ.get("PG_BUILD", "build/release"))


def run(*args, env=None, cwd=None):
    done = subprocess.run([os.path.abspath(PROGRAM), *map(str, args)], capture_output=True, text=True, errors="replace",
                          env=dict(os.environ, **(env or {})), cwd=cwd, check=False, stdin=subprocess.DEVNULL, timeout=120)
    return done.returncode, done.stdout + done.stderr


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = Path(tempfile.mkdtemp(prefix="polygraphy-bad-"))
        subprocess.run([BUILD / "tests" / "tools" / "make_models", cls.dir, "mlp", "convnet", "control"], check=True,
                       stdout=subprocess.DEVNULL)
        cls.mlp = cls.dir / "mlp.onnx"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def file(self, name, data):
        path = self.dir / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def fails(self, *args, says, env=None, status=1):
        code, text = run(*args, env=env)
        self.assertEqual(code, status, text)
        for part in (says,) if isinstance(says, str) else says:
            self.assertIn(part, text)
        self.assertNotIn("internal error", text)
        return text

    # ---- Models ----

    def test_files_that_are_no_models(self):
        generator = random.Random(5)
        for name, data in {"empty.onnx": b"", "text.onnx": "hello, this is no model\n" * 10,
                           "random.onnx": generator.randbytes(5000), "zeros.onnx": bytes(100)}.items():
            for command in (["inspect", "model"], ["run", "--native"]):
                with self.subTest(name=name, command=command[0]):
                    self.fails(*command, self.file(name, data), says=name)

    def test_every_truncation_of_a_model(self):
        data = self.mlp.read_bytes()
        for cut in list(range(1, 60)) + list(range(60, len(data), 97)):
            code, text = run("run", "--native", self.file("cut.onnx", data[:cut]))
            self.assertIn(code, (0, 1), f"cut at {cut}: {text}")  # a cut at the end of a field leaves a smaller model
            self.assertNotIn("internal error", text)
            if code == 1:
                self.assertIn("[!]", text)

    def test_damaged_bytes(self):
        data = bytearray(self.mlp.read_bytes())
        generator = random.Random(7)
        for _ in range(150):
            damaged = bytearray(data)
            for _ in range(3):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            code, text = run("run", "--native", self.file("damaged.onnx", bytes(damaged)))
            self.assertIn(code, (0, 1), text)
            self.assertNotIn("internal error", text)

    def test_missing_model(self):
        self.fails("run", self.dir / "none.onnx", "--native", says="none.onnx")
        self.fails("inspect", "model", self.dir / "none.onnx", says="none.onnx")
        self.fails("run", self.dir, "--native", "--model-type", "onnx", says=str(self.dir))

    # ---- Shapes and inputs ----

    def test_wrong_names_and_shapes(self):
        self.fails("run", self.mlp, "--native", "--input-shapes", "nope:[1,2]", says=("nope", "x"))
        self.fails("run", self.mlp, "--native", "--input-shapes", "x:[1,", says="x:[1,")
        self.fails("run", self.mlp, "--native", "--input-shapes", "x:[1,two]", says="two")
        self.fails("run", self.mlp, "--native", "--input-shapes", "x:[1,99999]", says="x")
        self.fails("run", self.mlp, "--native", "--onnx-outputs", "nope", says="nope")

    def inputs(self, **arrays):
        return self.file("in.json", json.dumps([{name: {"array": text, "polygraphy_class": "ndarray"}
                                                 for name, text in arrays.items()}]))

    @staticmethod
    def npy(dtype="<f4", shape="(1, 16)", payload=bytes(64)):
        header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
        header += b" " * (-(len(header) + 11) % 64) + b"\n"
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + payload

    def encoded(self, **kind):
        return base64.b64encode(self.npy(**kind)).decode()

    def test_loaded_inputs(self):
        good = self.encoded()
        code, text = run("run", self.mlp, "--native", "--load-inputs", self.inputs(x=good))
        self.assertEqual(code, 0, text)
        cases = {
            "wrong name": ({"zzz": good, "yyy": good}, "x"),
            "bad base64": ({"x": good[:-8] + "!!!!" + good[-4:]}, "base64"),
            "cut base64": ({"x": good[:-30]}, "x"),
            "wrong shape": ({"x": self.encoded(shape="(3, 5)", payload=bytes(60))}, "x"),
            "object array": ({"x": self.encoded(dtype="|O")}, "x"),
            "too few bytes": ({"x": self.encoded(payload=bytes(8))}, "x"),
            "huge dims": ({"x": self.encoded(shape="(99999999999, 99999999999)")}, "x"),
        }
        for name, (arrays, says) in cases.items():
            with self.subTest(name):
                self.fails("run", self.mlp, "--native", "--load-inputs", self.inputs(**arrays), says=says)

    def test_damaged_json(self):
        good = self.encoded()
        cases = {
            "not json": "nope", "empty": "", "open": "[{", "deep": "[" * 100000,
            "wrong class": json.dumps([{"x": {"array": good, "polygraphy_class": "Spaceship"}}]),
            "number": "5", "null array": json.dumps([{"x": {"array": None, "polygraphy_class": "ndarray"}}]),
            "results as inputs": json.dumps({"lst": [], "polygraphy_class": "RunResults"}),
        }
        for name, text in cases.items():
            with self.subTest(name):
                self.fails("run", self.mlp, "--native", "--load-inputs", self.file("bad.json", text), says="bad.json")
                code, out = run("inspect", "data", self.file("bad.json", text))
                self.assertIn(code, (0, 1), out)
                self.assertNotIn("internal error", out)

    def test_damaged_arrays(self):
        for name, data in {"cut.npy": self.npy()[:40], "short.npy": self.npy(payload=b"1234"), "junk.npy": b"junk" * 20,
                           "junk.npz": b"PK\x03\x04" + b"x" * 60, "junk.safetensors": b"\xff" * 30}.items():
            with self.subTest(name):
                self.fails("run", self.mlp, "--native", "--load-inputs", self.file(name, data), says=name)

    # ---- Targets ----

    def test_full_disk_keeps_the_old_file(self):
        if os.geteuid() != 0:
            self.skipTest("needs root for a small file system")
        mount = self.dir / "small"
        mount.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", mount], capture_output=True, check=False).returncode:
            self.skipTest("cannot mount a small file system here")
        try:
            target = mount / "out.json"
            target.write_text("old")
            self.fails("run", self.mlp, "--native", "--input-shapes", "x:[4096,16]", "--save-outputs", target,
                       says=("No space left on device", "out.json"))
            self.assertEqual(target.read_text(), "old")
            self.assertEqual([path.name for path in mount.iterdir()], ["out.json"])
        finally:
            subprocess.run(["umount", mount], check=False)

    # ---- Runtimes ----

    def test_runtime_that_is_none(self):
        empty = {"POLYGRAPHY_ONNXRUNTIME": str(self.file("libnone.so", b"no library"))}
        self.fails("run", self.mlp, "--onnxrt", says="libnone.so", env=empty)
        self.fails("run", self.mlp, "--onnxrt", says="no-such-library.so", env={"POLYGRAPHY_ONNXRUNTIME": "/tmp/no-such-library.so"})

    def test_runtime_refuses_the_model(self):
        if not os.environ.get("POLYGRAPHY_ONNXRUNTIME"):
            self.skipTest("ONNX Runtime is not there")
        data = self.mlp.read_bytes().replace(b"Relu", b"Rely")
        self.fails("run", self.file("op.onnx", data), "--onnxrt", says=("ONNX Runtime", "Rely"))
        self.fails("run", self.file("op.onnx", data), "--native", says=("'Rely'", "ai.onnx"))

    def test_model_that_onnxruntime_does_not_survive(self):
        """A Split that omits an output ends the process of ONNX Runtime: it is named before the runtime loads the model."""
        if not os.environ.get("POLYGRAPHY_ONNXRUNTIME"):
            self.skipTest("ONNX Runtime is not there")
        for outputs in (["", "z"], ["y", ""]):
            split = node("Split", ["x"], outputs, "halves")
            path = self.file("split.onnx", model([split], [value_info("x", [4])], [value_info(max(outputs), [2])]))
            self.fails("run", path, "--onnxrt", says=("Split 'halves' (node 0) omits an output", "ONNX Runtime", "a name"))
            code, text = run("run", path, "--native")
            self.assertEqual(code, 0, text)


if __name__ == "__main__":
    unittest.main()
