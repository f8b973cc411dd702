"""`inspect sparsity` beside Polygraphy 0.53."""

import unittest

from sidebyside import PEER, SideBySide, execute

MAKE = """
import numpy as np, onnx
from onnx import helper as h, numpy_helper as n, TensorProto as T
rng = np.random.default_rng(3)
def sparse(a, axis):
    a = np.moveaxis(a.copy(), axis, -1)
    flat = a.reshape(-1, 4)
    for row in flat:
        row[rng.choice(4, 2, replace=False)] = 0
    return np.moveaxis(flat.reshape(a.shape), -1, axis)
def rand(*dims, dtype=np.float32):
    return (rng.standard_normal(dims) + 0.5).astype(dtype)
almost = sparse(rand(8, 16), 0); almost[5, 15] = 1; almost[6, 15] = 2; almost[7, 15] = 3
weights = {
    "dense": rand(8, 16), "good": sparse(rand(16, 8), 0), "wrong_axis": sparse(rand(8, 16), 1), "almost": almost,
    "half": sparse(rand(16, 8, dtype=np.float16), 0), "odd": rand(6, 8), "double": rand(8, 8, dtype=np.float64),
    "turned": sparse(rand(8, 16), 1), "kernel": sparse(rand(4, 8, 3, 3), 1), "gemm_t": sparse(rand(12, 8), 1),
    "minus": -sparse(rand(16, 8), 0), "zeros": np.zeros((8, 4), np.float32), "scale": np.float32(0.1), "zp": np.int8(0),
    "ints": rng.integers(-5, 5, (8, 4)).astype(np.int8),
}
nodes = [
    h.make_node("MatMul", ["a", "dense"], ["1"], "n1"), h.make_node("MatMul", ["1", "good"], ["2"], "n2"),
    h.make_node("Relu", ["2"], ["3"], "r"), h.make_node("MatMul", ["3", "wrong_axis"], ["4"], "n4"),
    h.make_node("MatMul", ["2", "almost"], ["5"], "n5"), h.make_node("Cast", ["half"], ["half32"], "c", to=T.FLOAT),
    h.make_node("MatMul", ["5", "half32"], ["6"], "n6"), h.make_node("Transpose", ["turned"], ["turned_t"], "t", perm=[1, 0]),
    h.make_node("MatMul", ["6", "turned_t"], ["7"], "n7"), h.make_node("Gemm", ["7", "gemm_t"], ["8"], "g", transB=1),
    h.make_node("Gemm", ["8", "minus"], ["9"], "g2", transA=1), h.make_node("MatMul", ["a", "zeros"], ["10"], "n10"),
    h.make_node("Transpose", ["good"], ["plain"], "t2"), h.make_node("MatMul", ["plain", "good"], ["11"], "n11"),
    h.make_node("MatMul", ["b", "odd"], ["12"], "n12"), h.make_node("MatMul", ["d", "double"], ["13"], "n13"),
    h.make_node("DequantizeLinear", ["ints", "scale", "zp"], ["deq"], "dq"), h.make_node("MatMul", ["a", "deq"], ["14"], "n14"),
    h.make_node("Conv", ["img", "kernel"], ["15"], "conv"), h.make_node("Add", ["15", "scale"], ["16"], "add"),
    h.make_node("MatMul", ["16", "16"], ["17"], "n17"),
]
f = lambda name, t, *d: h.make_tensor_value_info(name, t, d)
graph = h.make_graph(nodes, "g", [f("a", T.FLOAT, 4, 8), f("b", T.FLOAT, 4, 6), f("d", T.DOUBLE, 4, 8), f("img", T.FLOAT, 1, 8, 5, 5)],
                     [f("9", T.FLOAT, None, None)], [n.from_array(np.asarray(v), k) for k, v in weights.items()])
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)]), "m.onnx")
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)]), "external", save_as_external_data=True, location="w.bin",
          size_threshold=0)
"""


class Sparsity(SideBySide):
    # Lines of the peer's loader, and lines that state the same shape in other brackets.
    peer_only = (r"Loaded Module", r"since the length of axis", r"^\[I\] Loading model", r"^\[V\] Loading model")
    ours_only = (r"since the length of axis", r"^\[I\] Loading model")

    def prepare(self, folder):
        code, _, err = execute([PEER, "-c", MAKE], folder)
        self.assertEqual(code, 0, err)

    def test_models(self):
        self.check_lines(["inspect sparsity m.onnx", "inspect sparsity m.onnx -v", "inspect sparsity external",
                          "inspect sparsity m.onnx -qqq", "inspect sparsity"])


if __name__ == "__main__":
    unittest.main()
