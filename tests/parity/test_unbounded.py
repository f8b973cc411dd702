"""`inspect model --list-unbounded-dds` against the peer: the same line for each model."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

PEER = os.environ.get("PG_PEER_PYTHON")
PROGRAM = os.environ.get("POLYGRAPHY_BIN", "build/polygraphy")

MAKE_MODELS = """
import sys
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

def value(name, shape, elem=T.FLOAT):
    return h.make_tensor_value_info(name, elem, shape)

def ints(name, *values):
    return nh.from_array(np.array(values, np.int64), name)

def save(name, nodes, inputs, outputs, weights=(), infos=()):
    graph = h.make_graph(nodes, "g", inputs, outputs, list(weights), value_info=list(infos))
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), f"{sys.argv[1]}/{name}.onnx")

n = h.make_node
x, i = value("x", ["N", 3]), value("i", [2], T.INT64)
size = n("Add", ["i", "i"], ["s"], "size")
save("expand_unknown", [size, n("Expand", ["x", "s"], ["y"], "e")], [x, i], [value("y", None)])
save("expand_named", [size, n("Expand", ["x", "s"], ["y"], "e")], [x, i], [value("y", ["M", 3])], infos=[value("s", [2], T.INT64)])
save("expand_known_name", [size, n("Expand", ["x", "s"], ["y"], "e")], [x, i], [value("y", ["N", 3])])
save("expand_by_min", [n("Min", ["i", "i"], ["s"], "size"), n("Expand", ["x", "s"], ["y"], "e")], [x, i], [value("y", None)])
save("expand_by_input", [n("Expand", ["x", "i"], ["y"], "e")], [x, i], [value("y", None)])
save("expand_by_weight", [n("Expand", ["x", "w"], ["y"], "e")], [x], [value("y", None)], [ints("w", 2, 3)])
save("twice", [size, n("Expand", ["x", "s"], ["y"], "e"), n("Tile", ["x", "s"], ["z"], "t")], [x, i], [value("y", None), value("z", None)],
     infos=[value("s", ["K", None, 2], T.INT64)])
save("range", [n("ReduceSum", ["i"], ["l"], "r", keepdims=0), n("Range", ["a", "l", "a"], ["y"], "g")], [i], [value("y", ["R"], T.INT64)],
     [nh.from_array(np.array(1, np.int64), "a")])
save("pad", [n("Concat", ["i", "i"], ["p"], "c", axis=0), n("Pad", ["x", "p"], ["y"], "pad")], [x, i], [value("y", None)])
save("resize", [size, n("Resize", ["x", "", "", "s"], ["y"], "r")], [x, i], [value("y", ["A", "B"])])
save("no_size", [n("Resize", ["x", "", "f"], ["y"], "r")], [x, value("f", [2])], [value("y", None)])
save("nothing", [n("Relu", ["x"], ["y"], "r")], [x], [value("y", ["Q", 3])])
"""

ASK = """
import contextlib, io, json, os, sys
from polygraphy import tools
from polygraphy.logger import G_LOGGER
lines = {}
for name in sorted(os.listdir(sys.argv[1])):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        tools.main(["inspect", "model", f"{sys.argv[1]}/{name}", "--list-unbounded-dds"])
    lines[name] = [line for line in out.getvalue().splitlines() if "DDS" in line]
print(json.dumps(lines))
"""


@unittest.skipUnless(PEER, "needs the peer")
class Unbounded(unittest.TestCase):
    def test_every_model(self):
        if subprocess.run([PEER, "-c", "import onnx_graphsurgeon"], capture_output=True, check=False).returncode:
            self.skipTest("the peer's Python has no onnx_graphsurgeon, which this option needs")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([PEER, "-c", MAKE_MODELS, folder], check=True)
            expected = json.loads(subprocess.run([PEER, "-c", ASK, folder], capture_output=True, text=True, check=True).stdout)
            self.assertGreater(len(expected), 10)
            for name, lines in expected.items():
                with self.subTest(name):
                    done = subprocess.run([PROGRAM, "inspect", "model", str(Path(folder, name)), "--list-unbounded-dds"],
                                          capture_output=True, text=True, check=True)
                    self.assertEqual([line for line in done.stdout.splitlines() if "DDS" in line], lines)


if __name__ == "__main__":
    unittest.main()
