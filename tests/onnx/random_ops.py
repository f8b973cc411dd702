"""The operators of random_graphs.py: ROWS holds (weight, name, function); a function takes the graph that grows, chooses inputs and
attributes and adds a node, or raises Refused. Versions are told apart by the graph's opset."""

import numpy as np
from onnx import helper, numpy_helper

FLOATS = ("float32", "float64", "float16")
F32 = ("float32",)
F = ("float32", "float32", "float32", "float64", "float16")
INTS = ("int32", "int64", "int8", "uint8", "int16", "uint16", "uint32", "uint64")
NUMBERS = FLOATS + ("int32", "int64")
ALL = FLOATS + INTS + ("bool",)

ROWS = []


def row(name, weight=1.0):
    def register(function):
        ROWS.append((weight, name, function))
        return function
    return register


class Refused(Exception):
    """The node makes no sense on these values, or the runtime does not take it."""


def need(condition, reason="no sense"):
    if not condition:
        raise Refused(reason)


# ---- Element by element ----

def unary(name, types=F, exact=False, loss=4, weight=0.5, jumps=False, inside=None):
    def make(g):
        limits = {} if inside is None else {"where": lambda a: a.size == 0 or (a.min() >= inside[0] and a.max() <= inside[1])}
        g.node(name, [g.pick(types, exact=jumps, **limits)], exact=exact, loss=loss)
    ROWS.append((weight, name, make))


for name in ("Abs", "Neg"):
    unary(name, F + ("int32", "int64", "int8"), exact=True, loss=0)
for name in ("Sign",):
    unary(name, F + INTS, exact=True, loss=0, jumps=True)
for name in ("Ceil", "Floor", "Round"):
    unary(name, F, exact=True, loss=0, jumps=True)
for name in ("Exp", "Sigmoid", "Tanh", "Erf", "Sin", "Cos", "Atan", "Softsign", "Softplus", "Sinh", "Cosh", "Asinh"):
    unary(name, F, weight=0.3, inside=(-6, 6))
unary("Tan", F32, weight=0.2, inside=(-1.25, 1.25))
unary("Relu", F + ("int32", "int8"), exact=True, loss=0)
for name, inside in (("Sqrt", (0, 1e4)), ("Log", (0.2, 1e4)), ("Reciprocal", (0.2, 1e4)), ("Asin", (-0.9, 0.9)),
                     ("Acos", (-0.9, 0.9)), ("Atanh", (-0.9, 0.9)), ("Acosh", (1.2, 50))):
    unary(name, F, weight=0.3, inside=inside)
unary("Not", ("bool",))
unary("IsNaN", F, jumps=True)
unary("Identity", ALL, exact=True, loss=0)
unary("HardSwish", F32)
unary("Mish", F32)


@row("Identity")
def identity_string(g):
    g.node("Identity", [g.pick(("object",))])


@row("IsInf")
def is_inf(g):
    g.node("IsInf", [g.pick(("float32", "float64"), exact=True)], detect_negative=g.integer(0, 1),
           detect_positive=g.integer(0, 1))


@row("LeakyRelu")
def leaky(g):
    g.node("LeakyRelu", [g.pick(F)], alpha=g.choice((0.1, 0.5, None)))


@row("Elu")
def elu(g):
    op = g.choice(("Elu", "Celu", "ThresholdedRelu"))
    need(op != "ThresholdedRelu" or g.opset >= 10)
    g.node(op, [g.pick(F32, exact=True)], alpha=g.choice((0.5, 1.5, None)))


@row("Selu")
def selu(g):
    g.node("Selu", [g.pick(F32)], alpha=g.choice((1.5, None)), gamma=g.choice((1.1, None)))


@row("HardSigmoid")
def hard_sigmoid(g):
    g.node("HardSigmoid", [g.pick(F32)], alpha=g.choice((0.25, None)), beta=g.choice((0.25, None)))


@row("Gelu")
def gelu(g):
    need(g.opset >= 20)
    g.node("Gelu", [g.pick(F32)], approximate=g.choice(("none", "tanh", None)))


@row("Shrink")
def shrink(g):
    g.node("Shrink", [g.pick(FLOATS + ("int32", "uint8"), exact=True)], exact=True, bias=g.choice((0.0, 0.5, 1.0, None)),
           lambd=g.choice((0.5, 1.5, None)))


@row("Clip")
def clip(g):
    x = g.pick(F + ("int32", "int64", "uint8", "int8") if g.opset >= 12 else F32)
    if g.opset < 11:
        g.node("Clip", [x], exact=True, loss=0, min=g.choice((-1.0, 0.0, None)), max=g.choice((2.0, 6.0, None)))
        return
    dtype = str(x.array.dtype)
    low = g.add(np.array(g.choice((0, 1)), dtype)) if g.chance(0.7) else None
    high = g.add(np.array(g.choice((1, 3, 6)), dtype)) if g.chance(0.7) else None
    g.node("Clip", [x, low, high][:3 if high else 2 if low else 1], exact=True, loss=0)


def binary(name, types, exact=False, loss=2, weight=1.0, **choose):
    def make(g):
        x = g.pick(types, exact=choose.get("exact_in", False))
        y = g.partner(x, choose.get("low"), choose.get("high"), exact=choose.get("exact_in", False))
        pair = [y, x] if choose.get("swap", True) and g.chance(0.3) else [x, y]
        g.node(name, pair, exact=exact, loss=loss)
    ROWS.append((weight, name, make))


binary("Add", F + INTS, exact=True, weight=2.5)
binary("Sub", F + INTS, exact=True, weight=2)
binary("Mul", F + INTS, exact=True, weight=2.5)
binary("Div", F + ("int32", "int64"), weight=1.5, low=1, high=4, swap=False)
binary("Pow", F32, weight=0.5, low=0, high=3, swap=False, exact_in=True)
for name in ("Equal", "Greater", "Less"):
    binary(name, F + ("int32", "int64"), exact_in=True)
for name in ("And", "Or", "Xor"):
    binary(name, ("bool",))
binary("Equal", ("bool", "object"), exact_in=True, weight=0.3)


@row("PRelu", 0.5)
def prelu(g):
    x = g.pick(F32)
    slope = g.new("float32", [1 if g.chance(0.4) else d for d in x.array.shape][g.integer(0, x.array.ndim):], -1, 1)
    g.node("PRelu", [x, slope], loss=1)


@row("GreaterOrEqual")
def greater_or_equal(g):
    need(g.opset >= 12)
    x = g.pick(F + ("int32", "int64"), exact=True)
    g.node(g.choice(("GreaterOrEqual", "LessOrEqual")), [x, g.partner(x, exact=True)])


@row("Pow")
def pow_mixed(g):
    need(g.opset >= 12)
    x = g.pick(("float32", "int32", "int64", "float64"), exact=True, where=lambda a: a.size == 0 or np.abs(a).max() < 20)
    y = g.new(g.choice(("float32", "int32", "int64")), g.broadcastable(x.array.shape), 0, 3)
    g.node("Pow", [x, y])


@row("Mod")
def mod(g):
    need(g.opset >= 10)
    fmod = g.integer(0, 1)
    x = g.pick((FLOATS if fmod else ()) + ("int32", "int64", "int8", "uint8"), exact=True)
    g.node("Mod", [x, g.partner(x, 1, 5)], exact=True, fmod=fmod)


@row("BitShift", 0.5)
def bit_shift(g):
    need(g.opset >= 11)
    x = g.pick(("uint8", "uint32", "uint64"))
    g.node("BitShift", [x, g.partner(x, 0, 7)], direction=g.choice(("LEFT", "RIGHT")))


@row("BitwiseAnd", 0.5)
def bitwise(g):
    need(g.opset >= 18)
    x = g.pick(INTS)
    g.node(g.choice(("BitwiseAnd", "BitwiseOr", "BitwiseXor")), [x, g.partner(x)])


@row("BitwiseNot", 0.3)
def bitwise_not(g):
    need(g.opset >= 18)
    g.node("BitwiseNot", [g.pick(INTS)])


@row("Max")
def variadic(g):
    op = g.choice(("Max", "Min", "Sum", "Mean"))
    x = g.pick(F + (("int32", "int64", "uint32", "uint64") if op in ("Max", "Min") and g.opset >= 12 else ()))
    others = [g.partner(x) for _ in range(g.integer(0, 3))]
    g.node(op, [x] + others, exact=op != "Mean")


@row("Where", 1.5)
def where(g):
    x = g.pick(F + ("int32", "int64", "uint8", "object"), share=0.8)
    y = g.partner(x)
    shape = np.broadcast_shapes(x.array.shape, y.array.shape)
    g.node("Where", [g.new("bool", g.broadcastable(shape)), x, y], exact=True, loss=0)


@row("Cast", 2)
def cast(g):
    x = g.pick(F + INTS + ("bool",), exact=True)
    to = g.choice(FLOATS + INTS + ("bool",))
    low = x.array.size and float(x.array.min()) < 0
    need(not (low and to.startswith("u")), "wraps around")
    need(not x.array.size or abs(float(x.array.max())) < 100, "may overflow")
    g.node("Cast", [x], exact=True, to=helper.np_dtype_to_tensor_dtype(np.dtype(to)))


@row("CastLike", 0.5)
def cast_like(g):
    need(g.opset >= 15)
    x = g.pick(F + ("int32", "int64"), exact=True)
    g.node("CastLike", [x, g.new(g.choice(FLOATS + ("int32", "int64")), [2])], exact=True)


@row("Dropout", 0.3)
def dropout(g):
    g.node("Dropout", [g.pick(F)], n_out=g.integer(1, 2 if g.opset >= 12 else 1), exact=True, loss=0)


# ---- Reductions and searches ----

def reduce(g, op):
    types = ("float32", "float64", "int32", "int64") if op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd") else ("float32", "float64")
    jumps = op in ("ReduceLogSum", "ReduceLogSumExp")
    x = g.pick(types, where=lambda a: not jumps or a.size == 0 or (a.min() > -6 and a.max() < 9))
    rank = x.array.ndim
    axes = None
    if g.chance(0.75) and rank:
        axes = [int(a) - (rank if g.chance(0.3) else 0) for a in g.rng.permutation(rank)[:g.integer(1, rank)]]
    need(x.array.size, "empty: the runtime keeps dimensions that keepdims makes 1")
    if op in ("ReduceLogSum",):
        need(x.array.size == 0 or x.array.min() > 0, "logarithm")
    if op == "ReduceProd":
        need(x.array.size < 30, "large")
    common = dict(exact=op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare", "ReduceProd"), loss=16,
                  keepdims=g.choice((0, 1, None)))
    if g.opset >= (13 if op == "ReduceSum" else 18):
        inputs = [x] + ([g.ints(axes)] if axes else [g.ints([])] if g.chance(0.3) else [])
        g.node(op, inputs, noop_with_empty_axes=g.choice((0, 1, None)), **common)
    else:
        g.node(op, [x], axes=axes, **common)


for name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"):
    ROWS.append((0.5, "Reduce" + name, lambda g, op="Reduce" + name: reduce(g, op)))


@row("ArgMax")
def arg_max(g):
    x = g.pick(("float32", "float64", "int32", "int8", "uint8"), low=1, exact=True)
    need(x.array.size, "empty: the runtime returns the input's shape")
    g.node(g.choice(("ArgMax", "ArgMin")), [x], axis=g.axis(x), keepdims=g.choice((0, 1, None)),
           select_last_index=g.choice((0, 1, None)) if g.opset >= 12 else None)


@row("TopK")
def top_k(g):
    x = g.pick(("float32", "float64", "int32", "int64"), low=1, exact=True)
    axis = g.axis(x)
    size = x.array.shape[axis]
    k = g.integer(0, size)
    if g.opset < 10:
        need(k > 0)
        g.node("TopK", [x], n_out=2, exact=True, axis=axis, k=k)
        return
    extra = dict(largest=g.choice((0, 1, None)), sorted=g.choice((1, None))) if g.opset >= 11 else {}
    g.node("TopK", [x, g.ints([k])], n_out=2, exact=True, axis=axis, **extra)


@row("Softmax", 1.5)
def softmax(g):
    op = g.choice(("Softmax", "Softmax", "LogSoftmax", "Hardmax"))
    x = g.pick(F32 if op == "Hardmax" else ("float32", "float64", "float16"), low=1, exact=op == "Hardmax")
    g.node(op, [x], axis=g.choice((g.axis(x), None)))


@row("CumSum")
def cum_sum(g):
    need(g.opset >= 11)
    x = g.pick(("float32", "float64", "int32", "int64"), low=1)
    g.node("CumSum", [x, g.add(np.array(g.axis(x), g.choice(("int32", "int64"))))], exact=True, loss=8,
           exclusive=g.choice((0, 1, None)), reverse=g.choice((0, 1, None)))


@row("NonZero", 0.5)
def non_zero(g):
    # Of a scalar the runtime's result has one row, the standard's none.
    g.node("NonZero", [g.pick(("float32", "int32", "int64", "bool", "uint8"), low=1, exact=True)])


@row("Unique", 0.6)
def unique(g):
    need(g.opset >= 11)
    x = g.pick(("float32", "int64", "int8", "object"), exact=True, low=1)
    need(x.array.size, "the runtime aborts")
    g.node("Unique", [x], n_out=g.integer(1, 4), exact=True, sorted=g.choice((0, 1, None)),
           axis=g.axis(x) if g.chance(0.5) else None)


# ---- Movement ----

@row("Transpose", 2)
def transpose(g):
    x = g.pick(ALL + ("object",))
    perm = [int(i) for i in g.rng.permutation(x.array.ndim)]
    g.node("Transpose", [x], exact=True, loss=0, perm=perm if g.chance(0.8) else None)


def factors(g, count):
    """A shape of `count` elements."""
    dims = []
    while count > 1 and len(dims) < 4:
        d = g.choice([d for d in range(1, min(count, 40) + 1) if count % d == 0])
        dims.append(d)
        count //= d
    return dims + ([count] if count != 1 or not dims else [])


@row("Reshape", 2)
def reshape(g):
    x = g.pick(ALL + ("object",))
    shape = list(x.array.shape)
    if x.array.size and g.chance(0.8):
        target = factors(g, x.array.size)
        if x.array.size == 1 and g.chance(0.4):
            target = []
        if target and g.chance(0.5):
            target[g.integer(0, len(target) - 1)] = -1
        for i, d in enumerate(target):
            if d != -1 and i < len(shape) and d == shape[i] and g.chance(0.4):
                target[i] = 0
    else:
        target = [0] * len(shape)
    extra = dict(allowzero=1) if g.opset >= 14 and 0 not in target and g.chance(0.3) else {}
    g.node("Reshape", [x, g.ints(target)], exact=True, loss=0, **extra)


@row("Reshape", 0.3)
def reshape_zero(g):
    need(g.opset >= 14)
    x = g.new("float32", [g.integer(0, 3), 0, g.integer(0, 3)])
    g.node("Reshape", [x, g.ints([0, g.integer(0, 4)] if g.chance(0.5) else [g.integer(1, 4), 0])], exact=True, allowzero=1)


@row("Flatten", 0.7)
def flatten(g):
    x = g.pick(ALL)
    rank = x.array.ndim
    g.node("Flatten", [x], exact=True, loss=0, axis=g.integer(-rank if g.opset >= 11 else 0, rank) if g.chance(0.8) or not rank else None)


@row("Squeeze")
def squeeze(g):
    x = g.pick(ALL + ("object",), where=lambda a: 1 in a.shape or a.ndim == 0)
    rank = x.array.ndim
    ones = [i - (rank if g.opset >= 11 and g.chance(0.3) else 0) for i, d in enumerate(x.array.shape) if d == 1 and g.chance(0.7)]
    if not ones:
        g.node("Squeeze", [x], exact=True, loss=0)
    elif g.opset >= 13:
        g.node("Squeeze", [x, g.ints(ones)], exact=True, loss=0)
    else:
        g.node("Squeeze", [x], exact=True, loss=0, axes=ones)


@row("Unsqueeze", 1.5)
def unsqueeze(g):
    x = g.pick(ALL + ("object",), high=4)
    extra = g.integer(1, 2)
    rank = x.array.ndim + extra
    axes = [int(i) - (rank if g.opset >= 11 and g.chance(0.3) else 0) for i in g.rng.permutation(rank)[:extra]]
    if g.opset >= 13:
        g.node("Unsqueeze", [x, g.ints(axes)], exact=True, loss=0)
    else:
        g.node("Unsqueeze", [x], exact=True, loss=0, axes=axes)


@row("Concat", 2)
def concat(g):
    x = g.pick(ALL + ("object",), low=1)
    axis = g.axis(x)
    parts = [x]
    for _ in range(g.integer(0, 3)):
        shape = list(x.array.shape)
        shape[axis] = g.dim()
        parts.append(x if g.chance(0.2) else g.new(str(x.array.dtype), shape))
    if g.chance(0.3):
        parts.reverse()
    g.node("Concat", parts, exact=True, loss=0, axis=axis)


@row("Split", 1.2)
def split(g):
    x = g.pick(("float32", "int32", "int64", "float64", "uint8"), low=1)
    axis = g.axis(x)
    size = x.array.shape[axis]
    parts = g.integer(1, 3)
    if g.chance(0.5):
        cuts = sorted(g.integer(0, size) for _ in range(parts - 1))
        sizes = list(np.diff([0] + cuts + [size]))
        if g.opset >= 13:
            g.node("Split", [x, g.ints(sizes)], n_out=parts, exact=True, loss=0, axis=axis)
        else:
            g.node("Split", [x], n_out=parts, exact=True, loss=0, axis=axis, split=[int(s) for s in sizes])
        return
    need(size % parts == 0 or g.opset >= 18)
    g.node("Split", [x], n_out=parts, exact=True, loss=0, axis=axis, num_outputs=parts if g.opset >= 18 else None)


@row("Slice", 2)
def slice_(g):
    x = g.pick(ALL + ("object",) if g.opset >= 10 else ("float32", "int32", "int64"), low=1)
    rank = x.array.ndim
    axes = [int(a) for a in g.rng.permutation(rank)[:g.integer(1, rank)]]
    starts, ends, steps = [], [], []
    for axis in axes:
        size = x.array.shape[axis]
        starts.append(g.choice((0, g.integer(-size - 2, size + 2), g.integer(0, size))))
        ends.append(g.choice((size, g.integer(-size - 2, size + 2), 2**31 - 1, 2**63 - 1 if g.opset >= 10 else 99, -2**31)))
        steps.append(g.choice((1, 1, 2, 3, -1, -2)))
        if ends[-1] in (2**31 - 1, 2**63 - 1):
            steps[-1] = abs(steps[-1])  # backward the runtime takes these for the beginning; the standard clamps them
    if g.opset < 10:
        g.node("Slice", [x], exact=True, loss=0, starts=starts, ends=ends, axes=axes)
        return
    axes = [a - (rank if g.chance(0.3) else 0) for a in axes]
    inputs = [x, g.ints(starts), g.ints(ends), g.ints(axes)] + ([g.ints(steps)] if g.chance(0.6) else [])
    g.node("Slice", inputs, exact=True, loss=0)


@row("Gather", 2)
def gather(g):
    x = g.pick(ALL + ("object",), low=1)
    axis = g.axis(x)
    if x.array.dtype == object:
        axis = x.array.ndim - 1  # the runtime copies the first string of each block only
    size = x.array.shape[axis]
    need(size)
    indices = g.data("int64", g.shape(0, 2), -size if g.opset >= 11 else 0, size - 1)
    g.node("Gather", [x, g.add(indices.astype(g.choice(("int32", "int64"))))], exact=True, loss=0, axis=g.choice((axis,)))


@row("GatherElements")
def gather_elements(g):
    need(g.opset >= 11)
    x = g.pick(ALL, low=1)
    axis = g.axis(x)
    size = x.array.shape[axis]
    need(size)
    shape = [g.integer(min(d, 1), d) for d in x.array.shape]
    shape[axis] = g.dim()
    g.node("GatherElements", [x, g.add(g.data("int64", shape, -size, size - 1).astype(g.choice(("int32", "int64"))))],
           exact=True, loss=0, axis=axis)


def nd_indices(g, shape, batch, last):
    prefix = g.shape(0, 2)
    rows = [g.data("int64", prefix, -shape[batch + i], shape[batch + i] - 1) for i in range(last)]
    return np.stack(rows, -1)


@row("GatherND")
def gather_nd(g):
    need(g.opset >= 12)
    x = g.pick(ALL, low=1, where=lambda a: a.ndim and 0 not in a.shape)
    batch = g.integer(0, x.array.ndim - 1)
    last = g.integer(1, x.array.ndim - batch)
    indices = nd_indices(g, x.array.shape, batch, last)
    indices = np.broadcast_to(indices, x.array.shape[:batch] + indices.shape)
    need(indices.size < 2000)
    g.node("GatherND", [x, g.add(indices.copy())], exact=True, loss=0, batch_dims=batch)


@row("ScatterElements", 1)
def scatter_elements(g):
    need(g.opset >= 11)
    x = g.pick(("float32", "float64", "int32", "int64", "uint8", "bool"), low=1, where=lambda a: a.ndim and 0 not in a.shape)
    axis = g.axis(x)
    shape = [g.integer(0 if g.chance(0.1) else 1, d) for d in x.array.shape]
    size = x.array.shape[axis]
    reduction = g.choice(("none", "add", "mul", "max", "min")[:1 if g.opset < 16 or x.array.dtype == bool else 3 if g.opset < 18 else 5])
    if reduction == "none":  # repeated indices have no defined order
        order = np.argsort(g.rng.random([*shape[:axis % len(shape)], size, *shape[axis % len(shape) + 1:]]), axis=axis)
        indices = np.take(order, np.arange(shape[axis]), axis=axis) if order.size else np.zeros(shape, np.int64)
    else:
        indices = g.data("int64", shape, -size, size - 1)
    updates = g.new(str(x.array.dtype), shape, *((1, 2) if reduction == "mul" else ()))
    g.node("ScatterElements", [x, g.add(indices.astype(g.choice(("int32", "int64")))), updates], exact=True, axis=axis,
           reduction=None if reduction == "none" and g.opset < 16 else reduction)


@row("ScatterND", 1)
def scatter_nd(g):
    need(g.opset >= 11)
    x = g.pick(("float32", "float64", "int32", "int64"), low=1, where=lambda a: a.ndim and 0 not in a.shape)
    last = g.integer(1, x.array.ndim)
    space = x.array.shape[:last]
    count = int(np.prod(space))
    reduction = g.choice(("none", "add", "mul", "max", "min")[:1 if g.opset < 16 else 3 if g.opset < 18 else 5])
    flat = g.rng.permutation(count)[:g.integer(0, min(count, 6))] if reduction == "none" else g.rng.integers(0, count, g.integer(0, 6))
    indices = np.stack(np.unravel_index(flat, space), -1).astype(np.int64)
    updates = g.new(str(x.array.dtype), list(indices.shape[:-1]) + list(x.array.shape[last:]), *((1, 2) if reduction == "mul" else ()))
    g.node("ScatterND", [x, g.add(indices), updates], exact=True, reduction=reduction if g.opset >= 16 else None)


@row("Expand", 1.2)
def expand(g):
    x = g.pick(("float32", "float64", "int32", "int64", "bool", "float16", "uint8", "object"))
    shape = [d if d != 1 else g.choice((1, 2, 5)) for d in x.array.shape]
    target = shape[g.integer(0, len(shape)):] if g.chance(0.2) else [1 if g.chance(0.3) else d for d in shape]
    if g.chance(0.4):
        target = [g.choice((1, 2, 3))] + (target if len(target) == len(shape) else shape)
    g.node("Expand", [x, g.ints(target)], exact=True, loss=0)


@row("Tile", 1)
def tile(g):
    x = g.pick(("float32", "float64", "int32", "int64", "bool", "uint8", "object"), low=0)
    g.node("Tile", [x, g.ints([g.choice((1, 1, 2, 3, 0 if g.chance(0.2) else 1)) for _ in x.array.shape])], exact=True, loss=0)


@row("Pad", 1.2)
def pad(g):
    x = g.pick(("float32", "float64", "int32", "int64", "uint8", "int8") if g.opset >= 13 else ("float32",), low=1)
    mode = g.choice(("constant", "reflect", "edge", "wrap")[:4 if g.opset >= 19 else 3])
    need(mode == "constant" or 0 not in x.array.shape)
    low = 0 if mode != "constant" else -1
    rank = x.array.ndim
    most = [min(3, d - 1) if mode == "reflect" else min(3, d) if mode == "wrap" else 3 for d in x.array.shape]
    pads = [g.integer(low, most[i % rank]) for i in range(2 * rank)]
    need(all(d + pads[i] + pads[rank + i] >= 0 and d + min(pads[i], 0) + min(pads[rank + i], 0) >= 0 for i, d in enumerate(x.array.shape)))
    if g.opset < 11:
        g.node("Pad", [x], exact=True, loss=0, mode=mode, pads=pads, value=g.choice((0.0, 1.5)))
        return
    inputs = [x, g.ints(pads)]
    if g.chance(0.4):
        inputs.append(g.add(np.array(2, x.array.dtype)))
    elif g.opset >= 18 and g.chance(0.3):
        axes = [int(a) for a in g.rng.permutation(rank)[:g.integer(1, rank)]]
        inputs[1] = g.ints([pads[a] for a in axes] + [pads[rank + a] for a in axes])
        inputs += [None, g.ints([a - (rank if g.chance(0.3) else 0) for a in axes])]
    g.node("Pad", inputs, exact=True, loss=0, mode=mode)


@row("Shape")
def shape_of(g):
    x = g.pick(ALL + ("object",))
    extra = dict(start=g.choice((None, g.integer(-6, 6))), end=g.choice((None, g.integer(-6, 6)))) if g.opset >= 15 else {}
    g.node("Shape", [x], **extra)


@row("Size", 0.4)
def size_of(g):
    g.node("Size", [g.pick(ALL)])


@row("ConstantOfShape", 0.7)
def constant_of_shape(g):
    value = np.array([g.choice((0, 1, 3))], g.choice(("float32", "int64", "int32", "bool", "uint8", "float64")))
    g.node("ConstantOfShape", [g.ints(g.shape(0, 4))], exact=True, value=numpy_helper.from_array(value) if g.chance(0.8) else None)


@row("Range", 0.7)
def range_(g):
    need(g.opset >= 11)
    dtype = g.choice(("float32", "int32", "int64", "float64", "int16"))
    scale = 0.25 if dtype.startswith("float") else 1
    step = g.choice((1, 2, 3, -1, -2)) * scale
    g.node("Range", [g.add(np.array(v, dtype)) for v in (g.integer(-4, 4) * scale, g.integer(-9, 9) * scale, step)], exact=True)


@row("OneHot", 0.7)
def one_hot(g):
    depth = g.integer(1, 6)
    indices = g.data("int64", g.shape(0, 3), -depth - 1 if g.opset >= 11 else 0, depth + 1)
    values = g.new("float32", [2])
    rank = indices.ndim
    g.node("OneHot", [g.add(indices.astype(g.choice(("int64",)))), g.add(np.array(depth, "int64")), values], exact=True,
           axis=g.integer(-rank - 1, rank))


@row("Trilu", 0.7)
def trilu(g):
    need(g.opset >= 14)
    x = g.pick(("float32", "float64", "int64", "bool"), low=2)
    g.node("Trilu", [x] + ([g.add(np.array(g.integer(-5, 5), "int64"))] if g.chance(0.6) else []), exact=True, loss=0,
           upper=g.choice((0, 1, None)))


@row("EyeLike", 0.4)
def eye_like(g):
    x = g.pick(("float32", "int32", "int64", "bool", "float64"), low=2, high=2)
    g.node("EyeLike", [x], exact=True, dtype=g.choice((None, 1, 7, 6)) if str(x.array.dtype) != "bool" else 1, k=g.choice((None, 1, -2)))


@row("Compress", 0.6)
def compress(g):
    x = g.pick(("float32", "int64", "uint8", "object"), low=1)
    axis = g.axis(x) if g.chance(0.7) else None
    size = x.array.size if axis is None else x.array.shape[axis]
    g.node("Compress", [x, g.new("bool", [g.integer(0, size)])], exact=True, loss=0, axis=axis)


@row("ReverseSequence", 0.5)
def reverse_sequence(g):
    need(g.opset >= 10)
    x = g.pick(("float32", "int64", "int32", "float64"), low=2, where=lambda a: a.ndim >= 2 and 0 not in a.shape[:2])
    batch = g.integer(0, 1)
    lengths = g.data("int64", [x.array.shape[batch]], 1, x.array.shape[1 - batch])
    g.node("ReverseSequence", [x, g.add(lengths)], exact=True, loss=0, batch_axis=batch, time_axis=1 - batch)


@row("DepthToSpace", 0.6)
def depth_to_space(g):
    x = g.new("float32", [g.integer(0, 2), 4 * g.integer(1, 3), g.integer(1, 4), g.integer(1, 4)])
    g.node("DepthToSpace", [x], exact=True, loss=0, blocksize=2, mode=g.choice(("DCR", "CRD", None)) if g.opset >= 11 else None)


@row("SpaceToDepth", 0.4)
def space_to_depth(g):
    x = g.new("float32", [g.integer(0, 2), g.integer(1, 3), 2 * g.integer(1, 4), 2 * g.integer(1, 4)])
    g.node("SpaceToDepth", [x], exact=True, loss=0, blocksize=2)


@row("CenterCropPad", 0.4)
def center_crop_pad(g):
    need(g.opset >= 18)
    x = g.pick(("float32", "int32"), low=1)
    rank = x.array.ndim
    axes = [int(a) for a in g.rng.permutation(rank)[:g.integer(1, rank)]]
    whole = g.chance(0.4)
    g.node("CenterCropPad", [x, g.ints([g.integer(1, 8) for _ in range(rank if whole else len(axes))])], exact=True,
           axes=None if whole else axes)


# ---- Products ----

@row("MatMul", 2.5)
def matmul(g):
    x = g.pick(F32 + F32 + ("float64", "int32", "int64", "float16", "uint32"), low=1)
    inner = x.array.shape[-1]
    need(inner or x.array.dtype != np.float16, "the runtime leaves the output uninitialised")
    kind = g.integer(0, 3)
    if kind == 0:
        shape = [inner]
    elif kind == 1 or x.array.ndim <= 2:
        shape = [inner, g.dim()]
    else:
        shape = g.broadcastable(x.array.shape[:-2]) + [inner, g.dim()]
    g.node("MatMul", [x, g.new(str(x.array.dtype), shape)], exact=True, loss=32)


@row("Gemm", 1.5)
def gemm(g):
    x = g.pick(("float32", "float32", "float64", "float16"), low=2, high=2)
    ta, tb = g.choice((0, 1, None)), g.choice((0, 1, None))
    m, k = x.array.shape[::-1] if ta else x.array.shape
    need(k, "the runtime forgets beta")
    n = g.dim()
    dtype = str(x.array.dtype)
    inputs = [x, g.new(dtype, [n, k] if tb else [k, n])]
    if g.chance(0.6) or g.opset < 11:
        inputs.append(g.new(dtype, g.choice(([m, n], [n], [1, n], [m, 1], [1], [1, 1], []))))
    g.node("Gemm", inputs, exact=False, loss=32, alpha=g.choice((0.5, None)), beta=g.choice((0.5, 0.0, None)), transA=ta, transB=tb)


@row("Einsum", 0.6)
def einsum(g):
    need(g.opset >= 12)
    equation = g.choice(("ij,jk->ik", "ij->ji", "bij,bjk->bik", "i,j->ij", "ij,ij->", "bhid,bhjd->bhij", "ii->i", "...ij,...jk->...ik",
                         "ij->i", "i,i", "ij,jk", "ab,b,c->ca", "bij->b"))
    sizes = {letter: g.choice((1, 2, 3, 5)) for letter in "abcdhijk"}
    left = equation.split("->")[0].split(",")
    prefix = g.shape(0, 2) if "..." in equation else []
    inputs = [g.new("float32", prefix + [sizes[c] for c in term.replace("...", "")]) for term in left]
    g.node("Einsum", inputs, exact=True, loss=32, equation=equation)


@row("MatMulInteger", 0.5)
def matmul_integer(g):
    need(g.opset >= 10)
    x = g.pick(("uint8", "int8"), low=2, high=3)
    need(x.array.shape[-1], "the runtime leaves the output uninitialised")
    batch = [1 if g.chance(0.3) else d for d in x.array.shape[:-2]] if g.chance(0.5) else []
    y = g.new(g.choice(("uint8", "int8")), batch + [x.array.shape[-1], g.dim()])
    need(not (x.array.dtype == np.int8 and y.array.dtype == np.uint8))
    zeros = [g.add(np.array(g.integer(0, 3), v.array.dtype), True) for v in (x, y)][:g.integer(0, 2)]
    g.node("MatMulInteger", [x, y] + zeros)


@row("QuantizeLinear", 1)
def quantize(g):
    need(g.opset >= 10)
    x = g.pick(F32, exact=True, low=1)
    axis = g.axis(x)
    per_axis = g.opset >= 13 and g.chance(0.4)
    shape = [x.array.shape[axis]] if per_axis else []
    scale = g.add(np.asarray(2.0 ** g.rng.integers(-4, 2, shape)).astype("float32"), True)
    zero = g.add(g.data(g.choice(("uint8", "int8")), shape, 0, 100), True)
    g.node("QuantizeLinear", [x, scale, zero][:g.integer(2, 3)], axis=axis if per_axis else None)


@row("DequantizeLinear", 1)
def dequantize(g):
    need(g.opset >= 10)
    x = g.pick(("uint8", "int8", "int32"), low=1)
    axis = g.axis(x)
    per_axis = g.opset >= 13 and g.chance(0.4)
    shape = [x.array.shape[axis]] if per_axis else []
    scale = g.add(np.asarray(2.0 ** g.rng.integers(-4, 2, shape)).astype("float32"), True)
    zero = g.add(np.zeros(shape, "int32") if x.array.dtype == np.int32 else g.data(str(x.array.dtype), shape, 0, 100), True)
    g.node("DequantizeLinear", [x, scale, zero][:g.integer(2, 3)], exact=True, axis=axis if per_axis else None)


@row("DynamicQuantizeLinear", 0.4)
def dynamic_quantize(g):
    need(g.opset >= 11)
    x = g.pick(F32, exact=True, where=np.any)  # of zeros alone the runtime says scale 1, the formula 0
    g.node("DynamicQuantizeLinear", [x], n_out=3)


@row("QLinearMatMul", 0.4)
def qlinear_matmul(g):
    need(g.opset >= 10)
    x = g.pick(("uint8", "int8"), low=2, high=3)
    need(x.array.shape[-1], "the runtime leaves the output uninitialised")
    y = g.new(str(x.array.dtype), [x.array.shape[-1], g.dim()])
    dtype = str(x.array.dtype)
    quant = lambda: [g.add(np.array(2.0 ** g.integer(-3, 0), "float32"), True), g.add(np.array(g.integer(0, 5), dtype), True)]
    g.node("QLinearMatMul", [x] + quant() + [y] + quant() + quant())


# ---- Windows ----

def images(g, low=1, high=3, types=F32):
    """[N, C, spatial...]"""
    dims = g.integer(low, high)
    existing = [v for v in g.values if str(v.array.dtype) in types and 2 + low <= v.array.ndim <= 2 + high and v.array.size and
                np.isfinite(v.array).all()]
    if existing and g.chance(0.5):
        return g.choice(existing)
    size = {1: 12, 2: 9, 3: 5}[dims]
    return g.new(g.choice(types), [g.choice((1, 1, 2, 3, 0 if g.chance(0.1) else 1)), g.choice((1, 2, 3, 4, 6, 8, 16))] +
                 [g.integer(2, size) for _ in range(dims)])


def window(g, x, kernel, attrs, dilated=True):
    n = len(kernel)
    need(all(d >= k for d, k in zip(x.array.shape[2:], kernel)), "the runtime rounds towards zero where the standard rounds down")
    if g.chance(0.5):
        attrs["strides"] = [g.choice((1, 1, 2, 3)) for _ in range(n)]
    if dilated and g.chance(0.3):
        attrs["dilations"] = [g.choice((1, 2)) for _ in range(n)]
    if g.chance(0.5):
        attrs["pads"] = [g.integer(0, max(0, min(2, k - 1))) for k in kernel + kernel]
    elif g.chance(0.3):
        attrs["auto_pad"] = g.choice(("SAME_UPPER", "SAME_LOWER", "VALID"))
        if attrs["auto_pad"] != "VALID":
            need("dilations" not in attrs)
            need(all(k >= s for k, s in zip(kernel, attrs.get("strides", kernel))), "the runtime's output is smaller than SAME says")
    return attrs


@row("Conv", 3)
def conv(g):
    x = images(g)
    channels = x.array.shape[1]
    group = g.choice([d for d in (1, 1, 2, channels) if channels % d == 0 and d > 0])
    out = group * g.choice((1, 2, 3, 4))
    kernel = [g.choice((1, 1, 2, 3, 3, 5)) for _ in x.array.shape[2:]]
    inputs = [x, g.new("float32", [out, channels // group] + kernel, -2, 2)]
    if g.chance(0.6):
        inputs.append(g.new("float32", [out]))
    g.node("Conv", inputs, exact=False, loss=64, group=g.choice((group,)), **window(g, x, kernel, dict(kernel_shape=kernel if g.chance(0.7) else None)))


@row("ConvTranspose", 1)
def conv_transpose(g):
    x = images(g, 1, 2)
    channels = x.array.shape[1]
    group = g.choice([d for d in (1, 1, 2, channels) if channels % d == 0 and d > 0])
    out = g.choice((1, 2, 3))
    kernel = [g.choice((1, 2, 3)) for _ in x.array.shape[2:]]
    attrs = window(g, x, kernel, dict(kernel_shape=kernel if g.chance(0.7) else None))
    if "strides" in attrs and g.chance(0.3):
        attrs["output_padding"] = [g.integer(0, s - 1) for s in attrs["strides"]]
    inputs = [x, g.new("float32", [channels, out] + kernel, -2, 2)] + ([g.new("float32", [out * group])] if g.chance(0.5) else [])
    g.node("ConvTranspose", inputs, loss=64, group=group, **attrs)


@row("MaxPool", 1.2)
def max_pool(g):
    x = images(g, types=("float32", "float32", "uint8", "int8") if g.opset >= 12 else F32)
    kernel = [g.choice((1, 2, 3)) for _ in x.array.shape[2:]]
    attrs = window(g, x, kernel, dict(kernel_shape=kernel), dilated=g.opset >= 10)
    if g.opset >= 10 and "auto_pad" not in attrs and g.chance(0.4):
        attrs["ceil_mode"] = 1
    indices = x.exact and g.chance(0.25)
    if indices:
        attrs["storage_order"] = g.choice((0, 1))
    g.node("MaxPool", [x], n_out=2 if indices else 1, exact=True, loss=0, **attrs)


@row("AveragePool", 1)
def average_pool(g):
    x = images(g)
    kernel = [g.choice((1, 2, 3)) for _ in x.array.shape[2:]]
    attrs = window(g, x, kernel, dict(kernel_shape=kernel), dilated=g.opset >= 19)
    if g.opset >= 10 and "auto_pad" not in attrs and g.chance(0.4):
        attrs["ceil_mode"] = 1
    g.node("AveragePool", [x], loss=8, count_include_pad=g.choice((0, 1, None)), **attrs)


@row("LpPool", 0.4)
def lp_pool(g):
    x = images(g)
    kernel = [g.choice((1, 2, 3)) for _ in x.array.shape[2:]]
    g.node("LpPool", [x], loss=8, p=g.choice((1, 2, 3, None)), **window(g, x, kernel, dict(kernel_shape=kernel), dilated=False))


@row("GlobalAveragePool", 0.8)
def global_pool(g):
    x = images(g)
    op = g.choice(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"))
    g.node(op, [x], loss=8)


@row("QLinearConv", 0.6)
def qlinear_conv(g):
    need(g.opset >= 10)
    x = images(g, 1, 2, ("uint8", "int8"))
    kernel = [g.choice((1, 3)) for _ in x.array.shape[2:]]
    dtype = str(x.array.dtype)
    out = g.choice((1, 2, 4))
    quant = lambda t: [g.add(np.array(2.0 ** g.integer(-3, 0), "float32"), True), g.add(np.array(g.integer(0, 5), t), True)]
    w = g.new(dtype, [out, x.array.shape[1]] + kernel)
    inputs = [x] + quant(dtype) + [w, g.add(np.asarray(2.0 ** g.rng.integers(-3, 0, [out])).astype("float32"), True),
                                   g.add(np.zeros(out, dtype), True)] + quant(dtype)
    if g.chance(0.5):
        inputs.append(g.new("int32", [out], constant=True))
    g.node("QLinearConv", inputs, **window(g, x, kernel, {}))


@row("ConvInteger", 0.4)
def conv_integer(g):
    need(g.opset >= 10)
    x = images(g, 1, 2, ("uint8",))
    kernel = [g.choice((1, 3)) for _ in x.array.shape[2:]]
    w = g.new(g.choice(("uint8", "int8")), [g.choice((1, 3)), x.array.shape[1]] + kernel)
    g.node("ConvInteger", [x, w] + ([g.add(np.array(3, "uint8"), True)] if g.chance(0.5) else []), **window(g, x, kernel, {}))


@row("Resize", 1)
def resize(g):
    need(g.opset >= 11)
    x = images(g, 1, 2)
    mode = g.choice(("nearest", "linear", "linear", "cubic"))
    n = x.array.ndim
    need(mode != "cubic" or n == 4)
    attrs = dict(mode=mode, coordinate_transformation_mode=g.choice(("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")))
    if mode == "nearest":
        attrs["nearest_mode"] = g.choice(("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
    if mode == "cubic":
        attrs["cubic_coeff_a"] = g.choice((-0.5, -0.75, None))
        attrs["exclude_outside"] = g.choice((0, 1, None))
    roi = None if g.opset >= 13 else g.add(np.zeros(0, "float32"), True)
    if g.chance(0.5):
        scales = [1.0, 1.0] + [g.choice((0.5, 1.0, 2.0, 1.5, 0.75, 3.0)) for _ in range(n - 2)]
        if g.opset >= 18:
            attrs["antialias"] = g.choice((0, 0, 1)) if mode != "nearest" else None
        if attrs["coordinate_transformation_mode"] == "align_corners":
            scales = [float(int(s + 0.5)) for s in scales]  # the standard's cases do not round the resized length, the runtime does
        g.node("Resize", [x, roi, g.add(np.array(scales, "float32"), True)], loss=16, **attrs)
        return
    sizes = list(x.array.shape[:2]) + [g.integer(1, 12) for _ in range(n - 2)]
    scales = None if g.opset >= 13 else g.add(np.zeros(0, "float32"), True)
    g.node("Resize", [x, roi, scales, g.add(np.array(sizes, "int64"), True)], loss=16, **attrs)


@row("GridSample", 0.5)
def grid_sample(g):
    need(g.opset >= 16)
    x = images(g, 2, 2)
    grid = g.add(g.rng.integers(-10, 11, [x.array.shape[0], g.integer(1, 5), g.integer(1, 5), 2]).astype("float32") / 7 + 0.01)
    modes = ("bilinear", "nearest", "bicubic") if g.opset < 20 else ("linear", "nearest", "cubic")
    mode, padding = g.choice(modes), g.choice(("zeros", "border", "reflection"))
    need("cubic" not in mode or padding != "border", "the standard clamps the location, the runtime each of the 16 taps")
    g.node("GridSample", [x, grid], loss=16, mode=mode, padding_mode=padding,
           align_corners=g.integer(0, 1))


@row("RoiAlign", 0.4)
def roi_align(g):
    need(g.opset >= 16)
    x = images(g, 2, 2)
    need(x.array.shape[0] > 0)
    count = g.integer(1, 4)
    corners = g.rng.integers(0, 12, [count, 4]).astype("float32") / 2
    corners[:, 2:] += corners[:, :2]
    g.node("RoiAlign", [x, g.add(corners), g.add(g.rng.integers(0, x.array.shape[0], count).astype("int64"))], loss=16,
           output_height=g.integer(1, 4), output_width=g.integer(1, 4), sampling_ratio=g.choice((0, 2)),
           spatial_scale=g.choice((1.0, 0.5)), mode=g.choice(("avg", "max")),
           coordinate_transformation_mode=g.choice(("half_pixel", "output_half_pixel")))


@row("Col2Im", 0.3)
def col2im(g):
    need(g.opset >= 18)
    block, image = [g.integer(1, 3), g.integer(1, 3)], [g.integer(3, 6), g.integer(3, 6)]
    positions = (image[0] - block[0] + 1) * (image[1] - block[1] + 1)
    x = g.new("float32", [g.integer(1, 2), block[0] * block[1] * g.integer(1, 3), positions])
    g.node("Col2Im", [x, g.ints(image), g.ints(block)], exact=True)


# ---- Normalisation ----

@row("BatchNormalization", 1.2)
def batch_norm(g):
    x = images(g)
    c = [x.array.shape[1]]
    inputs = [x, g.new("float32", c, -2, 2, True), g.new("float32", c, -2, 2, True), g.new("float32", c, -2, 2, True),
              g.new("float32", c, 1, 4, True)]
    g.node("BatchNormalization", inputs, loss=16, epsilon=g.choice((1e-3, None)))


@row("InstanceNormalization", 0.5)
def instance_norm(g):
    x = images(g)
    c = [x.array.shape[1]]
    need(np.prod(x.array.shape[2:]) > 2)
    g.node("InstanceNormalization", [x, g.new("float32", c), g.new("float32", c)], loss=500, epsilon=0.5)


@row("LayerNormalization", 1)
def layer_norm(g):
    need(g.opset >= 17)
    x = g.pick(("float32", "float32", "float64"), low=1)
    axis = g.axis(x)
    shape = list(x.array.shape[axis:])
    need(int(np.prod(shape)) > 2)
    dtype = str(x.array.dtype)
    inputs = [x, g.new(dtype, shape)] + ([g.new(dtype, shape)] if g.chance(0.6) else [])
    g.node("LayerNormalization", inputs, n_out=g.choice((1, 1, 3)), loss=500, axis=axis, epsilon=0.25)


@row("RMSNormalization", 0.5)
def rms_norm(g):
    need(g.opset >= 23)
    x = g.pick(F32, low=1)
    axis = g.axis(x)
    g.node("RMSNormalization", [x, g.new("float32", list(x.array.shape[axis:]))], loss=64, axis=axis, epsilon=0.25)


@row("GroupNormalization", 0.4)
def group_norm(g):
    need(g.opset >= 21)
    x = images(g)
    c = x.array.shape[1]
    need(c % 2 == 0 and x.array.size)
    g.node("GroupNormalization", [x, g.new("float32", [c]), g.new("float32", [c])], loss=500, num_groups=g.choice((1, 2)), epsilon=0.5)


@row("LRN", 0.4)
def lrn(g):
    g.node("LRN", [images(g, 2, 2)], loss=16, size=g.choice((1, 3, 5)), alpha=g.choice((0.01, None)), beta=g.choice((0.5, None)),
           bias=g.choice((2.0, None)))


@row("LpNormalization", 0.3)
def lp_norm(g):
    x = g.pick(F32, low=1, exact=True)
    g.node("LpNormalization", [x], loss=16, axis=g.axis(x), p=g.choice((1, 2)))


@row("MeanVarianceNormalization", 0.3)
def mvn(g):
    x = g.new("float32", [g.integer(1, 3), g.integer(1, 4), g.integer(3, 6), g.integer(3, 6)])
    g.node("MeanVarianceNormalization", [x], loss=500)


# ---- Recurrence and attention ----

@row("LSTM", 1)
def recurrence(g):
    op = g.choice(("LSTM", "GRU", "RNN"))
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    length, batch, size, hidden = g.integer(1, 5), g.integer(1, 3), g.integer(1, 4), g.integer(1, 5)
    direction = g.choice(("forward", "reverse", "bidirectional", None))
    n = 2 if direction == "bidirectional" else 1
    new = lambda *shape: g.new("float32", list(shape), -1, 1)
    inputs = [new(length, batch, size), new(n, gates * hidden, size), new(n, gates * hidden, hidden)]
    optional = [new(n, 2 * gates * hidden) if g.chance(0.6) else None,
                g.add(g.rng.integers(1, length + 1, batch).astype("int32")) if g.chance(0.4) else None,
                new(n, batch, hidden) if g.chance(0.5) else None]
    if op == "LSTM":
        optional += [new(n, batch, hidden) if g.chance(0.5) else None, new(n, 3 * hidden) if g.chance(0.3) else None]
    while optional and optional[-1] is None:
        optional.pop()
    extra = dict(linear_before_reset=g.integer(0, 1)) if op == "GRU" else {}
    if g.chance(0.2):
        extra["clip"] = 0.5
    g.node(op, inputs + optional, n_out=3 if op == "LSTM" else 2, loss=64, hidden_size=hidden, direction=direction, **extra)


@row("Attention", 0.8)
def attention(g):
    need(g.opset >= 23)
    batch, heads, q, k, size, v = (g.integer(1, 2), g.choice((1, 2, 4)), g.integer(1, 5), g.integer(1, 6), g.choice((2, 4, 8)),
                                   g.choice((2, 4, 8)))
    kv = heads if g.chance(0.6) else 1
    attrs = dict(scale=g.choice((0.5, None)), is_causal=g.choice((0, 1, None)), softcap=g.choice((2.0, None, None)))
    if g.chance(0.5):
        x = [g.new("float32", [batch, heads, q, size]), g.new("float32", [batch, kv, k, size]), g.new("float32", [batch, kv, k, v])]
    else:
        x = [g.new("float32", [batch, q, heads * size]), g.new("float32", [batch, k, kv * size]), g.new("float32", [batch, k, kv * v])]
        attrs.update(q_num_heads=heads, kv_num_heads=kv)
    if g.chance(0.4):
        shape = g.choice(([q, k], [1, 1, q, k], [batch, 1, q, k], [batch, heads, q, k]))
        x.append(g.new(g.choice(("float32", "bool")), shape))
    g.node("Attention", x, loss=64, **attrs)


@row("RotaryEmbedding", 0.4)
def rotary(g):
    need(g.opset >= 23)
    batch, heads, length, size = g.integer(1, 2), g.integer(1, 3), g.integer(1, 4), g.choice((2, 4, 8))
    x = g.new("float32", [batch, heads, length, size])
    caches = [g.new("float32", [length + 3, size // 2], -1, 1), g.new("float32", [length + 3, size // 2], -1, 1)]
    position = g.add(g.rng.integers(0, length + 3, [batch, length]).astype("int64"))
    g.node("RotaryEmbedding", [x] + caches + [position], interleaved=g.integer(0, 1))


@row("Det", 0.3)
def det(g):
    need(g.opset >= 11)
    n = g.integer(1, 4)
    g.node("Det", [g.new("float32", g.shape(0, 2) + [n, n])], loss=64)


@row("NonMaxSuppression", 0.3)
def nms(g):
    need(g.opset >= 10)
    count, classes, batch = g.integer(1, 8), g.integer(1, 3), g.integer(1, 2)
    boxes = g.rng.random([batch, count, 4]).astype("float32") * 4
    boxes[..., 2:] += boxes[..., :2]
    scores = g.rng.permutation(batch * classes * count).reshape(batch, classes, count).astype("float32") / 64
    inputs = [g.add(boxes), g.add(scores), g.ints([g.integer(0, 4)]), g.add(np.array([0.5], "float32"))]
    if g.chance(0.5):
        inputs.append(g.add(np.array([0.1], "float32")))
    g.node("NonMaxSuppression", inputs, center_point_box=g.choice((0, 1)))


@row("HannWindow", 0.2)
def windows(g):
    need(g.opset >= 17)
    g.node(g.choice(("HannWindow", "HammingWindow", "BlackmanWindow")), [g.add(np.array(g.integer(2, 12), "int64"))],
           periodic=g.integer(0, 1))


@row("DFT", 0.3)
def dft(g):
    need(17 <= g.opset < 20)
    x = g.new("float32", [g.integer(1, 2), g.integer(1, 9), g.choice((1, 2))])
    inverse = g.integer(0, 1) if x.array.shape[2] == 2 else 0
    g.node("DFT", [x], loss=64, axis=1, inverse=inverse, onesided=g.integer(0, 1) if not inverse and x.array.shape[2] == 1 else 0)


@row("TfIdfVectorizer", 0.2)
def tfidf(g):
    g.node("TfIdfVectorizer", [g.add(g.rng.integers(0, 4, [g.integer(1, 2), g.integer(1, 9)]).astype("int64"))], mode=g.choice(("TF", "IDF", "TFIDF")),
           min_gram_length=1, max_gram_length=2, max_skip_count=g.integer(0, 2), ngram_counts=[0, 2], ngram_indexes=[0, 1, 2, 3],
           pool_int64s=[1, 3, 1, 2, 3, 1], weights=[0.5, 2.0, 1.0, 4.0])


@row("StringConcat", 0.3)
def string_concat(g):
    need(g.opset >= 20)
    x = g.pick(("object",))
    g.node("StringConcat", [x, g.partner(x)])


# ---- com.microsoft ----

def contrib(name, weight=0.25):
    def register(function):
        ROWS.append((weight, name, lambda g: function(g, dict(domain="com.microsoft"))))
        return function
    return register


@contrib("FusedMatMul")
def fused_matmul(g, d):
    ta, tb = g.integer(0, 1), g.integer(0, 1)
    m, k, n, batch = g.dim(), g.integer(1, 5), g.dim(), g.shape(0, 1)
    g.node("FusedMatMul", [g.new("float32", batch + ([k, m] if ta else [m, k])), g.new("float32", batch + ([n, k] if tb else [k, n]))],
           loss=32, transA=ta, transB=tb, alpha=g.choice((0.5, None)), **d)


@contrib("SkipLayerNormalization")
def skip_layer_norm(g, d):
    shape = [g.integer(1, 2), g.integer(1, 4), g.integer(4, 9)]
    last = shape[-1:]
    inputs = [g.new("float32", shape), g.new("float32", shape), g.new("float32", last)]
    inputs += [g.new("float32", last)] if g.chance(0.6) else []
    g.node("SkipLayerNormalization", inputs, loss=500, epsilon=0.25, **d)


@contrib("BiasGelu")
def bias_gelu(g, d):
    x = g.pick(F32, low=1)
    g.node("BiasGelu", [x, g.new("float32", list(x.array.shape[-1:]))], **d)


@contrib("QuickGelu")
def quick_gelu(g, d):
    g.node("QuickGelu", [g.pick(F32)], alpha=g.choice((1.5, None)), **d)


@contrib("FastGelu")
def fast_gelu(g, d):
    g.node("FastGelu", [g.pick(F32, low=1)], loss=16, **d)
