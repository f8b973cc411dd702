"""Random small graphs with the answers of ONNX Runtime, as cases for tests/tools/node_cases.

    python random_graphs.py FOLDER [--seed N] [--count N] [--only OPERATOR[,OPERATOR...]]

A graph grows node by node. Each node is run alone on ONNX Runtime, without optimisation, on the values that exist so far; so its
result is known before the next node is chosen, a node that the runtime refuses is left out, and the expectation owes nothing to
the runtime's fusions. The operators are in random_ops.py. The same seed gives the same graphs.

Values carry whether they are exact: made of small multiples of 1/4 by operations that do not round. Operators with jumps
(rounding, comparison, search) only take exact values, so that a difference in the last bit stays one.
"""

import argparse
import collections
import os
import pickle
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import random_ops
from random_ops import FLOATS, Refused

ort.set_default_logger_severity(4)

# Relative to the largest magnitude of a tensor, and to each element.
EPSILON = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-9}
LARGEST = 1e4  # of a float in a graph: beyond it differences mean little
MOST_ELEMENTS = 20000

# Operators that become parts of chains where they follow each other; every third graph ends in some of them.
CHAINED = ("Abs", "Neg", "Sign", "Floor", "Exp", "Sigmoid", "Tanh", "Erf", "Relu", "Sqrt", "Reciprocal", "Not", "IsNaN", "LeakyRelu",
           "HardSigmoid", "HardSwish", "Clip", "Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "Less", "And", "PRelu", "Max",
           "Where", "Cast")

Value = collections.namedtuple("Value", "name array exact constant loss")


def element_type(array):
    return TensorProto.STRING if array.dtype == object else helper.np_dtype_to_tensor_dtype(array.dtype)


def to_proto(array, name):
    if array.dtype == object:
        return helper.make_tensor(name, TensorProto.STRING, array.shape, [str(s).encode() for s in array.ravel()])
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


class Graph:
    """A graph under construction, and the questions that operator rows ask of it."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.opset = int(self.rng.choice([9, 11, 13, 15, 18, 21, 23, 26]))
        self.values, self.nodes, self.inputs, self.weights = [], [], [], []
        self.used = set()
        self.refused = collections.Counter()

    # ---- Choices ----

    def integer(self, low, high):
        """From low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability):
        return self.rng.random() < probability

    def choice(self, options):
        return options[self.integer(0, len(options) - 1)]

    def dim(self):
        return 0 if self.chance(0.04) else self.choice((1, 1, 2, 3, 3, 4, 5, 7, 8, 11, 17))

    def shape(self, low=0, high=4):
        dims = [self.dim() for _ in range(self.integer(low, high))]
        while np.prod(dims, dtype=np.int64) > 2000:
            dims[int(np.argmax(dims))] = 2
        return dims

    def broadcastable(self, shape):
        """A shape that broadcasts with `shape`."""
        dims = [1 if self.chance(0.25) else d for d in shape]
        if self.chance(0.3):
            dims = dims[self.integer(0, len(dims)):]
        elif self.chance(0.15) and len(dims) < 5:
            dims = [self.choice((1, 2, 3))] + dims
        return dims

    def data(self, dtype, shape, low=None, high=None):
        """Small multiples of 1/4, or small integers; low and high are the limits."""
        if dtype == "bool":
            return self.rng.integers(0, 2, shape).astype(bool)
        if dtype == "object":
            words = np.array(["", "a", "Bc", "d e", "1", "-2.5", "ünï", "e5"], dtype=object)
            return words[self.rng.integers(0, len(words), shape)] if len(shape) else np.array(words[self.integer(0, 7)], object)
        if dtype in FLOATS:
            low, high = -4 if low is None else low, 4 if high is None else high
            return np.asarray(self.rng.integers(int(low * 4), int(high * 4) + 1, shape) / 4.0).astype(dtype)
        unsigned = dtype.startswith("u")
        low = (0 if unsigned else -10) if low is None else low
        return np.asarray(self.rng.integers(low, (10 if high is None else high) + 1, shape)).astype(dtype)

    # ---- Values ----

    def add(self, array, constant=None, name=None):
        """A new value: a graph input, an initializer or the output of a Constant."""
        name = name or f"v{len(self.values)}"
        constant = self.chance(0.3) if constant is None else constant
        value = Value(name, np.asarray(array), True, constant, 0)
        self.values.append(value)
        if not constant:
            self.inputs.append(value)
        elif self.chance(0.3):
            self.nodes.append(helper.make_node("Constant", [], [name], value=to_proto(value.array, "value")))
        else:
            self.weights.append(value)
        return value

    def new(self, dtype, shape, low=None, high=None, constant=None):
        return self.add(self.data(dtype, shape, low, high), constant)

    def ints(self, values, dtype="int64"):
        """A list of integers as an input of a node, mostly constant."""
        return self.add(np.array(values, dtype), self.chance(0.7))

    def pick(self, dtypes=FLOATS, low=0, high=5, exact=False, finite=True, where=None, share=0.7):
        """An existing value that fits, or a new one."""
        def fits(value):
            array = value.array
            return (str(array.dtype) in dtypes and low <= array.ndim <= high and (value.exact or not exact)
                    and (where is None or where(array)) and (not finite or not is_float(array) or np.isfinite(array).all()))
        candidates = [value for value in self.values if fits(value)]
        if candidates and self.chance(share):
            return candidates[max(self.integer(0, len(candidates) - 1), self.integer(0, len(candidates) - 1))]
        for _ in range(20):
            array = self.data(self.choice(dtypes), self.shape(low, high))
            if where is None or where(array):
                return self.add(array)
        raise Refused("no value fits")

    def partner(self, value, low=None, high=None, exact=False):
        """A value of the same type that broadcasts with `value`."""
        def fits(other):
            try:
                shape = np.broadcast_shapes(other.array.shape, value.array.shape)
            except ValueError:
                return False
            return other.array.dtype == value.array.dtype and np.prod(shape) < MOST_ELEMENTS and (other.exact or not exact)
        candidates = [other for other in self.values if fits(other)]
        if candidates and low is None and self.chance(0.4):
            return self.choice(candidates)
        return self.new(str(value.array.dtype), self.broadcastable(value.array.shape), low, high)

    def axis(self, value, extra=0):
        """An axis of the value, negative at times."""
        rank = value.array.ndim + extra
        if rank == 0:
            raise Refused("no axis")
        axis = self.integer(0, rank - 1)
        return axis - rank if self.chance(0.3) else axis

    # ---- Nodes ----

    def node(self, op, inputs, n_out=1, exact=None, loss=4, domain="", **attrs):
        """Runs the node, and adds it and its outputs. exact: outputs are exact where the inputs are. loss: how many units of
        rounding it adds."""
        names = [value.name if value is not None else "" for value in inputs]
        outputs = [f"v{len(self.values) + i}" for i in range(n_out)]
        attrs = {key: value for key, value in attrs.items() if value is not None and value != []}
        node = helper.make_node(op, names, outputs, domain=domain, **attrs)
        node.name = f"n{len(self.nodes)}"
        given = {value.name: value for value in inputs if value is not None}
        results = run_node(node, given, self.opset)
        if op == "MatMul" and any(value.array.size == 0 for value in given.values()):
            results = [np.zeros_like(result) for result in results]  # the runtime leaves sums of nothing as memory was
        if len(results) != n_out:
            raise Refused("number of outputs")
        was_exact = all(value.exact for value in given.values())
        lost = sum(value.loss for value in given.values()) + loss
        made = []
        for name, array in zip(outputs, results):
            if not isinstance(array, np.ndarray):
                raise Refused("no tensor")
            if array.size > MOST_ELEMENTS or array.ndim > 7:
                raise Refused("too large")
            if is_float(array) and array.size and np.nanmax(np.abs(np.where(np.isfinite(array), array, 0))) > LARGEST:
                raise Refused("large numbers")
            ok = was_exact and (bool(exact) or not is_float(array))
            if array.dtype in (np.float16, np.float32) and ok:
                ok = bool(np.all(np.abs(np.nan_to_num(array)) < (100 if array.dtype == np.float16 else 10000)))
            made.append(Value(name, array, ok, False, lost))
        self.nodes.append(node)
        self.values.extend(made)
        self.used.update(names)
        return made

    def grow(self, only=()):
        rows = [row for row in random_ops.ROWS if not only or row[1] in only]
        weights = np.array([row[0] for row in rows], float)
        for _ in range(30):
            weight, name, make = rows[self.rng.choice(len(rows), p=weights / weights.sum())]
            before = len(self.values), len(self.nodes), len(self.inputs), len(self.weights)
            try:
                make(self)
                return
            except Refused as reason:
                del self.values[before[0]:], self.nodes[before[1]:], self.inputs[before[2]:], self.weights[before[3]:]
                self.refused[name, str(reason).split("\n")[0][:120]] += 1

    def model(self):
        produced = {name for node in self.nodes for name in node.output}
        outputs = [value for value in self.values if value.name in produced
                   and (value.name not in self.used or self.chance(0.15))]
        shape = lambda value: [d if self.chance(0.5) else None for d in value.array.shape]
        infos = [helper.make_tensor_value_info(v.name, element_type(v.array), shape(v)) for v in self.inputs]
        graph = helper.make_graph(self.nodes, "random", infos, [onnx.ValueInfoProto(name=v.name) for v in outputs],
                                  [to_proto(v.array, v.name) for v in self.weights])
        return helper.make_model(graph, opset_imports=opset_imports(self.opset), ir_version=10), outputs


def is_float(array):
    return array.dtype in (np.float16, np.float32, np.float64)


def opset_imports(opset):
    return [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("ai.onnx.ml", 3)]


OPTIONS = ort.SessionOptions()
OPTIONS.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
OPTIONS.intra_op_num_threads = 1


def run_node(node, given, opset):
    infos = [helper.make_tensor_value_info(name, element_type(v.array), [None] * v.array.ndim)
             for name, v in given.items() if not v.constant]
    weights = [to_proto(v.array, name) for name, v in given.items() if v.constant]
    graph = helper.make_graph([node], "node", infos, [onnx.ValueInfoProto(name=name) for name in node.output], weights)
    model = helper.make_model(graph, opset_imports=opset_imports(opset), ir_version=10)
    try:
        session = ort.InferenceSession(model.SerializeToString(), OPTIONS, providers=["CPUExecutionProvider"])
        return session.run(None, {name: v.array for name, v in given.items() if not v.constant})
    except Exception as error:
        raise Refused(str(error)) from error


def write_tensor(path, array, name):
    with open(path, "wb") as file:
        file.write(to_proto(np.asarray(array), name).SerializeToString())


def tolerance(value):
    """Absolute and relative; integers and strings are exact."""
    array = value.array
    if not is_float(array):
        return 0, 0
    finite = np.abs(array[np.isfinite(array)].astype(np.float64))
    unit = EPSILON[str(array.dtype)] * max(1, value.loss / 8)
    return unit * max(1e-3, float(finite.max()) if finite.size else 0), unit


def write_case(root, name, graph):
    model, outputs = graph.model()
    folder = os.path.join(root, name)
    os.makedirs(folder, exist_ok=True)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    lines = []
    for k, value in enumerate(graph.inputs):
        write_tensor(os.path.join(folder, f"input_{k}.pb"), value.array, value.name)
        lines.append(f"input tensor {value.name} input_{k}.pb")
    for k, value in enumerate(outputs):
        write_tensor(os.path.join(folder, f"output_{k}.pb"), value.array, value.name)
        atol, rtol = tolerance(value)
        lines.append(f"output tensor {value.name} output_{k}.pb {rtol:g} {atol:g}")
    with open(os.path.join(folder, "case.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def make_graph(seed, only=()):
    graph = Graph(seed)
    with np.errstate(all="ignore"):
        for _ in range(graph.integer(1, 8)):
            graph.grow(only)
        for _ in range(graph.integer(3, 9) if seed % 3 == 0 and not only else 0):
            graph.grow(CHAINED)
    return graph


def kinds_of(node, arrays):
    """Which hard shapes a node has among its inputs and outputs."""
    inputs = [arrays[name].shape for name in node.input if name in arrays]
    shapes = inputs + [arrays[name].shape for name in node.output if name in arrays]
    kinds = {kind for kind, there in (("of zero-size tensors", any(0 in shape for shape in shapes)),
                                      ("of rank-0 tensors", any(len(shape) == 0 for shape in shapes))) if there}
    try:
        if len(set(inputs)) > 1 and len(node.output) == 1 and np.broadcast_shapes(*inputs) == arrays[node.output[0]].shape:
            kinds.add("that broadcast")
    except (ValueError, KeyError):
        pass
    return kinds


def write_graphs(folder, seeds, only):
    """Cases of these seeds; how many were written, their operators, what was refused, and how many nodes have which shapes."""
    operators, refused, kinds, written = collections.Counter(), collections.Counter(), collections.Counter(), 0
    for seed in seeds:
        graph = make_graph(seed, only)
        refused.update(graph.refused)
        if any(node.op_type != "Constant" for node in graph.nodes):
            write_case(folder, f"random_{seed:06}", graph)
            operators.update(node.op_type for node in graph.nodes)
            arrays = {value.name: value.array for value in graph.values}
            for node in graph.nodes:
                kinds.update(kinds_of(node, arrays) if node.op_type != "Constant" else ())
            written += 1
    return written, operators, refused, kinds


def in_child(function, *args):
    """The function's result from a process of its own; None when the runtime took it down."""
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ends[0])
        with os.fdopen(ends[1], "wb") as pipe:
            pickle.dump(function(*args), pipe)
        os._exit(0)
    os.close(ends[1])
    with os.fdopen(ends[0], "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    return pickle.loads(data) if status == 0 and data else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--only", default="")
    parser.add_argument("--refusals", action="store_true", help="show what the runtime did not take")
    args = parser.parse_args()
    only = tuple(filter(None, args.only.split(",")))
    operators, refused, kinds, written, crashed = collections.Counter(), collections.Counter(), collections.Counter(), 0, []
    seeds = range(args.seed, args.seed + args.count)
    todo = [seeds[i:i + 50] for i in range(0, args.count, 50)]
    while todo:
        part = todo.pop()
        result = in_child(write_graphs, args.folder, part, only)
        if result is None and len(part) > 1:
            todo += [part[:len(part) // 2], part[len(part) // 2:]]
        elif result is None:
            crashed.append(part[0])
        else:
            written += result[0]
            operators.update(result[1])
            refused.update(result[2])
            kinds.update(result[3])
    shapes = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    print(f"{written} graphs, {sum(operators.values())} nodes, {len(operators)} operators; nodes: {shapes}"
          + (f"; the runtime crashed on seeds {crashed}" if crashed else ""))
    if args.refusals:
        for (name, reason), count in refused.most_common():
            print(f"{count:5} {name}: {reason}")
        print("never made:", sorted({row[1] for row in random_ops.ROWS} - set(operators)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
