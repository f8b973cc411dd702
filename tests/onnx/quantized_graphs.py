"""Writes graphs between QuantizeLinear and DequantizeLinear nodes as cases for tests/tools/node_cases: what ONNX Runtime
makes of them with every optimisation off.

    quantized_graphs.py FOLDER

Scales that are powers of two leave no rounding but that of the codes themselves: those cases must agree exactly, ties
included. With other scales float32 sums fall to either side of a tie, and a code may differ by one."""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

U8, S8 = np.uint8, np.int8


class Case:
    def __init__(self, seed, exact):
        self.random = np.random.default_rng(seed)
        self.exact = exact
        self.nodes, self.constants, self.inputs, self.feed, self.names = [], [], [], {}, 0

    def name(self):
        self.names += 1
        return f"t{self.names}"

    def scale(self, low=-6, high=-3):
        exponent = self.random.integers(low, high + 1)
        return np.float32(2.0 ** exponent * (1 if self.exact else self.random.uniform(0.6, 1.4)))

    def codes(self, dtype, *shape):
        info = np.iinfo(dtype)
        return self.random.integers(info.min, info.max + 1, shape).astype(dtype)

    def constant(self, array):
        name = self.name()
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, **attributes):
        name = self.name()
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def quantize(self, x, scale, zero):
        return self.node("QuantizeLinear", [x, self.constant(scale), self.constant(zero)])

    def dequantize(self, x, scale, zero):
        return self.node("DequantizeLinear", [x, self.constant(scale), self.constant(zero)])

    def ends(self, dtype=None, scale=None):
        """Scale and zero point of an activation."""
        dtype = dtype or self.random.choice([U8, S8])
        info = np.iinfo(dtype)
        middle = (int(info.max) + int(info.min) + 1) // 2
        return scale or self.scale(), np.array(middle + self.random.integers(-20, 20), dtype)

    def activation(self, *shape, ends=None):
        """A graph input of float32 through Q and DQ."""
        scale, zero = ends or self.ends()
        name = f"x{len(self.inputs)}"
        codes = self.codes(zero.dtype, *shape)
        self.feed[name] = np.asarray((codes.astype(np.float32) - np.float32(zero)) * scale, np.float32)
        self.inputs.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * len(shape)))
        return self.dequantize(self.quantize(name, scale, zero), scale, zero)

    def weights(self, shape, axis, dtype=None, per_channel=None, zeros=None):
        dtype = dtype or self.random.choice([U8, S8])
        per_channel = self.random.random() < 0.5 if per_channel is None else per_channel
        zeros = self.random.random() < 0.3 if zeros is None else zeros
        n = shape[axis]
        scale = np.array([self.scale(-7, -5) for _ in range(n)], np.float32) if per_channel else self.scale(-7, -5)
        middle = 128 if dtype is U8 or dtype == U8 else 0
        zero = middle + (self.random.integers(-9, 9, np.shape(scale)) if zeros else np.zeros(np.shape(scale), int))
        attributes = {"axis": axis} if per_channel else {}
        inputs = [self.constant(self.codes(dtype, *shape)), self.constant(scale), self.constant(zero.astype(dtype))]
        return self.node("DequantizeLinear", inputs, **attributes), scale

    def bias(self, n, x_scale, w_scale):
        kind = self.random.integers(0, 4)
        codes = self.random.integers(-3000, 3000, n).astype(np.int32)
        unit = np.broadcast_to(np.float32(x_scale * w_scale), n).astype(np.float32)
        if kind == 0:
            return None
        if kind == 1:
            return self.constant((codes * unit).astype(np.float32))
        if kind == 2:
            return self.node("DequantizeLinear", [self.constant(codes), self.constant(unit), self.constant(np.zeros(n, np.int32))], axis=0)
        return self.node("DequantizeLinear", [self.constant(codes), self.constant(np.float32(2 * unit.max()))])

    def relu(self, x):
        kind = self.random.integers(0, 4)
        if kind == 0:
            return self.node("Relu", [x])
        if kind == 1:
            return self.node("Clip", [x, self.constant(np.float32(0)), self.constant(np.float32(1.5))])
        return x

    def finish(self, x, scale=None):
        """Q and DQ of the result, or the result as it is."""
        if self.random.random() < 0.8:
            scale, zero = self.ends(scale=scale)
            return self.dequantize(self.quantize(x, scale, zero), scale, zero), scale
        return x, 0


def conv(c):
    groups = int(c.random.choice([1, 1, 1, 2, 4]))
    per_group = int(c.random.choice([1, 3, 4, 8, 17]))
    out_per_group = int(c.random.choice([1, 2, 16, 33]))
    kernel = [int(k) for k in c.random.choice([1, 2, 3], 2)]
    if c.random.random() < 0.25:
        groups, per_group, out_per_group = int(c.random.choice([3, 20, 64])), 1, 1
    ends = c.ends()
    x = c.activation(int(c.random.choice([1, 2])), groups * per_group, 9, 7, ends=ends)
    w, w_scale = c.weights((groups * out_per_group, per_group, *kernel), 0)
    bias = c.bias(groups * out_per_group, ends[0], w_scale)
    attributes = dict(group=groups, strides=[int(s) for s in c.random.choice([1, 2], 2)],
                      dilations=[int(s) for s in c.random.choice([1, 1, 2], 2)], pads=[int(p) for p in c.random.integers(0, 3, 4)])
    y = c.relu(c.node("Conv", [x, w] + ([bias] if bias else []), **attributes))
    return c.finish(y, c.scale(-3, 0))


def matmul(c):
    k, n = (int(v) for v in c.random.choice([1, 3, 16, 50, 130], 2))
    ends = c.ends()
    shape = [(5, k), (2, 3, k), (1, k)][c.random.integers(0, 3)]
    x = c.activation(*shape, ends=ends)
    if c.random.random() < 0.3:
        y = c.node("MatMul", [x, c.activation(*((2, k, n) if len(shape) == 3 else (k, n)))])
        return c.finish(c.relu(y), c.scale(-3, 0))
    w, w_scale = c.weights((k, n), 1)
    y = c.node("MatMul", [x, w])
    bias = c.bias(n, ends[0], w_scale)
    if bias:
        y = c.node("Add", [bias, y] if c.random.random() < 0.5 else [y, bias])
    return c.finish(c.relu(y), c.scale(-3, 0))


def gemm(c):
    k, n = (int(v) for v in c.random.choice([1, 3, 16, 50, 130], 2))
    trans_a, trans_b = (int(v) for v in c.random.integers(0, 2, 2))
    ends = c.ends()
    x = c.activation(*((k, 6) if trans_a else (6, k)), ends=ends)
    w, w_scale = c.weights((n, k) if trans_b else (k, n), 0 if trans_b else 1)
    bias = c.bias(n, ends[0], w_scale)
    y = c.node("Gemm", [x, w] + ([bias] if bias else []), transA=trans_a, transB=trans_b)
    return c.finish(c.relu(y), c.scale(-3, 0))


def binary(c):
    shapes = [((2, 5, 6, 7), (2, 5, 6, 7)), ((2, 5, 6, 7), (5, 1, 1)), ((3, 70), (70,)), ((3, 1), (2, 1, 300)), ((4,), ())]
    a, b = shapes[c.random.integers(0, len(shapes))]
    y = c.node(str(c.random.choice(["Add", "Mul"])), [c.activation(*a), c.activation(*b)])
    return c.finish(c.relu(y), c.scale(-5, -3))


def pooled(c):
    ends = c.ends()
    x = c.activation(2, int(c.random.choice([3, 16, 70])), 8, 9, ends=ends)
    kind = c.random.integers(0, 3)
    if kind == 0:
        y = c.node("GlobalAveragePool", [x])
    else:
        attributes = dict(kernel_shape=[3, 2], strides=[2, 1], pads=[1, 1, 1, 0])
        if kind == 1:
            y = c.node("AveragePool", [x], count_include_pad=int(c.random.integers(0, 2)), **attributes)
        else:
            y = c.node("MaxPool", [x], **attributes)
            return c.dequantize(c.quantize(y, *ends), *ends), ends[0]
    return c.finish(y)


def moved(c):
    ends = c.ends()
    x = c.activation(2, 3, 4, 5, ends=ends)
    for _ in range(2):
        kind = c.random.integers(0, 3)
        if kind == 0:
            y = c.node("Transpose", [x], perm=[0, 3, 1, 2])
        elif kind == 1:
            y = c.node("Reshape", [x, c.constant(np.array([4, 5, 3, 2]))])
        else:
            y = c.node("Flatten", [x], axis=2)
            y = c.node("Reshape", [y, c.constant(np.array([2, 4, 3, 5]))])
        x = c.dequantize(c.quantize(y, *ends), *ends)
    return x, ends[0]


def joined(c):
    parts = [c.activation(2, int(n), 4, 5) for n in c.random.integers(1, 6, 3)]
    return c.finish(c.node("Concat", parts, axis=1))


def function(c):
    op = str(c.random.choice(["Sigmoid", "LeakyRelu", "Relu", "Tanh", "HardSigmoid"]))
    return c.finish(c.node(op, [c.activation(3, 50)]), np.float32(2.0 ** -6))


def residual(c):
    """Convolution, its sum with the input, pooling: codes from end to end."""
    ends = c.ends()
    x = c.activation(1, 16, 8, 8, ends=ends)
    w, w_scale = c.weights((16, 16, 3, 3), 0)
    bias = c.bias(16, ends[0], w_scale)
    y = c.node("Conv", [x, w] + ([bias] if bias else []), pads=[1, 1, 1, 1])
    middle = c.ends(scale=c.scale(-1, 1))
    y = c.node("Relu", [c.node("Add", [c.dequantize(c.quantize(y, *middle), *middle), x])])
    last = c.ends(scale=c.scale(-1, 1))
    y = c.dequantize(c.quantize(y, *last), *last)
    y = c.node("MaxPool", [y], kernel_shape=[2, 2], strides=[2, 2])
    return c.dequantize(c.quantize(y, *last), *last), 2 * max(float(last[0]), float(middle[0]))


def depthwise(c):
    groups = int(c.random.choice([3, 16, 20, 70]))
    kernel = [(3, 3), (5, 5), (1, 3), (7, 2), (4, 5), (5, 1)][c.random.integers(0, 6)]
    ends = c.ends()
    x = c.activation(int(c.random.choice([1, 2])), groups, 13, int(c.random.choice([9, 13, 21])), ends=ends)
    w, w_scale = c.weights((groups, 1, *kernel), 0)
    bias = c.bias(groups, ends[0], w_scale)
    y = c.node("Conv", [x, w] + ([bias] if bias else []), group=groups, strides=[int(s) for s in c.random.choice([1, 2], 2)],
               dilations=[int(s) for s in c.random.choice([1, 1, 2], 2)], pads=[int(p) for p in c.random.integers(0, 4, 4)])
    return c.finish(c.relu(y), c.scale(-3, 0))


def activated(c):
    """A product with an activation that is no bound."""
    channels, kind = int(c.random.choice([5, 16, 40])), c.random.integers(0, 3)
    ends = c.ends()
    if kind == 2:
        x = c.activation(6, 24, ends=ends)
        w, w_scale = c.weights((24, channels), 1)
        bias = c.bias(channels, ends[0], w_scale)
        y = c.node("Gemm", [x, w] + ([bias] if bias else []))
    else:
        groups = channels if kind == 1 else 1
        x = c.activation(1, channels if kind == 1 else 4, 6, 7, ends=ends)
        w, w_scale = c.weights((channels, 1 if kind == 1 else 4, 3, 3), 0)
        bias = c.bias(channels, ends[0], w_scale)
        y = c.node("Conv", [x, w] + ([bias] if bias else []), group=groups, pads=[1, 1, 1, 1])
    act = str(c.random.choice(["HardSwish", "spelt", "LeakyRelu", "PRelu", "Sigmoid", "HardSigmoid", "Tanh"]))
    if act == "spelt":
        three, low, high, six = (c.constant(np.float32(v)) for v in (3, 0, 6, 6))
        gate = c.node("Clip", [c.node("Add", [y, three]), low, high])
        y = c.node("Div", [c.node("Mul", [y, gate]), six])
    elif act == "PRelu" and kind != 2:
        y = c.node("PRelu", [y, c.constant(c.random.uniform(-1, 1, (channels, 1, 1)).astype(np.float32))])
    else:
        y = c.node("LeakyRelu" if act == "PRelu" else act, [y])
    return c.finish(y, c.scale(-6, -4) if act in ("Sigmoid", "HardSigmoid", "Tanh") else c.scale(-3, 0))


def gate(c):
    """What a convolution made times a number per channel, and resized."""
    channels = int(c.random.choice([5, 16, 40]))
    ends, middle, mean, last = c.ends(), c.ends(scale=c.scale(-3, 0)), c.ends(scale=c.scale(-4, -2)), c.ends(scale=c.scale(-3, 0))
    x = c.activation(2, 4, 5, 6, ends=ends)
    w, w_scale = c.weights((channels, 4, 1, 1), 0)
    bias = c.bias(channels, ends[0], w_scale)
    y = c.node("Conv", [x, w] + ([bias] if bias else []))
    y = c.dequantize(c.quantize(y, *middle), *middle)
    g = c.activation(2, channels, 1, 1, ends=mean)
    y = c.node("Mul", [y, g] if c.random.random() < 0.5 else [g, y])
    y = c.dequantize(c.quantize(y, *last), *last)
    y = c.node("Resize", [y, "", c.constant(np.array([1, 1, 2, 2], np.float32))], mode="nearest")
    return c.dequantize(c.quantize(y, *last), *last), 2 * float(last[0]) + float(middle[0]) * 128 * float(mean[0])


def write(folder, name, c, make):
    result, step = make(c)
    graph = helper.make_graph(c.nodes, "graph", c.inputs, [helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, None)], c.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, c.feed)
    root = folder / name
    root.mkdir(parents=True)
    (root / "model.onnx").write_bytes(model.SerializeToString())
    # A result without Q after it has float32 sums of another order.
    exact = c.exact and make not in (function, activated)
    atol = (0 if exact else 1.001 * float(step)) if step else 2e-5 * max(1.0, float(np.abs(expected).max(initial=0)))
    lines = [f"rtol 0\natol {atol:.9g}"]
    for value, array in [*c.feed.items(), (result, expected)]:
        kind = "output" if value == result else "input"
        (root / f"{value}.pb").write_bytes(numpy_helper.from_array(array, value).SerializeToString())
        lines.append(f"{kind} tensor {value} {value}.pb")
    (root / "case.txt").write_text("\n".join(lines) + "\n")


def main():
    folder = Path(sys.argv[1])
    makers = [conv, conv, conv, matmul, matmul, gemm, binary, pooled, moved, joined, function, residual, depthwise, activated,
              activated, gate]
    for seed in range(480):
        make, exact = makers[seed % len(makers)], seed // len(makers) % 3 != 0
        write(folder, f"{make.__name__}_{seed}{'' if exact else '_any_scale'}", Case(seed, exact), make)


if __name__ == "__main__":
    main()
