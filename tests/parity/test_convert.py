"""`convert` between ONNX models beside Polygraphy 0.53, and float16 models judged by onnx and ONNX Runtime."""

import unittest

from sidebyside import PEER, SideBySide, execute, ours

MAKE = """
import numpy as np, onnx
from onnx import helper as h, TensorProto as T, numpy_helper as n
f = lambda name, t, *d: h.make_tensor_value_info(name, t, d)
rng = np.random.default_rng(5)
w0, w1 = (rng.standard_normal(s).astype(np.float32) for s in ((16, 32), (32, 16)))
small = h.make_graph(
    [h.make_node("MatMul", ["x", "w0"], ["a"], "n0"), h.make_node("Relu", ["a"], ["b"], "n1"),
     h.make_node("MatMul", ["b", "w1"], ["c"], "n2"), h.make_node("Sigmoid", ["c"], ["y"], "n3"),
     h.make_node("Transpose", ["c"], ["t"], "n4", perm=[1, 0])],
    "small", [f("x", T.FLOAT, "N", 16)], [f("y", T.FLOAT, "N", 16), f("t", T.FLOAT, 16, "N")],
    [n.from_array(w0, "w0"), n.from_array(w1, "w1")])
onnx.save(h.make_model(small, opset_imports=[h.make_opsetid("", 17)], ir_version=8), "m.onnx")
onnx.save(h.make_model(small, opset_imports=[h.make_opsetid("", 17)], ir_version=8), "ext.onnx", save_as_external_data=True,
          location="ext.bin", size_threshold=0)

# Everything that needs care on the way to float16.
body = h.make_graph(
    [h.make_node("Add", ["acc_in", "x"], ["s"], "b_add"), h.make_node("Range", ["r0", "r1", "r2"], ["rng"], "b_range"),
     h.make_node("Range", ["i0", "i1", "i2"], ["irng"], "b_irange"), h.make_node("ReduceSum", ["irng"], ["isum"], "b_is", keepdims=0),
     h.make_node("ReduceMean", ["rng"], ["rm"], "b_rm", keepdims=0), h.make_node("Cast", ["i"], ["fi"], "b_c", to=T.FLOAT),
     h.make_node("Mul", ["s", "fi"], ["m0"], "b_mul"), h.make_node("Add", ["m0", "rm"], ["acc_out"], "b_add2"),
     h.make_node("Identity", ["cond_in"], ["cond_out"], "b_id")],
    "body", [f("i", T.INT64), f("cond_in", T.BOOL), f("acc_in", T.FLOAT, 1, 3, 4, 4)],
    [f("cond_out", T.BOOL), f("acc_out", T.FLOAT, 1, 3, 4, 4)],
    [n.from_array(np.float32(v), k) for k, v in (("r0", 0.5), ("r1", 3), ("r2", 1))] +
    [n.from_array(np.int64(v), k) for k, v in (("i0", 0), ("i1", 3), ("i2", 1))])
nodes = [
    h.make_node("Constant", [], ["sc"], "c1", value_floats=[1.0, 1.0, 2.0, 2.0]),
    h.make_node("Constant", [], ["eps"], "c2", value_float=1e-12), h.make_node("Add", ["x", "eps"], ["x1"], "a1"),
    h.make_node("Constant", [], ["k"], "c3", value=n.from_array(np.float32(0.25))),
    h.make_node("Resize", ["x1", "", "sc"], ["rs"], "rs", mode="nearest"),
    h.make_node("Resize", ["rs", "", "scw"], ["rs2"], "rs2", mode="nearest"),
    h.make_node("Loop", ["trip", "cond", "x"], ["lo"], "loop", body=body), h.make_node("Shape", ["rs2"], ["shp"], "shape"),
    h.make_node("ConstantOfShape", ["shp"], ["zeros"], "cos"),
    h.make_node("ConstantOfShape", ["shp"], ["ones"], "cos1", value=n.from_array(np.array([1], np.float32))),
    h.make_node("Add", ["rs2", "zeros"], ["y0"], "add"), h.make_node("Mul", ["y0", "ones"], ["y"], "mul"),
    h.make_node("Add", ["lo", "w"], ["z0"], "add2"), h.make_node("Mul", ["z0", "k"], ["z"], "mul2"),
    h.make_node("CumSum", ["z", "ax"], ["cs"], "cumsum"), h.make_node("CumSum", ["cs", "ax"], ["cs2"], "cumsum2"),
    h.make_node("Relu", ["cs"], ["relu"], "relu"), h.make_node("RandomNormal", [], ["rn"], "rn", shape=[2, 2], seed=1.0),
    h.make_node("Mul", ["rn", "nothing"], ["rn0"], "rn0"), h.make_node("ReduceSum", ["rn0"], ["rsum"], "rsum", keepdims=0),
    h.make_node("Add", ["relu", "rsum"], ["out3"], "add3"), h.make_node("NonMaxSuppression", ["bx", "scs"], ["nms"], "nms"),
    h.make_node("Mul", ["bx", "half"], ["bx2"], "mulbx"), h.make_node("DynamicQuantizeLinear", ["x"], ["dq", "dqs", "dqz"], "dql"),
    h.make_node("DequantizeLinear", ["dq", "dqs", "dqz"], ["dd"], "dd"), h.make_node("Neg", ["dd"], ["ndd"], "ng"),
    h.make_node("Triple", ["z"], ["tr"], "call", domain="local"),
]
graph = h.make_graph(
    nodes, "g", [f("x", T.FLOAT, 1, 3, 4, 4), f("bx", T.FLOAT, 1, 4, 4), f("scs", T.FLOAT, 1, 1, 4)],
    [f("y", T.FLOAT, 1, 3, 4, 4), f("z", T.FLOAT, 1, 3, 4, 4), f("cs2", T.FLOAT, 1, 3, 4, 4), f("out3", T.FLOAT, 1, 3, 4, 4),
     f("nms", T.INT64, None, 3), f("bx2", T.FLOAT, 1, 4, 4), f("ndd", T.FLOAT, 1, 3, 4, 4), f("tr", T.FLOAT, 1, 3, 4, 4)],
    [n.from_array(np.array([1, 1, .5, .5], np.float32), "scw"), n.from_array(np.array(3, np.int64), "trip"),
     n.from_array(np.array(True), "cond"), n.from_array(np.array([1, -1e-10, 0], np.float32).reshape(3, 1, 1), "w"),
     n.from_array(np.array(1, np.int64), "ax"), n.from_array(np.float32(.5), "half"), n.from_array(np.float32(0), "nothing")],
    value_info=[f("x1", T.FLOAT, 1, 3, 4, 4), f("cs", T.FLOAT, 1, 3, 4, 4)])
triple = h.make_function("local", "Triple", ["v"], ["r"], [
    h.make_node("Constant", [], ["three"], "f_c", value_float=3.0), h.make_node("Mul", ["v", "three"], ["r"], "f_m")],
    [h.make_opsetid("", 13)])
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13), h.make_opsetid("local", 1)], ir_version=8, functions=[triple])
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "hard.onnx")
"""

SAME_INFERENCE = """
import sys, onnx
a, b = (onnx.load(path) for path in sys.argv[1:])
known = {v.name: v.type for v in a.graph.value_info}
known.update({v.name: v.type for v in a.graph.output})
for v in b.graph.value_info:
    if known.get(v.name) != v.type:
        print(v.name, known.get(v.name), v.type)
"""

CHECK = "import sys, onnx; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)"


class Convert(SideBySide):
    peer_only = (r"'mark all' is deprecated",)  # documents of all ages use it

    def prepare(self, folder):
        code, _, err = execute([PEER, "-c", MAKE], folder)
        self.assertEqual(code, 0, err)

    def test_models(self):
        self.check_lines([
            "convert m.onnx -o 0.onnx", "convert m.onnx --output sub/dir/1.onnx", "convert m.onnx -o 2.onnx --onnx-outputs a c",
            "convert m.onnx -o 4.onnx --onnx-exclude-outputs t",
            "convert m.onnx -o 5.onnx --onnx-outputs-by-type matmul", "convert m.onnx --convert-to onnx -o 6.foo",
            "convert m.onnx -o 7.foo", "convert m.onnx -o 8.hdf5", "convert m.onnx", "convert -o 9.onnx",
            "convert m.onnx --convert-to bar -o 9.onnx", "convert m.onnx -o 10.onnx --onnx-outputs nope", "convert m.onnx -q -o 11.onnx",
            "convert m.onnx --model-type onnx -o 12.onnx"])

    def test_all_outputs(self):
        """The peer drops the types that the outputs had."""
        self.check_lines(["convert m.onnx -o 3.onnx --onnx-outputs *", "convert m.onnx -o 4.onnx --onnx-outputs mark all -qqq"],
                         files=False)

    def test_external_data(self):
        self.check_lines(["convert ext.onnx -o 0.onnx", "convert m.onnx -o 1.onnx --save-external-data 1.bin --external-data-size-threshold 0",
                          "convert ext.onnx -o 2.onnx --external-data-path 2.bin --external-data-size-threshold 1K",
                          "convert m.onnx -o 3.onnx --save-external-data 3.bin --external-data-size-threshold 3K"], files=False)

    def test_shape_inference(self):
        mine, other = self.folders()
        self.assertEqual(ours("convert m.onnx -o s.onnx --shape-inference", mine)[0], 0)
        code, _, err = execute([PEER, "-c", "import onnx; onnx.save(onnx.shape_inference.infer_shapes(onnx.load('m.onnx')), 's.onnx')"], other)
        self.assertEqual(code, 0, err)
        code, out, err = execute([PEER, "-c", SAME_INFERENCE, str(mine / "s.onnx"), str(other / "s.onnx")], mine)
        self.assertEqual((code, out), (0, ""), err)

    def test_fp16(self):
        folder = self.folders()[0]
        for name in ("m", "ext", "hard"):
            with self.subTest(name):
                for line in (f"run {name}.onnx --onnxrt --save-inputs {name}_in.json --save-outputs {name}_out.json",
                             f"convert {name}.onnx --fp-to-fp16 -o {name}_half.onnx"):
                    code, out, err = ours(line, folder)
                    self.assertEqual(code, 0, out + err)
                code, _, err = execute([PEER, "-c", CHECK, f"{name}_half.onnx"], folder)
                self.assertEqual(code, 0, err)
                for runner in ("--onnxrt", "--native"):
                    code, out, err = ours(f"run {name}_half.onnx {runner} --load-inputs {name}_in.json --load-outputs {name}_out.json "
                                          "--atol 2e-2 --rtol 2e-2", folder)
                    self.assertEqual(code, 0, out + err)
        self.assertLess((folder / "m_half.onnx").stat().st_size, 0.6 * (folder / "m.onnx").stat().st_size)


if __name__ == "__main__":
    unittest.main()
