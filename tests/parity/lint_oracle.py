"""Makes models with faults and lints them with the peer: `lint_oracle.py FOLDER` writes NAME.onnx and prints a JSON
object of exit status, log and report by name. Runs with the peer's Python, which needs onnx_graphsurgeon."""

import contextlib
import json
import os
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from polygraphy import tools as peer
from polygraphy.logger import G_LOGGER

import onnx_graphsurgeon  # noqa: F401  the peer imports it lazily and then ends the process

node = helper.make_node


def tensor(name, shape=(1, 3), elem=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, elem, shape)


def weight(name, shape):
    return numpy_helper.from_array((np.arange(np.prod(shape)) / 8).astype(np.float32).reshape(shape), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def model(nodes, inputs, outputs, weights=(), opsets=None, name="g", **more):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(weights))
    return helper.make_model(graph, opset_imports=opsets or [helper.make_opsetid("", 17)], ir_version=8, **more)


def models():
    x, y, z = tensor("x"), tensor("y"), tensor("z", None)
    relu = [node("Relu", ["x"], ["y"], "n1")]
    square = weight("w", (4, 4))  # does not fit x
    yield "valid", model([node("Add", ["x", "b"], ["s"], "n_add"), node("Relu", ["s"], ["y"], "n_relu")], [x], [y], [weight("b", (3,))])
    yield "shapes", model([node("MatMul", ["x", "w"], ["m"], "n_mm"), node("Relu", ["m"], ["z"], "n_relu"), node("Relu", ["x"], ["y"], "n_ok")],
                          [x], [z, y], [square])
    yield "two_faults", model([node("MatMul", ["x", "w"], ["m"], "n_mm"), node("Reshape", ["x", "s"], ["z"], "n_rs"), *relu],
                              [x], [tensor("m", None), z, y], [square, ints("s", 2, 2)])
    yield "at_run_time", model([node("Reshape", ["x", "s"], ["y"], "n_rs"), node("Relu", ["y"], ["z"], "n_relu")],
                               [tensor("x", (2, 3)), tensor("s", (2,), TensorProto.INT64)], [z])
    yield "gather", model([node("Gather", ["x", "i"], ["z"], "n_g", axis=1)], [x, tensor("i", (1,), TensorProto.INT64)], [z])
    yield "custom", model([node("MyOp", ["x"], ["a"], "n_c", domain="my.dom"), node("Relu", ["a"], ["y"], "n_r"), node("Relu", ["x"], ["z"], "n_ok")],
                          [x], [y, z], opsets=[helper.make_opsetid("", 17), helper.make_opsetid("my.dom", 1)])
    yield "no_such_operator", model([node("Nope", ["x"], ["y"], "n_c")], [x], [y])
    yield "no_such_attribute", model([node("Relu", ["x"], ["y"], "n_a", foo=3)], [x], [y])
    yield "missing_input", model([node("Add", ["x"], ["y"], "n1")], [x], [y])
    yield "no_op_type", model([node("", ["x"], ["y"], "n1")], [x], [y])
    yield "wrong_type", model(relu, [x], [tensor("y", (1, 3), TensorProto.INT32)])
    yield "no_names", model([node("Add", ["x", "b"], ["s"]), node("Relu", ["s"], ["t"]), node("MatMul", ["t", "w"], ["z"])], [x], [z],
                            [weight("b", (3,)), square])
    yield "equal_names", model([node("Add", ["x", "b"], ["s"], "n"), node("Relu", ["s"], ["y"], "n")], [x], [y], [weight("b", (3,))])
    yield "unused", model([node("Add", ["x", "b"], ["y"], "n_add"), node("Relu", ["x"], ["q"], "n_un")], [x, tensor("u")], [y],
                          [weight("b", (3,)), weight("ub", (3,))])
    yield "no_nodes", model([], [x], [x])
    yield "not_sorted", model([node("Relu", ["s"], ["y"], "n_relu"), node("Abs", ["x"], ["s"], "n_abs")], [x], [y])
    yield "undefined", model([node("Relu", ["nowhere"], ["y"], "n_relu")], [x], [y])
    yield "equal_inputs", model(relu, [x, x], [y])
    yield "no_output", model(relu, [x], [tensor("zz")])
    yield "nameless_graph", model(relu, [x], [y], name="")
    versions = model(relu, [x], [y])
    versions.ClearField("ir_version")
    yield "no_ir_version", versions
    versions = model(relu, [x], [y])
    versions.ir_version = 99
    yield "late_ir_version", versions
    versions = model(relu, [x], [y])
    del versions.opset_import[:]
    yield "no_opset", versions
    yield "late_opset", model(relu, [x], [y], opsets=[helper.make_opsetid("", 99)])
    yield "default_input", model([node("Add", ["x", "b"], ["y"], "n_add"), node("MatMul", ["y", "w"], ["z"], "n_mm")], [x, tensor("b", (3,))], [z],
                                 [weight("b", (3,)), square])
    yield "constant", model([node("Constant", [], ["c"], "n_c", value=weight("cv", (4, 4))), node("MatMul", ["x", "c"], ["z"], "n_mm")], [x], [z])
    yield "equal_outputs", model(relu, [x], [y, y])
    function = helper.make_function("loc", "F", ["a"], ["b"], [node("Relu", ["a"], ["b"], "fr")], [helper.make_opsetid("", 17)])
    yield "function", model([node("F", ["x"], ["y"], "n_f", domain="loc"), node("MatMul", ["y", "w"], ["z"], "n_mm")], [x], [z], [square],
                            [helper.make_opsetid("", 17), helper.make_opsetid("loc", 1)], functions=[function])
    yield "input_twice", model([node("Mul", ["x", "x"], ["y"], "n_m"), node("MatMul", ["y", "w"], ["z"], "n_mm")], [x], [z], [square])
    short = model([node("Add", ["x", "b"], ["y"], "n_add")], [x], [y], [weight("b", (3,))])
    short.graph.initializer[0].dims[0] = 5
    yield "short_weight", short


@contextlib.contextmanager
def streams_to(file):
    """At the level of descriptors, where the peer listens to ONNX Runtime."""
    sys.stdout.flush()
    saved = [os.dup(1), os.dup(2)]
    try:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, copy in zip((1, 2), saved):
            os.dup2(copy, fd)
            os.close(copy)


def lint(path):
    report = path[:-5] + ".json"
    G_LOGGER.once_logged = set()
    with tempfile.TemporaryFile("w+") as log:
        with streams_to(log):
            try:
                status = peer.main(["check", "lint", path, "-o", report])
            except SystemExit as stop:
                status = stop.code
        log.seek(0)
        text = log.read()
    with open(report, encoding="utf-8") as file:
        return {"rc": status or 0, "log": text, "report": json.load(file)}


def main():
    results = {}
    for name, made in models():
        path = os.path.join(sys.argv[1], name + ".onnx")
        onnx.save(made, path)
        results[name] = lint(path)
    print(json.dumps(results))


main()
