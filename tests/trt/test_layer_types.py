"""The built-in engine's networks name layers as the real parser does."""

import re
import unittest

import rtx
from support import model, node, value_info

BOOL = 9
UNARY = ("Relu Sigmoid Tanh LeakyRelu Elu Selu Softsign Softplus HardSigmoid ThresholdedRelu Exp Log Sqrt Reciprocal Abs Neg Sin Cos "
         "Tan Sinh Cosh Asin Acos Atan Asinh Acosh Atanh Ceil Floor Erf Sign Round Identity Softmax LogSoftmax Transpose "
         "ReduceProd ReduceMax ReduceMin ReduceMean").split()
BINARY = "Add Sub Mul Div Max Min Sum Pow PRelu MatMul Gemm".split()
LOGICAL = "Equal Greater Less".split()


def single(op, inputs, elem=1):
    return model([node(op, inputs, ["out"], "n")], [value_info(name, [4, 4]) for name in inputs],
                 [value_info("out", [4, 4], elem)])


class LayerTypes(rtx.RtxCase):
    def types(self, payload, real):
        self.save("op.onnx", payload)
        run = self.rtx_run if real else self.run_it
        out = run("inspect", "model", "op.onnx", "--display-as", "trt", "--show", "layers").out
        return dict(re.findall(r"Layer \d+ +\| (\S+) \[Op: (\S+)\]", out))["n"]

    def test_one_operator_each(self):
        cases = [(op, single(op, ["x"])) for op in UNARY] + [(op, single(op, ["x", "z"])) for op in BINARY]
        for op, payload in cases + [(op, single(op, ["x", "z"], BOOL)) for op in LOGICAL]:
            with self.subTest(op):
                self.assertEqual(self.types(payload, False), self.types(payload, True))


if __name__ == "__main__":
    unittest.main()
