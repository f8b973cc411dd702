"""Models that are wrong in one place: `run --native` ends with status 1 and an error that names the operator, the node and the attribute,
input or index at fault. Never a crash, never a result.

Each row of the tables is one node; X(...) is a graph input of random float32, arrays are initializers. The node is called "culprit"."""

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise unittest.SkipTest(f"needs the packages of the peer's environment ({error})") from error

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("POLYGRAPHY_BIN", str(ROOT / "build" / "polygraphy"))
NAME = "culprit"


class X:
    """A graph input of float32 with these dims."""

    def __init__(self, *dims):
        self.dims = dims


def i64(*values):
    return np.array(values, np.int64)


def i32(*values):
    return np.array(values, np.int32)


def f32(*values):
    return np.array(values, np.float32)


def one(value, dtype=np.int64):
    return np.array(value, dtype)


IMAGE = X(1, 2, 6, 6)
WEIGHTS = np.zeros((4, 2, 3, 3), np.float32)
HUGE = 2**40

# What is said, operator, inputs, attributes ("outputs" is how many the node has).
ATTRIBUTES = [
    ("axis", "Concat", [X(2, 3), X(2, 3)], {}),
    ("axis", "Concat", [X(2, 3), X(2, 3)], {"axis": 5}),
    ("axis", "Concat", [X(2, 3), X(2, 3)], {"axis": "one"}),
    ("axis", "Softmax", [X(2, 3)], {"axis": -3}),
    ("axis", "Softmax", [X(2, 3)], {"axis": 1.5}),
    ("axis", "Gather", [X(2, 3), i64(0)], {"axis": 2}),
    ("axis", "Flatten", [X(2, 3)], {"axis": 4}),
    ("axis", "ArgMax", [X(2, 3)], {"axis": 2}),
    ("axis", "LayerNormalization", [X(2, 3), f32(1, 1, 1)], {"axis": 3}),
    ("axis", "Split", [X(4, 3)], {"axis": -3, "num_outputs": 2, "outputs": 2}),
    ("axis", "OneHot", [i64(0, 1), one(3), f32(0, 1)], {"axis": 4}),
    ("axis", "TopK", [X(2, 3), i64(1)], {"axis": 2, "outputs": 2}),
    ("axis", "CumSum", [X(2, 3), one(2)], {}),
    ("axis", "Compress", [X(2, 3), np.array([True])], {"axis": 7}),
    ("axis", "GatherElements", [X(2, 3), np.zeros((2, 3), np.int64)], {"axis": -3}),
    ("axis", "ScatterElements", [X(2, 3), np.zeros((2, 3), np.int64), X(2, 3)], {"axis": 2}),
    ("axis", "Unique", [X(2, 3)], {"axis": 2}),
    ("perm", "Transpose", [X(2, 3)], {"perm": [0, 0]}),
    ("axis 2", "Transpose", [X(2, 3)], {"perm": [0, 2]}),
    ("perm", "Transpose", [X(2, 3)], {"perm": [0]}),
    ("perm", "Transpose", [X(2, 3)], {"perm": 1}),
    ("to", "Cast", [X(2, 3)], {}),
    ("to", "Cast", [X(2, 3)], {"to": 99}),
    ("reduction", "ScatterElements", [X(2, 3), np.zeros((2, 3), np.int64), X(2, 3)], {"reduction": "average"}),
    ("mode", "Resize", [IMAGE, None, f32(1, 1, 2, 2)], {"mode": "magic"}),
    ("mode", "Pad", [X(2, 3), i64(0, 0, 1, 1)], {"mode": "bounce"}),
    ("direction", "LSTM", [X(2, 1, 3), np.zeros((1, 8, 3), np.float32), np.zeros((1, 8, 2), np.float32)],
     {"direction": "sideways", "hidden_size": 2}),
    ("activation", "LSTM", [X(2, 1, 3), np.zeros((1, 8, 3), np.float32), np.zeros((1, 8, 2), np.float32)],
     {"activations": ["Sigmoid", "Tanh", "Nope"], "hidden_size": 2}),
    ("direction", "BitShift", [np.array([1, 2], np.uint32), np.array([1, 2], np.uint32)], {"direction": "UP"}),
    ("group", "Conv", [IMAGE, WEIGHTS], {"group": 3}),
    ("group", "Conv", [IMAGE, WEIGHTS], {"group": 0}),
    ("strides", "Conv", [IMAGE, WEIGHTS], {"strides": [0, 1]}),
    ("strides", "Conv", [IMAGE, WEIGHTS], {"strides": [-1, 1]}),
    ("strides", "Conv", [IMAGE, WEIGHTS], {"strides": [1, 1, 1]}),
    ("dilations", "Conv", [IMAGE, WEIGHTS], {"dilations": [0, 1]}),
    ("pads", "Conv", [IMAGE, WEIGHTS], {"pads": [1, 1]}),
    ("pads", "Conv", [IMAGE, WEIGHTS], {"pads": [HUGE, 0, HUGE, 0]}),
    ("auto_pad", "Conv", [IMAGE, WEIGHTS], {"auto_pad": "SOMEHOW"}),
    ("kernel_shape", "Conv", [IMAGE, WEIGHTS], {"kernel_shape": [5, 5]}),
    ("kernel_shape", "MaxPool", [IMAGE], {}),
    ("kernel_shape", "MaxPool", [IMAGE], {"kernel_shape": [0, 2]}),
    ("strides", "MaxPool", [IMAGE], {"kernel_shape": [2, 2], "strides": [0, 1]}),
    ("kernel_shape", "AveragePool", [IMAGE], {"kernel_shape": [2]}),
    ("padding -9", "AveragePool", [IMAGE], {"kernel_shape": [2, 2], "pads": [-9, 0, 0, 0]}),
    ("'p'", "LpPool", [IMAGE], {"kernel_shape": [2, 2], "p": 0}),
    ("blocks of", "DepthToSpace", [X(1, 8, 2, 2)], {"blocksize": 0}),
    ("blocks of", "DepthToSpace", [X(1, 8, 2, 2)], {"blocksize": 3}),
    ("blocks of", "SpaceToDepth", [X(1, 8, 3, 3)], {"blocksize": 2}),
    ("3 groups", "GroupNormalization", [IMAGE, f32(1, 1), f32(0, 0)], {"num_groups": 3}),
    ("size", "LRN", [IMAGE], {"size": 0}),
    ("equation", "Einsum", [X(2, 3), X(3, 4)], {"equation": "ij,jk,kl->il"}),
    ("equation", "Einsum", [X(2, 3), X(3, 4)], {"equation": "ij,j1->i"}),
    ("equation", "Einsum", [X(2, 3)], {"equation": "...i...->i"}),
    ("output_height", "RoiAlign", [IMAGE, f32(0, 0, 1, 1).reshape(1, 4), i64(0)], {"output_height": 0}),
    ("sampling_ratio", "RoiAlign", [IMAGE, f32(0, 0, 1, 1).reshape(1, 4), i64(0)], {"sampling_ratio": -2}),
    ("dtype", "RandomNormal", [], {"shape": [2], "dtype": 7}),
    ("dimension 0", "RandomNormal", [], {"shape": [-2]}),
    ("dtype", "EyeLike", [X(2, 3)], {"dtype": 200}),
    ("axis 9", "Hardmax", [X(2, 3)], {"axis": 9}),
]

INPUTS = [
    ("input 1", "Add", [X(2, 3)], {}),
    ("input 0", "Relu", [None], {}),
    ("input 1", "MatMul", [X(2, 3), None], {}),
    ("input 1", "Conv", [IMAGE], {}),
    ("broadcast", "Add", [X(2, 3), X(2, 4)], {}),
    ("broadcast", "Mul", [X(5), X(4)], {}),
    ("broadcast", "Where", [np.array([True, False]), X(3), X(3)], {}),
    ("broadcast", "Pow", [X(2, 3), X(3, 2)], {}),
    ("broadcast", "Max", [X(2, 3), X(4)], {}),
    ("broadcast", "PRelu", [X(2, 3), X(4)], {}),
    ("broadcast", "Equal", [X(2, 3), X(4)], {}),
    ("type", "And", [X(2), X(2)], {}),
    ("type", "Add", [X(2), i64(1, 2)], {}),
    ("type", "Not", [X(2)], {}),
    ("3 columns and 4 rows", "MatMul", [X(2, 3), X(4, 5)], {}),
    ("broadcast", "MatMul", [X(2, 2, 3), X(3, 3, 5)], {}),
    ("inner dim", "Gemm", [X(2, 3), X(4, 5)], {}),
    ("broadcast", "Gemm", [X(2, 3), X(3, 5), X(7)], {}),
    ("channels", "Conv", [X(1, 3, 6, 6), WEIGHTS], {}),
    ("rank", "Conv", [X(1, 2, 6), WEIGHTS], {}),
    ("bias", "Conv", [IMAGE, WEIGHTS, f32(1, 2)], {}),
    ("input", "BatchNormalization", [IMAGE, f32(1), f32(1), f32(1), f32(1)], {}),
    ("input", "InstanceNormalization", [IMAGE, f32(1, 2, 3), f32(1, 2, 3)], {}),
    ("dim", "Concat", [X(2, 3), X(3, 3)], {"axis": 1}),
    ("type", "Concat", [X(2, 3), np.zeros((2, 3), np.int64)], {"axis": 0}),
    ("weights", "LSTM", [X(2, 1, 3), np.zeros((1, 7, 3), np.float32), np.zeros((1, 8, 2), np.float32)], {"hidden_size": 2}),
    ("sequence", "GRU", [X(2, 1, 3), np.zeros((1, 6, 3), np.float32), np.zeros((1, 6, 2), np.float32), None, i32(9)],
     {"hidden_size": 2}),
    ("four-dim", "DepthToSpace", [X(2, 8)], {"blocksize": 2}),
    ("square", "Det", [X(2, 3)], {}),
    ("rank", "Trilu", [X(3)], {}),
]

INDICES = [
    ("index 5", "Gather", [X(2, 3), i64(0, 5)], {}),
    ("index -3", "Gather", [X(2, 3), i64(-3)], {}),
    ("index 9", "GatherElements", [X(2, 3), np.full((2, 3), 9)], {}),
    ("index 4", "GatherND", [X(2, 3), i64(4, 0).reshape(1, 2)], {}),
    ("index tuples", "GatherND", [X(2, 3), i64(0, 0, 0).reshape(1, 3)], {}),
    ("rank 2", "GatherND", [X(2, 3), i64(0, 0).reshape(2, 1)], {"batch_dims": 3}),
    ("index 7", "ScatterElements", [X(2, 3), np.full((1, 1), 7), X(1, 1)], {}),
    ("index 8", "ScatterND", [X(2, 3), i64(8).reshape(1, 1), X(1, 3)], {}),
    ("updates", "ScatterND", [X(2, 3), i64(0).reshape(1, 1), X(1, 4)], {}),
    ("depth", "OneHot", [i64(0, 1), one(-3), f32(0, 1)], {}),
    ("depth", "OneHot", [i64(0, 1), one(HUGE * HUGE // 2**20), f32(0, 1)], {}),
    ("step", "Slice", [X(2, 3), i64(0), i64(1), i64(0), i64(0)], {}),
    ("axis", "Slice", [X(2, 3), i64(0), i64(1), i64(4)], {}),
    ("axis", "Slice", [X(2, 3), i64(0, 0), i64(1, 1), i64(1, 1)], {}),
    ("ends", "Slice", [X(2, 3), i64(0, 0), i64(1)], {}),
    ("split", "Split", [X(4, 3), i64(1, 1)], {"outputs": 2}),
    ("split", "Split", [X(4, 3), i64(-1, 5)], {"outputs": 2}),
    ("num_outputs", "Split", [X(4, 3)], {"num_outputs": 0, "outputs": 2}),
    ("shape", "Reshape", [X(2, 3), i64(4, 2)], {}),
    ("shape", "Reshape", [X(2, 3), i64(-1, -1)], {}),
    ("shape", "Reshape", [X(2, 3), i64(-2, 3)], {}),
    ("shape", "Reshape", [X(2, 3), i64(0, 0, 0)], {}),
    ("shape", "Reshape", [X(2, 3), i64(HUGE, HUGE)], {}),
    ("broadcast", "Expand", [X(2, 3), i64(2, 4)], {}),
    ("size -2 at 0", "Expand", [X(2, 3), i64(-2, 2, 3)], {}),
    ("overflows", "Expand", [X(1), i64(HUGE, HUGE)], {}),
    ("repeats", "Tile", [X(2, 3), i64(1)], {}),
    ("axis 0", "Tile", [X(2, 3), i64(-1, 1)], {}),
    ("overflows", "Tile", [X(2, 3), i64(HUGE, HUGE)], {}),
    ("pads", "Pad", [X(2, 3), i64(0, 0, 1)], {}),
    ("axis 0", "Pad", [X(2, 3), i64(-5, 0, 0, 0)], {}),
    ("overflows", "Pad", [X(2, 3), i64(HUGE, 0, 0, HUGE)], {}),
    ("axis", "Unsqueeze", [X(2, 3), i64(7)], {}),
    ("axis", "Unsqueeze", [X(2, 3), i64(0, 0)], {}),
    ("axis", "Squeeze", [X(2, 3), i64(0)], {}),
    ("axis", "ReduceSum", [X(2, 3), i64(2)], {}),
    ("scale 0 of axis 2", "Resize", [IMAGE, None, f32(1, 1, 0, 2)], {}),
    ("scale -2 of axis 2", "Resize", [IMAGE, None, f32(1, 1, -2, 2)], {}),
    ("scales", "Resize", [IMAGE, None, f32(2, 2)], {}),
    ("size -6 of axis 2", "Resize", [IMAGE, None, None, i64(1, 2, -6, 6)], {}),
    ("of axis 2", "Resize", [IMAGE, None, None, i64(1, 2, HUGE, HUGE)], {}),
    ("k", "TopK", [X(2, 3), i64(4)], {"outputs": 2}),
    ("k", "TopK", [X(2, 3), i64(-1)], {"outputs": 2}),
    ("by 0", "Range", [one(0), one(5), one(0)], {}),
    ("no end", "Range", [one(0), one(2**62), one(1)], {}),
    ("shape", "ConstantOfShape", [i64(-1)], {}),
    ("shape", "ConstantOfShape", [i64(HUGE, HUGE)], {}),
    ("window of 5", "MaxPool", [X(1, 1, 2, 2)], {"kernel_shape": [5, 5]}),
    ("zero", "Div", [i32(4, 2), i32(1, 0)], {}),
    ("zero", "Mod", [i64(4, 2), i64(1, 0)], {}),
    ("image 3", "RoiAlign", [IMAGE, f32(0, 0, 1, 1).reshape(1, 4), i64(3)], {}),
    ("position 2", "SequenceAt", None, {}),
    ("length 9 of batch 1", "ReverseSequence", [X(3, 2), i64(1, 9)], {}),
    ("label 1 is 7", "SoftmaxCrossEntropyLoss", [X(2, 3), i64(0, 7)], {}),
    ("label 1 is 7", "NegativeLogLikelihoodLoss", [X(2, 3), i64(0, 7)], {}),
]

RNN_X, RNN_W, RNN_R = X(2, 1, 3), np.zeros((1, 8, 3), np.float32), np.zeros((1, 8, 2), np.float32)
TEXT = np.array([b"a", b"b"], object)
LEAST = -2**63

MORE = [
    # Attributes of the wrong type, or out of range.
    ("alpha", "LeakyRelu", [X(2)], {"alpha": 1}),
    ("alpha", "Elu", [X(2)], {"alpha": "one"}),
    ("keepdims", "ReduceMean", [X(2, 3)], {"keepdims": 1.0}),
    ("epsilon", "LayerNormalization", [X(2, 3), f32(1, 1, 1)], {"epsilon": 1}),
    ("transA", "Gemm", [X(2, 3), X(3, 4)], {"transA": "yes"}),
    ("group", "ConvTranspose", [IMAGE, np.zeros((2, 4, 3, 3), np.float32)], {"group": 3}),
    ("output_padding", "ConvTranspose", [IMAGE, np.zeros((2, 4, 3, 3), np.float32)], {"output_padding": [-9, 0]}),
    ("output_shape", "ConvTranspose", [IMAGE, np.zeros((2, 4, 3, 3), np.float32)], {"output_shape": [HUGE, 1]}),
    ("kernel_shape", "MaxPool", [IMAGE], {"kernel_shape": [HUGE, HUGE]}),
    ("hidden_size", "LSTM", [RNN_X, RNN_W, RNN_R], {"hidden_size": -2}),
    ("lone dot", "Einsum", [X(2, 3)], {"equation": "i.j->i"}),
    ("'k'", "Einsum", [X(2, 3)], {"equation": "ij->ik"}),
    ("input 0 has rank 3, the equation says 2", "Einsum", [X(2, 3, 4)], {"equation": "ij->i"}),
    ("'i' stands for both 2 and 3", "Einsum", [X(2, 3), X(3, 4)], {"equation": "ij,ik->jk"}),
    ("num_outputs", "Split", [X(4, 3)], {"num_outputs": 3, "outputs": 2}),
    ("value", "ConstantOfShape", [i64(2)], {"value": numpy_helper.from_array(np.zeros(3, np.float32))}),
    ("batch_axis", "ReverseSequence", [X(3, 2), i64(1, 1)], {"batch_axis": 2}),
    ("num_groups", "GroupNormalization", [IMAGE, f32(1, 1), f32(0, 0)], {"num_groups": 0}),
    # Weights and inputs that do not fit.
    ("3 lengths for 2 outputs", "Split", [X(6, 3), i64(2, 2, 2)], {"outputs": 2}),
    ("1 lengths for 2 outputs", "Split", [X(6, 3), i64(6)], {"outputs": 2}),
    ("input 3", "LSTM", [RNN_X, RNN_W, RNN_R, f32(1, 2, 3)], {"hidden_size": 2}),
    ("weights", "LSTM", [RNN_X, RNN_W, np.zeros((1, 8, 3), np.float32)], {"hidden_size": 2}),
    ("3 values", "RNN", [X(2, 1, 4), np.zeros((1, 2, 3), np.float32), np.zeros((1, 2, 2), np.float32)], {"hidden_size": 2}),
    ("input 2", "LSTM", [RNN_X, RNN_W], {"hidden_size": 2}),
    ("type", "Conv", [IMAGE, WEIGHTS.astype(np.float64)], {}),
    ("type", "MatMul", [X(2, 3), np.zeros((3, 2), np.int32)], {}),
    ("type", "Relu", [TEXT], {}),
    ("type", "Add", [TEXT, TEXT], {}),
    ("type", "ReduceSum", [TEXT], {}),
    ("type", "MatMul", [TEXT, TEXT], {}),
    ("type", "Softmax", [TEXT], {}),
    ("type", "Gather", [X(2, 3), TEXT], {}),
    ("type", "Reshape", [X(2, 3), TEXT], {}),
    ("type", "Tile", [X(2, 3), f32(1, 1)], {}),
    ("type", "NonMaxSuppression", [X(1, 2, 4), X(1, 1, 2), f32(1)], {}),
    ("type", "NonMaxSuppression", [X(1, 2, 4), X(1, 1, 2), i64(1), TEXT[:1]], {}),
    ("type", "OneHot", [TEXT, one(2), f32(0, 1)], {}),
    ("part 0", "SplitToSequence", [X(4, 3), i64(2**63 - 1, 2**63 - 1, 6)], {}),
    ("type", "SplitToSequence", [X(4, 3), f32(1)], {}),
    ("not a number", "Cast", [TEXT], {"to": TensorProto.FLOAT}),
    ("scale", "QuantizeLinear", [X(2, 3), f32(1, 1)], {}),
    ("zero", "QuantizeLinear", [X(2, 3), one(.1, np.float32), np.zeros(4, np.uint8)], {}),
    ("axis", "DequantizeLinear", [np.zeros((2, 3), np.uint8), f32(1, 1, 1)], {"axis": 4}),
    ("zero points", "MatMulInteger", [np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), np.zeros(5, np.uint8)], {}),
    # Whole numbers that cannot be divided.
    ("zero", "Div", [i64(1, 2), i64(1, 0)], {}),
    ("zero", "Div", [i32(1, 2), i32(1, 0)], {}),
    ("zero", "Div", [np.array([1, 2], np.uint8), np.array([0, 1], np.uint8)], {}),
    ("zero", "Mod", [i64(1, 2), i64(1, 0)], {}),
    ("zero", "Mod", [i32(5), i32(0)], {"fmod": 1}),
    # Sizes that no machine has.
    ("memory", "Expand", [X(1), i64(HUGE)], {}),
    ("memory", "Tile", [X(1), i64(HUGE)], {}),
    ("memory", "ConstantOfShape", [i64(HUGE)], {}),
    ("memory", "Range", [one(0), one(HUGE), one(1)], {}),
    ("memory", "Pad", [X(1), i64(0, HUGE)], {}),
    ("memory", "OneHot", [i64(0, 1), one(HUGE), f32(0, 1)], {}),
    ("memory", "RandomNormal", [], {"shape": [HUGE]}),
    ("axis 0", "Pad", [X(2), i64(2**63 - 1, 2**63 - 1)], {}),
    ("axis", "Resize", [X(1, 1, 2, 2), None, f32(1, 1, 1e30, 1)], {}),
    ("scale nan of axis 2", "Resize", [X(1, 1, 2, 2), None, f32(1, 1, np.nan, 1)], {}),
    ("by nan", "Range", [one(0, np.float32), one(5, np.float32), one(np.nan, np.float32)], {}),
    ("no end", "Range", [one(0, np.float32), one(np.inf, np.float32), one(1, np.float32)], {}),
    # Indices.
    ("index -4", "GatherND", [X(2, 3), i64(-4, 0).reshape(1, 2)], {}),
    ("index -3", "ScatterElements", [X(2, 3), np.full((1, 1), -3), X(1, 1)], {}),
    ("index -5", "ScatterND", [X(2, 3), i64(-5).reshape(1, 1), X(1, 3)], {}),
    (f"index {LEAST}", "Gather", [X(2, 3), i64(LEAST)], {}),
    (f"index {LEAST}", "GatherElements", [X(2, 3), i64(LEAST).reshape(1, 1)], {}),
    ("updates", "ScatterElements", [X(2, 3), np.zeros((1, 2), np.int64), X(1, 1)], {}),
    ("rank", "GatherElements", [X(2, 3), np.zeros(3, np.int64)], {}),
    ("indices", "ScatterElements", [X(2, 3), np.zeros((3, 1), np.int64), X(3, 1)], {"axis": 1}),
    ("condition 2", "Compress", [X(2, 3), np.array([False, False, True])], {"axis": 0}),
    ("k", "TopK", [X(2, 3), i64(1, 1)], {"outputs": 2}),
    (f"axis {LEAST}", "Unsqueeze", [X(2, 3), i64(LEAST)], {}),
    ("axis", "CumSum", [X(2, 3), one(-3)], {}),
]


def graph_of(op, arrays, attrs):
    attrs = dict(attrs)
    outputs = attrs.pop("outputs", 1)
    nodes, names, inputs, weights = [], [], [], []
    if arrays is None:  # SequenceAt of a sequence of one
        nodes.append(helper.make_node("SequenceConstruct", ["x"], ["s"], name="make"))
        inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]))
        weights.append(numpy_helper.from_array(one(2), "i"))
        names, arrays = ["s", "i"], []
    for k, value in enumerate(arrays):
        names.append("" if value is None else f"in{k}")
        if isinstance(value, X):
            inputs.append(helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, list(value.dims)))
        elif value is not None:
            weights.append(numpy_helper.from_array(np.asarray(value), names[-1]))
    out = [f"out{k}" for k in range(outputs)]
    nodes.append(helper.make_node(op, names, out, name=NAME, **attrs))
    values = [onnx.ValueInfoProto(name=name) for name in out]
    return helper.make_graph(nodes, "g", inputs, values, weights)


def run(model, folder, *options):
    path = Path(folder) / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return subprocess.run([PROGRAM, "run", str(path), "--native", *options], capture_output=True, text=True, errors="replace",
                          check=False, stdin=subprocess.DEVNULL, timeout=60)


class BadModels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pg-bad-models-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def refused(self, model, says, *options):
        done = run(model, self.folder, *options)
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, text)
        error = text[text.find("[!]"):]
        for word in says:
            self.assertIn(word.lower(), error.lower())
        self.assertNotIn("internal error", text)

    def rows(self, table):
        for number, (says, op, arrays, attrs) in enumerate(table):
            with self.subTest(row=f"{number} {op} {attrs} {says}"):
                graph = graph_of(op, arrays, attrs)
                model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
                self.refused(model, [op, NAME, says])

    @classmethod
    def tearDownClass(cls):
        print(f"= models with one wrong node: {len(ATTRIBUTES) + len(INPUTS) + len(INDICES) + len(MORE)} rows")

    def test_attributes(self):
        self.rows(ATTRIBUTES)

    def test_inputs(self):
        self.rows(INPUTS)

    def test_indices_and_sizes(self):
        self.rows(INDICES)

    def test_more(self):
        self.rows(MORE)

    # ---- Loops ----

    @staticmethod
    def endless():
        """A loop that never ends by itself."""
        keep = helper.make_node("Identity", ["c"], ["c_out"])
        body = helper.make_graph([keep], "body",
                                 [helper.make_tensor_value_info("i", TensorProto.INT64, []),
                                  helper.make_tensor_value_info("c", TensorProto.BOOL, []),
                                  helper.make_tensor_value_info("v", TensorProto.FLOAT, [1])],
                                 [helper.make_tensor_value_info("c_out", TensorProto.BOOL, []),
                                  helper.make_tensor_value_info("v", TensorProto.FLOAT, [1])])
        node = helper.make_node("Loop", ["", "go", "x"], ["y"], name=NAME, body=body)
        graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
                                  [numpy_helper.from_array(np.array(True), "go")])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)

    def test_endless_loop_ends_at_ctrl_c(self):
        path = Path(self.folder) / "model.onnx"
        path.write_bytes(self.endless().SerializeToString())
        with subprocess.Popen([PROGRAM, "run", str(path), "--native"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            text = ""
            for line in process.stdout:  # until it runs
                text += line.decode()
                if "Inference Input" in text:
                    break
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            text += process.communicate(timeout=60)[0].decode()
        self.assertEqual(process.returncode, 130, text)

    def test_endless_loop_ends_at_its_limit_of_iterations(self):
        self.refused(self.endless(), ["Loop", NAME, "1000 iterations", "--native-loop-limit"], "--native-loop-limit", "1000")

    def test_endless_loop_ends_at_the_limit_of_time(self):
        begin = time.monotonic()
        self.refused(self.endless(), ["Loop", NAME, "iteration", "0.25 seconds", "--native-time-limit"], "--native-time-limit", "0.25")
        self.assertGreaterEqual(time.monotonic() - begin, 0.25)

    def test_limits_that_are_none(self):
        for option, word in [("--native-loop-limit", "0"), ("--native-time-limit", "0"), ("--native-time-limit", "-1"), ("--native-time-limit", "nan")]:
            done = run(self.endless(), self.folder, option, word)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"option '{option}'", done.stderr + done.stdout)

    def test_error_in_a_body_names_the_iteration(self):
        """The Gather of iteration 2 is out of range."""
        body = helper.make_graph([helper.make_node("Gather", ["table", "i"], ["g"], name="inner"),
                                  helper.make_node("Identity", ["c"], ["c_out"])], "body",
                                 [helper.make_tensor_value_info("i", TensorProto.INT64, []),
                                  helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
                                 [helper.make_tensor_value_info("c_out", TensorProto.BOOL, []),
                                  helper.make_tensor_value_info("g", TensorProto.FLOAT, [])])
        node = helper.make_node("Loop", ["trips", "go"], ["y"], name=NAME, body=body)
        graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                                  [numpy_helper.from_array(np.array(True), "go"), numpy_helper.from_array(np.array(5), "trips"),
                                   numpy_helper.from_array(f32(1, 2), "table")])
        self.refused(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10),
                     ["Loop", NAME, "iteration 2", "Gather", "inner"])

    def test_a_long_scan_ends_at_its_time(self):
        first, v, x, w = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("first", "v", "x", "w"))
        body = helper.make_graph([helper.make_node("Tanh", ["v"], ["w"])], "body", [v, x], [w])
        nodes = [helper.make_node("Expand", ["first", "many"], ["xs"]),
                 helper.make_node("Scan", ["first", "xs"], ["last"], name=NAME, body=body, num_scan_inputs=1)]
        graph = helper.make_graph(nodes, "g", [first], [onnx.ValueInfoProto(name="last")], [numpy_helper.from_array(i64(20000000, 1), "many")])
        self.refused(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10),
                     [f"Scan '{NAME}', iteration ", "2 seconds"], "--native-time-limit", "2")

    # ---- Graphs within nodes ----

    def held(self, op, inputs, says, *, outputs=("y",), weights=(), **bodies):
        """A node of bodies; `inputs` are names, of weights or of the graph's inputs of one float."""
        attributes = {key: value for key, value in bodies.items() if value is not None}
        node = helper.make_node(op, list(inputs), list(outputs), name=NAME, **attributes)
        known = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights]
        fed = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
        graph = helper.make_graph([node], "g", fed, [onnx.ValueInfoProto(name=name) for name in outputs if name], known)
        self.refused(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), [op, NAME, says])

    @staticmethod
    def body(inputs, outputs, *nodes):
        """`inputs` and `outputs` are (name, type, dims)."""
        return helper.make_graph(list(nodes), "inside", [helper.make_tensor_value_info(*one_) for one_ in inputs],
                                 [helper.make_tensor_value_info(*one_) for one_ in outputs])

    def test_if(self):
        floats, flags = ("b", TensorProto.FLOAT, [1]), [("go", np.array(True))]
        good = self.body([], [floats], helper.make_node("Relu", ["x"], ["b"]))
        none = self.body([], [])
        asks = self.body([("a", TensorProto.FLOAT, [1])], [floats], helper.make_node("Relu", ["a"], ["b"]))
        wrong = self.body([], [floats], helper.make_node("Gather", ["x", "far"], ["b"], name="inner"))
        self.held("If", ["go"], "else_branch", weights=[("go", np.array(False))], then_branch=good)
        self.held("If", ["go"], "then_branch", weights=flags, else_branch=good)
        self.held("If", ["x"], "condition", then_branch=good, else_branch=good)
        self.held("If", ["go"], "condition", weights=[("go", np.array([True, False]))], then_branch=good, else_branch=good)
        self.held("If", ["go"], "outputs", weights=flags, then_branch=none, else_branch=good)
        self.held("If", ["go"], "inputs", weights=flags, then_branch=asks, else_branch=good)
        self.held("If", ["go"], "'inner'", weights=[*flags, ("far", i64(9))], then_branch=wrong, else_branch=good)

    def test_loop(self):
        count, go, v = ("i", TensorProto.INT64, []), ("c", TensorProto.BOOL, []), ("v", TensorProto.FLOAT, [1])
        w = ("w", TensorProto.FLOAT, [1])
        step = helper.make_node("Relu", ["v"], ["w"], name="inner")
        good, times = self.body([count, go, v], [go, w], step), [("n", one(2))]
        self.held("Loop", ["n", "", "x"], "body", weights=times)
        self.held("Loop", ["x", "", "x"], "trip count", body=good)
        self.held("Loop", ["n", "n", "x"], "condition", weights=times, body=good)
        self.held("Loop", ["n", "", "x", "x"], "body", weights=times, body=good)
        self.held("Loop", ["n", "", "x"], "body", weights=times, body=self.body([count, go, v], [go], step))
        self.held("Loop", ["n", "", "x"], "condition", weights=times, body=self.body([count, go, v], [w, w], step))
        self.held("Loop", ["n", "", "x"], "body", outputs=("y", "z"), weights=times, body=good)
        far = self.body([count, go, v], [go, w], helper.make_node("Gather", ["v", "i"], ["w"], name="inner"))
        self.held("Loop", ["n", "", "x"], "iteration 1", weights=times, body=far)
        grows = self.body([count, go, v], [go, w, w], helper.make_node("Concat", ["v", "v"], ["w"], axis=0, name="inner"))
        self.held("Loop", ["n", "", "x"], "output 1", outputs=("y", "z"), weights=times, body=grows)

    def test_scan(self):
        v, s, w = ("v", TensorProto.FLOAT, [1]), ("s", TensorProto.FLOAT, []), ("w", TensorProto.FLOAT, [1])
        good = self.body([v, s], [w, w], helper.make_node("Add", ["v", "s"], ["w"], name="inner"))
        two = {"outputs": ("y", "z"), "body": good}
        self.held("Scan", ["x", "x"], "num_scan_inputs", **two)
        self.held("Scan", ["x", "x"], "num_scan_inputs", num_scan_inputs=5, **two)
        self.held("Scan", ["x", "x"], "scan_input_axes", num_scan_inputs=1, scan_input_axes=[0, 0], **two)
        self.held("Scan", ["x", "x"], "axis 3", num_scan_inputs=1, scan_input_axes=[3], **two)
        self.held("Scan", ["x", "x"], "axis 7", num_scan_inputs=1, scan_output_axes=[7], **two)
        self.held("Scan", ["x", "x"], "scan_input_directions", num_scan_inputs=1, scan_input_directions=[1, 1], **two)
        self.held("Scan", ["x", "x", "x"], "body", num_scan_inputs=1, **two)
        self.held("Scan", ["x", "a", "b"], "3 and 4 steps", num_scan_inputs=2, outputs=("y",), weights=[("a", f32(1, 2, 3)), ("b", f32(1, 2, 3, 4))],
                  body=self.body([v, s, ("t", TensorProto.FLOAT, [])], [w], helper.make_node("Add", ["v", "s"], ["w"])))

    # ---- Sequences ----

    def sequence(self, op, inputs, says, weights=(), attributes=None):
        nodes = [helper.make_node("SequenceConstruct", ["x", "x"], ["s"]), helper.make_node(op, inputs, ["y"], name=NAME, **(attributes or {}))]
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])], [onnx.ValueInfoProto(name="y")],
                                  [numpy_helper.from_array(np.asarray(value), name) for name, value in weights])
        self.refused(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), [op, NAME, says])

    def test_sequences(self):
        self.sequence("SequenceAt", ["s", "i"], "position -3", [("i", one(-3))])
        self.sequence("SequenceAt", ["s", "i"], "input 1", [("i", f32(0))])
        self.sequence("SequenceAt", ["x", "i"], "sequence", [("i", one(0))])
        self.sequence("SequenceErase", ["s", "i"], "position 2", [("i", one(2))])
        self.sequence("SequenceInsert", ["s", "x", "i"], "position 3", [("i", one(3))])
        self.sequence("SequenceInsert", ["s", "t", "i"], "type", [("i", one(0)), ("t", i64(1, 2))])
        self.sequence("ConcatFromSequence", ["s"], "axis", (), {"axis": 4})
        self.sequence("ConcatFromSequence", ["x"], "sequence", (), {"axis": 0})
        self.sequence("SequenceLength", ["x"], "sequence")
        self.sequence("SplitToSequence", ["x", "p"], "split", [("p", i64(1, 4))])
        self.sequence("Relu", ["s"], "sequence")

    # ---- Functions ----

    @staticmethod
    def function(name, calls):
        return helper.make_function("own", name, ["a"], ["b"], [helper.make_node(calls, ["a"], ["b"], domain="own", name="inner")],
                                    [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)])

    def call(self, *functions):
        graph = helper.make_graph([helper.make_node("F", ["x"], ["y"], domain="own", name=NAME)], "g",
                                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("own", 1)],
                                 functions=functions, ir_version=10)

    def test_function_that_calls_itself(self):
        self.refused(self.call(self.function("F", "F")), ["function", "'F'", "itself"])

    def test_functions_that_call_each_other(self):
        self.refused(self.call(self.function("F", "G"), self.function("G", "F")), ["function", "itself"])

    def test_functions_that_double(self):
        """Each calls the next twice: 2^40 nodes when they are written out."""
        def twice(k):
            nodes = [helper.make_node(f"F{k + 1}", ["a"], ["m"], domain="own"), helper.make_node(f"F{k + 1}", ["m"], ["b"], domain="own")]
            return helper.make_function("own", "F" if k == 0 else f"F{k}", ["a"], ["b"], nodes,
                                        [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)])
        last = helper.make_function("own", "F40", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 21)])
        self.refused(self.call(*[twice(k) for k in range(40)], last), ["functions", "more than", "nodes"])

    def test_function_without_a_body_for_an_operator(self):
        self.refused(self.call(self.function("F", "Missing")), ["'Missing'", "own", "inner"])


if __name__ == "__main__":
    unittest.main()
