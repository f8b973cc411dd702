"""Operators of the built-in engine against ONNX Runtime: see op_oracle.py and the files *_op_cases.py."""
import os
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEER_PYTHON = os.environ.get("PG_PEER_PYTHON")
TOOLS = os.environ.get("PG_TEST_TOOLS", os.path.join(ROOT, "build", "release", "tests", "tools"))


@unittest.skipIf(PEER_PYTHON is None, "PG_PEER_PYTHON names no Python with numpy, onnx and onnxruntime")
class Operators(unittest.TestCase):
    def check(self, module):
        oracle = os.path.join(ROOT, "tests", "parity", "op_oracle.py")
        done = subprocess.run([PEER_PYTHON, oracle, os.path.join(TOOLS, "node_cases"), module], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_text(self):
        self.check("text_op_cases")

    def test_images(self):
        self.check("image_op_cases")

    def test_transformers(self):
        self.check("transformer_op_cases")

    def test_machine_learning(self):
        self.check("ml_op_cases")

    def test_convolutions_recurrent_quantized_and_contributed(self):
        self.check("contrib_op_cases")

    def test_layers_of_8_bit_weights(self):
        self.check("quant_layer_op_cases")


if __name__ == "__main__":
    unittest.main()
